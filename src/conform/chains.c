/* The two chains of capabilities: 7.5.1.1.11 and 7.6. */
#include "conform/internal.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"

static void caps_chain(struct subject *s, struct judgement *j)
{
	if (!s->caps_end)
		fail(j, "the chain %s", s->caps_broken);
	else if (s->cap_count == 0)
		fail(j, "there is no capability; PCI Express is required");
	else
		pass(j, "%u capabilities", s->cap_count);
}

static void caps_overlap(struct subject *s, struct judgement *j)
{
	for (unsigned i = 0; i < s->cap_count; i++) {
		unsigned at = s->caps[i].at, end = at + cap_size(s, &s->caps[i]);

		if (end > SPEC_EXT_FIRST)
			fail(j, "capability %02Xh at %02Xh goes beyond FFh", s->caps[i].id, at);
		for (unsigned k = 0; k < s->cap_count; k++) {
			if (s->caps[k].at > at && s->caps[k].at < end)
				fail(j, "capability %02Xh at %02Xh lies in %02Xh at %02Xh to %02Xh",
				     s->caps[k].id, s->caps[k].at, s->caps[i].id, at, end - 1);
		}
	}
	pass(j, "%u capabilities lie apart", s->cap_count);
}

static void caps_once(struct subject *s, struct judgement *j)
{
	static const uint16_t once[] = { SPEC_PCI_CAP_POWER_MANAGEMENT, SPEC_PCI_CAP_MSI,
					 SPEC_PCI_CAP_MSIX, SPEC_PCI_CAP_EXPRESS };

	for (unsigned i = 0; i < array_len(once); i++) {
		unsigned found = 0;

		for (unsigned k = 0; k < s->cap_count; k++)
			found += s->caps[k].id == once[i];
		if (found > 1)
			fail(j, "capability %02Xh is there %u times", once[i], found);
	}
	pass(j, "none twice");
}

static void caps_required(struct subject *s, struct judgement *j)
{
	if (!s->express)
		fail(j, "no PCI Express capability");
	else if (!s->pm && s->role != CONFORM_VF)
		fail(j, "no Power Management capability");
	else
		pass(j, "PCI Express at %02Xh, Power Management at %02Xh", s->express, s->pm);
}

static void caps_aligned(struct subject *s, struct judgement *j)
{
	if (s->caps_crooked)
		fail(j, "the pointer at %02Xh is %02Xh: its two low bits are reserved", s->caps_crooked,
		     get(s, s->caps_crooked, 1));
	else
		pass(j, "%u capabilities, each at a multiple of 4", s->cap_count);
}

/* Its length is in its third byte, so it has three. */
static void caps_vendor(struct subject *s, struct judgement *j)
{
	unsigned found = 0;

	for (unsigned i = 0; i < s->cap_count; i++) {
		if (s->caps[i].id != SPEC_PCI_CAP_VENDOR_SPECIFIC)
			continue;
		found++;
		if (cap_size(s, &s->caps[i]) < 3)
			fail(j, "the one at %02Xh says that it has %u bytes", s->caps[i].at,
			     cap_size(s, &s->caps[i]));
	}
	if (found)
		pass(j, "%u, each with its length", found);
	else
		not_applicable(j, "it has no vendor-specific capability");
}

static void caps_read_only(struct subject *s, struct judgement *j)
{
	for (unsigned i = 0; i < s->cap_count; i++)
		is_read_only(s, j, "a capability's header", s->caps[i].at, 2, 0xffff);
	is_read_only(s, j, "Capabilities Pointer", SPEC_PCI_CAP_POINTER, 1, 0xff);
}

static void exts_chain(struct subject *s, struct judgement *j)
{
	if (!s->exts_end)
		fail(j, "the chain %s", s->exts_broken);
	else if (s->ext_count)
		pass(j, "%u extended capabilities", s->ext_count);
	else
		pass(j, "there is none, and 100h reads %08Xh", get(s, SPEC_EXT_FIRST, 4));
}

static void exts_versions(struct subject *s, struct judgement *j)
{
	for (unsigned i = 0; i < s->ext_count; i++) {
		if (s->exts[i].id && s->exts[i].version == 0)
			fail(j, "extended capability %04Xh at %03Xh has version 0", s->exts[i].id,
			     s->exts[i].at);
	}
	if (s->ext_count)
		pass(j, "all have one");
	else
		not_applicable(j, "it has no extended capability");
}

static void exts_overlap(struct subject *s, struct judgement *j)
{
	for (unsigned i = 0; i < s->ext_count; i++) {
		unsigned at = s->exts[i].at, end = at + ext_size(&s->exts[i]);

		if (end > CONFORM_CONFIG_SIZE)
			fail(j, "extended capability %04Xh at %03Xh goes beyond FFFh",
			     s->exts[i].id, at);
		for (unsigned k = 0; k < s->ext_count; k++) {
			if (s->exts[k].at > at && s->exts[k].at < end)
				fail(j, "extended capability %04Xh at %03Xh lies in %04Xh at %03Xh",
				     s->exts[k].id, s->exts[k].at, s->exts[i].id, at);
		}
	}
	if (s->ext_count)
		pass(j, "%u extended capabilities lie apart", s->ext_count);
	else
		not_applicable(j, "it has no extended capability");
}

static void exts_aligned(struct subject *s, struct judgement *j)
{
	if (s->exts_crooked)
		fail(j, "the next of %03Xh is %03Xh: its two low bits are reserved", s->exts_crooked,
		     get(s, s->exts_crooked, 4) >> 20);
	else if (s->ext_count)
		pass(j, "%u extended capabilities, each at a multiple of 4", s->ext_count);
	else
		not_applicable(j, "it has no extended capability");
}

static void exts_once(struct subject *s, struct judgement *j)
{
	static const uint16_t once[] = { SPEC_EXT_CAP_AER, SPEC_EXT_CAP_SERIAL, SPEC_EXT_CAP_ACS,
					 SPEC_EXT_CAP_ARI, SPEC_EXT_CAP_ATS,	SPEC_EXT_CAP_SRIOV };

	for (unsigned i = 0; i < array_len(once); i++) {
		unsigned found = 0;

		for (unsigned k = 0; k < s->ext_count; k++)
			found += s->exts[k].id == once[i];
		if (found > 1)
			fail(j, "extended capability %04Xh is there %u times", once[i], found);
	}
	if (s->ext_count)
		pass(j, "none twice");
	else
		not_applicable(j, "it has no extended capability");
}

/* Virtual channels, SR-IOV and the sizes of VF BARs are the PF's. */
static void exts_of_vf(struct subject *s, struct judgement *j)
{
	enum { VIRTUAL_CHANNEL = 0x0002, VF_RESIZABLE_BAR = 0x0024 };

	if (s->role != CONFORM_VF) {
		not_applicable(j, "it is no VF");
		return;
	}
	for (unsigned i = 0; i < s->ext_count; i++) {
		uint16_t id = s->exts[i].id;

		if (id == SPEC_EXT_CAP_SRIOV || id == VIRTUAL_CHANNEL || id == VF_RESIZABLE_BAR)
			fail(j, "a VF has extended capability %04Xh, at %03Xh", id, s->exts[i].at);
	}
	pass(j, "it has none of the PF's");
}

static void exts_read_only(struct subject *s, struct judgement *j)
{
	for (unsigned i = 0; i < s->ext_count; i++)
		is_read_only(s, j, "an extended capability's header", s->exts[i].at, 4, UINT32_MAX);
	if (!s->ext_count)
		not_applicable(j, "it has no extended capability");
}

static const struct check rows[] = {
	{ { "caps.chain", "7.5.1.1.11", "The chain of capabilities begins at 40h or above and ends",
	    false },
	  caps_chain },
	{ { "caps.aligned", "7.5.1.1.11", "Pointers to capabilities are multiples of 4", false },
	  caps_aligned },
	{ { "caps.vendor", "7.9.4", "A vendor-specific capability has a length of 3 or more", false },
	  caps_vendor },
	{ { "caps.apart", "7.5.1.1.11", "Capabilities do not lie in each other", false },
	  caps_overlap },
	{ { "caps.once", "7.5.2, 7.5.3, 7.7.1, 7.7.2",
	    "Power Management, PCI Express, MSI and MSI-X are there once at most", false },
	  caps_once },
	{ { "caps.required", "7.5.2, 7.5.3",
	    "PCI Express is there, and Power Management but in a VF", false },
	  caps_required },
	{ { "caps.read-only", "7.5.1.1.11", "Headers of capabilities cannot be written", true },
	  caps_read_only },
	{ { "extcaps.chain", "7.6.2", "The chain of extended capabilities ends", false },
	  exts_chain },
	{ { "extcaps.aligned", "7.6.3", "Pointers to extended capabilities are multiples of 4", false },
	  exts_aligned },
	{ { "extcaps.once", "7.6.3, 7.8.4, 9.3.3",
	    "AER, serial number, ACS, ARI, ATS and SR-IOV are there once at most", false },
	  exts_once },
	{ { "extcaps.vf", "9.3.3, 9.3.7", "A VF has no capability that is for PFs alone", false },
	  exts_of_vf },
	{ { "extcaps.versions", "7.6.3", "Every extended capability has a version", false },
	  exts_versions },
	{ { "extcaps.apart", "7.6.2", "Extended capabilities do not lie in each other", false },
	  exts_overlap },
	{ { "extcaps.read-only", "7.6.3", "Headers of extended capabilities cannot be written",
	    true },
	  exts_read_only },
};

CHECKS(conform_chains, rows);
