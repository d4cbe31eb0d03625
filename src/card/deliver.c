#include "card/internal.h"


static bool takes(const struct nic_front *front, const struct frame *f)
{
	uint32_t need = 0;

	if (f->gso == FRAME_GSO_TCP4)
		need = FRAME_TAKES_TSO4 | FRAME_TAKES_CSUM;
	else if (f->gso == FRAME_GSO_TCP6)
		need = FRAME_TAKES_TSO6 | FRAME_TAKES_CSUM;
	else if (f->todo & FRAME_TODO_CSUM)
		need = FRAME_TAKES_CSUM;
	if (f->gso && f->ecn)
		need |= FRAME_TAKES_ECN;
	return (front->abilities & need) == need;
}

/* Gives frames and counts what became of them at the receiving port. */
static void give(struct worker *worker, struct nic_card *card, unsigned to,
		 struct frame *const *frames, unsigned n)
{
	struct nic_front *front = card->esw.ports[to].front;
	struct esw_port_counters *counters = &card->esw.counters[to];
	unsigned given = front->ops->give(worker, front, frames, n);
	uint64_t bytes = 0;

	must(given <= n);
	for (unsigned i = 0; i < given; i++)
		bytes += frames[i]->size;
	counter_add(&counters->out_frames, given);
	counter_add(&counters->out_bytes, bytes);
	if (unlikely(given < n))
		counter_add(&counters->drops[ESW_DROP_NO_BUFFER], n - given);
	esw_set_add(&card->touched, to);
}

/* A whole frame in one piece, its checksum finished. */
static void give_finished(struct worker *worker, struct nic_card *card, unsigned to,
			  const struct frame *f)
{
	struct frame *whole = &card->segments[0];
	struct frame *const list[] = { whole };

	must(f->size <= CARD_SCRATCH);
	frame_copy(f, 0, f->size, card->scratch);
	esw_csum_finish(card->scratch, f->size, f->csum_start, f->csum_offset);
	frame_over(whole, card->scratch, f->size);
	give(worker, card, to, list, 1);
}

static void over_segment(struct nic_card *card, unsigned i, uint8_t *bytes, uint32_t size,
			 const struct frame *whole, enum esw_cut_csum csum)
{
	struct frame *f = &card->segments[i];

	frame_over(f, bytes, size);
	if (csum == ESW_CUT_CSUM_PARTIAL) {
		f->todo = FRAME_TODO_CSUM;
		f->csum_start = whole->csum_start;
		f->csum_offset = whole->csum_offset;
	}
}

/* A large frame for a receiver that wants small ones, as many at once as the scratch area holds. */
static void give_cut(struct worker *worker, struct nic_card *card, unsigned to,
		     const struct frame *f, bool tagged)
{
	uint32_t abilities = card->esw.ports[to].front->abilities;
	enum esw_cut_csum csum =
		abilities & FRAME_TAKES_CSUM ? ESW_CUT_CSUM_PARTIAL : ESW_CUT_CSUM_FULL;
	struct frame *list[FRAME_BURST];
	struct esw_cut cut;
	uint32_t stride, n = 0;

	if (!esw_cut_plan(f, tagged, &cut)) {
		esw_count_drop(&card->esw, to, ESW_DROP_BAD_OFFLOAD, 1);
		return;
	}
	stride = cut.header_size + cut.segment;
	for (uint32_t index = 0; index < cut.count; index++) {
		uint8_t *at = card->scratch + n * stride;

		over_segment(card, n, at, esw_cut_write(&cut, f, index, csum, at), f, csum);
		list[n] = &card->segments[n];
		n++;
		if (n == FRAME_BURST || (n + 1) * stride > CARD_SCRATCH || index + 1 == cut.count) {
			give(worker, card, to, list, n);
			n = 0;
		}
	}
}

/* Frames 'index[0..n)' of the burst to one function, in order. */
static void to_function(struct worker *worker, struct nic_card *card, unsigned to,
			const uint8_t *index, unsigned n)
{
	struct esw_burst *b = &card->burst;
	const struct nic_front *front = card->esw.ports[to].front;
	struct frame *list[FRAME_BURST];
	unsigned listed = 0;

	for (unsigned k = 0; k < n; k++) {
		struct frame *f = &b->frames[index[k]];

		esw_shape(&card->esw, b, index[k], to);
		if (likely(!(f->gso | (f->todo & FRAME_TODO_CSUM))) || takes(front, f)) {
			list[listed++] = f;
			continue;
		}
		if (listed)
			give(worker, card, to, list, listed);
		listed = 0;
		if (f->gso)
			give_cut(worker, card, to, f, esw_is_tagged(b, index[k]));
		else
			give_finished(worker, card, to, f);
	}
	if (listed)
		give(worker, card, to, list, listed);
}

static void to_port(struct worker *worker, struct nic_card *card, unsigned to,
		    const uint8_t *index, unsigned n)
{
	struct esw_burst *b = &card->burst;

	if (to != ESW_LINE) {
		to_function(worker, card, to, index, n);
		return;
	}
	for (unsigned k = 0; k < n; k++) {
		esw_shape(&card->esw, b, index[k], ESW_LINE);
		card_stage(card, b->frames[index[k]].in_port, index[k]);
	}
}

/* Unicast only: groups the frames by destination, each group in order. */
static void deliver_ones(struct worker *worker, struct nic_card *card, unsigned n)
{
	struct esw_burst *b = &card->burst;
	uint8_t index[FRAME_BURST];
	uint64_t left = 0;

	for (unsigned i = 0; i < n; i++)
		left |= (uint64_t)(b->out[i] != ESW_NOWHERE) << i;
	while (left) {
		unsigned first = lowest_bit(left), k = 0;
		uint16_t to = b->out[first];

		for (unsigned i = first; i < n; i++) {
			bool same = b->out[i] == to;

			index[k] = (uint8_t)i;
			k += same;
			left &= ~((uint64_t)same << i);
		}
		to_port(worker, card, to, index, k);
	}
}

/* Some go to many: port by port, each in order. */
static void deliver_sets(struct worker *worker, struct nic_card *card, unsigned n)
{
	struct esw_burst *b = &card->burst;
	struct esw_port_set all = { { 0 } };
	uint8_t index[FRAME_BURST];

	for (unsigned i = 0; i < n; i++) {
		if (b->out[i] == ESW_MANY)
			for (unsigned word = 0; word < ESW_SET_WORDS; word++)
				all.word[word] |= b->set[i].word[word];
		else if (b->out[i] != ESW_NOWHERE)
			esw_set_add(&all, b->out[i]);
	}
	for (unsigned word = 0; word < ESW_SET_WORDS; word++)
		for (uint64_t bits = all.word[word]; bits; bits &= bits - 1) {
			unsigned to = word * 64 + lowest_bit(bits), k = 0;

			for (unsigned i = 0; i < n; i++)
				if (b->out[i] == to ||
				    (b->out[i] == ESW_MANY && esw_set_has(&b->set[i], to)))
					index[k++] = (uint8_t)i;
			to_port(worker, card, to, index, k);
		}
}

void card_deliver(struct worker *worker, struct nic_card *card, unsigned n)
{
	if (unlikely(card->burst.many))
		deliver_sets(worker, card, n);
	else
		deliver_ones(worker, card, n);
}

void card_flush(struct worker *worker, struct nic_card *card)
{
	for (unsigned word = 0; word < ESW_SET_WORDS; word++) {
		for (uint64_t bits = card->touched.word[word]; bits; bits &= bits - 1) {
			struct nic_front *front =
				card->esw.ports[word * 64 + lowest_bit(bits)].front;

			if (front)
				front->ops->flush(worker, front);
		}
		card->touched.word[word] = 0;
	}
}
