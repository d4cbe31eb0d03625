#include "tests/fake_site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned count(void *owner, enum tree_noun noun)
{
	struct fake_site *site = owner;

	switch (noun) {
	case TREE_CARD:
		return FAKE_CARDS;
	case TREE_FUNCTION:
		return FAKE_FUNCTIONS;
	case TREE_EVENT:
		return site->event_count;
	default:
		return 1;
	}
}

static void name(void *owner, enum tree_noun noun, unsigned index, char text[TREE_NAME_MAX])
{
	static const char *const names[TREE_NOUN_COUNT] = {
		[TREE_SITE] = "fake",   [TREE_CHASSIS] = "chassis0", [TREE_CARRIER] = "carrier0",
		[TREE_HOST] = "host0",  [TREE_POOL] = "pool0",       [TREE_SYSTEM] = "vm1",
		[TREE_GROUP] = "pair0", [TREE_WORKER] = "0",   [TREE_AVAIL] = "site",
		[TREE_FAULT] = "1",
	};

	(void)owner;
	if (noun == TREE_CARD)
		snprintf(text, TREE_NAME_MAX, "nic%u", index);
	else if (noun == TREE_FUNCTION)
		snprintf(text, TREE_NAME_MAX, "nic%u/vf%u", index / 3, index % 3 + 1);
	else if (noun == TREE_EVENT)
		snprintf(text, TREE_NAME_MAX, "%u", index + 1);
	else
		snprintf(text, TREE_NAME_MAX, "%s", names[noun]);
}

static const char *word_for(const struct fake_site *site, enum tree_noun noun, unsigned index,
			    const char *property)
{
	if (noun == TREE_CARD && strcmp(property, "state") == 0)
		return site->pulled[index] ? "pulled" : "in-service";
	if (noun == TREE_CARD && strcmp(property, "line") == 0)
		return "net_af_packet0,iface=line0";
	if (strcmp(property, "time") == 0)
		return "2026-11-22T12:00:00.000000Z";
	if (strcmp(property, "kind") == 0)
		return "moved";
	return property;
}

static void put(struct fake_site *site, enum tree_noun noun, unsigned index,
		const struct tree_property *p, struct tree_out *out)
{
	switch (p->type) {
	case TREE_TEXT:
		tree_put_text(out, p->name, word_for(site, noun, index, p->name));
		break;
	case TREE_INTEGER:
		tree_put_integer(out, p->name,
				 strcmp(p->name, "id") == 0 ? index + 1 : 1500 * (index + 1));
		break;
	case TREE_NUMBER:
		tree_put_number(out, p->name, 250.5);
		break;
	case TREE_BOOLEAN:
		tree_put_boolean(out, p->name, noun == TREE_CARD && site->hung[index]);
		break;
	case TREE_LIST:
		tree_put_list(out, p->name);
		tree_put_item(out, p->name, "nic0");
		tree_put_item(out, p->name, "nic1");
		break;
	default:
		tree_put_rows(out, p->name);
		tree_row_begin(out, p->name);
		for (const struct tree_property *c = p->columns; c->name; c++)
			put(site, noun, index, c, out);
		tree_row_end(out);
	}
}

static void describe(void *owner, enum tree_noun noun, unsigned index, struct tree_out *out)
{
	/* A null: the standby of nothing. */
	for (const struct tree_property *p = tree_properties[noun] + 1; p->name; p++)
		if (strcmp(p->name, "interface") != 0)
			put(owner, noun, index, p, out);
}

static const struct tree_provider_ops ops = { count, name, describe };

void fake_site_add_event(struct fake_site *site)
{
	must(site->event_count < FAKE_EVENTS_MAX);
	site->event_count++;
	if (site->http)
		manage_http_event(site->http);
}

static unsigned card_index(const char *card)
{
	return card[3] == '1';
}

static int pull(void *owner, const char *card, const struct manage_value *values,
		struct refusal *why)
{
	struct fake_site *site = owner;

	(void)values;
	if (site->pulled[card_index(card)]) {
		refuse(why, "", "card '%s' is pulled already", card);
		return -EALREADY;
	}
	site->pulled[card_index(card)] = true;
	snprintf(site->last_action, sizeof site->last_action, "pull %s", card);
	fake_site_add_event(site);
	return 0;
}

static int insert(void *owner, const char *card, const struct manage_value *values,
		  struct refusal *why)
{
	struct fake_site *site = owner;

	if (!site->pulled[card_index(card)]) {
		refuse(why, "", "card '%s' is not pulled", card);
		return -EALREADY;
	}
	site->pulled[card_index(card)] = false;
	snprintf(site->last_action, sizeof site->last_action, "insert %s %s", card,
		 !values[0].there ? "as configured" : values[0].boolean ? "back" : "stay");
	return 0;
}

static int hang(void *owner, const char *card, const struct manage_value *values,
		struct refusal *why)
{
	struct fake_site *site = owner;

	(void)why;
	site->hung[card_index(card)] = values[0].boolean;
	return 0;
}

static int switch_io(void *owner, const char *system, const struct manage_value *values,
		     struct refusal *why)
{
	struct fake_site *site = owner;

	if (strcmp(values[0].text, "net0") != 0) {
		refuse(why, "io", "system '%s' has no interface '%s'", system, values[0].text);
		return -ENOENT;
	}
	snprintf(site->last_action, sizeof site->last_action, "switch %s %s %s", system,
		 values[0].text, values[1].text);
	return 0;
}

static const struct manage_action actions[] = {
	{ TREE_CARD, "pull", { { NULL, TREE_TEXT, MANAGE_OPTIONAL, NULL } }, pull, "takes it out" },
	{ TREE_CARD, "insert",
	  { { "switch_back", TREE_BOOLEAN, MANAGE_OPTIONAL, "whether interfaces go back" } },
	  insert, "puts it in" },
	{ TREE_CARD, "hang", { { "hang", TREE_BOOLEAN, MANAGE_REQUIRED, "hang or not" } }, hang,
	  "makes it hang" },
	{ TREE_SYSTEM, "switch",
	  { { "io", TREE_TEXT, MANAGE_REQUIRED, "interface" },
	    { "card", TREE_TEXT, MANAGE_REQUIRED, "card" } },
	  switch_io, "moves an interface" },
};

static int fdb(void *owner, const char *card, struct tree_out *out, struct refusal *why)
{
	struct fake_site *site = owner;

	if (site->pulled[card_index(card)]) {
		refuse(why, "", "card '%s' is pulled", card);
		return -ENODEV;
	}
	tree_row_begin(out, "rows");
	tree_put_text(out, "mac", "52:54:00:00:00:01");
	tree_put_integer(out, "vlan", 7);
	tree_put_text(out, "port", "nic0/vf1");
	tree_put_boolean(out, "fixed", false);
	tree_put_number(out, "age_s", 1.5);
	tree_row_end(out);
	return 0;
}

static int lspci(void *owner, const char *host, enum manage_detail detail, char **text,
		 struct refusal *why)
{
	(void)owner, (void)host, (void)why;
	*text = strdup(detail == MANAGE_DUMP ? "00:00.0 dump\n" : "-[0000:00]-\n");
	return *text ? 0 : -ENOMEM;
}

static const struct manage_report reports[] = {
	{ TREE_CARD, "fdb", tree_fdb_columns, fdb, NULL, "learned addresses" },
	{ TREE_HOST, "lspci", NULL, NULL, lspci, "its PCI Express tree" },
};

void fake_site_conf(struct fake_site *site, struct manage_conf *conf)
{
	conf->version = "0";
	conf->provider = (struct tree_provider){ &ops, site };
	conf->actions = actions;
	conf->action_count = array_len(actions);
	conf->reports = reports;
	conf->report_count = array_len(reports);
	conf->owner = site;
}
