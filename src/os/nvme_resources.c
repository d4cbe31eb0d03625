#include "os/nvme_resources.h"

#include "base/bytes.h"
#include "spec/nvme.h"
#include "spec/nvme_admin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/nvme_ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TIMEOUT_MS = 10000 };

/* One way to a card: its physical function's controller. */
struct card {
	const struct pci_bus *bus;
	const char *pf;
	int fd;
	struct refusal *why;
};

/* The controller's device file: /sys/bus/pci/devices/PF/nvme/nvme0 is /dev/nvme0. */
static int open_controller(struct card *card)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int err = -ENOTSUP;
	DIR *dir;

	snprintf(path, sizeof path, "%s/bus/pci/devices/%s/nvme", card->bus->sysfs, card->pf);
	dir = opendir(path);
	while (dir && err == -ENOTSUP && (entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, "nvme", 4) != 0)
			continue;
		snprintf(path, sizeof path, "/dev/%.32s", entry->d_name);
		card->fd = open(path, O_RDWR | O_CLOEXEC);
		err = card->fd < 0 ? -errno : 0;
	}
	if (dir)
		closedir(dir);
	if (err == -ENOTSUP)
		refuse(card->why, "", "no kernel driver of NVMe has %s, which gives its virtual functions their "
		       "queues: let driver nvme have it", card->pf);
	else if (err)
		refuse(card->why, "", "cannot open %.200s: %s%s", path, strerror(-err),
		       err == -EACCES ? "; be root" : "");
	return err;
}

/* Status of the card, or a negative errno. */
static int admin(const struct card *card, struct nvme_passthru_cmd *command)
{
	int status;

	command->timeout_ms = TIMEOUT_MS;
	status = ioctl(card->fd, NVME_IOCTL_ADMIN_CMD, command);
	return status < 0 ? -errno : status & NVME_STATUS_CODE_MASK;
}

static int identify(const struct card *card, uint32_t cns, uint8_t page[NVME_IDENTIFY_SIZE])
{
	struct nvme_passthru_cmd command = {
		.opcode = NVME_ADMIN_IDENTIFY, .addr = (uintptr_t)page,
		.data_len = NVME_IDENTIFY_SIZE, .cdw10 = cns,
	};
	int status = admin(card, &command);

	if (status == 0)
		return 0;
	refuse(card->why, "", "%s has no virtualization management (Identify %02xh: %s%x)", card->pf, cns,
	       status < 0 ? "errno " : "status ", status < 0 ? -status : status);
	return status < 0 ? status : -ENOTSUP;
}

static int manage(const struct card *card, uint32_t action, uint32_t controller, uint32_t type,
		  uint32_t count)
{
	struct nvme_passthru_cmd command = {
		.opcode = NVME_ADMIN_VIRTUALIZATION,
		.cdw10 = action | type << 8 | controller << 16,
		.cdw11 = count,
	};
	int status = admin(card, &command);

	if (status == 0)
		return 0;
	if (status == NVME_INVALID_RESOURCE_COUNT || status == NVME_INVALID_RESOURCE_ID) {
		refuse(card->why, "", "%s has no %u %s for a virtual function", card->pf, count,
		       type == NVME_VIRT_RT_VQ ? "queues" : "interrupts");
		return -ENOSPC;
	}
	refuse(card->why, "", "%s refuses action %u of virtualization management with %s%x", card->pf, action,
	       status < 0 ? "errno " : "status ", status < 0 ? -status : status);
	return status < 0 ? status : -EIO;
}

/* The controller of a virtual function, and what it has. */
struct secondary {
	uint16_t id, queues, interrupts;
};

static int find_controller(const struct card *card, unsigned vf, struct secondary *secondary)
{
	uint8_t list[NVME_IDENTIFY_SIZE];
	int err = identify(card, NVME_CNS_SECONDARY, list);

	if (err)
		return err;
	for (unsigned i = 0; i < min_u32(list[NVME_SECONDARY_COUNT], NVME_SECONDARY_MAX); i++) {
		const uint8_t *row = list + NVME_SECONDARY_FIRST + i * NVME_SECONDARY_SIZE;

		if (get_le16(row + NVME_SECONDARY_VFN) != vf + 1)
			continue;
		secondary->id = get_le16(row + NVME_SECONDARY_SCID);
		secondary->queues = get_le16(row + NVME_SECONDARY_NVQ);
		secondary->interrupts = get_le16(row + NVME_SECONDARY_NVI);
		return 0;
	}
	refuse(card->why, "", "%s lists no controller of its virtual function %u", card->pf, vf);
	return -ENOTSUP;
}

/* What the card's pool has for a virtual function that has 'has' of it; 'at': NVME_PRIMARY_VQ or _VI.
 * Beside what others have ('kept' alone: what the physical function keeps and can give up). */
struct pool {
	uint32_t all, free, kept, most;
};

static struct pool read_pool(const uint8_t *primary, unsigned at, uint16_t has)
{
	uint32_t all = get_le32(primary + at + NVME_PRIMARY_FRT);
	uint32_t given = get_le32(primary + at + NVME_PRIMARY_RFA);

	given -= min_u32(given, has);
	return (struct pool){ .all = all,
			      .free = all - min_u32(given, all),
			      .kept = get_le16(primary + at + NVME_PRIMARY_RFAP),
			      .most = get_le16(primary + at + NVME_PRIMARY_FRSM) };
}

static int check_pool(const struct card *card, const struct pool *pool, uint16_t wanted,
		      const char *what)
{
	if (wanted > pool->most)
		refuse(card->why, "", "%s gives one virtual function %" PRIu32 " %s at most, not %u",
		       card->pf, pool->most, what, wanted);
	else if (wanted > pool->free)
		refuse(card->why, "",
		       "%s has %" PRIu32 " of its %" PRIu32 " %s for virtual functions free, not %u: "
		       "take some from another", card->pf, pool->free, pool->all, what, wanted);
	else
		return 0;
	return -ENOSPC;
}

/* A reset of the card takes the ground from under whoever drives another of its functions. */
static int check_others(const struct card *card, const char *vf)
{
	for (unsigned i = 0; i < card->bus->count; i++) {
		const struct pci_bus_function *f = &card->bus->functions[i];

		if (!f->driver[0] || strcmp(f->pf, card->pf) != 0 || strcmp(f->address, vf) == 0)
			continue;
		refuse(card->why, "", "%s must be reset to give up what it keeps itself, and driver %s "
		       "has its virtual function %s: release that first", card->pf, f->driver, f->address);
		return -EBUSY;
	}
	return 0;
}

/* Whether so much can be had; '*keeps': the physical function must first give up what it keeps. */
static int check_room(const struct card *card, const uint8_t *primary,
		      const struct secondary *secondary, const struct nvme_resources *wanted,
		      bool *keeps)
{
	const struct pool vq = read_pool(primary, NVME_PRIMARY_VQ, secondary->queues);
	const struct pool vi = read_pool(primary, NVME_PRIMARY_VI, secondary->interrupts);
	int err = check_pool(card, &vq, wanted->queues, "queue pairs");

	*keeps = vq.kept + (uint64_t)wanted->queues > vq.free ||
		 vi.kept + (uint64_t)wanted->interrupts > vi.free;
	return err ? err : check_pool(card, &vi, wanted->interrupts, "interrupts");
}

static int reset(const struct card *card)
{
	char path[PATH_MAX];
	int fd, err = 0;

	snprintf(path, sizeof path, "%s/bus/pci/devices/%s/reset", card->bus->sysfs, card->pf);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1\n", 2) != 2)
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (err)
		refuse(card->why, "", "%s, which must give up queues, cannot be reset: %s", card->pf,
		       strerror(-err));
	return err;
}

/* A reset of the card takes its virtual functions away behind the kernel's back: they go before and come again. */
static int reset_without_vfs(const struct card *card)
{
	const struct pci_bus_function *found = pci_bus_find(card->bus, card->pf);
	struct pci_bus_function pf;
	unsigned count;
	int err;

	if (!found) {
		refuse(card->why, "", "%s is gone", card->pf);
		return -ENODEV;
	}
	pf = *found;
	count = pf.vfs;
	err = pci_bus_set_vfs(card->bus, &pf, 0, card->why);
	if (err)
		return err;
	pf.vfs = 0;
	err = reset(card);
	if (!err)
		return pci_bus_set_vfs(card->bus, &pf, count, card->why);
	pci_bus_set_vfs(card->bus, &pf, count, &(struct refusal){ "", "" });
	return err;
}

/* What the physical function has beyond its own goes back to the pool. */
static int make_room(const struct card *card, const uint8_t *primary)
{
	uint16_t id = get_le16(primary + NVME_PRIMARY_CNTLID);
	int err = manage(card, NVME_VIRT_PRIMARY_ALLOCATION, id, NVME_VIRT_RT_VQ, 0);

	if (!err)
		err = manage(card, NVME_VIRT_PRIMARY_ALLOCATION, id, NVME_VIRT_RT_VI, 0);
	return err ? err : reset_without_vfs(card);
}

static int take(const struct card *card, uint16_t id)
{
	int err = manage(card, NVME_VIRT_OFFLINE, id, NVME_VIRT_RT_VQ, 0);

	if (!err)
		err = manage(card, NVME_VIRT_ASSIGN, id, NVME_VIRT_RT_VQ, 0);
	return err ? err : manage(card, NVME_VIRT_ASSIGN, id, NVME_VIRT_RT_VI, 0);
}

/* Nothing is taken before all is known to be there. */
static int give(const struct card *card, const struct pci_bus_function *vf,
		const struct nvme_resources *wanted)
{
	uint8_t primary[NVME_IDENTIFY_SIZE];
	struct secondary secondary = { 0 };
	bool keeps = false;
	int err = find_controller(card, vf->vf, &secondary);

	if (!err)
		err = identify(card, NVME_CNS_PRIMARY, primary);
	if (!err && wanted->queues)
		err = check_room(card, primary, &secondary, wanted, &keeps);
	if (!err && keeps)
		err = check_others(card, vf->address);
	if (!err)
		err = take(card, secondary.id);
	if (err || !wanted->queues)
		return err;
	if (keeps)
		err = make_room(card, primary);
	if (!err)
		err = manage(card, NVME_VIRT_ASSIGN, secondary.id, NVME_VIRT_RT_VQ, wanted->queues);
	if (!err)
		err = manage(card, NVME_VIRT_ASSIGN, secondary.id, NVME_VIRT_RT_VI,
			     wanted->interrupts);
	return err ? err : manage(card, NVME_VIRT_ONLINE, secondary.id, NVME_VIRT_RT_VQ, 0);
}

int nvme_resources_give(const struct pci_bus *bus, const struct pci_bus_function *vf,
			const struct nvme_resources *resources, struct refusal *why)
{
	struct card card = { .bus = bus, .pf = vf->pf, .fd = -1, .why = why };
	int err;

	if (!vf->pf[0]) {
		refuse(why, "", "%s is no virtual function", vf->address);
		return -ENOTSUP;
	}
	if (vf->driver[0]) {
		refuse(why, "", "driver %s has %s: release it first", vf->driver, vf->address);
		return -EBUSY;
	}
	err = open_controller(&card);
	if (!err)
		err = give(&card, vf, resources);
	if (card.fd >= 0)
		close(card.fd);
	return err;
}
