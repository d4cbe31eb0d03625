/* prog/site_cards.h -- the cards of a running site: each with its class's own beginnings, its worker, and
 * for NIC cards a line port whose link is watched.  What becomes of them is in site_run.h.
 *
 * Threads: control. */
#ifndef PROG_SITE_CARDS_H
#define PROG_SITE_CARDS_H

#include "prog/site_run.h"

/* Makes all cards of the site; workers are there.  -errno with 'why', having left what site_run_destroy()
 * takes away. */
int site_cards_create(struct site_run *run, struct refusal *why);

#endif
