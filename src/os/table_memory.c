#include "os/table_memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };
#define PAGES_MAX (UINT64_C(1) << 28)

struct table_memory {
	struct iommu_pages pages;
	uint8_t *bytes;         /* reserved */
	uint64_t *links;        /* one a page, reserved */
	uint64_t count;         /* pages there is room for */
	_Atomic uint64_t begun; /* pages that were taken once: the units may read these */
	uint64_t free;          /* list by 'links' of those that are not taken now; 0: none */
	uint64_t used;
};

static uint64_t index_of(const struct table_memory *memory, uint64_t page)
{
	uint64_t offset = page - (uintptr_t)memory->bytes;

	must(page >= (uintptr_t)memory->bytes && offset / PAGE < memory->count && offset % PAGE == 0);
	return offset / PAGE;
}

static uint64_t *link_of(void *context, uint64_t page)
{
	struct table_memory *memory = context;

	return &memory->links[index_of(memory, page)];
}

static _Atomic uint64_t *words(void *context, uint64_t page)
{
	struct table_memory *memory = context;

	return (_Atomic uint64_t *)(void *)(memory->bytes + index_of(memory, page) * PAGE);
}

uint64_t table_memory_take_block(struct table_memory *memory, uint64_t count)
{
	uint64_t begun = atomic_load_explicit(&memory->begun, memory_order_relaxed);

	if (count > memory->count - begun)
		return 0;
	/* release pairs with the acquire in inside() */
	atomic_store_explicit(&memory->begun, begun + count, memory_order_release);
	memory->used += count;
	return (uintptr_t)memory->bytes + begun * PAGE;
}

static uint64_t take(void *context)
{
	struct table_memory *memory = context;
	uint64_t page = memory->free;

	if (!page)
		return table_memory_take_block(memory, 1);
	memory->free = *link_of(memory, page);
	memory->used++;
	/* Word by word: nobody reads it now, and who reads it next finds it by a release. */
	for (unsigned i = 0; i < PAGE / 8; i++)
		atomic_store_explicit(&words(memory, page)[i], 0, memory_order_relaxed);
	return page;
}

static void give(void *context, uint64_t page)
{
	struct table_memory *memory = context;

	*link_of(memory, page) = memory->free;
	memory->free = page;
	memory->used--;
}

/* Whether the bytes are in pages that have been taken, and in one of them. */
static uint8_t *inside(const struct table_memory *memory, uint64_t address, uint32_t size)
{
	uint64_t offset = address - (uintptr_t)memory->bytes;
	uint64_t begun = atomic_load_explicit(&((struct table_memory *)memory)->begun,
					      memory_order_acquire); /* table_memory_take_block */

	if (address < (uintptr_t)memory->bytes || offset / PAGE >= begun ||
	    size > PAGE - offset % PAGE)
		return NULL;
	return memory->bytes + offset;
}

/* Whole words as far as there are any; the tail of 4 bytes of a status word too. */
static bool read_bytes(void *context, uint64_t address, void *bytes, uint32_t size)
{
	const uint8_t *from = inside(context, address, size);
	uint8_t *to = bytes;

	if (!from)
		return false;
	for (; size >= 8 && (uintptr_t)from % 8 == 0; from += 8, to += 8, size -= 8) {
		uint64_t word = atomic_load_explicit((const _Atomic uint64_t *)(const void *)from,
						     memory_order_acquire);

		memcpy(to, &word, sizeof word);
	}
	memcpy(to, from, size);
	return true;
}

static bool write_bytes(void *context, uint64_t address, const void *bytes, uint32_t size)
{
	uint8_t *to = inside(context, address, size);
	const uint8_t *from = bytes;
	uint64_t word;

	if (!to)
		return false;
	for (; size >= 8 && (uintptr_t)to % 8 == 0; from += 8, to += 8, size -= 8) {
		memcpy(&word, from, sizeof word);
		atomic_store_explicit((_Atomic uint64_t *)(void *)to, word, memory_order_release);
	}
	memcpy(to, from, size);
	return true;
}

static bool replace_word(void *context, uint64_t address, uint64_t old, uint64_t now)
{
	uint8_t *at = inside(context, address, 8);

	return at && (uintptr_t)at % 8 == 0 &&
	       atomic_compare_exchange_strong((_Atomic uint64_t *)(void *)at, &old, now);
}

static const _Atomic uint64_t *word_at(void *context, uint64_t address)
{
	return (const _Atomic uint64_t *)(const void *)inside(context, address, 8);
}

static void *reserve(uint64_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

int table_memory_create(struct table_memory **result, uint64_t pages)
{
	struct table_memory *memory;

	if (pages == 0 || pages > PAGES_MAX)
		return -EINVAL;
	memory = calloc(1, sizeof *memory);
	if (!memory)
		return -ENOMEM;
	memory->count = pages;
	memory->bytes = reserve(pages * PAGE);
	memory->links = reserve(pages * sizeof *memory->links);
	if (!memory->bytes || !memory->links) {
		table_memory_destroy(memory);
		return -ENOMEM;
	}
	memory->pages = (struct iommu_pages){ take, give, words, link_of, memory };
	*result = memory;
	return 0;
}

void table_memory_destroy(struct table_memory *memory)
{
	if (!memory)
		return;
	if (memory->bytes)
		munmap(memory->bytes, memory->count * PAGE);
	if (memory->links)
		munmap(memory->links, memory->count * sizeof *memory->links);
	free(memory);
}

const struct iommu_pages *table_memory_pages(struct table_memory *memory)
{
	return &memory->pages;
}

struct iommu_memory table_memory_of_unit(struct table_memory *memory)
{
	return (struct iommu_memory){ .read = read_bytes, .write = write_bytes,
				      .replace = replace_word, .word = word_at,
				      .context = memory };
}

uint64_t table_memory_used(const struct table_memory *memory)
{
	return memory->used;
}
