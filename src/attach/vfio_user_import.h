/* attach/vfio_user_import.h -- a PCI function that another process serves on a unix socket, as the daemon has it: a
 * connection that is kept and made again, what the function says of itself, and questions to it that are
 * answered later.
 *
 * What it is not: the blocking client of tools and tests (vfio_user_client.h), nor what a guest is given of the
 * function (vfio_user_external.c).
 *
 * The process is not trusted: every size, index and descriptor that it says is checked, what breaks the protocol
 * ends the connection, and an answer that does not come in time does so, too.  Nothing here waits.
 *
 * Threads: the loop's, which is the control thread.  Memory: create() allocates, destroy() gives back. */
#ifndef ATTACH_VFIO_USER_IMPORT_H
#define ATTACH_VFIO_USER_IMPORT_H

#include "attach/vfio_user_msg.h"

#include <uv.h>

enum {
	VFIO_USER_IMPORT_REGIONS = 9,   /* BARs, ROM, configuration space, VGA */
	VFIO_USER_IMPORT_CONFIG = 7,    /* the region of configuration space */
	VFIO_USER_IMPORT_AREAS = 8,     /* that can be mapped, of one region */
	VFIO_USER_IMPORT_VECTORS = 2048, /* of one interrupt index */
	VFIO_USER_IMPORT_CONFIG_SIZE = 4096,
};

/* X-list: enum, word for operators. */
#define VFIO_USER_IMPORT_STATES(X)                                                            \
	X(ABSENT, "absent")   /* nobody listens, or it went */                                \
	X(DEAD, "dead")       /* it is there and does not answer in time */                   \
	X(REFUSED, "refused") /* what it says cannot be imported */                           \
	X(PULLED, "pulled")   /* by the operator: nobody asks for it */                       \
	X(PRESENT, "present")

enum vfio_user_import_state {
#define X(name, text) VFIO_USER_IMPORT_##name,
	VFIO_USER_IMPORT_STATES(X)
#undef X
	VFIO_USER_IMPORT_STATE_COUNT
};
extern const char *const vfio_user_import_state_text[VFIO_USER_IMPORT_STATE_COUNT];

struct vfio_user_import_area {
	uint64_t first, size; /* in the region: multiples of 4096 */
};

struct vfio_user_import_region {
	uint64_t size;   /* bytes; 0: absent */
	uint32_t flags;  /* VFIO_USER_REGION_READABLE and _WRITABLE */
	int fd;          /* of the areas; -1: none can be mapped.  Owned by the import */
	uint64_t offset; /* of the region's first byte in it */
	unsigned area_count;
	struct vfio_user_import_area areas[VFIO_USER_IMPORT_AREAS];
};

/* What the function said when it was reached last. */
struct vfio_user_import_facts {
	uint32_t flags; /* VFIO_USER_INFO_RESET and _PCI */
	struct vfio_user_import_region regions[VFIO_USER_IMPORT_REGIONS];
	struct {
		uint32_t count, flags;
	} irqs[VFIO_USER_IRQ_INDEXES];
	uint8_t config[VFIO_USER_IMPORT_CONFIG_SIZE]; /* kept up to date as far as it passes here */
	struct vfio_user_limits limits;
};

struct vfio_user_import;

/* Access to memory that the function asks for by messages. */
struct vfio_user_import_dma {
	struct vfio_user_import *import; /* NULL: its connection has gone meanwhile */
	uint16_t id, command;            /* VFIO_USER_DMA_READ, _WRITE */
	uint64_t address;
	uint32_t size;                   /* 1..VFIO_USER_TRANSFER_MAX */
	uint8_t *bytes;                  /* what is written, or room for what is read */
	struct vfio_user_import_dma *next;
	int err;
};

/* Who uses the function: all are called from the loop. */
struct vfio_user_import_user {
	/* It was reached, and is as vfio_user_import_facts() say; its state there is of nobody. */
	void (*came)(void *owner);
	/* It cannot be reached any longer. */
	void (*went)(void *owner);
	/* Serves the access: 0 or -errno; -EINPROGRESS: vfio_user_import_served() follows. */
	int (*dma)(void *owner, struct vfio_user_import_dma *dma);
	void *owner;
};

enum vfio_user_import_trust {
	/* It is given no descriptor of the guest's memory, and none of its own is passed on that it could
	 * make smaller. */
	VFIO_USER_IMPORT_GUARDED,
	VFIO_USER_IMPORT_TRUSTED,
};

struct vfio_user_import_conf {
	const char *path;      /* of its socket */
	unsigned patience_ms;  /* for each answer, > 0 */
	enum vfio_user_import_trust trust;
	uv_loop_t *loop;
	/* The state is another one: the text says why. */
	void (*changed)(void *owner, struct vfio_user_import *import, const char *text);
	void *owner;
};

/* 0, or -ENAMETOOLONG or -ENOMEM with 'why'.  The connection is made when the loop runs. */
int vfio_user_import_create(struct vfio_user_import **import, const struct vfio_user_import_conf *conf,
			    struct refusal *why);
/* Nobody uses it.  Handles of the loop close when it runs next.  NULL is nothing. */
void vfio_user_import_destroy(struct vfio_user_import *import);

/* Before the first attempt: absent. */
enum vfio_user_import_state vfio_user_import_state(const struct vfio_user_import *import);
/* Why it is not present; empty when it is. */
const char *vfio_user_import_why(const struct vfio_user_import *import);
/* NULL until it was reached for the first time. */
const struct vfio_user_import_facts *vfio_user_import_facts(const struct vfio_user_import *import);
const char *vfio_user_import_path(const struct vfio_user_import *import);
enum vfio_user_import_trust vfio_user_import_trust(const struct vfio_user_import *import);

struct vfio_user_import_counts {
	uint64_t messages; /* questions that were answered */
	uint64_t dma_reads, dma_writes, dma_refused; /* accesses that it asked for */
	uint64_t connections;
};
const struct vfio_user_import_counts *vfio_user_import_counts(const struct vfio_user_import *import);

/* Takes it, or gives it up: NULL.  Questions of the user before are answered to nobody. */
void vfio_user_import_use(struct vfio_user_import *import, const struct vfio_user_import_user *user);

/* Whether it can be asked now. */
bool vfio_user_import_reachable(const struct vfio_user_import *import);
/* Whether its connection is being made anew: its state stays, and its user is told how that ended. */
bool vfio_user_import_renewing(const struct vfio_user_import *import);

/* Its user was another one: the connection is made anew, since a function whose client goes forgets all that it
 * was granted. */
void vfio_user_import_renew(struct vfio_user_import *import);

/* Bytes of its configuration space are these now; what lies beyond it is not looked at. */
void vfio_user_import_note(struct vfio_user_import *import, uint64_t offset, uint32_t size,
			   const uint8_t *bytes);

/* The operator pulls it, or puts it in again. */
void vfio_user_import_pull(struct vfio_user_import *import);
void vfio_user_import_insert(struct vfio_user_import *import);

struct vfio_user_import_question {
	enum vfio_user_command command;
	const uint8_t *payload; /* copied */
	uint32_t size;
	const int *fds; /* duplicated */
	unsigned fd_count;
	/* Answers of at least 'least' bytes; shorter ones break the protocol. */
	uint32_t least;
	/* 0 with the answer's payload; its refusal; -ECONNRESET, -ETIMEDOUT, -EPROTO when it has gone.  Called
	 * once, never from within ask(); NULL: nobody wants to know. */
	void (*done)(void *owner, int err, const uint8_t *payload, uint32_t size);
	void *owner;
};

/* Asks when what was asked before is answered: 0; -ENODEV: it is not present; -ENOSPC: too much is waiting;
 * -ENOMEM; -EMFILE and the like of descriptors. */
int vfio_user_import_ask(struct vfio_user_import *import, const struct vfio_user_import_question *question);

/* An access that was in progress has ended: it is answered, and given back. */
void vfio_user_import_served(struct vfio_user_import_dma *dma, int err);

#endif
