/* The NVMe kinds of function, judged as a compliance workshop does. */
#include "conform/conform.h"
#include "conform/device.h"
#include "pcie/kinds_nvme.h"
#include "tests/check.h"

enum { VFS = 8 };

static struct pcie_kinds_nvme kinds;
static struct cfg spaces[1 + VFS];
static struct pcie_device device;
static struct conform_device target;
static struct conform_report report;

static void judge(const struct pcie_kind *kind, uint16_t vfs)
{
	const struct pcie_device_conf conf = { .kind = kind, .vf_kind = vfs ? &kinds.vf : NULL,
					       .total_vfs = vfs, .serial = vfs ? 0x1234 : 0 };

	pcie_device_init(&device, &conf, spaces);
	conform_device_init(&target, &device, 0);
	conform_run(&report, &target.target, CONFORM_DESTRUCTIVE);
	for (unsigned i = 0; i < report.count; i++)
		if (report.results[i].verdict == CONFORM_FAIL)
			print_message("function %u: %s: %s\n", report.results[i].function,
				      report.results[i].assertion->name, report.results[i].seen);
	assert_int_equal(report.error, 0);
	assert_int_equal(report.failed, 0);
	assert_true(report.passed > 30);
}

static void the_physical_function_and_its_first_vf_fail_nothing(void **state)
{
	(void)state;
	judge(&kinds.pf, VFS);
}

static void the_lent_function_fails_nothing(void **state)
{
	(void)state;
	judge(&kinds.lent, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_physical_function_and_its_first_vf_fail_nothing),
		cmocka_unit_test(the_lent_function_fails_nothing),
	};

	pcie_kinds_nvme_build(&kinds);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
