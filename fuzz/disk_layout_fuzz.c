/* The table of namespaces on a medium, and the records beside them: any bytes, with a checksum that is right or not. */
#include "card/disk_record.h"

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

/* Its own identity, so that what is sealed counts. */
static void read_record(const uint8_t *data, size_t size)
{
	static uint8_t bytes[DISK_RECORD_BOTH], copy[DISK_RECORD_BOTH];
	static struct disk_record record, again;
	static const uint8_t uuid[DISK_ID_SIZE];

	memset(bytes, 0, sizeof bytes);
	memcpy(bytes, data, min_u64(size, sizeof bytes));
	disk_record_decode(&record, uuid, bytes);
	disk_record_encode(&(struct disk_record){ .sequence = 1 }, copy);
	memcpy(bytes, copy, 8);
	disk_record_seal(bytes);
	disk_record_seal(bytes + DISK_RECORD_COPY);
	disk_record_decode(&record, uuid, bytes);
	must(record.size <= DISK_RECORD_MAX);
	if (!record.sequence)
		return;
	memset(copy, 0, sizeof copy); /* nothing of the input before, which may be newer */
	disk_record_encode(&record, copy + DISK_RECORD_COPY * disk_record_copy(record.sequence));
	disk_record_decode(&again, uuid, copy);
	must(again.sequence == record.sequence && again.size == record.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct disk_layout layout, again;
	static uint8_t bytes[DISK_COPY_SIZE], copy[DISK_COPY_SIZE];

	read_record(data, size);
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
