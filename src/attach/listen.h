/* attach/listen.h -- a unix socket that listens where a front is served. */
#ifndef ATTACH_LISTEN_H
#define ATTACH_LISTEN_H

#include "base/refusal.h"

#include <sys/un.h>

/* Listens at 'where'; a socket file there that nobody listens on is left from a crash, and replaced.  The descriptor
 * does not block and is the caller's, who removes the path at the end; or negative errno after refuse(). */
int attach_listen(const struct sockaddr_un *where, struct refusal *why);

#endif
