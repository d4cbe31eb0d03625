#include "card/disk_record.h"

#include "base/bytes.h"

static const uint8_t magic[8] = { 'M', 'P', 'k', 'e', 'p', 't', '0', '1' };

enum record_offset {
	AT_MAGIC = 0,	  /* 8 bytes */
	AT_CHECKSUM = 8,  /* u32: CRC-32C of the copy, itself taken as 0 */
	AT_SIZE = 12,	  /* u32 */
	AT_SEQUENCE = 16, /* u64 */
	AT_UUID = 24,	  /* 16 bytes */
	AT_BYTES = 64,
};

_Static_assert(AT_BYTES + DISK_RECORD_MAX == DISK_RECORD_COPY, "a copy");
_Static_assert((int)DISK_RECORD_FIRST >= (int)DISK_COPIES * DISK_COPY_STEP, "behind the tables");
_Static_assert(DISK_RECORD_FIRST + DISK_NAMESPACES_MAX * DISK_RECORD_BOTH <= DISK_DATA_FIRST,
	       "room");

static uint32_t checksum_of(const uint8_t *copy)
{
	static const uint8_t zero[4];
	uint32_t crc = disk_crc32c(UINT32_MAX, copy, AT_CHECKSUM);

	crc = disk_crc32c(crc, zero, sizeof zero);
	return ~disk_crc32c(crc, copy + AT_SIZE, DISK_RECORD_COPY - AT_SIZE);
}

void disk_record_seal(uint8_t *copy)
{
	put_le32(copy + AT_CHECKSUM, checksum_of(copy));
}

void disk_record_encode(const struct disk_record *record, uint8_t *to)
{
	must(record->size <= DISK_RECORD_MAX && record->sequence);
	memset(to, 0, DISK_RECORD_COPY);
	memcpy(to + AT_MAGIC, magic, sizeof magic);
	put_le32(to + AT_SIZE, record->size);
	put_le64(to + AT_SEQUENCE, record->sequence);
	memcpy(to + AT_UUID, record->uuid, DISK_ID_SIZE);
	memcpy(to + AT_BYTES, record->bytes, record->size);
	disk_record_seal(to);
}

static bool is_whole(const uint8_t *copy, const uint8_t uuid[DISK_ID_SIZE])
{
	return memcmp(copy + AT_MAGIC, magic, sizeof magic) == 0 &&
	       get_le32(copy + AT_SIZE) <= DISK_RECORD_MAX && get_le64(copy + AT_SEQUENCE) &&
	       memcmp(copy + AT_UUID, uuid, DISK_ID_SIZE) == 0 &&
	       get_le32(copy + AT_CHECKSUM) == checksum_of(copy);
}

void disk_record_decode(struct disk_record *record, const uint8_t uuid[DISK_ID_SIZE],
			const uint8_t *from)
{
	*record = (struct disk_record){ 0 };
	memcpy(record->uuid, uuid, DISK_ID_SIZE);
	for (unsigned n = 0; n < DISK_COPIES; n++, from += DISK_RECORD_COPY) {
		if (!is_whole(from, uuid) || get_le64(from + AT_SEQUENCE) <= record->sequence)
			continue;
		record->sequence = get_le64(from + AT_SEQUENCE);
		record->size = get_le32(from + AT_SIZE);
		memset(record->bytes, 0, sizeof record->bytes);
		memcpy(record->bytes, from + AT_BYTES, record->size);
	}
}
