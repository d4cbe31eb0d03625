/* A client stops a disk's function while its requests are under way, in each way that there is: what the write
 * was answered with is true of memory and interrupts from then on, and no request is lost or done twice. */
#include "attach/vfio_user_side_test.h"
#include "dev/nvme_driver.h"
#include "dev/nvme_function.h"
#include "dev/virtio_blk.h"
#include "dev/virtio_pci.h"
#include "pcie/kinds.h"
#include "pcie/kinds_nvme.h"
#include "sim/fake_disk.h"
#include "sim/guest_ring.h"
#include "spec/pcie_virtio.h"
#include "spec/virtio.h"
#include "spec/virtio_blk.h"

enum {
	GUEST = 4 << 20,      /* bytes of the client's memory */
	GUEST_AT = 0x40000000,
	RING_AT = 3 << 20,
	DATA_AT = 1 << 20,
	BLOCK = 4096,         /* bytes of a request */
	REQUESTS = 128,
	ROOM = 48,            /* of those, what the virtio function's disk takes at once */
	DISK = REQUESTS * BLOCK,
	BAR = PCIE_KINDS_VIRTIO_BAR,
};

static struct pcie_kinds kinds;
static struct pcie_kinds_nvme nvme_kinds;

static struct {
	struct pci_function *function;
	struct block_front *front;
	struct fake_disk disk;
	struct virtio_pci virtio;
	struct virtio_blk *blk;
	struct nvme_function nvme;
	struct nvme *controller;
	struct nvme_subsystem *subsystem;
	struct nvme_driver driver;
	struct dma dma;
	struct vfio_user_pages pages;
	uint8_t *page;
	uint8_t *bytes, *guest, *before;
	int guest_fd, event_fd;
	uint64_t now_ns;
	struct guest_ring ring;
	unsigned posted;
	unsigned used[REQUESTS]; /* how often each has been given back */
} w;

enum stop { MASTER_OFF, SLEEP, FLR, RESET, STOPS };

static void *zeroed(size_t size)
{
	void *at = aligned_alloc(4096, (size + 4095) / 4096 * 4096);

	assert_non_null(at);
	memset(at, 0, size);
	return at;
}

/* What a card's worker does in a round: the disk ends up to 'most'. */
static void work(unsigned most)
{
	struct worker *worker = (struct worker *)(void *)1;

	(void)w.front->ops->poll(worker, w.front, w.now_ns += 1000);
	(void)fake_disk_run(worker, &w.disk, most);
	w.front->ops->flush(worker, w.front);
}

static unsigned cap_at(enum pcie_cap cap, unsigned offset)
{
	return pcie_kind_at(w.function->device.kind, cap, offset);
}

static void say_write(unsigned region, uint64_t offset, uint32_t size, uint64_t value)
{
	uint8_t payload[VFIO_USER_ACCESS_SIZE + 8];

	put_le64(payload, offset);
	put_le32(payload + 8, region);
	put_le32(payload + 12, size);
	put_le64(payload + VFIO_USER_ACCESS_SIZE, value);
	say(VFIO_USER_REGION_WRITE, payload, VFIO_USER_ACCESS_SIZE + size, NULL, 0);
}

static void set(unsigned region, uint64_t offset, uint32_t size, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	assert_int_equal(region_write(region, offset, size, bytes), 0);
}

static uint64_t value_at(unsigned region, uint64_t offset, uint32_t size)
{
	uint8_t bytes[8] = { 0 };

	assert_int_equal(region_read(region, offset, size), 0);
	memcpy(bytes, got_bytes + VFIO_USER_ACCESS_SIZE, size);
	return get_le64(bytes);
}

static bool answered(void)
{
	struct pollfd poll_fd = { .fd = client, .events = POLLIN };

	turn(8);
	return poll(&poll_fd, 1, 0) > 0;
}

static bool interrupted(void)
{
	uint64_t count;

	return read(w.event_fd, &count, sizeof count) == sizeof count;
}

static void connect_client(void)
{
	uint8_t payload[VFIO_USER_SET_SIZE] = { 0 };

	next_id = 0;
	client = dial();
	negotiate();
	w.guest_fd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(w.guest_fd, GUEST), 0);
	w.guest = mmap(NULL, GUEST, PROT_READ | PROT_WRITE, MAP_SHARED, w.guest_fd, 0);
	assert_true(w.guest != MAP_FAILED);
	assert_int_equal(dma_map(GUEST_AT, GUEST, 0, VFIO_USER_MAP_READ | VFIO_USER_MAP_WRITE, w.guest_fd),
			 0);
	w.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	put_le32(payload, sizeof payload);
	put_le32(payload + 4, 4 | 32); /* eventfd, trigger */
	put_le32(payload + 8, 2);      /* MSI-X */
	put_le32(payload + 12, 1);     /* vector 1: the first queue's */
	put_le32(payload + 16, 1);
	assert_int_equal(ask_with(VFIO_USER_DEVICE_SET_IRQS, payload, sizeof payload, &w.event_fd, 1), 0);
	master();
}

static void open_world(void)
{
	uint64_t seed = check_seed();

	memset(&w, 0, sizeof w);
	pcie_kinds_build(&kinds);
	pcie_kinds_nvme_build(&nvme_kinds);
	snprintf(path, sizeof path, "/tmp/mp-vfstop-%d.sock", (int)getpid());
	assert_int_equal(uv_loop_init(&loop), 0);
	w.pages.fd = -1;
	w.bytes = zeroed(DISK);
	w.before = zeroed(GUEST);
	for (unsigned i = 0; i < DISK; i += 8)
		put_le64(w.bytes + i, rand_u64(&seed));
	fake_disk_init(&w.disk, w.bytes, DISK, 512);
	w.disk.in_order = false;
	server = NULL;
}

static void serve(void)
{
	struct vfio_user_conf conf = { .path = path, .function = w.function, .loop = &loop };
	struct refusal why = { 0 };

	for (unsigned i = 0; i < PCI_REGION_ROM; i++)
		conf.pages[i].fd = -1;
	conf.pages[0] = w.pages;
	assert_int_equal(vfio_user_create(&server, &conf, &why), 0);
	connect_client();
}

static void open_virtio(void)
{
	struct virtio_blk_conf blk = { .queues = 1, .host = virtio_pci_host(&w.virtio) };
	struct virtio_pci_conf conf = { .kind = &kinds.disk_lent, .vectors = PCIE_KINDS_DISK_VECTORS,
					.host = vfio_user_function_host(&server) };

	open_world();
	w.disk.room = ROOM;
	w.blk = zeroed(virtio_blk_size());
	assert_int_equal(virtio_blk_init(w.blk, &blk), 0);
	w.front = virtio_blk_front(w.blk);
	w.front->namespaces[0] = &w.disk.back;
	conf.device = virtio_blk_device(w.blk);
	conf.dma = virtio_blk_dma(w.blk);
	assert_int_equal(virtio_pci_init(&w.virtio, &conf), 0);
	w.function = &w.virtio.function;
	serve();
}

static void open_nvme(void)
{
	const struct nvme_subsystem_conf names = { .serial = "S", .model = "M", .firmware = "1",
						   .nqn = "nqn.test" };
	struct nvme_function_conf conf = { .kind = &nvme_kinds.lent, .queues = 8, .dma = &w.dma };

	open_world();
	assert_int_equal(vfio_user_pages(PCIE_NVME_REGISTERS_SIZE, &w.pages.fd, &w.page), 0);
	conf.doorbells = w.page + PCIE_NVME_DOORBELLS_AT;
	conf.memory = w.controller = zeroed(nvme_size());
	conf.subsystem = w.subsystem = zeroed(nvme_subsystem_size());
	nvme_subsystem_init(conf.subsystem, &names);
	conf.host = vfio_user_function_host(&server);
	w.front = nvme_front(conf.memory);
	dma_init(&w.dma, NULL, &w.front->dma_blocked);
	assert_int_equal(nvme_function_init(&w.nvme, &conf), 0);
	w.front->namespaces[0] = &w.disk.back;
	w.front->ops->namespaces_changed(NULL, w.front);
	w.function = &w.nvme.function;
	serve();
}

static void close_world(void)
{
	close(client);
	client = -1;
	while (w.disk.count)
		work(16);
	turn(20);
	vfio_user_destroy(server);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	if (w.controller) {
		nvme_function_fini(&w.nvme);
		munmap(w.page, PCIE_NVME_REGISTERS_SIZE);
		close(w.pages.fd);
	}
	munmap(w.guest, GUEST);
	close(w.guest_fd);
	close(w.event_fd);
	free(w.controller);
	free(w.subsystem);
	free(w.blk);
	free(w.bytes);
	free(w.before);
}

/* What each kind of stop writes, and for RESET the kind of function. */
static void say_stop(enum stop stop)
{
	unsigned express, pm;

	switch (stop) {
	case MASTER_OFF:
		say_write(PCI_REGION_CONFIG, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MEMORY);
		break;
	case SLEEP:
		pm = cap_at(PCIE_CAP_PM, SPEC_PM_CONTROL);
		say_write(PCI_REGION_CONFIG, pm, 2, SPEC_PM_D3HOT);
		break;
	case FLR:
		express = cap_at(PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL);
		say_write(PCI_REGION_CONFIG, express, 2, SPEC_EXPRESS_INITIATE_FLR);
		break;
	default:
		say_write(BAR, SPEC_VIRTIO_COMMON_STATUS, 1, 0);
		break;
	}
}

static void start_again(enum stop stop)
{
	if (stop == MASTER_OFF)
		master();
	else
		set(PCI_REGION_CONFIG, cap_at(PCIE_CAP_PM, SPEC_PM_CONTROL), 2, SPEC_PM_D0);
}

/* The answer comes when the disk has ended all that it was given, and not before. */
static void check_that_it_waits(enum stop stop)
{
	assert_true(w.disk.count > 1);
	say_stop(stop);
	assert_false(answered());
	work(1);
	assert_false(answered());
	while (w.disk.count) {
		assert_false(answered());
		work(5);
	}
	assert_true(hear_message());
	assert_int_equal(got.error, 0);
	assert_int_equal(got.flags & VFIO_USER_FLAG_ERROR, 0);
	(void)interrupted();
}

/* From the answer on: whatever the worker does. */
static void check_that_nothing_moves(void)
{
	memcpy(w.before, w.guest, GUEST);
	for (unsigned i = 0; i < 20; i++)
		work(16);
	turn(4);
	assert_memory_equal(w.before, w.guest, GUEST);
	assert_false(interrupted());
}

/* virtio-blk. */

static uint64_t data_of(unsigned n) { return GUEST_AT + DATA_AT + n * (uint64_t)BLOCK; }
static uint64_t header_of(unsigned n) { return GUEST_AT + n * UINT64_C(64); }

static void start_rings(uint64_t features)
{
	struct virtio_ring_conf conf;
	unsigned status = SPEC_VIRTIO_STATUS_ACKNOWLEDGE | SPEC_VIRTIO_STATUS_DRIVER;

	memset(w.guest, 0, GUEST);
	memset(w.used, 0, sizeof w.used);
	w.posted = 0;
	guest_ring_init(&w.ring, w.guest, GUEST_AT, GUEST_AT + RING_AT, 256, features);
	guest_ring_wish(&w.ring, GUEST_INTERRUPT, 0);
	conf = guest_ring_conf(&w.ring);
	set(BAR, SPEC_VIRTIO_COMMON_STATUS, 1, status);
	for (unsigned i = 0; i < 2; i++) {
		set(BAR, SPEC_VIRTIO_COMMON_DRIVER_SELECT, 4, i);
		set(BAR, SPEC_VIRTIO_COMMON_DRIVER_FEATURE, 4, features >> i * 32 & UINT32_MAX);
	}
	set(BAR, SPEC_VIRTIO_COMMON_STATUS, 1, status |= SPEC_VIRTIO_STATUS_FEATURES_OK);
	set(BAR, SPEC_VIRTIO_COMMON_QUEUE_SELECT, 2, 0);
	set(BAR, SPEC_VIRTIO_COMMON_QUEUE_VECTOR, 2, 1);
	set(BAR, SPEC_VIRTIO_COMMON_QUEUE_DESC, 8, conf.desc);
	set(BAR, SPEC_VIRTIO_COMMON_QUEUE_DRIVER, 8, conf.driver);
	set(BAR, SPEC_VIRTIO_COMMON_QUEUE_DEVICE, 8, conf.device);
	set(BAR, SPEC_VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
	set(BAR, SPEC_VIRTIO_COMMON_STATUS, 1, status | SPEC_VIRTIO_STATUS_DRIVER_OK);
}

/* Reads of all blocks, and half of them behind a first word of the disk that shows who was read twice. */
static void post_reads(unsigned count)
{
	for (unsigned n = w.posted, end = w.posted + count; n < end; n++) {
		const struct guest_buf bufs[] = { { header_of(n), VIRTIO_BLK_REQ_SIZE, false },
						  { data_of(n), BLOCK, true },
						  { header_of(n) + 32, 1, true } };

		put_le32(guest_at(&w.ring, header_of(n)), VIRTIO_BLK_T_IN);
		put_le64(guest_at(&w.ring, header_of(n)) + VIRTIO_BLK_REQ_SECTOR, n * (BLOCK / 512));
		*guest_at(&w.ring, header_of(n) + 32) = 0xff;
		assert_true(guest_ring_add(&w.ring, bufs, 3, GUEST_DIRECT, n));
		w.posted++;
	}
	(void)guest_ring_publish(&w.ring);
}

/* Takes what was given back: each with its data, once. */
static unsigned take_back(void)
{
	uint64_t n;
	uint32_t written;
	unsigned count = 0;

	for (; guest_ring_take(&w.ring, &n, &written); count++) {
		assert_in_range(n, 0, REQUESTS - 1);
		assert_int_equal(w.used[n]++, 0);
		assert_int_equal(written, BLOCK + 1);
		assert_int_equal(*guest_at(&w.ring, header_of((unsigned)n) + 32), VIRTIO_BLK_S_OK);
		assert_memory_equal(guest_at(&w.ring, data_of((unsigned)n)), w.bytes + n * BLOCK, BLOCK);
	}
	return count;
}

static void stop_and_go_on(enum stop stop)
{
	unsigned back;

	post_reads(REQUESTS / 2);
	work(3);
	back = take_back();
	assert_true(back < ROOM);
	check_that_it_waits(stop);
	/* what was begun has been given back, what was not is the driver's still */
	back += take_back();
	assert_in_range(back, ROOM, REQUESTS / 2 - 1);
	if (stop < FLR)
		post_reads(REQUESTS / 2);
	check_that_nothing_moves();
	assert_int_equal(take_back(), 0);
	if (stop >= FLR) {
		assert_int_equal(value_at(BAR, SPEC_VIRTIO_COMMON_STATUS, 1), 0);
		return;
	}
	start_again(stop);
	assert_true(interrupted()); /* it may have been owed one */
	for (unsigned i = 0; i < 200 && back < REQUESTS; i++) {
		work(7);
		back += take_back();
	}
	assert_int_equal(back, REQUESTS);
	assert_true(interrupted());
}

static void virtio_requests_end_before_each_kind_of_stop_and_none_is_lost_or_done_twice(void **state)
{
	static const uint64_t features[] = {
		UINT64_C(1) << VIRTIO_F_VERSION_1,
		UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_F_RING_PACKED,
	};

	(void)state;
	for (unsigned i = 0; i < 2 * STOPS; i++) {
		open_virtio();
		start_rings(features[i % 2]);
		stop_and_go_on((enum stop)(i / 2));
		close_world();
	}
}

/* NVMe. */

static int driver_read(void *owner, uint32_t offset, unsigned size, uint64_t *value)
{
	(void)owner;
	*value = value_at(0, offset, size);
	return 0;
}

static int driver_write(void *owner, uint32_t offset, unsigned size, uint64_t value)
{
	(void)owner;
	set(0, offset, size, value);
	return 0;
}

static bool driver_wait(void *owner)
{
	(void)owner;
	work(16);
	return true;
}

static void on_end(void *owner, uint32_t tag, uint16_t status, uint32_t dw0)
{
	(void)owner, (void)dw0;
	assert_int_equal(status, 0);
	assert_int_equal(w.used[tag]++, 0);
	assert_memory_equal(w.guest + DATA_AT + tag * BLOCK, w.bytes + tag * BLOCK, BLOCK);
}

static void post_commands(unsigned first, unsigned count)
{
	for (unsigned n = first; n < first + count; n++) {
		const struct nvme_driver_io io = { .opcode = NVME_IO_READ, .lba = n * (BLOCK / 512),
						   .count = BLOCK / 512, .iova = data_of(n) };

		assert_int_equal(nvme_driver_io(&w.driver, 0, &io, n), 0);
	}
	assert_int_equal(nvme_driver_ring(&w.driver, 0), 0);
}

static void drive(void)
{
	const struct nvme_driver_conf conf = {
		.device = { driver_read, driver_write, w.page + PCIE_NVME_DOORBELLS_AT, driver_wait, NULL },
		.memory = { w.guest, GUEST_AT, DATA_AT }, .queues = 1, .depth = REQUESTS,
	};

	assert_int_equal(nvme_driver_open(&w.driver, &conf), 0);
	memset(w.used, 0, sizeof w.used);
	(void)interrupted();
	post_commands(0, REQUESTS);
	for (unsigned i = 0; i < 20; i++)
		work(0);
	assert_int_equal(w.disk.count, REQUESTS);
}

static void commands_end_before_an_nvme_function_stops(void **state)
{
	(void)state;
	for (enum stop stop = MASTER_OFF; stop <= FLR; stop++) {
		open_nvme();
		drive();
		check_that_it_waits(stop);
		check_that_nothing_moves();
		if (stop == FLR) {
			assert_int_equal(value_at(0, NVME_REG_CSTS, 4), 0);
		} else {
			start_again(stop);
			for (unsigned i = 0; i < 10; i++)
				work(16);
			assert_int_equal(nvme_driver_poll(&w.driver, 0, REQUESTS, on_end, NULL), REQUESTS);
			memset(w.used, 0, sizeof w.used);
			post_commands(0, 8);
			work(16);
			assert_int_equal(nvme_driver_poll(&w.driver, 0, REQUESTS, on_end, NULL), 8);
		}
		close_world();
	}
}

/* CC.EN 0 and a reset of the subsystem are answered at once: it is CSTS.RDY that says when nothing moves. */
static void a_controller_that_is_disabled_is_ready_until_its_commands_have_ended(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		unsigned rounds = 0;

		open_nvme();
		drive();
		if (i == 0)
			set(0, NVME_REG_CC, 4, value_at(0, NVME_REG_CC, 4) & ~UINT64_C(1));
		else
			set(0, NVME_REG_NSSR, 4, NVME_NSSR_RESET);
		while (value_at(0, NVME_REG_CSTS, 4) & NVME_CSTS_RDY) {
			work(16);
			assert_true(++rounds < 100);
		}
		assert_true(rounds > 1);
		assert_int_equal(w.disk.count, 0);
		(void)interrupted();
		check_that_nothing_moves();
		close_world();
	}
}

/* Which writes are waited for. */
static bool waits(unsigned region, uint64_t offset, uint32_t size, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	return pci_function_write_stops(w.function, region, offset, size, bytes);
}

static void writes_that_stop_nothing_are_not_waited_for(void **state)
{
	unsigned pm, express;

	(void)state;
	open_virtio();
	start_rings(UINT64_C(1) << VIRTIO_F_VERSION_1);
	pm = cap_at(PCIE_CAP_PM, SPEC_PM_CONTROL);
	express = cap_at(PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL);
	assert_false(waits(PCI_REGION_CONFIG, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MASTER));
	assert_false(waits(PCI_REGION_CONFIG, SPEC_PCI_COMMAND + 1, 1, 0));
	assert_true(waits(PCI_REGION_CONFIG, SPEC_PCI_COMMAND, 1, SPEC_PCI_COMMAND_MEMORY));
	assert_true(waits(PCI_REGION_CONFIG, 0, 8, 0));
	assert_false(waits(PCI_REGION_CONFIG, pm, 2, SPEC_PM_D0));
	assert_true(waits(PCI_REGION_CONFIG, pm, 4, SPEC_PM_D3HOT));
	assert_false(waits(PCI_REGION_CONFIG, express, 2, 0x2810));
	assert_true(waits(PCI_REGION_CONFIG, express + 1, 1, SPEC_EXPRESS_INITIATE_FLR >> 8));
	assert_false(waits(BAR, SPEC_VIRTIO_COMMON_STATUS, 1, 15));
	assert_false(waits(BAR, SPEC_VIRTIO_COMMON_STATUS, 2, 0)); /* changes nothing: 4.1.3.1 */
	assert_true(waits(BAR, SPEC_VIRTIO_COMMON_STATUS, 1, 0));
	assert_false(waits(BAR, SPEC_VIRTIO_COMMON_QUEUE_ENABLE, 2, 1));
	assert_true(waits(BAR, SPEC_VIRTIO_COMMON_QUEUE_ENABLE, 2, 0));
	assert_false(waits(BAR, PCIE_KINDS_NOTIFY_AT, 2, 0));
	/* what is stopped already needs no wait, but a reset is one whatever came before */
	set(PCI_REGION_CONFIG, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MEMORY);
	assert_false(waits(PCI_REGION_CONFIG, SPEC_PCI_COMMAND, 2, 0));
	assert_false(waits(PCI_REGION_CONFIG, pm, 2, SPEC_PM_D3HOT));
	assert_true(waits(PCI_REGION_CONFIG, express, 2, SPEC_EXPRESS_INITIATE_FLR));
	close_world();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(virtio_requests_end_before_each_kind_of_stop_and_none_is_lost_or_done_twice),
		cmocka_unit_test(commands_end_before_an_nvme_function_stops),
		cmocka_unit_test(a_controller_that_is_disabled_is_ready_until_its_commands_have_ended),
		cmocka_unit_test(writes_that_stop_nothing_are_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
