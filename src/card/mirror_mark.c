/* What stands on the halves, and when it is written. */
#include "card/mirror_internal.h"

#include "base/bytes.h"

#include <errno.h>

static const uint8_t magic[8] = { 'M', 'P', 'm', 'i', 'r', 'r', '0', '1' };

enum mark_offset {
	AT_MAGIC = 0,            /* 8 bytes */
	AT_CHECKSUM = 8,         /* u64: FNV-1a of the copy, itself taken as 0 */
	AT_SEQUENCE = 16,        /* u64 */
	AT_GENERATION = 24,      /* u64 */
	AT_PEER_GENERATION = 32, /* u64 */
	AT_SIZE = 40,            /* u64 */
	AT_UUID = 48,            /* 16 bytes */
	AT_ALONE = 64,           /* u8: 0 or 1 */
	AT_BITMAP = 4096,        /* MIRROR_REGIONS_MAX bits */
};

_Static_assert(AT_BITMAP + MIRROR_REGIONS_MAX / 8 <= MARK_COPY_SIZE, "a copy holds a mark");
_Static_assert(MARK_COPIES * MARK_COPY_SIZE <= MIRROR_RESERVED, "a half holds the copies");

/* Against what a power cut or a bad sector leaves, not against anybody's will. */
static uint64_t checksum_of(const uint8_t *bytes)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (unsigned i = 0; i < MARK_COPY_SIZE; i += 8) {
		sum ^= i == AT_CHECKSUM ? 0 : get_le64(bytes + i);
		sum *= UINT64_C(0x100000001b3);
		sum ^= sum >> 32;
	}
	return sum;
}

void mark_seal(uint8_t *bytes)
{
	put_le64(bytes + AT_CHECKSUM, checksum_of(bytes));
}

void mark_encode(const struct mark *mark, uint8_t *bytes)
{
	memset(bytes, 0, MARK_COPY_SIZE);
	memcpy(bytes + AT_MAGIC, magic, sizeof magic);
	put_le64(bytes + AT_SEQUENCE, mark->sequence);
	put_le64(bytes + AT_GENERATION, mark->generation);
	put_le64(bytes + AT_PEER_GENERATION, mark->peer_generation);
	put_le64(bytes + AT_SIZE, mark->size);
	memcpy(bytes + AT_UUID, mark->uuid, sizeof mark->uuid);
	bytes[AT_ALONE] = mark->alone;
	for (unsigned i = 0; i < MARK_WORDS; i++)
		put_le64(bytes + AT_BITMAP + 8 * i, mark->marked.word[i]);
	mark_seal(bytes);
}

static bool is_zero(const uint8_t *bytes)
{
	uint8_t all = 0;

	for (unsigned i = 0; i < MARK_COPY_SIZE; i++)
		all |= bytes[i];
	return all == 0;
}

int mark_decode(struct mark *mark, const uint8_t *bytes, struct refusal *why)
{
	if (is_zero(bytes))
		return -ENOENT;
	if (memcmp(bytes + AT_MAGIC, magic, sizeof magic) != 0 ||
	    get_le64(bytes + AT_CHECKSUM) != checksum_of(bytes) || bytes[AT_ALONE] > 1 ||
	    get_le64(bytes + AT_SIZE) == 0 || get_le64(bytes + AT_SIZE) % 4096) {
		refuse(why, "", "the end of the half holds something that is no whole mark of a mirror");
		return -EINVAL;
	}
	mark->sequence = get_le64(bytes + AT_SEQUENCE);
	mark->generation = get_le64(bytes + AT_GENERATION);
	mark->peer_generation = get_le64(bytes + AT_PEER_GENERATION);
	mark->size = get_le64(bytes + AT_SIZE);
	memcpy(mark->uuid, bytes + AT_UUID, sizeof mark->uuid);
	mark->alone = bytes[AT_ALONE];
	for (unsigned i = 0; i < MARK_WORDS; i++)
		mark->marked.word[i] = get_le64(bytes + AT_BITMAP + 8 * i);
	return 0;
}

static uint64_t place_of(const struct half *half, uint64_t sequence)
{
	return half->back->size / 4096 * 4096 - MIRROR_RESERVED +
	       sequence % MARK_COPIES * MARK_COPY_SIZE;
}

void mirror_set_size(struct mirror *m, uint64_t size)
{
	m->back.size = size;
	m->region_bytes = MIRROR_REGION_MIN;
	while (size / m->region_bytes >= MIRROR_REGIONS_MAX)
		m->region_bytes *= 2;
	m->regions = (uint32_t)((size + m->region_bytes - 1) / m->region_bytes);
}

/* -- reading -- */

static void read_copy(struct mirror *m, unsigned n);

/* The very first mark of a half was being written when the power went: one copy is damaged, and
 * begins as ours do or not at all; the other is blank.  Nothing was acknowledged by then. */
static bool is_torn_first(const struct half *half)
{
	const uint8_t *first = half->bytes + MARK_COPY_SIZE; /* its sequence is 1 */
	uint8_t head = 0;

	for (unsigned i = 0; i < 512; i++)
		head |= first[i];
	return is_zero(half->bytes) && (head == 0 || memcmp(first, magic, sizeof magic) == 0);
}

/* The whole copy with the higher sequence is what stands there. */
static void choose_copy(struct half *half)
{
	uint64_t best = 0;
	bool torn;

	half->found = MARK_BLANK;
	torn = is_torn_first(half);
	for (unsigned i = 0; i < MARK_COPIES; i++) {
		uint8_t *bytes = half->bytes + i * MARK_COPY_SIZE;
		int err = mark_decode(half->mark, bytes, &half->why);

		if (err == -EINVAL && half->found == MARK_BLANK && !torn)
			half->state = MIRROR_REFUSED; /* unless the other is whole */
		if (err || (half->found == MARK_GOOD && half->mark->sequence < best))
			continue;
		half->found = MARK_GOOD;
		best = half->mark->sequence;
	}
	if (half->found == MARK_BLANK)
		return;
	half->state = MIRROR_READING;
	must(mark_decode(half->mark, half->bytes + best % MARK_COPIES * MARK_COPY_SIZE, NULL) == 0);
	half->sequence = best;
	half->saved_generation = half->mark->generation;
}

static void copy_read(struct worker *worker, struct block_request *request)
{
	struct own_request *own = (struct own_request *)request;
	struct mirror *m = own->mirror;
	struct half *half = &m->half[own->half];

	(void)worker;
	half->in_flight--;
	own->busy = false;
	m->look = true;
	if (half->state != MIRROR_READING)
		return; /* it was pulled meanwhile */
	if (request->result != BLOCK_DONE) {
		refuse(&half->why, "", "the half cannot be read");
		half->state = MIRROR_REFUSED;
		mirror_begin_if_possible(m);
		return;
	}
	if (++half->read_copy < MARK_COPIES) {
		read_copy(m, own->half);
		return;
	}
	choose_copy(half);
	if (half->state == MIRROR_READING)
		mirror_half_known(m, own->half);
	mirror_begin_if_possible(m);
}

static void own_request(struct own_request *own, enum block_op op, uint64_t first, uint64_t size,
			uint8_t *bytes, block_done_fn *done)
{
	own->seg = (struct block_seg){ bytes, (uint32_t)size };
	own->request = (struct block_request){
		.op = op, .flags = op == BLOCK_WRITE ? BLOCK_FUA : 0, .first = first,
		.size = size, .segs = &own->seg, .seg_count = 1, .done = done,
	};
	own_begin(own);
}

static void read_copy(struct mirror *m, unsigned n)
{
	struct half *half = &m->half[n];

	own_request(&half->own, BLOCK_READ, place_of(half, half->read_copy), MARK_COPY_SIZE,
		    half->bytes + half->read_copy * MARK_COPY_SIZE, copy_read);
}

void mark_read(struct mirror *m, unsigned n)
{
	m->half[n].read_copy = 0;
	read_copy(m, n);
}

/* -- writing -- */

static bool is_saved_on(const struct mirror *m, unsigned n)
{
	return half_is_fresh(m, n) || (m->save_promotion == PROMOTE_TARGET && n == m->target);
}

/* All halves have answered. */
static void save_ended(struct mirror *m)
{
	m->saving = false;
	m->look = true;
	if (!half_is_fresh(m, 0) && !half_is_fresh(m, 1))
		return;
	m->saved = m->save_bitmap;
	m->generation_saved = m->save_generation;
	if (m->save_generation != m->generation || m->promotion != m->save_promotion)
		return; /* it was overtaken: a half failed meanwhile */
	if (m->promotion == PROMOTE_SOURCE) {
		m->promotion = PROMOTE_TARGET;
		m->save_wanted = true;
	} else if (m->promotion == PROMOTE_TARGET) {
		m->promotion = PROMOTE_NONE;
		m->half[m->target].state = MIRROR_FRESH;
		m->copy_ended_ns = m->now_ns;
	}
}

static void mark_written(struct worker *worker, struct block_request *request)
{
	struct own_request *own = (struct own_request *)request;
	struct mirror *m = own->mirror;
	struct half *half = &m->half[own->half];

	(void)worker;
	half->in_flight--;
	own->busy = false;
	if (request->result == BLOCK_DONE)
		half->saved_generation = m->save_generation;
	else
		mirror_half_failed(m, own->half);
	if (--m->save_out == 0)
		save_ended(m);
}

static void write_mark(struct mirror *m, unsigned n)
{
	struct half *half = &m->half[n];
	uint8_t *bytes = half->bytes + ++half->sequence % MARK_COPIES * MARK_COPY_SIZE;
	struct mark *mark = half->mark;

	mark->sequence = half->sequence;
	mark->generation = m->save_generation;
	mark->peer_generation = m->peer_generation;
	mark->size = m->back.size;
	memcpy(mark->uuid, m->conf.uuid, sizeof mark->uuid);
	mark->alone = !both_are_fresh(m) && m->save_promotion == PROMOTE_NONE;
	mark->marked = m->save_bitmap;
	mark_encode(mark, bytes);
	own_request(&half->own, BLOCK_WRITE, place_of(half, half->sequence), MARK_COPY_SIZE, bytes,
		    mark_written);
}

static void half_flushed(struct worker *worker, struct block_request *request)
{
	struct own_request *own = (struct own_request *)request;

	if (request->result != BLOCK_DONE) {
		mark_written(worker, request);
		return;
	}
	own->mirror->half[own->half].in_flight--;
	own->busy = false;
	write_mark(own->mirror, own->half);
}

/* What is no longer marked must be the same on both after a power cut, too: it is flushed first. */
static void save_on(struct mirror *m, unsigned n, enum block_op first)
{
	struct own_request *own = &m->half[n].own;

	m->save_out++;
	if (first == BLOCK_WRITE) {
		write_mark(m, n);
		return;
	}
	own->request = (struct block_request){ .op = BLOCK_FLUSH, .done = half_flushed };
	own_begin(own);
}

void mark_save(struct mirror *m)
{
	enum block_op first = BLOCK_WRITE;

	if (!m->save_wanted || m->saving || !m->begun)
		return;
	if (!half_is_fresh(m, 0) && !half_is_fresh(m, 1))
		return;
	/* A half's own request may still be on its way back from before it was pulled. */
	for (unsigned n = 0; n < MIRROR_HALVES; n++)
		if ((half_is_fresh(m, n) || n == m->target) && m->half[n].own.busy)
			return;
	m->save_wanted = false;
	m->saving = true;
	m->save_out = 0;
	m->save_promotion = m->promotion;
	m->save_generation = m->generation;
	m->save_bitmap = m->intent;
	bitmap_add(&m->save_bitmap, &m->behind);
	/* What goes out of the bitmap does not stand there any more from now on. */
	for (unsigned i = 0; i < MARK_WORDS; i++) {
		if (m->saved.word[i] & ~m->save_bitmap.word[i])
			first = BLOCK_FLUSH;
		m->saved.word[i] &= m->save_bitmap.word[i];
	}
	for (unsigned n = 0; n < MIRROR_HALVES; n++)
		if (is_saved_on(m, n))
			save_on(m, n, first);
}

/* Regions of writes that are at the halves now stay marked. */
static void keep_running(struct mirror *m)
{
	for (unsigned i = mirror_next(m, 0); i < MIRROR_COMMANDS; i = mirror_next(m, i + 1)) {
		const struct mirror_command *c = &m->commands[i];

		if (c->state == COMMAND_FREE || !modifies(c->parent) || c->parent->size == 0)
			continue;
		for (uint64_t r = c->parent->first / m->region_bytes;
		     r <= (c->parent->first + c->parent->size - 1) / m->region_bytes; r++)
			bitmap_set(&m->recent, (uint32_t)r);
	}
}

bool mirror_settle(struct ctl *ctl, struct mirror *m)
{
	(void)ctl;
	if (!both_are_fresh(m) || m->promotion != PROMOTE_NONE)
		return true;
	if (bitmap_is_empty(&m->intent) && bitmap_is_empty(&m->saved) && !m->save_wanted && !m->saving)
		return true;
	m->recent = (struct bitmap){ .word = { 0 } }; /* tidying finds those that are being written */
	m->tidy_ns = 0;
	m->look = true;
	return false;
}

void mark_tidy(struct mirror *m)
{
	bool changed = false;

	if (m->now_ns < m->tidy_ns || !m->begun)
		return;
	m->tidy_ns = m->now_ns + MIRROR_TIDY_NS;
	if (!both_are_fresh(m) || m->saving || m->promotion != PROMOTE_NONE)
		return;
	keep_running(m);
	for (unsigned i = 0; i < MARK_WORDS; i++) {
		uint64_t keep = m->recent.word[i] & m->intent.word[i];

		changed |= (m->saved.word[i] & ~keep & ~m->behind.word[i]) != 0;
		m->intent.word[i] = keep;
		m->recent.word[i] = 0;
	}
	m->save_wanted |= changed;
}
