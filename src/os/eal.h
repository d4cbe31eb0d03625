/* os/eal.h -- DPDK's environment, started so that it suits a daemon: no root needed, no file left
 * behind, no signal taken, no noise.
 *
 * Memory is hugepages when the host has enough of them free, else ordinary pages.  Data threads are
 * lcores 1..workers, placed round robin on the CPUs this process may use (there may be more
 * threads than CPUs); the control thread is lcore 0 and keeps its own affinity.
 *
 * Threads: all on the control thread.  Once a process: DPDK cannot be started twice. */
#ifndef OS_EAL_H
#define OS_EAL_H

#include "base/refusal.h"

enum { EAL_WORKERS_MAX = 64 };

struct eal_conf {
	const char *name;      /* of the site: for messages of DPDK's own tools */
	unsigned workers;      /* data threads, 1..EAL_WORKERS_MAX */
	unsigned memory_mb;    /* how much memory to reserve; 0: 256 */
	const char *const *pci_allow; /* PCI addresses of line ports; NULL-terminated or NULL */
};

/* Starts DPDK's environment; the calling thread becomes the control thread.  -errno with 'why'. */
int eal_start(const struct eal_conf *conf, struct refusal *why);
/* Ends it and removes what it left in the file system.  When a data thread was left behind in a
 * driver, its memory stays mapped until the process ends. */
void eal_stop(void);
/* Says that a data thread could not be stopped (workers_destroy does). */
void eal_thread_left_behind(void);
/* "2 MiB hugepages" or "ordinary pages": for people. */
const char *eal_memory_kind(void);

#endif
