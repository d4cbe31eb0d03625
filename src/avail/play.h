/* avail/play.h -- the inside of a simulation: the model as it is played, and a stage on which it is; inside
 * avail/.  simulate.h has the contract.
 *
 * Threads: a play is only read once built; a stage has one owner.  Memory: of the model; the stage's
 * own. */
#ifndef AVAIL_PLAY_H
#define AVAIL_PLAY_H

#include "avail/room.h"
#include "avail/simulate.h"

/* Something that fails by itself: an event, or one combination of a common-cause group. */
enum avail_actor_kind {
	AVAIL_ACTOR_CHANCE, /* failed for a whole history with a probability */
	AVAIL_ACTOR_LIVE,   /* fails, and is repaired unless the rate is 0 */
};

struct avail_actor {
	enum avail_actor_kind kind;
	double probability, failure, repair; /* an hour */
	uint32_t node;
	uint32_t team;                       /* or AVAIL_NONE */
	uint32_t first_duty, duty_count;     /* play->duties: where it is own */
};

/* Nodes, arguments before those who have them; node 0 is false. */
enum avail_scene_kind { AVAIL_SCENE_ACTOR, AVAIL_SCENE_GATE, AVAIL_SCENE_CAST };

struct avail_scene {
	enum avail_scene_kind kind;
	enum avail_formula_kind formula; /* GATE */
	uint32_t low, high;
	uint32_t index;        /* of the actor or cast */
	uint32_t first, count; /* play->args: node << 1 | negated */
	uint32_t first_user, user_count; /* play->users: node << 1 | negated, those who have it */
};

/* A standby group. */
struct avail_cast {
	struct avail_standby rule;
	uint32_t node, first, count; /* members: play->args */
	uint32_t at;                 /* of its members among all members */
};

/* An actor is own of this member of this cast; 'around': of play->duties, a cast that has this one in a member. */
struct avail_duty {
	uint32_t cast, member, around;
	bool inner; /* no other duty of the actor is within it */
};

struct avail_play {
	struct avail_memory *memory;
	struct avail_play_wants wants;
	struct avail_actor *actors;
	uint32_t actor_count, actor_room;
	struct avail_scene *scenes;
	uint32_t scene_count, scene_room;
	struct avail_cast *casts;
	uint32_t cast_count, cast_room;
	struct avail_duty *duties;
	uint32_t duty_count, duty_room;
	struct avail_list args, users;
	struct avail_list own;       /* actors that are own of each member, in the order of mention */
	struct avail_list own_first; /* one a member, and one more */
	uint32_t *teams;             /* how many each repairs at once */
	uint32_t team_count, member_count;
	uint32_t top;                /* node << 1 | negated */
	bool all_chance;             /* nothing happens in time */
	bool as_point;               /* STEADY of what is never repaired: at the mission time */
	double unit_h;               /* of times in sums */
};

/* Gives the actors of a play their parts in casts.  0, or -ENOMEM. */
int avail_play_casting(struct avail_play *play);

/* Sums of rates from which one is drawn in proportion. */
struct avail_urn {
	double *sums; /* a binary tree: the root is at 1, leaf i at size + i */
	uint32_t size;
};

struct avail_stage {
	struct avail_memory *memory;
	const struct avail_play *play;
	uint64_t random;
	enum avail_play_sampling sampling; /* of the step at hand */
	double likelihood;
	/* All arrays below lie in 'body', so that a state is kept by one copy. */
	uint8_t *body, *first, *kept; /* first: the state in which everything works */
	size_t body_size;
	uint32_t *counts;  /* live_failed, busy_casts, dirty_count */
	/* the state */
	uint8_t *failed;   /* actors */
	uint8_t *active;   /* members */
	uint8_t *mode;     /* casts */
	uint32_t *next;    /* actors: who is behind in the line of the team; AVAIL_NONE: nobody */
	uint32_t *first_in_line, *last_in_line, *line_length; /* teams */
	/* what follows from it */
	uint8_t *value;    /* scenes */
	uint32_t *true_args;
	uint8_t *was_up;   /* members, as their cast knows them */
	uint32_t *dirty;   /* a heap of scenes whose arguments changed */
	uint8_t *is_dirty;
	uint8_t *is_touched; /* casts one of whose members may have changed */
	struct avail_urn failures, others; /* others: repairs of actors, then what casts wait for */
	struct avail_urn able;             /* 1 for each actor that can fail now */
};

enum { AVAIL_STAGE_FAILED, AVAIL_STAGE_BUSY, AVAIL_STAGE_DIRTY, AVAIL_STAGE_COUNTS };

/* A history from its beginning: draws what is left to chance, all else works. */
void avail_stage_begin(struct avail_stage *stage);
bool avail_stage_is_down(const struct avail_stage *stage);
/* Whether nothing that lives is failed and no cast is busy. */
bool avail_stage_is_whole(const struct avail_stage *stage);
double avail_stage_random(struct avail_stage *stage); /* in (0, 1) */
/* Rate of whatever happens next; 0: nothing does. */
double avail_stage_rate(const struct avail_stage *stage);
/* Lets something happen; the likelihood of it relative to how it was chosen. */
double avail_stage_step(struct avail_stage *stage, enum avail_play_sampling sampling);
/* Remembers the state, and goes back to it. */
void avail_stage_keep(struct avail_stage *stage);
void avail_stage_return(struct avail_stage *stage);

#endif
