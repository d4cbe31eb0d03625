#include "manage/site_lock.h"

#include "os/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_PATH_MAX = SITE_LOCK_PATH_MAX + 8 };

struct lock_file {
	int fd; /* -1: not taken */
	char path[LOCK_PATH_MAX];
};

struct site_lock {
	char run_dir[SITE_LOCK_PATH_MAX];
	char socket[SITE_LOCK_PATH_MAX];
	struct lock_file site, beside; /* the second only when the socket is elsewhere */
};

/* The path from '/' on of a name that is relative. */
static int place_here(const char *name, char path[SITE_LOCK_PATH_MAX])
{
	char here[PATH_MAX];

	if (!getcwd(here, sizeof here))
		return -errno;
	while (name[0] == '.' && name[1] == '/')
		name += 2;
	return snprintf(path, SITE_LOCK_PATH_MAX, "%s/%s", here, name) >= SITE_LOCK_PATH_MAX ? -ENAMETOOLONG : 0;
}

int site_lock_default_run_dir(char path[SITE_LOCK_PATH_MAX])
{
	const char *own = getenv("MIDPLANE_RUN_DIR"), *xdg = getenv("XDG_RUNTIME_DIR");
	int n;

	if (own && own[0] && own[0] != '/')
		return place_here(own, path);
	if (own && own[0])
		n = snprintf(path, SITE_LOCK_PATH_MAX, "%s", own);
	else if (geteuid() == 0)
		n = snprintf(path, SITE_LOCK_PATH_MAX, "/run/midplane");
	else if (xdg && xdg[0])
		n = snprintf(path, SITE_LOCK_PATH_MAX, "%s/midplane", xdg);
	else
		n = snprintf(path, SITE_LOCK_PATH_MAX, "/tmp/midplane-%u", (unsigned)geteuid());
	return n >= SITE_LOCK_PATH_MAX ? -ENAMETOOLONG : 0;
}

int site_lock_default_socket(const char *site, char path[SITE_LOCK_PATH_MAX])
{
	char dir[SITE_LOCK_PATH_MAX];
	int err = site_lock_default_run_dir(dir);

	if (err)
		return err;
	return snprintf(path, SITE_LOCK_PATH_MAX, "%s/%s.sock", dir, site) >= SITE_LOCK_PATH_MAX
		       ? -ENAMETOOLONG : 0;
}

int site_lock_place_socket(const char *site, const char *socket, char path[SITE_LOCK_PATH_MAX],
			   struct refusal *why)
{
	int err = 0;

	if (!socket)
		err = site_lock_default_socket(site, path);
	else if (socket[0] != '/')
		err = place_here(socket, path);
	else if (snprintf(path, SITE_LOCK_PATH_MAX, "%s", socket) >= SITE_LOCK_PATH_MAX)
		err = -ENAMETOOLONG;
	if (err == -ENAMETOOLONG)
		refuse(why, "", "the path of the socket, from '/' on, is longer than %d bytes; --socket PATH "
		       "or MIDPLANE_RUN_DIR names a shorter one", SITE_LOCK_PATH_MAX - 1);
	else if (err)
		refuse(why, "", "the path of the socket begins in no directory: %s", strerror(-err));
	return err;
}

/* "demo.sock" has its lock in "demo.lock", any other name in "name.lock". */
static void lock_path(const char *socket, char path[LOCK_PATH_MAX])
{
	size_t size = strlen(socket);

	if (size > 5 && strcmp(socket + size - 5, ".sock") == 0)
		size -= 5;
	snprintf(path, LOCK_PATH_MAX, "%.*s.lock", (int)size, socket);
}

/* Whether the file at 'path' is still the one behind 'fd': its holder removes it when it leaves. */
static bool is_current(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino &&
	       ours.st_dev == there.st_dev;
}

/* False when the file does not say. */
static bool read_holder(int fd, struct site_holder *holder)
{
	char text[256] = "";

	return pread(fd, text, sizeof text - 1, 0) > 0 &&
	       sscanf(text, "pid=%ld since=%39s site=%63s socket=%107[^\n]", &holder->pid,
		      holder->since, holder->site, holder->socket) == 4;
}

static void say_holder(const struct lock_file *file, struct refusal *why)
{
	struct site_holder holder;

	if (read_holder(file->fd, &holder))
		refuse(why, "",
		       "site '%s' is already run by midplaned pid %ld since %s (socket %s)",
		       holder.site, holder.pid, holder.since, holder.socket);
	else
		refuse(why, "", "another midplaned, which starts just now, has %s", file->path);
}

/* A file that is there counts as a lock that a crash left behind only when it looks like one: what is
 * beside a socket may be anybody's. */
static int check_left_behind(const struct lock_file *file, struct refusal *why)
{
	char begin[4];
	ssize_t size = pread(file->fd, begin, sizeof begin, 0);

	if (size == 0 || (size == sizeof begin && memcmp(begin, "pid=", sizeof begin) == 0))
		return 0;
	refuse(why, "", "%s is needed as a lock file, and there is a file that is none; move it, or give the "
	       "socket another name", file->path);
	return -EEXIST;
}

/* Opens and locks one file; -EBUSY when somebody has it, -EEXIST when it is no lock. */
static int take_file(struct lock_file *file, struct refusal *why)
{
	int err;

	for (;;) {
		file->fd = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (file->fd < 0) {
			err = errno;
			refuse(why, "", "cannot make the lock file %s: %s", file->path,
			       strerror(err));
			return -err;
		}
		if (flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
			say_holder(file, why);
			close(file->fd);
			file->fd = -1;
			return -EBUSY;
		}
		if (is_current(file->fd, file->path))
			break;
		close(file->fd);
	}
	err = check_left_behind(file, why);
	if (err) {
		close(file->fd);
		file->fd = -1;
	}
	return err;
}

static int write_holder(const struct lock_file *file, const char *site, const char *socket)
{
	char text[256], since[32];
	int n;

	clock_format(clock_wall_ns(), since);
	n = snprintf(text, sizeof text, "pid=%ld since=%s site=%s socket=%s\n", (long)getpid(),
		     since, site, socket);
	if (ftruncate(file->fd, 0) != 0 || pwrite(file->fd, text, (size_t)n, 0) != n)
		return -EIO;
	return 0;
}

static void leave_file(struct lock_file *file)
{
	if (file->fd < 0)
		return;
	unlink(file->path); /* while it is ours: whoever waits looks again */
	close(file->fd);
}

static int make_run_dir(const char *path, struct refusal *why)
{
	struct stat st;

	if (mkdir(path, 0755) != 0 && errno != EEXIST) {
		int err = errno;

		refuse(why, "", "cannot make the directory %s: %s; MIDPLANE_RUN_DIR names another",
		       path, strerror(err));
		return -err;
	}
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
		refuse(why, "",
		       "%s is not a directory of this user; MIDPLANE_RUN_DIR names another", path);
		return -EPERM;
	}
	return 0;
}

static int name_places(struct site_lock *lock, const char *site, const char *socket,
		       struct refusal *why)
{
	char usual[SITE_LOCK_PATH_MAX];
	int err = site_lock_default_run_dir(lock->run_dir);

	if (!err)
		err = site_lock_default_socket(site, usual);
	if (err)
		refuse(why, "", "the run directory has too long a name for sockets; MIDPLANE_RUN_DIR names "
		       "another");
	else
		err = site_lock_place_socket(site, socket, lock->socket, why);
	if (err)
		return err;
	lock_path(usual, lock->site.path);
	lock_path(lock->socket, lock->beside.path);
	return 0;
}

/* Whether the socket needs a lock of its own: the site's may have more than one path. */
static bool is_elsewhere(const struct site_lock *lock)
{
	return !is_current(lock->site.fd, lock->beside.path);
}

static int take_both(struct site_lock *lock, const char *site, struct refusal *why)
{
	int err = take_file(&lock->site, why);

	if (!err && is_elsewhere(lock))
		err = take_file(&lock->beside, why);
	if (err)
		return err;
	err = write_holder(&lock->site, site, lock->socket);
	if (!err && lock->beside.fd >= 0)
		err = write_holder(&lock->beside, site, lock->socket);
	if (err)
		refuse(why, "", "cannot write the lock file %s: %s", lock->site.path,
		       strerror(-err));
	return err;
}

int site_lock_take(const char *site, const char *socket, struct site_lock **result,
		   struct refusal *why)
{
	struct site_lock *lock = calloc(1, sizeof *lock);
	int err;

	must(lock != NULL);
	lock->site.fd = lock->beside.fd = -1;
	err = name_places(lock, site, socket, why);
	if (!err)
		err = make_run_dir(lock->run_dir, why);
	if (!err)
		err = take_both(lock, site, why);
	if (err) {
		site_lock_release(lock);
		return err;
	}
	*result = lock;
	return 0;
}

const char *site_lock_socket(const struct site_lock *lock)
{
	return lock->socket;
}

const char *site_lock_run_dir(const struct site_lock *lock)
{
	return lock->run_dir;
}

void site_lock_release(struct site_lock *lock)
{
	if (!lock)
		return;
	leave_file(&lock->beside);
	leave_file(&lock->site);
	free(lock);
}

/* Handing over. */

int site_lock_hand_over_path(const char *site, char path[SITE_LOCK_PATH_MAX])
{
	char dir[SITE_LOCK_PATH_MAX];
	int err = site_lock_default_run_dir(dir);

	if (err)
		return err;
	return snprintf(path, SITE_LOCK_PATH_MAX, "%s/%s.hand-over", dir, site) >= SITE_LOCK_PATH_MAX
		       ? -ENAMETOOLONG : 0;
}

unsigned site_lock_fds(const struct site_lock *lock, int fds[SITE_LOCK_FDS])
{
	fds[0] = lock->site.fd;
	fds[1] = lock->beside.fd;
	return lock->beside.fd >= 0 ? 2 : 1;
}

/* A descriptor of the holder's own, which can lock the file although it is locked. */
static int adopt_file(struct lock_file *file, int fd, struct refusal *why)
{
	file->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (file->fd < 0)
		return -errno;
	if (is_current(file->fd, file->path) && flock(file->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	refuse(why, "", "what was handed over is not the lock %s", file->path);
	return -EINVAL;
}

int site_lock_adopt(const char *site, const char *socket, const int *fds, unsigned count,
		    struct site_lock **result, struct refusal *why)
{
	struct site_lock *lock = calloc(1, sizeof *lock);
	bool both;
	int err;

	must(lock != NULL);
	lock->site.fd = lock->beside.fd = -1;
	err = name_places(lock, site, socket, why);
	if (!err && count > 0)
		err = adopt_file(&lock->site, fds[0], why);
	both = !err && is_elsewhere(lock);
	if (!err && count != (both ? 2 : 1)) {
		refuse(why, "", "%u locks were handed over", count);
		err = -EINVAL;
	}
	if (!err && both)
		err = adopt_file(&lock->beside, fds[1], why);
	if (err) {
		site_lock_abandon(lock);
		return err;
	}
	*result = lock;
	return 0;
}

int site_lock_own(struct site_lock *lock, const char *site)
{
	int err = write_holder(&lock->site, site, lock->socket);

	return !err && lock->beside.fd >= 0 ? write_holder(&lock->beside, site, lock->socket) : err;
}

void site_lock_abandon(struct site_lock *lock)
{
	if (!lock)
		return;
	if (lock->beside.fd >= 0)
		close(lock->beside.fd);
	if (lock->site.fd >= 0)
		close(lock->site.fd);
	free(lock);
}

unsigned site_lock_list(void (*report)(void *arg, const struct site_holder *holder), void *arg)
{
	char dir[SITE_LOCK_PATH_MAX];
	DIR *directory = site_lock_default_run_dir(dir) == 0 ? opendir(dir) : NULL;
	unsigned found = 0;

	if (!directory)
		return 0;
	for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		size_t size = strlen(entry->d_name);
		struct site_holder holder;
		int fd;

		/* Of a site only the file with its name counts; another is its socket's. */
		if (size < 6 || strcmp(entry->d_name + size - 5, ".lock") != 0)
			continue;
		fd = openat(dirfd(directory), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		/* One that can be locked was left behind by a crash. */
		if (flock(fd, LOCK_SH | LOCK_NB) != 0 && read_holder(fd, &holder) &&
		    strlen(holder.site) == size - 5 &&
		    strncmp(holder.site, entry->d_name, size - 5) == 0) {
			report(arg, &holder);
			found++;
		}
		close(fd);
	}
	closedir(directory);
	return found;
}
