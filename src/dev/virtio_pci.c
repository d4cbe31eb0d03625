/* virtio over PCI: the registers, and what writing them does. */
#include "dev/virtio_pci_internal.h"
#include "base/bytes.h"
#include "pcie/kinds.h"
#include "spec/pcie_virtio.h"
#include "spec/virtio.h"

#include <errno.h>
#include <string.h>

enum {
	/* where a packed ring begins: index 0, wrap counters 1; virtio 1.2 section 2.8.1 */
	PACKED_BASE = 1 << 15,
};

#define BIT(n) (UINT64_C(1) << (n))

static struct virtio_pci *of(struct pci_function *function)
{
	return container_of(function, struct virtio_pci, function);
}

/* The queue that is selected, or NULL. */
static struct virtio_pci_queue *selected(struct virtio_pci *p)
{
	return p->queue_select < virtio_pci_queues(p) ? &p->queues[p->queue_select] : NULL;
}

static const struct virtio_pci *of_const(const struct pci_function *function)
{
	return (const struct virtio_pci *)(const void *)function;
}

/* Queues. */

static uint32_t first_base(const struct virtio_pci *p)
{
	uint64_t features = p->device->ops->accepted(p->device);

	return features >> VIRTIO_F_RING_PACKED & 1 ? PACKED_BASE | (uint32_t)PACKED_BASE << 16 : 0;
}

/* Rings are read only by a bus master. */
static bool is_live(const struct virtio_pci *p)
{
	return (p->status & SPEC_VIRTIO_STATUS_DRIVER_OK) && !p->quiesced &&
	       pci_function_masters(&p->function);
}

/* Starts an enabled queue.  One that is impossible stays stopped, and the driver is told: it
 * needs a reset. */
static void start(struct virtio_pci *p, unsigned index)
{
	struct virtio_pci_queue *q = &p->queues[index];
	const struct virtio_ring_conf conf = { .size = q->size,
					       .desc = q->desc,
					       .driver = q->driver,
					       .device = q->device,
					       .base = q->base };
	const struct virtio_device_ops *ops = p->device->ops;
	struct refusal why;

	ops->ring_set_call(p->device, index, true);
	if (ops->ring_start(p->device, index, &conf, &why) == 0)
		ops->ring_enable(p->device, index, true);
	else
		p->status |= SPEC_VIRTIO_STATUS_NEEDS_RESET;
}

static void start_all(struct virtio_pci *p)
{
	for (unsigned i = 0; is_live(p) && i < virtio_pci_queues(p); i++) {
		if (p->queues[i].enabled && !p->device->ops->ring_runs(p->device, i))
			start(p, i);
	}
	p->function.host.wake(p->function.host.owner);
}

static void stop(struct virtio_pci *p, unsigned index)
{
	if (p->device->ops->ring_runs(p->device, index))
		p->queues[index].base = p->device->ops->ring_stop(p->device, index);
}

/* A driver that is ready and has not rung may be one that never does: 2.9 asks for notifications, but not
 * every client sends them. */
void virtio_pci_note_polled(struct virtio_pci *p)
{
	p->device->ops->front(p->device)->polled =
		(p->status & SPEC_VIRTIO_STATUS_DRIVER_OK) && !p->kicked;
}

void virtio_pci_reset(struct virtio_pci *p)
{
	p->device->ops->reset(p->device);
	p->device_select = p->driver_select = 0;
	p->driver_features = 0;
	p->status = 0;
	p->told_stopped = p->kicked = false; /* who made it quiet lets it go on */
	virtio_pci_note_polled(p);
	p->isr = 0;
	p->config_vector = SPEC_VIRTIO_NO_VECTOR;
	p->queue_select = 0;
	for (unsigned i = 0; i < virtio_pci_queues(p); i++)
		p->queues[i] = (struct virtio_pci_queue){ .size = p->device->ops->ring_max,
							  .vector = SPEC_VIRTIO_NO_VECTOR };
}

/* Interrupts: 4.1.5.1.3, 4.1.5.1.4. */

static void raise(struct virtio_pci *p, uint16_t vector, uint8_t reason)
{
	p->isr |= reason;
	if (vector != SPEC_VIRTIO_NO_VECTOR)
		pci_function_interrupt(&p->function, vector);
	else
		pci_function_intx(&p->function); /* 4.1.4.5: when MSI-X is off */
}

static bool wants_intx(struct pci_function *function)
{
	return of(function)->isr != 0;
}

static void on_interrupt(void *owner, unsigned queue)
{
	struct virtio_pci *p = owner;

	if (queue < virtio_pci_queues(p))
		raise(p, p->queues[queue].vector, SPEC_VIRTIO_ISR_QUEUE);
}

static void on_config_changed(void *owner)
{
	struct virtio_pci *p = owner;

	p->generation++;
	if (p->status & SPEC_VIRTIO_STATUS_DRIVER_OK)
		raise(p, p->config_vector, SPEC_VIRTIO_ISR_CONFIG);
}

struct virtio_host virtio_pci_host(struct virtio_pci *p)
{
	return (struct virtio_host){ .interrupt = on_interrupt,
				     .config_changed = on_config_changed,
				     .owner = p };
}

/* The common configuration. */

static uint64_t half(uint64_t value, uint32_t select)
{
	return select > 1 ? 0 : (uint32_t)(value >> select * 32);
}

/* 2.1.2: a device that met an error it cannot recover from says so in its status. */
static uint8_t status_of(const struct virtio_pci *p)
{
	bool broken = (p->status & SPEC_VIRTIO_STATUS_DRIVER_OK) &&
		      p->device->ops->stopped(p->device)[0] != '\0';

	return (uint8_t)(p->status | (broken ? SPEC_VIRTIO_STATUS_NEEDS_RESET : 0));
}

static void lay_common(struct virtio_pci *p, uint8_t *regs)
{
	const struct virtio_pci_queue *q = selected(p);
	uint64_t offered = p->device->ops->features(p->device);

	memset(regs, 0, SPEC_VIRTIO_COMMON_BYTES);
	put_le32(regs + SPEC_VIRTIO_COMMON_DEVICE_SELECT, p->device_select);
	put_le32(regs + SPEC_VIRTIO_COMMON_DEVICE_FEATURE,
		 (uint32_t)half(offered, p->device_select));
	put_le32(regs + SPEC_VIRTIO_COMMON_DRIVER_SELECT, p->driver_select);
	put_le32(regs + SPEC_VIRTIO_COMMON_DRIVER_FEATURE,
		 (uint32_t)half(p->driver_features, p->driver_select));
	put_le16(regs + SPEC_VIRTIO_COMMON_CONFIG_VECTOR, p->config_vector);
	put_le16(regs + SPEC_VIRTIO_COMMON_NUM_QUEUES, (uint16_t)virtio_pci_queues(p));
	regs[SPEC_VIRTIO_COMMON_STATUS] = status_of(p);
	regs[SPEC_VIRTIO_COMMON_GENERATION] = p->generation;
	put_le16(regs + SPEC_VIRTIO_COMMON_QUEUE_SELECT, p->queue_select);
	put_le16(regs + SPEC_VIRTIO_COMMON_QUEUE_VECTOR, SPEC_VIRTIO_NO_VECTOR);
	if (!q)
		return; /* 4.1.4.3.1: queue_size 0, there is no such queue */
	put_le16(regs + SPEC_VIRTIO_COMMON_QUEUE_SIZE, q->size);
	put_le16(regs + SPEC_VIRTIO_COMMON_QUEUE_VECTOR, q->vector);
	put_le16(regs + SPEC_VIRTIO_COMMON_QUEUE_ENABLE, q->enabled);
	put_le16(regs + SPEC_VIRTIO_COMMON_QUEUE_NOTIFY, p->queue_select);
	put_le64(regs + SPEC_VIRTIO_COMMON_QUEUE_DESC, q->desc);
	put_le64(regs + SPEC_VIRTIO_COMMON_QUEUE_DRIVER, q->driver);
	put_le64(regs + SPEC_VIRTIO_COMMON_QUEUE_DEVICE, q->device);
}

static void write_status(struct virtio_pci *p, uint8_t value)
{
	uint8_t added = value & (uint8_t)~p->status;

	if (value == 0) {
		virtio_pci_reset(p);
		return;
	}
	if (added & SPEC_VIRTIO_STATUS_FEATURES_OK &&
	    p->device->ops->accept(p->device, p->driver_features) != 0)
		value &= (uint8_t)~SPEC_VIRTIO_STATUS_FEATURES_OK; /* 2.2.2: it sees that */
	/* bits are only added, and one of them is the device's own */
	p->status |= value & (uint8_t)~SPEC_VIRTIO_STATUS_NEEDS_RESET;
	if (added & SPEC_VIRTIO_STATUS_DRIVER_OK) {
		for (unsigned i = 0; i < virtio_pci_queues(p); i++)
			p->queues[i].base = first_base(p);
		virtio_pci_note_polled(p);
		start_all(p);
	}
}

/* 4.1.5.1.2: a vector that there is not reads back as none. */
uint16_t virtio_pci_vector(const struct virtio_pci *p, uint16_t vector)
{
	return vector < p->function.vectors ? vector : SPEC_VIRTIO_NO_VECTOR;
}

static void write_feature(struct virtio_pci *p, uint32_t value)
{
	unsigned shift = p->driver_select * 32;

	if (p->driver_select > 1 || p->status & SPEC_VIRTIO_STATUS_FEATURES_OK)
		return;
	p->driver_features = (p->driver_features & ~((uint64_t)UINT32_MAX << shift)) |
			     (uint64_t)value << shift;
}

static void write_size(struct virtio_pci *p, struct virtio_pci_queue *q, uint16_t size)
{
	bool packed = p->device->ops->accepted(p->device) >> VIRTIO_F_RING_PACKED & 1;

	if (!q->enabled && size && size <= p->device->ops->ring_max &&
	    (packed || is_power_of_two(size)))
		q->size = size;
}

static void write_enable(struct virtio_pci *p, struct virtio_pci_queue *q, uint16_t value)
{
	unsigned index = (unsigned)(q - p->queues);

	q->enabled = value == 1;
	if (!q->enabled) {
		stop(p, index);
	} else if (is_live(p) && !p->device->ops->ring_runs(p->device, index)) {
		q->base = first_base(p);
		start(p, index);
		p->function.host.wake(p->function.host.owner);
	}
}

/* Half of an address, or all of it. */
static void write_address(struct virtio_pci_queue *q, uint32_t offset, uint32_t size,
			  const uint8_t *from)
{
	uint64_t *const addresses[] = { &q->desc, &q->driver, &q->device };
	uint64_t *address = addresses[(offset - SPEC_VIRTIO_COMMON_QUEUE_DESC) / 8];
	uint8_t bytes[8];

	if (q->enabled || offset % 8 + size > sizeof bytes)
		return;
	put_le64(bytes, *address);
	memcpy(bytes + offset % 8, from, size);
	*address = get_le64(bytes);
}

static void write_queue(struct virtio_pci *p, uint32_t offset, uint32_t size, const uint8_t *from)
{
	struct virtio_pci_queue *q = selected(p);
	uint16_t value = size >= 2 ? get_le16(from) : from[0];

	if (!q)
		return;
	if (offset == SPEC_VIRTIO_COMMON_QUEUE_SIZE)
		write_size(p, q, value);
	else if (offset == SPEC_VIRTIO_COMMON_QUEUE_VECTOR)
		q->vector = virtio_pci_vector(p, value);
	else if (offset == SPEC_VIRTIO_COMMON_QUEUE_ENABLE)
		write_enable(p, q, value);
	else if (offset >= SPEC_VIRTIO_COMMON_QUEUE_DESC && offset < SPEC_VIRTIO_COMMON_BYTES)
		write_address(q, offset, size, from);
}

/* 4.1.3.1: a driver writes each field with an access of its width; one of eight bytes may come as
 * two of four.  Any other access changes nothing. */
static void write_common(struct virtio_pci *p, uint32_t offset, uint32_t size, const uint8_t *from)
{
	if (offset >= SPEC_VIRTIO_COMMON_QUEUE_DESC) {
		if ((size == 4 || size == 8) && offset % size == 0)
			write_queue(p, offset, size, from);
	} else if (size == 4 && offset == SPEC_VIRTIO_COMMON_DEVICE_SELECT) {
		p->device_select = get_le32(from);
	} else if (size == 4 && offset == SPEC_VIRTIO_COMMON_DRIVER_SELECT) {
		p->driver_select = get_le32(from);
	} else if (size == 4 && offset == SPEC_VIRTIO_COMMON_DRIVER_FEATURE) {
		write_feature(p, get_le32(from));
	} else if (size == 1 && offset == SPEC_VIRTIO_COMMON_STATUS) {
		write_status(p, from[0]);
	} else if (size == 2 && offset == SPEC_VIRTIO_COMMON_CONFIG_VECTOR) {
		p->config_vector = virtio_pci_vector(p, get_le16(from));
	} else if (size == 2 && offset == SPEC_VIRTIO_COMMON_QUEUE_SELECT) {
		p->queue_select = get_le16(from);
	} else if (size == 2 && offset > SPEC_VIRTIO_COMMON_QUEUE_SELECT) {
		write_queue(p, offset, size, from);
	}
}

/* The BAR. */

static void rang(struct virtio_pci *p, unsigned queue)
{
	if (queue >= virtio_pci_queues(p))
		return;
	p->kicked = true;
	virtio_pci_note_polled(p);
	p->device->ops->kicked(p->device, queue);
	p->function.host.wake(p->function.host.owner);
}

/* Copies what an access has in common with registers of 'bytes' bytes; the rest reads 0. */
static void copy_out(const uint8_t *regs, uint64_t bytes, uint64_t offset, uint32_t size,
		     uint8_t *to)
{
	memset(to, 0, size);
	if (offset < bytes)
		memcpy(to, regs + offset, min_u64(size, bytes - offset));
}

static void read_bar(struct pci_function *function, unsigned region, uint64_t offset, uint32_t size,
		     uint8_t *to)
{
	struct virtio_pci *p = of(function);
	uint8_t regs[SPEC_VIRTIO_COMMON_BYTES];

	if (region != PCIE_KINDS_VIRTIO_BAR || offset >= PCIE_KINDS_NOTIFY_AT) {
		memset(to, 0, size);
	} else if (offset >= PCIE_KINDS_DEVICE_AT) {
		p->device->ops->config_read(p->device, (uint32_t)(offset - PCIE_KINDS_DEVICE_AT),
					    size, to);
	} else if (offset >= PCIE_KINDS_ISR_AT) {
		copy_out(&p->isr, 1, offset - PCIE_KINDS_ISR_AT, size, to);
		if (offset == PCIE_KINDS_ISR_AT)
			p->isr = 0; /* 4.1.4.5: reading clears it */
	} else {
		lay_common(p, regs);
		copy_out(regs, sizeof regs, offset, size, to);
	}
}

static void write_bar(struct pci_function *function, unsigned region, uint64_t offset,
		      uint32_t size, const uint8_t *from)
{
	struct virtio_pci *p = of(function);

	if (region != PCIE_KINDS_VIRTIO_BAR)
		return;
	if (offset >= PCIE_KINDS_NOTIFY_AT)
		rang(p, (unsigned)(offset - PCIE_KINDS_NOTIFY_AT) / PCIE_KINDS_NOTIFY_STRIDE);
	else if (offset >= PCIE_KINDS_DEVICE_AT)
		(void)p->device->ops->config_write(
			p->device, (uint32_t)(offset - PCIE_KINDS_DEVICE_AT), size, from);
	else if (offset < SPEC_VIRTIO_COMMON_BYTES && size <= SPEC_VIRTIO_COMMON_BYTES - offset)
		write_common(p, (uint32_t)offset, size, from);
}

/* The window in configuration space; 4.1.4.9.1: the driver sets bar, offset and length, and then
 * accesses pci_cfg_data.  True when that leads to registers. */
static bool window(struct virtio_pci *p, unsigned offset, uint64_t *at, uint32_t *size)
{
	const struct pcie_kind *kind = p->function.device.kind;
	unsigned base = pcie_kind_at(kind, PCIE_CAP_VIRTIO_PCI, 0);
	uint32_t bar = cfg_read(&p->function.space, base + SPEC_VIRTIO_CAP_BAR, 1);

	*at = cfg_read(&p->function.space, base + SPEC_VIRTIO_CAP_OFFSET, 4);
	*size = cfg_read(&p->function.space, base + SPEC_VIRTIO_CAP_SIZE, 4);
	return offset / 4 == (base + SPEC_VIRTIO_CAP_PCI_DATA) / 4 &&
	       bar == PCIE_KINDS_VIRTIO_BAR && (*size == 1 || *size == 2 || *size == 4) &&
	       *at % *size == 0 && *at <= PCIE_KINDS_VIRTIO_BYTES - *size;
}

static unsigned window_data(const struct virtio_pci *p)
{
	return pcie_kind_at(p->function.device.kind, PCIE_CAP_VIRTIO_PCI, SPEC_VIRTIO_CAP_PCI_DATA);
}

static void config_reads(struct pci_function *function, unsigned offset, unsigned size)
{
	struct virtio_pci *p = of(function);
	uint8_t bytes[4] = { 0 };
	uint32_t length;
	uint64_t at;

	(void)size;
	if (!window(p, offset, &at, &length))
		return;
	read_bar(function, PCIE_KINDS_VIRTIO_BAR, at, length, bytes);
	cfg_set(&function->space, window_data(p), 4, UINT32_MAX, get_le32(bytes));
}

static void config_wrote(struct pci_function *function, unsigned offset, unsigned size)
{
	struct virtio_pci *p = of(function);
	uint8_t bytes[4];
	uint32_t length;
	uint64_t at;

	(void)size;
	if (!window(p, offset, &at, &length))
		return;
	put_le32(bytes, cfg_read(&function->space, window_data(p), 4));
	write_bar(function, PCIE_KINDS_VIRTIO_BAR, at, length, bytes);
}

/* Life. */

static void on_reset(struct pci_function *function, enum pci_reset kind)
{
	(void)kind;
	virtio_pci_reset(of(function));
}

static void on_rung(struct pci_function *function, unsigned doorbell)
{
	rang(of(function), doorbell);
}

static void stop_all(struct virtio_pci *p)
{
	for (unsigned i = 0; i < virtio_pci_queues(p); i++)
		stop(p, i);
}

/* A function that is stopped sends no interrupt: that of the requests which ended last may be owed. */
static void go_on(struct virtio_pci *p)
{
	start_all(p);
	for (unsigned i = 0; is_live(p) && i < virtio_pci_queues(p); i++)
		if (p->device->ops->ring_runs(p->device, i))
			raise(p, p->queues[i].vector, SPEC_VIRTIO_ISR_QUEUE);
}

static void on_event(struct pci_function *function, enum pcie_event event)
{
	if (event == PCIE_BUS_MASTER_OFF || event == PCIE_SLEPT)
		stop_all(of(function));
	else if (event == PCIE_BUS_MASTER_ON || event == PCIE_WOKE)
		go_on(of(function));
}

static void quiesce(struct pci_function *function)
{
	struct virtio_pci *p = of(function);

	p->quiesced = true;
	p->device->ops->pause(p->device, VIRTIO_PAUSED);
}

static unsigned busy(const struct pci_function *function)
{
	const struct virtio_pci *p = of_const(function);

	return p->device->ops->busy(p->device);
}

static void resume(struct pci_function *function)
{
	struct virtio_pci *p = of(function);

	p->quiesced = false;
	p->device->ops->pause(p->device, VIRTIO_RUNS);
	start_all(p);
}

/* 2.4: a reset has ended when the status reads 0, so it waits as those of configuration space do.  The window
 * is waited for whatever is written there. */
static bool stops(const struct pci_function *function, unsigned region, uint64_t offset, uint32_t size,
		  const uint8_t *from)
{
	const struct virtio_pci *p = of_const(function);
	bool enabled = p->queue_select < virtio_pci_queues(p) && p->queues[p->queue_select].enabled;
	uint64_t data = window_data(p);

	if (region == PCI_REGION_CONFIG)
		return offset < data + 4 && data < offset + size;
	if (region != PCIE_KINDS_VIRTIO_BAR)
		return false;
	if (offset == SPEC_VIRTIO_COMMON_STATUS && size == 1)
		return from[0] == 0 && p->status;
	return offset == SPEC_VIRTIO_COMMON_QUEUE_ENABLE && size == 2 && enabled && get_le16(from) != 1;
}

static const struct pci_function_ops ops = {
	.name = "virtio",
	.stops = stops,
	.read = read_bar,
	.write = write_bar,
	.config_reads = config_reads,
	.wants_intx = wants_intx,
	.config_wrote = config_wrote,
	.event = on_event,
	.reset = on_reset,
	.rung = on_rung,
	.quiesce = quiesce,
	.busy = busy,
	.resume = resume,
	.save = virtio_pci_save,
	.load = virtio_pci_load,
};

void virtio_pci_look(struct virtio_pci *p)
{
	if (p->told_stopped || !(status_of(p) & SPEC_VIRTIO_STATUS_NEEDS_RESET))
		return;
	p->told_stopped = true;
	on_config_changed(p);
}

int virtio_pci_init(struct virtio_pci *p, const struct virtio_pci_conf *conf)
{
	struct pci_function_conf function = {
		.ops = &ops,
		.kind = conf->kind,
		.serial = conf->serial,
		.vectors = conf->vectors,
		.table_region = PCIE_KINDS_MSIX_BAR,
		.pba_region = PCIE_KINDS_MSIX_BAR,
		.table_first = PCIE_KINDS_TABLE_AT,
		.pba_first = PCIE_KINDS_PBA_AT,
		.doorbells = { .region = PCIE_KINDS_VIRTIO_BAR,
			       .first = PCIE_KINDS_NOTIFY_AT,
			       .stride = PCIE_KINDS_NOTIFY_STRIDE,
			       .size = 2 },
		.dma = conf->dma,
		.domain_or_null = conf->domain_or_null,
		.host = conf->host,
	};
	unsigned queues = conf->device->ops->queues(conf->device);
	int err;

	memset(p, 0, sizeof *p);
	p->device = conf->device;
	if (queues > VIRTIO_PCI_QUEUES_MAX || !pcie_kind_has(conf->kind, PCIE_CAP_VIRTIO_PCI))
		return -EINVAL;
	function.doorbells.count = queues;
	function.regions[PCIE_KINDS_VIRTIO_BAR].size = PCIE_KINDS_VIRTIO_BYTES;
	function.regions[PCIE_KINDS_MSIX_BAR].size = PCIE_KINDS_MSIX_BYTES;
	err = pci_function_init(&p->function, &function);
	if (!err)
		virtio_pci_reset(p);
	return err;
}
