/* INTx: a level that the function's kind keeps, and a message to the VMM when it rises.  PCIe 5.0 sections 6.1.2,
 * 7.5.1.1.3 and 7.5.1.1.4; that it masks itself then is VFIO's (AUTOMASKED). */
#include "dev/pci_internal.h"

#include "spec/pcie.h"

bool pci_function_has_intx(const struct pci_function *f)
{
	return f->ops && f->ops->wants_intx && cfg_read(&f->space, SPEC_PCI_INTERRUPT_PIN, 1) != 0;
}

/* 7.5.1.1.3: Interrupt Disable; 7.7.2.2: not with MSI-X; 5.3.1.4: not in D3hot.  It is no memory write, so Bus
 * Master Enable says nothing of it. */
static bool may_send(const struct pci_function *f)
{
	if (pci_msix_enabled(f) || cfg_read(&f->space, SPEC_PCI_COMMAND, 2) & SPEC_PCI_COMMAND_NO_INTX)
		return false;
	return !pcie_kind_has(f->device.kind, PCIE_CAP_PM) ||
	       (pci_config(f, PCIE_CAP_PM, SPEC_PM_CONTROL, 2) & SPEC_PM_POWER_STATE) == SPEC_PM_D0;
}

void pci_function_intx(struct pci_function *f)
{
	if (f->intx_masked || !pci_function_has_intx(f) || !may_send(f) || !f->ops->wants_intx(f))
		return;
	f->intx_masked = true;
	f->host.interrupt(f->host.owner, PCI_VECTOR_INTX);
}

void pci_function_intx_mask(struct pci_function *f, enum pci_mask mask)
{
	f->intx_masked = mask == PCI_MASKED;
	pci_function_intx(f);
}

void pci_intx_show(struct pci_function *f)
{
	if (pci_function_has_intx(f))
		cfg_set(&f->space, SPEC_PCI_STATUS, 2, SPEC_PCI_STATUS_INTERRUPT,
			f->ops->wants_intx(f) ? SPEC_PCI_STATUS_INTERRUPT : 0);
}
