/* manage/clients.h -- who is connected, and who has to go when there is no place for another client: whoever has
 * been waited for the longest, for a request or for taking its answer.  A client that waits for an event stays.
 *
 * It knows nothing of HTTP and closes nothing itself.
 *
 * Threads: control.  Memory: one struct of the caller. */
#ifndef MANAGE_CLIENTS_H
#define MANAGE_CLIENTS_H

#include "manage/http.h"

/* Nobody has to go before it has been waited for that long, so that a client which means to ask can. */
#define CLIENT_GRACE_NS (MANAGE_GRACE_MS * UINT64_C(1000000))

struct client {
	bool there;
	bool held;         /* it waits for an event: it is us that it waits for */
	uint64_t since_ns; /* when we began to wait for it */
	void *connection;  /* the caller's */
};

struct clients {
	struct client client[MANAGE_CONNECTIONS_MAX];
	unsigned count;
};

/* A client that has just come; NULL: there is no place. */
struct client *clients_add(struct clients *clients, void *connection, uint64_t now_ns);
/* It has gone. */
void clients_remove(struct clients *clients, struct client *client);

/* The client that has been waited for the longest; NULL: all wait for events, or there is none. */
struct client *clients_oldest(struct clients *clients);

#endif
