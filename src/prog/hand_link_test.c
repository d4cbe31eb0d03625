/* Messages between two daemons: whatever their size, whole; and what is none is refused. */
#include "prog/hand_link.h"

#include "base/bytes.h"
#include "tests/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MANY = 300, LARGE = 3 << 20, AGES_MS = 60000 };

static int ends[2];

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int connect_ends(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
}

static int close_ends(void **state)
{
	(void)state;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static void *send_large(void *parcel)
{
	return hand_link_send(ends[0], HAND_FUNCTION, parcel) ? parcel : NULL;
}

static void bytes_and_descriptors_arrive_in_order(void **state)
{
	struct parcel sent = { .bytes = NULL };
	struct hand_message got;
	uint64_t seed = check_seed();
	pthread_t thread;
	void *failed;
	uint8_t *at = parcel_extend(&sent, LARGE);

	(void)state;
	assert_non_null(at);
	for (size_t i = 0; i < LARGE; i++)
		at[i] = (uint8_t)(seed = seed * 6364136223846793005u + 1442695040888963407u, seed >> 56);
	for (unsigned i = 0; i < MANY; i++) {
		int fd = memfd_create("n", MFD_CLOEXEC);

		assert_int_equal(ftruncate(fd, i), 0);
		assert_int_equal(parcel_give_fds(&sent, &fd, 1), 0);
	}
	assert_int_equal(pthread_create(&thread, NULL, send_large, &sent), 0);
	assert_int_equal(hand_link_receive(ends[1], AGES_MS, &got, NULL), 0);
	pthread_join(thread, &failed);
	assert_null(failed);
	assert_int_equal(got.kind, HAND_FUNCTION);
	assert_int_equal(got.parcel.size, LARGE);
	assert_memory_equal(got.parcel.bytes, sent.bytes, LARGE);
	assert_int_equal(got.parcel.fd_count, MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(lseek(got.parcel.fds[i], 0, SEEK_END), i);
	parcel_drop(&got.parcel);
	parcel_drop(&sent);
}

static void a_kind_alone_and_a_text_arrive(void **state)
{
	struct hand_message got;
	const char *text;

	(void)state;
	assert_int_equal(hand_link_send(ends[0], HAND_GO, NULL), 0);
	assert_int_equal(hand_link_say(ends[0], HAND_NO, "no room"), 0);
	assert_int_equal(hand_link_receive(ends[1], AGES_MS, &got, NULL), 0);
	assert_int_equal(got.kind, HAND_GO);
	assert_int_equal(got.parcel.size, 0);
	assert_int_equal(hand_link_receive(ends[1], AGES_MS, &got, NULL), 0);
	assert_int_equal(got.kind, HAND_NO);
	assert_true(hand_link_text(&got, &text));
	assert_string_equal(text, "no room");
	parcel_drop(&got.parcel);
	got.parcel = (struct parcel){ .bytes = NULL };
	memcpy(parcel_extend(&got.parcel, 3), "a\0b", 3);
	assert_false(hand_link_text(&got, &text));
	parcel_drop(&got.parcel);
}

static void who_has_gone_or_says_nothing_is_told(void **state)
{
	struct hand_message got;
	struct refusal why = { .path = "" };

	(void)state;
	assert_int_equal(hand_link_receive(ends[1], 1, &got, &why), -ETIMEDOUT);
	assert_string_equal(why.text, "the other daemon does not answer");
	shutdown(ends[0], SHUT_WR);
	assert_int_equal(hand_link_receive(ends[1], AGES_MS, &got, &why), -ECONNRESET);
	assert_string_equal(why.text, "the other daemon has gone");
}

/* A head as the link has it, so that each part can be another. */
static void put_head(uint8_t head[20], uint16_t version, uint16_t kind, uint32_t fds, uint64_t bytes)
{
	memcpy(head, "MPHO", 4);
	put_le16(head + 4, version);
	put_le16(head + 6, kind);
	put_le32(head + 8, fds);
	put_le64(head + 12, bytes);
}

static void send_packet(const void *bytes, size_t size, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec piece = { (void *)(uintptr_t)bytes, size };
	struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1 };

	if (fd >= 0) {
		head.msg_control = &control;
		head.msg_controllen = sizeof control;
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), &fd, sizeof fd);
	}
	assert_int_equal(sendmsg(ends[0], &head, MSG_NOSIGNAL), (ssize_t)size);
}

static void what_is_no_message_is_refused_and_nothing_stays_open(void **state)
{
	int plain = memfd_create("not sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	unsigned before;
	static const struct {
		uint16_t version, kind;
		uint32_t fds;
		uint64_t bytes;
		bool with_file;
	} rows[] = {
		{ 2, HAND_ASK, 0, 0, false },			/* another version */
		{ 1, 0, 0, 0, false },				/* no kind */
		{ 1, HAND_KINDS, 0, 0, false },
		{ 1, HAND_ASK, HAND_FDS_MAX + 1, 0, false },	/* too many, too much */
		{ 1, HAND_ASK, 0, (uint64_t)HAND_BYTES_MAX + 1, true },
		{ 1, HAND_ASK, 0, 5, false },			/* no file, or one for nothing */
		{ 1, HAND_ASK, 0, 0, true },
		{ 1, HAND_ASK, 0, 5, true },			/* another could change it */
	};

	(void)state;
	assert_int_equal(ftruncate(plain, 5), 0);
	before = open_fds();
	for (unsigned i = 0; i < array_len(rows); i++) {
		struct hand_message got;
		struct refusal why = { .path = "" };
		uint8_t head[20];

		put_head(head, rows[i].version, rows[i].kind, rows[i].fds, rows[i].bytes);
		send_packet(head, sizeof head, rows[i].with_file ? plain : -1);
		assert_int_equal(hand_link_receive(ends[1], AGES_MS, &got, &why), -EPROTO);
		assert_true(why.text[0] != '\0');
		assert_int_equal(open_fds(), before);
	}
	close(plain);
}

static void packets_of_another_size_are_refused(void **state)
{
	uint8_t bytes[64] = "MPHO";
	struct hand_message got;

	(void)state;
	for (size_t size = 1; size <= sizeof bytes; size += 7) {
		send_packet(bytes, size, -1);
		assert_int_equal(hand_link_receive(ends[1], AGES_MS, &got, NULL), -EPROTO);
	}
	put_head(bytes, 1, HAND_FUNCTION, 2, 0);
	send_packet(bytes, 20, -1);
	send_packet("more", 4, -1); /* and none comes with it */
	assert_int_equal(hand_link_receive(ends[1], AGES_MS, &got, NULL), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bytes_and_descriptors_arrive_in_order, connect_ends, close_ends),
		cmocka_unit_test_setup_teardown(a_kind_alone_and_a_text_arrive, connect_ends, close_ends),
		cmocka_unit_test_setup_teardown(who_has_gone_or_says_nothing_is_told, connect_ends, close_ends),
		cmocka_unit_test_setup_teardown(what_is_no_message_is_refused_and_nothing_stays_open, connect_ends,
						close_ends),
		cmocka_unit_test_setup_teardown(packets_of_another_size_are_refused, connect_ends, close_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
