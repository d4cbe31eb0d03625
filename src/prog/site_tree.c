#include "prog/site_tree.h"
#include "prog/site_describe.h"
#include "prog/site_guard.h"
#include "prog/site_restore.h"

#include "fabric/hierarchy.h"
#include "iommu/vtd_walk.h"
#include "os/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const spread_words[] = {
	[SITE_SPREAD_CARD] = "card",
	[SITE_SPREAD_CARRIER] = "carrier",
	[SITE_SPREAD_CHASSIS] = "chassis",
};
static const char *const mode_words[] = {
	[SITE_REDUNDANCY_NONE] = "none",
	[SITE_REDUNDANCY_ONE_PLUS_ONE] = "1+1",
	[SITE_REDUNDANCY_N_PLUS_M] = "n+m",
};
static const char *const health_words[] = {
	[WORKER_WELL] = "well",
	[WORKER_STARVED] = "starved",
	[WORKER_STUCK] = "stuck",
};

static unsigned carrier_count(const struct site *site)
{
	unsigned count = 0;

	for (unsigned i = 0; i < site->chassis_count; i++)
		count += site->chassis[i].carriers_count;
	return count;
}

/* The n-th carrier of the site, and the chassis that it is in. */
static const struct site_carrier *carrier_at(const struct site *site, unsigned n,
					     const struct site_chassis **chassis)
{
	*chassis = site->chassis;
	while (n >= (*chassis)->carriers_count)
		n -= (*chassis)++->carriers_count;
	return &(*chassis)->carriers[n];
}

static unsigned function_count(const struct site_run *run)
{
	unsigned count = 0;

	for (unsigned i = 0; i < run->card_count; i++)
		count += run->cards[i].place.card->vfs;
	return count;
}

/* The n-th function of the site: its card, and its number there. */
static struct run_card *function_at(struct site_run *run, unsigned n, unsigned *vf)
{
	struct run_card *card = run->cards;

	while (n >= card->place.card->vfs)
		n -= card++->place.card->vfs;
	*vf = n + 1;
	return card;
}

static uint64_t oldest_event(const struct events *events)
{
	const struct event *event = events_after(events, 0);

	return event ? event->id : events->next_id;
}

static const struct event *event_at(const struct site_run *run, unsigned index)
{
	return events_after(&run->events, oldest_event(&run->events) + index - 1);
}

static unsigned count(void *owner, enum tree_noun noun)
{
	const struct site_run *run = ((struct site_tree *)owner)->run;
	const struct site *site = run->site;
	unsigned faults;

	switch (noun) {
	case TREE_SITE:
		return 1;
	case TREE_CHASSIS:
		return site->chassis_count;
	case TREE_CARRIER:
		return carrier_count(site);
	case TREE_CARD:
		return run->card_count;
	case TREE_FUNCTION:
		return function_count(run);
	case TREE_HOST:
		return site->hosts_count;
	case TREE_POOL:
		return site->pools_count;
	case TREE_SYSTEM:
		return site->systems_count;
	case TREE_GROUP:
		return site->groups_count;
	case TREE_FAULT:
		(void)faults_oldest(&run->faults, &faults);
		return faults;
	case TREE_EVENT:
		return (unsigned)(run->events.next_id - oldest_event(&run->events));
	case TREE_AVAIL:
		return site_avail_count(((struct site_tree *)owner)->avail);
	default:
		must(noun == TREE_WORKER);
		return workers_count(run->workers);
	}
}

/* The name that the site file gives, or NULL where it gives none. */
static const char *given_name(const struct site_run *run, enum tree_noun noun, unsigned index)
{
	const struct site_chassis *chassis;
	const struct site *site = run->site;

	switch (noun) {
	case TREE_SITE:
		return site->name;
	case TREE_CHASSIS:
		return site->chassis[index].name;
	case TREE_CARRIER:
		return carrier_at(site, index, &chassis)->name;
	case TREE_CARD:
		return run->cards[index].place.card->name;
	case TREE_HOST:
		return site->hosts[index].name;
	case TREE_POOL:
		return site->pools[index].name;
	case TREE_SYSTEM:
		return site->systems[index].name;
	case TREE_GROUP:
		return site->groups[index].name;
	default:
		return NULL;
	}
}

static void name(void *owner, enum tree_noun noun, unsigned index, char text[TREE_NAME_MAX])
{
	struct site_run *run = ((struct site_tree *)owner)->run;
	const char *given = given_name(run, noun, index);
	char function[SITE_FUNCTION_NAME_MAX];

	if (noun == TREE_AVAIL)
		given = site_avail_name(((struct site_tree *)owner)->avail, index);
	if (given) {
		snprintf(text, TREE_NAME_MAX, "%s", given);
	} else if (noun == TREE_FUNCTION) {
		unsigned vf;
		const struct run_card *card = function_at(run, index, &vf);

		site_describe_function_name(card, vf, function);
		snprintf(text, TREE_NAME_MAX, "%s", function);
	} else if (noun == TREE_EVENT) {
		snprintf(text, TREE_NAME_MAX, "%" PRIu64, event_at(run, index)->id);
	} else if (noun == TREE_FAULT) {
		snprintf(text, TREE_NAME_MAX, "%" PRIu64, faults_at(&run->faults, index)->id);
	} else {
		snprintf(text, TREE_NAME_MAX, "%u", index);
	}
}

static void put_time(struct tree_out *out, const char *property, uint64_t wall_ns)
{
	char text[32];

	clock_format(wall_ns, text);
	tree_put_text(out, property, text);
}

static void describe_site(const struct site_tree *tree, struct tree_out *out)
{
	const struct site_run *run = tree->run;

	tree_put_text(out, "version", MIDPLANE_VERSION);
	tree_put_integer(out, "pid", (uint64_t)getpid());
	tree_put_text(out, "socket", tree->socket);
	put_time(out, "started", run->started_wall_ns);
	tree_put_integer(out, "uptime_s", (clock_now_ns() - run->started_ns) / 1000000000);
	tree_put_text(out, "memory", eal_memory_kind());
	tree_put_integer(out, "workers", workers_count(run->workers));
	tree_put_integer(out, "heartbeat_ms", run->site->heartbeat_ms);
	tree_put_integer(out, "chassis", run->site->chassis_count);
	tree_put_integer(out, "cards", run->card_count);
	tree_put_integer(out, "functions", function_count(run));
	tree_put_integer(out, "systems", run->site->systems_count);
	tree_put_integer(out, "ios", run->io_count);
	tree_put_integer(out, "last_event", run->events.next_id - 1);
	tree_put_integer(out, "quarantine_faults", run->site->quarantine_faults);
	tree_put_integer(out, "quarantine_window_s", run->site->quarantine_window_s);
}

static bool in_service(const struct site_run *run, const struct run_card *card)
{
	return failover_card_state(&run->failover, card->index) == FAILOVER_CARD_IN_SERVICE;
}

static void describe_chassis(struct site_run *run, unsigned index, struct tree_out *out)
{
	const struct site_chassis *chassis = &run->site->chassis[index];
	unsigned cards = 0, well = 0, hosts = 0;

	tree_put_list(out, "carriers");
	for (unsigned i = 0; i < chassis->carriers_count; i++)
		tree_put_item(out, "carriers", chassis->carriers[i].name);
	tree_put_list(out, "hosts");
	for (unsigned i = 0; i < run->site->hosts_count; i++)
		if (strcmp(run->site->hosts[i].chassis, chassis->name) == 0) {
			tree_put_item(out, "hosts", run->site->hosts[i].name);
			hosts++;
		}
	tree_put_list(out, "cards");
	for (unsigned i = 0; i < run->card_count; i++)
		if (run->cards[i].place.chassis == chassis) {
			tree_put_item(out, "cards", run->cards[i].place.card->name);
			cards++;
			well += in_service(run, &run->cards[i]);
		}
	tree_put_integer(out, "carrier_count", chassis->carriers_count);
	tree_put_integer(out, "host_count", hosts);
	tree_put_integer(out, "card_count", cards);
	tree_put_integer(out, "in_service", well);
}

static void describe_carrier(struct site_run *run, unsigned index, struct tree_out *out)
{
	const struct site_chassis *chassis;
	const struct site_carrier *carrier = carrier_at(run->site, index, &chassis);
	unsigned well = 0;

	tree_put_text(out, "chassis", chassis->name);
	tree_put_list(out, "cards");
	for (unsigned i = 0; i < run->card_count; i++)
		if (run->cards[i].place.carrier == carrier) {
			tree_put_item(out, "cards", run->cards[i].place.card->name);
			well += in_service(run, &run->cards[i]);
		}
	tree_put_integer(out, "card_count", carrier->cards_count);
	tree_put_integer(out, "in_service", well);
}

/* The requester ID under which an interface is heard at a function of its placement. */
static bool put_user_rid(struct site_run *run, const struct run_card *card, unsigned vf,
			 struct tree_out *out)
{
	char text[PCIE_RID_TEXT_SIZE];
	bool bound;
	const struct run_io *io = site_run_function_user(run, card->index, vf, &bound);

	for (unsigned m = 0; io && m < io->place->member_count; m++)
		if (io->place->member[m].card == card->index && io->place->member[m].vf == vf) {
			pcie_rid_text(site_guard_rid(io, m), text);
			tree_put_text(out, "rid", text);
		}
	return io != NULL;
}

/* The routing ID of a free function in the tree of the host that manages its card. */
static void put_rid(struct site_run *run, const struct run_card *card, unsigned vf,
		    struct tree_out *out)
{
	int manager = hierarchy_manager(run->site, card->index);
	struct hierarchy_conf conf = {
		.site = run->site, .placement = run->places, .host = (unsigned)manager
	};
	struct hierarchy *hierarchy;

	if (card->hardware || put_user_rid(run, card, vf, out) || manager < 0)
		return;
	hierarchy = malloc(hierarchy_size(&conf));
	if (!hierarchy || hierarchy_init(hierarchy, &conf, NULL) != 0) {
		free(hierarchy);
		return;
	}
	for (unsigned i = 0; i < hierarchy->port_count; i++) {
		const struct hierarchy_port *port = &hierarchy->port[i];
		char text[PCIE_RID_TEXT_SIZE];

		if (port->card != card->index || !port->managed)
			continue;
		pcie_rid_text(pcie_device_rid(&port->devices[0].device, vf), text);
		tree_put_text(out, "rid", text);
	}
	free(hierarchy);
}

static void describe_host(struct site_run *run, unsigned index, struct tree_out *out)
{
	const struct site_host *host = &run->site->hosts[index];
	unsigned systems = 0;

	tree_put_text(out, "chassis", host->chassis);
	tree_put_list(out, "systems");
	for (unsigned i = 0; i < run->site->systems_count; i++)
		if (strcmp(run->site->systems[i].host, host->name) == 0) {
			tree_put_item(out, "systems", run->site->systems[i].name);
			systems++;
		}
	tree_put_integer(out, "system_count", systems);
	site_guard_describe(run, index, out);
}

static unsigned functions_given(struct site_run *run, const struct run_card *card)
{
	unsigned given = 0;
	bool bound;

	for (unsigned vf = 1; vf <= card->place.card->vfs; vf++)
		given += site_run_function_user(run, card->index, vf, &bound) != NULL;
	return given;
}

/* Those that nobody has, and that somebody could have. */
static unsigned functions_left(struct site_run *run, struct run_card *card)
{
	unsigned left = 0;
	bool bound;

	for (unsigned vf = 1; vf <= card->place.card->vfs; vf++)
		left += !site_run_function_user(run, card->index, vf, &bound) &&
			!site_describe_function_loss(card, vf);
	return left;
}

static void describe_pool(struct site_run *run, unsigned index, struct tree_out *out)
{
	const struct site_pool *pool = &run->site->pools[index];
	unsigned functions = 0, given = 0, left = 0;

	tree_put_list(out, "cards");
	for (unsigned i = 0; i < pool->cards_count; i++) {
		struct run_card *card = site_run_card(run, pool->cards[i]);

		tree_put_item(out, "cards", pool->cards[i]);
		functions += card->place.card->vfs;
		given += functions_given(run, card);
		left += functions_left(run, card);
	}
	tree_put_integer(out, "functions", functions);
	tree_put_integer(out, "allocated", given);
	tree_put_integer(out, "free", left);
}

static unsigned active_on(const struct site_run *run, const struct site_group *group,
			  const struct run_card *card)
{
	unsigned active = 0;

	for (unsigned i = 0; i < run->io_count; i++)
		active += site_io_group(run->site, run->ios[i].io) == group &&
			  site_describe_card_of(&run->ios[i]) == card;
	return active;
}

static void put_members(struct site_run *run, const struct site_group *group,
			struct tree_out *out)
{
	tree_put_rows(out, "members");
	for (unsigned i = 0; i < group->cards_count; i++) {
		struct run_card *card = site_run_card(run, group->cards[i]);
		uint64_t left_s;

		tree_row_begin(out, "members");
		tree_put_text(out, "card", group->cards[i]);
		tree_put_text(out, "state", site_describe_card_state(card));
		tree_put_integer(out, "active", active_on(run, group, card));
		left_s = site_restore_left_s(run, group, card);
		if (left_s)
			tree_put_integer(out, "wait_left_s", left_s);
		tree_row_end(out);
	}
}

static void describe_group(struct site_run *run, unsigned index, struct tree_out *out)
{
	const struct site_group *group = &run->site->groups[index];
	unsigned ios = 0;

	tree_put_list(out, "cards");
	tree_put_list(out, "active");
	for (unsigned i = 0; i < group->cards_count; i++) {
		tree_put_item(out, "cards", group->cards[i]);
		if (active_on(run, group, site_run_card(run, group->cards[i])))
			tree_put_item(out, "active", group->cards[i]);
	}
	for (unsigned i = 0; i < run->io_count; i++)
		ios += site_io_group(run->site, run->ios[i].io) == group;
	tree_put_text(out, "mode", mode_words[group->mode]);
	tree_put_text(out, "spread", spread_words[group->spread]);
	tree_put_boolean(out, "revert", group->revert);
	tree_put_integer(out, "wait_to_restore_s", group->wait_to_restore_s);
	tree_put_integer(out, "ios", ios);
	put_members(run, group, out);
}

static void describe_event(const struct event *event, struct tree_out *out)
{
	tree_put_integer(out, "id", event->id);
	put_time(out, "time", event->wall_ns);
	tree_put_text(out, "kind", event->kind);
	tree_put_text(out, "object", event->object);
	if (event->from[0])
		tree_put_text(out, "from", event->from);
	if (event->to[0])
		tree_put_text(out, "to", event->to);
	if (event->away_ns >= 0)
		tree_put_number(out, "away_us", (double)event->away_ns / 1000);
	tree_put_text(out, "text", event->text);
}

static void describe_fault(const struct site_run *run, const struct fault *fault,
			   struct tree_out *out)
{
	char text[24];

	tree_put_integer(out, "id", fault->id);
	put_time(out, "time", fault->last_ns);
	put_time(out, "first", fault->first_ns);
	if (fault->io != FAULT_OF_NOBODY) {
		tree_put_text(out, "system", run->ios[fault->io].system->name);
		tree_put_text(out, "io", run->ios[fault->io].io->name);
		tree_put_text(out, "function", fault->function);
	}
	pcie_rid_text(fault->source, text);
	tree_put_text(out, "rid", text);
	tree_put_text(out, "access", fault_access_text(fault));
	snprintf(text, sizeof text, fault->interrupt ? "%" PRIu64 : "0x%" PRIx64, fault->address);
	tree_put_text(out, "address", text);
	tree_put_text(out, "reason", vtd_reason_text(fault->reason));
	tree_put_integer(out, "code", fault->reason);
	tree_put_integer(out, "count", fault->count);
}

static void describe_worker(struct site_run *run, unsigned index, struct tree_out *out)
{
	uint64_t limit_ns = run->site->heartbeat_ms * UINT64_C(1000000);
	struct worker_usage usage = { 0 };

	workers_usage(run->workers, index, &usage);
	tree_put_text(out, "health",
		      health_words[workers_health(run->workers, index, clock_now_ns(), limit_ns)]);
	tree_put_list(out, "cards");
	for (unsigned i = 0; i < run->card_count; i++)
		if (run->cards[i].worker == index)
			tree_put_item(out, "cards", run->cards[i].place.card->name);
	tree_put_integer(out, "rounds", usage.rounds);
	tree_put_integer(out, "busy_rounds", usage.busy_rounds);
	tree_put_integer(out, "busy_ns", usage.busy_ns);
	tree_put_integer(out, "sleeps", usage.sleeps);
	tree_put_integer(out, "cpu_ns", usage.cpu_ns);
}

static void describe(void *owner, enum tree_noun noun, unsigned index, struct tree_out *out)
{
	struct site_tree *tree = owner;
	struct site_run *run = tree->run;
	struct run_card *card;
	unsigned vf;

	switch (noun) {
	case TREE_SITE:
		describe_site(tree, out);
		break;
	case TREE_CHASSIS:
		describe_chassis(run, index, out);
		break;
	case TREE_CARRIER:
		describe_carrier(run, index, out);
		break;
	case TREE_CARD:
		site_describe_card(&run->cards[index], out);
		break;
	case TREE_FUNCTION:
		card = function_at(run, index, &vf);
		site_describe_function(card, vf, out);
		if (out->least == TREE_SHOWN)
			put_rid(run, card, vf, out);
		break;
	case TREE_HOST:
		describe_host(run, index, out);
		break;
	case TREE_POOL:
		describe_pool(run, index, out);
		break;
	case TREE_SYSTEM:
		site_describe_system(run, &run->site->systems[index], out);
		break;
	case TREE_GROUP:
		describe_group(run, index, out);
		break;
	case TREE_EVENT:
		describe_event(event_at(run, index), out);
		break;
	case TREE_FAULT:
		describe_fault(run, faults_at(&run->faults, index), out);
		break;
	case TREE_AVAIL:
		site_avail_describe(tree->avail, index, out);
		break;
	default:
		describe_worker(run, index, out);
	}
}

const struct tree_provider_ops site_tree_ops = {
	.count = count,
	.name = name,
	.describe = describe,
};
