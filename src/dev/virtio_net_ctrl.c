/* The control queue, virtio 1.2 section 5.1.6.5. */
#include "dev/internal.h"

#include <errno.h>

enum {
	CTRL_HEADER = 2,     /* class, command */
	CTRL_BURST = 4,      /* commands served in one round */
	CTRL_PIECES = 64,
	MAC_SIZE = 6,
	MAC_LIST_HEADER = 4, /* le32 count */
	VLANS = 4096,
};

#define MAC_GROUP_BIT (UINT64_C(1) << 40)

/* One command as the driver sent it. */
struct command {
	uint8_t class, code;
	const uint8_t *data;
	uint32_t size;
};

/* Addresses the switch compares with: the driver's list and the address in use. */
static void refresh_addresses(struct virtio_net *net)
{
	struct nic_filter *filter = &net->front.filter;

	memcpy(filter->mac, net->table, sizeof filter->mac);
	filter->mac_count = net->table_count;
	filter->alluni = net->want_all_uni || net->all_uni;
	filter->allmulti = net->want_all_multi || net->all_multi;
	if (net->mac == net->front.mac)
		return;
	if (filter->mac_count < NIC_FILTER_MACS_MAX)
		filter->mac[filter->mac_count++] = net->mac;
	else
		filter->alluni = 1;
}

void net_ctrl_set_mac(struct virtio_net *net, uint64_t mac)
{
	net->mac = mac;
	refresh_addresses(net);
}

void net_ctrl_reset(struct virtio_net *net)
{
	struct nic_filter *filter = &net->front.filter;

	memset(filter, 0, sizeof *filter);
	filter->promisc = 1;
	net->table_count = 0;
	net->all_uni = net->all_multi = net->want_all_uni = net->want_all_multi = false;
	net->mac = net->conf.mac;
	refresh_addresses(net);
}

/* What the control queue has set; the words of VLANs follow, and then the list. */
enum {
	STATE_PAIRS = 0,
	STATE_STATUS = 2,
	STATE_COUNT = 4, /* of the list */
	STATE_WANT_UNI = 6,
	STATE_WANT_MULTI,
	STATE_ALL_UNI,
	STATE_ALL_MULTI,
	STATE_PROMISC,
	STATE_NOMULTI,
	STATE_NOUNI,
	STATE_NOBCAST,
	STATE_MAC = 16,
	STATE_VLANS = 24,
	STATE_LIST = STATE_VLANS + 8 * NIC_FILTER_VLAN_WORDS,
};
_Static_assert(STATE_LIST + 8 * NIC_FILTER_MACS_MAX <= VIRTIO_STATE_MAX, "it fits");

uint32_t net_ctrl_save(const struct virtio_net *net, uint8_t *to)
{
	const struct nic_filter *filter = &net->front.filter;

	memset(to, 0, STATE_LIST);
	put_le16(to + STATE_PAIRS, net->pairs);
	put_le16(to + STATE_STATUS, net->status & VIRTIO_NET_S_ANNOUNCE);
	put_le16(to + STATE_COUNT, net->table_count);
	to[STATE_WANT_UNI] = net->want_all_uni;
	to[STATE_WANT_MULTI] = net->want_all_multi;
	to[STATE_ALL_UNI] = net->all_uni;
	to[STATE_ALL_MULTI] = net->all_multi;
	to[STATE_PROMISC] = filter->promisc;
	to[STATE_NOMULTI] = filter->nomulti;
	to[STATE_NOUNI] = filter->nouni;
	to[STATE_NOBCAST] = filter->nobcast;
	put_le64(to + STATE_MAC, net->mac);
	for (unsigned i = 0; i < NIC_FILTER_VLAN_WORDS; i++)
		put_le64(to + STATE_VLANS + 8 * i, filter->vlan[i]);
	for (unsigned i = 0; i < net->table_count; i++)
		put_le64(to + STATE_LIST + 8 * i, net->table[i]);
	return STATE_LIST + 8u * net->table_count;
}

/* What a driver could have brought about by itself, with the features that it took. */
static bool state_is_sound(const struct virtio_net *net, const uint8_t *from, uint32_t size)
{
	unsigned pairs, count;

	if (size < STATE_LIST)
		return false;
	pairs = get_le16(from + STATE_PAIRS);
	count = get_le16(from + STATE_COUNT);
	if (count > NIC_FILTER_MACS_MAX || size != STATE_LIST + 8 * count)
		return false;
	for (unsigned i = STATE_WANT_UNI; i <= STATE_NOBCAST; i++)
		if (from[i] > 1)
			return false;
	for (unsigned i = 0; i < count; i++)
		if (get_le64(from + STATE_LIST + 8 * i) >> 48)
			return false;
	return pairs >= 1 && pairs <= net->conf.pairs_max && get_le64(from + STATE_MAC) >> 48 == 0 &&
	       !(get_le64(from + STATE_MAC) & MAC_GROUP_BIT);
}

int net_ctrl_load(struct virtio_net *net, const uint8_t *from, uint32_t size)
{
	struct nic_filter *filter = &net->front.filter;

	if (!state_is_sound(net, from, size))
		return -EINVAL;
	net->pairs = get_le16(from + STATE_PAIRS);
	net->tx_turn = 0;
	memset(net->steer, NET_NO_PAIR, sizeof net->steer);
	net->status |= get_le16(from + STATE_STATUS) & VIRTIO_NET_S_ANNOUNCE;
	net->want_all_uni = from[STATE_WANT_UNI];
	net->want_all_multi = from[STATE_WANT_MULTI];
	net->all_uni = from[STATE_ALL_UNI];
	net->all_multi = from[STATE_ALL_MULTI];
	filter->promisc = from[STATE_PROMISC];
	filter->nomulti = from[STATE_NOMULTI];
	filter->nouni = from[STATE_NOUNI];
	filter->nobcast = from[STATE_NOBCAST];
	net->mac = get_le64(from + STATE_MAC);
	for (unsigned i = 0; i < NIC_FILTER_VLAN_WORDS; i++)
		filter->vlan[i] = get_le64(from + STATE_VLANS + 8 * i);
	net->table_count = get_le16(from + STATE_COUNT);
	for (unsigned i = 0; i < net->table_count; i++)
		net->table[i] = get_le64(from + STATE_LIST + 8 * i);
	refresh_addresses(net);
	return 0;
}

static uint8_t serve_rx_mode(struct virtio_net *net, const struct command *command)
{
	struct nic_filter *filter = &net->front.filter;
	uint8_t on;

	if (command->size != 1 || !net_has(net, VIRTIO_NET_F_CTRL_RX))
		return VIRTIO_NET_ERR;
	if (command->code > VIRTIO_NET_CTRL_RX_ALLMULTI && !net_has(net, VIRTIO_NET_F_CTRL_RX_EXTRA))
		return VIRTIO_NET_ERR;
	on = command->data[0] != 0;
	switch (command->code) {
	case VIRTIO_NET_CTRL_RX_PROMISC:
		filter->promisc = on;
		break;
	case VIRTIO_NET_CTRL_RX_ALLMULTI:
		net->want_all_multi = on;
		break;
	case VIRTIO_NET_CTRL_RX_ALLUNI:
		net->want_all_uni = on;
		break;
	case VIRTIO_NET_CTRL_RX_NOMULTI:
		filter->nomulti = on;
		break;
	case VIRTIO_NET_CTRL_RX_NOUNI:
		filter->nouni = on;
		break;
	case VIRTIO_NET_CTRL_RX_NOBCAST:
		filter->nobcast = on;
		break;
	default:
		return VIRTIO_NET_ERR;
	}
	refresh_addresses(net);
	return VIRTIO_NET_OK;
}

/* Cuts one list of the table command off the front: its addresses and how many.  False when it
 * does not fit the command. */
static bool cut_list(const uint8_t **data, uint32_t *size, const uint8_t **macs, uint32_t *count)
{
	if (*size < MAC_LIST_HEADER)
		return false;
	*count = get_le32(*data);
	*macs = *data + MAC_LIST_HEADER;
	if (*count > (*size - MAC_LIST_HEADER) / MAC_SIZE)
		return false;
	*data = *macs + *count * MAC_SIZE;
	*size -= MAC_LIST_HEADER + *count * MAC_SIZE;
	return true;
}

/* Appends a list; false when it does not fit, which asks for all of its kind (5.1.6.5.2). */
static bool keep_list(struct virtio_net *net, const uint8_t *macs, uint32_t count)
{
	if (count > (uint32_t)NIC_FILTER_MACS_MAX - net->table_count)
		return false;
	for (uint32_t i = 0; i < count; i++)
		net->table[net->table_count++] = get_be48(macs + i * MAC_SIZE);
	return true;
}

static uint8_t serve_mac_table(struct virtio_net *net, const struct command *command)
{
	const uint8_t *data = command->data, *uni, *multi;
	uint32_t size = command->size, uni_count, multi_count;

	if (!net_has(net, VIRTIO_NET_F_CTRL_RX) || !cut_list(&data, &size, &uni, &uni_count) ||
	    !cut_list(&data, &size, &multi, &multi_count) || size != 0)
		return VIRTIO_NET_ERR;
	net->table_count = 0;
	net->all_uni = !keep_list(net, uni, uni_count);
	net->all_multi = !keep_list(net, multi, multi_count);
	refresh_addresses(net);
	return VIRTIO_NET_OK;
}

static uint8_t serve_mac(struct virtio_net *net, const struct command *command)
{
	uint64_t mac;

	if (command->code == VIRTIO_NET_CTRL_MAC_TABLE_SET)
		return serve_mac_table(net, command);
	if (command->code != VIRTIO_NET_CTRL_MAC_ADDR_SET || command->size != MAC_SIZE ||
	    !net_has(net, VIRTIO_NET_F_CTRL_MAC_ADDR))
		return VIRTIO_NET_ERR;
	mac = get_be48(command->data);
	if (mac == 0 || (mac & MAC_GROUP_BIT))
		return VIRTIO_NET_ERR;
	net_ctrl_set_mac(net, mac);
	return VIRTIO_NET_OK;
}

static uint8_t serve_vlan(struct virtio_net *net, const struct command *command)
{
	struct nic_filter *filter = &net->front.filter;
	uint16_t vlan;

	if (command->size != 2 || !net_has(net, VIRTIO_NET_F_CTRL_VLAN))
		return VIRTIO_NET_ERR;
	vlan = get_le16(command->data);
	if (vlan >= VLANS)
		return VIRTIO_NET_ERR;
	if (command->code == VIRTIO_NET_CTRL_VLAN_ADD)
		filter->vlan[vlan / 64] |= UINT64_C(1) << vlan % 64;
	else if (command->code == VIRTIO_NET_CTRL_VLAN_DEL && vlan != 0)
		filter->vlan[vlan / 64] &= ~(UINT64_C(1) << vlan % 64);
	else if (command->code != VIRTIO_NET_CTRL_VLAN_DEL)
		return VIRTIO_NET_ERR;
	return VIRTIO_NET_OK;
}

static uint8_t serve_announce(struct virtio_net *net, const struct command *command)
{
	if (command->code != VIRTIO_NET_CTRL_ANNOUNCE_ACK || command->size != 0 ||
	    !net_has(net, VIRTIO_NET_F_GUEST_ANNOUNCE))
		return VIRTIO_NET_ERR;
	net->status &= (uint16_t)~VIRTIO_NET_S_ANNOUNCE;
	return VIRTIO_NET_OK;
}

static uint8_t serve_pairs(struct virtio_net *net, const struct command *command)
{
	uint16_t pairs;

	if (command->code != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || command->size != 2 ||
	    !net_has(net, VIRTIO_NET_F_MQ))
		return VIRTIO_NET_ERR;
	pairs = get_le16(command->data);
	if (pairs < 1 || pairs > net->conf.pairs_max)
		return VIRTIO_NET_ERR;
	net->pairs = pairs;
	net->tx_turn = 0;
	memset(net->steer, NET_NO_PAIR, sizeof net->steer);
	return VIRTIO_NET_OK;
}

static uint8_t serve(struct virtio_net *net, const struct command *command)
{
	switch (command->class) {
	case VIRTIO_NET_CTRL_RX:
		return serve_rx_mode(net, command);
	case VIRTIO_NET_CTRL_MAC:
		return serve_mac(net, command);
	case VIRTIO_NET_CTRL_VLAN:
		return serve_vlan(net, command);
	case VIRTIO_NET_CTRL_ANNOUNCE:
		return serve_announce(net, command);
	case VIRTIO_NET_CTRL_MQ:
		return serve_pairs(net, command);
	default:
		return VIRTIO_NET_ERR;
	}
}

/* One command: read once into memory of ours, served, answered with one byte. */
static enum ring_outcome serve_chain(struct virtio_net *net, struct ring *ring)
{
	struct ring_piece pieces[CTRL_PIECES];
	struct ring_cursor at = ring->next;
	struct command command = { .data = net->command + CTRL_HEADER };
	struct ring_chain chain;
	struct ring_used used;
	uint32_t size = 0;
	uint8_t ack = VIRTIO_NET_ERR;
	enum ring_outcome outcome = ring_read_chain(ring, &at, RING_BOTH, NET_CTRL_SIZE, &chain,
						    pieces, CTRL_PIECES);

	if (outcome != RING_OK && outcome != RING_BLOCKED)
		return outcome;
	used = (struct ring_used){ .written = 1, .id = chain.id, .slots = chain.slots };
	if (outcome == RING_BLOCKED) {
		net_give_back(net, ring, &used, 1);
		return RING_OK;
	}
	if (chain.read_bytes < CTRL_HEADER || chain.write_bytes < 1)
		return ring_broken(ring, "a control command of %u bytes with %u for its answer",
				   chain.read_bytes, chain.write_bytes);
	for (unsigned i = 0; i < chain.readable; i++) {
		memcpy(net->command + size, pieces[i].bytes, pieces[i].size);
		size += pieces[i].size;
	}
	guest_read_is_over();
	command.class = net->command[0];
	command.code = net->command[1];
	command.size = size - CTRL_HEADER;
	if (chain.read_bytes == size) /* else longer than we keep */
		ack = serve(net, &command);
	pieces[chain.readable].bytes[0] = ack;
	dma_wrote(&net->dma, pieces[chain.readable].bytes, 1);
	ring_use(ring, &used, 1);
	net_mark(net, ring);
	return RING_OK;
}

void net_ctrl_serve(struct virtio_net *net)
{
	struct ring *ring = &net->queues[NET_CTRL_QUEUE];

	if (!ring_is_live(ring))
		return;
	for (unsigned i = 0; i < CTRL_BURST; i++)
		if (serve_chain(net, ring) != RING_OK)
			return;
}
