/* Advanced Error Reporting: 7.8.4 and 6.2, and for VFs 9.4.2. */
#include "conform/internal.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"

enum {
	/* bits of the uncorrectable registers that mean something: 4, 5, 12 to 26 */
	UNCORRECTABLE = 0x07fff030,
	CORRECTABLE = 0x0000f1c1,
	FIRST_ERROR = 0x1f,
	/* 7.8.4.3, 7.8.4.4, 7.8.4.6: what they are until software changes them */
	MASK_DEFAULT = 1 << 22 | 1 << 26,
	SEVERITY_DEFAULT = 1 << 4 | 1 << 5 | 1 << 13 | 1 << 17 | 1 << 18 | 1 << 22,
	ADVISORY = 1 << SPEC_AER_ADVISORY_NON_FATAL,
	CORRECTABLE_DEFAULT = 7 << 13,
	ECRC_CAPABLE = 1 << 5 | 1 << 7, /* its enable bit is above each */
};

static bool skip(struct subject *s, struct judgement *j)
{
	if (!s->aer)
		not_applicable(j, "it has no Advanced Error Reporting");
	return !s->aer;
}

static void reserved(struct subject *s, struct judgement *j)
{
	static const struct {
		const char *name;
		unsigned offset;
		uint32_t defined;
	} registers[] = {
		{ "Uncorrectable Error Status", SPEC_AER_UNCORRECTABLE_STATUS, UNCORRECTABLE },
		{ "Uncorrectable Error Mask", SPEC_AER_UNCORRECTABLE_MASK, UNCORRECTABLE },
		{ "Uncorrectable Error Severity", SPEC_AER_UNCORRECTABLE_SEVERITY, UNCORRECTABLE },
		{ "Correctable Error Status", SPEC_AER_CORRECTABLE_STATUS, CORRECTABLE },
		{ "Correctable Error Mask", SPEC_AER_CORRECTABLE_MASK, CORRECTABLE },
	};

	if (skip(s, j))
		return;
	for (unsigned i = 0; i < array_len(registers); i++)
		reads_zero(s, j, registers[i].name, s->aer + registers[i].offset, 4,
			   ~registers[i].defined);
}

/* Writes the mask bits of all errors; those that stay are implemented. */
static void masks(struct subject *s, struct judgement *j)
{
	uint32_t mask, severity, status;

	if (skip(s, j))
		return;
	mask = flip(s, s->aer + SPEC_AER_UNCORRECTABLE_MASK, 4, UINT32_MAX);
	severity = flip(s, s->aer + SPEC_AER_UNCORRECTABLE_SEVERITY, 4, UINT32_MAX);
	if (s->role == CONFORM_VF) {
		if (mask || severity)
			fail(j,
			     "a VF's mask (%08Xh) or severity (%08Xh) can be written; its PF has "
			     "them",
			     mask, severity);
		else
			pass(j, "masks and severities are the PF's");
		return;
	}
	status = get(s, s->aer + SPEC_AER_UNCORRECTABLE_STATUS, 4);
	if ((mask | severity) & ~(uint32_t)UNCORRECTABLE)
		fail(j, "reserved bits of mask (%08Xh) or severity (%08Xh) can be written", mask,
		     severity);
	else if (mask != severity)
		fail(j, "mask has bits %08Xh and severity %08Xh: errors without the other", mask,
		     severity);
	else if (status & ~mask)
		fail(j, "Uncorrectable Error Status is %08Xh, with errors that have no mask",
		     status);
	else
		pass(j, "%08Xh can be masked, and has a severity", mask);
}

static void statuses_rw1c(struct subject *s, struct judgement *j)
{
	static const unsigned registers[] = { SPEC_AER_UNCORRECTABLE_STATUS,
					      SPEC_AER_CORRECTABLE_STATUS };

	if (skip(s, j))
		return;
	for (unsigned i = 0; i < array_len(registers); i++) {
		unsigned at = s->aer + registers[i];
		uint32_t before = get(s, at, 4), after;

		put(s, at, 4, 0);
		after = get(s, at, 4);
		if (before & ~after)
			fail(j, "a status was %08Xh, and a write of zeroes made it %08Xh", before,
			     after);
		put(s, at, 4, UINT32_MAX);
		after = get(s, at, 4);
		if (after)
			fail(j, "a status is %08Xh after ones were written", after);
	}
	pass(j, "ones clear, zeroes do not");
}

static void first_error(struct subject *s, struct judgement *j)
{
	uint32_t control, status;

	if (skip(s, j))
		return;
	control = get(s, s->aer + SPEC_AER_CONTROL, 4);
	status = get(s, s->aer + SPEC_AER_UNCORRECTABLE_STATUS, 4);
	if (flip(s, s->aer + SPEC_AER_CONTROL, 4, FIRST_ERROR) & FIRST_ERROR)
		fail(j, "First Error Pointer can be written");
	else
		pass(j, "First Error Pointer %u, status %08Xh", control & FIRST_ERROR, status);
}

/* 9.4.2: in VFs only when it is in the PF. */
static void of_vf(struct subject *s, struct judgement *j)
{
	struct subject pf;

	if (s->role != CONFORM_VF || !s->function)
		not_applicable(j, "it is no VF whose PF can be seen");
	else if (!s->aer)
		not_applicable(j, "it has no Advanced Error Reporting");
	else {
		subject_look(&pf, s->target, 0, CONFORM_GENTLE);
		if (pf.aer)
			pass(j, "its PF has it, too, at %03Xh", pf.aer);
		else
			fail(j, "a VF has it, at %03Xh, and its PF has not", s->aer);
	}
}

static void defaults(struct subject *s, struct judgement *j)
{
	static const struct {
		const char *name;
		unsigned offset;
		uint32_t value;
	} registers[] = {
		{ "Uncorrectable Error Mask", SPEC_AER_UNCORRECTABLE_MASK, MASK_DEFAULT },
		{ "Uncorrectable Error Severity", SPEC_AER_UNCORRECTABLE_SEVERITY, SEVERITY_DEFAULT },
		{ "Correctable Error Mask", SPEC_AER_CORRECTABLE_MASK, CORRECTABLE_DEFAULT },
	};

	if (skip(s, j))
		return;
	if (!s->target->fresh || s->role == CONFORM_VF) {
		not_applicable(j, s->role == CONFORM_VF ? "they are its PF's"
							: "somebody may have changed them");
		return;
	}
	for (unsigned i = 0; i < array_len(registers); i++) {
		uint32_t now = get(s, s->aer + registers[i].offset, 4);
		uint32_t there = flip(s, s->aer + registers[i].offset, 4, UINT32_MAX);

		if ((now ^ registers[i].value) & there)
			fail(j, "%s is %08Xh; of what is there %08Xh is the default", registers[i].name,
			     now, registers[i].value & there);
	}
	pass(j, "masks and severities are as the standard has them");
}

static void correctable_masks(struct subject *s, struct judgement *j)
{
	uint32_t mask, status;

	if (skip(s, j))
		return;
	mask = flip(s, s->aer + SPEC_AER_CORRECTABLE_MASK, 4, UINT32_MAX);
	status = get(s, s->aer + SPEC_AER_CORRECTABLE_STATUS, 4);
	if (s->role == CONFORM_VF && mask)
		fail(j, "a VF's Correctable Error Mask (%08Xh) can be written; its PF has it", mask);
	else if (s->role == CONFORM_VF)
		pass(j, "masks are the PF's");
	else if (mask & ~(uint32_t)CORRECTABLE)
		fail(j, "reserved bits of Correctable Error Mask (%08Xh) can be written", mask);
	else if (!(mask & ADVISORY))
		fail(j, "Advisory Non-Fatal Error cannot be masked: %08Xh can", mask);
	else if (status & ~mask)
		fail(j, "Correctable Error Status is %08Xh, with errors that have no mask", status);
	else
		pass(j, "%08Xh can be masked", mask);
}

static void ecrc(struct subject *s, struct judgement *j)
{
	uint32_t caps, changed, enables;

	if (skip(s, j))
		return;
	caps = get(s, s->aer + SPEC_AER_CONTROL, 4) & ECRC_CAPABLE;
	enables = caps << 1;
	changed = flip(s, s->aer + SPEC_AER_CONTROL, 4, ECRC_CAPABLE | ECRC_CAPABLE << 1);
	if (changed & ECRC_CAPABLE)
		fail(j, "what it can do about ECRC can be written: %03Xh", changed & ECRC_CAPABLE);
	else if (s->role == CONFORM_VF ? changed != 0 : changed != enables)
		fail(j, "ECRC can be enabled by bits %03Xh, and it can do %03Xh", changed, caps);
	else
		pass(j, caps ? "ECRC can be enabled" : "it has no ECRC, and none can be enabled");
}

static void log_read_only(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return;
	for (unsigned i = 0; i < 4; i++)
		is_read_only(s, j, "a word of Header Log", s->aer + SPEC_AER_HEADER_LOG + i * 4, 4,
			     UINT32_MAX);
}

static void sticky(struct subject *s, struct judgement *j)
{
	static const unsigned registers[] = { SPEC_AER_UNCORRECTABLE_MASK,
					      SPEC_AER_UNCORRECTABLE_SEVERITY,
					      SPEC_AER_CORRECTABLE_MASK };
	uint32_t before[array_len(registers)], wanted[array_len(registers)];
	uint64_t took;

	if (skip(s, j) || !can_flr(s, j))
		return;
	if (s->role == CONFORM_VF) {
		not_applicable(j, "they are its PF's");
		return;
	}
	for (unsigned i = 0; i < array_len(registers); i++) {
		before[i] = get(s, s->aer + registers[i], 4);
		put(s, s->aer + registers[i], 4, ~before[i]);
		wanted[i] = get(s, s->aer + registers[i], 4);
	}
	if (!flr(s, s->function, &took))
		fail(j, "it does not come back");
	for (unsigned i = 0; i < array_len(registers); i++) {
		uint32_t after = get(s, s->aer + registers[i], 4);

		if (after != wanted[i])
			fail(j, "the register at %02Xh was %08Xh, and is %08Xh after a reset",
			     registers[i], wanted[i], after);
		put(s, s->aer + registers[i], 4, before[i]);
	}
	pass(j, "masks and severities outlive a reset of the function");
}

static const struct check rows[] = {
	{ { "aer.defaults", "7.8.4.3, 7.8.4.4, 7.8.4.6",
	    "Masks and severities are those of the standard after power-on", true },
	  defaults },
	{ { "aer.vf", "9.4.2", "A VF has AER only when its PF has it", false }, of_vf },
	{ { "aer.reserved", "7.8.4.2 to 7.8.4.6", "Bits of no error are 0", false }, reserved },
	{ { "aer.masks", "7.8.4.3, 7.8.4.4, 9.4.2",
	    "Every error has a mask and a severity, and none in a VF", true },
	  masks },
	{ { "aer.rw1c", "7.8.4.2, 7.8.4.5", "Statuses are cleared by ones and not by zeroes",
	    true },
	  statuses_rw1c },
	{ { "aer.first-error", "7.8.4.7", "First Error Pointer cannot be written", true },
	  first_error },
	{ { "aer.correctable-masks", "7.8.4.5, 7.8.4.6, 9.4.2",
	    "Every correctable error has a mask, and none in a VF", true },
	  correctable_masks },
	{ { "aer.ecrc", "7.8.4.7", "ECRC can be enabled where it is there", true }, ecrc },
	{ { "aer.log-read-only", "7.8.4.8", "Header Log cannot be written", true }, log_read_only },
	{ { "aer.sticky", "7.4, 6.6.2", "Masks and severities outlive a reset of the function", true },
	  sticky },
};

CHECKS(conform_errors, rows);
