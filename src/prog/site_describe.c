#include "prog/site_describe.h"
#include "prog/site_disk.h"
#include "prog/site_external.h"
#include "prog/site_hardware.h"
#include "prog/site_mirror.h"

#include "os/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOLD_TRIES = 1000000 };

static const char *const attachment_words[] = {
	[SITE_ATTACH_VHOST_USER] = "vhost-user",
	[SITE_ATTACH_TAP] = "tap",
	[SITE_ATTACH_VFIO_USER] = "vfio-user",
	[SITE_ATTACH_NVME] = "nvme",
	[SITE_ATTACH_VIRTIO_BLK] = "virtio-blk",
	[SITE_ATTACH_VHOST_USER_BLK] = "vhost-user-blk",
	[SITE_ATTACH_VFIO] = "vfio",
};

void site_describe_function_name(const struct run_card *card, unsigned vf,
				 char text[SITE_FUNCTION_NAME_MAX])
{
	snprintf(text, SITE_FUNCTION_NAME_MAX, "%.*s/vf%u", SITE_NAME_MAX,
		 card->place.card->name, vf);
}

const char *site_describe_card_state(struct run_card *card)
{
	const char *state = failover_card_state_text[failover_card_state(&card->run->failover, card->index)];

	return card->external ? site_external_state(card, state) : state;
}

const char *site_describe_function_loss(struct run_card *card, unsigned vf)
{
	enum failover_card_state state = failover_card_state(&card->run->failover, card->index);

	if (!failover_card_can_give(state))
		return failover_card_state_text[state];
	if (card->hardware)
		return site_hardware_is_dead(card, vf) ? failover_card_state_text[FAILOVER_CARD_DEAD] : NULL;
	return card->external ? site_external_loss(card, vf) : NULL;
}

struct run_card *site_describe_card_of(const struct run_io *io)
{
	return io->bound < 0 ? NULL : &io->run->cards[io->place->member[io->bound].card];
}

/* What its attachment says, and what the daemon knows beside. */
static const char *look_at(struct run_io *io, struct attach_facts *facts)
{
	char away[sizeof facts->stopped];

	*facts = (struct attach_facts){ .state = "" };
	io->attachment->ops->facts(io->attachment, facts);
	if (io->quarantined)
		return "quarantined";
	if (facts->stopped[0])
		return "stopped";
	if (!site_disk_is(io) || !site_disk_is_away(io, away, sizeof away))
		return facts->state;
	memcpy(facts->stopped, away, sizeof away);
	return "away";
}

void site_describe_io_state(struct run_io *io, char state[32])
{
	struct attach_facts facts;

	if (site_hardware_is(io)) {
		snprintf(state, 32, "%s", site_hardware_state(io));
		return;
	}
	snprintf(state, 32, "%s", look_at(io, &facts));
}

static void put_mac(struct tree_out *out, const char *name, uint64_t mac)
{
	char text[24];

	snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", (unsigned)(mac >> 40 & 0xff),
		 (unsigned)(mac >> 32 & 0xff), (unsigned)(mac >> 24 & 0xff),
		 (unsigned)(mac >> 16 & 0xff), (unsigned)(mac >> 8 & 0xff), (unsigned)(mac & 0xff));
	tree_put_text(out, name, text);
}

static void put_word(struct tree_out *out, const char *name, const char *text)
{
	if (text && text[0])
		tree_put_text(out, name, text);
}

/* Drops of the ports first..last of a card, reasons that never came left out. */
static void put_drops(struct tree_out *out, const struct run_card *card, unsigned first,
		      unsigned last)
{
	uint64_t sums[ESW_DROP_COUNT] = { 0 }, total = 0;

	for (unsigned port = first; port <= last; port++) {
		const struct esw_port_counters *counters = nic_card_counters(card->card, port);

		for (unsigned i = 0; i < ESW_DROP_COUNT; i++)
			sums[i] += counter_get(&counters->drops[i]);
	}
	tree_put_rows(out, "drops");
	for (unsigned i = 0; i < ESW_DROP_COUNT; i++) {
		total += sums[i];
		if (!sums[i])
			continue;
		tree_row_begin(out, "drops");
		tree_put_text(out, "reason", esw_drop_json[i]);
		tree_put_integer(out, "frames", sums[i]);
		tree_put_text(out, "text", esw_drop_text[i]);
		tree_row_end(out);
	}
	tree_put_integer(out, "dropped", total);
}

static void put_counter(struct tree_out *out, const char *name, const struct counter *counter,
			const char *unit, const char *text)
{
	tree_row_begin(out, "switch_counters");
	tree_put_text(out, "counter", name);
	tree_put_integer(out, "value", counter_get(counter));
	tree_put_text(out, "unit", unit);
	tree_put_text(out, "text", text);
	tree_row_end(out);
}

static void put_switch_counters(struct tree_out *out, const struct run_card *card, unsigned port)
{
	const struct esw_port_counters *counters = nic_card_counters(card->card, port);

	tree_put_rows(out, "switch_counters");
#define X(name, unit, text) put_counter(out, #name, &counters->name, unit, text);
	ESW_PORT_COUNTERS(X)
#undef X
}

static void put_line(struct run_card *card, struct tree_out *out)
{
	struct uplink_facts facts = { .driver = "" };

	uplink_facts(card->uplink, &facts);
	put_word(out, "driver", facts.driver);
	put_word(out, "interface", facts.interface);
	put_mac(out, "line_mac", facts.mac);
	tree_put_integer(out, "line_speed_mbps", facts.speed_mbps);
	tree_put_integer(out, "rx_frames", facts.rx_frames);
	tree_put_integer(out, "rx_bytes", facts.rx_bytes);
	tree_put_integer(out, "tx_frames", facts.tx_frames);
	tree_put_integer(out, "tx_bytes", facts.tx_bytes);
	tree_put_integer(out, "rx_missed", facts.rx_missed);
	tree_put_integer(out, "rx_errors", facts.rx_errors);
	tree_put_integer(out, "tx_errors", facts.tx_errors);
}

/* The rows of a card's table, allocated; how many, or -errno. */
static int read_fdb(struct run_card *card, struct esw_fdb_row **rows, struct refusal *why)
{
	unsigned room = card->place.card->fdb_entries + card->place.card->vfs, count;

	if (!card->card) {
		refuse(why, "", "card '%s' is not of class nic: it has no switch", card->place.card->name);
		return -EINVAL;
	}
	*rows = malloc(room * sizeof **rows);
	if (!*rows) {
		refuse(why, "", "no memory for %u rows", room);
		return -ENOMEM;
	}
	if (!nic_card_hold(NULL, card->card, NULL, HOLD_TRIES)) {
		refuse(why, "", "the worker of card '%s' does not let go of it",
		       card->place.card->name);
		free(*rows);
		return -EBUSY;
	}
	count = nic_card_fdb(NULL, card->card, *rows, room, clock_now_ns());
	nic_card_release(NULL, card->card);
	return (int)count;
}

static unsigned functions_bound(const struct run_card *card)
{
	unsigned count = 0;

	for (unsigned i = 0; i < card->run->io_count; i++)
		count += site_describe_card_of(&card->run->ios[i]) == card;
	return count;
}

static const char *class_of(const struct run_card *card)
{
	static const char *const words[] = {
		[SITE_CARD_NIC] = "nic", [SITE_CARD_DISK] = "disk", [SITE_CARD_EXTERNAL] = "external",
		[SITE_CARD_VFIO] = "vfio",
	};

	return words[card->place.card->card_class];
}

void site_describe_card(struct run_card *card, struct tree_out *out)
{
	const struct site_card *asked = card->place.card;

	tree_put_text(out, "chassis", card->place.chassis->name);
	tree_put_text(out, "carrier", card->place.carrier->name);
	tree_put_text(out, "class", class_of(card));
	tree_put_text(out, "state", site_describe_card_state(card));
	tree_put_integer(out, "vfs", asked->vfs);
	tree_put_integer(out, "vfs_bound", functions_bound(card));
	if (card->hardware) {
		site_hardware_describe_card(card, out);
		return;
	}
	tree_put_integer(out, "worker", card->worker);
	if (card->disk) {
		site_disk_describe_card(card, out);
		return;
	}
	if (card->external) {
		site_external_describe_card(card, out);
		return;
	}
	tree_put_text(out, "line", asked->line);
	tree_put_boolean(out, "line_up", card->line_up);
	tree_put_integer(out, "line_rate_bps", asked->line_rate_bps);
	tree_put_integer(out, "mtu", asked->mtu);
	tree_put_boolean(out, "hung", card->hung);
	put_drops(out, card, 0, asked->vfs);
	if (out->least == TREE_SHOWN) {
		struct esw_fdb_row *rows;
		int count = read_fdb(card, &rows, NULL);

		put_line(card, out);
		put_switch_counters(out, card, NIC_CARD_LINE_PORT);
		if (count >= 0) {
			tree_put_integer(out, "learned_addresses", (uint64_t)count);
			free(rows);
		}
	}
}

int site_describe_fdb(struct run_card *card, struct tree_out *out, struct refusal *why)
{
	struct esw_fdb_row *rows;
	int count = read_fdb(card, &rows, why);

	for (int i = 0; i < count; i++) {
		char port[SITE_FUNCTION_NAME_MAX] = "line";

		if (rows[i].port != NIC_CARD_LINE_PORT)
			site_describe_function_name(card, rows[i].port, port);
		tree_row_begin(out, "rows");
		put_mac(out, "mac", rows[i].mac);
		tree_put_integer(out, "vlan", rows[i].vlan);
		tree_put_text(out, "port", port);
		tree_put_boolean(out, "fixed", rows[i].fixed);
		tree_put_number(out, "age_s", (double)rows[i].age_ns / 1e9);
		tree_row_end(out);
	}
	if (count >= 0)
		free(rows);
	return count < 0 ? count : 0;
}

/* What the site file says of the interface a function is given to. */
static void put_wishes(const struct run_io *io, struct tree_out *out)
{
	tree_put_text(out, "system", io->system->name);
	tree_put_text(out, "io", io->io->name);
	tree_put_text(out, "front", attachment_words[io->io->attachment]);
	if (site_external_is(io))
		return;
	if (site_hardware_is(io)) {
		if (!site_hardware_has_link(io))
			return;
		put_mac(out, "mac", io->mac);
		tree_put_integer(out, "vlan", io->io->vlan);
		tree_put_integer(out, "rate_bps", io->io->rate_bps);
		return;
	}
	if (site_disk_is(io)) {
		tree_put_integer(out, "weight", io->io->weight);
		tree_put_integer(out, "priority", io->io->priority);
		return;
	}
	put_mac(out, "mac", io->mac);
	tree_put_integer(out, "vlan", io->io->vlan);
	tree_put_integer(out, "rate_bps", io->io->rate_bps);
	tree_put_integer(out, "rate_pps", io->io->rate_pps);
	tree_put_integer(out, "weight", io->io->weight);
	tree_put_integer(out, "priority", io->io->priority);
	tree_put_boolean(out, "spoof_check", io->io->spoof_check);
	tree_put_boolean(out, "isolated", io->io->isolated);
	put_word(out, "mirror_to", io->io->mirror_to);
}

/* What the front behind a function counted: it keeps counting when it moves. */
static void put_front(struct run_io *io, struct tree_out *out)
{
	struct attach_facts facts;

	tree_put_text(out, "state", look_at(io, &facts));
	tree_put_text(out, "stopped", facts.stopped);
	if (site_disk_is(io) || site_external_is(io))
		return;
#define X(name, unit, text) tree_put_integer(out, #name, counter_get(&io->front->name));
	NIC_FRONT_COUNTERS(X)
#undef X
}

static const char *role_of(const struct run_io *io, bool bound, const char *loss)
{
	if (!io || (loss && !bound && site_hardware_is(io)))
		return loss ? "none" : "free";
	return bound ? "active" : io->mirror ? "mirror" : "standby";
}

void site_describe_function(struct run_card *card, unsigned vf, struct tree_out *out)
{
	bool bound = false;
	struct run_io *io = site_run_function_user(card->run, card->index, vf, &bound);
	const char *loss = site_describe_function_loss(card, vf);

	tree_put_text(out, "card", card->place.card->name);
	tree_put_integer(out, "vf", vf);
	tree_put_text(out, "role", role_of(io, bound, loss));
	if (io)
		put_wishes(io, out);
	if (card->hardware) {
		site_hardware_describe_function(card, vf, out);
		return;
	}
	if (bound || (io && io->mirror))
		put_front(io, out);
	else
		tree_put_text(out, "state", loss ? loss : io ? "standby" : "free");
	if (card->disk) {
		site_disk_describe_function(card, vf, io, out);
		return;
	}
	if (card->external) {
		site_external_describe_function(card, vf, out);
		return;
	}
	put_drops(out, card, vf, vf);
	put_switch_counters(out, card, vf);
}

static void put_binding(const struct run_io *io, struct tree_out *out)
{
	const struct run_card *card = site_describe_card_of(io);
	char function[SITE_FUNCTION_NAME_MAX];

	if (card) {
		site_describe_function_name(card, io->place->member[io->bound].vf, function);
		tree_put_text(out, "function", function);
		tree_put_text(out, "card", card->place.card->name);
	}
	for (unsigned m = 0; m < io->place->member_count; m++) {
		const struct run_card *member = &io->run->cards[io->place->member[m].card];

		if (card && member != card)
			tree_put_text(out, "standby", member->place.card->name);
	}
}

static void put_io(struct run_io *io, struct tree_out *out)
{
	struct attach_facts facts;
	const char *state;
	char features[24];

	tree_row_begin(out, "ios");
	tree_put_text(out, "name", io->io->name);
	tree_put_text(out, "pool", io->io->pool);
	put_word(out, "group", io->io->redundancy);
	put_binding(io, out);
	tree_put_text(out, "attachment", attachment_words[io->io->attachment]);
	if (site_hardware_is(io)) {
		if (site_hardware_has_link(io))
			put_mac(out, "mac", io->mac);
		site_hardware_describe_io(io, out);
		tree_row_end(out);
		return;
	}
	state = look_at(io, &facts);
	tree_put_text(out, "where", facts.where);
	tree_put_text(out, "state", state);
	if (io->mirror)
		site_mirror_describe_io(io, out);
	put_word(out, "shares", io->io->shares);
	if (site_disk_is(io))
		tree_put_integer(out, "size_bytes", io->owner->io->size);
	else if (!site_external_is(io))
		put_mac(out, "mac", io->mac);
	tree_put_integer(out, "queues", facts.queue_pairs);
	snprintf(features, sizeof features, "0x%" PRIx64, facts.features);
	tree_put_text(out, "features", features);
	tree_put_integer(out, "reconnects", facts.reconnects);
	tree_put_integer(out, "moves", io->moves);
	tree_put_integer(out, "faults", io->faults.total);
	tree_put_text(out, "stopped", facts.stopped);
	tree_row_end(out);
}

/* How good a state is; the system is as good as its worst interface. */
static unsigned rank(const char *state)
{
	static const char *const order[] = { "dead", "quarantined", "stopped", "away", "held", "leaving", "waiting",
					     "connected", "running" };

	for (unsigned i = 0; i < array_len(order); i++)
		if (strcmp(order[i], state) == 0)
			return i;
	return 3;
}

/* The cards that its interfaces use now, each once. */
static void put_cards(struct site_run *run, const struct site_system *system, struct tree_out *out)
{
	tree_put_list(out, "cards");
	for (unsigned c = 0; c < run->card_count; c++)
		for (unsigned i = 0; i < run->io_count; i++)
			if (run->ios[i].system == system &&
			    site_describe_card_of(&run->ios[i]) == &run->cards[c]) {
				tree_put_item(out, "cards", run->cards[c].place.card->name);
				break;
			}
}

void site_describe_system(struct site_run *run, const struct site_system *system,
			  struct tree_out *out)
{
	char worst[32] = "running", state[32];

	tree_put_text(out, "host", system->host);
	tree_put_integer(out, "io_count", system->io_count);
	put_cards(run, system, out);
	tree_put_rows(out, "ios");
	for (unsigned i = 0; i < run->io_count; i++) {
		struct run_io *io = &run->ios[i];

		if (io->system != system)
			continue;
		site_describe_io_state(io, state);
		if (rank(state) < rank(worst))
			memcpy(worst, state, sizeof worst);
		put_io(io, out);
	}
	tree_put_text(out, "state", worst);
}
