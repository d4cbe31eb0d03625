/* Interrupts: where they go, and who masks them.  There are two kinds: MSI-X, and INTx of functions with a pin, which
 * masks itself when it is signalled; the protocol's other indexes are there with none. */
#include "attach/vfio_user_internal.h"

#include "base/bytes.h"
#include "os/patience.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

unsigned vfuser_irq_count(const struct vfio_user *vf, unsigned index)
{
	if (index == VFIO_USER_IRQ_INTX)
		return pci_function_has_intx(vf->function);
	return index == VFIO_USER_IRQ_MSIX ? vf->function->vectors : 0;
}

uint32_t vfuser_irq_flags(unsigned index)
{
	uint32_t flags = VFIO_USER_IRQ_EVENTFD | VFIO_USER_IRQ_MASKABLE;

	return index == VFIO_USER_IRQ_INTX ? flags | VFIO_USER_IRQ_AUTOMASKED : flags;
}

void vfuser_irqs_init(struct vfio_user *vf)
{
	for (unsigned i = 0; i < PCI_VECTORS_MAX; i++)
		vf->vectors[i] = -1;
	vf->line = -1;
}

static void signal_fd(struct vfio_user *vf, int fd)
{
	uint64_t one = 1;

	/* EAGAIN: it is signalled as often as can be counted.  EINTR: it made us wait. */
	if (write(fd, &one, sizeof one) < 0 && errno == EINTR)
		atomic_store(&vf->blocked, true);
}

void vfuser_interrupt(struct vfio_user *vf, unsigned vector)
{
	struct patience patience;
	int fd;

	must(vector < PCI_VECTORS_MAX || vector == PCI_VECTOR_INTX);
	fd = vector == PCI_VECTOR_INTX ? vf->line : vf->vectors[vector];
	if (fd < 0 || atomic_load(&vf->blocked))
		return;
	if (!vf->own_thread) {
		signal_fd(vf, fd);
		return;
	}
	if (patience_begin(&patience) == 0)
		signal_fd(vf, fd);
	patience_end(&patience);
}

/* Closes outside of the hold what was taken away inside. */
static void set_fds(struct vfio_user *vf, unsigned start, unsigned count, int *fds)
{
	vfuser_hold(vf);
	for (unsigned i = 0; i < count; i++) {
		int old = vf->vectors[start + i];

		vf->vectors[start + i] = fds ? fds[i] : -1;
		if (fds)
			fds[i] = old;
		else if (old >= 0)
			close(old);
	}
	vfuser_release(vf);
	for (unsigned i = 0; fds && i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* The same of INTx: whoever comes is told when there is a reason already. */
void vfuser_line_set(struct vfio_user *vf, int fd)
{
	int old;

	vfuser_hold(vf);
	old = vf->line;
	vf->line = fd;
	pci_function_intx_mask(vf->function, PCI_UNMASKED);
	vfuser_release(vf);
	if (old >= 0)
		close(old);
}

static bool some_routed(const struct vfio_user *vf)
{
	for (unsigned i = 0; i < vf->function->vectors; i++)
		if (vf->vectors[i] >= 0)
			return true;
	return false;
}

static void route(struct vfio_user *vf)
{
	vfuser_hold(vf);
	pci_function_route(vf->function, some_routed(vf) ? PCI_ROUTED : PCI_UNROUTED);
	vfuser_release(vf);
}

void vfuser_irqs_drop(struct vfio_user *vf)
{
	set_fds(vf, 0, vf->function->vectors, NULL);
	route(vf);
	atomic_store(&vf->blocked, false);
}

void vfuser_irqs_drop_all(struct vfio_user *vf)
{
	vfuser_line_set(vf, -1);
	vfuser_irqs_drop(vf);
}

void vfuser_irqs_set(struct vfio_user *vf, int *fds)
{
	set_fds(vf, 0, vf->function->vectors, fds);
	route(vf);
}

bool vfuser_is_eventfd(int fd)
{
	static const char wanted[] = "anon_inode:[eventfd]";
	char name[64], link[64];
	ssize_t n;

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	n = readlink(name, link, sizeof link);
	return n == (ssize_t)strlen(wanted) && memcmp(link, wanted, (size_t)n) == 0;
}

struct irq_set {
	uint32_t flags, index, start, count;
	const uint8_t *wanted; /* DATA_BOOL: a byte each */
};

static int set_eventfds(struct vfio_user *vf, const struct irq_set *set, struct vfuser_msg *msg,
			struct refusal *why)
{
	int fds[VFIO_USER_FDS_MAX];

	if ((set->flags & VFIO_USER_SET_ACTION) != VFIO_USER_SET_TRIGGER) {
		refuse(why, "", "eventfds that mask or unmask are not offered; messages do that");
		return -ENOTSUP;
	}
	if (msg->fd_count && msg->fd_count != set->count) {
		refuse(why, "", "%u interrupts come with %u descriptors", set->count, msg->fd_count);
		return -EINVAL;
	}
	for (unsigned i = 0; i < msg->fd_count; i++)
		if (!vfuser_is_eventfd(msg->fds[i])) {
			refuse(why, "", "descriptor %u for interrupts is not an eventfd", i);
			return -EINVAL;
		}
	for (unsigned i = 0; i < msg->fd_count; i++)
		fds[i] = vfuser_take_fd(msg, i);
	if (set->index == VFIO_USER_IRQ_INTX) {
		if (set->count)
			vfuser_line_set(vf, msg->fd_count ? fds[0] : -1);
		return 0;
	}
	set_fds(vf, set->start, set->count, msg->fd_count ? fds : NULL);
	route(vf);
	return 0;
}

/* Triggering is a test of the way, as VFIO has it: the function knows nothing of it. */
static void act_on_line(struct vfio_user *vf, const struct irq_set *set)
{
	if (set->count == 0 || (set->wanted && !set->wanted[0]))
		return;
	vfuser_hold(vf);
	if (set->flags & VFIO_USER_SET_TRIGGER)
		vfuser_interrupt(vf, PCI_VECTOR_INTX);
	else
		pci_function_intx_mask(vf->function,
				       set->flags & VFIO_USER_SET_MASK ? PCI_MASKED : PCI_UNMASKED);
	vfuser_release(vf);
}

static void act(struct vfio_user *vf, const struct irq_set *set)
{
	vfuser_hold(vf);
	for (unsigned i = 0; i < set->count; i++) {
		if (set->wanted && !set->wanted[i])
			continue;
		if (set->flags & VFIO_USER_SET_TRIGGER)
			vfuser_interrupt(vf, set->start + i);
		else
			pci_function_mask(vf->function, set->start + i,
					  set->flags & VFIO_USER_SET_MASK ? PCI_MASKED : PCI_UNMASKED);
	}
	vfuser_release(vf);
}

static bool is_one_of(uint32_t flags, uint32_t mask)
{
	return is_power_of_two(flags & mask);
}

static int check_set(const struct vfio_user *vf, const struct irq_set *set, const struct vfuser_msg *msg,
		     struct refusal *why)
{
	uint32_t known = VFIO_USER_SET_DATA | VFIO_USER_SET_ACTION;
	unsigned there;

	if (set->flags & ~known || !is_one_of(set->flags, VFIO_USER_SET_DATA) ||
	    !is_one_of(set->flags, VFIO_USER_SET_ACTION)) {
		refuse(why, "", "interrupts are set with flags 0x%x: one kind of data, one action",
		       set->flags);
		return -EINVAL;
	}
	there = set->index < VFIO_USER_IRQ_INDEXES ? vfuser_irq_count(vf, set->index) : 0;
	if (set->index >= VFIO_USER_IRQ_INDEXES || set->start > there || set->count > there - set->start) {
		refuse(why, "", "interrupt index %u has %u interrupts, not %u from %u on", set->index, there,
		       set->count, set->start);
		return -EINVAL;
	}
	if (set->wanted && set->count > msg->header.payload - VFIO_USER_SET_SIZE) {
		refuse(why, "", "%u interrupts come with %u bytes", set->count,
		       msg->header.payload - VFIO_USER_SET_SIZE);
		return -EINVAL;
	}
	return 0;
}

int vfuser_set_irqs(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	struct irq_set set = {
		.flags = get_le32(msg->payload + VFIO_USER_SET_FLAGS),
		.index = get_le32(msg->payload + VFIO_USER_SET_INDEX),
		.start = get_le32(msg->payload + VFIO_USER_SET_START),
		.count = get_le32(msg->payload + VFIO_USER_SET_COUNT),
	};
	int err;

	if (set.flags & VFIO_USER_SET_DATA_BOOL)
		set.wanted = msg->payload + VFIO_USER_SET_SIZE;
	err = check_set(vf, &set, msg, why);
	if (err)
		return err;
	if (set.flags & VFIO_USER_SET_DATA_EVENTFD)
		return set_eventfds(vf, &set, msg, why);
	if (set.count == 0 && set.flags & VFIO_USER_SET_TRIGGER && set.flags & VFIO_USER_SET_DATA_NONE) {
		if (set.index == VFIO_USER_IRQ_MSIX)
			vfuser_irqs_drop(vf);
		if (set.index == VFIO_USER_IRQ_INTX)
			vfuser_line_set(vf, -1);
		return 0;
	}
	if (set.index == VFIO_USER_IRQ_INTX)
		act_on_line(vf, &set);
	else
		act(vf, &set);
	return 0;
}
