/* dev/nvme_function.h -- an NVM Express controller as a PCI function: what a VMM plugs into a guest
 * (dev/pci_function.h), of the kinds in pcie/kinds_nvme.h.
 *
 * Threads: as the front's.  Memory: the caller's; the controller behind it too (dev/nvme.h). */
#ifndef DEV_NVME_FUNCTION_H
#define DEV_NVME_FUNCTION_H

#include "dev/nvme.h"
#include "dev/pci_function.h"
#include "pcie/kinds_nvme.h"

struct nvme_function {
	struct pci_function function;
	struct nvme *nvme;
};

struct nvme_function_conf {
	const struct pcie_kind *kind; /* must outlive the function */
	struct nvme *memory;	      /* nvme_size() bytes, aligned to 64: the controller is made there */
	struct nvme_subsystem *subsystem;
	enum nvme_role role;
	uint16_t controller_id, vf_number, queues;
	uint64_t serial; /* of the PCI function, where its kind has one */
	uint64_t now_ms;
	struct dma *dma; /* its blocked accesses are to be counted in nvme_front(memory)->dma_blocked */
	struct iommu_domain *domain_or_null;
	uint8_t *doorbells; /* NVME_DOORBELLS_SIZE bytes that the guest may map, page-aligned */
	struct pci_function_host host;
};

/* Power-on.  -EINVAL as nvme_init() and pci_function_init() have it. */
int nvme_function_init(struct nvme_function *function, const struct nvme_function_conf *conf);
void nvme_function_fini(struct nvme_function *function);

#endif
