/* fabric/spread.h -- which worker polls which card.
 *
 * A worker that hangs takes all its cards with it.  So cards that stand in for each other get different
 * workers as far as there are enough, whatever their order in the file; beyond that, workers get
 * as many cards each.  Deterministic: the same site gives the same workers.
 *
 * Threads: any.  Memory: the caller's struct, a megabyte or so. */
#ifndef FABRIC_SPREAD_H
#define FABRIC_SPREAD_H

#include "fabric/site.h"

enum {
	SITE_SPREAD_WORKERS_MAX = 1024,
	SITE_SPREAD_MEMBERS = SITE_GROUPS_MAX * SITE_GROUP_CARDS_MAX,
	SITE_SPREAD_NONE = 0xffff, /* no card, no worker */
};

struct site_worker_spread {
	unsigned cards, workers;
	uint16_t worker[SITE_CARDS_MAX];       /* of each card, in the order of the file */
	/* the rest is on the way there: member k of group g is at g * SITE_GROUP_CARDS_MAX + k */
	uint16_t card[SITE_SPREAD_MEMBERS];
	uint32_t next[SITE_SPREAD_MEMBERS];    /* the next membership of the same card, + 1; 0: none */
	uint32_t first[SITE_CARDS_MAX];        /* the first one, + 1; 0: none */
	uint16_t queue[SITE_CARDS_MAX];
	unsigned load[SITE_SPREAD_WORKERS_MAX];
	unsigned clashes[SITE_SPREAD_WORKERS_MAX];
};

/* Gives each card of a checked site one of 'workers', 1 to SITE_SPREAD_WORKERS_MAX. */
void site_spread_workers(struct site_worker_spread *spread, const struct site *site, unsigned workers);

/* Whether two cards of a group that stand in for each other have one worker after all: their indexes within
 * the group. */
bool site_spread_clashes(const struct site_worker_spread *spread, const struct site *site, unsigned group,
			 unsigned *a, unsigned *b);

#endif
