/* In the place of a medium that could not be had: dead from the beginning, with the reason. */
#include "media/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOW_SIZE = 320 };

struct absent_medium {
	struct any_medium any; /* first */
	char how[HOW_SIZE];
	struct block_request *ended[FILE_DEPTH];
	unsigned ended_count;
};

static struct absent_medium *absent_of(struct medium *medium)
{
	return container_of(medium, struct absent_medium, any.medium);
}

static unsigned submit(struct worker *worker, struct medium *medium, struct block_request **requests,
		       unsigned n)
{
	struct absent_medium *m = absent_of(medium);
	unsigned taken = min_u32(n, FILE_DEPTH - m->ended_count);

	(void)worker;
	for (unsigned i = 0; i < taken; i++) {
		requests[i]->result = BLOCK_GONE;
		m->ended[m->ended_count++] = requests[i];
	}
	return taken;
}

static unsigned reap(struct worker *worker, struct medium *medium, struct block_request **requests,
		     unsigned max)
{
	struct absent_medium *m = absent_of(medium);
	unsigned n = min_u32(max, m->ended_count);

	(void)worker;
	memcpy(requests, m->ended, n * sizeof requests[0]);
	m->ended_count -= n;
	memmove(m->ended, m->ended + n, m->ended_count * sizeof requests[0]);
	return n;
}

static bool arm(struct worker *worker, struct medium *medium)
{
	(void)worker;
	return absent_of(medium)->ended_count > 0;
}

static void close_absent(struct any_medium *any)
{
	free(absent_of(&any->medium));
}

static bool is_idle(const struct any_medium *any)
{
	(void)any;
	return true;
}

static const struct medium_ops absent_ops = {
	.name = "absent", .submit = submit, .reap = reap, .arm = arm,
};

int medium_absent(struct medium **medium, const char *why)
{
	struct absent_medium *m = calloc(1, sizeof *m);

	if (!m)
		return -ENOMEM;
	snprintf(m->how, sizeof m->how, "dead: %s", why);
	m->any = (struct any_medium){
		.medium = { .ops = &absent_ops, .block_size = 512, .physical_block_size = 512, .alignment = 1,
			    .wake_fd = -1 },
		.how = m->how, .dead = true, .close = close_absent, .is_idle = is_idle,
	};
	*medium = &m->any.medium;
	return 0;
}
