/* PASID directory and PASID table entries (sections 9.5, 9.6). */
#include "iommu/vtd_internal.h"

/* What is reported for 'reason', if not as the specification says. */
static enum spec_vtd_reason refused(const struct vtd_walk *walk, const struct iommu_step *step,
				    enum spec_vtd_reason reason)
{
	vtd_tell(walk, step, "%s", vtd_reason_text(reason));
	return walk->quirks & VTD_QUIRK_ONE_PASID_REASON ? SPEC_VTD_PASID_ACCESS : reason;
}

static enum spec_vtd_reason directory_entry(struct vtd_walk *walk, uint64_t directory,
					    uint32_t pasid, uint64_t *table)
{
	uint64_t reserved = field_mask(SPEC_VTD_PASIDDIR_0_RESERVED) | vtd_beyond_host(walk);
	struct iommu_step step = { .table = "PASID directory entry", .index = pasid >> 6 };
	uint64_t entry;

	step.address = directory + step.index * (uint64_t)SPEC_VTD_PASIDDIR_SIZE;
	if (!vtd_read_words(walk, step.address, 1, step.words))
		return refused(walk, &step, SPEC_VTD_PASIDDIR_ACCESS);
	step.word_count = 1;
	entry = step.words[0];
	walk->silent |= field_is_set(entry, SPEC_VTD_PASIDDIR_0_FPD);
	if (!field_is_set(entry, SPEC_VTD_PASIDDIR_0_P))
		return refused(walk, &step, SPEC_VTD_PASIDDIR_NOT_PRESENT);
	if ((entry & reserved) && !(walk->quirks & VTD_QUIRK_ONE_PASID_REASON))
		return refused(walk, &step, SPEC_VTD_PASIDDIR_RESERVED);
	*table = entry & field_mask(SPEC_VTD_PASIDDIR_0_SMPTBLPTR);
	vtd_tell(walk, &step, "PASID table at 0x%llx", (unsigned long long)*table);
	return SPEC_VTD_NO_FAULT;
}

/* A field that is reserved unless the unit has 'capability' (section 9.6). */
struct conditional {
	uint8_t word;
	uint8_t capability; /* bit of ECAP */
	int field;
};

#define ECAP_BIT(name) (SPEC_VTD_ECAP_##name & 0xff)

/* AW is not among them: Linux fills it in for first-stage entries, too, and units that have no second
 * stage must let it. */
static const struct conditional conditionals[] = {
	{ 0, ECAP_BIT(SSTS), SPEC_VTD_PASID_0_SSPTPTR },
	{ 0, ECAP_BIT(SSTS), SPEC_VTD_PASID_0_SSADE },
	{ 0, ECAP_BIT(SSADS), SPEC_VTD_PASID_0_SSADE },
	{ 1, ECAP_BIT(SMPWCS), SPEC_VTD_PASID_1_PWSNP },
	{ 1, ECAP_BIT(SC), SPEC_VTD_PASID_1_PGSNP },
	{ 1, ECAP_BIT(MTS), SPEC_VTD_PASID_1_CD },
	{ 1, ECAP_BIT(MTS), SPEC_VTD_PASID_1_EMTE },
	{ 1, ECAP_BIT(MTS), SPEC_VTD_PASID_1_PAT },
	{ 2, ECAP_BIT(SRS), SPEC_VTD_PASID_2_SRE },
	{ 2, ECAP_BIT(ERS), SPEC_VTD_PASID_2_ERE },
	{ 2, ECAP_BIT(FSTS), SPEC_VTD_PASID_2_FSPM },
	{ 2, ECAP_BIT(FSTS), SPEC_VTD_PASID_2_WPE },
	{ 2, ECAP_BIT(EAFS), SPEC_VTD_PASID_2_EAFE },
	{ 2, ECAP_BIT(FSTS), SPEC_VTD_PASID_2_FSPTPTR },
	{ 4, ECAP_BIT(HPTS), SPEC_VTD_PASID_4_HPTSZ },
	{ 4, ECAP_BIT(HPTS), SPEC_VTD_PASID_4_HPTPFD },
	{ 4, ECAP_BIT(HPTS), SPEC_VTD_PASID_4_HPTPTR },
	{ 5, ECAP_BIT(HPTS), SPEC_VTD_PASID_5_HPTDID },
};

static bool is_reserved(const struct vtd_walk *walk, const uint64_t *words)
{
	uint64_t beyond = vtd_beyond_host(walk);
	uint64_t reserved[SPEC_VTD_PASID_SIZE / 8] = {
		field_mask(SPEC_VTD_PASID_0_RESERVED) | field_mask(SPEC_VTD_PASID_0_RESERVED_HIGH) |
			beyond,
		field_mask(SPEC_VTD_PASID_1_RESERVED) | field_mask(SPEC_VTD_PASID_1_RESERVED_HIGH) |
			field_make(SPEC_VTD_PASID_1_DID, vtd_beyond_domains(walk)),
		field_mask(SPEC_VTD_PASID_2_RESERVED) | beyond,
		UINT64_MAX,
		field_mask(SPEC_VTD_PASID_4_RESERVED) | beyond,
		field_mask(SPEC_VTD_PASID_5_RESERVED) |
			field_make(SPEC_VTD_PASID_5_HPTDID, vtd_beyond_domains(walk)),
		UINT64_MAX,
		UINT64_MAX,
	};

	for (unsigned i = 0; i < array_len(conditionals); i++)
		if (!(walk->tables->ecap >> conditionals[i].capability & 1))
			reserved[conditionals[i].word] |= field_mask(conditionals[i].field);
	for (unsigned i = 0; i < array_len(reserved); i++)
		if (words[i] & reserved[i])
			return true;
	return false;
}

/* SPT.4.2 */
static bool type_is_supported(const struct vtd_walk *walk, uint64_t type)
{
	bool all = walk->quirks & VTD_QUIRK_PASID_SECOND_ONLY;
	uint64_t ecap = walk->tables->ecap;

	switch (type) {
	case SPEC_VTD_PGTT_FIRST:
		return all || field_is_set(ecap, SPEC_VTD_ECAP_FSTS);
	case SPEC_VTD_PGTT_SECOND:
		return all || field_is_set(ecap, SPEC_VTD_ECAP_SSTS);
	case SPEC_VTD_PGTT_NESTED:
		return all || field_is_set(ecap, SPEC_VTD_ECAP_NEST);
	case SPEC_VTD_PGTT_PASS_THROUGH:
		return field_is_set(ecap, SPEC_VTD_ECAP_PT);
	default:
		return false;
	}
}

/* SPT.4.3 */
static bool paging_mode_is_supported(const struct vtd_walk *walk, uint64_t mode)
{
	return mode == 0 || (mode == 1 && field_is_set(walk->tables->cap, SPEC_VTD_CAP_FS5LP));
}

/* Invalid programming: SPT.4. */
static bool is_invalid(const struct vtd_walk *walk, const uint64_t *words)
{
	uint64_t type = field_get(words[0], SPEC_VTD_PASID_0_PGTT);
	uint64_t aw = field_get(words[0], SPEC_VTD_PASID_0_AW);
	bool nested = type == SPEC_VTD_PGTT_NESTED;

	if (!type_is_supported(walk, type))
		return true;
	if (walk->quirks & VTD_QUIRK_PASID_SECOND_ONLY)
		return !vtd_width_is_supported(walk, aw);
	if ((nested || type == SPEC_VTD_PGTT_SECOND) && !vtd_width_is_supported(walk, aw))
		return true;
	if ((nested || type == SPEC_VTD_PGTT_FIRST) &&
	    !paging_mode_is_supported(walk, field_get(words[2], SPEC_VTD_PASID_2_FSPM)))
		return true;
	return nested && (words[2] & field_mask(SPEC_VTD_PASID_2_FSPTPTR)) >>
				 vtd_second_width(walk, (unsigned)aw + 2);
}

/* SPT.5, SPT.6 */
static enum spec_vtd_reason check_request(const struct vtd_walk *walk, const uint64_t *words)
{
	/* ERE is reserved, and here 0, in a unit without ERS. */
	if ((walk->access & IOMMU_EXECUTE) && !field_is_set(words[2], SPEC_VTD_PASID_2_ERE))
		return SPEC_VTD_PASID_EXECUTE;
	if (walk->privileged && !field_is_set(words[2], SPEC_VTD_PASID_2_SRE))
		return SPEC_VTD_PASID_SRE;
	return SPEC_VTD_NO_FAULT;
}

static enum spec_vtd_reason check(struct vtd_walk *walk, const uint64_t *words)
{
	walk->silent |= field_is_set(words[0], SPEC_VTD_PASID_0_FPD);
	if (!field_is_set(words[0], SPEC_VTD_PASID_0_P))
		return SPEC_VTD_PASID_NOT_PRESENT;
	if (!(walk->quirks & VTD_QUIRK_ONE_PASID_REASON) && is_reserved(walk, words))
		return SPEC_VTD_PASID_RESERVED;
	if (is_invalid(walk, words))
		return SPEC_VTD_PASID_INVALID;
	if (walk->request->type == IOMMU_TRANSLATED)
		return SPEC_VTD_NO_FAULT;
	return check_request(walk, words);
}

static void decode(const struct vtd_walk *walk, const uint64_t *words, struct vtd_stages *stages)
{
	uint64_t type = field_get(words[0], SPEC_VTD_PASID_0_PGTT);
	bool executes = field_is_set(walk->tables->ecap, SPEC_VTD_ECAP_ERS);

	if (type == SPEC_VTD_PGTT_PASS_THROUGH)
		stages->type = VTD_PASS_THROUGH;
	else if (type == SPEC_VTD_PGTT_SECOND || (walk->quirks & VTD_QUIRK_PASID_SECOND_ONLY))
		stages->type = VTD_SECOND_STAGE;
	else
		stages->type = type == SPEC_VTD_PGTT_FIRST ? VTD_FIRST_STAGE : VTD_NESTED;
	stages->second_table = words[0] & field_mask(SPEC_VTD_PASID_0_SSPTPTR);
	stages->second_levels = (unsigned)field_get(words[0], SPEC_VTD_PASID_0_AW) + 2;
	stages->second_dirty = field_is_set(words[0], SPEC_VTD_PASID_0_SSADE) &&
			       field_is_set(walk->tables->ecap, SPEC_VTD_ECAP_SSADS);
	stages->coherent = field_is_set(words[1], SPEC_VTD_PASID_1_PWSNP) &&
			   field_is_set(walk->tables->ecap, SPEC_VTD_ECAP_SMPWCS);
	stages->snoop = field_is_set(words[1], SPEC_VTD_PASID_1_PGSNP) &&
			field_is_set(walk->tables->ecap, SPEC_VTD_ECAP_SC);
	stages->first_table = words[2] & field_mask(SPEC_VTD_PASID_2_FSPTPTR);
	stages->first_levels = field_get(words[2], SPEC_VTD_PASID_2_FSPM) ? 5 : 4;
	stages->write_protect = field_is_set(words[2], SPEC_VTD_PASID_2_WPE);
	stages->permission_table = words[4] & field_mask(SPEC_VTD_PASID_4_HPTPTR);
	stages->permission_size = (unsigned)field_get(words[4], SPEC_VTD_PASID_4_HPTSZ);
	stages->extended_accessed = field_is_set(words[2], SPEC_VTD_PASID_2_EAFE);
	stages->no_execute = executes && field_is_set(words[2], SPEC_VTD_PASID_2_NXE);
	stages->supervisor_no_execute = executes && field_is_set(words[2], SPEC_VTD_PASID_2_SMEP);
}

static void tell(const struct vtd_walk *walk, const struct iommu_step *step,
		 const struct vtd_stages *stages)
{
	unsigned long long first = stages->first_table, second = stages->second_table;

	switch (stages->type) {
	case VTD_PASS_THROUGH:
		vtd_tell(walk, step, "domain %u: pass-through", stages->domain);
		break;
	case VTD_FIRST_STAGE:
		vtd_tell(walk, step, "domain %u: first stage of %u levels at 0x%llx",
			 stages->domain, stages->first_levels, first);
		break;
	case VTD_SECOND_STAGE:
		vtd_tell(walk, step, "domain %u: second stage of %u levels at 0x%llx",
			 stages->domain, stages->second_levels, second);
		break;
	case VTD_NESTED:
		vtd_tell(walk, step,
			 "domain %u: nested: first stage of %u levels at guest physical 0x%llx, "
			 "second "
			 "stage of %u levels at 0x%llx",
			 stages->domain, stages->first_levels, first, stages->second_levels,
			 second);
		break;
	}
}

enum spec_vtd_reason vtd_pasid_entry(struct vtd_walk *walk, uint64_t directory, uint32_t pasid,
				     struct vtd_stages *stages)
{
	struct iommu_step step = { .table = "PASID table entry", .index = pasid & 63 };
	enum spec_vtd_reason reason = directory_entry(walk, directory, pasid, &step.address);

	if (reason)
		return reason;
	step.address += step.index * (uint64_t)SPEC_VTD_PASID_SIZE;
	if (!vtd_read_words(walk, step.address, 8, step.words))
		return refused(walk, &step, SPEC_VTD_PASID_ACCESS);
	step.word_count = 8;
	stages->domain = (uint16_t)field_get(step.words[1], SPEC_VTD_PASID_1_DID);
	stages->pasid = pasid;
	reason = check(walk, step.words);
	if (reason)
		return refused(walk, &step, reason);
	decode(walk, step.words, stages);
	tell(walk, &step, stages);
	return SPEC_VTD_NO_FAULT;
}
