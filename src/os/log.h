/* os/log.h -- lines for operators on standard error: what happened, to what, what it means.
 *
 * Levels: error, warning, info, debug; MIDPLANE_LOG=debug (or --log-level) shows more.  A token
 * bucket per call site keeps a repeated line from flooding: LOG_BURST lines a second, and the next
 * line that is printed says how many were held back.
 *
 * Threads: ours call it on the control thread only; workers count instead.  (A driver's own lines
 * may come from any thread: a line leaves in one write, so lines never mix.) */
#ifndef OS_LOG_H
#define OS_LOG_H

#include "base/base.h"

#include <stdatomic.h>

enum { LOG_BURST = 10 /* lines of one call site a second */, LOG_LINE_MAX = 1024 };

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* One place in the source that logs; zeroed at first. */
struct log_site {
	_Atomic uint64_t window_ns; /* when the current window began */
	_Atomic unsigned printed, held_back;
};

/* Sets the least important level that is printed; default info, or what MIDPLANE_LOG says. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* -EINVAL when 'name' is no level. */
int log_parse_level(const char *name, enum log_level *level);

/* Whether 'site' may print a line at 'now_ns'; when it may, 'held_back' receives how many lines
 * it swallowed since the last one. */
bool log_site_may_print(struct log_site *site, uint64_t now_ns, unsigned *held_back);

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
