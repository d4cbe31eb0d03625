/* prog/midplane_iommu_check.c -- iommu check: what the specification forbids in the tables of a
 * memory image. */
#include "prog/midplane_interrupts.h"
#include "prog/midplane_iommu.h"
#include "prog/midplane_spaces.h"
#include "prog/midplane_words.h"

#include "spec/vtd.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

enum {
	FINDINGS_MAX = 1000, /* that are told one by one */
	TABLES_MAX = 1 << 22,
};

enum severity { FORBIDDEN, WARNING };

struct check {
	const struct call *call;
	const struct unit *unit;
	json_t *list; /* with -o json */
	unsigned forbidden, warnings;
	/* The last fault about addresses: the next may go on where it ends. */
	struct fault open;
	struct seen open_seen;
	bool is_open;
	/* Pages with tables in them, sorted once all spaces were listed. */
	uint64_t *tables;
	unsigned table_count, table_room;
};

static void printf_like(5, 6) tell(struct check *check, enum severity severity, const char *where,
				   unsigned reason, const char *format, ...)
{
	char text[512];
	va_list args;

	*(severity == FORBIDDEN ? &check->forbidden : &check->warnings) += 1;
	if (check->forbidden + check->warnings > FINDINGS_MAX)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (check->list)
		json_array_append_new(check->list,
				      json_pack("{s:s, s:b, s:o, s:s}", "where", where, "warning",
						severity == WARNING, "reason",
						reason ? json_integer(reason) : json_null(), "text",
						text));
	else
		printf("%s: %s%s\n", where, severity == WARNING ? "warning: " : "", text);
}

/* "00:02.0", "00:02.0 PASID 5", "00:02.0 iova 0x1000-0x1fff" */
static void describe(const struct fault *fault, char *text, size_t size)
{
	char source[WORDS_SOURCE_MAX], pasid[32] = "", iova[64] = "";

	words_print_source(fault->source, source);
	if (fault->pasid != IOMMU_NO_PASID)
		snprintf(pasid, sizeof pasid, " PASID %" PRIu32, fault->pasid);
	if (fault->size)
		snprintf(iova, sizeof iova, " iova 0x%" PRIx64 "-0x%" PRIx64, fault->iova,
			 fault->iova + (fault->size - 1));
	snprintf(text, size, "%s%s%s", source, pasid, iova);
}

/* "context entry 16 at 0x5581100 (0x..., 0x...)" */
static void describe_entry(const struct iommu_step *step, char *text, size_t size)
{
	int used = snprintf(text, size, "%s %u at 0x%" PRIx64, step->table, step->index,
			    step->address);

	for (unsigned i = 0; i < step->word_count && used > 0 && (size_t)used < size; i++)
		used += snprintf(text + used, size - (size_t)used, "%s0x%016" PRIx64 "%s",
				 i ? ", " : " (", step->words[i],
				 i + 1 == step->word_count ? ")" : "");
}

static void tell_fault(struct check *check, const struct fault *fault)
{
	char where[128], entry[300];

	describe(fault, where, sizeof where);
	if (fault->seen->count == 0) {
		tell(check, FORBIDDEN, "unit", fault->reason, "reason %u, %s", fault->reason,
		     unit_reason_text(check->unit, fault->reason));
		return;
	}
	describe_entry(&fault->seen->last.step, entry, sizeof entry);
	if (fault->reason == FAULT_LOOP)
		tell(check, FORBIDDEN, where, 0, "%s: the page tables lead into themselves", entry);
	else
		tell(check, FORBIDDEN, where, fault->reason, "%s: reason %u, %s", entry,
		     fault->reason, unit_reason_text(check->unit, fault->reason));
}

static void close_fault(struct check *check)
{
	check->open.seen = &check->open_seen;
	if (check->is_open)
		tell_fault(check, &check->open);
	check->is_open = false;
}

/* One entry, or a table that cannot be read. */
static bool same_place(const struct seen *a, const struct seen *b)
{
	const uint64_t one = a->last.step.address, other = b->last.step.address;

	if (a->last.step.word_count || b->last.step.word_count)
		return one == other;
	return one >> SPEC_VTD_PAGE_SHIFT == other >> SPEC_VTD_PAGE_SHIFT;
}

/* Faults of neighbouring addresses in the same place are one finding. */
static void on_fault(void *context, const struct fault *fault)
{
	struct check *check = context;
	struct fault *open = &check->open;

	if (check->is_open && fault->size && open->space == fault->space &&
	    open->iova + open->size == fault->iova && open->reason == fault->reason &&
	    same_place(&check->open_seen, fault->seen)) {
		open->size += fault->size;
		return;
	}
	close_fault(check);
	*open = *fault;
	check->open_seen = *fault->seen;
	check->is_open = true;
}

static void on_table(void *context, uint64_t page)
{
	struct check *check = context;

	if (check->table_count && check->tables[check->table_count - 1] == page)
		return;
	if (check->table_count == check->table_room) {
		if (check->table_room == TABLES_MAX)
			return;
		check->table_room = check->table_room ? check->table_room * 2 : 1024;
		check->tables = realloc(check->tables, check->table_room * sizeof *check->tables);
		must(check->tables != NULL);
	}
	check->tables[check->table_count++] = page;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void ignore_mapping(void *context, const struct space *space, const struct mapping *mapping)
{
	(void)context;
	(void)space;
	(void)mapping;
}

static void ignore_fault(void *context, const struct fault *fault)
{
	(void)context;
	(void)fault;
}

/* The lowest table page at or above 'address', or NULL; tables are sorted. */
static const uint64_t *table_from(const struct check *check, uint64_t address)
{
	unsigned low = 0, high = check->table_count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (check->tables[middle] < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < check->table_count ? &check->tables[low] : NULL;
}

static void look_at_mapping(void *context, const struct space *space, const struct mapping *mapping)
{
	struct check *check = context;
	const struct fault fault = { .source = space->source,
				     .pasid = space->pasid,
				     .iova = mapping->iova,
				     .size = mapping->last - mapping->iova + 1 };
	const uint64_t *table = table_from(check, mapping->target);
	char where[128];

	if (!(mapping->rights & IOMMU_WRITE) || !table || *table - mapping->target >= fault.size)
		return;
	describe(&fault, where, sizeof where);
	tell(check, WARNING, where, 0,
	     "the function can write the table at 0x%" PRIx64
	     ", which decides what functions may reach",
	     *table);
}

/* Calls the listing for one user of each address space.  False when it gave up. */
static bool list_all(const struct check *check, const struct spaces *spaces,
		     struct listing *listing)
{
	bool whole = true;

	for (unsigned i = 0; i < spaces->count; i++)
		if (i == 0 || !space_same(&spaces->list[i - 1], &spaces->list[i]))
			whole &= space_list(check->unit, &spaces->list[i], listing);
	return whole;
}

/* The root table and the tables that functions' entries are in; those behind come with the listing.
 */
static void note_heads(struct check *check, const struct spaces *spaces)
{
	struct iommu_answer answer;
	struct seen seen;

	for (unsigned i = 0; i < spaces->count; i++) {
		const struct iommu_request request = { .source = spaces->list[i].source,
						       .pasid = spaces->list[i].pasid };

		seen_walk(check->unit, &request, &seen, &answer);
		for (unsigned j = 0; j < seen.head_count; j++)
			on_table(check, seen.head[j].step.address & ~UINT64_C(0xfff));
	}
}

static void check_mappings(struct check *check, const struct spaces *spaces)
{
	const uint64_t enough = unit_walks_enough(check->unit);
	struct listing faults = { enough, ignore_mapping, on_fault, on_table, check };
	struct listing mappings = { enough, look_at_mapping, ignore_fault, NULL, check };
	bool whole = list_all(check, spaces, &faults);

	close_fault(check);
	if (spaces->cut || !whole)
		tell(check, FORBIDDEN, "unit", 0,
		     "the tables never end: what lies behind %" PRIu64 " answers was not looked at",
		     enough);
	note_heads(check, spaces);
	if (check->table_count)
		qsort(check->tables, check->table_count, sizeof *check->tables, compare);
	list_all(check, spaces, &mappings);
}

/* Section 6.2.1: caches are tagged with the domain, so one number stands for one set of tables.
 * First-stage tables are tagged with the PASID as well. */
static void check_domains(struct check *check, const struct spaces *spaces)
{
	const struct space *first = NULL;
	char one[WORDS_SOURCE_MAX], other[WORDS_SOURCE_MAX], where[32];

	for (unsigned i = 0; i < spaces->count; i++) {
		const struct space *space = &spaces->list[i];

		if (!space->known)
			continue;
		if (!first || first->domain != space->domain) {
			first = space;
			continue;
		}
		if (first->second == space->second &&
		    first->second_levels == space->second_levels && !first->first == !space->first)
			continue;
		words_print_source(first->source, one);
		words_print_source(space->source, other);
		snprintf(where, sizeof where, "domain %u", space->domain);
		tell(check, FORBIDDEN, where, 0,
		     "%s (%s, tables at 0x%" PRIx64 ") and %s (%s, tables at "
		     "0x%" PRIx64 ") have the same domain number and different tables",
		     one, first->kind, first->second, other, space->kind, space->second);
		first = space;
	}
}

/* Section 6.1: a unit in caching mode tags what is not present with domain 0. */
static void check_domain_zero(struct check *check, const struct spaces *spaces)
{
	char where[WORDS_SOURCE_MAX];

	if (check->unit->format != UNIT_VTD || !field_is_set(check->unit->vtd.cap, SPEC_VTD_CAP_CM))
		return;
	for (unsigned i = 0; i < spaces->count; i++) {
		if (spaces->list[i].domain || !spaces->list[i].known)
			continue;
		words_print_source(spaces->list[i].source, where);
		tell(check, FORBIDDEN, where, 0,
		     "domain 0 is reserved in a unit with caching mode (CAP.CM)");
	}
}

/* "interrupt entry 3", "00:02.0 interrupt entry 3" */
static void describe_interrupt(const struct interrupt_table *table, const char *what, char *text,
			       size_t size)
{
	char source[WORDS_SOURCE_MAX];

	words_print_source(table->source, source);
	snprintf(text, size, "%s%s%s", table->of_one ? source : "", table->of_one ? " " : "", what);
}

static void on_interrupt_table(void *context, const struct interrupt_table *table)
{
	(void)context;
	(void)table;
}

static void on_interrupt(void *context, const struct interrupt_table *table,
			 const struct interrupt *interrupt)
{
	struct check *check = context;
	const struct iommu_remapped *remapped = &interrupt->remapped;
	char what[64], where[96];

	snprintf(what, sizeof what, "interrupt entry %" PRIu32, interrupt->index);
	describe_interrupt(table, what, where, sizeof where);
	if (remapped->outcome != IOMMU_OK)
		tell(check, FORBIDDEN, where, remapped->reason,
		     "at 0x%" PRIx64 " (0x%016" PRIx64 ", 0x%016" PRIx64 "): reason %u, %s",
		     interrupt->address, interrupt->words[0], interrupt->words[1], remapped->reason,
		     unit_reason_text(check->unit, remapped->reason));
	else if (interrupt_is_for_any(table, interrupt))
		tell(check, WARNING, where, 0, "it accepts messages of any function");
}

static void on_unreadable(void *context, const struct interrupt_table *table, uint64_t address)
{
	char where[96];

	describe_interrupt(table, "interrupt entries", where, sizeof where);
	tell(context, FORBIDDEN, where, 0, "0x%" PRIx64 " and what is behind it is not in memory",
	     address);
}

static void check_interrupts(struct check *check)
{
	const struct interrupts_visitor visitor = { on_interrupt_table, on_interrupt, on_unreadable,
						    check };

	if (check->unit->format == UNIT_AMD || check->unit->vtd.remapping)
		interrupts_visit(check->unit, &visitor);
}

static enum midplane_exit conclude(struct check *check)
{
	const unsigned all = check->forbidden + check->warnings;

	if (check->list) {
		iommu_print_json(check->list);
	} else {
		if (all > FINDINGS_MAX)
			printf("... and %u more\n", all - FINDINGS_MAX);
		printf("%u %s the specification forbids", check->forbidden,
		       check->forbidden == 1 ? "thing that" : "things that");
		printf(", %u warning%s\n", check->warnings, check->warnings == 1 ? "" : "s");
	}
	return check->forbidden ? MIDPLANE_REFUSED : MIDPLANE_OK;
}

enum midplane_exit midplane_iommu_check(const struct call *call)
{
	struct unit unit;
	struct check check = { .call = call, .unit = &unit };
	enum midplane_exit code = iommu_open(call, UNIT_NEEDS_TRANSLATION, &unit);
	struct spaces spaces;

	if (code)
		return iommu_close(call, &unit, code);
	check.list = call->json ? json_array() : NULL;
	spaces_find(&unit, unit_walks_enough(&unit), &spaces, on_fault, &check);
	close_fault(&check);
	check_domains(&check, &spaces);
	check_domain_zero(&check, &spaces);
	check_mappings(&check, &spaces);
	check_interrupts(&check);
	code = conclude(&check);
	free(check.tables);
	spaces_free(&spaces);
	return iommu_close(call, &unit, code);
}
