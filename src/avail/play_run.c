/* Histories, and what they add up to. */
#include "avail/play.h"

#include <math.h>

enum {
	CYCLES = 8,	       /* of a biased history */
	STEPS_MOST = 10000000, /* of a plain one, and of a cycle: then it is cut */
};

/* What one history was like. */
struct history {
	double down, outages, length;
	uint64_t events;
	bool cut;
};

static double wait(struct avail_stage *stage, double rate)
{
	return -log(avail_stage_random(stage)) / rate;
}

/* ---- plain ---- */

static void draw(struct avail_stage *stage, struct history *history)
{
	history->length = 1;
	history->down = avail_stage_is_down(stage);
}

/* From 'from_h' on, for 'for_h'. */
static void watch(struct avail_stage *stage, double from_h, double for_h, struct history *history)
{
	double now = 0, end = from_h + for_h;
	bool down = avail_stage_is_down(stage);

	while (now < end && !history->cut) {
		double rate = avail_stage_rate(stage),
		       next = rate > 0 ? now + wait(stage, rate) : end;
		bool was = down;

		if (down && next > from_h)
			history->down += fmin(next, end) - fmax(now, from_h);
		now = next;
		if (now >= end)
			break;
		avail_stage_step(stage, AVAIL_PLAY_PLAIN);
		down = avail_stage_is_down(stage);
		history->outages += down && !was && now >= from_h;
		history->cut = ++history->events == STEPS_MOST;
	}
	history->down /= for_h;
	history->length = 1;
}

static void go_to(struct avail_stage *stage, double t_h, struct history *history)
{
	double now = 0, rate;

	while ((rate = avail_stage_rate(stage)) > 0 && !history->cut) {
		now += wait(stage, rate);
		if (now >= t_h)
			break;
		avail_stage_step(stage, AVAIL_PLAY_PLAIN);
		history->cut = ++history->events == STEPS_MOST;
	}
	history->down = avail_stage_is_down(stage);
	history->length = 1;
}

/* ---- a mission: biased until the first outage ---- */

static void go_on_mission(struct avail_stage *stage, const struct avail_play_wants *wants,
			  struct history *history)
{
	bool down = avail_stage_is_down(stage), hit = down;
	double now = 0, weight = 1, rate;

	history->down = down;
	history->length = 1;
	while ((rate = avail_stage_rate(stage)) > 0 && !history->cut) {
		bool was = down;

		now += wait(stage, rate);
		if (now >= wants->time_h)
			break;
		weight *= avail_stage_step(stage, hit ? AVAIL_PLAY_PLAIN : wants->sampling);
		down = avail_stage_is_down(stage);
		if (down && !was)
			history->outages += weight;
		if (down && !hit)
			history->down = weight;
		hit |= down;
		history->cut = ++history->events == STEPS_MOST;
	}
}

/* ---- a steady state, biased ---- */

/* From a moment without failures to the next one.  Times are the mean ones of the states passed
 * through. */
static void go_around(struct avail_stage *stage, enum avail_play_sampling sampling,
		      struct history *history, double *down_h, double *outages, double *length_h)
{
	bool down = avail_stage_is_down(stage), hit = down;
	double weight = 1, rate;
	uint64_t steps = 0;

	do {
		bool was = down;

		rate = avail_stage_rate(stage);
		if (rate == 0) {
			history->cut = true;
			break;
		}
		*length_h += weight / rate;
		if (down)
			*down_h += weight / rate;
		weight *= avail_stage_step(stage, hit ? AVAIL_PLAY_PLAIN : sampling);
		down = avail_stage_is_down(stage);
		if (down && !was)
			*outages += weight;
		hit |= down;
		if (++steps == STEPS_MOST)
			history->cut = true;
	} while (!avail_stage_is_whole(stage) && !history->cut);
	history->events += steps;
}

static void go_biased(struct avail_stage *stage, const struct avail_play_wants *wants,
		      double unit_h, struct history *history)
{
	double ignored_h = 0, ignored = 0, now = 0;

	while (now < wants->warm_up_h && !history->cut)
		go_around(stage, AVAIL_PLAY_PLAIN, history, &ignored_h, &ignored, &now);
	for (unsigned i = 0; i < CYCLES && !history->cut; i++) {
		double length_h = 0;

		avail_stage_keep(stage);
		ignored_h = 0;
		go_around(stage, AVAIL_PLAY_BIASED, history, &history->down, &history->outages,
			  &ignored_h);
		avail_stage_return(stage);
		go_around(stage, AVAIL_PLAY_PLAIN, history, &ignored_h, &ignored, &length_h);
		history->length += length_h;
	}
	history->down /= unit_h;
	history->length /= unit_h;
}

/* ---- sums ---- */

static void add_exactly(struct avail_exact_sum *sum, double value)
{
	/* 2^64 times the value, in whole numbers and a rest, and that again. */
	double whole = floor(value), rest = ldexp(value - whole, 64), middle = floor(rest);
	const uint64_t limbs[3] = { (uint64_t)ldexp(rest - middle, 64), (uint64_t)middle,
				    whole < 0x1p63 ? (uint64_t)whole : UINT64_C(1) << 63 };
	uint64_t carry = 0;

	for (unsigned i = 0; i < 3; i++) {
		uint64_t with_carry = sum->limb[i] + carry, total = with_carry + limbs[i];

		carry = (with_carry < carry) | (total < with_carry);
		sum->limb[i] = total;
	}
}

static void merge(struct avail_exact_sum *sum, const struct avail_exact_sum *more)
{
	uint64_t carry = 0;

	for (unsigned i = 0; i < 3; i++) {
		uint64_t with_carry = sum->limb[i] + carry, total = with_carry + more->limb[i];

		carry = (with_carry < carry) | (total < with_carry);
		sum->limb[i] = total;
	}
}

static double of(const struct avail_exact_sum *sum)
{
	return ldexp((double)sum->limb[0], -128) + ldexp((double)sum->limb[1], -64) +
	       (double)sum->limb[2];
}

static void add_history(struct avail_sums *sums, const struct history *history)
{
	sums->replications++;
	sums->events += history->events;
	sums->hits += history->down > 0;
	sums->cut += history->cut;
	add_exactly(&sums->down, history->down);
	add_exactly(&sums->down_squared, history->down * history->down);
	add_exactly(&sums->outages, history->outages);
	add_exactly(&sums->outages_squared, history->outages * history->outages);
	add_exactly(&sums->length, history->length);
	add_exactly(&sums->length_squared, history->length * history->length);
	add_exactly(&sums->down_length, history->down * history->length);
	add_exactly(&sums->outages_length, history->outages * history->length);
}

void avail_sums_add(struct avail_sums *sums, const struct avail_sums *more)
{
	sums->replications += more->replications;
	sums->events += more->events;
	sums->hits += more->hits;
	sums->cut += more->cut;
	merge(&sums->down, &more->down);
	merge(&sums->down_squared, &more->down_squared);
	merge(&sums->outages, &more->outages);
	merge(&sums->outages_squared, &more->outages_squared);
	merge(&sums->length, &more->length);
	merge(&sums->length_squared, &more->length_squared);
	merge(&sums->down_length, &more->down_length);
	merge(&sums->outages_length, &more->outages_length);
}

/* ---- runs ---- */

static enum avail_play_kind kind_of(const struct avail_play *play)
{
	return play->as_point ? AVAIL_PLAY_POINT : play->wants.kind;
}

static void play_once(const struct avail_play *play, struct avail_stage *stage,
		      struct history *history)
{
	avail_stage_begin(stage);
	if (play->all_chance)
		draw(stage, history);
	else if (kind_of(play) == AVAIL_PLAY_POINT)
		go_to(stage, play->wants.time_h, history);
	else if (kind_of(play) == AVAIL_PLAY_MISSION)
		go_on_mission(stage, &play->wants, history);
	else if (play->wants.sampling == AVAIL_PLAY_BIASED)
		go_biased(stage, &play->wants, play->unit_h, history);
	else
		watch(stage, play->wants.warm_up_h, play->wants.horizon_h, history);
}

void avail_play_run(const struct avail_play *play, struct avail_stage *stage, uint64_t seed,
		    uint64_t first, uint64_t count, struct avail_sums *sums)
{
	for (uint64_t i = 0; i < count; i++) {
		struct history history = { 0 };
		uint64_t mix = seed;

		/* Neighbouring histories begin far apart. */
		stage->random = rand_u64(&mix) ^ (first + i) * UINT64_C(0xda942042e4dd58b5);
		stage->random = rand_u64(&stage->random);
		play_once(play, stage, &history);
		add_history(sums, &history);
	}
}

/* ---- results ---- */

/* Ratio of two means, and its error by the first term of its series. */
static struct avail_estimate ratio(double n, double y, double yy, double l, double ll, double yl)
{
	struct avail_estimate estimate = { .value = y / l };
	double r = estimate.value, squares = yy - 2 * r * yl + r * r * ll;

	estimate.standard_error =
		n > 1 ? sqrt(fmax(squares, 0) / (n * (n - 1))) / (l / n) : INFINITY;
	estimate.lower = fmax(0, r - 1.96 * estimate.standard_error);
	estimate.upper = r + 1.96 * estimate.standard_error;
	return estimate;
}

/* Wilson's interval of a proportion. */
static void bracket(struct avail_estimate *estimate, double n)
{
	double z = 1.96, p = estimate->value, middle = p + z * z / (2 * n);
	double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)), all = 1 + z * z / n;

	estimate->lower = p > 0 ? fmax(0, (middle - half) / all) : 0;
	estimate->upper = (middle + half) / all;
}

static void scale(struct avail_estimate *estimate, double factor)
{
	estimate->value *= factor;
	estimate->standard_error *= factor;
	estimate->lower *= factor;
	estimate->upper *= factor;
}

double avail_play_unit_h(const struct avail_play *play)
{
	return play->unit_h;
}

void avail_play_result(const struct avail_play *play, const struct avail_sums *sums,
		       struct avail_play_result *result)
{
	double n = (double)sums->replications, l = of(&sums->length),
	       ll = of(&sums->length_squared);
	bool steady = kind_of(play) == AVAIL_PLAY_STEADY;
	bool says_yes_or_no =
		play->all_chance || kind_of(play) == AVAIL_PLAY_POINT ||
		(kind_of(play) == AVAIL_PLAY_MISSION && play->wants.sampling == AVAIL_PLAY_PLAIN);

	must(sums->replications > 0);
	*result = (struct avail_play_result){ .replications = sums->replications,
					      .events = sums->events,
					      .hits = sums->hits,
					      .cut = sums->cut };
	result->unavailability =
		ratio(n, of(&sums->down), of(&sums->down_squared), l, ll, of(&sums->down_length));
	result->frequency = ratio(n, of(&sums->outages), of(&sums->outages_squared), l, ll,
				  of(&sums->outages_length));
	if (steady && !play->all_chance)
		scale(&result->frequency, 1 / play->unit_h);
	if (says_yes_or_no)
		bracket(&result->unavailability, n);
	if (sums->hits == 0)
		result->unavailability.upper = fmin(1, 3 / n);
}
