/* os/vfio_function.h -- a PCI function of this machine driven by this program: opened through Linux's VFIO,
 * its regions, interrupts and reset, and memory that it may reach.
 *
 * Each function is in a container of its own, so it reaches what was mapped for it and nothing else.  The
 * kernel resets a function when it is opened and when it is closed, and its close takes all mappings away.
 *
 * What it is not: what binds functions to vfio-pci (os/pci_bus.h); what a device's registers mean.
 *
 * Threads: one at a time; registers and mapped areas any.  Memory: open() allocates, close() gives back. */
#ifndef OS_VFIO_FUNCTION_H
#define OS_VFIO_FUNCTION_H

#include "base/base.h"
#include "base/refusal.h"

enum {
	VFIO_FUNCTION_REGIONS = 8, /* BARs 0 to 5, ROM, configuration space */
	VFIO_FUNCTION_BARS = 6,
	VFIO_FUNCTION_CONFIG = 7,
	VFIO_FUNCTION_AREAS_MAX = 8, /* of a region that can be mapped */
	VFIO_FUNCTION_VECTORS_MAX = 2048,
};

struct vfio_function;

/* A piece of a region that can be mapped; bytes: where it is mapped here, or NULL. */
struct vfio_function_area {
	uint64_t first, size;
	uint8_t *bytes;
};

struct vfio_function_region {
	uint64_t size; /* bytes; 0: absent */
	bool readable, writable;
	unsigned area_count;
	struct vfio_function_area areas[VFIO_FUNCTION_AREAS_MAX];
};

/* The system calls that have VFIO behind them, as open(2) and ioctl(2) have them: tests bring their own. */
struct vfio_function_system {
	int (*open)(const char *path, int flags);
	int (*ioctl)(int fd, unsigned long request, void *argument);
};

struct vfio_function_conf {
	const char *address; /* "0000:01:00.1", or without the domain */
	const char *sysfs_or_null, *dev_or_null;	   /* "/sys", "/dev" */
	const struct vfio_function_system *system_or_null; /* the kernel's */
};

/* Takes a function that vfio-pci has.  0, or with 'why', which names what is to be done:
 *
 * -ENOENT  there is no such function, or no VFIO in the kernel
 * -ENODEV  it does not answer, or is in no IOMMU group
 * -EPERM   vfio-pci does not have it; or the IOMMU does not remap interrupts, and unsafe ones are not
 *          allowed
 * -EBUSY   its group is in use, or has functions that the host's drivers have
 * or another -errno of the kernel. */
int vfio_function_open(struct vfio_function **function, const struct vfio_function_conf *conf,
		       struct refusal *why);
void vfio_function_close(struct vfio_function *function); /* NULL is nothing */

/* region  0..VFIO_FUNCTION_REGIONS - 1 */
const struct vfio_function_region *vfio_function_region(const struct vfio_function *function,
							unsigned region);

/* Registers by system calls; -EIO: the function gives less. */
int vfio_function_read(struct vfio_function *function, unsigned region, uint64_t offset,
		       uint32_t size, uint8_t *to);
int vfio_function_write(struct vfio_function *function, unsigned region, uint64_t offset,
			uint32_t size, const uint8_t *from);

/* Maps the areas of a region that can be; one that cannot be mapped is an error.  Until close(). */
int vfio_function_map(struct vfio_function *function, unsigned region, struct refusal *why);
/* Where 'size' bytes at 'offset' of a region are mapped, or NULL. */
uint8_t *vfio_function_at(const struct vfio_function *function, unsigned region, uint64_t offset,
			  uint64_t size);

/* Lets the function read and write 'size' bytes of memory at 'bytes', both multiples of the page size:
 * 'iova' receives their address on its side.  The pages are pinned, and stay so until unmap or close.
 * -ENOMEM with 'why' where RLIMIT_MEMLOCK is too low, -ENOSPC where it has no addresses left. */
int vfio_function_map_dma(struct vfio_function *function, uint8_t *bytes, uint64_t size,
			  uint64_t *iova, struct refusal *why);
int vfio_function_unmap_dma(struct vfio_function *function, uint64_t iova);

/* MSI-X vectors that it has. */
unsigned vfio_function_vectors(const struct vfio_function *function);
/* Vectors 0..count - 1 signal these eventfds (-1: none) from now on; count 0: none does. */
int vfio_function_signal(struct vfio_function *function, const int *eventfds, unsigned count);

/* -ENOTTY: it has no reset of its own. */
int vfio_function_reset(struct vfio_function *function);

#endif
