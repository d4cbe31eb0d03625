/* tests/guests/vfio_edu.c -- drives QEMU's teaching device `edu` through VFIO: maps memory of many
 * sizes and rights and has the devices do DMA there, where they may and where they may not.
 *
 *   vfio_edu SEED ROUNDS 0000:00:04.0,0000:00:05.0 0000:00:06.0
 *
 * Functions with a comma between share an address space.  Prints "mapped=N dma=N", keeps all
 * mappings, and waits until it is killed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SPACES_MAX = 4, DEVICES_MAX = 16, RANGES_MAX = 400, SMALL_RANGES = 120, HUGE_RANGES = 3 };
enum { HUGE_SIZE = 2 << 20, BUFFER = 0x40000, BUFFER_SIZE = 4096 };
enum { SOURCE = 0x80, TARGET = 0x88, COUNT = 0x90, COMMAND = 0x98, RUN = 1, TO_MEMORY = 2 };

struct range {
	uint64_t iova, size;
	uint32_t flags;
};

struct space {
	int container;
	unsigned range_count;
	struct range ranges[RANGES_MAX];
};

struct device {
	struct space *space;
	volatile uint64_t *registers;
};

static struct space spaces[SPACES_MAX];
static struct device devices[DEVICES_MAX];
static unsigned space_count, device_count, dma_count;
static uint64_t state;

static void give_up(const char *what)
{
	fprintf(stderr, "vfio_edu: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t random_word(void)
{
	uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static int open_group(const char *function)
{
	char path[128], link[256], group[300];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", function);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		give_up(path);
	link[n] = 0;
	snprintf(group, sizeof(group), "/dev/vfio/%s", strrchr(link, '/') + 1);
	return open(group, O_RDWR);
}

/* Lets the function do DMA: memory space and bus master of its command register. */
static void enable(int device)
{
	struct vfio_region_info config = { .argsz = sizeof(config),
					   .index = VFIO_PCI_CONFIG_REGION_INDEX };
	uint16_t command = 6;

	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &config) ||
	    pwrite(device, &command, 2, (off_t)config.offset + 4) != 2)
		give_up("command register");
}

static void add_device(struct space *space, const char *function)
{
	struct vfio_region_info bar = { .argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX };
	int group = open_group(function), device;

	if (group < 0 || ioctl(group, VFIO_GROUP_SET_CONTAINER, &space->container))
		give_up("group");
	ioctl(space->container, VFIO_SET_IOMMU,
	      VFIO_TYPE1v2_IOMMU); /* the first one's; then it is set */
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, function);
	if (device < 0 || ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &bar))
		give_up(function);
	enable(device);
	devices[device_count].space = space;
	devices[device_count].registers =
		mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, device, (off_t)bar.offset);
	if (devices[device_count++].registers == MAP_FAILED)
		give_up("registers");
}

static void add_space(char *functions)
{
	struct space *space = &spaces[space_count++];

	space->container = open("/dev/vfio/vfio", O_RDWR);
	if (space->container < 0)
		give_up("/dev/vfio/vfio");
	for (char *function = strtok(functions, ","); function; function = strtok(NULL, ","))
		add_device(space, function);
}

static bool overlaps(const struct space *space, uint64_t iova, uint64_t size)
{
	for (unsigned i = 0; i < space->range_count; i++)
		if (iova < space->ranges[i].iova + space->ranges[i].size &&
		    space->ranges[i].iova < iova + size)
			return true;
	return iova < UINT64_C(0xfef00000) && iova + size > UINT64_C(0xfee00000);
}

/* Maps memory at a random address: near zero, around 4 GiB, or anywhere below 2^38. */
static void add_range(struct space *space, uint64_t size, int map_flags)
{
	static const unsigned widths[] = { 24, 32, 33, 38, 38 };
	static const uint32_t flags[] = { VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE,
					  VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE };
	void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | map_flags, -1, 0);
	uint64_t align = size > 65536 ? size : 4096;
	struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map),
						.flags = flags[random_word() % 3],
						.vaddr = (uintptr_t)bytes,
						.size = size };

	if (bytes == MAP_FAILED)
		return; /* no huge pages left */
	do
		map.iova =
			random_word() % (UINT64_C(1) << widths[random_word() % 5]) / align * align;
	while (overlaps(space, map.iova, size));
	if (ioctl(space->container, VFIO_IOMMU_MAP_DMA, &map))
		give_up("DMA map");
	space->ranges[space->range_count++] = (struct range){ map.iova, size, map.flags };
}

static void start(const struct device *device)
{
	const struct space *space = device->space;
	const struct range *range = &space->ranges[random_word() % space->range_count];
	uint64_t iova = range->iova + random_word() % range->size, count = 1 + random_word() % 256;
	bool writes = random_word() % 2;

	if (random_word() % 8 == 0) {
		do
			iova = random_word() % (UINT64_C(1) << 38);
		while (iova + 4096 > 0xfee00000 && iova < 0xfef00000);
	} else if (random_word() % 8) { /* as the range allows */
		writes = !(range->flags & VFIO_DMA_MAP_FLAG_READ) ||
			 ((range->flags & VFIO_DMA_MAP_FLAG_WRITE) && writes);
	}
	device->registers[SOURCE / 8] = writes ? BUFFER : iova;
	device->registers[TARGET / 8] = writes ? iova : BUFFER;
	device->registers[COUNT / 8] = count;
	device->registers[COMMAND / 8] = RUN | (writes ? TO_MEMORY : 0);
	dma_count++;
}

static void run(unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < device_count; i++)
			start(&devices[i]);
		for (unsigned i = 0; i < device_count; i++)
			while (devices[i].registers[COMMAND / 8] & RUN)
				usleep(1000);
	}
}

int main(int argc, char **argv)
{
	unsigned mapped = 0;

	if (argc < 4 || argc > 3 + SPACES_MAX)
		return 2;
	state = strtoull(argv[1], NULL, 0);
	for (int i = 3; i < argc; i++)
		add_space(argv[i]);
	for (unsigned i = 0; i < space_count; i++) {
		for (unsigned n = 0; n < HUGE_RANGES; n++)
			add_range(&spaces[i], HUGE_SIZE, MAP_HUGETLB);
		for (unsigned n = 0; n < SMALL_RANGES; n++)
			add_range(&spaces[i], 4096 << random_word() % 5, 0);
		mapped += spaces[i].range_count;
	}
	run((unsigned)strtoul(argv[2], NULL, 0));
	printf("mapped=%u dma=%u\n", mapped, dma_count);
	fflush(stdout);
	for (;;)
		pause();
}
