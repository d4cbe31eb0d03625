/* spec/ethernet.h -- what IEEE 802.3 and 802.1Q, and of the protocols above them RFC 791, 8200,
 * 9293, 768 and 903 say: names, offsets and codes.  Offsets are bytes from the header's start. */
#ifndef SPEC_ETHERNET_H
#define SPEC_ETHERNET_H

#include <stdint.h>

/* IEEE 802.3 clause 3.1: the frame, without preamble and FCS. */
enum {
	ETH_DST = 0,
	ETH_SRC = 6,
	ETH_TYPE = 12,
	ETH_HEADER_SIZE = 14,
	ETH_MIN_SIZE = 60,
};

/* IEEE 802.1Q clause 9.6: the tag stands between the source address and the type. */
enum {
	VLAN_TCI = 14,            /* from the start of a tagged frame */
	VLAN_TAG_SIZE = 4,
	VLAN_VID_MASK = 0xfff,
	VLAN_VID_NONE = 0,        /* priority-tagged: of no VLAN */
	VLAN_VID_MAX = 4094,      /* 4095 is reserved */
};

enum ethertype {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_RARP = 0x8035,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_IPV6 = 0x86dd,
};

/* Addresses as 48-bit numbers, first octet on top. */
#define ETH_GROUP_BIT     (UINT64_C(1) << 40)
#define ETH_BROADCAST     UINT64_C(0xffffffffffff)
#define ETH_ADDRESS_MASK  UINT64_C(0xffffffffffff)
/* IEEE 802.1Q table 8-1: 01-80-C2-00-00-00 to -0F are not forwarded by a bridge. */
#define ETH_RESERVED      UINT64_C(0x0180c2000000)
#define ETH_RESERVED_MASK UINT64_C(0xfffffffffff0)

/* RFC 903 over Ethernet: the same layout as ARP (RFC 826). */
enum {
	RARP_HARDWARE = 0,
	RARP_PROTOCOL = 2,
	RARP_HARDWARE_SIZE = 4,
	RARP_PROTOCOL_SIZE = 5,
	RARP_OPERATION = 6,
	RARP_SENDER_MAC = 8,
	RARP_SENDER_IP = 14,
	RARP_TARGET_MAC = 18,
	RARP_TARGET_IP = 24,
	RARP_SIZE = 28,
	RARP_HARDWARE_ETHERNET = 1,
	RARP_REQUEST_REVERSE = 3,
};

/* RFC 791 section 3.1. */
enum {
	IPV4_VERSION_IHL = 0,
	IPV4_TOTAL_LENGTH = 2,
	IPV4_ID = 4,
	IPV4_PROTOCOL = 9,
	IPV4_CHECKSUM = 10,
	IPV4_SRC = 12,
	IPV4_HEADER_MIN = 20,
};

/* RFC 8200 section 3. */
enum {
	IPV6_PAYLOAD_LENGTH = 4,
	IPV6_NEXT_HEADER = 6,
	IPV6_SRC = 8,
	IPV6_HEADER_SIZE = 40,
};

/* RFC 9293 section 3.1. */
enum {
	TCP_SEQUENCE = 4,
	TCP_DATA_OFFSET = 12, /* bits 7-4, in words of 4 bytes */
	TCP_FLAGS = 13,
	TCP_CHECKSUM = 16,
	TCP_HEADER_MIN = 20,
	TCP_FIN = 0x01,
	TCP_PSH = 0x08,
	TCP_CWR = 0x80,
};

/* RFC 768. */
enum { UDP_CHECKSUM = 6 };

enum { IP_PROTOCOL_TCP = 6, IP_PROTOCOL_UDP = 17 };

#endif
