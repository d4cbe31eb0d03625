#include "uplink/link_look.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

bool link_is_running(int socket, const char *interface)
{
	struct ifreq request = { 0 };

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return ioctl(socket, SIOCGIFFLAGS, &request) < 0 || (request.ifr_flags & IFF_RUNNING);
}

void link_look_none(struct link_look *look)
{
	*look = (struct link_look){ .socket = -1, .event_fd = -1, .count = { -1 } };
}

int link_look_open(struct link_look *look, const char *interface)
{
	int err;

	link_look_none(look);
	look->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	look->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (look->socket < 0 || look->event_fd < 0) {
		err = -errno;
		link_look_close(look);
		return err;
	}
	(void)snprintf(look->interface, sizeof(look->interface), "%s", interface);
	look->was_running = link_is_running(look->socket, interface);
	(void)link_count_open(&look->count, interface);
	(void)link_count_read(&look->count, &look->changes);
	return 0;
}

void link_look_close(struct link_look *look)
{
	if (look->socket >= 0)
		(void)close(look->socket);
	if (look->event_fd >= 0)
		(void)close(look->event_fd);
	link_count_close(&look->count);
	link_look_none(look);
}

/* Returns whether the count is another one than before. */
static bool has_changed(struct link_look *look)
{
	uint32_t before = look->changes;

	return link_count_read(&look->count, &look->changes) && look->changes != before;
}

void link_look(struct link_look *look, uint64_t now_ns)
{
	bool running;

	if (look->socket < 0 || now_ns < look->next_ns)
		return;
	look->next_ns = now_ns + LINK_LOOK_NS;
	if (link_look_counts(look)) {
		if (has_changed(look))
			(void)eventfd_write(look->event_fd, 1);
		return;
	}
	running = link_is_running(look->socket, look->interface);
	look->looks++;
	if ((look->was_running && !running) || look->looks % LINK_LOOKS_TO_ASK == 0)
		(void)eventfd_write(look->event_fd, 1);
	look->was_running = running;
}

void link_look_take(struct link_look *look)
{
	eventfd_t events;

	(void)eventfd_read(look->event_fd, &events);
}
