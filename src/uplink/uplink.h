/* uplink/uplink.h -- a line port over DPDK: any ethdev that a device argument string or a PCI
 * address names.
 *
 * Frames pass as they are on the wire: VLAN tags that a driver stripped are back in their place,
 * and a checksum that a neighbouring namespace left half-done is finished.  Link loss is told by
 * netlink for the kernel interface a port sits on (iface=...), else by an interrupt of the port
 * where it has one; a port with neither counts as up.
 *
 * It is not a switch, and keeps no queue of its own.
 *
 * Threads: open, close and the callback on the control thread; the line's operations on the worker
 * of its card (take and give also on the control thread, which holds the card then).
 * Memory: buffers are made by uplink_open; nothing is allocated later. */
#ifndef UPLINK_UPLINK_H
#define UPLINK_UPLINK_H

#include "base/refusal.h"
#include "channel/line.h"

#include <uv.h>

struct uplink;

enum { UPLINK_PORTS_MAX = 32 }; /* line ports that DPDK drives in one process */

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

/* Memory that a port of this kind takes of DPDK's environment, in bytes, for so many workers; asked
 * before that is started.  0: its device string is not good. */
uint64_t uplink_memory_bytes(const struct uplink_conf *conf, unsigned workers);

/* Opens, configures and starts the port.  -errno with 'why' naming device, cause and remedy. */
int uplink_open(struct uplink **uplink, const struct uplink_conf *conf, struct refusal *why);
/* Closes it; an interface that it made is gone afterwards.  The card has left its worker before
 * (workers_remove_card), or the worker is stuck in this port: then a drill's hang is let go, and
 * what still does not return within 1 s keeps the port's memory, not its descriptors' events.
 * The loop has to run once more to free the link watch.  NULL is nothing. */
void uplink_close(struct uplink *uplink);

struct line *uplink_line(struct uplink *uplink);
bool uplink_link_up(const struct uplink *uplink);

/* A descriptor that becomes readable when frames arrive; the caller gives it to workers_watch(), and
 * from now on line->wakes is true.  -1 when the driver has none: a worker polls then.  Call it
 * before the card gets the line; valid until uplink_close(); unwatch it before that. */
int uplink_use_wake_fd(struct uplink *uplink);

struct uplink_facts {
	char driver[32];      /* "net_af_packet" */
	char interface[32];   /* kernel interface, or empty */
	uint64_t mac;         /* as get_be48 reads it */
	uint32_t speed_mbps;  /* 0: unknown */
	/* rx_missed: arrived while no buffer was free; rx_errors: damaged, or longer than the MTU
	 * allows (a neighbour that leaves segmentation to its card: ethtool -K ... tso off gso off);
	 * rx_finished: frames whose checksum was completed here */
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes, rx_missed, rx_errors, tx_errors;
	uint64_t rx_finished;
};
void uplink_facts(struct uplink *uplink, struct uplink_facts *facts);

/* Makes the driver of this port hang (its next call does not return until let go), as a failed
 * card does: for drills and tests of silent death. */
void uplink_hang(struct uplink *uplink, bool hang);

/* Checks a device string without opening anything: form, known driver.  0 or -EINVAL. */
int uplink_check(const char *device, struct refusal *why);

#endif
