/* iommu/vtd_walk.h -- Intel VT-d: what tables in memory say about one request or one interrupt,
 * walked from the root every time (Virtualization Technology for Directed I/O, architecture
 * specification, sections 3 "DMA remapping", 5 "interrupt remapping", 7 "fault handling", 9
 * "entries").
 *
 * What it is not: it keeps nothing.  Registers, caches, queues and fault logs are of vtd.h, which
 * walks with this on a miss; the tool walks images with it.
 *
 * Threads: any; all state is in the arguments.  Memory: none. */
#ifndef IOMMU_VTD_WALK_H
#define IOMMU_VTD_WALK_H

#include "iommu/request.h"

/* Departures from the specification of implementations that one may want to compare with. */
enum vtd_quirks {
	VTD_QUIRKS_NONE,
	VTD_QUIRKS_QEMU72, /* QEMU 7.2's intel-iommu; docs/iommu-walk.md lists each */
};

/* The registers that decide what tables mean, as values (section 11.4). */
struct vtd_tables {
	uint64_t cap, ecap; /* capabilities: widths, page sizes, which bits are reserved */
	uint8_t version;    /* VER: 0x10 is 1.0; from 0x80 on, execute requests fault early */
	uint8_t host_width; /* HAW: bits of a host physical address (ACPI's DMAR table); 0: as MGAW
			     */
	uint64_t rtaddr;    /* root table address register: address and translation table mode */
	uint64_t irta;      /* interrupt remapping table address register */
	bool translation;   /* GSTS.TES: off passes every request through */
	bool remapping;     /* GSTS.IRES */
	bool compatibility; /* GSTS.CFIS: compatibility-format interrupts pass */
	enum vtd_quirks quirks;
	bool set_accessed; /* write accessed and dirty bits where the tables enable them */
	const struct iommu_memory *memory;
};

/* The answer to one request (section 3, 4.2; faults: table 30 in section 7.1.3).
 *
 * trace   told each entry that is read; NULL: nobody
 *
 * A translation request (type 1) that table 30 answers with success is OK, with what is granted in
 * rights, maybe 0.  Its access is IOMMU_READ when its no-write flag is set, else IOMMU_READ |
 * IOMMU_WRITE.
 *
 * A write without PASID to FEExxxxxh is an interrupt if it has 4 bytes (section 3.15) and then one
 * for vtd_remap(); here such a write is refused as no valid interrupt. */
void vtd_walk(const struct vtd_tables *tables, const struct iommu_request *request,
	      const struct iommu_trace *trace, struct iommu_answer *answer);

/* The answer to one interrupt message, whose address lies in FEExxxxxh (section 5.1).
 *
 * A remapped message has the form that processors take (section 5.1.2.1): address FEEh, destination
 * 7:0 in bits 19:12, redirection hint in 3, destination mode in 2; in x2APIC mode destination 31:8
 * in bits 63:40, as in figure 5-6; data with vector, delivery mode, trigger mode, and level
 * "asserted". */
void vtd_remap(const struct vtd_tables *tables, const struct iommu_message *message,
	       const struct iommu_trace *trace, struct iommu_remapped *remapped);

/* The message that an I/O APIC sends for a redirection table entry (section 5.1.5.1; 'rte' is its
 * 64 bits). False: the entry is masked and sends none.  With the format bit (48) set it is a
 * message in remappable format; else one in compatibility format. */
bool vtd_ioapic_message(uint16_t source, uint64_t rte, struct iommu_message *message);

/* What a reason code means, in the words of section 7; never NULL. */
const char *vtd_reason_text(unsigned reason);

#endif
