#include "iommu/unit.h"

#include "iommu/amdvi.h"
#include "iommu/vtd.h"
#include "spec/amdvi.h"
#include "spec/vtd.h"

static uint64_t vtd_unit_read(void *unit, uint32_t offset, unsigned size)
{
	return vtd_read(unit, offset, size);
}

static void vtd_unit_write(void *unit, uint32_t offset, unsigned size, uint64_t value)
{
	vtd_write(unit, offset, size, value);
}

static uint64_t vtd_unit_poll(void *unit, uint64_t now_ns)
{
	return vtd_poll(unit, now_ns);
}

static void vtd_unit_device_tlb_done(void *unit, uint16_t source, uint32_t itags, unsigned count)
{
	vtd_device_tlb_done(unit, source, itags, count);
}

static bool vtd_unit_page_request(void *unit, const struct iommu_page_request *request)
{
	return vtd_page_request(unit, request);
}

static void *vtd_unit_reader_init(void *memory, void *unit, unsigned index)
{
	return vtd_reader_init(memory, unit, index);
}

static void vtd_unit_reader_fini(void *reader)
{
	vtd_reader_fini(reader);
}

static void vtd_unit_enter(void *reader)
{
	vtd_reader_enter(reader);
}

static void vtd_unit_leave(void *reader)
{
	vtd_reader_leave(reader);
}

static void vtd_unit_translate(void *reader, const struct iommu_request *request,
			       struct iommu_answer *answer)
{
	vtd_translate(reader, request, answer);
}

static void vtd_unit_interrupt(void *reader, const struct iommu_message *message,
			       struct iommu_remapped *remapped)
{
	vtd_interrupt(reader, message, remapped);
}

struct iommu_unit iommu_unit_vtd(struct vtd *vtd)
{
	static const struct iommu_unit_ops ops = {
		.name = "vtd",
		.registers_size = SPEC_VTD_REGISTERS_SIZE,
		.read = vtd_unit_read,
		.write = vtd_unit_write,
		.poll = vtd_unit_poll,
		.device_tlb_done = vtd_unit_device_tlb_done,
		.page_request = vtd_unit_page_request,
		.reader_size = vtd_reader_size,
		.reader_init = vtd_unit_reader_init,
		.reader_fini = vtd_unit_reader_fini,
		.enter = vtd_unit_enter,
		.leave = vtd_unit_leave,
		.translate = vtd_unit_translate,
		.interrupt = vtd_unit_interrupt,
		.reason_text = vtd_reason_text,
	};

	return (struct iommu_unit){ &ops, vtd };
}

static uint64_t amdvi_unit_read(void *unit, uint32_t offset, unsigned size)
{
	return amdvi_read(unit, offset, size);
}

static void amdvi_unit_write(void *unit, uint32_t offset, unsigned size, uint64_t value)
{
	amdvi_write(unit, offset, size, value);
}

static uint64_t amdvi_unit_poll(void *unit, uint64_t now_ns)
{
	return amdvi_poll(unit, now_ns);
}

static void amdvi_unit_device_tlb_done(void *unit, uint16_t source, uint32_t itags, unsigned count)
{
	amdvi_device_tlb_done(unit, source, itags, count);
}

static bool amdvi_unit_page_request(void *unit, const struct iommu_page_request *request)
{
	return amdvi_page_request(unit, request);
}

static void *amdvi_unit_reader_init(void *memory, void *unit, unsigned index)
{
	return amdvi_reader_init(memory, unit, index);
}

static void amdvi_unit_reader_fini(void *reader)
{
	amdvi_reader_fini(reader);
}

static void amdvi_unit_enter(void *reader)
{
	amdvi_reader_enter(reader);
}

static void amdvi_unit_leave(void *reader)
{
	amdvi_reader_leave(reader);
}

static void amdvi_unit_translate(void *reader, const struct iommu_request *request,
				 struct iommu_answer *answer)
{
	amdvi_translate(reader, request, answer);
}

static void amdvi_unit_interrupt(void *reader, const struct iommu_message *message,
				 struct iommu_remapped *remapped)
{
	amdvi_interrupt(reader, message, remapped);
}

struct iommu_unit iommu_unit_amdvi(struct amdvi *amdvi)
{
	static const struct iommu_unit_ops ops = {
		.name = "amdvi",
		.registers_size = SPEC_AMDVI_REGISTERS_SIZE,
		.read = amdvi_unit_read,
		.write = amdvi_unit_write,
		.poll = amdvi_unit_poll,
		.device_tlb_done = amdvi_unit_device_tlb_done,
		.page_request = amdvi_unit_page_request,
		.reader_size = amdvi_reader_size,
		.reader_init = amdvi_unit_reader_init,
		.reader_fini = amdvi_unit_reader_fini,
		.enter = amdvi_unit_enter,
		.leave = amdvi_unit_leave,
		.translate = amdvi_unit_translate,
		.interrupt = amdvi_unit_interrupt,
		.reason_text = amdvi_reason_text,
	};

	return (struct iommu_unit){ &ops, amdvi };
}
