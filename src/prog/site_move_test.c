/* What becomes of interfaces when a card is lost while its worker keeps hold of it, as one does that the host took
 * its CPU from in the middle of a round: nothing at first, and all that was left undone at the beat after the
 * worker went on.  And of interfaces that wait to go back to a card.
 *
 * Cards, the fail-over machine, moves and heartbeats are the real ones.  The test is the worker: it has the hold as
 * long as it likes, so nothing here depends on which thread runs when. */
#include "prog/site_heart.h"
#include "prog/site_move.h"
#include "prog/site_restore.h"

#include "os/clock.h"
#include "os/log.h"
#include "prog/site_disk.h"
#include "prog/site_external.h"
#include "prog/site_guard.h"
#include "sim/card_world.h"

enum { CARDS = 2, IOS = 2, DISK = 2, HEARTBEAT_MS = 3, FDS = 2 };

#define AGO_NS UINT64_C(1000000000) /* when traffic began to be away, before the test was told */
#define WAIT_NS UINT64_C(20000000) /* to restore, where a test waits */

/* -- what the parts under test meet of the rest of the daemon -- */

static enum worker_health health[CARDS + 1];
static int watched[CARDS + 1];                /* descriptors, by worker */
static int guarded[IOS];                      /* the member that each interface is heard as */
static unsigned complaints;                   /* log lines of errors */
static bool disk_keeps, disk_is_out;          /* the disk card's worker has its hold; it was pulled */

int sched_yield(void)
{
	return 0; /* nobody else is to run: the test is both threads */
}

enum worker_health workers_health(struct workers *workers, unsigned index, uint64_t now_ns, uint64_t limit_ns)
{
	(void)workers;
	(void)now_ns;
	(void)limit_ns;
	return health[index];
}

int workers_watch(struct workers *workers, unsigned index, int fd)
{
	(void)workers;
	(void)fd;
	watched[index]++;
	return 0;
}

void workers_unwatch(struct workers *workers, unsigned index, int fd)
{
	(void)workers;
	(void)fd;
	watched[index]--;
}

void workers_wake(struct workers *workers, unsigned index)
{
	(void)workers;
	(void)index;
}

void site_guard_move(struct run_io *io, int member)
{
	guarded[io - io->run->ios] = member;
}

bool site_disk_detach(struct run_card *card, bool detach, unsigned tries)
{
	assert_int_equal(card->index, DISK);
	assert_true(tries > 0);
	if (disk_keeps)
		return false;
	disk_is_out = detach;
	return true;
}

bool disk_card_hold(struct ctl *ctl, struct disk_card *card, hold_pause *pause, unsigned tries)
{
	(void)ctl;
	(void)card;
	assert_true(pause && tries > 0);
	return !disk_keeps;
}

void disk_card_release(struct ctl *ctl, struct disk_card *card)
{
	(void)ctl;
	(void)card;
	assert_false(disk_keeps);
}

void site_disk_plug(struct run_io *io, int member)
{
	site_guard_move(io, member);
	io->bound = member;
}

void site_external_detach(struct run_card *card, bool detach)
{
	(void)card;
	(void)detach;
	fail_msg("no card here is external");
}

struct run_io *site_run_io(struct site_run *run, const char *system, const char *io)
{
	(void)run;
	(void)system;
	(void)io;
	return NULL; /* no mirror port */
}

void attach_hold(struct front *front)
{
	assert_true(!front->hold || hold_try(front->hold, HOLD_CONTROL));
}

void attach_release(struct front *front)
{
	if (front->hold)
		hold_give(front->hold, HOLD_CONTROL);
}

bool medium_is_dead(const struct medium *medium)
{
	(void)medium;
	return false;
}

void medium_errors(const struct medium *medium, struct medium_errors *errors)
{
	(void)medium;
	*errors = (struct medium_errors){ .count = 0 };
}

const char *medium_how(const struct medium *medium)
{
	(void)medium;
	return "";
}

void log_line(struct log_site *site, enum log_level level, const char *module, const char *format, ...)
{
	(void)site;
	(void)module;
	(void)format;
	complaints += level == LOG_LEVEL_ERROR;
}

/* -- a site of two NIC cards that stand in for each other, and a disk card -- */

enum { NEIGHBOUR = WORLD_FRONTS }; /* a function that stays on its card: its front shows the card's hold */

static struct world worlds[CARDS];
static uv_loop_t loop;
static struct site_card site_cards[CARDS + 1] = { { .name = "nic0" }, { .name = "nic1" }, { .name = "disk0" } };
static struct site_io site_ios[IOS];
static struct placement places[IOS];
static struct failover_io failover_ios[IOS];
static struct failover_action actions[IOS];
static struct run_card cards[CARDS + 1];
static struct run_io ios[IOS];
static struct site_run run;
static bool link_is_up[IOS];

static char *group_cards[] = { (char []){ "nic0" }, (char []){ "nic1" } };
static struct site_group group = { .name = (char []){ "pair" }, .cards = group_cards, .cards_count = CARDS,
				   .mode = SITE_REDUNDANCY_ONE_PLUS_ONE, .revert = true, .wait_to_restore_s = 7 };
static const struct site site = { .heartbeat_ms = HEARTBEAT_MS, .groups = &group, .groups_count = 1 };
static const struct site_system vm = { .name = "vm" };

static void set_link(struct ctl *ctl, struct nic_front *front, bool up)
{
	(void)ctl;
	for (unsigned i = 0; i < IOS; i++)
		if (ios[i].front == front)
			link_is_up[i] = up;
}

static void rebound(struct attachment *attachment)
{
	(void)attachment;
}

static const struct attach_ops attach_ops = { .rebound = rebound };
static struct attachment attachment = { &attach_ops };

/* The fake front's, but for the link. */
static struct nic_front_ops front_ops;

static void open_card(unsigned index)
{
	run.cards[index] = (struct run_card){ .run = &run, .place.card = &site_cards[index], .index = index,
					      .worker = index, .served = true };
	if (index == DISK) {
		run.cards[index].disk = (struct disk_card *)&disk_is_out; /* nobody looks into it */
		return;
	}
	world_open_plain(&worlds[index]);
	world_bind(&worlds[index], NEIGHBOUR, &(struct nic_vf_conf){ .mac = WORLD_MAC(NEIGHBOUR), .weight = 100 });
	run.cards[index].card = worlds[index].card;
}

static void open_io(unsigned i)
{
	struct fake_front *fake = world_alloc(sizeof *fake);

	fake_front_init(fake, WORLD_MAC(i + 1));
	front_ops = *fake->front.ops;
	front_ops.set_link = set_link;
	fake->front.ops = &front_ops;
	worlds[0].front[i + 1] = fake;
	link_is_up[i] = true;
	site_ios[i] = (struct site_io){ .name = i ? "net1" : "net0", .redundancy = group.name, .weight = 100 };
	places[i] = (struct placement){ .io = i, .member_count = CARDS };
	for (unsigned m = 0; m < CARDS; m++)
		places[i].member[m] = (struct placement_function){ m, (uint16_t)(i + 1) };
	run.ios[i] = (struct run_io){ .run = &run, .system = &vm, .io = &site_ios[i], .place = &places[i],
				      .mac = WORLD_MAC(i + 1), .attachment = &attachment, .front = &fake->front,
				      .bound = -1 };
	assert_int_equal(site_move_bind_first(&run.ios[i], 0, NULL), 0);
	for (unsigned fd = 0; fd < FDS; fd++)
		site_move_watch(&run.ios[i], 100 + (int)fd);
}

static void open_site(bool revert)
{
	memset(health, WORKER_WELL, sizeof health);
	memset(watched, 0, sizeof watched);
	complaints = 0;
	disk_keeps = disk_is_out = false;
	memset(&run, 0, sizeof run);
	run.site = &site;
	run.loop = &loop;
	run.cards = cards;
	run.card_count = CARDS + 1;
	run.ios = ios;
	run.io_count = IOS;
	run.places = places;
	run.failover_ios = failover_ios;
	run.actions = actions;
	events_init(&run.events);
	for (unsigned i = 0; i <= CARDS; i++)
		open_card(i);
	for (unsigned i = 0; i < IOS; i++) {
		open_io(i);
		failover_ios[i] = (struct failover_io){ .place = &places[i], .revert = revert };
	}
	failover_init(&run.failover, run.card_count, failover_ios, IOS);
	assert_int_equal(uv_loop_init(&loop), 0);
	site_heart_start(&run);
	assert_int_equal(site_restore_start(&run, NULL), 0);
}

static int open_waiting(void **state)
{
	(void)state;
	open_site(true);
	for (unsigned i = 0; i < IOS; i++)
		failover_ios[i].wait_ns = WAIT_NS;
	return 0;
}

static int open_reverting(void **state)
{
	(void)state;
	open_site(true);
	return 0;
}

static int open_staying(void **state)
{
	(void)state;
	open_site(false);
	return 0;
}

static int close_site(void **state)
{
	(void)state;
	site_heart_stop(&run);
	site_restore_stop(&run);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&loop), 0);
	for (unsigned i = 0; i < CARDS; i++)
		world_close(&worlds[i]);
	return 0;
}

/* The worker is in the middle of a round of its card, which lasts. */
static void keeps(unsigned card)
{
	assert_true(hold_try(worlds[card].front[NEIGHBOUR]->front.hold, HOLD_WORKER));
}

static void goes_on(unsigned card)
{
	hold_give(worlds[card].front[NEIGHBOUR]->front.hold, HOLD_WORKER);
}

/* The daemon's timer, once. */
static void beat(void)
{
	uv_run(&loop, UV_RUN_ONCE);
}

static void tell(unsigned card, enum failover_event event)
{
	site_move_tell(&run.cards[card], event, clock_now_ns() - AGO_NS);
}

static unsigned sent_by(unsigned card, unsigned source, uint16_t type)
{
	const struct fake_line *line = worlds[card].line;
	unsigned count = 0;

	for (unsigned i = 0; i < line->log_count; i++)
		count += get_be48(line->log[i].bytes + ETH_SRC) == WORLD_MAC(source) &&
			 get_be16(line->log[i].bytes + ETH_TYPE) == type;
	return count;
}

/* All interfaces are on this card and on nothing else: what they send leaves by its line. */
static void all_are_on(unsigned card)
{
	const unsigned other = !card;

	for (unsigned i = 0; i < IOS; i++) {
		assert_int_equal(run.ios[i].bound, card);
		assert_false(run.ios[i].late);
		assert_int_equal(guarded[i], card);
		assert_ptr_equal(run.ios[i].front->hold, worlds[card].front[NEIGHBOUR]->front.hold);
		world_send(&worlds[0], i + 1, OUTSIDE_MAC, WORLD_MAC(i + 1), 0, 100); /* the fronts are listed there */
	}
	assert_int_equal(watched[card], IOS * FDS);
	assert_int_equal(watched[other], 0);
	fake_line_forget(worlds[0].line);
	fake_line_forget(worlds[1].line);
	world_run(&worlds[other]);
	world_run(&worlds[card]);
	for (unsigned n = 1; n <= IOS; n++) {
		assert_int_equal(sent_by(card, n, ETHERTYPE_IPV4), 1);
		assert_int_equal(sent_by(other, n, ETHERTYPE_IPV4), 0);
	}
}

static void none_has_moved(void)
{
	for (unsigned i = 0; i < IOS; i++) {
		assert_int_equal(run.ios[i].bound, 0);
		assert_int_equal(run.ios[i].moves, 0);
		assert_int_equal(guarded[i], 0);
	}
}

static const struct event *newest(void)
{
	const struct event *event = events_after(&run.events, run.events.next_id - 2);

	assert_non_null(event);
	return event;
}

static void a_pulled_card_is_left_at_the_beat_after_its_worker_let_go(void **state)
{
	unsigned told;

	(void)state;
	all_are_on(0);
	keeps(0);
	tell(0, FAILOVER_PULL);
	none_has_moved();
	told = complaints;
	assert_true(told > 0);
	for (unsigned i = 0; i < 3; i++)
		beat();
	none_has_moved();
	assert_int_equal(complaints, told); /* once is enough */
	assert_false(run.cards[0].detached);
	goes_on(0);
	beat();
	assert_true(run.cards[0].detached);
	assert_int_equal(nic_card_poll(NULL, worlds[0].card, worlds[0].now_ns += 1000), 0);
	all_are_on(1);
	for (unsigned n = 1; n <= IOS; n++)
		assert_true(sent_by(1, n, ETHERTYPE_RARP) > 0);
}

static void a_late_move_says_how_long_traffic_was_away_since_the_card_was_lost(void **state)
{
	(void)state;
	keeps(0);
	tell(0, FAILOVER_PULL);
	beat();
	goes_on(0);
	beat();
	assert_string_equal(newest()->kind, "moved");
	assert_string_equal(newest()->from, "nic0/vf2");
	assert_string_equal(newest()->to, "nic1/vf2");
	assert_true(newest()->away_ns >= (int64_t)AGO_NS);
	assert_int_equal(run.ios[0].moves, 1);
	assert_int_equal(run.ios[1].moves, 1);
}

static void after_a_late_move_the_card_can_be_inserted_and_pulled_as_ever(void **state)
{
	(void)state;
	keeps(0);
	tell(0, FAILOVER_PULL);
	goes_on(0);
	beat();
	tell(0, FAILOVER_INSERT);
	assert_false(run.cards[0].detached);
	all_are_on(0);
	tell(0, FAILOVER_PULL);
	assert_true(run.cards[0].detached);
	all_are_on(1);
}

static void a_card_that_was_inserted_again_meanwhile_keeps_what_it_has(void **state)
{
	(void)state;
	keeps(0);
	tell(0, FAILOVER_PULL);
	beat();
	tell(0, FAILOVER_INSERT);
	goes_on(0);
	beat();
	none_has_moved();
	assert_false(run.cards[0].detached);
	all_are_on(0);
}

/* Its worker neither beats nor lets go; then it lets go, and beats only later. */
static void a_card_that_dies_with_its_worker_in_it_is_left_when_that_lets_go(void **state)
{
	(void)state;
	keeps(0);
	health[0] = WORKER_STUCK;
	beat();
	assert_int_equal(failover_card_state(&run.failover, 0), FAILOVER_CARD_DEAD);
	beat();
	none_has_moved();
	goes_on(0);
	beat();
	assert_true(run.cards[0].detached);
	all_are_on(1);
	health[0] = WORKER_WELL;
	beat();
	assert_false(run.cards[0].detached);
	all_are_on(0);
}

static void a_card_whose_worker_lives_again_at_once_keeps_what_prefers_it(void **state)
{
	(void)state;
	keeps(0);
	health[0] = WORKER_STUCK;
	beat();
	beat();
	goes_on(0);
	health[0] = WORKER_WELL;
	beat();
	none_has_moved();
	assert_false(run.cards[0].detached);
	all_are_on(0);
}

static void a_card_whose_worker_lives_again_at_once_loses_what_does_not_go_back(void **state)
{
	(void)state;
	keeps(0);
	health[0] = WORKER_STUCK;
	beat();
	beat();
	goes_on(0);
	health[0] = WORKER_WELL;
	beat();
	assert_false(run.cards[0].detached);
	all_are_on(1);
}

static void a_standby_whose_worker_keeps_it_takes_over_when_that_lets_go(void **state)
{
	(void)state;
	keeps(1);
	tell(0, FAILOVER_PULL);
	beat();
	none_has_moved();
	goes_on(1);
	beat();
	assert_true(run.cards[0].detached);
	all_are_on(1);
}

static void a_card_that_is_inserted_while_its_worker_keeps_it_serves_when_that_lets_go(void **state)
{
	(void)state;
	tell(0, FAILOVER_PULL);
	all_are_on(1);
	keeps(0);
	tell(0, FAILOVER_INSERT);
	beat();
	assert_true(run.cards[0].detached);
	assert_int_equal(run.ios[0].bound, 1);
	goes_on(0);
	beat();
	assert_false(run.cards[0].detached);
	all_are_on(0);
}

static void without_another_card_the_guest_sees_its_link_down_when_the_worker_lets_go(void **state)
{
	(void)state;
	tell(1, FAILOVER_PULL);
	keeps(0);
	tell(0, FAILOVER_PULL);
	beat();
	none_has_moved();
	assert_true(link_is_up[0] && link_is_up[1]);
	goes_on(0);
	beat();
	for (unsigned i = 0; i < IOS; i++) {
		assert_int_equal(run.ios[i].bound, -1);
		assert_null(run.ios[i].front->hold);
		assert_false(link_is_up[i]);
	}
	assert_string_equal(newest()->kind, "unplugged");
	assert_int_equal(watched[0], 0);
	tell(1, FAILOVER_INSERT);
	all_are_on(1);
	assert_true(link_is_up[0] && link_is_up[1]);
}

static unsigned told(const char *kind)
{
	const struct event *event;
	unsigned count = 0;

	for (uint64_t id = 0; (event = events_after(&run.events, id)); id = event->id)
		count += strcmp(event->kind, kind) == 0;
	return count;
}

/* The daemon's timers, until the end of a wait was told. */
static void await_restored(void)
{
	uint64_t limit_ns = clock_now_ns() + UINT64_C(60000000000);

	while (!told("restored")) {
		assert_true(clock_now_ns() < limit_ns);
		uv_run(&loop, UV_RUN_ONCE);
	}
}

static void a_card_that_flaps_is_left_once_and_waited_for_and_that_is_told_once(void **state)
{
	uint64_t since_ns = 0;

	(void)state;
	tell(0, FAILOVER_LINE_LOST);
	for (unsigned i = 0; i < 10; i++) { /* no timer runs meanwhile */
		tell(0, FAILOVER_LINE_CAME);
		assert_int_equal(site_restore_left_s(&run, &group, &run.cards[0]), 1);
		assert_int_equal(site_restore_left_s(&run, &group, &run.cards[1]), 0);
		tell(0, FAILOVER_LINE_LOST);
		assert_int_equal(site_restore_left_s(&run, &group, &run.cards[0]), 0);
	}
	since_ns = clock_now_ns();
	tell(0, FAILOVER_LINE_CAME);
	all_are_on(1);
	assert_int_equal(told("moved"), IOS);
	assert_int_equal(told("waiting"), 1);
	await_restored();
	assert_true(clock_now_ns() - since_ns >= WAIT_NS);
	assert_string_equal(newest()->object, "group pair");
	assert_string_equal(newest()->text, "card nic0 has been well for 7 s: 2 interfaces go back to it");
	assert_int_equal(told("moved"), 2 * IOS);
	all_are_on(0);
	tell(0, FAILOVER_LINE_LOST);
	tell(0, FAILOVER_LINE_CAME);
	assert_int_equal(told("waiting"), 2); /* another one */
}

static void a_card_that_its_worker_keeps_when_the_wait_ends_is_gone_back_to_when_that_lets_go(void **state)
{
	(void)state;
	tell(0, FAILOVER_LINE_LOST);
	tell(0, FAILOVER_LINE_CAME);
	keeps(0);
	await_restored();
	for (unsigned i = 0; i < IOS; i++)
		assert_int_equal(run.ios[i].bound, 1);
	goes_on(0);
	beat();
	all_are_on(0);
}

static void a_standby_that_is_pulled_is_left_at_once_and_nobody_waits_any_more(void **state)
{
	(void)state;
	tell(0, FAILOVER_PULL);
	tell(0, FAILOVER_INSERT);
	all_are_on(1);
	tell(1, FAILOVER_PULL);
	all_are_on(0);
	assert_int_equal(site_restore_left_s(&run, &group, &run.cards[0]), 0);
	assert_int_equal(uv_is_active((uv_handle_t *)run.restore_timer), 0);
}

static void a_disk_card_is_out_and_in_at_the_beat_after_its_worker_let_go(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		bool out = i == 0;

		disk_keeps = true;
		tell(DISK, out ? FAILOVER_PULL : FAILOVER_INSERT);
		beat();
		assert_true(disk_is_out == !out && run.cards[DISK].detached == !out);
		assert_int_equal(complaints, i + 1);
		disk_keeps = false;
		beat();
		assert_true(disk_is_out == out && run.cards[DISK].detached == out);
	}
}

/* The second interface is one, for a while. */
static void a_mirrored_disk_is_heard_as_the_other_function_when_that_cards_worker_lets_go(void **state)
{
	(void)state;
	run.ios[1].mirror = (struct run_mirror *)&disk_is_out; /* nobody looks into them */
	run.ios[1].block = (struct block_front *)&disk_is_out;
	disk_keeps = true;
	tell(0, FAILOVER_PULL);
	beat();
	assert_int_equal(run.ios[0].bound, 1);
	assert_int_equal(guarded[1], 0);
	disk_keeps = false;
	beat();
	assert_int_equal(guarded[1], 1);
	disk_keeps = true;
	tell(1, FAILOVER_PULL); /* neither card is left: it is heard as it was, and nobody waits for anything */
	beat();
	assert_int_equal(guarded[1], 1);
	assert_false(run.ios[1].late);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_reverting, close_site)
#define WAITING(f) cmocka_unit_test_setup_teardown(f, open_waiting, close_site)
	const struct CMUnitTest tests[] = {
		TEST(a_pulled_card_is_left_at_the_beat_after_its_worker_let_go),
		TEST(a_late_move_says_how_long_traffic_was_away_since_the_card_was_lost),
		TEST(after_a_late_move_the_card_can_be_inserted_and_pulled_as_ever),
		TEST(a_card_that_was_inserted_again_meanwhile_keeps_what_it_has),
		TEST(a_card_that_dies_with_its_worker_in_it_is_left_when_that_lets_go),
		TEST(a_card_whose_worker_lives_again_at_once_keeps_what_prefers_it),
		cmocka_unit_test_setup_teardown(a_card_whose_worker_lives_again_at_once_loses_what_does_not_go_back,
						open_staying, close_site),
		TEST(a_standby_whose_worker_keeps_it_takes_over_when_that_lets_go),
		TEST(a_card_that_is_inserted_while_its_worker_keeps_it_serves_when_that_lets_go),
		TEST(without_another_card_the_guest_sees_its_link_down_when_the_worker_lets_go),
		TEST(a_disk_card_is_out_and_in_at_the_beat_after_its_worker_let_go),
		TEST(a_mirrored_disk_is_heard_as_the_other_function_when_that_cards_worker_lets_go),
		WAITING(a_card_that_flaps_is_left_once_and_waited_for_and_that_is_told_once),
		WAITING(a_card_that_its_worker_keeps_when_the_wait_ends_is_gone_back_to_when_that_lets_go),
		WAITING(a_standby_that_is_pulled_is_left_at_once_and_nobody_waits_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
