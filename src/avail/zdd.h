/* avail/zdd.h -- zero-suppressed decision diagrams of families of sets (Minato 1993): a node is the sets of
 * its low edge, and those of its high edge with the node's element added.  AVAIL_FALSE is the empty family,
 * AVAIL_TRUE the family of the empty set; references carry no bit.
 *
 * As in bdd.h: AVAIL_DD_NONE is passed on, arguments must be pushed or reachable, results are not pushed. */
#ifndef AVAIL_ZDD_H
#define AVAIL_ZDD_H

#include "avail/dd.h"

uint32_t avail_zdd_make(struct avail_dd *dd, uint32_t level, uint32_t low, uint32_t high);

/* The sets of f that contain no set of g (Rauzy 1993). */
uint32_t avail_zdd_without(struct avail_dd *dd, uint32_t f, uint32_t g);

/* The sets of f that are not in g. */
uint32_t avail_zdd_difference(struct avail_dd *dd, uint32_t f, uint32_t g);

/* The sets of either. */
uint32_t avail_zdd_union(struct avail_dd *dd, uint32_t f, uint32_t g);

#endif
