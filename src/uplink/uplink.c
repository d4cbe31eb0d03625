/* DPDK before ours: see port.c */
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "uplink/uplink.h"

#include "base/bytes.h"
#include "os/clock.h"
#include "uplink/driver_fd.h"
#include "uplink/finish.h"
#include "uplink/link_ask.h"
#include "uplink/link_look.h"
#include "uplink/link_watch.h"
#include "uplink/port.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLOSE_LIMIT_NS UINT64_C(1000000000)
#define PAUSE_NS       20000

enum { BURST = 64, VLAN_TAG = 4, ETHER_HEADER = 14 };

struct uplink {
	struct line line;
	struct port port;
	uint32_t frame_max; /* longest frame that may arrive, tag included */
	_Atomic bool hang, inside;
	struct link_look look;
	struct counter rx_frames, rx_bytes, tx_frames, tx_bytes, rx_refused, rx_finished;

	/* the control thread's own */
	struct link_watch *watch;
	uv_poll_t *looks;    /* of the worker at an interface */
	struct link_ask *ask;
	uv_async_t *changed; /* from the interrupt of a port without an interface */
	bool up;
	uint64_t missed;     /* frames that the kernel had no room for */
	void (*link_changed)(void *owner, bool up);
	void *owner;
};

_Static_assert(sizeof(struct rte_mbuf) % _Alignof(struct line_buf) == 0,
	       "a line_buf stands right behind its mbuf");

static struct uplink *of(struct line *line)
{
	return container_of(line, struct uplink, line);
}

static struct line_buf *buf_of(struct rte_mbuf *mbuf)
{
	return rte_mbuf_to_priv(mbuf);
}

static struct rte_mbuf *mbuf_of(struct line_buf *buf)
{
	return (struct rte_mbuf *)(void *)((char *)buf - sizeof(struct rte_mbuf));
}

static void pause_ns(long ns)
{
	struct timespec t = { .tv_nsec = ns };

	(void)nanosleep(&t, NULL);
}

/* Stands in for a driver that does not return, as long as a drill asks for it. */
static void hang_here(struct uplink *uplink)
{
	/* acquire pairs with the release in uplink_hang */
	while (atomic_load_explicit(&uplink->hang, memory_order_acquire)) {
		rte_pause();
		pause_ns(PAUSE_NS);
	}
}

/* Around every call of the driver that may not return; uplink_close looks at it. */
static void enter(struct uplink *uplink)
{
	atomic_store(&uplink->inside, true);
	if (unlikely(atomic_load_explicit(&uplink->hang, memory_order_relaxed)))
		hang_here(uplink);
}

static void leave(struct uplink *uplink)
{
	/* release pairs with the acquire in left() */
	atomic_store_explicit(&uplink->inside, false, memory_order_release);
}

static unsigned take(struct worker *worker, struct line *line, struct line_buf **bufs, unsigned n)
{
	struct rte_mbuf *mbufs[BURST];
	struct uplink *uplink = of(line);

	(void)worker;
	n = min_u32(n, BURST);
	if (rte_pktmbuf_alloc_bulk(uplink->port.buffers, mbufs, n) < 0)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		bufs[i] = buf_of(mbufs[i]);
		*bufs[i] = (struct line_buf){
			.bytes = rte_pktmbuf_mtod(mbufs[i], uint8_t *),
			.room = uplink->port.room,
		};
	}
	return n;
}

static unsigned send_frames(struct worker *worker, struct line *line, struct line_buf **bufs,
			    unsigned n)
{
	struct rte_mbuf *mbufs[BURST];
	struct uplink *uplink = of(line);
	uint32_t sizes[BURST];
	uint64_t bytes = 0;
	unsigned sent;

	(void)worker;
	n = min_u32(n, BURST);
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *mbuf = mbuf_of(bufs[i]);

		/* the card may have moved the beginning, to put a tag in */
		mbuf->data_off = (uint16_t)(bufs[i]->bytes - (uint8_t *)mbuf->buf_addr);
		mbuf->data_len = (uint16_t)bufs[i]->size;
		mbuf->pkt_len = sizes[i] = bufs[i]->size;
		mbuf->ol_flags = 0;
		mbufs[i] = mbuf;
	}
	enter(uplink);
	sent = rte_eth_tx_burst(uplink->port.id, 0, mbufs, (uint16_t)n);
	leave(uplink);
	for (unsigned i = 0; i < sent; i++)
		bytes += sizes[i];
	counter_add(&uplink->tx_frames, sent);
	counter_add(&uplink->tx_bytes, bytes);
	return sent;
}

/* Makes of what the driver gave the frame that was on the wire; NULL when it is not one. */
static struct line_buf *whole(struct uplink *uplink, struct rte_mbuf *mbuf)
{
	struct line_buf *buf;

	if (mbuf->nb_segs != 1)
		return NULL;
	if ((mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) && rte_vlan_insert(&mbuf) < 0)
		return NULL;
	if (mbuf->data_len > uplink->frame_max || mbuf->data_len < ETHER_HEADER)
		return NULL;
	buf = buf_of(mbuf);
	buf->bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
	buf->size = mbuf->data_len;
	buf->room = (uint32_t)(mbuf->buf_len - mbuf->data_off);
	return buf;
}

static unsigned receive(struct worker *worker, struct line *line, struct line_buf **bufs,
			unsigned n)
{
	struct uplink *uplink = of(line);
	bool unfinished = uplink->port.device.traits & (DEVICE_PACKET_SOCKET | DEVICE_XDP_SOCKET);
	struct rte_mbuf *mbufs[BURST];
	unsigned got, kept = 0, finished = 0;
	uint64_t bytes = 0;

	(void)worker;
	if (uplink->look.socket >= 0)
		link_look(&uplink->look, clock_now_ns());
	enter(uplink);
	got = rte_eth_rx_burst(uplink->port.id, 0, mbufs, (uint16_t)min_u32(n, BURST));
	leave(uplink);
	if (got == 0)
		return 0;
	for (unsigned i = 0; i < got; i++) {
		struct line_buf *buf = whole(uplink, mbufs[i]);

		if (!buf) {
			rte_pktmbuf_free(mbufs[i]);
			continue;
		}
		if (unfinished)
			finished += finish_checksum(buf->bytes, buf->size);
		bytes += buf->size;
		bufs[kept++] = buf;
	}
	counter_add(&uplink->rx_frames, kept);
	counter_add(&uplink->rx_bytes, bytes);
	counter_add(&uplink->rx_refused, got - kept);
	counter_add(&uplink->rx_finished, finished);
	return kept;
}

static void give(struct worker *worker, struct line *line, struct line_buf **bufs, unsigned n)
{
	struct rte_mbuf *mbufs[BURST];

	(void)worker;
	(void)line;
	while (n > 0) {
		unsigned burst = min_u32(n, BURST);

		for (unsigned i = 0; i < burst; i++)
			mbufs[i] = mbuf_of(bufs[i]);
		rte_pktmbuf_free_bulk(mbufs, burst);
		bufs += burst;
		n -= burst;
	}
}

/* A packet socket tells of each frame anew, so a frame between the last look and the sleep wakes;
 * of the others the level is asked. */
static bool arm(struct worker *worker, struct line *line)
{
	struct uplink *uplink = of(line);
	struct pollfd fd = { .fd = uplink->port.wake_fd, .events = POLLIN };

	(void)worker;
	if (!line->wakes || fd.fd < 0 || uplink->port.packet_fd >= 0)
		return false;
	(void)rte_eth_dev_rx_intr_enable(uplink->port.id, 0); /* -ENOTSUP: it is always on */
	return poll(&fd, 1, 0) > 0;
}

static const struct line_ops ops = {
	.take = take, .send = send_frames, .receive = receive, .give = give, .arm = arm,
};

static void set_up(struct uplink *uplink, bool up)
{
	if (uplink->up == up)
		return;
	uplink->up = up;
	if (uplink->link_changed)
		uplink->link_changed(uplink->owner, up);
}

static void on_interface(void *owner, bool up)
{
	set_up(owner, up);
}

/* The driver's own word; a driver that does not know counts as up. */
static bool driver_says_up(const struct uplink *uplink)
{
	struct rte_eth_link link;

	if (rte_eth_link_get_nowait(uplink->port.id, &link) < 0)
		return true;
	return link.link_status == RTE_ETH_LINK_UP;
}

static void on_async(uv_async_t *async)
{
	struct uplink *uplink = async->data;

	set_up(uplink, driver_says_up(uplink));
}

/* DPDK's interrupt thread. */
static int on_interrupt(uint16_t port, enum rte_eth_event_type event, void *arg, void *result)
{
	struct uplink *uplink = arg;

	(void)port;
	(void)event;
	(void)result;
	(void)uv_async_send(uplink->changed);
	return 0;
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

static int watch_interrupt(struct uplink *uplink, uv_loop_t *loop)
{
	uv_async_t *async = calloc(1, sizeof(*async));
	int err;

	if (!async)
		return -ENOMEM;
	async->data = uplink;
	err = uv_async_init(loop, async, on_async);
	if (err < 0) {
		free(async);
		return err;
	}
	uplink->changed = async;
	err = rte_eth_dev_callback_register(uplink->port.id, RTE_ETH_EVENT_INTR_LSC, on_interrupt,
					    uplink);
	uplink->up = driver_says_up(uplink);
	return err;
}

static void on_look(uv_poll_t *poll, int status, int events)
{
	struct uplink *uplink = poll->data;

	(void)status;
	(void)events;
	link_look_take(&uplink->look);
	link_watch_look(uplink->watch);
	if (!link_look_counts(&uplink->look))
		link_ask(uplink->ask);
}

static unsigned news(void *owner)
{
	const struct uplink *uplink = owner;

	return link_watch_news(uplink->watch);
}

static void on_lost(void *owner)
{
	struct uplink *uplink = owner;

	link_watch_lost(uplink->watch);
}

static int watch_looks(struct uplink *uplink, uv_loop_t *loop)
{
	uv_poll_t *poll = calloc(1, sizeof(*poll));
	int err;

	if (!poll)
		return -ENOMEM;
	poll->data = uplink;
	err = uv_poll_init(loop, poll, uplink->look.event_fd);
	if (err < 0) {
		free(poll);
		return err;
	}
	uplink->looks = poll;
	return uv_poll_start(poll, UV_READABLE, on_look);
}

static int watch_interface(struct uplink *uplink, uv_loop_t *loop)
{
	const char *interface = uplink->port.device.interface;
	struct link_ask_conf conf = { .interface = interface, .news = news, .lost = on_lost,
				      .owner = uplink, .loop = loop };
	int err = link_watch_open(&uplink->watch, loop, interface, on_interface, uplink);

	if (err == 0)
		err = link_ask_open(&uplink->ask, &conf);
	if (err == 0)
		err = link_look_open(&uplink->look, interface);
	if (err == 0)
		err = watch_looks(uplink, loop);
	if (err == 0)
		uplink->up = link_watch_up(uplink->watch);
	return err;
}

static int watch_link(struct uplink *uplink, uv_loop_t *loop)
{
	uplink->up = true;
	if (uplink->port.device.interface[0])
		return watch_interface(uplink, loop);
	return uplink->port.tells_link ? watch_interrupt(uplink, loop) : 0;
}

static void unwatch_link(struct uplink *uplink)
{
	link_watch_close(uplink->watch);
	uplink->watch = NULL;
	link_ask_close(uplink->ask);
	uplink->ask = NULL;
	if (uplink->looks)
		uv_close((uv_handle_t *)uplink->looks, free_handle);
	uplink->looks = NULL;
	if (!uplink->changed)
		return;
	(void)rte_eth_dev_callback_unregister(uplink->port.id, RTE_ETH_EVENT_INTR_LSC, on_interrupt,
					      uplink);
	uv_close((uv_handle_t *)uplink->changed, free_handle);
	uplink->changed = NULL;
}

int uplink_open(struct uplink **uplink, const struct uplink_conf *conf, struct refusal *why)
{
	struct uplink *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	err = port_open(&u->port, conf, why);
	if (err < 0) {
		free(u);
		return err;
	}
	link_look_none(&u->look);
	u->line.ops = &ops;
	u->line.mtu = conf->mtu;
	u->line.wakes = u->port.device.traits & DEVICE_SILENT;
	u->frame_max = conf->mtu + (uint32_t)(ETHER_HEADER + VLAN_TAG);
	u->link_changed = conf->link_changed;
	u->owner = conf->owner;
	err = watch_link(u, conf->loop);
	if (err < 0) {
		refuse(why, "", "card '%s', line port '%s': its link cannot be watched: %s",
		       conf->name, conf->device, strerror(-err));
		uplink_close(u);
		return err;
	}
	*uplink = u;
	return 0;
}

/* Whether the worker is out of the driver, within CLOSE_LIMIT_NS. */
static bool left(struct uplink *uplink)
{
	uint64_t limit_ns = clock_now_ns() + CLOSE_LIMIT_NS;

	/* acquire pairs with the release in leave() */
	while (atomic_load_explicit(&uplink->inside, memory_order_acquire)) {
		if (clock_now_ns() > limit_ns)
			return false;
		pause_ns(PAUSE_NS);
	}
	return true;
}

void uplink_close(struct uplink *uplink)
{
	if (!uplink)
		return;
	unwatch_link(uplink);
	uplink_hang(uplink, false);
	if (!left(uplink))
		return; /* a driver that never returns keeps its port */
	link_look_close(&uplink->look);
	port_close(&uplink->port);
	free(uplink);
}

struct line *uplink_line(struct uplink *uplink)
{
	return &uplink->line;
}

bool uplink_link_up(const struct uplink *uplink)
{
	return uplink->up;
}

int uplink_use_wake_fd(struct uplink *uplink)
{
	if (uplink->port.wake_fd >= 0)
		uplink->line.wakes = true;
	return uplink->port.wake_fd;
}

void uplink_facts(struct uplink *uplink, struct uplink_facts *facts)
{
	const struct port *port = &uplink->port;
	struct rte_eth_stats stats = { 0 };
	struct rte_ether_addr address;
	struct rte_eth_link link;

	memset(facts, 0, sizeof(*facts));
	(void)snprintf(facts->driver, sizeof(facts->driver), "%s", port->device.driver);
	(void)snprintf(facts->interface, sizeof(facts->interface), "%s", port->device.interface);
	if (rte_eth_macaddr_get(port->id, &address) == 0)
		facts->mac = get_be48(address.addr_bytes);
	if (rte_eth_link_get_nowait(port->id, &link) == 0 &&
	    link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
		facts->speed_mbps = link.link_speed;
	(void)rte_eth_stats_get(port->id, &stats);
	if (port->packet_fd >= 0)
		uplink->missed += driver_fd_dropped(port->packet_fd);
	facts->rx_frames = counter_get(&uplink->rx_frames);
	facts->rx_bytes = counter_get(&uplink->rx_bytes);
	facts->tx_frames = counter_get(&uplink->tx_frames);
	facts->tx_bytes = counter_get(&uplink->tx_bytes);
	facts->rx_missed = stats.imissed + stats.rx_nombuf + uplink->missed;
	facts->rx_errors = stats.ierrors + counter_get(&uplink->rx_refused);
	facts->tx_errors = stats.oerrors;
	facts->rx_finished = counter_get(&uplink->rx_finished);
}

void uplink_hang(struct uplink *uplink, bool hang)
{
	atomic_store_explicit(&uplink->hang, hang, memory_order_release); /* hang_here */
}

int uplink_check(const char *device, struct refusal *why)
{
	struct device parsed;

	return device_parse(device, 1500, &parsed, why);
}
