/* Page tables (section 2.2.3). */
#include "iommu/amdvi_internal.h"

/* Times that an entry is looked at again because its accessed or dirty bit could not be set at
 * once. */
enum { PATIENCE = 4 };

/* A page fault: RW says something only with PR, and nothing of a translation request. */
uint16_t amdvi_page_fault(const struct amdvi_page *page, unsigned flags)
{
	if ((flags & SPEC_AMDVI_FLAG_PR) && (page->access & IOMMU_WRITE) &&
	    !(page->base.flags & SPEC_AMDVI_FLAG_TR))
		flags |= SPEC_AMDVI_FLAG_RW;
	return amdvi_event(&page->base, SPEC_AMDVI_IO_PAGE_FAULT, flags);
}

static uint16_t table_error(const struct amdvi_page *page, unsigned type)
{
	return amdvi_event(&page->base, SPEC_AMDVI_PAGE_TAB_HARDWARE_ERROR,
			   type << SPEC_AMDVI_FLAG_TYPE_SHIFT);
}

static unsigned shift_of(unsigned level)
{
	return SPEC_AMDVI_PAGE_SHIFT + (level - 1) * SPEC_AMDVI_LEVEL_BITS;
}

bool amdvi_suffices(const struct amdvi_page *page)
{
	uint8_t missing = page->access & (uint8_t)~page->rights;

	return !(missing & (IOMMU_READ | IOMMU_WRITE)) && (page->access || page->rights);
}

static unsigned next_level(const struct amdvi_page *page)
{
	return (unsigned)field_get(page->base.step.words[0], SPEC_AMDVI_PTE_NEXT_LEVEL);
}

static bool is_page(const struct amdvi_page *page)
{
	return next_level(page) == SPEC_AMDVI_NEXT_LEVEL_PAGE ||
	       next_level(page) == SPEC_AMDVI_NEXT_LEVEL_SIZED;
}

/* Section 2.2.3: the lowest 0 from bit 12 on is half the size of the page. */
static unsigned encoded_shift(uint64_t entry)
{
	uint64_t zeros = ~entry & field_mask(SPEC_AMDVI_PTE_ADDRESS);

	return zeros ? lowest_bit(zeros) + 1 : 64;
}

/* Size of the page that the entry maps; 0: an encoding that this level does not have. */
static unsigned size_of_page(const struct amdvi_page *page)
{
	unsigned natural = shift_of(page->level);
	unsigned shift = natural;

	if (page->level == SPEC_AMDVI_LEVELS_MAX)
		return 0;
	if (next_level(page) == SPEC_AMDVI_NEXT_LEVEL_SIZED) {
		shift = encoded_shift(page->base.step.words[0]);
		if (shift <= natural || shift >= shift_of(page->level + 1))
			return 0;
	}
	return shift;
}

static uint16_t check_table(struct amdvi_page *page)
{
	unsigned next = next_level(page);
	uint64_t entry = page->base.step.words[0], skipped;

	if (field_is_set(entry, SPEC_AMDVI_PDE_RESERVED))
		return amdvi_page_fault(page, SPEC_AMDVI_FLAG_PR | SPEC_AMDVI_FLAG_RZ);
	if (next >= page->level)
		return amdvi_page_fault(page, SPEC_AMDVI_FLAG_PR);
	/* Levels may be skipped where the address has only zeros for them. */
	skipped = (page->request->address & ((UINT64_C(1) << shift_of(page->level)) - 1)) >>
		  shift_of(next + 1);
	if (!skipped)
		return 0;
	page->decided_shift = shift_of(next + 1);
	return amdvi_page_fault(page, SPEC_AMDVI_FLAG_PR);
}

static uint16_t check_page(const struct amdvi_page *page)
{
	if (field_is_set(page->base.step.words[0], SPEC_AMDVI_PTE_RESERVED))
		return amdvi_page_fault(page, SPEC_AMDVI_FLAG_PR | SPEC_AMDVI_FLAG_RZ);
	return size_of_page(page) ? 0 : amdvi_page_fault(page, SPEC_AMDVI_FLAG_PR);
}

uint8_t amdvi_rights(uint64_t word)
{
	return (uint8_t)((field_is_set(word, SPEC_AMDVI_PTE_IR) ? IOMMU_READ : 0) |
			 (field_is_set(word, SPEC_AMDVI_PTE_IW) ? IOMMU_WRITE : 0));
}

/* Section 2.2.7.4: accessed and dirty bits of host tables, where device and unit have them. */
static uint64_t bits_to_set(const struct amdvi_page *page)
{
	const struct amdvi_walk *walk = &page->base;
	uint64_t had = field_get(walk->dte[0], SPEC_AMDVI_DTE_0_HAD);
	bool for_device = walk->flags & SPEC_AMDVI_FLAG_TR;
	uint64_t bits = 0;

	if ((had & 1) && field_is_set(walk->tables->features, SPEC_AMDVI_EFR_HA_SUP))
		bits |= field_mask(SPEC_AMDVI_PTE_A);
	if (!is_page(page))
		return bits;
	if ((had & 2) && (page->access & page->rights & IOMMU_WRITE) &&
	    field_is_set(walk->tables->features, SPEC_AMDVI_EFR_HD_SUP))
		bits |= field_mask(SPEC_AMDVI_PTE_D);
	return for_device || amdvi_suffices(page) ? bits : 0;
}

static bool update(const struct amdvi_page *page)
{
	const struct amdvi_tables *tables = page->base.tables;
	uint64_t old = page->base.step.words[0], now = old | bits_to_set(page);

	return now == old || !tables->set_accessed ||
	       tables->memory->replace(tables->memory->context, page->base.step.address, old, now);
}

/* Reads one entry, checks it and sets its bits. */
static uint16_t look(struct amdvi_page *page)
{
	struct amdvi_walk *walk = &page->base;
	uint8_t above = page->rights;
	uint16_t reason;

	for (unsigned tries = 0; tries < PATIENCE; tries++) {
		if (!amdvi_read_entry(walk, 8))
			return table_error(page, SPEC_AMDVI_TYPE_MASTER_ABORT);
		if (!field_is_set(walk->step.words[0], SPEC_AMDVI_PTE_PR))
			return amdvi_page_fault(page, 0);
		reason = is_page(page) ? check_page(page) : check_table(page);
		if (reason)
			return reason;
		page->rights = above & amdvi_rights(walk->step.words[0]);
		if (update(page))
			return 0;
	}
	return table_error(page, SPEC_AMDVI_TYPE_DATA_ERROR);
}

static void fill(struct amdvi_page *page)
{
	uint64_t entry = page->base.step.words[0], offset;

	page->page_shift = page->decided_shift = size_of_page(page);
	offset = (UINT64_C(1) << page->page_shift) - 1;
	page->address = (entry & field_mask(SPEC_AMDVI_PTE_ADDRESS) & ~offset) |
			(page->request->address & offset);
	page->untranslated_only = field_is_set(entry, SPEC_AMDVI_PTE_U);
	page->coherent = field_is_set(entry, SPEC_AMDVI_PTE_FC);
}

const char *amdvi_rights_text(uint8_t rights)
{
	static const char *const texts[] = { "no access", "read", "write", "read and write" };

	return texts[rights & (IOMMU_READ | IOMMU_WRITE)];
}

uint16_t amdvi_pages(struct amdvi_page *page)
{
	static const char *const names[] = { NULL,
					     "I/O page entry (level 1)",
					     "I/O page entry (level 2)",
					     "I/O page entry (level 3)",
					     "I/O page entry (level 4)",
					     "I/O page entry (level 5)",
					     "I/O page entry (level 6)" };
	struct amdvi_walk *walk = &page->base;
	uint64_t table = walk->dte[0] & field_mask(SPEC_AMDVI_DTE_0_ROOT);
	uint64_t address = page->request->address;
	unsigned top = amdvi_levels(walk);
	uint16_t reason;

	/* Six levels translate all 64 bits. */
	if (top < SPEC_AMDVI_LEVELS_MAX && address >> shift_of(top + 1)) {
		page->decided_shift = shift_of(top + 1);
		return amdvi_page_fault(page, 0);
	}
	for (page->level = top;; page->level = next_level(page)) {
		page->decided_shift = shift_of(page->level);
		walk->step = (struct iommu_step){ .table = names[page->level],
						  .shift = (uint8_t)page->decided_shift };
		walk->step.index = (unsigned)(address >> shift_of(page->level)) & 511;
		walk->step.address = table + walk->step.index * 8;
		reason = look(page);
		if (reason)
			return amdvi_refused(walk, reason);
		if (is_page(page))
			break;
		table = walk->step.words[0] & field_mask(SPEC_AMDVI_PTE_ADDRESS);
		amdvi_tell(walk, "table of level %u at 0x%llx: %s", next_level(page),
			   (unsigned long long)table,
			   amdvi_rights_text(amdvi_rights(walk->step.words[0])));
	}
	fill(page);
	amdvi_tell(walk, "page of 2^%u bytes at 0x%llx: %s", page->page_shift,
		   (unsigned long long)(page->address >> page->page_shift << page->page_shift),
		   amdvi_rights_text(page->rights));
	return 0;
}
