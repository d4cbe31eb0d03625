#include "uplink/link_ask.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

struct link_ask {
	uv_work_t work;
	struct link_ask_conf conf;
	char interface[IF_NAMESIZE];
	int fd;
	unsigned news; /* when it was asked last */
	bool asking, closed;
	bool carrier; /* the answer */
};

static void end(struct link_ask *ask)
{
	(void)close(ask->fd);
	free(ask);
}

/* A thread of the pool: this waits for the network lock.  An interface that cannot be asked has the
 * carrier. */
static void question(uv_work_t *work)
{
	struct link_ask *ask = work->data;
	struct ethtool_value value = { .cmd = ETHTOOL_GLINK };
	struct ifreq request = { .ifr_data = (void *)&value };

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ask->interface);
	ask->carrier = ioctl(ask->fd, SIOCETHTOOL, &request) < 0 || value.data;
}

static void on_answer(uv_work_t *work, int status)
{
	struct link_ask *ask = work->data;

	(void)status;
	ask->asking = false;
	if (ask->closed)
		end(ask);
	else if (!ask->carrier && ask->conf.news(ask->conf.owner) == ask->news)
		ask->conf.lost(ask->conf.owner);
}

void link_ask(struct link_ask *ask)
{
	if (ask->asking)
		return;
	ask->news = ask->conf.news(ask->conf.owner);
	ask->asking = uv_queue_work(ask->conf.loop, &ask->work, question, on_answer) == 0;
}

int link_ask_open(struct link_ask **ask, const struct link_ask_conf *conf)
{
	struct link_ask *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	a->conf = *conf;
	(void)snprintf(a->interface, sizeof(a->interface), "%s", conf->interface);
	a->work.data = a;
	a->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (a->fd < 0) {
		err = -errno;
		free(a);
		return err;
	}
	*ask = a;
	return 0;
}

void link_ask_close(struct link_ask *ask)
{
	if (!ask)
		return;
	ask->closed = true;
	if (!ask->asking)
		end(ask);
}
