/* What changes a function's driver, or a PF's VFs. */
#include "os/pci_bus.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { APPEAR_MS = 2000 }; /* VFs are there, or a driver has bound, within that time */

static int write_text(const struct pci_bus *bus, const char *path, const char *text,
		      struct refusal *why)
{
	int err = bus->hand->write(bus->hand->owner, path, text);

	if (err)
		refuse(why, "", "cannot write '%.*s' to %.200s: %s%s", (int)strcspn(text, "\n"),
		       text, path, strerror(-err), err == -EACCES ? "; be root" : "");
	return err;
}

static int write_function(const struct pci_bus *bus, const struct pci_bus_function *f,
			  const char *name, const char *text, struct refusal *why)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/bus/pci/devices/%s/%s", bus->sysfs, f->address, name);
	return write_text(bus, path, text, why);
}

static void pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = (long)ms * 1000000 }, NULL);
}

/* The function as it is now; false when it is not there. */
static bool look_again(const struct pci_bus *bus, const char *address, struct pci_bus *now,
		       const struct pci_bus_function **f)
{
	if (pci_bus_read_by(now, bus->sysfs, bus->hand, NULL) != 0)
		return false;
	*f = pci_bus_find(now, address);
	return *f != NULL;
}

static bool have_appeared(const struct pci_bus *bus, const char *pf, unsigned count)
{
	const struct pci_bus_function *f;
	struct pci_bus now;
	bool all = look_again(bus, pf, &now, &f);

	for (unsigned vf = 0; all && vf < count; vf++) {
		const struct pci_bus_function *v = pci_bus_vf(&now, f, vf);

		all = v && v->answers;
	}
	pci_bus_free(&now);
	return all;
}

static const struct pci_bus_function *used_vf(const struct pci_bus *bus,
					      const struct pci_bus_function *pf)
{
	for (unsigned vf = 0; vf < pf->vfs; vf++) {
		const struct pci_bus_function *f = pci_bus_vf(bus, pf, vf);

		if (f && f->driver[0])
			return f;
	}
	return NULL;
}

static int may_set_vfs(const struct pci_bus *bus, const struct pci_bus_function *pf, unsigned count,
		       struct refusal *why)
{
	const struct pci_bus_function *used = used_vf(bus, pf);

	if (!pf->vfs_total)
		refuse(why, "", "%s has no SR-IOV", pf->address);
	else if (count > pf->vfs_total)
		refuse(why, "", "%s has %u virtual functions at most", pf->address, pf->vfs_total);
	else if (!pf->answers)
		refuse(why, "", "%s does not answer", pf->address);
	if (!pf->vfs_total || count > pf->vfs_total || !pf->answers)
		return -EINVAL;
	if (used) {
		refuse(why, "", "driver %s has virtual function %s: release it first", used->driver,
		       used->address);
		return -EBUSY;
	}
	if (pf->vfs && count) {
		refuse(why, "",
		       "%s has %u virtual functions; the kernel changes that number by way "
		       "of 0: set 0 first",
		       pf->address, pf->vfs);
		return -EBUSY;
	}
	return 0;
}

int pci_bus_set_vfs(const struct pci_bus *bus, const struct pci_bus_function *pf, unsigned count,
		    struct refusal *why)
{
	char text[16];
	int err;

	if (pf->vfs == count && pf->vfs_total)
		return 0;
	err = may_set_vfs(bus, pf, count, why);
	if (err)
		return err;
	/* Older kernels have no such file, and then drivers take VFs by themselves. */
	(void)write_function(bus, pf, "sriov_drivers_autoprobe", "0\n", NULL);
	snprintf(text, sizeof text, "%u\n", count);
	err = write_function(bus, pf, "sriov_numvfs", text, why);
	for (unsigned ms = 0; !err && ms < APPEAR_MS; ms += 20) {
		if (have_appeared(bus, pf->address, count))
			return 0;
		pause_ms(20);
	}
	if (!err)
		refuse(why, "", "not all of %u virtual functions of %s answer", count, pf->address);
	return err ? err : -ENODEV;
}

const struct pci_bus_function *pci_bus_in_the_way(const struct pci_bus *bus,
						  const struct pci_bus_function *f,
						  const char *driver)
{
	for (unsigned i = 0; i < bus->count; i++) {
		const struct pci_bus_function *other = &bus->functions[i];
		bool bridge = (other->class_code >> 8) == 0x0604;

		if (other->group == f->group && strcmp(other->address, f->address) != 0 &&
		    !bridge && other->driver[0] && strcmp(other->driver, driver) != 0)
			return other;
	}
	return NULL;
}

/* All other functions of the group must be out of the host's hands: VFIO hands out whole groups. */
static int check_group(const struct pci_bus *bus, const struct pci_bus_function *f,
		       const char *driver, struct refusal *why)
{
	const struct pci_bus_function *other;

	if (f->group == PCI_BUS_NO_GROUP) {
		refuse(why, "",
		       "%s is in no IOMMU group: boot with the IOMMU on (intel_iommu=on, or "
		       "amd_iommu=on)",
		       f->address);
		return -ENODEV;
	}
	other = pci_bus_in_the_way(bus, f, driver);
	if (!other)
		return 0;
	refuse(why, "", "%s is in IOMMU group %d with %s, which driver %s has: release that first",
	       f->address, f->group, other->address, other->driver);
	return -EBUSY;
}

static int check_driver(const struct pci_bus *bus, const char *driver, struct refusal *why)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/bus/pci/drivers/%.60s", bus->sysfs, driver);
	if (access(path, F_OK) == 0)
		return 0;
	refuse(why, "", "there is no driver %s: load its module (modprobe %s)", driver, driver);
	return -ENOENT;
}

static int unbind(const struct pci_bus *bus, const struct pci_bus_function *f, struct refusal *why)
{
	char path[PATH_MAX], text[PCI_BUS_ADDRESS_MAX + 1];

	if (!f->driver[0])
		return 0;
	snprintf(path, sizeof path, "%s/bus/pci/drivers/%s/unbind", bus->sysfs, f->driver);
	snprintf(text, sizeof text, "%s\n", f->address);
	return write_text(bus, path, text, why);
}

static int probe(const struct pci_bus *bus, const struct pci_bus_function *f, struct refusal *why)
{
	char path[PATH_MAX], text[PCI_BUS_ADDRESS_MAX + 1];

	snprintf(path, sizeof path, "%s/bus/pci/drivers_probe", bus->sysfs);
	snprintf(text, sizeof text, "%s\n", f->address);
	return write_text(bus, path, text, why);
}

static bool has_driver(const struct pci_bus *bus, const char *address, const char *driver)
{
	struct pci_bus_function f;

	return pci_bus_look(bus, address, &f) && strcmp(f.driver, driver) == 0;
}

static int wait_for_driver(const struct pci_bus *bus, const struct pci_bus_function *f,
			   const char *driver, struct refusal *why)
{
	for (unsigned ms = 0; ms < APPEAR_MS; ms += 20) {
		if (has_driver(bus, f->address, driver))
			return 0;
		pause_ms(20);
	}
	refuse(why, "", "driver %s does not take %s", driver, f->address);
	return -ENODEV;
}

static int write_override(const struct pci_bus *bus, const struct pci_bus_function *f,
			  const char *override, struct refusal *why)
{
	char text[PCI_BUS_WORD_MAX + 1];

	snprintf(text, sizeof text, "%s\n", override);
	return write_function(bus, f, "driver_override", text, why);
}

int pci_bus_bind(const struct pci_bus *bus, const struct pci_bus_function *f, const char *driver,
		 struct refusal *why)
{
	int err;

	if (strcmp(f->driver, driver) == 0)
		return 0;
	if (!f->answers) {
		refuse(why, "", "%s does not answer, so nobody gets it", f->address);
		return -ENODEV;
	}
	err = check_driver(bus, driver, why);
	if (!err)
		err = check_group(bus, f, driver, why);
	if (!err)
		err = write_override(bus, f, driver, why);
	if (!err)
		err = unbind(bus, f, why);
	if (!err)
		err = probe(bus, f, why);
	return err ? err : wait_for_driver(bus, f, driver, why);
}

int pci_bus_release(const struct pci_bus *bus, const struct pci_bus_function *f,
		    struct refusal *why)
{
	int err = write_function(bus, f, "driver_override", "\n", why);

	if (!err)
		err = unbind(bus, f, why);
	/* No driver at all is an answer, too: that of a VF that nobody has a driver for. */
	return err ? err : probe(bus, f, why);
}

int pci_bus_restore(const struct pci_bus *bus, const struct pci_bus_function *f, const char *driver,
		    const char *override, struct refusal *why)
{
	bool there = strcmp(f->driver, driver) == 0;
	/* A kernel that does not let drivers take VFs by themselves lets the override's have one.
	 */
	int err = there || !driver[0] ? 0 : write_override(bus, f, driver, why);

	if (!err && !there)
		err = unbind(bus, f, why);
	if (!err && !there && driver[0])
		err = probe(bus, f, why);
	if (!err && !there && driver[0])
		err = wait_for_driver(bus, f, driver, why);
	if (!err)
		err = write_override(bus, f, override, why);
	return err;
}

int pci_bus_set_autoprobe(const struct pci_bus *bus, const char *pf, int autoprobe)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/bus/pci/devices/%s/sriov_drivers_autoprobe", bus->sysfs,
		 pf);
	return write_text(bus, path, autoprobe ? "1\n" : "0\n", NULL);
}
