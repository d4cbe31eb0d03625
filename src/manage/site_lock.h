/* manage/site_lock.h -- who runs a site: a lock file that says so, and the place of its socket.
 *
 * A site is held by its name in the run directory, and its socket by a lock beside the socket, so
 * that neither the same site nor the same socket is ever served twice.  The kernel gives a lock
 * back when its holder dies; files left behind by a crash are taken over.
 *
 * The run directory is MIDPLANE_RUN_DIR when that is set, else /run/midplane for root, else
 * XDG_RUNTIME_DIR/midplane, else /tmp/midplane-UID.
 *
 * Threads: control.  Memory: allocated in take, freed in release. */
#ifndef MANAGE_SITE_LOCK_H
#define MANAGE_SITE_LOCK_H

#include "base/base.h"
#include "base/refusal.h"

enum { SITE_LOCK_PATH_MAX = 108 }; /* bytes of a socket's path, with its end: unix(7) */

struct site_lock;

/* Where the tool and the daemon look when nobody says otherwise, from '/' on.  -ENAMETOOLONG when it does not
 * fit a socket address. */
int site_lock_default_run_dir(char path[SITE_LOCK_PATH_MAX]);
int site_lock_default_socket(const char *site, char path[SITE_LOCK_PATH_MAX]);

/* The place of a site's socket, from '/' on, so that it means the same in every directory.
 *
 * socket  as an operator names it, or NULL for the default
 *
 * 0, or -errno with 'why'. */
int site_lock_place_socket(const char *site, const char *socket, char path[SITE_LOCK_PATH_MAX],
			   struct refusal *why);

/* Who runs a site, as its lock file says. */
struct site_holder {
	char site[64], since[40], socket[SITE_LOCK_PATH_MAX];
	long pid;
};

/* Reports every site of the run directory that somebody runs now; returns how many.  For tools. */
unsigned site_lock_list(void (*report)(void *arg, const struct site_holder *holder), void *arg);

/* Takes the site.
 *
 * site    its name
 * socket  path of its socket, or NULL for the default
 *
 * 0; -EBUSY with 'why' naming the process that has it, since when, and where it answers; another
 * -errno with 'why' when a directory or file cannot be made. */
int site_lock_take(const char *site, const char *socket, struct site_lock **lock,
		   struct refusal *why);
const char *site_lock_socket(const struct site_lock *lock);
const char *site_lock_run_dir(const struct site_lock *lock); /* exists, mode 0755 at most */

/* Handing a site over: the locks go from process to process, so that somebody has them at any time.
 *
 * path    where a daemon that runs a site waits for one that takes it over; -ENAMETOOLONG
 * fds     the locks' descriptors: returns how many, up to SITE_LOCK_FDS; they stay the lock's
 * adopt   has the locks of 'fds', which stay the caller's: 0, or -errno with 'why' when these are not the site's
 * own     we are who holds them, and who removes them: 0 or -errno
 * abandon frees what release() does, and leaves the files to who has them now */
enum { SITE_LOCK_FDS = 2 };
int site_lock_hand_over_path(const char *site, char path[SITE_LOCK_PATH_MAX]);
unsigned site_lock_fds(const struct site_lock *lock, int fds[SITE_LOCK_FDS]);
int site_lock_adopt(const char *site, const char *socket, const int *fds, unsigned count,
		    struct site_lock **lock, struct refusal *why);
int site_lock_own(struct site_lock *lock, const char *site);
void site_lock_abandon(struct site_lock *lock);

/* Removes the lock files.  NULL is nothing. */
void site_lock_release(struct site_lock *lock);

#endif
