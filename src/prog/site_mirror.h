/* prog/site_mirror.h -- mirrored disks of the running site: an interface of a disk pool whose redundancy group has
 * mode 1+1 is kept on both cards of it (card/mirror.h).
 *
 * All disk cards that mirrors connect are run by one worker under one hold.  Each half is a namespace with
 * the interface's identity, MIRROR_RESERVED larger than the disk; what stands at its end says after any stop which
 * half is the truth, so nothing is kept here.
 *
 * Threads: control, like site_run.h.  Memory: allocated by the functions that create. */
#ifndef PROG_SITE_MIRROR_H
#define PROG_SITE_MIRROR_H

#include "card/mirror_set.h"
#include "prog/site_run.h"

enum { SITE_MIRROR_TEXT = 320 };

struct run_mirror {
	struct mirror *mirror;
	struct block_back *back[MIRROR_HALVES]; /* the ways to the halves */
	bool given[MIRROR_HALVES];        /* the mirror was given the half */
	struct mirror_facts facts;        /* when it was looked at last */
	const char *told;                 /* the state that was told last */
	unsigned told_copyings, told_tenths; /* of copying: how many began, and how far the last is */
};

/* Of those that share a mirror, the one that has it. */
static inline bool site_mirror_is_first(const struct run_io *io)
{
	return io->mirror && io->owner == io;
}

/* Gives the cards that mirrors connect one worker, and says with which card each shares its hold.  Before the
 * cards are made. */
void site_mirror_connect(struct site_run *run);
/* Makes room for mirrors.  -ENOMEM with 'why'. */
int site_mirror_create(struct site_run *run, struct refusal *why);
/* Mirrors are run by their workers, and watched, from here on. */
int site_mirror_start(struct site_run *run, struct refusal *why);
/* Nobody watches them any more. */
void site_mirror_stop(struct site_run *run);
/* Takes them from their workers. */
void site_mirror_withdraw(struct site_run *run);
/* After the cards were closed. */
void site_mirror_destroy(struct site_run *run);

/* Finds or makes both halves of a disk, lets its mirror begin, and binds its front.  Before workers run the
 * cards. */
int site_mirror_bind(struct run_io *io, struct refusal *why);
/* That card has a medium now: finds or makes the disk's half there, if it has one.  -errno with 'why'. */
int site_mirror_attach(struct run_io *io, const struct run_card *card, struct refusal *why);
/* Binds the front of an interface that shares the mirror of its owner, which was bound. */
int site_mirror_share(struct run_io *io, struct refusal *why);
/* With the hold: takes the front away, when nothing of it is under way. */
bool site_mirror_unbound(struct run_io *io);

/* With the hold of the card: it was pulled or is dead, or it is back. */
void site_mirror_detach(struct run_card *card, bool detach);
/* Goes on with the half on that card, though the other may have later writes, which are given up: the operator
 * says so twice, in that 'give_up' is there.  -errno with 'why', which says what would be lost. */
int site_mirror_force(struct run_io *io, const struct run_card *card, enum run_give_up give_up,
		      struct refusal *why);
/* Tells what became of all mirrors since the last look. */
void site_mirror_look(struct site_run *run);

/* "mirrored", "rebuilding": one half is being brought up to date, "degraded": one half is not there, "away": no half
 * is that has all that was written. */
const char *site_mirror_state(struct run_io *io);
/* What is to be said of the state, with the remedy; empty when it is mirrored. */
void site_mirror_say(struct run_io *io, char text[SITE_MIRROR_TEXT]);

struct tree_out;
void site_mirror_describe_function(struct run_io *io, const struct run_card *card, struct tree_out *out);
void site_mirror_describe_io(struct run_io *io, struct tree_out *out);

#endif
