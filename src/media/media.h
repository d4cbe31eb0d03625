/* media/media.h -- media of disk cards on this machine: memory, files and block devices through
 * io_uring or a few threads, with direct I/O where the file system can, and NVMe functions through VFIO.
 *
 * What a medium does and who may call it: channel/medium.h.
 *
 * Threads: open and close on the control thread, close after the card was taken from its worker and
 * medium_is_idle().  Memory: allocated by open, none later. */
#ifndef MEDIA_MEDIA_H
#define MEDIA_MEDIA_H

#include "base/refusal.h"
#include "channel/medium.h"

enum medium_kind {
	MEDIUM_MEMORY,
	MEDIUM_FILE,
	MEDIUM_VFIO, /* a namespace of an NVMe function that vfio-pci has */
};

enum medium_access { MEDIUM_READ_WRITE, MEDIUM_READ_ONLY };

enum medium_cache {
	MEDIUM_DIRECT_IF_CAN, /* past the machine's page cache, where that is possible */
	MEDIUM_DIRECT,        /* or else not at all */
	MEDIUM_CACHED,
};

/* MEDIUM_FILE: what carries its requests to the kernel. */
enum medium_carrier {
	MEDIUM_BY_RING_IF_CAN, /* io_uring, or threads where the kernel or a sandbox forbids that; data of a
				* file on tmpfs by neither: it is copied while it is submitted */
	MEDIUM_BY_RING,        /* or else not at all */
	MEDIUM_BY_THREADS,
};

struct medium_conf {
	enum medium_kind kind;
	const char *path;     /* MEDIUM_FILE: a regular file or a block device.  MEDIUM_VFIO: a PCI address,
			       * "0000:01:00.1" */
	uint64_t size;        /* MEDIUM_MEMORY: bytes, a multiple of 4096.  MEDIUM_FILE: a file that is
			       * not there is made with this size; 0: it must be there */
	enum medium_access access;
	enum medium_cache cache;
	enum medium_carrier carrier;
	uint32_t nsid;        /* MEDIUM_VFIO: the namespace; 0: the first active one */
};

/* 0, or -errno with 'why': -EBUSY when another program has the file (flock(2)) and keeps it for three
 * seconds, -ENOSYS when MEDIUM_BY_RING is asked and the kernel has no io_uring or not for us;
 * MEDIUM_VFIO: as os/vfio_function.h and media/nvme_medium.h have it. */
int medium_open(struct medium **medium, const struct medium_conf *conf, struct refusal *why);

/* A medium in the place of one that could not be opened: it has no bytes, is dead, and medium_how() is "dead: " and
 * why.  0 or -ENOMEM. */
int medium_absent(struct medium **medium, const char *why);

/* NULL is nothing. */
void medium_close(struct medium *medium);

/* Whether it has no request left that the kernel may still read or write memory for. */
bool medium_is_idle(const struct medium *medium);

/* Any thread: whether it has died for good: all that it is asked ends with BLOCK_GONE. */
bool medium_is_dead(const struct medium *medium);

/* How it is reached, for people: "memory", "VFIO", of a file "direct I/O", "page cache" or "memory file",
 * with ", io_uring" or ", threads"; or why it is dead. */
const char *medium_how(const struct medium *medium);

/* Commands that the kernel, or the controller, has ended with an error since the medium was opened, without those
 * of a medium that is dead. */
struct medium_errors {
	uint64_t count;
	char last[80]; /* for people: "flush: Input/output error"; "" when there was none */
};
/* Control thread. */
void medium_errors(const struct medium *medium, struct medium_errors *errors);

/* Why it is reached in a lesser way than it could be, for people: that io_uring is forbidden; or "".  Lives as
 * long as the medium. */
const char *medium_note(const struct medium *medium);

#endif
