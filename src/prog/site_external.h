/* prog/site_external.h -- external cards of the running site: functions that other processes serve, imported by
 * attach/vfio_user_import.h and passed on to the systems that they are given to.
 *
 * A function stays bound to its card whatever becomes of its process; a card none of whose functions is there
 * counts as dead.
 *
 * Threads: control, like site_run.h.  Memory: allocated by site_external_open(). */
#ifndef PROG_SITE_EXTERNAL_H
#define PROG_SITE_EXTERNAL_H

#include "conform/conform.h"
#include "fabric/hierarchy.h"
#include "prog/site_run.h"

/* Begins to look for the card's functions: none need be there.  -errno with 'why'; then site_external_close() is
 * still to be called. */
int site_external_open(struct run_card *card, struct refusal *why);
/* Their attachments have gone.  Without site_external_open() it does nothing. */
void site_external_close(struct run_card *card);

/* Passes a function on to the interface that it was placed with. */
int site_external_attach(struct run_io *io, const struct attach_host *host, struct refusal *why);
void site_external_end(struct run_io *io);

static inline bool site_external_is(const struct run_io *io)
{
	return io->external != NULL;
}

/* The operator pulled the card, or put it in again. */
void site_external_detach(struct run_card *card, bool detach);

/* The card's state in a word: that of the site's failover, or how its functions are. */
const char *site_external_state(struct run_card *card, const char *state);
/* Why function 'vf' (1..) cannot be given to anybody: its process's state; NULL when it can be. */
const char *site_external_loss(const struct run_card *card, unsigned vf);

/* hierarchy_conf.import; its owner is the run. */
bool site_external_import(void *owner, unsigned card, unsigned vf, struct hierarchy_import *import);

/* Judges function 'vf' as it is now: reads of what is known of it, and nothing else.  -ENODEV: it was never there;
 * -ENOTSUP: it is somebody's, and must not be disturbed. */
int site_external_conform(struct run_card *card, unsigned vf, enum conform_care care,
			  struct conform_report *report, struct refusal *why);

/* What a card and a function say for `midplane`. */
struct tree_out;
void site_external_describe_card(struct run_card *card, struct tree_out *out);
void site_external_describe_function(struct run_card *card, unsigned vf, struct tree_out *out);

#endif
