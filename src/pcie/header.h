/* pcie/header.h -- the first 64 bytes: type 0 (endpoint) and type 1 (bridge) headers, and BARs.
 *
 * Threads: whoever builds the kind.  Memory: none kept. */
#ifndef PCIE_HEADER_H
#define PCIE_HEADER_H

#include "pcie/kind.h"

enum { PCIE_BARS_MAX = 6, PCIE_BAR_SIZE_MIN = 4096 };

/* Memory BARs, 64-bit and prefetchable, so that any window can hold them: BAR 2n takes the words
 * 2n and 2n+1.  Sizes in bytes: 0 for none, else a power of two from PCIE_BAR_SIZE_MIN on. */
struct pcie_bars {
	uint64_t size[PCIE_BARS_MAX / 2];
};

struct pcie_identity {
	uint16_t vendor, device;
	uint16_t subsystem_vendor, subsystem;
	uint32_t class_code; /* 24 bits */
	uint8_t revision;
	uint8_t interrupt_pin; /* 1 to 4: INTA to INTD; 0: no INTx */
};

/* Lays a type 0 header.  For PCIE_ROLE_VF: vendor and device read 0xffff, BARs and Memory Space
 * Enable are the PF's to say and read 0; PCIe 5.0 section 9.3.4. */
void pcie_header_lay_type0(struct pcie_kind *kind, const struct pcie_identity *identity,
			   const struct pcie_bars *bars);
/* Lays a type 1 header: bus numbers, and windows for I/O, memory and 64-bit prefetchable memory.
 * identity->subsystem* are not used; such a header has no place for them. */
void pcie_header_lay_type1(struct pcie_kind *kind, const struct pcie_identity *identity);

/* Lays BARs that begin 'offset' bytes after 'base': those of a header or the VF BARs of SR-IOV. */
void pcie_header_lay_bars(struct cfg_map *map, unsigned base, unsigned offset,
			  const struct pcie_bars *bars);

#endif
