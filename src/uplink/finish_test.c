#include "uplink/finish.h"
#include "tests/check.h"

#include "base/bytes.h"

enum { FRAME_MAX = 1600 };

/* The Internet checksum over pseudo-header and segment, byte by byte, after RFC 1071. */
static uint16_t slow_sum(const uint8_t *addresses, unsigned address_bytes, unsigned proto,
			 const uint8_t *segment, unsigned size)
{
	uint64_t sum = proto + size;

	for (unsigned i = 0; i < address_bytes; i++)
		sum += (uint64_t)addresses[i] << (i % 2 ? 0 : 8);
	for (unsigned i = 0; i < size; i++)
		sum += (uint64_t)segment[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

struct shape {
	unsigned tags;
	bool v6, udp;
	unsigned payload, pad;
};

struct made {
	uint8_t bytes[FRAME_MAX];
	unsigned size, addresses_at, address_bytes, segment_at, segment_size, field_at;
};

/* A frame of random bytes in the shape asked for, its checksum field zero. */
static void make(struct made *m, const struct shape *shape, uint64_t *seed)
{
	unsigned at = 12, header = shape->udp ? 8 : 20;

	for (unsigned i = 0; i < FRAME_MAX; i++)
		m->bytes[i] = (uint8_t)rand_u64(seed);
	for (unsigned i = 0; i < shape->tags; i++, at += 4)
		put_be16(m->bytes + at, i + 1 < shape->tags ? 0x88a8 : 0x8100);
	put_be16(m->bytes + at, shape->v6 ? 0x86dd : 0x0800);
	at += 2;
	m->segment_size = header + shape->payload;
	if (shape->v6) {
		m->bytes[at] = 0x60;
		put_be16(m->bytes + at + 4, (uint16_t)m->segment_size);
		m->bytes[at + 6] = shape->udp ? 17 : 6;
		m->addresses_at = at + 8;
		m->address_bytes = 32;
		m->segment_at = at + 40;
	} else {
		m->bytes[at] = 0x45;
		put_be16(m->bytes + at + 2, (uint16_t)(20 + m->segment_size));
		put_be16(m->bytes + at + 6, 0x4000);
		m->bytes[at + 9] = shape->udp ? 17 : 6;
		m->addresses_at = at + 12;
		m->address_bytes = 8;
		m->segment_at = at + 20;
	}
	m->field_at = m->segment_at + (shape->udp ? 6 : 16);
	put_be16(m->bytes + m->field_at, 0);
	m->size = m->segment_at + m->segment_size + shape->pad;
}

static uint16_t proto_of(const struct shape *shape)
{
	return shape->udp ? 17 : 6;
}

static void half_done_checksums_are_finished_as_rfc_1071_says(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct shape shape = { .tags = rand_u64(&seed) % 3, .v6 = rand_u64(&seed) & 1,
				       .udp = rand_u64(&seed) & 1,
				       .payload = rand_u64(&seed) % 1400, .pad = rand_u64(&seed) % 8 };
		struct made m;
		uint16_t pseudo;

		make(&m, &shape, &seed);
		pseudo = slow_sum(m.bytes + m.addresses_at, m.address_bytes, proto_of(&shape), NULL, 0);
		pseudo = slow_sum((uint8_t[]){ pseudo >> 8, pseudo & 0xff }, 2, m.segment_size, NULL, 0);
		put_be16(m.bytes + m.field_at, pseudo);
		assert_true(finish_checksum(m.bytes, m.size));
		/* a receiver sums all of it, the checksum included, to all ones (RFC 793) */
		assert_int_equal(slow_sum(m.bytes + m.addresses_at, m.address_bytes, proto_of(&shape),
					  m.bytes + m.segment_at, m.segment_size), 0xffff);
		assert_int_not_equal(get_be16(m.bytes + m.field_at) | !shape.udp, 0);
	}
}

static void finished_frames_stay_as_they_are(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct shape shape = { .tags = rand_u64(&seed) % 3, .v6 = rand_u64(&seed) & 1,
				       .udp = rand_u64(&seed) & 1,
				       .payload = rand_u64(&seed) % 1400 };
		struct made m, before;
		uint16_t sum;

		make(&m, &shape, &seed);
		sum = (uint16_t)~slow_sum(m.bytes + m.addresses_at, m.address_bytes, proto_of(&shape),
					  m.bytes + m.segment_at, m.segment_size);
		put_be16(m.bytes + m.field_at, sum == 0 && shape.udp ? 0xffff : sum);
		before = m;
		finish_checksum(m.bytes, m.size);
		assert_memory_equal(m.bytes, before.bytes, m.size);
	}
}

static void fragments_short_frames_and_other_protocols_stay_as_they_are(void **state)
{
	struct shape shape = { .payload = 40 };
	uint64_t seed = check_seed();
	struct made m;

	(void)state;
	make(&m, &shape, &seed);
	put_be16(m.bytes + 20, 0x2000); /* more fragments follow */
	assert_false(finish_checksum(m.bytes, m.size));
	make(&m, &shape, &seed);
	m.bytes[23] = 1; /* ICMP */
	assert_false(finish_checksum(m.bytes, m.size));
	make(&m, &shape, &seed);
	m.bytes[14] = 0x44; /* a header of 16 bytes */
	assert_false(finish_checksum(m.bytes, m.size));
	for (unsigned size = 0; size < m.size; size++) { /* its length says more than there is */
		uint8_t *tight = malloc(size ? size : 1);

		make(&m, &shape, &seed);
		memcpy(tight, m.bytes, size);
		assert_false(finish_checksum(tight, size));
		free(tight);
	}
}

static void random_bytes_are_never_read_beyond_their_end(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		struct shape shape = { .tags = rand_u64(&seed) % 3, .v6 = rand_u64(&seed) & 1,
				       .udp = rand_u64(&seed) & 1, .payload = rand_u64(&seed) % 60 };
		struct made m;
		uint8_t *tight;

		make(&m, &shape, &seed);
		m.size = (unsigned)(rand_u64(&seed) % (m.size + 1));
		for (unsigned hits = rand_u64(&seed) % 4; hits && m.size; hits--)
			m.bytes[rand_u64(&seed) % m.size] = (uint8_t)rand_u64(&seed);
		tight = malloc(m.size ? m.size : 1); /* the sanitizer watches its end */
		memcpy(tight, m.bytes, m.size);
		finish_checksum(tight, m.size);
		free(tight);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_done_checksums_are_finished_as_rfc_1071_says),
		cmocka_unit_test(finished_frames_stay_as_they_are),
		cmocka_unit_test(fragments_short_frames_and_other_protocols_stay_as_they_are),
		cmocka_unit_test(random_bytes_are_never_read_beyond_their_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
