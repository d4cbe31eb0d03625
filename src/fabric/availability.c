#include "fabric/availability.h"
#include "fabric/name_table.h"
#include "fabric/site_lookup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	NAME_SIZE = 3 * SITE_NAME_MAX + 32,
	TITLE_SIZE = NAME_SIZE + 48,
	CARD_ARGS = 4,
	MEMBER_ARGS = 2
};

/* A model in the making.  Gates of things are found by the thing's position; AVAIL_NONE: not made
 * yet. */
struct maker {
	struct avail_model *model;
	const struct site *site;
	const struct placement *places;
	const struct site_model_wants *wants;
	struct site_model_notes *notes;
	uint32_t chassis_gate[SITE_CHASSIS_MAX];
	uint32_t switch_gate[SITE_SWITCHES_MAX];
	uint32_t path_gate[SITE_PATHS_MAX];
	uint32_t card_gate[SITE_CARDS_MAX];
	uint32_t host_gate[SITE_HOSTS_MAX];
	struct site_lookup at;		  /* names that lead somewhere */
	unsigned alike[2 * SITE_IOS_MAX]; /* row + 1 by a hash of its members; 0: none */
	uint32_t *io_gate;		  /* one a row of the placement */
	bool full;			  /* no room: every index since then is AVAIL_NONE */
};

/* A list of arguments in the making. */
struct list {
	uint32_t gate;
	struct avail_term *terms;
	unsigned count, room;
};

static uint32_t made(struct maker *maker, uint32_t index)
{
	maker->full |= index == AVAIL_NONE;
	return index;
}

static struct avail_term gate_term(uint32_t gate)
{
	return (struct avail_term){ .kind = AVAIL_TERM_GATE, .index = gate };
}

static void push(struct list *list, enum avail_term_kind kind, uint32_t index)
{
	must(list->count < list->room);
	list->terms[list->count++] = (struct avail_term){ .kind = kind, .index = index };
}

/* Defines a gate; its number.  'low' is for AT_LEAST. */
static uint32_t define(struct maker *maker, const char *name, enum avail_formula_kind kind,
		       uint32_t low, const struct avail_term *terms, unsigned count)
{
	uint32_t gate;

	if (maker->full)
		return AVAIL_NONE;
	gate = made(maker, avail_model_gate(maker->model, name));
	if (maker->full)
		return AVAIL_NONE;
	maker->model->gates[gate].low = low;
	maker->full |= avail_model_define(maker->model, gate, kind, terms, count) != 0;
	return gate;
}

/* The events of one unit, hardware and software, put on the list of what depends on it. */
static void add_unit(struct maker *maker, enum site_fru_kind kind, const char *name,
		     const struct site_reliability *said, bool failed, struct list *list)
{
	struct site_reliability all = site_reliability_of(kind, said, &maker->notes->presumed);
	char text[TITLE_SIZE];
	uint32_t fru, event;

	if (maker->full || (all.mtbf_h == 0 && all.software_mtbf_h == 0))
		return;
	maker->notes->units++;
	fru = made(maker, avail_model_fru(maker->model, site_fru_word[kind], name));
	if (maker->full)
		return;
	maker->model->frus[fru].cost = (double)all.cost;
	if (all.mtbf_h > 0) {
		snprintf(text, sizeof text, "%s %s", site_fru_word[kind], name);
		event = made(maker, avail_model_repairable(maker->model, text, fru, all.mtbf_h,
							   all.mttr_h));
		if (maker->full)
			return;
		if (failed) {
			maker->model->events[event].law = AVAIL_LAW_HOUSE;
			maker->model->events[event].house = true;
		}
		push(list, AVAIL_TERM_EVENT, event);
	}
	if (all.software_mtbf_h > 0) {
		snprintf(text, sizeof text, "%s %s software", site_fru_word[kind], name);
		event = made(maker, avail_model_repairable(maker->model, text, fru,
							   all.software_mtbf_h, all.restart_h));
		if (!maker->full)
			push(list, AVAIL_TERM_EVENT, event);
	}
}

/* A gate that is down when the unit is, or anything else on the list. */
static uint32_t define_or(struct maker *maker, const char *kind, const char *name,
			  const struct list *list)
{
	char text[TITLE_SIZE];

	snprintf(text, sizeof text, "%s %s down", kind, name);
	return define(maker, text, AVAIL_FORMULA_OR, 0, list->terms, list->count);
}

/* More than count - needed of a chassis' equal units are down. */
static uint32_t make_units(struct maker *maker, const struct site_chassis *chassis,
			   const struct site_unit *unit)
{
	struct avail_term members[64];
	char text[NAME_SIZE];

	must(unit->count <= array_len(members));
	for (unsigned i = 0; i < unit->count; i++) {
		struct avail_term terms[2];
		struct list list = { .terms = terms, .room = array_len(terms) };

		snprintf(text, sizeof text, unit->count > 1 ? "%s/%s-%u" : "%s/%s", chassis->name,
			 unit->name, i + 1);
		add_unit(maker, site_unit_fru(unit->kind), text, &unit->reliability, false, &list);
		members[i] = list.count == 1 ? terms[0]
					     : gate_term(define_or(maker, "unit", text, &list));
	}
	snprintf(text, sizeof text, "fewer than %u of %s/%s", unit->needed, chassis->name,
		 unit->name);
	return define(maker, text, AVAIL_FORMULA_AT_LEAST, unit->count - unit->needed + 1, members,
		      unit->count);
}

static void make_chassis(struct maker *maker, unsigned c)
{
	const struct site_chassis *chassis = &maker->site->chassis[c];
	struct avail_term terms[1 + SITE_UNITS_MAX];
	struct list list = { .terms = terms, .room = array_len(terms) };

	add_unit(maker, SITE_FRU_CHASSIS, chassis->name, &chassis->reliability, false, &list);
	for (unsigned u = 0; u < chassis->units_count && !maker->full; u++)
		if (chassis->units[u].needed > 0)
			push(&list, AVAIL_TERM_GATE,
			     make_units(maker, chassis, &chassis->units[u]));
	maker->chassis_gate[c] = define_or(maker, "chassis", chassis->name, &list);
}

static void make_carrier(struct maker *maker, unsigned c, const struct site_carrier *carrier,
			 unsigned *card_index)
{
	struct avail_term terms[2];
	struct list list = { .terms = terms, .room = array_len(terms) };
	uint32_t gate;

	add_unit(maker, SITE_FRU_CARRIER, carrier->name, &carrier->reliability, false, &list);
	push(&list, AVAIL_TERM_GATE, maker->chassis_gate[c]);
	gate = define_or(maker, "carrier", carrier->name, &list);
	for (unsigned i = 0; i < carrier->cards_count && !maker->full; i++, ++*card_index) {
		const struct site_card *card = &carrier->cards[i];
		bool failed = maker->wants && maker->wants->card_failed &&
			      maker->wants->card_failed[*card_index];
		struct avail_term card_terms[CARD_ARGS];
		struct list card_list = { .terms = card_terms, .room = CARD_ARGS };

		add_unit(maker, SITE_FRU_CARD, card->name, &card->reliability, failed, &card_list);
		push(&card_list, AVAIL_TERM_GATE, gate);
		maker->card_gate[*card_index] = define_or(maker, "card", card->name, &card_list);
	}
}

static void make_switches_and_paths(struct maker *maker)
{
	const struct site *site = maker->site;

	for (unsigned i = 0; i < site->switches_count && !maker->full; i++) {
		struct avail_term terms[2];
		struct list list = { .terms = terms, .room = array_len(terms) };

		add_unit(maker, SITE_FRU_SWITCH, site->switches[i].name,
			 &site->switches[i].reliability, false, &list);
		maker->switch_gate[i] = define_or(maker, "switch", site->switches[i].name, &list);
	}
	for (unsigned p = 0; p < site->paths_count && !maker->full; p++) {
		const struct site_path *path = &site->paths[p];
		struct avail_term terms[1 + SITE_SWITCHES_MAX];
		struct list list = { .terms = terms, .room = array_len(terms) };

		add_unit(maker, SITE_FRU_PATH, path->name, &path->reliability, false, &list);
		for (unsigned i = 0; i < path->switches_count; i++)
			for (unsigned s = 0; s < site->switches_count; s++)
				if (strcmp(site->switches[s].name, path->switches[i]) == 0)
					push(&list, AVAIL_TERM_GATE, maker->switch_gate[s]);
		maker->path_gate[p] = define_or(maker, "path", path->name, &list);
	}
}

static bool connects(const struct maker *maker, unsigned path, unsigned a, unsigned b)
{
	const unsigned *ends = maker->at.path_ends[path];

	return (ends[0] == a && ends[1] == b) || (ends[0] == b && ends[1] == a);
}

/* The ways between two chassis, all of them down; false when there is nothing that could be. */
static bool make_way(struct maker *maker, unsigned a, unsigned b, struct avail_term *down)
{
	const struct site *site = maker->site;
	struct avail_term terms[SITE_PATHS_MAX];
	struct list list = { .terms = terms, .room = array_len(terms) };
	char text[NAME_SIZE];

	if (a == b)
		return false;
	for (unsigned p = 0; p < site->paths_count; p++)
		if (connects(maker, p, a, b))
			push(&list, AVAIL_TERM_GATE, maker->path_gate[p]);
	if (list.count == 0) {
		if (maker->notes->perfect_ways++ == 0) {
			maker->notes->perfect_from = site->chassis[a].name;
			maker->notes->perfect_to = site->chassis[b].name;
		}
		return false;
	}
	snprintf(text, sizeof text, "no path %s to %s", site->chassis[a].name,
		 site->chassis[b].name);
	*down = gate_term(define(maker, text, AVAIL_FORMULA_AND, 0, terms, list.count));
	return true;
}

/* The chassis that a row's system runs in. */
static unsigned chassis_of_row(const struct maker *maker, unsigned row)
{
	return maker->at.host_chassis[maker->at.system_host[maker->places[row].system]];
}

/* One function of an interface cannot be reached. */
static uint32_t make_member(struct maker *maker, unsigned row, unsigned m)
{
	const struct placement *place = &maker->places[row];
	const struct site_system *system = &maker->site->systems[place->system];
	unsigned card = place->member[m].card;
	struct avail_term terms[MEMBER_ARGS];
	struct list list = { .terms = terms, .room = MEMBER_ARGS };
	const struct site_card_place *where = &maker->at.cards[card];
	char text[NAME_SIZE];

	push(&list, AVAIL_TERM_GATE, maker->card_gate[card]);
	list.count += make_way(maker, chassis_of_row(maker, row),
			       (unsigned)(where->chassis - maker->site->chassis), &terms[1]);
	if (list.count == 1)
		return maker->card_gate[card];
	snprintf(text, sizeof text, "%s out of reach of %s", where->card->name, system->host);
	return define(maker, text, AVAIL_FORMULA_OR, 0, terms, list.count);
}

static void make_standby(struct maker *maker, uint32_t gate, const struct site_group *group)
{
	struct avail_standby *standby;
	uint32_t index;

	if (maker->full)
		return;
	index = made(maker, avail_model_standby(maker->model, group->name, gate));
	if (maker->full)
		return;
	standby = &maker->model->standbys[index];
	standby->needed = 1;
	standby->mode = (enum avail_standby_mode)group->standby;
	standby->dormancy = group->dormancy;
	standby->coverage = group->coverage;
	standby->uncovered = (enum avail_uncovered)group->uncovered;
	standby->recovery_h = group->recovery_h;
	standby->switch_h = group->switch_over_h;
	standby->reverts = group->revert;
}

_Static_assert((int)SITE_STANDBY_HOT == (int)AVAIL_HOT &&
		       (int)SITE_STANDBY_WARM == (int)AVAIL_WARM &&
		       (int)SITE_STANDBY_COLD == (int)AVAIL_COLD &&
		       (int)SITE_UNCOVERED_TAKES_ALL == (int)AVAIL_UNCOVERED_TAKES_ALL &&
		       (int)SITE_UNCOVERED_WAITS == (int)AVAIL_UNCOVERED_WAITS,
	       "the site's words are the model's");

bool site_group_is_plain(const struct site_group *group)
{
	return group->standby == SITE_STANDBY_HOT && group->coverage == 1 &&
	       group->switch_over_h == 0;
}

/* Whether two interfaces stand and fall together: the same members, seen from the same chassis. */
static bool are_alike(const struct maker *maker, unsigned a, unsigned b)
{
	const struct placement *x = &maker->places[a], *y = &maker->places[b];

	if (x->member_count != y->member_count ||
	    maker->at.row_group[a] != maker->at.row_group[b] ||
	    chassis_of_row(maker, a) != chassis_of_row(maker, b))
		return false;
	for (unsigned m = 0; m < x->member_count; m++)
		if (x->member[m].card != y->member[m].card)
			return false;
	return true;
}

static uint64_t hash_row(const struct maker *maker, unsigned row)
{
	const struct placement *place = &maker->places[row];
	uint64_t hash = chassis_of_row(maker, row);

	for (unsigned m = 0; m < place->member_count; m++)
		hash = (hash ^ place->member[m].card) * UINT64_C(0x9e3779b97f4a7c15);
	return hash >> 32;
}

/* The first row that is like this one, itself when it is the first. */
static unsigned first_alike(struct maker *maker, unsigned row)
{
	size_t at = (size_t)hash_row(maker, row) % array_len(maker->alike);

	while (maker->alike[at] && !are_alike(maker, row, maker->alike[at] - 1))
		at = (at + 1) % array_len(maker->alike);
	if (!maker->alike[at])
		maker->alike[at] = row + 1;
	return maker->alike[at] - 1;
}

static uint32_t make_io(struct maker *maker, unsigned row)
{
	const struct placement *place = &maker->places[row];
	const struct site_system *system = &maker->site->systems[place->system];
	const struct site_group *group = maker->at.row_group[row];
	struct avail_term members[PLACEMENT_MEMBERS_MAX];
	unsigned first = first_alike(maker, row);
	char text[NAME_SIZE];
	uint32_t gate;

	if (first != row)
		return maker->io_gate[first];
	for (unsigned m = 0; m < place->member_count && !maker->full; m++)
		members[m] = gate_term(make_member(maker, row, m));
	if (maker->full || place->member_count == 1)
		return maker->full ? AVAIL_NONE : members[0].index;
	snprintf(text, sizeof text, "interface %s/%s down", system->name,
		 system->io[place->io].name);
	gate = define(maker, text, AVAIL_FORMULA_AT_LEAST, place->member_count, members,
		      place->member_count);
	if (!site_group_is_plain(group) &&
	    !(maker->wants && maker->wants->groups_as == SITE_GROUPS_PLAIN))
		make_standby(maker, gate, group);
	return gate;
}

static void make_hosts(struct maker *maker)
{
	const struct site *site = maker->site;

	for (unsigned h = 0; h < site->hosts_count && !maker->full; h++) {
		struct avail_term terms[3];
		struct list list = { .terms = terms, .room = array_len(terms) };

		add_unit(maker, SITE_FRU_HOST, site->hosts[h].name, &site->hosts[h].reliability,
			 false, &list);
		push(&list, AVAIL_TERM_GATE, maker->chassis_gate[maker->at.host_chassis[h]]);
		maker->host_gate[h] = define_or(maker, "host", site->hosts[h].name, &list);
	}
}

/* Too many of a system's interfaces are down. */
static uint32_t make_interfaces(struct maker *maker, unsigned s, unsigned first_row,
				struct avail_term *terms)
{
	const struct site_system *system = &maker->site->systems[s];
	unsigned needed = system->io_needed ? system->io_needed : system->io_count;
	char text[NAME_SIZE];

	for (unsigned i = 0; i < system->io_count; i++)
		terms[i] = gate_term(maker->io_gate[first_row + i]);
	snprintf(text, sizeof text, "fewer than %u interfaces of %s", needed, system->name);
	return define(maker, text, AVAIL_FORMULA_AT_LEAST, system->io_count - needed + 1, terms,
		      system->io_count);
}

static void make_systems(struct maker *maker, struct avail_term *terms)
{
	static const struct site_reliability none;
	const struct site *site = maker->site;
	unsigned row = 0;

	make_hosts(maker);
	for (unsigned s = 0; s < site->systems_count && !maker->full; s++) {
		const struct site_system *system = &site->systems[s];
		struct site_reliability software = none;
		struct avail_term parts[3];
		struct list list = { .terms = parts, .room = array_len(parts) };

		software.software_mtbf_h = system->reliability.software_mtbf_h;
		software.restart_h = system->reliability.restart_h;
		add_unit(maker, SITE_FRU_SYSTEM, system->name, &software, false, &list);
		push(&list, AVAIL_TERM_GATE, maker->host_gate[maker->at.system_host[s]]);
		if (system->io_count && !(maker->wants && maker->wants->io_as == SITE_IO_PERFECT))
			push(&list, AVAIL_TERM_GATE, make_interfaces(maker, s, row, terms));
		made(maker,
		     avail_model_top(maker->model, system->name,
				     gate_term(define_or(maker, "system", system->name, &list))));
		row += system->io_count;
	}
	for (unsigned s = 0; s < site->systems_count && !maker->full; s++)
		terms[s] = maker->model->tops[s].down;
	if (!maker->full)
		maker->notes->site_top = made(
			maker,
			avail_model_top(maker->model, "site",
					gate_term(define(maker, "any system down", AVAIL_FORMULA_OR,
							 0, terms, site->systems_count))));
}

/* What the cards of a pool carry together: their line rates, or their number where one has none. */
static void make_capacity(struct maker *maker, const struct site_pool *pool,
			  const struct site_name_table *cards)
{
	struct avail_share shares[SITE_CARDS_MAX];
	bool rated = true;
	uint32_t capacity, first;

	for (unsigned i = 0; i < pool->cards_count; i++) {
		int card = site_name_table_find(cards, pool->cards[i]);

		must(card >= 0);
		shares[i] = (struct avail_share){
			.down = gate_term(maker->card_gate[card]),
			.amount = (double)maker->at.cards[card].card->line_rate_bps
		};
		rated &= shares[i].amount > 0;
	}
	for (unsigned i = 0; !rated && i < pool->cards_count; i++)
		shares[i].amount = 1;
	capacity = made(maker,
			avail_model_capacity(maker->model, pool->name, rated ? "bit/s" : "cards"));
	if (maker->full)
		return;
	first = made(maker, avail_model_shares(maker->model, shares, pool->cards_count));
	maker->model->capacities[capacity].first = first;
	maker->model->capacities[capacity].count = pool->cards_count;
}

/* All hardware of the site waits for the same crews. */
static void make_crew(struct maker *maker)
{
	struct avail_model *model = maker->model;
	uint32_t crew, count = 0, first = AVAIL_NONE;

	if (maker->site->repair_crews == 0 || maker->full)
		return;
	crew = made(maker, avail_model_crew(model, "site", maker->site->repair_crews));
	for (uint32_t e = 0; e < model->event_count && !maker->full; e++) {
		size_t length = strlen(model->events[e].name);
		bool software =
			length > 9 && strcmp(model->events[e].name + length - 9, " software") == 0;
		uint32_t at;

		if (software || model->events[e].law != AVAIL_LAW_REPAIRABLE)
			continue;
		at = made(maker, avail_model_indexes(model, &e, 1));
		if (count++ == 0)
			first = at;
	}
	if (maker->full)
		return;
	model->crews[crew].first = first;
	model->crews[crew].count = count;
}

static void make_capacities(struct maker *maker)
{
	const struct site *site = maker->site;
	struct site_name_table names;

	site_name_table_init(&names, site_card_count(site));
	for (unsigned i = 0; i < site_card_count(site); i++)
		site_name_table_add(&names, maker->at.cards[i].card->name, i);
	for (unsigned p = 0; p < site->pools_count && !maker->full; p++)
		make_capacity(maker, &site->pools[p], &names);
}

static void make_all(struct maker *maker, struct avail_term *terms)
{
	const struct site *site = maker->site;
	unsigned card = 0, rows = placement_count(site);

	site_lookup_init(&maker->at, site, maker->places);
	for (unsigned c = 0; c < site->chassis_count && !maker->full; c++)
		make_chassis(maker, c);
	for (unsigned c = 0; c < site->chassis_count; c++)
		for (unsigned i = 0; i < site->chassis[c].carriers_count && !maker->full; i++)
			make_carrier(maker, c, &site->chassis[c].carriers[i], &card);
	make_switches_and_paths(maker);
	for (unsigned row = 0; row < rows && !maker->full; row++)
		maker->io_gate[row] = make_io(maker, row);
	make_systems(maker, terms);
	make_capacities(maker);
	make_crew(maker);
}

int site_model_build(struct avail_model *model, const struct site *site,
		     const struct placement *places, const struct site_model_wants *wants,
		     struct site_model_notes *notes)
{
	size_t rows = max_u64(placement_count(site), 1);
	size_t most = max_u64(rows, site->systems_count + 1);
	struct avail_memory *memory = model->memory;
	struct avail_term *terms = avail_take(memory, most, sizeof *terms);
	struct maker *maker = avail_take(memory, 1, sizeof *maker);
	bool full = true;

	*notes = (struct site_model_notes){ .site_top = AVAIL_NONE };
	model->mission_h = site->mission_h;
	if (terms && maker) {
		*maker = (struct maker){ .model = model,
					 .site = site,
					 .places = places,
					 .wants = wants,
					 .notes = notes };
		maker->io_gate = avail_take(memory, rows, sizeof *maker->io_gate);
		maker->full = !maker->io_gate;
		make_all(maker, terms);
		full = maker->full;
		avail_give(memory, maker->io_gate, rows, sizeof *maker->io_gate);
	}
	avail_give(memory, maker, 1, sizeof *maker);
	avail_give(memory, terms, most, sizeof *terms);
	return full ? -ENOMEM : 0;
}
