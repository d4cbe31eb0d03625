#include "dev/nvme_function.h"

#include "base/bytes.h"
#include "dev/nvme_internal.h"

#include <errno.h>

_Static_assert((int)PCIE_NVME_DOORBELLS_AT == (int)NVME_REG_DOORBELLS, "where the standard has them");

static struct nvme *nvme_behind(const struct pci_function *function)
{
	return container_of(function, struct nvme_function, function)->nvme;
}

static void on_read(struct pci_function *function, unsigned region, uint64_t offset, uint32_t size,
		    uint8_t *to)
{
	if (region == PCIE_NVME_REGISTERS_BAR)
		nvme_read(nvme_behind(function), offset, size, to);
	else
		memset(to, 0, size);
}

static void on_write(struct pci_function *function, unsigned region, uint64_t offset,
		     uint32_t size, const uint8_t *from)
{
	if (region == PCIE_NVME_REGISTERS_BAR)
		nvme_write(nvme_behind(function), offset, size, from);
}

static void on_event(struct pci_function *function, enum pcie_event event)
{
	struct nvme *nvme = nvme_behind(function);

	switch (event) {
	case PCIE_BUS_MASTER_ON:
	case PCIE_BUS_MASTER_OFF:
	case PCIE_SLEPT:
	case PCIE_WOKE:
		nvme_set_master(nvme, pci_function_masters(function) ? NVME_MASTER :
								       NVME_NO_MASTER);
		break;
	default:
		break;
	}
}

static void on_reset(struct pci_function *function, enum pci_reset kind)
{
	(void)kind;
	nvme_reset(nvme_behind(function));
	nvme_set_master(nvme_behind(function), NVME_NO_MASTER);
}

static bool wants_intx(struct pci_function *function)
{
	return nvme_wants_pin(nvme_behind(function));
}

static void on_quiesce(struct pci_function *function)
{
	nvme_quiesce(nvme_behind(function));
}

static unsigned on_busy(const struct pci_function *function)
{
	return nvme_busy(nvme_behind(function));
}

static void on_resume(struct pci_function *function)
{
	nvme_resume(nvme_behind(function));
}

static size_t on_save(const struct pci_function *function, uint8_t *to, size_t room)
{
	return nvme_save(nvme_behind(function), to, room);
}

static int on_load(struct pci_function *function, const uint8_t *from, size_t size)
{
	struct nvme *nvme = nvme_behind(function);
	int err = nvme_load(nvme, from, size);

	if (!err)
		nvme_set_master(nvme, pci_function_masters(function) ? NVME_MASTER :
								       NVME_NO_MASTER);
	return err;
}

static const struct pci_function_ops ops = {
	.name = "nvme",
	.read = on_read,
	.write = on_write,
	.event = on_event,
	.reset = on_reset,
	.wants_intx = wants_intx,
	.quiesce = on_quiesce,
	.busy = on_busy,
	.resume = on_resume,
	.save = on_save,
	.load = on_load,
};

static void interrupt(void *owner, unsigned vector)
{
	struct nvme_function *function = owner;

	pci_function_interrupt(&function->function, vector);
}

static void wake(void *owner)
{
	struct nvme_function *function = owner;

	if (function->function.host.wake)
		function->function.host.wake(function->function.host.owner);
}

int nvme_function_init(struct nvme_function *function, const struct nvme_function_conf *conf)
{
	const struct nvme_conf nvme = {
		.subsystem = conf->subsystem,
		.role = conf->role,
		.controller_id = conf->controller_id,
		.vf_number = conf->vf_number,
		.queues = conf->queues,
		.vectors = (uint16_t)min_u32(conf->queues + 1u, PCIE_NVME_VECTORS),
		.dma = conf->dma,
		.host = { interrupt, wake, function },
		.doorbells = conf->doorbells,
		.now_ms = conf->now_ms,
	};
	const struct pci_function_conf pci = {
		.ops = &ops,
		.kind = conf->kind,
		.serial = conf->serial,
		.regions = { [PCIE_NVME_REGISTERS_BAR] = { PCIE_NVME_REGISTERS_SIZE,
							   PCIE_NVME_DOORBELLS_AT,
							   NVME_DOORBELLS_SIZE, conf->doorbells },
			     [PCIE_NVME_MSIX_BAR] = { .size = PCIE_NVME_MSIX_SIZE } },
		.vectors = PCIE_NVME_VECTORS,
		.table_region = PCIE_NVME_MSIX_BAR,
		.pba_region = PCIE_NVME_MSIX_BAR,
		.table_first = PCIE_NVME_TABLE_AT,
		.pba_first = PCIE_NVME_PBA_AT,
		.dma = conf->dma,
		.domain_or_null = conf->domain_or_null,
		.host = conf->host,
	};
	int err;

	memset(function, 0, sizeof *function);
	function->nvme = conf->memory;
	err = nvme_init(conf->memory, &nvme);
	if (err)
		return err;
	err = pci_function_init(&function->function, &pci);
	if (err)
		nvme_fini(conf->memory);
	return err;
}

void nvme_function_fini(struct nvme_function *function)
{
	nvme_fini(function->nvme);
}
