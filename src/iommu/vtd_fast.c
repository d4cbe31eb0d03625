#include "iommu/vtd_reader.h"

#include "base/bytes.h"

#include <string.h>

/* The short way through page tables that are as they nearly always are.  It refuses nothing: what
 * it does not like goes the long way, which alone knows reasons, quirks, and bits that must be set.
 */

/* vtd_table.rights */
enum { SECOND_READ = 1, SECOND_WRITE = 2, FIRST_WRITE = 1, FIRST_USER = 2 };

enum { KIND_SECOND, KIND_FIRST };

void vtd_fast_init(struct vtd_reader *reader)
{
	const struct vtd_tables *tables = &reader->tables;
	static const struct iommu_request none = { .pasid = IOMMU_NO_PASID };
	struct vtd_fast *fast = &reader->fast;
	bool snoop = field_is_set(tables->ecap, SPEC_VTD_ECAP_SC);
	bool transient = field_is_set(tables->ecap, SPEC_VTD_ECAP_DT);
	uint64_t sizes = field_get(tables->cap, SPEC_VTD_CAP_SSLPS), beyond, leaf;
	struct vtd_walk walk;

	vtd_walk_init(&walk, tables, &none, NULL);
	beyond = vtd_beyond_host_51(&walk);
	leaf = beyond | (snoop ? 0 : field_mask(SPEC_VTD_SS_SNP)) |
	       (transient ? 0 : field_mask(SPEC_VTD_SS_TM));
	*fast = (struct vtd_fast){
		.second = tables->quirks == VTD_QUIRKS_NONE &&
			  !field_is_set(tables->rtaddr, SPEC_VTD_RTADDR_SSIRWE),
		/* Execute rights (revision 3) are for the long way. */
		.first = tables->quirks == VTD_QUIRKS_NONE &&
			 !field_is_set(tables->ecap, SPEC_VTD_ECAP_ERS),
		.table_reserved = beyond | field_mask(SPEC_VTD_SS_SNP) | field_mask(SPEC_VTD_SS_TM),
		.leaf_reserved = { 0, leaf,
				   leaf | field_mask(SPEC_VTD_SS_RESERVED_2M) |
					   (sizes & 1 ? 0 : field_mask(SPEC_VTD_SS_PS)),
				   leaf | field_mask(SPEC_VTD_SS_RESERVED_1G) |
					   (sizes & 2 ? 0 : field_mask(SPEC_VTD_SS_PS)) },
		.first_table_reserved = beyond,
		.first_reserved = { 0, beyond, beyond | field_mask(SPEC_VTD_FS_RESERVED_2M),
				    beyond | field_mask(SPEC_VTD_FS_RESERVED_1G) |
					    (field_is_set(tables->cap, SPEC_VTD_CAP_FS1GP)
						     ? 0
						     : field_mask(SPEC_VTD_FS_PS)) },
		.mgaw = (unsigned)field_get(tables->cap, SPEC_VTD_CAP_MGAW) + 1,
	};
}

static unsigned shift_of(unsigned level)
{
	return SPEC_VTD_PAGE_SHIFT + (level - 1) * SPEC_VTD_LEVEL_BITS;
}

/* One way through tables; its helpers are inlined, so that it stays in registers. */
struct way {
	uint64_t root; /* as vtd_table.root */
	uint64_t table;
	unsigned level;
	uint32_t rights;
};

static always_inline struct vtd_table *slot_of(struct vtd_reader *reader, uint64_t root,
					       uint64_t address, unsigned level)
{
	uint64_t prefix = address >> shift_of(level + 1);
	uint64_t hash = prefix ^ (root >> 12) * 0x9d;

	return &reader->tables_at[level - 1][(hash ^ hash >> 7) % VTD_READER_TABLES];
}

/* Begins at the lowest table that is known. */
static always_inline void skip(struct vtd_reader *reader, uint64_t address, struct way *way)
{
	for (unsigned level = 1; level <= 2 && level < way->level; level++) {
		const struct vtd_table *known = slot_of(reader, way->root, address, level);

		if (known->root != way->root || known->prefix != address >> shift_of(level + 1) ||
		    !known->marks || !tlb_alive(&known->marks->tables, known->stamp))
			continue;
		way->table = known->table;
		way->level = level;
		way->rights = known->rights;
		return;
	}
}

/* Goes down to 'table', and remembers it. */
static always_inline void go_down(struct vtd_reader *reader, const struct vtd_context *context,
				  uint64_t address, uint64_t table, struct way *way)
{
	way->table = table;
	way->level--;
	if (way->level > 2)
		return;
	*slot_of(reader, way->root, address, way->level) = (struct vtd_table){
		.root = way->root,
		.prefix = address >> shift_of(way->level + 1),
		.stamp = reader->base.stamp,
		.marks = context->marks,
		.table = table,
		.rights = way->rights,
	};
}

static always_inline bool read_entry(const struct iommu_memory *memory, const struct way *way,
				     uint64_t address, uint64_t *entry)
{
	uint64_t at = way->table + (address >> shift_of(way->level) & 511) * 8, word;
	const _Atomic uint64_t *there;
	uint8_t bytes[8];

	if (memory->word) {
		there = memory->word(memory->context, at);
		if (!there)
			return false;
		word = atomic_load_explicit((_Atomic uint64_t *)there, memory_order_acquire);
		memcpy(bytes, &word, sizeof bytes);
	} else if (!memory->read(memory->context, at, bytes, sizeof bytes)) {
		return false;
	}
	*entry = get_le64(bytes);
	return true;
}

static bool second_stage(struct vtd_reader *reader, const struct vtd_context *context,
			 const struct iommu_request *request, struct vtd_leaf *leaf)
{
	const struct vtd_stages *stages = &context->stages;
	const struct iommu_memory *memory = reader->tables.memory;
	const struct vtd_fast *fast = &reader->fast;
	uint64_t address = request->address, entry, offset;
	/* Bits that the entries must have already, if they must have them. */
	uint64_t table_bits = stages->second_dirty ? field_mask(SPEC_VTD_SS_A) : 0;
	uint64_t leaf_bits = table_bits;
	struct way way = { stages->second_table | KIND_SECOND, stages->second_table,
			   stages->second_levels, SECOND_READ | SECOND_WRITE };

	if (!fast->second || address >> min_u32(fast->mgaw, shift_of(way.level + 1)))
		return false;
	if (stages->second_dirty && (request->access & IOMMU_WRITE))
		leaf_bits |= field_mask(SPEC_VTD_SS_D);
	for (skip(reader, address, &way);;) {
		if (!read_entry(memory, &way, address, &entry))
			return false;
		way.rights &= (uint32_t)entry;
		if (!way.rights)
			return false;
		if (way.level == 1 || (way.level <= 3 && field_is_set(entry, SPEC_VTD_SS_PS)))
			break;
		if (entry & (fast->table_reserved | field_mask(SPEC_VTD_SS_PS)) ||
		    (entry & table_bits) != table_bits)
			return false;
		go_down(reader, context, address, entry & field_mask(SPEC_VTD_SS_ADDR), &way);
	}
	if (entry & fast->leaf_reserved[way.level] || (entry & leaf_bits) != leaf_bits)
		return false;
	offset = (UINT64_C(1) << shift_of(way.level)) - 1;
	*leaf = (struct vtd_leaf){
		.address = (entry & field_mask(SPEC_VTD_SS_ADDR) & ~offset) | (address & offset),
		.rights = (uint8_t)way.rights,
		.page_shift = (uint8_t)shift_of(way.level),
		.snoop = field_is_set(entry, SPEC_VTD_SS_SNP),
		.transient = field_is_set(entry, SPEC_VTD_SS_TM),
	};
	return true;
}

static bool is_canonical(uint64_t address, unsigned levels)
{
	uint64_t high = address >> (shift_of(levels + 1) - 1);

	return high == 0 || high == UINT64_MAX >> (shift_of(levels + 1) - 1);
}

static bool first_stage(struct vtd_reader *reader, const struct vtd_context *context,
			const struct iommu_request *request, struct vtd_leaf *leaf)
{
	const uint64_t used = field_mask(SPEC_VTD_FS_P) | field_mask(SPEC_VTD_FS_A);
	const struct vtd_stages *stages = &context->stages;
	const struct iommu_memory *memory = reader->tables.memory;
	const struct vtd_fast *fast = &reader->fast;
	uint64_t address = request->address, entry, offset;
	struct way way = { stages->first_table | KIND_FIRST, stages->first_table,
			   stages->first_levels, FIRST_WRITE | FIRST_USER };
	bool writes;

	if (!fast->first || stages->extended_accessed ||
	    !is_canonical(address, stages->first_levels))
		return false;
	for (skip(reader, address, &way);;) {
		if (!read_entry(memory, &way, address, &entry) || (entry & used) != used)
			return false;
		way.rights &= (field_is_set(entry, SPEC_VTD_FS_RW) ? FIRST_WRITE : 0) |
			      (field_is_set(entry, SPEC_VTD_FS_US) ? FIRST_USER : 0);
		if (way.level == 1 || (way.level <= 3 && field_is_set(entry, SPEC_VTD_FS_PS)))
			break;
		if (entry & (fast->first_table_reserved | field_mask(SPEC_VTD_FS_PS)))
			return false;
		go_down(reader, context, address, entry & field_mask(SPEC_VTD_FS_ADDR), &way);
	}
	writes = way.rights & FIRST_WRITE || (context->privileged && !stages->write_protect);
	if (entry & fast->first_reserved[way.level] ||
	    (!(way.rights & FIRST_USER) && !context->privileged) ||
	    (writes && (request->access & IOMMU_WRITE) && !field_is_set(entry, SPEC_VTD_FS_D)))
		return false;
	offset = (UINT64_C(1) << shift_of(way.level)) - 1;
	*leaf = (struct vtd_leaf){
		.address = (entry & field_mask(SPEC_VTD_FS_ADDR) & ~offset) | (address & offset),
		.rights = (uint8_t)(IOMMU_READ | (writes ? IOMMU_WRITE : 0)),
		.page_shift = (uint8_t)shift_of(way.level),
	};
	return true;
}

bool vtd_fast_walk(struct vtd_reader *reader, const struct vtd_context *context,
		   const struct iommu_request *request, struct vtd_leaf *leaf)
{
	switch (context->stages.type) {
	case VTD_SECOND_STAGE:
		return second_stage(reader, context, request, leaf);
	case VTD_FIRST_STAGE:
		return first_stage(reader, context, request, leaf);
	default:
		return false;
	}
}
