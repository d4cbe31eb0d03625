/* What callers ask of a medium of any kind. */
#include "media/any_medium.h"

static struct any_medium *any_of(const struct medium *medium)
{
	return (struct any_medium *)(uintptr_t)medium;
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

bool medium_is_dead(const struct medium *medium)
{
	/* acquire pairs with the release in nvme_io.c: 'how' is the reason then */
	return atomic_load_explicit(&any_of(medium)->dead, memory_order_acquire);
}

const char *medium_how(const struct medium *medium)
{
	return atomic_load_explicit(&any_of(medium)->how, memory_order_acquire);
}

const char *medium_note(const struct medium *medium)
{
	const char *note = any_of(medium)->note;

	return note ? note : "";
}
