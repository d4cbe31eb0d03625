/* os/patience.h -- a thread that never waits long in the kernel for what another process does.
 *
 * A frontend shares the descriptors that it hands us: it may take O_NONBLOCK off its eventfd and fill
 * it at any moment, and a write to that waits until somebody reads.  Between patience_begin() and
 * patience_end() a signal comes to the thread every PATIENCE_MS, so that such a call ends with EINTR
 * and tells what it was.  What it does not end is a wait that no signal ends (a page of a file system
 * whose server is silent): such files are not taken (os/guest_memory.h).
 *
 * Threads: each for itself.  Memory: the caller's. */
#ifndef OS_PATIENCE_H
#define OS_PATIENCE_H

#include "base/base.h"

#include <signal.h>
#include <time.h>

enum { PATIENCE_MS = 10, PATIENCE_SIGNAL = SIGURG };

struct patience {
	timer_t timer;
	bool there;
};

/* For the calling thread, until patience_end(): 0 or -errno. */
int patience_begin(struct patience *patience);
void patience_end(struct patience *patience);

#endif
