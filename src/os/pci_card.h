/* os/pci_card.h -- a physical function of this machine and its VFs, held for a site: VFs are made,
 * functions are handed to vfio-pci for those who are to have them, and everything is given back.
 *
 * What it is not: access to a function's registers or DMA, and the choice of who gets which
 * function.
 *
 * Each change is written to a record first (os/pci_record.h), so a start after a crash finds what
 * is bound, keeps what is right and finishes or undoes the rest.  A function that a process has
 * open is never changed. Nothing is ever done to the functions of another card.
 *
 * Threads: any, one at a time; a driver may take seconds.  Memory: allocated in open. */
#ifndef OS_PCI_CARD_H
#define OS_PCI_CARD_H

#include "os/pci_bus.h"
#include "os/pci_record.h"

enum { PCI_CARD_PF = -1 };

/* What becomes of the functions at the end. */
enum pci_card_end {
	PCI_CARD_RELEASE, /* those that nobody has open go back to their drivers, VFs that we made
			     away */
	PCI_CARD_KEEP,	  /* all stays as it is, for the next start */
};

enum pci_function_state {
	PCI_FUNCTION_FREE,  /* nobody is given it; its driver has it */
	PCI_FUNCTION_READY, /* given; vfio-pci has it, and nobody has opened it */
	PCI_FUNCTION_USED,  /* given, and a process has it open */
	PCI_FUNCTION_DEAD,  /* gone, silent, lost to another driver, or nobody's and its card is;
			     * 'why' says which */
};

struct pci_card_conf {
	const char *site, *card; /* names */
	const char *address;	 /* of the PF, "0000:3b:00.0" */
	unsigned vfs;		 /* 1..PCI_RECORD_FUNCTIONS_MAX: how many are needed */
	const char *dir;	 /* of records and locks; exists */
	const char *sysfs;	 /* "/sys" */
	const struct pci_hand *hand;
	/* What an operator wants to know of VF 'vf', or of PCI_CARD_PF; in the caller's thread. */
	void (*tell)(void *owner, int vf, const char *kind, const char *text);
	void *owner;
};

struct pci_card_function {
	enum pci_function_state state;
	char owner[PCI_RECORD_OWNER_MAX]; /* whom it is given to; "": nobody */
	char why[128];			  /* dead: what is wrong */
	struct pci_bus_function seen;	  /* as it was last looked at */
	struct pci_user user;		  /* who has it open; pid 0: nobody */
};

struct pci_card;

/* Takes the card for the site, and reads its record; changes nothing.  -EBUSY with 'why': another
 * midplaned has it, or another site's record is there; -errno of files. */
int pci_card_open(struct pci_card **card, const struct pci_card_conf *conf, struct refusal *why);

/* Sees to it that the VFs are there.  -ENODEV: the PF is gone or does not answer (the card is dead,
 * may come back, and is begun again then); -EINVAL: it has no SR-IOV, or fewer; -EBUSY: it has VFs,
 * fewer than needed, that somebody uses: 'why' says who and what to do; -errno of the kernel. */
int pci_card_begin(struct pci_card *card, struct refusal *why);

/* The VF (0..) that 'owner' had before a crash, or -1. */
int pci_card_had(const struct pci_card *card, const char *owner);

/* Hands VF 'vf' (0..) to vfio-pci for 'owner', told 'link' before (link->set 0: nothing).  What is
 * right already is left, and a function that a process has open for this owner is not touched.
 *
 * The PF's interface is brought up.
 *
 * -ENODEV: it is dead; -EBUSY: somebody else uses it, or something else in its IOMMU group is the
 * host's; -ENOLINK: its PF has no link, without which its driver takes no rate; -EINVAL: that
 * driver does not take 'link', or there is no interface; another -errno.
 */
int pci_card_give(struct pci_card *card, unsigned vf, const char *owner, const struct vf_link *link,
		  struct refusal *why);

/* Gives it back to the driver that had it.  -EBUSY: a process has it open. */
int pci_card_take(struct pci_card *card, unsigned vf, struct refusal *why);

/* Takes the name off a function that is dead: its owner gets another one.  It is given back at the
 * end. */
void pci_card_disown(struct pci_card *card, unsigned vf);

/* Gives back what the record has and nobody was given since pci_card_open(). */
void pci_card_sweep(struct pci_card *card);

/* Looks whether the card and its functions are as they should be; tells what changed.  Changes
 * nothing. */
void pci_card_look(struct pci_card *card, const struct pci_users *users);

bool pci_card_is_alive(const struct pci_card *card);
const struct pci_bus_function *pci_card_pf(const struct pci_card *card);
const struct pci_card_function *pci_card_function(const struct pci_card *card, unsigned vf);
unsigned pci_card_vfs(const struct pci_card *card);

/* Ends it, and lets go of the card.  NULL is nothing.  What a process has open stays, for the next
 * start. */
void pci_card_close(struct pci_card *card, enum pci_card_end end);

#endif
