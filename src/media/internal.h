/* media/internal.h -- what the files of media/ share: how each kind is opened, and the insides of a file.
 *
 * file.c opens: geometry, lock, carrier.  file_io.c begins and ends requests, in steps; file_ring.c and
 * file_pool.c carry steps to the kernel, by io_uring and by threads.  Data of a file in memory goes by
 * neither: file_io.c moves it at once. */
#ifndef MEDIA_INTERNAL_H
#define MEDIA_INTERNAL_H

#include "media/any_medium.h"

#include <liburing.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/uio.h>

enum {
	FILE_DEPTH = 256,          /* requests at the kernel */
	FILE_TRANSFER_MAX = 1 << 20,
	FILE_BOUNCES = 16,         /* of FILE_TRANSFER_MAX bytes */
	FILE_ZEROES = 1 << 20,     /* bytes of zeroes written at once */
	FILE_NO_BOUNCE = -1,
	FILE_THREADS = 8,          /* of a pool: steps at the kernel at once */
	FILE_WAS_CUT = 1 << 16,    /* beside errno, in any_medium_failed() */
	FILE_CANCELLED_MOST = 100000, /* times that a step is begun again that the kernel gave up */
	FILE_PUSH = 4,             /* requests let go together, of those that are begun at once */
};

/* What a request is at.  Most need one step; zeroes may have to be written, and what must be
 * durable and cannot say so is followed by a sync. */
enum file_step { FILE_STEP_FIRST, FILE_STEP_WRITE_ZEROES, FILE_STEP_SYNC };

/* A request at the kernel. */
struct file_io {
	struct block_request *request;
	struct file_io *next_free, *next_ended;
	int result;              /* of a step that a thread carried: bytes, 0 or -errno */
	enum file_step step;
	int bounce;              /* FILE_NO_BOUNCE, or its number */
	uint64_t done;           /* bytes of it */
	unsigned cancelled;      /* times that the kernel gave a step up: io_uring found no thread for it */
	unsigned iov_first, iov_count; /* what is left of iov */
	struct iovec iov[BLOCK_SEGS_MAX];
};

struct file_medium;

enum file_wake { FILE_WAKE_NOT, FILE_WAKE };

/* What carries steps to the kernel: one is chosen when a file is opened.
 *
 * Threads: those of medium_open(), medium_close() and, for the rest, of struct medium_ops.  None waits
 * but open and close. */
struct file_carrier {
	const char *name; /* for people */
	/* 0, or -errno with 'why'.  The file, its memory and wake_fd are there. */
	int (*open)(struct file_medium *, struct refusal *why);
	/* No memory of a request is touched after it.  Also after an open that failed. */
	void (*close)(struct file_medium *);
	/* Takes the next step of an io that has none under way: there is room for each. */
	void (*put)(struct file_medium *, struct file_io *);
	/* Lets go what was put. */
	void (*push)(struct file_medium *);
	/* An io whose step has ended, with what a system call gives: bytes, 0 or -errno; NULL: none. */
	struct file_io *(*take)(struct file_medium *, int *result);
	/* Whether wake_fd is to be written when a step ends. */
	void (*wake)(struct file_medium *, enum file_wake);
	/* After wake(): whether there is something to take, or to push, already. */
	bool (*has_ended)(struct file_medium *);
};

extern const struct file_carrier file_ring_carrier, file_pool_carrier;

/* Of file_ring.c. */
struct file_ring {
	struct io_uring uring;
	bool there, registered_file, registered_bounces;
};

/* Of file_pool.c. */
struct file_pool {
	bool there;
	unsigned thread_count;
	pthread_t threads[FILE_THREADS];
	sem_t work; /* counts what is in the queue */
	_Atomic bool stop;
	_Atomic bool wanted;   /* wake-ups are */
	_Atomic uint64_t head; /* the threads' */
	uint64_t tail;	       /* the worker's, as unpushed and taken */
	unsigned unpushed;
	struct file_io *taken;
	struct file_io *_Atomic ended; /* the last that ended; next_ended is the one before */
	struct file_io *_Atomic queue[FILE_DEPTH];
};

struct file_medium {
	struct any_medium any; /* first */
	int fd, wake_fd;
	const struct file_carrier *carrier; /* NULL until one is open */
	struct file_ring ring;
	struct file_pool pool;
	struct refusal no_ring; /* why there is none */
	bool direct, wakes;
	bool in_memory;        /* on tmpfs: data is moved at once, by the worker */
	uint32_t memory_align; /* of direct I/O */
	struct file_io *ios, *free_ios;
	uint8_t *bounces;      /* FILE_BOUNCES * FILE_TRANSFER_MAX */
	uint8_t *zeroes;       /* FILE_ZEROES bytes of them */
	unsigned free_bounces, free_bounce[FILE_BOUNCES];
	/* Requests that ended without the kernel, or went on with it, in submit. */
	struct block_request *ended[FILE_DEPTH];
	unsigned ended_count;
	_Atomic uint32_t in_flight;
};

/* How fallocate(2) makes zeroes for a BLOCK_DISCARD or BLOCK_WRITE_ZEROES. */
int file_zero_mode(const struct block_request *request);

/* Carries the io's step by a system call that may wait, on the caller's thread: bytes, 0 or -errno. */
int file_carry(const struct file_medium *f, const struct file_io *io);

/* struct any_medium: of an errno, or FILE_WAS_CUT. */
void file_say_error(uint32_t code, char *text, size_t size);

/* Bytes of the next FILE_STEP_WRITE_ZEROES. */
unsigned file_zeroes_left(const struct file_io *io);

int memory_medium_open(struct medium **medium, const struct medium_conf *conf, struct refusal *why);
int file_medium_open(struct medium **medium, const struct medium_conf *conf, struct refusal *why);

extern const struct medium_ops file_medium_ops;

#endif
