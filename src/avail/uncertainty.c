#include "avail/uncertainty.h"
#include "avail/service.h"

#include <errno.h>
#include <math.h>

/* A seed of its own for each draw; never 0, which means the means. */
static uint64_t seed_of(uint64_t seed, uint64_t draw)
{
	uint64_t mixed = seed ^ (draw + 1) * UINT64_C(0xd1342543de82ef95);

	mixed = rand_u64(&mixed);
	return mixed ? mixed : 1;
}

static int evaluate(struct avail_service *service, enum avail_figure figure,
		    struct avail_sample *sample, double *value, struct refusal *why)
{
	static const struct avail_when when = { .kind = AVAIL_IN_STEADY_STATE };
	struct avail_dynamic_answer answer = { .frequency = NAN };
	int err = avail_dynamic_evaluate(service->dynamic, sample, NULL, &when, why);

	if (!err && figure == AVAIL_FIGURE_FREQUENCY)
		err = avail_dynamic_solve(service->dynamic, service->solver, service->top, &answer);
	else if (!err)
		err = avail_dynamic_probability(service->dynamic, service->solver, service->top,
						&answer.unavailability);
	*value = figure == AVAIL_FIGURE_FREQUENCY ? answer.frequency : answer.unavailability.value;
	return err;
}

int avail_uncertainty_draw(struct avail_service *service, enum avail_figure figure, uint64_t seed,
			   uint64_t first, uint64_t count, double time_h, double *values,
			   struct refusal *why)
{
	const struct avail_budget budget = avail_later(&service->budget.diagram);
	struct avail_sample sample;
	int err = avail_sample_init(&sample, service->model, service->model->mission_h);

	if (err)
		return err;
	for (uint64_t i = 0; i < count && !err; i++) {
		if (budget.go_on && !budget.go_on(budget.context)) {
			err = -EINTR;
			break;
		}
		avail_sample_draw(&sample, seed_of(seed, first + i),
				  time_h > 0 ? time_h : service->model->mission_h);
		err = evaluate(service, figure, &sample, &values[i], why);
	}
	avail_sample_fini(&sample);
	return err;
}

/* Largest value to the root of a heap that is in order below 'root'. */
static void sift(double *values, uint64_t root, uint64_t count)
{
	double value = values[root];
	uint64_t child;

	for (; (child = 2 * root + 1) < count; root = child) {
		if (child + 1 < count && values[child + 1] > values[child])
			child++;
		if (values[child] <= value)
			break;
		values[root] = values[child];
	}
	values[root] = value;
}

static void sort(double *values, uint64_t count)
{
	for (uint64_t i = count / 2; i-- > 0;)
		sift(values, i, count);
	for (uint64_t last = count; last-- > 1;) {
		double largest = values[0];

		values[0] = values[last];
		values[last] = largest;
		sift(values, 0, last);
	}
}

static double percentile(const double *values, uint64_t count, double part)
{
	double place = part * (double)(count - 1);
	uint64_t below = (uint64_t)place;

	if (below + 1 >= count)
		return values[count - 1];
	return values[below] + (place - (double)below) * (values[below + 1] - values[below]);
}

void avail_uncertainty_spread(double *values, uint64_t count, struct avail_spread *spread)
{
	double mean = 0, squares = 0;

	must(count > 0);
	sort(values, count);
	for (uint64_t i = 0; i < count; i++)
		mean += values[i];
	mean /= (double)count;
	for (uint64_t i = 0; i < count; i++)
		squares += (values[i] - mean) * (values[i] - mean);
	*spread = (struct avail_spread){
		.draws = count,
		.mean = mean,
		.deviation = count > 1 ? sqrt(squares / (double)(count - 1)) : 0,
		.p05 = percentile(values, count, 0.05),
		.p50 = percentile(values, count, 0.5),
		.p95 = percentile(values, count, 0.95),
		.least = values[0],
		.most = values[count - 1],
	};
}
