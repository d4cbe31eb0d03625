/* uplink/uplink.h -- a line port over DPDK: any ethdev that a device argument string or a PCI
 * address names.
 *
 * Link loss is told by an interrupt of the port where it has one, else by netlink for the kernel
 * interface it sits on (iface=...).
 *
 * Threads: open, close and the callback on the control thread; the line's operations on the worker
 * of its card. */
#ifndef UPLINK_UPLINK_H
#define UPLINK_UPLINK_H

#include "base/refusal.h"
#include "channel/line.h"

#include <uv.h>

struct uplink;

struct uplink_conf {
	const char *name;   /* of the card, for messages */
	const char *device; /* "net_af_packet0,iface=veth0", "net_tap0,iface=mp0", "0000:03:00.0",
	                     * "net_null0" */
	uint16_t mtu;
	unsigned buffers;   /* frames the card may keep staged at once */
	/* The link came or went; control thread. */
	void (*link_changed)(void *owner, bool up);
	void *owner;
	uv_loop_t *loop;
};

/* Opens, configures and starts the port.  -errno with 'why' naming device, cause and remedy. */
int uplink_open(struct uplink **uplink, const struct uplink_conf *conf, struct refusal *why);
void uplink_close(struct uplink *uplink); /* NULL is nothing */

struct line *uplink_line(struct uplink *uplink);
bool uplink_link_up(const struct uplink *uplink);

struct uplink_facts {
	char driver[32];      /* "net_af_packet" */
	char interface[32];   /* kernel interface, or empty */
	uint64_t mac;         /* as get_be48 reads it */
	uint32_t speed_mbps;  /* 0: unknown */
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes, rx_missed, rx_errors, tx_errors;
};
void uplink_facts(const struct uplink *uplink, struct uplink_facts *facts);

/* Makes the driver of this port hang (its next call does not return until let go), as a failed
 * card does: for drills and tests of silent death. */
void uplink_hang(struct uplink *uplink, bool hang);

/* Checks a device string without opening anything: form, known driver.  0 or -EINVAL. */
int uplink_check(const char *device, struct refusal *why);

#endif
