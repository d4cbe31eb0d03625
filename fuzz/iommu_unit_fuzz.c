/* fuzz/iommu_unit_fuzz.c -- a remapping unit driven by hostile system software and hostile devices
 * at once: the input is memory with tables and queues in it, register accesses, requests,
 * interrupts, completions and page requests, while a second reader goes in and out.
 *
 * Whatever comes, the unit asks memory only for what may be asked (request.h), comes to rest when
 * readers have left, and counts each refusal once.  The sanitizers watch the rest.
 *
 * Input: 8 bytes of set-up, then the number of steps, then steps of 16 bytes {kind, three bytes,
 * le32, le64}, then words of memory {le16 index, le64}. */
#include "base/bytes.h"
#include "iommu/amdvi.h"
#include "iommu/unit.h"
#include "iommu/vtd.h"
#include "sim/vtd_driver.h"
#include "spec/amdvi.h"
#include "spec/vtd.h"

#include <stdlib.h>
#include <string.h>

enum { MEMORY = 1 << 16, SETUP = 9, STEP = 16, WORD = 10, POLLS_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world {
	uint8_t memory[MEMORY];
	struct iommu_unit unit; /* of one format or the other */
	bool answers;		/* devices complete invalidations at once, from within the call */
	uint64_t now_ns;
} world;

static bool is_fair(uint64_t address, uint32_t size)
{
	must(size >= 1 && size <= 64);
	must((address & 0xfff) + size <= 0x1000);
	return address < MEMORY && size <= MEMORY - address;
}

static bool memory_read(void *context, uint64_t address, void *bytes, uint32_t size)
{
	(void)context;
	if (!is_fair(address, size))
		return false;
	memcpy(bytes, world.memory + address, size);
	return true;
}

static bool memory_write(void *context, uint64_t address, const void *bytes, uint32_t size)
{
	(void)context;
	if (!is_fair(address, size))
		return false;
	memcpy(world.memory + address, bytes, size);
	return true;
}

static bool memory_replace(void *context, uint64_t address, uint64_t old, uint64_t now)
{
	(void)context;
	must(address % 8 == 0);
	if (!is_fair(address, 8) || get_le64(world.memory + address) != old)
		return false;
	put_le64(world.memory + address, now);
	return true;
}

static void on_interrupt(void *context, uint64_t address, uint32_t data)
{
	(void)context, (void)address, (void)data;
	/* A handler that runs at once and looks at the unit. */
	world.unit.ops->read(world.unit.unit, SPEC_VTD_FSTS, 4);
}

static void on_amd_interrupt(void *context)
{
	on_interrupt(context, 0, 0);
}

static void on_invalidation(void *context, const struct iommu_device_invalidation *invalidation)
{
	(void)context;
	must(invalidation->itag < 32);
	must(invalidation->size == 0 || is_power_of_two(invalidation->size));
	must(invalidation->size == 0 || invalidation->address % invalidation->size == 0);
	if (world.answers)
		world.unit.ops->device_tlb_done(world.unit.unit, invalidation->source,
						1u << invalidation->itag, 1);
}

static void on_response(void *context, uint16_t source, uint32_t pasid, uint16_t group,
			uint8_t code)
{
	(void)context, (void)source;
	must(pasid == IOMMU_NO_PASID || pasid < 1 << 20);
	must(group < 512 && code < 16);
}

static void translate(void *reader, const uint8_t *step)
{
	struct iommu_request request = {
		.source = get_le16(step + 2),
		.type = step[1] & 3,
		.access = step[1] >> 2 & 7,
		.pasid = step[1] >> 5 & 1 ? get_le32(step + 4) & 0xfffff : IOMMU_NO_PASID,
		.privileged = step[1] >> 6 & 1,
		.zero_length = step[1] >> 7,
		.address = get_le64(step + 8),
	};
	struct iommu_answer answer;

	if (request.zero_length)
		request.access = IOMMU_READ;
	world.unit.ops->translate(reader, &request, &answer);
	must(answer.outcome <= IOMMU_SILENT);
	must(answer.outcome != IOMMU_FAULT || answer.reason != 0);
	if (answer.outcome == IOMMU_OK && request.type != IOMMU_TRANSLATION_REQUEST) {
		must(answer.page_shift >= 12 && answer.page_shift <= 64);
		must(request.zero_length || (request.access & ~answer.rights & 3) == 0);
		/* What lies in the page is kept. */
		must(((answer.address ^ request.address) & 0xfff) == 0);
	}
}

static void interrupt(void *reader, const uint8_t *step)
{
	struct iommu_remapped remapped;
	struct iommu_message message = { .source = get_le16(step + 2),
					 .address = 0xfee00000 | (get_le32(step + 4) & 0xfffff),
					 .data = get_le32(step + 8) };

	world.unit.ops->interrupt(reader, &message, &remapped);
	must(remapped.outcome <= IOMMU_SILENT);
}

static void page_request(const uint8_t *step)
{
	world.unit.ops->page_request(
		world.unit.unit,
		&(struct iommu_page_request){ .source = get_le16(step + 2),
					      .pasid = step[1] & 1 ? get_le32(step + 4) & 0xfffff
								   : IOMMU_NO_PASID,
					      .address = get_le64(step + 8),
					      .group = (uint16_t)(step[1] << 1),
					      .access = step[1] >> 1 & 3,
					      .last = step[1] >> 3 & 1,
					      .privileged = step[1] >> 4 & 1 });
}

/* One step; *inside: whether the second reader is. */
static void take_step(void *const readers[2], const uint8_t *step, bool *inside)
{
	const struct iommu_unit_ops *ops = world.unit.ops;
	void *unit = world.unit.unit;

	switch (step[0] % 9) {
	case 0:
		ops->write(unit, get_le32(step + 4) & 0x3fff, step[1] & 1 ? 8 : 4,
			   get_le64(step + 8));
		break;
	case 1:
		ops->read(unit, get_le32(step + 4) & 0x7fff, step[1] & 1 ? 8 : 4);
		break;
	case 2:
		ops->enter(readers[0]);
		translate(readers[0], step);
		ops->leave(readers[0]);
		break;
	case 3:
		ops->enter(readers[0]);
		interrupt(readers[0], step);
		ops->leave(readers[0]);
		break;
	case 4:
		*inside = !*inside;
		(*inside ? ops->enter : ops->leave)(readers[1]);
		if (*inside)
			translate(readers[1], step);
		break;
	case 5:
		world.now_ns += get_le32(step + 4) * UINT64_C(1000);
		must(ops->poll(unit, world.now_ns) >= world.now_ns);
		break;
	case 6:
		ops->device_tlb_done(unit, get_le16(step + 2), get_le32(step + 4), step[1]);
		break;
	case 7:
		page_request(step);
		break;
	default:
		put_le64(world.memory + get_le32(step + 4) % (MEMORY - 7), get_le64(step + 8));
	}
}

static struct vtd_config config_of(const uint8_t *setup)
{
	/* A unit with everything, less what the set-up takes away. */
	uint64_t cap = VTD_DRIVER_CAP, ecap = VTD_DRIVER_ECAP;

	cap ^= field_make(SPEC_VTD_CAP_CM, setup[0]) | field_make(SPEC_VTD_CAP_PSI, setup[0] >> 1) |
	       field_make(SPEC_VTD_CAP_SSLPS, setup[0] >> 2) |
	       field_make(SPEC_VTD_CAP_PLMR, setup[0] >> 4);
	ecap ^= (uint64_t)(setup[1] & 1) << 7 | (uint64_t)(setup[1] >> 1 & 3) << 45 |
		(uint64_t)(setup[1] >> 3 & 1) << 26;
	return (struct vtd_config){
		.cap = cap,
		.ecap = ecap,
		.version = setup[2] & 1 ? 0x80 : 0x10,
		.host_width = setup[2] & 2 ? 39 : 46,
		.quirks = setup[2] & 4 ? VTD_QUIRKS_QEMU72 : VTD_QUIRKS_NONE,
		.trust = setup[2] & 8 ? IOMMU_TRUST_ENTRY : IOMMU_TRUST_WHEN_INVALIDATED,
		.memory = { .read = memory_read, .write = memory_write, .replace = memory_replace },
		.interrupt = on_interrupt,
		.invalidate_device = on_invalidation,
		.page_response = on_response,
		.readers = 2,
		.iotlb_sets = 4,
		.device_tlb_timeout_ns = 1000000,
	};
}

static void *fresh(size_t size)
{
	void *memory = aligned_alloc(64, (size + 63) / 64 * 64);

	must(memory != NULL);
	return memory;
}

/* False: there can be no such unit. */
static bool plug_vtd(const uint8_t *setup)
{
	struct vtd_config config = config_of(setup);

	if (vtd_config_check(&config))
		return false;
	world.unit = iommu_unit_vtd(vtd_init(fresh(vtd_size(&config)), &config));
	return true;
}

static bool plug_amdvi(const uint8_t *setup)
{
	struct amdvi_config config = {
		.features = field_mask(SPEC_AMDVI_EFR_PREF_SUP) |
			    field_mask(SPEC_AMDVI_EFR_PPR_SUP) | field_mask(SPEC_AMDVI_EFR_IA_SUP) |
			    field_make(SPEC_AMDVI_EFR_HATS, setup[0]) |
			    field_make(SPEC_AMDVI_EFR_GA_SUP, setup[0] >> 2) |
			    field_make(SPEC_AMDVI_EFR_XT_SUP, setup[0] >> 3) |
			    field_make(SPEC_AMDVI_EFR_HA_SUP, setup[0] >> 4) |
			    field_make(SPEC_AMDVI_EFR_HD_SUP, setup[0] >> 5) |
			    field_make(SPEC_AMDVI_EFR_DEV_TBL_SEG_SUP, setup[0] >> 6),
		.trust = setup[2] & 8 ? IOMMU_TRUST_ENTRY : IOMMU_TRUST_WHEN_INVALIDATED,
		.memory = { .read = memory_read, .write = memory_write, .replace = memory_replace },
		.interrupt = on_amd_interrupt,
		.invalidate_device = on_invalidation,
		.page_response = on_response,
		.readers = 2,
		.device_tlb_timeout_ns = setup[2] & 1 ? 1000000 : 0,
	};

	if (amdvi_config_check(&config))
		return false;
	world.unit = iommu_unit_amdvi(amdvi_init(fresh(amdvi_size(&config)), &config));
	return true;
}

static void come_to_rest(void)
{
	unsigned polls = 0;

	world.answers = true;
	while (world.unit.ops->poll(world.unit.unit, world.now_ns) == world.now_ns)
		must(++polls < POLLS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *readers[2];
	bool inside = false;
	unsigned steps;

	if (size < SETUP || size < SETUP + (size_t)data[8] * STEP)
		return 0;
	steps = data[8];
	if (!(data[3] & 2 ? plug_amdvi(data) : plug_vtd(data)))
		return 0;
	memset(world.memory, 0, MEMORY);
	for (size_t at = SETUP + (size_t)steps * STEP; at + WORD <= size; at += WORD)
		put_le64(world.memory + get_le16(data + at) % (MEMORY / 8) * 8,
			 get_le64(data + at + 2));
	world.answers = data[3] & 1;
	world.now_ns = 0;
	for (unsigned i = 0; i < 2; i++)
		readers[i] = world.unit.ops->reader_init(fresh(world.unit.ops->reader_size()),
							 world.unit.unit, i);
	for (unsigned i = 0; i < steps; i++)
		take_step(readers, data + SETUP + i * STEP, &inside);
	if (inside)
		world.unit.ops->leave(readers[1]);
	come_to_rest();
	for (unsigned i = 0; i < 2; i++) {
		world.unit.ops->reader_fini(readers[i]);
		free(readers[i]);
	}
	free(world.unit.unit);
	return 0;
}
