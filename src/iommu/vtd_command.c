#include "iommu/vtd_unit.h"

/* Commands by registers.  Each changes what readers find from now on, publishes that, and reports
 * completion (GSTS, PRS, ICC, IVT) when no reader is inside that came before. */

static void mode_publish(struct vtd *vtd)
{
	iommu_mode_publish(&vtd->modes, &vtd->mode, sizeof vtd->mode);
}

/* Ends what was cached under the old mode and begins to wait for readers. */
static void publish(struct vtd *vtd)
{
	vtd->pending.generation = tlb_publish(vtd->tlb);
	vtd_command_poll(vtd);
}

bool vtd_command_is_pending(const struct vtd *vtd)
{
	return vtd->pending.generation != 0;
}

static void register_change(struct vtd *vtd, uint32_t offset, uint64_t clear, uint64_t set)
{
	vtd_register_set(vtd, offset, (vtd_register(vtd, offset) & ~clear) | set);
}

void vtd_command_poll(struct vtd *vtd)
{
	struct vtd_pending *pending = &vtd->pending;

	if (!pending->generation || !tlb_passed(vtd->tlb, pending->generation))
		return;
	if (pending->global_command)
		vtd_register_set(vtd, SPEC_VTD_GSTS, pending->status);
	if (pending->protect_command)
		register_change(vtd, SPEC_VTD_PMEN, field_mask(SPEC_VTD_PMEN_PRS),
				field_make(SPEC_VTD_PMEN_PRS, vtd->mode.protect));
	if (pending->context_command)
		register_change(vtd, SPEC_VTD_CCMD, field_mask(SPEC_VTD_CCMD_ICC), 0);
	if (pending->iotlb_command)
		register_change(vtd, vtd_iotlb_offset(vtd) + SPEC_VTD_IOTLB,
				field_mask(SPEC_VTD_IOTLB_IVT), 0);
	*pending = (struct vtd_pending){ 0 };
}

/* Global commands (11.4.4.1).  Software changes one bit a write; several at once are carried out in
 * the order in which they are safe: pointers first, then the queue, then what uses them. */
struct command {
	int bit;
	int need; /* of ECAP */
	enum { ONE_SHOT, LASTING } kind;
};

static const struct command commands[] = {
	{ SPEC_VTD_GCMD_SRTP, 0, ONE_SHOT },
	{ SPEC_VTD_GCMD_SIRTP, SPEC_VTD_ECAP_IR, ONE_SHOT },
	{ SPEC_VTD_GCMD_QIE, SPEC_VTD_ECAP_QI, LASTING },
	{ SPEC_VTD_GCMD_IRE, SPEC_VTD_ECAP_IR, LASTING },
	{ SPEC_VTD_GCMD_CFI, SPEC_VTD_ECAP_IR, LASTING },
	{ SPEC_VTD_GCMD_TE, 0, LASTING },
};

static void one_shot(struct vtd *vtd, int bit)
{
	uint64_t io_rights = field_is_set(vtd->config.ecap, SPEC_VTD_ECAP_SSIRWS)
				     ? 0
				     : field_mask(SPEC_VTD_RTADDR_SSIRWE);

	if (bit == SPEC_VTD_GCMD_SRTP)
		vtd->mode.rtaddr = vtd_register(vtd, SPEC_VTD_RTADDR) & ~io_rights;
	else
		vtd->mode.irta = vtd_register(vtd, SPEC_VTD_IRTA);
}

static void lasting(struct vtd *vtd, int bit, bool on)
{
	if (bit != SPEC_VTD_GCMD_QIE)
		vtd->mode.status = (vtd->mode.status & ~field_mask(bit)) | field_make(bit, on);
	else if (on)
		vtd_queue_enable(vtd);
	else
		vtd_queue_disable(vtd);
}

void vtd_command_global(struct vtd *vtd, uint64_t value)
{
	uint64_t status = vtd->pending.global_command ? vtd->pending.status : vtd_status(vtd);
	uint64_t before = status;

	for (unsigned i = 0; i < array_len(commands); i++) {
		const struct command *c = &commands[i];
		bool asked = field_is_set(value, c->bit);

		if (c->need && !field_is_set(vtd->config.ecap, c->need))
			continue;
		if (c->kind == ONE_SHOT ? !asked : asked == field_is_set(status, c->bit))
			continue;
		if (c->kind == ONE_SHOT) {
			one_shot(vtd, c->bit);
			/* RTPS and IRTPS are clear until the operation is complete. */
			register_change(vtd, SPEC_VTD_GSTS, field_mask(c->bit), 0);
			before &= ~field_mask(c->bit);
		} else {
			lasting(vtd, c->bit, asked);
		}
		status = (status & ~field_mask(c->bit)) | field_make(c->bit, asked);
	}
	if (status == before)
		return;
	vtd->pending.global_command = true;
	vtd->pending.status = (uint32_t)status;
	mode_publish(vtd);
	vtd_invalidate_all(vtd);
	publish(vtd);
	vtd_queue_run(vtd);
}

/* Invalidation by registers: not beside the queue, and not in scalable mode (6.5.1). */
static bool registers_invalidate(const struct vtd *vtd)
{
	return !vtd->queue.enabled &&
	       field_get(vtd->mode.rtaddr, SPEC_VTD_RTADDR_TTM) != SPEC_VTD_TTM_SCALABLE;
}

void vtd_command_context(struct vtd *vtd, uint64_t value)
{
	uint64_t command = vtd_register(vtd, SPEC_VTD_CCMD);
	unsigned done = SPEC_VTD_GRANULARITY_RESERVED;

	if (!field_is_set(value, SPEC_VTD_CCMD_ICC))
		return;
	if (registers_invalidate(vtd))
		done = vtd_invalidate_contexts(vtd,
					       (unsigned)field_get(command, SPEC_VTD_CCMD_CIRG),
					       (uint16_t)field_get(command, SPEC_VTD_CCMD_DID),
					       (uint16_t)field_get(command, SPEC_VTD_CCMD_SID),
					       (unsigned)field_get(command, SPEC_VTD_CCMD_FM));
	vtd_register_set(vtd, SPEC_VTD_CCMD, field_put(command, SPEC_VTD_CCMD_CAIG, done));
	vtd->pending.context_command = true;
	publish(vtd);
}

void vtd_command_iotlb(struct vtd *vtd, uint64_t value)
{
	uint32_t iva = vtd_iotlb_offset(vtd) + SPEC_VTD_IVA;
	uint32_t iotlb = vtd_iotlb_offset(vtd) + SPEC_VTD_IOTLB;
	uint64_t command = vtd_register(vtd, iotlb);
	unsigned done = SPEC_VTD_GRANULARITY_RESERVED;

	if (!field_is_set(value, SPEC_VTD_IOTLB_IVT))
		return;
	if (registers_invalidate(vtd))
		done = vtd_invalidate_iotlb(vtd, (unsigned)field_get(command, SPEC_VTD_IOTLB_IIRG),
					    (uint16_t)field_get(command, SPEC_VTD_IOTLB_DID),
					    vtd_register(vtd, iva));
	vtd_register_set(vtd, iotlb, field_put(command, SPEC_VTD_IOTLB_IAIG, done));
	vtd->pending.iotlb_command = true;
	publish(vtd);
}

/* Base and limit are taken when protection is switched on: software does not change them while it
 * is on (11.4.8).  A limit below its base protects nothing. */
static void take_ranges(struct vtd *vtd)
{
	uint64_t unit = (UINT64_C(1) << VTD_PROTECTED_SHIFT) - 1;
	struct vtd_mode *mode = &vtd->mode;

	mode->low_base = mode->high_base = 1;
	mode->low_last = mode->high_last = 0;
	if (field_is_set(vtd->config.cap, SPEC_VTD_CAP_PLMR)) {
		mode->low_base = vtd_register(vtd, SPEC_VTD_PLMBASE);
		mode->low_last = vtd_register(vtd, SPEC_VTD_PLMLIMIT) | unit;
	}
	if (field_is_set(vtd->config.cap, SPEC_VTD_CAP_PHMR)) {
		mode->high_base = vtd_register(vtd, SPEC_VTD_PHMBASE);
		mode->high_last = vtd_register(vtd, SPEC_VTD_PHMLIMIT) | unit;
	}
}

void vtd_command_protect(struct vtd *vtd, uint64_t value)
{
	bool on = field_is_set(value, SPEC_VTD_PMEN_EPM);

	if (on == (vtd->mode.protect != 0))
		return;
	vtd->mode.protect = on;
	if (on)
		take_ranges(vtd);
	vtd->pending.protect_command = true;
	mode_publish(vtd);
	vtd_invalidate_all(vtd);
	publish(vtd);
}
