/* os/table_memory.h -- memory for the tables of remapping units: pages whose physical addresses, as the units
 * and their software see them, are addresses of this process.
 *
 * Address space for all of it is reserved at once, so that whether an address is one of these pages is
 * one comparison; memory comes with the first use of a page and stays.
 *
 * Threads: pages are taken and given on the control thread; read, written and replaced from any.
 * Memory: allocated. */
#ifndef OS_TABLE_MEMORY_H
#define OS_TABLE_MEMORY_H

#include "iommu/builder.h"

struct table_memory;

/* Room for 'pages' pages of 4 KiB (at most 2^28).  0 or -errno. */
int table_memory_create(struct table_memory **memory, uint64_t pages);
/* NULL is nothing. */
void table_memory_destroy(struct table_memory *memory);

/* The pages one by one, for a table builder. */
const struct iommu_pages *table_memory_pages(struct table_memory *memory);
/* The same memory as a unit reads it. */
struct iommu_memory table_memory_of_unit(struct table_memory *memory);

/* 'count' pages of zeros in one piece, which stay taken.  0: no room is left. */
uint64_t table_memory_take_block(struct table_memory *memory, uint64_t count);

/* Pages in use. */
uint64_t table_memory_used(const struct table_memory *memory);

#endif
