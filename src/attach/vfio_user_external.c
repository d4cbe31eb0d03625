/* Passes on a PCI function that another process serves (vfio_user_import.h) to one client at a time, on a socket of
 * ours (vfio_user.h).  Between them stand the domain of the interface, the sizes that the function said, and
 * configuration space (vfio_user_external_config.c).
 *
 * When the function goes, the client stays: its accesses end as on a bus where nobody answers.  When it is back, it
 * is reset and given what the client granted; a client that has mapped pieces of the one before is sent away
 * instead, since those are of no use to it.  When the client goes, the connection to the function is made anew,
 * which is the one way to be sure that it forgets what it was granted. */
#include "attach/vfio_user_external.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct external *of(struct attachment *attachment)
{
	return container_of(attachment, struct external, attachment);
}

static void tell_event(struct external *x, const char *kind, const char *text)
{
	x->host.event(x->host.owner, &x->front, kind, text);
}

bool external_is_there(const struct external *x)
{
	return vfio_user_import_reachable(x->import) && !x->quarantined[0];
}

int external_tell(struct external *x, enum vfio_user_command command, const uint8_t *payload, uint32_t size,
		  const int *fds, unsigned fd_count)
{
	const struct vfio_user_import_question question = {
		.command = command, .payload = payload, .size = size, .fds = fds, .fd_count = fd_count,
	};

	return vfio_user_import_ask(x->import, &question);
}

static bool has_client(const struct external *x)
{
	struct vfio_user_facts facts;

	vfio_user_facts(x->server, &facts);
	return facts.connected;
}

/* The client's side. */

static void forget_client(struct external *x)
{
	external_irqs_drop(x);
	external_windows_drop(x);
	external_config_reset(x);
	x->told = x->pages_given = false;
	x->msg = NULL;
}

static void client_left(void *owner)
{
	struct external *x = owner;

	forget_client(x);
	vfio_user_import_renew(x->import);
}

static void on_event(void *owner, const char *kind, const char *text)
{
	struct external *x = owner;

	if (strcmp(kind, "disconnected") == 0) {
		x->msg = NULL; /* its commands have gone with it */
		x->quarantined[0] = x->front.stopped[0] = '\0'; /* the next guest is another one */
	}
	tell_event(x, kind, text);
	if (strcmp(kind, "disconnected") == 0 && x->host.unplugged)
		x->host.unplugged(x->host.owner, &x->front);
}

/* The function's side. */

static bool is_same(const struct external *x)
{
	const struct vfio_user_import_facts *facts = vfio_user_import_facts(x->import);
	bool same = x->identity == get_le32(facts->config);

	for (unsigned i = 0; i < VFIO_USER_IMPORT_REGIONS; i++)
		same = same && x->sizes[i] == facts->regions[i].size;
	for (unsigned i = 0; i < VFIO_USER_IRQ_INDEXES; i++)
		same = same && x->irqs[i] == facts->irqs[i].count;
	return same;
}

static int restore(struct external *x)
{
	const struct vfio_user_import_facts *facts = vfio_user_import_facts(x->import);
	int err = 0;

	if (facts->flags & VFIO_USER_INFO_RESET)
		err = external_tell(x, VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0);
	for (unsigned i = 0; !err && i < x->window_count; i++)
		err = external_window_tell(x, &x->windows[i]);
	return err ? err : external_irqs_tell(x);
}

static void function_came(void *owner)
{
	struct external *x = owner;
	const char *why = NULL;

	if (!has_client(x))
		return;
	if (x->quarantined[0] || (!x->told && !x->window_count)) { /* it is new to its client */
		vfuser_later_retry(x->server);
		return;
	}
	if (x->told && !is_same(x))
		why = "the device is another one now";
	else if (x->pages_given)
		why = "the device is back, with other mapped registers: connect again";
	else if (restore(x))
		why = "the device is back, and cannot be given what was granted";
	if (why) {
		vfuser_disconnect(x->server, why);
		return;
	}
	external_config_reset(x);
	tell_event(x, "device-back", "the device was reset, and has what its guest granted again");
	vfuser_later_retry(x->server);
}

/* What was in progress has been answered by then. */
static void function_went(void *owner)
{
	struct external *x = owner;

	if (!has_client(x))
		return;
	if (!x->quarantined[0])
		external_irqs_fail(x);
	vfuser_later_retry(x->server);
}

/* The attachment. */

static void destroy(struct attachment *attachment)
{
	struct external *x = attachment ? of(attachment) : NULL;

	if (!x)
		return;
	vfio_user_destroy(x->server);
	forget_client(x);
	if (x->import)
		vfio_user_import_use(x->import, NULL);
	if (x->domain)
		x->domain->dma = NULL;
	free(x->scratch);
	free(x);
}

static const struct pci_function_ops shell_ops = { .name = "external" };

static int serve(struct external *x, const struct attach_conf *conf, struct refusal *why)
{
	struct vfio_user_conf server = {
		.path = x->path, .function = &x->function, .relay = &x->relay,
		.host = { .event = on_event, .owner = x }, .loop = x->host.loop,
	};
	int err;

	for (unsigned bar = 0; bar < array_len(server.pages); bar++)
		server.pages[bar].fd = -1;
	err = attach_name_socket(&x->host, conf, x->path, why);
	return err ? err : vfio_user_create(&x->server, &server, why);
}

static int create(struct attachment **attachment, const struct attach_host *host,
		  const struct attach_conf *conf, struct refusal *why)
{
	struct external *x = calloc(1, sizeof *x);
	int err;

	if (!x)
		return -ENOMEM;
	must(conf->domain != NULL && conf->import != NULL);
	x->attachment.ops = &attach_external;
	x->host = *host;
	x->domain = conf->domain;
	x->relay = (struct vfio_user_relay){ .serve = external_serve, .left = client_left, .owner = x };
	dma_init(&x->dma, conf->domain, &x->blocked);
	x->function.ops = &shell_ops;
	x->function.dma = &x->dma;
	x->scratch = malloc(VFIO_USER_PAYLOAD_MAX);
	x->import = conf->import;
	vfio_user_import_use(x->import, &(struct vfio_user_import_user){
		.came = function_came, .went = function_went, .dma = external_dma, .owner = x });
	err = x->scratch ? serve(x, conf, why) : -ENOMEM;
	if (err) {
		if (why && !why->text[0])
			refuse(why, "", "cannot set up %s-%s: %s", conf->system, conf->io->name,
			       uv_strerror(err));
		destroy(&x->attachment);
		return err;
	}
	*attachment = &x->attachment;
	return 0;
}

static struct front *external_front(struct attachment *attachment)
{
	return &of(attachment)->front;
}

static const char *state_of(const struct external *x, bool connected)
{
	enum vfio_user_import_state state = vfio_user_import_state(x->import);

	if (x->quarantined[0])
		return "stopped";
	if (state != VFIO_USER_IMPORT_PRESENT)
		return vfio_user_import_state_text[state];
	return !connected ? "waiting" : external_config_masters(x) ? "running" : "connected";
}

static void facts(struct attachment *attachment, struct attach_facts *facts)
{
	struct external *x = of(attachment);
	struct vfio_user_facts server;

	vfio_user_facts(x->server, &server);
	*facts = (struct attach_facts){
		.reconnects = server.connections ? server.connections - 1 : 0,
	};
	snprintf(facts->where, sizeof facts->where, "%s", x->path);
	snprintf(facts->state, sizeof facts->state, "%s", state_of(x, server.connected));
	memcpy(facts->stopped, x->front.stopped, sizeof facts->stopped);
}

static void rebound(struct attachment *attachment)
{
	(void)attachment;
}

/* It is cut off on both sides: what it was granted it forgets with its connection. */
static void quarantine(struct attachment *attachment, const char *why)
{
	struct external *x = of(attachment);

	snprintf(x->quarantined, sizeof x->quarantined, "%s", why);
	snprintf(x->front.stopped, sizeof x->front.stopped, "%s", why);
	vfio_user_import_renew(x->import);
	tell_event(x, "stopped", why);
}

static void release(struct attachment *attachment)
{
	struct external *x = of(attachment);

	x->quarantined[0] = x->front.stopped[0] = '\0';
	if (vfio_user_import_reachable(x->import))
		function_came(x);
}

const struct attach_ops attach_external = {
	.name = "vfio-user external",
	.create = create,
	.destroy = destroy,
	.external = external_front,
	.facts = facts,
	.rebound = rebound,
	.quarantine = quarantine,
	.release = release,
};
