/* Requests to a file, step by step: what carries a step to the kernel is a file_carrier's. */
#include "media/internal.h"

#include <errno.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>

static struct file_medium *file_of(struct medium *medium)
{
	return container_of(medium, struct file_medium, any.medium);
}

static void count_in_flight(struct file_medium *f, int n)
{
	/* One writer; medium_is_idle() looks. */
	uint32_t now = atomic_load_explicit(&f->in_flight, memory_order_relaxed);

	atomic_store_explicit(&f->in_flight, now + (uint32_t)n, memory_order_relaxed);
}

/* The kernel's word of an error in ours. */
static enum block_result result_of(int err)
{
	switch (err) {
	case 0:
		return BLOCK_DONE;
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
		return BLOCK_NO_SPACE;
	case -EROFS:
	case -EPERM:
	case -EBADF: /* opened for reading */
		return BLOCK_READ_ONLY;
	case -EOPNOTSUPP:
	case -ENOSYS:
		return BLOCK_UNSUPPORTED;
	case -ENODEV:
	case -ENXIO:
		return BLOCK_GONE;
	default:
		return BLOCK_MEDIUM_ERROR;
	}
}

/* The same, and it is counted where the medium is to blame. */
static enum block_result failed(struct file_medium *f, const struct file_io *io, int err)
{
	enum block_result result = result_of(err);

	if (result == BLOCK_MEDIUM_ERROR || result == BLOCK_NO_SPACE || result == BLOCK_GONE)
		any_medium_failed(&f->any, io->request->op, (uint32_t)-err);
	return result;
}

void file_say_error(uint32_t code, char *text, size_t size)
{
	snprintf(text, size, "%s", code == FILE_WAS_CUT ? "the file was cut" : strerror((int)code));
}

static uint8_t *bounce_at(const struct file_medium *f, const struct file_io *io)
{
	return f->bounces + (size_t)io->bounce * FILE_TRANSFER_MAX;
}

static bool needs_bounce(const struct file_medium *f, const struct block_request *request)
{
	for (unsigned i = 0; f->direct && i < request->seg_count; i++)
		if (((uintptr_t)request->segs[i].bytes | request->segs[i].size) % f->memory_align)
			return true;
	return false;
}

static void copy_to_bounce(uint8_t *to, const struct block_request *request)
{
	for (unsigned i = 0; i < request->seg_count; to += request->segs[i++].size)
		memcpy(to, request->segs[i].bytes, request->segs[i].size);
}

static void copy_from_bounce(const uint8_t *from, const struct block_request *request)
{
	for (unsigned i = 0; i < request->seg_count; from += request->segs[i++].size)
		memcpy(request->segs[i].bytes, from, request->segs[i].size);
}

/* Where the data is to go or come from; false: it must be bounced, and there is no room now. */
static bool lay_iov(struct file_medium *f, struct file_io *io)
{
	const struct block_request *request = io->request;

	io->bounce = FILE_NO_BOUNCE;
	io->iov_first = 0;
	io->iov_count = request->seg_count;
	if (needs_bounce(f, request)) {
		if (f->free_bounces == 0)
			return false;
		io->bounce = (int)f->free_bounce[--f->free_bounces];
		if (request->op == BLOCK_WRITE)
			copy_to_bounce(bounce_at(f, io), request);
		io->iov[0] = (struct iovec){ bounce_at(f, io), request->size };
		io->iov_count = 1;
		return true;
	}
	for (unsigned i = 0; i < request->seg_count; i++)
		io->iov[i] = (struct iovec){ request->segs[i].bytes, request->segs[i].size };
	return true;
}

static bool moves_data(enum block_op op)
{
	return op == BLOCK_READ || op == BLOCK_WRITE;
}

/* A hole reads as zeroes; where there can be none, the range is marked, or else written. */
int file_zero_mode(const struct block_request *request)
{
	return request->op == BLOCK_DISCARD || request->flags & BLOCK_MAY_UNMAP ?
		       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE :
		       FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
}

unsigned file_zeroes_left(const struct file_io *io)
{
	return (unsigned)min_u64(io->request->size - io->done, FILE_ZEROES);
}

static bool is_known(enum block_op op)
{
	return op == BLOCK_READ || op == BLOCK_WRITE || op == BLOCK_FLUSH || op == BLOCK_DISCARD ||
	       op == BLOCK_WRITE_ZEROES;
}

/* Steps over 'n' bytes that were moved. */
static void advance(struct file_io *io, uint64_t n)
{
	io->done += n;
	while (n && io->iov_count) {
		struct iovec *iov = &io->iov[io->iov_first];

		if (n < iov->iov_len) {
			iov->iov_base = (uint8_t *)iov->iov_base + n;
			iov->iov_len -= n;
			return;
		}
		n -= iov->iov_len;
		io->iov_first++;
		io->iov_count--;
	}
}

static void end(struct file_medium *f, struct file_io *io, enum block_result result)
{
	if (io->bounce != FILE_NO_BOUNCE) {
		if (result == BLOCK_DONE && io->request->op == BLOCK_READ)
			copy_from_bounce(bounce_at(f, io), io->request);
		f->free_bounce[f->free_bounces++] = (unsigned)io->bounce;
	}
	io->request->result = result;
	io->next_free = f->free_ios;
	f->free_ios = io;
	f->ended[f->ended_count++] = io->request;
	count_in_flight(f, -1);
}

/* Of a file in memory: the kernel's ring would hand each to a thread, which waits for our core while we
 * poll for what it does; and there is nothing to wait for but a copy. */
static void move_at_once(struct file_medium *f, struct file_io *io)
{
	int n;

	do {
		n = file_carry(f, io);
		if (n > 0)
			advance(io, (uint64_t)n);
	} while (n == -EINTR || (n > 0 && io->done < io->request->size));
	if (n == 0) /* the end of a file that was cut */
		end(f, io, failed(f, io, -FILE_WAS_CUT));
	else
		end(f, io, n < 0 ? failed(f, io, n) : BLOCK_DONE);
}

/* The same of a flush, which is nothing to the kernel there. */
static void flush_at_once(struct file_medium *f, struct file_io *io)
{
	int err = file_carry(f, io);

	end(f, io, err < 0 ? failed(f, io, err) : BLOCK_DONE);
}

/* Begins one request; false: no room now. */
static bool begin(struct file_medium *f, struct block_request *request)
{
	struct file_io *io = f->free_ios;

	if (!io)
		return false;
	if (!is_known(request->op)) {
		request->result = BLOCK_UNSUPPORTED;
		f->ended[f->ended_count++] = request;
		return true;
	}
	io->request = request;
	io->step = FILE_STEP_FIRST;
	io->done = 0;
	io->cancelled = 0;
	if (!moves_data(request->op))
		io->bounce = FILE_NO_BOUNCE;
	else if (!lay_iov(f, io))
		return false;
	f->free_ios = io->next_free;
	count_in_flight(f, 1);
	if (f->in_memory && moves_data(request->op))
		move_at_once(f, io);
	else if (f->in_memory && request->op == BLOCK_FLUSH)
		flush_at_once(f, io);
	else
		f->carrier->put(f, io);
	return true;
}

static unsigned submit(struct worker *worker, struct medium *medium, struct block_request **requests,
		       unsigned n)
{
	struct file_medium *f = file_of(medium);
	unsigned taken = 0;

	(void)worker;
	/* A device is at the first of them while the others are prepared.  When it is given all at once,
	 * it may end all at once, too, and then has nothing to do until more have come. */
	while (taken < n && f->ended_count < FILE_DEPTH && begin(f, requests[taken]))
		if (++taken % FILE_PUSH == 0)
			f->carrier->push(f);
	f->carrier->push(f);
	return taken;
}

static void repeat(struct file_medium *f, struct file_io *io, enum file_step step)
{
	io->step = step;
	f->carrier->put(f, io);
}

static bool must_sync(const struct file_io *io)
{
	return io->request->flags & BLOCK_FUA && io->request->op == BLOCK_WRITE_ZEROES &&
	       io->step != FILE_STEP_SYNC;
}

/* Data was moved, all of it or some. */
static void moved(struct file_medium *f, struct file_io *io, int n)
{
	if (n == 0) { /* the end of a file that was cut */
		end(f, io, failed(f, io, -FILE_WAS_CUT));
		return;
	}
	advance(io, (uint64_t)n);
	if (io->done < io->request->size)
		repeat(f, io, io->step);
	else if (must_sync(io))
		repeat(f, io, FILE_STEP_SYNC);
	else
		end(f, io, BLOCK_DONE);
}

/* A range could not be made a hole, or marked. */
static void not_zeroed(struct file_medium *f, struct file_io *io, int err)
{
	if (io->request->op == BLOCK_DISCARD)
		end(f, io, err == -EOPNOTSUPP ? BLOCK_DONE : failed(f, io, err)); /* an advice */
	else if (err == -EOPNOTSUPP || err == -EINVAL)
		repeat(f, io, FILE_STEP_WRITE_ZEROES);
	else
		end(f, io, failed(f, io, err));
}

static void step_ended(struct file_medium *f, struct file_io *io, int res)
{
	bool zeroes = io->request->op == BLOCK_DISCARD || io->request->op == BLOCK_WRITE_ZEROES;

	if (res == -EINTR || res == -EAGAIN || (res == -ECANCELED && io->cancelled++ < FILE_CANCELLED_MOST))
		repeat(f, io, io->step);
	else if (io->step == FILE_STEP_FIRST && zeroes && res < 0)
		not_zeroed(f, io, res);
	else if (res < 0)
		end(f, io, failed(f, io, res));
	else if (io->step == FILE_STEP_WRITE_ZEROES ||
		 (io->step == FILE_STEP_FIRST && moves_data(io->request->op)))
		moved(f, io, res);
	else if (must_sync(io))
		repeat(f, io, FILE_STEP_SYNC);
	else
		end(f, io, BLOCK_DONE);
}

static unsigned reap(struct worker *worker, struct medium *medium, struct block_request **requests,
		     unsigned max)
{
	struct file_medium *f = file_of(medium);
	struct file_io *io;
	unsigned n;
	int res;

	(void)worker;
	max = min_u32(max, FILE_DEPTH);
	while (f->ended_count < max && (io = f->carrier->take(f, &res)) != NULL)
		step_ended(f, io, res);
	f->carrier->push(f);
	n = min_u32(max, f->ended_count);
	memcpy(requests, f->ended, n * sizeof requests[0]);
	f->ended_count -= n;
	memmove(f->ended, f->ended + n, f->ended_count * sizeof requests[0]);
	if (n && f->wakes) {
		f->wakes = false;
		f->carrier->wake(f, FILE_WAKE_NOT);
	}
	return n;
}

static bool arm(struct worker *worker, struct medium *medium)
{
	struct file_medium *f = file_of(medium);

	(void)worker;
	f->wakes = true;
	f->carrier->wake(f, FILE_WAKE); /* the wish must be out before one looks */
	return f->ended_count || f->carrier->has_ended(f);
}

const struct medium_ops file_medium_ops = {
	.name = "file", .submit = submit, .reap = reap, .arm = arm,
};
