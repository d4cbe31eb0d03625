/* card/nic_card.h -- the back of the NIC class: a card with virtual functions, an embedded switch
 * between them and one line port, and the arbitration that shares that port.
 *
 * Ports of a card: 0 is the line port, 1..vf_count are the virtual functions VF1..VFn.
 *
 * A worker runs the card by calling nic_card_poll() again and again.  The card takes its own hold
 * for the part of a round that touches rings, tables and counters and gives it back around every
 * call of the line's driver.  A worker that comes back from a driver and finds the card
 * detached (its generation moved on) touches nothing any more.
 *
 * Threads: "ctl" functions need the hold (nic_card_hold); "worker" functions take it themselves.
 * The control thread calls the line's take and give in a worker's place, with NULL for the worker,
 * while it has the hold and no driver runs.
 * Memory: caller's, nic_card_size() bytes from a multiple of 64; nothing is allocated later. */
#ifndef CARD_NIC_CARD_H
#define CARD_NIC_CARD_H

#include "base/refusal.h"
#include "channel/line.h"
#include "channel/nic_front.h"
#include "channel/polled.h"
#include "eswitch/eswitch.h"

enum {
	NIC_CARD_VFS_MAX = 256,
	NIC_CARD_PORTS_MAX = NIC_CARD_VFS_MAX + 1,
	NIC_CARD_LINE_PORT = 0,
	NIC_CARD_PRIORITIES = 8,   /* classes towards the line; 7 goes first */
	NIC_CARD_STAGED_MAX = 64,  /* frames of one function waiting for the line; one large frame
	                            * that is cut may go beyond */
	NIC_CARD_SPARE = 512,      /* empty buffers of the line that a card keeps at hand beside those */
};

struct nic_card_conf {
	uint16_t vf_count;          /* 1..NIC_CARD_VFS_MAX */
	uint32_t fdb_entries;       /* learned addresses at most; a power of two */
	uint64_t fdb_age_ns;        /* an address not seen for that long is forgotten */
	uint64_t line_bps;          /* bits a second the line port is to carry at most, FCS, preamble
	                             * and gap not counted; 0: as fast as its driver takes frames */
	uint64_t seed;              /* of the hash */
};

/* What one function is allowed and owed: the words of the site file. */
struct nic_vf_conf {
	uint64_t mac;               /* permanent address, as get_be48 reads it */
	uint16_t vlan;              /* 1..4094: all its frames are of that VLAN, tagged on the line,
	                             * untagged towards the guest; 0: as the guest tags them */
	uint64_t rate_bps;          /* bits a second from the guest; 0: no limit */
	uint64_t rate_pps;          /* frames a second from the guest; 0: no limit */
	uint16_t weight;            /* share of the line among equals in priority; 1..1000 */
	uint8_t priority;           /* 0..7, strict towards the line */
	bool spoof_check;           /* only its own source address may leave */
	bool isolated;              /* VEPA: all its frames go to the line and come from there */
	uint16_t mirror_to;         /* port that gets a copy of all it sends and receives; 0: none */
};

struct nic_card;

size_t nic_card_size(const struct nic_card_conf *conf);
int nic_card_init(struct nic_card *card, const struct nic_card_conf *conf, struct refusal *why);

/* ctl: takes the card, waiting for its worker's round to end; false after 'tries' look-ins
 * (each yields through 'pause', which says how many it was worth; NULL: spins), when the worker is
 * stuck inside our own code.  A worker inside its driver has given the hold back already; it is awaited
 * for at most 2000 look-ins, so that what it is sending is settled, and once only when it does not come
 * back. */
bool nic_card_hold(struct ctl *ctl, struct nic_card *card, hold_pause *pause, unsigned tries);
void nic_card_release(struct ctl *ctl, struct nic_card *card);

/* ctl: the line port; NULL takes it away: frames for it are dropped and counted. */
void nic_card_set_line(struct ctl *ctl, struct nic_card *card, struct line *line);
/* ctl: whether the line has its link; without it, frames for it are dropped and counted. */
void nic_card_set_line_up(struct ctl *ctl, struct nic_card *card, bool up);

/* ctl: the link is lost, and functions are about to move elsewhere: until nic_card_set_line_up() says what is
 * to become of them, frames for the line wait in the rings of their guests, and those that wait here stay. */
void nic_card_line_lost(struct ctl *ctl, struct nic_card *card);

/* ctl: puts 'front' behind VF 'vf' (1..vf_count).  -EBUSY when it has one, -EINVAL with 'why'.
 * From here front->hold is the card's. */
int nic_card_bind(struct ctl *ctl, struct nic_card *card, unsigned vf, struct nic_front *front,
		  const struct nic_vf_conf *conf, struct refusal *why);
/* ctl: takes the front away; its addresses leave the table; NULL when there is none. */
struct nic_front *nic_card_unbind(struct ctl *ctl, struct nic_card *card, unsigned vf);

/* ctl: moves what 'from' still has queued for the line on behalf of VF 'vf' to VF 'to_vf' of 'to';
 * both are held.  Copies into buffers of the other line; returns the frames that found room, the
 * rest is counted.  The addresses that were learned behind 'vf' until it was unbound go along. */
unsigned nic_card_move_staged(struct ctl *ctl, struct nic_card *from, unsigned vf,
			      struct nic_card *to, unsigned to_vf);

/* ctl: queues, ahead of everything, what tells the switches behind the line where the addresses of
 * VF 'vf' are now: RARP (RFC 903), tagged with its VLAN, for its permanent address and
 * those that the card has learned behind it. */
void nic_card_announce(struct ctl *ctl, struct nic_card *card, unsigned vf);

/* ctl: a card that is pulled or dead: polls find nothing, a worker still inside a driver will touch
 * nothing when it returns.  attach makes it usable again, with empty tables; what its line
 * received meanwhile is thrown away. */
void nic_card_detach(struct ctl *ctl, struct nic_card *card);
void nic_card_attach(struct ctl *ctl, struct nic_card *card);

/* What a worker is given to run the card: the functions below, as a table. */
struct polled *nic_card_polled(struct nic_card *card);

/* worker: one round: receive from the line, take from every function what it may send, switch,
 * deliver, and feed the line.  Returns the frames moved; 0: nothing to do now. */
unsigned nic_card_poll(struct worker *worker, struct nic_card *card, uint64_t now_ns);

/* worker: absolute time at which a poll has work although nobody kicks (a shaped function has its
 * tokens again, an announcement is due); UINT64_MAX: none; 0: now. */
uint64_t nic_card_deadline_ns(struct worker *worker, struct nic_card *card);

/* worker: before sleeping: asks every front (and the line) for a wake-up.  True: do not sleep. */
bool nic_card_arm(struct worker *worker, struct nic_card *card);
void nic_card_disarm(struct worker *worker, struct nic_card *card);
/* worker: whether the line has no wake-up of its own, or a front's driver may never kick, so that somebody
 * must poll. */
bool nic_card_needs_poll(struct worker *worker, struct nic_card *card);

/* Any thread: counters of one port, 0 the line (eswitch/eswitch.h). */
const struct esw_port_counters *nic_card_counters(const struct nic_card *card, unsigned port);

/* ctl: learned addresses, for show commands; returns how many were written. */
unsigned nic_card_fdb(struct ctl *ctl, struct nic_card *card, struct esw_fdb_row *rows,
		      unsigned max, uint64_t now_ns);

#endif
