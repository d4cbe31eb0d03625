/* How long an evaluation of a site's availability takes once the file is loaded, after a change:
 *
 *     avail_bench SITE.yaml [SECONDS]
 *
 * mtbf: another MTBF of one card, on the service that is open.  member: another card in a
 * redundancy group: with the placement, the model and the diagrams that follow from it.  Each is
 * repeated over cards and groups for SECONDS (default 2).  Printed as JSON, times in ms of CPU. */
#include "avail/measures.h"
#include "fabric/availability.h"
#include "os/heap.h"
#include "store/site_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SAMPLES_MAX = 100000 };

struct samples {
	double ms[SAMPLES_MAX];
	unsigned count;
	double least, most; /* unavailability, over all changes */
};

/* A site with its model and an open service. */
struct bench {
	struct site *site;
	struct placement *rows;
	struct avail_memory memory;
	struct avail_model model;
	struct site_model_notes notes;
	struct avail_service *service;
};

static double now_ms(void)
{
	struct timespec at;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

static void open_all(struct bench *b)
{
	struct refusal why = { .path = "" };

	must(placement_make(b->site, b->rows, &why) == 0);
	must(avail_model_init(&b->model, &b->memory, b->site->name) == 0);
	must(site_model_build(&b->model, b->site, b->rows, NULL, &b->notes) == 0);
	must(avail_model_check(&b->model, &why) == 0);
	must(avail_service_open(&b->service, &b->model, b->model.tops[b->notes.site_top].down, NULL,
				&why) == 0);
}

static void close_all(struct bench *b)
{
	avail_service_close(b->service);
	avail_model_fini(&b->model);
}

static double solve(struct bench *b, struct avail_sample *sample)
{
	struct refusal why = { .path = "" };
	struct avail_answer answer;

	must(avail_service_steady(b->service, sample, NULL, &answer, &why) == 0);
	return answer.quality == AVAIL_EXACT
		       ? answer.unavailability.value
		       : (answer.unavailability.lower + answer.unavailability.upper) / 2;
}

static void note(struct samples *s, double begun_ms, double unavailability)
{
	s->ms[s->count++] = now_ms() - begun_ms;
	s->least = s->count == 1 || unavailability < s->least ? unavailability : s->least;
	s->most = s->count == 1 || unavailability > s->most ? unavailability : s->most;
}

/* Halves the MTBF of one card after the other. */
static void bench_mtbf(struct bench *b, double seconds, struct samples *s)
{
	double begun = now_ms();
	struct avail_sample sample;

	open_all(b);
	must(avail_sample_init(&sample, &b->model, b->model.mission_h) == 0);
	solve(b, &sample);
	for (uint32_t e = 0; now_ms() - begun < seconds * 1e3 && s->count < SAMPLES_MAX; e++) {
		const struct avail_event *event = &b->model.events[e % b->model.event_count];
		double *rate = &b->model.expressions[event->failure_rate].number, at;

		if (strncmp(event->name, "card ", 5) != 0)
			continue;
		at = now_ms();
		*rate *= 2;
		avail_sample_draw(&sample, 0, b->model.mission_h);
		note(s, at, solve(b, &sample));
		*rate /= 2;
	}
	avail_sample_fini(&sample);
	close_all(b);
}

static bool has(const struct site_group *group, const char *card)
{
	for (unsigned i = 0; i < group->cards_count; i++)
		if (strcmp(group->cards[i], card) == 0)
			return true;
	return false;
}

/* Puts one card of the pool after the other into one group after the other. */
static void bench_member(struct bench *b, double seconds, struct samples *s)
{
	double begun = now_ms();

	for (unsigned n = 0; now_ms() - begun < seconds * 1e3 && s->count < SAMPLES_MAX; n++) {
		struct site_group *group = &b->site->groups[n % b->site->groups_count];
		const struct site_pool *pool =
			&b->site->pools[n % b->site->groups_count * b->site->pools_count /
					b->site->groups_count];
		char *card = pool->cards[n / b->site->groups_count % pool->cards_count];
		char *before = group->cards[0];
		double at = now_ms();

		if (has(group, card))
			continue;
		group->cards[0] = card;
		open_all(b);
		note(s, at, solve(b, NULL));
		close_all(b);
		group->cards[0] = before;
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print(const char *name, struct samples *s)
{
	qsort(s->ms, s->count, sizeof *s->ms, compare);
	printf(", \"%s\": {\"evaluations\": %u, \"median_ms\": %.4f, \"p99_ms\": %.4f, "
	       "\"least\": %.17g, \"most\": %.17g}",
	       name, s->count, s->count ? s->ms[s->count / 2] : 0,
	       s->count ? s->ms[s->count * 99 / 100] : 0, s->least, s->most);
}

int main(int argc, char **argv)
{
	static struct samples mtbf, member;
	struct bench b = { .memory = { HEAP_MEMORY } };
	double begun = now_ms(), loaded, seconds = argc > 2 ? atof(argv[2]) : 2;

	if (argc < 2 || site_file_load(argv[1], &b.site, site_file_print, stderr) != 0)
		return 1;
	loaded = now_ms();
	b.rows = calloc(placement_count(b.site) + 1, sizeof *b.rows);
	must(b.rows);
	bench_mtbf(&b, seconds, &mtbf);
	bench_member(&b, seconds, &member);
	printf("{\"units\": %u, \"load_ms\": %.3f, \"memory_mb\": %.1f", b.notes.units,
	       loaded - begun, (double)b.memory.peak / 1e6);
	print("mtbf", &mtbf);
	print("member", &member);
	printf("}\n");
	free(b.rows);
	site_file_free(b.site);
	return 0;
}
