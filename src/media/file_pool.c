/* Steps of requests carried by threads, where the kernel has no io_uring for us.
 *
 * The worker takes no lock: it writes pointers into a queue that has a slot for each io there is, and
 * threads give what has ended to one list that the worker takes as a whole. */
#include "media/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

_Static_assert((FILE_DEPTH & (FILE_DEPTH - 1)) == 0, "slots of the queue are found by a mask");

/* What one call moved, or -errno. */
static int result_of(ssize_t moved)
{
	return moved < 0 ? -errno : (int)moved;
}

static int carry_first(const struct file_medium *f, const struct file_io *io)
{
	const struct block_request *request = io->request;
	const struct iovec *iov = &io->iov[io->iov_first];
	off_t at = (off_t)(request->first + io->done);

	switch (request->op) {
	case BLOCK_FLUSH:
		return result_of(fdatasync(f->fd));
	case BLOCK_DISCARD:
	case BLOCK_WRITE_ZEROES:
		return result_of(fallocate(f->fd, file_zero_mode(request), at, (off_t)request->size));
	case BLOCK_READ:
		return result_of(preadv(f->fd, iov, (int)io->iov_count, at));
	default:
		return result_of(pwritev2(f->fd, iov, (int)io->iov_count, at,
					  request->flags & BLOCK_FUA ? RWF_DSYNC : 0));
	}
}

int file_carry(const struct file_medium *f, const struct file_io *io)
{
	switch (io->step) {
	case FILE_STEP_WRITE_ZEROES:
		return result_of(pwrite(f->fd, f->zeroes, file_zeroes_left(io),
					(off_t)(io->request->first + io->done)));
	case FILE_STEP_SYNC:
		return result_of(fdatasync(f->fd));
	default:
		return carry_first(f, io);
	}
}

/* The next io of the queue, which has one for each time that 'work' was taken.  A slot is written
 * anew only after 'head' has passed it, so whoever wins 'head' has read the right one. */
static struct file_io *claim(struct file_pool *pool)
{
	/* acquire pairs with the release below: who came before has seen what was put before */
	uint64_t head = atomic_load_explicit(&pool->head, memory_order_acquire);
	struct file_io *io;

	do {
		io = atomic_load_explicit(&pool->queue[head % FILE_DEPTH], memory_order_relaxed);
	} while (!atomic_compare_exchange_weak_explicit(&pool->head, &head, head + 1,
							memory_order_acq_rel, memory_order_acquire));
	return io;
}

/* Gives 'io' back to the worker. */
static void give(struct file_medium *f, struct file_io *io)
{
	struct file_pool *pool = &f->pool;
	struct file_io *before = atomic_load_explicit(&pool->ended, memory_order_relaxed);
	const uint64_t one = 1;

	do {
		io->next_ended = before;
		/* seq_cst, as the look at 'wanted': wake() and has_ended() do the reverse */
	} while (!atomic_compare_exchange_weak_explicit(&pool->ended, &before, io,
							memory_order_seq_cst, memory_order_relaxed));
	/* A full eventfd is readable as it is. */
	if (atomic_load_explicit(&pool->wanted, memory_order_seq_cst) &&
	    write(f->wake_fd, &one, sizeof one) < 0)
		must(errno == EAGAIN);
}

static void *run(void *medium)
{
	struct file_medium *f = medium;
	struct file_pool *pool = &f->pool;

	for (;;) {
		struct file_io *io;

		while (sem_wait(&pool->work) < 0)
			must(errno == EINTR);
		/* relaxed: the semaphore orders it */
		if (atomic_load_explicit(&pool->stop, memory_order_relaxed))
			return NULL;
		io = claim(pool);
		io->result = file_carry(f, io);
		give(f, io);
	}
}

/* What a thread is at ends first; what none has begun is dropped. */
static void close_pool(struct file_medium *f)
{
	struct file_pool *pool = &f->pool;

	if (!pool->there)
		return;
	atomic_store_explicit(&pool->stop, true, memory_order_relaxed); /* run() */
	for (unsigned i = 0; i < pool->thread_count; i++)
		must(sem_post(&pool->work) == 0);
	while (pool->thread_count)
		must(pthread_join(pool->threads[--pool->thread_count], NULL) == 0);
	must(sem_destroy(&pool->work) == 0);
	pool->there = false;
}

static int start_threads(struct file_medium *f)
{
	struct file_pool *pool = &f->pool;
	int err = 0;

	while (!err && pool->thread_count < FILE_THREADS) {
		pthread_t *thread = &pool->threads[pool->thread_count];

		err = -pthread_create(thread, NULL, run, f);
		if (!err) {
			pool->thread_count++;
			(void)pthread_setname_np(*thread, "midplane-file");
		}
	}
	return err;
}

static int open_pool(struct file_medium *f, struct refusal *why)
{
	struct file_pool *pool = &f->pool;
	sigset_t all, before;
	int err;

	must(sem_init(&pool->work, 0, 0) == 0);
	pool->there = true;
	/* Signals are for those who wait for them. */
	sigfillset(&all);
	must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	err = start_threads(f);
	must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	if (err)
		refuse(why, "", "cannot start %u threads for a file: %s", FILE_THREADS, strerror(-err));
	return err;
}

static void put(struct file_medium *f, struct file_io *io)
{
	struct file_pool *pool = &f->pool;

	/* relaxed: push() publishes it */
	atomic_store_explicit(&pool->queue[pool->tail++ % FILE_DEPTH], io, memory_order_relaxed);
	pool->unpushed++;
}

/* Never waits: it counts up, and wakes a thread where one sleeps. */
static void push(struct file_medium *f)
{
	for (; f->pool.unpushed; f->pool.unpushed--)
		must(sem_post(&f->pool.work) == 0);
}

static struct file_io *take(struct file_medium *f, int *result)
{
	struct file_pool *pool = &f->pool;
	struct file_io *io;

	/* Looks before it writes, so that a worker that polls leaves the threads their line. */
	if (!pool->taken && atomic_load_explicit(&pool->ended, memory_order_relaxed))
		/* acquire pairs with give() */
		pool->taken = atomic_exchange_explicit(&pool->ended, NULL, memory_order_acquire);
	io = pool->taken;
	if (!io)
		return NULL;
	pool->taken = io->next_ended;
	*result = io->result;
	return io;
}

static void wake(struct file_medium *f, enum file_wake wanted)
{
	atomic_store_explicit(&f->pool.wanted, wanted == FILE_WAKE, memory_order_seq_cst); /* give() */
}

static bool has_ended(struct file_medium *f)
{
	return f->pool.taken || atomic_load_explicit(&f->pool.ended, memory_order_seq_cst); /* give() */
}

const struct file_carrier file_pool_carrier = {
	.name = "threads", .open = open_pool, .close = close_pool, .put = put, .push = push,
	.take = take, .wake = wake, .has_ended = has_ended,
};
