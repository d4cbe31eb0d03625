/* A whole function as a guest's VMM has it, with its MSI-X memory and a line that can be made to ask, judged. */
#include "conform/conform.h"
#include "spec/pcie.h"
#include "tests/check.h"
#include "tests/vfio_sample/vfio_sample.h"

#include "base/bytes.h"

static struct sample sample;
static struct conform_report report;
static uint64_t now;
static bool came, message_sent;

static void on_interrupt(void *owner, unsigned vector)
{
	(void)owner;
	came |= vector == PCI_VECTOR_INTX;
	message_sent |= vector == 0;
}

static void on_wake(void *owner)
{
	(void)owner;
}

static int read_region(unsigned region, uint64_t offset, unsigned size, uint32_t *value)
{
	uint8_t bytes[4] = { 0 };
	int err = pci_function_read(&sample.function, region, offset, size, bytes);

	*value = get_le32(bytes);
	return err;
}

static int write_region(unsigned region, uint64_t offset, unsigned size, uint32_t value)
{
	uint8_t bytes[4];

	put_le32(bytes, value);
	return pci_function_write(&sample.function, region, offset, size, bytes);
}

static int read_config(struct conform_target *target, unsigned function, unsigned offset, unsigned size,
		       uint32_t *value)
{
	(void)target;
	assert_int_equal(function, 0);
	return read_region(PCI_REGION_CONFIG, offset, size, value);
}

static int write_config(struct conform_target *target, unsigned function, unsigned offset, unsigned size,
			uint32_t value)
{
	(void)target;
	assert_int_equal(function, 0);
	return write_region(PCI_REGION_CONFIG, offset, size, value);
}

static int bar_read(struct conform_target *target, unsigned function, unsigned bar, uint64_t offset,
		    uint32_t *value)
{
	(void)target, (void)function;
	return read_region(bar, offset, 4, value);
}

static int bar_write(struct conform_target *target, unsigned function, unsigned bar, uint64_t offset,
		     uint32_t value)
{
	(void)target, (void)function;
	return write_region(bar, offset, 4, value);
}

static int intx(struct conform_target *target, unsigned function, enum conform_intx reason)
{
	(void)target, (void)function;
	return write_region(0, SAMPLE_LEVEL, 4, reason == CONFORM_INTX_REASON);
}

static int intx_came(struct conform_target *target, unsigned function)
{
	(void)target, (void)function;
	return came;
}

static int intx_unmask(struct conform_target *target, unsigned function)
{
	(void)target, (void)function;
	came = false;
	pci_function_intx_mask(&sample.function, PCI_UNMASKED);
	return 0;
}

static int message(struct conform_target *target, unsigned function, unsigned vector)
{
	(void)target, (void)function;
	return write_region(0, SAMPLE_VECTOR, 4, vector);
}

static int message_came(struct conform_target *target, unsigned function, unsigned vector)
{
	bool sent = message_sent;

	(void)target, (void)function, (void)vector;
	message_sent = false;
	return sent;
}

static void wait(struct conform_target *target, uint64_t ns)
{
	(void)target;
	now += ns;
}

static uint64_t now_ns(struct conform_target *target)
{
	(void)target;
	return now;
}

static const struct conform_target_ops target_ops = {
	.read = read_config, .write = write_config, .bar_read = bar_read, .bar_write = bar_write,
	.intx = intx, .intx_came = intx_came, .intx_unmask = intx_unmask,
	.message = message, .message_came = message_came, .pause = wait, .now_ns = now_ns,
};

static enum conform_verdict verdict(const char *name)
{
	for (unsigned i = 0; i < report.count; i++)
		if (strcmp(report.results[i].assertion->name, name) == 0)
			return report.results[i].verdict;
	fail_msg("there is no %s", name);
	return CONFORM_FAIL;
}

static void a_live_function_passes_with_its_interrupts(void **state)
{
	static const char *const pass[] = { "intx.pending", "intx.disabled", "intx.msix", "intx.unmasked",
					    "intx.reset",   "intx.lines",    "msix.entry", "msix.mask-bit",
					    "msix.masked",  "msix.none-pending",
					    "msix.pending", "msix.function-mask", "msix.bus-master" };
	struct conform_target target = { .ops = &target_ops, .fresh = true, .tells_lines = true, .lines = 1 };

	(void)state;
	assert_int_equal(sample_init(&sample), 0);
	sample.function.host = (struct pci_function_host){ .interrupt = on_interrupt, .wake = on_wake };
	conform_run(&report, &target, CONFORM_DESTRUCTIVE);
	for (unsigned i = 0; i < report.count; i++)
		if (report.results[i].verdict == CONFORM_FAIL)
			print_message("%s: %s\n", report.results[i].assertion->name, report.results[i].seen);
	assert_int_equal(report.error, 0);
	assert_int_equal(report.failed, 0);
	for (unsigned i = 0; i < array_len(pass); i++)
		assert_int_equal(verdict(pass[i]), CONFORM_PASS);
	sample_fini(&sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_live_function_passes_with_its_interrupts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
