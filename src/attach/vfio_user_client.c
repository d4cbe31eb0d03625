#include "attach/vfio_user_client_internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	CONFIG = 7,             /* the region of configuration space */
	REGION_ROOM = 4096,     /* for capabilities of a region */
	MIG_PIECE = 1 << 16,    /* bytes of migration data in one message */
	MIG_MAX = 64 << 20,
};

/* Who is there. */

static int agree(struct vfio_user_client *c, struct refusal *why)
{
	struct vfio_user_limits ours = {
		.major = VFIO_USER_MAJOR, .minor = VFIO_USER_MINOR, .fds = VFCLIENT_FDS_MAX,
		.transfer = VFIO_USER_TRANSFER_MAX, .maps = VFIO_USER_DEFAULT_MAPS,
		.pages = VFIO_USER_DEFAULT_PAGE, .write_multi = true,
	};
	uint32_t size = vfio_user_version_write(&ours, vfclient_out(c), VFIO_USER_PAYLOAD_MAX);
	int err = vfclient_ask(c, VFIO_USER_VERSION, size, NULL, 0, VFIO_USER_VERSION_DATA);

	if (!err)
		err = vfio_user_version_read(&c->server, c->payload, c->header.payload, why);
	if (!err && c->server.major != VFIO_USER_MAJOR) {
		refuse(why, "", "%s speaks version %u.%u, not %u.x", c->path, c->server.major,
		       c->server.minor, VFIO_USER_MAJOR);
		err = -EPROTO;
	}
	return err;
}

/* The first area that can be mapped: all of the region when no capability says otherwise. */
static bool find_area(const struct vfio_user_client *c, uint64_t size, uint64_t *first, uint64_t *bytes)
{
	uint32_t at = get_le32(c->payload + VFIO_USER_REGION_CAPS), steps = 0;

	*first = 0;
	*bytes = size;
	if (!(get_le32(c->payload + VFIO_USER_REGION_FLAGS) & VFIO_USER_REGION_HAS_CAPS))
		return true;
	while (at && steps++ < 16) {
		const uint8_t *cap = c->payload + at;
		uint32_t need = VFIO_USER_SPARSE_FIRST + VFIO_USER_SPARSE_AREA_SIZE;

		if (at > c->header.payload || c->header.payload - at < VFIO_USER_SPARSE_AREAS)
			return false;
		if (get_le16(cap + VFIO_USER_CAP_ID) == VFIO_USER_CAP_SPARSE_MMAP) {
			if (c->header.payload - at < need || get_le32(cap + VFIO_USER_SPARSE_AREAS) == 0)
				return false;
			*first = get_le64(cap + VFIO_USER_SPARSE_FIRST);
			*bytes = get_le64(cap + VFIO_USER_SPARSE_FIRST + 8);
			return *first < size && *bytes <= size - *first;
		}
		at = get_le32(cap + VFIO_USER_CAP_NEXT);
	}
	return true;
}

static void map_region(struct vfio_user_client *c, struct vfio_user_client_region *region)
{
	uint64_t offset = get_le64(c->payload + VFIO_USER_REGION_OFFSET), first, size;
	void *at;

	if (!(region->flags & VFIO_USER_REGION_MMAP) || c->fd_count == 0 ||
	    !find_area(c, region->size, &first, &size) || size == 0 || offset > INT64_MAX - first)
		return;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fds[0], (off_t)(offset + first));
	if (at == MAP_FAILED)
		return;
	region->mapped_first = first;
	region->mapped_size = size;
	region->mapped = at;
}

static int ask_region(struct vfio_user_client *c, unsigned index)
{
	struct vfio_user_client_region *region = &c->regions[index];
	uint8_t *out = vfclient_out(c);
	int err;

	memset(out, 0, VFIO_USER_REGION_SIZE);
	put_le32(out + VFIO_USER_REGION_ARGSZ, REGION_ROOM);
	put_le32(out + VFIO_USER_REGION_INDEX, index);
	err = vfclient_ask(c, VFIO_USER_DEVICE_GET_REGION_INFO, VFIO_USER_REGION_SIZE, NULL, 0,
			   VFIO_USER_REGION_SIZE);
	if (err)
		return err;
	region->size = c->shape.sizes[index] = get_le64(c->payload + VFIO_USER_REGION_BYTES);
	region->flags = get_le32(c->payload + VFIO_USER_REGION_FLAGS);
	map_region(c, region);
	return 0;
}

static int ask_irqs(struct vfio_user_client *c, unsigned index)
{
	uint8_t *out = vfclient_out(c);
	int err;

	memset(out, 0, VFIO_USER_IRQ_SIZE);
	put_le32(out + VFIO_USER_IRQ_ARGSZ, VFIO_USER_IRQ_SIZE);
	put_le32(out + VFIO_USER_IRQ_INDEX, index);
	err = vfclient_ask(c, VFIO_USER_DEVICE_GET_IRQ_INFO, VFIO_USER_IRQ_SIZE, NULL, 0,
			   VFIO_USER_IRQ_SIZE);
	if (err)
		return err;
	c->irqs[index].flags = get_le32(c->payload + VFIO_USER_IRQ_FLAGS);
	c->irqs[index].count = get_le32(c->payload + VFIO_USER_IRQ_COUNT);
	return 0;
}

static int ask_info(struct vfio_user_client *c, uint32_t *regions, uint32_t *irqs)
{
	uint8_t *out = vfclient_out(c);
	int err;

	memset(out, 0, VFIO_USER_INFO_SIZE);
	put_le32(out + VFIO_USER_INFO_ARGSZ, VFIO_USER_INFO_SIZE);
	err = vfclient_ask(c, VFIO_USER_DEVICE_GET_INFO, VFIO_USER_INFO_SIZE, NULL, 0, VFIO_USER_INFO_SIZE);
	if (err)
		return err;
	c->flags = get_le32(c->payload + VFIO_USER_INFO_FLAGS);
	*regions = min_u32(get_le32(c->payload + VFIO_USER_INFO_REGIONS), VFIO_USER_CLIENT_REGIONS);
	*irqs = min_u32(get_le32(c->payload + VFIO_USER_INFO_IRQS), VFIO_USER_IRQ_INDEXES);
	return 0;
}

static int ask_identity(struct vfio_user_client *c)
{
	static const uint8_t at[] = { 0x00, 0x08, 0x2c };
	uint8_t bytes[4];

	for (unsigned i = 0; c->regions[CONFIG].size && i < array_len(at); i++) {
		int err = vfio_user_client_read(c, CONFIG, at[i], 4, bytes);

		if (err)
			return err;
		c->shape.identity[i] = get_le32(bytes);
	}
	return 0;
}

int vfclient_introduce(struct vfio_user_client *c, struct refusal *why)
{
	uint32_t regions = 0, irqs = 0;
	int err = agree(c, why);

	c->shape = (struct vfclient_shape){ .spare = 0 };
	if (!err)
		err = ask_info(c, &regions, &irqs);
	for (uint32_t i = 0; !err && i < regions; i++)
		err = ask_region(c, i);
	for (uint32_t i = 0; !err && i < irqs; i++)
		err = ask_irqs(c, i);
	return err ? err : ask_identity(c);
}

int vfio_user_client_open(struct vfio_user_client **client, const char *path, struct refusal *why)
{
	struct vfio_user_client *c;
	int err;

	if (strlen(path) >= sizeof c->path) {
		refuse(why, "socket", "the path %s is longer than the %zu bytes a socket may have", path,
		       sizeof c->path - 1);
		return -ENAMETOOLONG;
	}
	c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	snprintf(c->path, sizeof c->path, "%s", path);
	c->fd = -1;
	c->patience_ms = VFIO_USER_CLIENT_PATIENCE_MS;
	for (unsigned i = 0; i < VFIO_USER_CLIENT_VECTORS; i++)
		c->eventfds[i] = -1;
	c->line = -1;
	c->out = malloc(VFIO_USER_HEADER_SIZE + VFIO_USER_PAYLOAD_MAX);
	c->in = malloc(VFCLIENT_IN);
	err = c->out && c->in ? vfclient_dial(c) : -ENOMEM;
	if (!err)
		err = vfclient_introduce(c, why);
	if (err) {
		if (why && !why->text[0])
			refuse(why, "socket", "%s: %s", path,
			       err == -ETIMEDOUT ? "nobody answers: another client may be there"
						 : strerror(-err));
		vfio_user_client_close(c);
		return err;
	}
	c->first = c->shape;
	*client = c;
	return 0;
}

void vfclient_unmap_regions(struct vfio_user_client *c)
{
	for (unsigned i = 0; i < VFIO_USER_CLIENT_REGIONS; i++) {
		if (c->regions[i].mapped)
			munmap(c->regions[i].mapped, c->regions[i].mapped_size);
		c->regions[i] = (struct vfio_user_client_region){ .size = 0 };
	}
}

void vfio_user_client_close(struct vfio_user_client *c)
{
	if (!c)
		return;
	vfclient_hang_up(c);
	vfclient_unmap_regions(c);
	free(c->windows);
	free(c->in);
	free(c->out);
	free(c);
}

void vfio_user_client_set_patience(struct vfio_user_client *c, unsigned ms)
{
	c->patience_ms = ms;
	vfclient_limit(c);
}

const struct vfio_user_client_region *vfio_user_client_region(const struct vfio_user_client *c,
							      unsigned region)
{
	must(region < VFIO_USER_CLIENT_REGIONS);
	return &c->regions[region];
}

uint32_t vfio_user_client_irqs(const struct vfio_user_client *c, unsigned index, uint32_t *flags)
{
	must(index < VFIO_USER_IRQ_INDEXES);
	if (flags)
		*flags = c->irqs[index].flags;
	return c->irqs[index].count;
}

uint32_t vfio_user_client_flags(const struct vfio_user_client *c)
{
	return c->flags;
}

/* Registers. */

static uint8_t *write_access(struct vfio_user_client *c, unsigned region, uint64_t offset, uint32_t size)
{
	uint8_t *out = vfclient_out(c);

	put_le64(out + VFIO_USER_ACCESS_OFFSET, offset);
	put_le32(out + VFIO_USER_ACCESS_REGION, region);
	put_le32(out + VFIO_USER_ACCESS_COUNT, size);
	return out + VFIO_USER_ACCESS_SIZE;
}

static uint32_t piece_of(const struct vfio_user_client *c, uint32_t left)
{
	return min_u32(left, min_u32(c->server.transfer, VFIO_USER_TRANSFER_MAX));
}

int vfio_user_client_read(struct vfio_user_client *c, unsigned region, uint64_t offset, uint32_t size,
			  uint8_t *to)
{
	for (uint32_t n; size; offset += n, to += n, size -= n) {
		int err;

		n = piece_of(c, size);
		write_access(c, region, offset, n);
		err = vfclient_ask(c, VFIO_USER_REGION_READ, VFIO_USER_ACCESS_SIZE, NULL, 0,
				   VFIO_USER_ACCESS_SIZE + n);
		if (err)
			return err;
		memcpy(to, c->payload + VFIO_USER_ACCESS_SIZE, n);
	}
	return 0;
}

/* What configuration space reads now, where it was written: a trigger reads 0, so it is not pulled again. */
static int note_config(struct vfio_user_client *c, uint64_t offset, uint32_t size)
{
	for (uint64_t word = offset / 4; word <= (offset + size - 1) / 4; word++) {
		uint8_t bytes[4];
		int err = vfio_user_client_read(c, CONFIG, word * 4, 4, bytes);

		if (err)
			return err;
		c->config[word] = get_le32(bytes);
		c->written[word] = 1;
	}
	return 0;
}

int vfio_user_client_write(struct vfio_user_client *c, unsigned region, uint64_t offset, uint32_t size,
			   const uint8_t *from)
{
	uint64_t first = offset;
	uint32_t whole = size;

	for (uint32_t n; size; offset += n, from += n, size -= n) {
		int err;

		n = piece_of(c, size);
		memcpy(write_access(c, region, offset, n), from, n);
		err = vfclient_ask(c, VFIO_USER_REGION_WRITE, VFIO_USER_ACCESS_SIZE + n, NULL, 0, 0);
		if (err)
			return err;
	}
	if (region != CONFIG || whole == 0 || first + whole > VFCLIENT_CONFIG)
		return 0;
	return note_config(c, first, whole);
}

int vfio_user_client_get(struct vfio_user_client *c, unsigned region, uint64_t offset, uint32_t size,
			 uint64_t *value)
{
	uint8_t bytes[sizeof *value] = { 0 };
	int err;

	must(size >= 1 && size <= sizeof bytes);
	err = vfio_user_client_read(c, region, offset, size, bytes);
	*value = err ? 0 : get_le64(bytes);
	return err;
}

int vfio_user_client_put(struct vfio_user_client *c, unsigned region, uint64_t offset, uint32_t size,
			 uint64_t value)
{
	uint8_t bytes[sizeof value];

	must(size >= 1 && size <= sizeof bytes);
	put_le64(bytes, value);
	return vfio_user_client_write(c, region, offset, size, bytes);
}

/* Memory. */

int vfclient_send_window(struct vfio_user_client *c, const struct vfio_user_client_window *w)
{
	uint8_t *out = vfclient_out(c);

	put_le32(out + VFIO_USER_MAP_ARGSZ, VFIO_USER_MAP_SIZE);
	put_le32(out + VFIO_USER_MAP_FLAGS, w->flags);
	put_le64(out + VFIO_USER_MAP_OFFSET, w->fd >= 0 ? w->offset : 0);
	put_le64(out + VFIO_USER_MAP_ADDRESS, w->address);
	put_le64(out + VFIO_USER_MAP_BYTES, w->size);
	return vfclient_ask(c, VFIO_USER_DMA_MAP, VFIO_USER_MAP_SIZE, &w->fd, w->fd >= 0, 0);
}

int vfio_user_client_map(struct vfio_user_client *c, const struct vfio_user_client_window *window)
{
	struct vfio_user_client_window *more;
	int err;

	if (c->window_count == c->window_room) {
		unsigned room = c->window_room * 2 + 16;

		more = realloc(c->windows, room * sizeof *more);
		if (!more)
			return -ENOMEM;
		c->windows = more;
		c->window_room = room;
	}
	err = vfclient_send_window(c, window);
	if (err)
		return err;
	c->windows[c->window_count] = *window;
	if (window->fd >= 0)
		c->windows[c->window_count].bytes = NULL;
	c->window_count++;
	return 0;
}

int vfio_user_client_unmap(struct vfio_user_client *c, uint64_t address, uint64_t size)
{
	uint8_t *out = vfclient_out(c);
	int err;

	put_le32(out + VFIO_USER_UNMAP_ARGSZ, VFIO_USER_UNMAP_SIZE);
	put_le32(out + VFIO_USER_UNMAP_FLAGS, 0);
	put_le64(out + VFIO_USER_UNMAP_ADDRESS, address);
	put_le64(out + VFIO_USER_UNMAP_BYTES, size);
	err = vfclient_ask(c, VFIO_USER_DMA_UNMAP, VFIO_USER_UNMAP_SIZE, NULL, 0, 0);
	for (unsigned i = c->window_count; !err && i-- > 0;)
		if (c->windows[i].address >= address && c->windows[i].address - address < size)
			c->windows[i] = c->windows[--c->window_count];
	return err;
}

/* Interrupts. */

static void write_set(struct vfio_user_client *c, uint32_t flags, unsigned index, unsigned first,
		      unsigned count)
{
	uint8_t *out = vfclient_out(c);

	put_le32(out + VFIO_USER_SET_ARGSZ, VFIO_USER_SET_SIZE);
	put_le32(out + VFIO_USER_SET_FLAGS, flags);
	put_le32(out + VFIO_USER_SET_INDEX, index);
	put_le32(out + VFIO_USER_SET_START, first);
	put_le32(out + VFIO_USER_SET_COUNT, count);
}

int vfclient_send_eventfds(struct vfio_user_client *c, unsigned first, unsigned count, const int *fds,
			   unsigned fd_count)
{
	write_set(c, VFIO_USER_SET_DATA_EVENTFD | VFIO_USER_SET_TRIGGER, VFIO_USER_IRQ_MSIX, first, count);
	return vfclient_ask(c, VFIO_USER_DEVICE_SET_IRQS, VFIO_USER_SET_SIZE, fds, fd_count, 0);
}

int vfio_user_client_signal(struct vfio_user_client *c, unsigned vector, int eventfd)
{
	int err;

	if (vector >= VFIO_USER_CLIENT_VECTORS)
		return -EINVAL;
	err = vfclient_send_eventfds(c, vector, 1, &eventfd, eventfd >= 0);
	if (!err)
		c->eventfds[vector] = eventfd;
	return err;
}

int vfio_user_client_act(struct vfio_user_client *c, unsigned vector, uint32_t action)
{
	write_set(c, VFIO_USER_SET_DATA_NONE | action, VFIO_USER_IRQ_MSIX, vector, 1);
	return vfclient_ask(c, VFIO_USER_DEVICE_SET_IRQS, VFIO_USER_SET_SIZE, NULL, 0, 0);
}

int vfclient_send_line(struct vfio_user_client *c, int eventfd)
{
	write_set(c, VFIO_USER_SET_DATA_EVENTFD | VFIO_USER_SET_TRIGGER, VFIO_USER_IRQ_INTX, 0, 1);
	return vfclient_ask(c, VFIO_USER_DEVICE_SET_IRQS, VFIO_USER_SET_SIZE, &eventfd, eventfd >= 0, 0);
}

int vfio_user_client_line(struct vfio_user_client *c, int eventfd)
{
	int err = vfclient_send_line(c, eventfd);

	if (!err)
		c->line = eventfd;
	return err;
}

int vfio_user_client_act_on_line(struct vfio_user_client *c, uint32_t action)
{
	write_set(c, VFIO_USER_SET_DATA_NONE | action, VFIO_USER_IRQ_INTX, 0, 1);
	return vfclient_ask(c, VFIO_USER_DEVICE_SET_IRQS, VFIO_USER_SET_SIZE, NULL, 0, 0);
}

int vfio_user_client_reset(struct vfio_user_client *c)
{
	int err = vfclient_ask(c, VFIO_USER_DEVICE_RESET, 0, NULL, 0, 0);

	if (!err)
		memset(c->written, 0, sizeof c->written);
	return err;
}

/* Migration. */

static int set_state(struct vfio_user_client *c, enum vfio_user_state state)
{
	uint8_t *out = vfclient_out(c);
	uint32_t size = VFIO_USER_FEATURE_SIZE + VFIO_USER_MIG_STATE_SIZE;

	memset(out, 0, size);
	put_le32(out + VFIO_USER_FEATURE_ARGSZ, size);
	put_le32(out + VFIO_USER_FEATURE_FLAGS, VFIO_USER_FEATURE_SET | VFIO_USER_FEATURE_MIG_STATE);
	put_le32(out + VFIO_USER_FEATURE_SIZE, state);
	return vfclient_ask(c, VFIO_USER_DEVICE_FEATURE, size, NULL, 0, 0);
}

/* Bytes of the next piece, 0 at the end, or -errno. */
static int read_piece(struct vfio_user_client *c, uint8_t **state, size_t size)
{
	uint32_t piece = min_u32(MIG_PIECE, c->server.transfer), got;
	uint8_t *out = vfclient_out(c), *more;
	int err;

	put_le32(out + VFIO_USER_MIG_ARGSZ, VFIO_USER_MIG_SIZE + piece);
	put_le32(out + VFIO_USER_MIG_BYTES, piece);
	err = vfclient_ask(c, VFIO_USER_MIG_DATA_READ, VFIO_USER_MIG_SIZE, NULL, 0, VFIO_USER_MIG_SIZE);
	if (err)
		return err;
	got = get_le32(c->payload + VFIO_USER_MIG_BYTES);
	if (got > piece || got > c->header.payload - VFIO_USER_MIG_SIZE)
		return -EPROTO;
	if (got == 0)
		return 0;
	more = size + got <= MIG_MAX ? realloc(*state, size + got) : NULL;
	if (!more)
		return -ENOMEM;
	*state = more;
	memcpy(more + size, c->payload + VFIO_USER_MIG_SIZE, got);
	return (int)got;
}

int vfio_user_client_save(struct vfio_user_client *c, uint8_t **state, size_t *size)
{
	int got = set_state(c, VFIO_USER_STATE_STOP_COPY);

	*state = NULL;
	*size = 0;
	if (got)
		return got;
	while ((got = read_piece(c, state, *size)) > 0)
		*size += (size_t)got;
	if (got < 0) {
		free(*state);
		*state = NULL;
	}
	return got;
}

int vfio_user_client_load(struct vfio_user_client *c, const uint8_t *state, size_t size)
{
	int err = set_state(c, VFIO_USER_STATE_RESUMING);

	for (uint32_t n; !err && size; state += n, size -= n) {
		uint8_t *out = vfclient_out(c);

		n = (uint32_t)min_u64(size, min_u32(MIG_PIECE, c->server.transfer));
		put_le32(out + VFIO_USER_MIG_ARGSZ, VFIO_USER_MIG_SIZE + n);
		put_le32(out + VFIO_USER_MIG_BYTES, n);
		memcpy(out + VFIO_USER_MIG_SIZE, state, n);
		err = vfclient_ask(c, VFIO_USER_MIG_DATA_WRITE, VFIO_USER_MIG_SIZE + n, NULL, 0, 0);
	}
	return err ? err : set_state(c, VFIO_USER_STATE_RUNNING);
}

int vfio_user_client_run(struct vfio_user_client *c)
{
	return set_state(c, VFIO_USER_STATE_RUNNING);
}
