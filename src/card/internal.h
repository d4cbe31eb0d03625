/* card/internal.h -- the inside of a NIC card, for the files of card/ only.
 *
 * round.c goes round: functions, line, arbitration.  deliver.c hands frames to receivers.  stage.c
 * holds what waits for the line and the line's empty buffers.  window.c is the part of a round
 * in which the driver runs and the hold is given back.  nic_card.c is what the control thread does. */
#ifndef CARD_INTERNAL_H
#define CARD_INTERNAL_H

#include "card/arbiter.h"
#include "card/nic_card.h"
#include "eswitch/offload.h"

enum {
	CARD_WINDOW_FRAMES = 128,  /* frames asked from, and given back to, the driver at once */
	CARD_REFILL = 16,          /* places that a stage must have free before it is filled again */
	CARD_WINDOW_OUT = NIC_CARD_STAGED_MAX - CARD_REFILL, /* frames sent at once: no more than a
	                            * stage holds that is not filled again yet, so that the heaviest
	                            * function does not run dry within its share */
	CARD_ROUND_FRAMES = 256,   /* frames taken from functions before the line has its turn */
	CARD_IDLE_SCAN = 16,       /* idle functions looked at in a round in which others are busy */
	CARD_ANNOUNCEMENTS = 3,
	CARD_STALE_WINDOWS = 64,   /* for which a card that is back throws away what its line had received */
	CARD_CREDIT = 80 * 1024,   /* worker time for each function and round, in bytes of copying */
	CARD_LEFTOVER = 40 * 1024, /* with less of it left, a burst is not worth its beginning: kept
	                            * for the next visit */
	CARD_LONG_FRAME = 2048,    /* cost of a frame from which on visits and bursts are long */
	CARD_SHORT_BURST = FRAME_BURST / 2,
	CARD_FRAME_COST = 1024,    /* what a frame costs beside its bytes, in bytes of copying */
	CARD_SCRATCH = 128 * 1024, /* where frames are finished for receivers that do not */
	CARD_HOLD_PATIENCE = 2000, /* look-ins for which the control thread waits for a driver */
	CARD_RETRY_NS = 50000,     /* when to try again a driver that took nothing */
};

_Static_assert((int)NIC_CARD_PORTS_MAX == (int)ESW_PORTS_MAX, "the switch has a port for each");
_Static_assert((int)ESW_SEGMENTS_MAX <= (int)ARB_RING, "an idle stage takes the largest frame");

/* Where the worker is in the part of its round that runs without the hold.  It alone goes from
 * CLOSED to OPEN to BACK; whoever has the hold goes from BACK to CLOSED. */
enum window_state { WINDOW_CLOSED, WINDOW_OPEN, WINDOW_BACK };

/* While OPEN, all but state is the worker's, hold or no hold. */
struct window {
	_Atomic uint32_t state;
	uint32_t generation;     /* of the card when it was opened */
	uint32_t stage_epoch;    /* of the stage when it was opened */
	struct line *line;
	bool receives;           /* the line is asked for frames, not only for a wake-up */
	unsigned urgent_count;   /* announcements at the head of out */
	unsigned out_count, accepted;
	unsigned give_count, take_count, taken, rx_count;
	struct line_buf *out[CARD_WINDOW_OUT];
	struct line_buf *give[CARD_WINDOW_FRAMES];
	struct line_buf *take[NIC_CARD_SPARE];
	struct line_buf *rx[CARD_WINDOW_FRAMES];
	struct arb_pick picks[CARD_WINDOW_OUT];
	struct arb_state before; /* the arbitration before it picked */
	struct esw_meter meter_before;
};

/* One function beside its switch port. */
struct card_vf {
	int64_t credit;          /* worker time it may still use in this visit */
	uint32_t frame_cost;     /* what its frames cost lately */
	bool held_back;          /* its next frame is for the line, and its stage was full */
	uint64_t ready_ns;       /* beyond its rate until then */
	uint8_t announcements;   /* still to be made */
	uint64_t announce_ns;    /* when the next is due */
	bool announce_began;     /* its permanent address has gone, those learned from this bucket on not */
	uint32_t announce_bucket;
};

/* Learned addresses that were behind functions when those were unbound, until they move along or
 * the function has another front.  No more than the table held. */
struct card_left {
	uint64_t *key;
	uint16_t *vf;
	unsigned count, capacity;
};

struct buf_list {
	struct line_buf **bufs;
	unsigned count, capacity;
};

struct nic_card {
	struct polled polled; /* first */
	struct hold hold;
	uint32_t generation;
	bool attached;
	uint16_t vf_count;
	uint64_t now_ns;
	uint64_t deadline_ns;
	struct line *line;
	struct esw esw;
	struct esw_meter line_meter;
	struct esw_port_set active;   /* functions that had work when last looked at */
	struct esw_port_set touched;  /* fronts that have something to be told */
	struct esw_port_set armed;    /* fronts that were asked to kick */
	unsigned turn, idle_turn;
	unsigned announcing;          /* functions with announcements to make */
	uint32_t stage_epoch;         /* changes when the control thread changes the stage */
	uint32_t window_serial, given_up; /* the window for which the control thread has waited */
	bool line_refused;            /* the driver took less than it was given */
	struct card_vf *vfs;          /* vf_count + 1; 0 is not used */
	struct card_left left;
	struct line_buf **staged;     /* (vf_count + 1) * ARB_RING, by queue and slot */
	struct buf_list spare;        /* empty buffers */
	struct buf_list done;         /* delivered ones, to be given back */
	unsigned rx_count;
	struct line_buf *rx[CARD_WINDOW_FRAMES]; /* received and not yet switched */
	unsigned stale_windows; /* still to come, at most */
	uint8_t *scratch;             /* CARD_SCRATCH bytes */
	struct arbiter arb;
	struct window window;
	struct esw_burst burst;
	struct frame segments[FRAME_BURST];
};

/* round.c: the rounds of nic_card.h as a worker calls them. */
extern const struct polled_ops card_polled_ops;

/* deliver.c: hands 'n' decided frames of card->burst to their receivers. */
void card_deliver(struct worker *worker, struct nic_card *card, unsigned n);
/* deliver.c: tells every front that was touched. */
void card_flush(struct worker *worker, struct nic_card *card);

/* stage.c: copies frame 'i' of the burst behind queue 'vf'; the room was promised to the switch. */
void card_stage(struct nic_card *card, unsigned vf, unsigned i);
/* stage.c: frames that may be put behind queue 'vf' now; and how many one large frame may become. */
uint32_t card_stage_room(const struct nic_card *card, unsigned vf);
uint32_t card_stage_space(const struct nic_card *card, unsigned vf);
/* stage.c: forgets all that waits; buffers become spare. */
void card_stage_clear(struct nic_card *card);
/* nic_card.c: takes out of the addresses that were left the first of a function; false: there is none. */
bool card_left_take(struct nic_card *card, unsigned vf, unsigned *at, uint64_t *key);
/* stage.c: builds the announcements that are due into 'out', as far as that goes; returns how many. */
unsigned card_announce_due(struct nic_card *card, struct line_buf **out, unsigned max);

/* buffers of the line */
void buf_list_put(struct buf_list *list, struct line_buf *buf);
struct line_buf *buf_list_take(struct buf_list *list);

/* window.c: lets the driver run: sends, gives, takes, receives.  false: the hold is gone, and the
 * round with it. */
bool card_window(struct worker *worker, struct nic_card *card, unsigned *moved);
/* window.c: settles what a window that is BACK has brought.  Needs the hold. */
void card_settle(struct nic_card *card);
/* window.c: asks the line for a wake-up; gives the hold back for good. */
bool card_line_arm(struct worker *worker, struct nic_card *card);
bool card_window_is(struct nic_card *card, enum window_state state);

#endif
