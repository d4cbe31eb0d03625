/* Base address registers: 7.5.1.2.1, and for VFs 9.3.4.1.11. */
#include "conform/internal.h"
#include "spec/pcie.h"

enum {
	BAR_IO = 1 << 0,
	BAR_TYPE = 3 << 1,
	BAR_TYPE_64 = 2 << 1,
	BAR_IO_FLAGS = 3,
	BAR_IO_MAX = 256,
	BAR_MEMORY_MIN = 128,
	ROM = 0x30,
	ROM_ADDRESS_LOW = 11, /* lowest bit of its address */
};

/* BARs that this header has. */
static unsigned bar_count(const struct subject *s)
{
	return s->role == CONFORM_PORT ? 2 : s->role == CONFORM_VF ? 0 : SPEC_PCI_BARS;
}

static bool is_64(uint32_t low)
{
	return !(low & BAR_IO) && (low & BAR_TYPE) == BAR_TYPE_64;
}

/* Whether BAR 'bar' is the upper half of the one before. */
static bool is_upper(struct subject *s, unsigned bar)
{
	bool upper = false;

	for (unsigned i = 0; i < bar; i++)
		upper = !upper && is_64(get(s, SPEC_PCI_BAR0 + i * 4, 4));
	return upper;
}

/* The address bits that stay when ones are written, 0 when none does; nothing decodes meanwhile. */
static uint64_t sized(struct subject *s, unsigned bar)
{
	unsigned at = SPEC_PCI_BAR0 + bar * 4;
	uint32_t command = get(s, SPEC_PCI_COMMAND, 2);
	uint32_t low = get(s, at, 4), high = 0;
	bool wide = is_64(low) && bar + 1 < bar_count(s);
	uint64_t mask;

	put(s, SPEC_PCI_COMMAND, 2, command & ~(uint32_t)(SPEC_PCI_COMMAND_MEMORY | 1));
	put(s, at, 4, UINT32_MAX);
	mask = get(s, at, 4) & ~(uint32_t)(low & BAR_IO ? BAR_IO_FLAGS : SPEC_PCI_BAR_FLAGS);
	if (wide) {
		high = get(s, at + 4, 4);
		put(s, at + 4, 4, UINT32_MAX);
		mask |= (uint64_t)get(s, at + 4, 4) << 32;
		put(s, at + 4, 4, high);
	} else if (mask) {
		/* an I/O BAR may leave its upper 16 bits 0 */
		mask |= low & BAR_IO && !(mask >> 16) ? UINT64_MAX << 16 : UINT64_MAX << 32;
	}
	put(s, at, 4, low);
	put(s, SPEC_PCI_COMMAND, 2, command);
	return mask;
}

uint64_t bar_size(struct subject *s, unsigned bar)
{
	uint64_t mask;

	if (s->role == CONFORM_VF && bar < SPEC_PCI_BARS)
		return s->aperture[bar];
	if (s->target->bar_bytes[bar])
		return s->function == 0 ? s->target->bar_bytes[bar] : 0;
	if (!s->destructive || s->target->keeps_bars || bar >= bar_count(s) || is_upper(s, bar))
		return 0;
	mask = sized(s, bar);
	return mask & -mask;
}

static bool skip(struct subject *s, struct judgement *j)
{
	if (bar_count(s) == 0)
		not_applicable(j, "a VF's BARs are in its PF");
	else if (s->target->keeps_bars)
		not_applicable(j, "BARs are kept by what stands between");
	else
		return false;
	return true;
}

static void types(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return;
	for (unsigned bar = 0; bar < bar_count(s); bar++) {
		uint32_t low = get(s, SPEC_PCI_BAR0 + bar * 4, 4);

		if (is_upper(s, bar))
			continue;
		if (low & BAR_IO && low & 2)
			fail(j, "BAR %u is %08Xh: bit 1 of an I/O BAR is reserved", bar, low);
		else if (!(low & BAR_IO) && (low & BAR_TYPE) != 0 && !is_64(low))
			fail(j, "BAR %u is %08Xh: type %u is reserved", bar, low,
			     (low & BAR_TYPE) >> 1);
		else if (is_64(low) && bar + 1 == bar_count(s))
			fail(j, "BAR %u is %08Xh: 64 bits, and there is no BAR for the upper half",
			     bar, low);
	}
	pass(j, "%u BARs", bar_count(s));
}

static void sizes(struct subject *s, struct judgement *j)
{
	unsigned there = 0;

	if (skip(s, j))
		return;
	for (unsigned bar = 0; bar < bar_count(s); bar++) {
		uint64_t mask = is_upper(s, bar) ? 0 : sized(s, bar), size = mask & -mask;
		bool io = get(s, SPEC_PCI_BAR0 + bar * 4, 4) & BAR_IO;

		if (!mask)
			continue;
		there++;
		if (mask != -size)
			fail(j, "BAR %u keeps %016llXh of ones: no power of two", bar,
			     (unsigned long long)mask);
		else if (io && size > BAR_IO_MAX)
			fail(j, "BAR %u takes %llu bytes of I/O space; 256 are allowed", bar,
			     (unsigned long long)size);
		else if (!io && size < BAR_MEMORY_MIN)
			fail(j, "BAR %u takes %llu bytes; 128 are the least", bar,
			     (unsigned long long)size);
	}
	pass(j, "%u BARs take powers of two", there);
}

static void absent(struct subject *s, struct judgement *j)
{
	unsigned none = 0;

	if (skip(s, j))
		return;
	for (unsigned bar = 0; bar < bar_count(s); bar++) {
		uint32_t low = get(s, SPEC_PCI_BAR0 + bar * 4, 4);

		if (is_upper(s, bar) || sized(s, bar))
			continue;
		none++;
		if (low)
			fail(j, "BAR %u takes no address and reads %08Xh", bar, low);
	}
	pass(j, "%u BARs are not there, and read 0", none);
}

/* A legacy endpoint may have 32 bits of it. */
static void prefetchable(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return;
	if (s->express && (get(s, s->express + SPEC_EXPRESS_CAPABILITIES, 2) >> 4 & 0xf) == 1) {
		not_applicable(j, "it is a legacy endpoint");
		return;
	}
	for (unsigned bar = 0; bar < bar_count(s); bar++) {
		uint32_t low = get(s, SPEC_PCI_BAR0 + bar * 4, 4);

		if (!is_upper(s, bar) && !(low & BAR_IO) && low & SPEC_PCI_BAR_PREFETCHABLE && !is_64(low))
			fail(j, "BAR %u is %08Xh: prefetchable, and no 64-bit address", bar, low);
	}
	pass(j, "what is prefetchable takes 64-bit addresses");
}

static void keep(struct subject *s, struct judgement *j)
{
	uint32_t before[SPEC_PCI_BARS];

	if (skip(s, j))
		return;
	for (unsigned bar = 0; bar < bar_count(s); bar++)
		before[bar] = get(s, SPEC_PCI_BAR0 + bar * 4, 4);
	for (unsigned bar = 0; bar < bar_count(s); bar++) {
		unsigned at = SPEC_PCI_BAR0 + bar * 4;
		uint64_t mask = is_upper(s, bar) ? 0 : sized(s, bar);
		uint32_t address = 0xa5a00000 & (uint32_t)mask, command;

		if (!mask)
			continue;
		command = get(s, SPEC_PCI_COMMAND, 2);
		put(s, SPEC_PCI_COMMAND, 2, command & ~(uint32_t)(SPEC_PCI_COMMAND_MEMORY | 1));
		put(s, at, 4, address);
		if ((get(s, at, 4) & (uint32_t)mask) != address)
			fail(j, "BAR %u reads %08Xh after %08Xh was written", bar, get(s, at, 4),
			     address);
		put(s, at, 4, before[bar]);
		put(s, SPEC_PCI_COMMAND, 2, command);
	}
	for (unsigned bar = 0; bar < bar_count(s); bar++) {
		uint32_t now = get(s, SPEC_PCI_BAR0 + bar * 4, 4);

		if (now != before[bar])
			fail(j, "BAR %u was %08Xh and does not go back to it: %08Xh", bar,
			     before[bar], now);
	}
	pass(j, "addresses are kept, and given back");
}

static void flags(struct subject *s, struct judgement *j)
{
	if (skip(s, j))
		return;
	for (unsigned bar = 0; bar < bar_count(s); bar++) {
		uint32_t low = get(s, SPEC_PCI_BAR0 + bar * 4, 4);
		uint32_t fixed = low & BAR_IO ? BAR_IO_FLAGS : SPEC_PCI_BAR_FLAGS;

		if (!is_upper(s, bar) && flip(s, SPEC_PCI_BAR0 + bar * 4, 4, fixed) & fixed)
			fail(j, "the low bits of BAR %u (%Xh) can be written", bar, low & fixed);
	}
	pass(j, "type and prefetchable bits do not change");
}

static void of_vf(struct subject *s, struct judgement *j)
{
	if (s->role != CONFORM_VF) {
		not_applicable(j, "it is no VF");
		return;
	}
	for (unsigned bar = 0; bar < SPEC_PCI_BARS; bar++) {
		reads_zero(s, j, "BAR of a VF", SPEC_PCI_BAR0 + bar * 4, 4, UINT32_MAX);
		if (flip(s, SPEC_PCI_BAR0 + bar * 4, 4, UINT32_MAX))
			fail(j, "BAR %u of a VF can be written", bar);
	}
	reads_zero(s, j, "the ROM BAR of a VF", ROM, 4, UINT32_MAX);
	if (flip(s, ROM, 4, UINT32_MAX))
		fail(j, "the ROM BAR of a VF can be written");
}

static void rom(struct subject *s, struct judgement *j)
{
	uint32_t before = get(s, ROM, 4), mask;

	if (s->role != CONFORM_ENDPOINT || s->target->keeps_bars) {
		not_applicable(j, "no expansion ROM BAR at 30h is judged here");
		return;
	}
	put(s, ROM, 4, ~(uint32_t)1); /* not enabled */
	mask = get(s, ROM, 4) & ~(uint32_t)1;
	put(s, ROM, 4, before);
	if (mask & bits32(ROM_ADDRESS_LOW - 1, 1) & ~before)
		fail(j, "bits 10:1 of the ROM BAR can be written: %08Xh", mask);
	else if (mask && (mask & -mask) + mask != 0)
		fail(j, "the ROM BAR keeps %08Xh of ones: no power of two", mask);
	else if (mask)
		pass(j, "takes %u bytes", mask & -mask);
	else
		not_applicable(j, "it has none");
}

static const struct check rows[] = {
	{ { "bar.types", "7.5.1.2.1", "BARs have defined types, and 64-bit ones an upper half",
	    false },
	  types },
	{ { "bar.flags-read-only", "7.5.1.2.1", "The low bits of a BAR cannot be written", true },
	  flags },
	{ { "bar.sizes", "7.5.1.2.1, 1.3.2.2",
	    "A BAR decodes a power of two: 128 bytes at least; at most 256 of I/O space", true },
	  sizes },
	{ { "bar.absent", "7.5.1.2.1", "A BAR that takes no address reads 0", true }, absent },
	{ { "bar.prefetchable", "7.5.1.2.1", "A BAR that is prefetchable takes 64-bit addresses",
	    false },
	  prefetchable },
	{ { "bar.addresses", "7.5.1.2.1", "A BAR keeps the address that is written", true }, keep },
	{ { "bar.vf", "9.3.4.1.11, 9.3.4.1.14", "A VF's own BARs and its ROM BAR are 0", false },
	  of_vf },
	{ { "bar.rom", "7.5.1.2.4", "The expansion ROM BAR decodes a power of two from 2 KiB",
	    true },
	  rom },
};

CHECKS(conform_bars, rows);
