/* Any bytes as tables: listing what they map ends, asks only for what is in the image, and every
 * mapping that is listed is what a walk to its ends gives.
 *
 * The first 32 bytes are capabilities, extended capabilities, root table address, interrupt
 * remapping table address; the others are memory from address 0. */
#include "base/bytes.h"
#include "prog/midplane_interrupts.h"
#include "prog/midplane_spaces.h"

#include <string.h>

enum { HEAD = 32, WALKS_MAX = 4000, SPACES_LOOKED_AT = 64 };

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

	vtd_walk(&judge->unit->tables, &request, NULL, &answer);
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

static void on_interrupt(void *context, const struct interrupt *interrupt)
{
	char text[INTERRUPT_SOURCE_MAX];

	(void)context;
	interrupt_source(interrupt, text);
	must(text[0] != 0);
}

static void list(struct unit *unit, struct judge *judge)
{
	struct listing listing = { WALKS_MAX, on_mapping, on_fault, NULL, judge };
	struct spaces spaces;
	uint64_t unreadable;

	spaces_find(unit, &spaces, on_fault, judge);
	for (unsigned i = 0; i < spaces.count && i < SPACES_LOOKED_AT; i++) {
		judge->any = false;
		space_list(unit, &spaces.list[i], &listing);
	}
	spaces_free(&spaces);
	interrupts_list(unit, on_interrupt, judge, &unreadable);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes bytes = { data + HEAD, size - HEAD };
	struct unit unit = { .memory = { .read = read_bytes, .context = &bytes } };
	struct judge judge = { .unit = &unit };

	if (size < HEAD)
		return 0;
	unit.tables = (struct vtd_tables){ .cap = get_le64(data),
					   .ecap = get_le64(data + 8),
					   .rtaddr = get_le64(data + 16),
					   .irta = get_le64(data + 24),
					   .translation = true,
					   .remapping = true,
					   .memory = &unit.memory };
	list(&unit, &judge);
	return 0;
}
