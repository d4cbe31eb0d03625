#include "prog/midplane_interrupts.h"

#include "base/bytes.h"
#include "prog/midplane_words.h"
#include "spec/amdvi.h"
#include "spec/vtd.h"

#include <stdio.h>

/* AMD: the index is in the data's bits 10:0, of which 10:8 are the delivery mode as well; what only
 * modes other than fixed and arbitrated could name is never used. */
enum { AMD_REACHABLE = 512, ENTRIES_A_PAGE = 4096 / SPEC_AMDVI_DTE_SIZE };

/* A function that a VT-d entry lets pass, when there is one. */
static uint16_t accepted(const uint64_t words[2])
{
	const uint16_t sid = (uint16_t)field_get(words[1], SPEC_VTD_IRTE_1_SID);

	if (field_get(words[1], SPEC_VTD_IRTE_1_SVT) == SPEC_VTD_SVT_BUS)
		return sid & 0xff00; /* the first bus of the range */
	return sid;
}

static void ask(const struct unit *unit, const struct interrupt_table *table,
		struct interrupt *interrupt)
{
	struct iommu_message message = { .source = table->source,
					 .address = SPEC_VTD_INTERRUPT_FIRST,
					 .data = interrupt->index };

	if (unit->format == UNIT_VTD) {
		message.source = accepted(interrupt->words);
		message.address |=
			field_mask(SPEC_VTD_MSI_ADDRESS_FORMAT) |
			field_make(SPEC_VTD_MSI_ADDRESS_HANDLE, interrupt->index & 0x7fff) |
			field_make(SPEC_VTD_MSI_ADDRESS_HANDLE_HIGH, interrupt->index >> 15);
		message.data = 0;
	}
	unit_remap(unit, &message, NULL, &interrupt->remapped);
}

static void visit_table(const struct unit *unit, const struct interrupt_table *table,
			const struct interrupts_visitor *visitor)
{
	struct interrupt interrupt = { .index = 0 };
	uint8_t bytes[16] = { 0 };

	visitor->table(visitor->context, table);
	for (; interrupt.index < table->count; interrupt.index++) {
		interrupt.address = table->address + interrupt.index * (uint64_t)table->entry_size;
		if (!unit->memory.read(unit->memory.context, interrupt.address, bytes,
				       table->entry_size)) {
			visitor->unreadable(visitor->context, table, interrupt.address);
			return;
		}
		interrupt.words[0] = get_le64(bytes);
		interrupt.words[1] = get_le64(bytes + 8);
		/* Present, and RemapEn */
		if (!(interrupt.words[0] & 1))
			continue;
		ask(unit, table, &interrupt);
		visitor->entry(visitor->context, table, &interrupt);
	}
}

static void visit_vtd(const struct unit *unit, const struct interrupts_visitor *visitor)
{
	const struct interrupt_table table = {
		.address = unit->vtd.irta & field_mask(SPEC_VTD_IRTA_IRTA),
		.count = 2u << field_get(unit->vtd.irta, SPEC_VTD_IRTA_S),
		.entry_size = SPEC_VTD_IRTE_SIZE,
	};

	visit_table(unit, &table, visitor);
}

/* The device table entry that a message of the function meets. */
struct first_step {
	unsigned count, word_count;
	uint64_t words[4];
};

static void on_step(void *context, const struct iommu_step *step)
{
	struct first_step *first = context;

	if (first->count++)
		return;
	first->word_count = step->word_count;
	for (unsigned i = 0; i < 4; i++)
		first->words[i] = step->words[i];
}

/* Whether the function has a table; first  receives the steps of a message for its entry 0. */
static bool find_amd(const struct unit *unit, uint16_t source, struct first_step *first,
		     struct interrupt_table *table)
{
	const struct iommu_message message = { .source = source,
					       .address = SPEC_VTD_INTERRUPT_FIRST };
	struct iommu_remapped remapped;
	uint64_t word, length;

	first->count = 0;
	amdvi_remap(&unit->amd, &message, &(struct iommu_trace){ on_step, first }, &remapped);
	word = first->words[2];
	length = field_get(word, SPEC_AMDVI_DTE_2_INT_TAB_LEN);
	if (first->count < 2 || length > SPEC_AMDVI_INT_TAB_LEN_MAX)
		return false;
	*table = (struct interrupt_table){
		.of_one = true,
		.source = source,
		.address = word & field_mask(SPEC_AMDVI_DTE_2_INT_TABLE) & ~UINT64_C(0x7f),
		.count = min_u32(1u << length, AMD_REACHABLE),
		.entry_size = field_is_set(unit->amd.control, SPEC_AMDVI_CONTROL_GA_EN)
				      ? SPEC_AMDVI_GAIRTE_SIZE
				      : SPEC_AMDVI_IRTE_SIZE,
	};
	return true;
}

static void visit_amd(const struct unit *unit, const struct interrupts_visitor *visitor)
{
	struct interrupt_table table;
	struct first_step first;

	for (unsigned source = 0; source < 1 << 16; source++) {
		if (find_amd(unit, (uint16_t)source, &first, &table))
			visit_table(unit, &table, visitor);
		else if (first.count == 1 && first.word_count == 0)
			source |= ENTRIES_A_PAGE - 1; /* beyond the table, or it is not in memory */
	}
}

void interrupts_visit(const struct unit *unit, const struct interrupts_visitor *visitor)
{
	if (unit->format == UNIT_AMD)
		visit_amd(unit, visitor);
	else if (unit->has_remapping)
		visit_vtd(unit, visitor);
}

bool interrupt_is_for_any(const struct interrupt_table *table, const struct interrupt *interrupt)
{
	return !table->of_one &&
	       field_get(interrupt->words[1], SPEC_VTD_IRTE_1_SVT) == SPEC_VTD_SVT_NONE;
}

void interrupt_source(const struct interrupt_table *table, const struct interrupt *interrupt,
		      char text[INTERRUPT_SOURCE_MAX])
{
	static const char *const masks[] = { "", " or bit 2 other", " or bits 2:1 other",
					     " or any function of it" };
	const uint64_t word = interrupt->words[1];
	const uint16_t sid =
		table->of_one ? table->source : (uint16_t)field_get(word, SPEC_VTD_IRTE_1_SID);
	char source[WORDS_SOURCE_MAX];

	words_print_source(sid, source);
	if (table->of_one)
		snprintf(text, INTERRUPT_SOURCE_MAX, "%s", source);
	else if (interrupt_is_for_any(table, interrupt))
		snprintf(text, INTERRUPT_SOURCE_MAX, "any");
	else if (field_get(word, SPEC_VTD_IRTE_1_SVT) == SPEC_VTD_SVT_SID)
		snprintf(text, INTERRUPT_SOURCE_MAX, "%s%s", source,
			 masks[field_get(word, SPEC_VTD_IRTE_1_SQ)]);
	else if (field_get(word, SPEC_VTD_IRTE_1_SVT) == SPEC_VTD_SVT_BUS)
		snprintf(text, INTERRUPT_SOURCE_MAX, "buses %02x-%02x", sid >> 8, sid & 0xff);
	else
		snprintf(text, INTERRUPT_SOURCE_MAX, "reserved");
}
