/* The PCI Express capability: 7.5.3, and for VFs 9.3.5. */
#include "conform/internal.h"
#include "spec/pcie.h"

enum {
	TYPE_LEGACY_ENDPOINT = 1,
	TYPE_INTEGRATED_ENDPOINT = 9,
	TYPE_EVENT_COLLECTOR = 10,
	TYPE_BRIDGE_TO_PCI = 7, /* type 1 headers: 4 to 8 */
	TYPE_BRIDGE_FROM_PCI = 8,
	DEVCAP_PAYLOAD = 7,
	DEVCAP_PAYLOAD_MAX = 5, /* 4096 bytes */
	DEVCAP_ROLE_BASED = 1 << 15,
	DEVCAP_FLR = 1 << 28,
	DEVCTL_PAYLOAD_SHIFT = 5,
	DEVSTA_ERRORS = 0xf,	  /* RW1C */
	DEVSTA_RESERVED = 0xff80, /* bit 6 is Emergency Power Reduction */
	DEVSTA_PENDING = 1 << 5,
	LINK_SPEED = 0xf,
	LINK_WIDTH_SHIFT = 4,
	LINK_WIDTH = 0x3f,
	SPEEDS_SHIFT = 1,
	SPEEDS = 0x7f,
};

static bool skip(struct subject *s, struct judgement *j)
{
	if (!s->express)
		not_applicable(j, "it has no PCI Express capability");
	return !s->express;
}

static uint32_t reg(struct subject *s, unsigned offset, unsigned size)
{
	return get(s, s->express + offset, size);
}

static uint32_t type_of(struct subject *s)
{
	return reg(s, SPEC_EXPRESS_CAPABILITIES, 2) >> 4 & 0xf;
}

static bool has_link(struct subject *s)
{
	uint32_t type = type_of(s);

	return type != TYPE_INTEGRATED_ENDPOINT && type != TYPE_EVENT_COLLECTOR;
}

static void version(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return;

	uint32_t version = reg(s, SPEC_EXPRESS_CAPABILITIES, 2) & 0xf;

	if (version == 2)
		pass(j, "version 2");
	else
		fail(j, "Capability Version is %u", version);
}

static void type(struct subject *s, struct judgement *j)
{
	uint32_t type;

	if (skip(s, j))
		return;
	type = type_of(s);
	if (type == 2 || type == 3 || type > TYPE_EVENT_COLLECTOR)
		fail(j, "Device/Port Type %Xh is reserved", type);
	else if ((type >= SPEC_EXPRESS_ROOT_PORT && type <= TYPE_BRIDGE_FROM_PCI) !=
		 (s->role == CONFORM_PORT))
		fail(j, "Device/Port Type is %Xh with header layout %u", type,
		     s->role == CONFORM_PORT);
	else if (s->role == CONFORM_VF && type == TYPE_LEGACY_ENDPOINT)
		fail(j, "a VF is no legacy endpoint");
	else
		pass(j, "Device/Port Type %Xh", type);
}

static void read_only(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return;
	is_read_only(s, j, "PCI Express Capabilities", s->express + SPEC_EXPRESS_CAPABILITIES, 2,
		     0xffff);
	is_read_only(s, j, "Device Capabilities", s->express + SPEC_EXPRESS_DEVICE_CAPABILITIES, 4,
		     UINT32_MAX);
	is_read_only(s, j, "Device Capabilities 2", s->express + SPEC_EXPRESS_DEVICE_CAPABILITIES2,
		     4, UINT32_MAX);
	if (has_link(s))
		is_read_only(s, j, "Link Capabilities", s->express + SPEC_EXPRESS_LINK_CAPABILITIES,
			     4, UINT32_MAX);
}

static void role_based(struct subject *s, struct judgement *j)
{
	uint32_t caps;

	if (skip(s, j))
		return;
	caps = reg(s, SPEC_EXPRESS_DEVICE_CAPABILITIES, 4);
	if (caps & DEVCAP_ROLE_BASED)
		pass(j, "Device Capabilities is %08Xh", caps);
	else
		fail(j, "Device Capabilities is %08Xh: Role-Based Error Reporting is 0", caps);
}

static void payload(struct subject *s, struct judgement *j)
{
	uint32_t most, now;

	if (skip(s, j))
		return;
	most = reg(s, SPEC_EXPRESS_DEVICE_CAPABILITIES, 4) & DEVCAP_PAYLOAD;
	now = reg(s, SPEC_EXPRESS_DEVICE_CONTROL, 2) >> DEVCTL_PAYLOAD_SHIFT & DEVCAP_PAYLOAD;
	if (most > DEVCAP_PAYLOAD_MAX)
		fail(j, "Max_Payload_Size Supported is %u, which is reserved", most);
	else if (s->role == CONFORM_VF && now)
		fail(j, "Max_Payload_Size of a VF is %u; its PF has it", now);
	else if (now > most)
		fail(j, "Max_Payload_Size is %u bytes, and %u are supported", 128u << now,
		     128u << most);
	else
		pass(j, "%u of %u bytes", 128u << now, 128u << most);
}

static void flr_of_vf(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return;
	if (s->role != CONFORM_VF)
		not_applicable(j, "it is no VF");
	else if (reg(s, SPEC_EXPRESS_DEVICE_CAPABILITIES, 4) & DEVCAP_FLR)
		pass(j, "it can be reset alone");
	else
		fail(j, "Function Level Reset Capability is 0");
}

static void link(struct subject *s, struct judgement *j)
{
	uint32_t most, now;

	if (skip(s, j))
		return;
	if (s->role == CONFORM_VF || !has_link(s)) {
		not_applicable(j, "it has no link of its own");
		return;
	}
	most = reg(s, SPEC_EXPRESS_LINK_CAPABILITIES, 4);
	now = reg(s, SPEC_EXPRESS_LINK_STATUS, 2);
	if ((now & LINK_SPEED) == 0 || (now & LINK_SPEED) > (most & LINK_SPEED))
		fail(j, "link speed %u; at most %u is possible", now & LINK_SPEED,
		     most & LINK_SPEED);
	else if ((now >> LINK_WIDTH_SHIFT & LINK_WIDTH) > (most >> LINK_WIDTH_SHIFT & LINK_WIDTH))
		fail(j, "x%u; at most x%u is possible", now >> LINK_WIDTH_SHIFT & LINK_WIDTH,
		     most >> LINK_WIDTH_SHIFT & LINK_WIDTH);
	else
		pass(j, "speed %u of %u, x%u of x%u", now & LINK_SPEED, most & LINK_SPEED,
		     now >> LINK_WIDTH_SHIFT & LINK_WIDTH, most >> LINK_WIDTH_SHIFT & LINK_WIDTH);
}

static void link_width(struct subject *s, struct judgement *j)
{
	uint32_t width;

	if (skip(s, j))
		return;
	if (!has_link(s)) {
		not_applicable(j, "it has no link");
		return;
	}
	width = reg(s, SPEC_EXPRESS_LINK_CAPABILITIES, 4) >> LINK_WIDTH_SHIFT & LINK_WIDTH;
	if (width == 12 || (is_power_of_two(width) && width <= 32))
		pass(j, "x%u", width);
	else
		fail(j, "Maximum Link Width is %u", width);
}

static void speeds(struct subject *s, struct judgement *j)
{
	uint32_t vector, most;

	if (skip(s, j))
		return;
	if (!has_link(s)) {
		not_applicable(j, "it has no link");
		return;
	}
	vector = reg(s, SPEC_EXPRESS_LINK_CAPABILITIES2, 4) >> SPEEDS_SHIFT & SPEEDS;
	most = reg(s, SPEC_EXPRESS_LINK_CAPABILITIES, 4) & LINK_SPEED;
	if (vector == 0 && most <= 2)
		pass(j, "none listed, at most speed %u", most);
	else if (most == 0 || most > 7 || vector >> (most - 1) != 1)
		fail(j, "Supported Link Speeds %02Xh, Max Link Speed %u", vector, most);
	else if (!(vector & 1))
		fail(j, "Supported Link Speeds %02Xh: 2.5 GT/s is required", vector);
	else
		pass(j, "Supported Link Speeds %02Xh, Max Link Speed %u", vector, most);
}

static void status_rw1c(struct subject *s, struct judgement *j)
{
	uint32_t before, after;

	if (skip(s, j))
		return;
	before = reg(s, SPEC_EXPRESS_DEVICE_STATUS, 2);
	put(s, s->express + SPEC_EXPRESS_DEVICE_STATUS, 2, 0);
	after = reg(s, SPEC_EXPRESS_DEVICE_STATUS, 2);
	if (before & ~after & DEVSTA_ERRORS)
		fail(j, "Device Status was %04Xh; a write of zeroes made it %04Xh", before, after);
	put(s, s->express + SPEC_EXPRESS_DEVICE_STATUS, 2, DEVSTA_ERRORS);
	after = reg(s, SPEC_EXPRESS_DEVICE_STATUS, 2);
	if (after & DEVSTA_ERRORS)
		fail(j, "Device Status is %04Xh after ones were written to its error bits", after);
	else
		pass(j, "Device Status was %04Xh, and its error bits are 0 now", before);
}

static void status_reserved(struct subject *s, struct judgement *j)
{
	if (!skip(s, j))
		reads_zero(s, j, "Device Status", s->express + SPEC_EXPRESS_DEVICE_STATUS, 2,
			   DEVSTA_RESERVED);
}

static void pending(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return;
	if (get(s, SPEC_PCI_COMMAND, 2) & SPEC_PCI_COMMAND_MASTER)
		not_applicable(j, "it is in use: Bus Master Enable is set");
	else if (reg(s, SPEC_EXPRESS_DEVICE_STATUS, 2) & DEVSTA_PENDING)
		fail(j, "Transactions Pending, and it is no bus master");
	else
		pass(j, "no transaction is pending");
}

static void control_of_vf(struct subject *s, struct judgement *j)
{
	uint32_t changed;

	if (skip(s, j))
		return;
	if (s->role != CONFORM_VF) {
		not_applicable(j, "it is no VF");
		return;
	}
	changed = flip(s, s->express + SPEC_EXPRESS_DEVICE_CONTROL, 2,
		       0xffff & ~SPEC_EXPRESS_INITIATE_FLR);
	if (changed)
		fail(j, "bits %04Xh of a VF's Device Control can be written", changed);
	else
		pass(j, "nothing but Initiate FLR is there");
}

static const struct check rows[] = {
	{ { "express.version", "7.5.3.2", "Capability Version is 2", false }, version },
	{ { "express.type", "7.5.3.2", "Device/Port Type fits the header", false }, type },
	{ { "express.read-only", "7.5.3.2, 7.5.3.3, 7.5.3.6, 7.5.3.15",
	    "Capability registers cannot be written", true },
	  read_only },
	{ { "express.role-based", "7.5.3.3", "Role-Based Error Reporting is 1", false },
	  role_based },
	{ { "express.payload", "7.5.3.3, 7.5.3.4, 9.3.5.4",
	    "Max_Payload_Size is one that is supported; a VF has none", false },
	  payload },
	{ { "express.flr-vf", "9.3.5.3", "A VF can be reset alone", false }, flr_of_vf },
	{ { "express.link", "7.5.3.8", "The link is no faster and no wider than it can be", false },
	  link },
	{ { "express.link-width", "7.5.3.6", "Maximum Link Width is one that exists", false },
	  link_width },
	{ { "express.link-speeds", "7.5.3.18",
	    "Supported Link Speeds begins with 2.5 GT/s and ends with Max Link Speed", false },
	  speeds },
	{ { "express.status-reserved", "7.5.3.5", "Reserved bits of Device Status are 0", false },
	  status_reserved },
	{ { "express.status-rw1c", "7.5.3.5",
	    "Error bits of Device Status are cleared by ones and not by zeroes", true },
	  status_rw1c },
	{ { "express.pending", "7.5.3.5", "Nothing is pending when it is no bus master", false },
	  pending },
	{ { "express.control-vf", "9.3.5.4", "Device Control of a VF has Initiate FLR alone",
	    true },
	  control_of_vf },
};

CHECKS(conform_express, rows);
