/* One message: held against its rule, carried out, answered. */
#include "attach/vfio_user_internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <unistd.h>

int vfuser_take_fd(struct vfuser_msg *msg, unsigned index)
{
	int fd;

	if (index >= msg->fd_count)
		return -1;
	fd = msg->fds[index];
	msg->fds[index] = -1;
	return fd;
}

void vfuser_close_fds(struct vfuser_msg *msg)
{
	for (unsigned i = 0; i < msg->fd_count; i++)
		if (msg->fds[i] >= 0)
			close(msg->fds[i]);
	msg->fd_count = 0;
}

/* Only MIG_STATE's SET among the features stops or starts the function, and only some writes. */
static bool needs_quiet(const struct vfio_user *vf, const struct vfuser_rule *rule,
			const struct vfuser_msg *msg)
{
	const uint32_t set = VFIO_USER_FEATURE_SET | VFIO_USER_FEATURE_MIG_STATE;

	if (msg->header.command == VFIO_USER_REGION_WRITE ||
	    msg->header.command == VFIO_USER_REGION_WRITE_MULTI)
		return vfuser_write_stops(vf, msg);
	if (msg->header.command == VFIO_USER_DEVICE_FEATURE)
		return get_le32(msg->payload + VFIO_USER_FEATURE_FLAGS) == set;
	return rule->when == VFUSER_QUIET;
}

int vfuser_check(const struct vfio_user *vf, const struct vfuser_msg *msg, struct refusal *why)
{
	const struct vfuser_rule *rule = vfuser_rule(msg->header.command);
	uint32_t size = msg->header.payload;

	if ((msg->header.flags & VFIO_USER_TYPE_MASK) != VFIO_USER_TYPE_COMMAND) {
		refuse(why, "", "a message is neither a command nor a reply: flags 0x%x", msg->header.flags);
		return -EINVAL;
	}
	if (!rule) {
		refuse(why, "", "there is no command %u for a client", msg->header.command);
		return -ENOTSUP;
	}
	if ((rule->when == VFUSER_FIRST) == vf->negotiated) {
		refuse(why, "", "%s came %s the version was agreed", rule->name,
		       vf->negotiated ? "after" : "before");
		return -EINVAL;
	}
	if (size < rule->size_min || size > rule->size_max) {
		refuse(why, "", "%s has %u bytes, not %u to %u", rule->name, size, rule->size_min,
		       rule->size_max);
		return -EINVAL;
	}
	if (msg->fd_count > rule->fds_max) {
		refuse(why, "", "%s has %u descriptors, not up to %u", rule->name, msg->fd_count,
		       rule->fds_max);
		return -EINVAL;
	}
	return 0;
}

/* The first refusal of a connection is told, the others are counted. */
static void note_refusal(struct vfio_user *vf, const struct refusal *why)
{
	vf->refused++;
	if (!vf->told_refused)
		vfuser_event(vf, "refused", "%s", why->text);
	vf->told_refused = true;
}

void vfuser_answer(struct vfio_user *vf, struct vfuser_msg *msg, int err, const struct refusal *why)
{
	struct vfio_user_header header = msg->header;

	if (err)
		note_refusal(vf, why);
	header.flags = VFIO_USER_TYPE_REPLY | (err ? VFIO_USER_FLAG_ERROR : 0);
	header.error = (uint32_t)-err;
	header.payload = err ? 0 : msg->size;
	if (msg->header.flags & VFIO_USER_FLAG_NO_REPLY)
		return;
	err = vfuser_send(vf, &header, msg->reply_fds, err ? 0 : msg->reply_fd_count);
	if (err)
		vfuser_disconnect(vf, "the client closed its socket");
}

/* Whether the command waits: true while the function has something under way.  One that waits too long is
 * served all the same, and refuses. */
static bool must_wait(struct vfio_user *vf, const struct vfuser_rule *rule, struct vfuser_msg *msg,
		      int *err, struct refusal *why)
{
	if (!needs_quiet(vf, rule, msg) || vfuser_is_quiet(vf))
		return false;
	if (uv_now(vf->conf.loop) - vf->waits_since_ms < VFUSER_PATIENCE_MS)
		return true;
	refuse(why, "", "%s: the function does not become quiet in %u s", rule->name,
	       VFUSER_PATIENCE_MS / 1000);
	*err = -ETIMEDOUT;
	return false;
}

bool vfuser_serve(struct vfio_user *vf)
{
	struct vfuser_msg *msg = &vf->msg;
	const struct vfuser_rule *rule = vfuser_rule(msg->header.command);
	struct refusal why = { 0 };
	int err;

	if (vfio_user_is_reply(&msg->header)) {
		vfuser_copy_reply(vf);
		vfuser_close_fds(msg);
		return true;
	}
	if (vf->conf.relay)
		return vfuser_later_take(vf);
	err = vfuser_check(vf, msg, &why);
	if (!err && must_wait(vf, rule, msg, &err, &why))
		return false;
	vf->messages++;
	msg->reply = vf->out + VFIO_USER_HEADER_SIZE;
	msg->size = msg->reply_fd_count = 0;
	vf->own_thread = true;
	if (!err)
		err = rule->serve(vf, msg, &why);
	vf->own_thread = false;
	if (vf->quiesced)
		vfuser_go_on(vf);
	vfuser_answer(vf, msg, err, &why);
	vfuser_close_fds(msg);
	return true;
}
