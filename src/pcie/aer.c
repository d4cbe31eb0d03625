#include "pcie/aer.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"

static uint32_t aer_get(const struct pcie_device *d, unsigned n, unsigned offset)
{
	unsigned at = pcie_kind_at(pcie_device_kind(d, n), PCIE_CAP_AER, offset);

	return cfg_read(&d->functions[n], at, 4);
}

/* The log keeps the first unmasked error until software has cleared that error's status. */
static void log_first(struct pcie_device *d, unsigned n, unsigned bit, uint32_t unmasked_before,
		      const uint32_t header[4])
{
	unsigned at = pcie_kind_at(pcie_device_kind(d, n), PCIE_CAP_AER, 0);
	unsigned first = aer_get(d, n, SPEC_AER_CONTROL) & 0x1f;

	if (unmasked_before >> first & 1)
		return;
	cfg_set(&d->functions[n], at + SPEC_AER_CONTROL, 4, 0x1f, bit);
	for (unsigned i = 0; i < 4; i++)
		cfg_set(&d->functions[n], at + SPEC_AER_HEADER_LOG + i * 4, 4, UINT32_MAX,
			header ? header[i] : 0);
}

/* Device Status, which knows only the class of an error; 7.5.3.5. */
static void note_class(struct pcie_device *d, unsigned n, unsigned bit, bool fatal)
{
	unsigned at = pcie_kind_at(pcie_device_kind(d, n), PCIE_CAP_EXPRESS,
				   SPEC_EXPRESS_DEVICE_STATUS);
	uint32_t seen = fatal ? SPEC_EXPRESS_FATAL_DETECTED : SPEC_EXPRESS_NON_FATAL_DETECTED;

	if (bit == SPEC_AER_UNSUPPORTED_REQUEST)
		seen |= SPEC_EXPRESS_UNSUPPORTED_DETECTED;
	cfg_set(&d->functions[n], at, 2, seen, seen);
}

static bool may_report(const struct pcie_device *d, bool fatal)
{
	unsigned at = pcie_kind_at(d->kind, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL);
	uint32_t enable = fatal ? 1 << 2 : 1 << 1; /* of ERR_FATAL, of ERR_NONFATAL */

	return cfg_read(&d->functions[0], at, 2) & enable;
}

enum pcie_message pcie_aer_raise(struct pcie_device *d, unsigned n, unsigned bit,
				 const uint32_t header[4])
{
	must(bit < 32);
	must(pcie_device_has(d, n));

	uint32_t error = UINT32_C(1) << bit;
	uint32_t mask = aer_get(d, 0, SPEC_AER_UNCORRECTABLE_MASK);
	bool fatal = aer_get(d, 0, SPEC_AER_UNCORRECTABLE_SEVERITY) & error;
	uint32_t unmasked_before = aer_get(d, n, SPEC_AER_UNCORRECTABLE_STATUS) & ~mask;
	unsigned at = pcie_kind_at(pcie_device_kind(d, n), PCIE_CAP_AER,
				   SPEC_AER_UNCORRECTABLE_STATUS);

	note_class(d, n, bit, fatal);
	cfg_set(&d->functions[n], at, 4, error, error);
	if (mask & error)
		return PCIE_MESSAGE_NONE;
	log_first(d, n, bit, unmasked_before, header);
	if (!may_report(d, fatal))
		return PCIE_MESSAGE_NONE;
	return fatal ? PCIE_MESSAGE_FATAL : PCIE_MESSAGE_NON_FATAL;
}
