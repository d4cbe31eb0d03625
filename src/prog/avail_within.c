#include "prog/avail_within.h"

#include <errno.h>

/* States of one chain in each attempt; 0: what the budget says. */
static const uint32_t attempts[] = { 0, 20000, 2000, 200 };

int avail_open_within(struct avail_service **service, const struct avail_model *model,
		      struct avail_term down, struct avail_service_budget *budget,
		      struct avail_answer *steady, struct refusal *why)
{
	int err = -ELOOP;
	uint32_t first = budget->chains.states;

	for (unsigned i = 0; i < array_len(attempts) && (err == -ELOOP || err == -EDQUOT); i++) {
		if (i > 0 && first && attempts[i] >= first)
			continue;
		budget->chains.states = i > 0 ? attempts[i] : first;
		err = avail_service_open(service, model, down, budget, why);
		if (err)
			continue;
		err = avail_service_steady(*service, NULL, NULL, steady, why);
		if (err)
			avail_service_close(*service);
	}
	return err;
}
