/* iommu/vtd_unit.h -- what the files of the VT-d unit share: its state, and what each file does for
 * the others. Only for files of this folder.
 *
 *     vtd.c               configuration, life, poll
 *     vtd_registers.c     the table of registers; reads and writes
 *     vtd_command.c       what writes start: modes, and invalidation by registers
 *     vtd_event.c         the unit's own interrupts
 *     vtd_fault.c         the primary fault log
 *     vtd_queue.c         the invalidation queue: fetch, errors, waits
 *     vtd_invalidate.c    what each descriptor does
 *     vtd_device_tlb.c    invalidations of devices' caches
 *     vtd_page_request.c  the page request queue
 *     vtd_translate.c     a translation that hits
 *     vtd_reader.c        translation by workers: what does not
 *     vtd_fast.c          page tables by a short way for what is present and in order
 *
 * Threads: struct vtd belongs to the control thread but for what is marked shared. */
#ifndef IOMMU_VTD_UNIT_H
#define IOMMU_VTD_UNIT_H

#include "iommu/device_tlb.h"
#include "iommu/mode.h"
#include "iommu/reader.h"
#include "iommu/vtd.h"
#include "iommu/vtd_internal.h"
#include "spec/vtd.h"
#include "spec/vtd_queue.h"

enum {
	VTD_WORDS = SPEC_VTD_REGISTERS_SIZE / 4,
	VTD_DESCRIPTORS_PER_RUN = 512, /* a run ends after so many, so that a write returns soon */
	VTD_PROTECTED_SHIFT = 21,      /* protected memory is in units of 2 MiB */
};

/* What GCMD, PMEN, CCMD and IOTLB have begun and readers must leave for. */
struct vtd_pending {
	uint64_t generation; /* 0: nothing */
	uint32_t status;     /* GSTS when done */
	bool global_command, context_command, iotlb_command, protect_command;
};

struct vtd_queue {
	bool enabled, wide, running;
	uint64_t base;
	uint32_t size;	     /* bytes */
	bool marked;	     /* something was ended that is not yet published */
	bool device_used;    /* a device has dropped translations that readers may still use */
	uint64_t generation; /* that later descriptors wait for */
	bool waiting;	     /* a wait descriptor was fetched and is not complete */
	uint64_t wait[2];    /* its words */
};

/* What the unit does with requests, as commands have set it. */
struct vtd_mode {
	uint64_t rtaddr, irta;
	uint64_t status;  /* GSTS: TES, IRES, CFIS */
	uint64_t protect; /* 1: the ranges below are protected; an empty range has base > last */
	uint64_t low_base, low_last, high_base, high_last;
};

struct vtd {
	struct vtd_config config;
	uint8_t row_at[VTD_WORDS];     /* 1 + row of the register that has this word; 0: none */
	uint16_t row_start[VTD_WORDS]; /* that register's first byte */
	uint32_t words[VTD_WORDS];
	struct vtd_mode mode;	 /* what modes says last */
	struct iommu_mode modes; /* shared: the same for readers */
	struct vtd_pending pending;
	struct vtd_queue queue;
	uint32_t fault_next; /* fault recording register to be used next */
	struct device_tlb device_tlb;
	struct vtd_reader **readers;
	struct tlb *tlb;							/* shared */
	cache_aligned _Atomic uint64_t interrupt_marks[READER_INTERRUPT_MARKS]; /* shared */
};

/* vtd_registers.c */

/* A register's value, and bits that the unit itself sets and clears. */
uint64_t vtd_register(const struct vtd *vtd, uint32_t offset);
void vtd_register_set(struct vtd *vtd, uint32_t offset, uint64_t value);
void vtd_registers_init(struct vtd *vtd);
/* Whether all registers that the configuration asks for have a place of their own. */
bool vtd_registers_fit(const struct vtd_config *config);
uint32_t vtd_iotlb_offset(const struct vtd *vtd); /* of IVA; IOTLB follows */
uint32_t vtd_frcd_offset(const struct vtd *vtd, unsigned index);
unsigned vtd_frcd_count(const struct vtd *vtd);

/* vtd_command.c: what a write to each of these starts; 'value' has the bits that were written. */
void vtd_command_global(struct vtd *vtd, uint64_t value);
void vtd_command_context(struct vtd *vtd, uint64_t value);
void vtd_command_iotlb(struct vtd *vtd, uint64_t value);
void vtd_command_protect(struct vtd *vtd, uint64_t value);
/* Whether a command waits for readers. */
bool vtd_command_is_pending(const struct vtd *vtd);
/* Completes commands whose readers have left. */
void vtd_command_poll(struct vtd *vtd);

/* vtd_event.c */
enum vtd_event { VTD_EVENT_FAULT, VTD_EVENT_INVALIDATION, VTD_EVENT_PAGE_REQUEST };
/* An interrupt condition: sends the message, or keeps it pending while it is masked. */
void vtd_event_raise(struct vtd *vtd, enum vtd_event event);
/* Software has served all conditions: a message that is pending is not sent any more. */
void vtd_event_serve(struct vtd *vtd, enum vtd_event event);
void vtd_event_control(struct vtd *vtd, enum vtd_event event);

/* vtd_fault.c */
/* Sets a status bit of FSTS with its interrupt. */
void vtd_fault_status(struct vtd *vtd, uint32_t bit);
void vtd_fault_record(struct vtd *vtd, const struct iommu_fault *fault);
/* Takes what readers have handed over. */
void vtd_fault_collect(struct vtd *vtd);
/* After software has written F of a record, or FSTS. */
void vtd_fault_served(struct vtd *vtd);

/* vtd_queue.c */
void vtd_queue_enable(struct vtd *vtd);
void vtd_queue_disable(struct vtd *vtd);
/* Carries out descriptors until one must wait, or the queue is empty or has an error. */
void vtd_queue_run(struct vtd *vtd);
/* Whether another call may do more without anything else happening: readers may leave. */
bool vtd_queue_is_busy(const struct vtd *vtd);
/* Publishes what descriptors have ended; whether readers have let go of it. */
bool vtd_queue_settled(struct vtd *vtd);
/* A time-out: wait descriptors that are under way never complete (6.5.2.11). */
void vtd_queue_abort_wait(struct vtd *vtd);

/* vtd_invalidate.c */
enum vtd_step {
	VTD_STEP_DONE,
	VTD_STEP_HOLD,	   /* not now: the descriptor stays at the head */
	VTD_STEP_RESERVED, /* a field has a value that is reserved */
};
enum vtd_step vtd_invalidate(struct vtd *vtd, const uint64_t words[4]);
/* What the registers ask for, too.  The actual granularity. */
unsigned vtd_invalidate_contexts(struct vtd *vtd, unsigned granularity, uint16_t domain,
				 uint16_t source, unsigned function_mask);
unsigned vtd_invalidate_iotlb(struct vtd *vtd, unsigned granularity, uint16_t domain,
			      uint64_t address_word);
/* Everything: a mode has changed. */
void vtd_invalidate_all(struct vtd *vtd);

/* vtd_device_tlb.c */
enum vtd_step vtd_device_tlb_send(struct vtd *vtd, struct iommu_device_invalidation *invalidation,
				  unsigned most);
/* Ends what has taken too long; the next deadline. */
uint64_t vtd_device_tlb_poll(struct vtd *vtd, uint64_t now_ns);
/* vtd_reader.c */
bool vtd_reader_take_fault(struct vtd *vtd, unsigned index, struct iommu_fault *fault);
bool vtd_reader_lost_faults(struct vtd *vtd, unsigned index);

static inline uint32_t vtd_status(const struct vtd *vtd)
{
	return (uint32_t)vtd_register(vtd, SPEC_VTD_GSTS);
}

static inline uint32_t vtd_bit(int field)
{
	return (uint32_t)field_mask(field);
}

#endif
