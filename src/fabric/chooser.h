/* fabric/chooser.h -- the inside of choosing members: one candidate, and which of two is better.
 *
 * Only for choice.c and chooser.c.  Threads: any.  Memory: of site_choose's caller. */
#ifndef FABRIC_CHOOSER_H
#define FABRIC_CHOOSER_H

#include "fabric/availability.h"
#include "fabric/choice.h"

/* Candidates that are judged once more with what standby and coverage say. */
enum { SITE_SHORT_LIST = 8 };

/* What is judged: how much more unavailable what uses the group is than without any failure of I/O.
 */
struct site_verdict {
	double loss;   /* SITE_NO_ROOM: functions do not suffice */
	unsigned load; /* functions that its cards carry */
};

enum { SITE_NO_ROOM = 2 };

/* One choice: positions in the pool's list. */
struct site_candidate {
	unsigned at[SITE_GROUP_CARDS_MAX];
	struct site_verdict verdict;
};

struct site_chooser {
	struct site *site;
	struct avail_memory *memory;
	struct placement *rows;
	unsigned row_count;
	struct refusal *why;
	/* of the group at hand */
	struct site_choice *choice;
	struct site_group *group;
	const struct site_pool *pool;
	struct site_card_place cards[SITE_CARDS_MAX]; /* of the pool, in its order */
	unsigned card_index[SITE_CARDS_MAX];
	enum site_groups_as as;
	double without_io;
	double enough;				     /* losses up to this count as equal */
	struct site_verdict *verdicts;		     /* of all choices, in their order */
	struct site_candidate best[SITE_SHORT_LIST]; /* the best first */
	unsigned best_count, looked_at;
	unsigned judged; /* of all groups together */
};

/* Makes the candidate's cards those of the group. */
void site_chooser_put_in(const struct site_chooser *c, const struct site_candidate *candidate);

/* Whether any interface of the rows is of the group. */
bool site_chooser_is_used(const struct site_chooser *c);

/* Unavailability of what uses the group, with the rows as they are.  0, or -ENOMEM. */
int site_chooser_solve(const struct site_chooser *c, const struct site_model_wants *wants,
		       double *figure);

/* Fills in the verdict.  0, or -ENOMEM. */
int site_chooser_judge(struct site_chooser *c, struct site_candidate *candidate);

/* Whether both have the same cards in the same places; in whatever places. */
bool site_candidates_are_same(const struct site_chooser *c, const struct site_candidate *a,
			      const struct site_candidate *b);
bool site_candidates_share_cards(const struct site_chooser *c, const struct site_candidate *a,
				 const struct site_candidate *b);

/* Puts it on the list of the best, if it belongs there; of equal ones the first stays first. */
void site_chooser_keep(struct site_chooser *c, const struct site_candidate *candidate);

/* Judges and keeps.  0, or -ENOMEM. */
int site_chooser_try(struct site_chooser *c, const struct site_candidate *candidate);

#endif
