/* iommu/vtd.h -- a remapping unit that follows Intel's VT-d specification, as a library: a register
 * file, the walks behind it, caches, invalidation queue, fault log, interrupt remapping, ATS and
 * page requests.
 *
 * Whoever emulates a machine gives it memory and call-backs, hands register accesses through, and
 * asks it about every DMA and interrupt of its devices.  tests/embed/ is a small one.
 *
 *     vtd_write(), vtd_read()     the register page, section 11.4; below
 *     vtd_translate()             a DMA or a translation request, sections 3 and 4
 *     vtd_interrupt()             an interrupt message, section 5
 *     vtd_device_tlb_done(), vtd_page_request()   what a device with ATS and PRI sends
 *     vtd_poll()                  what waits: for readers, for time, for faults to be recorded
 *
 * What it is not: it delivers nothing and copies no data.  It says where a request may go.
 *
 * Registers, by section, and what makes them be there:
 *
 *     VER CAP ECAP (11.4.1 to 3)           as configured
 *     GCMD GSTS (11.4.4)                   TE SRTP; with ECAP.QI QIE; with ECAP.IR IRE SIRTP CFI.
 *                                          WBF does nothing.  Several bits at once are all obeyed
 *     RTADDR (11.4.5), IRTA (11.4.10)      taken by SRTP and SIRTP, not before
 *     CCMD IVA IOTLB (11.4.6; ECAP.IRO)    while QIE is off and the mode is not scalable, else
 *                                          ICC and IVT clear with granularity 0 (6.5.1)
 *     FSTS FECTL FEDATA FEADDR FEUADDR FRCD (11.4.7; CAP.FRO, NFR)
 *     PMEN PLMBASE PLMLIMIT PHMBASE PHMLIMIT (11.4.8; CAP.PLMR, PHMR)
 *                                          ranges are taken when EPM is set; they count with
 *                                          translation off, and for pass-through and translated
 *                                          requests
 *     IQH IQT IQA ICS IECTL IEDATA IEADDR IEUADDR IQERCD (11.4.9; ECAP.QI)
 *     PQH PQT PQA PRS PECTL PEDATA PEADDR PEUADDR (11.4.11; ECAP.PRS)
 *     MTRRs (11.4.12; ECAP.MTS)            kept, and of no effect
 *
 * Descriptors (6.5.2): context, IOTLB, wait always; interrupt entry with ECAP.IR, device TLB with
 * ECAP.DT; PASID cache, PASID-based IOTLB and device TLB in scalable mode; page group response with
 * ECAP.PRS in a queue of 256-bit descriptors.
 *
 * Tables (section 9): legacy and scalable mode, second stage of the levels in CAP.SAGAW with the
 * pages in SSLPS, first stage of 4 levels and with CAP.FS5LP 5, nested, pass-through, host
 * permission table; interrupt entries, posted ones with CAP.PI.
 *
 * Threads: registers, invalidation and time on the control thread; vtd_translate() and
 * vtd_interrupt() on any number of workers at once, each with its own struct vtd_reader, without
 * locks.  An invalidation is complete (wait descriptor, ICC and IVT clear) only when no worker can
 * still use what it ends; so is the change of a mode (GSTS, PMEN.PRS).  With every reader outside,
 * a register write is carried out before it returns.
 *
 * Memory: the caller brings vtd_size() bytes, and those of readers; nothing is allocated. */
#ifndef IOMMU_VTD_H
#define IOMMU_VTD_H

#include "iommu/vtd_walk.h"

struct vtd;
struct vtd_reader;

/* What the unit is; sizes and capabilities are fixed for its life (section 11.4.2, 11.4.3). */
struct vtd_config {
	uint64_t cap, ecap; /* as the registers show them; vtd_config_check() says what cannot be */
	uint32_t version;   /* 0x10 for 1.0 and so on: VER */
	uint8_t host_width; /* bits of a host physical address; 0: as CAP.MGAW says */
	enum vtd_quirks quirks;
	enum iommu_trust trust;
	/* Its functions are called by readers and the control thread at once. */
	struct iommu_memory memory;
	/* The unit's own events (fault, invalidation completion, page request): an MSI write. NULL:
	 * none. */
	void (*interrupt)(void *context, uint64_t address, uint32_t data);
	/* A device-TLB invalidation for a function; its completion comes by vtd_device_tlb_done(),
	 * maybe before this returns.  NULL only without ECAP.DT. */
	void (*invalidate_device)(void *context,
				  const struct iommu_device_invalidation *invalidation);
	/* A page-group response for a function; code 0 success, 1 invalid, 15 failure.  NULL only
	 * without ECAP.PRS. */
	void (*page_response)(void *context, uint16_t source, uint32_t pasid, uint16_t group,
			      uint8_t code);
	/* vtd_poll() has work: called by a reader that recorded a fault, once until the poll.  NULL:
	 * nobody. */
	void (*wake)(void *context);
	void *context;
	uint32_t readers;    /* the most workers */
	uint32_t iotlb_sets; /* of 3 translations each, a power of two; 0: 1024 */
	/* ATS: after which an invalidation times out (ITE); 0: 90 s. */
	uint64_t device_tlb_timeout_ns;
};

/* NULL when the configuration can be, else one sentence on what cannot. */
const char *vtd_config_check(const struct vtd_config *config);

/* Bytes for a unit; 'memory' is aligned to 64.  The configuration is copied and must pass the
 * check. */
size_t vtd_size(const struct vtd_config *config);
struct vtd *vtd_init(void *memory, const struct vtd_config *config);

/* Register accesses of 4 and 8 bytes at an aligned offset of the register page (section 11.4); an
 * access of 8 bytes to two registers of 4 is two accesses.  Others, and offsets without a register,
 * read as 0 and write nothing. */
uint64_t vtd_read(struct vtd *vtd, uint32_t offset, unsigned size);
void vtd_write(struct vtd *vtd, uint32_t offset, unsigned size, uint64_t value);

/* Work that waits for time or for workers: pending invalidations, time-outs, faults to be recorded.
 *
 * now_ns   of a clock that does not go back
 *
 * Returns when it wants to be called again, in ns of the same clock; UINT64_MAX: when something
 * happens (a register write, a wake, a completion).  'now_ns' itself: soon, it waits for a reader
 * to leave. */
uint64_t vtd_poll(struct vtd *vtd, uint64_t now_ns);

/* A worker's view: its own first-level IOTLB, and how it says that it uses no old translation.
 * 'index' is below config.readers; 'memory' has vtd_reader_size() bytes, aligned to 64, and must
 * stay. */
size_t vtd_reader_size(void);
struct vtd_reader *vtd_reader_init(void *memory, struct vtd *vtd, unsigned index);
/* Takes it out, on the control thread; it is outside, and its memory is the caller's again. */
void vtd_reader_fini(struct vtd_reader *reader);

/* Between these two a worker may use translations it got; at the end it holds none.  Stay inside
 * for a burst, not for a wait: invalidations of everybody wait for the slowest reader. */
void vtd_reader_enter(struct vtd_reader *reader);
void vtd_reader_leave(struct vtd_reader *reader);

/* The answer to a request; refused ones are logged as faults.  Inside enter/leave. */
void vtd_translate(struct vtd_reader *reader, const struct iommu_request *request,
		   struct iommu_answer *answer);

/* The answer to an interrupt message; inside enter/leave.  While remapping is off the message
 * passes. */
void vtd_interrupt(struct vtd_reader *reader, const struct iommu_message *message,
		   struct iommu_remapped *remapped);

/* What a reader's caches did since it began. */
struct vtd_reader_counts {
	uint64_t hits;	   /* of the shared IOTLB; those of the reader's own are not counted */
	uint64_t walks;	   /* of page tables, upper levels maybe skipped */
	uint64_t contexts; /* walks that began at the root table */
	uint64_t faults;
};
void vtd_reader_counts(const struct vtd_reader *reader, struct vtd_reader_counts *counts);

/* A device's answer to invalidations (ATS, PCI Express 5.0 section 10.3.2): a message with a bit
 * for each ITag.
 *
 * count   how many such messages in all complete an ITag, 1..8 (the message's CC field, where 0
 * says 8)
 *
 * One that nobody waits for is an invalidation completion error (FSTS.ICE). */
void vtd_device_tlb_done(struct vtd *vtd, uint16_t source, uint32_t itags, unsigned count);

/* A device's page request (PRI, section 7.4); on the control thread.
 *
 * Puts it into the queue.  False: the function may not, the queue is full or off; then the response
 * has been given if the request was the last of its group. */
bool vtd_page_request(struct vtd *vtd, const struct iommu_page_request *request);

#endif
