/* Guest memory as the frontend grants it: SET_MEM_TABLE, and the single regions of
 * CONFIGURE_MEM_SLOTS.  A change builds a whole new table outside the hold; inside, the front's domain
 * goes over to it; only then what went away is unmapped here. */
#include "attach/internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAGE = 4096 };

static struct vu_region region_of(const struct dma_region *region)
{
	return (struct vu_region){ .guest = region->base, .size = region->size,
				   .user = region->user_base };
}

static void on_loss(void *owner)
{
	uv_async_send(owner); /* inside a signal handler: allowed */
}

/* Puts a region into its place by guest address. */
static void insert(struct vu_memory *memory, const struct dma_region *region,
		   struct guest_mapping *mapping)
{
	unsigned at = memory->count;

	must(memory->count < VU_SLOTS_MAX);
	while (at && memory->regions[at - 1].base > region->base) {
		memory->regions[at] = memory->regions[at - 1];
		memory->mappings[at] = memory->mappings[at - 1];
		at--;
	}
	memory->regions[at] = *region;
	memory->mappings[at] = mapping;
	memory->count++;
}

/* What an IOMMU translates is pages. */
static int check_pages(const struct vu_region *region, struct refusal *why)
{
	if ((region->guest | region->size | region->offset | region->user) % PAGE == 0)
		return 0;
	refuse(why, "", "memory at guest 0x%llx, 0x%llx bytes from byte 0x%llx of its file, is not of "
	       "whole pages of %u bytes", (unsigned long long)region->guest,
	       (unsigned long long)region->size, (unsigned long long)region->offset, PAGE);
	return -EINVAL;
}

static int add(struct vhost_user *vu, struct vu_memory *memory, const struct vu_region *region,
	       int fd, struct refusal *why)
{
	struct dma_region row = { .base = region->guest, .size = region->size,
				  .user_base = region->user };
	struct guest_mapping *mapping;
	int err = check_pages(region, why);

	if (err)
		return err;
	err = guest_memory_map_like(fd, region->offset, region->size, region->guest, &mapping);
	if (err) {
		refuse(why, "", "cannot map memory at guest 0x%llx, 0x%llx bytes: %s",
		       (unsigned long long)region->guest, (unsigned long long)region->size,
		       err == -EINVAL ? "the file is shorter than that" :
		       err == -EPERM ? "its file is neither memory nor on a local disk" :
				       uv_strerror(err));
		return err;
	}
	guest_memory_on_loss(mapping, on_loss, vu->async);
	row.host = guest_memory_bytes(mapping);
	insert(memory, &row, mapping);
	return 0;
}

static bool has(const struct vu_memory *memory, const struct guest_mapping *mapping)
{
	for (unsigned i = 0; memory && i < memory->count; i++)
		if (memory->mappings[i] == mapping)
			return true;
	return false;
}

/* Gives a table back, and the mappings that neither the present one nor 'other' has. */
static void drop(const struct vhost_user *vu, struct vu_memory *memory,
		 const struct vu_memory *other)
{
	for (unsigned i = 0; memory && i < memory->count; i++)
		if (!has(vu->memory, memory->mappings[i]) && !has(other, memory->mappings[i]))
			guest_memory_unmap(memory->mappings[i]);
	free(memory);
}

/* Of a table that was and one that was to be, gives back what is not the present one. */
static void drop_unused(const struct vhost_user *vu, struct vu_memory *a, struct vu_memory *b)
{
	if (a && a != vu->memory)
		drop(vu, a, b);
	if (b && b != vu->memory)
		drop(vu, b, NULL);
}

static int grant(struct iommu_domain *domain, const struct vu_memory *memory)
{
	int err = 0;

	for (unsigned i = 0; !err && memory && i < memory->count; i++) {
		const struct dma_region *region = &memory->regions[i];

		err = domain->ops->map(domain, (struct iommu_range){ region->base, region->size },
				       region->host, DMA_READ | DMA_WRITE);
	}
	return err;
}

static int take_back(struct iommu_domain *domain, uint64_t first, uint64_t end)
{
	if (first >= end)
		return 0;
	return domain->ops->unmap(domain, (struct iommu_range){ first, end - first });
}

/* Takes back what no region of 'memory' covers. */
static int take_back_rest(struct iommu_domain *domain, const struct dma_region *gone,
			  const struct vu_memory *memory)
{
	uint64_t at = gone->base, end = gone->base + gone->size;
	int err = 0;

	for (unsigned i = 0; !err && memory && i < memory->count && at < end; i++) {
		const struct dma_region *stays = &memory->regions[i];

		if (stays->base + stays->size <= at)
			continue;
		err = take_back(domain, at, min_u64(stays->base, end));
		at = max_u64(at, stays->base + stays->size);
	}
	return err ? err : take_back(domain, at, end);
}

/* What both tables have stays granted all the time: rings may be running. */
static int regrant(struct vhost_user *vu, const struct vu_memory *from, const struct vu_memory *to)
{
	int err;

	if (!to || vu->translated) /* the guest's IOMMU says it anew, for what is there now */
		return take_back(vu->domain, 0, UINT64_MAX);
	err = grant(vu->domain, to);
	for (unsigned i = 0; !err && from && i < from->count; i++)
		err = take_back_rest(vu->domain, &from->regions[i], to);
	return err;
}

int vu_memory_grant(struct vhost_user *vu)
{
	struct iommu_domain *domain = vu->domain;
	int err = take_back(domain, 0, UINT64_MAX);

	if (!err && !vu->translated)
		err = grant(domain, vu->memory);
	if (err)
		(void)take_back(domain, 0, UINT64_MAX); /* the whole needs no memory */
	domain->ops->flush(domain);
	return err;
}

/* The front goes over to 'memory' (NULL: none), and *old is the table it had.  When that fails it goes
 * back to it or, if there is not even memory for that, to none. */
static int swap(struct vhost_user *vu, struct vu_memory *memory, struct vu_memory **old,
		struct refusal *why)
{
	int err;

	/* What is read and not begun points into the old one. */
	if (vu->kind->pace == VU_LASTING)
		vu_rings_stop(vu);
	attach_hold(vu->front);
	*old = vu->memory;
	err = regrant(vu, vu->memory, memory);
	if (!err) {
		vu->memory = memory;
	} else if (regrant(vu, memory, vu->memory)) {
		vu->memory = NULL;
		(void)vu_memory_grant(vu);
	}
	vu->device->ops->set_memory(vu->device, vu->memory ? vu->memory->regions : NULL,
			      vu->memory ? vu->memory->count : 0);
	vu->domain->ops->flush(vu->domain);
	attach_release(vu->front);
	if (err)
		refuse(why, "", "the memory table cannot be granted: %s", err == -EINVAL ?
		       "part of it lies beyond the addresses that functions have" :
		       "no memory for translation tables");
	vu->told_lost = false;
	return err;
}

int vu_set_mem_table(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	struct vu_region regions[VHOST_USER_MEM_REGIONS_MAX];
	int count = vu_mem_table_read(msg, regions, why);
	struct vu_memory *memory, *old;
	int err;

	if (count < 0)
		return count;
	memory = calloc(1, sizeof *memory);
	if (!memory)
		return -ENOMEM;
	for (int i = 0; i < count; i++) {
		err = add(vu, memory, &regions[i], msg->fds[i], why);

		if (err) {
			drop_unused(vu, memory, NULL);
			return err;
		}
	}
	err = swap(vu, memory, &old, why);
	vu_rings_settle(vu);
	drop_unused(vu, old, memory);
	return err;
}

int vu_get_max_mem_slots(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	(void)vu;
	(void)why;
	put_le64(msg->payload, VU_SLOTS_MAX);
	msg->size = 8;
	return 0;
}

/* A copy of the table without region 'without' (VU_SLOTS_MAX: with all). */
static struct vu_memory *copy(const struct vhost_user *vu, unsigned without)
{
	struct vu_memory *memory = calloc(1, sizeof *memory);

	for (unsigned i = 0; memory && vu->memory && i < vu->memory->count; i++)
		if (i != without)
			insert(memory, &vu->memory->regions[i], vu->memory->mappings[i]);
	return memory;
}

/* The place of this very region in the table, by guest address, size and the frontend's own address; VU_SLOTS_MAX:
 * it is not there. */
static unsigned place_of(const struct vhost_user *vu, const struct vu_region *region)
{
	for (unsigned i = 0; vu->memory && i < vu->memory->count; i++) {
		const struct dma_region *there = &vu->memory->regions[i];

		if (there->base == region->guest && there->size == region->size &&
		    there->user_base == region->user)
			return i;
	}
	return VU_SLOTS_MAX;
}

static int check_room(const struct vhost_user *vu, const struct vu_region *region,
		      struct refusal *why)
{
	for (unsigned i = 0; vu->memory && i < vu->memory->count; i++) {
		struct vu_region there = region_of(&vu->memory->regions[i]);

		if (!vu_regions_overlap(region, &there))
			continue;
		refuse(why, "", "memory region at guest 0x%llx overlaps the one at 0x%llx",
		       (unsigned long long)region->guest, (unsigned long long)there.guest);
		return -EEXIST;
	}
	if (vu->memory && vu->memory->count == VU_SLOTS_MAX) {
		refuse(why, "", "all %d memory slots are in use", VU_SLOTS_MAX);
		return -ENOSPC;
	}
	return 0;
}

/* A frontend may say a change once for every pair of queues (QEMU 7.2), for one pair after the other: a region that is
 * there has been added, and one that is not has been removed, perhaps for parts of it that are there now. */

int vu_add_mem_reg(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	struct vu_region region;
	struct vu_memory *memory, *old;
	int err = vu_region_read(&region, msg->payload + VHOST_USER_SINGLE_FIRST, why);

	if (err || place_of(vu, &region) < VU_SLOTS_MAX)
		return err;
	err = check_room(vu, &region, why);
	if (err)
		return err;
	memory = copy(vu, VU_SLOTS_MAX);
	if (!memory)
		return -ENOMEM;
	err = add(vu, memory, &region, msg->fds[0], why);
	if (!err)
		err = swap(vu, memory, &old, why);
	else
		old = NULL;
	vu_rings_settle(vu);
	drop_unused(vu, old, memory);
	return err;
}

int vu_rem_mem_reg(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	struct vu_region region;
	struct vu_memory *memory, *old;
	int err = vu_region_read(&region, msg->payload + VHOST_USER_SINGLE_FIRST, why);

	if (err || place_of(vu, &region) == VU_SLOTS_MAX)
		return err;
	memory = copy(vu, place_of(vu, &region));
	if (!memory)
		return -ENOMEM;
	err = swap(vu, memory, &old, why);
	vu_rings_settle(vu);
	drop_unused(vu, old, memory);
	return err;
}

void vu_memory_drop(struct vhost_user *vu)
{
	struct vu_memory *old;

	(void)swap(vu, NULL, &old, NULL);
	must(vu->memory == NULL);
	drop_unused(vu, old, NULL);
}

uint8_t *vu_user_bytes(const struct vhost_user *vu, uint64_t user, uint64_t size)
{
	for (unsigned i = 0; vu->memory && i < vu->memory->count; i++) {
		const struct dma_region *region = &vu->memory->regions[i];
		uint64_t offset = user - region->user_base;

		if (user < region->user_base || offset >= region->size)
			continue;
		return size <= region->size - offset ? region->host + offset : NULL;
	}
	return NULL;
}

bool vu_user_to_guest(const struct vhost_user *vu, uint64_t user, uint64_t size, uint64_t *guest)
{
	for (unsigned i = 0; vu->memory && i < vu->memory->count; i++) {
		const struct dma_region *region = &vu->memory->regions[i];

		if (user < region->user_base || user - region->user_base >= region->size)
			continue;
		*guest = region->base + (user - region->user_base);
		return size <= region->size - (user - region->user_base);
	}
	return false;
}

bool vu_memory_lost(const struct vhost_user *vu)
{
	for (unsigned i = 0; vu->memory && i < vu->memory->count; i++)
		if (guest_memory_lost(vu->memory->mappings[i]))
			return true;
	return (vu->log && guest_memory_lost(vu->log)) ||
	       (vu->inflight && guest_memory_lost(vu->inflight));
}
