/* A choice in words. */
#include "fabric/choice.h"

#include "avail/measures.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SECONDS_A_YEAR (60 * AVAIL_MINUTES_A_YEAR)

/* Cards named, so that the text has room for all. */
enum { SHOWN_MAX = 3 };

static void add(char text[SITE_CHOICE_TEXT_SIZE], const char *format, ...) printf_like(2, 3);
static void add(char text[SITE_CHOICE_TEXT_SIZE], const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, SITE_CHOICE_TEXT_SIZE - used, format, args);
	va_end(args);
}

/* "nic0, nic1 and nic2"; of many only the first. */
static void add_cards(char text[SITE_CHOICE_TEXT_SIZE], char *const *cards, unsigned count)
{
	unsigned shown = count > SHOWN_MAX ? SHOWN_MAX - 1 : count;

	for (unsigned i = 0; i < shown; i++)
		add(text, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " and ", cards[i]);
	if (shown < count)
		add(text, " and %u more", count - shown);
}

void site_choice_text(const struct site *site, const struct site_choice *choice,
		      char text[SITE_CHOICE_TEXT_SIZE])
{
	const struct site_group *group = &site->groups[choice->group];

	text[0] = 0;
	add_cards(text, choice->cards, group->count);
	add(text, " of pool '%s'", group->pool);
	if (choice->looked_at == 0) {
		add(text,
		    ": the least used; %d choices for groups before it were looked at, and no more "
		    "are",
		    SITE_CHOICE_TRIALS_MAX);
		return;
	}
	if (isnan(choice->loss)) {
		add(text, ": no system uses the group, so any would do");
		return;
	}
	add(text,
	    ": %sbest of %u choices%s; failures of I/O cost what uses the group %.4g s a year",
	    choice->next < choice->loss ? "least used within 5 % of the " : "", choice->looked_at,
	    choice->all ? "" : " looked at, by exchanging one card at a time",
	    choice->loss * SECONDS_A_YEAR);
	if (isnan(choice->next))
		return;
	add(text, ", with ");
	add_cards(text, choice->next_cards, group->count);
	add(text, " %.4g s", choice->next * SECONDS_A_YEAR);
}
