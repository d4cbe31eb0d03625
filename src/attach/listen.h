/* attach/listen.h -- a unix socket that listens where a front is served. */
#ifndef ATTACH_LISTEN_H
#define ATTACH_LISTEN_H

#include "attach/attach.h"

#include <sys/un.h>

enum { ATTACH_SOCKET_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path) };

/* Where the front of an interface is served: where its site says, else in the run directory by the names of system
 * and interface.  -ENAMETOOLONG after refuse(). */
int attach_name_socket(const struct attach_host *host, const struct attach_conf *conf, char path[ATTACH_SOCKET_SIZE],
		       struct refusal *why);

/* Listens at 'where'; a socket file there that nobody listens on is left from a crash, and replaced.  The descriptor
 * does not block and is the caller's, who removes the path at the end; or negative errno after refuse(). */
int attach_listen(const struct sockaddr_un *where, struct refusal *why);

#endif
