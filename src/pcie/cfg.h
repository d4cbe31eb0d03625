/* pcie/cfg.h -- configuration space, 4 KiB, built from tables of register fields.
 *
 * A capability lists its fields once: where each is, what it holds after a reset, what a
 * driver's write does to it, and which resets it survives.  Bits that no field has read 0.
 * What a write means to the device is not here: see pcie/device.h.
 *
 * Threads: a map is read-only once laid; a struct cfg has one owner.
 * Memory: the caller's.  A map is shared by all functions of its kind, so a function costs one
 * page. */
#ifndef PCIE_CFG_H
#define PCIE_CFG_H

#include "base/base.h"

enum { CFG_SIZE = 4096, CFG_WORDS = CFG_SIZE / 4 }; /* bytes; PCIe 5.0 section 7.2.2 */

/* What a driver's write and a reset do to a bit; PCIe 5.0 section 7.4. */
enum cfg_attr {
	CFG_RO,      /* nothing; reset gives back the listed value */
	CFG_RW,      /* takes the written value */
	CFG_RW1C,    /* clears if a 1 is written */
	CFG_HWINIT,  /* nothing; set by the device at power-on and kept from then on */
	CFG_ROS,     /* RO, sticky: kept by every reset but a loss of power */
	CFG_RWS,     /* RW, sticky */
	CFG_RW1CS,   /* RW1C, sticky */
	CFG_RW_KEPT, /* RW, kept by a function-level reset, not by others; section 6.6.2 */
	CFG_RW_LOCK, /* RW while the space is not locked, else RO */
	CFG_TRIGGER, /* always reads 0; writing 1 starts something */
};

struct cfg_field {
	uint16_t offset;  /* of the register: bytes from the start of its capability */
	uint8_t hi, lo;   /* bits of the register, as its diagram numbers them */
	enum cfg_attr attr;
	uint32_t reset;   /* the field's own value, not shifted */
	const char *name; /* as the standard spells it */
};

/* The rules of one 32-bit word, a bit of each for a bit of the word. */
struct cfg_rules {
	uint32_t laid; /* some field has it */
	uint32_t reset;
	uint32_t rw, rw1c, trigger;
	uint32_t lock;   /* not writable while locked */
	uint32_t sticky; /* survives all resets but power-on */
	uint32_t kept;   /* survives a function-level reset */
};

struct cfg_map {
	struct cfg_rules rules[CFG_WORDS];
};

struct cfg {
	const struct cfg_map *map;
	bool locked; /* CFG_RW_LOCK fields do not change */
	uint32_t word[CFG_WORDS];
};

enum cfg_reset_kind {
	CFG_RESET_CONVENTIONAL, /* hot reset: loses all that is not sticky */
	CFG_RESET_FUNCTION,     /* function-level reset (FLR) */
};

/* Adds 'count' fields to 'map'.  base: where their capability starts.  Two fields that share a
 * bit, or a reset value wider than its field, are our bug. */
void cfg_lay(struct cfg_map *map, unsigned base, const struct cfg_field *fields, size_t count);

/* Power-on: every bit as the map lists it, unlocked. */
void cfg_power_on(struct cfg *cfg, const struct cfg_map *map);
/* Any other reset: the bits that it does not spare go back to what the map lists; unlocks. */
void cfg_reset(struct cfg *cfg, enum cfg_reset_kind kind);

/* Reads 1, 2 or 4 bytes at 'offset', aligned to their size. */
uint32_t cfg_read(const struct cfg *cfg, unsigned offset, unsigned size);

/* Writes as a driver does.  Returns the bits that changed or were triggered, as they sit in the
 * 32-bit word around 'offset'; 0 means that the device has nothing to react to. */
uint32_t cfg_write(struct cfg *cfg, unsigned offset, unsigned size, uint32_t value);

/* The device's own change: the bits of 'mask', in the register at 'offset', take those of
 * 'value'.  Each must belong to a field. */
void cfg_set(struct cfg *cfg, unsigned offset, unsigned size, uint32_t mask, uint32_t value);

/* Whether an access of 'size' bytes at 'offset' is one that a host can make: 1, 2 or 4 bytes,
 * aligned, inside the space. */
bool cfg_is_access(unsigned offset, unsigned size);

#endif
