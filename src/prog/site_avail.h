/* prog/site_avail.h -- the running site's availability: by design, and as it stands with the cards that are out
 * now.
 *
 * Calculated on the event loop's pool, never on the control thread; what is asked meanwhile is the last
 * result.  A change of the figure is an event of the site.  A calculation is followed by a rest, so that a card
 * that flaps does not keep the pool busy and the events full.
 *
 * Threads: control.  Memory: allocated; the calculation has AVAIL_MEMORY_BYTES at most. */
#ifndef PROG_SITE_AVAIL_H
#define PROG_SITE_AVAIL_H

#include "prog/site_run.h"
#include "tree/tree.h"

enum {
	SITE_AVAIL_MEMORY_BYTES = 256 << 20,
	SITE_AVAIL_SECONDS = 10,       /* for one service, at most */
	SITE_AVAIL_REST_MS = 5000,
	SITE_AVAIL_COSTS_SYSTEMS = 64, /* with more systems, only the site's own costs are worked out */
};

struct site_avail;

/* Begins the first calculation.  0, or -ENOMEM. */
int site_avail_create(struct site_avail **avail, struct site_run *run);

/* Ends a calculation that is going on, without its result; the loop has to turn until it has ended.  NULL is
 * nothing. */
void site_avail_destroy(struct site_avail *avail);

/* Something happened at the site: begins a calculation when other cards are out than in the last one, at once or
 * after the rest. */
void site_avail_look(struct site_avail *avail);

/* The services: the systems in the order of the file, then the site as a whole. */
unsigned site_avail_count(const struct site_avail *avail);
const char *site_avail_name(const struct site_avail *avail, unsigned index);
void site_avail_describe(const struct site_avail *avail, unsigned index, struct tree_out *out);

#endif
