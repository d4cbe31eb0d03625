/* Random maps, unmaps, accesses and invalidations, through registers, queue and tables as a driver
 * would do them, against a plain model: an array of cells, each with what is mapped there now and
 * what was mapped since the last invalidation, which caches may still have.
 *
 * An access that succeeds must give one of these; one that fails must fail by what is mapped now,
 * since what is not present is not cached. */
#include "iommu/builder.h"
#include "sim/vtd_driver.h"
#include "tests/check.h"

#include <errno.h>

enum {
	FINE = 4096,   /* cells of 4 KiB */
	COARSE = 1024, /* cells of 2 MiB */
	OLD = 6,       /* that a cell remembers; more: the driver flushes */
	SPACES = 4,
	STEPS = 60000,
	PASID_BASE = 5,
};

#define FINE_BASE   UINT64_C(0x7ff00000) /* across a boundary of 1 GiB */
#define COARSE_BASE UINT64_C(0x100000000)

struct translation {
	uint64_t target;
	uint8_t rights; /* 0: none */
};

struct cell {
	struct translation now, old[OLD];
	uint8_t old_count;
};

enum kind { SECOND, FIRST, NESTED };

struct space {
	enum kind kind;
	uint16_t source, domain;
	uint32_t pasid;
	struct iommu_builder builder;
	struct cell fine[FINE], coarse[COARSE];
	bool to_reclaim;
};

struct world {
	struct vtd_driver d;
	bool scalable;
	struct iommu_pages pages;
	uint64_t free_page;
	uint64_t *links;
	struct space spaces[SPACES];
	uint64_t seed;
	uint64_t successes, failures, stale;
};

static uint64_t pick(struct world *w, uint64_t below)
{
	return rand_u64(&w->seed) % below;
}

static uint64_t take_page(void *context)
{
	struct world *w = context;
	uint64_t page = w->free_page;

	if (!page)
		return w->d.next_page + 4096 > w->d.size ? 0 : vtd_driver_page(&w->d);
	w->free_page = w->links[page >> 12];
	memset(w->d.memory + page, 0, 4096);
	return page;
}

static void give_page(void *context, uint64_t page)
{
	struct world *w = context;

	/* Whoever still walks it is led astray. */
	memset(w->d.memory + page, 0xff, 4096);
	w->links[page >> 12] = w->free_page;
	w->free_page = page;
}

static _Atomic uint64_t *page_words(void *context, uint64_t page)
{
	return (void *)(((struct world *)context)->d.memory + page);
}

static uint64_t *page_link(void *context, uint64_t page)
{
	return &((struct world *)context)->links[page >> 12];
}

/* A second stage under the nested one: what is, where it is. */
static uint64_t identity_table(struct world *w)
{
	uint64_t root = vtd_driver_page(&w->d);

	for (uint64_t at = 0; at < UINT64_C(1) << 40; at += UINT64_C(1) << 30)
		vtd_driver_map(&w->d, root, 4, &(struct vtd_driver_mapping){ at, at, 30, 3 });
	return root;
}

static void attach_scalable(struct world *w, struct space *s)
{
	uint64_t entry, type, second = s->builder.root;

	vtd_driver_scalable_context(&w->d, s->source, 1 | field_mask(SPEC_VTD_SMCONTEXT_0_PASIDE),
				    0);
	entry = vtd_driver_pasid_entry(&w->d, s->source, s->kind == SECOND ? 0 : s->pasid);
	if (s->kind == NESTED)
		second = identity_table(w);
	type = s->kind == SECOND  ? SPEC_VTD_PGTT_SECOND
	       : s->kind == FIRST ? SPEC_VTD_PGTT_FIRST
				  : SPEC_VTD_PGTT_NESTED;
	if (s->kind != SECOND)
		vtd_driver_put(&w->d, entry + 16,
			       s->builder.root |
				       field_make(SPEC_VTD_PASID_2_FSPM, s->builder.levels == 5));
	vtd_driver_put(&w->d, entry + 8, s->domain | field_mask(SPEC_VTD_PASID_1_PWSNP));
	vtd_driver_put(
		&w->d, entry,
		1 | field_make(SPEC_VTD_PASID_0_PGTT, type) |
			(s->kind != FIRST ? second | field_make(SPEC_VTD_PASID_0_AW, 2) : 0));
}

static void start_space(struct world *w, unsigned number, enum kind kind, unsigned levels)
{
	struct space *s = &w->spaces[number];

	s->kind = kind;
	s->source = (uint16_t)(0x0100 + number * 0x81);
	s->domain = (uint16_t)(20 + number);
	s->pasid = kind == SECOND ? IOMMU_NO_PASID : PASID_BASE + number;
	s->builder = (struct iommu_builder){
		.format = kind == SECOND ? IOMMU_VTD_SECOND_LEVEL : IOMMU_VTD_FIRST_LEVEL,
		.levels = levels,
		.page_sizes = IOMMU_PAGES_2M | IOMMU_PAGES_1G,
		.pages = &w->pages,
	};
	must(iommu_builder_init(&s->builder) == 0);
	if (w->scalable)
		attach_scalable(w, s);
	else
		vtd_driver_context(&w->d, s->source, s->builder.root | 1,
				   vtd_driver_context_high(s->domain, levels));
}

static void start(struct world *w, bool scalable)
{
	static const enum kind kinds[] = { SECOND, FIRST, FIRST, NESTED };
	static const unsigned levels[] = { 4, 4, 5, 4 };

	*w = (struct world){ .scalable = scalable, .seed = check_seed() };
	vtd_driver_start(&w->d, 1 << 24, &(struct vtd_config){ .iotlb_sets = 64 });
	w->links = calloc(w->d.size >> 12, sizeof *w->links);
	w->pages = (struct iommu_pages){ take_page, give_page, page_words, page_link, w };
	for (unsigned i = 0; i < SPACES; i++)
		start_space(w, i, scalable ? kinds[i] : SECOND, scalable ? levels[i] : 3 + i % 3);
	vtd_driver_enable(&w->d, scalable ? SPEC_VTD_TTM_SCALABLE : SPEC_VTD_TTM_LEGACY);
}

static void stop(struct world *w)
{
	for (unsigned i = 0; i < SPACES; i++)
		iommu_builder_fini(&w->spaces[i].builder);
	free(w->links);
	vtd_driver_stop(&w->d);
}

/* Invalidation: forgets what caches may have had in first..last. */
static void forget(struct space *s, uint64_t first, uint64_t last)
{
	for (uint64_t i = 0; i < FINE; i++)
		if (FINE_BASE + (i << 12) >= first && FINE_BASE + (i << 12) <= last)
			s->fine[i].old_count = 0;
	for (uint64_t i = 0; i < COARSE; i++)
		if (COARSE_BASE + (i << 21) >= first && COARSE_BASE + (i << 21) <= last)
			s->coarse[i].old_count = 0;
}

static void reclaim(struct space *s)
{
	iommu_builder_reclaim(&s->builder);
	s->to_reclaim = false;
}

static void flush(struct world *w, struct space *s)
{
	if (s->kind == SECOND) {
		assert_true(vtd_driver_flush_domain(&w->d, s->domain));
	} else {
		vtd_driver_submit(&w->d,
				  SPEC_VTD_QI_PASID_IOTLB |
					  field_make(SPEC_VTD_QI_0_G, SPEC_VTD_PASID_IOTLB_ALL) |
					  field_make(SPEC_VTD_QI_0_DID, s->domain) |
					  field_make(SPEC_VTD_QI_0_PASID, s->pasid),
				  0);
		assert_true(vtd_driver_wait(&w->d));
	}
	forget(s, 0, UINT64_MAX);
	reclaim(s);
}

static void flush_all(struct world *w)
{
	assert_true(vtd_driver_flush(&w->d));
	for (unsigned i = 0; i < SPACES; i++) {
		forget(&w->spaces[i], 0, UINT64_MAX);
		reclaim(&w->spaces[i]);
	}
}

/* Pages of a range, by one descriptor whose mask covers it. */
static void flush_range(struct world *w, struct space *s, uint64_t first, uint64_t size)
{
	unsigned mask = 0;

	while (mask < 18 && (first >> (12 + mask)) != (first + size - 1) >> (12 + mask))
		mask++;
	if (first >> (12 + mask) != (first + size - 1) >> (12 + mask)) {
		flush(w, s);
		return;
	}
	first = first >> (12 + mask) << (12 + mask);
	if (s->kind == SECOND) {
		assert_true(vtd_driver_flush_pages(&w->d, s->domain, first, mask));
	} else {
		vtd_driver_submit(&w->d,
				  SPEC_VTD_QI_PASID_IOTLB |
					  field_make(SPEC_VTD_QI_0_G, SPEC_VTD_PASID_IOTLB_PAGES) |
					  field_make(SPEC_VTD_QI_0_DID, s->domain) |
					  field_make(SPEC_VTD_QI_0_PASID, s->pasid),
				  first | mask);
		assert_true(vtd_driver_wait(&w->d));
	}
	forget(s, first, first + ((UINT64_C(1) << (12 + mask)) - 1));
}

struct range {
	bool fine;
	uint64_t index, count; /* of cells */
};

static struct range pick_range(struct world *w)
{
	struct range r = { .fine = pick(w, 4) != 0 };
	uint64_t cells = r.fine ? FINE : COARSE, most = pick(w, 8) ? 8 : cells;

	r.index = pick(w, cells);
	r.count = 1 + pick(w, most);
	if (pick(w, 4)) { /* some are hot */
		r.index = pick(w, 16);
		r.count = 1 + pick(w, 4);
	}
	if (pick(w, 16) == 0) { /* aligned, so that large pages come about */
		r.index &= ~UINT64_C(511);
		r.count = 512;
	}
	r.count = min_u64(r.count, cells - r.index);
	return r;
}

static struct iommu_range range_of(const struct range *r)
{
	unsigned shift = r->fine ? 12 : 21;

	return (struct iommu_range){ (r->fine ? FINE_BASE : COARSE_BASE) + (r->index << shift),
				     r->count << shift };
}

/* Whether a cell has forgotten what it was: then the driver must flush before it goes on. */
static bool change_cells(struct space *s, const struct range *r, struct translation to)
{
	struct cell *cells = r->fine ? s->fine : s->coarse;
	bool full = false;

	for (uint64_t i = r->index; i < r->index + r->count; i++) {
		struct cell *c = &cells[i];

		if (c->now.rights) {
			c->old[c->old_count++] = c->now;
			full |= c->old_count == OLD;
		}
		c->now = to;
		to.target += UINT64_C(1) << (r->fine ? 12 : 21);
	}
	return full;
}

static void change(struct world *w, struct space *s)
{
	struct range r = pick_range(w);
	struct translation to = { 0 };
	int result;

	if (pick(w, 3)) {
		uint8_t rights = s->kind == SECOND ? 1 + pick(w, 3) : 1 + 2 * pick(w, 2);
		uint64_t align = pick(w, 2) ? 12 : 30;

		to = (struct translation){ (UINT64_C(2) << 32) + (pick(w, 1 << 9) << align) +
						   (r.index << (r.fine ? 12 : 21) &
						    ((UINT64_C(1) << 30) - 1)),
					   rights };
		result = iommu_builder_map(&s->builder, range_of(&r), to.target, rights);
	} else {
		result = iommu_builder_unmap(&s->builder, range_of(&r));
	}
	if (result == -ENOMEM) {
		flush_all(w);
		return;
	}
	assert_in_range(result, 0, 1);
	s->to_reclaim |= result;
	if (change_cells(s, &r, to))
		flush(w, s);
	else if (result && pick(w, 3) == 0)
		flush_range(w, s, range_of(&r).iova, range_of(&r).size);
}

static bool is_allowed(const struct translation *t, uint64_t offset,
		       const struct iommu_answer *answer, uint8_t access)
{
	return t->rights && (t->rights & access) == access &&
	       answer->address == t->target + offset && answer->rights == t->rights;
}

static void check_answer(struct world *w, const struct cell *c, uint64_t offset, uint8_t access,
			 const struct iommu_answer *answer)
{
	if (answer->outcome != IOMMU_OK) {
		w->failures++;
		if (c->now.rights && (c->now.rights & access) == access)
			fail_msg("refused (reason %xh) what is mapped", answer->reason);
		return;
	}
	w->successes++;
	if (is_allowed(&c->now, offset, answer, access))
		return;
	w->stale++;
	for (unsigned i = 0; i < c->old_count; i++)
		if (is_allowed(&c->old[i], offset, answer, access))
			return;
	fail_msg("%" PRIx64 " rights %u is neither mapped nor was (now %" PRIx64 " rights %u)",
		 answer->address, answer->rights, c->now.target, c->now.rights);
}

static void use(struct world *w, struct space *s)
{
	struct range r = pick_range(w);
	uint64_t start = range_of(&r).iova;

	for (unsigned i = 0; i < 4; i++) {
		uint64_t cell = r.index + pick(w, r.count);
		uint64_t offset = pick(w, UINT64_C(1) << (r.fine ? 12 : 21));
		struct iommu_request request = {
			.source = s->source,
			.access = (uint8_t)(1 + pick(w, 3)),
			.pasid = s->pasid,
			.address = start + ((cell - r.index) << (r.fine ? 12 : 21)) + offset,
		};
		struct iommu_answer answer = vtd_driver_request(&w->d, &request);

		check_answer(w, r.fine ? &s->fine[cell] : &s->coarse[cell], offset, request.access,
			     &answer);
	}
}

/* A function goes over to another space for a while, as the specification has it done. */
static void swap_contexts(struct world *w, struct space *a, struct space *b)
{
	uint16_t source = a->source;

	if (w->scalable)
		return;
	a->source = b->source;
	b->source = source;
	for (unsigned i = 0; i < 2; i++) {
		struct space *s = i ? b : a, *other = i ? a : b;

		vtd_driver_context(&w->d, s->source, s->builder.root | 1,
				   vtd_driver_context_high(s->domain, s->builder.levels));
		vtd_driver_submit(&w->d,
				  SPEC_VTD_QI_CONTEXT |
					  field_make(SPEC_VTD_QI_0_G, SPEC_VTD_GRANULARITY_FINE) |
					  field_make(SPEC_VTD_QI_0_DID, other->domain) |
					  field_make(SPEC_VTD_QI_CONTEXT_0_SID, s->source),
				  0);
	}
	flush(w, a);
	flush(w, b);
}

static void check_no_error(struct world *w)
{
	uint64_t status = vtd_driver_read(&w->d, SPEC_VTD_FSTS);

	assert_int_equal(status & ~(field_mask(SPEC_VTD_FSTS_PPF) | field_mask(SPEC_VTD_FSTS_PFO) |
				    field_mask(SPEC_VTD_FSTS_FRI)),
			 0);
	for (unsigned i = 0; i < 8; i++)
		vtd_write(w->d.vtd, 0x22c + i * 16, 4, 0x80000000);
	vtd_driver_write(&w->d, SPEC_VTD_FSTS, field_mask(SPEC_VTD_FSTS_PFO));
}

static void step(struct world *w)
{
	struct space *s = &w->spaces[pick(w, SPACES)];
	struct range r;

	switch (pick(w, 32)) {
	case 0:
		if (pick(w, 4) == 0)
			flush(w, s);
		break;
	case 1:
		if (pick(w, 4) == 0)
			flush_all(w);
		else if (pick(w, 4) == 0)
			swap_contexts(w, s, &w->spaces[pick(w, SPACES)]);
		break;
	case 2:
	case 3:
		r = pick_range(w);
		flush_range(w, s, range_of(&r).iova, range_of(&r).size);
		break;
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
		change(w, s);
		break;
	default:
		use(w, s);
	}
}

static void run(bool scalable)
{
	static struct world w;

	start(&w, scalable);
	for (unsigned i = 0; i < STEPS; i++) {
		step(&w);
		if (i % 64 == 0)
			check_no_error(&w);
	}
	fprintf(stderr,
		"# %" PRIu64 " accesses reached, %" PRIu64 " of them by what caches had, %" PRIu64
		" were refused\n",
		w.successes, w.stale, w.failures);
	/* All three happened often, or the test has shown nothing. */
	assert_true(w.successes > STEPS / 4 && w.failures > STEPS / 4);
	assert_true(w.stale > STEPS / 100);
	stop(&w);
}

static void legacy_mode_does_what_the_model_says(void **state)
{
	(void)state;
	run(false);
}

static void scalable_mode_does_what_the_model_says(void **state)
{
	(void)state;
	run(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(legacy_mode_does_what_the_model_says),
		cmocka_unit_test(scalable_mode_does_what_the_model_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
