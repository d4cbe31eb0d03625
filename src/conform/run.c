#include "conform/internal.h"
#include "spec/pcie.h"
#include "spec/pcie_sriov.h"

#include <string.h>

static const struct checks *const tables[] = {
	&conform_header,    &conform_intx,  &conform_bars,  &conform_chains, &conform_express,
	&conform_controls,  &conform_power, &conform_msi,   &conform_msix,   &conform_errors,
	&conform_injected,  &conform_isolation, &conform_reset, &conform_sriov, &conform_vfs,
};

enum { ASSERTIONS_MAX = CONFORM_RESULTS_MAX / 2 };

const char *conform_verdict_text(enum conform_verdict verdict)
{
	static const char *const texts[] = { "pass", "fail", "not applicable" };

	return texts[verdict];
}

unsigned conform_assertions(const struct conform_assertion *const **list)
{
	static const struct conform_assertion *all[ASSERTIONS_MAX];
	unsigned count = 0;

	for (unsigned t = 0; t < array_len(tables); t++) {
		for (unsigned i = 0; i < tables[t]->count; i++) {
			must(count < ASSERTIONS_MAX);
			all[count++] = &tables[t]->rows[i].assertion;
		}
	}
	*list = all;
	return count;
}

static void note(struct conform_report *report, const struct conform_assertion *assertion,
		 unsigned function, const struct judgement *judgement)
{
	struct conform_result *result;

	must(report->count < CONFORM_RESULTS_MAX);
	result = &report->results[report->count++];
	*result = (struct conform_result){ .assertion = assertion,
					   .function = function,
					   .verdict = judgement->verdict };
	memcpy(result->seen, judgement->seen, sizeof(result->seen));
	report->passed += result->verdict == CONFORM_PASS;
	report->failed += result->verdict == CONFORM_FAIL;
	report->not_applicable += result->verdict == CONFORM_NOT_APPLICABLE;
}

/* A function that does not answer is judged by that alone: all else would be said of all ones. */
static bool is_there(struct subject *s)
{
	return get(s, SPEC_PCI_HEADER_TYPE, 1) != 0xff;
}

static void judge(struct conform_report *report, struct subject *s, const struct check *check,
		  bool there)
{
	struct judgement j = { .verdict = CONFORM_NOT_APPLICABLE };

	if (check->assertion.destructive && !s->destructive)
		not_applicable(&j, "destructive, and was not asked for");
	else if (!there && check != &conform_header.rows[0])
		not_applicable(&j, "the function does not answer");
	else
		check->judge(s, &j);
	if (s->error) {
		report->error = s->error;
		return;
	}
	note(report, &check->assertion, s->function, &j);
}

static void judge_function(struct conform_report *report, struct subject *s)
{
	bool there = is_there(s);

	for (unsigned t = 0; t < array_len(tables); t++) {
		for (unsigned i = 0; i < tables[t]->count && !report->error; i++)
			judge(report, s, &tables[t]->rows[i], there);
	}
}

/* Enables one VF where there is none yet, judges it, and takes it away again. */
static void judge_vf(struct conform_report *report, struct subject *pf)
{
	struct conform_target *t = pf->target;
	unsigned control = pf->sriov + SPEC_SRIOV_CONTROL, num = pf->sriov + SPEC_SRIOV_NUM_VFS;
	uint32_t before = get(pf, control, 2), count = get(pf, num, 2);
	bool there = before & SPEC_SRIOV_VF_ENABLE && count;
	uint64_t aperture[SPEC_PCI_BARS] = { 0 };
	struct subject vf;

	if (get(pf, pf->sriov + SPEC_SRIOV_TOTAL_VFS, 2) == 0)
		return;
	if (!there && (!pf->destructive || t->keeps_vf_enable))
		return;
	for (unsigned bar = 0; !there && bar < SPEC_PCI_BARS; bar++)
		aperture[bar] = vf_bar_size(pf, bar);
	if (!there) {
		put(pf, num, 2, 1);
		put(pf, control, 2, before | SPEC_SRIOV_VF_ENABLE);
		pause_ms(pf, 100);
	}
	subject_look(&vf, t, 1, there ? CONFORM_GENTLE : CONFORM_DESTRUCTIVE);
	memcpy(vf.aperture, aperture, sizeof vf.aperture);
	judge_function(report, &vf);
	if (!there) {
		put(pf, control, 2, before);
		put(pf, num, 2, count);
	}
}

void conform_run(struct conform_report *report, struct conform_target *target,
		 enum conform_care care)
{
	struct subject s;

	*report = (struct conform_report){ 0 };
	subject_look(&s, target, 0, care);
	if (s.error) {
		report->error = s.error;
		return;
	}
	judge_function(report, &s);
	if (!report->error && s.sriov && target->reaches_vfs)
		judge_vf(report, &s);
	if (s.error)
		report->error = s.error;
}
