#include "avail/measures.h"
#include "avail/service.h"

#include <errno.h>
#include <math.h>

/* ---- open and close ---- */

/* Whether all figures are within their ranges, so that what is wrong is said at once. */
static int look_at_figures(struct avail_service *service, struct refusal *why)
{
	struct avail_figures figures;
	const struct avail_flat *flat = avail_dynamic_flat(service->dynamic);
	int err = 0;

	for (uint32_t i = 0; i < flat->leaf_count && !err; i++)
		err = avail_leaf_figures(flat, i, &service->mean, &figures, why);
	return err;
}

static int open_all(struct avail_service *service, struct avail_term down, struct refusal *why)
{
	int err = avail_sample_init(&service->mean, service->model, service->model->mission_h);

	if (err)
		return err;
	err = avail_dynamic_open(&service->dynamic, service->model, &down, 1,
				 &service->budget.chains, &service->top);
	if (!err)
		err = look_at_figures(service, why);
	if (!err)
		err = avail_solver_open(&service->solver, service->memory,
					avail_dynamic_tree(service->dynamic), service->top,
					&service->budget.diagram);
	return err;
}

int avail_service_open(struct avail_service **service_out, const struct avail_model *model,
		       struct avail_term down, const struct avail_service_budget *budget,
		       struct refusal *why)
{
	struct avail_service *service = avail_take(model->memory, 1, sizeof *service);
	int err;

	if (!service)
		return -ENOMEM;
	service->memory = model->memory;
	service->model = model;
	if (budget)
		service->budget = *budget;
	err = open_all(service, down, why);
	if (err)
		avail_service_close(service);
	else
		*service_out = service;
	return err;
}

void avail_service_close(struct avail_service *service)
{
	if (!service)
		return;
	if (service->solver)
		avail_solver_close(service->solver);
	avail_dynamic_close(service->dynamic);
	if (service->mean.model)
		avail_sample_fini(&service->mean);
	avail_give(service->memory, service, 1, sizeof *service);
}

struct avail_dynamic *avail_service_dynamic(struct avail_service *service)
{
	return service->dynamic;
}

struct avail_solver *avail_service_solver(struct avail_service *service)
{
	return service->solver;
}

uint32_t avail_service_top(const struct avail_service *service)
{
	return service->top;
}

struct avail_sample *avail_service_sample(struct avail_service *service,
					  struct avail_sample *sample)
{
	if (sample)
		return sample;
	/* Other times may have been asked of it. */
	if (service->mean.time_h < service->model->mission_h ||
	    service->mean.time_h > service->model->mission_h)
		avail_sample_draw(&service->mean, 0, service->model->mission_h);
	return &service->mean;
}

/* ---- pins ---- */

static bool leaf_has(const struct avail_flat *flat, const struct avail_leaf *leaf, uint32_t event)
{
	for (uint32_t i = 0; i < leaf->count; i++)
		if (flat->members[leaf->first + i] == event)
			return true;
	return false;
}

void avail_service_pin_event(const struct avail_service *service, uint32_t event,
			     enum avail_pin pin, uint8_t *pins)
{
	const struct avail_flat *flat = avail_dynamic_flat(service->dynamic);

	for (uint32_t i = 0; i < flat->leaf_count; i++) {
		const struct avail_leaf *leaf = &flat->leaves[i];

		if (leaf->event == event || (leaf->count == 1 && leaf_has(flat, leaf, event)))
			pins[i] = (uint8_t)pin;
	}
}

void avail_service_pin_fru(const struct avail_service *service, uint32_t fru, enum avail_pin pin,
			   uint8_t *pins)
{
	const struct avail_flat *flat = avail_dynamic_flat(service->dynamic);

	for (uint32_t i = 0; i < flat->leaf_count; i++)
		if (flat->leaves[i].fru == fru)
			pins[i] = (uint8_t)pin;
}

/* ---- the steady state ---- */

static void fill(struct avail_answer *answer, const struct avail_dynamic_answer *found)
{
	double u = found->unavailability.value, f = found->frequency;

	answer->unavailability = found->unavailability;
	answer->nines = -log10(u);
	answer->minutes_a_year = u * AVAIL_MINUTES_A_YEAR;
	answer->frequency = f;
	answer->outages_a_year = f * AVAIL_HOURS_A_YEAR;
	answer->mtbf_h = 1 / f;
	/* What never happens has no length. */
	answer->mttr_h = f > 0 ? u / f : NAN;
	answer->mean_up_h = f > 0 ? (1 - u) / f : f == 0 && u == 0 ? INFINITY : NAN;
}

int avail_service_steady(struct avail_service *service, struct avail_sample *sample,
			 const uint8_t *pins, struct avail_answer *answer, struct refusal *why)
{
	static const struct avail_when when = { .kind = AVAIL_IN_STEADY_STATE };
	struct avail_dynamic_answer found;
	int err = avail_dynamic_evaluate(service->dynamic, avail_service_sample(service, sample),
					 pins, &when, why);

	if (!err)
		err = avail_dynamic_solve(service->dynamic, service->solver, service->top, &found);
	if (err)
		return err;
	answer->quality =
		avail_dynamic_is_exact(service->dynamic) && avail_solver_is_exact(service->solver)
			? AVAIL_EXACT
			: AVAIL_BOUNDS;
	fill(answer, &found);
	return 0;
}

/* ---- at a time ---- */

int avail_service_at(struct avail_service *service, struct avail_sample *sample, double t_h,
		     struct avail_dynamic_answer *answer, struct refusal *why)
{
	const struct avail_when when = { .kind = AVAIL_AT_TIME, .t_h = t_h };
	const struct avail_budget budget = avail_later(&service->budget.diagram);
	int err = budget.go_on && !budget.go_on(budget.context) ? -EDQUOT : 0;

	if (!err)
		err = avail_dynamic_evaluate(service->dynamic, sample, NULL, &when, why);
	return err ? err
		   : avail_dynamic_solve(service->dynamic, service->solver, service->top, answer);
}

int avail_service_curve(struct avail_service *service, struct avail_sample *sample,
			const double *times_h, uint32_t count, struct avail_bounds *points,
			struct refusal *why)
{
	struct avail_sample *draw = avail_service_sample(service, sample);
	double mission_h = draw->time_h;
	int err = 0;

	for (uint32_t i = 0; i < count && !err; i++) {
		const struct avail_when when = { .kind = AVAIL_AT_TIME, .t_h = times_h[i] };

		err = avail_dynamic_evaluate(service->dynamic, draw, NULL, &when, why);
		if (!err)
			err = avail_dynamic_probability(service->dynamic, service->solver,
							service->top, &points[i]);
	}
	avail_sample_draw(draw, draw->seed, mission_h);
	return err;
}
