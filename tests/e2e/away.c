/* tests/e2e/away.c -- how long traffic is away when a card fails, measured from outside.
 *
 *   away send SOCKET SOURCE DESTINATION INTERVAL_US   a guest that sends numbered frames for ever
 *   away recv FIRST SECOND SECONDS                    the network behind the two line ports; ends
 *                                                     SETTLE_NS after a change over, or in SECONDS
 *
 * 'send' is a vhost-user frontend; it goes on as long as it lives.  'recv' listens on two
 * interfaces with one packet socket and the kernel's receive time stamps (SO_TIMESTAMPNS): the time
 * away is from the last frame that came in on one to the first that comes in on the other, and
 * the frames lost are the numbers between that never came.  It says when the first frame has come, and prints
 * one line of key=value pairs a change over, and one at the end. */
#include "base/bytes.h"
#include "tests/vhost_frontend/vhost_frontend.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
	STREAM_TYPE = 0x88b5, /* IEEE Std 802 local experimental ethertype 1 */
	SEQ_AT = 14,	      /* byte of the frame where its number stands */
	FRAME_SIZE = 64,
	RING_SIZE = 256,
	BACKLOG = 8 << 20,
	SETTLE_NS = 200000000,
};

static const uint64_t features = UINT64_C(1) << 32 /* VIRTIO_F_VERSION_1 */ |
				 UINT64_C(1) << 30 /* VHOST_USER_F_PROTOCOL_FEATURES */;

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int parse_mac(const char *text, uint8_t *mac)
{
	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
		      &mac[4], &mac[5]) == 6
		       ? 0
		       : -EINVAL;
}

static _Noreturn void send_forever(struct vfe *f, uint8_t *frame, uint64_t interval_ns)
{
	uint64_t seq = 0, due = now_ns(CLOCK_MONOTONIC);

	for (;;) {
		struct timespec t = { .tv_sec = (time_t)(due / 1000000000),
				      .tv_nsec = (long)(due % 1000000000) };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		put_le64(frame + SEQ_AT, seq);
		if (!vfe_transmit(f, 0, frame, FRAME_SIZE))
			seq++; /* a full ring holds the stream up, as it would a guest's driver */
		due += interval_ns;
	}
}

static int do_send(char **argv)
{
	static uint8_t frame[FRAME_SIZE];
	static struct vfe f;
	int err;

	if (parse_mac(argv[1], frame + 6) || parse_mac(argv[2], frame))
		return 2;
	frame[12] = STREAM_TYPE >> 8;
	frame[13] = STREAM_TYPE & 0xff;
	vfe_init(&f);
	err = vfe_connect(&f, argv[0]);
	if (!err)
		err = vfe_start(&f, features, 1, RING_SIZE);
	if (err) {
		fprintf(stderr, "away: %s: %s\n", argv[0], strerror(-err));
		return 1;
	}
	send_forever(&f, frame, strtoull(argv[3], NULL, 10) * 1000);
}

/* A frame of the stream as it came in. */
struct arrival {
	uint64_t seq, at_ns;
	unsigned interface;
};

/* Receives one frame of the stream; false when it was something else, or nothing. */
static bool take(int fd, struct arrival *a)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct timespec))];
		struct cmsghdr align;
	} control;
	uint8_t frame[FRAME_SIZE];
	struct sockaddr_ll from;
	struct iovec iov = { frame, sizeof(frame) };
	struct msghdr m = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct timespec stamp;
	struct cmsghdr *c;

	if (recvmsg(fd, &m, MSG_DONTWAIT) < SEQ_AT + 8)
		return false;
	if (from.sll_pkttype == PACKET_OUTGOING || ntohs(from.sll_protocol) != STREAM_TYPE)
		return false;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SO_TIMESTAMPNS)
		return false;
	memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
	*a = (struct arrival){ .seq = get_le64(frame + SEQ_AT),
			       .interface = (unsigned)from.sll_ifindex,
			       .at_ns = (uint64_t)stamp.tv_sec * 1000000000 +
					(uint64_t)stamp.tv_nsec };
	return true;
}

struct tally {
	struct arrival last;
	uint64_t count, gap_ns, changes, lost;
};

static void account(struct tally *t, const struct arrival *a)
{
	/* Two interfaces' queues may be emptied by two CPUs, the later frame first. */
	uint64_t gap_ns = a->at_ns > t->last.at_ns ? a->at_ns - t->last.at_ns : 0;

	/* Two interfaces' frames may change places on their way: the later one is no change of the line, nor was it
	 * lost. */
	if (t->count && a->seq < t->last.seq) {
		t->lost -= t->lost > 0;
		t->count++;
		return;
	}
	if (t->count && a->seq > t->last.seq)
		t->lost += a->seq - t->last.seq - 1;
	if (t->count && a->interface != t->last.interface) {
		t->changes++;
		printf("away_us=%.1f lost=%" PRIu64 " at=%" PRIu64 "\n", (double)gap_ns / 1000,
		       a->seq > t->last.seq ? a->seq - t->last.seq - 1 : 0, a->seq);
	} else if (t->count && gap_ns > t->gap_ns) {
		t->gap_ns = gap_ns;
	}
	t->count++;
	t->last = *a;
}

static int do_recv(char **argv)
{
	unsigned interfaces[2] = { if_nametoindex(argv[0]), if_nametoindex(argv[1]) };
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), one = 1, room = BACKLOG;
	uint64_t end = now_ns(CLOCK_MONOTONIC) + (uint64_t)(atof(argv[2]) * 1e9), now;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct tally t = { .count = 0 };
	struct arrival a;
	bool settled = false;

	if (fd < 0 || !interfaces[0] || !interfaces[1] ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one))) {
		fprintf(stderr, "away: cannot listen on %s and %s\n", argv[0], argv[1]);
		return 1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	while ((now = now_ns(CLOCK_MONOTONIC)) < end) {
		if (poll(&p, 1, (int)((end - now) / 1000000) + 1) <= 0)
			continue;
		if (take(fd, &a) && (a.interface == interfaces[0] || a.interface == interfaces[1])) {
			account(&t, &a);
			if (t.count == 1) {
				puts("receiving");
				fflush(stdout);
			}
		}
		if (t.changes && !settled) {
			settled = true;
			end = now + SETTLE_NS;
		}
	}
	printf("received=%" PRIu64 " changes=%" PRIu64 " lost=%" PRIu64 " other_gap_us=%.1f\n",
	       t.count, t.changes, t.lost, (double)t.gap_ns / 1000);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "send"))
		return do_send(argv + 2);
	if (argc == 5 && !strcmp(argv[1], "recv"))
		return do_recv(argv + 2);
	fprintf(stderr, "usage: away send SOCKET SOURCE DESTINATION INTERVAL_US |\n"
			"       away recv FIRST SECOND SECONDS\n");
	return 2;
}
