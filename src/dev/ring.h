/* dev/ring.h -- the device side of one virtqueue, split or packed; virtio 1.2 sections 2.7, 2.8.
 *
 * What it is not: it does not know what the buffers mean, and it copies nothing into or out
 * of them.  A ring is used in order: chains are read from a cursor that starts at ring->next, and
 * the same chains, in the same order, are used later with ring_use().  What was used becomes
 * visible to the driver with ring_publish(), in one store.
 *
 * A driver that breaks a rule makes the call return RING_BROKEN, with a sentence in ring->blame.  To point
 * where nothing was granted is no broken rule but an access that was blocked: the ring goes on.
 *
 * Threads: under the hold of the front.  Memory: a plain struct of the owner; the ring's areas are
 * guest memory, reached again whenever dma_epoch() moves. */
#ifndef DEV_RING_H
#define DEV_RING_H

#include "base/refusal.h"
#include "dev/call_pace.h"
#include "dev/guest_word.h"
#include "dev/ring_conf.h"
#include "iommu/dma.h"
#include "spec/virtio.h"

struct inflight;

enum {
	RING_SIZE_MAX = 4096,   /* entries */
	RING_AREA_PAGE = 4096,
	RING_AREA_PAGES = RING_SIZE_MAX * VIRTQ_DESC_SIZE / RING_AREA_PAGE + 1,
	RING_BLAME_SIZE = 160,
	RING_LOOK_MAX = 64,     /* descriptors of one ring_look() */
	RING_TABLE_MAX = 1024,  /* entries of an indirect table in a ring that is shorter */
};

enum ring_outcome {
	RING_OK,
	RING_EMPTY,  /* the driver has made no further chain available */
	RING_MISS,   /* a translation is missing, and was asked for */
	RING_BLOCKED, /* a part of the chain was not granted, which was reported: to be given back */
	RING_BROKEN, /* ring->blame says which rule */
};

/* One of the three areas of a ring, as we reach it. */
struct ring_area {
	uint8_t *flat;                  /* all of it in one piece, or NULL: then page by page */
	uint32_t first;                 /* offset of the area in its first page */
	uint8_t *page[RING_AREA_PAGES]; /* first byte of the area in each page */
};

/* A place in the order of available chains. */
struct ring_cursor {
	uint16_t index; /* split: counts without end; packed: slot */
	bool wrap;      /* packed: the driver's wrap counter there */
};

/* One descriptor, read once. */
struct ring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, id; /* split: id is the index of the descriptor */
};

/* A part of a chain, reached. */
struct ring_piece {
	uint8_t *bytes;
	uint32_t size;
};

/* A chain that is given back. */
struct ring_used {
	uint32_t written; /* bytes of it that were written */
	uint16_t id, slots;
};

struct ring_chain {
	uint16_t id;       /* what ring_use() takes back */
	uint16_t slots;    /* entries of the ring that it occupies; split: 1 */
	unsigned count;    /* pieces */
	unsigned readable; /* the first of them are for reading, the rest for writing */
	uint32_t read_bytes, write_bytes;
};

/* Which chains a queue carries; a descriptor of the other kind breaks the rules. */
enum ring_access { RING_READ = DMA_READ, RING_WRITE = DMA_WRITE, RING_BOTH = 3 };

struct ring {
	/* What each burst touches. */
	uint8_t *desc, *driver, *device; /* flat areas; NULL when one is in pieces */
	struct dma *dma;
	uint32_t epoch;              /* dma_epoch() when the areas were reached */
	uint16_t size;               /* entries; 0: not started */
	uint16_t mask;               /* split: size - 1 */
	bool packed, event_idx, indirect, mapped, enabled, call;
	bool armed;                  /* the driver was asked to kick */
	bool repeats;                /* split: used entries lately said what stood there already */
	bool batch;                  /* packed, of buffers that are only read: one used descriptor, with the id of the
				      * last of them, tells of all that is published together; section 2.8.8 */
	uint32_t work;               /* descriptors walked; the owner sets it to 0 each round */
	struct ring_cursor next;     /* first chain not used yet */
	uint16_t seen;               /* split: available index as last read */
	uint16_t pending;            /* used and not published; packed: slots */
	uint16_t signalled;          /* index or slot of the last look at event suppression */
	bool signalled_valid;
	uint16_t first_slot;         /* packed: slot whose used word is held back, */
	bool first_wrap;             /* its wrap counter, */
	uint64_t first_word;         /* and that word, which publishes all behind it */

	/* What each start sets. */
	unsigned number;             /* of the queue, for the blame */
	char *blame;                 /* RING_BLAME_SIZE bytes; not empty: broken */
	uint64_t addr[3];            /* desc, driver, device */
	bool log_used;
	uint64_t log_addr;           /* of the device area; see ring_log_used() */
	uint8_t *inflight;           /* dev/inflight.h, or NULL */
	struct ring_area area[3];
};

enum { RING_DESC, RING_DRIVER, RING_DEVICE };

/* Starts 'ring' as 'conf' says (size checked by the caller's features: packed or split).
 * -EINVAL with 'why' when the configuration is impossible.  Areas that miss are reached later; but
 * with an in-flight region, which is read beside them, -EAGAIN: start it again once they are there. */
int ring_start(struct ring *ring, const struct virtio_ring_conf *conf, struct refusal *why);
/* Publishes what was used and forgets the ring; returns ring_base(). */
uint32_t ring_stop(struct ring *ring);
/* Where to go on: what a later start takes as its base.  Good after a stop, too. */
uint32_t ring_base(const struct ring *ring);

/* Reaches the areas when they are not, or may have moved. */
enum ring_outcome ring_map(struct ring *ring);

/* Whether the ring can be used now. */
static inline bool ring_is_live(struct ring *ring)
{
	if (!ring->enabled || ring->size == 0)
		return false;
	if (likely(ring->mapped && ring->epoch == dma_epoch(ring->dma)))
		return true;
	return ring_map(ring) == RING_OK;
}

/* Writes the sentence, once, and returns RING_BROKEN. */
enum ring_outcome ring_broken(struct ring *ring, const char *format, ...) printf_like(2, 3);

/* Reads the chain at 'at' and advances it.  A miss advances it too: the rest of the chain was
 * asked for, and the caller may ask for what follows, before it comes back to this one.  So does
 * RING_BLOCKED; chain->id and chain->slots are good then, and nothing else of it.
 *
 * access  what kinds of buffers the chain may have
 * want    bytes to reach at most (the rest of the chain is checked, not reached)
 * pieces  receives at most 'max' parts; a longer chain is RING_BROKEN */
enum ring_outcome ring_read_chain(struct ring *ring, struct ring_cursor *at,
				  enum ring_access access, uint32_t want, struct ring_chain *chain,
				  struct ring_piece *pieces, unsigned max);

/* Reads up to 'max' (<= RING_LOOK_MAX) chains of exactly one descriptor of its own, flags 'flags'
 * (0 or VIRTQ_DESC_F_WRITE), from 'at' on, and stops at the first of another shape; advances 'at'.
 * Only for a ring whose areas are flat. */
unsigned ring_look(struct ring *ring, struct ring_cursor *at, uint16_t flags,
		   struct ring_desc *descs, unsigned max);

/* Advances 'at' over 'n' chains that ring_look() returned. */
static inline void ring_skip(const struct ring *ring, struct ring_cursor *at, unsigned n)
{
	uint32_t index = at->index + n;

	if (ring->packed && index >= ring->size) {
		index -= ring->size;
		at->wrap = !at->wrap;
	}
	at->index = (uint16_t)index;
}

/* Whether a chain is available at 'at'.  RING_OK, RING_EMPTY or RING_BROKEN. */
enum ring_outcome ring_peek(struct ring *ring, const struct ring_cursor *at);

/* Gives the next 'n' chains from ring->next on back. */
void ring_use(struct ring *ring, const struct ring_used *used, unsigned n);

/* Whether nothing lies behind 'at', as far as ring_look() has just seen. */
static inline bool ring_is_drained(struct ring *ring, const struct ring_cursor *at)
{
	return ring->packed ? ring_peek(ring, at) == RING_EMPTY : ring->seen == at->index;
}

/* Makes everything used visible.  Returns whether the driver wants an interrupt for it. */
bool ring_publish(struct ring *ring);

/* The same in steps, for a device that may let its driver wait, of a split ring with event index.  Makes
 * everything used visible. */
void ring_show(struct ring *ring);
/* What the driver knows of it, and whether it wants an interrupt. */
struct call_sight ring_sight(struct ring *ring);
/* The driver is told, or need not be: the next sight begins here. */
static inline void ring_told(struct ring *ring)
{
	ring->signalled = ring->next.index;
	ring->signalled_valid = true;
}

/* Asks for kicks.  True when a chain is available already. */
bool ring_arm(struct ring *ring);
void ring_disarm(struct ring *ring);

/* -- Between the ring's own files. -- */

struct ring_walk {
	struct ring *ring;
	struct ring_chain *chain;
	struct ring_piece *pieces;
	unsigned max, access;
	uint32_t want;
	bool missed, blocked;
};

/* The address of byte 'offset' of an area. */
static inline uint8_t *ring_at(const struct ring *ring, unsigned area, uint32_t offset)
{
	const struct ring_area *a = &ring->area[area];
	uint32_t place = a->first + offset;

	if (likely(a->flat != NULL))
		return a->flat + offset;
	if (place < RING_AREA_PAGE)
		return a->page[0] + offset;
	return a->page[place / RING_AREA_PAGE] + place % RING_AREA_PAGE;
}

enum ring_outcome ring_walk_add(struct ring_walk *walk, const struct ring_desc *desc);
enum ring_outcome ring_walk_table(struct ring_walk *walk, const struct ring_desc *desc);
/* Notes in the dirty log that 'size' bytes of what a device writes of its ring were written: of a packed ring the
 * descriptors, of a split one the used ring. */
void ring_log_used(struct ring *ring, uint32_t offset, uint32_t size);

enum ring_outcome ring_split_peek(struct ring *ring, const struct ring_cursor *at);
enum ring_outcome ring_split_walk(struct ring_walk *walk, struct ring_cursor *at);
unsigned ring_split_look(struct ring *ring, struct ring_cursor *at, uint16_t flags,
			 struct ring_desc *descs, unsigned max);
void ring_split_use(struct ring *ring, const struct ring_used *used, unsigned n);
bool ring_split_publish(struct ring *ring);
bool ring_split_arm(struct ring *ring);
void ring_split_disarm(struct ring *ring);

enum ring_outcome ring_packed_peek(struct ring *ring, const struct ring_cursor *at);
enum ring_outcome ring_packed_walk(struct ring_walk *walk, struct ring_cursor *at);
unsigned ring_packed_look(struct ring *ring, struct ring_cursor *at, uint16_t flags,
			  struct ring_desc *descs, unsigned max);
void ring_packed_use(struct ring *ring, const struct ring_used *used, unsigned n);
bool ring_packed_publish(struct ring *ring);
bool ring_packed_arm(struct ring *ring);
void ring_packed_disarm(struct ring *ring);
/* Takes up what an in-flight region, and the ring, say of a predecessor; -EINVAL. */
int ring_packed_resume(struct ring *ring);

#endif
