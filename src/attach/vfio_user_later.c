/* Commands whose answers another process gives: served in order, one at a time, each copied out of the stream. */
#include "attach/vfio_user_internal.h"

#include <errno.h>
#include <stdlib.h>

enum { LATER_MAX = 64, LATER_BYTES_MAX = 4 << 20 };

enum later_state { WAITS, ASKED, ANSWERED };

struct vfuser_later {
	struct vfuser_later *next;
	struct vfuser_msg msg;
	enum later_state state;
	int err;
	uint8_t *reply; /* ours */
	uint8_t payload[];
};

static void free_later(struct vfuser_later *later)
{
	vfuser_close_fds(&later->msg);
	free(later->reply);
	free(later);
}

bool vfuser_later_take(struct vfio_user *vf)
{
	struct vfuser_msg *msg = &vf->msg;
	struct vfuser_later **end = &vf->later, *later;

	if (vf->later_count == LATER_MAX || vf->later_bytes > LATER_BYTES_MAX)
		return false;
	later = malloc(sizeof *later + msg->header.payload);
	if (!later) {
		vfuser_disconnect(vf, "no memory for what the client asks");
		return true;
	}
	*later = (struct vfuser_later){ .msg = *msg };
	if (msg->header.payload)
		memcpy(later->payload, msg->payload, msg->header.payload);
	later->msg.payload = later->payload;
	msg->fd_count = 0; /* they are in the copy now */
	while (*end)
		end = &(*end)->next;
	*end = later;
	vf->later_count++;
	vf->later_bytes += msg->header.payload;
	vfuser_later_run(vf);
	return true;
}

static void take_out(struct vfio_user *vf, struct vfuser_later *later)
{
	vf->later = later->next;
	vf->later_count--;
	vf->later_bytes -= later->msg.header.payload;
}

/* 0 or -errno, or -EINPROGRESS. */
static int serve(struct vfio_user *vf, struct vfuser_later *later, struct refusal *why)
{
	struct vfuser_msg *msg = &later->msg;
	int err = vfuser_check(vf, msg, why);

	vf->messages++;
	msg->reply = vf->out + VFIO_USER_HEADER_SIZE;
	msg->size = msg->reply_fd_count = 0;
	if (!err)
		err = vf->conf.relay->serve(vf->conf.relay->owner, msg, why);
	return err;
}

void vfuser_later_run(struct vfio_user *vf)
{
	struct vfuser_later *later;

	while (vf->fd >= 0 && (later = vf->later) != NULL && vfuser_can_send(vf)) {
		struct refusal why = { 0 };

		if (later->state == ASKED)
			return;
		if (later->state == ANSWERED) {
			if (later->msg.size)
				memcpy(vf->out + VFIO_USER_HEADER_SIZE, later->reply, later->msg.size);
			if (later->err)
				refuse(&why, "", "the device refuses command %u: %s", later->msg.header.command,
				       uv_strerror(later->err));
		} else {
			later->err = serve(vf, later, &why);
			if (later->err == -EAGAIN)
				return;
			if (later->err == -EINPROGRESS) {
				later->state = ASKED;
				return;
			}
		}
		take_out(vf, later);
		vfuser_answer(vf, &later->msg, later->err, &why);
		free_later(later);
	}
}

void vfuser_later_answer(struct vfio_user *vf, int err, const uint8_t *payload, uint32_t size)
{
	struct vfuser_later *later = vf->later;

	must(later && later->state == ASKED);
	later->state = ANSWERED;
	later->err = err;
	later->reply = size ? malloc(size) : NULL;
	if (size && !later->reply)
		later->err = -ENOMEM;
	if (later->reply)
		memcpy(later->reply, payload, size);
	later->msg.size = later->reply ? size : 0;
	vfuser_later_retry(vf);
}

void vfuser_later_retry(struct vfio_user *vf)
{
	vfuser_later_run(vf);
	if (vf->fd >= 0)
		vfuser_stream_run(vf); /* what could not be taken before */
}

void vfuser_later_drop(struct vfio_user *vf)
{
	while (vf->later) {
		struct vfuser_later *later = vf->later;

		take_out(vf, later);
		free_later(later);
	}
}
