/* fabric/internal.h -- what the files of site_check share.  Each site_check_X looks at one kind of
 * rule and reports every violation it sees. */
#ifndef FABRIC_INTERNAL_H
#define FABRIC_INTERNAL_H

#include "fabric/placement.h"
#include "fabric/site_check.h"

enum { SITE_NAMES_TEXT_SIZE = 160, SITE_PATH_SIZE = 128 };

struct site_check {
	const struct site *site;
	site_finding_fn *report;
	void *arg;
	unsigned found;
};

enum site_kind {
	SITE_KIND_CHASSIS,
	SITE_KIND_CARD,
	SITE_KIND_HOST,
	SITE_KIND_POOL,
	SITE_KIND_GROUP,
};

/* Reports one violation. */
void site_find(struct site_check *check, const char *path, const char *format, ...)
	printf_like(3, 4);

/* Whether a text begins with a PCI address, "0000:03:00.0" or "03:00.0", and ends there or goes on after a comma. */
bool site_text_is_pci(const char *text);

/* All names of one kind, "a, b, c", for messages that say what is allowed. */
const char *site_names(const struct site *site, enum site_kind kind,
		       char text[SITE_NAMES_TEXT_SIZE]);

/* Writes the path of the n-th card of the site; 'key' is what follows it. */
void site_card_path(const struct site *site, unsigned n, const char *key, char path[SITE_PATH_SIZE]);

void site_check_names(struct site_check *check);      /* unique within their kind */
void site_check_cards(struct site_check *check);      /* line ports, used once */
void site_check_references(struct site_check *check); /* names that lead somewhere, groups */
void site_check_paths(struct site_check *check);      /* units, switches, paths between chassis */
void site_check_io(struct site_check *check);         /* each interface by itself, and duplicates */
void site_check_disks(struct site_check *check);      /* keys of disks and of their cards */
/* Whether an interface can share the disk that it names. */
void site_check_shares(struct site_check *check, unsigned system, unsigned io);
void site_check_primary(struct site_check *check, unsigned system, unsigned io);
/* A card of class external; and the keys of an interface whose pool has such. */
void site_check_external_card(struct site_check *check, unsigned n, const struct site_card *card);
void site_check_external_io(struct site_check *check, unsigned system, unsigned io);
void site_check_hardware(struct site_check *check);   /* keys of real cards and of their functions */
/* Enough bytes on the cards that disks were placed on. */
void site_check_disk_space(struct site_check *check, const struct placement *rows);
void site_check_capacity(struct site_check *check);   /* enough functions; mirrors on their card */

#endif
