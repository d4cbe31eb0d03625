#include "avail/chain.h"
#include "avail/chain_rows.h"
#include "avail/chain_sparse.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>

enum {
	GROUPS_MOST = 64,  /* that states are put together in between sweeps */
	SWEEPS_SOON = 3000, /* before elimination is tried */
	SWEEPS_MOST = 20000,
	ASK_EVERY = 16, /* sweeps, or rows of an elimination, between questions whether to go on */
};

#define ERROR_MOST 1e-6 /* of sweeps; more is not called settled */

static bool go_on(const struct avail_chain *chain)
{
	return !chain->go_on || chain->go_on(chain->context);
}

/* ---- sets of states that are never left ---- */

struct search {
	struct avail_rows out, in;
	uint32_t *queue, *end_of; /* end_of: of each state the set that it is in, from 1; 0: none,
				     or not known */
	uint8_t *ahead, *behind;  /* reached from the candidate; reaches it */
	uint8_t *started, *leads; /* reached from the start; reaches a set that is known */
	uint32_t ends;		  /* sets known */
};

/* Marks what can be reached over 'rows'; the last state found, which is as far as any. */
static uint32_t reach(const struct avail_rows *rows, uint32_t from, uint32_t *queue, uint8_t *marks,
		      uint32_t *count)
{
	uint32_t head = 0, tail = 0;

	memset(marks, 0, rows->row_count);
	marks[from] = 1;
	queue[tail++] = from;
	while (head < tail) {
		uint32_t state = queue[head++];

		for (uint32_t k = rows->first[state]; k < rows->first[state + 1]; k++)
			if (!marks[rows->other[k]]) {
				marks[rows->other[k]] = 1;
				queue[tail++] = rows->other[k];
			}
	}
	*count = tail;
	return queue[tail - 1];
}

/* Numbers a set that is entered from 'from' and never left: one whose states all reach each other.
 */
static void find_end(struct search *search, uint32_t from)
{
	uint32_t count, behind, candidate;

	candidate = reach(&search->out, from, search->queue, search->ahead, &count);
	for (;;) {
		uint32_t next = UINT32_MAX;

		reach(&search->in, candidate, search->queue, search->behind, &behind);
		reach(&search->out, candidate, search->queue, search->ahead, &count);
		for (uint32_t i = count; i-- > 0 && next == UINT32_MAX;)
			if (!search->behind[search->queue[i]])
				next = search->queue[i];
		if (next == UINT32_MAX)
			break;
		candidate = next;
	}
	search->ends++;
	for (uint32_t i = 0; i < count; i++)
		search->end_of[search->queue[i]] = search->ends;
	for (uint32_t i = 0; i < search->out.row_count; i++)
		search->leads[i] |= search->behind[i];
}

static void find_ends(struct search *search)
{
	uint32_t count;

	reach(&search->out, 0, search->queue, search->started, &count);
	for (uint32_t i = 0; i < search->out.row_count; i++)
		if (search->started[i] && !search->leads[i])
			find_end(search, i);
}

static int search_init(struct search *search, const struct avail_chain *chain)
{
	struct avail_memory *memory = chain->memory;
	uint32_t n = chain->state_count;
	int err = avail_rows_init(&search->out, chain, AVAIL_ROWS_BY_FROM, NULL, n);

	if (!err)
		err = avail_rows_init(&search->in, chain, AVAIL_ROWS_BY_TO, NULL, n);
	search->queue = avail_take(memory, n, sizeof *search->queue);
	search->end_of = avail_take(memory, n, sizeof *search->end_of);
	search->ahead = avail_take(memory, n, 1);
	search->behind = avail_take(memory, n, 1);
	search->started = avail_take(memory, n, 1);
	search->leads = avail_take(memory, n, 1);
	if (!search->queue || !search->end_of || !search->ahead || !search->behind ||
	    !search->started || !search->leads)
		err = -ENOMEM;
	return err;
}

static void search_fini(struct search *search, const struct avail_chain *chain)
{
	struct avail_memory *memory = chain->memory;
	uint32_t n = chain->state_count;

	avail_give(memory, search->queue, n, sizeof *search->queue);
	avail_give(memory, search->end_of, n, sizeof *search->end_of);
	avail_give(memory, search->ahead, n, 1);
	avail_give(memory, search->behind, n, 1);
	avail_give(memory, search->started, n, 1);
	avail_give(memory, search->leads, n, 1);
	if (search->out.memory)
		avail_rows_fini(&search->out);
	if (search->in.memory)
		avail_rows_fini(&search->in);
}

/* place[state]: its number within set 'end', near ones first, or AVAIL_ROWS_OUT. */
static void number_end(struct search *search, uint32_t end, uint32_t *place, uint32_t *count)
{
	uint32_t first = 0;

	while (search->end_of[first] != end)
		first++;
	reach(&search->out, first, search->queue, search->ahead, count);
	memset(place, 0xff, search->out.row_count * sizeof *place);
	for (uint32_t i = 0; i < *count; i++)
		place[search->queue[i]] = i;
}

/* ---- elimination (Grassmann, Taksar, Heyman 1985): only sums, products, quotients of rates ----
 */

static void scale(double *x, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += x[i];
	for (uint32_t i = 0; i < n; i++)
		x[i] /= sum;
}

static void eliminate(double *a, uint32_t n, uint32_t last)
{
	const double *row = a + (size_t)last * n;
	double out = 0;

	for (uint32_t j = 0; j < last; j++)
		out += row[j];
	for (uint32_t i = 0; i < last; i++) {
		double *to = a + (size_t)i * n, share = to[last] / out;

		to[last] = share;
		if (share == 0)
			continue;
		for (uint32_t j = 0; j < last; j++)
			to[j] += share * row[j]; /* what lands on the diagonal is never read */
	}
}

/* a: n x n rates from row to column, irreducible, the diagonal ignored; destroyed. */
static void eliminate_all(double *a, uint32_t n, double *x)
{
	for (uint32_t last = n; last-- > 1;) {
		a[(size_t)last * n + last] = 0;
		eliminate(a, n, last);
	}
	x[0] = 1;
	for (uint32_t j = 1; j < n; j++) {
		x[j] = 0;
		for (uint32_t i = 0; i < j; i++)
			x[j] += x[i] * a[(size_t)i * n + j];
		if (x[j] > 1e200)
			for (uint32_t i = 0; i <= j; i++)
				x[i] *= 1e-200;
	}
	scale(x, n);
}

static int steady_dense(const struct avail_rows *in, struct avail_memory *memory, double *x)
{
	uint32_t n = in->row_count;
	double *a = avail_take(memory, (size_t)n * n, sizeof *a);

	if (!a)
		return -ENOMEM;
	for (uint32_t to = 0; to < n; to++)
		for (uint32_t k = in->first[to]; k < in->first[to + 1]; k++)
			a[(size_t)in->other[k] * n + to] += in->rate[k];
	eliminate_all(a, n, x);
	avail_give(memory, a, (size_t)n * n, sizeof *a);
	return 0;
}

/* ---- sweeps (Gauss and Seidel), with groups of states balanced against each other in between
 * (Takahashi 1975; Koury, McAllister and Stewart 1984) ---- */

struct sweep {
	const struct avail_chain *chain;
	const struct avail_rows *in;
	const double *out;
	uint32_t *group, groups, most;
	double *x, *between, *weight, *share; /* between: groups x groups */
};

static double renew(struct sweep *sweep, uint32_t state)
{
	const struct avail_rows *in = sweep->in;
	double sum = 0, before = sweep->x[state];

	for (uint32_t k = in->first[state]; k < in->first[state + 1]; k++)
		sum += sweep->x[in->other[k]] * in->rate[k];
	sweep->x[state] = sum / sweep->out[state];
	return sweep->x[state] > AVAIL_ROWS_TINY ? fabs(sweep->x[state] - before) / sweep->x[state]
						 : 0;
}

/* From the far states to the near ones and back; the largest relative change on the way back. */
static double sweep_once(struct sweep *sweep)
{
	double most = 0;

	for (uint32_t i = sweep->in->row_count; i-- > 0;)
		renew(sweep, i);
	for (uint32_t i = 0; i < sweep->in->row_count; i++)
		most = fmax(most, renew(sweep, i));
	return most;
}

/* Gives each group the weight it has in the chain of groups. */
static void balance(struct sweep *sweep)
{
	uint32_t g = sweep->groups;
	const struct avail_rows *in = sweep->in;

	memset(sweep->between, 0, (size_t)g * g * sizeof *sweep->between);
	memset(sweep->weight, 0, g * sizeof *sweep->weight);
	for (uint32_t to = 0; to < in->row_count; to++) {
		sweep->weight[sweep->group[to]] += sweep->x[to];
		for (uint32_t k = in->first[to]; k < in->first[to + 1]; k++)
			sweep->between[sweep->group[in->other[k]] * g + sweep->group[to]] +=
				sweep->x[in->other[k]] * in->rate[k];
	}
	for (uint32_t i = 0; i < g; i++)
		for (uint32_t j = 0; j < g; j++)
			sweep->between[i * g + j] /= sweep->weight[i];
	eliminate_all(sweep->between, g, sweep->share);
	for (uint32_t i = 0; i < in->row_count; i++)
		sweep->x[i] *= sweep->share[sweep->group[i]] / sweep->weight[sweep->group[i]];
}

/* Groups are runs of states that are equally far from the first, short ones put together. */
static int group_by_distance(struct sweep *sweep, struct avail_memory *memory)
{
	const struct avail_rows *in = sweep->in;
	uint32_t n = in->row_count, levels = 1;
	uint32_t *distance = avail_take(memory, n, sizeof *distance);

	if (!distance)
		return -ENOMEM;
	for (uint32_t i = 1; i < n; i++)
		distance[i] = UINT32_MAX;
	/* States are numbered near ones first, so the nearest neighbour has the least number. */
	for (uint32_t i = 1; i < n; i++) {
		for (uint32_t k = in->first[i]; k < in->first[i + 1]; k++)
			if (in->other[k] < i)
				distance[i] = min_u32(distance[i], distance[in->other[k]] + 1);
		levels = distance[i] >= levels ? distance[i] + 1 : levels;
	}
	sweep->groups = min_u32(levels, GROUPS_MOST);
	for (uint32_t i = 0; i < n; i++)
		sweep->group[i] = (uint32_t)((uint64_t)distance[i] * sweep->groups / levels);
	avail_give(memory, distance, n, sizeof *distance);
	return 0;
}

/* Sweeps until nothing changes any more, or changes are rounding that does not get smaller.
 * Balancing of groups whose states have little to do with each other can lead away: it pauses when
 * it does not help. */
static int sweep_all(struct sweep *sweep, uint32_t *sweeps)
{
	double least = INFINITY;
	uint32_t since = 0, pause = 0, next_pause = 16;

	for (*sweeps = 1; *sweeps <= sweep->most; ++*sweeps) {
		double change;

		if (pause > 0)
			pause--;
		else
			balance(sweep);
		change = sweep_once(sweep);
		since = change < least / 2 ? 0 : since + 1;
		least = fmin(least, change);
		if (change < DBL_EPSILON || (change < 1e-13 && since > 8))
			return 0;
		if (pause == 0 && since > 3) {
			pause = next_pause;
			next_pause *= 2;
		}
		if (*sweeps % ASK_EVERY == 0 && !go_on(sweep->chain))
			return -EINTR;
	}
	return -ELOOP;
}

/* x: where to begin, above 0.  *sweeps: how many at most, and how many it took. */
static int steady_sweeps(const struct avail_chain *chain, const struct avail_rows *in,
			 const double *out, double *x, uint32_t *sweeps)
{
	struct avail_memory *memory = chain->memory;
	uint32_t n = in->row_count;
	struct sweep sweep = { .chain = chain, .in = in, .out = out, .x = x, .most = *sweeps };
	int err = -ENOMEM;

	sweep.group = avail_take(memory, n, sizeof *sweep.group);
	sweep.between = avail_take(memory, GROUPS_MOST * GROUPS_MOST, sizeof *sweep.between);
	sweep.weight = avail_take(memory, GROUPS_MOST, sizeof *sweep.weight);
	sweep.share = avail_take(memory, GROUPS_MOST, sizeof *sweep.share);
	if (sweep.group && sweep.between && sweep.weight && sweep.share)
		err = group_by_distance(&sweep, memory);
	if (!err)
		err = sweep_all(&sweep, sweeps);
	if (!err)
		scale(x, n);
	avail_give(memory, sweep.group, n, sizeof *sweep.group);
	avail_give(memory, sweep.between, GROUPS_MOST * GROUPS_MOST, sizeof *sweep.between);
	avail_give(memory, sweep.weight, GROUPS_MOST, sizeof *sweep.weight);
	avail_give(memory, sweep.share, GROUPS_MOST, sizeof *sweep.share);
	return err;
}

/* ---- both ---- */

static void sum_out(const struct avail_rows *in, double *out)
{
	for (uint32_t to = 0; to < in->row_count; to++)
		for (uint32_t k = in->first[to]; k < in->first[to + 1]; k++)
			out[in->other[k]] += in->rate[k];
}

/* A set of states that is never left, on its way to its steady state. */
struct closed {
	const struct avail_chain *chain;
	const struct avail_rows *in;
	const uint32_t *place; /* its states, numbered */
	double *out, *x;
	struct avail_chain_work work;
};

static int find_error(struct closed *closed)
{
	return avail_rows_error(closed->in, closed->out, closed->x, &closed->work.error);
}

static int by_sweeps(struct closed *closed, uint32_t most)
{
	int err;

	closed->work.sweeps = most;
	err = steady_sweeps(closed->chain, closed->in, closed->out, closed->x,
			    &closed->work.sweeps);
	if (!err)
		err = find_error(closed);
	if (!err && !(closed->work.error < ERROR_MOST))
		err = -ELOOP;
	return err;
}

static int by_elimination(struct closed *closed)
{
	uint32_t n = closed->in->row_count;
	int err = n <= AVAIL_CHAIN_DENSE
			  ? steady_dense(closed->in, closed->chain->memory, closed->x)
		  : n <= AVAIL_CHAIN_SPARSE
			  ? avail_steady_sparse(closed->chain, closed->in, closed->x)
			  : -EDQUOT;

	closed->work.sweeps = 0;
	if (err)
		return err;
	scale(closed->x, n);
	return find_error(closed);
}

/* Where sweeps begin. */
static void begin_sweeps(struct closed *closed)
{
	const struct avail_chain *chain = closed->chain;

	for (uint32_t i = 0; i < closed->in->row_count; i++)
		closed->x[i] = 1;
	for (uint32_t i = 0; i < chain->state_count && chain->guess; i++)
		if (closed->place[i] != AVAIL_ROWS_OUT)
			closed->x[closed->place[i]] = fmax(chain->guess[i], AVAIL_ROWS_TINY);
}

static int steady_of_closed(struct closed *closed)
{
	enum avail_chain_way way = closed->chain->way;
	int err = -ELOOP;

	sum_out(closed->in, closed->out);
	if (closed->in->row_count <= AVAIL_CHAIN_DENSE || way == AVAIL_CHAIN_ELIMINATE)
		return by_elimination(closed);
	begin_sweeps(closed);
	if (way == AVAIL_CHAIN_ANY_WAY)
		err = by_sweeps(closed, SWEEPS_SOON);
	if (err == -ELOOP && way == AVAIL_CHAIN_ANY_WAY)
		err = by_elimination(closed);
	if (err == -EDQUOT || way == AVAIL_CHAIN_SWEEP) {
		begin_sweeps(closed);
		err = by_sweeps(closed, SWEEPS_MOST);
	}
	return err;
}

/* How probable each end is: they go back to the start together, and how much time is spent at each
 * says it. share[end - 1] receives it. */
static int weigh_ends(const struct avail_chain *chain, const struct search *search, double *share)
{
	struct avail_chain merged;
	uint32_t n = chain->state_count, ends = search->ends;
	double sum = 0, *p;
	int err = 0;

	/* Each end behind the others as one state; those that were in it are left with nothing. */
	avail_chain_init(&merged, chain->memory, n + ends);
	for (uint32_t i = 0; i < chain->move_count && !err; i++) {
		const struct avail_move *move = &chain->moves[i];
		uint32_t end = search->end_of[move->to];

		if (search->end_of[move->from] == 0 && move->rate > 0)
			err = avail_chain_add(&merged, move->from, end ? n + end - 1 : move->to,
					      move->rate);
	}
	for (uint32_t end = 0; end < ends && !err; end++)
		err = avail_chain_add(&merged, n + end, 0, 1);
	p = avail_take(chain->memory, (size_t)n + ends, sizeof *p);
	if (!err)
		err = p ? avail_chain_steady(&merged, p, NULL) : -ENOMEM;
	for (uint32_t end = 0; end < ends && !err; end++)
		sum += p[n + end];
	for (uint32_t end = 0; end < ends && !err; end++)
		share[end] = p[n + end] / sum;
	avail_give(chain->memory, p, (size_t)n + ends, sizeof *p);
	avail_chain_fini(&merged);
	return err;
}

/* Adds 'share' of the steady state of one end to p. */
static int add_end(const struct avail_chain *chain, struct search *search, uint32_t end,
		   double share, uint32_t *place, double *p, struct avail_chain_work *work)
{
	struct closed closed = { .chain = chain, .place = place };
	struct avail_rows in;
	uint32_t count;
	int err;

	number_end(search, end, place, &count);
	err = avail_rows_init(&in, chain, AVAIL_ROWS_BY_TO, place, count);
	if (err)
		return err;
	closed.in = &in;
	closed.x = avail_take(chain->memory, count, sizeof *closed.x);
	closed.out = avail_take(chain->memory, count, sizeof *closed.out);
	err = closed.x && closed.out ? steady_of_closed(&closed) : -ENOMEM;
	for (uint32_t i = 0; i < chain->state_count && !err; i++)
		if (place[i] != AVAIL_ROWS_OUT)
			p[i] = share * closed.x[place[i]];
	if (closed.work.sweeps > work->sweeps)
		work->sweeps = closed.work.sweeps;
	if (closed.work.error > work->error)
		work->error = closed.work.error;
	avail_give(chain->memory, closed.x, count, sizeof *closed.x);
	avail_give(chain->memory, closed.out, count, sizeof *closed.out);
	avail_rows_fini(&in);
	return err;
}

static int add_ends(const struct avail_chain *chain, struct search *search, double *p,
		    struct avail_chain_work *work)
{
	struct avail_memory *memory = chain->memory;
	uint32_t n = chain->state_count, *place = avail_take(memory, n, sizeof *place);
	double *share = avail_take(memory, search->ends, sizeof *share);
	int err = place && share ? 0 : -ENOMEM;

	if (!err && search->ends == 1)
		share[0] = 1;
	else if (!err)
		err = weigh_ends(chain, search, share);
	for (uint32_t end = 1; end <= search->ends && !err; end++)
		err = add_end(chain, search, end, share[end - 1], place, p, work);
	avail_give(memory, place, n, sizeof *place);
	avail_give(memory, share, search->ends, sizeof *share);
	return err;
}

int avail_chain_steady(const struct avail_chain *chain, double *p, struct avail_chain_work *work)
{
	struct avail_chain_work unwanted;
	struct search search = { 0 };
	int err = search_init(&search, chain);

	work = work ? work : &unwanted;
	*work = (struct avail_chain_work){ 0 };
	memset(p, 0, chain->state_count * sizeof *p);
	if (!err) {
		find_ends(&search);
		err = add_ends(chain, &search, p, work);
	}
	search_fini(&search, chain);
	return err;
}
