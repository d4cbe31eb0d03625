/* attach/vhost_user_msg.h -- one vhost-user message: what it may look like, and what it says.
 *
 * The rules of all requests stand in one table (vhost_user_table.c).  What it is not: what a
 * request does (vhost_user_requests.c, _ring.c, _mem.c, _iotlb.c), nor how it came (_socket.c).
 *
 * Threads: pure.  Memory: the caller's. */
#ifndef ATTACH_VHOST_USER_MSG_H
#define ATTACH_VHOST_USER_MSG_H

#include "base/base.h"
#include "base/refusal.h"
#include "spec/vhost_user.h"

enum {
	VU_PAYLOAD_MAX = VHOST_USER_CONFIG_FIRST + VHOST_USER_CONFIG_MAX,
	VU_FDS_MAX = VHOST_USER_MEM_REGIONS_MAX,
};

struct vu_msg {
	uint32_t request; /* enum vhost_user_request, once vu_msg_check() has passed */
	uint32_t flags;
	uint32_t size;    /* bytes of payload */
	unsigned fd_count;
	int fds[VU_FDS_MAX]; /* owned by the message; -1: somebody took it */
	_Alignas(8) uint8_t payload[VU_PAYLOAD_MAX];
};

/* How a request is answered when it went well. */
enum vu_answer {
	VU_ANSWER_ACK,   /* a u64 of 0, when need_reply asks for it */
	VU_ANSWER_REPLY, /* its own reply, always */
};

/* Whether it may be served while the device has requests under way: not when it takes memory or rings
 * away. */
enum vu_when { VU_ANY_TIME, VU_WHEN_QUIET };

struct vhost_user;

/* What a request may look like and who serves it. */
struct vu_rule {
	const char *name;
	uint16_t size_min, size_max; /* bytes of payload */
	uint8_t fds_min, fds_max;
	uint8_t answer; /* enum vu_answer */
	uint8_t when;   /* enum vu_when */
	/* Carries the request out.  VU_ANSWER_REPLY: leaves the reply's payload and size in 'msg'
	 * (descriptors to send in 'reply_fd').  A negative errno with 'why' refuses it. */
	int (*serve)(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why);
};

/* The rule of 'request', or NULL when there is no such request. */
const struct vu_rule *vu_rule(uint32_t request);

/* Reads a header of VHOST_USER_HEADER_SIZE bytes into msg->request, flags, size.  -EPROTO with
 * 'why' when what follows cannot be told apart any more: a foreign version, a reply where
 * requests come, or a payload larger than any. */
int vu_msg_header(struct vu_msg *msg, const uint8_t *bytes, struct refusal *why);

/* Holds a whole message against its rule.  -EPROTO with 'why' when its size or the number of its
 * descriptors is not as the rule says; -EOPNOTSUPP when there is no rule. */
int vu_msg_check(const struct vu_msg *msg, struct refusal *why);

/* A memory region as a message describes it. */
struct vu_region {
	uint64_t guest, size, user, offset;
};

/* Reads the region at 'bytes'.  -EINVAL with 'why' when it is empty or wraps anywhere. */
int vu_region_read(struct vu_region *region, const uint8_t *bytes, struct refusal *why);

/* Reads SET_MEM_TABLE: up to VHOST_USER_MEM_REGIONS_MAX regions.  Returns their number, or -EINVAL
 * with 'why' when it does not match the payload or the descriptors, or regions overlap. */
int vu_mem_table_read(const struct vu_msg *msg, struct vu_region *regions, struct refusal *why);

/* Whether two regions share a guest address or a user address. */
bool vu_regions_overlap(const struct vu_region *a, const struct vu_region *b);

#endif
