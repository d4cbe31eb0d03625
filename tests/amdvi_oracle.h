/* tests/amdvi_oracle.h -- a second, slow reading of AMD's walk and interrupt remapping to compare
 * the real ones with: addresses taken apart into digits, and recursion over levels.  It shares no
 * code with src/iommu.  Not covered: writing of accessed and dirty bits. */
#ifndef TESTS_AMDVI_ORACLE_H
#define TESTS_AMDVI_ORACLE_H

#include "iommu/amdvi_walk.h"
#include "tests/physical.h"

struct amd_oracle {
	const struct amdvi_tables *tables;
	const struct iommu_request *request;
	struct physical *memory;
	unsigned digits[8]; /* [n]: which entry of a table of level n; six have the 64 bits */
	bool asks;          /* a translation request */
	uint64_t dte[4];
};

struct amd_page {
	unsigned code, flags; /* code 0: good */
	bool is_fault_of_rights;
	bool r, w, u, fc;
	unsigned size; /* its logarithm */
	uint64_t start;
};

static inline bool amd_bit(uint64_t word, unsigned bit)
{
	return (word >> bit) % 2;
}

static inline unsigned amd_number(uint64_t word, unsigned high, unsigned low)
{
	unsigned number = 0;

	for (unsigned bit = high + 1; bit-- > low;)
		number = number * 2 + amd_bit(word, bit);
	return number;
}

static inline bool amd_word(const struct amd_oracle *o, uint64_t at, uint64_t *word)
{
	if (at >= o->memory->size || o->memory->size - at < 8)
		return false;
	*word = physical_get(o->memory, at);
	return true;
}

static inline struct amd_page amd_bad(unsigned code, unsigned flags)
{
	return (struct amd_page){ .code = code, .flags = flags };
}

/* Section 2.2.3: what an entry of this level that is a page maps. */
static inline struct amd_page amd_leaf(uint64_t entry, unsigned level)
{
	static const unsigned natural[] = { 0, 12, 21, 30, 39, 48, 57 };
	struct amd_page page = { .size = natural[level],
				 .u = amd_bit(entry, 59),
				 .fc = amd_bit(entry, 60) };

	if (amd_number(entry, 58, 52))
		return amd_bad(2, 0x90);
	if (level == 6)
		return amd_bad(2, 0x10);
	if (amd_number(entry, 11, 9) == 7) {
		unsigned ones = 0;

		while (ones < 40 && amd_bit(entry, 12 + ones))
			ones++;
		page.size = 13 + ones;
		if (ones == 40 || page.size <= natural[level] || page.size >= natural[level + 1])
			return amd_bad(2, 0x10);
	}
	for (unsigned bit = page.size; bit < 52; bit++)
		if (amd_bit(entry, bit))
			page.start += UINT64_C(1) << bit;
	return page;
}

static inline struct amd_page amd_descend(const struct amd_oracle *o, uint64_t table,
					  unsigned level)
{
	struct amd_page page;
	uint64_t entry = 0;
	unsigned next;

	if (!amd_word(o, table + 8 * o->digits[level], &entry))
		return amd_bad(4, 0x200);
	if (!amd_bit(entry, 0))
		return amd_bad(2, 0);
	next = amd_number(entry, 11, 9);
	if (next == 0 || next == 7) {
		page = amd_leaf(entry, level);
		page.r = page.w = true;
	} else {
		if (amd_number(entry, 60, 52))
			return amd_bad(2, 0x90);
		if (next >= level)
			return amd_bad(2, 0x10);
		for (unsigned skipped = next + 1; skipped < level; skipped++)
			if (o->digits[skipped])
				return amd_bad(2, 0x10);
		page = amd_descend(o, entry & UINT64_C(0x000ffffffffff000), next);
	}
	page.r = page.r && amd_bit(entry, 61);
	page.w = page.w && amd_bit(entry, 62);
	return page;
}

/* The byte's place in the exclusion range, if the device has one. */
static inline bool amd_excluded(const struct amd_oracle *o, uint64_t first, uint64_t last)
{
	uint64_t low = o->tables->exclusion_base & UINT64_C(0xffffffffff000);
	uint64_t high = (o->tables->exclusion_limit & UINT64_C(0xffffffffff000)) + 0xfff;

	if (!amd_bit(o->tables->exclusion_base, 0) || low > high)
		return false;
	if (!amd_bit(o->tables->exclusion_base, 1) && !amd_bit(o->dte[1], 39))
		return false;
	return !(last < low || first > high);
}

static inline unsigned amd_even_size(const struct amd_oracle *o, unsigned size)
{
	uint64_t length = UINT64_C(1) << size;
	uint64_t first = o->request->address / length * length, last = first + (length - 1);

	if (amd_excluded(o, first, last) || (first <= 0xfeefffff && last >= 0xfee00000))
		return 12;
	return size;
}

static inline struct amd_page amd_identity(const struct amd_oracle *o, bool r, bool w)
{
	struct amd_page page = { .r = r, .w = w, .size = 12 };

	if (amd_even_size(o, 21) == 21)
		page.size = 21;
	if (amd_even_size(o, 30) == 30)
		page.size = 30;
	page.start = o->request->address - o->request->address % (UINT64_C(1) << page.size);
	return page;
}

/* Reads a device table entry.  Returns a code, 0: good. */
static inline unsigned amd_device(struct amd_oracle *o, uint16_t source, unsigned *flags)
{
	unsigned wanted = amd_number(o->tables->control, 36, 34);
	unsigned upper = wanted < 3 ? wanted : 3;
	unsigned index = source % (65536u >> upper);
	uint64_t table = o->tables->device_tables[source / (65536u >> upper)];

	if (index / 128 > amd_number(table, 8, 0)) {
		*flags = 0;
		return 2;
	}
	for (unsigned i = 0; i < 4; i++)
		if (!amd_word(o, (table & UINT64_C(0x000ffffffffff000)) + index * 32u + i * 8u,
			      &o->dte[i])) {
			memset(o->dte, 0, sizeof o->dte);
			*flags = 0x200;
			return 3;
		}
	return 0;
}

/* Table 7's words 0 and 1, as the features have them. */
static inline bool amd_entry_is_reserved(const struct amd_oracle *o)
{
	uint64_t features = o->tables->features;
	bool bad = amd_number(o->dte[0], 6, 2) || amd_bit(o->dte[0], 63) || amd_bit(o->dte[1], 42);

	if (!amd_bit(features, 4))
		bad = bad || amd_number(o->dte[0], 60, 55) || amd_number(o->dte[1], 31, 16) ||
		      amd_number(o->dte[1], 63, 43);
	if (!amd_bit(features, 1))
		bad = bad || amd_bit(o->dte[0], 52);
	if (!amd_bit(features, 50))
		bad = bad || amd_bit(o->dte[0], 53);
	if (!amd_bit(features, 48))
		bad = bad || amd_bit(o->dte[0], 54);
	return bad;
}

static inline struct amd_page amd_translate(struct amd_oracle *o)
{
	unsigned levels = amd_number(o->dte[0], 11, 9);
	struct amd_page page;

	if (amd_excluded(o, o->request->address, o->request->address)) {
		page = amd_identity(o, true, true);
		page.size = 12;
		page.start = o->request->address - o->request->address % 4096;
		return page;
	}
	if (!amd_bit(o->dte[0], 1))
		return amd_bad(2, 0);
	if (o->request->pasid != IOMMU_NO_PASID)
		return amd_bad(2, 1);
	if (levels == 0)
		return amd_identity(o, amd_bit(o->dte[0], 61), amd_bit(o->dte[0], 62));
	for (unsigned level = levels + 1; level <= 7; level++)
		if (o->digits[level])
			return amd_bad(2, 0);
	page = amd_descend(o, o->dte[0] & UINT64_C(0x000ffffffffff000), levels);
	page.r = page.r && amd_bit(o->dte[0], 61);
	page.w = page.w && amd_bit(o->dte[0], 62);
	return page;
}

static inline struct amd_page amd_decide(struct amd_oracle *o)
{
	const struct iommu_request *request = o->request;
	bool wants_r = request->access & 1, wants_w = request->access & 2;
	struct amd_page page;
	unsigned code, flags, hats = amd_number(o->tables->features, 11, 10);

	if (request->type == 0 && request->address >> 20 == 0xfee)
		return amd_bad(8, 0);
	code = amd_device(o, request->source, &flags);
	if (code)
		return amd_bad(code, flags);
	if (!amd_bit(o->dte[0], 0))
		return request->type ? amd_bad(8, 0x200) : amd_identity(o, true, true);
	if (amd_entry_is_reserved(o))
		return amd_bad(1, 0x80);
	if (amd_bit(o->dte[0], 1) && amd_number(o->dte[0], 11, 9) > (hats == 3 ? 6 : 4 + hats))
		return amd_bad(1, 0);
	if (request->type && !amd_bit(o->dte[1], 32))
		return amd_bad(8, 0x200);
	if (request->type == 2) {
		page = amd_identity(o, true, true);
		page.size = 12;
		page.start = request->address - request->address % 4096;
		return page;
	}
	page = amd_translate(o);
	if (page.code || o->asks)
		return page;
	if ((wants_r && !page.r) || (wants_w && !page.w) ||
	    (!wants_r && !wants_w && !page.r && !page.w))
		return amd_bad(2, 0x50);
	return page;
}

static inline void amd_oracle_walk(const struct amdvi_tables *tables,
				   const struct iommu_request *request, struct physical *memory,
				   struct iommu_answer *answer)
{
	struct amd_oracle o = { .tables = tables, .request = request, .memory = memory };
	struct amd_page page;

	o.asks = request->type == 1;
	for (unsigned level = 1; level <= 5; level++)
		o.digits[level] = (unsigned)(request->address >> (12 + 9 * (level - 1))) % 512;
	o.digits[6] = (unsigned)(request->address >> 57);
	*answer = (struct iommu_answer){ .outcome = IOMMU_OK };
	if (!amd_bit(tables->control, 0)) {
		answer->address = request->address;
		answer->rights = 3;
		answer->page_shift = 64;
		return;
	}
	page = amd_decide(&o);
	if (amd_bit(o.dte[0], 0))
		answer->domain = (uint16_t)o.dte[1];
	if (page.code) {
		if (page.code == 2 && o.asks)
			return;
		answer->outcome = IOMMU_FAULT;
		if (page.code == 2 && amd_bit(o.dte[0], 0)) {
			answer->outcome = amd_bit(o.dte[1], 34) ? IOMMU_SILENT : IOMMU_FAULT;
			answer->report_once = amd_bit(o.dte[1], 33);
		}
		if (page.code == 2 && (page.flags & 0x10) && (request->access & 2))
			page.flags |= 0x20;
		answer->reason = (uint16_t)(page.code * 0x1000 + page.flags + (o.asks ? 0x100 : 0));
		answer->completion =
			page.code == 8 ? IOMMU_UNSUPPORTED_REQUEST : IOMMU_COMPLETER_ABORT;
		return;
	}
	answer->rights = (uint8_t)(page.r + 2 * page.w);
	answer->page_shift = (uint8_t)amd_even_size(&o, page.size);
	answer->address = page.start + request->address % (UINT64_C(1) << page.size);
	answer->untranslated_only = page.u;
	answer->snoop = page.fc;
}

/* ---- interrupts: section 2.2.5 ---- */

struct amd_interrupt {
	unsigned code, flags; /* code 0: good */
	bool passes, silent;
};

/* What becomes of the interrupt as far as the device table entry decides; *looks_up: its table
 * does. */
static inline struct amd_interrupt amd_interrupt_of(const struct amd_oracle *o,
						    const struct iommu_message *message,
						    bool *looks_up)
{
	/* Bit of word 2 that lets this delivery mode pass; 0: none does, 1: always. */
	static const unsigned pass_bits[8] = { 0, 0, 1, 0, 58, 56, 0, 57 };
	static const struct amd_interrupt pass = { .passes = true }, fault = { .code = 2 };
	unsigned mode = amd_number(message->data, 10, 8);

	*looks_up = false;
	if (!amd_bit(o->dte[2], 0))
		return pass;
	if (amd_number(o->dte[2], 55, 52) || amd_bit(o->dte[2], 59) ||
	    o->dte[3] % (UINT64_C(1) << 54))
		return (struct amd_interrupt){ .code = 1, .flags = 0x80 };
	if (mode > 1) {
		if (pass_bits[mode] == 0 || amd_bit(message->address, 2))
			return fault;
		return pass_bits[mode] == 1 || amd_bit(o->dte[2], pass_bits[mode]) ? pass : fault;
	}
	switch (amd_number(o->dte[2], 61, 60)) {
	case 0:
		return fault;
	case 1:
		return pass;
	case 2:
		*looks_up = true;
		return pass;
	default:
		return (struct amd_interrupt){ .code = 1 };
	}
}

static inline bool amd_irte_is_bad(const struct amd_oracle *o, const uint64_t irte[2], bool wide)
{
	bool guest = amd_bit(irte[0], 7);

	if (!wide)
		return guest || amd_number(irte[0], 31, 24) || amd_number(irte[0], 4, 2) > 1;
	if (guest)
		return !amd_number(o->tables->control, 27, 25) || amd_number(irte[0], 5, 3) ||
		       amd_number(irte[1], 11, 8) || amd_number(irte[1], 55, 52);
	return irte[0] >> 32 || (irte[1] >> 8) % (UINT64_C(1) << 48) ||
	       amd_number(irte[0], 4, 2) > 1;
}

static inline struct amd_interrupt amd_look_up(const struct amd_oracle *o,
					       const struct iommu_message *message,
					       struct iommu_remapped *remapped)
{
	bool wide = amd_bit(o->tables->control, 17);
	unsigned length = amd_number(o->dte[2], 4, 1), index = message->data % 2048;
	uint64_t at = (o->dte[2] & UINT64_C(0x000fffffffffff80)) + index * (wide ? 16u : 4u);
	uint64_t irte[2] = { 0, 0 };
	struct amd_interrupt fault = { .code = 2 };

	remapped->index = index;
	if (length > 11)
		return (struct amd_interrupt){ .code = 1 };
	if (index >= 1u << length)
		return fault;
	if (at >= o->memory->size || o->memory->size - at < (wide ? 16 : 4))
		return (struct amd_interrupt){ .code = 4, .flags = 0x200 };
	if (wide) {
		irte[0] = physical_get(o->memory, at);
		irte[1] = physical_get(o->memory, at + 8);
	} else {
		irte[0] = get_le32(o->memory->bytes + at);
	}
	fault.silent = amd_bit(irte[0], 1);
	if (!amd_bit(irte[0], 0))
		return fault;
	fault.flags = 0x90;
	if (amd_irte_is_bad(o, irte, wide))
		return fault;
	remapped->vector = (uint8_t)(wide ? irte[1] : irte[0] >> 16);
	if (amd_bit(irte[0], 7)) {
		remapped->posted = true;
		remapped->descriptor = irte[1] & UINT64_C(0x000ffffffffff000);
		return (struct amd_interrupt){ .code = 0 };
	}
	remapped->address = 0xfee00000 | (irte[0] >> 8 & 0xff) << 12 | (irte[0] >> 6 & 1) << 2 |
			    (message->address & 8);
	if (wide && amd_bit(o->tables->control, 50))
		remapped->address |= (irte[0] >> 16 & 0xffff) << 40 | irte[1] >> 56 << 56;
	remapped->data = remapped->vector | (amd_bit(irte[0], 2) ? 0x100 : 0) | 0x4000 |
			 (message->data & 0x8000);
	return (struct amd_interrupt){ .code = 0 };
}

static inline void amd_oracle_remap(const struct amdvi_tables *tables,
				    const struct iommu_message *message, struct physical *memory,
				    struct iommu_remapped *remapped)
{
	struct amd_oracle o = { .tables = tables, .memory = memory };
	struct amd_interrupt interrupt = { .passes = true };
	bool looks_up = false;

	*remapped = (struct iommu_remapped){ .outcome = IOMMU_OK };
	if (amd_bit(tables->control, 0)) {
		interrupt.code = amd_device(&o, message->source, &interrupt.flags);
		if (!interrupt.code)
			interrupt = amd_interrupt_of(&o, message, &looks_up);
		if (looks_up)
			interrupt = amd_look_up(&o, message, remapped);
	}
	if (interrupt.code) {
		bool silent = interrupt.code == 2 && amd_bit(o.dte[2], 0) &&
			      (interrupt.silent || amd_bit(o.dte[2], 5));

		remapped->outcome = silent ? IOMMU_SILENT : IOMMU_FAULT;
		remapped->reason = (uint16_t)(interrupt.code * 0x1000 + interrupt.flags + 8);
	} else if (interrupt.passes) {
		remapped->address = message->address;
		remapped->data = message->data;
		remapped->vector = (uint8_t)message->data;
	}
}

#endif
