/* The header: 7.5.1, and for VFs 9.3.4. */
#include "conform/internal.h"
#include "spec/pcie.h"

enum {
	COMMAND_LEGACY =
		1 << 3 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 9, /* of conventional PCI: hardwired 0 */
	COMMAND_RESERVED = 0x1f << 11,
	/* of a VF only Bus Master Enable is there: 9.3.4.1.3 */
	COMMAND_NOT_VF = 0xffff & ~SPEC_PCI_COMMAND_MASTER,
	STATUS_CAPABILITIES = 1 << 4,
	STATUS_LEGACY = 1 << 5 | 1 << 7 | 3 << 9,
	STATUS_RESERVED = 3 << 1 | 1 << 6,
	STATUS_ERRORS = 1 << 8 | 0x1f << 11, /* RW1C */
	LATENCY_TIMER = 0x0d,
	BIST = 0x0f,
	BIST_CAPABLE = 1 << 7,
	MIN_GRANT = 0x3e, /* and Max_Lat */
	CARDBUS = 0x28,
	RESERVED_AFTER_POINTER = 0x35, /* three bytes */
	RESERVED_TYPE0 = 0x38,	       /* four; the ROM BAR of a type 1 header */
	COMMAND_IO = 1 << 0,
	COMMAND_ERRORS = 1 << 6 | 1 << 8, /* Parity Error Response, SERR# Enable */
};

static void answers(struct subject *s, struct judgement *j)
{
	uint32_t ids = get(s, SPEC_PCI_VENDOR_ID, 4), layout = get(s, SPEC_PCI_HEADER_TYPE, 1);

	if (layout == 0xff)
		fail(j, "reads all ones: nobody answers");
	else
		pass(j, "Vendor and Device ID %04X:%04X, header type %02Xh", ids & 0xffff,
		     ids >> 16, layout);
}

static void vendor_id(struct subject *s, struct judgement *j)
{
	uint32_t ids = get(s, SPEC_PCI_VENDOR_ID, 4);
	uint32_t vendor = ids & 0xffff;

	if (s->role == CONFORM_VF && ids != UINT32_MAX)
		fail(j, "a VF's Vendor and Device ID are %04X:%04X; its PF says what they are",
		     vendor, ids >> 16);
	else if (s->role != CONFORM_VF && (vendor == 0xffff || vendor == 0))
		fail(j, "Vendor ID is %04Xh", vendor);
	else
		pass(j, "%04X:%04X", vendor, ids >> 16);
}

static void ids_read_only(struct subject *s, struct judgement *j)
{
	is_read_only(s, j, "Vendor and Device ID", SPEC_PCI_VENDOR_ID, 4, UINT32_MAX);
	is_read_only(s, j, "Revision ID and Class Code", SPEC_PCI_REVISION_ID, 4, UINT32_MAX);
	is_read_only(s, j, "Header Type", SPEC_PCI_HEADER_TYPE, 1, 0xff);
}

static void subsystem_read_only(struct subject *s, struct judgement *j)
{
	if (s->role == CONFORM_PORT) {
		not_applicable(j, "a type 1 header has no subsystem");
		return;
	}
	is_read_only(s, j, "Subsystem Vendor ID and ID", SPEC_PCI_SUBSYSTEM_VENDOR_ID, 4,
		     UINT32_MAX);
}

static void layout(struct subject *s, struct judgement *j)
{
	uint32_t type = get(s, SPEC_PCI_HEADER_TYPE, 1);

	if ((type & 0x7f) > 1)
		fail(j, "header layout %02Xh; there are 0 and 1", type & 0x7f);
	else if (s->role == CONFORM_VF && type)
		fail(j, "header type of a VF is %02Xh; it is 00h", type);
	else
		pass(j, "header type %02Xh", type);
}

static void class_code(struct subject *s, struct judgement *j)
{
	uint32_t class = get(s, SPEC_PCI_REVISION_ID, 4) >> 8, base = class >> 16;
	bool bridge = (class >> 8) == 0x0604 || (class >> 8) == 0x0609;

	if (base > 0x13 && base != 0x40 && base != 0xff)
		fail(j, "base class %02Xh is reserved", base);
	else if (bridge != (s->role == CONFORM_PORT))
		fail(j, "class code %06Xh with header type %u", class, s->role == CONFORM_PORT);
	else
		pass(j, "class code %06Xh", class);
}

static void command_hardwired(struct subject *s, struct judgement *j)
{
	uint32_t bits = COMMAND_LEGACY | COMMAND_RESERVED;

	/* a type 1 header may snoop VGA palettes */
	if (s->role == CONFORM_PORT)
		bits &= ~(uint32_t)(1 << 5);
	reads_zero(s, j, "Command", SPEC_PCI_COMMAND, 2, bits);
	if (flip(s, SPEC_PCI_COMMAND, 2, bits) & bits)
		fail(j, "bits %Xh of Command can be written", bits);
}

static void command_of_vf(struct subject *s, struct judgement *j)
{
	if (s->role != CONFORM_VF) {
		not_applicable(j, "it is no VF");
		return;
	}
	reads_zero(s, j, "Command", SPEC_PCI_COMMAND, 2, COMMAND_NOT_VF);
	if (flip(s, SPEC_PCI_COMMAND, 2, COMMAND_NOT_VF) & COMMAND_NOT_VF)
		fail(j, "more than Bus Master Enable of Command can be written");
}

static void bus_master(struct subject *s, struct judgement *j)
{
	uint32_t before = get(s, SPEC_PCI_COMMAND, 2);

	if (flip(s, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MASTER) & SPEC_PCI_COMMAND_MASTER)
		pass(j, "Command was %04Xh; Bus Master Enable takes what is written", before);
	else
		fail(j, "Command is %04Xh; Bus Master Enable cannot be changed", before);
}

static void memory_space(struct subject *s, struct judgement *j)
{
	bool memory = false;

	for (unsigned bar = 0; bar < SPEC_PCI_BARS && s->role == CONFORM_ENDPOINT; bar++) {
		uint64_t size = bar_size(s, bar);

		memory |= size && !(get(s, SPEC_PCI_BAR0 + bar * 4, 4) & 1);
	}
	if (!memory && s->role != CONFORM_PORT)
		not_applicable(j, s->role == CONFORM_VF ? "VF MSE of the PF is for all VFs"
							: "it has no memory BAR");
	else if (flip(s, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MEMORY) & SPEC_PCI_COMMAND_MEMORY)
		pass(j, "Memory Space Enable takes what is written");
	else
		fail(j, "Memory Space Enable cannot be changed");
}

static void io_space(struct subject *s, struct judgement *j)
{
	bool io = false;

	for (unsigned bar = 0; bar < SPEC_PCI_BARS && s->role == CONFORM_ENDPOINT; bar++) {
		uint32_t before = bar ? get(s, SPEC_PCI_BAR0 + bar * 4 - 4, 4) : 0;

		/* not the upper half of the one before */
		io |= (before & 7) != SPEC_PCI_BAR_64_BIT && get(s, SPEC_PCI_BAR0 + bar * 4, 4) & 1;
	}
	if (!io)
		not_applicable(j, "it has no I/O BAR");
	else if (flip(s, SPEC_PCI_COMMAND, 2, COMMAND_IO) & COMMAND_IO)
		pass(j, "I/O Space Enable takes what is written");
	else
		fail(j, "it has an I/O BAR, and I/O Space Enable cannot be changed");
}

static void error_bits(struct subject *s, struct judgement *j)
{
	uint32_t changed;

	if (s->role == CONFORM_VF) {
		not_applicable(j, "those of its PF are for all VFs");
		return;
	}
	changed = flip(s, SPEC_PCI_COMMAND, 2, COMMAND_ERRORS);
	if ((changed & COMMAND_ERRORS) == COMMAND_ERRORS)
		pass(j, "both take what is written");
	else
		fail(j, "bits %Xh of Command cannot be written", COMMAND_ERRORS & ~changed);
}

static void cardbus(struct subject *s, struct judgement *j)
{
	if (s->role == CONFORM_PORT) {
		not_applicable(j, "a type 1 header has windows there");
		return;
	}
	reads_zero(s, j, "Cardbus CIS Pointer", CARDBUS, 4, UINT32_MAX);
	is_read_only(s, j, "Cardbus CIS Pointer", CARDBUS, 4, UINT32_MAX);
}

static void reserved(struct subject *s, struct judgement *j)
{
	for (unsigned i = 0; i < 3; i++) {
		reads_zero(s, j, "a byte after Capabilities Pointer", RESERVED_AFTER_POINTER + i, 1, 0xff);
		is_read_only(s, j, "a byte after Capabilities Pointer", RESERVED_AFTER_POINTER + i, 1,
			     0xff);
	}
	if (s->role == CONFORM_PORT)
		return;
	reads_zero(s, j, "the word at 38h", RESERVED_TYPE0, 4, UINT32_MAX);
	is_read_only(s, j, "the word at 38h", RESERVED_TYPE0, 4, UINT32_MAX);
}

static void capabilities_list(struct subject *s, struct judgement *j)
{
	uint32_t status = get(s, SPEC_PCI_STATUS, 2);

	if (status & STATUS_CAPABILITIES)
		pass(j, "Status is %04Xh", status);
	else
		fail(j, "Status is %04Xh: Capabilities List is 0", status);
}

static void status_reserved(struct subject *s, struct judgement *j)
{
	reads_zero(s, j, "Status", SPEC_PCI_STATUS, 2, STATUS_LEGACY | STATUS_RESERVED);
}

static void status_rw1c(struct subject *s, struct judgement *j)
{
	uint32_t before = get(s, SPEC_PCI_STATUS, 2), after;

	put(s, SPEC_PCI_STATUS, 2, 0);
	after = get(s, SPEC_PCI_STATUS, 2);
	if (before & ~after & STATUS_ERRORS)
		fail(j, "Status was %04Xh; a write of zeroes made it %04Xh", before, after);
	put(s, SPEC_PCI_STATUS, 2, STATUS_ERRORS);
	after = get(s, SPEC_PCI_STATUS, 2);
	if (after & STATUS_ERRORS)
		fail(j, "Status is %04Xh after ones were written to its error bits", after);
	else
		pass(j, "Status was %04Xh, and its error bits are 0 after ones were written",
		     before);
}

static void latency_timer(struct subject *s, struct judgement *j)
{
	reads_zero(s, j, "Latency Timer", LATENCY_TIMER, 1, 0xff);
	is_read_only(s, j, "Latency Timer", LATENCY_TIMER, 1, 0xff);
}

static void cache_line_size(struct subject *s, struct judgement *j)
{
	uint32_t changed = flip(s, SPEC_PCI_CACHE_LINE_SIZE, 1, 0xff);

	if (s->role == CONFORM_VF && changed)
		fail(j, "a VF's Cache Line Size can be written");
	else if (s->role != CONFORM_VF && changed != 0xff)
		fail(j, "bits %02Xh of Cache Line Size cannot be written", ~changed & 0xff);
	else
		pass(j, s->role == CONFORM_VF ? "read-only in a VF" : "takes what is written");
}

static void interrupt_pin(struct subject *s, struct judgement *j)
{
	uint32_t pin = get(s, SPEC_PCI_INTERRUPT_PIN, 1);

	if (pin > 4)
		fail(j, "Interrupt Pin is %02Xh; there are 0 to 4", pin);
	else if (s->role == CONFORM_VF && pin)
		fail(j, "Interrupt Pin of a VF is %02Xh; VFs have no INTx", pin);
	else
		pass(j, "Interrupt Pin is %u", pin);
	is_read_only(s, j, "Interrupt Pin", SPEC_PCI_INTERRUPT_PIN, 1, 0xff);
}

static void interrupt_line(struct subject *s, struct judgement *j)
{
	if (get(s, SPEC_PCI_INTERRUPT_PIN, 1) == 0)
		not_applicable(j, "Interrupt Pin is 0");
	else if (flip(s, SPEC_PCI_INTERRUPT_LINE, 1, 0xff) != 0xff)
		fail(j, "Interrupt Line cannot be written");
	else
		pass(j, "takes what is written");
}

static void bist(struct subject *s, struct judgement *j)
{
	uint32_t value = get(s, BIST, 1);

	/* bit 6 starts a test, so nothing is written */
	reads_zero(s, j, "BIST", BIST, 1, value & BIST_CAPABLE ? 0x30 : 0xff);
}

static void grants(struct subject *s, struct judgement *j)
{
	if (s->role == CONFORM_PORT)
		not_applicable(j, "a type 1 header has Bridge Control there");
	else
		reads_zero(s, j, "Min_Gnt and Max_Lat", MIN_GRANT, 2, 0xffff);
}

static const struct check rows[] = {
	{ { "header.answers", "7.5.1.1", "The function answers configuration reads", false },
	  answers },
	{ { "header.ids", "7.5.1.1.1, 9.3.4.1.1",
	    "Vendor ID is one that was assigned; a VF's Vendor and Device ID read FFFFh", false },
	  vendor_id },
	{ { "header.ids-read-only", "7.5.1.1.1, 7.5.1.1.5",
	    "IDs, revision, class code and header type cannot be written", true },
	  ids_read_only },
	{ { "header.subsystem-read-only", "7.5.1.2.3", "Subsystem IDs cannot be written", true },
	  subsystem_read_only },
	{ { "header.layout", "7.5.1.1.9", "The layout of the header is 0 or 1, and 0 of a VF",
	    false },
	  layout },
	{ { "header.class", "7.5.1.1.6", "The class code is a known one, and fits the layout",
	    false },
	  class_code },
	{ { "header.command-hardwired", "7.5.1.1.3",
	    "Bits of conventional PCI and reserved bits of Command are 0", false },
	  command_hardwired },
	{ { "header.command-vf", "9.3.4.1.3", "Of Command a VF has Bus Master Enable alone",
	    false },
	  command_of_vf },
	{ { "header.bus-master", "7.5.1.1.3", "Bus Master Enable can be written", true },
	  bus_master },
	{ { "header.memory-space", "7.5.1.1.3",
	    "Memory Space Enable can be written where there is a memory BAR", true },
	  memory_space },
	{ { "header.io-space", "7.5.1.1.3", "I/O Space Enable can be written where there is an I/O BAR",
	    true },
	  io_space },
	{ { "header.error-bits", "7.5.1.1.3, 9.3.4.1.3",
	    "Parity Error Response and SERR# Enable can be written, but in a VF", true },
	  error_bits },
	{ { "header.capabilities-list", "7.5.1.1.4", "Capabilities List of Status is 1", false },
	  capabilities_list },
	{ { "header.status-reserved", "7.5.1.1.4",
	    "Bits of conventional PCI and reserved bits of Status are 0", false },
	  status_reserved },
	{ { "header.status-rw1c", "7.5.1.1.4",
	    "Error bits of Status are cleared by ones and not by zeroes", true },
	  status_rw1c },
	{ { "header.latency-timer", "7.5.1.1.8", "Latency Timer is 0", false }, latency_timer },
	{ { "header.cache-line-size", "7.5.1.1.7, 9.3.4.1.7",
	    "Cache Line Size can be written, and not in a VF", true },
	  cache_line_size },
	{ { "header.interrupt-pin", "7.5.1.1.13, 9.3.4.1.18",
	    "Interrupt Pin is 0 to 4, of a VF 0, and cannot be written", false },
	  interrupt_pin },
	{ { "header.interrupt-line", "7.5.1.1.12",
	    "Interrupt Line can be written where there is a pin", true },
	  interrupt_line },
	{ { "header.bist", "7.5.1.1.10", "BIST is 0 where there is none, and its reserved bits are",
	    false },
	  bist },
	{ { "header.cardbus", "7.5.1.2.2", "Cardbus CIS Pointer is 0", false }, cardbus },
	{ { "header.reserved", "7.5.1.1, 7.5.1.2", "Reserved bytes of the header are 0", false },
	  reserved },
	{ { "header.grants", "7.5.1.2.5", "Min_Gnt and Max_Lat are 0", false }, grants },
};

CHECKS(conform_header, rows);
