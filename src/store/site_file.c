#include "store/site_file.h"
#include "store/site_schema.h"
#include "store/site_tree.h"
#include "store/yaml_document.h"

#include "fabric/choice.h"
#include "fabric/placement.h"
#include "fabric/site_check.h"
#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One load in progress. */
struct load {
	const char *name;
	site_file_report_fn *report;
	void *arg;
	unsigned found;
	yaml_document_t *document; /* for the lines of site_check's findings */
};

/* Passes a finding on; false when that is enough. */
static bool tell(void *arg, unsigned line, const struct refusal *what)
{
	struct load *load = arg;
	const struct refusal last = { .text = "there is more; only the first findings are shown" };

	load->found++;
	if (!load->report || load->found > SITE_FINDINGS_MAX)
		return load->found <= SITE_FINDINGS_MAX;
	load->report(load->arg, &(struct site_finding){ load->name, line, false, what });
	if (load->found < SITE_FINDINGS_MAX)
		return true;
	load->report(load->arg, &(struct site_finding){ load->name, 0, false, &last });
	return false;
}

static void printf_like(3, 4) tell_text(struct load *load, unsigned line, const char *format, ...)
{
	struct refusal what = { .path = "" };
	va_list args;

	va_start(args, format);
	vsnprintf(what.text, sizeof what.text, format, args);
	va_end(args);
	tell(load, line, &what);
}

/* What is wrong with the YAML itself. */
static void tell_problem(void *arg, unsigned line, const char *text)
{
	tell_text(arg, line, "%s", text);
}

static const cyaml_config_t cyaml_config = {
	.mem_fn = cyaml_mem,
	.flags = CYAML_CFG_NO_ALIAS,
};

/* libcyaml fills the structs from the text that the tree was written out as. */
static struct site *fill(struct load *load, const struct site_text *text)
{
	struct site_cyaml schema;
	cyaml_data_t *site = NULL;
	cyaml_err_t err;

	site_schema_cyaml(&schema);
	err = cyaml_load_data((const uint8_t *)text->bytes, text->used, &cyaml_config, &schema.top,
			      &site, NULL);
	if (err != CYAML_OK)
		tell_text(load, 0, "cannot be loaded: %s", cyaml_strerror(err));
	return err == CYAML_OK ? site : NULL;
}

void site_file_free(struct site *site)
{
	struct site_cyaml schema;

	for (unsigned g = 0; site && g < site->groups_count; g++)
		free(site->groups[g].chosen);
	site_schema_cyaml(&schema);
	cyaml_free(&cyaml_config, &schema.top, site, 0);
}

/* An external card has the functions that it lists. */
static void count_functions(struct site_carrier *carrier)
{
	enum { PRESET = 16 };

	for (unsigned i = 0; i < carrier->cards_count; i++) {
		struct site_card *card = &carrier->cards[i];

		if (card->card_class == SITE_CARD_EXTERNAL && card->functions_count && card->vfs == PRESET)
			card->vfs = (uint16_t)card->functions_count;
	}
}

static void count_all_functions(struct site *site)
{
	for (unsigned c = 0; c < site->chassis_count; c++)
		for (unsigned i = 0; i < site->chassis[c].carriers_count; i++)
			count_functions(&site->chassis[c].carriers[i]);
}

/* Gives interfaces without a name the one of their position; -ENOMEM. */
static int name_interfaces(struct site *site)
{
	for (unsigned s = 0; s < site->systems_count; s++) {
		for (unsigned i = 0; i < site->systems[s].io_count; i++) {
			char **name = &site->systems[s].io[i].name;

			if (!*name && asprintf(name, "net%u", i) < 0) {
				*name = NULL;
				return -ENOMEM;
			}
		}
	}
	return 0;
}

static void tell_check(void *arg, const struct refusal *finding)
{
	struct load *load = arg;

	tell(load, site_tree_line(load->document, finding->path), finding);
}

static void warn_workers(struct load *load, const struct site *site)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct refusal what;

	if (!load->report || cpus < 1 || site->workers <= (unsigned long)cpus)
		return;
	refuse(&what, "workers", "%u data threads will share %ld CPUs; 0 takes at most one a CPU",
	       site->workers, cpus);
	load->report(load->arg,
		     &(struct site_finding){ load->name, site_tree_line(load->document, what.path),
					     true, &what });
}

/* Such a site is good for the availability model; midplaned refuses it. */
static void warn_lines(struct load *load, const struct site *site)
{
	struct site_card_place place;
	struct refusal what;
	unsigned lines = 0;

	for (unsigned i = 0; site_card_at(site, i, &place); i++)
		lines += place.card->line != NULL;
	if (!load->report || lines <= SITE_FILE_LINES_MAX)
		return;
	refuse(&what, "chassis", "%u cards have a line port, and one midplaned runs at most %d of them; make several "
	       "sites of it", lines, SITE_FILE_LINES_MAX);
	load->report(load->arg,
		     &(struct site_finding){ load->name, site_tree_line(load->document, what.path),
					     true, &what });
}

/* Gives a group copies of the chosen names, and the reason.  0, or -ENOMEM. */
static int keep_choice(struct site *site, const struct site_choice *choice)
{
	struct site_group *group = &site->groups[choice->group];
	char text[SITE_CHOICE_TEXT_SIZE];

	site_choice_text(site, choice, text);
	group->chosen = strdup(text);
	group->cards_count = 0;
	group->cards = calloc(group->count, sizeof *group->cards);
	if (!group->chosen || !group->cards)
		return -ENOMEM;
	for (unsigned i = 0; i < group->count; i++) {
		group->cards[i] = strdup(choice->cards[i]);
		if (!group->cards[i])
			return -ENOMEM;
		group->cards_count++;
	}
	return 0;
}

/* Nothing of the rows of choices from 'first' on stays in the site. */
static void drop_choices(struct site *site, const struct site_choice *choices, unsigned first,
			 unsigned count)
{
	for (unsigned i = first; i < count; i++) {
		site->groups[choices[i].group].cards = NULL;
		site->groups[choices[i].group].cards_count = 0;
	}
}

/* Chooses cards for the groups that name a pool, and checks the site with them. */
static void choose(struct load *load, struct site *site)
{
	struct avail_memory memory = { HEAP_MEMORY };
	unsigned count = site_open_groups(site), kept = 0;
	struct site_choice *choices = calloc(count, sizeof *choices);
	struct refusal why = { .path = "" };
	int err = choices ? site_choose(site, &memory, choices, &why) : -ENOMEM;

	for (; kept < count && !err; kept++)
		err = keep_choice(site, &choices[kept]);
	if (choices)
		drop_choices(site, choices, kept, count);
	free(choices);
	if (err == -ENOSPC)
		tell_check(load, &why);
	else if (err)
		tell_text(load, 0, "cards of groups cannot be chosen: %s", strerror(-err));
	else
		site_check(site, tell_check, load);
}

static struct site *build(struct load *load)
{
	struct site_tree tree = { .document = load->document, .report = tell, .arg = load };
	struct site *site = NULL;

	site_tree_check(&tree);
	if (tree.text.full)
		tell_text(load, 0, "out of memory");
	if (load->found == 0)
		site = fill(load, &tree.text);
	free(tree.text.bytes);
	if (!site)
		return NULL;
	count_all_functions(site);
	if (name_interfaces(site) != 0)
		tell_text(load, 0, "out of memory");
	else
		site_check(site, tell_check, load);
	if (load->found == 0 && site_open_groups(site) > 0)
		choose(load, site);
	if (load->found == 0) {
		warn_workers(load, site);
		warn_lines(load, site);
		return site;
	}
	site_file_free(site);
	return NULL;
}

int site_file_load_bytes(const char *name, const void *bytes, size_t size, struct site **site,
			 site_file_report_fn *report, void *arg)
{
	struct load load = { .name = name, .report = report, .arg = arg };
	yaml_document_t document;

	*site = NULL;
	if (size > SITE_FILE_SIZE_MAX) {
		tell_text(&load, 0, "is larger than %d MiB", SITE_FILE_SIZE_MAX >> 20);
		return -EINVAL;
	}
	if (!yaml_document_read(&document, "site", bytes, size, tell_problem, &load))
		return -EINVAL;
	load.document = &document;
	*site = build(&load);
	yaml_document_delete(&document);
	return *site ? 0 : -EINVAL;
}

/* Reads at most SITE_FILE_SIZE_MAX + 1 bytes; what is larger is refused later.  A pipe that nobody
 * writes to was opened without waiting for somebody; one with a writer is waited for. */
static int read_all(int fd, char **bytes, size_t *size)
{
	size_t room = SITE_FILE_SIZE_MAX + 1;
	ssize_t n;

	*size = 0;
	if (fcntl(fd, F_SETFL, 0) != 0)
		return -errno;
	*bytes = malloc(room);
	if (!*bytes)
		return -ENOMEM;
	while ((n = read(fd, *bytes + *size, room - *size)) != 0) {
		if (n > 0) {
			*size += (size_t)n;
		} else if (errno != EINTR) {
			int err = -errno;

			free(*bytes);
			return err;
		}
	}
	return 0;
}

int site_file_load(const char *path, struct site **site, site_file_report_fn *report, void *arg)
{
	struct load load = { .name = path, .report = report, .arg = arg };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;
	char *bytes = NULL;
	size_t size = 0;

	*site = NULL;
	err = fd < 0 ? -errno : read_all(fd, &bytes, &size);
	if (fd >= 0)
		close(fd);
	if (err) {
		tell_text(&load, 0, "cannot be read: %s", strerror(-err));
		return err;
	}
	err = site_file_load_bytes(path, bytes, size, site, report, arg);
	free(bytes);
	return err;
}

int site_check_file(const char *path, site_file_report_fn *report, void *arg)
{
	struct site *site;
	int err = site_file_load(path, &site, report, arg);

	site_file_free(site);
	return err;
}

void site_file_print(void *file, const struct site_finding *finding)
{
	FILE *out = file;

	fprintf(out, "%s:", finding->file);
	if (finding->line)
		fprintf(out, "%u:", finding->line);
	if (finding->what->path[0])
		fprintf(out, " %s:", finding->what->path);
	fprintf(out, "%s %s\n", finding->warning ? " warning:" : "", finding->what->text);
}
