/* attach/internal.h -- what the files of one vhost-user attachment share.
 *
 * Files, from the outside in: vhost_user.c (the attachment: listening, connecting, coming and
 * going), vhost_user_socket.c (bytes and descriptors of a connection), vhost_user_table.c (rules),
 * then what requests do: vhost_user_requests.c, vhost_user_mem.c, vhost_user_ring.c,
 * vhost_user_share.c (dirty log, in-flight region) and vhost_user_iotlb.c (the back-end channel).
 * vhost_user_quiet.c waits for what is under way.  What kind of device it is, vhost_user_net.c and
 * vhost_user_blk.c know; all others drive it by its table (dev/virtio.h).
 *
 * Threads: control, but for the three functions that the device calls under the hold. */
#ifndef ATTACH_INTERNAL_H
#define ATTACH_INTERNAL_H

#include "attach/attach.h"
#include "attach/handle.h"
#include "attach/vhost_user_msg.h"
#include "dev/virtio.h"
#include "os/guest_memory.h"

#include <sys/un.h>

enum {
	VU_RINGS_MAX = 17,             /* of any kind of device */
	VU_SLOTS_MAX = 128,            /* memory regions of one guest */
	VU_PENDING_MAX = PAGE_REQUESTS_MAX, /* translations asked of the frontend */
	VU_MISS_AGAIN_MS = 100,        /* an unanswered question is asked again after that */
	VU_MISS_TRIES = 50,            /* at most that often, until the front misses it again */
	VU_LATER_MS = 10,              /* how often a front whose worker keeps it is asked for */
	VU_WATCH_MS = 500,             /* how often a front is looked at: stopped? driver there? */
	VU_DISTRUST_MS = 60000,        /* no eventfd is taken after one that made us wait */
	VU_QUIET_MS = 1,               /* how often a busy device is looked at */
	VU_QUIET_MAX_MS = 10000,       /* a request waits no longer for that, and is refused */
	VU_RETRY_MIN_MS = 50,          /* client mode: first pause between attempts */
	VU_RETRY_MAX_MS = 1000,        /* and the longest; each is double the last */
};

/* Guest memory as it is now: replaced as a whole, under the hold. */
struct vu_memory {
	unsigned count;
	struct dma_region regions[VU_SLOTS_MAX]; /* sorted by guest address */
	struct guest_mapping *mappings[VU_SLOTS_MAX];
};

/* What messages have said about one ring. */
struct vu_ring {
	uint32_t size;              /* SET_VRING_NUM; 0: not said */
	uint32_t base;              /* SET_VRING_BASE, or where it stopped: where it starts */
	uint32_t reached;           /* the same, and outlives a reset: what GET_VRING_BASE answers */
	bool has_addr, has_kick;    /* SET_VRING_ADDR, SET_VRING_KICK came */
	bool wanted;                /* SET_VRING_ENABLE's last word */
	uint32_t addr_flags;
	uint64_t desc, used, avail, log; /* as SET_VRING_ADDR said */
	uint64_t at_desc, at_used, at_avail; /* what the running ring was given */
	int kick_fd, call_fd, err_fd;    /* -1: none; call_fd changes under the hold only */
	bool call_is_socket, err_is_socket; /* not an eventfd or a pipe */
	bool call_blocks;           /* call_fd made us wait: it is not signalled again */
	bool watched;               /* kick_fd wakes the worker */
};

struct vu_pending {
	uint64_t iova;
	uint8_t access;
	uint8_t tries;
	uint64_t asked_ms; /* by the loop's clock */
};

/* How long a device keeps what it has taken from a ring. */
enum vu_pace {
	VU_PROMPT,  /* no longer than its round */
	VU_LASTING, /* until something else has done it: pointers into guest memory stay that long */
};

/* What is particular to a kind of device. */
struct vu_kind {
	enum vu_pace pace;
	uint32_t ring_max;          /* entries of one ring, at most */
	uint64_t protocol_features; /* beside those of every kind */
	unsigned per_lane;          /* rings that work together: what facts count */
	/* Makes vu->made, ->device, ->front, and ->nic or ->block; sets ->lanes. */
	int (*make)(struct vhost_user *vu, const struct attach_conf *conf, struct refusal *why);
};

extern const struct vu_kind vu_kind_net, vu_kind_blk;

struct vhost_user {
	struct attachment attachment;
	struct attach_host host;
	const struct vu_kind *kind;
	void *made;                 /* memory of the device; freed with us */
	struct virtio_device *device;
	struct front *front;
	struct nic_front *nic;      /* the same front by its class; one of the two is NULL */
	struct block_front *block;
	char system[SITE_NAME_MAX];
	struct sockaddr_un where;
	enum site_socket_mode mode;
	uint16_t lanes;             /* queue pairs of a network device, queues of a disk */
	uint16_t mtu;
	uint64_t reconnects, connections;

	/* Handles of the loop: each allocated alone and freed by its own close. */
	uv_poll_t *listener;
	uv_timer_t *retry, *watch, *again, *later, *quiet;
	uv_async_t *async;
	int listen_fd;
	unsigned retry_ms;

	/* Of the connection. */
	uv_poll_t *poll;
	int fd;                     /* -1: not connected */
	struct vu_msg msg;          /* what has come of the next message */
	uint8_t header[VHOST_USER_HEADER_SIZE];
	uint32_t got;               /* bytes of it, header included */
	int reply_fd;               /* descriptor that goes with the reply; -1: none */

	uint64_t features, protocol_features;
	bool features_set;
	uint8_t status;             /* SET_STATUS */
	struct vu_ring rings[VU_RINGS_MAX];
	struct vu_memory *memory;   /* NULL: none */

	struct guest_mapping *log;  /* dirty log */
	uint64_t log_bytes;
	bool logs;                  /* pages that are written are noted in it */
	struct guest_mapping *inflight;
	uint64_t inflight_bytes;
	uint16_t inflight_queues, inflight_size;

	int backend_fd;             /* back-end channel; -1: none */
	uv_poll_t *backend_poll;
	struct iommu_domain *domain; /* the daemon's */
	struct page_requests requests; /* under the hold */
	bool translated;            /* VIRTIO_F_ACCESS_PLATFORM is in use */
	bool told_no_channel;
	bool ring_waits;            /* some ring starts when translations have come */
	struct vu_pending pending[VU_PENDING_MAX];
	unsigned pending_count;

	atomic_bool blocked;        /* a descriptor made a thread of ours wait */
	uint64_t distrust_until_ms; /* by the loop's clock */
	atomic_bool config_changed; /* set under the hold by any thread, taken by the async */
	char quarantined[160];      /* why, or empty */
	bool paused;                /* the device takes nothing further */
	uint64_t waits_since_ms;    /* when the request that waits for quiet came; 0: none does */
	bool leaving;               /* the frontend has gone, and the device is still busy */
	bool told_stopped, told_ready, told_held;
	bool told_lost;             /* memory of the present table was lost, and we said so */
};

enum { VU_BIT_VERSION_1 = 32, VU_BIT_ACCESS_PLATFORM = 33, VU_BIT_RING_PACKED = 34 };

static inline bool vu_has(uint64_t features, unsigned bit)
{
	return (features >> bit & 1) != 0;
}

/* vhost_user.c: the front as new, but for a quarantine. */
void vu_reset_front(struct vhost_user *vu);
/* Ends the connection and tells why; everything of the guest is given back. */
void vu_disconnect(struct vhost_user *vu, const char *why);
void vu_event(struct vhost_user *vu, const char *kind, const char *format, ...) printf_like(3, 4);
/* Whether the front can be had.  When its worker keeps it, the connection is not read from, and what
 * the front asks for not looked at, until it can be. */
bool vu_ready(struct vhost_user *vu);
/* Tells of a driver that came, or a front that stopped, since it was told last. */
void vu_look(struct vhost_user *vu);
/* The frontend has gone and nothing is under way any more: gives back what it granted, and lets the next
 * one in. */
void vu_left(struct vhost_user *vu);
/* What the device calls. */
struct virtio_host vu_device_host(struct vhost_user *vu);

/* vhost_user_socket.c: takes over a connected socket. */
int vu_socket_open(struct vhost_user *vu, int fd);
/* Reads on after it was told to wait. */
void vu_socket_resume(struct vhost_user *vu);
void vu_socket_wait(struct vhost_user *vu);
void vu_socket_close(struct vhost_user *vu);
/* Sends one message and, unless -1, a descriptor.  Never blocks: -EAGAIN when the peer does not
 * read. */
int vu_send(int fd, uint32_t request, uint32_t flags, const uint8_t *payload, uint32_t size,
	    int with_fd);
/* Takes descriptor 'index' out of a message; the caller owns it then. */
int vu_take_fd(struct vu_msg *msg, unsigned index);

/* Serves the message that was told to wait, and what comes behind it. */
void vu_socket_go_on(struct vhost_user *vu);

/* vhost_user_quiet.c: whether nothing of the guest's is under way.  A device that was busy is paused, and looked
 * at again by a timer, which goes on with what waited. */
bool vu_is_quiet(struct vhost_user *vu);
/* Whether 'msg' may be served now: 0; -EINPROGRESS: it will be, later; -ETIMEDOUT with 'why' when that took
 * too long. */
int vu_quiet_for(struct vhost_user *vu, const struct vu_rule *rule, const struct vu_msg *msg,
		 struct refusal *why);
/* The device takes requests again. */
void vu_quiet_end(struct vhost_user *vu);
void vu_quiet_timer(uv_timer_t *timer);

/* vhost_user_mem.c */
int vu_set_mem_table(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_get_max_mem_slots(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_add_mem_reg(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_rem_mem_reg(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
void vu_memory_drop(struct vhost_user *vu);
/* The guest address of frontend user address 'user' with 'size' bytes behind it in one region. */
bool vu_user_to_guest(const struct vhost_user *vu, uint64_t user, uint64_t size, uint64_t *guest);
/* The bytes of ours that stand for these; NULL when not all lie in one region. */
uint8_t *vu_user_bytes(const struct vhost_user *vu, uint64_t user, uint64_t size);
/* Grants the domain what the memory table says, and nothing else; nothing at all behind an IOMMU.  Under the
 * hold.  0, or -errno with nothing granted. */
int vu_memory_grant(struct vhost_user *vu);
/* Whether a mapping of this guest was lost. */
bool vu_memory_lost(const struct vhost_user *vu);

/* vhost_user_ring.c */
/* Signals a descriptor that vu_set_vring_call() or _err() took.  Any thread within a
 * patience_begin().  False when that had to wait, which only a frontend brings about that means
 * it: do not signal it again. */
bool vu_signal(int fd, bool is_socket);
int vu_set_vring_num(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_set_vring_addr(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_set_vring_base(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_get_vring_base(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_set_vring_kick(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_set_vring_call(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_set_vring_err(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_set_vring_enable(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
/* Stops and starts all rings of a lasting device: what it has read, and not begun, it reads again.
 * Nothing is under way. */
void vu_rings_reread(struct vhost_user *vu);
/* Starts every ring of which everything is known and moves those whose addresses changed. */
void vu_rings_settle(struct vhost_user *vu);
/* Stops all rings; bases are kept. */
void vu_rings_stop(struct vhost_user *vu);
/* Enables or disables them all as features and messages say. */
void vu_rings_enable(struct vhost_user *vu);
/* A device reset: forgets where rings were; call and err descriptors belong to the connection. */
void vu_rings_reset(struct vhost_user *vu);
/* Forgets all that was said about rings, and closes their descriptors. */
void vu_rings_forget(struct vhost_user *vu);
void vu_rings_init(struct vhost_user *vu);
unsigned vu_ring_count(const struct vhost_user *vu);
/* Writes the err descriptors: the driver's rings are stopped for good. */
void vu_rings_fail(struct vhost_user *vu);

/* vhost_user_share.c */
int vu_set_log_base(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_set_log_fd(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
/* The log follows VHOST_F_LOG_ALL and SET_LOG_BASE. */
void vu_log_settle(struct vhost_user *vu);
int vu_get_inflight_fd(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_set_inflight_fd(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
/* The part of the in-flight region that is ring 'index's, or NULL. */
uint8_t *vu_inflight_of(const struct vhost_user *vu, unsigned index, uint32_t *size);
void vu_share_drop(struct vhost_user *vu);

/* vhost_user_iotlb.c */
int vu_set_backend_req_fd(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_iotlb_msg(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
/* Turns translation on or off as the accepted features say. */
void vu_iotlb_settle(struct vhost_user *vu);
/* Asks the frontend what the front has missed, and again what it has not answered. */
void vu_iotlb_ask(struct vhost_user *vu);
void vu_iotlb_drop(struct vhost_user *vu);
void vu_backend_config_changed(struct vhost_user *vu);

/* vhost_user_requests.c */
int vu_get_features(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_set_features(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_set_owner(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_reset_owner(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_reset_device(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_get_protocol_features(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_set_protocol_features(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_get_queue_num(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_get_config(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_set_config(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_set_status(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_get_status(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);

/* vhost_user_net.c */
int vu_send_rarp(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
int vu_net_set_mtu(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);

#endif
