/* prog/midplane_spaces.h -- who has which address space in a memory image: every function with an
 * entry in the unit's tables, every process address space (PASID) of it, and every mapping in one.
 *
 * Nothing is decoded here that the walk does not tell: a space is what the steps of a walk to it
 * say, a mapping is a walk that succeeds.  So what is listed is what a device would get.
 *
 * Threads: one.  Memory: spaces_free gives it back. */
#ifndef PROG_MIDPLANE_SPACES_H
#define PROG_MIDPLANE_SPACES_H

#include "prog/midplane_unit.h"

/* One entry that a walk met, with its words. */
struct seen_step {
	struct iommu_step step; /* 'table' is a constant; 'meaning' is here: */
	char meaning[200];
};

/* What a walk told; the steps to the page tables, and the last one. */
struct seen {
	unsigned count;
	unsigned head_count;
	struct seen_step head[4]; /* the steps that are not page tables': root, context, PASID
				   * directory and PASID entry, or AMD's device table entry */
	struct seen_step last;
	uint64_t tables[32]; /* pages of the page table entries on the way */
	unsigned table_count;
	unsigned table_first; /* of the tables of this stage: nested, a walk of the second one comes
				 often */
	unsigned loop_shift;  /* a page table is on the way twice: 'last' is the entry that leads
			       * back, and  this is log2 of what it decides for; 0: none is */
};

struct space {
	uint16_t source;
	uint32_t pasid;	  /* or IOMMU_NO_PASID */
	const char *kind; /* "second stage", "first stage", "nested", "pass-through" */
	uint16_t domain;
	uint64_t second, first; /* their page tables; 0: none */
	unsigned second_levels, first_levels;
	bool silent;	 /* fault processing is disabled for it */
	bool known;	 /* the entry can be used; else: */
	uint16_t reason; /* why not */
};

/* What is wrong with an entry, or on the way to a page. */
struct fault {
	const struct space *space; /* NULL: of the unit, or of a whole bus */
	uint16_t source;
	uint32_t pasid;
	uint64_t iova, size; /* size 0: not about an address */
	unsigned reason;     /* of the format, or FAULT_LOOP */
	const struct seen *seen;
};

/* A reason beside those of the specification: tables that lead into themselves. */
enum { FAULT_LOOP = 1 << 16 };

struct mapping {
	uint64_t iova, target;
	uint64_t last; /* iova of its last byte */
	uint8_t rights;
	bool snoop;
	uint8_t smallest, largest; /* shifts of its pages */
	uint64_t pages;
};

struct spaces {
	unsigned count, room;
	struct space *list; /* those of one address space behind each other */
	bool cut;	    /* the search gave up: there may be more */
};

typedef void fault_fn(void *context, const struct fault *fault);

/* Asks, and notes the steps. */
void seen_walk(const struct unit *unit, const struct iommu_request *request, struct seen *seen,
	       struct iommu_answer *answer);

/* Finds all spaces, or those that so many answers tell of: tables of functions and PASIDs that
 * share tables may name 2^36 of them in a few pages.  fault  is told of entries that are there and
 * cannot be used. */
void spaces_find(const struct unit *unit, uint64_t walks_max, struct spaces *spaces,
		 fault_fn *fault, void *context);
void spaces_free(struct spaces *spaces);

/* Whether two spaces are the same tables in the same domain. */
bool space_same(const struct space *a, const struct space *b);

/* How many answers a listing may ask for before it gives up; shared by all spaces of a command. */
struct listing {
	uint64_t walks_left;
	void (*mapping)(void *context, const struct space *space, const struct mapping *mapping);
	fault_fn *fault; /* a wrong entry */
	void (*table)(void *context,
		      uint64_t page); /* a page with a table in it; may come twice; NULL */
	void *context;
};

/* Every mapping of a space in ascending order, neighbours joined.  False when it gave up. */
bool space_list(const struct unit *unit, const struct space *space, struct listing *listing);

#endif
