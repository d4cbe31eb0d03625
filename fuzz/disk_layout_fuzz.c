/* The table of namespaces on a medium: any bytes, with a checksum that is right or not. */
#include "card/disk_layout.h"

#include <string.h>

#define MEDIUM_SIZE (UINT64_C(1) << 30)

/* The layout that was read is one that can be used: every byte of each namespace has a place. */
static void use(struct disk_layout *layout)
{
	for (unsigned i = 0; i < DISK_NAMESPACES_MAX; i++) {
		const struct disk_namespace *ns = &layout->namespaces[i];
		uint64_t at = 0;

		while (ns->id && at < ns->size) {
			uint64_t size = ns->size - at;
			uint64_t place = disk_layout_place(layout, ns, at, &size);

			must(size > 0 && place >= DISK_DATA_FIRST && place + size <= MEDIUM_SIZE);
			at += size;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct disk_layout layout, again;
	static uint8_t bytes[DISK_COPY_SIZE], copy[DISK_COPY_SIZE];

	memset(bytes, 0, sizeof bytes);
	memcpy(bytes, data, min_u64(size, sizeof bytes));
	disk_layout_seal(bytes);
	if (disk_layout_decode(&layout, bytes, MEDIUM_SIZE, NULL))
		return 0;
	use(&layout);
	disk_layout_encode(&layout, copy);
	must(disk_layout_decode(&again, copy, MEDIUM_SIZE, NULL) == 0);
	must(again.namespace_count == layout.namespace_count);
	return 0;
}
