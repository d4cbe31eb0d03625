#include "prog/conform_json.h"

#include <stdio.h>

static json_t *result_json(const struct conform_result *result)
{
	const struct conform_assertion *assertion = result->assertion;
	char function[16] = "";

	if (result->function)
		snprintf(function, sizeof function, "vf%u", result->function);
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s}", "name", assertion->name, "section",
			 assertion->section, "text", assertion->text, "function", function,
			 "destructive", (int)assertion->destructive, "seen", result->seen,
			 "verdict", conform_verdict_text(result->verdict));
}

json_t *conform_json(const struct conform_report *report)
{
	json_t *assertions = json_array();

	for (unsigned i = 0; i < report->count; i++)
		json_array_append_new(assertions, result_json(&report->results[i]));
	return json_pack("{s:o, s:i, s:i, s:i}", "assertions", assertions, "passed",
			 (int)report->passed, "failed", (int)report->failed, "not_applicable",
			 (int)report->not_applicable);
}
