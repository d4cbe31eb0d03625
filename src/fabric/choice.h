/* fabric/choice.h -- chooses the members of redundancy groups that name a pool instead of cards:
 * those with which the systems that use the group are available most, by the exact engine (avail/).
 *
 * For each group all choices that its spread allows are looked at, when they are at most
 * SITE_CHOICES_MAX; else, from a first one, exchanges of single cards as long as they help.  A
 * choice is judged by what it loses: how much more probable it is that any system that uses the
 * group is down than if no I/O failed.  Of all that lose at most 5 % more than the least, that
 * whose cards carry the fewest functions, so that groups do not all choose the same cards; then
 * what loses least, then the first in the order of the pool.  Where groups say more than a gate can
 * (coverage, standby, switch-over), those that are best without that are judged once more with it.
 * Groups are chosen one after the other, in the order of the file, again and again until none
 * changes (SITE_CHOICE_ROUNDS at most).  The same site gives the same choice.
 *
 * Threads: any.  Memory: the caller's. */
#ifndef FABRIC_CHOICE_H
#define FABRIC_CHOICE_H

#include "avail/memory.h"
#include "base/refusal.h"
#include "fabric/site.h"

enum {
	SITE_CHOICES_MAX = 4096,
	SITE_CHOICE_ROUNDS = 3,
	SITE_CHOICE_TRIALS_MAX =
		50000, /* of all groups together; later ones keep their first choice */
	SITE_CHOICE_TEXT_SIZE = 400,
};

/* What was chosen for one group, and why. */
struct site_choice {
	unsigned group;
	char *cards[SITE_GROUP_CARDS_MAX]; /* names, of the pool */
	double loss; /* unavailability that it adds to what uses the group; NAN: no system does */
	double next; /* of the best other one looked at; NAN: there is none */
	char *next_cards[SITE_GROUP_CARDS_MAX];
	unsigned looked_at; /* 0: none, for SITE_CHOICE_TRIALS_MAX was reached */
	bool all;	    /* every choice that the spread allows was looked at */
};

/* Whether a group waits for its members to be chosen. */
bool site_group_is_open(const struct site_group *group);
unsigned site_open_groups(const struct site *site);

/* Chooses for every open group of a site that passed site_check.
 *
 * choices   site_open_groups() rows; afterwards the cards of each group are those of its row
 *
 * 0; -ENOMEM; or -ENOSPC with 'why': functions do not suffice, whatever is chosen. */
int site_choose(struct site *site, struct avail_memory *memory, struct site_choice *choices,
		struct refusal *why);

/* The choice in words: "nic0 and nic3, best of 15 choices ...". */
void site_choice_text(const struct site *site, const struct site_choice *choice,
		      char text[SITE_CHOICE_TEXT_SIZE]);

#endif
