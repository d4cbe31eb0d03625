#include "os/worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t worker_cpu_ns(struct worker *worker)
{
	struct timespec t = { 0 };
	clockid_t clock;

	if (pthread_getcpuclockid(worker->thread, &clock) == 0)
		(void)clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The letter behind the name in /proc/self/task/TID/stat: R runs or wants to, S and D wait in the
 * kernel; '?' when it cannot be read. */
static char thread_state(pid_t tid)
{
	char path[64], text[256];
	const char *name_end;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return '?';
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (n <= 0)
		return '?';
	text[n] = '\0';
	name_end = strrchr(text, ')');
	return name_end && name_end[1] == ' ' ? name_end[2] : '?';
}

enum worker_health worker_health(struct worker *worker, uint64_t now_ns, uint64_t limit_ns)
{
	/* acquire pairs with the releases in worker.c; the mark is read first: a worker that fell
	 * asleep since then beat just before */
	uint64_t asleep_until_ns = atomic_load_explicit(&worker->asleep_until_ns,
							memory_order_acquire);
	uint64_t beat_ns = atomic_load_explicit(&worker->beat_ns, memory_order_acquire);
	uint64_t cpu_ns;
	char state;

	if (asleep_until_ns) /* its own sleep: late only when the host is */
		return now_ns > asleep_until_ns + limit_ns ? WORKER_STARVED : WORKER_WELL;
	if (now_ns < beat_ns + limit_ns && beat_ns != worker->seen_beat_ns) {
		worker->seen_beat_ns = beat_ns;
		worker->seen_at_ns = now_ns;
		worker->seen_cpu_ns = worker_cpu_ns(worker);
		return WORKER_WELL;
	}
	if (now_ns < beat_ns + limit_ns)
		return WORKER_WELL;
	cpu_ns = worker_cpu_ns(worker);
	if (beat_ns != worker->seen_beat_ns) { /* nobody looked while it still beat */
		worker->seen_beat_ns = beat_ns;
		worker->seen_at_ns = now_ns;
		worker->seen_cpu_ns = cpu_ns;
	}
	state = thread_state(atomic_load_explicit(&worker->tid, memory_order_relaxed));
	if (beat_ns != atomic_load_explicit(&worker->beat_ns, memory_order_acquire) ||
	    atomic_load_explicit(&worker->asleep_until_ns, memory_order_acquire))
		return WORKER_STARVED; /* it came back while we looked: the state is a later one */
	if (state == 'S' || state == 'D')
		return WORKER_STUCK;
	return cpu_ns - worker->seen_cpu_ns >= limit_ns / 2 ? WORKER_STUCK : WORKER_STARVED;
}
