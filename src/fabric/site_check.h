/* fabric/site_check.h -- what a site file must satisfy beyond its schema: names that exist and are
 * unique, pools with enough functions, groups that can be spread as asked.
 *
 * Threads: any.  Memory: none kept. */
#ifndef FABRIC_SITE_CHECK_H
#define FABRIC_SITE_CHECK_H

#include "base/refusal.h"
#include "fabric/site.h"

/* Receives one finding: path as "systems[2].io[0].pool", text with what is wrong and what is
 * allowed.  Called in the order of the file, as often as there are findings. */
typedef void site_finding_fn(void *arg, const struct refusal *finding);

/* Reports every violation; returns how many there were.  With groups whose cards are still to be chosen
 * (fabric/choice.h) whether functions suffice is not looked at yet. */
unsigned site_check(const struct site *site, site_finding_fn *report, void *arg);

#endif
