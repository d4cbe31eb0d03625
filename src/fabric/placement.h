/* fabric/placement.h -- which function of which card each interface gets.
 *
 * Deterministic: the same site gives the same placement.  An interface with a redundancy group gets
 * a function on every card that may carry it, the active one first.  Groups are balanced: half of
 * the interfaces of a 1+1 group are active on each card unless the group reverts to its preferred
 * card; those of an N+M group take turns on the N cards and have functions on all M standby cards.
 * Others go to the card of their pool with the most free functions.
 *
 * Served first are the interfaces with a group, which have no choice; then the others, those of pools
 * with few cards before those of pools with many, in the order of the file.  When any two pools are
 * disjoint, equal or nested, that finds a placement if there is one; pools that overlap otherwise may
 * be refused although a cleverer choice existed.
 *
 * Threads: any.  Memory: the caller's array. */
#ifndef FABRIC_PLACEMENT_H
#define FABRIC_PLACEMENT_H

#include "base/refusal.h"
#include "fabric/site.h"

enum { PLACEMENT_MEMBERS_MAX = 1 + SITE_STANDBYS_MAX };

/* A function: 'card' counts the cards of the site in the order of the file. */
struct placement_function {
	unsigned card;
	uint16_t vf; /* 1.. */
};

struct placement {
	unsigned system, io;    /* indexes into the site */
	unsigned member_count;  /* 1; 2 with redundancy 1+1; 1 + M with N+M */
	struct placement_function member[PLACEMENT_MEMBERS_MAX]; /* [0] is active at start */
};

/* Number of interfaces of the site: how many rows 'rows' must have. */
unsigned placement_count(const struct site *site);

/* Fills a row for each interface, in the order of the file.  Names that do not exist are for site_check
 * to refuse; here they must.  0, or -ENOSPC with 'why' naming the pool and the interface that found
 * no function. */
int placement_make(const struct site *site, struct placement *rows, struct refusal *why);

/* The n-th card of the site, with its chassis and carrier; NULL past the end. */
struct site_card_place {
	const struct site_card *card;
	const struct site_carrier *carrier;
	const struct site_chassis *chassis;
};
bool site_card_at(const struct site *site, unsigned n, struct site_card_place *place);
/* All cards in order: begin with zeros; false past the end. */
struct site_card_walk {
	unsigned chassis, carrier, card; /* where the next one is looked for */
};
bool site_card_next(const struct site *site, struct site_card_walk *walk,
		    struct site_card_place *place);
unsigned site_card_count(const struct site *site);
/* Index of the card with this name, or -1. */
int site_card_find(const struct site *site, const char *name);
/* Index of the pool with this name, or -1. */
int site_pool_find(const struct site *site, const char *name);

#endif
