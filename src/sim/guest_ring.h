/* sim/guest_ring.h -- the driver's side of one virtqueue, split or packed: what a guest's kernel
 * does, for tests and benchmarks.
 *
 * It is as free as the standard lets a driver be: chains of any layout, ids in any order, indirect
 * tables, notifications wanted or not.  It is a correct driver; a test that wants a wrong one
 * writes into the memory afterwards.
 *
 * Threads: one.  Memory: the caller's, for the struct and for the guest's memory. */
#ifndef SIM_GUEST_RING_H
#define SIM_GUEST_RING_H

#include "base/base.h"
#include "dev/virtio_net.h"

enum {
	GUEST_RING_MAX = 4096,
	GUEST_TABLE_MAX = 64, /* entries of one indirect table */
};

struct guest_buf {
	uint64_t addr; /* guest physical */
	uint32_t size;
	bool write;    /* the device writes it */
};

struct guest_ring {
	uint8_t *memory;     /* the guest's, all of it */
	uint64_t base;       /* guest physical address of memory[0] */
	uint64_t iova_offset; /* added to each address that the device is told */
	uint16_t size;
	bool packed, event_idx, indirect, in_order;
	uint64_t desc, driver, device, tables; /* guest physical; tables: one per id */
	uint16_t avail;      /* split: next available index; packed: next slot */
	uint16_t used;       /* the same for used */
	bool avail_wrap, used_wrap; /* packed */
	uint16_t pending;    /* chains added and not visible yet */
	uint16_t head_slot, head_flags; /* packed: the first of them, whose flags are held back */
	uint16_t free_count; /* descriptors (split) or slots (packed) */
	uint16_t id_count;
	uint16_t free_ids[GUEST_RING_MAX];
	/* packed and in order: ids as they were made available, and the batch that is being taken back. */
	uint16_t order[GUEST_RING_MAX], order_first, order_count;
	uint16_t batch_last; /* its last id */
	uint32_t batch_written;
	bool in_batch;
	struct guest_chain {
		uint64_t cookie;
		uint16_t slots;
		uint16_t descs[GUEST_TABLE_MAX]; /* split: those it took */
	} chains[GUEST_RING_MAX];
};

/* Bytes of guest memory that a ring of 'size' entries takes, with its tables. */
uint32_t guest_ring_bytes(uint16_t size);

/* Lays a ring at guest physical 'at' (aligned to a page) of memory that begins at 'base'.
 * 'features' are the negotiated ones. */
void guest_ring_init(struct guest_ring *ring, uint8_t *memory, uint64_t base, uint64_t at,
		     uint16_t size, uint64_t features);
/* What the device is told of it. */
struct virtio_ring_conf guest_ring_conf(const struct guest_ring *ring);

enum guest_layout { GUEST_DIRECT, GUEST_INDIRECT };

/* Adds a chain of 'count' (1..GUEST_TABLE_MAX) buffers; the device does not see it before
 * guest_ring_publish().  False when the ring is full. */
bool guest_ring_add(struct guest_ring *ring, const struct guest_buf *bufs, unsigned count,
		    enum guest_layout layout, uint64_t cookie);
/* Makes what was added visible; returns whether the device wants a kick for it. */
bool guest_ring_publish(struct guest_ring *ring);

/* Takes the next chain that the device has used; false when there is none. */
bool guest_ring_take(struct guest_ring *ring, uint64_t *cookie, uint32_t *written);

enum guest_wish { GUEST_NO_INTERRUPT, GUEST_INTERRUPT, GUEST_INTERRUPT_AFTER };
/* How the driver wants to be told; AFTER: when 'after' more chains are used (event index). */
void guest_ring_wish(struct guest_ring *ring, enum guest_wish wish, uint16_t after);

/* The bytes at a guest physical address. */
static inline uint8_t *guest_at(const struct guest_ring *ring, uint64_t addr)
{
	return ring->memory + (addr - ring->base);
}

#endif
