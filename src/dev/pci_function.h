/* dev/pci_function.h -- a whole PCI function as a guest's VMM plugs it in: configuration space,
 * BARs, MSI-X vectors, resets, state for migration.  Implemented by dev/nvme and by dev/virtio_pci;
 * plugged by attach/vfio_user; judged by the conformance tests.
 *
 * What it is not: the device behind it.  A kind (struct pci_function_ops) has its own registers in
 * its BARs; what all kinds share is here: configuration space is that of a struct pcie_device of
 * one function, the MSI-X table and pending bits are kept in a BAR, resets go to both.
 *
 * Regions are numbered as VFIO numbers them: BAR0..BAR5, expansion ROM, configuration space.
 *
 * Threads: whoever has the hold of the front behind it (nic_front.hold or block_front.hold);
 * unbound: control. Memory: the caller's; shared pages are handed in. */
#ifndef DEV_PCI_FUNCTION_H
#define DEV_PCI_FUNCTION_H

#include "base/thread.h"
#include "iommu/dma.h"
#include "pcie/device.h"

enum {
	PCI_REGION_ROM = 6,
	PCI_REGION_CONFIG = 7,
	PCI_REGION_COUNT = 9, /* as <linux/vfio.h> counts them: VGA last, always absent */
	PCI_VECTORS_MAX = 256,
};

/* A BAR, or configuration space.  One piece of it at most can be mapped by the guest: its bytes are
 * ordinary memory, which nobody is told about when the guest writes it. */
struct pci_region {
	uint64_t size;			    /* bytes; a power of two for a BAR; 0: absent */
	uint64_t mapped_first, mapped_size; /* multiples of 4096; size 0: nothing */
	uint8_t *mapped; /* mapped_size bytes that the caller shares with the guest */
};

enum pci_reset {
	PCI_RESET_FUNCTION, /* FLR; PCIe 5.0 section 6.6.2 */
	PCI_RESET_BUS,	    /* conventional */
	PCI_RESET_LOST,	    /* the VMM has gone: as a bus reset, and nothing is told to anybody */
};

/* Registers whose writes say no more than that something is to be done, so that a VMM may signal a descriptor
 * instead (ioeventfd): 'count' of them in one region, 'stride' bytes apart, 'size' bytes each. */
struct pci_doorbells {
	unsigned region, count; /* count 0: there are none */
	uint64_t first;
	uint32_t stride, size;
};

struct pci_function;

/* What a kind does.  Ranges have been checked against the region's size; 'size' is 1..8 where the
 * access is one, and any size where a VMM copies. */
struct pci_function_ops {
	const char *name; /* "nvme", "virtio" */
	/* A BAR, but for the MSI-X table and pending bits.  What is not there reads 0 and ignores
	 * writes. */
	void (*read)(struct pci_function *, unsigned region, uint64_t offset, uint32_t size,
		     uint8_t *to);
	void (*write)(struct pci_function *, unsigned region, uint64_t offset, uint32_t size,
		      const uint8_t *from);
	/* Before a configuration access reads, after one has written: registers of the kind's own
	 * capabilities that mean something.  NULL: it has none. */
	void (*config_reads)(struct pci_function *, unsigned offset, unsigned size);
	void (*config_wrote)(struct pci_function *, unsigned offset, unsigned size);
	/* Configuration space says so: enum pcie_event. */
	void (*event)(struct pci_function *, enum pcie_event event);
	void (*reset)(struct pci_function *, enum pci_reset kind);
	/* Whether there is a reason to interrupt by INTx now: looked up in what the guest has acknowledged.
	 * NULL: the kind has no INTx. */
	bool (*wants_intx)(struct pci_function *);
	/* A doorbell was rung by its descriptor.  NULL when the function has none. */
	void (*rung)(struct pci_function *, unsigned doorbell);
	/* Nothing of the function is under way when this says 0: how many requests still are.
	 * quiesce() stops new ones being taken; resume() lets them be taken again. */
	void (*quiesce)(struct pci_function *);
	unsigned (*busy)(const struct pci_function *);
	void (*resume)(struct pci_function *);
	/* Whether a write to the kind's registers, of a BAR or of configuration space, ends what is under
	 * way: pci_function_write_stops().  NULL: none does, or the kind says itself when all has ended. */
	bool (*stops)(const struct pci_function *, unsigned region, uint64_t offset, uint32_t size,
		      const uint8_t *from);
	/* Migration state of the kind: registers, queues' indexes; quiesced.  save() returns the
	 * bytes it needs, and writes them when they fit.  load(): 0, or -EINVAL when it is not such
	 * a state, or of another configuration, and then nothing has changed.  Configuration space is as
	 * it was saved by then; mapped pieces follow. */
	size_t (*save)(const struct pci_function *, uint8_t *to, size_t room);
	int (*load)(struct pci_function *, const uint8_t *from, size_t size);
};

/* How the function reaches what is outside; called under the hold. */
struct pci_function_host {
	/* Raises MSI-X vector 'vector' (after interrupt remapping), or INTx: PCI_VECTOR_INTX. */
	void (*interrupt)(void *owner, unsigned vector);
	/* Work may have been posted in a register: wakes the worker. */
	void (*wake)(void *owner);
	void *owner;
};
enum { PCI_VECTOR_INTX = 0xffff };

struct msix_entry {
	uint64_t address;
	uint32_t data;
	uint32_t control; /* bit 0: masked */
};

struct pci_function {
	const struct pci_function_ops *ops;
	struct pcie_device device; /* one function; its notify is pci_function's */
	struct cfg space;
	struct pci_region regions[PCI_REGION_COUNT];
	struct pci_doorbells doorbells;
	struct dma *dma; /* what it may reach, and its translation cache */
	struct iommu_domain *domain_or_null;
	struct pci_function_host host;
	/* MSI-X; PCIe 5.0 section 7.7.2. */
	unsigned vectors; /* 0..PCI_VECTORS_MAX */
	unsigned table_region, pba_region;
	uint64_t table_first, pba_first; /* bytes into those */
	bool table_used; /* the guest wrote the table: its masks count.  A VMM that keeps the
			  * table itself masks with its own messages */
	struct msix_entry table[PCI_VECTORS_MAX];
	uint64_t pending[PCI_VECTORS_MAX / 64];
	uint64_t host_masked[PCI_VECTORS_MAX / 64]; /* by the attachment */
	bool intx_masked; /* the attachment wants none, or one was sent that it has not answered */
	bool routed;		    /* the VMM takes messages although MSI-X Enable is off */
	enum pci_reset reset_cause; /* of the reset that configuration space undergoes now */
};

struct pci_function_conf {
	const struct pci_function_ops *ops;
	const struct pcie_kind *kind; /* must outlive the function */
	uint64_t serial;
	struct pci_region regions[PCI_REGION_COUNT]; /* BARs; PCI_REGION_CONFIG is made here */
	unsigned vectors, table_region, pba_region;
	uint64_t table_first, pba_first;
	struct pci_doorbells doorbells;
	struct dma *dma;
	struct iommu_domain *domain_or_null; /* for interrupt remapping */
	struct pci_function_host host;
};

/* Power-on.  -EINVAL: BARs of other sizes than the kind has (so every second is absent, since BARs have 64
 * bits), mapped pieces, tables or doorbells outside of them or over each other, an MSI-X capability that says
 * something else. */
int pci_function_init(struct pci_function *function, const struct pci_function_conf *conf);

/* A VMM's access to a region: 0, or -EINVAL when any byte is beyond it or the region is absent;
 * nothing changes then.  Mapped pieces can be accessed so, too.  Configuration accesses of any size
 * and alignment are made of aligned ones of 1, 2 and 4 bytes, in ascending order. */
int pci_function_read(struct pci_function *function, unsigned region, uint64_t offset,
		      uint32_t size, uint8_t *to);
int pci_function_write(struct pci_function *function, unsigned region, uint64_t offset,
		       uint32_t size, const uint8_t *from);

/* Whether a write would end what the function has under way: it is no bus master then, or not in D0, or is
 * reset.  Whoever makes the write lets the function become quiet first (ops->quiesce, ops->busy), since
 * requests that a medium works on cannot be taken back: they would write to the guest's memory after it
 * was told that nothing does, and where its rings go on could not be said.  An access that
 * pci_function_write() would refuse stops nothing. */
bool pci_function_write_stops(const struct pci_function *function, unsigned region, uint64_t offset,
			      uint32_t size, const uint8_t *from);

void pci_function_reset(struct pci_function *function, enum pci_reset kind);

/* Raises a vector, or leaves it pending while it is masked; nothing when the function is no bus master.  With
 * MSI-X off it is INTx: pci_function_intx().  Under the hold. */
void pci_function_interrupt(struct pci_function *function, unsigned vector);

/* Sends an INTx when the kind has a reason and neither Interrupt Disable, MSI-X, D3hot nor a mask keeps it back;
 * that masks it.  Call it when a reason may have come.  Under the hold. */
void pci_function_intx(struct pci_function *function);
/* Whether it has a pin. */
bool pci_function_has_intx(const struct pci_function *function);

/* The VMM has said where messages go, or takes none any longer: as VFIO has it, that alone turns them on. */
enum pci_routing { PCI_UNROUTED, PCI_ROUTED };
void pci_function_route(struct pci_function *function, enum pci_routing routing);

/* A doorbell's descriptor was signalled; nothing when there is no such doorbell. */
void pci_function_ring(struct pci_function *function, unsigned doorbell);

/* The attachment masks a vector, or no longer; what was pending is raised then. */
enum pci_mask { PCI_UNMASKED, PCI_MASKED };
void pci_function_mask(struct pci_function *function, unsigned vector, enum pci_mask mask);

/* The attachment masks INTx, or has taken the last one, which masked itself: if its reason is still there it is
 * sent again. */
void pci_function_intx_mask(struct pci_function *function, enum pci_mask mask);

/* Whether it may issue DMA now: bus master, in D0. */
bool pci_function_masters(const struct pci_function *function);

/* Migration state of all of it: configuration space, MSI-X, mapped pieces, and what the kind has; quiesced.
 *
 * save: the bytes it takes; they are written when 'room' is enough.
 * load: 0; -EINVAL when it is none, damaged, or that of another kind of function, and then nothing has
 * changed.  Vectors that are pending are raised when the kind, or a mask, lets them. */
size_t pci_function_save(const struct pci_function *function, uint8_t *to, size_t room);
int pci_function_load(struct pci_function *function, const uint8_t *from, size_t size);

#endif
