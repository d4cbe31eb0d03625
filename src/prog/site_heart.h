/* prog/site_heart.h -- listens to the workers' heartbeats: a worker that is stuck in a driver takes its
 * cards with it, and gives them back when it answers again.  A card whose medium has died is dead for good.
 *
 * Threads: control.  Memory: one timer, freed by the loop. */
#ifndef PROG_SITE_HEART_H
#define PROG_SITE_HEART_H

#include "prog/site_run.h"

void site_heart_start(struct site_run *run);
void site_heart_stop(struct site_run *run); /* also when it was never started */

#endif
