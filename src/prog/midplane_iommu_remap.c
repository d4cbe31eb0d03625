/* prog/midplane_iommu_remap.c -- iommu remap: what becomes of an interrupt message, or of many. */
#include "prog/midplane_batch.h"
#include "prog/midplane_iommu.h"
#include "prog/midplane_words.h"

#include <inttypes.h>

/* "3", or "-" where no entry was used. */
static void print_index(const struct unit *unit, const struct iommu_message *message,
			const struct iommu_remapped *remapped, char text[16])
{
	if (unit_remap_uses_entry(unit, message))
		snprintf(text, 16, "%u", remapped->index);
	else
		snprintf(text, 16, "-");
}

static bool answer_line(void *context, char *line, char text[BATCH_ANSWER_MAX], struct refusal *why)
{
	const struct unit *unit = context;
	struct iommu_message message;
	struct iommu_remapped remapped;
	char index[16];

	if (!words_parse_message(line, &message, why))
		return false;
	unit_remap(unit, &message, NULL, &remapped);
	print_index(unit, &message, &remapped, index);
	if (remapped.outcome != IOMMU_OK)
		snprintf(text, BATCH_ANSWER_MAX, "blocked\t%u", remapped.reason);
	else if (remapped.posted)
		snprintf(text, BATCH_ANSWER_MAX, "posted\t0x%" PRIx64 "\t0x%x\t%s",
			 remapped.descriptor, remapped.vector, index);
	else
		snprintf(text, BATCH_ANSWER_MAX, "ok\t0x%" PRIx64 "\t0x%x\t%s", remapped.address,
			 remapped.data, index);
	return true;
}

static void print_answer(const struct unit *unit, const struct iommu_remapped *remapped,
			 const char *index)
{
	if (remapped->outcome != IOMMU_OK)
		printf("blocked: reason %u, %s%s\n", remapped->reason,
		       unit_reason_text(unit, remapped->reason),
		       remapped->outcome == IOMMU_SILENT ? "; its entry disables the report" : "");
	else if (remapped->posted)
		printf("posted: vector 0x%x%s into the descriptor at 0x%" PRIx64 ", by entry %s\n",
		       remapped->vector, remapped->urgent ? ", urgent," : "", remapped->descriptor,
		       index);
	else
		printf("ok: 0x%x written to 0x%" PRIx64 ", by entry %s\n", remapped->data,
		       remapped->address, index);
}

static json_t *json_answer(const struct unit *unit, const struct iommu_message *message,
			   const struct iommu_remapped *remapped)
{
	const bool ok = remapped->outcome == IOMMU_OK;
	char source[WORDS_SOURCE_MAX];
	json_t *json;

	words_print_source(message->source, source);
	json = json_pack("{s:s, s:o, s:o, s:s}", "source", source, "message_address",
			 iommu_json_hex(message->address), "message_data",
			 iommu_json_hex(message->data), "outcome",
			 !ok		    ? "blocked"
			 : remapped->posted ? "posted"
					    : "ok");
	if (!ok) {
		json_object_set_new(json, "reason", json_integer(remapped->reason));
		json_object_set_new(json, "text",
				    json_string(unit_reason_text(unit, remapped->reason)));
		return json;
	}
	json_object_set_new(json, "index",
			    unit_remap_uses_entry(unit, message) ? json_integer(remapped->index)
								 : json_null());
	if (remapped->posted) {
		json_object_set_new(json, "descriptor", iommu_json_hex(remapped->descriptor));
		json_object_set_new(json, "vector", json_integer(remapped->vector));
		json_object_set_new(json, "urgent", json_boolean(remapped->urgent));
	} else {
		json_object_set_new(json, "address", iommu_json_hex(remapped->address));
		json_object_set_new(json, "data", iommu_json_hex(remapped->data));
	}
	return json;
}

static void explain(const struct call *call, const struct unit *unit,
		    const struct iommu_message *message)
{
	struct steps steps = { .call = call };
	struct iommu_trace trace = steps_trace(&steps);
	struct iommu_remapped remapped;
	char source[WORDS_SOURCE_MAX], index[16];
	json_t *json;

	words_print_source(message->source, source);
	if (!call->json)
		printf("%s writes 0x%x to 0x%" PRIx64 "\n", source, message->data,
		       message->address);
	unit_remap(unit, message, &trace, &remapped);
	if (!call->json) {
		print_index(unit, message, &remapped, index);
		print_answer(unit, &remapped, index);
		return;
	}
	json = json_answer(unit, message, &remapped);
	json_object_set_new(json, "steps", steps.list);
	iommu_print_json(json);
}

static enum midplane_exit wrong(const struct call *call, const char *option, const char *value,
				const char *wanted)
{
	midplane_complain(call, "--%s: '%s' is not %s", option, value, wanted);
	return MIDPLANE_USAGE;
}

static enum midplane_exit read_question(const struct call *call, struct iommu_message *message)
{
	const char *source = call->option[OPTION_SOURCE];
	const char *address = call->option[OPTION_ADDRESS], *data = call->option[OPTION_DATA];
	uint64_t value = 0;

	if (call->option[OPTION_BATCH]) {
		if (!source && !address && !data)
			return MIDPLANE_OK;
		midplane_complain(call,
				  "--batch reads --source, --address and --data from its lines");
		return MIDPLANE_USAGE;
	}
	if (!source || !address || !data) {
		midplane_complain(call, "wants --%s, or --batch",
				  !source    ? "source"
				  : !address ? "address"
					     : "data");
		return MIDPLANE_USAGE;
	}
	if (!words_parse_source(source, &message->source))
		return wrong(call, "source", source, "a function: BB:DD.F");
	if (!words_parse_address(address, &message->address))
		return wrong(call, "address", address, "an address: hexadecimal, at most 64 bits");
	if (!words_parse_address(data, &value) || value > UINT32_MAX)
		return wrong(call, "data", data, "hexadecimal, at most 32 bits");
	message->data = (uint32_t)value;
	return MIDPLANE_OK;
}

enum midplane_exit midplane_iommu_remap(const struct call *call)
{
	struct iommu_message message;
	enum midplane_exit code = read_question(call, &message);
	struct unit unit;

	if (code)
		return code;
	code = iommu_open(call, UNIT_NEEDS_REMAPPING, &unit);
	if (!code && call->option[OPTION_BATCH])
		code = batch_run(call, answer_line, &unit);
	else if (!code)
		explain(call, &unit, &message);
	return iommu_close(call, &unit, code);
}
