/* The daemon that takes over. */
#include "prog/hand_over.h"

#include "base/bytes.h"
#include "media/media.h"
#include "os/clock.h"
#include "os/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LOCKS_MAX = 2, RECEIVE_MS = 30000 /* the other one's functions become quiet, and its site goes down */ };

struct hand_take {
	const struct site *site;
	int fd;
	bool over; /* there is nothing more to be said */
	struct parcel locks;
	uint64_t quiet_ns;
	struct parcel *functions;
	unsigned function_count, function_room;
	bool *pulled; /* by card */
};

static int not_expected(struct refusal *why, struct hand_message *message)
{
	const char *text = NULL;

	if (message->kind == HAND_NO && hand_link_text(message, &text))
		refuse(why, "", "%s", text);
	else
		refuse(why, "", "the other daemon says something that is not expected (%u)", message->kind);
	return message->kind == HAND_NO ? -ECANCELED : -EPROTO;
}

static int dial(const char *path, const char *site, struct refusal *why)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof where.sun_path)
		return -ENAMETOOLONG;
	memcpy(where.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&where, sizeof where) == 0)
		return fd;
	err = -errno;
	close(fd);
	if (err == -ENOENT || err == -ECONNREFUSED)
		refuse(why, "", "nobody runs site '%s' (%s): start it without --take-over", site, path);
	else
		refuse(why, "", "cannot ask who runs site '%s' at %s: %s", site, path, strerror(-err));
	return err;
}

int hand_take_begin(struct hand_take **result, const char *path, const struct site *site, const char *tool_socket,
		    struct refusal *why)
{
	struct hand_take *take = calloc(1, sizeof *take);
	char *terms = take ? hand_terms(site, tool_socket, why) : NULL;
	struct hand_message answer = { .kind = HAND_KINDS };
	int err = terms ? 0 : -ENOMEM;

	if (take) {
		take->site = site;
		take->fd = -1;
		take->pulled = calloc(site_card_count(site) + 1, sizeof *take->pulled);
		*result = take;
		if (!take->pulled)
			err = -ENOMEM;
	}
	if (!err)
		err = dial(path, site->name, why);
	if (err >= 0) {
		take->fd = err;
		err = hand_link_say(take->fd, HAND_ASK, terms);
	}
	free(terms);
	if (!err)
		err = hand_link_receive(take->fd, HAND_ANSWER_MS, &answer, why);
	if (!err && answer.kind != HAND_YES)
		err = not_expected(why, &answer);
	parcel_drop(&answer.parcel);
	if (err && why && !why->text[0])
		refuse(why, "", "cannot ask for site '%s': %s", site->name, strerror(-err));
	return err;
}

/* Receiving. */

static int keep_function(struct hand_take *take, struct hand_message *message)
{
	if (take->function_count == take->function_room) {
		unsigned room = 2 * take->function_room + 8;
		struct parcel *more = realloc(take->functions, room * sizeof *more);

		if (!more)
			return -ENOMEM;
		take->functions = more;
		take->function_room = room;
	}
	take->functions[take->function_count++] = message->parcel;
	message->parcel = (struct parcel){ .bytes = NULL };
	return 0;
}

static int keep_card(struct hand_take *take, struct hand_message *message, struct refusal *why)
{
	struct site_card_place place;
	const char *name;

	if (!hand_link_text(message, &name))
		return -EPROTO;
	for (unsigned i = 0; site_card_at(take->site, i, &place); i++)
		if (strcmp(place.card->name, name) == 0) {
			take->pulled[i] = true;
			return 0;
		}
	(void)why;
	return 0; /* it is pulled, and the new site has no such card: so be it */
}

static int keep_locks(struct hand_take *take, struct hand_message *message, struct refusal *why)
{
	if (take->locks.fd_count || message->parcel.fd_count < 1 || message->parcel.fd_count > LOCKS_MAX ||
	    message->parcel.size != 8)
		return not_expected(why, message);
	take->locks = message->parcel;
	take->quiet_ns = get_le64(take->locks.bytes);
	message->parcel = (struct parcel){ .bytes = NULL };
	return 0;
}

/* 1: there is more. */
static int keep(struct hand_take *take, struct hand_message *message, struct refusal *why)
{
	int err;

	if (message->kind == HAND_LOCKS)
		err = keep_locks(take, message, why);
	else if (!take->locks.fd_count)
		err = not_expected(why, message);
	else if (message->kind == HAND_CARD)
		err = keep_card(take, message, why);
	else if (message->kind == HAND_FUNCTION)
		err = keep_function(take, message);
	else if (message->kind == HAND_END)
		return 0;
	else
		err = not_expected(why, message);
	return err ? err : 1;
}

int hand_take_receive(struct hand_take *take, struct refusal *why)
{
	struct hand_message message;
	int err = hand_link_send(take->fd, HAND_READY, NULL), more = 1;

	if (err)
		refuse(why, "", "the other daemon has gone");
	while (!err && more > 0) {
		err = hand_link_receive(take->fd, RECEIVE_MS, &message, why);
		if (err)
			break;
		more = keep(take, &message, why);
		parcel_drop(&message.parcel);
	}
	if (more < 0)
		err = more;
	if (err && why && !why->text[0])
		refuse(why, "", "what is handed over cannot be kept: %s", strerror(-err));
	return err;
}

const int *hand_take_locks(const struct hand_take *take, unsigned *count)
{
	*count = take->locks.fd_count;
	return take->locks.fds;
}

/* Placing. */

/* What the other one may have, and this one has not, is no card to take guests to. */
static int check_media(const struct hand_take *take, const struct site_run *run, struct refusal *why)
{
	for (unsigned i = 0; i < run->card_count; i++) {
		const struct run_card *card = &run->cards[i];

		if (!card->medium_absent || take->pulled[i])
			continue;
		refuse(why, "", "the medium of card '%s' is %s; see to it, or pull the card before",
		       card->place.card->name, medium_how(card->medium));
		return -EIO;
	}
	return 0;
}

static int place_all(struct hand_take *take, struct site_run *run, struct refusal *why)
{
	int err = check_media(take, run, why);

	if (err)
		return err;
	for (unsigned i = 0; i < run->card_count; i++)
		if (take->pulled[i])
			(void)site_run_pull(run, &run->cards[i], NULL);
	(void)hand_hold_still(run);
	for (unsigned i = 0; !err && i < take->function_count; i++)
		err = hand_place(run, &take->functions[i], why);
	for (unsigned i = 0; !err && i < take->function_count; i++)
		err = hand_place_reservations(run, &take->functions[i], why);
	return err;
}

/* The other one ends when it has said so; when it ended before, nobody else has the site. */
static int wait_go(struct hand_take *take, struct refusal *why)
{
	struct hand_message message;
	int err = hand_link_send(take->fd, HAND_TAKEN, NULL);

	if (err == -EPIPE || err == -ECONNRESET)
		return 0;
	if (!err)
		err = hand_link_receive(take->fd, HAND_ANSWER_MS, &message, why);
	if (err == -ECONNRESET)
		return 0;
	if (!err && message.kind != HAND_GO)
		err = not_expected(why, &message);
	if (err && why && !why->text[0])
		refuse(why, "", "the other daemon does not let go: %s", strerror(-err));
	if (!err)
		parcel_drop(&message.parcel);
	return err;
}

int hand_take_place(struct hand_take *take, struct site_run *run, struct refusal *why)
{
	uint64_t away_ns;
	int err = place_all(take, run, why);

	if (!err)
		err = wait_go(take, why);
	if (err) {
		hand_forsake(run);
		return err;
	}
	take->over = true;
	hand_go_on(run);
	away_ns = clock_now_ns() - take->quiet_ns;
	events_add(&run->events, "taken over", "site",
		   "%u functions were taken over with their clients: a pause of %llu ms",
		   take->function_count, (unsigned long long)(away_ns / 1000000));
	events_publish(&run->events);
	log_info("prog", "the site was taken over functions=%u pause_ms=%llu", take->function_count,
		 (unsigned long long)(away_ns / 1000000));
	return 0;
}

void hand_take_end(struct hand_take *take, const struct refusal *why_or_null)
{
	if (!take)
		return;
	if (why_or_null && !take->over && take->fd >= 0)
		(void)hand_link_say(take->fd, HAND_NO, why_or_null->text);
	if (take->fd >= 0)
		close(take->fd);
	for (unsigned i = 0; i < take->function_count; i++)
		parcel_drop(&take->functions[i]);
	free(take->functions);
	parcel_drop(&take->locks);
	free(take->pulled);
	free(take);
}
