/* uplink/link_ask.h -- asks the driver of a kernel interface for its carrier while frames move.
 *
 * The kernel passes on a lost carrier at once only when it has passed on none, of any interface, in
 * the second before; else up to a second later, in the flags too.  The driver knows, but can be
 * asked only under the kernel's network lock, which others may hold for long.  So a thread of the
 * loop's pool asks; recent kernels then pass the news on as well.
 *
 * Threads: control.  Memory: made by open; close gives it back when the question under way is
 * answered. */
#ifndef UPLINK_LINK_ASK_H
#define UPLINK_LINK_ASK_H

#include "base/base.h"

#include <uv.h>

struct link_ask;

struct link_ask_conf {
	const char *interface;
	/* What changes with all other news of the link: an answer from before is not passed on. */
	unsigned (*news)(void *owner);
	void (*lost)(
		void *owner); /* there is no carrier; called again at each answer that says so */
	void *owner;
	uv_loop_t *loop;
};

/* -errno. */
int link_ask_open(struct link_ask **ask, const struct link_ask_conf *conf);
/* Asks, unless an answer is awaited. */
void link_ask(struct link_ask *ask);
void link_ask_close(struct link_ask *ask); /* NULL is nothing */

#endif
