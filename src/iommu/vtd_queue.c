#include "iommu/vtd_unit.h"

#include "base/bytes.h"

/* The invalidation queue (6.5.2): descriptors are carried out in order.  A wait descriptor is
 * fetched, and nothing behind it, until all before it is complete; so every wait is a fence, too.
 */

/* As field_mask(), for tables. */
#define BITS(field) (UINT64_MAX >> (63 - ((field) >> 8)) & UINT64_MAX << ((field)&0xff))

/* Which bits of a descriptor's first two words have a meaning beside the type; the others are
 * reserved. Words 2 and 3 of a descriptor of 256 bits are reserved but in a page group response
 * (private data). */
struct descriptor {
	int need;      /* of ECAP; 0: always there */
	bool scalable; /* in scalable mode alone */
	bool wide;     /* only in a queue of 256-bit descriptors */
	uint64_t word0, word1;
};

/* clang-format off */
static const struct descriptor descriptors[SPEC_VTD_QI_TYPES] = {
	[SPEC_VTD_QI_CONTEXT] = { 0, false, false,
		BITS(SPEC_VTD_QI_0_G) | BITS(SPEC_VTD_QI_0_DID) |
		BITS(SPEC_VTD_QI_CONTEXT_0_SID) | BITS(SPEC_VTD_QI_CONTEXT_0_FM),
		0 },
	[SPEC_VTD_QI_IOTLB] = { 0, false, false,
		BITS(SPEC_VTD_QI_0_G) | BITS(SPEC_VTD_QI_IOTLB_0_DW) | BITS(SPEC_VTD_QI_IOTLB_0_DR) |
		BITS(SPEC_VTD_QI_0_DID),
		BITS(SPEC_VTD_QI_1_AM) | BITS(SPEC_VTD_QI_1_IH) | BITS(SPEC_VTD_QI_1_ADDR) },
	[SPEC_VTD_QI_DEVICE_TLB] = { SPEC_VTD_ECAP_DT, false, false,
		BITS(SPEC_VTD_QI_DEVICE_0_PFSID_LOW) | BITS(SPEC_VTD_QI_DEVICE_0_MIP) |
		BITS(SPEC_VTD_QI_DEVICE_0_SID) | BITS(SPEC_VTD_QI_DEVICE_0_PFSID_HIGH),
		BITS(SPEC_VTD_QI_DEVICE_1_S) | BITS(SPEC_VTD_QI_1_ADDR) },
	[SPEC_VTD_QI_INTERRUPT] = { SPEC_VTD_ECAP_IR, false, false,
		BITS(SPEC_VTD_QI_INTERRUPT_0_G) | BITS(SPEC_VTD_QI_INTERRUPT_0_IM) |
		BITS(SPEC_VTD_QI_INTERRUPT_0_IIDX),
		0 },
	[SPEC_VTD_QI_WAIT] = { 0, false, false,
		BITS(SPEC_VTD_QI_WAIT_0_IF) | BITS(SPEC_VTD_QI_WAIT_0_SW) | BITS(SPEC_VTD_QI_WAIT_0_FN) |
		BITS(SPEC_VTD_QI_WAIT_0_PD) | BITS(SPEC_VTD_QI_WAIT_0_DATA),
		BITS(SPEC_VTD_QI_WAIT_1_ADDR) },
	[SPEC_VTD_QI_PASID_IOTLB] = { SPEC_VTD_ECAP_SMTS, true, false,
		BITS(SPEC_VTD_QI_0_G) | BITS(SPEC_VTD_QI_0_DID) | BITS(SPEC_VTD_QI_0_PASID),
		BITS(SPEC_VTD_QI_1_AM) | BITS(SPEC_VTD_QI_1_IH) | BITS(SPEC_VTD_QI_1_ADDR) },
	[SPEC_VTD_QI_PASID_CACHE] = { SPEC_VTD_ECAP_SMTS, true, false,
		BITS(SPEC_VTD_QI_0_G) | BITS(SPEC_VTD_QI_0_DID) | BITS(SPEC_VTD_QI_0_PASID),
		0 },
	[SPEC_VTD_QI_PASID_DEVICE_TLB] = { SPEC_VTD_ECAP_DT, true, false,
		BITS(SPEC_VTD_QI_PASID_DEVICE_0_MIP) | BITS(SPEC_VTD_QI_DEVICE_0_PFSID_LOW) |
		BITS(SPEC_VTD_QI_PASID_DEVICE_0_SID) | BITS(SPEC_VTD_QI_0_PASID) |
		BITS(SPEC_VTD_QI_DEVICE_0_PFSID_HIGH),
		BITS(SPEC_VTD_QI_PASID_DEVICE_1_G) | BITS(SPEC_VTD_QI_PASID_DEVICE_1_S) |
		BITS(SPEC_VTD_QI_1_ADDR) },
	[SPEC_VTD_QI_PAGE_RESPONSE] = { SPEC_VTD_ECAP_PRS, true, true,
		BITS(SPEC_VTD_QI_RESPONSE_0_PP) | BITS(SPEC_VTD_QI_RESPONSE_0_PDP) |
		BITS(SPEC_VTD_QI_RESPONSE_0_RC) | BITS(SPEC_VTD_QI_RESPONSE_0_RID) |
		BITS(SPEC_VTD_QI_0_PASID),
		BITS(SPEC_VTD_QI_RESPONSE_1_LPIG) | BITS(SPEC_VTD_QI_RESPONSE_1_PRGI) },
};
/* clang-format on */

static bool is_scalable(const struct vtd *vtd)
{
	return field_get(vtd->mode.rtaddr, SPEC_VTD_RTADDR_TTM) == SPEC_VTD_TTM_SCALABLE;
}

static unsigned check(const struct vtd *vtd, const uint64_t words[4])
{
	uint64_t type = field_get(words[0], SPEC_VTD_QI_0_TYPE);
	const struct descriptor *d = &descriptors[type % SPEC_VTD_QI_TYPES];
	uint64_t bits = d->word0 | field_mask(SPEC_VTD_QI_0_TYPE);

	if (type >= SPEC_VTD_QI_TYPES || !d->word0 ||
	    field_get(words[0], SPEC_VTD_QI_0_TYPE_HIGH) ||
	    (d->need && !field_is_set(vtd->config.ecap, d->need)))
		return SPEC_VTD_IQEI_TYPE;
	if (d->scalable && !is_scalable(vtd))
		return SPEC_VTD_IQEI_TTM;
	if (d->wide && !vtd->queue.wide)
		return SPEC_VTD_IQEI_WIDTH;
	if (type == SPEC_VTD_QI_WAIT && !field_is_set(vtd->config.ecap, SPEC_VTD_ECAP_PDS))
		bits &= ~field_mask(SPEC_VTD_QI_WAIT_0_PD);
	if (words[0] & ~bits || words[1] & ~d->word1)
		return SPEC_VTD_IQEI_RESERVED;
	if (!d->wide && (words[2] || words[3]))
		return SPEC_VTD_IQEI_RESERVED;
	return SPEC_VTD_IQEI_NONE;
}

void vtd_queue_enable(struct vtd *vtd)
{
	uint64_t iqa = vtd_register(vtd, SPEC_VTD_IQA);

	vtd->queue = (struct vtd_queue){
		.enabled = true,
		.running = vtd->queue.running,
		.wide = field_is_set(iqa, SPEC_VTD_IQA_DW) &&
			field_is_set(vtd->config.ecap, SPEC_VTD_ECAP_SMTS),
		.base = iqa & field_mask(SPEC_VTD_IQA_IQA),
		.size = UINT32_C(4096) << field_get(iqa, SPEC_VTD_IQA_QS),
	};
	vtd_register_set(vtd, SPEC_VTD_IQH, 0);
}

void vtd_queue_disable(struct vtd *vtd)
{
	vtd->queue = (struct vtd_queue){ .running = vtd->queue.running };
	vtd_register_set(vtd, SPEC_VTD_IQH, 0);
}

static void queue_error(struct vtd *vtd, unsigned info)
{
	uint64_t record = vtd_register(vtd, SPEC_VTD_IQERCD);

	vtd_register_set(vtd, SPEC_VTD_IQERCD, field_put(record, SPEC_VTD_IQERCD_IQEI, info));
	vtd_fault_status(vtd, vtd_bit(SPEC_VTD_FSTS_IQE));
}

bool vtd_queue_settled(struct vtd *vtd)
{
	struct vtd_queue *queue = &vtd->queue;

	if (queue->marked) {
		queue->generation = tlb_publish(vtd->tlb);
		queue->marked = false;
	}
	return tlb_passed(vtd->tlb, queue->generation);
}

/* All invalidations before it are complete: with readers, with devices, and then with readers
 * again, for an access with an address that a device had translated may have been under way. */
static bool wait_is_over(struct vtd *vtd)
{
	if (!vtd_queue_settled(vtd) || !device_tlb_is_idle(&vtd->device_tlb))
		return false;
	vtd->queue.marked |= vtd->queue.device_used;
	vtd->queue.device_used = false;
	return vtd_queue_settled(vtd);
}

static void wait_complete(struct vtd *vtd)
{
	const uint64_t *words = vtd->queue.wait;
	const struct iommu_memory *memory = &vtd->config.memory;
	uint8_t data[4];

	vtd->queue.waiting = false;
	if (field_is_set(words[0], SPEC_VTD_QI_WAIT_0_SW)) {
		put_le32(data, (uint32_t)field_get(words[0], SPEC_VTD_QI_WAIT_0_DATA));
		memory->write(memory->context, words[1] & field_mask(SPEC_VTD_QI_WAIT_1_ADDR), data,
			      sizeof data);
	}
	/* While software has not served an earlier one it is no new condition (11.4.9.5). */
	if (field_is_set(words[0], SPEC_VTD_QI_WAIT_0_IF) && !vtd_register(vtd, SPEC_VTD_ICS)) {
		vtd_register_set(vtd, SPEC_VTD_ICS, field_mask(SPEC_VTD_ICS_IWC));
		vtd_event_raise(vtd, VTD_EVENT_INVALIDATION);
	}
}

void vtd_queue_abort_wait(struct vtd *vtd)
{
	vtd->queue.waiting = false;
}

/* False: there is none, or there was an error. */
static bool fetch(struct vtd *vtd, uint64_t words[4])
{
	const struct iommu_memory *memory = &vtd->config.memory;
	const struct vtd_queue *queue = &vtd->queue;
	uint64_t head = vtd_register(vtd, SPEC_VTD_IQH), tail = vtd_register(vtd, SPEC_VTD_IQT);
	unsigned width = queue->wide ? 32 : 16, info = SPEC_VTD_IQEI_NONE;
	uint8_t bytes[32] = { 0 };

	if (head == tail)
		return false;
	if (tail >= queue->size)
		info = SPEC_VTD_IQEI_TAIL;
	else if (tail % width)
		info = SPEC_VTD_IQEI_ALIGNMENT;
	else if (is_scalable(vtd) && !queue->wide)
		info = SPEC_VTD_IQEI_WIDTH;
	else if (!memory->read(memory->context, queue->base + head, bytes, width))
		info = SPEC_VTD_IQEI_FETCH;
	for (unsigned i = 0; i < 4; i++)
		words[i] = get_le64(bytes + i * 8);
	if (!info)
		info = check(vtd, words);
	if (info)
		queue_error(vtd, info);
	return !info;
}

static void advance(struct vtd *vtd)
{
	uint64_t head = vtd_register(vtd, SPEC_VTD_IQH) + (vtd->queue.wide ? 32 : 16);

	vtd_register_set(vtd, SPEC_VTD_IQH, head % vtd->queue.size);
}

/* One descriptor; false: no more now. */
static bool step(struct vtd *vtd)
{
	uint64_t words[4];

	if (!fetch(vtd, words))
		return false;
	if (field_get(words[0], SPEC_VTD_QI_0_TYPE) == SPEC_VTD_QI_WAIT) {
		vtd->queue.waiting = true;
		vtd->queue.wait[0] = words[0];
		vtd->queue.wait[1] = words[1];
		advance(vtd);
		return true;
	}
	switch (vtd_invalidate(vtd, words)) {
	case VTD_STEP_DONE:
		advance(vtd);
		return true;
	case VTD_STEP_RESERVED:
		queue_error(vtd, SPEC_VTD_IQEI_RESERVED);
		break;
	case VTD_STEP_HOLD:
		break;
	}
	return false;
}

/* Errors stop the queue until software clears them (6.5.2.11), and so does a command under way. */
static bool may_run(const struct vtd *vtd)
{
	uint64_t stop = field_mask(SPEC_VTD_FSTS_IQE) | field_mask(SPEC_VTD_FSTS_ITE);

	return vtd->queue.enabled && !vtd_command_is_pending(vtd) &&
	       !(vtd_register(vtd, SPEC_VTD_FSTS) & stop);
}

void vtd_queue_run(struct vtd *vtd)
{
	if (vtd->queue.running) /* a call-back calls us */
		return;
	vtd->queue.running = true;
	for (unsigned n = 0; n < VTD_DESCRIPTORS_PER_RUN && may_run(vtd); n++) {
		if (vtd->queue.waiting) {
			if (!wait_is_over(vtd))
				break;
			wait_complete(vtd);
		} else if (!step(vtd)) {
			break;
		}
	}
	vtd->queue.running = false;
	if (vtd->queue.enabled)
		vtd_queue_settled(vtd);
}

bool vtd_queue_is_busy(const struct vtd *vtd)
{
	const struct vtd_queue *queue = &vtd->queue;

	if (!may_run(vtd))
		return false;
	if (queue->waiting)
		return queue->marked || !tlb_passed(vtd->tlb, queue->generation) ||
		       device_tlb_is_idle(&vtd->device_tlb);
	return vtd_register(vtd, SPEC_VTD_IQH) != vtd_register(vtd, SPEC_VTD_IQT);
}
