/* prog/avail_answer_parts.h -- what the files that make one answer share.
 *
 * Threads: one.  Memory: the work's owner is avail_answer(). */
#ifndef PROG_AVAIL_ANSWER_PARTS_H
#define PROG_AVAIL_ANSWER_PARTS_H

#include "prog/avail_answer.h"

/* One question being answered. */
struct avail_work {
	struct avail_case *c;
	const struct avail_question *question;
	struct avail_top top;
	struct avail_service_budget budget;
	struct avail_service *service;
	struct avail_answer steady;
	bool is_wide; /* bounds so far apart that a simulation says what is likely between them */
	bool has_played;
	struct avail_play_result played;
	json_t *notes;
	struct refusal *why;
};

/* A number; null for NAN, a word for an infinite one, which JSON does not have. */
json_t *avail_real(double value);

/* Adds a sentence to what the reader must know. */
void avail_note(struct avail_work *work, const char *format, ...) printf_like(2, 3);

/* Each puts its members into 'out'; what passes the budget is left out with a note.  0, or a negative
 * errno. */
int avail_put_sets(json_t *out, struct avail_work *work);
int avail_put_importance(json_t *out, struct avail_work *work);
int avail_put_frequency(json_t *out, struct avail_work *work); /* of a sequence of an event tree */

#endif
