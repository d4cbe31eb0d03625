#include "os/pci_bus.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void path_of(const struct pci_bus *bus, const char *address, const char *name, char *path,
		    size_t size)
{
	snprintf(path, size, "%s/bus/pci/devices/%s/%s", bus->sysfs, address, name);
}

/* A small file's text without what ends it; false when it cannot be read. */
static bool read_text(const struct pci_bus *bus, const char *address, const char *name, char *text,
		      size_t size)
{
	char path[PATH_MAX];
	ssize_t got = -1;
	int fd;

	path_of(bus, address, name, path, sizeof path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got = read(fd, text, size - 1);
		close(fd);
	}
	text[got > 0 ? got : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return got > 0;
}

static long read_number(const struct pci_bus *bus, const char *address, const char *name,
			long missing)
{
	char text[32], *end;
	long value;

	if (!read_text(bus, address, name, text, sizeof text))
		return missing;
	value = strtol(text, &end, 0);
	return end == text ? missing : value;
}

/* The last part of what a link points to. */
static bool read_link(const struct pci_bus *bus, const char *address, const char *name, char *text,
		      size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *last;
	ssize_t got;

	path_of(bus, address, name, path, sizeof path);
	got = readlink(path, target, sizeof target - 1);
	text[0] = '\0';
	if (got < 0)
		return false;
	target[got] = '\0';
	last = strrchr(target, '/');
	last = last ? last + 1 : target;
	snprintf(text, size, "%.*s", (int)(size - 1), last);
	return true;
}

/* The first name in a folder of the function's; "" when there is none. */
static void read_folder(const struct pci_bus *bus, const char *address, const char *name,
			char text[PCI_BUS_WORD_MAX])
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	text[0] = '\0';
	path_of(bus, address, name, path, sizeof path);
	dir = opendir(path);
	while (dir && !text[0] && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			snprintf(text, PCI_BUS_WORD_MAX, "%.*s", PCI_BUS_WORD_MAX - 1,
				 entry->d_name);
	}
	if (dir)
		closedir(dir);
}

/* Whether the host uses the interface: IFF_UP. */
static bool interface_is_up(const struct pci_bus *bus, const struct pci_bus_function *f)
{
	char name[PCI_BUS_WORD_MAX + 16];

	if (!f->interface[0])
		return false;
	snprintf(name, sizeof name, "net/%s/flags", f->interface);
	return read_number(bus, f->address, name, 0) & 1;
}

static void read_vfio(const struct pci_bus *bus, struct pci_bus_function *f)
{
	f->vfio_group[0] = f->vfio_device[0] = '\0';
	if (f->group != PCI_BUS_NO_GROUP)
		snprintf(f->vfio_group, sizeof f->vfio_group, "%d", f->group);
	if (strcmp(f->driver, "vfio-pci") == 0)
		read_folder(bus, f->address, "vfio-dev", f->vfio_device);
}

/* A function that is gone reads all ones; so do a VF's IDs, but not its header type. */
static bool does_answer(const struct pci_bus *bus, const char *address)
{
	uint8_t header[16] = { 0 };

	return pci_bus_config(bus, address, header, sizeof header) == (int)sizeof header &&
	       header[14] != 0xff;
}

/* Which of its PF's links leads here. */
static unsigned index_of_vf(const struct pci_bus *bus, const struct pci_bus_function *f)
{
	char name[32], target[PCI_BUS_ADDRESS_MAX];

	for (unsigned vf = 0; vf < PCI_BUS_FUNCTIONS_MAX; vf++) {
		snprintf(name, sizeof name, "virtfn%u", vf);
		if (!read_link(bus, f->pf, name, target, sizeof target))
			break;
		if (strcmp(target, f->address) == 0)
			return vf;
	}
	return 0;
}

/* Of sriov_numvfs, Linux waits for the function's driver: as long as a guest likes when the card is
 * unplugged under it. */
static unsigned count_vfs(const struct pci_bus *bus, const char *pf)
{
	char path[PATH_MAX];
	struct dirent *entry;
	unsigned count = 0;
	DIR *dir;

	path_of(bus, pf, "", path, sizeof path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) != NULL)
		count += strncmp(entry->d_name, "virtfn", 6) == 0;
	if (dir)
		closedir(dir);
	return count;
}

void pci_bus_override(const struct pci_bus *bus, const char *address,
		      char override[PCI_BUS_WORD_MAX])
{
	read_text(bus, address, "driver_override", override, PCI_BUS_WORD_MAX);
	if (strcmp(override, "(null)") == 0)
		override[0] = '\0';
}

/* Reads nothing for which Linux takes the device's lock: its driver may hold that for long. */
static void read_function(const struct pci_bus *bus, const char *address,
			  struct pci_bus_function *f)
{
	char group[16];

	memset(f, 0, sizeof *f);
	snprintf(f->address, sizeof f->address, "%s", address);
	f->vendor = (uint16_t)read_number(bus, address, "vendor", 0xffff);
	f->device = (uint16_t)read_number(bus, address, "device", 0xffff);
	f->subsystem_vendor = (uint16_t)read_number(bus, address, "subsystem_vendor", 0);
	f->subsystem = (uint16_t)read_number(bus, address, "subsystem_device", 0);
	f->class_code = (uint32_t)read_number(bus, address, "class", 0);
	f->numa_node = (int)read_number(bus, address, "numa_node", -1);
	f->vfs_total = (unsigned)read_number(bus, address, "sriov_totalvfs", 0);
	f->vfs = f->vfs_total ? count_vfs(bus, address) : 0;
	read_link(bus, address, "driver", f->driver, sizeof f->driver);
	f->group = read_link(bus, address, "iommu_group", group, sizeof group)
			   ? (int)strtol(group, NULL, 10)
			   : PCI_BUS_NO_GROUP;
	read_link(bus, address, "physfn", f->pf, sizeof f->pf);
	read_folder(bus, address, "net", f->interface);
	f->interface_up = interface_is_up(bus, f);
	read_vfio(bus, f);
	f->answers = does_answer(bus, address);
}

/* "0000:3b:00.0" and nothing else: a name that a path is made of. */
bool pci_bus_is_address(const char *name)
{
	static const char form[] = "hhhh:hh:hh.h";

	if (strlen(name) != sizeof form - 1)
		return false;
	for (unsigned i = 0; form[i]; i++) {
		if (form[i] == 'h' ? !isxdigit((unsigned char)name[i]) : name[i] != form[i])
			return false;
	}
	return true;
}

static int by_address(const void *a, const void *b)
{
	return strcmp(((const struct pci_bus_function *)a)->address,
		      ((const struct pci_bus_function *)b)->address);
}

bool pci_bus_look(const struct pci_bus *bus, const char *address, struct pci_bus_function *f)
{
	char path[PATH_MAX];

	memset(f, 0, sizeof *f);
	if (!pci_bus_is_address(address))
		return false;
	path_of(bus, address, "config", path, sizeof path);
	if (access(path, F_OK) != 0)
		return false;
	read_function(bus, address, f);
	return true;
}

bool pci_bus_vf_address(const struct pci_bus *bus, const char *pf, unsigned vf,
			char address[PCI_BUS_ADDRESS_MAX])
{
	char name[32];

	snprintf(name, sizeof name, "virtfn%u", vf);
	return read_link(bus, pf, name, address, PCI_BUS_ADDRESS_MAX) &&
	       pci_bus_is_address(address);
}

int pci_bus_config(const struct pci_bus *bus, const char *address, uint8_t *bytes, size_t size)
{
	char path[PATH_MAX];
	ssize_t got;
	int fd;

	path_of(bus, address, "config", path, sizeof path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = read(fd, bytes, size);
	if (got < 0)
		got = -errno;
	close(fd);
	return (int)got;
}

int pci_bus_autoprobe(const struct pci_bus *bus, const char *pf)
{
	return (int)read_number(bus, pf, "sriov_drivers_autoprobe", -1);
}

int pci_bus_read(struct pci_bus *bus, const char *sysfs, struct refusal *why)
{
	return pci_bus_read_by(bus, sysfs, &pci_hand_kernel, why);
}

int pci_bus_read_by(struct pci_bus *bus, const char *sysfs, const struct pci_hand *hand,
		    struct refusal *why)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	*bus = (struct pci_bus){ .sysfs = sysfs, .hand = hand };
	snprintf(path, sizeof path, "%s/bus/pci/devices", sysfs);
	dir = opendir(path);
	if (!dir) {
		int err = errno;

		refuse(why, "",
		       "cannot read %.200s: %s: this machine has no PCI, or sysfs is not "
		       "mounted",
		       path, strerror(err));
		return -err;
	}
	bus->functions = calloc(PCI_BUS_FUNCTIONS_MAX, sizeof *bus->functions);
	while (bus->functions && bus->count < PCI_BUS_FUNCTIONS_MAX &&
	       (entry = readdir(dir)) != NULL) {
		struct pci_bus_function *f = &bus->functions[bus->count];

		if (!pci_bus_is_address(entry->d_name))
			continue;
		read_function(bus, entry->d_name, f);
		f->vf = f->pf[0] ? index_of_vf(bus, f) : 0;
		bus->count++;
	}
	closedir(dir);
	if (!bus->functions) {
		refuse(why, "", "no memory");
		return -ENOMEM;
	}
	qsort(bus->functions, bus->count, sizeof *bus->functions, by_address);
	return 0;
}

void pci_bus_free(struct pci_bus *bus)
{
	free(bus->functions);
	bus->functions = NULL;
	bus->count = 0;
}

const struct pci_bus_function *pci_bus_find(const struct pci_bus *bus, const char *address)
{
	bool is_short = strlen(address) == strlen("00:00.0");
	char full[PCI_BUS_ADDRESS_MAX];

	if (!is_short && strlen(address) != strlen("0000:00:00.0"))
		return NULL;
	snprintf(full, sizeof full, "%s%.12s", is_short ? "0000:" : "", is_short ? address : "");
	if (!is_short)
		memcpy(full, address, strlen("0000:00:00.0") + 1);
	for (unsigned i = 0; i < bus->count; i++) {
		if (strcasecmp(bus->functions[i].address, full) == 0)
			return &bus->functions[i];
	}
	return NULL;
}

const struct pci_bus_function *pci_bus_vf(const struct pci_bus *bus,
					  const struct pci_bus_function *pf, unsigned vf)
{
	for (unsigned i = 0; i < bus->count; i++) {
		if (strcmp(bus->functions[i].pf, pf->address) == 0 && bus->functions[i].vf == vf)
			return &bus->functions[i];
	}
	return NULL;
}
