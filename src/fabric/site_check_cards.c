/* Line ports: a device string that can be one, and used by one card only. */
#include "fabric/internal.h"

#include <stdio.h>
#include <string.h>

void site_card_path(const struct site *site, unsigned n, const char *key, char path[SITE_PATH_SIZE])
{
	struct site_card_place place;

	must(site_card_at(site, n, &place));
	snprintf(path, SITE_PATH_SIZE, "chassis[%u].carriers[%u].cards[%u].%s",
		 (unsigned)(place.chassis - site->chassis),
		 (unsigned)(place.carrier - place.chassis->carriers),
		 (unsigned)(place.card - place.carrier->cards), key);
}

/* A part of a line's device string: not terminated. */
struct part {
	const char *text;
	size_t length;
};

static size_t to_comma(const char *text)
{
	const char *comma = strchr(text, ',');

	return comma ? (size_t)(comma - text) : strlen(text);
}

/* "net_tap0" of "net_tap0,iface=mp0"; "03:00.0" of "0000:03:00.0", which is the same. */
static struct part line_device(const char *line)
{
	if (strncmp(line, "0000:", 5) == 0)
		line += 5;
	return (struct part){ line, to_comma(line) };
}

/* "mp0" of "net_tap0,iface=mp0"; empty when there is none. */
static struct part line_interface(const char *line)
{
	static const char key[] = "iface=";

	while ((line = strchr(line, ',')) != NULL) {
		line++;
		if (strncmp(line, key, sizeof key - 1) == 0)
			return (struct part){ line + sizeof key - 1,
					      to_comma(line + sizeof key - 1) };
	}
	return (struct part){ "", 0 };
}

static bool same(struct part a, struct part b)
{
	return a.length != 0 && a.length == b.length && memcmp(a.text, b.text, a.length) == 0;
}

bool site_text_is_pci(const char *text)
{
	static const char shapes[][16] = { "hhhh:hh:hh.o", "hh:hh.o" };

	for (unsigned i = 0; i < array_len(shapes); i++) {
		const char *shape = shapes[i], *at = text;

		for (; *shape; shape++, at++) {
			bool digit = (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'f') ||
				     (*at >= 'A' && *at <= 'F');

			if (*shape == 'h'   ? !digit
			    : *shape == 'o' ? *at < '0' || *at > '7'
					    : *at != *shape)
				break;
		}
		if (!*shape && (*at == 0 || *at == ','))
			return true;
	}
	return false;
}

static bool is_device_name(const char *line)
{
	struct part device = line_device(line);

	if (device.length <= 4 || strncmp(line, "net_", 4) != 0)
		return false;
	for (size_t i = 4; i < device.length; i++)
		if (!((line[i] >= 'a' && line[i] <= 'z') || (line[i] >= '0' && line[i] <= '9') ||
		      line[i] == '_'))
			return false;
	return true;
}

static void check_line(struct site_check *check, unsigned n, const char *line)
{
	struct part device = line_device(line), interface = line_interface(line);
	struct site_card_walk walk = { 0 };
	struct site_card_place other;
	char path[SITE_PATH_SIZE];

	site_card_path(check->site, n, "line", path);
	if (!site_text_is_pci(line) && !is_device_name(line))
		site_find(check, path,
			  "'%.60s' is no line port; allowed are a DPDK device such as "
			  "net_af_packet0,iface=eth1 or net_tap0,iface=mp0 or net_null0, and a PCI "
			  "address "
			  "such as 0000:03:00.0",
			  line);
	for (unsigned i = 0; i < n && site_card_next(check->site, &walk, &other); i++) {
		if (!other.card->line)
			continue;
		if (same(device, line_device(other.card->line))) {
			site_find(check, path,
				  "device '%.*s' is the line port of card '%s' already; each card "
				  "needs "
				  "its own, such as one with another number at the end",
				  (int)min_u64(device.length, 60), device.text, other.card->name);
			return;
		}
		if (same(interface, line_interface(other.card->line))) {
			site_find(
				check, path,
				"interface '%.*s' is the line port of card '%s' already; each card "
				"needs its own",
				(int)min_u64(interface.length, 60), interface.text,
				other.card->name);
			return;
		}
	}
}

void site_check_cards(struct site_check *check)
{
	struct site_card_place place;

	for (unsigned n = 0; site_card_at(check->site, n, &place); n++)
		if (place.card->line)
			check_line(check, n, place.card->line);
}
