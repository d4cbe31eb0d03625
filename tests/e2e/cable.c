/* tests/e2e/cable.c -- a cable between two network namespaces that can be cut: two TAP interfaces and
 * what carries frames from one to the other.
 *
 *   cable NAMESPACE INTERFACE NAMESPACE INTERFACE   namespaces as "ip netns" names them
 *
 * SIGUSR1 cuts it, SIGUSR2 mends it.  From the cut on no frame passes, and both interfaces lose their
 * carrier at once, as those of two network cards do.  (A veth pair cannot do that: taking one end
 * down first stops reception there, then waits for the kernel's readers, about a millisecond with
 * busy CPUs, and only then takes the carrier from the other.)  It says "up" when it carries frames,
 * and on each cut "cut NANOSECONDS", CLOCK_MONOTONIC. */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <linux/if.h>
#include <linux/if_tun.h>

enum { FRAME_MAX = 65536, BURST = 64 };

static int fail(const char *what)
{
	fprintf(stderr, "cable: %s: %s\n", what, strerror(errno));
	return -1;
}

/* A TAP interface in that namespace; a descriptor, or -1 after saying why. */
static int open_end(const char *space, const char *interface)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	char path[256];
	int tap, fd;

	(void)snprintf(path, sizeof(path), "/run/netns/%s", space);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		return fail(path);
	(void)close(fd);
	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap < 0)
		return fail("/dev/net/tun");
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(tap, TUNSETIFF, &request))
		return fail(interface);
	return tap;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void set_carrier(const int *ends, int there)
{
	uint64_t at_ns = now_ns();

	for (unsigned i = 0; i < 2; i++)
		if (ioctl(ends[i], TUNSETCARRIER, &there))
			(void)fail("TUNSETCARRIER");
	printf("%s %" PRIu64 "\n", there ? "mended" : "cut", at_ns);
	fflush(stdout);
}

/* Carries what waits at one end to the other, or drops it. */
static void carry(int from, int to, bool whole)
{
	static uint8_t frame[FRAME_MAX];

	for (unsigned i = 0; i < BURST; i++) {
		ssize_t n = read(from, frame, sizeof(frame));

		if (n <= 0)
			return;
		if (whole)
			(void)!write(to, frame, (size_t)n); /* full, or down: lost, as on a wire */
	}
}

/* The signal that has come; 0: none. */
static uint32_t take_signal(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == sizeof(info) ? info.ssi_signo : 0;
}

static _Noreturn void run(const int *ends, int signals)
{
	struct pollfd fds[3] = { { .fd = signals, .events = POLLIN },
				 { .fd = ends[0], .events = POLLIN },
				 { .fd = ends[1], .events = POLLIN } };
	bool whole = true;

	for (;;) {
		uint32_t told;

		if (poll(fds, 3, -1) < 0)
			continue;
		told = fds[0].revents ? take_signal(signals) : 0;
		if (told) {
			whole = told == SIGUSR2;
			set_carrier(ends, whole);
		}
		carry(ends[0], ends[1], whole);
		carry(ends[1], ends[0], whole);
	}
}

int main(int argc, char **argv)
{
	int ends[2], signals;
	sigset_t set;

	if (argc != 5) {
		fprintf(stderr, "usage: cable NAMESPACE INTERFACE NAMESPACE INTERFACE\n");
		return 2;
	}
	for (unsigned i = 0; i < 2; i++) {
		ends[i] = open_end(argv[1 + 2 * i], argv[2 + 2 * i]);
		if (ends[i] < 0)
			return 1;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals < 0)
		return fail("signalfd") ? 1 : 0;
	puts("up");
	fflush(stdout);
	run(ends, signals);
}
