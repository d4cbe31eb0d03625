/* prog/avail_words.h -- a sentence of the operator in words.
 *
 * Threads: any.  Memory: the caller's; words point into its own copy. */
#ifndef PROG_AVAIL_WORDS_H
#define PROG_AVAIL_WORDS_H

#include "base/base.h"

enum { AVAIL_WORDS_MAX = 16, AVAIL_SENTENCE_MAX = 400 };

struct avail_words {
	char text[AVAIL_SENTENCE_MAX];
	char *word[AVAIL_WORDS_MAX];
	unsigned count;
};

/* Splits at blanks; "a b" in double quotes is one word.  False when it is too long, or a quote is open. */
bool avail_words_split(struct avail_words *words, const char *text);

/* Whether the sentence has the pattern's shape: "add card * to *" with * for any one word; '...' at the
 * end for any more. */
bool avail_words_match(const struct avail_words *words, const char *pattern);

#endif
