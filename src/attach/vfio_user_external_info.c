/* What a client is told of an imported function: what that said of itself, checked when it was greeted. */
#include "attach/vfio_user_external.h"

#include "base/bytes.h"
#include "spec/pcie.h"

#include <errno.h>

/* What it must be all the same when it returns. */
static void remember(struct external *x, const struct vfio_user_import_facts *facts)
{
	x->told = true;
	for (unsigned i = 0; i < VFIO_USER_IMPORT_REGIONS; i++)
		x->sizes[i] = facts->regions[i].size;
	for (unsigned i = 0; i < VFIO_USER_IRQ_INDEXES; i++)
		x->irqs[i] = facts->irqs[i].count;
	x->identity = get_le32(facts->config);
}

static int check(struct external *x, const struct vfuser_msg *msg, uint32_t least,
		 const struct vfio_user_import_facts **facts, struct refusal *why)
{
	uint32_t argsz = get_le32(msg->payload);

	*facts = vfio_user_import_facts(x->import);
	if (!*facts) {
		refuse(why, "", "the device has not been reached yet: %s", vfio_user_import_why(x->import));
		return -ENODEV;
	}
	if (argsz >= least)
		return 0;
	refuse(why, "", "command %u has argsz %u, not %u or more", msg->header.command, argsz, least);
	return -EINVAL;
}

int external_info(struct external *x, struct vfuser_msg *msg, struct refusal *why)
{
	const struct vfio_user_import_facts *facts;
	int err = check(x, msg, VFIO_USER_INFO_SIZE, &facts, why);

	if (err)
		return err;
	remember(x, facts);
	put_le32(msg->reply + VFIO_USER_INFO_ARGSZ, VFIO_USER_INFO_SIZE);
	put_le32(msg->reply + VFIO_USER_INFO_FLAGS, facts->flags & (VFIO_USER_INFO_RESET | VFIO_USER_INFO_PCI));
	put_le32(msg->reply + VFIO_USER_INFO_REGIONS, VFIO_USER_IMPORT_REGIONS);
	put_le32(msg->reply + VFIO_USER_INFO_IRQS, VFIO_USER_IRQ_INDEXES);
	msg->size = VFIO_USER_INFO_SIZE;
	return 0;
}

static void write_sparse(uint8_t *cap, const struct vfio_user_import_region *region)
{
	put_le16(cap + VFIO_USER_CAP_ID, VFIO_USER_CAP_SPARSE_MMAP);
	put_le16(cap + VFIO_USER_CAP_VERSION, 1);
	put_le32(cap + VFIO_USER_CAP_NEXT, 0);
	put_le32(cap + VFIO_USER_SPARSE_AREAS, region->area_count);
	put_le32(cap + VFIO_USER_SPARSE_AREAS + 4, 0);
	for (unsigned i = 0; i < region->area_count; i++) {
		uint8_t *area = cap + VFIO_USER_SPARSE_FIRST + i * VFIO_USER_SPARSE_AREA_SIZE;

		put_le64(area, region->areas[i].first);
		put_le64(area + 8, region->areas[i].size);
	}
}

int external_region_info(struct external *x, struct vfuser_msg *msg, struct refusal *why)
{
	uint32_t index = get_le32(msg->payload + VFIO_USER_REGION_INDEX), argsz = get_le32(msg->payload);
	const struct vfio_user_import_facts *facts;
	const struct vfio_user_import_region *region;
	int err = check(x, msg, VFIO_USER_REGION_SIZE, &facts, why);
	uint32_t whole = VFIO_USER_REGION_SIZE, flags, caps = 0;

	if (err)
		return err;
	if (index >= VFIO_USER_IMPORT_REGIONS) {
		refuse(why, "", "there is no region %u: 0 to %u are", index, VFIO_USER_IMPORT_REGIONS - 1);
		return -EINVAL;
	}
	remember(x, facts);
	region = &facts->regions[index];
	flags = region->size ? region->flags : 0;
	if (region->fd >= 0) {
		flags |= VFIO_USER_REGION_MMAP | VFIO_USER_REGION_HAS_CAPS;
		whole += VFIO_USER_SPARSE_FIRST + region->area_count * VFIO_USER_SPARSE_AREA_SIZE;
		caps = VFIO_USER_REGION_SIZE;
	}
	msg->size = VFIO_USER_REGION_SIZE;
	if (region->fd >= 0 && argsz >= whole) {
		write_sparse(msg->reply + caps, region);
		msg->size = whole;
		msg->reply_fds[msg->reply_fd_count++] = region->fd;
		x->pages_given = true;
	}
	put_le32(msg->reply + VFIO_USER_REGION_ARGSZ, whole);
	put_le32(msg->reply + VFIO_USER_REGION_FLAGS, flags);
	put_le32(msg->reply + VFIO_USER_REGION_INDEX, index);
	put_le32(msg->reply + VFIO_USER_REGION_CAPS, caps);
	put_le64(msg->reply + VFIO_USER_REGION_BYTES, region->size);
	put_le64(msg->reply + VFIO_USER_REGION_OFFSET, region->fd >= 0 ? region->offset : 0);
	return 0;
}

int external_irq_info(struct external *x, struct vfuser_msg *msg, struct refusal *why)
{
	uint32_t index = get_le32(msg->payload + VFIO_USER_IRQ_INDEX);
	const struct vfio_user_import_facts *facts;
	int err = check(x, msg, VFIO_USER_IRQ_SIZE, &facts, why);

	if (err)
		return err;
	if (index >= VFIO_USER_IRQ_INDEXES) {
		refuse(why, "", "there is no interrupt index %u: 0 to %u are", index,
		       VFIO_USER_IRQ_INDEXES - 1);
		return -EINVAL;
	}
	put_le32(msg->reply + VFIO_USER_IRQ_ARGSZ, VFIO_USER_IRQ_SIZE);
	put_le32(msg->reply + VFIO_USER_IRQ_FLAGS, facts->irqs[index].flags);
	put_le32(msg->reply + VFIO_USER_IRQ_INDEX, index);
	put_le32(msg->reply + VFIO_USER_IRQ_COUNT, facts->irqs[index].count);
	msg->size = VFIO_USER_IRQ_SIZE;
	return 0;
}

/* Its doorbells are rung by writes: a descriptor of another process is none to be trusted with a VMM. */
int external_io_fds(struct external *x, struct vfuser_msg *msg, struct refusal *why)
{
	uint32_t index = get_le32(msg->payload + VFIO_USER_IO_FDS_INDEX);
	const struct vfio_user_import_facts *facts;
	int err = check(x, msg, VFIO_USER_IO_FDS_SIZE, &facts, why);

	if (err)
		return err;
	if (index >= VFIO_USER_IMPORT_REGIONS) {
		refuse(why, "", "there is no region %u: 0 to %u are", index, VFIO_USER_IMPORT_REGIONS - 1);
		return -EINVAL;
	}
	memset(msg->reply, 0, VFIO_USER_IO_FDS_SIZE);
	put_le32(msg->reply + VFIO_USER_IO_FDS_ARGSZ, VFIO_USER_IO_FDS_SIZE);
	put_le32(msg->reply + VFIO_USER_IO_FDS_INDEX, index);
	msg->size = VFIO_USER_IO_FDS_SIZE;
	return 0;
}
