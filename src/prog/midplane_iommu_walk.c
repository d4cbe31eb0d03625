/* prog/midplane_iommu_walk.c -- iommu walk: where a DMA leads, level by level, or for many in one
 * run. */
#include "prog/midplane_batch.h"
#include "prog/midplane_iommu.h"
#include "prog/midplane_words.h"

#include <inttypes.h>

enum { PAGE_SHIFT = 12 };

/* Of the page in the tables.  Without tables the smallest there is. */
static unsigned page_shift(const struct iommu_answer *answer)
{
	return answer->table_shift ? answer->table_shift : PAGE_SHIFT;
}

static uint64_t page_size(const struct iommu_answer *answer)
{
	return UINT64_C(1) << page_shift(answer);
}

/* The unit's answer; SILENT without a reason is protected memory. */
static void ask(const struct unit *unit, const struct iommu_request *request,
		const struct iommu_trace *trace, struct iommu_answer *answer)
{
	unit_walk(unit, request, trace, answer);
	if (unit_is_protected(unit, answer)) {
		answer->outcome = IOMMU_SILENT;
		answer->reason = 0;
	}
}

static const char *reason_text(const struct unit *unit, const struct iommu_answer *answer)
{
	return answer->reason ? unit_reason_text(unit, answer->reason)
			      : "protected memory (PMEN) is reached through page tables only";
}

struct walk_batch {
	const struct unit *unit;
	uint32_t pasid;
};

static bool answer_line(void *context, char *line, char text[BATCH_ANSWER_MAX], struct refusal *why)
{
	const struct walk_batch *batch = context;
	struct iommu_request request = { .type = IOMMU_UNTRANSLATED, .pasid = batch->pasid };
	struct iommu_answer answer;

	if (!words_parse_walk(line, &request, why))
		return false;
	ask(batch->unit, &request, NULL, &answer);
	if (answer.outcome == IOMMU_OK)
		snprintf(text, BATCH_ANSWER_MAX, "ok\t0x%" PRIx64 "\t0x%" PRIx64, answer.address,
			 page_size(&answer));
	else if (answer.outcome == IOMMU_FAULT)
		snprintf(text, BATCH_ANSWER_MAX, "fault\t%u", answer.reason);
	else
		snprintf(text, BATCH_ANSWER_MAX, "silent");
	return true;
}

static void print_question(const struct iommu_request *request)
{
	static const char *const verbs[] = { "reaches for", "reads", "writes" };
	char source[WORDS_SOURCE_MAX];

	words_print_source(request->source, source);
	printf("%s %s 0x%" PRIx64, source, verbs[request->access], request->address);
	if (request->pasid != IOMMU_NO_PASID)
		printf(" with PASID %u", request->pasid);
	putchar('\n');
}

static void print_answer(const struct unit *unit, const struct iommu_answer *answer)
{
	char size[16];

	words_print_size(page_shift(answer), size);
	if (answer->outcome == IOMMU_OK)
		printf("ok: 0x%" PRIx64 ", in a page of %s, rights %s, domain %u\n",
		       answer->address, size, words_rights(answer->rights), answer->domain);
	else if (!answer->reason)
		printf("silent: %s\n", reason_text(unit, answer));
	else
		printf("%s: reason %u, %s%s\n", answer->outcome == IOMMU_FAULT ? "fault" : "silent",
		       answer->reason, reason_text(unit, answer),
		       answer->outcome == IOMMU_SILENT ? "; its entry disables the report" : "");
}

static json_t *json_answer(const struct unit *unit, const struct iommu_request *request,
			   const struct iommu_answer *answer)
{
	static const char *const outcomes[] = { "ok", "fault", "silent" };
	static const char *const accesses[] = { "-", "r", "w" };
	char source[WORDS_SOURCE_MAX];
	json_t *json;

	words_print_source(request->source, source);
	json = json_pack("{s:s, s:o, s:s, s:s}", "source", source, "iova",
			 iommu_json_hex(request->address), "access", accesses[request->access],
			 "outcome", outcomes[answer->outcome]);
	json_object_set_new(json, "pasid",
			    request->pasid == IOMMU_NO_PASID ? json_null()
							     : json_integer(request->pasid));
	if (answer->outcome == IOMMU_OK) {
		json_object_set_new(json, "address", iommu_json_hex(answer->address));
		json_object_set_new(json, "page_size", iommu_json_hex(page_size(answer)));
		json_object_set_new(json, "rights", json_string(words_rights(answer->rights)));
		json_object_set_new(json, "domain", json_integer(answer->domain));
	} else {
		json_object_set_new(json, "reason", json_integer(answer->reason));
		json_object_set_new(json, "text", json_string(reason_text(unit, answer)));
	}
	return json;
}

static void explain(const struct call *call, const struct unit *unit,
		    const struct iommu_request *request)
{
	struct steps steps = { .call = call };
	struct iommu_trace trace = steps_trace(&steps);
	struct iommu_answer answer;
	json_t *json;

	if (!call->json)
		print_question(request);
	ask(unit, request, &trace, &answer);
	if (!call->json) {
		print_answer(unit, &answer);
		return;
	}
	json = json_answer(unit, request, &answer);
	json_object_set_new(json, "steps", steps.list);
	iommu_print_json(json);
}

static enum midplane_exit wrong(const struct call *call, const char *option, const char *value,
				const char *wanted)
{
	midplane_complain(call, "--%s: '%s' is not %s", option, value, wanted);
	return MIDPLANE_USAGE;
}

/* The question from the options. */
static enum midplane_exit read_question(const struct call *call, struct iommu_request *request)
{
	const char *source = call->option[OPTION_SOURCE], *iova = call->option[OPTION_IOVA];
	const char *access = call->option[OPTION_ACCESS], *pasid = call->option[OPTION_PASID];
	const bool batch = call->option[OPTION_BATCH] != NULL;

	*request = (struct iommu_request){ .pasid = IOMMU_NO_PASID };
	if (batch && (source || iova || access)) {
		midplane_complain(call,
				  "--batch reads --source, --iova and --access from its lines");
		return MIDPLANE_USAGE;
	}
	if (pasid && !words_parse_pasid(pasid, &request->pasid))
		return wrong(call, "pasid", pasid, "a number of 20 bits");
	if (batch)
		return MIDPLANE_OK;
	if (!source || !iova) {
		midplane_complain(call, "wants --%s, or --batch", source ? "iova" : "source");
		return MIDPLANE_USAGE;
	}
	if (!words_parse_source(source, &request->source))
		return wrong(call, "source", source, "a function: BB:DD.F");
	if (!words_parse_address(iova, &request->address))
		return wrong(call, "iova", iova, "an address: hexadecimal, at most 64 bits");
	if (access && !words_parse_access(access, &request->access))
		return wrong(call, "access", access, "r, w or -");
	return MIDPLANE_OK;
}

enum midplane_exit midplane_iommu_walk(const struct call *call)
{
	struct iommu_request request;
	enum midplane_exit code = read_question(call, &request);
	struct unit unit;

	if (code)
		return code;
	code = iommu_open(call, UNIT_NEEDS_TRANSLATION, &unit);
	if (!code && call->option[OPTION_BATCH])
		code = batch_run(call, answer_line, &(struct walk_batch){ &unit, request.pasid });
	else if (!code)
		explain(call, &unit, &request);
	return iommu_close(call, &unit, code);
}
