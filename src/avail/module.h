/* avail/module.h -- which gates of a simplified tree are modules: gates below which nothing is used
 * from elsewhere, so that the rest of the tree sees one event there (Dutuit and Rauzy 1996, linear
 * time).
 *
 * Threads: one.  Memory: the caller's. */
#ifndef AVAIL_MODULE_H
#define AVAIL_MODULE_H

#include "avail/tree.h"

/* is_module: one a node; receives 1 for a gate that is a module, 'top' too, when it is a gate.
 * 0, or -ENOMEM. */
int avail_modules(const struct avail_tree *tree, uint32_t top, uint8_t *is_module);

#endif
