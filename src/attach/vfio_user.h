/* attach/vfio_user.h -- serves one PCI function on a unix socket as the vfio-user protocol has it, to one
 * client at a time: QEMU's vfio-user-pci, or any program that drives a device from user space.
 *
 * What it is not: the function (dev/pci_function.h), nor a row of attach_kinds: it knows neither cards nor
 * site files, so a program that serves a function needs a loop, a function and this.
 *
 * A client is never trusted: each message is held against its rule (vfio_user_table.c) and refused or answered;
 * what breaks the framing ends the connection.  When it ends, the function is reset and all that the client
 * granted is given back, but for requests that are under way: those are waited for first.
 *
 * Threads: the loop's, which is the control thread.  The function is touched under host.hold() only, since
 * a worker may have it.  Memory: create() allocates, destroy() gives back. */
#ifndef ATTACH_VFIO_USER_H
#define ATTACH_VFIO_USER_H

#include "attach/parcel.h"
#include "base/refusal.h"
#include "dev/pci_function.h"

#include <uv.h>

struct vfio_user;

struct vfio_user_host {
	/* All may be NULL: nobody else touches the function, or wants to know. */
	bool (*ready)(void *owner); /* the hold can be had now; false: come back later */
	void (*hold)(void *owner);
	void (*release)(void *owner);
	void (*wake)(void *owner); /* the function may have work: its worker */
	/* Descriptors that are doorbells: their events wake the function's worker until unwatch(), and vfio_user_look()
	 * counts them.  Both NULL: the loop rings instead. */
	void (*watch)(void *owner, int fd);
	void (*unwatch)(void *owner, int fd);
	/* "connected", "disconnected", "refused", "memory lost": what an operator wants to know. */
	void (*event)(void *owner, const char *kind, const char *text);
	void *owner;
};

/* Where the mapped pieces of the function's regions come from.  The descriptor is the caller's; its file must
 * not shrink (vfio_user_pages() makes such). */
struct vfio_user_pages {
	int fd;          /* -1: the region has no mapped piece */
	uint64_t offset; /* of the region's first byte in the file: a multiple of 4096 */
};

/* Who answers a client instead of the function, when that is in another process (vfio_user_external.c).  serve()
 * carries a command out as a rule of vfio_user_internal.h does, or begins to: -EINPROGRESS, and
 * vfuser_later_answer() follows; -EAGAIN: it cannot now, and vfuser_later_retry() follows.  left(): the client has
 * gone, and nobody waits any longer. */
struct vfuser_msg;
struct vfio_user_relay {
	int (*serve)(void *owner, struct vfuser_msg *msg, struct refusal *why);
	void (*left)(void *owner);
	void *owner;
};

/* How the function reaches what its client lends. */
enum vfio_user_reach {
	VFIO_USER_REACHES_ALL, /* by descriptor, or by vfio_user_copy() */
	VFIO_USER_NEEDS_FDS,   /* it polls queues there: what comes without a descriptor is out of its reach, and
				* clients that ask are told so */
};

struct vfio_user_conf {
	const char *path; /* of the socket; one that nobody listens on is replaced */
	/* Until destroy(): its dma receives what the client grants; its host is what vfio_user_host() says. */
	struct pci_function *function;
	struct vfio_user_pages pages[PCI_REGION_ROM];
	struct vfio_user_host host;
	enum vfio_user_reach reach;
	const struct vfio_user_relay *relay; /* NULL: the function answers.  Until destroy() */
	uv_loop_t *loop;
};

/* 0 or -errno with 'why': the path is too long, somebody listens there. */
int vfio_user_create(struct vfio_user **server, const struct vfio_user_conf *conf, struct refusal *why);
/* Ends the connection, and removes the socket.  Nothing of the function is under way any more.  Handles of the
 * loop close when it runs next.  NULL is nothing. */
void vfio_user_destroy(struct vfio_user *server);

/* What the function's conf.host is to be, filled in before the server exists: *slot receives the server
 * when it is created with that function. */
struct pci_function_host vfio_user_function_host(struct vfio_user **slot);

/* Tells the function of doorbells that its worker was woken by.  Call it now and then, without the hold. */
void vfio_user_look(struct vfio_user *server);

/* Makes a memory file that can neither shrink nor grow, and maps it: 0 or -errno. */
int vfio_user_pages(uint64_t size, int *fd, uint8_t **bytes);

/* A copy between our memory and what the client granted without a descriptor, by messages. */
enum vfio_user_direction { VFIO_USER_FROM_CLIENT, VFIO_USER_TO_CLIENT };

struct vfio_user_copy {
	enum vfio_user_direction direction;
	uint64_t address; /* in the function's addresses */
	uint32_t size;    /* bytes, > 0 */
	uint8_t *bytes;   /* ours; until done() */
	/* 0; -errno: of the client, or -ECONNRESET when it went.  Called once, from the loop. */
	void (*done)(struct vfio_user_copy *, int result);
	void *owner;
	/* The server's own. */
	struct vfio_user_copy *next;
	uint32_t moved, asked;
	uint16_t id;
};

/* Begins a copy: 0, or -EFAULT when the client has not granted all of it, and for that access. */
int vfio_user_copy(struct vfio_user *server, struct vfio_user_copy *copy);

/* Handing a client over to another server, in another process or this one, which notices no more than a pause.
 *
 * hold_still(): nothing of the client is read from now on, and the function becomes quiet; true when it is, and all
 * answers have gone; false: ask again when the loop has run.  No client is let in, either.  go_on() undoes it.
 *
 * give(): a server that holds still, and has a client, collects what it has of it in an empty parcel, and has no client
 * and a reset function then, which stays held.  0, or -errno with 'why', and nothing has changed.
 *
 * take(): a server that holds still and has no client has that of the parcel, which stays as it is.  0, or -errno with
 * 'why' when it is damaged, or of another function: then the server has no client. */
bool vfio_user_hold_still(struct vfio_user *server);
void vfio_user_go_on(struct vfio_user *server);
bool vfio_user_has_client(const struct vfio_user *server);
int vfio_user_give(struct vfio_user *server, struct parcel *parcel, struct refusal *why);
int vfio_user_take(struct vfio_user *server, const struct parcel *parcel, struct refusal *why);

struct vfio_user_facts {
	bool connected;
	unsigned windows;     /* of DMA */
	uint64_t messages, refused, connections;
	unsigned migration;   /* enum vfio_user_state */
};
void vfio_user_facts(const struct vfio_user *server, struct vfio_user_facts *facts);

#endif
