#include "avail/chain_rows.h"

#include <errno.h>
#include <float.h>
#include <math.h>

/* Spanning tree of large flows, grown from the most probable state by always taking the largest
 * flow that leads out of what is there (Prim). */
struct edge {
	double flow;
	uint32_t inside, outside;
};

struct growth {
	const struct avail_rows *in;
	struct avail_rows by_from; /* the same flows seen from the other end */
	struct edge *heap;
	uint32_t heap_count, heap_room;
	uint32_t *parent, *order; /* order: states as they came in */
	double *flow;		  /* on the edge to the parent */
	uint32_t order_count;
};

static void push(struct growth *growth, struct edge edge)
{
	uint32_t at = growth->heap_count++;

	must(at < growth->heap_room);
	for (; at > 0 && growth->heap[(at - 1) / 2].flow < edge.flow; at = (at - 1) / 2)
		growth->heap[at] = growth->heap[(at - 1) / 2];
	growth->heap[at] = edge;
}

static struct edge pop(struct growth *growth)
{
	struct edge top = growth->heap[0], last = growth->heap[--growth->heap_count];
	uint32_t at = 0, child;

	for (; (child = 2 * at + 1) < growth->heap_count; at = child) {
		if (child + 1 < growth->heap_count &&
		    growth->heap[child + 1].flow > growth->heap[child].flow)
			child++;
		if (growth->heap[child].flow <= last.flow)
			break;
		growth->heap[at] = growth->heap[child];
	}
	growth->heap[at] = last;
	return top;
}

/* 'rows' with each rate made the flow over the edge; entries are looked at from both ends. */
static void push_edges(struct growth *growth, const struct avail_rows *rows, uint32_t state,
		       const double *x, bool flow_is_from_other)
{
	for (uint32_t k = rows->first[state]; k < rows->first[state + 1]; k++) {
		uint32_t other = rows->other[k];

		if (growth->parent[other] == UINT32_MAX)
			push(growth,
			     (struct edge){ rows->rate[k] * x[flow_is_from_other ? other : state],
					    state, other });
	}
}

static void grow(struct growth *growth, uint32_t root, const double *x)
{
	struct edge edge = { 0, root, root };

	for (;;) {
		if (growth->parent[edge.outside] == UINT32_MAX) {
			growth->parent[edge.outside] = edge.inside;
			growth->flow[edge.outside] = edge.flow;
			growth->order[growth->order_count++] = edge.outside;
			push_edges(growth, growth->in, edge.outside, x, true);
			push_edges(growth, &growth->by_from, edge.outside, x, false);
		}
		if (growth->heap_count == 0)
			return;
		edge = pop(growth);
	}
}

/* The largest relative change of a flow that carries all imbalances to the root. */
static double largest_change(struct growth *growth, const double *x, double *imbalance)
{
	double most = 0;

	for (uint32_t i = growth->order_count; i-- > 1;) {
		uint32_t state = growth->order[i];
		double flow = growth->flow[state], carried = fabs(imbalance[state]);

		imbalance[growth->parent[state]] += imbalance[state];
		if (x[state] < AVAIL_ROWS_TINY)
			continue;
		most = fmax(most, flow > 0 ? carried / flow : carried > 0 ? INFINITY : 0);
	}
	return most;
}

/* What flows in less what flows out, with the rounding of the sum given back (Neumaier). */
static double imbalance_of(const struct avail_rows *in, const double *out, const double *x,
			   uint32_t state)
{
	double sum = -x[state] * out[state], lost = -fma(x[state], out[state], sum);

	for (uint32_t k = in->first[state]; k < in->first[state + 1]; k++) {
		double a = x[in->other[k]], flow = a * in->rate[k], next = sum + flow;

		lost += fma(a, in->rate[k], -flow);
		lost += fabs(sum) >= fabs(flow) ? (sum - next) + flow : (flow - next) + sum;
		sum = next;
	}
	return sum + lost;
}

static int by_from(struct avail_rows *rows, const struct avail_rows *in)
{
	uint32_t n = in->row_count, m = in->entry_count;

	*rows = (struct avail_rows){ .memory = in->memory, .row_count = n, .entry_count = m };
	rows->first = avail_take(in->memory, (size_t)n + 2, sizeof *rows->first);
	rows->other = avail_take(in->memory, (size_t)m + 1, sizeof *rows->other);
	rows->rate = avail_take(in->memory, (size_t)m + 1, sizeof *rows->rate);
	if (!rows->first || !rows->other || !rows->rate) {
		avail_rows_fini(rows);
		return -ENOMEM;
	}
	for (uint32_t k = 0; k < m; k++)
		rows->first[2 + in->other[k]]++;
	for (uint32_t i = 2; i < n + 2; i++)
		rows->first[i] += rows->first[i - 1];
	for (uint32_t state = 0; state < n; state++)
		for (uint32_t k = in->first[state]; k < in->first[state + 1]; k++) {
			uint32_t at = rows->first[1 + in->other[k]]++;

			rows->other[at] = state;
			rows->rate[at] = in->rate[k];
		}
	return 0;
}

static double bound_of(struct growth *growth, const struct avail_rows *in, const double *out,
		       const double *x, double *imbalance)
{
	uint32_t root = 0, n = in->row_count;
	double change;

	for (uint32_t i = 0; i < n; i++) {
		growth->parent[i] = UINT32_MAX;
		imbalance[i] = imbalance_of(in, out, x, i);
		if (x[i] > x[root])
			root = i;
	}
	grow(growth, root, x);
	must(growth->order_count == n);
	change = largest_change(growth, x, imbalance);
	change += 4 * DBL_EPSILON; /* of the sums that were rounded here and in 'out' */
	if (!(change < 1))
		return INFINITY;
	return expm1((n - 1) * (log1p(change) - log1p(-change)));
}

int avail_rows_error(const struct avail_rows *in, const double *out, const double *x, double *error)
{
	struct avail_memory *memory = in->memory;
	uint32_t n = in->row_count;
	struct growth growth = { .in = in, .heap_room = 2 * in->entry_count + 1 };
	double *imbalance = avail_take(memory, n, sizeof *imbalance);
	int err;

	must(in->entry_count < UINT32_MAX / 2);
	growth.heap = avail_take(memory, growth.heap_room, sizeof *growth.heap);
	growth.parent = avail_take(memory, n, sizeof *growth.parent);
	growth.order = avail_take(memory, n, sizeof *growth.order);
	growth.flow = avail_take(memory, n, sizeof *growth.flow);
	err = imbalance && growth.heap && growth.parent && growth.order && growth.flow
		      ? by_from(&growth.by_from, in)
		      : -ENOMEM;
	if (!err) {
		*error = bound_of(&growth, in, out, x, imbalance);
		avail_rows_fini(&growth.by_from);
	}
	avail_give(memory, growth.heap, growth.heap_room, sizeof *growth.heap);
	avail_give(memory, growth.parent, n, sizeof *growth.parent);
	avail_give(memory, growth.order, n, sizeof *growth.order);
	avail_give(memory, growth.flow, n, sizeof *growth.flow);
	avail_give(memory, imbalance, n, sizeof *imbalance);
	return err;
}
