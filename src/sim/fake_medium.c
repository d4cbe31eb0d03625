#include "sim/fake_medium.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512 };

static struct fake_medium *fake_of(struct medium *medium)
{
	return container_of(medium, struct fake_medium, medium);
}

static void move_data(uint8_t *at, const struct block_request *request)
{
	for (unsigned i = 0; i < request->seg_count; i++) {
		const struct block_seg *seg = &request->segs[i];

		if (request->op == BLOCK_READ)
			memcpy(seg->bytes, at, seg->size);
		else
			memcpy(at, seg->bytes, seg->size);
		at += seg->size;
	}
}

static bool is_bad(const struct fake_medium *fake, const struct block_request *request)
{
	return fake->bad_size && request->first < fake->bad_first + fake->bad_size &&
	       fake->bad_first < request->first + request->size;
}

static uint64_t seg_bytes(const struct block_request *request)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < request->seg_count; i++)
		sum += request->segs[i].size;
	return sum;
}

static void modify(struct fake_medium *fake, struct block_request *request)
{
	uint8_t *at = fake->bytes + request->first;

	if (fake->fail_writes) {
		fake->fail_writes--;
		request->result = BLOCK_MEDIUM_ERROR;
		return;
	}
	if (request->op == BLOCK_WRITE)
		move_data(at, request);
	else
		memset(at, 0, request->size);
	if (request->flags & BLOCK_FUA || !fake->medium.volatile_cache)
		memcpy(fake->durable + request->first, at, request->size);
}

static void execute(struct fake_medium *fake, struct block_request *request)
{
	must(request->first + request->size <= fake->medium.size);
	must(request->size % fake->medium.block_size == 0);
	request->result = is_bad(fake, request) ? BLOCK_MEDIUM_ERROR : BLOCK_DONE;
	if (request->result != BLOCK_DONE)
		return;
	switch (request->op) {
	case BLOCK_READ:
		fake->reads++;
		must(seg_bytes(request) == request->size);
		move_data(fake->bytes + request->first, request);
		break;
	case BLOCK_WRITE:
		fake->writes++;
		must(seg_bytes(request) == request->size);
		modify(fake, request);
		break;
	case BLOCK_FLUSH:
		fake->flushes++;
		memcpy(fake->durable, fake->bytes, fake->medium.size);
		break;
	case BLOCK_DISCARD:
		fake->discards++;
		modify(fake, request);
		break;
	case BLOCK_WRITE_ZEROES:
		fake->zeroes++;
		modify(fake, request);
		break;
	default:
		request->result = BLOCK_UNSUPPORTED;
	}
}

static unsigned submit(struct worker *worker, struct medium *medium, struct block_request **requests,
		       unsigned n)
{
	struct fake_medium *fake = fake_of(medium);
	unsigned taken = 0;

	(void)worker;
	fake->submits++;
	while (taken < n && fake->pending_count < fake->room) {
		must(!medium->transfer_max || requests[taken]->op > BLOCK_WRITE ||
		     requests[taken]->size <= medium->transfer_max);
		fake->pending[fake->pending_count++] = requests[taken++];
	}
	return taken;
}

static unsigned reap(struct worker *worker, struct medium *medium, struct block_request **requests,
		     unsigned max)
{
	struct fake_medium *fake = fake_of(medium);
	unsigned n = 0;

	(void)worker;
	while (n < max && n < fake->reap_max && fake->pending_count) {
		unsigned i = fake->in_order ? 0 : rand_u64(&fake->seed) % fake->pending_count;

		requests[n] = fake->pending[i];
		fake->pending_count--;
		memmove(&fake->pending[i], &fake->pending[i + 1],
			(fake->pending_count - i) * sizeof fake->pending[0]);
		execute(fake, requests[n++]);
	}
	return n;
}

static bool arm(struct worker *worker, struct medium *medium)
{
	(void)worker;
	return fake_of(medium)->pending_count && fake_of(medium)->reap_max;
}

static const struct medium_ops fake_ops = {
	.name = "fake", .submit = submit, .reap = reap, .arm = arm,
};

void fake_medium_init(struct fake_medium *fake, uint64_t size, uint64_t seed)
{
	*fake = (struct fake_medium){
		.medium = { .ops = &fake_ops, .size = size, .block_size = BLOCK,
			    .physical_block_size = 4096, .alignment = 1,
			    .discard_granularity = 4096, .volatile_cache = true, .wake_fd = -1 },
		.seed = seed, .room = FAKE_MEDIUM_PENDING, .reap_max = FAKE_MEDIUM_PENDING,
	};
	fake->bytes = calloc(1, size);
	fake->durable = calloc(1, size);
	must(fake->bytes && fake->durable);
}

void fake_medium_fini(struct fake_medium *fake)
{
	free(fake->bytes);
	free(fake->durable);
}

void fake_medium_power_cut(struct fake_medium *fake)
{
	while (fake->pending_count) {
		struct block_request *request = fake->pending[--fake->pending_count];

		if ((request->op == BLOCK_WRITE || request->op == BLOCK_WRITE_ZEROES) && rand_u64(&fake->seed) & 1)
			execute(fake, request);
	}
	for (uint64_t at = 0; at < fake->medium.size; at += BLOCK) {
		if (memcmp(fake->bytes + at, fake->durable + at, BLOCK) == 0)
			continue;
		if (rand_u64(&fake->seed) & 1)
			memcpy(fake->bytes + at, fake->durable + at, BLOCK);
		else
			memcpy(fake->durable + at, fake->bytes + at, BLOCK);
	}
}
