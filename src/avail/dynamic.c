#include "avail/dynamic.h"
#include "avail/compose.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

/* ---- modules ---- */

static void name_module(struct avail_dynamic *dynamic, uint32_t index)
{
	const struct avail_graph *graph = &dynamic->graph;
	const struct avail_model *model = graph->model;
	const struct avail_machine *machine = &dynamic->modules[index].knot.machine;
	struct avail_module *said = &dynamic->modules[index].said;
	const char *first = NULL;

	said->standbys = machine->group_count;
	said->crews = machine->crew_count;
	if (machine->group_count > 0)
		first = machine->groups[0].standby->name;
	for (uint32_t u = 0; u < machine->unit_count && !first; u++)
		if (graph->crew_of[machine->units[u].leaf] != AVAIL_NONE)
			first = model->crews[graph->crew_of[machine->units[u].leaf]].name;
	if (!first)
		first = "";
	if (said->standbys + said->crews > 1)
		snprintf(said->name, sizeof said->name, "%.60s and %u more", first,
			 said->standbys + said->crews - 1);
	else
		snprintf(said->name, sizeof said->name, "%.90s", first);
}

/* The outcome without failures last: its complement is what has the small numbers. */
static int order_outcomes(struct avail_composed_module *module)
{
	const struct avail_outcomes *outcomes = &module->knot.outcomes;
	uint32_t last = AVAIL_NONE;

	for (uint32_t i = 0; i < outcomes->count; i++) {
		uint32_t ones = 0;

		for (uint32_t k = 0; k < module->outputs.count; k++)
			ones += outcomes->values[(size_t)i * outcomes->width + k];
		if (ones == 0)
			last = i;
		else if (!avail_list_add(&module->order, i))
			return -ENOMEM;
	}
	if (last != AVAIL_NONE && !avail_list_add(&module->order, last))
		return -ENOMEM;
	return 0;
}

static int make_module(struct avail_dynamic *dynamic, uint32_t index)
{
	struct avail_composed_module *module = &dynamic->modules[index];
	struct avail_knot_wants wants = { .leaves = &module->leaves,
					  .outputs = &module->outputs,
					  .rates = dynamic->rates.failed ? &dynamic->rates : NULL,
					  .budget = &dynamic->budget };
	size_t flows;
	int err = avail_knot_init(&module->knot, &dynamic->graph, &wants);

	if (err)
		return err;
	module->known = true;
	flows = (size_t)module->knot.outcomes.count * module->knot.outcomes.count + 1;
	dynamic->flows[index] = avail_take(dynamic->memory, flows, sizeof **dynamic->flows);
	module->asked = avail_take(dynamic->memory, 3 * (size_t)module->leaves.count,
				   sizeof *module->asked);
	if (!dynamic->flows[index] || !module->asked)
		return -ENOMEM;
	name_module(dynamic, index);
	module->said.events = module->leaves.count;
	module->said.outputs = module->outputs.count;
	module->said.outcomes = module->knot.outcomes.count;
	module->said.states = module->knot.states;
	module->said.moves = module->knot.moves;
	module->said.state = module->knot.state;
	module->said.failures = module->knot.failures;
	dynamic->exact &= module->knot.state == AVAIL_MODULE_EXACT;
	return order_outcomes(module);
}

/* Modules that nothing of the tops looks at are left out. */
static int make_modules(struct avail_dynamic *dynamic)
{
	uint32_t chooser = dynamic->graph.leaf_count;
	int err = 0;

	dynamic->exact = true;
	for (uint32_t m = 0; m < dynamic->module_count && !err; m++) {
		struct avail_composed_module *module = &dynamic->modules[m];

		err = module->outputs.count ? make_module(dynamic, m) : 0;
		module->first_chooser = chooser;
		if (module->order.count > 0)
			chooser += module->order.count - 1;
	}
	return err ? err : avail_tree_init(&dynamic->tree, dynamic->memory, chooser);
}

static int list_leaves(struct avail_dynamic *dynamic)
{
	struct avail_graph *graph = &dynamic->graph;

	dynamic->module_count = graph->module_count;
	dynamic->modules = avail_take(dynamic->memory, (size_t)graph->module_count + 1,
				      sizeof *dynamic->modules);
	dynamic->flows = avail_take(dynamic->memory, (size_t)graph->module_count + 1,
				    sizeof *dynamic->flows);
	if (!dynamic->modules || !dynamic->flows)
		return -ENOMEM;
	for (uint32_t m = 0; m < graph->module_count; m++)
		dynamic->modules[m].leaves.memory = dynamic->modules[m].outputs.memory =
			dynamic->modules[m].order.memory = dynamic->memory;
	for (uint32_t i = 0; i < graph->leaf_count; i++)
		if (graph->module_of[i] != AVAIL_NONE &&
		    !avail_list_add(&dynamic->modules[graph->module_of[i]].leaves, i))
			return -ENOMEM;
	return 0;
}

/* ---- open and close ---- */

/* Rates at the means, to judge by how much of a module has to be looked at. */
static int take_rates(struct avail_dynamic *dynamic)
{
	size_t leaves = (size_t)dynamic->graph.leaf_count + 1;
	struct avail_rates *rates = &dynamic->rates;
	struct avail_sample mean;
	int err = avail_sample_init(&mean, dynamic->graph.model, dynamic->graph.model->mission_h);

	if (err)
		return err;
	rates->failure = avail_take(dynamic->memory, leaves, sizeof *rates->failure);
	rates->repair = avail_take(dynamic->memory, leaves, sizeof *rates->repair);
	rates->failed = avail_take(dynamic->memory, leaves, sizeof *rates->failed);
	if (!rates->failure || !rates->repair || !rates->failed)
		err = -ENOMEM;
	for (uint32_t i = 0; i < dynamic->graph.leaf_count && !err; i++) {
		struct avail_figures figures;

		/* What is out of range is said when it is asked for. */
		if (avail_leaf_figures(&dynamic->graph.flat, i, &mean, &figures, NULL))
			continue;
		rates->failure[i] = figures.failure_rate;
		rates->repair[i] = figures.repair_rate;
		rates->failed[i] = figures.unavailability;
	}
	avail_sample_fini(&mean);
	return err;
}

#define EACH_NUMBER(do) \
	do              \
	(dynamic->p) do(dynamic->lower) do(dynamic->upper) do(dynamic->up) do(dynamic->down)

static int take_numbers(struct avail_dynamic *dynamic)
{
	size_t events = (size_t)dynamic->tree.event_count + 1;

#define TAKE(array)                                                 \
	array = avail_take(dynamic->memory, events, sizeof *array); \
	if (!array)                                                 \
		return -ENOMEM;
	EACH_NUMBER(TAKE)
	return 0;
}

int avail_dynamic_open(struct avail_dynamic **dynamic_out, const struct avail_model *model,
		       const struct avail_term *tops, uint32_t count,
		       const struct avail_dynamic_budget *budget, uint32_t *refs)
{
	struct avail_dynamic *dynamic = avail_take(model->memory, 1, sizeof *dynamic);
	int err;

	if (!dynamic)
		return -ENOMEM;
	dynamic->memory = dynamic->outputs.memory = dynamic->output_module.memory = model->memory;
	dynamic->plan_tops.memory = dynamic->seam.memory = model->memory;
	if (budget)
		dynamic->budget = *budget;
	err = avail_graph_init(&dynamic->graph, model, tops, count);
	if (err) {
		avail_give(model->memory, dynamic, 1, sizeof *dynamic);
		return err;
	}
	err = list_leaves(dynamic);
	if (!err)
		err = take_rates(dynamic);
	if (!err)
		err = avail_plan(dynamic);
	if (!err)
		err = make_modules(dynamic);
	if (!err)
		err = avail_compose(dynamic, refs);
	if (!err)
		err = take_numbers(dynamic);
	if (err)
		avail_dynamic_close(dynamic);
	else
		*dynamic_out = dynamic;
	return err;
}

static void close_module(struct avail_dynamic *dynamic, uint32_t index)
{
	struct avail_composed_module *module = &dynamic->modules[index];
	size_t count = module->knot.outcomes.count;

	if (module->known) {
		avail_give(dynamic->memory, dynamic->flows[index], count * count + 1,
			   sizeof **dynamic->flows);
		avail_knot_fini(&module->knot);
	}
	avail_give(dynamic->memory, module->asked, 3 * (size_t)module->leaves.count,
		   sizeof *module->asked);
	avail_list_fini(&module->leaves);
	avail_list_fini(&module->outputs);
	avail_list_fini(&module->order);
}

void avail_dynamic_close(struct avail_dynamic *dynamic)
{
	struct avail_memory *memory;
	size_t leaves, events;

	if (!dynamic)
		return;
	memory = dynamic->memory;
	leaves = (size_t)dynamic->graph.leaf_count + 1;
	events = (size_t)dynamic->tree.event_count + 1;
#define GIVE(array) avail_give(memory, array, events, sizeof *array);
	EACH_NUMBER(GIVE)
	avail_give(memory, dynamic->rates.failure, leaves, sizeof *dynamic->rates.failure);
	avail_give(memory, dynamic->rates.repair, leaves, sizeof *dynamic->rates.repair);
	avail_give(memory, dynamic->rates.failed, leaves, sizeof *dynamic->rates.failed);
	for (uint32_t m = 0; m < dynamic->module_count && dynamic->modules && dynamic->flows; m++)
		close_module(dynamic, m);
	avail_give(memory, dynamic->modules, (size_t)dynamic->graph.module_count + 1,
		   sizeof *dynamic->modules);
	avail_give(memory, dynamic->flows, (size_t)dynamic->graph.module_count + 1,
		   sizeof *dynamic->flows);
	if (dynamic->plan.event_node)
		avail_tree_fini(&dynamic->plan);
	if (dynamic->tree.event_node)
		avail_tree_fini(&dynamic->tree);
	avail_list_fini(&dynamic->outputs);
	avail_list_fini(&dynamic->output_module);
	avail_list_fini(&dynamic->plan_tops);
	avail_list_fini(&dynamic->seam);
	avail_graph_fini(&dynamic->graph);
	avail_give(memory, dynamic, 1, sizeof *dynamic);
}

/* ---- what it is ---- */

struct avail_tree *avail_dynamic_tree(struct avail_dynamic *dynamic)
{
	return &dynamic->tree;
}

const struct avail_flat *avail_dynamic_flat(const struct avail_dynamic *dynamic)
{
	return &dynamic->graph.flat;
}

uint32_t avail_dynamic_leaf_count(const struct avail_dynamic *dynamic)
{
	return dynamic->graph.leaf_count;
}

uint32_t avail_dynamic_module_count(const struct avail_dynamic *dynamic)
{
	uint32_t count = 0;

	for (uint32_t m = 0; m < dynamic->module_count; m++)
		count += dynamic->modules[m].known;
	return count;
}

const struct avail_module *avail_dynamic_module(const struct avail_dynamic *dynamic, uint32_t index)
{
	for (uint32_t m = 0; m < dynamic->module_count; m++)
		if (dynamic->modules[m].known && index-- == 0)
			return &dynamic->modules[m].said;
	must(false); /* not a module */
	return NULL;
}

uint32_t avail_dynamic_module_of(const struct avail_dynamic *dynamic, uint32_t leaf)
{
	uint32_t module = dynamic->graph.module_of[leaf], index = 0;

	if (module == AVAIL_NONE || !dynamic->modules[module].known)
		return AVAIL_NONE;
	for (uint32_t m = 0; m < module; m++)
		index += dynamic->modules[m].known;
	return index;
}

const struct avail_tree *avail_dynamic_static(const struct avail_dynamic *dynamic, uint32_t top,
					      uint32_t *ref)
{
	must(top < dynamic->graph.tops.count);
	*ref = dynamic->graph.tops.items[top];
	return &dynamic->graph.tree;
}

const double *avail_dynamic_p(const struct avail_dynamic *dynamic)
{
	return dynamic->p;
}

bool avail_dynamic_is_exact(const struct avail_dynamic *dynamic)
{
	return dynamic->exact;
}
