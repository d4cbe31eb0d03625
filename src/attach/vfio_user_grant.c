/* Windows as the function's domain has them.  In the daemon that is a remapping unit's (iommu/guard.h); a
 * function that has no domain gets a plain one: the list of windows itself. */
#include "attach/vfio_user_internal.h"

#include "iommu/domain.h"

#include <errno.h>

static struct vfio_user *server_of(struct iommu_domain *domain)
{
	return container_of(domain, struct vfio_user, plain);
}

static bool translate(struct iommu_domain *domain, uint64_t address, uint8_t access,
		      struct dma_range *range)
{
	const struct vfuser_windows *w = &server_of(domain)->windows;
	unsigned at = vfuser_window_at(w, address);

	if (at == w->count || w->regions[at].base > address || !w->more[at].file ||
	    (w->more[at].access & access) != access)
		return false;
	*range = (struct dma_range){ .first = w->regions[at].base, .size = w->regions[at].size,
				     .host = w->regions[at].host, .access = w->more[at].access };
	return true;
}

static void blocked(struct iommu_domain *domain, uint64_t address, uint8_t access)
{
	(void)address, (void)access;
	server_of(domain)->blocked_accesses++;
}

static int interrupt(struct iommu_domain *domain, unsigned vector)
{
	(void)domain;
	return (int)vector;
}

/* The list says it all. */
static int map(struct iommu_domain *domain, struct iommu_range range, uint8_t *host, uint8_t access)
{
	(void)domain, (void)range, (void)host, (void)access;
	return 0;
}

static int unmap(struct iommu_domain *domain, struct iommu_range range)
{
	(void)domain, (void)range;
	return 0;
}

static void flush(struct iommu_domain *domain)
{
	(void)domain; /* vfuser_ungrant() knows what to forget */
}

static const struct iommu_domain_ops plain_ops = {
	.translate = translate, .blocked = blocked, .interrupt = interrupt,
	.map = map, .unmap = unmap, .flush = flush,
};

void vfuser_grants_init(struct vfio_user *vf)
{
	struct dma *dma = vf->function->dma;

	vf->plain.ops = &plain_ops;
	if (dma && !dma->domain) {
		dma->domain = &vf->plain;
		vf->plain.dma = dma;
	}
}

void vfuser_grants_fini(struct vfio_user *vf)
{
	struct dma *dma = vf->function->dma;

	if (!dma)
		return;
	dma_forget(dma, 0, UINT64_MAX);
	dma->regions = NULL;
	dma->region_count = 0;
	if (dma->domain == &vf->plain)
		dma->domain = NULL;
}

static struct iommu_domain *domain_of(const struct vfio_user *vf)
{
	return vf->function->dma ? vf->function->dma->domain : NULL;
}

int vfuser_grant(struct vfio_user *vf, const struct dma_region *region, uint8_t access)
{
	struct iommu_domain *domain = domain_of(vf);
	int err = domain ? domain->ops->map(domain, (struct iommu_range){ region->base, region->size },
					    region->host, access)
			 : 0;

	if (!err && domain)
		domain->ops->flush(domain);
	return err;
}

int vfuser_ungrant(struct vfio_user *vf, uint64_t first, uint64_t last)
{
	struct iommu_domain *domain = domain_of(vf);
	struct iommu_range range = { first, last - first + 1 };
	int err;

	if (!domain)
		return 0;
	if (range.size == 0) /* all there is */
		range.size = UINT64_MAX - (VFIO_USER_DEFAULT_PAGE - 1);
	err = domain->ops->unmap(domain, range);
	if (err)
		return err;
	domain->ops->flush(domain);
	if (domain == &vf->plain)
		dma_forget(vf->function->dma, first, last);
	return 0;
}

void vfuser_regions_moved(struct vfio_user *vf)
{
	if (!vf->function->dma)
		return;
	vf->function->dma->regions = vf->windows.regions;
	vf->function->dma->region_count = vf->windows.count;
}
