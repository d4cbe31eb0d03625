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

/* What an event of the tree is in the model: an event, or one combination of members of a common-cause
 * group that fail together. */
struct avail_leaf {
	const char *name;       /* "pump1", or "[pump1 pump2]" */
	uint32_t event;         /* of the model; AVAIL_NONE: a combination */
	uint32_t ccf, level;    /* of the combination; AVAIL_NONE, 0: none */
	uint32_t first, count;  /* events of the model that fail with it: flat->members[...] */
	uint32_t fru;           /* of the one event; AVAIL_NONE: none, or several */
};

struct avail_flat {
	const struct avail_model *model;
	struct avail_tree tree;
	struct avail_leaf *leaves; /* one an event of the tree, in the order in which 'tops' reach them */
	uint32_t leaf_count, leaf_room;
	uint32_t *members;
	uint32_t member_count, member_room;
	char *texts;               /* names of the combinations */
	size_t text_size, text_room;
	uint32_t *gate_refs;       /* of the tree, one a gate of the model; AVAIL_NO_REF: not needed */
	uint32_t *event_refs;      /* the same for its events; a member of a group is a gate of the tree */
};

/* Flattens what 'tops' (count of them) depend on.  refs receives the tree's reference of each.
 * The model has been checked, and stays as it is while there is a flat one.  0, or -ENOMEM. */
int avail_flatten(struct avail_flat *flat, const struct avail_model *model,
		  const struct avail_term *tops, uint32_t count, uint32_t *refs);
void avail_flat_fini(struct avail_flat *flat);

/* Whether a group has combinations of 'level' members, 1 .. count. */
bool avail_ccf_has_level(const struct avail_ccf *ccf, uint32_t level);

/* The share of the group's total that each combination of 'level' members has (Open-PSA format, chapter
 * "Common cause groups"; alpha factors as for tests that are not staggered). */
double avail_ccf_share(struct avail_sample *sample, uint32_t ccf, uint32_t level);

/* The numbers of a leaf in this draw. */
struct avail_figures {
	double unavailability; /* steady state; of PROBABILITY: that; of UNREPAIRED: at the sample's time */
	double frequency;      /* failures an hour in the steady state; 0 for what has no rate */
	double failure_rate, repair_rate; /* an hour; 0: none; repair_rate INFINITY: no time at all */
};

/* 0, or -ERANGE with 'why' when a value is no probability or no rate.  Only where the sample draws from
 * distributions, whose tails may reach beyond the range, is a value beyond it taken for its bound. */
int avail_leaf_figures(const struct avail_flat *flat, uint32_t leaf, struct avail_sample *sample,
		       struct avail_figures *figures, struct refusal *why);

/* Probability that the leaf is failed at time t, having worked at time 0; of PROBABILITY, its value at
 * mission time t.  The sample's time becomes t.  Results as avail_leaf_figures. */
int avail_leaf_at(const struct avail_flat *flat, uint32_t leaf, struct avail_sample *sample,
		  double t_h, double *unavailability, struct refusal *why);

#endif
