/* fuzz/iommu_amdvi_fuzz.c -- AMD tables written by hostile software: the input is a unit's
 * registers, requests and interrupt messages, and the memory that the tables are in.  Every answer
 * is that of a second reading of the specification, no access leaves memory or a page, reads are
 * bounded, and nothing is written but accessed and dirty bits.
 *
 * Input: registers of 104 bytes {features, control, exclusion base and limit, device tables 0 to 7
 * le64; flags, number of requests, 6 unused}, requests of 24 bytes {source le16, type, access,
 * PASID le32, address le64, data le32, flags, 3 unused}, then the memory. */
#include "tests/amdvi_oracle.h"

#include <stdlib.h>

enum { REGISTERS = 104, REQUEST = 24, REQUESTS_MAX = 16, READS_MAX = 1 + 4 * 6 };

enum {
	SET_ACCESSED = 1,
	/* of a request */
	MESSAGE = 4,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_registers(const uint8_t *data, struct amdvi_tables *tables)
{
	*tables = (struct amdvi_tables){
		.features = get_le64(data),
		.control = get_le64(data + 8),
		.exclusion_base = get_le64(data + 16),
		.exclusion_limit = get_le64(data + 24),
		.set_accessed = data[96] & SET_ACCESSED,
	};
	for (unsigned i = 0; i < array_len(tables->device_tables); i++)
		tables->device_tables[i] = get_le64(data + 32 + 8 * i);
}

static void walk_once(const struct amdvi_tables *tables, struct physical *memory,
		      const uint8_t *data)
{
	uint32_t pasid = get_le32(data + 4);
	struct iommu_request request = {
		.source = get_le16(data),
		.type = data[2] % 3,
		.access = data[3] & 7,
		.pasid = pasid >> 20 ? IOMMU_NO_PASID : pasid,
		.address = get_le64(data + 8),
	};
	struct iommu_answer ours, theirs;

	/* The second reading looks at memory as it is before the walk, which is all the same. */
	amd_oracle_walk(tables, &request, memory, &theirs);
	amdvi_walk(tables, &request, NULL, &ours);
	must(ours.outcome == theirs.outcome);
	must(ours.reason == theirs.reason);
	must(ours.rights == theirs.rights);
	must(ours.completion == theirs.completion);
	must(ours.domain == theirs.domain);
	must(!theirs.rights ||
	     (ours.address == theirs.address && ours.page_shift == theirs.page_shift));
	must(ours.page_shift >= 12 && ours.page_shift <= 64);
	must(amdvi_reason_text(ours.reason) != NULL);
}

static void remap_once(const struct amdvi_tables *tables, struct physical *memory,
		       const uint8_t *data)
{
	struct iommu_message message = { get_le16(data), get_le64(data + 8), get_le32(data + 16) };
	struct iommu_remapped ours, theirs;

	amd_oracle_remap(tables, &message, memory, &theirs);
	amdvi_remap(tables, &message, NULL, &ours);
	must(ours.outcome == theirs.outcome);
	must(ours.reason == theirs.reason);
	must(ours.index == theirs.index);
	must(ours.outcome != IOMMU_OK ||
	     (ours.posted == theirs.posted && ours.address == theirs.address &&
	      ours.data == theirs.data && ours.descriptor == theirs.descriptor));
}

static void check_memory(const struct physical *memory, const uint8_t *before)
{
	for (uint64_t at = 0; at + 8 <= memory->size; at += 8) {
		uint64_t old = get_le64(before + at), now = get_le64(memory->bytes + at);

		must((old & ~now) == 0 && ((old ^ now) & ~UINT64_C(0x60)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct physical memory = { .reads = 0 };
	struct amdvi_tables tables;
	unsigned count;
	uint8_t *bytes;
	size_t used;

	if (size < REGISTERS)
		return 0;
	count = data[97] % (REQUESTS_MAX + 1);
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
			remap_once(&tables, &memory, request);
		else
			walk_once(&tables, &memory, request);
		must(memory.reads <= READS_MAX);
		must(!memory.crossed);
	}
	check_memory(&memory, data + used);
	free(bytes);
	return 0;
}
