/* tests/guests/vfio_sample_driver.c -- drives the sample function (tests/vfio_sample) through VFIO, as a driver in user
 * space does: registers, the mapped page, DMA both ways behind the guest's IOMMU, MSI-X, reset.
 *
 *   vfio_sample_driver 0000:01:00.0 [ROUNDS]
 *
 * One line of key=value pairs; 0 when all was as it must be. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* As tests/vfio_sample/vfio_sample.h has them; this program is static and needs nothing else of it. */
enum {
	PAGE_AT = 0x1000,
	ID = 0x00,
	SCRATCH = 0x04,
	VECTOR = 0x0c,
	ADDRESS = 0x10,
	SIZE = 0x18,
	COMMAND = 0x1c,
	RESULT = 0x20,
	SUM = 0x24,
	MAGIC = 0x4d50534d,
	FILL = 1,
	FETCH = 2,
	STORE = 3,
	DMA_SIZE = 1 << 20,
	VECTORS = 8,
};

#define IOVA (UINT64_C(1) << 32)

static struct {
	int container, device;
	uint64_t bar0, config;
	volatile uint32_t *page;
	uint8_t *memory;
	int eventfd;
} world;

static int give_up(const char *what)
{
	fprintf(stderr, "vfio_sample_driver: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t get(uint64_t offset)
{
	uint32_t value;

	if (pread(world.device, &value, sizeof(value), (off_t)(world.bar0 + offset)) != sizeof(value))
		give_up("register read");
	return value;
}

static void put(uint64_t offset, uint32_t value)
{
	if (pwrite(world.device, &value, sizeof(value), (off_t)(world.bar0 + offset)) != sizeof(value))
		give_up("register write");
}

static uint64_t region(unsigned index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(world.device, VFIO_DEVICE_GET_REGION_INFO, &info))
		give_up("region");
	return info.offset;
}

static void open_function(const char *function)
{
	char path[128], link[256], group_path[300];
	int group;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", function);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		give_up("iommu_group");
	link[n] = 0;
	snprintf(group_path, sizeof(group_path), "/dev/vfio/%s", strrchr(link, '/') + 1);
	group = open(group_path, O_RDWR);
	world.container = open("/dev/vfio/vfio", O_RDWR);
	if (group < 0 || world.container < 0 ||
	    ioctl(group, VFIO_GROUP_SET_CONTAINER, &world.container) ||
	    ioctl(world.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		give_up("container");
	world.device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, function);
	if (world.device < 0)
		give_up("device");
	world.bar0 = region(0);
	world.config = region(VFIO_PCI_CONFIG_REGION_INDEX);
}

static void turn_on(void)
{
	uint16_t command = 6; /* memory, bus master */
	void *page;

	if (pwrite(world.device, &command, sizeof(command), (off_t)(world.config + 4)) != sizeof(command))
		give_up("command register");
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, world.device,
		    (off_t)(world.bar0 + PAGE_AT));
	if (page == MAP_FAILED)
		give_up("map of BAR 0");
	world.page = page;
}

static void map_memory(void)
{
	struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map), .iova = IOVA, .size = DMA_SIZE,
						.flags = VFIO_DMA_MAP_FLAG_READ |
							 VFIO_DMA_MAP_FLAG_WRITE };

	world.memory = mmap(NULL, DMA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (world.memory == MAP_FAILED)
		give_up("memory");
	map.vaddr = (uintptr_t)world.memory;
	if (ioctl(world.container, VFIO_IOMMU_MAP_DMA, &map))
		give_up("DMA map");
}

static void unmap_memory(void)
{
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .iova = IOVA,
						    .size = DMA_SIZE };

	if (ioctl(world.container, VFIO_IOMMU_UNMAP_DMA, &unmap))
		give_up("DMA unmap");
	munmap(world.memory, DMA_SIZE);
}

static void set_vector(unsigned vector)
{
	_Alignas(struct vfio_irq_set) char room[sizeof(struct vfio_irq_set) + VECTORS * sizeof(int32_t)];
	struct vfio_irq_set *set = (struct vfio_irq_set *)(void *)room;

	*set = (struct vfio_irq_set){ .argsz = sizeof(room), .index = VFIO_PCI_MSIX_IRQ_INDEX,
				      .count = VECTORS,
				      .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER };
	world.eventfd = eventfd(0, EFD_NONBLOCK);
	for (unsigned i = 0; i < VECTORS; i++) {
		int32_t fd = i == vector ? world.eventfd : -1;

		memcpy(set->data + i * sizeof(fd), &fd, sizeof(fd));
	}
	if (ioctl(world.device, VFIO_DEVICE_SET_IRQS, set))
		give_up("vectors");
}

static unsigned wait_interrupt(void)
{
	struct pollfd one = { .fd = world.eventfd, .events = POLLIN };
	uint64_t count = 0;

	if (poll(&one, 1, 5000) != 1 || read(world.eventfd, &count, sizeof(count)) != sizeof(count))
		return 0;
	return (unsigned)count;
}

static void command(uint32_t what, uint64_t address, uint32_t size)
{
	put(ADDRESS, (uint32_t)address);
	put(ADDRESS + 4, (uint32_t)(address >> 32));
	put(SIZE, size);
	put(COMMAND, what);
}

/* Bytes that are not as they must be, after one way there and back. */
static unsigned transfer(uint32_t seed)
{
	uint32_t sum = 0;
	unsigned wrong = 0;

	put(SCRATCH, seed);
	command(FILL, IOVA, DMA_SIZE);
	command(STORE, IOVA, DMA_SIZE);
	wrong += get(RESULT) != 0;
	for (uint32_t i = 0; i < DMA_SIZE; i++)
		wrong += world.memory[i] != (uint8_t)(i * 7 + seed);
	for (uint32_t i = 0; i < DMA_SIZE; i++)
		sum += world.memory[i] = (uint8_t)(i * 5 + seed);
	command(FETCH, IOVA, DMA_SIZE);
	return wrong + (get(RESULT) != 0) + (get(SUM) != sum);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 4, wrong = 0, interrupts = 0, blocked, after;

	if (argc < 2)
		return give_up("usage");
	open_function(argv[1]);
	turn_on();
	if (get(ID) != MAGIC)
		return give_up("identity");
	world.page[3] = 77;
	wrong += get(PAGE_AT + 12) != 77;
	set_vector(5);
	for (unsigned i = 0; i < rounds; i++) {
		map_memory();
		wrong += transfer(i);
		put(VECTOR, 5);
		interrupts += wait_interrupt();
		unmap_memory();
	}
	command(FETCH, IOVA, 4096); /* nothing is mapped any more */
	blocked = get(RESULT);
	put(SCRATCH, 9);
	if (ioctl(world.device, VFIO_DEVICE_RESET))
		return give_up("reset");
	after = get(SCRATCH);
	printf("rounds=%u wrong=%u interrupts=%u blocked=%u after_reset=%u\n", rounds, wrong, interrupts,
	       blocked, after);
	return wrong || interrupts != rounds || blocked != EFAULT || after ? 1 : 0;
}
