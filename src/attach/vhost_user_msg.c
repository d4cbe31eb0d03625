#include "attach/vhost_user_msg.h"

#include "base/bytes.h"

#include <errno.h>

int vu_msg_header(struct vu_msg *msg, const uint8_t *bytes, struct refusal *why)
{
	msg->request = get_le32(bytes + VHOST_USER_HEADER_REQUEST);
	msg->flags = get_le32(bytes + VHOST_USER_HEADER_FLAGS);
	msg->size = get_le32(bytes + VHOST_USER_HEADER_PAYLOAD_SIZE);
	if ((msg->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION) {
		refuse(why, "", "message %u has version %u, not %u", msg->request,
		       msg->flags & VHOST_USER_VERSION_MASK, VHOST_USER_VERSION);
		return -EPROTO;
	}
	if (msg->flags & VHOST_USER_FLAG_REPLY) {
		refuse(why, "", "message %u is a reply, where only requests come", msg->request);
		return -EPROTO;
	}
	if (msg->size > VU_PAYLOAD_MAX) {
		refuse(why, "", "message %u announces %u bytes; no request has more than %u",
		       msg->request, msg->size, VU_PAYLOAD_MAX);
		return -EPROTO;
	}
	return 0;
}

int vu_msg_check(const struct vu_msg *msg, struct refusal *why)
{
	const struct vu_rule *rule = vu_rule(msg->request);

	if (!rule) {
		refuse(why, "", "request %u is not one of a network back-end", msg->request);
		return -EOPNOTSUPP;
	}
	if (msg->size < rule->size_min || msg->size > rule->size_max) {
		refuse(why, "", "%s has %u bytes, not %u to %u", rule->name, msg->size,
		       rule->size_min, rule->size_max);
		return -EPROTO;
	}
	if (msg->fd_count < rule->fds_min || msg->fd_count > rule->fds_max) {
		refuse(why, "", "%s comes with %u descriptors, not %u to %u", rule->name,
		       msg->fd_count, rule->fds_min, rule->fds_max);
		return -EPROTO;
	}
	return 0;
}

static bool wraps(uint64_t base, uint64_t size)
{
	return base + size < base;
}

int vu_region_read(struct vu_region *region, const uint8_t *bytes, struct refusal *why)
{
	region->guest = get_le64(bytes + VHOST_USER_REGION_GUEST);
	region->size = get_le64(bytes + VHOST_USER_REGION_SIZE);
	region->user = get_le64(bytes + VHOST_USER_REGION_USER);
	region->offset = get_le64(bytes + VHOST_USER_REGION_OFFSET);
	if (region->size == 0 || wraps(region->guest, region->size) ||
	    wraps(region->user, region->size) || wraps(region->offset, region->size)) {
		refuse(why, "", "memory region at guest 0x%llx of 0x%llx bytes is empty or wraps",
		       (unsigned long long)region->guest, (unsigned long long)region->size);
		return -EINVAL;
	}
	return 0;
}

static bool ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

bool vu_regions_overlap(const struct vu_region *a, const struct vu_region *b)
{
	return ranges_overlap(a->guest, a->size, b->guest, b->size) ||
	       ranges_overlap(a->user, a->size, b->user, b->size);
}

int vu_mem_table_read(const struct vu_msg *msg, struct vu_region *regions, struct refusal *why)
{
	uint32_t count = get_le32(msg->payload + VHOST_USER_MEM_COUNT);

	if (count > VHOST_USER_MEM_REGIONS_MAX || count != msg->fd_count ||
	    msg->size < VHOST_USER_MEM_FIRST + count * VHOST_USER_REGION_BYTES) {
		refuse(why, "", "SET_MEM_TABLE of %u regions has %u bytes and %u descriptors",
		       count, msg->size, msg->fd_count);
		return -EINVAL;
	}
	for (unsigned i = 0; i < count; i++) {
		int err = vu_region_read(&regions[i],
					 msg->payload + VHOST_USER_MEM_FIRST +
						 i * VHOST_USER_REGION_BYTES, why);

		if (err)
			return err;
		for (unsigned j = 0; j < i; j++) {
			if (!vu_regions_overlap(&regions[i], &regions[j]))
				continue;
			refuse(why, "", "memory regions %u and %u overlap", j, i);
			return -EINVAL;
		}
	}
	return (int)count;
}
