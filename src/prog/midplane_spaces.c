#include "prog/midplane_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPACES_MAX = 1 << 20, PAGE_SIZE = 4096 };

/* A table that is on the way twice leads into itself: what lies behind the way back is not
 * followed. */
static void note_table(struct seen *seen, const struct iommu_step *step)
{
	uint64_t page = step->address & ~(uint64_t)(PAGE_SIZE - 1);

	if (step->shift >= seen->last.step.shift)
		seen->table_first = seen->table_count;
	for (unsigned i = seen->table_first; i < seen->table_count; i++)
		if (seen->tables[i] == page)
			seen->loop_shift = seen->last.step.shift;
	if (seen->table_count < array_len(seen->tables))
		seen->tables[seen->table_count++] = page;
}

static void keep(struct seen_step *kept, const struct iommu_step *step)
{
	kept->step = *step;
	snprintf(kept->meaning, sizeof kept->meaning, "%s", step->meaning);
	kept->step.meaning = kept->meaning;
}

static void on_step(void *context, const struct iommu_step *step)
{
	struct seen *seen = context;

	if (seen->loop_shift)
		return;
	if (step->shift)
		note_table(seen, step);
	else if (seen->head_count < array_len(seen->head))
		keep(&seen->head[seen->head_count++], step);
	seen->count++;
	if (!seen->loop_shift)
		keep(&seen->last, step);
}

void seen_walk(const struct unit *unit, const struct iommu_request *request, struct seen *seen,
	       struct iommu_answer *answer)
{
	seen->count = seen->head_count = seen->loop_shift = 0;
	seen->table_count = seen->table_first = 0;
	unit_walk(unit, request, &(struct iommu_trace){ on_step, seen }, answer);
}

void search_ask(struct search *search, uint16_t source, uint32_t pasid)
{
	search->request = (struct iommu_request){ .source = source, .pasid = pasid };
	seen_walk(search->unit, &search->request, &search->seen, &search->answer);
	if (--search->walks_left == 0)
		search->spaces->cut = true;
}

bool search_refused(const struct search *search)
{
	return search->answer.outcome != IOMMU_OK;
}

void search_tell(struct search *search)
{
	const struct fault fault = { .source = search->request.source,
				     .pasid = search->request.pasid,
				     .reason = search->answer.reason,
				     .seen = &search->seen };

	search->fault(search->context, &fault);
}

struct space *search_add(struct search *search)
{
	struct spaces *spaces = search->spaces;
	struct space *space;

	if (spaces->count == SPACES_MAX) {
		spaces->cut = true;
		return NULL;
	}
	if (spaces->count == spaces->room) {
		spaces->room = spaces->room ? spaces->room * 2 : 64;
		spaces->list = realloc(spaces->list, spaces->room * sizeof *spaces->list);
		must(spaces->list != NULL);
	}
	space = &spaces->list[spaces->count++];
	memset(space, 0, sizeof *space);
	space->source = search->request.source;
	space->pasid = search->request.pasid;
	return space;
}

static int compare(const void *a, const void *b)
{
	const struct space *x = a, *y = b;
	const uint64_t left[] = { x->domain,	   x->known,  (uint64_t)(uintptr_t)x->kind,
				  x->second,	   x->first,  x->second_levels,
				  x->first_levels, x->source, x->pasid };
	const uint64_t right[] = { y->domain,	    y->known,  (uint64_t)(uintptr_t)y->kind,
				   y->second,	    y->first,  y->second_levels,
				   y->first_levels, y->source, y->pasid };

	for (unsigned i = 0; i < array_len(left); i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

bool space_same(const struct space *a, const struct space *b)
{
	return a->domain == b->domain && a->known == b->known && a->kind == b->kind &&
	       a->second == b->second && a->first == b->first &&
	       a->second_levels == b->second_levels && a->first_levels == b->first_levels;
}

void spaces_find(const struct unit *unit, uint64_t walks_max, struct spaces *spaces,
		 fault_fn *fault, void *context)
{
	struct search search = { .unit = unit,
				 .spaces = spaces,
				 .walks_left = walks_max,
				 .fault = fault,
				 .context = context };

	must(walks_max > 0);
	*spaces = (struct spaces){ 0 };
	search_ask(&search, 0, IOMMU_NO_PASID);
	if (search.seen.count == 0) { /* no table was looked at */
		if (search_refused(&search))
			search_tell(&search);
		return;
	}
	if (unit->format == UNIT_AMD)
		search_amd(&search);
	else
		search_vtd(&search);
	if (spaces->count)
		qsort(spaces->list, spaces->count, sizeof *spaces->list, compare);
}

void spaces_free(struct spaces *spaces)
{
	free(spaces->list);
}
