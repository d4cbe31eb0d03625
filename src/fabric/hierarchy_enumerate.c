/* What a host's firmware and operating system do with the functions they find; only configuration
 * accesses, as software has no other way.  PCIe 5.0 sections 7.3, 7.5.1 and 9.2. */
#include "fabric/hierarchy.h"
#include "base/bytes.h"
#include "pcie/header.h"
#include "pcie/sriov.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"
#include "spec/pcie_sriov.h"

enum { BRIDGE_WINDOW_ALIGN = 1 << 20 };

/* Where memory above all RAM of a host begins: 1 TiB. */
#define WINDOWS_FROM (UINT64_C(1) << 40)

static uint32_t get(const struct pcie_device *d, unsigned n, enum pcie_cap cap, unsigned offset,
		    unsigned size)
{
	return pcie_device_read(d, n, pcie_kind_at(pcie_device_kind(d, n), cap, offset), size);
}

static void put(struct pcie_device *d, unsigned n, enum pcie_cap cap, unsigned offset,
		unsigned size, uint32_t value)
{
	pcie_device_write(d, n, pcie_kind_at(pcie_device_kind(d, n), cap, offset), size, value);
}

static uint64_t align_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

/* Sizes one 64-bit BAR by writing ones, and places 'count' of its size at 'next' or after. */
static uint64_t place_bar(struct pcie_device *d, enum pcie_cap cap, unsigned offset,
			  unsigned count, uint64_t next)
{
	put(d, 0, cap, offset, 4, UINT32_MAX);
	put(d, 0, cap, offset + 4, 4, UINT32_MAX);

	uint64_t mask = (uint64_t)get(d, 0, cap, offset + 4, 4) << 32;

	mask |= get(d, 0, cap, offset, 4) & ~(uint32_t)SPEC_PCI_BAR_FLAGS;
	if (!mask)
		return next;

	uint64_t size = ~mask + 1, at = align_up(next, size);

	put(d, 0, cap, offset, 4, (uint32_t)at);
	put(d, 0, cap, offset + 4, 4, (uint32_t)(at >> 32));
	return at + size * count;
}

static uint64_t place_bars(struct pcie_device *d, uint64_t next)
{
	for (unsigned bar = 0; bar < PCIE_BARS_MAX; bar += 2)
		next = place_bar(d, PCIE_HEADER, SPEC_PCI_BAR0 + bar * 4, 1, next);
	if (!d->total_vfs)
		return next;
	for (unsigned bar = 0; bar < PCIE_BARS_MAX; bar += 2)
		next = place_bar(d, PCIE_CAP_SRIOV, SPEC_SRIOV_VF_BAR0 + bar * 4, d->total_vfs,
				 next);
	return next;
}

/* Turns on what an operating system with an IOMMU wants of a function: redirection upstream. */
static void turn_on(struct pcie_device *d, unsigned n)
{
	put(d, n, PCIE_HEADER, SPEC_PCI_COMMAND, 2,
	    SPEC_PCI_COMMAND_MEMORY | SPEC_PCI_COMMAND_MASTER);
	put(d, n, PCIE_CAP_ACS, SPEC_ACS_CONTROL, 2,
	    SPEC_ACS_SOURCE_VALIDATION | SPEC_ACS_REQUEST_REDIRECT |
		    SPEC_ACS_COMPLETION_REDIRECT | SPEC_ACS_UPSTREAM_FORWARDING);
}

/* Enables all VFs.  Returns the bus numbers that the device takes. */
static unsigned enable_vfs(struct hierarchy *h, unsigned card, struct pcie_device *d)
{
	struct pcie_sriov_view view;
	unsigned member;

	put(d, 0, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, 2, SPEC_SRIOV_ARI_HIERARCHY);
	put(d, 0, PCIE_CAP_SRIOV, SPEC_SRIOV_NUM_VFS, 2,
	    get(d, 0, PCIE_CAP_SRIOV, SPEC_SRIOV_TOTAL_VFS, 2));
	pcie_sriov_look(&d->functions[0], d->kind, &view);
	put(d, 0, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, 2,
	    SPEC_SRIOV_ARI_HIERARCHY | SPEC_SRIOV_VF_MEMORY | SPEC_SRIOV_VF_ENABLE);
	for (unsigned vf = 1; vf <= d->vf_count; vf++)
		if (hierarchy_user(&h->conf, card, vf, &member) >= 0)
			turn_on(d, vf); /* its driver does that */
	return pcie_sriov_buses(&view);
}

static void open_window(struct hierarchy_port *port)
{
	uint64_t base = port->window, last = port->window_end - 1;
	struct pcie_device *d = &port->bridge;

	if (port->window == port->window_end) { /* a base above the limit forwards nothing */
		base = UINT64_C(0xfff00000);
		last = 0;
	}
	put(d, 0, PCIE_HEADER, SPEC_PCI_PREFETCH_BASE, 2, (uint32_t)(base >> 16) & 0xfff0);
	put(d, 0, PCIE_HEADER, SPEC_PCI_PREFETCH_LIMIT, 2, (uint32_t)(last >> 16) & 0xfff0);
	put(d, 0, PCIE_HEADER, SPEC_PCI_PREFETCH_BASE_UPPER, 4, (uint32_t)(base >> 32));
	put(d, 0, PCIE_HEADER, SPEC_PCI_PREFETCH_LIMIT_UPPER, 4, (uint32_t)(last >> 32));
	put(d, 0, PCIE_HEADER, SPEC_PCI_MEMORY_BASE, 2, 0xfff0);
	put(d, 0, PCIE_HEADER, SPEC_PCI_MEMORY_LIMIT, 2, 0);
	put(d, 0, PCIE_HEADER, SPEC_PCI_IO_BASE, 1, 0xf0);
	put(d, 0, PCIE_HEADER, SPEC_PCI_IO_LIMIT, 1, 0);
}

/* A BAR of any size is decoded as a power of two. */
static uint64_t decoded(uint64_t size)
{
	uint64_t whole = 16;

	while (whole < size)
		whole *= 2;
	return whole;
}

/* What such a host would read of a function that is not ours: its registers, with its 64-bit BARs at addresses of
 * this tree.  Others have none: the windows are beyond them. */
static uint64_t place_external(struct hierarchy_device *d, uint64_t next)
{
	uint32_t *words = d->device.functions[0].word;

	for (unsigned i = 0; i < CFG_WORDS; i++)
		words[i] = d->away ? UINT32_MAX : get_le32(d->import.config + i * 4);
	for (unsigned bar = 0; !d->away && bar < PCIE_BARS_MAX; bar++) {
		uint32_t *word = &words[SPEC_PCI_BAR0 / 4 + bar];
		uint64_t size = d->import.bar_bytes[bar];
		bool wide = size && (*word & 1) == 0 && *word & SPEC_PCI_BAR_64_BIT && bar + 1 < PCIE_BARS_MAX;
		uint64_t at = wide ? align_up(next, decoded(size)) : 0;

		*word = size ? (uint32_t)at | (*word & (*word & 1 ? 3 : SPEC_PCI_BAR_FLAGS)) : 0;
		if (!wide)
			continue;
		words[SPEC_PCI_BAR0 / 4 + ++bar] = (uint32_t)(at >> 32);
		next = at + decoded(size);
	}
	return next;
}

/* Gives the port's devices routing IDs and addresses; opens the port for them. */
static void enumerate_port(struct hierarchy *h, struct hierarchy_port *port, unsigned bus,
			   uint64_t next)
{
	unsigned buses = 1;

	port->secondary = (uint8_t)bus;
	port->window = port->window_end = next;
	for (unsigned i = 0; i < port->device_count; i++) {
		struct pcie_device *d = &port->devices[i].device;

		d->rid = (uint16_t)(bus << 8 | i);
		if (port->devices[i].external) {
			port->window_end = place_external(&port->devices[i], port->window_end);
			continue;
		}
		port->window_end = place_bars(d, port->window_end);
		turn_on(d, 0);
		if (d->total_vfs)
			buses = enable_vfs(h, port->card, d);
	}
	port->window_end = align_up(port->window_end, BRIDGE_WINDOW_ALIGN);
	port->subordinate = (uint8_t)(bus + buses - 1);
	put(&port->bridge, 0, PCIE_HEADER, SPEC_PCI_SECONDARY_BUS, 1, port->secondary);
	put(&port->bridge, 0, PCIE_HEADER, SPEC_PCI_SUBORDINATE_BUS, 1, port->subordinate);
	put(&port->bridge, 0, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL2, 2,
	    SPEC_EXPRESS_ARI_FORWARDING);
	open_window(port);
	turn_on(&port->bridge, 0);
}

void hierarchy_enumerate(struct hierarchy *h)
{
	uint64_t next = WINDOWS_FROM;
	unsigned bus = 1;

	for (unsigned i = 0; i < h->port_count; i++) {
		must(bus + 1 < 256); /* HIERARCHY_PORTS_MAX ports of two buses each fit */
		enumerate_port(h, &h->port[i], bus, next);
		bus = h->port[i].subordinate + 1u;
		next = h->port[i].window_end;
	}
}
