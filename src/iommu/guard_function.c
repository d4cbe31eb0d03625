/* A function behind the unit: its domain, its context entry, its interrupt entries. */
#include "iommu/guard_internal.h"

#include <errno.h>
#include <string.h>

enum {
	LEVELS = 4,
	ADDRESS_WIDTH_4_LEVELS = 2, /* of a context entry */
	VECTOR_FIRST = 0x20,        /* those below are exceptions */
	VECTORS_MAX = 128,
	JOIN_UP = 64, JOIN_DOWN = 16, /* pages looked at beyond the one that was asked for */
};

static struct guard_function *function_of(struct iommu_domain *domain)
{
	return container_of(domain, struct guard_function, domain);
}

/* Pages, counted: a guest that maps page by page all over its addresses spends its own. */

static uint64_t take(void *context)
{
	struct guard_function *f = context;
	const struct iommu_pages *pages = f->guard->conf.pages;
	uint64_t page = f->tables < f->guard->conf.function_tables ? pages->take(pages->context) : 0;

	f->tables += page != 0;
	return page;
}

static void give(void *context, uint64_t page)
{
	struct guard_function *f = context;

	f->tables--;
	f->guard->conf.pages->give(f->guard->conf.pages->context, page);
}

static _Atomic uint64_t *words(void *context, uint64_t page)
{
	const struct iommu_pages *pages = ((struct guard_function *)context)->guard->conf.pages;

	return pages->words(pages->context, page);
}

static uint64_t *link_of(void *context, uint64_t page)
{
	const struct iommu_pages *pages = ((struct guard_function *)context)->guard->conf.pages;

	return pages->link(pages->context, page);
}

/* Requests: with the front's hold. */

static void ask(const struct guard_function *f, enum iommu_address_type type, uint64_t address,
		uint8_t access, struct iommu_answer *answer)
{
	const struct iommu_request request = { .source = (uint16_t)f->source, .type = (uint8_t)type,
					       .access = access, .pasid = IOMMU_NO_PASID,
					       .address = address };

	vtd_translate(f->guard->readers[f->reader], &request, answer);
}

/* On no bus: without the unit. */
static bool find_in_tables(const struct guard_function *f, uint64_t address, struct dma_range *page)
{
	struct iommu_range range;
	uint64_t target;

	if (!iommu_builder_find(&f->builder, address, &range, &target, &page->access))
		return false;
	page->first = range.iova;
	page->size = range.size;
	page->host = (uint8_t *)(uintptr_t)target;
	return true;
}

/* The page that holds 'address'; false when it is not mapped. */
static bool find_page(const struct guard_function *f, uint64_t address, struct dma_range *page)
{
	struct iommu_answer answer;
	uint64_t offset;

	if (f->source == GUARD_NOBODY)
		return find_in_tables(f, address, page);
	ask(f, IOMMU_TRANSLATION_REQUEST, address, IOMMU_READ | IOMMU_WRITE, &answer);
	if (answer.outcome != IOMMU_OK || !answer.rights)
		return false;
	page->size = UINT64_C(1) << answer.page_shift;
	offset = address & (page->size - 1);
	page->first = address - offset;
	page->host = (uint8_t *)(uintptr_t)(answer.address - offset);
	page->access = answer.rights & (IOMMU_READ | IOMMU_WRITE);
	return true;
}

/* Neighbours whose targets go on where the range ends are part of it. */
static void join(const struct guard_function *f, struct dma_range *range)
{
	struct dma_range next;

	for (unsigned i = 0; i < JOIN_UP && find_page(f, range->first + range->size, &next) &&
	     next.host == range->host + range->size && next.access == range->access; i++)
		range->size += next.size;
	for (unsigned i = 0; i < JOIN_DOWN && range->first &&
	     find_page(f, range->first - 1, &next) && next.host + next.size == range->host &&
	     next.access == range->access; i++) {
		range->first = next.first;
		range->host = next.host;
		range->size += next.size;
	}
}

static bool translate(struct iommu_domain *domain, uint64_t address, uint8_t access,
		      struct dma_range *range)
{
	struct guard_function *f = function_of(domain);
	bool found;

	if (f->barred)
		return false;
	vtd_reader_enter(f->guard->readers[f->reader]);
	found = find_page(f, address, range) && (range->access & access) == access;
	if (found)
		join(f, range);
	vtd_reader_leave(f->guard->readers[f->reader]);
	return found;
}

/* Notes a fault for guard_poll(): one writer, since there is one hold. */
static void note(struct guard_function *f, const struct guard_fault *fault)
{
	uint32_t put = atomic_load_explicit(&f->put, memory_order_relaxed);

	/* acquire pairs with the release in guard.c's report() */
	if (put - atomic_load_explicit(&f->taken, memory_order_acquire) == GUARD_FAULTS) {
		atomic_fetch_add_explicit(&f->lost, 1, memory_order_relaxed);
		return;
	}
	f->faults[put % GUARD_FAULTS] = *fault;
	atomic_store_explicit(&f->put, put + 1, memory_order_release); /* report() */
}

/* The unit logs it, and wakes the control thread for that. */
static void blocked(struct iommu_domain *domain, uint64_t address, uint8_t access)
{
	struct guard_function *f = function_of(domain);
	struct iommu_answer answer;

	if (f->source == GUARD_NOBODY)
		return;
	vtd_reader_enter(f->guard->readers[f->reader]);
	ask(f, IOMMU_UNTRANSLATED, address, access, &answer);
	/* OK: an access that is wrong for another reason, such as one that wraps. */
	note(f, &(struct guard_fault){ .address = address, .source = (uint16_t)f->source,
				       .access = access, .reason = answer.outcome == IOMMU_OK ?
				       SPEC_VTD_ADDRESS_BEYOND_WIDTH : answer.reason });
	vtd_reader_leave(f->guard->readers[f->reader]);
	if (answer.outcome == IOMMU_OK)
		f->guard->conf.wake(f->guard->conf.owner);
}

/* The message in remappable format, without sub-handle (section 5.1.2.2). */
static struct iommu_message message_of(const struct guard_function *f, unsigned vector)
{
	uint64_t handle = f->first_interrupt + vector;

	return (struct iommu_message){
		.source = (uint16_t)f->source,
		.address = SPEC_VTD_INTERRUPT_FIRST | field_mask(SPEC_VTD_MSI_ADDRESS_FORMAT) |
			   field_make(SPEC_VTD_MSI_ADDRESS_HANDLE, handle) |
			   field_make(SPEC_VTD_MSI_ADDRESS_HANDLE_HIGH, handle >> 15),
	};
}

/* The vector of ours that a processor's message stands for; -1: it is for somebody else. */
static int vector_of(const struct guard_function *f, const struct iommu_remapped *remapped)
{
	uint64_t to = field_get(remapped->address, SPEC_MSI_ADDRESS_DEST) |
		      field_get(remapped->address, SPEC_MSI_ADDRESS_DEST_HIGH) << 8;
	unsigned vector = (unsigned)field_get(remapped->data, SPEC_MSI_DATA_VECTOR) - VECTOR_FIRST;

	return to == f->id && vector < f->vectors ? (int)vector : -1;
}

static int interrupt(struct iommu_domain *domain, unsigned vector)
{
	struct guard_function *f = function_of(domain);
	struct iommu_message message;
	struct iommu_remapped remapped;

	if (f->source == GUARD_NOBODY)
		return -1;
	message = message_of(f, vector);
	vtd_reader_enter(f->guard->readers[f->reader]);
	vtd_interrupt(f->guard->readers[f->reader], &message, &remapped);
	if (remapped.outcome != IOMMU_OK)
		note(f, &(struct guard_fault){ .address = vector, .source = message.source,
					       .reason = remapped.reason, .interrupt = true });
	vtd_reader_leave(f->guard->readers[f->reader]);
	return remapped.outcome == IOMMU_OK ? vector_of(f, &remapped) : -1;
}

/* Grants: on the control thread. */

static void note_ended(struct guard_function *f, struct iommu_range range)
{
	f->ended_first = min_u64(f->ended_first, range.iova);
	f->ended_last = max_u64(f->ended_last, range.iova + (range.size - 1));
}

static int map(struct iommu_domain *domain, struct iommu_range range, uint8_t *host, uint8_t access)
{
	struct guard_function *f = function_of(domain);
	int err = iommu_builder_map(&f->builder, range, (uintptr_t)host, access);

	if (err > 0)
		note_ended(f, range);
	return err < 0 ? err : 0;
}

static int unmap(struct iommu_domain *domain, struct iommu_range range)
{
	const uint64_t end = UINT64_C(1) << GUARD_ADDRESS_BITS;
	struct guard_function *f = function_of(domain);
	int err;

	if (range.iova >= end)
		return 0;
	range.size = min_u64(range.size, end - range.iova);
	err = iommu_builder_unmap(&f->builder, range);
	if (err > 0)
		note_ended(f, range);
	return err < 0 ? err : 0;
}

/* The smallest aligned power of two of bytes that holds both addresses: its shift. */
static unsigned block_of(uint64_t first, uint64_t last)
{
	unsigned shift = SPEC_PAGE_SHIFT;

	while (first >> shift != last >> shift)
		shift++;
	return shift;
}

/* Section 6.5.2.5: below the block's address, ones up to its half say how large it is. */
static void invalidate_device(struct guard_function *f, uint64_t first, unsigned shift)
{
	uint64_t address = first >> shift << shift;

	if (shift > SPEC_PAGE_SHIFT)
		address |= ((UINT64_C(1) << (shift - 1)) - (1 << SPEC_PAGE_SHIFT)) |
			   field_mask(SPEC_VTD_QI_DEVICE_1_S);
	guard_queue_put(f->guard,
			SPEC_VTD_QI_DEVICE_TLB |
				field_make(SPEC_VTD_QI_DEVICE_0_SID, (uint64_t)f->source),
			address);
}

static void wait_for(struct guard_function *f)
{
	f->guard->flushing = f;
	guard_queue_wait(f->guard);
	f->guard->flushing = NULL;
}

static void flush(struct iommu_domain *domain)
{
	struct guard_function *f = function_of(domain);
	uint64_t first = f->ended_first, last = f->ended_last;
	unsigned shift;

	if (first > last)
		return;
	f->ended_first = UINT64_MAX;
	f->ended_last = 0;
	shift = block_of(first, last);
	guard_queue_put(f->guard,
			SPEC_VTD_QI_IOTLB |
				field_make(SPEC_VTD_QI_0_G, SPEC_VTD_GRANULARITY_FINE) |
				field_make(SPEC_VTD_QI_0_DID, f->id),
			(first >> shift << shift) |
				field_make(SPEC_VTD_QI_1_AM, shift - SPEC_PAGE_SHIFT));
	if (f->source != GUARD_NOBODY)
		invalidate_device(f, first, shift);
	else if (domain->dma)
		dma_forget(domain->dma, first, last);
	wait_for(f);
	iommu_builder_reclaim(&f->builder);
}

static const struct iommu_domain_ops guard_ops = {
	.translate = translate, .blocked = blocked, .interrupt = interrupt,
	.map = map, .unmap = unmap, .flush = flush,
};

/* Entries. */

static uint64_t interrupt_entry(const struct guard_function *f, unsigned vector)
{
	return f->guard->conf.interrupt_table + (f->first_interrupt + vector) * SPEC_VTD_IRTE_SIZE;
}

/* Fixed, physical, edge; from this requester ID alone (section 9.9). */
static void set_interrupt(const struct guard_function *f, unsigned vector)
{
	uint64_t at = interrupt_entry(f, vector);

	guard_store(f->guard, at + 8, field_make(SPEC_VTD_IRTE_1_SID, (uint64_t)f->source) |
		    field_make(SPEC_VTD_IRTE_1_SVT, SPEC_VTD_SVT_SID));
	guard_store(f->guard, at, field_mask(SPEC_VTD_IRTE_0_P) |
		    field_make(SPEC_VTD_IRTE_0_V, VECTOR_FIRST + vector) |
		    field_make(SPEC_VTD_IRTE_0_DST, f->id));
}

/* The context entry of a requester ID; its table is made when there is none.  0: no memory. */
static uint64_t context_entry(struct guard *guard, uint16_t source)
{
	uint64_t at = guard->root + (uint64_t)(source >> 8) * SPEC_VTD_ROOT_SIZE;
	uint64_t entry = guard_load(guard, at);

	if (!field_is_set(entry, SPEC_VTD_ROOT_0_P)) {
		entry = guard->conf.pages->take(guard->conf.pages->context);
		if (!entry)
			return 0;
		entry |= field_mask(SPEC_VTD_ROOT_0_P);
		guard_store(guard, at, entry);
	}
	return (entry & field_mask(SPEC_VTD_ROOT_0_CTP)) +
	       (uint64_t)(source & 0xff) * SPEC_VTD_CONTEXT_SIZE;
}

int guard_function_bind(struct guard_function *f, uint16_t source, unsigned reader)
{
	uint64_t at = context_entry(f->guard, source);

	must(f->source == GUARD_NOBODY && reader < f->guard->conf.readers);
	if (!at)
		return -ENOMEM;
	must(!field_is_set(guard_load(f->guard, at), SPEC_VTD_CONTEXT_0_P));
	f->source = source;
	f->reader = reader;
	for (unsigned vector = 0; vector < f->vectors; vector++)
		set_interrupt(f, vector);
	guard_store(f->guard, at + 8,
		    field_make(SPEC_VTD_CONTEXT_1_AW, ADDRESS_WIDTH_4_LEVELS) |
			    field_make(SPEC_VTD_CONTEXT_1_DID, f->id));
	guard_store(f->guard, at, f->builder.root | field_mask(SPEC_VTD_CONTEXT_0_P) |
		    field_make(SPEC_VTD_CONTEXT_0_TT, SPEC_VTD_TT_ALL));
	return 0;
}

/* The shift of the block of interrupt entries that a function has. */
static unsigned vectors_shift(unsigned vectors)
{
	unsigned shift = 0;

	while (1u << shift < vectors)
		shift++;
	return shift;
}

/* Section 6.5.3: context cache, IOTLB, device TLB; and the interrupt entries. */
void guard_function_unbind(struct guard_function *f)
{
	uint64_t source = (uint64_t)f->source;

	if (f->source == GUARD_NOBODY)
		return;
	guard_store(f->guard, context_entry(f->guard, (uint16_t)source), 0);
	for (unsigned vector = 0; vector < f->vectors; vector++)
		guard_store(f->guard, interrupt_entry(f, vector), 0);
	guard_queue_put(f->guard,
			SPEC_VTD_QI_CONTEXT |
				field_make(SPEC_VTD_QI_0_G, SPEC_VTD_GRANULARITY_FINE) |
				field_make(SPEC_VTD_QI_0_DID, f->id) |
				field_make(SPEC_VTD_QI_CONTEXT_0_SID, source), 0);
	guard_queue_put(f->guard,
			SPEC_VTD_QI_IOTLB |
				field_make(SPEC_VTD_QI_0_G, SPEC_VTD_GRANULARITY_DOMAIN) |
				field_make(SPEC_VTD_QI_0_DID, f->id), 0);
	invalidate_device(f, 0, GUARD_ADDRESS_BITS);
	guard_queue_put(f->guard,
			SPEC_VTD_QI_INTERRUPT | field_mask(SPEC_VTD_QI_INTERRUPT_0_G) |
				field_make(SPEC_VTD_QI_INTERRUPT_0_IIDX, f->first_interrupt) |
				field_make(SPEC_VTD_QI_INTERRUPT_0_IM, vectors_shift(f->vectors)), 0);
	wait_for(f);
	f->source = GUARD_NOBODY;
	f->reader = 0;
}

void guard_function_bar(struct guard_function *f)
{
	guard_function_unbind(f);
	f->barred = true;
	if (f->domain.dma)
		dma_forget(f->domain.dma, 0, UINT64_MAX);
}

void guard_function_let_in(struct guard_function *f)
{
	f->barred = false;
}

uint32_t guard_interrupts_of(unsigned vectors)
{
	return UINT32_C(1) << vectors_shift(vectors); /* a block that one invalidation names */
}

int guard_function_init(struct guard_function *f, struct guard *guard, unsigned vectors)
{
	uint32_t block = guard_interrupts_of(vectors);
	uint32_t first = (guard->interrupts_used + block - 1) / block * block;

	must(vectors > 0 && vectors <= VECTORS_MAX);
	if (guard->domains == GUARD_FUNCTIONS_MAX || first + block > guard->conf.interrupts)
		return -ENOSPC;
	memset(f, 0, sizeof *f);
	f->domain.ops = &guard_ops;
	f->guard = guard;
	f->pages = (struct iommu_pages){ take, give, words, link_of, f };
	f->builder = (struct iommu_builder){ .format = IOMMU_VTD_SECOND_LEVEL, .levels = LEVELS,
					     .page_sizes = IOMMU_PAGES_2M | IOMMU_PAGES_1G,
					     .pages = &f->pages };
	if (iommu_builder_init(&f->builder))
		return -ENOMEM;
	f->id = ++guard->domains;
	f->source = GUARD_NOBODY;
	f->first_interrupt = first;
	f->vectors = vectors;
	f->ended_first = UINT64_MAX;
	guard->interrupts_used = first + block;
	f->next = guard->functions;
	guard->functions = f;
	return 0;
}

void guard_function_fini(struct guard_function *f)
{
	struct guard_function **at = &f->guard->functions;

	must(f->source == GUARD_NOBODY);
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	(void)unmap(&f->domain, (struct iommu_range){ 0, UINT64_MAX });
	flush(&f->domain);
	iommu_builder_fini(&f->builder);
}

void guard_function_list(const struct guard_function *f,
			 void (*each)(void *context, struct iommu_range range, uint64_t target,
				      uint8_t rights),
			 void *context)
{
	iommu_builder_list(&f->builder, each, context);
}
