/* The vfio-user server: its socket, and what happens when a client comes and goes.  Everything that the client
 * granted is given back once it has gone and the function is quiet; only then the next one is let in. */
#include "attach/listen.h"
#include "attach/vfio_user_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BRIEFLY_NS UINT64_C(200000) /* that long a busy function is waited for without the timer */

void vfuser_event(struct vfio_user *vf, const char *kind, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!vf->conf.host.event)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	vf->conf.host.event(vf->conf.host.owner, kind, text);
}

/* What the function calls, under the hold. */

static void on_interrupt(void *owner, unsigned vector)
{
	struct vfio_user *const *slot = owner;

	if (*slot)
		vfuser_interrupt(*slot, vector);
}

static void on_wake(void *owner)
{
	struct vfio_user *const *slot = owner;

	if (*slot && (*slot)->conf.host.wake)
		(*slot)->conf.host.wake((*slot)->conf.host.owner);
}

struct pci_function_host vfio_user_function_host(struct vfio_user **slot)
{
	return (struct pci_function_host){ .interrupt = on_interrupt, .wake = on_wake, .owner = slot };
}

/* A quiet function. */

static bool is_busy(struct vfio_user *vf)
{
	unsigned busy;

	vfuser_hold(vf);
	busy = vf->function->ops->busy ? vf->function->ops->busy(vf->function) : 0;
	vfuser_release(vf);
	return busy != 0;
}

static void quiesce(struct vfio_user *vf)
{
	if (vf->quiesced)
		return;
	vfuser_hold(vf);
	if (vf->function->ops->quiesce)
		vf->function->ops->quiesce(vf->function);
	vfuser_release(vf);
	vf->quiesced = true;
	vf->waits_since_ms = uv_now(vf->conf.loop);
}

static void on_timer(uv_timer_t *timer);

static void look_again(struct vfio_user *vf)
{
	if (!uv_is_active((uv_handle_t *)vf->timer))
		uv_timer_start(vf->timer, on_timer, VFUSER_SETTLE_MS, VFUSER_SETTLE_MS);
}

bool vfuser_is_quiet(struct vfio_user *vf)
{
	uint64_t began_ns = 0;

	quiesce(vf);
	while (is_busy(vf)) {
		if (began_ns == 0)
			began_ns = uv_hrtime();
		if (vf->parked || uv_hrtime() - began_ns > BRIEFLY_NS) {
			look_again(vf);
			return false;
		}
		sched_yield();
	}
	return true;
}

bool vfuser_map_is_changing(const struct vfio_user *vf)
{
	uint64_t now_ms = uv_now(vf->conf.loop);

	return vf->quiet_until_ms > now_ms || (vf->missing_bytes && vf->missing_until_ms > now_ms);
}

void vfuser_go_on(struct vfio_user *vf)
{
	if (!vf->quiesced || vf->migration.quiet || vf->held)
		return;
	if (vfuser_map_is_changing(vf)) {
		look_again(vf);
		return;
	}
	vf->quiet_until_ms = vf->missing_bytes = 0;
	vf->quiesced = false;
	vfuser_hold(vf);
	if (vf->function->ops->resume)
		vf->function->ops->resume(vf->function);
	vfuser_release(vf);
	if (vf->conf.host.wake)
		vf->conf.host.wake(vf->conf.host.owner);
}

bool vfuser_is_ready(struct vfio_user *vf)
{
	if (!vf->conf.host.ready || vf->conf.host.ready(vf->conf.host.owner))
		return true;
	look_again(vf);
	return false;
}

/* Going. */

static void on_listen(uv_poll_t *poll, int status, int events);

void vfuser_let_go(struct vfio_user *vf)
{
	vf->migration.quiet = false;
	if (vf->conf.relay) {
		vf->conf.relay->left(vf->conf.relay->owner);
	} else {
		vfuser_hold(vf);
		pci_function_reset(vf->function, PCI_RESET_LOST);
		vfuser_release(vf);
	}
	vfuser_irqs_drop_all(vf);
	vfuser_doorbells_drop(vf);
	vfuser_log_drop(vf);
	vfuser_windows_drop(vf);
	vfuser_migration_reset(vf);
	vf->quiet_until_ms = vf->missing_bytes = 0;
	vfuser_go_on(vf);
	vf->negotiated = vf->told_refused = vf->told_lost = vf->leaving = false;
}

void vfuser_listen(struct vfio_user *vf)
{
	if (vf->listener && !vf->held)
		uv_poll_start(vf->listener, UV_READABLE, on_listen);
}

static void leave_when_quiet(struct vfio_user *vf)
{
	if (!vfuser_is_ready(vf) || !vfuser_is_quiet(vf))
		return;
	vfuser_let_go(vf);
	uv_timer_stop(vf->timer);
	vfuser_listen(vf);
}

void vfuser_disconnect(struct vfio_user *vf, const char *why)
{
	char text[256];

	snprintf(text, sizeof text, "%s", why); /* it may lie in what is given back */
	vfuser_stream_close(vf);
	vfuser_copies_fail(vf, -ECONNRESET);
	vf->leaving = true;
	vfuser_event(vf, "disconnected", "%s", text);
	leave_when_quiet(vf);
}

static void on_timer(uv_timer_t *timer)
{
	struct vfio_user *vf = timer->data;

	if (!vf)
		return;
	if (vf->leaving) {
		leave_when_quiet(vf);
		return;
	}
	if (!vfuser_is_ready(vf))
		return;
	uv_timer_stop(timer); /* whoever still waits starts it again */
	if (vf->fd >= 0)
		vfuser_stream_run(vf);
	if (vf->fd >= 0 && !vf->parked)
		vfuser_go_on(vf);
}

/* Memory was taken away under the function: what it reads there now is zeros. */
static void on_async(uv_async_t *async)
{
	struct vfio_user *vf = async->data;

	if (!vf || vf->told_lost || !vfuser_memory_lost(vf))
		return;
	vf->told_lost = true;
	vfuser_event(vf, "memory lost", "the client took back memory that the function was using (file "
					"truncated)");
}

/* Coming. */

static void on_listen(uv_poll_t *poll, int status, int events)
{
	struct vfio_user *vf = poll->data;
	int fd, err;

	(void)status;
	(void)events;
	if (!vf || vf->fd >= 0 || vf->leaving)
		return;
	fd = accept4(vf->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	err = vfuser_stream_open(vf, fd);
	if (err) {
		vfuser_event(vf, "disconnected", "the socket cannot be polled: %s", uv_strerror(err));
		close(fd);
		return;
	}
	vf->connections++;
	uv_poll_stop(vf->listener); /* one client at a time; others wait in the queue */
	vfuser_event(vf, "connected", "a client is on %s", vf->where.sun_path);
}

/* Set-up. */

static int set_where(struct vfio_user *vf, const char *path, struct refusal *why)
{
	vf->where.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof vf->where.sun_path) {
		refuse(why, "socket", "the path %s is longer than the %zu bytes a socket may have", path,
		       sizeof vf->where.sun_path - 1);
		return -ENAMETOOLONG;
	}
	memcpy(vf->where.sun_path, path, strlen(path) + 1);
	return 0;
}

static int start_listening(struct vfio_user *vf, struct refusal *why)
{
	int fd = attach_listen(&vf->where, why), err;

	if (fd < 0)
		return fd;
	vf->listen_fd = fd; /* from here on, destroy removes the path */
	err = attach_poll_open(&vf->listener, vf->conf.loop, fd, vf);
	return err ? err : uv_poll_start(vf->listener, UV_READABLE, on_listen);
}

static int make_handles(struct vfio_user *vf)
{
	int err = attach_timer_open(&vf->timer, vf->conf.loop, vf);

	return err ? err : attach_async_open(&vf->async, vf->conf.loop, on_async, vf);
}

/* Pages that are touched only: as much as the largest message that comes. */
static int make_buffers(struct vfio_user *vf)
{
	vf->in = malloc(VFIO_USER_HEADER_SIZE + VFIO_USER_PAYLOAD_MAX);
	vf->out = malloc(VFIO_USER_HEADER_SIZE + VFIO_USER_PAYLOAD_MAX);
	return vf->in && vf->out ? 0 : -ENOMEM;
}

void vfio_user_destroy(struct vfio_user *vf)
{
	struct vfio_user **slot;

	if (!vf)
		return;
	vfuser_stream_close(vf);
	vfuser_copies_fail(vf, -ECONNRESET);
	if (vf->listener) { /* it was there once: so is a client's legacy */
		must(!is_busy(vf));
		vf->held = false;
		vfuser_let_go(vf);
		vfuser_grants_fini(vf);
	}
	slot = vf->function->host.owner;
	if (slot && *slot == vf)
		*slot = NULL;
	attach_poll_close(&vf->listener);
	attach_handle_close((uv_handle_t *)vf->timer);
	attach_handle_close((uv_handle_t *)vf->async);
	if (vf->listen_fd >= 0) {
		unlink(vf->where.sun_path);
		close(vf->listen_fd);
	}
	for (unsigned bar = 0; bar < PCI_REGION_ROM; bar++)
		if (vf->own_pages[bar])
			close(vf->conf.pages[bar].fd);
	free(vf->windows.regions);
	free(vf->windows.more);
	free(vf->in);
	free(vf->out);
	free(vf);
}

int vfio_user_create(struct vfio_user **server, const struct vfio_user_conf *conf, struct refusal *why)
{
	struct vfio_user *vf = calloc(1, sizeof *vf);
	int err;

	if (!vf)
		return -ENOMEM;
	vf->conf = *conf;
	vf->function = conf->function;
	vf->fd = vf->listen_fd = -1;
	vf->migration.state = VFIO_USER_STATE_RUNNING;
	vfuser_irqs_init(vf);
	vfuser_grants_init(vf);
	err = guest_memory_guard();
	if (!err)
		err = set_where(vf, conf->path, why);
	if (!err)
		err = make_buffers(vf);
	if (!err)
		err = make_handles(vf);
	if (!err)
		err = start_listening(vf, why);
	if (err) {
		if (why && !why->text[0])
			refuse(why, "", "cannot serve on %s: %s", conf->path, uv_strerror(err));
		vfio_user_destroy(vf);
		return err;
	}
	if (conf->function->host.interrupt == on_interrupt)
		*(struct vfio_user **)conf->function->host.owner = vf;
	*server = vf;
	return 0;
}

int vfio_user_pages(uint64_t size, int *fd, uint8_t **bytes)
{
	int file = memfd_create("midplane-function", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *at;
	int err;

	if (file < 0)
		return -errno;
	if (ftruncate(file, (off_t)size) ||
	    fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		err = -errno;
		close(file);
		return err;
	}
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (at == MAP_FAILED) {
		err = -errno;
		close(file);
		return err;
	}
	*fd = file;
	*bytes = at;
	return 0;
}

void vfio_user_facts(const struct vfio_user *vf, struct vfio_user_facts *facts)
{
	*facts = (struct vfio_user_facts){
		.connected = vf->fd >= 0, .windows = vf->windows.count, .messages = vf->messages,
		.refused = vf->refused, .connections = vf->connections, .migration = vf->migration.state,
	};
}
