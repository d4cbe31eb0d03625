#include "attach/attach.h"

#include "attach/kinds.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A worker that the machine does not let run may need the first; nothing needs the second. */
#define PATIENCE_NS UINT64_C(20000000)
#define GIVE_UP_NS  UINT64_C(10000000000)
/* One that was late once: as long as a worker that runs takes to see that it is wanted, since it may have the
 * front nearly all the time, polling for an answer that waits for this. */
#define LATE_NS     UINT64_C(200000)

const struct attach_ops *const attach_kinds[] = {
	[SITE_ATTACH_VHOST_USER] = &attach_vhost_user,
	[SITE_ATTACH_TAP] = &attach_tap,
	[SITE_ATTACH_VFIO_USER] = &attach_vfio_user_nic,
	[SITE_ATTACH_NVME] = &attach_vfio_user_disk,
	[SITE_ATTACH_VIRTIO_BLK] = &attach_vfio_user_disk,
	[SITE_ATTACH_VHOST_USER_BLK] = &attach_vhost_user,
};

/* Waits for the hold, announced, for about 'limit_ns'; true when it was taken. */
static bool take_within(struct hold *hold, uint64_t limit_ns)
{
	uint64_t began_ns = 0;

	if (hold_try(hold, HOLD_CONTROL))
		return true;
	hold_want(hold);
	while (!hold_try(hold, HOLD_CONTROL)) {
		if (began_ns == 0)
			began_ns = uv_hrtime();
		if (uv_hrtime() - began_ns >= limit_ns) {
			hold_unwant(hold);
			return false;
		}
		sched_yield();
	}
	hold_unwant(hold);
	return true;
}

bool attach_ready(struct front *front)
{
	struct hold *hold = front->hold;

	if (!hold)
		return true;
	hold->late = !take_within(hold, hold->late ? LATE_NS : PATIENCE_NS);
	if (!hold->late)
		hold_give(hold, HOLD_CONTROL);
	return !hold->late;
}

/* A request that is half carried out can be neither finished nor undone without the front: its guest
 * would get memory back that the worker may still write to. */
static _Noreturn void give_up(void)
{
	fprintf(stderr, "attach: a worker has kept a front for %u s and does not come back: the "
			"daemon ends, so that it can be started again\n",
		(unsigned)(GIVE_UP_NS / 1000000000));
	abort();
}

void attach_hold(struct front *front)
{
	if (front->hold && !take_within(front->hold, GIVE_UP_NS))
		give_up();
}

void attach_release(struct front *front)
{
	if (front->hold)
		hold_give(front->hold, HOLD_CONTROL);
}

bool attach_look(struct front *front, struct attach_look *look)
{
	_Static_assert(sizeof look->stopped == sizeof front->stopped, "the same text");

	if (!attach_ready(front))
		return false;
	attach_hold(front);
	look->ready = front->ready;
	memcpy(look->stopped, front->stopped, sizeof look->stopped);
	attach_release(front);
	return true;
}
