#include "os/log.h"

#include "os/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW_NS UINT64_C(1000000000)

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

enum { LEVEL_UNSET = -1 };
static _Atomic int least_level = LEVEL_UNSET;

int log_parse_level(const char *name, enum log_level *level)
{
	for (unsigned i = 0; i < array_len(level_names); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&least_level, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	int known = atomic_load_explicit(&least_level, memory_order_relaxed);
	enum log_level level = LOG_LEVEL_INFO;
	const char *wanted;

	if (known != LEVEL_UNSET)
		return (enum log_level)known;
	wanted = getenv("MIDPLANE_LOG");
	if (wanted)
		(void)log_parse_level(wanted, &level); /* a wrong word means the default */
	log_set_level(level);
	return level;
}

bool log_site_may_print(struct log_site *site, uint64_t now_ns, unsigned *held_back)
{
	*held_back = 0;
	if (site->window_ns == 0 || now_ns - site->window_ns >= WINDOW_NS) {
		site->window_ns = now_ns;
		site->printed = 0;
	}
	if (site->printed >= LOG_BURST) {
		site->held_back++;
		return false;
	}
	site->printed++;
	*held_back = atomic_exchange_explicit(&site->held_back, 0, memory_order_relaxed);
	return true;
}

/* Appends to 'line' as far as there is room for it and a final newline. */
static size_t append(char *line, size_t used, const char *format, va_list args)
{
	int n = vsnprintf(line + used, LOG_LINE_MAX - 1 - used, format, args);

	if (n < 0)
		return used;
	used += (size_t)n;
	return used < LOG_LINE_MAX - 2 ? used : LOG_LINE_MAX - 2;
}

static size_t append_text(char *line, size_t used, const char *format, ...) printf_like(3, 4);
static size_t append_text(char *line, size_t used, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	used = append(line, used, format, args);
	va_end(args);
	return used;
}

void log_line(struct log_site *site, enum log_level level, const char *module, const char *format,
	      ...)
{
	char line[LOG_LINE_MAX], when[32];
	unsigned held_back;
	size_t used;
	va_list args;

	if (level > log_get_level() || !log_site_may_print(site, clock_now_ns(), &held_back))
		return;
	clock_format(clock_wall_ns(), when);
	used = append_text(line, 0, "%s %s %s: ", when, level_names[level], module);
	va_start(args, format);
	used = append(line, used, format, args);
	va_end(args);
	if (held_back)
		used = append_text(line, used, " held_back=%u", held_back);
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0)
		return; /* nobody reads: there is no other place to say so */
}
