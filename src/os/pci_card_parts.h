/* os/pci_card_parts.h -- what the files of pci_card share: pci_card.c (taking, looking, letting
 * go), pci_card_vfs.c (their number) and pci_card_give.c (handing out and taking back). */
#ifndef OS_PCI_CARD_PARTS_H
#define OS_PCI_CARD_PARTS_H

#include "os/pci_card.h"

#define PCI_CARD_DRIVER "vfio-pci"

enum { PCI_CARD_LINK_MS = 5000 }; /* a link that there is has come by then */

struct pci_card {
	struct pci_card_conf conf;
	struct pci_bus root; /* of no functions: what pci_bus_look() needs */
	struct pci_record record;
	bool recorded; /* the record is in its file */
	bool alive, begun;
	bool told_vfs; /* the VFs were there when they were last looked at */
	bool waited;   /* for a link that did not come, since the VFs were made */
	int lock;
	char lock_path[PCI_RECORD_PATH_MAX + 8], record_path[PCI_RECORD_PATH_MAX];
	struct pci_bus_function pf;
	struct pci_users users;
	struct pci_card_function function[PCI_RECORD_FUNCTIONS_MAX];
};

void pci_card_tell(struct pci_card *card, int vf, const char *kind, const char *format, ...)
	printf_like(4, 5);
/* Writes the record: before what it says is done. */
int pci_card_save(struct pci_card *card, struct refusal *why);

/* Who has a function open: as of 'users', and as of now, when it is about to matter. */
const struct pci_user *pci_card_user_of(const struct pci_users *users,
					const struct pci_bus_function *f);
const struct pci_user *pci_card_user_now(struct pci_card *card, const struct pci_bus_function *f);

/* The VF as it is; false when it is not there. */
bool pci_card_look_at_vf(const struct pci_card *card, unsigned vf, struct pci_bus_function *f);
/* Whether the PF is there, told when that changes; card->pf is as it is now. */
bool pci_card_look_at_pf(struct pci_card *card);
void pci_card_look_at_function(struct pci_card *card, unsigned vf, const struct pci_users *users);

/* Sets the number of VFs.  That keeps drivers from taking VFs by themselves, which is set back. */
int pci_card_set_vfs(struct pci_card *card, unsigned count, struct refusal *why);
/* As many as are needed, in place of fewer; what is not ours, or in use, is refused. */
int pci_card_make_vfs(struct pci_card *card, struct refusal *why);
int pci_card_restore_autoprobe(struct pci_card *card, struct refusal *why);

/* Makes a function of the record as it was, and drops its entry.  -EBUSY: a process has it open. */
int pci_card_give_back(struct pci_card *card, unsigned vf, struct refusal *why);

#endif
