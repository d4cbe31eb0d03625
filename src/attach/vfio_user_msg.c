#include "attach/vfio_user_msg.h"

#include "base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

int vfio_user_header_read(struct vfio_user_header *header, const uint8_t *bytes, struct refusal *why)
{
	uint32_t size = get_le32(bytes + VFIO_USER_HEADER_BYTES);

	header->id = get_le16(bytes + VFIO_USER_HEADER_ID);
	header->command = get_le16(bytes + VFIO_USER_HEADER_COMMAND);
	header->flags = get_le32(bytes + VFIO_USER_HEADER_FLAGS);
	header->error = get_le32(bytes + VFIO_USER_HEADER_ERROR);
	if (size < VFIO_USER_HEADER_SIZE || size - VFIO_USER_HEADER_SIZE > VFIO_USER_PAYLOAD_MAX) {
		refuse(why, "", "a message says that it has %u bytes; %u to %u are possible", size,
		       VFIO_USER_HEADER_SIZE, VFIO_USER_HEADER_SIZE + VFIO_USER_PAYLOAD_MAX);
		return -EPROTO;
	}
	header->payload = size - VFIO_USER_HEADER_SIZE;
	return 0;
}

void vfio_user_header_write(const struct vfio_user_header *header, uint8_t *bytes)
{
	put_le16(bytes + VFIO_USER_HEADER_ID, header->id);
	put_le16(bytes + VFIO_USER_HEADER_COMMAND, header->command);
	put_le32(bytes + VFIO_USER_HEADER_BYTES, VFIO_USER_HEADER_SIZE + header->payload);
	put_le32(bytes + VFIO_USER_HEADER_FLAGS, header->flags);
	put_le32(bytes + VFIO_USER_HEADER_ERROR, header->error);
}

/* A number from 1 on; larger ones than 'limit' are as good as it.  Absent: what was there stays. */
static int read_number(json_t *object, const char *name, uint64_t limit, uint64_t *value,
		       struct refusal *why)
{
	json_t *number = json_object_get(object, name);

	if (!number)
		return 0;
	if (!json_is_integer(number) || json_integer_value(number) < 1) {
		refuse(why, name, "the capability %s is not a number from 1 on", name);
		return -EINVAL;
	}
	*value = min_u64((uint64_t)json_integer_value(number), limit);
	return 0;
}

static int read_capabilities(struct vfio_user_limits *limits, json_t *from, struct refusal *why)
{
	uint64_t fds = limits->fds, transfer = limits->transfer, maps = limits->maps;
	json_t *multi = json_object_get(from, "write_multiple");
	json_t *twin = json_object_get(from, "twin_socket");
	int err = read_number(from, "max_msg_fds", UINT32_MAX, &fds, why);

	if (!err)
		err = read_number(from, "max_data_xfer_size", UINT32_MAX, &transfer, why);
	if (!err)
		err = read_number(from, "max_dma_maps", UINT32_MAX, &maps, why);
	if (!err)
		err = read_number(from, "pgsizes", INT64_MAX, &limits->pages, why);
	if (!err && multi && !json_is_boolean(multi)) {
		refuse(why, "write_multiple", "the capability write_multiple is not true or false");
		err = -EINVAL;
	}
	limits->fds = (uint32_t)fds;
	limits->transfer = (uint32_t)transfer;
	limits->maps = (uint32_t)maps;
	limits->write_multi = json_is_true(multi);
	limits->needs_fds = json_is_true(json_object_get(from, "needs_dma_fds"));
	limits->twin_socket = json_is_true(json_object_get(twin, "supported"));
	return err;
}

static int read_text(struct vfio_user_limits *limits, const char *text, size_t size, struct refusal *why)
{
	json_error_t error;
	json_t *root = json_loadb(text, size, 0, &error), *capabilities;
	int err = 0;

	if (!json_is_object(root)) {
		refuse(why, "", "the version data is no JSON object: %s", root ? "another type" : error.text);
		json_decref(root);
		return -EINVAL;
	}
	capabilities = json_object_get(root, "capabilities");
	if (capabilities && !json_is_object(capabilities)) {
		refuse(why, "capabilities", "the capabilities are no JSON object");
		err = -EINVAL;
	} else if (capabilities) {
		err = read_capabilities(limits, capabilities, why);
	}
	json_decref(root);
	return err;
}

int vfio_user_version_read(struct vfio_user_limits *limits, const uint8_t *payload, uint32_t size,
			   struct refusal *why)
{
	*limits = (struct vfio_user_limits){
		.fds = VFIO_USER_DEFAULT_FDS, .transfer = VFIO_USER_DEFAULT_TRANSFER,
		.maps = VFIO_USER_DEFAULT_MAPS, .pages = VFIO_USER_DEFAULT_PAGE,
	};
	if (size < VFIO_USER_VERSION_DATA) {
		refuse(why, "", "the version message has %u bytes, not %u or more", size,
		       VFIO_USER_VERSION_DATA);
		return -EINVAL;
	}
	limits->major = get_le16(payload + VFIO_USER_VERSION_MAJOR);
	limits->minor = get_le16(payload + VFIO_USER_VERSION_MINOR);
	payload += VFIO_USER_VERSION_DATA;
	size -= VFIO_USER_VERSION_DATA;
	while (size && payload[size - 1] == '\0')
		size--;
	return size ? read_text(limits, (const char *)payload, size, why) : 0;
}

uint32_t vfio_user_version_write(const struct vfio_user_limits *limits, uint8_t *payload, uint32_t room)
{
	int n;

	must(room >= VFIO_USER_VERSION_DATA + VFIO_USER_TEXT_MAX);
	put_le16(payload + VFIO_USER_VERSION_MAJOR, limits->major);
	put_le16(payload + VFIO_USER_VERSION_MINOR, limits->minor);
	n = snprintf((char *)payload + VFIO_USER_VERSION_DATA, VFIO_USER_TEXT_MAX,
		     "{\"capabilities\":{\"max_msg_fds\":%" PRIu32 ",\"max_data_xfer_size\":%" PRIu32
		     ",\"max_dma_maps\":%" PRIu32 ",\"pgsizes\":%" PRIu64 "%s%s}}",
		     limits->fds, limits->transfer, limits->maps, limits->pages,
		     limits->write_multi ? ",\"write_multiple\":true" : "",
		     limits->needs_fds ? ",\"needs_dma_fds\":true" : "");
	must(n > 0 && n < VFIO_USER_TEXT_MAX);
	return VFIO_USER_VERSION_DATA + (uint32_t)n + 1;
}
