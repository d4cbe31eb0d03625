/* prog/midplane_spaces_vtd.c -- VT-d: root entry, context entry, and in scalable mode PASID
 * directory and table.
 *
 * A walk that ends before the page tables ended at the last entry that it told. */
#include "prog/midplane_search.h"

#include "spec/vtd.h"

enum {
	PASIDS_A_TABLE = 64,
	HEAD_LEGACY = 2,   /* steps before page tables: root and context entry */
	HEAD_SCALABLE = 4, /* and PASID directory and PASID entry */
};

static unsigned head_of(const struct search *search)
{
	return field_get(search->unit->vtd.rtaddr, SPEC_VTD_RTADDR_TTM) == SPEC_VTD_TTM_SCALABLE
		       ? HEAD_SCALABLE
		       : HEAD_LEGACY;
}

/* Whether the last entry that was read has its present bit, which is bit 0 in all that lead to page
 * tables; a scalable-mode root entry has one for each half of its bus. */
static bool is_present(const struct search *search)
{
	const struct iommu_step *step = &search->seen.last.step;
	const bool upper = head_of(search) == HEAD_SCALABLE && search->seen.count == 1 &&
			   (search->request.source & 0x80);

	return step->word_count == 0 || (step->words[upper] & 1);
}

static void describe_legacy(const struct seen *seen, struct space *space)
{
	const uint64_t *context = seen->head[1].step.words;
	bool pass = field_get(context[0], SPEC_VTD_CONTEXT_0_TT) == SPEC_VTD_TT_PASS_THROUGH;

	space->kind = pass ? "pass-through" : "second stage";
	space->domain = (uint16_t)field_get(context[1], SPEC_VTD_CONTEXT_1_DID);
	space->silent = field_is_set(context[0], SPEC_VTD_CONTEXT_0_FPD);
	if (pass)
		return;
	space->second = context[0] & field_mask(SPEC_VTD_CONTEXT_0_SSPTPTR);
	space->second_levels = (unsigned)field_get(context[1], SPEC_VTD_CONTEXT_1_AW) + 2;
}

static void describe_scalable(const struct seen *seen, struct space *space)
{
	static const char *const kinds[] = { "none",   "first stage",  "second stage",
					     "nested", "pass-through", "none",
					     "none",   "none" };
	const uint64_t *pasid = seen->head[3].step.words;
	uint64_t pgtt = field_get(pasid[0], SPEC_VTD_PASID_0_PGTT);

	space->kind = kinds[pgtt];
	space->domain = (uint16_t)field_get(pasid[1], SPEC_VTD_PASID_1_DID);
	space->silent = field_is_set(pasid[0], SPEC_VTD_PASID_0_FPD);
	if (pgtt == SPEC_VTD_PGTT_SECOND || pgtt == SPEC_VTD_PGTT_NESTED) {
		space->second = pasid[0] & field_mask(SPEC_VTD_PASID_0_SSPTPTR);
		space->second_levels = (unsigned)field_get(pasid[0], SPEC_VTD_PASID_0_AW) + 2;
	}
	if (pgtt == SPEC_VTD_PGTT_FIRST || pgtt == SPEC_VTD_PGTT_NESTED) {
		space->first = pasid[2] & field_mask(SPEC_VTD_PASID_2_FSPTPTR);
		space->first_levels = (unsigned)field_get(pasid[2], SPEC_VTD_PASID_2_FSPM) + 4;
	}
}

/* Notes the space that the walk came to, unless its entry is not there.  A walk that was refused
 * before it came to page tables tells that the entry cannot be used. */
static void add(struct search *search)
{
	const unsigned count = search->seen.count, head = head_of(search);
	struct space *space;

	if (count < head || (count == head && search_refused(search))) {
		if (is_present(search))
			search_tell(search);
		if (count < head || !is_present(search))
			return;
	}
	space = search_add(search);
	if (!space)
		return;
	space->known = count > head || !search_refused(search);
	space->reason = search->answer.reason;
	if (head == HEAD_LEGACY)
		describe_legacy(&search->seen, space);
	else
		describe_scalable(&search->seen, space);
}

/* The PASID that requests without one have (section 9.4; ECAP.RPS, which QEMU does not ask). */
static uint32_t pasid_without(const struct search *search, const uint64_t *context)
{
	const struct vtd_tables *tables = &search->unit->vtd;

	if (!field_is_set(tables->ecap, SPEC_VTD_ECAP_RPS) && tables->quirks != VTD_QUIRKS_QEMU72)
		return 0;
	return (uint32_t)field_get(context[1], SPEC_VTD_SMCONTEXT_1_RID_PASID);
}

/* The PASIDs of a function other than the one that its requests without PASID have. */
static void find_pasids(struct search *search)
{
	const uint64_t *context = search->seen.head[1].step.words;
	const uint16_t source = search->request.source;
	const uint64_t directory = UINT64_C(128)
				   << field_get(context[0], SPEC_VTD_SMCONTEXT_0_PDTS);
	const uint64_t count = min_u64(directory * PASIDS_A_TABLE, 1u << SPEC_VTD_PASID_BITS);
	const uint32_t own = pasid_without(search, context);

	if (!field_is_set(context[0], SPEC_VTD_SMCONTEXT_0_PASIDE))
		return;
	for (uint32_t pasid = 0; pasid < count && !search->spaces->cut; pasid++) {
		search_ask(search, source, pasid);
		if (search->seen.count == 3) { /* at the directory: so for the whole table */
			if (is_present(search))
				search_tell(search);
			pasid |= PASIDS_A_TABLE - 1;
		} else if (pasid != own) {
			add(search);
		}
	}
}

/* The functions of a bus, or of half a bus: those that one root entry, or half of one, leads to. */
static void find_functions(struct search *search, unsigned first, unsigned count)
{
	for (unsigned i = 0; i < count && !search->spaces->cut; i++) {
		search_ask(search, (uint16_t)(first + i), IOMMU_NO_PASID);
		if (search->seen.count < 2) { /* so for all of them */
			if (search->seen.count && is_present(search))
				search_tell(search);
			return;
		}
		add(search);
		if (head_of(search) == HEAD_SCALABLE && search->seen.count >= 2 &&
		    (search->seen.head[1].step.words[0] & 1))
			find_pasids(search);
	}
}

void search_vtd(struct search *search)
{
	const unsigned part = head_of(search) == HEAD_SCALABLE ? 128 : 256;

	for (unsigned first = 0; first < 1 << 16 && !search->spaces->cut; first += part)
		find_functions(search, first, part);
}
