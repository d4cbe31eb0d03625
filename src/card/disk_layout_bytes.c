/* The table of a medium as bytes.  Little-endian. */
#include "card/disk_layout.h"

#include "base/bytes.h"

#include <errno.h>

enum { VERSION = 1 };

static const uint8_t magic[8] = { 'M', 'P', 'd', 'i', 's', 'k', '0', '1' };

enum copy_offset {
	COPY_MAGIC = 0,        /* 8 bytes */
	COPY_VERSION = 8,      /* u32 */
	COPY_CHECKSUM = 12,    /* u32: CRC-32C of the copy, itself taken as 0 */
	COPY_SEQUENCE = 16,    /* u64 */
	COPY_MEDIUM_SIZE = 24, /* u64 */
	COPY_UUID = 32,        /* 16 bytes */
	COPY_NAMESPACES = 48,  /* u32 */
	COPY_EXTENTS = 52,     /* u32 */
	COPY_NAMESPACE_ROWS = 64,
	COPY_EXTENT_ROWS = 8192,
};

enum namespace_row {
	ROW_ID = 0,            /* u32 */
	ROW_BLOCK_SIZE = 4,    /* u32 */
	ROW_SIZE = 8,          /* u64 */
	ROW_EXTENT_FIRST = 16, /* u32 */
	ROW_EXTENT_COUNT = 20, /* u32 */
	ROW_UUID = 24,         /* 16 bytes */
	ROW_NAME = 40,         /* DISK_NAME_SIZE bytes */
	ROW_BYTES = 96,
};

enum { EXTENT_BYTES = 16 };

_Static_assert(ROW_NAME + DISK_NAME_SIZE <= ROW_BYTES, "a row holds a namespace");
_Static_assert(COPY_NAMESPACE_ROWS + DISK_NAMESPACES_MAX * ROW_BYTES <= COPY_EXTENT_ROWS, "rows");
_Static_assert(COPY_EXTENT_ROWS + DISK_EXTENTS_MAX * EXTENT_BYTES <= DISK_COPY_SIZE, "a copy");

/* Castagnoli's polynomial, reflected (RFC 3720, appendix B.4).  By nibbles: this runs once a
 * change. */
uint32_t disk_crc32c(uint32_t crc, const uint8_t *bytes, size_t size)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};

	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

/* Of one copy, its own field taken as 0. */
static uint32_t checksum_of(const uint8_t *bytes)
{
	static const uint8_t zero[4];
	uint32_t crc = disk_crc32c(UINT32_MAX, bytes, COPY_CHECKSUM);

	crc = disk_crc32c(crc, zero, sizeof zero);
	return ~disk_crc32c(crc, bytes + COPY_SEQUENCE, DISK_COPY_SIZE - COPY_SEQUENCE);
}

void disk_layout_seal(uint8_t *bytes)
{
	put_le32(bytes + COPY_CHECKSUM, checksum_of(bytes));
}

static void encode_namespace(const struct disk_namespace *ns, uint8_t *row)
{
	put_le32(row + ROW_ID, ns->id);
	put_le32(row + ROW_BLOCK_SIZE, ns->block_size);
	put_le64(row + ROW_SIZE, ns->size);
	put_le32(row + ROW_EXTENT_FIRST, ns->extent_first);
	put_le32(row + ROW_EXTENT_COUNT, ns->extent_count);
	memcpy(row + ROW_UUID, ns->uuid, DISK_ID_SIZE);
	memcpy(row + ROW_NAME, ns->name, DISK_NAME_SIZE);
}

void disk_layout_encode(const struct disk_layout *layout, uint8_t *bytes)
{
	uint8_t *row = bytes + COPY_NAMESPACE_ROWS;

	memset(bytes, 0, DISK_COPY_SIZE);
	memcpy(bytes + COPY_MAGIC, magic, sizeof magic);
	put_le32(bytes + COPY_VERSION, VERSION);
	put_le64(bytes + COPY_SEQUENCE, layout->sequence);
	put_le64(bytes + COPY_MEDIUM_SIZE, layout->medium_size);
	memcpy(bytes + COPY_UUID, layout->uuid, DISK_ID_SIZE);
	put_le32(bytes + COPY_NAMESPACES, layout->namespace_count);
	put_le32(bytes + COPY_EXTENTS, layout->extent_count);
	for (unsigned i = 0; i < DISK_NAMESPACES_MAX; i++)
		if (layout->namespaces[i].id) {
			encode_namespace(&layout->namespaces[i], row);
			row += ROW_BYTES;
		}
	for (unsigned i = 0; i < layout->extent_count; i++) {
		uint8_t *at = bytes + COPY_EXTENT_ROWS + i * EXTENT_BYTES;

		put_le64(at, layout->extents[i].first);
		put_le64(at + 8, layout->extents[i].size);
	}
	disk_layout_seal(bytes);
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static int check_head(const uint8_t *bytes, struct refusal *why)
{
	if (memcmp(bytes + COPY_MAGIC, magic, sizeof magic) != 0)
		refuse(why, "", "the medium holds something that is no table of namespaces");
	else if (get_le32(bytes + COPY_VERSION) != VERSION)
		refuse(why, "", "the table of namespaces has version %u, and %d is known",
		       get_le32(bytes + COPY_VERSION), VERSION);
	else if (get_le32(bytes + COPY_CHECKSUM) != checksum_of(bytes))
		refuse(why, "", "the table of namespaces is damaged: its checksum is wrong");
	else if (get_le32(bytes + COPY_NAMESPACES) > DISK_NAMESPACES_MAX ||
		 get_le32(bytes + COPY_EXTENTS) > DISK_EXTENTS_MAX)
		refuse(why, "", "the table of namespaces has %u namespaces and %u extents",
		       get_le32(bytes + COPY_NAMESPACES), get_le32(bytes + COPY_EXTENTS));
	else
		return 0;
	return -EINVAL;
}

static int decode_extents(struct disk_layout *layout, const uint8_t *bytes, uint64_t medium_size,
			  struct refusal *why)
{
	for (unsigned i = 0; i < layout->extent_count; i++) {
		const uint8_t *at = bytes + COPY_EXTENT_ROWS + i * EXTENT_BYTES;
		struct disk_extent e = { get_le64(at), get_le64(at + 8) };

		if (e.size == 0 || e.first < DISK_DATA_FIRST || e.first % DISK_EXTENT_ALIGN ||
		    e.size % DISK_EXTENT_ALIGN || e.size > medium_size ||
		    e.first > medium_size - e.size) {
			refuse(why, "", "extent %u (%llu bytes at %llu) is not within a medium of %llu "
			       "bytes", i, (unsigned long long)e.size, (unsigned long long)e.first,
			       (unsigned long long)medium_size);
			return -EINVAL;
		}
		for (unsigned j = 0; j < i; j++) {
			const struct disk_extent *o = &layout->extents[j];

			if (e.first < o->first + o->size && o->first < e.first + e.size) {
				refuse(why, "", "extents %u and %u overlap", j, i);
				return -EINVAL;
			}
		}
		layout->extents[i] = e;
	}
	return 0;
}

/* Its extents are there, are its alone, and hold it. */
static int check_namespace(struct disk_layout *layout, const struct disk_namespace *ns,
			   uint8_t owned[DISK_EXTENTS_MAX], struct refusal *why)
{
	uint64_t room = 0;

	if (ns->id == 0 || ns->id > DISK_NAMESPACES_MAX || disk_layout_find(layout, ns->id) ||
	    (ns->block_size != DISK_BLOCK_SIZE_MIN && ns->block_size != DISK_BLOCK_SIZE_MAX) ||
	    ns->size == 0 || ns->size % ns->block_size || ns->name[0] == 0 ||
	    ns->name[DISK_NAME_SIZE - 1] || disk_layout_find_name(layout, ns->name)) {
		refuse(why, "", "namespace %u of the table is not possible", ns->id);
		return -EINVAL;
	}
	if (ns->extent_first > layout->extent_count ||
	    ns->extent_count > layout->extent_count - ns->extent_first) {
		refuse(why, "", "namespace %u has extents that the table has not", ns->id);
		return -EINVAL;
	}
	for (unsigned i = ns->extent_first; i < ns->extent_first + ns->extent_count; i++) {
		room += layout->extents[i].size;
		if (owned[i]++) {
			refuse(why, "", "extent %u belongs to two namespaces", i);
			return -EINVAL;
		}
	}
	if (ns->size > room) {
		refuse(why, "", "namespace %u is larger than its extents", ns->id);
		return -EINVAL;
	}
	return 0;
}

static int decode_namespaces(struct disk_layout *layout, const uint8_t *bytes, unsigned count,
			     struct refusal *why)
{
	uint8_t owned[DISK_EXTENTS_MAX] = { 0 };

	for (unsigned i = 0; i < count; i++) {
		const uint8_t *row = bytes + COPY_NAMESPACE_ROWS + i * ROW_BYTES;
		struct disk_namespace ns = {
			.id = get_le32(row + ROW_ID),
			.block_size = get_le32(row + ROW_BLOCK_SIZE),
			.size = get_le64(row + ROW_SIZE),
			.extent_first = get_le32(row + ROW_EXTENT_FIRST),
			.extent_count = get_le32(row + ROW_EXTENT_COUNT),
		};
		int err;

		memcpy(ns.uuid, row + ROW_UUID, DISK_ID_SIZE);
		memcpy(ns.name, row + ROW_NAME, DISK_NAME_SIZE);
		err = check_namespace(layout, &ns, owned, why);
		if (err)
			return err;
		layout->namespaces[layout->namespace_count++] = ns;
	}
	for (unsigned i = 0; i < layout->extent_count; i++)
		if (!owned[i]) {
			refuse(why, "", "extent %u belongs to no namespace", i);
			return -EINVAL;
		}
	return 0;
}

int disk_layout_decode(struct disk_layout *layout, const uint8_t *bytes, uint64_t medium_size,
		       struct refusal *why)
{
	int err;

	if (is_zero(bytes, DISK_COPY_SIZE))
		return -ENOENT;
	err = check_head(bytes, why);
	if (err)
		return err;
	disk_layout_init(layout, medium_size, bytes + COPY_UUID);
	layout->sequence = get_le64(bytes + COPY_SEQUENCE);
	layout->extent_count = get_le32(bytes + COPY_EXTENTS);
	err = decode_extents(layout, bytes, medium_size, why);
	if (err)
		return err;
	return decode_namespaces(layout, bytes, get_le32(bytes + COPY_NAMESPACES), why);
}
