/* os/nvme_resources.c, here where controllers may be seen, too: queues of virtual functions by Virtualization
 * Management, as the kernel's driver passes it on, to a subsystem of our own.  The driver's device file and its one
 * ioctl are stood in for. */
#include "os/nvme_resources.h"

#include "dev/nvme_side_test.h"

#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PF "0000:01:00.0"

static struct {
	struct world *world;
	bool denied;       /* the device file cannot be opened */
	unsigned commands; /* that changed something */
	char root[64], reset[160];
	struct pci_bus bus;
	struct pci_bus_function functions[3]; /* the PF, and two VFs */
	struct refusal why;
} t;

/* Instead of the C library's. */
int open64(const char *path, int flags, ...)
{
	if (strcmp(path, "/dev/nvme7") == 0 && t.denied) {
		errno = EACCES;
		return -1;
	}
	if (strcmp(path, "/dev/nvme7") == 0)
		path = "/dev/null";
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

static bool was_reset(void)
{
	struct stat st;

	return stat(t.reset, &st) == 0 && st.st_size > 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	struct nvme_passthru_cmd *command;
	struct side *side = &t.world->side[0];
	struct cmd cmd;
	va_list list;
	int status;

	va_start(list, request);
	command = va_arg(list, struct nvme_passthru_cmd *);
	va_end(list);
	if (request != NVME_IOCTL_ADMIN_CMD)
		return (int)syscall(SYS_ioctl, fd, request, command);
	cmd = (struct cmd){ .opcode = command->opcode, .dw10 = command->cdw10, .dw11 = command->cdw11,
			    .prp1 = data_at(0) };
	status = admin(side, cmd);
	if (command->addr)
		memcpy((void *)(uintptr_t)command->addr, data(side, 0), command->data_len);
	t.commands += command->opcode == NVME_ADMIN_VIRTUALIZATION;
	return status;
}

static void make(const char *format)
{
	char path[160];

	snprintf(path, sizeof path, format, t.root);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void begin(unsigned controllers)
{
	memset(&t, 0, sizeof t);
	snprintf(t.root, sizeof t.root, "/tmp/nvme-resources-XXXXXX");
	assert_non_null(mkdtemp(t.root));
	make("%s/bus");
	make("%s/bus/pci");
	make("%s/bus/pci/devices");
	make("%s/bus/pci/devices/" PF);
	make("%s/bus/pci/devices/" PF "/nvme");
	make("%s/bus/pci/devices/" PF "/nvme/nvme7");
	snprintf(t.reset, sizeof t.reset, "%s/bus/pci/devices/" PF "/reset", t.root);
	close(open(t.reset, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	t.world = world_open(controllers, false);
	assert_int_equal(side_drive(&t.world->side[0], 1, 16), 0);
	t.bus = (struct pci_bus){ .sysfs = t.root, .functions = t.functions, .count = 3 };
	t.functions[0] = (struct pci_bus_function){ .address = PF, .vfs_total = 2, .driver = "nvme" };
	for (unsigned i = 1; i < 3; i++) {
		t.functions[i] = (struct pci_bus_function){ .pf = PF, .vf = i - 1 };
		snprintf(t.functions[i].address, sizeof t.functions[i].address, "0000:01:00.%u", i);
	}
}

static void end(void)
{
	char command[128];

	world_close(t.world);
	snprintf(command, sizeof command, "rm -r %s", t.root);
	assert_int_equal(system(command), 0);
}

static int give(unsigned vf, uint16_t queues, uint16_t interrupts)
{
	const struct nvme_resources resources = { queues, interrupts };

	t.why = (struct refusal){ 0 };
	return nvme_resources_give(&t.bus, &t.functions[vf], &resources, &t.why);
}

static void expect(unsigned vf, bool online, unsigned queues, unsigned interrupts)
{
	const struct nvme *nvme = t.world->side[vf].nvme;

	assert_int_equal(nvme->online, online);
	assert_int_equal(nvme->queues_assigned, queues);
	assert_int_equal(nvme->vectors_assigned, interrupts);
}

static void a_function_is_given_what_it_is_to_have_and_brought_online(void **state)
{
	(void)state;
	begin(3);
	expect(1, true, 9, 9);
	assert_int_equal(give(1, 5, 3), 0);
	expect(1, true, 5, 3);
	expect(2, true, 9, 9);
	assert_int_equal(give(1, 9, 9), 0);
	expect(1, true, 9, 9);
	assert_int_equal(give(2, 0, 0), 0);
	expect(2, false, 0, 0);
	assert_false(was_reset());
	end();
}

static void nothing_changes_where_it_does_not_fit(void **state)
{
	(void)state;
	begin(3);
	assert_int_equal(give(1, 10, 3), -ENOSPC);
	assert_non_null(strstr(t.why.text, "9 queue pairs at most, not 10"));
	assert_int_equal(give(1, 4, 10), -ENOSPC);
	assert_non_null(strstr(t.why.text, "interrupts"));
	assert_int_equal(t.commands, 0);
	expect(1, true, 9, 9);
	end();
}

/* What the PF keeps beyond its own is taken, by a reset that others forbid. */
static void the_physical_function_gives_up_what_it_keeps(void **state)
{
	struct cmd keep = { .opcode = NVME_ADMIN_VIRTUALIZATION,
			    .dw10 = NVME_VIRT_PRIMARY_ALLOCATION | NVME_VIRT_RT_VQ << 8, .dw11 = 8 };

	(void)state;
	begin(3);
	assert_int_equal(give(1, 0, 0), 0);
	assert_int_equal(admin(&t.world->side[0], keep), 0);
	t.commands = 0;
	snprintf(t.functions[2].driver, sizeof t.functions[2].driver, "vfio-pci");
	assert_int_equal(give(1, 6, 2), -EBUSY);
	assert_non_null(strstr(t.why.text, "vfio-pci has its virtual function 0000:01:00.2"));
	assert_int_equal(t.commands, 0);
	assert_false(was_reset());
	t.functions[2].driver[0] = '\0';
	assert_int_equal(give(1, 6, 2), 0);
	assert_true(was_reset());
	assert_int_equal(t.world->subsystem->primary_vq, 0);
	expect(1, true, 6, 2);
	end();
}

static void what_cannot_be_is_refused_with_its_reason(void **state)
{
	(void)state;
	begin(3);
	assert_int_equal(give(0, 2, 1), -ENOTSUP);
	assert_non_null(strstr(t.why.text, "is no virtual function"));
	snprintf(t.functions[1].driver, sizeof t.functions[1].driver, "vfio-pci");
	assert_int_equal(give(1, 2, 1), -EBUSY);
	t.functions[1].driver[0] = '\0';
	t.functions[1].vf = 7;
	assert_int_equal(give(1, 2, 1), -ENOTSUP);
	assert_non_null(strstr(t.why.text, "lists no controller of its virtual function 7"));
	t.functions[1].vf = 0;
	t.denied = true;
	assert_int_equal(give(1, 2, 1), -EACCES);
	assert_non_null(strstr(t.why.text, "be root"));
	t.denied = false;
	snprintf(t.functions[1].pf, sizeof t.functions[1].pf, "0000:09:00.0");
	assert_int_equal(give(1, 2, 1), -ENOTSUP);
	assert_non_null(strstr(t.why.text, "no kernel driver of NVMe has 0000:09:00.0"));
	assert_int_equal(t.commands, 0);
	expect(1, true, 9, 9);
	end();
}

static void a_card_without_virtualization_management_says_so(void **state)
{
	(void)state;
	begin(1);
	assert_int_equal(give(1, 2, 1), -ENOTSUP);
	assert_non_null(strstr(t.why.text, "has no virtualization management"));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_is_given_what_it_is_to_have_and_brought_online),
		cmocka_unit_test(nothing_changes_where_it_does_not_fit),
		cmocka_unit_test(the_physical_function_gives_up_what_it_keeps),
		cmocka_unit_test(what_cannot_be_is_refused_with_its_reason),
		cmocka_unit_test(a_card_without_virtualization_management_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
