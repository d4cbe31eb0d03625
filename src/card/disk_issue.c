/* Commands on their way to the medium: whose turn it is, what must wait for what, and how a command
 * is cut into parts. */
#include "card/disk_internal.h"

struct disk_io *disk_io_take(struct disk_card *card)
{
	struct disk_io *io = card->free_ios;

	if (io) {
		card->free_ios = io->next_free;
		io->keeps = false;
	}
	return io;
}

void disk_io_give(struct disk_card *card, struct disk_io *io)
{
	io->next_free = card->free_ios;
	card->free_ios = io;
}

static bool overlap(const struct block_request *a, const struct block_request *b)
{
	/* Two functions may have the same namespace, each by a back of its own. */
	return disk_back_of(a)->ns == disk_back_of(b)->ns && a->first < b->first + b->size &&
	       b->first < a->first + a->size;
}

/* Whether 'request' must wait for 'other', which came before it: one of the two is a
 * compare-and-write, and nothing may come between what that reads and what it writes. */
static bool waits_for(const struct block_request *request, const struct block_request *other)
{
	return (request->op == BLOCK_COMPARE_WRITE || other->op == BLOCK_COMPARE_WRITE) &&
	       disk_op_modifies(other->op) && overlap(request, other);
}

static bool waits_for_any(const struct block_request *request, const struct block_request *first)
{
	for (; first && first != request; first = first->next)
		if (waits_for(request, first))
			return true;
	return false;
}

/* Looks at all that was begun; only when a compare-and-write is among them, or is asked. */
static bool is_fenced(const struct disk_card *card, const struct block_request *request)
{
	if (!disk_op_modifies(request->op) || (request->op != BLOCK_COMPARE_WRITE && !card->fences))
		return false;
	for (unsigned i = 0; i < card->depth; i++) {
		const struct block_request *parent = card->ios[i].parent;

		if (parent && parent != request && waits_for(request, parent))
			return true;
	}
	return waits_for_any(request, card->issuing.first) ||
	       waits_for_any(request, card->waiting.first);
}

static bool needs_bounce(enum block_op op)
{
	return op == BLOCK_COMPARE || op == BLOCK_COMPARE_WRITE || op == BLOCK_VERIFY;
}

static bool take_bounce(struct disk_card *card, struct block_request *request)
{
	for (unsigned i = 0; i < DISK_BOUNCES; i++)
		if (!card->bounce_used[i]) {
			card->bounce_used[i] = true;
			request->back_word[WORD_BOUNCE] = i + 1;
			return true;
		}
	return false;
}

/* Begins a command that has its turn; false: it waits for another. */
static bool begin(struct disk_card *card, struct block_request *request)
{
	if (is_fenced(card, request) || (needs_bounce(request->op) && !take_bounce(card, request)))
		return false;
	request->back_word[WORD_PHASE] = PHASE_BEGUN;
	disk_list_put(&card->issuing, request);
	return true;
}

/* Those that waited, in their order; a command looks at those before it in the list, too. */
static void begin_waiting(struct disk_card *card)
{
	struct disk_list waiting = card->waiting;
	struct block_request *request;

	if (!card->look_again)
		return;
	card->look_again = false;
	card->waiting = (struct disk_list){ 0 };
	while ((request = disk_list_take(&waiting)))
		if (!begin(card, request))
			disk_list_put(&card->waiting, request);
}

static void begin_picked(struct disk_card *card, unsigned max)
{
	struct arb_pick picks[DISK_PICKS];
	unsigned n = arbiter_pick(&card->arb, &card->no_meter, picks, min_u32(max, DISK_PICKS));

	for (unsigned i = 0; i < n; i++) {
		struct block_request *request =
			card->staged[picks[i].queue * ARB_RING + picks[i].slot];

		if (request->back_word[WORD_PHASE] == PHASE_CANCELLED) {
			disk_finish_later(card, request, BLOCK_ABORTED);
			continue;
		}
		/* Counted before it is looked at, so that later ones see that it waits. */
		card->fences += request->op == BLOCK_COMPARE_WRITE;
		if (!begin(card, request))
			disk_list_put(&card->waiting, request);
	}
}

/* The segments of bytes skip .. skip + size; returns how many. */
static unsigned slice(const struct block_request *request, uint64_t skip, uint64_t size,
		      struct block_seg *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < request->seg_count && size; i++) {
		const struct block_seg *seg = &request->segs[i];
		uint64_t take;

		if (skip >= seg->size) {
			skip -= seg->size;
			continue;
		}
		take = min_u64(seg->size - skip, size);
		out[n++] = (struct block_seg){ seg->bytes + skip, (uint32_t)take };
		size -= take;
		skip = 0;
	}
	must(size == 0);
	return n;
}

static void lay_segs(struct disk_card *card, struct disk_io *io, uint64_t at, uint64_t size)
{
	const struct block_request *parent = io->parent;

	if (parent->back_word[WORD_BOUNCE] && parent->back_word[WORD_PHASE] == PHASE_BEGUN) {
		io->segs[0] = (struct block_seg){ disk_bounce(card, parent) + at % DISK_BOUNCE_SIZE,
						  (uint32_t)size };
		io->request.seg_count = 1;
		io->request.segs = io->segs;
		return;
	}
	if (size == parent->size && parent->op != BLOCK_COMPARE_WRITE) {
		io->request.segs = parent->segs;
		io->request.seg_count = parent->seg_count;
		return;
	}
	if (parent->back_word[WORD_PHASE] == PHASE_WRITES)
		at += parent->size;
	io->request.seg_count = slice(parent, at, size, io->segs);
	io->request.segs = io->segs;
}

static enum block_op medium_op(const struct block_request *request)
{
	if (request->back_word[WORD_PHASE] == PHASE_WRITES)
		return BLOCK_WRITE;
	return needs_bounce(request->op) ? BLOCK_READ : request->op;
}

/* Bytes of the next part, beginning at 'at', before the namespace's extents cut it. */
static uint64_t part_size(const struct disk_card *card, const struct block_request *request,
			  enum block_op op, uint64_t at)
{
	uint64_t size = request->size - at;

	if (op == BLOCK_DISCARD || op == BLOCK_WRITE_ZEROES)
		return size;
	if (needs_bounce(request->op))
		size = min_u64(size, DISK_BOUNCE_SIZE - at % DISK_BOUNCE_SIZE);
	return card->medium->transfer_max ? min_u64(size, card->medium->transfer_max) : size;
}

/* Hands the next part of 'request' down. */
static void hand_down(struct disk_card *card, struct block_request *request, struct disk_io *io)
{
	uint64_t at = request->back_word[WORD_HANDED], size = 0;
	enum block_op op = medium_op(request);

	io->parent = request;
	io->request.op = op;
	io->request.flags = request->flags;
	io->request.first = io->request.size = 0;
	io->request.segs = NULL;
	io->request.seg_count = 0;
	if (op != BLOCK_FLUSH) {
		size = part_size(card, request, op, at);
		io->request.first = disk_layout_place(&card->layout, disk_back_of(request)->ns,
						      request->first + at, &size);
		io->request.size = size;
		if (op == BLOCK_READ || op == BLOCK_WRITE)
			lay_segs(card, io, at, size);
	}
	request->back_word[WORD_HANDED] += size;
	request->back_word[WORD_PARTS]++;
	card->window.out[card->window.out_count++] = &io->request;
}

/* Whether all parts of the command, or of the comparison that it is at, were handed down. */
static bool is_handed_down(const struct block_request *request)
{
	uint64_t at = request->back_word[WORD_HANDED];

	return at == request->size ||
	       (needs_bounce(request->op) && request->back_word[WORD_PHASE] == PHASE_BEGUN &&
		at % DISK_BOUNCE_SIZE == 0);
}

static void hand_down_all(struct disk_card *card)
{
	while (card->issuing.first && card->window.out_count < DISK_WINDOW) {
		struct block_request *request = card->issuing.first;
		struct disk_io *io = disk_io_take(card);

		if (!io)
			return;
		hand_down(card, request, io);
		if (is_handed_down(request))
			disk_list_take(&card->issuing);
	}
}

static unsigned free_parts(const struct disk_card *card)
{
	unsigned n = 0;

	for (const struct disk_io *io = card->free_ios; io && n < DISK_PICKS; io = io->next_free)
		n++;
	return n;
}

void disk_issue(struct disk_card *card)
{
	begin_waiting(card);
	hand_down_all(card);
	while (card->window.out_count < DISK_WINDOW && card->free_ios &&
	       disk_list_is_empty(&card->issuing) && !arbiter_is_empty(&card->arb)) {
		begin_picked(card, min_u32(free_parts(card),
					   DISK_WINDOW - card->window.out_count));
		hand_down_all(card);
	}
}

static void drain_list(struct disk_card *card, struct disk_list *list)
{
	struct block_request *request;

	while ((request = disk_list_take(list))) {
		request->result = BLOCK_GONE;
		if (request->back_word[WORD_PARTS])
			continue; /* disk_finish.c finishes it with the last part */
		if (request->op == BLOCK_COMPARE_WRITE)
			card->fences--;
		if (request->back_word[WORD_BOUNCE])
			card->bounce_used[request->back_word[WORD_BOUNCE] - 1] = false;
		disk_finish_later(card, request, BLOCK_GONE);
	}
}

void disk_drain(struct disk_card *card)
{
	drain_list(card, &card->waiting);
	drain_list(card, &card->issuing);
	for (unsigned f = 1; f <= card->function_count; f++)
		while (card->arb.queue[f].count) {
			unsigned slot = arbiter_pop(&card->arb, f);

			disk_finish_later(card, card->staged[f * ARB_RING + slot], BLOCK_GONE);
		}
}
