#include "prog/avail_words.h"

#include <string.h>

bool avail_words_split(struct avail_words *words, const char *text)
{
	size_t length = strlen(text);
	char *at = words->text;

	words->count = 0;
	if (length >= sizeof words->text)
		return false;
	memcpy(words->text, text, length + 1);
	for (;;) {
		bool quoted;

		at += strspn(at, " \t");
		if (!*at)
			return true;
		if (words->count == AVAIL_WORDS_MAX)
			return false;
		quoted = *at == '"';
		at += quoted;
		words->word[words->count++] = at;
		at += strcspn(at, quoted ? "\"" : " \t");
		if (!*at)
			return !quoted;
		*at++ = 0;
	}
}

bool avail_words_match(const struct avail_words *words, const char *pattern)
{
	unsigned i = 0;

	for (; *pattern; i++) {
		size_t length = strcspn(pattern, " ");

		if (length == 3 && memcmp(pattern, "...", 3) == 0)
			return true;
		if (i == words->count || !((length == 1 && *pattern == '*') ||
					   (strlen(words->word[i]) == length &&
					    memcmp(words->word[i], pattern, length) == 0)))
			return false;
		pattern += length;
		pattern += *pattern == ' ';
	}
	return i == words->count;
}
