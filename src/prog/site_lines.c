#include "prog/site_lines.h"

#include "card/nic_card.h"
#include "fabric/placement.h"
#include "store/site_file.h"

#include <errno.h>

_Static_assert((int)SITE_FILE_LINES_MAX == (int)UPLINK_PORTS_MAX, "a check foretells what a start refuses");

struct uplink_conf site_lines_conf(const struct site_card *card)
{
	return (struct uplink_conf){
		.name = card->name,
		.device = card->line,
		.mtu = card->mtu,
		.buffers = card->vfs * (unsigned)NIC_CARD_STAGED_MAX + NIC_CARD_SPARE,
	};
}

int site_lines_memory(const struct site *site, unsigned workers, uint64_t *bytes, struct refusal *why)
{
	struct site_card_place place;
	unsigned lines = 0;

	*bytes = 0;
	for (unsigned i = 0; site_card_at(site, i, &place); i++) {
		struct uplink_conf line = site_lines_conf(place.card);

		if (!line.device)
			continue;
		lines++;
		*bytes += uplink_memory_bytes(&line, workers);
	}
	if (lines <= UPLINK_PORTS_MAX)
		return 0;
	refuse(why, "chassis", "site '%s' has %u cards with a line port, and one daemon drives at most %d: make "
	       "several sites of it", site->name, lines, UPLINK_PORTS_MAX);
	return -E2BIG;
}
