/* os/nvme_resources.h -- queues and interrupts of a virtual function of an NVMe card of this machine: the card's
 * physical function gives them out, and brings the virtual one online, by Virtualization Management (NVM Express
 * Base Specification 2.0, 8.26), which its kernel driver passes on.
 *
 * A virtual function without them is there and answers nothing but its registers.
 *
 * Threads: any, one at a time; a command may take seconds.  Memory: none is kept. */
#ifndef OS_NVME_RESOURCES_H
#define OS_NVME_RESOURCES_H

#include "os/pci_bus.h"

struct nvme_resources {
	uint16_t queues;     /* queue pairs, the admin queue's included; 2 or more */
	uint16_t interrupts; /* 1 or more */
};

/* Gives virtual function 'vf' so much and brings it online; 0 queues: it takes it offline and what it had
 * away.  Where the card has too little free, what its physical function has beyond its own is taken, for which
 * that is reset: its kernel driver goes on with what it was doing; its virtual functions, of which none may have a
 * driver, go and come again, the others offline.  Nothing changes where it does not fit.
 *
 * bus  as read, whole: a driver that has another virtual function of the card forbids the reset
 *
 * -ENOTSUP  no virtual function; no kernel driver of NVMe has the PF, or the card has no Virtualization Management
 * -EBUSY    a driver has the VF, or another one and the card must be reset: release it first
 * -ENOSPC   the card has not so much, also for one VF; 'why' says how much
 * -EIO      the card refused a command; or -errno; all with 'why'. */
int nvme_resources_give(const struct pci_bus *bus, const struct pci_bus_function *vf,
			const struct nvme_resources *resources, struct refusal *why);

#endif
