/* Records beside namespaces (card/disk_record.h): one at a time is read or written, by a request of
 * its own to the medium that goes down between those of the functions. */
#include "card/disk_internal.h"

#include <errno.h>
#include <string.h>

static int begin(struct disk_card *card, uint32_t id, enum disk_keep_step step)
{
	struct disk_keep_job *job = &card->keep;
	const struct disk_namespace *ns;

	if (job->state == DISK_JOB_RUNS)
		return -EBUSY;
	if (!disk_card_is_in(card))
		return -ENODEV;
	ns = disk_layout_find(&card->layout, id);
	if (!ns || card->job.table == DISK_TABLE_NONE)
		return -ENOENT;
	if (step == KEEP_WRITE && card->medium->read_only)
		return -EROFS;
	job->state = DISK_JOB_RUNS;
	job->step = step;
	job->id = id;
	memcpy(job->uuid, ns->uuid, DISK_ID_SIZE);
	return 0;
}

int disk_card_recall(struct ctl *ctl, struct disk_card *card, uint32_t id)
{
	(void)ctl;
	return begin(card, id, KEEP_READ);
}

int disk_card_keep(struct ctl *ctl, struct disk_card *card, uint32_t id,
		   const struct disk_record *record)
{
	int err = begin(card, id, KEEP_WRITE);

	(void)ctl;
	if (err)
		return err;
	card->keep.copy = disk_record_copy(record->sequence);
	disk_record_encode(record, card->record_bytes);
	return 0;
}

enum disk_job disk_card_keep_job(struct ctl *ctl, const struct disk_card *card,
				 struct disk_record *record_or_null)
{
	(void)ctl;
	if (record_or_null && card->keep.state == DISK_JOB_DONE)
		disk_record_decode(record_or_null, card->keep.uuid, card->record_bytes);
	return card->keep.state;
}

void disk_keep_go_on(struct disk_card *card)
{
	struct disk_keep_job *job = &card->keep;
	bool writes = job->step == KEEP_WRITE;
	struct disk_io *io;

	if (card->window.out_count == DISK_WINDOW)
		return;
	io = disk_io_take(card);
	if (!io)
		return;
	job->seg = (struct block_seg){ card->record_bytes,
				       writes ? DISK_RECORD_COPY : DISK_RECORD_BOTH };
	io->parent = NULL;
	io->keeps = true;
	io->request.op = writes ? BLOCK_WRITE : BLOCK_READ;
	io->request.flags = writes ? BLOCK_FUA : 0;
	io->request.first =
		disk_record_place(job->id) + (writes ? job->copy * DISK_RECORD_COPY : 0);
	io->request.size = job->seg.size;
	io->request.segs = &job->seg;
	io->request.seg_count = 1;
	job->busy = true;
	card->window.out[card->window.out_count++] = &io->request;
}

void disk_keep_ended(struct disk_card *card, struct disk_io *io)
{
	struct disk_keep_job *job = &card->keep;

	job->busy = false;
	job->step = KEEP_NONE;
	job->state = io->request.result == BLOCK_DONE ? DISK_JOB_DONE : DISK_JOB_FAILED;
}

void disk_keep_gone(struct disk_card *card)
{
	if (!disk_keep_has_work(card))
		return;
	card->keep.step = KEEP_NONE;
	card->keep.state = DISK_JOB_FAILED;
}
