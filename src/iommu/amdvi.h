/* iommu/amdvi.h -- a remapping unit that follows AMD's I/O Virtualization Technology specification
 * (publication 48882), as a library: registers, the walks behind them, command buffer, event log,
 * page request log.
 *
 *     amdvi_write(), amdvi_read()     the MMIO registers, section 3.4; below
 *     amdvi_translate()               a DMA or a translation request, section 2.1
 *     amdvi_interrupt()               an interrupt message, section 2.2.5
 *     amdvi_device_tlb_done(), amdvi_page_request()   what a device with ATS and PRI sends
 *     amdvi_poll()                    what waits: for readers, for time, for events to be logged
 *
 * What it is not: it delivers nothing, copies no data, has no PCI capability block, and walks no
 * guest page tables. iommu/unit.h has it behind the same table of operations as the VT-d unit.
 *
 * Registers (section 3.4), 64 bits each, by offset:
 *
 *     0000h device table base           0100h to 0130h those of segments 1 to 7 (DevTblSegEn)
 *     0008h command buffer base         2000h head, 2008h tail: writing the tail runs commands
 *     0010h event log base              2010h head, 2018h tail
 *     0038h PPR log base (PPRSup)       2030h head, 2038h tail
 *     0018h control    IommuEn, EventLogEn, EventIntEn, ComWaitIntEn, InvTimeOut, CmdBufEn, PPRLogEn,
 *                      PPRIntEn, PPREn, GAEn, GAMEn, DevTblSegEn, XTEn, each if the unit has it; the
 *                      others are kept and of no effect
 *     0020h, 0028h exclusion range (2.1.4)
 *     0030h extended feature, as configured
 *     2020h status     EventOverflow, EventLogInt, ComWaitInt, EventLogRun, CmdBufRun, PPROverflow,
 *                      PPRInt, PPRLogRun
 *
 * A base address that is written empties its buffer or log.  Commands (2.4): all of revision 3;
 * PREFETCH_IOMMU_PAGES with PrefSup, COMPLETE_PPR_REQUEST with PPRSup, INVALIDATE_IOMMU_ALL with
 * IASup.  Events (2.5): all but EVENT_COUNTER_ZERO and the guest's.
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
	/* Its functions are called by readers and the control thread at once. */
	struct iommu_memory memory;
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
