/* The I/O commands (NVM Command Set Specification 1.0, section 3). */
#include "dev/nvme_internal.h"

/* The range of blocks that a command names, in bytes of the namespace; false: beyond its end. */
static bool range_of(struct nvme_command *cmd, const struct block_back *back)
{
	unsigned shift = lowest_bit(back->block_size);
	uint64_t slba = sqe64(cmd, NVME_SQE_CDW10), blocks = back->size >> shift;
	uint64_t count = (sqe32(cmd, NVME_SQE_CDW12) & 0xffff) + UINT64_C(1);

	if (unlikely(slba >= blocks || count > blocks - slba))
		return false;
	cmd->request.first = slba << shift;
	cmd->request.size = count << shift;
	return true;
}

static bool writes_through(const struct nvme *nvme, const struct nvme_command *cmd,
			   const struct block_back *back)
{
	if (sqe32(cmd, NVME_SQE_CDW12) & (uint32_t)field_mask(NVME_RW_FUA))
		return true;
	return back->volatile_cache && !(nvme_feature(nvme, NVME_FEATURE_WRITE_CACHE) & 1);
}

/* Read, write and compare: data of as many bytes as the range has. */
static enum nvme_outcome transfer(struct nvme *nvme, struct nvme_command *cmd, enum block_op op)
{
	struct block_back *back = cmd->back;
	enum nvme_outcome outcome;

	if (unlikely(!range_of(cmd, back)))
		return nvme_refuse(cmd, NVME_LBA_OUT_OF_RANGE);
	if (unlikely(cmd->request.size > (uint64_t)NVME_PAGE_SIZE << nvme->mdts ||
		     (back->transfer_max && cmd->request.size > back->transfer_max)))
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	outcome = nvme_data_reach(nvme, cmd, cmd->request.size,
				  op == BLOCK_READ ? DMA_WRITE : DMA_READ);
	if (unlikely(outcome != NVME_UNDER_WAY))
		return outcome;
	cmd->request.op = op;
	cmd->request.flags = op != BLOCK_READ && writes_through(nvme, cmd, back) ? BLOCK_FUA : 0;
	cmd->request.segs = cmd->segs;
	cmd->request.seg_count = cmd->seg_count;
	return nvme_command_send(nvme, cmd);
}

/* Takes the next piece of cmd->at, cmd->left that a card takes at once. */
static void cut_piece(struct nvme_command *cmd)
{
	uint64_t most = cmd->back->transfer_max ? cmd->back->transfer_max : UINT64_C(1) << 30;

	cmd->request.first = cmd->at;
	cmd->request.size = min_u64(cmd->left, most);
	cmd->at += cmd->request.size;
	cmd->left -= cmd->request.size;
}

static bool next_piece(struct nvme *nvme, struct nvme_command *cmd)
{
	(void)nvme;
	if (cmd->left == 0)
		return false;
	cut_piece(cmd);
	return true;
}

/* Write zeroes and verify: a range without data. */
static enum nvme_outcome sweep(struct nvme *nvme, struct nvme_command *cmd, enum block_op op)
{
	if (!range_of(cmd, cmd->back))
		return nvme_refuse(cmd, NVME_LBA_OUT_OF_RANGE);
	cmd->request.op = op;
	cmd->request.flags = 0;
	if (op == BLOCK_WRITE_ZEROES && writes_through(nvme, cmd, cmd->back))
		cmd->request.flags |= BLOCK_FUA;
	if (op == BLOCK_WRITE_ZEROES && sqe_field(cmd, NVME_SQE_CDW12, NVME_RW_DEAC))
		cmd->request.flags |= BLOCK_MAY_UNMAP;
	cmd->request.segs = NULL;
	cmd->request.seg_count = 0;
	cmd->at = cmd->request.first;
	cmd->left = cmd->request.size;
	cut_piece(cmd);
	cmd->more = next_piece;
	return nvme_command_send(nvme, cmd);
}

/* The next range of a dataset management command; empty ones are passed over. */
static bool next_range(struct nvme *nvme, struct nvme_command *cmd)
{
	unsigned shift = lowest_bit(cmd->back->block_size);

	while (cmd->left == 0 && cmd->part < cmd->parts) {
		const uint8_t *range = cmd->list->bytes + cmd->part++ * NVME_DSM_RANGE_SIZE;

		cmd->at = get_le64(range + NVME_DSM_RANGE_SLBA) << shift;
		cmd->left = (uint64_t)get_le32(range + NVME_DSM_RANGE_LENGTH) << shift;
	}
	return next_piece(nvme, cmd);
}

static bool ranges_fit(const struct nvme_command *cmd)
{
	uint64_t blocks = cmd->back->size >> lowest_bit(cmd->back->block_size);

	for (unsigned i = 0; i < cmd->parts; i++) {
		const uint8_t *range = cmd->list->bytes + i * NVME_DSM_RANGE_SIZE;
		uint64_t slba = get_le64(range + NVME_DSM_RANGE_SLBA);
		uint32_t count = get_le32(range + NVME_DSM_RANGE_LENGTH);

		if (slba > blocks || count > blocks - slba)
			return false;
	}
	return true;
}

static enum nvme_outcome dataset(struct nvme *nvme, struct nvme_command *cmd)
{
	uint32_t size;
	enum nvme_outcome outcome;

	cmd->parts = sqe_field(cmd, NVME_SQE_CDW10, NVME_DSM_NR) + 1;
	cmd->part = 0;
	size = cmd->parts * NVME_DSM_RANGE_SIZE;
	outcome = nvme_data_reach(nvme, cmd, size, DMA_READ);
	if (outcome != NVME_UNDER_WAY)
		return outcome;
	if (cmd->segs == cmd->small) {
		if (!nvme_data_list(nvme, cmd))
			return NVME_LATER;
		nvme_data_take(cmd, cmd->list->bytes, size);
	} else { /* a list in many pieces: it lies where the ranges are to go */
		nvme_data_take(cmd, nvme->scratch, size);
		memcpy(cmd->list->bytes, nvme->scratch, size);
	}
	if (!ranges_fit(cmd))
		return nvme_refuse(cmd, NVME_LBA_OUT_OF_RANGE);
	cmd->left = 0;
	cmd->request.op = BLOCK_DISCARD;
	cmd->request.flags = 0;
	cmd->request.segs = NULL;
	cmd->request.seg_count = 0;
	cmd->more = next_range;
	/* The other attributes are hints; where nothing can be discarded, so is this one. */
	if (!(sqe32(cmd, NVME_SQE_CDW11) & NVME_DSM_AD) || !cmd->back->discard_granularity ||
	    !next_range(nvme, cmd)) {
		counter_add(&nvme->front.others, 1);
		return nvme_succeed(cmd);
	}
	return nvme_command_send(nvme, cmd);
}

/* The next of all namespaces that a flush of NSID ffffffff has to do. */
static bool next_flush(struct nvme *nvme, struct nvme_command *cmd)
{
	while (cmd->part < BLOCK_NAMESPACES_MAX) {
		cmd->back = nvme->front.namespaces[cmd->part++];
		if (cmd->back)
			return true;
	}
	return false;
}

static enum nvme_outcome flush(struct nvme *nvme, struct nvme_command *cmd, uint32_t nsid)
{
	cmd->request.op = BLOCK_FLUSH;
	cmd->request.flags = 0;
	cmd->request.first = 0;
	cmd->request.size = 0;
	cmd->request.segs = NULL;
	cmd->request.seg_count = 0;
	if (nsid == (uint32_t)NVME_NSID_ALL) {
		cmd->part = 0;
		cmd->more = next_flush;
		if (!next_flush(nvme, cmd))
			return nvme_succeed(cmd);
	}
	return nvme_command_send(nvme, cmd);
}

/* What each opcode does to the medium, for reservations (8.19, figure 442) and the effects log. */
static const struct {
	uint8_t opcode, writes;
} facts[] = {
	{ NVME_IO_FLUSH, 1 },	    { NVME_IO_WRITE, 1 },
	{ NVME_IO_READ, 0 },		    { NVME_IO_COMPARE, 0 },
	{ NVME_IO_WRITE_ZEROES, 1 },	    { NVME_IO_DATASET, 1 },
	{ NVME_IO_VERIFY, 0 },	    { NVME_IO_RESERVE_REGISTER, 0 },
	{ NVME_IO_RESERVE_REPORT, 0 },   { NVME_IO_RESERVE_ACQUIRE, 0 },
	{ NVME_IO_RESERVE_RELEASE, 0 },
};

void nvme_io_effects(uint8_t *log)
{
	for (unsigned i = 0; i < array_len(facts); i++)
		put_le32(log + 4 * facts[i].opcode,
			 NVME_EFFECT_CSUPP |
				 (facts[i].writes && facts[i].opcode != NVME_IO_FLUSH ?
					  NVME_EFFECT_LBCC :
					  0));
}

static bool is_reservation(uint8_t opcode)
{
	return opcode == NVME_IO_RESERVE_REGISTER || opcode == NVME_IO_RESERVE_REPORT ||
	       opcode == NVME_IO_RESERVE_ACQUIRE || opcode == NVME_IO_RESERVE_RELEASE;
}

/* What does not happen in most rounds: NVME_SUCCESS when the command may go on. */
static enum nvme_status check_space(struct nvme *nvme, const struct nvme_command *cmd,
				    struct nvme_space *space)
{
	uint8_t opcode = cmd->sqe[NVME_SQE_OPC];

	for (unsigned i = 0; i < array_len(facts); i++) {
		enum nvme_reserve_need need =
			facts[i].writes ? NVME_RESERVE_WRITES : NVME_RESERVE_READS;

		if (facts[i].opcode != opcode)
			continue;
		if (is_reservation(opcode))
			return NVME_SUCCESS;
		if (space->blocked)
			return (enum nvme_status)space->blocked;
		if (!nvme_reserve_allows(nvme, &space->reservation, need))
			return NVME_RESERVATION_CONFLICT;
		return NVME_SUCCESS;
	}
	return NVME_INVALID_OPCODE;
}

static enum nvme_outcome rare(struct nvme *nvme, struct nvme_command *cmd, uint32_t nsid)
{
	switch (cmd->sqe[NVME_SQE_OPC]) {
	case NVME_IO_COMPARE:
		return transfer(nvme, cmd, BLOCK_COMPARE);
	case NVME_IO_WRITE_ZEROES:
		return sweep(nvme, cmd, BLOCK_WRITE_ZEROES);
	case NVME_IO_VERIFY:
		return sweep(nvme, cmd, BLOCK_VERIFY);
	case NVME_IO_DATASET:
		return dataset(nvme, cmd);
	case NVME_IO_FLUSH:
		return flush(nvme, cmd, nsid);
	case NVME_IO_RESERVE_REGISTER:
	case NVME_IO_RESERVE_REPORT:
	case NVME_IO_RESERVE_ACQUIRE:
	case NVME_IO_RESERVE_RELEASE:
		return nvme_reserve(nvme, cmd, nsid);
	default:
		return nvme_refuse(cmd, NVME_INVALID_OPCODE);
	}
}

static bool is_known(uint8_t opcode)
{
	for (unsigned i = 0; i < array_len(facts); i++)
		if (facts[i].opcode == opcode)
			return true;
	return false;
}

/* No such namespace: whether the opcode, the NSID, or only this controller is at fault. */
static enum nvme_outcome refuse_nsid(struct nvme *nvme, struct nvme_command *cmd, uint32_t nsid)
{
	if (!is_known(cmd->sqe[NVME_SQE_OPC]))
		return nvme_refuse(cmd, NVME_INVALID_OPCODE);
	if (nsid - 1 < BLOCK_NAMESPACES_MAX && nvme_space(nvme, nsid)->there)
		return nvme_refuse(cmd, NVME_INVALID_FIELD); /* inactive; 3.2.1.4 */
	return nvme_refuse(cmd, NVME_INVALID_NAMESPACE);
}

enum nvme_outcome nvme_io(struct nvme *nvme, struct nvme_command *cmd)
{
	uint32_t nsid = sqe32(cmd, NVME_SQE_NSID);
	struct nvme_space *space;

	cmd->back = nvme_back(nvme, nsid);
	if (unlikely(!cmd->back)) {
		if (nsid == (uint32_t)NVME_NSID_ALL && cmd->sqe[NVME_SQE_OPC] == NVME_IO_FLUSH)
			return flush(nvme, cmd, nsid);
		return refuse_nsid(nvme, cmd, nsid);
	}
	space = nvme_space(nvme, nsid);
	if (unlikely(space->blocked || space->reservation.type)) {
		enum nvme_status status = check_space(nvme, cmd, space);

		if (status)
			return nvme_refuse(cmd, status);
	}
	switch (cmd->sqe[NVME_SQE_OPC]) {
	case NVME_IO_READ:
		return transfer(nvme, cmd, BLOCK_READ);
	case NVME_IO_WRITE:
		return transfer(nvme, cmd, BLOCK_WRITE);
	default:
		return rare(nvme, cmd, nsid);
	}
}

/* Both ended so: the first for its fault, the second because of it. */
static enum nvme_outcome refuse_pair(struct nvme_command *first, struct nvme_command *second,
				     enum nvme_status status)
{
	nvme_refuse(second, NVME_ABORTED_FAILED_FUSED);
	return nvme_refuse(first, status);
}

static enum nvme_outcome join(struct nvme *nvme, struct nvme_command *first,
			      struct nvme_command *second)
{
	for (unsigned i = 0; i < second->seg_count; i++) {
		enum nvme_outcome outcome = nvme_data_add(nvme, first, second->segs[i].bytes,
							  second->segs[i].size);

		if (outcome != NVME_UNDER_WAY)
			return outcome;
	}
	return NVME_UNDER_WAY;
}

/* Compare and write, the only pair; NVM command set, 2.1.2 and 3.2.1. */
enum nvme_outcome nvme_io_fused(struct nvme *nvme, struct nvme_command *first,
				struct nvme_command *second)
{
	uint32_t nsid = sqe32(first, NVME_SQE_NSID);
	struct nvme_space *space;
	enum nvme_outcome outcome;

	if (first->sqe[NVME_SQE_OPC] != NVME_IO_COMPARE ||
	    second->sqe[NVME_SQE_OPC] != NVME_IO_WRITE || nsid != sqe32(second, NVME_SQE_NSID) ||
	    sqe64(first, NVME_SQE_CDW10) != sqe64(second, NVME_SQE_CDW10) ||
	    (uint16_t)sqe32(first, NVME_SQE_CDW12) != (uint16_t)sqe32(second, NVME_SQE_CDW12))
		return refuse_pair(first, second, NVME_INVALID_FIELD);
	first->back = nvme_back(nvme, nsid);
	if (!first->back)
		return refuse_pair(first, second, NVME_INVALID_NAMESPACE);
	space = nvme_space(nvme, nsid);
	if (space->blocked)
		return refuse_pair(first, second, (enum nvme_status)space->blocked);
	if (!nvme_reserve_allows(nvme, &space->reservation, NVME_RESERVE_WRITES))
		return refuse_pair(first, second, NVME_RESERVATION_CONFLICT);
	if (!range_of(first, first->back))
		return refuse_pair(first, second, NVME_LBA_OUT_OF_RANGE);
	if (first->request.size > (uint64_t)NVME_PAGE_SIZE << nvme->mdts ||
	    (first->back->transfer_max && first->request.size > first->back->transfer_max))
		return refuse_pair(first, second, NVME_INVALID_FIELD);
	if (first->request.size > min_u32(NVME_FUSED_MAX, first->back->compare_write_max))
		return refuse_pair(first, second, NVME_ATOMIC_UNIT_EXCEEDED);
	outcome = nvme_data_reach(nvme, first, first->request.size, DMA_READ);
	if (outcome == NVME_UNDER_WAY)
		outcome = nvme_data_reach(nvme, second, first->request.size, DMA_READ);
	if (outcome == NVME_UNDER_WAY)
		outcome = join(nvme, first, second);
	if (outcome == NVME_LATER)
		return outcome;
	if (outcome == NVME_ENDED)
		return refuse_pair(first, second,
				   (enum nvme_status)((first->status | second->status) &
						      NVME_STATUS_CODE_MASK));
	first->request.op = BLOCK_COMPARE_WRITE;
	first->request.flags = writes_through(nvme, second, first->back) ? BLOCK_FUA : 0;
	first->request.segs = first->segs;
	first->request.seg_count = first->seg_count;
	first->waiter = second;
	second->state = NVME_CMD_PARKED;
	return nvme_command_send(nvme, first);
}
