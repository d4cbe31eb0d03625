/* An imported function: dialled until it answers, greeted, and dialled again when it goes. */
#include "attach/vfio_user_import_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	RETRY_FIRST_MS = 20,
	RETRY_LAST_MS = 1000,
	RETRY_FLAPS_MS = 30000, /* of one that comes and goes: each time is an event */
	PULSE_MS = 1000,
};

const char *const vfio_user_import_state_text[VFIO_USER_IMPORT_STATE_COUNT] = {
#define X(name, text) [VFIO_USER_IMPORT_##name] = text,
	VFIO_USER_IMPORT_STATES(X)
#undef X
};

static void on_timer(uv_timer_t *timer);

static void dial_later(struct vfio_user_import *import)
{
	uv_timer_start(import->timer, on_timer, import->retry_ms, 0);
	import->retry_ms = min_u32(import->retry_ms * 2, import->flaps ? RETRY_FLAPS_MS : RETRY_LAST_MS);
}

/* Tells of a state once; a further attempt that fails the same way is no news. */
static void enter(struct vfio_user_import *import, enum vfio_user_import_state state, const char *text)
{
	bool news = import->state != state;

	import->state = state;
	snprintf(import->why.text, sizeof import->why.text, "%s", text);
	if (news && import->conf.changed)
		import->conf.changed(import->conf.owner, import, text);
}

/* Nobody is given pieces of a function that has gone. */
static void close_areas(struct vfio_user_import *import)
{
	for (unsigned i = 0; i < VFIO_USER_IMPORT_REGIONS; i++) {
		struct vfio_user_import_region *region = &import->facts.regions[i];

		if (region->fd >= 0)
			close(region->fd);
		region->fd = -1;
		region->area_count = 0;
	}
}

/* Ends the connection; whoever used the function hears of it. */
static void hang_up(struct vfio_user_import *import, int err)
{
	bool was_there = import->there || import->renewing;

	uv_timer_stop(import->pulse);
	import->there = import->renewing = false; /* nobody asks from now on */
	vfimport_link_close(import, err);
	vfimport_forget(&import->heard);
	close_areas(import);
	if (was_there && import->used)
		import->user.went(import->user.owner);
}

void vfimport_lost(struct vfio_user_import *import, enum vfio_user_import_state state, int err,
		   const char *format, ...)
{
	char text[sizeof import->why.text];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (import->there)
		import->flaps = !import->lasts;
	hang_up(import, err);
	/* A process that hangs takes connections still: it is dead until it answers or goes. */
	enter(import, state, text);
	if (state != VFIO_USER_IMPORT_PULLED)
		dial_later(import);
}

/* Whether it is alive: its identity. */
static void on_pulse(uv_timer_t *timer)
{
	struct vfio_user_import *import = timer->data;
	uint8_t payload[VFIO_USER_ACCESS_SIZE] = { 0 };
	const struct vfio_user_import_question question = {
		.command = VFIO_USER_REGION_READ, .payload = payload, .size = sizeof payload,
		.least = VFIO_USER_ACCESS_SIZE + 4,
	};

	if (!import)
		return;
	import->lasts = true;
	import->flaps = false;
	import->retry_ms = RETRY_FIRST_MS;
	payload[VFIO_USER_ACCESS_REGION] = VFIO_USER_IMPORT_CONFIG;
	payload[VFIO_USER_ACCESS_COUNT] = 4;
	if (import->there && !import->first)
		(void)vfimport_ask(import, &question);
}

void vfimport_arrived(struct vfio_user_import *import)
{
	vfimport_forget(&import->facts);
	import->facts = import->heard;
	memset(&import->heard, 0, sizeof import->heard);
	for (unsigned i = 0; i < VFIO_USER_IMPORT_REGIONS; i++)
		import->heard.regions[i].fd = -1;
	import->known = true;
	import->counts.connections++;
	import->lasts = false;
	uv_timer_start(import->pulse, on_pulse, PULSE_MS, PULSE_MS);
	import->there = true;
	import->renewing = false;
	enter(import, VFIO_USER_IMPORT_PRESENT, "");
	if (import->used)
		import->user.came(import->user.owner);
}

static void dial(struct vfio_user_import *import)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0 || connect(fd, (const struct sockaddr *)&import->where, sizeof import->where))
		err = -errno;
	if (!err)
		err = vfimport_link_open(import, fd);
	if (err) {
		if (fd >= 0)
			close(fd);
		/* Nobody takes a connection from the queue of one that hangs. */
		vfimport_lost(import, err == -EAGAIN ? VFIO_USER_IMPORT_DEAD : VFIO_USER_IMPORT_ABSENT, err,
			      "nobody serves %s: %s", import->where.sun_path, uv_strerror(err));
		return;
	}
	err = vfimport_greet(import);
	if (err)
		vfimport_lost(import, VFIO_USER_IMPORT_ABSENT, err, "%s cannot be asked: %s",
			      import->where.sun_path, uv_strerror(err));
}

static void on_timer(uv_timer_t *timer)
{
	struct vfio_user_import *import = timer->data;

	if (!import)
		return;
	if (import->fd < 0)
		dial(import);
	else
		vfimport_lost(import, VFIO_USER_IMPORT_DEAD, -ETIMEDOUT,
			      "the process behind %s has not answered for %u ms: it hangs, or serves another client",
			      import->where.sun_path, import->conf.patience_ms);
}

void vfimport_patience(struct vfio_user_import *import, enum vfimport_clock clock)
{
	if (clock == VFIMPORT_WAITS)
		uv_timer_start(import->timer, on_timer, import->conf.patience_ms, 0);
	else
		uv_timer_stop(import->timer);
}

int vfio_user_import_create(struct vfio_user_import **result, const struct vfio_user_import_conf *conf,
			    struct refusal *why)
{
	struct vfio_user_import *import;

	must(conf->patience_ms > 0);
	if (strlen(conf->path) >= sizeof import->where.sun_path) {
		refuse(why, "socket", "the path %s is longer than the %zu bytes a socket may have", conf->path,
		       sizeof import->where.sun_path - 1);
		return -ENAMETOOLONG;
	}
	import = calloc(1, sizeof *import);
	if (!import)
		return -ENOMEM;
	import->conf = *conf;
	import->where.sun_family = AF_UNIX;
	memcpy(import->where.sun_path, conf->path, strlen(conf->path) + 1);
	import->conf.path = import->where.sun_path;
	import->fd = -1;
	import->end = &import->first;
	import->retry_ms = RETRY_FIRST_MS;
	import->state = VFIO_USER_IMPORT_STATE_COUNT; /* nobody knows yet */
	for (unsigned i = 0; i < VFIO_USER_IMPORT_REGIONS; i++)
		import->facts.regions[i].fd = import->heard.regions[i].fd = -1;
	import->in = malloc(VFIMPORT_BUFFER);
	import->out = malloc(VFIMPORT_BUFFER);
	if (!import->in || !import->out || attach_timer_open(&import->timer, conf->loop, import) ||
	    attach_timer_open(&import->pulse, conf->loop, import)) {
		vfio_user_import_destroy(import);
		return -ENOMEM;
	}
	uv_timer_start(import->timer, on_timer, 0, 0);
	*result = import;
	return 0;
}

void vfio_user_import_destroy(struct vfio_user_import *import)
{
	if (!import)
		return;
	must(!import->used);
	vfimport_link_close(import, -ECONNRESET);
	vfimport_forget(&import->facts);
	vfimport_forget(&import->heard);
	attach_handle_close((uv_handle_t *)import->timer);
	attach_handle_close((uv_handle_t *)import->pulse);
	free(import->in);
	free(import->out);
	free(import);
}

enum vfio_user_import_state vfio_user_import_state(const struct vfio_user_import *import)
{
	return import->state == VFIO_USER_IMPORT_STATE_COUNT ? VFIO_USER_IMPORT_ABSENT : import->state;
}

const char *vfio_user_import_why(const struct vfio_user_import *import)
{
	return import->why.text;
}

const struct vfio_user_import_facts *vfio_user_import_facts(const struct vfio_user_import *import)
{
	return import->known ? &import->facts : NULL;
}

const struct vfio_user_import_counts *vfio_user_import_counts(const struct vfio_user_import *import)
{
	return &import->counts;
}

const char *vfio_user_import_path(const struct vfio_user_import *import)
{
	return import->where.sun_path;
}

enum vfio_user_import_trust vfio_user_import_trust(const struct vfio_user_import *import)
{
	return import->conf.trust;
}

void vfio_user_import_use(struct vfio_user_import *import, const struct vfio_user_import_user *user)
{
	for (struct vfimport_ask *ask = import->first; ask; ask = ask->next)
		if (import->used && ask->owner == import->user.owner)
			ask->done = NULL;
	/* What its user still has in progress is answered to nobody. */
	for (unsigned i = 0; i < VFIMPORT_DMAS_MAX; i++)
		must(!import->open[i] || user);
	import->used = user != NULL;
	if (user)
		import->user = *user;
}

void vfio_user_import_pull(struct vfio_user_import *import)
{
	uv_timer_stop(import->timer);
	vfimport_lost(import, VFIO_USER_IMPORT_PULLED, -ECONNRESET, "its card is pulled");
}

void vfio_user_import_insert(struct vfio_user_import *import)
{
	if (import->state != VFIO_USER_IMPORT_PULLED)
		return;
	import->state = VFIO_USER_IMPORT_STATE_COUNT;
	import->retry_ms = RETRY_FIRST_MS;
	import->flaps = false;
	uv_timer_start(import->timer, on_timer, 0, 0);
}

int vfio_user_import_ask(struct vfio_user_import *import, const struct vfio_user_import_question *question)
{
	return import->there ? vfimport_ask(import, question) : -ENODEV;
}

bool vfio_user_import_reachable(const struct vfio_user_import *import)
{
	return import->there;
}

bool vfio_user_import_renewing(const struct vfio_user_import *import)
{
	return import->renewing;
}

void vfio_user_import_renew(struct vfio_user_import *import)
{
	if (!import->there)
		return; /* it forgets by itself */
	hang_up(import, -ECONNRESET);
	import->renewing = true;
	uv_timer_start(import->timer, on_timer, 0, 0);
}

void vfio_user_import_note(struct vfio_user_import *import, uint64_t offset, uint32_t size,
			   const uint8_t *bytes)
{
	if (offset <= VFIO_USER_IMPORT_CONFIG_SIZE && size <= VFIO_USER_IMPORT_CONFIG_SIZE - offset)
		memcpy(import->facts.config + offset, bytes, size);
}
