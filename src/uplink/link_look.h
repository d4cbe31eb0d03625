/* uplink/link_look.h -- a worker's own look at the link of a kernel interface.
 *
 * When an interface loses its carrier the kernel first closes its queues, which waits for all
 * readers of them, and tells by rtnetlink afterwards: milliseconds later on a busy machine.  A worker that
 * has frames to move is awake anyway, so every LINK_LOOK_NS it reads how often the carrier has changed
 * (link_count.h), and has the control thread look when that is another number.  Where nothing is
 * counted it asks for the interface's flags, which know it before rtnetlink does, and tells the control
 * thread of a loss, and that it is time to ask the driver (link_ask.h).  That the link is back, and what
 * happens while the worker sleeps, is for link_watch.h.
 *
 * Threads: open and close on the control thread, link_look() on the worker of the card.
 * Memory: the caller's; close gives the descriptors back. */
#ifndef UPLINK_LINK_LOOK_H
#define UPLINK_LINK_LOOK_H

#include "uplink/link_count.h"

#define LINK_LOOK_NS UINT64_C(100000)

enum { LINK_LOOKS_TO_ASK = 20 };

struct link_look {
	int socket;   /* to ask through; -1: nothing is looked at */
	int event_fd; /* readable after a change, or a loss and every LINK_LOOKS_TO_ASK looks, until
		       * link_look_take() */
	struct link_count count;
	uint32_t changes; /* when it was read last */
	bool was_running;
	unsigned looks;
	uint64_t next_ns;
	char interface[32];
};

/* Nothing to look at: every other call is allowed and does nothing. */
void link_look_none(struct link_look *look);
/* -errno; it is link_look_none() then. */
int link_look_open(struct link_look *look, const char *interface);
void link_look_close(struct link_look *look);

/* Looks, when it is time. */
void link_look(struct link_look *look, uint64_t now_ns);
/* Makes 'event_fd' wait for the next event; control thread. */
void link_look_take(struct link_look *look);
/* Whether it is a count that tells of a loss, so that no driver has to be asked. */
static inline bool link_look_counts(const struct link_look *look)
{
	return look->count.fd >= 0;
}

/* Whether the kernel calls 'interface' operational (RFC 2863), asked through any socket of its
 * network namespace.  One that cannot be asked counts as such: rtnetlink tells what is with it. */
bool link_is_running(int socket, const char *interface);

#endif
