#include "prog/pci_arguments.h"

#include <stdio.h>

void pci_arguments_qemu(const char *address, char text[PCI_ARGUMENTS_MAX])
{
	text[0] = '\0';
	if (address[0])
		snprintf(text, PCI_ARGUMENTS_MAX, "-device vfio-pci,host=%s", address);
}

/* Not managed: binding is not libvirt's business, and giving it back is not either. */
void pci_arguments_libvirt(const char *address, char text[PCI_ARGUMENTS_MAX])
{
	unsigned domain, bus, device, function;

	text[0] = '\0';
	if (sscanf(address, "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4)
		return;
	snprintf(text, PCI_ARGUMENTS_MAX,
		 "<hostdev mode='subsystem' type='pci' managed='no'><source><address "
		 "domain='0x%04x' "
		 "bus='0x%02x' slot='0x%02x' function='0x%x'/></source></hostdev>",
		 domain, bus, device, function);
}
