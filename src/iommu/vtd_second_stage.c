/* Second-stage tables (sections 3.7, 9.8). */
#include "iommu/vtd_internal.h"

/* Times that an entry is looked at again because its accessed or dirty bit could not be set at
 * once. */
enum { PATIENCE = 4 };

static const char *const names[] = {
	NULL,
	"SS-PTE (level 1)",
	"SS-PDE (level 2)",
	"SS-PDPE (level 3)",
	"SS-PML4E (level 4)",
	"SS-PML5E (level 5)",
};

/* What goes wrong has other codes in legacy mode (LSS) than in scalable mode (SSS). */
struct codes {
	enum spec_vtd_reason top_access, access, reserved;
};

static const struct codes legacy = { SPEC_VTD_CONTEXT_INVALID, SPEC_VTD_PAGING_ACCESS,
				     SPEC_VTD_PAGING_RESERVED };
static const struct codes scalable = { SPEC_VTD_SS_TOP_ACCESS, SPEC_VTD_SS_ACCESS,
				       SPEC_VTD_SS_RESERVED };

struct second {
	struct vtd_walk *walk;
	const struct vtd_stages *stages;
	const struct vtd_second_use *use;
	const struct codes *codes;
	unsigned level;
	uint8_t rights; /* of the levels above, and then of this one too */
	struct iommu_step step;
};

static bool has_legacy_codes(const struct second *second)
{
	return second->codes == &legacy;
}

unsigned vtd_second_width(const struct vtd_walk *walk, unsigned levels)
{
	unsigned mgaw = (unsigned)field_get(walk->tables->cap, SPEC_VTD_CAP_MGAW) + 1;

	return min_u32(mgaw, SPEC_VTD_PAGE_SHIFT + levels * SPEC_VTD_LEVEL_BITS);
}

static enum spec_vtd_reason refused(const struct second *second, enum spec_vtd_reason reason)
{
	vtd_tell(second->walk, &second->step, "%s", vtd_reason_text(reason));
	return reason;
}

static unsigned shift_of(unsigned level)
{
	return SPEC_VTD_PAGE_SHIFT + (level - 1) * SPEC_VTD_LEVEL_BITS;
}

/* RTADDR.SSIRWE: bits 61 and 62 give the rights instead of 0 and 1. */
static bool has_io_rights(const struct second *second)
{
	const struct vtd_tables *tables = second->walk->tables;

	return second->stages->scalable && field_is_set(tables->rtaddr, SPEC_VTD_RTADDR_SSIRWE) &&
	       field_is_set(tables->ecap, SPEC_VTD_ECAP_SSIRWS);
}

static uint8_t rights_of(const struct second *second)
{
	uint64_t entry = second->step.words[0];
	bool io = has_io_rights(second);
	int read = io ? SPEC_VTD_SS_IR : SPEC_VTD_SS_R;
	int write = io ? SPEC_VTD_SS_IW : SPEC_VTD_SS_W;

	return (uint8_t)((field_is_set(entry, read) ? IOMMU_READ : 0) |
			 (field_is_set(entry, write) ? IOMMU_WRITE : 0));
}

static bool has_page_size(const struct second *second)
{
	uint64_t sizes = field_get(second->walk->tables->cap, SPEC_VTD_CAP_SSLPS);

	/* Bit 0: 2 MiB at level 2; bit 1: 1 GiB at level 3. */
	return (second->level == 2 && (sizes & 1)) || (second->level == 3 && (sizes & 2));
}

static bool is_leaf(const struct second *second)
{
	return second->level == 1 ||
	       (second->level <= 3 && field_is_set(second->step.words[0], SPEC_VTD_SS_PS));
}

/* Reserved bits of an entry that allows something (section 3.7, tables 41 to 47). */
static bool is_reserved(const struct second *second)
{
	uint64_t reserved = vtd_beyond_host_51(second->walk);
	uint64_t ecap = second->walk->tables->ecap;
	bool leaf = is_leaf(second);
	bool snoop = field_is_set(ecap, SPEC_VTD_ECAP_SC) ||
		     ((second->walk->quirks & VTD_QUIRK_SNOOP_IGNORED) &&
		      field_is_set(ecap, SPEC_VTD_ECAP_SMTS));

	if (second->level > 1 && !has_page_size(second))
		reserved |= field_mask(SPEC_VTD_SS_PS);
	if (leaf && second->level == 2)
		reserved |= field_mask(SPEC_VTD_SS_RESERVED_2M);
	if (leaf && second->level == 3)
		reserved |= field_mask(SPEC_VTD_SS_RESERVED_1G);
	if (!leaf || !snoop)
		reserved |= field_mask(SPEC_VTD_SS_SNP);
	/* Bit 62: I/O write, or up to revision 3 transient mapping in leaves. */
	if (!has_io_rights(second) && (!leaf || !field_is_set(ecap, SPEC_VTD_ECAP_DT)))
		reserved |= field_mask(SPEC_VTD_SS_TM);
	return second->step.words[0] & reserved;
}

/* No right at all: what legacy mode calls a denied access, scalable mode calls not present. */
static enum spec_vtd_reason no_rights(const struct second *second)
{
	if (!has_legacy_codes(second))
		return SPEC_VTD_SS_NOT_PRESENT;
	return second->use->wanted & IOMMU_WRITE ? SPEC_VTD_WRITE_DENIED : SPEC_VTD_READ_DENIED;
}

/* What one entry says, combined with those above. */
static enum spec_vtd_reason check(struct second *second)
{
	uint8_t above = second->rights, own = rights_of(second);
	uint8_t wanted = second->use->wanted;

	if ((second->walk->quirks & VTD_QUIRK_ONES_UNREADABLE) &&
	    second->step.words[0] == UINT64_MAX)
		return second->level == second->stages->second_levels ? second->codes->top_access
								      : second->codes->access;
	if (second->use->early_check && (wanted & IOMMU_WRITE & ~own))
		return SPEC_VTD_WRITE_DENIED;
	if (second->use->early_check && !(wanted & IOMMU_WRITE) && (wanted & IOMMU_READ & ~own))
		return SPEC_VTD_READ_DENIED;
	if (!own)
		return no_rights(second);
	if (is_reserved(second))
		return second->codes->reserved;
	second->rights = above & own;
	return second->rights ? SPEC_VTD_NO_FAULT : no_rights(second);
}

/* Bits that using this entry must leave set (section 3.7.2). */
static uint64_t bits_to_set(const struct second *second)
{
	const struct vtd_walk *walk = second->walk;
	uint8_t wanted = second->use->wanted, rights = second->rights;
	bool writes = wanted & rights & IOMMU_WRITE;

	if (!second->stages->second_dirty)
		return 0;
	if (!is_leaf(second))
		return field_mask(SPEC_VTD_SS_A);
	if (second->use->for_table ? (wanted & ~rights) != 0
				   : walk->request->type != IOMMU_TRANSLATION_REQUEST &&
					     !vtd_rights_suffice(walk, wanted, rights))
		return 0;
	return field_mask(SPEC_VTD_SS_A) | (writes ? field_mask(SPEC_VTD_SS_D) : 0);
}

enum update { UPDATED, UPDATE_AGAIN, UPDATE_NOT_SNOOPED };

static enum update update(const struct second *second)
{
	const struct vtd_tables *tables = second->walk->tables;
	uint64_t old = second->step.words[0];
	uint64_t now = old | bits_to_set(second);

	if (now == old)
		return UPDATED;
	if (!second->stages->coherent)
		return UPDATE_NOT_SNOOPED;
	if (!tables->set_accessed ||
	    tables->memory->replace(tables->memory->context, second->step.address, old, now))
		return UPDATED;
	return UPDATE_AGAIN;
}

/* Reads one entry, checks it and sets its accessed and dirty bits. */
static enum spec_vtd_reason look(struct second *second)
{
	bool top = second->level == second->stages->second_levels;
	uint8_t above = second->rights;
	enum spec_vtd_reason reason;

	for (unsigned tries = 0; tries < PATIENCE; tries++) {
		second->rights = above;
		second->step.word_count = 0;
		if (!vtd_read_words(second->walk, second->step.address, 1, second->step.words))
			return refused(second,
				       top ? second->codes->top_access : second->codes->access);
		second->step.word_count = 1;
		reason = check(second);
		if (reason)
			return refused(second, reason);
		switch (update(second)) {
		case UPDATED:
			return SPEC_VTD_NO_FAULT;
		case UPDATE_NOT_SNOOPED:
			return refused(second, SPEC_VTD_SS_UPDATE_NOT_SNOOPED);
		case UPDATE_AGAIN:
			break;
		}
	}
	return refused(second, SPEC_VTD_SS_UPDATE_FAILED);
}

static const char *rights_text(uint8_t rights)
{
	static const char *const texts[] = { "no access", "read", "write", "read and write" };

	return texts[rights & (IOMMU_READ | IOMMU_WRITE)];
}

static void fill(const struct second *second, struct vtd_leaf *leaf)
{
	uint64_t entry = second->step.words[0];
	uint64_t offset = (UINT64_C(1) << shift_of(second->level)) - 1;
	bool snoop = field_is_set(second->walk->tables->ecap, SPEC_VTD_ECAP_SC);

	leaf->address =
		(entry & field_mask(SPEC_VTD_SS_ADDR) & ~offset) | (second->use->address & offset);
	leaf->rights = second->rights;
	leaf->page_shift = (uint8_t)shift_of(second->level);
	leaf->snoop = snoop && field_is_set(entry, SPEC_VTD_SS_SNP);
	leaf->transient = !has_io_rights(second) && field_is_set(entry, SPEC_VTD_SS_TM);
	if (vtd_is_traced(second->walk))
		vtd_tell(second->walk, &second->step, "page of %s at 0x%llx: %s%s",
			 second->level == 1   ? "4 KiB"
			 : second->level == 2 ? "2 MiB"
					      : "1 GiB",
			 (unsigned long long)(leaf->address & ~offset), rights_text(leaf->rights),
			 leaf->snoop ? ", snooped" : "");
}

enum spec_vtd_reason vtd_second_stage(struct vtd_walk *walk, const struct vtd_stages *stages,
				      const struct vtd_second_use *use, struct vtd_leaf *leaf)
{
	bool with_legacy = !stages->scalable || (walk->quirks & VTD_QUIRK_LEGACY_REASONS);
	struct second second = {
		.walk = walk,
		.stages = stages,
		.use = use,
		.codes = with_legacy ? &legacy : &scalable,
		.level = stages->second_levels,
		.rights = IOMMU_READ | IOMMU_WRITE,
	};
	unsigned width = vtd_second_width(walk, stages->second_levels);
	uint64_t table = stages->second_table;
	enum spec_vtd_reason reason;

	/* LGN.1.1, SGN.5 */
	if (!use->for_table)
		vtd_decided(walk, width);
	if (use->address >> width)
		return with_legacy ? SPEC_VTD_ADDRESS_BEYOND_WIDTH : SPEC_VTD_SM_BEYOND_WIDTH;
	for (;; second.level--) {
		second.step.table = names[second.level];
		second.step.shift = (uint8_t)shift_of(second.level);
		if (!use->for_table)
			vtd_decided(walk, second.step.shift);
		second.step.index = (use->address >> shift_of(second.level)) & 511;
		second.step.address = table + second.step.index * 8;
		reason = look(&second);
		if (reason)
			return reason;
		if (is_leaf(&second))
			break;
		table = second.step.words[0] & field_mask(SPEC_VTD_SS_ADDR);
		if (vtd_is_traced(walk))
			vtd_tell(walk, &second.step, "table at 0x%llx: %s",
				 (unsigned long long)table, rights_text(rights_of(&second)));
	}
	fill(&second, leaf);
	return SPEC_VTD_NO_FAULT;
}
