#include "attach/listen.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 4, PATH_ROOM = 512 };

int attach_name_socket(const struct attach_host *host, const struct attach_conf *conf, char path[ATTACH_SOCKET_SIZE],
		       struct refusal *why)
{
	char name[PATH_ROOM];

	if (conf->io->socket)
		snprintf(name, sizeof name, "%s", conf->io->socket);
	else
		snprintf(name, sizeof name, "%s/%s-%s.sock", host->run_dir, conf->system, conf->io->name);
	if (strlen(name) >= ATTACH_SOCKET_SIZE) {
		refuse(why, "socket", "the path %s is longer than the %d bytes a socket may have", name,
		       ATTACH_SOCKET_SIZE - 1);
		return -ENAMETOOLONG;
	}
	memcpy(path, name, strlen(name) + 1);
	return 0;
}

static int open_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* One whose backlog is full says EAGAIN.  Who cannot ask does not remove what may be in use. */
static bool somebody_listens(const struct sockaddr_un *where)
{
	int fd = open_socket();
	bool there;

	if (fd < 0)
		return true;
	there = connect(fd, (const struct sockaddr *)where, sizeof *where) == 0 || errno == EAGAIN;
	close(fd);
	return there;
}

/* What else bears the name is somebody's file, not what a crash left behind. */
static bool is_socket(const struct sockaddr_un *where)
{
	struct stat there;

	return lstat(where->sun_path, &there) == 0 && S_ISSOCK(there.st_mode);
}

static int bind_path(int fd, const struct sockaddr_un *where)
{
	const struct sockaddr *at = (const struct sockaddr *)where;

	if (bind(fd, at, sizeof *where) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	if (!is_socket(where))
		return -EEXIST;
	if (somebody_listens(where))
		return -EADDRINUSE;
	unlink(where->sun_path);
	return bind(fd, at, sizeof *where) ? -errno : 0;
}

static int listen_there(int fd, const struct sockaddr_un *where)
{
	int err = bind_path(fd, where);

	if (err || listen(fd, BACKLOG) == 0)
		return err;
	err = -errno;
	unlink(where->sun_path);
	return err;
}

int attach_listen(const struct sockaddr_un *where, struct refusal *why)
{
	int fd = open_socket();
	int err = fd < 0 ? -errno : listen_there(fd, where);

	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	refuse(why, "socket", "cannot listen on %s: %s", where->sun_path,
	       err == -EADDRINUSE ? "somebody else does"
	       : err == -EEXIST   ? "it is there and is not a socket"
				  : strerror(-err));
	return err;
}
