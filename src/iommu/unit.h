/* iommu/unit.h -- a remapping unit of any kind, behind one table of operations: what a machine
 * emulator, or our daemon, holds when it does not care whose format its guests' tables have.
 *
 * Threads and results are as in iommu/vtd.h and iommu/amdvi.h, whose functions these are.  Memory:
 * two pointers. */
#ifndef IOMMU_UNIT_H
#define IOMMU_UNIT_H

#include "iommu/request.h"

struct vtd;
struct amdvi;

struct iommu_unit_ops {
	const char *name;
	uint32_t registers_size; /* bytes */
	/* The control thread. */
	uint64_t (*read)(void *unit, uint32_t offset, unsigned size);
	void (*write)(void *unit, uint32_t offset, unsigned size, uint64_t value);
	uint64_t (*poll)(void *unit, uint64_t now_ns);
	void (*device_tlb_done)(void *unit, uint16_t source, uint32_t itags, unsigned count);
	bool (*page_request)(void *unit, const struct iommu_page_request *request);
	/* Readers. */
	size_t (*reader_size)(void);
	void *(*reader_init)(void *memory, void *unit, unsigned index);
	void (*reader_fini)(void *reader);
	void (*enter)(void *reader);
	void (*leave)(void *reader);
	void (*translate)(void *reader, const struct iommu_request *request,
			  struct iommu_answer *answer);
	void (*interrupt)(void *reader, const struct iommu_message *message,
			  struct iommu_remapped *remapped);
	/* What a reason means; never NULL. */
	const char *(*reason_text)(unsigned reason);
};

struct iommu_unit {
	const struct iommu_unit_ops *ops;
	void *unit;
};

struct iommu_unit iommu_unit_vtd(struct vtd *vtd);
struct iommu_unit iommu_unit_amdvi(struct amdvi *amdvi);

#endif
