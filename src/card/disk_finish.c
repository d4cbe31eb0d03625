/* Parts that came back from the medium, and what becomes of their commands. */
#include "card/disk_internal.h"

#include <string.h>

static void give_bounce(struct disk_card *card, struct block_request *request)
{
	if (!request->back_word[WORD_BOUNCE])
		return;
	card->bounce_used[request->back_word[WORD_BOUNCE] - 1] = false;
	request->back_word[WORD_BOUNCE] = 0;
	card->look_again = true;
}

static void finish(struct disk_card *card, struct block_request *request)
{
	give_bounce(card, request);
	if (request->op == BLOCK_COMPARE_WRITE) {
		must(card->fences > 0);
		card->fences--;
	}
	card->look_again |= !disk_list_is_empty(&card->waiting);
	disk_finish_later(card, request, request->result);
}

/* Compares 'size' bytes of the command, from 'at' on, with what was read. */
static bool is_same(const struct block_request *request, uint64_t at, uint64_t size,
		    const uint8_t *bytes)
{
	for (unsigned i = 0; i < request->seg_count && size; i++) {
		const struct block_seg *seg = &request->segs[i];
		uint64_t take;

		if (at >= seg->size) {
			at -= seg->size;
			continue;
		}
		take = min_u64(seg->size - at, size);
		if (memcmp(seg->bytes + at, bytes, take) != 0)
			return false;
		bytes += take;
		size -= take;
		at = 0;
	}
	return true;
}

/* One bounce buffer was filled: what the command wanted to know of it.  True: it goes on. */
static bool judge(struct disk_card *card, struct block_request *request)
{
	uint64_t end = request->back_word[WORD_HANDED];
	uint64_t begin = (end - 1) / DISK_BOUNCE_SIZE * DISK_BOUNCE_SIZE;

	if (request->op != BLOCK_VERIFY &&
	    !is_same(request, begin, end - begin, disk_bounce(card, request))) {
		request->result = BLOCK_DIFFERS;
		return false;
	}
	if (request->op != BLOCK_COMPARE_WRITE)
		return end < request->size;
	request->back_word[WORD_PHASE] = PHASE_WRITES;
	request->back_word[WORD_HANDED] = 0;
	return true;
}

static void part_ended(struct disk_card *card, struct block_request *request)
{
	if (--request->back_word[WORD_PARTS] > 0)
		return;
	if (request->result != BLOCK_DONE) {
		/* A failed command may stand first among those that are handed down still. */
		if (card->issuing.first == request)
			disk_list_take(&card->issuing);
		finish(card, request);
		return;
	}
	if (card->issuing.first == request)
		return; /* more of it follows */
	if (request->back_word[WORD_BOUNCE] && request->back_word[WORD_PHASE] == PHASE_BEGUN &&
	    judge(card, request))
		disk_list_put(&card->issuing, request);
	else
		finish(card, request);
}

void disk_io_ended(struct disk_card *card, struct disk_io *io)
{
	struct block_request *parent = io->parent;
	enum block_result result = io->request.result;

	if (!parent) {
		if (io->keeps)
			disk_keep_ended(card, io);
		else
			disk_job_ended(card, io);
		disk_io_give(card, io);
		return;
	}
	io->parent = NULL;
	disk_io_give(card, io);
	if (!atomic_load_explicit(&card->in, memory_order_relaxed))
		result = BLOCK_GONE;
	if (result != BLOCK_DONE && parent->result == BLOCK_DONE)
		parent->result = result;
	part_ended(card, parent);
}
