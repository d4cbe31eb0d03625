/* Scatter gather lists (section 4.1.2).  Each descriptor is copied once.  A list may be as long as
 * NVME_SGL_DESCRIPTORS_MAX, empty descriptors included, so none is endless. */
#include "dev/nvme_internal.h"

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint8_t id;
};

struct sgl_walk {
	uint64_t size; /* bytes of data still to be described */
	enum dma_access access;
	unsigned seen;
};

static struct descriptor parse(const uint8_t *bytes)
{
	return (struct descriptor){ get_le64(bytes + NVME_SGL_ADDRESS),
				    get_le32(bytes + NVME_SGL_LENGTH), bytes[NVME_SGL_ID] };
}

/* What a guest reads into a bit bucket goes to memory that nobody looks at; what it writes from
 * one is nothing, so the descriptor has no length then. */
static enum nvme_outcome add_bucket(struct nvme *nvme, struct nvme_command *cmd,
				    struct sgl_walk *walk, uint32_t length)
{
	uint64_t left = min_u64(walk->size, length);
	enum nvme_outcome outcome = NVME_UNDER_WAY;

	if (walk->access == DMA_READ)
		return NVME_UNDER_WAY;
	walk->size -= left;
	while (left && outcome == NVME_UNDER_WAY) {
		uint32_t n = (uint32_t)min_u64(left, NVME_SINK_SIZE);

		outcome = nvme_data_add(nvme, cmd, nvme->subsystem->sink, n);
		left -= n;
	}
	return outcome;
}

static enum nvme_outcome add_block(struct nvme *nvme, struct nvme_command *cmd,
				   struct sgl_walk *walk, const struct descriptor *block)
{
	uint64_t n = min_u64(walk->size, block->length);

	walk->size -= n;
	return nvme_data_add_guest(nvme, cmd, block->address, n, walk->access);
}

static bool is_segment(uint8_t id)
{
	return id == NVME_SGL_SEGMENT || id == NVME_SGL_LAST_SEGMENT;
}

static enum nvme_outcome add_descriptor(struct nvme *nvme, struct nvme_command *cmd,
					struct sgl_walk *walk, const struct descriptor *d)
{
	switch (d->id) {
	case NVME_SGL_DATA_BLOCK:
		return add_block(nvme, cmd, walk, d);
	case NVME_SGL_BIT_BUCKET:
		return add_bucket(nvme, cmd, walk, d->length);
	default:
		return nvme_refuse(cmd, NVME_SGL_TYPE_INVALID);
	}
}

/* Reads the descriptor at 'addr', which may lie across two granted ranges. */
static enum nvme_outcome read_descriptor(struct nvme *nvme, struct nvme_command *cmd, uint64_t addr,
					 struct descriptor *d)
{
	uint8_t bytes[NVME_SGL_SIZE], *host;
	uint32_t done = 0, got;

	while (done < sizeof bytes) {
		switch (dma_reach(nvme->dma, addr + done, (uint32_t)sizeof bytes - done, DMA_READ,
				  &host, &got)) {
		case DMA_MISS:
			return NVME_LATER;
		case DMA_FAULT:
			return nvme_data_blocked(nvme, cmd);
		case DMA_OK:
			break;
		}
		memcpy(bytes + done, host, got);
		done += got;
	}
	guest_read_is_over();
	*d = parse(bytes);
	return NVME_UNDER_WAY;
}

/* One segment; 'segment' becomes the descriptor of the next one, or has length 0 when there is
 * none. */
static enum nvme_outcome walk_segment(struct nvme *nvme, struct nvme_command *cmd,
				      struct sgl_walk *walk, struct descriptor *segment)
{
	uint32_t count = segment->length / NVME_SGL_SIZE;
	uint64_t addr = segment->address;
	bool last = segment->id == NVME_SGL_LAST_SEGMENT;

	if (segment->length == 0 || segment->length % NVME_SGL_SIZE)
		return nvme_refuse(cmd, NVME_INVALID_SGL_SEGMENT);
	segment->length = 0;
	for (uint32_t i = 0; i < count && walk->size; i++, addr += NVME_SGL_SIZE) {
		enum nvme_outcome outcome;
		struct descriptor d;

		if (walk->seen++ == NVME_SGL_DESCRIPTORS_MAX)
			return nvme_refuse(cmd, NVME_INVALID_SGL_COUNT);
		outcome = read_descriptor(nvme, cmd, addr, &d);
		if (outcome != NVME_UNDER_WAY)
			return outcome;
		if (is_segment(d.id)) {
			if (last)
				return nvme_refuse(cmd, NVME_INVALID_SGL_SEGMENT);
			if (i + 1 != count)
				return nvme_refuse(cmd, NVME_INVALID_SGL_COUNT);
			*segment = d;
			if (d.length == 0)
				return nvme_refuse(cmd, NVME_INVALID_SGL_SEGMENT);
			return NVME_UNDER_WAY;
		}
		outcome = add_descriptor(nvme, cmd, walk, &d);
		if (outcome != NVME_UNDER_WAY)
			return outcome;
	}
	return NVME_UNDER_WAY;
}

enum nvme_outcome nvme_sgl_reach(struct nvme *nvme, struct nvme_command *cmd, uint64_t size,
				 enum dma_access access)
{
	struct sgl_walk walk = { .size = size, .access = access };
	struct descriptor d = parse(cmd->sqe + NVME_SQE_DPTR);
	enum nvme_outcome outcome;

	if (cmd->sqe[NVME_SQE_FLAGS] >> NVME_PSDT_SHIFT > NVME_PSDT_SGL_METADATA)
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	if (!is_segment(d.id)) {
		outcome = add_descriptor(nvme, cmd, &walk, &d);
	} else {
		do
			outcome = walk_segment(nvme, cmd, &walk, &d);
		while (outcome == NVME_UNDER_WAY && d.length && walk.size);
	}
	if (outcome == NVME_UNDER_WAY && walk.size)
		return nvme_refuse(cmd, NVME_DATA_SGL_LENGTH_INVALID);
	return outcome;
}
