/* prog/midplane_batch.h -- the batch form of a command: a question a line on standard input, an
 * answer a line on standard output, in the same order.
 *
 * Answers go out before the program waits for more questions, so another program may ask one, read
 * the answer and ask the next; where many lines are there, they are answered in one go.
 *
 * Threads: one.  Memory: given back at the end. */
#ifndef PROG_MIDPLANE_BATCH_H
#define PROG_MIDPLANE_BATCH_H

#include "base/refusal.h"
#include "prog/midplane.h"

enum {
	BATCH_LINE_MAX = 1024,	/* bytes, without the line's end */
	BATCH_ANSWER_MAX = 128, /* with its end */
};

/* Answers one line.  False when it is malformed; 'why' says what is wrong.
 *
 * line    without its end; may be changed
 * answer  receives what is printed behind the line and a tab */
typedef bool batch_answer_fn(void *context, char *line, char answer[BATCH_ANSWER_MAX],
			     struct refusal *why);

/* Runs until the end of the input.  A malformed line is complained about by its number and gets no
 * answer; the others get theirs, and the result is MIDPLANE_REFUSED. */
enum midplane_exit batch_run(const struct call *call, batch_answer_fn *answer, void *context);

#endif
