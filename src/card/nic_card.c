#include "card/internal.h"

#include "spec/ethernet.h"

#include <errno.h>
#include <string.h>

enum { DONE_CAPACITY = 4 * CARD_WINDOW_FRAMES };

/* Lays parts one after the other; with no memory it only counts. */
struct carver {
	uint8_t *memory;
	size_t used;
};

static void *carve(struct carver *c, size_t size)
{
	void *part = c->memory ? c->memory + c->used : NULL;

	c->used += (size + 63) / 64 * 64;
	return part;
}

/* The parts behind struct nic_card. */
struct parts {
	struct esw_port *ports;
	struct esw_port_counters *counters;
	struct esw_fdb_bucket *buckets;
	struct card_vf *vfs;
	struct card_left left;
	struct line_buf **staged, **spare, **done;
	uint8_t *scratch;
};

static size_t spare_capacity(const struct nic_card_conf *conf)
{
	return (conf->vf_count + 1u) * ARB_RING + 2 * NIC_CARD_SPARE;
}

static size_t lay(const struct nic_card_conf *conf, uint8_t *memory, struct parts *p)
{
	struct carver c = { memory, 0 };
	size_t ports = conf->vf_count + 1u;

	carve(&c, sizeof(struct nic_card));
	p->ports = carve(&c, ports * sizeof *p->ports);
	p->counters = carve(&c, ports * sizeof *p->counters);
	p->buckets = carve(&c, esw_fdb_buckets(conf->fdb_entries) * sizeof *p->buckets);
	p->vfs = carve(&c, ports * sizeof *p->vfs);
	p->left.capacity = conf->fdb_entries;
	p->left.key = carve(&c, conf->fdb_entries * sizeof *p->left.key);
	p->left.vf = carve(&c, conf->fdb_entries * sizeof *p->left.vf);
	p->staged = carve(&c, ports * ARB_RING * sizeof *p->staged);
	p->spare = carve(&c, spare_capacity(conf) * sizeof *p->spare);
	p->done = carve(&c, DONE_CAPACITY * sizeof *p->done);
	p->scratch = carve(&c, CARD_SCRATCH);
	return c.used;
}

size_t nic_card_size(const struct nic_card_conf *conf)
{
	struct nic_card_conf fits = *conf;
	struct parts parts;

	/* A configuration that init will refuse still has a size. */
	if (!is_power_of_two(fits.fdb_entries))
		fits.fdb_entries = 1;
	return lay(&fits, NULL, &parts);
}

static int check(const struct nic_card *card, const struct nic_card_conf *conf,
		 struct refusal *why)
{
	if (conf->vf_count < 1 || conf->vf_count > NIC_CARD_VFS_MAX)
		refuse(why, "vfs", "a card has 1 to %d virtual functions, not %u", NIC_CARD_VFS_MAX,
		       conf->vf_count);
	else if (!is_power_of_two(conf->fdb_entries) || conf->fdb_entries > ESW_FDB_ENTRIES_MAX)
		refuse(why, "fdb_entries", "%u is not a power of two up to %d", conf->fdb_entries,
		       ESW_FDB_ENTRIES_MAX);
	else if (conf->line_bps && conf->line_bps < ESW_METER_BPS_MIN)
		refuse(why, "line_rate_bps", "the least rate is %d bits a second",
		       ESW_METER_BPS_MIN);
	else if ((uintptr_t)card % 64)
		refuse(why, "", "the card's memory must begin at a multiple of 64");
	else
		return 0;
	return -EINVAL;
}

int nic_card_init(struct nic_card *card, const struct nic_card_conf *conf, struct refusal *why)
{
	struct parts p = { 0 };
	int err = check(card, conf, why);

	if (err)
		return err;
	memset(card, 0, sizeof *card);
	lay(conf, (uint8_t *)card, &p);
	memset(p.vfs, 0, (conf->vf_count + 1u) * sizeof *p.vfs);
	card->polled.ops = &card_polled_ops;
	card->vf_count = conf->vf_count;
	card->vfs = p.vfs;
	card->left = p.left;
	card->staged = p.staged;
	card->spare = (struct buf_list){ p.spare, 0, (unsigned)spare_capacity(conf) };
	card->done = (struct buf_list){ p.done, 0, DONE_CAPACITY };
	card->scratch = p.scratch;
	card->attached = true;
	arbiter_init(&card->arb);
	esw_meter_init(&card->line_meter, conf->line_bps, 0);
	esw_fdb_init(&card->esw.fdb, p.buckets, conf->fdb_entries, conf->fdb_age_ns, conf->seed);
	esw_init(&card->esw, p.ports, p.counters, conf->vf_count + 1u);
	return 0;
}

/* Whether the control thread should let the worker come back from the driver first, so that
 * nothing is lost; not for ever, and not twice for one that does not come back. */
static bool driver_deserves_patience(struct nic_card *card, unsigned waited)
{
	if (!card_window_is(card, WINDOW_OPEN) || card->given_up == card->window_serial)
		return false;
	if (waited < CARD_HOLD_PATIENCE)
		return true;
	card->given_up = card->window_serial;
	return false;
}

bool nic_card_hold(struct ctl *ctl, struct nic_card *card, hold_pause *pause, unsigned tries)
{
	(void)ctl;
	hold_want(&card->hold); /* worker_takes */
	for (unsigned i = 0; i < tries; i = hold_next_look(i, tries, pause)) {
		if (hold_try(&card->hold, HOLD_CONTROL)) {
			if (!driver_deserves_patience(card, i) || i + 1 == tries) {
				card_settle(card);
				return true;
			}
			hold_give(&card->hold, HOLD_CONTROL);
		}
	}
	hold_unwant(&card->hold);
	return false;
}

void nic_card_release(struct ctl *ctl, struct nic_card *card)
{
	(void)ctl;
	hold_unwant(&card->hold);
	hold_give(&card->hold, HOLD_CONTROL);
}

/* Gives all buffers back to the line that they came from, when its driver can be called. */
static void return_buffers(struct nic_card *card)
{
	struct buf_list *lists[] = { &card->spare, &card->done };

	card_stage_clear(card);
	for (unsigned i = 0; i < card->rx_count; i++)
		buf_list_put(&card->done, card->rx[i]);
	card->rx_count = 0;
	for (unsigned i = 0; i < array_len(lists); i++) {
		if (card->line && lists[i]->count && !card_window_is(card, WINDOW_OPEN))
			card->line->ops->give(NULL, card->line, lists[i]->bufs, lists[i]->count);
		lists[i]->count = 0;
	}
}

void nic_card_set_line(struct ctl *ctl, struct nic_card *card, struct line *line)
{
	(void)ctl;
	if (line == card->line)
		return;
	return_buffers(card);
	card->generation++; /* a worker inside the old driver brings nothing back */
	card->line = line;
	card->esw.line_there = line != NULL;
	card->esw.line_mtu = line ? line->mtu : 0;
}

void nic_card_set_line_up(struct ctl *ctl, struct nic_card *card, bool up)
{
	(void)ctl;
	card->esw.line_up = up;
	card->esw.line_waits = false;
}

void nic_card_line_lost(struct ctl *ctl, struct nic_card *card)
{
	(void)ctl;
	card->esw.line_up = false;
	card->esw.line_waits = true;
}

bool card_left_take(struct nic_card *card, unsigned vf, unsigned *at, uint64_t *key)
{
	struct card_left *left = &card->left;

	for (; *at < left->count; ++*at) {
		if (left->vf[*at] != vf)
			continue;
		*key = left->key[*at];
		left->count--;
		left->key[*at] = left->key[left->count];
		left->vf[*at] = left->vf[left->count];
		return true;
	}
	return false;
}

static void leave(struct nic_card *card, unsigned vf)
{
	struct card_left *left = &card->left;
	unsigned count = esw_unbind(&card->esw, vf, left->key + left->count, left->capacity - left->count);

	while (count--)
		left->vf[left->count++] = (uint16_t)vf;
}

static void forget_left(struct nic_card *card, unsigned vf)
{
	unsigned at = 0;
	uint64_t key;

	while (card_left_take(card, vf, &at, &key))
		;
}

static int check_bind(const struct nic_card *card, unsigned vf, const struct nic_vf_conf *conf,
		      struct refusal *why)
{
	if (vf < 1 || vf > card->vf_count)
		refuse(why, "vf", "the card has VF1 to VF%u, not VF%u", card->vf_count, vf);
	else if (!conf->mac || conf->mac & ETH_GROUP_BIT || conf->mac > ETH_ADDRESS_MASK)
		refuse(why, "mac", "a function needs an address of its own that is no group's");
	else if (conf->vlan > VLAN_VID_MAX)
		refuse(why, "vlan", "%u is no VLAN: 1 to %d, or 0 for none", conf->vlan,
		       VLAN_VID_MAX);
	else if (conf->weight < 1 || conf->weight > 1000)
		refuse(why, "weight", "%u is not within 1 to 1000", conf->weight);
	else if (conf->priority >= NIC_CARD_PRIORITIES)
		refuse(why, "priority", "%u is not within 0 to %d", conf->priority,
		       NIC_CARD_PRIORITIES - 1);
	else if (conf->rate_bps && conf->rate_bps < ESW_METER_BPS_MIN)
		refuse(why, "rate_bps", "the least rate is %d bits a second", ESW_METER_BPS_MIN);
	else if (conf->mirror_to > card->vf_count || conf->mirror_to == vf)
		refuse(why, "mirror_to", "VF%u cannot have the mirror of VF%u", conf->mirror_to, vf);
	else
		return 0;
	return -EINVAL;
}

static void set_up_vf(struct nic_card *card, unsigned vf, const struct nic_vf_conf *conf)
{
	struct card_vf *v = &card->vfs[vf];

	v->credit = 0;
	v->frame_cost = 2 * CARD_FRAME_COST;
	v->held_back = false;
	v->ready_ns = 0;
	forget_left(card, vf);
	arbiter_set(&card->arb, vf, conf->weight, conf->priority);
	card->stage_epoch++;
}

int nic_card_bind(struct ctl *ctl, struct nic_card *card, unsigned vf, struct nic_front *front,
		  const struct nic_vf_conf *conf, struct refusal *why)
{
	int err = check_bind(card, vf, conf, why);
	struct esw_port port = {
		.front = front,
		.mac = conf->mac,
		.vlan = conf->vlan,
		.mirror_to = conf->mirror_to,
		.spoof_check = conf->spoof_check,
		.isolated = conf->isolated,
	};

	(void)ctl;
	if (err)
		return err;
	if (card->esw.ports[vf].front) {
		refuse(why, "vf", "VF%u has a front already", vf);
		return -EBUSY;
	}
	esw_meter_init(&port.meter, conf->rate_bps, conf->rate_pps);
	port.meter.last_ns = card->now_ns;
	err = esw_bind(&card->esw, vf, &port);
	if (err) {
		refuse(why, "mac", err == -EEXIST
					   ? "another function of this card and VLAN has that address"
					   : "the table of addresses has no room for it");
		return -EINVAL;
	}
	set_up_vf(card, vf, conf);
	front->hold = &card->hold;
	return 0;
}

struct nic_front *nic_card_unbind(struct ctl *ctl, struct nic_card *card, unsigned vf)
{
	struct nic_front *front;

	(void)ctl;
	must(vf >= 1 && vf <= card->vf_count);
	front = card->esw.ports[vf].front;
	if (!front)
		return NULL;
	leave(card, vf);
	esw_set_remove(&card->active, vf);
	esw_set_remove(&card->touched, vf);
	esw_set_remove(&card->armed, vf);
	front->hold = NULL;
	return front;
}

void nic_card_detach(struct ctl *ctl, struct nic_card *card)
{
	(void)ctl;
	card->generation++;
	card->attached = false;
}

void nic_card_attach(struct ctl *ctl, struct nic_card *card)
{
	(void)ctl;
	if (card->attached)
		return;
	card_stage_clear(card);
	for (unsigned i = 0; i < card->rx_count; i++)
		buf_list_put(&card->done, card->rx[i]);
	card->rx_count = 0;
	esw_fdb_clear(&card->esw.fdb);
	esw_fix_all(&card->esw);
	card->stale_windows = CARD_STALE_WINDOWS;
	card->generation++;
	card->attached = true;
}

const struct esw_port_counters *nic_card_counters(const struct nic_card *card, unsigned port)
{
	must(port <= card->vf_count);
	return &card->esw.counters[port];
}

unsigned nic_card_fdb(struct ctl *ctl, struct nic_card *card, struct esw_fdb_row *rows,
		      unsigned max, uint64_t now_ns)
{
	(void)ctl;
	esw_fdb_tell_time(&card->esw.fdb, now_ns);
	return esw_fdb_rows(&card->esw.fdb, rows, max);
}
