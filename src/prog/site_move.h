/* prog/site_move.h -- carries out what fabric/failover decided: unbinds fronts here, binds them there,
 * moves what was queued, announces addresses, and says how long traffic was away.
 *
 * Threads: control, like site_run.h.  Memory: none kept. */
#ifndef PROG_SITE_MOVE_H
#define PROG_SITE_MOVE_H

#include "prog/site_run.h"

/* Binds an interface to a member of its placement for the first time.  -errno with 'why'. */
int site_move_bind_first(struct run_io *io, int member, struct refusal *why);

/* Tells the failover machine that 'event' happened to 'card' and carries out what it answers.
 *
 * since_ns  when traffic began to be away, as far as known (os/clock.h) */
void site_move_tell(struct run_card *card, enum failover_event event, uint64_t since_ns);

/* Carries out what a worker that kept hold of its card had left undone, now that it may have let go.  For each
 * heartbeat; waits for a millisecond or two at most, longer where others have the CPU. */
void site_move_catch_up(struct site_run *run);

/* Carries out the moves back of those whose wait to restore is over; how many, in run->actions. */
unsigned site_move_restore(struct site_run *run);

/* Carries out one move that was decided elsewhere (the operator's switch). */
void site_move_one(struct site_run *run, const struct failover_action *action, uint64_t since_ns);

/* Takes an interface off its card, without a word to its guest: for shutdown. */
void site_move_unbind(struct run_io *io);

/* Takes a card for the control thread; false, logged, when its worker does not let go of it.  Pair with
 * nic_card_release. */
bool site_move_hold(struct run_card *card);

/* Lets others run while it waits for a card: a hold_pause that counts the time that they took. */
unsigned site_move_give_way(void);

/* Queues the announcements of an interface's addresses on the card it is bound to. */
void site_move_announce(struct run_io *io);

/* Keeps the descriptors that wake the worker of an interface where the interface is. */
void site_move_watch(struct run_io *io, int fd);
void site_move_unwatch(struct run_io *io, int fd);
void site_move_wake(struct run_io *io);
/* None of them wakes it any more. */
void site_move_unwatch_all(struct run_io *io);

#endif
