/* avail/oracle_test.h -- what tests of the engine share: memory that fails when told, random trees,
 * and the answers by going through all states. */
#ifndef AVAIL_ORACLE_TEST_H
#define AVAIL_ORACLE_TEST_H

#include "avail/solve.h"
#include "tests/check.h"

#include <math.h>

/* A heap that refuses request number 'fail_at' (1: the first; 0: none) and all after it. */
struct fake_heap {
	struct avail_memory memory;
	uint64_t requests, fail_at;
};

static inline void *fake_resize(void *context, void *old, size_t size)
{
	struct fake_heap *heap = context;

	if (size == 0) {
		free(old);
		return NULL;
	}
	heap->requests++;
	if (heap->fail_at && heap->requests >= heap->fail_at)
		return NULL;
	return realloc(old, size);
}

static inline void fake_heap_init(struct fake_heap *heap)
{
	*heap = (struct fake_heap){ .memory = { .resize = fake_resize } };
	heap->memory.context = heap;
}

enum fake_mix { MIX_COHERENT, MIX_ALL };

static inline uint32_t draw_below(uint64_t *seed, uint32_t bound)
{
	return (uint32_t)(rand_u64(seed) % bound);
}

/* A random tree over 'events' events with 'gates' gates of up to 5 arguments each, chosen from all
 * that is there; returns the reference of the last gate.  COHERENT: no negation, no exclusive or.
 */
static inline uint32_t fake_tree(struct avail_tree *tree, struct avail_memory *memory,
				 uint64_t *seed, uint32_t events, uint32_t gates, enum fake_mix mix)
{
	uint32_t refs[256], count = 0;

	assert_int_equal(avail_tree_init(tree, memory, events), 0);
	for (uint32_t i = 0; i < events; i++)
		refs[count++] = avail_tree_event(tree, i);
	for (uint32_t i = 0; i < gates; i++) {
		static const enum avail_gate_kind kinds[] = { AVAIL_AND, AVAIL_OR, AVAIL_AT_LEAST,
							      AVAIL_CARDINALITY, AVAIL_XOR };
		uint32_t args[5], n = draw_below(seed, 100) < 5 ? draw_below(seed, 2)
								: 2 + draw_below(seed, 4);
		uint32_t low = draw_below(seed, n + 1), high = low + draw_below(seed, 3);

		for (uint32_t j = 0; j < n; j++) {
			/* Recent gates are likelier, so that the tree gets deep. */
			uint32_t back = draw_below(seed, 2) ? count : (count < 6 ? count : 6);
			uint32_t ref = refs[count - 1 - draw_below(seed, back)];

			if (mix == MIX_ALL && draw_below(seed, 4) == 0)
				ref = avail_not(ref);
			if (mix == MIX_ALL && draw_below(seed, 64) == 0)
				ref = draw_below(seed, 2);
			args[j] = ref;
		}
		refs[count++] = avail_tree_gate(
			tree, kinds[draw_below(seed, mix == MIX_ALL ? 5 : 3)], low, high, args, n);
	}
	return refs[count - 1];
}

/* The value of the function in every state; state bit i: event i failed. */
static inline void oracle_states(const struct avail_tree *tree, uint32_t top, uint8_t *values)
{
	uint8_t *scratch = calloc(tree->node_count, 1);
	uint8_t failed[32];

	for (uint32_t state = 0; state < UINT32_C(1) << tree->event_count; state++) {
		for (uint32_t i = 0; i < tree->event_count; i++)
			failed[i] = state >> i & 1;
		values[state] = avail_tree_value(tree, top, failed, scratch);
	}
	free(scratch);
}

/* Probability of a state, of all events but 'except' (>= count: all). */
static inline double oracle_weight(const double *p, uint32_t count, uint32_t state, uint32_t except)
{
	double weight = 1;

	for (uint32_t i = 0; i < count; i++)
		if (i != except)
			weight *= state >> i & 1 ? p[i] : 1 - p[i];
	return weight;
}

static inline double oracle_probability(const uint8_t *values, const double *p, uint32_t count)
{
	double sum = 0;

	for (uint32_t state = 0; state < UINT32_C(1) << count; state++)
		sum += values[state] ? oracle_weight(p, count, state, count) : 0;
	return sum;
}

/* Probability that failing 'event' changes the function to 'to'. */
static inline double oracle_change(const uint8_t *values, const double *p, uint32_t count,
				   uint32_t event, bool to)
{
	double sum = 0;

	for (uint32_t state = 0; state < UINT32_C(1) << count; state++)
		if (!(state >> event & 1) && values[state] != to &&
		    values[state | UINT32_C(1) << event] == to)
			sum += oracle_weight(p, count, state, event);
	return sum;
}

static inline void assert_close(double value, double expected, double relative)
{
	if (!(fabs(value - expected) <= relative * fabs(expected)))
		fail_msg("%.17g is not %.17g within %g", value, expected, relative);
}

#endif
