/* tests/avail_reader.h -- for tests of what reads availability models: one model at a time, what was found about
 * its file, and its figures by enumeration. */
#ifndef TESTS_AVAIL_READER_H
#define TESTS_AVAIL_READER_H

#include "avail/top.h"
#include "store/avail_findings.h"
#include "tests/avail_enumerate.h"
#include "tests/avail_heap.h"

#include <errno.h>
#include <math.h>

enum { FINDINGS_SIZE = 64 * 1024 };

static struct test_heap heap;
static struct avail_model model;
static char reported[FINDINGS_SIZE], expected[FINDINGS_SIZE];
static const char *read_as; /* name of the file that is being read */

static inline int begin(void **state)
{
	(void)state;
	test_heap_init(&heap);
	reported[0] = expected[0] = 0;
	read_as = "text";
	return avail_model_init(&model, &heap.memory, "test");
}

static inline int end(void **state)
{
	(void)state;
	avail_model_fini(&model);
	return heap.memory.used != 0;
}

static void add(char *text, const char *format, ...) printf_like(2, 3);

static void add(char *text, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	assert_true(used < FINDINGS_SIZE - 1024);
	vsnprintf(text + used, FINDINGS_SIZE - used, format, args);
	va_end(args);
}

/* A line a finding; the name of the file only where it is another one. */
static inline void keep(void *arg, const struct avail_finding *finding)
{
	(void)arg;
	if (strcmp(finding->file, read_as) != 0)
		add(reported, "%s:", finding->file);
	if (finding->line)
		add(reported, "%u: ", finding->line);
	if (finding->what->path[0])
		add(reported, "%s: ", finding->what->path);
	add(reported, "%s%s\n", finding->warning ? "warning: " : "", finding->what->text);
}

/* Reads the lines between 'mark' and 'end_mark' at the begin of the file: what it expects. */
static inline void read_expected(const char *path, const char *mark, const char *end_mark)
{
	FILE *file = fopen(path, "r");
	char line[1024], *stop;

	assert_non_null(file);
	expected[0] = 0;
	while (fgets(line, sizeof line, file) && strncmp(line, mark, strlen(mark)) == 0) {
		stop = strstr(line, end_mark);
		assert_non_null(stop);
		*stop = 0;
		add(expected, "%s\n", line + strlen(mark));
	}
	fclose(file);
	assert_int_not_equal(strlen(expected), 0);
}

static inline void near(double found, double wanted, double relative)
{
	if (fabs(found - wanted) <= relative * fabs(wanted) || found == wanted)
		return;
	print_error("%.17g is not %.17g\n", found, wanted);
	fail();
}

static inline uint32_t top_of(const char *name)
{
	struct refusal why;
	uint32_t top;
	int err = avail_top_find(&model, name, &top, &why);

	if (err)
		print_error("%s: %s\n", why.path, why.text);
	assert_int_equal(err, 0);
	return top;
}

static inline double probability(const char *name)
{
	return enumerate_term(&model, model.tops[top_of(name)].down);
}

static inline double frequency(const char *name)
{
	uint32_t expression = model.tops[top_of(name)].frequency;

	assert_int_not_equal(expression, AVAIL_NONE);
	return enumerate_value(&model, expression);
}

#endif
