/* channel/block.h -- the messages of the disk class: one command on its way between a front (an
 * NVMe controller, virtio-blk) and a namespace of a disk card, described where its data lies; and
 * the two tables of operations between them.
 *
 * A request belongs to whoever fills it (the front) and is lent to the back from submit() until its
 * done() is called.  The data stays in guest memory: segments point there, and the medium reads and
 * writes it in place, so a guest may change it meanwhile; whoever decides on data (a comparison)
 * decides on its own copy.
 *
 * Threads: the worker of the card, under front->hold, which is the card's.  A front that is bound
 * to no card has hold NULL and only the control thread may touch it. */
#ifndef CHANNEL_BLOCK_H
#define CHANNEL_BLOCK_H

#include "channel/front.h"

enum {
	BLOCK_SEGS_MAX = 1024,	   /* pieces of one request */
	BLOCK_NAMESPACES_MAX = 64, /* of one front */
};

enum block_op {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,   /* all writes that were completed before are on the medium after it */
	BLOCK_DISCARD, /* the contents may be forgotten; reads give zeroes or what was there */
	BLOCK_WRITE_ZEROES,
	BLOCK_COMPARE,	     /* the segments with the medium: BLOCK_DIFFERS */
	BLOCK_COMPARE_WRITE, /* the first half of the segments' bytes with the medium, and when they
			      * agree the second half is written; nothing comes between */
	BLOCK_VERIFY,	     /* reads without giving the data to anybody */
	BLOCK_OP_COUNT
};

enum block_flag {
	BLOCK_FUA = 1 << 0,	  /* on the medium before done() */
	BLOCK_MAY_UNMAP = 1 << 1, /* BLOCK_WRITE_ZEROES may give the space back */
};

/* What became of a request; the fronts translate it to their standard's status. */
enum block_result {
	BLOCK_DONE,
	BLOCK_DIFFERS, /* BLOCK_COMPARE, BLOCK_COMPARE_WRITE */
	BLOCK_OUT_OF_RANGE,
	BLOCK_READ_ONLY,
	BLOCK_NO_SPACE,	    /* the medium is full */
	BLOCK_UNSUPPORTED,  /* the medium cannot do it */
	BLOCK_MEDIUM_ERROR, /* this part of the medium cannot be read or written */
	BLOCK_GONE,	    /* the card was pulled or died, and nobody stands in for it */
	BLOCK_ABORTED,	    /* taken back by the front before it was begun */
	BLOCK_RESULT_COUNT
};

struct block_seg {
	uint8_t *bytes;
	uint32_t size;
};

struct block_request;
typedef void block_done_fn(struct worker *, struct block_request *);

struct block_request {
	enum block_op op;
	uint32_t flags;	      /* enum block_flag, ored */
	uint64_t first, size; /* bytes of the namespace; multiples of its block_size; flush: 0 */
	const struct block_seg *segs; /* size bytes in all, twice that for BLOCK_COMPARE_WRITE */
	unsigned seg_count;
	/* Called once, from the worker's round, never from inside submit(). */
	block_done_fn *done;
	enum block_result result; /* set before done() */
	void *owner;		  /* the front's own */
	/* The back's own while it has the request. */
	struct block_request *next;
	void *back_owner;
	uint64_t back_word[4];
};

struct block_back;

struct block_back_ops {
	/* Takes a request.  False: the function's queue at the card is full, or its rate is used
	 * up; the front keeps it and tries again in its next round.  What is out of range or not
	 * allowed is taken and completes with its result. */
	bool (*submit)(struct worker *, struct block_back *, struct block_request *);
	/* Takes back what was not begun yet: those complete with BLOCK_ABORTED in a later round. */
	void (*cancel)(struct worker *, struct block_back *, struct block_request *);
};

/* A namespace of a disk card (or a mirror of two), as a front sees it. */
struct block_back {
	const struct block_back_ops *ops;
	uint64_t size;		      /* bytes */
	uint32_t block_size;	      /* bytes of a logical block: 512 or 4096 */
	uint32_t physical_block_size; /* bytes that the medium writes at once */
	uint32_t transfer_max;	      /* bytes of one request; 0: no limit */
	uint32_t discard_granularity; /* bytes; 0: cannot discard */
	uint32_t compare_write_max;   /* bytes of one BLOCK_COMPARE_WRITE; 0: cannot */
	uint8_t id[16]; /* that tells it from all others: an NGUID or UUID; it survives restarts */
	bool read_only;
	bool volatile_cache; /* completed writes may be lost until a flush, unless BLOCK_FUA */
};

struct block_front;

struct block_front_ops {
	const char *name; /* the word in the site file: "nvme"; of a virtio block device "virtio-blk" */
	/* Takes what the guest has posted and submits it.  Returns how many commands. */
	unsigned (*poll)(struct worker *, struct block_front *, uint64_t now_ns);
	/* Tells the guest of everything that was completed since the last flush, where it wants
	 * that. */
	void (*flush)(struct worker *, struct block_front *);
	/* Before a worker sleeps: asks the guest to kick.  True: work is there, do not sleep.  What
	 * the back has not taken does not count: the back wakes the worker when it can.  A guest
	 * that never kicks (front->polled) makes the worker poll. */
	bool (*arm)(struct worker *, struct block_front *);
	void (*disarm)(struct worker *, struct block_front *);
	/* A namespace came, went, or changed its size: namespaces[] has been written already. */
	void (*namespaces_changed)(struct ctl *, struct block_front *);
};

#define BLOCK_FRONT_COUNTERS(X)                                       \
	X(reads, "commands", "read commands completed")               \
	X(read_bytes, "bytes", "bytes read")                          \
	X(writes, "commands", "write commands completed")             \
	X(written_bytes, "bytes", "bytes written")                    \
	X(flushes, "commands", "flush commands completed")            \
	X(others, "commands", "all other I/O commands completed")     \
	X(failed, "commands", "I/O commands completed with an error") \
	X(kicks, "count", "notifications received from the guest")    \
	X(interrupts, "count", "notifications sent to the guest")     \
	X(dma_blocked, "count", "accesses to what the guest has not granted")

struct block_front {
	const struct block_front_ops *ops;
	FRONT_PART;
	/* By namespace ID less one; NULL: there is none.  virtio-blk has the first only.  Written
	 * by the card's owner under the hold. */
	struct block_back *namespaces[BLOCK_NAMESPACES_MAX];
	unsigned in_flight; /* requests that backs have now: 0 before it may be unbound */
	uint64_t due_ns;    /* when flush is due, whatever has ended: the guest is to be told then of what
			     * it was not told yet; until then its worker does not sleep.  0: never */
#define X(name, unit, text) struct counter name;
	BLOCK_FRONT_COUNTERS(X)
#undef X
};

static inline bool block_front_is_due(const struct block_front *front, uint64_t now_ns)
{
	return front->due_ns && front->due_ns <= now_ns;
}

#endif
