/* Thousands of random histories of cards that are pulled, lose their line and fall silent, and
 * after each event the plain questions: is every interface where it should be, and was every move
 * needed? */
#include "fabric/failover.h"
#include "tests/check.h"

enum { HISTORIES = 3000, EVENTS = 200, CARDS_MAX = 6, IOS_MAX = 24, VFS = 32 };

/* The world as it is, kept apart from the machine: what is wrong with each card, and which front
 * each function holds. */
struct world {
	uint64_t seed;
	unsigned card_count, io_count;
	bool pulled[CARDS_MAX], line_lost[CARDS_MAX], heart_lost[CARDS_MAX];
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

static void bind(struct world *w, unsigned io, int member)
{
	const struct placement_function *f = &w->place[io].member[member];

	assert_true(usable(w, f->card));
	assert_int_equal(w->front[f->card][f->vf], -1); /* two fronts never share a function */
	w->front[f->card][f->vf] = (int)io;
	w->bound[io] = member;
}

static void unbind(struct world *w, unsigned io)
{
	const struct placement_function *f = &w->place[io].member[w->bound[io]];

	assert_int_equal(w->front[f->card][f->vf], (int)io);
	w->front[f->card][f->vf] = -1;
	w->bound[io] = -1;
}

static void make_world(struct world *w, uint64_t seed)
{
	unsigned next_vf[CARDS_MAX] = { 0 };

	*w = (struct world){ .seed = seed };
	w->card_count = 1 + (unsigned)below(w, CARDS_MAX);
	w->io_count = 1 + (unsigned)below(w, IOS_MAX);
	memset(w->front, 0xff, sizeof w->front);
	for (unsigned i = 0; i < w->io_count; i++) {
		struct placement *place = &w->place[i];

		place->member_count = w->card_count > 1 && below(w, 4) ? 2 : 1;
		place->member[0].card = (unsigned)below(w, w->card_count);
		place->member[1].card =
			(place->member[0].card + 1 +
			 (unsigned)below(w, w->card_count > 1 ? w->card_count - 1 : 1)) %
			w->card_count;
		for (unsigned m = 0; m < place->member_count; m++)
			place->member[m].vf = (uint16_t)++next_vf[place->member[m].card];
		w->io[i] = (struct failover_io){ .place = place, .revert = below(w, 2) };
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
	*flag = value;
	return true;
}

static void check_reason(const struct world *w, const struct failover_action *action,
			 bool is_switch, unsigned card)
{
	const struct placement *place = &w->place[action->io];
	bool lost = action->from_member >= 0 && !usable(w, place->member[action->from_member].card);
	bool found = action->from_member < 0 && action->to_member >= 0;
	bool reverts = w->io[action->io].revert && action->to_member == 0 &&
		       place->member[0].card == card && usable(w, card);

	assert_int_equal(action->from_member, w->bound[action->io]);
	assert_int_not_equal(action->from_member, action->to_member);
	assert_true(lost || found || reverts || is_switch);
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

static void tell(struct world *w, unsigned card, enum failover_event event)
{
	struct failover_action actions[IOS_MAX];
	uint64_t ignored = w->failover.ignored;
	bool was_usable = usable(w, card), new = happen(w, card, event);
	unsigned count = failover_tell(&w->failover, card, event, actions);

	assert_int_equal(w->failover.ignored - ignored, !new);
	if (usable(w, card) == was_usable)
		assert_int_equal(count, 0);
	for (unsigned i = 0; i < count; i++) {
		check_reason(w, &actions[i], false, card);
		carry_out(w, &actions[i]);
	}
	/* A preferred card that returned has all its reverting interfaces back. */
	for (unsigned i = 0; !was_usable && usable(w, card) && i < w->io_count; i++)
		if (w->io[i].revert && w->place[i].member[0].card == card)
			assert_int_equal(w->bound[i], 0);
	check_world(w);
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
	check_reason(w, &action, true, 0);
	carry_out(w, &action);
	check_world(w);
}

static void heal(struct world *w)
{
	for (unsigned c = 0; c < w->card_count; c++)
		for (unsigned e = FAILOVER_INSERT; e < FAILOVER_EVENT_COUNT; e += 2)
			tell(w, c, e);
	for (unsigned i = 0; i < w->io_count; i++)
		assert_true(w->bound[i] >= 0);
}

static void test_interfaces_are_where_they_should_be_whatever_happens(void **state)
{
	uint64_t seed = check_seed();
	static struct world w;

	(void)state;
	for (unsigned h = 0; h < HISTORIES; h++) {
		make_world(&w, rand_u64(&seed));
		for (unsigned e = 0; e < EVENTS; e++) {
			if (below(&w, 8) == 0)
				switch_one(&w);
			else
				tell(&w, (unsigned)below(&w, w.card_count),
				     below(&w, FAILOVER_EVENT_COUNT));
		}
		heal(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interfaces_are_where_they_should_be_whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
