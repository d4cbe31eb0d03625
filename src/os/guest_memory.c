#include "os/guest_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#define LIKE_SIZE (UINT64_C(1) << 30) /* the largest page that translates one address into another */

struct guest_mapping {
	_Atomic uintptr_t start; /* of the pages; 0: this place is free */
	size_t length;           /* bytes of the pages */
	uint8_t *bytes;          /* what the caller asked for lies here */
	void (*on_loss)(void *owner);
	void *owner;
	atomic_bool lost;
};

/* Fixed, so that the signal handler can walk it at any moment. */
static struct guest_mapping mappings[GUEST_MEMORY_MAPPINGS_MAX];
static _Atomic unsigned mappings_end; /* one past the highest place ever used */
static struct sigaction before;

static struct guest_mapping *mapping_of(uintptr_t addr)
{
	unsigned end = atomic_load(&mappings_end);

	for (unsigned i = 0; i < end; i++) {
		/* acquire pairs with the release in guest_memory_map: length is set */
		uintptr_t start = atomic_load_explicit(&mappings[i].start, memory_order_acquire);

		if (start && addr >= start && addr - start < mappings[i].length)
			return &mappings[i];
	}
	return NULL;
}

/* Puts zero pages over all of the mapping: one signal a mapping, whatever was cut off. */
static bool patch(struct guest_mapping *mapping)
{
	void *start = (void *)atomic_load(&mapping->start);

	if (mmap(start, mapping->length, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
		return false;
	if (!atomic_exchange(&mapping->lost, true) && mapping->on_loss)
		mapping->on_loss(mapping->owner);
	return true;
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	struct guest_mapping *mapping = mapping_of((uintptr_t)info->si_addr);
	int saved_errno = errno;

	(void)context;
	if (!mapping || !patch(mapping)) {
		/* Not guest memory: the instruction runs again and dies as it would have. */
		sigaction(number, &before, NULL);
		if (info->si_code <= 0) /* sent by somebody: it would not come again by itself */
			raise(number);
	}
	errno = saved_errno;
}

int guest_memory_guard(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO }, now;

	if (sigaction(SIGBUS, NULL, &now) != 0)
		return -errno;
	if (now.sa_sigaction == on_sigbus)
		return 0;
	sigemptyset(&action.sa_mask);
	before = now;
	return sigaction(SIGBUS, &action, NULL) ? -errno : 0;
}

static struct guest_mapping *free_place(void)
{
	for (unsigned i = 0; i < GUEST_MEMORY_MAPPINGS_MAX; i++)
		if (!atomic_load_explicit(&mappings[i].start, memory_order_relaxed))
			return &mappings[i];
	return NULL;
}

/* What offsets and lengths of this file's mappings must be multiples of. */
static int page_size_of(int fd, uint64_t *page_bytes)
{
	struct statfs fs;

	*page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	if (fstatfs(fd, &fs) != 0)
		return -errno;
	if ((unsigned long)fs.f_type == HUGETLBFS_MAGIC)
		*page_bytes = (uint64_t)fs.f_bsize;
	return 0;
}

/* Asks the kernel alone, never the file system: its server may be the lender (FUSE), and answer
 * neither here nor when a page is touched.  Files of memory have seals; one on a disk has a major
 * number; the rest of the regular ones may have anybody behind them. */
static int check_file(int fd, uint64_t offset, uint64_t size)
{
	bool memory = fcntl(fd, F_GET_SEALS) >= 0;
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_SIZE, &st) != 0)
		return -errno;
	/* A device (a VMM may lend one) tells no size: mmap decides. */
	if (!S_ISREG(st.stx_mode))
		return 0;
	if (!memory && st.stx_dev_major == 0)
		return -EPERM;
	return offset > st.stx_size || size > st.stx_size - offset ? -EINVAL : 0;
}

static void *map_anywhere(int fd, uint64_t offset, uint64_t length)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		    (off_t)offset);
}

/* Reserves more than is needed, puts the file where it belongs in it, and gives the rest back. */
static void *map_like(int fd, uint64_t offset, uint64_t length, uint64_t like)
{
	uint8_t *space = mmap(NULL, length + LIKE_SIZE, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t skipped;
	void *start;

	if (space == MAP_FAILED)
		return map_anywhere(fd, offset, length);
	skipped = (like - (uintptr_t)space) % LIKE_SIZE;
	start = mmap(space + skipped, length, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, (off_t)offset);
	if (start == MAP_FAILED) {
		int err = errno;

		munmap(space, length + LIKE_SIZE);
		errno = err;
		return MAP_FAILED;
	}
	if (skipped)
		munmap(space, skipped);
	munmap(space + skipped + length, LIKE_SIZE - skipped);
	return start;
}

/* 'like' is NULL where any place will do. */
static int map(int fd, uint64_t offset, uint64_t size, const uint64_t *like,
	       struct guest_mapping **mapping)
{
	struct guest_mapping *place = free_place();
	uint64_t page, skip, length;
	void *start;
	int err;

	if (size == 0 || offset + size < offset || offset + size > INT64_MAX)
		return -EINVAL;
	if (!place)
		return -ENOSPC;
	err = check_file(fd, offset, size);
	if (!err)
		err = page_size_of(fd, &page);
	if (err)
		return err;
	skip = offset % page;
	length = (skip + size + page - 1) / page * page;
	if (like && (*like - skip) % page == 0)
		start = map_like(fd, offset - skip, length, *like - skip);
	else
		start = map_anywhere(fd, offset - skip, length);
	if (start == MAP_FAILED)
		return -errno;
	/* A crash of ours must not write a guest's memory into a core file. */
	madvise(start, length, MADV_DONTDUMP);
	place->length = length;
	place->bytes = (uint8_t *)start + skip;
	place->on_loss = NULL;
	atomic_store(&place->lost, false);
	atomic_store_explicit(&place->start, (uintptr_t)start, memory_order_release); /* mapping_of */
	if ((unsigned)(place - mappings) >= atomic_load(&mappings_end))
		atomic_store(&mappings_end, (unsigned)(place - mappings) + 1);
	*mapping = place;
	return 0;
}

int guest_memory_map(int fd, uint64_t offset, uint64_t size, struct guest_mapping **mapping)
{
	return map(fd, offset, size, NULL, mapping);
}

int guest_memory_map_like(int fd, uint64_t offset, uint64_t size, uint64_t like,
			  struct guest_mapping **mapping)
{
	return map(fd, offset, size, &like, mapping);
}

void guest_memory_on_loss(struct guest_mapping *mapping, void (*on_loss)(void *owner), void *owner)
{
	mapping->owner = owner;
	mapping->on_loss = on_loss;
}

uint8_t *guest_memory_bytes(const struct guest_mapping *mapping)
{
	return mapping->bytes;
}

bool guest_memory_lost(const struct guest_mapping *mapping)
{
	return atomic_load(&((struct guest_mapping *)mapping)->lost);
}

void guest_memory_unmap(struct guest_mapping *mapping)
{
	uintptr_t start;

	if (!mapping)
		return;
	start = atomic_load(&mapping->start);
	must(start != 0);
	atomic_store(&mapping->start, 0);
	munmap((void *)start, mapping->length);
}
