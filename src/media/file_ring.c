/* Steps of requests carried by io_uring. */
#include "media/internal.h"

#include <string.h>

static void close_ring(struct file_medium *f)
{
	if (f->ring.there)
		io_uring_queue_exit(&f->ring.uring);
	f->ring = (struct file_ring){ .there = false };
}

static int open_ring(struct file_medium *f, struct refusal *why)
{
	struct iovec bounces = { f->bounces, (size_t)FILE_BOUNCES * FILE_TRANSFER_MAX };
	struct io_uring_params params = { 0 };
	struct file_ring *ring = &f->ring;
	int err = io_uring_queue_init_params(FILE_DEPTH, &ring->uring, &params);

	if (err) {
		refuse(why, "", "the kernel does not let us use io_uring: %s", strerror(-err));
		return err;
	}
	ring->there = true;
	err = io_uring_register_eventfd(&ring->uring, f->wake_fd);
	if (err) {
		refuse(why, "", "the kernel's io_uring has no wake-ups: %s", strerror(-err));
		return err;
	}
	(void)io_uring_cq_eventfd_toggle(&ring->uring, false);
	ring->registered_file = io_uring_register_files(&ring->uring, &f->fd, 1) == 0;
	/* It pins them, so a limit of locked memory may refuse it: then they are as any others. */
	ring->registered_bounces = f->direct &&
				   io_uring_register_buffers(&ring->uring, &bounces, 1) == 0;
	return 0;
}

/* The part of the data that is not moved yet. */
static void prepare_transfer(struct file_medium *f, struct file_io *io, struct io_uring_sqe *sqe)
{
	const struct block_request *request = io->request;
	const struct iovec *iov = &io->iov[io->iov_first];
	uint64_t at = request->first + io->done;
	bool fixed = io->bounce != FILE_NO_BOUNCE && f->ring.registered_bounces;

	if (request->op == BLOCK_READ && fixed)
		io_uring_prep_read_fixed(sqe, f->fd, iov->iov_base, (unsigned)iov->iov_len, at, 0);
	else if (request->op == BLOCK_READ)
		io_uring_prep_readv(sqe, f->fd, iov, io->iov_count, at);
	else if (fixed)
		io_uring_prep_write_fixed(sqe, f->fd, iov->iov_base, (unsigned)iov->iov_len, at, 0);
	else
		io_uring_prep_writev(sqe, f->fd, iov, io->iov_count, at);
	if (request->op == BLOCK_WRITE && request->flags & BLOCK_FUA)
		sqe->rw_flags = RWF_DSYNC;
}

static void prepare_first(struct file_medium *f, struct file_io *io, struct io_uring_sqe *sqe)
{
	const struct block_request *request = io->request;

	switch (request->op) {
	case BLOCK_FLUSH:
		io_uring_prep_fsync(sqe, f->fd, IORING_FSYNC_DATASYNC);
		break;
	case BLOCK_DISCARD:
	case BLOCK_WRITE_ZEROES:
		io_uring_prep_fallocate(sqe, f->fd, file_zero_mode(request), (off_t)request->first,
					(off_t)request->size);
		break;
	default:
		prepare_transfer(f, io, sqe);
	}
}

static void put(struct file_medium *f, struct file_io *io)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&f->ring.uring);

	must(sqe); /* there are as many as ios */
	switch (io->step) {
	case FILE_STEP_FIRST:
		prepare_first(f, io, sqe);
		break;
	case FILE_STEP_WRITE_ZEROES:
		io_uring_prep_write(sqe, f->fd, f->zeroes, file_zeroes_left(io),
				    io->request->first + io->done);
		break;
	case FILE_STEP_SYNC:
		io_uring_prep_fsync(sqe, f->fd, IORING_FSYNC_DATASYNC);
		break;
	}
	if (f->ring.registered_file) {
		sqe->fd = 0;
		sqe->flags |= IOSQE_FIXED_FILE;
	}
	io_uring_sqe_set_data(sqe, io);
}

static void push(struct file_medium *f)
{
	/* An error leaves them in the ring; the next push enters the kernel again. */
	if (io_uring_sq_ready(&f->ring.uring))
		(void)io_uring_submit(&f->ring.uring);
}

static struct file_io *take(struct file_medium *f, int *result)
{
	struct io_uring_cqe *cqe;
	struct file_io *io;

	if (io_uring_peek_cqe(&f->ring.uring, &cqe) != 0)
		return NULL;
	io = io_uring_cqe_get_data(cqe);
	*result = cqe->res;
	io_uring_cqe_seen(&f->ring.uring, cqe);
	return io;
}

static void wake(struct file_medium *f, enum file_wake wanted)
{
	(void)io_uring_cq_eventfd_toggle(&f->ring.uring, wanted == FILE_WAKE);
	/* The wish must be out before the ring is looked at; the kernel does the reverse. */
	if (wanted == FILE_WAKE)
		atomic_thread_fence(memory_order_seq_cst);
}

static bool has_ended(struct file_medium *f)
{
	return io_uring_cq_ready(&f->ring.uring) || io_uring_sq_ready(&f->ring.uring);
}

const struct file_carrier file_ring_carrier = {
	.name = "io_uring", .open = open_ring, .close = close_ring, .put = put, .push = push,
	.take = take, .wake = wake, .has_ended = has_ended,
};
