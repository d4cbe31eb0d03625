#include "conform/broken.h"
#include "base/bytes.h"
#include "pcie/aer.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"
#include "spec/pcie_sriov.h"

#include <errno.h>
#include <string.h>

enum {
	ENTRY_CONTROL = 12,
	PBA_AT = 0x1000, /* of the NIC's MSI-X BAR */
	MSIX_BAR = 2,
};

/* assertion, function, capability, word; reads 1, reads 0, can be written, cannot; trick */
static const struct defect defects[] = {
	{ "header.answers", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_SILENT },
	{ "header.ids", 0, PCIE_HEADER, 0, 0xffff, 0, 0, 0, TRICK_NONE },
	{ "header.ids", 1, PCIE_HEADER, 0, 0, 0xff00, 0, 0, TRICK_NONE },
	{ "header.ids-read-only", 0, PCIE_HEADER, 0, 0, 0, 0x00010000, 0, TRICK_NONE },
	{ "header.ids-read-only", 0, PCIE_HEADER, 8, 0, 0, 0x0000ff00, 0, TRICK_NONE },
	{ "header.subsystem-read-only", 0, PCIE_HEADER, 0x2c, 0, 0, 0xffff0000, 0, TRICK_NONE },
	{ "header.layout", 0, PCIE_HEADER, 0x0c, 0x00020000, 0, 0, 0, TRICK_NONE },
	{ "header.layout", 1, PCIE_HEADER, 0x0c, 0x00800000, 0, 0, 0, TRICK_NONE },
	{ "header.class", 0, PCIE_HEADER, 8, 0x30000000, 0, 0, 0, TRICK_NONE },
	{ "header.class", 0, PCIE_HEADER, 8, 0x06040000, 0xf9fb0000, 0, 0, TRICK_NONE },
	{ "header.command-hardwired", 0, PCIE_HEADER, 4, 0x0080, 0, 0, 0, TRICK_NONE },
	{ "header.command-hardwired", 0, PCIE_HEADER, 4, 0, 0, 0x8000, 0, TRICK_NONE },
	{ "header.command-vf", 1, PCIE_HEADER, 4, 0, 0, 0x0002, 0, TRICK_NONE },
	{ "header.bus-master", 0, PCIE_HEADER, 4, 0, 0, 0, 0x0004, TRICK_NONE },
	{ "header.memory-space", 0, PCIE_HEADER, 4, 0, 0, 0, 0x0002, TRICK_NONE },
	{ "header.capabilities-list", 0, PCIE_HEADER, 4, 0, 0x00100000, 0, 0, TRICK_NONE },
	{ "header.status-reserved", 0, PCIE_HEADER, 4, 0x00400000, 0, 0, 0, TRICK_NONE },
	{ "header.status-rw1c", 0, PCIE_HEADER, 4, 0x20000000, 0, 0, 0, TRICK_NONE },
	{ "header.status-rw1c", 0, PCIE_HEADER, 4, 0, 0, 0, 0, TRICK_ZEROES_CLEAR },
	{ "header.latency-timer", 0, PCIE_HEADER, 0x0c, 0, 0, 0x0000f800, 0, TRICK_NONE },
	{ "header.cache-line-size", 0, PCIE_HEADER, 0x0c, 0, 0, 0, 0x000000ff, TRICK_NONE },
	{ "header.cache-line-size", 1, PCIE_HEADER, 0x0c, 0, 0, 0x000000ff, 0, TRICK_NONE },
	{ "header.interrupt-pin", 0, PCIE_HEADER, 0x3c, 0x00000500, 0, 0, 0, TRICK_NONE },
	{ "header.interrupt-pin", 1, PCIE_HEADER, 0x3c, 0x00000100, 0, 0, 0, TRICK_NONE },
	{ "header.interrupt-line", 0, PCIE_HEADER, 0x3c, 0x00000100, 0, 0, 0x000000ff, TRICK_NONE },
	{ "header.bist", 0, PCIE_HEADER, 0x0c, 0x20000000, 0, 0, 0, TRICK_NONE },
	{ "header.grants", 0, PCIE_HEADER, 0x3c, 0x00ff0000, 0, 0, 0, TRICK_NONE },

	{ "bar.types", 0, PCIE_HEADER, 0x10, 0x2, 0, 0, 0, TRICK_NONE },
	{ "bar.flags-read-only", 0, PCIE_HEADER, 0x20, 0, 0, 0x8, 0, TRICK_NONE },
	{ "bar.sizes", 0, PCIE_HEADER, 0x20, 0, 0x00100000, 0, 0, TRICK_NONE },
	{ "bar.addresses", 0, PCIE_HEADER, 0x20, 0x00100000, 0, 0, 0, TRICK_NONE },
	{ "bar.vf", 1, PCIE_HEADER, 0x10, 0, 0, 0xfffff000, 0, TRICK_NONE },
	{ "bar.rom", 0, PCIE_HEADER, 0x30, 0, 0, 0xff7ff800, 0, TRICK_NONE },
	{ "bar.rom", 0, PCIE_HEADER, 0x30, 0, 0, 0xfffff804, 0, TRICK_NONE },

	{ "caps.chain", 0, PCIE_HEADER, 0x34, 0x10, 0xef, 0, 0, TRICK_NONE },
	{ "caps.chain", 0, PCIE_HEADER, 0x34, 0, 0xff, 0, 0, TRICK_NONE },
	{ "caps.chain", 0, PCIE_CAP_MSIX, 0, 0x4000, 0xbf00, 0, 0, TRICK_NONE },
	{ "caps.apart", 0, PCIE_CAP_PM, 0, 0x4400, 0xbb00, 0, 0, TRICK_NONE },
	{ "caps.once", 0, PCIE_CAP_VIRTIO_COMMON, 0, 0x01, 0xfe, 0, 0, TRICK_NONE },
	{ "caps.required", 0, PCIE_CAP_EXPRESS, 0, 0x09, 0xf6, 0, 0, TRICK_NONE },
	{ "caps.read-only", 0, PCIE_CAP_PM, 0, 0, 0, 0xff, 0, TRICK_NONE },
	{ "extcaps.chain", 0, PCIE_CAP_AER, 0, 0x10000000, 0xeff00000, 0, 0, TRICK_NONE },
	{ "extcaps.chain", 0, PCIE_CAP_SERIAL, 0, 0x08000000, 0xf7f00000, 0, 0, TRICK_NONE },
	{ "extcaps.versions", 0, PCIE_CAP_ARI, 0, 0, 0x000f0000, 0, 0, TRICK_NONE },
	{ "extcaps.apart", 0, PCIE_CAP_AER, 0, 0x10400000, 0xefb00000, 0, 0, TRICK_NONE },
	{ "extcaps.read-only", 0, PCIE_CAP_ATS, 0, 0, 0, 0x00010000, 0, TRICK_NONE },

	{ "express.version", 0, PCIE_CAP_EXPRESS, 0, 0x00010000, 0, 0, 0, TRICK_NONE },
	{ "express.type", 0, PCIE_CAP_EXPRESS, 0, 0x00400000, 0, 0, 0, TRICK_NONE },
	{ "express.type", 1, PCIE_CAP_EXPRESS, 0, 0x00100000, 0, 0, 0, TRICK_NONE },
	{ "express.read-only", 0, PCIE_CAP_EXPRESS, 4, 0, 0, 0x00000007, 0, TRICK_NONE },
	{ "express.role-based", 0, PCIE_CAP_EXPRESS, 4, 0, 1 << 15, 0, 0, TRICK_NONE },
	{ "express.payload", 0, PCIE_CAP_EXPRESS, 4, 0x7, 0, 0, 0, TRICK_NONE },
	{ "express.payload", 0, PCIE_CAP_EXPRESS, 8, 0x60, 0, 0, 0, TRICK_NONE },
	{ "express.payload", 1, PCIE_CAP_EXPRESS, 8, 0x20, 0, 0, 0, TRICK_NONE },
	{ "express.flr-vf", 1, PCIE_CAP_EXPRESS, 4, 0, 1 << 28, 0, 0, TRICK_NONE },
	{ "express.link", 0, PCIE_CAP_EXPRESS, 0x10, 0x000f0000, 0, 0, 0, TRICK_NONE },
	{ "express.link", 0, PCIE_CAP_EXPRESS, 0x10, 0x02000000, 0, 0, 0, TRICK_NONE },
	{ "express.link-width", 0, PCIE_CAP_EXPRESS, 0x0c, 0x30, 0, 0, 0, TRICK_NONE },
	{ "express.link-speeds", 0, PCIE_CAP_EXPRESS, 0x2c, 0, 0x2, 0, 0, TRICK_NONE },
	{ "express.link-speeds", 0, PCIE_CAP_EXPRESS, 0x2c, 0x80, 0, 0, 0, TRICK_NONE },
	{ "express.status-reserved", 0, PCIE_CAP_EXPRESS, 8, 0x80000000, 0, 0, 0, TRICK_NONE },
	{ "express.status-rw1c", 0, PCIE_CAP_EXPRESS, 8, 0x00010000, 0, 0, 0, TRICK_NONE },
	{ "express.pending", 0, PCIE_CAP_EXPRESS, 8, 0x00200000, 0, 0, 0, TRICK_NONE },
	{ "express.control-vf", 1, PCIE_CAP_EXPRESS, 8, 0, 0, 0x0000000f, 0, TRICK_NONE },

	{ "power.version", 0, PCIE_CAP_PM, 0, 0, 0x00010000, 0, 0, TRICK_NONE },
	{ "power.version", 0, PCIE_CAP_PM, 0, 0x00100000, 0, 0, 0, TRICK_NONE },
	{ "power.pme", 0, PCIE_CAP_PM, 0, 0x10000000, 0, 0, 0, TRICK_NONE },
	{ "power.reserved", 0, PCIE_CAP_PM, 4, 0x4, 0, 0, 0, TRICK_NONE },
	{ "power.read-only", 0, PCIE_CAP_PM, 0, 0, 0, 0x00080000, 0, TRICK_NONE },
	{ "power.d3hot", 0, PCIE_CAP_PM, 4, 0, 0, 0, 0x3, TRICK_NONE },
	{ "power.no-soft-reset", 0, PCIE_CAP_PM, 4, 0, 0, 0, 0, TRICK_SLEEP_LOSES },
	{ "power.unsupported", 0, PCIE_CAP_PM, 4, 0, 0, 0x3, 0, TRICK_NONE },

	{ "msix.reserved", 0, PCIE_CAP_MSIX, 0, 0x08000000, 0, 0, 0, TRICK_NONE },
	{ "msix.read-only", 0, PCIE_CAP_MSIX, 4, 0, 0, 0xfffff000, 0, TRICK_NONE },
	{ "msix.table-in-bar", 0, PCIE_CAP_MSIX, 4, 0x7, 0, 0, 0, TRICK_NONE },
	{ "msix.table-in-bar", 0, PCIE_CAP_MSIX, 4, 0x00010000, 0, 0, 0, TRICK_NONE },
	{ "msix.pba-in-bar", 0, PCIE_CAP_MSIX, 8, 0, 0x7, 0, 0, TRICK_NONE },
	{ "msix.apart", 0, PCIE_CAP_MSIX, 8, 0x10, 0x1000, 0, 0, TRICK_NONE },
	{ "msix.enable", 0, PCIE_CAP_MSIX, 0, 0, 0, 0, 0x40000000, TRICK_NONE },
	{ "msix.entry", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_ENTRIES_FIXED },
	{ "msix.masked", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_ENTRIES_UNMASKED },
	{ "msix.none-pending", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_ENTRIES_PENDING },

	{ "aer.reserved", 0, PCIE_CAP_AER, 4, 0x1, 0, 0, 0, TRICK_NONE },
	{ "aer.masks", 0, PCIE_CAP_AER, 8, 0, 0, 0, 1 << 20, TRICK_NONE },
	{ "aer.masks", 0, PCIE_CAP_AER, 8, 0, 0, 0x2, 0, TRICK_NONE },
	{ "aer.masks", 1, PCIE_CAP_AER, 8, 0, 0, 1 << 20, 0, TRICK_NONE },
	{ "aer.rw1c", 0, PCIE_CAP_AER, 4, 1 << 20, 0, 0, 0, TRICK_NONE },
	{ "aer.first-error", 0, PCIE_CAP_AER, 0x18, 0, 0, 0x1f, 0, TRICK_NONE },
	{ "aer.injected", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_ERRORS_UNLOGGED },
	{ "aer.injected", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_ERRORS_STAY },

	{ "acs.control", 0, PCIE_CAP_ACS, 4, 0x1, 0, 0, 0, TRICK_NONE },
	{ "acs.control", 0, PCIE_CAP_ACS, 4, 0, 0, 0x00200000, 0, TRICK_NONE },
	{ "acs.control", 0, PCIE_CAP_ACS, 4, 0, 0, 0, 0x00040000, TRICK_NONE },
	{ "acs.read-only", 0, PCIE_CAP_ACS, 4, 0, 0, 0x00000004, 0, TRICK_NONE },
	{ "ari.registers", 0, PCIE_CAP_ARI, 4, 0, 0, 0x0000ff00, 0, TRICK_NONE },
	{ "ari.registers", 0, PCIE_CAP_ARI, 4, 0x00010000, 0, 0, 0, TRICK_NONE },
	{ "ari.with-sriov", 0, PCIE_CAP_ARI, 0, 0x000b, 0xfff4, 0, 0, TRICK_NONE },
	{ "ats.registers", 0, PCIE_CAP_ATS, 4, 0, 0, 0, 0x80000000, TRICK_NONE },
	{ "ats.registers", 1, PCIE_CAP_ATS, 4, 0, 0, 0x001f0000, 0, TRICK_NONE },
	{ "serial.number", 0, PCIE_CAP_SERIAL, 4, 0, 0, 0x1, 0, TRICK_NONE },

	{ "flr.time", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_FLR_DEAD },
	{ "flr.time", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_FLR_SLOW },
	{ "flr.effect", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_FLR_IGNORED },
	{ "flr.bars", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_FLR_KEEPS_BARS },
	{ "flr.reads-zero", 0, PCIE_CAP_EXPRESS, 8, 0x8000, 0, 0, 0, TRICK_NONE },
	{ "flr.spares", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_FLR_LOSES_STICKY },
	{ "flr.spares", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_FLR_LOSES_PAYLOAD },

	{ "sriov.totals", 0, PCIE_CAP_SRIOV, 0x0c, 0x00000008, 0, 0, 0, TRICK_NONE },
	{ "sriov.totals", 0, PCIE_CAP_SRIOV, 0x0c, 0, 0, 0xffff0000, 0, TRICK_NONE },
	{ "sriov.reserved", 0, PCIE_CAP_SRIOV, 0x08, 0x8000, 0, 0, 0, TRICK_NONE },
	{ "sriov.device-id", 0, PCIE_CAP_SRIOV, 0x18, 0xffff0000, 0, 0, 0, TRICK_NONE },
	{ "sriov.places", 0, PCIE_CAP_SRIOV, 0x14, 0, 0xffff0000, 0, 0, TRICK_NONE },
	{ "sriov.places", 0, PCIE_CAP_SRIOV, 0x14, 0, 0x0000ffff, 0, 0, TRICK_NONE },
	{ "sriov.places", 0, PCIE_CAP_SRIOV, 0x14, 0xf0000000, 0, 0, 0, TRICK_NONE },
	{ "sriov.page-sizes", 0, PCIE_CAP_SRIOV, 0x1c, 0, 0x10, 0, 0, TRICK_NONE },
	{ "sriov.page-sizes", 0, PCIE_CAP_SRIOV, 0x20, 0x3, 0, 0, 0, TRICK_NONE },
	{ "sriov.num-vfs", 0, PCIE_CAP_SRIOV, 0x10, 0, 0, 0, 0xffff, TRICK_NONE },
	{ "sriov.page-chosen", 0, PCIE_CAP_SRIOV, 0x20, 0, 0, 0, 0x10, TRICK_NONE },
	{ "sriov.vf-bars", 0, PCIE_CAP_SRIOV, 0x34, 0, 0x00100000, 0, 0, TRICK_NONE },
	{ "sriov.vf-bars", 0, PCIE_CAP_SRIOV, 0x24, 0x1, 0, 0, 0, TRICK_NONE },
	{ "sriov.controls", 0, PCIE_CAP_SRIOV, 0x08, 0, 0, 0, 0x10, TRICK_NONE },
	{ "sriov.appear", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_VFS_SILENT },
	{ "sriov.vanish", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_VFS_STAY },
	{ "sriov.num-vfs-locked", 0, PCIE_CAP_SRIOV, 0x10, 0, 0, 0xffff, 0, TRICK_NONE },
	{ "sriov.vf-reset", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_FLR_RESETS_ALL_VFS },
	{ "sriov.pf-reset", 0, PCIE_HEADER, 0, 0, 0, 0, 0, TRICK_FLR_KEEPS_VFS },
};

unsigned broken_defects(const struct defect **list)
{
	*list = defects;
	return array_len(defects);
}

static struct broken *of(struct conform_target *target)
{
	return container_of(target, struct broken, target);
}

static bool has(const struct broken *b, enum trick trick)
{
	return b->defect && b->defect->trick == trick;
}

/* Whether the defect is in this word of this function. */
static bool hits(const struct broken *b, unsigned function, unsigned offset)
{
	const struct defect *d = b->defect;
	const struct pcie_kind *kind;

	if (!d || (function ? 1 : 0) != d->function || function > BROKEN_VFS)
		return false;
	kind = pcie_device_kind(&b->device, function);
	return pcie_kind_has(kind, d->cap) &&
	       (pcie_kind_at(kind, d->cap, d->offset) & ~3u) == (offset & ~3u);
}

static void silence(struct broken *b)
{
	b->dead = has(b, TRICK_FLR_DEAD);
	if (has(b, TRICK_FLR_SLOW))
		b->silent_until_ns = b->now_ns + UINT64_C(200000000);
}

static bool is_silent(const struct broken *b, unsigned function)
{
	return b->dead || has(b, TRICK_SILENT) || b->now_ns < b->silent_until_ns ||
	       (function && has(b, TRICK_VFS_SILENT));
}

static uint32_t word(const struct broken *b, unsigned function, unsigned offset)
{
	const struct defect *d = b->defect;
	uint32_t value;

	if (is_silent(b, function))
		return UINT32_MAX;
	if (has(b, TRICK_VFS_STAY) && function == 1 && !pcie_device_has(&b->device, 1))
		return cfg_read(&b->ghost, offset & ~3u, 4);
	value = pcie_device_read(&b->device, function, offset & ~3u, 4);
	if (!hits(b, function, offset) || !pcie_device_has(&b->device, function))
		return value;
	value = (value & ~d->writable) | (b->kept & d->writable);
	return (value | d->set) & ~(d->clear & ~d->set);
}

static int read_config(struct conform_target *target, unsigned function, unsigned offset,
		       unsigned size, uint32_t *value)
{
	*value = word(of(target), function, offset) >> offset % 4 * 8 & bits32(size * 8 - 1, 0);
	return 0;
}

static void entries_reset(struct broken *b, unsigned function)
{
	memset(b->bar[function], 0, sizeof(b->bar[function]));
	for (unsigned n = 0; n < PCIE_KINDS_NIC_VECTORS; n++)
		b->bar[function][n * SPEC_MSIX_ENTRY_SIZE + ENTRY_CONTROL] =
			!has(b, TRICK_ENTRIES_UNMASKED);
	b->bar[function][PBA_AT] = has(b, TRICK_ENTRIES_PENDING);
}

static void on_event(void *owner, struct pcie_device *device, unsigned function,
		     enum pcie_event event)
{
	struct broken *b = owner;

	(void)device;
	if (event == PCIE_FUNCTION_RESET)
		entries_reset(b, function);
	if (event == PCIE_VFS_VANISH)
		b->ghost = b->spaces[1];
	for (unsigned vf = 1; event == PCIE_VFS_APPEARED && vf <= BROKEN_VFS; vf++)
		entries_reset(b, vf);
}

static bool starts_flr(const struct broken *b, unsigned function, unsigned offset, uint32_t bits)
{
	const struct pcie_kind *kind = pcie_device_kind(&b->device, function);

	return (offset & ~3u) ==
		       pcie_kind_at(kind, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL) &&
	       bits & SPEC_EXPRESS_INITIATE_FLR;
}

/* The word that is written, as the device sees it. */
static void write_word(struct broken *b, unsigned function, unsigned offset, unsigned size,
		       uint32_t value)
{
	pcie_device_write(&b->device, function, offset, size, value);
}

/* A reset with one of the tricks. */
static void tricky_reset(struct broken *b, unsigned function, unsigned offset, unsigned size,
			 uint32_t value)
{
	const struct pcie_kind *kind = &b->kinds.nic_pf;
	struct cfg before = b->spaces[0];
	unsigned sriov = pcie_kind_at(kind, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL);
	unsigned mask = pcie_kind_at(kind, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_MASK);
	unsigned control = pcie_kind_at(kind, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL);

	if (has(b, TRICK_FLR_IGNORED))
		return;
	write_word(b, function, offset, size, value);
	silence(b);
	if (has(b, TRICK_FLR_KEEPS_BARS) && function == 0)
		b->spaces[0].word[SPEC_PCI_BAR0 / 4 + 4] = before.word[SPEC_PCI_BAR0 / 4 + 4];
	if (has(b, TRICK_FLR_LOSES_STICKY) && function == 0)
		b->spaces[0].word[mask / 4] = 0;
	if (has(b, TRICK_FLR_LOSES_PAYLOAD) && function == 0)
		b->spaces[0].word[control / 4] &= ~UINT32_C(0xe0);
	if (has(b, TRICK_FLR_KEEPS_VFS) && function == 0)
		b->spaces[0].word[sriov / 4] = before.word[sriov / 4];
	for (unsigned vf = 1; has(b, TRICK_FLR_RESETS_ALL_VFS) && vf <= b->device.vf_count; vf++)
		cfg_reset(&b->spaces[vf], CFG_RESET_FUNCTION);
}

static void zeroes_clear(struct broken *b, unsigned offset)
{
	/* the status byte loses what it has, whatever is written */
	if ((offset & ~3u) == SPEC_PCI_COMMAND && offset >= SPEC_PCI_STATUS)
		b->spaces[0].word[SPEC_PCI_COMMAND / 4] &= ~UINT32_C(0x20000000);
}

static int write_config(struct conform_target *target, unsigned function, unsigned offset,
			unsigned size, uint32_t value)
{
	struct broken *b = of(target);
	const struct defect *d = b->defect;
	unsigned shift = offset % 4 * 8;
	uint32_t bits = value << shift, reach = bits32(size * 8 - 1, 0) << shift;
	const struct pcie_kind *kind = &b->kinds.nic_pf;

	b->writes++;
	if (is_silent(b, function) || !pcie_device_has(&b->device, function))
		return 0;
	if (has(b, TRICK_ZEROES_CLEAR) && function == 0)
		zeroes_clear(b, offset);
	if (hits(b, function, offset)) {
		uint32_t now = word(b, function, offset);

		b->kept = (b->kept & ~reach) | (bits & reach);
		bits = (bits & ~d->stuck) | (now & d->stuck);
	}
	if (has(b, TRICK_SLEEP_LOSES) && function == 0 &&
	    offset == pcie_kind_at(kind, PCIE_CAP_PM, SPEC_PM_CONTROL) &&
	    (bits >> shift & SPEC_PM_POWER_STATE) == SPEC_PM_D3HOT)
		b->spaces[0].word[SPEC_PCI_COMMAND / 4] &= ~(uint32_t)SPEC_PCI_COMMAND_MASTER;
	if (has(b, TRICK_ERRORS_STAY) && function == 0 &&
	    offset == pcie_kind_at(kind, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_STATUS))
		return 0;
	if (starts_flr(b, function, offset, bits))
		tricky_reset(b, function, offset, size, bits >> shift);
	else
		write_word(b, function, offset, size, bits >> shift);
	return 0;
}

static bool in_bar(unsigned function, unsigned bar, uint64_t offset)
{
	return function <= BROKEN_VFS && bar == MSIX_BAR && offset <= BROKEN_BAR_BYTES - 4;
}

static int bar_read(struct conform_target *target, unsigned function, unsigned bar, uint64_t offset,
		    uint32_t *value)
{
	if (!in_bar(function, bar, offset))
		return -EINVAL;
	*value = get_le32(of(target)->bar[function] + offset);
	return 0;
}

static int bar_write(struct conform_target *target, unsigned function, unsigned bar,
		     uint64_t offset, uint32_t value)
{
	if (!in_bar(function, bar, offset))
		return -EINVAL;
	if (!has(of(target), TRICK_ENTRIES_FIXED))
		put_le32(of(target)->bar[function] + offset, value);
	return 0;
}

static int inject(struct conform_target *target, unsigned function, unsigned bit,
		  const uint32_t header[4])
{
	struct broken *b = of(target);

	if (!has(b, TRICK_ERRORS_UNLOGGED))
		pcie_aer_raise(&b->device, function, bit, header);
	return 0;
}

static void wait(struct conform_target *target, uint64_t ns)
{
	of(target)->now_ns += ns;
}

static uint64_t now(struct conform_target *target)
{
	return of(target)->now_ns;
}

static const struct conform_target_ops ops = {
	.read = read_config,
	.write = write_config,
	.bar_read = bar_read,
	.bar_write = bar_write,
	.inject = inject,
	.pause = wait,
	.now_ns = now,
};

static void power_on(struct broken *b, const struct defect *defect,
		     const struct pcie_device_conf *conf)
{
	b->target = (struct conform_target){ .ops = &ops, .reaches_vfs = conf->total_vfs > 0 };
	pcie_device_init(&b->device, conf, b->spaces);
	entries_reset(b, 0);
	b->defect = defect;
	if (defect && defect->function == 0 && defect->writable)
		b->kept = word(b, 0, pcie_kind_at(conf->kind, defect->cap, defect->offset));
	if (has(b, TRICK_ZEROES_CLEAR)) /* an error that can be lost */
		b->spaces[0].word[SPEC_PCI_COMMAND / 4] |= UINT32_C(0x20000000);
}

void broken_init(struct broken *b, const struct defect *defect)
{
	memset(b, 0, sizeof(*b));
	pcie_kinds_build(&b->kinds);
	power_on(b, defect,
		 &(struct pcie_device_conf){ .kind = &b->kinds.nic_pf,
					     .vf_kind = &b->kinds.nic_vf,
					     .total_vfs = BROKEN_VFS,
					     .serial = UINT64_C(0x0123456789abcdef),
					     .notify = on_event,
					     .owner = b });
}

void broken_init_port(struct broken *b, const struct defect *defect)
{
	memset(b, 0, sizeof(*b));
	pcie_kinds_build(&b->kinds);
	power_on(b, defect, &(struct pcie_device_conf){ .kind = &b->kinds.root_port, .owner = b });
}
