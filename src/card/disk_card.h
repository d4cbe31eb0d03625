/* card/disk_card.h -- the back of the disk class: a medium carved into namespaces
 * (card/disk_layout.h), functions that fronts are bound to, and the arbitration that shares the
 * medium among them.
 *
 * A function has its own queue, its own limits of commands and bytes a second, and weight and
 * priority towards the medium, as functions of a NIC card have towards the line.  What the medium
 * cannot do is made here: compare, compare-and-write, verify, requests beyond an extent or the
 * medium's largest transfer.
 *
 * A worker runs the card by calling its operations as channel/polled.h has them.  The card takes its
 * hold for the part of a round that touches fronts and tables and gives it back around the medium.
 *
 * A card that is pulled or dead answers every command with BLOCK_GONE, those included that were
 * waiting; what the medium has is answered when the medium gives it back, since until then it may
 * read and write the guest's memory.
 *
 * Threads: "ctl" functions need the hold (disk_card_hold); before the card was given to a worker,
 * the control thread may poll it, with NULL for the worker.
 * Memory: caller's, disk_card_size() bytes from a multiple of 4096; nothing is allocated later. */
#ifndef CARD_DISK_CARD_H
#define CARD_DISK_CARD_H

#include "card/disk_layout.h"
#include "card/disk_record.h"
#include "channel/block.h"
#include "channel/medium.h"
#include "channel/polled.h"

enum {
	DISK_FUNCTIONS_MAX = 64,
	DISK_BACKS_MAX = 256,   /* namespaces attached to all functions of a card together */
	DISK_QUEUE_MAX = 256,   /* commands of one function that the card has at once */
	DISK_DEPTH_MAX = 256,   /* requests that the medium has at once */
	DISK_PRIORITIES = 8,    /* classes towards the medium; 7 goes first */
	DISK_BOUNCE_SIZE = 128 << 10, /* bytes of one comparison, and of a compare-and-write at most */
	DISK_BOUNCES = 4,       /* comparisons at once */
	DISK_COMMAND_COST = 4096, /* what a command costs beside its bytes, where shares are counted */
};

struct disk_card_conf {
	uint16_t functions;     /* 1..DISK_FUNCTIONS_MAX */
	uint16_t depth;         /* 1..DISK_DEPTH_MAX: fewer make shares and priorities sharper */
	struct medium *medium;
};

/* What one function is allowed and owed: the words of the site file. */
struct disk_function_conf {
	uint64_t rate_bytes;    /* bytes a second; 0: no limit, else 125 or more */
	uint64_t rate_commands; /* commands a second; 0: no limit */
	uint16_t depth;         /* commands at once, 1..DISK_QUEUE_MAX */
	uint16_t weight;        /* share of the medium among equals in priority; 1..1000 */
	uint8_t priority;       /* 0..7, strict */
};

#define DISK_COUNTERS(X)                                                          \
	X(reads, "commands", "read commands completed")                           \
	X(read_bytes, "bytes", "bytes read")                                      \
	X(writes, "commands", "write commands completed")                         \
	X(written_bytes, "bytes", "bytes written")                                \
	X(others, "commands", "other commands completed")                         \
	X(failed, "commands", "commands completed with an error")                 \
	X(shaped, "count", "times a command had to wait for the function's rate") \
	X(queue_full, "count", "times a command had to wait for a place in the function's queue")

struct disk_counters {
#define X(name, unit, text) struct counter name;
	DISK_COUNTERS(X)
#undef X
};

struct disk_card;

size_t disk_card_size(const struct disk_card_conf *conf);
/* -EINVAL with 'why'. */
int disk_card_init(struct disk_card *card, const struct disk_card_conf *conf, struct refusal *why);

/* ctl: from now on both cards have one hold, so that a mirror of the two can be served in a round of
 * either.  They must be run by the same worker.  Before either is run, and before anything is
 * bound. */
void disk_card_share_hold(struct disk_card *card, struct disk_card *with);

/* The hold, for a mirror of two cards. */
struct hold *disk_card_hold_of(struct disk_card *card);

/* ctl: as nic_card_hold(). */
bool disk_card_hold(struct ctl *ctl, struct disk_card *card, hold_pause *pause, unsigned tries);
void disk_card_release(struct ctl *ctl, struct disk_card *card);

/* What worker is given to run the card. */
struct polled *disk_card_polled(struct disk_card *card);

/* -- the table of namespaces -- */

enum disk_table {
	DISK_TABLE_THERE, /* the medium must hold a table */
	DISK_TABLE_NEW,   /* a medium that begins with zeroes gets one */
	DISK_TABLE_NONE,  /* the whole medium is namespace 1, whatever it holds */
};

/* One job at a time is under way with the table: it is read, or a namespace is made or removed.
 * Rounds of the card carry it on. */
enum disk_job { DISK_JOB_NONE, DISK_JOB_RUNS, DISK_JOB_DONE, DISK_JOB_FAILED };

/* ctl: how the last job went; FAILED with 'why'. */
enum disk_job disk_card_job(struct ctl *ctl, const struct disk_card *card, struct refusal *why);

/* ctl: begins to read the table.  'uuid' names the card when the table is new, or there is none.
 * -EBUSY while a job is under way; -EINVAL with 'why'. */
int disk_card_open(struct ctl *ctl, struct disk_card *card, enum disk_table table,
		   const uint8_t uuid[DISK_ID_SIZE], struct refusal *why);

/* ctl: the card has another medium from now on, and no table until disk_card_open().  No function has a namespace
 * attached.  -EBUSY while its medium has requests, or a job is under way. */
int disk_card_give_medium(struct ctl *ctl, struct disk_card *card, struct medium *medium);

/* ctl: begins to make a namespace: its space is filled with zeroes, then the table is written.
 * *id receives its number.  -EBUSY, -EINVAL with 'why'. */
int disk_card_add_namespace(struct ctl *ctl, struct disk_card *card,
			    const struct disk_namespace_conf *conf, uint32_t *id,
			    struct refusal *why);
/* ctl: begins to remove one that is attached to no function. */
int disk_card_remove_namespace(struct ctl *ctl, struct disk_card *card, uint32_t id,
			       struct refusal *why);

/* ctl: the table as it is now; rows whose job still runs included. */
const struct disk_layout *disk_card_layout(const struct disk_card *card);

/* -- what is kept beside a namespace -- */

/* One record at a time is read or written; rounds of the card carry it on.  The first record of a namespace that was
 * just made has sequence 0: there is none. */

/* ctl: begins to read the record of namespace 'id', or to write one over its older copy; it has its uuid and a
 * sequence number one above the last.  -EBUSY while that goes on with any; -ENODEV: the card is not in; -ENOENT:
 * no such namespace, or no table; -EROFS. */
int disk_card_recall(struct ctl *ctl, struct disk_card *card, uint32_t id);
int disk_card_keep(struct ctl *ctl, struct disk_card *card, uint32_t id, const struct disk_record *record);
/* ctl: how that went; DONE after a recall: with the record. */
enum disk_job disk_card_keep_job(struct ctl *ctl, const struct disk_card *card,
				 struct disk_record *record_or_null);

/* -- functions -- */

/* ctl: puts 'front' behind function 'function' (1..functions), or, with NULL, gives the function to
 * whoever attaches namespaces to it (a mirror).  -EBUSY when it is bound, -EINVAL; with 'why'.
 * From here front->hold is the card's. */
int disk_card_bind(struct ctl *ctl, struct disk_card *card, unsigned function,
		   struct block_front *front, const struct disk_function_conf *conf,
		   struct refusal *why);
/* ctl: takes it away, and its namespaces.  -EAGAIN while it has commands in flight. */
int disk_card_unbind(struct ctl *ctl, struct disk_card *card, unsigned function);

enum disk_access { DISK_READ_WRITE, DISK_READ_ONLY };
/* ctl: a way from a bound function to namespace 'id'; NULL with 'why'.  The caller writes it into
 * front->namespaces[]. */
struct block_back *disk_card_attach(struct ctl *ctl, struct disk_card *card, unsigned function,
				    uint32_t id, enum disk_access access, struct refusal *why);
/* ctl: -EAGAIN while commands to it are in flight. */
int disk_card_detach(struct ctl *ctl, struct disk_card *card, struct block_back *back);

/* ctl: the card was pulled or is dead; it was put in again.  What the table says is kept: an
 * inserted card with another medium is another card. */
void disk_card_pull(struct ctl *ctl, struct disk_card *card);
void disk_card_insert(struct ctl *ctl, struct disk_card *card);

/* Any thread: whether the card is in; commands that the medium has now. */
bool disk_card_is_in(const struct disk_card *card);
unsigned disk_card_at_medium(const struct disk_card *card);
/* Any thread: counters of function 1..functions. */
const struct disk_counters *disk_card_counters(const struct disk_card *card, unsigned function);

#endif
