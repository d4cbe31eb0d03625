/* avail/graph.h -- the flat tree with its standby groups brought into the form that dynamic.h describes, and
 * which leaves cannot be looked at one by one; inside avail/.
 *
 * A group becomes OR(what all members have in common, group gate over what is left of each).  Leaves that
 * share a crew with too few hands or take part in one group are coupled; coupled leaves make a module.
 *
 * Threads: one.  Memory: of the model. */
#ifndef AVAIL_GRAPH_H
#define AVAIL_GRAPH_H

#include "avail/flatten.h"
#include "avail/room.h"

struct avail_graph {
	const struct avail_model *model;
	struct avail_memory *memory;
	struct avail_flat flat;   /* of the tops and whatever else matters to them */
	struct avail_tree tree;   /* with groups in the form above; gates may be added */
	struct avail_list group;  /* one a node of tree, as far as it was when built: the standby; or AVAIL_NONE */
	struct avail_list tops;   /* references in 'tree' */
	uint32_t leaf_count, module_count;
	uint32_t *crew_of;        /* of each leaf: a crew of the model whose hands do not suffice, or NONE */
	uint32_t *module_of;      /* of each leaf: its module, or AVAIL_NONE */
};

/* model   checked, kept.  0, or -ENOMEM. */
int avail_graph_init(struct avail_graph *graph, const struct avail_model *model,
		     const struct avail_term *tops, uint32_t count);
void avail_graph_fini(struct avail_graph *graph);

/* The standby of a node that is a group gate, or AVAIL_NONE. */
static inline uint32_t avail_graph_group(const struct avail_graph *graph, uint32_t node)
{
	return node < graph->group.count ? graph->group.items[node] : AVAIL_NONE;
}

/* Whether a standby says more than its gate. */
bool avail_standby_matters(const struct avail_standby *standby);

/* Appends to 'terms' what 'ref' is the OR of (itself, when it is none), each once; group gates stay whole.
 * 0, or -ENOMEM. */
int avail_graph_terms(const struct avail_graph *graph, uint32_t ref, struct avail_list *terms);

/* Appends the leaves below 'ref', in the order of mention, each once.  marks: one a node and 0;
 * what was seen becomes 1.  0, or -ENOMEM. */
int avail_graph_leaves(const struct avail_graph *graph, uint32_t ref, uint8_t *marks,
		       struct avail_list *leaves);

#endif
