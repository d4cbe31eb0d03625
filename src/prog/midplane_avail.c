/* prog/midplane_avail.c -- avail: answers here, from files; asks no daemon. */
#include "prog/avail_compare.h"
#include "prog/avail_page.h"
#include "prog/avail_picture.h"
#include "prog/midplane.h"
#include "store/site_number.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEFAULT_SETS = 10, DEFAULT_SECONDS = 60 };

/* Options that are numbers: how each is read into the question. */
enum reading { READ_COUNT, READ_SHARE, READ_TIME, READ_SIZE };

struct number_option {
	enum midplane_option option;
	enum reading reading;
	size_t offset;
	uint64_t least, most;
	const char *allowed;
};

#define AT(member) offsetof(struct avail_question, member)
static const struct number_option numbers[] = {
	{ OPTION_CUT_SETS, READ_COUNT, AT(cut_sets), 0, 1000000, "a whole number up to 1000000" },
	{ OPTION_CUT_OFF, READ_SHARE, AT(cut_off), 0, 0, "a probability from 0 to 1" },
	{ OPTION_MISSION, READ_TIME, AT(mission_h), 0, 0, "a time such as 1y or 720h" },
	{ OPTION_CURVE, READ_TIME, AT(curve_h), 0, 0, "a time such as 24h" },
	{ OPTION_DRAWS, READ_COUNT, AT(draws), 1, 100000000, "a whole number from 1 to 1e8" },
	{ OPTION_SIMULATE, READ_COUNT, AT(replications), 1, UINT64_C(1000000000000),
	  "a whole number from 1 to 1e12" },
	{ OPTION_SEED, READ_COUNT, AT(seed), 1, INT64_MAX, "a whole number from 1" },
	{ OPTION_NODES, READ_COUNT, AT(nodes), 1000, UINT32_MAX, "a whole number from 1000" },
	{ OPTION_MEMORY_LIMIT, READ_SIZE, AT(memory_bytes), 1 << 20, UINT64_C(1) << 50,
	  "bytes, or with one of k, M, G, at least 1M" },
	{ OPTION_SECONDS, READ_COUNT, AT(seconds), 0, 1000000000, "a whole number of seconds" },
};
#undef AT

/* "4096", "512M", "2G": prefixes of 1024. */
static bool parse_size(const char *text, uint64_t *bytes)
{
	static const char prefixes[] = "kMG";
	size_t length = strlen(text);
	const char *prefix = length ? strchr(prefixes, text[length - 1]) : NULL;
	char digits[24];
	unsigned shift;

	if (!prefix || !*prefix)
		return site_number_parse(text, bytes);
	snprintf(digits, sizeof digits, "%.*s", (int)min_u64(length - 1, 20), text);
	shift = 10 * (unsigned)(prefix - prefixes + 1);
	if (!site_number_parse(digits, bytes) || *bytes > UINT64_MAX >> shift)
		return false;
	*bytes <<= shift;
	return true;
}

static bool read_number(const struct number_option *row, const char *text,
			struct avail_question *question)
{
	uint8_t *member = (uint8_t *)question + row->offset;
	uint64_t whole = 0;
	double real = 0;

	switch (row->reading) {
	case READ_SHARE:
		if (!site_share_parse(text, &real))
			return false;
		break;
	case READ_TIME:
		if (!site_hours_parse(text, &real) || real <= 0)
			return false;
		break;
	case READ_SIZE:
	case READ_COUNT:
		if (!(row->reading == READ_SIZE ? parse_size(text, &whole)
						: site_number_parse(text, &whole)) ||
		    whole < row->least || whole > row->most)
			return false;
		memcpy(member, &whole, sizeof whole);
		return true;
	}
	memcpy(member, &real, sizeof real);
	return true;
}

_Static_assert(sizeof(size_t) == sizeof(uint64_t), "every whole number of a question is 64 bits");

static size_t half_of_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	return pages > 0 && size > 0 ? (size_t)pages / 2 * (size_t)size : (size_t)1 << 30;
}

static bool read_only(const char *text, enum avail_only *only)
{
	static const struct {
		const char *word;
		enum avail_only only;
	} rows[] = {
		{ "probability", AVAIL_ONLY_PROBABILITY },
		{ "cut-sets", AVAIL_ONLY_SETS },
		{ "importance", AVAIL_ONLY_IMPORTANCE },
	};

	for (unsigned i = 0; i < array_len(rows); i++)
		if (strcmp(text, rows[i].word) == 0) {
			*only = rows[i].only;
			return true;
		}
	return false;
}

static enum midplane_exit read_question(const struct call *call, struct avail_question *question)
{
	const char *by = call->option[OPTION_BY], *threads = call->option[OPTION_THREADS];
	const char *only = call->option[OPTION_ONLY];
	uint64_t count = 0;

	*question = (struct avail_question){ .top = call->option[OPTION_TOP],
					     .cut_sets = DEFAULT_SETS,
					     .seed = 1,
					     .seconds = DEFAULT_SECONDS,
					     .memory_bytes = half_of_memory(),
					     .prime_implicants = call->option[OPTION_PRIME],
					     .approximate = call->option[OPTION_APPROXIMATE] };
	for (unsigned i = 0; i < array_len(numbers); i++) {
		const char *text = call->option[numbers[i].option];

		if (text && !read_number(&numbers[i], text, question)) {
			midplane_complain(call, "--%s: '%s' is not allowed; allowed: %s",
					  midplane_option_word(numbers[i].option), text,
					  numbers[i].allowed);
			return MIDPLANE_USAGE;
		}
	}
	if (by && strcmp(by, "probability") == 0) {
		question->sort = AVAIL_SORT_PROBABILITY;
	} else if (by && strcmp(by, "order") != 0) {
		midplane_complain(call, "--by: '%s' is neither order nor probability", by);
		return MIDPLANE_USAGE;
	}
	if (only && !read_only(only, &question->only)) {
		midplane_complain(call,
				  "--only: '%s' is none of probability, cut-sets and importance",
				  only);
		return MIDPLANE_USAGE;
	}
	if (threads && (!site_number_parse(threads, &count) || count < 1 || count > 64)) {
		midplane_complain(call, "--threads: '%s' is not allowed; allowed: 1 to 64",
				  threads);
		return MIDPLANE_USAGE;
	}
	question->threads = (unsigned)count;
	question->progress = isatty(STDERR_FILENO) == 1;
	return MIDPLANE_OK;
}

static enum midplane_exit complain_why(const struct call *call,
				       const struct avail_question *question, int err,
				       const struct refusal *why)
{
	if (why->text[0])
		midplane_complain(call, "%s: %s%s%s", call->name, why->path,
				  why->path[0] ? ": " : "", why->text);
	else if (err == -ENOMEM)
		midplane_complain(call,
				  "%s: the model does not fit into %zu MiB; raise --memory-limit",
				  call->name, question->memory_bytes >> 20);
	else
		midplane_complain(call, "%s: %s", call->name, strerror(-err));
	return MIDPLANE_REFUSED;
}

/* What --what-if and --improve add to the answer. */
static enum midplane_exit compare(const struct call *call, const struct avail_question *question,
				  json_t *answer)
{
	struct refusal why = { .path = "" };
	int err = 0;

	if (call->changes[0])
		err = avail_compare_what_if(answer, call->name, question, call->changes, &why);
	if (!err && call->option[OPTION_IMPROVE])
		err = avail_compare_improve(answer, call->name, question, &why);
	return err ? complain_why(call, question, err, &why) : MIDPLANE_OK;
}

/* Opens the file of an option, lets 'write' fill it, and says what went wrong. */
static enum midplane_exit write_file(const struct call *call, enum midplane_option option,
				     avail_write_fn *write, const struct avail_picture *picture)
{
	const char *path = call->option[option];
	FILE *out;
	int err;

	if (!path)
		return MIDPLANE_OK;
	out = fopen(path, "we");
	if (!out) {
		midplane_complain(call, "%s: cannot be written: %s", path, strerror(errno));
		return MIDPLANE_REFUSED;
	}
	err = write(out, picture);
	if (fclose(out) != 0 && !err)
		err = -errno;
	if (!err)
		return MIDPLANE_OK;
	midplane_complain(call, "%s: cannot be written: %s", path, strerror(-err));
	return MIDPLANE_REFUSED;
}

static enum midplane_exit print(const struct call *call, struct avail_case *c,
				const struct avail_question *question, const json_t *answer)
{
	struct avail_picture picture = { .model = &c->model, .answer = answer };
	struct refusal why;
	enum midplane_exit code;

	must(avail_case_top(c, question->top, &picture.top, &why) == 0); /* it has been answered */
	if (call->json) {
		json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
		putchar('\n');
	} else {
		avail_page_print(stdout, answer);
	}
	code = write_file(call, OPTION_REPORT, avail_html_write, &picture);
	return code ? code : write_file(call, OPTION_DOT, avail_dot_write, &picture);
}

enum midplane_exit midplane_avail_solve(const struct call *call)
{
	struct avail_question question;
	struct refusal why = { .path = "" };
	struct avail_case *c;
	json_t *answer;
	enum midplane_exit code = read_question(call, &question);
	int err;

	if (code)
		return code;
	if (avail_case_open(&c, call->name, question.memory_bytes, avail_finding_print, stderr) !=
	    0)
		return MIDPLANE_REFUSED;
	err = avail_answer(c, &question, &answer, &why);
	if (err) {
		code = complain_why(call, &question, err, &why);
	} else {
		code = compare(call, &question, answer);
		if (!code)
			code = print(call, c, &question, answer);
		json_decref(answer);
	}
	avail_case_close(c);
	return code;
}
