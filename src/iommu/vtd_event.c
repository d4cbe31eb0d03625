#include "iommu/vtd_unit.h"

/* The unit's own interrupts, which are not remapped: a message of data and address that
 * software programmed, with a mask and a pending bit (11.4.7.2, 11.4.9.5, 11.4.11.5). */
struct event_registers {
	uint32_t control, data, address, upper;
};

static const struct event_registers events[] = {
	[VTD_EVENT_FAULT] = { SPEC_VTD_FECTL, SPEC_VTD_FEDATA, SPEC_VTD_FEADDR, SPEC_VTD_FEUADDR },
	[VTD_EVENT_INVALIDATION] = { SPEC_VTD_IECTL, SPEC_VTD_IEDATA, SPEC_VTD_IEADDR,
				     SPEC_VTD_IEUADDR },
	[VTD_EVENT_PAGE_REQUEST] = { SPEC_VTD_PECTL, SPEC_VTD_PEDATA, SPEC_VTD_PEADDR,
				     SPEC_VTD_PEUADDR },
};

static void set_pending(struct vtd *vtd, enum vtd_event event, bool pending)
{
	uint32_t at = events[event].control;

	vtd_register_set(vtd, at, field_put(vtd_register(vtd, at), SPEC_VTD_FECTL_IP, pending));
}

void vtd_event_control(struct vtd *vtd, enum vtd_event event)
{
	const struct event_registers *e = &events[event];
	uint64_t control = vtd_register(vtd, e->control);

	if (!field_is_set(control, SPEC_VTD_FECTL_IP) || field_is_set(control, SPEC_VTD_FECTL_IM))
		return;
	set_pending(vtd, event, false);
	if (vtd->config.interrupt)
		vtd->config.interrupt(vtd->config.context,
				      vtd_register(vtd, e->upper) << 32 |
					      vtd_register(vtd, e->address),
				      (uint32_t)vtd_register(vtd, e->data));
}

void vtd_event_raise(struct vtd *vtd, enum vtd_event event)
{
	set_pending(vtd, event, true);
	vtd_event_control(vtd, event);
}

void vtd_event_serve(struct vtd *vtd, enum vtd_event event)
{
	set_pending(vtd, event, false);
}
