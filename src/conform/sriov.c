/* Single Root I/O Virtualization: 9.2 and 9.3.3. */
#include "conform/internal.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"
#include "spec/pcie_sriov.h"

enum {
	CONTROL_RESERVED = 0xffc0,
	CAPS_MIGRATION = 1 << 0,
	CAPS_RESERVED = 0x1ffff8, /* bits 20:3 */
	CONTROL_MIGRATION = 1 << 1 | 1 << 2, /* and its interrupt */
	STATUS_RESERVED = 0xfffe,
	PAGE_4K = 1,
};

uint32_t sriov_get(struct subject *s, unsigned offset, unsigned size)
{
	return get(s, s->sriov + offset, size);
}

void sriov_put(struct subject *s, unsigned offset, unsigned size, uint32_t value)
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
	return sriov_get(s, SPEC_SRIOV_TOTAL_VFS, 2);
}

bool sriov_enabled(struct subject *s)
{
	return sriov_get(s, SPEC_SRIOV_CONTROL, 2) & SPEC_SRIOV_VF_ENABLE;
}

bool sriov_vf_answers(struct subject *s, unsigned vf)
{
	return get_of(s, vf, SPEC_PCI_HEADER_TYPE, 1) != 0xff;
}

void sriov_disable(struct subject *s)
{
	sriov_put(s, SPEC_SRIOV_CONTROL, 2,
	    sriov_get(s, SPEC_SRIOV_CONTROL, 2) &
		    ~(uint32_t)(SPEC_SRIOV_VF_ENABLE | SPEC_SRIOV_VF_MEMORY));
}

/* Enables 'count' VFs; whether all of them answer within the time that they have. */
bool sriov_enable(struct subject *s, unsigned count)
{
	bool all = false;

	sriov_disable(s);
	sriov_put(s, SPEC_SRIOV_NUM_VFS, 2, count);
	sriov_put(s, SPEC_SRIOV_CONTROL, 2, sriov_get(s, SPEC_SRIOV_CONTROL, 2) | SPEC_SRIOV_VF_ENABLE);
	for (unsigned ms = 0; ms <= CONFORM_VF_ENABLE_MS && !all && !s->error; ms += 10) {
		all = !s->target->reaches_vfs || (sriov_vf_answers(s, 1) && sriov_vf_answers(s, count));
		if (!all)
			pause_ms(s, 10);
	}
	return all;
}

/* Assertions that enable VFs leave them as they were: off, with NumVFs as found. */
bool sriov_can_enable(struct subject *s, struct judgement *j, unsigned count)
{
	if (skip(s, j))
		return false;
	if (total(s) < count)
		not_applicable(j, "it has %u VFs; this needs %u", total(s), count);
	else if (sriov_enabled(s))
		not_applicable(j, "its VFs are enabled, and somebody may use them");
	else if (s->target->keeps_vf_enable)
		not_applicable(j, "VF Enable is kept by what stands between");
	else
		return true;
	return false;
}

bool sriov_can_reach(struct subject *s, struct judgement *j, unsigned count)
{
	if (!sriov_can_enable(s, j, count))
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
	initial = sriov_get(s, SPEC_SRIOV_INITIAL_VFS, 2);
	all = total(s);
	if (initial > all)
		fail(j, "InitialVFs is %u, and TotalVFs %u", initial, all);
	else if (!(sriov_get(s, SPEC_SRIOV_CAPABILITIES, 4) & CAPS_MIGRATION) && initial != all)
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
	if (!(sriov_get(s, SPEC_SRIOV_CAPABILITIES, 4) & CAPS_MIGRATION))
		reads_zero(s, j, "VF Migration State Array Offset", s->sriov + SPEC_SRIOV_MIGRATION,
			   4, UINT32_MAX);
}

static void device_id(struct subject *s, struct judgement *j)
{
	uint32_t id;

	if (skip(s, j))
		return;
	id = sriov_get(s, SPEC_SRIOV_VF_DEVICE_ID, 2);
	if (id == 0xffff || id == 0)
		fail(j, "VF Device ID is %04Xh", id);
	else
		pass(j, "VF Device ID is %04Xh", id);
	is_read_only(s, j, "VF Device ID", s->sriov + SPEC_SRIOV_VF_DEVICE_ID, 2, 0xffff);
}

static void num_vfs(struct subject *s, struct judgement *j)
{
	uint32_t before, got;

	if (!sriov_can_enable(s, j, 1))
		return;
	before = sriov_get(s, SPEC_SRIOV_NUM_VFS, 2);
	sriov_put(s, SPEC_SRIOV_NUM_VFS, 2, total(s));
	got = sriov_get(s, SPEC_SRIOV_NUM_VFS, 2);
	sriov_put(s, SPEC_SRIOV_NUM_VFS, 2, before);
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
	before = sriov_get(s, SPEC_SRIOV_NUM_VFS, 2);
	if (s->destructive && !sriov_enabled(s) && !s->target->keeps_vf_enable)
		sriov_put(s, SPEC_SRIOV_NUM_VFS, 2, total(s));
	offset = sriov_get(s, SPEC_SRIOV_FIRST_VF_OFFSET, 2);
	stride = sriov_get(s, SPEC_SRIOV_VF_STRIDE, 2);

	uint32_t count = sriov_get(s, SPEC_SRIOV_NUM_VFS, 2);
	uint32_t last = offset + (count ? count - 1 : 0) * stride;

	if (s->destructive && !sriov_enabled(s) && !s->target->keeps_vf_enable)
		sriov_put(s, SPEC_SRIOV_NUM_VFS, 2, before);
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
	supported = sriov_get(s, SPEC_SRIOV_SUPPORTED_PAGES, 4);
	page = sriov_get(s, SPEC_SRIOV_SYSTEM_PAGE, 4);
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

	if (!sriov_can_enable(s, j, 1))
		return;
	before = sriov_get(s, SPEC_SRIOV_SYSTEM_PAGE, 4);
	supported = sriov_get(s, SPEC_SRIOV_SUPPORTED_PAGES, 4);
	for (uint32_t page = PAGE_4K; page && page <= supported; page <<= 1) {
		if (!(page & supported))
			continue;
		sriov_put(s, SPEC_SRIOV_SYSTEM_PAGE, 4, page);
		got = sriov_get(s, SPEC_SRIOV_SYSTEM_PAGE, 4);
		if (got != page)
			fail(j,
			     "System Page Size is %08Xh after %08Xh, which is supported, was "
			     "written",
			     got, page);
	}
	sriov_put(s, SPEC_SRIOV_SYSTEM_PAGE, 4, before);
	pass(j, "every supported size can be chosen");
}

/* The address bits of a VF BAR that stay when ones are written, 0 when none does. */
static uint64_t vf_bar_sized(struct subject *s, unsigned bar)
{
	unsigned at = SPEC_SRIOV_VF_BAR0 + bar * 4;
	uint32_t low = sriov_get(s, at, 4), high;
	uint64_t mask;

	sriov_put(s, at, 4, UINT32_MAX);
	mask = sriov_get(s, at, 4) & ~(uint32_t)SPEC_PCI_BAR_FLAGS;
	sriov_put(s, at, 4, low);
	if ((low & 6) != SPEC_PCI_BAR_64_BIT || bar + 1 == SPEC_PCI_BARS)
		return mask ? mask | UINT64_MAX << 32 : 0;
	high = sriov_get(s, at + 4, 4);
	sriov_put(s, at + 4, 4, UINT32_MAX);
	mask |= (uint64_t)sriov_get(s, at + 4, 4) << 32;
	sriov_put(s, at + 4, 4, high);
	return mask;
}

/* Whether a VF BAR is the upper half of the one before. */
static bool vf_bar_is_upper(struct subject *s, unsigned bar)
{
	bool upper = false;

	for (unsigned i = 0; i < bar; i++)
		upper = !upper && (sriov_get(s, SPEC_SRIOV_VF_BAR0 + i * 4, 4) & 6) == SPEC_PCI_BAR_64_BIT;
	return upper;
}

uint64_t vf_bar_size(struct subject *s, unsigned bar)
{
	uint64_t mask = vf_bar_is_upper(s, bar) ? 0 : vf_bar_sized(s, bar);

	return mask & -mask;
}

/* 9.3.3.14: a VF BAR is of whole system pages. */
static void vf_bars(struct subject *s, struct judgement *j)
{
	uint64_t page;
	unsigned there = 0;

	if (!sriov_can_enable(s, j, 1))
		return;
	page = (uint64_t)sriov_get(s, SPEC_SRIOV_SYSTEM_PAGE, 4) << 12;
	for (unsigned bar = 0; bar < SPEC_PCI_BARS; bar++) {
		uint64_t mask = vf_bar_is_upper(s, bar) ? 0 : vf_bar_sized(s, bar), size = mask & -mask;

		if (!mask)
			continue;
		there++;
		if (mask != -size)
			fail(j, "VF BAR %u keeps %016llXh of ones: no power of two", bar,
			     (unsigned long long)mask);
		else if (size < page)
			fail(j, "VF BAR %u is %llu bytes a VF, less than a system page", bar,
			     (unsigned long long)size);
	}
	pass(j, "%u VF BARs of whole system pages", there);
}

static void vf_bar_types(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return;
	for (unsigned bar = 0; bar < SPEC_PCI_BARS; bar++) {
		unsigned at = s->sriov + SPEC_SRIOV_VF_BAR0 + bar * 4;
		uint32_t low = get(s, at, 4), type = low >> 1 & 3;

		if (vf_bar_is_upper(s, bar))
			continue;
		if (low & 1)
			fail(j, "VF BAR %u is for I/O space, which VFs do not have", bar);
		else if (type != 0 && type != 2)
			fail(j, "VF BAR %u is %08Xh: type %u is reserved", bar, low, type);
		else if (type == 2 && bar + 1 == SPEC_PCI_BARS)
			fail(j, "VF BAR %u is %08Xh: 64 bits, and there is no upper half", bar, low);
		else if (s->destructive && !sriov_enabled(s) &&
			 flip(s, at, 4, SPEC_PCI_BAR_FLAGS) & SPEC_PCI_BAR_FLAGS)
			fail(j, "the low bits of VF BAR %u (%Xh) can be written", bar,
			     low & SPEC_PCI_BAR_FLAGS);
	}
	pass(j, "VF BARs are memory of defined types");
}

static void capabilities(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return;
	reads_zero(s, j, "SR-IOV Capabilities", s->sriov + SPEC_SRIOV_CAPABILITIES, 4, CAPS_RESERVED);
	is_read_only(s, j, "SR-IOV Capabilities", s->sriov + SPEC_SRIOV_CAPABILITIES, 4, UINT32_MAX);
}

static void migration(struct subject *s, struct judgement *j)
{
	uint32_t changed;

	if (!sriov_can_enable(s, j, 1))
		return;
	if (sriov_get(s, SPEC_SRIOV_CAPABILITIES, 4) & CAPS_MIGRATION) {
		not_applicable(j, "it has VF migration");
		return;
	}
	changed = flip(s, s->sriov + SPEC_SRIOV_CONTROL, 2, CONTROL_MIGRATION) & CONTROL_MIGRATION;
	if (changed)
		fail(j, "bits %Xh of SR-IOV Control can be written, and it has no VF migration", changed);
	else
		pass(j, "it has no VF migration, and none can be enabled");
}

static void dependency(struct subject *s, struct judgement *j)
{
	uint32_t link;

	if (skip(s, j))
		return;
	link = sriov_get(s, SPEC_SRIOV_DEPENDENCY_LINK, 1);
	is_read_only(s, j, "Function Dependency Link", s->sriov + SPEC_SRIOV_DEPENDENCY_LINK, 1, 0xff);
	reads_zero(s, j, "the byte after it", s->sriov + SPEC_SRIOV_DEPENDENCY_LINK + 1, 1, 0xff);
	pass(j, "Function Dependency Link is %u", link);
}

/* 9.3.3.3.5: both may depend on it. */
static void places_by_ari(struct subject *s, struct judgement *j)
{
	uint32_t control, num;

	if (!sriov_can_enable(s, j, 1))
		return;
	control = sriov_get(s, SPEC_SRIOV_CONTROL, 2);
	num = sriov_get(s, SPEC_SRIOV_NUM_VFS, 2);
	for (unsigned ari = 0; ari <= 1; ari++) {
		uint32_t offset, stride, last;

		sriov_put(s, SPEC_SRIOV_CONTROL, 2, ari ? control | SPEC_SRIOV_ARI_HIERARCHY
						: control & ~(uint32_t)SPEC_SRIOV_ARI_HIERARCHY);
		sriov_put(s, SPEC_SRIOV_NUM_VFS, 2, total(s));
		offset = sriov_get(s, SPEC_SRIOV_FIRST_VF_OFFSET, 2);
		stride = sriov_get(s, SPEC_SRIOV_VF_STRIDE, 2);
		last = offset + (total(s) - 1) * stride;
		if (offset == 0 || (stride == 0 && total(s) > 1) || last > 0xffff)
			fail(j, "ARI Capable Hierarchy %u: offset %u, stride %u for %u VFs", ari, offset,
			     stride, total(s));
		else
			pass(j, "offset %u, stride %u in an ARI Capable Hierarchy", offset, stride);
	}
	sriov_put(s, SPEC_SRIOV_CONTROL, 2, control);
	sriov_put(s, SPEC_SRIOV_NUM_VFS, 2, num);
}

static void defaults(struct subject *s, struct judgement *j)
{
	uint32_t control, num, page;
	uint64_t took;

	if (!sriov_can_enable(s, j, 1) || !can_flr(s, j))
		return;
	sriov_put(s, SPEC_SRIOV_CONTROL, 2, sriov_get(s, SPEC_SRIOV_CONTROL, 2) | SPEC_SRIOV_VF_MEMORY);
	sriov_put(s, SPEC_SRIOV_NUM_VFS, 2, 1);
	if (!flr(s, s->function, &took))
		fail(j, "it does not come back");
	control = sriov_get(s, SPEC_SRIOV_CONTROL, 2);
	num = sriov_get(s, SPEC_SRIOV_NUM_VFS, 2);
	page = sriov_get(s, SPEC_SRIOV_SYSTEM_PAGE, 4);
	if (control & (SPEC_SRIOV_VF_ENABLE | SPEC_SRIOV_VF_MEMORY))
		fail(j, "SR-IOV Control is %04Xh after a reset", control);
	else if (num)
		fail(j, "NumVFs is %u after a reset", num);
	else if (page != PAGE_4K)
		fail(j, "System Page Size is %08Xh after a reset", page);
	else
		pass(j, "SR-IOV Control is %04Xh after a reset, NumVFs 0, pages of 4 KiB", control);
}

static void controls(struct subject *s, struct judgement *j)
{
	uint32_t bits = SPEC_SRIOV_VF_MEMORY | SPEC_SRIOV_ARI_HIERARCHY, changed;

	if (!sriov_can_enable(s, j, 1))
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
	{ { "sriov.capabilities", "9.3.3.2",
	    "SR-IOV Capabilities cannot be written, and its reserved bits are 0", false },
	  capabilities },
	{ { "sriov.migration", "9.3.3.3.2, 9.3.3.3.3",
	    "VF migration can be enabled only where it is there", true },
	  migration },
	{ { "sriov.dependency", "9.3.3.8", "Function Dependency Link cannot be written", false },
	  dependency },
	{ { "sriov.ari-places", "9.3.3.3.5, 9.3.3.9, 9.3.3.10",
	    "VFs have routing IDs of their own with and without ARI", true },
	  places_by_ari },
	{ { "sriov.defaults", "9.2.2.3, 9.3.3.3, 9.3.3.7, 9.3.3.13",
	    "After a reset there are no VFs, and pages of 4 KiB", true },
	  defaults },
	{ { "sriov.vf-bar-types", "9.3.3.14", "VF BARs are memory of defined types", false },
	  vf_bar_types },
	{ { "sriov.vf-bars", "9.3.3.14, 9.2.1.1.1",
	    "VF BARs are memory of a power of two, of whole system pages", true },
	  vf_bars },
	{ { "sriov.controls", "9.3.3.3", "VF MSE and ARI Capable Hierarchy can be written", true },
	  controls },
};

CHECKS(conform_sriov, rows);
