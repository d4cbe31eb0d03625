/* Memory that the client granted without a descriptor is reached by asking the client, DMA_READ and DMA_WRITE, one
 * question at a time.  Its own commands are served meanwhile, so neither side waits for the other. */
#include "attach/vfio_user_internal.h"

#include "base/bytes.h"

#include <errno.h>

enum { ID_FIRST = 0x8000 }; /* our ids; the client's own mean nothing to us */

int vfio_user_copy(struct vfio_user *vf, struct vfio_user_copy *copy)
{
	uint8_t access = copy->direction == VFIO_USER_FROM_CLIENT ? DMA_READ : DMA_WRITE;
	struct vfio_user_copy **end = &vf->copies;

	if (vf->fd < 0 || !vfuser_is_remote(vf, copy->address, copy->size, access))
		return -EFAULT;
	copy->next = NULL;
	copy->moved = copy->asked = 0;
	while (*end)
		end = &(*end)->next;
	*end = copy;
	if (!vf->own_thread) /* else it is looked at after the command */
		vfuser_copy_run(vf);
	return 0;
}

static void finish(struct vfio_user *vf, int result)
{
	struct vfio_user_copy *copy = vf->copies;

	vf->copies = copy->next;
	copy->done(copy, result);
}

void vfuser_copies_fail(struct vfio_user *vf, int err)
{
	while (vf->copies)
		finish(vf, err);
}

/* The window may have gone since. */
static bool still_granted(const struct vfio_user *vf, const struct vfio_user_copy *copy)
{
	return vfuser_is_remote(vf, copy->address + copy->moved, copy->size - copy->moved,
				copy->direction == VFIO_USER_FROM_CLIENT ? DMA_READ : DMA_WRITE);
}

static int ask(struct vfio_user *vf, struct vfio_user_copy *copy)
{
	bool writes = copy->direction == VFIO_USER_TO_CLIENT;
	uint32_t most = min_u32(vf->client.transfer, VFIO_USER_TRANSFER_MAX);
	struct vfio_user_header header = { .command = writes ? VFIO_USER_DMA_WRITE : VFIO_USER_DMA_READ };
	uint8_t *payload = vf->out + VFIO_USER_HEADER_SIZE;

	copy->asked = min_u32(copy->size - copy->moved, most);
	copy->id = header.id = ID_FIRST | vf->next_id++;
	put_le64(payload + VFIO_USER_DMA_ADDRESS, copy->address + copy->moved);
	put_le64(payload + VFIO_USER_DMA_COUNT, copy->asked);
	if (writes)
		memcpy(payload + VFIO_USER_DMA_SIZE, copy->bytes + copy->moved, copy->asked);
	header.payload = VFIO_USER_DMA_SIZE + (writes ? copy->asked : 0);
	return vfuser_send(vf, &header, NULL, 0);
}

void vfuser_copy_run(struct vfio_user *vf)
{
	while (vf->copies && vf->fd >= 0 && !vf->copies->asked && vfuser_can_send(vf)) {
		if (!still_granted(vf, vf->copies))
			finish(vf, -EFAULT);
		else if (ask(vf, vf->copies))
			finish(vf, -ECONNRESET);
	}
}

/* Bytes of the answer, or -errno. */
static int check_reply(const struct vfio_user_copy *copy, const struct vfuser_msg *msg)
{
	bool writes = copy->direction == VFIO_USER_TO_CLIENT;
	uint32_t data = writes ? 0 : copy->asked;

	if (msg->header.flags & VFIO_USER_FLAG_ERROR)
		return msg->header.error && msg->header.error < 4096 ? -(int)msg->header.error : -EIO;
	if (msg->header.command != (writes ? VFIO_USER_DMA_WRITE : VFIO_USER_DMA_READ))
		return -EPROTO;
	if (writes)
		return 0; /* what it says besides differs among clients */
	if (msg->header.payload < VFIO_USER_DMA_SIZE + data ||
	    get_le64(msg->payload + VFIO_USER_DMA_COUNT) != data)
		return -EPROTO;
	return 0;
}

void vfuser_copy_reply(struct vfio_user *vf)
{
	struct vfio_user_copy *copy = vf->copies;
	const struct vfuser_msg *msg = &vf->msg;
	int err;

	if (!copy || !copy->asked || msg->header.id != copy->id) {
		vf->refused++; /* nobody asked */
		return;
	}
	err = check_reply(copy, msg);
	if (err) {
		finish(vf, err);
		return;
	}
	if (copy->direction == VFIO_USER_FROM_CLIENT)
		memcpy(copy->bytes + copy->moved, msg->payload + VFIO_USER_DMA_SIZE, copy->asked);
	copy->moved += copy->asked;
	copy->asked = 0;
	if (copy->moved == copy->size)
		finish(vf, 0);
}
