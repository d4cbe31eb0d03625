/* avail/flatten.h -- from a model to what the exact engine takes: common-cause groups become events of
 * their own, house events constants, gates a tree; and each event of that tree gets its numbers.
 *
 * What standby, coverage and crews say is not in a tree; dynamic.h has those.
 *
 * Threads: one.  Memory: of the model. */
#ifndef AVAIL_FLATTEN_H
#define AVAIL_FLATTEN_H

#include "avail/expression.h"
#include "avail/tree.h"

/* What an event of the tree is in the model: an event, or one combination of a common-cause group. */
struct avail_leaf {
	char name[96];          /* "pump1", or "[pump1 pump2]" */
	uint32_t event;         /* of the model; AVAIL_NONE: a combination */
	uint32_t ccf, level;    /* of the combination */
	uint32_t fru;           /* or AVAIL_NONE */
};

struct avail_flat {
	const struct avail_model *model;
	struct avail_tree tree;
	struct avail_leaf *leaves; /* one an event of the tree */
	uint32_t leaf_count;
	uint32_t *gate_refs;       /* of the tree, one a gate of the model; AVAIL_NO_REF: not needed */
};

/* Flattens what 'tops' (count of them) depend on.  refs receives the tree's reference of each.
 * The model has been checked.  0, or -ENOMEM. */
int avail_flatten(struct avail_flat *flat, const struct avail_model *model,
		  const struct avail_term *tops, uint32_t count, uint32_t *refs);
void avail_flat_fini(struct avail_flat *flat);

/* The numbers of a leaf in this draw. */
struct avail_figures {
	double unavailability; /* steady state; of PROBABILITY: that; of UNREPAIRED: at the sample's time */
	double frequency;      /* failures an hour in the steady state; 0 for what has no rate */
	double failure_rate, repair_rate; /* an hour; 0: none */
};

/* 0, or -ERANGE with 'why' when a value is no probability or no rate. */
int avail_leaf_figures(const struct avail_flat *flat, uint32_t leaf, struct avail_sample *sample,
		       struct avail_figures *figures, struct refusal *why);

/* Probability that the leaf is failed at time t, having worked at time 0. */
int avail_leaf_at(const struct avail_flat *flat, uint32_t leaf, struct avail_sample *sample,
		  double t_h, double *unavailability, struct refusal *why);

#endif
