/* Two memories that outlive us: the dirty log that a live migration reads, and the region that keeps
 * what was in flight when a daemon dies. */
#include "attach/internal.h"

#include "base/bytes.h"
#include "dev/inflight.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static void on_loss(void *owner)
{
	uv_async_send(owner); /* inside a signal handler: allowed */
}

static void tell_log(struct vhost_user *vu, bool on)
{
	if (on != vu->logs && vu->fd >= 0)
		vu_event(vu, "dirty log", on ? "on: the guest is being migrated" : "off");
	vu->logs = on;
}

void vu_log_settle(struct vhost_user *vu)
{
	bool on = vu->log && vu_has(vu->features, VHOST_F_LOG_ALL);
	struct dma_log log = {
		.bits = on ? guest_memory_bytes(vu->log) : NULL,
		.size = on ? vu->log_bytes : 0,
	};

	attach_hold(vu->front);
	vu->device->ops->dma(vu->device)->log = log;
	attach_release(vu->front);
	tell_log(vu, on);
}

static void log_replace(struct vhost_user *vu, struct guest_mapping *log, uint64_t bytes)
{
	struct guest_mapping *old = vu->log;

	vu->log = log;
	vu->log_bytes = bytes;
	vu_log_settle(vu);
	guest_memory_unmap(old);
}

int vu_set_log_base(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	struct guest_mapping *log = NULL;
	uint64_t size = 0, offset = 0;

	if (msg->fd_count && msg->size < VHOST_USER_LOG_BYTES) {
		refuse(why, "", "SET_LOG_BASE with a descriptor has %u bytes, not %u", msg->size,
		       VHOST_USER_LOG_BYTES);
		return -EPROTO;
	}
	if (msg->fd_count) {
		int err;

		size = get_le64(msg->payload + VHOST_USER_LOG_SIZE);
		offset = get_le64(msg->payload + VHOST_USER_LOG_OFFSET);
		err = guest_memory_map(msg->fds[0], offset, size, &log);
		if (err) {
			refuse(why, "", "cannot map the dirty log, 0x%llx bytes: %s",
			       (unsigned long long)size, uv_strerror(err));
			return err;
		}
		guest_memory_on_loss(log, on_loss, vu->async);
	}
	log_replace(vu, log, size);
	put_le64(msg->payload, 0);
	msg->size = 8;
	return 0;
}

int vu_set_log_fd(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	(void)vu;
	(void)msg; /* to signal it is optional; frontends read the log when they want to */
	(void)why;
	return 0;
}

/* Bytes of one queue's region, each on a cache line of its own. */
static uint64_t region_bytes(const struct vhost_user *vu, uint16_t queue_size)
{
	uint64_t bytes = inflight_size(vu_has(vu->features, VU_BIT_RING_PACKED), queue_size);

	return (bytes + 63) / 64 * 64;
}

static int inflight_read(const struct vhost_user *vu, const struct vu_msg *msg, uint16_t *queues,
			 uint16_t *size, struct refusal *why)
{
	*queues = get_le16(msg->payload + VHOST_USER_INFLIGHT_QUEUES);
	*size = get_le16(msg->payload + VHOST_USER_INFLIGHT_QUEUE_SIZE);
	if (*queues && *queues <= vu_ring_count(vu) && *size && *size <= vu->kind->ring_max)
		return 0;
	refuse(why, "", "an in-flight region of %u queues with %u entries; 1 to %u with 1 to %u may be",
	       *queues, *size, vu_ring_count(vu), vu->kind->ring_max);
	return -EINVAL;
}

static void inflight_replace(struct vhost_user *vu, struct guest_mapping *mapping, uint64_t bytes,
			     uint16_t queues, uint16_t size)
{
	struct guest_mapping *old = vu->inflight;

	vu_rings_stop(vu); /* they hold pointers into the old one */
	vu->inflight = mapping;
	vu->inflight_bytes = bytes;
	vu->inflight_queues = queues;
	vu->inflight_size = size;
	guest_memory_unmap(old);
	vu_rings_settle(vu);
}

int vu_get_inflight_fd(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	struct guest_mapping *mapping;
	uint16_t queues, size;
	uint64_t bytes;
	int fd, err = inflight_read(vu, msg, &queues, &size, why);

	if (err)
		return err;
	bytes = queues * region_bytes(vu, size);
	fd = memfd_create("midplane-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	/* Sealed: whoever keeps it cannot shrink it under us. */
	if (ftruncate(fd, (off_t)bytes) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		err = -errno;
	if (!err)
		err = guest_memory_map(fd, 0, bytes, &mapping);
	if (err) {
		refuse(why, "", "cannot make an in-flight region: %s", uv_strerror(err));
		close(fd);
		return err;
	}
	guest_memory_on_loss(mapping, on_loss, vu->async);
	inflight_replace(vu, mapping, bytes, queues, size);
	put_le64(msg->payload + VHOST_USER_INFLIGHT_SIZE, bytes);
	put_le64(msg->payload + VHOST_USER_INFLIGHT_OFFSET, 0);
	vu->reply_fd = fd;
	return 0;
}

int vu_set_inflight_fd(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	uint64_t bytes = get_le64(msg->payload + VHOST_USER_INFLIGHT_SIZE);
	uint64_t offset = get_le64(msg->payload + VHOST_USER_INFLIGHT_OFFSET);
	struct guest_mapping *mapping;
	uint16_t queues, size;
	int err = inflight_read(vu, msg, &queues, &size, why);

	if (err)
		return err;
	if (bytes < queues * region_bytes(vu, size)) {
		refuse(why, "", "an in-flight region of 0x%llx bytes is too small for %u queues",
		       (unsigned long long)bytes, queues);
		return -EINVAL;
	}
	err = guest_memory_map(msg->fds[0], offset, bytes, &mapping);
	if (err) {
		refuse(why, "", "cannot map the in-flight region: %s", uv_strerror(err));
		return err;
	}
	guest_memory_on_loss(mapping, on_loss, vu->async);
	inflight_replace(vu, mapping, bytes, queues, size);
	return 0;
}

uint8_t *vu_inflight_of(const struct vhost_user *vu, unsigned index, uint32_t *size)
{
	uint64_t each = region_bytes(vu, vu->inflight_size);

	*size = 0;
	/* Features may have changed since the region was made: a packed ring needs more. */
	if (!vu->inflight || index >= vu->inflight_queues ||
	    each * (index + 1) > vu->inflight_bytes ||
	    vu->rings[index].size > vu->inflight_size)
		return NULL;
	*size = (uint32_t)each;
	return guest_memory_bytes(vu->inflight) + each * index;
}

void vu_share_drop(struct vhost_user *vu)
{
	log_replace(vu, NULL, 0);
	guest_memory_unmap(vu->inflight);
	vu->inflight = NULL;
	vu->inflight_bytes = 0;
	vu->inflight_queues = vu->inflight_size = 0;
}
