#include "attach/vfio_user_front.h"

#include "attach/handle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WATCH_MS = 500, LINE_OF_CACHE = 64 };

struct vfio_front *vfront_of(struct attachment *attachment)
{
	return container_of(attachment, struct vfio_front, attachment);
}

void vfront_init(struct vfio_front *vfront, const struct attach_ops *ops, const struct attach_host *host)
{
	vfront->attachment.ops = ops;
	vfront->host = *host;
}

void *vfront_zeroed(size_t size)
{
	void *at = NULL;
	size_t whole = (size + LINE_OF_CACHE - 1) / LINE_OF_CACHE * LINE_OF_CACHE;

	if (posix_memalign(&at, LINE_OF_CACHE, whole))
		return NULL;
	return memset(at, 0, whole);
}

void vfront_no_misses(void *owner)
{
	(void)owner;
}

/* --- what the server asks, and tells --- */

static bool is_ready(void *owner)
{
	return attach_ready(((struct vfio_front *)owner)->front);
}

static void take_hold(void *owner)
{
	attach_hold(((struct vfio_front *)owner)->front);
}

static void give_hold(void *owner)
{
	attach_release(((struct vfio_front *)owner)->front);
}

static void wake(void *owner)
{
	struct vfio_front *vfront = owner;

	vfront->host.wake(vfront->host.owner, vfront->front);
}

static void watch(void *owner, int fd)
{
	struct vfio_front *vfront = owner;

	vfront->host.watch(vfront->host.owner, vfront->front, fd);
}

static void unwatch(void *owner, int fd)
{
	struct vfio_front *vfront = owner;

	vfront->host.unwatch(vfront->host.owner, vfront->front, fd);
}

static void on_event(void *owner, const char *kind, const char *text)
{
	struct vfio_front *vfront = owner;

	vfront->host.event(vfront->host.owner, vfront->front, kind, text);
	if (strcmp(kind, "disconnected") != 0)
		return;
	vfront->quarantined[0] = '\0'; /* the next guest is another one */
	vfront->told_ready = vfront->told_stopped = false;
	if (vfront->host.unplugged)
		vfront->host.unplugged(vfront->host.owner, vfront->front);
}

/* --- the look --- */

/* A quarantined front takes nothing, whatever its driver does, and a look stops it again. */
static void keep_stopped(struct vfio_front *vfront)
{
	if (!vfront->quarantined[0] || vfront->front->stopped[0])
		return;
	snprintf(vfront->front->stopped, sizeof vfront->front->stopped, "%s", vfront->quarantined);
	vfront->front->ready = false;
}

/* Tells of a driver that came, or a front that stopped, since it was told last; and virtio's driver of the
 * latter. */
static void look(struct vfio_front *vfront)
{
	struct attach_look seen;
	char driver[64];

	if (!is_ready(vfront))
		return;
	take_hold(vfront);
	keep_stopped(vfront);
	if (vfront->virtio)
		virtio_pci_look(vfront->virtio);
	seen.ready = vfront->front->ready;
	memcpy(seen.stopped, vfront->front->stopped, sizeof seen.stopped);
	vfront->say_driver(vfront, driver, sizeof driver);
	give_hold(vfront);
	if (seen.stopped[0] && !vfront->told_stopped)
		vfront->host.event(vfront->host.owner, vfront->front, "stopped", seen.stopped);
	vfront->told_stopped = seen.stopped[0] != '\0';
	if (seen.ready && !vfront->told_ready)
		vfront->host.event(vfront->host.owner, vfront->front, "driver ready", driver);
	vfront->told_ready = seen.ready;
}

static void on_watch(uv_timer_t *timer)
{
	struct vfio_front *vfront = timer->data;

	if (!vfront)
		return;
	attach_timer_next(timer, on_watch, WATCH_MS);
	if (vfront->server)
		vfio_user_look(vfront->server);
	look(vfront);
}

static int begin_watch(struct vfio_front *vfront)
{
	int err = attach_timer_open(&vfront->watch, vfront->host.loop, vfront);

	if (!err)
		attach_timer_next(vfront->watch, on_watch, WATCH_MS);
	return err;
}

/* --- its life --- */

int vfront_serve(struct vfio_front *vfront, const struct attach_conf *conf, const struct vfio_user_pages *registers,
		 unsigned registers_bar, struct refusal *why)
{
	struct vfio_user_conf server = {
		.path = vfront->path,
		.function = vfront->function,
		.host = { .ready = is_ready,
			  .hold = take_hold,
			  .release = give_hold,
			  .wake = wake,
			  .watch = watch,
			  .unwatch = unwatch,
			  .event = on_event,
			  .owner = vfront },
		.reach = VFIO_USER_NEEDS_FDS,
		.loop = vfront->host.loop,
	};
	int err = begin_watch(vfront);

	if (!err)
		err = attach_name_socket(&vfront->host, conf, vfront->path, why);
	if (err)
		return err;
	for (unsigned bar = 0; bar < array_len(server.pages); bar++)
		server.pages[bar].fd = -1;
	if (registers)
		server.pages[registers_bar] = *registers;
	return vfio_user_create(&vfront->server, &server, why);
}

void vfront_failed(const struct attach_conf *conf, int err, struct refusal *why)
{
	if (why && !why->text[0])
		refuse(why, "", "cannot set up %s-%s: %s", conf->system, conf->io->name, uv_strerror(err));
}

void vfront_fini(struct vfio_front *vfront)
{
	must(!vfront->front || !vfront->front->hold);
	vfio_user_destroy(vfront->server);
	if (vfront->domain)
		vfront->domain->dma = NULL;
	attach_handle_close((uv_handle_t *)vfront->watch);
}

/* --- of the kinds' tables --- */

static const char *state_of(const struct vfio_front *vfront, bool connected)
{
	if (vfront->front->stopped[0])
		return "stopped";
	return vfront->front->ready ? "running" : connected ? "connected" : "waiting";
}

void vfront_facts(struct attachment *attachment, struct attach_facts *facts)
{
	struct vfio_front *vfront = vfront_of(attachment);
	struct vfio_user_facts server;

	vfio_user_facts(vfront->server, &server);
	*facts = (struct attach_facts){
		.reconnects = server.connections ? server.connections - 1 : 0,
	};
	snprintf(facts->where, sizeof facts->where, "%s", vfront->path);
	if (!is_ready(vfront)) {
		snprintf(facts->state, sizeof facts->state, "held");
		return;
	}
	take_hold(vfront);
	snprintf(facts->state, sizeof facts->state, "%s", state_of(vfront, server.connected));
	memcpy(facts->stopped, vfront->front->stopped, sizeof facts->stopped);
	vfront->count(vfront, facts);
	give_hold(vfront);
}

/* Its guest sees nothing of it. */
void vfront_rebound(struct attachment *attachment)
{
	(void)attachment;
}

void vfront_quarantine(struct attachment *attachment, const char *why)
{
	struct vfio_front *vfront = vfront_of(attachment);

	snprintf(vfront->quarantined, sizeof vfront->quarantined, "%s", why);
	take_hold(vfront);
	keep_stopped(vfront);
	give_hold(vfront);
	vfront->told_stopped = false;
	look(vfront);
}

/* Its driver has been told that the device failed, so it begins anew. */
void vfront_release(struct attachment *attachment)
{
	struct vfio_front *vfront = vfront_of(attachment);

	vfront->quarantined[0] = '\0';
	look(vfront);
}

struct vfio_user *vfront_server(struct attachment *attachment)
{
	return vfront_of(attachment)->server;
}
