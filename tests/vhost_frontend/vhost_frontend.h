/* tests/vhost_frontend -- a vhost-user frontend and a small network driver in one process: what a VMM
 * and its guest would do, for tests, measurements and fuzzers.
 *
 * What it is not: a virtual machine.  It shares one memfd, drives split rings, and says any message
 * that a test asks for, right or wrong.
 *
 * Threads: one frontend, one thread.  Waiting for a reply it calls 'pump' when there is one, so that a
 * test may run the back-end's event loop in the same thread.  Memory: the caller's; vfe_close gives
 * back what it holds. */
#ifndef TESTS_VHOST_FRONTEND_H
#define TESTS_VHOST_FRONTEND_H

#include "base/base.h"
#include "spec/vhost_user.h"

enum {
	VFE_REGIONS_MAX = 128,
	VFE_RINGS_MAX = 17,
	VFE_BUFFER_SIZE = 2048,      /* of one ring entry */
	VFE_NET_HEADER_SIZE = 12,    /* virtio 1.2 section 5.1.6 */
	VFE_WAIT_MS = 60000,
};

struct vfe_region {
	uint64_t guest, size;
	uint8_t *bytes; /* also its user address */
	int fd;
	uint64_t offset;
};

struct vfe_ring {
	uint16_t size, filled, last_used;
	uint8_t *desc, *avail, *used, *buffers;
	int kick_fd, call_fd;
};

struct vfe {
	int fd, backend_fd; /* back-end channel: our end; -1: none */
	void (*pump)(void *arg);
	void *pump_arg;
	uint64_t offered, features, protocol_features;
	struct vfe_region regions[VFE_REGIONS_MAX];
	unsigned region_count;
	uint64_t allocated; /* bytes of region 0 in use */
	unsigned pairs;
	bool no_buffers; /* rings start empty: none is for receiving */
	struct vfe_ring rings[VFE_RINGS_MAX];
};

void vfe_init(struct vfe *f);
/* Connects to a back-end that listens.  0 or -errno. */
int vfe_connect(struct vfe *f, const char *path);
/* Client-mode back-ends: listens at 'path' (returns a descriptor), and takes one connection. */
int vfe_listen(const char *path);
int vfe_accept(struct vfe *f, int listen_fd);
/* Closes everything; memory is unmapped. */
void vfe_close(struct vfe *f);

/* Sends any message.  0 or -errno. */
int vfe_send(struct vfe *f, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
	     const int *fds, unsigned fd_count);
/* Receives the reply of 'request'.  Returns its size, or -errno: -ECONNRESET when the back-end
 * closed, -ETIMEDOUT after VFE_WAIT_MS, -EPROTO when it is another's.  *fd, unless NULL, receives a
 * descriptor or -1. */
int vfe_reply(struct vfe *f, uint32_t request, void *payload, uint32_t max, int *fd);
/* Sends and waits for the reply-ack.  0: done; 1: refused; -errno. */
int vfe_do(struct vfe *f, uint32_t request, const void *payload, uint32_t size, const int *fds,
	   unsigned fd_count);
int vfe_do_u64(struct vfe *f, uint32_t request, uint64_t value);
int vfe_do_state(struct vfe *f, uint32_t request, uint32_t index, uint32_t num);
int vfe_get_u64(struct vfe *f, uint32_t request, uint64_t *value);

/* Makes 'size' bytes of shared memory at guest address 'guest'; not yet told to the back-end. */
int vfe_share(struct vfe *f, uint64_t guest, uint64_t size);
/* Tells it: SET_MEM_TABLE with all regions, or one region with ADD_MEM_REG / REM_MEM_REG. */
int vfe_set_mem_table(struct vfe *f);
int vfe_mem_reg(struct vfe *f, uint32_t request, unsigned region);

/* Owner, features and protocol features.  'wanted' is cut to what is offered. */
int vfe_negotiate(struct vfe *f, uint64_t wanted);
/* Lays a ring out in region 0 and tells it: number, base, addresses, call, kick, enable. */
int vfe_ring_start(struct vfe *f, unsigned index, uint16_t size, uint16_t base);
/* The same ring again, at 'base': after a reconnection or GET_VRING_BASE. */
int vfe_ring_restart(struct vfe *f, unsigned index, uint16_t base);
/* Stops it; returns the base or -errno. */
int vfe_ring_stop(struct vfe *f, unsigned index);
/* SET_VRING_ADDR again, with these flags and log address. */
int vfe_ring_addr(struct vfe *f, unsigned index, uint32_t flags, uint64_t log);
/* All of the above: memory of 'size' bytes, features, 'pairs' of rings with posted buffers. */
int vfe_start(struct vfe *f, uint64_t wanted, unsigned pairs, uint16_t ring_size);

/* Guest's driver: sends one frame; -EAGAIN when the ring is full.  Kicks when asked to. */
int vfe_transmit(struct vfe *f, unsigned pair, const uint8_t *frame, uint32_t size);
/* The same with a descriptor that points at guest 'address', whatever is there; no kick is spared. */
int vfe_transmit_at(struct vfe *f, unsigned pair, uint64_t address, uint32_t size);
/* Points every receive descriptor there and behind. */
void vfe_point_receive_at(struct vfe *f, unsigned pair, uint64_t address);
/* Takes one received frame; its size, 0 when there is none. Posts the buffer again. */
uint32_t vfe_receive(struct vfe *f, unsigned pair, uint8_t *frame, uint32_t max);
/* Used entries of transmitq that came back so far. */
uint16_t vfe_used(const struct vfe *f, unsigned index);
void vfe_kick(struct vfe *f, unsigned index);

/* One request of a disk, virtio 1.2 section 5.2.6: header, data, status byte, in 'slot' of its ring: 0 to
 * size / 3 - 1, not in use.  'data' is copied out of, or (VIRTIO_BLK_T_IN) left to be read at
 * vfe_disk_data().  No kick. */
void vfe_disk_post(struct vfe *f, unsigned index, unsigned slot, uint32_t type, uint64_t sector,
		   const uint8_t *data, uint32_t size);
/* The same with its data at guest 'address', whatever is there. */
void vfe_disk_post_at(struct vfe *f, unsigned index, unsigned slot, uint32_t type, uint64_t sector,
		      uint64_t address, uint32_t size);
uint8_t *vfe_disk_data(struct vfe *f, unsigned index, unsigned slot);
/* The status byte; VFE_DISK_OPEN until there is one. */
enum { VFE_DISK_OPEN = 0xaa };
uint8_t vfe_disk_status(const struct vfe *f, unsigned index, unsigned slot);

/* Back-end channel: one request of the back-end.  Its size, or -errno. */
int vfe_backend_request(struct vfe *f, uint32_t *request, void *payload, uint32_t max);

#endif
