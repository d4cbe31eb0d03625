#include "prog/conform_report.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { INDENT = 16 };

static const char *word(const json_t *result, const char *key)
{
	const char *text = json_string_value(json_object_get(result, key));

	return text ? text : "";
}

static int number(const json_t *report, const char *key)
{
	return (int)json_integer_value(json_object_get(report, key));
}

/* Words of 'text' after what stands in column 'at', on further lines where they do not fit: the column then. */
static size_t print_wrapped(FILE *out, const char *text, size_t at)
{
	while (*text) {
		size_t size = strcspn(text, " ");

		if (at > INDENT && at + 1 + size > CONFORM_REPORT_COLUMNS) {
			fprintf(out, "\n%*s", INDENT, "");
			at = INDENT;
		} else if (at > INDENT) {
			fputc(' ', out);
			at++;
		}
		fwrite(text, 1, size, out);
		at += size;
		text += size;
		text += strspn(text, " ");
	}
	return at;
}

/* "vf1/msix.entry" of a VF that was judged with its PF. */
static int print_name(FILE *out, const json_t *result)
{
	const char *function = word(result, "function");

	return fprintf(out, "%s%s%s", function, *function ? "/" : "", word(result, "name"));
}

static void print_assertion(FILE *out, const json_t *result)
{
	char rule[512];
	int width;

	fprintf(out, "%-*s", INDENT, word(result, "verdict"));
	width = print_name(out, result);
	fprintf(out, "%*s  %s\n%*s", width < 30 ? 30 - width : 0, "", word(result, "section"), INDENT, "");
	snprintf(rule, sizeof rule, "%s:", word(result, "text"));
	print_wrapped(out, word(result, "seen"), print_wrapped(out, rule, INDENT));
	fputc('\n', out);
}

void conform_report_text(FILE *out, const json_t *report, const char *target)
{
	const json_t *list = json_object_get(report, "assertions"), *result;
	size_t i;

	json_array_foreach(list, i, result)
		print_assertion(out, result);
	json_array_foreach(list, i, result)
	{
		if (strcmp(word(result, "verdict"), "fail") != 0)
			continue;
		fputs("failed: ", out);
		print_name(out, result);
		fputc('\n', out);
	}
	fprintf(out, "%s: %d passed, %d failed, %d not applicable\n", target, number(report, "passed"),
		number(report, "failed"), number(report, "not_applicable"));
}

/* Text inside XML: markup is escaped, and what XML or its encoding may not hold becomes a question mark. */
static void print_xml(FILE *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (strchr("<>&\"", c))
			fprintf(out, "&#%d;", c);
		else
			fputc(c >= ' ' && c < 0x7f ? c : '?', out);
	}
}

static void print_outcome(FILE *out, const json_t *result)
{
	bool failed = strcmp(word(result, "verdict"), "fail") == 0;

	fputs(failed ? "<failure type=\"nonconformance\" message=\"" : "<skipped message=\"", out);
	print_xml(out, word(result, "seen"));
	fputs(" (", out);
	print_xml(out, word(result, "section"));
	fputs(": ", out);
	print_xml(out, word(result, "text"));
	fputs(")\"/>", out);
}

static void print_case(FILE *out, const json_t *result, const char *target)
{
	const char *function = word(result, "function");

	fputs("  <testcase classname=\"", out);
	print_xml(out, target);
	fputs(*function ? "/" : "", out);
	print_xml(out, function);
	fputs("\" name=\"", out);
	print_xml(out, word(result, "name"));
	fputs("\" time=\"0\">", out);
	if (strcmp(word(result, "verdict"), "pass") != 0)
		print_outcome(out, result);
	fputs("</testcase>\n", out);
}

static void print_property(FILE *out, const char *name, const char *value)
{
	fprintf(out, "    <property name=\"%s\" value=\"", name);
	print_xml(out, value);
	fputs("\"/>\n", out);
}

void conform_report_junit(FILE *out, const json_t *report, const struct conform_occasion *occasion)
{
	const json_t *list = json_object_get(report, "assertions"), *result;
	char host[256] = "", when[32] = "1970-01-01T00:00:00";
	struct tm utc;
	size_t i;

	if (gethostname(host, sizeof host - 1) || !*host)
		snprintf(host, sizeof host, "localhost");
	if (gmtime_r(&occasion->when, &utc))
		strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuite name=\"midplane conform\" timestamp=\"%s\" tests=\"%zu\" failures=\"%d\" "
		"errors=\"0\" skipped=\"%d\" time=\"%.6f\" hostname=\"",
		when, json_array_size(list), number(report, "failed"), number(report, "not_applicable"),
		occasion->took_s);
	print_xml(out, host);
	fputs("\">\n  <properties>\n", out);
	print_property(out, "target", occasion->target);
	print_property(out, "standard", "PCI Express Base Specification 5.0");
	fputs("  </properties>\n", out);
	json_array_foreach(list, i, result)
		print_case(out, result, occasion->target);
	fputs("  <system-out/>\n  <system-err/>\n</testsuite>\n", out);
}
