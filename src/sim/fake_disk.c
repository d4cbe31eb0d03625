#include "sim/fake_disk.h"

#include "base/bytes.h"

static struct fake_disk *disk_of(struct block_back *back)
{
	return container_of(back, struct fake_disk, back);
}

static bool submit(struct worker *worker, struct block_back *back, struct block_request *request)
{
	struct fake_disk *disk = disk_of(back);

	(void)worker;
	if (disk->count >= disk->room)
		return false;
	disk->submitted++;
	disk->last_flags = request->flags;
	request->result = BLOCK_DONE;
	disk->pending[disk->count++] = request;
	return true;
}

/* About half of what is asked back has been begun already. */
static void cancel(struct worker *worker, struct block_back *back, struct block_request *request)
{
	struct fake_disk *disk = disk_of(back);

	(void)worker;
	if (!disk->in_order && rand_u64(&disk->seed) % 2)
		return;
	disk->cancelled++;
	request->result = BLOCK_ABORTED;
}

static const struct block_back_ops ops = { .submit = submit, .cancel = cancel };

void fake_disk_init(struct fake_disk *disk, uint8_t *bytes, uint64_t size, uint32_t block_size)
{
	memset(disk, 0, sizeof *disk);
	disk->bytes = bytes;
	disk->room = FAKE_DISK_REQUESTS;
	disk->seed = 1;
	disk->in_order = true;
	disk->back = (struct block_back){
		.ops = &ops,
		.size = size,
		.block_size = block_size,
		.physical_block_size = 4096,
		.discard_granularity = block_size,
		.compare_write_max = 128 << 10,
		.volatile_cache = true,
		.id = { 0x4d, 0x50, 1 },
	};
}

/* Walks the segments from byte 'skip' on, byte for byte. */
static bool differs(const struct fake_disk *disk, const struct block_request *request)
{
	uint64_t at = 0;

	for (unsigned i = 0; i < request->seg_count; i++)
		for (uint32_t k = 0; k < request->segs[i].size && at < request->size; k++, at++)
			if (request->segs[i].bytes[k] != disk->bytes[request->first + at])
				return true;
	return false;
}

static void move(struct fake_disk *disk, const struct block_request *request, uint64_t skip)
{
	uint64_t at = 0;

	for (unsigned i = 0; i < request->seg_count; i++)
		for (uint32_t k = 0; k < request->segs[i].size; k++, at++) {
			uint64_t to = request->first + at - skip;

			if (at < skip || at - skip >= request->size)
				continue;
			if (request->op == BLOCK_READ)
				request->segs[i].bytes[k] = disk->bytes[to];
			else
				disk->bytes[to] = request->segs[i].bytes[k];
		}
}

static uint64_t described(const struct block_request *request)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < request->seg_count; i++)
		bytes += request->segs[i].size;
	return bytes;
}

static enum block_result apply(struct fake_disk *disk, const struct block_request *request)
{
	bool data = request->op == BLOCK_READ || request->op == BLOCK_WRITE ||
		    request->op == BLOCK_COMPARE;
	bool reads = request->op == BLOCK_READ || request->op == BLOCK_COMPARE ||
		     request->op == BLOCK_VERIFY || request->op == BLOCK_FLUSH;

	if (request->first > disk->back.size || request->size > disk->back.size - request->first) {
		must(disk->checks_range);
		return BLOCK_OUT_OF_RANGE;
	}
	must(request->first % disk->back.block_size == 0);
	must(request->size % disk->back.block_size == 0);
	must(!data || described(request) == request->size);
	must(request->op != BLOCK_COMPARE_WRITE || described(request) == 2 * request->size);
	if (disk->back.read_only && !reads)
		return BLOCK_READ_ONLY;
	if (!reads)
		disk->unflushed += request->flags & BLOCK_FUA ? 0 : request->size;
	disk->fua += request->flags & BLOCK_FUA ? 1 : 0;
	switch (request->op) {
	case BLOCK_COMPARE:
		return differs(disk, request) ? BLOCK_DIFFERS : BLOCK_DONE;
	case BLOCK_COMPARE_WRITE:
		if (differs(disk, request))
			return BLOCK_DIFFERS;
		move(disk, request, request->size);
		break;
	case BLOCK_READ:
	case BLOCK_WRITE:
		move(disk, request, 0);
		break;
	case BLOCK_DISCARD:
	case BLOCK_WRITE_ZEROES:
		memset(disk->bytes + request->first, 0, request->size);
		break;
	case BLOCK_FLUSH:
		disk->flushes++;
		disk->unflushed = 0;
		break;
	case BLOCK_VERIFY:
	case BLOCK_OP_COUNT:
		break;
	}
	return BLOCK_DONE;
}

unsigned fake_disk_run(struct worker *worker, struct fake_disk *disk, unsigned most)
{
	unsigned n = 0;

	for (; n < most && disk->count; n++) {
		unsigned i = disk->in_order ? 0 : (unsigned)(rand_u64(&disk->seed) % disk->count);
		struct block_request *request = disk->pending[i];

		disk->count--;
		memmove(&disk->pending[i], &disk->pending[i + 1],
			(disk->count - i) * sizeof disk->pending[0]);
		if (request->result == BLOCK_DONE && disk->next_result != BLOCK_DONE) {
			request->result = disk->next_result;
			disk->next_result = BLOCK_DONE;
		} else if (request->result == BLOCK_DONE && disk->fail_one_in &&
			   rand_u64(&disk->seed) % disk->fail_one_in == 0) {
			request->result = BLOCK_MEDIUM_ERROR;
		} else if (request->result == BLOCK_DONE) {
			request->result = apply(disk, request);
		}
		request->done(worker, request);
	}
	return n;
}
