/* prog/site_hardware_parts.h -- what the files of site_hardware share: site_hardware.c (cards, and
 * looking after them), site_hardware_seats.c (who gets which function) and
 * site_hardware_describe.c. */
#ifndef PROG_SITE_HARDWARE_PARTS_H
#define PROG_SITE_HARDWARE_PARTS_H

#include "os/pci_card.h"
#include "prog/site_hardware.h"

enum {
	HARDWARE_NOTES_MAX = 64, /* news of one look; more of it is in `function list` */
	HARDWARE_DEAD_LOOKS = 2, /* that find a function dead before it is given up */
	HARDWARE_BEGINS_MAX =
		8, /* tries to make the VFs of a card that is back: its driver comes later */
	HARDWARE_MENDS_MAX = 32, /* tries to find another, until a card comes back */
};

struct hardware_note {
	char kind[24], object[104], text[192];
};

/* 'pci' belongs to the look that is under way, if one is; the rest is the control thread's. */
struct hardware_card {
	struct site_hardware *hw;
	const char *name;
	unsigned index;			/* of the card in the site */
	struct pci_card *pci;		/* NULL: of another class */
	unsigned begins;		/* tries that are left */
	bool was_alive;			/* as the failover machine was told */
	struct pci_bus_function pf;	/* as the last look saw it */
	struct pci_card_function *view; /* its VFs, likewise */
};

/* An interface and the function that it is given. */
struct hardware_seat {
	struct site_hardware *hw;
	struct run_io *io;
	char owner[PCI_RECORD_OWNER_MAX]; /* "system/interface" */
	struct placement_function at;
	bool given;
	unsigned dead_looks;
	struct refusal why;	/* why it is given none */
	struct refusal stopped; /* the same, as the control thread tells it */
};

struct site_hardware {
	struct site_run *run;
	struct hardware_card *cards; /* by index of the card */
	struct hardware_seat *seats;
	unsigned seat_count;
	struct hardware_note notes[HARDWARE_NOTES_MAX];
	unsigned note_count;
	struct pci_users users;
	uv_timer_t *timer;
	uv_poll_t *poll;
	int uevents;
	uv_work_t work;
	bool working, asked, ending;
};

/* Where an interface's function was before a crash; false when it had none that is left. */
bool hardware_seat_find_former(struct hardware_seat *seat);
/* Where it is to be: the function of its placement, or another one that nobody has.  -ENOSPC with
 * 'why'. */
int hardware_seat_find_place(struct hardware_seat *seat, struct refusal *why);
/* Gives it its own function, or another one of its pool.  -ENODEV: none lives; -ENOLINK: none that does
 * has a link, which its rate needs; -EINVAL and others; all with 'why'. */
int hardware_seat_fill(struct hardware_seat *seat, struct refusal *why);
/* Fills it again when its function has been dead for some looks. */
void hardware_seat_mend(struct hardware_seat *seat);

/* News, kept until the control thread publishes them. */
void hardware_keep_note(struct site_hardware *hw, const struct hardware_note *note);
void hardware_tell_of_io(struct site_hardware *hw, const struct hardware_seat *seat,
			 const char *kind, const char *format, ...) printf_like(4, 5);

#endif
