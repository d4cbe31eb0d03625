#include "prog/midplane_unit.h"

#include "spec/amdvi.h"
#include "spec/vtd.h"

#include <errno.h>

enum { WALKS_MIN = 1 << 20, WALKS_MAX = 1 << 26, SEGMENT_STEP = 8 };

/* A register that the tables cannot do without: where its value goes, which needs it, its name. */
struct wanted {
	uint32_t offset;
	unsigned needs; /* enum unit_needs, ored */
	uint64_t *value;
	const char *name;
};

static int read_wanted(const struct unit_registers *registers, const struct wanted *wanted,
		       unsigned count, unsigned needs, struct refusal *why)
{
	for (unsigned i = 0; i < count; i++) {
		int err;

		if (!(wanted[i].needs & needs) && !unit_registers_has(registers, wanted[i].offset))
			continue;
		err = unit_registers_get(registers, wanted[i].offset, 64, wanted[i].name,
					 wanted[i].value, why);
		if (err)
			return err;
	}
	return 0;
}

/* A register whose absence means 'value'. */
static int read_optional(const struct unit_registers *registers, uint32_t offset, unsigned bits,
			 const char *name, uint64_t *value, struct refusal *why)
{
	if (!unit_registers_has(registers, offset))
		return 0;
	return unit_registers_get(registers, offset, bits, name, value, why);
}

/* The protected memory that PMEN has switched on, in units of 2 MiB. */
static int read_protected(struct unit *unit, const struct unit_registers *registers,
			  struct refusal *why)
{
	static const struct {
		uint32_t base, limit;
		unsigned bits;
		int capability;
		const char *base_name, *limit_name;
	} ranges[] = {
		{ SPEC_VTD_PLMBASE, SPEC_VTD_PLMLIMIT, 32, SPEC_VTD_CAP_PLMR,
		  "the protected low memory base register",
		  "the protected low memory limit register" },
		{ SPEC_VTD_PHMBASE, SPEC_VTD_PHMLIMIT, 64, SPEC_VTD_CAP_PHMR,
		  "the protected high memory base register",
		  "the protected high memory limit register" },
	};
	const uint64_t unit_size = UINT64_C(1) << 21;
	uint64_t enable = 0;
	int err = read_optional(registers, SPEC_VTD_PMEN, 32,
				"the protected memory enable register", &enable, why);

	for (unsigned i = 0; i < array_len(ranges); i++) {
		uint64_t base = 0, limit = 0;

		unit->protected_memory[i].first = UINT64_MAX;
		unit->protected_memory[i].last = 0;
		if (err || !field_is_set(enable, SPEC_VTD_PMEN_EPM) ||
		    !field_is_set(unit->vtd.cap, ranges[i].capability))
			continue;
		err = unit_registers_get(registers, ranges[i].base, ranges[i].bits,
					 ranges[i].base_name, &base, why);
		if (!err)
			err = unit_registers_get(registers, ranges[i].limit, ranges[i].bits,
						 ranges[i].limit_name, &limit, why);
		unit->protected_memory[i].first = base & ~(unit_size - 1);
		unit->protected_memory[i].last = limit | (unit_size - 1);
	}
	return err;
}

static int read_vtd(struct unit *unit, const struct unit_registers *registers, unsigned needs,
		    struct refusal *why)
{
	enum { BOTH = UNIT_NEEDS_TRANSLATION | UNIT_NEEDS_REMAPPING };
	struct vtd_tables *tables = &unit->vtd;
	const struct wanted wanted[] = {
		{ SPEC_VTD_CAP, BOTH, &tables->cap, "the capability register" },
		{ SPEC_VTD_ECAP, BOTH, &tables->ecap, "the extended capability register" },
		{ SPEC_VTD_RTADDR, UNIT_NEEDS_TRANSLATION, &tables->rtaddr,
		  "the root table address register" },
		{ SPEC_VTD_IRTA, UNIT_NEEDS_REMAPPING, &tables->irta,
		  "the interrupt remapping table address register" },
	};
	/* What is switched on; without the register the tables are meant to be used. */
	uint64_t status = field_mask(SPEC_VTD_GSTS_TES) | field_mask(SPEC_VTD_GSTS_IRES);
	uint64_t version = 0x10;
	int err = read_wanted(registers, wanted, array_len(wanted), needs, why);

	if (!err)
		err = read_optional(registers, SPEC_VTD_GSTS, 32, "the global status register",
				    &status, why);
	if (!err)
		err = read_optional(registers, SPEC_VTD_VER, 32, "the version register", &version,
				    why);
	if (!err)
		err = read_protected(unit, registers, why);
	tables->version = (uint8_t)version;
	tables->translation = field_is_set(status, SPEC_VTD_GSTS_TES);
	tables->remapping = field_is_set(status, SPEC_VTD_GSTS_IRES);
	tables->compatibility = field_is_set(status, SPEC_VTD_GSTS_CFIS);
	unit->has_remapping = unit_registers_has(registers, SPEC_VTD_IRTA);
	return err;
}

static int read_segments(struct unit *unit, const struct unit_registers *registers,
			 struct refusal *why)
{
	uint64_t segments = UINT64_C(1)
			    << field_get(unit->amd.control, SPEC_AMDVI_CONTROL_DEV_TBL_SEG_EN);

	for (unsigned i = 1; i < segments && i < SPEC_AMDVI_SEGMENTS_MAX; i++) {
		int err = unit_registers_get(
			registers, SPEC_AMDVI_DEVICE_TABLE_SEGMENT_1 + (i - 1) * SEGMENT_STEP, 64,
			"the base address register of a device table segment",
			&unit->amd.device_tables[i], why);

		if (err)
			return err;
	}
	return 0;
}

static int read_amd(struct unit *unit, const struct unit_registers *registers, struct refusal *why)
{
	struct amdvi_tables *tables = &unit->amd;
	int err = unit_registers_get(registers, SPEC_AMDVI_DEVICE_TABLE, 64,
				     "the device table base address register",
				     &tables->device_tables[0], why);

	tables->control = field_mask(SPEC_AMDVI_CONTROL_IOMMU_EN);
	if (!err)
		err = unit_registers_get(registers, SPEC_AMDVI_EXTENDED_FEATURE, 64,
					 "the extended feature register", &tables->features, why);
	if (!err)
		err = read_optional(registers, SPEC_AMDVI_CONTROL, 64, "the control register",
				    &tables->control, why);
	if (!err)
		err = read_optional(registers, SPEC_AMDVI_EXCLUSION_BASE, 64,
				    "the exclusion base register", &tables->exclusion_base, why);
	if (!err)
		err = read_optional(registers, SPEC_AMDVI_EXCLUSION_LIMIT, 64,
				    "the exclusion limit register", &tables->exclusion_limit, why);
	unit->has_remapping = true;
	return err ? err : read_segments(unit, registers, why);
}

int unit_read_registers(struct unit *unit, const struct unit_registers *registers, unsigned needs,
			struct refusal *why)
{
	unit->vtd.memory = unit->amd.memory = &unit->memory;
	if (unit->format == UNIT_AMD)
		return read_amd(unit, registers, why);
	return read_vtd(unit, registers, needs, why);
}

int unit_open_image(struct unit *unit, const char *path, struct refusal *why)
{
	int err = memory_image_open(path, &unit->image, why);

	if (!err)
		unit->memory = memory_image_memory(unit->image);
	return err;
}

void unit_fini(struct unit *unit)
{
	memory_image_close(unit->image);
	unit->image = NULL;
}

void unit_set_host_width(struct unit *unit, unsigned bits)
{
	unit->vtd.host_width = (uint8_t)bits;
}

void unit_walk(const struct unit *unit, const struct iommu_request *request,
	       const struct iommu_trace *trace, struct iommu_answer *answer)
{
	if (unit->format == UNIT_AMD)
		amdvi_walk(&unit->amd, request, trace, answer);
	else
		vtd_walk(&unit->vtd, request, trace, answer);
}

unsigned unit_entry_shift(const struct unit *unit, unsigned page_shift)
{
	if (unit->format != UNIT_AMD || page_shift >= 64)
		return page_shift;
	return page_shift - (page_shift - SPEC_AMDVI_PAGE_SHIFT) % SPEC_AMDVI_LEVEL_BITS;
}

bool unit_is_protected(const struct unit *unit, const struct iommu_answer *answer)
{
	if (unit->format != UNIT_VTD || answer->outcome != IOMMU_OK || answer->table_shift)
		return false;
	for (unsigned i = 0; i < array_len(unit->protected_memory); i++)
		if (answer->address >= unit->protected_memory[i].first &&
		    answer->address <= unit->protected_memory[i].last)
			return true;
	return false;
}

void unit_remap(const struct unit *unit, const struct iommu_message *message,
		const struct iommu_trace *trace, struct iommu_remapped *remapped)
{
	if (unit->format == UNIT_AMD)
		amdvi_remap(&unit->amd, message, trace, remapped);
	else
		vtd_remap(&unit->vtd, message, trace, remapped);
}

const char *unit_reason_text(const struct unit *unit, unsigned reason)
{
	return unit->format == UNIT_AMD ? amdvi_reason_text(reason) : vtd_reason_text(reason);
}

static bool vtd_is_nothing(unsigned reason)
{
	switch (reason) {
	case SPEC_VTD_ADDRESS_BEYOND_WIDTH:
	case SPEC_VTD_WRITE_DENIED:
	case SPEC_VTD_READ_DENIED:
	case SPEC_VTD_IR_NO_INTERRUPT:
	case SPEC_VTD_FS_NOT_PRESENT:
	case SPEC_VTD_FS_BEYOND_WIDTH:
	case SPEC_VTD_SS_NOT_PRESENT:
	case SPEC_VTD_NOT_CANONICAL:
	case SPEC_VTD_PRIVILEGE:
	case SPEC_VTD_SM_BEYOND_HOST_WIDTH:
	case SPEC_VTD_SM_BEYOND_WIDTH:
	case SPEC_VTD_SM_WRITE_DENIED:
	case SPEC_VTD_SM_READ_DENIED:
		return true;
	default:
		return false;
	}
}

/* A page fault is nothing wrong when no entry is there, or a right is missing. */
static bool amd_is_nothing(unsigned reason)
{
	unsigned code = reason >> 12;

	if (code == SPEC_AMDVI_INVALID_DEVICE_REQUEST)
		return true;
	return code == SPEC_AMDVI_IO_PAGE_FAULT && !(reason & SPEC_AMDVI_FLAG_RZ) &&
	       (!(reason & SPEC_AMDVI_FLAG_PR) || (reason & SPEC_AMDVI_FLAG_PE));
}

bool unit_reason_is_nothing(const struct unit *unit, unsigned reason)
{
	return unit->format == UNIT_AMD ? amd_is_nothing(reason) : vtd_is_nothing(reason);
}

static void count_step(void *context, const struct iommu_step *step)
{
	unsigned *count = context;

	(void)step;
	++*count;
}

bool unit_remap_uses_entry(const struct unit *unit, const struct iommu_message *message)
{
	struct iommu_remapped remapped;
	unsigned steps = 0;

	if (unit->format == UNIT_VTD)
		return unit->vtd.remapping &&
		       field_is_set(message->address, SPEC_VTD_MSI_ADDRESS_FORMAT);
	/* The device table entry is the first step, the interrupt's the second. */
	amdvi_remap(&unit->amd, message, &(struct iommu_trace){ count_step, &steps }, &remapped);
	return steps > 1;
}

uint64_t unit_walks_enough(const struct unit *unit)
{
	const struct memory_segment *segments;
	uint64_t bytes = 0;
	unsigned count;

	segments = memory_image_segments(unit->image, &count);
	for (unsigned i = 0; i < count; i++)
		bytes += segments[i].size;
	return min_u64(WALKS_MAX, max_u64(WALKS_MIN, bytes / 2));
}
