/* iommu/device_tlb.h -- invalidation requests that are under way to devices with a translation
 * cache of their own (ATS, PCI Express 5.0 section 10.3), and which devices are believed when they
 * say that an address is translated, whatever the format of the unit's tables.
 *
 * A function is not believed while an invalidation of its cache is outstanding, and not after one
 * has timed out until a later one that covers it completes: the function still owes it.
 *
 * Threads: device_tlb_blocks() any; the rest the control thread.  Memory: a plain struct of the
 * unit. */
#ifndef IOMMU_DEVICE_TLB_H
#define IOMMU_DEVICE_TLB_H

#include "iommu/request.h"

#include <stdatomic.h>

enum {
	DEVICE_TLB_ITAGS = 32,
	DEVICE_TLB_DEBTS = 32,
	DEVICE_TLB_SOURCES = 1 << 16,
	DEVICE_TLB_COMPLETIONS_MAX = 8,
};

struct device_itag {
	bool used, dated;
	uint8_t answers, answers_wanted; /* completions; wanted 0: not known yet */
	uint64_t deadline_ns;
	struct iommu_device_invalidation invalidation;
};

/* What a device has not dropped in time. */
struct device_debt {
	bool used;
	struct iommu_device_invalidation invalidation;
};

enum device_block {
	DEVICE_BLOCK_OUTSTANDING = 1,
	DEVICE_BLOCK_TIMED_OUT = 2, /* the debts say what it has not dropped */
	DEVICE_BLOCK_FORGOTTEN = 4, /* timed out, and there was no room for the debt */
};

struct device_tlb {
	struct device_itag itags[DEVICE_TLB_ITAGS];
	struct device_debt debts[DEVICE_TLB_DEBTS];
	unsigned next; /* ITags are used in turn, so that a late completion meets a free one */
	_Atomic uint8_t blocked[DEVICE_TLB_SOURCES]; /* enum device_block, ored */
};

/* Whether a translated request of this function is not to be believed now. */
static inline bool device_tlb_blocks(const struct device_tlb *tlb, uint16_t source)
{
	/* seq_cst: pairs with block() in device_tlb.c */
	return atomic_load_explicit((_Atomic uint8_t *)&tlb->blocked[source],
				    memory_order_seq_cst) != 0;
}

/* Whether a further one can be sent: fewer than 'most' (0: 32) are pending at the function, and an
 * ITag is free. */
bool device_tlb_has_room(const struct device_tlb *tlb, uint16_t source, unsigned most);
/* Takes an ITag for it, which there must be, and fills it in. */
void device_tlb_send(struct device_tlb *tlb, struct iommu_device_invalidation *invalidation);

/* A completion message: a bit for each ITag, and how many messages in all complete one.  False: it,
 * or a part of it, is of nothing that is under way to that function. */
bool device_tlb_done(struct device_tlb *tlb, uint16_t source, uint32_t itags, unsigned count);

bool device_tlb_is_idle(const struct device_tlb *tlb);

/* Ends one that has taken longer than 'patience_ns'; time begins with the first call after it was
 * sent.  False: there is none, and *next_ns is when to look again (UINT64_MAX: there is nothing to
 * wait for). */
bool device_tlb_expire(struct device_tlb *tlb, uint64_t now_ns, uint64_t patience_ns,
		       struct iommu_device_invalidation *expired, uint64_t *next_ns);

/* The tables of functions with (id & mask) == (source & mask) were changed: old debts are theirs no
 * more. */
void device_tlb_forgive(struct device_tlb *tlb, uint16_t source, uint16_t mask);

/* Address and size of a range as ATS encodes it (10.2.3.2): 63:12, and if 'sized' ones from bit 12
 * up to the first zero give the size. */
void device_tlb_range(struct iommu_device_invalidation *invalidation, uint64_t word, bool sized);

#endif
