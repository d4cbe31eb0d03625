#include "prog/site_disk.h"
#include "prog/site_disk_medium.h"
#include "prog/site_guard.h"
#include "prog/site_mirror.h"
#include "prog/site_move.h"
#include "prog/site_namespaces.h"
#include "prog/site_records.h"

#include "os/clock.h"
#include "os/log.h"
#include "tree/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	HOLD_TRIES = SITE_DISK_HOLD_TRIES,
	PAUSE_NS = 100000,
	DEPTH = 128,          /* requests that a medium is given at once */
	QUEUE = 128,          /* commands of one function that the card has at once */
};

#define JOB_LIMIT_NS UINT64_C(60000000000) /* zeroes that a file system must write take their time */
#define END_LIMIT_NS UINT64_C(5000000000)

unsigned site_disk_give_way(void)
{
	sched_yield();
	return 1;
}

void site_disk_pause(void)
{
	struct timespec t = { .tv_nsec = PAUSE_NS };

	(void)nanosleep(&t, NULL);
}

static const char *name_of(const struct run_card *card)
{
	return card->place.card->name;
}

/* Runs the card here until its job has ended; it has no worker yet. */
static int finish_job(struct run_card *card, struct refusal *why)
{
	struct polled *polled = disk_card_polled(card->disk);
	uint64_t limit_ns = clock_now_ns() + JOB_LIMIT_NS;
	struct refusal below = { 0 };

	while (disk_card_job(NULL, card->disk, &below) == DISK_JOB_RUNS) {
		uint64_t now_ns = clock_now_ns();

		if (now_ns > limit_ns) {
			refuse(why, "", "card '%s': its medium %s does not answer", name_of(card),
			       card->place.card->medium);
			return -ETIMEDOUT;
		}
		if (polled->ops->poll(NULL, polled, now_ns) == 0)
			site_disk_pause();
	}
	if (disk_card_job(NULL, card->disk, &below) == DISK_JOB_FAILED)
		return site_disk_refuse_card(card, -EIO, why, &below, "");
	return 0;
}

static int make_card(struct run_card *card, struct refusal *why)
{
	const struct disk_card_conf conf = {
		.functions = card->place.card->vfs, .depth = DEPTH, .medium = card->medium,
	};
	size_t size = (disk_card_size(&conf) + 4095) / 4096 * 4096;
	struct refusal below = { 0 };
	int err;

	card->disk = aligned_alloc(4096, size);
	if (!card->disk) {
		refuse(why, "", "no memory for card '%s' (%zu bytes)", name_of(card), size);
		return -ENOMEM;
	}
	err = disk_card_init(card->disk, &conf, &below);
	if (err)
		return site_disk_refuse_card(card, err, why, &below, "");
	if (card->held_with != card->index)
		disk_card_share_hold(card->disk, card->run->cards[card->held_with].disk);
	return 0;
}

/* No worker has the card. */
static int read_table(struct run_card *card, struct refusal *why)
{
	struct refusal below = { 0 };
	uint8_t id[SITE_ID_SIZE];
	int err;

	site_card_id(card->run->site, card->place.card, id);
	err = disk_card_open(NULL, card->disk, DISK_TABLE_NEW, id, &below);
	return err ? site_disk_refuse_card(card, err, why, &below, "") : finish_job(card, why);
}

static int watch_medium(struct run_card *card, struct refusal *why)
{
	int err;

	if (card->medium->wake_fd < 0)
		return 0;
	err = workers_watch(card->run->workers, card->worker, card->medium->wake_fd);
	if (err)
		refuse(why, "", "worker %u cannot watch the medium of card '%s': %s", card->worker,
		       name_of(card), strerror(-err));
	return err;
}

/* The reason without the card's name, which is said wherever it is shown. */
static const char *bare(const struct run_card *card, const char *text)
{
	char name[SITE_NAME_MAX + 16];
	int length = snprintf(name, sizeof name, "card '%s': ", name_of(card));

	return strncmp(text, name, (size_t)length) == 0 ? text + length : text;
}

static int take_absent(struct run_card *card, const struct refusal *reason, struct refusal *why)
{
	int err = medium_absent(&card->medium, bare(card, reason->text));

	card->medium_absent = !err;
	if (err)
		refuse(why, "", "no memory for card '%s'", name_of(card));
	return err;
}

/* A medium whose table cannot be read is as good as none, but for one that does not give back what it has. */
static int open_table(struct run_card *card, struct refusal *why)
{
	struct medium *medium = card->medium;
	struct refusal reason = { 0 };
	int err = read_table(card, &reason);

	if (!err)
		return 0;
	if (!medium_is_idle(medium) || disk_card_give_medium(NULL, card->disk, medium)) {
		*why = reason;
		return err;
	}
	err = take_absent(card, &reason, why);
	if (err)
		return err;
	must(disk_card_give_medium(NULL, card->disk, card->medium) == 0);
	medium_close(medium);
	return 0;
}

int site_disk_open(struct run_card *card, struct refusal *why)
{
	struct refusal reason = { 0 };
	int err = site_disk_open_medium(card, &card->medium, &reason);

	card->line_up = true; /* it has no line that could lose its link */
	if (err)
		err = take_absent(card, &reason, why);
	if (!err)
		err = make_card(card, why);
	if (!err && !card->medium_absent)
		err = open_table(card, why);
	return err ? err : watch_medium(card, why);
}

/* What the kernel still reads and writes memory for is left to it. */
void site_disk_close(struct run_card *card)
{
	uint64_t limit_ns = clock_now_ns() + END_LIMIT_NS;

	if (card->medium) {
		struct polled *polled = card->disk ? disk_card_polled(card->disk) : NULL;

		while (polled && !medium_is_idle(card->medium) && clock_now_ns() < limit_ns)
			if (polled->ops->poll(NULL, polled, clock_now_ns()) == 0)
				site_disk_pause();
		if (!medium_is_idle(card->medium))
			return;
		medium_close(card->medium);
	}
	free(card->disk);
	card->medium = NULL;
	card->disk = NULL;
}

/* -- disks -- */

/* Of a mirrored disk, one of the two, which share a hold. */
static struct run_card *card_of(const struct run_io *io)
{
	return &io->run->cards[io->place->member[0].card];
}

static const struct disk_namespace *find_namespace(const struct disk_layout *layout,
						   const uint8_t id[SITE_ID_SIZE])
{
	for (unsigned i = 0; i < DISK_NAMESPACES_MAX; i++)
		if (layout->namespaces[i].id &&
		    memcmp(layout->namespaces[i].uuid, id, SITE_ID_SIZE) == 0)
			return &layout->namespaces[i];
	return NULL;
}

static int make_namespace(struct run_io *io, struct run_card *card, struct disk_namespace_conf *conf,
			  uint32_t *nsid, struct refusal *why)
{
	char name[2 * SITE_NAME_MAX + 2];
	struct refusal below = { 0 };
	int err;

	snprintf(name, sizeof name, "%s/%s", io->system->name, io->io->name);
	if (strlen(name) >= DISK_NAME_SIZE)
		for (unsigned i = 0; i < SITE_ID_SIZE; i++)
			snprintf(name + 2 * i, 3, "%02x", conf->uuid[i]);
	conf->name = name;
	err = disk_card_add_namespace(NULL, card->disk, conf, nsid, &below);
	if (err) {
		refuse(why, "", "card '%s' has no namespace for '%s/%s': %s", name_of(card),
		       io->system->name, io->io->name, below.text);
		return err;
	}
	return finish_job(card, why);
}

/* A namespace of another size is the disk as the site file had it before. */
static int refuse_size(const struct run_io *io, const struct run_card *card, uint64_t size, struct refusal *why)
{
	uint64_t other = io->place->member_count > 1 ? io->io->size : io->io->size + MIRROR_RESERVED;

	if (size == other)
		refuse(why, "", "the disk of '%s/%s' on card '%s' %s: %s, or give the interface another name",
		       io->system->name, io->io->name, name_of(card),
		       io->place->member_count > 1 ? "is not mirrored" : "is half of a mirror",
		       io->place->member_count > 1 ? "leave 'redundancy' out" : "give it its 'redundancy' back");
	else
		refuse(why, "", "the disk of '%s/%s' on card '%s' has %" PRIu64 " bytes, the site file says %"
		       PRIu64 ": give it its size back, or the interface another name", io->system->name,
		       io->io->name, name_of(card),
		       io->place->member_count > 1 && size > MIRROR_RESERVED ? size - MIRROR_RESERVED : size,
		       io->io->size);
	return -EINVAL;
}

int site_disk_namespace(struct run_io *io, unsigned member, uint64_t size, uint32_t block_size, uint32_t *nsid,
			struct refusal *why)
{
	struct run_card *card = &io->run->cards[io->place->member[member].card];
	struct disk_namespace_conf conf = { .size = size, .block_size = block_size };
	const struct disk_namespace *ns;

	io = io->owner;
	site_io_id(io->run->site, io->place->system, io->place->io, conf.uuid);
	ns = find_namespace(disk_card_layout(card->disk), conf.uuid);
	if (!ns)
		return make_namespace(io, card, &conf, nsid, why);
	*nsid = ns->id;
	return ns->size == size ? 0 : refuse_size(io, card, ns->size, why);
}

const struct disk_namespace *site_disk_row(const struct run_io *io, unsigned member)
{
	const struct run_card *card = &io->run->cards[io->place->member[member].card];
	uint8_t id[SITE_ID_SIZE];

	site_io_id(io->run->site, io->owner->place->system, io->owner->place->io, id);
	return find_namespace(disk_card_layout(card->disk), id);
}

void site_disk_plug(struct run_io *io, int member)
{
	site_guard_move(io, member);
	io->bound = member;
}

/* nsid 0: its card has no medium yet. */
static int bind_held(struct run_io *io, uint32_t nsid, struct refusal *why)
{
	const struct disk_function_conf conf = {
		.rate_bytes = io->io->byte_rate,
		.rate_commands = io->io->iops,
		.depth = QUEUE,
		.weight = io->io->weight,
		.priority = io->io->priority,
	};
	struct disk_card *disk = card_of(io)->disk;
	unsigned vf = io->place->member[0].vf;
	int err = disk_card_bind(NULL, disk, vf, io->block, &conf, why);

	if (err)
		return err;
	if (nsid)
		io->block->namespaces[0] = disk_card_attach(NULL, disk, vf, nsid, DISK_READ_WRITE, why);
	if (nsid && !io->block->namespaces[0]) {
		must(disk_card_unbind(NULL, disk, vf) == 0);
		return -EINVAL;
	}
	if (io->block->ops->namespaces_changed)
		io->block->ops->namespaces_changed(NULL, io->block);
	site_disk_plug(io, 0);
	return 0;
}

int site_disk_bind(struct run_io *io, struct refusal *why)
{
	struct run_card *card = card_of(io);
	uint32_t nsid = 0;
	int err = 0;

	if (io->place->member_count > 1)
		return io->owner == io ? site_mirror_bind(io, why) : site_mirror_share(io, why);
	if (!card->medium_absent)
		err = site_disk_namespace(io, 0, io->owner->io->size, card->medium->block_size, &nsid, why);
	if (err)
		return err;
	must(disk_card_hold(NULL, card->disk, site_disk_give_way, HOLD_TRIES));
	err = bind_held(io, nsid, why);
	disk_card_release(NULL, card->disk);
	return err;
}

/* With the hold: whether nothing of it is under way any more, and it was unbound. */
static bool is_unbound(struct run_io *io)
{
	struct run_card *card = card_of(io);
	unsigned vf = io->place->member[0].vf;

	site_namespaces_end(io);
	if (!site_records_settled(io) || io->attachment->ops->end(io->attachment))
		return false;
	if (io->mirror ? !site_mirror_unbound(io) : disk_card_unbind(NULL, card->disk, vf) != 0)
		return false;
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++)
		io->block->namespaces[i] = NULL;
	site_disk_plug(io, -1);
	return true;
}

bool site_disk_unbind(struct run_io *io)
{
	struct run_card *card = card_of(io);
	uint64_t limit_ns = clock_now_ns() + END_LIMIT_NS;

	while (io->bound >= 0) {
		bool done;

		if (!disk_card_hold(NULL, card->disk, site_disk_give_way, HOLD_TRIES))
			return false;
		done = is_unbound(io);
		disk_card_release(NULL, card->disk);
		if (done)
			break;
		if (clock_now_ns() > limit_ns)
			return false;
		if (card->served)
			workers_wake(io->run->workers, card->worker);
		site_disk_pause();
	}
	return true;
}

bool site_disk_detach(struct run_card *card, bool detach, unsigned tries)
{
	if (!disk_card_hold(NULL, card->disk, site_move_give_way, tries))
		return false;
	if (detach)
		disk_card_pull(NULL, card->disk);
	else
		disk_card_insert(NULL, card->disk);
	if (!detach)
		site_records_insert(card);
	site_mirror_detach(card, detach);
	disk_card_release(NULL, card->disk);
	workers_wake(card->run->workers, card->worker);
	return true;
}

/* -- a medium that comes -- */

/* Its disk, which waited for the card. */
static int attach_disk(struct run_io *io, struct refusal *why)
{
	struct run_card *card = card_of(io);
	uint32_t nsid;
	int err = site_disk_namespace(io, 0, io->owner->io->size, card->medium->block_size, &nsid, why);

	if (err)
		return err;
	must(disk_card_hold(NULL, card->disk, site_disk_give_way, HOLD_TRIES));
	io->block->namespaces[0] = disk_card_attach(NULL, card->disk, io->place->member[0].vf, nsid,
						    DISK_READ_WRITE, why);
	if (io->block->namespaces[0] && io->block->ops->namespaces_changed)
		io->block->ops->namespaces_changed(NULL, io->block);
	disk_card_release(NULL, card->disk);
	if (!io->block->namespaces[0])
		return -EINVAL;
	err = site_namespaces_bind(io, why);
	return err ? err : site_records_recall(io, why);
}

/* Its half there; those that share it have nothing of their own on a card. */
static int attach_mirror(struct run_io *io, const struct run_card *card, struct refusal *why)
{
	int err = io->owner == io ? site_mirror_attach(io, card, why) : 0;

	return err ? err : site_records_recall(io, why);
}

/* One that cannot be had is told of, and holds up no other. */
static void attach_all(struct run_card *card)
{
	for (unsigned i = 0; i < card->run->io_count; i++) {
		struct run_io *io = &card->run->ios[i];
		struct refusal why = { 0 };
		char object[104];
		int err = 0;

		if (io->block && io->mirror)
			err = attach_mirror(io, card, &why);
		else if (io->block && card_of(io) == card)
			err = attach_disk(io, &why);
		if (!err)
			continue;
		snprintf(object, sizeof object, "system %s/%s", io->system->name, io->io->name);
		events_add(&card->run->events, "refused", object, "%s", why.text);
	}
}

static bool hold_and_give(struct run_card *card, struct medium *medium, bool in)
{
	bool given;

	if (!disk_card_hold(NULL, card->disk, site_disk_give_way, HOLD_TRIES))
		return false;
	given = disk_card_give_medium(NULL, card->disk, medium) == 0;
	if (given && in)
		disk_card_insert(NULL, card->disk);
	else if (given)
		disk_card_pull(NULL, card->disk);
	disk_card_release(NULL, card->disk);
	if (given)
		card->medium = medium;
	return given;
}

/* The card has left its worker. */
static int take_medium(struct run_card *card, struct medium *medium, struct refusal *why)
{
	struct medium *absent = card->medium;
	int err = -EBUSY;

	if (!hold_and_give(card, medium, true))
		refuse(why, "", "card '%s' is busy; try again", name_of(card));
	else
		err = read_table(card, why);
	if (!err)
		err = watch_medium(card, why);
	if (!err) {
		card->medium_absent = card->medium_dead = false;
		medium_close(absent);
		attach_all(card);
	} else if (card->medium == medium && (!medium_is_idle(medium) || !hold_and_give(card, absent, false))) {
		log_error("prog", "a medium does not give back what it has card=%s", name_of(card));
		card->medium_absent = false; /* it stays with it, dead until the site is started again */
	} else {
		medium_close(medium);
	}
	return err;
}

int site_disk_reopen(struct run_card *card, struct refusal *why)
{
	struct medium *medium = NULL;
	int err = site_disk_open_medium(card, &medium, why);

	if (err)
		return err;
	if (workers_remove_card(card->run->workers, card->worker, site_run_polled(card)) == -EBUSY) {
		medium_close(medium);
		refuse(why, "", "the worker of card '%s' does not answer", name_of(card));
		return -EBUSY;
	}
	err = take_medium(card, medium, why);
	workers_add_card(card->run->workers, card->worker, site_run_polled(card));
	return err;
}

/* -- telling -- */

bool site_disk_is_away(struct run_io *io, char *text, size_t size)
{
	struct run_card *card = card_of(io);
	enum failover_card_state state = failover_card_state(&io->run->failover, card->index);
	char say[SITE_MIRROR_TEXT];

	if (io->mirror) {
		if (strcmp(site_mirror_state(io), "away") != 0)
			return false;
		site_mirror_say(io, say);
		snprintf(text, size, "%s", say);
		return true;
	}
	if (state == FAILOVER_CARD_PULLED)
		snprintf(text, size, "commands end with an error; its card is pulled: midplane card insert %s",
			 name_of(card));
	else if (state == FAILOVER_CARD_DEAD && card->medium_absent)
		snprintf(text, size, "commands end with an error until 'midplane card insert %s'; its medium is %s",
			 name_of(card), medium_how(card->medium));
	else if (state == FAILOVER_CARD_DEAD && card->medium_dead)
		snprintf(text, size, "commands end with an error; the medium of its card '%s' is %s: see to it "
			 "and start the site again", name_of(card), medium_how(card->medium));
	else if (state == FAILOVER_CARD_DEAD)
		snprintf(text, size, "the worker of its card '%s' does not answer", name_of(card));
	return state == FAILOVER_CARD_PULLED || state == FAILOVER_CARD_DEAD;
}

void site_disk_describe_card(struct run_card *card, struct tree_out *out)
{
	const struct disk_layout *layout = disk_card_layout(card->disk);
	struct medium_errors errors;
	uint64_t largest;

	tree_put_text(out, "medium", card->place.card->medium);
	tree_put_text(out, "medium_access", medium_how(card->medium));
	medium_errors(card->medium, &errors);
	tree_put_integer(out, "medium_errors", errors.count);
	tree_put_text(out, "medium_last_error", errors.last);
	tree_put_integer(out, "size_bytes", card->medium->size);
	tree_put_integer(out, "free_bytes", disk_layout_free(layout, &largest));
	tree_put_integer(out, "namespaces", layout->namespace_count);
	tree_put_integer(out, "at_medium", disk_card_at_medium(card->disk));
}

static void put_front(const struct block_front *front, struct tree_out *out)
{
	tree_put_integer(out, "flushes", counter_get(&front->flushes));
	tree_put_integer(out, "kicks", counter_get(&front->kicks));
	tree_put_integer(out, "interrupts", counter_get(&front->interrupts));
	tree_put_integer(out, "dma_blocked", counter_get(&front->dma_blocked));
}

void site_disk_describe_function(struct run_card *card, unsigned vf, struct run_io *io_or_null,
				 struct tree_out *out)
{
	const struct disk_counters *counters = disk_card_counters(card->disk, vf);

	if (io_or_null) {
		tree_put_integer(out, "size_bytes", io_or_null->owner->io->size);
		tree_put_integer(out, "iops", io_or_null->io->iops);
		tree_put_integer(out, "byte_rate", io_or_null->io->byte_rate);
		put_front(io_or_null->block, out);
		if (io_or_null->mirror)
			site_mirror_describe_function(io_or_null, card, out);
	}
#define X(name, unit, text) tree_put_integer(out, #name, counter_get(&counters->name));
	DISK_COUNTERS(X)
#undef X
}
