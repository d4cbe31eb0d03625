/* How many VFs a card has. */
#include "os/pci_card_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int pci_card_restore_autoprobe(struct pci_card *card, struct refusal *why)
{
	if (!card->recorded || card->record.autoprobe < 0)
		return 0;
	if (pci_bus_autoprobe(&card->root, card->conf.address) != card->record.autoprobe)
		(void)pci_bus_set_autoprobe(&card->root, card->conf.address,
					    card->record.autoprobe);
	card->record.autoprobe = -1;
	return pci_card_save(card, why);
}

/* A VF that cannot be taken away now; its words in 'who'. */
static bool is_held(struct pci_card *card, unsigned vf, const struct pci_bus_function *f,
		    char who[128])
{
	const struct pci_user *user = pci_card_user_now(card, f);

	if (user)
		snprintf(who, 128, "process %ld (%s) has virtual function %s open", user->pid,
			 user->name, f->address);
	else if (f->driver[0] && !pci_record_find(&card->record, vf))
		snprintf(who, 128, "driver %s has virtual function %s", f->driver, f->address);
	else
		return false;
	return true;
}

/* The kernel changes the number by way of 0, so all VFs must be idle, and ours. */
static int may_remake(struct pci_card *card, struct refusal *why)
{
	struct pci_bus_function f;
	char who[128];

	for (unsigned vf = 0; vf < card->pf.vfs; vf++) {
		if (!pci_card_look_at_vf(card, vf, &f) || !is_held(card, vf, &f, who))
			continue;
		refuse(why, "",
		       "%s has %u virtual functions and %u are needed, which takes all of them "
		       "away "
		       "first, but %s: stop or release it, or ask for at most %u",
		       card->conf.address, card->pf.vfs, card->conf.vfs, who, card->pf.vfs);
		return -EBUSY;
	}
	if (card->recorded && card->record.made)
		return 0;
	refuse(why, "",
	       "%s has %u virtual functions that this site did not make, and %u are needed: ask "
	       "for at "
	       "most %u, or take them away first: midplane hardware vfs %s 0",
	       card->conf.address, card->pf.vfs, card->conf.vfs, card->pf.vfs, card->conf.address);
	return -EBUSY;
}

/* Through what os/pci_bus.h refuses and waits for. */
int pci_card_set_vfs(struct pci_card *card, unsigned count, struct refusal *why)
{
	const struct pci_bus_function *pf;
	struct pci_bus bus;
	int err;

	if (card->record.autoprobe < 0)
		card->record.autoprobe = pci_bus_autoprobe(&card->root, card->conf.address);
	err = pci_card_save(card, why);
	if (!err)
		err = pci_bus_read_by(&bus, card->conf.sysfs, card->conf.hand, why);
	if (err)
		return err;
	pf = pci_bus_find(&bus, card->conf.address);
	err = pf ? pci_bus_set_vfs(&bus, pf, count, why) : -ENODEV;
	pci_bus_free(&bus);
	return err ? err : pci_card_restore_autoprobe(card, why);
}

static int unmake(struct pci_card *card, struct refusal *why)
{
	int err = may_remake(card, why);

	while (!err && card->record.function_count)
		err = pci_card_give_back(card, card->record.function[0].vf, why);
	return err ? err : pci_card_set_vfs(card, 0, why);
}

int pci_card_make_vfs(struct pci_card *card, struct refusal *why)
{
	int err = card->pf.vfs ? unmake(card, why) : 0;

	if (err)
		return err;
	card->record.made = true;
	card->waited = false;
	card->record.vfs = card->conf.vfs;
	err = pci_card_set_vfs(card, card->conf.vfs, why);
	if (!err)
		pci_card_tell(card, PCI_CARD_PF, "vfs-made", "%u virtual functions of %s",
			      card->conf.vfs, card->conf.address);
	return err;
}
