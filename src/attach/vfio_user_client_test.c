#include "attach/vfio_user_client.h"

#include "attach/vfio_user_msg.h"
#include "base/bytes.h"
#include "spec/pcie.h"
#include "tests/check.h"
#include "tests/vfio_sample/vfio_sample.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PAGE = 4096, CONFIG = 7, MEMORY = 8 * PAGE };

#define IOVA (UINT64_C(1) << 45)

/* A server in a thread of its own, as in a process of its own. */
static struct {
	pthread_t thread;
	uv_loop_t loop;
	uv_async_t stop;
	struct sample sample;
	struct vfio_user *server;
} side;

static char path[64];
static struct vfio_user_client *client;
static int memory_fd;
static uint8_t *memory;

static void on_stop(uv_async_t *async)
{
	uv_close((uv_handle_t *)async, NULL);
	vfio_user_destroy(side.server);
}

static void *serve(void *arg)
{
	(void)arg;
	uv_run(&side.loop, UV_RUN_DEFAULT);
	return NULL;
}

static void start_server(void)
{
	struct vfio_user_conf conf;

	assert_int_equal(uv_loop_init(&side.loop), 0);
	assert_int_equal(uv_async_init(&side.loop, &side.stop, on_stop), 0);
	assert_int_equal(sample_init(&side.sample), 0);
	conf = sample_conf(&side.sample);
	conf.path = path;
	conf.loop = &side.loop;
	assert_int_equal(vfio_user_create(&side.server, &conf, NULL), 0);
	assert_int_equal(pthread_create(&side.thread, NULL, serve, NULL), 0);
}

static void stop_server(void)
{
	uv_async_send(&side.stop);
	pthread_join(side.thread, NULL);
	assert_int_equal(uv_loop_close(&side.loop), 0);
	sample_fini(&side.sample);
}

static int fresh(void **state)
{
	struct refusal why = { 0 };

	(void)state;
	snprintf(path, sizeof path, "/tmp/mp-vfclient-%d.sock", (int)getpid());
	start_server();
	memory_fd = memfd_create("test", MFD_CLOEXEC);
	assert_int_equal(ftruncate(memory_fd, MEMORY), 0);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	assert_int_equal(vfio_user_client_open(&client, path, &why), 0);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	vfio_user_client_close(client);
	client = NULL;
	stop_server();
	munmap(memory, MEMORY);
	close(memory_fd);
	return 0;
}

static uint32_t read32(unsigned region, uint64_t offset)
{
	uint8_t bytes[4];

	assert_int_equal(vfio_user_client_read(client, region, offset, 4, bytes), 0);
	return get_le32(bytes);
}

static void write32(unsigned region, uint64_t offset, uint32_t value)
{
	uint8_t bytes[4];

	put_le32(bytes, value);
	assert_int_equal(vfio_user_client_write(client, region, offset, 4, bytes), 0);
}

static void master(void)
{
	write32(CONFIG, SPEC_PCI_COMMAND, SPEC_PCI_COMMAND_MASTER | SPEC_PCI_COMMAND_MEMORY);
}

static void command(enum sample_command what, uint64_t address, uint32_t size)
{
	write32(0, SAMPLE_ADDRESS, (uint32_t)address);
	write32(0, SAMPLE_ADDRESS + 4, (uint32_t)(address >> 32));
	write32(0, SAMPLE_SIZE, size);
	write32(0, SAMPLE_COMMAND, what);
}

static void test_it_finds_regions_interrupts_and_what_can_be_mapped(void **state)
{
	const struct vfio_user_client_region *bar = vfio_user_client_region(client, 0);
	uint32_t flags;

	(void)state;
	assert_int_equal(vfio_user_client_flags(client), VFIO_USER_INFO_RESET | VFIO_USER_INFO_PCI);
	assert_int_equal(bar->size, SAMPLE_BAR0);
	assert_int_equal(bar->mapped_first, SAMPLE_PAGE_AT);
	assert_int_equal(bar->mapped_size, SAMPLE_PAGE);
	put_le32(bar->mapped + 4, 99);
	assert_int_equal(read32(0, SAMPLE_PAGE_AT + 4), 99);
	assert_int_equal(vfio_user_client_region(client, 1)->size, 0);
	assert_int_equal(vfio_user_client_irqs(client, VFIO_USER_IRQ_MSIX, &flags), SAMPLE_VECTORS);
	assert_int_equal(flags, VFIO_USER_IRQ_EVENTFD | VFIO_USER_IRQ_MASKABLE);
	assert_int_equal(read32(CONFIG, 0), SAMPLE_DEVICE << 16 | SAMPLE_VENDOR);
}

static void test_refusals_are_errnos_and_do_not_end_the_connection(void **state)
{
	uint8_t bytes[4];

	(void)state;
	assert_int_equal(vfio_user_client_read(client, 1, 0, 4, bytes), -EINVAL);
	assert_int_equal(vfio_user_client_unmap(client, 1, 0), -EINVAL);
	assert_int_equal(vfio_user_client_act(client, 99, VFIO_USER_SET_MASK), -EINVAL);
	assert_int_equal(vfio_user_client_signal(client, VFIO_USER_CLIENT_VECTORS, -1), -EINVAL);
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC);
}

static void test_memory_is_lent_by_descriptor_and_by_messages(void **state)
{
	static uint8_t ours[2 << 20];
	struct vfio_user_client_window file = { .address = IOVA, .size = MEMORY, .flags = 3, .fd = memory_fd };
	struct vfio_user_client_window lent = { .address = 0, .size = sizeof ours, .flags = 3, .fd = -1,
						.bytes = ours };
	uint32_t sum = 0;

	(void)state;
	master();
	assert_int_equal(vfio_user_client_map(client, &file), 0);
	assert_int_equal(vfio_user_client_map(client, &lent), 0);
	assert_int_equal(vfio_user_client_map(client, &lent), -EEXIST);
	memory[5] = 7;
	command(SAMPLE_FETCH, IOVA, PAGE);
	assert_int_equal(read32(0, SAMPLE_SUM), 7);
	for (unsigned i = 0; i < sizeof ours; i++)
		sum += ours[i] = (uint8_t)(i * 3);
	command(SAMPLE_ASK_FETCH, 0, sizeof ours);
	while (read32(0, SAMPLE_RESULT) == SAMPLE_UNDER_WAY)
		; /* each reply waited for serves what was asked meanwhile */
	assert_int_equal(read32(0, SAMPLE_RESULT), 0);
	assert_int_equal(read32(0, SAMPLE_SUM), sum);
	write32(0, SAMPLE_SCRATCH, 1);
	command(SAMPLE_FILL, 0, sizeof ours);
	command(SAMPLE_ASK_STORE, 0, sizeof ours);
	while (read32(0, SAMPLE_RESULT) == SAMPLE_UNDER_WAY)
		;
	for (unsigned i = 0; i < sizeof ours; i++)
		assert_int_equal(ours[i], (uint8_t)(i * 7 + 1));
	assert_int_equal(vfio_user_client_unmap(client, 0, sizeof ours), 0);
	command(SAMPLE_ASK_FETCH, 0, 8);
	assert_int_equal(read32(0, SAMPLE_RESULT), EFAULT);
}

static void test_vectors_signal(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t n = 0;

	(void)state;
	master();
	assert_int_equal(vfio_user_client_signal(client, 2, fd), 0);
	assert_int_equal(vfio_user_client_act(client, 2, VFIO_USER_SET_MASK), 0);
	write32(0, SAMPLE_VECTOR, 2);
	assert_int_equal(read(fd, &n, sizeof n), -1);
	assert_int_equal(vfio_user_client_act(client, 2, VFIO_USER_SET_UNMASK), 0);
	assert_int_equal(read(fd, &n, sizeof n), sizeof n);
	assert_int_equal(n, 1);
	assert_int_equal(vfio_user_client_act(client, 2, VFIO_USER_SET_TRIGGER), 0);
	assert_int_equal(read(fd, &n, sizeof n), sizeof n);
	assert_int_equal(vfio_user_client_signal(client, 2, -1), 0);
	close(fd);
}

static void test_a_state_is_saved_and_loaded(void **state)
{
	uint8_t *saved;
	size_t size;

	(void)state;
	write32(0, SAMPLE_SCRATCH, 321);
	assert_int_equal(vfio_user_client_save(client, &saved, &size), 0);
	assert_true(size > 4096);
	assert_int_equal(vfio_user_client_run(client), 0);
	assert_int_equal(vfio_user_client_reset(client), 0);
	assert_int_equal(read32(0, SAMPLE_SCRATCH), 0);
	assert_int_equal(vfio_user_client_load(client, saved, size), 0);
	assert_int_equal(read32(0, SAMPLE_SCRATCH), 321);
	assert_int_equal(vfio_user_client_load(client, saved, size - 1), -EINVAL);
	free(saved);
}

static void test_a_restarted_server_is_told_everything_again(void **state)
{
	struct vfio_user_client_window file = { .address = IOVA, .size = MEMORY, .flags = 3, .fd = memory_fd };
	int fd = eventfd(0, EFD_NONBLOCK);
	struct refusal why = { 0 };
	uint8_t *saved, bytes[4];
	uint64_t n;
	size_t size;

	(void)state;
	master();
	write32(CONFIG, SPEC_PCI_BAR0, 0xfe000000);
	assert_int_equal(vfio_user_client_map(client, &file), 0);
	assert_int_equal(vfio_user_client_signal(client, 6, fd), 0);
	write32(0, SAMPLE_SCRATCH, 55);
	assert_int_equal(vfio_user_client_save(client, &saved, &size), 0);
	stop_server();
	assert_int_equal(vfio_user_client_read(client, 0, 0, 4, bytes), -ECONNRESET);
	assert_true(vfio_user_client_resume(client, &why) < 0);
	assert_non_null(strstr(why.text, path));
	start_server();
	assert_int_equal(vfio_user_client_resume(client, &why), 0);
	assert_int_equal(read32(CONFIG, SPEC_PCI_BAR0) & ~0xfu, 0xfe000000);
	memory[0] = 3;
	command(SAMPLE_FETCH, IOVA, PAGE); /* a bus master again, with its window */
	assert_int_equal(read32(0, SAMPLE_SUM), 3);
	write32(0, SAMPLE_VECTOR, 6);
	assert_int_equal(read(fd, &n, sizeof n), sizeof n);
	assert_int_equal(vfio_user_client_load(client, saved, size), 0);
	assert_int_equal(read32(0, SAMPLE_SCRATCH), 55);
	assert_non_null(vfio_user_client_region(client, 0)->mapped);
	close(fd);
	free(saved);
}

static void test_a_written_trigger_is_not_pulled_again_by_a_resume(void **state)
{
	unsigned at = pcie_kind_at(&side.sample.kind, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL);
	uint8_t bytes[2];

	(void)state;
	put_le16(bytes, SPEC_EXPRESS_INITIATE_FLR);
	assert_int_equal(vfio_user_client_write(client, CONFIG, at, 2, bytes), 0);
	assert_int_equal(side.sample.resets, 1);
	stop_server();
	start_server();
	assert_int_equal(vfio_user_client_resume(client, NULL), 0);
	assert_int_equal(side.sample.resets, 0);
}

static void test_nobody_there_is_said_with_the_path(void **state)
{
	struct vfio_user_client *other;
	struct refusal why = { 0 };

	(void)state;
	assert_int_equal(vfio_user_client_open(&other, "/tmp/nobody-is-here.sock", &why), -ENOENT);
	assert_non_null(strstr(why.text, "/tmp/nobody-is-here.sock"));
}

/* A server that says anything: each reply's bytes are random but for id, command and, mostly, size. */
static int foreign;

static void *babble(void *arg)
{
	uint64_t seed = *(uint64_t *)arg;
	static uint8_t bytes[8192];

	for (;;) {
		struct vfio_user_header header;
		uint8_t head[VFIO_USER_HEADER_SIZE];
		int fd = memory_fd;
		uint32_t size;
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(int))];
		} control = { .align = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS } };
		struct iovec piece = { bytes, 0 };
		struct msghdr out = { .msg_iov = &piece, .msg_iovlen = 1 };

		if (recv(foreign, head, sizeof head, MSG_WAITALL) != sizeof head)
			return NULL;
		(void)vfio_user_header_read(&header, head, NULL);
		if (header.payload && recv(foreign, bytes, header.payload, MSG_WAITALL) <= 0)
			return NULL;
		size = (uint32_t)rand_u64(&seed) % 200;
		for (uint32_t i = 0; i < size; i++)
			bytes[VFIO_USER_HEADER_SIZE + i] = rand_u64(&seed) % 3 ? (uint8_t)(rand_u64(&seed) % 80)
									       : 0;
		if (header.command == VFIO_USER_VERSION && rand_u64(&seed) % 4) {
			size = 4;
			memcpy(bytes + VFIO_USER_HEADER_SIZE, "\0\0\1\0", 4);
		}
		header.flags = rand_u64(&seed) % 20 ? VFIO_USER_TYPE_REPLY : (uint32_t)rand_u64(&seed);
		header.payload = size;
		vfio_user_header_write(&header, bytes);
		if (rand_u64(&seed) % 50 == 0)
			put_le32(bytes + 4, (uint32_t)rand_u64(&seed));
		piece.iov_len = VFIO_USER_HEADER_SIZE + size;
		memcpy(CMSG_DATA(&control.align), &fd, sizeof fd);
		if (rand_u64(&seed) % 2) {
			out.msg_control = &control;
			out.msg_controllen = sizeof control;
		}
		if (sendmsg(foreign, &out, MSG_NOSIGNAL) < 0)
			return NULL;
		if (rand_u64(&seed) % 40 == 0)
			shutdown(foreign, SHUT_RDWR);
	}
}

static int listener;

static void *accept_and_babble(void *seed)
{
	foreign = accept(listener, NULL, NULL);
	babble(seed);
	close(foreign);
	return NULL;
}

static void test_a_server_that_babbles_is_survived(void **state)
{
	uint64_t seed = check_seed();
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	unsigned opened = 0;

	(void)state;
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(where.sun_path, sizeof where.sun_path, "%s.babble", path);
	assert_int_equal(bind(listener, (struct sockaddr *)&where, sizeof where), 0);
	assert_int_equal(listen(listener, 4), 0);
	for (unsigned i = 0; i < 300; i++) {
		struct vfio_user_client *c = NULL;
		uint64_t its = rand_u64(&seed);
		uint8_t bytes[64];
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, accept_and_babble, &its), 0);
		if (vfio_user_client_open(&c, where.sun_path, NULL) == 0) {
			opened++;
			(void)vfio_user_client_read(c, 0, 0, sizeof bytes, bytes);
			(void)vfio_user_client_signal(c, 0, -1);
		}
		vfio_user_client_close(c);
		pthread_join(thread, NULL);
	}
	close(listener);
	unlink(where.sun_path);
	assert_true(opened > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fresh, finish)
		T(test_it_finds_regions_interrupts_and_what_can_be_mapped),
		T(test_refusals_are_errnos_and_do_not_end_the_connection),
		T(test_memory_is_lent_by_descriptor_and_by_messages),
		T(test_vectors_signal),
		T(test_a_state_is_saved_and_loaded),
		T(test_a_restarted_server_is_told_everything_again),
		T(test_a_written_trigger_is_not_pulled_again_by_a_resume),
		T(test_nobody_there_is_said_with_the_path),
		T(test_a_server_that_babbles_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
