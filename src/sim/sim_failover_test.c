/* Thousands of random histories of cards that are pulled, lose their line and fall silent, and
 * after each event the plain questions: is every interface where it should be, was every move
 * needed, and did those that wait to restore go back when their card had been well for so long, not
 * before and not later? */
#include "fabric/failover.h"
#include "tests/check.h"

enum { HISTORIES = 3000, EVENTS = 200, CARDS_MAX = 6, IOS_MAX = 24, VFS = 32 };
enum { STEP_MAX_NS = 100, WAIT_MAX_NS = 600 };

/* What an insert says about going back. */
enum word { AS_CONFIGURED, BACK, STAY };

/* The world as it is, kept apart from the machine: what is wrong with each card and since when it
 * has been well, which front each function holds, and who is where it is by the operator's word. */
struct world {
	uint64_t seed, now_ns;
	uint64_t well_since_ns[CARDS_MAX];
	bool stays[IOS_MAX];
	unsigned waits_restored, waits_broken;
	unsigned card_count, io_count;
	bool pulled[CARDS_MAX], line_lost[CARDS_MAX], heart_lost[CARDS_MAX];
	bool revert[IOS_MAX];
	uint64_t wait_ns[IOS_MAX];
	int front[CARDS_MAX][VFS + 1]; /* interface that is bound there, or -1 */
	int bound[IOS_MAX];	       /* member, or -1 */
	struct placement place[IOS_MAX];
	struct failover_io io[IOS_MAX];
	struct failover failover;
};

static uint64_t below(struct world *w, uint64_t n)
{
	return rand_u64(&w->seed) % n;
}

static bool usable(const struct world *w, unsigned card)
{
	return !w->pulled[card] && !w->line_lost[card] && !w->heart_lost[card];
}

/* Whether an interface is to go back when its preferred card has been well for so long. */
static bool waits(const struct world *w, unsigned io)
{
	return w->revert[io] && w->wait_ns[io] && !w->stays[io] && w->bound[io] > 0 &&
	       usable(w, w->place[io].member[0].card);
}

static uint64_t end_of_wait_ns(const struct world *w, unsigned io)
{
	return w->well_since_ns[w->place[io].member[0].card] + w->wait_ns[io];
}

static void bind(struct world *w, unsigned io, int member)
{
	const struct placement_function *f = &w->place[io].member[member];

	assert_true(usable(w, f->card));
	assert_int_equal(w->front[f->card][f->vf], -1); /* two fronts never share a function */
	w->front[f->card][f->vf] = (int)io;
	w->bound[io] = member;
	w->stays[io] &= member != 0;
}

static void unbind(struct world *w, unsigned io)
{
	const struct placement_function *f = &w->place[io].member[w->bound[io]];

	assert_int_equal(w->front[f->card][f->vf], (int)io);
	w->front[f->card][f->vf] = -1;
	w->bound[io] = -1;
}

/* Up to three cards, none twice. */
static void make_place(struct world *w, struct placement *place, unsigned *next_vf)
{
	unsigned most = w->card_count < 3 ? w->card_count : 3;
	bool used[CARDS_MAX] = { false };

	place->member_count = below(w, 4) ? 1 + (unsigned)below(w, most) : 1;
	for (unsigned m = 0; m < place->member_count; m++) {
		unsigned card = (unsigned)below(w, w->card_count);

		while (used[card])
			card = (card + 1) % w->card_count;
		used[card] = true;
		place->member[m].card = card;
		place->member[m].vf = (uint16_t)++next_vf[card];
	}
}

static void make_world(struct world *w, uint64_t seed)
{
	unsigned next_vf[CARDS_MAX] = { 0 };

	*w = (struct world){ .seed = seed };
	w->card_count = 1 + (unsigned)below(w, CARDS_MAX);
	w->io_count = 1 + (unsigned)below(w, IOS_MAX);
	memset(w->front, 0xff, sizeof w->front);
	for (unsigned i = 0; i < w->io_count; i++) {
		make_place(w, &w->place[i], next_vf);
		w->revert[i] = below(w, 4);
		w->wait_ns[i] = below(w, 3) ? 1 + below(w, WAIT_MAX_NS) : 0;
		w->io[i] = (struct failover_io){ .place = &w->place[i],
						 .revert = w->revert[i],
						 .wait_ns = w->wait_ns[i] };
	}
	failover_init(&w->failover, w->card_count, w->io, w->io_count);
	for (unsigned i = 0; i < w->io_count; i++)
		bind(w, i, 0);
}

/* Lets the event happen; false when the card is so already. */
static bool happen(struct world *w, unsigned card, enum failover_event event)
{
	bool *flags[] = { &w->pulled[card], &w->line_lost[card], &w->heart_lost[card] };
	bool *flag = flags[event / 2], value = event % 2 == 0;

	if (*flag == value)
		return false;
	if (value && usable(w, card)) {
		for (unsigned i = 0; i < w->io_count; i++)
			w->waits_broken += waits(w, i) && w->place[i].member[0].card == card;
	}
	*flag = value;
	if (usable(w, card))
		w->well_since_ns[card] = w->now_ns;
	return true;
}

static void check_is_move(const struct world *w, const struct failover_action *action)
{
	assert_int_equal(action->from_member, w->bound[action->io]);
	assert_int_not_equal(action->from_member, action->to_member);
}

/* Whether an interface goes back at once when its preferred card returns by this word. */
static bool reverts_at_once(const struct world *w, unsigned io, enum word word)
{
	return word == BACK || (word == AS_CONFIGURED && w->revert[io] && !w->wait_ns[io]);
}

static void check_reason(const struct world *w, const struct failover_action *action, unsigned card,
			 enum word word)
{
	const struct placement *place = &w->place[action->io];
	bool lost = action->from_member >= 0 && !usable(w, place->member[action->from_member].card);
	bool found = action->from_member < 0 && action->to_member >= 0;
	bool reverts = reverts_at_once(w, action->io, word) && action->to_member == 0 &&
		       place->member[0].card == card && usable(w, card);

	check_is_move(w, action);
	assert_true(lost || found || reverts);
}

static void carry_out(struct world *w, const struct failover_action *action)
{
	if (action->from_member >= 0)
		unbind(w, action->io);
	if (action->to_member >= 0)
		bind(w, action->io, action->to_member);
}

static void check_world(const struct world *w)
{
	uint64_t deadline_ns = UINT64_MAX;

	for (unsigned i = 0; i < w->io_count; i++)
		if (waits(w, i))
			deadline_ns = min_u64(deadline_ns, end_of_wait_ns(w, i));
	assert_true(failover_deadline_ns(&w->failover) == deadline_ns);
	for (unsigned i = 0; i < w->io_count; i++) {
		const struct placement *place = &w->place[i];
		bool some = false;

		for (unsigned m = 0; m < place->member_count; m++)
			some = some || usable(w, place->member[m].card);
		assert_int_equal(w->bound[i] >= 0, some);
		assert_int_equal(w->bound[i], w->io[i].active);
		if (w->bound[i] >= 0)
			assert_true(usable(w, place->member[w->bound[i]].card));
	}
	for (unsigned c = 0; c < w->card_count; c++)
		assert_int_equal(failover_card_state(&w->failover, c) == FAILOVER_CARD_IN_SERVICE,
				 usable(w, c));
}

/* The machine is told so before an insert, and what is configured after it. */
static void set_word(struct world *w, enum word word)
{
	for (unsigned i = 0; i < w->io_count; i++) {
		w->io[i].revert = word == BACK || (word == AS_CONFIGURED && w->revert[i]);
		w->io[i].wait_ns = word == BACK ? 0 : w->wait_ns[i];
	}
}

/* A preferred card that returned has all interfaces back that need not wait; the others may go back
 * once more, unless the operator said that they stay. */
static void check_return(struct world *w, unsigned card, enum word word)
{
	for (unsigned i = 0; i < w->io_count; i++) {
		if (w->place[i].member[0].card != card)
			continue;
		if (reverts_at_once(w, i, word))
			assert_int_equal(w->bound[i], 0);
		w->stays[i] = word == STAY && w->bound[i] > 0;
	}
}

static void tell(struct world *w, unsigned card, enum failover_event event, enum word word)
{
	struct failover_action actions[IOS_MAX];
	uint64_t ignored = w->failover.ignored;
	bool was_usable = usable(w, card), new = happen(w, card, event);
	unsigned count;

	set_word(w, word);
	count = failover_tell(&w->failover, card, event, w->now_ns, actions);
	set_word(w, AS_CONFIGURED);
	assert_int_equal(w->failover.ignored - ignored, !new);
	if (usable(w, card) == was_usable)
		assert_int_equal(count, 0);
	for (unsigned i = 0; i < count; i++) {
		check_reason(w, &actions[i], card, word);
		carry_out(w, &actions[i]);
	}
	if (!was_usable && usable(w, card))
		check_return(w, card, word);
	check_world(w);
}

/* Moved back are those whose wait is over now, all of them and nobody else. */
static void restore(struct world *w)
{
	struct failover_action actions[IOS_MAX];
	bool due[IOS_MAX];
	unsigned count, due_count = 0;

	for (unsigned i = 0; i < w->io_count; i++) {
		due[i] = waits(w, i) && end_of_wait_ns(w, i) <= w->now_ns;
		due_count += due[i];
	}
	count = failover_restore(&w->failover, w->now_ns, actions);
	assert_int_equal(count, due_count);
	for (unsigned i = 0; i < count; i++) {
		check_is_move(w, &actions[i]);
		assert_true(due[actions[i].io]);
		assert_int_equal(actions[i].to_member, 0);
		carry_out(w, &actions[i]);
		w->waits_restored++;
	}
	check_world(w);
}

/* Time goes on, and a timer runs as deadlines say; now and then somebody asks too early. */
static void pass(struct world *w, uint64_t step_ns)
{
	uint64_t until_ns = w->now_ns + step_ns, deadline_ns;

	while ((deadline_ns = failover_deadline_ns(&w->failover)) <= until_ns) {
		assert_true(deadline_ns >= w->now_ns);
		if (deadline_ns > w->now_ns && below(w, 2)) {
			w->now_ns += below(w, deadline_ns - w->now_ns);
			restore(w);
		}
		w->now_ns = deadline_ns;
		restore(w);
	}
	w->now_ns = until_ns;
}

static void switch_one(struct world *w)
{
	unsigned io = (unsigned)below(w, w->io_count);
	int to = (int)below(w, 3) - 1;
	struct failover_action action;
	bool possible = to >= 0 && (unsigned)to < w->place[io].member_count && to != w->bound[io] &&
			usable(w, w->place[io].member[to].card);

	assert_int_equal(failover_switch(&w->failover, io, to, &action), possible);
	if (!possible)
		return;
	check_is_move(w, &action);
	carry_out(w, &action);
	w->stays[io] = to != 0;
	check_world(w);
}

static void heal(struct world *w)
{
	for (unsigned c = 0; c < w->card_count; c++)
		for (unsigned e = FAILOVER_INSERT; e < FAILOVER_EVENT_COUNT; e += 2)
			tell(w, c, e, AS_CONFIGURED);
	pass(w, WAIT_MAX_NS);
	for (unsigned i = 0; i < w->io_count; i++) {
		assert_true(w->bound[i] >= 0);
		if (w->revert[i] && !w->stays[i])
			assert_int_equal(w->bound[i], 0);
	}
}

/* More is repaired than fails, so that cards are well for a while. */
static void tell_any(struct world *w)
{
	unsigned repaired = below(w, 4) != 0;
	enum failover_event event = (unsigned)below(w, FAILOVER_EVENT_COUNT / 2) * 2 + repaired;
	enum word word = event == FAILOVER_INSERT ? below(w, 3) : AS_CONFIGURED;

	tell(w, (unsigned)below(w, w->card_count), event, word);
}

static void test_interfaces_are_where_they_should_be_whatever_happens(void **state)
{
	uint64_t seed = check_seed();
	unsigned restored = 0, broken = 0;
	static struct world w;

	(void)state;
	for (unsigned h = 0; h < HISTORIES; h++) {
		make_world(&w, rand_u64(&seed));
		for (unsigned e = 0; e < EVENTS; e++) {
			pass(&w, below(&w, STEP_MAX_NS));
			if (below(&w, 8) == 0)
				switch_one(&w);
			else
				tell_any(&w);
		}
		heal(&w);
		restored += w.waits_restored;
		broken += w.waits_broken;
	}
	printf("# waits: %u went back, %u ended by a failure\n", restored, broken);
	assert_true(restored > HISTORIES &&
		    broken > HISTORIES / 2); /* else this showed nothing of them */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interfaces_are_where_they_should_be_whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
