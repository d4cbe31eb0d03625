#include "fabric/hierarchy.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"

#include <errno.h>
#include <string.h>

int hierarchy_manager(const struct site *site, unsigned card)
{
	struct site_card_place place;

	must(site_card_at(site, card, &place));
	for (unsigned i = 0; i < site->hosts_count; i++)
		if (strcmp(site->hosts[i].chassis, place.chassis->name) == 0)
			return (int)i;
	return -1;
}

/* FNV-1a, the terminator included, so that "a" "bc" and "ab" "c" differ. */
static uint64_t hash_name(uint64_t hash, const char *name)
{
	for (size_t i = 0, n = strlen(name) + 1; i < n; i++)
		hash = (hash ^ (uint8_t)name[i]) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t hierarchy_serial(const struct site *site, unsigned card)
{
	struct site_card_place place;

	must(site_card_at(site, card, &place));

	uint64_t hash = hash_name(UINT64_C(0xcbf29ce484222325), place.chassis->name);

	hash = hash_name(hash, place.card->name);
	/* first octet: locally administered, not a group */
	return (hash & ~(UINT64_C(1) << 56)) | UINT64_C(2) << 56;
}

int hierarchy_user(const struct hierarchy_conf *conf, unsigned card, unsigned vf,
		   unsigned *member)
{
	unsigned rows = placement_count(conf->site);

	for (unsigned row = 0; row < rows; row++) {
		const struct placement *p = &conf->placement[row];

		for (unsigned m = 0; m < p->member_count; m++) {
			if (p->member[m].card != card || p->member[m].vf != vf)
				continue;
			*member = m;
			return (int)row;
		}
	}
	return -1;
}

static const char *host_name(const struct hierarchy_conf *conf)
{
	return conf->site->hosts[conf->host].name;
}

/* Whether this host's own systems use that VF. */
static bool is_ours(const struct hierarchy_conf *conf, unsigned card, unsigned vf)
{
	unsigned member;
	int row = hierarchy_user(conf, card, vf, &member);

	if (row < 0)
		return false;

	unsigned system = conf->placement[row].system;

	return strcmp(conf->site->systems[system].host, host_name(conf)) == 0;
}

/* What this host sees of one card. */
struct share {
	bool managed, absent;
	unsigned functions; /* that it sees; 0 and not absent: no root port for this card */
	unsigned devices;   /* the PF with its VFs is one, every lent VF is one */
	uint16_t vfs;       /* of the card */
};

static struct share share_of(const struct hierarchy_conf *conf, unsigned card)
{
	struct site_card_place place;
	struct share share = { 0 };

	must(site_card_at(conf->site, card, &place));
	if (place.card->card_class == SITE_CARD_VFIO)
		return share; /* real hardware is in the real tree */
	share.vfs = place.card->vfs;
	share.managed = place.card->card_class != SITE_CARD_EXTERNAL &&
			hierarchy_manager(conf->site, card) == (int)conf->host;
	share.absent = conf->absent && conf->absent[card];
	if (share.managed) {
		share.devices = 1;
		share.functions = 1u + share.vfs;
		return share;
	}
	for (unsigned vf = 1; vf <= share.vfs; vf++)
		share.devices += is_ours(conf, card, vf);
	share.functions = share.devices;
	return share;
}

struct totals {
	unsigned ports, devices, spaces;
};

/* One space for the host bridge, one a root port, one a function of a card that is there. */
static struct totals total_of(const struct hierarchy_conf *conf)
{
	struct totals total = { .spaces = 1 };

	for (unsigned card = 0; card < site_card_count(conf->site); card++) {
		struct share share = share_of(conf, card);

		if (!share.functions)
			continue;
		total.ports++;
		total.spaces++;
		if (share.absent)
			continue;
		total.devices += share.devices;
		total.spaces += share.functions;
	}
	return total;
}

size_t hierarchy_size(const struct hierarchy_conf *conf)
{
	struct totals total = total_of(conf);

	return sizeof(struct hierarchy) + total.devices * sizeof(struct hierarchy_device) +
	       total.spaces * sizeof(struct cfg);
}

static struct cfg *take_spaces(struct hierarchy *h, unsigned count)
{
	struct cfg *first = &h->spaces[h->space_count];

	h->space_count += count;
	return first;
}

/* A register that is fixed before a host looks: HwInit. */
static void fix(struct pcie_device *d, enum pcie_cap cap, unsigned offset, uint32_t mask,
		uint32_t value)
{
	cfg_set(&d->functions[0], pcie_kind_at(d->kind, cap, offset), 4, mask, value);
}

static void fix_express(struct pcie_device *d, unsigned offset, uint32_t mask, uint32_t value)
{
	fix(d, PCIE_CAP_EXPRESS, offset, mask, value);
}

static void fix_multi_function(struct pcie_device *d)
{
	cfg_set(&d->functions[0], SPEC_PCI_HEADER_TYPE, 1, 0x80, 0x80);
}

static void init_bridge(struct hierarchy *h, struct hierarchy_port *port, unsigned index)
{
	const struct pcie_device_conf conf = { .kind = &h->kinds.root_port };
	unsigned number = 1 + index % HIERARCHY_PORTS_A_FUNCTION;
	unsigned function = index / HIERARCHY_PORTS_A_FUNCTION;
	uint32_t up = port->absent ? 0 : UINT32_MAX, slot = index + 1;
	/* status registers are the upper halves of their words */
	uint32_t active = (uint32_t)SPEC_EXPRESS_LINK_ACTIVE << 16;
	uint32_t presence = (uint32_t)SPEC_EXPRESS_PRESENCE << 16;

	pcie_device_init(&port->bridge, &conf, take_spaces(h, 1));
	port->bridge.rid = (uint16_t)(number << 3 | function);
	fix_express(&port->bridge, SPEC_EXPRESS_LINK_CAPABILITIES, 0xff000000, slot << 24);
	fix_express(&port->bridge, SPEC_EXPRESS_SLOT_CAPABILITIES, 0xfff80000, slot << 19);
	fix_express(&port->bridge, SPEC_EXPRESS_LINK_CONTROL, active, up);
	if (port->absent) /* no link: the lowest speed, and no lanes */
		fix_express(&port->bridge, SPEC_EXPRESS_LINK_CONTROL, 0x03ff0000, 1 << 16);
	fix_express(&port->bridge, SPEC_EXPRESS_SLOT_CONTROL, presence, up);
}

static enum site_card_class class_of(const struct hierarchy *h, unsigned card)
{
	struct site_card_place place;

	must(site_card_at(h->conf.site, card, &place));
	return place.card->card_class;
}

static bool is_disk(const struct hierarchy *h, unsigned card)
{
	return class_of(h, card) == SITE_CARD_DISK;
}

static void init_external(struct hierarchy *h, struct hierarchy_port *port, struct hierarchy_device *d)
{
	d->external = true;
	d->away = !h->conf.import || !h->conf.import(h->conf.import_owner, port->card, d->vf, &d->import);
}

static void init_managed(struct hierarchy *h, struct hierarchy_port *port, uint16_t vfs)
{
	const struct pcie_device_conf conf = {
		.kind = is_disk(h, port->card) ? &h->nvme_kinds.pf : &h->kinds.nic_pf,
		.vf_kind = is_disk(h, port->card) ? &h->nvme_kinds.vf : &h->kinds.nic_vf,
		.total_vfs = vfs,
		.serial = hierarchy_serial(h->conf.site, port->card),
	};
	struct hierarchy_device *d = &h->devices[h->device_count++];

	*d = (struct hierarchy_device){ .vf = 0 };
	pcie_device_init(&d->device, &conf, take_spaces(h, 1u + vfs));
}

/* An endpoint of its own is what its guest is given.  Below a PF a VF is of the PF's kind, whatever serves its
 * guest: one VF Device ID, one layout of BARs and one class code hold for all of them (9.3.3.11, 9.3.4.1). */
static const struct pcie_kind *lent_kind(const struct hierarchy *h, unsigned card, unsigned vf)
{
	const struct placement *row;
	unsigned member;
	int at = hierarchy_user(&h->conf, card, vf, &member);

	must(at >= 0);
	if (!is_disk(h, card))
		return &h->kinds.nic_lent;
	row = &h->conf.placement[at];
	return h->conf.site->systems[row->system].io[row->io].attachment == SITE_ATTACH_NVME ?
		       &h->nvme_kinds.lent : &h->kinds.disk_lent;
}

/* Lent VFs are functions 0, 1, 2... of one ARI device; each names the next.  7.8.7.2. */
static void init_lent(struct hierarchy *h, struct hierarchy_port *port, uint16_t vfs)
{
	for (uint16_t vf = 1; vf <= vfs; vf++) {
		if (!is_ours(&h->conf, port->card, vf))
			continue;

		const struct pcie_device_conf conf = { .kind = lent_kind(h, port->card, vf) };
		struct hierarchy_device *d = &h->devices[h->device_count++];

		*d = (struct hierarchy_device){ .vf = vf };
		pcie_device_init(&d->device, &conf, take_spaces(h, 1));
		if (class_of(h, port->card) == SITE_CARD_EXTERNAL)
			init_external(h, port, d);
	}
	for (unsigned i = 0; i < port->device_count; i++) {
		struct pcie_device *d = &port->devices[i].device;
		uint32_t next = i + 1 < port->device_count ? i + 1 : 0;

		fix(d, PCIE_CAP_ARI, SPEC_ARI_CAPABILITY, 0xff00, next << 8);
		if (port->device_count > 1)
			fix_multi_function(d);
	}
}

static void init_port(struct hierarchy *h, unsigned card, const struct share *share)
{
	unsigned index = h->port_count++;
	struct hierarchy_port *port = &h->port[index];

	*port = (struct hierarchy_port){
		.card = card,
		.managed = share->managed,
		.absent = share->absent,
		.devices = &h->devices[h->device_count],
		.device_count = share->absent ? 0 : share->devices,
	};
	init_bridge(h, port, index);
	if (share->absent)
		return;
	if (share->managed)
		init_managed(h, port, share->vfs);
	else
		init_lent(h, port, share->vfs);
}

int hierarchy_init(struct hierarchy *h, const struct hierarchy_conf *conf, struct refusal *why)
{
	const struct totals total = total_of(conf);
	const struct pcie_device_conf bridge = { .kind = &h->kinds.host_bridge };

	must(conf->host < conf->site->hosts_count);
	if (total.ports > HIERARCHY_PORTS_MAX) {
		refuse(why, "", "host %s sees functions of %u cards; it has at most %u root ports",
		       host_name(conf), total.ports, (unsigned)HIERARCHY_PORTS_MAX);
		return -E2BIG;
	}
	h->conf = *conf;
	h->port_count = h->device_count = h->space_count = 0;
	h->spaces = (struct cfg *)(void *)(h + 1);
	h->devices = (struct hierarchy_device *)(void *)(h->spaces + total.spaces);
	pcie_kinds_build(&h->kinds);
	pcie_kinds_nvme_build(&h->nvme_kinds);
	pcie_device_init(&h->host_bridge, &bridge, take_spaces(h, 1));
	for (unsigned card = 0; card < site_card_count(conf->site); card++) {
		struct share share = share_of(conf, card);

		if (share.functions)
			init_port(h, card, &share);
	}
	must(h->space_count == total.spaces);
	must(h->device_count == total.devices);
	for (unsigned i = HIERARCHY_PORTS_A_FUNCTION; i < h->port_count; i++)
		fix_multi_function(&h->port[i % HIERARCHY_PORTS_A_FUNCTION].bridge);
	hierarchy_enumerate(h);
	return 0;
}
