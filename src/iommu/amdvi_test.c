/* AMD's unit: registers, commands, logs, and what readers keep. */
#include "iommu/amdvi.h"
#include "iommu/builder.h"
#include "spec/amdvi.h"
#include "spec/vtd_queue.h"
#include "tests/check.h"
#include "tests/physical.h"

enum {
	SIZE = 1 << 20,
	DEVICES = 0x10000,  /* device table: one page, 128 devices */
	COMMANDS = 0x20000, /* 256 of them */
	EVENTS = 0x30000,
	PPRS = 0x40000,
	STATUS = 0x50000,
	PAGES = 0x60000,
	DEVICE = 0x10,
	DOMAIN_ID = 7,
	LOG = 16,
};

#define FEATURES                                                                    \
	(field_mask(SPEC_AMDVI_EFR_PREF_SUP) | field_mask(SPEC_AMDVI_EFR_PPR_SUP) | \
	 field_mask(SPEC_AMDVI_EFR_IA_SUP) | field_make(SPEC_AMDVI_EFR_HATS, 2))

struct fixture {
	struct physical physical;
	_Alignas(8) uint8_t bytes[SIZE];
	struct amdvi_config config;
	struct amdvi *unit;
	struct amdvi_reader *reader;
	uint64_t next_page, waits;
	unsigned interrupts, invalidations, responses;
	struct iommu_device_invalidation last;
	uint16_t response_group;
	uint32_t response_pasid;
	uint8_t response_code;
};

static struct fixture f;

static void on_interrupt(void *context)
{
	((struct fixture *)context)->interrupts++;
}

static void on_invalidation(void *context, const struct iommu_device_invalidation *invalidation)
{
	f.invalidations++;
	f.last = *invalidation;
	(void)context;
}

static void on_response(void *context, uint16_t source, uint32_t pasid, uint16_t group,
			uint8_t code)
{
	(void)context;
	assert_int_equal(source, DEVICE);
	f.responses++;
	f.response_group = group;
	f.response_pasid = pasid;
	f.response_code = code;
}

static uint64_t take_page(void *context)
{
	(void)context;
	return (f.next_page += 4096) - 4096;
}

static void give_page(void *context, uint64_t page)
{
	(void)context, (void)page;
}

static _Atomic uint64_t *page_words(void *context, uint64_t page)
{
	(void)context;
	return (void *)(f.bytes + page);
}

static uint64_t *page_link(void *context, uint64_t page)
{
	static uint64_t links[SIZE >> 12];

	(void)context;
	return &links[page >> 12];
}

static const struct iommu_pages pages = { take_page, give_page, page_words, page_link, NULL };

static void put(uint64_t address, uint64_t word)
{
	physical_put(&f.physical, address, word);
}

static uint64_t get(uint64_t address)
{
	return physical_get(&f.physical, address);
}

static void wr(uint32_t offset, uint64_t value)
{
	amdvi_write(f.unit, offset, 8, value);
}

static uint64_t rd(uint32_t offset)
{
	return amdvi_read(f.unit, offset, 8);
}

static void *aligned(size_t size)
{
	return aligned_alloc(64, (size + 63) / 64 * 64);
}

static void start(uint64_t features)
{
	memset(&f, 0, sizeof f);
	physical_init(&f.physical, f.bytes, SIZE);
	f.next_page = PAGES;
	f.config = (struct amdvi_config){ .features = features,
					  .memory = f.physical.memory,
					  .interrupt = on_interrupt,
					  .invalidate_device = on_invalidation,
					  .page_response = on_response,
					  .context = &f,
					  .readers = 1 };
	assert_null(amdvi_config_check(&f.config));
	f.unit = amdvi_init(aligned(amdvi_size(&f.config)), &f.config);
	f.reader = amdvi_reader_init(aligned(amdvi_reader_size()), f.unit, 0);
	wr(SPEC_AMDVI_DEVICE_TABLE, DEVICES);
	wr(SPEC_AMDVI_COMMAND_BUFFER, COMMANDS | UINT64_C(8) << 56);
	wr(SPEC_AMDVI_EVENT_LOG, EVENTS | UINT64_C(8) << 56);
	wr(SPEC_AMDVI_PPR_LOG, PPRS | UINT64_C(8) << 56);
	wr(SPEC_AMDVI_CONTROL, field_mask(SPEC_AMDVI_CONTROL_IOMMU_EN) |
				       field_mask(SPEC_AMDVI_CONTROL_EVENT_LOG_EN) |
				       field_mask(SPEC_AMDVI_CONTROL_EVENT_INT_EN) |
				       field_mask(SPEC_AMDVI_CONTROL_COM_WAIT_INT_EN) |
				       field_mask(SPEC_AMDVI_CONTROL_CMD_BUF_EN) |
				       field_mask(SPEC_AMDVI_CONTROL_PPR_LOG_EN) |
				       field_mask(SPEC_AMDVI_CONTROL_PPR_INT_EN) |
				       field_mask(SPEC_AMDVI_CONTROL_PPR_EN));
}

static void stop(void)
{
	amdvi_reader_fini(f.reader);
	free(f.reader);
	free(f.unit);
}

/* Device table entry of a function with page tables of four levels. */
static void device(uint16_t id, uint64_t root, uint64_t word0, uint64_t word1)
{
	put(DEVICES + id * 32 + 8, DOMAIN_ID | word1);
	put(DEVICES + id * 32,
	    root | 3 | (root ? UINT64_C(4) << 9 : 0) | UINT64_C(3) << 61 | word0);
}

static struct iommu_builder tables(void)
{
	struct iommu_builder builder = { .format = IOMMU_AMD,
					 .levels = 4,
					 .page_sizes = IOMMU_PAGES_2M | IOMMU_PAGES_1G,
					 .pages = &pages };

	assert_int_equal(iommu_builder_init(&builder), 0);
	return builder;
}

static void map(struct iommu_builder *builder, uint64_t iova, uint64_t target, uint64_t size)
{
	assert_in_range(iommu_builder_map(builder, (struct iommu_range){ iova, size }, target, 3),
			0, 1);
}

static void command(uint64_t word0, uint64_t word1)
{
	uint64_t tail = rd(SPEC_AMDVI_COMMAND_TAIL);

	put(COMMANDS + tail, word0);
	put(COMMANDS + tail + 8, word1);
	wr(SPEC_AMDVI_COMMAND_TAIL, (tail + 16) % 4096);
}

static bool wait_done(void)
{
	return get(STATUS) == f.waits;
}

static bool completion_wait(void)
{
	command(UINT64_C(1) << 60 | STATUS | 1, ++f.waits);
	return wait_done();
}

static struct iommu_answer request(unsigned type, uint64_t address, uint8_t access)
{
	struct iommu_answer answer;

	amdvi_reader_enter(f.reader);
	amdvi_translate(f.reader,
			&(struct iommu_request){ .source = DEVICE,
						 .type = (uint8_t)type,
						 .access = access,
						 .pasid = IOMMU_NO_PASID,
						 .address = address },
			&answer);
	amdvi_reader_leave(f.reader);
	return answer;
}

static struct iommu_answer ask(uint64_t address, uint8_t access)
{
	return request(IOMMU_UNTRANSLATED, address, access);
}

static void registers_have_their_policy(void **state)
{
	static const struct {
		uint32_t offset;
		uint64_t ones, zeros;
	} rows[] = {
		{ 0x00, 0x000ffffffffff1ff, 0 },
		{ 0x08, 0x0f0ffffffffff000, 0 },
		{ 0x10, 0x0f0ffffffffff000, 0 },
		{ 0x20, 0x000ffffffffff003, 0 },
		{ 0x28, 0x000ffffffffff000, 0 },
		{ 0x38, 0x0f0ffffffffff000, 0 },
		{ 0x40, 0, 0 },
		{ 0x100, 0x000ffffffffff0ff, 0 },
		{ 0x130, 0x000ffffffffff0ff, 0 },
		{ 0x138, 0, 0 },
		{ 0x2000, 0x7fff0, 0 },
		{ 0x2010, 0x7fff0, 0 },
		{ 0x2018, 0x7fff0, 0 },
		{ 0x2028, 0, 0 },
		{ 0x2030, 0x7fff0, 0 },
		{ 0x3ff8, 0, 0 },
		{ 0x4000, 0, 0 },
	};

	(void)state;
	start(FEATURES);
	wr(SPEC_AMDVI_CONTROL, 0);
	for (unsigned i = 0; i < array_len(rows); i++) {
		wr(rows[i].offset, UINT64_MAX);
		if (rd(rows[i].offset) != rows[i].ones)
			fail_msg("%x: %" PRIx64, rows[i].offset, rd(rows[i].offset));
		wr(rows[i].offset, 0);
		assert_int_equal(rd(rows[i].offset), rows[i].zeros);
	}
	wr(SPEC_AMDVI_EXTENDED_FEATURE, 0);
	assert_int_equal(rd(SPEC_AMDVI_EXTENDED_FEATURE), FEATURES);
	/* Halves. */
	amdvi_write(f.unit, 0x2c, 4, 0xffffffff);
	assert_int_equal(rd(0x28), 0xfffff00000000);
	assert_int_equal(amdvi_read(f.unit, 0x2c, 4), 0xfffff);
	amdvi_write(f.unit, 0x28, 2, 0xffff);
	amdvi_write(f.unit, 0x2c, 8, 0);
	assert_int_equal(rd(0x28), 0xfffff00000000);
	/* Enables of what the unit does not have. */
	wr(SPEC_AMDVI_CONTROL, field_mask(SPEC_AMDVI_CONTROL_GT_EN) |
				       field_mask(SPEC_AMDVI_CONTROL_XT_EN) |
				       field_mask(SPEC_AMDVI_CONTROL_PPR_EN));
	assert_int_equal(rd(SPEC_AMDVI_CONTROL), field_mask(SPEC_AMDVI_CONTROL_PPR_EN));
	stop();
}

static void a_new_place_of_a_buffer_or_log_begins_empty(void **state)
{
	static const uint32_t rows[][3] = {
		{ SPEC_AMDVI_COMMAND_BUFFER, SPEC_AMDVI_COMMAND_HEAD, SPEC_AMDVI_COMMAND_TAIL },
		{ SPEC_AMDVI_EVENT_LOG, SPEC_AMDVI_EVENT_HEAD, SPEC_AMDVI_EVENT_TAIL },
		{ SPEC_AMDVI_PPR_LOG, SPEC_AMDVI_PPR_HEAD, SPEC_AMDVI_PPR_TAIL },
	};

	(void)state;
	start(FEATURES);
	wr(SPEC_AMDVI_CONTROL, 0);
	for (unsigned i = 0; i < array_len(rows); i++) {
		wr(rows[i][1], 0x40);
		wr(rows[i][2], 0x80);
		wr(rows[i][0], 0x77000 | UINT64_C(9) << 56);
		assert_int_equal(rd(rows[i][0]), 0x77000 | UINT64_C(9) << 56);
		assert_int_equal(rd(rows[i][1]), 0);
		assert_int_equal(rd(rows[i][2]), 0);
	}
	stop();
}

static void a_disabled_unit_lets_everything_pass(void **state)
{
	(void)state;
	start(FEATURES);
	device(DEVICE, 0, 0, 0);
	put(DEVICES + DEVICE * 32, 3); /* valid, and neither reads nor writes */
	assert_int_equal(ask(0x123000, IOMMU_READ).outcome, IOMMU_FAULT);
	wr(SPEC_AMDVI_CONTROL, 0);
	assert_int_equal(ask(0x123000, IOMMU_READ).address, 0x123000);
	stop();
}

static void pages_of_all_sizes_are_kept_until_they_are_invalidated(void **state)
{
	static const uint64_t where[] = { 0x1000, 0x200000, 0x40000000 };
	static const uint64_t sizes[] = { 0x1000, 0x200000, 0x40000000 };
	struct iommu_builder builder;

	(void)state;
	start(FEATURES);
	builder = tables();
	device(DEVICE, builder.root, 0, 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 3; i++)
			map(&builder, where[i], 0x5500000000 + where[i], sizes[i]);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(ask(where[i] + sizes[i] - 1, IOMMU_WRITE).address,
					 0x5500000000 + where[i] + sizes[i] - 1);
		for (unsigned i = 0; i < 3; i++)
			iommu_builder_unmap(&builder, (struct iommu_range){ where[i], sizes[i] });
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(ask(where[i], IOMMU_WRITE).outcome, IOMMU_OK);
		if (round == 0)
			command(UINT64_C(3) << 60 | (uint64_t)DOMAIN_ID << 32, 0x7ffffffffffff001);
		else if (round == 1)
			command(UINT64_C(2) << 60 | DEVICE, 0);
		else
			command(UINT64_C(8) << 60, 0);
		assert_true(completion_wait());
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(ask(where[i], IOMMU_WRITE).outcome, IOMMU_FAULT);
	}
	stop();
}

static void another_domains_invalidation_leaves_pages_alone(void **state)
{
	struct iommu_builder builder;

	(void)state;
	start(FEATURES);
	builder = tables();
	device(DEVICE, builder.root, 0, 0);
	map(&builder, 0x1000, 0x9000, 0x1000);
	assert_int_equal(ask(0x1000, IOMMU_READ).outcome, IOMMU_OK);
	iommu_builder_unmap(&builder, (struct iommu_range){ 0x1000, 0x1000 });
	command(UINT64_C(3) << 60 | UINT64_C(8) << 32, 0x1000);
	assert_true(completion_wait());
	assert_int_equal(ask(0x1000, IOMMU_READ).outcome, IOMMU_OK);
	stop();
}

static void a_completion_waits_for_readers(void **state)
{
	struct iommu_answer answer;

	(void)state;
	start(FEATURES);
	device(DEVICE, 0, 0, 0);
	amdvi_reader_enter(f.reader);
	amdvi_translate(f.reader,
			&(struct iommu_request){ .source = DEVICE,
						 .access = IOMMU_READ,
						 .pasid = IOMMU_NO_PASID,
						 .address = 0x5000 },
			&answer);
	command(UINT64_C(3) << 60 | (uint64_t)DOMAIN_ID << 32, 0x1000);
	assert_false(completion_wait());
	assert_int_equal(amdvi_poll(f.unit, 3), 3);
	assert_false(wait_done());
	amdvi_reader_leave(f.reader);
	assert_int_equal(amdvi_poll(f.unit, 4), UINT64_MAX);
	assert_true(wait_done());
	stop();
}

static void a_completion_interrupts_once_until_it_is_served(void **state)
{
	(void)state;
	start(FEATURES);
	command(UINT64_C(1) << 60 | 2, 0);
	assert_int_equal(f.interrupts, 1);
	assert_true(field_is_set(rd(SPEC_AMDVI_STATUS), SPEC_AMDVI_STATUS_COM_WAIT_INT));
	command(UINT64_C(1) << 60 | 2, 0);
	assert_int_equal(f.interrupts, 1);
	wr(SPEC_AMDVI_STATUS, field_mask(SPEC_AMDVI_STATUS_COM_WAIT_INT));
	assert_false(field_is_set(rd(SPEC_AMDVI_STATUS), SPEC_AMDVI_STATUS_COM_WAIT_INT));
	command(UINT64_C(1) << 60 | 2, 0);
	assert_int_equal(f.interrupts, 2);
	stop();
}

static void faults_are_logged_with_what_is_known(void **state)
{
	struct iommu_builder builder;

	(void)state;
	start(FEATURES);
	builder = tables();
	device(DEVICE, builder.root, 0, 0);
	assert_int_equal(ask(0x123456789abc, IOMMU_WRITE).outcome, IOMMU_FAULT);
	assert_int_equal(rd(SPEC_AMDVI_EVENT_TAIL), 16);
	assert_int_equal(get(EVENTS) & 0xffff, DEVICE);
	assert_int_equal(field_get(get(EVENTS), SPEC_AMDVI_EVENT_0_CODE), SPEC_AMDVI_IO_PAGE_FAULT);
	assert_int_equal(field_get(get(EVENTS), SPEC_AMDVI_EVENT_0_DOMAIN), DOMAIN_ID);
	assert_int_equal(get(EVENTS + 8), 0x123456789abc);
	assert_int_equal(f.interrupts, 1);
	/* A reserved bit in the device table entry is another event, without a domain. */
	device(DEVICE, builder.root, 1 << 2, 0);
	command(UINT64_C(2) << 60 | DEVICE, 0);
	assert_int_equal(ask(0x1000, IOMMU_READ).outcome, IOMMU_FAULT);
	assert_int_equal(rd(SPEC_AMDVI_EVENT_TAIL), 32);
	assert_int_equal(field_get(get(EVENTS + 16), SPEC_AMDVI_EVENT_0_CODE),
			 SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY);
	assert_int_equal(field_get(get(EVENTS + 16), SPEC_AMDVI_EVENT_0_DOMAIN), 0);
	stop();
}

static void a_full_event_log_stops_until_it_is_started_anew(void **state)
{
	(void)state;
	start(FEATURES);
	put(DEVICES + DEVICE * 32, 3);
	for (unsigned i = 0; i < 255; i++) {
		ask(0x1000, IOMMU_READ);
		assert_false(field_is_set(rd(SPEC_AMDVI_STATUS), SPEC_AMDVI_STATUS_EVENT_OVERFLOW));
	}
	assert_int_equal(rd(SPEC_AMDVI_EVENT_TAIL), 255 * 16);
	assert_int_equal(f.interrupts, 1); /* nobody has served it */
	ask(0x1000, IOMMU_READ);
	assert_true(field_is_set(rd(SPEC_AMDVI_STATUS), SPEC_AMDVI_STATUS_EVENT_OVERFLOW));
	assert_false(field_is_set(rd(SPEC_AMDVI_STATUS), SPEC_AMDVI_STATUS_EVENT_LOG_RUN));
	assert_int_equal(f.interrupts, 2);
	/* Room alone does not start it. */
	wr(SPEC_AMDVI_EVENT_HEAD, 255 * 16);
	ask(0x1000, IOMMU_READ);
	assert_int_equal(rd(SPEC_AMDVI_EVENT_TAIL), 255 * 16);
	wr(SPEC_AMDVI_CONTROL,
	   rd(SPEC_AMDVI_CONTROL) & ~field_mask(SPEC_AMDVI_CONTROL_EVENT_LOG_EN));
	wr(SPEC_AMDVI_STATUS, field_mask(SPEC_AMDVI_STATUS_EVENT_OVERFLOW));
	wr(SPEC_AMDVI_CONTROL,
	   rd(SPEC_AMDVI_CONTROL) | field_mask(SPEC_AMDVI_CONTROL_EVENT_LOG_EN));
	ask(0x1000, IOMMU_READ);
	assert_int_equal(rd(SPEC_AMDVI_EVENT_TAIL), 0); /* round the end */
	stop();
}

static void a_device_with_se_has_one_event_until_its_entry_is_invalidated(void **state)
{
	struct iommu_builder builder;

	(void)state;
	start(FEATURES);
	builder = tables();
	device(DEVICE, builder.root, 0, field_mask(SPEC_AMDVI_DTE_1_SE));
	for (unsigned i = 0; i < 3; i++) {
		ask(0x1000 * i, IOMMU_READ);
		assert_int_equal(rd(SPEC_AMDVI_EVENT_TAIL), 16);
	}
	command(UINT64_C(2) << 60 | DEVICE, 0);
	ask(0x1000, IOMMU_READ);
	assert_int_equal(rd(SPEC_AMDVI_EVENT_TAIL), 32);
	/* SA: none at all. */
	device(DEVICE, builder.root, 0, field_mask(SPEC_AMDVI_DTE_1_SA));
	command(UINT64_C(2) << 60 | DEVICE, 0);
	assert_int_equal(ask(0x1000, IOMMU_READ).outcome, IOMMU_SILENT);
	assert_int_equal(rd(SPEC_AMDVI_EVENT_TAIL), 32);
	stop();
}

static void bad_commands_stop_the_buffer_with_an_event(void **state)
{
	static const uint64_t rows[][2] = {
		{ 0, 0 },
		{ UINT64_C(9) << 60, 0 },
		{ UINT64_C(15) << 60, 0 },
		{ UINT64_C(1) << 60 | UINT64_C(1) << 52, 0 },
		{ UINT64_C(2) << 60 | 1 << 16, 0 },
		{ UINT64_C(2) << 60, 1 },
		{ UINT64_C(3) << 60 | 1 << 20, 0 },
		{ UINT64_C(3) << 60, 1 << 3 },
		{ UINT64_C(4) << 60, 1 << 3 },
		{ UINT64_C(5) << 60, 1 },
		{ UINT64_C(8) << 60 | 1, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		start(FEATURES);
		command(rows[i][0], rows[i][1]);
		if (field_is_set(rd(SPEC_AMDVI_STATUS), SPEC_AMDVI_STATUS_CMD_BUF_RUN))
			fail_msg("row %u was carried out", i);
		assert_int_equal(field_get(get(EVENTS), SPEC_AMDVI_EVENT_0_CODE),
				 SPEC_AMDVI_ILLEGAL_COMMAND_ERROR);
		assert_int_equal(get(EVENTS + 8), COMMANDS);
		assert_int_equal(rd(SPEC_AMDVI_COMMAND_HEAD), 0);
		assert_false(completion_wait());
		/* Mended and started anew. */
		put(COMMANDS, UINT64_C(8) << 60);
		put(COMMANDS + 8, 0);
		wr(SPEC_AMDVI_CONTROL,
		   rd(SPEC_AMDVI_CONTROL) & ~field_mask(SPEC_AMDVI_CONTROL_CMD_BUF_EN));
		wr(SPEC_AMDVI_CONTROL,
		   rd(SPEC_AMDVI_CONTROL) | field_mask(SPEC_AMDVI_CONTROL_CMD_BUF_EN));
		assert_true(wait_done());
		stop();
	}
	/* Commands that the unit does not have. */
	for (unsigned code = 6; code <= 8; code++) {
		start(0);
		command((uint64_t)code << 60, 0);
		assert_int_equal(field_get(get(EVENTS), SPEC_AMDVI_EVENT_0_CODE),
				 SPEC_AMDVI_ILLEGAL_COMMAND_ERROR);
		stop();
	}
	start(FEATURES);
	wr(SPEC_AMDVI_COMMAND_BUFFER, UINT64_C(1) << 40 | UINT64_C(8) << 56);
	wr(SPEC_AMDVI_COMMAND_TAIL, 16);
	assert_int_equal(field_get(get(EVENTS), SPEC_AMDVI_EVENT_0_CODE),
			 SPEC_AMDVI_COMMAND_HARDWARE_ERROR);
	stop();
}

static void the_command_buffer_goes_round(void **state)
{
	(void)state;
	start(FEATURES);
	for (unsigned i = 0; i < 2000; i++) {
		command(UINT64_C(6) << 60 | DEVICE, 0x1000); /* a hint */
		assert_true(completion_wait());
	}
	stop();
}

static void devices_drop_and_are_believed_again(void **state)
{
	(void)state;
	start(FEATURES);
	device(DEVICE, 0, 0, field_mask(SPEC_AMDVI_DTE_1_I));
	assert_int_equal(request(IOMMU_TRANSLATED, 0x5000, IOMMU_READ).outcome, IOMMU_OK);
	command(UINT64_C(4) << 60 | DEVICE | UINT64_C(0x23) << 48 | UINT64_C(0x1) << 16,
		0x7000 | 4);
	assert_int_equal(f.invalidations, 1);
	assert_int_equal(f.last.source, DEVICE);
	assert_int_equal(f.last.pasid, 0x123);
	assert_int_equal(f.last.address, 0x7000);
	assert_int_equal(f.last.size, 0x1000);
	assert_false(completion_wait());
	assert_int_equal(request(IOMMU_TRANSLATED, 0x5000, IOMMU_READ).outcome, IOMMU_FAULT);
	amdvi_device_tlb_done(f.unit, DEVICE, 1u << f.last.itag, 1);
	assert_true(wait_done());
	assert_int_equal(request(IOMMU_TRANSLATED, 0x5000, IOMMU_READ).outcome, IOMMU_OK);
	/* A function that its entry does not trust. */
	device(DEVICE, 0, 0, 0);
	command(UINT64_C(2) << 60 | DEVICE, 0);
	assert_int_equal(request(IOMMU_TRANSLATED, 0x5000, IOMMU_READ).outcome, IOMMU_FAULT);
	stop();
}

static void a_device_that_does_not_answer_is_reported(void **state)
{
	(void)state;
	start(FEATURES);
	device(DEVICE, 0, 0, field_mask(SPEC_AMDVI_DTE_1_I));
	wr(SPEC_AMDVI_CONTROL,
	   rd(SPEC_AMDVI_CONTROL) | field_make(SPEC_AMDVI_CONTROL_INV_TIME_OUT, 2)); /* 10 ms */
	command(UINT64_C(4) << 60 | DEVICE, 0x7000);
	assert_false(completion_wait());
	assert_int_equal(amdvi_poll(f.unit, 5), 10000005);
	amdvi_poll(f.unit, 10000005);
	assert_int_equal(field_get(get(EVENTS), SPEC_AMDVI_EVENT_0_CODE),
			 SPEC_AMDVI_IOTLB_INV_TIMEOUT);
	assert_int_equal(get(EVENTS) & 0xffff, DEVICE);
	assert_int_equal(get(EVENTS + 8), COMMANDS);
	assert_true(wait_done());
	assert_int_equal(request(IOMMU_TRANSLATED, 0x5000, IOMMU_READ).outcome, IOMMU_FAULT);
	command(UINT64_C(4) << 60 | DEVICE, 0x7000);
	amdvi_device_tlb_done(f.unit, DEVICE, 1u << f.last.itag, 1);
	assert_int_equal(request(IOMMU_TRANSLATED, 0x5000, IOMMU_READ).outcome, IOMMU_OK);
	stop();
}

static bool page_request(bool last)
{
	return amdvi_page_request(f.unit, &(struct iommu_page_request){ .source = DEVICE,
									.pasid = 0x54321,
									.address = 0x7654321abc,
									.group = 0x99,
									.access = IOMMU_READ,
									.last = last });
}

static void page_requests_are_logged_and_answered(void **state)
{
	uint64_t entry;

	(void)state;
	start(FEATURES);
	assert_false(page_request(true)); /* not allowed */
	assert_int_equal(f.response_code, SPEC_PRG_INVALID_REQUEST);
	assert_int_equal(field_get(get(EVENTS), SPEC_AMDVI_EVENT_0_CODE),
			 SPEC_AMDVI_INVALID_PPR_REQUEST);
	device(DEVICE, 0, field_mask(SPEC_AMDVI_DTE_0_PPR), field_mask(SPEC_AMDVI_DTE_1_I));
	assert_true(page_request(true));
	entry = get(PPRS);
	assert_int_equal(field_get(entry, SPEC_AMDVI_PPRLOG_0_DEVICE), DEVICE);
	assert_int_equal(field_get(entry, SPEC_AMDVI_PPRLOG_0_PASID_LOW), 0x4321);
	assert_int_equal(field_get(entry, SPEC_AMDVI_PPRLOG_0_PASID_HIGH), 5);
	assert_int_equal(field_get(entry, SPEC_AMDVI_PPRLOG_0_TAG), 0x99);
	assert_true(field_is_set(entry, SPEC_AMDVI_PPRLOG_0_LAST));
	assert_true(field_is_set(entry, SPEC_AMDVI_PPRLOG_0_GN));
	assert_int_equal(get(PPRS + 8), 0x7654321000);
	assert_true(field_is_set(rd(SPEC_AMDVI_STATUS), SPEC_AMDVI_STATUS_PPR_INT));
	command(UINT64_C(7) << 60 | UINT64_C(0x54321) << 32 | DEVICE,
		UINT64_C(15) << 44 | UINT64_C(0x99) << 32 | 4);
	assert_int_equal(f.responses, 2);
	assert_int_equal(f.response_group, 0x99);
	assert_int_equal(f.response_pasid, 0x54321);
	assert_int_equal(f.response_code, SPEC_PRG_FAILURE);
	for (unsigned i = 0; i < 254; i++)
		assert_true(page_request(false));
	assert_false(page_request(true));
	assert_int_equal(f.response_code, SPEC_PRG_SUCCESS);
	assert_true(field_is_set(rd(SPEC_AMDVI_STATUS), SPEC_AMDVI_STATUS_PPR_OVERFLOW));
	assert_false(field_is_set(rd(SPEC_AMDVI_STATUS), SPEC_AMDVI_STATUS_PPR_LOG_RUN));
	stop();
}

static void the_exclusion_range_is_not_translated(void **state)
{
	struct iommu_builder builder;

	(void)state;
	start(FEATURES);
	builder = tables();
	device(DEVICE, builder.root, 0, field_mask(SPEC_AMDVI_DTE_1_EX));
	map(&builder, 0, 0x4000000000, 0x400000);
	assert_int_equal(ask(0x5000, IOMMU_READ).address, 0x4000005000);
	wr(SPEC_AMDVI_EXCLUSION_LIMIT, 0x6000);
	wr(SPEC_AMDVI_EXCLUSION_BASE, 0x5000 | 1);
	assert_int_equal(ask(0x4fff, IOMMU_READ).address, 0x4000004fff);
	assert_int_equal(ask(0x5000, IOMMU_READ).address, 0x5000);
	assert_int_equal(ask(0x6fff, IOMMU_READ).address, 0x6fff);
	assert_int_equal(ask(0x7000, IOMMU_READ).address, 0x4000007000);
	stop();
}

static uint32_t interrupt_data(uint32_t index)
{
	struct iommu_remapped remapped;

	amdvi_reader_enter(f.reader);
	amdvi_interrupt(f.reader, &(struct iommu_message){ DEVICE, 0xfee00000, index }, &remapped);
	amdvi_reader_leave(f.reader);
	return remapped.outcome == IOMMU_OK ? remapped.data : UINT32_MAX;
}

static void interrupt_entries_are_kept_until_they_are_invalidated(void **state)
{
	(void)state;
	start(FEATURES);
	device(DEVICE, 0, 0, 0);
	put(DEVICES + DEVICE * 32 + 16,
	    1 | 5 << 1 | 0x7000 | UINT64_C(2) << 60); /* remap, 32 entries */
	put(0x7000, (uint64_t)(1 | 0x41 << 16) << 32 | (1 | 0x40 << 16));
	assert_int_equal(interrupt_data(0) & 0xff, 0x40);
	assert_int_equal(interrupt_data(1) & 0xff, 0x41);
	put(0x7000, 0);
	assert_int_equal(interrupt_data(0) & 0xff, 0x40);
	command(UINT64_C(5) << 60 | (DEVICE + 1), 0);
	assert_true(completion_wait());
	assert_int_equal(interrupt_data(0) & 0xff, 0x40);
	command(UINT64_C(5) << 60 | DEVICE, 0);
	assert_true(completion_wait());
	assert_int_equal(interrupt_data(0), UINT32_MAX);
	assert_int_equal(interrupt_data(1), UINT32_MAX);
	assert_true(rd(SPEC_AMDVI_EVENT_TAIL) > 0);
	stop();
}

static void configurations_that_cannot_be_are_refused(void **state)
{
	struct amdvi_config config;

	(void)state;
	start(FEATURES);
	config = f.config;
	config.features |= field_mask(SPEC_AMDVI_EFR_GT_SUP);
	assert_non_null(strstr(amdvi_config_check(&config), "GTSup"));
	config = f.config;
	config.features |= field_mask(SPEC_AMDVI_EFR_HE_SUP);
	assert_non_null(strstr(amdvi_config_check(&config), "HESup"));
	config = f.config;
	config.features |= field_make(SPEC_AMDVI_EFR_HATS, 3);
	assert_non_null(strstr(amdvi_config_check(&config), "HATS"));
	config = f.config;
	config.page_response = NULL;
	assert_non_null(strstr(amdvi_config_check(&config), "PPRSup"));
	config = f.config;
	config.memory.write = NULL;
	assert_non_null(strstr(amdvi_config_check(&config), "memory"));
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_have_their_policy),
		cmocka_unit_test(a_new_place_of_a_buffer_or_log_begins_empty),
		cmocka_unit_test(a_disabled_unit_lets_everything_pass),
		cmocka_unit_test(pages_of_all_sizes_are_kept_until_they_are_invalidated),
		cmocka_unit_test(another_domains_invalidation_leaves_pages_alone),
		cmocka_unit_test(a_completion_waits_for_readers),
		cmocka_unit_test(a_completion_interrupts_once_until_it_is_served),
		cmocka_unit_test(faults_are_logged_with_what_is_known),
		cmocka_unit_test(a_full_event_log_stops_until_it_is_started_anew),
		cmocka_unit_test(a_device_with_se_has_one_event_until_its_entry_is_invalidated),
		cmocka_unit_test(bad_commands_stop_the_buffer_with_an_event),
		cmocka_unit_test(the_command_buffer_goes_round),
		cmocka_unit_test(devices_drop_and_are_believed_again),
		cmocka_unit_test(a_device_that_does_not_answer_is_reported),
		cmocka_unit_test(page_requests_are_logged_and_answered),
		cmocka_unit_test(the_exclusion_range_is_not_translated),
		cmocka_unit_test(interrupt_entries_are_kept_until_they_are_invalidated),
		cmocka_unit_test(configurations_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
