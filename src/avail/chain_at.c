#include "avail/chain.h"
#include "avail/chain_rows.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Work, in products, that is taken on at most, and what lets one way be preferred to the other. */
#define WORK_MOST 2e10
enum { ASK_EVERY = 4096, LATE_SQUARES = 6 };
#define TAIL 1e-17 /* Poisson weights below this are left out, together */

/* The matrix of one step, from columns: P = I + Q / pace. */
struct step {
	struct avail_rows in;
	double *stay; /* diagonal */
	double pace;  /* steps an hour */
};

static bool go_on(const struct avail_chain *chain)
{
	return !chain->go_on || chain->go_on(chain->context);
}

static int step_init(struct step *step, const struct avail_chain *chain)
{
	uint32_t n = chain->state_count;
	double *out;
	int err = avail_rows_init(&step->in, chain, AVAIL_ROWS_BY_TO, NULL, n);

	if (err)
		return err;
	out = step->stay = avail_take(chain->memory, n, sizeof *step->stay);
	if (!out) {
		avail_rows_fini(&step->in);
		return -ENOMEM;
	}
	for (uint32_t k = 0; k < step->in.entry_count; k++)
		out[step->in.other[k]] += step->in.rate[k];
	step->pace = 0;
	for (uint32_t i = 0; i < n; i++)
		step->pace = fmax(step->pace, out[i]);
	for (uint32_t i = 0; i < n; i++)
		step->stay[i] = step->pace > 0 ? (step->pace - out[i]) / step->pace : 1;
	return 0;
}

static void step_fini(struct step *step, struct avail_memory *memory)
{
	avail_give(memory, step->stay, step->in.row_count, sizeof *step->stay);
	avail_rows_fini(&step->in);
}

static void take_step(const struct step *step, const double *from, double *to)
{
	const struct avail_rows *in = &step->in;

	for (uint32_t i = 0; i < in->row_count; i++) {
		double sum = 0;

		for (uint32_t k = in->first[i]; k < in->first[i + 1]; k++)
			sum += from[in->other[k]] * in->rate[k];
		to[i] = from[i] * step->stay[i] + sum / step->pace;
	}
}

/* ---- one step at a time, weighed by how probable that many are ---- */

/* Poisson probabilities first .. first + count - 1 with this mean; what is left out is below TAIL
 * on either side.  They are found from the mode outwards and scaled to the sum 1 (Fox and Glynn
 * 1988). */
struct weights {
	double *w;
	uint64_t first, count, room;
};

static uint64_t reach_of(double mean)
{
	return (uint64_t)(10 * sqrt(mean)) + 50; /* e^-50 and less beyond, on both sides */
}

static int weights_init(struct weights *weights, struct avail_memory *memory, double mean)
{
	uint64_t mode = (uint64_t)mean, reach = reach_of(mean);
	uint64_t low = mode > reach ? mode - reach : 0, high = mode + reach;
	double sum = 0;
	double *w;

	weights->room = high - low + 1;
	weights->first = low;
	weights->count = weights->room;
	w = weights->w = avail_take(memory, (size_t)weights->room, sizeof *w);
	if (!w)
		return -ENOMEM;
	w[mode - low] = 1;
	for (uint64_t k = mode; k > low; k--)
		w[k - 1 - low] = w[k - low] * (double)k / mean;
	for (uint64_t k = mode; k < high; k++)
		w[k + 1 - low] = w[k - low] * mean / (double)(k + 1);
	for (uint64_t k = 0; k < weights->room; k++)
		sum += w[k];
	for (uint64_t k = 0; k < weights->room; k++)
		w[k] /= sum;
	while (weights->count > 1 && w[weights->count - 1] < TAIL / (double)weights->room)
		weights->count--;
	return 0;
}

static int by_steps(const struct avail_chain *chain, const struct step *step, const double *start,
		    double mean, double *p)
{
	struct avail_memory *memory = chain->memory;
	uint32_t n = chain->state_count;
	double *now = avail_take(memory, n, sizeof *now),
	       *next = avail_take(memory, n, sizeof *next);
	double *sum = avail_take(memory, n, sizeof *sum);
	struct weights weights = { 0 };
	int err = now && next && sum ? weights_init(&weights, memory, mean) : -ENOMEM;

	if (!err)
		memcpy(now, start, n * sizeof *now);
	for (uint64_t k = 0; !err && k < weights.first + weights.count; k++) {
		double *swap = now, weight = k < weights.first ? 0 : weights.w[k - weights.first];

		for (uint32_t i = 0; i < n && weight > 0; i++)
			sum[i] += weight * now[i];
		take_step(step, now, next);
		now = next;
		next = swap;
		if (k % ASK_EVERY == 0 && !go_on(chain))
			err = -EINTR;
	}
	if (!err)
		memcpy(p, sum, n * sizeof *p);
	avail_give(memory, weights.w, (size_t)weights.room, sizeof *weights.w);
	avail_give(memory, now, n, sizeof *now);
	avail_give(memory, next, n, sizeof *next);
	avail_give(memory, sum, n, sizeof *sum);
	return err;
}

/* ---- squaring: probabilities over a time short enough for a few steps, doubled again and again
 * ---- */

static void normalize_rows(double *m, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		double *row = m + (size_t)i * n, sum = 0;

		for (uint32_t j = 0; j < n; j++)
			sum += row[j];
		for (uint32_t j = 0; j < n; j++)
			row[j] /= sum;
	}
}

static void multiply(const double *a, const double *b, uint32_t n, double *to)
{
	memset(to, 0, (size_t)n * n * sizeof *to);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < n; k++) {
			const double *row = b + (size_t)k * n;
			double factor = a[(size_t)i * n + k];

			if (factor == 0)
				continue;
			for (uint32_t j = 0; j < n; j++)
				to[(size_t)i * n + j] += factor * row[j];
		}
}

/* Rows of m: where one is after a time of 'mean' (<= 1) steps on average, from each state. */
static void short_time(const struct step *step, double mean, double *m, double *now, double *next)
{
	uint32_t n = step->in.row_count;

	memset(m, 0, (size_t)n * n * sizeof *m);
	for (uint32_t i = 0; i < n; i++) {
		double weight = exp(-mean);

		memset(now, 0, n * sizeof *now);
		now[i] = 1;
		for (unsigned k = 0; k < 40 && weight > 1e-30; k++) {
			double *swap = now;

			for (uint32_t j = 0; j < n; j++)
				m[(size_t)i * n + j] += weight * now[j];
			take_step(step, now, next);
			now = next;
			next = swap;
			weight *= mean / (k + 1);
		}
	}
	normalize_rows(m, n);
}

/* The last doublings are cheaper done on the vector. */
static void by_squares(const struct step *step, const double *start, double mean, unsigned squares,
		       double *a, double *b, double *p)
{
	uint32_t n = step->in.row_count;
	unsigned late = squares < LATE_SQUARES ? squares : LATE_SQUARES;
	double *now = b,
	       *next = b + n; /* b is free when rows are made and when the vector is moved */

	short_time(step, ldexp(mean, -(int)squares), a, now, next);
	for (unsigned i = late; i < squares; i++) {
		double *swap = a;

		multiply(a, a, n, b);
		normalize_rows(b, n);
		a = b;
		b = swap;
	}
	now = b;
	next = b + n;
	memcpy(now, start, n * sizeof *now);
	for (unsigned i = 0; i < 1U << late; i++) {
		double *swap = now;

		memset(next, 0, n * sizeof *next);
		for (uint32_t k = 0; k < n; k++)
			for (uint32_t j = 0; j < n && now[k] > 0; j++)
				next[j] += now[k] * a[(size_t)k * n + j];
		now = next;
		next = swap;
	}
	memcpy(p, now, n * sizeof *p);
}

static int by_squaring(const struct avail_chain *chain, const struct step *step,
		       const double *start, double mean, double *p)
{
	uint32_t n = chain->state_count;
	size_t room = (size_t)n * n + 2 * (size_t)n;
	double *a = avail_take(chain->memory, room, sizeof *a);
	double *b = avail_take(chain->memory, room, sizeof *b);
	unsigned squares = 0;
	int err = a && b ? 0 : -ENOMEM;

	while (ldexp(mean, -(int)squares) > 1)
		squares++;
	if (!err)
		by_squares(step, start, mean, squares, a, b, p);
	avail_give(chain->memory, a, room, sizeof *a);
	avail_give(chain->memory, b, room, sizeof *b);
	return err;
}

/* ---- which ---- */

static int choose(const struct avail_chain *chain, const struct step *step, const double *start,
		  double mean, double *p)
{
	double n = chain->state_count;
	double steps = (mean + (double)reach_of(mean)) * (step->in.entry_count + 2 * n);
	double squares = n * n * n * (log(mean + 2) / log(2) + 8);

	if (n <= AVAIL_CHAIN_DENSE && squares < steps)
		return by_squaring(chain, step, start, mean, p);
	if (!(steps <= WORK_MOST))
		return -EDQUOT;
	return by_steps(chain, step, start, mean, p);
}

int avail_chain_at(const struct avail_chain *chain, const double *start, double t_h, double *p,
		   double *error)
{
	struct step step;
	int err = step_init(&step, chain);
	double mean;

	must(t_h >= 0);
	if (err)
		return err;
	mean = step.pace * t_h;
	if (mean > 0)
		err = choose(chain, &step, start, mean, p);
	else if (p != start)
		memcpy(p, start, chain->state_count * sizeof *p);
	if (error)
		*error = 2 * TAIL;
	step_fini(&step, chain->memory);
	return err;
}
