#include "avail/top.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void refer(const struct avail_term *term, uint8_t *referred)
{
	if (term->kind == AVAIL_TERM_GATE)
		referred[term->index] = 1;
}

/* A gate that refers to itself is referred to by no other; the check of the model names the cycle.
 */
static void refer_all(const struct avail_model *model, uint8_t *referred)
{
	for (uint32_t i = 0; i < model->gate_count; i++) {
		const struct avail_gate *gate = &model->gates[i];

		for (uint32_t a = 0; a < gate->count; a++)
			refer(&model->terms[gate->first + a], referred);
	}
	for (uint32_t i = 0; i < model->share_count; i++)
		refer(&model->shares[i].down, referred);
	for (uint32_t i = 0; i < model->capacity_count; i++)
		refer(&model->capacities[i].down, referred);
	for (uint32_t i = 0; i < model->top_count; i++)
		refer(&model->tops[i].down, referred);
}

int avail_top_add_roots(struct avail_model *model)
{
	uint8_t *referred = avail_take(model->memory, (size_t)model->gate_count + 1, 1);
	int err = referred ? 0 : -ENOMEM;

	if (!err)
		refer_all(model, referred);
	for (uint32_t i = 0; i < model->gate_count && !err; i++) {
		struct avail_term down = { .kind = AVAIL_TERM_GATE, .index = i };

		if (!referred[i] && model->gates[i].name &&
		    avail_model_top(model, model->gates[i].name, down) == AVAIL_NONE)
			err = -ENOMEM;
	}
	avail_give(model->memory, referred, (size_t)model->gate_count + 1, 1);
	return err;
}

/* Lists the names of the tops, as far as there is room. */
static void list_tops(const struct avail_model *model, char *text, size_t size)
{
	size_t used = 0;

	text[0] = 0;
	for (uint32_t i = 0; i < model->top_count; i++) {
		if (used + strlen(model->tops[i].name) + 8 > size) {
			snprintf(text + used, size - used, ", ...");
			return;
		}
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
					 model->tops[i].name);
	}
}

static bool term_named(const struct avail_model *model, const char *name, struct avail_term *term)
{
	for (uint32_t i = 0; i < model->gate_count; i++) {
		if (model->gates[i].name && strcmp(model->gates[i].name, name) == 0) {
			*term = (struct avail_term){ .kind = AVAIL_TERM_GATE, .index = i };
			return true;
		}
	}
	for (uint32_t i = 0; i < model->event_count; i++) {
		if (model->events[i].name && strcmp(model->events[i].name, name) == 0) {
			*term = (struct avail_term){ .kind = AVAIL_TERM_EVENT, .index = i };
			return true;
		}
	}
	return false;
}

static int find_only(const struct avail_model *model, uint32_t *top, struct refusal *why)
{
	char names[sizeof why->text - 64];

	*top = 0;
	if (model->top_count == 1)
		return 0;
	list_tops(model, names, sizeof names);
	if (model->top_count == 0)
		refuse(why, "", "there is no gate to compute");
	else
		refuse(why, "", "there are %u tops; name one of %s", model->top_count, names);
	return -EINVAL;
}

int avail_top_find(struct avail_model *model, const char *name, uint32_t *top, struct refusal *why)
{
	char names[sizeof why->text - 64];
	struct avail_term term;

	if (!name)
		return find_only(model, top, why);
	for (*top = 0; *top < model->top_count; ++*top)
		if (strcmp(model->tops[*top].name, name) == 0)
			return 0;
	if (term_named(model, name, &term)) {
		*top = avail_model_top(model, name, term);
		return *top == AVAIL_NONE ? -ENOMEM : 0;
	}
	list_tops(model, names, sizeof names);
	refuse(why, name, "there is no gate or event of this name%s%s",
	       model->top_count ? "; the tops are " : "", names);
	return -EINVAL;
}
