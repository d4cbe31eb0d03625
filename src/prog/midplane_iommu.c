/* prog/midplane_iommu.c -- opens the unit that the iommu commands ask, and tells the steps of a
 * walk. */
#include "prog/midplane_iommu.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static enum midplane_exit complain(const struct call *call, const struct refusal *why)
{
	midplane_complain(call, "%s: %s", why->path, why->text);
	return MIDPLANE_REFUSED;
}

static enum midplane_exit read_format(const struct call *call, struct unit *unit)
{
	const char *text = call->option[OPTION_FORMAT];

	unit->format = text && strcmp(text, "amd") == 0 ? UNIT_AMD : UNIT_VTD;
	if (!text || unit->format == UNIT_AMD || strcmp(text, "vtd") == 0)
		return MIDPLANE_OK;
	midplane_complain(call, "--format: '%s' is neither vtd (the default) nor amd", text);
	return MIDPLANE_USAGE;
}

static enum midplane_exit read_quirks(const struct call *call, struct unit *unit)
{
	const char *text = call->option[OPTION_QUIRKS];

	unit->vtd.quirks = VTD_QUIRKS_NONE;
	if (!text || strcmp(text, "none") == 0)
		return MIDPLANE_OK;
	if (unit->format == UNIT_AMD) {
		midplane_complain(call, "--quirks: there are none for --format amd");
		return MIDPLANE_USAGE;
	}
	unit->vtd.quirks = VTD_QUIRKS_QEMU72;
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
	if (text[0] >= '1' && text[0] <= '9' && !*end && width >= 32 && width <= 52) {
		unit_set_host_width(unit, (unsigned)width);
		return MIDPLANE_OK;
	}
	midplane_complain(call, "--host-width: '%s' is not a number of bits, 32 to 52", text);
	return MIDPLANE_USAGE;
}

static enum midplane_exit open_files(const struct call *call, unsigned needs, struct unit *unit)
{
	struct unit_registers *registers;
	struct refusal why;
	int err = unit_registers_load(call->option[OPTION_REGISTERS], &registers, &why);

	if (!err)
		err = unit_read_registers(unit, registers, needs, &why);
	if (!err)
		err = unit_open_image(unit, call->option[OPTION_MEMORY], &why);
	unit_registers_free(registers);
	return err ? complain(call, &why) : MIDPLANE_OK;
}

enum midplane_exit iommu_open(const struct call *call, unsigned needs, struct unit *unit)
{
	enum midplane_exit code;

	memset(unit, 0, sizeof *unit);
	code = read_format(call, unit);
	if (!code)
		code = read_quirks(call, unit);
	if (!code)
		code = read_host_width(call, unit);
	return code ? code : open_files(call, needs, unit);
}

enum midplane_exit iommu_close(const struct call *call, struct unit *unit, enum midplane_exit code)
{
	int err = unit->image ? memory_image_error(unit->image) : 0;

	if (err) {
		midplane_complain(call,
				  "%s: %s while it was read; the answers are not to be trusted",
				  call->option[OPTION_MEMORY], strerror(-err));
		code = MIDPLANE_REFUSED;
	}
	unit_fini(unit);
	return code;
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
