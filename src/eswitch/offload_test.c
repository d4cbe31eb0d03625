/* Checksums and segmentation against a plain re-implementation with an independent sum. */
#include "base/bytes.h"
#include "eswitch/offload.h"
#include "spec/ethernet.h"
#include "tests/check.h"

enum { BIG = 66000 };

/* One word at a time with the carry brought round at once: slow, and another way than ours. */
static uint16_t plain_sum(const uint8_t *bytes, uint32_t size, uint16_t sum)
{
	for (uint32_t i = 0; i < size; i += 2) {
		uint32_t word = (uint32_t)bytes[i] * 256 + (i + 1 < size ? bytes[i + 1] : 0);
		uint32_t next = sum + word;

		sum = (uint16_t)(next > 0xffff ? next - 0xffff : next);
	}
	return sum;
}

static uint16_t plain_pseudo(const uint8_t *ip, bool six, uint32_t tcp_size)
{
	uint8_t pseudo[40] = { 0 };

	memcpy(pseudo, six ? ip + 8 : ip + 12, six ? 32 : 8);
	put_be32(pseudo + 32, tcp_size);
	pseudo[39] = 6;
	return plain_sum(pseudo, sizeof pseudo, 0);
}

struct big {
	uint8_t bytes[BIG];
	uint32_t size, network, transport, payload_at;
	bool six, tagged;
	struct frame frame;
	struct frame_seg pieces[FRAME_SEGS_MAX];
};

/* A TCP frame with options of random length, cut into random pieces. */
static void make(struct big *b, uint64_t *seed, uint32_t payload, uint16_t mss)
{
	uint32_t ip_options = 4 * (uint32_t)(rand_u64(seed) % 3);
	uint32_t tcp_size = 20 + 4 * (uint32_t)(rand_u64(seed) % 11);
	uint32_t at, piece;

	b->six = rand_u64(seed) % 2;
	b->tagged = rand_u64(seed) % 2;
	b->network = b->tagged ? 18 : 14;
	b->transport = b->network + (b->six ? 40 : 20 + ip_options);
	b->payload_at = b->transport + tcp_size;
	b->size = b->payload_at + payload;
	for (uint32_t i = 0; i < b->size; i++)
		b->bytes[i] = (uint8_t)rand_u64(seed);
	if (b->tagged)
		put_be16(b->bytes + 12, 0x8100);
	put_be16(b->bytes + b->network - 2, b->six ? 0x86dd : 0x0800);
	if (b->six) {
		b->bytes[b->network] = 0x60;
		b->bytes[b->network + 6] = 6;
	} else {
		b->bytes[b->network] = (uint8_t)(0x40 | (20 + ip_options) / 4);
		b->bytes[b->network + 9] = 6;
	}
	b->bytes[b->transport + 12] = (uint8_t)(tcp_size / 4 << 4);
	b->bytes[b->transport + 13] = 0x10 | TCP_FIN | TCP_PSH | TCP_CWR;
	frame_over(&b->frame, b->bytes, b->size);
	b->frame.todo = FRAME_TODO_CSUM;
	b->frame.gso = b->six ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4;
	b->frame.gso_size = mss;
	b->frame.csum_start = (uint16_t)b->transport;
	b->frame.csum_offset = 16;
	/* What is behind the head lies in pieces. */
	piece = 1100 + (uint32_t)(rand_u64(seed) % 3000);
	b->frame.body_size = min_u32(piece, b->size - FRAME_HEAD_SIZE);
	b->frame.more = b->pieces;
	for (at = FRAME_HEAD_SIZE + b->frame.body_size; at < b->size; at += piece)
		b->pieces[b->frame.more_count++] =
			(struct frame_seg){ b->bytes + at, min_u32(piece, b->size - at) };
}

static void check_network(const struct big *b, const uint8_t *seg, uint32_t size, uint32_t index)
{
	const uint8_t *ip = seg + b->network, *old = b->bytes + b->network;

	if (b->six) {
		assert_int_equal(get_be16(ip + 4), size - b->network - 40);
		assert_memory_equal(ip + 6, old + 6, 34);
		return;
	}
	assert_int_equal(get_be16(ip + 2), size - b->network);
	assert_int_equal(get_be16(ip + 4), (uint16_t)(get_be16(old + 4) + index));
	assert_int_equal(plain_sum(ip, b->transport - b->network, 0), 0xffff);
	assert_memory_equal(ip + 12, old + 12, b->transport - b->network - 12);
}

static void check_segment(const struct big *b, const uint8_t *seg, uint32_t size, uint32_t index,
			  bool last, enum esw_cut_csum csum)
{
	uint32_t done = index * b->frame.gso_size, part = size - b->payload_at;
	const uint8_t *tcp = seg + b->transport, *old = b->bytes + b->transport;
	uint32_t tcp_size = size - b->transport;
	uint16_t pseudo = plain_pseudo(seg + b->network, b->six, tcp_size);

	assert_memory_equal(seg, b->bytes, b->network);
	check_network(b, seg, size, index);
	assert_int_equal(get_be32(tcp + 4), get_be32(old + 4) + done);
	assert_int_equal(tcp[13], 0x10 | (last ? TCP_FIN | TCP_PSH : 0) | (index ? 0 : TCP_CWR));
	assert_int_equal(part, last ? b->size - b->payload_at - done : b->frame.gso_size);
	assert_memory_equal(seg + b->payload_at, b->bytes + b->payload_at + done, part);
	if (csum == ESW_CUT_CSUM_FULL)
		assert_int_equal(plain_sum(tcp, tcp_size, pseudo), 0xffff);
	else
		assert_int_equal(get_be16(tcp + 16), pseudo);
}

static void test_segments_are_what_a_plain_cut_makes(void **state)
{
	static struct big b;
	static uint8_t seg[BIG];
	uint64_t seed = check_seed();
	struct esw_cut cut;

	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		uint32_t payload = 200 + (uint32_t)(rand_u64(&seed) % 60000);
		uint16_t mss = (uint16_t)(300 + rand_u64(&seed) % 9000);
		enum esw_cut_csum csum = rand_u64(&seed) % 2 ? ESW_CUT_CSUM_FULL
							     : ESW_CUT_CSUM_PARTIAL;

		make(&b, &seed, payload, mss);
		assert_true(esw_cut_plan(&b.frame, b.tagged, &cut));
		assert_int_equal(cut.count, (payload + mss - 1) / mss);
		for (uint32_t i = 0; i < cut.count; i++) {
			uint32_t size = esw_cut_write(&cut, &b.frame, i, csum, seg);

			check_segment(&b, seg, size, i, i + 1 == cut.count, csum);
		}
	}
}

static void test_impossible_cuts_are_refused(void **state)
{
	static struct big good, bad;
	uint64_t seed = check_seed();
	struct esw_cut cut;

	(void)state;
	do
		make(&good, &seed, 5000, 1000);
	while (good.six || good.tagged);
#define REFUSED(...)                                                          \
	do {                                                                  \
		bad = good;                                                   \
		__VA_ARGS__;                                                  \
		frame_over(&bad.frame, bad.bytes, bad.size);                  \
		bad.frame.todo = FRAME_TODO_CSUM;                             \
		bad.frame.gso = FRAME_GSO_TCP4;                               \
		bad.frame.gso_size = mss;                                     \
		bad.frame.csum_start = start;                                 \
		bad.frame.csum_offset = offset;                               \
		assert_false(esw_cut_plan(&bad.frame, false, &cut));          \
	} while (0)
	uint16_t mss = 1000, start = (uint16_t)good.transport, offset = 16;

	mss = 0;
	REFUSED((void)0);
	mss = 10; /* 500 segments */
	REFUSED((void)0);
	mss = 1000;
	REFUSED(offset = 6);
	offset = 16;
	REFUSED(start = 20);
	REFUSED(start = 4999);
	start = (uint16_t)good.transport;
	REFUSED(bad.bytes[12] = 0x86);
	REFUSED(bad.bytes[14] = 0x65);
	REFUSED(bad.bytes[14] = 0x44);
	REFUSED(bad.bytes[14 + 9] = 17);
	REFUSED(bad.bytes[bad.transport + 12] = 0x40);
	REFUSED(bad.size = bad.payload_at);
#undef REFUSED
	bad = good;
	frame_over(&bad.frame, bad.bytes, bad.size);
	bad.frame.gso = FRAME_GSO_TCP4;
	bad.frame.gso_size = 1000;
	bad.frame.csum_start = start;
	bad.frame.csum_offset = 16;
	assert_false(esw_cut_plan(&bad.frame, false, &cut)); /* segmentation needs the checksum */
}

static void test_a_partial_checksum_is_finished(void **state)
{
	uint64_t seed = check_seed();
	uint8_t bytes[1600];

	(void)state;
	for (unsigned round = 0; round < 1000; round++) {
		uint32_t size = 60 + (uint32_t)(rand_u64(&seed) % 1500);
		uint16_t start = (uint16_t)(14 + rand_u64(&seed) % 30), offset = 6;
		uint16_t pseudo = (uint16_t)rand_u64(&seed);

		for (uint32_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)rand_u64(&seed);
		put_be16(bytes + start + offset, pseudo);
		esw_csum_finish(bytes, size, start, offset);
		assert_int_equal(plain_sum(bytes + start, size - start, pseudo), 0xffff);
		assert_int_not_equal(get_be16(bytes + start + offset), 0);
	}
}

static void test_sums_agree_at_every_size(void **state)
{
	uint64_t seed = check_seed();
	uint8_t bytes[300];

	(void)state;
	for (uint32_t size = 0; size < sizeof bytes; size++) {
		uint16_t start = (uint16_t)rand_u64(&seed);

		for (uint32_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)(rand_u64(&seed) % 3 ? 0xff : 0);
		assert_int_equal(esw_sum(bytes, size, start) % 0xffff,
				 plain_sum(bytes, size, start) % 0xffff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segments_are_what_a_plain_cut_makes),
		cmocka_unit_test(test_impossible_cuts_are_refused),
		cmocka_unit_test(test_a_partial_checksum_is_finished),
		cmocka_unit_test(test_sums_agree_at_every_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
