/* Primary and secondary controllers: who is offline, and what moves to another process. */
#include "dev/nvme_side_test.h"
#include "pcie/kinds_nvme.h"

static unsigned status_of(struct side *side)
{
	uint64_t csts = 0;

	side_read(side, NVME_REG_CSTS, 4, &csts);
	return (unsigned)csts;
}

static void who_is_offline_says_failed_whatever_resets_it(void **state)
{
	struct world *world = world_open(2, false);
	struct side *side = &world->side[0], *vf = &world->side[1];

	(void)state;
	assert_int_equal(side_drive(side, 1, 8), 0);
	assert_int_equal(admin(side, virt(NVME_VIRT_OFFLINE, 0, 1, 0)), 0);
	assert_int_equal(status_of(vf), NVME_CSTS_CFS);
	nvme_reset(vf->nvme);
	assert_int_equal(status_of(vf), NVME_CSTS_CFS);
	assert_int_equal(side_drive(vf, 1, 8), -EIO);
	assert_non_null(strstr(vf->front->stopped, "bring it online"));
	side_write(vf, NVME_REG_CC, 4, 0);
	assert_int_equal(status_of(vf), NVME_CSTS_CFS);
	assert_int_equal(admin(side, virt(NVME_VIRT_ASSIGN, 0, 1, 2)), 0);
	assert_int_equal(admin(side, virt(NVME_VIRT_ASSIGN, 1, 1, 1)), 0);
	nvme_reset(side->nvme);
	assert_int_equal(side_drive(side, 1, 8), 0);
	assert_int_equal(admin(side, virt(NVME_VIRT_ONLINE, 0, 1, 0)), 0);
	assert_int_equal(status_of(vf), 0);
	assert_int_equal(side_drive(vf, 1, 8), 0);
	world_close(world);
}

/* Each controller's state, as a hand-over and a migration take it. */
static size_t saved(struct side *side, uint8_t *to)
{
	size_t size = nvme_save(side->nvme, NULL, 0);

	assert_true(size <= GUEST_SIZE);
	return nvme_save(side->nvme, to, size);
}

static void what_is_lent_moves_before_the_controllers(void **state)
{
	struct world *from = world_open(3, false), *to = world_open(3, false);
	struct nvme_subsystem *there = to->subsystem;
	uint8_t lent[24], *bytes = take_aligned(GUEST_SIZE);
	struct side *side = &from->side[0];

	(void)state;
	assert_int_equal(side_drive(side, 1, 8), 0);
	for (uint16_t id = 1; id <= 2; id++)
		assert_int_equal(admin(side, virt(NVME_VIRT_OFFLINE, 0, id, 0)), 0);
	assert_int_equal(admin(side, virt(NVME_VIRT_ASSIGN, 0, 1, 4)), 0);
	assert_int_equal(admin(side, virt(NVME_VIRT_ASSIGN, 1, 1, 3)), 0);
	assert_int_equal(admin(side, virt(NVME_VIRT_ONLINE, 0, 1, 0)), 0);
	assert_int_equal(admin(side, virt(NVME_VIRT_PRIMARY_ALLOCATION, 0, 0, 5)), 0);
	assert_int_equal(side_drive(&from->side[1], 1, 8), 0);
	assert_int_equal(nvme_virtual_save(from->subsystem, NULL, 0), sizeof lent);
	assert_int_equal(nvme_virtual_save(from->subsystem, lent, sizeof lent), sizeof lent);

	/* Without it no controller of another shape is taken. */
	assert_int_equal(nvme_load(to->side[1].nvme, bytes, saved(&from->side[1], bytes)), -EINVAL);
	assert_int_equal(nvme_virtual_load(there, lent, sizeof lent), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(nvme_virtual_load(there, lent, sizeof lent), 0); /* as often as one likes */
		assert_int_equal(nvme_load(to->side[i].nvme, bytes, saved(&from->side[i], bytes)), 0);
		assert_int_equal(status_of(&to->side[i]), i == 2 ? NVME_CSTS_CFS : NVME_CSTS_RDY);
		assert_int_equal(to->side[i].nvme->queues_now, from->side[i].nvme->queues_now);
		assert_int_equal(to->side[i].nvme->vectors_now, from->side[i].nvme->vectors_now);
		assert_int_equal(to->side[i].front->stopped[0], '\0');
	}
	assert_int_equal(there->primary_vq, 5);
	nvme_reset(to->side[0].nvme);
	assert_int_equal(to->side[0].nvme->queues_now, 13);
	/* However much it keeps, a function has so many. */
	there->primary_vq = there->primary_vi = 300;
	nvme_reset(to->side[0].nvme);
	assert_int_equal(to->side[0].nvme->queues_now, NVME_QUEUES_MAX);
	assert_int_equal(to->side[0].nvme->vectors_now, PCIE_NVME_VECTORS);
	/* A state that is ready does not bring online who is offline. */
	nvme_bring_online(from->side[2].nvme);
	assert_int_equal(side_drive(&from->side[2], 1, 8), 0);
	assert_int_equal(nvme_load(to->side[2].nvme, bytes, saved(&from->side[2], bytes)), -EINVAL);
	assert_int_equal(status_of(&to->side[2]), NVME_CSTS_CFS);
	free(bytes);
	world_close(from);
	world_close(to);
}

static void what_is_lent_is_checked_before_it_is_taken(void **state)
{
	static const struct {
		unsigned at;
		uint16_t value;
	} wrong[] = {
		{ 0, 19 }, { 2, 19 }, { 0, 1 }, { 4, 7 }, { 4, 27 }, { 6, 8 }, { 6, 28 }, { 8, 2 },
		{ 10, 2 }, { 12, 10 }, { 12, 1 }, { 14, 10 }, { 14, 0 }, { 16, 1 }, { 20, 0 },
	};
	struct world *world = world_open(3, false), *alone = world_open(1, false);
	uint8_t good[24], bad[24], after[24];

	(void)state;
	assert_int_equal(nvme_virtual_save(alone->subsystem, NULL, 0), 0);
	assert_int_equal(nvme_virtual_load(alone->subsystem, NULL, 0), 0);
	assert_int_equal(nvme_virtual_save(world->subsystem, good, sizeof good), sizeof good);
	assert_int_equal(nvme_virtual_load(alone->subsystem, good, sizeof good), -EINVAL);
	assert_int_equal(nvme_virtual_load(world->subsystem, good, 0), -EINVAL);
	assert_int_equal(nvme_virtual_load(world->subsystem, good, sizeof good - 8), -EINVAL);
	for (unsigned i = 0; i < array_len(wrong); i++) {
		memcpy(bad, good, sizeof bad);
		put_le16(bad + wrong[i].at, wrong[i].value);
		assert_int_equal(nvme_virtual_load(world->subsystem, bad, sizeof bad), -EINVAL);
		assert_int_equal(nvme_virtual_save(world->subsystem, after, sizeof after), sizeof after);
		assert_memory_equal(after, good, sizeof good);
	}
	world_close(world);
	world_close(alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_offline_says_failed_whatever_resets_it),
		cmocka_unit_test(what_is_lent_moves_before_the_controllers),
		cmocka_unit_test(what_is_lent_is_checked_before_it_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
