/* Errors that are injected, and what AER and Device Status say of them: 6.2 and 7.8.4. */
#include "conform/internal.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"

enum {
	FIRST_ERROR = 0x1f,
	INJECTED = SPEC_AER_COMPLETER_ABORT,
	DEVSTA_ERRORS = 0xf, /* RW1C */
};

static const uint32_t header[4] = { 0x4a000001, 0x00000004, 0x01000000, 0x12345678 };
static const uint32_t other_header[4] = { 0x4a000002, 0x00000008, 0x01000000, 0x9abcdef0 };

static uint32_t aer(struct subject *s, unsigned offset)
{
	return get(s, s->aer + offset, 4);
}

static uint32_t device_status(struct subject *s)
{
	return get(s, s->express + SPEC_EXPRESS_DEVICE_STATUS, 2);
}

/* As if nothing had ever happened. */
static void forget(struct subject *s)
{
	put(s, s->aer + SPEC_AER_UNCORRECTABLE_STATUS, 4, UINT32_MAX);
	put(s, s->express + SPEC_EXPRESS_DEVICE_STATUS, 2, DEVSTA_ERRORS);
}

static bool can_inject(struct subject *s, struct judgement *j)
{
	if (!s->aer)
		not_applicable(j, "it has no Advanced Error Reporting");
	else if (!s->target->ops->inject || !s->express)
		not_applicable(j, "errors cannot be injected there");
	else
		return true;
	return false;
}

/* Lets it meet a completer abort. */
static bool inject(struct subject *s, struct judgement *j, const uint32_t with[4])
{
	forget(s);
	if (s->target->ops->inject(s->target, s->function, INJECTED, with) == 0)
		return true;
	not_applicable(j, "errors cannot be injected there");
	return false;
}

static void injected(struct subject *s, struct judgement *j)
{
	uint32_t bit = UINT32_C(1) << INJECTED, log[4], device;
	unsigned status = s->aer + SPEC_AER_UNCORRECTABLE_STATUS;

	if (!can_inject(s, j) || !inject(s, j, header))
		return;
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
	device = device_status(s);
	if (!(device & (SPEC_EXPRESS_NON_FATAL_DETECTED | SPEC_EXPRESS_FATAL_DETECTED)))
		fail(j, "Device Status is %04Xh after an uncorrectable error", device);
	put(s, status, 4, bit);
	put(s, s->express + SPEC_EXPRESS_DEVICE_STATUS, 2, DEVSTA_ERRORS);
	if (get(s, status, 4) & bit)
		fail(j, "the error cannot be cleared");
	pass(j, "a completer abort was logged with its header, and cleared");
}

/* A masked error sets its status and nothing else. */
static void masked(struct subject *s, struct judgement *j)
{
	uint32_t bit = UINT32_C(1) << INJECTED, before, first;

	if (!can_inject(s, j))
		return;
	if (s->role == CONFORM_VF) {
		not_applicable(j, "its PF masks errors");
		return;
	}
	before = aer(s, SPEC_AER_UNCORRECTABLE_MASK);
	first = aer(s, SPEC_AER_HEADER_LOG);
	put(s, s->aer + SPEC_AER_UNCORRECTABLE_MASK, 4, before | bit);
	if (inject(s, j, other_header)) {
		if (!(aer(s, SPEC_AER_UNCORRECTABLE_STATUS) & bit))
			fail(j, "a masked error does not show in Uncorrectable Error Status");
		else if (aer(s, SPEC_AER_HEADER_LOG) != first)
			fail(j, "a masked error was logged: %08Xh", aer(s, SPEC_AER_HEADER_LOG));
		else
			pass(j, "a masked error shows in its status, and is not logged");
	}
	put(s, s->aer + SPEC_AER_UNCORRECTABLE_MASK, 4, before);
	forget(s);
}

static void severity(struct subject *s, struct judgement *j)
{
	uint32_t bit = UINT32_C(1) << INJECTED, before, seen;

	if (!can_inject(s, j))
		return;
	if (s->role == CONFORM_VF) {
		not_applicable(j, "its PF says how severe errors are");
		return;
	}
	before = aer(s, SPEC_AER_UNCORRECTABLE_SEVERITY);
	for (unsigned fatal = 0; fatal <= 1; fatal++) {
		uint32_t wanted = fatal ? SPEC_EXPRESS_FATAL_DETECTED : SPEC_EXPRESS_NON_FATAL_DETECTED;

		put(s, s->aer + SPEC_AER_UNCORRECTABLE_SEVERITY, 4,
		    (before & ~bit) | (fatal ? bit : 0));
		if (!inject(s, j, header))
			break;
		seen = device_status(s) &
		       (SPEC_EXPRESS_FATAL_DETECTED | SPEC_EXPRESS_NON_FATAL_DETECTED);
		if (seen != wanted)
			fail(j, "Device Status has %Xh after an error whose severity is %u", seen, fatal);
		else
			pass(j, "an error is fatal when Uncorrectable Error Severity says so");
	}
	put(s, s->aer + SPEC_AER_UNCORRECTABLE_SEVERITY, 4, before);
	forget(s);
}

static void isolated(struct subject *s, struct judgement *j)
{
	uint32_t before, after;
	struct subject pf;

	if (s->role != CONFORM_VF || !s->function) {
		not_applicable(j, "it is no VF whose PF can be seen");
		return;
	}
	subject_look(&pf, s->target, 0, CONFORM_GENTLE);
	if (!can_inject(s, j))
		return;
	if (!pf.aer) {
		not_applicable(j, "its PF has no Advanced Error Reporting");
		return;
	}
	put(&pf, pf.aer + SPEC_AER_UNCORRECTABLE_STATUS, 4, UINT32_MAX);
	before = aer(&pf, SPEC_AER_UNCORRECTABLE_STATUS);
	if (!inject(s, j, header))
		return;
	after = aer(&pf, SPEC_AER_UNCORRECTABLE_STATUS);
	if (after != before)
		fail(j, "the PF's Uncorrectable Error Status became %08Xh by an error of the VF", after);
	else
		pass(j, "an error of the VF does not show in its PF");
	forget(s);
}

static const struct check rows[] = {
	{ { "aer.injected", "6.2.4, 7.8.4",
	    "An error is logged with its header, and can be cleared", true },
	  injected },
	{ { "aer.masked", "6.2.3.2.2, 7.8.4.3", "An error that is masked is not logged", true }, masked },
	{ { "aer.severity", "6.2.3.2.1, 7.8.4.4, 7.5.3.5",
	    "An error is fatal or not as Uncorrectable Error Severity says", true },
	  severity },
	{ { "aer.isolated", "9.4.1, 9.4.2", "An error of a VF does not show in its PF", true },
	  isolated },
};

CHECKS(conform_injected, rows);
