/* card/mirror.h -- one namespace kept on two halves: namespaces of two disk cards, so that reads go on
 * when one is pulled, and no write that was acknowledged is lost.
 *
 * What stands on each half, behind the data: the mirror's identity, a generation, whether that half
 * was alone, and a bitmap of regions whose writes may be on one half only.  A region is marked, and
 * the mark is on every half that counts, before it is written.  So
 *
 *   after a crash    the marked regions are copied from one half to the other, and no others;
 *   when a half goes the other writes down that it is alone, with a higher generation, before any
 *                    write is acknowledged that the gone one lacks;
 *   when it returns  the regions that were marked meanwhile are copied to it in the background;
 *   at a start       the higher generation is the truth.  One half by itself is taken only when it
 *                    knows that it was alone, or when the operator says so: otherwise the missing
 *                    half may be the fresher one.
 *
 * Threads: a worker runs it (channel/polled.h), the same that runs both cards; cards and mirror share
 * one hold (disk_card_share_hold), and "ctl" functions need it.
 * Memory: caller's, mirror_size() bytes from a multiple of 4096; nothing is allocated later. */
#ifndef CARD_MIRROR_H
#define CARD_MIRROR_H

#include "base/refusal.h"
#include "channel/block.h"
#include "channel/polled.h"

enum {
	MIRROR_HALVES = 2,
	MIRROR_FRONTS_MAX = 8,
	MIRROR_RESERVED = 64 << 10,   /* bytes at the end of each half that are the mirror's */
	MIRROR_REGION_MIN = 64 << 10, /* bytes */
	MIRROR_REGIONS_MAX = 65536,   /* larger halves have larger regions */
	MIRROR_COMMANDS = 128,        /* at once */
};

#define MIRROR_TIDY_NS UINT64_C(2000000000) /* a region that was not written for so long is unmarked */

enum mirror_half_state {
	MIRROR_ABSENT,
	MIRROR_READING, /* what stands on it is being read */
	MIRROR_KNOWN,   /* it was read; the mirror has not begun yet */
	MIRROR_REFUSED, /* it is no half of this mirror, or cannot be read */
	MIRROR_STALE,   /* it is being brought up to date; writes reach it */
	MIRROR_FRESH,
};

enum mirror_new { MIRROR_COPY_ALL, MIRROR_BOTH_ARE_ZEROES };

struct mirror_conf {
	struct hold *hold;   /* of both cards */
	uint8_t uuid[16];    /* tells its halves from others' */
	enum mirror_new new; /* what two halves without any mark hold */
	uint64_t rate_bytes;    /* that fronts may move a second; 0: no limit, else 125 or more */
	uint64_t rate_commands; /* of theirs a second; 0: no limit */
	uint64_t resync_rate_bytes; /* that are copied a second to a half that is stale; 0: no limit, else 125 or
				     * more */
};

struct mirror;

size_t mirror_size(void);
void mirror_init(struct mirror *mirror, const struct mirror_conf *conf);
struct polled *mirror_polled(struct mirror *mirror);

/* The namespace that fronts see; its size is 0 until the mirror has begun. */
struct block_back *mirror_back(struct mirror *mirror);

/* ctl: half 0 or 1 is there: a way to its namespace that is the mirror's alone. */
void mirror_give_half(struct ctl *ctl, struct mirror *mirror, unsigned half,
		      struct block_back *back);
/* ctl: its card was pulled or died, or it shall go. */
void mirror_pull_half(struct ctl *ctl, struct mirror *mirror, unsigned half);
/* ctl: whether nothing of the mirror is in flight at a half that was pulled; it may be given again
 * then. */
bool mirror_half_is_quiet(struct ctl *ctl, const struct mirror *mirror, unsigned half);
/* ctl: goes on, or begins, with a half although the other may be fresher: what was written to that alone is
 * given up, and all of it is copied to it when it returns.  -EALREADY: a half is fresh, so nothing has to be
 * given up; -EINVAL: that half is not there, was not read, or is not whole; nothing has changed then. */
int mirror_force(struct ctl *ctl, struct mirror *mirror, unsigned half, struct refusal *why);

/* ctl: a front whose namespaces[0] is the mirror's back is polled in its rounds.  -ENOSPC. */
int mirror_bind(struct ctl *ctl, struct mirror *mirror, struct block_front *front);
/* ctl: -EAGAIN while it has requests in flight. */
int mirror_unbind(struct ctl *ctl, struct mirror *mirror, struct block_front *front);

/* ctl: before a planned end, when fronts ask for nothing more: unmarks regions without waiting until nobody has
 * written there for a while.  True when nothing is marked any more, or has to stay so since a half is not fresh;
 * else the mirror's rounds go on with it, and it is to be called again. */
bool mirror_settle(struct ctl *ctl, struct mirror *mirror);

struct mirror_facts {
	bool begun;
	enum mirror_half_state half[MIRROR_HALVES];
	uint64_t generation;
	uint64_t behind_bytes; /* still to be copied; what is on the target and not yet durable there is not */
	uint64_t copied_bytes; /* since the mirror was made */
	int last;              /* no half is fresh: the one that was alone, or -1 */
	struct mirror_copying {
		unsigned count;     /* how often copying began since the mirror was made */
		unsigned target;    /* of the last of them, which may have ended: the half, */
		uint64_t differed_bytes; /* what was to be copied when it began, */
		uint64_t bytes, ns; /* what was copied, and the time since it began, or that it took */
	} copying;
	uint32_t region_bytes;
	unsigned marked;       /* regions */
	struct refusal why[MIRROR_HALVES]; /* MIRROR_REFUSED, or why copying does not go on */
};
/* ctl */
void mirror_facts(struct ctl *ctl, const struct mirror *mirror, struct mirror_facts *facts);

#endif
