/* prog/midplane_iommu.h -- what the iommu commands share: opening what the command line names, and
 * telling the steps of a walk.
 *
 * Threads: one.  Memory: iommu_close gives it back. */
#ifndef PROG_MIDPLANE_IOMMU_H
#define PROG_MIDPLANE_IOMMU_H

#include "prog/midplane.h"
#include "prog/midplane_unit.h"

/* Opens what --memory, --registers, --format, --quirks and --host-width name; complains when that
 * fails. needs: enum unit_needs, ored.  Close it in any case. */
enum midplane_exit iommu_open(const struct call *call, unsigned needs, struct unit *unit);
/* Closes; 'code', or MIDPLANE_REFUSED after a complaint when reading the image failed on the way.
 */
enum midplane_exit iommu_close(const struct call *call, struct unit *unit, enum midplane_exit code);

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
