#include "fabric/hierarchy.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 512 };

struct printer {
	pcie_text_fn *write;
	void *arg;
};

/* Names of a site are short (SITE_NAME_MAX); a line that is too long is cut. */
static void printf_like(2, 3) say(const struct printer *p, const char *format, ...)
{
	char text[LINE_MAX_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	p->write(p->arg, text, strlen(text));
}

static struct site_card_place place_of(const struct hierarchy *h, unsigned card)
{
	struct site_card_place place;

	must(site_card_at(h->conf.site, card, &place));
	return place;
}

/* What the tree says of one VF; 'user' has room for LINE_MAX_BYTES / 2. */
static void describe_user(const struct hierarchy *h, unsigned card, unsigned vf, char *user)
{
	unsigned member;
	int row = hierarchy_user(&h->conf, card, vf, &member);

	must(row >= 0);

	const struct placement *p = &h->conf.placement[row];
	const struct site_system *system = &h->conf.site->systems[p->system];
	int active = h->conf.active ? h->conf.active[row] : 0;
	const char *role = active == (int)member ? "active" : "standby";
	const char *here = h->conf.site->hosts[h->conf.host].name;
	bool lent = strcmp(system->host, here) != 0;
	bool disk = site_io_is_disk(&system->io[p->io]);
	bool nvme = system->io[p->io].attachment == SITE_ATTACH_NVME;

	snprintf(user, LINE_MAX_BYTES / 2, "%s/%s, %s%s%s%s", system->name, system->io[p->io].name,
		 role,
		 nvme ? ", as NVMe" : disk ? ", as virtio-blk" : "",
		 lent ? ", lent to host " : "", lent ? system->host : "");
}

static bool is_free(const struct hierarchy *h, unsigned card, unsigned vf)
{
	unsigned member;

	return hierarchy_user(&h->conf, card, vf, &member) < 0;
}

/* One line for VFs first..last of a PF: one that is used, or a run of free ones. */
static void tree_vfs(const struct printer *p, const struct hierarchy *h,
		     const struct hierarchy_port *port, unsigned first, unsigned last)
{
	const struct pcie_device *d = &port->devices[0].device;
	const char *card = place_of(h, port->card).card->name;
	char from[PCIE_RID_TEXT_SIZE], to[PCIE_RID_TEXT_SIZE], user[LINE_MAX_BYTES / 2];
	const char *bar = last == d->vf_count ? "\\-" : "+-";

	pcie_rid_text(pcie_device_rid(d, first), from);
	pcie_rid_text(pcie_device_rid(d, last), to);
	if (first != last) {
		say(p, "%s%s..%s  %s/vf%u..vf%u  free\n", bar, from, to, card, first, last);
		return;
	}
	if (is_free(h, port->card, first))
		snprintf(user, sizeof user, "free");
	else
		describe_user(h, port->card, first, user);
	say(p, "%s%s  %s/vf%u  %s\n", bar, from, card, first, user);
}

static void tree_managed(const struct printer *p, const struct hierarchy *h,
			 const struct hierarchy_port *port, const char *margin)
{
	const struct pcie_device *d = &port->devices[0].device;
	char where[PCIE_RID_TEXT_SIZE];

	pcie_rid_text(d->rid, where);
	say(p, "%s%s%s  %s/pf  %u of %u VFs enabled\n", margin, d->vf_count ? "+-" : "\\-", where,
	    place_of(h, port->card).card->name, d->vf_count, d->total_vfs);
	for (unsigned vf = 1, last; vf <= d->vf_count; vf = last + 1) {
		last = vf;
		while (is_free(h, port->card, vf) && last < d->vf_count &&
		       is_free(h, port->card, last + 1))
			last++;
		say(p, "%s", margin);
		tree_vfs(p, h, port, vf, last);
	}
}

static void tree_lent(const struct printer *p, const struct hierarchy *h,
		      const struct hierarchy_port *port, const char *margin)
{
	for (unsigned i = 0; i < port->device_count; i++) {
		const struct hierarchy_device *d = &port->devices[i];
		char where[PCIE_RID_TEXT_SIZE], user[LINE_MAX_BYTES / 2];

		pcie_rid_text(d->device.rid, where);
		describe_user(h, port->card, d->vf, user);
		say(p, "%s%s%s  %s/vf%u  %s%s\n", margin, i + 1 < port->device_count ? "+-" : "\\-",
		    where, place_of(h, port->card).card->name, d->vf, user, d->away ? ", away" : "");
	}
}

static void tree_port(const struct printer *p, const struct hierarchy *h, unsigned index)
{
	const struct hierarchy_port *port = &h->port[index];
	struct site_card_place place = place_of(h, port->card);
	bool last = index + 1 == h->port_count;
	const char *margin = last ? "    " : "|   ";
	char where[PCIE_RID_TEXT_SIZE];

	pcie_rid_text(port->bridge.rid, where);
	say(p, "%s%s  root port  card %s (chassis %s, carrier %s)", last ? "\\-" : "+-", where,
	    place.card->name, place.chassis->name, place.carrier->name);
	if (port->absent) {
		say(p, ", slot empty\n");
		return;
	}
	say(p, ", buses %02x-%02x, ", port->secondary, port->subordinate);
	if (port->window == port->window_end)
		say(p, "no memory\n");
	else
		say(p, "memory %" PRIx64 "-%" PRIx64 "\n", port->window, port->window_end - 1);
	if (port->managed)
		tree_managed(p, h, port, margin);
	else
		tree_lent(p, h, port, margin);
}

void hierarchy_tree(const struct hierarchy *h, pcie_text_fn *write, void *arg)
{
	const struct printer p = { write, arg };
	const struct site_host *host = &h->conf.site->hosts[h->conf.host];

	say(&p, "host %s (chassis %s)\n00:00.0  host bridge\n", host->name, host->chassis);
	for (unsigned i = 0; i < h->port_count; i++)
		tree_port(&p, h, i);
}

static void dump_device(const struct printer *p, const struct hierarchy *h, unsigned card,
			const struct hierarchy_device *d)
{
	const char *name = place_of(h, card).card->name;

	if (d->away)
		return; /* nobody answers there */
	for (unsigned n = 0; n <= d->device.vf_count; n++) {
		char title[LINE_MAX_BYTES];
		unsigned vf = d->vf + n;

		if (vf)
			snprintf(title, sizeof title, "Ethernet controller: %s/vf%u", name, vf);
		else
			snprintf(title, sizeof title, "Ethernet controller: %s/pf", name);
		pcie_dump(&d->device.functions[n], pcie_device_rid(&d->device, n), title, p->write,
			  p->arg);
	}
}

void hierarchy_dump(const struct hierarchy *h, pcie_text_fn *write, void *arg)
{
	const struct printer p = { write, arg };
	char title[LINE_MAX_BYTES];

	pcie_dump(&h->host_bridge.functions[0], h->host_bridge.rid, "Host bridge", write, arg);
	for (unsigned i = 0; i < h->port_count; i++) {
		const struct hierarchy_port *port = &h->port[i];

		snprintf(title, sizeof title, "PCI bridge: root port, card %s",
			 place_of(h, port->card).card->name);
		pcie_dump(&port->bridge.functions[0], port->bridge.rid, title, write, arg);
	}
	for (unsigned i = 0; i < h->port_count; i++)
		for (unsigned k = 0; k < h->port[i].device_count; k++)
			dump_device(&p, h, h->port[i].card, &h->port[i].devices[k]);
}
