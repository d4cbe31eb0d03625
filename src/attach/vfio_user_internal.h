/* attach/vfio_user_internal.h -- what the files of one vfio-user server share.
 *
 * Files, from the outside in: vfio_user.c (listening, coming and going), vfio_user_stream.c (bytes and
 * descriptors), vfio_user_table.c (rules), then what commands do: vfio_user_info.c, vfio_user_access.c
 * (regions, doorbells), vfio_user_irq.c, vfio_user_dma.c (windows) with vfio_user_grant.c (how the function
 * learns of them), vfio_user_log.c (dirty pages), vfio_user_migration.c; and what we ask of the client:
 * vfio_user_copy.c.  vfio_user_hand.c and vfio_user_hand_take.c: a client goes from one process to another.
 *
 * Threads: control, but for vfuser_interrupt(). */
#ifndef ATTACH_VFIO_USER_INTERNAL_H
#define ATTACH_VFIO_USER_INTERNAL_H

#include "attach/handle.h"
#include "attach/vfio_user.h"
#include "attach/vfio_user_msg.h"
#include "iommu/dma.h"
#include "os/guest_memory.h"

#include <stdatomic.h>
#include <sys/types.h>
#include <sys/un.h>

enum {
	VFUSER_READ_BYTES = 64 * 1024, /* read at once, unless a message is larger */
	VFUSER_WINDOWS_MAX = VFIO_USER_DEFAULT_MAPS,
	VFUSER_FILES_MAX = VFUSER_WINDOWS_MAX,
	VFUSER_DOORBELL_FDS = 16,
	VFUSER_SETTLE_MS = 1,    /* how often a busy function is looked at */
	VFUSER_PATIENCE_MS = 10000, /* a command that needs a quiet function is refused after that */
	/* A VMM that changes its memory map takes a large window away to give back its parts at once: the
	 * function stays quiet until as much is there again, for which it waits so long, and no more of that has
	 * come for a moment. */
	VFUSER_LARGE_BYTES = 1 << 20,
	VFUSER_GRACE_MS = 3,
	VFUSER_MISSING_MS = 500,
	VFUSER_RECORDS_MAX = 64 << 20, /* bytes of migration data that we take */
	VFUSER_FILES_KEPT = 64, /* of which we keep a descriptor each */
};

struct vfuser_msg {
	struct vfio_user_header header;
	const uint8_t *payload; /* header.payload bytes */
	unsigned fd_count;
	int fds[VFIO_USER_FDS_MAX]; /* owned by the message; -1: somebody took it */
	/* The reply: 'size' bytes at 'reply', of VFIO_USER_PAYLOAD_MAX. */
	uint8_t *reply;
	uint32_t size;
	unsigned reply_fd_count;
	int reply_fds[VFUSER_DOORBELL_FDS]; /* whoever answers keeps them */
};

/* When a command can be carried out. */
enum vfuser_when {
	VFUSER_FIRST, /* before all others, once */
	VFUSER_ANY,
	VFUSER_QUIET, /* while nothing of the function is under way: it is quiesced until then */
};

/* What a command may look like and who serves it. */
struct vfuser_rule {
	const char *name;
	uint32_t size_min, size_max; /* bytes of payload */
	uint8_t fds_max;
	uint8_t when; /* enum vfuser_when */
	/* Carries it out and leaves the reply's payload in 'msg', or refuses it: a negative errno with 'why',
	 * and then nothing has changed. */
	int (*serve)(struct vfio_user *, struct vfuser_msg *, struct refusal *why);
};

/* The rule of a command, or NULL when a client cannot send it. */
const struct vfuser_rule *vfuser_rule(uint32_t command);

/* A file of which the client lends windows: mapped once. */
struct vfuser_file {
	struct vfuser_file *next;
	struct guest_mapping *mapping;
	uint64_t dev_major, dev_minor, inode;
	uint64_t first, size; /* bytes of the file that are mapped */
	unsigned windows;
	bool shared; /* other windows of the file may use it */
	int fd;      /* ours, for whom the client is handed over to; -1: there were too many */
};

/* The address of no byte: that of windows which are reached by messages. */
#define VFUSER_NOWHERE ((uint8_t *)UINTPTR_MAX)

struct vfuser_window {
	struct vfuser_file *file; /* NULL: reached by messages */
	uint8_t access;           /* enum dma_access, ored */
};

/* What the client granted, by address; the two arrays are parallel, and dma knows the first. */
struct vfuser_windows {
	struct dma_region *regions; /* host VFUSER_NOWHERE: reached by messages */
	struct vfuser_window *more;
	unsigned count, room;
	struct vfuser_file *files;
	unsigned fds_kept;
};

/* What the client lends: 'size' bytes of a file from 'offset' on, at 'address'. */
struct vfuser_grant {
	uint64_t offset, address, size;
	uint8_t access; /* enum dma_access, ored */
};

struct vfuser_log {
	uint8_t *bits; /* one a page of VFUSER_LOG_BITS of address; NULL: off */
	uint64_t size;
};

struct vfuser_migration {
	enum vfio_user_state state;
	uint8_t *data; /* to be read, or written so far */
	size_t size, at;
	bool quiet; /* the function is quiesced for it */
};

struct vfio_user {
	struct vfio_user_conf conf;
	struct pci_function *function;
	struct sockaddr_un where;
	int listen_fd;
	uv_poll_t *listener, *poll;
	uv_timer_t *timer;
	uv_async_t *async;

	/* Of the connection. */
	int fd; /* -1: not connected */
	uint8_t *in;
	uint32_t in_first, in_end;   /* bytes that have come and are not served */
	unsigned carried;            /* of msg.fds waiting: those of the first message there */
	unsigned fd_count;
	int fds[2 * VFIO_USER_FDS_MAX];
	uint8_t *out;                /* a message that goes out, header first */
	uint32_t out_first, out_end; /* of it, what has not gone yet */
	bool negotiated;
	struct vfio_user_limits client;
	struct vfuser_msg msg;
	bool parked;                 /* msg waits for a quiet function */
	bool leaving;                /* the client went: the function is being quieted */
	bool quiesced;               /* we asked it to */
	bool held;                   /* nothing is read, and it stays quiet: vfio_user_hold_still() */
	bool taken;                  /* its client came from another server, and has not gone on yet */
	bool own_pages[PCI_REGION_ROM]; /* conf.pages[].fd is ours */
	uint64_t waits_since_ms;     /* by the loop's clock */
	uint64_t quiet_until_ms;     /* the memory map is being changed; 0: it is not */
	uint64_t missing_until_ms;   /* and so long what went is waited for */
	uint64_t missing_bytes;      /* of large windows that went, and have not come back */

	struct vfuser_windows windows;
	struct iommu_domain plain; /* of a function that has none: the windows themselves */
	uint64_t blocked_accesses;
	struct vfuser_log log;
	struct vfuser_migration migration;
	int vectors[PCI_VECTORS_MAX]; /* eventfds; -1: none.  Change under the hold only */
	int line;                    /* the same of INTx */
	bool line_waits;             /* it was taken from another process unmasked, and has not gone on yet */
	atomic_bool blocked;         /* one of them made a thread wait: none is signalled again */
	bool own_thread;             /* we serve now, and so have no patience by ourselves */
	uv_poll_t *doorbells[VFUSER_DOORBELL_FDS];
	int doorbell_fds[VFUSER_DOORBELL_FDS];
	unsigned doorbell_count;
	struct vfuser_later *later;    /* commands of a relay, in order */
	unsigned later_count;
	size_t later_bytes;
	struct vfio_user_copy *copies; /* in order; the first may have been asked for */
	uint16_t next_id;

	uint64_t messages, refused, connections;
	bool told_refused, told_lost;
};

static inline void vfuser_hold(struct vfio_user *vf)
{
	if (vf->conf.host.hold)
		vf->conf.host.hold(vf->conf.host.owner);
}

static inline void vfuser_release(struct vfio_user *vf)
{
	if (vf->conf.host.release)
		vf->conf.host.release(vf->conf.host.owner);
}

/* vfio_user.c */
void vfuser_event(struct vfio_user *vf, const char *kind, const char *format, ...) printf_like(3, 4);
/* Ends the connection and tells why; the rest is given back once the function is quiet. */
void vfuser_disconnect(struct vfio_user *vf, const char *why);
/* Whether nothing of the function is under way: if something is, it is asked to become quiet, and the
 * timer looks again. */
bool vfuser_is_quiet(struct vfio_user *vf);
/* It may take work again. */
void vfuser_go_on(struct vfio_user *vf);
/* The function is quiet, and the client not connected (any more): it is reset, and reaches nothing of what the client
 * granted. */
void vfuser_let_go(struct vfio_user *vf);
/* The next client may come. */
void vfuser_listen(struct vfio_user *vf);
/* Whether the client is about to map again what it unmapped. */
bool vfuser_map_is_changing(const struct vfio_user *vf);
/* Whether the function can be had; when its worker keeps it, the timer asks again. */
bool vfuser_is_ready(struct vfio_user *vf);

/* vfio_user_stream.c */
int vfuser_stream_open(struct vfio_user *vf, int fd);
void vfuser_stream_close(struct vfio_user *vf);
/* Listens to what matters now. */
void vfuser_stream_rearm(struct vfio_user *vf);
/* Serves what has come, until more has to come, the client does not read, or a command waits. */
void vfuser_stream_run(struct vfio_user *vf);
/* Sends a message that lies in vf->out, with descriptors: 0 also when part of it has to wait; -errno when the
 * client has gone.  vfuser_can_send(): whether vf->out is free. */
bool vfuser_can_send(const struct vfio_user *vf);
int vfuser_send(struct vfio_user *vf, const struct vfio_user_header *header, const int *fds,
		unsigned fd_count);
/* Takes descriptor 'index' out of a message; the caller owns it then. */
int vfuser_take_fd(struct vfuser_msg *msg, unsigned index);

/* vfio_user_serve.c: a whole message that lies in vf->msg.  False: it waits for a quiet function. */
bool vfuser_serve(struct vfio_user *vf);
/* Holds a command against its rule: 0 or -errno with 'why'. */
int vfuser_check(const struct vfio_user *vf, const struct vfuser_msg *msg, struct refusal *why);
/* Sends the reply that lies behind the header in vf->out, or a refusal, which is counted. */
void vfuser_answer(struct vfio_user *vf, struct vfuser_msg *msg, int err, const struct refusal *why);
void vfuser_close_fds(struct vfuser_msg *msg);

/* vfio_user_later.c: commands of a relay.  They are served in order, and copied out of the stream, so that the
 * client's answers behind them are read: take() is false when too many wait. */
bool vfuser_later_take(struct vfio_user *vf);
/* Serves those that can be. */
void vfuser_later_run(struct vfio_user *vf);
/* The answer of the one that is in progress; not from within serve(). */
void vfuser_later_answer(struct vfio_user *vf, int err, const uint8_t *payload, uint32_t size);
void vfuser_later_retry(struct vfio_user *vf);
void vfuser_later_drop(struct vfio_user *vf);

/* vfio_user_info.c */
int vfuser_version(struct vfio_user *, struct vfuser_msg *, struct refusal *);
int vfuser_get_info(struct vfio_user *, struct vfuser_msg *, struct refusal *);
int vfuser_get_region_info(struct vfio_user *, struct vfuser_msg *, struct refusal *);
int vfuser_get_irq_info(struct vfio_user *, struct vfuser_msg *, struct refusal *);
int vfuser_reset(struct vfio_user *, struct vfuser_msg *, struct refusal *);

/* vfio_user_access.c */
int vfuser_region_read(struct vfio_user *, struct vfuser_msg *, struct refusal *);
int vfuser_region_write(struct vfio_user *, struct vfuser_msg *, struct refusal *);
int vfuser_write_multi(struct vfio_user *, struct vfuser_msg *, struct refusal *);
/* Whether a write that its rule allows would stop the function: it is to be quiet first. */
bool vfuser_write_stops(const struct vfio_user *vf, const struct vfuser_msg *msg);
int vfuser_get_io_fds(struct vfio_user *, struct vfuser_msg *, struct refusal *);
void vfuser_doorbells_drop(struct vfio_user *vf);
/* One more, which is ours from then on, whatever comes of it: 0 or -errno. */
int vfuser_doorbell_add(struct vfio_user *vf, int fd);

/* vfio_user_irq.c */
int vfuser_set_irqs(struct vfio_user *, struct vfuser_msg *, struct refusal *);
unsigned vfuser_irq_count(const struct vfio_user *vf, unsigned index);
uint32_t vfuser_irq_flags(unsigned index);
/* Signals a vector's descriptor.  Under the hold; a worker is within a patience_begin(). */
void vfuser_interrupt(struct vfio_user *vf, unsigned vector);
void vfuser_irqs_init(struct vfio_user *vf);
void vfuser_irqs_drop(struct vfio_user *vf);     /* of MSI-X */
void vfuser_irqs_drop_all(struct vfio_user *vf); /* and of INTx */
/* All of the function's at once; -1: none.  They are ours from then on. */
void vfuser_irqs_set(struct vfio_user *vf, int *fds);
/* The same of INTx. */
void vfuser_line_set(struct vfio_user *vf, int fd);
bool vfuser_is_eventfd(int fd);

/* vfio_user_dma.c */
int vfuser_dma_map(struct vfio_user *, struct vfuser_msg *, struct refusal *);
int vfuser_dma_unmap(struct vfio_user *, struct vfuser_msg *, struct refusal *);
void vfuser_windows_drop(struct vfio_user *vf);
/* Grants one more: 0, or -errno with 'why'.  fd: of its file, the caller's; -1: reached by messages. */
int vfuser_window_add(struct vfio_user *vf, const struct vfuser_grant *g, int fd, struct refusal *why);
/* Takes back the window that begins at 'address', if there is one and tables can be had for it. */
void vfuser_window_drop(struct vfio_user *vf, uint64_t address);
/* Whether every byte is granted, for this access, and without a descriptor. */
bool vfuser_is_remote(const struct vfio_user *vf, uint64_t address, uint32_t size, uint8_t access);
bool vfuser_memory_lost(const struct vfio_user *vf);

/* The first window that ends above 'address', or their count. */
unsigned vfuser_window_at(const struct vfuser_windows *windows, uint64_t address);

/* vfio_user_grant.c: how the function's domain learns of a window (0 or -errno), and that those of first .. last
 * end: 0, and nobody uses their memory; -ENOMEM, and none has ended.  Under the hold. */
void vfuser_grants_init(struct vfio_user *vf);
void vfuser_grants_fini(struct vfio_user *vf);
int vfuser_grant(struct vfio_user *vf, const struct dma_region *region, uint8_t access);
int vfuser_ungrant(struct vfio_user *vf, uint64_t first, uint64_t last);
/* The array of windows is another, or has others in it. */
void vfuser_regions_moved(struct vfio_user *vf);

/* vfio_user_log.c */
int vfuser_log_start(struct vfio_user *, struct vfuser_msg *, struct refusal *);
int vfuser_log_stop(struct vfio_user *, struct refusal *);
int vfuser_log_report(struct vfio_user *, struct vfuser_msg *, struct refusal *);
void vfuser_log_drop(struct vfio_user *vf);

/* vfio_user_migration.c */
int vfuser_feature(struct vfio_user *, struct vfuser_msg *, struct refusal *);
int vfuser_mig_read(struct vfio_user *, struct vfuser_msg *, struct refusal *);
int vfuser_mig_write(struct vfio_user *, struct vfuser_msg *, struct refusal *);
/* Back to running, whatever was under way: after a reset. */
void vfuser_migration_reset(struct vfio_user *vf);

/* vfio_user_copy.c */
void vfuser_copy_reply(struct vfio_user *vf);
/* Asks for what is next, if anything. */
void vfuser_copy_run(struct vfio_user *vf);
void vfuser_copies_fail(struct vfio_user *vf, int err);

#endif
