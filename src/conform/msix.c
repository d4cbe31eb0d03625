/* MSI-X: 7.7.2. */
#include "conform/internal.h"
#include "spec/pcie.h"

enum {
	MSIX_TABLE_SIZE = 0x7ff,
	MSIX_RESERVED = 7 << 11,
	BIR = 7,
	ENTRY_ADDRESS = 0,
	ENTRY_DATA = 8,
	ENTRY_CONTROL = 12,
	ENTRY_MASKED = 1,
	ENTRY_RESERVED = 0xfffe, /* above may be a steering tag */
};

/* Where one of the two structures is. */
struct place {
	unsigned bar;
	uint64_t first, bytes;
};

static bool skip(struct subject *s, struct judgement *j)
{
	if (!s->msix)
		not_applicable(j, "it has no MSI-X");
	return !s->msix;
}

static unsigned vectors(struct subject *s)
{
	return (get(s, s->msix + SPEC_MSIX_CONTROL, 2) & MSIX_TABLE_SIZE) + 1;
}

static struct place place_of(struct subject *s, unsigned offset)
{
	uint32_t where = get(s, s->msix + offset, 4);
	uint64_t bytes = offset == SPEC_MSIX_TABLE ? vectors(s) * (uint64_t)SPEC_MSIX_ENTRY_SIZE
						   : (uint64_t)(vectors(s) + 63) / 64 * 8;

	return (struct place){ .bar = where & BIR,
			       .first = where & ~(uint32_t)BIR,
			       .bytes = bytes };
}

/* Whether the registers of an entry can be looked at now, and where the table is: a function may
 * say something else when it is asked again. */
static bool reach(struct subject *s, struct judgement *j, struct place *table)
{
	const struct conform_target_ops *ops = s->target->ops;
	uint32_t value;

	if (skip(s, j))
		return false;
	*table = place_of(s, SPEC_MSIX_TABLE);
	if (!ops->bar_read || !ops->bar_write || table->bar >= SPEC_PCI_BARS ||
	    ops->bar_read(s->target, s->function, table->bar, table->first + ENTRY_CONTROL,
			  &value)) {
		not_applicable(j, "the memory of BAR %u cannot be reached", table->bar);
		return false;
	}
	return true;
}

static void control_reserved(struct subject *s, struct judgement *j)
{
	if (!skip(s, j))
		reads_zero(s, j, "Message Control", s->msix + SPEC_MSIX_CONTROL, 2, MSIX_RESERVED);
}

static void read_only(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return;
	is_read_only(s, j, "Table Size", s->msix + SPEC_MSIX_CONTROL, 2, MSIX_TABLE_SIZE);
	is_read_only(s, j, "Table Offset", s->msix + SPEC_MSIX_TABLE, 4, UINT32_MAX);
	is_read_only(s, j, "PBA Offset", s->msix + SPEC_MSIX_PBA, 4, UINT32_MAX);
}

static void in_bar(struct subject *s, struct judgement *j, const char *name, unsigned offset)
{
	struct place place = place_of(s, offset);
	uint64_t size;

	if (place.bar >= SPEC_PCI_BARS) {
		fail(j, "%s BIR is %u; there are BARs 0 to 5", name, place.bar);
		return;
	}
	size = bar_size(s, place.bar);
	if (size && place.first + place.bytes > size)
		fail(j, "the %s is %llXh to %llXh of BAR %u, which has %llXh bytes", name,
		     (unsigned long long)place.first,
		     (unsigned long long)(place.first + place.bytes - 1), place.bar,
		     (unsigned long long)size);
	else if (size)
		pass(j, "%llXh of BAR %u (%llXh bytes)", (unsigned long long)place.first, place.bar,
		     (unsigned long long)size);
	else if (s->role == CONFORM_VF)
		not_applicable(j, "BAR %u of a VF is sized in its PF, before VF Enable", place.bar);
	else if (s->destructive && !s->target->keeps_bars)
		fail(j, "the %s is in BAR %u, which is not there", name, place.bar);
	else
		not_applicable(j, "BAR %u was not sized", place.bar);
}

static void bir(struct subject *s, struct judgement *j)
{
	static const unsigned registers[] = { SPEC_MSIX_TABLE, SPEC_MSIX_PBA };

	if (skip(s, j))
		return;
	if (s->role != CONFORM_ENDPOINT || s->target->keeps_bars) {
		not_applicable(j, "BARs are not its own, or kept by what stands between");
		return;
	}
	for (unsigned i = 0; i < array_len(registers); i++) {
		unsigned bar = get(s, s->msix + registers[i], 4) & BIR, next;

		for (next = 0; next < bar && next < SPEC_PCI_BARS; next++)
			next += (get(s, SPEC_PCI_BAR0 + next * 4, 4) & 7) == SPEC_PCI_BAR_64_BIT;
		if (bar >= SPEC_PCI_BARS)
			fail(j, "BIR %u is reserved", bar);
		else if (next != bar)
			fail(j, "BIR %u is the upper half of BAR %u", bar, bar - 1);
		else if (get(s, SPEC_PCI_BAR0 + bar * 4, 4) & 1)
			fail(j, "BIR %u is a BAR for I/O space", bar);
		else
			pass(j, "BIR %u is a memory BAR", bar);
	}
}

static void table_in_bar(struct subject *s, struct judgement *j)
{
	if (!skip(s, j))
		in_bar(s, j, "table", SPEC_MSIX_TABLE);
}

static void pba_in_bar(struct subject *s, struct judgement *j)
{
	if (!skip(s, j))
		in_bar(s, j, "pending-bit array", SPEC_MSIX_PBA);
}

static void apart(struct subject *s, struct judgement *j)
{
	struct place table, pba;

	if (skip(s, j))
		return;
	table = place_of(s, SPEC_MSIX_TABLE);
	pba = place_of(s, SPEC_MSIX_PBA);
	if (table.bar == pba.bar && table.first < pba.first + pba.bytes &&
	    pba.first < table.first + table.bytes)
		fail(j, "table (%llXh, %llu bytes) and pending bits (%llXh) share bytes of BAR %u",
		     (unsigned long long)table.first, (unsigned long long)table.bytes,
		     (unsigned long long)pba.first, table.bar);
	else
		pass(j, "%u vectors", vectors(s));
}

static void enable(struct subject *s, struct judgement *j)
{
	uint32_t bits = SPEC_MSIX_ENABLE | SPEC_MSIX_FUNCTION_MASK, changed;

	if (skip(s, j))
		return;
	changed = flip(s, s->msix + SPEC_MSIX_CONTROL, 2, bits);
	if ((changed & bits) == bits)
		pass(j, "MSI-X Enable and Function Mask take what is written");
	else
		fail(j, "bits %04Xh of Message Control cannot be written", bits & ~changed);
}

static void entries_masked(struct subject *s, struct judgement *j)
{
	struct place table;
	uint32_t value = 0;
	unsigned count;
	uint64_t took;

	if (!reach(s, j, &table))
		return;
	if (!s->express ||
	    !(get(s, s->express + SPEC_EXPRESS_DEVICE_CAPABILITIES, 4) & UINT32_C(1) << 28)) {
		not_applicable(j, "it cannot be reset alone");
		return;
	}
	if (!flr(s, s->function, &took)) {
		fail(j, "it does not come back from a reset");
		return;
	}
	count = (unsigned)(table.bytes / SPEC_MSIX_ENTRY_SIZE);
	for (unsigned n = 0; n < count; n++) {
		uint64_t at = table.first + n * (uint64_t)SPEC_MSIX_ENTRY_SIZE + ENTRY_CONTROL;

		if (s->target->ops->bar_read(s->target, s->function, table.bar, at, &value) == 0 &&
		    !(value & ENTRY_MASKED))
			fail(j, "Vector Control of vector %u is %08Xh after a reset", n, value);
	}
	pass(j, "%u vectors are masked after a reset", count);
}

/* After a reset, so that what is reserved can be told from what somebody wrote. */
static void mask_bit(struct subject *s, struct judgement *j)
{
	const struct conform_target_ops *ops = s->target->ops;
	struct place table;
	uint32_t before = 0, after = 0;

	if (!reach(s, j, &table))
		return;
	ops->bar_read(s->target, s->function, table.bar, table.first + ENTRY_CONTROL, &before);
	ops->bar_write(s->target, s->function, table.bar, table.first + ENTRY_CONTROL,
		       before ^ ENTRY_MASKED);
	ops->bar_read(s->target, s->function, table.bar, table.first + ENTRY_CONTROL, &after);
	ops->bar_write(s->target, s->function, table.bar, table.first + ENTRY_CONTROL, before);
	if (!((before ^ after) & ENTRY_MASKED))
		fail(j, "Mask Bit of vector 0 is %u, and cannot be changed", before & ENTRY_MASKED);
	else if (before & ENTRY_RESERVED)
		fail(j, "Vector Control of vector 0 is %08Xh; bits %04Xh are reserved", before,
		     before & ENTRY_RESERVED);
	else
		pass(j, "Mask Bit takes what is written");
}

static void entry_writes(struct subject *s, struct judgement *j)
{
	static const struct {
		unsigned at;
		uint32_t written, kept;
	} words[] = {
		{ ENTRY_ADDRESS, 0xfee12340, 0xfffffffc },
		{ ENTRY_DATA, 0x1234a5a5, UINT32_MAX },
	};
	const struct conform_target_ops *ops = s->target->ops;
	struct place table;
	uint32_t before = 0, after = 0;

	if (!reach(s, j, &table))
		return;
	for (unsigned i = 0; i < array_len(words); i++) {
		uint64_t at = table.first + words[i].at;

		ops->bar_read(s->target, s->function, table.bar, at, &before);
		ops->bar_write(s->target, s->function, table.bar, at, words[i].written);
		ops->bar_read(s->target, s->function, table.bar, at, &after);
		ops->bar_write(s->target, s->function, table.bar, at, before);
		if ((after & words[i].kept) != words[i].written)
			fail(j, "%s of vector 0 is %08Xh after %08Xh was written",
			     words[i].at == ENTRY_DATA ? "Message Data" : "Message Address", after,
			     words[i].written);
	}
	pass(j, "an entry keeps what is written");
}

static void set_entry(struct subject *s, const struct place *table, uint32_t control)
{
	s->target->ops->bar_write(s->target, s->function, table->bar, table->first + ENTRY_CONTROL, control);
}

static void set_controls(struct subject *s, uint32_t command, uint32_t control)
{
	put(s, SPEC_PCI_COMMAND, 2, command);
	put(s, s->msix + SPEC_MSIX_CONTROL, 2, control);
}

/* Where the assertions on messages begin: all gates are open, and vector 0 has sent nothing. */
static bool can_send(struct subject *s, struct judgement *j, struct place *table)
{
	const struct conform_target_ops *ops = s->target->ops;

	if (!reach(s, j, table))
		return false;
	if (!ops->message || !ops->message_came || ops->message_came(s->target, s->function, 0) < 0) {
		not_applicable(j, "nobody can make it send a message there");
		return false;
	}
	set_controls(s, SPEC_PCI_COMMAND_MASTER | SPEC_PCI_COMMAND_MEMORY, SPEC_MSIX_ENABLE);
	set_entry(s, table, 0);
	ops->message_came(s->target, s->function, 0);
	return true;
}

static void end_sending(struct subject *s, const struct place *table)
{
	set_entry(s, table, ENTRY_MASKED);
	set_controls(s, 0, 0);
}

static bool came(struct subject *s)
{
	return s->target->ops->message_came(s->target, s->function, 0) == 1;
}

static bool is_pending(struct subject *s)
{
	struct place pba = place_of(s, SPEC_MSIX_PBA);
	uint32_t value = 0;

	if (pba.bar >= SPEC_PCI_BARS)
		return false;
	s->target->ops->bar_read(s->target, s->function, pba.bar, pba.first, &value);
	return value & 1;
}

/* Behind a mask, whichever: nothing comes, its bit is set; and it comes when the mask is lifted. */
static void judge_masked(struct subject *s, struct judgement *j, const char *mask)
{
	if (came(s))
		fail(j, "a message came in spite of %s", mask);
	else if (!is_pending(s))
		fail(j, "a message is kept back by %s, and its pending bit is 0", mask);
}

static void judge_lifted(struct subject *s, struct judgement *j, const char *mask)
{
	if (!came(s))
		fail(j, "no message came when %s was lifted", mask);
	else if (is_pending(s))
		fail(j, "a pending bit is 1 after its message came");
	else
		pass(j, "kept back by %s, pending meanwhile, and sent then", mask);
}

static void masked_pends(struct subject *s, struct judgement *j)
{
	struct place table;

	if (!can_send(s, j, &table))
		return;
	set_entry(s, &table, ENTRY_MASKED);
	s->target->ops->message(s->target, s->function, 0);
	judge_masked(s, j, "Mask Bit");
	set_entry(s, &table, 0);
	judge_lifted(s, j, "Mask Bit");
	end_sending(s, &table);
}

static void function_mask_pends(struct subject *s, struct judgement *j)
{
	struct place table;

	if (!can_send(s, j, &table))
		return;
	put(s, s->msix + SPEC_MSIX_CONTROL, 2, SPEC_MSIX_ENABLE | SPEC_MSIX_FUNCTION_MASK);
	s->target->ops->message(s->target, s->function, 0);
	judge_masked(s, j, "Function Mask");
	put(s, s->msix + SPEC_MSIX_CONTROL, 2, SPEC_MSIX_ENABLE);
	judge_lifted(s, j, "Function Mask");
	end_sending(s, &table);
}

static void only_a_master_sends(struct subject *s, struct judgement *j)
{
	struct place table;

	if (!can_send(s, j, &table))
		return;
	s->target->ops->message(s->target, s->function, 0);
	if (!came(s))
		fail(j, "no message came from a bus master");
	put(s, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MEMORY);
	s->target->ops->message(s->target, s->function, 0);
	if (came(s))
		fail(j, "a message came, and Bus Master Enable is 0");
	end_sending(s, &table);
	pass(j, "messages come from a bus master alone");
}

static void none_pending(struct subject *s, struct judgement *j)
{
	struct place table, pba;
	uint32_t value = 0;
	uint64_t took;

	if (!reach(s, j, &table))
		return;
	if (!s->express ||
	    !(get(s, s->express + SPEC_EXPRESS_DEVICE_CAPABILITIES, 4) & UINT32_C(1) << 28) ||
	    !flr(s, s->function, &took)) {
		not_applicable(j, "it cannot be reset alone");
		return;
	}
	pba = place_of(s, SPEC_MSIX_PBA);
	for (uint64_t at = 0; at < pba.bytes && pba.bar < SPEC_PCI_BARS; at += 4) {
		if (s->target->ops->bar_read(s->target, s->function, pba.bar, pba.first + at,
					     &value) == 0 &&
		    value)
			fail(j, "pending bits %08Xh at %llXh after a reset", value,
			     (unsigned long long)at);
	}
	pass(j, "nothing is pending after a reset");
}

static const struct check rows[] = {
	{ { "msix.reserved", "7.7.2.2", "Reserved bits of Message Control are 0", false },
	  control_reserved },
	{ { "msix.read-only", "7.7.2.2 to 7.7.2.4", "Table size and places cannot be written",
	    true },
	  read_only },
	{ { "msix.bir", "7.7.2.3, 7.7.2.4", "Table and PBA BIR name memory BARs, and no upper halves",
	    false },
	  bir },
	{ { "msix.table-in-bar", "7.7.2.3", "The table lies in a memory BAR", false },
	  table_in_bar },
	{ { "msix.pba-in-bar", "7.7.2.4", "The pending-bit array lies in a memory BAR", false },
	  pba_in_bar },
	{ { "msix.apart", "7.7.2", "Table and pending-bit array do not lie in each other", false },
	  apart },
	{ { "msix.enable", "7.7.2.2", "MSI-X Enable and Function Mask can be written", true },
	  enable },
	{ { "msix.entry", "7.7.2.5 to 7.7.2.7", "An entry keeps address and data", true },
	  entry_writes },
	{ { "msix.mask-bit", "7.7.2.8", "Mask Bit can be written, and what is reserved beside it is 0",
	    true },
	  mask_bit },
	{ { "msix.masked", "7.7.2.8", "All vectors are masked after a reset", true },
	  entries_masked },
	{ { "msix.pending", "7.7.2.8, 7.7.2.9, 6.1.4",
	    "A message that Mask Bit keeps back is pending, and comes when it is cleared", true },
	  masked_pends },
	{ { "msix.function-mask", "7.7.2.2, 7.7.2.9, 6.1.4",
	    "A message that Function Mask keeps back is pending, and comes when it is cleared", true },
	  function_mask_pends },
	{ { "msix.bus-master", "7.5.1.1.3, 6.1.4", "Messages come from a bus master alone", true },
	  only_a_master_sends },
	{ { "msix.none-pending", "7.7.2.9", "Nothing is pending after a reset", true },
	  none_pending },
};

CHECKS(conform_msix, rows);
