/* tests/tap.c -- what cmocka says of a test that was skipped, as the TAP protocol has it: "ok 6 #
 * SKIP name". cmocka 1.1.5 says "not ok 6 # SKIP name", which meson takes for a failure.
 *
 * The library calls its own print_message() by way of the dynamic linker, so that of the program is
 * taken. */
#include "tests/check.h"

#include <stdio.h>
#include <string.h>

void print_message(const char *const format, ...)
{
	static const char skipped[] = "not ok %u # SKIP";
	const char *say = strncmp(format, skipped, sizeof skipped - 1) == 0
				  ? format + strlen("not ")
				  : format;
	va_list args;

	va_start(args, format);
	vprint_message(say, args);
	va_end(args);
}
