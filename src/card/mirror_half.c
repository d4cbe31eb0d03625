/* Halves that come and go, and which of them is the truth. */
#include "card/mirror_internal.h"

#include <errno.h>
#include <string.h>

static void mark_all(struct mirror *m, struct bitmap *map)
{
	for (uint32_t i = 0; i < m->regions; i++)
		bitmap_set(map, i);
}

/* Copying begins: what is marked is behind. */
static void begin_copy(struct mirror *m, unsigned source, unsigned target)
{
	m->source = source;
	m->target = target;
	m->copy_region = 0;
	m->copy_stuck = false;
	mirror_copy_again(m);
	m->copyings++;
	m->copy_began_ns = m->copy_ended_ns = m->now_ns;
	m->copy_began_bytes = m->copied_bytes;
	m->copy_differed_bytes = mirror_behind_bytes(m);
}

/* The other goes on alone: that must stand on it before anything is acknowledged. */
static void go_on_without(struct mirror *m, unsigned n)
{
	m->promotion = PROMOTE_NONE;
	m->generation++;
	m->peer_generation = m->half[n].saved_generation;
	bitmap_add(&m->behind, &m->intent);
	bitmap_add(&m->behind, &m->saved);
	m->save_wanted = true;
}

void mirror_half_failed(struct mirror *m, unsigned n)
{
	struct half *half = &m->half[n], *other = &m->half[1 - n];
	enum mirror_half_state was = half->state;

	m->look = true;
	half->state = MIRROR_ABSENT;
	if (!m->begun) {
		mirror_begin_if_possible(m);
		return;
	}
	if (was == MIRROR_FRESH && other->state != MIRROR_FRESH) {
		half->kept_fresh = true; /* nobody goes on without it */
		half->kept_generation = half->saved_generation;
		if (m->promotion != PROMOTE_NONE)
			m->peer_generation = 0; /* the other may have been told that it counts, or not */
		m->promotion = PROMOTE_NONE;
		return;
	}
	if (was != MIRROR_FRESH && !(was == MIRROR_STALE && m->promotion != PROMOTE_NONE))
		return;
	go_on_without(m, n);
}

void mirror_demote(struct mirror *m, unsigned n)
{
	m->half[n].state = MIRROR_STALE;
	go_on_without(m, n);
	begin_copy(m, 1 - n, n);
}

static bool is_ours(const struct mirror *m, const struct half *half)
{
	return memcmp(half->mark->uuid, m->conf.uuid, sizeof m->conf.uuid) == 0;
}

static void describe(struct mirror *m)
{
	const struct block_back *a = m->half[0].back ? m->half[0].back : m->half[1].back;
	const struct block_back *b = m->half[1].back ? m->half[1].back : a;

	m->back.block_size = a->block_size;
	m->back.physical_block_size = a->physical_block_size > b->physical_block_size ?
					      a->physical_block_size : b->physical_block_size;
	m->back.discard_granularity = 4096;
	m->back.compare_write_max = min_u32(a->compare_write_max, b->compare_write_max);
	m->back.volatile_cache = a->volatile_cache || b->volatile_cache;
}

static void begin(struct mirror *m, uint64_t size)
{
	mirror_set_size(m, size);
	describe(m);
	m->begun = true;
	m->save_wanted = true;
	for (unsigned i = 0; i < MIRROR_FRONTS_MAX; i++)
		if (m->fronts[i])
			m->fronts[i]->ops->namespaces_changed(NULL, m->fronts[i]);
}

/* Two halves on which nothing stands. */
static void begin_new(struct mirror *m)
{
	uint64_t a = m->half[0].back->size, b = m->half[1].back->size;

	begin(m, (a < b ? a : b) / 4096 * 4096 - MIRROR_RESERVED);
	m->half[0].state = MIRROR_FRESH;
	m->half[1].state = MIRROR_STALE;
	m->generation = 1;
	if (m->conf.new == MIRROR_COPY_ALL)
		mark_all(m, &m->behind);
	begin_copy(m, 0, 1);
}

/* Takes over what stands on half 'n'. */
static void begin_from(struct mirror *m, unsigned n)
{
	const struct mark *mark = m->half[n].mark;

	begin(m, mark->size);
	m->half[n].state = MIRROR_FRESH;
	m->generation = mark->generation;
	m->peer_generation = mark->peer_generation;
	m->behind = mark->marked;
	m->saved = mark->marked;
}

static void refuse_half(struct half *half, const char *text)
{
	refuse(&half->why, "", "%s", text);
	half->state = MIRROR_REFUSED;
}

/* A half joins one that is fresh. */
static void join(struct mirror *m, unsigned n)
{
	struct half *half = &m->half[n];

	if (half->back->size < m->back.size + MIRROR_RESERVED ||
	    half->back->block_size != m->back.block_size) {
		refuse_half(half, "the half is smaller than the mirror, or has other blocks");
		return;
	}
	if (half->found == MARK_GOOD && half->mark->generation > m->generation) {
		refuse_half(half, "the half was written after the mirror went on without it");
		return;
	}
	/* What was marked since it was left is all that it lacks, if it is what was left. */
	if (half->found == MARK_BLANK || half->mark->generation != m->peer_generation)
		mark_all(m, &m->behind);
	bitmap_add(&m->behind, &m->intent);
	bitmap_add(&m->behind, &m->saved);
	half->state = MIRROR_STALE;
	m->save_wanted = true;
	begin_copy(m, 1 - n, n);
}

/* Both were read, and the mirror has not begun. */
static void begin_with_both(struct mirror *m)
{
	struct half *a = &m->half[0], *b = &m->half[1];
	unsigned first;

	if (a->found == MARK_BLANK && b->found == MARK_BLANK) {
		begin_new(m);
		return;
	}
	if (a->found == MARK_GOOD && b->found == MARK_GOOD &&
	    a->mark->generation == b->mark->generation && a->mark->alone && b->mark->alone) {
		refuse_half(a, "both halves were made to go on alone: one must be emptied");
		refuse_half(b, a->why.text);
		return;
	}
	if (a->found == MARK_GOOD && b->found == MARK_GOOD &&
	    a->mark->generation == b->mark->generation) {
		/* Where they are marked they may have what nobody was told of, and not the same.  One is the
		 * truth from now on: what is read once must stay. */
		begin_from(m, 0);
		m->peer_generation = m->generation++;
		bitmap_add(&m->behind, &b->mark->marked);
		join(m, 1);
		return;
	}
	first = a->found == MARK_BLANK ||
		(b->found == MARK_GOOD && b->mark->generation > a->mark->generation);
	begin_from(m, first);
	if (!m->half[first].mark->alone) /* nobody knows what the other has missed */
		m->peer_generation = 0;
	m->generation++;
	join(m, 1 - first);
}

/* It went while it was the only fresh one, and is back. */
static bool is_the_kept_one(const struct mirror *m, const struct half *half)
{
	/* What was being written to it when it went may be there or not. */
	if (half->found == MARK_BLANK) /* it went before its first mark was there */
		return half->kept_fresh && half->kept_generation == 0;
	return half->kept_fresh && half->mark->generation >= half->kept_generation &&
	       half->mark->generation <= m->generation;
}

void mirror_begin_if_possible(struct mirror *m)
{
	const struct half *a = &m->half[0], *b = &m->half[1];
	const struct half *one = a->state == MIRROR_KNOWN ? a : b;

	if (m->begun || one->state != MIRROR_KNOWN)
		return;
	if (a->state == MIRROR_KNOWN && b->state == MIRROR_KNOWN)
		begin_with_both(m);
	else if (one->found == MARK_GOOD && one->mark->alone && a->state != MIRROR_READING &&
		 b->state != MIRROR_READING)
		begin_from(m, one == b);
}

void mirror_half_known(struct mirror *m, unsigned n)
{
	struct half *half = &m->half[n], *other = &m->half[1 - n];

	if (half->found == MARK_GOOD && !is_ours(m, half)) {
		refuse_half(half, "the half belongs to another mirror");
		return;
	}
	if (half->found == MARK_GOOD && half->mark->size > half->back->size - MIRROR_RESERVED) {
		refuse_half(half, "the half is smaller than the mirror that it says it is of");
		return;
	}
	half->state = MIRROR_KNOWN;
	if (!m->begun) {
		mirror_begin_if_possible(m);
	} else if (is_the_kept_one(m, half)) {
		half->state = MIRROR_FRESH;
		half->kept_fresh = false;
		m->generation++; /* above what the other may have been told */
		m->save_wanted = true;
		/* The other may have what this one has not taken. */
		mirror_copy_again(m);
		bitmap_add(&m->behind, &m->intent);
		bitmap_add(&m->behind, &m->saved);
		if (other->state == MIRROR_KNOWN)
			join(m, 1 - n);
	} else if (other->state == MIRROR_FRESH) {
		join(m, n);
	}
}

/* It went on from a half that went: what is known of the differences is that of the lost one. */
static void go_on_from(struct mirror *m, unsigned n)
{
	const struct mark *mark = m->half[n].mark;

	m->half[1 - n].kept_fresh = false;
	m->half[n].kept_fresh = false;
	m->half[n].state = MIRROR_FRESH;
	m->promotion = PROMOTE_NONE;
	m->generation = max_u64(m->generation, mark->generation);
	mirror_copy_again(m);
	mark_all(m, &m->behind);
	m->saved = mark->marked;
	m->save_wanted = true;
	m->look = true;
}

static bool can_be_forced(const struct mirror *m, const struct half *half, struct refusal *why)
{
	if (half->state == MIRROR_KNOWN && half->found == MARK_GOOD &&
	    (!m->begun || half->mark->size == m->back.size))
		return true;
	if (half->state == MIRROR_READING)
		refuse(why, "", "the half is being read");
	else
		refuse(why, "", "%s", half->why.text[0] ? half->why.text :
		       half->state != MIRROR_KNOWN ? "the half is not there" :
		       half->found != MARK_GOOD ? "nothing was ever written to the half" :
						  "the half is one of another size");
	return false;
}

int mirror_force(struct ctl *ctl, struct mirror *m, unsigned n, struct refusal *why)
{
	(void)ctl;
	if (m->begun && (half_is_fresh(m, 0) || half_is_fresh(m, 1))) {
		refuse(why, "", "the mirror has all that was written");
		return -EALREADY;
	}
	if (!can_be_forced(m, &m->half[n], why))
		return -EINVAL;
	if (m->begun)
		go_on_from(m, n);
	else
		begin_from(m, n);
	/* Above all that the other may have reached by itself. */
	m->generation += UINT64_C(1) << 32;
	m->peer_generation = 0;
	if (m->half[1 - n].state == MIRROR_KNOWN)
		join(m, 1 - n);
	return 0;
}
