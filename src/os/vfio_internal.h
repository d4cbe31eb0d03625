/* os/vfio_internal.h -- the inside of a function behind VFIO: vfio_function.c opens and closes it,
 * vfio_info.c reads what the kernel says of it, vfio_use.c is what is done with it. */
#ifndef OS_VFIO_INTERNAL_H
#define OS_VFIO_INTERNAL_H

#include "os/iova.h"
#include "os/pci_bus.h"
#include "os/vfio_function.h"

struct vfio_function {
	char address[PCI_BUS_ADDRESS_MAX];
	int group_number;
	const struct vfio_function_system *system;
	int container, group, device; /* descriptors, or -1 */
	unsigned vectors;
	struct vfio_function_region regions[VFIO_FUNCTION_REGIONS];
	uint64_t offsets[VFIO_FUNCTION_REGIONS]; /* of the regions, in the device's descriptor */
	struct iova_space iovas;
};

/* vfio_info.c: regions, vectors, and which addresses the device may be given.  Negative errno with 'why'. */
int vfio_ask_device(struct vfio_function *function, struct refusal *why);
int vfio_ask_iommu(struct vfio_function *function, struct refusal *why);

/* The system call; 0 or what it gives, or a negative errno. */
int vfio_call(const struct vfio_function *function, int fd, unsigned long request, void *argument);

#endif
