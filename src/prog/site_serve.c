#include "prog/site_serve.h"
#include "prog/site_conform.h"
#include "prog/site_describe.h"
#include "prog/site_external.h"
#include "prog/site_faults.h"
#include "prog/site_guard.h"
#include "prog/site_hardware.h"
#include "prog/site_tree.h"

#include "fabric/hierarchy.h"
#include "manage/http.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct site_serve {
	struct site_run *run;
	struct site_tree tree;
	struct tree_provider provider;
	struct manage_http *http;
	struct site_avail *avail;
};

static struct run_card *card_of(struct site_serve *serve, const char *name)
{
	struct run_card *card = site_run_card(serve->run, name);

	must(card != NULL); /* the server has looked */
	return card;
}

static int pull(void *owner, const char *name, const struct manage_value *values,
		struct refusal *why)
{
	struct site_serve *serve = owner;

	(void)values;
	return site_run_pull(serve->run, card_of(serve, name), why);
}

static int insert(void *owner, const char *name, const struct manage_value *values,
		  struct refusal *why)
{
	struct site_serve *serve = owner;
	enum run_switch_back back = RUN_SWITCH_BACK_AS_CONFIGURED;

	if (values[0].there)
		back = values[0].boolean ? RUN_SWITCH_BACK : RUN_STAY;
	return site_run_insert(serve->run, card_of(serve, name), back, why);
}

static int hang(void *owner, const char *name, const struct manage_value *values,
		struct refusal *why)
{
	struct site_serve *serve = owner;

	return site_run_hang(serve->run, card_of(serve, name), values[0].boolean, why);
}

static void refuse_io(struct site_run *run, const char *system, const char *io,
		      struct refusal *why)
{
	char known[160] = "";

	for (unsigned i = 0; i < run->io_count; i++) {
		size_t used = strlen(known);

		if (strcmp(run->ios[i].system->name, system) == 0)
			snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
				 run->ios[i].io->name);
	}
	refuse(why, "io", "system '%s' has no interface '%.64s'; it has: %s", system, io, known);
}

/* The interface and the card that an action names; both are there, or 'why' says what is not. */
static bool find_both(struct site_serve *serve, const char *system, const struct manage_value *values,
		      struct run_io **io, struct run_card **card, struct refusal *why)
{
	*io = site_run_io(serve->run, system, values[0].text);
	*card = site_run_card(serve->run, values[1].text);
	if (!*io) {
		refuse_io(serve->run, system, values[0].text, why);
	} else if (!*card) {
		refuse(why, "card", "%s", "");
		tree_say_missing(&serve->provider, TREE_CARD, values[1].text, why->text, sizeof why->text);
	}
	return *io && *card;
}

static int switch_io(void *owner, const char *system, const struct manage_value *values,
		     struct refusal *why)
{
	struct site_serve *serve = owner;
	struct run_card *card;
	struct run_io *io;

	if (!find_both(serve, system, values, &io, &card, why))
		return -ENOENT;
	return site_run_switch(serve->run, io, card, why);
}

static int force_io(void *owner, const char *system, const struct manage_value *values, struct refusal *why)
{
	struct site_serve *serve = owner;
	enum run_give_up give_up = values[2].there && values[2].boolean ? RUN_GIVE_UP : RUN_KEEP_ALL;
	struct run_card *card;
	struct run_io *io;

	if (!find_both(serve, system, values, &io, &card, why))
		return -ENOENT;
	return site_run_force(serve->run, io, card, give_up, why);
}

/* The interface whose front is at function 'name', which exists. */
static struct run_io *user_of(struct site_run *run, const char *name, struct refusal *why)
{
	const char *slash = strrchr(name, '/');
	char card[SITE_NAME_MAX + 1];
	struct run_io *io;
	bool bound = false;

	must(slash != NULL);
	snprintf(card, sizeof card, "%.*s", (int)(slash - name), name);
	io = site_run_function_user(run, site_run_card(run, card)->index,
				    (unsigned)strtoul(slash + 3, NULL, 10), &bound);
	if (io && (bound || io->bound < 0))
		return io;
	refuse(why, "", "no interface uses function '%s' now", name);
	return NULL;
}

static int release(void *owner, const char *name, const struct manage_value *values,
		   struct refusal *why)
{
	struct site_serve *serve = owner;
	struct run_io *io = user_of(serve->run, name, why);

	(void)values;
	return io ? site_faults_release(io, why) : -EALREADY;
}

static const struct manage_action actions[] = {
	{ TREE_CARD, "pull", { { .name = NULL } }, pull,
	  "pulls the card: its interfaces move to their standby" },
	{ TREE_CARD, "insert",
	  { { "switch_back", TREE_BOOLEAN, MANAGE_OPTIONAL,
	      "whether interfaces go back to it; as their group says when not given" } },
	  insert, "brings a pulled card back" },
	{ TREE_CARD, "hang",
	  { { "hang", TREE_BOOLEAN, MANAGE_REQUIRED, "true: hang; false: go on" } },
	  hang, "a drill: makes its line driver hang, as a dying card does" },
	{ TREE_FUNCTION, "release", { { .name = NULL } }, release,
	  "ends the quarantine of the interface that uses it" },
	{ TREE_SYSTEM, "switch",
	  { { "io", TREE_TEXT, MANAGE_REQUIRED, "name of the interface" },
	    { "card", TREE_TEXT, MANAGE_REQUIRED, "card of its group to move it to" } },
	  switch_io, "moves one interface to another card of its group" },
	{ TREE_SYSTEM, "force",
	  { { "io", TREE_TEXT, MANAGE_REQUIRED, "name of the interface, a mirrored disk" },
	    { "card", TREE_TEXT, MANAGE_REQUIRED, "card whose half is the truth from now on" },
	    { "give_up", TREE_BOOLEAN, MANAGE_OPTIONAL, "true: what was written to the other card alone is lost" } },
	  force_io, "lets a mirrored disk go on without the card that has its latest writes" },
};

static int fdb(void *owner, const char *name, struct tree_out *out, struct refusal *why)
{
	return site_describe_fdb(card_of(owner, name), out, why);
}

static int mappings(void *owner, const char *name, struct tree_out *out, struct refusal *why)
{
	struct site_serve *serve = owner;
	int index = tree_object_find(&serve->provider, TREE_SYSTEM, name);

	(void)why;
	must(index >= 0); /* the server has looked */
	site_guard_list(serve->run, &serve->run->site->systems[index], out);
	return 0;
}

static void write_text(void *arg, const char *text, size_t size)
{
	fwrite(text, 1, size, arg);
}

/* What the host sees now: cards that are pulled are not in their slots. */
static int write_hierarchy(struct site_run *run, unsigned host, enum manage_detail detail,
			   FILE *out, struct refusal *why)
{
	int *active = calloc(run->io_count + 1, sizeof *active);
	bool *absent = calloc(run->card_count + 1, sizeof *absent);
	struct hierarchy_conf conf = {
		.site = run->site, .placement = run->places, .active = active, .absent = absent,
		.host = host, .import = site_external_import, .import_owner = run,
	};
	struct hierarchy *hierarchy = malloc(hierarchy_size(&conf));
	int err = active && absent && hierarchy ? 0 : -ENOMEM;

	if (err)
		refuse(why, "", "no memory for the tree");
	for (unsigned i = 0; !err && i < run->io_count; i++)
		active[i] = run->ios[i].bound;
	for (unsigned i = 0; !err && i < run->card_count; i++)
		absent[i] = failover_card_state(&run->failover, i) == FAILOVER_CARD_PULLED;
	if (!err)
		err = hierarchy_init(hierarchy, &conf, why);
	if (!err && detail == MANAGE_DUMP)
		hierarchy_dump(hierarchy, write_text, out);
	else if (!err)
		hierarchy_tree(hierarchy, write_text, out);
	if (!err)
		site_hardware_lspci(run, host, detail == MANAGE_DUMP ? SITE_HARDWARE_DUMP
								     : SITE_HARDWARE_LINES, out);
	free(hierarchy);
	free(absent);
	free(active);
	return err;
}

static int lspci(void *owner, const char *name, enum manage_detail detail, char **text,
		 struct refusal *why)
{
	struct site_serve *serve = owner;
	int host = tree_object_find(&serve->provider, TREE_HOST, name), err;
	size_t size;
	FILE *out = open_memstream(text, &size);

	if (!out)
		return -ENOMEM;
	err = write_hierarchy(serve->run, (unsigned)host, detail, out, why);
	if (fclose(out) != 0 && !err)
		err = -ENOMEM;
	if (err) {
		free(*text);
		*text = NULL;
	}
	return err;
}

static int conform(void *owner, const char *name, enum manage_detail detail, char **text,
		   struct refusal *why)
{
	struct site_serve *serve = owner;

	(void)detail;
	return site_conform(serve->run, name, CONFORM_GENTLE, text, why);
}

static int conform_destructive(void *owner, const char *name, enum manage_detail detail, char **text,
			       struct refusal *why)
{
	struct site_serve *serve = owner;

	(void)detail;
	return site_conform(serve->run, name, CONFORM_DESTRUCTIVE, text, why);
}

#define CONFORM_REPORTS(noun)                                                                \
	{ noun, "conform", NULL, NULL, conform,                                              \
	  "how it agrees with the PCI Express standard, assertion by assertion" },           \
	{ noun, "conform-destructive", NULL, NULL, conform_destructive,                      \
	  "the same with resets, power states and VF Enable; of a copy, nobody is disturbed" }

static const struct manage_report reports[] = {
	{ TREE_CARD, "fdb", tree_fdb_columns, fdb, NULL, "addresses that the card knows" },
	{ TREE_SYSTEM, "mappings", tree_mapping_columns, mappings, NULL,
	  "what its interfaces are granted: the mappings of their domains" },
	CONFORM_REPORTS(TREE_CARD),
	CONFORM_REPORTS(TREE_FUNCTION),
	{ TREE_HOST, "lspci", NULL, NULL, lspci,
	  "the PCI Express tree that the host sees; ?dump=1 as lspci -F reads it" },
};

static void on_event(void *owner)
{
	struct site_serve *serve = owner;

	manage_http_event(serve->http);
	site_avail_look(serve->avail);
}

int site_serve_create(struct site_serve **result, struct site_run *run, const char *socket,
		      struct refusal *why)
{
	struct site_serve *serve = calloc(1, sizeof *serve);
	struct manage_conf conf = {
		.loop = run->loop,
		.socket_path = socket,
		.version = MIDPLANE_VERSION,
		.actions = actions,
		.action_count = array_len(actions),
		.reports = reports,
		.report_count = array_len(reports),
		.owner = serve,
	};
	int err;

	if (!serve)
		return -ENOMEM;
	signal(SIGPIPE, SIG_IGN); /* a client that leaves in the middle of an answer */
	serve->run = run;
	err = site_avail_create(&serve->avail, run);
	if (err) {
		free(serve);
		return err;
	}
	serve->tree = (struct site_tree){ run, socket, serve->avail };
	serve->provider = (struct tree_provider){ &site_tree_ops, &serve->tree };
	conf.provider = serve->provider;
	err = manage_http_create(&serve->http, &conf, why);
	if (err) {
		site_avail_destroy(serve->avail);
		free(serve);
		return err;
	}
	run->events.owner = serve;
	run->events.added = on_event;
	*result = serve;
	return 0;
}

void site_serve_destroy(struct site_serve *serve)
{
	if (!serve)
		return;
	serve->run->events.added = NULL;
	manage_http_destroy(serve->http);
	site_avail_destroy(serve->avail);
	free(serve);
}
