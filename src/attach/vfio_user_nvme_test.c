/* An NVMe function served by vfio-user, and driven from outside as a client does: registers by messages,
 * doorbells and queues in shared memory. */
#include "attach/vfio_user_client.h"
#include "attach/vfio_user_nvme_side_test.h"
#include "dev/nvme_driver.h"
#include "spec/pcie.h"

#include <sys/eventfd.h>

enum {
	MEMORY_SIZE = 16 << 20,
	DATA_AT = 8 << 20,
	DEPTH_MAX = 128,
	OPERATIONS = 600, /* at each depth */
	BLOCKS_MAX = 64,
};
/* Above 2^45, as SPDK's client maps its own addresses. */
#define IOVA (UINT64_C(1) << 45 | 0x7000)

/* The side that drives. */
static struct {
	struct vfio_user_client *client;
	struct nvme_driver driver;
	uint8_t *memory;
	int fd;
	uint64_t seed;
	uint8_t model[DISK_SIZE];
	struct operation {
		bool busy, write;
		uint64_t lba;
		uint32_t count;
	} operations[DEPTH_MAX];
	bool locked[DISK_SIZE / 512];
	unsigned ended;
} d;

static int client_read(void *owner, uint32_t offset, unsigned size, uint64_t *value)
{
	return vfio_user_client_get(owner, 0, offset, size, value);
}

static int client_write(void *owner, uint32_t offset, unsigned size, uint64_t value)
{
	return vfio_user_client_put(owner, 0, offset, size, value);
}

static bool client_wait(void *owner)
{
	(void)owner;
	sched_yield();
	return true;
}

static void dial(void)
{
	struct vfio_user_client_window window = { .address = IOVA, .size = MEMORY_SIZE, .flags = 3 };
	uint8_t command[2] = { 6, 0 };

	memset(&d, 0, sizeof d);
	d.seed = check_seed();
	assert_int_equal(vfio_user_client_open(&d.client, path, NULL), 0);
	d.fd = window.fd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(d.fd, MEMORY_SIZE), 0);
	d.memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, d.fd, 0);
	assert_true(d.memory != MAP_FAILED);
	assert_int_equal(vfio_user_client_map(d.client, &window), 0);
	assert_int_equal(vfio_user_client_write(d.client, PCI_REGION_CONFIG, SPEC_PCI_COMMAND, 2,
						command), 0);
}

static void hang_up(void)
{
	vfio_user_client_close(d.client);
	munmap(d.memory, MEMORY_SIZE);
	close(d.fd);
}

static int drive(unsigned depth)
{
	const struct vfio_user_client_region *registers = vfio_user_client_region(d.client, 0);

	assert_non_null(registers->mapped);
	assert_int_equal(registers->mapped_first, PCIE_NVME_DOORBELLS_AT);
	memset(d.memory, 0, DATA_AT);
	return nvme_driver_open(&d.driver, &(struct nvme_driver_conf){
		.device = { client_read, client_write, registers->mapped, client_wait, d.client },
		.memory = { d.memory, IOVA, DATA_AT }, .queues = 2, .depth = depth });
}

static uint8_t *data(uint32_t tag)
{
	return d.memory + DATA_AT + tag * (size_t)(BLOCKS_MAX * 512);
}

static void post(uint32_t tag, unsigned queue)
{
	struct operation *o = &d.operations[tag];
	struct nvme_driver_io io;

	o->count = 1 + (uint32_t)(rand_u64(&d.seed) % BLOCKS_MAX);
	o->lba = rand_u64(&d.seed) % (DISK_SIZE / 512 - o->count);
	for (uint32_t i = 0; i < o->count; i++)
		if (d.locked[o->lba + i])
			return;
	memset(&d.locked[o->lba], 1, o->count);
	o->write = rand_u64(&d.seed) % 2;
	o->busy = true;
	for (uint32_t i = 0; i < o->count * 512; i += 8)
		put_le64(data(tag) + i, rand_u64(&d.seed));
	if (o->write)
		memcpy(d.model + o->lba * 512, data(tag), o->count * 512);
	io = (struct nvme_driver_io){ .opcode = o->write ? NVME_IO_WRITE : NVME_IO_READ,
				      .lba = o->lba, .count = o->count,
				      .iova = IOVA + (uint64_t)(data(tag) - d.memory) };
	assert_int_equal(nvme_driver_io(&d.driver, queue, &io, tag), 0);
}

static void on_end(void *owner, uint32_t tag, uint16_t status, uint32_t dw0)
{
	struct operation *o = &d.operations[tag];

	(void)owner;
	(void)dw0;
	assert_true(o->busy);
	assert_int_equal(status, 0);
	assert_memory_equal(data(tag), d.model + o->lba * 512, o->count * 512);
	memset(&d.locked[o->lba], 0, o->count);
	o->busy = false;
	d.ended++;
}

static void run(unsigned depth)
{
	unsigned queue = depth % 3 % 2, busy;

	d.ended = 0;
	do {
		for (uint32_t tag = 0; tag < depth && d.ended < OPERATIONS; tag++)
			if (!d.operations[tag].busy)
				post(tag, queue);
		nvme_driver_ring(&d.driver, queue);
		assert_true(nvme_driver_poll(&d.driver, queue, depth, on_end, NULL) >= 0);
		sched_yield();
		busy = 0;
		for (uint32_t tag = 0; tag < depth; tag++)
			busy += d.operations[tag].busy;
	} while (busy || d.ended < OPERATIONS);
}

static void data_is_whole_at_every_depth(void **state)
{
	(void)state;
	start();
	dial();
	for (unsigned depth = 1; depth <= DEPTH_MAX; depth *= 2) {
		assert_int_equal(drive(depth), 0);
		run(depth);
	}
	assert_int_equal(nvme_driver_close(&d.driver), 0);
	hang_up();
	stop();
}

static void data_is_whole_while_the_client_is_handed_over_again_and_again(void **state)
{
	(void)state;
	start();
	s.hand_every = 100;
	dial();
	for (unsigned depth = 1; depth <= DEPTH_MAX; depth *= 4) {
		assert_int_equal(drive(depth), 0);
		run(depth);
	}
	assert_int_equal(nvme_driver_close(&d.driver), 0);
	s.hand_every = 0;
	hang_up();
	stop();
	assert_true(s.hands > 10);
}

static void the_controller_interrupts_by_eventfd(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t value = 0;

	(void)state;
	assert_true(fd >= 0);
	start();
	dial();
	assert_int_equal(vfio_user_client_signal(d.client, 0, fd), 0);
	assert_int_equal(drive(8), 0);
	assert_int_equal(nvme_driver_close(&d.driver), 0);
	assert_int_equal(read(fd, &value, 8), 8);
	assert_true(value > 0);
	close(fd);
	hang_up();
	stop();
}

static void a_client_that_goes_leaves_a_controller_for_the_next(void **state)
{
	(void)state;
	start();
	for (unsigned i = 0; i < 3; i++) {
		dial();
		assert_int_equal(drive(32), 0);
		for (uint32_t tag = 0; tag < 32; tag++)
			post(tag, 0);
		nvme_driver_ring(&d.driver, 0);
		hang_up(); /* with commands in flight */
	}
	dial();
	assert_int_equal(drive(8), 0);
	assert_int_equal(nvme_driver_close(&d.driver), 0);
	hang_up();
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_is_whole_at_every_depth),
		cmocka_unit_test(data_is_whole_while_the_client_is_handed_over_again_and_again),
		cmocka_unit_test(the_controller_interrupts_by_eventfd),
		cmocka_unit_test(a_client_that_goes_leaves_a_controller_for_the_next),
	};

	snprintf(path, sizeof path, "/tmp/mp-vfnvme-%d.sock", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
