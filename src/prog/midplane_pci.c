/* prog/midplane_pci.c -- 'midplane pci': looks at a PCI function that some process serves by vfio-user, and reads and
 * writes its regions.  No daemon is asked. */
#include "prog/midplane.h"
#include "prog/midplane_pci_decode.h"

#include "attach/vfio_user_client.h"
#include "base/bytes.h"
#include "pcie/dump.h"
#include "spec/pcie.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BARS = 6, ROM = 6, CONFIG = 7, VGA = 8, TRANSFER_MAX = 1 << 20 };

static const char *const region_names[VFIO_USER_CLIENT_REGIONS] = { "bar0", "bar1", "bar2", "bar3", "bar4",
								    "bar5", "rom", "config", "vga" };

static const char *const irq_names[VFIO_USER_IRQ_INDEXES] = { "INTx", "MSI", "MSI-X", "error", "request" };

static enum midplane_exit dial(const struct call *call, struct vfio_user_client **client)
{
	struct refusal why = { 0 };

	if (vfio_user_client_open(client, call->name, &why) == 0)
		return MIDPLANE_OK;
	midplane_complain(call, "%s", why.text);
	return MIDPLANE_UNREACHABLE;
}

static enum midplane_exit complain_errno(const struct call *call, int err)
{
	midplane_complain(call, "%s: %s", call->name, strerror(-err));
	return err == -ECONNRESET || err == -ETIMEDOUT ? MIDPLANE_UNREACHABLE : MIDPLANE_REFUSED;
}

/* Show. */

struct shown {
	const struct call *call;
	struct vfio_user_client *client;
	uint8_t space[PCI_DECODE_SIZE];
	struct pci_capability caps[PCI_DECODE_CAPS];
	unsigned cap_count;
};

static int read_space(struct shown *s)
{
	uint64_t size = vfio_user_client_region(s->client, CONFIG)->size;
	int err;

	if (size == 0)
		return 0;
	err = vfio_user_client_read(s->client, CONFIG, 0, (uint32_t)min_u64(size, PCI_DECODE_SIZE), s->space);
	s->cap_count = pci_decode_capabilities(s->space, s->caps);
	return err;
}

static void print_size(uint64_t bytes, char text[24])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	unsigned unit = 0;

	while (bytes && bytes % 1024 == 0 && unit + 1 < array_len(units)) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, 24, "%" PRIu64 " %s", bytes, units[unit]);
}

static void print_identity(const struct shown *s)
{
	char command[PCI_DECODE_TEXT];

	pci_decode_command(get_le16(s->space + SPEC_PCI_COMMAND), command);
	printf("%04x:%04x  class %06x, revision %02x, subsystem %04x:%04x\n",
	       get_le16(s->space + SPEC_PCI_VENDOR_ID), get_le16(s->space + SPEC_PCI_DEVICE_ID),
	       get_le32(s->space + SPEC_PCI_REVISION_ID) >> 8, s->space[SPEC_PCI_REVISION_ID],
	       get_le16(s->space + SPEC_PCI_SUBSYSTEM_VENDOR_ID),
	       get_le16(s->space + SPEC_PCI_SUBSYSTEM_ID));
	printf("command   %s\n", command);
}

static void print_region(const struct shown *s, unsigned index)
{
	const struct vfio_user_client_region *region = vfio_user_client_region(s->client, index);
	char size[24], mapped[24], text[PCI_DECODE_TEXT] = "";

	if (!region->size)
		return;
	print_size(region->size, size);
	if (index < BARS)
		pci_decode_bar(s->space, index, text);
	printf("%-9s %s%s%s", region_names[index], size, *text ? " at " : "", text);
	if (region->mapped_size) {
		print_size(region->mapped_size, mapped);
		printf("; %s at 0x%" PRIx64 " can be mapped", mapped, region->mapped_first);
	}
	putchar('\n');
}

static void print_irqs(const struct shown *s)
{
	for (unsigned i = 0; i < VFIO_USER_IRQ_INDEXES; i++) {
		uint32_t flags, count = vfio_user_client_irqs(s->client, i, &flags);

		if (count)
			printf("%-9s %" PRIu32 " interrupt%s%s%s%s\n", irq_names[i], count, count == 1 ? "" : "s",
			       flags & VFIO_USER_IRQ_EVENTFD ? ", by eventfd" : "",
			       flags & VFIO_USER_IRQ_MASKABLE ? ", can be masked" : "",
			       flags & VFIO_USER_IRQ_AUTOMASKED ? ", masks itself" : "");
	}
}

static void print_text(const struct shown *s)
{
	print_identity(s);
	for (unsigned i = 0; i < VFIO_USER_CLIENT_REGIONS; i++)
		print_region(s, i);
	print_irqs(s);
	for (unsigned i = 0; i < s->cap_count; i++) {
		const struct pci_capability *cap = &s->caps[i];
		char unknown[24];

		snprintf(unknown, sizeof unknown, "capability 0x%x", cap->id);
		printf("[%03x]     %s%s%s\n", cap->at, cap->name ? cap->name : unknown,
		       *cap->text ? ": " : "", cap->text);
	}
}

static json_t *hex(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "0x%" PRIx64, value);
	return json_string(text);
}

static json_t *hex_bytes(const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * size + 1);
	json_t *string;

	must(text != NULL);
	for (size_t i = 0; i < size; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 0xf];
	}
	text[2 * size] = '\0';
	string = json_string(text);
	free(text);
	return string;
}

static json_t *regions_json(const struct shown *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < VFIO_USER_CLIENT_REGIONS; i++) {
		const struct vfio_user_client_region *r = vfio_user_client_region(s->client, i);
		char bar[PCI_DECODE_TEXT] = "";

		if (!r->size)
			continue;
		if (i < BARS)
			pci_decode_bar(s->space, i, bar);
		json_array_append_new(list, json_pack("{s:s, s:o, s:b, s:b, s:s, s:o, s:o}", "region",
						      region_names[i], "size", hex(r->size), "readable",
						      (r->flags & VFIO_USER_REGION_READABLE) != 0,
						      "writable",
						      (r->flags & VFIO_USER_REGION_WRITABLE) != 0, "bar",
						      bar, "mapped_first", hex(r->mapped_first),
						      "mapped_size", hex(r->mapped_size)));
	}
	return list;
}

static json_t *irqs_json(const struct shown *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < VFIO_USER_IRQ_INDEXES; i++) {
		uint32_t flags, count = vfio_user_client_irqs(s->client, i, &flags);

		json_array_append_new(list, json_pack("{s:s, s:I, s:b, s:b}", "kind", irq_names[i], "count",
						      (json_int_t)count, "eventfd",
						      (flags & VFIO_USER_IRQ_EVENTFD) != 0, "maskable",
						      (flags & VFIO_USER_IRQ_MASKABLE) != 0));
	}
	return list;
}

static json_t *capabilities_json(const struct shown *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < s->cap_count; i++)
		json_array_append_new(list, json_pack("{s:o, s:o, s:i, s:s, s:s}", "offset",
						      hex(s->caps[i].at), "id", hex(s->caps[i].id),
						      "version", s->caps[i].version, "name",
						      s->caps[i].name ? s->caps[i].name : "", "text",
						      s->caps[i].text));
	return list;
}

static void print_json(const struct shown *s)
{
	json_t *json = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "socket",
				 s->call->name, "vendor", hex(get_le16(s->space + SPEC_PCI_VENDOR_ID)),
				 "device", hex(get_le16(s->space + SPEC_PCI_DEVICE_ID)), "class",
				 hex(get_le32(s->space + SPEC_PCI_REVISION_ID) >> 8), "revision",
				 hex(s->space[SPEC_PCI_REVISION_ID]), "subsystem_vendor",
				 hex(get_le16(s->space + SPEC_PCI_SUBSYSTEM_VENDOR_ID)), "subsystem",
				 hex(get_le16(s->space + SPEC_PCI_SUBSYSTEM_ID)), "regions",
				 regions_json(s), "interrupts", irqs_json(s), "capabilities",
				 capabilities_json(s), "config", hex_bytes(s->space, PCI_DECODE_SIZE));

	must(json != NULL);
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

static void write_text(void *arg, const char *text, size_t size)
{
	fwrite(text, 1, size, arg);
}

static void print_dump(const struct shown *s)
{
	static struct cfg space;

	for (unsigned w = 0; w < CFG_WORDS; w++)
		space.word[w] = get_le32(s->space + 4 * w);
	pcie_dump(&space, 0, s->call->name, write_text, stdout);
}

enum midplane_exit midplane_pci_show(const struct call *call)
{
	struct shown *s = calloc(1, sizeof *s);
	enum midplane_exit code;
	int err = 0;

	must(s != NULL);
	s->call = call;
	code = dial(call, &s->client);
	if (!code)
		err = read_space(s);
	if (err)
		code = complain_errno(call, err);
	if (!code && call->option[OPTION_DUMP])
		print_dump(s);
	else if (!code && call->json)
		print_json(s);
	else if (!code)
		print_text(s);
	vfio_user_client_close(s->client);
	free(s);
	return code;
}

/* Read and write. */

struct access {
	unsigned region;
	uint64_t offset;
	uint32_t size;
	uint64_t value;
};

static enum midplane_exit bad_operand(const struct call *call, const char *text, const char *wanted)
{
	midplane_complain(call, "'%s' is not %s", text, wanted);
	return MIDPLANE_USAGE;
}

/* Decimal, or hexadecimal behind "0x". */
static bool parse_number(const char *text, uint64_t *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end, text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10);
	return *end == '\0' && errno == 0;
}

/* "bar0", "config" or a number. */
static bool parse_region(const char *text, unsigned *region)
{
	uint64_t number;

	for (unsigned i = 0; i < VFIO_USER_CLIENT_REGIONS; i++)
		if (strcmp(text, region_names[i]) == 0) {
			*region = i;
			return true;
		}
	if (!parse_number(text, &number) || number >= VFIO_USER_CLIENT_REGIONS)
		return false;
	*region = (unsigned)number;
	return true;
}

static enum midplane_exit parse_place(const struct call *call, struct access *access)
{
	if (!parse_region(call->more[0], &access->region))
		return bad_operand(call, call->more[0], "a region: bar0 to bar5, rom, config, vga, or 0 to 8");
	if (!parse_number(call->more[1], &access->offset))
		return bad_operand(call, call->more[1], "an offset, as in 0x1000");
	return MIDPLANE_OK;
}

static enum midplane_exit check_place(const struct call *call, const struct vfio_user_client *client,
				      const struct access *access)
{
	uint64_t size = vfio_user_client_region(client, access->region)->size;

	if (access->offset <= size && access->size <= size - access->offset)
		return MIDPLANE_OK;
	if (size)
		midplane_complain(call, "%s has 0x%" PRIx64 " bytes, not %" PRIu32 " at 0x%" PRIx64,
				  region_names[access->region], size, access->size, access->offset);
	else
		midplane_complain(call, "the function has no region %s", region_names[access->region]);
	return MIDPLANE_REFUSED;
}

static uint64_t value_of(const uint8_t *bytes, uint32_t size)
{
	uint64_t value = 0;

	for (uint32_t i = size; i-- > 0;)
		value = value << 8 | bytes[i];
	return value;
}

static bool is_register_size(uint32_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static void print_bytes(const struct access *access, const uint8_t *bytes)
{
	if (is_register_size(access->size)) {
		printf("0x%0*" PRIx64 "\n", (int)(2 * access->size), value_of(bytes, access->size));
		return;
	}
	for (uint32_t at = 0; at < access->size; at += 16) {
		printf("%08" PRIx64 ":", access->offset + at);
		for (uint32_t i = at; i < access->size && i < at + 16; i++)
			printf(" %02x", bytes[i]);
		putchar('\n');
	}
}

static void print_bytes_json(const struct call *call, const struct access *access, const uint8_t *bytes)
{
	json_t *json = json_pack("{s:s, s:s, s:o, s:I, s:o}", "socket", call->name, "region",
				 region_names[access->region], "offset", hex(access->offset), "size",
				 (json_int_t)access->size, "bytes", hex_bytes(bytes, access->size));

	must(json != NULL);
	if (is_register_size(access->size))
		json_object_set_new(json, "value", hex(value_of(bytes, access->size)));
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

enum midplane_exit midplane_pci_read(const struct call *call)
{
	struct access access = { .size = 4 };
	struct vfio_user_client *client = NULL;
	enum midplane_exit code = parse_place(call, &access);
	uint64_t size = 4;
	uint8_t *bytes;
	int err;

	if (code)
		return code;
	if (call->more[2] &&
	    (!parse_number(call->more[2], &size) || size == 0 || size > TRANSFER_MAX))
		return bad_operand(call, call->more[2], "a number of bytes from 1 to 0x100000");
	access.size = (uint32_t)size;
	code = dial(call, &client);
	if (!code)
		code = check_place(call, client, &access);
	bytes = calloc(1, size);
	must(bytes != NULL);
	err = code ? 0 : vfio_user_client_read(client, access.region, access.offset, access.size, bytes);
	if (err)
		code = complain_errno(call, err);
	else if (!code && call->json)
		print_bytes_json(call, &access, bytes);
	else if (!code)
		print_bytes(&access, bytes);
	free(bytes);
	vfio_user_client_close(client);
	return code;
}

/* "VALUE" or "VALUE:BYTES". */
static bool parse_value(const char *text, struct access *access)
{
	const char *colon = strchr(text, ':');
	char value[32];
	uint64_t size = 4;

	if (colon && !parse_number(colon + 1, &size))
		return false;
	snprintf(value, sizeof value, "%.*s", colon ? (int)(colon - text) : (int)strlen(text), text);
	if (!parse_number(value, &access->value) || size > 8 || !is_register_size((uint32_t)size))
		return false;
	access->size = (uint32_t)size;
	return size == 8 || access->value >> 8 * size == 0;
}

enum midplane_exit midplane_pci_write(const struct call *call)
{
	struct vfio_user_client *client = NULL;
	struct access access = { .size = 4 };
	enum midplane_exit code = parse_place(call, &access);
	uint8_t bytes[8];
	int err;

	if (code)
		return code;
	if (!parse_value(call->more[2], &access))
		return bad_operand(call, call->more[2], "a value with, if not 4, its bytes, as in 0x6:2");
	put_le64(bytes, access.value);
	code = dial(call, &client);
	if (!code)
		code = check_place(call, client, &access);
	err = code ? 0 : vfio_user_client_write(client, access.region, access.offset, access.size, bytes);
	if (err)
		code = complain_errno(call, err);
	vfio_user_client_close(client);
	return code;
}
