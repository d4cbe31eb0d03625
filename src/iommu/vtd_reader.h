/* iommu/vtd_reader.h -- a worker's caches in a VT-d unit beside those of iommu/reader.h: where
 * sources and PASIDs lead (context cache, PASID cache), and where lower tables are
 * (paging-structure cache). Only for files of this folder.
 *
 * Threads: the worker's own. */
#ifndef IOMMU_VTD_READER_H
#define IOMMU_VTD_READER_H

#include "iommu/vtd_unit.h"

enum {
	VTD_READER_CONTEXTS = 64,
	VTD_READER_TABLES = 128, /* of each of two levels */
};

/* Context cache and PASID cache in one: what a request of this source, PASID and type meets before
 * any page table. */
struct vtd_context {
	cache_aligned uint64_t key; /* reader_key() */
	uint64_t stamp;
	const struct tlb_marks *marks;
	struct vtd_stages stages;
	bool privileged;
};

/* A page table: the one of level 1 (2 MiB) or level 2 (1 GiB) that a prefix of addresses leads to.
 */
struct vtd_table {
	uint64_t root;	 /* top table of the address space, with the kind of tables in bit 0 */
	uint64_t prefix; /* address without the bits that this table and those below translate */
	uint64_t stamp;
	const struct tlb_marks *marks;
	uint64_t table;
	uint32_t rights; /* what the entries on the way allow, as vtd_fast.c has it */
};

/* What the tables look like, worked out once for each change of mode. */
struct vtd_fast {
	bool second, first;	    /* whether there is a short way */
	uint64_t table_reserved;    /* second stage, not a leaf */
	uint64_t leaf_reserved[4];  /* second stage, by level */
	uint64_t first_reserved[4]; /* first-stage leaf, by level */
	uint64_t first_table_reserved;
	unsigned mgaw;
};

struct vtd_reader {
	struct reader base; /* first: alignment, and vtd_translate() begins here */
	struct vtd *vtd;
	unsigned index;
	uint64_t mode_version;
	struct vtd_mode mode;
	struct vtd_tables tables;
	struct vtd_fast fast;
	struct vtd_reader_counts counts;
	struct vtd_context contexts[VTD_READER_CONTEXTS];
	struct vtd_table tables_at[2][VTD_READER_TABLES]; /* level 1, level 2 */
};

/* vtd_reader.c: what vtd_translate() does with a request that is not at hand. */
void vtd_look_further(struct vtd_reader *reader, const struct iommu_request *request,
		      struct iommu_answer *answer);

/* vtd_fast.c */
void vtd_fast_init(struct vtd_reader *reader);
/* Walks page tables of which every entry is present, in order, and needs no bits set.  False: not
 * so, or there is no short way for them; the long way (vtd_walk.h) knows what is wrong. */
bool vtd_fast_walk(struct vtd_reader *reader, const struct vtd_context *context,
		   const struct iommu_request *request, struct vtd_leaf *leaf);

#endif
