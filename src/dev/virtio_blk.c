/* The virtio-blk front: life, features, configuration space, notifications. */
#include "dev/virtio_blk_internal.h"

#include <errno.h>
#include <string.h>

#define BIT(n) (UINT64_C(1) << (n))

static const uint64_t offered_bits =
	BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_F_INDIRECT_DESC) |
	BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_F_ACCESS_PLATFORM) | BIT(VIRTIO_F_ANY_LAYOUT) |
	BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_GEOMETRY) | BIT(VIRTIO_BLK_F_BLK_SIZE) |
	BIT(VIRTIO_BLK_F_TOPOLOGY) | BIT(VIRTIO_BLK_F_WRITE_ZEROES);

size_t virtio_blk_size(void)
{
	return sizeof(struct virtio_blk);
}

struct block_front *virtio_blk_front(struct virtio_blk *blk)
{
	return &blk->front;
}

static const struct block_back *back_of(const struct virtio_blk *blk)
{
	return blk->front.namespaces[0];
}

uint64_t virtio_blk_features(const struct virtio_blk *blk)
{
	const struct block_back *back = back_of(blk);
	uint64_t features = offered_bits;

	if (blk->conf.queues > 1)
		features |= BIT(VIRTIO_BLK_F_MQ);
	if (back && back->read_only)
		features = (features | BIT(VIRTIO_BLK_F_RO)) & ~BIT(VIRTIO_BLK_F_WRITE_ZEROES);
	if (back && back->volatile_cache)
		features |= BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_CONFIG_WCE);
	if (back && back->discard_granularity && !back->read_only)
		features |= BIT(VIRTIO_BLK_F_DISCARD);
	return features & ~blk->conf.features_off;
}

static bool some_ring_runs(const struct virtio_blk *blk)
{
	for (unsigned i = 0; i < blk->conf.queues; i++)
		if (blk->queues[i].ring.size)
			return true;
	return false;
}

int virtio_blk_accept(struct virtio_blk *blk, uint64_t features)
{
	if (features & ~virtio_blk_features(blk))
		return -EINVAL;
	if (blk->accepted && features == blk->features)
		return 0;
	if (some_ring_runs(blk))
		return -EBUSY;
	blk->features = features;
	blk->accepted = true;
	/* Section 5.2.5.2: without a flush there is no other way to make a write last. */
	blk->writeback = blk_has(blk, VIRTIO_BLK_F_FLUSH);
	return 0;
}

uint64_t virtio_blk_accepted(const struct virtio_blk *blk)
{
	return blk->features;
}

void virtio_blk_set_memory(struct virtio_blk *blk, const struct dma_region *regions,
			   unsigned count)
{
	blk->dma.regions = regions;
	blk->dma.region_count = count;
}

struct dma *virtio_blk_dma(struct virtio_blk *blk)
{
	return &blk->dma;
}

void virtio_blk_set_translated(struct virtio_blk *blk, struct page_requests *requests_or_null)
{
	blk->dma.requests = requests_or_null;
	for (unsigned i = 0; i < VIRTIO_BLK_QUEUES_MAX; i++)
		blk->queues[i].ring.mapped = false;
}

void virtio_blk_pause(struct virtio_blk *blk, enum virtio_blk_pause pause)
{
	blk->paused = pause == VIRTIO_BLK_PAUSE;
	if (blk->held)
		blk->front.due_ns = 1; /* they are let go with the worker's next round */
}

/* -- rings -- */

static void note_rings(struct virtio_blk *blk)
{
	bool ready = false;

	for (unsigned i = 0; i < blk->conf.queues; i++)
		ready |= blk->queues[i].ring.size && blk->queues[i].ring.enabled;
	blk->front.ready = ready && !blk->front.stopped[0];
}

int virtio_blk_ring_start(struct virtio_blk *blk, unsigned queue,
			  const struct virtio_ring_conf *conf, struct refusal *why)
{
	struct blk_queue *q = &blk->queues[queue % VIRTIO_BLK_QUEUES_MAX];
	struct ring *ring = &q->ring;
	int err;

	if (queue >= blk->conf.queues || blk->front.stopped[0]) {
		refuse(why, "", queue < blk->conf.queues ? "the front is stopped: %s" :
							   "there is no queue %s%u",
		       queue < blk->conf.queues ? blk->front.stopped : "", queue);
		return -EINVAL;
	}
	if (ring->size)
		virtio_blk_ring_stop(blk, queue);
	ring->number = queue;
	ring->packed = blk_has(blk, VIRTIO_F_RING_PACKED);
	ring->indirect = blk_has(blk, VIRTIO_F_INDIRECT_DESC);
	ring->event_idx = blk_has(blk, VIRTIO_F_EVENT_IDX);
	ring->enabled = blk->enables >> queue & 1;
	ring->call = blk->calls >> queue & 1;
	err = ring_start(ring, conf, why);
	if (!err) {
		q->ahead = ring->next;
		q->pace = (struct call_pace){ .posted = ring->seen };
		q->ordered = ring->inflight || blk->dma.requests;
		q->generation++;
	}
	blk_tell_misses(blk);
	note_rings(blk);
	return err;
}

uint32_t virtio_blk_ring_stop(struct virtio_blk *blk, unsigned queue)
{
	struct blk_queue *q = &blk->queues[queue % VIRTIO_BLK_QUEUES_MAX];
	struct ring *ring = &q->ring;
	uint32_t base;

	if (queue >= blk->conf.queues)
		return 0;
	if (!ring->size)
		return ring_base(ring);
	/* Translations may have come back while it was paused. */
	blk_give_back_ended(blk, q);
	blk_queue_forget(blk, queue);
	blk->unflushed &= ~(UINT32_C(1) << queue);
	blk->owed &= ~(UINT32_C(1) << queue);
	blk->held &= ~(UINT32_C(1) << queue);
	base = ring_stop(ring);
	note_rings(blk);
	return base;
}

void virtio_blk_ring_enable(struct virtio_blk *blk, unsigned queue, bool on)
{
	if (queue >= blk->conf.queues)
		return;
	blk->enables = on ? blk->enables | UINT32_C(1) << queue :
			    blk->enables & ~(UINT32_C(1) << queue);
	blk->queues[queue].ring.enabled = on;
	note_rings(blk);
}

bool virtio_blk_ring_runs(const struct virtio_blk *blk, unsigned queue)
{
	return queue < blk->conf.queues && blk->queues[queue].ring.size;
}

void virtio_blk_ring_set_call(struct virtio_blk *blk, unsigned queue, bool there)
{
	if (queue >= blk->conf.queues)
		return;
	blk->calls = there ? blk->calls | UINT32_C(1) << queue :
			     blk->calls & ~(UINT32_C(1) << queue);
	blk->queues[queue].ring.call = there;
}

/* -- what the worker calls beside poll -- */

/* Behind a guest's IOMMU the ring may be nowhere when a call is due; without an event index nobody
 * knows what a driver has taken. */
static bool is_paced(const struct virtio_blk *blk, const struct ring *ring)
{
	return ring->event_idx && !ring->packed && !blk->dma.requests;
}

static enum call_verdict look(struct virtio_blk *blk, struct blk_queue *q)
{
	struct call_sight sight = ring_sight(&q->ring);

	if (!blk->paused && !blk->front.stopped[0])
		return call_pace_look(&q->pace, &sight, blk->now_ns);
	return sight.wanted ? CALL_NOW : CALL_NOT;
}

/* Makes visible what queue 'i' has used; whether its driver is to be told now. */
static bool flush_queue(struct virtio_blk *blk, unsigned i)
{
	struct blk_queue *q = &blk->queues[i];
	uint32_t bit = UINT32_C(1) << i;
	bool fresh = blk->unflushed & bit, held = blk->held & bit;
	enum call_verdict verdict;

	blk->held &= ~bit;
	if (!ring_is_live(&q->ring))
		return held;
	blk->unflushed &= ~bit;
	if (!is_paced(blk, &q->ring))
		return held || (fresh && ring_publish(&q->ring));
	if (fresh)
		ring_show(&q->ring);
	verdict = look(blk, q);
	if (verdict == CALL_LATER) {
		blk->held |= bit;
		return false;
	}
	if (q->ring.call)
		ring_told(&q->ring);
	return verdict == CALL_NOW;
}

/* When the first of the calls that are held is due. */
static uint64_t next_due_ns(const struct virtio_blk *blk)
{
	uint64_t due_ns = UINT64_MAX;

	for (uint32_t held = blk->held; held; held &= held - 1)
		due_ns = min_u64(due_ns, blk->queues[lowest_bit(held)].pace.due_ns);
	return blk->held ? due_ns : 0;
}

static void blk_flush(struct worker *worker, struct block_front *front)
{
	struct virtio_blk *blk = blk_of(front);

	(void)worker;
	for (unsigned i = 0; (blk->unflushed | blk->owed | blk->held) >> i; i++) {
		uint32_t bit = UINT32_C(1) << i;
		bool wanted = blk->owed & bit;

		blk->owed &= ~bit;
		if ((blk->unflushed | blk->held) & bit)
			wanted |= flush_queue(blk, i);
		if (!wanted)
			continue;
		counter_add(&front->interrupts, 1);
		blk->conf.host.interrupt(blk->conf.host.owner, i);
	}
	front->due_ns = next_due_ns(blk);
	if (front->stopped[0])
		front->ready = false;
}

static bool blk_arm(struct worker *worker, struct block_front *front)
{
	struct virtio_blk *blk = blk_of(front);
	bool busy = false;

	(void)worker;
	if (front->stopped[0] || blk->paused)
		return false;
	for (unsigned i = 0; i < blk->conf.queues; i++) {
		struct blk_queue *q = &blk->queues[i];

		if (!ring_is_live(&q->ring))
			continue;
		(void)ring_arm(&q->ring); /* counts what is out as work, which it is not */
		busy |= !q->held && blk->free_commands && ring_peek(&q->ring, &q->ahead) == RING_OK;
	}
	blk_tell_misses(blk);
	return busy && !front->stopped[0];
}

/* While it is paused its rings may be nowhere: they stay armed until the worker wakes another time. */
static void blk_disarm(struct worker *worker, struct block_front *front)
{
	struct virtio_blk *blk = blk_of(front);

	(void)worker;
	if (blk->paused)
		return;
	for (unsigned i = 0; i < blk->conf.queues; i++)
		if (blk->queues[i].ring.armed && ring_is_live(&blk->queues[i].ring))
			ring_disarm(&blk->queues[i].ring);
}

static void namespaces_changed(struct ctl *ctl, struct block_front *front)
{
	struct virtio_blk *blk = blk_of(front);

	(void)ctl;
	if (front->ready)
		blk->conf.host.config_changed(blk->conf.host.owner);
}

static const struct block_front_ops blk_ops = {
	.name = "virtio-blk",
	.poll = blk_poll,
	.flush = blk_flush,
	.arm = blk_arm,
	.disarm = blk_disarm,
	.namespaces_changed = namespaces_changed,
};

/* -- configuration space -- */

static uint8_t log2_of(uint32_t n)
{
	uint8_t log = 0;

	while (n > 1) {
		n /= 2;
		log++;
	}
	return log;
}

/* As any disk without one of its own says it.  A PC's firmware tells boot loaders of a disk without heads that it
 * has none, and they cannot read from it. */
static void lay_geometry(uint64_t sectors, uint8_t *config)
{
	enum { CYLINDERS_MAX = 16383, HEADS = 16, TRACK = 63 };
	uint64_t cylinders = min_u64(sectors / (HEADS * TRACK), CYLINDERS_MAX);

	put_le16(config + VIRTIO_BLK_CONFIG_CYLINDERS, (uint16_t)max_u64(cylinders, 1));
	config[VIRTIO_BLK_CONFIG_HEADS] = HEADS;
	config[VIRTIO_BLK_CONFIG_SECTORS] = TRACK;
}

static void lay_config(const struct virtio_blk *blk, uint8_t *config)
{
	static const struct block_back nothing = { .block_size = VIRTIO_BLK_SECTOR,
						   .physical_block_size = VIRTIO_BLK_SECTOR };
	const struct block_back *back = back_of(blk) ? back_of(blk) : &nothing;
	uint32_t whole = UINT32_MAX / 8; /* of sectors: any range that a driver makes */

	memset(config, 0, VIRTIO_BLK_CONFIG_SIZE);
	put_le64(config + VIRTIO_BLK_CONFIG_CAPACITY, back->size / VIRTIO_BLK_SECTOR);
	put_le32(config + VIRTIO_BLK_CONFIG_SEG_MAX, VIRTIO_BLK_SEG_MAX);
	lay_geometry(back->size / VIRTIO_BLK_SECTOR, config);
	put_le32(config + VIRTIO_BLK_CONFIG_BLK_SIZE, back->block_size);
	config[VIRTIO_BLK_CONFIG_PHYSICAL_EXP] =
		log2_of(back->physical_block_size / back->block_size);
	put_le16(config + VIRTIO_BLK_CONFIG_MIN_IO_SIZE,
		 (uint16_t)(back->physical_block_size / back->block_size));
	config[VIRTIO_BLK_CONFIG_WRITEBACK] = blk->writeback;
	put_le16(config + VIRTIO_BLK_CONFIG_NUM_QUEUES, blk->conf.queues);
	put_le32(config + VIRTIO_BLK_CONFIG_DISCARD_SECTORS, whole);
	put_le32(config + VIRTIO_BLK_CONFIG_DISCARD_SEG, VIRTIO_BLK_RANGES_MAX);
	put_le32(config + VIRTIO_BLK_CONFIG_DISCARD_ALIGNMENT,
		 back->discard_granularity / VIRTIO_BLK_SECTOR);
	put_le32(config + VIRTIO_BLK_CONFIG_ZEROES_SECTORS, whole);
	put_le32(config + VIRTIO_BLK_CONFIG_ZEROES_SEG, VIRTIO_BLK_RANGES_MAX);
	config[VIRTIO_BLK_CONFIG_ZEROES_MAY_UNMAP] = back->discard_granularity != 0;
}

void virtio_blk_config_read(const struct virtio_blk *blk, uint32_t offset, uint32_t size,
			    uint8_t *to)
{
	uint8_t config[VIRTIO_BLK_CONFIG_SIZE];

	lay_config(blk, config);
	for (uint32_t i = 0; i < size; i++)
		to[i] = i < sizeof config && offset < sizeof config - i ? config[offset + i] : 0;
}

int virtio_blk_config_write(struct virtio_blk *blk, uint32_t offset, uint32_t size,
			    const uint8_t *from)
{
	if (offset != VIRTIO_BLK_CONFIG_WRITEBACK || size != 1 || from[0] > 1 ||
	    !blk_has(blk, VIRTIO_BLK_F_CONFIG_WCE))
		return -EPERM;
	blk->writeback = from[0];
	return 0;
}

/* -- life -- */

void virtio_blk_reset(struct virtio_blk *blk)
{
	for (unsigned i = 0; i < blk->conf.queues; i++) {
		blk_queue_forget(blk, i);
		ring_stop(&blk->queues[i].ring);
		blk->queues[i].ring.enabled = false;
	}
	blk->unflushed = blk->owed = blk->held = blk->enables = 0;
	blk->front.due_ns = 0;
	blk->features = 0;
	blk->accepted = false;
	blk->writeback = true;
	blk->front.ready = false;
	blk->front.stopped[0] = '\0';
}

int virtio_blk_init(struct virtio_blk *blk, const struct virtio_blk_conf *conf)
{
	if (conf->queues < 1 || conf->queues > VIRTIO_BLK_QUEUES_MAX)
		return -EINVAL;
	memset(blk, 0, sizeof *blk);
	blk->conf = *conf;
	blk->front.ops = &blk_ops;
	blk->device.ops = &blk_device_ops;
	dma_init(&blk->dma, conf->domain, &blk->front.dma_blocked);
	for (unsigned i = 0; i < VIRTIO_BLK_QUEUES_MAX; i++) {
		blk->queues[i].ring.dma = &blk->dma;
		blk->queues[i].ring.blame = blk->front.stopped;
		blk->queues[i].ring.number = i;
	}
	for (unsigned i = VIRTIO_BLK_COMMANDS; i-- > 0;) {
		blk->commands[i].next = blk->free_commands;
		blk->free_commands = &blk->commands[i];
	}
	virtio_blk_reset(blk);
	return 0;
}
