/* One unit and its software: set-up, context and interrupt entries, invalidation, faults. */
#include "iommu/guard_internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <string.h>

enum {
	FAULT_RECORDS = 128,
	FAULT_RECORDS_AT = 0x400, /* in the register page */
	IOTLB_AT = 0xf0,
	FAULT_VECTOR = 0x30,      /* of the unit's own interrupt; it ends here */
};

/* Domain identifiers of 16 bits; 4 levels; all page sizes; no caching of what is not present. */
static uint64_t capabilities(void)
{
	return field_make(SPEC_VTD_CAP_ND, 6) | field_make(SPEC_VTD_CAP_SAGAW, 1 << 2) |
	       field_make(SPEC_VTD_CAP_MGAW, GUARD_ADDRESS_BITS - 1) |
	       field_make(SPEC_VTD_CAP_FRO, FAULT_RECORDS_AT / 16) |
	       field_make(SPEC_VTD_CAP_SSLPS, 3) | field_mask(SPEC_VTD_CAP_PSI) |
	       field_make(SPEC_VTD_CAP_NFR, FAULT_RECORDS - 1) |
	       field_make(SPEC_VTD_CAP_MAMV, GUARD_ADDRESS_BITS - SPEC_PAGE_SHIFT) |
	       field_mask(SPEC_VTD_CAP_DWD) | field_mask(SPEC_VTD_CAP_DRD);
}

static uint64_t extended_capabilities(void)
{
	return field_mask(SPEC_VTD_ECAP_C) | field_mask(SPEC_VTD_ECAP_QI) |
	       field_mask(SPEC_VTD_ECAP_DT) | field_mask(SPEC_VTD_ECAP_IR) |
	       field_mask(SPEC_VTD_ECAP_EIM) | field_make(SPEC_VTD_ECAP_IRO, IOTLB_AT / 16) |
	       field_make(SPEC_VTD_ECAP_MHMV, 15);
}

/* The unit's own interrupt: there is one cause. */
static void on_interrupt(void *context, uint64_t address, uint32_t data)
{
	(void)address;
	(void)data;
	((struct guard *)context)->fault_event = true;
}

static void on_wake(void *context)
{
	struct guard *guard = context;

	guard->conf.wake(guard->conf.owner);
}

/* The front's cache is emptied at once, since whoever invalidates has the front's hold. */
static void on_invalidate_device(void *context, const struct iommu_device_invalidation *invalidation)
{
	struct guard *guard = context;
	struct guard_function *f = guard->flushing;

	must(f != NULL && f->source == invalidation->source);
	if (f->domain.dma)
		dma_forget(f->domain.dma, invalidation->address,
			   invalidation->address + (invalidation->size - 1));
	vtd_device_tlb_done(guard->vtd, invalidation->source, UINT32_C(1) << invalidation->itag, 1);
}

static struct vtd_config unit_config(const struct guard_conf *conf, struct guard *guard)
{
	return (struct vtd_config){
		.cap = capabilities(),
		.ecap = extended_capabilities(),
		.version = 0x10,
		.host_width = GUARD_ADDRESS_BITS,
		.memory = conf->memory,
		.interrupt = on_interrupt,
		.invalidate_device = on_invalidate_device,
		.wake = on_wake,
		.context = guard,
		.readers = conf->readers,
	};
}

uint64_t guard_load(const struct guard *guard, uint64_t address)
{
	uint8_t bytes[8];

	must(guard->conf.memory.read(guard->conf.memory.context, address, bytes, sizeof bytes));
	return get_le64(bytes);
}

void guard_store(const struct guard *guard, uint64_t address, uint64_t word)
{
	uint8_t bytes[8];

	put_le64(bytes, word);
	must(guard->conf.memory.write(guard->conf.memory.context, address, bytes, sizeof bytes));
}

static size_t round_up(size_t size)
{
	return (size + 63) / 64 * 64;
}

static size_t readers_at(const struct guard_conf *conf)
{
	struct vtd_config config = unit_config(conf, NULL);

	return round_up(sizeof(struct guard)) + round_up(vtd_size(&config));
}

size_t guard_size(const struct guard_conf *conf)
{
	return readers_at(conf) + round_up(conf->readers * sizeof(struct vtd_reader *)) +
	       conf->readers * round_up(vtd_reader_size());
}

/* Registers. */

static void command(struct guard *guard, int bit)
{
	uint64_t enabled = vtd_read(guard->vtd, SPEC_VTD_GSTS, 4);

	/* Those that ask for something once read as done, and must not be asked again (11.4.4.1). */
	enabled &= ~(field_mask(SPEC_VTD_GCMD_SRTP) | field_mask(SPEC_VTD_GCMD_SIRTP));
	vtd_write(guard->vtd, SPEC_VTD_GCMD, 4, enabled | field_mask(bit));
	must(field_is_set(vtd_read(guard->vtd, SPEC_VTD_GSTS, 4), bit)); /* no reader is inside yet */
}

/* The S of IRTA: 2^(S+1) entries. */
static uint64_t interrupt_table_size(const struct guard_conf *conf)
{
	uint64_t s = 0;

	while (UINT64_C(2) << s < conf->interrupts)
		s++;
	return s;
}

static void bring_up(struct guard *guard)
{
	struct vtd *vtd = guard->vtd;

	vtd_write(vtd, SPEC_VTD_FEDATA, 4, FAULT_VECTOR);
	vtd_write(vtd, SPEC_VTD_FEADDR, 4, SPEC_VTD_INTERRUPT_FIRST);
	vtd_write(vtd, SPEC_VTD_FECTL, 4, 0);
	vtd_write(vtd, SPEC_VTD_RTADDR, 8, guard->root);
	command(guard, SPEC_VTD_GCMD_SRTP);
	vtd_write(vtd, SPEC_VTD_IQT, 8, 0);
	vtd_write(vtd, SPEC_VTD_IQA, 8, guard->queue);
	command(guard, SPEC_VTD_GCMD_QIE);
	vtd_write(vtd, SPEC_VTD_IRTA, 8, guard->conf.interrupt_table |
		  field_mask(SPEC_VTD_IRTA_EIME) |
		  field_make(SPEC_VTD_IRTA_S, interrupt_table_size(&guard->conf)));
	command(guard, SPEC_VTD_GCMD_SIRTP);
	guard_invalidate_all(guard);
	command(guard, SPEC_VTD_GCMD_IRE);
	command(guard, SPEC_VTD_GCMD_TE);
}

int guard_init(struct guard **result, void *memory, const struct guard_conf *conf)
{
	struct vtd_config config = unit_config(conf, memory);
	struct guard *guard = memory;
	uint8_t *readers = (uint8_t *)memory + readers_at(conf);
	uint8_t *at = readers + round_up(conf->readers * sizeof(struct vtd_reader *));

	must((uintptr_t)memory % 64 == 0 && !vtd_config_check(&config));
	must(is_power_of_two(conf->interrupts) && conf->interrupts <= GUARD_INTERRUPTS_MAX);
	memset(guard, 0, sizeof *guard);
	guard->conf = *conf;
	guard->root = conf->pages->take(conf->pages->context);
	guard->queue = conf->pages->take(conf->pages->context);
	guard->status = conf->pages->take(conf->pages->context);
	if (!guard->root || !guard->queue || !guard->status) {
		guard_fini(guard);
		return -ENOMEM;
	}
	guard->vtd = vtd_init((uint8_t *)memory + round_up(sizeof *guard), &config);
	guard->readers = (struct vtd_reader **)(void *)readers;
	for (unsigned i = 0; i < conf->readers; i++, at += round_up(vtd_reader_size()))
		guard->readers[i] = vtd_reader_init(at, guard->vtd, i);
	bring_up(guard);
	*result = guard;
	return 0;
}

bool guard_translates(const struct guard *guard)
{
	return field_is_set(vtd_read(guard->vtd, SPEC_VTD_GSTS, 4), SPEC_VTD_GCMD_TE);
}

bool guard_remaps_interrupts(const struct guard *guard)
{
	return field_is_set(vtd_read(guard->vtd, SPEC_VTD_GSTS, 4), SPEC_VTD_GCMD_IRE);
}

static void give(struct guard *guard, uint64_t page)
{
	if (page)
		guard->conf.pages->give(guard->conf.pages->context, page);
}

void guard_fini(struct guard *guard)
{
	must(guard->functions == NULL);
	for (unsigned bus = 0; guard->root && bus < 256; bus++)
		give(guard, guard_load(guard, guard->root + bus * SPEC_VTD_ROOT_SIZE) &
				    SPEC_ENTRY_ADDRESS);
	give(guard, guard->root);
	give(guard, guard->queue);
	give(guard, guard->status);
}

/* Faults. */

static struct guard_function *function_of(const struct guard *guard, uint16_t source)
{
	struct guard_function *f = guard->functions;

	while (f && f->source != source)
		f = f->next;
	return f;
}

/* The record at 'at'; false when it is empty.  Functions of ours have told more themselves. */
static bool take_record(struct guard *guard, uint32_t at)
{
	uint64_t low = vtd_read(guard->vtd, at + SPEC_VTD_FRCD_LOW, 8);
	uint64_t high = vtd_read(guard->vtd, at + SPEC_VTD_FRCD_HIGH, 8);
	struct guard_fault fault = {
		.address = low & field_mask(SPEC_VTD_FRCD_0_FI),
		.source = (uint16_t)field_get(high, SPEC_VTD_FRCD_1_SID),
		.reason = (uint16_t)field_get(high, SPEC_VTD_FRCD_1_FR),
		.access = field_is_set(high, SPEC_VTD_FRCD_1_T1) ? IOMMU_READ : IOMMU_WRITE,
	};

	if (!field_is_set(high, SPEC_VTD_FRCD_1_F))
		return false;
	fault.interrupt = fault.reason >= SPEC_VTD_IR_REQUEST_RESERVED &&
			  fault.reason < SPEC_VTD_RTA_INVALID;
	vtd_write(guard->vtd, at + SPEC_VTD_FRCD_HIGH, 8, field_mask(SPEC_VTD_FRCD_1_F));
	if (guard->conf.stranger && !function_of(guard, fault.source))
		guard->conf.stranger(guard->conf.owner, &fault);
	return true;
}

/* Section 7.3: records from FRI on, until one is empty; then the overflow. */
static void serve_fault_event(struct guard *guard)
{
	uint64_t status = vtd_read(guard->vtd, SPEC_VTD_FSTS, 4);
	unsigned at = (unsigned)field_get(status, SPEC_VTD_FSTS_FRI);

	guard->fault_event = false;
	while (take_record(guard, FAULT_RECORDS_AT + at * SPEC_VTD_FRCD_SIZE))
		at = (at + 1) % FAULT_RECORDS;
	/* Errors of the queue would be ours. */
	must(!(status & (field_mask(SPEC_VTD_FSTS_IQE) | field_mask(SPEC_VTD_FSTS_ITE) |
			 field_mask(SPEC_VTD_FSTS_ICE))));
	vtd_write(guard->vtd, SPEC_VTD_FSTS, 4, field_mask(SPEC_VTD_FSTS_PFO));
}

static void report(struct guard *guard, struct guard_function *f)
{
	uint32_t put = atomic_load_explicit(&f->put, memory_order_acquire); /* guard_function's note() */
	uint32_t taken = atomic_load_explicit(&f->taken, memory_order_relaxed);
	uint64_t lost = atomic_load_explicit(&f->lost, memory_order_relaxed);

	while (taken != put) {
		struct guard_fault fault = f->faults[taken % GUARD_FAULTS];

		atomic_store_explicit(&f->taken, ++taken, memory_order_release); /* note() */
		guard->conf.fault(guard->conf.owner, f, &fault, taken == put ? lost - f->lost_seen : 0);
		if (taken == put)
			f->lost_seen = lost;
	}
}

uint64_t guard_poll(struct guard *guard, uint64_t now_ns)
{
	uint64_t next;

	guard->now_ns = now_ns;
	next = vtd_poll(guard->vtd, now_ns);
	if (guard->fault_event)
		serve_fault_event(guard);
	for (struct guard_function *f = guard->functions; f; f = f->next)
		report(guard, f);
	return next;
}
