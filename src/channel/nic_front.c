#include "channel/nic_front.h"

#define MULTICAST_BIT (UINT64_C(1) << 40)
#define BROADCAST     UINT64_C(0xffffffffffff)

static bool listed(const struct nic_filter *filter, uint64_t mac)
{
	for (unsigned i = 0; i < filter->mac_count; i++)
		if (filter->mac[i] == mac)
			return true;
	return false;
}

bool nic_front_wants(const struct nic_front *front, uint64_t dst_mac, uint16_t vlan)
{
	const struct nic_filter *filter = &front->filter;

	if (filter->promisc)
		return true;
	if (filter->vlan_filter && !(filter->vlan[vlan / 64] >> (vlan % 64) & 1))
		return false;
	if (dst_mac == BROADCAST)
		return !filter->nobcast;
	if (dst_mac & MULTICAST_BIT)
		return !filter->nomulti && (filter->allmulti || listed(filter, dst_mac));
	return !filter->nouni &&
	       (dst_mac == front->mac || filter->alluni || listed(filter, dst_mac));
}
