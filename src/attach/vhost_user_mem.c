/* Guest memory as the frontend grants it: SET_MEM_TABLE, and the single regions of
 * CONFIGURE_MEM_SLOTS.  A change builds a whole new table outside the hold, swaps it inside, and
 * only then unmaps what went away. */
#include "attach/internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

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

static int add(struct vhost_user *vu, struct vu_memory *memory, const struct vu_region *region,
	       int fd, struct refusal *why)
{
	struct dma_region row = { .base = region->guest, .size = region->size,
				  .user_base = region->user };
	struct guest_mapping *mapping;
	int err = guest_memory_map(fd, region->offset, region->size, &mapping);

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

static void unmap_all(struct vu_memory *memory)
{
	for (unsigned i = 0; memory && i < memory->count; i++)
		guest_memory_unmap(memory->mappings[i]);
}

/* The front goes over to 'memory' (NULL: none); returns the table it had. */
static struct vu_memory *swap(struct vhost_user *vu, struct vu_memory *memory)
{
	struct vu_memory *old = vu->memory;

	attach_hold(vu->front);
	virtio_net_set_memory(vu->net, memory ? memory->regions : NULL,
			      memory ? memory->count : 0);
	attach_release(vu->front);
	vu->memory = memory;
	vu->told_lost = false;
	return old;
}

int vu_set_mem_table(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	struct vu_region regions[VHOST_USER_MEM_REGIONS_MAX];
	int count = vu_mem_table_read(msg, regions, why);
	struct vu_memory *memory, *old;

	if (count < 0)
		return count;
	memory = calloc(1, sizeof *memory);
	if (!memory)
		return -ENOMEM;
	for (int i = 0; i < count; i++) {
		int err = add(vu, memory, &regions[i], msg->fds[i], why);

		if (err) {
			unmap_all(memory);
			free(memory);
			return err;
		}
	}
	old = swap(vu, memory);
	vu_rings_settle(vu);
	unmap_all(old);
	free(old);
	return 0;
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

int vu_add_mem_reg(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	struct vu_region region;
	struct vu_memory *memory;
	int err = vu_region_read(&region, msg->payload + VHOST_USER_SINGLE_FIRST, why);

	if (!err)
		err = check_room(vu, &region, why);
	if (err)
		return err;
	memory = copy(vu, VU_SLOTS_MAX);
	if (!memory)
		return -ENOMEM;
	err = add(vu, memory, &region, msg->fds[0], why);
	if (err) {
		free(memory);
		return err;
	}
	free(swap(vu, memory));
	vu_rings_settle(vu);
	return 0;
}

int vu_rem_mem_reg(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	struct vu_region region;
	int err = vu_region_read(&region, msg->payload + VHOST_USER_SINGLE_FIRST, why);

	if (err)
		return err;
	for (unsigned i = 0; vu->memory && i < vu->memory->count; i++) {
		const struct dma_region *there = &vu->memory->regions[i];
		struct guest_mapping *gone = vu->memory->mappings[i];
		struct vu_memory *memory;

		if (there->base != region.guest || there->size != region.size ||
		    there->user_base != region.user)
			continue;
		memory = copy(vu, i);
		if (!memory)
			return -ENOMEM;
		free(swap(vu, memory));
		vu_rings_settle(vu);
		guest_memory_unmap(gone);
		return 0;
	}
	refuse(why, "", "no memory region at guest 0x%llx of 0x%llx bytes to remove",
	       (unsigned long long)region.guest, (unsigned long long)region.size);
	return -ENOENT;
}

void vu_memory_drop(struct vhost_user *vu)
{
	struct vu_memory *old = swap(vu, NULL);

	unmap_all(old);
	free(old);
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
