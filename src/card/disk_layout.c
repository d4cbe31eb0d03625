#include "card/disk_layout.h"

#include "base/bytes.h"

#include <errno.h>

void disk_layout_init(struct disk_layout *layout, uint64_t medium_size,
		      const uint8_t uuid[DISK_ID_SIZE])
{
	memset(layout, 0, sizeof *layout);
	layout->medium_size = medium_size;
	memcpy(layout->uuid, uuid, DISK_ID_SIZE);
}

static bool is_block_size(uint32_t size)
{
	return size == DISK_BLOCK_SIZE_MIN || size == DISK_BLOCK_SIZE_MAX;
}

int disk_layout_raw(struct disk_layout *layout, uint64_t medium_size, uint32_t block_size,
		    const uint8_t uuid[DISK_ID_SIZE], struct refusal *why)
{
	struct disk_namespace *ns = &layout->namespaces[0];

	disk_layout_init(layout, medium_size, uuid);
	if (!is_block_size(block_size) || medium_size < block_size) {
		refuse(why, "block_size", "a medium of %llu bytes has no block of %u bytes",
		       (unsigned long long)medium_size, block_size);
		return -EINVAL;
	}
	*ns = (struct disk_namespace){
		.id = 1, .block_size = block_size, .size = medium_size / block_size * block_size,
		.extent_count = 1, .name = "raw",
	};
	memcpy(ns->uuid, uuid, DISK_ID_SIZE);
	layout->extents[0] = (struct disk_extent){ 0, ns->size };
	layout->namespace_count = layout->extent_count = 1;
	return 0;
}

struct disk_namespace *disk_layout_find(struct disk_layout *layout, uint32_t id)
{
	for (unsigned i = 0; id && i < DISK_NAMESPACES_MAX; i++)
		if (layout->namespaces[i].id == id)
			return &layout->namespaces[i];
	return NULL;
}

struct disk_namespace *disk_layout_find_name(struct disk_layout *layout, const char *name)
{
	for (unsigned i = 0; i < DISK_NAMESPACES_MAX; i++)
		if (layout->namespaces[i].id && strcmp(layout->namespaces[i].name, name) == 0)
			return &layout->namespaces[i];
	return NULL;
}

/* The free piece that begins at or behind 'from'; false when there is none. */
static bool free_piece(const struct disk_layout *layout, uint64_t from, struct disk_extent *piece)
{
	uint64_t end = layout->medium_size / DISK_EXTENT_ALIGN * DISK_EXTENT_ALIGN;
	bool moved = true;

	/* Steps over each extent that covers 'from'; they do not overlap. */
	while (moved) {
		moved = false;
		for (unsigned i = 0; i < layout->extent_count; i++) {
			const struct disk_extent *e = &layout->extents[i];

			if (from >= e->first && from < e->first + e->size) {
				from = e->first + e->size;
				moved = true;
			}
		}
	}
	if (from >= end)
		return false;
	for (unsigned i = 0; i < layout->extent_count; i++)
		if (layout->extents[i].first > from)
			end = min_u64(end, layout->extents[i].first);
	*piece = (struct disk_extent){ from, end - from };
	return true;
}

uint64_t disk_layout_free(const struct disk_layout *layout, uint64_t *largest)
{
	uint64_t sum = 0, most = 0, from = DISK_DATA_FIRST;
	struct disk_extent piece;

	while (free_piece(layout, from, &piece)) {
		sum += piece.size;
		most = max_u64(most, piece.size);
		from = piece.first + piece.size;
	}
	if (largest)
		*largest = most;
	return sum;
}

/* The smallest free piece of at least 'size' bytes, or else the largest there is. */
static bool best_piece(const struct disk_layout *layout, uint64_t size, struct disk_extent *best)
{
	struct disk_extent piece;
	bool found = false;

	for (uint64_t from = DISK_DATA_FIRST; free_piece(layout, from, &piece);
	     from = piece.first + piece.size) {
		bool fits = piece.size >= size, fitted = found && best->size >= size;

		if (!found || (fits && (!fitted || piece.size < best->size)) ||
		    (!fits && !fitted && piece.size > best->size))
			*best = piece;
		found = true;
	}
	return found;
}

static int check_conf(struct disk_layout *layout, const struct disk_namespace_conf *conf,
		      struct refusal *why)
{
	size_t length = strlen(conf->name);
	uint64_t room = disk_layout_free(layout, NULL);

	if (length == 0 || length >= DISK_NAME_SIZE)
		refuse(why, "name", "a namespace's name has 1 to %d bytes", DISK_NAME_SIZE - 1);
	else if (disk_layout_find_name(layout, conf->name))
		refuse(why, "name", "the card has a namespace '%s' already", conf->name);
	else if (!is_block_size(conf->block_size))
		refuse(why, "block_size", "a block has 512 or 4096 bytes, not %u", conf->block_size);
	else if (conf->size == 0)
		refuse(why, "size", "a namespace needs a size");
	else if (conf->size > room)
		refuse(why, "size", "%llu bytes were asked for and %llu are free",
		       (unsigned long long)conf->size, (unsigned long long)room);
	else if (layout->namespace_count == DISK_NAMESPACES_MAX)
		refuse(why, "", "a card has %d namespaces at most", DISK_NAMESPACES_MAX);
	else
		return 0;
	return -EINVAL;
}

/* Takes pieces until 'size' bytes are there; false when the table of extents is full. */
static bool take_extents(struct disk_layout *layout, uint64_t size)
{
	while (size > 0) {
		struct disk_extent piece;

		if (layout->extent_count == DISK_EXTENTS_MAX || !best_piece(layout, size, &piece))
			return false;
		piece.size = min_u64(piece.size, size);
		layout->extents[layout->extent_count++] = piece;
		size -= piece.size;
	}
	return true;
}

static uint32_t free_id(struct disk_layout *layout)
{
	uint32_t id = 1;

	while (disk_layout_find(layout, id))
		id++;
	return id;
}

struct disk_namespace *disk_layout_add(struct disk_layout *layout,
				       const struct disk_namespace_conf *conf, struct refusal *why)
{
	unsigned extents = layout->extent_count, row = 0;
	struct disk_namespace *ns;

	if (check_conf(layout, conf, why))
		return NULL;
	if (!take_extents(layout, (conf->size + DISK_EXTENT_ALIGN - 1) / DISK_EXTENT_ALIGN *
					  DISK_EXTENT_ALIGN)) {
		layout->extent_count = extents;
		refuse(why, "size", "what is free lies in more than %d pieces", DISK_EXTENTS_MAX);
		return NULL;
	}
	while (layout->namespaces[row].id)
		row++;
	ns = &layout->namespaces[row];
	*ns = (struct disk_namespace){
		.id = free_id(layout), .block_size = conf->block_size,
		.size = (conf->size + conf->block_size - 1) / conf->block_size * conf->block_size,
		.extent_first = extents, .extent_count = layout->extent_count - extents,
	};
	memcpy(ns->uuid, conf->uuid, DISK_ID_SIZE);
	memcpy(ns->name, conf->name, strlen(conf->name));
	layout->namespace_count++;
	return ns;
}

void disk_layout_remove(struct disk_layout *layout, uint32_t id)
{
	struct disk_namespace *ns = disk_layout_find(layout, id);
	unsigned first, count;

	must(ns);
	first = ns->extent_first;
	count = ns->extent_count;
	memmove(&layout->extents[first], &layout->extents[first + count],
		(layout->extent_count - first - count) * sizeof layout->extents[0]);
	layout->extent_count -= count;
	memset(ns, 0, sizeof *ns);
	layout->namespace_count--;
	for (unsigned i = 0; i < DISK_NAMESPACES_MAX; i++)
		if (layout->namespaces[i].id && layout->namespaces[i].extent_first > first)
			layout->namespaces[i].extent_first -= count;
}

uint64_t disk_layout_place(const struct disk_layout *layout, const struct disk_namespace *ns,
			   uint64_t first, uint64_t *size)
{
	const struct disk_extent *e = &layout->extents[ns->extent_first];

	while (first >= e->size) {
		first -= e->size;
		e++;
		must(e < &layout->extents[ns->extent_first + ns->extent_count]);
	}
	*size = min_u64(*size, e->size - first);
	return e->first + first;
}
