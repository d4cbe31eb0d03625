#include "os/pci_card.h"
#include "tests/check.h"
#include "tests/fake_sysfs.h"

#include <errno.h>

#define PF    "0000:01:00.0"
#define VF(n) "0000:01:00." #n
#define OTHER "0000:02:00.0"

enum { STATE_MAX = 8192 };

static const struct vf_link told = {
	.set = VF_LINK_MAC | VF_LINK_VLAN,
	.mac = 0x525400000001,
	.vlan = 7,
};
static const struct vf_link nothing = { .set = 0 };
static char last_events[4096];

static void note_event(void *owner, int vf, const char *kind, const char *text)
{
	size_t at = strlen(last_events);

	(void)owner;
	snprintf(last_events + at, sizeof last_events - at, "%d %s %s\n", vf, kind, text);
}

static bool was_told(const char *words)
{
	return strstr(last_events, words) != NULL;
}

/* -- a world: a card with an interface, and another card with VFs in use that nobody may touch --
 */

static void make_world(struct fake_sysfs *fake)
{
	fake_sysfs_make(fake);
	fake_sysfs_add_pf(fake, PF, 4, "eth9");
	fake_sysfs_lower(fake, PF, "eth9");
	fake_sysfs_add_pf(fake, OTHER, 2, "");
	fake_sysfs_add_vfs(fake, OTHER, 2);
	fake_sysfs_use(fake, "0000:02:00.1", true);
	last_events[0] = '\0';
}

static void end_world(struct fake_sysfs *fake)
{
	const char *log = fake_sysfs_log(fake);

	assert_string_equal(fake_sysfs_violations(fake), "");
	assert_null(strstr(log, "devices/0000:02"));
	assert_null(strstr(log, "unbind 0000:02"));
	assert_null(strstr(log, "drivers_probe 0000:02"));
	fake_sysfs_remove(fake);
}

static struct pci_card *open_card(struct fake_sysfs *fake, unsigned vfs, int expected)
{
	const struct pci_card_conf conf = {
		.site = "demo",
		.card = "nic-a",
		.address = PF,
		.vfs = vfs,
		.dir = fake->run,
		.sysfs = fake->sysfs,
		.hand = &fake->hand,
		.tell = note_event,
	};
	struct pci_card *card = NULL;
	struct refusal why = { 0 };

	assert_int_equal(pci_card_open(&card, &conf, &why), expected);
	assert_true(!expected == !why.text[0]);
	return card;
}

static struct pci_card *begin_card(struct fake_sysfs *fake, unsigned vfs)
{
	struct pci_card *card = open_card(fake, vfs, 0);
	struct refusal why = { 0 };

	assert_int_equal(pci_card_begin(card, &why), 0);
	return card;
}

static void give(struct pci_card *card, unsigned vf, const char *owner, const struct vf_link *link,
		 int expected)
{
	struct refusal why = { 0 };

	assert_int_equal(pci_card_give(card, vf, owner, link, &why), expected);
	assert_true(!expected == !why.text[0]);
}

static enum pci_function_state state_of(struct fake_sysfs *fake, struct pci_card *card, unsigned vf)
{
	static struct pci_users users;

	fake->hand.users(fake, &users);
	pci_card_look(card, &users);
	return pci_card_function(card, vf)->state;
}

static void check_events(const char *words)
{
	if (!was_told(words))
		fail_msg("'%s' was not told, but:\n%s", words, last_events);
}

/* -- handing out -- */

static void a_function_is_handed_out_and_comes_back(void **state)
{
	struct fake_sysfs fake;
	struct pci_card *card;
	char before[STATE_MAX], after[STATE_MAX];

	(void)state;
	make_world(&fake);
	fake_sysfs_state(&fake, before, sizeof before);
	card = begin_card(&fake, 4);
	give(card, 1, "web/net0", &told, 0);
	assert_string_equal(fake_sysfs_driver(&fake, VF(2)), "vfio-pci");
	assert_string_equal(fake_sysfs_driver(&fake, VF(1)), "");
	assert_string_equal(fake_sysfs_told(&fake, "eth9", 1), "525400000001 7 0");
	assert_string_equal(fake_sysfs_file(&fake, PF, "sriov_drivers_autoprobe"), "1");
	assert_int_equal(state_of(&fake, card, 1), PCI_FUNCTION_READY);
	assert_int_equal(state_of(&fake, card, 0), PCI_FUNCTION_FREE);
	fake_sysfs_use(&fake, VF(2), true);
	assert_int_equal(state_of(&fake, card, 1), PCI_FUNCTION_USED);
	assert_int_equal(pci_card_function(card, 1)->user.pid, 4711);
	fake_sysfs_use(&fake, VF(2), false);
	pci_card_close(card, PCI_CARD_RELEASE);
	fake_sysfs_state(&fake, after, sizeof after);
	assert_string_equal(before, after);
	end_world(&fake);
}

static void what_was_there_before_is_left_as_it_was(void **state)
{
	struct fake_sysfs fake;
	struct pci_card *card;
	char before[STATE_MAX], after[STATE_MAX];

	(void)state;
	make_world(&fake);
	fake_sysfs_add_vfs(&fake, PF, 4);
	fake_sysfs_state(&fake, before, sizeof before);
	card = begin_card(&fake, 2);
	give(card, 0, "web/net0", &told, 0);
	assert_string_equal(fake_sysfs_driver(&fake, VF(1)), "vfio-pci");
	assert_string_equal(fake_sysfs_driver(&fake, VF(2)), "vfdrv");
	assert_null(strstr(fake_sysfs_log(&fake), "sriov_numvfs"));
	pci_card_close(card, PCI_CARD_RELEASE);
	fake_sysfs_state(&fake, after, sizeof after);
	assert_string_equal(before, after);
	assert_string_equal(fake_sysfs_told(&fake, "eth9", 0), "525400000001 0 0");
	end_world(&fake);
}

static void kept_functions_are_found_by_the_next_start(void **state)
{
	struct fake_sysfs fake;
	struct pci_card *card;

	(void)state;
	make_world(&fake);
	card = begin_card(&fake, 4);
	give(card, 2, "web/net0", &nothing, 0);
	pci_card_close(card, PCI_CARD_KEEP);
	assert_string_equal(fake_sysfs_driver(&fake, VF(3)), "vfio-pci");
	card = begin_card(&fake, 4);
	assert_int_equal(pci_card_had(card, "web/net0"), 2);
	assert_int_equal(pci_card_had(card, "web/net1"), -1);
	give(card, 2, "web/net0", &nothing, 0);
	check_events("2 resumed");
	pci_card_close(card, PCI_CARD_RELEASE);
	assert_string_equal(fake_sysfs_driver(&fake, VF(3)), "gone");
	end_world(&fake);
}

/* -- refusals -- */

static void a_card_that_cannot_have_so_many_is_refused(void **state)
{
	struct fake_sysfs fake;
	struct refusal why = { 0 };
	struct pci_card *card;

	(void)state;
	make_world(&fake);
	card = open_card(&fake, 5, 0);
	assert_int_equal(pci_card_begin(card, &why), -EINVAL);
	assert_non_null(strstr(why.text, "4 virtual functions at most, not 5"));
	pci_card_close(card, PCI_CARD_RELEASE);
	assert_string_equal(fake_sysfs_log(&fake), "");
	end_world(&fake);
}

static void functions_of_others_are_not_taken_away_to_have_more(void **state)
{
	struct fake_sysfs fake;
	struct refusal why = { 0 };
	struct pci_card *card;

	(void)state;
	make_world(&fake);
	fake_sysfs_add_vfs(&fake, PF, 2);
	card = open_card(&fake, 4, 0);
	assert_int_equal(pci_card_begin(card, &why), -EBUSY);
	assert_non_null(strstr(why.text, "driver vfdrv has virtual function " VF(1)));
	pci_card_close(card, PCI_CARD_RELEASE);
	assert_string_equal(fake_sysfs_log(&fake), "");
	end_world(&fake);
}

static void a_used_function_is_not_taken_away_to_have_more(void **state)
{
	struct fake_sysfs fake;
	struct refusal why = { 0 };
	struct pci_card *card;

	(void)state;
	make_world(&fake);
	card = begin_card(&fake, 2);
	give(card, 0, "web/net0", &nothing, 0);
	fake_sysfs_use(&fake, VF(1), true);
	pci_card_close(card, PCI_CARD_RELEASE);
	check_events("0 left " VF(1) " stays: process 4711 (guest) has it open");
	assert_string_equal(fake_sysfs_driver(&fake, VF(1)), "vfio-pci");

	card = open_card(&fake, 4, 0);
	assert_int_equal(pci_card_begin(card, &why), -EBUSY);
	assert_non_null(strstr(why.text, "process 4711 (guest) has virtual function " VF(1)));
	pci_card_close(card, PCI_CARD_RELEASE);

	fake_sysfs_use(&fake, VF(1), false);
	card = begin_card(&fake, 4);
	assert_string_equal(fake_sysfs_driver(&fake, VF(4)), "");
	pci_card_close(card, PCI_CARD_RELEASE);
	assert_string_equal(fake_sysfs_driver(&fake, VF(1)), "gone");
	end_world(&fake);
}

static void two_daemons_do_not_share_a_card(void **state)
{
	struct fake_sysfs fake;
	struct pci_card *card;

	(void)state;
	make_world(&fake);
	card = begin_card(&fake, 2);
	open_card(&fake, 2, -EBUSY);
	pci_card_close(card, PCI_CARD_RELEASE);
	card = begin_card(&fake, 2);
	pci_card_close(card, PCI_CARD_RELEASE);
	end_world(&fake);
}

static void a_group_that_the_host_uses_is_not_handed_out(void **state)
{
	struct fake_sysfs fake;
	struct pci_card *card;

	(void)state;
	make_world(&fake);
	card = begin_card(&fake, 2);
	fake_sysfs_join(&fake, VF(1), OTHER);
	give(card, 0, "web/net0", &nothing, -EBUSY);
	assert_string_equal(fake_sysfs_driver(&fake, VF(1)), "");
	assert_string_equal(fake_sysfs_file(&fake, VF(1), "driver_override"), "(null)");
	pci_card_close(card, PCI_CARD_RELEASE);
	end_world(&fake);
}

static void a_rate_that_the_driver_does_not_take_undoes_the_rest(void **state)
{
	const struct vf_link link = { .set = VF_LINK_MAC | VF_LINK_RATE,
				      .mac = 2,
				      .rate_mbps = 100 };
	struct fake_sysfs fake;
	struct pci_card *card;

	(void)state;
	make_world(&fake);
	fake.refuse_rate = true;
	card = begin_card(&fake, 2);
	give(card, 0, "web/net0", &link, -EINVAL);
	assert_string_equal(fake_sysfs_driver(&fake, VF(1)), "");
	assert_int_equal(pci_card_had(card, "web/net0"), -1);
	pci_card_close(card, PCI_CARD_RELEASE);
	end_world(&fake);
}

static void a_card_that_is_down_is_brought_up_when_a_function_is_given_and_stays_up(void **state)
{
	struct fake_sysfs fake;
	struct pci_card *card;

	(void)state;
	make_world(&fake);
	card = begin_card(&fake, 2);
	assert_false(fake_sysfs_is_up(&fake, PF, "eth9"));
	give(card, 0, "web/net0", &nothing, 0);
	assert_true(fake_sysfs_is_up(&fake, PF, "eth9"));
	check_events("-1 raised eth9 was down");
	last_events[0] = '\0';
	give(card, 1, "db/net0", &nothing, 0);
	assert_false(was_told("raised"));
	pci_card_close(card, PCI_CARD_RELEASE);
	assert_true(fake_sysfs_is_up(&fake, PF, "eth9"));
	end_world(&fake);
}

static void a_link_that_comes_late_is_waited_for_and_one_that_does_not_only_once(void **state)
{
	const struct vf_link link = { .set = VF_LINK_RATE, .rate_mbps = 100 };
	struct fake_sysfs fake;
	struct pci_card *card;
	unsigned waited_ms;

	(void)state;
	make_world(&fake);
	card = begin_card(&fake, 3);
	fake.no_link = 30;
	give(card, 0, "web/net0", &link, 0);
	assert_string_equal(fake_sysfs_told(&fake, "eth9", 0), "0 0 100");
	assert_in_range(fake.paused_ms, 100, 5000);
	fake.no_link = 100000;
	give(card, 1, "db/net0", &link, -ENOLINK);
	assert_string_equal(fake_sysfs_driver(&fake, VF(2)), "");
	assert_int_equal(pci_card_had(card, "db/net0"), -1);
	waited_ms = fake.paused_ms;
	assert_in_range(waited_ms, 5000, 12000);
	give(card, 2, "mail/net0", &link, -ENOLINK);
	give(card, 2, "mail/net0", &nothing, 0);
	assert_int_equal(fake.paused_ms, waited_ms);
	fake.no_link = 0;
	give(card, 1, "db/net0", &link, 0);
	pci_card_close(card, PCI_CARD_RELEASE);
	end_world(&fake);
}

static void a_function_that_somebody_else_has_open_is_not_given(void **state)
{
	struct fake_sysfs fake;
	struct pci_card *card;

	(void)state;
	make_world(&fake);
	card = begin_card(&fake, 2);
	give(card, 0, "web/net0", &nothing, 0);
	fake_sysfs_use(&fake, VF(1), true);
	give(card, 0, "db/net0", &nothing, -EBUSY);
	assert_string_equal(fake_sysfs_driver(&fake, VF(1)), "vfio-pci");
	fake_sysfs_use(&fake, VF(1), false);
	pci_card_close(card, PCI_CARD_RELEASE);
	end_world(&fake);
}

/* -- death -- */

static void a_dead_function_is_never_handed_out(void **state)
{
	struct fake_sysfs fake;
	struct pci_card *card;

	(void)state;
	make_world(&fake);
	card = begin_card(&fake, 4);
	fake_sysfs_silence(&fake, VF(1), true);
	give(card, 0, "web/net0", &nothing, -ENODEV);
	assert_int_equal(state_of(&fake, card, 0), PCI_FUNCTION_DEAD);
	fake_sysfs_unplug(&fake, VF(2));
	give(card, 1, "web/net0", &nothing, -ENODEV);
	assert_int_equal(state_of(&fake, card, 1), PCI_FUNCTION_DEAD);
	give(card, 2, "web/net0", &nothing, 0);
	fake_sysfs_silence(&fake, VF(3), true);
	assert_int_equal(state_of(&fake, card, 2), PCI_FUNCTION_DEAD);
	check_events("2 dead its configuration space does not answer");
	fake_sysfs_silence(&fake, VF(3), false);
	assert_int_equal(state_of(&fake, card, 2), PCI_FUNCTION_READY);
	check_events("2 alive");
	fake_sysfs_silence(&fake, VF(1), false);
	pci_card_close(card, PCI_CARD_RELEASE);
	end_world(&fake);
}

static void free_functions_of_a_silent_card_are_dead_and_a_guests_own_is_not(void **state)
{
	struct fake_sysfs fake;
	struct pci_card *card;

	(void)state;
	make_world(&fake);
	card = begin_card(&fake, 4);
	give(card, 0, "web/net0", &nothing, 0);
	fake_sysfs_use(&fake, VF(1), true);
	fake_sysfs_silence(&fake, PF, true);
	give(card, 1, "db/net0", &nothing, -ENODEV);
	assert_string_equal(fake_sysfs_driver(&fake, VF(2)), "");
	assert_int_equal(state_of(&fake, card, 0), PCI_FUNCTION_USED);
	assert_int_equal(state_of(&fake, card, 1), PCI_FUNCTION_DEAD);
	assert_string_equal(pci_card_function(card, 1)->why,
			    "its physical function does not answer");
	fake_sysfs_silence(&fake, PF, false);
	assert_int_equal(state_of(&fake, card, 1), PCI_FUNCTION_FREE);
	fake_sysfs_use(&fake, VF(1), false);
	pci_card_close(card, PCI_CARD_RELEASE);
	end_world(&fake);
}

static void a_card_that_is_unplugged_comes_back_as_it_was(void **state)
{
	struct fake_sysfs fake;
	struct refusal why = { 0 };
	struct pci_card *card;

	(void)state;
	make_world(&fake);
	card = begin_card(&fake, 4);
	give(card, 3, "web/net0", &told, 0);
	fake_sysfs_unplug(&fake, PF);
	assert_int_equal(state_of(&fake, card, 3), PCI_FUNCTION_DEAD);
	assert_false(pci_card_is_alive(card));
	check_events("-1 dead " PF " is gone");
	assert_int_equal(pci_card_begin(card, &why), -ENODEV);
	fake_sysfs_add_pf(&fake, PF, 4, "eth9");
	state_of(&fake, card, 3);
	assert_true(pci_card_is_alive(card));
	assert_int_equal(pci_card_begin(card, &why), 0);
	give(card, 3, "web/net0", &told, 0);
	assert_string_equal(fake_sysfs_driver(&fake, VF(4)), "vfio-pci");
	assert_int_equal(state_of(&fake, card, 3), PCI_FUNCTION_READY);
	pci_card_close(card, PCI_CARD_RELEASE);
	assert_string_equal(fake_sysfs_driver(&fake, VF(4)), "gone");
	end_world(&fake);
}

/* -- crashes -- */

enum history { MADE, FOUND, OWNERS_CHANGE, MORE, USED, HISTORIES };

/* What a start does, by the history that it belongs to; 'again': the start that finds what the
 * first left. */
static void start(struct fake_sysfs *fake, enum history history, bool again, enum pci_card_end end)
{
	bool changed = again && history == OWNERS_CHANGE;
	struct pci_card *card = open_card(fake, again && history == MORE ? 4 : 3, 0);
	int errors = pci_card_begin(card, NULL) != 0;

	errors += pci_card_give(card, changed ? 2 : 0, "web/net0", &told, NULL) != 0;
	if (!changed)
		errors += pci_card_give(card, 1, "db/net0", &told, NULL) != 0;
	if (!errors)
		pci_card_sweep(card);
	pci_card_close(card, end);
	assert_true(!errors || fake->stop_before);
}

/* A start, and a stop after it, that end before step 'stop_before' of theirs; how many steps they
 * took when there were fewer, else 0. */
static unsigned crash(struct fake_sysfs *fake, enum history history, bool again,
		      enum pci_card_end end, unsigned stop_before)
{
	unsigned steps;

	fake->steps = 0;
	fake->stop_before = stop_before;
	start(fake, history, again, end);
	steps = fake->steps;
	fake->stop_before = 0;
	return steps < stop_before ? steps : 0;
}

static void check_started(struct fake_sysfs *fake, enum history history)
{
	bool changed = history == OWNERS_CHANGE, found = history == FOUND;
	const char *unused = found ? "vfdrv" : "";

	assert_string_equal(fake_sysfs_driver(fake, VF(1)), changed ? unused : "vfio-pci");
	assert_string_equal(fake_sysfs_driver(fake, VF(2)), changed ? unused : "vfio-pci");
	assert_string_equal(fake_sysfs_driver(fake, VF(3)), changed ? "vfio-pci" : unused);
	assert_string_equal(fake_sysfs_told(fake, "eth9", changed ? 2 : 0), "525400000001 7 0");
	assert_string_equal(fake_sysfs_driver(fake, VF(4)), history == MORE ? "" : "gone");
	assert_string_equal(fake_sysfs_file(fake, PF, "sriov_drivers_autoprobe"), "1");
	assert_string_equal(fake_sysfs_driver(fake, PF), "pfdrv");
}

/* One history with a crash before the first start's step 'first' and the second's step 'second' (0:
 * none), then a start that is let finish, and a stop.  False when the first had fewer steps. */
static bool live(enum history history, unsigned first, unsigned second, enum pci_card_end end)
{
	struct fake_sysfs fake;
	char before[STATE_MAX], after[STATE_MAX];
	unsigned steps;

	make_world(&fake);
	if (history == FOUND)
		fake_sysfs_add_vfs(&fake, PF, 3);
	fake_sysfs_state(&fake, before, sizeof before);
	steps = crash(&fake, history, false, end, first);
	if (history == USED && strcmp(fake_sysfs_driver(&fake, VF(1)), "vfio-pci") == 0)
		fake_sysfs_use(&fake, VF(1), true);
	if (second)
		crash(&fake, history, true, end, second);
	start(&fake, history, true, PCI_CARD_KEEP);
	check_started(&fake, history);
	fake_sysfs_use(&fake, VF(1), false);
	start(&fake, history, true, PCI_CARD_RELEASE);
	fake_sysfs_state(&fake, after, sizeof after);
	assert_string_equal(before, after);
	assert_string_equal(fake_sysfs_file(&fake, "../../../../run", "pci-" PF), "");
	end_world(&fake);
	return steps == 0;
}

static void a_crash_before_any_step_is_found_and_mended(void **state)
{
	static const enum pci_card_end ends[] = { PCI_CARD_KEEP, PCI_CARD_RELEASE };
	unsigned crashes = 0;

	(void)state;
	for (enum history history = MADE; history < HISTORIES; history++)
		for (size_t end = 0; end < array_len(ends); end++)
			for (unsigned first = 1; live(history, first, 0, ends[end]); first++)
				crashes++;
	fprintf(stderr, "# %u crashes\n", crashes);
	assert_true(crashes > 100);
}

static void so_is_a_crash_while_it_is_mended(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		enum history history = (enum history)(rand_u64(&seed) % HISTORIES);
		unsigned first = 1 + (unsigned)(rand_u64(&seed) % 30);
		unsigned second = 1 + (unsigned)(rand_u64(&seed) % 30);

		live(history, first, second,
		     rand_u64(&seed) % 2 ? PCI_CARD_KEEP : PCI_CARD_RELEASE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_is_handed_out_and_comes_back),
		cmocka_unit_test(what_was_there_before_is_left_as_it_was),
		cmocka_unit_test(kept_functions_are_found_by_the_next_start),
		cmocka_unit_test(a_card_that_cannot_have_so_many_is_refused),
		cmocka_unit_test(functions_of_others_are_not_taken_away_to_have_more),
		cmocka_unit_test(a_used_function_is_not_taken_away_to_have_more),
		cmocka_unit_test(two_daemons_do_not_share_a_card),
		cmocka_unit_test(a_group_that_the_host_uses_is_not_handed_out),
		cmocka_unit_test(a_rate_that_the_driver_does_not_take_undoes_the_rest),
		cmocka_unit_test(
			a_card_that_is_down_is_brought_up_when_a_function_is_given_and_stays_up),
		cmocka_unit_test(
			a_link_that_comes_late_is_waited_for_and_one_that_does_not_only_once),
		cmocka_unit_test(a_function_that_somebody_else_has_open_is_not_given),
		cmocka_unit_test(a_dead_function_is_never_handed_out),
		cmocka_unit_test(free_functions_of_a_silent_card_are_dead_and_a_guests_own_is_not),
		cmocka_unit_test(a_card_that_is_unplugged_comes_back_as_it_was),
		cmocka_unit_test(a_crash_before_any_step_is_found_and_mended),
		cmocka_unit_test(so_is_a_crash_while_it_is_mended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
