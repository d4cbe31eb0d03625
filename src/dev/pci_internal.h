/* dev/pci_internal.h -- what the files of a PCI function share: pci_function.c (regions, configuration
 * space, resets), pci_msix.c (the vector table and its pending bits), pci_intx.c, pci_state.c (migration).
 *
 * Threads and memory: as dev/pci_function.h has it. */
#ifndef DEV_PCI_INTERNAL_H
#define DEV_PCI_INTERNAL_H

#include "dev/pci_function.h"

/* Whether the MSI-X capability of the kind says what 'function' was told, and both structures lie in
 * their regions and not over each other. */
bool pci_msix_fits(const struct pci_function *function);

/* All vectors masked, none pending, as after every reset; the attachment's masks and routes stay. */
void pci_msix_reset(struct pci_function *function);

/* Bytes of the two structures. */
uint64_t pci_msix_table_size(const struct pci_function *function);
uint64_t pci_msix_pba_size(const struct pci_function *function);

/* An access inside one structure, from its first byte; any size. */
void pci_msix_read_table(const struct pci_function *function, uint64_t offset, uint32_t size, uint8_t *to);
void pci_msix_write_table(struct pci_function *function, uint64_t offset, uint32_t size,
			  const uint8_t *from);
void pci_msix_read_pba(const struct pci_function *function, uint64_t offset, uint32_t size, uint8_t *to);

/* Raises what is pending and no longer kept back: after anything that can have changed that. */
void pci_msix_settle(struct pci_function *function);

/* Whether messages are on: INTx is off then. */
bool pci_msix_enabled(const struct pci_function *function);

/* Interrupt Status takes what there is to say: before configuration space is read. */
void pci_intx_show(struct pci_function *function);

/* A register of a capability that the kind has. */
uint32_t pci_config(const struct pci_function *function, enum pcie_cap cap, unsigned offset,
		    unsigned size);

#endif
