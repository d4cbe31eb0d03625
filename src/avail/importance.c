/* What events and field-replaceable units matter. */
#include "avail/measures.h"
#include "avail/service.h"

#include <errno.h>
#include <math.h>

struct weighing {
	struct avail_service *service;
	struct avail_sample *sample;
	struct refusal *why;
	uint8_t *pins;	 /* all NONE between two questions */
	double *p;	 /* of the tree's events, as they are */
	double *scratch; /* the same, to be changed */
	double *birnbaum;
	uint32_t leaf_count, event_count;
	double u;
};

static void fill(struct avail_importance *row, double u, double u0, double u1)
{
	row->birnbaum = u1 - u0;
	row->criticality = row->unavailability * row->birnbaum / u;
	row->fussell_vesely = (u - u0) / u;
	row->risk_achievement = u1 / u;
	row->risk_reduction = u0 > 0 ? u / u0 : INFINITY;
	row->minutes_a_year = (u - u0) * AVAIL_MINUTES_A_YEAR;
}

/* ---- questions ---- */

/* Unavailability with the pins as they are, chains and all. */
static int ask_chains(struct weighing *weighing, double *u)
{
	static const struct avail_when when = { .kind = AVAIL_IN_STEADY_STATE };
	struct avail_service *service = weighing->service;
	struct avail_bounds bounds;
	int err = avail_dynamic_evaluate(service->dynamic, weighing->sample, weighing->pins, &when,
					 weighing->why);

	if (!err)
		err = avail_dynamic_probability(service->dynamic, service->solver, service->top,
						&bounds);
	*u = err ? NAN : bounds.value;
	return err;
}

/* The same where only leaves outside modules are pinned: one pass over the diagram. */
static int ask_diagram(struct weighing *weighing, double *u)
{
	struct avail_bounds bounds;
	int err;

	for (uint32_t i = 0; i < weighing->leaf_count; i++)
		if (weighing->pins[i] != AVAIL_PIN_NONE)
			weighing->scratch[i] = weighing->pins[i] == AVAIL_PIN_FAILED;
	err = avail_solver_probability(weighing->service->solver, weighing->scratch, &bounds);
	for (uint32_t i = 0; i < weighing->leaf_count; i++)
		weighing->scratch[i] = weighing->p[i];
	*u = err ? NAN : bounds.value;
	return err;
}

static bool is_in_module(const struct weighing *weighing, uint32_t leaf)
{
	return avail_dynamic_module_of(weighing->service->dynamic, leaf) != AVAIL_NONE;
}

/* Unavailability with all leaves of 'unit' (a leaf, or with AVAIL_NONE all leaves of 'fru') pinned.
 */
struct pinned {
	uint32_t leaf, fru;
};

static int ask(struct weighing *weighing, const struct pinned *pinned, enum avail_pin pin,
	       double *u)
{
	const struct avail_flat *flat = avail_dynamic_flat(weighing->service->dynamic);
	bool chains = false;
	int err;

	for (uint32_t i = 0; i < weighing->leaf_count; i++) {
		if (i != pinned->leaf &&
		    (pinned->fru == AVAIL_NONE || flat->leaves[i].fru != pinned->fru))
			continue;
		weighing->pins[i] = (uint8_t)pin;
		chains |= is_in_module(weighing, i);
	}
	err = chains ? ask_chains(weighing, u) : ask_diagram(weighing, u);
	memset(weighing->pins, AVAIL_PIN_NONE, weighing->leaf_count);
	return err;
}

/* ---- leaves ---- */

/* A leaf by itself: the function is U = p U1 + (1 - p) U0, so all follows from U1 - U0.  Where that
 * takes most of U away, what is left is asked for instead of subtracted. */
static int weigh_plain(struct weighing *weighing, uint32_t leaf, struct avail_importance *row)
{
	double p = weighing->p[leaf], birnbaum = weighing->birnbaum[leaf];
	double u = weighing->u, u0 = u - p * birnbaum, u1 = u + (1 - p) * birnbaum;
	const struct pinned pinned = { .leaf = leaf, .fru = AVAIL_NONE };
	int err = 0;

	row->unavailability = p;
	if (u0 < 1e-3 * u)
		err = ask(weighing, &pinned, AVAIL_PIN_PERFECT, &u0);
	fill(row, u, u0, u1);
	row->birnbaum = birnbaum;
	row->criticality = p * birnbaum / u;
	if (!(u0 < 1e-3 * u)) {
		/* Nothing was taken away that mattered: the product has all its digits. */
		row->fussell_vesely = row->criticality;
		row->minutes_a_year = p * birnbaum * AVAIL_MINUTES_A_YEAR;
	}
	return err;
}

static int weigh_pinned(struct weighing *weighing, const struct pinned *pinned,
			struct avail_importance *row)
{
	double u0, u1 = 0;
	int err = ask(weighing, pinned, AVAIL_PIN_PERFECT, &u0);

	if (!err)
		err = ask(weighing, pinned, AVAIL_PIN_FAILED, &u1);
	if (!err)
		fill(row, weighing->u, u0, u1);
	return err;
}

static int weigh_leaf(struct weighing *weighing, uint32_t leaf, struct avail_importance *row)
{
	const struct pinned pinned = { .leaf = leaf, .fru = AVAIL_NONE };

	if (!is_in_module(weighing, leaf))
		return weigh_plain(weighing, leaf, row);
	row->unavailability = NAN;
	return weigh_pinned(weighing, &pinned, row);
}

/* ---- field-replaceable units ---- */

static int weigh_fru(struct weighing *weighing, uint32_t fru, struct avail_importance *row)
{
	const struct avail_flat *flat = avail_dynamic_flat(weighing->service->dynamic);
	const struct pinned pinned = { .leaf = AVAIL_NONE, .fru = fru };
	uint32_t count = 0, last = 0;
	double works = 1;
	bool chains = false;

	for (uint32_t i = 0; i < weighing->leaf_count; i++) {
		if (flat->leaves[i].fru != fru)
			continue;
		works *= 1 - weighing->p[i];
		chains |= is_in_module(weighing, i);
		last = i;
		count++;
	}
	if (count == 0) {
		row->unavailability = 0;
		fill(row, weighing->u, weighing->u, weighing->u);
		return 0;
	}
	if (count == 1)
		return weigh_leaf(weighing, last, row);
	row->unavailability = chains ? NAN : 1 - works;
	return weigh_pinned(weighing, &pinned, row);
}

/* ---- all rows ---- */

static int begin(struct weighing *weighing, struct avail_service *service)
{
	struct avail_memory *memory = service->memory;
	size_t events;

	weighing->leaf_count = avail_dynamic_leaf_count(service->dynamic);
	weighing->event_count = service->dynamic->tree.event_count;
	events = (size_t)weighing->event_count + 1;
	weighing->pins = avail_take(memory, (size_t)weighing->leaf_count + 1, 1);
	weighing->p = avail_take(memory, events, sizeof *weighing->p);
	weighing->scratch = avail_take(memory, events, sizeof *weighing->scratch);
	weighing->birnbaum = avail_take(memory, events, sizeof *weighing->birnbaum);
	return weighing->pins && weighing->p && weighing->scratch && weighing->birnbaum ? 0
											: -ENOMEM;
}

static void end(struct weighing *weighing)
{
	struct avail_memory *memory = weighing->service->memory;
	size_t events = (size_t)weighing->event_count + 1;

	avail_give(memory, weighing->pins, (size_t)weighing->leaf_count + 1, 1);
	avail_give(memory, weighing->p, events, sizeof *weighing->p);
	avail_give(memory, weighing->scratch, events, sizeof *weighing->scratch);
	avail_give(memory, weighing->birnbaum, events, sizeof *weighing->birnbaum);
}

/* As it is, with nothing pinned. */
static int ask_first(struct weighing *weighing)
{
	const struct avail_service *service = weighing->service;
	const double *p = avail_dynamic_p(service->dynamic);
	int err = ask_chains(weighing, &weighing->u);

	if (err)
		return err;
	memcpy(weighing->p, p, weighing->event_count * sizeof *p);
	memcpy(weighing->scratch, p, weighing->event_count * sizeof *p);
	return avail_solver_birnbaum(service->solver, p, weighing->birnbaum);
}

typedef int weigh_fn(struct weighing *weighing, uint32_t index, struct avail_importance *row);

static int weigh_all(struct avail_service *service, struct avail_sample *sample, weigh_fn *weigh,
		     uint32_t count, struct avail_importance *rows, struct refusal *why)
{
	struct weighing weighing = { .service = service, .why = why };
	int err;

	if (!avail_dynamic_is_exact(service->dynamic) || !avail_solver_is_exact(service->solver))
		return -ENOTSUP;
	weighing.sample = avail_service_sample(service, sample);
	err = begin(&weighing, service);
	if (!err)
		err = ask_first(&weighing);
	for (uint32_t i = 0; i < count && !err; i++) {
		rows[i] = (struct avail_importance){ .index = i };
		err = weigh(&weighing, i, &rows[i]);
	}
	end(&weighing);
	return err;
}

int avail_service_importance(struct avail_service *service, struct avail_sample *sample,
			     struct avail_importance *rows, struct refusal *why)
{
	return weigh_all(service, sample, weigh_leaf, avail_dynamic_leaf_count(service->dynamic),
			 rows, why);
}

int avail_service_fru_importance(struct avail_service *service, struct avail_sample *sample,
				 struct avail_importance *rows, struct refusal *why)
{
	return weigh_all(service, sample, weigh_fru, service->model->fru_count, rows, why);
}
