/* prog/midplane_search.h -- a search for spaces: what its part for each format shares.
 *
 * Threads: one.  Memory: none kept. */
#ifndef PROG_MIDPLANE_SEARCH_H
#define PROG_MIDPLANE_SEARCH_H

#include "prog/midplane_spaces.h"

struct search {
	const struct unit *unit;
	struct spaces *spaces;
	uint64_t walks_left;
	fault_fn *fault;
	void *context;
	/* the last question, its steps and its answer */
	struct iommu_request request;
	struct seen seen;
	struct iommu_answer answer;
};

/* Asks for any access to address 0.  The last question that it may ask ends the search. */
void search_ask(struct search *search, uint16_t source, uint32_t pasid);
/* Whether the last answer was a refusal. */
bool search_refused(const struct search *search);
/* Tells that the last entry is there and cannot be used. */
void search_tell(struct search *search);
/* A new space for who asked last, else zero; NULL: there are too many. */
struct space *search_add(struct search *search);

void search_vtd(struct search *search);
void search_amd(struct search *search);

#endif
