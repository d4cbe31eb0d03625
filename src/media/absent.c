/* In the place of a medium that could not be had: dead from the beginning, with the reason. */
#include "media/at_once.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOW_SIZE = 320 };

struct absent_medium {
	struct at_once at_once; /* first */
	char how[HOW_SIZE];
};

static struct absent_medium *absent_of(struct medium *medium)
{
	return container_of(medium, struct absent_medium, at_once.any.medium);
}

static unsigned submit(struct worker *worker, struct medium *medium, struct block_request **requests,
		       unsigned n)
{
	struct at_once *m = at_once_of(medium);
	unsigned taken = min_u32(n, at_once_room(m));

	(void)worker;
	for (unsigned i = 0; i < taken; i++)
		at_once_end(m, requests[i], BLOCK_GONE);
	return taken;
}

static void close_absent(struct any_medium *any)
{
	free(absent_of(&any->medium));
}

static const struct medium_ops absent_ops = {
	.name = "absent", .submit = submit, .reap = at_once_reap, .arm = at_once_arm,
};

int medium_absent(struct medium **medium, const char *why)
{
	struct absent_medium *m = calloc(1, sizeof *m);

	if (!m)
		return -ENOMEM;
	snprintf(m->how, sizeof m->how, "dead: %s", why);
	m->at_once.any = (struct any_medium){
		.medium = { .ops = &absent_ops, .block_size = 512, .physical_block_size = 512, .alignment = 1,
			    .wake_fd = -1 },
		.how = m->how, .dead = true, .close = close_absent, .is_idle = at_once_is_idle,
	};
	*medium = &m->at_once.any.medium;
	return 0;
}
