/* tests/amdvi_world.h -- AMD tables for tests: one device, whose requests go through page tables of
 * four levels to one page, and whose interrupts go through a table of 32 entries. */
#ifndef TESTS_AMDVI_WORLD_H
#define TESTS_AMDVI_WORLD_H

#include "iommu/amdvi_walk.h"
#include "spec/amdvi.h"
#include "tests/check.h"
#include "tests/physical.h"

enum {
	MEMORY = 1 << 20,
	TABLES = 0x1000, /* of level n: at n times this */
	INTERRUPTS = 0x8000,
	DEVICES = 0x20000,
	DEVICE_PAGES = 0x20, /* 4096 devices */
	SOURCE = 0x0a25,
	DOMAIN_ID = 0x1234,
	LEVELS = 4,
};

#define RW      (UINT64_C(3) << 61)
#define PAGE    UINT64_C(0x1234567800000)
#define NOWHERE UINT64_C(0x40000000)
#define IOVA    UINT64_C(0x7fdeadbeb123)

static uint8_t bytes[MEMORY];

struct world {
	struct physical physical;
	struct amdvi_tables tables;
	struct iommu_request request;
	struct iommu_answer answer;
	struct iommu_message message;
	struct iommu_remapped remapped;
};

static inline uint64_t table_of(unsigned level)
{
	return (uint64_t)level * TABLES;
}

static inline unsigned shift_of(unsigned level)
{
	return 12 + (level - 1) * 9;
}

/* Where the entry of this level for an address is. */
static inline uint64_t entry_at(unsigned level, uint64_t address)
{
	return table_of(level) + (address >> shift_of(level) & 511) * 8;
}

static inline uint64_t directory(uint64_t table, unsigned next_level)
{
	return table | RW | 1 | (uint64_t)next_level << 9;
}

static inline uint64_t device_at(unsigned word)
{
	return DEVICES + SOURCE * SPEC_AMDVI_DTE_SIZE + word * 8;
}

static inline void put_device(struct world *world, unsigned word, uint64_t value)
{
	physical_put(&world->physical, device_at(word), value);
}

static inline void set_in_device(struct world *world, unsigned word, uint64_t bits)
{
	put_device(world, word, physical_get(&world->physical, device_at(word)) | bits);
}

static inline void clear_in_device(struct world *world, unsigned word, uint64_t bits)
{
	put_device(world, word, physical_get(&world->physical, device_at(word)) & ~bits);
}

static inline void put_entry(struct world *world, unsigned level, uint64_t entry)
{
	physical_put(&world->physical, entry_at(level, world->request.address), entry);
}

/* Tables from the level 'top' down to a page of 4 KiB, for the request's address. */
static inline void put_tables(struct world *world, unsigned top)
{
	put_device(world, 0, table_of(top) | RW | 3 | (uint64_t)top << 9);
	for (unsigned level = top; level > 1; level--)
		put_entry(world, level, directory(table_of(level - 1), level - 1));
	put_entry(world, 1, PAGE | RW | 1);
}

static inline void set_up(struct world *world)
{
	*world = (struct world){
		.tables = { .features = field_make(SPEC_AMDVI_EFR_HATS, 2),
			    .control = field_mask(SPEC_AMDVI_CONTROL_IOMMU_EN),
			    .device_tables = { DEVICES | (DEVICE_PAGES - 1) } },
		.request = { .source = SOURCE,
			     .access = IOMMU_READ,
			     .pasid = IOMMU_NO_PASID,
			     .address = IOVA },
		.message = { .source = SOURCE, .address = 0xfee00000, .data = 0x4005 },
	};
	physical_init(&world->physical, bytes, sizeof bytes);
	world->tables.memory = &world->physical.memory;
	put_device(world, 1, DOMAIN_ID);
	put_device(world, 2, INTERRUPTS | 1 | 5 << 1 | UINT64_C(2) << 60);
	put_tables(world, LEVELS);
}

/* The flags of an event that these tests write in full. */
static inline unsigned event(unsigned code, unsigned flags)
{
	return code << 12 | flags;
}

static inline void walk(struct world *world)
{
	world->physical.reads = 0;
	amdvi_walk(&world->tables, &world->request, NULL, &world->answer);
	assert_false(world->physical.crossed);
}

#endif
