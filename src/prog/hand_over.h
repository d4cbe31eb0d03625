/* prog/hand_over.h -- a planned restart: one daemon hands its site over to another while guests are connected.
 *
 * A client of vfio-user that cannot connect again (QEMU) sees a pause and nothing else: its connection, the memory that
 * it lent, its interrupts and doorbells, and the state of its function go from process to process.  All other clients,
 * and all that the site file describes, are as after a stop and a start.
 *
 *   the new one           the old one
 *   ASK site, functions   compares: YES, or NO with names, and nothing was touched
 *   READY                 functions become quiet and are collected; the site is taken down
 *                         LOCKS, CARD..., FUNCTION..., END
 *   builds the site and
 *   takes them: TAKEN     GO: ends.  After anything else, or too long: builds the site again, takes them back, goes on
 *   goes on
 *
 * Threads: control.  Memory: what create() and begin() allocate, destroy() and end() give back. */
#ifndef PROG_HAND_OVER_H
#define PROG_HAND_OVER_H

#include "prog/hand_link.h"
#include "prog/site_run.h"

enum {
	HAND_ANSWER_MS = 5000, /* an answer that needs no work */
	HAND_QUIET_MS = 3000,  /* until all functions are quiet: QEMU gives up after 5 s without an answer */
	HAND_BUILD_MS = 10000, /* until a site is up */
};

/* What the two compare: text, the caller's to free.  First the site and its socket, then a line of each
 * interface that says what is to be the same.  NULL with 'why'. */
char *hand_terms(const struct site *site, const char *tool_socket, struct refusal *why);
/* The line of one interface in terms, without its end: false when there is none. */
bool hand_terms_line(const char *terms, const struct site_system *system, const struct site_io *io,
		     const char **line, size_t *size);

/* Whether a client is connected that would not come back by itself. */
bool hand_has_client(const struct run_io *io);
/* A function that holds still goes into an empty parcel, in two steps, and into an interface of the same name.  What
 * functions share, which are reservations, is changed by the reset of one of them: so all are prepared before the first
 * is collected, and all are placed before the reservations of the first are.  0, or -errno with 'why'. */
int hand_prepare(struct run_io *io, struct parcel *parcel, struct refusal *why);
int hand_collect(struct run_io *io, struct parcel *parcel, struct refusal *why);
int hand_place(struct site_run *run, const struct parcel *parcel, struct refusal *why);
int hand_place_reservations(struct site_run *run, const struct parcel *parcel, struct refusal *why);
/* Whether a function with a client holds still, or will. */
bool hand_is_still(const struct run_io *io);
/* All functions hold still; go on; have no clients any more, who are somebody else's. */
bool hand_hold_still(struct site_run *run);
void hand_go_on(struct site_run *run);
/* All hold still: true when mirrors have written down that their halves are the same, so that a start copies only what
 * was being copied; else ask again. */
bool hand_settle(struct site_run *run);
void hand_forsake(struct site_run *run);

/* -- the one that hands over -- */

struct hand_over;

/* Waits at 'path' for one that takes over; then the loop is stopped, and hand_over_wanted() says so. */
int hand_over_create(struct hand_over **hand, struct site_run *run, const char *path, const char *tool_socket,
		     struct refusal *why);
/* Removes the socket.  NULL is nothing. */
void hand_over_destroy(struct hand_over *hand);
bool hand_over_wanted(const struct hand_over *hand);

/* Makes all functions quiet and collects them, running the loop.  0: the site is to be taken down; -errno: the
 * other one was told why, and all goes on. */
int hand_over_collect(struct hand_over *hand);
/* The site is down: sends everything and waits.  True: the other one has the site.  False: it has not, and has
 * ended. */
bool hand_over_send(struct hand_over *hand, const int *locks, unsigned lock_count);
/* The site was built again: gives it back what was collected. */
void hand_over_restore(struct hand_over *hand, struct site_run *run);

/* -- the one that takes over -- */

struct hand_take;

/* Asks who runs the site, and waits for the answer.  0, or -errno with 'why'. */
int hand_take_begin(struct hand_take **take, const char *path, const struct site *site, const char *tool_socket,
		    struct refusal *why);
/* Says that we are ready, and receives everything.  0, or -errno with 'why'. */
int hand_take_receive(struct hand_take *take, struct refusal *why);
const int *hand_take_locks(const struct hand_take *take, unsigned *count);
/* The site was built: puts what came into it, and waits until it is ours.  0, and the functions go on; or -errno with
 * 'why': then the site has no clients, and is to be taken down. */
int hand_take_place(struct hand_take *take, struct site_run *run, struct refusal *why);
/* Tells the other one why it came to nothing, if it did.  NULL is nothing. */
void hand_take_end(struct hand_take *take, const struct refusal *why_or_null);

#endif
