#include "prog/site_run.h"
#include "prog/site_cards.h"
#include "prog/site_disk.h"
#include "prog/site_external.h"
#include "prog/site_faults.h"
#include "prog/site_guard.h"
#include "prog/site_hardware.h"
#include "prog/site_heart.h"
#include "prog/site_namespaces.h"
#include "prog/site_mirror.h"
#include "prog/site_records.h"
#include "prog/site_move.h"
#include "prog/site_restore.h"

#include "os/clock.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct run_card *site_run_card(struct site_run *run, const char *name)
{
	for (unsigned i = 0; i < run->card_count; i++)
		if (strcmp(run->cards[i].place.card->name, name) == 0)
			return &run->cards[i];
	return NULL;
}

struct run_io *site_run_io(struct site_run *run, const char *system, const char *io)
{
	for (unsigned i = 0; i < run->io_count; i++)
		if (strcmp(run->ios[i].system->name, system) == 0 &&
		    strcmp(run->ios[i].io->name, io) == 0)
			return &run->ios[i];
	return NULL;
}

struct run_io *site_run_function_user(struct site_run *run, unsigned card, unsigned vf,
				      bool *bound_now)
{
	for (unsigned i = 0; i < run->io_count; i++) {
		const struct placement *place = run->ios[i].place;

		for (unsigned m = 0; m < place->member_count; m++) {
			if (place->member[m].card != card || place->member[m].vf != vf)
				continue;
			*bound_now = run->ios[i].bound == (int)m;
			return &run->ios[i];
		}
	}
	return NULL;
}

struct polled *site_run_polled(struct run_card *card)
{
	if (card->hardware)
		return NULL;
	return card->disk ? disk_card_polled(card->disk) : nic_card_polled(card->card);
}

struct front *site_run_front(const struct run_io *io)
{
	if (io->block)
		return &io->block->any;
	if (io->external)
		return io->external;
	return io->front ? &io->front->any : NULL;
}

/* What attachments call back. */

static struct run_io *io_of_front(struct site_run *run, struct front *front)
{
	for (unsigned i = 0; i < run->io_count; i++)
		if (site_run_front(&run->ios[i]) == front)
			return &run->ios[i];
	return NULL;
}

static void on_watch(void *owner, struct front *front, int fd)
{
	struct run_io *io = io_of_front(owner, front);

	if (io)
		site_move_watch(io, fd);
}

static void on_unwatch(void *owner, struct front *front, int fd)
{
	struct run_io *io = io_of_front(owner, front);

	if (io)
		site_move_unwatch(io, fd);
}

static void on_wake(void *owner, struct front *front)
{
	struct run_io *io = io_of_front(owner, front);

	if (io)
		site_move_wake(io);
}

static void on_announce(void *owner, struct front *front)
{
	struct run_io *io = io_of_front(owner, front);

	if (io)
		site_move_announce(io);
}

/* A guest must not be able to wash everybody's events out of the list: each attachment has so many in
 * a window, and the next window begins with how many were held back. */
bool site_run_may_tell(struct run_io *io, const char *object)
{
	uint64_t now_ns = clock_now_ns();

	if (now_ns - io->events_since_ns > RUN_IO_EVENTS_WINDOW_NS) {
		if (io->events_held) {
			events_add(&io->run->events, "held-back", object,
				   "%u events of this interface were held back", io->events_held);
			events_publish(&io->run->events);
		}
		io->events_since_ns = now_ns;
		io->events_told = io->events_held = 0;
	}
	if (io->events_told < RUN_IO_EVENTS_MAX) {
		io->events_told++;
		return true;
	}
	io->events_held++;
	return false;
}

static void on_event(void *owner, struct front *front, const char *kind, const char *text)
{
	struct site_run *run = owner;
	struct run_io *io = io_of_front(run, front);
	char object[104];

	if (!io)
		return;
	snprintf(object, sizeof object, "system %s/%s", io->system->name, io->io->name);
	if (!site_run_may_tell(io, object))
		return;
	events_add(&run->events, kind, object, "%s", text);
	events_publish(&run->events);
}

static void on_unplugged(void *owner, struct front *front)
{
	struct run_io *io = io_of_front(owner, front);

	if (io)
		site_faults_forgive(io);
}

static int disk_create(struct run_io *io, const struct attach_host *host, struct refusal *why)
{
	char serial[2 * 8 + 1];
	struct attach_disk disk = {
		.queues = io->io->queues, .serial = serial,
		.now_ms = io->run->started_wall_ns / 1000000,
	};
	struct attach_conf conf = {
		.domain = site_guard_domain(io), .io = io->io, .system = io->system->name, .mac = io->mac,
		.disk = &disk,
	};
	int err;

	disk.primary = io->io->primary;
	if (io->owner != io) {
		disk.shared = io->owner->attachment->ops->subsystem(io->owner->attachment);
		disk.controller = (uint16_t)site_io_controller(io->run->site, io->place->system, io->place->io);
		if (io->owner->io->primary)
			disk.vf_number = (uint16_t)(io->place->member[0].vf + 1); /* from 0 here, from 1 there */
	}
	site_io_id(io->run->site, io->owner->place->system, io->owner->place->io, disk.id);
	for (unsigned i = 0; i < 8; i++)
		snprintf(serial + 2 * i, 3, "%02x", disk.id[i]);
	err = site_namespaces_open(io, &disk, why);
	if (!err)
		err = site_records_open(io, &disk, why);
	if (!err)
		err = attach_kinds[io->io->attachment]->create(&io->attachment, host, &conf, why);
	if (err)
		return err;
	io->block = io->attachment->ops->disk(io->attachment);
	err = site_disk_bind(io, why);
	if (!err)
		err = site_namespaces_bind(io, why);
	return err ? err : site_records_recall(io, why);
}

static int io_create(struct run_io *io, const struct attach_host *host, struct refusal *why)
{
	struct attach_conf conf = {
		.domain = site_guard_domain(io), .io = io->io, .system = io->system->name, .mac = io->mac,
		.mtu = io->run->cards[io->place->member[0].card].place.card->mtu,
	};
	int err = attach_kinds[io->io->attachment]->create(&io->attachment, host, &conf, why);

	if (err)
		return err;
	io->front = io->attachment->ops->front(io->attachment);
	return site_move_bind_first(io, 0, why);
}

static int any_create(struct run_io *io, const struct attach_host *host, struct refusal *why)
{
	if (io->run->cards[io->place->member[0].card].external)
		return site_external_attach(io, host, why);
	return site_io_is_disk(io->io) ? disk_create(io, host, why) : io_create(io, host, why);
}

static void find_owners(struct site_run *run)
{
	for (unsigned i = 0; i < run->io_count; i++) {
		const struct placement *place = run->ios[i].place;
		struct site_io_place owner = site_io_owner(run->site, place->system, place->io);

		for (unsigned j = 0; j < run->io_count; j++)
			if (run->places[j].system == owner.system && run->places[j].io == owner.io)
				run->ios[i].owner = &run->ios[j];
		must(run->ios[i].owner);
	}
}

static int ios_create(struct site_run *run, struct refusal *why)
{
	struct attach_host host = {
		.loop = run->loop, .run_dir = run->run_dir, .watch = on_watch,
		.unwatch = on_unwatch, .wake = on_wake, .event = on_event, .announce = on_announce,
		.unplugged = on_unplugged, .owner = run,
	};
	int err;

	run->io_count = placement_count(run->site);
	run->places = calloc(run->io_count + 1, sizeof *run->places);
	run->ios = calloc(run->io_count + 1, sizeof *run->ios);
	run->failover_ios = calloc(run->io_count + 1, sizeof *run->failover_ios);
	run->actions = calloc(run->io_count + 1, sizeof *run->actions);
	if (!run->places || !run->ios || !run->failover_ios || !run->actions) {
		refuse(why, "", "no memory for %u interfaces", run->io_count);
		return -ENOMEM;
	}
	err = site_mirror_create(run, why);
	if (!err)
		err = placement_make(run->site, run->places, why);
	if (err)
		return err;
	for (unsigned i = 0; i < run->io_count; i++) {
		struct run_io *io = &run->ios[i];

		io->run = run;
		io->place = &run->places[i];
		io->system = &run->site->systems[io->place->system];
		io->io = &io->system->io[io->place->io];
		io->bound = -1;
		io->mac = site_io_mac(run->site, io->place->system, io->place->io);
		run->failover_ios[i] = (struct failover_io){
			.place = io->place, .revert = site_io_reverts(run->site, io->io),
			.wait_ns = site_io_wait_to_restore_ns(run->site, io->io), .active = 0,
		};
	}
	find_owners(run);
	err = site_guard_create(run, why);
	if (err)
		return err;
	for (unsigned i = 0; !err && i < run->io_count; i++)
		if (run->ios[i].owner == &run->ios[i] && !site_hardware_is(&run->ios[i]))
			err = any_create(&run->ios[i], &host, why);
	for (unsigned i = 0; !err && i < run->io_count; i++)
		if (run->ios[i].owner != &run->ios[i])
			err = any_create(&run->ios[i], &host, why);
	if (err)
		return err;
	failover_init(&run->failover, run->card_count, run->failover_ios, run->io_count);
	return site_hardware_assign(run, why);
}

/* A line that has no link at start is lost from the beginning. */
static void settle(struct site_run *run)
{
	for (unsigned i = 0; i < run->card_count; i++)
		if (!run->cards[i].line_up)
			site_move_tell(&run->cards[i], FAILOVER_LINE_LOST, clock_now_ns());
}

unsigned site_run_workers(const struct site *site)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned cards = site_card_count(site);

	if (site->workers)
		return min_u32(site->workers, EAL_WORKERS_MAX);
	return min_u32(min_u32(cards, cpus > 1 ? (unsigned)cpus : 1), EAL_WORKERS_MAX);
}

/* The directory for the sockets of the site's guests. */
static int make_run_dir(struct site_run *run, const char *parent, struct refusal *why)
{
	int length = snprintf(run->run_dir, sizeof run->run_dir, "%s/%s", parent, run->site->name);
	int err;

	if (length < 0 || (size_t)length >= sizeof run->run_dir) {
		run->run_dir[0] = 0;
		refuse(why, "", "the directory '%s/%s' is too long a name for sockets", parent,
		       run->site->name);
		return -ENAMETOOLONG;
	}
	if (mkdir(run->run_dir, 0755) == 0 || errno == EEXIST)
		return 0;
	err = -errno;
	refuse(why, "", "cannot make the directory '%s': %s", run->run_dir, strerror(-err));
	run->run_dir[0] = 0;
	return err;
}

int site_run_create(struct site_run **out, const struct site *site, uv_loop_t *loop,
		    const char *run_dir, struct refusal *why)
{
	struct site_run *run = calloc(1, sizeof *run);
	int err;

	if (!run)
		return -ENOMEM;
	run->site = site;
	run->loop = loop;
	run->lock_dir = run_dir;
	run->started_ns = clock_now_ns();
	run->started_wall_ns = clock_wall_ns();
	events_init(&run->events);
	faults_init(&run->faults);
	err = make_run_dir(run, run_dir, why);
	if (!err)
		err = workers_create(&run->workers, site_run_workers(site),
			     site->idle_wake_us * UINT64_C(1000), why);
	if (!err)
		err = site_cards_create(run, why);
	if (!err)
		err = ios_create(run, why);
	if (err) {
		site_run_destroy(run);
		return err;
	}
	for (unsigned i = 0; i < run->card_count; i++) {
		if (run->cards[i].external || run->cards[i].hardware)
			continue; /* no worker has anything to do with it */
		workers_add_card(run->workers, run->cards[i].worker, site_run_polled(&run->cards[i]));
		run->cards[i].served = true;
	}
	err = site_mirror_start(run, why);
	if (!err)
		err = site_restore_start(run, why);
	if (err) {
		site_run_destroy(run);
		return err;
	}
	settle(run);
	site_hardware_start(run);
	site_heart_start(run);
	*out = run;
	return 0;
}

static void disk_unbind(struct run_io *io)
{
	site_move_unwatch_all(io);
	if (!site_disk_unbind(io))
		log_error("prog", "a medium does not give back what it has of a disk io=%s/%s",
			  io->system->name, io->io->name);
}

/* A medium that keeps requests of a disk keeps what these use: its attachment stays, and those of who shares it. */
static void disk_destroy(struct run_io *io)
{
	for (unsigned i = 0; i < io->run->io_count; i++)
		if (io->run->ios[i].owner == io->owner && io->run->ios[i].bound >= 0)
			return;
	io->attachment->ops->destroy(io->attachment);
	site_namespaces_close(io);
	site_records_close(io);
}

/* Controllers that share a disk look at each other in every round: all are unbound before one goes. */
static void ios_destroy(struct site_run *run)
{
	for (unsigned i = 0; run->ios && i < run->io_count; i++)
		if (run->ios[i].block)
			disk_unbind(&run->ios[i]);
	for (unsigned i = 0; run->ios && i < run->io_count; i++) {
		if (run->ios[i].external) {
			site_external_end(&run->ios[i]);
			continue;
		}
		if (run->ios[i].block) {
			disk_destroy(&run->ios[i]);
			continue;
		}
		if (run->ios[i].front)
			site_move_unbind(&run->ios[i]);
		if (run->ios[i].attachment)
			run->ios[i].attachment->ops->destroy(run->ios[i].attachment);
		site_namespaces_close(&run->ios[i]);
		site_records_close(&run->ios[i]);
	}
}

/* A worker that never comes back from its driver keeps the memory that it would come back to. */
static void cards_destroy(struct site_run *run)
{
	site_mirror_withdraw(run);
	for (unsigned i = 0; i < run->card_count; i++) {
		struct run_card *card = &run->cards[i];

		if ((card->card || card->disk) &&
		    workers_remove_card(run->workers, card->worker, site_run_polled(card)) == -EBUSY) {
			card->lost = true;
			card->card = NULL;
			card->disk = NULL;
			card->medium = NULL;
		}
	}
	if (run->workers)
		workers_destroy(run->workers);
	for (unsigned i = 0; i < run->card_count; i++) {
		uplink_close(run->cards[i].uplink);
		free(run->cards[i].card);
		site_disk_close(&run->cards[i]);
		site_external_close(&run->cards[i]);
	}
	site_mirror_destroy(run);
	free(run->cards);
}

void site_run_destroy(struct site_run *run)
{
	if (!run)
		return;
	site_heart_stop(run);
	site_restore_stop(run);
	site_hardware_destroy(run);
	site_mirror_stop(run);
	for (unsigned i = 0; i < run->card_count; i++)
		if (run->cards[i].uplink)
			uplink_hang(run->cards[i].uplink, false);
	ios_destroy(run);
	site_guard_destroy(run);
	cards_destroy(run);
	if (run->run_dir[0])
		rmdir(run->run_dir); /* stays when somebody keeps a file there */
	free(run->ios);
	free(run->places);
	free(run->failover_ios);
	free(run->actions);
	free(run);
}
