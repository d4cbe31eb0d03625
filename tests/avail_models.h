/* tests/avail_models.h -- small availability models for tests: one model at a time in the heap,
 * parts, gates, groups, crews in a word each, and random ones. */
#ifndef TESTS_AVAIL_MODELS_H
#define TESTS_AVAIL_MODELS_H

#include "avail/expression.h"
#include "tests/avail_heap.h"
#include "tests/check.h"

#include <math.h>

static struct test_heap heap;
static struct avail_model model;

static inline int begin(void **state)
{
	(void)state;
	test_heap_init(&heap);
	return avail_model_init(&model, &heap.memory, "test");
}

static inline int end(void **state)
{
	(void)state;
	avail_model_fini(&model);
	if (heap.memory.used)
		print_error("%zu bytes are still out\n", heap.memory.used);
	return heap.memory.used != 0;
}

static inline void again(void)
{
	avail_model_fini(&model);
	assert_int_equal(heap.memory.used, 0);
	assert_int_equal(avail_model_init(&model, &heap.memory, "test"), 0);
}

static inline void near(double found, double wanted, double relative)
{
	if (fabs(found - wanted) <= relative * fabs(wanted) || found == wanted)
		return;
	print_error("%.17g is not %.17g, off by %.2g\n", found, wanted, found / wanted - 1);
	fail();
}

static inline struct avail_term event_term(uint32_t index)
{
	return (struct avail_term){ .kind = AVAIL_TERM_EVENT, .index = index };
}

static inline struct avail_term gate_term(uint32_t index)
{
	return (struct avail_term){ .kind = AVAIL_TERM_GATE, .index = index };
}

static inline struct avail_term part(const char *name, double mtbf_h, double repair_h)
{
	return event_term(avail_model_repairable(&model, name, AVAIL_NONE, mtbf_h, repair_h));
}

static inline struct avail_term unrepaired(const char *name, double rate)
{
	uint32_t event = avail_model_event(&model, name);

	model.events[event].law = AVAIL_LAW_UNREPAIRED;
	model.events[event].failure_rate = avail_expression_number(&model, rate);
	return event_term(event);
}

static inline struct avail_term gate(enum avail_formula_kind kind, uint32_t low,
				     const struct avail_term *args, uint32_t count)
{
	uint32_t index = avail_model_gate(&model, "gate");

	model.gates[index].low = low;
	assert_int_equal(avail_model_define(&model, index, kind, args, count), 0);
	return gate_term(index);
}

static inline struct avail_term either(struct avail_term a, struct avail_term b)
{
	struct avail_term args[2] = { a, b };

	return gate(AVAIL_FORMULA_OR, 0, args, 2);
}

/* 'needed' of the members; the group's settings are for the caller to fill in. */
static inline struct avail_standby *standby(const struct avail_term *members, uint32_t count,
					    uint32_t needed, struct avail_term *down)
{
	uint32_t index;

	*down = gate(AVAIL_FORMULA_AT_LEAST, count - needed + 1, members, count);
	index = avail_model_standby(&model, "group", down->index);
	model.standbys[index].needed = needed;
	return &model.standbys[index];
}

static inline void crew(uint32_t crews, const struct avail_term *parts, uint32_t count)
{
	uint32_t index = avail_model_crew(&model, "crew", crews);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = avail_model_indexes(&model, &parts[i].index, 1);

		if (i == 0)
			model.crews[index].first = at;
	}
	model.crews[index].count = count;
}

static inline void checked(void)
{
	struct refusal why = { .path = "" };

	if (avail_model_check(&model, &why) != 0) {
		print_error("%s: %s\n", why.path, why.text);
		fail();
	}
}

static inline double uniform(uint64_t *seed)
{
	return ((double)(rand_u64(seed) >> 11) + 0.5) * 0x1p-53;
}

static inline uint32_t below(uint64_t *seed, uint32_t limit)
{
	return (uint32_t)(rand_u64(seed) % limit);
}

enum { PARTS_MOST = 7 };

static inline struct avail_term random_term(uint64_t *seed, const struct avail_term *terms,
					    uint32_t count, bool may_negate)
{
	struct avail_term term = terms[below(seed, count)];

	term.negated ^= may_negate && below(seed, 8) == 0;
	return term;
}

static inline void random_group(uint64_t *seed, struct avail_term *terms, uint32_t *count)
{
	struct avail_term members[3], down;
	uint32_t size = 2 + below(seed, 2);
	struct avail_standby *group;

	for (uint32_t m = 0; m < size; m++) {
		members[m] = random_term(seed, terms, *count, false);
		if (below(seed, 2))
			members[m] = either(members[m], random_term(seed, terms, *count, false));
	}
	group = standby(members, size, 1 + below(seed, size - 1), &down);
	group->mode = (enum avail_standby_mode)below(seed, 3);
	group->dormancy = uniform(seed);
	group->coverage = below(seed, 2) ? 1 : uniform(seed);
	group->uncovered = (enum avail_uncovered)below(seed, 2);
	group->recovery_h = 0.1 + uniform(seed);
	group->switch_h = below(seed, 2) ? 0 : 0.05 + uniform(seed);
	group->reverts = below(seed, 2);
	terms[(*count)++] = down;
}

/* Parts, perhaps equal ones, a crew for some, groups, and gates above; the last gate is the top. */
static inline struct avail_term random_model(uint64_t *seed, bool may_negate, uint32_t *groups)
{
	struct avail_term terms[32], args[4];
	uint32_t count = 3 + below(seed, PARTS_MOST - 3), parts = count;

	for (uint32_t i = 0; i < parts; i++) {
		bool equal = i > 0 && below(seed, 2);

		terms[i] = equal ? part("equal", 20, 2)
				 : part("part", 5 + 50 * uniform(seed), 0.5 + 5 * uniform(seed));
	}
	if (below(seed, 2))
		crew(1 + below(seed, 2), terms + below(seed, 2), 2 + below(seed, parts - 2));
	*groups = 1 + below(seed, 2);
	for (uint32_t g = 0; g < *groups; g++)
		random_group(seed, terms, &count);
	for (uint32_t g = 0; g < 3; g++) {
		uint32_t size = 2 + below(seed, 3);

		for (uint32_t i = 0; i < size; i++)
			args[i] = random_term(seed, terms + (g == 2 ? parts : 0),
					      count - (g == 2 ? parts : 0), may_negate);
		terms[count++] = gate(below(seed, 2) ? AVAIL_FORMULA_OR : AVAIL_FORMULA_AT_LEAST,
				      1 + below(seed, size), args, size);
	}
	return terms[count - 1];
}

#endif
