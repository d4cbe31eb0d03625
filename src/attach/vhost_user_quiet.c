/* Waiting until a device has nothing under way.
 *
 * A disk's requests point into guest memory until their medium has done them.  So before a request
 * is served that takes memory or rings away, and before what a frontend granted is given back when it
 * has gone, the device is paused and awaited: a request for VU_QUIET_MAX_MS at most, then it is
 * refused; the end of a connection without end, for the medium may still write.  Devices that finish
 * in their round are never waited for. */
#include "attach/internal.h"

#include <errno.h>

static bool lasts(const struct vhost_user *vu)
{
	return vu->kind->pace == VU_LASTING;
}

bool vu_is_quiet(struct vhost_user *vu)
{
	const struct virtio_device_ops *ops = vu->device->ops;
	unsigned busy;

	if (!lasts(vu))
		return true;
	attach_hold(vu->front);
	if (!vu->paused)
		ops->pause(vu->device, VIRTIO_PAUSED);
	busy = ops->busy(vu->device);
	attach_release(vu->front);
	vu->paused = true;
	if (busy == 0)
		uv_timer_stop(vu->quiet);
	else if (!uv_is_active((uv_handle_t *)vu->quiet))
		uv_timer_start(vu->quiet, vu_quiet_timer, VU_QUIET_MS, VU_QUIET_MS);
	return busy == 0;
}

void vu_quiet_end(struct vhost_user *vu)
{
	vu->waits_since_ms = 0;
	if (!vu->paused)
		return;
	uv_timer_stop(vu->quiet);
	attach_hold(vu->front);
	vu->device->ops->pause(vu->device, VIRTIO_RUNS);
	attach_release(vu->front);
	vu->paused = false;
	vu->host.wake(vu->host.owner, vu->front);
}

/* Of what comes to and fro behind an IOMMU, only invalidations take anything away. */
static bool takes_away(const struct vu_rule *rule, const struct vu_msg *msg)
{
	if (msg->request == VHOST_USER_IOTLB_MSG)
		return msg->payload[VHOST_USER_IOTLB_TYPE] == VHOST_USER_IOTLB_INVALIDATE;
	return rule->when == VU_WHEN_QUIET;
}

int vu_quiet_for(struct vhost_user *vu, const struct vu_rule *rule, const struct vu_msg *msg,
		 struct refusal *why)
{
	if (!takes_away(rule, msg) || vu_is_quiet(vu))
		return 0;
	if (!vu->waits_since_ms)
		vu->waits_since_ms = max_u64(uv_now(vu->host.loop), 1);
	if (uv_now(vu->host.loop) - vu->waits_since_ms < VU_QUIET_MAX_MS) {
		vu_socket_wait(vu);
		return -EINPROGRESS;
	}
	refuse(why, "", "%s: requests are under way that do not end in %u s", rule->name,
	       VU_QUIET_MAX_MS / 1000);
	return -ETIMEDOUT;
}

void vu_quiet_timer(uv_timer_t *timer)
{
	struct vhost_user *vu = timer->data;

	if (!vu || !attach_ready(vu->front))
		return;
	if (vu->leaving) {
		if (vu_is_quiet(vu))
			vu_left(vu);
		return;
	}
	/* Whoever still waits starts it again. */
	uv_timer_stop(timer);
	if (vu->fd >= 0) {
		vu_socket_resume(vu);
		vu_socket_go_on(vu);
	}
}
