/* prog/events.h -- what happened at the site, newest last: a ring of the last EVENTS_KEPT events, each
 * with a number that never comes again.
 *
 * Threads: control.  Memory: one struct of the caller. */
#ifndef PROG_EVENTS_H
#define PROG_EVENTS_H

#include "base/base.h"

enum { EVENTS_KEPT = 1024 };

struct event {
	uint64_t id;       /* 1, 2, 3... */
	uint64_t wall_ns;  /* since 1970-01-01T00:00:00Z */
	char kind[24];     /* "card-pulled", "moved", "connected", "stopped"... */
	char object[104];  /* "card nic0", "system vm1/net0" */
	char from[56], to[56]; /* functions "nic0/vf1", when traffic moved; else empty */
	int64_t away_ns;   /* how long traffic was away, as far as the daemon saw it; -1: not said */
	char text[192];    /* one sentence */
};

struct events {
	uint64_t next_id;
	struct event ring[EVENTS_KEPT];
	void (*added)(void *owner); /* a new event is there; NULL: nobody asks */
	void *owner;
};

void events_init(struct events *events);

/* Adds an event with time and number filled in, and logs it.  The returned event may be completed
 * (from, to, away_ns) before events_publish(). */
struct event *events_add(struct events *events, const char *kind, const char *object,
			 const char *format, ...) printf_like(4, 5);
/* Tells the listener and the log of the newest event. */
void events_publish(struct events *events);

/* The first event with a number above 'after', or NULL.  Numbers that left the ring are skipped. */
const struct event *events_after(const struct events *events, uint64_t after);

#endif
