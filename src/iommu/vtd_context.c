/* Root and context entries (sections 9.1 to 9.4). */
#include "iommu/vtd_internal.h"

static uint8_t bus_of(const struct vtd_walk *walk)
{
	return (uint8_t)(walk->request->source >> 8);
}

static uint8_t devfn_of(const struct vtd_walk *walk)
{
	return (uint8_t)walk->request->source;
}

/* Tells of an entry; 'reason' is what is wrong with it. */
static enum spec_vtd_reason refused(const struct vtd_walk *walk, const struct iommu_step *step,
				    enum spec_vtd_reason reason)
{
	vtd_tell(walk, step, "%s", vtd_reason_text(reason));
	return reason;
}

static uint64_t root_table(const struct vtd_walk *walk)
{
	/* Section 11.4.5: bits above the host address width need not exist. */
	return walk->tables->rtaddr & field_mask(SPEC_VTD_RTADDR_RTA) & ~vtd_beyond_host(walk);
}

static enum spec_vtd_reason legacy_root(const struct vtd_walk *walk, uint64_t *table)
{
	struct iommu_step step = {
		.table = "root entry",
		.address = root_table(walk) + bus_of(walk) * (uint64_t)SPEC_VTD_ROOT_SIZE,
		.index = bus_of(walk),
	};

	if (!vtd_read_words(walk, step.address, 2, step.words))
		return refused(walk, &step, SPEC_VTD_ROOT_ACCESS);
	step.word_count = 2;
	if (!field_is_set(step.words[0], SPEC_VTD_ROOT_0_P))
		return refused(walk, &step, SPEC_VTD_ROOT_NOT_PRESENT);
	if ((step.words[0] & (field_mask(SPEC_VTD_ROOT_0_RESERVED) | vtd_beyond_host(walk))) ||
	    step.words[1])
		return refused(walk, &step, SPEC_VTD_ROOT_RESERVED);
	*table = step.words[0] & field_mask(SPEC_VTD_ROOT_0_CTP);
	vtd_tell(walk, &step, "bus %02xh: context table at 0x%llx", bus_of(walk),
		 (unsigned long long)*table);
	return SPEC_VTD_NO_FAULT;
}

/* Whether the unit has page tables with this value of an AW field (SAGAW, section 11.4.2). */
bool vtd_width_is_supported(const struct vtd_walk *walk, uint64_t aw)
{
	uint64_t sagaw = field_get(walk->tables->cap, SPEC_VTD_CAP_SAGAW);

	return aw >= 1 && aw <= 3 && (sagaw >> aw & 1);
}

static bool legacy_context_reserved(const struct vtd_walk *walk, const uint64_t *words)
{
	uint64_t low = field_mask(SPEC_VTD_CONTEXT_0_RESERVED);
	uint64_t high = field_mask(SPEC_VTD_CONTEXT_1_RESERVED) |
			field_mask(SPEC_VTD_CONTEXT_1_RESERVED_HIGH) |
			(field_make(SPEC_VTD_CONTEXT_1_DID, vtd_beyond_domains(walk)));

	if (field_get(words[0], SPEC_VTD_CONTEXT_0_TT) != SPEC_VTD_TT_PASS_THROUGH ||
	    (walk->quirks & VTD_QUIRK_POINTER_ALWAYS_CHECKED))
		low |= vtd_beyond_host(walk);
	return (words[0] & low) || (words[1] & high);
}

static bool type_is_supported(const struct vtd_walk *walk, uint64_t type)
{
	switch (type) {
	case SPEC_VTD_TT_UNTRANSLATED:
		return true;
	case SPEC_VTD_TT_ALL:
		return field_is_set(walk->tables->ecap, SPEC_VTD_ECAP_DT);
	case SPEC_VTD_TT_PASS_THROUGH:
		return field_is_set(walk->tables->ecap, SPEC_VTD_ECAP_PT);
	default:
		return false;
	}
}

static enum spec_vtd_reason check_legacy_context(struct vtd_walk *walk, const uint64_t *words)
{
	uint64_t type = field_get(words[0], SPEC_VTD_CONTEXT_0_TT);

	/* Counts even in an entry that is not present. */
	walk->silent |= field_is_set(words[0], SPEC_VTD_CONTEXT_0_FPD);
	if (!field_is_set(words[0], SPEC_VTD_CONTEXT_0_P))
		return SPEC_VTD_CONTEXT_NOT_PRESENT;
	if (legacy_context_reserved(walk, words))
		return SPEC_VTD_CONTEXT_RESERVED;
	if (!vtd_width_is_supported(walk, field_get(words[1], SPEC_VTD_CONTEXT_1_AW)))
		return SPEC_VTD_CONTEXT_INVALID;
	if (!type_is_supported(walk, type))
		return SPEC_VTD_CONTEXT_INVALID;
	if (walk->request->type != IOMMU_UNTRANSLATED && type != SPEC_VTD_TT_ALL)
		return SPEC_VTD_CONTEXT_BLOCKED;
	return SPEC_VTD_NO_FAULT;
}

enum spec_vtd_reason vtd_legacy_context(struct vtd_walk *walk, struct vtd_stages *stages)
{
	struct iommu_step step = { .table = "context entry", .index = devfn_of(walk) };
	enum spec_vtd_reason reason = legacy_root(walk, &step.address);

	if (reason)
		return reason;
	step.address += step.index * (uint64_t)SPEC_VTD_CONTEXT_SIZE;
	if (!vtd_read_words(walk, step.address, 2, step.words))
		return refused(walk, &step, SPEC_VTD_CONTEXT_ACCESS);
	step.word_count = 2;
	stages->domain = (uint16_t)field_get(step.words[1], SPEC_VTD_CONTEXT_1_DID);
	reason = check_legacy_context(walk, step.words);
	if (reason)
		return refused(walk, &step, reason);
	if (field_get(step.words[0], SPEC_VTD_CONTEXT_0_TT) == SPEC_VTD_TT_PASS_THROUGH) {
		stages->type = VTD_PASS_THROUGH;
		vtd_tell(walk, &step, "domain %u: pass-through", stages->domain);
		return SPEC_VTD_NO_FAULT;
	}
	stages->type = VTD_SECOND_STAGE;
	stages->second_table = step.words[0] & field_mask(SPEC_VTD_CONTEXT_0_SSPTPTR);
	stages->second_levels = (unsigned)field_get(step.words[1], SPEC_VTD_CONTEXT_1_AW) + 2;
	vtd_tell(walk, &step, "domain %u: second stage of %u levels at 0x%llx", stages->domain,
		 stages->second_levels, (unsigned long long)stages->second_table);
	return SPEC_VTD_NO_FAULT;
}

/* What scalable mode reports for 'reason', if not as the specification says. */
static enum spec_vtd_reason scalable(const struct vtd_walk *walk, enum spec_vtd_reason reason)
{
	static const struct {
		enum spec_vtd_reason specified, legacy;
	} pairs[] = {
		{ SPEC_VTD_SMROOT_ACCESS, SPEC_VTD_ROOT_ACCESS },
		{ SPEC_VTD_SMROOT_NOT_PRESENT, SPEC_VTD_ROOT_NOT_PRESENT },
		{ SPEC_VTD_SMROOT_RESERVED, SPEC_VTD_ROOT_RESERVED },
		{ SPEC_VTD_SMCONTEXT_ACCESS, SPEC_VTD_CONTEXT_ACCESS },
		{ SPEC_VTD_SMCONTEXT_NOT_PRESENT, SPEC_VTD_CONTEXT_NOT_PRESENT },
		{ SPEC_VTD_SMCONTEXT_RESERVED, SPEC_VTD_CONTEXT_RESERVED },
	};

	for (unsigned i = 0; i < array_len(pairs); i++)
		if ((walk->quirks & VTD_QUIRK_LEGACY_REASONS) && pairs[i].specified == reason)
			return pairs[i].legacy;
	return reason;
}

static bool scalable_root_reserved(const struct vtd_walk *walk, const uint64_t *words)
{
	uint64_t reserved = field_mask(SPEC_VTD_ROOT_0_RESERVED) | vtd_beyond_host(walk);

	for (unsigned half = 0; half < 2; half++)
		if ((words[half] & reserved) && (field_is_set(words[half], SPEC_VTD_ROOT_0_P) ||
						 (walk->quirks & VTD_QUIRK_ROOT_HALVES)))
			return true;
	return false;
}

static enum spec_vtd_reason scalable_root(const struct vtd_walk *walk, uint64_t *table)
{
	struct iommu_step step = {
		.table = "scalable-mode root entry",
		.address = root_table(walk) + bus_of(walk) * (uint64_t)SPEC_VTD_ROOT_SIZE,
		.index = bus_of(walk),
	};
	unsigned half = devfn_of(walk) >> 7;

	if (!vtd_read_words(walk, step.address, 2, step.words))
		return refused(walk, &step, scalable(walk, SPEC_VTD_SMROOT_ACCESS));
	step.word_count = 2;
	if (!field_is_set(step.words[half], SPEC_VTD_ROOT_0_P))
		return refused(walk, &step, scalable(walk, SPEC_VTD_SMROOT_NOT_PRESENT));
	if (scalable_root_reserved(walk, step.words))
		return refused(walk, &step, scalable(walk, SPEC_VTD_SMROOT_RESERVED));
	*table = step.words[half] & field_mask(SPEC_VTD_ROOT_0_CTP);
	vtd_tell(walk, &step, "bus %02xh: %s context table at 0x%llx", bus_of(walk),
		 half ? "upper" : "lower", (unsigned long long)*table);
	return SPEC_VTD_NO_FAULT;
}

static uint64_t unless(uint64_t ecap, int capability, int field)
{
	return field_is_set(ecap, capability) ? 0 : field_mask(field);
}

static bool scalable_context_reserved(const struct vtd_walk *walk, const uint64_t *words)
{
	uint64_t low = field_mask(SPEC_VTD_SMCONTEXT_0_RESERVED) | vtd_beyond_host(walk);
	uint64_t high = field_mask(SPEC_VTD_SMCONTEXT_1_RESERVED);
	uint64_t ecap = walk->tables->ecap;

	low |= unless(ecap, SPEC_VTD_ECAP_HPTS, SPEC_VTD_SMCONTEXT_0_HPTE);
	low |= unless(ecap, SPEC_VTD_ECAP_PTRS, SPEC_VTD_SMCONTEXT_0_EPTR);
	if (!(walk->quirks & VTD_QUIRK_CONTEXT_BITS_IGNORED)) {
		low |= unless(ecap, SPEC_VTD_ECAP_DT, SPEC_VTD_SMCONTEXT_0_DTE);
		low |= unless(ecap, SPEC_VTD_ECAP_PASID, SPEC_VTD_SMCONTEXT_0_PASIDE);
		low |= unless(ecap, SPEC_VTD_ECAP_PRS, SPEC_VTD_SMCONTEXT_0_PRE);
		high |= unless(ecap, SPEC_VTD_ECAP_RPS, SPEC_VTD_SMCONTEXT_1_RID_PASID);
		high |= unless(ecap, SPEC_VTD_ECAP_RPRIVS, SPEC_VTD_SMCONTEXT_1_RID_PRIV);
	}
	return (words[0] & low) || (words[1] & high) || words[2] || words[3];
}

/* PASID[19:6] selects a directory entry, of which there are 2^(PDTS+7). */
static unsigned pasid_bits(uint64_t low_word)
{
	return (unsigned)field_get(low_word, SPEC_VTD_SMCONTEXT_0_PDTS) + 7 + 6;
}

/* The PASID that stands for a request without one. */
static uint32_t rid_pasid(const struct vtd_walk *walk, const uint64_t *words)
{
	if (!field_is_set(walk->tables->ecap, SPEC_VTD_ECAP_RPS) &&
	    !(walk->quirks & VTD_QUIRK_RID_PASID_ALWAYS))
		return 0;
	return (uint32_t)field_get(words[1], SPEC_VTD_SMCONTEXT_1_RID_PASID);
}

/* Invalid programming: SCT.4. */
static bool scalable_context_invalid(const struct vtd_walk *walk, const uint64_t *words)
{
	if (walk->quirks & VTD_QUIRK_CONTEXT_BITS_IGNORED)
		return false;
	return (field_is_set(words[0], SPEC_VTD_SMCONTEXT_0_PRE) &&
		!field_is_set(words[0], SPEC_VTD_SMCONTEXT_0_DTE)) ||
	       rid_pasid(walk, words) >> pasid_bits(words[0]) ||
	       (field_is_set(words[0], SPEC_VTD_SMCONTEXT_0_EPTR) &&
		!field_is_set(words[0], SPEC_VTD_SMCONTEXT_0_PASIDE));
}

/* What is asked of the entry by a request with PASID: SCT.6, SCT.7, SCT.9, SCT.10, SGN.10. */
static enum spec_vtd_reason check_pasid(const struct vtd_walk *walk, const uint64_t *words)
{
	uint32_t pasid = walk->request->pasid;

	if (pasid == IOMMU_NO_PASID)
		return SPEC_VTD_NO_FAULT;
	if (walk->request->type == IOMMU_TRANSLATED) {
		if (!field_is_set(words[0], SPEC_VTD_SMCONTEXT_0_EPTR))
			return SPEC_VTD_SMCONTEXT_EPTR;
	} else if (!field_is_set(words[0], SPEC_VTD_SMCONTEXT_0_PASIDE)) {
		return SPEC_VTD_SMCONTEXT_PASIDE;
	}
	if ((uint64_t)pasid >> (field_get(walk->tables->ecap, SPEC_VTD_ECAP_PSS) + 1))
		return SPEC_VTD_SM_PASID_SIZE;
	if (pasid >> pasid_bits(words[0]))
		return SPEC_VTD_SMCONTEXT_PDTS;
	if (pasid == rid_pasid(walk, words))
		return SPEC_VTD_SMCONTEXT_RID_PASID;
	return SPEC_VTD_NO_FAULT;
}

static enum spec_vtd_reason check_scalable_context(struct vtd_walk *walk, const uint64_t *words)
{
	walk->silent |= field_is_set(words[0], SPEC_VTD_SMCONTEXT_0_FPD);
	if (!field_is_set(words[0], SPEC_VTD_SMCONTEXT_0_P))
		return scalable(walk, SPEC_VTD_SMCONTEXT_NOT_PRESENT);
	if (scalable_context_reserved(walk, words))
		return scalable(walk, SPEC_VTD_SMCONTEXT_RESERVED);
	if (scalable_context_invalid(walk, words))
		return SPEC_VTD_SMCONTEXT_INVALID;
	if (walk->request->type != IOMMU_UNTRANSLATED &&
	    !field_is_set(words[0], SPEC_VTD_SMCONTEXT_0_DTE))
		return SPEC_VTD_SMCONTEXT_DTE;
	return check_pasid(walk, words);
}

static void requests_without_pasid(struct vtd_walk *walk, const uint64_t *words, uint32_t *pasid)
{
	*pasid = rid_pasid(walk, words);
	walk->privileged = field_is_set(walk->tables->ecap, SPEC_VTD_ECAP_RPRIVS) &&
			   field_is_set(words[1], SPEC_VTD_SMCONTEXT_1_RID_PRIV);
	walk->access &= (uint8_t)~IOMMU_EXECUTE;
}

enum spec_vtd_reason vtd_scalable_context(struct vtd_walk *walk, struct vtd_stages *stages)
{
	struct iommu_step step = {
		.table = "scalable-mode context entry",
		.index = devfn_of(walk) & 0x7f,
	};
	enum spec_vtd_reason reason = scalable_root(walk, &step.address);
	uint32_t pasid = walk->request->pasid;
	uint64_t directory;

	if (reason)
		return reason;
	step.address += step.index * (uint64_t)SPEC_VTD_SMCONTEXT_SIZE;
	if (!vtd_read_words(walk, step.address, 4, step.words))
		return refused(walk, &step, scalable(walk, SPEC_VTD_SMCONTEXT_ACCESS));
	step.word_count = 4;
	reason = check_scalable_context(walk, step.words);
	if (reason)
		return refused(walk, &step, reason);
	directory = step.words[0] & field_mask(SPEC_VTD_SMCONTEXT_0_PASIDDIRPTR);
	if (pasid == IOMMU_NO_PASID)
		requests_without_pasid(walk, step.words, &pasid);
	vtd_tell(walk, &step, "PASID directory of %u entries at 0x%llx; the request's PASID is %u",
		 1u << (pasid_bits(step.words[0]) - 6), (unsigned long long)directory, pasid);
	stages->permitted_only = field_is_set(step.words[0], SPEC_VTD_SMCONTEXT_0_HPTE);
	if (walk->request->type == IOMMU_TRANSLATED && !stages->permitted_only)
		return SPEC_VTD_NO_FAULT;
	return vtd_pasid_entry(walk, directory, pasid, stages);
}
