/* Regions by messages, and doorbells by descriptors. */
#include "attach/vfio_user_internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct access {
	uint64_t offset;
	uint32_t region, count;
};

static struct access access_at(const uint8_t *bytes)
{
	return (struct access){
		.offset = get_le64(bytes + VFIO_USER_ACCESS_OFFSET),
		.region = get_le32(bytes + VFIO_USER_ACCESS_REGION),
		.count = get_le32(bytes + VFIO_USER_ACCESS_COUNT),
	};
}

static int beyond(const struct access *a, struct refusal *why)
{
	refuse(why, "", "region %u has no %u bytes at 0x%llx", a->region, a->count,
	       (unsigned long long)a->offset);
	return -EINVAL;
}

int vfuser_region_read(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	struct access a = access_at(msg->payload);
	int err;

	if (a.count > VFIO_USER_TRANSFER_MAX)
		return beyond(&a, why);
	vfuser_hold(vf);
	err = pci_function_read(vf->function, a.region, a.offset, a.count,
				msg->reply + VFIO_USER_ACCESS_SIZE);
	vfuser_release(vf);
	if (err)
		return beyond(&a, why);
	memcpy(msg->reply, msg->payload, VFIO_USER_ACCESS_SIZE);
	msg->size = VFIO_USER_ACCESS_SIZE + a.count;
	return 0;
}

int vfuser_region_write(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	struct access a = access_at(msg->payload);
	int err;

	if (a.count > msg->header.payload - VFIO_USER_ACCESS_SIZE) {
		refuse(why, "", "a write of %u bytes comes with %u", a.count,
		       msg->header.payload - VFIO_USER_ACCESS_SIZE);
		return -EINVAL;
	}
	vfuser_hold(vf);
	err = pci_function_write(vf->function, a.region, a.offset, a.count,
				 msg->payload + VFIO_USER_ACCESS_SIZE);
	vfuser_release(vf);
	if (err)
		return beyond(&a, why);
	memcpy(msg->reply, msg->payload, VFIO_USER_ACCESS_SIZE);
	msg->size = VFIO_USER_ACCESS_SIZE;
	return 0;
}

static bool is_inside(const struct vfio_user *vf, const struct access *a)
{
	uint64_t size = a->region < PCI_REGION_COUNT ? vf->function->regions[a->region].size : 0;

	return size && a->offset <= size && a->count <= size - a->offset;
}

static int check_multi(const struct vfio_user *vf, const struct vfuser_msg *msg, uint64_t count,
		       struct refusal *why)
{
	const uint64_t room = (msg->header.payload - VFIO_USER_MULTI_FIRST) / VFIO_USER_MULTI_SIZE;

	if (count > room) {
		refuse(why, "", "%llu writes are announced, and %llu come", (unsigned long long)count,
		       (unsigned long long)room);
		return -EINVAL;
	}
	for (uint64_t i = 0; i < count; i++) {
		struct access a = access_at(msg->payload + VFIO_USER_MULTI_FIRST +
					    i * VFIO_USER_MULTI_SIZE);

		if (a.count > VFIO_USER_MULTI_DATA || !is_inside(vf, &a))
			return beyond(&a, why);
	}
	return 0;
}

int vfuser_write_multi(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	uint64_t count = get_le64(msg->payload + VFIO_USER_MULTI_COUNT);
	const uint8_t *at = msg->payload + VFIO_USER_MULTI_FIRST;
	int err = check_multi(vf, msg, count, why);

	if (err)
		return err;
	vfuser_hold(vf);
	for (uint64_t i = 0; i < count; i++, at += VFIO_USER_MULTI_SIZE) {
		struct access a = access_at(at);

		(void)pci_function_write(vf->function, a.region, a.offset, a.count,
					 at + VFIO_USER_ACCESS_SIZE);
	}
	vfuser_release(vf);
	put_le64(msg->reply + VFIO_USER_MULTI_COUNT, count);
	msg->size = VFIO_USER_MULTI_FIRST;
	return 0;
}

/* What refuses the write later is no concern here. */
static bool one_stops(const struct vfio_user *vf, const uint8_t *bytes, uint32_t room)
{
	struct access a = access_at(bytes);

	return a.count <= room && is_inside(vf, &a) &&
	       pci_function_write_stops(vf->function, a.region, a.offset, a.count,
					bytes + VFIO_USER_ACCESS_SIZE);
}

bool vfuser_write_stops(const struct vfio_user *vf, const struct vfuser_msg *msg)
{
	const uint8_t *at = msg->payload;
	uint64_t count = 1, room = msg->header.payload - VFIO_USER_ACCESS_SIZE;
	bool stops = false;

	if (msg->header.command == VFIO_USER_REGION_WRITE_MULTI) {
		count = min_u64(get_le64(at + VFIO_USER_MULTI_COUNT),
				(msg->header.payload - VFIO_USER_MULTI_FIRST) / VFIO_USER_MULTI_SIZE);
		at += VFIO_USER_MULTI_FIRST;
		room = VFIO_USER_MULTI_DATA;
	}
	/* Registers change on this thread only: the hold, for which a round of the worker may be waited, is not
	 * needed to look at them. */
	for (uint64_t i = 0; i < count && !stops; i++, at += VFIO_USER_MULTI_SIZE)
		stops = one_stops(vf, at, (uint32_t)room);
	return stops;
}

/* Doorbells. */

/* Rings what descriptor 'd' stands for, if it was signalled. */
static void take_doorbell(struct vfio_user *vf, unsigned d)
{
	uint64_t rung;

	if (read(vf->doorbell_fds[d], &rung, sizeof rung) != sizeof rung)
		return;
	vfuser_hold(vf);
	/* Descriptors are dealt out in turn; a shared one rings all that have it. */
	for (unsigned i = d; i < vf->function->doorbells.count; i += vf->doorbell_count)
		pci_function_ring(vf->function, i);
	vfuser_release(vf);
}

static void on_doorbell(uv_poll_t *poll, int status, int events)
{
	struct vfio_user *vf = poll->data;

	(void)status, (void)events;
	if (!vf || !vfuser_is_ready(vf))
		return;
	for (unsigned d = 0; d < vf->doorbell_count; d++)
		if (vf->doorbells[d] == poll)
			take_doorbell(vf, d);
	if (vf->conf.host.wake)
		vf->conf.host.wake(vf->conf.host.owner);
}

void vfio_user_look(struct vfio_user *vf)
{
	if (!vf->conf.host.watch || vf->doorbell_count == 0 || !vfuser_is_ready(vf))
		return;
	for (unsigned d = 0; d < vf->doorbell_count; d++)
		take_doorbell(vf, d);
}

/* The loop rings when it is signalled. */
static int poll_doorbell(struct vfio_user *vf, unsigned n, int fd)
{
	int err;

	err = attach_poll_open(&vf->doorbells[n], vf->conf.loop, fd, vf);
	return err ? err : uv_poll_start(vf->doorbells[n], UV_READABLE, on_doorbell);
}

int vfuser_doorbell_add(struct vfio_user *vf, int fd)
{
	unsigned n = vf->doorbell_count;
	int err;

	if (vf->conf.host.watch) {
		vf->conf.host.watch(vf->conf.host.owner, fd);
	} else if ((err = poll_doorbell(vf, n, fd))) {
		attach_poll_close(&vf->doorbells[n]);
		close(fd);
		return err;
	}
	vf->doorbell_fds[n] = fd;
	vf->doorbell_count++;
	return 0;
}

static int add_doorbell_fd(struct vfio_user *vf)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : vfuser_doorbell_add(vf, fd);
}

/* As many as the client can take in one message; made when they are asked for, and kept. */
static int make_doorbells(struct vfio_user *vf)
{
	unsigned count = min_u32(vf->function->doorbells.count,
				 min_u32(vf->client.fds, VFUSER_DOORBELL_FDS));

	while (vf->doorbell_count < count) {
		int err = add_doorbell_fd(vf);

		if (err) {
			vfuser_doorbells_drop(vf);
			return err;
		}
	}
	return 0;
}

void vfuser_doorbells_drop(struct vfio_user *vf)
{
	for (unsigned i = 0; i < vf->doorbell_count; i++) {
		if (vf->conf.host.unwatch)
			vf->conf.host.unwatch(vf->conf.host.owner, vf->doorbell_fds[i]);
		else
			attach_poll_close(&vf->doorbells[i]);
		close(vf->doorbell_fds[i]);
	}
	vf->doorbell_count = 0;
}

static void write_sub_regions(const struct vfio_user *vf, uint8_t *at)
{
	const struct pci_doorbells *d = &vf->function->doorbells;

	memset(at, 0, (size_t)d->count * VFIO_USER_SUB_SIZE);
	for (unsigned i = 0; i < d->count; i++, at += VFIO_USER_SUB_SIZE) {
		put_le64(at + VFIO_USER_SUB_OFFSET, d->first + (uint64_t)i * d->stride);
		put_le64(at + VFIO_USER_SUB_BYTES, d->size);
		put_le32(at + VFIO_USER_SUB_FD_INDEX, i % vf->doorbell_count);
	}
}

int vfuser_get_io_fds(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	const struct pci_doorbells *d = &vf->function->doorbells;
	uint32_t argsz = get_le32(msg->payload + VFIO_USER_IO_FDS_ARGSZ);
	uint32_t index = get_le32(msg->payload + VFIO_USER_IO_FDS_INDEX);
	uint32_t count = d->count && index == d->region ? d->count : 0;
	uint32_t whole = VFIO_USER_IO_FDS_SIZE + count * VFIO_USER_SUB_SIZE;
	int err = 0;

	if (index >= PCI_REGION_COUNT || get_le32(msg->payload + VFIO_USER_IO_FDS_FLAGS) ||
	    argsz < VFIO_USER_IO_FDS_SIZE) {
		refuse(why, "", "descriptors of region %u with argsz %u and flags: 0 to %u, %u or more, no "
				"flags", index, argsz, PCI_REGION_COUNT - 1, VFIO_USER_IO_FDS_SIZE);
		return -EINVAL;
	}
	memset(msg->reply, 0, VFIO_USER_IO_FDS_SIZE);
	put_le32(msg->reply + VFIO_USER_IO_FDS_ARGSZ, whole);
	put_le32(msg->reply + VFIO_USER_IO_FDS_INDEX, index);
	put_le32(msg->reply + VFIO_USER_IO_FDS_COUNT, count);
	msg->size = VFIO_USER_IO_FDS_SIZE;
	if (count == 0 || argsz < whole || whole > VFIO_USER_PAYLOAD_MAX)
		return 0;
	err = make_doorbells(vf);
	if (err) {
		refuse(why, "", "no descriptors for doorbells: %s", uv_strerror(err));
		return err;
	}
	write_sub_regions(vf, msg->reply + VFIO_USER_IO_FDS_SIZE);
	msg->size = whole;
	memcpy(msg->reply_fds, vf->doorbell_fds, vf->doorbell_count * sizeof(int));
	msg->reply_fd_count = vf->doorbell_count;
	return 0;
}
