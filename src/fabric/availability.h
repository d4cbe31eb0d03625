/* fabric/availability.h -- the availability model of a site: what fails in it, and what each
 * system's service depends on, from the site's own nesting and wiring.
 *
 *   system  <- its software, its host, its interfaces (all, or io_needed of them)
 *   host    <- the blade, its software, its chassis
 *   interface <- the members of its placement; a group of cards as one standby group
 *   member  <- card, its software, carrier, chassis of the card; a path to it from the host's
 * chassis chassis <- the chassis, and of each kind of its units more than count - needed
 *
 * A unit that many depend on is one event, so shared carriers, chassis, power and switches are
 * common causes without being drawn.
 *
 * Between two chassis one of the paths that connect them directly is enough; where the site names
 * none, the connection is taken as perfect, and said so.
 *
 * Threads: any.  Memory: the model's. */
#ifndef FABRIC_AVAILABILITY_H
#define FABRIC_AVAILABILITY_H

#include "avail/model.h"
#include "fabric/placement.h"
#include "fabric/reliability.h"

/* Whether groups are as they say, or as if all were hot, covered and quick, so that no chain is
 * needed. */
enum site_groups_as { SITE_GROUPS_AS_SAID, SITE_GROUPS_PLAIN };

/* Whether a group does nothing that a plain gate would not say. */
bool site_group_is_plain(const struct site_group *group);

/* Whether systems need their interfaces, or the model is of what they lose without any I/O failing.
 */
enum site_io_as { SITE_IO_AS_SAID, SITE_IO_PERFECT };

/* What else goes into the model. */
struct site_model_wants {
	const bool
		*card_failed; /* one a card of the site: out now, and not coming back; NULL: none */
	enum site_groups_as groups_as;
	enum site_io_as io_as;
};

/* What is to be known beside the model. */
struct site_model_notes {
	unsigned units;	   /* field-replaceable units, system software included */
	unsigned presumed; /* of them with figures that the file does not give */
	/* Chassis that systems' I/O passes between without a path in the file; the first pair. */
	unsigned perfect_ways;
	const char *perfect_from, *perfect_to;
	uint32_t site_top; /* true when any system is down; tops 0 .. systems - 1 are the systems */
};

/* Builds the model of a checked site with its placement.
 *
 * model    empty, from avail_model_init; tops: one a system in the order of the file, then "site";
 *          capacities: one a pool, in the order of the file
 * places   placement_count() rows of placement_make()
 * wants    NULL: nothing else
 *
 * 0, or -ENOMEM. */
int site_model_build(struct avail_model *model, const struct site *site,
		     const struct placement *places, const struct site_model_wants *wants,
		     struct site_model_notes *notes);

#endif
