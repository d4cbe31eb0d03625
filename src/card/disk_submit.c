/* Commands as they come from the fronts, and as they go back to them. */
#include "card/disk_internal.h"

#include <string.h>

static bool carries_data(enum block_op op)
{
	return op == BLOCK_READ || op == BLOCK_WRITE || op == BLOCK_COMPARE ||
	       op == BLOCK_COMPARE_WRITE || op == BLOCK_VERIFY;
}

/* What a command takes of the medium, where shares and rates are counted. */
static uint32_t data_bytes(const struct block_request *request)
{
	return carries_data(request->op) ? (uint32_t)min_u64(request->size, UINT32_MAX / 2) : 0;
}

static enum block_result check(const struct disk_back *back, const struct block_request *request)
{
	const struct block_back *b = &back->back;

	if (!atomic_load_explicit(&back->card->in, memory_order_relaxed))
		return BLOCK_GONE;
	if ((unsigned)request->op >= BLOCK_OP_COUNT)
		return BLOCK_UNSUPPORTED;
	if (request->op == BLOCK_FLUSH)
		return BLOCK_DONE;
	if (request->size > b->size || request->first > b->size - request->size ||
	    (request->first | request->size) % b->block_size)
		return BLOCK_OUT_OF_RANGE;
	if (disk_op_modifies(request->op) && b->read_only)
		return BLOCK_READ_ONLY;
	if (request->op == BLOCK_COMPARE_WRITE && request->size > DISK_BOUNCE_SIZE)
		return BLOCK_UNSUPPORTED;
	return BLOCK_DONE;
}

/* Nothing is left to be done for it. */
static bool is_idle(const struct disk_back *back, const struct block_request *request)
{
	if (request->op == BLOCK_FLUSH)
		return !back->card->medium->volatile_cache;
	/* A discard is an advice; a medium that cannot may leave things as they are. */
	return request->size == 0 ||
	       (request->op == BLOCK_DISCARD && !back->card->medium->discard_granularity);
}

static bool may_enter(struct disk_card *card, struct disk_function *f)
{
	if (f->in_flight >= f->depth) {
		counter_add(&f->counters.queue_full, 1);
		return false;
	}
	esw_meter_pay(&f->meter, card->now_ns);
	if (esw_meter_allows(&f->meter))
		return true;
	f->ready_ns = esw_meter_ready_ns(&f->meter);
	card->deadline_ns = min_u64(card->deadline_ns, f->ready_ns);
	counter_add(&f->counters.shaped, 1);
	return false;
}

static bool submit(struct worker *worker, struct block_back *to, struct block_request *request)
{
	struct disk_back *back = container_of(to, struct disk_back, back);
	struct disk_card *card = back->card;
	struct disk_function *f = &card->functions[back->function];
	enum block_result result;
	unsigned slot;

	(void)worker;
	if (!may_enter(card, f))
		return false;
	request->back_owner = back;
	memset(request->back_word, 0, sizeof request->back_word);
	f->in_flight++;
	back->in_flight++;
	result = check(back, request);
	if (result != BLOCK_DONE || is_idle(back, request)) {
		disk_finish_later(card, request, result);
		return true;
	}
	request->result = BLOCK_DONE;
	esw_meter_charge(&f->meter, data_bytes(request));
	slot = arbiter_push(&card->arb, back->function, data_bytes(request) + DISK_COMMAND_COST);
	card->staged[back->function * ARB_RING + slot] = request;
	return true;
}

static void cancel(struct worker *worker, struct block_back *to, struct block_request *request)
{
	(void)worker;
	(void)to;
	if (request->back_word[WORD_PHASE] == PHASE_STAGED)
		request->back_word[WORD_PHASE] = PHASE_CANCELLED;
}

const struct block_back_ops disk_back_ops = { .submit = submit, .cancel = cancel };

void disk_finish_later(struct disk_card *card, struct block_request *request,
		       enum block_result result)
{
	request->result = result;
	disk_list_put(&card->finished, request);
}

static void count(struct disk_counters *c, const struct block_request *request)
{
	if (request->result != BLOCK_DONE) {
		counter_add(&c->failed, 1);
	} else if (request->op == BLOCK_READ) {
		counter_add(&c->reads, 1);
		counter_add(&c->read_bytes, request->size);
	} else if (request->op == BLOCK_WRITE) {
		counter_add(&c->writes, 1);
		counter_add(&c->written_bytes, request->size);
	} else {
		counter_add(&c->others, 1);
	}
}

unsigned disk_complete(struct worker *worker, struct disk_card *card)
{
	struct block_request *request;
	unsigned n = 0;

	for (; (request = disk_list_take(&card->finished)); n++) {
		struct disk_back *back = disk_back_of(request);
		struct disk_function *f = &card->functions[back->function];

		must(f->in_flight > 0 && back->in_flight > 0);
		f->in_flight--;
		back->in_flight--;
		count(&f->counters, request);
		card->touched |= UINT64_C(1) << (back->function - 1);
		request->done(worker, request);
	}
	return n;
}
