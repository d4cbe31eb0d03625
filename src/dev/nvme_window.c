#include "dev/nvme_internal.h"

void nvme_window_open(struct nvme_window *window, uint64_t base, uint32_t size)
{
	*window = (struct nvme_window){ .base = base, .size = size };
}

/* Where the whole window lies in one piece of host memory: remembered until the map changes. */
static void look_flat(struct nvme *nvme, struct nvme_window *window, enum dma_access access)
{
	uint32_t done = 0, got;
	uint8_t *first = NULL, *host;
	enum dma_outcome outcome;

	window->epoch = dma_epoch(nvme->dma);
	window->flat = NULL;
	while (done < window->size) {
		uint32_t page = NVME_PAGE_SIZE - (uint32_t)((window->base + done) % NVME_PAGE_SIZE);
		uint32_t n = min_u32(window->size - done, page);

		outcome = dma_reach(nvme->dma, window->base + done, n, access, &host, &got);
		if (outcome != DMA_OK || got < n || (done && host != first + done)) {
			/* Another look is worth its while only when it was a miss. */
			window->seen = outcome == DMA_OK;
			return;
		}
		if (done == 0)
			first = host;
		done += n;
	}
	window->flat = first;
	window->seen = true;
}

enum dma_outcome nvme_window_look(struct nvme *nvme, struct nvme_window *window, uint32_t offset,
				  uint32_t size, enum dma_access access, uint8_t **host)
{
	enum dma_outcome outcome;
	uint32_t got;

	must(size <= window->size && offset <= window->size - size);
	if (!window->seen || window->epoch != dma_epoch(nvme->dma))
		look_flat(nvme, window, access);
	if (window->flat) {
		*host = window->flat + offset;
		return DMA_OK;
	}
	outcome = dma_reach(nvme->dma, window->base + offset, size, access, host, &got);
	if (outcome == DMA_OK && got < size)
		return DMA_FAULT;
	return outcome;
}
