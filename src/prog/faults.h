/* prog/faults.h -- accesses and interrupts that the guard blocked: a ring of the last FAULTS_KEPT, each with a
 * number that never comes again.  One that a function repeats is counted, not listed again.
 *
 * Threads: control.  Memory: one struct of the caller. */
#ifndef PROG_FAULTS_H
#define PROG_FAULTS_H

#include "base/base.h"

enum { FAULTS_KEPT = 1024 };

#define FAULTS_TOGETHER_NS UINT64_C(1000000000) /* so long after its last time a fault is repeated */

struct fault {
	uint64_t id;           /* 1, 2, 3... */
	uint64_t first_ns, last_ns; /* wall time, since 1970-01-01T00:00:00Z */
	uint64_t count;        /* accesses */
	uint64_t address;      /* of the first of them; of an interrupt: its vector */
	unsigned io;           /* index of the interface; FAULT_OF_NOBODY */
	uint16_t source;       /* requester ID */
	uint16_t reason;
	uint8_t access;        /* enum iommu_access, ored */
	bool interrupt;
	char function[64];     /* "nic0/vf1"; empty: of nobody */
};

enum { FAULT_OF_NOBODY = UINT16_MAX + 1 };

struct faults {
	uint64_t next_id;
	struct fault ring[FAULTS_KEPT];
};

void faults_init(struct faults *faults);

/* Notes a fault, whose times and count are set: as one more of the newest of the same function, if it is that,
 * or as a new one, which is returned. */
struct fault *faults_add(struct faults *faults, const struct fault *fault);

/* The oldest fault that is kept, or NULL; and how many there are from it on. */
const struct fault *faults_oldest(const struct faults *faults, unsigned *count);
const struct fault *faults_at(const struct faults *faults, unsigned index);

/* "read", "write", "read and write", "interrupt" */
const char *fault_access_text(const struct fault *fault);

#endif
