#include "eswitch/offload.h"

#include "base/bytes.h"
#include "spec/ethernet.h"

uint32_t esw_sum(const uint8_t *bytes, uint32_t size, uint32_t sum)
{
	uint64_t wide = sum;

	/* Four bytes at a time: a one's complement sum may be folded at the end. */
	for (; size >= 4; size -= 4, bytes += 4)
		wide += get_be32(bytes);
	if (size >= 2) {
		wide += get_be16(bytes);
		bytes += 2;
		size -= 2;
	}
	if (size)
		wide += (uint64_t)bytes[0] << 8;
	while (wide >> 16)
		wide = (wide & 0xffff) + (wide >> 16);
	return (uint32_t)wide;
}

/* RFC 768: a sum of zero is sent as all ones, since zero means there is none. */
static uint16_t udp_style(uint16_t csum, uint16_t offset)
{
	return csum == 0 && offset == UDP_CHECKSUM ? 0xffff : csum;
}

void esw_csum_finish(uint8_t *bytes, uint32_t size, uint16_t start, uint16_t offset)
{
	uint16_t csum;

	must((uint32_t)start + offset + 2 <= size);
	csum = (uint16_t)~esw_sum(bytes + start, size - start, 0);
	put_be16(bytes + start + offset, udp_style(csum, offset));
}

static bool network_is(const struct esw_cut *cut, uint16_t type)
{
	const uint8_t *ip = cut->headers + cut->network;

	if (get_be16(ip - 2) != type || ip[0] >> 4 != (cut->six ? 6 : 4))
		return false;
	if (cut->six)
		return ip[IPV6_NEXT_HEADER] == IP_PROTOCOL_TCP &&
		       cut->transport == cut->network + IPV6_HEADER_SIZE;
	return ip[IPV4_PROTOCOL] == IP_PROTOCOL_TCP && (ip[0] & 15) * 4 >= IPV4_HEADER_MIN &&
	       cut->transport == cut->network + (ip[0] & 15) * 4u;
}

bool esw_cut_plan(const struct frame *f, bool tagged, struct esw_cut *cut)
{
	uint32_t known = min_u32(f->size, ESW_HEADERS_MAX);

	cut->six = f->gso == FRAME_GSO_TCP6;
	cut->network = ETH_HEADER_SIZE + (tagged ? VLAN_TAG_SIZE : 0);
	cut->transport = f->csum_start;
	if (!f->gso_size || !(f->todo & FRAME_TODO_CSUM) || f->csum_offset != TCP_CHECKSUM ||
	    cut->transport < cut->network + IPV4_HEADER_MIN ||
	    cut->transport + TCP_HEADER_MIN > known)
		return false;
	frame_copy(f, 0, known, cut->headers);
	if (!network_is(cut, cut->six ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4))
		return false;
	cut->header_size = cut->transport + (cut->headers[cut->transport + TCP_DATA_OFFSET] >> 4) * 4u;
	if (cut->header_size < cut->transport + TCP_HEADER_MIN || cut->header_size >= known)
		return false;
	cut->payload = f->size - cut->header_size;
	cut->segment = f->gso_size;
	cut->count = (cut->payload + cut->segment - 1) / cut->segment;
	return cut->count <= ESW_SEGMENTS_MAX;
}

static void network_finish(const struct esw_cut *cut, uint32_t index, uint32_t size, uint8_t *ip)
{
	uint32_t ip_size = size - cut->network;

	if (cut->six) {
		put_be16(ip + IPV6_PAYLOAD_LENGTH, (uint16_t)(ip_size - IPV6_HEADER_SIZE));
		return;
	}
	put_be16(ip + IPV4_TOTAL_LENGTH, (uint16_t)ip_size);
	put_be16(ip + IPV4_ID, (uint16_t)(get_be16(ip + IPV4_ID) + index));
	put_be16(ip + IPV4_CHECKSUM, 0);
	put_be16(ip + IPV4_CHECKSUM,
		 (uint16_t)~esw_sum(ip, cut->transport - cut->network, 0));
}

/* RFC 9293 section 3.1: the addresses, the protocol and the length of the TCP segment. */
static uint32_t pseudo_sum(const struct esw_cut *cut, const uint8_t *ip, uint32_t tcp_size)
{
	uint32_t sum = IP_PROTOCOL_TCP + tcp_size;

	return cut->six ? esw_sum(ip + IPV6_SRC, 32, sum) : esw_sum(ip + IPV4_SRC, 8, sum);
}

static void transport_finish(const struct esw_cut *cut, uint32_t index, enum esw_cut_csum csum,
			     uint32_t size, uint8_t *to)
{
	uint8_t *tcp = to + cut->transport;
	uint32_t tcp_size = size - cut->transport;
	uint32_t pseudo = pseudo_sum(cut, to + cut->network, tcp_size);

	put_be32(tcp + TCP_SEQUENCE, get_be32(tcp + TCP_SEQUENCE) + index * cut->segment);
	if (index + 1 < cut->count)
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (index > 0)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
	put_be16(tcp + TCP_CHECKSUM, 0);
	if (csum == ESW_CUT_CSUM_PARTIAL)
		put_be16(tcp + TCP_CHECKSUM, (uint16_t)esw_sum(NULL, 0, pseudo));
	else
		put_be16(tcp + TCP_CHECKSUM, (uint16_t)~esw_sum(tcp, tcp_size, pseudo));
}

uint32_t esw_cut_write(const struct esw_cut *cut, const struct frame *f, uint32_t index,
		       enum esw_cut_csum csum, uint8_t *to)
{
	uint32_t done = index * cut->segment;
	uint32_t part = min_u32(cut->payload - done, cut->segment);
	uint32_t size = cut->header_size + part;

	must(index < cut->count);
	memcpy(to, cut->headers, cut->header_size);
	frame_copy(f, cut->header_size + done, part, to + cut->header_size);
	network_finish(cut, index, size, to + cut->network);
	transport_finish(cut, index, csum, size, to);
	return size;
}
