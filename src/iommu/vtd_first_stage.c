/* First-stage tables (sections 3.6, 9.7), and nested through the second stage (section 3.8). */
#include "iommu/vtd_internal.h"

/* Times that an entry is looked at again because its accessed or dirty bit could not be set at
 * once. */
enum { PATIENCE = 4 };

static const char *const names[] = {
	NULL,
	"FS-PTE (level 1)",
	"FS-PDE (level 2)",
	"FS-PDPE (level 3)",
	"FS-PML4E (level 4)",
	"FS-PML5E (level 5)",
};

struct first {
	struct vtd_walk *walk;
	const struct vtd_stages *stages;
	unsigned level;
	bool writable, user, executable; /* by all entries up to this one */
	uint8_t entry_rights;            /* what the second stage allows with the entry itself */
	struct iommu_step step;
};

static enum spec_vtd_reason refused(const struct first *first, enum spec_vtd_reason reason)
{
	vtd_tell(first->walk, &first->step, "%s", vtd_reason_text(reason));
	return reason;
}

static bool is_nested(const struct first *first)
{
	return first->stages->type == VTD_NESTED;
}

static bool is_top(const struct first *first)
{
	return first->level == first->stages->first_levels;
}

static bool is_leaf(const struct first *first)
{
	return first->level == 1 ||
	       (first->level <= 3 && field_is_set(first->step.words[0], SPEC_VTD_FS_PS));
}

static unsigned shift_of(unsigned level)
{
	return SPEC_VTD_PAGE_SHIFT + (level - 1) * SPEC_VTD_LEVEL_BITS;
}

/* Canonical addresses have the same bit from this one on. */
static unsigned sign_bit(unsigned levels)
{
	return SPEC_VTD_PAGE_SHIFT + levels * SPEC_VTD_LEVEL_BITS - 1;
}

static bool is_canonical(uint64_t address, unsigned levels)
{
	uint64_t high = address >> sign_bit(levels);

	return high == 0 || high == UINT64_MAX >> sign_bit(levels);
}

/* Section 3.8.1: the second stage must let the unit read the entry, and with second-stage dirty
 * bits write it as well.  step.address becomes host physical. */
static enum spec_vtd_reason reach_entry(struct first *first)
{
	bool writes = first->stages->second_dirty;
	struct vtd_second_use use = {
		.address = first->step.address,
		.wanted = (uint8_t)(IOMMU_READ | (writes ? IOMMU_WRITE : 0)),
		.for_table = true,
	};
	struct vtd_leaf leaf;
	enum spec_vtd_reason reason = vtd_second_stage(first->walk, first->stages, &use, &leaf);

	if (reason)
		return reason;
	if (!(leaf.rights & IOMMU_READ))
		return is_top(first) ? SPEC_VTD_FS_TOP_READ_DENIED : SPEC_VTD_FS_READ_DENIED;
	if (writes && !(leaf.rights & IOMMU_WRITE))
		return SPEC_VTD_FS_UPDATE_DENIED;
	first->step.address = leaf.address;
	first->entry_rights = leaf.rights;
	return SPEC_VTD_NO_FAULT;
}

static bool is_reserved(const struct first *first)
{
	uint64_t reserved = vtd_beyond_host_51(first->walk);
	bool has_1g = field_is_set(first->walk->tables->cap, SPEC_VTD_CAP_FS1GP);

	if (first->level >= 4 || (first->level == 3 && !has_1g))
		reserved |= field_mask(SPEC_VTD_FS_PS);
	if (is_leaf(first) && first->level == 2)
		reserved |= field_mask(SPEC_VTD_FS_RESERVED_2M);
	if (is_leaf(first) && first->level == 3)
		reserved |= field_mask(SPEC_VTD_FS_RESERVED_1G);
	return first->step.words[0] & reserved;
}

static enum spec_vtd_reason check(const struct first *first)
{
	uint64_t entry = first->step.words[0];
	unsigned width = vtd_second_width(first->walk, first->stages->second_levels);

	if (!field_is_set(entry, SPEC_VTD_FS_P))
		return SPEC_VTD_FS_NOT_PRESENT;
	if (is_reserved(first))
		return SPEC_VTD_FS_RESERVED;
	if (is_nested(first) && (entry & field_mask(SPEC_VTD_FS_ADDR)) >> width)
		return SPEC_VTD_FS_BEYOND_WIDTH;
	if (!first->walk->privileged && !field_is_set(entry, SPEC_VTD_FS_US))
		return SPEC_VTD_PRIVILEGE;
	return SPEC_VTD_NO_FAULT;
}

/* Section 3.6.1, of all entries down to the present one. */
static uint8_t rights_of(const struct first *first)
{
	const struct vtd_stages *stages = first->stages;
	bool supervisor = first->walk->privileged;
	bool executes = field_is_set(first->walk->tables->ecap, SPEC_VTD_ECAP_ERS);
	uint8_t rights = IOMMU_READ;

	if (first->writable || (supervisor && !stages->write_protect))
		rights |= IOMMU_WRITE;
	if (executes && (first->executable || !stages->no_execute) &&
	    !(supervisor && stages->supervisor_no_execute && first->user))
		rights |= IOMMU_EXECUTE;
	return rights;
}

static void combine(struct first *first)
{
	uint64_t entry = first->step.words[0];

	first->writable = first->writable && field_is_set(entry, SPEC_VTD_FS_RW);
	first->user = first->user && field_is_set(entry, SPEC_VTD_FS_US);
	first->executable = first->executable && !field_is_set(entry, SPEC_VTD_FS_XD);
}

/* Bits that using this entry must leave set (section 3.6.2). */
static uint64_t bits_to_set(const struct first *first)
{
	const struct vtd_walk *walk = first->walk;
	uint8_t rights = rights_of(first), writes = walk->access & rights & IOMMU_WRITE;
	uint64_t bits = field_mask(SPEC_VTD_FS_A);

	if (first->stages->extended_accessed)
		bits |= field_mask(SPEC_VTD_FS_EA);
	if (!is_leaf(first))
		return bits;
	if (walk->request->type != IOMMU_TRANSLATION_REQUEST &&
	    !vtd_rights_suffice(walk, walk->access, rights))
		return 0;
	return bits | (writes ? field_mask(SPEC_VTD_FS_D) : 0);
}

/* Sets accessed and dirty bits.  *again: somebody else changed the entry meanwhile. */
static enum spec_vtd_reason update(const struct first *first, bool *again)
{
	const struct vtd_tables *tables = first->walk->tables;
	uint64_t old = first->step.words[0];
	uint64_t now = old | bits_to_set(first);

	*again = false;
	if (now == old)
		return SPEC_VTD_NO_FAULT;
	if (!first->stages->coherent)
		return SPEC_VTD_FS_UPDATE_NOT_SNOOPED;
	if (is_nested(first) && !(first->entry_rights & IOMMU_WRITE))
		return SPEC_VTD_FS_UPDATE_DENIED;
	*again = tables->set_accessed &&
		 !tables->memory->replace(tables->memory->context, first->step.address, old, now);
	return SPEC_VTD_NO_FAULT;
}

/* Reads the entry at step.address, checks it and sets its bits. */
static enum spec_vtd_reason look(struct first *first)
{
	const struct first before = *first;
	enum spec_vtd_reason reason;
	bool again;

	for (unsigned tries = 0; tries < PATIENCE; tries++) {
		first->writable = before.writable;
		first->user = before.user;
		first->executable = before.executable;
		first->step.word_count = 0;
		if (!vtd_read_words(first->walk, first->step.address, 1, first->step.words))
			return refused(first,
				       is_top(first) ? SPEC_VTD_FS_TOP_ACCESS : SPEC_VTD_FS_ACCESS);
		first->step.word_count = 1;
		reason = check(first);
		if (reason)
			return refused(first, reason);
		combine(first);
		reason = update(first, &again);
		if (reason)
			return refused(first, reason);
		if (!again)
			return SPEC_VTD_NO_FAULT;
	}
	return refused(first, SPEC_VTD_FS_UPDATE_FAILED);
}

/* The page: nested, its address is guest physical and goes through the second stage. */
static enum spec_vtd_reason reach_page(const struct first *first, struct vtd_leaf *leaf)
{
	struct vtd_walk *walk = first->walk;
	bool for_device = walk->request->type == IOMMU_TRANSLATION_REQUEST;
	uint64_t offset = (UINT64_C(1) << shift_of(first->level)) - 1;
	uint8_t rights = rights_of(first);
	struct vtd_second_use use = { .wanted = walk->access };
	enum spec_vtd_reason reason;

	leaf->address = (first->step.words[0] & field_mask(SPEC_VTD_FS_ADDR) & ~offset) |
			(walk->request->address & offset);
	leaf->page_shift = (uint8_t)shift_of(first->level);
	leaf->rights = rights;
	if (!is_nested(first))
		return SPEC_VTD_NO_FAULT;
	if (for_device)
		use.wanted &= rights;
	else if ((reason = vtd_check_rights(walk, first->stages, rights)) != SPEC_VTD_NO_FAULT)
		return reason;
	use.address = leaf->address;
	reason = vtd_second_stage(walk, first->stages, &use, leaf);
	if (reason)
		return reason;
	if (leaf->rights & IOMMU_READ)
		leaf->rights |= IOMMU_EXECUTE;
	leaf->rights &= rights;
	leaf->page_shift = (uint8_t)min_u32(leaf->page_shift, shift_of(first->level));
	return SPEC_VTD_NO_FAULT;
}

static void tell(const struct first *first)
{
	uint64_t address = first->step.words[0] & field_mask(SPEC_VTD_FS_ADDR);
	const char *where = is_nested(first) ? "guest physical " : "";
	uint64_t offset = (UINT64_C(1) << shift_of(first->level)) - 1;

	if (is_leaf(first))
		vtd_tell(first->walk, &first->step, "page of %s at %s0x%llx: read%s%s",
			 first->level == 1   ? "4 KiB"
			 : first->level == 2 ? "2 MiB"
					     : "1 GiB",
			 where, (unsigned long long)(address & ~offset),
			 first->writable ? " and write" : "", first->user ? ", user" : "");
	else
		vtd_tell(first->walk, &first->step, "table at %s0x%llx", where,
			 (unsigned long long)address);
}

enum spec_vtd_reason vtd_first_stage(struct vtd_walk *walk, const struct vtd_stages *stages,
				     struct vtd_leaf *leaf)
{
	struct first first = {
		.walk = walk,
		.stages = stages,
		.level = stages->first_levels,
		.writable = true,
		.user = true,
		.executable = true,
	};
	uint64_t table = stages->first_table, address = walk->request->address;
	enum spec_vtd_reason reason;

	if (!is_canonical(address, stages->first_levels)) {
		vtd_decided(walk, sign_bit(stages->first_levels));
		return SPEC_VTD_NOT_CANONICAL;
	}
	for (;; first.level--) {
		first.step.table = names[first.level];
		first.step.shift = (uint8_t)shift_of(first.level);
		vtd_decided(walk, first.step.shift);
		first.step.index = (address >> shift_of(first.level)) & 511;
		first.step.address = table + first.step.index * 8;
		if (is_nested(&first) && (reason = reach_entry(&first)) != SPEC_VTD_NO_FAULT)
			return reason;
		reason = look(&first);
		if (reason)
			return reason;
		if (vtd_is_traced(walk))
			tell(&first);
		if (is_leaf(&first))
			return reach_page(&first, leaf);
		table = first.step.words[0] & field_mask(SPEC_VTD_FS_ADDR);
	}
}
