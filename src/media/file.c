/* Opening a file or block device as a medium: its geometry, a lock, and what carries requests. */
#include "media/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	LOCK_TRIES = 300, /* 10 ms apart */
};

static int open_flags(const struct medium_conf *conf)
{
	int flags = conf->access == MEDIUM_READ_ONLY ? O_RDONLY : O_RDWR;

	return flags | O_CLOEXEC | (conf->size ? O_CREAT : 0);
}

/* Opens past the page cache where that is asked and possible. */
static int open_file(struct file_medium *f, const struct medium_conf *conf, struct refusal *why)
{
	int err;

	if (conf->cache != MEDIUM_CACHED) {
		f->fd = open(conf->path, open_flags(conf) | O_DIRECT, 0600);
		f->direct = f->fd >= 0;
	}
	if (f->fd < 0 && (conf->cache == MEDIUM_CACHED ||
			  (conf->cache == MEDIUM_DIRECT_IF_CAN && errno == EINVAL)))
		f->fd = open(conf->path, open_flags(conf), 0600);
	if (f->fd >= 0)
		return 0;
	err = -errno;
	if (err == -EINVAL && conf->cache == MEDIUM_DIRECT)
		refuse(why, "cache", "the file system of '%s' has no direct I/O", conf->path);
	else
		refuse(why, "path", "cannot open '%s': %s", conf->path, strerror(-err));
	return err;
}

/* Of a file in memory there is nothing to go past, and its data is moved at once: unless somebody asks for a
 * way. */
static void ask_whether_in_memory(struct file_medium *f, const struct medium_conf *conf)
{
	struct statfs system;
	struct stat st;

	/* A device's node may lie on one of these file systems, too. */
	f->in_memory = conf->carrier == MEDIUM_BY_RING_IF_CAN && fstat(f->fd, &st) == 0 &&
		       S_ISREG(st.st_mode) && fstatfs(f->fd, &system) == 0 &&
		       (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC);
	if (!f->in_memory || !f->direct)
		return;
	f->direct = false;
	(void)fcntl(f->fd, F_SETFL, fcntl(f->fd, F_GETFL) & ~O_DIRECT);
}

/* A killed program's ring keeps its file, and so the lock, until what it had begun has ended: then, and not
 * before, the file may be used. */
static int take_lock(struct file_medium *f, const struct medium_conf *conf, struct refusal *why)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int how = conf->access == MEDIUM_READ_ONLY ? LOCK_SH : LOCK_EX;

	for (unsigned tries = 0; tries < LOCK_TRIES; tries++) {
		if (flock(f->fd, how | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			break;
		(void)nanosleep(&pause, NULL);
	}
	refuse(why, "path", errno == EWOULDBLOCK ? "'%s' is in use by another program" :
						   "cannot lock '%s'", conf->path);
	return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

static int block_device_geometry(struct file_medium *f)
{
	struct medium *m = &f->any.medium;
	unsigned physical = 0;
	int logical = 0;

	if (ioctl(f->fd, BLKGETSIZE64, &m->size) < 0 || ioctl(f->fd, BLKSSZGET, &logical) < 0)
		return -errno;
	if (ioctl(f->fd, BLKPBSZGET, &physical) < 0)
		physical = (unsigned)logical;
	m->block_size = (uint32_t)logical;
	m->physical_block_size = physical;
	m->discard_granularity = PAGE; /* a device that cannot answers so, and that is no harm */
	return 0;
}

static int regular_geometry(struct file_medium *f, const struct medium_conf *conf, uint64_t size)
{
	struct medium *m = &f->any.medium;

	if (size == 0 && conf->size) {
		if (ftruncate(f->fd, (off_t)conf->size) < 0)
			return -errno;
		size = conf->size;
	}
	m->size = size;
	m->block_size = 512;
	m->physical_block_size = PAGE;
	m->discard_granularity = PAGE;
	return 0;
}

/* What direct I/O demands of addresses and offsets. */
static void ask_alignment(struct file_medium *f)
{
	struct medium *m = &f->any.medium;
	struct statx st = { 0 };

	f->memory_align = 1;
	if (!f->direct)
		return;
	f->memory_align = 512;
	if (statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) == 0 &&
	    st.stx_mask & STATX_DIOALIGN && st.stx_dio_mem_align) {
		f->memory_align = st.stx_dio_mem_align;
		if (st.stx_dio_offset_align > m->block_size)
			m->block_size = st.stx_dio_offset_align;
	}
}

static int ask_geometry(struct file_medium *f, const struct medium_conf *conf, struct refusal *why)
{
	struct medium *m = &f->any.medium;
	struct stat st;
	int err = 0;

	if (fstat(f->fd, &st) < 0)
		err = -errno;
	else if (S_ISBLK(st.st_mode))
		err = block_device_geometry(f);
	else if (S_ISREG(st.st_mode))
		err = regular_geometry(f, conf, (uint64_t)st.st_size);
	else
		err = -ENOTBLK;
	if (err) {
		refuse(why, "path", "'%s' cannot be a medium: %s", conf->path,
		       err == -ENOTBLK ? "it is neither a file nor a block device" : strerror(-err));
		return err;
	}
	ask_alignment(f);
	m->size = m->size / m->block_size * m->block_size;
	if (m->size == 0 || (m->block_size != 512 && m->block_size != PAGE)) {
		refuse(why, "path", "'%s' has %llu bytes in blocks of %u: 512 or 4096 are possible",
		       conf->path, (unsigned long long)m->size, m->block_size);
		return -EINVAL;
	}
	m->alignment = f->memory_align;
	m->transfer_max = FILE_TRANSFER_MAX;
	m->read_only = conf->access == MEDIUM_READ_ONLY;
	m->volatile_cache = true;
	return 0;
}

static int get_memory(struct file_medium *f)
{
	size_t size = (size_t)FILE_BOUNCES * FILE_TRANSFER_MAX + FILE_ZEROES;

	f->ios = calloc(FILE_DEPTH, sizeof *f->ios);
	f->bounces = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f->bounces == MAP_FAILED)
		f->bounces = NULL;
	if (!f->ios || !f->bounces)
		return -ENOMEM;
	f->zeroes = f->bounces + (size_t)FILE_BOUNCES * FILE_TRANSFER_MAX;
	for (unsigned i = FILE_DEPTH; i-- > 0;) {
		f->ios[i].next_free = f->free_ios;
		f->free_ios = &f->ios[i];
	}
	for (unsigned i = 0; i < FILE_BOUNCES; i++)
		f->free_bounce[f->free_bounces++] = i;
	return 0;
}

/* The ring where that is allowed and possible, else threads. */
static int open_carrier(struct file_medium *f, const struct medium_conf *conf, struct refusal *why)
{
	int err = -ENOSYS;

	f->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->wake_fd < 0)
		return -errno;
	if (conf->carrier != MEDIUM_BY_THREADS) {
		f->carrier = &file_ring_carrier;
		err = f->carrier->open(f, &f->no_ring);
		if (err == 0)
			return 0;
		f->carrier->close(f);
	}
	if (conf->carrier == MEDIUM_BY_RING) {
		refuse(why, "", "%s: threads need none", f->no_ring.text);
		return err == -EPERM || err == -EACCES ? -ENOSYS : err;
	}
	f->carrier = &file_pool_carrier;
	f->any.note = f->no_ring.text;
	return f->carrier->open(f, why);
}

static const char *how_of(const struct file_medium *f)
{
	if (f->in_memory)
		return f->carrier == &file_ring_carrier ? "memory file, io_uring" : "memory file, threads";
	if (f->carrier == &file_ring_carrier)
		return f->direct ? "direct I/O, io_uring" : "page cache, io_uring";
	return f->direct ? "direct I/O, threads" : "page cache, threads";
}

static void close_file(struct any_medium *any)
{
	struct file_medium *f = (struct file_medium *)any;

	if (f->carrier)
		f->carrier->close(f);
	/* The ring keeps the file for a while after its end, and a lock goes with the last user. */
	if (f->fd >= 0)
		(void)flock(f->fd, LOCK_UN);
	if (f->wake_fd >= 0)
		(void)close(f->wake_fd);
	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->bounces)
		munmap(f->bounces, (size_t)FILE_BOUNCES * FILE_TRANSFER_MAX + FILE_ZEROES);
	free(f->ios);
	free(f);
}

static bool is_idle(const struct any_medium *any)
{
	struct file_medium *f = (struct file_medium *)(uintptr_t)any;

	/* relaxed: a look only; who closes has taken the card from its worker before */
	return atomic_load_explicit(&f->in_flight, memory_order_relaxed) == 0;
}

int file_medium_open(struct medium **medium, const struct medium_conf *conf, struct refusal *why)
{
	struct file_medium *f = calloc(1, sizeof *f);
	int err;

	if (!f)
		return -ENOMEM;
	f->fd = f->wake_fd = -1;
	f->any.close = close_file;
	f->any.is_idle = is_idle;
	err = open_file(f, conf, why);
	if (!err)
		ask_whether_in_memory(f, conf);
	if (!err)
		err = take_lock(f, conf, why);
	if (!err)
		err = ask_geometry(f, conf, why);
	if (!err)
		err = get_memory(f);
	if (!err)
		err = open_carrier(f, conf, why);
	if (err) {
		close_file(&f->any);
		return err;
	}
	f->any.how = how_of(f);
	f->any.say_error = file_say_error;
	f->any.medium.ops = &file_medium_ops;
	f->any.medium.wake_fd = f->wake_fd;
	*medium = &f->any.medium;
	return 0;
}
