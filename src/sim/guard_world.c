#include "sim/guard_world.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES = 1 << 16, INTERRUPTS = 256, VECTORS = 8, TABLES = 4096, SOURCE = 0x100 };

static void on_wake(void *owner)
{
	atomic_fetch_add(&((struct guard_world *)owner)->wakes, 1);
}

static void on_pause(void *owner)
{
	(void)owner;
	sched_yield();
}

static void on_fault(void *owner, struct guard_function *function, const struct guard_fault *fault,
		     uint64_t more)
{
	struct guard_world *world = owner;
	unsigned at = world->fault_count++ % GUARD_WORLD_FAULTS;

	world->faults[at] = *fault;
	world->whose[at] = function;
	world->more += more;
}

static void on_stranger(void *owner, const struct guard_fault *fault)
{
	(void)fault;
	((struct guard_world *)owner)->stranger_count++;
}

void guard_world_open(struct guard_world *world, unsigned readers)
{
	struct guard_conf conf = {
		.interrupts = INTERRUPTS, .readers = readers, .function_tables = TABLES,
		.wake = on_wake, .pause = on_pause, .fault = on_fault, .stranger = on_stranger,
		.owner = world,
	};

	memset(world, 0, sizeof *world);
	must(table_memory_create(&world->memory, PAGES) == 0);
	conf.pages = table_memory_pages(world->memory);
	conf.memory = table_memory_of_unit(world->memory);
	conf.interrupt_table = table_memory_take_block(world->memory, INTERRUPTS * 16 / 4096);
	world->room = aligned_alloc(64, guard_size(&conf));
	must(world->room && guard_init(&world->guard, world->room, &conf) == 0);
	world->before = table_memory_used(world->memory);
	for (unsigned i = 0; i < GUARD_WORLD_FUNCTIONS; i++) {
		must(guard_function_init(&world->functions[i], world->guard, VECTORS) == 0);
		must(guard_function_bind(&world->functions[i], (uint16_t)(SOURCE + i),
					 i % readers) == 0);
	}
}

void guard_world_close(struct guard_world *world)
{
	for (unsigned i = 0; i < GUARD_WORLD_FUNCTIONS; i++) {
		guard_function_unbind(&world->functions[i]);
		guard_function_fini(&world->functions[i]);
	}
	/* The context table of bus 1 has been added. */
	must(table_memory_used(world->memory) == world->before + 1);
	guard_fini(world->guard);
	must(table_memory_used(world->memory) == INTERRUPTS * 16 / 4096);
	free(world->room);
	table_memory_destroy(world->memory);
}
