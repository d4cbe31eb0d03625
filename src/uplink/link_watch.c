#include "uplink/link_watch.h"

#include "uplink/link_count.h"
#include "uplink/link_look.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define LOWER_UP                                                                        \
	0x10000u /* IFF_LOWER_UP of <linux/if.h>, which <net/if.h> does not get on with \
		  */

enum { READ_BYTES = 16384 };

struct link_watch {
	uv_poll_t poll;
	int fd;
	int index; /* of the interface */
	bool up;
	bool told;        /* the last message said these: */
	bool carrier;
	uint32_t changes; /* of the carrier so far */
	struct link_count count;
	unsigned news;
	char interface[IF_NAMESIZE];
	void (*changed)(void *owner, bool up);
	void *owner;
};

static int open_socket(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int err;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		err = -errno;
		(void)close(fd);
		return err;
	}
	return fd;
}

/* Asks for the state of our interface; the answer comes as every change does. */
static int ask(struct link_watch *watch)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = {
		.header = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			    .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST },
		.info = { .ifi_index = watch->index },
	};

	return send(watch->fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

/* The carrier, and how often it had changed, as this message says it. */
static void take_carrier(struct link_watch *watch, const struct nlmsghdr *header)
{
	const uint8_t *at = (const uint8_t *)header + NLMSG_SPACE(sizeof(struct ifinfomsg));
	const uint8_t *end = (const uint8_t *)header + header->nlmsg_len;
	const void *carrier = NULL, *changes = NULL;

	while (end - at >= (ptrdiff_t)sizeof(struct rtattr)) {
		const struct rtattr *a = (const void *)at;

		if (a->rta_len < sizeof(*a) || a->rta_len > end - at)
			break;
		if (a->rta_type == IFLA_CARRIER && a->rta_len == RTA_LENGTH(sizeof(uint8_t)))
			carrier = a + 1;
		if (a->rta_type == IFLA_CARRIER_CHANGES && a->rta_len == RTA_LENGTH(sizeof(uint32_t)))
			changes = a + 1;
		at += RTA_ALIGN(a->rta_len);
	}
	watch->told = carrier && changes;
	if (!watch->told)
		return;
	watch->carrier = *(const uint8_t *)carrier != 0;
	memcpy(&watch->changes, changes, sizeof(watch->changes));
}

/* Whether the carrier is there now: each change since the last message has turned it over. */
static bool has_carrier(const struct link_watch *watch)
{
	uint32_t now;

	if (!watch->told || !link_count_read(&watch->count, &now))
		return true;
	return watch->carrier != ((now - watch->changes) % 2 == 1);
}

static void take_message(struct link_watch *watch, const struct nlmsghdr *header)
{
	const struct ifinfomsg *info = NLMSG_DATA(header);

	if (header->nlmsg_type != RTM_NEWLINK && header->nlmsg_type != RTM_DELLINK)
		return;
	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*info)) || info->ifi_index != watch->index)
		return;
	watch->news++;
	take_carrier(watch, header);
	watch->up = header->nlmsg_type == RTM_NEWLINK && (info->ifi_flags & IFF_RUNNING) &&
		    (info->ifi_flags & LOWER_UP);
}

/* Reads all that the kernel has to say; then -ENOBUFS when it lost some of it, or -EAGAIN.  It says so before what
 * there is yet, and an answer finds no room before that is read. */
static int read_messages(struct link_watch *watch)
{
	_Alignas(struct nlmsghdr) char bytes[READ_BYTES];
	bool lost = false;

	for (;;) {
		ssize_t n = recv(watch->fd, bytes, sizeof(bytes), 0);
		const struct nlmsghdr *header = (const void *)bytes;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			lost = true;
			continue;
		}
		if (n <= 0)
			return lost ? -ENOBUFS : n < 0 ? -errno : -EAGAIN;
		for (size_t left = (size_t)n; left >= sizeof(*header) &&
					      header->nlmsg_len >= sizeof(*header) &&
					      header->nlmsg_len <= left;) {
			size_t step = NLMSG_ALIGN(header->nlmsg_len);

			take_message(watch, header);
			if (step >= left)
				break;
			left -= step;
			header = (const void *)((const char *)header + step);
		}
	}
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct link_watch *watch = poll->data;
	bool was_up = watch->up;

	(void)events;
	if (status < 0) /* news was lost: the loop looks at it no more */
		(void)uv_poll_start(poll, UV_READABLE, on_readable);
	if (read_messages(watch) == -ENOBUFS)
		(void)ask(watch); /* what was lost may have been ours */
	/* What waited here may be older than what a look has told; what is newer is yet to come. */
	watch->up = watch->up && (was_up || link_is_running(watch->fd, watch->interface)) &&
		    has_carrier(watch);
	if (watch->up != was_up)
		watch->changed(watch->owner, watch->up);
}

int link_watch_open(struct link_watch **watch, uv_loop_t *loop, const char *interface,
		    void (*changed)(void *owner, bool up), void *owner)
{
	struct link_watch *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->changed = changed;
	w->owner = owner;
	w->poll.data = w;
	(void)snprintf(w->interface, sizeof(w->interface), "%s", interface);
	w->index = (int)if_nametoindex(interface);
	err = w->index == 0 ? -ENODEV : 0;
	w->fd = err < 0 ? err : open_socket();
	if (w->fd < 0) {
		err = w->fd;
		free(w);
		return err;
	}
	err = uv_poll_init(loop, &w->poll, w->fd);
	if (err < 0) {
		(void)close(w->fd);
		free(w);
		return err;
	}
	(void)link_count_open(&w->count, interface);
	err = ask(w);
	if (err == 0)
		(void)read_messages(w); /* the kernel answers while it is asked */
	if (err == 0)
		err = uv_poll_start(&w->poll, UV_READABLE, on_readable);
	if (err < 0) {
		link_watch_close(w);
		return err;
	}
	*watch = w;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct link_watch *watch = handle->data;

	(void)close(watch->fd);
	link_count_close(&watch->count);
	free(watch);
}

void link_watch_close(struct link_watch *watch)
{
	if (watch)
		uv_close((uv_handle_t *)&watch->poll, on_closed);
}

void link_watch_lost(struct link_watch *watch)
{
	if (!watch->up)
		return;
	watch->up = false;
	watch->changed(watch->owner, false);
}

void link_watch_look(struct link_watch *watch)
{
	if (!has_carrier(watch) || !link_is_running(watch->fd, watch->interface))
		link_watch_lost(watch);
}

unsigned link_watch_news(const struct link_watch *watch)
{
	return watch->news;
}

bool link_watch_up(const struct link_watch *watch)
{
	return watch->up;
}

const char *link_watch_names(char *text, size_t size)
{
	struct if_nameindex *list = if_nameindex();
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; list && list[i].if_index != 0 && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
					 list[i].if_name);
	if_freenameindex(list);
	return text;
}
