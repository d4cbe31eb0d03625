/* Configuration space of an imported function: its own, but for what says where a guest has put it.  BARs, the
 * ROM's BAR and the interrupt line are the client's alone: whatever it writes there decides nothing here. */
#include "attach/vfio_user_external.h"

#include "base/bytes.h"
#include "spec/pcie.h"

enum {
	WORD = 4,
	ROM_BAR = 0x30,
	ROM_ENABLE = 1,
	IO_BAR = 1,
	IO_FLAGS = 3,
	CAPS_MAX = 48,          /* as many as there is room for */
	NO_SOFT_RESET = 1 << 3, /* of the power management control register */
};

static uint8_t config_at(const struct external *x, unsigned offset)
{
	const struct vfio_user_import_facts *facts = vfio_user_import_facts(x->import);

	return facts ? facts->config[offset] : 0xff;
}

static uint64_t region_size(const struct external *x, unsigned region)
{
	const struct vfio_user_import_facts *facts = vfio_user_import_facts(x->import);

	return facts ? facts->regions[region].size : 0;
}

/* Whether BAR 'bar' is the upper half of the one before. */
static bool is_upper(const struct external *x, unsigned bar)
{
	for (unsigned i = 0; i < bar; i++) {
		uint8_t low = config_at(x, SPEC_PCI_BAR0 + i * WORD);

		if (region_size(x, i) && !(low & IO_BAR) && low & SPEC_PCI_BAR_64_BIT) {
			if (i + 1 == bar)
				return true;
			i++;
		}
	}
	return false;
}

/* A region of any size is decoded by a BAR of a power of two. */
static uint64_t decoded(uint64_t size, uint64_t least)
{
	while (least < size)
		least *= 2;
	return least;
}

static uint32_t bar_value(const struct external *x, unsigned bar)
{
	bool upper = is_upper(x, bar);
	uint64_t size = region_size(x, upper ? bar - 1 : bar);
	uint8_t low = config_at(x, SPEC_PCI_BAR0 + (upper ? bar - 1 : bar) * WORD);
	uint32_t flags = low & IO_BAR ? IO_FLAGS : SPEC_PCI_BAR_FLAGS;
	uint64_t mask;

	if (!size)
		return 0;
	mask = ~(decoded(size, low & IO_BAR ? 4 : 16) - 1);
	if (upper)
		return x->bars[bar] & (uint32_t)(mask >> 32);
	return (x->bars[bar] & (uint32_t)mask & ~flags) | (low & flags);
}

static uint32_t rom_value(const struct external *x)
{
	uint64_t size = region_size(x, PCI_REGION_ROM);

	if (!size)
		return 0;
	return x->rom & ((uint32_t)~(decoded(size, 2048) - 1) | ROM_ENABLE);
}

/* Whether a word of it is the client's; its value then. */
static bool own_word(const struct external *x, uint64_t word, uint32_t *value)
{
	if (word >= SPEC_PCI_BAR0 && word < SPEC_PCI_BAR0 + SPEC_PCI_BARS * WORD)
		*value = bar_value(x, (unsigned)(word - SPEC_PCI_BAR0) / WORD);
	else if (word == ROM_BAR)
		*value = rom_value(x);
	else
		return false;
	return true;
}

void external_config_read(const struct external *x, uint64_t offset, uint32_t size, uint8_t *bytes)
{
	for (uint32_t i = 0; i < size; i++) {
		uint64_t at = offset + i;
		uint32_t value;

		if (own_word(x, at & ~(uint64_t)(WORD - 1), &value))
			bytes[i] = (uint8_t)(value >> at % WORD * 8);
		else if (at == SPEC_PCI_INTERRUPT_LINE)
			bytes[i] = x->line;
	}
}

static void put_byte(uint32_t *value, uint64_t at, uint8_t byte)
{
	unsigned shift = at % WORD * 8;

	*value = (*value & ~(UINT32_C(0xff) << shift)) | (uint32_t)byte << shift;
}

/* Where a capability of that ID is, or 0. */
static unsigned find_cap(const struct external *x, uint8_t id)
{
	unsigned at = config_at(x, SPEC_PCI_CAP_POINTER) & ~3u;

	for (unsigned steps = 0; at >= SPEC_PCI_HEADER_SIZE && steps < CAPS_MAX; steps++) {
		if (config_at(x, at) == id)
			return at;
		at = config_at(x, at + 1) & ~3u;
	}
	return 0;
}

/* The byte that a write leaves at 'at', or what is there. */
static uint8_t byte_after(const struct external *x, uint64_t offset, uint32_t size, const uint8_t *bytes,
			  unsigned at)
{
	return at >= offset && at - offset < size ? bytes[at - offset] : config_at(x, at);
}

static bool is_reset(const struct external *x, uint64_t offset, uint32_t size, const uint8_t *bytes)
{
	unsigned express = find_cap(x, SPEC_PCI_CAP_EXPRESS), flr = express + SPEC_EXPRESS_DEVICE_CONTROL + 1;
	unsigned power = find_cap(x, SPEC_PCI_CAP_POWER_MANAGEMENT), control = power + SPEC_PM_CONTROL;

	if (express && flr >= offset && flr - offset < size &&
	    bytes[flr - offset] & SPEC_EXPRESS_INITIATE_FLR >> 8)
		return true;
	return power && (config_at(x, control) & SPEC_PM_POWER_STATE) == SPEC_PM_D3HOT &&
	       !(config_at(x, control) & NO_SOFT_RESET) &&
	       (byte_after(x, offset, size, bytes, control) & SPEC_PM_POWER_STATE) == SPEC_PM_D0;
}

bool external_config_wrote(struct external *x, uint64_t offset, uint32_t size, const uint8_t *bytes)
{
	if (is_reset(x, offset, size, bytes)) {
		external_config_reset(x);
		return true;
	}
	for (uint32_t i = 0; i < size; i++) {
		uint64_t at = offset + i;

		if (at >= SPEC_PCI_BAR0 && at < SPEC_PCI_BAR0 + SPEC_PCI_BARS * WORD)
			put_byte(&x->bars[(at - SPEC_PCI_BAR0) / WORD], at, bytes[i]);
		else if (at >= ROM_BAR && at < ROM_BAR + WORD)
			put_byte(&x->rom, at, bytes[i]);
		else if (at == SPEC_PCI_INTERRUPT_LINE)
			x->line = bytes[i];
	}
	return false;
}

static bool is_own(uint64_t at)
{
	return (at >= SPEC_PCI_BAR0 && at < SPEC_PCI_BAR0 + SPEC_PCI_BARS * WORD) ||
	       (at >= ROM_BAR && at < ROM_BAR + WORD) ||
	       (at >= SPEC_PCI_INTERRUPT_LINE && at < SPEC_PCI_INTERRUPT_LINE + WORD);
}

uint32_t external_config_piece(uint64_t *offset, uint32_t size)
{
	uint64_t end = *offset + size, at;

	while (*offset < end && is_own(*offset))
		++*offset;
	for (at = *offset; at < end && !is_own(at); at++)
		;
	return (uint32_t)(at - *offset);
}

bool external_config_masters(const struct external *x)
{
	return vfio_user_import_facts(x->import) &&
	       config_at(x, SPEC_PCI_COMMAND) & SPEC_PCI_COMMAND_MASTER;
}

void external_config_reset(struct external *x)
{
	memset(x->bars, 0, sizeof x->bars);
	x->rom = 0;
	x->line = 0;
}
