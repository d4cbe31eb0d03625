/* card/mirror_internal.h -- the inside of a mirror: mirror.c has its life and rounds, mirror_io.c
 * requests, mirror_half.c halves that come and go, mirror_mark.c what stands on the halves, mirror_copy.c
 * the copying. */
#ifndef CARD_MIRROR_INTERNAL_H
#define CARD_MIRROR_INTERNAL_H

#include "card/mirror.h"
#include "eswitch/meter.h"

enum {
	MARK_COPY_SIZE = 16384,       /* bytes of one copy of what stands on a half */
	MARK_COPIES = 2,
	MARK_WORDS = MIRROR_REGIONS_MAX / 64,
	MIRROR_COPIERS = 8,           /* copies under way at once */
	MIRROR_COPIERS_BUSY = 2,      /* while fronts want something, too */
	MIRROR_CHUNK = 512 << 10,     /* bytes of one copy: regions that lie side by side, or a part of one */
	MIRROR_UNFLUSHED = 64 << 20,  /* bytes copied until the target is flushed */
};

struct bitmap {
	uint64_t word[MARK_WORDS];
};

/* What stands on a half. */
struct mark {
	uint64_t sequence;        /* of the copy */
	uint64_t generation;
	uint64_t peer_generation; /* what the other half had when it was left behind */
	uint64_t size;            /* bytes of the mirror */
	uint8_t uuid[16];
	bool alone;               /* the other half is not up to date */
	struct bitmap marked;
};

/* A request to a half for the mirror's own ends. */
struct own_request {
	struct block_request request; /* first */
	struct mirror *mirror;
	struct block_seg seg;
	bool busy;      /* wanted or out */
	bool submitted; /* the half has it */
	unsigned half;
};

struct half {
	enum mirror_half_state state;
	struct block_back *back;      /* NULL: absent */
	bool kept_fresh;              /* absent, and nobody has gone on without it */
	uint64_t saved_generation;    /* what stands on it */
	uint64_t kept_generation;     /* what stood on it when it went, kept fresh */
	uint64_t sequence;
	uint32_t given;               /* how often it was */
	unsigned in_flight;           /* children and own requests */
	struct mark *mark;            /* as it was read */
	enum half_found { MARK_BLANK, MARK_GOOD } found;
	unsigned read_copy;
	struct own_request own;       /* reads and writes the mark */
	uint8_t *bytes;               /* MARK_COPIES * MARK_COPY_SIZE */
	struct refusal why;
};

enum command_state {
	COMMAND_FREE,
	COMMAND_WAITS,  /* for its regions' marks, a copier, or an overlapping compare-and-write */
	COMMAND_RUNS,
	COMMAND_ENDED,  /* acknowledged when the generation stands on the halves */
};

struct mirror_command {
	struct block_request child[MIRROR_HALVES]; /* first */
	struct mirror *mirror;
	struct block_request *parent;
	enum command_state state;
	uint64_t serial;
	uint32_t given[MIRROR_HALVES]; /* of the half when it got its child */
	uint8_t wanted, out, done, failed, tried; /* bit n: half n */
	bool writes;    /* a compare-and-write is at its second half */
};

struct copier {
	struct own_request own;
	bool active;
	bool again;       /* a write to its regions has failed meanwhile: they stay behind */
	uint32_t region, count;
	uint64_t at, end; /* bytes */
	uint8_t *bytes;   /* MIRROR_CHUNK */
};

enum promotion { PROMOTE_NONE, PROMOTE_SOURCE, PROMOTE_TARGET };

struct mirror {
	struct polled polled; /* first */
	struct mirror_conf conf;
	struct block_back back;
	bool begun;
	bool look;             /* something happened that others may have waited for */
	bool retry;            /* a half had no room */
	uint64_t now_ns, serial;
	struct half half[MIRROR_HALVES];
	struct block_front *fronts[MIRROR_FRONTS_MAX];

	uint64_t generation, generation_saved, peer_generation;
	uint32_t region_bytes, regions;
	struct bitmap intent;  /* written lately: the halves may differ */
	struct bitmap recent;  /* written since the last tidying */
	struct bitmap behind;  /* to be copied from source to target */
	struct bitmap saved;   /* stands on the halves */
	uint64_t tidy_ns;

	bool save_wanted, saving;
	unsigned save_out;     /* halves that have not answered */
	uint64_t save_generation;
	struct bitmap save_bitmap;
	enum promotion promotion, save_promotion;

	unsigned source, target;
	bool copy_stuck;
	uint32_t copy_region;  /* where to look next */
	struct bitmap copied;     /* behind, and copied, but perhaps not durable on the target yet */
	struct bitmap flushing;   /* those of them that the flush which is under way makes durable */
	uint64_t unflushed;       /* bytes of 'copied' */
	struct own_request flush;
	uint64_t copied_bytes;
	unsigned copyings;        /* how often copying began */
	uint64_t copy_began_ns, copy_ended_ns, copy_began_bytes, copy_differed_bytes;
	struct esw_meter meter;   /* of what fronts may ask */
	struct esw_meter copy_meter;
	uint64_t ready_ns;        /* something waits for it; 0: nothing does */
	struct copier copiers[MIRROR_COPIERS];

	unsigned turn;         /* half that is read next */
	unsigned in_flight;    /* commands */
	uint64_t used[MIRROR_COMMANDS / 64]; /* bit n: commands[n] is not free */
	struct mirror_command commands[MIRROR_COMMANDS];
	struct block_seg write_segs[BLOCK_SEGS_MAX]; /* of the one compare-and-write that writes */
	struct mirror_command *writer;
};

static inline bool bitmap_has(const struct bitmap *map, uint32_t n)
{
	return map->word[n / 64] >> n % 64 & 1;
}

static inline void bitmap_set(struct bitmap *map, uint32_t n)
{
	map->word[n / 64] |= UINT64_C(1) << n % 64;
}

static inline void bitmap_clear(struct bitmap *map, uint32_t n)
{
	map->word[n / 64] &= ~(UINT64_C(1) << n % 64);
}

static inline void bitmap_add(struct bitmap *map, const struct bitmap *other)
{
	for (unsigned i = 0; i < MARK_WORDS; i++)
		map->word[i] |= other->word[i];
}

static inline bool bitmap_is_empty(const struct bitmap *map)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < MARK_WORDS; i++)
		all |= map->word[i];
	return all == 0;
}

static inline unsigned bitmap_count(const struct bitmap *map, uint32_t end)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < (end + 63) / 64; i++)
		for (uint64_t left = map->word[i]; left; left &= left - 1)
			n++;
	return n;
}

/* The next command that is not free, from number 'i' on; MIRROR_COMMANDS: there is none. */
static inline unsigned mirror_next(const struct mirror *m, unsigned i)
{
	for (; i < MIRROR_COMMANDS; i = (i / 64 + 1) * 64) {
		uint64_t left = m->used[i / 64] >> i % 64;

		if (left)
			return i + lowest_bit(left);
	}
	return MIRROR_COMMANDS;
}

static inline bool half_is_fresh(const struct mirror *m, unsigned n)
{
	return m->half[n].state == MIRROR_FRESH;
}

static inline bool both_are_fresh(const struct mirror *m)
{
	return half_is_fresh(m, 0) && half_is_fresh(m, 1);
}

/* Whether the half takes writes. */
static inline bool half_is_written(const struct mirror *m, unsigned n)
{
	return m->half[n].state == MIRROR_FRESH || m->half[n].state == MIRROR_STALE;
}

static inline bool modifies(const struct block_request *request)
{
	return request->op == BLOCK_WRITE || request->op == BLOCK_WRITE_ZEROES ||
	       request->op == BLOCK_DISCARD || request->op == BLOCK_COMPARE_WRITE;
}

/* mirror_io.c */
extern const struct block_back_ops mirror_back_ops;
/* Goes on with all that waits, when something happened ('look').  Returns how many were told. */
unsigned mirror_commands_go_on(struct worker *worker, struct mirror *m, bool look);
/* Whether a write to first .. first + size is at the halves. */
bool mirror_is_written_now(const struct mirror *m, uint64_t first, uint64_t size);

/* mirror_half.c: a half failed, or was pulled. */
void mirror_half_failed(struct mirror *m, unsigned n);
/* A fresh half may differ from the other, which is the truth from now on: it is copied to it. */
void mirror_demote(struct mirror *m, unsigned n);
/* A half was read: begins, or takes it in. */
void mirror_half_known(struct mirror *m, unsigned n);
/* Begins with what was read, unless the other half is being read or may be fresher. */
void mirror_begin_if_possible(struct mirror *m);

/* mirror_mark.c */
void mark_encode(const struct mark *mark, uint8_t *bytes);
/* Writes the checksum that the copy should have: mark_encode does, and tests that damage marks. */
void mark_seal(uint8_t *bytes);
/* 0, -ENOENT: nothing but zeroes, -EINVAL with 'why'. */
int mark_decode(struct mark *mark, const uint8_t *bytes, struct refusal *why);
/* Begins to read what stands on half 'n'. */
void mark_read(struct mirror *m, unsigned n);
/* Begins to write it, when that is wanted and possible. */
void mark_save(struct mirror *m);
/* Unmarks what was not written lately, when it is time. */
void mark_tidy(struct mirror *m);
void mirror_set_size(struct mirror *m, uint64_t size);

/* mirror_copy.c: begins and goes on copying.  Returns how much was begun. */
unsigned mirror_copy(struct mirror *m);
bool mirror_is_copied_now(const struct mirror *m, uint64_t first, uint64_t size);
bool mirror_copies(const struct mirror *m);
/* What was copied and is not durable yet is to be copied once more. */
void mirror_copy_again(struct mirror *m);
/* The region differs again, whatever was copied of it. */
void mirror_is_behind(struct mirror *m, uint32_t region);

/* Whether a rate allows one more now; else the mirror comes back when it does. */
static inline bool mirror_rate_allows(struct mirror *m, struct esw_meter *meter)
{
	uint64_t ready_ns;

	esw_meter_pay(meter, m->now_ns);
	if (esw_meter_allows(meter))
		return true;
	ready_ns = esw_meter_ready_ns(meter);
	m->ready_ns = m->ready_ns ? min_u64(m->ready_ns, ready_ns) : ready_ns;
	return false;
}

/* mirror.c: bytes that are behind and not on the target yet. */
uint64_t mirror_behind_bytes(const struct mirror *m);
/* mirror.c: hands an own request to its half, now or in a later round. */
void own_begin(struct own_request *own);

#endif
