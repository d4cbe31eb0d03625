/* Power Management: 7.5.2 and 5.3. */
#include "conform/internal.h"
#include "spec/pcie.h"

enum {
	PM_VERSION = 3,
	PMC_RESERVED = 1 << 4,
	PMC_D1 = 1 << 9,
	PMC_D2 = 1 << 10,
	PMC_PME_D1 = 1 << 12,
	PMC_PME_D2 = 1 << 13,
	CSR_RESERVED = 1 << 2 | 0xf << 4,
	CSR_NO_SOFT_RESET = 1 << 3,
	CSR_DATA_SELECT = 0xf << 9,
	CSR_DATA_SCALE = 3 << 13,
	PM_DATA = 7, /* a byte */
	RECOVERY_MS = 10, /* 5.9: from D3hot to D0 */
};

static bool skip(struct subject *s, struct judgement *j)
{
	if (!s->pm)
		not_applicable(j, "it has no Power Management capability");
	return !s->pm;
}

static void version(struct subject *s, struct judgement *j)
{
	uint32_t caps;

	if (skip(s, j))
		return;
	caps = get(s, s->pm + SPEC_PM_CAPABILITIES, 2);
	if ((caps & 7) != PM_VERSION)
		fail(j, "Version is %u; it is 3", caps & 7);
	else
		reads_zero(s, j, "Power Management Capabilities", s->pm + SPEC_PM_CAPABILITIES, 2,
			   PMC_RESERVED);
}

static void pme(struct subject *s, struct judgement *j)
{
	uint32_t caps;

	if (skip(s, j))
		return;
	caps = get(s, s->pm + SPEC_PM_CAPABILITIES, 2);
	if ((caps & PMC_PME_D1 && !(caps & PMC_D1)) || (caps & PMC_PME_D2 && !(caps & PMC_D2)))
		fail(j, "Power Management Capabilities is %04Xh: PME from a state that it has not",
		     caps);
	else
		pass(j, "Power Management Capabilities is %04Xh", caps);
}

static void reserved(struct subject *s, struct judgement *j)
{
	if (!skip(s, j))
		reads_zero(s, j, "Power Management Control/Status", s->pm + SPEC_PM_CONTROL, 2,
			   CSR_RESERVED);
}

static void read_only(struct subject *s, struct judgement *j)
{
	if (!skip(s, j))
		is_read_only(s, j, "Power Management Capabilities", s->pm + SPEC_PM_CAPABILITIES, 2,
			     0xffff);
}

static void data(struct subject *s, struct judgement *j)
{
	uint32_t changed, scale, value;

	if (skip(s, j))
		return;
	changed = flip(s, s->pm + SPEC_PM_CONTROL, 2, CSR_DATA_SELECT) & CSR_DATA_SELECT;
	scale = get(s, s->pm + SPEC_PM_CONTROL, 2) & CSR_DATA_SCALE;
	value = get(s, s->pm + PM_DATA, 1);
	if (changed)
		pass(j, "Data_Select takes what is written, so there is a Data register");
	else if (scale || value)
		fail(j, "Data is %02Xh and Data_Scale %u, and Data_Select takes nothing", value,
		     scale >> 13);
	else
		pass(j, "there is no Data register, and it reads 0");
}

static uint32_t state(struct subject *s)
{
	return get(s, s->pm + SPEC_PM_CONTROL, 2) & SPEC_PM_POWER_STATE;
}

static void enter(struct subject *s, uint32_t wanted)
{
	uint32_t control = get(s, s->pm + SPEC_PM_CONTROL, 2);

	/* PME_Status is cleared by ones */
	put(s, s->pm + SPEC_PM_CONTROL, 2,
	    (control & 0x7fff & ~(uint32_t)SPEC_PM_POWER_STATE) | wanted);
	pause_ms(s, RECOVERY_MS);
}

static void d3hot(struct subject *s, struct judgement *j)
{
	uint32_t asleep;

	if (skip(s, j))
		return;
	enter(s, SPEC_PM_D3HOT);
	asleep = state(s);
	enter(s, SPEC_PM_D0);
	if (asleep != SPEC_PM_D3HOT)
		fail(j, "PowerState is %u after D3hot was written", asleep);
	else if (state(s) != SPEC_PM_D0)
		fail(j, "PowerState is %u, %u ms after D0 was written", state(s), RECOVERY_MS);
	else
		pass(j, "D3hot, and back in D0 after %u ms", RECOVERY_MS);
}

static void soft_reset(struct subject *s, struct judgement *j)
{
	uint32_t before, after;

	if (skip(s, j))
		return;
	if (!(get(s, s->pm + SPEC_PM_CONTROL, 2) & CSR_NO_SOFT_RESET)) {
		not_applicable(j, "No_Soft_Reset is 0: it may lose its state");
		return;
	}
	before = get(s, SPEC_PCI_COMMAND, 2);
	put(s, SPEC_PCI_COMMAND, 2, before | SPEC_PCI_COMMAND_MASTER);
	enter(s, SPEC_PM_D3HOT);
	enter(s, SPEC_PM_D0);
	after = get(s, SPEC_PCI_COMMAND, 2);
	put(s, SPEC_PCI_COMMAND, 2, before);
	if (after & SPEC_PCI_COMMAND_MASTER)
		pass(j, "Command is kept over D3hot: %04Xh", after);
	else
		fail(j, "No_Soft_Reset is 1, and Command was lost in D3hot: %04Xh", after);
}

static void unsupported(struct subject *s, struct judgement *j)
{
	uint32_t caps, got;

	if (skip(s, j))
		return;
	caps = get(s, s->pm + SPEC_PM_CAPABILITIES, 2);
	for (uint32_t wanted = 1; wanted <= 2; wanted++) {
		if (caps & (wanted == 1 ? PMC_D1 : PMC_D2))
			continue;
		enter(s, wanted);
		got = state(s);
		enter(s, SPEC_PM_D0);
		if (got != SPEC_PM_D0)
			fail(j, "PowerState is %u after D%u was written, which it does not have",
			     got, wanted);
	}
	pass(j, "states that it does not have are not entered");
}

static const struct check rows[] = {
	{ { "power.version", "7.5.2.1", "Version is 3, and reserved bits are 0", false }, version },
	{ { "power.pme", "7.5.2.1", "PME is supported from states that it has", false }, pme },
	{ { "power.reserved", "7.5.2.2", "Reserved bits of Control/Status are 0", false },
	  reserved },
	{ { "power.read-only", "7.5.2.1", "Power Management Capabilities cannot be written", true },
	  read_only },
	{ { "power.data", "7.5.2.2, 7.5.2.3", "Data is 0 where there is no Data register", true }, data },
	{ { "power.d3hot", "5.3.1.4, 7.5.2.2", "It enters D3hot, and is back in D0 after 10 ms",
	    true },
	  d3hot },
	{ { "power.no-soft-reset", "7.5.2.2", "With No_Soft_Reset nothing is lost in D3hot", true },
	  soft_reset },
	{ { "power.unsupported", "7.5.2.2", "States that it does not have are not entered", true },
	  unsupported },
};

CHECKS(conform_power, rows);
