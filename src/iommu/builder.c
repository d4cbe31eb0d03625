/* Page tables: what a change needs is counted and taken first, so that it either is made whole or
 * not begun.  A table is filled before an entry points at it, and each entry is one store; a table
 * that is taken out stays as it was until the caller has invalidated. */
#include "iommu/builder_entry.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdatomic.h>

_Static_assert((int)IOMMU_READ == (int)SPEC_SECOND_READ &&
		       (int)IOMMU_WRITE == (int)SPEC_SECOND_WRITE,
	       "entry_rights() takes them as they are");

#define NOTHING UINT64_MAX /* as a target: the range is unmapped */

/* What one call changes.  Addresses are those of the tables: without the sign of canonical ones. */
struct change {
	uint64_t first, last;
	uint64_t target; /* of 'first'; or NOTHING */
	uint8_t rights;
};

static uint64_t word_of(uint64_t v)
{
	uint8_t bytes[8];
	uint64_t word;

	put_le64(bytes, v);
	memcpy(&word, bytes, sizeof word);
	return word;
}

/* acquire pairs with store(): somebody else may list what the one writer makes. */
static uint64_t load(_Atomic uint64_t *words, unsigned index)
{
	uint64_t word = atomic_load_explicit(&words[index], memory_order_acquire);

	return word_of(word); /* there and back are the same */
}

/* release: who finds the entry finds the table behind it filled.  Pairs with the walker's read. */
static void store(_Atomic uint64_t *words, unsigned index, uint64_t entry)
{
	atomic_store_explicit(&words[index], word_of(entry), memory_order_release);
}

static _Atomic uint64_t *words_of(const struct iommu_builder *b, uint64_t table)
{
	return b->pages->words(b->pages->context, table);
}

static uint64_t span_of(unsigned level)
{
	return UINT64_C(1) << entry_shift(level);
}

/* Lists of pages by the words that their owner keeps for them. */

static void push(const struct iommu_builder *b, uint64_t *list, uint64_t page)
{
	*b->pages->link(b->pages->context, page) = *list;
	*list = page;
}

static uint64_t pop(const struct iommu_builder *b, uint64_t *list)
{
	uint64_t page = *list;

	if (page)
		*list = *b->pages->link(b->pages->context, page);
	return page;
}

static void give_all(const struct iommu_builder *b, uint64_t *list)
{
	for (uint64_t page; (page = pop(b, list)) != 0;)
		b->pages->give(b->pages->context, page);
}

static bool take_spare(struct iommu_builder *b, uint64_t count)
{
	for (; count; count--) {
		uint64_t page = b->pages->take(b->pages->context);

		if (!page) {
			give_all(b, &b->spare);
			return false;
		}
		push(b, &b->spare, page);
	}
	return true;
}

static uint64_t new_table(struct iommu_builder *b)
{
	uint64_t page = pop(b, &b->spare);

	must(page != 0); /* they were counted */
	b->table_count++;
	return page;
}

/* A table that is out of reach, with all below it. */
static void retire(struct iommu_builder *b, unsigned level, uint64_t table)
{
	_Atomic uint64_t *words = words_of(b, table);

	for (unsigned i = 0; level > 1 && i < SPEC_TABLE_ENTRIES; i++) {
		uint64_t entry = load(words, i);

		if (entry_is_present(b->format, entry) && entry_is_link(b->format, level, entry))
			retire(b, level - 1, entry_address(entry));
	}
	push(b, &b->retired, table);
	b->table_count--;
}

/* Whether an entry of 'level' may be a page. */
static bool page_allowed(const struct iommu_builder *b, unsigned level)
{
	return level == 1 || (level == 2 && b->page_sizes & IOMMU_PAGES_2M) ||
	       (level == 3 && b->page_sizes & IOMMU_PAGES_1G);
}

/* The part of the change inside one entry. */
static struct change part_of(const struct change *c, uint64_t base, uint64_t span)
{
	struct change part = *c;

	part.first = max_u64(c->first, base);
	part.last = min_u64(c->last, base + (span - 1));
	if (part.target != NOTHING)
		part.target += part.first - c->first;
	return part;
}

static bool covers(const struct change *part, uint64_t base, uint64_t span)
{
	return part->first == base && part->last == base + (span - 1);
}

/* Whether the change is done by writing this one entry. */
static bool is_one_entry(const struct iommu_builder *b, unsigned level, const struct change *part,
			 uint64_t base)
{
	uint64_t span = span_of(level);

	if (!covers(part, base, span))
		return false;
	return part->target == NOTHING || (page_allowed(b, level) && part->target % span == 0);
}

/* Walks over the entries of a table that a change touches. */
struct visit {
	unsigned index, last;
	uint64_t base; /* first address of the entry */
};

static struct visit visit_begin(const struct change *c, unsigned level)
{
	return (struct visit){
		.index = (unsigned)(c->first >> entry_shift(level)) % SPEC_TABLE_ENTRIES,
		.last = (unsigned)(c->last >> entry_shift(level)) % SPEC_TABLE_ENTRIES,
		.base = c->first & ~(span_of(level) - 1)
	};
}

static void visit_next(struct visit *at, unsigned level)
{
	at->index++;
	at->base += span_of(level);
}

/* How many tables a change needs below the entries of a table that it does not replace whole.
 *
 * table  0: it is not there yet, and all its entries are 'fill': nothing, or a page that is split
 */
static uint64_t tables_needed(const struct iommu_builder *b, unsigned level, uint64_t table,
			      uint64_t fill, const struct change *c)
{
	_Atomic uint64_t *words = table ? words_of(b, table) : NULL;
	uint64_t needed = 0;

	if (level == 1)
		return 0;
	for (struct visit at = visit_begin(c, level); at.index <= at.last; visit_next(&at, level)) {
		struct change part = part_of(c, at.base, span_of(level));
		uint64_t entry = words ? load(words, at.index) : fill;
		bool present = entry_is_present(b->format, entry);

		if (is_one_entry(b, level, &part, at.base) || (!present && part.target == NOTHING))
			continue;
		if (present && entry_is_link(b->format, level, entry))
			needed += tables_needed(b, level - 1, entry_address(entry), 0, &part);
		else
			needed += 1 + tables_needed(b, level - 1, 0, entry, &part);
	}
	return needed;
}

/* Fills a new table of 'level' so that it says what the page 'entry', one level above, says. */
static void split(const struct iommu_builder *b, unsigned level, _Atomic uint64_t *words,
		  uint64_t entry)
{
	uint64_t used = entry & entry_used(b->format), target = entry_address(entry);
	uint8_t rights = entry_rights(b->format, entry);

	for (unsigned i = 0; i < SPEC_TABLE_ENTRIES; i++)
		store(words, i,
		      used | entry_page(b->format, level, target + i * span_of(level), rights));
}

/* The table behind entry 'index' of a table of 'level', made when there is none. */
static uint64_t table_behind(struct iommu_builder *b, unsigned level, _Atomic uint64_t *words,
			     unsigned index)
{
	uint64_t entry = load(words, index), table;
	bool present = entry_is_present(b->format, entry);

	if (present && entry_is_link(b->format, level, entry))
		return entry_address(entry);
	table = new_table(b);
	if (present)
		split(b, level - 1, words_of(b, table), entry);
	store(words, index, entry_link(b->format, level, table));
	return table;
}

/* Puts an entry in the place of what was there. */
static void replace(struct iommu_builder *b, unsigned level, _Atomic uint64_t *words,
		    unsigned index, uint64_t entry)
{
	uint64_t old = load(words, index);

	store(words, index, entry);
	if (entry_is_present(b->format, old) && entry_is_link(b->format, level, old))
		retire(b, level - 1, entry_address(old));
	b->replaced |= entry_is_present(b->format, old);
}

static bool is_empty(const struct iommu_builder *b, _Atomic uint64_t *words)
{
	for (unsigned i = 0; i < SPEC_TABLE_ENTRIES; i++)
		if (entry_is_present(b->format, load(words, i)))
			return false;
	return true;
}

/* The page that would say what a table of 'level' - 1 says, or 0.  Looked at from its end, since
 * ranges mostly grow upwards. */
static uint64_t merged(const struct iommu_builder *b, unsigned level, _Atomic uint64_t *words)
{
	uint64_t first = load(words, 0), used = first;
	uint64_t mask = ~entry_used(b->format);

	if (!page_allowed(b, level) || !entry_is_present(b->format, first) ||
	    entry_is_link(b->format, level - 1, first) || entry_address(first) % span_of(level))
		return 0;
	for (unsigned i = SPEC_TABLE_ENTRIES - 1; i > 0; i--) {
		uint64_t entry = load(words, i);

		if ((entry & mask) != ((first & mask) + i * span_of(level - 1)))
			return 0;
		used |= entry;
	}
	return entry_page(b->format, level, entry_address(first), entry_rights(b->format, first)) |
	       (used & ~mask);
}

/* After a change below entry 'index': an empty table goes, one that a page can stand for is
 * replaced. */
static void tidy(struct iommu_builder *b, unsigned level, _Atomic uint64_t *words, unsigned index,
		 const struct change *c)
{
	_Atomic uint64_t *below = words_of(b, entry_address(load(words, index)));
	uint64_t page = 0;

	if (c->target == NOTHING ? is_empty(b, below) : (page = merged(b, level, below)) != 0)
		replace(b, level, words, index, page);
}

static void carry_out(struct iommu_builder *b, unsigned level, uint64_t table,
		      const struct change *c)
{
	_Atomic uint64_t *words = words_of(b, table);

	for (struct visit at = visit_begin(c, level); at.index <= at.last; visit_next(&at, level)) {
		struct change part = part_of(c, at.base, span_of(level));
		bool present = entry_is_present(b->format, load(words, at.index));

		if (part.target == NOTHING && !present)
			continue;
		if (is_one_entry(b, level, &part, at.base)) {
			replace(b, level, words, at.index,
				part.target == NOTHING
					? 0
					: entry_page(b->format, level, part.target, part.rights));
			continue;
		}
		carry_out(b, level - 1, table_behind(b, level, words, at.index), &part);
		tidy(b, level, words, at.index, &part);
	}
}

static int change(struct iommu_builder *b, const struct change *c)
{
	if (!take_spare(b, tables_needed(b, b->levels, b->root, 0, c)))
		return -ENOMEM;
	b->replaced = false;
	carry_out(b, b->levels, b->root, c);
	must(b->spare == 0);
	return b->replaced;
}

/* Bits of an address that the tables look at; 64 at most. */
static unsigned width_of(const struct iommu_builder *b)
{
	return entry_shift(b->levels + 1) < 64 ? entry_shift(b->levels + 1) : 64;
}

static uint64_t width_mask(const struct iommu_builder *b)
{
	return UINT64_MAX >> (64 - width_of(b));
}

/* Reads a range into the addresses of the tables; false when it is not one. */
static bool take_range(const struct iommu_builder *b, struct iommu_range range, struct change *c)
{
	uint64_t last = range.iova + (range.size - 1), mask = width_mask(b);

	if (range.size == 0 || (range.iova | range.size) % SPEC_TABLE_SIZE || last < range.iova)
		return false;
	c->first = range.iova & mask;
	c->last = last & mask;
	if (b->format == IOMMU_VTD_FIRST_LEVEL) {
		uint64_t half =
			mask >> 1; /* canonical: all bits from the highest one on are equal */

		return last <= half || range.iova >= ~half;
	}
	return last <= mask;
}

int iommu_builder_map(struct iommu_builder *b, struct iommu_range range, uint64_t target,
		      uint8_t rights)
{
	struct change c = { .target = target, .rights = rights };
	uint8_t needed = b->format == IOMMU_VTD_FIRST_LEVEL ? IOMMU_READ : IOMMU_READ | IOMMU_WRITE;
	uint64_t room = SPEC_ENTRY_ADDRESS + SPEC_TABLE_SIZE;

	if (!take_range(b, range, &c) || target % SPEC_TABLE_SIZE || target >= room ||
	    range.size > room - target || !(rights & needed))
		return -EINVAL;
	return change(b, &c);
}

int iommu_builder_unmap(struct iommu_builder *b, struct iommu_range range)
{
	struct change c = { .target = NOTHING };

	return take_range(b, range, &c) ? change(b, &c) : -EINVAL;
}

void iommu_builder_reclaim(struct iommu_builder *b)
{
	give_all(b, &b->retired);
}

int iommu_builder_init(struct iommu_builder *b)
{
	must(b->levels >= (b->format == IOMMU_AMD ? 1u : 3u));
	must(b->levels <= (b->format == IOMMU_AMD ? (unsigned)IOMMU_LEVELS_MAX : 5u));
	must(b->page_sizes != IOMMU_PAGES_1G); /* a 1 GiB page is split into 2 MiB pages */
	b->table_count = b->retired = b->spare = 0;
	b->replaced = false;
	b->root = b->pages->take(b->pages->context);
	b->table_count = b->root != 0;
	return b->root ? 0 : -ENOMEM;
}

void iommu_builder_fini(struct iommu_builder *b)
{
	if (b->root)
		retire(b, b->levels, b->root);
	iommu_builder_reclaim(b);
	b->root = 0;
}

/* Reading. */

/* An address of the tables as requests spell it. */
static uint64_t iova_of(const struct iommu_builder *b, uint64_t address)
{
	uint64_t mask = width_mask(b);

	if (b->format == IOMMU_VTD_FIRST_LEVEL && address > mask >> 1)
		return address | ~mask;
	return address;
}

bool iommu_builder_find(const struct iommu_builder *b, uint64_t iova, struct iommu_range *range,
			uint64_t *target, uint8_t *rights)
{
	uint64_t address = iova & width_mask(b), table = b->root;

	if (iova_of(b, address) != iova)
		return false;
	for (unsigned level = b->levels;; level--) {
		uint64_t entry =
			load(words_of(b, table),
			     (unsigned)(address >> entry_shift(level)) % SPEC_TABLE_ENTRIES);

		if (!entry_is_present(b->format, entry))
			return false;
		table = entry_address(entry);
		if (entry_is_link(b->format, level, entry))
			continue;
		*range = (struct iommu_range){ iova & ~(span_of(level) - 1), span_of(level) };
		*target = entry_address(entry);
		*rights = entry_rights(b->format, entry);
		return true;
	}
}

struct listing {
	void (*each)(void *context, struct iommu_range range, uint64_t target, uint8_t rights);
	void *context;
	struct iommu_range range; /* joined so far; size 0: none */
	uint64_t target;
	uint8_t rights;
};

static void list_page(struct listing *l, struct iommu_range page, uint64_t target, uint8_t rights)
{
	if (l->range.size && l->range.iova + l->range.size == page.iova && l->rights == rights &&
	    l->target + l->range.size == target) {
		l->range.size += page.size;
		return;
	}
	if (l->range.size)
		l->each(l->context, l->range, l->target, l->rights);
	l->range = page;
	l->target = target;
	l->rights = rights;
}

static void list_table(const struct iommu_builder *b, struct listing *l, unsigned level,
		       uint64_t table, uint64_t base)
{
	_Atomic uint64_t *words = words_of(b, table);

	for (unsigned i = 0; i < SPEC_TABLE_ENTRIES; i++) {
		uint64_t entry = load(words, i), address = base + i * span_of(level);

		if (!entry_is_present(b->format, entry))
			continue;
		if (entry_is_link(b->format, level, entry))
			list_table(b, l, level - 1, entry_address(entry), address);
		else
			list_page(l, (struct iommu_range){ iova_of(b, address), span_of(level) },
				  entry_address(entry), entry_rights(b->format, entry));
	}
}

void iommu_builder_list(const struct iommu_builder *b,
			void (*each)(void *context, struct iommu_range range, uint64_t target,
				     uint8_t rights),
			void *context)
{
	struct listing l = { .each = each, .context = context };

	list_table(b, &l, b->levels, b->root, 0);
	if (l.range.size)
		each(context, l.range, l.target, l.rights);
}
