/* fuzz/iommu_walk_fuzz.c -- tables written by hostile software: the input is a unit's registers,
 * requests and interrupt messages, and the memory that the tables are in.  Every answer is one that
 * the specification has, no access leaves memory or a page, reads are bounded, and nothing is
 * written but accessed and dirty bits.  Where a second reading covers the case, both agree.
 *
 * Input: registers of 40 bytes {cap, ecap, rtaddr, irta le64; flags, version, host width, number of
 * requests, 4 unused}, requests of 24 bytes {source le16, type, access, PASID le32, address le64,
 * data le32, flags, 3 unused}, then the memory. */
#include "tests/vtd_oracle.h"

#include <stdlib.h>

enum { REGISTERS = 40, REQUEST = 24, REQUESTS_MAX = 16, READS_MAX = 4 * 39 };

enum {
	TRANSLATION = 1,
	REMAPPING = 2,
	COMPATIBILITY = 4,
	QUIRKS = 8,
	SET_ACCESSED = 16,
	/* of a request */
	PRIVILEGED = 1,
	ZERO_LENGTH = 2,
	MESSAGE = 4,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_registers(const uint8_t *data, struct vtd_tables *tables)
{
	*tables = (struct vtd_tables){
		.cap = get_le64(data),
		.ecap = get_le64(data + 8),
		.rtaddr = get_le64(data + 16),
		.irta = get_le64(data + 24),
		.translation = data[32] & TRANSLATION,
		.remapping = data[32] & REMAPPING,
		.compatibility = data[32] & COMPATIBILITY,
		.quirks = data[32] & QUIRKS ? VTD_QUIRKS_QEMU72 : VTD_QUIRKS_NONE,
		.set_accessed = data[32] & SET_ACCESSED,
		.version = data[33],
		.host_width = data[34] % 65,
	};
}

static void take_request(const uint8_t *data, struct iommu_request *request)
{
	uint32_t pasid = get_le32(data + 4);

	*request = (struct iommu_request){
		.source = get_le16(data),
		.type = data[2] % 3,
		.access = data[3] & 7,
		.pasid = pasid >> 20 ? IOMMU_NO_PASID : pasid,
		.address = get_le64(data + 8),
		.privileged = data[20] & PRIVILEGED,
		.zero_length = data[20] & ZERO_LENGTH,
	};
	if (request->zero_length)
		request->access = IOMMU_READ;
}

static void check_answer(const struct vtd_tables *tables, const struct iommu_answer *answer)
{
	must(answer->outcome == IOMMU_OK || answer->reason || !tables->translation);
	must(answer->outcome != IOMMU_OK || answer->reason == 0);
	must(vtd_reason_text(answer->reason) != vtd_reason_text(0xff));
	must(answer->outcome == IOMMU_OK || answer->rights == 0);
	must(answer->page_shift >= 12 && answer->page_shift <= 64);
}

/* The oracle looks at memory as it is before the walk; it knows neither quirks nor permission
 * tables. */
static void compare(const struct vtd_tables *tables, const struct iommu_answer *ours,
		    const struct iommu_answer *theirs)
{
	if (!tables->translation || tables->quirks || (tables->ecap >> 55 & 1) ||
	    ours->reason == 0x7d || ours->reason == 0x91)
		return;
	must(ours->outcome == theirs->outcome);
	must(ours->reason == theirs->reason);
	must(ours->rights == theirs->rights);
	must(ours->completion == theirs->completion);
	must(!theirs->rights || ours->address == theirs->address);
	must(!theirs->rights || ours->page_shift == theirs->page_shift);
}

static void walk_once(const struct vtd_tables *tables, struct physical *memory, const uint8_t *data)
{
	struct iommu_answer ours, theirs;
	struct iommu_request request;

	take_request(data, &request);
	oracle_walk(tables, &request, memory, &theirs);
	vtd_walk(tables, &request, NULL, &ours);
	check_answer(tables, &ours);
	compare(tables, &ours, &theirs);
}

static void remap_once(const struct vtd_tables *tables, const uint8_t *data)
{
	struct iommu_message message = { get_le16(data), get_le64(data + 8), get_le32(data + 16) };
	struct iommu_remapped remapped;

	vtd_remap(tables, &message, NULL, &remapped);
	must((remapped.outcome == IOMMU_OK) == (remapped.reason == 0));
	must(remapped.reason == 0 || (remapped.reason >= 0x20 && remapped.reason <= 0x2b));
}

static void check_memory(const struct physical *memory, const uint8_t *before)
{
	const uint64_t bits = 0x460 | 0x300; /* A, D and EA of both stages */

	for (uint64_t at = 0; at + 8 <= memory->size; at += 8) {
		uint64_t old = get_le64(before + at), now = get_le64(memory->bytes + at);

		must((old & ~now) == 0 && ((old ^ now) & ~bits) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct physical memory = { .reads = 0 };
	struct vtd_tables tables;
	unsigned count;
	uint8_t *bytes;
	size_t used;

	if (size < REGISTERS)
		return 0;
	count = data[35] % (REQUESTS_MAX + 1);
	used = REGISTERS + count * REQUEST;
	if (size < used + 8)
		return 0;
	/* Exactly as large as the input, so that a sanitizer sees every overrun. */
	bytes = malloc(size - used);
	must(bytes != NULL);
	physical_init(&memory, bytes, size - used);
	memcpy(bytes, data + used, size - used);
	take_registers(data, &tables);
	tables.memory = &memory.memory;
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *request = data + REGISTERS + i * REQUEST;

		memory.reads = 0;
		if (request[20] & MESSAGE)
			remap_once(&tables, request);
		else
			walk_once(&tables, &memory, request);
		must(memory.reads <= READS_MAX);
		must(!memory.crossed);
	}
	check_memory(&memory, data + used);
	free(bytes);
	return 0;
}
