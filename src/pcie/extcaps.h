/* pcie/extcaps.h -- the extended capabilities, a table of fields each: AER, serial number, ARI,
 * ACS, ATS.  SR-IOV has a file of its own.
 *
 * Threads: whoever builds the kind.  Memory: none kept. */
#ifndef PCIE_EXTCAPS_H
#define PCIE_EXTCAPS_H

#include "pcie/kind.h"

/* Advanced Error Reporting; a VF has only the status of errors that are its own, masks and
 * severities are its PF's.  7.8.4, 9.3.6.1. */
void pcie_extcaps_add_aer(struct pcie_kind *kind);

/* The 64-bit serial number is set a device at power-on.  7.9.3. */
void pcie_extcaps_add_serial(struct pcie_kind *kind);

/* The next function number is set a device at power-on.  7.8.7. */
void pcie_extcaps_add_ari(struct pcie_kind *kind);

/* What a port or a function of a multi-function device can enforce.  7.7.8. */
void pcie_extcaps_add_acs(struct pcie_kind *kind);

/* Queue depth 32, page-aligned requests; a VF uses its PF's depth and smallest unit.  10.5.1. */
void pcie_extcaps_add_ats(struct pcie_kind *kind);

#endif
