#include "avail/build.h"

#include <errno.h>

/* How the part's function can change with each leaf, as far as its gates show. */
static void find_signs(struct avail_builder *b, uint32_t flip)
{
	static const uint8_t opposite[] = { 0, AVAIL_FALLS, AVAIL_RISES, AVAIL_BOTH };
	const struct avail_tree *tree = b->order.tree;
	uint32_t count = b->order.gate_count;

	for (uint32_t i = 0; i < count; i++)
		b->signs[b->order.gates[i]] = 0;
	for (uint32_t i = 0; i < b->order.leaf_count; i++)
		b->signs[b->order.leaves[i]] = 0;
	b->signs[b->order.gates[count - 1]] = flip ? AVAIL_FALLS : AVAIL_RISES;
	for (uint32_t i = count; i-- > 0;) {
		const struct avail_node *node = &tree->nodes[b->order.gates[i]];
		uint8_t sign =
			node->kind == AVAIL_XOR ? (uint8_t)AVAIL_BOTH : b->signs[b->order.gates[i]];

		for (uint32_t j = 0; j < node->count; j++) {
			uint32_t ref = tree->args[node->first + j], arg = avail_node_of(ref);
			uint32_t turned = (ref & 1) ^ (b->is_module[arg] ? b->flips[arg] : 0);

			b->signs[arg] |= turned ? opposite[sign] : sign;
		}
	}
}

int avail_reserve_steps(struct avail_solver *s, uint32_t more)
{
	uint64_t room = s->step_room ? s->step_room : 256;
	void *steps;

	while (room < (uint64_t)s->step_count + more)
		room *= 2;
	if (room == s->step_room)
		return 0;
	if (room > INT32_MAX)
		return -ENOMEM;
	steps = avail_resize(s->memory, s->steps, s->step_room, (size_t)room, sizeof *s->steps);
	if (!steps)
		return -ENOMEM;
	s->steps = steps;
	s->step_room = (uint32_t)room;
	return 0;
}

/* The step of a node of the diagram, after those that it leads to. */
static uint32_t finish_node(struct avail_builder *b, uint32_t node, const uint32_t *inputs,
			    uint32_t level)
{
	const struct avail_dd_node *n = &b->dd.nodes[node];
	struct avail_solver *s = b->solver;
	uint32_t low, high;

	if (b->images[node])
		return b->images[node];
	low = n->low >> 1 ? finish_node(b, n->low >> 1, inputs, level) : 0;
	high = n->high >> 1 ? finish_node(b, n->high >> 1, inputs, level) : 0;
	s->steps[s->step_count] = (struct avail_step){ .input = inputs[n->level - level],
						       .low = low << 1,
						       .high = high << 1 | (n->high & 1) };
	return b->images[node] = s->step_count++;
}

/* Forgets images, so that the next part finds none. */
static void forget_images(struct avail_builder *b, uint32_t node)
{
	while (b->images[node]) {
		b->images[node] = 0;
		forget_images(b, b->dd.nodes[node].low >> 1);
		node = b->dd.nodes[node].high >> 1;
	}
}

static int reserve_images(struct avail_builder *b)
{
	void *images;

	if (b->dd.used <= b->image_room)
		return 0;
	images = avail_resize(b->solver->memory, b->images, b->image_room, b->dd.room,
			      sizeof *b->images);
	if (!images)
		return -ENOMEM;
	b->images = images;
	b->image_room = b->dd.room;
	return 0;
}

static int finish_steps(struct avail_builder *b, struct avail_part *part,
			const struct avail_race *race)
{
	struct avail_solver *s = b->solver;
	int err = avail_reserve_steps(s, avail_dd_reach(&b->dd, &race->root, 1));

	if (!err)
		err = reserve_images(b);
	if (err)
		return err;
	part->first = s->step_count;
	part->root =
		finish_node(b, race->root >> 1, s->inputs + part->first_input, race->first_level)
		<< 1;
	part->count = s->step_count - part->first;
	forget_images(b, race->root >> 1);
	return 0;
}

static void note_inputs(struct avail_builder *b, struct avail_part *part)
{
	struct avail_solver *s = b->solver;

	part->first_input = s->input_count;
	part->input_count = b->order.leaf_count;
	for (uint32_t i = 0; i < b->order.leaf_count; i++) {
		uint32_t leaf = b->order.leaves[i], input = b->inputs[leaf];

		s->inputs[s->input_count++] = input;
		s->rank[input] = i;
		s->direction[input] = b->signs[leaf];
	}
}

static int build_part(struct avail_builder *b, uint32_t gate)
{
	struct avail_solver *s = b->solver;
	struct avail_part *part = &s->parts[s->part_count];
	struct avail_race race;
	int err = 0;

	avail_race(b, gate, &race);
	*part = (struct avail_part){ .gate = gate,
				     .exact = race.root != AVAIL_DD_NONE,
				     .ordering = avail_walk_name(race.walk) };
	b->constant[gate] = race.root >> 1 ? AVAIL_DD_NONE : race.root;
	b->flips[gate] = part->flip = part->exact ? race.root & 1 : 0;
	b->inputs[gate] = s->event_count + s->part_count++;
	find_signs(b, b->flips[gate]);
	note_inputs(b, part);
	if (part->exact && race.root >> 1)
		err = finish_steps(b, part, &race);
	if (!err && part->exact)
		err = avail_note_directions(s, part);
	if (part->exact)
		avail_dd_pop(&b->dd, 1);
	if (!part->exact || b->dd.level_count > AVAIL_DD_LEVELS)
		avail_dd_clear(&b->dd);
	return err;
}

int avail_build(struct avail_solver *solver, const struct avail_budget *budget)
{
	const struct avail_tree *tree = &solver->tree;
	struct avail_builder b;
	int err = avail_builder_init(&b, solver, budget);

	for (uint32_t i = 1; !err && i <= avail_node_of(solver->top); i++) {
		if (tree->nodes[i].event != AVAIL_NO_EVENT)
			b.inputs[i] = tree->nodes[i].event;
		else if (b.is_module[i])
			err = build_part(&b, i);
	}
	solver->nodes_peak = b.dd.live_peak;
	avail_builder_fini(&b);
	return err;
}
