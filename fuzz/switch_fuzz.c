/* A card whose functions are hostile: frames of any bytes, offload requests of any numbers, and
 * headers that change between two looks at them.  Nothing but counted drops may come of it.
 *
 * Input: one byte a choice; each frame takes 12 bytes of orders and then its bytes. */
#include "card/nic_card.h"
#include "sim/fake_front.h"
#include "sim/fake_line.h"

#include <stdlib.h>
#include <string.h>

enum { FRONTS = 4, ORDERS = 12, STRETCH = 70000 };

static struct fake_front fronts[FRONTS + 1];
static struct fake_line line;
static uint8_t bytes[STRETCH];
static uint64_t changes;

/* The guest rewrites what it has sent whenever the driver below lets it. */
static unsigned (*true_give)(struct worker *, struct nic_front *, struct frame *const *, unsigned);
static struct nic_front_ops hostile_ops;

static unsigned hostile_give(struct worker *worker, struct nic_front *front,
			     struct frame *const *frames, unsigned n)
{
	for (unsigned i = 0; changes && i < 4; i++)
		bytes[rand_u64(&changes) % 200] = (uint8_t)rand_u64(&changes);
	return true_give(worker, front, frames, n);
}

static void bind_all(struct nic_card *card, const uint8_t *data)
{
	must(nic_card_hold(NULL, card, NULL, 10));
	nic_card_set_line(NULL, card, &line.line);
	nic_card_set_line_up(NULL, card, true);
	for (unsigned n = 1; n <= FRONTS; n++) {
		struct nic_vf_conf conf = {
			.mac = UINT64_C(0x525400000000) + n,
			.weight = 1,
			.vlan = data[n] & 1 ? 5 : 0,
			.isolated = data[n] & 2,
			.spoof_check = data[n] & 4,
			.mirror_to = data[n] & 8 ? (uint16_t)(1 + n % FRONTS) : 0,
		};

		fake_front_init(&fronts[n], conf.mac);
		fronts[n].front.abilities = data[n] >> 4;
		fronts[n].front.filter.promisc = n == 4;
		hostile_ops = *fronts[n].front.ops;
		true_give = hostile_ops.give;
		hostile_ops.give = hostile_give;
		must(nic_card_bind(NULL, card, n, &fronts[n].front, &conf, NULL) == 0);
	}
	for (unsigned n = 1; n <= FRONTS; n++)
		fronts[n].front.ops = &hostile_ops;
	nic_card_release(NULL, card);
}

/* One frame from one function, or from the line when 'orders' says so. */
static void send_one(struct nic_card *card, const uint8_t *orders, const uint8_t *data,
		     uint32_t size, uint64_t *now_ns)
{
	uint32_t stretched = orders[1] & 1 ? (uint32_t)(size + orders[2] * 257u) : size;

	memset(bytes, 0x11, stretched + 1);
	memcpy(bytes, data, size);
	if (orders[0] % (FRONTS + 1) == 0) {
		fake_line_arrive(&line, bytes, min_u32(stretched, 1518));
	} else {
		fake_front_send(&fronts[orders[0] % (FRONTS + 1)],
				&(struct fake_frame){
					.bytes = bytes,
					.size = min_u32(stretched, FRAME_SIZE_MAX),
					.piece = orders[1] & 2 ? 2000 : 0,
					.todo = orders[1] >> 2 & 1,
					.gso = orders[1] >> 3 & 3 ? orders[1] >> 3 & 1 ? 1 : 2 : 0,
					.ecn = orders[1] >> 5 & 1,
					.gso_size = (uint16_t)(orders[4] << 8 | orders[5]),
					.csum_start = (uint16_t)(orders[6] << 8 | orders[7]),
					.csum_offset = (uint16_t)(orders[8] << 8 | orders[9]),
				});
	}
	changes = orders[1] & 64 ? orders[10] + 1u : 0;
	for (unsigned i = 0; i < 3; i++)
		nic_card_poll(NULL, card, *now_ns += 100000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct nic_card_conf conf = { .vf_count = FRONTS,
					    .fdb_entries = 16,
					    .fdb_age_ns = 1000000000 };
	static struct nic_card *card;
	uint64_t now_ns = 1;

	if (!card)
		card = aligned_alloc(64, nic_card_size(&conf));
	if (!card || size < FRONTS + 1)
		return 0;
	fake_line_init(&line, 2048);
	must(nic_card_init(card, &conf, NULL) == 0);
	bind_all(card, data);
	nic_card_poll(NULL, card, now_ns);
	line.capacity = data[0] & 1 ? 5000 : UINT32_MAX;
	for (size_t at = FRONTS + 1; at + ORDERS < size;) {
		uint32_t n = min_u32(data[at + 3], (uint32_t)(size - at - ORDERS));

		send_one(card, data + at, data + at + ORDERS, n, &now_ns);
		at += ORDERS + n;
	}
	must(nic_card_hold(NULL, card, NULL, 10));
	nic_card_set_line(NULL, card, NULL);
	must(line.empty_count + line.arrived_count == 2048); /* no buffer is lost */
	nic_card_release(NULL, card);
	return 0;
}
