/* Single Root I/O Virtualization: 9.2 and 9.3.3. */
#include "conform/internal.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"
#include "spec/pcie_sriov.h"

enum {
	VF_ENABLE_MS = 1000, /* 9.3.3.3.1: VFs answer after that */
	CONTROL_RESERVED = 0xffc0,
	CAPS_MIGRATION = 1 << 0,
	STATUS_RESERVED = 0xfffe,
	PAGE_4K = 1,
};

static uint32_t reg(struct subject *s, unsigned offset, unsigned size)
{
	return get(s, s->sriov + offset, size);
}

static void set(struct subject *s, unsigned offset, unsigned size, uint32_t value)
{
	put(s, s->sriov + offset, size, value);
}

static bool skip(struct subject *s, struct judgement *j)
{
	if (!s->sriov)
		not_applicable(j, "it is no physical function of an SR-IOV device");
	return !s->sriov;
}

static uint32_t total(struct subject *s)
{
	return reg(s, SPEC_SRIOV_TOTAL_VFS, 2);
}

static bool enabled(struct subject *s)
{
	return reg(s, SPEC_SRIOV_CONTROL, 2) & SPEC_SRIOV_VF_ENABLE;
}

static bool vf_answers(struct subject *s, unsigned vf)
{
	return get_of(s, vf, SPEC_PCI_HEADER_TYPE, 1) != 0xff;
}

static void disable(struct subject *s)
{
	set(s, SPEC_SRIOV_CONTROL, 2,
	    reg(s, SPEC_SRIOV_CONTROL, 2) &
		    ~(uint32_t)(SPEC_SRIOV_VF_ENABLE | SPEC_SRIOV_VF_MEMORY));
}

/* Enables 'count' VFs; whether all of them answer within the time that they have. */
static bool enable(struct subject *s, unsigned count)
{
	bool all = false;

	disable(s);
	set(s, SPEC_SRIOV_NUM_VFS, 2, count);
	set(s, SPEC_SRIOV_CONTROL, 2, reg(s, SPEC_SRIOV_CONTROL, 2) | SPEC_SRIOV_VF_ENABLE);
	for (unsigned ms = 0; ms <= VF_ENABLE_MS && !all && !s->error; ms += 10) {
		all = !s->target->reaches_vfs || (vf_answers(s, 1) && vf_answers(s, count));
		if (!all)
			pause_ms(s, 10);
	}
	return all;
}

/* Assertions that enable VFs leave them as they were: off, with NumVFs as found. */
static bool can_enable(struct subject *s, struct judgement *j, unsigned count)
{
	if (skip(s, j))
		return false;
	if (total(s) < count)
		not_applicable(j, "it has %u VFs; this needs %u", total(s), count);
	else if (enabled(s))
		not_applicable(j, "its VFs are enabled, and somebody may use them");
	else if (s->target->keeps_vf_enable)
		not_applicable(j, "VF Enable is kept by what stands between");
	else
		return true;
	return false;
}

static bool can_reach(struct subject *s, struct judgement *j, unsigned count)
{
	if (!can_enable(s, j, count))
		return false;
	if (!s->target->reaches_vfs)
		not_applicable(j, "its VFs cannot be reached from there");
	return s->target->reaches_vfs;
}

static void totals(struct subject *s, struct judgement *j)
{
	uint32_t initial, all;

	if (skip(s, j))
		return;
	initial = reg(s, SPEC_SRIOV_INITIAL_VFS, 2);
	all = total(s);
	if (initial > all)
		fail(j, "InitialVFs is %u, and TotalVFs %u", initial, all);
	else if (!(reg(s, SPEC_SRIOV_CAPABILITIES, 4) & CAPS_MIGRATION) && initial != all)
		fail(j, "InitialVFs is %u, TotalVFs %u; without VF migration they are equal",
		     initial, all);
	else
		pass(j, "%u VFs", all);
	is_read_only(s, j, "InitialVFs", s->sriov + SPEC_SRIOV_INITIAL_VFS, 2, 0xffff);
	is_read_only(s, j, "TotalVFs", s->sriov + SPEC_SRIOV_TOTAL_VFS, 2, 0xffff);
}

static void reserved(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return;
	reads_zero(s, j, "SR-IOV Control", s->sriov + SPEC_SRIOV_CONTROL, 2, CONTROL_RESERVED);
	reads_zero(s, j, "SR-IOV Status", s->sriov + SPEC_SRIOV_STATUS, 2, STATUS_RESERVED);
	if (!(reg(s, SPEC_SRIOV_CAPABILITIES, 4) & CAPS_MIGRATION))
		reads_zero(s, j, "VF Migration State Array Offset", s->sriov + SPEC_SRIOV_MIGRATION,
			   4, UINT32_MAX);
}

static void device_id(struct subject *s, struct judgement *j)
{
	uint32_t id;

	if (skip(s, j))
		return;
	id = reg(s, SPEC_SRIOV_VF_DEVICE_ID, 2);
	if (id == 0xffff || id == 0)
		fail(j, "VF Device ID is %04Xh", id);
	else
		pass(j, "VF Device ID is %04Xh", id);
	is_read_only(s, j, "VF Device ID", s->sriov + SPEC_SRIOV_VF_DEVICE_ID, 2, 0xffff);
}

static void num_vfs(struct subject *s, struct judgement *j)
{
	uint32_t before, got;

	if (!can_enable(s, j, 1))
		return;
	before = reg(s, SPEC_SRIOV_NUM_VFS, 2);
	set(s, SPEC_SRIOV_NUM_VFS, 2, total(s));
	got = reg(s, SPEC_SRIOV_NUM_VFS, 2);
	set(s, SPEC_SRIOV_NUM_VFS, 2, before);
	if (got == total(s))
		pass(j, "NumVFs takes %u", got);
	else
		fail(j, "NumVFs is %u after %u was written", got, total(s));
}

static void places(struct subject *s, struct judgement *j)
{
	uint32_t before, offset, stride;

	if (skip(s, j))
		return;
	is_read_only(s, j, "First VF Offset", s->sriov + SPEC_SRIOV_FIRST_VF_OFFSET, 2, 0xffff);
	is_read_only(s, j, "VF Stride", s->sriov + SPEC_SRIOV_VF_STRIDE, 2, 0xffff);
	before = reg(s, SPEC_SRIOV_NUM_VFS, 2);
	if (s->destructive && !enabled(s) && !s->target->keeps_vf_enable)
		set(s, SPEC_SRIOV_NUM_VFS, 2, total(s));
	offset = reg(s, SPEC_SRIOV_FIRST_VF_OFFSET, 2);
	stride = reg(s, SPEC_SRIOV_VF_STRIDE, 2);

	uint32_t count = reg(s, SPEC_SRIOV_NUM_VFS, 2);
	uint32_t last = offset + (count ? count - 1 : 0) * stride;

	if (s->destructive && !enabled(s) && !s->target->keeps_vf_enable)
		set(s, SPEC_SRIOV_NUM_VFS, 2, before);
	if (count && offset == 0)
		fail(j, "First VF Offset is 0: VF1 is the PF");
	else if (count > 1 && stride == 0)
		fail(j, "VF Stride is 0 with %u VFs: all are VF1", count);
	else if (last > 0xffff)
		fail(j, "VF%u would be %Xh routing IDs behind its PF", count, last);
	else
		pass(j, "%u VFs: the first %u routing IDs behind the PF, then every %u", count,
		     offset, stride);
}

static void pages(struct subject *s, struct judgement *j)
{
	uint32_t supported, page;

	if (skip(s, j))
		return;
	supported = reg(s, SPEC_SRIOV_SUPPORTED_PAGES, 4);
	page = reg(s, SPEC_SRIOV_SYSTEM_PAGE, 4);
	if ((supported & SPEC_SRIOV_REQUIRED_PAGES) != SPEC_SRIOV_REQUIRED_PAGES)
		fail(j, "Supported Page Sizes is %08Xh; %Xh are required", supported,
		     SPEC_SRIOV_REQUIRED_PAGES);
	else if (!is_power_of_two(page) || !(page & supported))
		fail(j, "System Page Size is %08Xh, and supported are %08Xh", page, supported);
	else
		pass(j, "System Page Size is %08Xh of %08Xh", page, supported);
	is_read_only(s, j, "Supported Page Sizes", s->sriov + SPEC_SRIOV_SUPPORTED_PAGES, 4,
		     UINT32_MAX);
}

static void page_written(struct subject *s, struct judgement *j)
{
	uint32_t before, supported, got;

	if (!can_enable(s, j, 1))
		return;
	before = reg(s, SPEC_SRIOV_SYSTEM_PAGE, 4);
	supported = reg(s, SPEC_SRIOV_SUPPORTED_PAGES, 4);
	for (uint32_t page = PAGE_4K; page && page <= supported; page <<= 1) {
		if (!(page & supported))
			continue;
		set(s, SPEC_SRIOV_SYSTEM_PAGE, 4, page);
		got = reg(s, SPEC_SRIOV_SYSTEM_PAGE, 4);
		if (got != page)
			fail(j,
			     "System Page Size is %08Xh after %08Xh, which is supported, was "
			     "written",
			     got, page);
	}
	set(s, SPEC_SRIOV_SYSTEM_PAGE, 4, before);
	pass(j, "every supported size can be chosen");
}

/* 9.3.3.14: a VF BAR is of whole system pages. */
static void vf_bars(struct subject *s, struct judgement *j)
{
	uint64_t page;
	unsigned there = 0;

	if (!can_enable(s, j, 1))
		return;
	page = (uint64_t)reg(s, SPEC_SRIOV_SYSTEM_PAGE, 4) << 12;
	for (unsigned bar = 0; bar < SPEC_PCI_BARS; bar++) {
		unsigned at = SPEC_SRIOV_VF_BAR0 + bar * 4;
		uint32_t low = reg(s, at, 4);
		bool wide = (low & 6) == SPEC_PCI_BAR_64_BIT && bar + 1 < SPEC_PCI_BARS;
		uint64_t mask, size;

		if (low & 1)
			fail(j, "VF BAR %u is for I/O space, which VFs do not have", bar);
		set(s, at, 4, UINT32_MAX);
		mask = reg(s, at, 4) & ~(uint32_t)SPEC_PCI_BAR_FLAGS;
		set(s, at, 4, low);
		if (wide) {
			uint32_t high = reg(s, at + 4, 4);

			set(s, at + 4, 4, UINT32_MAX);
			mask |= (uint64_t)reg(s, at + 4, 4) << 32;
			set(s, at + 4, 4, high);
			bar++;
		} else if (mask) {
			mask |= UINT64_MAX << 32;
		}
		size = mask & -mask;
		if (!mask)
			continue;
		there++;
		if (mask != -size)
			fail(j, "VF BAR at %02Xh keeps %016llXh of ones: no power of two", at,
			     (unsigned long long)mask);
		else if (size < page)
			fail(j, "VF BAR at %02Xh is %llu bytes a VF, less than a system page", at,
			     (unsigned long long)size);
	}
	pass(j, "%u VF BARs of whole system pages", there);
}

static void appear(struct subject *s, struct judgement *j)
{
	unsigned count;
	bool all;

	if (!can_reach(s, j, 1))
		return;
	count = total(s);
	all = enable(s, count);
	if (!all)
		fail(j, "not all of %u VFs answer %u ms after VF Enable", count, VF_ENABLE_MS);
	else if (get_of(s, 1, SPEC_PCI_VENDOR_ID, 4) != UINT32_MAX)
		fail(j, "VF1 says %08Xh for Vendor and Device ID; it is FFFFFFFFh",
		     get_of(s, 1, SPEC_PCI_VENDOR_ID, 4));
	disable(s);
	pass(j, "%u VFs answer", count);
}

static void vanish(struct subject *s, struct judgement *j)
{
	if (!can_reach(s, j, 1))
		return;
	enable(s, 1);
	disable(s);
	if (vf_answers(s, 1))
		fail(j, "VF1 still answers after VF Enable was cleared");
	else
		pass(j, "VF1 is gone with VF Enable");
}

static void locked(struct subject *s, struct judgement *j)
{
	uint32_t got;

	if (!can_enable(s, j, 2))
		return;
	enable(s, 1);
	set(s, SPEC_SRIOV_NUM_VFS, 2, 2);
	got = reg(s, SPEC_SRIOV_NUM_VFS, 2);
	disable(s);
	set(s, SPEC_SRIOV_NUM_VFS, 2, 0);
	if (got == 1)
		pass(j, "NumVFs stays 1 while VFs are enabled");
	else
		fail(j, "NumVFs became %u while VFs were enabled", got);
}

static void vf_reset(struct subject *s, struct judgement *j)
{
	uint64_t took;
	uint32_t one, two;

	if (!can_reach(s, j, 2) || !s->express)
		return;
	enable(s, 2);
	put_of(s, 1, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MASTER);
	put_of(s, 2, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MASTER);

	struct subject vf;

	subject_look(&vf, s->target, 1, CONFORM_DESTRUCTIVE);
	if (!vf.express) {
		disable(s);
		fail(j, "VF1 has no PCI Express capability, so it cannot be reset");
		return;
	}
	flr(&vf, 1, &took);
	one = get_of(s, 1, SPEC_PCI_COMMAND, 2);
	two = get_of(s, 2, SPEC_PCI_COMMAND, 2);
	if (one & SPEC_PCI_COMMAND_MASTER)
		fail(j, "VF1 is a bus master after its reset: Command %04Xh", one);
	else if (!(two & SPEC_PCI_COMMAND_MASTER))
		fail(j, "a reset of VF1 reset VF2");
	else if (!enabled(s))
		fail(j, "a reset of VF1 cleared VF Enable");
	else
		pass(j, "VF1 is reset; VF2 and the PF are not");
	disable(s);
}

static void pf_reset(struct subject *s, struct judgement *j)
{
	uint64_t took;

	if (!can_enable(s, j, 1) || !s->express)
		return;
	if (!(get(s, s->express + SPEC_EXPRESS_DEVICE_CAPABILITIES, 4) & UINT32_C(1) << 28)) {
		not_applicable(j, "it cannot be reset alone");
		return;
	}
	enable(s, 1);
	if (!flr(s, s->function, &took))
		fail(j, "it does not come back");
	else if (enabled(s))
		fail(j, "VF Enable is still set after a reset of the PF");
	else if (s->target->reaches_vfs && vf_answers(s, 1))
		fail(j, "VF1 still answers after a reset of the PF");
	else
		pass(j, "a reset of the PF takes its VFs away");
	disable(s);
}

static void controls(struct subject *s, struct judgement *j)
{
	uint32_t bits = SPEC_SRIOV_VF_MEMORY | SPEC_SRIOV_ARI_HIERARCHY, changed;

	if (!can_enable(s, j, 1))
		return;
	changed = flip(s, s->sriov + SPEC_SRIOV_CONTROL, 2, bits);
	if ((changed & bits) == bits)
		pass(j, "VF MSE and ARI Capable Hierarchy take what is written");
	else
		fail(j, "bits %02Xh of SR-IOV Control cannot be written", bits & ~changed);
}

static const struct check rows[] = {
	{ { "sriov.totals", "9.3.3.5, 9.3.3.6", "InitialVFs and TotalVFs agree, and are read-only",
	    false },
	  totals },
	{ { "sriov.reserved", "9.3.3.3, 9.3.3.4, 9.3.3.15", "Reserved bits are 0", false },
	  reserved },
	{ { "sriov.device-id", "9.3.3.11", "VF Device ID is one", false }, device_id },
	{ { "sriov.places", "9.3.3.9, 9.3.3.10, 9.2.1.2",
	    "First VF Offset and VF Stride lead to routing IDs of their own", false },
	  places },
	{ { "sriov.page-sizes", "9.3.3.12, 9.3.3.13",
	    "The required page sizes are supported, and one supported is chosen", false },
	  pages },
	{ { "sriov.num-vfs", "9.3.3.7", "NumVFs takes any number up to TotalVFs", true }, num_vfs },
	{ { "sriov.page-chosen", "9.3.3.13", "Every supported page size can be chosen", true },
	  page_written },
	{ { "sriov.vf-bars", "9.3.3.14, 9.2.1.1.1",
	    "VF BARs are memory of a power of two, of whole system pages", true },
	  vf_bars },
	{ { "sriov.controls", "9.3.3.3", "VF MSE and ARI Capable Hierarchy can be written", true },
	  controls },
	{ { "sriov.appear", "9.3.3.3.1", "All VFs answer one second after VF Enable", true },
	  appear },
	{ { "sriov.vanish", "9.3.3.3.1", "VFs are gone when VF Enable is cleared", true }, vanish },
	{ { "sriov.num-vfs-locked", "9.3.3.7", "NumVFs does not change while VFs are enabled",
	    true },
	  locked },
	{ { "sriov.vf-reset", "9.3.5.4, 6.6.2", "A reset of a VF reaches that VF alone", true },
	  vf_reset },
	{ { "sriov.pf-reset", "9.2.2.3", "A reset of the PF takes its VFs away", true }, pf_reset },
};

CHECKS(conform_sriov, rows);
