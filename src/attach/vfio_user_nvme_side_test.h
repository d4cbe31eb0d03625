/* attach/vfio_user_nvme_side_test.h -- what tests share that drive an NVMe function over vfio-user: a thread that
 * serves one at 'path', on a simulated disk that ends requests in any order. */
#ifndef ATTACH_VFIO_USER_NVME_SIDE_TEST_H
#define ATTACH_VFIO_USER_NVME_SIDE_TEST_H

#include "attach/vfio_user.h"
#include "base/bytes.h"
#include "dev/nvme_function.h"
#include "sim/fake_disk.h"
#include "tests/check.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DISK_SIZE = 8 << 20 };

static char path[64];

/* The side that serves, all on its thread. */
static struct {
	pthread_t thread;
	uv_loop_t loop;
	uv_idle_t turn;
	uv_async_t end;
	struct vfio_user *server;
	struct nvme_function function;
	struct nvme_subsystem *subsystem;
	struct pcie_kinds_nvme kinds;
	struct dma dma;
	struct fake_disk disk;
	uint8_t *bytes, *page;
	int fd;
	uint64_t now_ns;
	unsigned hand_every, turns, hands; /* its client is handed over, to the same server, every so many turns */
	bool handing;
} s;

/* What one process gives another takes; here they are one, and its function is reset in between. */
static void hand_over(void)
{
	struct parcel parcel = { .bytes = NULL };
	struct refusal why = { .path = "" };

	if (!vfio_user_has_client(s.server) || !vfio_user_hold_still(s.server))
		return;
	assert_int_equal(vfio_user_give(s.server, &parcel, &why), 0);
	assert_false(vfio_user_has_client(s.server));
	if (vfio_user_take(s.server, &parcel, &why))
		fail_msg("%s", why.text);
	parcel_drop(&parcel);
	vfio_user_go_on(s.server);
	s.handing = false;
	s.hands++;
}

static void on_turn(uv_idle_t *idle)
{
	struct block_front *front = nvme_front(s.function.nvme);
	struct worker *worker = (struct worker *)(void *)1;

	(void)idle;
	front->ops->poll(worker, front, s.now_ns += 1000);
	fake_disk_run(worker, &s.disk, 8);
	front->ops->flush(worker, front);
	if (s.hand_every && ++s.turns % s.hand_every == 0)
		s.handing = true;
	if (s.handing)
		hand_over();
	sched_yield();
}

static void on_close_handle(uv_handle_t *handle, void *none)
{
	(void)none;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void on_stop(uv_async_t *async)
{
	(void)async;
	vfio_user_destroy(s.server);
	s.server = NULL;
	uv_close((uv_handle_t *)&s.turn, NULL);
	uv_close((uv_handle_t *)&s.end, NULL);
}

static void *zeroed(size_t size)
{
	void *at = aligned_alloc(4096, (size + 4095) / 4096 * 4096);

	assert_non_null(at);
	memset(at, 0, size);
	return at;
}

static void *serve(void *none)
{
	uv_run(&s.loop, UV_RUN_DEFAULT);
	uv_walk(&s.loop, on_close_handle, NULL);
	uv_run(&s.loop, UV_RUN_DEFAULT);
	return none;
}

static void start(void)
{
	const struct nvme_subsystem_conf names = { .serial = "VFU1", .model = "disk", .firmware = "1",
						   .nqn = "nqn.test" };
	struct nvme_function_conf conf = { .kind = &s.kinds.lent, .queues = 8, .dma = &s.dma };
	struct vfio_user_conf serving = { .path = path, .function = &s.function.function,
					  .loop = &s.loop };
	struct block_front *front;

	memset(&s, 0, sizeof s);
	pcie_kinds_nvme_build(&s.kinds);
	assert_int_equal(vfio_user_pages(PCIE_NVME_REGISTERS_SIZE, &s.fd, &s.page), 0);
	conf.doorbells = s.page + PCIE_NVME_DOORBELLS_AT;
	conf.memory = zeroed(nvme_size());
	conf.subsystem = s.subsystem = zeroed(nvme_subsystem_size());
	nvme_subsystem_init(conf.subsystem, &names);
	conf.host = vfio_user_function_host(&s.server);
	front = nvme_front(conf.memory);
	dma_init(&s.dma, NULL, &front->dma_blocked);
	assert_int_equal(nvme_function_init(&s.function, &conf), 0);
	s.bytes = zeroed(DISK_SIZE);
	fake_disk_init(&s.disk, s.bytes, DISK_SIZE, 512);
	s.disk.in_order = false;
	front->namespaces[0] = &s.disk.back;
	front->ops->namespaces_changed(NULL, front);
	assert_int_equal(uv_loop_init(&s.loop), 0);
	for (unsigned i = 0; i < PCI_REGION_ROM; i++)
		serving.pages[i].fd = i == 0 ? s.fd : -1;
	assert_int_equal(vfio_user_create(&s.server, &serving, NULL), 0);
	uv_idle_init(&s.loop, &s.turn);
	uv_idle_start(&s.turn, on_turn);
	uv_async_init(&s.loop, &s.end, on_stop);
	assert_int_equal(pthread_create(&s.thread, NULL, serve, NULL), 0);
}

static void stop(void)
{
	struct nvme *nvme = s.function.nvme;

	uv_async_send(&s.end);
	pthread_join(s.thread, NULL);
	assert_int_equal(uv_loop_close(&s.loop), 0);
	nvme_function_fini(&s.function);
	free(nvme);
	free(s.subsystem);
	free(s.bytes);
	munmap(s.page, PCIE_NVME_REGISTERS_SIZE);
	close(s.fd);
}

#endif
