#include "os/uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_MAX = 8192, KERNEL_GROUP = 1 };

int uevent_open(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);
	int err;

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

bool uevent_drain(int fd)
{
	static const char pci[] = "SUBSYSTEM=pci";
	char message[MESSAGE_MAX];
	bool found = false;
	ssize_t got;

	/* One that was lost for want of room may have been of PCI. */
	while ((got = recv(fd, message, sizeof message, 0)) > 0 || (got < 0 && errno == ENOBUFS))
		found = found || got < 0 || memmem(message, (size_t)got, pci, sizeof pci);
	return found;
}
