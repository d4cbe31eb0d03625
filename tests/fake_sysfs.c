#include "tests/fake_sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 65536, CONFIG_BYTES = 64, HEADER_TYPE = 14 };

static const char *text_of(const char *path)
{
	static char texts[4][TEXT_MAX];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	FILE *in = fopen(path, "r");
	size_t got = in ? fread(text, 1, TEXT_MAX - 1, in) : 0;

	if (in)
		fclose(in);
	text[got] = '\0';
	if (got && strchr(text, '\n') == text + got - 1)
		text[got - 1] = '\0'; /* one line is its text */
	return text;
}

static void put(const char *path, const char *mode, const char *text, size_t size)
{
	FILE *out = fopen(path, mode);

	must(out != NULL);
	must(fwrite(text, 1, size, out) == size);
	must(fclose(out) == 0);
}

static void put_text(const char *path, const char *text)
{
	put(path, "w", text, strlen(text));
}

static void device_path(const struct fake_sysfs *fake, const char *address, const char *name,
			char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/bus/pci/devices/%s/%s", fake->sysfs, address, name);
}

static void make_dir(const char *path)
{
	must(mkdir(path, 0755) == 0 || errno == EEXIST);
}

static void make_dirs(const struct fake_sysfs *fake, const char *const *names)
{
	char path[PATH_MAX];

	for (; *names; names++) {
		snprintf(path, sizeof path, "%s/%s", fake->root, *names);
		make_dir(path);
	}
}

static void note(const struct fake_sysfs *fake, const char *file, const char *format, ...)
	printf_like(3, 4);

static void note(const struct fake_sysfs *fake, const char *file, const char *format, ...)
{
	char path[PATH_MAX], text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	snprintf(path, sizeof path, "%s/%s", fake->root, file);
	put(path, "a", text, strlen(text));
}

/* -- functions -- */

static void put_config(const struct fake_sysfs *fake, const char *address, int byte, int type)
{
	char path[PATH_MAX], config[CONFIG_BYTES];

	memset(config, byte, sizeof config);
	config[HEADER_TYPE] = (char)type;
	device_path(fake, address, "config", path);
	put(path, "w", config, sizeof config);
}

static void link_to(const struct fake_sysfs *fake, const char *address, const char *name,
		    const char *target)
{
	char path[PATH_MAX];

	device_path(fake, address, name, path);
	unlink(path);
	must(symlink(target, path) == 0);
}

static void set_driver(const struct fake_sysfs *fake, const char *address, const char *driver)
{
	char target[PATH_MAX], path[PATH_MAX];

	device_path(fake, address, "driver", path);
	unlink(path);
	snprintf(target, sizeof target, "../../../bus/pci/drivers/%s", driver);
	if (driver[0])
		link_to(fake, address, "driver", target);
}

static unsigned new_group(const struct fake_sysfs *fake)
{
	char path[PATH_MAX], text[16];
	unsigned group;

	snprintf(path, sizeof path, "%s/groups", fake->root);
	group = (unsigned)strtoul(text_of(path), NULL, 10) + 1;
	snprintf(text, sizeof text, "%u", group);
	put_text(path, text);
	return group;
}

static void add_function(const struct fake_sysfs *fake, const char *address, unsigned group)
{
	static const char *const files[][2] = {
		{ "vendor", "0x1af4\n" },  { "device", "0x10ed\n" },
		{ "class", "0x020000\n" }, { "driver_override", "(null)\n" },
		{ "numa_node", "-1\n" },
	};
	char path[PATH_MAX], target[64];

	device_path(fake, address, "", path);
	make_dir(path);
	for (size_t i = 0; i < array_len(files); i++) {
		device_path(fake, address, files[i][0], path);
		put_text(path, files[i][1]);
	}
	put_config(fake, address, 0, 0);
	snprintf(target, sizeof target, "../../../kernel/iommu_groups/%u", group);
	link_to(fake, address, "iommu_group", target);
}

static void put_flags(const struct fake_sysfs *fake, const char *address, const char *interface,
		      const char *flags)
{
	char path[PATH_MAX], name[64];

	snprintf(name, sizeof name, "net/%s/flags", interface);
	device_path(fake, address, name, path);
	put_text(path, flags);
}

void fake_sysfs_add_pf(struct fake_sysfs *fake, const char *address, unsigned vfs_total,
		       const char *interface)
{
	char path[PATH_MAX], text[32];

	add_function(fake, address, new_group(fake));
	set_driver(fake, address, "pfdrv");
	device_path(fake, address, "sriov_totalvfs", path);
	snprintf(text, sizeof text, "%u\n", vfs_total);
	put_text(path, text);
	device_path(fake, address, "sriov_numvfs", path);
	put_text(path, "0\n");
	device_path(fake, address, "sriov_drivers_autoprobe", path);
	put_text(path, "1\n");
	if (!interface[0])
		return;
	device_path(fake, address, "net", path);
	make_dir(path);
	snprintf(text, sizeof text, "net/%s", interface);
	device_path(fake, address, text, path);
	make_dir(path);
	put_flags(fake, address, interface, "0x1003\n");
}

/* "0000:01:00.0" has VFs 0000:01:00.1, .2 ... */
static void vf_address(const char *pf, unsigned vf, char address[16])
{
	snprintf(address, 16, "%.8s%02x.%x", pf, (vf + 1) / 8 % 32, (vf + 1) % 8);
}

static void add_vf(const struct fake_sysfs *fake, const char *pf, unsigned vf)
{
	char address[16], name[32], target[32], path[PATH_MAX];

	vf_address(pf, vf, address);
	device_path(fake, address, "", path);
	path[strlen(path) - 1] = '\0';
	add_function(fake, address, new_group(fake));
	snprintf(target, sizeof target, "../%s", pf);
	link_to(fake, address, "physfn", target);
	snprintf(target, sizeof target, "../%s", address);
	snprintf(name, sizeof name, "virtfn%u", vf);
	link_to(fake, pf, name, target);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool is_used(const struct fake_sysfs *fake, const char *address)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/users/%s", fake->root, address);
	return access(path, F_OK) == 0;
}

static void remove_vfs(const struct fake_sysfs *fake, const char *pf)
{
	char address[16], name[32], path[PATH_MAX];

	for (unsigned vf = 0; vf < 256; vf++) {
		snprintf(name, sizeof name, "virtfn%u", vf);
		device_path(fake, pf, name, path);
		if (unlink(path) != 0)
			continue;
		vf_address(pf, vf, address);
		if (is_used(fake, address))
			note(fake, "violations", "%s taken away from its user\n", address);
		device_path(fake, address, "", path);
		remove_tree(path);
	}
}

/* -- what Linux does when its files are written -- */

static void probe(const struct fake_sysfs *fake, const char *address)
{
	const char *override = fake_sysfs_file(fake, address, "driver_override");
	char pf[PATH_MAX], path[PATH_MAX];
	ssize_t got;

	device_path(fake, address, "physfn", path);
	got = readlink(path, pf, sizeof pf - 1);
	if (fake_sysfs_driver(fake, address)[0])
		return;
	if (strcmp(override, "(null)") != 0) {
		snprintf(path, sizeof path, "%s/bus/pci/drivers/%s", fake->sysfs, override);
		if (access(path, F_OK) == 0)
			set_driver(fake, address, override);
		return;
	}
	if (got > 0)
		pf[got] = '\0';
	if (got > 0 &&
	    strcmp(fake_sysfs_file(fake, strrchr(pf, '/') + 1, "sriov_drivers_autoprobe"), "0") ==
		    0)
		return;
	set_driver(fake, address, got > 0 ? "vfdrv" : "pfdrv");
}

static int set_numvfs(const struct fake_sysfs *fake, const char *pf, const char *text)
{
	unsigned long count = strtoul(text, NULL, 10);
	unsigned long now = strtoul(fake_sysfs_file(fake, pf, "sriov_numvfs"), NULL, 10);
	bool autoprobe = strcmp(fake_sysfs_file(fake, pf, "sriov_drivers_autoprobe"), "1") == 0;
	char path[PATH_MAX], address[16];

	if (count && now)
		return -EBUSY;
	if (!count)
		remove_vfs(fake, pf);
	for (unsigned vf = 0; vf < count; vf++) {
		add_vf(fake, pf, vf);
		vf_address(pf, vf, address);
		if (autoprobe)
			set_driver(fake, address, "vfdrv");
	}
	device_path(fake, pf, "sriov_numvfs", path);
	put_text(path, text);
	return 0;
}

static int write_device(const struct fake_sysfs *fake, const char *address, const char *name,
			const char *text)
{
	char path[PATH_MAX];

	device_path(fake, address, name, path);
	if (access(path, F_OK) != 0)
		return -ENOENT;
	if (strcmp(name, "sriov_numvfs") == 0)
		return set_numvfs(fake, address, text);
	if (strcmp(name, "driver_override") == 0 && strcmp(text, "\n") == 0)
		text = "(null)\n";
	put_text(path, text);
	return 0;
}

static int unbind(const struct fake_sysfs *fake, const char *driver, const char *address)
{
	if (strcmp(fake_sysfs_driver(fake, address), driver) != 0)
		return -ENODEV;
	if (is_used(fake, address))
		note(fake, "violations", "%s unbound under its user\n", address);
	set_driver(fake, address, "");
	return 0;
}

/* From that step on nothing can be changed any more: as if the process had ended before it. */
static int step(struct fake_sysfs *fake)
{
	return fake->stop_before && ++fake->steps >= fake->stop_before ? -EIO : 0;
}

static int write_sysfs(void *owner, const char *path, const char *text)
{
	struct fake_sysfs *fake = owner;
	const char *below = path + strlen(fake->sysfs) + strlen("/bus/pci/");
	char first[64] = "", name[64] = "", line[64];

	if (step(fake))
		return -EIO;
	snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
	must(strncmp(path, fake->sysfs, strlen(fake->sysfs)) == 0);
	note(fake, "log", "%s %s\n", below, line);
	if (sscanf(below, "devices/%63[^/]/%63s", first, name) == 2)
		return write_device(fake, first, name, text);
	if (sscanf(below, "drivers/%63[^/]/%63s", first, name) == 2 && strcmp(name, "unbind") == 0)
		return unbind(fake, first, line);
	must(strcmp(below, "drivers_probe") == 0);
	probe(fake, line);
	return 0;
}

static int set_link(void *owner, const char *interface, unsigned vf, const struct vf_link *link,
		    struct refusal *why)
{
	struct fake_sysfs *fake = owner;
	unsigned long long mac = 0;
	unsigned vlan = 0, rate = 0;
	char path[PATH_MAX], text[64];

	if (step(fake))
		return -EIO;
	note(fake, "log", "link %s %u set %u\n", interface, vf, link->set);
	if (link->set & VF_LINK_RATE && fake->refuse_rate) {
		refuse(why, "", "the driver of %s does not take that", interface);
		return -EOPNOTSUPP;
	}
	if (link->set & VF_LINK_RATE && fake->no_link) {
		fake->no_link--;
		refuse(why, "", "%s has no link", interface);
		return -ENOLINK;
	}
	snprintf(path, sizeof path, "%s/told/%s-%u", fake->root, interface, vf);
	(void)sscanf(text_of(path), "%llx %u %u", &mac, &vlan, &rate);
	if (link->set & VF_LINK_MAC)
		mac = link->mac;
	if (link->set & VF_LINK_VLAN)
		vlan = link->vlan;
	if (link->set & VF_LINK_RATE)
		rate = link->rate_mbps;
	snprintf(text, sizeof text, "%llx %u %u", mac, vlan, rate);
	put_text(path, text);
	return 0;
}

/* Of whichever function has that interface. */
static int raise_interface(void *owner, const char *interface, struct refusal *why)
{
	struct fake_sysfs *fake = owner;
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	(void)why;
	if (step(fake))
		return -EIO;
	note(fake, "log", "raise %s\n", interface);
	snprintf(path, sizeof path, "%s/bus/pci/devices", fake->sysfs);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) != NULL) {
		char name[64];

		snprintf(name, sizeof name, "net/%s", interface);
		device_path(fake, entry->d_name, name, path);
		if (access(path, F_OK) == 0)
			put_flags(fake, entry->d_name, interface, "0x1003\n");
	}
	if (dir)
		closedir(dir);
	return 0;
}

static void count_pause(void *owner, unsigned ms)
{
	struct fake_sysfs *fake = owner;

	fake->paused_ms += ms;
}

static void read_users(void *owner, struct pci_users *users)
{
	struct fake_sysfs *fake = owner;
	char path[PATH_MAX], target[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	users->count = 0;
	snprintf(path, sizeof path, "%s/users", fake->root);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) != NULL) {
		struct pci_user *user = &users->user[users->count];
		ssize_t got;

		device_path(fake, entry->d_name, "iommu_group", path);
		got = entry->d_name[0] == '.' ? 0 : readlink(path, target, sizeof target - 1);
		if (got <= 0)
			continue;
		target[got] = '\0';
		*user = (struct pci_user){ .name = "guest", .pid = 4711 };
		snprintf(user->node, sizeof user->node, "%s", strrchr(target, '/') + 1);
		users->count++;
	}
	if (dir)
		closedir(dir);
}

static int remember(void *owner)
{
	return step(owner);
}

/* -- the world -- */

void fake_sysfs_make(struct fake_sysfs *fake)
{
	static const char *const dirs[] = {
		"sys",
		"sys/bus",
		"sys/bus/pci",
		"sys/bus/pci/devices",
		"sys/bus/pci/drivers",
		"sys/bus/pci/drivers/vfio-pci",
		"sys/bus/pci/drivers/pfdrv",
		"sys/bus/pci/drivers/vfdrv",
		"run",
		"users",
		"told",
		NULL,
	};

	*fake = (struct fake_sysfs){ .hand = { .write = write_sysfs,
					       .link = set_link,
					       .raise = raise_interface,
					       .pause = count_pause,
					       .users = read_users,
					       .remember = remember } };
	fake->hand.owner = fake;
	/* in memory where there is such a place: a file system that writes is a hundred times
	 * slower */
	snprintf(fake->root, sizeof fake->root, "%s/fake-sysfs-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(fake->root) != NULL);
	snprintf(fake->sysfs, sizeof fake->sysfs, "%s/sys", fake->root);
	snprintf(fake->run, sizeof fake->run, "%s/run", fake->root);
	make_dirs(fake, dirs);
}

void fake_sysfs_remove(struct fake_sysfs *fake)
{
	remove_tree(fake->root);
}

void fake_sysfs_add_vfs(struct fake_sysfs *fake, const char *pf, unsigned count)
{
	char text[16];

	snprintf(text, sizeof text, "%u\n", count);
	must(set_numvfs(fake, pf, text) == 0);
}

void fake_sysfs_lower(struct fake_sysfs *fake, const char *address, const char *interface)
{
	put_flags(fake, address, interface, "0x1002\n");
}

bool fake_sysfs_is_up(const struct fake_sysfs *fake, const char *address, const char *interface)
{
	char name[64];

	snprintf(name, sizeof name, "net/%s/flags", interface);
	return strtoul(fake_sysfs_file(fake, address, name), NULL, 0) & 1;
}

void fake_sysfs_unplug(struct fake_sysfs *fake, const char *address)
{
	char path[PATH_MAX];

	remove_vfs(fake, address);
	device_path(fake, address, "", path);
	remove_tree(path);
}

void fake_sysfs_silence(struct fake_sysfs *fake, const char *address, bool silent)
{
	put_config(fake, address, silent ? 0xff : 0, silent ? 0xff : 0);
}

void fake_sysfs_use(struct fake_sysfs *fake, const char *address, bool use)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/users/%s", fake->root, address);
	if (use)
		put_text(path, "");
	else
		unlink(path);
}

void fake_sysfs_join(struct fake_sysfs *fake, const char *address, const char *other)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t got;

	device_path(fake, other, "iommu_group", path);
	got = readlink(path, target, sizeof target - 1);
	must(got > 0);
	target[got] = '\0';
	link_to(fake, address, "iommu_group", target);
}

const char *fake_sysfs_driver(const struct fake_sysfs *fake, const char *address)
{
	static char target[PATH_MAX];
	char path[PATH_MAX];
	ssize_t got;

	device_path(fake, address, "config", path);
	if (access(path, F_OK) != 0)
		return "gone";
	device_path(fake, address, "driver", path);
	got = readlink(path, target, sizeof target - 1);
	if (got < 0)
		return "";
	target[got] = '\0';
	return strrchr(target, '/') + 1;
}

const char *fake_sysfs_told(const struct fake_sysfs *fake, const char *interface, unsigned vf)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/told/%s-%u", fake->root, interface, vf);
	return text_of(path);
}

const char *fake_sysfs_file(const struct fake_sysfs *fake, const char *address, const char *name)
{
	char path[PATH_MAX];

	device_path(fake, address, name, path);
	return text_of(path);
}

const char *fake_sysfs_log(const struct fake_sysfs *fake)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/log", fake->root);
	return text_of(path);
}

const char *fake_sysfs_violations(const struct fake_sysfs *fake)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/violations", fake->root);
	return text_of(path);
}

void fake_sysfs_state(const struct fake_sysfs *fake, char *text, size_t size)
{
	struct dirent **entries;
	char path[PATH_MAX];
	size_t at = 0;
	int count;

	snprintf(path, sizeof path, "%s/bus/pci/devices", fake->sysfs);
	count = scandir(path, &entries, NULL, alphasort);
	text[0] = '\0';
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (name[0] != '.' && at < size)
			at += (size_t)snprintf(
				text + at, size - at, "%s %s %s %s\n", name,
				fake_sysfs_driver(fake, name),
				fake_sysfs_file(fake, name, "driver_override"),
				fake_sysfs_file(fake, name, "sriov_drivers_autoprobe"));
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}
