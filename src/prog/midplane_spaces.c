#include "prog/midplane_spaces.h"

#include "spec/vtd.h"

#include <stdlib.h>
#include <string.h>

enum {
	SPACES_MAX = 1 << 20,
	PASIDS_A_TABLE = 64,
	HEAD_LEGACY = 2,   /* steps before page tables: root and context entry */
	HEAD_SCALABLE = 4, /* and PASID directory and PASID entry */
};

static unsigned head_of(const struct unit *unit)
{
	return field_get(unit->tables.rtaddr, SPEC_VTD_RTADDR_TTM) == SPEC_VTD_TTM_SCALABLE
		       ? HEAD_SCALABLE
		       : HEAD_LEGACY;
}

/* What on_step() needs to know beside what it fills. */
struct watch {
	struct seen *seen;
	unsigned head;
};

/* A table that is on the way twice leads into itself: what lies behind the way back is not
 * followed. */
static void note_table(struct seen *seen, const struct iommu_step *step)
{
	uint64_t page = step->address >> SPEC_VTD_PAGE_SHIFT << SPEC_VTD_PAGE_SHIFT;

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
	struct watch *watch = context;
	struct seen *seen = watch->seen;

	if (seen->loop_shift)
		return;
	if (seen->head_count < watch->head)
		keep(&seen->head[seen->head_count++], step);
	else
		note_table(seen, step);
	seen->count++;
	if (!seen->loop_shift)
		keep(&seen->last, step);
}

void seen_walk(const struct unit *unit, const struct iommu_request *request, struct seen *seen,
	       struct iommu_answer *answer)
{
	struct watch watch = { seen, head_of(unit) };

	seen->count = seen->head_count = seen->loop_shift = 0;
	seen->table_count = seen->table_first = 0;
	vtd_walk(&unit->tables, request, &(struct iommu_trace){ on_step, &watch }, answer);
}

/* One look for spaces. */
struct search {
	const struct unit *unit;
	struct spaces *spaces;
	fault_fn *fault;
	void *context;
	unsigned head;
	struct seen seen;
	struct iommu_request request;
	struct iommu_answer answer;
};

static void ask(struct search *search, uint16_t source, uint32_t pasid)
{
	search->request = (struct iommu_request){ .source = source, .pasid = pasid };
	seen_walk(search->unit, &search->request, &search->seen, &search->answer);
}

static bool refused(const struct search *search)
{
	return search->answer.outcome != IOMMU_OK;
}

static void tell(struct search *search)
{
	const struct fault fault = { .source = search->request.source,
				     .pasid = search->request.pasid,
				     .reason = search->answer.reason,
				     .seen = &search->seen };

	search->fault(search->context, &fault);
}

/* Whether the last entry that was read has its present bit, which is bit 0 in all that lead to page
 * tables; a scalable-mode root entry has one for each half of its bus. */
static bool is_present(const struct search *search)
{
	const struct iommu_step *step = &search->seen.last.step;
	const bool upper = search->head == HEAD_SCALABLE && search->seen.count == 1 &&
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

static struct space *new_space(struct spaces *spaces)
{
	if (spaces->count == SPACES_MAX) {
		spaces->cut = true;
		return NULL;
	}
	if (spaces->count == spaces->room) {
		spaces->room = spaces->room ? spaces->room * 2 : 64;
		spaces->list = realloc(spaces->list, spaces->room * sizeof *spaces->list);
		must(spaces->list != NULL);
	}
	memset(&spaces->list[spaces->count], 0, sizeof *spaces->list);
	return &spaces->list[spaces->count++];
}

/* Notes the space that the walk came to, unless its entry is not there.  A walk that was refused
 * before it came to page tables tells that the entry cannot be used. */
static void add(struct search *search)
{
	const unsigned count = search->seen.count;
	struct space *space;

	if (count < search->head || (count == search->head && refused(search))) {
		if (is_present(search))
			tell(search);
		if (count < search->head || !is_present(search))
			return;
	}
	space = new_space(search->spaces);
	if (!space)
		return;
	space->source = search->request.source;
	space->pasid = search->request.pasid;
	space->known = count > search->head || !refused(search);
	space->reason = search->answer.reason;
	if (search->head == HEAD_LEGACY)
		describe_legacy(&search->seen, space);
	else
		describe_scalable(&search->seen, space);
}

/* The PASIDs of a function other than the one that its requests without PASID have. */
static void find_pasids(struct search *search)
{
	const uint64_t *context = search->seen.head[1].step.words;
	const uint16_t source = search->request.source;
	const uint64_t directory = UINT64_C(128)
				   << field_get(context[0], SPEC_VTD_SMCONTEXT_0_PDTS);
	const uint64_t count = min_u64(directory * PASIDS_A_TABLE, 1u << SPEC_VTD_PASID_BITS);
	const uint32_t own = (uint32_t)field_get(context[1], SPEC_VTD_SMCONTEXT_1_RID_PASID);

	if (!field_is_set(context[0], SPEC_VTD_SMCONTEXT_0_PASIDE))
		return;
	for (uint32_t pasid = 0; pasid < count && !search->spaces->cut; pasid++) {
		ask(search, source, pasid);
		if (search->seen.count == 3) { /* at the directory: so for the whole table */
			if (is_present(search))
				tell(search);
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
		ask(search, (uint16_t)(first + i), IOMMU_NO_PASID);
		if (search->seen.count < 2) { /* so for all of them */
			if (search->seen.count && is_present(search))
				tell(search);
			return;
		}
		add(search);
		if (search->head == HEAD_SCALABLE && search->seen.count >= 2 &&
		    (search->seen.head[1].step.words[0] & 1))
			find_pasids(search);
	}
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

void spaces_find(const struct unit *unit, struct spaces *spaces, fault_fn *fault, void *context)
{
	struct search search = { .unit = unit,
				 .spaces = spaces,
				 .fault = fault,
				 .context = context,
				 .head = head_of(unit) };
	const unsigned part = search.head == HEAD_SCALABLE ? 128 : 256;

	*spaces = (struct spaces){ 0 };
	ask(&search, 0, IOMMU_NO_PASID);
	if (search.seen.count == 0) { /* no table was looked at */
		if (refused(&search))
			tell(&search);
		return;
	}
	for (unsigned first = 0; first < 1 << 16 && !spaces->cut; first += part)
		find_functions(&search, first, part);
	if (spaces->count)
		qsort(spaces->list, spaces->count, sizeof *spaces->list, compare);
}

void spaces_free(struct spaces *spaces)
{
	free(spaces->list);
}
