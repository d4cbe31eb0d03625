#include "prog/pci_arguments.h"
#include "prog/site_hardware_parts.h"

#include "fabric/hierarchy.h"
#include "tree/tree.h"

#include <string.h>

enum { CONFIG_MAX = 4096, DOMAIN_ADDED = 0x1000 };

static const struct pci_card_function *view_of(const struct run_card *card, unsigned vf)
{
	return &card->hardware->view[vf - 1];
}

static const struct pci_card_function *function_of(const struct run_io *io)
{
	const struct placement_function *at = &io->place->member[0];

	return view_of(&io->run->cards[at->card], at->vf);
}

static const char *state_of(const struct pci_card_function *f, bool given)
{
	if (f->state == PCI_FUNCTION_DEAD)
		return "dead";
	if (f->state == PCI_FUNCTION_USED)
		return "running";
	return f->state == PCI_FUNCTION_READY && given ? "waiting" : "free";
}

bool site_hardware_has_link(const struct run_io *io)
{
	return io->run->cards[io->place->member[0].card].hardware->pf.interface[0] != '\0';
}

const char *site_hardware_state(const struct run_io *io)
{
	return io->bound < 0 ? "dead" : state_of(function_of(io), true);
}

bool site_hardware_is_dead(const struct run_card *card, unsigned vf)
{
	return view_of(card, vf)->state == PCI_FUNCTION_DEAD;
}

const char *site_hardware_address(const struct run_card *card, unsigned vf)
{
	return vf ? view_of(card, vf)->seen.address : card->place.card->address;
}

static void put_group(struct tree_out *out, const struct pci_bus_function *f)
{
	if (f->group != PCI_BUS_NO_GROUP)
		tree_put_integer(out, "iommu_group", (uint64_t)f->group);
}

static void put_user(struct tree_out *out, const struct pci_card_function *f)
{
	char text[64];

	if (!f->user.pid)
		return;
	snprintf(text, sizeof text, "%ld (%s)", f->user.pid, f->user.name);
	tree_put_text(out, "used_by", text);
}

static void put_arguments(struct tree_out *out, const char *address)
{
	char text[PCI_ARGUMENTS_MAX];

	pci_arguments_qemu(address, text);
	tree_put_text(out, "qemu", text);
	pci_arguments_libvirt(address, text);
	tree_put_text(out, "libvirt", text);
}

static unsigned count_state(const struct run_card *card, enum pci_function_state state)
{
	unsigned count = 0;

	for (unsigned vf = 1; vf <= card->place.card->vfs; vf++)
		count += view_of(card, vf)->state == state;
	return count;
}

void site_hardware_describe_card(const struct run_card *card, struct tree_out *out)
{
	const struct pci_bus_function *pf = &card->hardware->pf;

	tree_put_text(out, "address", card->place.card->address);
	tree_put_text(out, "driver", pf->driver);
	tree_put_text(out, "interface", pf->interface);
	put_group(out, pf);
	tree_put_integer(out, "vfs_made", pf->vfs);
	tree_put_integer(out, "vfs_total", pf->vfs_total);
	tree_put_integer(out, "vfs_dead", count_state(card, PCI_FUNCTION_DEAD));
}

/* Other members of its IOMMU group, with their drivers: vfio-pci, or none, is no obstacle. */
static void put_group_members(struct tree_out *out, const struct pci_bus_function *f)
{
	struct pci_bus bus;

	tree_put_list(out, "group_with");
	if (f->group == PCI_BUS_NO_GROUP || pci_bus_read(&bus, "/sys", NULL) != 0)
		return;
	for (unsigned i = 0; i < bus.count; i++) {
		const struct pci_bus_function *other = &bus.functions[i];
		char text[64];

		if (other->group != f->group || strcmp(other->address, f->address) == 0)
			continue;
		snprintf(text, sizeof text, "%s (%s)", other->address,
			 other->driver[0] ? other->driver : "no driver");
		tree_put_item(out, "group_with", text);
	}
	pci_bus_free(&bus);
}

void site_hardware_describe_function(const struct run_card *card, unsigned vf, struct tree_out *out)
{
	const struct pci_card_function *f = view_of(card, vf);

	tree_put_text(out, "state", state_of(f, f->owner[0] != '\0'));
	tree_put_text(out, "stopped", f->why);
	tree_put_text(out, "address", f->seen.address);
	tree_put_text(out, "driver", f->seen.driver);
	put_group(out, &f->seen);
	put_user(out, f);
	if (f->owner[0] && f->state != PCI_FUNCTION_DEAD)
		put_arguments(out, f->seen.address);
	if (out->least == TREE_SHOWN)
		put_group_members(out, &f->seen);
}

void site_hardware_describe_io(const struct run_io *io, struct tree_out *out)
{
	const struct pci_card_function *f = function_of(io);

	tree_put_text(out, "state", site_hardware_state(io));
	if (io->bound < 0) {
		tree_put_text(out, "stopped", io->seat->stopped.text);
		return;
	}
	tree_put_text(out, "where", f->seen.address);
	tree_put_text(out, "stopped", f->why);
	put_group(out, &f->seen);
	put_user(out, f);
	if (f->state != PCI_FUNCTION_DEAD)
		put_arguments(out, f->seen.address);
}

/* -- what a host sees -- */

/* The address as it stands in the dump; false when there is none. */
static bool name_slot(const char *address, char text[32])
{
	unsigned domain, bus, device, function;

	if (sscanf(address, "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4)
		return false;
	snprintf(text, 32, "%04x:%02x:%02x.%x", (domain + DOMAIN_ADDED) & 0xffff, bus, device,
		 function);
	return true;
}

static void dump(const char *address, FILE *out)
{
	const struct pci_bus root = { .sysfs = "/sys", .hand = &pci_hand_kernel };
	uint8_t bytes[CONFIG_MAX];
	int size = pci_bus_config(&root, address, bytes, sizeof bytes);

	for (int at = 0; at < size; at++) {
		if (at % 16 == 0)
			fprintf(out, at < 256 ? "%02x:" : "%03x:", (unsigned)at);
		fprintf(out, at % 16 == 15 ? " %02x\n" : " %02x", bytes[at]);
	}
	fputc('\n', out);
}

static void print(const char *address, const char *title, enum site_hardware_detail detail,
		  FILE *out)
{
	char slot[32];

	if (!name_slot(address, slot))
		return;
	fprintf(out, "%s %s, %s of this machine\n", slot, title, address);
	if (detail == SITE_HARDWARE_DUMP)
		dump(address, out);
}

static bool is_hosts(const struct site_run *run, const struct run_io *io, unsigned host)
{
	return strcmp(io->system->host, run->site->hosts[host].name) == 0;
}

static void print_function(struct site_run *run, const struct run_card *card, unsigned vf,
			   unsigned host, enum site_hardware_detail detail, FILE *out)
{
	const struct pci_card_function *f = view_of(card, vf);
	bool bound, manages = hierarchy_manager(run->site, card->index) == (int)host;
	const struct run_io *io = site_run_function_user(run, card->index, vf, &bound);
	char title[192];

	if (io && !bound)
		io = NULL;
	if ((!manages && !(io && is_hosts(run, io, host))) || f->state == PCI_FUNCTION_DEAD)
		return;
	snprintf(title, sizeof title, "%s/vf%u: %s%s%s", card->place.card->name, vf,
		 io ? io->system->name : "free", io ? "/" : "", io ? io->io->name : "");
	print(f->seen.address, title, detail, out);
}

void site_hardware_lspci(struct site_run *run, unsigned host, enum site_hardware_detail detail,
			 FILE *out)
{
	for (unsigned i = 0; i < run->card_count; i++) {
		const struct run_card *card = &run->cards[i];
		char title[96];

		if (!card->hardware)
			continue;
		snprintf(title, sizeof title, "card %s", card->place.card->name);
		if (hierarchy_manager(run->site, i) == (int)host && card->hardware->pf.answers)
			print(card->place.card->address, title, detail, out);
		for (unsigned vf = 1; vf <= card->place.card->vfs; vf++)
			print_function(run, card, vf, host, detail, out);
	}
}
