/* Taking a function through VFIO, and what is to be done where that cannot be. */
#include "os/vfio_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int kernel_open(const char *path, int flags)
{
	return open(path, flags);
}

static int kernel_ioctl(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument);
}

static const struct vfio_function_system kernel = { kernel_open, kernel_ioctl };

int vfio_call(const struct vfio_function *f, int fd, unsigned long request, void *argument)
{
	int result = f->system->ioctl(fd, request, argument);

	return result < 0 ? -errno : result;
}

/* A function that VFIO can give us, as far as sysfs knows. */
static int check_function(const struct pci_bus_function *f, const char *address, struct refusal *why)
{
	if (!f) {
		refuse(why, "", "this machine has no PCI function %s: midplane hardware list shows "
		       "those that it has", address);
		return -ENOENT;
	}
	if (!f->answers) {
		refuse(why, "", "%s does not answer", f->address);
		return -ENODEV;
	}
	if (f->group == PCI_BUS_NO_GROUP) {
		refuse(why, "", "%s is in no IOMMU group: boot with the IOMMU on (intel_iommu=on, or "
		       "amd_iommu=on)", f->address);
		return -ENODEV;
	}
	if (strcmp(f->driver, "vfio-pci") != 0) {
		refuse(why, "", "%s is not VFIO's, %s%s has it: hand it over with 'midplane hardware "
		       "bind %s'", f->address, f->driver[0] ? "driver " : "no driver",
		       f->driver, f->address);
		return -EPERM;
	}
	return 0;
}

static int open_container(struct vfio_function *f, const char *dev, struct refusal *why)
{
	char path[PATH_MAX];
	int err;

	snprintf(path, sizeof path, "%s/vfio/vfio", dev);
	f->container = f->system->open(path, O_RDWR | O_CLOEXEC);
	if (f->container < 0) {
		err = -errno;
		refuse(why, "", "cannot open %.200s: %s: %s", path, strerror(-err),
		       err == -EACCES || err == -EPERM ?
			       "be root, or let this user read and write it" :
			       "the kernel has no VFIO: modprobe vfio-pci");
		return err == -ENODEV ? -ENOENT : err;
	}
	if (vfio_call(f, f->container, VFIO_GET_API_VERSION, NULL) != VFIO_API_VERSION ||
	    vfio_call(f, f->container, VFIO_CHECK_EXTENSION, (void *)VFIO_TYPE1v2_IOMMU) <= 0) {
		refuse(why, "", "the kernel's VFIO has no IOMMU of type 1 version 2: modprobe "
		       "vfio_iommu_type1");
		return -ENOENT;
	}
	return 0;
}

/* The others of the group that keep us out. */
static void refuse_group(const struct vfio_function *f, const struct pci_bus *bus,
			 struct refusal *why)
{
	char list[200] = "";
	size_t length = 0;

	for (unsigned i = 0; i < bus->count; i++) {
		const struct pci_bus_function *other = &bus->functions[i];

		if (other->group != f->group_number || strcmp(other->address, f->address) == 0 ||
		    !other->driver[0] || strcmp(other->driver, "vfio-pci") == 0)
			continue;
		if (length < sizeof list - 1)
			length += (size_t)snprintf(list + length, sizeof list - length, "%s%s (%s)",
						   length ? ", " : "", other->address,
						   other->driver);
	}
	refuse(why, "", "IOMMU group %d of %s is not VFIO's alone: %s; hand the whole group over with "
	       "'midplane hardware bind', or choose a function that is alone in its group",
	       f->group_number, f->address, list[0] ? list : "the host uses another function of it");
}

static int open_group(struct vfio_function *f, const struct pci_bus *bus, const char *dev,
		      struct refusal *why)
{
	struct vfio_group_status status = { .argsz = sizeof status };
	char path[PATH_MAX];
	int err = 0;

	snprintf(path, sizeof path, "%s/vfio/%d", dev, f->group_number);
	f->group = f->system->open(path, O_RDWR | O_CLOEXEC);
	if (f->group < 0) {
		err = -errno;
		if (err == -EBUSY)
			refuse(why, "", "IOMMU group %d of %s is in use: by another program, or another "
			       "card of the site", f->group_number, f->address);
		else
			refuse(why, "", "cannot open %.200s: %s%s", path, strerror(-err),
			       err == -EACCES || err == -EPERM ?
				       ": be root, or let this user read and write it" : "");
		return err;
	}
	err = vfio_call(f, f->group, VFIO_GROUP_GET_STATUS, &status);
	if (err < 0) {
		refuse(why, "", "%.200s does not say how it is: %s", path, strerror(-err));
		return err;
	}
	if (status.flags & VFIO_GROUP_FLAGS_VIABLE)
		return 0;
	refuse_group(f, bus, why);
	return -EBUSY;
}

/* The group behind the container's IOMMU. */
static int join(struct vfio_function *f, struct refusal *why)
{
	int err = vfio_call(f, f->group, VFIO_GROUP_SET_CONTAINER, &f->container);

	if (err < 0) {
		refuse(why, "", "group %d of %s does not go into a container: %s", f->group_number,
		       f->address, strerror(-err));
		return err;
	}
	err = vfio_call(f, f->container, VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU);
	if (err == -EPERM)
		refuse(why, "", "the IOMMU does not remap interrupts, so %s could raise any of them: turn "
		       "interrupt remapping on (intremap=on; in the firmware: x2APIC), or, where its users "
		       "are trusted, echo 1 >/sys/module/vfio_iommu_type1/parameters/"
		       "allow_unsafe_interrupts", f->address);
	else if (err < 0)
		refuse(why, "", "group %d of %s does not go behind its IOMMU: %s", f->group_number,
		       f->address, strerror(-err));
	return err < 0 ? err : 0;
}

static int open_device(struct vfio_function *f, struct refusal *why)
{
	struct vfio_device_info info = { .argsz = sizeof info };
	int err = vfio_call(f, f->group, VFIO_GROUP_GET_DEVICE_FD, f->address);

	if (err >= 0) {
		f->device = err;
		err = vfio_call(f, f->device, VFIO_DEVICE_GET_INFO, &info);
	}
	if (err < 0) {
		refuse(why, "", "VFIO does not give %s out: %s", f->address, strerror(-err));
		return err;
	}
	if (info.flags & VFIO_DEVICE_FLAGS_PCI && info.num_regions >= VFIO_FUNCTION_REGIONS)
		return 0;
	refuse(why, "", "VFIO has no PCI function at %s", f->address);
	return -ENODEV;
}

static int open_all(struct vfio_function *f, const struct vfio_function_conf *conf,
		    struct pci_bus *bus, struct refusal *why)
{
	const char *dev = conf->dev_or_null ? conf->dev_or_null : "/dev";
	const struct pci_bus_function *found = pci_bus_find(bus, conf->address);
	int err = check_function(found, conf->address, why);

	if (err)
		return err;
	snprintf(f->address, sizeof f->address, "%s", found->address);
	f->group_number = found->group;
	err = open_container(f, dev, why);
	if (!err)
		err = open_group(f, bus, dev, why);
	if (!err)
		err = join(f, why);
	if (!err)
		err = vfio_ask_iommu(f, why);
	if (!err)
		err = open_device(f, why);
	return err ? err : vfio_ask_device(f, why);
}

int vfio_function_open(struct vfio_function **function, const struct vfio_function_conf *conf,
		       struct refusal *why)
{
	struct vfio_function *f = calloc(1, sizeof *f);
	struct pci_bus bus;
	int err;

	if (!f)
		return -ENOMEM;
	f->container = f->group = f->device = -1;
	f->system = conf->system_or_null ? conf->system_or_null : &kernel;
	err = pci_bus_read(&bus, conf->sysfs_or_null ? conf->sysfs_or_null : "/sys", why);
	if (!err) {
		err = open_all(f, conf, &bus, why);
		pci_bus_free(&bus);
	}
	if (err) {
		vfio_function_close(f);
		return err;
	}
	*function = f;
	return 0;
}

static void unmap_areas(struct vfio_function_region *region)
{
	for (unsigned i = 0; i < region->area_count; i++) {
		if (region->areas[i].bytes)
			(void)munmap(region->areas[i].bytes, region->areas[i].size);
		region->areas[i].bytes = NULL;
	}
}

void vfio_function_close(struct vfio_function *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < VFIO_FUNCTION_REGIONS; i++)
		unmap_areas(&f->regions[i]);
	/* The device before its group, and that before the container that has its mappings. */
	if (f->device >= 0)
		(void)close(f->device);
	if (f->group >= 0)
		(void)close(f->group);
	if (f->container >= 0)
		(void)close(f->container);
	free(f);
}
