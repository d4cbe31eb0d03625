/* Bringing the target up to date: marked regions, one after the other, while writes go on. */
#include "card/mirror_internal.h"

static bool is_needed(const struct mirror *m)
{
	return m->begun && !m->copy_stuck && half_is_fresh(m, m->source) &&
	       m->half[m->target].state == MIRROR_STALE;
}

bool mirror_copies(const struct mirror *m)
{
	for (unsigned i = 0; i < MIRROR_COPIERS; i++)
		if (m->copiers[i].active)
			return true;
	return false;
}

bool mirror_is_copied_now(const struct mirror *m, uint64_t first, uint64_t size)
{
	for (unsigned i = 0; i < MIRROR_COPIERS; i++) {
		const struct copier *c = &m->copiers[i];

		if (c->active && c->own.busy && first < c->at + c->own.request.size &&
		    c->at < first + size)
			return true;
	}
	return false;
}

static void stop(struct copier *c)
{
	c->active = false;
}

static void chunk_written(struct worker *worker, struct block_request *request)
{
	struct copier *c = container_of((struct own_request *)request, struct copier, own);
	struct mirror *m = c->own.mirror;
	unsigned target = c->own.half;

	(void)worker;
	m->half[target].in_flight--;
	c->own.busy = false;
	m->look = true;
	if (request->result != BLOCK_DONE) {
		stop(c);
		if (half_is_written(m, target))
			mirror_half_failed(m, target);
		return;
	}
	m->copied_bytes += request->size;
	c->at += request->size;
	if (c->at < c->end)
		return;
	bitmap_clear(&m->behind, c->region);
	stop(c);
}

static void chunk_read(struct worker *worker, struct block_request *request)
{
	struct copier *c = container_of((struct own_request *)request, struct copier, own);
	struct mirror *m = c->own.mirror;

	(void)worker;
	m->half[c->own.half].in_flight--;
	c->own.busy = false;
	m->look = true;
	if (!is_needed(m)) {
		stop(c);
		return;
	}
	if (request->result != BLOCK_DONE) {
		stop(c);
		if (request->result == BLOCK_GONE) {
			mirror_half_failed(m, m->source);
			return;
		}
		m->copy_stuck = true;
		refuse(&m->half[m->target].why, "", "bytes from %llu on cannot be read from the other "
		       "half, so this one cannot be brought up to date",
		       (unsigned long long)c->at);
		return;
	}
	c->own.request.op = BLOCK_WRITE;
	c->own.request.flags = BLOCK_FUA; /* its mark goes when it is there */
	c->own.request.done = chunk_written;
	c->own.half = m->target;
	own_begin(&c->own);
}

/* Finds a region that is behind and that nobody copies. */
static bool find_region(struct mirror *m, uint32_t *found)
{
	for (uint32_t i = 0; i < m->regions; i++) {
		uint32_t region = (m->copy_region + i) % m->regions;
		bool taken = false;

		if (region % 64 == 0 && m->behind.word[region / 64] == 0 && i + 64 <= m->regions &&
		    region + 64 <= m->regions) {
			i += 63;
			continue;
		}
		if (!bitmap_has(&m->behind, region))
			continue;
		for (unsigned k = 0; k < MIRROR_COPIERS; k++)
			taken |= m->copiers[k].active && m->copiers[k].region == region;
		if (taken)
			continue;
		*found = region;
		m->copy_region = region;
		return true;
	}
	return false;
}

static bool begin_chunk(struct mirror *m, struct copier *c)
{
	uint64_t size = min_u64(c->end - c->at, MIRROR_CHUNK);

	if (c->own.busy || mirror_is_written_now(m, c->at, size))
		return false;
	c->own.seg = (struct block_seg){ c->bytes, (uint32_t)size };
	c->own.request = (struct block_request){
		.op = BLOCK_READ, .first = c->at, .size = size, .segs = &c->own.seg,
		.seg_count = 1, .done = chunk_read,
	};
	c->own.half = m->source;
	own_begin(&c->own);
	return true;
}

/* Nothing is behind any more: the target becomes a half that counts, first on the source. */
static void finish(struct mirror *m)
{
	if (m->half[m->target].state != MIRROR_STALE || m->promotion != PROMOTE_NONE ||
	    m->generation_saved != m->generation)
		return;
	m->generation++;
	m->promotion = PROMOTE_SOURCE;
	m->save_wanted = true;
}

unsigned mirror_copy(struct mirror *m)
{
	unsigned begun = 0;

	if (!is_needed(m))
		return 0;
	for (unsigned i = 0; i < MIRROR_COPIERS; i++) {
		struct copier *c = &m->copiers[i];
		uint32_t region;

		if (!c->active && !c->own.busy && find_region(m, &region)) {
			c->active = true;
			c->region = region;
			c->at = (uint64_t)region * m->region_bytes;
			c->end = min_u64(c->at + m->region_bytes, m->back.size);
		}
		if (c->active)
			begun += begin_chunk(m, c);
	}
	if (!mirror_copies(m) && bitmap_is_empty(&m->behind))
		finish(m);
	return begun;
}
