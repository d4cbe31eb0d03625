/* tests/physical.h -- physical memory for tests of remapping units: one array from address 0,
 * everything beyond it is no memory; counts what is read, and remembers whether anything was asked
 * beyond a page. */
#ifndef TESTS_PHYSICAL_H
#define TESTS_PHYSICAL_H

#include "base/bytes.h"
#include "iommu/request.h"

enum { PHYSICAL_PAGE = 4096 };

struct physical {
	uint8_t *bytes;
	uint64_t size;
	unsigned reads, replaced;
	unsigned refuse_replacing; /* so many times 'somebody else was faster' */
	bool crossed;              /* an access passed the end of a page, or had no sensible size */
	struct iommu_memory memory;
};

static inline bool physical_reaches(struct physical *physical, uint64_t address, uint32_t size)
{
	if (size == 0 || size > 64 || (address & (PHYSICAL_PAGE - 1)) + size > PHYSICAL_PAGE)
		physical->crossed = true;
	return address < physical->size && size <= physical->size - address;
}

static inline bool physical_read(void *context, uint64_t address, void *bytes, uint32_t size)
{
	struct physical *physical = context;

	physical->reads++;
	if (!physical_reaches(physical, address, size))
		return false;
	memcpy(bytes, physical->bytes + address, size);
	return true;
}

static inline bool physical_write(void *context, uint64_t address, const void *bytes, uint32_t size)
{
	struct physical *physical = context;

	if (!physical_reaches(physical, address, size))
		return false;
	memcpy(physical->bytes + address, bytes, size);
	return true;
}

static inline bool physical_replace(void *context, uint64_t address, uint64_t old, uint64_t now)
{
	struct physical *physical = context;

	if (!physical_reaches(physical, address, 8) || get_le64(physical->bytes + address) != old)
		return false;
	if (physical->refuse_replacing) {
		physical->refuse_replacing--;
		return false;
	}
	put_le64(physical->bytes + address, now);
	physical->replaced++;
	return true;
}

/* The caller brings the bytes and owns them. */
static inline void physical_init(struct physical *physical, uint8_t *bytes, uint64_t size)
{
	*physical = (struct physical){ .bytes = bytes, .size = size };
	memset(bytes, 0, size);
	physical->memory = (struct iommu_memory){ .read = physical_read,
						  .write = physical_write,
						  .replace = physical_replace,
						  .context = physical };
}

static inline void physical_put(struct physical *physical, uint64_t address, uint64_t word)
{
	put_le64(physical->bytes + address, word);
}

static inline uint64_t physical_get(const struct physical *physical, uint64_t address)
{
	return get_le64(physical->bytes + address);
}

#endif
