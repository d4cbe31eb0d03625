/* os/vf_link.h -- what a PF's kernel driver can be told of one of its VFs: address, VLAN, rate,
 * spoof check, trust; by rtnetlink (IFLA_VFINFO_LIST), as `ip link set DEV vf N` does.
 *
 * Threads: any; a driver may take its time.  Memory: none kept. */
#ifndef OS_VF_LINK_H
#define OS_VF_LINK_H

#include "base/base.h"
#include "base/refusal.h"

enum vf_link_set {
	VF_LINK_MAC = 1 << 0,
	VF_LINK_VLAN = 1 << 1,
	VF_LINK_RATE = 1 << 2,
	VF_LINK_SPOOF_CHECK = 1 << 3,
	VF_LINK_TRUST = 1 << 4,
};

struct vf_link {
	unsigned set;	    /* enum vf_link_set, ored: what is to be told */
	uint64_t mac;	    /* as get_be48 reads it */
	uint16_t vlan;	    /* 0: none; 1..4094 */
	uint32_t rate_mbps; /* Mbit/s from the VF; 0: no limit */
	bool spoof_check;   /* frames with another source address are dropped */
	bool trust;	    /* it may ask for more: promiscuous mode, another address */
};

/* Tells the driver of network interface 'interface' about its VF 'vf' (0..).  0; -ENODEV: there is
 * no such interface; -ENETDOWN and -ENOLINK: it takes no rate while it is down, or has no link
 * (Intel's reckon a rate from the line's); -EOPNOTSUPP and others of the driver; all with 'why'. */
int vf_link_set(const char *interface, unsigned vf, const struct vf_link *link,
		struct refusal *why);

/* Brings an interface up, without which drivers serve no VF of its function.  0, or -errno with
 * 'why'. */
int vf_link_raise(const char *interface, struct refusal *why);

#endif
