/* attach/vfio_user_external.h -- what the files of an imported function's attachment share: vfio_user_external.c
 * (attachment; coming and going on both sides), vfio_user_external_relay.c (a client's commands),
 * vfio_user_external_info.c (what it is told the function is), vfio_user_external_config.c (configuration space),
 * vfio_user_external_memory.c (what it grants).
 *
 * Threads: control.  Memory: the attachment's. */
#ifndef ATTACH_VFIO_USER_EXTERNAL_H
#define ATTACH_VFIO_USER_EXTERNAL_H

#include "attach/attach.h"
#include "attach/listen.h"
#include "attach/vfio_user_import.h"
#include "attach/vfio_user_internal.h"
#include "spec/pcie.h"

/* A file that windows lie in. */
struct external_file {
	struct external_file *next;
	uint64_t dev, inode;
	int fd;
	unsigned windows;
};

/* What the function must be told again when it returns. */
struct external_window {
	uint64_t address, size, offset;
	uint32_t flags;             /* VFIO_USER_MAP_READ, _WRITE */
	struct external_file *file; /* NULL: reached by messages */
};

struct external {
	struct attachment attachment;
	struct attach_host host;
	struct front front;
	struct pci_function function; /* a shell: memory and nothing else */
	struct dma dma;
	struct counter blocked;
	struct iommu_domain *domain;
	struct vfio_user_import *import;
	struct vfio_user_relay relay;
	struct vfio_user *server;
	char path[ATTACH_SOCKET_SIZE];
	char quarantined[ATTACH_WHY_SIZE]; /* why; empty: it is not */

	/* The command that is in progress. */
	struct vfuser_msg *msg; /* NULL: none is */
	uint32_t part;          /* how many questions it has taken */
	uint8_t *scratch;       /* its answer: VFIO_USER_PAYLOAD_MAX bytes */
	bool resets;            /* it is a write that resets the function */

	/* Of the client. */
	uint32_t bars[SPEC_PCI_BARS], rom; /* as it wrote them */
	uint8_t line;
	bool told;        /* it knows what the function is */
	bool pages_given; /* it may have mapped pieces of it */
	uint64_t sizes[VFIO_USER_IMPORT_REGIONS]; /* as it was told */
	uint32_t irqs[VFIO_USER_IRQ_INDEXES];
	uint32_t identity;
	int *vectors[VFIO_USER_IRQ_INDEXES]; /* eventfds; NULL: none was given */
	struct external_window *windows;
	unsigned window_count, window_room;
	struct external_file *files;
	uint64_t aborted; /* accesses that nobody answered */
};

/* Asks the function: 0 or -errno.  on_part() goes on with the command. */
int external_ask(struct external *x, enum vfio_user_command command, const uint8_t *payload, uint32_t size,
		 const int *fds, unsigned fd_count, uint32_t least);
/* The same, and the answer is nobody's. */
int external_tell(struct external *x, enum vfio_user_command command, const uint8_t *payload, uint32_t size,
		  const int *fds, unsigned fd_count);
/* Whether accesses reach it. */
bool external_is_there(const struct external *x);

/* vfio_user_external_relay.c */
int external_serve(void *owner, struct vfuser_msg *msg, struct refusal *why);

/* vfio_user_external_info.c: as rules of vfio_user_internal.h. */
int external_info(struct external *x, struct vfuser_msg *msg, struct refusal *why);
int external_region_info(struct external *x, struct vfuser_msg *msg, struct refusal *why);
int external_irq_info(struct external *x, struct vfuser_msg *msg, struct refusal *why);
int external_io_fds(struct external *x, struct vfuser_msg *msg, struct refusal *why);

/* vfio_user_external_config.c: puts the client's own registers over bytes that were read. */
void external_config_read(const struct external *x, uint64_t offset, uint32_t size, uint8_t *bytes);
/* Keeps what of a write is the client's own.  Whether the write resets the function, by an FLR or by waking it up, and
 * with it what the client keeps there. */
bool external_config_wrote(struct external *x, uint64_t offset, uint32_t size, const uint8_t *bytes);
/* The first piece of offset .. offset + size that is the function's: its size, 0: there is none. */
uint32_t external_config_piece(uint64_t *offset, uint32_t size);
bool external_config_masters(const struct external *x);
void external_config_reset(struct external *x);

/* vfio_user_external_memory.c: the windows; 0 or -errno. */
int external_window_add(struct external *x, const struct vfuser_msg *msg);
/* Takes out a window inside of address .. last. */
bool external_window_take(struct external *x, uint64_t address, uint64_t last,
			  struct external_window *window);
/* Whether one lies there in part only. */
bool external_window_cut(const struct external *x, uint64_t address, uint64_t last);
/* Says one to the function, by external_ask() or external_tell(). */
typedef int external_say_fn(struct external *x, const struct external_window *window);
int external_window_ask(struct external *x, const struct external_window *window);
int external_window_tell(struct external *x, const struct external_window *window);
void external_windows_drop(struct external *x);
/* Serves an access of the function's: vfio_user_import_user.dma. */
int external_dma(void *owner, struct vfio_user_import_dma *dma);

/* vfio_user_external_irq.c: holds SET_IRQS against what there is. */
int external_irqs_check(const struct external *x, const struct vfuser_msg *msg, struct refusal *why);
/* Says its next part, from interrupt 'done' of its range on: how many that were; -errno. */
int external_irqs_ask(struct external *x, const struct vfuser_msg *msg, uint32_t done);
/* Keeps the descriptors that it brought. */
void external_irqs_keep(struct external *x, struct vfuser_msg *msg);
/* Says all that is kept again: 0 or -errno. */
int external_irqs_tell(struct external *x);
void external_irqs_drop(struct external *x);
/* The client is told of a failure, when it has given a descriptor for that. */
void external_irqs_fail(struct external *x);

#endif
