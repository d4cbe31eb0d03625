/* The daemon that hands over. */
#include "prog/hand_over.h"

#include "attach/handle.h"
#include "base/bytes.h"
#include "os/clock.h"
#include "os/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { END_MS = 10000 /* until one that failed has ended */, TURN_MS = 1, SETTLE_MS = 500 };

struct hand_over {
	struct site_run *run; /* NULL while the site is down */
	const struct site *site;
	uv_loop_t *loop;
	char *terms;
	char path[108];
	int listen_fd, fd; /* -1 */
	int pidfd;         /* of who takes over */
	long pid;
	uv_poll_t *listener, *poll;
	bool agreed, wanted;
	uint64_t quiet_ns; /* since then */
	struct parcel *functions;
	unsigned function_count;
	const struct site_card **pulled;
	unsigned pulled_count;
};

static void drop_peer(struct hand_over *h)
{
	attach_poll_close(&h->poll);
	if (h->fd >= 0)
		close(h->fd);
	if (h->pidfd >= 0)
		close(h->pidfd);
	h->fd = h->pidfd = -1;
	h->agreed = h->wanted = false;
}

static void say_no(struct hand_over *h, const char *text)
{
	log_warning("prog", "the site is not handed over to pid=%ld: %s", h->pid, text);
	(void)hand_link_say(h->fd, HAND_NO, text);
}

/* Whether it may be. */

static bool refuse_cards(const struct hand_over *h, struct refusal *why)
{
	struct site_card_place place;

	for (unsigned i = 0; site_card_at(h->site, i, &place); i++) {
		const struct site_card *card = place.card;

		if (card->card_class == SITE_CARD_VFIO)
			refuse(why, "", "card '%s' is real hardware, which is not handed over: stop midplaned and "
					"start it", card->name);
		else if (card->card_class == SITE_CARD_NIC && card->line && strncmp(card->line, "net_", 4) != 0)
			refuse(why, "", "the line of card '%s' is the PCI device %s, which is not handed over: stop "
					"midplaned and start it", card->name, card->line);
		else if (card->card_class == SITE_CARD_DISK && strcmp(card->medium, "memory") == 0)
			refuse(why, "", "what is on card '%s' is in the daemon's memory, and would be lost: stop "
					"midplaned and start it", card->name);
		else
			continue;
		return true;
	}
	return false;
}

/* A first line that both terms must have. */
static bool same_line(const char *ours, const char *theirs, const char *word)
{
	const char *a = strstr(ours, word), *b = strstr(theirs, word);

	return a && b && strcspn(a, "\n") == strcspn(b, "\n") && strncmp(a, b, strcspn(a, "\n")) == 0;
}

static bool refuse_function(const struct hand_over *h, const struct run_io *io, const char *theirs,
			    struct refusal *why)
{
	const char *ours, *line;
	size_t size, length;

	if (io->external) {
		struct attach_facts facts;

		io->attachment->ops->facts(io->attachment, &facts);
		if (strcmp(facts.state, "waiting") == 0)
			return false;
		refuse(why, "", "'%s/%s' is a function of another process and has a client, which cannot be handed "
				"over: unplug it, or stop midplaned and start it", io->system->name, io->io->name);
		return true;
	}
	if (!hand_has_client(io))
		return false;
	must(hand_terms_line(h->terms, io->system, io->io, &ours, &length));
	if (!hand_terms_line(theirs, io->system, io->io, &line, &size)) {
		refuse(why, "", "'%s/%s' has a client, and the new site file has no such interface",
		       io->system->name, io->io->name);
		return true;
	}
	if (size == length && memcmp(ours, line, size) == 0)
		return false;
	refuse(why, "", "'%s/%s' has a client, and is another in the new site file: it is '%.*s', and would be '%.*s'",
	       io->system->name, io->io->name, (int)min_u64(length, 120), ours, (int)min_u64(size, 120), line);
	return true;
}

static bool refuse_terms(const struct hand_over *h, const char *theirs, struct refusal *why)
{
	if (!same_line(h->terms, theirs, "site ") || !same_line(h->terms, theirs, "socket ")) {
		refuse(why, "", "the running daemon has %.*s and its %.*s", (int)strcspn(h->terms, "\n"), h->terms,
		       (int)strcspn(strchr(h->terms, '\n') + 1, "\n"), strchr(h->terms, '\n') + 1);
		return true;
	}
	if (refuse_cards(h, why))
		return true;
	for (unsigned i = 0; i < h->run->io_count; i++)
		if (refuse_function(h, &h->run->ios[i], theirs, why))
			return true;
	return false;
}

/* Asking. */

static void asked(struct hand_over *h, struct hand_message *message)
{
	struct refusal why = { .path = "" };
	const char *theirs;

	if (!hand_link_text(message, &theirs))
		refuse(&why, "", "what it asks for is not understood");
	else if (!refuse_terms(h, theirs, &why) && hand_link_send(h->fd, HAND_YES, NULL) == 0) {
		h->agreed = true;
		return;
	}
	say_no(h, why.text);
	drop_peer(h);
}

static void on_peer(uv_poll_t *poll, int status, int events)
{
	struct hand_over *h = poll->data;
	struct hand_message message;
	struct refusal why = { .path = "" };

	(void)status, (void)events;
	if (!h)
		return;
	if (hand_link_receive(h->fd, TURN_MS, &message, &why)) {
		log_warning("prog", "one that asked for the site left pid=%ld: %s", h->pid, why.text);
		drop_peer(h);
		return;
	}
	if (message.kind == HAND_ASK && !h->agreed) {
		asked(h, &message);
	} else if (message.kind == HAND_READY && h->agreed) {
		h->wanted = true;
		uv_poll_stop(h->poll);
		uv_stop(h->loop);
	} else {
		log_warning("prog", "one that asked for the site gave it up pid=%ld", h->pid);
		drop_peer(h);
	}
	parcel_drop(&message.parcel);
}

static bool is_of_us(struct hand_over *h, int fd)
{
	struct ucred who;
	socklen_t size = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) || (who.uid != geteuid() && who.uid != 0))
		return false;
	h->pid = who.pid;
	h->pidfd = (int)syscall(SYS_pidfd_open, who.pid, 0);
	return true;
}

static void on_listen(uv_poll_t *poll, int status, int events)
{
	struct hand_over *h = poll->data;
	int fd;

	(void)status, (void)events;
	if (!h)
		return;
	fd = accept4(h->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (h->fd >= 0 || !is_of_us(h, fd)) {
		(void)hand_link_say(fd, HAND_NO, h->fd >= 0 ? "another one takes the site over just now"
							    : "it belongs to another user");
		close(fd);
		return;
	}
	h->fd = fd;
	h->poll = calloc(1, sizeof *h->poll);
	if (!h->poll || uv_poll_init(h->loop, h->poll, fd)) {
		free(h->poll);
		h->poll = NULL;
		drop_peer(h);
		return;
	}
	h->poll->data = h;
	uv_poll_start(h->poll, UV_READABLE, on_peer);
}

static int start_listening(struct hand_over *h)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	mode_t mask;
	int err;

	memcpy(where.sun_path, h->path, sizeof h->path);
	h->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (h->listen_fd < 0)
		return -errno;
	unlink(h->path); /* the site's lock is ours: nobody else listens */
	mask = umask(0177);
	err = bind(h->listen_fd, (const struct sockaddr *)&where, sizeof where) ? -errno : 0;
	umask(mask);
	if (err || listen(h->listen_fd, 2))
		return err ? err : -errno;
	h->listener = calloc(1, sizeof *h->listener);
	if (!h->listener)
		return -ENOMEM;
	must(uv_poll_init(h->loop, h->listener, h->listen_fd) == 0);
	h->listener->data = h;
	return uv_poll_start(h->listener, UV_READABLE, on_listen);
}

static void stop_listening(struct hand_over *h)
{
	attach_poll_close(&h->listener);
	if (h->listen_fd >= 0) {
		unlink(h->path);
		close(h->listen_fd);
	}
	h->listen_fd = -1;
}

static void drop_collected(struct hand_over *h)
{
	for (unsigned i = 0; i < h->function_count; i++)
		parcel_drop(&h->functions[i]);
	free(h->functions);
	free(h->pulled);
	h->functions = NULL;
	h->pulled = NULL;
	h->function_count = h->pulled_count = 0;
}

void hand_over_destroy(struct hand_over *h)
{
	if (!h)
		return;
	drop_peer(h);
	stop_listening(h);
	drop_collected(h);
	free(h->terms);
	free(h);
}

int hand_over_create(struct hand_over **result, struct site_run *run, const char *path, const char *tool_socket,
		     struct refusal *why)
{
	struct hand_over *h = calloc(1, sizeof *h);
	int err = -ENOMEM;

	if (!h)
		return err;
	h->listen_fd = h->fd = h->pidfd = -1;
	h->run = run;
	h->site = run->site;
	h->loop = run->loop;
	h->terms = hand_terms(run->site, tool_socket, why);
	if (strlen(path) >= sizeof h->path)
		err = -ENAMETOOLONG;
	else if (h->terms) {
		memcpy(h->path, path, strlen(path) + 1);
		err = start_listening(h);
	}
	if (err) {
		if (why && !why->text[0])
			refuse(why, "", "cannot listen on %s for one that takes the site over: %s", path,
			       uv_strerror(err));
		hand_over_destroy(h);
		return err;
	}
	*result = h;
	return 0;
}

bool hand_over_wanted(const struct hand_over *h)
{
	return h && h->wanted;
}

/* Collecting. */

static int wait_quiet(struct hand_over *h)
{
	uint64_t limit_ns = clock_now_ns() + HAND_QUIET_MS * UINT64_C(1000000);

	while (!hand_hold_still(h->run)) {
		if (clock_now_ns() > limit_ns)
			return -ETIMEDOUT;
		uv_run(h->loop, UV_RUN_NOWAIT);
		poll(NULL, 0, TURN_MS);
	}
	return 0;
}

/* Mirrors write down that their halves are the same.  Else the next one copies what was written lately. */
static void settle_mirrors(struct hand_over *h)
{
	uint64_t limit_ns = clock_now_ns() + SETTLE_MS * UINT64_C(1000000);

	while (!hand_settle(h->run) && clock_now_ns() < limit_ns)
		poll(NULL, 0, TURN_MS);
}

static void name_busy(const struct hand_over *h, struct refusal *why)
{
	for (unsigned i = 0; i < h->run->io_count; i++) {
		struct run_io *io = &h->run->ios[i];

		if (hand_has_client(io) && !hand_is_still(io)) {
			refuse(why, "", "'%s/%s' does not become quiet within %d s: its medium does not answer, or its "
					"client does not read", io->system->name, io->io->name, HAND_QUIET_MS / 1000);
			return;
		}
	}
	refuse(why, "", "a function does not become quiet within %d s", HAND_QUIET_MS / 1000);
}

static int collect_functions(struct hand_over *h, struct refusal *why)
{
	struct refusal below = { .path = "" };
	struct run_io *io = NULL;
	unsigned count = 0;
	int err = 0;

	for (unsigned i = 0; !err && i < h->run->io_count; i++) {
		io = &h->run->ios[i];
		if (hand_has_client(io))
			err = hand_prepare(io, &h->functions[count++], &below);
	}
	for (unsigned i = 0; !err && i < h->run->io_count; i++) {
		io = &h->run->ios[i];
		if (!hand_has_client(io))
			continue;
		err = hand_collect(io, &h->functions[h->function_count], &below);
		h->function_count += !err;
	}
	for (unsigned i = h->function_count; i < count; i++)
		parcel_drop(&h->functions[i]); /* was not collected */
	if (err)
		refuse(why, "", "'%s/%s': %s", io->system->name, io->io->name, below.text);
	return err;
}

static void note_pulled(struct hand_over *h)
{
	for (unsigned i = 0; i < h->run->card_count; i++)
		if (failover_card_state(&h->run->failover, i) == FAILOVER_CARD_PULLED)
			h->pulled[h->pulled_count++] = h->run->cards[i].place.card;
}

int hand_over_collect(struct hand_over *h)
{
	struct refusal why = { .path = "" };
	int err;

	h->wanted = false;
	h->functions = calloc(h->run->io_count + 1, sizeof *h->functions);
	h->pulled = calloc(h->run->card_count + 1, sizeof *h->pulled);
	h->quiet_ns = clock_now_ns();
	err = h->functions && h->pulled ? wait_quiet(h) : -ENOMEM;
	if (err == -ETIMEDOUT)
		name_busy(h, &why);
	if (!err) {
		settle_mirrors(h);
		err = collect_functions(h, &why);
	}
	if (!err) {
		note_pulled(h);
		h->run = NULL;
		return 0;
	}
	say_no(h, why.text[0] ? why.text : uv_strerror(err));
	hand_over_restore(h, h->run);
	return err;
}

/* Sending. */

static int send_all(struct hand_over *h, const int *locks, unsigned lock_count)
{
	uint8_t since[8];
	struct parcel first = { .bytes = since, .size = sizeof since, .fds = (int *)(uintptr_t)locks,
				.fd_count = lock_count };
	int err;

	put_le64(since, h->quiet_ns);
	err = hand_link_send(h->fd, HAND_LOCKS, &first);
	for (unsigned i = 0; !err && i < h->pulled_count; i++)
		err = hand_link_say(h->fd, HAND_CARD, h->pulled[i]->name);
	for (unsigned i = 0; !err && i < h->function_count; i++)
		err = hand_link_send(h->fd, HAND_FUNCTION, &h->functions[i]);
	return err ? err : hand_link_send(h->fd, HAND_END, NULL);
}

/* One that failed must have given up the site's files and sockets before they are ours again. */
static void wait_end(struct hand_over *h)
{
	struct pollfd on = { .fd = h->pidfd, .events = POLLIN };

	if (h->pidfd < 0)
		return;
	if (poll(&on, 1, END_MS) > 0)
		return;
	log_error("prog", "one that should have taken the site over does not end, and is killed pid=%ld", h->pid);
	(void)syscall(SYS_pidfd_send_signal, h->pidfd, SIGKILL, NULL, 0);
	(void)poll(&on, 1, END_MS);
}

static bool is_taken(struct hand_over *h, struct refusal *why)
{
	struct hand_message message;
	const char *text = NULL;
	bool taken;

	if (hand_link_receive(h->fd, HAND_BUILD_MS, &message, why))
		return false;
	taken = message.kind == HAND_TAKEN && hand_link_send(h->fd, HAND_GO, NULL) == 0;
	if (!taken && message.kind == HAND_NO && hand_link_text(&message, &text))
		refuse(why, "", "%s", text);
	else if (!taken)
		refuse(why, "", "the other daemon has gone");
	parcel_drop(&message.parcel);
	return taken;
}

bool hand_over_send(struct hand_over *h, const int *locks, unsigned lock_count)
{
	struct refusal why = { .path = "" };
	int err;

	stop_listening(h); /* the place is the other one's from now on */
	err = send_all(h, locks, lock_count);
	if (err)
		refuse(&why, "", "it cannot be told: %s", uv_strerror(err));
	else if (is_taken(h, &why)) {
		log_info("prog", "the site was handed over pid=%ld functions=%u", h->pid, h->function_count);
		return true;
	}
	say_no(h, why.text);
	wait_end(h);
	return false;
}

void hand_over_restore(struct hand_over *h, struct site_run *run)
{
	struct refusal why = { .path = "" };

	h->run = run;
	for (unsigned i = 0; i < h->pulled_count; i++)
		(void)site_run_pull(run, site_run_card(run, h->pulled[i]->name), NULL);
	(void)hand_hold_still(run);
	for (unsigned i = 0; i < h->function_count; i++)
		if (hand_place(run, &h->functions[i], &why))
			log_error("prog", "a client cannot be taken back: %s", why.text);
	for (unsigned i = 0; i < h->function_count; i++)
		if (hand_place_reservations(run, &h->functions[i], &why))
			log_error("prog", "reservations cannot be taken back: %s", why.text);
	hand_go_on(run);
	drop_collected(h);
	drop_peer(h);
	if (h->listen_fd < 0 && start_listening(h))
		log_error("prog", "nobody can take the site over any more: cannot listen path=%s", h->path);
}
