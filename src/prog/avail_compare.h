/* prog/avail_compare.h -- the figure before and after changes: those that somebody asks about, and
 * those that would pay.
 *
 * Threads: one.  Memory: the JSON is the caller's. */
#ifndef PROG_AVAIL_COMPARE_H
#define PROG_AVAIL_COMPARE_H

#include "prog/avail_answer.h"

/* Applies sentences of avail_change.h, separated by ';', one after the other to the model in 'path'
 * read anew, and puts "what_if" into 'answer': the figure after each, all before it included.
 *
 * 0, or -EINVAL with 'why', whose path is the sentence; another negative errno. */
int avail_compare_what_if(json_t *answer, const char *path, const struct avail_question *question,
			  const char *sentences, struct refusal *why);

/* Tries changes of the site in 'path' and puts "improvements" into 'answer': those that help, the
 * cheapest first, and of equal cost what saves most.  Tried are: another card of the pool in place
 * of a group's member, one more card on each carrier as a spare of each group, one more path
 * between chassis that interfaces are reached over.  Where groups say more than a gate can
 * (coverage, standby, switch-over), candidates are first judged without that, and the best once
 * more with it.  When the time of the question is over, "tried" is less than "candidates".
 *
 * 0, -EINVAL with 'why' when it is no site, or another negative errno. */
int avail_compare_improve(json_t *answer, const char *path, const struct avail_question *question,
			  struct refusal *why);

#endif
