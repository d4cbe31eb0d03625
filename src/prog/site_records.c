#include "prog/site_records.h"
#include "prog/site_disk.h"

#include "dev/nvme.h"
#include "os/clock.h"
#include "os/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_MS = 2, HALVES = 2 };

#define READ_LIMIT_NS UINT64_C(10000000000)

_Static_assert((int)NVME_RECORD_MAX <= (int)DISK_RECORD_MAX, "a record has room");

/* How far one half is with what is being written; a disk of one card has one half. */
enum half_state { HALF_WAITS, HALF_WRITES, HALF_DONE, HALF_FAILED };

struct site_records {
	struct run_io *io; /* NULL: closed */
	struct nvme_subsystem *subsystem;
	uv_async_t async;
	uv_timer_t timer;
	unsigned handles;  /* that the loop has */
	/* Under the hold. */
	bool asked;        /* by the subsystem, which waits for an answer */
	bool missed;       /* a half has not got the last record, and its card is in again */
	bool writing;
	bool answers;      /* what is being written is what was asked for */
	bool told;         /* that it cannot be kept */
	enum half_state half[HALVES];
	uint32_t nsid[HALVES];
	struct disk_record record;
};

static struct run_card *card_of(const struct site_records *r, unsigned half)
{
	return &r->io->run->cards[r->io->place->member[half].card];
}

static unsigned halves_of(const struct site_records *r)
{
	return r->io->place->member_count;
}

/* -- writing; with the hold -- */

static void begin(struct site_records *r)
{
	r->writing = true;
	r->answers = r->asked;
	r->missed = false;
	r->record.sequence++;
	r->record.size = (uint32_t)nvme_subsystem_record(r->subsystem, r->record.bytes);
	for (unsigned n = 0; n < halves_of(r); n++)
		r->half[n] = HALF_WAITS;
}

/* A card has one such job at a time; whose it is, is known here. */
static void step_half(struct site_records *r, unsigned n)
{
	struct run_card *card = card_of(r, n);
	enum disk_job job;
	int err;

	if (r->half[n] == HALF_WAITS) {
		if (!r->nsid[n]) { /* its card has no medium: it is read when that comes */
			r->half[n] = HALF_FAILED;
			return;
		}
		if (card->keeper && card->keeper != r)
			return;
		err = disk_card_keep(NULL, card->disk, r->nsid[n], &r->record);
		if (err == -EBUSY)
			return;
		r->half[n] = err ? HALF_FAILED : HALF_WRITES;
		card->keeper = err ? NULL : r;
		return;
	}
	if (r->half[n] != HALF_WRITES)
		return;
	job = disk_card_keep_job(NULL, card->disk, NULL);
	if (job == DISK_JOB_RUNS)
		return;
	r->half[n] = job == DISK_JOB_DONE ? HALF_DONE : HALF_FAILED;
	card->keeper = NULL;
}

static bool has(const struct site_records *r, enum half_state state)
{
	for (unsigned n = 0; n < halves_of(r); n++)
		if (r->half[n] == state)
			return true;
	return false;
}

/* One half is enough: both are asked when the daemon starts, and the higher number is the truth. */
static void end(struct site_records *r)
{
	bool kept = has(r, HALF_DONE);

	r->writing = false;
	if (!kept && !r->told)
		log_warning("prog", "reservations and sanitize are not kept: its cards do not write io=%s/%s",
			    r->io->system->name, r->io->io->name);
	r->told = !kept;
	if (!r->answers)
		return;
	r->asked = false;
	nvme_subsystem_kept(r->subsystem, kept ? NVME_KEPT : NVME_NOT_KEPT);
}

/* False: there is more to do when the cards have had a round. */
static bool step(struct site_records *r)
{
	if (!r->writing && !r->asked && !r->missed)
		return true;
	if (!r->writing)
		begin(r);
	for (unsigned n = 0; n < halves_of(r); n++)
		step_half(r, n);
	if (!has(r, HALF_WAITS) && !has(r, HALF_WRITES))
		end(r);
	return !r->writing && !r->asked && !r->missed;
}

/* -- between worker and loop -- */

static void on_timer(uv_timer_t *timer);

static void wake(struct site_records *r)
{
	for (unsigned n = 0; n < halves_of(r); n++)
		if (card_of(r, n)->served)
			workers_wake(r->io->run->workers, card_of(r, n)->worker);
}

/* Both cards of a mirrored disk have one hold. */
static void go_on(struct site_records *r)
{
	bool done = false;

	if (!r->io)
		return;
	if (disk_card_hold(NULL, card_of(r, 0)->disk, site_disk_give_way, SITE_DISK_HOLD_TRIES)) {
		done = step(r);
		disk_card_release(NULL, card_of(r, 0)->disk);
	}
	wake(r);
	if (!done)
		uv_timer_start(&r->timer, on_timer, STEP_MS, 0);
}

static void on_timer(uv_timer_t *timer)
{
	go_on(timer->data);
}

static void on_async(uv_async_t *async)
{
	go_on(async->data);
}

/* Of a worker, with the hold. */
static void keep(void *owner)
{
	struct site_records *r = owner;

	r->asked = true;
	uv_async_send(&r->async);
}

/* -- life -- */

int site_records_open(struct run_io *io, struct attach_disk *disk, struct refusal *why)
{
	struct site_records *r;

	if (io->io->attachment != SITE_ATTACH_NVME || io->owner != io)
		return 0;
	r = calloc(1, sizeof *r);
	if (!r || uv_async_init(io->run->loop, &r->async, on_async) != 0) {
		free(r);
		refuse(why, "", "no memory for what '%s/%s' keeps", io->system->name, io->io->name);
		return -ENOMEM;
	}
	must(uv_timer_init(io->run->loop, &r->timer) == 0);
	r->handles = 2;
	r->io = io;
	r->async.data = r->timer.data = r;
	io->records = r;
	disk->keep = keep;
	disk->keep_owner = r;
	return 0;
}

/* Reads the record of one half here; its card has no worker yet. */
static int read_half(struct site_records *r, unsigned n, struct disk_record *record)
{
	struct run_card *card = card_of(r, n);
	struct polled *polled = disk_card_polled(card->disk);
	uint64_t limit_ns = clock_now_ns() + READ_LIMIT_NS;
	int err = disk_card_recall(NULL, card->disk, r->nsid[n]);

	/* Polled here; a record of another disk that is being written there ends first. */
	while (err == -EBUSY && clock_now_ns() < limit_ns) {
		polled->ops->poll(NULL, polled, clock_now_ns());
		err = disk_card_recall(NULL, card->disk, r->nsid[n]);
	}
	if (err)
		return err;
	while (disk_card_keep_job(NULL, card->disk, record) == DISK_JOB_RUNS) {
		if (clock_now_ns() > limit_ns)
			return -ETIMEDOUT;
		if (polled->ops->poll(NULL, polled, clock_now_ns()) == 0)
			site_disk_pause();
	}
	return disk_card_keep_job(NULL, card->disk, NULL) == DISK_JOB_DONE ? 0 : -EIO;
}

/* The half of a card that has its medium now, and was not read before; the newest record is the truth. */
static int look_at(struct site_records *r, unsigned n, bool *newer, struct refusal *why)
{
	const struct disk_namespace *row = site_disk_row(r->io, n);
	struct disk_record found = { 0 };
	int err;

	if (r->nsid[n] || card_of(r, n)->medium_absent || !row)
		return 0;
	r->nsid[n] = row->id;
	err = read_half(r, n, &found);
	if (err) {
		refuse(why, "", "card '%s' does not read what is kept of '%s/%s': %s",
		       card_of(r, n)->place.card->name, r->io->system->name, r->io->io->name,
		       strerror(-err));
		return err;
	}
	if (r->nsid[HALVES - 1 - n] && found.sequence != r->record.sequence)
		r->missed = true; /* by one of the two */
	*newer |= found.sequence > r->record.sequence;
	if (found.sequence > r->record.sequence)
		r->record = found;
	memcpy(r->record.uuid, row->uuid, sizeof r->record.uuid);
	return 0;
}

static int take_record(struct site_records *r, struct refusal *why)
{
	int err;

	must(disk_card_hold(NULL, card_of(r, 0)->disk, site_disk_give_way, SITE_DISK_HOLD_TRIES));
	err = nvme_subsystem_recall(r->subsystem, r->record.bytes, r->record.size);
	disk_card_release(NULL, card_of(r, 0)->disk);
	if (err)
		refuse(why, "", "what is kept of '%s/%s' on card '%s' was written by another version (record %"
		       PRIu64 "): run that one, or give the interface another name", r->io->system->name,
		       r->io->io->name, card_of(r, 0)->place.card->name, r->record.sequence);
	return err;
}

int site_records_recall(struct run_io *io, struct refusal *why)
{
	struct site_records *r = io->records;
	bool newer = false;
	int err = 0;

	if (!r)
		return 0;
	r->subsystem = io->attachment->ops->subsystem(io->attachment);
	for (unsigned n = 0; !err && n < halves_of(r); n++)
		err = look_at(r, n, &newer, why);
	if (!err && newer)
		err = take_record(r, why);
	if (!err && r->missed)
		uv_async_send(&r->async);
	return err;
}

bool site_records_settled(struct run_io *io)
{
	return !io->owner->records || !io->owner->records->subsystem || step(io->owner->records);
}

void site_records_insert(struct run_card *card)
{
	for (unsigned i = 0; i < card->run->io_count; i++) {
		struct site_records *r = card->run->ios[i].records;

		for (unsigned n = 0; r && n < halves_of(r); n++) {
			if (card_of(r, n) != card || !r->record.sequence)
				continue;
			r->missed = true;
			uv_async_send(&r->async);
		}
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct site_records *r = handle->data;

	if (--r->handles == 0)
		free(r);
}

void site_records_close(struct run_io *io)
{
	struct site_records *r = io->records;

	if (!r)
		return;
	io->records = NULL;
	r->io = NULL;
	uv_close((uv_handle_t *)&r->async, on_closed);
	uv_close((uv_handle_t *)&r->timer, on_closed);
}
