/* avail/stage.h -- what the parts of a stage ask of each other; inside avail/.
 *
 * Threads: the stage's owner.  Memory: the stage's. */
#ifndef AVAIL_STAGE_H
#define AVAIL_STAGE_H

#include "avail/play.h"

enum { AVAIL_CAST_NORMAL, AVAIL_CAST_SWITCHING, AVAIL_CAST_WAITING };

void avail_urn_set(struct avail_urn *urn, uint32_t leaf, double amount);
double avail_urn_all(const struct avail_urn *urn);
/* A leaf in proportion; 'place' from 0 to the sum. */
uint32_t avail_urn_draw(const struct avail_urn *urn, double place);

/* Value of node << 1 | negated, and what the arguments of a node make of it. */
bool avail_stage_value(const struct avail_stage *stage, uint32_t ref);
bool avail_stage_scene(const struct avail_stage *stage, uint32_t node);
/* Notes that a node has to be looked at; looks at all that were noted. */
void avail_stage_mark(struct avail_stage *stage, uint32_t node);
void avail_stage_refresh(struct avail_stage *stage);

/* Rates of an actor as it is; 'served': whether its team is at it. */
void avail_stage_rates(struct avail_stage *stage, uint32_t index, bool served);
void avail_stage_fail(struct avail_stage *stage, uint32_t index);
void avail_stage_repair(struct avail_stage *stage, uint32_t index);

/* Whether member m is up. */
bool avail_stage_up(const struct avail_stage *stage, const struct avail_cast *cast, uint32_t m);
void avail_stage_set_mode(struct avail_stage *stage, uint32_t index, uint8_t mode);
/* Spares that are up become active in place of active members that are down; whether any did. */
bool avail_stage_replace(struct avail_stage *stage, uint32_t index);
/* The same; where the cast reverts, whoever comes first is active. */
void avail_stage_regroup(struct avail_stage *stage, uint32_t index);
/* Members are known as they are now. */
void avail_stage_remember(struct avail_stage *stage, const struct avail_cast *cast);
/* Lets casts find out what happened, until nothing is new. */
void avail_stage_react(struct avail_stage *stage);

#endif
