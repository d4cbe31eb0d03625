/* prog/midplane_iommu_dump.c -- iommu dump: the domains of a memory image, who is in them, what
 * they map, and the interrupt entries.  What is long is printed as it is found. */
#include "prog/midplane_interrupts.h"
#include "prog/midplane_iommu.h"
#include "prog/midplane_spaces.h"
#include "prog/midplane_words.h"

#include "spec/vtd.h"

#include <inttypes.h>

/* Where the printing is; JSON needs a comma before each element but the first. */
struct dump {
	const struct call *call;
	const struct unit *unit;
	unsigned printed; /* elements of the list that is printed */
	unsigned faults;
};

static void separate(struct dump *dump)
{
	if (dump->call->json)
		fputs(dump->printed ? ",\n" : "\n", stdout);
	dump->printed++;
}

static void print_source(const struct space *space)
{
	char source[WORDS_SOURCE_MAX];

	words_print_source(space->source, source);
	fputs(source, stdout);
	if (space->pasid != IOMMU_NO_PASID)
		printf(" PASID %" PRIu32, space->pasid);
}

static void print_pages(const struct mapping *mapping)
{
	char smallest[16], largest[16];

	words_print_size(mapping->smallest, smallest);
	words_print_size(mapping->largest, largest);
	printf("  %" PRIu64 " x %s", mapping->pages, smallest);
	if (mapping->largest != mapping->smallest)
		printf(" to %s", largest);
}

static void on_mapping(void *context, const struct space *space, const struct mapping *mapping)
{
	struct dump *dump = context;

	(void)space;
	separate(dump);
	if (dump->call->json) {
		printf("        {\"iova\": \"0x%" PRIx64 "\", \"last\": \"0x%" PRIx64
		       "\", \"address\": \"0x%" PRIx64 "\", \"rights\": \"%s\", \"snoop\": %s, "
		       "\"pages\": %" PRIu64 ", \"page_size\": \"0x%" PRIx64 "\"}",
		       mapping->iova, mapping->last, mapping->target, words_rights(mapping->rights),
		       mapping->snoop ? "true" : "false", mapping->pages,
		       UINT64_C(1) << mapping->smallest);
		return;
	}
	printf("  0x%012" PRIx64 "-0x%012" PRIx64 " -> 0x%012" PRIx64 "  %-3s", mapping->iova,
	       mapping->last, mapping->target, words_rights(mapping->rights));
	print_pages(mapping);
	puts(mapping->snoop ? "  snooped" : "");
}

/* Faults are what `iommu check` is for: here they are counted. */
static void on_fault(void *context, const struct fault *fault)
{
	struct dump *dump = context;

	(void)fault;
	dump->faults++;
}

static void print_head(const struct unit *unit, const struct space *space)
{
	printf("domain %u: %s", space->domain, space->kind);
	if (space->second)
		printf(", %u levels at 0x%" PRIx64, space->second_levels, space->second);
	if (space->first)
		printf(", first stage of %u levels at 0x%" PRIx64, space->first_levels,
		       space->first);
	if (!space->known)
		printf(", cannot be used: reason %u, %s", space->reason,
		       unit_reason_text(unit, space->reason));
	puts(space->silent ? ", faults not reported" : "");
}

static void print_head_json(const struct space *space)
{
	printf("    {\n      \"domain\": %u, \"kind\": \"%s\", \"levels\": %u, \"tables\": "
	       "\"0x%" PRIx64 "\",\n      \"first_levels\": %u, \"first_tables\": \"0x%" PRIx64
	       "\",\n      \"faults_reported\": %s, \"reason\": ",
	       space->domain, space->kind, space->second_levels, space->second, space->first_levels,
	       space->first, space->silent ? "false" : "true");
	if (space->known)
		fputs("null", stdout);
	else
		printf("%u", space->reason);
}

static void print_functions(const struct call *call, const struct space *space, unsigned count)
{
	char source[WORDS_SOURCE_MAX];

	fputs(call->json ? ",\n      \"functions\": [" : "  of", stdout);
	for (unsigned i = 0; i < count; i++) {
		fputs(i ? ", " : call->json ? "" : " ", stdout);
		if (!call->json) {
			print_source(&space[i]);
			continue;
		}
		words_print_source(space[i].source, source);
		printf("{\"function\": \"%s\", \"pasid\": ", source);
		if (space[i].pasid == IOMMU_NO_PASID)
			fputs("null}", stdout);
		else
			printf("%" PRIu32 "}", space[i].pasid);
	}
	fputs(call->json ? "],\n      \"mappings\": [" : "\n", stdout);
}

/* Prints the 'count' users of one address space, and the space.  False when the listing gave up. */
static bool print_space(struct dump *dump, const struct space *space, unsigned count,
			struct listing *listing)
{
	bool whole;

	separate(dump);
	if (dump->call->json)
		print_head_json(space);
	else
		print_head(dump->unit, space);
	print_functions(dump->call, space, count);
	dump->printed = 0;
	whole = space_list(dump->unit, space, listing);
	if (dump->call->json)
		fputs(dump->printed ? "\n      ]\n    }" : "]\n    }", stdout);
	else if (!dump->printed)
		puts(!space->known || space->second || space->first
			     ? "  nothing is mapped"
			     : "  every address leads to itself");
	dump->printed = 1;
	return whole;
}

static bool print_spaces(struct dump *dump, const struct spaces *spaces, struct listing *listing)
{
	bool whole = !spaces->cut;
	unsigned count;

	for (unsigned i = 0; i < spaces->count; i += count) {
		for (count = 1; i + count < spaces->count; count++)
			if (!space_same(&spaces->list[i], &spaces->list[i + count]))
				break;
		whole &= print_space(dump, &spaces->list[i], count, listing);
	}
	return whole;
}

static void print_interrupt(const struct unit *unit, const char *source,
			    const struct interrupt *interrupt)
{
	const struct iommu_remapped *remapped = &interrupt->remapped;

	printf("  %5" PRIu32 "  from %s: ", interrupt->index, source);
	if (remapped->outcome != IOMMU_OK)
		printf("blocked, reason %u, %s\n", remapped->reason,
		       unit_reason_text(unit, remapped->reason));
	else if (remapped->posted)
		printf("vector 0x%x posted to 0x%" PRIx64 "%s\n", remapped->vector,
		       remapped->descriptor, remapped->urgent ? ", urgent" : "");
	else
		printf("0x%x to 0x%" PRIx64 ", vector 0x%x\n", remapped->data, remapped->address,
		       remapped->vector);
}

static void print_interrupt_json(const char *source, const struct interrupt *interrupt)
{
	const struct iommu_remapped *remapped = &interrupt->remapped;

	printf("    {\"index\": %" PRIu32 ", \"source\": \"%s\", \"words\": [\"0x%" PRIx64
	       "\", \"0x%" PRIx64 "\"], ",
	       interrupt->index, source, interrupt->words[0], interrupt->words[1]);
	if (remapped->outcome != IOMMU_OK)
		printf("\"outcome\": \"blocked\", \"reason\": %u}", remapped->reason);
	else if (remapped->posted)
		printf("\"outcome\": \"posted\", \"descriptor\": \"0x%" PRIx64
		       "\", \"vector\": %u, \"urgent\": %s}",
		       remapped->descriptor, remapped->vector, remapped->urgent ? "true" : "false");
	else
		printf("\"outcome\": \"ok\", \"address\": \"0x%" PRIx64 "\", \"data\": \"0x%x\", "
		       "\"vector\": %u}",
		       remapped->address, remapped->data, remapped->vector);
}

static void on_interrupt_table(void *context, const struct interrupt_table *table)
{
	const struct dump *dump = context;
	char source[WORDS_SOURCE_MAX];

	if (dump->call->json)
		return;
	words_print_source(table->source, source);
	printf("interrupt entries%s%s at 0x%" PRIx64 ", %" PRIu32 " places\n",
	       table->of_one ? " of " : "", table->of_one ? source : "", table->address,
	       table->count);
}

static void on_interrupt(void *context, const struct interrupt_table *table,
			 const struct interrupt *interrupt)
{
	struct dump *dump = context;
	char source[INTERRUPT_SOURCE_MAX];

	interrupt_source(table, interrupt, source);
	separate(dump);
	if (dump->call->json)
		print_interrupt_json(source, interrupt);
	else
		print_interrupt(dump->unit, source, interrupt);
}

static void on_unreadable(void *context, const struct interrupt_table *table, uint64_t address)
{
	struct dump *dump = context;

	(void)table;
	(void)address;
	dump->faults++;
}

static void print_interrupts(struct dump *dump)
{
	const struct interrupts_visitor visitor = { on_interrupt_table, on_interrupt, on_unreadable,
						    dump };

	dump->printed = 0;
	interrupts_visit(dump->unit, &visitor);
}

enum midplane_exit midplane_iommu_dump(const struct call *call)
{
	struct unit unit;
	struct dump dump = { .call = call, .unit = &unit };
	struct listing listing = { 0, on_mapping, on_fault, NULL, &dump };
	enum midplane_exit code = iommu_open(call, UNIT_NEEDS_TRANSLATION, &unit);
	struct spaces spaces;

	if (code)
		return iommu_close(call, &unit, code);
	spaces_find(&unit, unit_walks_enough(&unit), &spaces, on_fault, &dump);
	listing.walks_left = unit_walks_enough(&unit);
	fputs(call->json ? "{\n  \"domains\": [" : "", stdout);
	if (!print_spaces(&dump, &spaces, &listing)) {
		midplane_complain(call, "there is more than is listed: the tables never end");
		code = MIDPLANE_REFUSED;
	}
	if (call->json)
		printf("%s],\n  \"interrupts\": [", dump.printed ? "\n  " : "");
	print_interrupts(&dump);
	if (call->json)
		printf("%s]\n}\n", dump.printed ? "\n  " : "");
	if (dump.faults && !call->json)
		printf("%u places have entries that cannot be used; 'midplane iommu check' says "
		       "which\n",
		       dump.faults);
	spaces_free(&spaces);
	return iommu_close(call, &unit, code);
}
