/* The TAP attachment: a kernel interface as a front, for containers and network namespaces.
 *
 * Frames come and go with a virtio header (struct virtio_net_hdr, 10 bytes), so checksums and
 * segmentation stay undone between the kernel and a guest that can do without them too.  What was
 * read waits in a ring of TAP_SLOTS buffers until the card has taken it. */
#include "attach/handle.h"
#include "attach/kinds.h"
#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/if_tun.h>

/* virtio 1.2 section 5.1.6, without num_buffers: what the kernel's tap speaks. */
enum {
	HDR_FLAGS = 0,
	HDR_GSO = 1,
	HDR_HEADER_SIZE = 2,
	HDR_GSO_SIZE = 4,
	HDR_CSUM_START = 6,
	HDR_CSUM_OFFSET = 8,
	HDR_SIZE = 10,
	HDR_NEEDS_CSUM = 1,
	HDR_DATA_VALID = 2,
	HDR_GSO_TCP4 = 1,
	HDR_GSO_TCP6 = 4,
	HDR_GSO_ECN = 0x80,
};

enum {
	SLOT_SIZE = HDR_SIZE + FRAME_SIZE_MAX,
	TAP_SLOTS = 32,
	TCP_DATA_OFFSET = 12, /* byte of the TCP header; its upper half counts 32-bit words */
	LOOK_MS = 500,
	FRAME_MIN = 14,
};

struct slot {
	uint32_t size; /* bytes read, the header included */
	uint8_t bytes[SLOT_SIZE];
};

struct tap {
	struct attachment attachment;
	struct nic_front front;
	struct attach_host host;
	char name[IFNAMSIZ];
	int fd;
	uv_timer_t *look;
	bool watched, told_stopped;
	unsigned first, count;       /* slots read and not taken */
	struct slot slots[TAP_SLOTS];
};

static struct tap *tap_of(struct nic_front *front)
{
	return container_of(front, struct tap, front);
}

/* From the kernel to the card. */

static void stop(struct tap *tap, int err)
{
	if (tap->front.stopped[0])
		return;
	snprintf(tap->front.stopped, sizeof tap->front.stopped,
		 "interface %s cannot be read any more: %s", tap->name, strerror(err));
	tap->front.ready = false;
}

/* Reads until the slots are full or the kernel has no more. */
static void fill(struct tap *tap)
{
	while (tap->count < TAP_SLOTS) {
		struct slot *slot = &tap->slots[(tap->first + tap->count) % TAP_SLOTS];
		ssize_t got = read(tap->fd, slot->bytes, SLOT_SIZE);

		if (got < 0) {
			if (errno != EAGAIN && errno != EINTR)
				stop(tap, errno);
			return;
		}
		if (got < HDR_SIZE + FRAME_MIN)
			continue;
		slot->size = (uint32_t)got;
		tap->count++;
	}
}

/* Copies what the header leaves undone into 'f'.  False when it contradicts the frame. */
static bool read_header(struct frame *f, const uint8_t *hdr, const uint8_t *bytes, uint32_t size)
{
	uint8_t gso = hdr[HDR_GSO] & (uint8_t)~HDR_GSO_ECN;

	if (hdr[HDR_FLAGS] & HDR_DATA_VALID)
		f->todo |= FRAME_CSUM_VALID;
	if (hdr[HDR_FLAGS] & HDR_NEEDS_CSUM) {
		f->csum_start = get_le16(hdr + HDR_CSUM_START);
		f->csum_offset = get_le16(hdr + HDR_CSUM_OFFSET);
		f->todo |= FRAME_TODO_CSUM;
		if ((uint32_t)f->csum_start + f->csum_offset + 2 > size)
			return false;
	}
	if (gso == 0)
		return true;
	if ((gso != HDR_GSO_TCP4 && gso != HDR_GSO_TCP6) || !(f->todo & FRAME_TODO_CSUM) ||
	    (uint32_t)f->csum_start + TCP_DATA_OFFSET >= size)
		return false;
	f->gso = gso == HDR_GSO_TCP4 ? FRAME_GSO_TCP4 : FRAME_GSO_TCP6;
	f->ecn = (hdr[HDR_GSO] & HDR_GSO_ECN) != 0;
	f->gso_size = get_le16(hdr + HDR_GSO_SIZE);
	f->header_size = (uint16_t)(f->csum_start + (bytes[f->csum_start + TCP_DATA_OFFSET] >> 4) * 4);
	return f->gso_size != 0 && f->header_size < size;
}

static unsigned tap_peek(struct worker *worker, struct nic_front *front, struct frame *frames,
			 unsigned max)
{
	struct tap *tap = tap_of(front);
	unsigned n = 0;

	(void)worker;
	if (front->stopped[0])
		return 0;
	if (tap->count < max)
		fill(tap);
	while (n < max && n < tap->count) {
		struct slot *slot = &tap->slots[(tap->first + n) % TAP_SLOTS];
		uint32_t size = slot->size - HDR_SIZE;
		struct frame *f = &frames[n];

		frame_over(f, slot->bytes + HDR_SIZE, size);
		if (!read_header(f, slot->bytes, slot->bytes + HDR_SIZE, size)) {
			stop(tap, EPROTO); /* the kernel never does that */
			break;
		}
		n++;
	}
	return n;
}

static void tap_taken(struct worker *worker, struct nic_front *front, unsigned n)
{
	struct tap *tap = tap_of(front);
	uint64_t bytes = 0;

	(void)worker;
	must(n <= tap->count);
	for (unsigned i = 0; i < n; i++)
		bytes += tap->slots[(tap->first + i) % TAP_SLOTS].size - HDR_SIZE;
	tap->first = (tap->first + n) % TAP_SLOTS;
	tap->count -= n;
	counter_add(&front->tx_frames, n);
	counter_add(&front->tx_bytes, bytes);
}

/* From the card to the kernel. */

static void write_header(uint8_t hdr[HDR_SIZE], const struct frame *f)
{
	static const uint8_t gso[] = { [FRAME_GSO_NONE] = 0, [FRAME_GSO_TCP4] = HDR_GSO_TCP4,
				       [FRAME_GSO_TCP6] = HDR_GSO_TCP6 };

	memset(hdr, 0, HDR_SIZE);
	if (f->todo & FRAME_TODO_CSUM) {
		hdr[HDR_FLAGS] = HDR_NEEDS_CSUM;
		put_le16(hdr + HDR_CSUM_START, f->csum_start);
		put_le16(hdr + HDR_CSUM_OFFSET, f->csum_offset);
	} else if (f->todo & FRAME_CSUM_VALID) {
		hdr[HDR_FLAGS] = HDR_DATA_VALID;
	}
	if (f->gso == FRAME_GSO_NONE)
		return;
	hdr[HDR_GSO] = gso[f->gso] | (f->ecn ? HDR_GSO_ECN : 0);
	put_le16(hdr + HDR_HEADER_SIZE, f->header_size);
	put_le16(hdr + HDR_GSO_SIZE, f->gso_size);
}

static int write_frame(struct tap *tap, const struct frame *f)
{
	struct iovec pieces[3 + FRAME_SEGS_MAX];
	uint8_t hdr[HDR_SIZE];
	int n = 0;

	write_header(hdr, f);
	pieces[n++] = (struct iovec){ hdr, HDR_SIZE };
	pieces[n++] = (struct iovec){ (void *)(uintptr_t)frame_head_const(f), f->head_size };
	if (f->body_size)
		pieces[n++] = (struct iovec){ (void *)(uintptr_t)f->body, f->body_size };
	must(f->more_count <= FRAME_SEGS_MAX);
	for (unsigned i = 0; i < f->more_count; i++)
		pieces[n++] = (struct iovec){ (void *)(uintptr_t)f->more[i].bytes, f->more[i].size };
	return writev(tap->fd, pieces, n) < 0 ? -errno : 0;
}

static unsigned tap_give(struct worker *worker, struct nic_front *front,
			 struct frame *const *frames, unsigned n)
{
	struct tap *tap = tap_of(front);
	unsigned done = 0;

	(void)worker;
	for (; done < n; done++) {
		int err = write_frame(tap, frames[done]);

		/* EIO: the interface is down. What a sender's guest made of its frame (EINVAL)
		 * concerns that frame alone. */
		if (err == -EINVAL || err == -EFAULT) {
			counter_add(&front->rx_no_room, 1);
			continue;
		}
		if (err)
			break;
		counter_add(&front->rx_frames, 1);
		counter_add(&front->rx_bytes, frames[done]->size);
	}
	counter_add(&front->rx_no_room, n - done);
	return done;
}

static void tap_flush(struct worker *worker, struct nic_front *front)
{
	(void)worker;
	(void)front; /* a write tells the kernel by itself */
}

static bool tap_arm(struct worker *worker, struct nic_front *front)
{
	struct tap *tap = tap_of(front);
	struct pollfd one = { .fd = tap->fd, .events = POLLIN };

	(void)worker;
	if (front->stopped[0])
		return false;
	return tap->count || (poll(&one, 1, 0) > 0 && (one.revents & POLLIN));
}

static void tap_disarm(struct worker *worker, struct nic_front *front)
{
	(void)worker;
	(void)front;
}

static void tap_set_link(struct ctl *ctl, struct nic_front *front, bool up)
{
	int carrier = up;

	(void)ctl;
	(void)ioctl(tap_of(front)->fd, TUNSETCARRIER, &carrier);
}

static const struct nic_front_ops tap_front_ops = {
	.name = "tap", .peek = tap_peek, .taken = tap_taken, .give = tap_give, .flush = tap_flush,
	.arm = tap_arm, .disarm = tap_disarm, .set_link = tap_set_link,
};

/* The interface. */

/* Enters the namespace 'name'; the way back in *home.  0 or -errno. */
static int netns_enter(const char *name, int *home)
{
	char path[256];
	int there, err = 0;

	snprintf(path, sizeof path, "/var/run/netns/%s", name);
	*home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (*home < 0 || there < 0 || setns(there, CLONE_NEWNET) != 0)
		err = -errno;
	if (there >= 0)
		close(there);
	if (err && *home >= 0)
		close(*home);
	return err;
}

static void netns_leave(int home)
{
	/* To go on in a foreign namespace would be worse than to end. */
	must(setns(home, CLONE_NEWNET) == 0);
	close(home);
}

static int open_tap(struct tap *tap)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int little_endian = 1;

	tap->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap->fd < 0)
		return -errno;
	memcpy(request.ifr_name, tap->name, IFNAMSIZ);
	if (ioctl(tap->fd, TUNSETIFF, &request) != 0 ||
	    ioctl(tap->fd, TUNSETVNETLE, &little_endian) != 0 ||
	    ioctl(tap->fd, TUNSETOFFLOAD,
		  (unsigned long)(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)) != 0)
		return -errno;
	return 0;
}

/* Address, MTU and "up" of the interface in the namespace we are in. */
static int configure(const struct tap *tap, const struct attach_conf *conf)
{
	struct ifreq request = { 0 };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = s < 0 ? -errno : 0;

	memcpy(request.ifr_name, tap->name, IFNAMSIZ);
	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	put_be48((uint8_t *)request.ifr_hwaddr.sa_data, conf->mac);
	if (!err && ioctl(s, SIOCSIFHWADDR, &request) != 0)
		err = -errno;
	request.ifr_mtu = conf->mtu;
	if (!err && conf->mtu && ioctl(s, SIOCSIFMTU, &request) != 0)
		err = -errno;
	request.ifr_flags = IFF_UP;
	if (!err && ioctl(s, SIOCSIFFLAGS, &request) != 0)
		err = -errno;
	if (s >= 0)
		close(s);
	return err;
}

static int make_interface(struct tap *tap, const struct attach_conf *conf, struct refusal *why)
{
	const char *netns = conf->io->netns;
	int home = -1, err = netns ? netns_enter(netns, &home) : 0;

	if (err == -ENOENT) {
		refuse(why, "netns", "cannot create tap %s: no network namespace %s", tap->name,
		       netns);
		return err;
	}
	if (!err) {
		err = open_tap(tap);
		if (!err)
			err = configure(tap, conf);
		if (netns)
			netns_leave(home);
	}
	if (err == -EPERM || err == -EACCES)
		refuse(why, "interface",
		       "cannot create tap %s: not permitted; run as root or with CAP_NET_ADMIN",
		       tap->name);
	else if (err)
		refuse(why, "interface", "cannot create tap %s: %s", tap->name,
		       err == -EBUSY ? "an interface of that name is in use" : strerror(-err));
	return err;
}

/* The attachment. */

static void on_look(uv_timer_t *timer)
{
	struct tap *tap = timer->data;
	struct attach_look look;

	if (!tap)
		return;
	/* At creation the daemon does not know the front yet, so this waits for the loop. */
	if (!tap->watched)
		tap->host.watch(tap->host.owner, &tap->front.any, tap->fd);
	tap->watched = true;
	if (!attach_look(&tap->front.any, &look))
		return;
	if (look.stopped[0] && !tap->told_stopped)
		tap->host.event(tap->host.owner, &tap->front.any, "stopped", look.stopped);
	tap->told_stopped = look.stopped[0] != '\0';
}

static void destroy(struct attachment *attachment)
{
	struct tap *tap = container_of(attachment, struct tap, attachment);

	if (!attachment)
		return;
	must(!tap->front.hold);
	if (tap->watched)
		tap->host.unwatch(tap->host.owner, &tap->front.any, tap->fd);
	attach_handle_close((uv_handle_t *)tap->look);
	if (tap->fd >= 0)
		close(tap->fd); /* the interface goes with it */
	free(tap);
}

static int start_look(struct tap *tap)
{
	int err = attach_timer_open(&tap->look, tap->host.loop, tap);

	return err ? err : uv_timer_start(tap->look, on_look, 0, LOOK_MS);
}

static int create(struct attachment **attachment, const struct attach_host *host,
		  const struct attach_conf *conf, struct refusal *why)
{
	const char *name = conf->io->interface;
	struct tap *tap;
	int err;

	if (!name || !name[0] || strlen(name) >= IFNAMSIZ) {
		refuse(why, "interface", "a tap needs an interface name of 1 to %d characters",
		       IFNAMSIZ - 1);
		return -EINVAL;
	}
	tap = aligned_alloc(64, (sizeof *tap + 63) / 64 * 64);
	if (!tap)
		return -ENOMEM;
	memset(tap, 0, offsetof(struct tap, slots));
	tap->attachment.ops = &attach_tap;
	tap->host = *host;
	tap->fd = -1;
	memcpy(tap->name, name, strlen(name));
	tap->front = (struct nic_front){
		.ops = &tap_front_ops, .mac = conf->mac, .ready = true,
		.abilities = FRAME_TAKES_CSUM | FRAME_TAKES_TSO4 | FRAME_TAKES_TSO6 | FRAME_TAKES_ECN,
		/* The kernel may bridge it: it filters for itself. */
		.filter = { .promisc = 1, .allmulti = 1 },
	};
	err = make_interface(tap, conf, why);
	if (!err)
		err = start_look(tap);
	if (err) {
		destroy(&tap->attachment);
		return err;
	}
	*attachment = &tap->attachment;
	return 0;
}

static struct nic_front *front_of(struct attachment *attachment)
{
	return &container_of(attachment, struct tap, attachment)->front;
}

static void facts(struct attachment *attachment, struct attach_facts *facts)
{
	struct tap *tap = container_of(attachment, struct tap, attachment);

	struct attach_look look;

	*facts = (struct attach_facts){ .queue_pairs = 1 };
	snprintf(facts->where, sizeof facts->where, "%s", tap->name);
	if (!attach_look(&tap->front.any, &look)) {
		snprintf(facts->state, sizeof facts->state, "held");
		return;
	}
	snprintf(facts->state, sizeof facts->state, "%s", look.stopped[0] ? "stopped" : "running");
	memcpy(facts->stopped, look.stopped, sizeof facts->stopped);
}

static void rebound(struct attachment *attachment)
{
	(void)attachment; /* the kernel's side sees nothing of it */
}

const struct attach_ops attach_tap = {
	.name = "tap", .create = create, .destroy = destroy, .front = front_of, .facts = facts,
	.rebound = rebound,
};
