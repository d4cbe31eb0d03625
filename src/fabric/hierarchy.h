/* fabric/hierarchy.h -- the virtual hierarchy (VH) of one host: the PCI Express tree that it sees.
 *
 * A host bridge, and one root port for every card of which the host sees something:
 *
 *   the PF and all VFs   when the host manages the card: it is the first host of the card's chassis
 *   single VFs           those that its own systems use, of cards that another host manages; there
 *                        they are endpoints of their own, since their PF is not to be seen; also those
 *                        of external cards, which have no PF and are seen by whoever uses them alone
 *
 * hierarchy_init() builds it and does what a host's firmware and operating system would do, by
 * configuration accesses: gives out bus numbers, sizes BARs by writing ones, opens the bridges'
 * windows, enables VFs.  So what it shows is what such a host would read.
 *
 * Threads: one owner.  Memory: the caller's, hierarchy_size() bytes aligned as malloc does; the
 * site, the placement and the arrays of the configuration must outlive it. */
#ifndef FABRIC_HIERARCHY_H
#define FABRIC_HIERARCHY_H

#include "base/refusal.h"
#include "fabric/placement.h"
#include "fabric/site.h"
#include "pcie/device.h"
#include "pcie/dump.h"
#include "pcie/header.h"
#include "pcie/kinds.h"
#include "pcie/kinds_nvme.h"

enum {
	HIERARCHY_PORTS_MAX = 64,      /* root ports of one host */
	HIERARCHY_PORTS_A_FUNCTION = 31, /* devices 1..31 of bus 0; more ports: functions of them */
};

/* A function that another process serves, as it is now. */
struct hierarchy_import {
	const uint8_t *config;                  /* CFG_SIZE bytes, until the hierarchy is done with */
	uint64_t bar_bytes[PCIE_BARS_MAX];      /* what it has behind them; 0: nothing */
};
/* False: it is away. */
typedef bool hierarchy_import_fn(void *owner, unsigned card, unsigned vf, struct hierarchy_import *import);

struct hierarchy_conf {
	const struct site *site;
	const struct placement *placement; /* rows of placement_make() */
	const int *active;                 /* member now bound, by row; NULL: the first of each */
	const bool *absent;                /* by card: pulled out of its slot; NULL: none is */
	unsigned host;                     /* index into the site */
	hierarchy_import_fn *import;       /* of external cards; NULL: all are away */
	void *import_owner;
};

/* A device below a root port: a PF with its VFs, or one lent VF. */
struct hierarchy_device {
	struct pcie_device device;
	uint16_t vf; /* of the card, 1..; 0: the PF */
	/* Of an external card: its space is a copy, which nobody can write. */
	bool external, away;
	struct hierarchy_import import;
};

struct hierarchy_port {
	struct pcie_device bridge;
	unsigned card;
	bool managed; /* the PF is here */
	bool absent;
	struct hierarchy_device *devices;
	unsigned device_count;
	uint8_t secondary, subordinate; /* bus numbers behind it */
	uint64_t window, window_end;    /* addresses that it forwards; equal: none */
};

struct hierarchy {
	struct hierarchy_conf conf;
	struct pcie_kinds kinds;
	struct pcie_kinds_nvme nvme_kinds; /* disk cards */
	struct pcie_device host_bridge;
	struct hierarchy_port port[HIERARCHY_PORTS_MAX];
	unsigned port_count;
	struct hierarchy_device *devices; /* of all ports */
	struct cfg *spaces;               /* of all functions, bridges first */
	unsigned device_count, space_count;
};

/* Bytes that the hierarchy of this host takes. */
size_t hierarchy_size(const struct hierarchy_conf *conf);

/* Builds and enumerates it.  0, or -E2BIG with 'why' when the host sees more cards than
 * HIERARCHY_PORTS_MAX. */
int hierarchy_init(struct hierarchy *h, const struct hierarchy_conf *conf, struct refusal *why);

/* The software's part of it, called by hierarchy_init() on functions that are freshly reset. */
void hierarchy_enumerate(struct hierarchy *h);

/* Index of the host that manages a card, or -1 when its chassis has no host. */
int hierarchy_manager(const struct site *site, unsigned card);

/* The serial number of a card: an EUI-64 made of the names of chassis and card. */
uint64_t hierarchy_serial(const struct site *site, unsigned card);

/* Row of the placement that uses VF 'vf' of 'card', and which of its members that is; -1: free. */
int hierarchy_user(const struct hierarchy_conf *conf, unsigned card, unsigned vf,
		   unsigned *member);

/* Writes the tree for people: functions by name, who uses each, free ones in one line. */
void hierarchy_tree(const struct hierarchy *h, pcie_text_fn *write, void *arg);

/* Writes every function's configuration space as `lspci -F FILE -vvv` reads it. */
void hierarchy_dump(const struct hierarchy *h, pcie_text_fn *write, void *arg);

#endif
