#include "card/internal.h"

#include "base/bytes.h"
#include "spec/ethernet.h"

#include <string.h>

void buf_list_put(struct buf_list *list, struct line_buf *buf)
{
	must(list->count < list->capacity);
	list->bufs[list->count++] = buf;
}

struct line_buf *buf_list_take(struct buf_list *list)
{
	must(list->count > 0);
	return list->bufs[--list->count];
}

uint32_t card_stage_space(const struct nic_card *card, unsigned vf)
{
	return min_u32(ARB_RING - card->arb.queue[vf].count, card->spare.count);
}

uint32_t card_stage_room(const struct nic_card *card, unsigned vf)
{
	uint32_t count = card->arb.queue[vf].count;

	return count >= NIC_CARD_STAGED_MAX ? 0
					    : min_u32(NIC_CARD_STAGED_MAX - count, card->spare.count);
}

static struct line_buf **staged_at(struct nic_card *card, unsigned vf, unsigned slot)
{
	return &card->staged[vf * ARB_RING + slot];
}

static void push(struct nic_card *card, unsigned vf, struct line_buf *buf)
{
	*staged_at(card, vf, arbiter_push(&card->arb, vf, buf->size)) = buf;
}

/* The headers are read again here, and their owner may have changed them since the room was counted:
 * what does not fit any more is refused. */
static void stage_cut(struct nic_card *card, unsigned vf, unsigned i)
{
	const struct frame *f = &card->burst.frames[i];
	struct esw_cut cut;

	if (!esw_cut_plan(f, esw_is_tagged(&card->burst, i), &cut) ||
	    cut.count > card->burst.line_frames[i]) {
		esw_count_drop(&card->esw, vf, ESW_DROP_BAD_OFFLOAD, 1);
		return;
	}
	for (uint32_t index = 0; index < cut.count; index++) {
		struct line_buf *buf = buf_list_take(&card->spare);

		if (cut.header_size + min_u32(cut.segment, cut.payload) > buf->room) {
			buf_list_put(&card->spare, buf);
			esw_count_drop(&card->esw, vf, ESW_DROP_OVERSIZE, 1);
			return;
		}
		buf->size = esw_cut_write(&cut, f, index, ESW_CUT_CSUM_FULL, buf->bytes);
		push(card, vf, buf);
	}
}

void card_stage(struct nic_card *card, unsigned vf, unsigned i)
{
	const struct frame *f = &card->burst.frames[i];
	struct line_buf *buf;

	if (f->gso) {
		stage_cut(card, vf, i);
		return;
	}
	buf = buf_list_take(&card->spare);
	must(f->size <= buf->room); /* the line's buffers take its MTU */
	frame_copy(f, 0, f->size, buf->bytes);
	buf->size = f->size;
	if (f->todo & FRAME_TODO_CSUM)
		esw_csum_finish(buf->bytes, buf->size, f->csum_start, f->csum_offset);
	push(card, vf, buf);
}

void card_stage_clear(struct nic_card *card)
{
	for (unsigned vf = 1; vf <= card->vf_count; vf++) {
		unsigned count = card->arb.queue[vf].count;

		if (count)
			esw_count_drop(&card->esw, vf, ESW_DROP_LINE_LOST, count);
		while (count--)
			buf_list_put(&card->spare,
				     *staged_at(card, vf, arbiter_pop(&card->arb, vf)));
	}
	card->stage_epoch++;
}

/* An empty buffer of the card's line for the control thread, which stands in for the worker. */
static struct line_buf *spare_for_control(struct nic_card *card)
{
	struct line_buf *buf = NULL;

	if (card->spare.count)
		return buf_list_take(&card->spare);
	if (card->line && !card_window_is(card, WINDOW_OPEN))
		card->line->ops->take(NULL, card->line, &buf, 1);
	return buf;
}

static void move_learned(struct nic_card *from, unsigned vf, struct nic_card *to, unsigned to_vf)
{
	unsigned at = 0;
	uint64_t key;

	while (card_left_take(from, vf, &at, &key))
		esw_fdb_learn(&to->esw.fdb, key, (uint16_t)to_vf);
}

unsigned nic_card_move_staged(struct ctl *ctl, struct nic_card *from, unsigned vf,
			      struct nic_card *to, unsigned to_vf)
{
	unsigned moved = 0, lost = 0;

	(void)ctl;
	must(from != to && vf >= 1 && vf <= from->vf_count && to_vf >= 1 && to_vf <= to->vf_count);
	move_learned(from, vf, to, to_vf);
	from->stage_epoch++;
	while (from->arb.queue[vf].count) {
		struct line_buf *old = *staged_at(from, vf, arbiter_pop(&from->arb, vf));
		struct line_buf *buf = NULL;

		if (to->attached && to->arb.queue[to_vf].count < ARB_RING)
			buf = spare_for_control(to);
		if (buf && old->size <= buf->room) {
			memcpy(buf->bytes, old->bytes, old->size);
			buf->size = old->size;
			push(to, to_vf, buf);
			moved++;
		} else {
			if (buf)
				buf_list_put(&to->spare, buf);
			lost++;
		}
		buf_list_put(&from->spare, old);
	}
	if (lost)
		esw_count_drop(&from->esw, vf, ESW_DROP_LINE_LOST, lost);
	return moved;
}

/* RFC 903: who am I, asked by the address that is to be known here now. */
static void build_rarp(struct line_buf *buf, uint64_t key)
{
	uint64_t mac = esw_key_mac(key);
	uint16_t vlan = (uint16_t)(key >> 48);
	uint8_t *at = buf->bytes, *rarp;

	must(buf->room >= ETH_MIN_SIZE + VLAN_TAG_SIZE);
	memset(at, 0, ETH_MIN_SIZE + VLAN_TAG_SIZE);
	put_be48(at + ETH_DST, ETH_BROADCAST);
	put_be48(at + ETH_SRC, mac);
	if (vlan) {
		put_be16(at + ETH_TYPE, ETHERTYPE_VLAN);
		put_be16(at + VLAN_TCI, vlan);
		at += VLAN_TAG_SIZE;
	}
	put_be16(at + ETH_TYPE, ETHERTYPE_RARP);
	rarp = at + ETH_HEADER_SIZE;
	put_be16(rarp + RARP_HARDWARE, RARP_HARDWARE_ETHERNET);
	put_be16(rarp + RARP_PROTOCOL, ETHERTYPE_IPV4);
	rarp[RARP_HARDWARE_SIZE] = 6;
	rarp[RARP_PROTOCOL_SIZE] = 4;
	put_be16(rarp + RARP_OPERATION, RARP_REQUEST_REVERSE);
	put_be48(rarp + RARP_SENDER_MAC, mac);
	put_be48(rarp + RARP_TARGET_MAC, mac);
	buf->size = ETH_MIN_SIZE + (vlan ? VLAN_TAG_SIZE : 0);
}

void nic_card_announce(struct ctl *ctl, struct nic_card *card, unsigned vf)
{
	(void)ctl;
	must(vf >= 1 && vf <= card->vf_count);
	if (!card->vfs[vf].announcements)
		card->announcing++;
	card->vfs[vf].announcements = CARD_ANNOUNCEMENTS;
	card->vfs[vf].announce_ns = 0;
	card->vfs[vf].announce_began = false;
	card->deadline_ns = 0;
}

/* One announcement, or what there is room for of it: the permanent address, then those behind it. */
static unsigned announce(struct nic_card *card, unsigned vf, struct line_buf **out, unsigned max)
{
	const struct esw_port *port = &card->esw.ports[vf];
	struct card_vf *v = &card->vfs[vf];
	uint64_t keys[CARD_WINDOW_OUT];
	unsigned n = 0;

	max = min_u32(max, min_u32(card->spare.count, CARD_WINDOW_OUT));
	if (!v->announce_began) {
		keys[n++] = esw_key(port->vlan, port->mac);
		v->announce_bucket = 0;
		v->announce_began = true;
	}
	n += esw_fdb_keys_of(&card->esw.fdb, (uint16_t)vf, &v->announce_bucket, keys + n, max - n);
	for (unsigned i = 0; i < n; i++) {
		out[i] = buf_list_take(&card->spare);
		build_rarp(out[i], keys[i]);
	}
	return n;
}

/* The rest of it goes with the next window. */
static bool announced_all(const struct card_vf *v)
{
	return v->announce_bucket == ESW_FDB_END;
}

unsigned card_announce_due(struct nic_card *card, struct line_buf **out, unsigned max)
{
	static const uint64_t pause_ns[CARD_ANNOUNCEMENTS] = { 0, 200000000, 50000000 };
	unsigned n = 0;

	for (unsigned vf = 1; vf <= card->vf_count && card->announcing; vf++) {
		struct card_vf *v = &card->vfs[vf];

		if (!v->announcements)
			continue;
		if (!card->esw.ports[vf].front) {
			v->announcements = 0;
			card->announcing--;
			continue;
		}
		if (v->announce_ns <= card->now_ns && n < max && card->spare.count) {
			n += announce(card, vf, out + n, max - n);
			if (announced_all(v)) {
				v->announce_began = false;
				v->announce_ns = card->now_ns + pause_ns[--v->announcements];
				card->announcing -= v->announcements == 0;
			}
		}
		if (v->announcements)
			card->deadline_ns = min_u64(card->deadline_ns, v->announce_ns);
	}
	return n;
}
