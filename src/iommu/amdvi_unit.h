/* iommu/amdvi_unit.h -- what the files of AMD's unit share: its state, and what each file does for
 * the others. Only for files of this folder.
 *
 *     amdvi.c            configuration, life, poll
 *     amdvi_registers.c  the table of registers; reads and writes
 *     amdvi_command.c    the command buffer
 *     amdvi_log.c        event log and page request log
 *     amdvi_reader.c     translation by workers
 *
 * Threads: struct amdvi belongs to the control thread but for what is marked shared. */
#ifndef IOMMU_AMDVI_UNIT_H
#define IOMMU_AMDVI_UNIT_H

#include "iommu/amdvi.h"
#include "iommu/amdvi_internal.h"
#include "iommu/device_tlb.h"
#include "iommu/mode.h"
#include "iommu/reader.h"

enum {
	AMDVI_WORDS = SPEC_AMDVI_REGISTERS_SIZE / 8,
	AMDVI_COMMANDS_PER_RUN = 512, /* a run ends after so many, so that a write returns soon */
};

/* What the unit does with requests, as registers have it. */
struct amdvi_mode {
	uint64_t control;
	uint64_t device_tables[SPEC_AMDVI_SEGMENTS_MAX];
	uint64_t exclusion_base, exclusion_limit;
};

struct amdvi_commands {
	bool running_now;    /* a call-back calls us */
	bool marked;	     /* something was ended that is not yet published */
	bool device_used;    /* a device has dropped translations that readers may still use */
	uint64_t generation; /* that later commands wait for */
	bool waiting;	     /* a completion wait was fetched and is not complete */
	uint64_t wait[2];    /* its words */
	uint64_t sent[DEVICE_TLB_ITAGS]; /* address of the command that an ITag is of */
};

struct amdvi {
	struct amdvi_config config;
	uint64_t words[AMDVI_WORDS];
	struct amdvi_mode mode;	 /* what modes says last */
	struct iommu_mode modes; /* shared: the same for readers */
	struct amdvi_commands commands;
	struct device_tlb device_tlb;
	struct amdvi_reader **readers;
	struct tlb *tlb;							/* shared */
	cache_aligned _Atomic uint64_t interrupt_marks[READER_INTERRUPT_MARKS]; /* shared */
	_Atomic uint8_t told[DEVICE_TLB_SOURCES]; /* shared: an event was logged, and SE is set */
};

/* amdvi_registers.c */
void amdvi_registers_init(struct amdvi *amdvi);
static inline uint64_t amdvi_register(const struct amdvi *amdvi, uint32_t offset)
{
	return amdvi->words[offset / 8];
}
static inline void amdvi_register_set(struct amdvi *amdvi, uint32_t offset, uint64_t value)
{
	amdvi->words[offset / 8] = value;
}
static inline bool amdvi_status(const struct amdvi *amdvi, int field)
{
	return field_is_set(amdvi_register(amdvi, SPEC_AMDVI_STATUS), field);
}
static inline void amdvi_status_set(struct amdvi *amdvi, int field, uint64_t value)
{
	amdvi_register_set(amdvi, SPEC_AMDVI_STATUS,
			   field_put(amdvi_register(amdvi, SPEC_AMDVI_STATUS), field, value));
}
static inline bool amdvi_control(const struct amdvi *amdvi, int field)
{
	return field_is_set(amdvi_register(amdvi, SPEC_AMDVI_CONTROL), field);
}
/* Sets an interrupt status; signals it when it was not set and 'enable' of CONTROL is. */
void amdvi_signal(struct amdvi *amdvi, int status, int enable);
/* Bytes of the buffer or log whose base register this is. */
uint64_t amdvi_buffer_size(const struct amdvi *amdvi, uint32_t base_register);

/* amdvi_command.c */
void amdvi_commands_run(struct amdvi *amdvi);
bool amdvi_commands_busy(const struct amdvi *amdvi);
/* Ends everything that readers have, and publishes that. */
void amdvi_end_all(struct amdvi *amdvi);
uint64_t amdvi_device_tlb_poll(struct amdvi *amdvi, uint64_t now_ns);

/* amdvi_log.c */
void amdvi_log_event(struct amdvi *amdvi, uint64_t word0, uint64_t word1);
/* Takes what readers have handed over. */
void amdvi_collect(struct amdvi *amdvi);

/* amdvi_reader.c */
struct amdvi_tables amdvi_tables_of(const struct amdvi_config *config,
				    const struct amdvi_mode *mode);
bool amdvi_reader_take_fault(struct amdvi *amdvi, unsigned index, struct iommu_fault *fault);
bool amdvi_reader_lost_faults(struct amdvi *amdvi, unsigned index);

#endif
