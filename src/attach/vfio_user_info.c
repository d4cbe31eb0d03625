/* What the function is: version, regions, interrupts; and its reset. */
#include "attach/vfio_user_internal.h"

#include "base/bytes.h"

#include <errno.h>

int vfuser_version(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	struct vfio_user_limits ours = {
		.major = VFIO_USER_MAJOR, .minor = VFIO_USER_MINOR, .fds = VFIO_USER_FDS_MAX,
		.transfer = VFIO_USER_TRANSFER_MAX, .maps = VFUSER_WINDOWS_MAX,
		.pages = VFIO_USER_DEFAULT_PAGE,
	};
	int err = vfio_user_version_read(&vf->client, msg->payload, msg->header.payload, why);

	if (err)
		return err;
	if (vf->client.major != VFIO_USER_MAJOR) {
		refuse(why, "", "the client speaks version %u.%u, not %u.x", vf->client.major,
		       vf->client.minor, VFIO_USER_MAJOR);
		return -EINVAL;
	}
	ours.minor = (uint16_t)min_u32(ours.minor, vf->client.minor);
	ours.write_multi = vf->client.write_multi;
	ours.needs_fds = vf->conf.reach == VFIO_USER_NEEDS_FDS;
	msg->size = vfio_user_version_write(&ours, msg->reply, VFIO_USER_PAYLOAD_MAX);
	vf->negotiated = true;
	return 0;
}

/* All clients say what room they have for the reply; one that has none for the structure is mistaken. */
static int check_argsz(const struct vfuser_msg *msg, uint32_t least, struct refusal *why)
{
	uint32_t argsz = get_le32(msg->payload);

	if (argsz >= least)
		return 0;
	refuse(why, "", "command %u has argsz %u, not %u or more", msg->header.command, argsz, least);
	return -EINVAL;
}

int vfuser_get_info(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	int err = check_argsz(msg, VFIO_USER_INFO_SIZE, why);

	(void)vf;
	if (err)
		return err;
	put_le32(msg->reply + VFIO_USER_INFO_ARGSZ, VFIO_USER_INFO_SIZE);
	put_le32(msg->reply + VFIO_USER_INFO_FLAGS, VFIO_USER_INFO_RESET | VFIO_USER_INFO_PCI);
	put_le32(msg->reply + VFIO_USER_INFO_REGIONS, PCI_REGION_COUNT);
	put_le32(msg->reply + VFIO_USER_INFO_IRQS, VFIO_USER_IRQ_INDEXES);
	msg->size = VFIO_USER_INFO_SIZE;
	return 0;
}

/* The one area that can be mapped. */
static void write_sparse(uint8_t *cap, const struct pci_region *region)
{
	put_le16(cap + VFIO_USER_CAP_ID, VFIO_USER_CAP_SPARSE_MMAP);
	put_le16(cap + VFIO_USER_CAP_VERSION, 1);
	put_le32(cap + VFIO_USER_CAP_NEXT, 0);
	put_le32(cap + VFIO_USER_SPARSE_AREAS, 1);
	put_le32(cap + VFIO_USER_SPARSE_AREAS + 4, 0);
	put_le64(cap + VFIO_USER_SPARSE_FIRST, region->mapped_first);
	put_le64(cap + VFIO_USER_SPARSE_FIRST + 8, region->mapped_size);
}

int vfuser_get_region_info(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	enum { SPARSE = VFIO_USER_SPARSE_FIRST + VFIO_USER_SPARSE_AREA_SIZE };
	uint32_t index = get_le32(msg->payload + VFIO_USER_REGION_INDEX), flags = 0;
	uint32_t argsz = get_le32(msg->payload), whole = VFIO_USER_REGION_SIZE, caps = 0;
	const struct pci_region *region = &vf->function->regions[index % PCI_REGION_COUNT];
	int err = check_argsz(msg, VFIO_USER_REGION_SIZE, why);
	uint64_t offset = 0;

	if (err)
		return err;
	if (index >= PCI_REGION_COUNT) {
		refuse(why, "", "there is no region %u: 0 to %u are", index, PCI_REGION_COUNT - 1);
		return -EINVAL;
	}
	if (region->size)
		flags = VFIO_USER_REGION_READABLE | VFIO_USER_REGION_WRITABLE;
	if (index < PCI_REGION_ROM && region->mapped_size && vf->conf.pages[index].fd >= 0) {
		flags |= VFIO_USER_REGION_MMAP | VFIO_USER_REGION_HAS_CAPS;
		whole += SPARSE;
		caps = VFIO_USER_REGION_SIZE; /* said when there is no room for them, too: QEMU checks */
		offset = vf->conf.pages[index].offset;
	}
	msg->size = VFIO_USER_REGION_SIZE;
	if (flags & VFIO_USER_REGION_MMAP && argsz >= whole) {
		write_sparse(msg->reply + caps, region);
		msg->size = whole;
		msg->reply_fds[msg->reply_fd_count++] = vf->conf.pages[index].fd;
	}
	put_le32(msg->reply + VFIO_USER_REGION_ARGSZ, whole);
	put_le32(msg->reply + VFIO_USER_REGION_FLAGS, flags);
	put_le32(msg->reply + VFIO_USER_REGION_INDEX, index);
	put_le32(msg->reply + VFIO_USER_REGION_CAPS, caps);
	put_le64(msg->reply + VFIO_USER_REGION_BYTES, region->size);
	put_le64(msg->reply + VFIO_USER_REGION_OFFSET, offset);
	return 0;
}

int vfuser_get_irq_info(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	uint32_t index = get_le32(msg->payload + VFIO_USER_IRQ_INDEX);
	int err = check_argsz(msg, VFIO_USER_IRQ_SIZE, why);
	unsigned count;

	if (err)
		return err;
	if (index >= VFIO_USER_IRQ_INDEXES) {
		refuse(why, "", "there is no interrupt index %u: 0 to %u are", index,
		       VFIO_USER_IRQ_INDEXES - 1);
		return -EINVAL;
	}
	count = vfuser_irq_count(vf, index);
	put_le32(msg->reply + VFIO_USER_IRQ_ARGSZ, VFIO_USER_IRQ_SIZE);
	put_le32(msg->reply + VFIO_USER_IRQ_FLAGS,
		 count ? vfuser_irq_flags(index) : 0);
	put_le32(msg->reply + VFIO_USER_IRQ_INDEX, index);
	put_le32(msg->reply + VFIO_USER_IRQ_COUNT, count);
	msg->size = VFIO_USER_IRQ_SIZE;
	return 0;
}

/* As a VMM resets a device when its guest restarts; descriptors and windows stay. */
int vfuser_reset(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	(void)msg, (void)why;
	vf->migration.quiet = false;
	vfuser_hold(vf);
	pci_function_reset(vf->function, PCI_RESET_FUNCTION);
	vfuser_release(vf);
	vfuser_migration_reset(vf);
	return 0;
}
