#include "eswitch/eswitch.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "eswitch/offload.h"
#include "spec/ethernet.h"

const char *const esw_drop_text[ESW_DROP_COUNT] = {
#define X(name, text, json) [ESW_DROP_##name] = text,
	ESW_DROPS(X)
#undef X
};

const char *const esw_drop_json[ESW_DROP_COUNT] = {
#define X(name, text, json) [ESW_DROP_##name] = json,
	ESW_DROPS(X)
#undef X
};

/* What makes a frame need more than a look at two addresses. */
enum odd {
	ODD_RUNT = 1 << 0,
	ODD_TAGGED = 1 << 1,     /* tagged by a guest that must not */
	ODD_VID = 1 << 2,        /* reserved VLAN */
	ODD_SOURCE = 1 << 3,
	ODD_GROUP = 1 << 4,      /* to a group */
	ODD_UNFINISHED = 1 << 5, /* asks for a checksum or for segmentation */
};

enum { KEPT = ESW_DROP_COUNT, HELD = 0xfffd }; /* no reason to drop; no room on the line now */

/* One frame on its way through the decision. */
struct trip {
	struct esw *esw;
	struct esw_burst *burst;
	unsigned in, index;
	unsigned except;         /* a function that must not get it back, or 0 */
	bool held;
	struct esw_port_set set;
};

void esw_init(struct esw *esw, struct esw_port *ports, struct esw_port_counters *counters,
	      unsigned port_count)
{
	must(port_count > 1 && port_count <= ESW_PORTS_MAX);
	memset(ports, 0, port_count * sizeof *ports);
	memset(counters, 0, port_count * sizeof *counters);
	esw->ports = ports;
	esw->counters = counters;
	esw->port_count = port_count;
	esw->mirrors = 0;
	esw->line_there = esw->line_up = esw->line_waits = false;
	esw->line_mtu = 0;
	memset(&esw->bound, 0, sizeof esw->bound);
	for (unsigned i = 0; i < port_count; i++)
		ports[i].own_key = ESW_FDB_FREE;
	ports[ESW_LINE].plain = true;
}

int esw_bind(struct esw *esw, unsigned index, const struct esw_port *port)
{
	int err = esw_fdb_fix(&esw->fdb, esw_key(port->vlan, port->mac), (uint16_t)index);

	if (err)
		return err;
	if (!port->vlan)
		esw_fdb_forget_mac(&esw->fdb, port->mac); /* it may tag: nobody else has it anywhere */
	esw->ports[index] = *port;
	esw->ports[index].plain = !port->isolated && !port->mirror_to;
	esw->ports[index].own_key = esw_key(port->vlan, port->mac);
	esw->mirrors += port->mirror_to != 0;
	esw_set_add(&esw->bound, index);
	return 0;
}

unsigned esw_unbind(struct esw *esw, unsigned index, uint64_t *keys, unsigned max)
{
	struct esw_port *port = &esw->ports[index];

	esw_fdb_unfix(&esw->fdb, esw_key(port->vlan, port->mac), (uint16_t)index);
	esw_set_remove(&esw->bound, index);
	esw->mirrors -= port->mirror_to != 0;
	port->plain = false;
	port->own_key = ESW_FDB_FREE;
	port->front = NULL;
	port->mirror_to = 0;
	return esw_fdb_forget_port(&esw->fdb, (uint16_t)index, keys, max);
}

void esw_fix_all(struct esw *esw)
{
	for (unsigned i = 1; i < esw->port_count; i++)
		if (esw_set_has(&esw->bound, i))
			must(!esw_fdb_fix(&esw->fdb, esw_key(esw->ports[i].vlan, esw->ports[i].mac),
					  (uint16_t)i));
}

static uint8_t tag_of(struct esw_burst *b, unsigned i, const uint8_t *head, uint16_t port_vlan)
{
	struct frame *f = &b->frames[i];

	if (port_vlan)
		return ODD_TAGGED;
	if (f->size < ETH_HEADER_SIZE + VLAN_TAG_SIZE)
		return ODD_RUNT;
	b->tag[i] = get_be16(head + VLAN_TCI) | ESW_TAGGED;
	f->vlan = b->tag[i] & VLAN_VID_MASK;
	return f->vlan > VLAN_VID_MAX ? ODD_VID : 0;
}

/* Reads addresses and tag of each frame and has the buckets fetched that they will be sought in. */
static void parse(struct esw *esw, unsigned in, struct esw_burst *b, unsigned n)
{
	const uint16_t port_vlan = esw->ports[in].vlan;
	const uint64_t own_key = esw->ports[in].own_key;

	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &b->frames[i];
		const uint8_t *head = frame_head_const(f);
		uint64_t dst, src;
		uint8_t odd = 0;

		f->in_port = (uint16_t)in;
		f->vlan = port_vlan;
		b->tag[i] = port_vlan;
		if (unlikely(f->size < ETH_HEADER_SIZE)) {
			b->odd[i] = ODD_RUNT;
			continue;
		}
		dst = get_be48(head + ETH_DST);
		src = get_be48(head + ETH_SRC);
		if (unlikely(get_be16(head + ETH_TYPE) == ETHERTYPE_VLAN))
			odd = tag_of(b, i, head, port_vlan);
		if (unlikely(((dst | src) & ETH_GROUP_BIT) || !src)) {
			odd |= dst & ETH_GROUP_BIT ? ODD_GROUP : 0;
			odd |= (src & ETH_GROUP_BIT) || !src ? ODD_SOURCE : 0;
		}
		if (f->todo & FRAME_TODO_CSUM || f->gso)
			odd |= ODD_UNFINISHED;
		b->odd[i] = odd;
		b->dst[i] = esw_key(f->vlan, dst);
		b->src[i] = esw_key(f->vlan, src);
		b->dst_spot[i] = esw_fdb_spot(&esw->fdb, b->dst[i]);
		esw_fdb_prefetch(&esw->fdb, b->dst_spot[i]);
		if (likely(b->src[i] == own_key)) /* it is not sought: see decide() */
			continue;
		b->src_spot[i] = esw_fdb_spot(&esw->fdb, b->src[i]);
		esw_fdb_prefetch(&esw->fdb, b->src_spot[i]);
	}
}

/* Why an odd frame may not enter at all; KEPT when it may. */
static unsigned refusal(const struct esw_burst *b, unsigned i)
{
	const struct frame *f = &b->frames[i];

	if (b->odd[i] & ODD_RUNT)
		return ESW_DROP_RUNT;
	if (b->odd[i] & ODD_TAGGED)
		return ESW_DROP_TAGGED;
	if (b->odd[i] & ODD_VID)
		return ESW_DROP_BAD_TAG;
	if (b->odd[i] & ODD_SOURCE)
		return ESW_DROP_BAD_SOURCE;
	if ((esw_key_mac(b->dst[i]) & ETH_RESERVED_MASK) == ETH_RESERVED)
		return ESW_DROP_RESERVED;
	if ((b->odd[i] & ODD_UNFINISHED) &&
	    (!(f->todo & FRAME_TODO_CSUM) || !esw_csum_fits(f, esw_is_tagged(b, i))))
		return ESW_DROP_BAD_OFFLOAD;
	return KEPT;
}

/* The function whose fixed address this is in the VLANs that it tags itself; 0: none. */
static unsigned trunk_owner(struct esw *esw, uint64_t key)
{
	uint64_t untagged = esw_key_mac(key);
	struct esw_fdb_entry *entry =
		esw_fdb_find(&esw->fdb, untagged, esw_fdb_spot(&esw->fdb, untagged));

	return key != untagged && entry && entry->fixed ? entry->port : 0;
}

/* A source that the table does not have at this port: enters it, or says why the frame must go. */
static unsigned learn(struct trip *t)
{
	struct esw *esw = t->esw;
	uint64_t key = t->burst->src[t->index];
	struct esw_fdb_entry *entry = esw_fdb_find(&esw->fdb, key, esw_fdb_spot(&esw->fdb, key));
	unsigned owner = entry && esw_fdb_alive(&esw->fdb, entry) ? entry->port : ESW_LINE;

	/* What an isolated function sent may come back from the line, for others. */
	if (t->in == ESW_LINE && owner != ESW_LINE && esw->ports[owner].isolated) {
		t->except = owner;
		return KEPT;
	}
	if (!entry || !entry->fixed)
		owner = trunk_owner(esw, key);
	if (owner != ESW_LINE && owner != t->in) {
		if (t->in != ESW_LINE)
			return ESW_DROP_SPOOFED;
		if (!esw->ports[owner].isolated)
			return ESW_DROP_REFLECTED;
		t->except = owner;
		return KEPT;
	}
	if (esw_fdb_learn(&esw->fdb, key, (uint16_t)t->in) == ESW_LEARN_FULL)
		counter_add(&esw->counters[t->in].unlearned, 1);
	return KEPT;
}

static bool fits_line(const struct esw *esw, uint32_t frame_size, bool tagged)
{
	uint32_t link = ETH_HEADER_SIZE + (tagged ? VLAN_TAG_SIZE : 0);

	return frame_size <= esw->line_mtu + link;
}

/* How many frames of the line this one becomes; 0 with the reason when it cannot. */
static uint32_t line_frames(const struct trip *t, unsigned *reason)
{
	const struct frame *f = &t->burst->frames[t->index];
	bool tagged = esw_is_tagged(t->burst, t->index);
	struct esw_cut cut;

	*reason = ESW_DROP_OVERSIZE;
	if (!f->gso)
		return fits_line(t->esw, f->size, tagged);
	if (!esw_cut_plan(f, tagged, &cut)) {
		*reason = ESW_DROP_BAD_OFFLOAD;
		return 0;
	}
	if (!fits_line(t->esw, cut.header_size + min_u32(cut.segment, cut.payload), tagged))
		return 0;
	return cut.count;
}

static unsigned to_line(struct trip *t)
{
	struct esw_burst *b = t->burst;
	unsigned reason;
	uint32_t need;

	if (!t->esw->line_there)
		return ESW_DROP_NO_LINE;
	if (!t->esw->line_up) {
		t->held = t->esw->line_waits;
		return ESW_DROP_LINE_DOWN;
	}
	need = line_frames(t, &reason);
	if (!need)
		return reason;
	if (!b->line_room || need > b->line_space) {
		t->held = true;
		return KEPT;
	}
	b->line_frames[t->index] = (uint16_t)need;
	esw_set_add(&t->set, ESW_LINE);
	return KEPT;
}

static unsigned to_function(struct trip *t, unsigned to)
{
	const struct esw_port *port = &t->esw->ports[to];
	const struct frame *f = &t->burst->frames[t->index];

	if (!port->front || (port->vlan && port->vlan != f->vlan))
		return ESW_DROP_NO_DESTINATION;
	if (to == t->except)
		return ESW_DROP_REFLECTED;
	if (!port->front->ready)
		return ESW_DROP_NOT_READY;
	if (!nic_front_wants(port->front, esw_key_mac(t->burst->dst[t->index]),
			     port->vlan ? 0 : f->vlan))
		return ESW_DROP_FILTERED;
	esw_set_add(&t->set, to);
	return KEPT;
}

/* To all who want it; the reason counts when there is nobody. */
static unsigned flood(struct trip *t)
{
	unsigned reason = ESW_DROP_NO_DESTINATION;

	for (unsigned word = 0; word < ESW_SET_WORDS; word++)
		for (uint64_t bits = t->esw->bound.word[word]; bits; bits &= bits - 1) {
			unsigned to = word * 64 + lowest_bit(bits);

			if (to != t->in && (t->in == ESW_LINE || !t->esw->ports[to].isolated))
				to_function(t, to);
		}
	if (t->in != ESW_LINE)
		reason = to_line(t);
	return reason;
}

static unsigned to_known(struct trip *t, unsigned to)
{
	if (to == t->in)
		return ESW_DROP_SAME_PORT;
	if (to == ESW_LINE || (t->in != ESW_LINE && t->esw->ports[to].isolated))
		return to_line(t);
	return to_function(t, to);
}

static unsigned find_way(struct trip *t)
{
	struct esw *esw = t->esw;
	uint64_t key = t->burst->dst[t->index];
	struct esw_fdb_entry *entry;
	unsigned owner;

	if (t->in != ESW_LINE && esw->ports[t->in].isolated)
		return to_line(t);
	if (t->burst->odd[t->index] & ODD_GROUP)
		return flood(t);
	entry = esw_fdb_find(&esw->fdb, key, t->burst->dst_spot[t->index]);
	if (entry && esw_fdb_alive(&esw->fdb, entry))
		return to_known(t, entry->port);
	owner = trunk_owner(esw, key);
	return owner ? to_known(t, owner) : flood(t);
}

static void mirror_one(struct trip *t, unsigned port, struct esw_port_set *copies)
{
	unsigned to = t->esw->ports[port].mirror_to;

	if (!to || to == t->in || esw_set_has(&t->set, to) || !t->esw->ports[to].front ||
	    !t->esw->ports[to].front->ready)
		return;
	esw_set_add(copies, to);
	counter_add(&t->esw->counters[port].mirrored_frames, 1);
}

/* Adds the mirrors of its sender and of its receivers. */
static void mirror(struct trip *t)
{
	struct esw_port_set copies = { { 0 } };

	mirror_one(t, t->in, &copies);
	for (unsigned word = 0; word < ESW_SET_WORDS; word++) {
		for (uint64_t bits = t->set.word[word]; bits; bits &= bits - 1)
			mirror_one(t, word * 64 + lowest_bit(bits), &copies);
	}
	for (unsigned word = 0; word < ESW_SET_WORDS; word++)
		t->set.word[word] |= copies.word[word];
}

static void use_line_room(struct trip *t)
{
	uint32_t need = t->burst->line_frames[t->index];

	t->burst->line_room -= min_u32(need, t->burst->line_room);
	t->burst->line_space -= need;
}

/* Everything that is not plain: any destination, any kind of port. */
static uint16_t route(struct trip *t)
{
	unsigned reason = find_way(t), count;

	if (t->held)
		return HELD;
	count = esw_set_count(&t->set);
	if (!count)
		esw_count_drop(t->esw, t->in, reason == KEPT ? ESW_DROP_NO_DESTINATION : reason, 1);
	if (count > 1)
		counter_add(&t->esw->counters[t->in].flooded_frames, 1);
	if (esw_set_has(&t->set, ESW_LINE))
		use_line_room(t);
	if (t->esw->mirrors) {
		mirror(t);
		count = esw_set_count(&t->set);
	}
	if (!count)
		return ESW_NOWHERE;
	if (count == 1)
		return (uint16_t)esw_set_next(&t->set, 0);
	t->burst->set[t->index] = t->set;
	t->burst->many = true;
	return ESW_MANY;
}

/* All but the plain case, from the start; a second look at the source does no harm. */
static uint16_t decide_slow(struct esw *esw, unsigned in, struct esw_burst *b, unsigned i)
{
	const struct esw_port *port = &esw->ports[in];
	struct trip t = { .esw = esw, .burst = b, .in = in, .index = i };
	unsigned reason = refusal(b, i);

	if (reason == KEPT && port->spoof_check && esw_key_mac(b->src[i]) != port->mac)
		reason = ESW_DROP_SPOOFED;
	if (reason == KEPT)
		reason = learn(&t);
	if (reason == KEPT)
		return route(&t);
	esw_count_drop(esw, in, reason, 1);
	return ESW_NOWHERE;
}

static always_inline bool plain_receiver(const struct esw_port *port, uint64_t dst)
{
	const struct nic_front *front = port->front;

	return port->plain && front->ready && front->mac == dst && !front->filter.nouni &&
	       !front->filter.vlan_filter;
}

/* Whether the source of a frame is one that the table has at this port. */
static always_inline bool source_at_its_place(struct esw *esw, unsigned in, struct esw_burst *b,
					      unsigned i)
{
	const struct esw_port *port = &esw->ports[in];
	struct esw_fdb_entry *src;

	if (likely(b->src[i] == port->own_key))
		return true; /* entered when it was bound, and fixed */
	if (port->spoof_check && esw_key_mac(b->src[i]) != port->mac)
		return false;
	src = esw_fdb_find(&esw->fdb, b->src[i], b->src_spot[i]);
	if (unlikely(!src || src->port != in))
		return false;
	if (unlikely(src->stamp != esw->fdb.tick))
		src->stamp = esw->fdb.tick;
	return true;
}

/* The short way: a known source at its place, a known unicast destination that takes it. */
static always_inline uint16_t decide(struct esw *esw, unsigned in, struct esw_burst *b, unsigned i)
{
	struct esw_fdb_entry *dst;
	const struct frame *f = &b->frames[i];

	if (unlikely((b->odd[i] & ~ODD_UNFINISHED) | !esw->ports[in].plain) ||
	    (unlikely(b->odd[i]) && refusal(b, i) != KEPT) || !source_at_its_place(esw, in, b, i))
		return decide_slow(esw, in, b, i);
	dst = esw_fdb_find(&esw->fdb, b->dst[i], b->dst_spot[i]);
	if (unlikely(!dst || dst->port == in || !esw_fdb_alive(&esw->fdb, dst)))
		return decide_slow(esw, in, b, i);
	if (dst->port != ESW_LINE)
		return likely(plain_receiver(&esw->ports[dst->port], esw_key_mac(b->dst[i])))
			       ? dst->port
			       : decide_slow(esw, in, b, i);
	if (f->gso || !esw->line_up || !b->line_room || !fits_line(esw, f->size, esw_is_tagged(b, i)))
		return decide_slow(esw, in, b, i);
	b->line_room--;
	b->line_space--;
	return ESW_LINE;
}

unsigned esw_decide(struct esw *esw, unsigned in, struct esw_burst *b, unsigned n)
{
	struct esw_meter meter;
	uint64_t bytes = 0;
	unsigned i;

	must(n <= FRAME_BURST && in < esw->port_count);
	meter = esw->ports[in].meter; /* in registers for the burst */
	parse(esw, in, b, n);
	b->many = false;
	b->stop = ESW_STOP_NONE;
	for (i = 0; i < n; i++) {
		if (unlikely(!esw_meter_allows(&meter))) {
			b->stop = ESW_STOP_RATE;
			break;
		}
		b->out[i] = decide(esw, in, b, i);
		if (unlikely(b->out[i] == HELD)) {
			b->stop = ESW_STOP_LINE;
			break;
		}
		esw_meter_charge(&meter, b->frames[i].size);
		bytes += b->frames[i].size;
	}
	esw->ports[in].meter = meter;
	b->bytes = bytes;
	counter_add(&esw->counters[in].in_frames, i);
	counter_add(&esw->counters[in].in_bytes, b->bytes);
	return i;
}

void esw_shape_slow(struct esw_burst *b, unsigned i, bool tagged)
{
	struct frame *f = &b->frames[i];
	uint8_t *head = frame_head(f);
	int shift = tagged ? VLAN_TAG_SIZE : -VLAN_TAG_SIZE;

	must(f->head_start >= shift && f->head_size + shift >= ETH_HEADER_SIZE);
	memmove(head - shift, head, ETH_TYPE);
	f->head_start = (uint8_t)(f->head_start - shift);
	f->head_size = (uint8_t)(f->head_size + shift);
	f->size = f->size + (uint32_t)shift;
	f->csum_start = (uint16_t)(f->csum_start + shift);
	if (f->header_size)
		f->header_size = (uint16_t)(f->header_size + shift);
	if (tagged) {
		put_be16(head - shift + ETH_TYPE, ETHERTYPE_VLAN);
		put_be16(head - shift + VLAN_TCI, (uint16_t)b->tag[i]);
	}
	b->tag[i] ^= ESW_TAGGED;
}
