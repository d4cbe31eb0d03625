/* What the kernel says of a function and of its IOMMU: structures whose tail is a chain of capabilities. */
#include "os/vfio_internal.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CHAIN_MAX = 64,	    /* capabilities of a structure */
	INFO_MAX = 1 << 16, /* bytes of one */
};

/* Where the kernel says nothing: below what old IOMMUs reach, without the addresses of interrupts. */
#define FIRST_IOVA UINT64_C(0x10000)
#define INTERRUPTS_FIRST UINT64_C(0xfee00000)
#define INTERRUPTS_LAST UINT64_C(0xfeefffff)
#define LAST_IOVA ((UINT64_C(1) << 39) - 1)

/* Asks for a structure of at least 'least' bytes whose first word is its size: the kernel says how many it
 * has, and then gives them.  NULL with 'err'. */
static uint8_t *ask(const struct vfio_function *f, int fd, unsigned long request,
		    const void *first, size_t least, size_t *size, int *err)
{
	uint8_t *info = NULL;
	uint32_t argsz = (uint32_t)least;

	for (unsigned tries = 0; tries < 2; tries++) {
		free(info);
		info = calloc(1, argsz);
		*err = -ENOMEM;
		if (!info)
			return NULL;
		memcpy(info, first, least);
		memcpy(info, &argsz, sizeof argsz);
		*err = vfio_call(f, fd, request, info);
		*size = argsz;
		if (*err < 0)
			break;
		memcpy(&argsz, info, sizeof argsz);
		if (argsz <= *size)
			return info;
		*err = -EINVAL;
		if (argsz > INFO_MAX)
			break;
	}
	free(info);
	return NULL;
}

/* The capability 'id' of a chain that begins at 'offset', and the bytes from there to the end of the
 * structure; NULL. */
static const uint8_t *find_capability(const uint8_t *info, size_t size, uint32_t offset, uint16_t id,
				      size_t *left)
{
	for (unsigned i = 0; i < CHAIN_MAX && offset; i++) {
		struct vfio_info_cap_header header;

		if (offset > size || size - offset < sizeof header)
			return NULL;
		memcpy(&header, info + offset, sizeof header);
		if (header.id == id) {
			*left = size - offset;
			return info + offset;
		}
		offset = header.next;
	}
	return NULL;
}

static void add_area(struct vfio_function_region *region, uint64_t first, uint64_t size)
{
	if (region->area_count == VFIO_FUNCTION_AREAS_MAX || size == 0 || first > region->size ||
	    size > region->size - first)
		return;
	region->areas[region->area_count++] = (struct vfio_function_area){ first, size, NULL };
}

/* The areas that can be mapped: those of the list, or, where there is none, all of it. */
static void read_areas(struct vfio_function_region *region, const uint8_t *info, size_t size,
		       const struct vfio_region_info *region_info)
{
	struct vfio_region_info_cap_sparse_mmap list;
	const uint8_t *at = NULL;
	size_t left = 0;

	if (!(region_info->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return;
	if (region_info->flags & VFIO_REGION_INFO_FLAG_CAPS)
		at = find_capability(info, size, region_info->cap_offset,
				     VFIO_REGION_INFO_CAP_SPARSE_MMAP, &left);
	if (!at || left < sizeof list) {
		add_area(region, 0, region->size);
		return;
	}
	memcpy(&list, at, sizeof list);
	for (uint32_t i = 0; i < list.nr_areas; i++) {
		struct vfio_region_sparse_mmap_area area;

		if (left < sizeof list + (i + (size_t)1) * sizeof area)
			return;
		memcpy(&area, at + sizeof list + i * sizeof area, sizeof area);
		add_area(region, area.offset, area.size);
	}
}

static int ask_region(struct vfio_function *f, unsigned index)
{
	struct vfio_region_info info = { .index = index };
	struct vfio_function_region *region = &f->regions[index];
	uint8_t *bytes;
	size_t size;
	int err;

	bytes = ask(f, f->device, VFIO_DEVICE_GET_REGION_INFO, &info, sizeof info, &size, &err);
	if (!bytes)
		return err;
	memcpy(&info, bytes, sizeof info);
	region->size = info.size;
	region->readable = info.flags & VFIO_REGION_INFO_FLAG_READ;
	region->writable = info.flags & VFIO_REGION_INFO_FLAG_WRITE;
	f->offsets[index] = info.offset;
	read_areas(region, bytes, size, &info);
	free(bytes);
	return 0;
}

int vfio_ask_device(struct vfio_function *f, struct refusal *why)
{
	struct vfio_irq_info irq = { .argsz = sizeof irq, .index = VFIO_PCI_MSIX_IRQ_INDEX };
	int err = 0;

	for (unsigned i = 0; i < VFIO_FUNCTION_REGIONS && !err; i++) {
		err = ask_region(f, i);
		if (err == -EINVAL && i != VFIO_FUNCTION_CONFIG)
			err = 0; /* a function without that region */
	}
	if (!err && vfio_call(f, f->device, VFIO_DEVICE_GET_IRQ_INFO, &irq) == 0 &&
	    irq.flags & VFIO_IRQ_INFO_EVENTFD)
		f->vectors = min_u32(irq.count, VFIO_FUNCTION_VECTORS_MAX);
	if (err)
		refuse(why, "", "VFIO does not say which regions %s has: %s", f->address, strerror(-err));
	return err;
}

static int allow_usual(struct iova_space *iovas)
{
	int err = iova_allow(iovas, FIRST_IOVA, INTERRUPTS_FIRST - 1);

	return err ? err : iova_allow(iovas, INTERRUPTS_LAST + 1, LAST_IOVA);
}

static int read_ranges(struct vfio_function *f, const uint8_t *at, size_t left)
{
	struct vfio_iommu_type1_info_cap_iova_range list;

	if (!at || left < sizeof list)
		return allow_usual(&f->iovas);
	memcpy(&list, at, sizeof list);
	for (uint32_t i = 0; i < list.nr_iovas; i++) {
		struct vfio_iova_range range;
		int err;

		if (left < sizeof list + (i + (size_t)1) * sizeof range)
			return -EINVAL;
		memcpy(&range, at + sizeof list + i * sizeof range, sizeof range);
		if (range.end < FIRST_IOVA) /* address 0 is left alone: it looks like none */
			continue;
		err = iova_allow(&f->iovas, max_u64(range.start, FIRST_IOVA), range.end);
		if (err == -ENOSPC)
			break; /* enough of them */
		if (err)
			return err;
	}
	return 0;
}

int vfio_ask_iommu(struct vfio_function *f, struct refusal *why)
{
	struct vfio_iommu_type1_info info = { .flags = 0 };
	const uint8_t *ranges = NULL;
	size_t size = 0, left = 0;
	uint64_t sizes;
	uint8_t *bytes;
	int err;

	bytes = ask(f, f->container, VFIO_IOMMU_GET_INFO, &info, sizeof info, &size, &err);
	if (bytes) {
		memcpy(&info, bytes, sizeof info);
		sizes = info.flags & VFIO_IOMMU_INFO_PGSIZES ? info.iova_pgsizes : 4096;
		if (info.flags & VFIO_IOMMU_INFO_CAPS)
			ranges = find_capability(bytes, size, info.cap_offset,
						 VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, &left);
		iova_init(&f->iovas, sizes ? sizes & -sizes : 4096);
		err = read_ranges(f, ranges, left);
		free(bytes);
	}
	if (err)
		refuse(why, "", "the IOMMU of %s does not say which addresses it has: %s", f->address,
		       strerror(-err));
	return err;
}
