/* eswitch/fdb.h -- the forwarding table of one switch: which port an address of a VLAN is behind.
 *
 * Buckets of one cache line hold four entries; a key may be in either of two buckets, so the table
 * stays at half its room and hardly ever refuses.  Learned entries age by a coarse clock that is
 * written only when it moved; fixed ones (a function's permanent address) neither age nor move.
 *
 * Threads: one at a time, the owner of the switch.  Memory: the caller's array of buckets. */
#ifndef ESWITCH_FDB_H
#define ESWITCH_FDB_H

#include "base/base.h"

enum {
	ESW_PORTS_MAX = 257,
	ESW_FDB_WAYS = 4,
	ESW_FDB_TICK_SHIFT = 27,   /* a tick of the coarse clock is 2^27 ns, about 134 ms */
	ESW_FDB_ENTRIES_MAX = 1 << 20,
};

#define ESW_FDB_FREE UINT64_MAX /* no key: keys have 60 bits */
#define ESW_FDB_END  UINT32_MAX /* no bucket */

/* The key: VLAN on top of the address. */
static inline uint64_t esw_key(uint16_t vlan, uint64_t mac)
{
	return (uint64_t)vlan << 48 | mac;
}

static inline uint64_t esw_key_mac(uint64_t key)
{
	return key & ((UINT64_C(1) << 48) - 1);
}

struct esw_fdb_entry {
	uint16_t port;
	uint16_t fixed;  /* 1: neither ages nor moves */
	uint32_t stamp;  /* tick in which the address was last seen */
};

struct esw_fdb_bucket {
	cache_aligned uint64_t key[ESW_FDB_WAYS];
	struct esw_fdb_entry entry[ESW_FDB_WAYS];
};

_Static_assert(sizeof(struct esw_fdb_bucket) == 64, "one cache line a bucket");

struct esw_fdb {
	struct esw_fdb_bucket *buckets;
	uint64_t seed;
	uint32_t mask;          /* buckets - 1 */
	uint8_t shift, shift2;  /* of the hash, for the first and the second bucket */
	uint32_t tick;          /* the coarse clock */
	uint32_t age_ticks;
	uint32_t limit;         /* learned entries at most */
	uint32_t port_limit;    /* learned entries of one function at most; the line has no limit */
	uint32_t learned;
	uint32_t learned_tagged; /* of them, those of a VLAN */
	uint32_t swept;         /* next bucket to sweep */
	uint32_t learned_of[ESW_PORTS_MAX];
};

/* Where a key may be: computed early, so that its lines can be fetched meanwhile. */
struct esw_fdb_spot {
	uint64_t hash;
};

/* One row for people. */
struct esw_fdb_row {
	uint64_t mac;
	uint16_t vlan;
	uint16_t port;
	bool fixed;
	uint64_t age_ns;  /* since it was last seen, to a tick; 0 when fixed */
};

enum esw_learn {
	ESW_LEARN_DONE,     /* new, moved or known */
	ESW_LEARN_FULL,     /* no room, or the port has its share: stays unknown */
	ESW_LEARN_FOREIGN,  /* it is the fixed address of another port */
};

/* Buckets that 'entries' learned addresses (a power of two) and 'fixed' ones need. */
uint32_t esw_fdb_buckets(uint32_t entries);

/* Empties the table.  'buckets' has esw_fdb_buckets(entries) of them. */
void esw_fdb_init(struct esw_fdb *fdb, struct esw_fdb_bucket *buckets, uint32_t entries,
		  uint64_t age_ns, uint64_t seed);
void esw_fdb_clear(struct esw_fdb *fdb);

/* Moves the coarse clock and forgets some of what has aged; cheap when the tick has not moved. */
void esw_fdb_tell_time(struct esw_fdb *fdb, uint64_t now_ns);

/* Enters or moves a learned address; the general form of esw_fdb_see(). */
enum esw_learn esw_fdb_learn(struct esw_fdb *fdb, uint64_t key, uint16_t port);

/* Enters a fixed address, in place of a learned one where there is one.  -EEXIST when it is fixed
 * already, -ENOSPC when both its buckets are full of fixed ones. */
int esw_fdb_fix(struct esw_fdb *fdb, uint64_t key, uint16_t port);

/* Forgets a fixed address of a port; nothing when it is not there. */
void esw_fdb_unfix(struct esw_fdb *fdb, uint64_t key, uint16_t port);

/* Forgets a learned address in every VLAN: it is about to be fixed.  Free when no VLAN has any. */
void esw_fdb_forget_mac(struct esw_fdb *fdb, uint64_t mac);

/* Takes every learned address of 'port' out and writes the first 'max' keys; returns how many were
 * written.  Free when there are none. */
unsigned esw_fdb_forget_port(struct esw_fdb *fdb, uint16_t port, uint64_t *keys, unsigned max);

/* Writes the keys of learned, living addresses of 'port', at most 'max'; returns how many.
 *
 * bucket  in and out: where to begin, 0 for all; where to go on for the rest, ESW_FDB_END: that was all.  At
 *         least ESW_FDB_WAYS of room are needed to get on */
unsigned esw_fdb_keys_of(const struct esw_fdb *fdb, uint16_t port, uint32_t *bucket, uint64_t *keys,
			 unsigned max);

/* Everything alive, at most 'max' rows; returns how many were written. */
unsigned esw_fdb_rows(const struct esw_fdb *fdb, struct esw_fdb_row *rows, unsigned max);

static inline struct esw_fdb_spot esw_fdb_spot(const struct esw_fdb *fdb, uint64_t key)
{
	uint64_t x = key ^ fdb->seed;

	x ^= x >> 29;
	return (struct esw_fdb_spot){ x * UINT64_C(0x9e3779b97f4a7c15) };
}

/* The two buckets of a spot. */
static always_inline struct esw_fdb_bucket *esw_fdb_first(const struct esw_fdb *fdb,
							  struct esw_fdb_spot spot)
{
	return &fdb->buckets[spot.hash >> fdb->shift]; /* its highest bits: never beyond the table */
}

static always_inline struct esw_fdb_bucket *esw_fdb_second(const struct esw_fdb *fdb,
							   struct esw_fdb_spot spot)
{
	return &fdb->buckets[(uint32_t)(spot.hash >> fdb->shift2) & fdb->mask];
}

static inline void esw_fdb_prefetch(const struct esw_fdb *fdb, struct esw_fdb_spot spot)
{
	prefetch(esw_fdb_first(fdb, spot));
}

static inline bool esw_fdb_alive(const struct esw_fdb *fdb, const struct esw_fdb_entry *entry)
{
	return entry->fixed || fdb->tick - entry->stamp <= fdb->age_ticks;
}

static always_inline struct esw_fdb_entry *esw_fdb_find_in(struct esw_fdb_bucket *bucket,
							   uint64_t key)
{
	for (unsigned i = 0; i < ESW_FDB_WAYS; i++)
		if (bucket->key[i] == key)
			return &bucket->entry[i];
	return NULL;
}

/* The entry of 'key', alive or not; NULL when there is none. */
static always_inline struct esw_fdb_entry *esw_fdb_find(struct esw_fdb *fdb, uint64_t key,
							struct esw_fdb_spot spot)
{
	struct esw_fdb_entry *entry = esw_fdb_find_in(esw_fdb_first(fdb, spot), key);

	return likely(entry != NULL) ? entry : esw_fdb_find_in(esw_fdb_second(fdb, spot), key);
}

/* The address was seen as a source at 'port'. */
static always_inline enum esw_learn esw_fdb_see(struct esw_fdb *fdb, uint64_t key,
						struct esw_fdb_spot spot, uint16_t port)
{
	struct esw_fdb_entry *entry = esw_fdb_find(fdb, key, spot);

	if (unlikely(!entry || entry->port != port))
		return esw_fdb_learn(fdb, key, port);
	if (unlikely(entry->stamp != fdb->tick))
		entry->stamp = fdb->tick;
	return ESW_LEARN_DONE;
}

#endif
