/* Jobs with the table of namespaces.  Each is a row of requests to the medium, one at a time, that go
 * down between those of the functions. */
#include "card/disk_internal.h"

#include <errno.h>
#include <string.h>

static void begin_job(struct disk_card *card, enum disk_job_step step)
{
	struct disk_table_job *job = &card->job;

	job->state = DISK_JOB_RUNS;
	job->step = step;
	job->busy = false;
	job->copy = 0;
	job->added = 0;
	job->zeroed = 0;
	job->why = (struct refusal){ 0 };
}

static void job_done(struct disk_card *card)
{
	card->job.step = STEP_NONE;
	card->job.state = DISK_JOB_DONE;
}

static void job_failed(struct disk_card *card)
{
	struct disk_table_job *job = &card->job;

	/* As it was before: rows keep their places, so what points at them stays right. */
	if (job->step == STEP_ZERO || job->step == STEP_FORGET || job->step == STEP_SAVE)
		card->layout = card->read_layout[0];
	job->step = STEP_NONE;
	job->state = DISK_JOB_FAILED;
}

enum disk_job disk_card_job(struct ctl *ctl, const struct disk_card *card, struct refusal *why)
{
	(void)ctl;
	if (card->job.state == DISK_JOB_FAILED && why)
		*why = card->job.why;
	return card->job.state;
}

static int may_begin(struct disk_card *card, struct refusal *why)
{
	if (card->job.state == DISK_JOB_RUNS) {
		refuse(why, "", "another job with the table of namespaces is under way");
		return -EBUSY;
	}
	if (!disk_card_is_in(card)) {
		refuse(why, "", "the card is not in");
		return -ENODEV;
	}
	return 0;
}

int disk_card_open(struct ctl *ctl, struct disk_card *card, enum disk_table table,
		   const uint8_t uuid[DISK_ID_SIZE], struct refusal *why)
{
	uint32_t block_size = card->medium->block_size;
	int err = may_begin(card, why);

	(void)ctl;
	if (err)
		return err;
	begin_job(card, STEP_READ);
	card->job.table = table;
	memcpy(card->job.uuid, uuid, DISK_ID_SIZE);
	if (table == DISK_TABLE_NONE) {
		err = disk_layout_raw(&card->layout, card->medium->size, block_size, uuid, why);
		job_done(card);
		return err;
	}
	if (card->medium->size < DISK_DATA_FIRST + DISK_EXTENT_ALIGN) {
		job_done(card);
		refuse(why, "medium", "a medium of %llu bytes has no room for a table and a namespace",
		       (unsigned long long)card->medium->size);
		return -EINVAL;
	}
	return 0;
}

int disk_card_give_medium(struct ctl *ctl, struct disk_card *card, struct medium *medium)
{
	(void)ctl;
	for (unsigned i = 0; i < DISK_BACKS_MAX; i++)
		must(!card->backs[i].ns);
	if (disk_card_at_medium(card) || card->job.state == DISK_JOB_RUNS)
		return -EBUSY;
	card->medium = medium;
	card->layout = (struct disk_layout){ 0 };
	card->job = (struct disk_table_job){ 0 };
	return 0;
}

/* A change of the table: what was is kept, for a failure. */
static void begin_change(struct disk_card *card, enum disk_job_step step)
{
	begin_job(card, step);
	card->read_layout[0] = card->layout;
}

static int may_change(struct disk_card *card, struct refusal *why)
{
	int err = may_begin(card, why);

	if (err)
		return err;
	if (card->job.table == DISK_TABLE_NONE || card->job.state == DISK_JOB_NONE) {
		refuse(why, "", "the card has no table of namespaces");
		return -EINVAL;
	}
	if (card->medium->read_only) {
		refuse(why, "", "the medium is read-only");
		return -EROFS;
	}
	return 0;
}

int disk_card_add_namespace(struct ctl *ctl, struct disk_card *card,
			    const struct disk_namespace_conf *conf, uint32_t *id,
			    struct refusal *why)
{
	struct disk_namespace *ns;
	int err = may_change(card, why);

	(void)ctl;
	if (err)
		return err;
	if (conf->block_size < card->medium->block_size) {
		refuse(why, "block_size", "the medium's blocks have %u bytes",
		       card->medium->block_size);
		return -EINVAL;
	}
	begin_change(card, STEP_ZERO);
	ns = disk_layout_add(&card->layout, conf, why);
	if (!ns) {
		job_done(card);
		return -EINVAL;
	}
	*id = card->job.added = ns->id;
	return 0;
}

int disk_card_remove_namespace(struct ctl *ctl, struct disk_card *card, uint32_t id,
			       struct refusal *why)
{
	struct disk_namespace *ns = disk_layout_find(&card->layout, id);
	int err = may_change(card, why);

	(void)ctl;
	if (err)
		return err;
	if (!ns) {
		refuse(why, "", "the card has no namespace %u", id);
		return -ENOENT;
	}
	for (unsigned i = 0; i < DISK_BACKS_MAX; i++)
		if (card->backs[i].ns == ns) {
			refuse(why, "", "namespace '%s' is attached to function %u", ns->name,
			       card->backs[i].function);
			return -EBUSY;
		}
	begin_change(card, STEP_SAVE);
	disk_layout_remove(&card->layout, id);
	return 0;
}

/* -- what goes down -- */

static void table_request(struct disk_card *card, struct disk_io *io, enum block_op op,
			  unsigned copy)
{
	struct disk_table_job *job = &card->job;

	job->seg = (struct block_seg){ card->table_bytes + copy * DISK_COPY_SIZE, DISK_COPY_SIZE };
	io->request.op = op;
	io->request.flags = op == BLOCK_WRITE ? BLOCK_FUA : 0;
	io->request.first = (uint64_t)copy * DISK_COPY_STEP;
	io->request.size = DISK_COPY_SIZE;
	io->request.segs = &job->seg;
	io->request.seg_count = 1;
}

/* Over the older copy; it has its number when it is there. */
static void save_request(struct disk_card *card, struct disk_io *io)
{
	unsigned copy = (unsigned)((card->layout.sequence + 1) % DISK_COPIES);

	card->layout.sequence++;
	disk_layout_encode(&card->layout, card->table_bytes + copy * DISK_COPY_SIZE);
	card->layout.sequence--;
	table_request(card, io, BLOCK_WRITE, copy);
}

static void zero_request(struct disk_card *card, struct disk_io *io)
{
	const struct disk_namespace *ns = disk_layout_find(&card->layout, card->job.added);
	uint64_t size = min_u64(ns->size - card->job.zeroed, DISK_ZERO_MAX);

	io->request.op = BLOCK_WRITE_ZEROES;
	io->request.flags = BLOCK_MAY_UNMAP;
	io->request.first = disk_layout_place(&card->layout, ns, card->job.zeroed, &size);
	io->request.size = size;
	io->request.segs = NULL;
	io->request.seg_count = 0;
}

/* What another namespace had kept in this one's place is not this one's. */
static void forget_request(struct disk_card *card, struct disk_io *io)
{
	io->request.op = BLOCK_WRITE_ZEROES;
	io->request.flags = BLOCK_FUA;
	io->request.first = disk_record_place(card->job.added);
	io->request.size = DISK_RECORD_BOTH;
	io->request.segs = NULL;
	io->request.seg_count = 0;
}

void disk_job_go_on(struct disk_card *card)
{
	struct disk_table_job *job = &card->job;
	struct disk_io *io;

	if (card->window.out_count == DISK_WINDOW)
		return;
	io = disk_io_take(card);
	if (!io)
		return;
	io->parent = NULL;
	switch (job->step) {
	case STEP_READ:
		table_request(card, io, BLOCK_READ, job->copy);
		break;
	case STEP_ZERO:
		zero_request(card, io);
		break;
	case STEP_FORGET:
		forget_request(card, io);
		break;
	case STEP_SAVE:
		save_request(card, io);
		break;
	case STEP_NONE:
		break;
	}
	job->busy = true;
	card->window.out[card->window.out_count++] = &io->request;
}

/* -- what came back -- */

/* Both copies were read: the whole one with the higher number is true. */
static void choose_copy(struct disk_card *card)
{
	struct disk_table_job *job = &card->job;
	const int *result = job->read_result;
	const struct disk_layout *copy = card->read_layout;

	if (result[0] == -ENOENT && result[1] == -ENOENT && job->table == DISK_TABLE_NEW) {
		disk_layout_init(&card->layout, card->medium->size, job->uuid);
		begin_change(card, STEP_SAVE);
		return;
	}
	if (result[0] && result[1]) {
		if (result[0] == -ENOENT && result[1] == -ENOENT)
			refuse(&job->why, "", "the medium has no table of namespaces");
		job_failed(card);
		return;
	}
	if (result[1] || (!result[0] && copy[0].sequence > copy[1].sequence))
		card->layout = copy[0];
	else
		card->layout = copy[1];
	job_done(card);
}

static void copy_read(struct disk_card *card)
{
	struct disk_table_job *job = &card->job;
	unsigned n = job->copy++;

	job->read_result[n] = disk_layout_decode(&card->read_layout[n],
						 card->table_bytes + n * DISK_COPY_SIZE,
						 card->medium->size, &job->why);
	if (job->copy == DISK_COPIES)
		choose_copy(card);
}

void disk_job_ended(struct disk_card *card, struct disk_io *io)
{
	struct disk_table_job *job = &card->job;

	job->busy = false;
	if (io->request.result != BLOCK_DONE) {
		refuse(&job->why, "", "the medium could not %s %llu bytes at %llu",
		       io->request.op == BLOCK_READ ? "read" : "write",
		       (unsigned long long)io->request.size, (unsigned long long)io->request.first);
		job_failed(card);
		return;
	}
	switch (job->step) {
	case STEP_READ:
		copy_read(card);
		break;
	case STEP_ZERO:
		job->zeroed += io->request.size;
		if (job->zeroed == disk_layout_find(&card->layout, job->added)->size)
			job->step = STEP_FORGET;
		break;
	case STEP_FORGET:
		job->step = STEP_SAVE;
		break;
	case STEP_SAVE:
		card->layout.sequence++;
		job_done(card);
		break;
	case STEP_NONE:
		break;
	}
}

void disk_job_gone(struct disk_card *card)
{
	if (!disk_job_has_work(card))
		return;
	refuse(&card->job.why, "", "the card was pulled");
	job_failed(card);
}
