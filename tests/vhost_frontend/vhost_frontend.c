#include "tests/vhost_frontend/vhost_frontend.h"

#include "base/bytes.h"
#include "spec/virtio_blk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FDS_MAX = 32, HEADER = VHOST_USER_HEADER_SIZE };

void vfe_init(struct vfe *f)
{
	*f = (struct vfe){ .fd = -1, .backend_fd = -1 };
	for (unsigned i = 0; i < VFE_RINGS_MAX; i++)
		f->rings[i].kick_fd = f->rings[i].call_fd = -1;
}

static int address(struct sockaddr_un *at, const char *path)
{
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof at->sun_path)
		return -ENAMETOOLONG;
	memcpy(at->sun_path, path, strlen(path) + 1);
	return 0;
}

int vfe_connect(struct vfe *f, const char *path)
{
	struct sockaddr_un at;
	int err = address(&at, path);

	if (err)
		return err;
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (f->fd < 0)
		return -errno;
	if (connect(f->fd, (struct sockaddr *)&at, sizeof at) == 0)
		return 0;
	err = -errno;
	close(f->fd);
	f->fd = -1;
	return err;
}

int vfe_listen(const char *path)
{
	struct sockaddr_un at;
	int fd, err = address(&at, path);

	if (err)
		return err;
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Waits until 'fd' is readable, pumping the back-end meanwhile. */
static int wait_for(struct vfe *f, int fd)
{
	uint64_t until = now_ms() + VFE_WAIT_MS;

	while (now_ms() < until) {
		struct pollfd one = { .fd = fd, .events = POLLIN };

		if (f->pump)
			f->pump(f->pump_arg);
		if (poll(&one, 1, f->pump ? 0 : 100) > 0)
			return 0;
	}
	return -ETIMEDOUT;
}

int vfe_accept(struct vfe *f, int listen_fd)
{
	int err = wait_for(f, listen_fd);

	if (err)
		return err;
	f->fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	return f->fd < 0 ? -errno : 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vfe_close(struct vfe *f)
{
	close_fd(&f->fd);
	close_fd(&f->backend_fd);
	for (unsigned i = 0; i < f->region_count; i++) {
		munmap(f->regions[i].bytes, f->regions[i].size);
		close(f->regions[i].fd);
	}
	f->region_count = 0;
	for (unsigned i = 0; i < VFE_RINGS_MAX; i++) {
		close_fd(&f->rings[i].kick_fd);
		close_fd(&f->rings[i].call_fd);
	}
}

int vfe_send(struct vfe *f, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
	     const int *fds, unsigned fd_count)
{
	uint8_t header[HEADER];
	struct iovec pieces[2] = { { header, HEADER }, { (void *)(uintptr_t)payload, size } };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct msghdr head = { .msg_iov = pieces, .msg_iovlen = size ? 2 : 1 };

	must(fd_count <= FDS_MAX);
	put_le32(header + VHOST_USER_HEADER_REQUEST, request);
	put_le32(header + VHOST_USER_HEADER_FLAGS, flags | VHOST_USER_VERSION);
	put_le32(header + VHOST_USER_HEADER_PAYLOAD_SIZE, size);
	if (fd_count) {
		head.msg_control = &control;
		head.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		control.align.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.align), fds, fd_count * sizeof(int));
	}
	return sendmsg(f->fd, &head, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Reads exactly 'size' bytes, and a descriptor when one comes with them. */
static int read_whole(struct vfe *f, int from, uint8_t *to, size_t size, int *fd)
{
	while (size) {
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec piece = { to, size };
		struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control,
				       .msg_controllen = sizeof control };
		int err = wait_for(f, from);
		ssize_t got = err ? 0 : recvmsg(from, &head, MSG_CMSG_CLOEXEC);
		struct cmsghdr *c;

		if (err)
			return err;
		if (got <= 0)
			return got < 0 ? -errno : -ECONNRESET;
		c = CMSG_FIRSTHDR(&head);
		if (c && c->cmsg_type == SCM_RIGHTS)
			memcpy(fd, CMSG_DATA(c), sizeof *fd);
		to += got;
		size -= (size_t)got;
	}
	return 0;
}

/* One whole message from 'from'. */
static int read_message(struct vfe *f, int from, uint8_t header[HEADER], void *payload,
			uint32_t max, int *fd)
{
	uint32_t size;
	int err = read_whole(f, from, header, HEADER, fd);

	if (err)
		return err;
	size = get_le32(header + VHOST_USER_HEADER_PAYLOAD_SIZE);
	if (size > max)
		return -EMSGSIZE;
	err = size ? read_whole(f, from, payload, size, fd) : 0;
	return err ? err : (int)size;
}

int vfe_reply(struct vfe *f, uint32_t request, void *payload, uint32_t max, int *fd)
{
	uint8_t header[HEADER];
	int got_fd = -1;
	int size = read_message(f, f->fd, header, payload, max, &got_fd);

	if (fd)
		*fd = got_fd;
	else if (got_fd >= 0)
		close(got_fd);
	if (size < 0)
		return size;
	if (get_le32(header + VHOST_USER_HEADER_REQUEST) != request ||
	    get_le32(header + VHOST_USER_HEADER_FLAGS) !=
		    (VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY))
		return -EPROTO;
	return size;
}

int vfe_backend_request(struct vfe *f, uint32_t *request, void *payload, uint32_t max)
{
	uint8_t header[HEADER];
	int fd = -1, size = read_message(f, f->backend_fd, header, payload, max, &fd);

	if (size >= 0)
		*request = get_le32(header + VHOST_USER_HEADER_REQUEST);
	return size;
}

int vfe_do(struct vfe *f, uint32_t request, const void *payload, uint32_t size, const int *fds,
	   unsigned fd_count)
{
	uint8_t reply[8] = { 0 };
	int err = vfe_send(f, request, VHOST_USER_FLAG_NEED_REPLY, payload, size, fds, fd_count);

	if (!err)
		err = vfe_reply(f, request, reply, sizeof reply, NULL);
	if (err < 0)
		return err;
	return err != 8 ? -EPROTO : get_le64(reply) != 0;
}

int vfe_do_u64(struct vfe *f, uint32_t request, uint64_t value)
{
	uint8_t payload[8];

	put_le64(payload, value);
	return vfe_do(f, request, payload, sizeof payload, NULL, 0);
}

static int do_state_fd(struct vfe *f, uint32_t request, uint32_t index, int fd)
{
	uint8_t payload[8];

	put_le64(payload, fd >= 0 ? index : index | VHOST_USER_VRING_NOFD);
	return vfe_do(f, request, payload, sizeof payload, &fd, fd >= 0);
}

int vfe_do_state(struct vfe *f, uint32_t request, uint32_t index, uint32_t num)
{
	uint8_t payload[VHOST_USER_STATE_BYTES];

	put_le32(payload + VHOST_USER_STATE_INDEX, index);
	put_le32(payload + VHOST_USER_STATE_NUM, num);
	return vfe_do(f, request, payload, sizeof payload, NULL, 0);
}

int vfe_get_u64(struct vfe *f, uint32_t request, uint64_t *value)
{
	uint8_t payload[8];
	int err = vfe_send(f, request, 0, NULL, 0, NULL, 0);

	if (!err)
		err = vfe_reply(f, request, payload, sizeof payload, NULL);
	if (err < 0)
		return err;
	*value = get_le64(payload);
	return err == 8 ? 0 : -EPROTO;
}

int vfe_share(struct vfe *f, uint64_t guest, uint64_t size)
{
	struct vfe_region *region = &f->regions[f->region_count];

	must(f->region_count < VFE_REGIONS_MAX);
	*region = (struct vfe_region){ .guest = guest, .size = size };
	region->fd = memfd_create("guest", MFD_CLOEXEC);
	if (region->fd < 0 || ftruncate(region->fd, (off_t)size))
		return -errno;
	region->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, region->fd, 0);
	if (region->bytes == MAP_FAILED)
		return -errno;
	f->region_count++;
	return 0;
}

static void put_region(uint8_t *to, const struct vfe_region *region)
{
	put_le64(to + VHOST_USER_REGION_GUEST, region->guest);
	put_le64(to + VHOST_USER_REGION_SIZE, region->size);
	put_le64(to + VHOST_USER_REGION_USER, (uintptr_t)region->bytes);
	put_le64(to + VHOST_USER_REGION_OFFSET, region->offset);
}

int vfe_set_mem_table(struct vfe *f)
{
	uint8_t payload[VHOST_USER_MEM_FIRST +
			VHOST_USER_MEM_REGIONS_MAX * VHOST_USER_REGION_BYTES] = { 0 };
	int fds[VHOST_USER_MEM_REGIONS_MAX];

	must(f->region_count <= VHOST_USER_MEM_REGIONS_MAX);
	put_le32(payload + VHOST_USER_MEM_COUNT, f->region_count);
	for (unsigned i = 0; i < f->region_count; i++) {
		put_region(payload + VHOST_USER_MEM_FIRST + i * VHOST_USER_REGION_BYTES,
			   &f->regions[i]);
		fds[i] = f->regions[i].fd;
	}
	return vfe_do(f, VHOST_USER_SET_MEM_TABLE, payload,
		      VHOST_USER_MEM_FIRST + f->region_count * VHOST_USER_REGION_BYTES, fds,
		      f->region_count);
}

int vfe_mem_reg(struct vfe *f, uint32_t request, unsigned region)
{
	uint8_t payload[VHOST_USER_SINGLE_FIRST + VHOST_USER_REGION_BYTES] = { 0 };

	put_region(payload + VHOST_USER_SINGLE_FIRST, &f->regions[region]);
	return vfe_do(f, request, payload, sizeof payload, &f->regions[region].fd,
		      request == VHOST_USER_ADD_MEM_REG);
}

int vfe_negotiate(struct vfe *f, uint64_t wanted)
{
	int err = vfe_get_u64(f, VHOST_USER_GET_FEATURES, &f->offered);
	uint8_t payload[8];

	if (!err && f->offered >> VHOST_USER_F_PROTOCOL_FEATURES & 1)
		err = vfe_get_u64(f, VHOST_USER_GET_PROTOCOL_FEATURES, &f->protocol_features);
	put_le64(payload, f->protocol_features);
	/* Reply-ack is not agreed on before this. */
	if (!err)
		err = vfe_send(f, VHOST_USER_SET_PROTOCOL_FEATURES, 0, payload, 8, NULL, 0);
	if (!err)
		err = vfe_do(f, VHOST_USER_SET_OWNER, NULL, 0, NULL, 0);
	f->features = f->offered & wanted;
	return err ? err : vfe_do_u64(f, VHOST_USER_SET_FEATURES, f->features);
}

static uint8_t *allocate(struct vfe *f, uint64_t size)
{
	uint64_t at = (f->allocated + 4095) / 4096 * 4096;

	must(f->region_count > 0 && at + size <= f->regions[0].size);
	f->allocated = at + size;
	return f->regions[0].bytes + at;
}

static uint64_t guest_address(const struct vfe *f, const uint8_t *bytes)
{
	return f->regions[0].guest + (uint64_t)(bytes - f->regions[0].bytes);
}

int vfe_ring_addr(struct vfe *f, unsigned index, uint32_t flags, uint64_t log)
{
	const struct vfe_ring *ring = &f->rings[index];
	uint8_t payload[VHOST_USER_ADDR_BYTES];

	put_le32(payload + VHOST_USER_ADDR_INDEX, index);
	put_le32(payload + VHOST_USER_ADDR_FLAGS, flags);
	put_le64(payload + VHOST_USER_ADDR_DESC, (uintptr_t)ring->desc);
	put_le64(payload + VHOST_USER_ADDR_USED, (uintptr_t)ring->used);
	put_le64(payload + VHOST_USER_ADDR_AVAIL, (uintptr_t)ring->avail);
	put_le64(payload + VHOST_USER_ADDR_LOG, log);
	return vfe_do(f, VHOST_USER_SET_VRING_ADDR, payload, sizeof payload, NULL, 0);
}

int vfe_ring_restart(struct vfe *f, unsigned index, uint16_t base)
{
	struct vfe_ring *ring = &f->rings[index];
	int err = vfe_do_state(f, VHOST_USER_SET_VRING_NUM, index, ring->size);

	if (!err)
		err = vfe_do_state(f, VHOST_USER_SET_VRING_BASE, index, base);
	if (!err)
		err = vfe_ring_addr(f, index, 0, 0);
	if (!err)
		err = do_state_fd(f, VHOST_USER_SET_VRING_CALL, index, ring->call_fd);
	if (!err)
		err = do_state_fd(f, VHOST_USER_SET_VRING_KICK, index, ring->kick_fd);
	if (!err && f->features >> VHOST_USER_F_PROTOCOL_FEATURES & 1)
		err = vfe_do_state(f, VHOST_USER_SET_VRING_ENABLE, index, 1);
	return err;
}

/* Split ring layouts, virtio 1.2 section 2.7. */
enum {
	DESC_BYTES = 16, DESC_LEN = 8, DESC_FLAGS = 12, DESC_F_WRITE = 2,
	AVAIL_IDX = 2, AVAIL_RING = 4, USED_FLAGS = 0, USED_IDX = 2, USED_RING = 4,
	USED_BYTES = 8, USED_LEN = 4,
};

static uint16_t load_idx(const uint8_t *at)
{
	return atomic_load_explicit((_Atomic uint16_t *)(uintptr_t)at, memory_order_acquire);
}

static void store_idx(uint8_t *at, uint16_t value)
{
	atomic_store_explicit((_Atomic uint16_t *)(uintptr_t)at, value, memory_order_release);
}

/* Makes the entry that position 'at' uses available with 'size' bytes. */
static void offer_at(struct vfe_ring *ring, uint16_t id, uint64_t address, uint32_t size,
		     uint16_t flags)
{
	uint8_t *desc = ring->desc + id * DESC_BYTES;
	uint16_t idx = ring->filled;

	put_le64(desc, address);
	put_le32(desc + DESC_LEN, size);
	put_le16(desc + DESC_FLAGS, flags);
	put_le16(desc + DESC_FLAGS + 2, 0);
	put_le16(ring->avail + AVAIL_RING + idx % ring->size * 2, id);
	ring->filled = (uint16_t)(idx + 1);
	store_idx(ring->avail + AVAIL_IDX, ring->filled);
}

static void offer(struct vfe *f, struct vfe_ring *ring, uint16_t id, uint32_t size, uint16_t flags)
{
	offer_at(ring, id, guest_address(f, ring->buffers + id * VFE_BUFFER_SIZE), size, flags);
}

int vfe_ring_start(struct vfe *f, unsigned index, uint16_t size, uint16_t base)
{
	struct vfe_ring *ring = &f->rings[index];

	*ring = (struct vfe_ring){ .size = size, .filled = base, .last_used = base };
	ring->desc = allocate(f, 16ull * size);
	ring->avail = allocate(f, 6 + 2ull * size);
	ring->used = allocate(f, 6 + 8ull * size);
	ring->buffers = allocate(f, (uint64_t)VFE_BUFFER_SIZE * size);
	ring->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ring->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	store_idx(ring->avail + AVAIL_IDX, base);
	store_idx(ring->used + USED_IDX, base);
	if (index % 2 == 0 && !f->no_buffers)
		for (uint16_t i = 0; i < size; i++)
			offer(f, ring, i, VFE_BUFFER_SIZE, DESC_F_WRITE);
	return vfe_ring_restart(f, index, base);
}

int vfe_ring_stop(struct vfe *f, unsigned index)
{
	uint8_t payload[VHOST_USER_STATE_BYTES] = { 0 };
	int err;

	put_le32(payload + VHOST_USER_STATE_INDEX, index);
	err = vfe_send(f, VHOST_USER_GET_VRING_BASE, 0, payload, sizeof payload, NULL, 0);
	if (!err)
		err = vfe_reply(f, VHOST_USER_GET_VRING_BASE, payload, sizeof payload, NULL);
	if (err < 0)
		return err;
	return (int)get_le32(payload + VHOST_USER_STATE_NUM);
}

int vfe_start(struct vfe *f, uint64_t wanted, unsigned pairs, uint16_t ring_size)
{
	uint64_t size = (uint64_t)pairs * 2 * (ring_size * (VFE_BUFFER_SIZE + 64ull) + 65536);
	int err = vfe_share(f, 0, size);

	f->pairs = pairs;
	if (!err)
		err = vfe_negotiate(f, wanted);
	if (!err)
		err = vfe_set_mem_table(f);
	for (unsigned i = 0; !err && i < 2 * pairs; i++)
		err = vfe_ring_start(f, i, ring_size, 0);
	return err;
}

void vfe_kick(struct vfe *f, unsigned index)
{
	uint64_t one = 1;

	(void)!write(f->rings[index].kick_fd, &one, sizeof one);
}

uint16_t vfe_used(const struct vfe *f, unsigned index)
{
	return load_idx(f->rings[index].used + USED_IDX);
}

int vfe_transmit_at(struct vfe *f, unsigned pair, uint64_t address, uint32_t size)
{
	struct vfe_ring *ring = &f->rings[2 * pair + 1];

	ring->last_used = vfe_used(f, 2 * pair + 1);
	if ((uint16_t)(ring->filled - ring->last_used) == ring->size)
		return -EAGAIN;
	offer_at(ring, ring->filled % ring->size, address, size, 0);
	vfe_kick(f, 2 * pair + 1);
	return 0;
}

void vfe_point_receive_at(struct vfe *f, unsigned pair, uint64_t address)
{
	struct vfe_ring *ring = &f->rings[2 * pair];

	for (uint16_t id = 0; id < ring->size; id++)
		put_le64(ring->desc + id * DESC_BYTES, address + id * (uint64_t)VFE_BUFFER_SIZE);
}

int vfe_transmit(struct vfe *f, unsigned pair, const uint8_t *frame, uint32_t size)
{
	unsigned index = 2 * pair + 1;
	struct vfe_ring *ring = &f->rings[index];
	uint16_t id = ring->filled % ring->size;
	uint8_t *to = ring->buffers + id * VFE_BUFFER_SIZE;

	ring->last_used = vfe_used(f, index);
	if ((uint16_t)(ring->filled - ring->last_used) == ring->size)
		return -EAGAIN;
	must(size + VFE_NET_HEADER_SIZE <= VFE_BUFFER_SIZE);
	memset(to, 0, VFE_NET_HEADER_SIZE);
	memcpy(to + VFE_NET_HEADER_SIZE, frame, size);
	offer(f, ring, id, size + VFE_NET_HEADER_SIZE, 0);
	atomic_thread_fence(memory_order_seq_cst); /* the entry before the look at the flag */
	if (!(get_le16(ring->used + USED_FLAGS) & 1))
		vfe_kick(f, index);
	return 0;
}

uint32_t vfe_receive(struct vfe *f, unsigned pair, uint8_t *frame, uint32_t max)
{
	struct vfe_ring *ring = &f->rings[2 * pair];
	const uint8_t *entry = ring->used + USED_RING + ring->last_used % ring->size * USED_BYTES;
	uint32_t size;
	uint16_t id;

	if (vfe_used(f, 2 * pair) == ring->last_used)
		return 0;
	id = get_le16(entry);
	size = get_le32(entry + USED_LEN);
	must(id < ring->size && size <= VFE_BUFFER_SIZE);
	must(size >= VFE_NET_HEADER_SIZE || size == 0); /* 0: a buffer that could not be written */
	size -= min_u32(size, VFE_NET_HEADER_SIZE);
	memcpy(frame, ring->buffers + id * VFE_BUFFER_SIZE + VFE_NET_HEADER_SIZE,
	       min_u32(size, max));
	ring->last_used++;
	offer(f, ring, id, VFE_BUFFER_SIZE, DESC_F_WRITE);
	return min_u32(size, max);
}

/* A slot has three descriptors, and their buffers: header, data, status. */
uint8_t *vfe_disk_data(struct vfe *f, unsigned index, unsigned slot)
{
	return f->rings[index].buffers + (3 * slot + 1) * (size_t)VFE_BUFFER_SIZE;
}

uint8_t vfe_disk_status(const struct vfe *f, unsigned index, unsigned slot)
{
	return f->rings[index].buffers[(3 * slot + 2) * (size_t)VFE_BUFFER_SIZE];
}

void vfe_disk_post_at(struct vfe *f, unsigned index, unsigned slot, uint32_t type, uint64_t sector,
		      uint64_t address, uint32_t size)
{
	enum { DESC_NEXT = 14, DESC_F_NEXT = 1 };
	struct vfe_ring *ring = &f->rings[index];
	uint8_t *at = vfe_disk_data(f, index, slot), *header = at - VFE_BUFFER_SIZE;
	uint16_t in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID ? DESC_F_WRITE : 0;
	const struct {
		uint64_t address;
		uint32_t size;
		uint16_t flags;
	} parts[3] = { { guest_address(f, header), VIRTIO_BLK_REQ_SIZE, 0 }, { address, size, in },
		       { guest_address(f, at + VFE_BUFFER_SIZE), 1, DESC_F_WRITE } };
	uint8_t *last = NULL;

	must(3 * slot + 3 <= ring->size && size <= VFE_BUFFER_SIZE);
	memset(header, 0, VIRTIO_BLK_REQ_SIZE);
	put_le32(header + VIRTIO_BLK_REQ_TYPE, type);
	put_le64(header + VIRTIO_BLK_REQ_SECTOR, sector);
	at[VFE_BUFFER_SIZE] = VFE_DISK_OPEN;
	for (unsigned i = 0; i < array_len(parts); i++) {
		uint16_t id = (uint16_t)(3 * slot + i);
		uint8_t *desc = ring->desc + id * DESC_BYTES;

		if (parts[i].size == 0) /* a flush has no data */
			continue;
		if (last) {
			put_le16(last + DESC_FLAGS, get_le16(last + DESC_FLAGS) | DESC_F_NEXT);
			put_le16(last + DESC_NEXT, id);
		}
		put_le64(desc, parts[i].address);
		put_le32(desc + DESC_LEN, parts[i].size);
		put_le16(desc + DESC_FLAGS, parts[i].flags);
		last = desc;
	}
	put_le16(ring->avail + AVAIL_RING + ring->filled % ring->size * 2, (uint16_t)(3 * slot));
	store_idx(ring->avail + AVAIL_IDX, ++ring->filled);
}

void vfe_disk_post(struct vfe *f, unsigned index, unsigned slot, uint32_t type, uint64_t sector,
		   const uint8_t *data, uint32_t size)
{
	uint8_t *at = vfe_disk_data(f, index, slot);

	must(size <= VFE_BUFFER_SIZE);
	if (data)
		memcpy(at, data, size);
	vfe_disk_post_at(f, index, slot, type, sector, guest_address(f, at), size);
}
