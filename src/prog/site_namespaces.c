#include "prog/site_namespaces.h"

#include "attach/attach.h"
#include "card/disk_card.h"
#include "card/disk_layout.h"
#include "dev/nvme.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOLD_TRIES = 200000, STEP_MS = 2, AGAIN = -1 };

struct site_namespaces {
	struct run_io *io; /* NULL: closed */
	struct nvme_subsystem *subsystem;
	uv_async_t async;
	uv_timer_t timer;
	unsigned handles;             /* that the loop has */
	const struct nvme_wish *wish; /* under the hold; NULL: none */
	bool begun;                   /* a job of the card was begun for it */
	uint32_t nsid;                /* that it makes */
	/* Of the card's table, by NSID less one; 0: none.  The first is the disk of the site file, so never ours. */
	uint32_t rows[BLOCK_NAMESPACES_MAX];
};

static unsigned give_way(void)
{
	sched_yield();
	return 1;
}

static struct run_card *card_of(const struct run_io *io)
{
	return &io->run->cards[io->place->member[0].card];
}

/* The identity of the guest's namespace 'nsid': that of its disk, and its number. */
static void id_of(const struct run_io *io, uint32_t nsid, uint8_t id[SITE_ID_SIZE])
{
	site_io_id(io->run->site, io->place->system, io->place->io, id);
	id[SITE_ID_SIZE - 1] ^= (uint8_t)(nsid - 1);
}

static const struct disk_namespace *row_of(const struct site_namespaces *n, uint32_t nsid)
{
	const struct disk_layout *layout = disk_card_layout(card_of(n->io)->disk);

	for (unsigned i = 0; i < DISK_NAMESPACES_MAX; i++)
		if (layout->namespaces[i].id && layout->namespaces[i].id == n->rows[nsid - 1])
			return &layout->namespaces[i];
	return NULL;
}

/* -- what the guest is told of -- */

static void tell_free(struct site_namespaces *n)
{
	uint64_t there = disk_layout_free(disk_card_layout(card_of(n->io)->disk), NULL);
	uint64_t used = 0, quota = n->io->io->manage;

	for (uint32_t nsid = 2; nsid <= BLOCK_NAMESPACES_MAX; nsid++)
		used += row_of(n, nsid) ? row_of(n, nsid)->size : 0;
	nvme_subsystem_set_unallocated(n->subsystem,
				       min_u64(used < quota ? quota - used : 0, there));
}

static void tell_namespace(struct site_namespaces *n, uint32_t nsid)
{
	const struct disk_namespace *row = row_of(n, nsid);
	struct block_back back = { 0 };

	if (row) {
		back.size = row->size;
		back.block_size = row->block_size;
		memcpy(back.id, row->uuid, sizeof back.id);
	}
	nvme_subsystem_set_namespace(n->subsystem, nsid, row ? &back : NULL, NVME_PRIVATE);
	tell_free(n);
}

static void changed(struct site_namespaces *n)
{
	n->io->block->ops->namespaces_changed(NULL, n->io->block);
}

/* -- wishes; each gives a status, or AGAIN -- */

static enum nvme_status attach(struct site_namespaces *n, uint32_t nsid)
{
	struct block_back *back = disk_card_attach(NULL, card_of(n->io)->disk, n->io->place->member[0].vf,
						   n->rows[nsid - 1], DISK_READ_WRITE, NULL);

	if (!back)
		return NVME_INTERNAL_ERROR;
	n->io->block->namespaces[nsid - 1] = back;
	changed(n);
	return NVME_SUCCESS;
}

/* The guest loses sight of it at once; the card lets go of it when its commands have ended. */
static int detach(struct site_namespaces *n, uint32_t nsid)
{
	struct block_back *back = n->io->block->namespaces[nsid - 1];

	if (!back)
		return NVME_SUCCESS;
	if (disk_card_detach(NULL, card_of(n->io)->disk, back) != 0)
		return AGAIN;
	n->io->block->namespaces[nsid - 1] = NULL;
	changed(n);
	return NVME_SUCCESS;
}

/* How the job of the card went: AGAIN while it runs. */
static int job_of(struct site_namespaces *n)
{
	enum disk_job job = disk_card_job(NULL, card_of(n->io)->disk, NULL);

	if (job == DISK_JOB_RUNS)
		return AGAIN;
	return job == DISK_JOB_DONE ? NVME_SUCCESS : NVME_INTERNAL_ERROR;
}

static int status_of(int err)
{
	return err == -EBUSY ? AGAIN : err == -EINVAL ? (int)NVME_INSUFFICIENT_CAPACITY : (int)NVME_INTERNAL_ERROR;
}

static int begin_create(struct site_namespaces *n)
{
	struct run_card *card = card_of(n->io);
	char name[DISK_NAME_SIZE];
	struct disk_namespace_conf conf = { .name = name, .size = n->wish->size,
					    .block_size = n->wish->block_size };
	int err;

	if (conf.block_size < card->medium->block_size)
		return NVME_INVALID_FORMAT;
	for (n->nsid = 2; n->nsid <= BLOCK_NAMESPACES_MAX && n->rows[n->nsid - 1]; n->nsid++)
		;
	if (n->nsid > BLOCK_NAMESPACES_MAX)
		return NVME_NSID_UNAVAILABLE;
	id_of(n->io, n->nsid, conf.uuid);
	for (unsigned i = 0; i < SITE_ID_SIZE; i++)
		snprintf(name + 2 * i, 3, "%02x", conf.uuid[i]);
	err = disk_card_add_namespace(NULL, card->disk, &conf, &n->rows[n->nsid - 1], NULL);
	n->begun = !err;
	if (err)
		n->rows[n->nsid - 1] = 0;
	return err ? status_of(err) : AGAIN;
}

static int create(struct site_namespaces *n)
{
	int status = n->begun ? job_of(n) : begin_create(n);

	if (!n->begun || status == AGAIN)
		return status;
	if (status)
		n->rows[n->nsid - 1] = 0;
	tell_namespace(n, n->nsid);
	return status;
}

static int begin_delete(struct site_namespaces *n, uint32_t nsid)
{
	int err = detach(n, nsid);

	if (err)
		return err;
	err = disk_card_remove_namespace(NULL, card_of(n->io)->disk, n->rows[nsid - 1], NULL);
	n->begun = !err;
	return err == -ENOENT ? (int)NVME_SUCCESS : err ? status_of(err) : AGAIN;
}

/* The disk that the site file gives the interface is not the guest's to remove, alone or among all. */
static int delete(struct site_namespaces *n)
{
	uint32_t nsid = n->wish->nsid;
	int status;

	if (nsid < 2 || nsid > BLOCK_NAMESPACES_MAX || !n->rows[nsid - 1])
		return NVME_OPERATION_DENIED;
	status = n->begun ? job_of(n) : begin_delete(n, nsid);
	if (status == NVME_SUCCESS) {
		n->rows[nsid - 1] = 0;
		tell_namespace(n, nsid);
	}
	return status;
}

static int carry_out(struct site_namespaces *n)
{
	switch (n->wish->kind) {
	case NVME_WISH_CREATE:
		return create(n);
	case NVME_WISH_DELETE:
		return delete(n);
	case NVME_WISH_ATTACH:
		return n->rows[n->wish->nsid - 1] ? (int)attach(n, n->wish->nsid) : (int)NVME_OPERATION_DENIED;
	case NVME_WISH_DETACH:
		return n->rows[n->wish->nsid - 1] ? detach(n, n->wish->nsid) : (int)NVME_OPERATION_DENIED;
	}
	return NVME_INTERNAL_ERROR;
}

static void finish(struct site_namespaces *n, int status)
{
	n->wish = NULL;
	n->begun = false;
	nvme_wish_done(n->subsystem, (enum nvme_status)status, n->nsid);
	n->io->block->ops->flush(NULL, n->io->block);
}

/* -- between worker and loop -- */

static void on_timer(uv_timer_t *timer);

static void go_on(struct site_namespaces *n)
{
	struct run_card *card;
	int status = AGAIN;

	if (!n->io)
		return;
	card = card_of(n->io);
	if (disk_card_hold(NULL, card->disk, give_way, HOLD_TRIES)) {
		status = n->wish ? carry_out(n) : NVME_SUCCESS;
		if (n->wish && status != AGAIN)
			finish(n, status);
		disk_card_release(NULL, card->disk);
	}
	if (card->served)
		workers_wake(n->io->run->workers, card->worker);
	if (status == AGAIN)
		uv_timer_start(&n->timer, on_timer, STEP_MS, 0);
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
static void wish(void *owner, const struct nvme_wish *wanted)
{
	struct site_namespaces *n = owner;

	n->wish = wanted;
	uv_async_send(&n->async);
}

/* -- life -- */

int site_namespaces_open(struct run_io *io, struct attach_disk *disk, struct refusal *why)
{
	struct site_namespaces *n;

	if (!io->io->manage)
		return 0;
	n = calloc(1, sizeof *n);
	if (!n || uv_async_init(io->run->loop, &n->async, on_async) != 0) {
		free(n);
		refuse(why, "", "no memory for the namespaces of '%s/%s'", io->system->name, io->io->name);
		return -ENOMEM;
	}
	must(uv_timer_init(io->run->loop, &n->timer) == 0);
	n->handles = 2;
	n->io = io;
	n->async.data = n->timer.data = n;
	io->namespaces = n;
	disk->wish = wish;
	disk->wish_owner = n;
	return 0;
}

int site_namespaces_bind(struct run_io *io, struct refusal *why)
{
	struct site_namespaces *n = io->namespaces;
	const struct disk_layout *layout;
	uint8_t id[SITE_ID_SIZE];

	if (!n)
		return 0;
	n->subsystem = io->attachment->ops->subsystem(io->attachment);
	layout = disk_card_layout(card_of(io)->disk);
	must(disk_card_hold(NULL, card_of(io)->disk, give_way, HOLD_TRIES));
	for (uint32_t nsid = 2; nsid <= BLOCK_NAMESPACES_MAX; nsid++) {
		id_of(io, nsid, id);
		for (unsigned i = 0; i < DISK_NAMESPACES_MAX; i++)
			if (layout->namespaces[i].id && memcmp(layout->namespaces[i].uuid, id, sizeof id) == 0)
				n->rows[nsid - 1] = layout->namespaces[i].id;
		if (!n->rows[nsid - 1])
			continue;
		tell_namespace(n, nsid);
		if (attach(n, nsid) != NVME_SUCCESS)
			refuse(why, "", "namespace %u of '%s/%s' cannot be attached", nsid, io->system->name,
			       io->io->name);
	}
	tell_free(n);
	disk_card_release(NULL, card_of(io)->disk);
	return why && why->text[0] ? -EINVAL : 0;
}

void site_namespaces_end(struct run_io *io)
{
	if (io->namespaces && io->namespaces->wish)
		finish(io->namespaces, NVME_INTERNAL_ERROR);
}

static void on_closed(uv_handle_t *handle)
{
	struct site_namespaces *n = handle->data;

	if (--n->handles == 0)
		free(n);
}

void site_namespaces_close(struct run_io *io)
{
	struct site_namespaces *n = io->namespaces;

	if (!n)
		return;
	io->namespaces = NULL;
	n->io = NULL;
	uv_close((uv_handle_t *)&n->async, on_closed);
	uv_close((uv_handle_t *)&n->timer, on_closed);
}
