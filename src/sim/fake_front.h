/* sim/fake_front.h -- a front for tests: sends the frames of a script, records what it is given.
 *
 * Threads: the test's.  Memory: the caller's struct; the bytes of scripted frames stay the test's. */
#ifndef SIM_FAKE_FRONT_H
#define SIM_FAKE_FRONT_H

#include "channel/nic_front.h"

enum {
	FAKE_FRONT_SCRIPT = 1024,    /* frames that may wait to be sent */
	FAKE_FRONT_LOG = 4096,       /* deliveries that are remembered */
	FAKE_FRONT_BYTES = 1 << 20,  /* bytes of deliveries that are remembered */
	FAKE_FRONT_PIECES = FRAME_BURST * FRAME_SEGS_MAX,
};

struct fake_frame {
	const uint8_t *bytes;
	uint32_t size;
	uint32_t piece;   /* bytes of each piece behind the head; 0: one piece */
	uint8_t todo, gso, ecn;
	uint16_t gso_size, csum_start, csum_offset;
};

struct fake_delivery {
	const uint8_t *bytes;
	uint32_t size;
	uint8_t todo, gso;
	uint16_t gso_size, csum_start, csum_offset;
};

struct fake_front {
	struct nic_front front;
	struct fake_frame script[FAKE_FRONT_SCRIPT];
	unsigned script_head, script_count;
	bool endless;           /* the first frame of the script is sent for ever */
	uint32_t room;          /* receive buffers posted; UINT32_MAX: as many as it takes */
	uint64_t bursts;        /* how often frames of it were taken */
	uint64_t sent, sent_bytes, given, given_bytes, refused;
	unsigned flushes, arms, disarms;
	bool flush_due;         /* something changed since the last flush */
	struct fake_delivery log[FAKE_FRONT_LOG];
	unsigned log_count;
	uint32_t bytes_used;
	struct frame_seg pieces[FAKE_FRONT_PIECES];
	unsigned pieces_used;
	uint8_t bytes[FAKE_FRONT_BYTES];
};

/* Ready, with nothing to send and room for all; takes no offload. */
void fake_front_init(struct fake_front *fake, uint64_t mac);

/* Adds a frame to the script. */
void fake_front_send(struct fake_front *fake, const struct fake_frame *frame);
/* The same, for finished bytes in one piece. */
void fake_front_send_bytes(struct fake_front *fake, const uint8_t *bytes, uint32_t size);

/* Forgets the deliveries so far, not the counts. */
void fake_front_forget(struct fake_front *fake);

#endif
