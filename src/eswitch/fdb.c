#include "eswitch/fdb.h"

#include <errno.h>
#include <string.h>

enum { SWEEPS = 32, LINE_PORT = 0 };

uint32_t esw_fdb_buckets(uint32_t entries)
{
	must(is_power_of_two(entries));
	return entries < 2 * ESW_FDB_WAYS ? ESW_FDB_WAYS : entries / 2;
}

void esw_fdb_clear(struct esw_fdb *fdb)
{
	for (uint32_t i = 0; i <= fdb->mask; i++) {
		memset(&fdb->buckets[i], 0, sizeof fdb->buckets[i]);
		for (unsigned way = 0; way < ESW_FDB_WAYS; way++)
			fdb->buckets[i].key[way] = ESW_FDB_FREE;
	}
	fdb->learned = fdb->learned_tagged = fdb->swept = 0;
	memset(fdb->learned_of, 0, sizeof fdb->learned_of);
}

void esw_fdb_init(struct esw_fdb *fdb, struct esw_fdb_bucket *buckets, uint32_t entries,
		  uint64_t age_ns, uint64_t seed)
{
	uint32_t count = esw_fdb_buckets(entries);
	uint8_t bits = 0;

	while (count >> bits > 1)
		bits++;
	*fdb = (struct esw_fdb){
		.buckets = buckets,
		.seed = seed,
		.mask = count - 1,
		.shift = (uint8_t)(64 - bits),
		.shift2 = (uint8_t)(64 - 2 * bits),
		.age_ticks = (uint32_t)min_u64(age_ns >> ESW_FDB_TICK_SHIFT, UINT32_MAX / 2),
		.limit = entries,
		.port_limit = entries / 4 ? entries / 4 : 1,
	};
	esw_fdb_clear(fdb);
}

static void count_learned(struct esw_fdb *fdb, uint64_t key, uint16_t port)
{
	fdb->learned++;
	fdb->learned_of[port]++;
	fdb->learned_tagged += key >> 48 != 0;
}

static void count_forgotten(struct esw_fdb *fdb, uint64_t key, uint16_t port)
{
	must(fdb->learned && fdb->learned_of[port]);
	fdb->learned--;
	fdb->learned_of[port]--;
	fdb->learned_tagged -= key >> 48 != 0;
}

static void forget(struct esw_fdb *fdb, struct esw_fdb_bucket *bucket, unsigned way)
{
	must(!bucket->entry[way].fixed);
	count_forgotten(fdb, bucket->key[way], bucket->entry[way].port);
	bucket->key[way] = ESW_FDB_FREE;
}

static void sweep_bucket(struct esw_fdb *fdb, struct esw_fdb_bucket *bucket)
{
	for (unsigned way = 0; way < ESW_FDB_WAYS; way++)
		if (bucket->key[way] != ESW_FDB_FREE && !esw_fdb_alive(fdb, &bucket->entry[way]))
			forget(fdb, bucket, way);
}

void esw_fdb_tell_time(struct esw_fdb *fdb, uint64_t now_ns)
{
	uint32_t tick = (uint32_t)(now_ns >> ESW_FDB_TICK_SHIFT);

	if (likely(tick == fdb->tick))
		return;
	fdb->tick = tick;
	for (uint32_t n = fdb->mask / SWEEPS + 1; n; n--) {
		sweep_bucket(fdb, &fdb->buckets[fdb->swept]);
		fdb->swept = (fdb->swept + 1) & fdb->mask;
	}
}

static bool free_way(struct esw_fdb *fdb, struct esw_fdb_bucket *bucket, unsigned *way)
{
	sweep_bucket(fdb, bucket);
	for (*way = 0; *way < ESW_FDB_WAYS; ++*way)
		if (bucket->key[*way] == ESW_FDB_FREE)
			return true;
	return false;
}

/* A free place for 'key'; NULL when both its buckets are full of what lives. */
static struct esw_fdb_bucket *place(struct esw_fdb *fdb, uint64_t key, unsigned *way)
{
	struct esw_fdb_spot spot = esw_fdb_spot(fdb, key);

	if (free_way(fdb, esw_fdb_first(fdb, spot), way))
		return esw_fdb_first(fdb, spot);
	if (free_way(fdb, esw_fdb_second(fdb, spot), way))
		return esw_fdb_second(fdb, spot);
	return NULL;
}

static bool share_is_full(const struct esw_fdb *fdb, uint16_t port)
{
	return fdb->learned >= fdb->limit ||
	       (port != LINE_PORT && fdb->learned_of[port] >= fdb->port_limit);
}

/* A known address seen at a port: the same, or another when it lives no more or has moved. */
static enum esw_learn move(struct esw_fdb *fdb, struct esw_fdb_entry *entry, uint16_t port)
{
	if (entry->fixed)
		return entry->port == port ? ESW_LEARN_DONE : ESW_LEARN_FOREIGN;
	if (entry->port != port) {
		if (port != LINE_PORT && fdb->learned_of[port] >= fdb->port_limit)
			return ESW_LEARN_FULL;
		fdb->learned_of[entry->port]--;
		fdb->learned_of[port]++;
		entry->port = port;
	}
	entry->stamp = fdb->tick;
	return ESW_LEARN_DONE;
}

enum esw_learn esw_fdb_learn(struct esw_fdb *fdb, uint64_t key, uint16_t port)
{
	struct esw_fdb_entry *entry = esw_fdb_find(fdb, key, esw_fdb_spot(fdb, key));
	struct esw_fdb_bucket *bucket;
	unsigned way;

	must(port < ESW_PORTS_MAX);
	if (entry)
		return move(fdb, entry, port);
	if (share_is_full(fdb, port) || !(bucket = place(fdb, key, &way)))
		return ESW_LEARN_FULL;
	bucket->key[way] = key;
	bucket->entry[way] = (struct esw_fdb_entry){ .port = port, .stamp = fdb->tick };
	count_learned(fdb, key, port);
	return ESW_LEARN_DONE;
}

/* Makes room by forgetting the first learned entry of the key's buckets. */
static struct esw_fdb_bucket *displace(struct esw_fdb *fdb, uint64_t key, unsigned *way)
{
	struct esw_fdb_spot spot = esw_fdb_spot(fdb, key);
	struct esw_fdb_bucket *of[] = { esw_fdb_first(fdb, spot), esw_fdb_second(fdb, spot) };

	for (unsigned i = 0; i < array_len(of); i++)
		for (*way = 0; *way < ESW_FDB_WAYS; ++*way)
			if (!of[i]->entry[*way].fixed) {
				forget(fdb, of[i], *way);
				return of[i];
			}
	return NULL;
}

int esw_fdb_fix(struct esw_fdb *fdb, uint64_t key, uint16_t port)
{
	struct esw_fdb_entry *entry = esw_fdb_find(fdb, key, esw_fdb_spot(fdb, key));
	struct esw_fdb_bucket *bucket;
	unsigned way;

	must(port < ESW_PORTS_MAX);
	if (entry && entry->fixed)
		return -EEXIST;
	if (entry) {
		count_forgotten(fdb, key, entry->port);
		*entry = (struct esw_fdb_entry){ .port = port, .fixed = 1 };
		return 0;
	}
	bucket = place(fdb, key, &way);
	if (!bucket)
		bucket = displace(fdb, key, &way);
	if (!bucket)
		return -ENOSPC;
	bucket->key[way] = key;
	bucket->entry[way] = (struct esw_fdb_entry){ .port = port, .fixed = 1 };
	return 0;
}

void esw_fdb_unfix(struct esw_fdb *fdb, uint64_t key, uint16_t port)
{
	struct esw_fdb_spot spot = esw_fdb_spot(fdb, key);
	struct esw_fdb_bucket *of[] = { esw_fdb_first(fdb, spot), esw_fdb_second(fdb, spot) };

	for (unsigned i = 0; i < array_len(of); i++)
		for (unsigned way = 0; way < ESW_FDB_WAYS; way++)
			if (of[i]->key[way] == key && of[i]->entry[way].fixed &&
			    of[i]->entry[way].port == port) {
				of[i]->key[way] = ESW_FDB_FREE;
				of[i]->entry[way].fixed = 0;
			}
}

void esw_fdb_forget_mac(struct esw_fdb *fdb, uint64_t mac)
{
	for (uint32_t i = 0; i <= fdb->mask && fdb->learned_tagged; i++) {
		struct esw_fdb_bucket *bucket = &fdb->buckets[i];

		for (unsigned way = 0; way < ESW_FDB_WAYS; way++)
			if (bucket->key[way] != ESW_FDB_FREE &&
			    esw_key_mac(bucket->key[way]) == mac && !bucket->entry[way].fixed)
				forget(fdb, bucket, way);
	}
}

unsigned esw_fdb_forget_port(struct esw_fdb *fdb, uint16_t port, uint64_t *keys, unsigned max)
{
	unsigned written = 0;

	for (uint32_t i = 0; i <= fdb->mask && fdb->learned_of[port]; i++) {
		struct esw_fdb_bucket *bucket = &fdb->buckets[i];

		for (unsigned way = 0; way < ESW_FDB_WAYS; way++) {
			struct esw_fdb_entry *entry = &bucket->entry[way];

			if (bucket->key[way] == ESW_FDB_FREE || entry->fixed || entry->port != port)
				continue;
			if (written < max && esw_fdb_alive(fdb, entry))
				keys[written++] = bucket->key[way];
			forget(fdb, bucket, way);
		}
	}
	return written;
}

unsigned esw_fdb_keys_of(const struct esw_fdb *fdb, uint16_t port, uint32_t *bucket, uint64_t *keys,
			 unsigned max)
{
	unsigned written = 0;

	if (!fdb->learned_of[port])
		*bucket = ESW_FDB_END;
	for (; *bucket <= fdb->mask; ++*bucket) {
		const struct esw_fdb_bucket *at = &fdb->buckets[*bucket];

		if (max - written < ESW_FDB_WAYS)
			return written;
		for (unsigned way = 0; way < ESW_FDB_WAYS; way++)
			if (at->key[way] != ESW_FDB_FREE && !at->entry[way].fixed &&
			    at->entry[way].port == port && esw_fdb_alive(fdb, &at->entry[way]))
				keys[written++] = at->key[way];
	}
	*bucket = ESW_FDB_END;
	return written;
}

static struct esw_fdb_row row_of(const struct esw_fdb *fdb, uint64_t key,
				 const struct esw_fdb_entry *entry)
{
	uint32_t ticks = entry->fixed ? 0 : fdb->tick - entry->stamp;

	return (struct esw_fdb_row){
		.mac = esw_key_mac(key),
		.vlan = (uint16_t)(key >> 48),
		.port = entry->port,
		.fixed = entry->fixed,
		.age_ns = (uint64_t)ticks << ESW_FDB_TICK_SHIFT,
	};
}

unsigned esw_fdb_rows(const struct esw_fdb *fdb, struct esw_fdb_row *rows, unsigned max)
{
	unsigned written = 0;

	for (uint32_t i = 0; i <= fdb->mask; i++) {
		const struct esw_fdb_bucket *bucket = &fdb->buckets[i];

		for (unsigned way = 0; way < ESW_FDB_WAYS && written < max; way++)
			if (bucket->key[way] != ESW_FDB_FREE &&
			    esw_fdb_alive(fdb, &bucket->entry[way]))
				rows[written++] =
					row_of(fdb, bucket->key[way], &bucket->entry[way]);
	}
	return written;
}
