/* VFs as they come, live and go: 9.2 and 9.3.3; and what they have in common with their PF: 9.3.4. */
#include "conform/internal.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"
#include "spec/pcie_sriov.h"

static void appear(struct subject *s, struct judgement *j)
{
	unsigned count;
	bool all;

	if (!sriov_can_reach(s, j, 1))
		return;
	count = sriov_get(s, SPEC_SRIOV_TOTAL_VFS, 2);
	all = sriov_enable(s, count);
	if (!all)
		fail(j, "not all of %u VFs answer %u ms after VF Enable", count, CONFORM_VF_ENABLE_MS);
	else if (get_of(s, 1, SPEC_PCI_VENDOR_ID, 4) != UINT32_MAX)
		fail(j, "VF1 says %08Xh for Vendor and Device ID; it is FFFFFFFFh",
		     get_of(s, 1, SPEC_PCI_VENDOR_ID, 4));
	sriov_disable(s);
	pass(j, "%u VFs answer", count);
}

static void vanish(struct subject *s, struct judgement *j)
{
	if (!sriov_can_reach(s, j, 1))
		return;
	sriov_enable(s, 1);
	sriov_disable(s);
	if (sriov_vf_answers(s, 1))
		fail(j, "VF1 still answers after VF Enable was cleared");
	else
		pass(j, "VF1 is gone with VF Enable");
}

static void locked(struct subject *s, struct judgement *j)
{
	uint32_t got;

	if (!sriov_can_enable(s, j, 2))
		return;
	sriov_enable(s, 1);
	sriov_put(s, SPEC_SRIOV_NUM_VFS, 2, 2);
	got = sriov_get(s, SPEC_SRIOV_NUM_VFS, 2);
	sriov_disable(s);
	sriov_put(s, SPEC_SRIOV_NUM_VFS, 2, 0);
	if (got == 1)
		pass(j, "NumVFs stays 1 while VFs are enabled");
	else
		fail(j, "NumVFs became %u while VFs were enabled", got);
}

static void vf_reset(struct subject *s, struct judgement *j)
{
	uint64_t took;
	uint32_t one, two;

	if (!sriov_can_reach(s, j, 2) || !s->express)
		return;
	sriov_enable(s, 2);
	put_of(s, 1, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MASTER);
	put_of(s, 2, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MASTER);

	struct subject vf;

	subject_look(&vf, s->target, 1, CONFORM_DESTRUCTIVE);
	if (!vf.express) {
		sriov_disable(s);
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
	else if (!sriov_enabled(s))
		fail(j, "a reset of VF1 cleared VF Enable");
	else
		pass(j, "VF1 is reset; VF2 and the PF are not");
	sriov_disable(s);
}

static void pf_reset(struct subject *s, struct judgement *j)
{
	uint64_t took;

	if (!sriov_can_enable(s, j, 1) || !s->express)
		return;
	if (!(get(s, s->express + SPEC_EXPRESS_DEVICE_CAPABILITIES, 4) & UINT32_C(1) << 28)) {
		not_applicable(j, "it cannot be reset alone");
		return;
	}
	sriov_enable(s, 1);
	if (!flr(s, s->function, &took))
		fail(j, "it does not come back");
	else if (sriov_enabled(s))
		fail(j, "VF Enable is still set after a reset of the PF");
	else if (s->target->reaches_vfs && sriov_vf_answers(s, 1))
		fail(j, "VF1 still answers after a reset of the PF");
	else
		pass(j, "a reset of the PF takes its VFs away");
	sriov_disable(s);
}

static void only_these(struct subject *s, struct judgement *j)
{
	if (!sriov_can_reach(s, j, 2))
		return;
	if (!sriov_enable(s, 1))
		fail(j, "VF1 does not answer");
	else if (sriov_vf_answers(s, 2))
		fail(j, "VF2 answers, and NumVFs is 1");
	else
		pass(j, "VF1 answers and VF2 does not, with NumVFs 1");
	sriov_disable(s);
	sriov_put(s, SPEC_SRIOV_NUM_VFS, 2, 0);
}

static void fresh(struct subject *s, struct judgement *j)
{
	uint32_t command;

	if (!sriov_can_reach(s, j, 1))
		return;
	if (!sriov_enable(s, 1))
		fail(j, "VF1 does not answer");
	put_of(s, 1, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MASTER);
	if (!sriov_enable(s, 1))
		fail(j, "VF1 does not come back");
	command = get_of(s, 1, SPEC_PCI_COMMAND, 2);
	if (command)
		fail(j, "Command of VF1 is %04Xh when it comes back", command);
	else
		pass(j, "VF1 has forgotten what it was told when it comes back");
	sriov_disable(s);
	sriov_put(s, SPEC_SRIOV_NUM_VFS, 2, 0);
}

/* Registers that a VF has to have as its PF has them. */
static bool skip_all_but_vf(struct subject *s, struct judgement *j)
{
	bool pf_seen = s->role == CONFORM_VF && s->function;

	if (!pf_seen)
		not_applicable(j, "it is no VF whose PF can be seen");
	return !pf_seen;
}

static void same_class(struct subject *s, struct judgement *j)
{
	uint32_t own, pf;

	if (skip_all_but_vf(s, j))
		return;
	own = get(s, SPEC_PCI_REVISION_ID, 4) >> 8;
	pf = get_of(s, 0, SPEC_PCI_REVISION_ID, 4) >> 8;
	if (own == pf)
		pass(j, "%06Xh, as the PF", own);
	else
		fail(j, "%06Xh, and the PF's is %06Xh", own, pf);
}

static void same_subsystem(struct subject *s, struct judgement *j)
{
	uint32_t own, pf;

	if (skip_all_but_vf(s, j))
		return;
	own = get(s, SPEC_PCI_SUBSYSTEM_VENDOR_ID, 2);
	pf = get_of(s, 0, SPEC_PCI_SUBSYSTEM_VENDOR_ID, 2);
	if (own == pf)
		pass(j, "%04Xh, as the PF", own);
	else
		fail(j, "%04Xh, and the PF's is %04Xh", own, pf);
}

static void same_link(struct subject *s, struct judgement *j)
{
	uint32_t own, pf_link;
	struct subject pf;

	if (skip_all_but_vf(s, j))
		return;
	subject_look(&pf, s->target, 0, CONFORM_GENTLE);
	if (!s->express || !pf.express) {
		not_applicable(j, "there is no PCI Express capability");
		return;
	}
	own = get(s, s->express + SPEC_EXPRESS_LINK_CAPABILITIES, 4);
	pf_link = get(&pf, pf.express + SPEC_EXPRESS_LINK_CAPABILITIES, 4);
	if (own == pf_link)
		pass(j, "%08Xh, as the PF", own);
	else
		fail(j, "%08Xh, and the PF's is %08Xh: they have one link", own, pf_link);
}

static const struct check rows[] = {
	{ { "sriov.appear", "9.3.3.3.1", "All VFs answer one second after VF Enable", true },
	  appear },
	{ { "sriov.vanish", "9.3.3.3.1", "VFs are gone when VF Enable is cleared", true }, vanish },
	{ { "sriov.num-vfs-locked", "9.3.3.7", "NumVFs does not change while VFs are enabled",
	    true },
	  locked },
	{ { "sriov.vf-reset", "9.3.5.4, 6.6.2", "A reset of a VF reaches that VF alone", true },
	  vf_reset },
	{ { "sriov.pf-reset", "9.2.2.3", "A reset of the PF takes its VFs away", true }, pf_reset },
	{ { "sriov.only", "9.3.3.7", "VFs beyond NumVFs do not answer", true }, only_these },
	{ { "sriov.fresh", "9.3.3.3.1, 9.2.2.1", "VFs that come back have forgotten everything", true },
	  fresh },
	{ { "vf.class", "9.3.4.1.6", "A VF has its PF's class code", false }, same_class },
	{ { "vf.subsystem", "9.3.4.1.13", "A VF has its PF's Subsystem Vendor ID", false },
	  same_subsystem },
	{ { "vf.link", "7.5.3.6, 9.3.5.6", "A VF has its PF's Link Capabilities", false }, same_link },
};

CHECKS(conform_vfs, rows);
