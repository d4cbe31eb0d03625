/* prog/midplane_hardware.c -- 'midplane hardware': the PCI functions of this machine: which there
 * are, how many VFs a card has, who has each, and how a guest gets one.  No daemon is asked. */
#include "prog/midplane.h"
#include "prog/midplane_pci_decode.h"
#include "prog/midplane_table.h"
#include "prog/pci_arguments.h"

#include "base/bytes.h"
#include "os/nvme_resources.h"
#include "os/pci_bus.h"
#include "os/vf_link.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMN(name, type, text)                                                       \
	{                                                                              \
		name, TREE_##type, TREE_UNIT_PLAIN, TREE_READ, TREE_LISTED, text, NULL \
	}
#define DETAIL(name, type, text)                                                      \
	{                                                                             \
		name, TREE_##type, TREE_UNIT_PLAIN, TREE_READ, TREE_SHOWN, text, NULL \
	}

static const struct tree_property capability_columns[] = {
	COLUMN("offset", TEXT, "where it is"),
	COLUMN("name", TEXT, "what it is"),
	COLUMN("text", TEXT, "what it says"),
	{ .name = NULL },
};

static const struct tree_property columns[] = {
	COLUMN("name", TEXT, "address: domain, bus, device, function"),
	COLUMN("id", TEXT, "vendor and device ID"),
	COLUMN("class", TEXT, "class code"),
	COLUMN("driver", TEXT, "driver that has it; empty: none"),
	COLUMN("iommu_group", INTEGER, "IOMMU group; none: it cannot be handed out"),
	COLUMN("vfs", INTEGER, "virtual functions that there are"),
	COLUMN("vfs_total", INTEGER, "virtual functions that there can be; 0: none"),
	COLUMN("pf", TEXT, "physical function that it is a virtual one of"),
	COLUMN("interface", TEXT, "network interface"),
	DETAIL("subsystem", TEXT, "subsystem IDs"),
	DETAIL("numa_node", INTEGER, "NUMA node"),
	DETAIL("answers", BOOLEAN, "whether its configuration space can be read"),
	DETAIL("qemu", TEXT, "argument by which QEMU takes it, once vfio-pci has it"),
	DETAIL("libvirt", TEXT, "element by which libvirt takes it"),
	{ "capabilities", TREE_ROWS, TREE_UNIT_PLAIN, TREE_READ, TREE_SHOWN, "capabilities",
	  capability_columns },
	{ .name = NULL },
};

static const char *sysfs_of(const struct call *call)
{
	return call->option[OPTION_SYSFS] ? call->option[OPTION_SYSFS] : "/sys";
}

static enum midplane_exit complain(const struct call *call, const struct refusal *why)
{
	midplane_complain(call, "%s", why->text);
	return MIDPLANE_REFUSED;
}

/* Reads the bus, and finds the function that is meant. */
static enum midplane_exit find(const struct call *call, struct pci_bus *bus,
			       const struct pci_bus_function **function)
{
	struct refusal why;

	if (pci_bus_read(bus, sysfs_of(call), &why) != 0)
		return complain(call, &why);
	if (!function)
		return MIDPLANE_OK;
	*function = pci_bus_find(bus, call->name);
	if (*function)
		return MIDPLANE_OK;
	midplane_complain(call, "there is no PCI function '%s'; 'midplane hardware list' has all",
			  call->name);
	pci_bus_free(bus);
	return MIDPLANE_MISSING;
}

static json_t *row(const struct pci_bus_function *f)
{
	char id[16], class[8];

	snprintf(id, sizeof id, "%04x:%04x", f->vendor, f->device);
	snprintf(class, sizeof class, "%06x", f->class_code & 0xffffff);
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:i, s:i, s:s, s:s}", "name", f->address, "id",
			 id, "class", class, "driver", f->driver, "iommu_group",
			 f->group == PCI_BUS_NO_GROUP ? json_null() : json_integer(f->group), "vfs",
			 (int)f->vfs, "vfs_total", (int)f->vfs_total, "pf", f->pf, "interface",
			 f->interface);
}

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
}

enum midplane_exit midplane_hardware_list(const struct call *call)
{
	struct pci_bus bus;
	enum midplane_exit code = find(call, &bus, NULL);
	json_t *rows;

	if (code)
		return code;
	rows = json_array();
	for (unsigned i = 0; i < bus.count; i++)
		json_array_append_new(rows, row(&bus.functions[i]));
	if (call->json)
		print_json(rows);
	else
		table_print_list(stdout, columns, rows, NULL);
	json_decref(rows);
	pci_bus_free(&bus);
	return MIDPLANE_OK;
}

/* What its configuration space says; a short one (not root) has fewer capabilities. */
static json_t *capabilities(const struct call *call, const struct pci_bus_function *f)
{
	static struct pci_capability caps[PCI_DECODE_CAPS];
	uint8_t space[PCI_DECODE_SIZE] = { 0 };
	json_t *rows = json_array();
	char path[PATH_MAX], offset[8];
	unsigned count;
	int fd;

	snprintf(path, sizeof path, "%s/bus/pci/devices/%s/config", sysfs_of(call), f->address);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, space, sizeof space) < 0)
		memset(space, 0, sizeof space);
	if (fd >= 0)
		close(fd);
	count = pci_decode_capabilities(space, caps);
	for (unsigned i = 0; i < count; i++) {
		snprintf(offset, sizeof offset, "0x%03x", caps[i].at);
		json_array_append_new(rows, json_pack("{s:s, s:s, s:s}", "offset", offset, "name",
						      caps[i].name ? caps[i].name : "unknown",
						      "text", caps[i].text));
	}
	return rows;
}

static void add_arguments(json_t *object, const struct pci_bus_function *f)
{
	char text[PCI_ARGUMENTS_MAX];

	pci_arguments_qemu(f->address, text);
	json_object_set_new(object, "qemu", json_string(text));
	pci_arguments_libvirt(f->address, text);
	json_object_set_new(object, "libvirt", json_string(text));
}

enum midplane_exit midplane_hardware_show(const struct call *call)
{
	const struct pci_bus_function *f;
	struct pci_bus bus;
	enum midplane_exit code = find(call, &bus, &f);
	char subsystem[16];
	json_t *object;

	if (code)
		return code;
	object = row(f);
	snprintf(subsystem, sizeof subsystem, "%04x:%04x", f->subsystem_vendor, f->subsystem);
	json_object_set_new(object, "subsystem", json_string(subsystem));
	json_object_set_new(object, "numa_node", json_integer(f->numa_node));
	json_object_set_new(object, "answers", json_boolean(f->answers));
	json_object_set_new(object, "capabilities", capabilities(call, f));
	add_arguments(object, f);
	if (call->json)
		print_json(object);
	else
		table_print_object(stdout, columns, object);
	json_decref(object);
	pci_bus_free(&bus);
	return MIDPLANE_OK;
}

/* Says what was done, or why not. */
static enum midplane_exit conclude(const struct call *call, struct pci_bus *bus, int err,
				   const struct refusal *why, const char *done)
{
	pci_bus_free(bus);
	if (err)
		return complain(call, why);
	if (!call->json)
		printf("%s: %s\n", call->name, done);
	return MIDPLANE_OK;
}

/* A decimal number of 'least' to 65535. */
static bool read_count(const char *text, unsigned long least, uint16_t *count)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || value < least || value > UINT16_MAX)
		return false;
	*count = (uint16_t)value;
	return true;
}

enum midplane_exit midplane_hardware_vfs(const struct call *call)
{
	const struct pci_bus_function *f;
	struct refusal why = { "", "" };
	struct pci_bus bus;
	enum midplane_exit code;
	char done[64];
	uint16_t count;

	if (!read_count(call->more[0], 0, &count)) {
		midplane_complain(call, "'%s' is no number of virtual functions", call->more[0]);
		return MIDPLANE_USAGE;
	}
	code = find(call, &bus, &f);
	if (code)
		return code;
	snprintf(done, sizeof done, "%u virtual functions", count);
	return conclude(call, &bus, pci_bus_set_vfs(&bus, f, count, &why), &why, done);
}

static enum midplane_exit read_resources(const struct call *call, struct nvme_resources *resources)
{
	const char *interrupts = call->option[OPTION_INTERRUPTS];

	if (!read_count(call->more[0], 0, &resources->queues) || resources->queues == 1) {
		midplane_complain(
			call,
			"'%s' is no number of queue pairs: 2 or more, of which one is the "
			"admin queue's, or 0 to take the function offline",
			call->more[0]);
		return MIDPLANE_USAGE;
	}
	resources->interrupts = resources->queues;
	if (!interrupts || read_count(interrupts, 1, &resources->interrupts))
		return MIDPLANE_OK;
	midplane_complain(call, "--interrupts: '%s' is none of 1 to 65535", interrupts);
	return MIDPLANE_USAGE;
}

enum midplane_exit midplane_hardware_queues(const struct call *call)
{
	const struct pci_bus_function *f;
	struct refusal why = { "", "" };
	struct nvme_resources resources;
	struct pci_bus bus;
	enum midplane_exit code = read_resources(call, &resources);
	char done[64] = "offline, without queues";

	if (!code)
		code = find(call, &bus, &f);
	if (code)
		return code;
	if (resources.queues)
		snprintf(done, sizeof done, "online with %u queue pairs and %u interrupts",
			 resources.queues, resources.interrupts);
	return conclude(call, &bus, nvme_resources_give(&bus, f, &resources, &why), &why, done);
}

enum midplane_exit midplane_hardware_bind(const struct call *call)
{
	const char *driver = call->more[0] ? call->more[0] : "vfio-pci";
	const struct pci_bus_function *f;
	struct refusal why = { "", "" };
	struct pci_bus bus;
	enum midplane_exit code;
	char done[64];

	if (strchr(driver, '/') || !*driver) {
		midplane_complain(call, "'%s' is no driver's name", driver);
		return MIDPLANE_USAGE;
	}
	code = find(call, &bus, &f);
	if (code)
		return code;
	snprintf(done, sizeof done, "driver %.32s has it", driver);
	return conclude(call, &bus, pci_bus_bind(&bus, f, driver, &why), &why, done);
}

enum midplane_exit midplane_hardware_release(const struct call *call)
{
	const struct pci_bus_function *f;
	struct refusal why = { "", "" };
	struct pci_bus bus;
	enum midplane_exit code = find(call, &bus, &f);

	if (code)
		return code;
	return conclude(call, &bus, pci_bus_release(&bus, f, &why), &why,
			"released; the kernel chooses its driver");
}

/* A decimal number up to 'most'. */
static bool read_number(const char *text, uint64_t most, uint32_t *number)
{
	uint64_t value = 0;

	for (const char *at = text; *at; at++) {
		value = value * 10 + (uint64_t)(*at - '0');
		if (*at < '0' || *at > '9' || value > most)
			return false;
	}
	*number = (uint32_t)value;
	return text[0] != '\0';
}

static enum midplane_exit read_mac(const struct call *call, struct vf_link *link)
{
	const char *mac = call->option[OPTION_MAC];
	unsigned b[6];
	int size = 0;

	if (!mac)
		return MIDPLANE_OK;
	if (strspn(mac, "0123456789abcdefABCDEF:") != strlen(mac) ||
	    sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &size) != 6 ||
	    mac[size] || b[0] & 1) {
		midplane_complain(
			call, "--mac: '%s' is no unicast address, as in 52:54:00:12:34:56", mac);
		return MIDPLANE_USAGE;
	}
	for (unsigned i = 0; i < array_len(b); i++)
		link->mac = link->mac << 8 | b[i];
	link->set |= VF_LINK_MAC;
	return MIDPLANE_OK;
}

static enum midplane_exit read_vlan_and_rate(const struct call *call, struct vf_link *link)
{
	const char *vlan = call->option[OPTION_VLAN], *rate = call->option[OPTION_RATE];
	uint32_t number = 0;

	if (vlan && !read_number(vlan, 4094, &number)) {
		midplane_complain(call, "--vlan: '%s' is none of 1 to 4094, or 0 for none", vlan);
		return MIDPLANE_USAGE;
	}
	link->vlan = (uint16_t)number;
	if (rate && !read_number(rate, UINT32_MAX, &link->rate_mbps)) {
		midplane_complain(call, "--rate: '%s' is no number of Mbit/s, or 0 for no limit",
				  rate);
		return MIDPLANE_USAGE;
	}
	link->set |= (vlan ? VF_LINK_VLAN : 0u) | (rate ? VF_LINK_RATE : 0u);
	return MIDPLANE_OK;
}

/* "on" or "off"; without the option nothing is set. */
static enum midplane_exit read_switch(const struct call *call, enum midplane_option option,
				      const char *name, unsigned bit, struct vf_link *link,
				      bool *value)
{
	const char *text = call->option[option];

	if (!text)
		return MIDPLANE_OK;
	*value = strcmp(text, "on") == 0;
	link->set |= bit;
	if (*value || strcmp(text, "off") == 0)
		return MIDPLANE_OK;
	midplane_complain(call, "--%s: '%s' is neither on nor off", name, text);
	return MIDPLANE_USAGE;
}

static enum midplane_exit read_link(const struct call *call, struct vf_link *link)
{
	enum midplane_exit code;

	*link = (struct vf_link){ 0 };
	code = read_mac(call, link);
	if (!code)
		code = read_vlan_and_rate(call, link);
	if (!code)
		code = read_switch(call, OPTION_SPOOF_CHECK, "spoof-check", VF_LINK_SPOOF_CHECK,
				   link, &link->spoof_check);
	if (!code)
		code = read_switch(call, OPTION_TRUST, "trust", VF_LINK_TRUST, link, &link->trust);
	if (code || link->set)
		return code;
	midplane_complain(call, "say what to set: --mac, --vlan, --rate, --spoof-check, --trust");
	return MIDPLANE_USAGE;
}

/* One after the other, so that a refusal names what the driver does not take. */
static int set_each(const char *interface, unsigned vf, const struct vf_link *link,
		    struct refusal *why)
{
	int err = 0;

	for (unsigned bit = VF_LINK_MAC; !err && bit <= VF_LINK_TRUST; bit <<= 1) {
		struct vf_link one = *link;

		one.set = link->set & bit;
		if (one.set)
			err = vf_link_set(interface, vf, &one, why);
	}
	return err;
}

enum midplane_exit midplane_hardware_set(const struct call *call)
{
	const struct pci_bus_function *f, *pf;
	struct refusal why = { "", "" };
	struct pci_bus bus;
	struct vf_link link;
	enum midplane_exit code = read_link(call, &link);

	if (!code)
		code = find(call, &bus, &f);
	if (code)
		return code;
	pf = f->pf[0] ? pci_bus_find(&bus, f->pf) : NULL;
	if (!pf || !pf->interface[0]) {
		refuse(&why, "",
		       f->pf[0] ? "%s: its physical function has no network interface"
				: "%s is no virtual function",
		       f->address);
		return conclude(call, &bus, -EINVAL, &why, "");
	}
	return conclude(call, &bus, set_each(pf->interface, f->vf, &link, &why), &why, "set");
}
