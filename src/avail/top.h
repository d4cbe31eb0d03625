/* avail/top.h -- which tops a model has, and which one is meant.
 *
 * Threads: one.  Memory: of the model. */
#ifndef AVAIL_TOP_H
#define AVAIL_TOP_H

#include "avail/model.h"

/* Adds a top for each gate that has a name and that no other gate, capacity or top refers to, in
 * their order: what is meant by a model that names none.  0, or -ENOMEM. */
int avail_top_add_roots(struct avail_model *model);

/* Finds the top with this name; failing that, makes one of the gate, the event or the switch with
 * it.
 *
 * name   NULL: the model's only top
 * top    receives its index
 *
 * 0, -ENOMEM, or -EINVAL with 'why': there is none, or there are several, which are listed. */
int avail_top_find(struct avail_model *model, const char *name, uint32_t *top, struct refusal *why);

#endif
