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
	NUMBER = 3, /* of the function in its device */
};

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
	if (has(b, TRICK_VFS_TOO_MANY) && function == 2 && b->device.vf_count == 1)
		return cfg_read(&b->spaces[1], offset & ~3u, 4);
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
	if (event == PCIE_FUNCTION_RESET && !has(b, TRICK_INTX_STATUS_STAYS))
		b->intx_reason = false;
	if (event == PCIE_VFS_VANISH)
		b->ghost = b->spaces[1];
	if (event == PCIE_VFS_APPEARED && has(b, TRICK_VFS_REMEMBER) && b->ghost.map)
		b->spaces[1].word[SPEC_PCI_COMMAND / 4] = b->ghost.word[SPEC_PCI_COMMAND / 4];
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
	const struct pcie_kind *kind = b->device.kind;
	struct cfg before = b->spaces[0];
	unsigned sriov = pcie_kind_has(kind, PCIE_CAP_SRIOV)
				 ? pcie_kind_at(kind, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL)
				 : 0;
	unsigned power = pcie_kind_at(kind, PCIE_CAP_PM, SPEC_PM_CONTROL);
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
	if (has(b, TRICK_FLR_KEEPS_CONTROLS) && function == 0)
		b->spaces[0].word[control / 4] = before.word[control / 4];
	if (has(b, TRICK_FLR_SLEEPS_ON) && function == 0)
		b->spaces[0].word[power / 4] = before.word[power / 4];
	if (has(b, TRICK_FLR_CHANGES_IDENTITY) && function == 0)
		b->spaces[0].word[SPEC_PCI_SUBSYSTEM_VENDOR_ID / 4] ^= 0x00010000;
	if (has(b, TRICK_FLR_KEEPS_NUM_VFS) && function == 0 && sriov)
		b->spaces[0].word[(sriov + 8) / 4] = before.word[(sriov + 8) / 4];
	for (unsigned vf = 1; has(b, TRICK_FLR_RESETS_ALL_VFS) && vf <= b->device.vf_count; vf++)
		cfg_reset(&b->spaces[vf], CFG_RESET_FUNCTION);
}

/* INTx, as it stands now: a line that masks itself when it comes. */
static void update_intx(struct broken *b)
{
	const struct pcie_kind *kind = b->device.kind;
	uint32_t command = b->spaces[0].word[SPEC_PCI_COMMAND / 4];
	bool msix = pcie_kind_has(kind, PCIE_CAP_MSIX) &&
		    b->spaces[0].word[kind->at[PCIE_CAP_MSIX] / 4] & UINT32_C(0x80000000);
	bool disabled = command & SPEC_PCI_COMMAND_NO_INTX && !has(b, TRICK_INTX_NEVER_DISABLED);

	if (!cfg_read(&b->spaces[0], SPEC_PCI_INTERRUPT_PIN, 1))
		return;
	if (!has(b, TRICK_INTX_NO_STATUS))
		cfg_set(&b->spaces[0], SPEC_PCI_STATUS, 2, SPEC_PCI_STATUS_INTERRUPT,
			b->intx_reason ? SPEC_PCI_STATUS_INTERRUPT : 0);
	if (b->intx_reason && !disabled && !b->intx_masked && (!msix || has(b, TRICK_INTX_WITH_MSIX)))
		b->intx_came = b->intx_masked = true;
}

static int intx(struct conform_target *target, unsigned function, enum conform_intx reason)
{
	struct broken *b = of(target);

	if (function)
		return -ENOTSUP;
	b->intx_reason = reason == CONFORM_INTX_REASON;
	update_intx(b);
	return 0;
}

static int intx_came(struct conform_target *target, unsigned function)
{
	(void)function;
	return of(target)->intx_came;
}

static int intx_unmask(struct conform_target *target, unsigned function)
{
	struct broken *b = of(target);

	(void)function;
	b->intx_came = b->intx_masked = false;
	if (!has(b, TRICK_INTX_ONCE))
		update_intx(b);
	return 0;
}

/* The message of vector 0: sent if it may be, and pending while something masks it. */
static void update_message(struct broken *b)
{
	const struct pcie_kind *kind = b->device.kind;
	uint32_t control, command = b->spaces[0].word[SPEC_PCI_COMMAND / 4];

	if (!pcie_kind_has(kind, PCIE_CAP_MSIX) || !(b->bar[0][PBA_AT] & 1))
		return;
	control = b->spaces[0].word[kind->at[PCIE_CAP_MSIX] / 4] >> 16;
	if (!(command & SPEC_PCI_COMMAND_MASTER) && !has(b, TRICK_MESSAGES_ANYWAY))
		return;
	if (!(control & SPEC_MSIX_ENABLE))
		return;
	if ((control & SPEC_MSIX_FUNCTION_MASK || b->bar[0][ENTRY_CONTROL] & 1) &&
	    !has(b, TRICK_MESSAGES_UNMASKED)) {
		b->bar[0][PBA_AT] = !has(b, TRICK_MESSAGES_LOST);
		return;
	}
	b->message_came = true;
	b->bar[0][PBA_AT] = has(b, TRICK_MESSAGES_PEND_ON);
}

static int message(struct conform_target *target, unsigned function, unsigned vector)
{
	struct broken *b = of(target);

	if (function || vector)
		return -ENOTSUP;
	b->bar[0][PBA_AT] = 1;
	update_message(b);
	if (!(b->spaces[0].word[SPEC_PCI_COMMAND / 4] & SPEC_PCI_COMMAND_MASTER))
		b->bar[0][PBA_AT] = 0; /* it was not to be sent */
	return 0;
}

static int message_came(struct conform_target *target, unsigned function, unsigned vector)
{
	struct broken *b = of(target);
	bool came = b->message_came;

	if (function || vector)
		return -ENOTSUP;
	b->message_came = false;
	return came;
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
	const struct pcie_kind *kind = b->device.kind;

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
	update_intx(b);
	update_message(b);
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
	if (function == 0)
		update_message(of(target));
	return 0;
}

static int inject(struct conform_target *target, unsigned function, unsigned bit,
		  const uint32_t header[4])
{
	struct broken *b = of(target);

	struct cfg *space = &b->spaces[function];
	unsigned mask = pcie_kind_at(b->device.kind, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_MASK) / 4;
	unsigned status = pcie_kind_at(pcie_device_kind(&b->device, function), PCIE_CAP_EXPRESS,
				       SPEC_EXPRESS_DEVICE_STATUS) / 4;
	uint32_t masked = b->spaces[0].word[mask];

	if (has(b, TRICK_ERRORS_UNLOGGED))
		return 0;
	if (has(b, TRICK_ERRORS_LOG_MASKED))
		b->spaces[0].word[mask] = 0;
	pcie_aer_raise(&b->device, function, bit, header);
	b->spaces[0].word[mask] = masked;
	if (has(b, TRICK_ERRORS_SPREAD))
		pcie_aer_raise(&b->device, 0, bit, header);
	if (has(b, TRICK_ERRORS_ALL_FATAL))
		space->word[status] |= (uint32_t)SPEC_EXPRESS_FATAL_DETECTED << 16;
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
	.intx = intx,
	.intx_came = intx_came,
	.intx_unmask = intx_unmask,
	.message = message,
	.message_came = message_came,
	.pause = wait,
	.now_ns = now,
};

static void power_on(struct broken *b, const struct defect *defect,
		     const struct pcie_device_conf *conf)
{
	unsigned severity = pcie_kind_at(conf->kind, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_SEVERITY);

	b->defect = defect;
	b->target = (struct conform_target){ .ops = &ops,
					     .reaches_vfs = conf->total_vfs > 0,
					     .fresh = true,
					     .tells_number = true,
					     .number = NUMBER };
	pcie_device_init(&b->device, conf, b->spaces);
	b->target.tells_lines = true;
	b->target.lines = cfg_read(&b->spaces[0], SPEC_PCI_INTERRUPT_PIN, 1) &&
			  !has(b, TRICK_INTX_NO_LINE);
	entries_reset(b, 0);
	if (defect && defect->function == 0 && defect->writable)
		b->kept = word(b, 0, pcie_kind_at(conf->kind, defect->cap, defect->offset));
	if (has(b, TRICK_ZEROES_CLEAR)) /* an error that can be lost */
		b->spaces[0].word[SPEC_PCI_COMMAND / 4] |= UINT32_C(0x20000000);
	if (has(b, TRICK_ERRORS_DEFAULTS))
		b->spaces[0].word[severity / 4] ^= 1 << SPEC_AER_POISONED_TLP;
}

void broken_init(struct broken *b, enum specimen specimen, const struct defect *defect)
{
	memset(b, 0, sizeof(*b));
	pcie_kinds_build(&b->kinds);

	const struct pcie_device_conf confs[] = {
		[SPECIMEN_CARD] = { .kind = &b->kinds.nic_pf,
				    .vf_kind = &b->kinds.nic_vf,
				    .total_vfs = BROKEN_VFS,
				    .serial = UINT64_C(0x0123456789abcdef),
				    .notify = on_event,
				    .owner = b },
		[SPECIMEN_PORT] = { .kind = &b->kinds.root_port, .owner = b },
		[SPECIMEN_LENT] = { .kind = &b->kinds.nic_lent, .notify = on_event, .owner = b },
	};

	power_on(b, defect, &confs[specimen]);
}
