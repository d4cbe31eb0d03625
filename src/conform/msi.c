/* MSI: 7.7.1. */
#include "conform/internal.h"
#include "spec/pcie.h"

enum {
	MSI_ENABLE = 1 << 0,
	MSI_CAPABLE_SHIFT = 1,
	MSI_COUNT_SHIFT = 4,
	MSI_COUNT = 7, /* log2 of the messages */
	MSI_COUNT_MAX = 5,
	MSI_64 = 1 << 7,
	MSI_RESERVED = 0x1f << 11,
	ADDRESS_RESERVED = 3,
};

static bool skip(struct subject *s, struct judgement *j)
{
	if (!s->msi)
		not_applicable(j, "it has no MSI");
	return !s->msi;
}

static void control(struct subject *s, struct judgement *j)
{
	uint32_t control;

	if (skip(s, j))
		return;
	control = get(s, s->msi + SPEC_MSI_CONTROL, 2);
	if ((control >> MSI_CAPABLE_SHIFT & MSI_COUNT) > MSI_COUNT_MAX)
		fail(j, "Multiple Message Capable is %u, which is reserved",
		     control >> MSI_CAPABLE_SHIFT & MSI_COUNT);
	else if (!(control & MSI_64))
		fail(j, "Message Control is %04Xh: a PCI Express function takes 64-bit addresses",
		     control);
	else
		reads_zero(s, j, "Message Control", s->msi + SPEC_MSI_CONTROL, 2, MSI_RESERVED);
}

static void enable(struct subject *s, struct judgement *j)
{
	uint32_t changed;

	if (skip(s, j))
		return;
	changed = flip(s, s->msi + SPEC_MSI_CONTROL, 2, MSI_ENABLE);
	if (!(changed & MSI_ENABLE))
		fail(j, "MSI Enable cannot be written");
	else
		pass(j, "MSI Enable takes what is written");
	is_read_only(s, j, "what MSI can do", s->msi + SPEC_MSI_CONTROL, 2,
		     MSI_COUNT << MSI_CAPABLE_SHIFT | MSI_64);
}

static void address(struct subject *s, struct judgement *j)
{
	uint32_t changed;

	if (skip(s, j))
		return;
	reads_zero(s, j, "Message Address", s->msi + SPEC_MSI_ADDRESS, 4, ADDRESS_RESERVED);
	changed = flip(s, s->msi + SPEC_MSI_ADDRESS, 4, UINT32_MAX);
	if (changed != ~(uint32_t)ADDRESS_RESERVED)
		fail(j, "of Message Address bits %08Xh take what is written; all but 1:0 have to",
		     changed);
	else
		pass(j, "Message Address takes multiples of 4");
}

static const struct check rows[] = {
	{ { "msi.control", "7.7.1.2", "Message Control is well-formed, with 64-bit addresses",
	    false },
	  control },
	{ { "msi.enable", "7.7.1.2", "MSI Enable can be written, and what MSI can do cannot", true },
	  enable },
	{ { "msi.address", "7.7.1.3", "Message Address takes multiples of 4", true }, address },
};

CHECKS(conform_msi, rows);
