#include "iommu/vtd_unit.h"

/* Invalidation requests to devices (6.5.2.5; PCI Express 5.0, 10.3), and which devices are believed
 * when they say that an address is translated. */

enum { COMPLETIONS_MAX = 8, MOST_PENDING = 32 };

#define TIMEOUT_NS UINT64_C(90000000000) /* one minute, and half of it for grace */

static uint64_t last_of(const struct vtd_device_invalidation *i)
{
	return i->address + i->size - 1; /* size 0: all */
}

/* A later completion covers what was not dropped in time. */
static bool covers(const struct vtd_device_invalidation *all,
		   const struct vtd_device_invalidation *part)
{
	return all->source == part->source && all->address <= part->address &&
	       last_of(all) >= last_of(part) &&
	       (all->all_pasids || (!part->all_pasids && all->pasid == part->pasid));
}

static unsigned outstanding(const struct vtd *vtd, uint16_t source)
{
	unsigned count = 0;

	for (unsigned i = 0; i < VTD_ITAGS; i++)
		count += vtd->itags[i].used && vtd->itags[i].invalidation.source == source;
	return count;
}

static bool owes(const struct vtd *vtd, uint16_t source)
{
	for (unsigned i = 0; i < VTD_DEBTS; i++)
		if (vtd->debts[i].used && vtd->debts[i].invalidation.source == source)
			return true;
	return false;
}

/* Tells readers; seq_cst pairs with vtd_reader.c: a request that is let pass after an invalidation
 * was sent belongs to a reader that the wait descriptor waits for. */
static void block(struct vtd *vtd, uint16_t source, unsigned keep)
{
	unsigned now = atomic_load_explicit(&vtd->blocked[source], memory_order_relaxed) & keep;

	if (outstanding(vtd, source))
		now |= VTD_BLOCK_OUTSTANDING;
	if (owes(vtd, source))
		now |= VTD_BLOCK_TIMED_OUT;
	atomic_store_explicit(&vtd->blocked[source], (uint8_t)now, memory_order_seq_cst);
}

enum vtd_step vtd_device_tlb_send(struct vtd *vtd,
				  const struct vtd_device_invalidation *invalidation, unsigned most)
{
	unsigned tag = VTD_ITAGS;

	/* The device asks again at once: what it then finds must not be the old translation. */
	if (!vtd_queue_settled(vtd) ||
	    outstanding(vtd, invalidation->source) >= (most ? most : MOST_PENDING))
		return VTD_STEP_HOLD;
	for (unsigned i = 0; i < VTD_ITAGS && tag == VTD_ITAGS; i++)
		if (!vtd->itags[(vtd->itag_next + i) % VTD_ITAGS].used)
			tag = (vtd->itag_next + i) % VTD_ITAGS;
	if (tag == VTD_ITAGS)
		return VTD_STEP_HOLD;
	vtd->itag_next = (tag + 1) % VTD_ITAGS;
	vtd->itags[tag] = (struct vtd_itag){ .used = true, .invalidation = *invalidation };
	vtd->itags[tag].invalidation.itag = (uint8_t)tag;
	vtd->queue.device_used = true;
	block(vtd, invalidation->source, VTD_BLOCK_FORGOTTEN);
	/* A copy: the completion may come from within the call. */
	struct vtd_device_invalidation sent = vtd->itags[tag].invalidation;

	vtd->config.invalidate_device(vtd->config.context, &sent);
	return VTD_STEP_DONE;
}

bool vtd_device_tlb_is_idle(const struct vtd *vtd)
{
	for (unsigned i = 0; i < VTD_ITAGS; i++)
		if (vtd->itags[i].used)
			return false;
	return true;
}

static void completion_error(struct vtd *vtd, uint16_t source)
{
	uint64_t record = vtd_register(vtd, SPEC_VTD_IQERCD);

	if (!(vtd_register(vtd, SPEC_VTD_FSTS) & vtd_bit(SPEC_VTD_FSTS_ICE)))
		vtd_register_set(vtd, SPEC_VTD_IQERCD,
				 field_put(record, SPEC_VTD_IQERCD_ICESID, source));
	vtd_fault_status(vtd, vtd_bit(SPEC_VTD_FSTS_ICE));
}

static void complete(struct vtd *vtd, struct vtd_itag *tag)
{
	struct vtd_device_invalidation done = tag->invalidation;

	tag->used = false;
	for (unsigned i = 0; i < VTD_DEBTS; i++)
		if (vtd->debts[i].used && covers(&done, &vtd->debts[i].invalidation))
			vtd->debts[i].used = false;
	block(vtd, done.source, VTD_BLOCK_FORGOTTEN);
}

void vtd_device_tlb_done(struct vtd *vtd, uint16_t source, uint32_t itags, unsigned count)
{
	bool fair = itags != 0 && count >= 1 && count <= COMPLETIONS_MAX;

	for (unsigned i = 0; i < VTD_ITAGS && fair; i++) {
		struct vtd_itag *tag = &vtd->itags[i];

		if (!(itags >> i & 1))
			continue;
		if (!tag->used || tag->invalidation.source != source) {
			completion_error(vtd, source);
			continue;
		}
		/* All completions of one invalidation say how many there are; the first is
		 * believed. */
		if (!tag->answers_wanted)
			tag->answers_wanted = (uint8_t)count;
		if (++tag->answers == tag->answers_wanted)
			complete(vtd, tag);
	}
	if (!fair)
		completion_error(vtd, source);
	vtd_queue_run(vtd);
}

static void remember(struct vtd *vtd, const struct vtd_device_invalidation *invalidation)
{
	for (unsigned i = 0; i < VTD_DEBTS; i++) {
		if (vtd->debts[i].used)
			continue;
		vtd->debts[i].used = true;
		vtd->debts[i].invalidation = *invalidation;
		return;
	}
	atomic_fetch_or_explicit(&vtd->blocked[invalidation->source], VTD_BLOCK_FORGOTTEN,
				 memory_order_seq_cst);
}

static void time_out(struct vtd *vtd, struct vtd_itag *tag)
{
	uint16_t source = tag->invalidation.source;
	uint64_t record = vtd_register(vtd, SPEC_VTD_IQERCD);

	tag->used = false;
	remember(vtd, &tag->invalidation);
	block(vtd, source, VTD_BLOCK_FORGOTTEN);
	if (!(vtd_register(vtd, SPEC_VTD_FSTS) & vtd_bit(SPEC_VTD_FSTS_ITE)))
		vtd_register_set(vtd, SPEC_VTD_IQERCD,
				 field_put(record, SPEC_VTD_IQERCD_ITESID, source));
	vtd_fault_status(vtd, vtd_bit(SPEC_VTD_FSTS_ITE));
	vtd_queue_abort_wait(vtd);
}

uint64_t vtd_device_tlb_poll(struct vtd *vtd, uint64_t now_ns)
{
	uint64_t patience = vtd->config.device_tlb_timeout_ns, next = UINT64_MAX;

	for (unsigned i = 0; i < VTD_ITAGS; i++) {
		struct vtd_itag *tag = &vtd->itags[i];

		if (!tag->used)
			continue;
		if (!tag->dated) { /* time begins with the first poll after it was sent */
			tag->dated = true;
			tag->deadline_ns = now_ns + (patience ? patience : TIMEOUT_NS);
		}
		if (now_ns >= tag->deadline_ns)
			time_out(vtd, tag);
		else
			next = min_u64(next, tag->deadline_ns);
	}
	return next;
}

static void forgive(struct vtd *vtd, uint16_t source, uint16_t mask)
{
	for (unsigned i = 0; i < VTD_DEBTS; i++)
		if (((vtd->debts[i].invalidation.source ^ source) & mask) == 0)
			vtd->debts[i].used = false;
}

void vtd_device_tlb_forgive(struct vtd *vtd, uint16_t source, unsigned function_mask)
{
	/* Bits of the function number that do not count: none, the highest, two, all (6.5.2.1). */
	static const uint8_t ignored[] = { 0, 4, 6, 7 };
	uint16_t mask = (uint16_t)~ignored[function_mask & 3];

	forgive(vtd, source, mask);
	for (unsigned function = 0; function < 8; function++)
		if (((source ^ ((source & ~7u) | function)) & mask) == 0)
			block(vtd, (uint16_t)((source & ~7u) | function), 0);
}

void vtd_device_tlb_forgive_all(struct vtd *vtd)
{
	forgive(vtd, 0, 0);
	for (unsigned source = 0; source < VTD_SOURCES; source++)
		if (atomic_load_explicit(&vtd->blocked[source], memory_order_relaxed))
			block(vtd, (uint16_t)source, 0);
}
