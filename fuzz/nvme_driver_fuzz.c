/* fuzz/nvme_driver_fuzz.c -- a hostile NVMe controller under our driver and the medium that it makes: registers,
 * what Identify says, completions, and pokes into the memory that it reaches, as the input has them.  Where the
 * input says nothing the controller does as it should, so that a short input gets far.
 *
 * Whatever it does: nothing outside the memory of requests and queues is touched (a sanitizer sees it), each
 * request ends once at most, with a result, and all of them when the medium is dead; nothing waits for ever. */
#include "base/bytes.h"
#include "dev/nvme_driver.h"
#include "media/nvme_medium.h"

#include <stdlib.h>

enum {
	IOVA = 0x200000,
	REQUESTS = 24,
	DATA = 160 << 10, /* of a request at most: more than one command */
	ROUNDS = 64,
	WAITS = 200, /* while the driver waits for an admin command */
	BLOCKS = 1 << 20,
};

/* What the controller does with a command, from a byte of the input. */
enum trick {
	TRICK_NONE = 0, /* also all that are not named */
	TRICK_STATUS,	/* 2 bytes of it */
	TRICK_CID,	/* 2 bytes of another command's ID */
	TRICK_SILENCE,
	TRICK_TWICE,
	TRICK_DATA, /* of Identify: 2 bytes of an offset, 4 bytes to be there */
	TRICK_POKE, /* 4 bytes of an offset into the memory, 8 bytes */
	TRICK_FATAL,
	TRICK_RESULT, /* 4 bytes of dword 0 */
	TRICK_KINDS,
};

struct queue {
	uint64_t sq, cq; /* in the memory */
	uint32_t sq_size, cq_size, head, cq_tail;
	uint16_t phase;
	bool there;
};

static struct {
	const uint8_t *at;
	size_t left;
	uint8_t *memory;
	uint64_t size, asq, acq, cap;
	uint32_t cc, csts, aqa;
	struct queue queues[2];
	unsigned waits;
} c;

static uint64_t take(unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes && c.left; i++, c.at++, c.left--)
		value |= (uint64_t)*c.at << 8 * i;
	return value;
}

/* Where 'size' bytes at an address of the driver's lie; NULL: the driver has given a wrong one, which is ours to
 * find. */
static uint8_t *reach(uint64_t iova, uint64_t size)
{
	must(iova >= IOVA && size <= c.size && iova - IOVA <= c.size - size);
	return c.memory + (iova - IOVA);
}

static void complete(struct queue *q, uint16_t cid, uint16_t status, uint32_t dw0)
{
	uint8_t *entry = reach(q->cq + q->cq_tail * (uint64_t)NVME_CQE_SIZE, NVME_CQE_SIZE);

	put_le32(entry + NVME_CQE_DW0, dw0);
	put_le16(entry + NVME_CQE_SQHD, (uint16_t)q->head);
	put_le16(entry + NVME_CQE_CID, cid);
	put_le16(entry + NVME_CQE_STATUS, (uint16_t)(status << 1 | q->phase));
	if (++q->cq_tail == q->cq_size) {
		q->cq_tail = 0;
		q->phase ^= 1;
	}
}

static void identify(const uint8_t *sqe, unsigned trick)
{
	uint8_t *page = reach(get_le64(sqe + NVME_SQE_DPTR), NVME_IDENTIFY_SIZE);

	memset(page, 0, NVME_IDENTIFY_SIZE);
	switch (sqe[NVME_SQE_CDW10]) {
	case NVME_CNS_CONTROLLER:
		memset(page + NVME_IDC_SN, 'x', NVME_IDC_SN_SIZE + NVME_IDC_MN_SIZE);
		page[NVME_IDC_MDTS] = 5;
		page[NVME_IDC_VWC] = NVME_VWC_PRESENT;
		page[NVME_IDC_ONCS] = NVME_ONCS_DATASET | NVME_ONCS_WRITE_ZEROES;
		break;
	case NVME_CNS_ACTIVE_LIST:
		put_le32(page, 1);
		break;
	default:
		put_le64(page + NVME_IDN_NSZE, BLOCKS);
		page[NVME_IDN_LBAF0 + 2] = 9;
	}
	if (trick == TRICK_DATA) {
		uint64_t offset = take(2) % (NVME_IDENTIFY_SIZE - 4);

		put_le32(page + offset, (uint32_t)take(4));
	}
}

static void make_queue(const uint8_t *sqe)
{
	struct queue *q = &c.queues[1];
	uint32_t size = (get_le32(sqe + NVME_SQE_CDW10) >> 16) + 1;

	must((get_le32(sqe + NVME_SQE_CDW10) & 0xffff) == 1);
	if (sqe[0] == NVME_ADMIN_CREATE_CQ) {
		*q = (struct queue){ .cq = get_le64(sqe + NVME_SQE_DPTR), .cq_size = size, .phase = 1 };
		(void)reach(q->cq, size * (uint64_t)NVME_CQE_SIZE);
		return;
	}
	q->sq = get_le64(sqe + NVME_SQE_DPTR);
	q->sq_size = size;
	q->there = q->cq_size > 0;
	(void)reach(q->sq, size * (uint64_t)NVME_SQE_SIZE);
}

/* The driver's data pointers lead into its memory, all of them. */
static void check_data(const uint8_t *sqe)
{
	uint64_t size = ((get_le32(sqe + NVME_SQE_CDW12) & 0xffff) + 1) * UINT64_C(512);
	uint64_t first = get_le64(sqe + NVME_SQE_DPTR), second = get_le64(sqe + NVME_SQE_PRP2);
	uint64_t head = NVME_PAGE_SIZE - first % NVME_PAGE_SIZE;

	if (sqe[0] != NVME_IO_READ && sqe[0] != NVME_IO_WRITE)
		return;
	(void)reach(first, min_u64(size, head));
	if (size > head + NVME_PAGE_SIZE) {
		const uint8_t *list = reach(second, NVME_PAGE_SIZE);

		for (uint64_t at = head, i = 0; at < size; at += NVME_PAGE_SIZE, i++)
			(void)reach(get_le64(list + i * NVME_PRP_SIZE),
				    min_u64(size - at, NVME_PAGE_SIZE));
	} else if (size > head) {
		(void)reach(second, size - head);
	}
}

static void execute(struct queue *q, unsigned id)
{
	const uint8_t *sqe = reach(q->sq + q->head * (uint64_t)NVME_SQE_SIZE, NVME_SQE_SIZE);
	unsigned trick = (unsigned)take(1) % 64;
	uint16_t cid = get_le16(sqe + NVME_SQE_CID), status = 0;
	uint32_t dw0 = 0;

	q->head = q->head + 1 == q->sq_size ? 0 : q->head + 1;
	if (id == 0 && sqe[0] == NVME_ADMIN_IDENTIFY)
		identify(sqe, trick);
	else if (id == 0 && (sqe[0] == NVME_ADMIN_CREATE_CQ || sqe[0] == NVME_ADMIN_CREATE_SQ))
		make_queue(sqe);
	else if (id == 1)
		check_data(sqe);
	if (trick == TRICK_SILENCE)
		return;
	if (trick == TRICK_STATUS)
		status = (uint16_t)take(2);
	if (trick == TRICK_CID)
		cid = (uint16_t)take(2);
	if (trick == TRICK_RESULT)
		dw0 = (uint32_t)take(4);
	if (trick == TRICK_POKE) {
		uint64_t offset = take(4) % (nvme_driver_bytes(1, NVME_MEDIUM_DEPTH) - 8);

		put_le64(c.memory + offset, take(8));
		return; /* nothing of its own, so that what was poked is what the driver sees */
	}
	if (trick == TRICK_FATAL)
		c.csts |= NVME_CSTS_CFS;
	complete(q, cid, status, dw0);
	if (trick == TRICK_TWICE)
		complete(q, cid, status, dw0);
}

static void ring(unsigned id, uint32_t tail)
{
	struct queue *q = &c.queues[id];

	if (!q->there)
		return;
	must(tail < q->sq_size);
	/* What was poked into an entry is not taken back: addresses in it would be ours. */
	while (q->head != tail)
		execute(q, id);
}

static void enable(uint32_t cc)
{
	bool was = c.cc & 1, is = cc & 1;

	c.cc = cc;
	if (is && !was)
		c.queues[0] = (struct queue){ .sq = c.asq, .cq = c.acq, .sq_size = (c.aqa & 0xfff) + 1,
					      .cq_size = (c.aqa >> 16) + 1, .phase = 1, .there = true };
	c.csts = (c.csts & NVME_CSTS_CFS) | (is ? NVME_CSTS_RDY : 0) |
		 (field_get(cc, NVME_CC_SHN) ? NVME_SHST_COMPLETE << 2 : 0);
}

static int write_register(void *owner, uint32_t offset, unsigned size, uint64_t value)
{
	uint32_t stride = (uint32_t)NVME_DOORBELL_SIZE << field_get(c.cap, NVME_CAP_DSTRD);

	(void)owner;
	(void)size;
	switch (offset) {
	case NVME_REG_CC:
		enable((uint32_t)value);
		return 0;
	case NVME_REG_AQA:
		c.aqa = (uint32_t)value;
		return 0;
	case NVME_REG_ASQ:
		c.asq = value;
		return 0;
	case NVME_REG_ACQ:
		c.acq = value;
		return 0;
	default:
		must(offset >= NVME_REG_DOORBELLS &&
		     offset < NVME_REG_DOORBELLS + NVME_PAGE_SIZE);
		if ((offset - NVME_REG_DOORBELLS) / stride % 2 == 0)
			ring((offset - NVME_REG_DOORBELLS) / stride / 2, (uint32_t)value);
		return 0;
	}
}

static int read_register(void *owner, uint32_t offset, unsigned size, uint64_t *value)
{
	(void)owner;
	(void)size;
	*value = offset == NVME_REG_CAP ? c.cap : offset == NVME_REG_CC ? c.cc : c.csts;
	return 0;
}

static bool on_wait(void *owner)
{
	(void)owner;
	return ++c.waits < WAITS;
}

static struct request {
	struct block_request request;
	struct block_seg segs[2];
	bool at_medium, ended;
} requests[REQUESTS];

static void lay(struct request *r, uint8_t *bytes, const struct medium *medium)
{
	uint32_t block = medium->block_size;
	uint64_t room = min_u64(medium->size, DATA) / block, blocks = 1 + take(2) % room;
	uint64_t size = blocks * block, cut = take(3) % size;

	memset(r, 0, sizeof *r);
	r->request.op = (enum block_op)(take(1) % BLOCK_OP_COUNT);
	r->request.flags = (uint32_t)take(1) & (BLOCK_FUA | BLOCK_MAY_UNMAP);
	r->request.result = BLOCK_RESULT_COUNT;
	r->segs[0] = (struct block_seg){ bytes, (uint32_t)cut };
	r->segs[1] = (struct block_seg){ bytes + cut, (uint32_t)(size - cut) };
	r->request.segs = r->segs;
	r->request.seg_count = r->request.op == BLOCK_READ || r->request.op == BLOCK_WRITE ? 2 : 0;
	if (r->request.op == BLOCK_FLUSH)
		return;
	r->request.first = take(4) % (medium->size / block - blocks + 1) * block;
	r->request.size = size;
}

static void reap(struct medium *medium)
{
	struct block_request *ended[8];
	unsigned n = medium->ops->reap(NULL, medium, ended, 8);

	for (unsigned i = 0; i < n; i++) {
		struct request *r = container_of(ended[i], struct request, request);

		must(r->at_medium && !r->ended && r->request.result < BLOCK_RESULT_COUNT);
		r->ended = true;
	}
}

static void use(struct medium *medium, uint8_t *bytes)
{
	unsigned open = 0;

	for (unsigned i = 0; i < REQUESTS; i++) {
		struct block_request *list = &requests[i].request;

		lay(&requests[i], bytes + i * (size_t)DATA, medium);
		requests[i].at_medium = true;
		requests[i].at_medium = medium->ops->submit(NULL, medium, &list, 1) == 1;
		if (i % 4 == 0)
			reap(medium);
	}
	for (unsigned i = 0; i < ROUNDS; i++)
		reap(medium);
	for (unsigned i = 0; i < REQUESTS; i++)
		open += requests[i].at_medium && !requests[i].ended;
	must(medium_is_idle(medium) == (open == 0) && (!medium_is_dead(medium) || open == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t *memory, *bytes;
	struct nvme_medium_conf conf = {
		.device = { read_register, write_register, NULL, on_wait, NULL }, .how = "fuzz",
	};
	struct refusal why = { 0 };
	struct medium *medium;

	if (!memory) {
		memory = aligned_alloc(4096, nvme_medium_bytes());
		bytes = malloc(REQUESTS * (size_t)DATA);
		must(memory && bytes);
	}
	memset(memory, 0, nvme_driver_bytes(1, NVME_MEDIUM_DEPTH));
	memset(&c, 0, sizeof c);
	c.at = data;
	c.left = size;
	c.memory = memory;
	c.size = nvme_medium_bytes();
	/* CAP as it should be, and what the input changes in it. */
	c.cap = (field_make(NVME_CAP_MQES, 255) | field_make(NVME_CAP_CSS, NVME_CSS_NVM)) ^ take(8);
	conf.memory = (struct nvme_driver_memory){ memory, IOVA, c.size };
	if (nvme_medium_open(&medium, &conf, &why) != 0) {
		must(why.text[0]);
		return 0;
	}
	must(medium->size && (medium->block_size == 512 || medium->block_size == 4096));
	use(medium, bytes);
	c.waits = 0;
	medium_close(medium);
	return 0;
}
