/* The controller as a PCI function: what a VMM sees, resets, and moving it to another place. */
#include "dev/nvme_function.h"
#include "dev/nvme_side_test.h"
#include "spec/pcie.h"

static struct pcie_kinds_nvme kinds;

/* One function with its own subsystem, in the place of a side's controller. */
struct place {
	struct nvme_function function;
	struct world *world;
	unsigned raised[PCIE_NVME_VECTORS], lines;
};

static void on_raise(void *owner, unsigned vector)
{
	struct place *place = owner;

	if (vector == PCI_VECTOR_INTX)
		place->lines++;
	else
		place->raised[vector]++;
}

static void on_wake(void *owner)
{
	(void)owner;
}

static int place_read(void *owner, uint32_t offset, unsigned size, uint64_t *value)
{
	struct place *place = owner;
	uint8_t bytes[8] = { 0 };
	int err = pci_function_read(&place->function.function, 0, offset, size, bytes);

	*value = get_le64(bytes);
	return err;
}

static int place_write(void *owner, uint32_t offset, unsigned size, uint64_t value)
{
	struct place *place = owner;
	uint8_t bytes[8];

	put_le64(bytes, value);
	return pci_function_write(&place->function.function, 0, offset, size, bytes);
}

static bool place_wait(void *owner)
{
	return side_wait(&((struct place *)owner)->world->side[0]);
}

static void set_command(struct place *place, unsigned value)
{
	uint8_t bytes[2];

	put_le16(bytes, (uint16_t)value);
	assert_int_equal(pci_function_write(&place->function.function, PCI_REGION_CONFIG,
					    SPEC_PCI_COMMAND, 2, bytes), 0);
}

/* 'memory': that of a guest which comes from another place, or NULL. */
static struct place *place_open(uint8_t *memory)
{
	struct place *place = calloc(1, sizeof *place);
	struct world *world = world_open(1, false);
	struct side *side = &world->side[0];
	struct nvme_function_conf conf = {
		.kind = &kinds.lent,
		.memory = side->nvme,
		.subsystem = world->subsystem,
		.queues = 8,
		.dma = &side->dma,
		.doorbells = side->doorbells,
		.host = { .interrupt = on_raise, .wake = on_wake, .owner = place },
	};

	assert_non_null(place);
	if (memory) {
		memcpy(side->memory, memory, GUEST_SIZE);
	}
	nvme_fini(side->nvme);
	assert_int_equal(nvme_function_init(&place->function, &conf), 0);
	place->world = world;
	world->side[0].front = nvme_front(side->nvme);
	side_give_disk(world, 0);
	return place;
}

static int place_drive(struct place *place)
{
	struct side *side = &place->world->side[0];
	struct nvme_driver_conf conf = {
		.device = { place_read, place_write, side->doorbells, place_wait, place },
		.memory = { side->memory, GUEST_BASE, DATA_AT },
		.queues = 2,
		.depth = 16,
	};

	side->waits = 0;
	set_command(place, 6);
	return nvme_driver_open(&side->driver, &conf);
}

static void place_close(struct place *place)
{
	world_close(place->world);
	free(place);
}

static void the_function_has_an_nvme_controller_s_identity(void **state)
{
	struct place *place = place_open(NULL);
	uint8_t bytes[64];

	(void)state;
	assert_int_equal(pci_function_read(&place->function.function, PCI_REGION_CONFIG, 0, 64, bytes), 0);
	assert_int_equal(get_le16(bytes), 0x1af4);
	assert_int_equal(get_le16(bytes + 2), PCIE_NVME_DEVICE);
	assert_int_equal(get_le32(bytes + 8) >> 8, 0x010802);
	assert_int_equal(bytes[0x10] & 0xf, 0xc); /* 64 bits, prefetchable */
	assert_int_equal(place->function.function.regions[0].size, 0x4000);
	assert_int_equal(place->function.function.regions[0].mapped_first, 0x1000);
	place_close(place);
}

static void the_driver_runs_through_the_function(void **state)
{
	struct place *place = place_open(NULL);
	struct side *side = &place->world->side[0];

	(void)state;
	assert_int_equal(place_drive(place), 0);
	fill(data(side, 0), 4096, 4);
	assert_int_equal(io(side, (struct cmd){ .opcode = NVME_IO_WRITE, .nsid = 1, .dw12 = 7,
						.prp1 = data_at(0) }), 0);
	assert_memory_equal(place->world->bytes, data(side, 0), 4096);
	assert_int_equal(nvme_driver_close(&side->driver), 0);
	place_close(place);
}

static void without_bus_mastering_the_controller_waits(void **state)
{
	struct place *place = place_open(NULL);
	struct side *side = &place->world->side[0];
	struct ended ended = { 0 };

	(void)state;
	assert_int_equal(place_drive(place), 0);
	set_command(place, 2);
	io_post(side, (struct cmd){ .opcode = NVME_IO_FLUSH, .nsid = 1 }, 0);
	nvme_driver_ring(&side->driver, 0);
	for (unsigned i = 0; i < 5; i++)
		world_round(place->world);
	assert_int_equal(place->world->disk[0].submitted, 0);
	set_command(place, 6);
	io_await(side, &ended, 1);
	place_close(place);
}

static void set_mask_register(struct place *place, uint32_t offset)
{
	assert_int_equal(place_write(place, offset, 4, 1), 0);
}

/* The driver polls; its admin queue interrupts by vector 0, and MSI-X is off. */
static void without_msix_completions_ask_by_the_line_until_they_are_taken(void **state)
{
	struct place *place = place_open(NULL);
	struct pci_function *function = &place->function.function;
	struct side *side = &place->world->side[0];

	(void)state;
	assert_int_equal(place_drive(place), 0);
	assert_int_equal(place->lines, 1);
	assert_false(function->ops->wants_intx(function)); /* the driver has taken them all */
	pci_function_intx_mask(function, PCI_UNMASKED);
	assert_int_equal(place->lines, 1);
	/* one completion that nobody takes */
	put_le32(side->doorbells + NVME_DOORBELL_SIZE, (side->nvme->cq[0].tail + side->nvme->cq[0].count - 1) %
							       side->nvme->cq[0].count);
	assert_true(function->ops->wants_intx(function));
	pci_function_intx_mask(function, PCI_UNMASKED);
	assert_int_equal(place->lines, 2);
	set_mask_register(place, NVME_REG_INTMS);
	pci_function_intx_mask(function, PCI_UNMASKED);
	assert_int_equal(place->lines, 2);
	set_mask_register(place, NVME_REG_INTMC);
	pci_function_intx_mask(function, PCI_UNMASKED);
	assert_int_equal(place->lines, 3);
	pci_function_reset(function, PCI_RESET_FUNCTION);
	assert_false(function->ops->wants_intx(function));
	place_close(place);
}

static void a_function_level_reset_resets_the_controller(void **state)
{
	struct place *place = place_open(NULL);
	struct side *side = &place->world->side[0];
	uint64_t csts;

	(void)state;
	assert_int_equal(place_drive(place), 0);
	pci_function_reset(&place->function.function, PCI_RESET_FUNCTION);
	place_read(place, NVME_REG_CSTS, 4, &csts);
	assert_int_equal(csts, 0);
	assert_false(side->nvme->master);
	assert_int_equal(place_drive(place), 0);
	place_close(place);
}

static void a_guest_goes_on_at_another_place(void **state)
{
	struct place *from = place_open(NULL), *to;
	struct side *there = &from->world->side[0], *here;
	struct ended ended = { 0 };
	uint8_t *saved, sqe[64];
	size_t size;

	(void)state;
	assert_int_equal(place_drive(from), 0);
	cmd_lay(&(struct cmd){ .opcode = NVME_ADMIN_SET_FEATURES, .dw10 = NVME_FEATURE_TEMPERATURE,
			       .dw11 = 333 }, sqe);
	assert_int_equal(nvme_driver_admin(&there->driver, sqe, NULL), 0);
	/* In flight; and, once it is quiet, in the queue. */
	fill(data(there, 0), 4096, 4);
	from->world->run_most = 0;
	io_post(there, (struct cmd){ .opcode = NVME_IO_WRITE, .nsid = 1, .dw12 = 7,
				     .prp1 = data_at(0) }, 0);
	nvme_driver_ring(&there->driver, 0);
	world_round(from->world);
	from->function.function.ops->quiesce(&from->function.function);
	io_post(there, (struct cmd){ .opcode = NVME_IO_WRITE, .nsid = 1, .dw10 = 8, .dw12 = 7,
				     .prp1 = data_at(0) }, 1);
	nvme_driver_ring(&there->driver, 0);
	assert_int_equal(from->function.function.ops->busy(&from->function.function), 1);
	from->world->run_most = 9;
	world_round(from->world);
	world_round(from->world);
	assert_int_equal(from->function.function.ops->busy(&from->function.function), 0);
	assert_int_equal(from->world->disk[0].submitted, 1);
	size = pci_function_save(&from->function.function, NULL, 0);
	saved = malloc(size);
	assert_non_null(saved);
	assert_int_equal(pci_function_save(&from->function.function, saved, size), size);

	to = place_open(there->memory);
	here = &to->world->side[0];
	assert_int_equal(pci_function_load(&to->function.function, saved, size), 0);
	/* The guest's driver is as it was, in the memory that came along. */
	here->driver = there->driver;
	here->driver.device = (struct nvme_driver_device){ place_read, place_write,
							   here->doorbells, place_wait, to };
	for (unsigned i = 0; i < 2; i++) {
		struct nvme_driver_queue *queue = i ? &here->driver.queues[0] : &here->driver.admin;

		queue->sq = here->memory + (queue->sq - there->memory);
		queue->cq = here->memory + (queue->cq - there->memory);
	}
	io_await(here, &ended, 2);
	assert_int_equal(ended.status[0] | ended.status[1], 0);
	assert_memory_equal(to->world->bytes + 4096, data(there, 0), 4096);
	cmd_lay(&(struct cmd){ .opcode = NVME_ADMIN_GET_FEATURES,
			       .dw10 = NVME_FEATURE_TEMPERATURE }, sqe);
	assert_int_equal(nvme_driver_admin(&here->driver, sqe, &ended.dw0[9]), 0);
	assert_int_equal(ended.dw0[9], 333);
	free(saved);
	place_close(from);
	place_close(to);
}

static void damaged_states_are_refused_or_harmless(void **state)
{
	struct place *place = place_open(NULL);
	struct nvme *nvme = place->world->side[0].nvme;
	uint64_t seed = check_seed();
	size_t size;
	uint8_t *good, *bad;
	unsigned refused = 0;

	(void)state;
	assert_int_equal(place_drive(place), 0);
	size = nvme_save(nvme, NULL, 0);
	good = malloc(size);
	bad = malloc(size);
	assert_true(good && bad);
	assert_int_equal(nvme_save(nvme, good, size), size);
	assert_int_equal(nvme_load(nvme, good, size - 1), -EINVAL);
	assert_int_equal(nvme_load(nvme, good, 0), -EINVAL);
	for (unsigned i = 0; i < 2000; i++) {
		memcpy(bad, good, size);
		for (unsigned k = 0; k < 1 + i % 3; k++)
			bad[rand_u64(&seed) % size] = (uint8_t)rand_u64(&seed);
		if (nvme_load(nvme, bad, size)) {
			refused++;
			continue;
		}
		for (unsigned k = 0; k < 3; k++)
			world_round(place->world);
		nvme_reset(nvme);
		world_round(place->world);
	}
	assert_true(refused > 20);
	free(good);
	free(bad);
	place_close(place);
}

static int build(void **state)
{
	(void)state;
	pcie_kinds_nvme_build(&kinds);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_function_has_an_nvme_controller_s_identity),
		cmocka_unit_test(the_driver_runs_through_the_function),
		cmocka_unit_test(without_bus_mastering_the_controller_waits),
		cmocka_unit_test(without_msix_completions_ask_by_the_line_until_they_are_taken),
		cmocka_unit_test(a_function_level_reset_resets_the_controller),
		cmocka_unit_test(a_guest_goes_on_at_another_place),
		cmocka_unit_test(damaged_states_are_refused_or_harmless),
	};

	return cmocka_run_group_tests(tests, build, NULL);
}
