/* No outage in a time: exactly where what can end the mission falls into parts that a chain or a
 * diagram can hold, between bounds elsewhere. */
#include "avail/measures.h"
#include "avail/service.h"

#include <errno.h>
#include <math.h>

/* A part: some arguments of the top's OR that share leaves, and nothing with the others. */
struct part {
	struct avail_list terms, leaves;
};

struct parting {
	struct avail_service *service;
	struct avail_graph *graph;
	struct avail_sample *sample;
	struct refusal *why;
	double t_h;
	struct avail_list terms;
	struct part *parts;
	uint32_t part_count;
	uint32_t *parent; /* of each term: another of its part */
	uint32_t *owner;  /* of each leaf: the first term that has it; AVAIL_NONE */
	/* result */
	double log_survival; /* of the parts so far: the logarithm of the probability; and its
				bounds */
	double log_least, log_most;
	double outside;	 /* rate of those that are exponential */
	double at_start; /* probability that none of those without a rate is failed */
	uint32_t chains; /* parts that have one */
	uint32_t states;
	double chain_mean;    /* of the one chain there is */
	struct part *chained; /* that one */
	bool mean_is_known;
	bool exact; /* whether all chains hold all their states */
};

/* ---- parts ---- */

static uint32_t find(uint32_t *parent, uint32_t term)
{
	while (parent[term] != term)
		term = parent[term] = parent[parent[term]];
	return term;
}

/* Notes that 'term' has this leaf and, as they are coupled, all of its module. */
static void own_leaf(struct parting *parting, uint32_t term, uint32_t leaf)
{
	if (parting->owner[leaf] == AVAIL_NONE)
		parting->owner[leaf] = term;
	else
		parting->parent[find(parting->parent, term)] =
			find(parting->parent, parting->owner[leaf]);
}

static int own_leaves(struct parting *parting, uint32_t term, uint8_t *marks,
		      struct avail_list *leaves)
{
	const struct avail_graph *graph = parting->graph;
	const struct avail_dynamic *dynamic = parting->service->dynamic;
	int err;

	memset(marks, 0, graph->tree.node_count);
	leaves->count = 0;
	err = avail_graph_leaves(graph, parting->terms.items[term], marks, leaves);
	for (uint32_t i = 0; i < leaves->count && !err; i++) {
		uint32_t leaf = leaves->items[i], module = graph->module_of[leaf];

		own_leaf(parting, term, leaf);
		if (module == AVAIL_NONE)
			continue;
		for (uint32_t k = 0; k < dynamic->modules[module].leaves.count; k++)
			own_leaf(parting, term, dynamic->modules[module].leaves.items[k]);
	}
	return err;
}

static int gather_parts(struct parting *parting)
{
	const struct avail_graph *graph = parting->graph;
	uint32_t count = parting->terms.count, *number;
	int err = 0;

	number = avail_take(graph->memory, (size_t)count + 1, sizeof *number);
	if (!number)
		return -ENOMEM;
	for (uint32_t i = 0; i < count && !err; i++) {
		uint32_t head = find(parting->parent, i);

		if (number[head] == 0)
			number[head] = ++parting->part_count;
		if (!avail_list_add(&parting->parts[number[head] - 1].terms,
				    parting->terms.items[i]))
			err = -ENOMEM;
	}
	for (uint32_t leaf = 0; leaf < graph->leaf_count && !err; leaf++) {
		uint32_t owner = parting->owner[leaf];

		if (owner != AVAIL_NONE &&
		    !avail_list_add(
			    &parting->parts[number[find(parting->parent, owner)] - 1].leaves, leaf))
			err = -ENOMEM;
	}
	avail_give(graph->memory, number, (size_t)count + 1, sizeof *number);
	return err;
}

static int split(struct parting *parting)
{
	struct avail_graph *graph = parting->graph;
	struct avail_list leaves = { .memory = graph->memory };
	uint32_t nodes = graph->tree.node_count;
	uint8_t *marks = avail_take(graph->memory, nodes, 1);
	int err = marks ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < parting->terms.count && !err; i++)
		parting->parent[i] = i;
	for (uint32_t i = 0; i < graph->leaf_count && !err; i++)
		parting->owner[i] = AVAIL_NONE;
	for (uint32_t i = 0; i < parting->terms.count && !err; i++)
		err = own_leaves(parting, i, marks, &leaves);
	if (!err)
		err = gather_parts(parting);
	avail_give(graph->memory, marks, nodes, 1);
	avail_list_fini(&leaves);
	return err;
}

/* ---- one part ---- */

/* One part more survives with a probability between two bounds. */
static void survive(struct parting *parting, double least, double value, double most)
{
	parting->log_least += least;
	parting->log_survival += value;
	parting->log_most += most;
}

static void survive_alike(struct parting *parting, double log_survival)
{
	survive(parting, log_survival, log_survival, log_survival);
}

/* A single leaf that is not coupled with others. */
static bool is_single(const struct parting *parting, const struct part *part)
{
	const struct avail_graph *graph = parting->graph;
	uint32_t term = part->terms.items[0];

	return part->terms.count == 1 && part->leaves.count == 1 && !(term & 1) &&
	       graph->tree.nodes[avail_node_of(term)].event != AVAIL_NO_EVENT &&
	       graph->module_of[part->leaves.items[0]] == AVAIL_NONE;
}

static int survive_single(struct parting *parting, uint32_t leaf)
{
	struct avail_figures figures;
	int err = avail_leaf_figures(&parting->graph->flat, leaf, parting->sample, &figures,
				     parting->why);

	if (err)
		return err;
	if (avail_leaf_is_frozen(&parting->graph->flat, leaf)) {
		survive_alike(parting, log1p(-figures.unavailability));
		parting->at_start *= 1 - figures.unavailability;
	} else {
		survive_alike(parting, -figures.failure_rate * parting->t_h);
		parting->outside += figures.failure_rate;
	}
	return 0;
}

/* All terms of a part as one function of the graph. */
static uint32_t part_ref(struct parting *parting, const struct part *part)
{
	return part->terms.count == 1 ? part->terms.items[0]
				      : avail_tree_gate(&parting->graph->tree, AVAIL_OR, 0, 0,
							part->terms.items, part->terms.count);
}

/* Probability of output 0, by one of the knot's vectors. */
static double outcome_sum(const struct avail_knot *knot, const double *outcomes)
{
	double sum = 0;

	for (uint32_t i = 0; i < knot->outcomes.count; i++)
		if (knot->outcomes.values[(size_t)i * knot->outcomes.width])
			sum += outcomes[i];
	return fmin(sum, 1);
}

/* Opens the chain of a part that ends with the first outage.  *exact: whether it fits the budget.
 */
static int open_chain(struct parting *parting, const struct part *part, struct avail_knot *knot,
		      bool *exact)
{
	struct avail_list output = { .memory = parting->graph->memory };
	struct avail_knot_wants wants = { .leaves = &part->leaves,
					  .outputs = &output,
					  .ends = AVAIL_STOP_AT_FIRST,
					  .budget = &parting->service->budget.chains };
	uint32_t ref = part_ref(parting, part);
	int err = ref != AVAIL_NO_REF && avail_list_add(&output, ref) ? 0 : -ENOMEM;

	if (!err)
		err = avail_knot_init(knot, parting->graph, &wants);
	*exact = !err && knot->state == AVAIL_MODULE_EXACT;
	avail_list_fini(&output);
	return err;
}

/* Whether no leaf of a part is ever repaired, and none is coupled. */
static bool is_unrepaired(const struct parting *parting, const struct part *part)
{
	const struct avail_rates *rates = &parting->service->dynamic->rates;

	for (uint32_t i = 0; i < part->leaves.count; i++) {
		uint32_t leaf = part->leaves.items[i];

		if (parting->graph->module_of[leaf] != AVAIL_NONE || rates->repair[leaf] > 0)
			return false;
	}
	return true;
}

/* 0; -EDQUOT: it does not fit, or only in part where a diagram holds all of it. */
static int survive_chain(struct parting *parting, struct part *part)
{
	const struct avail_when when = { .kind = AVAIL_AT_TIME, .t_h = parting->t_h };
	struct avail_knot knot;
	bool exact;
	int err = open_chain(parting, part, &knot, &exact);

	if (err)
		return err;
	err = knot.state == AVAIL_MODULE_BEYOND || (!exact && is_unrepaired(parting, part))
		      ? -EDQUOT
		      : avail_knot_evaluate(&knot, &parting->service->dynamic->rates, &when);
	if (!err) {
		survive(parting, log1p(-fmin(outcome_sum(&knot, knot.upper) + knot.beyond, 1)),
			log1p(-outcome_sum(&knot, knot.value)),
			log1p(-outcome_sum(&knot, knot.lower)));
		parting->states = parting->states > knot.states ? parting->states : knot.states;
		parting->chained = part;
		parting->chains++;
		parting->exact &= exact;
		parting->mean_is_known &= exact;
	}
	avail_knot_fini(&knot);
	return err;
}

/* Whether the service's own diagram tells of each part: the others are false where nothing fails.
 */
static bool tells_of_parts(struct avail_service *service)
{
	return service->dynamic->module_count == 0 && avail_solver_is_exact(service->solver) &&
	       avail_solver_is_coherent(service->solver);
}

/* By the diagram that is there, with all that is not of the part perfect. */
static int survive_alone(struct parting *parting, const struct part *part)
{
	struct avail_service *service = parting->service;
	size_t events = (size_t)service->dynamic->tree.event_count + 1;
	double *p = avail_take(service->memory, events, sizeof *p);
	struct avail_bounds bounds;
	int err;

	if (!p)
		return -ENOMEM;
	for (uint32_t i = 0; i < part->leaves.count; i++)
		p[part->leaves.items[i]] = service->dynamic->p[part->leaves.items[i]];
	err = avail_solver_probability(service->solver, p, &bounds);
	if (!err)
		survive_alike(parting, log1p(-bounds.value));
	parting->mean_is_known = false;
	avail_give(service->memory, p, events, sizeof *p);
	return err;
}

/* What is never repaired and coherent has had its outage when it is down. */
static int survive_diagram(struct parting *parting, const struct part *part)
{
	struct avail_service *service = parting->service;
	struct avail_solver *solver;
	struct avail_bounds bounds;
	uint32_t ref = part_ref(parting, part);
	int err = ref == AVAIL_NO_REF
			  ? -ENOMEM
			  : avail_solver_open(&solver, service->memory, &parting->graph->tree, ref,
					      &service->budget.diagram);

	if (err)
		return err;
	err = avail_solver_is_exact(solver) && avail_solver_is_coherent(solver) ? 0 : -EDQUOT;
	/* Leaves of the graph's tree are the first events of the dynamic's. */
	if (!err)
		err = avail_solver_probability(solver, service->dynamic->p, &bounds);
	if (!err)
		survive_alike(parting, log1p(-bounds.value));
	parting->mean_is_known = false;
	avail_solver_close(solver);
	return err;
}

static int survive_large(struct parting *parting, const struct part *part)
{
	if (tells_of_parts(parting->service))
		return survive_alone(parting, part);
	/* All of it is the service's own function: another diagram would tell no more. */
	if (parting->part_count == 1 && parting->service->dynamic->module_count == 0)
		return -EDQUOT;
	return survive_diagram(parting, part);
}

/* A function without leaves. */
static int survive_constant(struct parting *parting, const struct part *part)
{
	const struct avail_tree *tree = &parting->graph->tree;
	size_t leaves = (size_t)parting->graph->leaf_count + 1;
	uint32_t nodes = tree->node_count;
	uint8_t *failed = avail_take(parting->graph->memory, leaves, 1);
	uint8_t *values = avail_take(parting->graph->memory, nodes, 1);
	int err = failed && values ? 0 : -ENOMEM;

	if (!err && avail_tree_value(tree, part->terms.items[0], failed, values)) {
		survive_alike(parting, -INFINITY);
		parting->at_start = 0;
	}
	avail_give(parting->graph->memory, failed, leaves, 1);
	avail_give(parting->graph->memory, values, nodes, 1);
	return err;
}

static int survive_part(struct parting *parting, struct part *part)
{
	int err;

	if (part->leaves.count == 0)
		return survive_constant(parting, part);
	if (is_single(parting, part))
		return survive_single(parting, part->leaves.items[0]);
	err = survive_chain(parting, part);
	if (err == -EDQUOT && is_unrepaired(parting, part))
		err = survive_large(parting, part);
	return err;
}

/* ---- mean time ---- */

/* Of exponential parts and at most one chain; several chains are taken as one, if that fits. */
static int find_mean(struct parting *parting, double *mean_h)
{
	struct part all = { .terms = { .memory = parting->graph->memory },
			    .leaves = { .memory = parting->graph->memory } };
	struct avail_knot knot;
	bool exact;
	int err = 0;

	*mean_h = NAN;
	if (!parting->mean_is_known)
		return 0;
	if (parting->chains == 0) {
		*mean_h = parting->outside > 0	  ? parting->at_start / parting->outside
			  : parting->at_start > 0 ? INFINITY
						  : 0;
		return 0;
	}
	for (uint32_t i = 0; i < parting->part_count && !err && parting->chains > 1; i++) {
		const struct part *part = &parting->parts[i];

		if (is_single(parting, part))
			continue;
		for (uint32_t k = 0; k < part->terms.count && !err; k++)
			if (!avail_list_add(&all.terms, part->terms.items[k]))
				err = -ENOMEM;
	}
	/* Leaves ascend. */
	for (uint32_t leaf = 0; leaf < parting->graph->leaf_count && !err && parting->chains > 1;
	     leaf++)
		for (uint32_t i = 0; i < parting->part_count && !err; i++)
			if (!is_single(parting, &parting->parts[i]) &&
			    avail_list_has(&parting->parts[i].leaves, leaf) &&
			    !avail_list_add(&all.leaves, leaf))
				err = -ENOMEM;
	if (!err)
		err = open_chain(parting, parting->chains > 1 ? &all : parting->chained, &knot,
				 &exact);
	if (!err) {
		if (exact)
			err = avail_knot_mean_time(&knot, &parting->service->dynamic->rates,
						   parting->outside, mean_h);
		*mean_h *= parting->at_start;
		avail_knot_fini(&knot);
	}
	avail_list_fini(&all.terms);
	avail_list_fini(&all.leaves);
	return err;
}

/* ---- exactly ---- */

static int take_parts(struct parting *parting)
{
	struct avail_memory *memory = parting->graph->memory;
	size_t count = (size_t)parting->terms.count + 1;

	parting->parts = avail_take(memory, count, sizeof *parting->parts);
	parting->parent = avail_take(memory, count, sizeof *parting->parent);
	parting->owner =
		avail_take(memory, (size_t)parting->graph->leaf_count + 1, sizeof *parting->owner);
	if (!parting->parts || !parting->parent || !parting->owner)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		parting->parts[i].terms.memory = parting->parts[i].leaves.memory = memory;
	return 0;
}

static void give_parts(struct parting *parting)
{
	struct avail_memory *memory = parting->graph->memory;
	size_t count = (size_t)parting->terms.count + 1;

	for (uint32_t i = 0; i < parting->part_count; i++) {
		avail_list_fini(&parting->parts[i].terms);
		avail_list_fini(&parting->parts[i].leaves);
	}
	avail_give(memory, parting->parts, count, sizeof *parting->parts);
	avail_give(memory, parting->parent, count, sizeof *parting->parent);
	avail_give(memory, parting->owner, (size_t)parting->graph->leaf_count + 1,
		   sizeof *parting->owner);
	avail_list_fini(&parting->terms);
}

/* 0, with the mission filled in; -EDQUOT: it cannot be said exactly. */
static int find_exactly(struct parting *parting, struct avail_mission *mission)
{
	struct avail_graph *graph = parting->graph;
	int err = avail_graph_terms(graph, graph->tops.items[0], &parting->terms);

	if (!err)
		err = take_parts(parting);
	if (!err)
		err = split(parting);
	for (uint32_t i = 0; i < parting->part_count && !err; i++)
		err = survive_part(parting, &parting->parts[i]);
	if (!err)
		err = find_mean(parting, &mission->mean_time_h);
	if (!err) {
		mission->quality = parting->exact ? AVAIL_EXACT : AVAIL_BOUNDS;
		mission->unreliability =
			(struct avail_bounds){ .lower = fabs(expm1(parting->log_most)),
					       .upper = fabs(expm1(parting->log_least)),
					       .value = fabs(expm1(parting->log_survival)),
					       .complement = exp(parting->log_survival) };
		mission->method = parting->chains ? "Markov chains of independent parts"
						  : "independent parts";
		mission->parts = parting->part_count;
		mission->states = parting->states;
	}
	give_parts(parting);
	return err;
}

/* ---- both ---- */

int avail_service_mission(struct avail_service *service, struct avail_sample *sample, double time_h,
			  struct avail_mission *mission, struct refusal *why)
{
	struct avail_sample *draw = avail_service_sample(service, sample);
	const struct avail_when when = { .kind = AVAIL_AT_TIME, .t_h = time_h };
	double mission_h = draw->time_h;
	struct parting parting = { .service = service,
				   .graph = &service->dynamic->graph,
				   .sample = draw,
				   .why = why,
				   .t_h = time_h,
				   .at_start = 1,
				   .mean_is_known = true,
				   .exact = true };
	int err;

	parting.terms.memory = service->memory;
	*mission = (struct avail_mission){
		.time_h = time_h,
		.quality = AVAIL_APPROXIMATE,
		.method = "",
		.expected_outages = NAN,
		.mean_time_h = NAN,
	};
	err = avail_dynamic_evaluate(service->dynamic, draw, NULL, &when, why);
	if (!err)
		err = find_exactly(&parting, mission);
	if (!err || err == -EDQUOT || err == -ELOOP)
		err = avail_mission_by_intensity(service, draw, time_h, mission, why);
	if (mission->quality != AVAIL_APPROXIMATE && err == -EDQUOT)
		err = 0; /* a chain too stiff to follow how often; the rest is known */
	avail_sample_draw(draw, draw->seed, mission_h);
	return err;
}
