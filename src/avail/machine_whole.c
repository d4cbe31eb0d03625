/* States of a machine in which nothing is failed, and no group switches or waits. */
#include "avail/machine.h"

#include <errno.h>

struct whole {
	struct avail_machine *machine;
	avail_machine_next_fn *each;
	void *context;
	uint8_t *state, *sorted;
	uint32_t found, most;
};

static int tell(struct whole *whole)
{
	static const struct avail_source none;

	if (whole->found++ == whole->most)
		return -E2BIG;
	memcpy(whole->sorted, whole->state, whole->machine->width);
	avail_machine_sort(whole->machine, whole->sorted);
	return whole->each(whole->context, none, 0, whole->sorted);
}

/* The next choice of as many active members, in order; false after the last. */
static bool next_choice(uint8_t *active, uint32_t count)
{
	uint32_t ones = 0, i = count;

	/* The last 1 that has a 0 behind it moves there, and those behind it follow at once. */
	while (i > 0 && active[i - 1]) {
		ones++;
		i--;
	}
	while (i > 0 && !active[i - 1])
		i--;
	if (i == 0)
		return false;
	active[i - 1] = 0;
	for (uint32_t k = i; k < count; k++)
		active[k] = k - i < ones + 1;
	return true;
}

/* Everything from group g on; groups are as many as one nests, so few. */
static int choose(struct whole *whole, uint32_t g)
{
	struct avail_machine *machine = whole->machine;
	const struct avail_machine_group *group = &machine->groups[g];
	uint8_t *active;
	int err = 0;

	if (g == machine->group_count)
		return tell(whole);
	active = group->roles_at == AVAIL_NONE ? NULL : whole->state + group->roles_at;
	for (uint32_t m = 0; active && m < group->count; m++)
		active[m] = m < group->standby->needed;
	do
		err = choose(whole, g + 1);
	while (!err && active && next_choice(active, group->count));
	return err;
}

int avail_machine_whole(struct avail_machine *machine, uint32_t most, avail_machine_next_fn *each,
			void *context)
{
	struct whole whole = { .machine = machine, .each = each, .context = context, .most = most };
	int err = -ENOMEM;

	whole.state = avail_take(machine->memory, machine->width, 1);
	whole.sorted = avail_take(machine->memory, machine->width, 1);
	if (whole.state && whole.sorted) {
		for (uint32_t u = 0; u < machine->unit_count; u++)
			whole.state[u] = machine->units[u].fate == AVAIL_STAYS_DOWN;
		/* Deeper than any sensible model, and no reason to fill the stack. */
		err = machine->group_count > most ? -E2BIG : choose(&whole, 0);
	}
	avail_give(machine->memory, whole.state, machine->width, 1);
	avail_give(machine->memory, whole.sorted, machine->width, 1);
	return err;
}
