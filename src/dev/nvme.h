/* dev/nvme.h -- an NVM Express controller in front of the namespaces of a disk card: registers,
 * doorbells, queues in guest memory, admin and I/O commands.  NVM Express Base Specification 2.0.
 *
 * What it is not: a PCI function (dev/nvme_function.h wraps one around it), or a disk (channel/block.h
 * has the namespaces).  It has no thread: registers are accessed by whoever answers the guest, and
 * poll() of the block_front takes what the queues hold.
 *
 * The controllers of one card form an NVM subsystem: they share the namespaces' attributes,
 * reservations, and the resources of virtualization management.
 *
 * A guest that breaks the rules gets the status that the standard names, or a controller with
 * CSTS.CFS set, which a reset brings back; nothing beyond what dma_reach() gives is touched.
 *
 * Threads: under the hold of the front, which is that of the card for all controllers of a
 * subsystem; unbound: control.  Memory: the caller's, nvme_size() and nvme_subsystem_size() bytes
 * aligned to 64; the page of doorbells is handed in and may be shared with the guest. */
#ifndef DEV_NVME_H
#define DEV_NVME_H

#include "channel/block.h"
#include "iommu/dma.h"
#include "spec/nvme.h"
#include "spec/nvme_admin.h"

enum {
	NVME_QUEUES_MAX = 63,	    /* I/O queue pairs of one controller */
	NVME_CONTROLLERS_MAX = 257, /* of one subsystem: a PF and its VFs */
	NVME_ENTRIES_MAX = 1024,    /* of one I/O queue */
	NVME_DOORBELLS_SIZE = 4096, /* bytes of the doorbell page, at NVME_REG_DOORBELLS */
	NVME_MDTS = 8,		    /* most data of a command: 2^8 pages of 4 KiB */
};

struct nvme;
struct nvme_subsystem;

/* What a guest wants done to the namespaces of a card; section 8.11. */
enum nvme_wish_kind { NVME_WISH_CREATE, NVME_WISH_DELETE, NVME_WISH_ATTACH, NVME_WISH_DETACH };

struct nvme_wish {
	enum nvme_wish_kind kind;
	uint32_t nsid;	     /* all but CREATE */
	uint64_t size;	     /* CREATE: bytes */
	uint32_t block_size; /* CREATE */
	bool shared;	     /* CREATE: several controllers may be attached at a time */
	uint16_t count;	     /* ATTACH, DETACH: controllers */
	uint16_t controllers[NVME_CONTROLLERS_MAX]; /* their IDs */
};

struct nvme_subsystem_conf {
	const char *serial, *model, *firmware; /* cut to 20, 40 and 8 characters */
	const char *nqn;		       /* cut to 223 */
	uint16_t vendor, subsystem_vendor;     /* PCI vendor IDs */
	uint64_t capacity;		       /* bytes of the card; 0: not told */
	/* Carves and attaches namespaces; NULL: guests may not.  Called under the hold with one
	 * wish at a time, which stays valid until nvme_wish_done(); that may come from inside.
	 * What it did shows in namespaces[] of the fronts and nvme_subsystem_set_namespace(). */
	void (*wish)(void *owner, const struct nvme_wish *wish);
	void *owner;
	/* Keeps nvme_subsystem_record() through a loss of power, and calls nvme_subsystem_kept() then; not
	 * called again before that, which may come from inside.  Under the hold, or as control while nothing
	 * is bound.  NULL: nothing outlives one. */
	void (*keep)(void *owner);
	void *keep_owner;
};

size_t nvme_subsystem_size(void);
/* An empty subsystem.  Texts are copied. */
void nvme_subsystem_init(struct nvme_subsystem *subsystem, const struct nvme_subsystem_conf *conf);

/* Controllers that are in it now. */
unsigned nvme_subsystem_controllers(const struct nvme_subsystem *subsystem);

/* A namespace exists, whether or not a controller has it attached; what fronts have need not be
 * told.  back NULL: it does not.  Copies what it needs.  nsid 1..BLOCK_NAMESPACES_MAX */
enum nvme_sharing { NVME_PRIVATE, NVME_SHARED };
void nvme_subsystem_set_namespace(struct nvme_subsystem *subsystem, uint32_t nsid,
				  const struct block_back *back, enum nvme_sharing sharing);

/* The wish was granted (NVME_SUCCESS; CREATE: with the NSID that it got) or not: a status that
 * section 5.22 or 5.23 has. */
void nvme_wish_done(struct nvme_subsystem *subsystem, enum nvme_status status, uint32_t nsid);

/* What a loss of power must not take: reservations that are to persist, a sanitize that has begun; 8.19.8, 8.21.
 * Writes it, and returns how many bytes. */
enum { NVME_RECORD_MAX = 3072 };
size_t nvme_subsystem_record(const struct nvme_subsystem *subsystem, uint8_t to[NVME_RECORD_MAX]);
/* Under the hold: it was kept, or could not be: then the command that asked ends with an error. */
enum nvme_kept { NVME_KEPT, NVME_NOT_KEPT };
void nvme_subsystem_kept(struct nvme_subsystem *subsystem, enum nvme_kept kept);
/* After a loss of power, once the namespaces are attached to the first controller and before anybody uses
 * it.  0, or -EINVAL: that is no record, and nothing has changed. */
int nvme_subsystem_recall(struct nvme_subsystem *subsystem, const uint8_t *from, size_t size);

/* Bytes free for new namespaces, as Identify tells them. */
void nvme_subsystem_set_unallocated(struct nvme_subsystem *subsystem, uint64_t bytes);

/* How the controller reaches the guest; called under the hold. */
struct nvme_host {
	void (*interrupt)(void *owner, unsigned vector);
	/* A register write left work for poll(). */
	void (*wake)(void *owner);
	void *owner;
};

enum nvme_role {
	NVME_ALONE,	/* a function of its own, as lent to a guest that sees no PF */
	NVME_PRIMARY,	/* a PF: manages the resources of secondary controllers; 8.26 */
	NVME_SECONDARY, /* a VF: offline until the primary controller says otherwise */
};

struct nvme_conf {
	struct nvme_subsystem *subsystem;
	enum nvme_role role;
	uint16_t controller_id; /* unique in the subsystem; an index into it, so below
				 * NVME_CONTROLLERS_MAX */
	uint16_t vf_number;	/* SECONDARY: 1.. */
	uint16_t queues;	/* I/O queue pairs, 1..NVME_QUEUES_MAX */
	uint16_t vectors;	/* MSI-X vectors, 1..256 */
	struct dma *dma;
	struct nvme_host host;
	uint8_t *doorbells; /* NVME_DOORBELLS_SIZE bytes, page-aligned */
	uint64_t now_ms;    /* since 1970, for the timestamp feature; 0: not known */
};

size_t nvme_size(void);
/* Power-on.  -EINVAL: a number out of its range, an ID that is taken. */
int nvme_init(struct nvme *nvme, const struct nvme_conf *conf);
/* Takes it out of its subsystem; nothing may be in flight. */
void nvme_fini(struct nvme *nvme);

struct block_front *nvme_front(struct nvme *nvme);

/* BAR 0: any size and offset may be read; writes of 4 and 8 bytes at a multiple of their size have
 * effect, as section 3.1.3 asks hosts to make them.  Doorbells are written into their page. */
void nvme_read(struct nvme *nvme, uint64_t offset, uint32_t size, uint8_t *to);
void nvme_write(struct nvme *nvme, uint64_t offset, uint32_t size, const uint8_t *from);

/* A reset that is not the guest's CC.EN: FLR, bus reset, the guest's VMM has gone. */
void nvme_reset(struct nvme *nvme);
/* Bus Master Enable, D0: without it nothing is fetched and nothing raised. */
enum nvme_mastery { NVME_NO_MASTER, NVME_MASTER };
void nvme_set_master(struct nvme *nvme, enum nvme_mastery mastery);

/* As struct pci_function_ops has them. */
void nvme_quiesce(struct nvme *nvme);
void nvme_resume(struct nvme *nvme);
/* Requests that the card has or has still to be given, and commands that wait for something else than an event; poll()
 * brings it to 0.  A sanitize, which uses no guest memory and whose command has ended, is not among it. */
unsigned nvme_busy(const struct nvme *nvme);

/* Long tasks rest from here on, for a controller that ends: they go on from what was kept. */
void nvme_halt(struct nvme *nvme);

/* Migration state, as struct pci_function_ops has it; nvme_busy() is 0.  save: the bytes that it
 * takes; written when 'room' is enough.  load: 0, or -EINVAL and nothing has changed. */
size_t nvme_save(const struct nvme *nvme, uint8_t *to, size_t room);
int nvme_load(struct nvme *nvme, const uint8_t *from, size_t size);

/* Reservations of a subsystem that moves to another process, not to another host: after nvme_load() of each
 * controller, which resets it.  As save and load above. */
size_t nvme_reservations_save(const struct nvme_subsystem *subsystem, uint8_t *to, size_t room);
int nvme_reservations_load(struct nvme_subsystem *subsystem, const uint8_t *from, size_t size);

/* What the primary controller of a subsystem that moves to another process has lent, and to whom: before
 * nvme_load() of its controllers, whose shape it is.  Secondary controllers that are in another state are
 * reset.  0 bytes: it has no secondary controllers.  As save and load above. */
size_t nvme_virtual_save(const struct nvme_subsystem *subsystem, uint8_t *to, size_t room);
int nvme_virtual_load(struct nvme_subsystem *subsystem, const uint8_t *from, size_t size);

/* The secondary controllers' resources when virtualization management is not to be used:
 * online with those of the configuration.  Only for SECONDARY. */
void nvme_bring_online(struct nvme *nvme);

#endif
