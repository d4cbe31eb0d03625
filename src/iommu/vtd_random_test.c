/* Random tables in random memory, most of them nearly valid, against a second reading of the
 * specification; and what holds for any tables: bounded reads, no access that memory was not
 * promised, a known reason, an answer that holds for the whole page that it names. */
#include "tests/check.h"
#include "tests/vtd_oracle.h"

enum {
	PAGES = 24,
	MEMORY = PAGES * PHYSICAL_PAGE,
	WALKS = 400000,
	/* root, context, PASID directory and entry; 5 first-stage levels and the page, each of
	 * which takes 5 second-stage levels; and the first-stage entries.  Nothing is read twice
	 * without updates. */
	READS_MAX = 4 + 6 * 5 + 5,
};

static uint8_t bytes[MEMORY];
static struct physical physical;
static uint64_t seed;

static uint64_t below(uint64_t n)
{
	return rand_u64(&seed) % n;
}

static bool one_in(unsigned n)
{
	return below(n) == 0;
}

/* A page of memory, or sometimes not. */
static uint64_t some_page(void)
{
	return one_in(60) ? rand_u64(&seed) & UINT64_C(0xfffffffff000)
			  : below(PAGES) * PHYSICAL_PAGE;
}

static void random_capabilities(struct vtd_tables *tables)
{
	static const uint8_t widths[] = { 39, 48, 57, 46, 36, 30, 52 };
	uint64_t rest = rand_u64(&seed);

	tables->cap = (one_in(4) ? below(8) : 6) | (one_in(4) ? below(32) : 0xe) << 8 |
		      (uint64_t)(widths[below(array_len(widths))] - 1) << 16 |
		      (one_in(3) ? 0 : UINT64_C(1) << 22) |
		      (one_in(4) ? below(4) : UINT64_C(3)) << 34 | (rest & UINT64_C(1) << 56) |
		      (rest & UINT64_C(1) << 60);
	/* Mostly everything but what was withdrawn or changes rights; sometimes anything. */
	tables->ecap = UINT64_C(0x0023ffff8e0000ff) & ~(UINT64_C(1) << 30);
	if (one_in(4))
		tables->ecap &= rand_u64(&seed) | rand_u64(&seed);
	if (one_in(8))
		tables->ecap |= UINT64_C(1) << 30;
	if (one_in(16))
		tables->ecap |= UINT64_C(1) << 57 | UINT64_C(1) << 52;
	tables->ecap = tables->ecap & ~(UINT64_C(31) << 35);
	tables->ecap |= (one_in(8) ? below(32) : UINT64_C(19)) << 35;
	tables->ecap &= ~(UINT64_C(1) << 55); /* host permission tables have their own test */
	tables->host_width = one_in(4) ? widths[below(array_len(widths))] : 0;
	tables->version = one_in(16) ? 0x80 : 0x10;
}

static void flip(uint64_t address, unsigned words)
{
	uint64_t word = (address & ~UINT64_C(7)) + 8 * below(words);

	if (word + 8 <= MEMORY)
		physical_put(&physical, word,
			     physical_get(&physical, word) ^ UINT64_C(1) << below(64));
}

static uint64_t paging_entry(unsigned stage, unsigned level, uint64_t down)
{
	bool first = stage == 1, leaf = level == 1 || (level < 4 && one_in(4));
	uint64_t entry = down | (first ? 7 : 3);

	if (leaf && level > 1)
		entry = (entry & 0xfff) | UINT64_C(1) << 7 |
			(level == 2 ? below(512) << 21 : below(64) << 30);
	if (leaf && one_in(24))
		entry = (entry & ~(UINT64_C(0xfffff) << 12)) |
			(level == 1   ? UINT64_C(0xfee00) << 12
			 : level == 2 ? UINT64_C(0xfee00000)
				      : UINT64_C(0xc0000000));
	if (one_in(3))
		entry |= first ? 0x460 : 0x300;
	if (leaf && !first && one_in(3))
		entry |= 1 << 11;
	if (one_in(12))
		entry &= ~(uint64_t)(1 + below(7));
	if (one_in(30))
		entry ^= UINT64_C(1) << below(64);
	return entry;
}

/* Tables for one address: a chain of 'levels' from page 'table'. */
static void lay_chain(unsigned stage, uint64_t table, unsigned levels, uint64_t address,
		      uint64_t offset)
{
	/* An entry may ask for more levels than there are. */
	for (unsigned level = min_u32(levels, 5); level; level--) {
		uint64_t next = some_page();
		uint64_t at = table + 8 * (address >> (12 + 9 * (level - 1)) & 511);
		uint64_t entry = paging_entry(stage, level, next + offset);

		if (at + 8 <= MEMORY)
			physical_put(&physical, at, entry);
		table = next;
	}
}

/* Guest physical memory for nested walks: the lowest 2 MiB lead to the start of memory, as do
 * others. */
static void lay_guest_memory(uint64_t table, unsigned levels)
{
	for (unsigned level = levels; level > 1; level--) {
		uint64_t next = level == 2 && one_in(2) ? 0 : below(PAGES) * PHYSICAL_PAGE;

		if (level == 2 && !next) {
			physical_put(&physical, table, 0x83 | (one_in(2) ? 0x300 : 0));
			return;
		}
		physical_put(&physical, table, next | 3 | (one_in(2) ? 0x300 : 0));
		table = next;
	}
	for (unsigned page = 0; page < PAGES; page++)
		physical_put(&physical, table + 8 * page, page * PHYSICAL_PAGE | 0x303);
}

static unsigned some_levels(void)
{
	return one_in(16) ? 2 + (unsigned)below(6) : 3 + (unsigned)below(3);
}

static void lay_pasid_entry(uint64_t entry, uint64_t address)
{
	unsigned type = one_in(24) ? (unsigned)below(8) : 1 + (unsigned)below(4);
	unsigned second_levels = some_levels(), first_levels = 4 + (unsigned)below(2);
	uint64_t second = below(PAGES) * PHYSICAL_PAGE, first = below(PAGES) * PHYSICAL_PAGE;

	if (entry + 64 > MEMORY)
		return;
	physical_put(&physical, entry,
		     second | type << 6 | (second_levels - 2) << 2 | (one_in(3) ? 1 << 9 : 0) | 1);
	physical_put(&physical, entry + 8,
		     below(1 << 16) | (one_in(8) ? 0 : 1 << 23) | (one_in(3) ? 1 << 24 : 0));
	physical_put(&physical, entry + 16,
		     first | (first_levels - 4) << 2 | below(1 << 8 >> 1) | 1);
	for (unsigned word = 3; word < 8; word++)
		physical_put(&physical, entry + 8 * word, 0);
	if (type == 3)
		lay_guest_memory(second, second_levels);
	if (type == 2 || one_in(2))
		lay_chain(2, second, second_levels, address, 0);
	lay_chain(1, first, first_levels, address, 0);
	if (one_in(40))
		flip(entry, 8);
}

static void lay_scalable(const struct vtd_tables *tables, const struct iommu_request *request,
			 uint64_t root)
{
	uint64_t context = some_page(), directory = some_page(), entries = some_page();
	uint64_t root_entry = root + (request->source >> 8) * 16 + (request->source >> 4 & 8);
	uint64_t context_entry = context + (request->source & 127) * 32;
	bool has_rid = tables->ecap >> 49 & 1;
	uint32_t rid = has_rid && one_in(2) ? (uint32_t)below(512) : 0;
	uint32_t pasid = request->pasid == IOMMU_NO_PASID ? rid : request->pasid;

	physical_put(&physical, root_entry, context | 1);
	if (context_entry + 32 <= MEMORY) {
		physical_put(&physical, context_entry, directory | 0xd | below(8) << 9);
		physical_put(&physical, context_entry + 8,
			     rid | (one_in(6) ? UINT64_C(1) << 20 : 0));
		physical_put(&physical, context_entry + 16, 0);
		physical_put(&physical, context_entry + 24, 0);
		if (one_in(24))
			flip(context_entry, 4);
	}
	if (directory + (pasid >> 6) * 8 + 8 <= MEMORY)
		physical_put(&physical, directory + (pasid >> 6) * 8, entries | 1);
	if (one_in(60))
		flip(directory + (pasid >> 6) * 8, 1);
	lay_pasid_entry(entries + (pasid & 63) * 64, request->address);
	if (one_in(60))
		flip(root_entry, 1);
}

static void lay_legacy(const struct iommu_request *request, uint64_t root)
{
	uint64_t context = some_page(), table = some_page();
	uint64_t context_entry = context + (request->source & 255) * 16;
	unsigned levels = some_levels();

	physical_put(&physical, root + (request->source >> 8) * 16, context | 1);
	physical_put(&physical, root + (request->source >> 8) * 16 + 8, 0);
	if (context_entry + 16 <= MEMORY) {
		physical_put(&physical, context_entry, table | (one_in(4) ? below(4) : 1) << 2 | 1);
		physical_put(&physical, context_entry + 8, below(1 << 16) << 8 | (levels - 2));
		if (one_in(16))
			flip(context_entry, 2);
	}
	if (table < MEMORY)
		lay_chain(2, table, levels, request->address, 0);
	if (one_in(60))
		flip(root + (request->source >> 8) * 16, 2);
}

static void random_request(struct iommu_request *request)
{
	*request = (struct iommu_request){
		.source = (uint16_t)rand_u64(&seed),
		.type = one_in(4) ? 1 + (uint8_t)below(2) : 0,
		.access = (uint8_t)(one_in(16) ? below(4) : 1 + below(3)),
		.pasid = one_in(3) ? (uint32_t)below(600) : IOMMU_NO_PASID,
		.privileged = one_in(4),
		.address = rand_u64(&seed) & UINT64_C(0x7fffffffff),
	};
	if (one_in(16))
		request->address = rand_u64(&seed) >> below(64);
	if (one_in(24))
		request->address = UINT64_C(0xfee00000) + below(1 << 21) - (1 << 20);
	if (one_in(16))
		request->address |= UINT64_MAX << 47;
	if (one_in(24))
		request->access |= IOMMU_EXECUTE;
	if (one_in(12)) {
		request->zero_length = true;
		request->access = IOMMU_READ;
	}
}

static void random_world(struct vtd_tables *tables, struct iommu_request *request)
{
	uint64_t root = below(PAGES) * PHYSICAL_PAGE;

	*tables = (struct vtd_tables){ .translation = true, .memory = &physical.memory };
	random_capabilities(tables);
	random_request(request);
	tables->rtaddr = root;
	if (one_in(3)) {
		request->pasid = one_in(20) ? request->pasid : IOMMU_NO_PASID;
		lay_legacy(request, root);
	} else {
		tables->rtaddr |= 1 << 10;
		lay_scalable(tables, request, root);
	}
	if (one_in(50))
		tables->rtaddr ^= UINT64_C(1) << below(64);
	if (one_in(20))
		tables->rtaddr |= 1 << 7;
}

static bool is_special(uint64_t address)
{
	return address >> 20 == 0xfee;
}

/* The answer holds for another address of the page that it names, but that the range of interrupts
 * has an answer of its own. */
static void check_page(const struct vtd_tables *tables, const struct iommu_request *request,
		       const struct iommu_answer *answer)
{
	uint64_t offset =
		answer->page_shift < 64 ? (UINT64_C(1) << answer->page_shift) - 1 : UINT64_MAX;
	struct iommu_request other = *request;
	struct iommu_answer again;

	other.address = (request->address & ~offset) | (rand_u64(&seed) & offset);
	if (is_special(request->address) != is_special(other.address))
		return;
	vtd_walk(tables, &other, NULL, &again);
	if (again.outcome != answer->outcome || again.reason != answer->reason ||
	    again.rights != answer->rights)
		fail_msg("type %u access %u pasid %x: reason %x rights %x at %" PRIx64
			 ", shift %u, but %x and %x at %" PRIx64,
			 request->type, request->access, request->pasid, answer->reason,
			 answer->rights, request->address, answer->page_shift, again.reason,
			 again.rights, other.address);
	if (answer->outcome == IOMMU_OK && answer->rights)
		assert_int_equal(again.address,
				 (answer->address & ~offset) | (other.address & offset));
}

static unsigned seen[256], good;

static void compare(const struct vtd_tables *tables, const struct iommu_request *request)
{
	struct iommu_answer ours, theirs;
	bool is_ok;

	physical.reads = 0;
	vtd_walk(tables, request, NULL, &ours);
	assert_true(physical.reads <= READS_MAX);
	assert_false(physical.crossed);
	oracle_walk(tables, request, &physical, &theirs);
	is_ok = theirs.outcome == IOMMU_OK;
	seen[theirs.reason]++;
	good += is_ok && theirs.rights;
	if (ours.outcome != theirs.outcome || ours.reason != theirs.reason ||
	    ours.rights != theirs.rights || ours.completion != theirs.completion ||
	    (is_ok && theirs.rights &&
	     (ours.address != theirs.address || ours.page_shift != theirs.page_shift ||
	      ours.domain != theirs.domain || ours.snoop != theirs.snoop ||
	      ours.transient != theirs.transient ||
	      ours.untranslated_only != theirs.untranslated_only)))
		fail_msg("source %04x pasid %x type %u access %u address %" PRIx64
			 ": ours outcome %d "
			 "reason %x rights %x address %" PRIx64
			 " shift %u domain %u, the oracle's %d "
			 "%x %x %" PRIx64 " %u %u",
			 request->source, request->pasid, request->type, request->access,
			 request->address, ours.outcome, ours.reason, ours.rights, ours.address,
			 ours.page_shift, ours.domain, theirs.outcome, theirs.reason, theirs.rights,
			 theirs.address, theirs.page_shift, theirs.domain);
	check_page(tables, request, &ours);
}

static void walks_agree_with_a_second_reading_of_the_specification(void **state)
{
	struct iommu_request request;
	struct vtd_tables tables;
	unsigned reasons = 0;

	(void)state;
	seed = check_seed();
	physical_init(&physical, bytes, MEMORY);
	for (unsigned i = 0; i < WALKS; i++) {
		if (i % 64 == 0)
			for (unsigned word = 0; word < MEMORY; word += 8)
				physical_put(&physical, word,
					     one_in(2) ? 0 : some_page() | (rand_u64(&seed) & 0x3));
		random_world(&tables, &request);
		compare(&tables, &request);
	}
	for (unsigned reason = 1; reason < 256; reason++)
		reasons += seen[reason] != 0;
	fprintf(stderr, "# %u good of %u, %u reasons\n", good, WALKS, reasons);
	/* The generator is worth something only while it reaches nearly everything. */
	assert_true(good > WALKS / 10);
	assert_true(reasons >= 50);
}

static void memory_of_noise_is_walked_in_bounds(void **state)
{
	struct iommu_request request;
	struct vtd_tables tables;

	(void)state;
	seed = check_seed();
	physical_init(&physical, bytes, MEMORY);
	for (unsigned i = 0; i < WALKS / 8; i++) {
		if (i % 256 == 0)
			for (unsigned word = 0; word < MEMORY; word += 8)
				physical_put(&physical, word,
					     rand_u64(&seed) & (rand_u64(&seed) | 0xfff) & 0x1ffff);
		tables = (struct vtd_tables){ .translation = true, .memory = &physical.memory };
		random_capabilities(&tables);
		random_request(&request);
		tables.rtaddr = below(PAGES) * PHYSICAL_PAGE | (one_in(2) ? 1 << 10 : 0);
		compare(&tables, &request);
	}
}

/* With updates an entry is read up to four times; the oracle does not know them, but the bounds
 * hold. */
static void walks_that_update_are_bounded_and_change_nothing_but_their_bits(void **state)
{
	const uint64_t bits = 0x460 | 0x300;
	struct iommu_request request;
	struct iommu_answer plain, updating;
	struct vtd_tables tables;
	static uint8_t before[MEMORY];

	(void)state;
	seed = check_seed();
	physical_init(&physical, bytes, MEMORY);
	for (unsigned i = 0; i < WALKS / 40; i++) {
		random_world(&tables, &request);
		vtd_walk(&tables, &request, NULL, &plain);
		memcpy(before, bytes, MEMORY);
		tables.set_accessed = true;
		physical.reads = 0;
		vtd_walk(&tables, &request, NULL, &updating);
		assert_true(physical.reads <= READS_MAX);
		assert_int_equal(plain.outcome, updating.outcome);
		assert_int_equal(plain.reason, updating.reason);
		for (unsigned word = 0; word < MEMORY; word += 8) {
			uint64_t old = get_le64(before + word), now = get_le64(bytes + word);

			assert_int_equal(old & ~now, 0);
			assert_int_equal((old ^ now) & ~bits, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_agree_with_a_second_reading_of_the_specification),
		cmocka_unit_test(memory_of_noise_is_walked_in_bounds),
		cmocka_unit_test(walks_that_update_are_bounded_and_change_nothing_but_their_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
