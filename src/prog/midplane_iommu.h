/* prog/midplane_iommu.h -- the unit that the iommu commands ask: a memory image, registers, and
 * what is behind both.
 *
 * Threads: one.  Memory: unit_close gives it back. */
#ifndef PROG_MIDPLANE_IOMMU_H
#define PROG_MIDPLANE_IOMMU_H

#include "iommu/vtd_walk.h"
#include "prog/midplane.h"
#include "store/memory_image.h"
#include "store/unit_registers.h"

/* Which registers a command cannot do without. */
enum unit_needs { UNIT_NEEDS_TRANSLATION = 1, UNIT_NEEDS_REMAPPING = 2 };

struct unit {
	struct memory_image *image;
	struct unit_registers *registers;
	struct iommu_memory memory;
	struct vtd_tables tables;
	bool has_remapping; /* the registers name an interrupt remapping table */
};

/* Opens what --memory, --registers and --quirks name; complains when that fails.  needs: enum
 * unit_needs, ored.  Close it in any case. */
enum midplane_exit unit_open(const struct call *call, unsigned needs, struct unit *unit);
/* Closes; 'code', or MIDPLANE_REFUSED after a complaint when reading the image failed on the way.
 */
enum midplane_exit unit_close(const struct call *call, struct unit *unit, enum midplane_exit code);

/* How many walks a listing of all that the image maps may take: some for each word of it, which is
 * enough for tables that are no trap. */
uint64_t unit_walks_enough(const struct unit *unit);

/* "0x12f000", for JSON, where numbers have no 64 bits. */
json_t *iommu_json_hex(uint64_t value);
void iommu_print_json(json_t *json); /* and gives it back */

/* The steps of a walk as they are told: printed for people, or collected. */
struct steps {
	const struct call *call;
	json_t *list; /* with -o json */
};
struct iommu_trace steps_trace(struct steps *steps);

#endif
