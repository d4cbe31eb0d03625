/* Requests on their way through an NVMe controller's queue. */
#include "media/nvme_internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <string.h>

#define LOOK_NS UINT64_C(100000000) /* between looks at a controller that keeps commands */

static struct nvme_medium *nvme_of(struct medium *medium)
{
	return container_of(medium, struct nvme_medium, any.medium);
}

static void count_in_flight(struct nvme_medium *m, int n)
{
	/* One writer; medium_is_idle() looks. */
	uint32_t now = atomic_load_explicit(&m->in_flight, memory_order_relaxed);

	atomic_store_explicit(&m->in_flight, now + (uint32_t)n, memory_order_relaxed);
}

static unsigned in_flight(const struct nvme_medium *m)
{
	return atomic_load_explicit(&((struct nvme_medium *)(uintptr_t)m)->in_flight,
				    memory_order_relaxed);
}

/* The controller's word of a command in ours. */
static enum block_result result_of(uint16_t status)
{
	switch (status & NVME_STATUS_CODE_MASK) {
	case NVME_SUCCESS:
		return BLOCK_DONE;
	case NVME_LBA_OUT_OF_RANGE:
		return BLOCK_OUT_OF_RANGE;
	case NVME_CAPACITY_EXCEEDED:
		return BLOCK_NO_SPACE;
	case NVME_WRITE_PROTECTED:
	case NVME_READ_ONLY_RANGE:
		return BLOCK_READ_ONLY;
	case NVME_INVALID_OPCODE:
		return BLOCK_UNSUPPORTED;
	case NVME_INVALID_NAMESPACE: /* it was detached from the controller */
	case NVME_NAMESPACE_NOT_READY: /* it may come back */
	case NVME_PATH_ERROR:
		return BLOCK_GONE;
	default:
		return BLOCK_MEDIUM_ERROR;
	}
}

static uint32_t index_of(const struct nvme_medium *m, const struct nvme_io *io)
{
	return (uint32_t)(io - m->ios);
}

static uint8_t *buffer_of(const struct nvme_medium *m, const struct nvme_io *io)
{
	return m->buffers + index_of(m, io) * (size_t)NVME_MEDIUM_TRANSFER_MAX;
}

static uint64_t buffer_iova(const struct nvme_medium *m, const struct nvme_io *io)
{
	return m->buffers_iova + index_of(m, io) * (uint64_t)NVME_MEDIUM_TRANSFER_MAX;
}

enum direction { TO_BUFFER, FROM_BUFFER };

/* Copies the piece that the command under way is for. */
static void copy(const struct nvme_io *io, uint8_t *buffer, enum direction direction)
{
	uint64_t skip = io->done, left = io->piece;

	for (unsigned i = 0; i < io->request->seg_count && left; i++) {
		const struct block_seg *seg = &io->request->segs[i];
		uint64_t take;

		if (skip >= seg->size) {
			skip -= seg->size;
			continue;
		}
		take = min_u64(seg->size - skip, left);
		if (direction == TO_BUFFER)
			memcpy(buffer, seg->bytes + skip, take);
		else
			memcpy(seg->bytes + skip, buffer, take);
		buffer += take;
		left -= take;
		skip = 0;
	}
	must(left == 0);
}

static void end(struct nvme_medium *m, struct nvme_io *io, enum block_result result)
{
	io->request->result = result;
	must(m->ended_count < NVME_ENDED_MAX);
	m->ended[m->ended_count++] = io->request;
	io->request = NULL;
	io->next_free = m->free_ios;
	m->free_ios = io;
	count_in_flight(m, -1);
}

/* Everything ends, and nothing begins any more. */
static void die(struct nvme_medium *m, const char *why)
{
	if (m->dead)
		return;
	m->dead = true;
	atomic_store_explicit(&m->any.how, why, memory_order_release);
	/* release pairs with the acquire in medium_is_dead() */
	atomic_store_explicit(&m->any.dead, true, memory_order_release);
	for (unsigned i = 0; i < NVME_MEDIUM_DEPTH; i++)
		if (m->ios[i].request)
			end(m, &m->ios[i], BLOCK_GONE);
}

/* Bytes that a command can be for, at most. */
static uint64_t piece_max(const struct nvme_medium *m, const struct nvme_io *io)
{
	const struct nvme_driver *d = &m->driver;

	switch (io->request->op) {
	case BLOCK_DISCARD:
		return (uint64_t)UINT32_MAX * d->block_size;
	case BLOCK_WRITE_ZEROES:
		/* The command's own limit may be the same as that of data; 0 means so, too. */
		if (d->optional & NVME_ONCS_WRITE_ZEROES)
			return min_u64(d->transfer_max,
				       NVME_DRIVER_BLOCKS_MAX * (uint64_t)d->block_size);
		return m->any.medium.transfer_max;
	default:
		return m->any.medium.transfer_max;
	}
}

/* Posts a transfer of the piece, or what has no data. */
static void post_blocks(struct nvme_medium *m, struct nvme_io *io, uint8_t opcode, uint32_t flags)
{
	const struct nvme_driver_io command = {
		.opcode = opcode,
		.flags = flags | (io->request->flags & BLOCK_FUA ?
					  (uint32_t)field_mask(NVME_RW_FUA) : 0),
		.lba = (io->request->first + io->done) / m->driver.block_size,
		.count = (uint32_t)(io->piece / m->driver.block_size),
		.iova = buffer_iova(m, io),
	};

	must(nvme_driver_io(&m->driver, 0, &command, index_of(m, io)) == 0);
}

static void post_zeroes(struct nvme_medium *m, struct nvme_io *io)
{
	if (m->driver.optional & NVME_ONCS_WRITE_ZEROES) {
		post_blocks(m, io, NVME_IO_WRITE_ZEROES,
			    io->request->flags & BLOCK_MAY_UNMAP ?
				    (uint32_t)field_mask(NVME_RW_DEAC) : 0);
		return;
	}
	memset(buffer_of(m, io), 0, io->piece);
	post_blocks(m, io, NVME_IO_WRITE, 0);
}

static void post_discard(struct nvme_medium *m, struct nvme_io *io)
{
	uint8_t *range = buffer_of(m, io);

	memset(range, 0, NVME_DSM_RANGE_SIZE);
	put_le32(range + NVME_DSM_RANGE_LENGTH, (uint32_t)(io->piece / m->driver.block_size));
	put_le64(range + NVME_DSM_RANGE_SLBA,
		 (io->request->first + io->done) / m->driver.block_size);
	must(nvme_driver_deallocate(&m->driver, 0, buffer_iova(m, io), 1, index_of(m, io)));
}

/* Posts the next command of a request.  There are as many places as commands. */
static void go_on(struct nvme_medium *m, struct nvme_io *io, uint64_t now_ns)
{
	io->begun_ns = now_ns;
	io->piece = min_u64(io->request->size - io->done, piece_max(m, io));
	m->posted = true;
	if (io->step == NVME_STEP_SYNC || io->request->op == BLOCK_FLUSH) {
		must(nvme_driver_flush(&m->driver, 0, index_of(m, io)));
		return;
	}
	switch (io->request->op) {
	case BLOCK_READ:
		post_blocks(m, io, NVME_IO_READ, 0);
		break;
	case BLOCK_WRITE:
		copy(io, buffer_of(m, io), TO_BUFFER);
		post_blocks(m, io, NVME_IO_WRITE, 0);
		break;
	case BLOCK_DISCARD:
		post_discard(m, io);
		break;
	default:
		post_zeroes(m, io);
	}
}

/* What needs no command: BLOCK_RESULT_COUNT if it does need one. */
static enum block_result result_at_once(const struct nvme_medium *m,
					const struct block_request *request)
{
	const struct medium *medium = &m->any.medium;

	if (m->dead)
		return BLOCK_GONE;
	if (request->op == BLOCK_FLUSH)
		return medium->volatile_cache ? BLOCK_RESULT_COUNT : BLOCK_DONE;
	if (request->op != BLOCK_READ && request->op != BLOCK_WRITE &&
	    request->op != BLOCK_DISCARD && request->op != BLOCK_WRITE_ZEROES)
		return BLOCK_UNSUPPORTED;
	if (request->op != BLOCK_READ && medium->read_only)
		return BLOCK_READ_ONLY;
	if (request->op == BLOCK_DISCARD && !medium->discard_granularity)
		return BLOCK_UNSUPPORTED;
	must((request->first | request->size) % medium->block_size == 0);
	must(request->size <= medium->size && request->first <= medium->size - request->size);
	return request->size ? BLOCK_RESULT_COUNT : BLOCK_DONE;
}

/* Begins one request; false: no room now. */
static bool begin(struct nvme_medium *m, struct block_request *request, uint64_t now_ns)
{
	enum block_result result = result_at_once(m, request);
	struct nvme_io *io = m->free_ios;

	/* What is at the controller has a place in the list of those that ended, too. */
	if (m->ended_count + in_flight(m) >= NVME_ENDED_MAX)
		return false;
	if (result != BLOCK_RESULT_COUNT) {
		request->result = result;
		m->ended[m->ended_count++] = request;
		return true;
	}
	if (!io)
		return false;
	m->free_ios = io->next_free;
	io->request = request;
	io->step = NVME_STEP_FIRST;
	io->done = 0;
	count_in_flight(m, 1);
	go_on(m, io, now_ns);
	return true;
}

static void ring(struct nvme_medium *m)
{
	if (!m->posted || m->dead)
		return;
	m->posted = false;
	if (nvme_driver_ring(&m->driver, 0) != 0)
		die(m, "dead: its doorbells cannot be reached");
}

static unsigned submit(struct worker *worker, struct medium *medium, struct block_request **requests,
		       unsigned n)
{
	struct nvme_medium *m = nvme_of(medium);
	uint64_t now_ns = nvme_medium_now_ns();
	unsigned taken = 0;

	(void)worker;
	while (taken < n && begin(m, requests[taken], now_ns))
		taken++;
	ring(m);
	return taken;
}

static bool must_sync(const struct nvme_medium *m, const struct nvme_io *io)
{
	return io->step == NVME_STEP_FIRST && io->request->op == BLOCK_DISCARD &&
	       io->request->flags & BLOCK_FUA && m->any.medium.volatile_cache;
}

/* A command has ended. */
static void on_ended(void *owner, uint32_t tag, uint16_t status, uint32_t dw0)
{
	struct nvme_medium *m = owner;
	struct nvme_io *io = &m->ios[tag];
	enum block_result result = result_of(status);

	(void)dw0;
	m->moved = true;
	if (result != BLOCK_DONE) {
		if (result == BLOCK_MEDIUM_ERROR || result == BLOCK_NO_SPACE)
			any_medium_failed(&m->any, io->request->op, status & NVME_STATUS_CODE_MASK);
		end(m, io, result);
		return;
	}
	if (io->step == NVME_STEP_FIRST) {
		if (io->request->op == BLOCK_READ)
			copy(io, buffer_of(m, io), FROM_BUFFER);
		io->done += io->piece;
	}
	if (io->done < io->request->size) {
		go_on(m, io, nvme_medium_now_ns());
	} else if (must_sync(m, io)) {
		io->step = NVME_STEP_SYNC;
		go_on(m, io, nvme_medium_now_ns());
	} else {
		end(m, io, BLOCK_DONE);
	}
}

static bool keeps_one_too_long(const struct nvme_medium *m, uint64_t now_ns)
{
	for (unsigned i = 0; i < NVME_MEDIUM_DEPTH; i++)
		if (m->ios[i].request && now_ns - m->ios[i].begun_ns > m->conf.patience_ns)
			return true;
	return false;
}

/* Whether the controller lives, where it gives no other sign. */
static void look(struct nvme_medium *m)
{
	uint64_t now_ns = nvme_medium_now_ns();

	if (now_ns - m->look_ns < LOOK_NS)
		return;
	m->look_ns = now_ns;
	if (!m->moved && nvme_driver_check(&m->driver) != 0)
		die(m, "dead: the controller has failed, or is gone");
	else if (keeps_one_too_long(m, now_ns))
		die(m, "dead: the controller does not end a command");
	m->moved = false;
}

static unsigned reap(struct worker *worker, struct medium *medium, struct block_request **requests,
		     unsigned max)
{
	struct nvme_medium *m = nvme_of(medium);
	unsigned n;

	(void)worker;
	if (in_flight(m)) {
		int ended = nvme_driver_poll(&m->driver, 0, m->driver.depth, on_ended, m);

		if (ended < 0)
			die(m, "dead: the controller breaks the protocol, or is gone");
		ring(m);
		look(m);
	}
	n = min_u32(max, m->ended_count);
	memcpy(requests, m->ended, n * sizeof requests[0]);
	m->ended_count -= n;
	memmove(m->ended, m->ended + n, m->ended_count * sizeof requests[0]);
	return n;
}

static bool arm(struct worker *worker, struct medium *medium)
{
	(void)worker;
	return nvme_of(medium)->ended_count > 0;
}

const struct medium_ops nvme_medium_ops = {
	.name = "nvme", .submit = submit, .reap = reap, .arm = arm,
};
