#include "fabric/site_lookup.h"
#include "fabric/name_table.h"

/* The position of a name of a checked site. */
static unsigned position_of(const struct site_name_table *names, const char *name)
{
	int position = site_name_table_find(names, name);

	must(position >= 0);
	return (unsigned)position;
}

/* In which chassis hosts are, and paths end. */
static void resolve_chassis(struct site_lookup *at, const struct site *site)
{
	struct site_name_table names;

	site_name_table_init(&names, site->chassis_count);
	for (unsigned c = 0; c < site->chassis_count; c++)
		site_name_table_add(&names, site->chassis[c].name, c);
	for (unsigned h = 0; h < site->hosts_count; h++)
		at->host_chassis[h] = position_of(&names, site->hosts[h].chassis);
	for (unsigned p = 0; p < site->paths_count; p++)
		for (unsigned i = 0; i < 2; i++)
			at->path_ends[p][i] = position_of(&names, site->paths[p].chassis[i]);
}

static void resolve_hosts(struct site_lookup *at, const struct site *site)
{
	struct site_name_table names;

	site_name_table_init(&names, site->hosts_count);
	for (unsigned h = 0; h < site->hosts_count; h++)
		site_name_table_add(&names, site->hosts[h].name, h);
	for (unsigned s = 0; s < site->systems_count; s++)
		at->system_host[s] = position_of(&names, site->systems[s].host);
}

static void resolve_groups(struct site_lookup *at, const struct site *site,
			   const struct placement *places)
{
	struct site_name_table names;

	site_name_table_init(&names, site->groups_count);
	for (unsigned g = 0; g < site->groups_count; g++)
		site_name_table_add(&names, site->groups[g].name, g);
	for (unsigned row = 0; row < placement_count(site); row++) {
		const struct placement *place = &places[row];
		const char *group = site->systems[place->system].io[place->io].redundancy;

		if (group)
			at->row_group[row] = &site->groups[position_of(&names, group)];
	}
}

static void resolve_cards(struct site_lookup *at, const struct site *site)
{
	struct site_card_walk walk = { 0 };

	for (unsigned i = 0; i < site_card_count(site); i++)
		must(site_card_next(site, &walk, &at->cards[i]));
}

void site_lookup_init(struct site_lookup *at, const struct site *site,
		      const struct placement *places)
{
	resolve_chassis(at, site);
	resolve_hosts(at, site);
	resolve_groups(at, site, places);
	resolve_cards(at, site);
}
