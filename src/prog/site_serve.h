/* prog/site_serve.h -- serves the running site to the tool: its tree, its actions, its events.
 *
 * Threads: control.  Memory: allocated. */
#ifndef PROG_SITE_SERVE_H
#define PROG_SITE_SERVE_H

#include "prog/site_run.h"

struct site_serve;

/* Listens at 'socket', which site_lock_take() gave.  -errno with 'why'. */
int site_serve_create(struct site_serve **serve, struct site_run *run, const char *socket,
		      struct refusal *why);

/* Closes the socket; NULL is nothing.  The loop has to turn once more. */
void site_serve_destroy(struct site_serve *serve);

#endif
