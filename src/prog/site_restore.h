/* prog/site_restore.h -- the timer of interfaces that wait to restore: fabric/failover.h says which
 * go back to their preferred card and when, this asks it in time and tells.
 *
 * Threads: control.  Memory: one timer, freed by the loop. */
#ifndef PROG_SITE_RESTORE_H
#define PROG_SITE_RESTORE_H

#include "prog/site_run.h"

int site_restore_start(struct site_run *run, struct refusal *why);
void site_restore_stop(struct site_run *run); /* also when it was never started */

/* Sets the timer anew and tells of waits that began: for after anything that may begin or end one.
 * A wait that a flapping card begins again and again is told once, until its interfaces have been
 * moved. */
void site_restore_look(struct site_run *run);

/* For how long interfaces of this group still wait to go back to 'card', the first of them, in
 * whole seconds, rounded up; 0: none waits. */
uint64_t site_restore_left_s(const struct site_run *run, const struct site_group *group,
			     const struct run_card *card);

#endif
