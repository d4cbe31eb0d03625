/* bench/disk_load.h -- what the disk load needs of a way to a disk: commands of 4 KiB by tags,
 * polled or with interrupts.
 *
 * Threads: one.  Memory: the load's; all of it is shared with the disk's server, one piece a tag.
 */
#ifndef BENCH_DISK_LOAD_H
#define BENCH_DISK_LOAD_H

#include "base/base.h"

enum {
	LOAD_PIECE = 4096,     /* bytes of a command while measuring */
	LOAD_FILL = 256 << 10, /* bytes of one while the disk is filled; of one tag only */
	LOAD_DEPTH_MAX = 128,
	LOAD_MEMORY = 16 << 20,
	LOAD_DATA_AT = 8 << 20, /* what is before is the way's own */
};

enum load_op { LOAD_READ, LOAD_WRITE };
/* How the load learns that commands have ended: it looks all the time, or it sleeps until it is
 * told, as a kernel does. */
enum load_wait { LOAD_POLLS, LOAD_SLEEPS };

struct load_memory {
	uint8_t *bytes; /* LOAD_MEMORY of them, zeroes */
	int fd;		/* shares them */
};

/* A command has ended; status 0 is good. */
typedef void load_done_fn(uint32_t tag, unsigned status);

struct load_way {
	const char *name;
	/* Connects and brings the driver up; *bytes: of the disk.  0 or -errno. */
	int (*open)(const char *socket, const struct load_memory *memory, enum load_wait wait,
		    uint64_t *bytes);
	/* Data of 'size' bytes at LOAD_DATA_AT plus LOAD_PIECE for each tag before.  Not told yet.
	 */
	void (*post)(uint32_t tag, enum load_op op, uint64_t offset, uint32_t size);
	/* Tells the server what was posted. */
	void (*tell)(void);
	/* Takes what has ended, and returns how many; when LOAD_SLEEPS, waits for it. */
	int (*take)(load_done_fn *done);
	void (*close)(void);
};

extern const struct load_way load_nvme, load_vhost;

#endif
