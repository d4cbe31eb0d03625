/* uplink/link_count.h -- how often the carrier of a kernel interface has come and gone, as sysfs
 * counts it.
 *
 * Of all that the kernel tells of a link this alone is true at once and costs no network lock:
 * flags and rtnetlink follow when a work queue of the kernel has had its turn, which others may
 * delay for long. A sysfs of another network namespace, as a process may well see, counts for
 * nothing here.
 *
 * Threads: any number may read.  Memory: the caller's; close gives the descriptor back. */
#ifndef UPLINK_LINK_COUNT_H
#define UPLINK_LINK_COUNT_H

#include "base/base.h"

struct link_count {
	int fd; /* -1: nothing is counted */
};

/* -errno, and nothing is counted then: -ENOENT when sysfs does not show this interface. */
int link_count_open(struct link_count *count, const char *interface);
void link_count_close(struct link_count *count);

/* Changes so far, modulo 2^32.  False when nothing is counted, or no longer. */
bool link_count_read(const struct link_count *count, uint32_t *changes);

#endif
