#include "prog/midplane_interrupts.h"

#include "base/bytes.h"
#include "prog/midplane_words.h"
#include "spec/vtd.h"

uint64_t interrupts_table(const struct unit *unit, uint32_t *count)
{
	*count = 2u << field_get(unit->tables.irta, SPEC_VTD_IRTA_S);
	return unit->tables.irta & field_mask(SPEC_VTD_IRTA_IRTA);
}

/* A function that the entry lets pass, when there is one. */
static uint16_t accepted(const uint64_t words[2])
{
	const uint16_t sid = (uint16_t)field_get(words[1], SPEC_VTD_IRTE_1_SID);

	if (field_get(words[1], SPEC_VTD_IRTE_1_SVT) == SPEC_VTD_SVT_BUS)
		return sid & 0xff00; /* the first bus of the range */
	return sid;
}

static void ask(const struct unit *unit, struct interrupt *interrupt)
{
	const struct iommu_message message = {
		.source = accepted(interrupt->words),
		.address = SPEC_VTD_INTERRUPT_FIRST | field_mask(SPEC_VTD_MSI_ADDRESS_FORMAT) |
			   field_make(SPEC_VTD_MSI_ADDRESS_HANDLE, interrupt->index & 0x7fff) |
			   field_make(SPEC_VTD_MSI_ADDRESS_HANDLE_HIGH, interrupt->index >> 15),
	};

	vtd_remap(&unit->tables, &message, NULL, &interrupt->remapped);
}

bool interrupts_list(const struct unit *unit,
		     void (*each)(void *context, const struct interrupt *interrupt), void *context,
		     uint64_t *unreadable)
{
	struct interrupt interrupt = { .index = 0 };
	uint32_t count;
	const uint64_t table = interrupts_table(unit, &count);
	uint8_t bytes[SPEC_VTD_IRTE_SIZE];

	for (; interrupt.index < count; interrupt.index++) {
		interrupt.address = table + interrupt.index * (uint64_t)SPEC_VTD_IRTE_SIZE;
		if (!unit->memory.read(unit->memory.context, interrupt.address, bytes,
				       sizeof bytes)) {
			*unreadable = interrupt.address;
			return false;
		}
		interrupt.words[0] = get_le64(bytes);
		interrupt.words[1] = get_le64(bytes + 8);
		if (!field_is_set(interrupt.words[0], SPEC_VTD_IRTE_0_P))
			continue;
		ask(unit, &interrupt);
		each(context, &interrupt);
	}
	return true;
}

void interrupt_source(const struct interrupt *interrupt, char text[INTERRUPT_SOURCE_MAX])
{
	static const char *const masks[] = { "", " or bit 2 other", " or bits 2:1 other",
					     " or any function of it" };
	const uint64_t word = interrupt->words[1];
	const uint16_t sid = (uint16_t)field_get(word, SPEC_VTD_IRTE_1_SID);
	char source[WORDS_SOURCE_MAX];

	words_print_source(sid, source);
	switch (field_get(word, SPEC_VTD_IRTE_1_SVT)) {
	case SPEC_VTD_SVT_NONE:
		snprintf(text, INTERRUPT_SOURCE_MAX, "any");
		break;
	case SPEC_VTD_SVT_SID:
		snprintf(text, INTERRUPT_SOURCE_MAX, "%s%s", source,
			 masks[field_get(word, SPEC_VTD_IRTE_1_SQ)]);
		break;
	case SPEC_VTD_SVT_BUS:
		snprintf(text, INTERRUPT_SOURCE_MAX, "buses %02x-%02x", sid >> 8, sid & 0xff);
		break;
	default:
		snprintf(text, INTERRUPT_SOURCE_MAX, "reserved");
	}
}
