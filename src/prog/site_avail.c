#include "prog/site_avail.h"

#include "avail/measures.h"
#include "os/clock.h"
#include "os/log.h"
#include "prog/avail_case.h"
#include "prog/avail_clock.h"
#include "prog/avail_within.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	COSTS = 10,
	TOLD_MOST = 8, /* systems whose figures changed at once that have an event each */
};

/* One unit's share. */
struct cost {
	char fru[2 * SITE_NAME_MAX + 8], kind[24];
	double minutes_a_year;
};

/* One service's figures. */
struct figures {
	bool known;
	struct avail_answer design, now;
	struct cost cost[COSTS]; /* as it stands; the most costly first */
	unsigned cost_count;
};

/* One calculation, on the pool. */
struct job {
	uv_work_t work;
	struct site_avail *avail; /* NULL: nobody waits for it any more */
	struct site *site;	  /* only read */
	bool card_failed[SITE_CARDS_MAX];
	_Atomic bool abandoned;
	struct avail_clock clock;
	struct figures *figures;
	unsigned count;
	struct site_model_notes notes;
	struct refusal why;
	int err;
};

struct site_avail {
	struct site_run *run;
	struct job *job;		  /* going on; NULL: none */
	bool card_failed[SITE_CARDS_MAX]; /* of the last calculation that was begun */
	uv_timer_t *rest;		  /* active: one has just ended, the next has to wait */
	struct figures *figures;
	unsigned count;
	struct site_model_notes notes;
	uint64_t calculated_wall_ns; /* 0: never yet */
};

/* The calculation. */

static bool go_on(void *context)
{
	struct job *job = context;

	/* relaxed: it only has to be seen some time */
	return !atomic_load_explicit(&job->abandoned, memory_order_relaxed) &&
	       avail_clock_go_on(&job->clock);
}

static int compare_costs(const void *a, const void *b)
{
	const struct avail_importance *x = a, *y = b;

	if (x->minutes_a_year != y->minutes_a_year)
		return x->minutes_a_year < y->minutes_a_year ? 1 : -1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Keeps the units that cost most; none where they cannot be known. */
static int keep_costs(const struct avail_case *c, struct avail_service *service,
		      struct figures *figures)
{
	struct avail_importance *rows = calloc(c->model.fru_count + 1, sizeof *rows);
	int err = rows ? avail_service_fru_importance(service, NULL, rows, NULL) : -ENOMEM;

	if (!err)
		qsort(rows, c->model.fru_count, sizeof *rows, compare_costs);
	for (uint32_t i = 0; !err && i < c->model.fru_count && figures->cost_count < COSTS; i++) {
		const struct avail_fru *fru = &c->model.frus[rows[i].index];
		struct cost *cost = &figures->cost[figures->cost_count];

		if (!(rows[i].minutes_a_year > 0))
			break;
		snprintf(cost->fru, sizeof cost->fru, "%s", fru->name);
		snprintf(cost->kind, sizeof cost->kind, "%s", fru->kind);
		cost->minutes_a_year = rows[i].minutes_a_year;
		figures->cost_count++;
	}
	free(rows);
	return err == -ENOTSUP || err == -EINTR || err == -EDQUOT ? 0 : err;
}

enum state { BY_DESIGN, AS_IT_STANDS };

static int solve(struct job *job, const struct avail_case *c, unsigned top, enum state state)
{
	struct figures *figures = &job->figures[top];
	struct avail_service_budget budget = { .diagram = { .go_on = go_on, .context = job },
					       .chains = { .go_on = go_on, .context = job } };
	struct avail_service *service;
	int err;

	job->clock = avail_clock_start(SITE_AVAIL_SECONDS);
	err = avail_open_within(&service, &c->model, c->model.tops[top].down, &budget,
				state == BY_DESIGN ? &figures->design : &figures->now, &job->why);
	if (err)
		return err;
	if (state == AS_IT_STANDS &&
	    (job->count <= SITE_AVAIL_COSTS_SYSTEMS || top + 1 == job->count))
		err = keep_costs(c, service, figures);
	figures->known = !err && state == AS_IT_STANDS;
	avail_service_close(service);
	return err;
}

static int solve_all(struct job *job, enum state state)
{
	struct avail_case *c;
	int err = avail_case_of_site(&c, job->site, SITE_AVAIL_MEMORY_BYTES,
				     state == BY_DESIGN ? NULL : job->card_failed, &job->why);

	if (err)
		return err;
	must(c->model.top_count == job->count);
	job->notes = c->notes;
	for (unsigned i = 0; i < job->count && !err; i++)
		err = solve(job, c, i, state);
	avail_case_close(c);
	return err;
}

/* A calculation begins when a card has failed, which is when the workers need the CPU most: it
 * takes what nobody else wants. */
static void on_pool(uv_work_t *work)
{
	static const struct sched_param none;
	struct job *job = work->data;

	if (sched_setscheduler(0, SCHED_IDLE, &none) != 0)
		log_debug("prog", "the availability is calculated at ordinary priority");
	job->err = solve_all(job, BY_DESIGN);
	if (!job->err)
		job->err = solve_all(job, AS_IT_STANDS);
	sched_setscheduler(0, SCHED_OTHER, &none); /* best effort: the thread belongs to the pool */
}

/* What comes of it. */

static void free_job(struct job *job)
{
	free(job->figures);
	free(job);
}

static double middle(const struct avail_answer *a)
{
	return a->quality == AVAIL_EXACT ? a->unavailability.value
					 : (a->unavailability.lower + a->unavailability.upper) / 2;
}

static double minutes(const struct avail_answer *a)
{
	return middle(a) * AVAIL_MINUTES_A_YEAR;
}

struct change {
	unsigned system;
	double was, is; /* minutes a year */
};

static int compare_changes(const void *a, const void *b)
{
	const struct change *x = a, *y = b;
	double first = fabs(x->is - x->was), second = fabs(y->is - y->was);

	if (first != second)
		return first < second ? 1 : -1;
	return x->system < y->system ? -1 : x->system > y->system;
}

static void tell_change(struct site_avail *avail, const struct change *change)
{
	char object[TREE_NAME_MAX];

	snprintf(object, sizeof object, "system %s", site_avail_name(avail, change->system));
	events_add(&avail->run->events, "availability", object,
		   "is out %.4g minutes a year as the site stands; it was %.4g, and is %.4g with "
		   "every card in service",
		   change->is, change->was, minutes(&avail->figures[change->system].design));
	events_publish(&avail->run->events);
}

/* Tells of figures that are not what they were, the greatest changes first; of many in one event,
 * so that they do not drive all others out of the list. */
static void tell_changes(struct site_avail *avail, const struct figures *before)
{
	struct change *changes = calloc(avail->count, sizeof *changes);
	unsigned count = 0;

	for (unsigned i = 0; changes && i + 1 < avail->count; i++) {
		const struct figures *now = &avail->figures[i];
		double was = minutes(before ? &before[i].now : &now->design),
		       is = minutes(&now->now);

		if (fabs(is - was) > 1e-3 * was)
			changes[count++] = (struct change){ i, was, is };
	}
	if (count)
		qsort(changes, count, sizeof *changes, compare_changes);
	for (unsigned i = 0; i < count && i < TOLD_MOST; i++)
		tell_change(avail, &changes[i]);
	if (count > TOLD_MOST) {
		events_add(&avail->run->events, "availability", "site",
			   "%u more systems have other figures than before: midplane avail list",
			   count - TOLD_MOST);
		events_publish(&avail->run->events);
	}
	free(changes);
}

static void on_rested(uv_timer_t *timer)
{
	site_avail_look(timer->data);
}

static void on_done(uv_work_t *work, int status)
{
	struct job *job = work->data;
	struct site_avail *avail = job->avail;
	struct figures *before;

	if (!avail) {
		free_job(job);
		return;
	}
	avail->job = NULL;
	if (status || job->err) {
		log_warning("prog", "the availability was not calculated: %s%s%s",
			    job->why.text[0] ? job->why.text
					     : strerror(job->err ? -job->err : -status),
			    job->why.path[0] ? " at " : "", job->why.path);
	} else {
		before = avail->calculated_wall_ns ? avail->figures : NULL;
		avail->figures = job->figures;
		job->figures = before;
		avail->notes = job->notes;
		tell_changes(avail, before);
		avail->calculated_wall_ns = clock_wall_ns();
	}
	free_job(job);
	must(uv_timer_start(avail->rest, on_rested, SITE_AVAIL_REST_MS, 0) == 0);
}

static void begin(struct site_avail *avail)
{
	struct job *job;

	if (!avail->run->site->systems_count)
		return; /* nobody's availability */
	job = calloc(1, sizeof *job);
	if (job)
		job->figures = calloc(avail->count, sizeof *job->figures);
	if (!job || !job->figures) {
		free(job);
		log_warning("prog", "no memory to calculate the availability");
		return;
	}
	job->work.data = job;
	job->avail = avail;
	job->site = (struct site *)avail->run->site;
	job->count = avail->count;
	memcpy(job->card_failed, avail->card_failed, sizeof job->card_failed);
	avail->job = job;
	must(uv_queue_work(avail->run->loop, &job->work, on_pool, on_done) == 0);
}

/* Which cards are out, and whether the last calculation that was begun knew other ones. */
static bool is_changed(const struct site_avail *avail, bool failed[SITE_CARDS_MAX])
{
	memset(failed, 0, SITE_CARDS_MAX * sizeof *failed);
	for (unsigned i = 0; i < avail->run->card_count; i++)
		failed[i] =
			failover_card_state(&avail->run->failover, i) != FAILOVER_CARD_IN_SERVICE;
	return memcmp(failed, avail->card_failed, sizeof avail->card_failed) != 0;
}

void site_avail_look(struct site_avail *avail)
{
	bool failed[SITE_CARDS_MAX];

	if (avail->job || uv_is_active((uv_handle_t *)avail->rest) || !is_changed(avail, failed))
		return; /* it is looked again after the rest */
	memcpy(avail->card_failed, failed, sizeof failed);
	begin(avail);
}

int site_avail_create(struct site_avail **out, struct site_run *run)
{
	struct site_avail *avail = calloc(1, sizeof *avail);
	bool failed[SITE_CARDS_MAX];

	if (avail)
		avail->rest = malloc(sizeof *avail->rest);
	if (!avail || !avail->rest) {
		free(avail);
		return -ENOMEM;
	}
	avail->run = run;
	avail->count = run->site->systems_count + 1;
	must(uv_timer_init(run->loop, avail->rest) == 0);
	avail->rest->data = avail;
	if (is_changed(avail, failed))
		memcpy(avail->card_failed, failed, sizeof failed);
	begin(avail);
	*out = avail;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

void site_avail_destroy(struct site_avail *avail)
{
	if (!avail)
		return;
	uv_close((uv_handle_t *)avail->rest, on_closed);
	if (avail->job) {
		avail->job->avail = NULL;
		atomic_store_explicit(&avail->job->abandoned, true, memory_order_relaxed);
	}
	free(avail->figures);
	free(avail);
}

/* The view. */

unsigned site_avail_count(const struct site_avail *avail)
{
	return avail->count;
}

const char *site_avail_name(const struct site_avail *avail, unsigned index)
{
	return index + 1 == avail->count ? "site" : avail->run->site->systems[index].name;
}

static void put_number(struct tree_out *out, const char *name, double value)
{
	if (isfinite(value))
		tree_put_number(out, name, value);
}

static void put_costs(const struct figures *figures, struct tree_out *out)
{
	tree_put_rows(out, "costs");
	for (unsigned i = 0; i < figures->cost_count; i++) {
		tree_row_begin(out, "costs");
		tree_put_text(out, "fru", figures->cost[i].fru);
		tree_put_text(out, "kind", figures->cost[i].kind);
		tree_put_number(out, "minutes_a_year", figures->cost[i].minutes_a_year);
		tree_row_end(out);
	}
}

static void put_out_now(const struct site_avail *avail, struct tree_out *out)
{
	tree_put_list(out, "cards_out");
	for (unsigned i = 0; i < avail->run->card_count; i++)
		if (avail->card_failed[i])
			tree_put_item(out, "cards_out", avail->run->cards[i].place.card->name);
}

void site_avail_describe(const struct site_avail *avail, unsigned index, struct tree_out *out)
{
	const struct figures *figures = avail->figures ? &avail->figures[index] : NULL;
	bool failed[SITE_CARDS_MAX];
	char time[32];

	put_out_now(avail, out);
	tree_put_boolean(out, "calculating", avail->job || is_changed(avail, failed));
	if (!figures || !figures->known)
		return;
	clock_format(avail->calculated_wall_ns, time);
	tree_put_text(out, "calculated", time);
	put_number(out, "minutes_a_year", minutes(&figures->design));
	put_number(out, "minutes_a_year_now", minutes(&figures->now));
	put_number(out, "unavailability", middle(&figures->design));
	put_number(out, "unavailability_now", middle(&figures->now));
	put_number(out, "nines", -log10(middle(&figures->design)));
	put_number(out, "outages_a_year", figures->design.outages_a_year);
	put_number(out, "mtbf_h", figures->design.mtbf_h);
	put_number(out, "mttr_h", figures->design.mttr_h);
	tree_put_boolean(out, "exact",
			 figures->design.quality == AVAIL_EXACT &&
				 figures->now.quality == AVAIL_EXACT);
	tree_put_integer(out, "units_presumed", avail->notes.presumed);
	put_costs(figures, out);
}
