/* store/memory_image.h -- a machine's physical memory as a file: raw (byte n of the file is address
 * n; holes of a sparse file are zeros) or an ELF core with a segment a range, as QEMU's
 * dump-guest-memory and `virsh dump --memory-only` write it.
 *
 * What it is not: it changes nothing in the file, and knows nothing of virtual addresses.
 *
 * Threads: one at a time for an image.  Memory: an opened image is the caller's until
 * memory_image_close. */
#ifndef STORE_MEMORY_IMAGE_H
#define STORE_MEMORY_IMAGE_H

#include "base/refusal.h"
#include "iommu/request.h"

struct memory_image;

/* One piece of physical memory and where it is in the file. */
struct memory_segment {
	uint64_t address, size; /* size > 0; the end is below 2^64 */
	uint64_t offset;	/* in the file */
};

/* Opens the file at 'path' and finds out which kind it is.  0; -EINVAL when it is none that can be
 * read (compressed, cut off, contradicting itself) and 'why' says what to do instead; another
 * negative errno when the system refused. */
int memory_image_open(const char *path, struct memory_image **image, struct refusal *why);
/* The same for a descriptor, which the image closes, also on failure; 'name' stands for it in
 * 'why'. */
int memory_image_open_fd(int fd, const char *name, struct memory_image **image,
			 struct refusal *why);
void memory_image_close(struct memory_image *image); /* NULL is nothing */

/* The image as the memory of a remapping unit.  Writes and replacements fail. */
struct iommu_memory memory_image_memory(struct memory_image *image);

/* The pieces, in ascending order, neither overlapping nor touching. */
const struct memory_segment *memory_image_segments(const struct memory_image *image,
						   unsigned *count);

/* Whether reading the file itself failed at some time (a bad disk, a file that became shorter): 0
 * or a negative errno.  What was read since then counts as not there. */
int memory_image_error(const struct memory_image *image);

#endif
