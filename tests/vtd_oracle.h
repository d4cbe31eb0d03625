/* tests/vtd_oracle.h -- a second, slow reading of the VT-d walk to compare the real one with:
 * tables of reserved bits as the specification prints them, and recursion over levels.  It shares
 * no code with src/iommu. Not covered: quirks, host permission tables, writing of accessed and
 * dirty bits (that they would have to be written is covered). */
#ifndef TESTS_VTD_ORACLE_H
#define TESTS_VTD_ORACLE_H

#include "iommu/vtd_walk.h"
#include "tests/physical.h"

struct oracle {
	const struct vtd_tables *tables;
	const struct iommu_request *request;
	struct physical *memory;
	bool scalable, silent, privileged, wants_read, wants_write, wants_execute;
	unsigned haw, mgaw;
	/* what was found on the way to the page tables */
	unsigned kind; /* 1 first, 2 second, 3 nested, 4 neither */
	uint64_t second_root, first_root;
	unsigned second_levels, first_levels;
	bool second_ad, coherent, all_snooped, wpe, nxe, smep, eafe;
	unsigned domain;
};

struct oracle_page {
	unsigned reason; /* 0: good */
	uint64_t address;
	bool r, w, x, snooped, transient;
	unsigned shift;
};

static inline bool oracle_bit(uint64_t word, unsigned bit)
{
	return word >> bit & 1;
}

static inline bool oracle_cap(const struct oracle *o, unsigned bit)
{
	return oracle_bit(o->tables->cap, bit);
}

static inline bool oracle_ecap(const struct oracle *o, unsigned bit)
{
	return oracle_bit(o->tables->ecap, bit);
}

/* Bits high..low of word. */
static inline uint64_t oracle_bits(uint64_t word, unsigned high, unsigned low)
{
	uint64_t out = 0;

	for (unsigned bit = low; bit <= high; bit++)
		out |= (uint64_t)oracle_bit(word, bit) << (bit - low);
	return out;
}

static inline bool oracle_word(const struct oracle *o, uint64_t address, uint64_t *word)
{
	if (address >= o->memory->size || o->memory->size - address < 8)
		return false;
	*word = physical_get(o->memory, address);
	return true;
}

/* Whether any bit high..low is set; an empty range has none. */
static inline bool oracle_any(uint64_t word, int high, int low)
{
	for (int bit = low; bit <= high; bit++)
		if (oracle_bit(word, (unsigned)bit))
			return true;
	return false;
}

static inline struct oracle_page oracle_fault(unsigned reason)
{
	return (struct oracle_page){ .reason = reason };
}

/* ---- second stage: tables 41 to 47 ---- */

static inline bool oracle_second_reserved(const struct oracle *o, uint64_t e, unsigned level,
					  bool io_rights)
{
	bool ps = oracle_bit(e, 7), leaf = level == 1 || (ps && level < 4);
	bool tm_ok = io_rights || (leaf && oracle_ecap(o, 2));

	return oracle_any(e, 51, (int)o->haw) || (level >= 4 && ps) ||
	       (level == 3 && ps && !oracle_cap(o, 35)) ||
	       (level == 2 && ps && !oracle_cap(o, 34)) ||
	       (level == 3 && ps && oracle_any(e, 29, 12)) ||
	       (level == 2 && ps && oracle_any(e, 20, 12)) ||
	       (oracle_bit(e, 11) && (!leaf || !oracle_ecap(o, 7))) ||
	       (oracle_bit(e, 62) && !tm_ok);
}

struct oracle_wish {
	bool r, w;  /* what the user of the second stage is about to do */
	bool table; /* it is the first stage, with one of its entries */
};

static inline struct oracle_page oracle_second(const struct oracle *o, uint64_t table,
					       unsigned level, uint64_t address, bool r, bool w,
					       struct oracle_wish wish)
{
	bool top = level == o->second_levels;
	bool io = o->scalable && oracle_bit(o->tables->rtaddr, 7) && oracle_ecap(o, 57);
	unsigned low = 12 + 9 * (level - 1);
	uint64_t e;
	struct oracle_page page = { .shift = low };

	if (!oracle_word(o, table + 8 * oracle_bits(address, low + 8, low), &e))
		return oracle_fault(o->scalable ? (top ? 0x7b : 0x78) : (top ? 3 : 7));
	page.r = oracle_bit(e, io ? 61 : 0);
	page.w = oracle_bit(e, io ? 62 : 1);
	if (page.r || page.w) {
		if (oracle_second_reserved(o, e, level, io))
			return oracle_fault(o->scalable ? 0x7a : 0xc);
	}
	page.r = page.r && r;
	page.w = page.w && w;
	if (!page.r && !page.w)
		return oracle_fault(o->scalable ? 0x79 : wish.w ? 5 : 6);
	if (level == 1 || (level < 4 && oracle_bit(e, 7))) {
		bool zlr = o->request->zero_length && oracle_cap(o, 22) && !wish.table;
		bool enough = (page.w || !wish.w) && (page.r || !wish.r || (zlr && page.w));
		bool device = o->request->type == 1 && !wish.table;

		if (wish.table && ((wish.r && !page.r) || (wish.w && !page.w)))
			enough = false;
		if (o->second_ad && !o->coherent && (enough || device) &&
		    (!oracle_bit(e, 8) || (wish.w && page.w && !oracle_bit(e, 9))))
			return oracle_fault(0x7c);
		page.address = oracle_bits(e, 51, low) << low | oracle_bits(address, low - 1, 0);
		page.snooped = oracle_bit(e, 11) && oracle_ecap(o, 7);
		page.transient = oracle_bit(e, 62) && !io;
		return page;
	}
	if (o->second_ad && !o->coherent && !oracle_bit(e, 8))
		return oracle_fault(0x7c);
	return oracle_second(o, oracle_bits(e, 51, 12) << 12, level - 1, address, page.r, page.w,
			     wish);
}

static inline unsigned oracle_second_width(const struct oracle *o)
{
	unsigned width = 12 + 9 * o->second_levels;

	return width < o->mgaw ? width : o->mgaw;
}

static inline struct oracle_page oracle_second_whole(const struct oracle *o, uint64_t address,
						     struct oracle_wish wish)
{
	if (oracle_any(address, 63, (int)oracle_second_width(o)))
		return oracle_fault(o->scalable ? 0x84 : 4);
	return oracle_second(o, o->second_root, o->second_levels, address, true, true, wish);
}

/* ---- first stage: tables 34 to 40, section 3.8 ---- */

struct oracle_path {
	bool all_rw, all_us, no_xd;
};

static inline struct oracle_page oracle_first(const struct oracle *o, uint64_t table,
					      unsigned level, struct oracle_path path)
{
	bool nested = o->kind == 3, top = level == o->first_levels, ps, leaf, writable = true;
	unsigned low = 12 + 9 * (level - 1);
	uint64_t iova = o->request->address, where = table + 8 * oracle_bits(iova, low + 8, low), e;
	uint64_t need;
	struct oracle_page page = { .shift = low }, below;

	if (nested) {
		below = oracle_second_whole(
			o, where,
			(struct oracle_wish){ .r = true, .w = o->second_ad, .table = true });
		if (below.reason)
			return below;
		if (!below.r)
			return oracle_fault(top ? 0x75 : 0x76);
		if (o->second_ad && !below.w)
			return oracle_fault(0x77);
		where = below.address;
		writable = below.w;
	}
	if (!oracle_word(o, where, &e))
		return oracle_fault(top ? 0x73 : 0x70);
	ps = oracle_bit(e, 7);
	leaf = level == 1 || (ps && level < 4);
	if (!oracle_bit(e, 0))
		return oracle_fault(0x71);
	if (oracle_any(e, 51, (int)o->haw) || (level > 3 && ps) ||
	    (level == 3 && ps && !oracle_cap(o, 56)) ||
	    (level == 3 && ps && oracle_any(e, 29, 13)) ||
	    (level == 2 && ps && oracle_any(e, 20, 13)))
		return oracle_fault(0x72);
	if (nested && oracle_any(e, 51, (int)oracle_second_width(o)))
		return oracle_fault(0x74);
	if (!o->privileged && !oracle_bit(e, 2))
		return oracle_fault(0x81);
	path.all_rw = path.all_rw && oracle_bit(e, 1);
	path.all_us = path.all_us && oracle_bit(e, 2);
	path.no_xd = path.no_xd && !oracle_bit(e, 63);
	page.r = true;
	page.w = path.all_rw || (o->privileged && !o->wpe);
	page.x = oracle_ecap(o, 30) && (path.no_xd || !o->nxe) &&
		 !(o->privileged && o->smep && path.all_us);
	need = 1 << 5 | (o->eafe ? 1 << 10 : 0);
	if (leaf && o->request->type != 1 && o->wants_write && !page.w)
		need = 0;
	else if (leaf && o->wants_write && page.w)
		need |= 1 << 6;
	if ((e & need) != need && !o->coherent)
		return oracle_fault(0x90);
	if ((e & need) != need && !writable)
		return oracle_fault(0x77);
	if (!leaf)
		return oracle_first(o, oracle_bits(e, 51, 12) << 12, level - 1, path);
	page.address = oracle_bits(e, 51, low) << low | oracle_bits(iova, low - 1, 0);
	if (!nested)
		return page;
	if (o->request->type != 1 && o->wants_write && !page.w)
		return oracle_fault(0x85);
	if (o->request->type != 1 && o->wants_execute && !page.x)
		return oracle_fault(0x82);
	below = oracle_second_whole(
		o, page.address,
		(struct oracle_wish){ .r = o->wants_read,
				      .w = o->wants_write && (o->request->type != 1 || page.w) });
	if (below.reason)
		return below;
	below.x = page.x && below.r;
	below.w = page.w && below.w;
	if (below.shift > low)
		below.shift = low;
	return below;
}

static inline struct oracle_page oracle_first_whole(const struct oracle *o)
{
	unsigned sign = o->first_levels == 5 ? 56 : 47;
	uint64_t iova = o->request->address;

	for (unsigned bit = sign + 1; bit < 64; bit++)
		if (oracle_bit(iova, bit) != oracle_bit(iova, sign))
			return oracle_fault(0x80);
	return oracle_first(o, o->first_root, o->first_levels,
			    (struct oracle_path){ true, true, true });
}

/* ---- entries above the page tables: sections 9.1 to 9.6 ---- */

static inline bool oracle_has_width(const struct oracle *o, uint64_t aw)
{
	return (aw == 1 && oracle_cap(o, 9)) || (aw == 2 && oracle_cap(o, 10)) ||
	       (aw == 3 && oracle_cap(o, 11));
}

static inline int oracle_domain_bits(const struct oracle *o)
{
	unsigned nd = (unsigned)oracle_bits(o->tables->cap, 2, 0);

	return nd > 6 ? 16 : (int)(4 + 2 * nd);
}

static inline unsigned oracle_legacy(struct oracle *o)
{
	uint64_t root = oracle_bits(o->tables->rtaddr, o->haw - 1, 12) << 12;
	uint64_t entry = root + 16 * (o->request->source >> 8), lo, hi, tt;

	if (!oracle_word(o, entry, &lo) || !oracle_word(o, entry + 8, &hi))
		return 8;
	if (!oracle_bit(lo, 0))
		return 1;
	if (hi || oracle_any(lo, 11, 1) || oracle_any(lo, 63, (int)o->haw))
		return 0xa;
	entry = oracle_bits(lo, 63, 12) << 12 | (uint64_t)(o->request->source & 255) << 4;
	if (!oracle_word(o, entry, &lo) || !oracle_word(o, entry + 8, &hi))
		return 9;
	o->silent = oracle_bit(lo, 1);
	o->domain = (unsigned)oracle_bits(hi, 23, 8);
	if (!oracle_bit(lo, 0))
		return 2;
	tt = oracle_bits(lo, 3, 2);
	if (oracle_any(lo, 11, 4) || (tt != 2 && oracle_any(lo, 63, (int)o->haw)) ||
	    oracle_bit(hi, 7) || oracle_any(hi, 63, 24) ||
	    oracle_any(hi, 23, 8 + oracle_domain_bits(o)))
		return 0xb;
	if (!oracle_has_width(o, oracle_bits(hi, 2, 0)) || tt == 3 ||
	    (tt == 1 && !oracle_ecap(o, 2)) || (tt == 2 && !oracle_ecap(o, 6)))
		return 3;
	if (o->request->type && tt != 1)
		return 0xd;
	o->kind = tt == 2 ? 4 : 2;
	o->second_root = oracle_bits(lo, 63, 12) << 12;
	o->second_levels = 2 + (unsigned)oracle_bits(hi, 2, 0);
	return 0;
}

/* Reserved always ('@'), or when the capability bit is clear. */
struct oracle_range {
	unsigned word;
	int high, low;
	unsigned ecap; /* 64: always */
};

static inline bool oracle_reserved(const struct oracle *o, const uint64_t *words,
				   const struct oracle_range *ranges, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if ((ranges[i].ecap == 64 || !oracle_ecap(o, ranges[i].ecap)) &&
		    oracle_any(words[ranges[i].word], ranges[i].high, ranges[i].low))
			return true;
	return false;
}

static inline unsigned oracle_pasid(struct oracle *o, uint64_t directory, uint32_t pasid)
{
	static const struct oracle_range always[] = {
		{ 0, 5, 5, 64 },  { 0, 11, 10, 64 }, { 0, 63, 12, 46 },
		{ 0, 9, 9, 46 },  { 0, 9, 9, 45 },   { 1, 22, 16, 64 }, { 1, 23, 23, 48 },
		{ 1, 24, 24, 7 }, { 1, 26, 25, 25 }, { 1, 31, 27, 64 }, { 1, 63, 32, 25 },
		{ 2, 0, 0, 31 },  { 2, 1, 1, 30 },   { 2, 4, 2, 47 },   { 2, 7, 7, 34 },
		{ 2, 11, 8, 64 }, { 2, 63, 12, 47 }, { 3, 63, 0, 64 },  { 4, 2, 0, 55 },
		{ 4, 11, 3, 64 }, { 4, 63, 12, 55 }, { 5, 15, 0, 55 },  { 5, 63, 16, 64 },
		{ 6, 63, 0, 64 }, { 7, 63, 0, 64 },
	};
	uint64_t e, w[8], aw, fspm;
	int haw = (int)o->haw;

	if (!oracle_word(o, directory + (pasid >> 6) * 8, &e))
		return 0x50;
	o->silent |= oracle_bit(e, 1);
	if (!oracle_bit(e, 0))
		return 0x51;
	if (oracle_any(e, 11, 2) || oracle_any(e, 63, haw))
		return 0x52;
	for (unsigned i = 0; i < 8; i++)
		if (!oracle_word(o, (oracle_bits(e, 63, 12) << 12) + (pasid & 63) * 64 + 8 * i,
				 &w[i]))
			return 0x58;
	o->domain = (unsigned)oracle_bits(w[1], 15, 0);
	o->silent |= oracle_bit(w[0], 1);
	if (!oracle_bit(w[0], 0))
		return 0x59;
	if (oracle_reserved(o, w, always, array_len(always)) || oracle_any(w[0], 63, haw) ||
	    oracle_any(w[2], 63, haw) || oracle_any(w[4], 63, haw) ||
	    oracle_any(w[1], 15, oracle_domain_bits(o)) ||
	    oracle_any(w[5], 15, oracle_domain_bits(o)))
		return 0x5a;
	o->kind = (unsigned)oracle_bits(w[0], 8, 6);
	aw = oracle_bits(w[0], 4, 2);
	fspm = oracle_bits(w[2], 3, 2);
	o->second_root = oracle_bits(w[0], 63, 12) << 12;
	o->second_levels = (unsigned)aw + 2;
	o->first_root = oracle_bits(w[2], 63, 12) << 12;
	o->first_levels = fspm ? 5 : 4;
	if (o->kind < 1 || o->kind > 4 || (o->kind == 1 && !oracle_ecap(o, 47)) ||
	    (o->kind == 2 && !oracle_ecap(o, 46)) || (o->kind == 3 && !oracle_ecap(o, 26)) ||
	    (o->kind == 4 && !oracle_ecap(o, 6)))
		return 0x5b;
	if ((o->kind == 2 || o->kind == 3) && !oracle_has_width(o, aw))
		return 0x5b;
	if ((o->kind == 1 || o->kind == 3) && (fspm > 1 || (fspm == 1 && !oracle_cap(o, 60))))
		return 0x5b;
	if (o->kind == 3 && oracle_any(o->first_root, 63, (int)oracle_second_width(o)))
		return 0x5b;
	o->second_ad = oracle_bit(w[0], 9);
	o->coherent = oracle_bit(w[1], 23);
	o->all_snooped = oracle_bit(w[1], 24);
	o->wpe = oracle_bit(w[2], 4);
	o->nxe = oracle_bit(w[2], 5) && oracle_ecap(o, 30);
	o->smep = oracle_bit(w[2], 6) && oracle_ecap(o, 30);
	o->eafe = oracle_bit(w[2], 7);
	if (o->wants_execute && !oracle_bit(w[2], 1))
		return 0x5c;
	if (o->privileged && !oracle_bit(w[2], 0))
		return 0x5d;
	return 0;
}

static inline unsigned oracle_scalable(struct oracle *o)
{
	static const struct oracle_range ranges[] = {
		{ 0, 8, 7, 64 },   { 0, 2, 2, 2 },   { 0, 3, 3, 40 },  { 0, 4, 4, 29 },
		{ 0, 5, 5, 55 },   { 0, 6, 6, 56 },  { 1, 19, 0, 49 }, { 1, 20, 20, 53 },
		{ 1, 63, 21, 64 }, { 2, 63, 0, 64 }, { 3, 63, 0, 64 },
	};
	uint64_t root = oracle_bits(o->tables->rtaddr, o->haw - 1, 12) << 12, half[2], w[4];
	unsigned devfn = o->request->source & 255, upper = devfn >= 128;
	uint32_t pasid = o->request->pasid, rid;
	uint64_t entry = root + 16 * (o->request->source >> 8), limit;

	if (!oracle_word(o, entry, &half[0]) || !oracle_word(o, entry + 8, &half[1]))
		return 0x38;
	if (!oracle_bit(half[upper], 0))
		return 0x39;
	for (unsigned i = 0; i < 2; i++)
		if (oracle_bit(half[i], 0) &&
		    (oracle_any(half[i], 11, 1) || oracle_any(half[i], 63, (int)o->haw)))
			return 0x3a;
	entry = (oracle_bits(half[upper], 63, 12) << 12) + 32 * (devfn % 128);
	for (unsigned i = 0; i < 4; i++)
		if (!oracle_word(o, entry + 8 * i, &w[i]))
			return 0x40;
	o->silent = oracle_bit(w[0], 1);
	if (!oracle_bit(w[0], 0))
		return 0x41;
	if (oracle_reserved(o, w, ranges, array_len(ranges)) || oracle_any(w[0], 63, (int)o->haw))
		return 0x42;
	limit = UINT64_C(1) << (oracle_bits(w[0], 11, 9) + 7 + 6);
	rid = (uint32_t)oracle_bits(w[1], 19, 0);
	if ((oracle_bit(w[0], 4) && !oracle_bit(w[0], 2)) || rid >= limit ||
	    (oracle_bit(w[0], 6) && !oracle_bit(w[0], 3)))
		return 0x43;
	if (o->request->type && !oracle_bit(w[0], 2))
		return 0x44;
	if (pasid != IOMMU_NO_PASID) {
		if (o->request->type == 2 && !oracle_bit(w[0], 6))
			return 0x49;
		if (o->request->type != 2 && !oracle_bit(w[0], 3))
			return 0x45;
		if (pasid >= UINT64_C(2) << oracle_bits(o->tables->ecap, 39, 35))
			return 0x89;
		if (pasid >= limit)
			return 0x46;
		if (pasid == rid)
			return 0x48;
		o->privileged = o->request->privileged;
	} else {
		pasid = rid;
		o->privileged = oracle_bit(w[1], 20);
		o->wants_execute = false;
	}
	if (o->request->type == 2)
		return 0;
	return oracle_pasid(o, oracle_bits(w[0], 63, 12) << 12, pasid);
}

/* ---- the whole ---- */

static inline bool oracle_is_interrupt(uint64_t address)
{
	return address >> 20 == 0xfee;
}

static inline bool oracle_page_meets_interrupts(uint64_t address, unsigned shift)
{
	for (uint64_t block = 0xfee00; block <= 0xfeeff; block++)
		if (block << 12 >> shift == address >> shift)
			return true;
	return false;
}

static inline struct oracle_page oracle_pass(const struct oracle *o)
{
	struct oracle_page page = {
		.address = o->request->address, .r = true, .w = true, .shift = 12
	};

	if (oracle_any(page.address, 63, (int)o->haw))
		return oracle_fault(o->scalable ? 0x83 : 4);
	if (o->request->type == 2)
		return page;
	if (oracle_cap(o, 34) && !oracle_page_meets_interrupts(page.address, 21))
		page.shift = 21;
	if (oracle_cap(o, 35) && !oracle_page_meets_interrupts(page.address, 30))
		page.shift = 30;
	return page;
}

static inline struct oracle_page oracle_page_of(const struct oracle *o)
{
	const struct oracle_wish wish = { o->wants_read, o->wants_write, false };
	bool device = o->request->type == 1;
	struct oracle_page page;
	bool zlr, r_missing, w_missing;

	if (o->request->type == 2 || o->kind == 4)
		page = oracle_pass(o);
	else if (o->kind == 2)
		page = oracle_second_whole(o, o->request->address, wish);
	else
		page = oracle_first_whole(o);
	if (page.reason)
		return page;
	zlr = o->request->zero_length && oracle_cap(o, 22) && page.w;
	w_missing = o->wants_write && !page.w;
	r_missing = o->wants_read && !page.r && !(zlr && !w_missing);
	if (!device && w_missing)
		return oracle_fault(o->scalable ? 0x85 : 5);
	if (!device && r_missing)
		return oracle_fault(o->scalable ? 0x86 : 6);
	if (!device && o->wants_execute && !page.x && (o->kind == 1 || o->kind == 3))
		return oracle_fault(0x82);
	if (device ? oracle_page_meets_interrupts(page.address, page.shift)
		   : oracle_is_interrupt(page.address))
		return oracle_fault(o->scalable ? 0x87 : 0xe);
	if (oracle_page_meets_interrupts(page.address, page.shift))
		page.shift = 12;
	return page;
}

/* Table 30, column "translation request": 0 unsupported request, 1 completer abort, 2 success. */
static inline unsigned oracle_column(unsigned reason)
{
	static const uint8_t success[] = { 0x04, 0x05, 0x06, 0x51, 0x59, 0x5c, 0x5d, 0x70,
					   0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x79,
					   0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x90 };
	static const uint8_t abort[] = { 0x03, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0e,
					 0x30, 0x38, 0x3a, 0x40, 0x42, 0x43, 0x50, 0x52,
					 0x58, 0x5a, 0x5b, 0x78, 0x7a, 0x7b, 0x7c, 0x87 };

	for (unsigned i = 0; i < array_len(success); i++)
		if (success[i] == reason)
			return 2;
	for (unsigned i = 0; i < array_len(abort); i++)
		if (abort[i] == reason)
			return 1;
	return 0;
}

static inline bool oracle_is_qualified(unsigned reason)
{
	static const uint8_t never[] = { 0x01, 0x08, 0x09, 0x0a, 0x29, 0x30, 0x31, 0x33,
					 0x34, 0x38, 0x39, 0x3a, 0x40, 0x50, 0x58 };

	for (unsigned i = 0; i < array_len(never); i++)
		if (never[i] == reason)
			return false;
	return true;
}

static inline unsigned oracle_mode(struct oracle *o)
{
	unsigned ttm = (unsigned)oracle_bits(o->tables->rtaddr, 11, 10);
	bool with_pasid = o->request->pasid != IOMMU_NO_PASID;

	o->scalable = ttm == 1;
	if (ttm == 3 && oracle_ecap(o, 52))
		return 0x33;
	if (ttm > 1 || (ttm == 1 && !oracle_ecap(o, 43)))
		return 0x30;
	if (ttm == 0 && oracle_bit(o->tables->rtaddr, 7) && oracle_ecap(o, 57))
		return 0x30;
	if (ttm == 0 && with_pasid)
		return 0x31;
	if (with_pasid && o->wants_execute && o->tables->version >= 0x80)
		return 0x34;
	return ttm ? oracle_scalable(o) : oracle_legacy(o);
}

static inline void oracle_refuse(const struct oracle *o, unsigned reason,
				 struct iommu_answer *answer)
{
	unsigned column = oracle_column(reason);

	if (o->request->type == 1 && column == 2)
		return; /* success, without rights */
	answer->outcome = o->silent && oracle_is_qualified(reason) ? IOMMU_SILENT : IOMMU_FAULT;
	answer->reason = (uint16_t)reason;
	answer->completion = IOMMU_UNSUPPORTED_REQUEST;
	if (o->request->type == 1 && column == 1)
		answer->completion = IOMMU_COMPLETER_ABORT;
}

/* The answer; of a refused request address, domain and page_shift mean nothing. */
static inline void oracle_walk(const struct vtd_tables *tables, const struct iommu_request *request,
			       struct physical *memory, struct iommu_answer *answer)
{
	bool nwfs = tables->ecap >> 33 & 1;
	struct oracle o = { .tables = tables, .request = request, .memory = memory };
	struct oracle_page page;
	unsigned reason;

	memset(answer, 0, sizeof *answer);
	o.mgaw = 1 + (unsigned)oracle_bits(tables->cap, 21, 16);
	o.haw = tables->host_width ? tables->host_width : o.mgaw;
	o.haw = o.haw > 52 ? 52 : o.haw;
	o.wants_read = request->access & 1;
	o.wants_write = request->access & 2;
	o.wants_execute = request->access & 4;
	if (request->type == 1) {
		bool read_only = nwfs && request->access & 1 && !(request->access & 2);

		o.wants_read = true;
		o.wants_write = !read_only;
	}
	if (!request->type && request->pasid == IOMMU_NO_PASID &&
	    oracle_is_interrupt(request->address)) {
		answer->address = request->address;
		answer->page_shift = 12;
		answer->rights = 3;
		if (!request->zero_length) {
			answer->rights = 0;
			oracle_refuse(&o, 0x29, answer);
		}
		return;
	}
	reason = oracle_mode(&o);
	if (reason) {
		oracle_refuse(&o, reason, answer);
		return;
	}
	if (request->type == 1 && oracle_is_interrupt(request->address) &&
	    (request->pasid == IOMMU_NO_PASID || o.kind == 4)) {
		answer->address = request->address;
		answer->rights = o.wants_write ? 2 : 0;
		answer->untranslated_only = o.wants_write;
		answer->page_shift = 12;
		answer->domain = (uint16_t)o.domain;
		return;
	}
	page = oracle_page_of(&o);
	if (page.reason) {
		oracle_refuse(&o, page.reason, answer);
		return;
	}
	answer->domain = (uint16_t)o.domain;
	answer->address = page.address;
	answer->page_shift = (uint8_t)page.shift;
	answer->rights = (uint8_t)(page.r | page.w << 1 | page.x << 2);
	if (request->type == 1 && !o.wants_write)
		answer->rights &= (uint8_t)~2;
	answer->snoop = page.snooped || o.all_snooped;
	answer->transient = page.transient;
}

#endif
