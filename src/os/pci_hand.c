#include "os/pci_hand.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int write_file(void *owner, const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;
	ssize_t put;

	(void)owner;
	if (fd < 0)
		return -errno;
	put = write(fd, text, strlen(text));
	if (put < 0)
		err = -errno;
	else if ((size_t)put != strlen(text))
		err = -EIO;
	close(fd);
	return err;
}

static int set_link(void *owner, const char *interface, unsigned vf, const struct vf_link *link,
		    struct refusal *why)
{
	(void)owner;
	return vf_link_set(interface, vf, link, why);
}

static int raise_interface(void *owner, const char *interface, struct refusal *why)
{
	(void)owner;
	return vf_link_raise(interface, why);
}

static void pause_ms(void *owner, unsigned ms)
{
	(void)owner;
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 },
		  NULL);
}

/* The name of a VFIO file that a process has open: groups are numbers, devices are in a folder. */
static const char *node_of(const char *path)
{
	static const char root[] = "/dev/vfio/", devices[] = "devices/";
	const char *node = path + sizeof root - 1;

	if (strncmp(path, root, sizeof root - 1) != 0)
		return NULL;
	if (strncmp(node, devices, sizeof devices - 1) == 0)
		return node + sizeof devices - 1;
	return isdigit((unsigned char)*node) ? node : NULL;
}

static void add_user(struct pci_users *users, const char *pid, const char *node)
{
	struct pci_user *user = &users->user[users->count];
	char path[64];
	ssize_t got = -1;
	int fd;

	if (users->count == PCI_USERS_MAX)
		return;
	users->count++;
	user->pid = strtol(pid, NULL, 10);
	snprintf(user->node, sizeof user->node, "%.*s", PCI_USER_NAME_MAX - 1, node);
	snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got = read(fd, user->name, sizeof user->name - 1);
		close(fd);
	}
	user->name[got > 0 ? got : 0] = '\0';
	user->name[strcspn(user->name, "\n")] = '\0';
}

static void look_at_process(struct pci_users *users, const char *pid)
{
	char path[64], target[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) != NULL) {
		ssize_t got = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);

		if (got <= 0)
			continue;
		target[got] = '\0';
		if (node_of(target))
			add_user(users, pid, node_of(target));
	}
	if (dir)
		closedir(dir);
}

/* Looking into /proc disturbs nobody; opening a group to see whether it is free would. */
static void read_users(void *owner, struct pci_users *users)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	(void)owner;
	users->count = 0;
	while (proc && (entry = readdir(proc)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			look_at_process(users, entry->d_name);
	if (proc)
		closedir(proc);
}

static int remember(void *owner)
{
	(void)owner;
	return 0;
}

const struct pci_hand pci_hand_kernel = {
	.write = write_file,
	.link = set_link,
	.raise = raise_interface,
	.pause = pause_ms,
	.users = read_users,
	.remember = remember,
};

const struct pci_user *pci_users_of(const struct pci_users *users, const char *node)
{
	for (unsigned i = 0; node[0] && i < users->count; i++)
		if (strcmp(users->user[i].node, node) == 0)
			return &users->user[i];
	return NULL;
}
