#include "avail/shrink.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Errors are told apart in steps of an eighth of a doubling. */
enum { STEPS = 8, OCTAVES = 1100, BUCKETS = STEPS * OCTAVES };

/* A node of the function; references are places shifted by one and the bit, place 0 is the end. */
struct avail_shrunk {
	uint32_t node, low, high;
	uint8_t needed;	   /* bits 1 << side: which images are */
	uint8_t replaced;  /* which of them are what the edges have in common, or either has */
	uint32_t image[2]; /* one a side */
	double chance;
	double reach[2]; /* of being arrived at as it is, and negated */
};

void avail_shrink_init(struct avail_shrink *s, struct avail_dd *dd)
{
	*s = (struct avail_shrink){ .dd = dd };
}

void avail_shrink_fini(struct avail_shrink *s)
{
	struct avail_memory *memory = s->dd->memory;

	avail_give(memory, s->nodes, s->node_room, sizeof *s->nodes);
	avail_give(memory, s->places, s->place_room, sizeof *s->places);
	s->nodes = NULL;
	s->places = NULL;
	s->node_room = s->place_room = 0;
}

static bool reserve(struct avail_shrink *s, uint32_t nodes)
{
	struct avail_memory *memory = s->dd->memory;
	void *more;

	if (nodes > s->node_room) {
		more = avail_resize(memory, s->nodes, s->node_room, 2 * (size_t)nodes,
				    sizeof *s->nodes);
		if (!more)
			return false;
		s->nodes = more;
		s->node_room = 2 * nodes;
	}
	if (s->dd->used <= s->place_room)
		return true;
	more = avail_resize(memory, s->places, s->place_room, s->dd->room, sizeof *s->places);
	if (!more)
		return false;
	s->places = more;
	s->place_room = s->dd->room;
	return true;
}

static uint32_t place_node(struct avail_shrink *s, uint32_t node)
{
	const struct avail_dd_node *n = &s->dd->nodes[node];
	uint32_t low, high;

	if (node == 0 || s->places[node])
		return s->places[node];
	low = place_node(s, n->low >> 1) << 1;
	high = place_node(s, n->high >> 1) << 1 | (n->high & 1);
	s->nodes[s->node_count] = (struct avail_shrunk){ .node = node, .low = low, .high = high };
	return s->places[node] = s->node_count++;
}

static double chance_of(const struct avail_shrink *s, uint32_t ref)
{
	double chance = s->nodes[ref >> 1].chance;

	return ref & 1 ? 1 - chance : chance;
}

static double variable(const struct avail_shrink *s, const struct avail_shrunk *n)
{
	return s->chance[s->dd->nodes[n->node].level - s->first_level];
}

/* Lists the nodes of f with their probabilities; f's reference by places. */
static bool list(struct avail_shrink *s, uint32_t f, uint32_t *root)
{
	if (!reserve(s, avail_dd_reach(s->dd, &f, 1) + 1))
		return false;
	s->nodes[0] = (struct avail_shrunk){ .chance = 0 };
	s->node_count = 1;
	*root = place_node(s, f >> 1) << 1 | (f & 1);
	for (uint32_t i = 1; i < s->node_count; i++) {
		struct avail_shrunk *n = &s->nodes[i];
		double p = variable(s, n);

		s->places[n->node] = 0;
		n->chance = p * chance_of(s, n->high) + (1 - p) * chance_of(s, n->low);
	}
	return true;
}

double avail_shrink_chance(struct avail_shrink *s, uint32_t f)
{
	uint32_t root;

	return list(s, f, &root) ? chance_of(s, root) : NAN;
}

static void find_reach(struct avail_shrink *s, uint32_t root)
{
	s->nodes[root >> 1].reach[root & 1] = 1;
	for (uint32_t i = s->node_count; i-- > 1;) {
		const struct avail_shrunk *n = &s->nodes[i];
		double p = variable(s, n);

		for (uint32_t bit = 0; bit < 2; bit++) {
			s->nodes[n->low >> 1].reach[bit] += (1 - p) * n->reach[bit];
			s->nodes[n->high >> 1].reach[(n->high & 1) ^ bit] += p * n->reach[bit];
		}
	}
}

/* What the function gains or loses when this node, met with this bit, is replaced.  Where its edges
 * are not one within the other it is more; that only makes the choice worse. */
static double error_of(const struct avail_shrink *s, const struct avail_shrunk *n,
		       enum avail_side side, uint32_t bit)
{
	double p = variable(s, n), gain = chance_of(s, n->high) - chance_of(s, n->low);
	bool to_low = (gain >= 0) == (side == AVAIL_BELOW);

	return n->reach[bit] * fabs(gain) * (to_low ? p : 1 - p);
}

static uint32_t bucket_of(double error)
{
	int exponent;
	double part = frexp(error, &exponent);
	int bucket;

	if (!(error > 0))
		return 0;
	bucket = (exponent + OCTAVES - 1) * STEPS + (int)((part - 0.5) * 2 * STEPS);
	return bucket < 0 ? 0 : min_u32((uint32_t)bucket, BUCKETS - 1);
}

/* A reference of a function whose image on one side is needed: its node's, and on which. */
static enum avail_side side_of(enum avail_side side, uint32_t ref)
{
	return ref & 1 ? (side == AVAIL_BELOW ? AVAIL_ABOVE : AVAIL_BELOW) : side;
}

/* The bucket of the error from which on nodes are kept, so that about 'most' are. */
static uint32_t find_limit(const struct avail_shrink *s, enum avail_side side, uint32_t *counts,
			   uint32_t most)
{
	uint32_t kept = 0, limit = BUCKETS;

	for (uint32_t i = 1; i < s->node_count; i++)
		for (uint32_t bit = 0; bit < 2; bit++)
			if (s->nodes[i].reach[bit] > 0)
				counts[bucket_of(
					error_of(s, &s->nodes[i], side_of(side, bit), bit))]++;
	while (limit > 0 && kept + counts[limit - 1] <= most)
		kept += counts[--limit];
	return limit;
}

static void need(struct avail_shrink *s, uint32_t ref, enum avail_side side)
{
	s->nodes[ref >> 1].needed |= (uint8_t)(1 << side_of(side, ref));
}

static void choose(struct avail_shrink *s, uint32_t root, enum avail_side side, uint32_t limit)
{
	need(s, root, side);
	for (uint32_t i = s->node_count; i-- > 1;) {
		struct avail_shrunk *n = &s->nodes[i];

		for (enum avail_side at = AVAIL_BELOW; at <= AVAIL_ABOVE; at++) {
			if (!(n->needed & 1 << at))
				continue;
			need(s, n->low, at);
			need(s, n->high, at);
			if (bucket_of(error_of(s, n, at, at != side)) < limit)
				n->replaced |= (uint8_t)(1 << at);
		}
	}
}

static uint32_t image_of(const struct avail_shrink *s, uint32_t ref, enum avail_side side)
{
	return ref >> 1 ? s->nodes[ref >> 1].image[side_of(side, ref)] ^ (ref & 1) : ref;
}

static uint32_t make_image(struct avail_shrink *s, const struct avail_shrunk *n,
			   enum avail_side side)
{
	uint32_t low = image_of(s, n->low, side), high = image_of(s, n->high, side);

	if (!(n->replaced & 1 << side))
		return avail_bdd_make(s->dd, s->dd->nodes[n->node].level, low, high);
	return side == AVAIL_BELOW ? avail_bdd_and(s->dd, low, high)
				   : avail_bdd_or(s->dd, low, high);
}

/* Makes the images, bottom up; each is pushed.  false: the store stopped. */
static bool make_images(struct avail_shrink *s)
{
	if (avail_dd_reserve(s->dd, 2 * s->node_count))
		return false;
	for (uint32_t i = 1; i < s->node_count; i++) {
		struct avail_shrunk *n = &s->nodes[i];

		for (enum avail_side side = AVAIL_BELOW; side <= AVAIL_ABOVE; side++) {
			if (!(n->needed & 1 << side))
				continue;
			n->image[side] = avail_dd_push(s->dd, make_image(s, n, side));
			if (n->image[side] == AVAIL_DD_NONE)
				return false;
		}
	}
	return true;
}

uint32_t avail_shrink(struct avail_shrink *s, uint32_t f, enum avail_side side, uint32_t most)
{
	uint32_t *counts, root, base = s->dd->stack_count, result = AVAIL_DD_NONE;

	if (!list(s, f, &root))
		return result;
	if (s->node_count <= most)
		return f;
	counts = avail_take(s->dd->memory, BUCKETS, sizeof *counts);
	if (!counts)
		return result;
	find_reach(s, root);
	choose(s, root, side, find_limit(s, side, counts, most));
	if (make_images(s))
		result = image_of(s, root, side);
	avail_dd_pop(s->dd, s->dd->stack_count - base);
	avail_give(s->dd->memory, counts, BUCKETS, sizeof *counts);
	return result;
}
