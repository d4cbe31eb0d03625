/* fuzz/conform_fuzz.c -- a hostile function under judgement: what it answers to reads is the input,
 * whatever was written.  The run ends, within bounds, with a verdict on every assertion.
 *
 * Input: bytes that reads are answered with, over and over; the first says how the target is. */
#include "conform/conform.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REACHES_VFS = 1, KEEPS_BARS = 2, KEEPS_VF_ENABLE = 4, ACCESSES_MAX = 2000000 };

struct liar {
	struct conform_target target;
	const uint8_t *data;
	size_t size, at;
	uint64_t now_ns;
	unsigned accesses;
};

static uint32_t next(struct liar *liar, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++) {
		value |= (uint32_t)liar->data[liar->at] << i * 8;
		liar->at = (liar->at + 1) % liar->size;
	}
	must(++liar->accesses < ACCESSES_MAX);
	return value;
}

static struct liar *of(struct conform_target *target)
{
	return container_of(target, struct liar, target);
}

static int read_config(struct conform_target *target, unsigned function, unsigned offset,
		       unsigned size, uint32_t *value)
{
	(void)function;
	must(offset + size <= 4096 && offset % size == 0);
	*value = next(of(target), size);
	return 0;
}

static int write_config(struct conform_target *target, unsigned function, unsigned offset,
			unsigned size, uint32_t value)
{
	(void)target, (void)function, (void)value;
	must(offset + size <= 4096 && offset % size == 0);
	return 0;
}

static int bar_read(struct conform_target *target, unsigned function, unsigned bar, uint64_t offset,
		    uint32_t *value)
{
	(void)function, (void)offset;
	must(bar < 6);
	*value = next(of(target), 4);
	return 0;
}

static int bar_write(struct conform_target *target, unsigned function, unsigned bar,
		     uint64_t offset, uint32_t value)
{
	(void)target, (void)function, (void)offset, (void)value;
	must(bar < 6);
	return 0;
}

static int tell(struct conform_target *target, unsigned function, unsigned vector)
{
	(void)function, (void)vector;
	return (int)next(of(target), 1) - 0x20;
}

static int give_reason(struct conform_target *target, unsigned function, enum conform_intx reason)
{
	return tell(target, function, (unsigned)reason);
}

static int ask(struct conform_target *target, unsigned function)
{
	return tell(target, function, 0);
}

static void wait(struct conform_target *target, uint64_t ns)
{
	of(target)->now_ns += ns;
}

static uint64_t now(struct conform_target *target)
{
	return of(target)->now_ns;
}

static const struct conform_target_ops ops = { .read = read_config,
					       .write = write_config,
					       .bar_read = bar_read,
					       .bar_write = bar_write,
					       .intx = give_reason,
					       .intx_came = ask,
					       .intx_unmask = ask,
					       .message = tell,
					       .message_came = tell,
					       .pause = wait,
					       .now_ns = now };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conform_report report;
	const struct conform_assertion *const *all;
	struct liar liar = { .target = { .ops = &ops }, .data = data, .size = size };

	if (size < 2)
		return 0;
	liar.target.reaches_vfs = data[0] & REACHES_VFS;
	liar.target.keeps_bars = data[0] & KEEPS_BARS;
	liar.target.keeps_vf_enable = data[0] & KEEPS_VF_ENABLE;
	liar.target.fresh = data[0] & 8;
	liar.target.tells_lines = liar.target.tells_number = data[0] & 16;
	liar.target.lines = liar.target.number = data[1];
	liar.at = 1;
	conform_run(&report, &liar.target, data[0] & 0x80 ? CONFORM_GENTLE : CONFORM_DESTRUCTIVE);
	must(report.error == 0);
	must(report.count % conform_assertions(&all) == 0 && report.count > 0);
	must(report.passed + report.failed + report.not_applicable == report.count);
	return 0;
}
