/* os/uevent.h -- the kernel's news of its devices, over netlink: something has happened to a PCI
 * function.
 *
 * Threads: one.  Memory: none. */
#ifndef OS_UEVENT_H
#define OS_UEVENT_H

#include "base/base.h"

/* A descriptor that is readable when there is news, or -errno: some containers get none. */
int uevent_open(void);

/* Takes what has come; true when any of it was about PCI. */
bool uevent_drain(int fd);

#endif
