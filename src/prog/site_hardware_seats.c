/* Who gets which function. */
#include "prog/site_hardware_parts.h"

#include <errno.h>
#include <string.h>

#define MEGABIT UINT64_C(1000000)

static struct pci_card *pci_at(const struct hardware_seat *seat)
{
	return seat->hw->cards[seat->at.card].pci;
}

static bool is_taken(const struct site_hardware *hw, struct placement_function at,
		     const struct hardware_seat *but)
{
	for (unsigned i = 0; i < hw->seat_count; i++)
		if (&hw->seats[i] != but && hw->seats[i].at.card == at.card &&
		    hw->seats[i].at.vf == at.vf)
			return true;
	return false;
}

/* The cards of the seat's pool, by their index in the site. */
static const struct site_pool *pool_of(const struct hardware_seat *seat)
{
	const struct site *site = seat->hw->run->site;
	int pool = site_pool_find(site, seat->io->io->pool);

	must(pool >= 0);
	return &site->pools[pool];
}

static struct hardware_card *card_of_pool(const struct hardware_seat *seat,
					  const struct site_pool *pool, unsigned i)
{
	int card = site_card_find(seat->hw->run->site, pool->cards[i]);

	must(card >= 0);
	return &seat->hw->cards[card];
}

bool hardware_seat_find_former(struct hardware_seat *seat)
{
	const struct site_pool *pool = pool_of(seat);

	for (unsigned i = 0; i < pool->cards_count; i++) {
		struct hardware_card *card = card_of_pool(seat, pool, i);
		int vf = pci_card_had(card->pci, seat->owner);
		struct placement_function at = { card->index, (uint16_t)(vf + 1) };

		if (vf < 0 || is_taken(seat->hw, at, seat))
			continue;
		seat->at = at;
		return true;
	}
	return false;
}

int hardware_seat_find_place(struct hardware_seat *seat, struct refusal *why)
{
	const struct site_pool *pool = pool_of(seat);

	seat->at = seat->io->place->member[0];
	if (!is_taken(seat->hw, seat->at, seat))
		return 0;
	for (unsigned i = 0; i < pool->cards_count; i++) {
		struct hardware_card *card = card_of_pool(seat, pool, i);

		for (unsigned vf = 1; vf <= pci_card_vfs(card->pci); vf++) {
			seat->at = (struct placement_function){ card->index, (uint16_t)vf };
			if (!is_taken(seat->hw, seat->at, seat))
				return 0;
		}
	}
	refuse(why, "", "no function is left in pool '%s' for '%s'", pool->name, seat->owner);
	return -ENOSPC;
}

static struct vf_link link_of(const struct hardware_seat *seat, const struct pci_card *card)
{
	const struct site_io *io = seat->io->io;
	struct vf_link link = {
		.mac = seat->io->mac,
		.vlan = io->vlan,
		.rate_mbps = (uint32_t)(io->rate_bps / MEGABIT),
	};

	link.set = (io->mac || pci_card_pf(card)->interface[0] ? VF_LINK_MAC : 0u) |
		   (io->vlan ? VF_LINK_VLAN : 0u) | (link.rate_mbps ? VF_LINK_RATE : 0u);
	return link;
}

static int give_at(struct hardware_seat *seat, struct placement_function at, struct refusal *why)
{
	struct pci_card *card = seat->hw->cards[at.card].pci;
	struct vf_link link = link_of(seat, card);
	int err = pci_card_is_alive(card) ? pci_card_give(card, at.vf - 1u, seat->owner, &link, why)
					  : -ENODEV;

	seat->given = !err;
	if (!err)
		seat->at = at;
	return err;
}

/* Another one of its pool, which lives and nobody is to have.  -ENODEV: there is none. */
static int give_another(struct hardware_seat *seat)
{
	const struct site_pool *pool = pool_of(seat);

	for (unsigned i = 0; i < pool->cards_count; i++) {
		struct hardware_card *card = card_of_pool(seat, pool, i);

		for (unsigned vf = 1; vf <= pci_card_vfs(card->pci); vf++) {
			struct placement_function at = { card->index, (uint16_t)vf };

			if (!is_taken(seat->hw, at, seat) &&
			    pci_card_function(card->pci, vf - 1)->state == PCI_FUNCTION_FREE &&
			    give_at(seat, at, NULL) == 0)
				return 0;
		}
	}
	return -ENODEV;
}

/* Its function is not to be had for now, and no other. */
static void say_why(struct hardware_seat *seat, int err, const struct hardware_card *own,
		    const char *below, struct refusal *why)
{
	if (err == -ENODEV)
		refuse(why, "", "no function of its pool lives");
	else
		refuse(why, "",
		       "card '%s': '%s' cannot have its function, and its pool has no other: %s",
		       own->name, seat->owner, below);
}

int hardware_seat_fill(struct hardware_seat *seat, struct refusal *why)
{
	struct placement_function at = seat->at;
	struct hardware_card *own = &seat->hw->cards[at.card];
	struct refusal below = { 0 };
	int err = give_at(seat, at, &below);

	if (err && err != -ENODEV && err != -EBUSY && err != -ENOLINK)
		refuse(why, "", "card '%s': '%s' cannot have its function: %s", own->name,
		       seat->owner, below.text);
	else if (err && give_another(seat) == 0) {
		pci_card_disown(own->pci, at.vf - 1u);
		hardware_tell_of_io(seat->hw, seat, "reassigned",
				    "not %s/vf%u, but %s/vf%u: %.100s", own->name, at.vf,
				    seat->hw->cards[seat->at.card].name, seat->at.vf,
				    below.text[0] ? below.text : "its card is dead");
		return 0;
	} else if (err) {
		say_why(seat, err, own, below.text, why);
	}
	return err;
}

/* A function that is silent once may be in a reset. */
void hardware_seat_mend(struct hardware_seat *seat)
{
	bool dead = pci_card_function(pci_at(seat), seat->at.vf - 1u)->state == PCI_FUNCTION_DEAD;
	bool was_given = seat->given;
	struct refusal why = { 0 };
	int err;

	if (!dead && !seat->given && pci_card_function(pci_at(seat), seat->at.vf - 1u)->owner[0])
		seat->given = true; /* what it had is there again */
	seat->dead_looks = dead || !seat->given ? seat->dead_looks + 1 : 0;
	if (seat->dead_looks < HARDWARE_DEAD_LOOKS || seat->dead_looks > HARDWARE_MENDS_MAX)
		return;
	err = hardware_seat_fill(seat, &why);
	seat->why = why;
	if (err && was_given)
		hardware_tell_of_io(seat->hw, seat, "unplugged", "%s", why.text);
	if (!err)
		seat->dead_looks = 0;
	else if (err == -ENOLINK) /* which may take its time to come */
		seat->dead_looks = HARDWARE_DEAD_LOOKS - 1;
}
