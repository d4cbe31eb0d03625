/* Migration state of a PCI function: a header, configuration space, the MSI-X table and what is pending,
 * the mapped pieces of its regions, and last what its kind has to say. */
#include "dev/pci_internal.h"

#include "base/bytes.h"
#include "spec/pcie.h"

#include <errno.h>

enum {
	STATE_MAGIC = 0x4650434d, /* "MCPF" */
	STATE_VERSION = 1,
	/* Offsets. */
	STATE_AT_MAGIC = 0,
	STATE_AT_VERSION = 4,
	STATE_AT_VECTORS = 8,
	STATE_AT_USED = 12,       /* bit 0: the guest wrote the vector table */
	STATE_AT_MAPPED = 16,     /* bytes of all mapped pieces */
	STATE_AT_KIND = 24,       /* bytes of the kind's own */
	STATE_AT_CONFIG = 32,
	STATE_AT_TABLE = STATE_AT_CONFIG + CFG_SIZE,
};

static uint64_t mapped_bytes(const struct pci_function *f)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < PCI_REGION_ROM; i++)
		bytes += f->regions[i].mapped_size;
	return bytes;
}

/* Bytes before the kind's own. */
static uint64_t common_bytes(const struct pci_function *f)
{
	return STATE_AT_TABLE + pci_msix_table_size(f) + pci_msix_pba_size(f) + mapped_bytes(f);
}

static void save_common(const struct pci_function *f, uint8_t *to, uint64_t kind_bytes)
{
	uint64_t table = pci_msix_table_size(f), pba = pci_msix_pba_size(f);

	put_le32(to + STATE_AT_MAGIC, STATE_MAGIC);
	put_le32(to + STATE_AT_VERSION, STATE_VERSION);
	put_le32(to + STATE_AT_VECTORS, f->vectors);
	put_le32(to + STATE_AT_USED, f->table_used);
	put_le64(to + STATE_AT_MAPPED, mapped_bytes(f));
	put_le64(to + STATE_AT_KIND, kind_bytes);
	for (unsigned w = 0; w < CFG_WORDS; w++)
		put_le32(to + STATE_AT_CONFIG + 4 * w, f->space.word[w]);
	to += STATE_AT_TABLE;
	pci_msix_read_table(f, 0, (uint32_t)table, to);
	pci_msix_read_pba(f, 0, (uint32_t)pba, to + table);
	to += table + pba;
	for (unsigned i = 0; i < PCI_REGION_ROM; i++) {
		if (!f->regions[i].mapped_size)
			continue;
		memcpy(to, f->regions[i].mapped, f->regions[i].mapped_size);
		to += f->regions[i].mapped_size;
	}
}

size_t pci_function_save(const struct pci_function *f, uint8_t *to, size_t room)
{
	size_t common = (size_t)common_bytes(f);
	size_t kind = f->ops->save ? f->ops->save(f, NULL, 0) : 0;

	if (room < common + kind)
		return common + kind;
	save_common(f, to, kind);
	if (kind)
		must(f->ops->save(f, to + common, kind) == kind);
	return common + kind;
}

/* Whether the two have the same identity and classes: those words hold nothing that software changes. */
static bool same_function(const struct pci_function *f, const uint8_t *config)
{
	static const unsigned words[] = { SPEC_PCI_VENDOR_ID, SPEC_PCI_REVISION_ID,
					  SPEC_PCI_SUBSYSTEM_VENDOR_ID, SPEC_PCI_CAP_POINTER };

	for (unsigned i = 0; i < array_len(words); i++)
		if (get_le32(config + words[i]) != f->space.word[words[i] / 4])
			return false;
	return true;
}

static bool is_state(const struct pci_function *f, const uint8_t *from, size_t size)
{
	uint64_t common = common_bytes(f);

	return size >= common && get_le32(from + STATE_AT_MAGIC) == STATE_MAGIC &&
	       get_le32(from + STATE_AT_VERSION) == STATE_VERSION &&
	       get_le32(from + STATE_AT_VECTORS) == f->vectors &&
	       get_le64(from + STATE_AT_MAPPED) == mapped_bytes(f) &&
	       get_le64(from + STATE_AT_KIND) == size - common &&
	       same_function(f, from + STATE_AT_CONFIG);
}

/* Takes over what software can change; the rest is this function's own (its serial number). */
static void load_config(struct pci_function *f, const uint8_t *from)
{
	for (unsigned w = 0; w < CFG_WORDS; w++) {
		const struct cfg_rules *r = &f->device.kind->map.rules[w];
		uint32_t taken = r->rw | r->rw1c;

		f->space.word[w] = (f->space.word[w] & ~taken) | (get_le32(from + 4 * w) & taken);
	}
}

static void load_mapped(struct pci_function *f, const uint8_t *bytes)
{
	for (unsigned i = 0; i < PCI_REGION_ROM; i++) {
		const struct pci_region *r = &f->regions[i];

		if (!r->mapped_size)
			continue;
		memcpy(r->mapped, bytes, r->mapped_size);
		bytes += r->mapped_size;
	}
}

static void load_vectors(struct pci_function *f, const uint8_t *table, uint32_t used)
{
	const uint8_t *pba = table + pci_msix_table_size(f);

	memset(f->pending, 0, sizeof f->pending);
	pci_msix_write_table(f, 0, (uint32_t)pci_msix_table_size(f), table);
	f->table_used = used & 1;
	for (unsigned i = 0; i < f->vectors; i++)
		if (pba[i / 8] >> i % 8 & 1)
			f->pending[i / 64] |= UINT64_C(1) << i % 64;
	pci_msix_settle(f);
}

int pci_function_load(struct pci_function *f, const uint8_t *from, size_t size)
{
	uint64_t common = common_bytes(f), mapped = mapped_bytes(f);
	struct cfg before = f->space;

	if (!is_state(f, from, size))
		return -EINVAL;
	load_config(f, from + STATE_AT_CONFIG);
	if (f->ops->load && f->ops->load(f, from + common, size - common)) {
		f->space = before;
		return -EINVAL;
	}
	load_mapped(f, from + common - mapped);
	load_vectors(f, from + STATE_AT_TABLE, get_le32(from + STATE_AT_USED));
	pci_function_intx(f);
	f->host.wake(f->host.owner);
	return 0;
}
