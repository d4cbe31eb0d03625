/* fabric/site.h -- what one site file says, as plain values: the words are those of the file.
 *
 * Filled by store/site_file from YAML, by tests by hand; checked by fabric/site_check; never
 * changed afterwards.  Names are unique within their kind.
 *
 * Memory: whoever filled it owns all of it. */
#ifndef FABRIC_SITE_H
#define FABRIC_SITE_H

#include "base/base.h"

enum {
	SITE_NAME_MAX = 48, /* characters of a name: see site_name_is_good */
	SITE_CARDS_MAX = 4096,
	SITE_CARRIERS_MAX = 4096,
	SITE_SLOTS_MAX = 64, /* carriers of one chassis, cards of one carrier */
	SITE_VFS_MAX = 256,       /* of one card */
	SITE_DISK_VFS_MAX = 64,   /* of one disk card */
	SITE_EXTERNAL_VFS_MAX = 64, /* of one external card */
	SITE_IOS_MAX = 4096,      /* of all systems together */
	SITE_CHASSIS_MAX = 256,
	SITE_HOSTS_MAX = 4096,
	SITE_POOLS_MAX = 256,
	SITE_GROUPS_MAX = 4096,
	SITE_GROUP_CARDS_MAX = 32,
	SITE_STANDBYS_MAX = 7,    /* standby cards of one group */
	SITE_UNITS_MAX = 32,      /* kinds of units of one chassis */
	SITE_SWITCHES_MAX = 256,
	SITE_PATHS_MAX = 256,
	SITE_INTERFACE_MAX = 15,  /* characters: Linux's IFNAMSIZ less the final zero */
	SITE_SOCKET_MAX = 107,    /* characters: sockaddr_un less the final zero */
};

enum site_card_class {
	SITE_CARD_NIC,
	SITE_CARD_DISK,
	SITE_CARD_EXTERNAL, /* functions that other processes serve */
	SITE_CARD_VFIO,     /* real hardware of this machine */
};
/* What becomes of a real card's functions when the daemon stops. */
enum site_at_stop { SITE_AT_STOP_RELEASE, SITE_AT_STOP_KEEP };
enum site_attachment {
	SITE_ATTACH_VHOST_USER,
	SITE_ATTACH_TAP,
	SITE_ATTACH_VFIO_USER,
	SITE_ATTACH_NVME,       /* of disk cards, as whole PCI functions over vfio-user */
	SITE_ATTACH_VIRTIO_BLK,
	SITE_ATTACH_VHOST_USER_BLK, /* of disk cards, by its rings */
	SITE_ATTACH_VFIO,           /* of vfio cards: a real function, which VFIO hands out */
};
enum site_socket_mode { SITE_SOCKET_SERVER, SITE_SOCKET_CLIENT };
enum site_spread { SITE_SPREAD_CARD, SITE_SPREAD_CARRIER, SITE_SPREAD_CHASSIS };
enum site_redundancy {
	SITE_REDUNDANCY_NONE,
	SITE_REDUNDANCY_ONE_PLUS_ONE,
	SITE_REDUNDANCY_N_PLUS_M, /* the last 'standbys' cards stand by for all others */
};

/* How members of a group stand in for each other, for the availability model (avail/model.h). */
enum site_standby { SITE_STANDBY_HOT, SITE_STANDBY_WARM, SITE_STANDBY_COLD };
enum site_uncovered { SITE_UNCOVERED_TAKES_ALL, SITE_UNCOVERED_WAITS };

/* What a field-replaceable unit is, beside those that have a struct of their own. */
enum site_unit_kind {
	SITE_UNIT_POWER_SUPPLY,
	SITE_UNIT_FAN_TRAY,
	SITE_UNIT_SHELF_MANAGER,
	SITE_UNIT_POWER_FEED,
	SITE_UNIT_OTHER,
};

/* How often one field-replaceable unit fails, and for how long; 0: what site_figure() presumes for its
 * kind. */
struct site_reliability {
	double mtbf_h, mttr_h;
	double software_mtbf_h, restart_h; /* of the software on it; 0 mtbf: has none of its own */
	uint64_t cost;                     /* of one more, in the operator's currency; 0: not given */
};

/* A medium that another process serves begins with this. */
#define SITE_VFIO_USER "vfio-user:"

/* A function that another process serves over vfio-user. */
struct site_external_function {
	char *socket;         /* that it listens on: absolute */
	bool guard;           /* default true: it is given none of the guest's descriptors */
	uint32_t patience_ms; /* for each of its answers; default 2000 */
};

struct site_card {
	char *name;
	enum site_card_class card_class; /* "class" */
	uint16_t vfs;                    /* virtual functions; 1..256; default 16 */
	char *line;                      /* nic: DPDK device argument string or PCI address; or NULL */
	char *medium;                    /* disk: "memory", path of a file or block device, PCI address, or
					  * SITE_VFIO_USER and the path of a socket; or NULL */
	uint32_t nsid;                   /* disk: namespace of an NVMe function; 0: its first */
	uint64_t size;                   /* disk: bytes; 0: what the medium has */
	struct site_external_function *functions; /* external: as many as 'vfs' */
	unsigned functions_count;
	char *address;                   /* vfio: PCI address of the PF, "0000:01:00.0"; or NULL */
	enum site_at_stop at_stop;       /* vfio; default release */
	uint64_t line_rate_bps;          /* 0: unlimited */
	uint16_t mtu;                    /* bytes; default 1500 */
	uint32_t fdb_entries;            /* default 4096 */
	uint32_t fdb_age_s;              /* default 300 */
	struct site_reliability reliability;
};

struct site_carrier {
	char *name;
	struct site_card *cards;
	unsigned cards_count;
	struct site_reliability reliability;
};

/* Units that all of a chassis needs: 'needed' of 'count' equal ones. */
struct site_unit {
	char *name;
	enum site_unit_kind kind;
	unsigned count, needed; /* needed 0: its failure interrupts nothing */
	struct site_reliability reliability;
};

struct site_chassis {
	char *name;
	struct site_carrier *carriers;
	unsigned carriers_count;
	struct site_unit *units;
	unsigned units_count;
	struct site_reliability reliability;
};

struct site_host {
	char *name;
	char *chassis; /* name of the chassis whose slot it is in */
	struct site_reliability reliability;
};

/* An Ethernet switch on a path between chassis. */
struct site_switch {
	char *name;
	struct site_reliability reliability;
};

/* One way for I/O between two chassis: a cable, or a row of switches.  Chassis with several paths between
 * them need one. */
struct site_path {
	char *name;
	char **chassis; /* names, two */
	unsigned chassis_count;
	char **switches; /* names; it works when all of them do */
	unsigned switches_count;
	struct site_reliability reliability; /* of the cable and its ports */
};

struct site_pool {
	char *name;
	char **cards; /* names */
	unsigned cards_count;
};

/* Cards that stand in for each other. */
struct site_group {
	char *name;
	char **cards;            /* names; two of them for 1+1, the first preferred; for N+M the last
	                          * 'standbys' of them stand by */
	unsigned cards_count;
	char *pool;              /* instead: where 'count' cards are chosen from (fabric/choice.h); or NULL */
	unsigned count;
	char *chosen;            /* the choice and its reason, in words; NULL: they were given */
	enum site_redundancy mode;
	enum site_spread spread; /* what two members may not share; default card */
	bool revert;             /* go back to the preferred card when it returns */
	unsigned wait_to_restore_s; /* revert: when it has been well for so long; default 0: at once */
	unsigned standbys;       /* N+M: the M */
	enum site_standby standby;
	double dormancy;         /* warm: rate of a spare, as a share of an active one's */
	double coverage;         /* probability that a failure is detected and handled */
	enum site_uncovered uncovered;
	double recovery_h;       /* uncovered: until somebody has intervened, mean */
	double switch_over_h;    /* outage of a handled failure, mean */
};

/* One interface that a system asks for. */
struct site_io {
	char *name;              /* unique within the system; default "net0", "net1"... */
	char *pool;              /* name */
	enum site_attachment attachment;
	char *socket;            /* vhost-user, vfio-user: path or NULL: site_io_socket() derives one */
	enum site_socket_mode socket_mode; /* who listens: we (server) or the guest's VMM */
	char *interface;         /* tap: kernel interface name */
	char *netns;             /* tap: network namespace name to put it in, or NULL */
	char *mac;               /* "52:54:00:..." or NULL: site_io_mac() derives one */
	uint16_t vlan;           /* 0: none */
	uint64_t rate_bps, rate_pps; /* 0: no limit */
	uint16_t weight;         /* 1..1000, default 100 */
	uint8_t priority;        /* 0..7, default 0 */
	uint16_t queues;         /* queue pairs, 1..8, default 1 */
	char *redundancy;        /* name of a group, or NULL */
	bool spoof_check;        /* default true */
	bool isolated;           /* VEPA; default false */
	char *mirror_to;         /* "system/io" that gets a copy, or NULL */
	bool packed;             /* offer VIRTIO_F_RING_PACKED; default false: some frontends offer
	                          * the feature and cannot drive it */
	uint64_t size;           /* disk: bytes of its namespace; 0: not given */
	uint64_t iops, byte_rate; /* disk: commands and bytes a second; 0: no limit */
	uint64_t resync_rate;    /* mirrored disk: bytes a second that bring a half up to date; 0: no limit */
	uint64_t manage;         /* nvme: bytes of further namespaces that its guest may make; 0: none */
	char *shares;            /* nvme: "system/io" whose disk this is, too, or NULL */
	bool primary;            /* nvme: its controller manages those that share its disk; default false */
};

struct site_system {
	char *name;
	char *host; /* name */
	struct site_io *io;
	unsigned io_count;
	unsigned io_needed;      /* interfaces without which it does not work; 0: all of them */
	struct site_reliability reliability; /* of its software: software_mtbf_h and restart_h */
};

struct site {
	char *name;
	unsigned workers;        /* data threads; 0: one a card, at most the CPUs there are */
	unsigned heartbeat_ms;   /* silence of a worker that counts as death of its cards; default 30 */
	unsigned idle_wake_us;   /* longest sleep of an idle worker whose line cannot wake it */
	unsigned quarantine_faults; /* blocked accesses that bring an interface into quarantine; 0: none;
	                             * default 64 */
	unsigned quarantine_window_s; /* counted within that time; default 10 */
	struct site_chassis *chassis;
	unsigned chassis_count;
	struct site_host *hosts;
	unsigned hosts_count;
	struct site_pool *pools;
	unsigned pools_count;
	struct site_group *groups;
	unsigned groups_count;
	struct site_system *systems;
	unsigned systems_count;
	struct site_switch *switches;
	unsigned switches_count;
	struct site_path *paths;
	unsigned paths_count;
	unsigned repair_crews;   /* that work at once in the whole site; 0: one for each failure */
	double mission_h;        /* time that mission reliability is asked for */
};

/* Whether 'name' may name something: 1 to SITE_NAME_MAX of letters, digits, '-', '_' and '.', the
 * first a letter or a digit.  Such a name is safe as a file name. */
bool site_name_is_good(const char *name);

/* Reads "52:54:00:12:34:56" into the low 48 bits of 'mac', as get_be48 would; false when the text is
 * nothing of the kind.  Accepts any address, multicast included. */
bool site_mac_parse(const char *text, uint64_t *mac);

/* The address of one interface: what the file says, or else one derived from the names of site, system
 * and interface: unicast, locally administered, the same on every start.
 *
 * system, io   indexes */
uint64_t site_io_mac(const struct site *site, unsigned system, unsigned io);

/* What is kept of a disk card for itself, and what namespaces take whole multiples of. */
#define SITE_DISK_UNIT (UINT64_C(1) << 20)

/* Whether an interface asks for a disk: the attachment says so. */
bool site_io_is_disk(const struct site_io *io);

/* Whether an interface asks for a disk on two cards: its group has mode 1+1. */
bool site_io_is_mirrored(const struct site *site, const struct site_io *io);
/* What a mirror keeps for itself at the end of each half. */
enum { SITE_MIRROR_RESERVED = 64 << 10 };

/* The identity of a disk, a UUID of version 8, derived from the names of site, system and interface: the
 * same on every start, so that its namespace is found again. */
enum { SITE_ID_SIZE = 16 };
void site_io_id(const struct site *site, unsigned system, unsigned io, uint8_t id[SITE_ID_SIZE]);
/* That of a card, from the names of site and card. */
void site_card_id(const struct site *site, const struct site_card *card, uint8_t id[SITE_ID_SIZE]);

/* Writes the path of a vhost-user socket: what the file says, or else RUN_DIR/SYSTEM-IO.sock.
 *
 * run_dir   directory of this site's sockets
 *
 * 0, or -ENAMETOOLONG when it has more than SITE_SOCKET_MAX characters. */
int site_io_socket(const struct site_system *system, const struct site_io *io, const char *run_dir,
		   char path[SITE_SOCKET_MAX + 1]);

/* Where an interface is: indexes. */
struct site_io_place {
	unsigned system, io;
};

/* The interface of that name, "system/io". */
bool site_io_find(const struct site *site, const char *name, struct site_io_place *place);
/* Whose disk an interface has: that of the one that it shares with, or itself.  Of a checked site. */
struct site_io_place site_io_owner(const struct site *site, unsigned system, unsigned io);

/* The number of its NVMe controller in that disk's subsystem: the owner's is 0, then in the order of the file. */
unsigned site_io_controller(const struct site *site, unsigned system, unsigned io);

/* The group an interface names, or NULL. */
const struct site_group *site_io_group(const struct site *site, const struct site_io *io);

/* Cards that stand by for one interface of the group: 1 with 1+1, M with N+M, else 0. */
unsigned site_group_standbys(const struct site_group *group);

/* Whether an interface goes back to its preferred card when that returns. */
bool site_io_reverts(const struct site *site, const struct site_io *io);
/* For how long that must have been well before; 0: not at all. */
uint64_t site_io_wait_to_restore_ns(const struct site *site, const struct site_io *io);

#endif
