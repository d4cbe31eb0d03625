#include "card/disk_internal.h"

#include <errno.h>
#include <string.h>

enum { ALIGN = 4096 }; /* media read and write our own buffers directly */

/* The parts behind struct disk_card. */
struct parts {
	struct disk_io *ios;
	struct block_seg *segs;
	struct block_request **staged;
	uint8_t *table_bytes, *record_bytes, *bounces;
};

static void *carve(uint8_t *memory, size_t *used, size_t size)
{
	void *part = memory ? memory + *used : NULL;

	*used += (size + ALIGN - 1) / ALIGN * ALIGN;
	return part;
}

static size_t lay(const struct disk_card_conf *conf, uint8_t *memory, struct parts *p)
{
	size_t used = 0;

	carve(memory, &used, sizeof(struct disk_card));
	p->ios = carve(memory, &used, conf->depth * sizeof *p->ios);
	p->segs = carve(memory, &used, conf->depth * sizeof *p->segs * BLOCK_SEGS_MAX);
	p->staged = carve(memory, &used, (conf->functions + 1u) * ARB_RING * sizeof *p->staged);
	p->table_bytes = carve(memory, &used, DISK_COPIES * DISK_COPY_SIZE);
	p->record_bytes = carve(memory, &used, DISK_RECORD_BOTH);
	p->bounces = carve(memory, &used, DISK_BOUNCES * DISK_BOUNCE_SIZE);
	return used;
}

size_t disk_card_size(const struct disk_card_conf *conf)
{
	struct parts parts;

	return lay(conf, NULL, &parts);
}

static int check(const struct disk_card *card, const struct disk_card_conf *conf,
		 struct refusal *why)
{
	if (conf->functions < 1 || conf->functions > DISK_FUNCTIONS_MAX)
		refuse(why, "functions", "a disk card has 1 to %d functions, not %u",
		       DISK_FUNCTIONS_MAX, conf->functions);
	else if (conf->depth < 1 || conf->depth > DISK_DEPTH_MAX)
		refuse(why, "depth", "a medium is given 1 to %d requests at once, not %u",
		       DISK_DEPTH_MAX, conf->depth);
	else if ((uintptr_t)card % ALIGN)
		refuse(why, "", "the card's memory must begin at a multiple of %d", ALIGN);
	else
		return 0;
	return -EINVAL;
}

int disk_card_init(struct disk_card *card, const struct disk_card_conf *conf, struct refusal *why)
{
	struct parts p;
	int err = check(card, conf, why);

	if (err)
		return err;
	memset(card, 0, sizeof *card);
	lay(conf, (uint8_t *)card, &p);
	card->polled.ops = &disk_polled_ops;
	card->hold = &card->own_hold;
	card->medium = conf->medium;
	card->function_count = conf->functions;
	card->depth = conf->depth;
	card->deadline_ns = UINT64_MAX;
	card->staged = p.staged;
	card->ios = p.ios;
	card->table_bytes = p.table_bytes;
	card->record_bytes = p.record_bytes;
	card->bounces = p.bounces;
	for (unsigned i = conf->depth; i-- > 0;) {
		memset(&card->ios[i], 0, sizeof card->ios[i]);
		card->ios[i].segs = p.segs + (size_t)i * BLOCK_SEGS_MAX;
		disk_io_give(card, &card->ios[i]);
	}
	arbiter_init(&card->arb);
	esw_meter_init(&card->no_meter, 0, 0);
	atomic_store_explicit(&card->in, true, memory_order_relaxed);
	return 0;
}

void disk_card_share_hold(struct disk_card *card, struct disk_card *with)
{
	card->hold = with->hold;
}

struct hold *disk_card_hold_of(struct disk_card *card)
{
	return card->hold;
}

struct polled *disk_card_polled(struct disk_card *card)
{
	return &card->polled;
}

bool disk_card_hold(struct ctl *ctl, struct disk_card *card, hold_pause *pause, unsigned tries)
{
	(void)ctl;
	hold_want(card->hold); /* worker_takes */
	for (unsigned i = 0; i < tries; i = hold_next_look(i, tries, pause)) {
		if (hold_try(card->hold, HOLD_CONTROL)) {
			/* What the medium is doing is better settled first, but not awaited for ever. */
			if (i + 1 == tries || i >= DISK_HOLD_PATIENCE ||
			    !disk_window_is(card, DISK_OPEN)) {
				disk_settle(card);
				return true;
			}
			hold_give(card->hold, HOLD_CONTROL);
		}
	}
	hold_unwant(card->hold);
	return false;
}

void disk_card_release(struct ctl *ctl, struct disk_card *card)
{
	(void)ctl;
	hold_unwant(card->hold);
	hold_give(card->hold, HOLD_CONTROL);
}

const struct disk_layout *disk_card_layout(const struct disk_card *card)
{
	return &card->layout;
}

static int check_bind(const struct disk_card *card, unsigned function,
		      const struct disk_function_conf *conf, struct refusal *why)
{
	if (function < 1 || function > card->function_count)
		refuse(why, "function", "the card has functions 1 to %u, not %u",
		       card->function_count, function);
	else if (conf->depth < 1 || conf->depth > DISK_QUEUE_MAX)
		refuse(why, "depth", "a function has 1 to %d commands at once, not %u",
		       DISK_QUEUE_MAX, conf->depth);
	else if (conf->weight < 1 || conf->weight > 1000)
		refuse(why, "weight", "%u is not within 1 to 1000", conf->weight);
	else if (conf->priority >= DISK_PRIORITIES)
		refuse(why, "priority", "%u is not within 0 to %d", conf->priority,
		       DISK_PRIORITIES - 1);
	else if (conf->rate_bytes && conf->rate_bytes * 8 < ESW_METER_BPS_MIN)
		refuse(why, "rate_bytes", "the least rate is %d bytes a second",
		       ESW_METER_BPS_MIN / 8);
	else
		return 0;
	return -EINVAL;
}

int disk_card_bind(struct ctl *ctl, struct disk_card *card, unsigned function,
		   struct block_front *front, const struct disk_function_conf *conf,
		   struct refusal *why)
{
	struct disk_function *f = &card->functions[function % (DISK_FUNCTIONS_MAX + 1)];
	int err = check_bind(card, function, conf, why);

	(void)ctl;
	if (err)
		return err;
	if (f->bound) {
		refuse(why, "function", "function %u is bound already", function);
		return -EBUSY;
	}
	f->bound = true;
	f->front = front;
	f->depth = conf->depth;
	f->ready_ns = 0;
	esw_meter_init(&f->meter, conf->rate_bytes * 8, conf->rate_commands);
	f->meter.last_ns = card->now_ns;
	arbiter_set(&card->arb, function, conf->weight, conf->priority);
	if (front)
		front->hold = card->hold;
	return 0;
}

int disk_card_unbind(struct ctl *ctl, struct disk_card *card, unsigned function)
{
	struct disk_function *f = &card->functions[function];

	(void)ctl;
	must(function >= 1 && function <= card->function_count);
	if (f->in_flight)
		return -EAGAIN;
	for (unsigned i = 0; i < DISK_BACKS_MAX; i++)
		if (card->backs[i].ns && card->backs[i].function == function)
			card->backs[i].ns = NULL;
	if (f->front)
		f->front->hold = NULL;
	f->front = NULL;
	f->bound = false;
	return 0;
}

static void describe(struct disk_back *back, enum disk_access access)
{
	const struct medium *medium = back->card->medium;

	back->back = (struct block_back){
		.ops = &disk_back_ops,
		.size = back->ns->size,
		.block_size = back->ns->block_size,
		.physical_block_size = medium->physical_block_size > back->ns->block_size
					       ? medium->physical_block_size
					       : back->ns->block_size,
		.discard_granularity = medium->discard_granularity,
		.compare_write_max = DISK_BOUNCE_SIZE,
		.read_only = access == DISK_READ_ONLY || medium->read_only,
		.volatile_cache = medium->volatile_cache,
	};
	memcpy(back->back.id, back->ns->uuid, DISK_ID_SIZE);
}

/* Whether a job still works on the namespace. */
static bool is_in_the_making(const struct disk_card *card, uint32_t id)
{
	return card->job.state == DISK_JOB_RUNS && card->job.added == id;
}

struct block_back *disk_card_attach(struct ctl *ctl, struct disk_card *card, unsigned function,
				    uint32_t id, enum disk_access access, struct refusal *why)
{
	const struct disk_namespace *ns = disk_layout_find(&card->layout, id);

	(void)ctl;
	must(function >= 1 && function <= card->function_count && card->functions[function].bound);
	if (!ns || is_in_the_making(card, id)) {
		refuse(why, "namespace", "the card has no namespace %u%s", id, ns ? " yet" : "");
		return NULL;
	}
	for (unsigned i = 0; i < DISK_BACKS_MAX; i++) {
		struct disk_back *back = &card->backs[i];

		if (back->ns)
			continue;
		*back = (struct disk_back){
			.card = card, .ns = ns, .function = (uint16_t)function
		};
		describe(back, access);
		return &back->back;
	}
	refuse(why, "namespace", "the functions of a card have %d namespaces together at most",
	       DISK_BACKS_MAX);
	return NULL;
}

int disk_card_detach(struct ctl *ctl, struct disk_card *card, struct block_back *to)
{
	struct disk_back *back = container_of(to, struct disk_back, back);

	(void)ctl;
	must(back->card == card && back->ns);
	if (back->in_flight)
		return -EAGAIN;
	back->ns = NULL;
	return 0;
}

void disk_card_pull(struct ctl *ctl, struct disk_card *card)
{
	(void)ctl;
	atomic_store_explicit(&card->in, false, memory_order_relaxed);
	disk_job_gone(card);
	disk_keep_gone(card);
}

void disk_card_insert(struct ctl *ctl, struct disk_card *card)
{
	(void)ctl;
	atomic_store_explicit(&card->in, true, memory_order_relaxed);
}

bool disk_card_is_in(const struct disk_card *card)
{
	return atomic_load_explicit(&((struct disk_card *)card)->in, memory_order_relaxed);
}

unsigned disk_card_at_medium(const struct disk_card *card)
{
	return atomic_load_explicit(&((struct disk_card *)card)->at_medium, memory_order_relaxed);
}

const struct disk_counters *disk_card_counters(const struct disk_card *card, unsigned function)
{
	must(function >= 1 && function <= card->function_count);
	return &card->functions[function].counters;
}
