/* prog/midplane_client.h -- asks the daemon: HTTP over its unix socket.
 *
 * Failures are told on standard error before these return.
 *
 * Threads: one.  Memory: answers are the caller's. */
#ifndef PROG_MIDPLANE_CLIENT_H
#define PROG_MIDPLANE_CLIENT_H

#include "prog/midplane.h"

struct client;

/* Finds the socket (--socket, --site, or the one site that runs here) and opens a client. */
enum midplane_exit client_open(const struct call *call, struct client **client);
void client_close(struct client *client); /* NULL is nothing */

/* Path of an object or what is below it: "/v1/function/nic0%2Fvf3/fdb".  Free it. */
char *client_path(const char *noun, const char *name, const char *below);

/* GET, or POST with a body ("" for none) when 'body' is not NULL.
 *
 * wait_s  how long the daemon may take on purpose, seconds
 * text    receives the answer, allocated, zero at its end */
enum midplane_exit client_ask(struct client *client, const char *path, const char *body,
			      unsigned wait_s, char **text);
/* The same, for JSON. */
enum midplane_exit client_ask_json(struct client *client, const char *path, const char *body,
				   unsigned wait_s, json_t **json);

#endif
