/* The guest memory of a command's data: PRP entries and lists (section 4.1.1).  Each entry is read
 * once; as many are read as the length needs, so no list can be endless. */
#include "dev/nvme_internal.h"

enum nvme_outcome nvme_data_blocked(struct nvme *nvme, struct nvme_command *cmd)
{
	(void)nvme; /* the front's counter has it from struct dma */
	return nvme_refuse(cmd, NVME_DATA_TRANSFER_ERROR);
}

bool nvme_data_list(struct nvme *nvme, struct nvme_command *cmd)
{
	if (cmd->list)
		return true;
	if (!nvme->lists)
		return false;
	cmd->list = nvme->lists;
	nvme->lists = cmd->list->next;
	return true;
}

static enum nvme_outcome add_apart(struct nvme *nvme, struct nvme_command *cmd, uint8_t *bytes,
				   uint32_t size)
{
	if (cmd->seg_count == NVME_SEGS_SMALL && cmd->segs == cmd->small) {
		if (!nvme_data_list(nvme, cmd))
			return NVME_LATER;
		memcpy(cmd->list->segs, cmd->small, sizeof cmd->small);
		cmd->segs = cmd->list->segs;
	}
	if (cmd->seg_count == BLOCK_SEGS_MAX)
		return nvme_refuse(cmd, NVME_INVALID_SGL_COUNT);
	cmd->segs[cmd->seg_count++] = (struct block_seg){ bytes, size };
	return NVME_UNDER_WAY;
}

enum nvme_outcome nvme_data_add(struct nvme *nvme, struct nvme_command *cmd, uint8_t *bytes,
				uint32_t size)
{
	if (cmd->seg_count) {
		struct block_seg *last = &cmd->segs[cmd->seg_count - 1];

		if (last->bytes + last->size == bytes && last->size <= UINT32_MAX - size) {
			last->size += size;
			return NVME_UNDER_WAY;
		}
	}
	return add_apart(nvme, cmd, bytes, size);
}

enum nvme_outcome nvme_data_add_guest(struct nvme *nvme, struct nvme_command *cmd, uint64_t addr,
				      uint64_t size, enum dma_access access)
{
	while (size) {
		uint32_t want = (uint32_t)min_u64(size, UINT32_MAX), got = want;
		uint8_t *host = dma_near(nvme->dma, addr, want, access);
		enum nvme_outcome outcome;

		if (unlikely(!host))
			switch (dma_reach(nvme->dma, addr, want, access, &host, &got)) {
			case DMA_MISS:
				return NVME_LATER;
			case DMA_FAULT:
				return nvme_data_blocked(nvme, cmd);
			case DMA_OK:
				break;
			}
		outcome = nvme_data_add(nvme, cmd, host, got);
		if (outcome != NVME_UNDER_WAY)
			return outcome;
		addr += got;
		size -= got;
	}
	return NVME_UNDER_WAY;
}

/* Where a walk through a PRP list is. */
struct prp_walk {
	uint64_t addr;	/* of the next entry */
	uint8_t *bytes; /* of it, 'ready' bytes */
	uint32_t ready;
};

static enum nvme_outcome next_entry(struct nvme *nvme, struct nvme_command *cmd,
				    struct prp_walk *walk, uint64_t *entry)
{
	if (walk->ready < NVME_PRP_SIZE) {
		uint32_t page = NVME_PAGE_SIZE - (uint32_t)(walk->addr % NVME_PAGE_SIZE);

		switch (dma_reach(nvme->dma, walk->addr, page, DMA_READ, &walk->bytes,
				  &walk->ready)) {
		case DMA_MISS:
			return NVME_LATER;
		case DMA_FAULT:
			return nvme_data_blocked(nvme, cmd);
		case DMA_OK:
			break;
		}
		if (walk->ready < NVME_PRP_SIZE)
			return nvme_data_blocked(nvme, cmd);
	}
	*entry = guest_load64(walk->bytes);
	walk->bytes += NVME_PRP_SIZE;
	walk->addr += NVME_PRP_SIZE;
	walk->ready -= NVME_PRP_SIZE;
	return NVME_UNDER_WAY;
}

/* The list that PRP entry 2 points at; 'size' bytes are left, more than a page.  The last entry of
 * a page of the list points at the next page when the list goes on. */
static enum nvme_outcome reach_list(struct nvme *nvme, struct nvme_command *cmd, uint64_t list,
				    uint64_t size, enum dma_access access)
{
	struct prp_walk walk = { .addr = list };
	enum nvme_outcome outcome = NVME_UNDER_WAY;

	if (list % NVME_PRP_SIZE)
		return nvme_refuse(cmd, NVME_PRP_OFFSET_INVALID);
	while (size) {
		bool last = walk.addr % NVME_PAGE_SIZE == NVME_PAGE_SIZE - NVME_PRP_SIZE;
		uint32_t n = (uint32_t)min_u64(size, NVME_PAGE_SIZE);
		uint64_t entry = 0;

		outcome = next_entry(nvme, cmd, &walk, &entry);
		if (outcome != NVME_UNDER_WAY)
			return outcome;
		if (entry % NVME_PAGE_SIZE)
			return nvme_refuse(cmd, NVME_PRP_OFFSET_INVALID);
		if (last && size > n) {
			walk = (struct prp_walk){ .addr = entry };
			continue;
		}
		outcome = nvme_data_add_guest(nvme, cmd, entry, n, access);
		if (outcome != NVME_UNDER_WAY)
			return outcome;
		size -= n;
	}
	return outcome;
}

enum nvme_outcome nvme_data_reach(struct nvme *nvme, struct nvme_command *cmd, uint64_t size,
				  enum dma_access access)
{
	uint64_t prp = sqe64(cmd, NVME_SQE_DPTR), n;
	enum nvme_outcome outcome;

	if (unlikely(cmd->sqe[NVME_SQE_FLAGS] >> NVME_PSDT_SHIFT))
		return nvme_sgl_reach(nvme, cmd, size, access);
	if (unlikely(prp % 4))
		return nvme_refuse(cmd, NVME_PRP_OFFSET_INVALID);
	n = min_u64(size, NVME_PAGE_SIZE - prp % NVME_PAGE_SIZE);
	outcome = nvme_data_add_guest(nvme, cmd, prp, n, access);
	size -= n;
	if (size == 0 || outcome != NVME_UNDER_WAY)
		return outcome;
	prp = sqe64(cmd, NVME_SQE_PRP2);
	if (size > NVME_PAGE_SIZE)
		return reach_list(nvme, cmd, prp, size, access);
	if (prp % NVME_PAGE_SIZE)
		return nvme_refuse(cmd, NVME_PRP_OFFSET_INVALID);
	return nvme_data_add_guest(nvme, cmd, prp, size, access);
}

void nvme_data_take(struct nvme_command *cmd, uint8_t *to, uint32_t size)
{
	for (unsigned i = 0; i < cmd->seg_count && size; i++) {
		uint32_t n = min_u32(size, cmd->segs[i].size);

		memcpy(to, cmd->segs[i].bytes, n);
		to += n;
		size -= n;
	}
	guest_read_is_over();
}

void nvme_data_give_some(struct nvme *nvme, struct nvme_command *cmd, const uint8_t *from,
			 uint32_t have, uint32_t size)
{
	for (unsigned i = 0; i < cmd->seg_count && size; i++) {
		uint32_t n = min_u32(size, cmd->segs[i].size), copied = min_u32(n, have);

		memcpy(cmd->segs[i].bytes, from, copied);
		memset(cmd->segs[i].bytes + copied, 0, n - copied);
		dma_wrote(nvme->dma, cmd->segs[i].bytes, n);
		from += copied;
		have -= copied;
		size -= n;
	}
}

void nvme_data_give(struct nvme *nvme, struct nvme_command *cmd, const uint8_t *from,
		    uint32_t size)
{
	nvme_data_give_some(nvme, cmd, from, size, size);
}

void nvme_data_wrote(struct nvme *nvme, struct nvme_command *cmd)
{
	if (likely(!nvme->dma->log.bits))
		return;
	for (unsigned i = 0; i < cmd->seg_count; i++)
		dma_wrote(nvme->dma, cmd->segs[i].bytes, cmd->segs[i].size);
}
