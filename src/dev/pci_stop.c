/* Which writes end what a function has under way. */
#include "dev/pci_internal.h"

#include "base/bytes.h"
#include "spec/pcie.h"

/* What the register of 16 bits at 'at' would hold after the write. */
static uint32_t after(const struct pci_function *f, unsigned at, uint64_t offset, uint32_t size,
		      const uint8_t *from)
{
	uint8_t bytes[2];

	put_le16(bytes, (uint16_t)cfg_read(&f->space, at, 2));
	for (unsigned i = 0; i < sizeof bytes; i++)
		if (at + i >= offset && at + i - offset < size)
			bytes[i] = from[at + i - offset];
	return get_le16(bytes);
}

/* Bus mastering ends, D0 is left, or a reset begins (PCIe 5.0 sections 7.5.1.1.3, 7.5.2.2, 7.5.3.4). */
static bool config_stops(const struct pci_function *f, uint64_t offset, uint32_t size,
			 const uint8_t *from)
{
	const struct pcie_kind *k = f->device.kind;
	uint32_t control;

	if (pci_function_masters(f) &&
	    !(after(f, SPEC_PCI_COMMAND, offset, size, from) & SPEC_PCI_COMMAND_MASTER))
		return true;
	if (pcie_kind_has(k, PCIE_CAP_PM) && pci_function_masters(f)) {
		control = after(f, pcie_kind_at(k, PCIE_CAP_PM, SPEC_PM_CONTROL), offset, size, from);
		if ((control & SPEC_PM_POWER_STATE) != SPEC_PM_D0)
			return true;
	}
	if (!pcie_kind_has(k, PCIE_CAP_EXPRESS))
		return false;
	control = after(f, pcie_kind_at(k, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL), offset, size,
			from);
	return control & SPEC_EXPRESS_INITIATE_FLR;
}

bool pci_function_write_stops(const struct pci_function *f, unsigned region, uint64_t offset,
			      uint32_t size, const uint8_t *from)
{
	if (region == PCI_REGION_CONFIG && config_stops(f, offset, size, from))
		return true;
	return f->ops->stops && f->ops->stops(f, region, offset, size, from);
}
