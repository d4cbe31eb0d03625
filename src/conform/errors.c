/* Advanced Error Reporting: 7.8.4 and 6.2, and for VFs 9.3.6.1. */
#include "conform/internal.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"

enum {
	/* bits of the uncorrectable registers that mean something: 4, 5, 12 to 26 */
	UNCORRECTABLE = 0x07fff030,
	CORRECTABLE = 0x0000f1c1,
	FIRST_ERROR = 0x1f,
	INJECTED = SPEC_AER_COMPLETER_ABORT,
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

static void injected(struct subject *s, struct judgement *j)
{
	static const uint32_t header[4] = { 0x4a000001, 0x00000004, 0x01000000, 0x12345678 };
	uint32_t bit = UINT32_C(1) << INJECTED, log[4], device;
	unsigned status = s->aer + SPEC_AER_UNCORRECTABLE_STATUS;

	if (skip(s, j))
		return;
	if (!s->target->ops->inject || !s->express) {
		not_applicable(j, "errors cannot be injected there");
		return;
	}
	put(s, status, 4, UINT32_MAX);
	put(s, s->express + SPEC_EXPRESS_DEVICE_STATUS, 2, 0xf);
	if (s->target->ops->inject(s->target, s->function, INJECTED, header)) {
		not_applicable(j, "errors cannot be injected there");
		return;
	}
	if (!(get(s, status, 4) & bit))
		fail(j, "Uncorrectable Error Status is %08Xh after a completer abort",
		     get(s, status, 4));
	if ((get(s, s->aer + SPEC_AER_CONTROL, 4) & FIRST_ERROR) != INJECTED)
		fail(j, "First Error Pointer is %u after error %u",
		     get(s, s->aer + SPEC_AER_CONTROL, 4) & FIRST_ERROR, INJECTED);
	for (unsigned i = 0; i < 4; i++) {
		log[i] = get(s, s->aer + SPEC_AER_HEADER_LOG + i * 4, 4);
		if (log[i] != header[i])
			fail(j, "Header Log %u is %08Xh; the header had %08Xh", i + 1, log[i],
			     header[i]);
	}
	device = get(s, s->express + SPEC_EXPRESS_DEVICE_STATUS, 2);
	if (!(device & (SPEC_EXPRESS_NON_FATAL_DETECTED | SPEC_EXPRESS_FATAL_DETECTED)))
		fail(j, "Device Status is %04Xh after an uncorrectable error", device);
	put(s, status, 4, bit);
	put(s, s->express + SPEC_EXPRESS_DEVICE_STATUS, 2, 0xf);
	if (get(s, status, 4) & bit)
		fail(j, "the error cannot be cleared");
	pass(j, "a completer abort was logged with its header, and cleared");
}

static const struct check rows[] = {
	{ { "aer.reserved", "7.8.4.2 to 7.8.4.6", "Bits of no error are 0", false }, reserved },
	{ { "aer.masks", "7.8.4.3, 7.8.4.4, 9.3.6.1.2",
	    "Every error has a mask and a severity, and none in a VF", true },
	  masks },
	{ { "aer.rw1c", "7.8.4.2, 7.8.4.5", "Statuses are cleared by ones and not by zeroes",
	    true },
	  statuses_rw1c },
	{ { "aer.first-error", "7.8.4.7", "First Error Pointer cannot be written", true },
	  first_error },
	{ { "aer.injected", "6.2.4, 7.8.4",
	    "An error is logged with its header, and can be cleared", true },
	  injected },
};

CHECKS(conform_errors, rows);
