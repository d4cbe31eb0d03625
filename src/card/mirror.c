#include "card/mirror_internal.h"

#include <errno.h>
#include <string.h>

enum { ALIGN = 4096 };

#define HALF_MAX (UINT64_C(1) << 46) /* bytes; regions are counted in 32 bits */

/* What follows struct mirror. */
struct parts {
	struct mark *marks;
	uint8_t *bytes[MIRROR_HALVES], *chunks;
};

static size_t lay(uint8_t *memory, struct parts *p)
{
	size_t used = (sizeof(struct mirror) + ALIGN - 1) / ALIGN * ALIGN;

	for (unsigned n = 0; n < MIRROR_HALVES; n++) {
		p->bytes[n] = memory ? memory + used : NULL;
		used += MARK_COPIES * MARK_COPY_SIZE;
	}
	p->chunks = memory ? memory + used : NULL;
	used += MIRROR_COPIERS * MIRROR_CHUNK;
	p->marks = memory ? (struct mark *)(void *)(memory + used) : NULL;
	return used + MIRROR_HALVES * sizeof(struct mark);
}

size_t mirror_size(void)
{
	struct parts parts;

	return lay(NULL, &parts);
}

void own_begin(struct own_request *own)
{
	own->busy = true;
	own->submitted = false;
	own->mirror->half[own->half].in_flight++;
	own->mirror->look = true;
}

/* A half takes what the mirror wants of it, when it has room. */
static unsigned own_go_on(struct worker *worker, struct mirror *m, struct own_request *own)
{
	struct half *half = &m->half[own->half];

	if (!own->busy || own->submitted)
		return 0;
	own->submitted = half->back->ops->submit(worker, half->back, &own->request);
	m->retry |= !own->submitted;
	return own->submitted;
}

static unsigned owns_go_on(struct worker *worker, struct mirror *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MIRROR_HALVES; i++)
		n += own_go_on(worker, m, &m->half[i].own);
	for (unsigned i = 0; i < MIRROR_COPIERS; i++)
		n += own_go_on(worker, m, &m->copiers[i].own);
	return n + own_go_on(worker, m, &m->flush);
}

/* -- rounds -- */

static struct mirror *mirror_of(struct polled *polled)
{
	return container_of(polled, struct mirror, polled);
}

static bool worker_takes(struct mirror *m)
{
	return !hold_is_wanted(m->conf.hold) && hold_try(m->conf.hold, HOLD_WORKER);
}

static unsigned poll_fronts(struct worker *worker, struct mirror *m)
{
	unsigned work = 0;

	for (unsigned i = 0; i < MIRROR_FRONTS_MAX; i++)
		if (m->fronts[i]) {
			work += m->fronts[i]->ops->poll(worker, m->fronts[i], m->now_ns);
			work += block_front_is_due(m->fronts[i], m->now_ns);
		}
	return work;
}

/* As of a disk card. */
static uint64_t next_due_ns(const struct mirror *m)
{
	uint64_t due_ns = UINT64_MAX;

	for (unsigned i = 0; i < MIRROR_FRONTS_MAX; i++)
		if (m->fronts[i] && m->fronts[i]->due_ns)
			due_ns = min_u64(due_ns, m->fronts[i]->due_ns);
	return due_ns;
}

static void flush_fronts(struct worker *worker, struct mirror *m)
{
	for (unsigned i = 0; i < MIRROR_FRONTS_MAX; i++)
		if (m->fronts[i])
			m->fronts[i]->ops->flush(worker, m->fronts[i]);
}

static unsigned round_poll(struct worker *worker, struct polled *polled, uint64_t now_ns)
{
	struct mirror *m = mirror_of(polled);
	unsigned work;
	bool looked;

	if (!worker_takes(m))
		return 0;
	m->now_ns = max_u64(now_ns, m->now_ns);
	looked = m->look;
	m->look = false;
	m->ready_ns = 0;
	work = mirror_commands_go_on(worker, m, looked);
	work += poll_fronts(worker, m);
	work += mirror_copy(m);
	mark_tidy(m);
	mark_save(m);
	work += owns_go_on(worker, m);
	if (work || looked)
		flush_fronts(worker, m);
	hold_give(m->conf.hold, HOLD_WORKER);
	return work + looked;
}

static uint64_t round_deadline_ns(struct worker *worker, struct polled *polled)
{
	struct mirror *m = mirror_of(polled);
	uint64_t deadline_ns;

	(void)worker;
	if (!worker_takes(m))
		return 0;
	deadline_ns = m->look ? 0 : m->ready_ns ? m->ready_ns : UINT64_MAX;
	if (both_are_fresh(m) && !bitmap_is_empty(&m->intent))
		deadline_ns = min_u64(deadline_ns, m->tidy_ns);
	deadline_ns = min_u64(deadline_ns, next_due_ns(m));
	hold_give(m->conf.hold, HOLD_WORKER);
	return deadline_ns;
}

static bool round_arm(struct worker *worker, struct polled *polled)
{
	struct mirror *m = mirror_of(polled);
	bool work;

	if (!worker_takes(m))
		return true;
	work = m->look || next_due_ns(m) != UINT64_MAX;
	for (unsigned i = 0; !work && i < MIRROR_FRONTS_MAX; i++)
		if (m->fronts[i])
			work |= m->fronts[i]->ops->arm(worker, m->fronts[i]);
	hold_give(m->conf.hold, HOLD_WORKER);
	return work;
}

static void round_disarm(struct worker *worker, struct polled *polled)
{
	struct mirror *m = mirror_of(polled);

	if (!worker_takes(m))
		return; /* they stay armed, which costs a kick each at most */
	for (unsigned i = 0; i < MIRROR_FRONTS_MAX; i++)
		if (m->fronts[i])
			m->fronts[i]->ops->disarm(worker, m->fronts[i]);
	hold_give(m->conf.hold, HOLD_WORKER);
}

static bool round_needs_poll(struct worker *worker, struct polled *polled)
{
	struct mirror *m = mirror_of(polled);
	bool needs = false;

	(void)worker;
	if (!worker_takes(m))
		return true;
	for (unsigned i = 0; i < MIRROR_FRONTS_MAX; i++)
		needs |= m->fronts[i] && m->fronts[i]->polled;
	hold_give(m->conf.hold, HOLD_WORKER);
	return needs;
}

static const struct polled_ops mirror_polled_ops = {
	.poll = round_poll,
	.deadline_ns = round_deadline_ns,
	.arm = round_arm,
	.disarm = round_disarm,
	.needs_poll = round_needs_poll,
};

/* -- the control thread -- */

void mirror_init(struct mirror *m, const struct mirror_conf *conf)
{
	struct parts p;

	must((uintptr_t)m % ALIGN == 0);
	memset(m, 0, sizeof *m);
	lay((uint8_t *)m, &p);
	m->polled.ops = &mirror_polled_ops;
	m->conf = *conf;
	m->back = (struct block_back){ .ops = &mirror_back_ops, .block_size = 512,
				       .physical_block_size = 512 };
	memcpy(m->back.id, conf->uuid, sizeof conf->uuid);
	esw_meter_init(&m->meter, conf->rate_bytes * 8, conf->rate_commands);
	esw_meter_init(&m->copy_meter, conf->resync_rate_bytes * 8, 0);
	for (unsigned n = 0; n < MIRROR_HALVES; n++) {
		m->half[n].bytes = p.bytes[n];
		m->half[n].mark = &p.marks[n];
		m->half[n].own.mirror = m;
		m->half[n].own.half = n;
	}
	for (unsigned i = 0; i < MIRROR_COPIERS; i++) {
		m->copiers[i].bytes = p.chunks + (size_t)i * MIRROR_CHUNK;
		m->copiers[i].own.mirror = m;
	}
	m->flush.mirror = m;
}

struct polled *mirror_polled(struct mirror *m)
{
	return &m->polled;
}

struct block_back *mirror_back(struct mirror *m)
{
	return &m->back;
}

void mirror_give_half(struct ctl *ctl, struct mirror *m, unsigned n, struct block_back *back)
{
	struct half *half = &m->half[n];

	must(n < MIRROR_HALVES && mirror_half_is_quiet(ctl, m, n));
	half->back = back;
	half->given++;
	half->sequence = 0;
	half->why = (struct refusal){ 0 };
	m->look = true;
	if (back->size < 2 * MIRROR_RESERVED || back->size > HALF_MAX || back->read_only) {
		refuse(&half->why, "", "a half has %d bytes to 64 TiB, and can be written",
		       2 * MIRROR_RESERVED);
		half->state = MIRROR_REFUSED;
		return;
	}
	half->state = MIRROR_READING;
	mark_read(m, n);
}

void mirror_pull_half(struct ctl *ctl, struct mirror *m, unsigned n)
{
	(void)ctl;
	must(n < MIRROR_HALVES);
	if (m->half[n].state != MIRROR_ABSENT)
		mirror_half_failed(m, n);
}

bool mirror_half_is_quiet(struct ctl *ctl, const struct mirror *m, unsigned n)
{
	(void)ctl;
	return (m->half[n].state == MIRROR_ABSENT || m->half[n].state == MIRROR_REFUSED) &&
	       m->half[n].in_flight == 0;
}

int mirror_bind(struct ctl *ctl, struct mirror *m, struct block_front *front)
{
	(void)ctl;
	for (unsigned i = 0; i < MIRROR_FRONTS_MAX; i++)
		if (!m->fronts[i]) {
			m->fronts[i] = front;
			front->hold = m->conf.hold;
			return 0;
		}
	return -ENOSPC;
}

int mirror_unbind(struct ctl *ctl, struct mirror *m, struct block_front *front)
{
	(void)ctl;
	if (front->in_flight)
		return -EAGAIN;
	for (unsigned i = 0; i < MIRROR_FRONTS_MAX; i++)
		if (m->fronts[i] == front)
			m->fronts[i] = NULL;
	front->hold = NULL;
	return 0;
}

uint64_t mirror_behind_bytes(const struct mirror *m)
{
	struct bitmap left;

	for (unsigned i = 0; i < MARK_WORDS; i++)
		left.word[i] = m->behind.word[i] & ~m->copied.word[i] & ~m->flushing.word[i];
	return min_u64((uint64_t)bitmap_count(&left, m->regions) * m->region_bytes, m->back.size);
}

void mirror_facts(struct ctl *ctl, const struct mirror *m, struct mirror_facts *facts)
{
	(void)ctl;
	*facts = (struct mirror_facts){
		.begun = m->begun, .generation = m->generation,
		.behind_bytes = mirror_behind_bytes(m), .copied_bytes = m->copied_bytes,
		.region_bytes = m->region_bytes, .marked = bitmap_count(&m->saved, m->regions),
		.last = -1,
		.copying = { .count = m->copyings, .target = m->target,
			     .differed_bytes = m->copy_differed_bytes,
			     .bytes = m->copied_bytes - m->copy_began_bytes },
	};
	facts->copying.ns = (m->half[m->target].state == MIRROR_STALE ? m->now_ns : m->copy_ended_ns) -
			    m->copy_began_ns;
	for (unsigned n = 0; n < MIRROR_HALVES; n++) {
		if (m->half[n].kept_fresh && m->half[n].state != MIRROR_FRESH)
			facts->last = (int)n;
		facts->half[n] = m->half[n].state;
		facts->why[n] = m->half[n].why;
	}
}
