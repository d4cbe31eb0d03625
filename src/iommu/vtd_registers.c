#include "iommu/vtd_unit.h"

/* The policy of the register page: one row a register, in the order of section 11.4.  Bits that no
 * column has read as 0 and ignore writes.
 *
 *     rw    software's to set and clear
 *     ro    the unit's; CAP and ECAP come from the configuration
 *     rw1c  set by the unit, cleared by writing 1
 *     wo    taken when written, read as 0
 *
 * What a write starts, beyond bits that change, is in the last column. */

enum row_base { AT_0, AT_IRO, AT_FRO };

/* What the unit must have, or the register is not there. */
enum row_need { ALWAYS, NEED_QI, NEED_IR, NEED_PRS, NEED_MTS, NEED_PLMR, NEED_PHMR, NEED_PMR };

typedef void row_written(struct vtd *vtd, uint64_t value);

struct row {
	const char *name;
	enum row_base base;
	uint16_t offset;
	uint8_t size;  /* bytes */
	uint8_t count; /* of such registers, 'stride' bytes apart */
	uint16_t stride;
	enum row_need need;
	uint64_t rw, ro, rw1c, wo;
	uint64_t busy; /* while this bit is set, writes are ignored */
	uint64_t reset;
	row_written *written;
};

static row_written fsts_written, fectl_written, iectl_written, pectl_written, ics_written;
static row_written iqt_written, prs_written, frcd_written;

#define ADDRESS_63_12 UINT64_C(0xfffffffffffff000)
#define MASK_2M_32    UINT64_C(0xffe00000)
#define MASK_2M_64    UINT64_C(0xffffffffffe00000)
#define BIT(n)	      (UINT64_C(1) << (n))
#define BITS(hi, lo)  (UINT64_MAX >> (63 - (hi)) & UINT64_MAX << (lo))
#define ALL_32	      BITS(31, 0)
#define EVENT	      .rw = BIT(31), .ro = BIT(30), .reset = BIT(31)

/* clang-format off */
static const struct row rows[] = {
	{ "VER",      AT_0, SPEC_VTD_VER,      4, .ro = BITS(7, 0) },
	{ "CAP",      AT_0, SPEC_VTD_CAP,      8, .ro = UINT64_MAX },
	{ "ECAP",     AT_0, SPEC_VTD_ECAP,     8, .ro = UINT64_MAX },
	{ "GCMD",     AT_0, SPEC_VTD_GCMD,     4, .wo = BITS(31, 23), .written = vtd_command_global },
	{ "GSTS",     AT_0, SPEC_VTD_GSTS,     4, .ro = BITS(31, 23) },
	{ "RTADDR",   AT_0, SPEC_VTD_RTADDR,   8, .rw = ADDRESS_63_12 | BITS(11, 10) | BIT(7) },
	{ "CCMD",     AT_0, SPEC_VTD_CCMD,     8, .rw = BITS(63, 61) | BITS(33, 0), .ro = BITS(60, 59),
	  .busy = BIT(63), .written = vtd_command_context },
	{ "FSTS",     AT_0, SPEC_VTD_FSTS,     4, .ro = BITS(15, 8) | BIT(1), .rw1c = BITS(6, 4) | BIT(0),
	  .written = fsts_written },
	{ "FECTL",    AT_0, SPEC_VTD_FECTL,    4, EVENT, .written = fectl_written },
	{ "FEDATA",   AT_0, SPEC_VTD_FEDATA,   4, .rw = ALL_32 },
	{ "FEADDR",   AT_0, SPEC_VTD_FEADDR,   4, .rw = BITS(31, 2) },
	{ "FEUADDR",  AT_0, SPEC_VTD_FEUADDR,  4, .rw = ALL_32 },
	{ "PMEN",     AT_0, SPEC_VTD_PMEN,     4, .need = NEED_PMR, .rw = BIT(31), .ro = BIT(0),
	  .written = vtd_command_protect },
	{ "PLMBASE",  AT_0, SPEC_VTD_PLMBASE,  4, .need = NEED_PLMR, .rw = MASK_2M_32 },
	{ "PLMLIMIT", AT_0, SPEC_VTD_PLMLIMIT, 4, .need = NEED_PLMR, .rw = MASK_2M_32 },
	{ "PHMBASE",  AT_0, SPEC_VTD_PHMBASE,  8, .need = NEED_PHMR, .rw = MASK_2M_64 },
	{ "PHMLIMIT", AT_0, SPEC_VTD_PHMLIMIT, 8, .need = NEED_PHMR, .rw = MASK_2M_64 },
	{ "IQH",      AT_0, SPEC_VTD_IQH,      8, .need = NEED_QI, .ro = BITS(18, 4) },
	{ "IQT",      AT_0, SPEC_VTD_IQT,      8, .need = NEED_QI, .rw = BITS(18, 4), .written = iqt_written },
	{ "IQA",      AT_0, SPEC_VTD_IQA,      8, .need = NEED_QI, .rw = ADDRESS_63_12 | BIT(11) | BITS(2, 0) },
	{ "ICS",      AT_0, SPEC_VTD_ICS,      4, .need = NEED_QI, .rw1c = BIT(0), .written = ics_written },
	{ "IECTL",    AT_0, SPEC_VTD_IECTL,    4, .need = NEED_QI, EVENT, .written = iectl_written },
	{ "IEDATA",   AT_0, SPEC_VTD_IEDATA,   4, .need = NEED_QI, .rw = ALL_32 },
	{ "IEADDR",   AT_0, SPEC_VTD_IEADDR,   4, .need = NEED_QI, .rw = BITS(31, 2) },
	{ "IEUADDR",  AT_0, SPEC_VTD_IEUADDR,  4, .need = NEED_QI, .rw = ALL_32 },
	{ "IQERCD",   AT_0, SPEC_VTD_IQERCD,   8, .need = NEED_QI, .ro = BITS(63, 32) | BITS(3, 0) },
	{ "IRTA",     AT_0, SPEC_VTD_IRTA,     8, .need = NEED_IR, .rw = ADDRESS_63_12 | BIT(11) | BITS(3, 0) },
	{ "PQH",      AT_0, SPEC_VTD_PQH,      8, .need = NEED_PRS, .rw = BITS(18, 5) },
	{ "PQT",      AT_0, SPEC_VTD_PQT,      8, .need = NEED_PRS, .rw = BITS(18, 5) },
	{ "PQA",      AT_0, SPEC_VTD_PQA,      8, .need = NEED_PRS, .rw = ADDRESS_63_12 | BITS(2, 0) },
	{ "PRS",      AT_0, SPEC_VTD_PRS,      4, .need = NEED_PRS, .rw1c = BITS(1, 0), .written = prs_written },
	{ "PECTL",    AT_0, SPEC_VTD_PECTL,    4, .need = NEED_PRS, EVENT, .written = pectl_written },
	{ "PEDATA",   AT_0, SPEC_VTD_PEDATA,   4, .need = NEED_PRS, .rw = ALL_32 },
	{ "PEADDR",   AT_0, SPEC_VTD_PEADDR,   4, .need = NEED_PRS, .rw = BITS(31, 2) },
	{ "PEUADDR",  AT_0, SPEC_VTD_PEUADDR,  4, .need = NEED_PRS, .rw = ALL_32 },
	{ "MTRRCAP",  AT_0, SPEC_VTD_MTRRCAP,  8, .need = NEED_MTS, .ro = BITS(11, 0),
	  .reset = SPEC_VTD_MTRR_VARIABLE_COUNT | BIT(8) | BIT(10) },
	{ "MTRRDEF",  AT_0, SPEC_VTD_MTRRDEF,  8, .need = NEED_MTS, .rw = BITS(11, 10) | BITS(7, 0) },
	{ "MTRR fixed", AT_0, SPEC_VTD_MTRR_FIXED, 8, SPEC_VTD_MTRR_FIXED_COUNT, 8, NEED_MTS, .rw = UINT64_MAX },
	{ "MTRR base",  AT_0, SPEC_VTD_MTRR_VARIABLE, 8, SPEC_VTD_MTRR_VARIABLE_COUNT, 16, NEED_MTS,
	  .rw = ADDRESS_63_12 | BITS(7, 0) },
	{ "MTRR mask",  AT_0, SPEC_VTD_MTRR_VARIABLE + 8, 8, SPEC_VTD_MTRR_VARIABLE_COUNT, 16, NEED_MTS,
	  .rw = ADDRESS_63_12 | BIT(11) },
	{ "IVA",   AT_IRO, SPEC_VTD_IVA,   8, .wo = ADDRESS_63_12 | BITS(6, 0) },
	{ "IOTLB", AT_IRO, SPEC_VTD_IOTLB, 8, .rw = BIT(63) | BITS(61, 60) | BITS(49, 32), .ro = BITS(58, 57),
	  .busy = BIT(63), .written = vtd_command_iotlb },
	/* count: CAP.NFR + 1 */
	{ "FRCD low",  AT_FRO, SPEC_VTD_FRCD_LOW,  8, 0, SPEC_VTD_FRCD_SIZE, .ro = ADDRESS_63_12 },
	{ "FRCD high", AT_FRO, SPEC_VTD_FRCD_HIGH, 8, 0, SPEC_VTD_FRCD_SIZE, .ro = BITS(62, 28) | BITS(15, 0),
	  .rw1c = BIT(63), .written = frcd_written },
};
/* clang-format on */

_Static_assert(array_len(rows) < UINT8_MAX, "a row's number fits row_at[]");

static uint64_t words_get(const struct vtd *vtd, uint32_t offset, unsigned size)
{
	uint64_t value = vtd->words[offset / 4];

	return size == 8 ? value | (uint64_t)vtd->words[offset / 4 + 1] << 32 : value;
}

static void words_set(struct vtd *vtd, uint32_t offset, unsigned size, uint64_t value)
{
	vtd->words[offset / 4] = (uint32_t)value;
	if (size == 8)
		vtd->words[offset / 4 + 1] = (uint32_t)(value >> 32);
}

static const struct row *row_of(const struct vtd *vtd, uint32_t offset)
{
	unsigned number = vtd->row_at[offset / 4];

	return number ? &rows[number - 1] : NULL;
}

uint64_t vtd_register(const struct vtd *vtd, uint32_t offset)
{
	const struct row *row = row_of(vtd, offset);

	return row ? words_get(vtd, offset, row->size) : 0;
}

void vtd_register_set(struct vtd *vtd, uint32_t offset, uint64_t value)
{
	const struct row *row = row_of(vtd, offset);

	if (row)
		words_set(vtd, offset, row->size, value);
}

uint32_t vtd_iotlb_offset(const struct vtd *vtd)
{
	return (uint32_t)field_get(vtd->config.ecap, SPEC_VTD_ECAP_IRO) * 16;
}

uint32_t vtd_frcd_offset(const struct vtd *vtd, unsigned index)
{
	return (uint32_t)field_get(vtd->config.cap, SPEC_VTD_CAP_FRO) * 16 +
	       index * SPEC_VTD_FRCD_SIZE;
}

unsigned vtd_frcd_count(const struct vtd *vtd)
{
	return (unsigned)field_get(vtd->config.cap, SPEC_VTD_CAP_NFR) + 1;
}

static bool is_there(const struct vtd_config *config, enum row_need need)
{
	uint64_t cap = config->cap, ecap = config->ecap;

	switch (need) {
	case NEED_QI:
		return field_is_set(ecap, SPEC_VTD_ECAP_QI);
	case NEED_IR:
		return field_is_set(ecap, SPEC_VTD_ECAP_IR);
	case NEED_PRS:
		return field_is_set(ecap, SPEC_VTD_ECAP_PRS);
	case NEED_MTS:
		return field_is_set(ecap, SPEC_VTD_ECAP_MTS);
	case NEED_PLMR:
		return field_is_set(cap, SPEC_VTD_CAP_PLMR);
	case NEED_PHMR:
		return field_is_set(cap, SPEC_VTD_CAP_PHMR);
	case NEED_PMR:
		return is_there(config, NEED_PLMR) || is_there(config, NEED_PHMR);
	case ALWAYS:
		break;
	}
	return true;
}

/* Where the registers of a row are: the first, and how many. */
static uint32_t place(const struct vtd_config *config, const struct row *row, unsigned *count)
{
	*count = row->count ? row->count : 1;
	if (row->base == AT_IRO)
		return row->offset + (uint32_t)field_get(config->ecap, SPEC_VTD_ECAP_IRO) * 16;
	if (row->base == AT_FRO) {
		*count = (unsigned)field_get(config->cap, SPEC_VTD_CAP_NFR) + 1;
		return row->offset + (uint32_t)field_get(config->cap, SPEC_VTD_CAP_FRO) * 16;
	}
	return row->offset;
}

bool vtd_registers_fit(const struct vtd_config *config)
{
	bool taken[VTD_WORDS] = { false };
	unsigned count;

	for (unsigned number = 0; number < array_len(rows); number++) {
		const struct row *row = &rows[number];
		uint32_t at = place(config, row, &count);

		if (!is_there(config, row->need))
			continue;
		for (unsigned i = 0; i < count; i++, at += row->stride) {
			if (at + row->size > SPEC_VTD_REGISTERS_SIZE || taken[at / 4] ||
			    taken[(at + row->size) / 4 - 1])
				return false;
			taken[at / 4] = taken[(at + row->size) / 4 - 1] = true;
		}
	}
	return true;
}

static void lay(struct vtd *vtd, unsigned number, uint32_t at)
{
	const struct row *row = &rows[number];

	for (unsigned i = 0; i < row->size / 4u; i++) {
		vtd->row_at[at / 4 + i] = (uint8_t)(number + 1);
		vtd->row_start[at / 4 + i] = (uint16_t)at;
	}
	words_set(vtd, at, row->size, row->reset);
}

void vtd_registers_init(struct vtd *vtd)
{
	unsigned count;

	for (unsigned number = 0; number < array_len(rows); number++) {
		uint32_t at = place(&vtd->config, &rows[number], &count);

		if (!is_there(&vtd->config, rows[number].need))
			continue;
		for (unsigned i = 0; i < count; i++)
			lay(vtd, number, at + i * rows[number].stride);
	}
	vtd_register_set(vtd, SPEC_VTD_VER, vtd->config.version & 0xff);
	vtd_register_set(vtd, SPEC_VTD_CAP, vtd->config.cap);
	vtd_register_set(vtd, SPEC_VTD_ECAP, vtd->config.ecap);
}

static bool access_is_fair(uint32_t offset, unsigned size)
{
	return (size == 4 || size == 8) && offset % size == 0 &&
	       offset <= SPEC_VTD_REGISTERS_SIZE - size;
}

/* What software sees of the 4 or 8 bytes at 'offset' of one register. */
static uint64_t read_row(const struct vtd *vtd, uint32_t offset, unsigned size)
{
	const struct row *row = row_of(vtd, offset);
	uint64_t value, seen;

	if (!row)
		return 0;
	seen = row->rw | row->ro | row->rw1c;
	value = words_get(vtd, vtd->row_start[offset / 4], row->size) & seen;
	value >>= (offset - vtd->row_start[offset / 4]) * 8;
	return size == 4 ? (uint32_t)value : value;
}

uint64_t vtd_read(struct vtd *vtd, uint32_t offset, unsigned size)
{
	if (!access_is_fair(offset, size))
		return 0;
	vtd_fault_collect(vtd); /* what happened before this read is in the registers */
	if (size == 8 && (!row_of(vtd, offset) || row_of(vtd, offset)->size == 4))
		return read_row(vtd, offset, 4) | read_row(vtd, offset + 4, 4) << 32;
	return read_row(vtd, offset, size);
}

static void write_row(struct vtd *vtd, uint32_t offset, unsigned size, uint64_t value)
{
	const struct row *row = row_of(vtd, offset);
	uint64_t bytes = size == 4 ? UINT32_MAX : UINT64_MAX, old, now;
	uint32_t start;
	unsigned shift;

	if (!row)
		return;
	start = vtd->row_start[offset / 4];
	shift = (offset - start) * 8;
	value = (value & bytes) << shift;
	bytes <<= shift;
	old = words_get(vtd, start, row->size);
	if (old & row->busy)
		return;
	now = (old & ~(row->rw & bytes)) | (value & row->rw & bytes);
	now &= ~(value & row->rw1c);
	if (row->wo & ~row->rw && !row->written) /* kept for the unit, not shown */
		now = (now & ~(row->wo & bytes)) | (value & row->wo & bytes);
	words_set(vtd, start, row->size, now);
	if (row->written)
		row->written(vtd, value);
}

void vtd_write(struct vtd *vtd, uint32_t offset, unsigned size, uint64_t value)
{
	if (!access_is_fair(offset, size))
		return;
	vtd_fault_collect(vtd);
	if (size == 8 && (!row_of(vtd, offset) || row_of(vtd, offset)->size == 4)) {
		write_row(vtd, offset, 4, (uint32_t)value);
		write_row(vtd, offset + 4, 4, value >> 32);
		return;
	}
	write_row(vtd, offset, size, value);
}

static void fsts_written(struct vtd *vtd, uint64_t value)
{
	(void)value;
	vtd_fault_served(vtd);
	vtd_queue_run(vtd); /* IQE and ITE had stopped it */
}

static void frcd_written(struct vtd *vtd, uint64_t value)
{
	(void)value;
	vtd_fault_served(vtd);
}

static void fectl_written(struct vtd *vtd, uint64_t value)
{
	(void)value;
	vtd_event_control(vtd, VTD_EVENT_FAULT);
}

static void iectl_written(struct vtd *vtd, uint64_t value)
{
	(void)value;
	vtd_event_control(vtd, VTD_EVENT_INVALIDATION);
}

static void pectl_written(struct vtd *vtd, uint64_t value)
{
	(void)value;
	vtd_event_control(vtd, VTD_EVENT_PAGE_REQUEST);
}

static void ics_written(struct vtd *vtd, uint64_t value)
{
	(void)value;
	if (!vtd_register(vtd, SPEC_VTD_ICS))
		vtd_event_serve(vtd, VTD_EVENT_INVALIDATION);
}

static void prs_written(struct vtd *vtd, uint64_t value)
{
	(void)value;
	if (!(vtd_register(vtd, SPEC_VTD_PRS) & vtd_bit(SPEC_VTD_PRS_PPR)))
		vtd_event_serve(vtd, VTD_EVENT_PAGE_REQUEST);
}

static void iqt_written(struct vtd *vtd, uint64_t value)
{
	(void)value;
	vtd_queue_run(vtd);
}
