/* avail/tree.h -- a Boolean function of basic events as a graph of gates: what the exact engine is
 * given.  A value of true means failed.
 *
 * What it is not: it knows no names, probabilities or rates (avail/model.h has those).  Gates are built
 * bottom up, so a cycle cannot be said; the reader of a model finds and names cycles.
 *
 * A function is meant by a reference: a node and whether it is negated, in one word.
 *
 * Threads: one.  Memory: taken from the struct avail_memory given to avail_tree_init. */
#ifndef AVAIL_TREE_H
#define AVAIL_TREE_H

#include "avail/memory.h"

enum avail_gate_kind {
	AVAIL_AND,
	AVAIL_OR,
	AVAIL_AT_LEAST,    /* at least 'low' of the arguments */
	AVAIL_CARDINALITY, /* at least 'low' and at most 'high' of them */
	AVAIL_XOR,         /* an odd number of them */
};

/* References: node << 1 | negated.  Node 0 is the constant false. */
enum { AVAIL_FALSE = 0, AVAIL_TRUE = 1 };
#define AVAIL_NO_REF UINT32_MAX /* no room, or the wrong argument */

static inline uint32_t avail_not(uint32_t ref)
{
	return ref ^ 1;
}

static inline uint32_t avail_node_of(uint32_t ref)
{
	return ref >> 1;
}

/* What a node is: the constant, an event, or a gate with its arguments. */
struct avail_node {
	uint32_t event;          /* index of the basic event; AVAIL_NO_EVENT: a gate or the constant */
	enum avail_gate_kind kind;
	uint32_t low, high;      /* AT_LEAST: low; CARDINALITY: both */
	uint32_t first, count;   /* arguments: tree->args[first .. first + count - 1] */
};
#define AVAIL_NO_EVENT UINT32_MAX

struct avail_tree {
	struct avail_memory *memory;
	struct avail_node *nodes; /* arguments of a gate have lower indexes than the gate */
	uint32_t node_count, node_room;
	uint32_t *args;           /* references */
	uint32_t arg_count, arg_room;
	uint32_t *event_node;     /* event index -> node, 0: not mentioned yet */
	uint32_t event_count;     /* events that may be mentioned: 0 .. event_count - 1 */
};

/* Makes an empty tree over 'event_count' events.  0, or -ENOMEM. */
int avail_tree_init(struct avail_tree *tree, struct avail_memory *memory, uint32_t event_count);
void avail_tree_fini(struct avail_tree *tree);

/* The function that is true when basic event 'event' (< event_count) is; AVAIL_NO_REF: no room. */
uint32_t avail_tree_event(struct avail_tree *tree, uint32_t event);

/* A gate over 'count' functions of this tree, which are copied.  No argument: AND is true, OR and XOR
 * are false.  AT_LEAST takes 'low', CARDINALITY 'low' and 'high'; both may exceed 'count'.
 * AVAIL_NO_REF: no room.  NAND, NOR, equivalence and implication are made with avail_not(). */
uint32_t avail_tree_gate(struct avail_tree *tree, enum avail_gate_kind kind, uint32_t low,
			 uint32_t high, const uint32_t *args, uint32_t count);

/* The value of 'ref' when event i is failed iff failed[i]; the slow and plain meaning of a tree.
 * values: scratch, one byte a node. */
bool avail_tree_value(const struct avail_tree *tree, uint32_t ref, const uint8_t *failed,
		      uint8_t *values);

#endif
