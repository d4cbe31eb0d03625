/* Commands of a client to an imported function.
 *
 * A command is a row of questions to the function, one after the other; its last answer is the client's.  When the
 * function cannot be reached, accesses end as the bus ends those that nobody answers: reads give ones, writes go
 * nowhere; what the client grants is kept for its return. */
#include "attach/vfio_user_external.h"

#include "base/bytes.h"

#include <errno.h>

/* Each: carries 'msg' on.  0: it is done, with its reply behind msg->reply; -errno: it is refused; -EINPROGRESS:
 * something was asked.  'answer' is that to the last question; NULL at first. */
typedef int relay_fn(struct external *x, struct vfuser_msg *msg, const uint8_t *answer, uint32_t size,
		     struct refusal *why);

struct access {
	uint64_t offset;
	uint32_t region, count;
};

static struct access access_at(const uint8_t *bytes)
{
	return (struct access){
		.offset = get_le64(bytes + VFIO_USER_ACCESS_OFFSET),
		.region = get_le32(bytes + VFIO_USER_ACCESS_REGION),
		.count = get_le32(bytes + VFIO_USER_ACCESS_COUNT),
	};
}

static int check_access(const struct external *x, const struct access *a, struct refusal *why)
{
	const struct vfio_user_import_facts *facts = vfio_user_import_facts(x->import);
	uint64_t size = facts && a->region < VFIO_USER_IMPORT_REGIONS ? facts->regions[a->region].size : 0;

	if (size && a->offset <= size && a->count <= size - a->offset && a->count &&
	    a->count <= min_u32(facts->limits.transfer, VFIO_USER_TRANSFER_MAX))
		return 0;
	refuse(why, "", "region %u has no %u bytes at 0x%llx", a->region, a->count,
	       (unsigned long long)a->offset);
	return -EINVAL;
}

/* 0 is the answer to what was asked. */
static int in_progress(int err)
{
	return err ? err : -EINPROGRESS;
}

static int relay_read(struct external *x, struct vfuser_msg *msg, const uint8_t *answer, uint32_t size,
		      struct refusal *why)
{
	struct access a = access_at(msg->payload);
	uint8_t *bytes = msg->reply + VFIO_USER_ACCESS_SIZE;

	(void)size;
	if (!answer) {
		int err = check_access(x, &a, why);

		return err ? err : in_progress(external_ask(x, VFIO_USER_REGION_READ, msg->payload,
							    VFIO_USER_ACCESS_SIZE, NULL, 0,
							    VFIO_USER_ACCESS_SIZE + a.count));
	}
	memcpy(msg->reply, msg->payload, VFIO_USER_ACCESS_SIZE);
	memcpy(bytes, answer + VFIO_USER_ACCESS_SIZE, a.count);
	if (a.region == VFIO_USER_IMPORT_CONFIG) {
		vfio_user_import_note(x->import, a.offset, a.count, bytes);
		external_config_read(x, a.offset, a.count, bytes);
	}
	msg->size = VFIO_USER_ACCESS_SIZE + a.count;
	return 0;
}

/* Configuration space as it is now, since what was written may have changed it otherwise. */
static void on_refreshed(void *owner, int err, const uint8_t *payload, uint32_t size)
{
	struct external *x = owner;
	struct access a;

	if (err || size < VFIO_USER_ACCESS_SIZE)
		return;
	a = access_at(payload);
	if (a.region == VFIO_USER_IMPORT_CONFIG && a.count <= size - VFIO_USER_ACCESS_SIZE)
		vfio_user_import_note(x->import, a.offset, a.count, payload + VFIO_USER_ACCESS_SIZE);
}

static void refresh(struct external *x, uint64_t offset, uint32_t count)
{
	const struct vfio_user_import_facts *facts = vfio_user_import_facts(x->import);
	uint8_t payload[VFIO_USER_ACCESS_SIZE];
	const struct vfio_user_import_question question = {
		.command = VFIO_USER_REGION_READ, .payload = payload, .size = sizeof payload,
		.done = on_refreshed, .owner = x,
	};
	uint64_t end = min_u64((offset + count + 3) & ~UINT64_C(3), facts->regions[VFIO_USER_IMPORT_CONFIG].size);

	offset &= ~UINT64_C(3);
	put_le64(payload + VFIO_USER_ACCESS_OFFSET, offset);
	put_le32(payload + VFIO_USER_ACCESS_REGION, VFIO_USER_IMPORT_CONFIG);
	put_le32(payload + VFIO_USER_ACCESS_COUNT, (uint32_t)(end - offset));
	(void)vfio_user_import_ask(x->import, &question);
}

static int ask_write(struct external *x, const struct access *a, const uint8_t *bytes)
{
	put_le64(x->scratch + VFIO_USER_ACCESS_OFFSET, a->offset);
	put_le32(x->scratch + VFIO_USER_ACCESS_REGION, a->region);
	put_le32(x->scratch + VFIO_USER_ACCESS_COUNT, a->count);
	memcpy(x->scratch + VFIO_USER_ACCESS_SIZE, bytes, a->count);
	return external_ask(x, VFIO_USER_REGION_WRITE, x->scratch, VFIO_USER_ACCESS_SIZE + a->count, NULL, 0, 0);
}

/* The next piece of a write to configuration space that is the function's, from the piece 'part' on; 0: there is
 * none any more. */
static int write_config(struct external *x, const struct access *a, const uint8_t *bytes)
{
	struct access piece = *a;
	uint64_t end = a->offset + a->count;

	for (uint32_t i = 0;; i++) {
		piece.count = external_config_piece(&piece.offset, (uint32_t)(end - piece.offset));
		if (piece.count == 0)
			break;
		if (i == x->part)
			return in_progress(ask_write(x, &piece, bytes + (piece.offset - a->offset)));
		piece.offset += piece.count;
	}
	if (x->part)
		refresh(x, a->offset, a->count);
	if (x->resets)
		refresh(x, 0, SPEC_PCI_HEADER_SIZE);
	return 0;
}

/* One write, whole: 0 when it is done. */
static int write_on(struct external *x, const struct access *a, const uint8_t *bytes)
{
	if (a->region != VFIO_USER_IMPORT_CONFIG)
		return x->part ? 0 : in_progress(ask_write(x, a, bytes));
	if (x->part == 0)
		x->resets = external_config_wrote(x, a->offset, a->count, bytes);
	else
		vfio_user_import_note(x->import, a->offset, a->count, bytes); /* until it is read again */
	return write_config(x, a, bytes);
}

static int relay_write(struct external *x, struct vfuser_msg *msg, const uint8_t *answer, uint32_t size,
		       struct refusal *why)
{
	struct access a = access_at(msg->payload);
	int err = check_access(x, &a, why);

	(void)answer, (void)size;
	if (!err && a.count > msg->header.payload - VFIO_USER_ACCESS_SIZE) {
		refuse(why, "", "a write of %u bytes comes with %u", a.count,
		       msg->header.payload - VFIO_USER_ACCESS_SIZE);
		err = -EINVAL;
	}
	if (!err)
		err = write_on(x, &a, msg->payload + VFIO_USER_ACCESS_SIZE);
	if (err)
		return err;
	memcpy(msg->reply, msg->payload, VFIO_USER_ACCESS_SIZE);
	msg->size = VFIO_USER_ACCESS_SIZE;
	return 0;
}

static int check_multi(const struct external *x, const struct vfuser_msg *msg, struct refusal *why)
{
	uint64_t count = get_le64(msg->payload + VFIO_USER_MULTI_COUNT);
	uint64_t room = (msg->header.payload - VFIO_USER_MULTI_FIRST) / VFIO_USER_MULTI_SIZE;

	if (count > room) {
		refuse(why, "", "%llu writes are announced, and %llu come", (unsigned long long)count,
		       (unsigned long long)room);
		return -EINVAL;
	}
	for (uint64_t i = 0; i < count; i++) {
		struct access a = access_at(msg->payload + VFIO_USER_MULTI_FIRST + i * VFIO_USER_MULTI_SIZE);
		int err = check_access(x, &a, why);

		if (!err && (a.count > VFIO_USER_MULTI_DATA || a.region == VFIO_USER_IMPORT_CONFIG)) {
			refuse(why, "", "%u bytes of region %u cannot be written together with others", a.count,
			       a.region);
			err = -EINVAL;
		}
		if (err)
			return err;
	}
	return 0;
}

/* Written one by one: not every process takes them together. */
static int relay_multi(struct external *x, struct vfuser_msg *msg, const uint8_t *answer, uint32_t size,
		       struct refusal *why)
{
	uint64_t count = get_le64(msg->payload + VFIO_USER_MULTI_COUNT);
	int err = answer ? 0 : check_multi(x, msg, why);
	const uint8_t *at = msg->payload + VFIO_USER_MULTI_FIRST + (size_t)x->part * VFIO_USER_MULTI_SIZE;
	struct access a;

	(void)size;
	if (err)
		return err;
	if (x->part < count) {
		a = access_at(at);
		return in_progress(ask_write(x, &a, at + VFIO_USER_ACCESS_SIZE));
	}
	put_le64(msg->reply + VFIO_USER_MULTI_COUNT, count);
	msg->size = VFIO_USER_MULTI_FIRST;
	return 0;
}

/* The domain grants it first, then the function is told. */
static int relay_map(struct external *x, struct vfuser_msg *msg, const uint8_t *answer, uint32_t size,
		     struct refusal *why)
{
	int err;

	(void)size;
	if (answer)
		return 0;
	err = vfuser_dma_map(x->server, msg, why);
	if (err)
		return err;
	err = external_window_add(x, msg);
	if (err) {
		refuse(why, "", "no memory for a window");
		vfuser_window_drop(x->server, get_le64(msg->payload + VFIO_USER_MAP_ADDRESS));
		return err;
	}
	return in_progress(external_window_ask(x, &x->windows[x->window_count - 1]));
}

/* The function did not take it: the client must not think that it did. */
static void undo_map(struct external *x, const struct vfuser_msg *msg)
{
	uint64_t address = get_le64(msg->payload + VFIO_USER_MAP_ADDRESS);
	struct external_window window;

	external_window_take(x, address, address, &window);
	vfuser_window_drop(x->server, address);
}

/* The function forgets it first, then the domain. */
static int relay_unmap(struct external *x, struct vfuser_msg *msg, const uint8_t *answer, uint32_t size,
		       struct refusal *why)
{
	uint32_t flags = get_le32(msg->payload + VFIO_USER_UNMAP_FLAGS);
	uint64_t address = get_le64(msg->payload + VFIO_USER_UNMAP_ADDRESS);
	uint64_t bytes = get_le64(msg->payload + VFIO_USER_UNMAP_BYTES);
	bool all = flags == VFIO_USER_UNMAP_ALL && address == 0 && bytes == 0;
	uint64_t last = all ? UINT64_MAX : address + (bytes - 1);
	uint8_t payload[VFIO_USER_UNMAP_SIZE] = { VFIO_USER_UNMAP_SIZE };
	struct external_window window;

	(void)answer, (void)size;
	/* What cannot be is refused there. */
	if ((!all && (flags || bytes == 0 || last < address)) || external_window_cut(x, address, last))
		return vfuser_dma_unmap(x->server, msg, why);
	while (external_window_take(x, address, last, &window)) {
		int err;

		put_le64(payload + VFIO_USER_UNMAP_ADDRESS, window.address);
		put_le64(payload + VFIO_USER_UNMAP_BYTES, window.size);
		err = external_ask(x, VFIO_USER_DMA_UNMAP, payload, sizeof payload, NULL, 0, 0);
		if (!err)
			return -EINPROGRESS;
	}
	return vfuser_dma_unmap(x->server, msg, why);
}

static int relay_irqs(struct external *x, struct vfuser_msg *msg, const uint8_t *answer, uint32_t size,
		      struct refusal *why)
{
	int done;

	(void)size;
	if (!answer) {
		int err = external_irqs_check(x, msg, why);

		if (err)
			return err;
	} else if (!msg->fd_count || x->part >= msg->fd_count) {
		external_irqs_keep(x, msg);
		return 0;
	}
	done = external_irqs_ask(x, msg, x->part);
	if (done < 0)
		return done;
	x->part += (uint32_t)done - 1; /* one is counted with the answer */
	return -EINPROGRESS;
}

static int relay_reset(struct external *x, struct vfuser_msg *msg, const uint8_t *answer, uint32_t size,
		       struct refusal *why)
{
	const struct vfio_user_import_facts *facts = vfio_user_import_facts(x->import);

	(void)msg, (void)size;
	if (!facts || !(facts->flags & VFIO_USER_INFO_RESET)) {
		refuse(why, "", "the device cannot be reset");
		return -ENOTSUP;
	}
	if (!answer)
		return in_progress(external_ask(x, VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0, 0));
	external_config_reset(x);
	refresh(x, 0, SPEC_PCI_HEADER_SIZE);
	return 0;
}

/* Its answer as it is. */
static int relay_verbatim(struct external *x, struct vfuser_msg *msg, const uint8_t *answer, uint32_t size,
			  struct refusal *why)
{
	(void)why;
	if (!answer)
		return in_progress(external_ask(x, (enum vfio_user_command)msg->header.command, msg->payload,
						msg->header.payload, NULL, 0, 0));
	memcpy(msg->reply, answer, size);
	msg->size = size;
	return 0;
}

/* What goes through us alone is logged here. */
static int relay_feature(struct external *x, struct vfuser_msg *msg, const uint8_t *answer, uint32_t size,
			 struct refusal *why)
{
	uint32_t index = get_le32(msg->payload + VFIO_USER_FEATURE_FLAGS) & VFIO_USER_FEATURE_INDEX;
	bool logs = index == VFIO_USER_FEATURE_LOG_START || index == VFIO_USER_FEATURE_LOG_STOP ||
		    index == VFIO_USER_FEATURE_LOG_REPORT;

	if (logs && vfio_user_import_trust(x->import) == VFIO_USER_IMPORT_GUARDED)
		return vfuser_feature(x->server, msg, why);
	return relay_verbatim(x, msg, answer, size, why);
}

static relay_fn *const relays[VFIO_USER_COMMANDS] = {
	[VFIO_USER_DMA_MAP] = relay_map,
	[VFIO_USER_DMA_UNMAP] = relay_unmap,
	[VFIO_USER_DEVICE_SET_IRQS] = relay_irqs,
	[VFIO_USER_REGION_READ] = relay_read,
	[VFIO_USER_REGION_WRITE] = relay_write,
	[VFIO_USER_REGION_WRITE_MULTI] = relay_multi,
	[VFIO_USER_DEVICE_RESET] = relay_reset,
	[VFIO_USER_DEVICE_FEATURE] = relay_feature,
	[VFIO_USER_MIG_DATA_READ] = relay_verbatim,
	[VFIO_USER_MIG_DATA_WRITE] = relay_verbatim,
};

/* What a client is answered when the function does not: an access ends all the same, what is granted is kept for
 * its return, and nothing else would be true. */
static int end_lost(struct external *x, struct vfuser_msg *msg, struct refusal *why)
{
	struct access a;

	switch (msg->header.command) {
	case VFIO_USER_REGION_READ:
		a = access_at(msg->payload);
		x->aborted++;
		memcpy(msg->reply, msg->payload, VFIO_USER_ACCESS_SIZE);
		memset(msg->reply + VFIO_USER_ACCESS_SIZE, 0xff, a.count);
		msg->size = VFIO_USER_ACCESS_SIZE + a.count;
		return 0;
	case VFIO_USER_REGION_WRITE:
		x->aborted++;
		memcpy(msg->reply, msg->payload, VFIO_USER_ACCESS_SIZE);
		msg->size = VFIO_USER_ACCESS_SIZE;
		return 0;
	case VFIO_USER_REGION_WRITE_MULTI:
		x->aborted++;
		memcpy(msg->reply, msg->payload, VFIO_USER_MULTI_FIRST);
		msg->size = VFIO_USER_MULTI_FIRST;
		return 0;
	case VFIO_USER_DMA_UNMAP:
		return relay_unmap(x, msg, msg->payload, 0, why); /* of those that are left nobody is told */
	case VFIO_USER_DEVICE_SET_IRQS:
		external_irqs_keep(x, msg);
		return 0;
	case VFIO_USER_DEVICE_RESET:
	case VFIO_USER_DMA_MAP:
		return 0;
	default:
		refuse(why, "", "the device is away");
		return -ENODEV;
	}
}

/* Goes on with the command: as external_serve(). */
static int carry_on(struct external *x, struct vfuser_msg *msg, const uint8_t *answer, uint32_t size,
		    struct refusal *why)
{
	int err = relays[msg->header.command](x, msg, answer, size, why);

	/* It could not be asked; checks come first, so that what is wrong is refused all the same. */
	if (err == -ENODEV)
		err = end_lost(x, msg, why);
	return err;
}

static void finish(struct external *x, int err)
{
	struct vfuser_msg *msg = x->msg;

	x->msg = NULL;
	vfuser_later_answer(x->server, err, msg->reply, err ? 0 : msg->size);
}

static void on_part(void *owner, int err, const uint8_t *payload, uint32_t size)
{
	static const uint8_t nothing[1];
	struct external *x = owner;
	struct vfuser_msg *msg = x->msg;
	struct refusal why = { 0 };

	if (!msg)
		return;
	msg->reply = x->scratch;
	msg->size = 0;
	x->part++;
	if (!external_is_there(x))
		err = end_lost(x, msg, &why);
	else if (err && msg->header.command == VFIO_USER_DMA_UNMAP)
		err = carry_on(x, msg, nothing, 0, &why); /* it must do without what it refuses to give back */
	else if (!err)
		err = carry_on(x, msg, payload ? payload : nothing, size, &why);
	else if (msg->header.command == VFIO_USER_DMA_MAP)
		undo_map(x, msg);
	if (err != -EINPROGRESS)
		finish(x, err);
}

int external_ask(struct external *x, enum vfio_user_command command, const uint8_t *payload, uint32_t size,
		 const int *fds, unsigned fd_count, uint32_t least)
{
	const struct vfio_user_import_question question = {
		.command = command, .payload = payload, .size = size, .fds = fds, .fd_count = fd_count,
		.least = least, .done = on_part, .owner = x,
	};

	return external_is_there(x) ? vfio_user_import_ask(x->import, &question) : -ENODEV;
}

/* What the function needs it needs through us, too. */
static enum vfio_user_reach external_reach(const struct external *x)
{
	const struct vfio_user_import_facts *facts = vfio_user_import_facts(x->import);

	return facts && facts->limits.needs_fds ? VFIO_USER_NEEDS_FDS : VFIO_USER_REACHES_ALL;
}

int external_serve(void *owner, struct vfuser_msg *msg, struct refusal *why)
{
	struct external *x = owner;
	int err;

	must(!x->msg);
	switch (msg->header.command) {
	case VFIO_USER_VERSION:
		x->server->conf.reach = external_reach(x);
		return vfuser_version(x->server, msg, why);
	default:
		if (vfio_user_import_renewing(x->import))
			return -EAGAIN; /* what it was for the client before means nothing */
	}
	switch (msg->header.command) {
	case VFIO_USER_DEVICE_GET_INFO:
		return external_info(x, msg, why);
	case VFIO_USER_DEVICE_GET_REGION_INFO:
		return external_region_info(x, msg, why);
	case VFIO_USER_DEVICE_GET_IRQ_INFO:
		return external_irq_info(x, msg, why);
	case VFIO_USER_DEVICE_GET_REGION_IO_FDS:
		return external_io_fds(x, msg, why);
	}
	must(relays[msg->header.command] != NULL); /* those that clients can send were held against theirs */
	x->part = 0;
	err = carry_on(x, msg, NULL, 0, why);
	if (err == -EINPROGRESS)
		x->msg = msg;
	return err;
}
