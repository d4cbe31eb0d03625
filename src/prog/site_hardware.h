/* prog/site_hardware.h -- cards of class vfio: physical functions of this machine (os/pci_card.h),
 * whose virtual functions are handed to systems through VFIO.
 *
 * What it is not: a data path.  No worker runs such a card, and its functions have no front here:
 * their guests drive them.
 *
 * Threads: control.  Looking at the hardware and mending it takes as long as drivers take, so once
 * the site runs that is done by a thread of libuv's pool, one look at a time; what is told is a
 * copy of what it saw last. Memory: allocated in open, the site's sizes. */
#ifndef PROG_SITE_HARDWARE_H
#define PROG_SITE_HARDWARE_H

#include "prog/site_run.h"

#include <stdio.h>

/* Takes a card, and sees to it that its VFs are there.  -errno with 'why', which names card and
 * remedy.  A card that is gone or silent is no failure: it is dead. */
int site_hardware_open(struct run_card *card, struct refusal *why);

/* Gives each interface of such cards its function: the one it had before a crash, else the one of
 * its placement, else, when that is dead, another one of its pool.  Changes run->places.  What the
 * record of an earlier run has beyond that is given back. */
int site_hardware_assign(struct site_run *run, struct refusal *why);

/* From now on the hardware is looked at. */
void site_hardware_start(struct site_run *run);

/* Ends that and gives everything back, as the site file says.  Without site_hardware_open()
 * nothing. */
void site_hardware_destroy(struct site_run *run);

/* Whether an interface is a function of such a card. */
static inline bool site_hardware_is(const struct run_io *io)
{
	return io->io->attachment == SITE_ATTACH_VFIO;
}

/* Whether mac, VLAN and rate mean something there: its card has a network interface, whose driver
 * takes them. */
bool site_hardware_has_link(const struct run_io *io);

/* "waiting", "running" or "dead". */
const char *site_hardware_state(const struct run_io *io);

/* Whether VF 'vf' (1..) of a card is gone or silent, or lost to whoever it was given to. */
bool site_hardware_is_dead(const struct run_card *card, unsigned vf);

/* The address of VF 'vf' (1..) of a card, or of its PF (0); "" when it is not there. */
const char *site_hardware_address(const struct run_card *card, unsigned vf);

/* What cards, functions and interfaces say for `midplane`. */
struct tree_out;
void site_hardware_describe_card(const struct run_card *card, struct tree_out *out);
void site_hardware_describe_function(const struct run_card *card, unsigned vf,
				     struct tree_out *out);
void site_hardware_describe_io(const struct run_io *io, struct tree_out *out);

/* What a host sees of these cards: a line each, or real configuration spaces as `lspci -F` reads
 * them.  Their PCI domain has 0x1000 added, so that none is taken for a function of the model. */
enum site_hardware_detail { SITE_HARDWARE_LINES, SITE_HARDWARE_DUMP };
void site_hardware_lspci(struct site_run *run, unsigned host, enum site_hardware_detail detail,
			 FILE *out);

#endif
