/* prog/site_describe.h -- describes the parts of the running site that carry traffic: cards,
 * functions, systems.  For site_tree.
 *
 * Threads: control.  Memory: none kept. */
#ifndef PROG_SITE_DESCRIBE_H
#define PROG_SITE_DESCRIBE_H

#include "prog/site_run.h"
#include "tree/tree.h"

enum { SITE_FUNCTION_NAME_MAX = 64 }; /* "nic0/vf3" */

/* Writes the name of VF 'vf' of a card. */
void site_describe_function_name(const struct run_card *card, unsigned vf,
				 char text[SITE_FUNCTION_NAME_MAX]);

const char *site_describe_card_state(struct run_card *card);

/* Why no function of a card can be given to anybody: "pulled", "dead", or an external function's own
 * state; NULL when it can be.
 *
 * vf  1.., of which an external card says each by itself */
const char *site_describe_function_loss(struct run_card *card, unsigned vf);

/* The card an interface is bound to, or NULL. */
struct run_card *site_describe_card_of(const struct run_io *io);

/* "waiting", "connected", "running", "stopped", "held": how an interface is. */
void site_describe_io_state(struct run_io *io, char state[32]);

void site_describe_card(struct run_card *card, struct tree_out *out);
void site_describe_function(struct run_card *card, unsigned vf, struct tree_out *out);
void site_describe_system(struct site_run *run, const struct site_system *system,
			  struct tree_out *out);

/* Rows of a card's forwarding table; -EBUSY with 'why' when its worker does not let go of it. */
int site_describe_fdb(struct run_card *card, struct tree_out *out, struct refusal *why);

#endif
