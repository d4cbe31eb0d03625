#include "card/arbiter.h"

#include <string.h>

void arbiter_init(struct arbiter *arb)
{
	memset(arb, 0, sizeof *arb);
	for (unsigned q = 0; q < ARB_QUEUES_MAX; q++)
		arb->queue[q].weight = 1;
}

static void weigh_class(struct arbiter *arb, unsigned class)
{
	arb->of[class].heaviest = 1;
	for (unsigned q = 0; q < ARB_QUEUES_MAX; q++)
		if (arb->queue[q].priority == class && arb->queue[q].weight > arb->of[class].heaviest)
			arb->of[class].heaviest = arb->queue[q].weight;
}

void arbiter_set(struct arbiter *arb, unsigned q, uint16_t weight, uint8_t priority)
{
	struct arb_queue *queue = &arb->queue[q];
	unsigned old = queue->priority;

	must(q < ARB_QUEUES_MAX && priority < ARB_CLASSES && weight > 0);
	esw_set_remove(&arb->of[old].busy, q);
	queue->weight = weight;
	queue->priority = priority;
	queue->credit = 0;
	if (queue->count)
		esw_set_add(&arb->of[priority].busy, q);
	weigh_class(arb, old);
	weigh_class(arb, priority);
}

unsigned arbiter_push(struct arbiter *arb, unsigned q, uint32_t size_bytes)
{
	struct arb_queue *queue = &arb->queue[q];
	unsigned slot = (queue->head + queue->count) % ARB_RING;

	must(queue->count < ARB_RING);
	arb->size[q][slot] = size_bytes;
	if (queue->count++ == 0)
		esw_set_add(&arb->of[queue->priority].busy, q);
	return slot;
}

unsigned arbiter_pop(struct arbiter *arb, unsigned q)
{
	struct arb_queue *queue = &arb->queue[q];
	unsigned slot = queue->head;

	must(queue->count > 0);
	queue->head = (uint16_t)((queue->head + 1) % ARB_RING);
	if (--queue->count == 0) {
		esw_set_remove(&arb->of[queue->priority].busy, q);
		queue->credit = 0;
	}
	return slot;
}

static int64_t head_cost(const struct arbiter *arb, unsigned q)
{
	return (int64_t)arb->size[q][arb->queue[q].head] << ARB_FRACTION;
}

/* What one turn is worth to a queue: never 0, since weights end at 1000. */
static int64_t turn_credit(const struct arb_class *class, const struct arb_queue *queue)
{
	return ((int64_t)ARB_TURN_BYTES << ARB_FRACTION) * queue->weight / class->heaviest;
}

/* A whole lap went by and nobody could pay for a frame: grants at once the laps that it takes until
 * the first one can.  The same as walking them. */
static void skip_laps(struct arbiter *arb, struct arb_class *class)
{
	int64_t laps = INT64_MAX;

	for (unsigned word = 0; word < ESW_SET_WORDS; word++)
		for (uint64_t bits = class->busy.word[word]; bits; bits &= bits - 1) {
			unsigned q = word * 64 + lowest_bit(bits);
			int64_t credit = turn_credit(class, &arb->queue[q]);
			int64_t short_by = head_cost(arb, q) - arb->queue[q].credit;
			int64_t need = (short_by + credit - 1) / credit;

			laps = need < laps ? need : laps;
		}
	for (unsigned word = 0; word < ESW_SET_WORDS && laps > 1; word++)
		for (uint64_t bits = class->busy.word[word]; bits; bits &= bits - 1) {
			struct arb_queue *queue = &arb->queue[word * 64 + lowest_bit(bits)];

			queue->credit += (laps - 1) * turn_credit(class, queue);
		}
}

/* One queue's turn, as far as room, credit and the line's rate go.  true: the turn is over. */
static bool take_turn(struct arbiter *arb, struct arb_class *class, struct esw_meter *meter,
		      struct arb_pick *picks, unsigned *n, unsigned max)
{
	unsigned q = class->turn;
	struct arb_queue *queue = &arb->queue[q];

	if (!class->granted)
		queue->credit += turn_credit(class, queue);
	class->granted = true;
	while (queue->count && queue->credit >= head_cost(arb, q)) {
		uint32_t size = arb->size[q][queue->head];

		if (*n == max || !esw_meter_allows(meter))
			return false;
		esw_meter_charge(meter, size);
		queue->credit -= head_cost(arb, q);
		picks[(*n)++] = (struct arb_pick){ (uint16_t)q, (uint16_t)arbiter_pop(arb, q), size };
	}
	class->granted = false;
	return true;
}

/* Serves one class; false when the picks or the line's rate are used up. */
static bool serve(struct arbiter *arb, struct arb_class *class, struct esw_meter *meter,
		  struct arb_pick *picks, unsigned *n, unsigned max)
{
	unsigned idle_turns = 0;

	while (!esw_set_is_empty(&class->busy)) {
		unsigned before = *n;

		if (!class->granted || !esw_set_has(&class->busy, class->turn)) {
			class->turn = (uint16_t)esw_set_next(&class->busy, class->turn + 1u);
			class->granted = false;
		}
		if (!take_turn(arb, class, meter, picks, n, max))
			return false;
		idle_turns = *n == before ? idle_turns + 1 : 0;
		if (idle_turns && idle_turns >= esw_set_count(&class->busy)) {
			skip_laps(arb, class);
			idle_turns = 0;
		}
	}
	return true;
}

unsigned arbiter_pick(struct arbiter *arb, struct esw_meter *meter, struct arb_pick *picks,
		      unsigned max)
{
	unsigned n = 0;

	for (unsigned class = ARB_CLASSES; class-- > 0;)
		if (!serve(arb, &arb->of[class], meter, picks, &n, max))
			break;
	return n;
}

bool arbiter_is_empty(const struct arbiter *arb)
{
	for (unsigned class = 0; class < ARB_CLASSES; class++)
		if (!esw_set_is_empty(&arb->of[class].busy))
			return false;
	return true;
}

void arbiter_save(const struct arbiter *arb, struct arb_state *state)
{
	memcpy(state->of, arb->of, sizeof state->of);
	memcpy(state->queue, arb->queue, sizeof state->queue);
}

void arbiter_restore(struct arbiter *arb, const struct arb_state *state)
{
	memcpy(arb->of, state->of, sizeof state->of);
	memcpy(arb->queue, state->queue, sizeof state->queue);
}
