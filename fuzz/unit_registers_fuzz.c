/* Any bytes as a file of registers: refused with a sentence, or every register reads as a value
 * that fits or is said to be missing. */
#include "store/unit_registers.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct unit_registers *registers, uint32_t offset, unsigned bits)
{
	struct refusal why = { .text = "" };
	uint64_t value;
	int err = unit_registers_get(registers, offset, bits, "the register", &value, &why);

	if (err == 0)
		must(unit_registers_has(registers, offset) && value <= UINT64_MAX >> (64 - bits));
	else
		must((err == -EINVAL || err == -ENOENT) && why.text[0] != 0);
	must((err == -ENOENT) == !unit_registers_has(registers, offset));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct refusal why = { .text = "" };
	struct unit_registers *registers;

	if (unit_registers_load_bytes("fuzz", data, size, &registers, &why)) {
		must(!registers && why.text[0] != 0);
		return 0;
	}
	for (uint32_t offset = 0; offset < 0x100; offset += 4)
		check(registers, offset, 32);
	for (uint32_t offset = 0; offset < 0x100; offset += 8)
		check(registers, offset, 64);
	unit_registers_free(registers);
	return 0;
}
