/* card/disk_record.h -- what a namespace's front wants kept beside it, in the first megabyte of the
 * medium: two copies, of which the older is written over, so that one is whole whatever moment the
 * power goes.
 *
 * Each namespace of the table has its place, by its number.  A record names the namespace's
 * identity: what another one left in that place is not there.
 *
 * What it is not: it reads and writes no medium, card/disk_keep.c does.
 *
 * Threads: one at a time.  Memory: plain structs of the caller. */
#ifndef CARD_DISK_RECORD_H
#define CARD_DISK_RECORD_H

#include "card/disk_layout.h"

enum {
	DISK_RECORD_FIRST = 128 << 10, /* where the places begin on the medium */
	DISK_RECORD_COPY = 4096,       /* bytes of one copy; the second follows the first */
	DISK_RECORD_BOTH = DISK_COPIES * DISK_RECORD_COPY,
	DISK_RECORD_MAX = 4032, /* bytes that can be kept */
};

struct disk_record {
	uint64_t sequence;	    /* counts changes; 0: nothing was kept */
	uint8_t uuid[DISK_ID_SIZE]; /* of the namespace */
	uint32_t size;		    /* bytes */
	uint8_t bytes[DISK_RECORD_MAX];
};

/* Where the copies of namespace 'id' (1..DISK_NAMESPACES_MAX) lie on the medium. */
static inline uint64_t disk_record_place(uint32_t id)
{
	must(id - 1 < DISK_NAMESPACES_MAX);
	return DISK_RECORD_FIRST + (uint64_t)(id - 1) * DISK_RECORD_BOTH;
}

/* Which copy has a sequence number. */
static inline unsigned disk_record_copy(uint64_t sequence)
{
	return (unsigned)(sequence % DISK_COPIES);
}

/* Writes one copy, DISK_RECORD_COPY bytes. */
void disk_record_encode(const struct disk_record *record, uint8_t *to);
/* Reads both, DISK_RECORD_BOTH bytes, and takes the whole one of that namespace with the higher
 * number; with none sequence and size are 0. */
void disk_record_decode(struct disk_record *record, const uint8_t uuid[DISK_ID_SIZE],
			const uint8_t *from);
/* Writes the checksum that a copy should have: for tests that damage records. */
void disk_record_seal(uint8_t *copy);

#endif
