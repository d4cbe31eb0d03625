#include "manage/clients.h"

struct client *clients_add(struct clients *clients, void *connection, uint64_t now_ns)
{
	for (unsigned i = 0; i < MANAGE_CONNECTIONS_MAX; i++) {
		struct client *client = &clients->client[i];

		if (client->there)
			continue;
		*client = (struct client){ .there = true, .since_ns = now_ns, .connection = connection };
		clients->count++;
		return client;
	}
	return NULL;
}

void clients_remove(struct clients *clients, struct client *client)
{
	must(client->there && clients->count > 0);
	client->there = false;
	clients->count--;
}

struct client *clients_oldest(struct clients *clients)
{
	struct client *oldest = NULL;

	for (unsigned i = 0; i < MANAGE_CONNECTIONS_MAX; i++) {
		struct client *client = &clients->client[i];

		if (client->there && !client->held && (!oldest || client->since_ns < oldest->since_ns))
			oldest = client;
	}
	return oldest;
}
