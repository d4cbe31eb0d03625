/* The virtio-blk side of the disk client: one split queue, polled; virtio 1.2 sections 4.1 and 5.2. */
#include "disk_client.h"

#include "base/bytes.h"
#include "pcie/kinds.h"
#include "sim/guest_ring.h"
#include "spec/pcie_virtio.h"
#include "spec/virtio.h"
#include "spec/virtio_blk.h"

#include <errno.h>
#include <string.h>

enum {
	ENTRIES = 256,
	RING_AT = 0x1000,
	HEADERS_AT = 4 << 20, /* of the guest's memory: 32 bytes a tag, the status behind the header */
	HEADER_STEP = 32,
	STATUS_AT = 16,
};

static struct {
	struct vfio_user_client *client;
	uint8_t *memory;
	struct guest_ring ring;
	bool posted, caches, silent;
	uint32_t notify_at;
} v;

static int put(uint32_t at, unsigned size, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	return vfio_user_client_write(v.client, PCIE_KINDS_VIRTIO_BAR, at, size, bytes);
}

static uint64_t get(uint32_t at, unsigned size)
{
	uint8_t bytes[8] = { 0 };

	must(vfio_user_client_read(v.client, PCIE_KINDS_VIRTIO_BAR, at, size, bytes) == 0);
	return get_le64(bytes);
}

/* Takes version 1, indirect descriptors, flushes and translated access. */
static int negotiate(void)
{
	uint64_t wanted = UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_BLK_F_FLUSH |
			  UINT64_C(1) << VIRTIO_F_INDIRECT_DESC |
			  UINT64_C(1) << VIRTIO_F_ACCESS_PLATFORM, offered = 0;
	unsigned status = SPEC_VIRTIO_STATUS_ACKNOWLEDGE | SPEC_VIRTIO_STATUS_DRIVER;

	put(SPEC_VIRTIO_COMMON_STATUS, 1, 0);
	while (get(SPEC_VIRTIO_COMMON_STATUS, 1) != 0)
		;
	put(SPEC_VIRTIO_COMMON_STATUS, 1, status);
	for (unsigned half = 0; half < 2; half++) {
		put(SPEC_VIRTIO_COMMON_DEVICE_SELECT, 4, half);
		offered |= get(SPEC_VIRTIO_COMMON_DEVICE_FEATURE, 4) << 32 * half;
	}
	wanted &= offered;
	v.caches = wanted >> VIRTIO_BLK_F_FLUSH & 1;
	for (unsigned half = 0; half < 2; half++) {
		put(SPEC_VIRTIO_COMMON_DRIVER_SELECT, 4, half);
		put(SPEC_VIRTIO_COMMON_DRIVER_FEATURE, 4, wanted >> 32 * half & UINT32_MAX);
	}
	status |= SPEC_VIRTIO_STATUS_FEATURES_OK;
	put(SPEC_VIRTIO_COMMON_STATUS, 1, status);
	if (!(get(SPEC_VIRTIO_COMMON_STATUS, 1) & SPEC_VIRTIO_STATUS_FEATURES_OK))
		return -EPROTO;
	guest_ring_init(&v.ring, v.memory, CLIENT_IOVA, CLIENT_IOVA + RING_AT, ENTRIES, wanted);
	return 0;
}

static int start_queue(void)
{
	struct virtio_ring_conf conf = guest_ring_conf(&v.ring);

	put(SPEC_VIRTIO_COMMON_QUEUE_SELECT, 2, 0);
	if (get(SPEC_VIRTIO_COMMON_QUEUE_SIZE, 2) < ENTRIES)
		return -ENOSPC;
	put(SPEC_VIRTIO_COMMON_QUEUE_SIZE, 2, ENTRIES);
	put(SPEC_VIRTIO_COMMON_QUEUE_DESC, 8, conf.desc);
	put(SPEC_VIRTIO_COMMON_QUEUE_DRIVER, 8, conf.driver);
	put(SPEC_VIRTIO_COMMON_QUEUE_DEVICE, 8, conf.device);
	v.notify_at = PCIE_KINDS_NOTIFY_AT + PCIE_KINDS_NOTIFY_STRIDE *
		      (uint32_t)get(SPEC_VIRTIO_COMMON_QUEUE_NOTIFY, 2);
	put(SPEC_VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
	put(SPEC_VIRTIO_COMMON_STATUS, 1,
	    get(SPEC_VIRTIO_COMMON_STATUS, 1) | SPEC_VIRTIO_STATUS_DRIVER_OK);
	return 0;
}

static int open_(struct vfio_user_client *client, uint8_t *memory, unsigned depth, uint64_t *bytes)
{
	int err;

	(void)depth;
	v.client = client;
	v.memory = memory;
	memset(memory, 0, CLIENT_DATA_AT);
	err = negotiate();
	if (!err)
		err = start_queue();
	*bytes = get(PCIE_KINDS_DEVICE_AT + VIRTIO_BLK_CONFIG_CAPACITY, 8) * VIRTIO_BLK_SECTOR;
	return err;
}

static void post(uint32_t tag, enum client_op op, uint64_t offset, uint32_t size)
{
	static const uint32_t types[] = {
		[CLIENT_READ] = VIRTIO_BLK_T_IN,
		[CLIENT_WRITE] = VIRTIO_BLK_T_OUT,
		[CLIENT_FLUSH] = VIRTIO_BLK_T_FLUSH,
	};
	uint64_t base = v.ring.base, at = HEADERS_AT + (uint64_t)tag * HEADER_STEP;
	struct guest_buf bufs[3] = {
		{ base + at, VIRTIO_BLK_REQ_SIZE, false },
		{ base + CLIENT_DATA_AT + (uint64_t)tag * CLIENT_PIECE, size, op == CLIENT_READ },
		{ base + at + STATUS_AT, 1, true },
	};

	memset(v.memory + at, 0, HEADER_STEP);
	put_le32(v.memory + at + VIRTIO_BLK_REQ_TYPE, types[op]);
	put_le64(v.memory + at + VIRTIO_BLK_REQ_SECTOR, offset / VIRTIO_BLK_SECTOR);
	v.memory[at + STATUS_AT] = 0xff;
	if (op == CLIENT_FLUSH)
		bufs[1] = bufs[2];
	must(guest_ring_add(&v.ring, bufs, op == CLIENT_FLUSH ? 2 : 3, GUEST_INDIRECT, tag));
	v.posted = true;
}

static int turn(client_done_fn *done)
{
	uint64_t tag;
	uint32_t written;
	int count = 0, err = 0;

	if (v.posted && guest_ring_publish(&v.ring) && !v.silent)
		err = put(v.notify_at, 2, 0);
	v.posted = false;
	while (guest_ring_take(&v.ring, &tag, &written)) {
		done((uint32_t)tag, v.memory[HEADERS_AT + tag * HEADER_STEP + STATUS_AT]);
		count++;
	}
	return err ? err : count;
}

static int close_(void)
{
	return put(SPEC_VIRTIO_COMMON_STATUS, 1, 0);
}

static bool caches(void)
{
	return v.caches;
}

static int open_silent(struct vfio_user_client *client, uint8_t *memory, unsigned depth, uint64_t *bytes)
{
	v.silent = true;
	return open_(client, memory, depth, bytes);
}

const struct client_kind client_virtio_blk_silent = { "virtio-blk-silent", open_silent, post, turn, close_,
						      caches };
const struct client_kind client_virtio_blk = { "virtio-blk", open_, post, turn, close_, caches };
