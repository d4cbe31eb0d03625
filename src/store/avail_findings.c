#include "store/avail_findings.h"

#include <stdarg.h>
#include <stdio.h>

void avail_finding_print(void *file, const struct avail_finding *finding)
{
	FILE *out = file;

	fprintf(out, "%s:", finding->file);
	if (finding->line)
		fprintf(out, "%u:", finding->line);
	if (finding->what->path[0])
		fprintf(out, " %s:", finding->what->path);
	fprintf(out, "%s %s\n", finding->warning ? " warning:" : "", finding->what->text);
}

bool avail_findings_full(const struct avail_findings *findings)
{
	return findings->found > AVAIL_FINDINGS_MAX;
}

static void show(struct avail_findings *findings, const struct avail_finding *finding)
{
	const struct refusal last = { .text = "there is more; only the first findings are shown" };

	findings->shown++;
	if (!findings->report || findings->shown > AVAIL_FINDINGS_MAX + 1)
		return;
	if (findings->shown <= AVAIL_FINDINGS_MAX)
		findings->report(findings->arg, finding);
	else
		findings->report(findings->arg,
				 &(struct avail_finding){ .file = finding->file, .what = &last });
}

void avail_find_refusal(struct avail_findings *findings, const char *file, unsigned line,
			const struct refusal *what)
{
	findings->found++;
	show(findings, &(struct avail_finding){ file, line, false, what });
}

static void fill(struct refusal *what, const char *path, const char *format, va_list args)
{
	refuse(what, path, "%s", "");
	vsnprintf(what->text, sizeof what->text, format, args);
}

void avail_find(struct avail_findings *findings, const char *file, unsigned line, const char *path,
		const char *format, ...)
{
	struct refusal what;
	va_list args;

	va_start(args, format);
	fill(&what, path, format, args);
	va_end(args);
	avail_find_refusal(findings, file, line, &what);
}

void avail_warn(struct avail_findings *findings, const char *file, unsigned line, const char *path,
		const char *format, ...)
{
	struct refusal what;
	va_list args;

	va_start(args, format);
	fill(&what, path, format, args);
	va_end(args);
	show(findings, &(struct avail_finding){ file, line, true, &what });
}
