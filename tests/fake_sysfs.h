/* tests/fake_sysfs.h -- a machine's PCI functions as a folder that looks like sysfs, and a hand
 * (os/pci_hand.h) that changes it as Linux would: VFs come and go, drivers are bound and unbound,
 * refusals are the kernel's.
 *
 * It lives in files, and can refuse all changes from any step on: what is there then is what a
 * crash would leave. What Linux would hang on or a guest would notice is a violation, kept in a
 * file too.
 *
 * Threads: one.  Memory: none kept. */
#ifndef TESTS_FAKE_SYSFS_H
#define TESTS_FAKE_SYSFS_H

#include "os/pci_hand.h"

struct fake_sysfs {
	char root[64];		 /* of all files */
	char sysfs[80], run[80]; /* what is given to the code under test */
	struct pci_hand hand;
	unsigned steps; /* taken while stop_before is set */
	unsigned
		stop_before; /* the step, from 1, from which on nothing changes any more; 0: none */
	bool refuse_rate;    /* the PF's driver has no rates */
	unsigned no_link;    /* so often it has no link when it is told one; then it has */
	unsigned paused_ms;  /* waited for */
};

/* Makes an empty machine, with drivers "vfio-pci", "pfdrv" and "vfdrv"; removes it. */
void fake_sysfs_make(struct fake_sysfs *fake);
void fake_sysfs_remove(struct fake_sysfs *fake);

/* A PF that can have so many VFs, with driver pfdrv, interface 'interface' ("": none), in a group
 * of its own. */
void fake_sysfs_add_pf(struct fake_sysfs *fake, const char *address, unsigned vfs_total,
		       const char *interface);
/* Makes VFs as somebody else would have: with their driver, vfdrv. */
void fake_sysfs_add_vfs(struct fake_sysfs *fake, const char *pf, unsigned count);
/* Takes a PF's interface down, or up; whether it is up. */
void fake_sysfs_lower(struct fake_sysfs *fake, const char *address, const char *interface);
bool fake_sysfs_is_up(const struct fake_sysfs *fake, const char *address, const char *interface);
/* Unplugs a function, with its VFs; makes one silent, or loud. */
void fake_sysfs_unplug(struct fake_sysfs *fake, const char *address);
void fake_sysfs_silence(struct fake_sysfs *fake, const char *address, bool silent);
/* A process opens or closes the function's group. */
void fake_sysfs_use(struct fake_sysfs *fake, const char *address, bool use);
/* Puts a function into the group of another. */
void fake_sysfs_join(struct fake_sysfs *fake, const char *address, const char *other);

/* The driver that has a function ("": none; "gone": no such function), and its PF's driver's last
 * words about it: "mac vlan rate" ("": none). */
const char *fake_sysfs_driver(const struct fake_sysfs *fake, const char *address);
const char *fake_sysfs_told(const struct fake_sysfs *fake, const char *interface, unsigned vf);
/* The text of a file of a function; "" when it is not there. */
const char *fake_sysfs_file(const struct fake_sysfs *fake, const char *address, const char *name);
/* All that was written so far, a line each, "PATH TEXT"; what was wrong, "" when nothing was. */
const char *fake_sysfs_log(const struct fake_sysfs *fake);
const char *fake_sysfs_violations(const struct fake_sysfs *fake);
/* One line for each function: address, driver, override; to compare states by. */
void fake_sysfs_state(const struct fake_sysfs *fake, char *text, size_t size);

#endif
