/* Any bytes as a memory image: refused with a sentence, or made of segments that lie in the file,
 * and every byte reads as it is there. */
#include "store/memory_image.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes of the file at 'address', or NULL. */
static const uint8_t *there(const struct memory_image *image, const uint8_t *data, uint64_t address,
			    uint32_t size)
{
	const struct memory_segment *segments;
	unsigned count;

	segments = memory_image_segments(image, &count);
	for (unsigned i = 0; i < count; i++)
		if (address >= segments[i].address &&
		    address - segments[i].address < segments[i].size &&
		    size <= segments[i].size - (address - segments[i].address))
			return data + segments[i].offset + (address - segments[i].address);
	return NULL;
}

static void check_read(struct memory_image *image, const uint8_t *data, uint64_t address)
{
	const uint32_t size = (uint32_t)min_u64(64, 4096 - address % 4096);
	struct iommu_memory memory = memory_image_memory(image);
	const uint8_t *want = there(image, data, address, size);
	uint8_t bytes[64];

	if (!memory.read(memory.context, address, bytes, size))
		must(!want);
	else if (want)
		must(memcmp(bytes, want, size) == 0);
}

static void check_segments(struct memory_image *image, const uint8_t *data, size_t size)
{
	const struct memory_segment *segments;
	uint64_t seed = size;
	unsigned count;

	segments = memory_image_segments(image, &count);
	must(count > 0);
	for (unsigned i = 0; i < count; i++) {
		const uint64_t first = segments[i].address, end = first + segments[i].size;

		must(segments[i].size > 0 && end > first);
		must(segments[i].offset <= size && segments[i].size <= size - segments[i].offset);
		must(i == 0 || segments[i - 1].address + segments[i - 1].size <= first);
		if (i > 16)
			continue;
		check_read(image, data, first);
		check_read(image, data, first - 1);
		check_read(image, data, end - 1);
		check_read(image, data, end);
		check_read(image, data, first + rand_u64(&seed) % segments[i].size);
	}
	check_read(image, data, rand_u64(&seed));
	check_read(image, data, UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct refusal why = { .text = "" };
	struct memory_image *image;

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	if (memory_image_open_fd(fd, "fuzz", &image, &why)) {
		must(!image && why.text[0] != 0);
		return 0;
	}
	check_segments(image, data, size);
	must(memory_image_error(image) == 0);
	memory_image_close(image);
	return 0;
}
