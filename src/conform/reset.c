/* Function-level reset: 6.6.2. */
#include "conform/internal.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"
#include "spec/pcie_sriov.h"

enum {
	FLR_MS = 100,	    /* from then on it is ready */
	FLR_LATE_MS = 1000, /* one that is not is waited for, for the sake of what is judged next */
	DEVCTL_PAYLOAD = 7 << 5,
	LINK_KEPT = 3 | 1 << 3 | 1 << 6,
};

/* Late is one that was asked after its time and was not ready.  How long the answer was on its way is no matter: a
 * function in another process is far away when that does not run for a while. */
bool flr(struct subject *s, unsigned function, uint64_t *took_ns)
{
	struct conform_target *t = s->target;
	uint32_t control = get_of(s, function, s->express + SPEC_EXPRESS_DEVICE_CONTROL, 2);
	uint64_t start, asked_ns;
	bool back = false, late = false;

	put_of(s, function, s->express + SPEC_EXPRESS_DEVICE_CONTROL, 2,
	       control | SPEC_EXPRESS_INITIATE_FLR);
	start = t->ops->now_ns(t);
	for (unsigned ms = 0; ms <= FLR_LATE_MS && !back && !s->error; ms++) {
		asked_ns = t->ops->now_ns(t) - start;
		/* a function that is not ready answers nothing: FFh */
		back = get_of(s, function, SPEC_PCI_HEADER_TYPE, 1) != 0xff;
		late |= !back && asked_ns > FLR_MS * UINT64_C(1000000);
		if (!back)
			pause_ms(s, 1);
	}
	*took_ns = t->ops->now_ns(t) - start;
	return back && !late;
}

bool can_flr(struct subject *s, struct judgement *j)
{
	bool can = s->express &&
		   get(s, s->express + SPEC_EXPRESS_DEVICE_CAPABILITIES, 4) & UINT32_C(1) << 28;

	if (!can)
		not_applicable(j, "it cannot be reset alone");
	return can;
}

/* Sets what a reset takes away, and says whether that could be set. */
static bool stain(struct subject *s)
{
	put(s, SPEC_PCI_COMMAND, 2, get(s, SPEC_PCI_COMMAND, 2) | SPEC_PCI_COMMAND_MASTER);
	if (s->msix)
		put(s, s->msix + SPEC_MSIX_CONTROL, 2,
		    get(s, s->msix + SPEC_MSIX_CONTROL, 2) | SPEC_MSIX_ENABLE);
	return get(s, SPEC_PCI_COMMAND, 2) & SPEC_PCI_COMMAND_MASTER;
}

static void time_taken(struct subject *s, struct judgement *j)
{
	uint64_t took;

	if (!can_flr(s, j))
		return;
	if (!flr(s, s->function, &took))
		fail(j, "no answer %u ms after Initiate FLR, nor until %llu ms", FLR_MS,
		     (unsigned long long)(took / 1000000));
	else
		pass(j, "ready after %llu us", (unsigned long long)(took / 1000));
}

static void effect(struct subject *s, struct judgement *j)
{
	uint64_t took;
	uint32_t command, control;

	if (!can_flr(s, j))
		return;
	if (!stain(s) || !flr(s, s->function, &took)) {
		fail(j, "it is not reset: Command is %04Xh", get(s, SPEC_PCI_COMMAND, 2));
		return;
	}
	command = get(s, SPEC_PCI_COMMAND, 2);
	control = s->msix ? get(s, s->msix + SPEC_MSIX_CONTROL, 2) : 0;
	if (command & (SPEC_PCI_COMMAND_MASTER | SPEC_PCI_COMMAND_MEMORY))
		fail(j, "Command is %04Xh after a reset", command);
	else if (control & SPEC_MSIX_ENABLE)
		fail(j, "MSI-X is enabled after a reset: %04Xh", control);
	else
		pass(j, "Command is %04Xh after a reset", command);
}

static void bars_lost(struct subject *s, struct judgement *j)
{
	uint64_t took;

	if (!can_flr(s, j))
		return;
	if (s->role != CONFORM_ENDPOINT || s->target->keeps_bars) {
		not_applicable(j, "BARs are not its own, or kept by what stands between");
		return;
	}
	for (unsigned bar = 0; bar < SPEC_PCI_BARS; bar++)
		put(s, SPEC_PCI_BAR0 + bar * 4, 4, 0xa5a00000);
	if (!flr(s, s->function, &took))
		fail(j, "it does not come back");
	for (unsigned bar = 0; bar < SPEC_PCI_BARS; bar++) {
		uint32_t now = get(s, SPEC_PCI_BAR0 + bar * 4, 4);

		if (now & ~(uint32_t)SPEC_PCI_BAR_FLAGS)
			fail(j, "BAR %u is %08Xh after a reset", bar, now);
	}
	pass(j, "no BAR has an address after a reset");
}

static void reads_as_zero(struct subject *s, struct judgement *j)
{
	uint64_t took;
	uint32_t control;

	if (!can_flr(s, j))
		return;
	flr(s, s->function, &took);
	control = get(s, s->express + SPEC_EXPRESS_DEVICE_CONTROL, 2);
	if (control & SPEC_EXPRESS_INITIATE_FLR)
		fail(j, "Device Control is %04Xh: Initiate FLR reads 1", control);
	else
		pass(j, "Device Control is %04Xh", control);
}

/* Max_Payload_Size and the link's settings are shared with others, so a reset spares them; sticky
 * bits are made to outlive it. */
static void spares(struct subject *s, struct judgement *j)
{
	uint32_t payload, link, mask = 0, after;
	uint64_t took;

	if (!can_flr(s, j))
		return;
	if (s->role == CONFORM_VF) {
		not_applicable(j, "a VF has none of these");
		return;
	}
	payload = get(s, s->express + SPEC_EXPRESS_DEVICE_CONTROL, 2);
	link = get(s, s->express + SPEC_EXPRESS_LINK_CONTROL, 2);
	put(s, s->express + SPEC_EXPRESS_DEVICE_CONTROL, 2,
	    (payload & ~(uint32_t)DEVCTL_PAYLOAD) | 1 << 5);
	put(s, s->express + SPEC_EXPRESS_LINK_CONTROL, 2, link ^ 1 << 6);
	if (s->aer) {
		mask = get(s, s->aer + SPEC_AER_UNCORRECTABLE_MASK, 4);
		put(s, s->aer + SPEC_AER_UNCORRECTABLE_MASK, 4,
		    mask ^ 1 << SPEC_AER_UNSUPPORTED_REQUEST);
	}

	uint32_t wanted = get(s, s->express + SPEC_EXPRESS_DEVICE_CONTROL, 2) & DEVCTL_PAYLOAD;
	uint32_t wanted_link = get(s, s->express + SPEC_EXPRESS_LINK_CONTROL, 2) & LINK_KEPT;

	if (!flr(s, s->function, &took))
		fail(j, "it does not come back");
	after = get(s, s->express + SPEC_EXPRESS_DEVICE_CONTROL, 2) & DEVCTL_PAYLOAD;
	if (after != wanted)
		fail(j, "Max_Payload_Size was lost: %u instead of %u", after >> 5, wanted >> 5);
	after = get(s, s->express + SPEC_EXPRESS_LINK_CONTROL, 2) & LINK_KEPT;
	if (after != wanted_link)
		fail(j, "Link Control was lost: %04Xh instead of %04Xh", after, wanted_link);
	put(s, s->express + SPEC_EXPRESS_LINK_CONTROL, 2, link);
	put(s, s->express + SPEC_EXPRESS_DEVICE_CONTROL, 2, payload);
	if (s->aer) {
		after = get(s, s->aer + SPEC_AER_UNCORRECTABLE_MASK, 4);
		if (after != (mask ^ 1 << SPEC_AER_UNSUPPORTED_REQUEST))
			fail(j, "the sticky Uncorrectable Error Mask was lost: %08Xh", after);
		put(s, s->aer + SPEC_AER_UNCORRECTABLE_MASK, 4, mask);
	}
	pass(j, "Max_Payload_Size, Link Control and sticky bits are as before");
}

/* What a reset is to bring about, whether or not the function can do that. */
static void capability(struct subject *s, struct judgement *j)
{
	bool says, is_reset;
	uint64_t took;

	if (!s->express || s->role == CONFORM_PORT) {
		not_applicable(j, "it has no Initiate FLR");
		return;
	}
	says = get(s, s->express + SPEC_EXPRESS_DEVICE_CAPABILITIES, 4) & UINT32_C(1) << 28;
	put(s, SPEC_PCI_COMMAND, 2, get(s, SPEC_PCI_COMMAND, 2) | SPEC_PCI_COMMAND_MASTER);
	flr(s, s->function, &took);
	is_reset = !(get(s, SPEC_PCI_COMMAND, 2) & SPEC_PCI_COMMAND_MASTER);
	if (says != is_reset)
		fail(j, "Function Level Reset Capability is %u, and Initiate FLR %s", says,
		     is_reset ? "resets it" : "does not reset it");
	else
		pass(j, "Function Level Reset Capability is %u", says);
	if (!is_reset)
		put(s, SPEC_PCI_COMMAND, 2,
		    get(s, SPEC_PCI_COMMAND, 2) & ~(uint32_t)SPEC_PCI_COMMAND_MASTER);
}

static void wakes(struct subject *s, struct judgement *j)
{
	uint64_t took;
	uint32_t control;

	if (!can_flr(s, j))
		return;
	if (!s->pm) {
		not_applicable(j, "it has no Power Management capability");
		return;
	}
	put(s, s->pm + SPEC_PM_CONTROL, 2, SPEC_PM_D3HOT);
	pause_ms(s, 10);
	if (!flr(s, s->function, &took))
		fail(j, "it does not come back");
	control = get(s, s->pm + SPEC_PM_CONTROL, 2);
	if (control & SPEC_PM_POWER_STATE)
		fail(j, "PowerState is %u after a reset in D3hot", control & SPEC_PM_POWER_STATE);
	else
		pass(j, "a reset in D3hot leads to D0");
}

/* What software switched on stays off. */
static void controls(struct subject *s, struct judgement *j)
{
	const struct {
		const char *name;
		unsigned at, size;
		uint32_t bits;
	} registers[] = {
		{ "Device Control", s->express + SPEC_EXPRESS_DEVICE_CONTROL, 2, 0xf },
		{ "ACS Control", s->acs ? s->acs + SPEC_ACS_CONTROL : 0, 2, 0x7f },
		{ "ATS Control", s->ats ? s->ats + SPEC_ATS_CONTROL : 0, 2, SPEC_ATS_ENABLE },
		{ "MSI-X Message Control", s->msix ? s->msix + SPEC_MSIX_CONTROL : 0, 2,
		  SPEC_MSIX_ENABLE | SPEC_MSIX_FUNCTION_MASK },
	};
	uint64_t took;

	if (!can_flr(s, j))
		return;
	for (unsigned i = 0; i < array_len(registers); i++)
		if (registers[i].at)
			put(s, registers[i].at, registers[i].size,
			    get(s, registers[i].at, registers[i].size) | registers[i].bits);
	if (!flr(s, s->function, &took))
		fail(j, "it does not come back");
	for (unsigned i = 0; i < array_len(registers); i++) {
		uint32_t now = registers[i].at ? get(s, registers[i].at, registers[i].size) : 0;

		if (now & registers[i].bits)
			fail(j, "%s is %04Xh after a reset", registers[i].name, now);
	}
	pass(j, "error reporting, ACS, ATS and MSI-X are off after a reset");
}

static void identity(struct subject *s, struct judgement *j)
{
	const unsigned words[] = {
		SPEC_PCI_VENDOR_ID,
		SPEC_PCI_REVISION_ID,
		SPEC_PCI_SUBSYSTEM_VENDOR_ID,
		SPEC_PCI_CAP_POINTER,
		s->express + SPEC_EXPRESS_DEVICE_CAPABILITIES,
		s->express + SPEC_EXPRESS_LINK_CAPABILITIES,
		s->msix ? s->msix + SPEC_MSIX_TABLE : 0,
		s->serial ? s->serial + SPEC_SERIAL_LOW : 0,
		s->serial ? s->serial + SPEC_SERIAL_HIGH : 0,
		s->sriov ? s->sriov + SPEC_SRIOV_INITIAL_VFS : 0,
	};
	uint32_t before[array_len(words)], after;
	uint64_t took;

	if (!can_flr(s, j))
		return;
	for (unsigned i = 0; i < array_len(words); i++)
		before[i] = get(s, words[i], 4);
	if (!flr(s, s->function, &took))
		fail(j, "it does not come back");
	for (unsigned i = 0; i < array_len(words); i++) {
		after = get(s, words[i], 4);
		if (after != before[i])
			fail(j, "the word at %03Xh was %08Xh, and is %08Xh after a reset", words[i],
			     before[i], after);
	}
	pass(j, "it is the same function as before");
}

static const struct check rows[] = {
	{ { "flr.time", "6.6.2", "The function is ready 100 ms after a function-level reset",
	    true },
	  time_taken },
	{ { "flr.effect", "6.6.2", "A function-level reset clears Command and MSI-X Enable", true },
	  effect },
	{ { "flr.bars", "6.6.2", "A function-level reset clears BARs", true }, bars_lost },
	{ { "flr.reads-zero", "7.5.3.4", "Initiate FLR always reads 0", true }, reads_as_zero },
	{ { "flr.capability", "7.5.3.3, 7.5.3.4",
	    "Initiate FLR resets a function that says so, and no other", true },
	  capability },
	{ { "flr.wakes", "6.6.2, 5.3.1.1", "A function-level reset leads to D0", true }, wakes },
	{ { "flr.controls", "6.6.2", "A function-level reset switches off what software switched on",
	    true },
	  controls },
	{ { "flr.identity", "6.6.2, 7.4", "A function-level reset does not change what is hardwired",
	    true },
	  identity },
	{ { "flr.spares", "6.6.2",
	    "A function-level reset spares sticky bits, Max_Payload_Size and Link Control", true },
	  spares },
};

CHECKS(conform_reset, rows);
