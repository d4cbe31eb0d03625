#include "avail/family.h"
#include "avail/primes.h"

#include <errno.h>

/* Building the families of all modules that the whole needs, from the whole down. */
struct gathering {
	struct avail_sets *sets;
	struct avail_dd dd;
	uint32_t *images; /* one a node of dd: its branch; 0: none yet */
};

static int reserve_branches(struct avail_sets *sets, uint32_t more)
{
	uint64_t room = sets->branch_room ? sets->branch_room : 256;
	void *branches;

	while (room < (uint64_t)sets->branch_count + more)
		room *= 2;
	if (room == sets->branch_room)
		return 0;
	if (room > INT32_MAX)
		return -ENOMEM;
	branches = avail_resize(sets->memory, sets->branches, sets->branch_room, (size_t)room,
				sizeof *sets->branches);
	if (!branches)
		return -ENOMEM;
	sets->branches = branches;
	sets->branch_room = (uint32_t)room;
	return 0;
}

/* What a level of a part's family is a literal of.  Cut sets have a level an input; prime
 * implicants two. */
static uint32_t literal_of(const struct avail_sets *sets, const struct avail_part *part,
			   uint32_t level)
{
	if (sets->kind == AVAIL_CUT_SETS)
		return sets->solver->inputs[part->first_input + level] << 1;
	return sets->solver->inputs[part->first_input + level / 2] << 1 | (level & 1);
}

/* The branch of a node, after those that it leads to; a module's literal makes its family needed.
 */
static uint32_t finish_node(struct gathering *g, const struct avail_part *part, uint32_t ref,
			    uint32_t first_level)
{
	const struct avail_dd_node *node = avail_dd_node(&g->dd, ref);
	struct avail_sets *sets = g->sets;
	struct avail_branch branch;

	if (ref <= AVAIL_TRUE)
		return ref;
	if (g->images[ref >> 1])
		return g->images[ref >> 1];
	branch.low = finish_node(g, part, node->low, first_level);
	branch.high = finish_node(g, part, node->high, first_level);
	branch.literal = literal_of(sets, part, node->level - first_level);
	if (avail_family_of(sets, branch.literal))
		sets->families[branch.literal - 2 * sets->solver->event_count].needed = true;
	sets->branches[sets->branch_count] = branch;
	return g->images[ref >> 1] = sets->branch_count++;
}

static int finish_family(struct gathering *g, struct avail_family *family,
			 const struct avail_part *part, uint32_t ref, uint32_t first_level)
{
	uint32_t used = g->dd.used;
	int err = reserve_branches(g->sets, avail_dd_reach(&g->dd, &ref, 1));

	if (err)
		return err;
	g->images = avail_take(g->sets->memory, used, sizeof *g->images);
	if (!g->images)
		return -ENOMEM;
	family->first = g->sets->branch_count;
	family->root = finish_node(g, part, ref, first_level);
	family->count = g->sets->branch_count - family->first;
	avail_give(g->sets->memory, g->images, used, sizeof *g->images);
	return 0;
}

/* Why a diagram was not finished. */
static int stopped(const struct avail_dd *dd)
{
	return dd->stop == AVAIL_DD_NO_NODES || dd->stop == AVAIL_DD_TOLD ? -EDQUOT : -ENOMEM;
}

static int gather_family(struct gathering *g, uint32_t part_index, uint32_t negated)
{
	struct avail_sets *sets = g->sets;
	const struct avail_part *part = &sets->solver->parts[part_index];
	struct avail_family *family = &sets->families[2 * part_index + negated];
	uint32_t levels = part->input_count * (sets->kind == AVAIL_CUT_SETS ? 1 : 2), first, ref;
	int err = avail_dd_add_levels(&g->dd, levels, &first);

	if (err)
		return -ENOMEM;
	if (sets->kind == AVAIL_CUT_SETS)
		ref = negated ? avail_dd_push(&g->dd, AVAIL_TRUE)
			      : avail_cuts_build(&g->dd, sets->solver, part, first);
	else
		ref = avail_primes_build(&g->dd, sets->solver, part, negated, first);
	if (ref == AVAIL_DD_NONE)
		return stopped(&g->dd);
	err = finish_family(g, family, part, ref, first);
	avail_dd_pop(&g->dd, 1);
	if (g->dd.level_count > AVAIL_DD_LEVELS || avail_dd_count(&g->dd) > 1 << 16)
		avail_dd_clear(&g->dd);
	return err;
}

static int gather(struct avail_sets *sets, const struct avail_budget *budget)
{
	const struct avail_solver *s = sets->solver;
	struct gathering g = { .sets = sets };
	int err;

	if (s->root >> 1 == 0) {
		sets->root = s->root;
		return 0;
	}
	err = avail_dd_init(&g.dd, sets->memory, budget);
	sets->families[2 * (s->part_count - 1) + (s->root & 1)].needed = true;
	for (uint32_t i = 2 * s->part_count; !err && i-- > 0;)
		if (sets->families[i].needed)
			err = gather_family(&g, i / 2, i & 1);
	sets->root = sets->families[2 * (s->part_count - 1) + (s->root & 1)].root;
	sets->nodes_peak = g.dd.live_peak;
	if (g.dd.memory)
		avail_dd_fini(&g.dd);
	return err;
}

int avail_sets_open(struct avail_sets **result, struct avail_solver *solver,
		    enum avail_sets_kind kind, const struct avail_budget *budget)
{
	struct avail_sets *sets;
	int err;

	if (!solver->exact)
		return -EDQUOT;
	sets = avail_take(solver->memory, 1, sizeof *sets);
	if (!sets)
		return -ENOMEM;
	*sets = (struct avail_sets){ .memory = solver->memory,
				     .solver = solver,
				     .kind = kind,
				     .budget = budget ? *budget : (struct avail_budget){ 0 },
				     .branch_count = AVAIL_FIRST_BRANCH };
	sets->families =
		avail_take(solver->memory, 2 * solver->part_count + 1, sizeof *sets->families);
	err = sets->families ? reserve_branches(sets, 0) : -ENOMEM;
	if (!err)
		err = gather(sets, budget);
	if (!err)
		err = avail_sets_find_orders(sets);
	if (err) {
		avail_sets_close(sets);
		return err;
	}
	*result = sets;
	return 0;
}

void avail_sets_close(struct avail_sets *sets)
{
	struct avail_memory *memory;

	if (!sets)
		return;
	memory = sets->memory;
	avail_give(memory, sets->branches, sets->branch_room, sizeof *sets->branches);
	avail_give(memory, sets->families, 2 * (size_t)sets->solver->part_count + 1,
		   sizeof *sets->families);
	avail_give(memory, sets->orders, sets->branch_count, sizeof *sets->orders);
	avail_give(memory, sets, 1, sizeof *sets);
}
