/* prog/midplane_interrupts.h -- the interrupt remapping entries of a memory image, each asked for
 * as the function that it accepts would.
 *
 * Threads: one.  Memory: none. */
#ifndef PROG_MIDPLANE_INTERRUPTS_H
#define PROG_MIDPLANE_INTERRUPTS_H

#include "prog/midplane_iommu.h"

enum { INTERRUPT_SOURCE_MAX = 32 };

/* One entry that is present. */
struct interrupt {
	uint32_t index;
	uint64_t address; /* of the entry in memory */
	uint64_t words[2];
	struct iommu_remapped remapped; /* the answer to its own function */
};

/* Tells each entry that is present, in ascending order.  False when the table is not in memory from
 * *unreadable on. */
bool interrupts_list(const struct unit *unit,
		     void (*each)(void *context, const struct interrupt *interrupt), void *context,
		     uint64_t *unreadable);

/* Where the table is and how many entries it has. */
uint64_t interrupts_table(const struct unit *unit, uint32_t *count);

/* Whom an entry accepts: "00:1f.2", "00:02.0-7" (some function bits do not count), "buses 00-03",
 * "any". */
void interrupt_source(const struct interrupt *interrupt, char text[INTERRUPT_SOURCE_MAX]);

#endif
