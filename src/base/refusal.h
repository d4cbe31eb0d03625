/* base/refusal.h -- why a request of the operator was refused: which setting, and one sentence
 * that says what is wrong and what is allowed.  The tool prints it, HTTP answers with it.
 *
 * Memory: a plain struct of the caller.  Text that does not fit is cut, never overrun. */
#ifndef BASE_REFUSAL_H
#define BASE_REFUSAL_H

#include "base/compiler.h"

struct refusal {
	char path[128]; /* "systems[2].io[0].pool"; empty when no setting is to blame */
	char text[384];
};

/* Fills 'why' (NULL is allowed: nothing is kept).
 *
 * path    the offending setting, or ""
 * format  as printf; one sentence without a full stop at the end */
void refuse(struct refusal *why, const char *path, const char *format, ...) printf_like(3, 4);

#endif
