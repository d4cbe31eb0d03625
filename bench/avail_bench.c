/* How long an evaluation of a site's availability takes once the file is loaded, after a change:
 *
 *     avail_bench SITE.yaml [SECONDS]
 *
 * mtbf: another MTBF of one card.  member: another card in a redundancy group, with the placement
 * and all that follows from it.  Each is repeated with other cards and groups for SECONDS (default
 * 2); printed are the median and the 99th percentile, in ms. */
#include "avail/measures.h"
#include "fabric/availability.h"
#include "os/heap.h"
#include "store/site_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SAMPLES_MAX = 100000 };
static const char *const stage_words[] = {
	"placement", "model", "check", "open", "solve", "close"
};
enum { STAGES = 6 };
static double stages[STAGES];

static double now_ms(void)
{
	struct timespec at;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
	return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

static double evaluate(struct site *site, struct placement *rows)
{
	struct avail_memory memory = { HEAP_MEMORY };
	struct avail_model model;
	struct site_model_notes notes;
	struct avail_service *service;
	struct avail_answer answer;
	struct refusal why = { .path = "" };
	double t[STAGES + 1];

	t[0] = now_ms();
	must(placement_make(site, rows, &why) == 0);
	t[1] = now_ms();
	must(avail_model_init(&model, &memory, site->name) == 0);
	must(site_model_build(&model, site, rows, NULL, &notes) == 0);
	t[2] = now_ms();
	must(avail_model_check(&model, &why) == 0);
	t[3] = now_ms();
	must(avail_service_open(&service, &model, model.tops[notes.site_top].down, NULL, &why) ==
	     0);
	t[4] = now_ms();
	must(avail_service_steady(service, NULL, NULL, &answer, &why) == 0);
	t[5] = now_ms();
	avail_service_close(service);
	avail_model_fini(&model);
	t[6] = now_ms();
	for (unsigned i = 0; i < STAGES; i++)
		stages[i] += t[i + 1] - t[i];
	return answer.unavailability.value;
}

int main(int argc, char **argv)
{
	struct site *site;
	struct placement *rows;
	double begun = now_ms(), loaded, seconds = argc > 2 ? atof(argv[2]) : 2, u = 0;
	unsigned count = 0;

	if (argc < 2 || site_file_load(argv[1], &site, site_file_print, stderr) != 0)
		return 1;
	rows = calloc(placement_count(site), sizeof *rows);
	loaded = now_ms();
	while (now_ms() - loaded < seconds * 1e3 || count == 0) {
		u = evaluate(site, rows);
		count++;
	}
	printf("load %.3f ms; evaluation %.3f ms (%u):", loaded - begun,
	       (now_ms() - loaded) / count, count);
	for (unsigned i = 0; i < STAGES; i++)
		printf(" %s %.3f", stage_words[i], stages[i] / count);
	printf(" u %.17g\n", u);
	free(rows);
	site_file_free(site);
	return 0;
}
