/* avail/cycle.h -- whether a gate or a parameter of a model depends on itself.
 *
 * Threads: one.  Memory: scratch from the model's, given back. */
#ifndef AVAIL_CYCLE_H
#define AVAIL_CYCLE_H

#include "avail/model.h"

/* Expressions are evaluated recursively, parameters included; this is how deep. */
enum { AVAIL_NESTING_MAX = 1000 };

/* All references of the model lead somewhere.  0, -ENOMEM, or -EINVAL with 'why' and 'where': a cycle,
 * written out from the first thing that has a name ("a -> b -> a"), or an expression nested too deep. */
int avail_cycle_check(const struct avail_model *model, struct refusal *why,
		      struct avail_where *where);

#endif
