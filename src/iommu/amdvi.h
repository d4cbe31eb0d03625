/* iommu/amdvi.h -- a remapping unit that follows AMD's I/O Virtualization Technology specification
 * (publication 48882), as a library: registers, the walks behind them, command buffer, event log,
 * page request log.
 *
 *     amdvi_write(), amdvi_read()     the MMIO registers, section 3.4
 *     amdvi_translate()               a DMA or a translation request, section 2.1
 *     amdvi_interrupt()               an interrupt message, section 2.2.5
 *     amdvi_device_tlb_done(), amdvi_page_request()   what a device with ATS and PRI sends
 *     amdvi_poll()                    what waits: for readers, for time, for events to be logged
 *
 * What it is not: it delivers nothing, copies no data, has no PCI capability block, and walks no
 * guest page tables. iommu/unit.h has it behind the same table of operations as the VT-d unit.
 *
 * Threads and memory: as in iommu/vtd.h.  A command that invalidates is complete (COMPLETION_WAIT)
 * only when no worker can still use what it ends. */
#ifndef IOMMU_AMDVI_H
#define IOMMU_AMDVI_H

#include "iommu/amdvi_walk.h"

struct amdvi;
struct amdvi_reader;

struct amdvi_config {
	uint64_t features; /* extended feature register; amdvi_config_check() says what cannot be */
	enum iommu_trust trust;
	struct iommu_memory
		memory; /* its functions are called by readers and the control thread at once */
	/* The unit's own interrupt, an MSI of its PCI function: events, completions, page requests.
	 * NULL: none. */
	void (*interrupt)(void *context);
	/* A device-TLB invalidation for a function (INVALIDATE_IOTLB_PAGES); its completion comes
	 * by amdvi_device_tlb_done(), maybe before this returns. */
	void (*invalidate_device)(void *context,
				  const struct iommu_device_invalidation *invalidation);
	/* A page-group response (COMPLETE_PPR_REQUEST); code 0 success, 1 invalid, 15 failure. NULL
	 * only without PPRSup. */
	void (*page_response)(void *context, uint16_t source, uint32_t pasid, uint16_t group,
			      uint8_t code);
	/* As in struct vtd_config. */
	void (*wake)(void *context);
	void *context;
	uint32_t readers;
	uint64_t device_tlb_timeout_ns; /* 0: as CONTROL.InvTimeOut says, 1 ms to 100 s, or never */
};

/* NULL when the configuration can be, else one sentence on what cannot. */
const char *amdvi_config_check(const struct amdvi_config *config);

size_t amdvi_size(const struct amdvi_config *config);
struct amdvi *amdvi_init(void *memory, const struct amdvi_config *config);

/* Register accesses of 4 and 8 bytes at an aligned offset below 4000h.  Others, and offsets without
 * a register, read as 0 and write nothing. */
uint64_t amdvi_read(struct amdvi *amdvi, uint32_t offset, unsigned size);
void amdvi_write(struct amdvi *amdvi, uint32_t offset, unsigned size, uint64_t value);

/* As vtd_poll(). */
uint64_t amdvi_poll(struct amdvi *amdvi, uint64_t now_ns);

size_t amdvi_reader_size(void);
struct amdvi_reader *amdvi_reader_init(void *memory, struct amdvi *amdvi, unsigned index);
void amdvi_reader_fini(struct amdvi_reader *reader);
void amdvi_reader_enter(struct amdvi_reader *reader);
void amdvi_reader_leave(struct amdvi_reader *reader);

/* As vtd_translate() and vtd_interrupt(); the reason of a refusal is bits 63:48 of its event
 * (amdvi_walk.h). */
void amdvi_translate(struct amdvi_reader *reader, const struct iommu_request *request,
		     struct iommu_answer *answer);
void amdvi_interrupt(struct amdvi_reader *reader, const struct iommu_message *message,
		     struct iommu_remapped *remapped);

/* As vtd_device_tlb_done() and vtd_page_request(); on the control thread. */
void amdvi_device_tlb_done(struct amdvi *amdvi, uint16_t source, uint32_t itags, unsigned count);
bool amdvi_page_request(struct amdvi *amdvi, const struct iommu_page_request *request);

#endif
