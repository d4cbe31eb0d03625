/* Requests of the driver, section 5.2.6. */
#include "dev/virtio_blk_internal.h"

#include <string.h>

static struct blk_command *take_command(struct virtio_blk *blk)
{
	struct blk_command *c = blk->free_commands;

	if (c)
		blk->free_commands = c->next;
	return c;
}

static void give_command(struct virtio_blk *blk, struct blk_command *c)
{
	c->next = blk->free_commands;
	blk->free_commands = c;
}

void blk_tell_misses(struct virtio_blk *blk)
{
	if (!blk->dma.requests)
		return;
	blk->misses_seen = blk->dma.requests->total;
	if (page_requests_must_tell(blk->dma.requests))
		blk->conf.host.misses(blk->conf.host.owner);
}

void blk_queue_forget(struct virtio_blk *blk, unsigned queue)
{
	struct blk_queue *q = &blk->queues[queue];

	q->generation++;
	if (q->held && !q->ordered)
		give_command(blk, q->held);
	/* Those that ended, or never began, are ours again; the others come back by their done(). */
	while (q->first) {
		struct blk_command *c = q->first;

		q->first = c->next;
		if (c->ended || c == q->held)
			give_command(blk, c);
	}
	q->held = NULL;
	q->last = NULL;
}

/* Writes the status, and gives the chain back. */
static void give_back(struct virtio_blk *blk, struct blk_queue *q, struct blk_command *c)
{
	struct ring_used used = { .id = c->id, .slots = c->slots };

	if (c->status) {
		*c->status = c->code;
		dma_wrote(&blk->dma, c->status, 1);
		used.written = c->data_bytes + 1;
		for (unsigned i = 0; c->data_bytes && i < c->request.seg_count; i++)
			dma_wrote(&blk->dma, c->segs[i].bytes, c->segs[i].size);
	}
	ring_use(&q->ring, &used, 1);
	blk->unflushed |= UINT32_C(1) << c->queue;
	give_command(blk, c);
}

void blk_give_back_ended(struct virtio_blk *blk, struct blk_queue *q)
{
	bool some = false;

	/* A ring whose pages miss a translation takes them later. */
	while (q->first && q->first->ended && ring_is_live(&q->ring)) {
		struct blk_command *first = q->first;

		q->first = first->next;
		give_back(blk, q, first);
		some = true;
	}
	/* Translations may be gone before the round's end, and with them what it would publish. */
	if (some && blk->dma.requests && ring_publish(&q->ring))
		blk->owed |= UINT32_C(1) << (q - blk->queues);
}

static void put_out(struct blk_queue *q, struct blk_command *c)
{
	c->next = NULL;
	if (q->first)
		q->last->next = c;
	else
		q->first = c;
	q->last = c;
}

/* The command has ended, with its code. */
static void command_ended(struct virtio_blk *blk, struct blk_command *c)
{
	struct blk_queue *q = &blk->queues[c->queue];

	if (c->generation != q->generation) {
		give_command(blk, c); /* its ring was stopped meanwhile */
		return;
	}
	c->ended = true;
	if (!q->ordered)
		put_out(q, c);
	blk_give_back_ended(blk, q);
}

static uint8_t code_of(enum block_result result)
{
	if (result == BLOCK_DONE)
		return VIRTIO_BLK_S_OK;
	return result == BLOCK_UNSUPPORTED ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;
}

static void count(struct block_front *front, const struct block_request *request)
{
	if (request->result != BLOCK_DONE) {
		counter_add(&front->failed, 1);
	} else if (request->op == BLOCK_READ) {
		counter_add(&front->reads, 1);
		counter_add(&front->read_bytes, request->size);
	} else if (request->op == BLOCK_WRITE) {
		counter_add(&front->writes, 1);
		counter_add(&front->written_bytes, request->size);
	} else {
		counter_add(request->op == BLOCK_FLUSH ? &front->flushes : &front->others, 1);
	}
}

static void request_done(struct worker *worker, struct block_request *request)
{
	struct blk_command *c = (struct blk_command *)request;
	struct virtio_blk *blk = c->blk;

	(void)worker;
	must(blk->front.in_flight > 0);
	blk->front.in_flight--;
	count(&blk->front, request);
	c->code = code_of(request->result);
	command_ended(blk, c);
}

/* -- what a chain says -- */

/* Takes 'size' bytes from the front of the pieces into 'to' (NULL: nowhere). */
static void cut(struct ring_piece **pieces, unsigned *count, uint32_t size, uint8_t *to)
{
	while (size) {
		uint32_t n = min_u32((*pieces)->size, size);

		if (to) {
			memcpy(to, (*pieces)->bytes, n);
			to += n;
		}
		(*pieces)->bytes += n;
		(*pieces)->size -= n;
		size -= n;
		if ((*pieces)->size == 0) {
			++*pieces;
			--*count;
		}
	}
}

static void lay_data(struct blk_command *c, const struct ring_piece *pieces, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		c->segs[i] = (struct block_seg){ pieces[i].bytes, pieces[i].size };
	c->request.segs = c->segs;
	c->request.seg_count = count;
}

/* The code with which a command ends that goes no further; or GOES_ON. */
enum { GOES_ON = 0xff };

static uint8_t read_or_write(struct virtio_blk *blk, struct blk_command *c, enum block_op op,
			     uint64_t sector, uint32_t size)
{
	struct block_request *request = &c->request;

	request->op = op;
	if (size % VIRTIO_BLK_SECTOR || sector > UINT64_MAX / VIRTIO_BLK_SECTOR)
		return VIRTIO_BLK_S_IOERR;
	request->first = sector * VIRTIO_BLK_SECTOR;
	request->size = size;
	if (op == BLOCK_READ)
		c->data_bytes = size;
	else if (!blk->writeback)
		request->flags = BLOCK_FUA;
	return GOES_ON;
}

/* DISCARD and WRITE_ZEROES: one range, since no more were offered. */
static uint8_t one_range(struct virtio_blk *blk, struct blk_command *c, enum block_op op,
			 struct ring_piece *pieces, unsigned count, uint32_t size)
{
	uint8_t range[VIRTIO_BLK_RANGE_SIZE];
	uint32_t flags;

	c->request.op = op;
	if (size != sizeof range)
		return VIRTIO_BLK_S_UNSUPP;
	cut(&pieces, &count, sizeof range, range);
	guest_read_is_over();
	flags = get_le32(range + VIRTIO_BLK_RANGE_FLAGS);
	/* Section 5.2.6.2: what the device does not know, and unmap in a discard. */
	if (flags & ~(uint32_t)VIRTIO_BLK_RANGE_F_UNMAP || (flags && op == BLOCK_DISCARD))
		return VIRTIO_BLK_S_UNSUPP;
	if (get_le64(range + VIRTIO_BLK_RANGE_SECTOR) > UINT64_MAX / VIRTIO_BLK_SECTOR)
		return VIRTIO_BLK_S_IOERR;
	c->request.first = get_le64(range + VIRTIO_BLK_RANGE_SECTOR) * VIRTIO_BLK_SECTOR;
	c->request.size = (uint64_t)get_le32(range + VIRTIO_BLK_RANGE_SECTORS) * VIRTIO_BLK_SECTOR;
	c->request.flags = flags ? BLOCK_MAY_UNMAP : 0;
	if (op == BLOCK_WRITE_ZEROES && !blk->writeback)
		c->request.flags |= BLOCK_FUA;
	return GOES_ON;
}

static uint8_t get_id(struct virtio_blk *blk, struct blk_command *c)
{
	uint32_t at = 0;

	for (unsigned i = 0; i < c->request.seg_count && at < VIRTIO_BLK_ID_BYTES; i++) {
		uint32_t n = min_u32(c->segs[i].size, VIRTIO_BLK_ID_BYTES - at);

		memcpy(c->segs[i].bytes, blk->conf.serial + at, n);
		at += n;
	}
	c->data_bytes = at;
	counter_add(&blk->front.others, 1);
	return VIRTIO_BLK_S_OK;
}

/* What the driver has not accepted it may not use (section 5.2.6.2). */
static bool is_known(const struct virtio_blk *blk, uint32_t type)
{
	switch (type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
	case VIRTIO_BLK_T_GET_ID:
		return true;
	case VIRTIO_BLK_T_FLUSH:
		return blk_has(blk, VIRTIO_BLK_F_FLUSH);
	case VIRTIO_BLK_T_DISCARD:
		return blk_has(blk, VIRTIO_BLK_F_DISCARD);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return blk_has(blk, VIRTIO_BLK_F_WRITE_ZEROES);
	default:
		return false;
	}
}

/* The request of a chain whose header was cut off; 'in' and 'out' are its data. */
static uint8_t decode(struct virtio_blk *blk, struct blk_command *c, const uint8_t *header,
		      struct ring_piece *out, unsigned out_count, uint32_t out_bytes,
		      uint32_t in_bytes)
{
	uint32_t type = get_le32(header + VIRTIO_BLK_REQ_TYPE);
	uint64_t sector = get_le64(header + VIRTIO_BLK_REQ_SECTOR);

	if (!is_known(blk, type))
		return VIRTIO_BLK_S_UNSUPP;
	switch (type) {
	case VIRTIO_BLK_T_IN:
		return read_or_write(blk, c, BLOCK_READ, sector, in_bytes);
	case VIRTIO_BLK_T_OUT:
		lay_data(c, out, out_count);
		return read_or_write(blk, c, BLOCK_WRITE, sector, out_bytes);
	case VIRTIO_BLK_T_FLUSH:
		c->request.op = BLOCK_FLUSH;
		return GOES_ON;
	case VIRTIO_BLK_T_DISCARD:
		return one_range(blk, c, BLOCK_DISCARD, out, out_count, out_bytes);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return one_range(blk, c, BLOCK_WRITE_ZEROES, out, out_count, out_bytes);
	default:
		return get_id(blk, c);
	}
}

/* Takes the status byte, the last that is written, off the chain. */
static void cut_status(struct blk_command *c, struct ring_piece *pieces, unsigned *count)
{
	struct ring_piece *last = &pieces[*count - 1];

	c->status = last->bytes + last->size - 1;
	if (--last->size == 0)
		--*count;
}

static void begin_command(struct virtio_blk *blk, struct blk_queue *q, struct blk_command *c,
			  const struct ring_chain *chain)
{
	c->request = (struct block_request){ .done = request_done };
	c->blk = blk;
	c->next = NULL;
	c->queue = (uint16_t)(q - blk->queues);
	c->id = chain->id;
	c->slots = chain->slots;
	c->generation = q->generation;
	c->ended = false;
	c->status = NULL;
	c->data_bytes = 0;
	c->code = VIRTIO_BLK_S_OK;
	if (q->ordered)
		put_out(q, c);
}

/* Hands the command to the namespace; false: not now. */
static bool submit(struct worker *worker, struct virtio_blk *blk, struct blk_command *c)
{
	struct block_back *back = blk->front.namespaces[0];

	if (!back) {
		c->code = VIRTIO_BLK_S_IOERR;
		counter_add(&blk->front.failed, 1);
		command_ended(blk, c);
		return true;
	}
	if (!back->ops->submit(worker, back, &c->request))
		return false;
	blk->front.in_flight++;
	return true;
}

/* Serves one chain that was read. */
static void serve(struct worker *worker, struct virtio_blk *blk, struct blk_queue *q,
		  struct blk_command *c, const struct ring_chain *chain)
{
	struct ring_piece *out = blk->pieces, *in = blk->pieces + chain->readable;
	unsigned out_count = chain->readable, in_count = chain->count - chain->readable;
	uint8_t header[VIRTIO_BLK_REQ_SIZE];

	cut_status(c, in, &in_count);
	cut(&out, &out_count, sizeof header, header);
	guest_read_is_over();
	lay_data(c, in, in_count);
	c->code = decode(blk, c, header, out, out_count, chain->read_bytes - (uint32_t)sizeof header,
			 chain->write_bytes - 1);
	if (c->code != GOES_ON) {
		if (c->code != VIRTIO_BLK_S_OK)
			counter_add(&blk->front.failed, 1);
		command_ended(blk, c);
	} else if (!submit(worker, blk, c)) {
		q->held = c;
	}
}

/* Reads the next chain of the queue; false when there is none that can be served now. */
static bool read_next(struct worker *worker, struct virtio_blk *blk, struct blk_queue *q)
{
	struct ring_cursor at = q->ahead;
	struct ring_chain chain;
	struct blk_command *c;
	enum ring_outcome outcome;

	if (!blk->free_commands)
		return false;
	outcome = ring_read_chain(&q->ring, &at, RING_BOTH, UINT32_MAX, &chain, blk->pieces,
				  BLK_PIECES);
	if (outcome != RING_OK && outcome != RING_BLOCKED)
		return false;
	if (outcome == RING_OK &&
	    (chain.read_bytes < VIRTIO_BLK_REQ_SIZE || chain.write_bytes == 0)) {
		ring_broken(&q->ring, "a request with a header of %u bytes and %u for its status",
			    chain.read_bytes, chain.write_bytes);
		return false;
	}
	q->ahead = at;
	c = take_command(blk);
	begin_command(blk, q, c, &chain);
	if (outcome == RING_BLOCKED)
		command_ended(blk, c); /* no status: nothing of the chain was reached */
	else
		serve(worker, blk, q, c, &chain);
	return true;
}

static unsigned poll_queue(struct worker *worker, struct virtio_blk *blk, struct blk_queue *q)
{
	unsigned n = 0;

	if (!ring_is_live(&q->ring))
		return 0;
	q->ring.work = 0;
	blk_give_back_ended(blk, q);
	if (q->held) {
		struct blk_command *c = q->held;

		if (!submit(worker, blk, c))
			return 0;
		q->held = NULL;
		n++;
	}
	while (n < BLK_ROUND && q->ring.work < BLK_WORK_MAX && !q->held &&
	       read_next(worker, blk, q))
		n++;
	return n;
}

unsigned blk_poll(struct worker *worker, struct block_front *front, uint64_t now_ns)
{
	struct virtio_blk *blk = blk_of(front);
	unsigned n = 0;

	blk->now_ns = now_ns;
	if (front->stopped[0] || blk->paused)
		return 0;
	for (unsigned i = 0; i < blk->conf.queues; i++) {
		unsigned queue = (blk->turn + i) % blk->conf.queues;

		n += poll_queue(worker, blk, &blk->queues[queue]);
	}
	blk->turn = (uint16_t)((blk->turn + 1) % blk->conf.queues);
	blk_tell_misses(blk); /* of rings' own pages, too */
	if (front->stopped[0])
		front->ready = false;
	return n;
}
