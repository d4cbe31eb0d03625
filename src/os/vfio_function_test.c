/* A function behind VFIO, with a kernel that is made here: sysfs is a directory, the device a file in memory, and
 * the system calls are checked for what the real ones check.  The real kernel is met by tests/e2e/vfio_nvme.py. */
#include "os/vfio_internal.h"

#include "tests/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/vfio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	REGION_SIZE = 1 << 20, /* each lies at its number times that, in the device's file */
	BAR_SIZE = 0x4000,
	MAPPINGS_MAX = 64,
	CALLS_MAX = 64,
};

#define ADDRESS "0000:01:00.1"

enum capability { CHAIN_NONE, CHAIN_SPARSE, CHAIN_LOOP, CHAIN_FAR, CHAIN_SHORT };

static struct kernel {
	char root[64];
	int container, group, device; /* descriptors that it gave, or -1 */
	bool joined, behind;
	bool unviable;
	enum capability capability;
	unsigned calls, fail_at; /* 1..: that call fails */
	int fail_errno;
	unsigned long fail_request; /* or any of these */
	const char *fail_open;	    /* or this file, its end */
	uint64_t locked_max;
	struct iova_range mappings[MAPPINGS_MAX];
	unsigned mapping_count;
	int eventfds[8];
	unsigned eventfd_count, resets;
} k;

static bool fails(unsigned long request)
{
	if (++k.calls != k.fail_at && (!request || request != k.fail_request))
		return false;
	errno = k.fail_errno ? k.fail_errno : EIO;
	return true;
}

static int fake_open(const char *path, int flags)
{
	assert_int_equal(flags, O_RDWR | O_CLOEXEC);
	if (k.fail_open && strcmp(path + strlen(path) - strlen(k.fail_open), k.fail_open) == 0) {
		errno = k.fail_errno;
		return -1;
	}
	if (fails(0))
		return -1;
	if (strstr(path, "/vfio/vfio"))
		return k.container = memfd_create("container", MFD_CLOEXEC);
	assert_non_null(strstr(path, "/vfio/7"));
	k.group = memfd_create("group", MFD_CLOEXEC);
	return k.group;
}

static int invalid(void)
{
	errno = EINVAL;
	return -1;
}

static int get_device(const char *address)
{
	uint8_t class[4] = { 0, 2, 8, 1 };

	if (!k.behind || strcmp(address, ADDRESS) != 0)
		return invalid();
	k.device = memfd_create("device", MFD_CLOEXEC);
	assert_int_equal(ftruncate(k.device, VFIO_FUNCTION_REGIONS * REGION_SIZE), 0);
	assert_int_equal(pwrite(k.device, class, 4, VFIO_FUNCTION_CONFIG * REGION_SIZE + 8), 4);
	return k.device;
}

/* Structure and chain, cut to what the caller has room for. */
static void give(void *argument, const uint8_t *bytes, uint32_t size, uint32_t needed)
{
	uint32_t room;

	memcpy(&room, argument, sizeof room);
	memcpy(argument, bytes, room < size ? room : size);
	memcpy(argument, &needed, sizeof needed);
}

static int region_info(void *argument)
{
	uint8_t bytes[128] = { 0 };
	struct vfio_region_info info;
	struct vfio_region_info_cap_sparse_mmap list = { .header = { VFIO_REGION_INFO_CAP_SPARSE_MMAP, 1, 0 },
							 .nr_areas = 3 };
	const struct vfio_region_sparse_mmap_area areas[] = { { 0, 0x2000 }, { 0x3000, 0x1000 },
							      { 0x3000, 0x4000 } };
	uint32_t size = sizeof info;

	memcpy(&info, argument, sizeof info);
	info.offset = (uint64_t)info.index * REGION_SIZE;
	info.size = info.index == 0 ? BAR_SIZE : info.index == VFIO_FUNCTION_CONFIG ? 4096 : 0;
	info.flags = info.size ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0;
	if (info.index == VFIO_PCI_ROM_REGION_INDEX)
		return invalid(); /* as a VF's */
	if (info.index == 0) {
		info.flags |= VFIO_REGION_INFO_FLAG_MMAP;
		if (k.capability != CHAIN_NONE) {
			info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
			info.cap_offset = k.capability == CHAIN_FAR ? 0xfffffff0 : sizeof info;
			size = sizeof info + sizeof list + sizeof areas;
		}
	}
	if (k.capability == CHAIN_LOOP)
		list.header = (struct vfio_info_cap_header){ 77, 1, sizeof info };
	if (k.capability == CHAIN_SHORT)
		list.nr_areas = UINT32_MAX;
	memcpy(bytes, &info, sizeof info);
	memcpy(bytes + sizeof info, &list, sizeof list);
	memcpy(bytes + sizeof info + sizeof list, areas, sizeof areas);
	give(argument, bytes, size, size);
	return 0;
}

static int iommu_info(void *argument)
{
	struct vfio_iommu_type1_info info = { .flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
					      .iova_pgsizes = 0x201000, .cap_offset = sizeof info };
	struct vfio_iommu_type1_info_cap_iova_range list = {
		.header = { VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1, 0 }, .nr_iovas = 2,
	};
	const struct vfio_iova_range ranges[] = { { 0, 0xfedfffff }, { 0xfef00000, 0x7fffffffff } };
	uint8_t bytes[sizeof info + sizeof list + sizeof ranges];

	if (!k.behind)
		return invalid();
	memcpy(bytes, &info, sizeof info);
	memcpy(bytes + sizeof info, &list, sizeof list);
	memcpy(bytes + sizeof info + sizeof list, ranges, sizeof ranges);
	give(argument, bytes, sizeof bytes, sizeof bytes);
	return 0;
}

static int map_dma(const struct vfio_iommu_type1_dma_map *map)
{
	struct iova_range range = { map->iova, map->iova + map->size - 1 };
	uint64_t locked = map->size;

	assert_int_equal(map->flags, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
	if ((map->iova | map->vaddr | map->size) % 4096 || !k.behind ||
	    (range.last > 0xfedfffff && range.first < 0xfef00000))
		return invalid();
	for (unsigned i = 0; i < k.mapping_count; i++) {
		locked += k.mappings[i].last - k.mappings[i].first + 1;
		if (range.first <= k.mappings[i].last && k.mappings[i].first <= range.last)
			return invalid();
	}
	if (k.locked_max && locked > k.locked_max) {
		errno = ENOMEM;
		return -1;
	}
	assert_true(k.mapping_count < MAPPINGS_MAX);
	k.mappings[k.mapping_count++] = range;
	return 0;
}

static int unmap_dma(const struct vfio_iommu_type1_dma_unmap *unmap)
{
	for (unsigned i = 0; i < k.mapping_count; i++)
		if (k.mappings[i].first == unmap->iova &&
		    k.mappings[i].last == unmap->iova + unmap->size - 1) {
			k.mappings[i] = k.mappings[--k.mapping_count];
			return 0;
		}
	return invalid();
}

static int set_irqs(const struct vfio_irq_set *set)
{
	const uint32_t kind = set->flags & VFIO_IRQ_SET_DATA_TYPE_MASK;

	assert_int_equal(set->index, VFIO_PCI_MSIX_IRQ_INDEX);
	assert_int_equal(set->start, 0);
	assert_true(set->flags & VFIO_IRQ_SET_ACTION_TRIGGER);
	assert_int_equal(kind, set->count ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
	assert_int_equal(set->argsz, sizeof *set + set->count * sizeof(int));
	k.eventfd_count = set->count;
	memcpy(k.eventfds, set->data, set->count * sizeof(int));
	return 0;
}

static int on_device(unsigned long request, void *argument)
{
	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		((struct vfio_device_info *)argument)->flags = VFIO_DEVICE_FLAGS_PCI;
		((struct vfio_device_info *)argument)->num_regions = 9;
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		return region_info(argument);
	case VFIO_DEVICE_GET_IRQ_INFO:
		((struct vfio_irq_info *)argument)->count = 5;
		((struct vfio_irq_info *)argument)->flags = VFIO_IRQ_INFO_EVENTFD;
		return 0;
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(argument);
	case VFIO_DEVICE_RESET:
		k.resets++;
		return 0;
	default:
		return invalid();
	}
}

static int on_container(unsigned long request, void *argument)
{
	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return (uintptr_t)argument == VFIO_TYPE1v2_IOMMU;
	case VFIO_SET_IOMMU:
		if (!k.joined)
			return invalid();
		k.behind = true;
		return 0;
	case VFIO_IOMMU_GET_INFO:
		return iommu_info(argument);
	case VFIO_IOMMU_MAP_DMA:
		return map_dma(argument);
	case VFIO_IOMMU_UNMAP_DMA:
		return unmap_dma(argument);
	default:
		return invalid();
	}
}

static int fake_ioctl(int fd, unsigned long request, void *argument)
{
	if (fails(request))
		return -1;
	if (fd == k.container)
		return on_container(request, argument);
	if (fd == k.device)
		return on_device(request, argument);
	assert_int_equal(fd, k.group);
	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		((struct vfio_group_status *)argument)->flags = k.unviable ? 0 : VFIO_GROUP_FLAGS_VIABLE;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
		assert_int_equal(*(int *)argument, k.container);
		k.joined = true;
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return get_device(argument);
	default:
		return invalid();
	}
}

static const struct vfio_function_system fake = { fake_open, fake_ioctl };

/* -- sysfs -- */

static void run(const char *format, const char *a, const char *b)
{
	char command[512];

	snprintf(command, sizeof command, format, k.root, a, b);
	assert_int_equal(system(command), 0);
}

/* A function with its driver ("" for none) in a group ("" for none). */
static void add_function(const char *address, const char *driver, const char *group)
{
	run("mkdir -p %1$s/bus/pci/devices/%2$s%3$s", address, "");
	run("head -c 64 /dev/zero >%1$s/bus/pci/devices/%2$s/config%3$s", address, "");
	if (driver[0])
		run("ln -s ../drivers/%3$s %1$s/bus/pci/devices/%2$s/driver", address, driver);
	if (group[0])
		run("ln -s ../../groups/%3$s %1$s/bus/pci/devices/%2$s/iommu_group", address, group);
}

static int set_up(void **state)
{
	(void)state;
	memset(&k, 0, sizeof k);
	k.container = k.group = k.device = -1;
	snprintf(k.root, sizeof k.root, "/tmp/vfio_function_test.XXXXXX");
	assert_non_null(mkdtemp(k.root));
	add_function(ADDRESS, "vfio-pci", "7");
	add_function("0000:01:00.0", "nvme", "6");
	add_function("0000:01:00.2", "", "8");
	add_function("0000:01:00.3", "vfio-pci", "");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	run("rm -rf %1$s%2$s%3$s", "", "");
	return 0;
}

static unsigned open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

static int open_at(struct vfio_function **function, const char *address, struct refusal *why)
{
	const struct vfio_function_conf conf = { .address = address, .sysfs_or_null = k.root,
						 .dev_or_null = "/dev", .system_or_null = &fake };

	k.joined = k.behind = false;
	k.calls = k.mapping_count = 0;
	return vfio_function_open(function, &conf, why);
}

static struct vfio_function *opened(void)
{
	struct vfio_function *function = NULL;
	struct refusal why = { 0 };

	if (open_at(&function, "01:00.1", &why) != 0)
		fail_msg("%s", why.text);
	return function;
}

/* -- tests -- */

static void its_registers_are_read_and_written_and_mapped(void **state)
{
	struct vfio_function *function;
	uint8_t bytes[4] = { 1, 2, 3, 4 }, *at;

	(void)state;
	k.capability = CHAIN_SPARSE;
	function = opened();
	assert_int_equal(vfio_function_region(function, 0)->size, BAR_SIZE);
	assert_int_equal(vfio_function_region(function, 1)->size, 0);
	assert_int_equal(vfio_function_write(function, 0, 0x1004, 4, bytes), 0);
	assert_null(vfio_function_at(function, 0, 0x1000, 4));
	assert_int_equal(vfio_function_map(function, 0, NULL), 0);
	at = vfio_function_at(function, 0, 0x1004, 4);
	assert_non_null(at);
	assert_memory_equal(at, bytes, 4);
	at[1] = 9;
	assert_int_equal(vfio_function_read(function, 0, 0x1004, 4, bytes), 0);
	assert_int_equal(bytes[1], 9);
	/* what lies outside the areas, or across the end of one, is not mapped */
	assert_null(vfio_function_at(function, 0, 0x1ffe, 4));
	assert_null(vfio_function_at(function, 0, 0x2000, 4));
	assert_non_null(vfio_function_at(function, 0, 0x3ffc, 4));
	assert_null(vfio_function_at(function, 0, 0x3ffd, 4));
	assert_null(vfio_function_at(function, 0, UINT64_MAX - 1, 4));
	assert_int_equal(vfio_function_read(function, 0, BAR_SIZE - 2, 4, bytes), -EINVAL);
	assert_int_equal(vfio_function_read(function, 1, 0, 1, bytes), -EINVAL);
	assert_int_equal(vfio_function_read(function, VFIO_FUNCTION_CONFIG, 8, 4, bytes), 0);
	assert_int_equal(bytes[3], 1);
	vfio_function_close(function);
}

static void areas_are_those_that_the_kernel_lists(void **state)
{
	const struct {
		enum capability capability;
		unsigned areas;
	} rows[] = { { CHAIN_NONE, 1 },  { CHAIN_SPARSE, 2 }, /* the third goes beyond the region */
		     { CHAIN_LOOP, 1 },  { CHAIN_FAR, 1 },   { CHAIN_SHORT, 2 } };

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		struct vfio_function *function;

		k.capability = rows[i].capability;
		function = opened();
		assert_int_equal(vfio_function_region(function, 0)->area_count, rows[i].areas);
		vfio_function_close(function);
	}
}

static void memory_is_mapped_where_the_iommu_has_addresses(void **state)
{
	enum { PIECES = 40, PIECE = 1 << 20 };
	struct vfio_function *function = opened();
	uint8_t *bytes = aligned_alloc(2 << 20, PIECES * PIECE);
	uint64_t iovas[PIECES], large;

	(void)state;
	for (unsigned i = 0; i < PIECES; i++) {
		assert_int_equal(vfio_function_map_dma(function, bytes + i * PIECE, PIECE, &iovas[i], NULL), 0);
		assert_true(iovas[i] >= 0x10000);
	}
	assert_int_equal(k.mapping_count, PIECES);
	for (unsigned i = 0; i < PIECES; i += 2)
		assert_int_equal(vfio_function_unmap_dma(function, iovas[i]), 0);
	assert_int_equal(k.mapping_count, PIECES / 2);
	assert_int_equal(vfio_function_unmap_dma(function, iovas[0]), -ENOENT);
	assert_int_equal(vfio_function_map_dma(function, bytes, 4 << 20, &large, NULL), 0);
	assert_int_equal(large % (2 << 20), 0); /* large pages fit */
	vfio_function_close(function);
	free(bytes);
}

static void too_little_locked_memory_is_refused_with_the_remedy(void **state)
{
	struct vfio_function *function = opened();
	uint8_t *bytes = aligned_alloc(4096, 64 << 10);
	struct refusal why = { 0 };
	uint64_t iova;

	(void)state;
	k.locked_max = 32 << 10;
	assert_int_equal(vfio_function_map_dma(function, bytes, 64 << 10, &iova, &why), -ENOMEM);
	assert_non_null(strstr(why.text, "64 KiB"));
	assert_int_equal(function->iovas.piece_count, 0);
	assert_int_equal(vfio_function_map_dma(function, bytes, 32 << 10, &iova, &why), 0);
	vfio_function_close(function);
	free(bytes);
}

static void vectors_signal_eventfds(void **state)
{
	struct vfio_function *function = opened();
	const int fds[] = { 10, -1, 12, 13, 14, 15 };

	(void)state;
	assert_int_equal(vfio_function_vectors(function), 5);
	assert_int_equal(vfio_function_signal(function, fds, 6), -EINVAL);
	assert_int_equal(vfio_function_signal(function, fds, 3), 0);
	assert_int_equal(k.eventfd_count, 3);
	assert_memory_equal(k.eventfds, fds, sizeof fds[0] * 3);
	assert_int_equal(vfio_function_signal(function, NULL, 0), 0);
	assert_int_equal(k.eventfd_count, 0);
	assert_int_equal(vfio_function_reset(function), 0);
	assert_int_equal(k.resets, 1);
	k.fail_request = VFIO_DEVICE_RESET;
	k.fail_errno = ENOTTY;
	assert_int_equal(vfio_function_reset(function), -ENOTTY);
	vfio_function_close(function);
}

static void each_call_that_fails_is_an_error_with_a_reason_and_leaves_nothing_open(void **state)
{
	unsigned before = open_descriptors(), calls;

	(void)state;
	vfio_function_close(opened());
	calls = k.calls;
	assert_true(calls > 15 && calls < CALLS_MAX);
	for (k.fail_at = 1; k.fail_at <= calls; k.fail_at++) {
		struct vfio_function *function = NULL;
		struct refusal why = { 0 };
		int err = open_at(&function, ADDRESS, &why);

		/* without its interrupts a function can be used all the same */
		if (k.fail_at == calls) {
			assert_int_equal(err, 0);
			assert_int_equal(vfio_function_vectors(function), 0);
			vfio_function_close(function);
		} else {
			assert_true(err < 0);
			assert_true(why.text[0]);
		}
		assert_int_equal(open_descriptors(), before);
	}
}

static void refused(const char *address, int err, const char *sentence)
{
	struct vfio_function *function = NULL;
	struct refusal why = { 0 };

	assert_int_equal(open_at(&function, address, &why), err);
	if (!strstr(why.text, sentence))
		fail_msg("'%s' is not in '%s'", sentence, why.text);
}

static void what_keeps_a_function_away_is_named_with_the_remedy(void **state)
{
	(void)state;
	refused("0000:09:00.0", -ENOENT, "no PCI function 0000:09:00.0");
	refused("not an address", -ENOENT, "no PCI function");
	refused("0000:01:00.0", -EPERM, "driver nvme has it: hand it over with 'midplane hardware bind 0000:01:00.0'");
	refused("0000:01:00.2", -EPERM, "no driver has it");
	refused("0000:01:00.3", -ENODEV, "in no IOMMU group");
	run("printf '\\377%%.0s' $(seq 64) >%s/bus/pci/devices/%s/config%s", "0000:01:00.2", "");
	refused("0000:01:00.2", -ENODEV, "does not answer");
	k.fail_open = "/vfio/vfio";
	k.fail_errno = ENOENT;
	refused(ADDRESS, -ENOENT, "modprobe vfio-pci");
	k.fail_errno = ENODEV;
	refused(ADDRESS, -ENOENT, "modprobe vfio-pci");
	k.fail_errno = EACCES;
	refused(ADDRESS, -EACCES, "be root");
	k.fail_open = "/vfio/7";
	refused(ADDRESS, -EACCES, "let this user read and write it");
	k.fail_errno = EBUSY;
	refused(ADDRESS, -EBUSY, "in use: by another program, or another card");
	k.fail_open = NULL;
	k.unviable = true;
	refused(ADDRESS, -EBUSY, "the host uses another function of it");
	add_function("0000:02:00.0", "e1000e", "7");
	add_function("0000:02:00.1", "vfio-pci", "7");
	refused(ADDRESS, -EBUSY, "0000:02:00.0 (e1000e); hand");
	k.unviable = false;
	k.fail_request = VFIO_SET_IOMMU;
	k.fail_errno = EPERM;
	refused(ADDRESS, -EPERM, "allow_unsafe_interrupts");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(its_registers_are_read_and_written_and_mapped),
		TEST(areas_are_those_that_the_kernel_lists),
		TEST(memory_is_mapped_where_the_iommu_has_addresses),
		TEST(too_little_locked_memory_is_refused_with_the_remedy),
		TEST(vectors_signal_eventfds),
		TEST(each_call_that_fails_is_an_error_with_a_reason_and_leaves_nothing_open),
		TEST(what_keeps_a_function_away_is_named_with_the_remedy),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
