/* The vhost-user attachment: the socket's path, who connects to whom, and what happens when a
 * frontend comes and goes.  Everything a guest granted is given back when its socket closes. */
#include "attach/internal.h"
#include "attach/kinds.h"
#include "attach/listen.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_retry(uv_timer_t *timer);
static void on_later(uv_timer_t *timer);

void vu_event(struct vhost_user *vu, const char *kind, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	vu->host.event(vu->host.owner, vu->front, kind, text);
}

/* What the device calls, under the hold. */

static void on_interrupt(void *owner, unsigned queue)
{
	struct vhost_user *vu = owner;
	int vector = vu->domain->ops->interrupt(vu->domain, queue);
	struct vu_ring *ring;

	if (vector < 0 || (unsigned)vector >= vu_ring_count(vu))
		return;
	ring = &vu->rings[vector];
	if (ring->call_fd < 0 || ring->call_blocks || vu_signal(ring->call_fd, ring->call_is_socket))
		return;
	ring->call_blocks = true;
	atomic_store(&vu->blocked, true);
	if (!vu->front->stopped[0])
		snprintf(vu->front->stopped, sizeof vu->front->stopped,
			 "queue %d: the frontend made its call descriptor block", vector);
}

static void on_config_changed(void *owner)
{
	struct vhost_user *vu = owner;

	atomic_store(&vu->config_changed, true);
	uv_async_send(vu->async);
}

static void on_misses(void *owner)
{
	struct vhost_user *vu = owner;

	uv_async_send(vu->async);
}

struct virtio_host vu_device_host(struct vhost_user *vu)
{
	return (struct virtio_host){ .interrupt = on_interrupt, .config_changed = on_config_changed,
				     .misses = on_misses, .owner = vu };
}

/* Stops a front whose memory was taken away: what its rings hold now is zeros.  Should it have
 * stumbled over those and stopped already, this is the better reason. */
static void stop_lost(struct vhost_user *vu)
{
	vu->told_lost = true;
	vu_rings_stop(vu);
	attach_hold(vu->front);
	snprintf(vu->front->stopped, sizeof vu->front->stopped,
		 "the frontend took back memory that its guest was using (file truncated)");
	vu->front->ready = false;
	attach_release(vu->front);
	vu_look(vu);
}

bool vu_ready(struct vhost_user *vu)
{
	if (attach_ready(vu->front))
		return true;
	if (!uv_is_active((uv_handle_t *)vu->later)) {
		vu_socket_wait(vu);
		uv_timer_start(vu->later, on_later, VU_LATER_MS, VU_LATER_MS);
	}
	if (!vu->told_held)
		vu_event(vu, "held", "its worker keeps it and does not come back: the frontend has "
				     "to wait for that");
	vu->told_held = true;
	return false;
}

static void on_later(uv_timer_t *timer)
{
	struct vhost_user *vu = timer->data;

	if (!vu || !attach_ready(vu->front))
		return;
	uv_timer_stop(timer);
	vu->told_held = false;
	vu_event(vu, "let go", "its worker has come back");
	vu_socket_resume(vu);
	uv_async_send(vu->async); /* what the front asked for meanwhile */
}

static void on_async(uv_async_t *async)
{
	struct vhost_user *vu = async->data;

	if (!vu || !vu_ready(vu))
		return;
	if (!vu->told_lost && vu_memory_lost(vu))
		stop_lost(vu);
	if (atomic_exchange(&vu->config_changed, false))
		vu_backend_config_changed(vu);
	vu_iotlb_ask(vu);
}

void vu_look(struct vhost_user *vu)
{
	struct attach_look look;

	if (!attach_look(vu->front, &look))
		return;
	if (look.stopped[0] && !vu->told_stopped) {
		vu_event(vu, "stopped", "%s", look.stopped);
		vu_rings_fail(vu);
	}
	vu->told_stopped = look.stopped[0] != '\0';
	if (look.ready && !vu->told_ready)
		vu_event(vu, "driver ready", "features 0x%llx",
			 (unsigned long long)vu->device->ops->accepted(vu->device));
	vu->told_ready = look.ready;
}

static void on_watch(uv_timer_t *timer)
{
	if (!timer->data)
		return;
	attach_timer_next(timer, on_watch, VU_WATCH_MS); /* a look may end the connection, and this with it */
	vu_look(timer->data);
}

/* Coming. */

static void retry_later(struct vhost_user *vu)
{
	uv_timer_start(vu->retry, on_retry, vu->retry_ms, 0);
	vu->retry_ms = vu->retry_ms * 2 > VU_RETRY_MAX_MS ? VU_RETRY_MAX_MS : vu->retry_ms * 2;
}

static void connected(struct vhost_user *vu, int fd)
{
	int err = vu_socket_open(vu, fd);

	if (err) {
		vu_event(vu, "disconnected", "the socket cannot be polled: %s", uv_strerror(err));
		attach_poll_close(&vu->poll);
		vu->fd = -1;
		close(fd);
		return;
	}
	if (vu->connections++)
		vu->reconnects++;
	vu->retry_ms = VU_RETRY_MIN_MS;
	if (vu->listener)
		uv_poll_stop(vu->listener); /* one frontend at a time; others wait in the queue */
	attach_timer_next(vu->watch, on_watch, VU_WATCH_MS);
	vu_event(vu, "connected", "a frontend is on %s", vu->where.sun_path);
}

static void on_listen(uv_poll_t *poll, int status, int events)
{
	struct vhost_user *vu = poll->data;
	int fd;

	(void)status;
	(void)events;
	if (!vu || vu->fd >= 0 || vu->leaving)
		return;
	fd = accept4(vu->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		connected(vu, fd);
}

static void on_retry(uv_timer_t *timer)
{
	struct vhost_user *vu = timer->data;
	int fd;

	if (!vu || vu->fd >= 0 || vu->leaving)
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&vu->where, sizeof vu->where) == 0) {
		connected(vu, fd);
	} else if (fd >= 0) {
		close(fd);
	}
	if (vu->fd < 0)
		retry_later(vu);
}

/* Going. */

void vu_reset_front(struct vhost_user *vu)
{
	attach_hold(vu->front);
	vu->device->ops->reset(vu->device);
	vu->front->polled = false;
	snprintf(vu->front->stopped, sizeof vu->front->stopped, "%s", vu->quarantined);
	attach_release(vu->front);
}

/* Gives back all that the guest granted; the front is as new. */
static void forget_guest(struct vhost_user *vu)
{
	vu_rings_forget(vu);
	vu_iotlb_drop(vu);
	vu->features = vu->protocol_features = 0;
	vu->features_set = false;
	vu->status = 0;
	vu_share_drop(vu);
	vu_memory_drop(vu);
	vu->quarantined[0] = '\0'; /* the next guest is another one */
	vu_reset_front(vu);
	vu->told_ready = vu->told_stopped = false;
}

void vu_left(struct vhost_user *vu)
{
	vu->leaving = false;
	forget_guest(vu);
	vu_quiet_end(vu);
	if (vu->host.unplugged)
		vu->host.unplugged(vu->host.owner, vu->front);
	if (vu->listener)
		uv_poll_start(vu->listener, UV_READABLE, on_listen);
	else
		retry_later(vu);
}

void vu_disconnect(struct vhost_user *vu, const char *why)
{
	vu_socket_close(vu);
	uv_timer_stop(vu->watch);
	vu_event(vu, "disconnected", "%s", why);
	vu->leaving = true;
	if (vu_is_quiet(vu))
		vu_left(vu);
}

/* Set-up. */

static int start_listening(struct vhost_user *vu, struct refusal *why)
{
	int fd = attach_listen(&vu->where, why), err;

	if (fd < 0)
		return fd;
	vu->listen_fd = fd; /* from here on, destroy removes the path */
	err = attach_poll_open(&vu->listener, vu->host.loop, fd, vu);
	return err ? err : uv_poll_start(vu->listener, UV_READABLE, on_listen);
}

static int make_handles(struct vhost_user *vu)
{
	uv_timer_t **const timers[] = { &vu->retry, &vu->watch, &vu->again, &vu->later, &vu->quiet };
	int err = 0;

	for (unsigned i = 0; !err && i < array_len(timers); i++)
		err = attach_timer_open(timers[i], vu->host.loop, vu);
	return err ? err : attach_async_open(&vu->async, vu->host.loop, on_async, vu);
}

static void destroy(struct attachment *attachment)
{
	struct vhost_user *vu = container_of(attachment, struct vhost_user, attachment);

	if (!attachment)
		return;
	must(!vu->front || (!vu->front->hold && vu->device->ops->busy(vu->device) == 0));
	vu_socket_close(vu);
	if (vu->front && vu->async)
		forget_guest(vu);
	if (vu->domain)
		vu->domain->dma = NULL;
	attach_poll_close(&vu->listener);
	attach_handle_close((uv_handle_t *)vu->retry);
	attach_handle_close((uv_handle_t *)vu->watch);
	attach_handle_close((uv_handle_t *)vu->again);
	attach_handle_close((uv_handle_t *)vu->later);
	attach_handle_close((uv_handle_t *)vu->quiet);
	attach_handle_close((uv_handle_t *)vu->async);
	if (vu->listen_fd >= 0) {
		unlink(vu->where.sun_path);
		close(vu->listen_fd);
	}
	free(vu->made);
	free(vu);
}

static int create(struct attachment **attachment, const struct attach_host *host,
		  const struct attach_conf *conf, struct refusal *why)
{
	struct vhost_user *vu = calloc(1, sizeof *vu);
	int err;

	if (!vu)
		return -ENOMEM;
	vu->attachment.ops = &attach_vhost_user;
	vu->host = *host;
	must(conf->domain != NULL);
	vu->domain = conf->domain;
	vu->kind = conf->disk ? &vu_kind_blk : &vu_kind_net;
	vu->mode = conf->io->socket_mode;
	vu->where.sun_family = AF_UNIX;
	vu->fd = vu->listen_fd = vu->backend_fd = vu->reply_fd = -1;
	vu->retry_ms = VU_RETRY_MIN_MS;
	vu_rings_init(vu);
	/* A call pipe whose reader died must not end us. */
	signal(SIGPIPE, SIG_IGN);
	err = guest_memory_guard();
	if (!err)
		err = attach_name_socket(host, conf, vu->where.sun_path, why);
	if (!err)
		err = make_handles(vu);
	if (!err)
		err = vu->kind->make(vu, conf, why);
	if (!err && vu->mode == SITE_SOCKET_SERVER)
		err = start_listening(vu, why);
	if (!err && vu->mode == SITE_SOCKET_CLIENT)
		err = uv_timer_start(vu->retry, on_retry, 0, 0);
	if (err) {
		if (why && !why->text[0])
			refuse(why, "", "cannot set up %s: %s", vu->where.sun_path,
			       uv_strerror(err));
		destroy(&vu->attachment);
		return err;
	}
	*attachment = &vu->attachment;
	return 0;
}

static struct nic_front *front_of(struct attachment *attachment)
{
	return container_of(attachment, struct vhost_user, attachment)->nic;
}

static struct block_front *disk_of(struct attachment *attachment)
{
	return container_of(attachment, struct vhost_user, attachment)->block;
}

static bool some_ring_runs(const struct vhost_user *vu)
{
	for (unsigned i = 0; i < vu_ring_count(vu); i++)
		if (vu->device->ops->ring_runs(vu->device, i))
			return true;
	return false;
}

static const char *state_of(const struct vhost_user *vu)
{
	if (vu->fd < 0)
		return vu->leaving ? "leaving" : "waiting";
	if (vu->front->stopped[0])
		return "stopped";
	return some_ring_runs(vu) ? "running" : "connected";
}

static void facts(struct attachment *attachment, struct attach_facts *facts)
{
	struct vhost_user *vu = container_of(attachment, struct vhost_user, attachment);

	*facts = (struct attach_facts){ .features = vu->device->ops->accepted(vu->device),
					.reconnects = vu->reconnects };
	snprintf(facts->where, sizeof facts->where, "%s", vu->where.sun_path);
	if (!attach_ready(vu->front)) {
		snprintf(facts->state, sizeof facts->state, "held");
		return;
	}
	attach_hold(vu->front);
	snprintf(facts->state, sizeof facts->state, "%s", state_of(vu));
	memcpy(facts->stopped, vu->front->stopped, sizeof facts->stopped);
	for (unsigned i = 0; i < vu->lanes; i++)
		facts->queue_pairs += vu->device->ops->ring_runs(vu->device, vu->kind->per_lane * i);
	attach_release(vu->front);
}

static void rebound(struct attachment *attachment)
{
	(void)attachment; /* the card announces; the guest sees nothing, that is the point */
}

static void quarantine(struct attachment *attachment, const char *why)
{
	struct vhost_user *vu = container_of(attachment, struct vhost_user, attachment);

	snprintf(vu->quarantined, sizeof vu->quarantined, "%s", why);
	/* A ring cannot stop with requests under way: a stopped front reads none of it either. */
	if (vu->kind->pace == VU_PROMPT)
		vu_rings_stop(vu);
	attach_hold(vu->front);
	snprintf(vu->front->stopped, sizeof vu->front->stopped, "%s", vu->quarantined);
	vu->front->ready = false;
	attach_release(vu->front);
	vu->told_stopped = false; /* should it have stopped before, this is the better reason */
	vu_look(vu);
}

/* Rings go on where they stopped; a driver that asked for its status may reset the device instead. */
static void release(struct attachment *attachment)
{
	struct vhost_user *vu = container_of(attachment, struct vhost_user, attachment);

	vu->quarantined[0] = '\0';
	attach_hold(vu->front);
	vu->front->stopped[0] = '\0';
	attach_release(vu->front);
	vu_rings_settle(vu);
	vu_rings_enable(vu); /* those that never stopped: the front is ready again */
	vu_look(vu);
}

static unsigned end(struct attachment *attachment)
{
	struct vhost_user *vu = container_of(attachment, struct vhost_user, attachment);

	vu->device->ops->pause(vu->device, VIRTIO_PAUSED);
	vu->paused = true;
	return vu->device->ops->busy(vu->device);
}

const struct attach_ops attach_vhost_user = {
	.name = "vhost-user", .create = create, .destroy = destroy, .front = front_of,
	.disk = disk_of,
	.facts = facts, .rebound = rebound, .quarantine = quarantine, .release = release,
	.end = end,
};
