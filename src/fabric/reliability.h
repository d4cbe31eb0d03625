/* fabric/reliability.h -- how often each kind of field-replaceable unit fails when the site file does not say.
 *
 * The presumed figures are round numbers for planning, of the order that vendors' parts-count predictions
 * (Telcordia SR-332) give for telecommunications boards; nobody has measured them for your hardware, and
 * every answer says how many units rest on them.
 *
 * Threads: any.  Memory: constant table. */
#ifndef FABRIC_RELIABILITY_H
#define FABRIC_RELIABILITY_H

#include "fabric/site.h"

/* Kinds of units: enum, word, MTBF and MTTR of the hardware in hours. */
#define SITE_FRUS(X)                                                     \
	X(CHASSIS,       "chassis",       1000000, 4)                    \
	X(POWER_SUPPLY,  "power-supply",  200000,  4)                    \
	X(FAN_TRAY,      "fan-tray",      100000,  4)                    \
	X(SHELF_MANAGER, "shelf-manager", 300000,  4)                    \
	X(POWER_FEED,    "power-feed",    50000,   4)                    \
	X(OTHER,         "other",         200000,  4)                    \
	X(CARRIER,       "carrier",       500000,  4)                    \
	X(CARD,          "card",          250000,  4)                    \
	X(HOST,          "host",          150000,  4)                    \
	X(SWITCH,        "switch",        200000,  4)                    \
	X(PATH,          "path",          2000000, 8)                    \
	X(SYSTEM,        "system",        0,       0) /* software only */

enum site_fru_kind {
#define X(name, word, mtbf_h, mttr_h) SITE_FRU_##name,
	SITE_FRUS(X)
#undef X
	SITE_FRU_KIND_COUNT
};

extern const char *const site_fru_word[SITE_FRU_KIND_COUNT];

#define SITE_RESTART_H 0.05 /* presumed restart of software: three minutes */

/* The kind of a chassis' units. */
enum site_fru_kind site_unit_fru(enum site_unit_kind kind);

/* What the file says, completed by what is presumed for the kind.
 *
 * presumed   advanced when anything was presumed; may be NULL */
struct site_reliability site_reliability_of(enum site_fru_kind kind,
					    const struct site_reliability *said, unsigned *presumed);

#endif
