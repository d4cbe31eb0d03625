/* fabric/failover.h -- the state machine that keeps interfaces on a card that works: given what
 * happened to a card, says which fronts to re-bind where.  The PCI manager (PCIM) of one site.
 *
 * Pull, link loss and silent death end in the same step.  The caller carries the actions out and
 * tells when; it owns the clock, the cards and the fronts.
 *
 * An interface that reverts may wait to restore (WTR: ITU-T G.808.1, G.8031): it goes back to its
 * preferred card when that has been well without a break for a time, so that one that flaps moves it
 * once.  What fails is left at once, whatever waits; the operator's word ends a wait.
 *
 * Threads: control.  Memory: caller's. */
#ifndef FABRIC_FAILOVER_H
#define FABRIC_FAILOVER_H

#include "base/base.h"
#include "fabric/placement.h"

enum { FAILOVER_CARDS_MAX = SITE_CARDS_MAX, FAILOVER_IOS_MAX = SITE_IOS_MAX };

/* One X-list: enum, text.  A card is usable in IN_SERVICE only. */
#define FAILOVER_CARD_STATES(X)                                  \
	X(IN_SERVICE, "in-service")                              \
	X(LINE_DOWN,  "line-down")                               \
	X(PULLED,     "pulled")                                  \
	X(DEAD,       "dead")

#define FAILOVER_EVENTS(X)                                       \
	X(PULL,         "pulled by the operator")                \
	X(INSERT,       "inserted by the operator")              \
	X(LINE_LOST,    "line port lost its link")               \
	X(LINE_CAME,    "line port has its link")                \
	X(HEART_LOST,   "worker stopped answering")              \
	X(HEART_CAME,   "worker answers again")

enum failover_card_state {
#define X(name, text) FAILOVER_CARD_##name,
	FAILOVER_CARD_STATES(X)
#undef X
	FAILOVER_CARD_STATE_COUNT
};

enum failover_event {
#define X(name, text) FAILOVER_##name,
	FAILOVER_EVENTS(X)
#undef X
	FAILOVER_EVENT_COUNT
};

extern const char *const failover_card_state_text[FAILOVER_CARD_STATE_COUNT];
extern const char *const failover_event_text[FAILOVER_EVENT_COUNT];

/* What to do with one interface.  from or to is -1 when there is none: a front that has nowhere to
 * go is unbound and its guest told that the link is down; one that finds a card again is bound
 * and told that it is up. */
struct failover_action {
	unsigned io;          /* row of the placement */
	int from_member;      /* index into placement.member */
	int to_member;
};

struct failover_io {
	const struct placement *place;
	bool revert;          /* goes back to member 0 when that returns */
	uint64_t wait_ns;     /* wait to restore: and has been well for so long; 0: at once */
	int active;           /* member now bound; -1: none */
	uint64_t back_ns;     /* when it goes back to member 0; 0: it does not wait */
};

struct failover {
	unsigned card_count, io_count;
	struct {
		bool pulled, line_lost, heart_lost;
	} card[FAILOVER_CARDS_MAX];
	struct failover_io *io; /* caller's array of io_count */
	uint64_t ignored;       /* events that changed nothing */
};

/* What may be wrong with a card at once: every combination is a state of the machine.  The order is
 * that of the bits pulled, line lost, heart lost. */
#define FAILOVER_CONDITIONS(X)                                   \
	X(WELL,   "well")                                        \
	X(P,      "pulled")                                      \
	X(L,      "line lost")                                   \
	X(PL,     "pulled, line lost")                           \
	X(H,      "heart lost")                                  \
	X(PH,     "pulled, heart lost")                          \
	X(LH,     "line and heart lost")                         \
	X(PLH,    "pulled, line and heart lost")

enum failover_condition {
#define X(name, text) FAILOVER_##name,
	FAILOVER_CONDITIONS(X)
#undef X
	FAILOVER_CONDITION_COUNT,
	FAILOVER_IGNORED = FAILOVER_CONDITION_COUNT /* in the table: this event changes nothing */
};

extern const char *const failover_condition_text[FAILOVER_CONDITION_COUNT];

/* The machine: what each event makes of each condition. */
extern const uint8_t failover_table[FAILOVER_CONDITION_COUNT][FAILOVER_EVENT_COUNT];

/* All cards well, each interface active on its member 0.  card_count is at most
 * FAILOVER_CARDS_MAX; place, revert and wait_ns of each row of 'io' are filled by the caller, who may
 * change the latter two between calls: they count when a card becomes usable. */
void failover_init(struct failover *f, unsigned card_count, struct failover_io *io,
		   unsigned io_count);
enum failover_card_state failover_card_state(const struct failover *f, unsigned card);
/* Whether functions of a card in this state can be given to anybody.  One whose line is down still
 * switches among its own. */
bool failover_card_can_give(enum failover_card_state state);

/* Tells that 'event' happened to 'card' at now_ns.  Writes the actions, at most io_count, in the order
 * in which they are to be carried out; the machine's own state is as if they were.  Returns how many. */
unsigned failover_tell(struct failover *f, unsigned card, enum failover_event event,
		       uint64_t now_ns, struct failover_action *actions);

/* When failover_restore() is to be called: the end of the first wait.  UINT64_MAX: none waits. */
uint64_t failover_deadline_ns(const struct failover *f);

/* Moves back each interface whose wait is over by now_ns; actions and result as of failover_tell(). */
unsigned failover_restore(struct failover *f, uint64_t now_ns, struct failover_action *actions);

/* Moves one interface by the operator's wish; false when the card of that member is not usable, there
 * is no such member, or it is active already.  It does not wait any more: an interface that reverts goes
 * back when its preferred card returns the next time. */
bool failover_switch(struct failover *f, unsigned io, int to_member,
		     struct failover_action *action);

#endif
