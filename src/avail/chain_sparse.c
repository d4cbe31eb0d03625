#include "avail/chain_sparse.h"

#include <errno.h>

enum { ASK_EVERY = 64 };

struct entry {
	uint32_t other;
	double rate; /* means nothing in lists of who leads here */
};

struct row {
	struct entry *entries;
	uint32_t count, room;
};

struct elimination {
	struct avail_memory *memory;
	uint32_t n;
	struct row
		*out; /* of a live state: moves to live states; of one that was taken out: the moves
		       * from states that were live then, each with its rate over the total out */
	struct row
		*in; /* who has a move here; may name some twice, or some who no longer have one */
	uint32_t *place; /* scratch: position in the row that is worked on, from 1; 0: not in it */
	uint32_t *order; /* states in the order in which they were taken out */
	uint8_t *gone;
	uint64_t moves;
};

static int push(struct elimination *e, struct row *row, uint32_t other, double rate)
{
	if (row->count == row->room) {
		uint32_t room = row->room ? 2 * row->room : 8;
		struct entry *entries =
			avail_resize(e->memory, row->entries, row->room, room, sizeof *entries);

		if (!entries)
			return -ENOMEM;
		row->entries = entries;
		row->room = room;
	}
	row->entries[row->count++] = (struct entry){ other, rate };
	return 0;
}

static void free_row(struct elimination *e, struct row *row)
{
	avail_give(e->memory, row->entries, row->room, sizeof *row->entries);
	*row = (struct row){ NULL, 0, 0 };
}

static void close_all(struct elimination *e)
{
	for (uint32_t i = 0; i < e->n && e->out; i++)
		free_row(e, &e->out[i]);
	for (uint32_t i = 0; i < e->n && e->in; i++)
		free_row(e, &e->in[i]);
	avail_give(e->memory, e->out, e->n, sizeof *e->out);
	avail_give(e->memory, e->in, e->n, sizeof *e->in);
	avail_give(e->memory, e->place, e->n, sizeof *e->place);
	avail_give(e->memory, e->order, e->n, sizeof *e->order);
	avail_give(e->memory, e->gone, e->n, sizeof *e->gone);
}

static int open_all(struct elimination *e, const struct avail_rows *in)
{
	int err = 0;

	e->out = avail_take(e->memory, e->n, sizeof *e->out);
	e->in = avail_take(e->memory, e->n, sizeof *e->in);
	e->place = avail_take(e->memory, e->n, sizeof *e->place);
	e->order = avail_take(e->memory, e->n, sizeof *e->order);
	e->gone = avail_take(e->memory, e->n, sizeof *e->gone);
	if (!e->out || !e->in || !e->place || !e->order || !e->gone)
		return -ENOMEM;
	for (uint32_t to = 0; to < e->n && !err; to++) {
		for (uint32_t k = in->first[to]; k < in->first[to + 1] && !err; k++) {
			err = push(e, &e->out[in->other[k]], to, in->rate[k]);
			if (!err)
				err = push(e, &e->in[to], in->other[k], 0);
			e->moves++;
		}
	}
	return err;
}

/* The live state that is tied to the fewest: what taking it out costs at most. */
static uint32_t choose(const struct elimination *e)
{
	uint64_t least = UINT64_MAX;
	uint32_t best = 0;

	for (uint32_t i = 0; i < e->n; i++) {
		uint64_t cost = (uint64_t)e->in[i].count * e->out[i].count;

		if (!e->gone[i] && cost < least) {
			least = cost;
			best = i;
		}
	}
	return best;
}

/* Takes the move to 'to' out of a row; its rate, 0 when there is none. */
static double take_move(struct row *row, uint32_t to)
{
	for (uint32_t k = 0; k < row->count; k++) {
		double rate = row->entries[k].rate;

		if (row->entries[k].other != to)
			continue;
		row->entries[k] = row->entries[--row->count];
		return rate;
	}
	return 0;
}

/* What went from 'from' to the state with row 'via' goes on to where that leads. */
static int lead_on(struct elimination *e, uint32_t from, const struct row *via, double share)
{
	struct row *row = &e->out[from];
	int err = 0;

	for (uint32_t k = 0; k < row->count; k++)
		e->place[row->entries[k].other] = k + 1;
	for (uint32_t k = 0; k < via->count && !err; k++) {
		uint32_t to = via->entries[k].other;
		double rate = share * via->entries[k].rate;

		if (to == from)
			continue;
		if (e->place[to]) {
			row->entries[e->place[to] - 1].rate += rate;
			continue;
		}
		err = push(e, row, to, rate);
		if (!err) {
			e->place[to] = row->count;
			err = push(e, &e->in[to], from, 0);
			e->moves++;
		}
	}
	for (uint32_t k = 0; k < row->count; k++)
		e->place[row->entries[k].other] = 0;
	return err;
}

/* Leaves in the list of who leads to 'state' those who are live, each once. */
static void tidy(struct elimination *e, uint32_t state)
{
	struct row *in = &e->in[state];
	uint32_t kept = 0;

	for (uint32_t k = 0; k < in->count; k++) {
		uint32_t from = in->entries[k].other;

		if (e->gone[from] || e->place[from])
			continue;
		e->place[from] = 1;
		in->entries[kept++].other = from;
	}
	in->count = kept;
	for (uint32_t k = 0; k < kept; k++)
		e->place[in->entries[k].other] = 0;
}

/* Takes one state out of the chain.  Its row becomes the list of whose probability its own is made
 * of. */
static int take_out(struct elimination *e, uint32_t state)
{
	struct row via = e->out[state], sources = { NULL, 0, 0 };
	double total = 0;
	int err = 0;

	for (uint32_t k = 0; k < via.count; k++)
		total += via.entries[k].rate;
	tidy(e, state);
	e->gone[state] = 1;
	for (uint32_t k = 0; k < e->in[state].count && !err; k++) {
		uint32_t from = e->in[state].entries[k].other;
		double rate = take_move(&e->out[from], state);

		if (rate <= 0)
			continue;
		e->moves--;
		err = push(e, &sources, from, rate / total);
		if (!err)
			err = lead_on(e, from, &via, rate / total);
	}
	e->out[state] = sources;
	e->moves -= via.count;
	free_row(e, &via);
	free_row(e, &e->in[state]);
	return err;
}

static int take_out_all(const struct avail_chain *chain, struct elimination *e)
{
	for (uint32_t i = 0; i + 1 < e->n; i++) {
		int err;

		e->order[i] = choose(e);
		err = take_out(e, e->order[i]);
		if (err)
			return err;
		if (e->moves > AVAIL_SPARSE_MOVES)
			return -EDQUOT;
		if (i % ASK_EVERY == 0 && chain->go_on && !chain->go_on(chain->context))
			return -EINTR;
	}
	return 0;
}

/* From the last state back: each was entered from those that were live when it was taken out. */
static void put_back(const struct elimination *e, double *x)
{
	uint32_t last = 0;

	while (e->gone[last])
		last++;
	x[last] = 1;
	for (uint32_t i = e->n - 1; i-- > 0;) {
		const struct row *sources = &e->out[e->order[i]];
		double sum = 0;

		for (uint32_t k = 0; k < sources->count; k++)
			sum += x[sources->entries[k].other] * sources->entries[k].rate;
		x[e->order[i]] = sum;
		for (uint32_t k = 0; sum > 1e200 && k < e->n; k++)
			x[k] *= 1e-200; /* those not yet put back are written later */
	}
}

int avail_steady_sparse(const struct avail_chain *chain, const struct avail_rows *in, double *x)
{
	struct elimination e = { .memory = chain->memory, .n = in->row_count };
	int err = open_all(&e, in);

	for (uint32_t i = 0; i < e.n; i++)
		x[i] = 0;
	if (!err)
		err = take_out_all(chain, &e);
	if (!err)
		put_back(&e, x);
	close_all(&e);
	return err;
}
