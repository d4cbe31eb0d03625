/* The back-end channel, and what mostly goes over it: questions to the guest's IOMMU.
 *
 * A front that misses a translation leaves a page request and holds the frame.  Here the question goes
 * out, once a page as long as it is open and again after VU_MISS_AGAIN_MS; the answer comes as IOTLB_MSG
 * on the main socket and is mapped into the front's domain under the hold, and so is an invalidation: when
 * it is acknowledged no worker uses the old translation any more. */
#include "attach/internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAGE = 4096 };

static void channel_close(struct vhost_user *vu)
{
	if (vu->backend_fd < 0)
		return;
	attach_poll_close(&vu->backend_poll);
	close(vu->backend_fd);
	vu->backend_fd = -1;
}

/* We ask for no replies there, so what comes is read away; its end closes the channel. */
static void on_channel(uv_poll_t *poll, int status, int events)
{
	struct vhost_user *vu = poll->data;
	uint8_t away[1024];
	ssize_t got;

	(void)events;
	if (!vu || vu->backend_fd < 0)
		return;
	if (status < 0) /* the loop looks at it no more */
		uv_poll_start(poll, UV_READABLE | UV_DISCONNECT, on_channel);
	got = recv(vu->backend_fd, away, sizeof away, MSG_DONTWAIT);
	if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	channel_close(vu);
}

int vu_set_backend_req_fd(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	int type = 0, err = 0;
	socklen_t length = sizeof type;

	if (getsockopt(msg->fds[0], SOL_SOCKET, SO_TYPE, &type, &length) || type != SOCK_STREAM) {
		refuse(why, "", "the descriptor of the back-end channel is no stream socket");
		return -EINVAL;
	}
	channel_close(vu);
	err = attach_poll_open(&vu->backend_poll, vu->host.loop, msg->fds[0], vu);
	if (err) {
		refuse(why, "", "the back-end channel cannot be polled: %s", uv_strerror(err));
		return err;
	}
	vu->backend_fd = vu_take_fd(msg, 0);
	vu->told_no_channel = false;
	uv_poll_start(vu->backend_poll, UV_READABLE | UV_DISCONNECT, on_channel);
	vu_iotlb_ask(vu);
	return 0;
}

void vu_backend_config_changed(struct vhost_user *vu)
{
	if (vu->backend_fd < 0 || !vu_has(vu->protocol_features, VHOST_USER_PROTOCOL_F_CONFIG))
		return;
	/* A frontend that does not read has its own trouble; it can always ask GET_CONFIG. */
	(void)vu_send(vu->backend_fd, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, 0, NULL, 0, -1);
}

/* Sends the question for one page; an unsent one is tried again by the timer. */
static void ask(struct vhost_user *vu, struct vu_pending *pending)
{
	uint8_t payload[VHOST_USER_IOTLB_BYTES] = { 0 };

	pending->asked_ms = uv_now(vu->host.loop);
	pending->tries++;
	if (vu->backend_fd < 0) {
		if (!vu->told_no_channel)
			vu_event(vu, "refused", "the guest has an IOMMU, but its frontend gave no"
						" back-end channel to ask it");
		vu->told_no_channel = true;
		return;
	}
	put_le64(payload + VHOST_USER_IOTLB_IOVA, pending->iova);
	payload[VHOST_USER_IOTLB_PERM] = pending->access;
	payload[VHOST_USER_IOTLB_TYPE] = VHOST_USER_IOTLB_MISS;
	(void)vu_send(vu->backend_fd, VHOST_USER_BACKEND_IOTLB_MSG, 0, payload, sizeof payload, -1);
}

static void on_again(uv_timer_t *timer)
{
	struct vhost_user *vu = timer->data;
	uint64_t now_ms = uv_now(vu->host.loop);

	for (unsigned i = vu->pending_count; i-- > 0;) {
		if (now_ms - vu->pending[i].asked_ms < VU_MISS_AGAIN_MS)
			continue;
		if (vu->pending[i].tries == VU_MISS_TRIES)
			vu->pending[i] = vu->pending[--vu->pending_count];
		else
			ask(vu, &vu->pending[i]);
	}
	if (!vu->pending_count)
		uv_timer_stop(timer);
}

/* Notes a question; false when the same one is open. */
static bool pending_add(struct vhost_user *vu, const struct page_request *request)
{
	uint64_t iova = request->iova / PAGE * PAGE;

	for (unsigned i = 0; i < vu->pending_count; i++) {
		struct vu_pending *there = &vu->pending[i];

		if (there->iova != iova)
			continue;
		if ((there->access & request->access) == request->access)
			return false;
		there->access |= request->access;
		ask(vu, there);
		return false;
	}
	if (vu->pending_count == VU_PENDING_MAX) /* an old question gives way; it can come again */
		vu->pending[0] = vu->pending[--vu->pending_count];
	vu->pending[vu->pending_count++] =
		(struct vu_pending){ .iova = iova, .access = request->access };
	return true;
}

/* Forgets the questions that iova .. iova + size answers for 'access'. */
static void pending_answered(struct vhost_user *vu, uint64_t iova, uint64_t size, uint8_t access)
{
	for (unsigned i = 0; i < vu->pending_count;) {
		struct vu_pending *there = &vu->pending[i];

		if (there->iova - iova < size && (there->access & access) == there->access)
			*there = vu->pending[--vu->pending_count];
		else
			i++;
	}
}

void vu_iotlb_ask(struct vhost_user *vu)
{
	struct page_request requests[VU_PENDING_MAX];
	unsigned count = 0;

	if (!vu->translated)
		return;
	attach_hold(vu->front);
	while (count < VU_PENDING_MAX && page_requests_take(&vu->requests, &requests[count]))
		count++;
	attach_release(vu->front);
	for (unsigned i = 0; i < count; i++)
		if (pending_add(vu, &requests[i]))
			ask(vu, &vu->pending[vu->pending_count - 1]);
	if (vu->pending_count && !uv_is_active((uv_handle_t *)vu->again)) {
		vu->again->data = vu;
		uv_timer_start(vu->again, on_again, VU_MISS_AGAIN_MS, VU_MISS_AGAIN_MS);
	}
}

/* What the guest's IOMMU said. */
struct translation {
	uint64_t iova, size, user;
	uint8_t access; /* enum dma_access, ored; 0: none */
};

static int check(const struct vhost_user *vu, const struct translation *t, struct refusal *why)
{
	if (t->access > (DMA_READ | DMA_WRITE)) {
		refuse(why, "", "translation of 0x%llx with rights %u, not 0 to 3",
		       (unsigned long long)t->iova, t->access);
		return -EINVAL;
	}
	if (!vu_user_bytes(vu, t->user, t->size)) {
		refuse(why, "", "translation of 0x%llx to 0x%llx is not inside the memory table",
		       (unsigned long long)t->iova, (unsigned long long)t->user);
		return -EINVAL;
	}
	if ((t->iova | t->size | t->user) % PAGE) {
		refuse(why, "", "translation of 0x%llx to 0x%llx, 0x%llx bytes, is not of whole pages",
		       (unsigned long long)t->iova, (unsigned long long)t->user,
		       (unsigned long long)t->size);
		return -EINVAL;
	}
	return 0;
}

/* Takes back a range, or everything when there is no memory to split a large page: what is taken back too
 * much is asked for again. */
static void take_back(struct iommu_domain *domain, struct iommu_range range)
{
	if (domain->ops->unmap(domain, range) == 0)
		return;
	must(domain->ops->unmap(domain, (struct iommu_range){ 0, UINT64_MAX }) == 0);
}

/* A domain that has no memory left for tables is emptied: it is a cache of what the guest's IOMMU says. */
static int map(struct iommu_domain *domain, const struct translation *t, uint8_t *host)
{
	const struct iommu_range range = { t->iova, t->size };
	int err;

	if (!t->access) {
		take_back(domain, range);
		return 0;
	}
	err = domain->ops->map(domain, range, host, t->access);
	if (err != -ENOMEM)
		return err;
	take_back(domain, (struct iommu_range){ 0, UINT64_MAX });
	domain->ops->flush(domain);
	return domain->ops->map(domain, range, host, t->access);
}

/* Grants what a translation says, when all of it is memory that was granted. */
static int update(struct vhost_user *vu, const struct translation *t, struct refusal *why)
{
	int err = check(vu, t, why);

	if (err)
		return err;
	attach_hold(vu->front);
	err = map(vu->domain, t, vu_user_bytes(vu, t->user, t->size));
	if (!err)
		page_requests_answer(&vu->requests, t->iova, t->size, t->access);
	vu->domain->ops->flush(vu->domain);
	attach_release(vu->front);
	if (err) {
		refuse(why, "", "translation of 0x%llx, 0x%llx bytes: %s", (unsigned long long)t->iova,
		       (unsigned long long)t->size, err == -EINVAL ?
		       "it lies beyond the addresses that functions have" :
		       "no memory for translation tables");
		return err;
	}
	pending_answered(vu, t->iova, t->size, t->access);
	if (vu->ring_waits) {
		vu->ring_waits = false;
		vu_rings_settle(vu);
	}
	vu->host.wake(vu->host.owner, vu->front);
	return 0;
}

static void invalidate(struct vhost_user *vu, uint64_t iova, uint64_t size)
{
	uint64_t first = iova / PAGE * PAGE, last = (iova + (size - 1)) | (PAGE - 1);

	attach_hold(vu->front);
	/* The size of all there is cannot be said; what is beyond the addresses there are is cut. */
	take_back(vu->domain, (struct iommu_range){ first, last - first == UINT64_MAX ? UINT64_MAX :
							   last - first + 1 });
	vu->domain->ops->flush(vu->domain);
	attach_release(vu->front);
	vu_rings_reread(vu); /* what is read and not begun was reached before */
}

int vu_iotlb_msg(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	struct translation entry = {
		.iova = get_le64(msg->payload + VHOST_USER_IOTLB_IOVA),
		.size = get_le64(msg->payload + VHOST_USER_IOTLB_SIZE),
		.user = get_le64(msg->payload + VHOST_USER_IOTLB_USER),
		.access = msg->payload[VHOST_USER_IOTLB_PERM],
	};
	uint8_t type = msg->payload[VHOST_USER_IOTLB_TYPE];

	/* The whole space, 0 to 2^64 - 1, cannot be said in 64 bits: frontends send one less. */
	if (entry.size == 0 || entry.iova + entry.size - 1 < entry.iova) {
		refuse(why, "", "IOTLB message for 0x%llx, 0x%llx bytes: empty, or wraps",
		       (unsigned long long)entry.iova, (unsigned long long)entry.size);
		return -EINVAL;
	}
	switch (type) {
	case VHOST_USER_IOTLB_UPDATE:
		return vu->translated ? update(vu, &entry, why) : 0;
	case VHOST_USER_IOTLB_INVALIDATE:
		/* Its rights mean nothing: QEMU sends what was in memory. */
		if (vu->translated)
			invalidate(vu, entry.iova, entry.size);
		return 0;
	default:
		refuse(why, "", "IOTLB message of type %u, which no frontend sends", type);
		return -EINVAL;
	}
}

void vu_iotlb_settle(struct vhost_user *vu)
{
	bool on = vu_has(vu->features, VU_BIT_ACCESS_PLATFORM) && vu->features_set;

	int err;

	if (on == vu->translated)
		return;
	vu_rings_stop(vu); /* their addresses are of another kind now */
	vu->translated = on;
	vu->pending_count = 0;
	attach_hold(vu->front);
	page_requests_clear(&vu->requests);
	vu->device->ops->set_translated(vu->device, on ? &vu->requests : NULL);
	err = vu_memory_grant(vu);
	attach_release(vu->front);
	if (err)
		vu_event(vu, "refused", "the guest's memory cannot be granted: %s", uv_strerror(err));
}

void vu_iotlb_drop(struct vhost_user *vu)
{
	channel_close(vu);
	vu->pending_count = 0;
	uv_timer_stop(vu->again);
	vu->told_no_channel = vu->ring_waits = false;
	if (!vu->translated)
		return;
	vu->translated = false;
	attach_hold(vu->front);
	vu->device->ops->set_translated(vu->device, NULL);
	(void)vu_memory_grant(vu); /* the memory goes next */
	attach_release(vu->front);
}
