/* prog/site_disk.h -- disk cards of the running site: their media and tables, and the disks that systems ask
 * for, each a namespace that is made when it is first asked for and found again by its identity.
 *
 * A disk stays bound to its card when that is pulled: the card then ends its commands, and goes on when it
 * is put in again.
 *
 * Threads: control, like site_run.h.  Memory: allocated by the functions that create. */
#ifndef PROG_SITE_DISK_H
#define PROG_SITE_DISK_H

#include "prog/site_run.h"

/* Opens the card's medium and reads its table, or makes one.  A medium that cannot be had, or is none of ours, is
 * absent (medium_absent): the card is dead, and why is what medium_how() says.  -errno with 'why', which names
 * card and remedy; then site_disk_close() is still to be called. */
int site_disk_open(struct run_card *card, struct refusal *why);
/* Tries to have an absent medium again, and gives the card's disks what they asked for; a disk that does not fit
 * is told of by an event.  -errno with 'why': it is absent as before. */
int site_disk_reopen(struct run_card *card, struct refusal *why);
/* Closes it; the worker has let go of the card.  Without site_disk_open() it does nothing. */
void site_disk_close(struct run_card *card);

/* Finds or makes a namespace of a disk, on the card of that member of its placement. */
int site_disk_namespace(struct run_io *io, unsigned member, uint64_t size, uint32_t block_size, uint32_t *nsid,
			struct refusal *why);
/* The row of its namespace in the table of that card; NULL: there is none. */
const struct disk_namespace *site_disk_row(const struct run_io *io, unsigned member);
/* With the hold of its card: the front is heard as the function of that member from now on. */
void site_disk_plug(struct run_io *io, int member);

/* How a card's hold is waited for, and its medium. */
enum { SITE_DISK_HOLD_TRIES = 200000 };
unsigned site_disk_give_way(void);
void site_disk_pause(void);

/* Finds or makes the namespace of a disk, and binds its front.  Before a worker runs the card. */
int site_disk_bind(struct run_io *io, struct refusal *why);
/* Ends what it does, and takes it off its card, waiting a few seconds for a medium; false when the medium keeps
 * requests of it: then nothing that these use may be freed. */
bool site_disk_unbind(struct run_io *io);

/* The card was pulled or is dead; it is back.  False when its worker does not let go of it within so many look-ins;
 * nothing has changed then. */
bool site_disk_detach(struct run_card *card, bool detach, unsigned tries);

/* Whether an interface is a disk, and what it calls its function's hold. */
static inline bool site_disk_is(const struct run_io *io)
{
	return io->block != NULL;
}

/* Whether its guest's commands end with an error since no card is there to carry them out; then 'text' says why, and
 * what to do. */
bool site_disk_is_away(struct run_io *io, char *text, size_t size);

/* What a card and a function say for `midplane`. */
struct tree_out;
void site_disk_describe_card(struct run_card *card, struct tree_out *out);
void site_disk_describe_function(struct run_card *card, unsigned vf, struct run_io *io_or_null,
				 struct tree_out *out);

#endif
