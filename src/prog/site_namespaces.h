/* prog/site_namespaces.h -- namespaces that guests make and remove by NVMe commands (Namespace Management and
 * Attachment), where the site file lets them: `manage` of an interface is how many bytes of its card its guest may have
 * beside its disk.  They are that guest's alone, and are found again, attached, when the daemon starts anew.
 *
 * Threads: control; a guest's wish comes from its worker and is carried out here, in steps, since the table of a card
 * is written by its rounds.  Memory: begin() allocates; what end() leaves the loop frees when it runs next. */
#ifndef PROG_SITE_NAMESPACES_H
#define PROG_SITE_NAMESPACES_H

#include "prog/site_run.h"

struct attach_disk;

/* What the front of a disk is to be made with, so that its guest's wishes come here.  0, or -errno with 'why'. */
int site_namespaces_open(struct run_io *io, struct attach_disk *disk, struct refusal *why);
/* The front was bound: attaches what its guest has made before.  0, or -errno with 'why'. */
int site_namespaces_bind(struct run_io *io, struct refusal *why);
/* With the hold of its card, before it is unbound: a wish that is under way ends with an error. */
void site_namespaces_end(struct run_io *io);
/* Its front is gone, or was never made. */
void site_namespaces_close(struct run_io *io);

#endif
