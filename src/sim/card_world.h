/* sim/card_world.h -- for tests of the card: one card, its line and its fronts, and frames made
 * of a few numbers.  Included by test programs only. */
#ifndef SIM_CARD_WORLD_H
#define SIM_CARD_WORLD_H

#include "base/bytes.h"
#include "card/nic_card.h"
#include "sim/fake_front.h"
#include "sim/fake_line.h"
#include "spec/ethernet.h"
#include "tests/check.h"

enum { WORLD_FRONTS = 8, WORLD_FRAMES = 512 };

#define WORLD_MAC(n)  (UINT64_C(0x525400000000) + (uint64_t)(n))
#define OUTSIDE_MAC   UINT64_C(0x0200000000f0)
#define BROADCAST_MAC ETH_BROADCAST

struct world {
	struct nic_card *card;
	struct fake_line *line;
	struct fake_front *front[WORLD_FRONTS + 1];
	uint64_t now_ns;
	uint8_t frame[WORLD_FRAMES][1600];
	unsigned frames;
};

static inline struct nic_vf_conf world_vf(unsigned n)
{
	return (struct nic_vf_conf){ .mac = WORLD_MAC(n), .weight = 100, .spoof_check = true };
}

static inline void *world_alloc(size_t size)
{
	void *p = aligned_alloc(64, (size + 63) / 64 * 64);

	assert_non_null(p);
	return p;
}

static inline void world_hold(struct world *w)
{
	assert_true(nic_card_hold(NULL, w->card, NULL, 10));
}

static inline void world_release(struct world *w)
{
	nic_card_release(NULL, w->card);
}

static inline void world_open(struct world *w, const struct nic_card_conf *conf)
{
	struct refusal why = { 0 };

	memset(w, 0, sizeof *w);
	w->now_ns = 1000000000;
	w->card = world_alloc(nic_card_size(conf));
	assert_int_equal(nic_card_init(w->card, conf, &why), 0);
	w->line = world_alloc(sizeof *w->line);
	fake_line_init(w->line, FAKE_LINE_BUFS);
	w->line->keep = true;
	world_hold(w);
	nic_card_set_line(NULL, w->card, &w->line->line);
	nic_card_set_line_up(NULL, w->card, true);
	world_release(w);
	nic_card_poll(NULL, w->card, w->now_ns); /* takes its first buffers */
}

static inline void world_open_plain(struct world *w)
{
	world_open(w, &(struct nic_card_conf){ .vf_count = WORLD_FRONTS,
					       .fdb_entries = 1024,
					       .fdb_age_ns = UINT64_C(300000000000),
					       .seed = 7 });
}

static inline void world_bind(struct world *w, unsigned n, const struct nic_vf_conf *conf)
{
	struct refusal why = { 0 };

	w->front[n] = world_alloc(sizeof *w->front[n]);
	fake_front_init(w->front[n], conf->mac);
	world_hold(w);
	assert_int_equal(nic_card_bind(NULL, w->card, n, &w->front[n]->front, conf, &why), 0);
	world_release(w);
}

static inline void world_bind_plain(struct world *w, unsigned count)
{
	for (unsigned n = 1; n <= count; n++) {
		struct nic_vf_conf conf = world_vf(n);

		world_bind(w, n, &conf);
	}
}

static inline void world_close(struct world *w)
{
	for (unsigned n = 1; n <= WORLD_FRONTS; n++)
		free(w->front[n]);
	free(w->line);
	free(w->card);
}

/* An IPv4-typed frame; vlan 0: untagged.  Its bytes count up behind the header. */
static inline uint8_t *world_frame(struct world *w, uint64_t dst, uint64_t src, uint16_t vlan,
				   uint32_t size)
{
	uint8_t *f = w->frame[w->frames++ % WORLD_FRAMES];
	unsigned at = ETH_TYPE;

	for (uint32_t i = 0; i < size; i++)
		f[i] = (uint8_t)i;
	put_be48(f + ETH_DST, dst);
	put_be48(f + ETH_SRC, src);
	if (vlan) {
		put_be16(f + at, ETHERTYPE_VLAN);
		put_be16(f + at + 2, vlan);
		at += VLAN_TAG_SIZE;
	}
	put_be16(f + at, ETHERTYPE_IPV4);
	return f;
}

static inline void world_send(struct world *w, unsigned from, uint64_t dst, uint64_t src,
			      uint16_t vlan, uint32_t size)
{
	fake_front_send_bytes(w->front[from], world_frame(w, dst, src, vlan, size), size);
}

static inline void world_arrive(struct world *w, uint64_t dst, uint64_t src, uint16_t vlan,
				uint32_t size)
{
	assert_true(fake_line_arrive(w->line, world_frame(w, dst, src, vlan, size), size));
}

/* Polls until nothing moves. */
static inline void world_run(struct world *w)
{
	for (unsigned i = 0; i < 1000 && nic_card_poll(NULL, w->card, w->now_ns += 1000); i++)
		;
}

static inline uint64_t world_drops(const struct world *w, unsigned port, enum esw_drop reason)
{
	return counter_get(&nic_card_counters(w->card, port)->drops[reason]);
}

static inline uint64_t world_all_drops(const struct world *w, unsigned port)
{
	uint64_t sum = 0;

	for (unsigned reason = 0; reason < ESW_DROP_COUNT; reason++)
		sum += world_drops(w, port, (enum esw_drop)reason);
	return sum;
}

#endif
