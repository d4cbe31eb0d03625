/* tree/table.c -- the rows of every noun.  docs/tree.md lists them and a test compares. */
#include "tree/tree.h"

#define END { NULL, TREE_TEXT, TREE_UNIT_PLAIN, TREE_READ, TREE_SHOWN, NULL, NULL }
#define ROW(name, type, unit, access, place, text) \
	{ name, TREE_##type, TREE_UNIT_##unit, TREE_##access, TREE_##place, text, NULL }
#define ROWS_OF(name, access, place, columns, text) \
	{ name, TREE_ROWS, TREE_UNIT_PLAIN, TREE_##access, TREE_##place, text, columns }

static const struct tree_property site[] = {
	ROW("name",         TEXT,    PLAIN,  CONF, LISTED, "name of the site"),
	ROW("version",      TEXT,    PLAIN,  READ, LISTED, "version of the daemon"),
	ROW("pid",          INTEGER, PLAIN,  READ, LISTED, "process that runs the site"),
	ROW("socket",       TEXT,    PLAIN,  READ, SHOWN,  "where the daemon answers"),
	ROW("started",      TEXT,    TIME,   READ, SHOWN,  "when the site came up"),
	ROW("uptime_s",     INTEGER, S,      READ, LISTED, "how long the site has been up"),
	ROW("memory",       TEXT,    PLAIN,  READ, LISTED, "kind of memory frames are kept in"),
	ROW("workers",      INTEGER, THINGS, READ, LISTED, "data threads"),
	ROW("heartbeat_ms", INTEGER, PLAIN,  CONF, SHOWN,
	    "silence of a worker, in ms, that counts as death of its cards"),
	ROW("chassis",      INTEGER, THINGS, CONF, SHOWN,  "chassis of the site"),
	ROW("cards",        INTEGER, THINGS, CONF, LISTED, "cards of the site"),
	ROW("functions",    INTEGER, THINGS, CONF, SHOWN,  "virtual functions of all cards"),
	ROW("systems",      INTEGER, THINGS, CONF, LISTED, "systems of the site"),
	ROW("ios",          INTEGER, THINGS, CONF, SHOWN,  "interfaces of all systems"),
	ROW("last_event",   INTEGER, PLAIN,  READ, SHOWN,  "number of the newest event"),
	ROW("quarantine_faults",   INTEGER, THINGS, CONF, SHOWN,
	    "blocked accesses that bring an interface into quarantine; 0: none do"),
	ROW("quarantine_window_s", INTEGER, S,      CONF, SHOWN, "time within which they are counted"),
	END,
};

static const struct tree_property chassis[] = {
	ROW("name",          TEXT,    PLAIN,  CONF, LISTED, "name of the chassis"),
	ROW("carriers",      LIST,    PLAIN,  CONF, LISTED, "carriers plugged into it"),
	ROW("hosts",         LIST,    PLAIN,  CONF, LISTED, "hosts plugged into it"),
	ROW("cards",         LIST,    PLAIN,  CONF, SHOWN,  "cards on its carriers"),
	ROW("carrier_count", INTEGER, THINGS, CONF, SHOWN,  "carriers plugged into it"),
	ROW("host_count",    INTEGER, THINGS, CONF, SHOWN,  "hosts plugged into it"),
	ROW("card_count",    INTEGER, THINGS, CONF, LISTED, "cards on its carriers"),
	ROW("in_service",    INTEGER, THINGS, READ, LISTED, "cards of it that are in service"),
	END,
};

static const struct tree_property carrier[] = {
	ROW("name",       TEXT,    PLAIN,  CONF, LISTED, "name of the carrier"),
	ROW("chassis",    TEXT,    PLAIN,  CONF, LISTED, "chassis it is plugged into"),
	ROW("cards",      LIST,    PLAIN,  CONF, LISTED, "cards plugged into it"),
	ROW("card_count", INTEGER, THINGS, CONF, SHOWN,  "cards plugged into it"),
	ROW("in_service", INTEGER, THINGS, READ, LISTED, "cards of it that are in service"),
	END,
};

static const struct tree_property drop_columns[] = {
	ROW("reason", TEXT,    PLAIN,  READ, LISTED, "why"),
	ROW("frames", INTEGER, FRAMES, READ, LISTED, "how many"),
	ROW("text",   TEXT,    PLAIN,  READ, LISTED, "what the reason means"),
	END,
};

static const struct tree_property counter_columns[] = {
	ROW("counter", TEXT,    PLAIN, READ, LISTED, "name of the counter"),
	ROW("value",   INTEGER, PLAIN, READ, LISTED, "what it counted"),
	ROW("unit",    TEXT,    PLAIN, READ, LISTED, "what it counts"),
	ROW("text",    TEXT,    PLAIN, READ, LISTED, "what the counter means"),
	END,
};

static const struct tree_property card[] = {
	ROW("name",              TEXT,    PLAIN,  CONF, LISTED, "name of the card"),
	ROW("chassis",           TEXT,    PLAIN,  CONF, LISTED, "chassis it sits in"),
	ROW("carrier",           TEXT,    PLAIN,  CONF, LISTED, "carrier it is plugged into"),
	ROW("class",             TEXT,    PLAIN,  CONF, LISTED, "device class: nic"),
	ROW("state",             TEXT,    PLAIN,  ACT,  LISTED,
	    "in-service, line-down, pulled or dead"),
	ROW("line",              TEXT,    PLAIN,  CONF, LISTED, "DPDK device of its line port"),
	ROW("line_up",           BOOLEAN, PLAIN,  READ, LISTED, "the line port has its link"),
	ROW("driver",            TEXT,    PLAIN,  READ, SHOWN,  "DPDK driver of the line port"),
	ROW("interface",         TEXT,    PLAIN,  READ, SHOWN,
	    "kernel interface under the line port, where there is one"),
	ROW("line_mac",          TEXT,    PLAIN,  READ, SHOWN,  "address of the line port itself"),
	ROW("line_speed_mbps",   INTEGER, MBPS,   READ, SHOWN,  "speed of the line; 0: unknown"),
	ROW("line_rate_bps",     INTEGER, BPS,    CONF, SHOWN,
	    "what the line is to carry at most; 0: all it can"),
	ROW("mtu",               INTEGER, BYTES,  CONF, SHOWN,  "largest payload of a frame"),
	ROW("vfs",               INTEGER, THINGS, CONF, LISTED, "virtual functions it has"),
	ROW("vfs_bound",         INTEGER, THINGS, READ, LISTED,
	    "functions with a front behind them"),
	ROW("worker",            INTEGER, PLAIN,  READ, SHOWN,  "data thread that runs it"),
	ROW("hung",              BOOLEAN, PLAIN,  ACT,  SHOWN,  "a drill makes its driver hang"),
	ROW("rx_frames",         INTEGER, FRAMES, READ, SHOWN,  "frames the line port received"),
	ROW("rx_bytes",          INTEGER, BYTES,  READ, SHOWN,  "bytes the line port received"),
	ROW("tx_frames",         INTEGER, FRAMES, READ, SHOWN,  "frames the line port sent"),
	ROW("tx_bytes",          INTEGER, BYTES,  READ, SHOWN,  "bytes the line port sent"),
	ROW("rx_missed",         INTEGER, FRAMES, READ, SHOWN,
	    "frames the line port had no room for"),
	ROW("rx_errors",         INTEGER, FRAMES, READ, SHOWN,  "broken frames received"),
	ROW("tx_errors",         INTEGER, FRAMES, READ, SHOWN,
	    "frames the line port failed to send"),
	ROW("learned_addresses", INTEGER, THINGS, READ, SHOWN,  "rows of its forwarding table"),
	ROW("dropped",           INTEGER, FRAMES, READ, LISTED,
	    "frames that its line and functions dropped"),
	ROWS_OF("drops",           READ, SHOWN, drop_columns,
		"frames dropped, line and functions together, by reason"),
	ROWS_OF("switch_counters", READ, SHOWN, counter_columns,
		"what its switch counted at the line port"),
	END,
};

static const struct tree_property function[] = {
	ROW("name",         TEXT,    PLAIN,  CONF, LISTED, "card and number: nic0/vf3"),
	ROW("card",         TEXT,    PLAIN,  CONF, SHOWN,  "card it is a function of"),
	ROW("vf",           INTEGER, PLAIN,  CONF, SHOWN,
	    "number of the virtual function, from 1"),
	ROW("rid",          TEXT,    PLAIN,  READ, SHOWN,
	    "requester ID, bus:device.function, in its host's tree"),
	ROW("system",       TEXT,    PLAIN,  CONF, LISTED, "system it is given to"),
	ROW("io",           TEXT,    PLAIN,  CONF, LISTED, "interface of that system"),
	ROW("role",         TEXT,    PLAIN,  READ, LISTED, "active, standby or free"),
	ROW("front",        TEXT,    PLAIN,  CONF, LISTED, "kind of front: vhost-user or tap"),
	ROW("state",        TEXT,    PLAIN,  READ, LISTED,
	    "free, standby, waiting, connected, running, stopped, held or quarantined"),
	ROW("mac",          TEXT,    PLAIN,  CONF, LISTED, "permanent address"),
	ROW("vlan",         INTEGER, PLAIN,  CONF, SHOWN,  "VLAN of all its frames; 0: as tagged"),
	ROW("rate_bps",     INTEGER, BPS,    CONF, SHOWN,  "limit for the guest; 0: none"),
	ROW("rate_pps",     INTEGER, PPS,    CONF, SHOWN,  "limit for the guest; 0: none"),
	ROW("weight",       INTEGER, PLAIN,  CONF, SHOWN,  "share of the line among equals"),
	ROW("priority",     INTEGER, PLAIN,  CONF, SHOWN,  "class towards the line; 7 goes first"),
	ROW("spoof_check",  BOOLEAN, PLAIN,  CONF, SHOWN,  "only its own source address may leave"),
	ROW("isolated",     BOOLEAN, PLAIN,  CONF, SHOWN,  "speaks to the line only (VEPA)"),
	ROW("mirror_to",    TEXT,    PLAIN,  CONF, SHOWN,
	    "interface that gets a copy of its frames"),
	ROW("tx_frames",    INTEGER, FRAMES, READ, LISTED, "frames taken from the guest"),
	ROW("tx_bytes",     INTEGER, BYTES,  READ, SHOWN,  "bytes taken from the guest"),
	ROW("rx_frames",    INTEGER, FRAMES, READ, LISTED, "frames delivered to the guest"),
	ROW("rx_bytes",     INTEGER, BYTES,  READ, SHOWN,  "bytes delivered to the guest"),
	ROW("rx_no_room",   INTEGER, FRAMES, READ, SHOWN,
	    "frames for which the guest had posted no buffer"),
	ROW("kicks",        INTEGER, THINGS, READ, SHOWN,  "notifications received from the guest"),
	ROW("interrupts",   INTEGER, THINGS, READ, SHOWN,  "notifications sent to the guest"),
	ROW("iotlb_misses", INTEGER, THINGS, READ, SHOWN,
	    "translations asked of the guest's IOMMU"),
	ROW("dma_blocked",  INTEGER, THINGS, READ, SHOWN,
	    "accesses to what the guest has not granted"),
	ROW("stopped",      TEXT,    PLAIN,  READ, SHOWN,
	    "why the front was stopped: what broke which rule; empty when it was not"),
	ROW("dropped",      INTEGER, FRAMES, READ, LISTED, "frames of it that were dropped"),
	ROWS_OF("drops",           READ, SHOWN, drop_columns, "frames dropped, by reason"),
	ROWS_OF("switch_counters", READ, SHOWN, counter_columns,
		"what the switch counted at its port"),
	END,
};

static const struct tree_property host[] = {
	ROW("name",         TEXT,    PLAIN,  CONF, LISTED, "name of the host"),
	ROW("chassis",      TEXT,    PLAIN,  CONF, LISTED, "chassis it is plugged into"),
	ROW("systems",      LIST,    PLAIN,  CONF, LISTED, "systems that run on it"),
	ROW("system_count", INTEGER, THINGS, CONF, SHOWN,  "systems that run on it"),
	ROW("translation",  BOOLEAN, PLAIN,  READ, SHOWN,
	    "its remapping unit translates, and blocks what no domain grants"),
	ROW("interrupt_remapping", BOOLEAN, PLAIN, READ, SHOWN,
	    "its remapping unit checks interrupts"),
	ROW("domains",      INTEGER, THINGS, READ, SHOWN,  "domains in its remapping unit: functions"),
	ROW("tables_bytes", INTEGER, BYTES,  READ, SHOWN,  "memory that the unit's tables take"),
	END,
};

static const struct tree_property pool[] = {
	ROW("name",      TEXT,    PLAIN,  CONF, LISTED, "name of the pool"),
	ROW("cards",     LIST,    PLAIN,  CONF, LISTED, "cards it draws from"),
	ROW("functions", INTEGER, THINGS, CONF, LISTED, "functions of these cards"),
	ROW("allocated", INTEGER, THINGS, READ, LISTED, "functions given to systems"),
	ROW("free",      INTEGER, THINGS, READ, LISTED, "functions left"),
	END,
};

static const struct tree_property io_columns[] = {
	ROW("name",       TEXT,    PLAIN,  CONF, LISTED, "name of the interface"),
	ROW("pool",       TEXT,    PLAIN,  CONF, SHOWN,  "pool it was drawn from"),
	ROW("group",      TEXT,    PLAIN,  CONF, SHOWN,  "redundancy group"),
	ROW("function",   TEXT,    PLAIN,  ACT,  LISTED, "function it uses now"),
	ROW("card",       TEXT,    PLAIN,  ACT,  LISTED, "card it uses now"),
	ROW("standby",    TEXT,    PLAIN,  READ, LISTED, "card that stands by"),
	ROW("attachment", TEXT,    PLAIN,  CONF, LISTED, "vhost-user or tap"),
	ROW("where",      TEXT,    PLAIN,  READ, LISTED, "socket path or interface name"),
	ROW("state",      TEXT,    PLAIN,  READ, LISTED,
	    "waiting, connected, running, stopped, held or quarantined"),
	ROW("mac",        TEXT,    PLAIN,  CONF, LISTED, "permanent address"),
	ROW("queues",     INTEGER, THINGS, READ, SHOWN,  "queue pairs in use"),
	ROW("features",   TEXT,    PLAIN,  READ, SHOWN,  "negotiated virtio features"),
	ROW("reconnects", INTEGER, THINGS, READ, SHOWN,  "how often the guest came back"),
	ROW("moves",      INTEGER, THINGS, READ, SHOWN,  "how often it was re-bound"),
	ROW("faults",     INTEGER, THINGS, READ, SHOWN,  "accesses of it that were blocked"),
	ROW("stopped",    TEXT,    PLAIN,  READ, SHOWN,  "why it is stopped; empty when it is not"),
	END,
};

static const struct tree_property system_[] = {
	ROW("name",     TEXT,    PLAIN,  CONF, LISTED, "name of the system"),
	ROW("host",     TEXT,    PLAIN,  CONF, LISTED, "host it runs on"),
	ROW("state",    TEXT,    PLAIN,  READ, LISTED,
	    "running when all its interfaces are, else what the worst of them is"),
	ROW("io_count", INTEGER, THINGS, CONF, LISTED, "interfaces it has"),
	ROW("cards",    LIST,    PLAIN,  ACT,  LISTED, "cards its interfaces use now"),
	ROWS_OF("ios",  CONF, SHOWN, io_columns, "its interfaces"),
	END,
};

static const struct tree_property member_columns[] = {
	ROW("card",   TEXT,    PLAIN,  CONF, LISTED, "name of the card"),
	ROW("state",  TEXT,    PLAIN,  ACT,  LISTED, "state of the card"),
	ROW("active", INTEGER, THINGS, ACT,  LISTED, "interfaces of the group that use it now"),
	END,
};

static const struct tree_property group[] = {
	ROW("name",   TEXT,    PLAIN,  CONF, LISTED, "name of the group"),
	ROW("cards",  LIST,    PLAIN,  CONF, LISTED, "its cards, the preferred one first"),
	ROW("mode",   TEXT,    PLAIN,  CONF, LISTED, "none or 1+1"),
	ROW("spread", TEXT,    PLAIN,  CONF, LISTED, "what members may not share"),
	ROW("revert", BOOLEAN, PLAIN,  CONF, LISTED, "interfaces go back when a card returns"),
	ROW("ios",    INTEGER, THINGS, CONF, SHOWN,  "interfaces that use the group"),
	ROW("active", LIST,    PLAIN,  ACT,  LISTED, "cards that carry its interfaces now"),
	ROWS_OF("members", CONF, SHOWN, member_columns, "its cards and their states"),
	END,
};

static const struct tree_property event[] = {
	ROW("name",    TEXT,    PLAIN, READ, LISTED, "its number, as text"),
	ROW("id",      INTEGER, PLAIN, READ, LISTED, "its number; never comes again"),
	ROW("time",    TEXT,    TIME,  READ, LISTED, "when it happened"),
	ROW("kind",    TEXT,    PLAIN, READ, LISTED, "one word"),
	ROW("object",  TEXT,    PLAIN, READ, LISTED, "noun and name of what it happened to"),
	ROW("from",    TEXT,    PLAIN, READ, LISTED, "function that traffic left"),
	ROW("to",      TEXT,    PLAIN, READ, LISTED, "function that traffic went to"),
	ROW("away_us", NUMBER,  US,    READ, LISTED,
	    "how long traffic was away, as far as the daemon saw it"),
	ROW("text",    TEXT,    PLAIN, READ, LISTED, "one sentence"),
	END,
};

static const struct tree_property fault[] = {
	ROW("name",     TEXT,    PLAIN,  READ, LISTED, "its number, as text"),
	ROW("id",       INTEGER, PLAIN,  READ, SHOWN,  "its number; never comes again"),
	ROW("time",     TEXT,    TIME,   READ, LISTED, "when it happened, the last time"),
	ROW("first",    TEXT,    TIME,   READ, SHOWN,  "when it happened first"),
	ROW("system",   TEXT,    PLAIN,  READ, LISTED, "system whose function it was"),
	ROW("io",       TEXT,    PLAIN,  READ, LISTED, "interface of that system"),
	ROW("function", TEXT,    PLAIN,  READ, LISTED, "function whose access was blocked"),
	ROW("rid",      TEXT,    PLAIN,  READ, LISTED, "requester ID of the access"),
	ROW("access",   TEXT,    PLAIN,  READ, LISTED,
	    "read, write, read and write, or interrupt"),
	ROW("address",  TEXT,    PLAIN,  READ, LISTED,
	    "where it was to go; of an interrupt, which vector"),
	ROW("reason",   TEXT,    PLAIN,  READ, LISTED, "why, in the specification's words"),
	ROW("code",     INTEGER, PLAIN,  READ, SHOWN,  "the specification's number of the reason"),
	ROW("count",    INTEGER, THINGS, READ, LISTED, "how often it came in a row"),
	END,
};

static const struct tree_property worker[] = {
	ROW("name",        TEXT,    PLAIN,  READ, LISTED, "number of the worker, as text"),
	ROW("health",      TEXT,    PLAIN,  READ, LISTED, "well, starved or stuck"),
	ROW("cards",       LIST,    PLAIN,  READ, LISTED, "cards it runs"),
	ROW("rounds",      INTEGER, THINGS, READ, LISTED, "times it looked for work"),
	ROW("busy_rounds", INTEGER, THINGS, READ, LISTED, "times it found some"),
	ROW("busy_ns",     INTEGER, NS,     READ, LISTED, "time in rounds that found some"),
	ROW("sleeps",      INTEGER, THINGS, READ, LISTED, "times it went to sleep"),
	ROW("cpu_ns",      INTEGER, NS,     READ, LISTED, "CPU time it used"),
	END,
};

static const struct tree_property cost_columns[] = {
	ROW("fru",            TEXT,   PLAIN,   READ, LISTED, "unit"),
	ROW("kind",           TEXT,   PLAIN,   READ, LISTED, "what it is"),
	ROW("minutes_a_year", NUMBER, MINUTES, READ, LISTED,
	    "how much shorter outages were if it never failed"),
	END,
};

static const struct tree_property avail[] = {
	ROW("name",               TEXT,    PLAIN,   CONF, LISTED, "system, or site for any of them"),
	ROW("minutes_a_year",     NUMBER,  MINUTES, READ, LISTED, "out, with every card in service"),
	ROW("minutes_a_year_now", NUMBER,  MINUTES, READ, LISTED,
	    "out, while the cards that are out now stay out"),
	ROW("nines",              NUMBER,  PLAIN,   READ, LISTED,
	    "-log10 of the unavailability, with every card in service"),
	ROW("unavailability",     NUMBER,  PLAIN,   READ, SHOWN,  "with every card in service"),
	ROW("unavailability_now", NUMBER,  PLAIN,   READ, SHOWN,  "as the site stands"),
	ROW("outages_a_year",     NUMBER,  PLAIN,   READ, SHOWN,  "with every card in service"),
	ROW("mtbf_h",             NUMBER,  HOURS,   READ, SHOWN,  "mean time between outages"),
	ROW("mttr_h",             NUMBER,  HOURS,   READ, SHOWN,  "mean length of an outage"),
	ROW("exact",              BOOLEAN, PLAIN,   READ, LISTED,
	    "no approximation; else the middle of bounds"),
	ROW("cards_out",          LIST,    PLAIN,   READ, LISTED, "cards that are not in service"),
	ROW("units_presumed",     INTEGER, THINGS,  READ, SHOWN,
	    "units of the site whose figures the site file does not give"),
	ROW("calculated",         TEXT,    TIME,    READ, SHOWN,  "when; null: not yet"),
	ROW("calculating",        BOOLEAN, PLAIN,   READ, SHOWN,  "a newer result is on its way"),
	ROWS_OF("costs",          READ, SHOWN, cost_columns, "units that cost most, as the site stands"),
	END,
};

const struct tree_property tree_fdb_columns[] = {
	ROW("mac",   TEXT,    PLAIN, READ, LISTED, "learned or fixed address"),
	ROW("vlan",  INTEGER, PLAIN, READ, LISTED, "VLAN it belongs to; 0: untagged"),
	ROW("port",  TEXT,    PLAIN, READ, LISTED, "where it is: line, or a function"),
	ROW("fixed", BOOLEAN, PLAIN, READ, LISTED,
	    "a function's own address: neither ages nor moves"),
	ROW("age_s", NUMBER,  S,     READ, LISTED, "time since it was last seen as a source"),
	END,
};

const struct tree_property tree_mapping_columns[] = {
	ROW("system",  TEXT,    PLAIN, READ, LISTED, "system it is granted to"),
	ROW("io",      TEXT,    PLAIN, READ, LISTED, "interface of that system"),
	ROW("rid",     TEXT,    PLAIN, READ, LISTED,
	    "requester ID under which the interface is heard now; empty: none"),
	ROW("domain",  INTEGER, PLAIN, READ, LISTED, "domain identifier in its host's unit"),
	ROW("iova",    TEXT,    PLAIN, READ, LISTED,
	    "first address, as the function says it; null: nothing is granted"),
	ROW("last",    TEXT,    PLAIN, READ, LISTED, "last address"),
	ROW("address", TEXT,    PLAIN, READ, LISTED, "where the first one leads"),
	ROW("rights",  TEXT,    PLAIN, READ, LISTED, "r, w or rw"),
	ROW("more",    INTEGER, THINGS, READ, SHOWN,
	    "in the last row of an interface: how many further ranges it has that are not listed"),
	END,
};

const struct tree_property *const tree_properties[TREE_NOUN_COUNT] = {
	[TREE_SITE] = site,     [TREE_CHASSIS] = chassis,   [TREE_CARRIER] = carrier,
	[TREE_CARD] = card,     [TREE_FUNCTION] = function, [TREE_HOST] = host,
	[TREE_POOL] = pool,     [TREE_SYSTEM] = system_,    [TREE_GROUP] = group,
	[TREE_EVENT] = event,   [TREE_FAULT] = fault,       [TREE_WORKER] = worker,
	[TREE_AVAIL] = avail,
};
