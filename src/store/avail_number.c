#include "store/avail_number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A value is multiplied and divided, each once, so that what is exact stays exact. */
static const struct {
	const char *unit;
	enum avail_dimension dimension;
	double times, over;
} units[] = {
	{ "", AVAIL_PLAIN, 1, 1 },	 { "%", AVAIL_PLAIN, 1, 100 },
	{ "ms", AVAIL_TIME, 1, 3600e3 }, { "s", AVAIL_TIME, 1, 3600 },
	{ "min", AVAIL_TIME, 1, 60 },	 { "h", AVAIL_TIME, 1, 1 },
	{ "d", AVAIL_TIME, 24, 1 },	 { "y", AVAIL_TIME, 8760, 1 },
	{ "FIT", AVAIL_RATE, 1, 1e9 },	 { "/s", AVAIL_RATE, 3600, 1 },
	{ "/min", AVAIL_RATE, 60, 1 },	 { "/h", AVAIL_RATE, 1, 1 },
	{ "/d", AVAIL_RATE, 1, 24 },	 { "/y", AVAIL_RATE, 1, 8760 },
};

const char *avail_dimension_word(enum avail_dimension dimension)
{
	static const char *const words[] = {
		[AVAIL_PLAIN] = "a number",
		[AVAIL_TIME] = "a time",
		[AVAIL_RATE] = "a rate",
	};

	return words[dimension];
}

bool avail_number_parse(const char *text, double *value, enum avail_dimension *dimension)
{
	char *end;

	if (!strchr("0123456789.", *text) || !*text || strncmp(text, "0x", 2) == 0 ||
	    strncmp(text, "0X", 2) == 0)
		return false;
	*value = strtod(text, &end);
	if (end == text || !isfinite(*value))
		return false;
	if (*end == ' ' && end[1])
		end++;
	for (unsigned i = 0; i < array_len(units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		*value = *value * units[i].times / units[i].over;
		*dimension = units[i].dimension;
		return isfinite(*value);
	}
	return false;
}
