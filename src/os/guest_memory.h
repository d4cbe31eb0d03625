/* os/guest_memory.h -- memory that another process lends us: mapped from its descriptors, and
 * survived when that process takes it back.
 *
 * A guest's VMM may truncate the file behind a mapping; touching it then raises SIGBUS.
 * guest_memory_guard() installs a handler that puts zero pages there and marks the mapping as
 * lost, so that the daemon goes on and the function is stopped.
 *
 * Threads: map and unmap on the control thread; guest_memory_lost from any. */
#ifndef OS_GUEST_MEMORY_H
#define OS_GUEST_MEMORY_H

#include "base/base.h"

enum { GUEST_MEMORY_MAPPINGS_MAX = 4096 };

struct guest_mapping; /* one mapping */

/* Installs the SIGBUS handler, unless it is there.  A SIGBUS elsewhere does what it did before.
 * 0 or -errno. */
int guest_memory_guard(void);

/* Maps 'size' bytes of 'fd' from byte 'offset' (any alignment), shared, readable and writable;
 * the descriptor stays the caller's.  0, or -errno (-EINVAL when the file is shorter than that,
 * -ENOSPC when GUEST_MEMORY_MAPPINGS_MAX are in use, -EPERM when it is neither memory (memfd, tmpfs,
 * hugetlbfs) nor on a local disk: whoever serves such a file could let us wait for a page without
 * end). */
int guest_memory_map(int fd, uint64_t offset, uint64_t size, struct guest_mapping **mapping);
/* The same at a place whose address agrees with 'like' in its low 30 bits, where the pages of the file allow
 * it: tables that translate one into the other need no more pages than either has large ones. */
int guest_memory_map_like(int fd, uint64_t offset, uint64_t size, uint64_t like,
			  struct guest_mapping **mapping);
/* First byte at 'offset'. */
uint8_t *guest_memory_bytes(const struct guest_mapping *mapping);
/* Whether a page of it went away under us since it was mapped. */
bool guest_memory_lost(const struct guest_mapping *mapping);
/* Calls on_loss(owner) once when that happens, on the thread that touched the page and inside the
 * signal handler: it may do no more than what signal-safety(7) allows (uv_async_send does).  Set
 * before the memory is used. */
void guest_memory_on_loss(struct guest_mapping *mapping, void (*on_loss)(void *owner), void *owner);
void guest_memory_unmap(struct guest_mapping *mapping); /* NULL is nothing */

#endif
