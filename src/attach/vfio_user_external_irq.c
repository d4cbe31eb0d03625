/* Interrupts of an imported function: it signals the client's descriptors itself; they are kept as well, so that it
 * gets them again when it returns. */
#include "attach/vfio_user_external.h"

#include "base/bytes.h"
#include "os/patience.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct set {
	uint32_t flags, index, start, count;
};

static struct set set_of(const struct vfuser_msg *msg)
{
	return (struct set){
		.flags = get_le32(msg->payload + VFIO_USER_SET_FLAGS),
		.index = get_le32(msg->payload + VFIO_USER_SET_INDEX),
		.start = get_le32(msg->payload + VFIO_USER_SET_START),
		.count = get_le32(msg->payload + VFIO_USER_SET_COUNT),
	};
}

int external_irqs_check(const struct external *x, const struct vfuser_msg *msg, struct refusal *why)
{
	const struct vfio_user_import_facts *facts = vfio_user_import_facts(x->import);
	const uint32_t known = VFIO_USER_SET_DATA | VFIO_USER_SET_ACTION;
	struct set set = set_of(msg);
	uint32_t there = facts && set.index < VFIO_USER_IRQ_INDEXES ? facts->irqs[set.index].count : 0;

	if (set.flags & ~known || !is_power_of_two(set.flags & VFIO_USER_SET_DATA) ||
	    !is_power_of_two(set.flags & VFIO_USER_SET_ACTION)) {
		refuse(why, "", "interrupts are set with flags 0x%x: one kind of data, one action", set.flags);
		return -EINVAL;
	}
	if (set.index >= VFIO_USER_IRQ_INDEXES || set.start > there || set.count > there - set.start) {
		refuse(why, "", "interrupt index %u has %u interrupts, not %u from %u on", set.index, there,
		       set.count, set.start);
		return -EINVAL;
	}
	if (set.flags & VFIO_USER_SET_DATA_BOOL && set.count > msg->header.payload - VFIO_USER_SET_SIZE) {
		refuse(why, "", "%u interrupts come with %u bytes", set.count,
		       msg->header.payload - VFIO_USER_SET_SIZE);
		return -EINVAL;
	}
	if (msg->fd_count && (!(set.flags & VFIO_USER_SET_DATA_EVENTFD) || msg->fd_count != set.count)) {
		refuse(why, "", "%u interrupts come with %u descriptors", set.count, msg->fd_count);
		return -EINVAL;
	}
	for (unsigned i = 0; i < msg->fd_count; i++)
		if (!vfuser_is_eventfd(msg->fds[i])) {
			refuse(why, "", "descriptor %u for interrupts is not an eventfd", i);
			return -EINVAL;
		}
	return 0;
}

static void write_set(uint8_t *payload, uint32_t flags, uint32_t index, uint32_t start, uint32_t count)
{
	put_le32(payload + VFIO_USER_SET_ARGSZ, VFIO_USER_SET_SIZE);
	put_le32(payload + VFIO_USER_SET_FLAGS, flags);
	put_le32(payload + VFIO_USER_SET_INDEX, index);
	put_le32(payload + VFIO_USER_SET_START, start);
	put_le32(payload + VFIO_USER_SET_COUNT, count);
}

/* Descriptors that go with one message. */
static uint32_t fds_at_once(const struct external *x)
{
	const struct vfio_user_import_facts *facts = vfio_user_import_facts(x->import);

	return min_u32(facts ? facts->limits.fds : 1, VFIO_USER_FDS_MAX);
}

int external_irqs_ask(struct external *x, const struct vfuser_msg *msg, uint32_t done)
{
	struct set set = set_of(msg);
	uint8_t head[VFIO_USER_SET_SIZE];
	uint32_t count = set.count - done;
	int err;

	if (!msg->fd_count) {
		err = external_ask(x, VFIO_USER_DEVICE_SET_IRQS, msg->payload, msg->header.payload, NULL, 0, 0);
		return err ? err : (int)set.count;
	}
	count = min_u32(count, fds_at_once(x));
	write_set(head, set.flags, set.index, set.start + done, count);
	err = external_ask(x, VFIO_USER_DEVICE_SET_IRQS, head, sizeof head, msg->fds + done, count, 0);
	return err ? err : (int)count;
}

static int *vectors_of(struct external *x, unsigned index)
{
	if (!x->vectors[index]) {
		x->vectors[index] = malloc(VFIO_USER_IMPORT_VECTORS * sizeof(int));
		for (unsigned i = 0; x->vectors[index] && i < VFIO_USER_IMPORT_VECTORS; i++)
			x->vectors[index][i] = -1;
	}
	return x->vectors[index];
}

static void keep_one(int *at, int fd)
{
	if (*at >= 0)
		close(*at);
	*at = fd;
}

void external_irqs_keep(struct external *x, struct vfuser_msg *msg)
{
	struct set set = set_of(msg);
	bool all = set.count == 0 && set.flags & VFIO_USER_SET_DATA_NONE;
	int *vectors;

	if (!(set.flags & VFIO_USER_SET_TRIGGER) || (!all && !(set.flags & VFIO_USER_SET_DATA_EVENTFD)))
		return;
	vectors = vectors_of(x, set.index);
	if (!vectors)
		return;
	for (uint32_t i = 0; all && i < VFIO_USER_IMPORT_VECTORS; i++)
		keep_one(&vectors[i], -1);
	for (uint32_t i = 0; i < set.count; i++)
		keep_one(&vectors[set.start + i], msg->fd_count ? vfuser_take_fd(msg, i) : -1);
}

/* As many from 'first' on as are there in a row. */
static uint32_t run_at(const struct external *x, const int *vectors, uint32_t first)
{
	uint32_t count = 0;

	while (count < fds_at_once(x) && first + count < VFIO_USER_IMPORT_VECTORS &&
	       vectors[first + count] >= 0)
		count++;
	return count;
}

int external_irqs_tell(struct external *x)
{
	uint8_t head[VFIO_USER_SET_SIZE];
	int err = 0;

	for (unsigned index = 0; index < VFIO_USER_IRQ_INDEXES; index++) {
		const int *vectors = x->vectors[index];

		for (uint32_t i = 0, count; vectors && !err && i < VFIO_USER_IMPORT_VECTORS;
		     i += count ? count : 1) {
			count = run_at(x, vectors, i);
			if (!count)
				continue;
			write_set(head, VFIO_USER_SET_DATA_EVENTFD | VFIO_USER_SET_TRIGGER, index, i, count);
			err = external_tell(x, VFIO_USER_DEVICE_SET_IRQS, head, sizeof head, vectors + i,
					    count);
		}
	}
	return err;
}

void external_irqs_drop(struct external *x)
{
	for (unsigned index = 0; index < VFIO_USER_IRQ_INDEXES; index++) {
		for (uint32_t i = 0; x->vectors[index] && i < VFIO_USER_IMPORT_VECTORS; i++)
			keep_one(&x->vectors[index][i], -1);
		free(x->vectors[index]);
		x->vectors[index] = NULL;
	}
}

void external_irqs_fail(struct external *x)
{
	const int *vectors = x->vectors[VFIO_USER_IRQ_ERR];
	struct patience patience;
	uint64_t one = 1;

	if (!vectors || vectors[0] < 0)
		return;
	if (patience_begin(&patience) == 0)
		(void)!write(vectors[0], &one, sizeof one);
	patience_end(&patience);
}
