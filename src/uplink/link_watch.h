/* uplink/link_watch.h -- the link of a kernel interface, told by rtnetlink as soon as the kernel
 * knows.  A kernel interface is up when it is operational (RFC 2863) and its lower layer has the
 * carrier, as the last message said and as has been counted since (link_count.h).
 *
 * Threads: control.  Memory: made by open; close gives it back when the loop has run once more. */
#ifndef UPLINK_LINK_WATCH_H
#define UPLINK_LINK_WATCH_H

#include "base/base.h"

#include <uv.h>

struct link_watch;

/* Watches 'interface'; 'changed' is called on the loop's thread when the link came or went.
 * -errno (-ENODEV when it does not exist). */
int link_watch_open(struct link_watch **watch, uv_loop_t *loop, const char *interface,
		    void (*changed)(void *owner, bool up), void *owner);
void link_watch_close(struct link_watch *watch); /* NULL is nothing */
/* Somebody saw the link go (link_look.h): asks, and calls 'changed' when it is so, before rtnetlink
 * says it. */
void link_watch_look(struct link_watch *watch);
/* The driver says that there is no carrier. */
void link_watch_lost(struct link_watch *watch);
/* How many messages of rtnetlink were read. */
unsigned link_watch_news(const struct link_watch *watch);
bool link_watch_up(const struct link_watch *watch);

/* The names of all interfaces, "lo, eth0", cut to 'size', for messages. */
const char *link_watch_names(char *text, size_t size);

#endif
