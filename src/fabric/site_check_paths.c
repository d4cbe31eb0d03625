/* What carries and feeds the rest: units of a chassis, paths between chassis and the switches on
 * them. */
#include "fabric/internal.h"

#include <stdio.h>
#include <string.h>

static void check_units(struct site_check *check, unsigned c)
{
	const struct site_chassis *chassis = &check->site->chassis[c];
	char path[SITE_PATH_SIZE];

	for (unsigned u = 0; u < chassis->units_count; u++) {
		const struct site_unit *unit = &chassis->units[u];

		if (unit->needed > unit->count) {
			snprintf(path, sizeof path, "chassis[%u].units[%u].needed", c, u);
			site_find(check, path,
				  "chassis '%s' needs %u of %u units '%s'; allowed are 0 to %u",
				  chassis->name, unit->needed, unit->count, unit->name,
				  unit->count);
		}
		for (unsigned i = 0; i < u; i++) {
			if (strcmp(chassis->units[i].name, unit->name) != 0)
				continue;
			snprintf(path, sizeof path, "chassis[%u].units[%u].name", c, u);
			site_find(
				check, path,
				"chassis '%s' has units '%s' already; each needs a name of its own",
				chassis->name, unit->name);
			break;
		}
	}
}

static bool chassis_exists(const struct site *site, const char *name)
{
	for (unsigned i = 0; i < site->chassis_count; i++)
		if (strcmp(site->chassis[i].name, name) == 0)
			return true;
	return false;
}

static bool switch_exists(const struct site *site, const char *name)
{
	for (unsigned i = 0; i < site->switches_count; i++)
		if (strcmp(site->switches[i].name, name) == 0)
			return true;
	return false;
}

static void check_path(struct site_check *check, unsigned p)
{
	const struct site_path *way = &check->site->paths[p];
	char path[SITE_PATH_SIZE], names[SITE_NAMES_TEXT_SIZE];

	for (unsigned i = 0; i < way->chassis_count; i++) {
		if (chassis_exists(check->site, way->chassis[i]))
			continue;
		snprintf(path, sizeof path, "paths[%u].chassis[%u]", p, i);
		site_find(check, path, "there is no chassis '%s'; the chassis are: %s",
			  way->chassis[i], site_names(check->site, SITE_KIND_CHASSIS, names));
	}
	if (strcmp(way->chassis[0], way->chassis[1]) == 0) {
		snprintf(path, sizeof path, "paths[%u].chassis", p);
		site_find(check, path, "path '%s' begins and ends at chassis '%s'; it takes two",
			  way->name, way->chassis[0]);
	}
	for (unsigned i = 0; i < way->switches_count; i++) {
		if (switch_exists(check->site, way->switches[i]))
			continue;
		snprintf(path, sizeof path, "paths[%u].switches[%u]", p, i);
		site_find(check, path, "there is no switch '%s'; name one under 'switches'",
			  way->switches[i]);
	}
}

static void check_needed(struct site_check *check, unsigned s)
{
	const struct site_system *system = &check->site->systems[s];
	char path[SITE_PATH_SIZE];

	if (system->io_needed <= system->io_count)
		return;
	snprintf(path, sizeof path, "systems[%u].io_needed", s);
	site_find(check, path,
		  "system '%s' has %u interfaces and needs %u of them; allowed are 0 to %u",
		  system->name, system->io_count, system->io_needed, system->io_count);
}

void site_check_paths(struct site_check *check)
{
	for (unsigned c = 0; c < check->site->chassis_count; c++)
		check_units(check, c);
	for (unsigned p = 0; p < check->site->paths_count; p++)
		check_path(check, p);
	for (unsigned s = 0; s < check->site->systems_count; s++)
		check_needed(check, s);
}
