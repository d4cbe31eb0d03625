/* What an imported function is: version, regions, interrupts, configuration space, asked for one after the other
 * when it was reached.  It is believed as far as a guest that believes it comes to no harm. */
#include "attach/vfio_user_import_internal.h"

#include "base/bytes.h"
#include "spec/pcie.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CONFIG = VFIO_USER_IMPORT_CONFIG,
	REGIONS = VFIO_USER_IMPORT_REGIONS,
	REGION_ROOM = 4096, /* for capabilities of a region */
	PAGE = 4096,
	CONFIG_MIN = 256,
	HEADER_LAYOUT = 0x7f, /* of the header type: 0 is a function with BARs */
	CAPS_MAX = 16,
	/* Steps of the greeting. */
	VERSION = 0,
	INFO,
	REGION_FIRST,
	IRQ_FIRST = REGION_FIRST + REGIONS,
	CONFIG_SPACE = IRQ_FIRST + VFIO_USER_IRQ_INDEXES,
	THERE,
};

void vfimport_forget(struct vfio_user_import_facts *facts)
{
	for (unsigned i = 0; i < REGIONS; i++)
		if (facts->regions[i].fd >= 0)
			close(facts->regions[i].fd);
	memset(facts, 0, sizeof *facts);
	for (unsigned i = 0; i < REGIONS; i++)
		facts->regions[i].fd = -1;
}

static void on_answer(void *owner, int err, const uint8_t *payload, uint32_t size);

static int ask(struct vfio_user_import *import, enum vfio_user_command command, const uint8_t *payload,
	       uint32_t size, uint32_t least)
{
	const struct vfio_user_import_question question = {
		.command = command, .payload = payload, .size = size, .least = least,
		.done = on_answer, .owner = import,
	};

	return vfimport_ask(import, &question);
}

static int ask_version(struct vfio_user_import *import)
{
	const struct vfio_user_limits ours = {
		.major = VFIO_USER_MAJOR, .minor = VFIO_USER_MINOR, .fds = VFIO_USER_FDS_MAX,
		.transfer = VFIO_USER_TRANSFER_MAX, .maps = VFIO_USER_DEFAULT_MAPS,
		.pages = VFIO_USER_DEFAULT_PAGE,
	};
	uint8_t payload[VFIO_USER_VERSION_DATA + VFIO_USER_TEXT_MAX];
	uint32_t size = vfio_user_version_write(&ours, payload, sizeof payload);

	return ask(import, VFIO_USER_VERSION, payload, size, VFIO_USER_VERSION_DATA);
}

static uint32_t config_bytes(const struct vfio_user_import *import)
{
	return (uint32_t)min_u64(min_u64(import->heard.regions[CONFIG].size, VFIO_USER_IMPORT_CONFIG_SIZE),
				 import->heard.limits.transfer);
}

/* Asks for what the present step wants to know. */
static int ask_step(struct vfio_user_import *import)
{
	uint8_t payload[VFIO_USER_REGION_SIZE] = { 0 };
	unsigned step = import->step;

	if (step == VERSION)
		return ask_version(import);
	if (step == INFO) {
		put_le32(payload + VFIO_USER_INFO_ARGSZ, VFIO_USER_INFO_SIZE);
		return ask(import, VFIO_USER_DEVICE_GET_INFO, payload, VFIO_USER_INFO_SIZE,
			   VFIO_USER_INFO_SIZE);
	}
	if (step < IRQ_FIRST) {
		put_le32(payload + VFIO_USER_REGION_ARGSZ, REGION_ROOM);
		put_le32(payload + VFIO_USER_REGION_INDEX, step - REGION_FIRST);
		return ask(import, VFIO_USER_DEVICE_GET_REGION_INFO, payload, VFIO_USER_REGION_SIZE,
			   VFIO_USER_REGION_SIZE);
	}
	if (step < CONFIG_SPACE) {
		put_le32(payload + VFIO_USER_IRQ_ARGSZ, VFIO_USER_IRQ_SIZE);
		put_le32(payload + VFIO_USER_IRQ_INDEX, step - IRQ_FIRST);
		return ask(import, VFIO_USER_DEVICE_GET_IRQ_INFO, payload, VFIO_USER_IRQ_SIZE,
			   VFIO_USER_IRQ_SIZE);
	}
	put_le32(payload + VFIO_USER_ACCESS_REGION, CONFIG);
	put_le32(payload + VFIO_USER_ACCESS_COUNT, config_bytes(import));
	return ask(import, VFIO_USER_REGION_READ, payload, VFIO_USER_ACCESS_SIZE,
		   VFIO_USER_ACCESS_SIZE + config_bytes(import));
}

int vfimport_greet(struct vfio_user_import *import)
{
	vfimport_forget(&import->heard);
	import->step = VERSION;
	return ask_step(import);
}

/* What was heard.  Each: 0, or -EPROTO with 'why'. */

static int hear_version(struct vfio_user_import *import, const uint8_t *payload, uint32_t size,
			struct refusal *why)
{
	struct vfio_user_limits *limits = &import->heard.limits;

	if (vfio_user_version_read(limits, payload, size, why))
		return -EPROTO;
	if (limits->needs_fds && import->conf.trust == VFIO_USER_IMPORT_GUARDED) {
		refuse(why, "guard", "it needs guard: false, since it polls queues in the guest's memory, by "
				     "descriptors that a guarded function is not given");
		return -EPROTO;
	}
	if (limits->major == VFIO_USER_MAJOR && limits->transfer >= CONFIG_MIN)
		return 0;
	refuse(why, "", "it speaks version %u.%u and takes %u bytes at once, not %u.x and %u or more",
	       limits->major, limits->minor, limits->transfer, VFIO_USER_MAJOR, CONFIG_MIN);
	return -EPROTO;
}

static int hear_info(struct vfio_user_import *import, const uint8_t *payload, struct refusal *why)
{
	import->heard.flags = get_le32(payload + VFIO_USER_INFO_FLAGS);
	if (import->heard.flags & VFIO_USER_INFO_PCI &&
	    get_le32(payload + VFIO_USER_INFO_REGIONS) > CONFIG &&
	    get_le32(payload + VFIO_USER_INFO_IRQS) > VFIO_USER_IRQ_MSIX)
		return 0;
	refuse(why, "", "it is no PCI function: flags 0x%x, %u regions, %u kinds of interrupts",
	       import->heard.flags, get_le32(payload + VFIO_USER_INFO_REGIONS),
	       get_le32(payload + VFIO_USER_INFO_IRQS));
	return -EPROTO;
}

static bool add_area(struct vfio_user_import_region *region, uint64_t first, uint64_t size)
{
	if (size == 0)
		return true;
	if ((first | size) % PAGE || first > region->size || size > region->size - first ||
	    region->area_count == VFIO_USER_IMPORT_AREAS)
		return false;
	region->areas[region->area_count++] = (struct vfio_user_import_area){ first, size };
	return true;
}

/* The areas that a capability lists.  Some servers send a descriptor for each area: the first is that of
 * the first then. */
static bool read_sparse(const struct vfio_user_import *import, struct vfio_user_import_region *region,
			const uint8_t *cap, uint32_t room)
{
	uint32_t count;

	if (room < VFIO_USER_SPARSE_FIRST)
		return false;
	count = get_le32(cap + VFIO_USER_SPARSE_AREAS);
	if (count > VFIO_USER_IMPORT_AREAS ||
	    count > (room - VFIO_USER_SPARSE_FIRST) / VFIO_USER_SPARSE_AREA_SIZE)
		return false;
	if (import->fd_count > 1)
		count = min_u32(count, 1);
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *area = cap + VFIO_USER_SPARSE_FIRST + i * VFIO_USER_SPARSE_AREA_SIZE;

		if (!add_area(region, get_le64(area), get_le64(area + 8)))
			return false;
	}
	return true;
}

static bool read_areas(const struct vfio_user_import *import, struct vfio_user_import_region *region,
		       const uint8_t *payload, uint32_t size)
{
	uint32_t at = get_le32(payload + VFIO_USER_REGION_CAPS), steps = 0;

	if (!(get_le32(payload + VFIO_USER_REGION_FLAGS) & VFIO_USER_REGION_HAS_CAPS))
		return add_area(region, 0, region->size);
	while (at && steps++ < CAPS_MAX) {
		if (at > size || size - at < VFIO_USER_SPARSE_AREAS)
			return false;
		if (get_le16(payload + at + VFIO_USER_CAP_ID) == VFIO_USER_CAP_SPARSE_MMAP)
			return read_sparse(import, region, payload + at, size - at);
		at = get_le32(payload + at + VFIO_USER_CAP_NEXT);
	}
	return add_area(region, 0, region->size);
}

/* A guest that maps a file which is too short, or becomes so, is killed by it. */
static bool file_is_good(const struct vfio_user_import *import, const struct vfio_user_import_region *region,
			 int fd)
{
	uint64_t end = 0;
	struct stat st;

	for (unsigned i = 0; i < region->area_count; i++)
		end = max_u64(end, region->areas[i].first + region->areas[i].size);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || region->offset % PAGE || region->offset > INT64_MAX ||
	    st.st_size < 0 || (uint64_t)st.st_size < region->offset ||
	    (uint64_t)st.st_size - region->offset < end)
		return false;
	return import->conf.trust == VFIO_USER_IMPORT_TRUSTED ||
	       (fcntl(fd, F_GET_SEALS) > 0 && fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK);
}

static int hear_region(struct vfio_user_import *import, unsigned index, const uint8_t *payload, uint32_t size,
		       struct refusal *why)
{
	struct vfio_user_import_region *region = &import->heard.regions[index];
	uint32_t flags = get_le32(payload + VFIO_USER_REGION_FLAGS);

	region->size = get_le64(payload + VFIO_USER_REGION_BYTES);
	region->flags = flags & (VFIO_USER_REGION_READABLE | VFIO_USER_REGION_WRITABLE);
	region->offset = get_le64(payload + VFIO_USER_REGION_OFFSET);
	if (index > CONFIG)
		region->size = 0; /* VGA: nobody is given it */
	if (region->size > INT64_MAX) {
		refuse(why, "", "its region %u has 0x%llx bytes", index, (unsigned long long)region->size);
		return -EPROTO;
	}
	/* What cannot be mapped is reached by messages. */
	if (!(flags & VFIO_USER_REGION_MMAP) || import->fd_count == 0 || index >= CONFIG || !region->size)
		return 0;
	if (!read_areas(import, region, payload, size) || region->area_count == 0 ||
	    !file_is_good(import, region, import->fds[0])) {
		region->area_count = 0;
		return 0;
	}
	region->fd = import->fds[0];
	import->fd_count--;
	memmove(import->fds, import->fds + 1, import->fd_count * sizeof import->fds[0]);
	return 0;
}

static int hear_irqs(struct vfio_user_import *import, unsigned index, const uint8_t *payload,
		     struct refusal *why)
{
	uint32_t count = get_le32(payload + VFIO_USER_IRQ_COUNT);

	import->heard.irqs[index].flags = get_le32(payload + VFIO_USER_IRQ_FLAGS);
	import->heard.irqs[index].count = count;
	if (count <= VFIO_USER_IMPORT_VECTORS)
		return 0;
	refuse(why, "", "it has %u interrupts of kind %u; %u are possible", count, index,
	       VFIO_USER_IMPORT_VECTORS);
	return -EPROTO;
}

static int hear_config(struct vfio_user_import *import, const uint8_t *payload, struct refusal *why)
{
	uint8_t *config = import->heard.config;

	memset(config, 0, sizeof import->heard.config);
	memcpy(config, payload + VFIO_USER_ACCESS_SIZE, config_bytes(import));
	if (get_le16(config) != 0xffff && (config[SPEC_PCI_HEADER_TYPE] & HEADER_LAYOUT) == 0)
		return 0;
	refuse(why, "", "its configuration space begins with %04x:%04x and has header type 0x%02x; a function "
			"with BARs has 0x00", get_le16(config), get_le16(config + 2),
	       config[SPEC_PCI_HEADER_TYPE]);
	return -EPROTO;
}

static int hear(struct vfio_user_import *import, const uint8_t *payload, uint32_t size, struct refusal *why)
{
	unsigned step = import->step;

	if (step == VERSION)
		return hear_version(import, payload, size, why);
	if (step == INFO)
		return hear_info(import, payload, why);
	if (step < IRQ_FIRST)
		return hear_region(import, step - REGION_FIRST, payload, size, why);
	if (step < CONFIG_SPACE)
		return hear_irqs(import, step - IRQ_FIRST, payload, why);
	return hear_config(import, payload, why);
}

/* Some servers have no VGA region, and no REQ interrupt: that is as good as none there. */
static bool may_refuse(unsigned step)
{
	return step == REGION_FIRST + CONFIG + 1 || step == IRQ_FIRST + VFIO_USER_IRQ_ERR ||
	       step == IRQ_FIRST + VFIO_USER_IRQ_REQ;
}

static void on_answer(void *owner, int err, const uint8_t *payload, uint32_t size)
{
	struct vfio_user_import *import = owner;
	struct refusal why = { 0 };

	if (import->fd < 0)
		return; /* it has gone: that is told elsewhere */
	if (err && may_refuse(import->step))
		err = 0;
	else if (!err)
		err = hear(import, payload, size, &why);
	else
		refuse(&why, "", "it refuses step %u of the greeting: %s", import->step, uv_strerror(err));
	if (!err && import->step == REGION_FIRST + CONFIG && config_bytes(import) < CONFIG_MIN) {
		refuse(&why, "", "its configuration space has %u bytes, not %u or more", config_bytes(import),
		       CONFIG_MIN);
		err = -EPROTO;
	}
	import->step++;
	if (!err && import->step == THERE) {
		vfimport_arrived(import);
		return;
	}
	if (!err)
		err = ask_step(import);
	if (err)
		vfimport_lost(import, VFIO_USER_IMPORT_REFUSED, err, "%s: %s", import->where.sun_path,
			      why.text[0] ? why.text : uv_strerror(err));
}
