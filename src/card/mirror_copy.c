/* Bringing the target up to date: marked regions, several side by side in one copy, while writes go on.  A copied
 * region stays marked until a flush of the target has made it durable; one flush does for many. */
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

/* Its regions are on the target, for all that a flush will tell. */
static void remember(struct mirror *m, const struct copier *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		bitmap_set(&m->copied, c->region + i);
	m->unflushed += (uint64_t)c->count * m->region_bytes;
}

static bool copier_has(const struct copier *c, uint32_t region)
{
	return c->active && region >= c->region && region - c->region < c->count;
}

void mirror_copy_again(struct mirror *m)
{
	m->copied = m->flushing = (struct bitmap){ 0 };
	m->unflushed = 0;
	for (unsigned i = 0; i < MIRROR_COPIERS; i++)
		m->copiers[i].again = true;
}

void mirror_is_behind(struct mirror *m, uint32_t region)
{
	bitmap_set(&m->behind, region);
	bitmap_clear(&m->copied, region);
	bitmap_clear(&m->flushing, region);
	for (unsigned i = 0; i < MIRROR_COPIERS; i++)
		m->copiers[i].again |= copier_has(&m->copiers[i], region);
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
	if (!c->again)
		remember(m, c);
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
	c->own.request.done = chunk_written;
	c->own.half = m->target;
	own_begin(&c->own);
}

/* Whether a region is behind, not copied yet, and nobody copies it. */
static bool is_open(const struct mirror *m, uint32_t region)
{
	if (!bitmap_has(&m->behind, region) || bitmap_has(&m->copied, region) ||
	    bitmap_has(&m->flushing, region))
		return false;
	for (unsigned k = 0; k < MIRROR_COPIERS; k++)
		if (copier_has(&m->copiers[k], region))
			return false;
	return true;
}

static bool none_in_word(const struct mirror *m, uint32_t region)
{
	unsigned w = region / 64;

	return (m->behind.word[w] & ~m->copied.word[w] & ~m->flushing.word[w]) == 0;
}

static bool find_region(struct mirror *m, uint32_t *found)
{
	for (uint32_t i = 0; i < m->regions; i++) {
		uint32_t region = (m->copy_region + i) % m->regions;

		if (region % 64 == 0 && none_in_word(m, region) && i + 64 <= m->regions &&
		    region + 64 <= m->regions) {
			i += 63;
			continue;
		}
		if (!is_open(m, region))
			continue;
		*found = region;
		m->copy_region = region;
		return true;
	}
	return false;
}

/* Takes on a region, and those behind it that fit into the same copy. */
static bool take_on(struct mirror *m, struct copier *c)
{
	uint32_t most = MIRROR_CHUNK / m->region_bytes, region, count = 1; /* 0: it takes several copies */

	if (!find_region(m, &region))
		return false;
	while (count < most && region + count < m->regions && is_open(m, region + count))
		count++;
	c->active = true;
	c->again = false;
	c->region = region;
	c->count = count;
	c->at = (uint64_t)region * m->region_bytes;
	c->end = min_u64(c->at + (uint64_t)count * m->region_bytes, m->back.size);
	return true;
}

static bool begin_chunk(struct mirror *m, struct copier *c)
{
	uint64_t size = min_u64(c->end - c->at, MIRROR_CHUNK);

	if (c->own.busy || mirror_is_written_now(m, c->at, size) || !mirror_rate_allows(m, &m->copy_meter))
		return false;
	esw_meter_charge(&m->copy_meter, (uint32_t)size);
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

static void flushed(struct worker *worker, struct block_request *request)
{
	struct own_request *own = (struct own_request *)request;
	struct mirror *m = own->mirror;
	unsigned target = own->half;

	(void)worker;
	m->half[target].in_flight--;
	own->busy = false;
	m->look = true;
	if (request->result != BLOCK_DONE) {
		if (half_is_written(m, target))
			mirror_half_failed(m, target);
	} else if (is_needed(m)) {
		for (unsigned i = 0; i < MARK_WORDS; i++)
			m->behind.word[i] &= ~m->flushing.word[i];
	}
	m->flushing = (struct bitmap){ 0 };
}

/* One flush for all that was copied since the last, when that is much, or all. */
static unsigned flush_target(struct mirror *m)
{
	if (m->unflushed == 0 || m->flush.busy)
		return 0;
	if (m->unflushed < MIRROR_UNFLUSHED && mirror_copies(m))
		return 0;
	m->flushing = m->copied;
	m->copied = (struct bitmap){ 0 };
	m->unflushed = 0;
	m->flush.half = m->target;
	m->flush.request = (struct block_request){ .op = BLOCK_FLUSH, .done = flushed };
	own_begin(&m->flush);
	return 1;
}

unsigned mirror_copy(struct mirror *m)
{
	unsigned begun = 0, most = m->in_flight ? MIRROR_COPIERS_BUSY : MIRROR_COPIERS, active = 0;

	if (!is_needed(m))
		return 0;
	for (unsigned i = 0; i < MIRROR_COPIERS; i++)
		active += m->copiers[i].active;
	for (unsigned i = 0; i < MIRROR_COPIERS; i++) {
		struct copier *c = &m->copiers[i];

		if (!c->active && !c->own.busy && active < most)
			active += take_on(m, c);
		if (c->active)
			begun += begin_chunk(m, c);
	}
	begun += flush_target(m);
	if (!mirror_copies(m) && bitmap_is_empty(&m->behind))
		finish(m);
	return begun;
}
