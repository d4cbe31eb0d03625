/* Handing functions out, and taking them back. */
#include "os/pci_card_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int pci_card_had(const struct pci_card *card, const char *owner)
{
	for (unsigned i = 0; i < card->record.function_count; i++)
		if (strcmp(card->record.function[i].owner, owner) == 0 &&
		    card->record.function[i].vf < card->conf.vfs)
			return (int)card->record.function[i].vf;
	return -1;
}

/* Whether it may be taken from whoever has it. */
static int may_give(const struct pci_bus_function *f, const struct pci_user *user,
		    const struct pci_card_function *known, struct refusal *why)
{
	if (user) {
		refuse(why, "", "process %ld (%s) has %s open", user->pid, user->name, f->address);
		return -EBUSY;
	}
	/* One that was handed out by this run is not half done, but somebody else's by now. */
	if (known->owner[0] && f->driver[0] && strcmp(f->driver, PCI_CARD_DRIVER) != 0) {
		refuse(why, "", "driver %s has %s now: somebody has taken it", f->driver,
		       f->address);
		return -EBUSY;
	}
	if (f->interface_up) {
		refuse(why, "", "this machine uses %s itself: its interface %s is up", f->address,
		       f->interface);
		return -EBUSY;
	}
	return 0;
}

/* Notes whose it becomes, and what it was: before anything is done to it. */
static int note(struct pci_card *card, unsigned vf, const struct pci_bus_function *f,
		const char *owner, unsigned set, struct refusal *why)
{
	struct pci_record_function *entry = pci_record_find(&card->record, vf);

	if (entry && strcmp(entry->owner, owner) == 0 && (entry->set | set) == entry->set)
		return 0;
	if (!entry) {
		entry = &card->record.function[card->record.function_count++];
		*entry = (struct pci_record_function){ .vf = vf };
		memcpy(entry->address, f->address, sizeof entry->address);
		memcpy(entry->driver, f->driver, sizeof entry->driver);
		pci_bus_override(&card->root, f->address, entry->override);
	}
	entry->set |= set;
	snprintf(entry->owner, sizeof entry->owner, "%s", owner);
	return pci_card_save(card, why);
}

/* A PF has no link for some seconds after its VFs were made, or it was brought up.  One without a
 * cable is waited for once. */
static int set_one(struct pci_card *card, unsigned vf, const struct vf_link *one,
		   struct refusal *why)
{
	const struct pci_hand *hand = card->conf.hand;
	bool waits = (one->set & VF_LINK_RATE) && one->rate_mbps && !card->waited;
	struct refusal below = { 0 };
	int err = hand->link(hand->owner, card->pf.interface, vf, one, &below);

	for (unsigned ms = 0; waits && err == -ENOLINK && ms < PCI_CARD_LINK_MS; ms += 50) {
		hand->pause(hand->owner, 50);
		err = hand->link(hand->owner, card->pf.interface, vf, one, &below);
	}
	card->waited = card->waited || (waits && err == -ENOLINK);
	if (err)
		refuse(why, "", "%s", below.text);
	return err;
}

/* One thing after the other: a driver that cannot do one of them may do the rest.  Taking away what
 * was never set is no failure. */
static int set_link(struct pci_card *card, unsigned vf, const struct vf_link *link,
		    struct refusal *why)
{
	static const unsigned each[] = { VF_LINK_MAC, VF_LINK_VLAN, VF_LINK_RATE };
	int err = 0;

	if (!link->set)
		return 0;
	if (!card->pf.interface[0]) {
		refuse(why, "", "%s has no network interface, so nothing takes mac, vlan or rate",
		       card->conf.address);
		return -EINVAL;
	}
	for (unsigned i = 0; !err && i < array_len(each); i++) {
		struct vf_link one = *link;

		one.set = link->set & each[i];
		if (one.set)
			err = set_one(card, vf, &one, why);
	}
	return !err || err == -ENOLINK ? err : -EINVAL;
}

/* Its functions pass nothing while the PF's interface is down.  It stays up: who uses it by the
 * time that we end is not known. */
static int raise_pf(struct pci_card *card, struct refusal *why)
{
	const struct pci_hand *hand = card->conf.hand;
	int err;

	if (!card->pf.interface[0] || card->pf.interface_up)
		return 0;
	err = hand->raise(hand->owner, card->pf.interface, why);
	if (!err)
		pci_card_tell(card, PCI_CARD_PF, "raised",
			      "%s was down, and its virtual functions idle: it is up now",
			      card->pf.interface);
	return err;
}

static int bind(struct pci_card *card, const struct pci_bus_function *f, struct refusal *why)
{
	struct pci_bus bus;
	int err = pci_bus_read_by(&bus, card->conf.sysfs, card->conf.hand, why);

	if (err)
		return err;
	err = pci_bus_bind(&bus, f, PCI_CARD_DRIVER, why);
	pci_bus_free(&bus);
	return err;
}

static int give(struct pci_card *card, unsigned vf, const char *owner, const struct vf_link *link,
		struct refusal *why)
{
	struct pci_record_function *entry = pci_record_find(&card->record, vf);
	struct vf_link told = *link;
	const struct pci_user *user;
	struct pci_bus_function f;
	struct refusal below = { 0 };
	int err;

	if (!pci_card_look_at_pf(card)) {
		refuse(why, "", "%s is gone or does not answer, and its functions with it",
		       card->conf.address);
		return -ENODEV;
	}
	if (!pci_card_look_at_vf(card, vf, &f) || !f.answers) {
		refuse(why, "", "virtual function %u of %s is gone or does not answer", vf,
		       card->conf.address);
		return -ENODEV;
	}
	user = pci_card_user_now(card, &f);
	if (user && entry && strcmp(entry->owner, owner) == 0)
		return 0; /* its guest runs: it finds what it left */
	err = may_give(&f, user, &card->function[vf], why);
	if (err)
		return err;
	err = note(card, vf, &f, owner, link->set, why);
	if (entry) /* what it was told before and is not to have now becomes none */
		told.set |= entry->set & (VF_LINK_VLAN | VF_LINK_RATE);
	if (!err)
		err = raise_pf(card, why);
	if (!err)
		err = set_link(card, vf, &told, why);
	if (!err)
		err = bind(card, &f, why);
	if (err && pci_record_find(&card->record, vf) && pci_card_give_back(card, vf, &below) != 0)
		pci_card_tell(card, (int)vf, "left", "%s", below.text);
	return err;
}

int pci_card_give(struct pci_card *card, unsigned vf, const char *owner, const struct vf_link *link,
		  struct refusal *why)
{
	struct pci_card_function *f = &card->function[vf];
	bool had = pci_card_had(card, owner) == (int)vf;
	int err;

	must(vf < card->conf.vfs);
	must(owner[0] && strlen(owner) < PCI_RECORD_OWNER_MAX);
	err = give(card, vf, owner, link, why);
	if (!err)
		snprintf(f->owner, sizeof f->owner, "%s", owner);
	card->conf.hand->users(card->conf.hand->owner, &card->users);
	pci_card_look_at_function(card, vf, &card->users);
	if (!err && f->state == PCI_FUNCTION_DEAD) {
		refuse(why, "", "%s: %s", f->seen.address, f->why);
		err = -ENODEV;
	}
	if (!err && f->state == PCI_FUNCTION_USED)
		pci_card_tell(card, (int)vf, "resumed", "%s: process %ld (%s) has it open",
			      f->seen.address, f->user.pid, f->user.name);
	else if (!err)
		pci_card_tell(card, (int)vf, had ? "resumed" : "given", "%s: vfio-pci has it",
			      f->seen.address);
	return err;
}

/* What its PF's driver was told of it, as far as it can be taken back: an address stays. */
static void unset_link(struct pci_card *card, const struct pci_record_function *entry)
{
	const struct vf_link nothing = { .set = entry->set & (VF_LINK_VLAN | VF_LINK_RATE) };

	if (nothing.set)
		(void)set_link(card, entry->vf, &nothing, NULL);
}

/* VLAN and rate go while nobody has it: a guest that is started in between finds nothing half done,
 * and the driver that gets it back is not in a guest's VLAN. */
static int make_as_before(struct pci_card *card, const struct pci_record_function *entry,
			  struct pci_bus_function *f, struct refusal *why)
{
	int err = 0;

	if (strcmp(f->driver, entry->driver) != 0 && f->driver[0]) {
		err = pci_bus_restore(&card->root, f, "", entry->override, why);
		f->driver[0] = '\0';
	}
	if (err)
		return err;
	unset_link(card, entry);
	return pci_bus_restore(&card->root, f, entry->driver, entry->override, why);
}

int pci_card_give_back(struct pci_card *card, unsigned vf, struct refusal *why)
{
	struct pci_record_function *entry = pci_record_find(&card->record, vf);
	const struct pci_user *user;
	struct pci_bus_function f;
	int err = 0;

	must(entry != NULL);
	if (pci_card_look_at_vf(card, vf, &f) && strcmp(f.address, entry->address) == 0) {
		user = pci_card_user_now(card, &f);
		if (user) {
			refuse(why, "", "%s stays: process %ld (%s) has it open", f.address,
			       user->pid, user->name);
			return -EBUSY;
		}
		err = make_as_before(card, entry, &f, why);
	}
	if (err)
		return err;
	pci_record_drop(&card->record, vf);
	return pci_card_save(card, why);
}

int pci_card_take(struct pci_card *card, unsigned vf, struct refusal *why)
{
	struct pci_card_function *f = &card->function[vf];
	int err;

	must(vf < card->conf.vfs);
	err = pci_record_find(&card->record, vf) ? pci_card_give_back(card, vf, why) : 0;
	if (err)
		return err;
	f->owner[0] = '\0';
	pci_card_look_at_function(card, vf, &card->users);
	return 0;
}

void pci_card_disown(struct pci_card *card, unsigned vf)
{
	struct pci_record_function *entry = pci_record_find(&card->record, vf);

	must(vf < card->conf.vfs);
	card->function[vf].owner[0] = '\0';
	if (!entry || !entry->owner[0])
		return;
	entry->owner[0] = '\0';
	(void)pci_card_save(
		card, NULL); /* at worst the next start asks for it again, and finds it dead */
}

void pci_card_sweep(struct pci_card *card)
{
	for (unsigned i = card->record.function_count; i-- > 0;) {
		unsigned vf = card->record.function[i].vf;
		struct refusal why = { 0 };

		if (vf < card->conf.vfs && card->function[vf].owner[0])
			continue;
		if (pci_card_give_back(card, vf, &why) == 0)
			pci_card_tell(card, (int)vf, "undone", "nobody is to have it any more");
		else
			pci_card_tell(card, (int)vf, "left", "%s", why.text);
	}
}
