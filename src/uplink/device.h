/* uplink/device.h -- what a device string says: driver, DPDK's name for the port, the kernel
 * interface, and the arguments that we add because the driver's own defaults do not suit a line.
 *
 * Pure text; nothing is opened.  Any thread. */
#ifndef UPLINK_DEVICE_H
#define UPLINK_DEVICE_H

#include "base/base.h"
#include "base/refusal.h"

enum { DEVICE_TEXT_MAX = 256, DEVICE_NAME_MAX = 64, DEVICE_INTERFACE_MAX = 16 };

/* What tells a driver's ports apart from those of others. */
enum device_trait {
	DEVICE_NEEDS_INTERFACE = 1 << 0, /* iface= names a kernel interface that exists */
	DEVICE_MAKES_INTERFACE = 1 << 1, /* the driver makes the one that iface= names */
	DEVICE_PACKET_SOCKET = 1 << 2,   /* a packet socket with a ring stands behind it */
	DEVICE_XDP_SOCKET = 1 << 3,
	DEVICE_SILENT = 1 << 4,          /* nothing ever arrives */
	DEVICE_PCI = 1 << 5,
};

struct device {
	char driver[32];                       /* "net_af_packet"; "pci" */
	char name[DEVICE_NAME_MAX];            /* "net_af_packet0": the port's name in DPDK */
	char interface[DEVICE_INTERFACE_MAX];  /* or empty */
	char args[DEVICE_TEXT_MAX];            /* the whole string, for DPDK */
	uint32_t traits;                       /* enum device_trait */
	uint32_t ring_frame_bytes;             /* a packet ring's frame; a buffer holds as much */
};

/* Reads 'text'; 'mtu' sizes the ring of a packet socket.  0, or -EINVAL with 'why'. */
int device_parse(const char *text, uint16_t mtu, struct device *device, struct refusal *why);

#endif
