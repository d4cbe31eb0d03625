#include "store/memory_image.h"

#include "spec/elf.h"
#include "store/elf_core.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Pages are kept in memory of our own and not mapped: a mapped file that somebody makes shorter
 * kills its reader. */
enum { PAGE_SIZE = 4096, PAGES = 1024 };

#define NO_PAGE UINT64_MAX

struct memory_image {
	int fd;
	int error;
	struct memory_segment *segments;
	unsigned segment_count;
	uint64_t number[PAGES]; /* address / PAGE_SIZE of the page that is kept, or NO_PAGE */
	uint8_t bytes[PAGES][PAGE_SIZE];
};

/* Files that people take for an image, by how they begin. */
static const struct {
	const char *magic;
	unsigned size;
	const char *text;
} others[] = {
	{ "KDUMP   ", 8,
	  "a kdump-compressed dump; dump again in ELF format: dump-guest-memory without -z, "
	  "-l and -s, or virsh dump --memory-only --format elf" },
	{ "makedumpfile", 12,
	  "a flattened kdump-compressed dump; dump again in ELF format: "
	  "dump-guest-memory without -z, -l and -s, or virsh dump --memory-only "
	  "--format elf" },
	{ "DISKDUMP", 8,
	  "a diskdump; dump again in ELF format: dump-guest-memory, or virsh dump "
	  "--memory-only --format elf" },
	{ "PAGEDU", 6, "a Windows crash dump; dump again without -w, in ELF format" },
	{ "LibvirtQemudSave", 16, "a saved domain; dump it with virsh dump --memory-only" },
	{ "LibvirtQemudPart", 16,
	  "a saved domain, not even complete; dump it with virsh dump "
	  "--memory-only" },
	{ "QEVM", 4, "a migration stream; dump the machine's memory with dump-guest-memory" },
	{ "\x1f\x8b\x08", 3, "compressed with gzip; decompress it first" },
	{ "\xfd"
	  "7zXZ",
	  5, "compressed with xz; decompress it first" },
	{ "\x28\xb5\x2f\xfd", 4, "compressed with zstd; decompress it first" },
};

/* The segment that holds 'address', or NULL. */
static const struct memory_segment *find(const struct memory_image *image, uint64_t address)
{
	unsigned low = 0, high = image->segment_count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		const struct memory_segment *segment = &image->segments[middle];

		if (address < segment->address)
			high = middle;
		else if (address - segment->address >= segment->size)
			low = middle + 1;
		else
			return segment;
	}
	return NULL;
}

/* Copies from the file; false when it has not all of it. */
static bool gather(struct memory_image *image, uint64_t address, uint8_t *bytes, uint32_t size)
{
	while (size) {
		const struct memory_segment *segment = find(image, address);
		uint64_t at = segment ? address - segment->address : 0;
		ssize_t n;

		if (!segment)
			return false;
		n = pread(image->fd, bytes, min_u64(size, segment->size - at),
			  (off_t)(segment->offset + at));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			image->error = n < 0 ? -errno : -EIO;
			return false;
		}
		bytes += n;
		address += (uint64_t)n;
		size -= (uint32_t)n;
	}
	return true;
}

static bool read_bytes(void *context, uint64_t address, void *bytes, uint32_t size)
{
	struct memory_image *image = context;
	const uint64_t number = address / PAGE_SIZE;
	const unsigned slot = number % PAGES;

	must(size <= PAGE_SIZE - address % PAGE_SIZE);
	if (image->number[slot] != number) {
		image->number[slot] = NO_PAGE; /* gather() may fill a part and give up */
		if (!gather(image, number * PAGE_SIZE, image->bytes[slot], PAGE_SIZE))
			return gather(image, address, bytes, size); /* a part of it may be there */
		image->number[slot] = number;
	}
	memcpy(bytes, image->bytes[slot] + address % PAGE_SIZE, size);
	return true;
}

static bool write_bytes(void *context, uint64_t address, const void *bytes, uint32_t size)
{
	(void)context;
	(void)address;
	(void)bytes;
	(void)size;
	return false;
}

static bool replace_word(void *context, uint64_t address, uint64_t old, uint64_t now)
{
	(void)context;
	(void)address;
	(void)old;
	(void)now;
	return false;
}

/* Bytes in the file, or a negative errno. */
static int64_t size_of(int fd, struct refusal *why)
{
	struct stat about;
	off_t end;

	if (fstat(fd, &about))
		return -errno;
	if (!S_ISREG(about.st_mode) && !S_ISBLK(about.st_mode)) {
		refuse(why, "",
		       "neither a file nor a block device, so it cannot be read at any place");
		return -EINVAL;
	}
	end = lseek(fd, 0, SEEK_END);
	return end < 0 ? -errno : end;
}

static int open_raw(struct memory_image *image, uint64_t size)
{
	image->segments = calloc(1, sizeof *image->segments);
	if (!image->segments)
		return -ENOMEM;
	image->segments[0] = (struct memory_segment){ 0, size, 0 };
	image->segment_count = 1;
	return 0;
}

static int open_kind(struct memory_image *image, struct refusal *why)
{
	char head[16] = "";
	int64_t size = size_of(image->fd, why);
	ssize_t n;

	if (size < 0)
		return (int)size;
	if (size == 0) {
		refuse(why, "", "the file is empty");
		return -EINVAL;
	}
	n = pread(image->fd, head, sizeof head, 0);
	if (n < 0)
		return -errno;
	for (unsigned i = 0; i < array_len(others); i++) {
		if (memcmp(head, others[i].magic, others[i].size) == 0) {
			refuse(why, "", "this is %s", others[i].text);
			return -EINVAL;
		}
	}
	if (memcmp(head, ELF_MAGIC, sizeof ELF_MAGIC - 1) == 0)
		return elf_core_read(image->fd, (uint64_t)size, &image->segments,
				     &image->segment_count, why);
	return open_raw(image, (uint64_t)size);
}

int memory_image_open_fd(int fd, const char *name, struct memory_image **image, struct refusal *why)
{
	struct refusal what = { .text = "" };
	int err;

	*image = calloc(1, sizeof **image);
	if (!*image) {
		close(fd);
		err = -ENOMEM;
	} else {
		(*image)->fd = fd;
		for (unsigned i = 0; i < PAGES; i++)
			(*image)->number[i] = NO_PAGE;
		err = open_kind(*image, &what);
	}
	if (!err)
		return 0;
	refuse(why, name, "%s", what.text[0] ? what.text : strerror(-err));
	memory_image_close(*image);
	*image = NULL;
	return err;
}

int memory_image_open(const char *path, struct memory_image **image, struct refusal *why)
{
	/* A FIFO without a writer must not keep us: it is refused later. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;

	if (fd >= 0)
		return memory_image_open_fd(fd, path, image, why);
	err = -errno;
	*image = NULL;
	refuse(why, path, "%s", strerror(-err));
	return err;
}

void memory_image_close(struct memory_image *image)
{
	if (!image)
		return;
	close(image->fd);
	free(image->segments);
	free(image);
}

struct iommu_memory memory_image_memory(struct memory_image *image)
{
	return (struct iommu_memory){ .read = read_bytes,
				      .write = write_bytes,
				      .replace = replace_word,
				      .context = image };
}

const struct memory_segment *memory_image_segments(const struct memory_image *image,
						   unsigned *count)
{
	*count = image->segment_count;
	return image->segments;
}

int memory_image_error(const struct memory_image *image)
{
	return image->error;
}
