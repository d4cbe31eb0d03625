/* Random AMD tables in random memory, most of them nearly valid, against a second reading of the
 * specification; and what holds for any tables: bounded reads, no access that memory was not
 * promised, an answer that holds for the whole page that it names. */
#include "tests/amdvi_oracle.h"
#include "tests/check.h"

enum {
	PAGES = 24,
	MEMORY = PAGES * PHYSICAL_PAGE,
	WALKS = 400000,
	READS_MAX = 7, /* the device table entry and six levels */
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

static uint64_t bit(unsigned n)
{
	return UINT64_C(1) << n;
}

/* A page of memory, or sometimes not. */
static uint64_t some_page(void)
{
	return one_in(60) ? rand_u64(&seed) & UINT64_C(0xffffffffff000)
			  : below(PAGES) * PHYSICAL_PAGE;
}

static void put(uint64_t at, uint64_t word)
{
	if (at + 8 <= MEMORY)
		physical_put(&physical, at, word);
}

static uint64_t rights(void)
{
	return one_in(6) ? below(4) << 61 : UINT64_C(3) << 61;
}

/* An entry of 'level' that leads down to 'table' of 'next', or is a page. */
static uint64_t page_entry(unsigned level, unsigned next, uint64_t table)
{
	bool leaf = next == 0 || one_in(12);
	uint64_t entry = rights() | 1, frame = rand_u64(&seed) & UINT64_C(0xffffffffff000);

	if (!leaf) {
		entry |= table | next << 9;
	} else if (one_in(2)) {
		entry |= frame;
	} else {
		unsigned shift = 13 + (level - 1) * 9 + (unsigned)below(8);

		shift = one_in(8) || shift > 53 ? 13 + (unsigned)below(41) : shift;
		frame &= ~(bit(shift) - 1);
		frame |= (bit(shift - 1) - 1) & UINT64_C(0xffffffffff000);
		entry |= frame | 7 << 9;
	}
	if (leaf && one_in(4))
		entry |= below(4) << 59;
	if (one_in(4))
		entry |= below(4) << 5;
	if (one_in(16))
		entry &= ~bit(0);
	if (one_in(24))
		entry ^= bit((unsigned)below(64));
	return entry;
}

/* Tables for one address, some levels of which are left out. */
static void lay_chain(uint64_t table, unsigned levels, uint64_t *address)
{
	for (unsigned level = levels; level;) {
		uint64_t next_table = some_page();
		unsigned next = level - 1;

		if (one_in(10) && next > 1) {
			next = 1 + (unsigned)below(next);
			if (!one_in(8))
				for (unsigned skipped = next + 1; skipped < level; skipped++)
					*address &= ~(UINT64_C(511) << (12 + 9 * (skipped - 1)));
		}
		put(table + 8 * (*address >> (12 + 9 * (level - 1)) & 511),
		    page_entry(level, next, next_table));
		table = next_table;
		level = next;
	}
}

static void lay_interrupts(const struct amdvi_tables *tables, uint64_t table,
			   const struct iommu_message *message)
{
	unsigned index = message->data % 2048;
	uint64_t word = below(bit(24)) & ~UINT64_C(0x9c);

	word = one_in(16) ? word : word | 1;
	word |= below(2) << 2;
	if (one_in(16))
		word ^= bit((unsigned)below(32));
	if (!(tables->control >> 17 & 1)) {
		if (table + index * 4 + 4 <= MEMORY)
			put_le32(bytes + table + index * 4, (uint32_t)word);
		return;
	}
	if (one_in(2))
		put(table + index * 16, word | below(256) << 24);
	else
		put(table + index * 16, (word & 0x47) | 0x80 | rand_u64(&seed) << 32);
	put(table + index * 16 + 8, below(256) | (one_in(3) ? some_page() : 0) | below(256) << 56 |
					    (one_in(16) ? bit((unsigned)below(64)) : 0));
}

static void random_tables(struct amdvi_tables *tables)
{
	static const uint8_t features[] = { 4, 1, 50, 48, 49, 52, 10, 11 };

	*tables =
		(struct amdvi_tables){ .control = one_in(40) ? 0 : 1, .memory = &physical.memory };
	for (unsigned i = 0; i < array_len(features); i++)
		tables->features |= one_in(3) ? 0 : bit(features[i]);
	tables->control |= (one_in(2) ? bit(17) : 0) | (one_in(2) ? bit(50) : 0) |
			   (one_in(2) ? bit(25) : 0) | (one_in(4) ? below(8) << 34 : 0);
	for (unsigned i = 0; i < 8; i++)
		tables->device_tables[i] = some_page() | (one_in(3) ? below(24) : 0x1ff);
}

static void random_request(struct iommu_request *request, struct iommu_message *message)
{
	*request = (struct iommu_request){
		.source = (uint16_t)(one_in(4) ? rand_u64(&seed) : below(PAGES * 128)),
		.type = one_in(4) ? 1 + (uint8_t)below(2) : 0,
		.access = (uint8_t)below(8),
		.pasid = one_in(40) ? (uint32_t)below(600) : IOMMU_NO_PASID,
		.address = rand_u64(&seed) >> (one_in(2) ? 16 : below(64)),
	};
	if (one_in(16))
		request->address = UINT64_C(0xfee00000) + below(1 << 21) - (1 << 20);
	*message = (struct iommu_message){
		.source = request->source,
		.address = UINT64_C(0xfee00000) + below(1 << 20),
		.data = (uint32_t)(one_in(2) ? below(512) : below(65536)),
	};
}

/* A range, sometimes upside down, whose ends are near the request or in its large page. */
static void random_exclusion(struct amdvi_tables *tables, const struct iommu_request *request)
{
	unsigned near = one_in(2) ? 13 : 22;

	if (!one_in(4))
		return;
	tables->exclusion_base = (request->address + below(bit(near)) - bit(near - 1)) & ~bit(0);
	tables->exclusion_base |= one_in(8) ? 0 : 1;
	tables->exclusion_limit = request->address + below(bit(near)) - bit(near - 1);
}

static void lay_device(struct amdvi_tables *tables, struct iommu_request *request,
		       const struct iommu_message *message)
{
	unsigned segments = (unsigned)(tables->control >> 34 & 7);
	unsigned shift = 16 - (segments < 3 ? segments : 3);
	uint64_t table =
		tables->device_tables[request->source >> shift] & UINT64_C(0xffffffffff000);
	uint64_t at = table + (request->source & (bit(shift) - 1)) * 32;
	uint64_t root = some_page(), interrupts = some_page();
	unsigned levels = (unsigned)below(one_in(24) ? 8 : 7);

	if (one_in(40)) /* whatever is there */
		return;
	if (levels && levels < 6 && !one_in(16))
		request->address &= bit(12 + 9 * levels) - 1;
	put(at, (one_in(24) ? below(4) : 3) | below(4) << 7 | levels << 9 | root | rights());
	put(at + 8, below(65536) | below(8) << 32 | (one_in(2) ? bit(39) : 0));
	put(at + 16, (one_in(16) ? 0 : 1) | (one_in(3) ? below(16) : 9) << 1 |
			     (one_in(6) ? bit(5) : 0) | interrupts | (one_in(4) ? bit(6) : 0) |
			     below(8) << 56 | (one_in(4) ? below(4) : 2) << 60);
	put(at + 24, 0);
	if (one_in(12))
		put(at + 8 * below(4), rand_u64(&seed));
	random_exclusion(tables, request);
	if (levels && levels < 7)
		lay_chain(root, levels, &request->address);
	lay_interrupts(tables, interrupts, message);
}

static bool is_special(uint64_t address)
{
	return address >> 20 == 0xfee;
}

/* The answer holds for another address of the page that it names.  The range of interrupts has an
 * answer of its own wherever it lies; and of pages between the sizes of two levels software must
 * repeat the entry, which ours does not. */
static void check_page(const struct amdvi_tables *tables, const struct iommu_request *request,
		       const struct iommu_answer *answer)
{
	uint64_t offset = answer->page_shift < 64 ? bit(answer->page_shift) - 1 : UINT64_MAX;
	struct iommu_request other = *request;
	struct iommu_answer again;

	other.address = (request->address & ~offset) | (rand_u64(&seed) & offset);
	if (is_special(request->address) != is_special(other.address) ||
	    (answer->page_shift != 64 && (answer->page_shift - 12) % 9))
		return;
	amdvi_walk(tables, &other, NULL, &again);
	if (again.outcome != answer->outcome || again.reason != answer->reason ||
	    again.rights != answer->rights)
		fail_msg("reason %x rights %x at %" PRIx64 ", shift %u, but %x and %x at %" PRIx64,
			 answer->reason, answer->rights, request->address, answer->page_shift,
			 again.reason, again.rights, other.address);
	if (answer->outcome == IOMMU_OK && answer->rights)
		assert_int_equal(again.address,
				 (answer->address & ~offset) | (other.address & offset));
}

static unsigned good, events[65536];

static void compare(const struct amdvi_tables *tables, const struct iommu_request *request)
{
	struct iommu_answer ours, theirs;
	bool is_good;

	physical.reads = 0;
	amdvi_walk(tables, request, NULL, &ours);
	assert_in_range(physical.reads, 0, READS_MAX);
	assert_false(physical.crossed);
	amd_oracle_walk(tables, request, &physical, &theirs);
	is_good = theirs.outcome == IOMMU_OK && theirs.rights;
	events[theirs.reason]++;
	good += is_good;
	if (ours.outcome != theirs.outcome || ours.reason != theirs.reason ||
	    ours.rights != theirs.rights || ours.completion != theirs.completion ||
	    ours.domain != theirs.domain || ours.report_once != theirs.report_once ||
	    (is_good &&
	     (ours.address != theirs.address || ours.page_shift != theirs.page_shift ||
	      ours.snoop != theirs.snoop || ours.untranslated_only != theirs.untranslated_only)))
		fail_msg("source %04x type %u access %u address %" PRIx64
			 ": ours outcome %d reason %x rights %x address %" PRIx64
			 " shift %u, the oracle's %d %x %x %" PRIx64 " %u",
			 request->source, request->type, request->access, request->address,
			 ours.outcome, ours.reason, ours.rights, ours.address, ours.page_shift,
			 theirs.outcome, theirs.reason, theirs.rights, theirs.address,
			 theirs.page_shift);
	check_page(tables, request, &ours);
}

static unsigned remapped_well;

static void compare_interrupt(const struct amdvi_tables *tables,
			      const struct iommu_message *message)
{
	struct iommu_remapped ours, theirs;

	physical.reads = 0;
	amdvi_remap(tables, message, NULL, &ours);
	assert_in_range(physical.reads, 0, 2);
	assert_false(physical.crossed);
	amd_oracle_remap(tables, message, &physical, &theirs);
	events[theirs.reason]++;
	remapped_well += theirs.outcome == IOMMU_OK && theirs.address != message->address;
	assert_int_equal(ours.outcome, theirs.outcome);
	assert_int_equal(ours.reason, theirs.reason);
	assert_int_equal(ours.index, theirs.index);
	if (theirs.outcome == IOMMU_OK) {
		assert_int_equal(ours.posted, theirs.posted);
		assert_int_equal(ours.address, theirs.address);
		assert_int_equal(ours.data, theirs.data);
		assert_int_equal(ours.vector, theirs.vector);
		assert_int_equal(ours.descriptor, theirs.descriptor);
	}
}

static void random_memory(void)
{
	for (unsigned word = 0; word < MEMORY; word += 8)
		physical_put(&physical, word,
			     one_in(2) ? 0
				       : some_page() | (rand_u64(&seed) & UINT64_C(0xe01)) |
						 rights());
}

static void walks_agree_with_a_second_reading_of_the_specification(void **state)
{
	struct iommu_request request;
	struct iommu_message message;
	struct amdvi_tables tables;
	unsigned kinds = 0;

	(void)state;
	seed = check_seed();
	physical_init(&physical, bytes, MEMORY);
	for (unsigned i = 0; i < WALKS; i++) {
		if (i % 64 == 0)
			random_memory();
		random_tables(&tables);
		random_request(&request, &message);
		lay_device(&tables, &request, &message);
		compare(&tables, &request);
		compare_interrupt(&tables, &message);
	}
	for (unsigned reason = 1; reason < 65536; reason++)
		kinds += events[reason] != 0;
	fprintf(stderr, "# %u good, %u remapped of %u, %u kinds of events\n", good, remapped_well,
		WALKS, kinds);
	/* The generator is worth something only while it reaches nearly everything. */
	assert_true(good > WALKS / 8);
	assert_true(remapped_well > WALKS / 20);
	assert_true(kinds >= 24);
}

static void memory_of_noise_is_walked_in_bounds(void **state)
{
	struct iommu_request request;
	struct iommu_message message;
	struct amdvi_tables tables;

	(void)state;
	seed = check_seed();
	physical_init(&physical, bytes, MEMORY);
	for (unsigned i = 0; i < WALKS / 8; i++) {
		if (i % 256 == 0)
			for (unsigned word = 0; word < MEMORY; word += 8)
				physical_put(&physical, word,
					     rand_u64(&seed) & UINT64_C(0x600000000001ffff));
		random_tables(&tables);
		random_request(&request, &message);
		compare(&tables, &request);
		compare_interrupt(&tables, &message);
	}
}

/* Accessed and dirty bits are all that a walk writes, and they change no answer. */
static void walks_that_update_write_nothing_but_their_bits(void **state)
{
	struct iommu_request request;
	struct iommu_message message;
	struct iommu_answer plain, updating;
	struct amdvi_tables tables;
	static uint8_t before[MEMORY];

	(void)state;
	seed = check_seed();
	physical_init(&physical, bytes, MEMORY);
	for (unsigned i = 0; i < WALKS / 40; i++) {
		random_tables(&tables);
		random_request(&request, &message);
		lay_device(&tables, &request, &message);
		amdvi_walk(&tables, &request, NULL, &plain);
		memcpy(before, bytes, MEMORY);
		tables.set_accessed = true;
		physical.reads = 0;
		amdvi_walk(&tables, &request, NULL, &updating);
		assert_in_range(physical.reads, 0, READS_MAX);
		assert_int_equal(plain.outcome, updating.outcome);
		assert_int_equal(plain.reason, updating.reason);
		assert_int_equal(plain.address, updating.address);
		for (unsigned word = 0; word < MEMORY; word += 8) {
			uint64_t old = get_le64(before + word), now = get_le64(bytes + word);

			assert_int_equal(old & ~now, 0);
			assert_int_equal((old ^ now) & ~UINT64_C(0x60), 0);
		}
	}
	assert_true(physical.replaced > WALKS / 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_agree_with_a_second_reading_of_the_specification),
		cmocka_unit_test(memory_of_noise_is_walked_in_bounds),
		cmocka_unit_test(walks_that_update_write_nothing_but_their_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
