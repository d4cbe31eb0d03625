/* Numbers for a knot. */
#include "avail/knot.h"

#include <errno.h>
#include <math.h>

/* ---- rates ---- */

static double failure_rate(const struct avail_knot *knot, const struct avail_rates *rates,
			   uint32_t unit)
{
	uint32_t leaf = knot->machine.units[unit].leaf;

	/* What is repaired in no time is never down. */
	return isinf(rates->repair[leaf]) ? 0 : rates->failure[leaf];
}

static double rate_of(const struct avail_knot *knot, const struct avail_rates *rates,
		      struct avail_source source)
{
	const struct avail_machine *machine = &knot->machine;
	double repair;

	switch (source.kind) {
	case AVAIL_FAILURE:
		return failure_rate(knot, rates, source.index);
	case AVAIL_REPAIR:
		repair = rates->repair[machine->units[source.index].leaf];
		return isinf(repair) ? 1 : repair;
	case AVAIL_SWITCHED:
		return 1 / machine->groups[source.index].standby->switch_h;
	case AVAIL_RECOVERED:
		return 1 / machine->groups[source.index].standby->recovery_h;
	}
	must(false); /* not a source */
	return 0;
}

static void fill_rates(const struct avail_knot *knot, struct avail_knot_way *way,
		       const struct avail_rates *rates)
{
	struct avail_space *space = &way->space;

	for (uint32_t i = 0; i < way->moves; i++)
		space->chain.moves[i].rate =
			space->factors[i] * rate_of(knot, rates, space->sources[i]);
}

bool avail_knot_ends(const struct avail_knot *knot, const struct avail_rates *rates)
{
	for (uint32_t i = 0; i < knot->leaves.count; i++) {
		uint32_t leaf = knot->leaves.items[i];

		if (!avail_leaf_is_frozen(&knot->graph->flat, leaf) && rates->failure[leaf] > 0 &&
		    rates->repair[leaf] == 0)
			return true;
	}
	return false;
}

static double weight_of(const struct avail_knot *knot, const struct avail_knot_way *way,
			const struct avail_rates *rates)
{
	double weight = 1;

	for (uint32_t i = 0; i < knot->frozen.count; i++) {
		double failed = rates->failed[knot->frozen.items[i]];

		weight *= way->downs >> i & 1 ? failed : 1 - failed;
	}
	return weight;
}

/* ---- how long what was left out may last ---- */

/* slow[k]: rate of repair at least when k + 1 units are failed. */
static void least_repair(const struct avail_knot *knot, const struct avail_rates *rates,
			 double *slow)
{
	const struct avail_machine *machine = &knot->machine;
	uint32_t hands = machine->unit_count, count = 0;
	double sum = 0;

	for (uint32_t c = 0; c < machine->crew_count; c++)
		hands = min_u32(hands, machine->crews[c]);
	for (uint32_t u = 0; u < machine->unit_count; u++) {
		double repair = rates->repair[machine->units[u].leaf];
		uint32_t at = count;

		if (!avail_unit_changes(&machine->units[u]))
			continue;
		count++;

		for (; at > 0 && slow[at - 1] > repair; at--)
			slow[at] = slow[at - 1];
		slow[at] = repair;
	}
	for (uint32_t k = 0; k < count; k++) {
		if (k < hands)
			sum += slow[k];
		slow[k] = sum;
	}
}

/* Units that can be failed at one time and not at another. */
static uint32_t changing_units(const struct avail_machine *machine)
{
	uint32_t count = 0;

	for (uint32_t u = 0; u < machine->unit_count; u++)
		count += avail_unit_changes(&machine->units[u]);
	return count;
}

static uint32_t troubles_most(const struct avail_machine *machine)
{
	return machine->unit_count + 1;
}

/* last[k]: mean time at most from k failed units to none. */
static void longest_repair(const struct avail_machine *machine, double up, const double *slow,
			   double *last)
{
	uint32_t n = changing_units(machine);
	double many = 0, after = 0, sum = 0;

	for (uint32_t g = 0; g < machine->group_count; g++)
		if (machine->groups[g].standby->uncovered == AVAIL_UNCOVERED_TAKES_ALL)
			many += (1 - machine->groups[g].standby->coverage) * up;
	/* From k failed units to k - 1; with one failure more, or by a failure that takes others
	 * along up to all, and then down again one by one. */
	for (uint32_t k = n; k > 0; k--) {
		last[k] = (1 + (k < n ? up * after + many * sum : 0)) / slow[k - 1];
		after = last[k];
		sum += last[k];
	}
	last[0] = 0;
	for (uint32_t k = 1; k <= n; k++)
		last[k] += last[k - 1];
}

/* Mean time at most, while nothing is failed and nothing fails, until no group switches or waits.
 */
static double longest_unrest(const struct avail_machine *machine)
{
	double longest = 0, times = machine->group_count;

	for (uint32_t g = 0; g < machine->group_count; g++) {
		const struct avail_standby *standby = machine->groups[g].standby;

		longest = fmax(longest, standby->switch_h);
		if (standby->coverage < 1 && standby->uncovered == AVAIL_UNCOVERED_WAITS)
			longest = fmax(longest, standby->recovery_h);
	}
	/* When it ends in one, groups around that one may begin anew. */
	if (machine->nested)
		times = ldexp(1, (int)min_u32(machine->group_count, 1000)) - 1;
	return times * longest;
}

/* Whether a repair, or the end of a group's unrest, may make units fail. */
static bool is_treacherous(const struct avail_machine *machine)
{
	bool takes = false;

	for (uint32_t g = 0; g < machine->group_count; g++)
		takes |= machine->groups[g].standby->uncovered == AVAIL_UNCOVERED_TAKES_ALL &&
			 machine->groups[g].standby->coverage < 1;
	return takes && (machine->nested || machine->negated);
}

/* last[k]: mean time at most from k troubles to none; INFINITY: not known. */
static int longest_return(const struct avail_knot *knot, const struct avail_rates *rates,
			  double *last)
{
	const struct avail_machine *machine = &knot->machine;
	uint32_t n = changing_units(machine);
	double *slow = avail_take(knot->memory, (size_t)n + 1, sizeof *slow);
	double up = 0, unrest = longest_unrest(machine), fails;

	if (!slow)
		return -ENOMEM;
	least_repair(knot, rates, slow);
	for (uint32_t u = 0; u < machine->unit_count; u++)
		if (avail_unit_changes(&machine->units[u]))
			up += failure_rate(knot, rates, u);
	longest_repair(machine, up, slow, last);
	/* With nothing failed, either the unrest ends, or something fails before; then it begins
	 * anew. */
	fails = up * unrest;
	unrest = fails < 1 && !is_treacherous(machine) ? (unrest + fails * last[n]) / (1 - fails)
						       : INFINITY;
	for (uint32_t k = troubles_most(machine) + 1; k-- > 0;)
		last[k] = last[min_u32(k, n)] + unrest;
	avail_give(knot->memory, slow, (size_t)n + 1, sizeof *slow);
	return 0;
}

/* ---- results ---- */

struct result {
	struct avail_knot *knot;
	const struct avail_rates *rates;
	double *p;	      /* of the states of a way */
	double *least, *most; /* of the outcomes, over all points of return */
	double *now;	      /* of the outcomes, from one of them */
	double beyond;
	double weight;
};

static double add_up(const struct avail_space *space, const double *p, double *outcomes,
		     uint32_t count)
{
	double beyond = 0;

	for (uint32_t o = 0; o < count; o++)
		outcomes[o] = 0;
	for (uint32_t i = 0; i < space->state_count; i++)
		outcomes[space->outcome[i]] += p[i];
	for (uint32_t i = space->state_count; i < space->chain.state_count; i++)
		beyond += p[i];
	return beyond;
}

static void add_flow(struct avail_knot *knot, const struct avail_knot_way *way, const double *p,
		     double weight)
{
	const struct avail_space *space = &way->space;
	uint32_t count = knot->outcomes.count;

	for (uint32_t i = 0; i < way->moves; i++) {
		const struct avail_move *move = &space->chain.moves[i];
		uint32_t from, to;

		if (move->to >= space->state_count)
			continue;
		from = space->outcome[move->from];
		to = space->outcome[move->to];
		if (from != to)
			knot->flow[(size_t)from * count + to] +=
				weight * p[move->from] * move->rate;
	}
}

/* Takes over one way whose p is found without anything left out. */
static void take_exact(struct result *result, const struct avail_knot_way *way)
{
	struct avail_knot *knot = result->knot;

	add_up(&way->space, result->p, result->now, knot->outcomes.count);
	for (uint32_t o = 0; o < knot->outcomes.count; o++) {
		knot->value[o] += result->weight * result->now[o];
		knot->lower[o] += result->weight * result->now[o];
		knot->upper[o] += result->weight * result->now[o];
	}
	add_flow(knot, way, result->p, result->weight);
}

/* One way with something left out, from one point of return; the first gives the value. */
static void note_cut(struct result *result, const struct avail_knot_way *way, bool first)
{
	struct avail_knot *knot = result->knot;
	double beyond = add_up(&way->space, result->p, result->now, knot->outcomes.count);

	for (uint32_t o = 0; o < knot->outcomes.count; o++) {
		double p = result->now[o];

		result->least[o] = first ? p : fmin(result->least[o], p);
		result->most[o] = first ? p : fmax(result->most[o], p);
		if (first)
			knot->value[o] += result->weight * p / (1 - beyond);
	}
	if (first)
		add_flow(knot, way, result->p, result->weight);
	result->beyond = first ? beyond : fmax(result->beyond, beyond);
}

static void take_cut(struct result *result)
{
	struct avail_knot *knot = result->knot;

	for (uint32_t o = 0; o < knot->outcomes.count; o++) {
		knot->lower[o] += result->weight * result->least[o];
		knot->upper[o] += result->weight * result->most[o];
	}
	knot->beyond += result->weight * result->beyond;
}

/* ---- steady state ---- */

static int steady_exact(struct result *result, struct avail_knot_way *way)
{
	struct avail_chain_work work;
	int err = avail_chain_steady(&way->space.chain, result->p, &work);

	if (err)
		return err;
	result->knot->error = fmax(result->knot->error, work.error);
	take_exact(result, way);
	return 0;
}

static void set_returns(struct avail_knot_way *way, const double *last, uint32_t to)
{
	struct avail_space *space = &way->space;

	for (uint32_t i = 0; i < space->beyond_count; i++) {
		struct avail_move *back = &space->chain.moves[way->moves + i];

		back->to = to;
		back->rate = 1 / last[space->failures + 1 + i];
	}
}

static int steady_cut(struct result *result, struct avail_knot_way *way)
{
	struct avail_knot *knot = result->knot;
	struct avail_space *space = &way->space;
	size_t troubles = (size_t)troubles_most(&knot->machine) + 1,
	       states = space->chain.state_count;
	double *last = avail_take(knot->memory, troubles, sizeof *last);
	double *guess = avail_take(knot->memory, states, sizeof *guess);
	int err = last && guess ? longest_return(knot, result->rates, last) : -ENOMEM;
	bool returns = !err && last[troubles - 1] < INFINITY;

	if (!err && !returns)
		knot->beyond += result->weight; /* it may never end */
	for (uint32_t w = 0; w < space->whole.count && returns && !err; w++) {
		struct avail_chain_work work;

		set_returns(way, last, space->whole.items[w]);
		err = avail_chain_steady(&space->chain, result->p, &work);
		if (err)
			break;
		memcpy(guess, result->p, states * sizeof *guess); /* the next differs little */
		space->chain.guess = guess;
		knot->error = fmax(knot->error, work.error);
		note_cut(result, way, w == 0);
	}
	if (returns && !err)
		take_cut(result);
	space->chain.guess = NULL;
	avail_give(knot->memory, last, troubles, sizeof *last);
	avail_give(knot->memory, guess, states, sizeof *guess);
	return err;
}

/* Whether any output is true. */
static bool is_outage(const struct avail_knot *knot, uint32_t outcome)
{
	const struct avail_outcomes *outcomes = &knot->outcomes;

	for (uint32_t k = 0; k < knot->outputs.count; k++)
		if (outcomes->values[(size_t)outcome * outcomes->width + k])
			return true;
	return false;
}

int avail_knot_suffices(struct avail_knot *knot, struct avail_knot_way *way,
			const struct avail_rates *rates, bool *enough)
{
	struct avail_space *space = &way->space;
	size_t troubles = (size_t)troubles_most(&knot->machine) + 1,
	       states = space->chain.state_count;
	double *last = avail_take(knot->memory, troubles, sizeof *last);
	double *p = avail_take(knot->memory, states, sizeof *p);
	double beyond = 0, outage = 0;
	int err = last && p ? longest_return(knot, rates, last) : -ENOMEM;

	*enough = false;
	if (!err && last[troubles - 1] < INFINITY) {
		fill_rates(knot, way, rates);
		set_returns(way, last, 0);
		err = avail_chain_steady(&space->chain, p, NULL);
		for (uint32_t i = 0; i < states && !err; i++) {
			if (i >= space->state_count)
				beyond += p[i];
			else if (is_outage(knot, space->outcome[i]))
				outage += p[i];
		}
		*enough = !err && beyond < 1e-10 * outage;
	}
	avail_give(knot->memory, last, troubles, sizeof *last);
	avail_give(knot->memory, p, states, sizeof *p);
	return err == -ELOOP ? 0 : err;
}

/* ---- at a time ---- */

static int at_time(struct result *result, struct avail_knot_way *way, double t_h)
{
	struct avail_space *space = &way->space;
	int err;

	for (uint32_t i = 0; i < space->chain.state_count; i++)
		result->p[i] = i == 0;
	for (uint32_t i = 0; i < space->beyond_count; i++)
		space->chain.moves[way->moves + i].rate = 0;
	err = avail_chain_at(&space->chain, result->p, t_h, result->p, NULL);
	if (err)
		return err;
	if (space->beyond_count == 0) {
		take_exact(result, way);
		return 0;
	}
	note_cut(result, way, true);
	take_cut(result);
	return 0;
}

/* ---- all ways ---- */

static int evaluate_way(struct result *result, struct avail_knot_way *way,
			const struct avail_when *when, bool steady)
{
	struct avail_knot *knot = result->knot;
	size_t states = way->space.chain.state_count;
	int err;

	result->weight = weight_of(knot, way, result->rates);
	if (result->weight == 0)
		return 0;
	result->p = avail_take(knot->memory, states, sizeof *result->p);
	if (!result->p)
		return -ENOMEM;
	fill_rates(knot, way, result->rates);
	if (!steady)
		err = at_time(result, way, when->t_h);
	else if (way->space.beyond_count == 0)
		err = steady_exact(result, way);
	else
		err = steady_cut(result, way);
	avail_give(knot->memory, result->p, states, sizeof *result->p);
	return err;
}

int avail_knot_evaluate(struct avail_knot *knot, const struct avail_rates *rates,
			const struct avail_when *when)
{
	uint32_t count = knot->outcomes.count;
	struct result result = { .knot = knot, .rates = rates };
	bool steady = when->kind == AVAIL_IN_STEADY_STATE && !avail_knot_ends(knot, rates);
	double *scratch = avail_take(knot->memory, 3 * (size_t)count + 1, sizeof *scratch);
	int err = 0;

	if (!scratch)
		return -ENOMEM;
	result.least = scratch;
	result.most = scratch + count;
	result.now = scratch + 2 * (size_t)count;
	memset(knot->value, 0, count * sizeof *knot->value);
	memset(knot->lower, 0, count * sizeof *knot->lower);
	memset(knot->upper, 0, count * sizeof *knot->upper);
	memset(knot->flow, 0, (size_t)count * count * sizeof *knot->flow);
	knot->error = knot->beyond = 0;
	if (knot->state == AVAIL_MODULE_BEYOND)
		knot->beyond = 1;
	for (uint32_t i = 0; i < knot->way_count && knot->state != AVAIL_MODULE_BEYOND && !err; i++)
		err = evaluate_way(&result, &knot->ways[i], when, steady);
	avail_give(knot->memory, scratch, 3 * (size_t)count + 1, sizeof *scratch);
	return err;
}

/* ---- mean time ---- */

/* Outages from outside, from every state but those that are one: appended to the moves and taken
 * off again. */
static int mean_of_way(struct avail_knot *knot, struct avail_knot_way *way, double outside,
		       double *mean_h)
{
	struct avail_chain *chain = &way->space.chain;
	uint32_t n = chain->state_count, moves = chain->move_count, out = AVAIL_NONE;
	double *start = avail_take(knot->memory, n, sizeof *start);
	uint8_t *down = avail_take(knot->memory, n, 1);
	int err = start && down ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n && !err; i++) {
		down[i] =
			knot->outcomes.values[(size_t)way->space.outcome[i] * knot->outcomes.width];
		if (down[i])
			out = i;
	}
	for (uint32_t i = 0; i < n && !err && outside > 0 && out != AVAIL_NONE; i++)
		if (!down[i])
			err = avail_chain_add(chain, i, out, outside);
	*mean_h = 0;
	if (!err && out == AVAIL_NONE) {
		*mean_h = outside > 0 ? 1 / outside : INFINITY;
	} else if (!err && !down[0]) {
		start[0] = 1;
		err = avail_chain_mean_time(chain, start, down, mean_h);
	}
	chain->move_count = moves;
	avail_give(knot->memory, start, n, sizeof *start);
	avail_give(knot->memory, down, n, 1);
	return err;
}

int avail_knot_mean_time(struct avail_knot *knot, const struct avail_rates *rates, double outside,
			 double *mean_h)
{
	int err = 0;

	must(knot->state == AVAIL_MODULE_EXACT && knot->outputs.count > 0);
	*mean_h = 0;
	for (uint32_t i = 0; i < knot->way_count && !err; i++) {
		struct avail_knot_way *way = &knot->ways[i];
		double weight = weight_of(knot, way, rates), mean;

		if (weight == 0)
			continue;
		fill_rates(knot, way, rates);
		err = mean_of_way(knot, way, outside, &mean);
		*mean_h += weight * mean;
	}
	return err;
}
