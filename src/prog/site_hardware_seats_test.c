/* Two cards of four functions in a pool, as a folder that looks like sysfs, and interfaces that are
 * to have one each. */
#include "prog/site_hardware_parts.h"
#include "tests/check.h"
#include "tests/fake_sysfs.h"

#include <errno.h>

#define PF_A "0000:01:00.0"
#define PF_B "0000:02:00.0"

enum { CARDS = 2, VFS = 4, IOS_MAX = 10, NEWS_MAX = 2048 };

static const char *const pfs[CARDS] = { PF_A, PF_B };
static char told[NEWS_MAX]; /* news, a line each */

/* Of VF 'vf' (1..) of a card, or of its PF (0).  Until the next call but one. */
static const char *address_of(unsigned card, unsigned vf)
{
	static char text[2][16];
	static unsigned turn;

	memcpy(text[++turn % 2], pfs[card], sizeof PF_A);
	text[turn % 2][sizeof PF_A - 2] = (char)('0' + vf);
	return text[turn % 2];
}

struct world {
	struct fake_sysfs fake;
	struct site_card asked[CARDS];
	struct site_carrier carrier;
	struct site_chassis chassis;
	struct site_pool pool;
	struct site_io io[IOS_MAX];
	struct site_system system[IOS_MAX];
	struct site site;
	struct site_run run;
	struct run_io ios[IOS_MAX];
	struct placement places[IOS_MAX];
	struct hardware_card cards[CARDS];
	struct hardware_seat seats[IOS_MAX];
	struct site_hardware hw;
};

/* What prog/site_hardware.c keeps for the control thread. */
void hardware_keep_note(struct site_hardware *hw, const struct hardware_note *note)
{
	size_t at = strlen(told);

	(void)hw;
	snprintf(told + at, sizeof told - at, "%s %s %s\n", note->object, note->kind, note->text);
}

void hardware_tell_of_io(struct site_hardware *hw, const struct hardware_seat *seat,
			 const char *kind, const char *format, ...)
{
	struct hardware_note note;
	va_list args;

	snprintf(note.object, sizeof note.object, "%.96s", seat->owner);
	snprintf(note.kind, sizeof note.kind, "%s", kind);
	va_start(args, format);
	vsnprintf(note.text, sizeof note.text, format, args);
	va_end(args);
	hardware_keep_note(hw, &note);
}

static char card_names[CARDS][8] = { "nic-a", "nic-b" };
static char *pool_cards[CARDS] = { card_names[0], card_names[1] };
static char system_names[IOS_MAX][8], io_name[] = "net0", pool_name[] = "wire";

static void make_site(struct world *w)
{
	for (unsigned c = 0; c < CARDS; c++)
		w->asked[c] = (struct site_card){ .name = card_names[c],
						  .card_class = SITE_CARD_VFIO,
						  .vfs = VFS };
	w->carrier = (struct site_carrier){ .cards = w->asked, .cards_count = CARDS };
	w->chassis = (struct site_chassis){ .carriers = &w->carrier, .carriers_count = 1 };
	w->pool =
		(struct site_pool){ .name = pool_name, .cards = pool_cards, .cards_count = CARDS };
	w->site = (struct site){
		.chassis = &w->chassis, .chassis_count = 1, .pools = &w->pool, .pools_count = 1
	};
}

static void open_cards(struct world *w)
{
	for (unsigned c = 0; c < CARDS; c++) {
		const struct pci_card_conf conf = {
			.site = "demo",
			.card = card_names[c],
			.address = pfs[c],
			.vfs = VFS,
			.dir = w->fake.run,
			.sysfs = w->fake.sysfs,
			.hand = &w->fake.hand,
		};
		struct refusal why = { 0 };

		w->cards[c] =
			(struct hardware_card){ .hw = &w->hw, .name = card_names[c], .index = c };
		assert_int_equal(pci_card_open(&w->cards[c].pci, &conf, &why), 0);
		(void)pci_card_begin(w->cards[c].pci, &why);
	}
}

/* Interface 'i' of system "sI" has VF 'vf' (1..) of a card by its placement. */
static void place(struct world *w, unsigned i, unsigned card, uint16_t vf)
{
	w->places[i] = (struct placement){ .member_count = 1, .member = { { card, vf } } };
	w->hw.seats[i].at = w->places[i].member[0];
}

static struct world *make_world(unsigned ios)
{
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	told[0] = '\0';
	make_site(w);
	w->run.site = &w->site;
	w->hw = (struct site_hardware){
		.run = &w->run, .cards = w->cards, .seats = w->seats, .seat_count = ios
	};
	for (unsigned i = 0; i < ios; i++) {
		struct hardware_seat *seat = &w->seats[i];

		snprintf(system_names[i], sizeof system_names[i], "s%u", i % 100);
		w->io[i] = (struct site_io){ .name = io_name,
					     .pool = pool_name,
					     .attachment = SITE_ATTACH_VFIO };
		w->system[i] = (struct site_system){ .name = system_names[i] };
		w->ios[i] = (struct run_io){ .run = &w->run,
					     .system = &w->system[i],
					     .io = &w->io[i],
					     .place = &w->places[i],
					     .mac = 0x525400000100 + i };
		*seat = (struct hardware_seat){ .hw = &w->hw, .io = &w->ios[i] };
		snprintf(seat->owner, sizeof seat->owner, "%s/%s", system_names[i], io_name);
		place(w, i, i / VFS % CARDS, (uint16_t)(1 + i % VFS));
	}
	fake_sysfs_make(&w->fake);
	fake_sysfs_add_pf(&w->fake, PF_A, VFS, "eth1");
	fake_sysfs_add_pf(&w->fake, PF_B, VFS, "eth2");
	open_cards(w);
	return w;
}

static void end_world(struct world *w)
{
	for (unsigned c = 0; c < CARDS; c++)
		pci_card_close(w->cards[c].pci, PCI_CARD_RELEASE);
	assert_string_equal(fake_sysfs_violations(&w->fake), "");
	fake_sysfs_remove(&w->fake);
	free(w);
}

static const char *vf_of(const struct hardware_seat *seat)
{
	return address_of(seat->at.card, seat->at.vf);
}

static void expect_at(const struct world *w, unsigned i, unsigned card, unsigned vf)
{
	const struct hardware_seat *seat = &w->seats[i];

	assert_true(seat->given);
	assert_int_equal(seat->at.card, card);
	assert_int_equal(seat->at.vf, vf);
	assert_string_equal(fake_sysfs_driver(&w->fake, vf_of(seat)), "vfio-pci");
	assert_string_equal(pci_card_function(w->cards[card].pci, vf - 1)->owner, seat->owner);
}

static int fill(struct world *w, unsigned i, struct refusal *why)
{
	*why = (struct refusal){ 0 };
	return hardware_seat_fill(&w->seats[i], why);
}

static void fill_all(struct world *w)
{
	struct refusal why;

	for (unsigned i = 0; i < w->hw.seat_count; i++)
		assert_int_equal(fill(w, i, &why), 0);
}

/* As the thread that looks after the hardware does. */
static void look(struct world *w)
{
	static struct pci_users users;

	w->fake.hand.users(&w->fake, &users);
	for (unsigned c = 0; c < CARDS; c++)
		pci_card_look(w->cards[c].pci, &users);
	for (unsigned i = 0; i < w->hw.seat_count; i++)
		hardware_seat_mend(&w->seats[i]);
}

static void expect_told(const char *words)
{
	if (!strstr(told, words))
		fail_msg("'%s' was not told, but:\n%s", words, told);
}

/* -- where -- */

static void an_interface_gets_the_function_of_its_placement_and_its_card_is_told_of_it(void **state)
{
	struct world *w = make_world(1);

	(void)state;
	place(w, 0, 1, 3);
	w->io[0].vlan = 7;
	w->io[0].rate_bps = 2500000000;
	fill_all(w);
	expect_at(w, 0, 1, 3);
	assert_string_equal(fake_sysfs_told(&w->fake, "eth2", 2), "525400000100 7 2500");
	assert_string_equal(told, "");
	end_world(w);
}

static void what_an_interface_had_before_a_crash_is_found_whatever_its_placement_says(void **state)
{
	struct world *w = make_world(2);

	(void)state;
	fill_all(w);
	for (unsigned c = 0; c < CARDS; c++)
		pci_card_close(w->cards[c].pci, PCI_CARD_KEEP);
	open_cards(w);
	place(w, 0, 1, 4);
	assert_true(hardware_seat_find_former(&w->seats[0]));
	assert_int_equal(w->seats[0].at.card, 0);
	assert_int_equal(w->seats[0].at.vf, 1);
	snprintf(w->seats[1].owner, sizeof w->seats[1].owner, "new/net0");
	assert_false(hardware_seat_find_former(&w->seats[1]));
	end_world(w);
}

static void a_function_that_another_interface_has_is_left_to_it(void **state)
{
	struct world *w = make_world(3);
	struct refusal why = { 0 };

	(void)state;
	place(w, 0, 0, 2);
	place(w, 1, 0, 2);
	place(w, 2, 0, 1);
	assert_int_equal(hardware_seat_find_place(&w->seats[1], &why), 0);
	assert_int_equal(w->seats[1].at.card, 0);
	assert_int_equal(w->seats[1].at.vf, 3);
	end_world(w);
}

static void where_no_function_is_left_the_error_names_pool_and_interface(void **state)
{
	struct world *w = make_world(CARDS * VFS + 1);
	struct refusal why = { 0 };

	(void)state;
	assert_int_equal(hardware_seat_find_place(&w->seats[CARDS * VFS], &why), -ENOSPC);
	assert_string_equal(why.text, "no function is left in pool 'wire' for 's8/net0'");
	end_world(w);
}

/* -- dead ones -- */

static void in_place_of_a_dead_function_another_one_is_given_and_that_is_told(void **state)
{
	struct world *w = make_world(2);

	(void)state;
	fake_sysfs_silence(&w->fake, "0000:01:00.1", true);
	fill_all(w);
	expect_at(w, 0, 0, 3);
	expect_at(w, 1, 0, 2);
	assert_string_equal(fake_sysfs_driver(&w->fake, "0000:01:00.1"), "");
	expect_told("s0/net0 reassigned not nic-a/vf1, but nic-a/vf3: ");
	fake_sysfs_silence(&w->fake, "0000:01:00.1", false);
	end_world(w);
}

static void no_function_of_a_silent_card_is_given_even_when_it_answers_itself(void **state)
{
	struct world *w = make_world(1);
	struct refusal why;

	(void)state;
	fake_sysfs_silence(&w->fake, PF_A, true); /* after the last look: nobody knows yet */
	assert_int_equal(fill(w, 0, &why), 0);
	expect_at(w, 0, 1, 1);
	for (unsigned vf = 1; vf <= VFS; vf++)
		assert_string_equal(fake_sysfs_driver(&w->fake, address_of(0, vf)), "");
	look(w);
	for (unsigned vf = 0; vf < VFS; vf++)
		assert_int_equal(pci_card_function(w->cards[0].pci, vf)->state, PCI_FUNCTION_DEAD);
	fake_sysfs_silence(&w->fake, PF_A, false);
	look(w);
	assert_int_equal(pci_card_function(w->cards[0].pci, 0)->state, PCI_FUNCTION_FREE);
	end_world(w);
}

static void where_nothing_of_the_pool_lives_nothing_is_given(void **state)
{
	struct world *w = make_world(1);
	struct refusal why;

	(void)state;
	fake_sysfs_silence(&w->fake, PF_A, true);
	fake_sysfs_unplug(&w->fake, PF_B);
	assert_int_equal(fill(w, 0, &why), -ENODEV);
	assert_false(w->seats[0].given);
	fake_sysfs_silence(&w->fake, PF_A, false);
	end_world(w);
}

static void a_function_that_somebody_uses_is_left_to_them(void **state)
{
	struct world *w = make_world(1);
	struct refusal why;

	(void)state;
	for (unsigned n = 0; n < CARDS * VFS;
	     n++) { /* vfio-pci has them, and a process all but one */
		assert_int_equal(pci_card_give(w->cards[n / VFS].pci, n % VFS, "x/y",
					       &(struct vf_link){ 0 }, &why),
				 0);
		fake_sysfs_use(&w->fake, address_of(n / VFS, n % VFS + 1), n + 1 < CARDS * VFS);
	}
	assert_int_equal(pci_card_take(w->cards[1].pci, VFS - 1, &why), 0);
	assert_int_equal(fill(w, 0, &why), 0);
	expect_at(w, 0, 1, VFS);
	fake_sysfs_use(&w->fake, address_of(1, VFS), true);
	place(w, 0, 0, 1);
	assert_int_equal(fill(w, 0, &why), -EBUSY);
	assert_non_null(strstr(why.text,
			       "card 'nic-a': 's0/net0' cannot have its function, and its "
			       "pool has no other: process 4711 (guest) has 0000:01:00.1 "));
	for (unsigned n = 0; n < CARDS * VFS; n++)
		fake_sysfs_use(&w->fake, address_of(n / VFS, n % VFS + 1), false);
	end_world(w);
}

static void what_a_driver_does_not_take_is_refused_naming_card_and_interface(void **state)
{
	struct world *w = make_world(1);
	struct refusal why;

	(void)state;
	w->io[0].rate_bps = 1000000;
	w->fake.refuse_rate = true;
	assert_int_equal(fill(w, 0, &why), -EINVAL);
	assert_non_null(strstr(why.text, "card 'nic-a': 's0/net0' cannot have its function: "));
	assert_false(w->seats[0].given);
	assert_string_equal(fake_sysfs_driver(&w->fake, "0000:01:00.1"), "");
	end_world(w);
}

static void a_rate_that_needs_a_link_is_given_where_there_is_one_and_tried_for_until_then(
	void **state)
{
	struct world *w = make_world(2);
	struct refusal why;

	(void)state;
	w->io[0].rate_bps = 100000000;
	w->fake.no_link = 1000000;
	assert_int_equal(fill(w, 0, &why), -ENOLINK);
	assert_non_null(strstr(why.text, "its pool has no other: eth1 has no link"));
	assert_false(w->seats[0].given);
	assert_int_equal(fill(w, 1, &why), 0); /* it has no rate */
	for (unsigned i = 0; i < 3 * HARDWARE_MENDS_MAX; i++)
		look(w);
	assert_false(w->seats[0].given);
	assert_string_equal(told, "");
	assert_non_null(strstr(w->seats[0].why.text, "eth1 has no link"));
	w->fake.no_link = 0;
	look(w);
	expect_at(w, 0, 0, 1);
	assert_string_equal(w->seats[0].why.text, "");
	expect_at(w, 1, 0, 2);
	end_world(w);
}

/* -- mending -- */

static void one_dead_look_changes_nothing_and_the_second_finds_another(void **state)
{
	struct world *w = make_world(1);

	(void)state;
	fill_all(w);
	fake_sysfs_silence(&w->fake, "0000:01:00.1", true);
	look(w);
	assert_int_equal(w->seats[0].at.vf, 1);
	look(w);
	expect_at(w, 0, 0, 2);
	fake_sysfs_silence(&w->fake, "0000:01:00.1", false);
	end_world(w);
}

static void a_function_that_answers_again_in_time_is_kept(void **state)
{
	struct world *w = make_world(1);

	(void)state;
	fill_all(w);
	for (unsigned i = 0; i < 10; i++) {
		fake_sysfs_silence(&w->fake, "0000:01:00.1", i % 2 == 0);
		look(w);
	}
	expect_at(w, 0, 0, 1);
	assert_string_equal(told, "");
	end_world(w);
}

static void one_that_finds_no_other_is_told_once_and_has_its_own_when_that_is_back(void **state)
{
	struct world *w = make_world(1);

	(void)state;
	fill_all(w);
	fake_sysfs_unplug(&w->fake, PF_B);
	fake_sysfs_silence(&w->fake, PF_A, true);
	for (unsigned vf = 1; vf <= VFS; vf++)
		fake_sysfs_silence(&w->fake, address_of(0, vf), true);
	for (unsigned i = 0; i < HARDWARE_MENDS_MAX + 10; i++)
		look(w);
	assert_false(w->seats[0].given);
	assert_string_equal(told, "s0/net0 unplugged no function of its pool lives\n");
	fake_sysfs_silence(&w->fake, PF_A, false);
	for (unsigned vf = 1; vf <= VFS; vf++)
		fake_sysfs_silence(&w->fake, address_of(0, vf), false);
	look(w);
	look(w);
	expect_at(w, 0, 0, 1);
	end_world(w);
}

/* -- any history -- */

struct history {
	bool silent[CARDS][VFS];
	bool pf_silent[CARDS];
};

static void toggle(struct world *w, struct history *h, uint64_t *rand)
{
	unsigned card = (unsigned)(rand_u64(rand) % CARDS), vf = (unsigned)(rand_u64(rand) % VFS);

	if (rand_u64(rand) % 5 == 0) {
		h->pf_silent[card] = !h->pf_silent[card];
		fake_sysfs_silence(&w->fake, pfs[card], h->pf_silent[card]);
		return;
	}
	h->silent[card][vf] = !h->silent[card][vf];
	fake_sysfs_silence(&w->fake, address_of(card, vf + 1), h->silent[card][vf]);
}

static bool is_silent(const struct history *h, struct placement_function at)
{
	return h->silent[at.card][at.vf - 1];
}

/* What must hold after each look, and what one look may have done. */
static void check_seats(const struct world *w, const struct history *h,
			const struct placement_function *before)
{
	for (unsigned i = 0; i < w->hw.seat_count; i++) {
		const struct hardware_seat *seat = &w->seats[i];
		bool moved = seat->at.card != before[i].card || seat->at.vf != before[i].vf;

		if (moved && (is_silent(h, seat->at) || h->pf_silent[seat->at.card]))
			fail_msg("%s was given %s, which is dead", seat->owner, vf_of(seat));
		if (moved && !is_silent(h, before[i]))
			fail_msg("%s lost a function that lives", seat->owner);
		for (unsigned k = 0; k < i; k++)
			if (w->seats[k].given && seat->given &&
			    w->seats[k].at.card == seat->at.card &&
			    w->seats[k].at.vf == seat->at.vf)
				fail_msg("%s and %s share %s", seat->owner, w->seats[k].owner,
					 vf_of(seat));
	}
}

static bool one_is_left(const struct world *w, const struct history *h)
{
	for (unsigned c = 0; c < CARDS; c++) {
		for (uint16_t vf = 1; vf <= VFS; vf++) {
			bool taken = false;

			for (unsigned i = 0; i < w->hw.seat_count; i++)
				taken = taken ||
					(w->seats[i].at.card == c && w->seats[i].at.vf == vf);
			if (!taken && !h->pf_silent[c] && !h->silent[c][vf - 1])
				return true;
		}
	}
	return false;
}

static void in_any_history_nobody_is_given_what_is_dead_or_anothers_and_all_that_can_live(
	void **state)
{
	uint64_t rand = check_seed();

	(void)state;
	for (unsigned round = 0; round < 12; round++) {
		struct world *w = make_world(1 + (unsigned)(rand_u64(&rand) % 6));
		struct history h = { 0 };
		struct placement_function before[IOS_MAX];

		fill_all(w);
		for (unsigned i = 0; i < 25; i++) {
			toggle(w, &h, &rand);
			for (unsigned quiet = 0; quiet < 3; quiet++) {
				for (unsigned s = 0; s < w->hw.seat_count; s++)
					before[s] = w->seats[s].at;
				look(w);
				check_seats(w, &h, before);
			}
			for (unsigned s = 0; s < w->hw.seat_count; s++)
				if (is_silent(&h, w->seats[s].at) && one_is_left(w, &h) &&
				    w->seats[s].dead_looks < HARDWARE_MENDS_MAX)
					fail_msg("%s has a dead one, and one that lives is left",
						 w->seats[s].owner);
		}
		for (unsigned c = 0; c < CARDS; c++)
			for (unsigned vf = 0; vf <= VFS; vf++)
				fake_sysfs_silence(&w->fake, address_of(c, vf), false);
		end_world(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_interface_gets_the_function_of_its_placement_and_its_card_is_told_of_it),
		cmocka_unit_test(
			what_an_interface_had_before_a_crash_is_found_whatever_its_placement_says),
		cmocka_unit_test(a_function_that_another_interface_has_is_left_to_it),
		cmocka_unit_test(where_no_function_is_left_the_error_names_pool_and_interface),
		cmocka_unit_test(in_place_of_a_dead_function_another_one_is_given_and_that_is_told),
		cmocka_unit_test(no_function_of_a_silent_card_is_given_even_when_it_answers_itself),
		cmocka_unit_test(where_nothing_of_the_pool_lives_nothing_is_given),
		cmocka_unit_test(a_function_that_somebody_uses_is_left_to_them),
		cmocka_unit_test(what_a_driver_does_not_take_is_refused_naming_card_and_interface),
		cmocka_unit_test(
			a_rate_that_needs_a_link_is_given_where_there_is_one_and_tried_for_until_then),
		cmocka_unit_test(one_dead_look_changes_nothing_and_the_second_finds_another),
		cmocka_unit_test(a_function_that_answers_again_in_time_is_kept),
		cmocka_unit_test(
			one_that_finds_no_other_is_told_once_and_has_its_own_when_that_is_back),
		cmocka_unit_test(
			in_any_history_nobody_is_given_what_is_dead_or_anothers_and_all_that_can_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
