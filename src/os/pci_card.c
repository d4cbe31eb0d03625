#include "os/pci_card_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void pci_card_tell(struct pci_card *card, int vf, const char *kind, const char *format, ...)
{
	char text[192];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (card->conf.tell)
		card->conf.tell(card->conf.owner, vf, kind, text);
}

/* -- taking and letting go -- */

/* The file may be gone by the time that its lock is ours: its holder removes it. */
static bool is_current(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino;
}

static int take_lock(struct pci_card *card, struct refusal *why)
{
	for (;;) {
		card->lock = open(card->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (card->lock < 0) {
			int err = -errno;

			refuse(why, "", "cannot make %s: %s", card->lock_path, strerror(-err));
			return err;
		}
		if (flock(card->lock, LOCK_EX | LOCK_NB) != 0) {
			refuse(why, "",
			       "another midplaned has %s now; one card belongs to one site",
			       card->conf.address);
			return -EBUSY;
		}
		if (is_current(card->lock, card->lock_path))
			return 0;
		close(card->lock);
	}
}

static int read_record(struct pci_card *card, struct refusal *why)
{
	int err = pci_record_load(card->record_path, &card->record, why);

	card->recorded = err == 0;
	if (err == -ENOENT)
		return 0;
	if (!err && strcmp(card->record.site, card->conf.site) != 0) {
		refuse(why, "",
		       "site '%s' had %s and did not give it back: start and stop that site, or "
		       "remove %s once nothing uses the card",
		       card->record.site, card->conf.address, card->record_path);
		return -EBUSY;
	}
	return err;
}

int pci_card_open(struct pci_card **out, const struct pci_card_conf *conf, struct refusal *why)
{
	struct pci_card *card = calloc(1, sizeof *card);
	int err;

	must(conf->vfs >= 1 && conf->vfs <= PCI_RECORD_FUNCTIONS_MAX);
	if (!card) {
		refuse(why, "", "no memory");
		return -ENOMEM;
	}
	card->conf = *conf;
	card->root = (struct pci_bus){ .sysfs = conf->sysfs, .hand = conf->hand };
	card->record.autoprobe = -1;
	pci_record_path(conf->dir, conf->address, card->record_path);
	snprintf(card->lock_path, sizeof card->lock_path, "%s.lock", card->record_path);
	err = take_lock(card, why);
	if (!err)
		err = read_record(card, why);
	if (err) {
		if (card->lock >= 0)
			close(card->lock);
		free(card);
		return err;
	}
	snprintf(card->record.card, sizeof card->record.card, "%s", conf->card);
	*out = card;
	return 0;
}

int pci_card_save(struct pci_card *card, struct refusal *why)
{
	int err = pci_record_save(card->conf.hand, card->record_path, &card->record, why);

	card->recorded = card->recorded || !err;
	return err;
}

/* -- who has what -- */

const struct pci_user *pci_card_user_of(const struct pci_users *users,
					const struct pci_bus_function *f)
{
	const struct pci_user *user;

	if (strcmp(f->driver, PCI_CARD_DRIVER) != 0)
		return NULL;
	user = pci_users_of(users, f->vfio_group);
	return user ? user : pci_users_of(users, f->vfio_device);
}

const struct pci_user *pci_card_user_now(struct pci_card *card, const struct pci_bus_function *f)
{
	if (strcmp(f->driver, PCI_CARD_DRIVER) != 0)
		return NULL;
	card->conf.hand->users(card->conf.hand->owner, &card->users);
	return pci_card_user_of(&card->users, f);
}

bool pci_card_look_at_vf(const struct pci_card *card, unsigned vf, struct pci_bus_function *f)
{
	char address[PCI_BUS_ADDRESS_MAX];

	memset(f, 0, sizeof *f);
	return pci_bus_vf_address(&card->root, card->conf.address, vf, address) &&
	       pci_bus_look(&card->root, address, f);
}

/* Free functions of a card that dies or returns are part of its own event. */
static bool is_worth_telling(const struct pci_card *card, unsigned vf)
{
	return card->function[vf].owner[0] || (card->alive && card->told_vfs);
}

static void set_dead(struct pci_card *card, unsigned vf, const char *why)
{
	struct pci_card_function *f = &card->function[vf];

	if (f->state != PCI_FUNCTION_DEAD && is_worth_telling(card, vf))
		pci_card_tell(card, (int)vf, "dead", "%s", why);
	f->state = PCI_FUNCTION_DEAD;
	snprintf(f->why, sizeof f->why, "%s", why);
}

static void set_alive(struct pci_card *card, unsigned vf, enum pci_function_state state)
{
	struct pci_card_function *f = &card->function[vf];

	if (f->state == PCI_FUNCTION_DEAD && is_worth_telling(card, vf))
		pci_card_tell(card, (int)vf, "alive", "it is there again");
	f->state = state;
	f->why[0] = '\0';
}

void pci_card_look_at_function(struct pci_card *card, unsigned vf, const struct pci_users *users)
{
	struct pci_card_function *f = &card->function[vf];
	const struct pci_bus_function before = f->seen;
	bool there = pci_card_look_at_vf(card, vf, &f->seen);
	const struct pci_user *user = there ? pci_card_user_of(users, &f->seen) : NULL;
	char why[96];

	f->user = user ? *user : (struct pci_user){ .pid = 0 };
	if (!there) {
		memcpy(f->seen.address, before.address, sizeof before.address);
		f->seen.group = PCI_BUS_NO_GROUP;
		set_dead(card, vf, "it is gone");
	} else if (!f->seen.answers) {
		set_dead(card, vf, "its configuration space does not answer");
	} else if (!f->owner[0] && !card->alive) {
		/* One that a guest has is judged by itself: its card may be in a reset. */
		set_dead(card, vf, "its physical function does not answer");
	} else if (f->owner[0] && strcmp(f->seen.driver, PCI_CARD_DRIVER) != 0) {
		snprintf(why, sizeof why, "vfio-pci has lost it to %s",
			 f->seen.driver[0] ? f->seen.driver : "nobody");
		set_dead(card, vf, why);
	} else {
		set_alive(card, vf,
			  !f->owner[0] ? PCI_FUNCTION_FREE
			  : user       ? PCI_FUNCTION_USED
				       : PCI_FUNCTION_READY);
	}
}

bool pci_card_look_at_pf(struct pci_card *card)
{
	bool there = pci_bus_look(&card->root, card->conf.address, &card->pf);
	bool alive = there && card->pf.answers;

	if (alive && card->begun && !card->alive)
		pci_card_tell(card, PCI_CARD_PF, "alive", "%s is there again", card->conf.address);
	if (!alive && (card->alive || !card->begun))
		pci_card_tell(card, PCI_CARD_PF, "dead", "%s %s", card->conf.address,
			      there ? "does not answer" : "is gone");
	card->begun = true;
	card->alive = alive;
	return alive;
}

void pci_card_look(struct pci_card *card, const struct pci_users *users)
{
	pci_card_look_at_pf(card);
	for (unsigned vf = 0; vf < card->conf.vfs; vf++)
		pci_card_look_at_function(card, vf, users);
	card->told_vfs = card->alive && card->pf.vfs >= card->conf.vfs;
}

static int check_pf(struct pci_card *card, struct refusal *why)
{
	if (!card->pf.vfs_total)
		refuse(why, "", "%s has no SR-IOV%s", card->conf.address,
		       card->pf.pf[0] ? ": it is a virtual function itself" : "");
	else if (card->conf.vfs > card->pf.vfs_total)
		refuse(why, "", "%s has %u virtual functions at most, not %u", card->conf.address,
		       card->pf.vfs_total, card->conf.vfs);
	else
		return 0;
	return -EINVAL;
}

static void begin_record(struct pci_card *card)
{
	snprintf(card->record.site, sizeof card->record.site, "%s", card->conf.site);
	snprintf(card->record.pf, sizeof card->record.pf, "%s", card->conf.address);
}

int pci_card_begin(struct pci_card *card, struct refusal *why)
{
	bool found = card->recorded;
	int err;

	begin_record(card);
	if (!pci_card_look_at_pf(card)) {
		refuse(why, "", "%s is gone or does not answer", card->conf.address);
		err = -ENODEV;
	} else {
		err = check_pf(card, why);
		/* Another number is somebody else's work. */
		if (card->pf.vfs && card->pf.vfs != card->record.vfs)
			card->record.made = false;
		if (!err && card->pf.vfs < card->conf.vfs)
			err = pci_card_make_vfs(card, why);
		else if (!err)
			err = pci_card_restore_autoprobe(card, why);
		if (!err && !card->recorded)
			card->record.vfs = card->pf.vfs;
	}
	if (!err && found && card->record.function_count)
		pci_card_tell(card, PCI_CARD_PF, "resumed", "%u functions of %s were taken before",
			      card->record.function_count, card->conf.address);
	card->conf.hand->users(card->conf.hand->owner, &card->users);
	pci_card_look(card, &card->users);
	return err;
}

bool pci_card_is_alive(const struct pci_card *card)
{
	return card->alive;
}

const struct pci_bus_function *pci_card_pf(const struct pci_card *card)
{
	return &card->pf;
}

const struct pci_card_function *pci_card_function(const struct pci_card *card, unsigned vf)
{
	must(vf < card->conf.vfs);
	return &card->function[vf];
}

unsigned pci_card_vfs(const struct pci_card *card)
{
	return card->conf.vfs;
}

/* VFs go only when nobody has one, and only those that we made.  A card that is gone took them
 * along. */
static bool vfs_are_away(struct pci_card *card)
{
	struct refusal why = { 0 };

	if (!card->record.made || !pci_card_look_at_pf(card) || !card->pf.vfs)
		return true;
	if (pci_card_set_vfs(card, 0, &why) != 0) {
		pci_card_tell(card, PCI_CARD_PF, "left", "%s", why.text);
		return false;
	}
	return true;
}

void pci_card_close(struct pci_card *card, enum pci_card_end end)
{
	if (!card)
		return;
	if (end == PCI_CARD_RELEASE && card->recorded) {
		for (unsigned vf = 0; vf < card->conf.vfs; vf++)
			card->function[vf].owner[0] = '\0';
		pci_card_sweep(card);
		if (card->record.function_count == 0 && vfs_are_away(card))
			pci_record_remove(card->conf.hand, card->record_path);
	}
	unlink(card->lock_path); /* while it is ours: whoever waits looks again */
	close(card->lock);
	free(card);
}
