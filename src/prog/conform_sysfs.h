/* prog/conform_sysfs.h -- a PCI function of this machine as a target of conform/: its directory in
 * sysfs.
 *
 * Threads: one.  Memory: allocated by open, with its descriptors and mappings. */
#ifndef PROG_CONFORM_SYSFS_H
#define PROG_CONFORM_SYSFS_H

#include "base/refusal.h"
#include "conform/target.h"

struct conform_sysfs;

/* Whether 'name' is a PCI address ("0000:01:00.0", "01:00.0") or a directory with a file 'config'.
 */
bool conform_sysfs_is(const char *name);

/* Opens it, for reading alone unless the use is destructive.  -errno with 'why'; -EBUSY when a
 * driver uses what would be disturbed. */
enum conform_sysfs_use { CONFORM_SYSFS_GENTLE, CONFORM_SYSFS_DESTRUCTIVE };
int conform_sysfs_open(struct conform_sysfs **sysfs, const char *name, enum conform_sysfs_use use,
		       struct refusal *why);
void conform_sysfs_close(struct conform_sysfs *sysfs); /* NULL is nothing */
struct conform_target *conform_sysfs_target(struct conform_sysfs *sysfs);

#endif
