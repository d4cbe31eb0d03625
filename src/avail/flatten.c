#include "avail/flatten.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One flattening in progress.  The arrays have one entry a gate or event of the model. */
struct flatten {
	struct avail_flat *flat;
	const struct avail_model *model;
	struct avail_memory *memory;
	uint32_t *pool; /* what most of these arrays are cut from */
	size_t pool_room, pool_used;
	/* the walk over gates */
	uint32_t *gate_seen;
	uint32_t *way, *place, depth;
	uint32_t *gates, gate_count; /* needed ones, arguments before those who have them */
	uint32_t *event_seen;
	uint32_t *events, event_count; /* needed ones, in the order in which they are reached */
	/* leaves */
	uint32_t *ccf_of;  /* the common-cause group of each event; AVAIL_NONE: none */
	uint32_t *leaf_of; /* of each event that is a leaf */
	uint32_t *group_first, *group_size; /* leaves of each group; AVAIL_NONE: not expanded yet */
	/* scratch: arguments of a gate of the tree */
	uint32_t *refs, ref_room;
};

/* Makes *array, whatever its type, hold 'count' things; -ENOMEM. */
static int make_room(struct avail_memory *memory, void *array, uint32_t *room, uint64_t count,
		     size_t size)
{
	uint64_t next = *room ? *room : 64;
	void *now;

	if (count <= *room)
		return 0;
	while (next < count)
		next *= 2;
	memcpy(&now, array, sizeof now);
	now = next < AVAIL_NONE ? avail_resize(memory, now, *room, (size_t)next, size) : NULL;
	if (!now)
		return -ENOMEM;
	memcpy(array, &now, sizeof now);
	*room = (uint32_t)next;
	return 0;
}

/* --- what the tops need --- */

static void reach(struct flatten *work, const struct avail_term *term)
{
	if (term->kind == AVAIL_TERM_EVENT && !work->event_seen[term->index]) {
		work->event_seen[term->index] = 1;
		work->events[work->event_count++] = term->index;
	} else if (term->kind == AVAIL_TERM_GATE && !work->gate_seen[term->index]) {
		work->gate_seen[term->index] = 1;
		work->place[work->depth] = 0;
		work->way[work->depth++] = term->index;
	}
}

/* Depth first; the model has no cycles, so a gate is on the way at most once. */
static void reach_all(struct flatten *work, const struct avail_term *top)
{
	reach(work, top);
	while (work->depth > 0) {
		uint32_t gate = work->way[work->depth - 1];
		const struct avail_gate *formula = &work->model->gates[gate];
		uint32_t place = work->place[work->depth - 1]++;

		if (place < formula->count) {
			reach(work, &work->model->terms[formula->first + place]);
		} else {
			work->gates[work->gate_count++] = gate;
			work->depth--;
		}
	}
}

/* --- leaves --- */

static struct avail_leaf *add_leaf(struct flatten *work)
{
	struct avail_flat *flat = work->flat;
	struct avail_leaf *leaf;

	if (make_room(work->memory, &flat->leaves, &flat->leaf_room, (uint64_t)flat->leaf_count + 1,
		      sizeof *flat->leaves) != 0)
		return NULL;
	leaf = &flat->leaves[flat->leaf_count++];
	*leaf = (struct avail_leaf){ .event = AVAIL_NONE,
				     .ccf = AVAIL_NONE,
				     .fru = AVAIL_NONE,
				     .first = flat->member_count };
	return leaf;
}

static int add_member(struct flatten *work, struct avail_leaf *leaf, uint32_t event)
{
	struct avail_flat *flat = work->flat;
	int err = make_room(work->memory, &flat->members, &flat->member_room,
			    (uint64_t)flat->member_count + 1, sizeof *flat->members);

	if (err)
		return err;
	flat->members[flat->member_count++] = event;
	leaf->fru = leaf->count++ == 0 ? work->model->events[event].fru : AVAIL_NONE;
	return 0;
}

static const char *name_of(const struct avail_model *model, uint32_t event)
{
	return model->events[event].name ? model->events[event].name : "";
}

/* Appends to the names; they may still move, so leaves get theirs at the end. */
static int put_text(struct flatten *work, const char *text, size_t size)
{
	struct avail_flat *flat = work->flat;
	size_t room = flat->text_room ? flat->text_room : 256;
	char *now;

	while (room < flat->text_size + size)
		room *= 2;
	if (room > flat->text_room) {
		now = avail_resize(work->memory, flat->texts, flat->text_room, room, 1);
		if (!now)
			return -ENOMEM;
		flat->texts = now;
		flat->text_room = room;
	}
	memcpy(flat->texts + flat->text_size, text, size);
	flat->text_size += size;
	return 0;
}

/* A leaf for the members at 'places' of the group: "[pump1 pump3]". */
static int add_combination(struct flatten *work, uint32_t ccf, const uint32_t *places,
			   uint32_t level)
{
	const struct avail_ccf *group = &work->model->ccfs[ccf];
	struct avail_leaf *leaf = add_leaf(work);
	int err = leaf ? put_text(work, "[", 1) : -ENOMEM;

	for (uint32_t i = 0; i < level && !err; i++) {
		uint32_t event = work->model->indexes[group->first + places[i]];
		const char *name = name_of(work->model, event);

		err = add_member(work, leaf, event);
		if (!err && i > 0)
			err = put_text(work, " ", 1);
		if (!err)
			err = put_text(work, name, strlen(name));
	}
	if (err)
		return err;
	leaf->ccf = ccf;
	leaf->level = level;
	return put_text(work, "]", 2);
}

/* Advances 'places' to the next 'level' of 'count' things in order; false after the last. */
static bool next_combination(uint32_t *places, uint32_t level, uint32_t count)
{
	uint32_t i = level;

	while (i > 0 && places[i - 1] == count - level + i - 1)
		i--;
	if (i == 0)
		return false;
	places[i - 1]++;
	for (; i < level; i++)
		places[i] = places[i - 1] + 1;
	return true;
}

static int expand_level(struct flatten *work, uint32_t ccf, uint32_t level, uint32_t *places)
{
	int err;

	for (uint32_t i = 0; i < level; i++)
		places[i] = i;
	do
		err = add_combination(work, ccf, places, level);
	while (!err && next_combination(places, level, work->model->ccfs[ccf].count));
	return err;
}

static int expand_group(struct flatten *work, uint32_t ccf)
{
	const struct avail_ccf *group = &work->model->ccfs[ccf];
	uint32_t *places = avail_take(work->memory, group->count, sizeof *places);
	int err = places ? 0 : -ENOMEM;

	work->group_first[ccf] = work->flat->leaf_count;
	for (uint32_t level = 1; level <= group->count && !err; level++)
		if (avail_ccf_has_level(group, level))
			err = expand_level(work, ccf, level, places);
	work->group_size[ccf] = work->flat->leaf_count - work->group_first[ccf];
	avail_give(work->memory, places, group->count, sizeof *places);
	return err;
}

static int add_event_leaf(struct flatten *work, uint32_t event)
{
	struct avail_leaf *leaf = add_leaf(work);

	if (!leaf)
		return -ENOMEM;
	leaf->event = event;
	work->leaf_of[event] = work->flat->leaf_count - 1;
	return add_member(work, leaf, event);
}

static int add_leaves(struct flatten *work)
{
	int err = 0;

	for (uint32_t i = 0; i < work->event_count && !err; i++) {
		uint32_t event = work->events[i], ccf = work->ccf_of[event];

		if (work->model->events[event].law == AVAIL_LAW_HOUSE)
			continue;
		if (ccf == AVAIL_NONE)
			err = add_event_leaf(work, event);
		else if (work->group_first[ccf] == AVAIL_NONE)
			err = expand_group(work, ccf);
	}
	return err;
}

static void name_leaves(struct avail_flat *flat)
{
	const char *text = flat->texts;

	for (uint32_t i = 0; i < flat->leaf_count; i++) {
		struct avail_leaf *leaf = &flat->leaves[i];

		if (leaf->event != AVAIL_NONE) {
			leaf->name = name_of(flat->model, leaf->event);
		} else {
			leaf->name = text;
			text += strlen(text) + 1;
		}
	}
}

/* --- the tree --- */

static int add_ref(struct flatten *work, uint32_t count, uint32_t ref)
{
	if (ref == AVAIL_NO_REF || make_room(work->memory, &work->refs, &work->ref_room,
					     (uint64_t)count + 1, sizeof *work->refs) != 0)
		return -ENOMEM;
	work->refs[count] = ref;
	return 0;
}

static bool leaf_has(const struct avail_flat *flat, const struct avail_leaf *leaf, uint32_t event)
{
	for (uint32_t i = 0; i < leaf->count; i++)
		if (flat->members[leaf->first + i] == event)
			return true;
	return false;
}

/* A member of a group fails with each combination that it is in. */
static uint32_t member_ref(struct flatten *work, uint32_t event)
{
	struct avail_flat *flat = work->flat;
	uint32_t ccf = work->ccf_of[event], count = 0;

	for (uint32_t i = 0; i < work->group_size[ccf]; i++) {
		uint32_t leaf = work->group_first[ccf] + i;

		if (!leaf_has(flat, &flat->leaves[leaf], event))
			continue;
		if (add_ref(work, count++, avail_tree_event(&flat->tree, leaf)) != 0)
			return AVAIL_NO_REF;
	}
	return avail_tree_gate(&flat->tree, AVAIL_OR, 0, 0, work->refs, count);
}

static uint32_t event_ref(struct flatten *work, uint32_t event)
{
	const struct avail_event *house = &work->model->events[event];

	if (house->law == AVAIL_LAW_HOUSE)
		return house->house ? AVAIL_TRUE : AVAIL_FALSE;
	if (work->ccf_of[event] != AVAIL_NONE)
		return member_ref(work, event);
	return avail_tree_event(&work->flat->tree, work->leaf_of[event]);
}

static uint32_t term_ref(const struct avail_flat *flat, const struct avail_term *term)
{
	uint32_t ref = term->index; /* of CONSTANT: 0 or 1, as in the tree */

	if (term->kind == AVAIL_TERM_EVENT)
		ref = flat->event_refs[term->index];
	else if (term->kind == AVAIL_TERM_GATE)
		ref = flat->gate_refs[term->index];
	must(ref != AVAIL_NO_REF);
	return term->negated ? avail_not(ref) : ref;
}

static uint32_t negated(uint32_t ref)
{
	return ref == AVAIL_NO_REF ? ref : avail_not(ref);
}

/* The formula over 'refs', which are its arguments. */
static uint32_t formula_ref(struct avail_tree *tree, const struct avail_gate *gate, uint32_t *refs)
{
	uint32_t count = gate->count;

	switch (gate->kind) {
	case AVAIL_FORMULA_AND:
		return avail_tree_gate(tree, AVAIL_AND, 0, 0, refs, count);
	case AVAIL_FORMULA_OR:
		return avail_tree_gate(tree, AVAIL_OR, 0, 0, refs, count);
	case AVAIL_FORMULA_NOT:
		return avail_not(refs[0]);
	case AVAIL_FORMULA_PASS:
		return refs[0];
	case AVAIL_FORMULA_XOR:
		return avail_tree_gate(tree, AVAIL_XOR, 0, 0, refs, count);
	case AVAIL_FORMULA_IFF:
		return negated(avail_tree_gate(tree, AVAIL_XOR, 0, 0, refs, count));
	case AVAIL_FORMULA_NAND:
		return negated(avail_tree_gate(tree, AVAIL_AND, 0, 0, refs, count));
	case AVAIL_FORMULA_NOR:
		return negated(avail_tree_gate(tree, AVAIL_OR, 0, 0, refs, count));
	case AVAIL_FORMULA_IMPLY:
		refs[0] = avail_not(refs[0]);
		return avail_tree_gate(tree, AVAIL_OR, 0, 0, refs, count);
	case AVAIL_FORMULA_AT_LEAST:
		return avail_tree_gate(tree, AVAIL_AT_LEAST, gate->low, 0, refs, count);
	case AVAIL_FORMULA_CARDINALITY:
		return avail_tree_gate(tree, AVAIL_CARDINALITY, gate->low, gate->high, refs, count);
	case AVAIL_FORMULA_UNDEFINED:
		break;
	}
	must(false);
	return AVAIL_NO_REF;
}

static int add_gate(struct flatten *work, uint32_t gate)
{
	const struct avail_gate *formula = &work->model->gates[gate];
	struct avail_flat *flat = work->flat;
	int err = 0;

	for (uint32_t i = 0; i < formula->count && !err; i++)
		err = add_ref(work, i, term_ref(flat, &work->model->terms[formula->first + i]));
	if (err)
		return err;
	flat->gate_refs[gate] = formula_ref(&flat->tree, formula, work->refs);
	return flat->gate_refs[gate] == AVAIL_NO_REF ? -ENOMEM : 0;
}

static int build_tree(struct flatten *work)
{
	struct avail_flat *flat = work->flat;
	int err = avail_tree_init(&flat->tree, work->memory, flat->leaf_count);

	for (uint32_t i = 0; i < work->event_count && !err; i++) {
		uint32_t event = work->events[i];

		flat->event_refs[event] = event_ref(work, event);
		err = flat->event_refs[event] == AVAIL_NO_REF ? -ENOMEM : 0;
	}
	for (uint32_t i = 0; i < work->gate_count && !err; i++)
		err = add_gate(work, work->gates[i]);
	return err;
}

/* --- all of it --- */

static void fill(uint32_t *array, uint32_t count, uint32_t value)
{
	for (uint32_t i = 0; i < count; i++)
		array[i] = value;
}

/* The next 'count' words of the pool. */
static uint32_t *cut(struct flatten *work, uint32_t count)
{
	uint32_t *array = work->pool + work->pool_used;

	work->pool_used += count;
	return array;
}

static void cut_pool(struct flatten *work)
{
	const struct avail_model *model = work->model;

	work->gate_seen = cut(work, model->gate_count);
	work->way = cut(work, model->gate_count);
	work->place = cut(work, model->gate_count);
	work->gates = cut(work, model->gate_count);
	work->event_seen = cut(work, model->event_count);
	work->events = cut(work, model->event_count);
	work->ccf_of = cut(work, model->event_count);
	work->leaf_of = cut(work, model->event_count);
	work->group_first = cut(work, model->ccf_count);
	work->group_size = cut(work, model->ccf_count);
	must(work->pool_used <= work->pool_room);
}

static int take_arrays(struct flatten *work)
{
	const struct avail_model *model = work->model;
	struct avail_flat *flat = work->flat;

	work->pool_room = (size_t)4 * model->gate_count + (size_t)4 * model->event_count +
			  (size_t)2 * model->ccf_count + 1;
	work->pool = avail_take(work->memory, work->pool_room, sizeof *work->pool);
	flat->gate_refs =
		avail_take(work->memory, (size_t)model->gate_count + 1, sizeof *flat->gate_refs);
	flat->event_refs =
		avail_take(work->memory, (size_t)model->event_count + 1, sizeof *flat->event_refs);
	if (!work->pool || !flat->gate_refs || !flat->event_refs)
		return -ENOMEM;
	cut_pool(work);
	fill(flat->gate_refs, model->gate_count, AVAIL_NO_REF);
	fill(flat->event_refs, model->event_count, AVAIL_NO_REF);
	fill(work->ccf_of, model->event_count, AVAIL_NONE);
	fill(work->group_first, model->ccf_count, AVAIL_NONE);
	for (uint32_t ccf = 0; ccf < model->ccf_count; ccf++)
		for (uint32_t i = 0; i < model->ccfs[ccf].count; i++)
			work->ccf_of[model->indexes[model->ccfs[ccf].first + i]] = ccf;
	return 0;
}

static void give_arrays(struct flatten *work)
{
	avail_give(work->memory, work->pool, work->pool_room, sizeof *work->pool);
	avail_give(work->memory, work->refs, work->ref_room, sizeof *work->refs);
}

int avail_flatten(struct avail_flat *flat, const struct avail_model *model,
		  const struct avail_term *tops, uint32_t count, uint32_t *refs)
{
	struct flatten work = { .flat = flat, .model = model, .memory = model->memory };
	int err;

	*flat = (struct avail_flat){ .model = model, .tree = { .memory = model->memory } };
	err = take_arrays(&work);
	for (uint32_t i = 0; i < count && !err; i++)
		reach_all(&work, &tops[i]);
	if (!err)
		err = add_leaves(&work);
	if (!err) {
		name_leaves(flat);
		err = build_tree(&work);
	}
	for (uint32_t i = 0; i < count && !err; i++)
		refs[i] = term_ref(flat, &tops[i]);
	give_arrays(&work);
	if (err)
		avail_flat_fini(flat);
	return err;
}

void avail_flat_fini(struct avail_flat *flat)
{
	struct avail_memory *memory = flat->model->memory;

	avail_tree_fini(&flat->tree);
	avail_give(memory, flat->leaves, flat->leaf_room, sizeof *flat->leaves);
	avail_give(memory, flat->members, flat->member_room, sizeof *flat->members);
	avail_give(memory, flat->texts, flat->text_room, 1);
	avail_give(memory, flat->gate_refs, (size_t)flat->model->gate_count + 1,
		   sizeof *flat->gate_refs);
	avail_give(memory, flat->event_refs, (size_t)flat->model->event_count + 1,
		   sizeof *flat->event_refs);
	*flat = (struct avail_flat){ .model = flat->model, .tree = { .memory = memory } };
}
