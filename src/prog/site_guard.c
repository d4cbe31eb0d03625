#include "prog/site_guard.h"
#include "prog/site_faults.h"

#include "fabric/hierarchy.h"
#include "iommu/guard.h"
#include "os/clock.h"
#include "os/table_memory.h"
#include "pcie/kinds.h"
#include "pcie/kinds_nvme.h"
#include "tree/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAGE = 4096,
	FUNCTION_TABLES = 4096,  /* pages of one interface: 16 MiB, for 8 GiB page by page */
	UNIT_PAGES = 3 + 256,    /* root table, queue, status; a context table a bus */
	INTERRUPTS_MIN = 256,
	INTERRUPT_SIZE = 16,
	CONTROL_READER = 0,      /* and behind it one a card */
};

/* The unit of one host. */
struct unit {
	struct table_memory *memory;
	void *room;
	struct guard *guard;
};

/* What an interface has. */
struct run_guard {
	struct guard_function function;
	bool made;
	uint16_t rid[PLACEMENT_MEMBERS_MAX];
};

struct site_guard {
	struct site_run *run;
	struct unit *units;  /* by host */
	struct run_guard *ios;
	uv_async_t *async;   /* units have work */
};

static bool reaches_memory(const struct run_io *io)
{
	return io->io->attachment != SITE_ATTACH_TAP && io->io->attachment != SITE_ATTACH_VFIO;
}

static unsigned host_of(const struct run_io *io)
{
	const struct site *site = io->run->site;
	unsigned host = 0;

	while (host < site->hosts_count && strcmp(site->hosts[host].name, io->system->host) != 0)
		host++;
	must(host < site->hosts_count); /* the site was checked */
	return host;
}

static unsigned vectors_of(const struct run_io *io)
{
	/* of a whole PCI function: its MSI-X table */
	if (io->io->attachment == SITE_ATTACH_VFIO_USER)
		return PCIE_KINDS_NIC_VECTORS;
	if (io->io->attachment == SITE_ATTACH_NVME)
		return PCIE_NVME_VECTORS;
	if (io->io->attachment == SITE_ATTACH_VIRTIO_BLK)
		return PCIE_KINDS_DISK_VECTORS;
	if (io->io->attachment == SITE_ATTACH_VHOST_USER_BLK)
		return io->io->queues;
	return 2u * (io->io->queues ? io->io->queues : 1) + 1;
}

/* Requester IDs. */

/* Of VF 'vf' of 'card' as the host sees it. */
static uint16_t find_rid(const struct hierarchy *h, unsigned card, unsigned vf)
{
	const struct hierarchy_port *port = h->port;
	unsigned d = 0;

	/* A host sees the functions of its systems. */
	while (port < h->port + h->port_count && port->card != card)
		port++;
	must(port < h->port + h->port_count);
	if (port->managed)
		return pcie_device_rid(&port->devices[0].device, vf);
	while (d < port->device_count && port->devices[d].vf != vf)
		d++;
	must(d < port->device_count);
	return port->devices[d].device.rid;
}

static bool has_systems(const struct site_run *run, unsigned host)
{
	for (unsigned i = 0; i < run->io_count; i++)
		if (host_of(&run->ios[i]) == host)
			return true;
	return false;
}

/* All cards are taken to be there, so that an ID does not depend on which are pulled. */
static int find_rids(struct site_run *run, unsigned host, struct refusal *why)
{
	struct hierarchy_conf conf = { .site = run->site, .placement = run->places, .host = host };
	struct hierarchy *h;
	int err;

	if (!has_systems(run, host))
		return 0;
	h = malloc(hierarchy_size(&conf));
	err = h ? hierarchy_init(h, &conf, why) : -ENOMEM;
	for (unsigned i = 0; !err && i < run->io_count; i++) {
		struct run_io *io = &run->ios[i];

		if (io->io->attachment == SITE_ATTACH_VFIO)
			continue; /* it has a real one */
		for (unsigned m = 0; host_of(io) == host && m < io->place->member_count; m++)
			run->guard->ios[i].rid[m] = find_rid(h, io->place->member[m].card,
							     io->place->member[m].vf);
	}
	free(h);
	return err;
}

uint16_t site_guard_rid(const struct run_io *io, unsigned member)
{
	return io->run->guard->ios[io - io->run->ios].rid[member];
}

/* What a unit calls. */

static void on_wake(void *owner)
{
	uv_async_send(((struct site_run *)owner)->guard->async);
}

/* A worker that is inside is done in microseconds, unless the machine does not let it run. */
static void on_pause(void *owner)
{
	(void)owner;
	sched_yield();
}

static void on_fault(void *owner, struct guard_function *function, const struct guard_fault *fault,
		     uint64_t more)
{
	(void)owner;
	site_faults_note(function->owner, fault, more);
}

static void on_stranger(void *owner, const struct guard_fault *fault)
{
	site_faults_note_stranger(owner, fault);
}

static void on_async(uv_async_t *async)
{
	struct site_run *run = async->data;
	uint64_t now_ns = clock_now_ns();

	for (unsigned i = 0; run && i < run->site->hosts_count; i++)
		if (run->guard->units[i].guard &&
		    guard_poll(run->guard->units[i].guard, now_ns) <= now_ns)
			uv_async_send(async);
	if (run)
		site_faults_settle(run);
}

/* Set-up. */

/* Sizes of a unit: its functions, and entries of its interrupt table. */
static unsigned functions_of(const struct site_run *run, unsigned host, uint32_t *interrupts)
{
	unsigned functions = 0;

	*interrupts = 0;
	for (unsigned i = 0; i < run->io_count; i++) {
		uint32_t block = guard_interrupts_of(vectors_of(&run->ios[i]));

		if (host_of(&run->ios[i]) != host || !reaches_memory(&run->ios[i]))
			continue;
		functions++;
		*interrupts = (*interrupts + block - 1) / block * block + block;
	}
	return functions;
}

static int unit_create(struct site_run *run, unsigned host, struct refusal *why)
{
	struct unit *unit = &run->guard->units[host];
	struct guard_conf conf = {
		.readers = 1 + run->card_count, .function_tables = FUNCTION_TABLES,
		.wake = on_wake, .pause = on_pause, .fault = on_fault, .stranger = on_stranger,
		.owner = run,
	};
	uint32_t needed, interrupts = INTERRUPTS_MIN;
	unsigned functions = functions_of(run, host, &needed);
	uint64_t pages = UNIT_PAGES + functions * (uint64_t)FUNCTION_TABLES;

	if (!functions)
		return 0;
	while (interrupts < needed)
		interrupts *= 2;
	if (interrupts > GUARD_INTERRUPTS_MAX) {
		refuse(why, "", "the interfaces of host '%s' have %u interrupts; a remapping unit has "
		       "%u: give them fewer queues", run->site->hosts[host].name, needed,
		       (unsigned)GUARD_INTERRUPTS_MAX);
		return -ENOSPC;
	}
	pages += interrupts * INTERRUPT_SIZE / PAGE;
	if (table_memory_create(&unit->memory, pages))
		return -ENOMEM;
	conf.pages = table_memory_pages(unit->memory);
	conf.memory = table_memory_of_unit(unit->memory);
	conf.interrupts = interrupts;
	conf.interrupt_table =
		table_memory_take_block(unit->memory, interrupts * INTERRUPT_SIZE / PAGE);
	unit->room = aligned_alloc(64, guard_size(&conf));
	return unit->room ? guard_init(&unit->guard, unit->room, &conf) : -ENOMEM;
}

/* A function, and the context tables that it may ever need. */
static int io_create(struct run_io *io)
{
	struct run_guard *guard = &io->run->guard->ios[io - io->run->ios];
	int err;

	if (!reaches_memory(io))
		return 0;
	err = guard_function_init(&guard->function, io->run->guard->units[host_of(io)].guard,
				  vectors_of(io));
	guard->made = !err;
	guard->function.owner = io;
	for (unsigned m = 0; !err && m < io->place->member_count; m++) {
		err = guard_function_bind(&guard->function, guard->rid[m], CONTROL_READER);
		guard_function_unbind(&guard->function);
	}
	return err;
}

static int make_async(struct site_run *run)
{
	uv_async_t *async = calloc(1, sizeof *async);
	int err = async ? uv_async_init(run->loop, async, on_async) : -ENOMEM;

	if (err) {
		free(async);
		return err;
	}
	async->data = run;
	run->guard->async = async;
	return 0;
}

int site_guard_create(struct site_run *run, struct refusal *why)
{
	struct site_guard *guard = calloc(1, sizeof *guard);
	int err = -ENOMEM;

	if (guard) {
		run->guard = guard;
		guard->units = calloc(run->site->hosts_count + 1, sizeof *guard->units);
		guard->ios = calloc(run->io_count + 1, sizeof *guard->ios);
		err = guard->units && guard->ios ? make_async(run) : -ENOMEM;
	}
	for (unsigned i = 0; !err && i < run->site->hosts_count; i++)
		err = find_rids(run, i, why);
	for (unsigned i = 0; !err && i < run->site->hosts_count; i++)
		err = unit_create(run, i, why);
	for (unsigned i = 0; !err && i < run->io_count; i++)
		err = io_create(&run->ios[i]);
	if (err && !why->text[0])
		refuse(why, "", "cannot bring up the remapping units: %s", strerror(-err));
	return err;
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void unit_destroy(struct unit *unit)
{
	if (unit->guard)
		guard_fini(unit->guard);
	free(unit->room);
	table_memory_destroy(unit->memory);
}

void site_guard_destroy(struct site_run *run)
{
	struct site_guard *guard = run->guard;

	if (!guard)
		return;
	for (unsigned i = 0; guard->ios && i < run->io_count; i++) {
		if (!guard->ios[i].made)
			continue;
		guard_function_unbind(&guard->ios[i].function);
		guard_function_fini(&guard->ios[i].function);
	}
	for (unsigned i = 0; guard->units && i < run->site->hosts_count; i++)
		unit_destroy(&guard->units[i]);
	if (guard->async) {
		guard->async->data = NULL;
		uv_close((uv_handle_t *)guard->async, free_handle);
	}
	free(guard->units);
	free(guard->ios);
	free(guard);
	run->guard = NULL;
}

/* In service. */

static struct guard_function *function_of(struct run_io *io)
{
	struct run_guard *guard = &io->run->guard->ios[io - io->run->ios];

	return guard->made ? &guard->function : NULL;
}

struct iommu_domain *site_guard_domain(struct run_io *io)
{
	struct guard_function *function = function_of(io);

	return function ? &function->domain : NULL;
}

void site_guard_move(struct run_io *io, int member)
{
	struct guard_function *function = function_of(io);

	if (!function)
		return;
	guard_function_unbind(function);
	if (member < 0 || function->barred)
		return;
	/* The tables that this needs are there. */
	must(guard_function_bind(function, site_guard_rid(io, (unsigned)member),
				 1 + io->place->member[member].card) == 0);
}

void site_guard_bar(struct run_io *io)
{
	attach_hold(site_run_front(io));
	guard_function_bar(function_of(io));
	attach_release(site_run_front(io));
}

void site_guard_let_in(struct run_io *io)
{
	attach_hold(site_run_front(io));
	guard_function_let_in(function_of(io));
	site_guard_move(io, io->bound);
	attach_release(site_run_front(io));
}

/* Telling. */

void site_guard_describe(struct site_run *run, unsigned host, struct tree_out *out)
{
	const struct unit *unit = &run->guard->units[host];

	if (!unit->guard)
		return;
	tree_put_boolean(out, "translation", guard_translates(unit->guard));
	tree_put_boolean(out, "interrupt_remapping", guard_remaps_interrupts(unit->guard));
	tree_put_integer(out, "domains", unit->guard->domains);
	tree_put_integer(out, "tables_bytes", table_memory_used(unit->memory) * PAGE);
}

struct mapping {
	struct iommu_range range;
	uint64_t target;
	uint8_t rights;
};

/* One row late, since the last is told how many follow. */
struct listing {
	struct run_io *io;
	struct tree_out *out;
	struct mapping last;
	uint64_t count; /* found, of which the last has no row yet */
};

static void put_hex(struct tree_out *out, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "0x%" PRIx64, value);
	tree_put_text(out, name, text);
}

static void put_row(const struct listing *listing, uint64_t more)
{
	static const char *const words[] = { "", "r", "w", "rw" };
	const struct guard_function *function = function_of(listing->io);
	const struct mapping *m = &listing->last;
	char rid[PCIE_RID_TEXT_SIZE] = "";

	if (function->source != GUARD_NOBODY)
		pcie_rid_text((uint16_t)function->source, rid);
	tree_row_begin(listing->out, "rows");
	tree_put_text(listing->out, "system", listing->io->system->name);
	tree_put_text(listing->out, "io", listing->io->io->name);
	tree_put_text(listing->out, "rid", rid);
	tree_put_integer(listing->out, "domain", function->id);
	if (listing->count) {
		put_hex(listing->out, "iova", m->range.iova);
		put_hex(listing->out, "last", m->range.iova + (m->range.size - 1));
		put_hex(listing->out, "address", m->target);
		tree_put_text(listing->out, "rights", words[m->rights & (IOMMU_READ | IOMMU_WRITE)]);
	}
	if (more)
		tree_put_integer(listing->out, "more", more);
	tree_row_end(listing->out);
}

static void note_mapping(void *context, struct iommu_range range, uint64_t target, uint8_t rights)
{
	struct listing *listing = context;

	if (listing->count && listing->count < SITE_GUARD_LISTED)
		put_row(listing, 0);
	if (listing->count++ < SITE_GUARD_LISTED)
		listing->last = (struct mapping){ range, target, rights };
}

void site_guard_list(struct site_run *run, const struct site_system *system, struct tree_out *out)
{
	for (unsigned i = 0; i < run->io_count; i++) {
		struct listing listing = { .io = &run->ios[i], .out = out };

		if (listing.io->system != system || !function_of(listing.io))
			continue;
		guard_function_list(function_of(listing.io), note_mapping, &listing);
		put_row(&listing, listing.count > SITE_GUARD_LISTED ?
				  listing.count - SITE_GUARD_LISTED : 0);
	}
}
