/* What keeps functions apart and tells them from each other: ACS (7.7.8), ARI (7.8.7), ATS (10.5.1)
 * and the serial number (7.9.3). */
#include "conform/internal.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"
#include "spec/pcie_sriov.h"

enum {
	ACS_ALL = 0x7f, /* both registers have the same bits, but for the vector size */
	ACS_PORT_ONLY = 1 << 0 | 1 << 1 | 1 << 4, /* source validation, blocking, forwarding */
	ARI_GROUPS = 3, /* of the capability: what control bits 1:0 need */
	ARI_NEXT_SHIFT = 8,
	ARI_CONTROL_RESERVED = 0xff8c,
	ATS_CAPABILITY_RESERVED = 0xff00,
	ATS_DEPTH = 0x1f,
	ATS_UNIT = 0x1f,
	ATS_CONTROL_RESERVED = 0x7fe0,
};

static void acs(struct subject *s, struct judgement *j)
{
	uint32_t caps, control, changed;

	if (!s->acs) {
		not_applicable(j, "it has no Access Control Services");
		return;
	}
	caps = get(s, s->acs + SPEC_ACS_CAPABILITY, 2);
	if (s->role != CONFORM_PORT && caps & ACS_PORT_ONLY)
		fail(j, "ACS Capability is %04Xh: bits %Xh are of ports", caps,
		     caps & ACS_PORT_ONLY);
	control = get(s, s->acs + SPEC_ACS_CONTROL, 2);
	if (control & ~caps & ACS_ALL)
		fail(j, "ACS Control is %04Xh, and ACS Capability %04Xh", control, caps);
	else
		pass(j, "ACS Capability %04Xh, Control %04Xh", caps, control);
	changed = s->destructive ? flip(s, s->acs + SPEC_ACS_CONTROL, 2, ACS_ALL) : 0;
	if (changed & ~caps & ACS_ALL)
		fail(j, "bits %Xh of ACS Control can be written that it does not have",
		     changed & ~caps & ACS_ALL);
	else if (s->destructive && (caps & ~changed & ACS_ALL))
		fail(j, "bits %Xh of ACS Control cannot be written", caps & ~changed & ACS_ALL);
}

/* Whoever redirects requests redirects completions, too; 7.7.8.2. */
static void acs_redirect(struct subject *s, struct judgement *j)
{
	uint32_t caps;

	if (!s->acs) {
		not_applicable(j, "it has no Access Control Services");
		return;
	}
	caps = get(s, s->acs + SPEC_ACS_CAPABILITY, 2);
	if (caps & SPEC_ACS_REQUEST_REDIRECT && !(caps & SPEC_ACS_COMPLETION_REDIRECT))
		fail(j, "ACS Capability is %04Xh: it redirects requests and not completions", caps);
	else
		pass(j, "ACS Capability is %04Xh", caps);
}

static void acs_read_only(struct subject *s, struct judgement *j)
{
	if (s->acs)
		is_read_only(s, j, "ACS Capability", s->acs + SPEC_ACS_CAPABILITY, 2, 0xffff);
	else
		not_applicable(j, "it has no Access Control Services");
}

static void ari(struct subject *s, struct judgement *j)
{
	uint32_t caps, control;

	if (!s->ari) {
		not_applicable(j, "it has no ARI");
		return;
	}
	caps = get(s, s->ari + SPEC_ARI_CAPABILITY, 2);
	control = get(s, s->ari + SPEC_ARI_CONTROL, 2);
	is_read_only(s, j, "ARI Capability", s->ari + SPEC_ARI_CAPABILITY, 2, 0xffff);
	if (control & ~caps & ARI_GROUPS)
		fail(j, "ARI Control is %04Xh, and ARI Capability %04Xh", control, caps);
	reads_zero(s, j, "ARI Control", s->ari + SPEC_ARI_CONTROL, 2, ARI_CONTROL_RESERVED);
	pass(j, "the next function is %u", caps >> ARI_NEXT_SHIFT);
}

static void ari_next(struct subject *s, struct judgement *j)
{
	uint32_t next;

	if (!s->ari || s->role == CONFORM_VF) {
		not_applicable(j, s->ari ? "VFs are found by offset and stride" : "it has no ARI");
		return;
	}
	next = get(s, s->ari + SPEC_ARI_CAPABILITY, 2) >> ARI_NEXT_SHIFT;
	if (!s->target->tells_number)
		not_applicable(j, "it is not known which function of its device it is");
	else if (next && next <= s->target->number)
		fail(j, "the next function of function %u is %u", s->target->number, next);
	else
		pass(j, "function %u; %s%u", s->target->number, next ? "the next is " : "the last: ",
		     next);
}

static void ari_with_sriov(struct subject *s, struct judgement *j)
{
	if (s->role == CONFORM_PORT || (!s->sriov && s->role != CONFORM_VF))
		not_applicable(j, "it is no function of an SR-IOV device");
	else if (!s->ari && s->express &&
		 (get(s, s->express + SPEC_EXPRESS_CAPABILITIES, 2) >> 4 & 0xf) == 9)
		not_applicable(j, "integrated endpoints have none");
	else if (s->ari)
		pass(j, "ARI is at %03Xh", s->ari);
	else
		fail(j, "an SR-IOV device without ARI");
}

static void ats(struct subject *s, struct judgement *j)
{
	uint32_t control, changed;

	if (!s->ats) {
		not_applicable(j, "it has no ATS");
		return;
	}
	is_read_only(s, j, "ATS Capability", s->ats + SPEC_ATS_CAPABILITY, 2, 0xffff);
	reads_zero(s, j, "ATS Capability", s->ats + SPEC_ATS_CAPABILITY, 2,
		   ATS_CAPABILITY_RESERVED);
	reads_zero(s, j, "ATS Control", s->ats + SPEC_ATS_CONTROL, 2, ATS_CONTROL_RESERVED);
	control = get(s, s->ats + SPEC_ATS_CONTROL, 2);
	if (s->role == CONFORM_VF && control & ATS_UNIT)
		fail(j, "ATS Control of a VF is %04Xh; its smallest unit is the PF's", control);
	if (!s->destructive)
		return;
	changed = flip(s, s->ats + SPEC_ATS_CONTROL, 2, SPEC_ATS_ENABLE | ATS_UNIT);
	if (!(changed & SPEC_ATS_ENABLE))
		fail(j, "ATS Enable cannot be written");
	else if (s->role == CONFORM_VF && changed & ATS_UNIT)
		fail(j, "the smallest unit of a VF can be written");
	else if (s->role != CONFORM_VF && (changed & ATS_UNIT) != ATS_UNIT)
		fail(j, "the smallest unit cannot be written");
}

static void ats_of_vf(struct subject *s, struct judgement *j)
{
	uint32_t caps;

	if (!s->ats || s->role != CONFORM_VF) {
		not_applicable(j, s->ats ? "it is no VF" : "it has no ATS");
		return;
	}
	caps = get(s, s->ats + SPEC_ATS_CAPABILITY, 2);
	if (caps & ATS_DEPTH)
		fail(j, "Invalidate Queue Depth of a VF is %u; the queue is its PF's", caps & ATS_DEPTH);
	else
		pass(j, "ATS Capability is %04Xh", caps);
}

static void serial_same(struct subject *s, struct judgement *j)
{
	uint32_t own[2], pfs[2];
	struct subject pf;

	if (!s->serial || s->role != CONFORM_VF || !s->function) {
		not_applicable(j, s->serial ? "it is no VF whose PF can be seen"
					    : "it has no serial number");
		return;
	}
	subject_look(&pf, s->target, 0, CONFORM_GENTLE);
	if (!pf.serial) {
		fail(j, "a VF has a serial number, and its PF has none");
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		own[i] = get(s, s->serial + SPEC_SERIAL_LOW + i * 4, 4);
		pfs[i] = get(&pf, pf.serial + SPEC_SERIAL_LOW + i * 4, 4);
	}
	if (own[0] != pfs[0] || own[1] != pfs[1])
		fail(j, "%08X-%08X, and the PF says %08X-%08X", own[1], own[0], pfs[1], pfs[0]);
	else
		pass(j, "%08X-%08X, as the PF", own[1], own[0]);
}

static void serial(struct subject *s, struct judgement *j)
{
	uint32_t low, high;

	if (!s->serial) {
		not_applicable(j, "it has no serial number");
		return;
	}
	low = get(s, s->serial + SPEC_SERIAL_LOW, 4);
	high = get(s, s->serial + SPEC_SERIAL_HIGH, 4);
	if ((low == 0 && high == 0) || (low == UINT32_MAX && high == UINT32_MAX))
		fail(j, "%08X-%08X is no EUI-64", high, low);
	else
		pass(j, "%08X-%08X", high, low);
	is_read_only(s, j, "Serial Number, lower", s->serial + SPEC_SERIAL_LOW, 4, UINT32_MAX);
	is_read_only(s, j, "Serial Number, upper", s->serial + SPEC_SERIAL_HIGH, 4, UINT32_MAX);
}

static const struct check rows[] = {
	{ { "acs.control", "7.7.8.2, 7.7.8.3",
	    "ACS Control has the bits that ACS Capability has; some are of ports only", false },
	  acs },
	{ { "acs.redirect", "7.7.8.2", "What redirects requests redirects completions, too", false },
	  acs_redirect },
	{ { "acs.read-only", "7.7.8.2", "ACS Capability cannot be written", true }, acs_read_only },
	{ { "ari.registers", "7.8.7.2, 7.8.7.3",
	    "ARI Capability cannot be written, and ARI Control has what it says", false },
	  ari },
	{ { "ari.next", "7.8.7.2, 6.13", "Next Function Number is higher than its own, or 0", false },
	  ari_next },
	{ { "ari.with-sriov", "9.3.7.2", "Functions of an SR-IOV device have ARI", false },
	  ari_with_sriov },
	{ { "ats.registers", "10.5.1.2, 10.5.1.3, 9.3.7.8",
	    "ATS can be enabled, and has a smallest unit but in a VF", false },
	  ats },
	{ { "ats.vf", "10.5.1.2, 9.3.7.8", "Invalidate Queue Depth of a VF is 0", false }, ats_of_vf },
	{ { "serial.same", "7.9.3, 9.3.7", "A VF's serial number is that of its PF", false },
	  serial_same },
	{ { "serial.number", "7.9.3", "The serial number is one, and cannot be written", false },
	  serial },
};

CHECKS(conform_isolation, rows);
