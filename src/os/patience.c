#include "os/patience.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id /* glibc names the kernel's member since 2.38 only */
#define sigev_notify_thread_id _sigev_un._tid
#endif

static void on_signal(int number)
{
	(void)number; /* to have interrupted is all */
}

/* Without SA_RESTART: the call that it ends must not begin again. */
static int install(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&action.sa_mask);
	return sigaction(PATIENCE_SIGNAL, &action, NULL) ? -errno : 0;
}

int patience_begin(struct patience *patience)
{
	const struct timespec period = { .tv_nsec = PATIENCE_MS * 1000000L };
	const struct itimerspec again = { .it_interval = period, .it_value = period };
	struct sigevent event;
	int err = install();

	patience->there = false;
	if (err)
		return err;
	memset(&event, 0, sizeof event);
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = PATIENCE_SIGNAL;
	event.sigev_notify_thread_id = gettid();
	if (timer_create(CLOCK_MONOTONIC, &event, &patience->timer) != 0)
		return -errno;
	patience->there = true;
	return timer_settime(patience->timer, 0, &again, NULL) ? -errno : 0;
}

void patience_end(struct patience *patience)
{
	if (patience->there)
		(void)timer_delete(patience->timer);
	patience->there = false;
}
