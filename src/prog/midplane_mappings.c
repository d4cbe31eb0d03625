/* prog/midplane_mappings.c -- lists a space by asking for one address after the other: what an
 * entry maps or refuses is answered as a whole. */
#include "prog/midplane_spaces.h"

#include "spec/vtd.h"

enum { TABLE_SHIFT = 21 }; /* what a table of the lowest level covers: there its way is looked at */

struct walker {
	const struct unit *unit;
	const struct space *space;
	struct listing *listing;
	struct seen seen;
	struct mapping open; /* not told yet: the next page may go on where it ends */
	bool is_open;
	unsigned page_shift; /* of the page that it ends with */
};

static void close_mapping(struct walker *walker)
{
	if (walker->is_open)
		walker->listing->mapping(walker->listing->context, walker->space, &walker->open);
	walker->is_open = false;
}

/* Adds what an entry maps: a page, or a part of one that may have been added already. */
static void add_entry(struct walker *walker, uint64_t iova, const struct iommu_answer *answer)
{
	struct mapping *open = &walker->open;
	const unsigned shift = unit_entry_shift(walker->unit, answer->page_shift);
	const uint64_t last = iova | ((UINT64_C(1) << shift) - 1);
	const bool begins = iova % (UINT64_C(1) << answer->page_shift) == 0 ||
			    answer->page_shift != walker->page_shift;
	const bool goes_on = walker->is_open && open->last + 1 == iova &&
			     open->target + (iova - open->iova) == answer->address &&
			     open->rights == answer->rights && open->snoop == answer->snoop;

	if (!goes_on) {
		close_mapping(walker);
		*open = (struct mapping){ .iova = iova,
					  .target = answer->address,
					  .rights = answer->rights,
					  .snoop = answer->snoop,
					  .smallest = answer->page_shift,
					  .largest = answer->page_shift };
		walker->is_open = true;
	}
	open->last = last;
	open->pages += begins || !goes_on;
	walker->page_shift = answer->page_shift;
	if (answer->page_shift < open->smallest)
		open->smallest = answer->page_shift;
	if (answer->page_shift > open->largest)
		open->largest = answer->page_shift;
}

static void tell_fault(struct walker *walker, uint64_t iova, unsigned reason, unsigned shift)
{
	const struct fault fault = { walker->space, walker->space->source, walker->space->pasid,
				     iova,	    UINT64_C(1) << shift,  reason,
				     &walker->seen };

	walker->listing->fault(walker->listing->context, &fault);
}

static void tell_tables(struct walker *walker)
{
	for (unsigned i = 0; walker->listing->table && i < walker->seen.table_count; i++)
		walker->listing->table(walker->listing->context, walker->seen.tables[i]);
}

/* Asks for one address; how much the answer is for, as a shift. */
static unsigned look(struct walker *walker, uint64_t iova)
{
	const struct iommu_request request = { .source = walker->space->source,
					       .pasid = walker->space->pasid,
					       .address = iova };
	struct iommu_answer answer;
	bool traced = iova % (UINT64_C(1) << TABLE_SHIFT) == 0;

	walker->seen.loop_shift = 0;
	if (traced)
		seen_walk(walker->unit, &request, &walker->seen, &answer);
	else
		unit_walk(walker->unit, &request, NULL, &answer);
	if (traced)
		tell_tables(walker);
	if (walker->seen.loop_shift) {
		tell_fault(walker, iova, FAULT_LOOP, walker->seen.loop_shift);
		return walker->seen.loop_shift;
	}
	if (answer.outcome == IOMMU_OK) {
		add_entry(walker, iova, &answer);
		return unit_entry_shift(walker->unit, answer.page_shift);
	}
	if (!unit_reason_is_nothing(walker->unit, answer.reason)) {
		if (!traced)
			seen_walk(walker->unit, &request, &walker->seen, &answer);
		tell_fault(walker, iova, answer.reason, answer.page_shift);
	}
	return answer.page_shift;
}

/* The address behind 2^shift bytes around 'iova'; 0: there is none.  First-stage tables of fewer
 * than 64 bits have addresses at both ends and none in the middle. */
static uint64_t behind(const struct space *space, uint64_t iova, unsigned shift)
{
	const unsigned width =
		SPEC_VTD_PAGE_SHIFT +
		(space->first ? space->first_levels : space->second_levels) * SPEC_VTD_LEVEL_BITS;

	if (shift >= 64)
		return 0;
	iova = (iova | ((UINT64_C(1) << shift) - 1)) + 1;
	if (space->first && iova == UINT64_C(1) << (width - 1))
		return UINT64_MAX << (width - 1);
	return !space->first && width < 64 && iova >> width ? 0 : iova;
}

bool space_list(const struct unit *unit, const struct space *space, struct listing *listing)
{
	struct walker walker = { .unit = unit, .space = space, .listing = listing };
	uint64_t iova = 0;

	if (!space->known || (!space->first && !space->second))
		return true;
	do {
		if (listing->walks_left == 0) {
			close_mapping(&walker);
			return false;
		}
		listing->walks_left--;
		iova = behind(space, iova, look(&walker, iova));
	} while (iova != 0);
	close_mapping(&walker);
	return true;
}
