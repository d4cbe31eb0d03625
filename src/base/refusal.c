#include "base/refusal.h"

#include <stdarg.h>
#include <stdio.h>

void refuse(struct refusal *why, const char *path, const char *format, ...)
{
	va_list args;

	if (!why)
		return;
	snprintf(why->path, sizeof why->path, "%s", path);
	va_start(args, format);
	vsnprintf(why->text, sizeof why->text, format, args);
	va_end(args);
}
