/* eswitch/offload.h -- what a sender left undone, done in software: partial checksums and TCP
 * segmentation, for frames whose receiver does not take them unfinished (virtio 1.2 section
 * 5.1.6.2).
 *
 * The headers are copied once and judged on the copy; the payload is read once more when a
 * segment is written.  A frame that promises more than it has is refused.
 *
 * Threads: any, on data it owns.  Memory: the caller's. */
#ifndef ESWITCH_OFFLOAD_H
#define ESWITCH_OFFLOAD_H

#include "channel/frame.h"
#include "spec/ethernet.h"

enum {
	ESW_HEADERS_MAX = 256,   /* link, network and transport headers together */
	ESW_SEGMENTS_MAX = 256,  /* pieces of one frame */
};

/* Whether what the frame says about its checksum lies within it, behind its link header, so that a
 * tag can come and go before it. */
static inline bool esw_csum_fits(const struct frame *f, bool tagged)
{
	return f->csum_start >= ETH_HEADER_SIZE + (tagged ? VLAN_TAG_SIZE : 0) &&
	       (uint32_t)f->csum_start + f->csum_offset + 2 <= f->size &&
	       f->csum_start <= UINT16_MAX - VLAN_TAG_SIZE;
}

/* The Internet checksum (RFC 1071) of bytes, folded to 16 bits and not inverted, on top of 'sum'. */
uint32_t esw_sum(const uint8_t *bytes, uint32_t size, uint32_t sum);

/* Finishes the partial checksum of a frame that lies in one piece of 'size' bytes.  The caller has
 * checked esw_csum_fits(). */
void esw_csum_finish(uint8_t *bytes, uint32_t size, uint16_t start, uint16_t offset);

/* How one large TCP frame is to be cut. */
struct esw_cut {
	uint8_t headers[ESW_HEADERS_MAX];
	uint32_t header_size;   /* of each segment, link header included */
	uint32_t network;       /* offset of the network header */
	uint32_t transport;     /* offset of the TCP header */
	uint32_t payload;       /* bytes behind the headers, of the whole frame */
	uint32_t segment;       /* payload bytes of each segment but the last */
	uint32_t count;         /* segments, 1..ESW_SEGMENTS_MAX */
	bool six;               /* IPv6 */
};

/* Plans the cut of a frame with gso set; 'tagged' when its head carries a VLAN tag.  false: its
 * headers do not say what it promised, or it would become too many segments. */
bool esw_cut_plan(const struct frame *f, bool tagged, struct esw_cut *cut);

enum esw_cut_csum { ESW_CUT_CSUM_FULL, ESW_CUT_CSUM_PARTIAL };

/* Writes segment 'index' to 'to', which has room for header_size + segment bytes; returns its size.
 * PARTIAL leaves the TCP checksum as the sum of the pseudo header, as a receiver expects that
 * finishes it itself. */
uint32_t esw_cut_write(const struct esw_cut *cut, const struct frame *f, uint32_t index,
		       enum esw_cut_csum csum, uint8_t *to);

#endif
