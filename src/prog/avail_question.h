/* prog/avail_question.h -- what is asked of a model, as the command line or the daemon puts it.
 *
 * Threads: one.  Memory: texts are the asker's. */
#ifndef PROG_AVAIL_QUESTION_H
#define PROG_AVAIL_QUESTION_H

#include "avail/measures.h"

enum avail_sort { AVAIL_SORT_ORDER, AVAIL_SORT_PROBABILITY };

/* What is answered besides the steady state. */
enum avail_only {
	AVAIL_EVERYTHING,
	AVAIL_ONLY_PROBABILITY, /* nothing */
	AVAIL_ONLY_SETS,
	AVAIL_ONLY_IMPORTANCE,
};

/* Zero or NULL: not asked for, or the default. */
struct avail_question {
	const char *top;          /* a top or a gate; NULL: the model's own */
	uint64_t cut_sets;        /* how many to list */
	enum avail_sort sort;
	double cut_off;           /* sets less probable than this are not listed */
	bool prime_implicants;    /* instead of minimal cut sets */
	enum avail_only only;
	bool approximate;         /* also the rare-event approximation and the min-cut upper bound */
	uint64_t draws;           /* of the parameters' distributions */
	uint64_t replications;    /* of the simulation */
	uint64_t seed;
	double mission_h;         /* 0: the model's */
	double curve_h;           /* point availability up to this time */
	uint64_t nodes;           /* budget of the diagrams; 0: as memory allows */
	size_t memory_bytes;
	uint64_t seconds;
	uint32_t states;          /* of one chain, at first; 0: as the engine likes */
	bool progress;            /* tell on stderr how far a search for improvements is */
	unsigned threads;         /* of the simulation; 0: one a CPU */
};

#endif
