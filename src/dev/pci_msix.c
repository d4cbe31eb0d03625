/* MSI-X: the vector table, the pending-bit array, and who keeps a vector back.  PCIe 5.0 section 7.7.2;
 * how masked vectors become pending: 6.1.4.3 to 6.1.4.6. */
#include "dev/pci_internal.h"

#include "base/bytes.h"
#include "iommu/domain.h"
#include "spec/pcie.h"

enum {
	/* Of a table entry, 7.7.2.5 to 7.7.2.8. */
	ENTRY_ADDRESS = 0,
	ENTRY_DATA = 8,
	ENTRY_CONTROL = 12,
	ENTRY_MASKED = 1 << 0,
	PBA_WORD = 8, /* bytes; accesses are of whole words */
};

static bool bit(const uint64_t *words, unsigned n)
{
	return (words[n / 64] >> n % 64 & 1) != 0;
}

static void set_bit(uint64_t *words, unsigned n)
{
	words[n / 64] |= UINT64_C(1) << n % 64;
}

static void clear_bit(uint64_t *words, unsigned n)
{
	words[n / 64] &= ~(UINT64_C(1) << n % 64);
}

uint64_t pci_msix_table_size(const struct pci_function *f)
{
	return (uint64_t)f->vectors * SPEC_MSIX_ENTRY_SIZE;
}

uint64_t pci_msix_pba_size(const struct pci_function *f)
{
	return (uint64_t)(f->vectors + 63) / 64 * PBA_WORD;
}

static bool inside(const struct pci_region *region, uint64_t first, uint64_t size)
{
	return first <= region->size && size <= region->size - first;
}

static bool apart(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a + a_size <= b || b + b_size <= a;
}

/* One of the two: what the capability says of it, where it lies, and that no guest maps it. */
static bool structure_fits(const struct pci_function *f, unsigned capability_word, unsigned region,
			   uint64_t first, uint64_t size)
{
	const struct pci_region *r;

	if (region > 5 || pci_config(f, PCIE_CAP_MSIX, capability_word, 4) != (first | region))
		return false;
	r = &f->regions[region];
	return inside(r, first, size) && apart(first, size, r->mapped_first, r->mapped_size);
}

bool pci_msix_fits(const struct pci_function *f)
{
	uint64_t table = pci_msix_table_size(f), pba = pci_msix_pba_size(f);

	if (f->vectors == 0)
		return !pcie_kind_has(f->device.kind, PCIE_CAP_MSIX);
	if (!pcie_kind_has(f->device.kind, PCIE_CAP_MSIX) || f->vectors > PCI_VECTORS_MAX)
		return false;
	if ((pci_config(f, PCIE_CAP_MSIX, SPEC_MSIX_CONTROL, 2) & 0x7ff) + 1 != f->vectors)
		return false;
	return structure_fits(f, SPEC_MSIX_TABLE, f->table_region, f->table_first, table) &&
	       structure_fits(f, SPEC_MSIX_PBA, f->pba_region, f->pba_first, pba) &&
	       (f->table_region != f->pba_region || apart(f->table_first, table, f->pba_first, pba));
}

void pci_msix_reset(struct pci_function *f)
{
	for (unsigned i = 0; i < f->vectors; i++)
		f->table[i] = (struct msix_entry){ .control = ENTRY_MASKED };
	memset(f->pending, 0, sizeof f->pending);
	f->table_used = false;
}

static void entry_bytes(const struct msix_entry *entry, uint8_t bytes[SPEC_MSIX_ENTRY_SIZE])
{
	put_le64(bytes + ENTRY_ADDRESS, entry->address);
	put_le32(bytes + ENTRY_DATA, entry->data);
	put_le32(bytes + ENTRY_CONTROL, entry->control);
}

void pci_msix_read_table(const struct pci_function *f, uint64_t offset, uint32_t size, uint8_t *to)
{
	uint8_t bytes[SPEC_MSIX_ENTRY_SIZE];

	must(offset + size <= pci_msix_table_size(f));
	while (size) {
		uint32_t skip = (uint32_t)(offset % sizeof bytes);
		uint32_t n = min_u32(size, (uint32_t)sizeof bytes - skip);

		entry_bytes(&f->table[offset / sizeof bytes], bytes);
		memcpy(to, bytes + skip, n);
		offset += n;
		to += n;
		size -= n;
	}
}

/* The low two bits of an address, and all of the control word but the mask, are 0 for ever. */
static void write_entry(struct msix_entry *entry, const uint8_t *bytes)
{
	entry->address = get_le64(bytes + ENTRY_ADDRESS) & ~UINT64_C(3);
	entry->data = get_le32(bytes + ENTRY_DATA);
	entry->control = get_le32(bytes + ENTRY_CONTROL) & ENTRY_MASKED;
}

void pci_msix_write_table(struct pci_function *f, uint64_t offset, uint32_t size,
			  const uint8_t *from)
{
	uint8_t bytes[SPEC_MSIX_ENTRY_SIZE];

	must(offset + size <= pci_msix_table_size(f));
	while (size) {
		uint32_t skip = (uint32_t)(offset % sizeof bytes);
		uint32_t n = min_u32(size, (uint32_t)sizeof bytes - skip);
		struct msix_entry *entry = &f->table[offset / sizeof bytes];

		entry_bytes(entry, bytes);
		memcpy(bytes + skip, from, n);
		write_entry(entry, bytes);
		f->table_used = true;
		offset += n;
		from += n;
		size -= n;
	}
	pci_msix_settle(f);
}

void pci_msix_read_pba(const struct pci_function *f, uint64_t offset, uint32_t size, uint8_t *to)
{
	must(offset + size <= pci_msix_pba_size(f));
	for (uint32_t i = 0; i < size; i++) {
		uint64_t at = offset + i;

		to[i] = (uint8_t)(f->pending[at / 8] >> at % 8 * 8);
	}
}

bool pci_msix_enabled(const struct pci_function *f)
{
	if (f->routed)
		return true;
	return f->vectors && (pci_config(f, PCIE_CAP_MSIX, SPEC_MSIX_CONTROL, 2) & SPEC_MSIX_ENABLE);
}

static bool kept_back(const struct pci_function *f, unsigned vector)
{
	if (pci_config(f, PCIE_CAP_MSIX, SPEC_MSIX_CONTROL, 2) & SPEC_MSIX_FUNCTION_MASK)
		return true;
	return bit(f->host_masked, vector) ||
	       (f->table_used && (f->table[vector].control & ENTRY_MASKED));
}

/* Lets the message through interrupt remapping, which may make another of it, or none. */
static void raise_vector(struct pci_function *f, unsigned vector)
{
	struct iommu_domain *domain = f->domain_or_null;
	int raised = domain ? domain->ops->interrupt(domain, vector) : (int)vector;

	clear_bit(f->pending, vector);
	if (raised >= 0 && (unsigned)raised < f->vectors)
		f->host.interrupt(f->host.owner, (unsigned)raised);
}

void pci_function_interrupt(struct pci_function *f, unsigned vector)
{
	if (!pci_msix_enabled(f)) {
		pci_function_intx(f);
		return;
	}
	if (vector >= f->vectors || !pci_function_masters(f))
		return;
	if (kept_back(f, vector)) {
		set_bit(f->pending, vector);
		return;
	}
	raise_vector(f, vector);
}

void pci_msix_settle(struct pci_function *f)
{
	if (f->vectors == 0 || !pci_msix_enabled(f) || !pci_function_masters(f))
		return;
	for (unsigned i = 0; i < f->vectors; i++)
		if (bit(f->pending, i) && !kept_back(f, i))
			raise_vector(f, i);
}

void pci_function_mask(struct pci_function *f, unsigned vector, enum pci_mask mask)
{
	if (vector >= f->vectors)
		return;
	if (mask == PCI_MASKED)
		set_bit(f->host_masked, vector);
	else
		clear_bit(f->host_masked, vector);
	pci_msix_settle(f);
}

void pci_function_route(struct pci_function *f, enum pci_routing routing)
{
	f->routed = routing == PCI_ROUTED && f->vectors;
	if (!f->routed)
		memset(f->host_masked, 0, sizeof f->host_masked);
	pci_msix_settle(f);
	pci_function_intx(f);
}
