#include "attach/attach.h"

#include "attach/kinds.h"

#include <sched.h>

const struct attach_ops *const attach_kinds[] = {
	[SITE_ATTACH_VHOST_USER] = &attach_vhost_user,
	[SITE_ATTACH_TAP] = &attach_tap,
};

void attach_hold(struct nic_front *front)
{
	while (front->hold && !hold_try(front->hold, HOLD_CONTROL))
		sched_yield();
}

void attach_release(struct nic_front *front)
{
	if (front->hold)
		hold_give(front->hold, HOLD_CONTROL);
}
