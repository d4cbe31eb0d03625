#include "fabric/failover.h"

#define X(name, text) [FAILOVER_CARD_##name] = text,
const char *const failover_card_state_text[FAILOVER_CARD_STATE_COUNT] = { FAILOVER_CARD_STATES(X) };
#undef X
#define X(name, text) [FAILOVER_##name] = text,
const char *const failover_event_text[FAILOVER_EVENT_COUNT] = { FAILOVER_EVENTS(X) };
const char *const failover_condition_text[FAILOVER_CONDITION_COUNT] = { FAILOVER_CONDITIONS(X) };
#undef X

/* Abbreviations of this table alone. */
#define S(name) FAILOVER_##name
#define IGN FAILOVER_IGNORED

const uint8_t failover_table[FAILOVER_CONDITION_COUNT][FAILOVER_EVENT_COUNT] = {
	/*               PULL    INSERT   LINE_LOST LINE_CAME HEART_LOST HEART_CAME */
	[S(WELL)]    = { S(P),   IGN,     S(L),     IGN,      S(H),      IGN     },
	[S(P)]       = { IGN,    S(WELL), S(PL),    IGN,      S(PH),     IGN     },
	[S(L)]       = { S(PL),  IGN,     IGN,      S(WELL),  S(LH),     IGN     },
	[S(PL)]      = { IGN,    S(L),    IGN,      S(P),     S(PLH),    IGN     },
	[S(H)]       = { S(PH),  IGN,     S(LH),    IGN,      IGN,       S(WELL) },
	[S(PH)]      = { IGN,    S(H),    S(PLH),   IGN,      IGN,       S(P)    },
	[S(LH)]      = { S(PLH), IGN,     IGN,      S(H),     IGN,       S(L)    },
	[S(PLH)]     = { IGN,    S(LH),   IGN,      S(PH),    IGN,       S(PL)   },
};

#undef S
#undef IGN

/* Conditions are combinations of three bits. */
_Static_assert((int)FAILOVER_P == 1 && (int)FAILOVER_L == 2 && (int)FAILOVER_H == 4 &&
	       (int)FAILOVER_PLH == 7, "conditions in the order of their bits");

static enum failover_condition condition(const struct failover *f, unsigned card)
{
	return (enum failover_condition)((f->card[card].pulled ? FAILOVER_P : 0) |
					 (f->card[card].line_lost ? FAILOVER_L : 0) |
					 (f->card[card].heart_lost ? FAILOVER_H : 0));
}

void failover_init(struct failover *f, unsigned card_count, struct failover_io *io,
		   unsigned io_count)
{
	must(card_count <= FAILOVER_CARDS_MAX);
	must(io_count <= FAILOVER_IOS_MAX);
	*f = (struct failover){ .card_count = card_count, .io_count = io_count, .io = io };
	for (unsigned i = 0; i < io_count; i++) {
		must(io[i].place->member_count >= 1);
		for (unsigned m = 0; m < io[i].place->member_count; m++)
			must(io[i].place->member[m].card < card_count);
		io[i].active = 0;
		io[i].back_ns = 0;
	}
}

enum failover_card_state failover_card_state(const struct failover *f, unsigned card)
{
	must(card < f->card_count);
	if (f->card[card].pulled)
		return FAILOVER_CARD_PULLED;
	if (f->card[card].heart_lost)
		return FAILOVER_CARD_DEAD;
	if (f->card[card].line_lost)
		return FAILOVER_CARD_LINE_DOWN;
	return FAILOVER_CARD_IN_SERVICE;
}

bool failover_card_can_give(enum failover_card_state state)
{
	return state == FAILOVER_CARD_IN_SERVICE || state == FAILOVER_CARD_LINE_DOWN;
}

static bool is_usable(const struct failover *f, unsigned card)
{
	return failover_card_state(f, card) == FAILOVER_CARD_IN_SERVICE;
}

/* The member of an interface that is on this card, or -1. */
static int member_on(const struct failover_io *io, unsigned card)
{
	for (unsigned m = 0; m < io->place->member_count; m++)
		if (io->place->member[m].card == card)
			return (int)m;
	return -1;
}

/* The first member whose card is usable, or -1. */
static int usable_member(const struct failover *f, const struct failover_io *io)
{
	for (unsigned m = 0; m < io->place->member_count; m++)
		if (is_usable(f, io->place->member[m].card))
			return (int)m;
	return -1;
}

/* Where the interface should be now that 'card' became usable or stopped being it. */
static int wanted_member(const struct failover *f, const struct failover_io *io, unsigned card)
{
	int member = member_on(io, card);

	if (member < 0)
		return io->active;
	if (!is_usable(f, card))
		return io->active == member ? usable_member(f, io) : io->active;
	if (io->active < 0 || (member == 0 && io->revert && !io->wait_ns))
		return member;
	return io->active;
}

/* Begins or ends the wait of an interface now that 'card' became usable or stopped being it. */
static void wait_or_not(const struct failover *f, struct failover_io *io, unsigned card,
			uint64_t now_ns)
{
	unsigned preferred = io->place->member[0].card;

	if (io->active <= 0 || !is_usable(f, preferred))
		io->back_ns = 0;
	else if (card == preferred && io->revert)
		io->back_ns = now_ns + io->wait_ns; /* not 0: who need not wait is back */
}

unsigned failover_tell(struct failover *f, unsigned card, enum failover_event event,
		       uint64_t now_ns, struct failover_action *actions)
{
	unsigned count = 0;
	uint8_t next;

	must(card < f->card_count);
	must(event < FAILOVER_EVENT_COUNT);
	next = failover_table[condition(f, card)][event];
	if (next == FAILOVER_IGNORED) {
		f->ignored++;
		return 0;
	}
	f->card[card].pulled = next & FAILOVER_P;
	f->card[card].line_lost = next & FAILOVER_L;
	f->card[card].heart_lost = next & FAILOVER_H;
	for (unsigned i = 0; i < f->io_count; i++) {
		struct failover_io *io = &f->io[i];
		int to = wanted_member(f, io, card);

		if (to != io->active)
			actions[count++] = (struct failover_action){ i, io->active, to };
		io->active = to;
		wait_or_not(f, io, card, now_ns);
	}
	return count;
}

uint64_t failover_deadline_ns(const struct failover *f)
{
	uint64_t deadline_ns = UINT64_MAX;

	for (unsigned i = 0; i < f->io_count; i++)
		if (f->io[i].back_ns)
			deadline_ns = min_u64(deadline_ns, f->io[i].back_ns);
	return deadline_ns;
}

unsigned failover_restore(struct failover *f, uint64_t now_ns, struct failover_action *actions)
{
	unsigned count = 0;

	for (unsigned i = 0; i < f->io_count; i++) {
		struct failover_io *io = &f->io[i];

		if (!io->back_ns || io->back_ns > now_ns)
			continue;
		must(io->active > 0 && is_usable(f, io->place->member[0].card));
		actions[count++] = (struct failover_action){ i, io->active, 0 };
		io->active = 0;
		io->back_ns = 0;
	}
	return count;
}

bool failover_switch(struct failover *f, unsigned io, int to_member, struct failover_action *action)
{
	struct failover_io *moved;

	must(io < f->io_count);
	moved = &f->io[io];
	if (to_member < 0 || (unsigned)to_member >= moved->place->member_count ||
	    to_member == moved->active ||
	    !is_usable(f, moved->place->member[to_member].card))
		return false;
	*action = (struct failover_action){ io, moved->active, to_member };
	moved->active = to_member;
	moved->back_ns = 0;
	return true;
}
