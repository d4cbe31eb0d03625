/* Requests of the fronts on their way to the halves and back. */
#include "card/mirror_internal.h"

#include <string.h>

static unsigned bit(unsigned half)
{
	return 1u << half;
}

static struct mirror *mirror_of(struct block_back *back)
{
	return container_of(back, struct mirror, back);
}

static bool any_is_fresh(const struct mirror *m)
{
	return half_is_fresh(m, 0) || half_is_fresh(m, 1);
}

static void end(struct mirror_command *c, enum block_result result)
{
	c->parent->result = result;
	c->state = COMMAND_ENDED;
	c->mirror->look = true;
	if (c->mirror->writer == c)
		c->mirror->writer = NULL;
}

/* Whether it changes the halves now: a compare-and-write only compares first. */
static bool writes_now(const struct mirror_command *c)
{
	return c->parent->op == BLOCK_COMPARE_WRITE ? c->writes : modifies(c->parent);
}

static bool goes_to_all(const struct mirror_command *c)
{
	return writes_now(c) || c->parent->op == BLOCK_FLUSH;
}

static bool overlap(const struct block_request *a, uint64_t first, uint64_t size)
{
	return a->first < first + size && first < a->first + a->size;
}

bool mirror_is_written_now(const struct mirror *m, uint64_t first, uint64_t size)
{
	for (unsigned i = mirror_next(m, 0); i < MIRROR_COMMANDS; i = mirror_next(m, i + 1)) {
		const struct mirror_command *c = &m->commands[i];

		if ((c->state == COMMAND_RUNS || c->state == COMMAND_ENDED) &&
		    modifies(c->parent) && overlap(c->parent, first, size))
			return true;
	}
	return false;
}

/* -- before it begins -- */

/* Whether all regions of the command are marked on the halves; marks those that are not. */
static bool is_marked(struct mirror *m, const struct block_request *parent)
{
	uint64_t last = (parent->first + parent->size - 1) / m->region_bytes;
	bool all = true;

	for (uint64_t r = parent->first / m->region_bytes; r <= last; r++) {
		uint32_t region = (uint32_t)r;

		bitmap_set(&m->recent, region);
		if (bitmap_has(&m->saved, region) && bitmap_has(&m->intent, region))
			continue;
		m->save_wanted |= !bitmap_has(&m->saved, region);
		all &= bitmap_has(&m->saved, region);
		bitmap_set(&m->intent, region);
	}
	return all;
}

/* Nothing may come between what a compare-and-write reads and what it writes. */
static bool is_fenced(const struct mirror *m, const struct mirror_command *command)
{
	const struct block_request *parent = command->parent;

	for (unsigned i = mirror_next(m, 0); i < MIRROR_COMMANDS; i = mirror_next(m, i + 1)) {
		const struct mirror_command *c = &m->commands[i];

		if (c == command || c->state == COMMAND_FREE || c->state == COMMAND_ENDED ||
		    !modifies(c->parent))
			continue;
		if (c->state == COMMAND_WAITS && c->serial > command->serial)
			continue;
		if ((parent->op == BLOCK_COMPARE_WRITE || c->parent->op == BLOCK_COMPARE_WRITE) &&
		    overlap(c->parent, parent->first, parent->size))
			return true;
	}
	return false;
}

static bool may_begin(struct mirror *m, struct mirror_command *c)
{
	const struct block_request *parent = c->parent;

	if (!modifies(parent))
		return true;
	if (parent->op == BLOCK_COMPARE_WRITE && m->writer)
		return false;
	return is_marked(m, parent) && !is_fenced(m, c) &&
	       !mirror_is_copied_now(m, parent->first, parent->size);
}

/* The half that answers a read, among those that have not failed to; -1: none. */
static int reader(struct mirror *m, const struct mirror_command *c)
{
	unsigned n = m->turn++ % MIRROR_HALVES;

	for (unsigned i = 0; i < MIRROR_HALVES; i++, n = 1 - n)
		if (half_is_fresh(m, n) && !(c->tried & bit(n)))
			return (int)n;
	return -1;
}

/* -- at the halves -- */

static void child_done(struct worker *worker, struct block_request *child);

/* The data of the second half of a compare-and-write. */
static unsigned second_half(struct mirror *m, const struct block_request *parent)
{
	uint64_t skip = parent->size, left = parent->size;
	unsigned n = 0;

	for (unsigned i = 0; i < parent->seg_count && left; i++) {
		const struct block_seg *seg = &parent->segs[i];
		uint64_t take;

		if (skip >= seg->size) {
			skip -= seg->size;
			continue;
		}
		take = min_u64(seg->size - skip, left);
		m->write_segs[n++] = (struct block_seg){ seg->bytes + skip, (uint32_t)take };
		left -= take;
		skip = 0;
	}
	return n;
}

static void make_child(struct mirror_command *c, struct block_request *child)
{
	const struct block_request *parent = c->parent;
	struct mirror *m = c->mirror;

	*child = (struct block_request){
		.op = parent->op, .flags = parent->flags, .first = parent->first,
		.size = parent->size, .segs = parent->segs, .seg_count = parent->seg_count,
		.done = child_done, .owner = c,
	};
	if (parent->op == BLOCK_DISCARD) { /* both must read the same afterwards */
		child->op = BLOCK_WRITE_ZEROES;
		child->flags |= BLOCK_MAY_UNMAP;
	} else if (parent->op == BLOCK_COMPARE_WRITE && !c->writes) {
		child->op = BLOCK_COMPARE;
	} else if (parent->op == BLOCK_COMPARE_WRITE) {
		child->op = BLOCK_WRITE;
		child->segs = m->write_segs;
		child->seg_count = second_half(m, parent);
	}
}

/* Sends what is wanted and not sent yet; false: a half does not take it now. */
static bool send(struct worker *worker, struct mirror_command *c)
{
	struct mirror *m = c->mirror;
	bool all = true;

	for (unsigned n = 0; n < MIRROR_HALVES; n++) {
		struct half *half = &m->half[n];

		if (!(c->wanted & bit(n) & ~(unsigned)(c->out | c->done | c->failed)))
			continue;
		make_child(c, &c->child[n]);
		if (!half->back->ops->submit(worker, half->back, &c->child[n])) {
			all = false;
			continue;
		}
		c->out |= (uint8_t)bit(n);
		c->given[n] = half->given;
		half->in_flight++;
	}
	return all;
}

static void choose_halves(struct mirror *m, struct mirror_command *c)
{
	int n;

	c->wanted = c->out = c->done = c->failed = 0;
	if (!any_is_fresh(m)) {
		end(c, BLOCK_GONE);
		return;
	}
	if (goes_to_all(c)) {
		for (unsigned i = 0; i < MIRROR_HALVES; i++)
			if (half_is_written(m, i))
				c->wanted |= (uint8_t)bit(i);
		return;
	}
	n = reader(m, c);
	if (n < 0) {
		end(c, c->tried ? c->parent->result : BLOCK_GONE);
		return;
	}
	c->wanted = (uint8_t)bit((unsigned)n);
}

static void run(struct worker *worker, struct mirror_command *c)
{
	c->state = COMMAND_RUNS;
	choose_halves(c->mirror, c);
	if (c->state == COMMAND_RUNS && !send(worker, c))
		c->mirror->retry = true;
}

static bool is_failure(enum block_result result)
{
	return result == BLOCK_GONE || result == BLOCK_MEDIUM_ERROR || result == BLOCK_NO_SPACE;
}

static void mark_behind(struct mirror *m, const struct block_request *parent)
{
	uint64_t last = (parent->first + parent->size - 1) / m->region_bytes;

	for (uint64_t r = parent->first / m->region_bytes; r <= last; r++)
		mirror_is_behind(m, (uint32_t)r);
}

/* No half that counts has taken a write: the halves may differ where it was to go. */
static void all_failed(struct mirror *m, struct mirror_command *c)
{
	if (both_are_fresh(m) && modifies(c->parent))
		mirror_demote(m, 1);
	else if (modifies(c->parent))
		mark_behind(m, c->parent);
	end(c, c->parent->result);
}

/* All halves have answered a write or a flush. */
static void all_answered(struct mirror *m, struct mirror_command *c)
{
	int fresh = -1;

	/* What only a half has that does not count is not written. */
	for (unsigned n = 0; n < MIRROR_HALVES; n++)
		if (c->done & bit(n) && half_is_fresh(m, n))
			fresh = (int)n;
	if (fresh < 0) {
		if (c->failed == 0)
			c->parent->result = BLOCK_GONE;
		all_failed(m, c);
		return;
	}
	for (unsigned n = 0; n < MIRROR_HALVES; n++)
		if (c->failed & bit(n) && half_is_written(m, n) && c->given[n] == m->half[n].given)
			mirror_half_failed(m, n);
	end(c, c->child[fresh].result);
}

static void one_answered(struct worker *worker, struct mirror_command *c, unsigned n,
			 enum block_result result)
{
	c->parent->result = result;
	c->tried |= (uint8_t)bit(n);
	if (result == BLOCK_GONE || result == BLOCK_MEDIUM_ERROR) {
		run(worker, c); /* the other half, if it can */
		return;
	}
	if (c->parent->op != BLOCK_COMPARE_WRITE || result != BLOCK_DONE) {
		end(c, result);
		return;
	}
	c->writes = true;
	run(worker, c);
}

static void child_done(struct worker *worker, struct block_request *child)
{
	struct mirror_command *c = child->owner;
	struct mirror *m = c->mirror;
	unsigned n = child == &c->child[1];

	m->half[n].in_flight--;
	m->look = true;
	c->out &= (uint8_t)~bit(n);
	if (child->result == BLOCK_GONE && half_is_written(m, n))
		mirror_half_failed(m, n);
	if (!goes_to_all(c)) {
		one_answered(worker, c, n, child->result);
		return;
	}
	if (is_failure(child->result)) {
		c->failed |= (uint8_t)bit(n);
		c->parent->result = child->result;
	} else {
		c->done |= (uint8_t)bit(n);
	}
	if (c->wanted == (c->done | c->failed))
		all_answered(m, c);
}

/* -- from and to the fronts -- */

static enum block_result check(const struct mirror *m, const struct block_request *parent)
{
	if (!m->begun || !any_is_fresh(m))
		return BLOCK_GONE;
	if (parent->op == BLOCK_FLUSH)
		return BLOCK_DONE;
	if (parent->size > m->back.size || parent->first > m->back.size - parent->size ||
	    (parent->first | parent->size) % m->back.block_size)
		return BLOCK_OUT_OF_RANGE;
	return BLOCK_DONE;
}

static void try_to_begin(struct worker *worker, struct mirror *m, struct mirror_command *c)
{
	enum block_result result = check(m, c->parent);

	if (result != BLOCK_DONE || (c->parent->op != BLOCK_FLUSH && c->parent->size == 0)) {
		end(c, result);
		return;
	}
	if (!may_begin(m, c))
		return;
	if (c->parent->op == BLOCK_COMPARE_WRITE)
		m->writer = c;
	run(worker, c);
}

static bool submit(struct worker *worker, struct block_back *back, struct block_request *parent)
{
	struct mirror *m = mirror_of(back);
	struct mirror_command *c;
	unsigned word = 0, slot;

	if (m->in_flight == MIRROR_COMMANDS || !mirror_rate_allows(m, &m->meter))
		return false;
	if (parent->op == BLOCK_READ || parent->op == BLOCK_WRITE || parent->op == BLOCK_COMPARE ||
	    parent->op == BLOCK_COMPARE_WRITE || parent->op == BLOCK_VERIFY)
		esw_meter_charge(&m->meter, (uint32_t)min_u64(parent->size, UINT32_MAX / 2));
	else
		esw_meter_charge(&m->meter, 0);
	while (m->used[word] == UINT64_MAX)
		word++;
	slot = word * 64 + lowest_bit(~m->used[word]);
	m->used[word] |= UINT64_C(1) << slot % 64;
	c = &m->commands[slot];
	c->mirror = m;
	c->parent = parent;
	c->state = COMMAND_WAITS;
	c->serial = ++m->serial;
	c->tried = 0;
	c->writes = false;
	m->in_flight++;
	try_to_begin(worker, m, c);
	return true;
}

/* A request that was handed in is never taken back: it is done soon. */
static void cancel(struct worker *worker, struct block_back *back, struct block_request *request)
{
	(void)worker;
	(void)back;
	(void)request;
}

const struct block_back_ops mirror_back_ops = { .submit = submit, .cancel = cancel };

/* What was written counts, and what was read stays so, when the halves say who of them has it. */
static bool may_be_told(const struct mirror *m, const struct mirror_command *c)
{
	return c->parent->result == BLOCK_GONE || m->generation_saved == m->generation;
}

static bool tell(struct worker *worker, struct mirror *m, struct mirror_command *c)
{
	if (!any_is_fresh(m))
		c->parent->result = BLOCK_GONE; /* nobody can write down that it counts */
	if (!may_be_told(m, c))
		return false;
	c->state = COMMAND_FREE;
	m->used[(c - m->commands) / 64] &= ~(UINT64_C(1) << (c - m->commands) % 64);
	m->in_flight--;
	c->parent->done(worker, c->parent);
	return true;
}

unsigned mirror_commands_go_on(struct worker *worker, struct mirror *m, bool look)
{
	unsigned told = 0;

	if ((!look && !m->retry) || m->in_flight == 0)
		return 0;
	m->retry = false;
	for (unsigned i = mirror_next(m, 0); i < MIRROR_COMMANDS; i = mirror_next(m, i + 1)) {
		struct mirror_command *c = &m->commands[i];

		if (c->state == COMMAND_WAITS)
			try_to_begin(worker, m, c);
		else if (c->state == COMMAND_RUNS && !send(worker, c))
			m->retry = true;
		if (c->state == COMMAND_ENDED)
			told += tell(worker, m, c);
	}
	return told;
}
