/* prog/avail_answer.h -- everything that is asked of one top of a model, answered as JSON: what the
 * page for people, the report and the daemon's view are made of.  docs/avail.md lists the members.
 *
 * Threads: one; a simulation starts and ends its own.  Memory: the JSON is the caller's. */
#ifndef PROG_AVAIL_ANSWER_H
#define PROG_AVAIL_ANSWER_H

#include "avail/simulate.h"
#include "prog/avail_case.h"
#include "prog/avail_question.h"

#include <jansson.h>

/* Answers.  0 with *answer; -ENOENT (no such top), -EINVAL or -ERANGE (the model) with 'why',
 * -ENOMEM when the budget did not suffice for any answer. */
int avail_answer(struct avail_case *c, const struct avail_question *question, json_t **answer,
		 struct refusal *why);

/* Unavailability of one top alone, in the steady state, exact or not: for comparisons.  Results as
 * above. */
int avail_answer_steady(struct avail_case *c, const struct avail_question *question,
			const struct avail_top *top, struct avail_answer *steady,
			struct refusal *why);

/* The same by simulation, as often as the question says, else a short one.  0, or a negative errno.
 */
int avail_answer_simulated(struct avail_case *c, const struct avail_question *question,
			   const struct avail_top *top, struct avail_play_result *result,
			   struct refusal *why);

#endif
