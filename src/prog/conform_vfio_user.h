/* prog/conform_vfio_user.h -- a PCI function on a vfio-user socket as a target of conform/: whatever process
 * serves it, its registers are reached by messages.
 *
 * Threads: one.  Memory: allocated by open, with its connection. */
#ifndef PROG_CONFORM_VFIO_USER_H
#define PROG_CONFORM_VFIO_USER_H

#include "base/refusal.h"
#include "conform/target.h"

struct conform_vfio_user;

/* Whether 'name' is a socket. */
bool conform_vfio_user_is(const char *name);

/* Connects: the server lets one client in at a time, and resets the function when it goes, so nobody is
 * disturbed.  -errno with 'why'. */
int conform_vfio_user_open(struct conform_vfio_user **target, const char *path, struct refusal *why);
void conform_vfio_user_close(struct conform_vfio_user *target); /* NULL is nothing */
struct conform_target *conform_vfio_user_target(struct conform_vfio_user *target);

#endif
