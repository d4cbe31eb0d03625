/* bench/two_fronts.h -- two synthetic guests in this process and their fronts, for measurements: frames from one
 * to the other through peek, give, taken and flush, in bursts.  Both sides run on one core, so the
 * traffic of caches between cores is not in it.
 *
 * Threads: one.  Memory: allocated, or the program ends. */
#ifndef BENCH_TWO_FRONTS_H
#define BENCH_TWO_FRONTS_H

#include "sim/guest_net.h"

enum { TWO_FRONTS_RING = 256 };

struct side {
	struct virtio_net *net;
	struct nic_front *front;
	struct guest_net *guest;
	struct iommu_domain *domain; /* the caller's; may be changed between bursts */
	uint8_t *memory[2];          /* of the guest, mapped twice */
};

/* A front of a running driver, whose memory 'domain' is granted.  No interrupts are wanted. */
void side_open(struct side *side, struct iommu_domain *domain, uint64_t features);
void side_close(struct side *side);

/* Grants the memory to 'domain', too: the rings' in one piece, and that of the buffers in pieces of
 * 'piece_bytes' (a power of two of pages; 0: one piece) that do not go on here where they go on for the guest. */
void side_grant(struct side *side, struct iommu_domain *domain, uint32_t piece_bytes);

/* The front asks 'domain' from now on, and has kept nothing. */
void side_use(struct side *side, struct iommu_domain *domain);

/* Whether its driver wants an interrupt for each burst.  The front makes each a message of its domain. */
enum side_interrupts { SIDE_SILENT, SIDE_INTERRUPTS };
void side_wish(struct side *side, enum side_interrupts wish);

/* What its driver sends is from 'source' to 'destination', addresses as get_be48 reads them. */
void side_address(struct side *side, uint64_t source, uint64_t destination);

/* Posts all receive buffers. */
void side_post(struct side *side);

/* The sending guest fills a burst of frames of 'size' bytes; with 'cut' the header has a descriptor of its
 * own. */
enum side_layout { SIDE_ONE_PIECE, SIDE_CUT };
void side_send_burst(struct side *side, uint32_t size, enum side_layout layout);

/* One burst; adds the cycles of the time stamp counter of its four steps to cycles[0..4); how many frames. */
unsigned side_switch(struct side *from, struct side *to, uint64_t cycles[4]);

/* Both guests take their buffers back, without looking into them. */
void side_recycle(struct side *from, struct side *to);

#endif
