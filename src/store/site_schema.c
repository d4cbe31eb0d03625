#include "store/site_schema.h"

#include <inttypes.h>
#include <string.h>

#define RATE_MAX_BPS UINT64_C(4000000000000)
#define RATE_MAX_PPS UINT64_C(10000000000)
#define SIZE_MAX_BYTES (UINT64_C(1) << 60)

static const cyaml_strval_t classes[] = {
	{ "nic", SITE_CARD_NIC },
	{ "disk", SITE_CARD_DISK },
	{ "external", SITE_CARD_EXTERNAL },
	{ "vfio", SITE_CARD_VFIO },
};
static const cyaml_strval_t at_stops[] = {
	{ "release", SITE_AT_STOP_RELEASE },
	{ "keep", SITE_AT_STOP_KEEP },
};
static const cyaml_strval_t modes[] = {
	{ "1+1", SITE_REDUNDANCY_ONE_PLUS_ONE },
	{ "n+m", SITE_REDUNDANCY_N_PLUS_M },
};
static const cyaml_strval_t standbys[] = {
	{ "hot", SITE_STANDBY_HOT },
	{ "warm", SITE_STANDBY_WARM },
	{ "cold", SITE_STANDBY_COLD },
};
static const cyaml_strval_t uncovered[] = {
	{ "takes-all", SITE_UNCOVERED_TAKES_ALL },
	{ "waits", SITE_UNCOVERED_WAITS },
};
static const cyaml_strval_t unit_kinds[] = {
	{ "power-supply", SITE_UNIT_POWER_SUPPLY },
	{ "fan-tray", SITE_UNIT_FAN_TRAY },
	{ "shelf-manager", SITE_UNIT_SHELF_MANAGER },
	{ "power-feed", SITE_UNIT_POWER_FEED },
	{ "other", SITE_UNIT_OTHER },
};
static const cyaml_strval_t spreads[] = {
	{ "card", SITE_SPREAD_CARD },
	{ "carrier", SITE_SPREAD_CARRIER },
	{ "chassis", SITE_SPREAD_CHASSIS },
};
static const cyaml_strval_t attachments[] = {
	{ "vhost-user", SITE_ATTACH_VHOST_USER },
	{ "tap", SITE_ATTACH_TAP },
	{ "vfio-user", SITE_ATTACH_VFIO_USER },
	{ "nvme", SITE_ATTACH_NVME },
	{ "virtio-blk", SITE_ATTACH_VIRTIO_BLK },
	{ "vhost-user-blk", SITE_ATTACH_VHOST_USER_BLK },
	{ "vfio", SITE_ATTACH_VFIO },
};
static const cyaml_strval_t socket_modes[] = {
	{ "server", SITE_SOCKET_SERVER },
	{ "client", SITE_SOCKET_CLIENT },
};

#define AT(type, member) .offset = offsetof(struct type, member), \
			 .size = sizeof(((struct type *)NULL)->member)
#define LIST(type, member) .offset = offsetof(struct type, member),               \
			   .size = sizeof(*((struct type *)NULL)->member),         \
			   .count_offset = offsetof(struct type, member##_count), \
			   .count_size = sizeof(((struct type *)NULL)->member##_count)
#define WORDS(list) .type = SITE_TYPE_WORD, .words = list, .word_count = array_len(list)
#define NAME(of) { .key = "name", .type = SITE_TYPE_NAME, .need = SITE_MANDATORY, AT(of, name), \
		   .help = "Unique among its kind in the site." }

/* What a field-replaceable unit says of its failures. */
#define PRESUMED "what is presumed for its kind"
#define HARDWARE(of)                                                                             \
	{ .key = "mtbf", .type = SITE_TYPE_HOURS, .min = 1, .unit = "h",                         \
	  AT(of, reliability.mtbf_h), .absent = PRESUMED,                                        \
	  .help = "Mean time between failures of the hardware." },                               \
	{ .key = "mttr", .type = SITE_TYPE_HOURS, .min = 1, .unit = "h",                         \
	  AT(of, reliability.mttr_h), .absent = PRESUMED,                                        \
	  .help = "Mean time to repair: detection, travel and exchange." },                      \
	{ .key = "cost", .type = SITE_TYPE_UINT, .max = UINT64_C(1000000000000), .preset = "0",  \
	  AT(of, reliability.cost),                                                              \
	  .help = "Of one more, in your currency; lets improvements be ranked." }
#define SOFTWARE(of)                                                                             \
	{ .key = "software_mtbf", .type = SITE_TYPE_HOURS, .min = 1, .unit = "h",                \
	  AT(of, reliability.software_mtbf_h), .absent = "no software that fails by itself",     \
	  .help = "Mean time between failures that a restart mends." },                          \
	{ .key = "restart", .type = SITE_TYPE_HOURS, .min = 1, .unit = "h",                      \
	  AT(of, reliability.restart_h), .absent = PRESUMED,                                     \
	  .help = "Mean time of such a restart." }

static const struct site_row site_rows[] = {
	{ .key = "name", .type = SITE_TYPE_NAME, .need = SITE_MANDATORY, AT(site, name),
	  .help = "Names the site: its run directory, its control socket, its lock. "
		  "Not one that ends in .lock, .sock or .hand-over." },
	{ .key = "workers", .type = SITE_TYPE_UINT, .min = 0, .max = 64, .preset = "0",
	  .unit = "threads", AT(site, workers),
	  .help = "Data threads that poll cards; 0 takes one a card, at most the CPUs there are. "
		  "Cards of a group get different ones." },
	{ .key = "heartbeat_ms", .type = SITE_TYPE_UINT, .min = 5, .max = 60000, .preset = "30",
	  .unit = "ms", AT(site, heartbeat_ms),
	  .help = "Silence of a worker that counts as the death of its cards." },
	{ .key = "idle_wake_us", .type = SITE_TYPE_UINT, .min = 10, .max = 1000000,
	  .preset = "1000", .unit = "us", AT(site, idle_wake_us),
	  .help = "Longest sleep of an idle worker one of whose line ports cannot wake it." },
	{ .key = "chassis", .type = SITE_TYPE_SECTION, .need = SITE_MANDATORY, .min = 1,
	  .max = SITE_CHASSIS_MAX, .section = SITE_SECTION_CHASSIS, LIST(site, chassis),
	  .help = "The chassis of the site; one daemon may hold several." },
	{ .key = "hosts", .type = SITE_TYPE_SECTION, .max = SITE_HOSTS_MAX,
	  .section = SITE_SECTION_HOST, LIST(site, hosts),
	  .help = "Processor blades that systems run on." },
	{ .key = "pools", .type = SITE_TYPE_SECTION, .max = SITE_POOLS_MAX,
	  .section = SITE_SECTION_POOL, LIST(site, pools),
	  .help = "What interfaces draw their functions from." },
	{ .key = "groups", .type = SITE_TYPE_SECTION, .max = SITE_GROUPS_MAX,
	  .section = SITE_SECTION_GROUP, LIST(site, groups),
	  .help = "Redundancy groups: cards that stand in for each other." },
	{ .key = "systems", .type = SITE_TYPE_SECTION, .max = SITE_IOS_MAX,
	  .section = SITE_SECTION_SYSTEM, LIST(site, systems),
	  .help = "Guests, each with the I/O that it is given." },
	{ .key = "switches", .type = SITE_TYPE_SECTION, .max = SITE_SWITCHES_MAX,
	  .section = SITE_SECTION_SWITCH, LIST(site, switches),
	  .help = "Ethernet switches on paths between chassis; for the availability model." },
	{ .key = "paths", .type = SITE_TYPE_SECTION, .max = SITE_PATHS_MAX,
	  .section = SITE_SECTION_PATH, LIST(site, paths),
	  .help = "Ways for I/O between chassis; for the availability model." },
	{ .key = "repair_crews", .type = SITE_TYPE_UINT, .max = 1000, .preset = "0",
	  .unit = "crews", AT(site, repair_crews),
	  .help = "How many failures are repaired at once in the site; 0 is no limit." },
	{ .key = "mission", .type = SITE_TYPE_HOURS, .min = 1, .preset = "1y", .unit = "h",
	  AT(site, mission_h), .help = "Time that reliability is asked for." },
	{ .key = "quarantine_faults", .type = SITE_TYPE_UINT, .max = 1000000000, .preset = "64",
	  .unit = "accesses", AT(site, quarantine_faults),
	  .help = "Blocked accesses that bring an interface into quarantine; 0: none do." },
	{ .key = "quarantine_window_s", .type = SITE_TYPE_UINT, .min = 1, .max = 86400,
	  .preset = "10", .unit = "s", AT(site, quarantine_window_s),
	  .help = "Time within which they are counted." },
};

static const struct site_row chassis_rows[] = {
	NAME(site_chassis),
	{ .key = "carriers", .type = SITE_TYPE_SECTION, .max = SITE_SLOTS_MAX,
	  .section = SITE_SECTION_CARRIER, LIST(site_chassis, carriers),
	  .help = "The carriers in its slots." },
	{ .key = "units", .type = SITE_TYPE_SECTION, .max = SITE_UNITS_MAX,
	  .section = SITE_SECTION_UNIT, LIST(site_chassis, units),
	  .help = "What all of it depends on: power supplies, fan trays, shelf managers." },
	HARDWARE(site_chassis),
};

static const struct site_row unit_rows[] = {
	{ .key = "name", .type = SITE_TYPE_NAME, .need = SITE_MANDATORY, AT(site_unit, name),
	  .help = "Unique in the chassis." },
	{ .key = "kind", WORDS(unit_kinds), .preset = "other", AT(site_unit, kind),
	  .help = "What they are." },
	{ .key = "count", .type = SITE_TYPE_UINT, .min = 1, .max = 64, .preset = "1",
	  .unit = "units", AT(site_unit, count), .help = "How many there are." },
	{ .key = "needed", .type = SITE_TYPE_UINT, .max = 64, .preset = "1", .unit = "units",
	  AT(site_unit, needed),
	  .help = "How many the chassis needs; with 0 their failure interrupts nothing." },
	HARDWARE(site_unit),
	SOFTWARE(site_unit),
};

static const struct site_row carrier_rows[] = {
	NAME(site_carrier),
	{ .key = "cards", .type = SITE_TYPE_SECTION, .max = SITE_SLOTS_MAX,
	  .section = SITE_SECTION_CARD, LIST(site_carrier, cards), .help = "The cards on it." },
	HARDWARE(site_carrier),
};

static const struct site_row card_rows[] = {
	NAME(site_card),
	{ .key = "class", WORDS(classes), .preset = "nic", AT(site_card, card_class),
	  .help = "What the card does." },
	{ .key = "vfs", .type = SITE_TYPE_UINT, .min = 1, .max = SITE_VFS_MAX, .preset = "16",
	  .unit = "functions", AT(site_card, vfs),
	  .help = "Virtual functions of the card; a disk card has at most 64, an external card as many as "
		  "it lists, a vfio card what its hardware has." },
	{ .key = "line", .type = SITE_TYPE_TEXT, .min = 1, .max = 256, AT(site_card, line),
	  .absent = "none; needed for nic",
	  .help = "nic: the port behind the card: a DPDK device with its arguments "
		  "(`net_af_packet0,iface=eth1`, `net_af_xdp0,iface=eth1`, `net_tap0,iface=mp0`, "
		  "`net_null0`, ...) or a PCI address (`0000:03:00.0`)." },
	{ .key = "medium", .type = SITE_TYPE_TEXT, .min = 1, .max = 4096, AT(site_card, medium),
	  .absent = "none; needed for disk",
	  .help = "disk: what keeps its bytes: the absolute path of a file or block device; the PCI address "
		  "of an NVMe function that vfio-pci has (`0000:01:00.1`); an NVMe function that another "
		  "process serves (`vfio-user:` and the absolute path of its socket); or `memory`, which "
		  "forgets them when the daemon ends." },
	{ .key = "namespace", .type = SITE_TYPE_UINT, .min = 0, .max = UINT32_MAX - 1, .preset = "0",
	  AT(site_card, nsid),
	  .help = "disk: which namespace of an NVMe function it is; 0 is the first active one." },
	{ .key = "size", .type = SITE_TYPE_SIZE, .min = 2 * SITE_DISK_UNIT, .max = SIZE_MAX_BYTES,
	  .unit = "bytes", AT(site_card, size), .absent = "what the medium has",
	  .help = "disk: of the medium; a file that is not there is made with it, memory needs it." },
	{ .key = "functions", .type = SITE_TYPE_SECTION, .max = SITE_EXTERNAL_VFS_MAX,
	  .section = SITE_SECTION_EXTERNAL, LIST(site_card, functions),
	  .help = "external: the functions that other processes serve, each a function of the card." },
	{ .key = "address", .type = SITE_TYPE_TEXT, .min = 1, .max = 32, AT(site_card, address),
	  .absent = "none; needed for vfio",
	  .help = "vfio: PCI address of the physical function, as in `0000:3b:00.0`; `midplane "
		  "hardware list` has those of this machine." },
	{ .key = "at_stop", WORDS(at_stops), .preset = "release", AT(site_card, at_stop),
	  .help = "vfio: what becomes of functions when the daemon stops: those that nobody has "
		  "open go back to their drivers, and virtual functions that it made away "
		  "(release), or all stay for the next start (keep)." },
	{ .key = "line_rate", .type = SITE_TYPE_RATE, .max = RATE_MAX_BPS, .preset = "0",
	  .unit = "bit/s", AT(site_card, line_rate_bps),
	  .help = "What the arbitration sends into the port at most; 0 is no limit." },
	{ .key = "mtu", .type = SITE_TYPE_UINT, .min = 68, .max = 9600, .preset = "1500",
	  .unit = "bytes", AT(site_card, mtu),
	  .help = "Largest payload behind the Ethernet header." },
	{ .key = "fdb_entries", .type = SITE_TYPE_UINT, .min = 16, .max = 1048576,
	  .preset = "4096", .unit = "addresses", AT(site_card, fdb_entries),
	  .help = "Learned addresses that the embedded switch keeps." },
	{ .key = "fdb_age_s", .type = SITE_TYPE_UINT, .min = 1, .max = 1000000, .preset = "300",
	  .unit = "s", AT(site_card, fdb_age_s),
	  .help = "Silence after which a learned address is forgotten." },
	HARDWARE(site_card),
	SOFTWARE(site_card),
};

static const struct site_row external_rows[] = {
	{ .key = "socket", .type = SITE_TYPE_TEXT, .need = SITE_MANDATORY, .min = 1, .max = 4096,
	  AT(site_external_function, socket),
	  .help = "Path of the unix socket that the process serves it on over vfio-user: absolute, at most "
		  "107 characters." },
	{ .key = "guard", .type = SITE_TYPE_BOOL, .preset = "true", AT(site_external_function, guard),
	  .help = "Whether each byte that it reads or writes of a guest passes the daemon and the interface's "
		  "domain; without, it is given the files of the guest's memory whole, which devices need that "
		  "poll there." },
	{ .key = "patience_ms", .type = SITE_TYPE_UINT, .min = 1, .max = 600000, .preset = "2000",
	  .unit = "ms", AT(site_external_function, patience_ms),
	  .help = "How long it may take for an answer before it counts as dead." },
};

static const struct site_row host_rows[] = {
	NAME(site_host),
	{ .key = "chassis", .type = SITE_TYPE_REF, .need = SITE_MANDATORY,
	  AT(site_host, chassis), .help = "The chassis whose slot the blade is in." },
	HARDWARE(site_host),
	SOFTWARE(site_host),
};

static const struct site_row pool_rows[] = {
	NAME(site_pool),
	{ .key = "cards", .type = SITE_TYPE_NAMES, .need = SITE_MANDATORY, .min = 1,
	  .max = SITE_CARDS_MAX, LIST(site_pool, cards),
	  .help = "The cards whose functions the pool has." },
};

static const struct site_row group_rows[] = {
	NAME(site_group),
	{ .key = "cards", .type = SITE_TYPE_NAMES, .min = 2, .max = SITE_GROUP_CARDS_MAX,
	  LIST(site_group, cards), .absent = "chosen from `pool`",
	  .help = "1+1: the two cards, the first preferred.  n+m: the cards that carry traffic, then "
		  "those that stand by." },
	{ .key = "pool", .type = SITE_TYPE_REF, AT(site_group, pool),
	  .absent = "`cards` names them",
	  .help = "Instead of `cards`: the pool that they are chosen from, so that the systems "
		  "that use the group are available most, under `spread`; the reason is in "
		  "`midplane site check` and `midplane avail`." },
	{ .key = "count", .type = SITE_TYPE_UINT, .min = 2, .max = SITE_GROUP_CARDS_MAX,
	  .preset = "2", .unit = "cards", AT(site_group, count),
	  .help = "How many are chosen; for n+m with the standbys." },
	{ .key = "mode", WORDS(modes), .preset = "1+1", AT(site_group, mode),
	  .help = "How many carry traffic and how many stand by: one and one, or all but the last "
		  "`standbys`." },
	{ .key = "standbys", .type = SITE_TYPE_UINT, .min = 1, .max = SITE_STANDBYS_MAX,
	  .preset = "1", .unit = "cards", AT(site_group, standbys),
	  .help = "n+m: cards that stand by, each with functions for every interface." },
	{ .key = "spread", WORDS(spreads), .preset = "card", AT(site_group, spread),
	  .help = "What no two of them may share." },
	{ .key = "revert", .type = SITE_TYPE_BOOL, .preset = "false", AT(site_group, revert),
	  .help = "Whether interfaces go back to the preferred card when it returns; without, "
		  "the group's interfaces are balanced over both cards." },
	{ .key = "wait_to_restore_s", .type = SITE_TYPE_UINT, .max = 3600, .preset = "0",
	  .unit = "s", AT(site_group, wait_to_restore_s),
	  .help = "revert: how long the preferred card must have been well without a break (in its "
		  "slot, link up, worker answering) before interfaces go back to it, so that a link "
		  "that flaps moves them once; 0 is at once, ITU-T G.8031 has 300 to 720." },
	{ .key = "standby", WORDS(standbys), .preset = "hot", AT(site_group, standby),
	  .help = "How a card that stands by ages: as an active one, slower, not at all; for the "
		  "availability model, as the rest below." },
	{ .key = "dormancy", .type = SITE_TYPE_SHARE, .preset = "0.5", AT(site_group, dormancy),
	  .help = "warm: failure rate of a card that stands by, as a share of an active one's." },
	{ .key = "coverage", .type = SITE_TYPE_SHARE, .preset = "1", AT(site_group, coverage),
	  .help = "Probability that the failure of an active card is detected and handled." },
	{ .key = "uncovered", WORDS(uncovered), .preset = "waits", AT(site_group, uncovered),
	  .help = "What a failure that is not handled does: it waits for somebody, or takes all "
		  "cards of the group with it." },
	{ .key = "recovery", .type = SITE_TYPE_HOURS, .preset = "1h", .unit = "h",
	  AT(site_group, recovery_h), .help = "How long it waits, mean." },
	{ .key = "switch_over", .type = SITE_TYPE_HOURS, .preset = "0", .unit = "h",
	  AT(site_group, switch_over_h), .help = "Outage of a handled failure, mean." },
};

static const struct site_row system_rows[] = {
	NAME(site_system),
	{ .key = "host", .type = SITE_TYPE_REF, .need = SITE_MANDATORY, AT(site_system, host),
	  .help = "The host that it runs on." },
	{ .key = "io", .type = SITE_TYPE_SECTION, .max = SITE_IOS_MAX,
	  .section = SITE_SECTION_IO, LIST(site_system, io), .help = "Its interfaces." },
	{ .key = "io_needed", .type = SITE_TYPE_UINT, .max = SITE_IOS_MAX, .preset = "0",
	  .unit = "interfaces", AT(site_system, io_needed),
	  .help = "Interfaces that it needs to work; 0 is all of them." },
	SOFTWARE(site_system),
};

static const struct site_row switch_rows[] = {
	NAME(site_switch),
	HARDWARE(site_switch),
	SOFTWARE(site_switch),
};

static const struct site_row path_rows[] = {
	NAME(site_path),
	{ .key = "chassis", .type = SITE_TYPE_NAMES, .need = SITE_MANDATORY, .min = 2, .max = 2,
	  LIST(site_path, chassis), .help = "The two chassis that it connects." },
	{ .key = "switches", .type = SITE_TYPE_NAMES, .max = SITE_SWITCHES_MAX,
	  LIST(site_path, switches), .help = "The switches on it, all of which it needs." },
	HARDWARE(site_path),
};

static const struct site_row io_rows[] = {
	{ .key = "name", .type = SITE_TYPE_NAME, AT(site_io, name),
	  .absent = "`net0`, `net1`, ... by position",
	  .help = "Unique within the system." },
	{ .key = "pool", .type = SITE_TYPE_REF, .need = SITE_MANDATORY, AT(site_io, pool),
	  .help = "The pool that its function is drawn from." },
	{ .key = "attachment", WORDS(attachments), .preset = "vhost-user",
	  AT(site_io, attachment),
	  .help = "How the guest is plugged in: by its rings (vhost-user), as a kernel interface "
		  "(tap), or as a whole PCI function (vfio-user); functions of external cards by vfio-user "
		  "alone.  Of a pool of disk cards: as an NVMe "
		  "controller (nvme) or a virtio disk (virtio-blk), both whole PCI functions, or by its "
		  "rings (vhost-user-blk).  Of a pool of vfio cards: as a real function of this machine "
		  "(vfio)." },
	{ .key = "socket", .type = SITE_TYPE_TEXT, .min = 1, .max = 4096, AT(site_io, socket),
	  .absent = "`RUN_DIR/SITE/SYSTEM-NAME.sock`",
	  .help = "All but tap and vfio: path of the socket, absolute, at most 107 characters." },
	{ .key = "socket_mode", WORDS(socket_modes), .preset = "server",
	  AT(site_io, socket_mode),
	  .help = "vhost-user and vhost-user-blk: whether the daemon listens (`server`) or the guest's VMM does." },
	{ .key = "interface", .type = SITE_TYPE_TEXT, .min = 1, .max = 256,
	  AT(site_io, interface), .absent = "none; needed for tap",
	  .help = "tap: name of the kernel interface, at most 15 characters." },
	{ .key = "netns", .type = SITE_TYPE_TEXT, .min = 1, .max = 256, AT(site_io, netns),
	  .absent = "the daemon's own",
	  .help = "tap: name of the network namespace that the interface is put into." },
	{ .key = "mac", .type = SITE_TYPE_MAC, AT(site_io, mac),
	  .absent = "derived from the names of site, system and interface; locally administered",
	  .help = "Unicast address of the interface, unique in the site." },
	{ .key = "vlan", .type = SITE_TYPE_UINT, .min = 0, .max = 4094, .preset = "0",
	  AT(site_io, vlan),
	  .help = "VLAN that the interface is in; the card adds and removes the tag. 0 is none." },
	{ .key = "rate", .type = SITE_TYPE_RATE, .max = RATE_MAX_BPS, .preset = "0",
	  .unit = "bit/s", AT(site_io, rate_bps),
	  .help = "What the guest may send; 0 is no limit; whole Mbit/s of a real function." },
	{ .key = "pps", .type = SITE_TYPE_PPS, .max = RATE_MAX_PPS, .preset = "0",
	  .unit = "packets/s", AT(site_io, rate_pps),
	  .help = "What the guest may send; 0 is no limit." },
	{ .key = "weight", .type = SITE_TYPE_UINT, .min = 1, .max = 1000, .preset = "100",
	  AT(site_io, weight),
	  .help = "Share of the line port, or the medium, among interfaces of the same priority." },
	{ .key = "priority", .type = SITE_TYPE_UINT, .min = 0, .max = 7, .preset = "0",
	  AT(site_io, priority),
	  .help = "Class towards the line port, or the medium; a higher one is always served first." },
	{ .key = "queues", .type = SITE_TYPE_UINT, .min = 1, .max = 8, .preset = "1",
	  .unit = "queue pairs", AT(site_io, queues),
	  .help = "Queue pairs offered to the guest, of a virtio disk queues; tap has 1." },
	{ .key = "redundancy", .type = SITE_TYPE_REF, AT(site_io, redundancy),
	  .absent = "no standby",
	  .help = "The group whose two cards each hold a function for this interface. A disk is mirrored on the two "
		  "cards of a group of mode 1+1." },
	{ .key = "spoof_check", .type = SITE_TYPE_BOOL, .preset = "true",
	  AT(site_io, spoof_check),
	  .help = "Drop frames that the guest sends from another MAC address." },
	{ .key = "isolated", .type = SITE_TYPE_BOOL, .preset = "false", AT(site_io, isolated),
	  .help = "Speak to the line only, not to other functions of the card (VEPA)." },
	{ .key = "mirror_to", .type = SITE_TYPE_TEXT, .min = 1, .max = 256,
	  AT(site_io, mirror_to), .absent = "no copy",
	  .help = "`SYSTEM/INTERFACE` on the same card that gets a copy of every frame." },
	{ .key = "packed", .type = SITE_TYPE_BOOL, .preset = "false", AT(site_io, packed),
	  .help = "vhost-user and vhost-user-blk: offer packed rings; some frontends accept and cannot drive them." },
	{ .key = "size", .type = SITE_TYPE_SIZE, .min = SITE_DISK_UNIT, .max = SIZE_MAX_BYTES,
	  .unit = "bytes", AT(site_io, size), .absent = "none; needed for a disk",
	  .help = "Of a disk, which is carved from its card when it is first asked for, and found again "
		  "by the names of site, system and interface." },
	{ .key = "iops", .type = SITE_TYPE_UINT, .max = 1000000000, .preset = "0",
	  .unit = "commands/s", AT(site_io, iops), .help = "Of a disk, what the guest may ask; 0 is "
	  "no limit." },
	{ .key = "byte_rate", .type = SITE_TYPE_SIZE, .max = UINT64_C(1) << 40, .preset = "0",
	  .unit = "bytes/s", AT(site_io, byte_rate), .help = "Of a disk, what the guest may read and "
	  "write; 0 is no limit." },
	{ .key = "resync_rate", .type = SITE_TYPE_SIZE, .max = UINT64_C(1) << 40, .preset = "0",
	  .unit = "bytes/s", AT(site_io, resync_rate), .help = "Of a mirrored disk, what may be copied to a half "
	  "that is brought up to date; 0 is no limit." },
	{ .key = "manage", .type = SITE_TYPE_SIZE, .max = UINT64_C(1) << 60, .preset = "0",
	  .unit = "bytes", AT(site_io, manage), .help = "Of an NVMe disk, how much of its card its guest "
	  "may have in namespaces that it makes itself; 0 is none." },
	{ .key = "shares", .type = SITE_TYPE_TEXT, .min = 1, .max = 256, AT(site_io, shares),
	  .absent = "a disk of its own",
	  .help = "nvme: `SYSTEM/INTERFACE` whose disk this interface is given, too, by a controller of its own in the "
		  "same NVM subsystem; `pool` and `redundancy` are as there. Reservations order who may write." },
	{ .key = "primary", .type = SITE_TYPE_BOOL, .preset = "false", AT(site_io, primary),
	  .help = "nvme, of a disk that others share: its controller is the primary one, which lends queues and "
		  "interrupts to theirs and brings them online; until then they are offline." },
};

#define ROWS(list, of) .rows = list, .row_count = array_len(list), .size = sizeof(struct of)

const struct site_section_rows site_sections[SITE_SECTION_COUNT] = {
	[SITE_SECTION_SITE] = { "site", "a site", "the document itself",
				"All that one file describes.", ROWS(site_rows, site) },
	[SITE_SECTION_CHASSIS] = { "chassis", "a chassis", "chassis[]",
				   "A box with slots.", ROWS(chassis_rows, site_chassis) },
	[SITE_SECTION_UNIT] = { "unit", "a unit", "chassis[].units[]",
				"Equal units that all of a chassis depends on.",
				ROWS(unit_rows, site_unit) },
	[SITE_SECTION_CARRIER] = { "carrier", "a carrier", "chassis[].carriers[]",
				   "A board in a slot that cards sit on.",
				   ROWS(carrier_rows, site_carrier) },
	[SITE_SECTION_CARD] = { "card", "a card", "chassis[].carriers[].cards[]",
				"A device with virtual functions, and one line port or medium.",
				ROWS(card_rows, site_card) },
	[SITE_SECTION_EXTERNAL] = { "function", "a function", "chassis[].carriers[].cards[].functions[]",
				    "A PCI function that another process serves.",
				    ROWS(external_rows, site_external_function) },
	[SITE_SECTION_HOST] = { "host", "a host", "hosts[]",
				"A processor blade: the root complex that its systems see.",
				ROWS(host_rows, site_host) },
	[SITE_SECTION_POOL] = { "pool", "a pool", "pools[]",
				"Functions that interfaces are given from.",
				ROWS(pool_rows, site_pool) },
	[SITE_SECTION_GROUP] = { "group", "a group", "groups[]",
				 "Cards that stand in for each other.",
				 ROWS(group_rows, site_group) },
	[SITE_SECTION_SYSTEM] = { "system", "a system", "systems[]",
				  "A guest: virtual machine or container.",
				  ROWS(system_rows, site_system) },
	[SITE_SECTION_IO] = { "interface", "an interface", "systems[].io[]",
			      "One interface, or disk, that a system asks for.",
			      ROWS(io_rows, site_io) },
	[SITE_SECTION_SWITCH] = { "switch", "a switch", "switches[]",
				  "An Ethernet switch between chassis.",
				  ROWS(switch_rows, site_switch) },
	[SITE_SECTION_PATH] = { "path", "a path", "paths[]",
				"A way for I/O between two chassis.", ROWS(path_rows, site_path) },
};

static cyaml_type_e cyaml_type(enum site_type type)
{
	switch (type) {
	case SITE_TYPE_UINT:
	case SITE_TYPE_RATE:
	case SITE_TYPE_PPS:
	case SITE_TYPE_SIZE:
		return CYAML_UINT;
	case SITE_TYPE_HOURS:
	case SITE_TYPE_SHARE:
		return CYAML_FLOAT;
	case SITE_TYPE_BOOL:
		return CYAML_BOOL;
	case SITE_TYPE_WORD:
		return CYAML_ENUM;
	case SITE_TYPE_NAMES:
	case SITE_TYPE_SECTION:
		return CYAML_SEQUENCE;
	default:
		return CYAML_STRING;
	}
}

static void row_to_cyaml(const struct site_row *row, struct site_cyaml *cyaml,
			 cyaml_schema_field_t *field)
{
	cyaml_schema_value_t *value = &field->value;
	unsigned flags = row->need == SITE_MANDATORY ? CYAML_FLAG_DEFAULT : CYAML_FLAG_OPTIONAL;

	*field = (cyaml_schema_field_t){ .key = row->key, .data_offset = row->offset,
					 .count_offset = row->count_offset,
					 .count_size = (uint8_t)row->count_size };
	value->type = cyaml_type(row->type);
	value->data_size = row->size;
	switch (value->type) {
	case CYAML_STRING:
		flags |= CYAML_FLAG_POINTER;
		value->data_size = sizeof(char);
		value->string.max = CYAML_UNLIMITED;
		break;
	case CYAML_ENUM:
		flags |= CYAML_FLAG_STRICT;
		value->enumeration.strings = row->words;
		value->enumeration.count = row->word_count;
		break;
	case CYAML_SEQUENCE:
		flags |= CYAML_FLAG_POINTER;
		value->sequence.entry = row->type == SITE_TYPE_NAMES ? &cyaml->name
								     : &cyaml->entry[row->section];
		value->sequence.min = (uint32_t)row->min;
		value->sequence.max = (uint32_t)row->max;
		break;
	default:
		break;
	}
	value->flags = (enum cyaml_flag)flags;
}

void site_schema_cyaml(struct site_cyaml *cyaml)
{
	memset(cyaml, 0, sizeof *cyaml);
	cyaml->name = (cyaml_schema_value_t){
		CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)
	};
	for (unsigned s = 0; s < SITE_SECTION_COUNT; s++) {
		const struct site_section_rows *section = &site_sections[s];

		must(section->row_count <= SITE_ROWS_MAX);
		for (unsigned r = 0; r < section->row_count; r++)
			row_to_cyaml(&section->rows[r], cyaml, &cyaml->fields[s][r]);
		cyaml->entry[s].type = CYAML_MAPPING;
		cyaml->entry[s].data_size = section->size;
		cyaml->entry[s].mapping.fields = cyaml->fields[s];
	}
	cyaml->top = cyaml->entry[SITE_SECTION_SITE];
	cyaml->top.flags = CYAML_FLAG_POINTER;
}

static void allow_words(const struct site_row *row, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "%s", row->word_count > 1 ? "one of " : "");

	for (unsigned i = 0; i < row->word_count && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
					 row->words[i].str);
}

void site_row_allows(const struct site_row *row, char *text, size_t size)
{
	const char *things = row->type == SITE_TYPE_NAMES ? "names" : "entries";

	switch (row->type) {
	case SITE_TYPE_NAME:
	case SITE_TYPE_REF:
		snprintf(text, size, "a name: 1 to %d letters, digits, '-', '_' or '.', the first a "
			 "letter or a digit", SITE_NAME_MAX);
		break;
	case SITE_TYPE_TEXT:
		snprintf(text, size, "%" PRIu64 " to %" PRIu64 " printable ASCII characters", row->min,
			 row->max);
		break;
	case SITE_TYPE_MAC:
		snprintf(text, size, "a unicast address such as 52:54:00:12:34:56");
		break;
	case SITE_TYPE_UINT:
		snprintf(text, size, "a whole number from %" PRIu64 " to %" PRIu64 "%s%s", row->min,
			 row->max, row->unit ? " " : "", row->unit ? row->unit : "");
		break;
	case SITE_TYPE_RATE:
		snprintf(text, size, "a rate from 0 to 4Tbit, in bit/s or with one of bit, kbit, Mbit, "
			 "Gbit, Tbit");
		break;
	case SITE_TYPE_PPS:
		snprintf(text, size, "packets per second from 0 to 10G, plain or with one of k, M, G");
		break;
	case SITE_TYPE_SIZE:
		snprintf(text, size, "a size of at least %" PRIu64 " bytes, plain or with one of KiB, MiB, GiB, "
			 "TiB, k, M, G, T", row->min);
		break;
	case SITE_TYPE_HOURS:
		snprintf(text, size, "a time %swith one of ms, s, min, h, d, y",
			 row->min ? "above 0 " : "");
		break;
	case SITE_TYPE_SHARE:
		snprintf(text, size, "a share from 0 to 1, or in %%");
		break;
	case SITE_TYPE_BOOL:
		snprintf(text, size, "true or false");
		break;
	case SITE_TYPE_WORD:
		allow_words(row, text, size);
		break;
	case SITE_TYPE_NAMES:
	case SITE_TYPE_SECTION:
		if (row->min == row->max)
			snprintf(text, size, "a list of exactly %" PRIu64 " %s", row->max, things);
		else
			snprintf(text, size, "a list of %" PRIu64 " to %" PRIu64 " %s", row->min,
				 row->max, things);
		break;
	}
}
