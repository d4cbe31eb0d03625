/* tests/avail_enumerate.h -- the probability of a top by going through all states of its leaves:
 * slow, plain, and only for small models. */
#ifndef TESTS_AVAIL_ENUMERATE_H
#define TESTS_AVAIL_ENUMERATE_H

#include "avail/flatten.h"
#include "tests/check.h"

enum { ENUMERATE_LEAVES = 20 };

static inline double enumerate_states(const struct avail_flat *flat, uint32_t ref, const double *p)
{
	uint8_t failed[ENUMERATE_LEAVES], *values = calloc(flat->tree.node_count, 1);
	double sum = 0;

	for (uint32_t state = 0; state < UINT32_C(1) << flat->leaf_count; state++) {
		double share = 1;

		for (uint32_t i = 0; i < flat->leaf_count; i++) {
			failed[i] = state >> i & 1;
			share *= failed[i] ? p[i] : 1 - p[i];
		}
		if (avail_tree_value(&flat->tree, ref, failed, values))
			sum += share;
	}
	free(values);
	return sum;
}

/* Unavailability at the means. */
static inline double enumerate_term(const struct avail_model *model, struct avail_term term)
{
	struct avail_sample sample;
	struct avail_flat flat;
	double p[ENUMERATE_LEAVES], result;
	uint32_t ref;

	assert_int_equal(avail_flatten(&flat, model, &term, 1, &ref), 0);
	assert_true(flat.leaf_count <= ENUMERATE_LEAVES);
	assert_int_equal(avail_sample_init(&sample, model, model->mission_h), 0);
	for (uint32_t i = 0; i < flat.leaf_count; i++) {
		struct avail_figures figures;

		assert_int_equal(avail_leaf_figures(&flat, i, &sample, &figures, NULL), 0);
		p[i] = figures.unavailability;
	}
	result = enumerate_states(&flat, ref, p);
	avail_sample_fini(&sample);
	avail_flat_fini(&flat);
	return result;
}

/* The value of an expression at the means. */
static inline double enumerate_value(const struct avail_model *model, uint32_t expression)
{
	struct avail_sample sample;
	double value;

	assert_int_equal(avail_sample_init(&sample, model, model->mission_h), 0);
	value = avail_expression_value(&sample, expression);
	avail_sample_fini(&sample);
	return value;
}

#endif
