/* iommu/guard.h -- the system software of one VT-d unit: its root, context and interrupt-remapping tables,
 * its invalidation queue, its fault log, and a domain for each function behind it.
 *
 * A function has a domain from guard_function_init() on: what is mapped there is kept whatever requester ID
 * it has, so that it can move to another card.  Under which requester ID it is heard is said by
 * guard_function_bind().  Bound to none it is on no bus: nobody can issue its requests, and the control
 * thread, which may look at a front then, finds what it looks for in the tables themselves.
 *
 * Physical addresses of the unit are addresses of this process: targets of mappings are guest memory, as it
 * is mapped here, and table pages are the caller's.  Functions behave as devices with ATS: they ask for
 * translations and keep the answers (iommu/dma.h) until flush() takes them back.
 *
 * Threads: as iommu/domain.h has it; everything here on the control thread, bind and unbind with the front's
 * hold.  Memory: the caller's. */
#ifndef IOMMU_GUARD_H
#define IOMMU_GUARD_H

#include "iommu/dma.h"
#include "iommu/vtd.h"

#include <stdatomic.h>

enum {
	GUARD_FUNCTIONS_MAX = 65535, /* a domain each; domain 0 is nobody's */
	GUARD_INTERRUPTS_MAX = 65536,
	GUARD_FAULTS = 64,           /* of one function, between two polls */
	GUARD_NOBODY = -1,           /* as a source: bound to no requester ID */
	GUARD_ADDRESS_BITS = 48,     /* of the functions' addresses, and of ours */
};

/* An access or interrupt that was blocked. */
struct guard_fault {
	uint64_t address;  /* of an interrupt: its message's vector */
	uint16_t source;
	uint16_t reason;   /* vtd_reason_text() */
	uint8_t access;    /* enum iommu_access, ored */
	bool interrupt;
};

struct guard_function;

struct guard_conf {
	const struct iommu_pages *pages; /* for tables */
	struct iommu_memory memory;      /* the same pages, and the interrupt table, for the unit */
	/* Entries of the interrupt-remapping table (a power of two, 256..GUARD_INTERRUPTS_MAX), and where
	 * they are: 16 zero bytes each, in one piece, aligned to 4096. */
	uint32_t interrupts;
	uint64_t interrupt_table;
	uint32_t readers;                /* who translate at the same time */
	uint64_t function_tables;        /* the most table pages of one domain */
	/* guard_poll() has work.  From any thread. */
	void (*wake)(void *owner);
	/* Called while a reader is waited for.  NULL: nothing. */
	void (*pause)(void *owner);
	/* A function's access was blocked; 'more' others were, of which there is no record. */
	void (*fault)(void *owner, struct guard_function *, const struct guard_fault *,
		      uint64_t more);
	/* A requester of whom nobody here knows was blocked.  NULL: nobody asks. */
	void (*stranger)(void *owner, const struct guard_fault *);
	void *owner;
};

struct guard {
	struct guard_conf conf;
	struct vtd *vtd;
	struct vtd_reader **readers;     /* conf.readers of them */
	uint64_t root, queue, status;    /* pages */
	unsigned tail;                   /* of the queue */
	uint32_t token;                  /* of the last wait descriptor */
	uint64_t now_ns;
	uint32_t interrupts_used;
	uint16_t domains;                /* given so far */
	struct guard_function *flushing; /* whose device TLB is being invalidated */
	struct guard_function *functions; /* list */
	bool fault_event;                /* the unit's fault interrupt came */
};

/* What one front has: begins with its domain. */
struct guard_function {
	struct iommu_domain domain;
	struct guard *guard;
	struct guard_function *next;
	struct iommu_pages pages;        /* those of the guard, counted */
	struct iommu_builder builder;
	uint64_t tables;                 /* pages taken */
	uint16_t id;                     /* of the domain; the destination of its interrupts, too */
	int source;                      /* requester ID; GUARD_NOBODY */
	bool barred;                     /* reaches nothing, whatever it is granted */
	unsigned reader;
	uint32_t first_interrupt, vectors;
	uint64_t ended_first, ended_last; /* to be invalidated: none when first > last */
	/* Faults on their way from whoever has the hold to the control thread. */
	_Atomic uint32_t put, taken;
	_Atomic uint64_t lost;
	uint64_t lost_seen;
	struct guard_fault faults[GUARD_FAULTS];
	void *owner;                     /* for the caller */
};

/* Bytes for a guard with its unit, aligned to 64. */
size_t guard_size(const struct guard_conf *conf);

/* Brings the unit up in 'memory' of guard_size() bytes: tables without any function, queued invalidation,
 * interrupt remapping, translation; from then on it blocks whatever no function is granted.  0, or
 * -ENOMEM. */
int guard_init(struct guard **guard, void *memory, const struct guard_conf *conf);
/* Gives its pages back; every function has gone. */
void guard_fini(struct guard *guard);

/* Whether the unit translates and remaps interrupts, by its own status register. */
bool guard_translates(const struct guard *guard);
bool guard_remaps_interrupts(const struct guard *guard);

/* Faults that came, and what else the unit waits for.  Returns when it wants to be called again. */
uint64_t guard_poll(struct guard *guard, uint64_t now_ns);

/* Entries of the interrupt table that a function with so many interrupts takes. */
uint32_t guard_interrupts_of(unsigned vectors);

/* A function with 'vectors' interrupts and nothing granted, bound to nobody.  0; -ENOMEM; -ENOSPC: no domain or
 * interrupt entry is left. */
int guard_function_init(struct guard_function *function, struct guard *guard, unsigned vectors);
/* Takes everything back; it must be unbound. */
void guard_function_fini(struct guard_function *function);

/* From now on requests of 'source' (a requester ID nobody else has) are this function's.  They are answered by
 * reader 'reader' (below conf.readers): whoever has the front's hold is the only one who uses that now.
 * Reader 0 is the control thread's: that of functions that are bound to nobody.  0 or -ENOMEM. */
int guard_function_bind(struct guard_function *function, uint16_t source, unsigned reader);
/* From now on it is nobody; what the front kept is dropped. */
void guard_function_unbind(struct guard_function *function);
/* Bars a function from everything, in quarantine: unbound, and until it is let in again neither what it is
 * granted nor what the front kept is of use to it.  With the front's hold. */
void guard_function_bar(struct guard_function *function);
void guard_function_let_in(struct guard_function *function);

/* Calls 'each' with what is granted, in ascending order, neighbours joined; 'target' is an address of ours. */
void guard_function_list(const struct guard_function *function,
			 void (*each)(void *context, struct iommu_range range, uint64_t target,
				      uint8_t rights),
			 void *context);

#endif
