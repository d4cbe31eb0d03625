/* Requests about the device as a whole: features, status, configuration space, resets. */
#include "attach/internal.h"

#include "base/bytes.h"

#include <errno.h>

/* What is ours to take out of SET_FEATURES before the driver's bits go to the front. */
static const uint64_t transport_bits = UINT64_C(1) << VHOST_F_LOG_ALL |
				       UINT64_C(1) << VHOST_USER_F_PROTOCOL_FEATURES;

/* HOST_NOTIFIER is not among them: a queue that is polled has no doorbell page to lend. */
static const uint64_t protocol_bits =
	1u << VHOST_USER_PROTOCOL_F_MQ | 1u << VHOST_USER_PROTOCOL_F_LOG_SHMFD |
	1u << VHOST_USER_PROTOCOL_F_REPLY_ACK | 1u << VHOST_USER_PROTOCOL_F_BACKEND_REQ |
	1u << VHOST_USER_PROTOCOL_F_CONFIG | 1u << VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD |
	1u << VHOST_USER_PROTOCOL_F_RESET_DEVICE |
	1u << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS | 1u << VHOST_USER_PROTOCOL_F_STATUS;

static uint64_t protocol_features(const struct vhost_user *vu)
{
	return protocol_bits | vu->kind->protocol_features;
}

static int reply_u64(struct vu_msg *msg, uint64_t value)
{
	put_le64(msg->payload, value);
	msg->size = 8;
	return 0;
}

/* ACCESS_PLATFORM is offered once the frontend has agreed on the channel by which its IOMMU is asked.
 * QEMU asks for features again after that.  User-mode Linux asks once, before; it would take the
 * bit and then find no memory for rings, since it has no DMA at all. */
int vu_get_features(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	uint64_t features = vu->device->ops->features(vu->device) | transport_bits;

	(void)why;
	if (!vu_has(vu->protocol_features, VHOST_USER_PROTOCOL_F_BACKEND_REQ))
		features &= ~(UINT64_C(1) << VU_BIT_ACCESS_PLATFORM);
	return reply_u64(msg, features);
}

/* The driver's bits go to the front: nothing for a front that has them already, since a frontend
 * says them again to turn logging on under a running driver. */
static int accept_driver(struct vhost_user *vu, uint64_t driver, struct refusal *why)
{
	int err;

	if (vu->features_set && vu->device->ops->accepted(vu->device) == driver)
		return 0;
	vu_rings_stop(vu);
	attach_hold(vu->front);
	err = vu->device->ops->accept(vu->device, driver);
	attach_release(vu->front);
	if (!err)
		return 0;
	vu_rings_settle(vu); /* nothing has changed */
	refuse(why, "", "features 0x%llx are not a choice of the offered 0x%llx",
	       (unsigned long long)driver,
	       (unsigned long long)vu->device->ops->features(vu->device));
	return err;
}

int vu_set_features(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	uint64_t features = get_le64(msg->payload);
	int err = accept_driver(vu, features & ~transport_bits, why);

	if (err)
		return err;
	vu->features = features;
	vu->features_set = true;
	vu_iotlb_settle(vu);
	vu_log_settle(vu);
	vu_rings_settle(vu);
	/* A second SET_FEATURES may drop the protocol bit: rings are enabled then. */
	vu_rings_enable(vu);
	return 0;
}

int vu_get_protocol_features(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	(void)why;
	return reply_u64(msg, protocol_features(vu));
}

int vu_set_protocol_features(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	uint64_t features = get_le64(msg->payload);

	if (features & ~protocol_features(vu)) {
		refuse(why, "", "protocol features 0x%llx were not offered",
		       (unsigned long long)(features & ~protocol_features(vu)));
		return -EINVAL;
	}
	vu->protocol_features = features;
	return 0;
}

int vu_set_owner(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	(void)vu;
	(void)msg;
	(void)why;
	return 0; /* one connection has one owner: it */
}

/* Deprecated; the protocol recommends to disable all rings. */
int vu_reset_owner(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	(void)msg;
	(void)why;
	for (unsigned i = 0; i < vu_ring_count(vu); i++)
		vu->rings[i].wanted = false;
	vu_rings_enable(vu);
	return 0;
}

/* The device as new; memory and the connection's own agreements stay. */
static void reset_device(struct vhost_user *vu)
{
	vu_rings_reset(vu);
	vu_reset_front(vu);
	vu->features &= 1u << VHOST_USER_F_PROTOCOL_FEATURES;
	vu->features_set = false;
	vu->status = 0;
	vu_iotlb_settle(vu);
	vu_log_settle(vu);
}

int vu_reset_device(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	(void)msg;
	(void)why;
	reset_device(vu);
	return 0;
}

int vu_set_status(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	uint64_t status = get_le64(msg->payload);

	if (status > UINT8_MAX) {
		refuse(why, "", "device status 0x%llx has more than eight bits",
		       (unsigned long long)status);
		return -EINVAL;
	}
	if (status == 0)
		reset_device(vu);
	vu->status = (uint8_t)status;
	return 0;
}

int vu_get_status(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	enum { NEEDS_RESET = 64 }; /* virtio 1.2 section 2.1 */

	(void)why;
	return reply_u64(msg, vu->status | (vu->front->stopped[0] ? NEEDS_RESET : 0u));
}

int vu_get_queue_num(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	(void)why;
	/* Frontends of network devices take it as a number of pairs, others as one of queues. */
	return reply_u64(msg, vu->lanes);
}

/* Reads offset and size of a configuration access that fits its message; false when it does not. */
static bool config_range(const struct vu_msg *msg, uint32_t *offset, uint32_t *size)
{
	*offset = get_le32(msg->payload + VHOST_USER_CONFIG_OFFSET);
	*size = get_le32(msg->payload + VHOST_USER_CONFIG_SIZE);
	return *size <= msg->size - VHOST_USER_CONFIG_FIRST &&
	       *offset <= VHOST_USER_CONFIG_MAX && *size <= VHOST_USER_CONFIG_MAX - *offset;
}

int vu_get_config(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	uint32_t offset, size;

	(void)why;
	if (!config_range(msg, &offset, &size) || size == 0) {
		msg->size = 0; /* the protocol's way to say no */
		return 0;
	}
	attach_hold(vu->front);
	vu->device->ops->config_read(vu->device, offset, size, msg->payload + VHOST_USER_CONFIG_FIRST);
	attach_release(vu->front);
	return 0;
}

int vu_set_config(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	uint32_t flags = get_le32(msg->payload + VHOST_USER_CONFIG_FLAGS);
	uint32_t offset, size;
	int err = -EINVAL;

	if (config_range(msg, &offset, &size)) {
		if (flags & VHOST_USER_CONFIG_MIGRATION)
			return 0; /* our own site file says what is in there */
		attach_hold(vu->front);
		err = vu->device->ops->config_write(vu->device, offset, size,
					      msg->payload + VHOST_USER_CONFIG_FIRST);
		attach_release(vu->front);
	}
	if (err)
		refuse(why, "", "configuration bytes %u to %u may not be written", offset,
		       offset + size);
	return err;
}
