/* iommu/vtd.h -- a remapping unit that follows Intel's VT-d specification, as a library: a register file, the
 * walks behind it, caches, invalidation queue, fault log, interrupt remapping, ATS and page requests.
 *
 * Whoever emulates a machine gives it memory and two call-backs, hands register accesses through, and
 * asks it about every DMA and interrupt of its devices.
 *
 * Threads: registers, invalidation and time on the control thread; vtd_translate() on any number of
 * workers at once, each with its own struct vtd_reader, without locks.  An invalidation is complete
 * (wait descriptor, IOTLB register's IVT) only when no worker can still use what it ends.
 *
 * Memory: the caller brings vtd_size() bytes, and those of readers. */
#ifndef IOMMU_VTD_H
#define IOMMU_VTD_H

#include "iommu/vtd_walk.h"

struct vtd;
struct vtd_reader;

/* What the unit is; sizes and capabilities are fixed for its life (section 11.4.2, 11.4.3). */
struct vtd_config {
	uint64_t cap, ecap;  /* as the registers show them; vtd_config_check() says what cannot be */
	uint32_t version;    /* 0x10 for 1.0 and so on: VER */
	enum vtd_quirks quirks;
	struct iommu_memory memory;
	/* The unit's own events (fault, invalidation completion, page request): an MSI write. */
	void (*interrupt)(void *context, uint64_t address, uint32_t data);
	/* A device-TLB invalidation for a function; its completion comes by vtd_device_tlb_done(). */
	void (*invalidate_device)(void *context, uint16_t source, uint32_t pasid, uint64_t address,
				  uint64_t size, uint8_t itag);
	/* A page-group response for a function. */
	void (*page_response)(void *context, uint16_t source, uint32_t pasid, uint16_t group,
			      uint8_t code);
	void *context;
	uint32_t readers;    /* the most workers */
	uint64_t device_tlb_timeout_ns; /* ATS: after which an invalidation times out (ITE) */
};

/* NULL when the configuration can be, else one sentence on what cannot. */
const char *vtd_config_check(const struct vtd_config *config);

size_t vtd_size(const struct vtd_config *config);
struct vtd *vtd_init(void *memory, const struct vtd_config *config);

/* Register accesses of 4 and 8 bytes at an aligned offset of the register page (section 11.4).  Others, and
 * offsets without a register, read as 0 and write nothing. */
uint64_t vtd_read(struct vtd *vtd, uint32_t offset, unsigned size);
void vtd_write(struct vtd *vtd, uint32_t offset, unsigned size, uint64_t value);

/* Work that waits for time or for workers: pending invalidations, time-outs.  Returns when it wants to be
 * called again, in ns of the same clock; UINT64_MAX: when something happens. */
uint64_t vtd_poll(struct vtd *vtd, uint64_t now_ns);

/* A worker's view: its own first-level IOTLB, and how it says that it uses no old translation. */
size_t vtd_reader_size(void);
struct vtd_reader *vtd_reader_init(void *memory, struct vtd *vtd, unsigned index);

/* Between these two a worker may use translations it got; at the end it holds none. */
void vtd_reader_enter(struct vtd_reader *reader);
void vtd_reader_leave(struct vtd_reader *reader);

/* The answer to a request; refused ones are logged as faults.  Inside enter/leave. */
void vtd_translate(struct vtd_reader *reader, const struct iommu_request *request,
		   struct iommu_answer *answer);

/* The answer to an interrupt message. */
void vtd_interrupt(struct vtd_reader *reader, const struct iommu_message *message,
		   struct iommu_remapped *remapped);

/* A device's answer to an invalidation, by its ITag (ATS, section 10.3). */
void vtd_device_tlb_done(struct vtd *vtd, uint16_t source, uint32_t itags);

/* A device's page request (PRI).  False: the queue is full or off, and the response has been given. */
struct vtd_page_request {
	uint16_t source;
	uint32_t pasid;
	uint64_t address;
	uint16_t group;   /* 9 bits */
	uint8_t access;
	bool last, privileged;
};
bool vtd_page_request(struct vtd *vtd, const struct vtd_page_request *request);

#endif
