/* fabric/site_lookup.h -- where the names of a checked site lead, looked up once for all of them.
 *
 * Threads: any.  Memory: the caller's, large; it points into the site. */
#ifndef FABRIC_SITE_LOOKUP_H
#define FABRIC_SITE_LOOKUP_H

#include "fabric/placement.h"

struct site_lookup {
	struct site_card_place cards[SITE_CARDS_MAX];
	unsigned host_chassis[SITE_HOSTS_MAX];
	unsigned system_host[SITE_IOS_MAX];
	unsigned path_ends[SITE_PATHS_MAX][2]; /* chassis */
	/* One a row of the placement; NULL: none. */
	const struct site_group *row_group[SITE_IOS_MAX];
};

/* Fills in as much as the site has.  places: placement_count() rows of placement_make(). */
void site_lookup_init(struct site_lookup *at, const struct site *site,
		      const struct placement *places);

#endif
