/* What callers ask of a medium of any kind. */
#include "media/any_medium.h"

#include <stdio.h>

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

void any_medium_failed(struct any_medium *any, enum block_op op, uint32_t code)
{
	counter_add(&any->errors, 1);
	/* release pairs with the acquire in medium_errors(): who sees an error sees that there is one */
	atomic_store_explicit(&any->last_error, (uint64_t)op << 32 | code, memory_order_release);
}

void medium_errors(const struct medium *medium, struct medium_errors *errors)
{
	static const char *const words[BLOCK_OP_COUNT] = {
		[BLOCK_READ] = "read", [BLOCK_WRITE] = "write", [BLOCK_FLUSH] = "flush",
		[BLOCK_DISCARD] = "discard", [BLOCK_WRITE_ZEROES] = "write zeroes",
	};
	struct any_medium *any = any_of(medium);
	uint64_t last = atomic_load_explicit(&any->last_error, memory_order_acquire);
	char text[56];

	*errors = (struct medium_errors){ .count = 0 };
	if (!last)
		return;
	errors->count = counter_get(&any->errors);
	any->say_error((uint32_t)last, text, sizeof text);
	snprintf(errors->last, sizeof errors->last, "%s: %s", words[last >> 32], text);
}
