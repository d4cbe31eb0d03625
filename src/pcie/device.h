/* pcie/device.h -- one PCI Express device: a physical function and its virtual functions, their
 * configuration spaces, and what writing to them does.
 *
 * VF Enable makes VFs appear and vanish, Initiate FLR resets one function, PowerState moves it
 * between D0 and D3hot, and so on: the table in device.c lists every register that the device
 * reacts to.  The owner hears of what concerns it as an event, after the registers show it.
 *
 * A device may have no VFs at all (a root port, a function lent to another host): total_vfs 0.
 *
 * Threads: one owner.  Memory: the caller's; the kinds must outlive the device. */
#ifndef PCIE_DEVICE_H
#define PCIE_DEVICE_H

#include "pcie/cfg.h"
#include "pcie/kind.h"

/* X-list: event, text.  'function' is 0 for the PF (or the only function), n for VFn. */
#define PCIE_EVENTS(X)                                                                  \
	X(VFS_APPEARED, "VF Enable was set: VF1..vf_count exist, freshly reset")        \
	X(VFS_VANISH, "VF Enable was cleared: VF1..vf_count cease to exist after this") \
	X(FUNCTION_RESET, "function-level reset of this function alone")                \
	X(BUS_MASTER_ON, "may issue DMA and interrupts")                                \
	X(BUS_MASTER_OFF, "may not")                                                    \
	X(MEMORY_ON, "decodes its BARs; of the PF's VF MSE: all VFs do")                \
	X(MEMORY_OFF, "does not")                                                       \
	X(SLEPT, "entered D3hot")                                                       \
	X(WOKE, "is back in D0, state kept")                                            \
	X(MSIX_CHANGED, "MSI-X Enable or Function Mask changed")                        \
	X(ATS_CHANGED, "ATS Enable or the smallest unit changed: drop all translations") \
	X(BARS_MOVED, "a BAR, or a VF BAR of the PF, was written")                      \
	X(BUS_RESET, "a bridge was told to reset what is below it")

enum pcie_event {
#define X(name, text) PCIE_##name,
	PCIE_EVENTS(X)
#undef X
	PCIE_EVENT_COUNT
};

struct pcie_device;
typedef void pcie_event_fn(void *owner, struct pcie_device *device, unsigned function,
			   enum pcie_event event);

struct pcie_device_conf {
	const struct pcie_kind *kind;    /* of the PF, or of the only function */
	const struct pcie_kind *vf_kind; /* NULL when total_vfs is 0 */
	uint16_t total_vfs;              /* 0..PCIE_VFS_MAX */
	uint64_t serial;                 /* 0 where the kind has no serial number */
	pcie_event_fn *notify;           /* NULL: nobody wants to know */
	void *owner;
};

struct pcie_device {
	const struct pcie_kind *kind, *vf_kind;
	struct cfg *functions; /* [0] the PF, [n] VFn; 1 + total_vfs of them */
	uint16_t total_vfs;
	uint16_t vf_count;     /* VFs that exist now */
	uint16_t rid;          /* routing ID of the PF, captured from a configuration write */
	pcie_event_fn *notify;
	void *owner;
	uint64_t refused;      /* writes that asked for what the standard does not allow */
};

/* Power-on.  functions: 1 + conf->total_vfs spaces, which the device keeps. */
void pcie_device_init(struct pcie_device *device, const struct pcie_device_conf *conf,
		      struct cfg *functions);

/* Hot reset, as through a bridge's Secondary Bus Reset: all VFs vanish, sticky bits stay. */
void pcie_device_hot_reset(struct pcie_device *device);

/* Whether function 'n' exists now. */
bool pcie_device_has(const struct pcie_device *device, unsigned n);
/* The kind of function 'n'. */
const struct pcie_kind *pcie_device_kind(const struct pcie_device *device, unsigned n);
/* Routing ID (bus, device and function, or bus and ARI function) of function 'n'. */
uint16_t pcie_device_rid(const struct pcie_device *device, unsigned n);
/* The function at a routing ID, or -1: an unsupported request. */
int pcie_device_find(const struct pcie_device *device, uint16_t rid);

/* A host's configuration access to function 'n'.  Reading a function that is not there gives all
 * ones, writing it does nothing.  offset, size: as cfg_is_access allows. */
uint32_t pcie_device_read(const struct pcie_device *device, unsigned n, unsigned offset,
			  unsigned size);
void pcie_device_write(struct pcie_device *device, unsigned n, unsigned offset, unsigned size,
		       uint32_t value);

/* Whether function 'n' may issue DMA now: it exists, is a bus master, and it and its PF are in
 * D0. */
bool pcie_device_masters(const struct pcie_device *device, unsigned n);

/* Size in bytes of BAR 'bar' (0, 2 or 4) of function 'n': for a VF, at least the System Page
 * Size; 0: no such BAR. */
uint64_t pcie_device_bar_size(const struct pcie_device *device, unsigned n, unsigned bar);
/* Address that function 'n' decodes with that BAR; a VF's follows from its PF's VF BAR.  False
 * when it decodes none now. */
bool pcie_device_bar(const struct pcie_device *device, unsigned n, unsigned bar,
		     uint64_t *address);

#endif
