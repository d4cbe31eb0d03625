/* os/pci_hand.h -- how this machine's PCI functions are changed: the few calls that reach the
 * kernel.  Tests put a machine of their own in its place, and stop it between any two steps.
 *
 * Threads: any, one at a time.  Memory: none kept. */
#ifndef OS_PCI_HAND_H
#define OS_PCI_HAND_H

#include "base/base.h"
#include "base/refusal.h"
#include "os/vf_link.h"

enum { PCI_USERS_MAX = 1024, PCI_USER_NAME_MAX = 32 };

/* A process that has a function open through VFIO. */
struct pci_user {
	char node[PCI_USER_NAME_MAX]; /* "15" of /dev/vfio/15, "vfio3" of /dev/vfio/devices/vfio3 */
	char name[PCI_USER_NAME_MAX]; /* of the program */
	long pid;
};

/* All of them at one moment. */
struct pci_users {
	struct pci_user user[PCI_USERS_MAX];
	unsigned count;
};

struct pci_hand {
	void *owner;
	/* Writes a file of sysfs.  0 or -errno. */
	int (*write)(void *owner, const char *path, const char *text);
	/* Tells a PF's driver about a VF, as vf_link_set(). */
	int (*link)(void *owner, const char *interface, unsigned vf, const struct vf_link *link,
		    struct refusal *why);
	/* Brings a PF's interface up, as vf_link_raise(). */
	int (*raise)(void *owner, const char *interface, struct refusal *why);
	/* Waits so long for something that comes by itself. */
	void (*pause)(void *owner, unsigned ms);
	/* Who has functions open. */
	void (*users)(void *owner, struct pci_users *users);
	/* About to change the file in which we remember what we did.  0, or -errno: it is not to
	 * be. */
	int (*remember)(void *owner);
};

/* The kernel. */
extern const struct pci_hand pci_hand_kernel;

/* Who has VFIO's file 'node' open, or NULL. */
const struct pci_user *pci_users_of(const struct pci_users *users, const char *node);

#endif
