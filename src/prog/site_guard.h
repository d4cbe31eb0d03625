/* prog/site_guard.h -- the remapping units of the running site: one a host, with a domain for each interface that
 * reaches memory.  An interface is heard under the requester ID that its function has in the tree of its
 * system's host (`midplane host lspci`).
 *
 * Threads: control.  Memory: allocated in site_guard_create(), but for pages of tables. */
#ifndef PROG_SITE_GUARD_H
#define PROG_SITE_GUARD_H

#include "prog/site_run.h"
#include "tree/tree.h"

/* Brings the units up: before any guest can come, translation and interrupt remapping are on.  Placements are
 * made.  -errno with 'why'. */
int site_guard_create(struct site_run *run, struct refusal *why);
/* Every attachment has gone.  Without site_guard_create() it does nothing. */
void site_guard_destroy(struct site_run *run);

/* What the interface's front may reach; NULL for one that reaches no memory. */
struct iommu_domain *site_guard_domain(struct run_io *io);

/* The interface is member 'member' of its placement now, or none (-1).  With the holds of its card, as
 * nic_card_bind(). */
void site_guard_move(struct run_io *io, int member);

/* Bars the interface from everything, and lets it in again as the member that it is bound to. */
void site_guard_bar(struct run_io *io);
void site_guard_let_in(struct run_io *io);

/* The requester ID of a member of an interface's placement. */
uint16_t site_guard_rid(const struct run_io *io, unsigned member);

/* Puts what a host says of its unit; nothing when none of its interfaces reaches memory. */
void site_guard_describe(struct site_run *run, unsigned host, struct tree_out *out);

/* Puts a row of tree_mapping_columns for each range that a system's interfaces are granted, but no more than
 * SITE_GUARD_LISTED an interface; one that is granted nothing has a row as well. */
enum { SITE_GUARD_LISTED = 4096 };
void site_guard_list(struct site_run *run, const struct site_system *system, struct tree_out *out);

#endif
