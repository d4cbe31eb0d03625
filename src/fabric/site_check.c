#include "fabric/site_check.h"
#include "fabric/choice.h"
#include "fabric/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void site_find(struct site_check *check, const char *path, const char *format, ...)
{
	struct refusal finding;
	va_list args;

	check->found++;
	if (!check->report)
		return;
	refuse(&finding, path, "%s", "");
	va_start(args, format);
	vsnprintf(finding.text, sizeof finding.text, format, args);
	va_end(args);
	check->report(check->arg, &finding);
}

/* Text in the making: "a, b, c", cut with "..." where it would be too long. */
static void append(char *text, size_t size, const char *word)
{
	size_t used = strlen(text);
	const char *comma = used ? ", " : "";

	if (used + strlen(comma) + strlen(word) + sizeof ", ..." <= size)
		snprintf(text + used, size - used, "%s%s", comma, word);
	else if (used >= 3 && strcmp(text + used - 3, "...") != 0)
		snprintf(text + used, size - used, "%s...", comma);
}

const char *site_names(const struct site *site, enum site_kind kind,
		       char text[SITE_NAMES_TEXT_SIZE])
{
	struct site_card_walk walk = { 0 };
	struct site_card_place place;

	text[0] = 0;
	while (kind == SITE_KIND_CARD && site_card_next(site, &walk, &place))
		append(text, SITE_NAMES_TEXT_SIZE, place.card->name);
	for (unsigned i = 0; kind == SITE_KIND_CHASSIS && i < site->chassis_count; i++)
		append(text, SITE_NAMES_TEXT_SIZE, site->chassis[i].name);
	for (unsigned i = 0; kind == SITE_KIND_HOST && i < site->hosts_count; i++)
		append(text, SITE_NAMES_TEXT_SIZE, site->hosts[i].name);
	for (unsigned i = 0; kind == SITE_KIND_POOL && i < site->pools_count; i++)
		append(text, SITE_NAMES_TEXT_SIZE, site->pools[i].name);
	for (unsigned i = 0; kind == SITE_KIND_GROUP && i < site->groups_count; i++)
		append(text, SITE_NAMES_TEXT_SIZE, site->groups[i].name);
	return text[0] ? text : "(none)";
}

static unsigned carrier_count(const struct site *site)
{
	unsigned count = 0;

	for (unsigned i = 0; i < site->chassis_count; i++)
		count += site->chassis[i].carriers_count;
	return count;
}

/* More things than the program has room for; nothing else is looked at then. */
static bool check_limits(struct site_check *check)
{
	const struct site *site = check->site;
	const struct {
		const char *path, *what;
		unsigned count, most;
	} limits[] = {
		{ "chassis", "chassis", site->chassis_count, SITE_CHASSIS_MAX },
		{ "chassis", "carriers", carrier_count(site), SITE_CARRIERS_MAX },
		{ "chassis", "cards", site_card_count(site), SITE_CARDS_MAX },
		{ "hosts", "hosts", site->hosts_count, SITE_HOSTS_MAX },
		{ "pools", "pools", site->pools_count, SITE_POOLS_MAX },
		{ "groups", "groups", site->groups_count, SITE_GROUPS_MAX },
		{ "systems", "systems", site->systems_count, SITE_IOS_MAX },
		{ "switches", "switches", site->switches_count, SITE_SWITCHES_MAX },
		{ "paths", "paths", site->paths_count, SITE_PATHS_MAX },
		{ "systems", "interfaces", placement_count(site), SITE_IOS_MAX },
	};
	unsigned found = check->found;

	for (unsigned i = 0; i < array_len(limits); i++)
		if (limits[i].count > limits[i].most)
			site_find(check, limits[i].path, "there are %u %s; at most %u are allowed",
				  limits[i].count, limits[i].what, limits[i].most);
	if (site_card_count(site) == 0)
		site_find(check, "chassis", "there is no card in any carrier; a site needs one");
	return check->found == found;
}

unsigned site_check(const struct site *site, site_finding_fn *report, void *arg)
{
	struct site_check check = { site, report, arg, 0 };

	if (!check_limits(&check))
		return check.found;
	site_check_names(&check);
	site_check_cards(&check);
	site_check_references(&check);
	site_check_paths(&check);
	site_check_io(&check);
	site_check_disks(&check);
	site_check_hardware(&check);
	/* Counting functions makes sense only when every name leads somewhere, and all cards are known. */
	if (check.found == 0 && site_open_groups(site) == 0)
		site_check_capacity(&check);
	return check.found;
}
