/* tests/vfio_sample/vfio_disk_server.c -- serves a disk of memory as an NVMe or a virtio-blk function on a vfio-user
 * socket until SIGTERM or SIGINT: for guests and clients, without a daemon.  "ready" on standard output says that
 * a client may come.
 *
 * vfio_disk_server SOCKET nvme|nvme-primary|virtio-blk MIB
 * nvme-primary: a controller that manages two secondary ones, which nobody else reaches. */
#include "attach/vfio_user.h"
#include "dev/nvme_function.h"
#include "dev/virtio_blk.h"
#include "dev/virtio_pci.h"
#include "pcie/kinds.h"
#include "pcie/kinds_nvme.h"
#include "sim/fake_disk.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum what { NVME, NVME_WITH_SECONDARIES, VIRTIO_BLK };
enum { SECONDARIES = 2, SECONDARY_QUEUES = 2, BURST = 1024, QUEUES = 4, IDLE_ROUNDS = 200, IDLE_US = 100 };

static struct {
	struct fake_disk disk;
	struct block_front *front;
	struct vfio_user *server;
	struct dma dma;
	struct nvme_function nvme;
	struct virtio_pci virtio;
	struct pcie_kinds kinds;
	struct pcie_kinds_nvme nvme_kinds;
	uv_signal_t ends[2];
	uv_idle_t rounds;
	unsigned idle;
} world;

static void *take_aligned(size_t bytes)
{
	size_t whole = (bytes + 4095) / 4096 * 4096;
	void *at = aligned_alloc(4096, whole);

	must(at != NULL);
	memset(at, 0, whole);
	return at;
}

/* One function after the other has its round; a loop that finds nothing to do sleeps a little. */
static void on_round(uv_idle_t *handle)
{
	unsigned work = world.front->ops->poll(NULL, world.front, uv_hrtime());

	(void)handle;
	work += fake_disk_run(NULL, &world.disk, BURST);
	world.front->ops->flush(NULL, world.front);
	world.idle = work ? 0 : world.idle + 1;
	if (world.idle > IDLE_ROUNDS)
		usleep(IDLE_US);
}

static void ignore(void *owner)
{
	(void)owner;
}

static void add_secondaries(struct nvme_subsystem *subsystem)
{
	struct nvme_conf conf = {
		.subsystem = subsystem, .role = NVME_SECONDARY, .queues = SECONDARY_QUEUES,
		.vectors = SECONDARY_QUEUES + 1, .dma = &world.dma, .host = { .wake = ignore },
	};

	for (uint16_t vf = 1; vf <= SECONDARIES; vf++) {
		conf.controller_id = conf.vf_number = vf;
		conf.doorbells = take_aligned(NVME_DOORBELLS_SIZE);
		must(nvme_init(take_aligned(nvme_size()), &conf) == 0);
	}
}

static struct pci_function *make_nvme(struct vfio_user_conf *conf, enum what what)
{
	struct nvme_subsystem_conf subsystem_conf = {
		.serial = "MP0001", .model = "midplane disk", .firmware = "1.0",
		.nqn = "nqn.2026-01.org.midplane:disk", .vendor = PCIE_KINDS_VENDOR,
		.subsystem_vendor = PCIE_KINDS_VENDOR, .capacity = world.disk.back.size,
	};
	struct nvme_subsystem *subsystem = take_aligned(nvme_subsystem_size());
	struct nvme_function_conf function = {
		.kind = &world.nvme_kinds.lent, .memory = take_aligned(nvme_size()),
		.role = what == NVME ? NVME_ALONE : NVME_PRIMARY,
		.subsystem = subsystem, .queues = QUEUES, .serial = 1, .dma = &world.dma,
		.host = vfio_user_function_host(&world.server),
	};
	struct vfio_user_pages *pages = &conf->pages[PCIE_NVME_REGISTERS_BAR];
	uint8_t *bytes;

	pcie_kinds_nvme_build(&world.nvme_kinds);
	must(vfio_user_pages(PCIE_NVME_DOORBELLS_AT + NVME_DOORBELLS_SIZE, &pages->fd, &bytes) == 0);
	function.doorbells = bytes + PCIE_NVME_DOORBELLS_AT;
	nvme_subsystem_init(subsystem, &subsystem_conf);
	nvme_subsystem_set_namespace(subsystem, 1, &world.disk.back, NVME_PRIVATE);
	dma_init(&world.dma, NULL, &nvme_front(function.memory)->dma_blocked);
	must(nvme_function_init(&world.nvme, &function) == 0);
	world.front = nvme_front(function.memory);
	if (what == NVME_WITH_SECONDARIES)
		add_secondaries(subsystem);
	return &world.nvme.function;
}

static struct pci_function *make_virtio_blk(void)
{
	struct virtio_blk *blk = take_aligned(virtio_blk_size());
	struct virtio_blk_conf blk_conf = { .queues = QUEUES, .serial = "MP0001",
					    .host = virtio_pci_host(&world.virtio) };
	struct virtio_pci_conf conf = { .kind = &world.kinds.disk_lent, .serial = 1,
					.vectors = PCIE_KINDS_DISK_VECTORS,
					.host = vfio_user_function_host(&world.server) };

	pcie_kinds_build(&world.kinds);
	must(virtio_blk_init(blk, &blk_conf) == 0);
	conf.device = virtio_blk_device(blk);
	conf.dma = virtio_blk_dma(blk);
	must(virtio_pci_init(&world.virtio, &conf) == 0);
	world.front = virtio_blk_front(blk);
	return &world.virtio.function;
}

static void on_end(uv_signal_t *handle, int number)
{
	(void)handle, (void)number;
	uv_close((uv_handle_t *)&world.ends[0], NULL);
	uv_close((uv_handle_t *)&world.ends[1], NULL);
	uv_close((uv_handle_t *)&world.rounds, NULL);
	while (world.disk.count)
		on_round(&world.rounds);
	vfio_user_destroy(world.server);
}

static void tell(void *owner, const char *kind, const char *text)
{
	(void)owner;
	fprintf(stderr, "%s: %s\n", kind, text);
}

static int serve(const char *path, enum what what)
{
	struct vfio_user_conf conf = { .path = path, .host = { .event = tell } };
	struct refusal why = { 0 };
	uv_loop_t loop;

	for (unsigned i = 0; i < array_len(conf.pages); i++)
		conf.pages[i].fd = -1;
	conf.function = what == VIRTIO_BLK ? make_virtio_blk() : make_nvme(&conf, what);
	conf.loop = &loop;
	world.front->namespaces[0] = &world.disk.back;
	world.front->ops->namespaces_changed(NULL, world.front);
	must(uv_loop_init(&loop) == 0);
	if (vfio_user_create(&world.server, &conf, &why)) {
		fprintf(stderr, "vfio_disk_server: %s\n", why.text);
		return 1;
	}
	must(uv_signal_init(&loop, &world.ends[0]) == 0 && uv_signal_init(&loop, &world.ends[1]) == 0);
	must(uv_signal_start(&world.ends[0], on_end, SIGTERM) == 0);
	must(uv_signal_start(&world.ends[1], on_end, SIGINT) == 0);
	must(uv_idle_init(&loop, &world.rounds) == 0 && uv_idle_start(&world.rounds, on_round) == 0);
	printf("ready\n");
	fflush(stdout);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop) ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = { "nvme", "nvme-primary", "virtio-blk" }; /* enum what */
	uint64_t size = argc == 4 ? strtoull(argv[3], NULL, 10) << 20 : 0;
	unsigned what = 0;

	while (size && what < array_len(kinds) && strcmp(argv[2], kinds[what]) != 0)
		what++;
	if (!size || what == array_len(kinds)) {
		fprintf(stderr, "Usage: vfio_disk_server SOCKET nvme|nvme-primary|virtio-blk MIB\n");
		return 2;
	}
	fake_disk_init(&world.disk, take_aligned(size), size, 512);
	return serve(argv[1], (enum what)what);
}
