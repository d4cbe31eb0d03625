/* pcie/aer.h -- what a function does when it meets an uncorrectable error: status, first error
 * pointer, header log, and which message goes to the root.
 *
 * Threads: the owner of the device.  Memory: none kept.
 *
 * Limits: advisory non-fatal errors (6.2.3.2.4) are reported like other non-fatal ones. */
#ifndef PCIE_AER_H
#define PCIE_AER_H

#include "pcie/device.h"

enum pcie_message { PCIE_MESSAGE_NONE, PCIE_MESSAGE_NON_FATAL, PCIE_MESSAGE_FATAL };

/* Records error 'bit' (SPEC_AER_POISONED_TLP ...) of function 'n'; header: the four words of the
 * offending TLP's header, or NULL.  Masks, severities and enables of a VF are its PF's; 6.2.5. */
enum pcie_message pcie_aer_raise(struct pcie_device *device, unsigned n, unsigned bit,
				 const uint32_t header[4]);

#endif
