#include "sim/fake_back.h"

#include <stdlib.h>
#include <string.h>

static bool submit(struct worker *worker, struct block_back *back, struct block_request *request)
{
	struct fake_back *fake = container_of(back, struct fake_back, back);

	(void)worker;
	if (fake->pending_count >= fake->room) {
		fake->refused++;
		return false;
	}
	fake->pending[fake->pending_count++] = request;
	return true;
}

static void cancel(struct worker *worker, struct block_back *back, struct block_request *request)
{
	(void)worker;
	(void)back;
	(void)request;
}

static const struct block_back_ops fake_ops = { .submit = submit, .cancel = cancel };

static enum block_result execute(struct fake_back *fake, struct block_request *request)
{
	uint8_t *at = fake->bytes + request->first;

	fake->count[request->op]++;
	fake->fua += (request->flags & BLOCK_FUA) != 0;
	fake->unmap += (request->flags & BLOCK_MAY_UNMAP) != 0;
	if (request->op == BLOCK_FLUSH)
		return BLOCK_DONE;
	if (request->size > fake->back.size || request->first > fake->back.size - request->size)
		return BLOCK_OUT_OF_RANGE;
	for (unsigned i = 0; i < request->seg_count && request->op <= BLOCK_WRITE; i++) {
		const struct block_seg *seg = &request->segs[i];

		if (request->op == BLOCK_READ)
			memcpy(seg->bytes, at, seg->size);
		else
			memcpy(at, seg->bytes, seg->size);
		at += seg->size;
	}
	if (request->op == BLOCK_WRITE_ZEROES || request->op == BLOCK_DISCARD)
		memset(at, 0, request->size);
	return BLOCK_DONE;
}

void fake_back_end(struct fake_back *fake, unsigned n)
{
	while (n-- && fake->pending_count) {
		unsigned i = rand_u64(&fake->seed) % fake->pending_count;
		struct block_request *request = fake->pending[i];

		fake->pending[i] = fake->pending[--fake->pending_count];
		request->result = fake->fail ? fake->fail : execute(fake, request);
		request->done(NULL, request);
	}
}

void fake_back_init(struct fake_back *fake, uint64_t size, uint64_t seed)
{
	*fake = (struct fake_back){
		.back = { .ops = &fake_ops, .size = size, .block_size = 512,
			  .physical_block_size = 4096, .discard_granularity = 4096,
			  .volatile_cache = true },
		.bytes = calloc(1, size), .seed = seed, .room = FAKE_BACK_PENDING,
	};
	must(fake->bytes);
}

void fake_back_fini(struct fake_back *fake)
{
	free(fake->bytes);
}
