/* A server was restarted: everything that it must know again is said again. */
#include "attach/vfio_user_client_internal.h"

#include "base/bytes.h"
#include "spec/pcie.h"

#include <errno.h>
#include <string.h>

enum { CONFIG = 7 };

static int check_shape(const struct vfio_user_client *c, struct refusal *why)
{
	const uint32_t *now = c->shape.identity, *before = c->first.identity;

	if (memcmp(&c->shape, &c->first, sizeof c->shape) == 0)
		return 0;
	refuse(why, "socket", "%s serves another function now: %04x:%04x, before %04x:%04x", c->path,
	       now[0] & 0xffff, now[0] >> 16, before[0] & 0xffff, before[0] >> 16);
	return -ESTALE;
}

static int resend_eventfds(struct vfio_user_client *c)
{
	int err = 0;

	for (unsigned i = 0; !err && i < VFIO_USER_CLIENT_VECTORS; i++)
		if (c->eventfds[i] >= 0)
			err = vfclient_send_eventfds(c, i, 1, &c->eventfds[i], 1);
	if (!err && c->line >= 0)
		err = vfclient_send_line(c, c->line);
	return err;
}

static int rewrite_word(struct vfio_user_client *c, unsigned word, uint32_t value)
{
	uint8_t bytes[4];

	put_le32(bytes, value);
	return vfio_user_client_write(c, CONFIG, (uint64_t)word * 4, 4, bytes);
}

/* The command register comes last: it turns on what the others describe. */
static int rewrite_config(struct vfio_user_client *c)
{
	const unsigned command = SPEC_PCI_COMMAND / 4;
	uint32_t config[VFCLIENT_CONFIG / 4];
	uint8_t written[VFCLIENT_CONFIG / 4];
	int err = 0;

	memcpy(config, c->config, sizeof config);
	memcpy(written, c->written, sizeof written);
	for (unsigned word = 0; !err && word < array_len(written); word++)
		if (written[word] && word != command)
			err = rewrite_word(c, word, config[word]);
	if (!err && written[command])
		err = rewrite_word(c, command, config[command]);
	return err;
}

int vfio_user_client_resume(struct vfio_user_client *c, struct refusal *why)
{
	int err;

	vfclient_hang_up(c);
	err = vfclient_dial(c);
	if (!err) {
		vfclient_unmap_regions(c);
		err = vfclient_introduce(c, why);
	}
	if (!err)
		err = check_shape(c, why);
	for (unsigned i = 0; !err && i < c->window_count; i++)
		err = vfclient_send_window(c, &c->windows[i]);
	if (!err)
		err = resend_eventfds(c);
	if (!err)
		err = rewrite_config(c);
	if (err && why && !why->text[0])
		refuse(why, "socket", "%s: %s", c->path, strerror(-err));
	if (err)
		vfclient_hang_up(c);
	return err;
}
