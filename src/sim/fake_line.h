/* sim/fake_line.h -- a line port for tests: a pool of buffers, frames to receive, frames sent, and a
 * driver that takes only so many.
 *
 * The last octets of what it sends are not looked at: frames are recorded whole, up to a bound.
 * Threads: the test's.  Memory: the caller's struct. */
#ifndef SIM_FAKE_LINE_H
#define SIM_FAKE_LINE_H

#include "channel/line.h"

enum {
	FAKE_LINE_BUFS = 4096,
	FAKE_LINE_ROOM = 2048,      /* bytes of one buffer */
	FAKE_LINE_LOG = 4096,       /* sent frames that are remembered, head bytes only */
	FAKE_LINE_LOG_BYTES = 1600,
};

struct fake_line_sent {
	uint32_t size;
	uint8_t bytes[FAKE_LINE_LOG_BYTES];
};

struct fake_line {
	struct line line;
	uint32_t capacity;     /* bytes that send() still takes; UINT32_MAX: all.  The test refills */
	/* Called inside send(), without the card's hold, when not NULL. */
	void (*during_send)(void *owner);
	void *owner;
	bool keep;             /* record what is sent */
	uint64_t sent, sent_bytes, refused, received;
	uint64_t sent_of[512]; /* bytes sent, by the last two octets of the source, as a number */
	uint64_t frames_of[512];
	struct line_buf bufs[FAKE_LINE_BUFS];
	struct line_buf *empty[FAKE_LINE_BUFS];
	unsigned empty_count;
	struct line_buf *arrived[FAKE_LINE_BUFS];
	unsigned arrived_head, arrived_count;
	struct fake_line_sent log[FAKE_LINE_LOG];
	unsigned log_count;
	uint8_t memory[FAKE_LINE_BUFS][FAKE_LINE_ROOM];
};

/* 'count' buffers, all empty; no limit. */
void fake_line_init(struct fake_line *fake, unsigned count);

/* A frame arrives; false when there is no buffer. */
bool fake_line_arrive(struct fake_line *fake, const uint8_t *bytes, uint32_t size);

void fake_line_forget(struct fake_line *fake);

#endif
