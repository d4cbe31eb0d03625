/* prog/midplane_interrupts.h -- the interrupt remapping entries of a memory image, each asked for
 * as the function that it accepts would.
 *
 * Threads: one.  Memory: none. */
#ifndef PROG_MIDPLANE_INTERRUPTS_H
#define PROG_MIDPLANE_INTERRUPTS_H

#include "prog/midplane_unit.h"

enum { INTERRUPT_SOURCE_MAX = 40 };

/* A table of entries: VT-d's one, or AMD's for each function. */
struct interrupt_table {
	bool of_one; /* only the messages of 'source' come here */
	uint16_t source;
	uint64_t address;
	uint32_t count;	     /* of entries that a message can name */
	uint32_t entry_size; /* bytes */
};

/* One entry that is present. */
struct interrupt {
	uint32_t index;
	uint64_t address; /* of the entry in memory */
	uint64_t words[2];
	struct iommu_remapped remapped; /* the answer to its own function */
};

struct interrupts_visitor {
	void (*table)(void *context, const struct interrupt_table *table); /* before its entries */
	void (*entry)(void *context, const struct interrupt_table *table,
		      const struct interrupt *interrupt);
	/* The table is not in memory from 'address' on. */
	void (*unreadable)(void *context, const struct interrupt_table *table, uint64_t address);
	void *context;
};

/* Tells every table, and each entry that is present in ascending order. */
void interrupts_visit(const struct unit *unit, const struct interrupts_visitor *visitor);

/* Whom an entry accepts: "00:1f.2", "00:02.0 or bit 2 other" (some function bits do not count),
 * "buses 00-03", "any". */
void interrupt_source(const struct interrupt_table *table, const struct interrupt *interrupt,
		      char text[INTERRUPT_SOURCE_MAX]);
/* Whether it accepts the messages of every function. */
bool interrupt_is_for_any(const struct interrupt_table *table, const struct interrupt *interrupt);

#endif
