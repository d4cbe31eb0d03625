#include "conform/device.h"
#include "pcie/aer.h"

static struct conform_device *of(struct conform_target *target)
{
	return container_of(target, struct conform_device, target);
}

static int read_config(struct conform_target *target, unsigned function, unsigned offset,
		       unsigned size, uint32_t *value)
{
	struct conform_device *d = of(target);

	*value = pcie_device_read(d->device, d->first + function, offset, size);
	return 0;
}

static int write_config(struct conform_target *target, unsigned function, unsigned offset,
			unsigned size, uint32_t value)
{
	struct conform_device *d = of(target);

	pcie_device_write(d->device, d->first + function, offset, size, value);
	return 0;
}

static int inject(struct conform_target *target, unsigned function, unsigned bit,
		  const uint32_t header[4])
{
	struct conform_device *d = of(target);

	pcie_aer_raise(d->device, d->first + function, bit, header);
	return 0;
}

static void wait(struct conform_target *target, uint64_t ns)
{
	of(target)->now_ns += ns;
}

static uint64_t now(struct conform_target *target)
{
	return of(target)->now_ns;
}

static const struct conform_target_ops ops = {
	.read = read_config,
	.write = write_config,
	.inject = inject,
	.pause = wait,
	.now_ns = now,
};

void conform_device_init(struct conform_device *d, struct pcie_device *device, unsigned function)
{
	must(pcie_device_has(device, function));
	*d = (struct conform_device){
		.target = { .ops = &ops,
			    .reaches_vfs = function == 0 && device->total_vfs > 0,
			    .fresh = true,
			    .tells_number = function == 0 },
		.device = device,
		.first = function,
	};
}
