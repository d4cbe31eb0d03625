/* channel/nic_front.h -- the front of a NIC function, as its card sees it: a place where frames
 * come from and go to.  Implemented by dev/virtio_net (a guest's rings) and attach/tap (a kernel
 * interface).  A front knows nothing of the card, so it can be re-bound under a running guest.
 *
 * Threads: whoever has front->hold may call.  While bound, that is the hold of the card; while
 * unbound, hold is NULL and only the control thread may touch the front.  Memory: the
 * implementer's; a front outlives its binding. */
#ifndef CHANNEL_NIC_FRONT_H
#define CHANNEL_NIC_FRONT_H

#include "channel/frame.h"
#include "channel/front.h"

enum {
	NIC_FILTER_MACS_MAX = 64, /* unicast and multicast addresses a driver may list */
	NIC_FILTER_VLAN_WORDS = 4096 / 64,
};

/* What the driver wants to receive; virtio 1.2 section 5.1.6.5. */
struct nic_filter {
	uint8_t promisc, allmulti, alluni, nomulti, nouni, nobcast; /* each 0 or 1 */
	uint8_t vlan_filter;      /* 1: only the VLANs below (VIRTIO_NET_F_CTRL_VLAN) */
	uint16_t mac_count;
	uint64_t mac[NIC_FILTER_MACS_MAX]; /* as get_be48 reads them */
	uint64_t vlan[NIC_FILTER_VLAN_WORDS];
};

struct nic_front;

struct nic_front_ops {
	const char *name; /* the word in the site file: "vhost-user", "tap" */

	/* Describes up to 'max' (<= FRAME_BURST) frames the guest wants to send, in order.  They
	 * stay the guest's until taken().  May return fewer than are there (a miss in the
	 * translation cache ends the burst); a ring that breaks the rules stops the front. */
	unsigned (*peek)(struct worker *, struct nic_front *, struct frame *frames, unsigned max);

	/* The first 'n' frames of the last peek are done with: gives their buffers back. */
	void (*taken)(struct worker *, struct nic_front *, unsigned n);

	/* Copies frames into the guest's buffers, in order.  Returns how many were accepted, from
	 * the first on; the rest found no room.  Frames are finished to what front->abilities
	 * says.  The guest is not told before flush(). */
	unsigned (*give)(struct worker *, struct nic_front *, struct frame *const *frames,
			 unsigned n);

	/* Tells the guest of everything that changed since the last flush, where it wants that. */
	void (*flush)(struct worker *, struct nic_front *);

	/* Before a worker sleeps: asks the guest to kick from now on.  Returns true when work is
	 * there already, so that the worker must not sleep.  disarm() takes the request back. */
	bool (*arm)(struct worker *, struct nic_front *);
	void (*disarm)(struct worker *, struct nic_front *);

	/* Link status as the guest's driver sees it (VIRTIO_NET_S_LINK_UP). */
	void (*set_link)(struct ctl *, struct nic_front *, bool up);
};

/* Counters of one front; 'rx' and 'tx' as the guest's driver means them. */
#define NIC_FRONT_COUNTERS(X)                                                       \
	X(tx_frames,  "frames",  "frames taken from the guest")                     \
	X(tx_bytes,   "bytes",   "bytes taken from the guest")                      \
	X(rx_frames,  "frames",  "frames delivered to the guest")                   \
	X(rx_bytes,   "bytes",   "bytes delivered to the guest")                    \
	X(rx_no_room, "frames",  "frames for which the guest had posted no buffer") \
	X(kicks,      "count",   "notifications received from the guest")           \
	X(interrupts, "count",   "notifications sent to the guest")                 \
	X(iotlb_misses, "count", "translations asked of the guest's IOMMU")         \
	X(dma_blocked, "count", "accesses to what the guest has not granted")

struct nic_front {
	const struct nic_front_ops *ops;
	uint64_t mac;            /* permanent address, as get_be48 reads it; from the site file */
	uint32_t abilities;      /* enum frame_ability: what give() takes unfinished */
	FRONT_PART;              /* behind what is read for every frame, as is the filter */
	struct nic_filter filter;
#define X(name, unit, text) struct counter name;
	NIC_FRONT_COUNTERS(X)
#undef X
};

/* Whether the driver behind 'front' wants a frame with this destination and VLAN (0: untagged). */
bool nic_front_wants(const struct nic_front *front, uint64_t dst_mac, uint16_t vlan);

#endif
