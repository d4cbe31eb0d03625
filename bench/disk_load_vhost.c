/* A disk behind a vhost-user-blk socket: one split queue, virtio 1.2 sections 2.7 and 5.2, as a VMM
 * and the driver of its guest set it up. */
#include "disk_load.h"

#include "base/bytes.h"
#include "sim/guest_ring.h"
#include "spec/virtio.h"
#include "spec/virtio_blk.h"
#include "tests/vhost_frontend/vhost_frontend.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	ENTRIES = 128,
	GUEST_BASE = 0x100000,
	HEADERS_AT = 4 << 20, /* 64 bytes a tag: its header, and its status behind that */
	HEADER_STEP = 64,
	STATUS_AT = 16,
	CALL_MS = 5000,
};

static struct {
	struct vfe frontend;
	struct guest_ring ring;
	uint8_t *memory;
	enum load_wait wait;
} v;

#define BIT(n) (UINT64_C(1) << (n))

/* What Linux's driver takes of a disk with one queue, and what VMMs take beside. */
static int negotiate(void)
{
	uint64_t wanted = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_INDIRECT_DESC) |
			  BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_BLK_F_FLUSH) |
			  BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_SEG_MAX) |
			  BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	int err = vfe_negotiate(&v.frontend, wanted);

	if (err)
		return err < 0 ? err : -EPROTO;
	return v.frontend.features >> VIRTIO_F_INDIRECT_DESC & 1 ? 0 : -ENOTSUP;
}

static int get_capacity(uint64_t *bytes)
{
	uint8_t payload[VHOST_USER_CONFIG_FIRST + VIRTIO_BLK_CONFIG_SIZE] = { 0 };
	const uint32_t size = VIRTIO_BLK_CONFIG_WRITEBACK; /* no more than every device has */
	int err;

	put_le32(payload + VHOST_USER_CONFIG_SIZE, size);
	err = vfe_send(&v.frontend, VHOST_USER_GET_CONFIG, 0, payload,
		       VHOST_USER_CONFIG_FIRST + size, NULL, 0);
	if (!err)
		err = vfe_reply(&v.frontend, VHOST_USER_GET_CONFIG, payload, sizeof payload, NULL);
	if (err < 0)
		return err;
	*bytes = get_le64(payload + VHOST_USER_CONFIG_FIRST + VIRTIO_BLK_CONFIG_CAPACITY) *
		 VIRTIO_BLK_SECTOR;
	return *bytes ? 0 : -EPROTO;
}

static int start_ring(void)
{
	struct vfe_ring *ring = &v.frontend.rings[0];

	guest_ring_init(&v.ring, v.memory, GUEST_BASE, GUEST_BASE, ENTRIES, v.frontend.features);
	*ring = (struct vfe_ring){ .size = ENTRIES,
				   .desc = guest_at(&v.ring, v.ring.desc),
				   .avail = guest_at(&v.ring, v.ring.driver),
				   .used = guest_at(&v.ring, v.ring.device),
				   .kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
				   .call_fd = eventfd(0, EFD_CLOEXEC) };
	if (ring->kick_fd < 0 || ring->call_fd < 0)
		return -errno;
	guest_ring_wish(&v.ring, v.wait == LOAD_POLLS ? GUEST_NO_INTERRUPT : GUEST_INTERRUPT, 0);
	return vfe_ring_restart(&v.frontend, 0, 0);
}

static int open_vhost(const char *socket, const struct load_memory *memory, enum load_wait wait,
		      uint64_t *bytes)
{
	int err;

	v.memory = memory->bytes;
	v.wait = wait;
	vfe_init(&v.frontend);
	err = vfe_connect(&v.frontend, socket);
	if (!err)
		err = negotiate();
	if (!err)
		err = get_capacity(bytes);
	if (err)
		return err;
	v.frontend.regions[0] = (struct vfe_region){
		.guest = GUEST_BASE, .size = LOAD_MEMORY, .bytes = memory->bytes, .fd = memory->fd
	};
	v.frontend.region_count = 1;
	err = vfe_set_mem_table(&v.frontend);
	return err ? err : start_ring();
}

static void post(uint32_t tag, enum load_op op, uint64_t offset, uint32_t size)
{
	uint64_t at = HEADERS_AT + (uint64_t)tag * HEADER_STEP;
	const struct guest_buf bufs[3] = {
		{ GUEST_BASE + at, VIRTIO_BLK_REQ_SIZE, false },
		{ GUEST_BASE + LOAD_DATA_AT + (uint64_t)tag * LOAD_PIECE, size, op == LOAD_READ },
		{ GUEST_BASE + at + STATUS_AT, 1, true },
	};
	uint8_t *header = v.memory + at;

	put_le32(header + VIRTIO_BLK_REQ_TYPE,
		 op == LOAD_READ ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT);
	put_le64(header + VIRTIO_BLK_REQ_SECTOR, offset / VIRTIO_BLK_SECTOR);
	header[STATUS_AT] = 0xff;
	must(guest_ring_add(&v.ring, bufs, 3, GUEST_INDIRECT, tag));
}

static void tell(void)
{
	if (guest_ring_publish(&v.ring))
		vfe_kick(&v.frontend, 0);
}

static int take_all(load_done_fn *done)
{
	uint32_t written;
	uint64_t tag;
	int count = 0;

	for (; guest_ring_take(&v.ring, &tag, &written); count++)
		done((uint32_t)tag, v.memory[HEADERS_AT + tag * HEADER_STEP + STATUS_AT]);
	return count;
}

/* The server may have made its end, and so this one, non-blocking. */
static int sleep_until_called(void)
{
	struct pollfd call = { .fd = v.frontend.rings[0].call_fd, .events = POLLIN };
	uint64_t calls;

	if (poll(&call, 1, CALL_MS) != 1)
		return -ETIMEDOUT;
	return read(call.fd, &calls, sizeof calls) < 0 ? -errno : 0;
}

/* A driver that sleeps asks for an interrupt, looks once more, and sleeps until it comes. */
static int take(load_done_fn *done)
{
	int count = take_all(done);

	if (v.wait == LOAD_POLLS) {
		if (count && v.ring.event_idx)
			guest_ring_wish(&v.ring, GUEST_NO_INTERRUPT, 0);
		return count;
	}
	if (count)
		return count;
	guest_ring_wish(&v.ring, GUEST_INTERRUPT, 0);
	atomic_thread_fence(memory_order_seq_cst); /* the wish before the look */
	count = take_all(done);
	if (count)
		return count;
	return sleep_until_called();
}

static void close_vhost(void)
{
	(void)vfe_ring_stop(&v.frontend, 0);
	v.frontend.region_count = 0; /* the memory is the load's */
	vfe_close(&v.frontend);
}

const struct load_way load_vhost = { "vhost-user-blk", open_vhost, post, tell, take, close_vhost };
