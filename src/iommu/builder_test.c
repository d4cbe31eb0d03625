#include "iommu/builder.h"

#include "spec/page_tables.h"
#include "tests/check.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* Physical memory for tables: page n is at BASE + n pages. */
enum { POOL = 8192, SEGMENTS = 4096 };
#define BASE UINT64_C(0x7f0000000000)

struct pool {
	_Atomic uint64_t (*pages)[SPEC_TABLE_ENTRIES];
	uint64_t link[POOL];
	unsigned free[POOL];
	unsigned free_count, limit; /* takes that succeed until then */
	bool used[POOL];
};

static uint64_t index_of(uint64_t page)
{
	assert_true(page >= BASE && page % SPEC_TABLE_SIZE == 0);
	assert_true((page - BASE) / SPEC_TABLE_SIZE < POOL);
	return (page - BASE) / SPEC_TABLE_SIZE;
}

static uint64_t take(void *context)
{
	struct pool *pool = context;
	unsigned n;

	if (!pool->limit || !pool->free_count)
		return 0;
	pool->limit--;
	n = pool->free[--pool->free_count];
	assert_false(pool->used[n]);
	pool->used[n] = true;
	memset(pool->pages[n], 0, SPEC_TABLE_SIZE);
	return BASE + n * (uint64_t)SPEC_TABLE_SIZE;
}

static void give(void *context, uint64_t page)
{
	struct pool *pool = context;
	uint64_t n = index_of(page);

	assert_true(pool->used[n]);
	pool->used[n] = false;
	memset(pool->pages[n], 0xff, SPEC_TABLE_SIZE); /* who still reads it notices */
	pool->free[pool->free_count++] = (unsigned)n;
}

static _Atomic uint64_t *words(void *context, uint64_t page)
{
	struct pool *pool = context;

	assert_true(pool->used[index_of(page)]);
	return pool->pages[index_of(page)];
}

static uint64_t *link_of(void *context, uint64_t page)
{
	return &((struct pool *)context)->link[index_of(page)];
}

static void pool_open(struct pool *pool, struct iommu_pages *pages)
{
	memset(pool, 0, sizeof *pool);
	pool->pages = aligned_alloc(SPEC_TABLE_SIZE, POOL * SPEC_TABLE_SIZE);
	assert_non_null(pool->pages);
	for (unsigned i = 0; i < POOL; i++)
		pool->free[pool->free_count++] = i;
	pool->limit = UINT32_MAX;
	*pages = (struct iommu_pages){ take, give, words, link_of, pool };
}

static void pool_close(struct pool *pool)
{
	assert_int_equal(pool->free_count, POOL); /* nothing was lost */
	free(pool->pages);
}

/* The plain model: disjoint ranges in ascending order. */
struct segment {
	uint64_t iova, size, target;
	uint8_t rights;
};

struct model {
	struct segment rows[SEGMENTS];
	unsigned count;
};

static void model_insert(struct model *m, unsigned at, struct segment row)
{
	assert_true(m->count < SEGMENTS);
	memmove(&m->rows[at + 1], &m->rows[at], (m->count - at) * sizeof m->rows[0]);
	m->rows[at] = row;
	m->count++;
}

static struct segment cut(const struct segment *row, uint64_t from, uint64_t to)
{
	return (struct segment){ from, to - from, row->target + (from - row->iova), row->rights };
}

static void model_unmap(struct model *m, uint64_t iova, uint64_t size)
{
	uint64_t end = iova + size;

	for (unsigned i = 0; i < m->count; i++) {
		struct segment row = m->rows[i];
		uint64_t row_end = row.iova + row.size;

		if (row_end <= iova || row.iova >= end)
			continue;
		memmove(&m->rows[i], &m->rows[i + 1], (m->count - i - 1) * sizeof row);
		m->count--;
		if (row_end > end)
			model_insert(m, i, cut(&row, end, row_end));
		if (row.iova < iova)
			model_insert(m, i, cut(&row, row.iova, iova));
		else
			i--; /* the next one is here now, or the rest, which is passed by */
	}
}

static bool model_has(const struct model *m, uint64_t iova, uint64_t size)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->rows[i].iova < iova + size && iova < m->rows[i].iova + m->rows[i].size)
			return true;
	return false;
}

static void model_map(struct model *m, struct segment row)
{
	unsigned at = 0;

	model_unmap(m, row.iova, row.size);
	while (at < m->count && m->rows[at].iova < row.iova)
		at++;
	model_insert(m, at, row);
}

static bool follows(const struct segment *a, const struct segment *b)
{
	return a->iova + a->size == b->iova && a->target + a->size == b->target &&
	       a->rights == b->rights;
}

static void model_join(struct model *m)
{
	for (unsigned i = 0; i + 1 < m->count;) {
		if (!follows(&m->rows[i], &m->rows[i + 1])) {
			i++;
			continue;
		}
		m->rows[i].size += m->rows[i + 1].size;
		memmove(&m->rows[i + 1], &m->rows[i + 2], (m->count - i - 2) * sizeof m->rows[0]);
		m->count--;
	}
}

/* What the tables say, read by the specifications' own words and not by the builder's. */
struct reading {
	struct pool *pool;
	enum iommu_format format;
	uint8_t sizes;
	struct model found;
	uint64_t tables;
};

static uint64_t word_at(struct pool *pool, uint64_t table, unsigned i)
{
	return atomic_load(&words(pool, table)[i]);
}

/* 0: nothing, 1: a page, 2: a table. */
static int kind_of(enum iommu_format format, unsigned level, uint64_t e)
{
	if (format == IOMMU_AMD) {
		if (!(e & 1))
			return 0;
		assert_int_equal(e >> 57 & 0xf, 0); /* reserved, and FC */
		if ((e >> 9 & 7) == 0)
			return 1;
		assert_int_equal(e >> 9 & 7, level - 1);
		assert_int_equal(e >> 61 & 3, 3);
		return 2;
	}
	if (format == IOMMU_VTD_FIRST_LEVEL) {
		if (!(e & 1))
			return 0;
		assert_int_equal(e >> 52 & 0x7ff, 0);
		return level > 1 && !(e & 0x80) ? 2 : 1;
	}
	if (!(e & 3)) {
		assert_int_equal(e, 0);
		return 0;
	}
	assert_int_equal(e >> 52, 0);
	return level > 1 && !(e & 0x80) ? 2 : 1;
}

static uint8_t rights_of(enum iommu_format format, uint64_t e)
{
	if (format == IOMMU_AMD)
		return (uint8_t)(e >> 61 & 3);
	if (format == IOMMU_VTD_FIRST_LEVEL)
		return (uint8_t)(1 | (e & 2) | (e >> 63 ? 0 : 4));
	return e & 3;
}

/* Whether 512 entries say what one page above them would. */
static bool could_be_one(struct reading *r, unsigned level, uint64_t table)
{
	uint64_t first = word_at(r->pool, table, 0), address = first & UINT64_C(0xffffffffff000);

	if (!(level == 1 && r->sizes & IOMMU_PAGES_2M) &&
	    !(level == 2 && r->sizes & IOMMU_PAGES_1G))
		return false;
	if (address % (UINT64_C(1) << (12 + 9 * level)))
		return false;
	for (unsigned i = 0; i < SPEC_TABLE_ENTRIES; i++) {
		uint64_t e = word_at(r->pool, table, i);

		if (kind_of(r->format, level, e) != 1 ||
		    (e & UINT64_C(0xffffffffff000)) != address + ((uint64_t)i << (3 + 9 * level)) ||
		    rights_of(r->format, e) != rights_of(r->format, first))
			return false;
	}
	return true;
}

static unsigned read_table(struct reading *r, unsigned level, uint64_t table, uint64_t base)
{
	unsigned present = 0;

	r->tables++;
	assert_false(could_be_one(r, level, table));
	for (unsigned i = 0; i < SPEC_TABLE_ENTRIES; i++) {
		uint64_t e = word_at(r->pool, table, i), address = e & UINT64_C(0xffffffffff000);
		uint64_t span = UINT64_C(1) << (3 + 9 * level), iova = base + i * span;
		int kind = kind_of(r->format, level, e);

		present += kind != 0;
		if (kind == 2) /* no table is empty */
			assert_int_not_equal(read_table(r, level - 1, address, iova), 0);
		if (kind != 1)
			continue;
		assert_true(level == 1 || (level == 2 && r->sizes & IOMMU_PAGES_2M) ||
			    (level == 3 && r->sizes & IOMMU_PAGES_1G));
		assert_int_equal(address % span, 0);
		model_insert(&r->found, r->found.count,
			     (struct segment){ iova, span, address, rights_of(r->format, e) });
		model_join(&r->found);
	}
	return present;
}

struct listed {
	const struct iommu_builder *b;
	struct model rows;
};

static void note(void *context, struct iommu_range range, uint64_t target, uint8_t rights)
{
	struct listed *l = context;

	model_insert(&l->rows, l->rows.count,
		     (struct segment){ range.iova, range.size, target, rights });
}

static void expect_same(const struct model *want, const struct model *got, uint64_t mask)
{
	assert_int_equal(got->count, want->count);
	for (unsigned i = 0; i < want->count; i++) {
		assert_int_equal(got->rows[i].iova, want->rows[i].iova & mask);
		assert_int_equal(got->rows[i].size, want->rows[i].size);
		assert_int_equal(got->rows[i].target, want->rows[i].target);
		assert_int_equal(got->rows[i].rights, want->rows[i].rights);
	}
}

struct world {
	struct pool pool;
	struct iommu_pages pages;
	struct iommu_builder b;
	struct model model;
	uint64_t seed, width_mask;
	unsigned made, refused;
};

static void check_tables(struct world *w)
{
	static struct reading r;
	static struct listed l;

	r = (struct reading){ .pool = &w->pool, .format = w->b.format, .sizes = w->b.page_sizes };
	l = (struct listed){ .b = &w->b };
	read_table(&r, w->b.levels, w->b.root, 0);
	assert_int_equal(r.tables, w->b.table_count);
	model_join(&w->model);
	expect_same(&w->model, &r.found, w->width_mask);
	iommu_builder_list(&w->b, note, &l);
	expect_same(&w->model, &l.rows, UINT64_MAX);
}

/* An address that is found or not, as the model has it. */
static void check_find(struct world *w, uint64_t iova)
{
	struct iommu_range range;
	const struct segment *row = NULL;
	uint64_t target;
	uint8_t rights;

	for (unsigned i = 0; i < w->model.count; i++)
		if (iova - w->model.rows[i].iova < w->model.rows[i].size)
			row = &w->model.rows[i];
	assert_int_equal(iommu_builder_find(&w->b, iova, &range, &target, &rights), row != NULL);
	if (!row)
		return;
	assert_true(iova - range.iova < range.size);
	assert_int_equal(target + (iova - range.iova), row->target + (iova - row->iova));
	assert_int_equal(rights, row->rights);
}

static void world_open(struct world *w, enum iommu_format format, unsigned levels, uint8_t sizes)
{
	unsigned width = 12 + 9 * levels < 64 ? 12 + 9 * levels : 64;

	memset(w, 0, sizeof *w);
	pool_open(&w->pool, &w->pages);
	w->b = (struct iommu_builder){
		.format = format, .levels = levels, .page_sizes = sizes, .pages = &w->pages
	};
	w->width_mask = UINT64_MAX >> (64 - width);
	assert_int_equal(iommu_builder_init(&w->b), 0);
}

static void world_close(struct world *w)
{
	iommu_builder_fini(&w->b);
	pool_close(&w->pool);
}

/* One page, some, or whole large pages, a quarter of the address space at most. */
static uint64_t random_size(struct world *w)
{
	static const uint64_t units[] = { 1, 1, 7, 512, 512, 262144, 262144 + 512 };
	uint64_t unit = units[rand_u64(&w->seed) % array_len(units)];
	uint64_t size = unit * (1 + rand_u64(&w->seed) % 3) * SPEC_TABLE_SIZE;

	return size < w->width_mask / 4 ? size : SPEC_TABLE_SIZE;
}

/* Inside a few GiB at the bottom and, rarely, at the top, so that ranges meet.  The last page of
 * all is left to a test of its own: here the end of a range is a number. */
static uint64_t random_iova(struct world *w, uint64_t size)
{
	static const uint64_t aligns[] = { 1, 1, 512, 512, 262144 };
	uint64_t align = aligns[rand_u64(&w->seed) % array_len(aligns)] * SPEC_TABLE_SIZE;
	uint64_t span = min_u64(UINT64_C(5) << 30, (w->width_mask >> 2) + 1);
	uint64_t iova = rand_u64(&w->seed) % span / align * align;
	uint64_t end = w->b.format == IOMMU_VTD_FIRST_LEVEL ? 0 : w->width_mask + 1;

	return rand_u64(&w->seed) % 4 ? iova : end - SPEC_TABLE_SIZE - size - iova;
}

/* Targets mostly have the place of their address in a large page, so that large pages come about,
 * and few bases, so that neighbours join. */
static uint64_t random_target(struct world *w, uint64_t iova, uint64_t size)
{
	uint64_t base = (UINT64_C(16) + rand_u64(&w->seed) % 3 * 16) << 30;

	if (rand_u64(&w->seed) % 8 == 0 && size < UINT64_C(1) << 26)
		base += SPEC_TABLE_SIZE;
	return base + (iova & ((UINT64_C(8) << 30) - 1));
}

static void random_step(struct world *w)
{
	uint64_t size = random_size(w), iova = random_iova(w, size);
	uint64_t target = rand_u64(&w->seed) % 5 < 3 ? random_target(w, iova, size) : 0;
	uint8_t rights = (uint8_t)(1 + rand_u64(&w->seed) % 3);
	struct iommu_range range = { iova, size };
	struct iommu_builder before = w->b;
	unsigned free_before;
	int err;

	if (w->b.format == IOMMU_VTD_FIRST_LEVEL)
		rights = (uint8_t)(1 + rand_u64(&w->seed) % 4 * 2);
	if (rand_u64(&w->seed) % 4 == 0 || w->pool.free_count < POOL / 2)
		iommu_builder_reclaim(&w->b), before = w->b;
	w->pool.limit = rand_u64(&w->seed) % 4 ? UINT32_MAX : (unsigned)(rand_u64(&w->seed) % 4);
	free_before = w->pool.free_count;
	err = target ? iommu_builder_map(&w->b, range, target, rights)
		     : iommu_builder_unmap(&w->b, range);
	w->made += err >= 0;
	w->refused += err < 0;
	/* A merge may be something to invalidate, too. */
	assert_true(err != 0 || !model_has(&w->model, iova, size));
	if (err < 0) {
		assert_int_equal(err, -ENOMEM);
		assert_true(w->pool.limit < 4);
		assert_int_equal(w->pool.free_count, free_before);
		assert_memory_equal(&w->b, &before, sizeof before);
	} else if (target) {
		model_map(&w->model, (struct segment){ iova, size, target, rights });
	} else {
		model_unmap(&w->model, iova, size);
	}
}

static void random_changes(enum iommu_format format, unsigned levels, uint8_t sizes, uint64_t seed)
{
	static struct world w;

	world_open(&w, format, levels, sizes);
	w.seed = seed;
	for (unsigned step = 0; step < 600; step++) {
		random_step(&w);
		for (unsigned i = 0; i < 8; i++)
			check_find(&w, random_iova(&w, 4096) + rand_u64(&w.seed) % 4096);
		if (step % 8 == 0)
			check_tables(&w);
	}
	check_tables(&w);
	assert_true(w.made > 100 && (w.refused > 5 || levels < 3));
	world_close(&w);
}

static void random_changes_agree_with_a_plain_model_in_every_format(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned levels = 3; levels <= 5; levels++) {
		random_changes(IOMMU_VTD_SECOND_LEVEL, levels, 3, rand_u64(&seed));
		random_changes(IOMMU_VTD_FIRST_LEVEL, levels, 3, rand_u64(&seed));
	}
	for (unsigned levels = 2; levels <= IOMMU_LEVELS_MAX; levels++)
		random_changes(IOMMU_AMD, levels, 3, rand_u64(&seed));
	random_changes(IOMMU_VTD_SECOND_LEVEL, 4, IOMMU_PAGES_2M, rand_u64(&seed));
}

#define KB(n) ((uint64_t)(n) << 10)
#define MB(n) ((uint64_t)(n) << 20)
#define GB(n) ((uint64_t)(n) << 30)

static int map(struct world *w, uint64_t iova, uint64_t size, uint64_t target)
{
	int err = iommu_builder_map(&w->b, (struct iommu_range){ iova, size }, target, 3);

	return err < 0 ? err : 0;
}

static int unmap(struct world *w, uint64_t iova, uint64_t size)
{
	int err = iommu_builder_unmap(&w->b, (struct iommu_range){ iova, size });

	return err < 0 ? err : 0;
}

static uint64_t page_at(struct world *w, uint64_t iova)
{
	struct iommu_range range = { 0 };
	uint64_t target;
	uint8_t rights;

	return iommu_builder_find(&w->b, iova, &range, &target, &rights) ? range.size : 0;
}

static void the_largest_pages_that_fit_are_taken(void **state)
{
	static struct world w;

	(void)state;
	world_open(&w, IOMMU_VTD_SECOND_LEVEL, 4, 3);
	/* 4 KiB + 2 MiB + 1 GiB + 2 MiB + 4 KiB around the second GiB */
	assert_int_equal(
		map(&w, GB(1) - MB(2) - KB(4), GB(1) + MB(4) + KB(8), GB(9) - MB(2) - KB(4)), 0);
	assert_int_equal(page_at(&w, GB(1) - MB(2) - KB(4)), KB(4));
	assert_int_equal(page_at(&w, GB(1) - MB(2)), MB(2));
	assert_int_equal(page_at(&w, GB(1)), GB(1));
	assert_int_equal(page_at(&w, GB(2) + MB(2) - 1), MB(2));
	assert_int_equal(page_at(&w, GB(2) + MB(2)), KB(4));
	assert_int_equal(page_at(&w, GB(2) + MB(2) + KB(4)), 0);
	/* one of the top, one of level 3, and two times one of levels 2 and 1 */
	assert_int_equal(w.b.table_count, 6);
	/* A target that is off by 4 KiB leaves no choice. */
	assert_int_equal(map(&w, GB(1), MB(4), GB(32) + KB(4)), 0);
	assert_int_equal(page_at(&w, GB(1)), KB(4));
	assert_int_equal(page_at(&w, GB(1) + MB(4)), MB(2));
	world_close(&w);
}

static void what_was_split_is_merged_again(void **state)
{
	static struct world w;

	(void)state;
	world_open(&w, IOMMU_VTD_FIRST_LEVEL, 5, 3);
	assert_int_equal(map(&w, GB(4), GB(2), GB(40)), 0);
	assert_int_equal(w.b.table_count, 3);
	assert_int_equal(unmap(&w, GB(4) + MB(6) + KB(4), KB(4)), 0);
	assert_int_equal(w.b.table_count, 5);
	assert_int_equal(page_at(&w, GB(4)), MB(2));
	assert_int_equal(page_at(&w, GB(4) + MB(6)), KB(4));
	assert_int_equal(page_at(&w, GB(4) + MB(6) + KB(4)), 0);
	assert_int_equal(map(&w, GB(4) + MB(6) + KB(4), KB(4), GB(40) + MB(6) + KB(4)), 0);
	assert_int_equal(page_at(&w, GB(4) + MB(6)), GB(1));
	assert_int_equal(w.b.table_count, 3);
	assert_int_not_equal(w.b.retired, 0);
	iommu_builder_reclaim(&w.b);
	assert_int_equal(w.b.retired, 0);
	assert_int_equal(unmap(&w, 0, GB(512)), 0);
	assert_int_equal(w.b.table_count, 1);
	world_close(&w);
}

/* A 1 GiB page grows out of 4 KiB pages in any order. */
static void single_pages_grow_into_large_ones(void **state)
{
	static struct world w;

	(void)state;
	world_open(&w, IOMMU_AMD, 4, 3);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(map(&w, GB(3) + MB(2) + i * 37 % 512 * KB(4), KB(4),
				     GB(7) + MB(2) + i * 37 % 512 * KB(4)),
				 0);
	assert_int_equal(page_at(&w, GB(3) + MB(2)), MB(2));
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(
			map(&w, GB(3) + i * 99 % 512 * MB(2), MB(2), GB(7) + i * 99 % 512 * MB(2)),
			0);
	assert_int_equal(page_at(&w, GB(3)), GB(1));
	assert_int_equal(w.b.table_count, 2);
	/* Another right keeps them apart. */
	assert_int_equal(iommu_builder_map(&w.b, (struct iommu_range){ GB(3), KB(4) }, GB(7), 1),
			 1);
	assert_int_equal(page_at(&w, GB(3)), KB(4));
	assert_int_equal(page_at(&w, GB(3) + MB(2)), MB(2));
	world_close(&w);
}

static void accessed_and_dirty_pages_stay_that_when_split_and_merged(void **state)
{
	enum { DIRTY = 0x300 };
	static struct world w;
	uint64_t level3, level2;

	(void)state;
	world_open(&w, IOMMU_VTD_SECOND_LEVEL, 3, 3);
	assert_int_equal(map(&w, 0, GB(1), GB(1)), 0);
	atomic_fetch_or(&words(&w.pool, w.b.root)[0], DIRTY);
	assert_int_equal(unmap(&w, MB(2), MB(2)), 0);
	level2 = word_at(&w.pool, w.b.root, 0) & UINT64_C(0xffffffffff000);
	for (unsigned i = 0; i < SPEC_TABLE_ENTRIES; i++)
		assert_int_equal(word_at(&w.pool, level2, i) & DIRTY, i == 1 ? 0 : DIRTY);
	/* Only one of them is still dirty when they become one page again. */
	for (unsigned i = 0; i < SPEC_TABLE_ENTRIES; i++)
		if (i != 300)
			atomic_fetch_and(&words(&w.pool, level2)[i], ~(uint64_t)DIRTY);
	assert_int_equal(map(&w, MB(2), MB(2), GB(1) + MB(2)), 0);
	level3 = word_at(&w.pool, w.b.root, 0);
	assert_int_equal(level3 & DIRTY, DIRTY);
	assert_int_equal(level3 & 0x80, 0x80);
	world_close(&w);
}

/* Every take fails in its turn; the three tables that there are stay as they were. */
static void a_change_for_which_there_is_no_memory_changes_nothing(void **state)
{
	enum { TABLES = 3, SIZE = TABLES * SPEC_TABLE_SIZE };
	static uint8_t before[SIZE];
	static struct world w;
	unsigned failed = 0;

	(void)state;
	world_open(&w, IOMMU_VTD_SECOND_LEVEL, 5, 3);
	assert_int_equal(map(&w, 0, GB(8), GB(16)), 0);
	assert_int_equal(w.b.table_count, TABLES);
	memcpy(before, w.pool.pages[POOL - TABLES], SIZE);
	for (;; failed++) {
		w.pool.limit = failed;
		if (map(&w, GB(1) - KB(4), GB(1) + KB(8), GB(64) + KB(4)) == 0)
			break;
		assert_int_equal(w.pool.free_count, POOL - TABLES);
		assert_memory_equal(before, w.pool.pages[POOL - TABLES], SIZE);
		w.pool.limit = failed % 4;
		assert_int_equal(unmap(&w, GB(3) - KB(4), KB(8)), -ENOMEM);
		assert_int_equal(w.pool.free_count, POOL - TABLES);
		assert_memory_equal(before, w.pool.pages[POOL - TABLES], SIZE);
	}
	/* a page of 1 GiB split down to 4 KiB at either end, and one that holds nothing else */
	assert_int_equal(failed, 2 + 513 + 2);
	w.pool.limit = 4;
	assert_int_equal(unmap(&w, GB(5) - KB(4), KB(8)), 0);
	world_close(&w);
}

static void what_there_is_to_invalidate_is_said(void **state)
{
	static const struct {
		uint64_t iova, size, target; /* target 0: unmap */
		int want;
	} rows[] = {
		{ MB(4), MB(1), GB(1), 0 },
		{ MB(5), MB(1) - KB(4), GB(1) + MB(1), 0 },
		{ MB(6) - KB(4), KB(4), GB(1) + MB(2) - KB(4), 1 }, /* the table is merged */
		{ MB(6), MB(2), 0, 0 },
		{ MB(4), KB(4), 0, 1 },
		{ MB(4), KB(4), 0, 0 },
		{ MB(4), KB(8), GB(3), 1 }, /* the second of them was there */
		{ MB(4), KB(8), GB(3), 1 }, /* the same again: the caller need not know */
	};
	static struct world w;

	(void)state;
	world_open(&w, IOMMU_VTD_SECOND_LEVEL, 4, 3);
	for (unsigned i = 0; i < array_len(rows); i++) {
		struct iommu_range range = { rows[i].iova, rows[i].size };

		assert_int_equal(rows[i].target ? iommu_builder_map(&w.b, range, rows[i].target, 3) :
						  iommu_builder_unmap(&w.b, range),
				 rows[i].want);
	}
	world_close(&w);
}

static void what_cannot_be_mapped_is_refused(void **state)
{
	static const struct {
		enum iommu_format format;
		uint64_t iova, size, target;
		uint8_t rights;
		int want;
	} rows[] = {
		{ IOMMU_VTD_SECOND_LEVEL, 0, 0, 0, 3, -EINVAL },
		{ IOMMU_VTD_SECOND_LEVEL, 0x1001, 0x1000, 0, 3, -EINVAL },
		{ IOMMU_VTD_SECOND_LEVEL, 0x1000, 0x1800, 0, 3, -EINVAL },
		{ IOMMU_VTD_SECOND_LEVEL, 0x1000, 0x1000, 0x10, 3, -EINVAL },
		{ IOMMU_VTD_SECOND_LEVEL, 0x1000, 0x1000, 0x1000, 0, -EINVAL },
		{ IOMMU_VTD_SECOND_LEVEL, 0x1000, 0x1000, 0x1000, IOMMU_EXECUTE, -EINVAL },
		{ IOMMU_VTD_FIRST_LEVEL, 0x1000, 0x1000, 0x1000, IOMMU_WRITE, -EINVAL },
		{ IOMMU_VTD_SECOND_LEVEL, 0x1000, 0x1000, 0x1000, IOMMU_WRITE, 0 },
		{ IOMMU_VTD_SECOND_LEVEL, UINT64_C(1) << 48, 0x1000, 0x1000, 3, -EINVAL },
		{ IOMMU_VTD_SECOND_LEVEL, (UINT64_C(1) << 48) - 0x1000, 0x2000, 0x1000, 3,
		  -EINVAL },
		{ IOMMU_VTD_SECOND_LEVEL, (UINT64_C(1) << 48) - 0x1000, 0x1000, 0x1000, 3, 0 },
		{ IOMMU_VTD_SECOND_LEVEL, UINT64_MAX - 0xfff, 0x2000, 0x1000, 3, -EINVAL },
		{ IOMMU_VTD_SECOND_LEVEL, 0, 0x1000, UINT64_C(1) << 52, 3, -EINVAL },
		{ IOMMU_VTD_SECOND_LEVEL, 0, 0x2000, (UINT64_C(1) << 52) - 0x1000, 3, -EINVAL },
		{ IOMMU_VTD_SECOND_LEVEL, 0, 0x1000, (UINT64_C(1) << 52) - 0x1000, 3, 0 },
		{ IOMMU_VTD_FIRST_LEVEL, UINT64_C(1) << 47, 0x1000, 0x1000, 3, -EINVAL },
		{ IOMMU_VTD_FIRST_LEVEL, (UINT64_C(1) << 47) - 0x1000, 0x2000, 0x1000, 3, -EINVAL },
		{ IOMMU_VTD_FIRST_LEVEL, (UINT64_C(1) << 47) - 0x1000, 0x1000, 0x1000, 3, 0 },
		{ IOMMU_VTD_FIRST_LEVEL, UINT64_C(0xffff7ffffffff000), 0x1000, 0x1000, 3, -EINVAL },
		{ IOMMU_VTD_FIRST_LEVEL, UINT64_C(0xffff800000000000), 0x1000, 0x1000, 3, 0 },
		{ IOMMU_VTD_FIRST_LEVEL, UINT64_MAX - 0xfff, 0x1000, 0x1000, 3, 0 },
		{ IOMMU_AMD, UINT64_C(1) << 48, 0x1000, 0x1000, 3, -EINVAL },
		{ IOMMU_AMD, (UINT64_C(1) << 48) - 0x1000, 0x1000, 0x1000, 3, 0 },
	};
	static struct world w;

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		struct iommu_range range = { rows[i].iova, rows[i].size };

		world_open(&w, rows[i].format, 4, 3);
		assert_int_equal(iommu_builder_map(&w.b, range, rows[i].target, rows[i].rights),
				 rows[i].want);
		if (rows[i].want == 0)
			assert_int_equal(page_at(&w, rows[i].iova), 4096);
		else
			assert_int_equal(w.b.table_count, 1);
		/* to unmap asks less: neither target nor rights */
		if (range.size % 4096 || range.iova % 4096 || !range.size)
			assert_int_equal(iommu_builder_unmap(&w.b, range), -EINVAL);
		world_close(&w);
	}
}

static void the_last_page_of_64_bits_can_be_mapped(void **state)
{
	static struct world w;
	static struct listed l;

	(void)state;
	world_open(&w, IOMMU_AMD, 6, 3);
	assert_int_equal(map(&w, UINT64_MAX - 0x1fff, 0x2000, 0x5000), 0);
	assert_int_equal(page_at(&w, UINT64_MAX), 4096);
	l = (struct listed){ .b = &w.b };
	iommu_builder_list(&w.b, note, &l);
	assert_int_equal(l.rows.count, 1);
	assert_int_equal(l.rows.rows[0].size, 0x2000);
	assert_int_equal(unmap(&w, UINT64_MAX - 0xfff, 0x1000), 0);
	assert_int_equal(page_at(&w, UINT64_MAX), 0);
	assert_int_equal(page_at(&w, UINT64_MAX - 0x1fff), 4096);
	world_close(&w);
	world_open(&w, IOMMU_AMD, 1, 3);
	assert_int_equal(map(&w, 0, MB(2), MB(2)), 0);
	assert_int_equal(page_at(&w, MB(2) - 1), 4096);
	assert_int_equal(w.b.table_count, 1);
	world_close(&w);
}

/* One thread changes what is around and under some pages, another reads these all the time. */
struct walker {
	struct world *w;
	atomic_bool stop;
	_Atomic uint64_t rounds;
	uint64_t wrong;
};

#define KEPT	  MB(6) /* always mapped to GB(8) + itself, by whatever pages */
#define KEPT_SIZE KB(64)

static void *walk(void *arg)
{
	struct walker *walker = arg;

	while (!atomic_load(&walker->stop)) {
		uint64_t at = KEPT + atomic_load(&walker->rounds) * 0x1230 % KEPT_SIZE, target;
		struct iommu_range range;
		uint8_t rights;

		if (!iommu_builder_find(&walker->w->b, at, &range, &target, &rights) ||
		    target - range.iova != GB(8) || rights != 3)
			walker->wrong++;
		atomic_fetch_add(&walker->rounds, 1);
	}
	return NULL;
}

/* The walker has been somewhere else since: what the IOMMU's invalidation gives. */
static void invalidate(struct walker *walker)
{
	uint64_t begun = atomic_load(&walker->rounds);

	while (atomic_load(&walker->rounds) < begun + 2)
		sched_yield();
}

static void who_walks_while_tables_change_finds_what_was_there_all_along(void **state)
{
	static struct world w;
	struct walker walker = { .w = &w };
	pthread_t thread;

	(void)state;
	world_open(&w, IOMMU_VTD_SECOND_LEVEL, 4, 3);
	assert_int_equal(map(&w, 0, GB(1), GB(8)), 0);
	assert_int_equal(pthread_create(&thread, NULL, walk, &walker), 0);
	for (unsigned i = 0; i < 8000; i++) {
		assert_int_equal(unmap(&w, KEPT + KEPT_SIZE, KB(4)), 0); /* splits */
		if (i % 64 == 0) {
			assert_int_equal(unmap(&w, 0, MB(4)), 0);
			assert_int_equal(map(&w, 0, MB(512), GB(8)), 0); /* again, the kept too */
		}
		assert_int_equal(map(&w, KEPT + KEPT_SIZE, KB(4), GB(8) + KEPT + KEPT_SIZE), 0);
		assert_int_equal(page_at(&w, KEPT), GB(1));
		if (i % 64 == 0) {
			invalidate(&walker);
			iommu_builder_reclaim(&w.b);
		}
	}
	atomic_store(&walker.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(walker.wrong, 0);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes_agree_with_a_plain_model_in_every_format),
		cmocka_unit_test(the_largest_pages_that_fit_are_taken),
		cmocka_unit_test(what_was_split_is_merged_again),
		cmocka_unit_test(single_pages_grow_into_large_ones),
		cmocka_unit_test(accessed_and_dirty_pages_stay_that_when_split_and_merged),
		cmocka_unit_test(a_change_for_which_there_is_no_memory_changes_nothing),
		cmocka_unit_test(what_there_is_to_invalidate_is_said),
		cmocka_unit_test(what_cannot_be_mapped_is_refused),
		cmocka_unit_test(the_last_page_of_64_bits_can_be_mapped),
		cmocka_unit_test(who_walks_while_tables_change_finds_what_was_there_all_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
