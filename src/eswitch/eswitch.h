/* eswitch/eswitch.h -- one forwarding decision: where each frame of a burst goes, or why it goes
 * nowhere.  Parses, learns, looks up, filters, meters and counts; delivers nothing.
 *
 * Ports: 0 is the line, 1.. are functions.  Inside the switch a frame belongs to frame.vlan; whether
 * its head carries the tag is said beside it (esw_burst.tag), and esw_shape() inserts or strips
 * the tag as a receiver has to see it.
 *
 * Each frame that enters ends in exactly one way: it goes to one or more ports, or one drop reason
 * of its port is counted.  Each copy then is delivered, or one drop reason of the receiving
 * port is counted.  Copies of a mirror are extra.
 *
 * Threads: the owner of the switch.  Memory: caller's. */
#ifndef ESWITCH_ESWITCH_H
#define ESWITCH_ESWITCH_H

#include "base/thread.h"
#include "channel/nic_front.h"
#include "eswitch/fdb.h"
#include "eswitch/meter.h"

enum {
	ESW_LINE = 0,
	ESW_SET_WORDS = (ESW_PORTS_MAX + 63) / 64,
	ESW_NOWHERE = 0xffff,  /* dropped and counted */
	ESW_MANY = 0xfffe,     /* to every port of the set beside it */
};

/* Every way a frame can end that is not delivery: enum, text, JSON name. */
#define ESW_DROPS(X)                                                                             \
	X(RUNT,           "shorter than its headers",                            "drop_runt")    \
	X(BAD_SOURCE,     "source is a group address or none",              "drop_bad_source")   \
	X(SPOOFED,        "source address belongs to somebody else",            "drop_spoofed")  \
	X(TAGGED,         "guest tagged a frame although its function has a VLAN", "drop_tagged") \
	X(BAD_TAG,        "reserved VLAN",                                    "drop_bad_tag")    \
	X(RESERVED,       "destination that bridges do not forward",        "drop_reserved")     \
	X(REFLECTED,      "came back from the line to where it began",      "drop_reflected")    \
	X(SAME_PORT,      "destination is where it came from",              "drop_same_port")    \
	X(NO_DESTINATION, "nobody wants it",                              "drop_no_destination") \
	X(FILTERED,       "receiver's filter does not want it",             "drop_filtered")     \
	X(NOT_READY,      "receiver's driver is not ready",                 "drop_not_ready")    \
	X(NO_BUFFER,      "receiver had no buffer",                         "drop_no_buffer")    \
	X(NO_LINE,        "the card has no line port",                      "drop_no_line")      \
	X(LINE_DOWN,      "the line has no link",                           "drop_line_down")    \
	X(LINE_LOST,      "the line port was taken away while it waited",   "drop_line_lost")    \
	X(OVERSIZE,       "longer than the line takes",                     "drop_oversize")     \
	X(BAD_OFFLOAD,    "asks for an impossible checksum or segmentation", "drop_bad_offload")

enum esw_drop {
#define X(name, text, json) ESW_DROP_##name,
	ESW_DROPS(X)
#undef X
	ESW_DROP_COUNT
};
extern const char *const esw_drop_text[ESW_DROP_COUNT];
extern const char *const esw_drop_json[ESW_DROP_COUNT];

/* 'in' is into the switch: from the guest, or from the line.  Field, unit, text. */
#define ESW_PORT_COUNTERS(X)                                                              \
	X(in_frames,       "frames", "frames that entered the switch here")               \
	X(in_bytes,        "bytes",  "bytes that entered the switch here")                \
	X(out_frames,      "frames", "frames delivered here")                             \
	X(out_bytes,       "bytes",  "bytes delivered here")                              \
	X(flooded_frames,  "frames", "frames from here to more than one port")            \
	X(mirrored_frames, "frames", "copies of this port's frames for its mirror")       \
	X(unlearned,       "frames", "frames whose source found no room in the table")    \
	X(shaped,          "rounds", "rounds that ended at this function's rate limit")   \
	X(held_back,       "rounds", "rounds that ended because its stage was full")

struct esw_port_counters {
#define X(name, unit, text) struct counter name;
	ESW_PORT_COUNTERS(X)
#undef X
	struct counter drops[ESW_DROP_COUNT];
};

struct esw_port_set {
	uint64_t word[ESW_SET_WORDS];
};

static inline void esw_set_add(struct esw_port_set *set, unsigned port)
{
	set->word[port / 64] |= UINT64_C(1) << (port % 64);
}

static inline void esw_set_remove(struct esw_port_set *set, unsigned port)
{
	set->word[port / 64] &= ~(UINT64_C(1) << (port % 64));
}

static inline bool esw_set_has(const struct esw_port_set *set, unsigned port)
{
	return set->word[port / 64] >> (port % 64) & 1;
}

bool esw_set_is_empty(const struct esw_port_set *set);
unsigned esw_set_count(const struct esw_port_set *set);
/* The first member at or after 'from', else the first of all; the set is not empty. */
unsigned esw_set_next(const struct esw_port_set *set, unsigned from);

/* A function's port as the operator wants it. */
struct esw_port {
	struct nic_front *front; /* NULL: nobody, or the line */
	uint64_t mac;
	uint16_t vlan;
	uint16_t mirror_to;      /* 0: none */
	bool spoof_check, isolated;
	bool plain;              /* bound, not isolated, not mirrored: the short way is right */
	uint64_t own_key;        /* its fixed address as the table has it; none: ESW_FDB_FREE */
	struct esw_meter meter;
};

struct esw {
	struct esw_fdb fdb;
	struct esw_port *ports;             /* port_count of them */
	struct esw_port_counters *counters; /* port_count of them */
	unsigned port_count;
	struct esw_port_set bound;          /* functions with a front */
	unsigned mirrors;                   /* ports with a mirror_to */
	bool line_there, line_up;
	bool line_waits;                    /* not up, but frames for it wait and are not dropped */
	uint32_t line_mtu;
};

enum esw_stop {
	ESW_STOP_NONE,  /* all frames were decided */
	ESW_STOP_RATE,  /* the next frame is beyond the sender's rate */
	ESW_STOP_LINE,  /* the next frame is for the line, which has no room for it */
};

/* One burst from one port: frames in, decisions out. */
struct esw_burst {
	struct frame frames[FRAME_BURST];
	uint64_t dst[FRAME_BURST], src[FRAME_BURST];
	struct esw_fdb_spot dst_spot[FRAME_BURST], src_spot[FRAME_BURST];
	uint16_t out[FRAME_BURST];            /* a port, ESW_NOWHERE or ESW_MANY */
	uint32_t tag[FRAME_BURST];            /* its tag control information where it is tagged, with the priority
					       * that came along; and ESW_TAGGED: the head carries that tag */
	uint8_t odd[FRAME_BURST];             /* 0: nothing but addresses to look at */
	uint16_t line_frames[FRAME_BURST];    /* what a large frame for the line may become at most */
	struct esw_port_set set[FRAME_BURST]; /* where out is ESW_MANY */
	bool many;                            /* some frame goes to a set */
	uint32_t line_room;                   /* in: frames that may be queued for the line now */
	uint32_t line_space;                  /* in: frames that one large one may become, >= room */
	uint64_t bytes;                       /* out: of the frames that were decided */
	enum esw_stop stop;
};

void esw_init(struct esw *esw, struct esw_port *ports, struct esw_port_counters *counters,
	      unsigned port_count);

/* Puts a function on its port: 'port' comes filled but for plain and meter's time.  -EEXIST or
 * -ENOSPC when its permanent address cannot be entered. */
int esw_bind(struct esw *esw, unsigned index, const struct esw_port *port);
/* Takes it off; writes the addresses that were learned behind it, at most 'max', returns how many. */
unsigned esw_unbind(struct esw *esw, unsigned index, uint64_t *keys, unsigned max);
/* Enters the permanent addresses of all bound functions again, after the table was cleared. */
void esw_fix_all(struct esw *esw);

/* Decides the first frames of a burst of 'n' from port 'in'; returns how many were decided, fewer
 * than 'n' when burst->stop says why.  The meter has been paid to now. */
unsigned esw_decide(struct esw *esw, unsigned in, struct esw_burst *burst, unsigned n);

#define ESW_TAGGED (UINT32_C(1) << 16)

static inline bool esw_is_tagged(const struct esw_burst *burst, unsigned i)
{
	return burst->tag[i] & ESW_TAGGED;
}

/* Makes frame 'i' look as port 'to' has to see it: tagged or not. */
void esw_shape_slow(struct esw_burst *burst, unsigned i, bool tagged);
static always_inline void esw_shape(const struct esw *esw, struct esw_burst *burst, unsigned i,
				    unsigned to)
{
	bool tagged = burst->frames[i].vlan != 0 && (to == ESW_LINE || !esw->ports[to].vlan);

	if (unlikely(esw_is_tagged(burst, i) != tagged) && burst->frames[i].vlan)
		esw_shape_slow(burst, i, tagged);
}

static inline void esw_count_drop(struct esw *esw, unsigned port, enum esw_drop reason,
				  unsigned frames)
{
	counter_add(&esw->counters[port].drops[reason], frames);
}

#endif
