/* The card against a plain, slow switch: random functions, VLANs, filters, sources, moves, link
 * changes and ageing, one frame at a time; who gets each frame, in which form, must agree. */
#include "sim/card_world.h"

#include <stdlib.h>

enum { PORTS = WORLD_FRONTS + 1, KNOWN_MAX = 400, AGE_TICKS = 40 };

/* What the plain switch knows: a list, searched from the start. */
struct known {
	uint64_t mac;
	uint16_t vlan;
	unsigned port;
	uint64_t seen_tick;
};

struct plain {
	struct nic_vf_conf conf[PORTS];
	bool bound[PORTS];
	bool line_up;
	struct known known[KNOWN_MAX];
	unsigned count;
};

struct verdict {
	bool to[PORTS];
	unsigned copies;
};

static uint64_t tick_of(const struct world *w)
{
	return w->now_ns >> ESW_FDB_TICK_SHIFT;
}

static struct known *find(struct plain *p, uint64_t mac, uint16_t vlan, uint64_t tick)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->known[i].mac == mac && p->known[i].vlan == vlan &&
		    tick - p->known[i].seen_tick <= AGE_TICKS)
			return &p->known[i];
	return NULL;
}

/* The function whose permanent address that is in that VLAN; 0: none. */
static unsigned owner(const struct plain *p, uint64_t mac, uint16_t vlan)
{
	for (unsigned n = 1; n < PORTS; n++)
		if (p->bound[n] && p->conf[n].mac == mac &&
		    (p->conf[n].vlan == vlan || !p->conf[n].vlan))
			return n;
	return 0;
}

static void know(struct plain *p, uint64_t mac, uint16_t vlan, unsigned port, uint64_t tick)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->known[i].mac == mac && p->known[i].vlan == vlan) {
			p->known[i].port = port;
			p->known[i].seen_tick = tick;
			return;
		}
	must(p->count < KNOWN_MAX);
	p->known[p->count++] = (struct known){ mac, vlan, port, tick };
}

static bool plain_wants(const struct world *w, const struct plain *p, unsigned n, uint64_t dst,
			uint16_t vlan)
{
	const struct nic_filter *f = &w->front[n]->front.filter;
	uint16_t seen = p->conf[n].vlan ? 0 : vlan;

	if (!p->bound[n] || (p->conf[n].vlan && p->conf[n].vlan != vlan) ||
	    !w->front[n]->front.ready)
		return false;
	if (f->promisc)
		return true;
	if (f->vlan_filter && !(f->vlan[seen / 64] >> (seen % 64) & 1))
		return false;
	if (dst == ETH_BROADCAST)
		return !f->nobcast;
	if (dst & ETH_GROUP_BIT)
		return f->allmulti;
	return !f->nouni && (dst == p->conf[n].mac || f->alluni);
}

/* Adds one port if the frame may go there from 'in'. */
static void plain_to(const struct world *w, const struct plain *p, struct verdict *v, unsigned in,
		     unsigned to, unsigned except, uint64_t dst, uint16_t vlan)
{
	if (to == in || (to == except && except))
		return;
	if (to == ESW_LINE ? !p->line_up : !plain_wants(w, p, to, dst, vlan))
		return;
	v->to[to] = true;
}

static void plain_flood(const struct world *w, const struct plain *p, struct verdict *v,
			unsigned in, unsigned except, uint64_t dst, uint16_t vlan)
{
	for (unsigned to = 0; to < PORTS; to++)
		if (to == ESW_LINE || in == ESW_LINE || !p->conf[to].isolated)
			plain_to(w, p, v, in, to, except, dst, vlan);
}

/* Learns the source; false: the frame ends here.  'except' may be set. */
static bool plain_learn(struct plain *p, unsigned in, uint64_t src, uint16_t vlan, uint64_t tick,
			unsigned *except)
{
	struct known *k = find(p, src, vlan, tick);
	unsigned fixed = owner(p, src, vlan);
	unsigned at = fixed ? fixed : k ? k->port : ESW_LINE;

	if (in == ESW_LINE && at != ESW_LINE && p->conf[at].isolated) {
		*except = at;
		return true;
	}
	if (fixed && fixed != in)
		return false;
	if (!fixed || p->conf[fixed].vlan != vlan)
		know(p, src, vlan, in, tick);
	return true;
}

static void plain_mirror(const struct world *w, const struct plain *p, struct verdict *v,
			 unsigned in)
{
	struct verdict before = *v;

	for (unsigned n = 1; n < PORTS; n++) {
		unsigned to = p->bound[n] ? p->conf[n].mirror_to : 0;

		if ((n == in || before.to[n]) && to && to != in && p->bound[to] &&
		    w->front[to]->front.ready)
			v->to[to] = true;
	}
}

static struct verdict plain_decide(const struct world *w, struct plain *p, unsigned in, uint64_t dst,
				   uint64_t src, uint16_t tag)
{
	uint64_t tick = tick_of(w);
	uint16_t vlan = in == ESW_LINE || !p->conf[in].vlan ? tag : p->conf[in].vlan;
	struct verdict v = { { false }, 0 };
	unsigned except = 0, to;
	struct known *k;

	if (in != ESW_LINE && p->conf[in].vlan && tag)
		return v;
	if (in != ESW_LINE && p->conf[in].spoof_check && src != p->conf[in].mac)
		return v;
	if (!plain_learn(p, in, src, vlan, tick, &except))
		return v;
	k = find(p, dst, vlan, tick);
	to = owner(p, dst, vlan) ? owner(p, dst, vlan) : k ? k->port : UINT32_MAX;
	if (in != ESW_LINE && p->conf[in].isolated)
		plain_to(w, p, &v, in, ESW_LINE, except, dst, vlan);
	else if (dst & ETH_GROUP_BIT || to == UINT32_MAX)
		plain_flood(w, p, &v, in, except, dst, vlan);
	else if (to != in && in != ESW_LINE && to != ESW_LINE && p->conf[to].isolated)
		plain_to(w, p, &v, in, ESW_LINE, except, dst, vlan);
	else
		plain_to(w, p, &v, in, to, except, dst, vlan);
	plain_mirror(w, p, &v, in);
	for (unsigned n = 0; n < PORTS; n++)
		v.copies += v.to[n];
	return v;
}

static void random_vf(uint64_t *seed, struct plain *p, unsigned n)
{
	struct nic_vf_conf *c = &p->conf[n];

	*c = world_vf(n);
	c->vlan = rand_u64(seed) % 2 ? (uint16_t)(10 + rand_u64(seed) % 2) : 0;
	c->spoof_check = rand_u64(seed) % 2;
	c->isolated = rand_u64(seed) % 5 == 0;
	if (rand_u64(seed) % 4 == 0)
		c->mirror_to = (uint16_t)(1 + n % WORLD_FRONTS);
}

static void random_filter(uint64_t *seed, struct fake_front *fake)
{
	struct nic_filter *f = &fake->front.filter;

	memset(f, 0, sizeof *f);
	f->promisc = rand_u64(seed) % 6 == 0;
	f->allmulti = rand_u64(seed) % 2;
	f->alluni = rand_u64(seed) % 6 == 0;
	f->nouni = rand_u64(seed) % 8 == 0;
	f->nobcast = rand_u64(seed) % 4 == 0;
	f->vlan_filter = rand_u64(seed) % 3 == 0;
	f->vlan[0] = rand_u64(seed);
	fake->front.ready = rand_u64(seed) % 10 != 0;
}

static void bind_or_unbind(struct world *w, struct plain *p, unsigned n, uint64_t *seed)
{
	world_hold(w);
	if (p->bound[n]) {
		assert_ptr_equal(nic_card_unbind(NULL, w->card, n), &w->front[n]->front);
		for (unsigned i = 0; i < p->count; i++)
			if (p->known[i].port == n)
				p->known[i--] = p->known[--p->count];
	} else {
		random_vf(seed, p, n);
		assert_int_equal(nic_card_bind(NULL, w->card, n, &w->front[n]->front, &p->conf[n],
					       NULL),
				 0);
		for (unsigned i = 0; i < p->count; i++)
			if (p->known[i].mac == p->conf[n].mac &&
			    (!p->conf[n].vlan || p->known[i].vlan == p->conf[n].vlan))
				p->known[i--] = p->known[--p->count];
	}
	p->bound[n] = !p->bound[n];
	world_release(w);
}

static uint64_t random_mac(uint64_t *seed)
{
	switch (rand_u64(seed) % 8) {
	case 0:
		return ETH_BROADCAST;
	case 1:
		return UINT64_C(0x01005e000000) + rand_u64(seed) % 4;
	case 2:
	case 3:
		return OUTSIDE_MAC + rand_u64(seed) % 8;
	default:
		return WORLD_MAC(1 + rand_u64(seed) % WORLD_FRONTS);
	}
}

static uint64_t random_source(uint64_t *seed, unsigned in)
{
	uint64_t mac;

	if (in != ESW_LINE && rand_u64(seed) % 4)
		return WORLD_MAC(in);
	do
		mac = random_mac(seed);
	while (mac & ETH_GROUP_BIT);
	return mac;
}

/* What port 'to' must have got: the original but for its tag. */
static void check_form(const struct plain *p, unsigned to, uint16_t vlan, const uint8_t *sent,
		       uint32_t size, bool sent_tagged, const uint8_t *got, uint32_t got_size)
{
	bool tagged = vlan && (to == ESW_LINE || !p->conf[to].vlan);
	uint32_t from = ETH_TYPE + (sent_tagged && vlan ? VLAN_TAG_SIZE : 0);
	uint32_t at = ETH_TYPE + (tagged ? VLAN_TAG_SIZE : 0);

	assert_memory_equal(got, sent, ETH_TYPE);
	if (tagged) {
		assert_int_equal(get_be16(got + ETH_TYPE), ETHERTYPE_VLAN);
		assert_int_equal(get_be16(got + VLAN_TCI), vlan);
	}
	assert_int_equal(got_size - at, size - from);
	assert_memory_equal(got + at, sent + from, size - from);
}

static void one_frame(struct world *w, struct plain *p, uint64_t *seed)
{
	unsigned in = (unsigned)(rand_u64(seed) % PORTS);
	uint64_t dst = random_mac(seed), src = random_source(seed, in);
	uint16_t tag = rand_u64(seed) % 3 == 0 ? (uint16_t)(10 + rand_u64(seed) % 2) : 0;
	uint32_t size = 60 + (uint32_t)(rand_u64(seed) % 300);
	uint64_t drops = 0, entered, dropped;
	struct verdict v;
	uint8_t *frame;
	uint16_t vlan;

	if (in != ESW_LINE && !p->bound[in])
		return;
	frame = world_frame(w, dst, src, tag, size);
	vlan = in == ESW_LINE || !p->conf[in].vlan ? tag : p->conf[in].vlan;
	w->line->log_count = 0;
	for (unsigned n = 1; n < PORTS; n++)
		fake_front_forget(w->front[n]);
	drops = world_all_drops(w, in);
	entered = counter_get(&nic_card_counters(w->card, in)->in_frames);
	v = plain_decide(w, p, in, dst, src, tag);
	if (in == ESW_LINE)
		assert_true(fake_line_arrive(w->line, frame, size));
	else
		fake_front_send_bytes(w->front[in], frame, size);
	for (unsigned i = 0; i < 3; i++)
		nic_card_poll(NULL, w->card, w->now_ns);
	assert_int_equal(counter_get(&nic_card_counters(w->card, in)->in_frames), entered + 1);
	for (unsigned n = 0; n < PORTS; n++) {
		unsigned got = n ? w->front[n]->log_count : w->line->log_count;

		if (got != v.to[n])
			fail_msg("port %u to %u: got %u, wanted %u (dst %012" PRIx64 " src %012" PRIx64
				 " tag %u)", in, n, got, v.to[n], dst, src, tag);
		if (got)
			check_form(p, n, vlan, frame, size, tag != 0,
				   n ? w->front[n]->log[0].bytes : w->line->log[0].bytes,
				   n ? w->front[n]->log[0].size : w->line->log[0].size);
	}
	dropped = world_all_drops(w, in) - drops;
	assert_true(dropped == 0 || dropped == 1);
	assert_true(v.copies > 0 || dropped == 1);
}

static void one_history(uint64_t *seed)
{
	static struct plain p;
	struct world w;

	memset(&p, 0, sizeof p);
	p.line_up = true;
	world_open(&w, &(struct nic_card_conf){ .vf_count = WORLD_FRONTS,
						.fdb_entries = 4096,
						.fdb_age_ns = (uint64_t)AGE_TICKS
							      << ESW_FDB_TICK_SHIFT,
						.seed = rand_u64(seed) });
	for (unsigned n = 1; n < PORTS; n++) {
		w.front[n] = world_alloc(sizeof *w.front[n]);
		fake_front_init(w.front[n], WORLD_MAC(n));
		bind_or_unbind(&w, &p, n, seed);
	}
	for (unsigned step = 0; step < 3000; step++) {
		unsigned n = 1 + (unsigned)(rand_u64(seed) % WORLD_FRONTS);

		switch (rand_u64(seed) % 40) {
		case 0:
			bind_or_unbind(&w, &p, n, seed);
			break;
		case 1:
			random_filter(seed, w.front[n]);
			break;
		case 2:
			p.line_up = !p.line_up;
			world_hold(&w);
			nic_card_set_line_up(NULL, w.card, p.line_up);
			world_release(&w);
			break;
		case 3:
			w.now_ns += rand_u64(seed) % ((uint64_t)AGE_TICKS << ESW_FDB_TICK_SHIFT);
			nic_card_poll(NULL, w.card, w.now_ns);
			break;
		default:
			one_frame(&w, &p, seed);
		}
	}
	world_close(&w);
}

static void test_the_switch_agrees_with_a_plain_one(void **state)
{
	const char *text = getenv("MIDPLANE_HISTORIES");
	unsigned histories = text ? (unsigned)strtoul(text, NULL, 0) : 20;
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned i = 0; i < histories; i++)
		one_history(&seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_switch_agrees_with_a_plain_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
