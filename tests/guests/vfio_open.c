/* tests/guests/vfio_open.c -- takes a PCI function through VFIO as a user-space driver does.
 *
 *   vfio_open 0000:01:00.1
 *
 * Opens the function's group, puts it behind the IOMMU, reads its identity from configuration
 * space, maps a page for DMA and resets the function.  One line of what it found; 0 when all
 * that worked. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DMA_SIZE = 4096, DMA_IOVA = 1 << 20 };

static int give_up(const char *what)
{
	fprintf(stderr, "vfio_open: %s: %s\n", what, strerror(errno));
	return 1;
}

/* The group's descriptor, or -1. */
static int open_group(const char *function)
{
	char path[128], link[256], group[300];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", function);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return -1;
	link[n] = 0;
	snprintf(group, sizeof(group), "/dev/vfio/%s", strrchr(link, '/') + 1);
	return open(group, O_RDWR);
}

static int map_page(int container)
{
	void *page =
		mmap(NULL, DMA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map),
						.flags = VFIO_DMA_MAP_FLAG_READ |
							 VFIO_DMA_MAP_FLAG_WRITE,
						.vaddr = (uintptr_t)page,
						.iova = DMA_IOVA,
						.size = DMA_SIZE };

	return page == MAP_FAILED ? -1 : ioctl(container, VFIO_IOMMU_MAP_DMA, &map);
}

int main(int argc, char **argv)
{
	struct vfio_region_info config = { .argsz = sizeof(config),
					   .index = VFIO_PCI_CONFIG_REGION_INDEX };
	int container = open("/dev/vfio/vfio", O_RDWR), group, device;
	uint16_t identity[2];

	if (argc != 2 || container < 0)
		return give_up("/dev/vfio/vfio");
	group = open_group(argv[1]);
	if (group < 0)
		return give_up("group");
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container))
		return give_up("container");
	if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return give_up("iommu");
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, argv[1]);
	if (device < 0)
		return give_up("device");
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &config))
		return give_up("configuration space");
	if (pread(device, identity, sizeof(identity), (off_t)config.offset) != sizeof(identity))
		return give_up("identity");
	if (map_page(container))
		return give_up("DMA map");
	if (ioctl(device, VFIO_DEVICE_RESET))
		return give_up("reset");
	printf("vendor=%04x device=%04x mapped and reset\n", identity[0], identity[1]);
	return 0;
}
