#include "store/site_number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads digits; *end is behind them.  False when there are none or too many. */
static bool digits(const char *text, const char **end, uint64_t *value)
{
	uint64_t sum = 0;

	if (!is_digit(*text) || (*text == '0' && is_digit(text[1])))
		return false;
	for (; is_digit(*text); text++) {
		if (sum > (UINT64_MAX - (uint64_t)(*text - '0')) / 10)
			return false;
		sum = sum * 10 + (uint64_t)(*text - '0');
	}
	*end = text;
	*value = sum;
	return true;
}

bool site_number_parse(const char *text, uint64_t *value)
{
	const char *end;

	return digits(text, &end, value) && *end == 0;
}

/* The multiplier of a prefix, 1 when there is none; *text moves behind it. */
static uint64_t prefix(const char **text)
{
	static const struct {
		char upper, lower;
		uint64_t factor;
	} prefixes[] = {
		{ 'K', 'k', 1000 },
		{ 'M', 'm', 1000000 },
		{ 'G', 'g', 1000000000 },
		{ 'T', 't', UINT64_C(1000000000000) },
	};

	for (unsigned i = 0; i < array_len(prefixes); i++) {
		if (**text == prefixes[i].upper || **text == prefixes[i].lower) {
			++*text;
			return prefixes[i].factor;
		}
	}
	return 1;
}

/* Reads ".25" in units of 1/factor; false when it is finer than that. */
static bool fraction(const char **text, uint64_t *numerator, uint64_t *denominator)
{
	const char *at = *text;

	*numerator = 0;
	*denominator = 1;
	if (*at != '.')
		return true;
	for (at++; is_digit(*at) && *denominator < UINT64_C(1000000000000); at++) {
		*numerator = *numerator * 10 + (uint64_t)(*at - '0');
		*denominator *= 10;
	}
	*text = at;
	return *denominator > 1 && !is_digit(*at);
}

/* A number with an optional prefix and one of 'units' behind it. */
static bool scaled(const char *text, const char *const *units, uint64_t *value)
{
	uint64_t whole, numerator, denominator, factor;

	if (!digits(text, &text, &whole) || !fraction(&text, &numerator, &denominator))
		return false;
	if (*text == ' ')
		text++;
	factor = prefix(&text);
	while (*units && strcasecmp(text, *units) != 0)
		units++;
	if (!*units || whole > UINT64_MAX / factor / 2 || numerator * factor % denominator != 0 ||
	    numerator > UINT64_MAX / factor)
		return false;
	*value = whole * factor + numerator * factor / denominator;
	return true;
}

bool site_rate_parse(const char *text, uint64_t *bits_per_s)
{
	static const char *const units[] = { "", "bit", "bit/s", "bps", NULL };

	return scaled(text, units, bits_per_s);
}

bool site_pps_parse(const char *text, uint64_t *packets_per_s)
{
	static const char *const units[] = { "", "pps", NULL };

	return scaled(text, units, packets_per_s);
}

bool site_size_parse(const char *text, uint64_t *bytes)
{
	static const char *const units[] = { "", "B", NULL };
	static const char binary[] = "KMGT";
	const char *letter = strpbrk(text, "kKMGT");
	uint64_t whole, numerator, denominator;
	unsigned shift;

	if (!letter || letter[1] != 'i')
		return scaled(text, units, bytes);
	if (*letter == 'k' || !digits(text, &text, &whole) || !fraction(&text, &numerator, &denominator))
		return false;
	if (*text == ' ')
		text++;
	shift = 10 * (1 + (unsigned)(strchr(binary, *letter) - binary));
	if (text != letter || (letter[2] && strcmp(letter + 2, "B") != 0) ||
	    whole >= UINT64_MAX >> shift >> 1 || numerator > UINT64_MAX >> shift ||
	    (numerator << shift) % denominator != 0)
		return false;
	*bytes = (whole << shift) + (numerator << shift) / denominator;
	return true;
}

/* A decimal number without a sign, "250000", "0.5", "1e6"; *text moves behind it. */
static bool decimal(const char **text, double *value)
{
	char *end;

	if (!is_digit(**text) || (**text == '0' && ((*text)[1] == 'x' || (*text)[1] == 'X')))
		return false;
	*value = strtod(*text, &end);
	*text = end;
	return isfinite(*value);
}

bool site_hours_parse(const char *text, double *hours)
{
	static const struct {
		const char *unit;
		double hours;
	} units[] = {
		{ "ms", 1.0 / 3600e3 }, { "s", 1.0 / 3600 }, { "min", 1.0 / 60 },
		{ "h", 1 },             { "d", 24 },         { "y", 8760 },
	};

	if (!decimal(&text, hours))
		return false;
	if (*text == ' ')
		text++;
	if (*text == 0)
		return *hours == 0;
	for (unsigned i = 0; i < array_len(units); i++) {
		if (strcmp(text, units[i].unit) != 0)
			continue;
		*hours *= units[i].hours;
		return *hours <= 1e12;
	}
	return false;
}

bool site_share_parse(const char *text, double *share)
{
	if (!decimal(&text, share))
		return false;
	if (*text == ' ')
		text++;
	if (strcmp(text, "%") == 0)
		*share /= 100;
	else if (*text)
		return false;
	return *share <= 1;
}

bool site_bool_parse(const char *text, bool *value)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

	for (unsigned i = 0; i < array_len(words); i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		*value = i % 2;
		return true;
	}
	return false;
}
