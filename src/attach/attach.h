/* attach/attach.h -- plugging a front into a guest.  One row a kind: vhost-user, TAP, vfio-user.
 *
 * An attachment owns the front it made.  The daemon binds and re-binds that front to cards;
 * the guest's side of it (socket, interface) is the attachment's own business.
 *
 * Threads: control.  An attachment changes its front only under front->hold: attach_hold(). */
#ifndef ATTACH_ATTACH_H
#define ATTACH_ATTACH_H

#include "base/refusal.h"
#include "channel/block.h"
#include "channel/nic_front.h"
#include "fabric/site.h"
#include "iommu/domain.h"

#include <uv.h>

struct attachment;
struct nvme_subsystem;
struct nvme_wish;
struct vfio_user;
struct vfio_user_import;

/* What the daemon gives to every attachment. */
struct attach_host {
	uv_loop_t *loop;
	const char *run_dir; /* directory for sockets whose path the site file leaves open */
	/* A descriptor that must wake the worker of the card the front is bound to (kick
	 * descriptors, a TAP's own); the daemon moves them when the front is re-bound. */
	void (*watch)(void *owner, struct front *front, int fd);
	void (*unwatch)(void *owner, struct front *front, int fd);
	/* Wakes that worker now: rings were started, memory came, translations arrived. */
	void (*wake)(void *owner, struct front *front);
	/* Something an operator wants to know: "connected", "disconnected", "driver ready",
	 * "dirty log", "stopped: ..." ; becomes an event. */
	void (*event)(void *owner, struct front *front, const char *kind, const char *text);
	/* The guest arrived here (end of a live migration): its card should announce its addresses,
	 * nic_card_announce.  NULL is allowed. */
	void (*announce)(void *owner, struct front *front);
	/* The guest has gone, and what it granted has been taken back: the next is another one.  NULL is
	 * allowed. */
	void (*unplugged)(void *owner, struct front *front);
	void *owner;
};

/* What a disk's front is made with. */
struct attach_disk {
	uint16_t queues;    /* 1..VIRTIO_BLK_QUEUES_MAX */
	const char *serial; /* up to 20 bytes count; what its driver shows */
	uint8_t id[SITE_ID_SIZE]; /* site_io_id() */
	uint64_t now_ms;          /* since 1970 */
	/* NVMe: what struct nvme_subsystem_conf has so; NULL: its guest makes no namespaces. */
	void (*wish)(void *owner, const struct nvme_wish *wish);
	void *wish_owner;
	/* NVMe: keeps what must outlive a loss of power; NULL: nothing does. */
	void (*keep)(void *owner);
	void *keep_owner;
	/* NVMe: the subsystem of another attachment, which keeps it until the last of its controllers
	 * is destroyed; NULL: one of its own. */
	struct nvme_subsystem *shared;
	uint16_t controller; /* its ID there, unique */
	/* NVMe: its controller is the primary one of the subsystem, or the secondary one that the primary sees as
	 * virtual function vf_number, 1..; 0 and not primary: one that stands alone. */
	bool primary;
	uint16_t vf_number;
};

struct attach_conf {
	struct iommu_domain *domain; /* what the front may reach; a TAP's front reaches nothing */
	const struct site_io *io;
	const char *system;  /* name */
	uint64_t mac;        /* as get_be48 reads it; parsed or derived already */
	uint16_t mtu;
	const struct attach_disk *disk; /* NULL: the front is a network's; 'mac' and 'mtu' are its */
	struct vfio_user_import *import; /* attach_external: the function that is passed on; the caller's */
};

enum { ATTACH_WHY_SIZE = FRONT_WHY_SIZE };

struct attach_facts {
	char where[108];     /* socket path or interface name */
	char state[32];      /* "waiting", "connected", "running", "stopped", "leaving": its guest
			      * has gone, requests are still under way; "held": its
			      * worker has it and does not come back */
	char stopped[ATTACH_WHY_SIZE]; /* why its front is stopped; empty when it is not, or held */
	uint64_t features;   /* negotiated virtio features; 0 for TAP */
	unsigned queue_pairs;/* in use; of a disk: queues */
	uint64_t reconnects;
};

struct attach_ops {
	const char *name;
	int (*create)(struct attachment **, const struct attach_host *, const struct attach_conf *,
		      struct refusal *why);
	/* Leaves no socket or interface behind.  The front must be unbound, with nothing in flight.
	 * Handles of the loop close when it runs next. */
	void (*destroy)(struct attachment *);
	struct nic_front *(*front)(struct attachment *);
	/* Of an NVMe function, or NULL. */
	struct nvme_subsystem *(*subsystem)(struct attachment *);
	/* The front of a disk, when it was made with attach_conf.disk.  NULL: the kind has none. */
	struct block_front *(*disk)(struct attachment *);
	/* What stands for the front of a function that is another process's.  NULL: the kind has none. */
	struct front *(*external)(struct attachment *);
	void (*facts)(struct attachment *, struct attach_facts *);
	/* The front was bound to another card: tells the guest's side what it must know (a
	 * vhost-user frontend behind a software switch: RARP is the card's; here: nothing for most). */
	void (*rebound)(struct attachment *);
	/* Stops the front for 'why', and keeps it stopped whatever its driver does, until release() or
	 * until the guest goes.  NULL: the kind has no guest that could misbehave. */
	void (*quarantine)(struct attachment *, const char *why);
	void (*release)(struct attachment *);
	/* Of a disk: takes nothing more from its guest, and says how many requests are still under way:
	 * it may be unbound at 0, and is to be destroyed then.  With the front's hold. */
	unsigned (*end)(struct attachment *);
	/* What serves it to a client, who can be handed over to another process (vfio_user.h).  NULL: the kind's guests
	 * connect again by themselves. */
	struct vfio_user *(*server)(struct attachment *);
};

struct attachment {
	const struct attach_ops *ops;
};

/* The kinds there are, by enum site_attachment. */
extern const struct attach_ops *const attach_kinds[];

/* Passes on a function that another process serves, as attachment vfio-user: made with attach_conf.import. */
extern const struct attach_ops attach_external;

/* Whether a worker gives the front back when it is asked to: waits some milliseconds for that, and a fifth of one
 * again as long as it does not.  Everything that will need the front asks this first, and comes
 * back later when it is false. */
bool attach_ready(struct front *front);

/* Takes the front's hold for the control thread (waits for one round of its card), or nothing when
 * it is unbound.  A worker that got stuck since attach_ready() said yes, and stays so for ten seconds,
 * ends the program with a sentence.  Pair with attach_release. */
void attach_hold(struct front *front);
void attach_release(struct front *front);

/* What a worker may change about a front at any time, copied with its hold. */
struct attach_look {
	bool ready;
	char stopped[ATTACH_WHY_SIZE];
};

/* False when its worker keeps the front. */
bool attach_look(struct front *front, struct attach_look *look);

#endif
