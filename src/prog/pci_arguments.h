/* prog/pci_arguments.h -- how a machine's guest is given a PCI function: the words for QEMU and for
 * libvirt.
 *
 * Threads: any.  Memory: the caller's. */
#ifndef PROG_PCI_ARGUMENTS_H
#define PROG_PCI_ARGUMENTS_H

enum { PCI_ARGUMENTS_MAX = 256 };

/* Of the function at 'address', "0000:3b:00.1"; "" when it is no address. */
void pci_arguments_qemu(const char *address, char text[PCI_ARGUMENTS_MAX]);
void pci_arguments_libvirt(const char *address, char text[PCI_ARGUMENTS_MAX]);

#endif
