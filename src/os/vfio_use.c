/* What is done with a function: registers, memory, interrupts, reset. */
#include "os/vfio_internal.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define LARGE_PAGE (UINT64_C(2) << 20)

const struct vfio_function_region *vfio_function_region(const struct vfio_function *f, unsigned region)
{
	must(region < VFIO_FUNCTION_REGIONS);
	return &f->regions[region];
}

static int moved(ssize_t n, uint32_t size)
{
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

static bool is_inside(const struct vfio_function *f, unsigned region, uint64_t offset, uint32_t size)
{
	must(region < VFIO_FUNCTION_REGIONS);
	return size <= f->regions[region].size && offset <= f->regions[region].size - size;
}

int vfio_function_read(struct vfio_function *f, unsigned region, uint64_t offset, uint32_t size,
		       uint8_t *to)
{
	if (!is_inside(f, region, offset, size))
		return -EINVAL;
	return moved(pread(f->device, to, size, (off_t)(f->offsets[region] + offset)), size);
}

int vfio_function_write(struct vfio_function *f, unsigned region, uint64_t offset, uint32_t size,
			const uint8_t *from)
{
	if (!is_inside(f, region, offset, size))
		return -EINVAL;
	return moved(pwrite(f->device, from, size, (off_t)(f->offsets[region] + offset)), size);
}

int vfio_function_map(struct vfio_function *f, unsigned region, struct refusal *why)
{
	struct vfio_function_region *r = &f->regions[region];
	int access = (r->readable ? PROT_READ : 0) | (r->writable ? PROT_WRITE : 0);

	must(region < VFIO_FUNCTION_REGIONS);
	for (unsigned i = 0; i < r->area_count; i++) {
		struct vfio_function_area *area = &r->areas[i];
		void *at;

		if (area->bytes)
			continue;
		at = mmap(NULL, area->size, access, MAP_SHARED, f->device,
			  (off_t)(f->offsets[region] + area->first));
		if (at == MAP_FAILED) {
			int err = errno;

			refuse(why, "", "region %u of %s cannot be mapped: %s", region, f->address,
			       strerror(err));
			return -err;
		}
		area->bytes = at;
	}
	return 0;
}

uint8_t *vfio_function_at(const struct vfio_function *f, unsigned region, uint64_t offset, uint64_t size)
{
	const struct vfio_function_region *r = vfio_function_region(f, region);

	for (unsigned i = 0; i < r->area_count; i++) {
		const struct vfio_function_area *area = &r->areas[i];

		if (area->bytes && offset >= area->first && size <= area->size &&
		    offset - area->first <= area->size - size)
			return area->bytes + (offset - area->first);
	}
	return NULL;
}

static int refuse_mapping(const struct vfio_function *f, int err, uint64_t size, struct refusal *why)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	(void)getrlimit(RLIMIT_MEMLOCK, &limit);
	if (err == -ENOMEM && limit.rlim_cur != RLIM_INFINITY)
		refuse(why, "", "%s needs %llu KiB of memory that stays in place, and this program may lock "
		       "%llu KiB: raise the limit (ulimit -l, LimitMEMLOCK= of its unit), or be root",
		       f->address, (unsigned long long)size >> 10,
		       (unsigned long long)limit.rlim_cur >> 10);
	else
		refuse(why, "", "%llu KiB of memory cannot be mapped for %s: %s",
		       (unsigned long long)size >> 10, f->address, strerror(-err));
	return err;
}

int vfio_function_map_dma(struct vfio_function *f, uint8_t *bytes, uint64_t size, uint64_t *iova,
			  struct refusal *why)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof map,
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)bytes,
		.size = size,
	};
	/* Large pages of the IOMMU need both addresses to agree in their low bits. */
	uint64_t align = size >= LARGE_PAGE && (uintptr_t)bytes % LARGE_PAGE == 0 ? LARGE_PAGE : f->iovas.page;
	int err = iova_take(&f->iovas, size, align, iova);

	if (err)
		return refuse_mapping(f, err, size, why);
	map.iova = *iova;
	err = vfio_call(f, f->container, VFIO_IOMMU_MAP_DMA, &map);
	if (err >= 0)
		return 0;
	(void)iova_give(&f->iovas, *iova);
	return refuse_mapping(f, err, size, why);
}

int vfio_function_unmap_dma(struct vfio_function *f, uint64_t iova)
{
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof unmap, .iova = iova };
	int err;

	unmap.size = iova_give(&f->iovas, iova);
	if (!unmap.size)
		return -ENOENT;
	err = vfio_call(f, f->container, VFIO_IOMMU_UNMAP_DMA, &unmap);
	return err < 0 ? err : 0;
}

unsigned vfio_function_vectors(const struct vfio_function *f)
{
	return f->vectors;
}

int vfio_function_signal(struct vfio_function *f, const int *eventfds, unsigned count)
{
	struct vfio_irq_set set = { .index = VFIO_PCI_MSIX_IRQ_INDEX, .count = count,
				    .flags = VFIO_IRQ_SET_ACTION_TRIGGER };
	size_t size = sizeof set + count * sizeof eventfds[0];
	uint8_t *bytes;
	int err;

	if (count > f->vectors)
		return -EINVAL;
	set.flags |= count ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE;
	set.argsz = (uint32_t)size;
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, &set, sizeof set);
	if (count)
		memcpy(bytes + sizeof set, eventfds, count * sizeof eventfds[0]);
	err = vfio_call(f, f->device, VFIO_DEVICE_SET_IRQS, bytes);
	free(bytes);
	return err < 0 ? err : 0;
}

int vfio_function_reset(struct vfio_function *f)
{
	int err = vfio_call(f, f->device, VFIO_DEVICE_RESET, NULL);

	return err < 0 ? err : 0;
}
