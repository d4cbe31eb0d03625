#include "uplink/device.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Frames of a packet socket's ring stand behind struct tpacket2_hdr and a socket address, and the
 * kernel aligns them: 128 bytes cover all of it.  Rings are made of blocks of whole pages. */
#define RING_HEADER_BYTES 128u
#define RING_FRAMES       1024u
#define RING_BLOCK_BYTES  65536u

static const struct {
	const char *driver;
	uint32_t traits;
} drivers[] = {
	{ "net_af_packet", DEVICE_NEEDS_INTERFACE | DEVICE_PACKET_SOCKET },
	{ "net_af_xdp", DEVICE_NEEDS_INTERFACE | DEVICE_XDP_SOCKET },
	{ "net_tap", DEVICE_MAKES_INTERFACE },
	{ "net_pcap", 0 },
	{ "net_null", DEVICE_SILENT },
	{ "net_ring", 0 },
	{ "net_memif", 0 },
	{ "net_vhost", 0 },
	{ "net_virtio_user", 0 },
};

static const char known[] = "net_af_packet, net_af_xdp, net_tap, net_pcap, net_null, net_ring, "
			    "net_memif, net_vhost, net_virtio_user, or a PCI address such as "
			    "0000:03:00.0";

static bool hex_run(const char **text, unsigned digits)
{
	for (unsigned i = 0; i < digits; i++, (*text)++)
		if (!isxdigit((unsigned char)**text))
			return false;
	return true;
}

/* "0000:03:00.0" or "03:00.0". */
static bool is_pci_address(const char *text, size_t length)
{
	const char *at = text;

	if (length == 12) {
		if (!hex_run(&at, 4) || *at++ != ':')
			return false;
	} else if (length != 7) {
		return false;
	}
	return hex_run(&at, 2) && *at++ == ':' && hex_run(&at, 2) && *at++ == '.' && *at >= '0' &&
	       *at <= '7';
}

/* The value of argument 'key' in "name,key=value,...": its length, 0 when it is not there. */
static size_t find_arg(const char *text, const char *key, const char **value)
{
	size_t key_length = strlen(key);

	for (const char *at = strchr(text, ','); at; at = strchr(at + 1, ',')) {
		if (strncmp(at + 1, key, key_length) != 0 || at[1 + key_length] != '=')
			continue;
		*value = at + 2 + key_length;
		return strcspn(*value, ",");
	}
	return 0;
}

static bool has_arg(const char *text, const char *key)
{
	const char *value;

	return find_arg(text, key, &value) > 0;
}

static int find_driver(const char *text, size_t length, struct device *device, struct refusal *why)
{
	for (unsigned i = 0; i < array_len(drivers); i++) {
		size_t n = strlen(drivers[i].driver);

		if (length < n || strncmp(text, drivers[i].driver, n) != 0)
			continue;
		if (strspn(text + n, "0123456789") != length - n)
			continue;
		if (length == n) {
			refuse(why, "", "line port '%s' has no number: write '%s0' (each port of "
			       "one driver has its own number)", text, drivers[i].driver);
			return -EINVAL;
		}
		(void)snprintf(device->driver, sizeof(device->driver), "%s", drivers[i].driver);
		device->traits = drivers[i].traits;
		return 0;
	}
	refuse(why, "", "line port '%.*s' is of no known driver; known are %s", (int)length, text,
	       known);
	return -EINVAL;
}

static int find_interface(const char *text, struct device *device, struct refusal *why)
{
	const char *value = "";
	size_t length = find_arg(text, "iface", &value);
	bool wanted = device->traits & (DEVICE_NEEDS_INTERFACE | DEVICE_MAKES_INTERFACE);

	if (wanted && length == 0) {
		refuse(why, "", "line port '%s' names no kernel interface: write '%s,iface=NAME'",
		       text, device->name);
		return -EINVAL;
	}
	if (length >= DEVICE_INTERFACE_MAX) {
		refuse(why, "", "line port '%s': an interface name has at most %d characters", text,
		       DEVICE_INTERFACE_MAX - 1);
		return -EINVAL;
	}
	(void)snprintf(device->interface, sizeof(device->interface), "%.*s", (int)length, value);
	return 0;
}

static uint32_t power_of_two_above(uint32_t n)
{
	uint32_t power = 2048;

	while (power < n)
		power *= 2;
	return power;
}

/* The driver's defaults: a packet ring that is too small for a jumbo frame and for a burst, and a
 * null port that makes up frames without end. */
static const char *missing_args(const char *text, const struct device *device, char *more,
				size_t size)
{
	uint32_t frame = device->ring_frame_bytes;

	more[0] = '\0';
	if ((device->traits & DEVICE_PACKET_SOCKET) && !has_arg(text, "framesz"))
		(void)snprintf(more, size, ",framesz=%u,blocksz=%u,framecnt=%u", frame,
			       frame < RING_BLOCK_BYTES ? RING_BLOCK_BYTES : frame * 2, RING_FRAMES);
	if (strcmp(device->driver, "net_null") == 0 && !has_arg(text, "no-rx"))
		(void)snprintf(more, size, ",no-rx=1");
	return more;
}

int device_parse(const char *text, uint16_t mtu, struct device *device, struct refusal *why)
{
	size_t length = strcspn(text, ",");
	char more[96];
	int err;

	memset(device, 0, sizeof(*device));
	device->ring_frame_bytes = power_of_two_above(mtu + 18u + RING_HEADER_BYTES);
	for (const char *at = text; *at; at++) {
		if (!isgraph((unsigned char)*at)) {
			refuse(why, "", "line port '%s' has a blank or a control character", text);
			return -EINVAL;
		}
	}
	if (length == 0 || length >= DEVICE_NAME_MAX || strlen(text) + sizeof(more) > DEVICE_TEXT_MAX) {
		refuse(why, "", "line port '%.80s' is no device string: write DRIVER, a number and "
		       "its arguments; drivers are %s", text, known);
		return -EINVAL;
	}
	(void)snprintf(device->name, sizeof(device->name), "%.*s", (int)length, text);
	if (is_pci_address(text, length)) {
		(void)snprintf(device->driver, sizeof(device->driver), "pci");
		/* DPDK names the port by the full address */
		if (length == 7)
			(void)snprintf(device->name, sizeof(device->name), "0000:%.7s", text);
		device->traits = DEVICE_PCI;
	} else {
		err = find_driver(text, length, device, why);
		if (err == 0)
			err = find_interface(text, device, why);
		if (err < 0)
			return err;
	}
	if (has_arg(text, "no-rx"))
		device->traits &= ~(uint32_t)DEVICE_SILENT;
	(void)snprintf(device->args, sizeof(device->args), "%s%s", text,
		       missing_args(text, device, more, sizeof(more)));
	return 0;
}
