#include "prog/conform_sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	BARS = 6,
	VFS_OPEN_MAX = 2, /* a run looks at VF1 and VF2 */
	IORESOURCE_MEM = 0x200,
};

struct conform_sysfs {
	struct conform_target target;
	char dir[PATH_MAX];
	int config[1 + VFS_OPEN_MAX]; /* -1: there is none */
	uint8_t *bar[BARS];	      /* of the function itself; NULL: not mapped */
	uint64_t bar_size[BARS];
};

static struct conform_sysfs *of(struct conform_target *target)
{
	return container_of(target, struct conform_sysfs, target);
}

static bool is_address(const char *name)
{
	unsigned domain, bus, device, function;
	int end = 0;

	if (sscanf(name, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) == 4 &&
	    !name[end])
		return true;
	end = 0;
	return sscanf(name, "%2x:%2x.%1x%n", &bus, &device, &function, &end) == 3 && !name[end];
}

static void find_dir(const char *name, char *dir, size_t size)
{
	if (!is_address(name))
		snprintf(dir, size, "%s", name);
	else
		snprintf(dir, size, "/sys/bus/pci/devices/%s%s",
			 strlen(name) < strlen("0000:00:00.0") ? "0000:" : "", name);
}

bool conform_sysfs_is(const char *name)
{
	char dir[PATH_MAX - 16], config[PATH_MAX];
	struct stat st;

	if (is_address(name))
		return true;
	find_dir(name, dir, sizeof dir);
	snprintf(config, sizeof config, "%s/config", dir);
	return stat(config, &st) == 0 && S_ISREG(st.st_mode);
}

/* What a file of 256 bytes does not have is not there: zeroes, as of an empty chain. */
static int read_config(struct conform_target *target, unsigned function, unsigned offset,
		       unsigned size, uint32_t *value)
{
	struct conform_sysfs *s = of(target);
	uint8_t bytes[4] = { 0 };
	ssize_t got;

	*value = UINT32_MAX;
	if (function > VFS_OPEN_MAX || s->config[function] < 0)
		return 0;
	got = pread(s->config[function], bytes, size, offset);
	if (got < 0)
		return -errno;
	*value = (uint32_t)(bytes[0] | bytes[1] << 8 | bytes[2] << 16) | (uint32_t)bytes[3] << 24;
	return 0;
}

static int write_config(struct conform_target *target, unsigned function, unsigned offset,
			unsigned size, uint32_t value)
{
	struct conform_sysfs *s = of(target);
	uint8_t bytes[4] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
			     (uint8_t)(value >> 24) };

	if (function > VFS_OPEN_MAX || s->config[function] < 0)
		return 0;
	return pwrite(s->config[function], bytes, size, offset) < 0 ? -errno : 0;
}

static uint32_t *at_bar(struct conform_sysfs *s, unsigned function, unsigned bar, uint64_t offset)
{
	if (function || bar >= BARS || !s->bar[bar] || offset % 4 ||
	    offset > s->bar_size[bar] - sizeof(uint32_t))
		return NULL;
	return (uint32_t *)(void *)(s->bar[bar] + offset);
}

static int bar_read(struct conform_target *target, unsigned function, unsigned bar, uint64_t offset,
		    uint32_t *value)
{
	uint32_t *word = at_bar(of(target), function, bar, offset);

	if (!word)
		return -ENXIO;
	*value = __atomic_load_n(word, __ATOMIC_RELAXED);
	return 0;
}

static int bar_write(struct conform_target *target, unsigned function, unsigned bar,
		     uint64_t offset, uint32_t value)
{
	uint32_t *word = at_bar(of(target), function, bar, offset);

	if (!word)
		return -ENXIO;
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
	return 0;
}

static void wait(struct conform_target *target, uint64_t ns)
{
	struct timespec left = { .tv_sec = (time_t)(ns / 1000000000),
				 .tv_nsec = (long)(ns % 1000000000) };

	(void)target;
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

static uint64_t now(struct conform_target *target)
{
	struct timespec t;

	(void)target;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static const struct conform_target_ops ops = {
	.read = read_config,
	.write = write_config,
	.bar_read = bar_read,
	.bar_write = bar_write,
	.pause = wait,
	.now_ns = now,
};

/* Sizes of memory BARs, as the kernel found them: lines of first, last, flags. */
static void read_bars(struct conform_sysfs *s)
{
	char path[PATH_MAX + 16];
	unsigned long long first, last, flags;
	FILE *file;

	snprintf(path, sizeof path, "%s/resource", s->dir);
	file = fopen(path, "re");
	for (unsigned bar = 0; file && bar < BARS; bar++) {
		if (fscanf(file, "%llx %llx %llx", &first, &last, &flags) != 3)
			break;
		if (!(flags & IORESOURCE_MEM) || last <= first)
			continue;
		s->bar_size[bar] = s->target.bar_bytes[bar] = last - first + 1;
	}
	if (file)
		fclose(file);
}

static void map_bars(struct conform_sysfs *s)
{
	char path[PATH_MAX + 16];

	for (unsigned bar = 0; bar < BARS; bar++) {
		int fd;
		void *map;

		if (!s->bar_size[bar])
			continue;
		snprintf(path, sizeof path, "%s/resource%u", s->dir, bar);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		map = mmap(NULL, s->bar_size[bar], PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		s->bar[bar] = map == MAP_FAILED ? NULL : map;
		close(fd);
	}
}

static int check_driver(const struct conform_sysfs *s, struct refusal *why)
{
	char path[PATH_MAX + 16], driver[PATH_MAX];
	ssize_t size;

	snprintf(path, sizeof path, "%s/driver", s->dir);
	size = readlink(path, driver, sizeof driver - 1);
	if (size < 0)
		return 0;
	driver[size] = 0;
	refuse(why, "",
	       "driver %s uses it; destructive assertions would disturb it: unbind it first",
	       strrchr(driver, '/') ? strrchr(driver, '/') + 1 : driver);
	return -EBUSY;
}

static int open_config(struct conform_sysfs *s, enum conform_sysfs_use use, struct refusal *why)
{
	int flags = (use == CONFORM_SYSFS_DESTRUCTIVE ? O_RDWR : O_RDONLY) | O_CLOEXEC;
	char path[PATH_MAX + 16];
	struct stat st;
	uint8_t byte;

	snprintf(path, sizeof path, "%s/config", s->dir);
	s->config[0] = open(path, flags);
	if (s->config[0] < 0) {
		refuse(why, "", "cannot open %.200s: %s%s", path, strerror(errno),
		       errno == EACCES ? "; be root" : "");
		return -errno;
	}
	if (fstat(s->config[0], &st) == 0 && pread(s->config[0], &byte, 1, 64) != 1) {
		refuse(why, "", "only 64 bytes of %.200s can be read; be root", path);
		return -EACCES;
	}
	for (unsigned vf = 1; vf <= VFS_OPEN_MAX; vf++) {
		snprintf(path, sizeof path, "%s/virtfn%u/config", s->dir, vf - 1);
		s->config[vf] = open(path, flags);
	}
	return use == CONFORM_SYSFS_DESTRUCTIVE ? check_driver(s, why) : 0;
}

int conform_sysfs_open(struct conform_sysfs **sysfs, const char *name, enum conform_sysfs_use use,
		       struct refusal *why)
{
	struct conform_sysfs *s = calloc(1, sizeof *s);
	int err;

	if (!s) {
		refuse(why, "", "no memory");
		return -ENOMEM;
	}
	for (unsigned i = 0; i < array_len(s->config); i++)
		s->config[i] = -1;
	find_dir(name, s->dir, sizeof s->dir);
	err = open_config(s, use, why);
	if (err) {
		conform_sysfs_close(s);
		return err;
	}
	/* VFs appear by sriov_numvfs there, and not by a write to VF Enable. */
	s->target = (struct conform_target){ .ops = &ops,
					     .reaches_vfs = s->config[1] >= 0,
					     .keeps_vf_enable = true };
	read_bars(s);
	if (use == CONFORM_SYSFS_DESTRUCTIVE)
		map_bars(s);
	*sysfs = s;
	return 0;
}

void conform_sysfs_close(struct conform_sysfs *s)
{
	if (!s)
		return;
	for (unsigned bar = 0; bar < BARS; bar++) {
		if (s->bar[bar])
			munmap(s->bar[bar], s->bar_size[bar]);
	}
	for (unsigned i = 0; i < array_len(s->config); i++) {
		if (s->config[i] >= 0)
			close(s->config[i]);
	}
	free(s);
}

struct conform_target *conform_sysfs_target(struct conform_sysfs *s)
{
	return &s->target;
}
