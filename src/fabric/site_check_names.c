/* Names are unique within their kind, and the site's is that of no file of another site. */
#include "fabric/internal.h"
#include "fabric/name_table.h"

#include <stdio.h>
#include <string.h>

/* The n-th thing of some kind: its name, and its place in the file.  False past the last. */
typedef bool name_at_fn(const struct site *site, unsigned n, const char **name,
			char path[SITE_PATH_SIZE]);

static bool chassis_at(const struct site *site, unsigned n, const char **name,
		       char path[SITE_PATH_SIZE])
{
	if (n >= site->chassis_count)
		return false;
	*name = site->chassis[n].name;
	snprintf(path, SITE_PATH_SIZE, "chassis[%u].name", n);
	return true;
}

static bool carrier_at(const struct site *site, unsigned n, const char **name,
		       char path[SITE_PATH_SIZE])
{
	for (unsigned i = 0; i < site->chassis_count; i++) {
		if (n < site->chassis[i].carriers_count) {
			*name = site->chassis[i].carriers[n].name;
			snprintf(path, SITE_PATH_SIZE, "chassis[%u].carriers[%u].name", i, n);
			return true;
		}
		n -= site->chassis[i].carriers_count;
	}
	return false;
}

static bool card_at(const struct site *site, unsigned n, const char **name,
		    char path[SITE_PATH_SIZE])
{
	struct site_card_place place;

	if (!site_card_at(site, n, &place))
		return false;
	*name = place.card->name;
	site_card_path(site, n, "name", path);
	return true;
}

#define NAME_AT(noun, list)                                                           \
	static bool noun##_at(const struct site *site, unsigned n, const char **name, \
			      char path[SITE_PATH_SIZE])                              \
	{                                                                             \
		if (n >= site->list##_count)                                          \
			return false;                                                 \
		*name = site->list[n].name;                                           \
		snprintf(path, SITE_PATH_SIZE, #list "[%u].name", n);                 \
		return true;                                                          \
	}
NAME_AT(host, hosts)
NAME_AT(pool, pools)
NAME_AT(group, groups)
NAME_AT(system, systems)
NAME_AT(switch, switches)
NAME_AT(path, paths)
#undef NAME_AT

static void check_kind(struct site_check *check, const char *kind, name_at_fn *at)
{
	struct site_name_table table;
	char path[SITE_PATH_SIZE], first_path[SITE_PATH_SIZE];
	const char *name, *first;

	site_name_table_init(&table, SITE_NAMES_MAX);
	for (unsigned n = 0; at(check->site, n, &name, path); n++) {
		unsigned before = site_name_table_add(&table, name, n);

		if (before == n)
			continue;
		must(at(check->site, before, &first, first_path));
		site_find(check, path,
			  "there is a %s '%s' already, at %s; each %s needs a name of its own",
			  kind, name, first_path, kind);
	}
}

static void check_io_names(struct site_check *check, unsigned s)
{
	const struct site_system *system = &check->site->systems[s];
	char path[SITE_PATH_SIZE];

	for (unsigned n = 1; n < system->io_count; n++) {
		for (unsigned i = 0; i < n; i++) {
			if (strcmp(system->io[n].name, system->io[i].name) != 0)
				continue;
			snprintf(path, sizeof path, "systems[%u].io[%u].name", s, n);
			site_find(
				check, path,
				"system '%s' has an interface '%s' already, at systems[%u].io[%u]; "
				"each needs a name of its own",
				system->name, system->io[n].name, s, i);
			break;
		}
	}
}

/* The run directory has files of each site (its name with one of these) and a directory (its name alone). */
static void check_site_name(struct site_check *check)
{
	static const char *const ends[] = { ".lock", ".sock", ".hand-over" };
	const char *name = check->site->name;
	size_t length = strlen(name);

	for (unsigned i = 0; i < array_len(ends); i++) {
		size_t size = strlen(ends[i]);

		if (length > size && strcmp(name + length - size, ends[i]) == 0)
			site_find(check, "name",
				  "'%s' is the file of a site '%.*s' in the run directory; a site's name ends in "
				  "none of .lock, .sock and .hand-over", name, (int)(length - size), name);
	}
}

void site_check_names(struct site_check *check)
{
	check_site_name(check);
	check_kind(check, "chassis", chassis_at);
	check_kind(check, "carrier", carrier_at);
	check_kind(check, "card", card_at);
	check_kind(check, "host", host_at);
	check_kind(check, "pool", pool_at);
	check_kind(check, "group", group_at);
	check_kind(check, "system", system_at);
	check_kind(check, "switch", switch_at);
	check_kind(check, "path", path_at);
	for (unsigned s = 0; s < check->site->systems_count; s++)
		check_io_names(check, s);
}
