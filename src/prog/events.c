#include "prog/events.h"

#include "os/clock.h"
#include "os/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void events_init(struct events *events)
{
	memset(events, 0, sizeof *events);
	events->next_id = 1;
}

struct event *events_add(struct events *events, const char *kind, const char *object,
			 const char *format, ...)
{
	struct event *event = &events->ring[events->next_id % EVENTS_KEPT];
	va_list args;

	memset(event, 0, sizeof *event);
	event->id = events->next_id++;
	event->wall_ns = clock_wall_ns();
	event->away_ns = -1;
	snprintf(event->kind, sizeof event->kind, "%s", kind);
	snprintf(event->object, sizeof event->object, "%s", object);
	va_start(args, format);
	vsnprintf(event->text, sizeof event->text, format, args);
	va_end(args);
	return event;
}

void events_publish(struct events *events)
{
	const struct event *event = &events->ring[(events->next_id - 1) % EVENTS_KEPT];

	must(events->next_id > 1);
	log_info("event", "%s: %s (%s) id=%llu", event->object, event->text, event->kind,
		 (unsigned long long)event->id);
	if (events->added)
		events->added(events->owner);
}

const struct event *events_after(const struct events *events, uint64_t after)
{
	uint64_t oldest = events->next_id > EVENTS_KEPT ? events->next_id - EVENTS_KEPT : 1;
	uint64_t id = max_u64(oldest, after == UINT64_MAX ? after : after + 1);

	return id < events->next_id ? &events->ring[id % EVENTS_KEPT] : NULL;
}
