/* card/due_front_test.h -- for tests: a front that owes its guest a call, and what is to become of it. */
#ifndef CARD_DUE_FRONT_TEST_H
#define CARD_DUE_FRONT_TEST_H

#include "channel/block.h"
#include "channel/polled.h"
#include "tests/check.h"

/* A front that has told nobody of what it has, and is to do that at a time. */
static unsigned told;

static unsigned poll_nothing(struct worker *worker, struct block_front *front, uint64_t now_ns)
{
	(void)worker;
	(void)front;
	(void)now_ns;
	return 0;
}

static void tell(struct worker *worker, struct block_front *front)
{
	(void)worker;
	told++;
	front->due_ns = 0;
}

static bool arm_nothing(struct worker *worker, struct block_front *front)
{
	(void)worker;
	assert_int_equal(front->due_ns, 0); /* else its guest would kick a worker that is awake */
	return false;
}

static const struct block_front_ops silent_ops = { .name = "silent", .poll = poll_nothing, .flush = tell,
						   .arm = arm_nothing };

/* Whatever polls such a front keeps its worker awake, and has it tell its guest when that is due. */
static void check_due(struct polled *polled, struct block_front *front, uint64_t now_ns)
{
	told = 0;
	front->due_ns = now_ns + 5000;
	(void)polled->ops->poll(NULL, polled, now_ns);
	assert_int_equal(told, 0);
	assert_true(polled->ops->arm(NULL, polled));
	assert_true(polled->ops->deadline_ns(NULL, polled) == now_ns + 5000);
	(void)polled->ops->poll(NULL, polled, now_ns + 4999);
	assert_int_equal(told, 0);
	(void)polled->ops->poll(NULL, polled, now_ns + 5000);
	assert_int_equal(told, 1);
	assert_true(polled->ops->deadline_ns(NULL, polled) > now_ns + 5000);
	assert_false(polled->ops->arm(NULL, polled));
}

#endif
