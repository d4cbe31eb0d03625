/* tests/vtd_world.h -- tables of scalable mode for tests: one function whose requests, without
 * PASID or with one, go through a first stage, a second stage, both or neither to one page. */
#ifndef TESTS_VTD_WORLD_H
#define TESTS_VTD_WORLD_H

#include "iommu/vtd_internal.h"
#include "tests/check.h"
#include "tests/physical.h"

enum {
	MEMORY = 1 << 20,
	ROOT = 0x1000,
	LOWER = 0x2000,
	UPPER = 0x3000,
	DIRECTORY = 0x4000,
	PASIDS = 0x5000,
	S4 = 0x6000, /* second stage, by level */
	S3 = 0x7000,
	S2 = 0x8000,
	S1 = 0x9000,
	F1 = 0xa000, /* first stage, by level */
	F2 = 0xb000,
	F3 = 0xc000,
	F4 = 0xd000,
	F5 = 0xe000,
	SOURCE = 0x1a25,
	RID = 0x41, /* RID_PASID: directory entry 1, table entry 1 */
	PASID = 0x83,
	DOMAIN_ID = 0x1234,
};

#define RW      UINT64_C(3)
#define PRESENT UINT64_C(7) /* first stage: present, writable, user */
#define A       (UINT64_C(1) << 5)
#define D       (UINT64_C(1) << 6)
#define EA      (UINT64_C(1) << 10)
#define SA      (UINT64_C(1) << 8)
#define SD      (UINT64_C(1) << 9)
#define PS      (UINT64_C(1) << 7)
#define NOWHERE UINT64_C(0x40000000)
#define PAGE    UINT64_C(0x123456000)
#define IOVA    UINT64_C(0x7fdeadb123)
#define GUEST   UINT64_C(0x80000000) /* guest physical: our memory's pages are at GUEST + address */
#define GPAGE   (GUEST + 0x1f0000)   /* guest physical address of the final page */

static uint8_t bytes[MEMORY];

struct world {
	struct physical physical;
	struct vtd_tables tables;
	struct iommu_request request;
	struct iommu_answer answer;
	uint64_t entry; /* address of the PASID table entry in use */
};

static const int everything[] = {
	SPEC_VTD_ECAP_QI,   SPEC_VTD_ECAP_DT,     SPEC_VTD_ECAP_PT,     SPEC_VTD_ECAP_SC,
	SPEC_VTD_ECAP_MTS,  SPEC_VTD_ECAP_NEST,   SPEC_VTD_ECAP_PRS,    SPEC_VTD_ECAP_SRS,
	SPEC_VTD_ECAP_NWFS, SPEC_VTD_ECAP_EAFS,   SPEC_VTD_ECAP_PSS,    SPEC_VTD_ECAP_PASID,
	SPEC_VTD_ECAP_SMTS, SPEC_VTD_ECAP_SSADS,  SPEC_VTD_ECAP_SSTS,   SPEC_VTD_ECAP_FSTS,
	SPEC_VTD_ECAP_RPS,  SPEC_VTD_ECAP_SMPWCS, SPEC_VTD_ECAP_RPRIVS,
};

static inline uint64_t context_of(uint16_t source)
{
	return (source & 0x80 ? UPPER : LOWER) + (source & 0x7f) * 32;
}

static inline uint64_t at(uint64_t table, uint64_t address, unsigned level)
{
	return table + 8 * (address >> (12 + 9 * (level - 1)) & 511);
}

/* The PASID table entry: type, and tables of both stages. */
static inline void put_entry(struct world *world, uint32_t pasid, unsigned type)
{
	uint64_t first = type == SPEC_VTD_PGTT_NESTED ? GUEST + F4 : F4;

	world->entry = PASIDS + (pasid & 63) * 64;
	physical_put(&world->physical, DIRECTORY + (pasid >> 6) * 8, PASIDS | 1);
	physical_put(&world->physical, world->entry, S4 | type << 6 | 2 << 2 | 1);
	physical_put(&world->physical, world->entry + 8, DOMAIN_ID | UINT64_C(1) << 23);
	physical_put(&world->physical, world->entry + 16, first);
}

/* Second stage: GUEST and 2 MiB above it lead to the start of memory, and IOVA to PAGE. */
static inline void put_second(struct world *world)
{
	struct physical *p = &world->physical;

	physical_put(p, at(S4, GUEST, 4), S3 | RW);
	physical_put(p, at(S3, GUEST, 3), S2 | RW);
	physical_put(p, at(S2, GUEST, 2), S1 | RW);
	for (uint64_t page = 0; page < MEMORY; page += 4096)
		physical_put(p, at(S1, GUEST + page, 1), page | RW);
	physical_put(p, at(S1, GPAGE, 1), PAGE | RW);
	physical_put(p, at(S4, IOVA, 4), S3 | RW);
	physical_put(p, at(S3, IOVA, 3), S2 | RW);
	physical_put(p, at(S2, IOVA, 2), S1 | RW);
	physical_put(p, at(S1, IOVA, 1), PAGE | RW);
}

/* First stage: IOVA leads to PAGE, or nested to the guest physical GPAGE. */
static inline void put_first(struct world *world, unsigned type)
{
	uint64_t guest = type == SPEC_VTD_PGTT_NESTED ? GUEST : 0;
	struct physical *p = &world->physical;

	physical_put(p, at(F4, IOVA, 4), (guest + F3) | PRESENT);
	physical_put(p, at(F3, IOVA, 3), (guest + F2) | PRESENT);
	physical_put(p, at(F2, IOVA, 2), (guest + F1) | PRESENT);
	physical_put(p, at(F1, IOVA, 1), (guest ? GPAGE : PAGE) | PRESENT);
}

static inline void set_up(struct world *world, unsigned type)
{
	physical_init(&world->physical, bytes, MEMORY);
	world->tables = (struct vtd_tables){
		.cap = 6 | (uint64_t)0xe << 8 | (uint64_t)47 << 16 | UINT64_C(1) << 22 |
		       UINT64_C(3) << 34 | field_mask(SPEC_VTD_CAP_FS1GP) |
		       field_mask(SPEC_VTD_CAP_FS5LP),
		.rtaddr = ROOT | 1 << 10,
		.translation = true,
		.set_accessed = true,
		.memory = &world->physical.memory,
	};
	for (unsigned i = 0; i < array_len(everything); i++)
		world->tables.ecap |= field_mask(everything[i]);
	world->tables.ecap = field_put(world->tables.ecap, SPEC_VTD_ECAP_PSS, 19);
	world->request = (struct iommu_request){
		.source = SOURCE, .access = IOMMU_READ, .pasid = IOMMU_NO_PASID, .address = IOVA
	};
	physical_put(&world->physical, ROOT + 0x1a * 16, LOWER | 1);
	physical_put(&world->physical, ROOT + 0x1a * 16 + 8, UPPER | 1);
	physical_put(&world->physical, context_of(SOURCE), DIRECTORY | 1 << 2 | 1 << 3 | 1);
	physical_put(&world->physical, context_of(SOURCE) + 8, RID);
	put_entry(world, RID, type);
	put_second(world);
	put_first(world, type);
}

static inline void walk(struct world *world)
{
	vtd_walk(&world->tables, &world->request, NULL, &world->answer);
	assert_false(world->physical.crossed);
}

static inline void expect(struct world *world, uint64_t address)
{
	walk(world);
	assert_int_equal(world->answer.reason, 0);
	assert_int_equal(world->answer.outcome, IOMMU_OK);
	assert_int_equal(world->answer.address, address);
}

static inline void expect_fault(struct world *world, enum spec_vtd_reason reason)
{
	walk(world);
	assert_int_equal(world->answer.reason, reason);
	assert_int_equal(world->answer.outcome, IOMMU_FAULT);
}

/* Exchanges one word of a table for the walk that 'reason' comes from. */
static inline void expect_with(struct world *world, uint64_t address, uint64_t word,
			       enum spec_vtd_reason reason)
{
	uint64_t before = physical_get(&world->physical, address);

	physical_put(&world->physical, address, word);
	walk(world);
	assert_int_equal(world->answer.reason, reason);
	physical_put(&world->physical, address, before);
}

#endif
