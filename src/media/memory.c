/* Memory as a medium.  It ends each request when it is submitted; what it holds goes with the
 * program. */
#include "media/at_once.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	PAGE = 4096,
	GIVE_BACK = 64 << 10, /* zeroes of at least so many bytes are asked from the kernel */
};

struct memory_medium {
	struct at_once at_once; /* first */
	uint8_t *bytes;
};

static struct memory_medium *memory_of(struct medium *medium)
{
	return container_of(medium, struct memory_medium, at_once.any.medium);
}

/* The pages that lie inside are given back, which makes zeroes of them. */
static void zero(uint8_t *at, uint64_t size)
{
	uint64_t head = (PAGE - (uintptr_t)at % PAGE) % PAGE, pages;

	if (size >= GIVE_BACK) {
		pages = (size - head) / PAGE * PAGE;
		if (madvise(at + head, pages, MADV_DONTNEED) == 0) {
			memset(at, 0, head);
			memset(at + head + pages, 0, size - head - pages);
			return;
		}
	}
	memset(at, 0, size);
}

static enum block_result execute(struct memory_medium *m, const struct block_request *request)
{
	uint8_t *at = m->bytes + request->first;

	if (m->at_once.any.medium.read_only && request->op != BLOCK_READ && request->op != BLOCK_FLUSH)
		return BLOCK_READ_ONLY;
	must(request->size <= m->at_once.any.medium.size &&
	     request->first <= m->at_once.any.medium.size - request->size);
	switch (request->op) {
	case BLOCK_READ:
		for (unsigned i = 0; i < request->seg_count; at += request->segs[i++].size)
			memcpy(request->segs[i].bytes, at, request->segs[i].size);
		return BLOCK_DONE;
	case BLOCK_WRITE:
		for (unsigned i = 0; i < request->seg_count; at += request->segs[i++].size)
			memcpy(at, request->segs[i].bytes, request->segs[i].size);
		return BLOCK_DONE;
	case BLOCK_FLUSH:
		return BLOCK_DONE;
	case BLOCK_DISCARD:
	case BLOCK_WRITE_ZEROES:
		zero(at, request->size);
		return BLOCK_DONE;
	default:
		return BLOCK_UNSUPPORTED;
	}
}

static unsigned submit(struct worker *worker, struct medium *medium, struct block_request **requests,
		       unsigned n)
{
	struct memory_medium *m = memory_of(medium);
	unsigned taken = min_u32(n, at_once_room(&m->at_once));

	(void)worker;
	for (unsigned i = 0; i < taken; i++)
		at_once_end(&m->at_once, requests[i], execute(m, requests[i]));
	return taken;
}

static void close_memory(struct any_medium *any)
{
	struct memory_medium *m = memory_of(&any->medium);

	munmap(m->bytes, m->at_once.any.medium.size);
	free(m);
}

static const struct medium_ops memory_ops = {
	.name = "memory", .submit = submit, .reap = at_once_reap, .arm = at_once_arm,
};

int memory_medium_open(struct medium **medium, const struct medium_conf *conf, struct refusal *why)
{
	struct memory_medium *m;

	if (conf->size == 0 || conf->size % PAGE || conf->size > (uint64_t)PTRDIFF_MAX) {
		refuse(why, "size", "a medium of memory has a multiple of %d bytes, not %llu", PAGE,
		       (unsigned long long)conf->size);
		return -EINVAL;
	}
	m = calloc(1, sizeof *m);
	if (!m)
		return -ENOMEM;
	m->bytes = mmap(NULL, conf->size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->bytes == MAP_FAILED) {
		refuse(why, "size", "no room for %llu bytes of memory: %s",
		       (unsigned long long)conf->size, strerror(errno));
		free(m);
		return -ENOMEM;
	}
	(void)madvise(m->bytes, conf->size, MADV_HUGEPAGE); /* fewer misses; an advice only */
	m->at_once.any = (struct any_medium){
		.medium = { .ops = &memory_ops, .size = conf->size, .block_size = 512,
			    .physical_block_size = 512, .alignment = 1,
			    .discard_granularity = PAGE,
			    .read_only = conf->access == MEDIUM_READ_ONLY, .wake_fd = -1 },
		.how = "memory", .close = close_memory, .is_idle = at_once_is_idle,
	};
	*medium = &m->at_once.any.medium;
	return 0;
}
