/* Prints the NVMe kinds of function for the judge: a PF at 01:00.0 with BARs and one VF enabled at 01:00.1, and
 * a function that is lent at 02:00.0. */
#include "pcie/device.h"
#include "pcie/dump.h"
#include "pcie/kinds_nvme.h"
#include "spec/pcie.h"
#include "spec/pcie_sriov.h"

#include <stdio.h>

static void print(void *arg, const char *text, size_t size)
{
	fwrite(text, 1, size, arg);
}

static void place(struct pcie_device *device, uint32_t base)
{
	pcie_device_write(device, 0, SPEC_PCI_BAR0, 4, base);
	pcie_device_write(device, 0, SPEC_PCI_BAR0 + 8, 4, base + 0x10000);
	pcie_device_write(device, 0, SPEC_PCI_COMMAND, 2, 6);
}

int main(void)
{
	static struct pcie_kinds_nvme kinds;
	static struct cfg pf_spaces[3], lent_space;
	struct pcie_device pf, lent;
	unsigned sriov;

	pcie_kinds_nvme_build(&kinds);
	pcie_device_init(&pf, &(struct pcie_device_conf){ .kind = &kinds.pf, .vf_kind = &kinds.vf,
							  .total_vfs = 2, .serial = 0x11223344 },
			 pf_spaces);
	pcie_device_init(&lent, &(struct pcie_device_conf){ .kind = &kinds.lent }, &lent_space);
	place(&pf, 0xe0000000);
	place(&lent, 0xe1000000);
	sriov = pcie_kind_at(&kinds.pf, PCIE_CAP_SRIOV, 0);
	pcie_device_write(&pf, 0, sriov + SPEC_SRIOV_NUM_VFS, 2, 1);
	pcie_device_write(&pf, 0, sriov + SPEC_SRIOV_CONTROL, 2, SPEC_SRIOV_VF_ENABLE);
	pcie_dump(&pf_spaces[0], 0x0100, "nvme", print, stdout);
	pcie_dump(&pf_spaces[1], 0x0101, "nvme", print, stdout);
	pcie_dump(&lent_space, 0x0200, "nvme", print, stdout);
	return 0;
}
