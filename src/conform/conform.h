/* conform/conform.h -- judges a PCI function by the standard, as a compliance workshop does: one
 * assertion after the other, each with its section, what was seen, and a verdict.
 *
 * The rules are those of PCI Express Base Specification 5.0 (its chapter 9 is SR-IOV).  A function
 * in use is only read.  Whatever writes (to show that a bit is read-only, to size BARs, resets,
 * power states, VF Enable) is done where that is allowed, and undone: a register is given back what
 * it held.
 *
 * Threads: the caller's.  Memory: the report is the caller's; nothing is allocated. */
#ifndef CONFORM_CONFORM_H
#define CONFORM_CONFORM_H

#include "conform/target.h"

enum conform_verdict {
	CONFORM_PASS,
	CONFORM_FAIL,
	CONFORM_NOT_APPLICABLE, /* the function has no such thing, or it cannot be reached */
};

enum {
	CONFORM_SEEN_MAX = 160,
	CONFORM_RESULTS_MAX = 512, /* assertions, for two functions */
};

struct conform_assertion {
	const char *name;    /* "msix.table-in-bar"; unique */
	const char *section; /* "7.7.2.3" */
	const char *text;    /* the rule, one sentence */
	bool destructive;
};

struct conform_result {
	const struct conform_assertion *assertion;
	unsigned function; /* of the target: 0, or a VF */
	enum conform_verdict verdict;
	char seen[CONFORM_SEEN_MAX];
};

struct conform_report {
	unsigned count;
	struct conform_result results[CONFORM_RESULTS_MAX];
	unsigned passed, failed, not_applicable;
	int error; /* -errno of an access that ended the run; 0: it went to its end */
};

enum conform_care {
	CONFORM_GENTLE, /* reads and nothing else */
	CONFORM_DESTRUCTIVE,
};

/* Judges function 0 of the target, and when it is a PF whose VFs can be reached and destructive
 * assertions are allowed or VFs exist already, VF1 too.  What was not allowed is 'not applicable'
 * and says so. */
void conform_run(struct conform_report *report, struct conform_target *target,
		 enum conform_care care);

/* All assertions, in the order of the run; returns how many there are. */
unsigned conform_assertions(const struct conform_assertion *const **list);

const char *conform_verdict_text(enum conform_verdict verdict);

#endif
