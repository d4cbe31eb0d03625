#include "avail/chain.h"
#include "avail/chain_rows.h"

#include <errno.h>
#include <math.h>
#include <string.h>

void avail_chain_init(struct avail_chain *chain, struct avail_memory *memory, uint32_t state_count)
{
	must(state_count > 0);
	*chain = (struct avail_chain){ .memory = memory, .state_count = state_count };
}

void avail_chain_fini(struct avail_chain *chain)
{
	avail_give(chain->memory, chain->moves, chain->move_room, sizeof *chain->moves);
	chain->moves = NULL;
	chain->move_count = chain->move_room = 0;
}

int avail_chain_add(struct avail_chain *chain, uint32_t from, uint32_t to, double rate)
{
	must(from < chain->state_count && to < chain->state_count && from != to);
	must(rate >= 0 && isfinite(rate));
	if (chain->move_count == chain->move_room) {
		uint32_t room = chain->move_room ? chain->move_room * 2 : 64;
		struct avail_move *moves;

		if (room < chain->move_room)
			return -ENOMEM;
		moves = avail_resize(chain->memory, chain->moves, chain->move_room, room,
				     sizeof *moves);
		if (!moves)
			return -ENOMEM;
		chain->moves = moves;
		chain->move_room = room;
	}
	chain->moves[chain->move_count++] = (struct avail_move){ from, to, rate };
	return 0;
}

void avail_chain_absorb(struct avail_chain *chain, const uint8_t *down)
{
	for (uint32_t i = 0; i < chain->move_count; i++)
		if (down[chain->moves[i].from])
			chain->moves[i].rate = 0;
}

double avail_chain_frequency(const struct avail_chain *chain, const double *p, const uint8_t *down)
{
	double frequency = 0;

	for (uint32_t i = 0; i < chain->move_count; i++) {
		const struct avail_move *move = &chain->moves[i];

		if (!down[move->from] && down[move->to])
			frequency += p[move->from] * move->rate;
	}
	return frequency;
}

/* The chain that returns to 'start' with rate 1 from one state that stands for all down ones;
 * number 0 is left to a state of 'start'.  Its cycles are the times to be measured. */
static int add_returning(struct avail_chain *cycle, const struct avail_chain *chain,
			 const double *start, const uint8_t *down, uint32_t first)
{
	uint32_t end = chain->state_count;

	for (uint32_t i = 0; i < chain->move_count; i++) {
		const struct avail_move *move = &chain->moves[i];
		uint32_t from = move->from == first ? 0 : move->from == 0 ? first : move->from;
		uint32_t to = down[move->to]	  ? end
			      : move->to == first ? 0
			      : move->to == 0	  ? first
						  : move->to;

		if (!down[move->from] && avail_chain_add(cycle, from, to, move->rate))
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < chain->state_count; i++) {
		uint32_t to = i == first ? 0 : i == 0 ? first : i;

		if (start[i] > 0 && avail_chain_add(cycle, end, to, start[i]))
			return -ENOMEM;
	}
	return 0;
}

static int steady_of_cycle(const struct avail_chain *cycle, double *p, double *mean_h)
{
	uint32_t end = cycle->state_count - 1;
	int err = avail_chain_steady(cycle, p, NULL);
	double up = 0;

	if (err)
		return err;
	if (p[end] == 0) {
		*mean_h = INFINITY; /* it may be that some set of up states is never left */
		return 0;
	}
	for (uint32_t i = 0; i < end; i++)
		up += p[i];
	*mean_h = up / p[end];
	return 0;
}

int avail_chain_mean_time(const struct avail_chain *chain, const double *start, const uint8_t *down,
			  double *mean_h)
{
	struct avail_chain cycle;
	uint32_t first = 0;
	double *p = NULL;
	int err;

	while (first < chain->state_count && !(start[first] > 0))
		first++;
	must(first < chain->state_count && !down[first]);
	avail_chain_init(&cycle, chain->memory, chain->state_count + 1);
	cycle.go_on = chain->go_on;
	cycle.context = chain->context;
	err = add_returning(&cycle, chain, start, down, first);
	if (!err) {
		p = avail_take(chain->memory, cycle.state_count, sizeof *p);
		err = p ? steady_of_cycle(&cycle, p, mean_h) : -ENOMEM;
	}
	avail_give(chain->memory, p, cycle.state_count, sizeof *p);
	avail_chain_fini(&cycle);
	return err;
}

/* ---- rows ---- */

static uint32_t place_of(const uint32_t *place, uint32_t state)
{
	return place ? place[state] : state;
}

static bool taken(const struct avail_move *move, const uint32_t *place)
{
	return move->rate > 0 && place_of(place, move->from) != AVAIL_ROWS_OUT &&
	       place_of(place, move->to) != AVAIL_ROWS_OUT;
}

int avail_rows_init(struct avail_rows *rows, const struct avail_chain *chain, enum avail_rows_by by,
		    const uint32_t *place, uint32_t count)
{
	*rows = (struct avail_rows){ .memory = chain->memory, .row_count = count };
	rows->first = avail_take(chain->memory, (size_t)count + 2, sizeof *rows->first);
	for (uint32_t i = 0; i < chain->move_count; i++)
		rows->entry_count += taken(&chain->moves[i], place);
	rows->other = avail_take(chain->memory, (size_t)rows->entry_count + 1, sizeof *rows->other);
	rows->rate = avail_take(chain->memory, (size_t)rows->entry_count + 1, sizeof *rows->rate);
	if (!rows->first || !rows->other || !rows->rate) {
		avail_rows_fini(rows);
		return -ENOMEM;
	}
	/* Counted two places ahead, so that filling in moves each begin to its place. */
	for (uint32_t i = 0; i < chain->move_count; i++) {
		const struct avail_move *move = &chain->moves[i];

		if (taken(move, place))
			rows->first[2 + place_of(place, by == AVAIL_ROWS_BY_FROM ? move->from
										 : move->to)]++;
	}
	for (uint32_t i = 2; i < count + 2; i++)
		rows->first[i] += rows->first[i - 1];
	for (uint32_t i = 0; i < chain->move_count; i++) {
		const struct avail_move *move = &chain->moves[i];
		uint32_t row = by == AVAIL_ROWS_BY_FROM ? move->from : move->to;
		uint32_t other = by == AVAIL_ROWS_BY_FROM ? move->to : move->from, at;

		if (!taken(move, place))
			continue;
		at = rows->first[1 + place_of(place, row)]++;
		rows->other[at] = place_of(place, other);
		rows->rate[at] = move->rate;
	}
	return 0;
}

void avail_rows_fini(struct avail_rows *rows)
{
	avail_give(rows->memory, rows->first, (size_t)rows->row_count + 2, sizeof *rows->first);
	avail_give(rows->memory, rows->other, (size_t)rows->entry_count + 1, sizeof *rows->other);
	avail_give(rows->memory, rows->rate, (size_t)rows->entry_count + 1, sizeof *rows->rate);
	rows->first = rows->other = NULL;
	rows->rate = NULL;
}
