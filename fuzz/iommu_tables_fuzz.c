/* Any bytes as tables: listing what they map ends, asks only for what is in the image, and every
 * mapping that is listed is what a walk to its ends gives.
 *
 * The first 40 bytes are registers: capabilities, extended capabilities, root table address,
 * interrupt remapping table address, and 0; or device table base, extended features, control,
 * exclusion base, and 1. The others are memory from address 0. */
#include "base/bytes.h"
#include "prog/midplane_interrupts.h"
#include "prog/midplane_spaces.h"

#include <string.h>

enum { HEAD = 40, SEARCHES_MAX = 1 << 14, WALKS_MAX = 1000, SPACES_LOOKED_AT = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	const uint8_t *data;
	size_t size;
};

static bool read_bytes(void *context, uint64_t address, void *bytes, uint32_t size)
{
	const struct bytes *memory = context;

	must(size > 0 && size <= 64 && address % 4096 + size <= 4096);
	if (address >= memory->size || size > memory->size - address)
		return false;
	memcpy(bytes, memory->data + address, size);
	return true;
}

struct judge {
	const struct unit *unit;
	uint64_t next; /* no mapping begins below this */
	bool any;
};

static void check_end(const struct judge *judge, const struct space *space, uint64_t iova,
		      uint64_t target, uint8_t rights)
{
	const struct iommu_request request = { .source = space->source,
					       .pasid = space->pasid,
					       .address = iova };
	struct iommu_answer answer;

	unit_walk(judge->unit, &request, NULL, &answer);
	must(answer.outcome == IOMMU_OK && answer.address == target && answer.rights == rights);
}

static void on_mapping(void *context, const struct space *space, const struct mapping *mapping)
{
	struct judge *judge = context;

	must(mapping->last >= mapping->iova && mapping->pages > 0 && mapping->rights);
	must(!judge->any || mapping->iova >= judge->next);
	judge->any = true;
	judge->next = mapping->last; /* behind it, or at the end of all addresses */
	check_end(judge, space, mapping->iova, mapping->target, mapping->rights);
	check_end(judge, space, mapping->last, mapping->target + (mapping->last - mapping->iova),
		  mapping->rights);
}

static void on_fault(void *context, const struct fault *fault)
{
	(void)context;
	must(fault->reason != 0);
	must(fault->seen->count == 0 || fault->seen->last.step.meaning != NULL);
}

static void on_table(void *context, const struct interrupt_table *table)
{
	(void)context;
	must(table->count > 0 && table->entry_size > 0);
}

static void on_interrupt(void *context, const struct interrupt_table *table,
			 const struct interrupt *interrupt)
{
	char text[INTERRUPT_SOURCE_MAX];

	(void)context;
	must(interrupt->index < table->count);
	interrupt_source(table, interrupt, text);
	must(text[0] != 0);
}

static void on_unreadable(void *context, const struct interrupt_table *table, uint64_t address)
{
	(void)context;
	must(address >= table->address);
}

static void list(struct unit *unit, struct judge *judge)
{
	struct listing listing = { WALKS_MAX, on_mapping, on_fault, NULL, judge };
	struct spaces spaces;
	const struct interrupts_visitor visitor = { on_table, on_interrupt, on_unreadable, judge };

	spaces_find(unit, SEARCHES_MAX, &spaces, on_fault, judge);
	for (unsigned i = 0; i < spaces.count && i < SPACES_LOOKED_AT; i++) {
		judge->any = false;
		space_list(unit, &spaces.list[i], &listing);
	}
	spaces_free(&spaces);
	interrupts_visit(unit, &visitor);
}

static void set_registers(struct unit *unit, const uint8_t *head)
{
	unit->has_remapping = true;
	unit->format = head[32] & 1 ? UNIT_AMD : UNIT_VTD;
	unit->vtd = (struct vtd_tables){ .cap = get_le64(head),
					 .ecap = get_le64(head + 8),
					 .rtaddr = get_le64(head + 16),
					 .irta = get_le64(head + 24),
					 .translation = true,
					 .remapping = true,
					 .memory = &unit->memory };
	unit->amd = (struct amdvi_tables){ .device_tables = { get_le64(head) },
					   .features = get_le64(head + 8),
					   .control = get_le64(head + 16),
					   .exclusion_base = get_le64(head + 24),
					   .exclusion_limit = get_le64(head + 24) + 0x10000,
					   .memory = &unit->memory };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes bytes = { data + HEAD, size - HEAD };
	struct unit unit = { .memory = { .read = read_bytes, .context = &bytes } };
	struct judge judge = { .unit = &unit };

	if (size < HEAD)
		return 0;
	set_registers(&unit, data);
	list(&unit, &judge);
	return 0;
}
