/* prog/site_records.h -- what NVMe disks keep through a loss of power: reservations that are to persist, and a sanitize
 * that has begun (dev/nvme.h has the bytes).  They lie beside the disk's namespace on its card (card/disk_record.h),
 * of a mirrored disk on both cards; the one with the higher number is the truth.
 *
 * Threads: control; a controller asks from its worker.  Memory: open() allocates; what close() leaves the loop frees
 * when it runs next. */
#ifndef PROG_SITE_RECORDS_H
#define PROG_SITE_RECORDS_H

#include "prog/site_run.h"

struct attach_disk;

/* What the front of an NVMe disk is to be made with, so that its subsystem is kept.  0, or -errno with 'why'. */
int site_records_open(struct run_io *io, struct attach_disk *disk, struct refusal *why);
/* The front was bound, or a card of it has a medium at last, and no worker runs that card: reads what was kept there
 * and takes it, if it is the newest.  0, or -errno with 'why'. */
int site_records_recall(struct run_io *io, struct refusal *why);
/* With the hold of its card, before one that uses the subsystem is unbound: false while something is being kept. */
bool site_records_settled(struct run_io *io);
/* With the hold: the card is back; what it has missed is written there. */
void site_records_insert(struct run_card *card);
/* All fronts of the subsystem are gone, or were never made. */
void site_records_close(struct run_io *io);

#endif
