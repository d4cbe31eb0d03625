/* tests/page.h -- pages of docs/ that are printed from tables of the code: a test that they are up to date.
 *
 * With MIDPLANE_UPDATE=1 the page is written anew instead. */
#ifndef TESTS_PAGE_H
#define TESTS_PAGE_H

#include "tests/check.h"

/* The text of a file that must be there; to be freed. */
static inline char *page_text(const char *path)
{
	char *text = NULL, buffer[4096];
	size_t size = 0, n;
	FILE *file = fopen(path, "r"), *all = open_memstream(&text, &size);

	assert_non_null(file);
	assert_non_null(all);
	while ((n = fread(buffer, 1, sizeof buffer, file)) > 0)
		assert_int_equal(fwrite(buffer, 1, n, all), n);
	assert_false(ferror(file));
	fclose(file);
	fclose(all);
	assert_true(size > 0);
	return text;
}

static inline void page_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* The page at 'path' is what 'print' prints. */
static inline void page_is_up_to_date(const char *path, void (*print)(FILE *out))
{
	char *made = NULL, *kept;
	size_t size = 0;
	FILE *out = open_memstream(&made, &size);

	assert_non_null(out);
	print(out);
	fclose(out);
	if (getenv("MIDPLANE_UPDATE"))
		page_write(path, made);
	kept = page_text(path);
	assert_string_equal(kept, made);
	free(kept);
	free(made);
}

#endif
