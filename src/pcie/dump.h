/* pcie/dump.h -- a configuration space as text that `lspci -F FILE` of pciutils reads.
 *
 * Threads: any.  Memory: none kept; text goes out through the caller's function. */
#ifndef PCIE_DUMP_H
#define PCIE_DUMP_H

#include "pcie/cfg.h"

/* Takes the next 'size' bytes of text (not terminated). */
typedef void pcie_text_fn(void *arg, const char *text, size_t size);

/* "01:00.3": bus, device and function as lspci writes them, from a routing ID. */
enum { PCIE_RID_TEXT_SIZE = 8 };
void pcie_rid_text(uint16_t rid, char text[PCIE_RID_TEXT_SIZE]);

/* Writes one function: a line "BB:DD.F title", 256 lines of hexadecimal bytes, an empty line. */
void pcie_dump(const struct cfg *cfg, uint16_t rid, const char *title, pcie_text_fn *write,
	       void *arg);

#endif
