/* sim/guard_world.h -- a remapping unit with its guard and some functions, for tests, measurements and fuzzers.
 *
 * Threads: as iommu/guard.h.  Memory: allocated. */
#ifndef SIM_GUARD_WORLD_H
#define SIM_GUARD_WORLD_H

#include "iommu/guard.h"
#include "os/table_memory.h"

enum { GUARD_WORLD_FUNCTIONS = 4, GUARD_WORLD_FAULTS = 256 };

struct guard_world {
	struct table_memory *memory;
	void *room;
	struct guard *guard;
	struct guard_function functions[GUARD_WORLD_FUNCTIONS];
	uint64_t before;         /* pages in use without any function */
	/* What was reported. */
	struct guard_fault faults[GUARD_WORLD_FAULTS];
	struct guard_function *whose[GUARD_WORLD_FAULTS];
	unsigned fault_count, stranger_count;
	uint64_t more;
	_Atomic unsigned wakes;
};

/* A unit with 'readers' readers; functions 0..GUARD_WORLD_FUNCTIONS-1 with eight interrupts each, of which the
 * n-th is bound to requester ID 100h + n and reader n modulo readers. */
void guard_world_open(struct guard_world *world, unsigned readers);
/* Checks that every page came back. */
void guard_world_close(struct guard_world *world);

#endif
