#include "prog/avail_simulate.h"

#include "os/heap.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHUNK = 1024, THREADS_MAX = 64 };

/* What the threads share. */
struct run {
	const struct avail_play *play;
	const struct avail_simulation *how;
	_Atomic uint64_t next; /* first replication that nobody has taken */
	pthread_mutex_t lock;  /* of what is below */
	struct avail_sums sums;
	int err;
};

/* Takes chunks until there are none.  A chunk that is begun is finished, so that what was made is
 * always the first so many replications or, after the clock, a set of whole chunks. */
static int work(struct run *run, struct avail_stage *stage, struct avail_sums *sums)
{
	for (;;) {
		/* relaxed: the numbers are all that is shared */
		uint64_t first = atomic_fetch_add_explicit(&run->next, CHUNK, memory_order_relaxed);

		if (first >= run->how->replications)
			return 0;
		if (run->how->clock && first > 0 && !avail_clock_go_on(run->how->clock))
			return 0;
		avail_play_run(run->play, stage, run->how->seed, first,
			       min_u64(CHUNK, run->how->replications - first), sums);
	}
}

static void *thread_main(void *arg)
{
	struct run *run = arg;
	struct avail_memory memory = { HEAP_MEMORY };
	struct avail_stage *stage = NULL;
	struct avail_sums sums = { 0 };
	int err;

	err = avail_stage_open(&stage, &memory, run->play);
	if (!err) {
		err = work(run, stage, &sums);
		avail_stage_close(stage);
	}
	pthread_mutex_lock(&run->lock);
	avail_sums_add(&run->sums, &sums);
	if (err && !run->err)
		run->err = err;
	pthread_mutex_unlock(&run->lock);
	return NULL;
}

static unsigned thread_count(const struct avail_simulation *how)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t chunks = (how->replications + CHUNK - 1) / CHUNK;
	uint64_t count = how->threads ? how->threads : cpus > 0 ? (uint64_t)cpus : 1;

	return (unsigned)max_u64(1, min_u64(min_u64(count, chunks), THREADS_MAX));
}

int avail_simulate(const struct avail_play *play, const struct avail_simulation *how,
		   struct avail_play_result *result)
{
	struct run run = { .play = play, .how = how, .lock = PTHREAD_MUTEX_INITIALIZER };
	unsigned wanted = thread_count(how), started = 0;
	pthread_t threads[THREADS_MAX];

	while (started + 1 < wanted &&
	       pthread_create(&threads[started], NULL, thread_main, &run) == 0)
		started++;
	thread_main(&run); /* this thread works too: one that could not be started is no failure */
	while (started > 0)
		pthread_join(threads[--started], NULL);
	pthread_mutex_destroy(&run.lock);
	if (run.err)
		return run.err;
	avail_play_result(play, &run.sums, result);
	return 0;
}
