#include "sim/guard_world.h"

#include "spec/vtd.h"
#include "tests/check.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#define KB(n) ((uint64_t)(n) << 10)
#define MB(n) ((uint64_t)(n) << 20)
#define GB(n) ((uint64_t)(n) << 30)
#define SPACE GB(4) /* of addresses that stand for memory; nobody touches it */

static struct guard_world w;
static struct dma dma[GUARD_WORLD_FUNCTIONS];
static struct counter blocked[GUARD_WORLD_FUNCTIONS];
static uint8_t *const host = (uint8_t *)(uintptr_t)0x500000000000;

static void open_world(unsigned readers)
{
	guard_world_open(&w, readers);
	memset(blocked, 0, sizeof blocked);
	for (unsigned i = 0; i < GUARD_WORLD_FUNCTIONS; i++)
		dma_init(&dma[i], &w.functions[i].domain, &blocked[i]);
}

static int map(unsigned f, uint64_t iova, uint64_t size, uint8_t *to, uint8_t access)
{
	struct iommu_domain *domain = &w.functions[f].domain;

	return domain->ops->map(domain, (struct iommu_range){ iova, size }, to, access);
}

static int unmap(unsigned f, uint64_t iova, uint64_t size)
{
	struct iommu_domain *domain = &w.functions[f].domain;

	return domain->ops->unmap(domain, (struct iommu_range){ iova, size });
}

static void flush(unsigned f)
{
	w.functions[f].domain.ops->flush(&w.functions[f].domain);
}

/* What function 'f' finds at an address; NULL: it is refused. */
static uint8_t *reach(unsigned f, uint64_t iova, enum dma_access access)
{
	uint8_t *at;
	uint32_t got;

	return dma_reach(&dma[f], iova, 1, access, &at, &got) == DMA_OK ? at : NULL;
}

static void a_function_reaches_what_it_is_granted_and_no_other_does(void **state)
{
	static const struct {
		uint64_t iova;
		enum dma_access access;
		unsigned f, reason;
	} bad[] = {
		{ MB(1), DMA_READ, 1, SPEC_VTD_READ_DENIED },
		{ MB(1), DMA_WRITE, 1, SPEC_VTD_WRITE_DENIED },
		{ MB(1) + KB(8), DMA_READ, 0, SPEC_VTD_READ_DENIED },
		{ MB(1) - 1, DMA_WRITE, 0, SPEC_VTD_WRITE_DENIED },
		{ MB(9), DMA_WRITE, 0, SPEC_VTD_WRITE_DENIED },
		{ MB(9), DMA_READ | DMA_WRITE, 0, SPEC_VTD_WRITE_DENIED },
		{ UINT64_C(1) << 48, DMA_READ, 0, SPEC_VTD_ADDRESS_BEYOND_WIDTH },
		{ UINT64_MAX - 7, DMA_READ, 0, SPEC_VTD_ADDRESS_BEYOND_WIDTH },
	};

	(void)state;
	open_world(2);
	assert_int_equal(map(0, MB(1), KB(8), host + KB(4), DMA_READ | DMA_WRITE), 0);
	assert_int_equal(map(0, MB(9), KB(4), host, DMA_READ), 0);
	assert_ptr_equal(reach(0, MB(1), DMA_READ), host + KB(4));
	assert_ptr_equal(reach(0, MB(1) + KB(8) - 1, DMA_WRITE), host + KB(12) - 1);
	assert_ptr_equal(reach(0, MB(9) + 5, DMA_READ), host + 5);
	for (unsigned i = 0; i < array_len(bad); i++) {
		const struct guard_fault *fault = &w.faults[i];

		assert_null(reach(bad[i].f, bad[i].iova, bad[i].access));
		assert_int_equal(w.wakes, i + 1);
		guard_poll(w.guard, i);
		assert_int_equal(w.fault_count, i + 1);
		assert_ptr_equal(w.whose[i], &w.functions[bad[i].f]);
		assert_int_equal(fault->source, 0x100 + bad[i].f);
		assert_int_equal(fault->address, bad[i].iova);
		assert_int_equal(fault->access, bad[i].access);
		assert_int_equal(fault->reason, bad[i].reason);
		assert_false(fault->interrupt);
	}
	assert_int_equal(w.stranger_count, 0);
	assert_int_equal(w.more, 0);
	guard_world_close(&w);
}

/* How much one look tells: the kept range of the last access. */
static uint64_t told(unsigned f, uint64_t iova)
{
	assert_non_null(reach(f, iova, DMA_READ));
	return dma[f].near[DMA_READ].size;
}

static void what_goes_on_without_a_gap_becomes_one_range(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	open_world(1);
	/* A guest of 3 GiB whose pages are of three sizes */
	assert_int_equal(map(0, KB(768), GB(3), host + KB(768), 3), 0);
	assert_true(told(0, GB(1)) > 2 * GB(1));
	/* Wherever it is looked at, what is told joins: in the end one range is all of it. */
	for (unsigned i = 0; i < 1000; i++)
		told(0, KB(768) + rand_u64(&seed) % GB(3));
	for (uint64_t at = KB(768); at < GB(3) + KB(768); at += KB(4))
		told(0, at);
	assert_int_equal(dma[0].near[DMA_READ].first, KB(768));
	assert_int_equal(dma[0].near[DMA_READ].size, GB(3));
	assert_ptr_equal(dma[0].near[DMA_READ].host, host + KB(768));
	/* Pages that lie in another order here do not join. */
	assert_int_equal(map(1, 0, KB(4), host + KB(4), 3), 0);
	assert_int_equal(map(1, KB(4), KB(4), host, 3), 0);
	assert_int_equal(told(1, 0), KB(4));
	/* Nor do those with other rights. */
	assert_int_equal(map(2, 0, KB(4), host, 3), 0);
	assert_int_equal(map(2, KB(4), KB(4), host + KB(4), DMA_READ), 0);
	assert_int_equal(told(2, 0), KB(4));
	assert_int_equal(told(2, KB(4)), KB(4));
	guard_world_close(&w);
}

static void what_was_taken_back_is_not_reached_after_the_flush(void **state)
{
	uint32_t epoch;

	(void)state;
	open_world(2);
	assert_int_equal(map(0, 0, GB(1), host, 3), 0);
	assert_int_equal(map(1, 0, GB(1), host, 3), 0);
	assert_non_null(reach(0, MB(5), DMA_READ));
	assert_non_null(reach(1, MB(5), DMA_READ));
	epoch = dma_epoch(&dma[1]);
	assert_int_equal(unmap(0, MB(4), MB(2)), 0);
	flush(0);
	assert_null(reach(0, MB(5), DMA_READ));
	assert_ptr_equal(reach(0, MB(4) - 1, DMA_READ), host + MB(4) - 1);
	assert_ptr_equal(reach(0, MB(6), DMA_READ), host + MB(6));
	assert_int_equal(dma_epoch(&dma[1]), epoch);
	assert_ptr_equal(dma_near(&dma[1], MB(5), 1, DMA_READ), host + MB(5));
	/* To map over something is to take it back. */
	assert_int_equal(map(0, MB(6), KB(4), host, 3), 0);
	flush(0);
	assert_ptr_equal(reach(0, MB(6), DMA_READ), host);
	/* A flush without anything to take back costs nothing. */
	epoch = dma_epoch(&dma[0]);
	assert_int_equal(map(0, GB(2), KB(4), host, 3), 0);
	flush(0);
	assert_int_equal(dma_epoch(&dma[0]), epoch);
	/* All there is, however it is said. */
	assert_int_equal(unmap(0, 0, UINT64_MAX), 0);
	flush(0);
	assert_null(reach(0, 0, DMA_READ));
	assert_int_equal(unmap(0, UINT64_C(1) << 50, UINT64_MAX), 0);
	assert_int_equal(unmap(1, 0, UINT64_C(1) << 48), 0);
	flush(1);
	assert_null(reach(1, MB(5), DMA_READ));
	guard_world_close(&w);
}

/* A request of 'source', as a device on the bus would make it. */
static enum iommu_outcome request(uint16_t source, enum iommu_address_type type, uint64_t address)
{
	const struct iommu_request request = { .source = source, .type = (uint8_t)type,
					       .access = IOMMU_READ, .pasid = IOMMU_NO_PASID,
					       .address = address };
	struct iommu_answer answer;

	vtd_reader_enter(w.guard->readers[0]);
	vtd_translate(w.guard->readers[0], &request, &answer);
	vtd_reader_leave(w.guard->readers[0]);
	return answer.outcome;
}

static void a_function_that_is_barred_reaches_nothing_until_it_is_let_in(void **state)
{
	struct guard_function *f = &w.functions[2];

	(void)state;
	open_world(2);
	assert_int_equal(map(2, 0, MB(1), host, 3), 0);
	assert_int_equal(map(1, 0, MB(1), host, 3), 0);
	assert_non_null(reach(2, 0, DMA_READ));
	assert_non_null(reach(1, 0, DMA_READ));
	guard_function_bar(f);
	assert_null(dma_near(&dma[2], 0, 1, DMA_READ));
	assert_null(reach(2, 0, DMA_READ));
	assert_int_equal(f->domain.ops->interrupt(&f->domain, 0), -1);
	assert_int_equal(request(0x102, IOMMU_UNTRANSLATED, 0), IOMMU_FAULT);
	assert_non_null(reach(1, 5, DMA_READ));
	/* What is granted meanwhile counts from then on. */
	assert_int_equal(map(2, MB(4), KB(4), host, 3), 0);
	assert_int_equal(unmap(2, 0, KB(4)), 0);
	flush(2);
	guard_function_let_in(f);
	assert_int_equal(guard_function_bind(f, 0x102, 1), 0);
	assert_null(reach(2, 0, DMA_READ));
	assert_ptr_equal(reach(2, MB(4), DMA_READ), host);
	assert_int_equal(f->domain.ops->interrupt(&f->domain, 0), 0);
	guard_world_close(&w);
}

static void a_function_that_moves_keeps_its_grants_and_nobody_else_gets_them(void **state)
{
	struct guard_function *f = &w.functions[0];

	(void)state;
	open_world(2);
	assert_int_equal(map(0, 0, MB(1), host, 3), 0);
	assert_non_null(reach(0, 0, DMA_READ));
	guard_function_unbind(f);
	assert_int_equal(request(0x100, IOMMU_UNTRANSLATED, 0), IOMMU_FAULT);
	assert_ptr_equal(reach(0, 7, DMA_READ), host + 7); /* by its tables */
	assert_int_equal(f->domain.ops->interrupt(&f->domain, 3), -1);
	guard_poll(w.guard, 1);
	assert_int_equal(w.stranger_count, 1);
	assert_int_equal(guard_function_bind(f, 0xff08, 1), 0);
	assert_ptr_equal(reach(0, 5, DMA_WRITE), host + 5);
	assert_int_equal(f->domain.ops->interrupt(&f->domain, 3), 3);
	/* The requester ID that it had is free for another. */
	guard_function_unbind(&w.functions[1]);
	assert_int_equal(guard_function_bind(&w.functions[1], 0x100, 0), 0);
	assert_null(reach(1, 0, DMA_READ));
	guard_function_unbind(f);
	guard_function_unbind(&w.functions[1]);
	assert_int_equal(guard_function_bind(f, 0x100, 1), 0);
	assert_non_null(reach(0, 0, DMA_READ));
	w.before++; /* the context table of bus ffh */
	guard_world_close(&w);
}

static void strangers_reach_nothing_and_are_told_of(void **state)
{
	static const uint16_t strangers[] = { 0, 0x200, 0x104, 0xffff };

	(void)state;
	open_world(1);
	assert_int_equal(map(0, 0, MB(1), host, 3), 0);
	assert_int_equal(request(0x100, IOMMU_UNTRANSLATED, 0), IOMMU_OK);
	for (unsigned i = 0; i < array_len(strangers); i++) {
		assert_int_not_equal(request(strangers[i], IOMMU_UNTRANSLATED, 0), IOMMU_OK);
		assert_int_not_equal(request(strangers[i], IOMMU_TRANSLATED, (uintptr_t)host), IOMMU_OK);
		guard_poll(w.guard, 1);
		assert_int_equal(w.stranger_count, i + 1);
	}
	assert_int_equal(w.fault_count, 0);
	guard_world_close(&w);
}

static enum iommu_outcome message(uint16_t source, uint64_t address, uint32_t data,
				  struct iommu_remapped *remapped)
{
	const struct iommu_message message = { source, address, data };

	vtd_reader_enter(w.guard->readers[0]);
	vtd_interrupt(w.guard->readers[0], &message, remapped);
	vtd_reader_leave(w.guard->readers[0]);
	return remapped->outcome;
}

static void an_interrupt_goes_where_its_entry_says_and_from_its_function_alone(void **state)
{
	struct iommu_remapped remapped;
	uint64_t first;

	(void)state;
	open_world(1);
	for (unsigned f = 0; f < GUARD_WORLD_FUNCTIONS; f++)
		for (unsigned vector = 0; vector < 8; vector++)
			assert_int_equal(w.functions[f].domain.ops->interrupt(&w.functions[f].domain,
									      vector), (int)vector);
	/* A vector that it has not: the entry behind its last is another's. */
	assert_int_equal(w.functions[0].domain.ops->interrupt(&w.functions[0].domain, 8), -1);
	guard_poll(w.guard, 1);
	assert_int_equal(w.fault_count, 1);
	assert_true(w.faults[0].interrupt);
	assert_int_equal(w.faults[0].reason, SPEC_VTD_IR_SOURCE);
	assert_int_equal(w.faults[0].address, 8);
	/* Forged by another function: the same message. */
	first = 0xfee00010 | (uint64_t)w.functions[0].first_interrupt << 5;
	assert_int_equal(message(0x100, first, 0, &remapped), IOMMU_OK);
	assert_int_not_equal(message(0x101, first, 0, &remapped), IOMMU_OK);
	assert_int_equal(remapped.reason, SPEC_VTD_IR_SOURCE);
	/* In compatibility format: blocked. */
	assert_int_not_equal(message(0x100, 0xfee00000, 0x30, &remapped), IOMMU_OK);
	assert_int_equal(remapped.reason, SPEC_VTD_IR_COMPATIBILITY_BLOCKED);
	guard_function_unbind(&w.functions[0]);
	assert_int_equal(w.functions[0].domain.ops->interrupt(&w.functions[0].domain, 0), -1);
	assert_int_not_equal(message(0x100, first, 0, &remapped), IOMMU_OK);
	assert_int_equal(remapped.reason, SPEC_VTD_IR_NOT_PRESENT);
	guard_world_close(&w);
}

static void faults_beyond_what_is_noted_are_counted(void **state)
{
	(void)state;
	open_world(2);
	for (unsigned i = 0; i < 200; i++)
		assert_null(reach(0, i * KB(4), DMA_READ));
	assert_null(reach(1, 0, DMA_READ));
	guard_poll(w.guard, 1);
	assert_int_equal(w.fault_count, GUARD_FAULTS + 1);
	assert_int_equal(w.more, 200 - GUARD_FAULTS);
	assert_int_equal(counter_get(&blocked[0]), 200);
	assert_null(reach(0, 0, DMA_READ));
	guard_poll(w.guard, 1);
	assert_int_equal(w.fault_count, GUARD_FAULTS + 2);
	assert_int_equal(w.more, 200 - GUARD_FAULTS);
	guard_world_close(&w);
}

static void a_function_spends_its_own_tables_and_not_those_of_others(void **state)
{
	uint64_t mapped = 0;

	(void)state;
	open_world(1);
	/* A page in every 2 MiB takes a table each. */
	while (map(0, mapped * MB(2) + KB(4) * (mapped % 512), KB(4), host, 3) == 0)
		mapped++;
	assert_in_range(mapped, 4000, 4096);
	assert_ptr_equal(reach(0, 0, DMA_READ), host);
	assert_int_equal(map(1, 0, KB(4), host, 3), 0);
	assert_int_equal(unmap(0, 0, UINT64_MAX), 0);
	flush(0);
	assert_int_equal(map(0, 0, KB(4), host, 3), 0);
	guard_world_close(&w);
}

static void what_cannot_be_granted_is_refused(void **state)
{
	(void)state;
	open_world(1);
	assert_int_equal(map(0, 5, KB(4), host, 3), -EINVAL);
	assert_int_equal(map(0, 0, 5, host, 3), -EINVAL);
	assert_int_equal(map(0, 0, KB(4), host + 5, 3), -EINVAL);
	assert_int_equal(map(0, 0, KB(4), host, 0), -EINVAL);
	assert_int_equal(map(0, (UINT64_C(1) << 48) - KB(4), KB(8), host, 3), -EINVAL);
	assert_int_equal(map(0, (UINT64_C(1) << 48) - KB(4), KB(4), host, 3), 0);
	assert_ptr_equal(reach(0, (UINT64_C(1) << 48) - 1, DMA_READ), host + KB(4) - 1);
	guard_world_close(&w);
}

/* An oracle: what each of some pages of each function is granted as. */
enum { PAGES = 600 };

struct cell {
	uint8_t *host;
	uint8_t access;
};

static uint64_t iova_of(unsigned page)
{
	return MB(2) - 300 * KB(4) + page * KB(4); /* on both sides of a table's end */
}

static void random_grants_agree_with_a_plain_table(void **state)
{
	static struct cell table[GUARD_WORLD_FUNCTIONS][PAGES];
	uint64_t seed = check_seed();

	(void)state;
	memset(table, 0, sizeof table);
	open_world(3);
	for (unsigned step = 0; step < 30000; step++) {
		unsigned f = (unsigned)(rand_u64(&seed) % GUARD_WORLD_FUNCTIONS), act;
		unsigned first = (unsigned)(rand_u64(&seed) % PAGES), page = first;
		unsigned count = 1 + (unsigned)(rand_u64(&seed) % (PAGES - first));
		uint8_t access = (uint8_t)(1 + rand_u64(&seed) % 3);
		uint8_t *to = host + rand_u64(&seed) % 4 * MB(4) + iova_of(first);

		act = (unsigned)(rand_u64(&seed) % 32);
		count = rand_u64(&seed) % 4 ? min_u32(count, 8) : count;
		if (act == 0)
			assert_int_equal(map(f, iova_of(first), count * KB(4), to, access), 0);
		if (act == 1)
			assert_int_equal(unmap(f, iova_of(first), count * KB(4)), 0);
		for (unsigned i = 0; act < 2 && i < count; i++)
			table[f][first + i] = act ? (struct cell){ 0 } :
						    (struct cell){ to + i * KB(4), access };
		if (act == 2) {
			uint16_t source = (uint16_t)w.functions[f].source;

			guard_function_unbind(&w.functions[f]);
			assert_int_equal(guard_function_bind(&w.functions[f], source, step % 3), 0);
		}
		flush(f);
		if (act > 2)
			page = (unsigned)(rand_u64(&seed) % PAGES);
		assert_ptr_equal(reach(f, iova_of(page) + 9, access),
				 (table[f][page].access & access) == access ?
				 table[f][page].host + 9 : NULL);
	}
	guard_poll(w.guard, 1);
	assert_true(w.fault_count > 100);
	guard_world_close(&w);
}

/* Workers read what their functions are granted; the control thread moves the grants about, and what it took
 * back it overwrites at once. */
enum { GOOD = 0x600d, BAD = 0xbad, WORKERS = 2, SLOTS = 4 };

struct shared {
	struct hold hold;
	atomic_bool stop;
	_Atomic uint64_t looks, wrong, misses;
	_Atomic uint32_t *slots[SLOTS]; /* pages that the grant goes round */
	unsigned f;
};

static void *work(void *arg)
{
	struct shared *shared = arg;

	while (!atomic_load(&shared->stop)) {
		uint8_t *at;

		if (!hold_try(&shared->hold, HOLD_WORKER)) {
			sched_yield();
			continue;
		}
		at = reach(shared->f, MB(7), DMA_READ);
		if (!at)
			atomic_fetch_add(&shared->misses, 1);
		for (unsigned i = 0; at && i < 20; i++)
			if (atomic_load((_Atomic uint32_t *)(void *)at) != GOOD)
				atomic_fetch_add(&shared->wrong, 1);
		atomic_fetch_add(&shared->looks, 1);
		hold_give(&shared->hold, HOLD_WORKER);
		sched_yield();
	}
	return NULL;
}

static void take_hold(struct shared *shared)
{
	while (!hold_try(&shared->hold, HOLD_CONTROL))
		sched_yield();
}

static void no_worker_uses_what_was_taken_back(void **state)
{
	static _Alignas(4096) uint8_t memory[WORKERS * SLOTS][4096];
	static struct shared shared[WORKERS];
	pthread_t threads[WORKERS];

	(void)state;
	open_world(WORKERS);
	for (unsigned f = 0; f < WORKERS; f++) {
		memset(&shared[f], 0, sizeof shared[f]);
		shared[f].f = f;
		for (unsigned i = 0; i < SLOTS; i++) {
			shared[f].slots[i] = (void *)memory[f * SLOTS + i];
			atomic_store(shared[f].slots[i], GOOD);
		}
		assert_int_equal(map(f, MB(7), KB(4), memory[f * SLOTS], 3), 0);
		assert_int_equal(pthread_create(&threads[f], NULL, work, &shared[f]), 0);
	}
	for (unsigned step = 1; step < 1000; step++) {
		struct shared *s = &shared[step % WORKERS];
		unsigned now = step / WORKERS % SLOTS, before = (now + SLOTS - 1) % SLOTS;

		atomic_store(s->slots[now], GOOD);
		take_hold(s);
		if (step % 3 == 0)
			assert_int_equal(unmap(s->f, 0, GB(1)), 0);
		assert_int_equal(map(s->f, MB(7), KB(4), (uint8_t *)s->slots[now], 3), 0);
		flush(s->f);
		hold_give(&s->hold, HOLD_CONTROL);
		if (now != before)
			atomic_store(s->slots[before], BAD);
		/* Each worker in turn: the scheduler may let one of them run and not the other. */
		while (step / WORKERS % 8 == 0 && atomic_load(&s->looks) < step / 16)
			sched_yield();
	}
	for (unsigned f = 0; f < WORKERS; f++) {
		atomic_store(&shared[f].stop, true);
		pthread_join(threads[f], NULL);
		assert_int_equal(shared[f].wrong, 0);
		assert_int_equal(shared[f].misses, 0);
		assert_true(shared[f].looks > 50);
	}
	guard_world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_reaches_what_it_is_granted_and_no_other_does),
		cmocka_unit_test(what_goes_on_without_a_gap_becomes_one_range),
		cmocka_unit_test(what_was_taken_back_is_not_reached_after_the_flush),
		cmocka_unit_test(a_function_that_is_barred_reaches_nothing_until_it_is_let_in),
		cmocka_unit_test(a_function_that_moves_keeps_its_grants_and_nobody_else_gets_them),
		cmocka_unit_test(strangers_reach_nothing_and_are_told_of),
		cmocka_unit_test(an_interrupt_goes_where_its_entry_says_and_from_its_function_alone),
		cmocka_unit_test(faults_beyond_what_is_noted_are_counted),
		cmocka_unit_test(a_function_spends_its_own_tables_and_not_those_of_others),
		cmocka_unit_test(what_cannot_be_granted_is_refused),
		cmocka_unit_test(random_grants_agree_with_a_plain_table),
		cmocka_unit_test(no_worker_uses_what_was_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
