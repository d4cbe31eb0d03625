/* card/disk_layout.h -- how a disk card's medium is carved into namespaces: a table of namespaces
 * and of the extents that each has, and the bytes in which the medium itself keeps that table.
 *
 * The first DISK_DATA_FIRST bytes of a medium are the card's: two copies of the table, each with a
 * sequence number and a checksum.  A change is written over the older copy, so that whatever
 * moment the power goes, one of the two is whole; the whole one with the higher number is true.
 *
 * What it is not: it reads and writes no medium, card/disk_table.c does.
 *
 * Threads: one at a time.  Memory: plain structs of the caller. */
#ifndef CARD_DISK_LAYOUT_H
#define CARD_DISK_LAYOUT_H

#include "base/base.h"
#include "base/refusal.h"

enum {
	DISK_NAMESPACES_MAX = 64,
	DISK_EXTENTS_MAX = 1024,
	DISK_NAME_SIZE = 48,       /* with its final zero */
	DISK_ID_SIZE = 16,
	DISK_COPY_SIZE = 32768,    /* bytes of one copy of the table */
	DISK_COPIES = 2,
	DISK_COPY_STEP = 65536,    /* copy n begins at n times that */
	DISK_DATA_FIRST = 1 << 20, /* where extents may begin */
	DISK_EXTENT_ALIGN = 1 << 20, /* extents begin and end at multiples of it */
	DISK_BLOCK_SIZE_MIN = 512,
	DISK_BLOCK_SIZE_MAX = 4096,
};

struct disk_extent {
	uint64_t first, size; /* bytes of the medium */
};

struct disk_namespace {
	uint32_t id;         /* 1..DISK_NAMESPACES_MAX; 0: this row is free */
	uint32_t block_size; /* bytes of a logical block: 512 or 4096 */
	uint64_t size;       /* bytes; a multiple of block_size; the extents may hold a little more */
	uint32_t extent_first, extent_count; /* rows of the table of extents, in order */
	uint8_t uuid[DISK_ID_SIZE];
	char name[DISK_NAME_SIZE];
};

struct disk_layout {
	uint64_t sequence;    /* of the table; counts changes */
	uint64_t medium_size; /* bytes */
	uint8_t uuid[DISK_ID_SIZE]; /* of the card */
	unsigned namespace_count, extent_count;
	struct disk_namespace namespaces[DISK_NAMESPACES_MAX];
	struct disk_extent extents[DISK_EXTENTS_MAX]; /* of each namespace together, no holes */
};

/* An empty table for a medium of 'medium_size' bytes. */
void disk_layout_init(struct disk_layout *layout, uint64_t medium_size,
		      const uint8_t uuid[DISK_ID_SIZE]);

/* The whole medium as one namespace, and no table on it: for media that hold something already.
 * -EINVAL when it is smaller than one block. */
int disk_layout_raw(struct disk_layout *layout, uint64_t medium_size, uint32_t block_size,
		    const uint8_t uuid[DISK_ID_SIZE], struct refusal *why);

struct disk_namespace_conf {
	const char *name;    /* 1..DISK_NAME_SIZE - 1 bytes, its own on this card */
	uint64_t size;       /* bytes; rounded up to a block */
	uint32_t block_size; /* 512 or 4096 */
	uint8_t uuid[DISK_ID_SIZE];
};

/* Carves a namespace out of what is free: in one piece where one is large enough (the smallest
 * such), else in several.  Returns its row, or NULL with 'why'. */
struct disk_namespace *disk_layout_add(struct disk_layout *layout,
				       const struct disk_namespace_conf *conf, struct refusal *why);
/* Gives its space back. */
void disk_layout_remove(struct disk_layout *layout, uint32_t id);

/* NULL when there is none. */
struct disk_namespace *disk_layout_find(struct disk_layout *layout, uint32_t id);
struct disk_namespace *disk_layout_find_name(struct disk_layout *layout, const char *name);

/* Bytes that no namespace has, and how many of them lie in one piece at most. */
uint64_t disk_layout_free(const struct disk_layout *layout, uint64_t *largest);

/* Where byte 'first' of a namespace lies on the medium; *size, bytes from there on, is cut where the
 * extent ends.  'first' is below the namespace's size. */
uint64_t disk_layout_place(const struct disk_layout *layout, const struct disk_namespace *ns,
			   uint64_t first, uint64_t *size);

/* Writes one copy of the table.  'bytes' holds DISK_COPY_SIZE. */
void disk_layout_encode(const struct disk_layout *layout, uint8_t *bytes);

/* Reads one copy.  0; -ENOENT: nothing but zeroes; -EINVAL: something else, or a damaged table, with
 * 'why'.  'medium_size' is what the medium has now: a table that reaches beyond is damaged. */
int disk_layout_decode(struct disk_layout *layout, const uint8_t *bytes, uint64_t medium_size,
		       struct refusal *why);

/* The checksum of what the card keeps on a medium: CRC-32C of 'size' bytes more; begins with UINT32_MAX, and is
 * inverted at the end. */
uint32_t disk_crc32c(uint32_t crc, const uint8_t *bytes, size_t size);

/* Writes the checksum that the copy should have: for tests that damage tables. */
void disk_layout_seal(uint8_t *bytes);

#endif
