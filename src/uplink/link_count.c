#include "uplink/link_count.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT_BYTES = 64, MAC_BYTES = 6 };

static int open_attribute(const char *interface, const char *attribute)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/%s", interface, attribute);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool read_text(int fd, char text[TEXT_BYTES])
{
	ssize_t n = pread(fd, text, TEXT_BYTES - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return true;
}

/* Whether sysfs says 'expected' of the interface. */
static bool says(const char *interface, const char *attribute, const char *expected)
{
	int fd = open_attribute(interface, attribute);
	char text[TEXT_BYTES];
	bool same;

	if (fd < 0)
		return false;
	same = read_text(fd, text) && strncmp(text, expected, strlen(expected)) == 0 &&
	       text[strlen(expected)] == '\n';
	(void)close(fd);
	return same;
}

/* Whether sysfs shows the interface that our own network namespace has under this name. */
static bool is_ours(const char *interface)
{
	struct ifreq request = { 0 };
	const uint8_t *mac = (const uint8_t *)request.ifr_hwaddr.sa_data;
	char index[TEXT_BYTES], address[TEXT_BYTES];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return false;
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	err = ioctl(fd, SIOCGIFHWADDR, &request);
	(void)close(fd);
	if (err < 0)
		return false;
	(void)snprintf(index, sizeof(index), "%u", if_nametoindex(interface));
	for (unsigned i = 0; i < MAC_BYTES; i++)
		(void)snprintf(address + 3 * i, sizeof(address) - 3 * i, "%02x%s", mac[i],
			       i + 1 < MAC_BYTES ? ":" : "");
	return says(interface, "ifindex", index) && says(interface, "address", address);
}

int link_count_open(struct link_count *count, const char *interface)
{
	count->fd = -1;
	if (!is_ours(interface))
		return -ENOENT;
	count->fd = open_attribute(interface, "carrier_changes");
	return count->fd < 0 ? count->fd : 0;
}

void link_count_close(struct link_count *count)
{
	if (count->fd >= 0)
		(void)close(count->fd);
	count->fd = -1;
}

bool link_count_read(const struct link_count *count, uint32_t *changes)
{
	char text[TEXT_BYTES];

	if (count->fd < 0 || !read_text(count->fd, text))
		return false;
	*changes = (uint32_t)strtoul(text, NULL, 10);
	return true;
}
