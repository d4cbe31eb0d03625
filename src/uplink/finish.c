#include "uplink/finish.h"

#include "base/bytes.h"

enum {
	ETHER_HEADER = 14, ETHER_TYPE_AT = 12, VLAN_TAG = 4,
	TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd, TYPE_VLAN = 0x8100, TYPE_QINQ = 0x88a8,
	PROTO_TCP = 6, PROTO_UDP = 17, TCP_CHECKSUM_AT = 16, UDP_CHECKSUM_AT = 6,
	TCP_HEADER = 20, UDP_HEADER = 8, IPV4_HEADER = 20, IPV6_HEADER = 40,
};

/* Where the transport header is, and its pseudo-header's sum. */
struct segment {
	uint8_t *bytes;
	uint32_t size;
	uint8_t proto;
	uint32_t pseudo; /* not folded */
};

static uint32_t sum_words(const uint8_t *bytes, uint32_t size, uint32_t sum)
{
	uint64_t wide = sum;

	for (; size >= 2; bytes += 2, size -= 2)
		wide += get_be16(bytes);
	if (size)
		wide += (uint32_t)bytes[0] << 8;
	wide = (wide & 0xffffffffu) + (wide >> 32);
	return (uint32_t)((wide & 0xffff) + (wide >> 16));
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static bool find_ipv4(uint8_t *ip, uint32_t room, struct segment *s)
{
	uint32_t header, total;

	if (room < IPV4_HEADER || ip[0] >> 4 != 4)
		return false;
	header = (ip[0] & 15u) * 4;
	total = get_be16(ip + 2);
	if (header < IPV4_HEADER || total < header || total > room)
		return false;
	if (get_be16(ip + 6) & 0x3fff) /* a fragment (RFC 791): its sum covers other frames */
		return false;
	s->bytes = ip + header;
	s->size = total - header;
	s->proto = ip[9];
	s->pseudo = sum_words(ip + 12, 8, s->proto + s->size);
	return true;
}

static bool find_ipv6(uint8_t *ip, uint32_t room, struct segment *s)
{
	uint32_t length;

	if (room < IPV6_HEADER || ip[0] >> 4 != 6)
		return false;
	length = get_be16(ip + 4);
	if (length > room - IPV6_HEADER)
		return false;
	s->bytes = ip + IPV6_HEADER;
	s->size = length;
	s->proto = ip[6];
	s->pseudo = sum_words(ip + 8, 32, s->proto + s->size);
	return true;
}

static bool find_segment(uint8_t *bytes, uint32_t size, struct segment *s)
{
	uint32_t at = ETHER_TYPE_AT;
	uint16_t type;

	if (size < ETHER_HEADER)
		return false;
	type = get_be16(bytes + at);
	for (unsigned tags = 0; tags < 2 && (type == TYPE_VLAN || type == TYPE_QINQ); tags++) {
		at += VLAN_TAG;
		if (size < at + 2)
			return false;
		type = get_be16(bytes + at);
	}
	at += 2;
	if (type == TYPE_IPV4)
		return find_ipv4(bytes + at, size - at, s);
	return type == TYPE_IPV6 && find_ipv6(bytes + at, size - at, s);
}

bool finish_checksum(uint8_t *bytes, uint32_t size)
{
	struct segment s;
	uint8_t *field;
	uint16_t sum;

	if (!find_segment(bytes, size, &s))
		return false;
	if (s.proto == PROTO_TCP && s.size >= TCP_HEADER)
		field = s.bytes + TCP_CHECKSUM_AT;
	else if (s.proto == PROTO_UDP && s.size >= UDP_HEADER)
		field = s.bytes + UDP_CHECKSUM_AT;
	else
		return false;
	if (get_be16(field) != fold(s.pseudo))
		return false;
	put_be16(field, 0);
	sum = (uint16_t)~fold(sum_words(s.bytes, s.size, s.pseudo));
	/* UDP has no sum when the field is 0 (RFC 768): all ones means the same number */
	put_be16(field, sum == 0 && s.proto == PROTO_UDP ? 0xffff : sum);
	return true;
}
