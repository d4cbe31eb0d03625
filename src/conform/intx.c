/* INTx: 6.1, 7.5.1.1.3, 7.5.1.1.4, 7.5.1.1.13, and that VFs have none: 9.3.4.1, 9.5.1.1. */
#include "conform/internal.h"
#include "spec/pcie.h"

static bool has_pin(struct subject *s)
{
	return get(s, SPEC_PCI_INTERRUPT_PIN, 1) != 0;
}

static bool status(struct subject *s)
{
	return get(s, SPEC_PCI_STATUS, 2) & SPEC_PCI_STATUS_INTERRUPT;
}

static bool skip(struct subject *s, struct judgement *j)
{
	if (!has_pin(s))
		not_applicable(j, "Interrupt Pin is 0: it has no INTx");
	return !has_pin(s);
}

static void messages_too(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return;
	if (s->msi || s->msix)
		pass(j, "Interrupt Pin is %u, and there is MSI%s", get(s, SPEC_PCI_INTERRUPT_PIN, 1),
		     s->msix ? "-X" : "");
	else
		fail(j, "Interrupt Pin is %u, and there is neither MSI nor MSI-X",
		     get(s, SPEC_PCI_INTERRUPT_PIN, 1));
}

static void disable(struct subject *s, struct judgement *j)
{
	uint32_t before = get(s, SPEC_PCI_COMMAND, 2);

	if (skip(s, j))
		return;
	if (flip(s, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_NO_INTX) & SPEC_PCI_COMMAND_NO_INTX)
		pass(j, "Command was %04Xh; Interrupt Disable takes what is written", before);
	else
		fail(j, "Command is %04Xh; Interrupt Disable cannot be changed", before);
}

static void status_bit(struct subject *s, struct judgement *j)
{
	uint32_t value = get(s, SPEC_PCI_STATUS, 2);

	if (!has_pin(s) && value & SPEC_PCI_STATUS_INTERRUPT)
		fail(j, "Status is %04Xh: an INTx is pending, and Interrupt Pin is 0", value);
	if (s->destructive) {
		/* the rest of it is cleared by ones */
		put(s, SPEC_PCI_STATUS, 2, ~value & SPEC_PCI_STATUS_INTERRUPT);
		if ((get(s, SPEC_PCI_STATUS, 2) ^ value) & SPEC_PCI_STATUS_INTERRUPT)
			fail(j, "Interrupt Status can be written");
	}
	pass(j, "Status is %04Xh", value);
}

static void of_vf(struct subject *s, struct judgement *j)
{
	uint32_t pin = get(s, SPEC_PCI_INTERRUPT_PIN, 1), command = get(s, SPEC_PCI_COMMAND, 2);

	if (s->role != CONFORM_VF) {
		not_applicable(j, "it is no VF");
		return;
	}
	if (pin || command & SPEC_PCI_COMMAND_NO_INTX || status(s))
		fail(j, "Interrupt Pin %u, Interrupt Disable %u, Interrupt Status %u; all are 0", pin,
		     !!(command & SPEC_PCI_COMMAND_NO_INTX), status(s));
	else if (flip(s, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_NO_INTX) & SPEC_PCI_COMMAND_NO_INTX)
		fail(j, "Interrupt Disable of a VF can be written");
	else
		pass(j, "neither a pin nor what disables it");
}

static void after_reset(struct subject *s, struct judgement *j)
{
	uint32_t command;
	uint64_t took;

	if (skip(s, j) || !can_flr(s, j))
		return;
	put(s, SPEC_PCI_COMMAND, 2, get(s, SPEC_PCI_COMMAND, 2) | SPEC_PCI_COMMAND_NO_INTX);
	if (s->target->ops->intx)
		s->target->ops->intx(s->target, s->function, CONFORM_INTX_REASON);
	if (!flr(s, s->function, &took))
		fail(j, "it does not come back");
	command = get(s, SPEC_PCI_COMMAND, 2);
	if (command & SPEC_PCI_COMMAND_NO_INTX)
		fail(j, "Command is %04Xh after a reset: Interrupt Disable is 1", command);
	else if (status(s))
		fail(j, "Interrupt Status is 1 after a reset");
	else
		pass(j, "Interrupt Disable is 0, and nothing is pending");
	if (s->target->ops->intx)
		s->target->ops->intx(s->target, s->function, CONFORM_INTX_NO_REASON);
}

static void lines(struct subject *s, struct judgement *j)
{
	unsigned wanted = has_pin(s) ? 1 : 0;

	if (!s->target->tells_lines)
		not_applicable(j, "nobody says there how many lines are offered");
	else if (s->target->lines != wanted)
		fail(j, "Interrupt Pin is %u, and %u lines of INTx are offered",
		     get(s, SPEC_PCI_INTERRUPT_PIN, 1), s->target->lines);
	else
		pass(j, "Interrupt Pin is %u, and %u lines are offered",
		     get(s, SPEC_PCI_INTERRUPT_PIN, 1), s->target->lines);
}

static bool can_raise(struct subject *s, struct judgement *j)
{
	const struct conform_target_ops *ops = s->target->ops;

	if (skip(s, j))
		return false;
	if (!ops->intx || !ops->intx_came ||
	    ops->intx(s->target, s->function, CONFORM_INTX_NO_REASON)) {
		not_applicable(j, "nobody can make it interrupt there");
		return false;
	}
	if (ops->intx_unmask)
		ops->intx_unmask(s->target, s->function);
	put(s, SPEC_PCI_COMMAND, 2,
	    get(s, SPEC_PCI_COMMAND, 2) & ~(uint32_t)SPEC_PCI_COMMAND_NO_INTX);
	return true;
}

static void reason(struct subject *s, enum conform_intx reason)
{
	s->target->ops->intx(s->target, s->function, reason);
}

static bool came(struct subject *s)
{
	return s->target->ops->intx_came(s->target, s->function) == 1;
}

static void pending(struct subject *s, struct judgement *j)
{
	if (!can_raise(s, j))
		return;
	if (status(s))
		fail(j, "Interrupt Status is 1 without a reason");
	reason(s, CONFORM_INTX_REASON);
	if (!status(s))
		fail(j, "Interrupt Status is 0, and the function has a reason to interrupt");
	else if (!came(s))
		fail(j, "no INTx came, and Interrupt Status is 1");
	reason(s, CONFORM_INTX_NO_REASON);
	if (status(s))
		fail(j, "Interrupt Status is 1 after the reason has gone");
	pass(j, "an INTx comes with its reason, and Interrupt Status shows it");
}

static void kept_back(struct subject *s, struct judgement *j)
{
	uint32_t command;

	if (!can_raise(s, j))
		return;
	command = get(s, SPEC_PCI_COMMAND, 2);
	put(s, SPEC_PCI_COMMAND, 2, command | SPEC_PCI_COMMAND_NO_INTX);
	reason(s, CONFORM_INTX_REASON);
	if (came(s))
		fail(j, "an INTx came while Interrupt Disable was 1");
	else if (!status(s))
		fail(j, "Interrupt Disable cleared Interrupt Status");
	put(s, SPEC_PCI_COMMAND, 2, command);
	if (!came(s))
		fail(j, "no INTx came when Interrupt Disable was cleared");
	reason(s, CONFORM_INTX_NO_REASON);
	pass(j, "kept back while Interrupt Disable is 1, and sent then");
}

static void with_msix(struct subject *s, struct judgement *j)
{
	uint32_t control;

	if (!can_raise(s, j))
		return;
	if (!s->msix) {
		not_applicable(j, "it has no MSI-X");
		return;
	}
	control = get(s, s->msix + SPEC_MSIX_CONTROL, 2);
	put(s, s->msix + SPEC_MSIX_CONTROL, 2,
	    control | SPEC_MSIX_ENABLE | SPEC_MSIX_FUNCTION_MASK);
	reason(s, CONFORM_INTX_REASON);
	if (came(s))
		fail(j, "an INTx came while MSI-X was enabled");
	reason(s, CONFORM_INTX_NO_REASON);
	put(s, s->msix + SPEC_MSIX_CONTROL, 2, control);
	pass(j, "no INTx came while MSI-X was enabled");
}

static void masks_itself(struct subject *s, struct judgement *j)
{
	const struct conform_target_ops *ops = s->target->ops;

	if (!can_raise(s, j))
		return;
	if (!ops->intx_unmask) {
		not_applicable(j, "it is a line there, and nothing that masks itself");
		return;
	}
	reason(s, CONFORM_INTX_REASON);
	if (!came(s))
		fail(j, "no INTx came");
	ops->intx_unmask(s->target, s->function);
	if (!came(s))
		fail(j, "no INTx came when it was unmasked, and its reason is still there");
	reason(s, CONFORM_INTX_NO_REASON);
	ops->intx_unmask(s->target, s->function);
	if (came(s))
		fail(j, "an INTx came when it was unmasked, and its reason had gone");
	pass(j, "unmasked, it comes again as long as its reason is there");
}

static const struct check rows[] = {
	{ { "intx.messages-too", "6.1", "A function with INTx has MSI or MSI-X, too", false },
	  messages_too },
	{ { "intx.vf", "9.3.4.1.3, 9.3.4.1.4, 9.3.4.1.18, 9.5.1.1",
	    "A VF has no Interrupt Pin, Interrupt Disable or Interrupt Status", false },
	  of_vf },
	{ { "intx.disable", "7.5.1.1.3", "Interrupt Disable can be written where there is a pin",
	    true },
	  disable },
	{ { "intx.status", "7.5.1.1.4",
	    "Interrupt Status cannot be written, and is 0 where there is no pin", false },
	  status_bit },
	{ { "intx.reset", "6.6.2, 7.5.1.1.3", "A reset clears Interrupt Disable and what was pending",
	    true },
	  after_reset },
	{ { "intx.lines", "7.5.1.1.13",
	    "As many lines of INTx are offered to the guest as Interrupt Pin says", false },
	  lines },
	{ { "intx.pending", "6.1.2, 7.5.1.1.4",
	    "An INTx comes when there is a reason, and Interrupt Status shows it", true },
	  pending },
	{ { "intx.disabled", "7.5.1.1.3, 7.5.1.1.4",
	    "Interrupt Disable keeps INTx back, and does not change Interrupt Status", true },
	  kept_back },
	{ { "intx.msix", "7.7.2.2", "No INTx comes while MSI-X is enabled", true }, with_msix },
	{ { "intx.unmasked", "6.1.2",
	    "An INTx that masked itself comes again when it is unmasked, while its reason is there",
	    true },
	  masks_itself },
};

CHECKS(conform_intx, rows);
