/* prog/site_faults.h -- what becomes of an access that the guard blocked: it is listed, told as an event, and
 * counted; a function that keeps on is quarantined.
 *
 * Threads: control.  Memory: none but site_run's. */
#ifndef PROG_SITE_FAULTS_H
#define PROG_SITE_FAULTS_H

#include "iommu/guard.h"
#include "prog/site_run.h"

/* An access of an interface was blocked, and 'more' others of which nothing is known but their number. */
void site_faults_note(struct run_io *io, const struct guard_fault *fault, uint64_t more);
/* One of a requester that is no function of this site. */
void site_faults_note_stranger(struct site_run *run, const struct guard_fault *fault);
/* After a number of these: tells events, and quarantines who is over the limit. */
void site_faults_settle(struct site_run *run);

/* The operator lets an interface out of quarantine.  -EALREADY with 'why' when it is in none. */
int site_faults_release(struct run_io *io, struct refusal *why);
/* An interface that was in quarantine in another daemon stays there. */
void site_faults_bar(struct run_io *io, const char *why);
/* Its guest has gone, and so has the reason. */
void site_faults_forgive(struct run_io *io);

#endif
