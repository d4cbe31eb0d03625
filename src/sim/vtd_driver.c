#include "sim/vtd_driver.h"

#include <stdlib.h>
#include <string.h>

static bool is_there(const struct vtd_driver *driver, uint64_t address, uint32_t size)
{
	return address < driver->size && size <= driver->size - address;
}

/* Words as far as possible, so that threads see them whole. */
static bool memory_read(void *context, uint64_t address, void *bytes, uint32_t size)
{
	const struct vtd_driver *driver = context;
	uint8_t *to = bytes;

	if (driver->pause)
		driver->pause();
	if (!is_there(driver, address, size))
		return false;
	while (size) {
		uint32_t step = address % 8 == 0 && size >= 8	? 8
				: address % 4 == 0 && size >= 4 ? 4
								: 1;
		uint8_t *from = driver->memory + address;
		uint64_t word = step == 8   ? atomic_load((_Atomic uint64_t *)(void *)from)
				: step == 4 ? atomic_load((_Atomic uint32_t *)(void *)from)
					    : atomic_load((_Atomic uint8_t *)from);

		memcpy(to, &word, step);
		to += step, address += step, size -= step;
	}
	return true;
}

static const _Atomic uint64_t *memory_word(void *context, uint64_t address)
{
	const struct vtd_driver *driver = context;

	if (driver->pause)
		driver->pause();
	return is_there(driver, address, 8) && address % 8 == 0
		       ? (const _Atomic uint64_t *)(void *)(driver->memory + address)
		       : NULL;
}

static bool memory_write(void *context, uint64_t address, const void *bytes, uint32_t size)
{
	const struct vtd_driver *driver = context;
	const uint8_t *from = bytes;

	if (!is_there(driver, address, size))
		return false;
	while (size) {
		uint32_t step = address % 8 == 0 && size >= 8	? 8
				: address % 4 == 0 && size >= 4 ? 4
								: 1;
		uint8_t *to = driver->memory + address;
		uint64_t word = 0;

		memcpy(&word, from, step);
		if (step == 8)
			atomic_store((_Atomic uint64_t *)(void *)to, word);
		else if (step == 4)
			atomic_store((_Atomic uint32_t *)(void *)to, (uint32_t)word);
		else
			atomic_store((_Atomic uint8_t *)to, (uint8_t)word);
		from += step, address += step, size -= step;
	}
	return true;
}

static bool memory_replace(void *context, uint64_t address, uint64_t old, uint64_t now)
{
	const struct vtd_driver *driver = context;

	return is_there(driver, address, 8) && address % 8 == 0 &&
	       atomic_compare_exchange_strong(
		       (_Atomic uint64_t *)(void *)(driver->memory + address), &old, now);
}

static void on_interrupt(void *context, uint64_t address, uint32_t data)
{
	struct vtd_driver *driver = context;

	driver->interrupts[driver->interrupt_count++ % VTD_DRIVER_LOG] =
		(struct vtd_driver_message){ address, data };
}

static void on_invalidation(void *context, const struct iommu_device_invalidation *invalidation)
{
	struct vtd_driver *driver = context;

	driver->invalidations[driver->invalidation_count++ % VTD_DRIVER_LOG] = *invalidation;
}

static void on_response(void *context, uint16_t source, uint32_t pasid, uint16_t group,
			uint8_t code)
{
	struct vtd_driver *driver = context;

	driver->responses[driver->response_count++ % VTD_DRIVER_LOG] =
		(struct vtd_driver_response){ source, group, pasid, code };
}

static void on_wake(void *context)
{
	((struct vtd_driver *)context)->wake_count++;
}

static void *aligned(size_t size)
{
	void *memory = aligned_alloc(4096, (size + 4095) / 4096 * 4096);

	must(memory != NULL);
	memset(memory, 0, size);
	return memory;
}

void vtd_driver_start(struct vtd_driver *driver, uint64_t size, const struct vtd_config *config)
{
	*driver = (struct vtd_driver){ .size = size, .next_page = 0x1000, .config = *config };
	driver->memory = aligned(size);
	if (!driver->config.cap) {
		driver->config.cap = VTD_DRIVER_CAP;
		driver->config.ecap = VTD_DRIVER_ECAP;
	}
	if (!driver->config.version)
		driver->config.version = 0x10;
	if (!driver->config.readers)
		driver->config.readers = 1;
	if (!driver->config.host_width)
		driver->config.host_width = 46;
	driver->config.memory = (struct iommu_memory){ memory_read, memory_write, memory_replace,
						       driver, memory_word };
	driver->config.interrupt = on_interrupt;
	driver->config.invalidate_device = on_invalidation;
	driver->config.page_response = on_response;
	if (!driver->config.wake)
		driver->config.wake = on_wake;
	driver->config.context = driver;
	must(!vtd_config_check(&driver->config));
	driver->unit_memory = aligned(vtd_size(&driver->config));
	driver->vtd = vtd_init(driver->unit_memory, &driver->config);
	driver->reader_memory = aligned(vtd_reader_size());
	driver->reader = vtd_reader_init(driver->reader_memory, driver->vtd, 0);
	driver->root = vtd_driver_page(driver);
	driver->status = vtd_driver_page(driver);
	driver->queue = vtd_driver_page(driver);
	for (unsigned i = 1; i < 1u << VTD_DRIVER_QUEUE_PAGES_SHIFT; i++)
		vtd_driver_page(driver);
}

void vtd_driver_stop(struct vtd_driver *driver)
{
	free(driver->memory);
	free(driver->unit_memory);
	free(driver->reader_memory);
}

uint64_t vtd_driver_page(struct vtd_driver *driver)
{
	uint64_t page = driver->next_page;

	must(is_there(driver, page, 4096));
	driver->next_page += 4096;
	return page;
}

uint64_t vtd_driver_get(const struct vtd_driver *driver, uint64_t address)
{
	uint64_t word = 0;

	must(memory_read((void *)driver, address, &word, 8));
	return word;
}

void vtd_driver_put(struct vtd_driver *driver, uint64_t address, uint64_t word)
{
	must(memory_write(driver, address, &word, 8));
}

static unsigned width_of(uint32_t offset)
{
	static const uint8_t narrow[] = { 0x00, 0x18, 0x1c, 0x34, 0x38, 0x3c, 0x40,
					  0x44, 0x64, 0x68, 0x6c, 0x9c, 0xa0, 0xa4,
					  0xa8, 0xac, 0xdc, 0xe0, 0xe4, 0xe8, 0xec };

	for (unsigned i = 0; i < sizeof narrow; i++)
		if (narrow[i] == offset)
			return 4;
	return 8;
}

uint64_t vtd_driver_read(struct vtd_driver *driver, uint32_t offset)
{
	return vtd_read(driver->vtd, offset, width_of(offset));
}

void vtd_driver_write(struct vtd_driver *driver, uint32_t offset, uint64_t value)
{
	vtd_write(driver->vtd, offset, width_of(offset), value);
}

bool vtd_driver_command(struct vtd_driver *driver, int field, bool on)
{
	uint64_t one_shot = field_mask(SPEC_VTD_GCMD_SRTP) | field_mask(SPEC_VTD_GCMD_SIRTP) |
			    field_mask(SPEC_VTD_GCMD_WBF);
	uint64_t command = vtd_driver_read(driver, SPEC_VTD_GSTS) & ~one_shot;

	vtd_driver_write(driver, SPEC_VTD_GCMD, field_put(command, field, on));
	vtd_poll(driver->vtd, driver->now_ns);
	return field_is_set(vtd_driver_read(driver, SPEC_VTD_GSTS), field) == on;
}

void vtd_driver_enable(struct vtd_driver *driver, unsigned table_mode)
{
	bool wide = table_mode == SPEC_VTD_TTM_SCALABLE;

	vtd_driver_write(driver, SPEC_VTD_RTADDR,
			 driver->root | field_make(SPEC_VTD_RTADDR_TTM, table_mode));
	must(vtd_driver_command(driver, SPEC_VTD_GCMD_SRTP, true));
	vtd_driver_write(driver, SPEC_VTD_IQT, 0);
	vtd_driver_write(driver, SPEC_VTD_IQA,
			 driver->queue | field_make(SPEC_VTD_IQA_DW, wide) |
				 field_make(SPEC_VTD_IQA_QS, VTD_DRIVER_QUEUE_PAGES_SHIFT));
	must(vtd_driver_command(driver, SPEC_VTD_GCMD_QIE, true));
	must(vtd_driver_command(driver, SPEC_VTD_GCMD_TE, true));
}

/* The table that a present entry leads to; made when there is none. */
static uint64_t table_at(struct vtd_driver *driver, uint64_t entry, uint64_t present)
{
	uint64_t word = vtd_driver_get(driver, entry);

	if (!(word & present)) {
		word = vtd_driver_page(driver) | present;
		vtd_driver_put(driver, entry, word);
	}
	return word & field_mask(SPEC_VTD_SS_ADDR);
}

void vtd_driver_context(struct vtd_driver *driver, uint16_t source, uint64_t low, uint64_t high)
{
	uint64_t table = table_at(driver, driver->root + (source >> 8) * 16u, 1);

	vtd_driver_put(driver, table + (source & 0xff) * 16u + 8, high);
	vtd_driver_put(driver, table + (source & 0xff) * 16u, low);
}

static uint64_t scalable_entry(struct vtd_driver *driver, uint16_t source)
{
	uint64_t half = driver->root + (source >> 8) * 16u + (source >> 7 & 1) * 8u;

	return table_at(driver, half, 1) + (source & 0x7f) * 32u;
}

void vtd_driver_scalable_context(struct vtd_driver *driver, uint16_t source, uint64_t low,
				 uint64_t high)
{
	uint64_t entry = scalable_entry(driver, source);
	uint64_t directory = vtd_driver_get(driver, entry) & field_mask(SPEC_VTD_SS_ADDR);

	if (!directory)
		directory = vtd_driver_page(driver);
	vtd_driver_put(driver, entry + 8, high);
	vtd_driver_put(driver, entry, directory | low);
}

uint64_t vtd_driver_pasid_entry(struct vtd_driver *driver, uint16_t source, uint32_t pasid)
{
	uint64_t directory = vtd_driver_get(driver, scalable_entry(driver, source)) &
			     field_mask(SPEC_VTD_SS_ADDR);

	return table_at(driver, directory + (pasid >> 6) * 8u, 1) + (pasid & 63) * 64u;
}

uint64_t vtd_driver_entry(struct vtd_driver *driver, uint64_t root, unsigned levels, uint64_t iova,
			  unsigned level)
{
	uint64_t table = root;

	for (unsigned at = levels; at > level; at--)
		table = table_at(driver, table + (iova >> (12 + 9 * (at - 1)) & 511) * 8, 3);
	return table + (iova >> (12 + 9 * (level - 1)) & 511) * 8;
}

void vtd_driver_map(struct vtd_driver *driver, uint64_t root, unsigned levels,
		    const struct vtd_driver_mapping *mapping)
{
	unsigned level = (mapping->shift - 12) / 9 + 1;
	uint64_t entry = vtd_driver_entry(driver, root, levels, mapping->iova, level);
	uint64_t large = level > 1 ? field_mask(SPEC_VTD_SS_PS) : 0;

	vtd_driver_put(driver, entry,
		       mapping->rights ? mapping->target | mapping->rights | large : 0);
}

void vtd_driver_submit(struct vtd_driver *driver, uint64_t word0, uint64_t word1)
{
	uint64_t tail = vtd_driver_read(driver, SPEC_VTD_IQT);
	uint64_t iqa = vtd_driver_read(driver, SPEC_VTD_IQA);
	unsigned width = field_is_set(iqa, SPEC_VTD_IQA_DW) ? 32 : 16;

	vtd_driver_put(driver, driver->queue + tail, word0);
	vtd_driver_put(driver, driver->queue + tail + 8, word1);
	for (unsigned i = 16; i < width; i += 8)
		vtd_driver_put(driver, driver->queue + tail + i, 0);
	tail = (tail + width) % (UINT64_C(4096) << VTD_DRIVER_QUEUE_PAGES_SHIFT);
	vtd_driver_write(driver, SPEC_VTD_IQT, tail);
}

bool vtd_driver_waited(const struct vtd_driver *driver)
{
	return (uint32_t)vtd_driver_get(driver, driver->status) == driver->waits;
}

bool vtd_driver_wait(struct vtd_driver *driver)
{
	driver->waits++;
	vtd_driver_submit(driver,
			  SPEC_VTD_QI_WAIT | field_mask(SPEC_VTD_QI_WAIT_0_SW) |
				  field_make(SPEC_VTD_QI_WAIT_0_DATA, driver->waits),
			  driver->status);
	return vtd_driver_waited(driver);
}

bool vtd_driver_flush(struct vtd_driver *driver)
{
	vtd_driver_submit(
		driver,
		SPEC_VTD_QI_IOTLB | field_make(SPEC_VTD_QI_0_G, SPEC_VTD_GRANULARITY_GLOBAL), 0);
	return vtd_driver_wait(driver);
}

bool vtd_driver_flush_domain(struct vtd_driver *driver, uint16_t domain)
{
	vtd_driver_submit(driver,
			  SPEC_VTD_QI_IOTLB |
				  field_make(SPEC_VTD_QI_0_G, SPEC_VTD_GRANULARITY_DOMAIN) |
				  field_make(SPEC_VTD_QI_0_DID, domain),
			  0);
	return vtd_driver_wait(driver);
}

bool vtd_driver_flush_pages(struct vtd_driver *driver, uint16_t domain, uint64_t iova,
			    unsigned mask)
{
	vtd_driver_submit(driver,
			  SPEC_VTD_QI_IOTLB |
				  field_make(SPEC_VTD_QI_0_G, SPEC_VTD_GRANULARITY_FINE) |
				  field_make(SPEC_VTD_QI_0_DID, domain),
			  (iova & field_mask(SPEC_VTD_QI_1_ADDR)) | mask);
	return vtd_driver_wait(driver);
}

struct iommu_answer vtd_driver_request(struct vtd_driver *driver,
				       const struct iommu_request *request)
{
	struct iommu_answer answer;

	vtd_reader_enter(driver->reader);
	vtd_translate(driver->reader, request, &answer);
	vtd_reader_leave(driver->reader);
	return answer;
}

struct iommu_answer vtd_driver_ask(struct vtd_driver *driver, uint16_t source, uint64_t iova,
				   uint8_t access)
{
	return vtd_driver_request(driver, &(struct iommu_request){ .source = source,
								   .access = access,
								   .pasid = IOMMU_NO_PASID,
								   .address = iova });
}
