/* What each event and each unit matters, the most costly first. */
#include "prog/avail_answer_parts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* By what it costs, then by position: the same on every run. */
static int compare(const void *a, const void *b)
{
	const struct avail_importance *x = a, *y = b;

	if (x->minutes_a_year != y->minutes_a_year)
		return x->minutes_a_year < y->minutes_a_year ? 1 : -1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static json_t *row_json(const struct avail_importance *row)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "minutes_a_year",
			 avail_real(row->minutes_a_year), "unavailability",
			 avail_real(row->unavailability), "birnbaum", avail_real(row->birnbaum),
			 "criticality", avail_real(row->criticality), "fussell_vesely",
			 avail_real(row->fussell_vesely), "risk_achievement_worth",
			 avail_real(row->risk_achievement), "risk_reduction_worth",
			 avail_real(row->risk_reduction));
}

static void put_events(json_t *out, struct avail_work *work, struct avail_importance *rows)
{
	const struct avail_flat *flat = avail_dynamic_flat(avail_service_dynamic(work->service));
	uint32_t count = avail_dynamic_leaf_count(avail_service_dynamic(work->service));
	json_t *list = json_array();

	qsort(rows, count, sizeof *rows, compare);
	for (uint32_t i = 0; i < count; i++) {
		const struct avail_leaf *leaf = &flat->leaves[rows[i].index];
		json_t *row = row_json(&rows[i]);

		json_object_set_new(row, "event", json_string(leaf->name));
		if (leaf->fru != AVAIL_NONE)
			json_object_set_new(row, "fru",
					    json_string(work->c->model.frus[leaf->fru].name));
		json_array_append_new(list, row);
	}
	json_object_set_new(out, "importance", list);
}

static void put_frus(json_t *out, struct avail_work *work, struct avail_importance *rows)
{
	const struct avail_model *model = &work->c->model;
	json_t *list = json_array();

	qsort(rows, model->fru_count, sizeof *rows, compare);
	for (uint32_t i = 0; i < model->fru_count; i++) {
		const struct avail_fru *fru = &model->frus[rows[i].index];
		json_t *row;

		if (rows[i].birnbaum == 0)
			continue;
		row = row_json(&rows[i]);
		json_object_set_new(row, "fru", json_string(fru->name));
		json_object_set_new(row, "kind", json_string(fru->kind));
		json_array_append_new(list, row);
	}
	json_object_set_new(out, "frus", list);
}

int avail_put_importance(json_t *out, struct avail_work *work)
{
	uint32_t leaves = avail_dynamic_leaf_count(avail_service_dynamic(work->service));
	uint32_t most = leaves > work->c->model.fru_count ? leaves : work->c->model.fru_count;
	struct avail_importance *rows = calloc(most + 1, sizeof *rows);
	int err;

	if (!rows)
		return -ENOMEM;
	err = avail_service_importance(work->service, NULL, rows, work->why);
	if (!err)
		put_events(out, work, rows);
	if (!err && work->c->model.fru_count) {
		err = avail_service_fru_importance(work->service, NULL, rows, work->why);
		if (!err)
			put_frus(out, work, rows);
	}
	free(rows);
	if (err == -ENOTSUP || err == -EINTR || err == -EDQUOT) {
		avail_note(work, "importance is not known where the answer is not exact");
		err = 0;
	}
	return err;
}

int avail_put_frequency(json_t *out, struct avail_work *work)
{
	struct avail_sample sample;
	double frequency;
	int err;

	if (work->top.frequency == AVAIL_NONE)
		return 0;
	err = avail_sample_init(&sample, &work->c->model, work->c->model.mission_h);
	if (err)
		return err;
	frequency = avail_expression_value(&sample, work->top.frequency);
	avail_sample_fini(&sample);
	json_object_set_new(out, "sequence",
			    json_pack("{s:s?, s:s?, s:o, s:o}", "initiating_event",
				      work->top.initiating, "name", work->top.sequence,
				      "initiating_frequency", avail_real(frequency), "frequency",
				      avail_real(frequency * work->steady.unavailability.value)));
	return 0;
}
