/* prog/midplane_iommu.c -- opens the unit that the iommu commands ask, and tells the steps of a
 * walk. */
#include "prog/midplane_iommu.h"

#include "spec/vtd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WALKS_MIN = 1 << 20, WALKS_MAX = 1 << 26 };

static enum midplane_exit complain(const struct call *call, const struct refusal *why)
{
	midplane_complain(call, "%s: %s", why->path, why->text);
	return MIDPLANE_REFUSED;
}

/* The status register says what is switched on; a file without it means the tables to be used. */
static int read_status(struct unit *unit, struct refusal *why)
{
	uint64_t gsts = field_mask(SPEC_VTD_GSTS_TES) | field_mask(SPEC_VTD_GSTS_IRES);
	int err = 0;

	if (unit_registers_has(unit->registers, SPEC_VTD_GSTS))
		err = unit_registers_get(unit->registers, SPEC_VTD_GSTS, 32,
					 "the global status register", &gsts, why);
	unit->tables.translation = field_is_set(gsts, SPEC_VTD_GSTS_TES);
	unit->tables.remapping = field_is_set(gsts, SPEC_VTD_GSTS_IRES);
	unit->tables.compatibility = field_is_set(gsts, SPEC_VTD_GSTS_CFIS);
	return err;
}

static int read_registers(struct unit *unit, unsigned needs, struct refusal *why)
{
	const struct unit_registers *registers = unit->registers;
	struct vtd_tables *tables = &unit->tables;
	int err = unit_registers_get(registers, SPEC_VTD_CAP, 64, "the capability register",
				     &tables->cap, why);

	if (!err)
		err = unit_registers_get(registers, SPEC_VTD_ECAP, 64,
					 "the extended capability register", &tables->ecap, why);
	if (!err && (needs & UNIT_NEEDS_TRANSLATION))
		err = unit_registers_get(registers, SPEC_VTD_RTADDR, 64,
					 "the root table address register", &tables->rtaddr, why);
	unit->has_remapping = unit_registers_has(registers, SPEC_VTD_IRTA);
	if (!err && (unit->has_remapping || (needs & UNIT_NEEDS_REMAPPING)))
		err = unit_registers_get(registers, SPEC_VTD_IRTA, 64,
					 "the interrupt remapping table address register",
					 &tables->irta, why);
	return err ? err : read_status(unit, why);
}

static enum midplane_exit read_quirks(const struct call *call, struct unit *unit)
{
	const char *text = call->option[OPTION_QUIRKS];

	unit->tables.quirks = VTD_QUIRKS_NONE;
	if (!text || strcmp(text, "none") == 0)
		return MIDPLANE_OK;
	unit->tables.quirks = VTD_QUIRKS_QEMU72;
	if (strcmp(text, "qemu72") == 0)
		return MIDPLANE_OK;
	midplane_complain(call, "--quirks: '%s' is neither none (the default) nor qemu72", text);
	return MIDPLANE_USAGE;
}

/* A unit's tables may have addresses of fewer bits than MGAW: that is in ACPI's tables, not in a
 * register. */
static enum midplane_exit read_host_width(const struct call *call, struct unit *unit)
{
	const char *text = call->option[OPTION_HOST_WIDTH];
	char *end;
	unsigned long width;

	if (!text)
		return MIDPLANE_OK;
	width = strtoul(text, &end, 10);
	unit->tables.host_width = (uint8_t)width;
	if (text[0] >= '1' && text[0] <= '9' && !*end && width >= 32 && width <= 52)
		return MIDPLANE_OK;
	midplane_complain(call, "--host-width: '%s' is not a number of bits, 32 to 52", text);
	return MIDPLANE_USAGE;
}

enum midplane_exit unit_open(const struct call *call, unsigned needs, struct unit *unit)
{
	struct refusal why;
	enum midplane_exit code;

	memset(unit, 0, sizeof *unit);
	code = read_quirks(call, unit);
	if (!code)
		code = read_host_width(call, unit);
	if (code)
		return code;
	if (unit_registers_load(call->option[OPTION_REGISTERS], &unit->registers, &why) ||
	    read_registers(unit, needs, &why) ||
	    memory_image_open(call->option[OPTION_MEMORY], &unit->image, &why))
		return complain(call, &why);
	unit->memory = memory_image_memory(unit->image);
	unit->tables.memory = &unit->memory;
	return MIDPLANE_OK;
}

enum midplane_exit unit_close(const struct call *call, struct unit *unit, enum midplane_exit code)
{
	int err = unit->image ? memory_image_error(unit->image) : 0;

	if (err) {
		midplane_complain(call,
				  "%s: %s while it was read; the answers are not to be trusted",
				  call->option[OPTION_MEMORY], strerror(-err));
		code = MIDPLANE_REFUSED;
	}
	memory_image_close(unit->image);
	unit_registers_free(unit->registers);
	return code;
}

uint64_t unit_walks_enough(const struct unit *unit)
{
	const struct memory_segment *segments;
	uint64_t bytes = 0;
	unsigned count;

	segments = memory_image_segments(unit->image, &count);
	for (unsigned i = 0; i < count; i++)
		bytes += segments[i].size;
	return min_u64(WALKS_MAX, max_u64(WALKS_MIN, bytes / 2));
}

json_t *iommu_json_hex(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "0x%" PRIx64, value);
	return json_string(text);
}

void iommu_print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

static void print_step(const struct iommu_step *step)
{
	printf("  %s %u at 0x%" PRIx64 "\n   ", step->table, step->index, step->address);
	for (unsigned i = 0; i < step->word_count; i++)
		printf("%s 0x%016" PRIx64, i == 4 ? "\n   " : "", step->words[i]);
	printf("\n    %s\n", step->meaning);
}

static json_t *json_step(const struct iommu_step *step)
{
	json_t *words = json_array();

	for (unsigned i = 0; i < step->word_count; i++)
		json_array_append_new(words, iommu_json_hex(step->words[i]));
	return json_pack("{s:s, s:o, s:i, s:o, s:s}", "table", step->table, "address",
			 iommu_json_hex(step->address), "index", (int)step->index, "words", words,
			 "meaning", step->meaning);
}

static void on_step(void *context, const struct iommu_step *step)
{
	struct steps *steps = context;

	if (steps->list)
		json_array_append_new(steps->list, json_step(step));
	else
		print_step(step);
}

struct iommu_trace steps_trace(struct steps *steps)
{
	steps->list = steps->call->json ? json_array() : NULL;
	return (struct iommu_trace){ on_step, steps };
}
