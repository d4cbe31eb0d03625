/* store/unit_registers.h -- the registers of a remapping unit from a JSON file: one object whose
 *keys are offsets in the register page and whose values are what the registers hold.
 *
 *	{ "0x008": "0x00d2008c22260206", "0x010": 15732554, "0x020": "0x557a000", "0x024": "0x0" }
 *
 * Offsets and values are hexadecimal with 0x, or decimal; values may be JSON numbers.  A register
 *of 64 bits stands at its offset, or in two halves of 32 bits at its offset and 4 behind it.
 *Offsets that nobody asks for are let be, so that a file may hold all registers that there are.
 *
 * Threads: any.  Memory: what was loaded is the caller's until unit_registers_free. */
#ifndef STORE_UNIT_REGISTERS_H
#define STORE_UNIT_REGISTERS_H

#include "base/base.h"
#include "base/refusal.h"

enum {
	UNIT_REGISTERS_FILE_MAX = 1 << 20, /* bytes */
	UNIT_REGISTERS_OFFSET_MAX =
		(1 << 20) - 4, /* a megabyte of registers is more than any unit has */
};

struct unit_registers;

/* 0; -EINVAL when the file is refused and 'why' says what is wrong; another negative errno when it
 * cannot be read. */
int unit_registers_load(const char *path, struct unit_registers **registers, struct refusal *why);
/* The same for bytes in memory; 'name' stands for the file in 'why'. */
int unit_registers_load_bytes(const char *name, const void *bytes, size_t size,
			      struct unit_registers **registers, struct refusal *why);
void unit_registers_free(struct unit_registers *registers); /* NULL is nothing */

/* The register at 'offset' (a multiple of its width).
 * bits  32 or 64: its width
 *
 * 0; -ENOENT when the file does not have it, or has its upper half only; -EINVAL when the value
 * does not fit its width, or when one half is given and the other holds 64 bits.  'why' says which
 * one, by 'name', as in "the root table address register (0x020)". */
int unit_registers_get(const struct unit_registers *registers, uint32_t offset, unsigned bits,
		       const char *name, uint64_t *value, struct refusal *why);
/* Whether anything is at 'offset', of whatever width. */
bool unit_registers_has(const struct unit_registers *registers, uint32_t offset);

#endif
