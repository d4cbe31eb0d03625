/* conform/device.h -- a device of ours (pcie/device.h) as a target: any of its functions.
 *
 * Its configuration space is what is judged; it has no BAR memory of its own, which belongs to the
 * front behind it.
 *
 * Threads: the device's owner.  Memory: the caller's. */
#ifndef CONFORM_DEVICE_H
#define CONFORM_DEVICE_H

#include "conform/target.h"
#include "pcie/device.h"

struct conform_device {
	struct conform_target target;
	struct pcie_device *device;
	unsigned first;	 /* function of the device that is function 0 of the target */
	uint64_t now_ns; /* its time: it passes by waiting only */
};

/* function  0: the PF, with all VFs that it enables; n: VFn alone, which must be there */
void conform_device_init(struct conform_device *d, struct pcie_device *device, unsigned function);

#endif
