#include "iommu/device_tlb.h"

static uint64_t last_of(const struct iommu_device_invalidation *i)
{
	return i->address + i->size - 1; /* size 0: all */
}

/* A completion covers what was not dropped in time. */
static bool covers(const struct iommu_device_invalidation *all,
		   const struct iommu_device_invalidation *part)
{
	return all->source == part->source && all->address <= part->address &&
	       last_of(all) >= last_of(part) &&
	       (all->all_pasids || (!part->all_pasids && all->pasid == part->pasid));
}

static unsigned outstanding(const struct device_tlb *tlb, uint16_t source)
{
	unsigned count = 0;

	for (unsigned i = 0; i < DEVICE_TLB_ITAGS; i++)
		count += tlb->itags[i].used && tlb->itags[i].invalidation.source == source;
	return count;
}

static bool owes(const struct device_tlb *tlb, uint16_t source)
{
	for (unsigned i = 0; i < DEVICE_TLB_DEBTS; i++)
		if (tlb->debts[i].used && tlb->debts[i].invalidation.source == source)
			return true;
	return false;
}

/* Tells readers; of what was there 'keep' stays.  seq_cst pairs with device_tlb_blocks(): a request
 * that is let pass although an invalidation was sent belongs to a reader that is waited for. */
static void block(struct device_tlb *tlb, uint16_t source, unsigned keep)
{
	unsigned now = atomic_load_explicit(&tlb->blocked[source], memory_order_relaxed) & keep;

	if (outstanding(tlb, source))
		now |= DEVICE_BLOCK_OUTSTANDING;
	if (owes(tlb, source))
		now |= DEVICE_BLOCK_TIMED_OUT;
	atomic_store_explicit(&tlb->blocked[source], (uint8_t)now, memory_order_seq_cst);
}

static unsigned free_itag(const struct device_tlb *tlb)
{
	for (unsigned i = 0; i < DEVICE_TLB_ITAGS; i++)
		if (!tlb->itags[(tlb->next + i) % DEVICE_TLB_ITAGS].used)
			return (tlb->next + i) % DEVICE_TLB_ITAGS;
	return DEVICE_TLB_ITAGS;
}

bool device_tlb_has_room(const struct device_tlb *tlb, uint16_t source, unsigned most)
{
	return outstanding(tlb, source) < (most ? most : DEVICE_TLB_ITAGS) &&
	       free_itag(tlb) < DEVICE_TLB_ITAGS;
}

void device_tlb_send(struct device_tlb *tlb, struct iommu_device_invalidation *invalidation)
{
	unsigned tag = free_itag(tlb);

	must(tag < DEVICE_TLB_ITAGS);
	tlb->next = (tag + 1) % DEVICE_TLB_ITAGS;
	invalidation->itag = (uint8_t)tag;
	tlb->itags[tag] = (struct device_itag){ .used = true, .invalidation = *invalidation };
	block(tlb, invalidation->source, DEVICE_BLOCK_FORGOTTEN);
}

bool device_tlb_is_idle(const struct device_tlb *tlb)
{
	for (unsigned i = 0; i < DEVICE_TLB_ITAGS; i++)
		if (tlb->itags[i].used)
			return false;
	return true;
}

static void complete(struct device_tlb *tlb, struct device_itag *tag)
{
	const struct iommu_device_invalidation *done = &tag->invalidation;

	tag->used = false;
	for (unsigned i = 0; i < DEVICE_TLB_DEBTS; i++)
		if (tlb->debts[i].used && covers(done, &tlb->debts[i].invalidation))
			tlb->debts[i].used = false;
	block(tlb, done->source, DEVICE_BLOCK_FORGOTTEN);
}

bool device_tlb_done(struct device_tlb *tlb, uint16_t source, uint32_t itags, unsigned count)
{
	bool fair = true;

	if (!itags || count < 1 || count > DEVICE_TLB_COMPLETIONS_MAX)
		return false;
	for (; itags; itags &= itags - 1) {
		struct device_itag *tag = &tlb->itags[lowest_bit(itags)];

		if (!tag->used || tag->invalidation.source != source) {
			fair = false;
			continue;
		}
		/* All completions of one invalidation say how many there are; the first is
		 * believed. */
		if (!tag->answers_wanted)
			tag->answers_wanted = (uint8_t)count;
		if (++tag->answers == tag->answers_wanted)
			complete(tlb, tag);
	}
	return fair;
}

static void remember(struct device_tlb *tlb, const struct iommu_device_invalidation *invalidation)
{
	for (unsigned i = 0; i < DEVICE_TLB_DEBTS; i++) {
		if (tlb->debts[i].used)
			continue;
		tlb->debts[i].used = true;
		tlb->debts[i].invalidation = *invalidation;
		return;
	}
	atomic_fetch_or_explicit(&tlb->blocked[invalidation->source], DEVICE_BLOCK_FORGOTTEN,
				 memory_order_seq_cst);
}

bool device_tlb_expire(struct device_tlb *tlb, uint64_t now_ns, uint64_t patience_ns,
		       struct iommu_device_invalidation *expired, uint64_t *next_ns)
{
	*next_ns = UINT64_MAX;
	for (unsigned i = 0; i < DEVICE_TLB_ITAGS; i++) {
		struct device_itag *tag = &tlb->itags[i];

		if (!tag->used)
			continue;
		if (!tag->dated) {
			tag->dated = true;
			tag->deadline_ns = now_ns + patience_ns;
		}
		*next_ns = min_u64(*next_ns, tag->deadline_ns);
		if (now_ns < tag->deadline_ns)
			continue;
		*expired = tag->invalidation;
		tag->used = false;
		remember(tlb, &tag->invalidation);
		block(tlb, expired->source, DEVICE_BLOCK_FORGOTTEN);
		return true;
	}
	return false;
}

void device_tlb_forgive(struct device_tlb *tlb, uint16_t source, uint16_t mask)
{
	unsigned all = 0xffffu & ~mask;

	for (unsigned i = 0; i < DEVICE_TLB_DEBTS; i++)
		if (((tlb->debts[i].invalidation.source ^ source) & mask) == 0)
			tlb->debts[i].used = false;
	/* Every value of the bits that do not count. */
	for (unsigned bits = all;; bits = (bits - 1) & all) {
		uint16_t one = (uint16_t)((source & mask) | bits);

		if (atomic_load_explicit(&tlb->blocked[one], memory_order_relaxed))
			block(tlb, one, 0);
		if (!bits)
			break;
	}
}

void device_tlb_range(struct iommu_device_invalidation *invalidation, uint64_t word, bool sized)
{
	uint64_t address = word & UINT64_C(0xfffffffffffff000);
	uint64_t zeros = ~(address | 0xfff);
	unsigned shift = !sized ? 12 : zeros ? lowest_bit(zeros) + 1 : 64;

	invalidation->size = shift < 64 ? UINT64_C(1) << shift : 0;
	invalidation->address = shift < 64 ? address >> shift << shift : 0;
}
