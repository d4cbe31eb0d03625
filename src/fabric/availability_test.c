/* The model of a site, evaluated plainly: every combination of failed events. */
#include "avail/flatten.h"
#include "fabric/availability.h"
#include "tests/avail_heap.h"
#include "tests/check.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { EVENTS_MAX = 20 };

/* Two chassis; the first has two carriers, each with a card; the second one card. */
static struct site_card cards[3];
static struct site_carrier carriers[3];
static struct site_unit units[2];
static struct site_chassis chassis[2];
static struct site_host hosts[1];
static struct site_switch switches[2];
static struct site_path paths[2];
static char *one_carrier[] = { "nic0", "nic1" }, *two_chassis[] = { "nic0", "nic2" };
static char *all[] = { "nic0", "nic1", "nic2" }, *ends[] = { "north", "south" };
static char *over_left[] = { "left" }, *over_right[] = { "right" };
static struct site_pool pools[] = { { .name = "all", .cards = all, .cards_count = 3 } };
static struct site_group groups[1];
static struct site_io ios[2];
static struct site_system systems[1];
static struct site site;
static struct placement rows[2];
static struct test_heap heap;
static struct avail_model model;
static struct site_model_notes notes;
static struct site_model_wants wants;

static struct site_reliability of(double mtbf_h)
{
	return (struct site_reliability){ .mtbf_h = mtbf_h, .mttr_h = 4 };
}

static void begin_site(void)
{
	for (unsigned i = 0; i < 3; i++) {
		cards[i] = (struct site_card){
			.name = all[i], .vfs = 4, .line = "net_null0", .reliability = of(250000)
		};
		carriers[i] = (struct site_carrier){ .name = all[i],
						     .cards = &cards[i],
						     .cards_count = 1,
						     .reliability = of(500000) };
	}
	chassis[0] = (struct site_chassis){ .name = "north",
					    .carriers = carriers,
					    .carriers_count = 2,
					    .reliability = of(1000000) };
	chassis[1] = (struct site_chassis){ .name = "south",
					    .carriers = &carriers[2],
					    .carriers_count = 1,
					    .reliability = of(1000000) };
	hosts[0] = (struct site_host){ .name = "blade",
				       .chassis = "north",
				       .reliability = of(150000) };
	groups[0] = (struct site_group){ .name = "pair",
					 .cards = one_carrier,
					 .cards_count = 2,
					 .mode = SITE_REDUNDANCY_ONE_PLUS_ONE,
					 .coverage = 1 };
	for (unsigned i = 0; i < 2; i++)
		ios[i] = (struct site_io){ .name = i ? "net1" : "net0",
					   .pool = "all",
					   .redundancy = "pair" };
	systems[0] =
		(struct site_system){ .name = "web", .host = "blade", .io = ios, .io_count = 1 };
	site = (struct site){ .name = "s",
			      .chassis = chassis,
			      .chassis_count = 2,
			      .hosts = hosts,
			      .hosts_count = 1,
			      .pools = pools,
			      .pools_count = 1,
			      .groups = groups,
			      .groups_count = 1,
			      .systems = systems,
			      .systems_count = 1,
			      .mission_h = 8760 };
	wants = (struct site_model_wants){ .card_failed = NULL };
}

static int begin(void **state)
{
	(void)state;
	test_heap_init(&heap);
	begin_site();
	return 0;
}

/* Makes the model anew. */
static void make(void)
{
	struct refusal why = { .path = "" };

	assert_int_equal(placement_make(&site, rows, &why), 0);
	assert_int_equal(avail_model_init(&model, &heap.memory, "site"), 0);
	assert_int_equal(site_model_build(&model, &site, rows, &wants, &notes), 0);
	if (avail_model_check(&model, &why) != 0)
		fail_msg("%s: %s", why.path, why.text);
}

static int end(void **state)
{
	(void)state;
	avail_model_fini(&model);
	return heap.memory.used != 0;
}

/* Sum of the probabilities of all combinations that fail 'down'. */
static double unavailability(struct avail_term down)
{
	struct avail_flat flat;
	struct avail_sample sample;
	double p[EVENTS_MAX], sum = 0;
	uint8_t failed[EVENTS_MAX], values[1000];
	uint32_t ref;

	assert_int_equal(avail_flatten(&flat, &model, &down, 1, &ref), 0);
	assert_int_equal(avail_sample_init(&sample, &model, 8760), 0);
	assert_true(flat.leaf_count <= EVENTS_MAX && flat.tree.node_count <= 1000);
	for (uint32_t i = 0; i < flat.leaf_count; i++) {
		struct avail_figures figures;

		assert_int_equal(avail_leaf_figures(&flat, i, &sample, &figures, NULL), 0);
		p[i] = figures.unavailability;
	}
	for (uint32_t state = 0; state < 1u << flat.leaf_count; state++) {
		double probability = 1;

		for (uint32_t i = 0; i < flat.leaf_count; i++) {
			failed[i] = state >> i & 1;
			probability *= failed[i] ? p[i] : 1 - p[i];
		}
		if (avail_tree_value(&flat.tree, ref, failed, values))
			sum += probability;
	}
	avail_sample_fini(&sample);
	avail_flat_fini(&flat);
	return sum;
}

static struct avail_term gate_of(const char *name)
{
	for (uint32_t i = 0; i < model.gate_count; i++)
		if (model.gates[i].name && strcmp(model.gates[i].name, name) == 0)
			return (struct avail_term){ .kind = AVAIL_TERM_GATE, .index = i };
	fail_msg("there is no gate '%s'", name);
	return (struct avail_term){ 0 };
}

static void assert_close(double is, double should)
{
	if (fabs(is - should) > 1e-11 * should)
		fail_msg("%.17g is not %.17g", is, should);
}

/* One of two cards, each 250,000 h, on carriers of 500,000 h in a chassis of 1,000,000 h, 4 h to
 * repair. */
static void test_cards_that_share_a_carrier_are_no_redundant_pair(void **state)
{
	struct site_card both[2];

	(void)state;
	both[0] = cards[0];
	both[1] = cards[1];
	carriers[0].cards = both;
	carriers[0].cards_count = 2;
	chassis[0].carriers_count = 1;
	make();
	assert_close(unavailability(gate_of("interface web/net0 down")), 1.200014398961e-5);
}

static void test_cards_on_two_carriers_share_the_chassis_only(void **state)
{
	(void)state;
	make();
	assert_close(unavailability(gate_of("interface web/net0 down")), 4.0005599762566645e-6);
	assert_string_equal(model.tops[0].name, "web");
	assert_string_equal(model.tops[notes.site_top].name, "site");
	assert_close(unavailability(model.tops[0].down), unavailability(model.tops[1].down));
}

static double repairable(double mtbf_h, double mttr_h)
{
	return mttr_h / (mtbf_h + mttr_h);
}

static void test_a_chassis_needs_so_many_of_its_units(void **state)
{
	double p = repairable(200000, 4), u = repairable(1000000, 4);

	(void)state;
	units[0] = (struct site_unit){ .name = "psu",
				       .kind = SITE_UNIT_POWER_SUPPLY,
				       .count = 4,
				       .needed = 3,
				       .reliability = of(200000) };
	units[1] = (struct site_unit){
		.name = "shmm", .kind = SITE_UNIT_SHELF_MANAGER, .count = 2, .needed = 0
	};
	chassis[0].units = units;
	chassis[0].units_count = 2;
	make();
	assert_close(unavailability(gate_of("fewer than 3 of north/psu")), 2.3998400072e-9);
	assert_close(unavailability(gate_of("chassis north down")),
		     u + (1 - u) * (6 * p * p * (1 - p) * (1 - p) + 4 * p * p * p * (1 - p) +
				    p * p * p * p));
}

static void test_another_chassis_is_as_far_as_its_paths(void **state)
{
	double card = repairable(250000, 4), carrier = repairable(500000, 4);
	double shelf = repairable(1000000, 4), path = repairable(2000000, 8);
	double box = repairable(200000, 4), way, near, far;

	(void)state;
	groups[0].cards = two_chassis;
	make();
	assert_int_equal(notes.perfect_ways, 1);
	assert_string_equal(notes.perfect_from, "north");
	assert_string_equal(notes.perfect_to, "south");
	avail_model_fini(&model);
	for (unsigned i = 0; i < 2; i++) {
		switches[i] = (struct site_switch){ .name = i ? "right" : "left" };
		paths[i] = (struct site_path){ .name = i ? "b" : "a",
					       .chassis = ends,
					       .chassis_count = 2,
					       .switches = i ? over_right : over_left,
					       .switches_count = 1 };
	}
	site.switches = switches;
	site.switches_count = site.paths_count = 2;
	site.paths = paths;
	make();
	assert_int_equal(notes.perfect_ways, 0);
	way = pow(1 - (1 - path) * (1 - box), 2);
	near = 1 - (1 - card) * (1 - carrier) * (1 - shelf);
	far = 1 - (1 - card) * (1 - carrier) * (1 - shelf) * (1 - way);
	assert_close(unavailability(gate_of("interface web/net0 down")), near * far);
}

static void test_a_system_needs_some_or_all_of_its_interfaces(void **state)
{
	double one, blade = repairable(150000, 4), shelf = repairable(1000000, 4);

	(void)state;
	ios[0].redundancy = ios[1].redundancy = NULL;
	systems[0].io_count = 2;
	make();
	one = 1 - (1 - repairable(250000, 4)) * (1 - repairable(500000, 4));
	assert_close(unavailability(model.tops[0].down),
		     1 - (1 - blade) * (1 - shelf) * pow(1 - one, 2));
	avail_model_fini(&model);
	systems[0].io_needed = 1;
	make();
	assert_close(unavailability(model.tops[0].down),
		     1 - (1 - blade) * (1 - shelf) * (1 - one * one));
}

static void test_software_is_an_event_of_its_own(void **state)
{
	(void)state;
	systems[0].reliability =
		(struct site_reliability){ .software_mtbf_h = 1000, .restart_h = 0.1 };
	cards[0].reliability.software_mtbf_h = 2000;
	ios[0].redundancy = NULL;
	make();
	assert_close(unavailability(gate_of("card nic0 down")),
		     1 - (1 - repairable(250000, 4)) * (1 - repairable(2000, SITE_RESTART_H)) *
				     (1 - repairable(500000, 4)) * (1 - repairable(1000000, 4)));
	assert_true(unavailability(model.tops[0].down) > repairable(1000, 0.1));
}

static void test_a_card_that_is_out_stays_out(void **state)
{
	static const bool out[3] = { true, false, false };

	(void)state;
	wants.card_failed = out;
	make();
	assert_close(unavailability(gate_of("interface web/net0 down")),
		     unavailability(gate_of("card nic1 down")));
}

static void test_interfaces_alike_are_one_standby_group(void **state)
{
	(void)state;
	groups[0].coverage = 0.95;
	groups[0].switch_over_h = 1e-5;
	groups[0].revert = true;
	systems[0].io_count = 2;
	make();
	assert_int_equal(model.standby_count, 1);
	assert_true(model.standbys[0].coverage == 0.95 && model.standbys[0].switch_h == 1e-5);
	assert_true(model.standbys[0].reverts);
	assert_int_equal(model.standbys[0].needed, 1);
	avail_model_fini(&model);
	groups[0].revert = false; /* balanced: one is active on each card */
	make();
	assert_int_equal(model.standby_count, 2);
}

static void test_crews_repair_hardware_and_pools_have_a_capacity(void **state)
{
	(void)state;
	site.repair_crews = 2;
	cards[0].reliability.software_mtbf_h = 2000;
	make();
	assert_int_equal(model.crew_count, 1);
	assert_int_equal(model.crews[0].crews, 2);
	assert_int_equal(model.crews[0].count, model.event_count - 1);
	assert_int_equal(model.capacity_count, 1);
	assert_int_equal(model.capacities[0].count, 3);
	assert_string_equal(model.capacities[0].unit, "cards");
}

static void test_what_is_presumed_is_counted(void **state)
{
	(void)state;
	make();
	assert_int_equal(notes.units, 9);
	assert_int_equal(notes.presumed, 0);
	avail_model_fini(&model);
	cards[1].reliability.mttr_h = 0;
	hosts[0].reliability.mtbf_h = 0;
	make();
	assert_int_equal(notes.presumed, 2);
}

static void test_a_site_that_finds_no_memory_leaves_nothing(void **state)
{
	struct refusal why;
	int err = -ENOMEM;

	(void)state;
	systems[0].io_count = 2;
	assert_int_equal(placement_make(&site, rows, &why), 0);
	for (unsigned n = 0; err == -ENOMEM; n++) {
		test_heap_init(&heap);
		heap.fail_at = n + 1;
		err = avail_model_init(&model, &heap.memory, "site");
		if (!err)
			err = site_model_build(&model, &site, rows, &wants, &notes);
		assert_true(err == 0 || err == -ENOMEM);
		if (err) {
			avail_model_fini(&model);
			assert_int_equal(heap.memory.used, 0);
		}
		assert_true(n < 10000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
		T(test_cards_that_share_a_carrier_are_no_redundant_pair),
		T(test_cards_on_two_carriers_share_the_chassis_only),
		T(test_a_chassis_needs_so_many_of_its_units),
		T(test_another_chassis_is_as_far_as_its_paths),
		T(test_a_system_needs_some_or_all_of_its_interfaces),
		T(test_software_is_an_event_of_its_own),
		T(test_a_card_that_is_out_stays_out),
		T(test_interfaces_alike_are_one_standby_group),
		T(test_crews_repair_hardware_and_pools_have_a_capacity),
		T(test_what_is_presumed_is_counted),
		T(test_a_site_that_finds_no_memory_leaves_nothing),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
