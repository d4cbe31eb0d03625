#include "prog/site_mirror.h"
#include "prog/site_disk.h"

#include "os/clock.h"
#include "tree/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 200 };

_Static_assert((unsigned)SITE_MIRROR_RESERVED == (unsigned)MIRROR_RESERVED, "the check counts what it takes");

#define BEGIN_LIMIT_NS UINT64_C(60000000000)

static struct run_card *card_of(const struct run_io *io, unsigned half)
{
	return &io->run->cards[io->place->member[half].card];
}

static const char *card_name(const struct run_io *io, unsigned half)
{
	return card_of(io, half)->place.card->name;
}

/* -- workers -- */

/* The cards that are connected with 'b' are from now on connected with 'a'. */
static void join(struct site_run *run, unsigned a, unsigned b)
{
	unsigned first = run->cards[a].held_with, other = run->cards[b].held_with;

	if (other < first) {
		unsigned swap = first;

		first = other;
		other = swap;
	}
	for (unsigned i = 0; i < run->card_count; i++)
		if (run->cards[i].held_with == other)
			run->cards[i].held_with = first;
}

void site_mirror_connect(struct site_run *run)
{
	const struct site *site = run->site;

	for (unsigned i = 0; i < run->card_count; i++)
		run->cards[i].held_with = i;
	for (unsigned s = 0; s < site->systems_count; s++)
		for (unsigned i = 0; i < site->systems[s].io_count; i++) {
			const struct site_io *io = &site->systems[s].io[i];
			const struct site_group *group = site_io_group(site, io);

			if (site_io_is_mirrored(site, io))
				join(run, (unsigned)site_card_find(site, group->cards[0]),
				     (unsigned)site_card_find(site, group->cards[1]));
		}
	for (unsigned i = 0; i < run->card_count; i++)
		run->cards[i].worker = run->cards[run->cards[i].held_with].worker;
}

int site_mirror_create(struct site_run *run, struct refusal *why)
{
	unsigned workers = workers_count(run->workers);

	run->mirror_sets = calloc(workers, sizeof *run->mirror_sets);
	run->mirrors = calloc((size_t)workers * run->io_count + 1, sizeof(struct mirror *));
	if (!run->mirror_sets || !run->mirrors) {
		refuse(why, "", "no memory for %u mirrors", run->io_count);
		return -ENOMEM;
	}
	for (unsigned w = 0; w < workers; w++)
		mirror_set_init(&run->mirror_sets[w], run->mirrors + (size_t)w * run->io_count);
	return 0;
}

static void on_look(uv_timer_t *timer)
{
	site_mirror_look(timer->data);
}

int site_mirror_start(struct site_run *run, struct refusal *why)
{
	unsigned mirrors = 0;

	for (unsigned w = 0; w < workers_count(run->workers); w++) {
		struct mirror_set *set = &run->mirror_sets[w];

		if (set->count)
			workers_add_card(run->workers, w, &set->polled);
		mirrors += set->count;
	}
	if (mirrors == 0)
		return 0;
	run->mirror_timer = malloc(sizeof *run->mirror_timer);
	if (!run->mirror_timer) {
		refuse(why, "", "no memory for a timer");
		return -ENOMEM;
	}
	must(uv_timer_init(run->loop, run->mirror_timer) == 0);
	run->mirror_timer->data = run;
	must(uv_timer_start(run->mirror_timer, on_look, LOOK_MS, LOOK_MS) == 0);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

void site_mirror_stop(struct site_run *run)
{
	if (run->mirror_timer)
		uv_close((uv_handle_t *)run->mirror_timer, on_closed);
	run->mirror_timer = NULL;
}

void site_mirror_withdraw(struct site_run *run)
{
	for (unsigned w = 0; run->mirror_sets && w < workers_count(run->workers); w++) {
		struct mirror_set *set = &run->mirror_sets[w];

		if (set->count && workers_remove_card(run->workers, w, &set->polled) == -EBUSY)
			run->mirrors_lost = true;
	}
}

/* What a medium still has of a card, or a worker that never comes back, keeps the mirrors, too. */
static bool are_free(const struct site_run *run)
{
	for (unsigned i = 0; i < run->card_count; i++)
		if (run->cards[i].lost || run->cards[i].medium)
			return false;
	return !run->mirrors_lost;
}

void site_mirror_destroy(struct site_run *run)
{
	if (!are_free(run))
		return;
	for (unsigned i = 0; run->ios && i < run->io_count; i++) {
		if (run->ios[i].owner != &run->ios[i])
			continue;
		if (run->ios[i].mirror)
			free(run->ios[i].mirror->mirror);
		free(run->ios[i].mirror);
	}
	free(run->mirrors);
	free(run->mirror_sets);
}

/* -- beginning -- */

static int refuse_io(const struct run_io *io, int err, struct refusal *why, const char *text)
{
	refuse(why, "", "the mirrored disk '%s/%s': %s", io->system->name, io->io->name, text);
	return err;
}

/* The way to its namespace there, which is found or made. */
static int attach_half(struct run_io *io, unsigned half, uint32_t block_size, struct refusal *why)
{
	uint32_t nsid;
	int err = site_disk_namespace(io, half, io->io->size + MIRROR_RESERVED, block_size, &nsid, why);
	struct block_back **back = &io->mirror->back[half];

	if (err)
		return err;
	*back = disk_card_attach(NULL, card_of(io, half)->disk, io->place->member[half].vf, nsid,
				 DISK_READ_WRITE, why);
	return *back ? 0 : -EINVAL;
}

static uint32_t block_size_of(const struct run_io *io)
{
	const struct medium *a = card_of(io, 0)->medium, *b = card_of(io, 1)->medium;

	return a->block_size > b->block_size ? a->block_size : b->block_size;
}

/* A card without a medium gives its half later. */
static int bind_half(struct run_io *io, unsigned half, struct refusal *why)
{
	const struct disk_function_conf conf = {
		.depth = DISK_QUEUE_MAX, .weight = io->io->weight, .priority = io->io->priority,
	};
	struct run_card *card = card_of(io, half);
	int err = disk_card_bind(NULL, card->disk, io->place->member[half].vf, NULL, &conf, why);

	return err || card->medium_absent ? err : attach_half(io, half, block_size_of(io), why);
}

int site_mirror_attach(struct run_io *io, const struct run_card *card, struct refusal *why)
{
	for (unsigned n = 0; n < MIRROR_HALVES; n++)
		if (card_of(io, n) == card)
			return attach_half(io, n, block_size_of(io), why);
	return 0;
}

static struct mirror *make_mirror(struct run_io *io)
{
	struct mirror_conf conf = {
		.hold = disk_card_hold_of(card_of(io, 0)->disk),
		.new = MIRROR_BOTH_ARE_ZEROES, /* namespaces begin with zeroes */
		.rate_bytes = io->io->byte_rate,
		.rate_commands = io->io->iops,
		.resync_rate_bytes = io->io->resync_rate,
	};
	struct mirror *mirror = aligned_alloc(4096, (mirror_size() + 4095) / 4096 * 4096);

	site_io_id(io->run->site, io->place->system, io->place->io, conf.uuid);
	if (mirror)
		mirror_init(mirror, &conf);
	return mirror;
}

static unsigned poll_once(struct run_io *io)
{
	struct polled *polled[] = { disk_card_polled(card_of(io, 0)->disk),
				    disk_card_polled(card_of(io, 1)->disk),
				    mirror_polled(io->mirror->mirror) };
	unsigned work = 0;

	for (unsigned i = 0; i < array_len(polled); i++)
		work += polled[i]->ops->poll(NULL, polled[i], clock_now_ns());
	return work;
}

static bool is_read(const struct mirror_facts *facts)
{
	return facts->half[0] != MIRROR_READING && facts->half[1] != MIRROR_READING;
}

/* Whether nothing is left that a moment would change. */
static bool is_settled(const struct mirror_facts *facts)
{
	bool copies = facts->half[0] == MIRROR_STALE || facts->half[1] == MIRROR_STALE;

	return is_read(facts) && (!facts->begun || !copies || facts->behind_bytes);
}

/* Runs the mirror here until it has begun; it has no worker yet. */
static int let_begin(struct run_io *io, struct refusal *why)
{
	uint64_t limit_ns = clock_now_ns() + BEGIN_LIMIT_NS;
	struct mirror_facts *facts = &io->mirror->facts;
	const char *words[MIRROR_HALVES];

	do {
		if (poll_once(io) == 0)
			site_disk_pause();
		mirror_facts(NULL, io->mirror->mirror, facts);
		if (clock_now_ns() > limit_ns)
			return refuse_io(io, -ETIMEDOUT, why, "its cards do not answer");
	} while (!is_settled(facts));
	if (facts->begun) {
		io->mirror->told_copyings = facts->half[0] == facts->half[1] ? facts->copying.count : 0;
		return 0;
	}
	if (!io->mirror->given[0] || !io->mirror->given[1])
		return 0; /* until its card has its medium, or the operator decides */
	for (unsigned n = 0; n < MIRROR_HALVES; n++)
		words[n] = facts->why[n].text[0] ? facts->why[n].text : "its half may be the older one";
	refuse(why, "", "the mirrored disk '%s/%s' cannot begin: card '%s': %.100s; card '%s': %.100s; give its "
	       "cards their media back, or the interface another name", io->system->name, io->io->name,
	       card_name(io, 0), words[0], card_name(io, 1), words[1]);
	return -EINVAL;
}

static int bind_front(struct run_io *io, struct refusal *why)
{
	struct mirror *mirror = io->mirror->mirror;
	int err = mirror_bind(NULL, mirror, io->block);

	if (err)
		return refuse_io(io, err, why, "a mirror has no room for its front");
	io->block->namespaces[0] = mirror_back(mirror);
	if (io->block->ops->namespaces_changed)
		io->block->ops->namespaces_changed(NULL, io->block);
	site_disk_plug(io, 0);
	return 0;
}

int site_mirror_bind(struct run_io *io, struct refusal *why)
{
	struct run_mirror *m = calloc(1, sizeof *m);
	int err = 0;

	io->mirror = m;
	if (m)
		m->mirror = make_mirror(io);
	if (!m || !m->mirror)
		return refuse_io(io, -ENOMEM, why, "there is no memory for it");
	for (unsigned n = 0; !err && n < MIRROR_HALVES; n++)
		err = bind_half(io, n, why);
	if (err)
		return err;
	for (unsigned n = 0; n < MIRROR_HALVES; n++) {
		if (!m->back[n])
			continue;
		m->given[n] = true;
		mirror_give_half(NULL, m->mirror, n, m->back[n]);
	}
	err = let_begin(io, why);
	if (!err)
		err = bind_front(io, why);
	if (!err)
		mirror_set_add(&io->run->mirror_sets[card_of(io, 0)->worker], m->mirror);
	return err;
}

int site_mirror_share(struct run_io *io, struct refusal *why)
{
	io->mirror = io->owner->mirror;
	return bind_front(io, why);
}

bool site_mirror_unbound(struct run_io *io)
{
	return mirror_unbind(NULL, io->mirror->mirror, io->block) == 0;
}

/* -- cards that go and come -- */

static void give(struct run_io *io, unsigned n)
{
	struct run_mirror *m = io->mirror;

	if (m->given[n] || !m->back[n] || !disk_card_is_in(card_of(io, n)->disk) ||
	    !mirror_half_is_quiet(NULL, m->mirror, n))
		return;
	m->given[n] = true;
	mirror_give_half(NULL, m->mirror, n, m->back[n]);
}

void site_mirror_detach(struct run_card *card, bool detach)
{
	for (unsigned i = 0; i < card->run->io_count; i++) {
		struct run_io *io = &card->run->ios[i];

		for (unsigned n = 0; site_mirror_is_first(io) && n < MIRROR_HALVES; n++) {
			if (card_of(io, n) != card)
				continue;
			if (detach) {
				mirror_pull_half(NULL, io->mirror->mirror, n);
				io->mirror->given[n] = false;
			} else {
				give(io, n);
			}
		}
	}
}

/* -- states -- */

/* What is known is kept when a worker does not let go. */
static void look_at(struct run_io *io)
{
	struct disk_card *disk = card_of(io, 0)->disk;

	if (!disk_card_hold(NULL, disk, site_disk_give_way, SITE_DISK_HOLD_TRIES))
		return;
	for (unsigned n = 0; n < MIRROR_HALVES; n++)
		give(io, n); /* what was not quiet when its card came back */
	mirror_facts(NULL, io->mirror->mirror, &io->mirror->facts);
	disk_card_release(NULL, disk);
}

static const char *word_of(const struct mirror_facts *facts)
{
	bool fresh[] = { facts->half[0] == MIRROR_FRESH, facts->half[1] == MIRROR_FRESH };

	if (fresh[0] && fresh[1])
		return "mirrored";
	if (!fresh[0] && !fresh[1])
		return "away";
	return facts->half[fresh[0] ? 1 : 0] == MIRROR_STALE ? "rebuilding" : "degraded";
}

/* The half that is not fresh, or that must come first when none is. */
static unsigned wanted_half(const struct mirror_facts *facts)
{
	if (facts->last >= 0)
		return (unsigned)facts->last;
	if (facts->half[0] == MIRROR_KNOWN)
		return 1; /* that one is there, and cannot begin alone */
	return facts->half[0] == MIRROR_FRESH;
}

/* What ails a half, and what to do. */
static void say_half(struct run_io *io, unsigned n, char *text, size_t size)
{
	const struct mirror_facts *facts = &io->mirror->facts;
	struct run_card *card = card_of(io, n);
	enum failover_card_state state = failover_card_state(&io->run->failover, card->index);
	const char *name = card->place.card->name;

	if (state == FAILOVER_CARD_PULLED)
		snprintf(text, size, "card '%s' is pulled: midplane card insert %s", name, name);
	else if (state == FAILOVER_CARD_DEAD && card->medium_dead)
		snprintf(text, size, "the medium of card '%s' is %.130s", name, medium_how(card->medium));
	else if (state != FAILOVER_CARD_IN_SERVICE)
		snprintf(text, size, "card '%s' is %s", name, failover_card_state_text[state]);
	else if (facts->why[n].text[0])
		snprintf(text, size, "card '%s': %.120s", name, facts->why[n].text);
	else if (facts->half[n] == MIRROR_STALE)
		snprintf(text, size, "card '%s' is being brought up to date from card '%s'", name,
			 card_name(io, 1 - n));
	else if (facts->half[n] == MIRROR_ABSENT && io->mirror->given[n])
		snprintf(text, size, "card '%s' failed and was left behind: see to its medium, then pull and "
			 "insert the card", name);
	else
		snprintf(text, size, "card '%s' is being read", name);
}

static void say(struct run_io *io, char text[SITE_MIRROR_TEXT])
{
	const struct mirror_facts *facts = &io->mirror->facts;
	const char *word = word_of(facts);
	unsigned n = wanted_half(facts);
	char half[220];

	text[0] = 0;
	say_half(io, n, half, sizeof half);
	if (strcmp(word, "degraded") == 0)
		snprintf(text, SITE_MIRROR_TEXT, "card '%s' serves alone; %s", card_name(io, 1 - n), half);
	else if (strcmp(word, "rebuilding") == 0)
		snprintf(text, SITE_MIRROR_TEXT, "%s", half);
	else if (strcmp(word, "away") == 0)
		snprintf(text, SITE_MIRROR_TEXT, "commands end with an error; %s%s", half,
			 facts->last >= 0 ? " (it has the latest writes)" : "");
}

const char *site_mirror_state(struct run_io *io)
{
	look_at(io);
	return word_of(&io->mirror->facts);
}

void site_mirror_say(struct run_io *io, char text[SITE_MIRROR_TEXT])
{
	look_at(io);
	say(io, text);
}

/* -- telling -- */

static void size_text(uint64_t bytes, char text[24])
{
	if (bytes >= UINT64_C(10) << 30)
		snprintf(text, 24, "%.1f GiB", (double)bytes / (1 << 30));
	else if (bytes >= 1 << 20)
		snprintf(text, 24, "%.1f MiB", (double)bytes / (1 << 20));
	else
		snprintf(text, 24, "%" PRIu64 " KiB", bytes >> 10);
}

static unsigned percent_of(const struct mirror_facts *facts)
{
	uint64_t all = facts->copying.differed_bytes, left = min_u64(facts->behind_bytes, all);

	return all ? (unsigned)((all - left) * 100 / all) : 100;
}

static void tell(struct run_io *io, const char *kind, const char *text)
{
	char object[104];

	snprintf(object, sizeof object, "system %s/%s", io->system->name, io->io->name);
	events_add(&io->run->events, kind, object, "%s", text);
	events_publish(&io->run->events);
}

static void tell_copying(struct run_io *io)
{
	const struct mirror_facts *facts = &io->mirror->facts;
	unsigned percent = percent_of(facts);
	bool begins = facts->copying.count != io->mirror->told_copyings;
	char text[192], size[24];

	if (begins) {
		size_text(facts->copying.differed_bytes, size);
		snprintf(text, sizeof text, "card '%s' is brought up to date from card '%s': %s may differ",
			 card_name(io, facts->copying.target), card_name(io, 1 - facts->copying.target), size);
		tell(io, "resync-started", text);
		io->mirror->told_copyings = facts->copying.count;
	} else if (percent / 10 > io->mirror->told_tenths && percent < 100) {
		size_text(facts->behind_bytes, size);
		snprintf(text, sizeof text, "card '%s': %u %% are copied, %s left",
			 card_name(io, facts->copying.target), percent, size);
		tell(io, "resync", text);
	}
	/* It goes back when a card is away for a while; no tenth is told twice for that. */
	if (begins || percent / 10 > io->mirror->told_tenths)
		io->mirror->told_tenths = percent / 10;
}

static void tell_done(struct run_io *io)
{
	const struct mirror_copying *copying = &io->mirror->facts.copying;
	char text[192], size[24];

	size_text(copying->bytes, size);
	snprintf(text, sizeof text, "card '%s' is up to date: %s copied in %.3f s",
		 card_name(io, copying->target), size, (double)copying->ns / 1e9);
	tell(io, "resync-done", text);
}

static void tell_one(struct run_io *io)
{
	struct run_mirror *m = io->mirror;
	const char *word = word_of(&m->facts);
	bool changed = !m->told || strcmp(m->told, word) != 0;
	bool copies = strcmp(word, "rebuilding") == 0, whole = strcmp(word, "mirrored") == 0;
	bool copied = m->facts.copying.count != m->told_copyings;
	char text[SITE_MIRROR_TEXT];

	if (copies || (whole && copied))
		tell_copying(io);
	if (whole && (copied || (m->told && changed)))
		tell_done(io);
	if (!copies && !whole && changed) {
		say(io, text);
		tell(io, strcmp(word, "away") == 0 ? "mirror-away" : "mirror-degraded", text);
	}
	m->told = word;
}

void site_mirror_look(struct site_run *run)
{
	for (unsigned i = 0; i < run->io_count; i++) {
		if (!site_mirror_is_first(&run->ios[i]))
			continue;
		look_at(&run->ios[i]);
		tell_one(&run->ios[i]);
	}
}

/* -- the tree -- */

static void put_mirror(struct run_io *io, struct tree_out *out)
{
	const struct mirror_facts *facts = &io->mirror->facts;
	char text[SITE_MIRROR_TEXT];

	look_at(io);
	say(io, text);
	tree_put_text(out, "mirror", word_of(facts));
	tree_put_text(out, "mirror_text", text);
	tree_put_integer(out, "mirror_percent",
			 strcmp(word_of(facts), "rebuilding") == 0 ? percent_of(facts) :
			 strcmp(word_of(facts), "mirrored") == 0 ? 100 : 0);
	tree_put_integer(out, "mirror_behind_bytes", facts->behind_bytes);
}

void site_mirror_describe_io(struct run_io *io, struct tree_out *out)
{
	put_mirror(io, out);
}

void site_mirror_describe_function(struct run_io *io, const struct run_card *card, struct tree_out *out)
{
	static const char *const words[] = {
		[MIRROR_ABSENT] = "absent", [MIRROR_READING] = "reading", [MIRROR_KNOWN] = "waiting",
		[MIRROR_REFUSED] = "refused", [MIRROR_STALE] = "stale", [MIRROR_FRESH] = "fresh",
	};

	put_mirror(io, out);
	tree_put_integer(out, "resync_rate", io->owner->io->resync_rate);
	tree_put_text(out, "half", words[io->mirror->facts.half[card_of(io, 1) == card]]);
	tree_put_integer(out, "mirror_copied_bytes", io->mirror->facts.copied_bytes);
}
