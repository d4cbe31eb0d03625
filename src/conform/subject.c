#include "conform/internal.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"
#include "spec/pcie_sriov.h"

#include <stdarg.h>
#include <stdio.h>

enum { MSI_64 = 1 << 7, MSI_MASKS = 1 << 8 };

static uint32_t all_ones(unsigned size)
{
	return bits32(size * 8 - 1, 0);
}

uint32_t get_of(struct subject *s, unsigned function, unsigned offset, unsigned size)
{
	uint32_t value = all_ones(size);
	int err = s->error ? 0 : s->target->ops->read(s->target, function, offset, size, &value);

	if (err)
		s->error = err;
	return value & all_ones(size);
}

void put_of(struct subject *s, unsigned function, unsigned offset, unsigned size, uint32_t value)
{
	int err = s->error ? 0
			   : s->target->ops->write(s->target, function, offset, size,
						   value & all_ones(size));

	if (err)
		s->error = err;
}

uint32_t get(struct subject *s, unsigned offset, unsigned size)
{
	return get_of(s, s->function, offset, size);
}

void put(struct subject *s, unsigned offset, unsigned size, uint32_t value)
{
	put_of(s, s->function, offset, size, value);
}

uint32_t flip(struct subject *s, unsigned offset, unsigned size, uint32_t mask)
{
	uint32_t before = get(s, offset, size);

	if (!s->destructive)
		return 0;
	put(s, offset, size, before ^ mask);

	uint32_t after = get(s, offset, size);

	if (after != before)
		put(s, offset, size, before);
	return before ^ after;
}

void pause_ms(struct subject *s, unsigned ms)
{
	s->target->ops->pause(s->target, (uint64_t)ms * 1000000);
}

static void say(struct judgement *j, enum conform_verdict verdict, const char *format, va_list args)
{
	j->verdict = verdict;
	vsnprintf(j->seen, sizeof(j->seen), format, args);
}

void pass(struct judgement *j, const char *format, ...)
{
	va_list args;

	if (j->verdict == CONFORM_FAIL)
		return;
	va_start(args, format);
	say(j, CONFORM_PASS, format, args);
	va_end(args);
}

void fail(struct judgement *j, const char *format, ...)
{
	va_list args;

	if (j->verdict == CONFORM_FAIL)
		return;
	va_start(args, format);
	say(j, CONFORM_FAIL, format, args);
	va_end(args);
}

void not_applicable(struct judgement *j, const char *format, ...)
{
	va_list args;

	if (j->verdict == CONFORM_FAIL)
		return;
	va_start(args, format);
	say(j, CONFORM_NOT_APPLICABLE, format, args);
	va_end(args);
}

void reads_zero(struct subject *s, struct judgement *j, const char *name, unsigned offset,
		unsigned size, uint32_t mask)
{
	uint32_t value = get(s, offset, size);

	if (value & mask)
		fail(j, "%s is %0*Xh; bits %Xh should be 0", name, (int)size * 2, value,
		     value & mask);
	else
		pass(j, "%s is %0*Xh", name, (int)size * 2, value);
}

void is_read_only(struct subject *s, struct judgement *j, const char *name, unsigned offset,
		  unsigned size, uint32_t mask)
{
	uint32_t before = get(s, offset, size), changed = flip(s, offset, size, mask) & mask;

	if (!s->destructive)
		return;
	if (changed)
		fail(j, "%s was %0*Xh, and a write changed bits %Xh", name, (int)size * 2, before,
		     changed);
	else
		pass(j, "%s is %0*Xh, whatever is written", name, (int)size * 2, before);
}

/* Walks the chain below 0x100; 7.5.1.1.11.  A pointer's two low bits are reserved and masked. */
static void look_at_caps(struct subject *s)
{
	unsigned from = SPEC_PCI_CAP_POINTER, pointer = get(s, from, 1), at;

	for (; (at = pointer & 0xfc) != 0; from = at + 1, pointer = get(s, from, 1)) {
		if (pointer & 3 && !s->caps_crooked)
			s->caps_crooked = (uint16_t)from;
		if (at < SPEC_PCI_HEADER_SIZE) {
			snprintf(s->caps_broken, sizeof(s->caps_broken), "points to %02Xh", at);
			return;
		}
		for (unsigned i = 0; i < s->cap_count; i++) {
			if (s->caps[i].at == at) {
				snprintf(s->caps_broken, sizeof(s->caps_broken),
					 "comes back to %02Xh", at);
				return;
			}
		}
		must(s->cap_count < CONFORM_CAPS_MAX);
		s->caps[s->cap_count++] =
			(struct conform_cap){ .id = (uint8_t)get(s, at, 1), .at = (uint16_t)at };
	}
	s->caps_end = true;
}

/* The same from 0x100 on; 7.6.3. */
static void look_at_exts(struct subject *s)
{
	unsigned at = SPEC_EXT_FIRST;

	while (at) {
		uint32_t header = get(s, at, 4);

		if (at == SPEC_EXT_FIRST && (header == 0 || header == UINT32_MAX))
			break;
		for (unsigned i = 0; i < s->ext_count; i++) {
			if (s->exts[i].at == at) {
				snprintf(s->exts_broken, sizeof(s->exts_broken),
					 "comes back to %03Xh", at);
				return;
			}
		}
		if (s->ext_count == CONFORM_EXTS_MAX) {
			snprintf(s->exts_broken, sizeof(s->exts_broken), "has more than %u members",
				 CONFORM_EXTS_MAX);
			return;
		}
		s->exts[s->ext_count++] = (struct conform_cap){ .id = (uint16_t)header,
								.at = (uint16_t)at,
								.version = header >> 16 & 0xf };
		if (header >> 20 & 3 && !s->exts_crooked)
			s->exts_crooked = (uint16_t)at;
		at = header >> 20 & 0xffc;
		if (at && at < SPEC_EXT_FIRST) {
			snprintf(s->exts_broken, sizeof(s->exts_broken), "points to %03Xh", at);
			return;
		}
	}
	s->exts_end = true;
}

unsigned cap_size(struct subject *s, const struct conform_cap *cap)
{
	uint32_t control;

	switch (cap->id) {
	case SPEC_PCI_CAP_POWER_MANAGEMENT:
		return SPEC_PM_SIZE;
	case SPEC_PCI_CAP_MSI:
		control = get(s, cap->at + SPEC_MSI_CONTROL, 2);
		return (control & MSI_64 ? 14u : 10u) + (control & MSI_MASKS ? 10u : 0u);
	case SPEC_PCI_CAP_MSIX:
		return SPEC_MSIX_SIZE;
	case SPEC_PCI_CAP_EXPRESS:
		return (get(s, cap->at + SPEC_EXPRESS_CAPABILITIES, 2) & 0xf) >= 2
			       ? SPEC_EXPRESS_SIZE
			       : 0x14;
	case SPEC_PCI_CAP_VENDOR_SPECIFIC:
		return get(s, cap->at + 2, 1);
	default:
		return 2;
	}
}

unsigned ext_size(const struct conform_cap *ext)
{
	static const struct {
		uint16_t id, size;
	} known[] = {
		{ SPEC_EXT_CAP_AER, 0x2c },	     { SPEC_EXT_CAP_SERIAL, SPEC_SERIAL_SIZE },
		{ SPEC_EXT_CAP_ACS, 0x08 },	     { SPEC_EXT_CAP_ARI, SPEC_ARI_SIZE },
		{ SPEC_EXT_CAP_ATS, SPEC_ATS_SIZE }, { SPEC_EXT_CAP_SRIOV, SPEC_SRIOV_SIZE },
	};

	for (unsigned i = 0; i < array_len(known); i++) {
		if (known[i].id == ext->id)
			return known[i].size;
	}
	return SPEC_EXT_HEADER_SIZE;
}

uint16_t subject_ext(const struct subject *s, uint16_t id)
{
	for (unsigned i = 0; i < s->ext_count; i++) {
		if (s->exts[i].id == id &&
		    s->exts[i].at + ext_size(&s->exts[i]) <= CONFORM_CONFIG_SIZE)
			return s->exts[i].at;
	}
	return 0;
}

static uint16_t cap(const struct subject *s, uint16_t id)
{
	for (unsigned i = 0; i < s->cap_count; i++) {
		if (s->caps[i].id == id)
			return s->caps[i].at;
	}
	return 0;
}

/* A VF's own IDs read all ones (9.3.4.1.1, 9.3.4.1.2), and its layout is that of an endpoint. */
static enum conform_role role_of(struct subject *s)
{
	if ((get(s, SPEC_PCI_HEADER_TYPE, 1) & 0x7f) == 1)
		return CONFORM_PORT;
	if (s->function || get(s, SPEC_PCI_VENDOR_ID, 4) == UINT32_MAX)
		return CONFORM_VF;
	return CONFORM_ENDPOINT;
}

void subject_look(struct subject *s, struct conform_target *target, unsigned function,
		  enum conform_care care)
{
	*s = (struct subject){ .target = target,
			       .function = function,
			       .destructive = care == CONFORM_DESTRUCTIVE };
	s->role = role_of(s);
	look_at_caps(s);
	look_at_exts(s);
	s->pm = cap(s, SPEC_PCI_CAP_POWER_MANAGEMENT);
	s->msi = cap(s, SPEC_PCI_CAP_MSI);
	s->msix = cap(s, SPEC_PCI_CAP_MSIX);
	s->express = cap(s, SPEC_PCI_CAP_EXPRESS);
	s->aer = subject_ext(s, SPEC_EXT_CAP_AER);
	s->serial = subject_ext(s, SPEC_EXT_CAP_SERIAL);
	s->acs = subject_ext(s, SPEC_EXT_CAP_ACS);
	s->ari = subject_ext(s, SPEC_EXT_CAP_ARI);
	s->ats = subject_ext(s, SPEC_EXT_CAP_ATS);
	s->sriov = subject_ext(s, SPEC_EXT_CAP_SRIOV);
}
