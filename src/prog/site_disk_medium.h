/* prog/site_disk_medium.h -- opens the medium that the site file asks for a disk card: memory, a file, a function
 * that VFIO or another process has.
 *
 * Threads: control.  Memory: the medium is the caller's, to be closed. */
#ifndef PROG_SITE_DISK_MEDIUM_H
#define PROG_SITE_DISK_MEDIUM_H

#include "prog/site_run.h"

#include "media/media.h"

/* 0, or -errno with 'why', which names the card and a remedy; *medium is as it was, or NULL. */
int site_disk_open_medium(const struct run_card *card, struct medium **medium, struct refusal *why);

/* A refusal of a lower part becomes one that names the card; returns err. */
int site_disk_refuse_card(const struct run_card *card, int err, struct refusal *why, const struct refusal *below,
			  const char *remedy);

#endif
