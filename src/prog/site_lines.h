/* prog/site_lines.h -- the line ports of a site before they are opened: how many there may be, and what memory
 * they take.
 *
 * Threads: control.  Memory: none. */
#ifndef PROG_SITE_LINES_H
#define PROG_SITE_LINES_H

#include "fabric/site.h"
#include "uplink/uplink.h"

/* The line port that a card asks for; loop and owner are the caller's to fill in.  Its texts are the card's. */
struct uplink_conf site_lines_conf(const struct site_card *card);

/* What the line ports of a site take of DPDK's memory, which is not started yet, with so many data threads.  0;
 * -E2BIG with 'why' when there are more of them than one process drives. */
int site_lines_memory(const struct site *site, unsigned workers, uint64_t *bytes, struct refusal *why);

#endif
