/* os/pci_bus.h -- the PCI functions of this machine, as its kernel shows them in sysfs: what there
 * is, how many VFs a card has, and which driver has a function.
 *
 * What it is not: access to a function's registers or DMA.
 *
 * Nothing is done to a function that others would notice: a PF whose VFs are bound to drivers keeps
 * them, a function is handed to vfio-pci only when its whole IOMMU group can be, and one that
 * does not answer is not handed out at all.
 *
 * Threads: any, one at a time; calls into drivers may take seconds, so not the loop's thread.
 * Memory: lists are allocated, pci_bus_free() gives them back. */
#ifndef OS_PCI_BUS_H
#define OS_PCI_BUS_H

#include "base/base.h"
#include "base/refusal.h"
#include "os/pci_hand.h"

enum {
	PCI_BUS_ADDRESS_MAX = 16, /* "0000:3b:00.0" and its end */
	PCI_BUS_WORD_MAX = 32,	  /* a driver's or interface's name */
	PCI_BUS_NO_GROUP = -1,
	PCI_BUS_FUNCTIONS_MAX = 4096,
};

struct pci_bus_function {
	char address[PCI_BUS_ADDRESS_MAX];
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class_code;		  /* 24 bits */
	char driver[PCI_BUS_WORD_MAX];	  /* "" when none has it */
	char interface[PCI_BUS_WORD_MAX]; /* network interface; "" */
	bool interface_up;		  /* and the host has it up */
	int group;			  /* IOMMU group, or PCI_BUS_NO_GROUP */
	char vfio_group[16];		  /* names of its files below /dev/vfio; "" */
	char vfio_device[PCI_BUS_WORD_MAX];
	int numa_node;		      /* -1: not known */
	unsigned vfs_total, vfs;      /* of a PF: TotalVFs, and how many there are */
	char pf[PCI_BUS_ADDRESS_MAX]; /* of a VF: its PF; "" otherwise */
	unsigned vf;		      /* of a VF: 0, 1.. as the kernel counts */
	bool answers;		      /* its configuration space can be read */
};

struct pci_bus {
	const char *sysfs;		    /* "/sys" */
	const struct pci_hand *hand;	    /* what changes are made with */
	struct pci_bus_function *functions; /* ascending addresses */
	unsigned count;
};

/* Reads all functions.  0, or -errno with 'why': there is no PCI there.
 *
 * sysfs  where sysfs is mounted, kept: "/sys" */
int pci_bus_read(struct pci_bus *bus, const char *sysfs, struct refusal *why);
int pci_bus_read_by(struct pci_bus *bus, const char *sysfs, const struct pci_hand *hand,
		    struct refusal *why);
void pci_bus_free(struct pci_bus *bus);

/* "0000:3b:00.0" and nothing else: a name that a path is made of. */
bool pci_bus_is_address(const char *name);

/* These look at one function and touch no other; of 'bus' they need 'sysfs' and 'hand' alone. */

/* One function as it is now, but for its number among the VFs; false when it is not there. */
bool pci_bus_look(const struct pci_bus *bus, const char *address,
		  struct pci_bus_function *function);
/* The address of VF 'vf' (0..) of a PF; false when there is none. */
bool pci_bus_vf_address(const struct pci_bus *bus, const char *pf, unsigned vf,
			char address[PCI_BUS_ADDRESS_MAX]);
/* Reads its configuration space from the beginning: bytes read, or -errno.  Who is not root
 * gets 64. */
int pci_bus_config(const struct pci_bus *bus, const char *address, uint8_t *bytes, size_t size);
/* Its driver_override; "" when there is none.  Waits while its driver comes or goes. */
void pci_bus_override(const struct pci_bus *bus, const char *address,
		      char override[PCI_BUS_WORD_MAX]);
/* Whether drivers take VFs of a PF by themselves: 1, 0, or -1 when the kernel does not say. */
int pci_bus_autoprobe(const struct pci_bus *bus, const char *pf);
int pci_bus_set_autoprobe(const struct pci_bus *bus, const char *pf, int autoprobe);

/* The function at an address, "0000:3b:00.0" or "3b:00.0", or NULL. */
const struct pci_bus_function *pci_bus_find(const struct pci_bus *bus, const char *address);

/* The VF 'vf' (0..) of a PF, or NULL. */
const struct pci_bus_function *pci_bus_vf(const struct pci_bus *bus,
					  const struct pci_bus_function *pf, unsigned vf);

/* Gives a PF so many VFs, and waits until they are there.  No driver takes them by itself.
 *
 * -EINVAL: it has no SR-IOV, or fewer; -EBUSY: it has VFs already (others than so many) and 'count'
 * is not 0, or a driver has one; -errno of the kernel.  'bus' is out of date afterwards. */
int pci_bus_set_vfs(const struct pci_bus *bus, const struct pci_bus_function *pf, unsigned count,
		    struct refusal *why);

/* Hands a function to driver 'driver' ("vfio-pci").
 *
 * -EBUSY: its IOMMU group has a function that another driver has; -ENODEV: it does not answer, has
 * no IOMMU group, or the driver does not take it; -ENOENT: there is no such driver. */
int pci_bus_bind(const struct pci_bus *bus, const struct pci_bus_function *function,
		 const char *driver, struct refusal *why);

/* The first function that keeps this one's IOMMU group from being handed to 'driver', or NULL. */
const struct pci_bus_function *pci_bus_in_the_way(const struct pci_bus *bus,
						  const struct pci_bus_function *function,
						  const char *driver);

/* Makes a function as it was: 'driver' ("": none) has it, and 'override' ("": none) is its
 * override. */
int pci_bus_restore(const struct pci_bus *bus, const struct pci_bus_function *function,
		    const char *driver, const char *override, struct refusal *why);

/* Takes it away from its driver and lets the kernel choose one as if nothing had happened: for a VF
 * of pci_bus_set_vfs(), none. */
int pci_bus_release(const struct pci_bus *bus, const struct pci_bus_function *function,
		    struct refusal *why);

#endif
