/* The numbers of the leaves of a flat model. */
#include "avail/flatten.h"

#include <errno.h>
#include <math.h>

bool avail_ccf_has_level(const struct avail_ccf *ccf, uint32_t level)
{
	switch (ccf->kind) {
	case AVAIL_CCF_BETA:
		return level == 1 || level == ccf->count;
	case AVAIL_CCF_MGL:
		return level <= ccf->factor_count + 1;
	default:
		return level <= ccf->factor_count;
	}
}

/* Factor 'place' of the group, 0 where it has no more. */
static double factor(struct avail_sample *sample, const struct avail_ccf *ccf, uint32_t place)
{
	return place < ccf->factor_count
		       ? avail_expression_value(sample,
						sample->model->indexes[ccf->first_factor + place])
		       : 0;
}

/* Ways to choose the others of a combination that a given member is in. */
static double others(const struct avail_ccf *ccf, uint32_t level)
{
	double ways = 1;

	for (uint32_t i = 1; i < level; i++)
		ways = ways * (ccf->count - i) / i;
	return ways;
}

static double alpha_share(struct avail_sample *sample, const struct avail_ccf *ccf, uint32_t level)
{
	double sum = 0;

	for (uint32_t i = 0; i < ccf->factor_count; i++)
		sum += (i + 1) * factor(sample, ccf, i);
	return level * factor(sample, ccf, level - 1) / sum / others(ccf, level);
}

static double mgl_share(struct avail_sample *sample, const struct avail_ccf *ccf, uint32_t level)
{
	double product = 1;

	for (uint32_t i = 0; i + 1 < level; i++)
		product *= factor(sample, ccf, i);
	return product * (1 - factor(sample, ccf, level - 1)) / others(ccf, level);
}

double avail_ccf_share(struct avail_sample *sample, uint32_t index, uint32_t level)
{
	const struct avail_ccf *ccf = &sample->model->ccfs[index];

	must(level > 0);
	if (!avail_ccf_has_level(ccf, level))
		return 0;
	switch (ccf->kind) {
	case AVAIL_CCF_BETA:
		return level == 1 ? 1 - factor(sample, ccf, 0) : factor(sample, ccf, 0);
	case AVAIL_CCF_MGL:
		return mgl_share(sample, ccf, level);
	case AVAIL_CCF_ALPHA:
		return alpha_share(sample, ccf, level);
	case AVAIL_CCF_PHI:
		return factor(sample, ccf, level - 1);
	}
	must(false);
	return 0;
}

/* What a leaf is made of, in this draw. */
struct numbers {
	enum avail_law law;
	double probability, failure_rate, repair_h;
};

static int refuse_value(const struct avail_leaf *leaf, const char *what, double value,
			struct refusal *why)
{
	refuse(why, leaf->name, "%s is %.9g; it must be %s", what, value,
	       what[0] == 'p' ? "from 0 to 1" : "0 or more");
	return -ERANGE;
}

/* Brings what is drawn into the range; -ERANGE where a mean is outside, and for what is no number.
 */
static int settle(const struct avail_leaf *leaf, const struct avail_sample *sample,
		  const char *what, double most, double *value, struct refusal *why)
{
	if (*value >= 0 && *value <= most && *value < INFINITY)
		return 0;
	if (!sample->seed || isnan(*value) || (*value > 0 && most >= INFINITY))
		return refuse_value(leaf, what, *value, why);
	*value = *value < 0 ? 0 : most;
	return 0;
}

/* Together they are down until the last is repaired. */
static double longest_repair(const struct avail_flat *flat, const struct avail_leaf *leaf,
			     struct avail_sample *sample)
{
	double longest = 0;

	for (uint32_t i = 0; i < leaf->count; i++) {
		const struct avail_event *member =
			&flat->model->events[flat->members[leaf->first + i]];
		double repair_h = avail_expression_value(sample, member->repair_h);

		if (!(repair_h <= longest)) /* a NAN stays one */
			longest = repair_h;
	}
	return longest;
}

static int gather(const struct avail_flat *flat, const struct avail_leaf *leaf,
		  struct avail_sample *sample, struct numbers *numbers, struct refusal *why)
{
	const struct avail_event *event = &flat->model->events[flat->members[leaf->first]];
	const struct avail_ccf *ccf =
		leaf->ccf == AVAIL_NONE ? NULL : &flat->model->ccfs[leaf->ccf];
	double share = ccf ? avail_ccf_share(sample, leaf->ccf, leaf->level) : 1;
	bool rated = ccf ? ccf->rated : event->law != AVAIL_LAW_PROBABILITY;
	int err;

	*numbers = (struct numbers){ .law = rated ? event->law : AVAIL_LAW_PROBABILITY };
	if (!rated) {
		numbers->probability =
			share *
			avail_expression_value(sample, ccf ? ccf->total : event->probability);
		return settle(leaf, sample, "probability", 1, &numbers->probability, why);
	}
	numbers->failure_rate =
		share * avail_expression_value(sample, ccf ? ccf->total : event->failure_rate);
	err = settle(leaf, sample, "failure rate", INFINITY, &numbers->failure_rate, why);
	if (err || event->law != AVAIL_LAW_REPAIRABLE)
		return err;
	numbers->repair_h = longest_repair(flat, leaf, sample);
	return settle(leaf, sample, "repair time", INFINITY, &numbers->repair_h, why);
}

int avail_leaf_figures(const struct avail_flat *flat, uint32_t leaf, struct avail_sample *sample,
		       struct avail_figures *figures, struct refusal *why)
{
	struct numbers numbers;
	double load;
	int err;

	must(leaf < flat->leaf_count);
	*figures = (struct avail_figures){ 0 };
	err = gather(flat, &flat->leaves[leaf], sample, &numbers, why);
	if (err)
		return err;
	figures->failure_rate = numbers.failure_rate;
	switch (numbers.law) {
	case AVAIL_LAW_REPAIRABLE:
		load = numbers.failure_rate * numbers.repair_h;
		figures->unavailability = load / (1 + load);
		figures->frequency = numbers.failure_rate / (1 + load);
		figures->repair_rate = 1 / numbers.repair_h;
		return 0;
	case AVAIL_LAW_UNREPAIRED:
		figures->unavailability = -expm1(-numbers.failure_rate * sample->time_h);
		return 0;
	default:
		must(numbers.law == AVAIL_LAW_PROBABILITY);
		figures->unavailability = numbers.probability;
		return 0;
	}
}

int avail_leaf_at(const struct avail_flat *flat, uint32_t leaf, struct avail_sample *sample,
		  double t_h, double *unavailability, struct refusal *why)
{
	struct avail_figures figures;
	double both;
	int err;

	if (t_h != sample->time_h)
		avail_sample_draw(sample, sample->seed, t_h);
	err = avail_leaf_figures(flat, leaf, sample, &figures, why);
	if (err)
		return err;
	*unavailability = figures.unavailability;
	both = figures.failure_rate + figures.repair_rate;
	if (figures.repair_rate > 0 && both < INFINITY)
		*unavailability = figures.unavailability * -expm1(-both * t_h);
	return 0;
}
