#include "attach/vfio_user_side_test.h"
#include "attach/vfio_user_internal.h"

/* Migration. */

static int feature(uint32_t flags, const void *data, uint32_t size)
{
	uint8_t payload[256];

	put_le32(payload, 1 << 20);
	put_le32(payload + 4, flags);
	if (size)
		memcpy(payload + 8, data, size);
	return ask(VFIO_USER_DEVICE_FEATURE, payload, 8 + size);
}

enum {
	GET = VFIO_USER_FEATURE_GET,
	SET = VFIO_USER_FEATURE_SET,
	PROBE = VFIO_USER_FEATURE_PROBE,
};

static int go_to(uint32_t state)
{
	uint8_t data[8] = { (uint8_t)state };

	return feature(SET | VFIO_USER_FEATURE_MIG_STATE, data, 8);
}

static uint32_t state_now(void)
{
	assert_int_equal(feature(GET | VFIO_USER_FEATURE_MIG_STATE, NULL, 0), 0);
	assert_int_equal(got.payload, 16);
	return get_le32(got_bytes + 8);
}

/* Reads the stream in pieces of 100 bytes; its size. */
static uint32_t read_stream(uint8_t *to)
{
	uint8_t payload[8];
	uint32_t size = 0, n;

	put_le32(payload, 108);
	put_le32(payload + 4, 100);
	do {
		assert_int_equal(ask(VFIO_USER_MIG_DATA_READ, payload, 8), 0);
		n = get_le32(got_bytes + 4);
		assert_int_equal(got.payload, 8 + n);
		memcpy(to + size, got_bytes + 8, n);
		size += n;
	} while (n == 100);
	return size;
}

static int write_stream(const uint8_t *from, uint32_t size)
{
	uint8_t payload[8 + 3000];

	for (uint32_t at = 0; at < size;) {
		uint32_t n = min_u32(3000, size - at);
		int err;

		put_le32(payload, 8 + n);
		put_le32(payload + 4, n);
		memcpy(payload + 8, from + at, n);
		err = ask(VFIO_USER_MIG_DATA_WRITE, payload, 8 + n);
		if (err)
			return err;
		at += n;
	}
	return 0;
}

static void test_a_state_goes_through_stop_copy_and_comes_back_by_resuming(void **state)
{
	static uint8_t stream[64 * 1024];
	uint32_t size;

	(void)state;
	negotiate();
	assert_int_equal(feature(GET | VFIO_USER_FEATURE_MIGRATION, NULL, 0), 0);
	assert_int_equal(get_le64(got_bytes + 8), 5);
	assert_int_equal(state_now(), VFIO_USER_STATE_RUNNING);
	write32(0, SAMPLE_SCRATCH, 1234);
	write32(0, SAMPLE_PAGE_AT, 5678);
	assert_int_equal(ask(VFIO_USER_MIG_DATA_READ, (uint8_t[8]){ 100, 0, 0, 0, 10 }, 8), EINVAL);
	assert_int_equal(go_to(VFIO_USER_STATE_PRE_COPY), 0);
	assert_int_equal(sample.quiesces, sample.resumes); /* it runs */
	size = read_stream(stream);
	assert_int_equal(go_to(VFIO_USER_STATE_STOP_COPY), 0);
	assert_int_equal(sample.quiesces, sample.resumes + 1);
	size += read_stream(stream + size);
	assert_int_equal(go_to(VFIO_USER_STATE_PRE_COPY), EINVAL);
	assert_int_equal(go_to(VFIO_USER_STATE_RUNNING), 0);
	assert_int_equal(sample.quiesces, sample.resumes);
	assert_int_equal(ask(VFIO_USER_DEVICE_RESET, NULL, 0), 0);
	assert_int_equal(read32(0, SAMPLE_PAGE_AT), 0);
	assert_int_equal(go_to(VFIO_USER_STATE_RESUMING), 0);
	assert_int_equal(write_stream(stream, size), 0);
	assert_int_equal(go_to(VFIO_USER_STATE_RUNNING), 0);
	assert_int_equal(read32(0, SAMPLE_SCRATCH), 1234);
	assert_int_equal(read32(0, SAMPLE_PAGE_AT), 5678);
}

static void test_damaged_migration_data_is_an_error_that_a_reset_ends(void **state)
{
	static uint8_t stream[64 * 1024];
	uint32_t size;

	(void)state;
	negotiate();
	assert_int_equal(go_to(VFIO_USER_STATE_STOP_COPY), 0);
	size = read_stream(stream);
	assert_int_equal(ask(VFIO_USER_MIG_DATA_WRITE, (uint8_t[9]){ 9, 0, 0, 0, 1 }, 9), EINVAL);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(go_to(VFIO_USER_STATE_RESUMING), 0);
		stream[i == 3 ? 40 : 0] ^= i == 1; /* nothing, a wrong record, cut off, empty */
		assert_int_equal(write_stream(stream, i == 0 ? 0 : i == 2 ? size - 1 : size), 0);
		stream[0] ^= i == 1;
		if (i == 3) {
			assert_int_equal(go_to(VFIO_USER_STATE_STOP), 0);
			break;
		}
		assert_int_equal(go_to(VFIO_USER_STATE_RUNNING), EINVAL);
		assert_int_equal(state_now(), VFIO_USER_STATE_ERROR);
		assert_int_equal(go_to(VFIO_USER_STATE_STOP), EINVAL);
		assert_int_equal(ask(VFIO_USER_DEVICE_RESET, NULL, 0), 0);
		assert_int_equal(state_now(), VFIO_USER_STATE_RUNNING);
	}
	assert_int_equal(ask(VFIO_USER_MIG_DATA_WRITE, (uint8_t[8]){ 0 }, 8), EINVAL);
}

/* The oracle knows the arcs alone, and looks for the shortest way among all. */
static bool is_arc(unsigned from, unsigned to)
{
	static const uint8_t arcs[][2] = { { 2, 1 }, { 3, 1 }, { 4, 1 }, { 6, 2 }, { 1, 2 }, { 2, 6 },
					   { 1, 3 }, { 6, 3 }, { 1, 4 } };

	for (unsigned i = 0; i < array_len(arcs); i++)
		if (arcs[i][0] == from && arcs[i][1] == to)
			return true;
	return false;
}

/* Whether a way of at most 'steps' arcs leads there without a saving state (3, 6) inside. */
static bool leads(unsigned from, unsigned to, unsigned steps)
{
	if (is_arc(from, to))
		return true;
	for (unsigned via = 1; steps > 1 && via < 7; via++)
		if (via != 3 && via != 6 && is_arc(from, via) && leads(via, to, steps - 1))
			return true;
	return false;
}

static void test_every_pair_of_migration_states_goes_as_the_arcs_allow(void **state)
{
	static uint8_t stream[64 * 1024];
	uint32_t size;

	(void)state;
	negotiate();
	assert_int_equal(go_to(VFIO_USER_STATE_STOP_COPY), 0);
	size = read_stream(stream);
	for (unsigned from = 1; from < 7; from++) {
		for (unsigned to = 0; to < 9; to++) {
			bool can = to == from || (to > 0 && to < 7 && leads(from, to, 4));

			if (from == VFIO_USER_STATE_RUNNING_P2P)
				continue;
			if (from == 3 && to == 6)
				can = false; /* said so */
			assert_int_equal(ask(VFIO_USER_DEVICE_RESET, NULL, 0), 0);
			assert_int_equal(go_to(from), 0);
			if (from == VFIO_USER_STATE_RESUMING)
				assert_int_equal(write_stream(stream, size), 0);
			assert_int_equal(go_to(to), can ? 0 : EINVAL);
			assert_int_equal(state_now(), can ? to : from);
		}
	}
}

static void test_features_are_probed_and_unknown_ones_refused(void **state)
{
	(void)state;
	negotiate();
	assert_int_equal(feature(PROBE | GET | SET | VFIO_USER_FEATURE_MIG_STATE, NULL, 0), 0);
	assert_int_equal(feature(PROBE | VFIO_USER_FEATURE_LOG_REPORT, NULL, 0), 0);
	assert_int_equal(feature(PROBE | SET | VFIO_USER_FEATURE_LOG_REPORT, NULL, 0), ENOTSUP);
	assert_int_equal(feature(PROBE | 5, NULL, 0), ENOTSUP);
	assert_int_equal(feature(VFIO_USER_FEATURE_MIG_STATE, NULL, 0), EINVAL);
	assert_int_equal(feature(GET | SET | VFIO_USER_FEATURE_MIG_STATE, NULL, 0), EINVAL);
	assert_int_equal(feature(SET | VFIO_USER_FEATURE_MIG_STATE, NULL, 0), EINVAL);
}

static int report(uint64_t address, uint64_t size, uint64_t page)
{
	uint8_t data[24];

	put_le64(data, address);
	put_le64(data + 8, size);
	put_le64(data + 16, page);
	return feature(GET | VFIO_USER_FEATURE_LOG_REPORT, data, sizeof data);
}

static void test_pages_that_the_function_wrote_are_reported_once(void **state)
{
	uint8_t start[16] = { 0, 16 };

	(void)state;
	negotiate();
	master();
	assert_int_equal(dma_map(IOVA, MEMORY, 0, 3, memory_fd), 0);
	assert_int_equal(report(IOVA, MEMORY, PAGE), EINVAL);
	assert_int_equal(transfer(SAMPLE_STORE, IOVA, PAGE), 0); /* before the log */
	assert_int_equal(feature(SET | VFIO_USER_FEATURE_LOG_START, start, sizeof start), 0);
	assert_int_equal(feature(SET | VFIO_USER_FEATURE_LOG_START, start, sizeof start), EEXIST);
	assert_int_equal(transfer(SAMPLE_STORE, IOVA + 3 * PAGE - 4, 8), 0);
	assert_int_equal(transfer(SAMPLE_FETCH, IOVA + 8 * PAGE, 8), 0);
	assert_int_equal(transfer(SAMPLE_STORE, IOVA + 15 * PAGE, 8), 0);
	assert_int_equal(report(IOVA, 8 * PAGE, PAGE), 0);
	assert_int_equal(got.payload, 8 + 24 + 8);
	assert_int_equal(get_le64(got_bytes + 32), 1 << 2 | 1 << 3);
	assert_int_equal(report(IOVA, MEMORY, 4 * PAGE), 0);
	assert_int_equal(get_le64(got_bytes + 32), 1 << 3);
	assert_int_equal(report(IOVA, MEMORY, PAGE), 0);
	assert_int_equal(get_le64(got_bytes + 32), 0);
	assert_int_equal(report(IOVA, MEMORY, 3 * PAGE), EINVAL);
	assert_int_equal(report(IOVA, UINT64_MAX, PAGE), EINVAL);
	assert_int_equal(report(0, UINT64_C(1) << 48, PAGE), ENOSPC);
	assert_int_equal(feature(SET | VFIO_USER_FEATURE_LOG_STOP, NULL, 0), 0);
	assert_int_equal(feature(SET | VFIO_USER_FEATURE_LOG_STOP, NULL, 0), EINVAL);
	assert_int_equal(transfer(SAMPLE_STORE, IOVA, 8), 0);
}

/* Framing. */

static void test_messages_in_pieces_and_in_one_piece_are_served_alike(void **state)
{
	uint8_t bytes[3 * (VFIO_USER_HEADER_SIZE + VFIO_USER_ACCESS_SIZE)] = { 0 };
	const unsigned one = VFIO_USER_HEADER_SIZE + VFIO_USER_ACCESS_SIZE;

	(void)state;
	negotiate();
	for (unsigned i = 0; i < 3; i++) {
		struct vfio_user_header header = { .command = VFIO_USER_REGION_READ,
						   .payload = VFIO_USER_ACCESS_SIZE };

		vfio_user_header_write(&header, bytes + i * one);
		put_le32(bytes + i * one + VFIO_USER_HEADER_SIZE + 12, 4);
	}
	for (unsigned i = 0; i < one; i++) {
		send_raw(bytes + i, 1, NULL, 0);
		turn(1);
	}
	assert_true(hear_message());
	assert_int_equal(get_le32(got_bytes + 16), SAMPLE_MAGIC);
	send_raw(bytes, sizeof bytes, NULL, 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(hear_message());
		assert_int_equal(get_le32(got_bytes + 16), SAMPLE_MAGIC);
	}
}

/* Descriptors belong to the message that they came with, whatever else one read brings. */
static void test_maps_in_flight_keep_their_own_descriptors(void **state)
{
	enum { IN_FLIGHT = 12 };
	uint8_t payload[VFIO_USER_MAP_SIZE];
	int files[IN_FLIGHT];

	(void)state;
	negotiate();
	master();
	for (unsigned i = 0; i < IN_FLIGHT; i++) {
		uint8_t byte = (uint8_t)(i + 1);

		files[i] = memfd_create("one", MFD_CLOEXEC);
		assert_int_equal(ftruncate(files[i], PAGE), 0);
		assert_int_equal(pwrite(files[i], &byte, 1, 0), 1);
		say(VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0);
		put_le32(payload, sizeof payload);
		put_le32(payload + 4, 3);
		put_le64(payload + 8, 0);
		put_le64(payload + 16, i * PAGE);
		put_le64(payload + 24, PAGE);
		say(VFIO_USER_DMA_MAP, payload, sizeof payload, &files[i], 1);
	}
	for (unsigned i = 0; i < 2 * IN_FLIGHT; i++) {
		assert_true(hear_message());
		assert_int_equal(got.flags, VFIO_USER_TYPE_REPLY);
		assert_int_equal(got.command, i % 2 ? VFIO_USER_DMA_MAP : VFIO_USER_DEVICE_RESET);
	}
	master();
	for (unsigned i = 0; i < IN_FLIGHT; i++) {
		assert_int_equal(transfer(SAMPLE_FETCH, i * PAGE, 1), 0);
		assert_int_equal(read32(0, SAMPLE_SUM), i + 1);
		close(files[i]);
	}
}

static void resumes_within(unsigned resumes, unsigned limit_ms)
{
	for (unsigned i = 0; i < limit_ms && sample.resumes < resumes; i++) {
		usleep(1000);
		turn(1);
	}
	assert_int_equal(sample.resumes, resumes);
}

/* Takes a window away, gives half of it back, and then is kept from running for a while.  False where the machine made
 * that so long a while that the function had to run on. */
static bool half_comes_back(uint64_t size)
{
	uint64_t began_ns = uv_hrtime();
	unsigned resumes = sample.resumes;

	assert_int_equal(dma_unmap(0, size, 0), 0);
	assert_int_equal(dma_map(0, size / 2, 0, 3, memory_fd), 0);
	for (unsigned i = 0; i < 10 * VFUSER_GRACE_MS; i++) {
		usleep(1000);
		turn(1);
	}
	if (sample.resumes == resumes)
		return true;
	assert_true(uv_hrtime() - began_ns >= (VFUSER_MISSING_MS - 1) * UINT64_C(1000000));
	return false;
}

static void test_a_large_window_that_comes_back_in_parts_finds_the_function_quiet_until_then(void **state)
{
	const uint64_t size = 4 << 20;
	unsigned quiesces;

	(void)state;
	negotiate();
	assert_int_equal(ftruncate(memory_fd, (off_t)size), 0);
	assert_int_equal(dma_map(0, size, 0, 3, memory_fd), 0);
	for (unsigned late = 0; !half_comes_back(size); late++) {
		assert_true(late < 100);
		assert_int_equal(dma_map(size / 2, size / 2, size / 2, 1, memory_fd), 0);
	}
	quiesces = sample.quiesces;
	assert_int_equal(dma_map(size / 2, size / 2, size / 2, 1, memory_fd), 0);
	assert_int_equal(sample.quiesces, quiesces);
	resumes_within(quiesces, VFUSER_MISSING_MS / 2);
	/* One that does not come back is not waited for without end. */
	assert_int_equal(dma_unmap(0, size / 2, 0), 0);
	assert_int_equal(sample.quiesces, quiesces + 1);
	resumes_within(quiesces + 1, 20 * VFUSER_MISSING_MS);
	assert_int_equal(dma_unmap(size / 2, size / 2, 0), 0);
	assert_int_equal(ask(VFIO_USER_DEVICE_RESET, NULL, 0), 0);
	close(client); /* in the midst of it */
	client = -1;
	turn(4);
	assert_int_equal(sample.resumes, sample.quiesces);
}

static void test_a_client_that_does_not_read_holds_up_nobody_but_itself(void **state)
{
	uint8_t bytes[VFIO_USER_HEADER_SIZE + VFIO_USER_ACCESS_SIZE] = { 0 };
	struct vfio_user_header header = { .command = VFIO_USER_REGION_READ,
					   .payload = VFIO_USER_ACCESS_SIZE };
	unsigned sent = 0;

	(void)state;
	negotiate();
	vfio_user_header_write(&header, bytes);
	put_le32(bytes + VFIO_USER_HEADER_SIZE + 12, SAMPLE_BAR0);
	for (unsigned idle = 0; idle < 50 && sent < 100000;) {
		if (send(client, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof bytes) {
			sent++;
			idle = 0;
		} else {
			idle++;
		}
		turn(1);
	}
	assert_in_range(sent, 20, 99999);
	for (unsigned i = 0; i < sent; i++) {
		assert_true(hear_message());
		assert_int_equal(got.payload, VFIO_USER_ACCESS_SIZE + SAMPLE_BAR0);
		assert_int_equal(get_le32(got_bytes + 16), SAMPLE_MAGIC);
	}
}

static void test_a_message_that_wants_no_reply_gets_none(void **state)
{
	struct vfio_user_header header = { .id = 5, .command = VFIO_USER_DEVICE_RESET,
					   .flags = VFIO_USER_FLAG_NO_REPLY };

	(void)state;
	negotiate();
	vfio_user_header_write(&header, outgoing);
	send_raw(outgoing, VFIO_USER_HEADER_SIZE, NULL, 0);
	header.command = 99;
	vfio_user_header_write(&header, outgoing);
	send_raw(outgoing, VFIO_USER_HEADER_SIZE, NULL, 0);
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC); /* its reply is the next */
	assert_int_equal(sample.resets, 1);
}

static void test_commands_that_are_none_are_answered_and_broken_framing_ends_it(void **state)
{
	struct vfio_user_header header = { .command = VFIO_USER_DEVICE_RESET, .flags = 2 };

	(void)state;
	negotiate();
	assert_int_equal(ask(0, NULL, 0), ENOTSUP);
	assert_int_equal(ask(14, NULL, 0), ENOTSUP);
	assert_int_equal(ask(VFIO_USER_DMA_READ, outgoing, 16), ENOTSUP);
	assert_int_equal(ask(65535, NULL, 0), ENOTSUP);
	assert_int_equal(ask(VFIO_USER_DEVICE_RESET, outgoing, 1), EINVAL);
	assert_int_equal(ask(VFIO_USER_DMA_MAP, outgoing, 31), EINVAL);
	vfio_user_header_write(&header, outgoing);
	send_raw(outgoing, VFIO_USER_HEADER_SIZE, NULL, 0);
	assert_true(hear_message());
	assert_int_equal(got.error, EINVAL);
	memset(outgoing, 0, VFIO_USER_HEADER_SIZE);
	send_raw(outgoing, VFIO_USER_HEADER_SIZE, NULL, 0); /* says that it has no bytes */
	assert_false(hear_message());
	close(client);
	client = dial();
	negotiate();
	put_le32(outgoing + VFIO_USER_HEADER_BYTES, UINT32_MAX);
	send_raw(outgoing, VFIO_USER_HEADER_SIZE, NULL, 0);
	assert_false(hear_message());
	assert_non_null(strstr(last_text, "4294967295"));
}

static void test_too_many_descriptors_are_closed_and_end_it(void **state)
{
	int fds[FDS_MAX];
	unsigned before;

	(void)state;
	negotiate();
	before = open_fds();
	for (unsigned i = 0; i < FDS_MAX; i++)
		fds[i] = memory_fd;
	assert_int_equal(ask_with(VFIO_USER_DEVICE_RESET, NULL, 0, fds, 16), EINVAL);
	assert_int_equal(open_fds(), before);
	say(VFIO_USER_DEVICE_RESET, NULL, 0, fds, FDS_MAX);
	assert_false(hear_message());
	turn(3);
	assert_int_equal(open_fds(), before - 1); /* the server's end has gone too */
}

static void test_memory_that_is_cut_off_is_survived_and_told(void **state)
{
	(void)state;
	assert_int_equal(guest_memory_guard(), 0); /* cmocka has set a handler of its own since */
	negotiate();
	master();
	assert_int_equal(dma_map(0, MEMORY, 0, 3, memory_fd), 0);
	assert_int_equal(ftruncate(memory_fd, 0), 0);
	assert_int_equal(transfer(SAMPLE_STORE, 0, MEMORY), 0);
	turn(2);
	assert_string_equal(last_event, "memory lost");
	assert_int_equal(ftruncate(memory_fd, MEMORY), 0);
	assert_int_equal(dma_unmap(0, MEMORY, 0), 0);
	assert_int_equal(dma_map(0, MEMORY, 0, 3, memory_fd), 0); /* new memory, newly mapped */
	memory[0] = 9;
	assert_int_equal(transfer(SAMPLE_FETCH, 0, 1), 0);
	assert_int_equal(read32(0, SAMPLE_SUM), 9);
}

static void test_a_socket_left_from_a_crash_is_replaced_and_a_live_one_is_not(void **state)
{
	struct vfio_user_conf conf = sample_conf(&sample);
	struct vfio_user *second;
	struct refusal why = { 0 };
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	char other[80];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	conf.path = path;
	conf.loop = &loop;
	assert_int_equal(vfio_user_create(&second, &conf, &why), -EADDRINUSE);
	assert_non_null(strstr(why.text, "somebody else does"));
	snprintf(other, sizeof other, "%s.left", path);
	snprintf(where.sun_path, sizeof where.sun_path, "%s", other);
	assert_int_equal(bind(fd, (struct sockaddr *)&where, sizeof where), 0);
	close(fd);
	close(client);
	client = -1;
	turn(3);
	vfio_user_destroy(server);
	conf.path = other;
	assert_int_equal(vfio_user_create(&server, &conf, &why), 0);
	conf.path = "/tmp/a-path-that-is-longer-than-a-socket-may-have/and-longer/and-longer/and-longer/and-"
		    "longer/and-longer/and-longer/and-longer/and-longer/and-longer/and-longer";
	assert_int_equal(vfio_user_create(&second, &conf, &why), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fresh, stop)
		T(test_a_state_goes_through_stop_copy_and_comes_back_by_resuming),
		T(test_damaged_migration_data_is_an_error_that_a_reset_ends),
		T(test_every_pair_of_migration_states_goes_as_the_arcs_allow),
		T(test_features_are_probed_and_unknown_ones_refused),
		T(test_pages_that_the_function_wrote_are_reported_once),
		T(test_messages_in_pieces_and_in_one_piece_are_served_alike),
		T(test_maps_in_flight_keep_their_own_descriptors),
		T(test_a_large_window_that_comes_back_in_parts_finds_the_function_quiet_until_then),
		T(test_a_client_that_does_not_read_holds_up_nobody_but_itself),
		T(test_a_message_that_wants_no_reply_gets_none),
		T(test_commands_that_are_none_are_answered_and_broken_framing_ends_it),
		T(test_too_many_descriptors_are_closed_and_end_it),
		T(test_memory_that_is_cut_off_is_survived_and_told),
		T(test_a_socket_left_from_a_crash_is_replaced_and_a_live_one_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
