/* prog/midplane_spaces_amd.c -- AMD: the device table has an entry for each function.  Entries that
 * are not valid let everything pass, and entries that let nothing pass are what Linux writes for
 * functions that it does not know: neither is a space. */
#include "prog/midplane_search.h"

#include "spec/amdvi.h"

enum { ENTRIES_A_PAGE = 4096 / SPEC_AMDVI_DTE_SIZE };

/* Whether the walk came to an entry that says where DMA leads, or that is wrong. */
static bool has_space(const struct search *search)
{
	const uint64_t *words = search->seen.head[0].step.words;
	const uint64_t rights = field_mask(SPEC_AMDVI_DTE_0_IR) | field_mask(SPEC_AMDVI_DTE_0_IW);

	return field_is_set(words[0], SPEC_AMDVI_DTE_0_V) &&
	       field_is_set(words[0], SPEC_AMDVI_DTE_0_TV) &&
	       (field_get(words[0], SPEC_AMDVI_DTE_0_MODE) || (words[0] & rights));
}

static void add(struct search *search)
{
	const uint64_t *words = search->seen.head[0].step.words;
	const bool wrong = search_refused(search) && search->seen.count == 1 &&
			   !unit_reason_is_nothing(search->unit, search->answer.reason);
	struct space *space;

	if (wrong)
		search_tell(search);
	space = search_add(search);
	if (!space)
		return;
	space->known = !wrong;
	space->reason = search->answer.reason;
	space->domain = (uint16_t)field_get(words[1], SPEC_AMDVI_DTE_1_DOMAIN);
	space->silent = field_is_set(words[1], SPEC_AMDVI_DTE_1_SA);
	space->second_levels = (unsigned)field_get(words[0], SPEC_AMDVI_DTE_0_MODE);
	space->kind = space->second_levels ? "page tables" : "pass-through";
	if (space->second_levels)
		space->second = words[0] & field_mask(SPEC_AMDVI_DTE_0_ROOT);
}

void search_amd(struct search *search)
{
	for (unsigned source = 0; source < 1 << 16 && !search->spaces->cut; source++) {
		search_ask(search, (uint16_t)source, IOMMU_NO_PASID);
		if (search->seen.count == 1 && search->seen.last.step.word_count == 0) {
			/* Beyond the table, or the table is not in memory: so for all of the page.
			 */
			if (!unit_reason_is_nothing(search->unit, search->answer.reason))
				search_tell(search);
			source |= ENTRIES_A_PAGE - 1;
		} else if (search->seen.count && has_space(search)) {
			add(search);
		}
	}
}
