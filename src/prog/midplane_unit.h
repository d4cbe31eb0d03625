/* prog/midplane_unit.h -- a remapping unit as it is found in files: its format, its registers, the
 * machine's memory; and the questions that one asks it whatever the format is.
 *
 * Threads: one.  Memory: unit_fini gives it back. */
#ifndef PROG_MIDPLANE_UNIT_H
#define PROG_MIDPLANE_UNIT_H

#include "iommu/amdvi_walk.h"
#include "iommu/vtd_walk.h"
#include "store/memory_image.h"
#include "store/unit_registers.h"

enum unit_format { UNIT_VTD, UNIT_AMD };

/* Which registers a command cannot do without. */
enum unit_needs { UNIT_NEEDS_TRANSLATION = 1, UNIT_NEEDS_REMAPPING = 2 };

struct unit {
	enum unit_format format;
	struct memory_image *image; /* NULL: memory is somebody else's */
	struct iommu_memory memory;
	struct vtd_tables vtd;
	struct amdvi_tables amd;
	/* VT-d: protected memory, low and high; nothing is when first > last. */
	struct {
		uint64_t first, last;
	} protected_memory[2];
	bool has_remapping; /* the registers name an interrupt remapping table, or need not */
};

/* Reads what decides how tables are meant.  needs: enum unit_needs, ored.  0, or a negative errno
 * and 'why' says which register is missing or wrong. */
int unit_read_registers(struct unit *unit, const struct unit_registers *registers, unsigned needs,
			struct refusal *why);

/* Opens the image.  Results as memory_image_open. */
int unit_open_image(struct unit *unit, const char *path, struct refusal *why);
void unit_fini(struct unit *unit);

/* Width of physical addresses, in bits, where no register says it. */
void unit_set_host_width(struct unit *unit, unsigned bits);

/* The questions, as vtd_walk.h and amdvi_walk.h have them. */
void unit_walk(const struct unit *unit, const struct iommu_request *request,
	       const struct iommu_trace *trace, struct iommu_answer *answer);
/* The part of a page of 2^'page_shift' bytes that one entry speaks for, as a shift: AMD's pages of
 * other sizes have an entry for each page of the level below (AMD I/O virtualization, 2.2.3), and
 * nothing makes them agree. */
unsigned unit_entry_shift(const struct unit *unit, unsigned page_shift);
/* Whether an answer that came without page tables leads into protected memory, which the unit then
 * blocks without a report (VT-d, PMEN, section 11.4.8). */
bool unit_is_protected(const struct unit *unit, const struct iommu_answer *answer);
void unit_remap(const struct unit *unit, const struct iommu_message *message,
		const struct iommu_trace *trace, struct iommu_remapped *remapped);
const char *unit_reason_text(const struct unit *unit, unsigned reason);

/* Whether a reason only says that there is nothing, or not for this access; else something is
 * wrong. */
bool unit_reason_is_nothing(const struct unit *unit, unsigned reason);

/* Whether the answer to a message came from an entry of the interrupt remapping table, so that its
 * index means something. */
bool unit_remap_uses_entry(const struct unit *unit, const struct iommu_message *message);

/* How many walks a listing of all that the image maps may take: some for each word of it, which is
 * enough for tables that are no trap. */
uint64_t unit_walks_enough(const struct unit *unit);

#endif
