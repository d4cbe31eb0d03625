/* prog/site_run.h -- the running site: every card with its line port and worker, every interface of a
 * system with its front and attachment, and what happens when a card fails.
 *
 * It carries out what the pure parts decide: placement says which function an interface gets,
 * failover says which front moves where; this file binds, moves, announces and reports.
 *
 * Threads: control.  Memory: allocated in site_run_create, sizes from the site, none later. */
#ifndef PROG_SITE_RUN_H
#define PROG_SITE_RUN_H

#include "attach/attach.h"
#include "base/refusal.h"
#include "card/disk_card.h"
#include "card/nic_card.h"
#include "fabric/failover.h"
#include "fabric/placement.h"
#include "fabric/site.h"
#include "media/media.h"
#include "os/workers.h"
#include "prog/events.h"
#include "prog/faults.h"
#include "uplink/uplink.h"

#include <uv.h>

enum {
	RUN_IO_FDS_MAX = 32,     /* descriptors of one front that wake a worker */
	RUN_IO_EVENTS_MAX = 20,  /* events of one attachment kept in each window */
};

#define RUN_IO_EVENTS_WINDOW_NS UINT64_C(10000000000)

struct site_run;

struct run_card {
	struct site_run *run;
	struct site_card_place place;
	unsigned index;         /* of the card in the site file */
	unsigned worker;        /* index of the worker that runs it */
	struct nic_card *card;  /* of class nic */
	struct uplink *uplink;
	struct disk_card *disk; /* of class disk: prog/site_disk.h */
	struct medium *medium;
	struct run_external *external; /* of class external: prog/site_external.h */
	unsigned held_with;     /* card whose hold it has: a mirror connects them; else itself */
	bool lost;              /* its worker never came back: what it uses is left to it */
	bool medium_dead;       /* it has died: the card is dead for good, */
	uint64_t medium_errors_told, medium_told_ns; /* of its errors, how many; and when */
	bool medium_absent;     /* or it could not be had: until the card is inserted */
	const struct site_records *keeper; /* whose record it writes; NULL: nobody's */
	struct hardware_card *hardware; /* of class vfio: prog/site_hardware.h */
	bool served;            /* its worker runs it */
	bool line_up;
	bool detached;          /* pulled or dead: no worker touches its functions */
	bool hung;              /* a drill made its driver hang */
};

/* The last move of an interface, until it has been told. */
struct run_move {
	int from, to;        /* members of its placement; -1: none */
	unsigned replayed;   /* queued frames that went along */
	uint64_t away_ns;
	struct refusal why;  /* the card did not take it */
};

/* Blocked accesses of an interface. */
struct run_faults {
	uint64_t total;
	uint64_t since_ns, in_window; /* the window of quarantine_window_s, and how many are in it */
	uint64_t untold;              /* since the last event of them */
	struct fault first, last;     /* of these */
};

struct run_io {
	struct site_run *run;
	const struct site_system *system;
	const struct site_io *io;
	const struct placement *place;
	uint64_t mac;
	struct attachment *attachment;
	struct nic_front *front;   /* NULL for a disk */
	struct block_front *block; /* of a disk, which stays bound to its card; else NULL */
	struct front *external;    /* of a function of another process, which stays, too; else NULL */
	struct run_mirror *mirror; /* of a disk on two cards: prog/site_mirror.h; else NULL */
	struct hardware_seat *seat; /* of a vfio card's function, which has no front and no attachment */
	int bound;              /* member of the placement the front is bound to; -1: none */
	int fds[RUN_IO_FDS_MAX];
	unsigned fd_count;
	bool wait_told;         /* that it waits to go back, since its last move: prog/site_restore.h */
	bool moving;            /* in the step that is being carried out */
	bool late;              /* a worker did not let go of its card: site_move_catch_up() */
	uint64_t late_since_ns; /* when the traffic of such a move began to be away */
	struct run_move move;
	uint64_t moves;         /* how often it was re-bound */
	uint64_t events_since_ns; /* when the window of its attachment's events began */
	unsigned events_told, events_held; /* in that window */
	struct run_faults faults;
	bool quarantined;       /* barred by its faults */
	struct run_io *owner;   /* whose disk this is; itself where it shares no other's */
	struct site_records *records; /* what its NVMe subsystem keeps: prog/site_records.h; NULL: nothing */
	struct site_namespaces *namespaces; /* of its guest's making; NULL: it may make none */
};

struct site_run {
	const struct site *site;
	uv_loop_t *loop;
	struct workers *workers;
	struct run_card *cards;
	unsigned card_count;
	struct run_io *ios;     /* in the order of the placement rows */
	unsigned io_count;
	struct placement *places;
	struct failover failover;
	struct failover_io *failover_ios;
	struct failover_action *actions; /* room for one step */
	struct events events;
	struct faults faults;
	struct site_hardware *hardware; /* its real cards; NULL: it has none */
	struct site_guard *guard; /* its remapping units: prog/site_guard.h */
	uv_timer_t *heartbeat;
	uv_timer_t *restore_timer; /* prog/site_restore.h */
	struct mirror_set *mirror_sets; /* by worker: prog/site_mirror.h */
	struct mirror **mirrors;
	uv_timer_t *mirror_timer;
	bool mirrors_lost;        /* a worker never came back from one */
	uint64_t started_wall_ns, started_ns;
	const char *lock_dir;     /* of what outlives the daemon: records of real cards */
	char run_dir[96];
};

/* How many data threads the site is run with: what its file says, else one a card, at most the CPUs
 * there are. */
unsigned site_run_workers(const struct site *site);

/* Brings a checked site to life: cards, lines, fronts, workers.  -errno with 'why', having left
 * nothing behind.  DPDK's environment has been started (os/workers.h). */
int site_run_create(struct site_run **run, const struct site *site, uv_loop_t *loop,
		    const char *run_dir, struct refusal *why);
/* Takes everything down: sockets, interfaces, line ports, workers.  NULL is nothing. */
void site_run_destroy(struct site_run *run);

/* What a worker runs a card by. */
struct polled *site_run_polled(struct run_card *card);
/* What plugs an interface in, whatever it carries. */
struct front *site_run_front(const struct run_io *io);

/* Lookups by the names of the site file; NULL when there is none. */
struct run_card *site_run_card(struct site_run *run, const char *name);
struct run_io *site_run_io(struct site_run *run, const char *system, const char *io);
/* The interface whose front is bound to function 'vf' of 'card' now, or that has it reserved. */
struct run_io *site_run_function_user(struct site_run *run, unsigned card, unsigned vf,
				      bool *bound_now);

/* Whether one more event of this interface may be told now: none must wash everybody's out of the list. */
bool site_run_may_tell(struct run_io *io, const char *object);

/* Actions of the operator.  0, or -errno with 'why'. */
int site_run_pull(struct site_run *run, struct run_card *card, struct refusal *why);
enum run_switch_back { RUN_SWITCH_BACK_AS_CONFIGURED, RUN_SWITCH_BACK, RUN_STAY };
int site_run_insert(struct site_run *run, struct run_card *card, enum run_switch_back back,
		    struct refusal *why);
/* Makes the line driver of a card hang, as a card that dies silently does, or lets it go. */
int site_run_hang(struct site_run *run, struct run_card *card, bool hang, struct refusal *why);
/* Moves one interface to another card of its group. */
int site_run_switch(struct site_run *run, struct run_io *io, struct run_card *to,
		    struct refusal *why);
/* Lets a mirrored disk go on with the half on a card that lacks the latest writes. */
enum run_give_up { RUN_KEEP_ALL, RUN_GIVE_UP };
int site_run_force(struct site_run *run, struct run_io *io, struct run_card *with, enum run_give_up give_up,
		   struct refusal *why);

#endif
