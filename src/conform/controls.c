/* What software sets in the PCI Express capability, and what endpoints and VFs do not have of it:
 * 7.5.3, and for VFs 9.3.5. */
#include "conform/internal.h"
#include "spec/pcie.h"

enum {
	SLOT_IMPLEMENTED = 1 << 8, /* of PCI Express Capabilities */
	MESSAGE_NUMBER_SHIFT = 9,
	MESSAGE_NUMBER = 0x1f,
	DEVCAP_PAYLOAD = 7,
	DEVCAP_EXTENDED_TAG = 1 << 5,
	DEVCTL_REPORTING = 0xf,
	DEVCTL_PAYLOAD_SHIFT = 5,
	DEVCTL_EXTENDED_TAG = 1 << 8,
	DEVCTL_READ_SHIFT = 12,
	SIZE_CODE = 7, /* of a payload or a read request: 128 << code */
	SIZE_CODE_MAX = 5,
	READ_DEFAULT = 2,
	TIMEOUT_RANGES = 0xf,
	TIMEOUT_DISABLE = 1 << 4, /* supported; and of Device Control 2: disabled */
	LINK_DISABLE = 1 << 4,
	LINK_RETRAIN = 1 << 5,
	MSI_MESSAGES_SHIFT = 1,
	MSIX_TABLE_SIZE = 0x7ff,
};

static bool skip(struct subject *s, struct judgement *j)
{
	if (!s->express)
		not_applicable(j, "it has no PCI Express capability");
	return !s->express;
}

/* A VF's are in its PF. */
static bool skip_vf(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return true;
	if (s->role == CONFORM_VF)
		not_applicable(j, "it is its PF's");
	return s->role == CONFORM_VF;
}

static bool skip_port(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return true;
	if (s->role == CONFORM_PORT)
		not_applicable(j, "it is a port");
	return s->role == CONFORM_PORT;
}

static bool skip_all_but_vf(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return true;
	if (s->role != CONFORM_VF)
		not_applicable(j, "it is no VF");
	return s->role != CONFORM_VF;
}

static uint32_t reg(struct subject *s, unsigned offset, unsigned size)
{
	return get(s, s->express + offset, size);
}

static void message_number(struct subject *s, struct judgement *j)
{
	uint32_t number, messages = 1;

	if (skip(s, j))
		return;
	number = reg(s, SPEC_EXPRESS_CAPABILITIES, 2) >> MESSAGE_NUMBER_SHIFT & MESSAGE_NUMBER;
	if (s->msi)
		messages = 1u << (get(s, s->msi + SPEC_MSI_CONTROL, 2) >> MSI_MESSAGES_SHIFT & 7);
	if (s->msix)
		messages = (get(s, s->msix + SPEC_MSIX_CONTROL, 2) & MSIX_TABLE_SIZE) + 1;
	if (number < messages)
		pass(j, "message %u of %u", number, messages);
	else
		fail(j, "Interrupt Message Number is %u, and it has %u messages", number, messages);
}

static void no_slot(struct subject *s, struct judgement *j)
{
	uint32_t caps;

	if (skip_port(s, j))
		return;
	caps = reg(s, SPEC_EXPRESS_CAPABILITIES, 2);
	if (caps & SLOT_IMPLEMENTED)
		fail(j, "PCI Express Capabilities is %04Xh: Slot Implemented, and it is no port", caps);
	reads_zero(s, j, "Slot Capabilities", s->express + SPEC_EXPRESS_SLOT_CAPABILITIES, 4,
		   UINT32_MAX);
	reads_zero(s, j, "Slot Control and Status", s->express + SPEC_EXPRESS_SLOT_CONTROL, 4,
		   UINT32_MAX);
	reads_zero(s, j, "Root Control and Capabilities", s->express + SPEC_EXPRESS_ROOT_CONTROL, 4,
		   UINT32_MAX);
	reads_zero(s, j, "Root Status", s->express + SPEC_EXPRESS_ROOT_STATUS, 4, UINT32_MAX);
	pass(j, "neither slot nor root registers");
}

/* Writes a size's code and says what it reads then. */
static uint32_t code_written(struct subject *s, unsigned shift, uint32_t code)
{
	unsigned at = s->express + SPEC_EXPRESS_DEVICE_CONTROL;
	uint32_t before = get(s, at, 2), got;

	put(s, at, 2, (before & ~(uint32_t)(SIZE_CODE << shift)) | code << shift);
	got = get(s, at, 2) >> shift & SIZE_CODE;
	put(s, at, 2, before);
	return got;
}

static void payload_written(struct subject *s, struct judgement *j)
{
	uint32_t most;

	if (skip_vf(s, j))
		return;
	most = reg(s, SPEC_EXPRESS_DEVICE_CAPABILITIES, 4) & DEVCAP_PAYLOAD;
	for (uint32_t code = 0; code <= most && code <= SIZE_CODE_MAX; code++) {
		uint32_t got = code_written(s, DEVCTL_PAYLOAD_SHIFT, code);

		if (got != code)
			fail(j, "Max_Payload_Size is %u after %u, which is supported, was written", got,
			     code);
	}
	pass(j, "every size up to %u bytes can be chosen", 128u << most);
}

static void read_request(struct subject *s, struct judgement *j)
{
	uint32_t now, last;

	if (skip_vf(s, j))
		return;
	now = reg(s, SPEC_EXPRESS_DEVICE_CONTROL, 2) >> DEVCTL_READ_SHIFT & SIZE_CODE;
	last = code_written(s, DEVCTL_READ_SHIFT, SIZE_CODE_MAX);
	if (now > SIZE_CODE_MAX)
		fail(j, "Max_Read_Request_Size is %u, which is reserved", now);
	for (uint32_t code = 0; code <= SIZE_CODE_MAX && last; code++) {
		uint32_t got = code_written(s, DEVCTL_READ_SHIFT, code);

		if (got != code)
			fail(j, "Max_Read_Request_Size is %u after %u was written", got, code);
	}
	if (!last && now)
		fail(j, "Max_Read_Request_Size is %u, and 0 when %u is written", now, SIZE_CODE_MAX);
	else if (!last)
		pass(j, "it is 128 bytes, and cannot be written");
	else
		pass(j, "it is %u bytes, and any size can be chosen", 128u << now);
}

static void extended_tag(struct subject *s, struct judgement *j)
{
	unsigned at = s->express + SPEC_EXPRESS_DEVICE_CONTROL;

	if (skip_vf(s, j))
		return;
	if (!(reg(s, SPEC_EXPRESS_DEVICE_CAPABILITIES, 4) & DEVCAP_EXTENDED_TAG))
		not_applicable(j, "it has tags of 5 bits");
	else if (flip(s, at, 2, DEVCTL_EXTENDED_TAG) & DEVCTL_EXTENDED_TAG)
		pass(j, "Extended Tag Field Enable takes what is written");
	else
		fail(j, "it has tags of 8 bits, and Extended Tag Field Enable cannot be written");
}

static void defaults(struct subject *s, struct judgement *j)
{
	unsigned at = s->express + SPEC_EXPRESS_DEVICE_CONTROL;
	uint32_t control, code;
	uint64_t took;

	if (skip_vf(s, j) || !can_flr(s, j))
		return;
	control = get(s, at, 2) & ~(uint32_t)SPEC_EXPRESS_INITIATE_FLR;
	put(s, at, 2,
	    (control & ~(uint32_t)(SIZE_CODE << DEVCTL_READ_SHIFT)) | DEVCTL_REPORTING |
		    SIZE_CODE_MAX << DEVCTL_READ_SHIFT);
	if (!flr(s, s->function, &took))
		fail(j, "it does not come back");
	control = get(s, at, 2);
	code = control >> DEVCTL_READ_SHIFT & SIZE_CODE;
	if (control & DEVCTL_REPORTING)
		fail(j, "Device Control is %04Xh after a reset: it reports errors", control);
	else if (code != READ_DEFAULT && code != 0)
		fail(j, "Device Control is %04Xh after a reset: Max_Read_Request_Size is %u", control,
		     code);
	else
		pass(j, "Device Control is %04Xh after a reset", control);
}

static void timeouts(struct subject *s, struct judgement *j)
{
	unsigned at = s->express + SPEC_EXPRESS_DEVICE_CONTROL2;
	uint32_t caps, changed;

	if (skip_vf(s, j) || skip_port(s, j))
		return;
	caps = reg(s, SPEC_EXPRESS_DEVICE_CAPABILITIES2, 4);
	changed = flip(s, at, 2, TIMEOUT_RANGES | TIMEOUT_DISABLE);
	if (!(caps & TIMEOUT_DISABLE))
		fail(j, "Device Capabilities 2 is %08Xh: Completion Timeout cannot be disabled", caps);
	else if (!(changed & TIMEOUT_DISABLE))
		fail(j, "Completion Timeout Disable cannot be written");
	else if (!(caps & TIMEOUT_RANGES) && changed & TIMEOUT_RANGES)
		fail(j, "Completion Timeout Value can be written, and no range is supported");
	else if (caps & TIMEOUT_RANGES && !(changed & TIMEOUT_RANGES))
		fail(j, "Completion Timeout Value cannot be written, and ranges %Xh are supported",
		     caps & TIMEOUT_RANGES);
	else
		pass(j, "ranges %Xh, and it can be disabled", caps & TIMEOUT_RANGES);
}

static void control2_of_vf(struct subject *s, struct judgement *j)
{
	uint32_t changed;

	if (skip_all_but_vf(s, j))
		return;
	changed = flip(s, s->express + SPEC_EXPRESS_DEVICE_CONTROL2, 2,
		       TIMEOUT_RANGES | TIMEOUT_DISABLE);
	if (changed)
		fail(j, "bits %04Xh of a VF's Device Control 2 can be written", changed);
	else
		pass(j, "its PF says how long a completion may take");
}

static void link_control(struct subject *s, struct judgement *j)
{
	uint32_t changed;

	if (skip_port(s, j))
		return;
	changed = flip(s, s->express + SPEC_EXPRESS_LINK_CONTROL, 2, LINK_DISABLE | LINK_RETRAIN) &
		  (LINK_DISABLE | LINK_RETRAIN);
	if (changed)
		fail(j, "bits %02Xh of Link Control can be written: they are of ports", changed);
	else
		pass(j, "the link is the port's to disable and to train");
}

static void link_of_vf(struct subject *s, struct judgement *j)
{
	if (skip_all_but_vf(s, j))
		return;
	reads_zero(s, j, "Link Control and Status", s->express + SPEC_EXPRESS_LINK_CONTROL, 4,
		   UINT32_MAX);
	is_read_only(s, j, "Link Control", s->express + SPEC_EXPRESS_LINK_CONTROL, 2, 0xffff);
	is_read_only(s, j, "Link Control 2", s->express + SPEC_EXPRESS_LINK_CONTROL2, 2, 0xffff);
}

static const struct check rows[] = {
	{ { "express.message-number", "7.5.3.2", "Interrupt Message Number is that of a message",
	    false },
	  message_number },
	{ { "express.no-slot", "7.5.3.2, 7.5.3.9 to 7.5.3.14",
	    "Slot and root registers are 0 in what is no port", false },
	  no_slot },
	{ { "express.payload-written", "7.5.3.4", "Max_Payload_Size takes every size up to the largest",
	    true },
	  payload_written },
	{ { "express.read-request", "7.5.3.4",
	    "Max_Read_Request_Size takes every size, or is 128 bytes for ever", true },
	  read_request },
	{ { "express.extended-tag", "7.5.3.3, 7.5.3.4",
	    "Extended Tag Field Enable can be written where there are extended tags", true },
	  extended_tag },
	{ { "express.defaults", "7.5.3.4, 6.6.2", "After a reset Device Control has its defaults",
	    true },
	  defaults },
	{ { "express.timeouts", "7.5.3.15, 7.5.3.16",
	    "Completion timeouts can be disabled, and have values where ranges are supported", true },
	  timeouts },
	{ { "express.control2-vf", "9.3.5.10", "Completion timeouts of a VF are its PF's", true },
	  control2_of_vf },
	{ { "express.link-control", "7.5.3.7", "Link Disable and Retrain Link are there in ports alone",
	    true },
	  link_control },
	{ { "express.link-vf", "9.3.5.7, 9.3.5.8", "Link Control and Status of a VF are 0", false },
	  link_of_vf },
};

CHECKS(conform_controls, rows);
