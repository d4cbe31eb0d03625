/* attach/vfio_user_external_side_test.h -- what tests of imported functions have: a function in one thread, as in a
 * process of its own; its import and attachment in another, as in the daemon; and a client, as a VMM. */
#ifndef ATTACH_VFIO_USER_EXTERNAL_SIDE_TEST_H
#define ATTACH_VFIO_USER_EXTERNAL_SIDE_TEST_H

#include "attach/vfio_user_client.h"
#include "attach/vfio_user_import_internal.h"

#include "attach/host_test.h"
#include "attach/vfio_user_msg.h"
#include "base/bytes.h"
#include "spec/pcie.h"
#include "tests/check.h"
#include "tests/vfio_sample/vfio_sample.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Patience, of the daemon and of the tests, is for what never comes; it is less where the daemon's is tested. */
enum { PAGE = 4096, CONFIG = 7, MEMORY = 8 * PAGE, PATIENCE_MS = 60000, IMPATIENCE_MS = 300 };

#define IOVA (UINT64_C(1) << 45)

static char device_path[64], path[64];
static struct vfio_user_client *client;
static int memory_fd;
static uint8_t *memory;

/* The function. */

static struct {
	pthread_t thread;
	uv_loop_t loop;
	uv_async_t stop;
	struct sample sample;
	struct vfio_user *server;
} device;

static void on_device_stop(uv_async_t *async)
{
	uv_close((uv_handle_t *)async, NULL);
	vfio_user_destroy(device.server);
}

static void *serve_device(void *arg)
{
	(void)arg;
	uv_run(&device.loop, UV_RUN_DEFAULT);
	return NULL;
}

enum pages { PAGES, NO_PAGES };
static enum vfio_user_reach reach; /* of functions that are started */

static void start_device(enum pages pages)
{
	struct vfio_user_conf conf;

	assert_int_equal(uv_loop_init(&device.loop), 0);
	assert_int_equal(uv_async_init(&device.loop, &device.stop, on_device_stop), 0);
	assert_int_equal(sample_init(&device.sample), 0);
	conf = sample_conf(&device.sample);
	conf.path = device_path;
	conf.loop = &device.loop;
	conf.reach = reach;
	if (pages == NO_PAGES)
		conf.pages[0].fd = -1;
	assert_int_equal(vfio_user_create(&device.server, &conf, NULL), 0);
	assert_int_equal(pthread_create(&device.thread, NULL, serve_device, NULL), 0);
}

static void stop_device(void)
{
	uv_async_send(&device.stop);
	pthread_join(device.thread, NULL);
	assert_int_equal(uv_loop_close(&device.loop), 0);
	sample_fini(&device.sample);
}

/* The daemon: what is done in its thread is handed to it, and waited for. */

static struct {
	pthread_t thread;
	struct test_host host;
	struct vfio_user_import *import;
	struct attachment *attachment;
	uv_async_t call;
	void (*what)(void);
	pthread_mutex_t lock;
	pthread_cond_t done;
	_Atomic unsigned state, changes;
	char text[512]; /* said with the last state */
	bool ends;
} side = { .lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER };

static void on_changed(void *owner, struct vfio_user_import *import, const char *text)
{
	(void)owner;
	snprintf(side.text, sizeof side.text, "%s", text);
	side.state = vfio_user_import_state(import);
	side.changes++;
}

static void on_call(uv_async_t *async)
{
	pthread_mutex_lock(&side.lock);
	if (side.what)
		side.what();
	side.what = NULL;
	if (side.ends)
		uv_close((uv_handle_t *)async, NULL);
	pthread_cond_signal(&side.done);
	pthread_mutex_unlock(&side.lock);
}

static void call(void (*what)(void))
{
	pthread_mutex_lock(&side.lock);
	side.what = what;
	uv_async_send(&side.call);
	while (side.what)
		pthread_cond_wait(&side.done, &side.lock);
	pthread_mutex_unlock(&side.lock);
}

static void *serve_side(void *arg)
{
	(void)arg;
	uv_run(&side.host.loop, UV_RUN_DEFAULT);
	return NULL;
}

static void start_side(enum vfio_user_import_trust trust)
{
	static struct site_io io;
	const struct vfio_user_import_conf import = {
		.path = device_path, .patience_ms = 10 * PATIENCE_MS, .trust = trust, .loop = &side.host.loop,
		.changed = on_changed,
	};
	struct attach_conf conf = { .io = &io, .system = "test" };
	struct refusal why = { 0 };

	test_host_init(&side.host);
	side.state = VFIO_USER_IMPORT_STATE_COUNT;
	side.changes = 0;
	side.ends = false;
	io = (struct site_io){ .name = "net0", .socket = path };
	conf.domain = test_host_domain(&side.host, 0);
	assert_int_equal(uv_async_init(&side.host.loop, &side.call, on_call), 0);
	assert_int_equal(vfio_user_import_create(&side.import, &import, &why), 0);
	conf.import = side.import;
	assert_int_equal(attach_external.create(&side.attachment, &side.host.host, &conf, &why), 0);
	assert_int_equal(pthread_create(&side.thread, NULL, serve_side, NULL), 0);
}

static void end_side(void)
{
	attach_external.destroy(side.attachment);
	vfio_user_import_destroy(side.import);
	side.ends = true;
}

static void stop_side(void)
{
	call(end_side);
	pthread_join(side.thread, NULL);
	test_host_fini(&side.host);
}

static void nap(void)
{
	static const struct timespec moment = { .tv_nsec = 1000000 };

	nanosleep(&moment, NULL);
}

static void wait_for(enum vfio_user_import_state state)
{
	for (unsigned i = 0; side.state != state && i < PATIENCE_MS; i++)
		nap();
	assert_int_equal(side.state, state);
}

/* The function ends and is away, or begins and is there. */
static void goes(void)
{
	stop_device();
	wait_for(VFIO_USER_IMPORT_ABSENT);
}

static void comes(enum pages pages)
{
	start_device(pages);
	wait_for(VFIO_USER_IMPORT_PRESENT);
}

static void drain_guard(void)
{
	guard_poll(side.host.guard.guard, 0);
}

/* Faults that the unit reported so far. */
static unsigned faults(void)
{
	call(drain_guard);
	return side.host.guard.fault_count;
}

static void open_client(void)
{
	struct refusal why = { 0 };

	assert_int_equal(vfio_user_client_open(&client, path, &why), 0);
	vfio_user_client_set_patience(client, PATIENCE_MS);
}

static int begin(enum vfio_user_import_trust trust, enum pages pages)
{
	snprintf(path, sizeof path, "/tmp/mp-vfext-%d.sock", (int)getpid());
	snprintf(device_path, sizeof device_path, "/tmp/mp-vfextdev-%d.sock", (int)getpid());
	start_device(pages);
	start_side(trust);
	memory_fd = memfd_create("test", MFD_CLOEXEC);
	assert_int_equal(ftruncate(memory_fd, MEMORY), 0);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	wait_for(VFIO_USER_IMPORT_PRESENT);
	open_client();
	return 0;
}

static int guarded(void **state)
{
	(void)state;
	return begin(VFIO_USER_IMPORT_GUARDED, NO_PAGES);
}

static int guarded_with_pages(void **state)
{
	(void)state;
	return begin(VFIO_USER_IMPORT_GUARDED, PAGES);
}

static int trusted(void **state)
{
	(void)state;
	return begin(VFIO_USER_IMPORT_TRUSTED, NO_PAGES);
}

static int finish(void **state)
{
	(void)state;
	vfio_user_client_close(client);
	client = NULL;
	stop_side();
	stop_device();
	munmap(memory, MEMORY);
	close(memory_fd);
	return 0;
}

/* The client. */

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

/* What came of it: an errno. */
static uint32_t command(enum sample_command what, uint64_t address, uint32_t size)
{
	uint32_t result;

	write32(0, SAMPLE_ADDRESS, (uint32_t)address);
	write32(0, SAMPLE_ADDRESS + 4, (uint32_t)(address >> 32));
	write32(0, SAMPLE_SIZE, size);
	write32(0, SAMPLE_COMMAND, what);
	while ((result = read32(0, SAMPLE_RESULT)) == SAMPLE_UNDER_WAY)
		;
	return result;
}

static const struct vfio_user_client_window *window(uint32_t flags)
{
	static struct vfio_user_client_window w;

	w = (struct vfio_user_client_window){ .address = IOVA, .size = MEMORY, .flags = flags, .fd = memory_fd };
	return &w;
}

#endif
