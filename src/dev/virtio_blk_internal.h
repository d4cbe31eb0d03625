/* dev/virtio_blk_internal.h -- the virtio-blk front inside: virtio_blk.c has its life, virtio_blk_queue.c
 * its requests. */
#ifndef DEV_VIRTIO_BLK_INTERNAL_H
#define DEV_VIRTIO_BLK_INTERNAL_H

#include "dev/ring.h"
#include "dev/virtio_blk.h"
#include "spec/virtio_blk.h"

enum {
	BLK_PIECES = BLOCK_SEGS_MAX, /* parts of one request */
	BLK_ROUND = 64,              /* requests of one queue taken in one round */
	BLK_WORK_MAX = 4096,         /* descriptors walked for one queue in one round */
};

/* A request of the driver, from the ring and back into it. */
struct blk_command {
	struct block_request request; /* first */
	struct virtio_blk *blk;
	struct blk_command *next;     /* free ones; or of its queue, in order */
	uint16_t queue, id, slots;
	uint32_t generation;          /* of the queue when it was read */
	bool ended;
	uint8_t *status;              /* NULL: there is none to write */
	uint32_t data_bytes;          /* written behind which the status comes */
	uint8_t code;                 /* enum virtio_blk_status */
	struct block_seg segs[BLK_PIECES];
};

struct blk_queue {
	struct ring ring;
	struct ring_cursor ahead;     /* next chain to be read */
	uint32_t generation;          /* counts starts and stops */
	struct blk_command *held;     /* read, and not taken by the back yet */
	bool ordered;                 /* requests are used in the order in which they came */
	/* To be given back in this order: those that ended; of an ordered queue, all. */
	struct blk_command *first, *last;
	struct call_pace pace;
};

struct virtio_blk {
	struct block_front front; /* first */
	struct virtio_device device;
	struct dma dma;
	struct virtio_blk_conf conf;
	uint64_t features;
	bool accepted, paused, writeback;
	uint32_t calls, enables, unflushed; /* bit n: queue n */
	uint32_t owed;                      /* the same: an interrupt for what is published already */
	uint32_t held;                      /* the same: one that waits for more, by its pace */
	uint16_t turn;
	uint64_t now_ns;                    /* of the round */
	uint64_t misses_seen;
	struct blk_command *free_commands;
	struct blk_queue queues[VIRTIO_BLK_QUEUES_MAX];
	struct ring_piece pieces[BLK_PIECES];
	struct blk_command commands[VIRTIO_BLK_COMMANDS];
};

/* virtio_blk_device.c */
extern const struct virtio_device_ops blk_device_ops;

static inline struct virtio_blk *blk_of(struct block_front *front)
{
	return container_of(front, struct virtio_blk, front);
}

static inline bool blk_has(const struct virtio_blk *blk, unsigned feature)
{
	return blk->features >> feature & 1;
}

/* virtio_blk_queue.c */
unsigned blk_poll(struct worker *worker, struct block_front *front, uint64_t now_ns);
/* Forgets what is out of a queue that stops: what ends later is dropped. */
void blk_queue_forget(struct virtio_blk *blk, unsigned queue);
/* Gives back what has ended, as far as the order and the ring allow. */
void blk_give_back_ended(struct virtio_blk *blk, struct blk_queue *q);
/* Wakes the control thread when translations are wanted. */
void blk_tell_misses(struct virtio_blk *blk);

#endif
