/* tests/guests/traffic.c -- what guests and namespaces send and measure with: one static program.
 *
 *   traffic tcp-recv PORT              one connection; checks the pattern; prints bytes and time
 *   traffic tcp-send HOST PORT BYTES
 *   traffic tcp-flow HOST PORT FILE        sends until FILE is there
 *   traffic pages MIB FILE                 writes so much memory again and again, and checks it, until FILE is there
 *   traffic udp-recv PORT SECONDS      counts by sequence number, measures gaps between arrivals
 *   traffic udp-send HOST PORT RATE SECONDS [SIZE]   RATE datagrams a second
 *   traffic udp-echo PORT SECONDS      sends every datagram back
 *   traffic udp-round HOST PORT RATE SECONDS [SIZE]  sends to an echo and counts what returns
 *   traffic ping HOST COUNT INTERVAL_US  echo requests, with patience: ping(8) takes an answer for lost
 *                                      that comes later than two round trips after the last request
 *
 * Every command ends with one line of key=value pairs and exit code 0 when what it checks held.
 * Times are in microseconds. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DATAGRAM_MIN = 16, DATAGRAM_MAX = 9000, CHUNK = 65536, LOST_MAX = 1 << 22 };
enum { PINGS_MAX = 1 << 16, PING_SIZE = 64, PING_PATIENCE_US = 60000000 };

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void sleep_until_us(uint64_t when)
{
	struct timespec t = { .tv_sec = (time_t)(when / 1000000),
			      .tv_nsec = (long)(when % 1000000) * 1000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int bound(int type, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atol(port)) };
	int fd = socket(AF_INET, type, 0), one = 1, room = 16 << 20;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
		die("bind");
	return fd;
}

static int connected(int type, const char *host, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atol(port)) };
	int fd = -1, tries;

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		die(host);
	for (tries = 0; tries < 600; tries++) {
		fd = socket(AF_INET, type, 0);
		if (!connect(fd, (struct sockaddr *)&a, sizeof(a)))
			return fd;
		close(fd);
		usleep(100000); /* the other end may not listen yet */
	}
	die("connect");
	return -1;
}

/* The byte at 'offset' of every stream: long period, so that a lost or doubled piece shows. */
static uint8_t pattern(uint64_t offset)
{
	return (uint8_t)(offset ^ (offset >> 8) * 37 ^ (offset >> 16) * 101);
}

static int tcp_recv(const char *port)
{
	static uint8_t bytes[CHUNK];
	int listener = bound(SOCK_STREAM, port), fd;
	uint64_t total = 0, wrong = 0, begin, took;
	ssize_t got, i;

	if (listen(listener, 1) || (fd = accept(listener, NULL, NULL)) < 0)
		die("accept");
	begin = now_us();
	while ((got = read(fd, bytes, sizeof(bytes))) > 0) {
		for (i = 0; i < got; i++)
			wrong += bytes[i] != pattern(total + (uint64_t)i);
		total += (uint64_t)got;
	}
	took = now_us() - begin;
	printf("bytes=%" PRIu64 " wrong=%" PRIu64 " took_us=%" PRIu64 " mbps=%.1f\n", total, wrong,
	       took, took ? (double)total * 8 / (double)took : 0);
	return got < 0 || wrong ? 1 : 0;
}

/* Sends 'total' bytes, or until the file 'until' is there. */
static int tcp_send(const char *host, const char *port, uint64_t total, const char *until)
{
	static uint8_t bytes[CHUNK];
	int fd = connected(SOCK_STREAM, host, port);
	uint64_t sent = 0, begin = now_us();

	while (sent < total && !(until && access(until, F_OK) == 0)) {
		uint64_t want = total - sent < CHUNK ? total - sent : CHUNK, i;
		ssize_t n;

		for (i = 0; i < want; i++)
			bytes[i] = pattern(sent + i);
		n = write(fd, bytes, want);
		if (n <= 0)
			die("write");
		sent += (uint64_t)n;
	}
	shutdown(fd, SHUT_WR);
	if (read(fd, bytes, 1) != 0) /* the peer has read it all when it closes */
		die("close");
	printf("sent=%" PRIu64 " took_us=%" PRIu64 "\n", sent, now_us() - begin);
	return 0;
}

/* Keeps a migration from coming to its end, and sees to it that memory arrives as it was. */
static int pages(uint64_t size, const char *until)
{
	enum { PAGE = 4096, AT_ONCE = 256 };
	volatile uint64_t *words = aligned_alloc(PAGE, size);
	uint64_t rounds = 0, wrong = 0, page;

	if (!words)
		die("memory");
	for (page = 0; page < size / PAGE; page++)
		words[page * (PAGE / sizeof(*words))] = page;
	while (access(until, F_OK)) {
		for (page = 0; page < size / PAGE; page++) {
			volatile uint64_t *word = &words[page * (PAGE / sizeof(*words))];

			wrong += *word != (rounds << 32) + page;
			*word = ((rounds + 1) << 32) + page;
			if (page % AT_ONCE == 0)
				usleep(1000); /* others want the CPU */
		}
		rounds++;
	}
	printf("rounds=%" PRIu64 " wrong=%" PRIu64 "\n", rounds, wrong);
	return wrong != 0;
}

/* What arrived: by sequence number, and the longest silences. */
struct arrivals {
	uint8_t *seen; /* a bit a sequence number */
	uint64_t count, twice, late, last_us, highest;
	uint64_t gap_max_us, gap_at_seq;
	bool any;
};

static void arrived(struct arrivals *a, uint64_t seq, uint64_t at_us)
{
	if (seq >= LOST_MAX)
		return;
	if (a->seen[seq / 8] & 1u << seq % 8) {
		a->twice++;
		return;
	}
	a->seen[seq / 8] |= (uint8_t)(1u << seq % 8);
	a->count++;
	if (a->any && seq < a->highest)
		a->late++;
	if (a->any && at_us - a->last_us > a->gap_max_us) {
		a->gap_max_us = at_us - a->last_us;
		a->gap_at_seq = seq;
	}
	if (!a->any || seq > a->highest)
		a->highest = seq;
	a->any = true;
	a->last_us = at_us;
}

/* Longest run of sequence numbers that did not come, among 0..end. */
static uint64_t longest_hole(const struct arrivals *a, uint64_t end)
{
	uint64_t run = 0, longest = 0, seq;

	for (seq = 0; seq < end && seq < LOST_MAX; seq++) {
		run = a->seen[seq / 8] & 1u << seq % 8 ? 0 : run + 1;
		if (run > longest)
			longest = run;
	}
	return longest;
}

static void print_arrivals(const struct arrivals *a, uint64_t sent)
{
	printf("sent=%" PRIu64 " received=%" PRIu64 " lost=%" PRIu64 " twice=%" PRIu64
	       " reordered=%" PRIu64 " longest_hole=%" PRIu64 " gap_max_us=%" PRIu64
	       " gap_at=%" PRIu64 "\n",
	       sent, a->count, sent - a->count, a->twice, a->late, longest_hole(a, sent),
	       a->gap_max_us, a->gap_at_seq);
}

static void put_seq(uint8_t *bytes, uint64_t seq)
{
	memcpy(bytes, &seq, sizeof(seq));
}

static uint64_t get_seq(const uint8_t *bytes)
{
	uint64_t seq;

	memcpy(&seq, bytes, sizeof(seq));
	return seq;
}

static int udp_recv(const char *port, double seconds)
{
	static uint8_t bytes[DATAGRAM_MAX];
	struct arrivals a = { .seen = calloc(1, LOST_MAX / 8) };
	int fd = bound(SOCK_DGRAM, port);
	uint64_t end = now_us() + (uint64_t)(seconds * 1e6), now;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while ((now = now_us()) < end) {
		if (poll(&p, 1, (int)((end - now) / 1000) + 1) <= 0)
			continue;
		if (recv(fd, bytes, sizeof(bytes), 0) >= DATAGRAM_MIN)
			arrived(&a, get_seq(bytes), now_us());
	}
	print_arrivals(&a, a.any ? a.highest + 1 : 0);
	return a.any ? 0 : 1;
}

static int udp_echo(const char *port, double seconds)
{
	static uint8_t bytes[DATAGRAM_MAX];
	int fd = bound(SOCK_DGRAM, port);
	uint64_t end = now_us() + (uint64_t)(seconds * 1e6), now, echoed = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while ((now = now_us()) < end) {
		struct sockaddr_in from;
		socklen_t from_size = sizeof(from);
		ssize_t n;

		if (poll(&p, 1, (int)((end - now) / 1000) + 1) <= 0)
			continue;
		n = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &from_size);
		if (n > 0 &&
		    sendto(fd, bytes, (size_t)n, 0, (struct sockaddr *)&from, from_size) == n)
			echoed++;
	}
	printf("echoed=%" PRIu64 "\n", echoed);
	return 0;
}

static void take_returns(int fd, struct arrivals *a)
{
	static uint8_t bytes[DATAGRAM_MAX];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) >= DATAGRAM_MIN)
		arrived(a, get_seq(bytes), now_us());
}

struct stream {
	double rate, seconds;
	size_t size;
	bool round; /* count what comes back */
};

static int udp_send(const char *host, const char *port, const struct stream *s)
{
	static uint8_t bytes[DATAGRAM_MAX];
	struct arrivals a = { .seen = calloc(1, LOST_MAX / 8) };
	int fd = connected(SOCK_DGRAM, host, port), room = 4 << 20;
	uint64_t begin = now_us(), seq = 0, refused = 0, total = (uint64_t)(s->rate * s->seconds);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	while (seq < total) {
		uint64_t due = begin + (uint64_t)((double)seq * 1e6 / s->rate), now = now_us();

		if (now < due && s->round && poll(&p, 1, (int)((due - now) / 1000)) > 0) {
			take_returns(fd, &a);
			continue;
		}
		sleep_until_us(due);
		put_seq(bytes, seq++);
		refused += send(fd, bytes, s->size, 0) != (ssize_t)s->size;
		if (s->round)
			take_returns(fd, &a);
	}
	for (begin = now_us(); s->round && a.count < total && now_us() - begin < 3000000;)
		if (poll(&p, 1, 50) > 0)
			take_returns(fd, &a);
	if (s->round)
		print_arrivals(&a, total);
	else
		printf("sent=%" PRIu64 " refused=%" PRIu64 "\n", total, refused);
	return refused || (s->round && !a.any) ? 1 : 0;
}

/* RFC 1071, over an even number of bytes */
static uint16_t checksum(const uint8_t *bytes, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	sum = (sum >> 16) + (sum & 0xffff);
	return htons((uint16_t)~(sum + (sum >> 16)));
}

static void send_echo(int fd, uint16_t id, uint64_t seq)
{
	uint8_t bytes[PING_SIZE] = { 0 };
	struct icmphdr head = { .type = ICMP_ECHO };

	head.un.echo.id = htons(id);
	head.un.echo.sequence = htons((uint16_t)seq);
	memcpy(bytes, &head, sizeof(head));
	head.checksum = checksum(bytes, sizeof(bytes));
	memcpy(bytes, &head, sizeof(head));
	(void)send(fd, bytes, sizeof(bytes), 0); /* one that cannot be sent is not answered */
}

static void take_answers(int fd, uint16_t id, struct arrivals *a)
{
	uint8_t bytes[256];
	struct icmphdr head;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		size_t at = (bytes[0] & 15u) * 4u; /* behind the IP header */

		if ((size_t)n < at + sizeof(head))
			continue;
		memcpy(&head, bytes + at, sizeof(head));
		if (head.type == ICMP_ECHOREPLY && ntohs(head.un.echo.id) == id)
			arrived(a, ntohs(head.un.echo.sequence), now_us());
	}
}

static int ping(const char *host, uint64_t count, uint64_t interval_us)
{
	struct arrivals a = { .seen = calloc(1, LOST_MAX / 8) };
	struct sockaddr_in to = { .sin_family = AF_INET };
	uint16_t id = (uint16_t)getpid();
	uint64_t seq = 0, due = now_us(), now;
	struct pollfd p = { .events = POLLIN };

	if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
		die(host);
	p.fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	if (p.fd < 0 || connect(p.fd, (struct sockaddr *)&to, sizeof(to)))
		die("raw socket");
	while (a.count < count && ((now = now_us()) < due || seq < count)) {
		if (now >= due) {
			send_echo(p.fd, id, seq++);
			due = now + (seq < count ? interval_us : PING_PATIENCE_US);
		} else if (poll(&p, 1, (int)((due - now) / 1000) + 1) > 0) {
			take_answers(p.fd, id, &a);
		}
	}
	print_arrivals(&a, count);
	return a.count == count ? 0 : 1;
}

static int usage(void)
{
	fprintf(stderr, "usage: traffic tcp-recv PORT | tcp-send HOST PORT BYTES |\n"
			"  tcp-flow HOST PORT FILE | pages MIB FILE | udp-recv PORT SECONDS |\n"
			"  udp-send HOST PORT RATE SECONDS [SIZE] | udp-echo PORT SECONDS |\n"
			"  udp-round HOST PORT RATE SECONDS [SIZE] | ping HOST COUNT INTERVAL_US\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 3 && !strcmp(what, "tcp-recv"))
		return tcp_recv(argv[2]);
	if (argc == 5 && !strcmp(what, "tcp-send"))
		return tcp_send(argv[2], argv[3], strtoull(argv[4], NULL, 10), NULL);
	if (argc == 5 && !strcmp(what, "tcp-flow"))
		return tcp_send(argv[2], argv[3], UINT64_MAX, argv[4]);
	if (argc == 4 && !strcmp(what, "pages"))
		return pages(strtoull(argv[2], NULL, 10) << 20, argv[3]);
	if (argc == 4 && !strcmp(what, "udp-recv"))
		return udp_recv(argv[2], atof(argv[3]));
	if (argc == 4 && !strcmp(what, "udp-echo"))
		return udp_echo(argv[2], atof(argv[3]));
	if (argc == 5 && !strcmp(what, "ping") && strtoull(argv[3], NULL, 10) <= PINGS_MAX)
		return ping(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	if (argc >= 6 && (!strcmp(what, "udp-send") || !strcmp(what, "udp-round"))) {
		struct stream s = { .rate = atof(argv[4]),
				    .seconds = atof(argv[5]),
				    .size = 200,
				    .round = !strcmp(what, "udp-round") };

		if (argc > 6)
			s.size = strtoull(argv[6], NULL, 10);
		if (s.rate <= 0 || s.size < DATAGRAM_MIN || s.size > DATAGRAM_MAX)
			return usage();
		return udp_send(argv[2], argv[3], &s);
	}
	return usage();
}
