#include "avail/sort.h"

static bool before(const struct avail_keyed *a, const struct avail_keyed *b)
{
	return a->key != b->key ? a->key < b->key : a->value < b->value;
}

static void sink(struct avail_keyed *heap, uint32_t at, uint32_t count, struct avail_keyed thing)
{
	uint64_t child;

	for (; (child = 2 * (uint64_t)at + 1) < count; at = (uint32_t)child) {
		if (child + 1 < count && before(&heap[child], &heap[child + 1]))
			child++;
		if (!before(&thing, &heap[child]))
			break;
		heap[at] = heap[child];
	}
	heap[at] = thing;
}

/* Few are inserted one by one, which keeps what is nearly in order cheap; many go through a heap.
 */
void avail_sort(struct avail_keyed *things, uint32_t count)
{
	if (count <= 16) {
		for (uint32_t i = 1; i < count; i++) {
			struct avail_keyed thing = things[i];
			uint32_t j = i;

			for (; j > 0 && before(&thing, &things[j - 1]); j--)
				things[j] = things[j - 1];
			things[j] = thing;
		}
		return;
	}
	for (uint32_t i = count / 2; i-- > 0;)
		sink(things, i, count, things[i]);
	for (uint32_t i = count - 1; i > 0; i--) {
		struct avail_keyed last = things[i];

		things[i] = things[0];
		sink(things, 0, i, last);
	}
}
