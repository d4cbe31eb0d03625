/* avail/dd.h -- the nodes of decision diagrams: each stored once, found again by a table a level,
 * results of operations cached, what is no longer needed collected.  bdd.h and zdd.h say what nodes
 * mean.
 *
 * A reference is a node and one bit, in one word.  Node 0 is the only end: AVAIL_FALSE and
 * AVAIL_TRUE for functions, the empty family and the family of the empty set for families.
 *
 * Collection may happen in every avail_dd_make(): what must live is reachable from what was pushed.
 *
 * Threads: one.  Memory: from the struct avail_memory given to avail_dd_init. */
#ifndef AVAIL_DD_H
#define AVAIL_DD_H

#include "avail/solve.h"

#define AVAIL_DD_NONE UINT32_MAX /* not a reference: no room, or stopped */

enum {
	AVAIL_DD_LEVELS = 1 << 14, /* of one diagram: recursion is as deep as that */
	AVAIL_DD_PUSHES = 6,	   /* by one operation on one level, at most */
	AVAIL_DD_ASK = 1 << 13,	   /* steps after which go_on() is asked again */
	AVAIL_DD_END_LEVEL = INT32_MAX,
};

struct avail_dd_node {
	uint32_t level; /* the top bit is the collector's mark */
	uint32_t low, high;
	uint32_t next; /* in its bucket, or in the free list; 0: none */
};

struct avail_dd_level {
	uint32_t *buckets; /* of nodes; 0: none */
	uint32_t room;	   /* a power of two, or 0 */
	uint32_t count;	   /* nodes of this level, dead ones too */
};

struct avail_dd_entry {
	uint32_t a, b, c; /* a 0: empty */
	uint32_t result;
};

/* What is asked in the third word of a cache entry; ternary operations have a reference there. */
enum avail_dd_op {
	AVAIL_DD_AND = INT32_MIN, /* no reference: nodes are fewer than 2^30 */
	AVAIL_DD_XOR,
	AVAIL_DD_UNION,
	AVAIL_DD_WITHOUT,
	AVAIL_DD_DIFFERENCE,
	AVAIL_DD_PRIMES,
};

enum avail_dd_stop {
	AVAIL_DD_GOING,
	AVAIL_DD_NO_NODES,  /* the budget of nodes is used up, or the quota */
	AVAIL_DD_NO_MEMORY, /* the budget of memory, or the machine's */
	AVAIL_DD_TOLD,	    /* go_on() said no */
};

struct avail_dd {
	struct avail_memory *memory;
	struct avail_budget budget;
	enum avail_dd_stop stop;
	struct avail_dd_node *nodes;
	uint32_t room, used; /* nodes[0 .. used - 1] have been given out */
	uint32_t free, free_count;
	uint32_t live_peak;  /* the most that were given out and not collected */
	uint32_t collect_at; /* given out: when collecting is worth while again */
	struct avail_dd_level *levels;
	uint32_t level_count, level_room;
	struct avail_dd_entry *cache;
	uint32_t cache_room; /* a power of two */
	uint64_t cache_puts; /* since it grew */
	uint32_t *stack;     /* references that must live */
	uint32_t stack_count, stack_room;
	uint64_t quota; /* nodes that may still be made, dead ones not given back */
	uint32_t steps; /* that may be done until go_on() is asked again */
	uint32_t collections;
};

/* Makes a store without levels.  0, or -ENOMEM. */
int avail_dd_init(struct avail_dd *dd, struct avail_memory *memory,
		  const struct avail_budget *budget);
void avail_dd_fini(struct avail_dd *dd);

/* Adds 'count' levels below all others; *first is the topmost of them.  Nodes of one diagram belong
 * to levels of one call.  0, -ENOMEM, or -E2BIG: more than AVAIL_DD_LEVELS. */
int avail_dd_add_levels(struct avail_dd *dd, uint32_t count, uint32_t *first);

/* Forgets all nodes and levels and keeps the room. */
void avail_dd_clear(struct avail_dd *dd);

/* The node with these three, found or made; low and high are of deeper levels.  As a reference
 * without its bit; AVAIL_DD_NONE: see dd->stop. */
uint32_t avail_dd_make(struct avail_dd *dd, uint32_t level, uint32_t low, uint32_t high);

/* Collects what cannot be reached from the stack. */
void avail_dd_collect(struct avail_dd *dd);

/* Asks go_on() whatever the number of steps. */
bool avail_dd_ask(struct avail_dd *dd);

/* One step of an operation: whether to go on.  Asks go_on() now and then. */
static inline bool avail_dd_goes_on(struct avail_dd *dd)
{
	if (likely(dd->steps-- > 0))
		return dd->stop == AVAIL_DD_GOING;
	return avail_dd_ask(dd);
}

/* Nodes that are given out, dead ones too. */
static inline uint32_t avail_dd_count(const struct avail_dd *dd)
{
	return dd->used - dd->free_count;
}

/* Number of different nodes that 'count' references reach, the end not counted. */
uint32_t avail_dd_reach(struct avail_dd *dd, const uint32_t *refs, uint32_t count);

/* Makes room for 'count' pushes besides those of operations, which have theirs.  0, or -ENOMEM. */
int avail_dd_reserve(struct avail_dd *dd, uint32_t count);

/* 'ref' and what it reaches lives until it is popped.  Returns ref; AVAIL_DD_NONE too is pushed, so
 * that pushes and pops pair up. */
static inline uint32_t avail_dd_push(struct avail_dd *dd, uint32_t ref)
{
	must(dd->stack_count < dd->stack_room);
	dd->stack[dd->stack_count++] = ref;
	return ref;
}

static inline void avail_dd_pop(struct avail_dd *dd, uint32_t count)
{
	must(dd->stack_count >= count);
	dd->stack_count -= count;
}

static inline const struct avail_dd_node *avail_dd_node(const struct avail_dd *dd, uint32_t ref)
{
	return &dd->nodes[ref >> 1];
}

/* The end is deeper than every level. */
static inline uint32_t avail_dd_level_of(const struct avail_dd *dd, uint32_t ref)
{
	return dd->nodes[ref >> 1].level;
}

uint32_t avail_dd_hash(uint32_t a, uint32_t b, uint32_t c);

/* Cached result of an operation, or AVAIL_DD_NONE. */
uint32_t avail_dd_find(const struct avail_dd *dd, uint32_t a, uint32_t b, uint32_t c);
void avail_dd_remember(struct avail_dd *dd, uint32_t a, uint32_t b, uint32_t c, uint32_t result);

#endif
