/* prog/midplane_pci_decode.h -- a configuration space in words: identity, BARs, and both chains of capabilities.
 *
 * It is read from whoever serves it, so it may say anything: chains are followed as far as they can be without
 * visiting a place twice, and nothing beyond the space is looked at.
 *
 * Threads: any.  Memory: the caller's. */
#ifndef PROG_MIDPLANE_PCI_DECODE_H
#define PROG_MIDPLANE_PCI_DECODE_H

#include "base/base.h"

enum {
	PCI_DECODE_SIZE = 4096, /* bytes of a space; a shorter one has zeroes behind it */
	PCI_DECODE_CAPS = 48 + 960, /* no chains are longer */
	PCI_DECODE_TEXT = 96,
};

/* One capability, as a chain has it. */
struct pci_capability {
	uint16_t at;  /* offset */
	uint16_t id;
	uint8_t version; /* extended ones: 1 on; 0 below 0x100 */
	const char *name; /* NULL: none that we know */
	char text[PCI_DECODE_TEXT]; /* what it says; may be empty */
};

/* Finds the capabilities of both chains, in their order.  Returns how many. */
unsigned pci_decode_capabilities(const uint8_t space[PCI_DECODE_SIZE], struct pci_capability *caps);

/* "memory, bus master" */
void pci_decode_command(uint16_t command, char text[PCI_DECODE_TEXT]);

/* What BAR 'bar' (0..5) says: "0xfe000000, 64-bit, prefetchable"; empty when it is none, or the upper half of
 * the one before. */
void pci_decode_bar(const uint8_t space[PCI_DECODE_SIZE], unsigned bar, char text[PCI_DECODE_TEXT]);

#endif
