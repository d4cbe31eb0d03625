#include "iommu/amdvi_unit.h"

/* The registers (section 3.4), all of 64 bits; bits that no column has read as 0 and ignore writes.
 */
typedef void row_written(struct amdvi *amdvi, uint64_t before);

struct row {
	const char *name;
	uint16_t offset;
	uint8_t count; /* of such registers, 8 bytes apart */
	uint8_t need;  /* 1 + bit of the feature register; 0: always there */
	uint64_t rw, ro, rw1c;
	row_written *written;
};

static row_written mode_written, control_written, command_written, event_head_written;
static row_written command_buffer_written, event_log_written, page_log_written;

#define BIT(n)	     (UINT64_C(1) << (n))
#define BITS(hi, lo) (UINT64_MAX >> (63 - (hi)) & UINT64_MAX << (lo))
#define NEED(field)  (((field)&0xff) + 1)
#define BUFFER	     (BITS(51, 12) | BITS(59, 56))
#define POINTER	     BITS(18, 4)

/* clang-format off */
static const struct row rows[] = {
	{ "device table",     SPEC_AMDVI_DEVICE_TABLE,     1, .rw = BITS(51, 12) | BITS(8, 0),
	  .written = mode_written },
	{ "command buffer",   SPEC_AMDVI_COMMAND_BUFFER,   1, .rw = BUFFER, .written = command_buffer_written },
	{ "event log",        SPEC_AMDVI_EVENT_LOG,        1, .rw = BUFFER, .written = event_log_written },
	/* Enables of what the unit does not have stay 0: control_mask(). */
	{ "control",          SPEC_AMDVI_CONTROL,          1, .rw = BITS(17, 0) | BITS(27, 25) | BITS(36, 34) | BIT(50),
	  .written = control_written },
	{ "exclusion base",   SPEC_AMDVI_EXCLUSION_BASE,   1, .rw = BITS(51, 12) | BITS(1, 0),
	  .written = mode_written },
	{ "exclusion limit",  SPEC_AMDVI_EXCLUSION_LIMIT,  1, .rw = BITS(51, 12), .written = mode_written },
	{ "extended feature", SPEC_AMDVI_EXTENDED_FEATURE, 1, .ro = UINT64_MAX },
	{ "PPR log",          SPEC_AMDVI_PPR_LOG,          1, NEED(SPEC_AMDVI_EFR_PPR_SUP), .rw = BUFFER,
	  .written = page_log_written },
	{ "device table segment", SPEC_AMDVI_DEVICE_TABLE_SEGMENT_1, 7, .rw = BITS(51, 12) | BITS(7, 0),
	  .written = mode_written },
	{ "command head",     SPEC_AMDVI_COMMAND_HEAD,     1, .rw = POINTER },
	{ "command tail",     SPEC_AMDVI_COMMAND_TAIL,     1, .rw = POINTER, .written = command_written },
	{ "event head",       SPEC_AMDVI_EVENT_HEAD,       1, .rw = POINTER, .written = event_head_written },
	{ "event tail",       SPEC_AMDVI_EVENT_TAIL,       1, .rw = POINTER },
	{ "status",           SPEC_AMDVI_STATUS,           1, .ro = BITS(4, 3) | BIT(7),
	  .rw1c = BITS(2, 0) | BITS(6, 5) },
	{ "PPR head",         SPEC_AMDVI_PPR_HEAD,         1, NEED(SPEC_AMDVI_EFR_PPR_SUP), .rw = POINTER },
	{ "PPR tail",         SPEC_AMDVI_PPR_TAIL,         1, NEED(SPEC_AMDVI_EFR_PPR_SUP), .rw = POINTER },
};
/* clang-format on */

static const struct row *row_of(const struct amdvi *amdvi, uint32_t offset)
{
	for (unsigned i = 0; i < array_len(rows); i++) {
		uint32_t at = offset - rows[i].offset;

		if (at < rows[i].count * 8u &&
		    (!rows[i].need || amdvi->config.features >> (rows[i].need - 1) & 1))
			return &rows[i];
	}
	return NULL;
}

/* 2^n entries of 16 bytes; lengths below 8 are reserved, and taken as 8. */
uint64_t amdvi_buffer_size(const struct amdvi *amdvi, uint32_t base_register)
{
	uint64_t length = field_get(amdvi_register(amdvi, base_register), SPEC_AMDVI_BUFFER_LENGTH);

	return UINT64_C(16) << max_u64(length, 8);
}

void amdvi_registers_init(struct amdvi *amdvi)
{
	static const uint32_t buffers[] = { SPEC_AMDVI_COMMAND_BUFFER, SPEC_AMDVI_EVENT_LOG };

	amdvi_register_set(amdvi, SPEC_AMDVI_EXTENDED_FEATURE, amdvi->config.features);
	for (unsigned i = 0; i < array_len(buffers); i++)
		amdvi_register_set(amdvi, buffers[i], field_make(SPEC_AMDVI_BUFFER_LENGTH, 8));
}

static bool access_is_fair(uint32_t offset, unsigned size)
{
	return (size == 4 || size == 8) && offset % size == 0 &&
	       offset <= SPEC_AMDVI_REGISTERS_SIZE - size;
}

uint64_t amdvi_read(struct amdvi *amdvi, uint32_t offset, unsigned size)
{
	const struct row *row;
	uint64_t value;

	if (!access_is_fair(offset, size))
		return 0;
	amdvi_collect(amdvi);
	row = row_of(amdvi, offset & ~7u);
	value = row ? amdvi_register(amdvi, offset) & (row->rw | row->ro | row->rw1c) : 0;
	return size == 8 ? value : (uint32_t)(value >> (offset % 8 * 8));
}

void amdvi_write(struct amdvi *amdvi, uint32_t offset, unsigned size, uint64_t value)
{
	uint64_t bytes = size == 4 ? UINT32_MAX : UINT64_MAX, before, now;
	unsigned shift = offset % 8 * 8;
	const struct row *row;

	if (!access_is_fair(offset, size))
		return;
	amdvi_collect(amdvi);
	row = row_of(amdvi, offset & ~7u);
	if (!row)
		return;
	value = (value & bytes) << shift;
	bytes <<= shift;
	before = amdvi_register(amdvi, offset);
	now = (before & ~(row->rw & bytes)) | (value & row->rw & bytes);
	amdvi_register_set(amdvi, offset, now & ~(value & row->rw1c));
	if (row->written)
		row->written(amdvi, before);
}

void amdvi_signal(struct amdvi *amdvi, int status, int enable)
{
	bool before = amdvi_status(amdvi, status);

	amdvi_status_set(amdvi, status, 1);
	if (!before && amdvi_control(amdvi, enable) && amdvi->config.interrupt)
		amdvi->config.interrupt(amdvi->config.context);
}

static void mode_written(struct amdvi *amdvi, uint64_t before)
{
	struct amdvi_mode *mode = &amdvi->mode;

	(void)before;
	mode->control = amdvi_register(amdvi, SPEC_AMDVI_CONTROL);
	mode->exclusion_base = amdvi_register(amdvi, SPEC_AMDVI_EXCLUSION_BASE);
	mode->exclusion_limit = amdvi_register(amdvi, SPEC_AMDVI_EXCLUSION_LIMIT);
	mode->device_tables[0] = amdvi_register(amdvi, SPEC_AMDVI_DEVICE_TABLE);
	for (unsigned i = 1; i < SPEC_AMDVI_SEGMENTS_MAX; i++)
		mode->device_tables[i] =
			amdvi_register(amdvi, SPEC_AMDVI_DEVICE_TABLE_SEGMENT_1 + (i - 1) * 8);
	iommu_mode_publish(&amdvi->modes, mode, sizeof *mode);
	amdvi_end_all(amdvi);
}

/* Enables that a unit with these features has. */
static uint64_t control_mask(uint64_t features)
{
	static const struct {
		int feature, control;
	} pairs[] = {
		{ SPEC_AMDVI_EFR_PPR_SUP, SPEC_AMDVI_CONTROL_PPR_LOG_EN },
		{ SPEC_AMDVI_EFR_PPR_SUP, SPEC_AMDVI_CONTROL_PPR_INT_EN },
		{ SPEC_AMDVI_EFR_PPR_SUP, SPEC_AMDVI_CONTROL_PPR_EN },
		{ SPEC_AMDVI_EFR_GT_SUP, SPEC_AMDVI_CONTROL_GT_EN },
		{ SPEC_AMDVI_EFR_GA_SUP, SPEC_AMDVI_CONTROL_GA_EN },
		{ SPEC_AMDVI_EFR_GAM_SUP, SPEC_AMDVI_CONTROL_GAM_EN },
		{ SPEC_AMDVI_EFR_DEV_TBL_SEG_SUP, SPEC_AMDVI_CONTROL_DEV_TBL_SEG_EN },
		{ SPEC_AMDVI_EFR_XT_SUP, SPEC_AMDVI_CONTROL_XT_EN },
	};
	uint64_t mask = UINT64_MAX;

	for (unsigned i = 0; i < array_len(pairs); i++)
		if (!field_is_set(features, pairs[i].feature))
			mask &= ~field_mask(pairs[i].control);
	return mask;
}

/* Switching a buffer or log on starts it anew after an error or an overflow. */
static void start_and_stop(struct amdvi *amdvi, uint64_t before, int enable, int run)
{
	bool was = field_is_set(before, enable), is = amdvi_control(amdvi, enable);

	if (was != is)
		amdvi_status_set(amdvi, run, is);
}

static void control_written(struct amdvi *amdvi, uint64_t before)
{
	uint64_t now =
		amdvi_register(amdvi, SPEC_AMDVI_CONTROL) & control_mask(amdvi->config.features);

	amdvi_register_set(amdvi, SPEC_AMDVI_CONTROL, now);
	start_and_stop(amdvi, before, SPEC_AMDVI_CONTROL_CMD_BUF_EN, SPEC_AMDVI_STATUS_CMD_BUF_RUN);
	start_and_stop(amdvi, before, SPEC_AMDVI_CONTROL_EVENT_LOG_EN,
		       SPEC_AMDVI_STATUS_EVENT_LOG_RUN);
	start_and_stop(amdvi, before, SPEC_AMDVI_CONTROL_PPR_LOG_EN, SPEC_AMDVI_STATUS_PPR_LOG_RUN);
	if (!amdvi_control(amdvi, SPEC_AMDVI_CONTROL_CMD_BUF_EN))
		amdvi->commands.waiting = false;
	mode_written(amdvi, before);
	amdvi_commands_run(amdvi);
}

static void command_written(struct amdvi *amdvi, uint64_t before)
{
	(void)before;
	amdvi_commands_run(amdvi);
}

static void event_head_written(struct amdvi *amdvi, uint64_t before)
{
	(void)before;
	amdvi_collect(amdvi);
}

/* A new place begins empty: head and tail are 0 again (2.4, 2.5, 2.6). */
static void empty(struct amdvi *amdvi, uint32_t head, uint32_t tail)
{
	amdvi_register_set(amdvi, head, 0);
	amdvi_register_set(amdvi, tail, 0);
}

static void command_buffer_written(struct amdvi *amdvi, uint64_t before)
{
	(void)before;
	empty(amdvi, SPEC_AMDVI_COMMAND_HEAD, SPEC_AMDVI_COMMAND_TAIL);
}

static void event_log_written(struct amdvi *amdvi, uint64_t before)
{
	(void)before;
	empty(amdvi, SPEC_AMDVI_EVENT_HEAD, SPEC_AMDVI_EVENT_TAIL);
}

static void page_log_written(struct amdvi *amdvi, uint64_t before)
{
	(void)before;
	empty(amdvi, SPEC_AMDVI_PPR_HEAD, SPEC_AMDVI_PPR_TAIL);
}
