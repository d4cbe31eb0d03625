/* spec/page_tables.h -- entries of the page tables that remapping units walk: 512 words of 8 bytes
 * to a table, little-endian.
 *
 * Intel VT-d architecture specification, chapter 9 "Translation structure formats"; AMD I/O
 * virtualization technology (IOMMU) specification, section 2.2.3 "I/O page tables".  Only what the
 * standards say. */
#ifndef SPEC_PAGE_TABLES_H
#define SPEC_PAGE_TABLES_H

enum {
	SPEC_TABLE_SIZE = 4096,
	SPEC_TABLE_ENTRIES = 512,
	SPEC_PAGE_SHIFT = 12,
	SPEC_LEVEL_SHIFT = 9, /* bits of the address that one level looks at */
};

/* Where every format keeps the address of a table or page: bits 51:12. */
#define SPEC_ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)

/* VT-d second-stage entries.  No right at all: not present. */
enum {
	SPEC_SECOND_READ = 1 << 0,
	SPEC_SECOND_WRITE = 1 << 1,
	SPEC_SECOND_EXECUTE = 1 << 2,
	SPEC_SECOND_PAGE = 1 << 7, /* PS: a page and not a table; levels 2 and 3 */
	SPEC_SECOND_ACCESSED = 1 << 8,
	SPEC_SECOND_DIRTY = 1 << 9,
};

/* VT-d first-stage entries: those of the processor. */
enum {
	SPEC_FIRST_PRESENT = 1 << 0,
	SPEC_FIRST_WRITE = 1 << 1,
	SPEC_FIRST_USER = 1 << 2,
	SPEC_FIRST_ACCESSED = 1 << 5,
	SPEC_FIRST_DIRTY = 1 << 6,
	SPEC_FIRST_PAGE = 1 << 7, /* PS; levels 2 and 3 */
};
#define SPEC_FIRST_EXECUTE_DISABLE (UINT64_C(1) << 63)

/* AMD's entries. */
enum {
	SPEC_AMD_PRESENT = 1 << 0,
	SPEC_AMD_ACCESSED = 1 << 5,
	SPEC_AMD_DIRTY = 1 << 6,
	SPEC_AMD_NEXT_LEVEL_SHIFT = 9, /* bits 11:9: level of the table it points at; */
	SPEC_AMD_NEXT_LEVEL = 7, /* 0: a page of its level's size, 7: of a size in the address */
};
#define SPEC_AMD_READ  (UINT64_C(1) << 61)
#define SPEC_AMD_WRITE (UINT64_C(1) << 62)

#endif
