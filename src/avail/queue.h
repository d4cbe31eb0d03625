/* avail/queue.h -- groups of sets in the order of their best sets, as many as will still be wanted.
 *
 * Only for the list of sets (sets_list.c). */
#ifndef AVAIL_QUEUE_H
#define AVAIL_QUEUE_H

#include "avail/memory.h"

/* The sets that have the fixed literals, and then one of 'ref' and one of each of the chain 'later'. */
struct avail_group {
	int64_t cost;   /* of its best set */
	double fixed;   /* probability of the fixed literals */
	uint64_t block; /* words[...]: the fixed literals, then those of the best set, sorted */
	uint32_t fixed_count, count;
	uint32_t ref, later;
};

struct avail_queue {
	struct avail_memory *memory;
	struct avail_group *groups; /* a heap */
	uint64_t group_count, group_room;
	uint32_t *words;
	uint64_t word_count, word_room;
};

/* Makes room for 'count' words behind those of the queue, for a group's block.  false: no room. */
bool avail_queue_reserve(struct avail_queue *queue, uint64_t count);

/* Puts in a group whose block has been written behind the words.  false: no room. */
bool avail_queue_put(struct avail_queue *queue, const struct avail_group *group);

/* Takes out the best.  Its block stays until the next prune. */
struct avail_group avail_queue_take(struct avail_queue *queue);

/* Drops all but the best 'wanted' groups when there are many more.  false: no room. */
bool avail_queue_prune(struct avail_queue *queue, uint64_t wanted);

void avail_queue_fini(struct avail_queue *queue);

#endif
