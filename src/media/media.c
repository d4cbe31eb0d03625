#include "media/internal.h"

static struct any_medium *any_of(const struct medium *medium)
{
	return (struct any_medium *)(uintptr_t)medium;
}

int medium_open(struct medium **medium, const struct medium_conf *conf, struct refusal *why)
{
	return conf->kind == MEDIUM_MEMORY ? memory_medium_open(medium, conf, why) :
					     file_medium_open(medium, conf, why);
}

void medium_close(struct medium *medium)
{
	if (medium)
		any_of(medium)->close(any_of(medium));
}

bool medium_is_idle(const struct medium *medium)
{
	return any_of(medium)->is_idle(any_of(medium));
}

const char *medium_how(const struct medium *medium)
{
	return any_of(medium)->how;
}
