#include "dev/pci_internal.h"

#include "base/bytes.h"
#include "pcie/header.h"
#include "spec/pcie.h"

#include <errno.h>
#include <stdatomic.h>

enum { PAGE = 4096, BARS = PCI_REGION_ROM };

uint32_t pci_config(const struct pci_function *f, enum pcie_cap cap, unsigned offset, unsigned size)
{
	return cfg_read(&f->space, pcie_kind_at(f->device.kind, cap, offset), size);
}

bool pci_function_masters(const struct pci_function *f)
{
	return pcie_device_masters(&f->device, 0);
}

/* Resets. */

/* Configuration space has been reset: the rest follows. */
static void reset_rest(struct pci_function *f)
{
	pci_msix_reset(f);
	if (f->ops->reset)
		f->ops->reset(f, f->reset_cause);
	f->reset_cause = PCI_RESET_FUNCTION;
}

static void on_event(void *owner, struct pcie_device *device, unsigned n, enum pcie_event event)
{
	struct pci_function *f = owner;

	(void)device, (void)n;
	if (event == PCIE_FUNCTION_RESET) {
		reset_rest(f);
		return;
	}
	if (f->ops->event)
		f->ops->event(f, event);
	if (event == PCIE_MSIX_CHANGED || event == PCIE_BUS_MASTER_ON || event == PCIE_WOKE)
		pci_msix_settle(f);
}

void pci_function_reset(struct pci_function *f, enum pci_reset kind)
{
	const struct pcie_kind *k = f->device.kind;
	unsigned at;

	f->reset_cause = kind;
	if (kind == PCI_RESET_LOST) {
		f->routed = f->intx_masked = false;
		memset(f->host_masked, 0, sizeof f->host_masked);
	}
	if (kind != PCI_RESET_FUNCTION || !pcie_kind_has(k, PCIE_CAP_EXPRESS)) {
		pcie_device_hot_reset(&f->device);
		return;
	}
	/* As a driver does it: the register reads back 0, so the rest of it is written as it is. */
	at = pcie_kind_at(k, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL);
	pcie_device_write(&f->device, 0, at, 2,
			  cfg_read(&f->space, at, 2) | SPEC_EXPRESS_INITIATE_FLR);
}

/* Power-on. */

static bool bar_fits(const struct pci_function *f, unsigned bar)
{
	const struct pci_region *r = &f->regions[bar];
	uint64_t decoded = bar % 2 ? 0 : pcie_device_bar_size(&f->device, 0, bar);

	if (r->size != decoded)
		return false;
	if (r->mapped_size == 0)
		return true;
	return r->mapped && r->mapped_first % PAGE == 0 && r->mapped_size % PAGE == 0 &&
	       r->mapped_first < r->size && r->mapped_size <= r->size - r->mapped_first;
}

static bool doorbells_fit(const struct pci_function *f)
{
	const struct pci_doorbells *d = &f->doorbells;

	if (d->count == 0)
		return true;
	if (d->region >= BARS || !f->ops->rung || d->count > UINT16_MAX || d->stride < d->size)
		return false;
	if (d->size == 0 || d->size > 8 || !is_power_of_two(d->size))
		return false;
	return d->first < f->regions[d->region].size &&
	       (uint64_t)d->stride * d->count <= f->regions[d->region].size - d->first;
}

static bool regions_fit(const struct pci_function *f)
{
	for (unsigned bar = 0; bar < BARS; bar++)
		if (!bar_fits(f, bar))
			return false;
	return f->regions[PCI_REGION_ROM].size == 0 && pci_msix_fits(f) && doorbells_fit(f);
}

int pci_function_init(struct pci_function *f, const struct pci_function_conf *conf)
{
	const struct pcie_device_conf device = { .kind = conf->kind, .serial = conf->serial,
						 .notify = on_event, .owner = f };

	memset(f, 0, sizeof *f);
	f->ops = conf->ops;
	f->dma = conf->dma;
	f->domain_or_null = conf->domain_or_null;
	f->host = conf->host;
	f->vectors = conf->vectors;
	f->table_region = conf->table_region;
	f->pba_region = conf->pba_region;
	f->table_first = conf->table_first;
	f->pba_first = conf->pba_first;
	f->doorbells = conf->doorbells;
	memcpy(f->regions, conf->regions, BARS * sizeof f->regions[0]);
	f->regions[PCI_REGION_ROM] = conf->regions[PCI_REGION_ROM];
	f->regions[PCI_REGION_CONFIG] = (struct pci_region){ .size = CFG_SIZE };
	pcie_device_init(&f->device, &device, &f->space);
	if (!regions_fit(f))
		return -EINVAL;
	pci_msix_reset(f);
	return 0;
}

/* Accesses. */

/* What lies at an offset of a BAR, and how many bytes of it follow. */
enum piece { PIECE_KIND, PIECE_TABLE, PIECE_PBA, PIECE_MAPPED };

struct span {
	enum piece piece;
	uint64_t first, size; /* of the piece; PIECE_KIND: size is what is left before the next one */
};

static void look_at(struct span *span, uint64_t offset, enum piece piece, uint64_t first, uint64_t size)
{
	if (size == 0)
		return;
	if (offset >= first && offset - first < size)
		*span = (struct span){ piece, first, size };
	else if (offset < first && span->piece == PIECE_KIND)
		span->size = min_u64(span->size, first - span->first);
}

static struct span span_at(const struct pci_function *f, unsigned region, uint64_t offset)
{
	const struct pci_region *r = &f->regions[region];
	struct span span = { PIECE_KIND, offset, r->size - offset };

	look_at(&span, offset, PIECE_MAPPED, r->mapped_first, r->mapped_size);
	if (f->vectors && region == f->table_region)
		look_at(&span, offset, PIECE_TABLE, f->table_first, pci_msix_table_size(f));
	if (f->vectors && region == f->pba_region)
		look_at(&span, offset, PIECE_PBA, f->pba_first, pci_msix_pba_size(f));
	return span;
}

/* Memory that a guest writes meanwhile: a register of 4 or 8 bytes is never seen half. */
static void copy_shared(uint8_t *to, const uint8_t *from, uint32_t size)
{
	if (size == 4 && ((uintptr_t)to | (uintptr_t)from) % 4 == 0)
		atomic_store_explicit((_Atomic uint32_t *)(void *)to,
				      atomic_load_explicit((_Atomic uint32_t *)(uintptr_t)from,
							   memory_order_relaxed),
				      memory_order_relaxed);
	else if (size == 8 && ((uintptr_t)to | (uintptr_t)from) % 8 == 0)
		atomic_store_explicit((_Atomic uint64_t *)(void *)to,
				      atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)from,
							   memory_order_relaxed),
				      memory_order_relaxed);
	else
		memcpy(to, from, size);
}

static void read_piece(struct pci_function *f, unsigned region, const struct span *span,
		       uint64_t offset, uint32_t size, uint8_t *to)
{
	switch (span->piece) {
	case PIECE_TABLE:
		pci_msix_read_table(f, offset - span->first, size, to);
		break;
	case PIECE_PBA:
		pci_msix_read_pba(f, offset - span->first, size, to);
		break;
	case PIECE_MAPPED:
		copy_shared(to, f->regions[region].mapped + (offset - span->first), size);
		break;
	case PIECE_KIND:
		memset(to, 0, size);
		f->ops->read(f, region, offset, size, to);
	}
}

static void write_piece(struct pci_function *f, unsigned region, const struct span *span,
			uint64_t offset, uint32_t size, const uint8_t *from)
{
	switch (span->piece) {
	case PIECE_TABLE:
		pci_msix_write_table(f, offset - span->first, size, from);
		break;
	case PIECE_PBA:
		break; /* 7.7.2.9: software does not write it */
	case PIECE_MAPPED:
		copy_shared(f->regions[region].mapped + (offset - span->first), from, size);
		f->host.wake(f->host.owner);
		break;
	case PIECE_KIND:
		f->ops->write(f, region, offset, size, from);
	}
}

/* Bytes of the aligned access that begins at 'offset' when 'size' are left. */
static uint32_t aligned_size(uint64_t offset, uint32_t size)
{
	if (offset % 4 == 0 && size >= 4)
		return 4;
	return offset % 2 == 0 && size >= 2 ? 2 : 1;
}

static void read_config(struct pci_function *f, uint64_t offset, uint32_t size, uint8_t *to)
{
	for (uint32_t n; size; offset += n, to += n, size -= n) {
		uint8_t bytes[4];

		n = aligned_size(offset, size);
		if (offset / 4 == SPEC_PCI_COMMAND / 4)
			pci_intx_show(f);
		if (f->ops->config_reads)
			f->ops->config_reads(f, (unsigned)offset, n);
		put_le32(bytes, pcie_device_read(&f->device, 0, (unsigned)offset, n));
		memcpy(to, bytes, n);
	}
}

static void write_config(struct pci_function *f, uint64_t offset, uint32_t size, const uint8_t *from)
{
	for (uint32_t n; size; offset += n, from += n, size -= n) {
		uint8_t bytes[4] = { 0 };

		n = aligned_size(offset, size);
		memcpy(bytes, from, n);
		pcie_device_write(&f->device, 0, (unsigned)offset, n, get_le32(bytes));
		if (f->ops->config_wrote)
			f->ops->config_wrote(f, (unsigned)offset, n);
	}
	pci_function_intx(f); /* Interrupt Disable, MSI-X Enable, PowerState */
}

static bool is_access(const struct pci_function *f, unsigned region, uint64_t offset, uint32_t size)
{
	return region < PCI_REGION_COUNT && f->regions[region].size &&
	       offset <= f->regions[region].size && size <= f->regions[region].size - offset;
}

int pci_function_read(struct pci_function *f, unsigned region, uint64_t offset, uint32_t size,
		      uint8_t *to)
{
	if (!is_access(f, region, offset, size))
		return -EINVAL;
	if (region == PCI_REGION_CONFIG) {
		read_config(f, offset, size, to);
		return 0;
	}
	while (size) {
		struct span span = span_at(f, region, offset);
		uint32_t n = (uint32_t)min_u64(size, span.first + span.size - offset);

		read_piece(f, region, &span, offset, n, to);
		offset += n;
		to += n;
		size -= n;
	}
	return 0;
}

int pci_function_write(struct pci_function *f, unsigned region, uint64_t offset, uint32_t size,
		       const uint8_t *from)
{
	if (!is_access(f, region, offset, size))
		return -EINVAL;
	if (region == PCI_REGION_CONFIG) {
		write_config(f, offset, size, from);
		return 0;
	}
	while (size) {
		struct span span = span_at(f, region, offset);
		uint32_t n = (uint32_t)min_u64(size, span.first + span.size - offset);

		write_piece(f, region, &span, offset, n, from);
		offset += n;
		from += n;
		size -= n;
	}
	return 0;
}

void pci_function_ring(struct pci_function *f, unsigned doorbell)
{
	if (doorbell < f->doorbells.count)
		f->ops->rung(f, doorbell);
}
