#include "prog/avail_case.h"

#include "avail/top.h"
#include "fabric/site_check.h"
#include "os/heap.h"
#include "store/avail_open.h"
#include "store/site_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct avail_case *case_create(enum avail_source source, size_t limit)
{
	struct avail_case *c = calloc(1, sizeof *c);

	if (c) {
		c->source = source;
		c->memory = (struct avail_memory){ HEAP_MEMORY, .limit = limit };
		c->notes.site_top = AVAIL_NONE;
	}
	return c;
}

void avail_case_close(struct avail_case *c)
{
	if (!c)
		return;
	avail_model_fini(&c->model);
	free(c->places);
	while (c->out_count > 0)
		free(c->out[--c->out_count]);
	if (c->owns_site)
		site_file_free(c->site);
	free(c);
}

/* Places the site's interfaces and builds its model. */
static int build(struct avail_case *c, struct refusal *why)
{
	bool failed[SITE_CARDS_MAX] = { false };
	const struct site_model_wants wants = { .card_failed = failed, .groups_as = c->groups_as };
	int err = avail_model_init(&c->model, &c->memory, c->site->name);

	if (err)
		return err;
	if (!c->site->systems_count) {
		refuse(why, "systems", "nobody is there whose availability could be asked for; the site "
		       "needs a system");
		return -EINVAL;
	}
	for (unsigned i = 0; i < c->out_count; i++) {
		int card = site_card_find(c->site, c->out[i]);

		if (card >= 0)
			failed[card] = true;
	}
	free(c->places);
	c->places = calloc(placement_count(c->site) + 1, sizeof *c->places);
	if (!c->places)
		return -ENOMEM;
	err = placement_make(c->site, c->places, why);
	if (!err)
		err = site_model_build(&c->model, c->site, c->places, &wants, &c->notes);
	return err ? err : avail_model_check(&c->model, why);
}

/* Keeps the first finding. */
static void keep_finding(void *arg, const struct refusal *finding)
{
	struct refusal *why = arg;

	if (why && !why->text[0])
		*why = *finding;
}

int avail_case_rebuild(struct avail_case *c, struct refusal *why)
{
	struct refusal found = { .path = "" };

	avail_model_fini(&c->model);
	if (site_check(c->site, keep_finding, &found)) {
		if (why)
			*why = found;
		return -EINVAL;
	}
	return build(c, why);
}

int avail_case_put_out(struct avail_case *c, const char *card, struct refusal *why)
{
	if (site_card_find(c->site, card) < 0) {
		refuse(why, "", "there is no card '%s'", card);
		return -EINVAL;
	}
	for (unsigned i = 0; i < c->out_count; i++)
		if (strcmp(c->out[i], card) == 0)
			return 0;
	must(c->out_count < SITE_CARDS_MAX);
	c->out[c->out_count] = strdup(card);
	if (!c->out[c->out_count])
		return -ENOMEM;
	c->out_count++;
	return 0;
}

static int put_out_all(struct avail_case *c, const bool *card_failed, struct refusal *why)
{
	struct site_card_place place;
	int err = 0;

	for (unsigned i = 0; !err && site_card_at(c->site, i, &place); i++)
		if (card_failed[i])
			err = avail_case_put_out(c, place.card->name, why);
	return err;
}

int avail_case_of_site(struct avail_case **out, struct site *site, size_t limit,
		       const bool *card_failed, struct refusal *why)
{
	struct avail_case *c = case_create(AVAIL_FROM_SITE, limit);
	int err;

	if (!c)
		return -ENOMEM;
	c->site = site;
	err = card_failed ? put_out_all(c, card_failed, why) : 0;
	if (!err)
		err = build(c, why);
	if (err) {
		avail_case_close(c);
		return err;
	}
	*out = c;
	return 0;
}

int avail_case_of_copy(struct avail_case **out, const struct avail_case *other)
{
	struct avail_case *c = case_create(AVAIL_FROM_SITE, other->memory.limit);
	int err = c ? site_copy(&c->site, other->site) : -ENOMEM;

	if (err) {
		avail_case_close(c);
		return err;
	}
	c->owns_site = true;
	for (unsigned i = 0; i < other->out_count && !err; i++)
		err = avail_case_put_out(c, other->out[i], NULL);
	if (err)
		avail_case_close(c);
	else
		*out = c;
	return err;
}

/* Findings of the two kinds of readers have the same words. */
struct relay {
	avail_report_fn *report;
	void *arg;
};

static void relay_site(void *arg, const struct site_finding *finding)
{
	const struct relay *relay = arg;

	relay->report(relay->arg, &(struct avail_finding){ finding->file, finding->line,
							   finding->warning, finding->what });
}

static int open_site(struct avail_case **out, const char *path, size_t limit,
		     const struct relay *relay)
{
	struct site *site;
	struct refusal why = { .path = "" };
	int err = site_file_load(path, &site, relay_site, (void *)relay);

	if (err)
		return err;
	err = avail_case_of_site(out, site, limit, NULL, &why);
	if (err) {
		if (!why.text[0])
			refuse(&why, "", "%s", strerror(-err));
		relay->report(relay->arg, &(struct avail_finding){ .file = path, .what = &why });
		site_file_free(site);
		return err;
	}
	(*out)->owns_site = true;
	return 0;
}

static int open_model(struct avail_case **out, const char *path, size_t limit,
		      enum avail_source source, const struct relay *relay)
{
	struct avail_case *c = case_create(source, limit);
	int err = c ? avail_open(path, &c->memory, &c->model, relay->report, relay->arg) : -ENOMEM;

	if (err) {
		free(c);
		return err;
	}
	if (c->model.top_count == 0)
		err = avail_top_add_roots(&c->model);
	if (err)
		avail_case_close(c);
	else
		*out = c;
	return err;
}

int avail_case_open(struct avail_case **out, const char *path, size_t limit,
		    avail_report_fn *report, void *arg)
{
	const struct relay relay = { report, arg };
	enum avail_file_kind kind;
	int err = avail_file_kind(path, &kind, report, arg);

	if (err)
		return err;
	switch (kind) {
	case AVAIL_FILE_SITE:
		return open_site(out, path, limit, &relay);
	case AVAIL_FILE_OPENPSA:
		return open_model(out, path, limit, AVAIL_FROM_OPENPSA, &relay);
	case AVAIL_FILE_YAML:
		break;
	}
	return open_model(out, path, limit, AVAIL_FROM_MODEL, &relay);
}

int avail_case_top(struct avail_case *c, const char *name, struct avail_top *top,
		   struct refusal *why)
{
	uint32_t index = c->notes.site_top;
	int err = 0;

	if (name || index == AVAIL_NONE)
		err = avail_top_find(&c->model, name, &index, why);
	if (!err)
		*top = c->model.tops[index];
	return err;
}
