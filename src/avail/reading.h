/* avail/reading.h -- a model being read for the stage; inside avail/.
 *
 * Threads: one.  Memory: of the play. */
#ifndef AVAIL_READING_H
#define AVAIL_READING_H

#include "avail/play.h"

struct avail_reading {
	struct avail_play *play;
	const struct avail_model *model;
	struct avail_sample *sample;
	struct refusal *why;
	uint32_t *event_node, *gate_node; /* node + 1; 0: not read yet */
	uint32_t *group_of;		  /* of each event: its common-cause group, or AVAIL_NONE */
	uint32_t *team_of;		  /* of each event, or AVAIL_NONE */
	struct avail_list stack, args, terms, shared;
};

/* A node more; AVAIL_NONE: no room. */
uint32_t avail_reading_scene(struct avail_play *play, const struct avail_scene *scene);
/* An actor and its node, which is returned; AVAIL_NONE: no room. */
uint32_t avail_reading_actor(struct avail_play *play, const struct avail_actor *actor);
double avail_reading_value(struct avail_reading *reading, uint32_t expression);

/* The numbers of one that fails like 'event', with 'amount' as its probability or, when 'rated',
 * its rate. 0, or -ERANGE. */
int avail_reading_numbers(struct avail_reading *reading, const struct avail_event *event,
			  bool rated, double amount, double repair_h, struct avail_actor *actor);

/* Reads a common-cause group: each member becomes the OR of the combinations that it is in.
 * 0, -ENOMEM, -ERANGE. */
int avail_reading_together(struct avail_reading *reading, uint32_t index);

#endif
