#include "attach/vhost_user_msg.h"

#include "base/bytes.h"
#include "tests/check.h"

#include <errno.h>

static struct vu_msg with_header(uint32_t request, uint32_t flags, uint32_t size, int *err)
{
	uint8_t bytes[VHOST_USER_HEADER_SIZE];
	struct vu_msg msg = { 0 };
	struct refusal why = { 0 };

	put_le32(bytes + VHOST_USER_HEADER_REQUEST, request);
	put_le32(bytes + VHOST_USER_HEADER_FLAGS, flags);
	put_le32(bytes + VHOST_USER_HEADER_PAYLOAD_SIZE, size);
	*err = vu_msg_header(&msg, bytes, &why);
	assert_true(*err == 0 || why.text[0]);
	return msg;
}

static void a_header_is_refused_for_version_reply_and_length(void **state)
{
	int err;

	(void)state;
	with_header(1, VHOST_USER_VERSION, 0, &err);
	assert_int_equal(err, 0);
	with_header(1, 0, 0, &err);
	assert_int_equal(err, -EPROTO);
	with_header(1, 2, 0, &err);
	assert_int_equal(err, -EPROTO);
	with_header(1, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY, 0, &err);
	assert_int_equal(err, -EPROTO);
	with_header(1, VHOST_USER_VERSION, VU_PAYLOAD_MAX, &err);
	assert_int_equal(err, 0);
	with_header(1, VHOST_USER_VERSION, VU_PAYLOAD_MAX + 1, &err);
	assert_int_equal(err, -EPROTO);
	with_header(1, VHOST_USER_VERSION, UINT32_MAX, &err);
	assert_int_equal(err, -EPROTO);
}

static void every_rule_takes_its_limits_and_refuses_what_is_beyond(void **state)
{
	unsigned rules = 0;

	(void)state;
	for (uint32_t request = 0; request < 70; request++) {
		const struct vu_rule *rule = vu_rule(request);
		struct vu_msg msg = { .request = request };
		struct refusal why = { 0 };

		if (!rule) {
			assert_int_equal(vu_msg_check(&msg, &why), -EOPNOTSUPP);
			continue;
		}
		rules++;
		assert_true(rule->size_max <= VU_PAYLOAD_MAX && rule->fds_max <= VU_FDS_MAX);
		msg.size = rule->size_min;
		msg.fd_count = rule->fds_min;
		assert_int_equal(vu_msg_check(&msg, &why), 0);
		msg.size = rule->size_max;
		msg.fd_count = rule->fds_max;
		assert_int_equal(vu_msg_check(&msg, &why), 0);
		msg.size = rule->size_max + 1u;
		assert_int_equal(vu_msg_check(&msg, &why), -EPROTO);
		msg.size = rule->size_min - 1u; /* 0 - 1 is beyond as well */
		assert_int_equal(vu_msg_check(&msg, &why), -EPROTO);
		msg.size = rule->size_min;
		msg.fd_count = rule->fds_max + 1u;
		assert_int_equal(vu_msg_check(&msg, &why), -EPROTO);
		if (rule->fds_min) {
			msg.fd_count = rule->fds_min - 1u;
			assert_int_equal(vu_msg_check(&msg, &why), -EPROTO);
		}
		assert_non_null(strstr(why.text, rule->name));
	}
	assert_int_equal(rules, 32);
}

static void put_region(struct vu_msg *msg, unsigned at, struct vu_region r)
{
	uint8_t *to = msg->payload + VHOST_USER_MEM_FIRST + at * VHOST_USER_REGION_BYTES;

	put_le64(to + VHOST_USER_REGION_GUEST, r.guest);
	put_le64(to + VHOST_USER_REGION_SIZE, r.size);
	put_le64(to + VHOST_USER_REGION_USER, r.user);
	put_le64(to + VHOST_USER_REGION_OFFSET, r.offset);
}

static struct vu_msg table(unsigned count)
{
	struct vu_msg msg = { .request = VHOST_USER_SET_MEM_TABLE, .fd_count = count,
			      .size = VHOST_USER_MEM_FIRST + count * VHOST_USER_REGION_BYTES };

	put_le32(msg.payload, count);
	for (unsigned i = 0; i < count && i < VHOST_USER_MEM_REGIONS_MAX; i++)
		put_region(&msg, i, (struct vu_region){ i * 0x1000ull, 0x1000,
							 0x7f0000000000 + i * 0x1000ull, 0 });
	return msg;
}

static int read_table(const struct vu_msg *msg)
{
	struct vu_region regions[VHOST_USER_MEM_REGIONS_MAX];
	struct refusal why = { 0 };
	int count = vu_mem_table_read(msg, regions, &why);

	assert_true(count >= 0 || why.text[0]);
	return count;
}

static void a_memory_table_is_read_whole_or_refused(void **state)
{
	struct vu_msg msg = table(8);

	(void)state;
	assert_int_equal(read_table(&msg), 8);
	msg = table(0);
	assert_int_equal(read_table(&msg), 0);
	msg = table(2);
	msg.fd_count = 1;
	assert_int_equal(read_table(&msg), -EINVAL);
	msg = table(2);
	put_le32(msg.payload, 9);
	assert_int_equal(read_table(&msg), -EINVAL);
	msg = table(2);
	put_le32(msg.payload, UINT32_MAX);
	msg.fd_count = 8;
	assert_int_equal(read_table(&msg), -EINVAL);
	msg = table(2);
	msg.size -= 1;
	assert_int_equal(read_table(&msg), -EINVAL);
}

static void regions_that_are_empty_wrap_or_overlap_are_refused(void **state)
{
	const struct vu_region bad[] = {
		{ 0x10000, 0, 0x10000, 0 },
		{ UINT64_MAX, 2, 0x10000, 0 },
		{ 0x10000, 0x1000, UINT64_MAX - 5, 0 },
		{ 0x10000, 0x1000, 0x10000, UINT64_MAX },
		{ 0x10000, UINT64_MAX, 0x10000, 0 },
		{ 0x800, 0x1000, 0x10000, 0 },          /* guest range of region 0 */
		{ 0x10000, 0x1000, 0x7f0000000fff, 0 }, /* user range of region 0 */
	};

	(void)state;
	for (unsigned i = 0; i < array_len(bad); i++) {
		struct vu_msg msg = table(2);

		put_region(&msg, 1, bad[i]);
		assert_int_equal(read_table(&msg), -EINVAL);
	}
}

static void overlap_agrees_with_looking_at_every_byte(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned run = 0; run < 20000; run++) {
		struct vu_region r[2];
		bool shared = false;

		for (unsigned i = 0; i < 2; i++)
			r[i] = (struct vu_region){ rand_u64(&seed) % 16, 1 + rand_u64(&seed) % 5,
						   rand_u64(&seed) % 16, 0 };
		for (unsigned a = 0; a < r[0].size; a++)
			for (unsigned b = 0; b < r[1].size; b++)
				shared |= r[0].guest + a == r[1].guest + b ||
					  r[0].user + a == r[1].user + b;
		assert_int_equal(vu_regions_overlap(&r[0], &r[1]), shared);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_is_refused_for_version_reply_and_length),
		cmocka_unit_test(every_rule_takes_its_limits_and_refuses_what_is_beyond),
		cmocka_unit_test(a_memory_table_is_read_whole_or_refused),
		cmocka_unit_test(regions_that_are_empty_wrap_or_overlap_are_refused),
		cmocka_unit_test(overlap_agrees_with_looking_at_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
