/* os/log.h -- lines for operators on standard error: what happened, to what, what it means.
 *
 * Levels: error, warning, info, debug; MIDPLANE_LOG=debug (or --log-level) shows more.  A token
 * bucket per call site keeps a repeated line from flooding.  Threads: the control thread only;
 * workers count instead. */
#ifndef OS_LOG_H
#define OS_LOG_H

#include "base/base.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_site {
	uint64_t window_ns; /* when the current window began */
	unsigned printed, held_back;
};

/* Sets the least important level that is printed; default info. */
void log_set_level(enum log_level level);
/* -EINVAL when 'name' is no level. */
int log_parse_level(const char *name, enum log_level *level);

void log_line(struct log_site *site, enum log_level level, const char *module, const char *format,
	      ...) printf_like(4, 5);

/* module: the folder's name; the sentence first, then key=value. */
#define log_at(level, module, ...)                                   \
	do {                                                         \
		static struct log_site log_site_here;                \
		log_line(&log_site_here, level, module, __VA_ARGS__); \
	} while (0)
#define log_error(module, ...)   log_at(LOG_LEVEL_ERROR, module, __VA_ARGS__)
#define log_warning(module, ...) log_at(LOG_LEVEL_WARNING, module, __VA_ARGS__)
#define log_info(module, ...)    log_at(LOG_LEVEL_INFO, module, __VA_ARGS__)
#define log_debug(module, ...)   log_at(LOG_LEVEL_DEBUG, module, __VA_ARGS__)

#endif
