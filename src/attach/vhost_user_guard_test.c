/* What a frontend grants is what its front reaches, at every moment; and what becomes of one that reaches for
 * more. */
#include "attach/guests_test.h"

#include "spec/vtd.h"

#include <sys/mman.h>
#include <sys/socket.h>

enum { OUTSIDE = 0x10000000, RUNS = 8 };

static struct iommu_builder *tables(struct world *w, unsigned at)
{
	return &w->host.guard.functions[at].builder;
}

/* What guest address 'iova' of front 'at' leads to; NULL: nothing. */
static uint8_t *granted(struct world *w, unsigned at, uint64_t iova)
{
	struct iommu_range range;
	uint64_t target;
	uint8_t rights;

	if (!iommu_builder_find(tables(w, at), iova, &range, &target, &rights))
		return NULL;
	return (uint8_t *)(uintptr_t)(target + (iova - range.iova));
}

/* The frontend's bytes at the address and ours are the same memory. */
static void expect_granted(struct world *w, unsigned region, uint64_t offset)
{
	const struct vfe_region *r = &w->guest[0].regions[region];
	uint8_t *ours = granted(w, 0, r->guest + offset);

	assert_non_null(ours);
	r->bytes[offset] = (uint8_t)(region + offset / PAGE + 17);
	assert_int_equal(*ours, r->bytes[offset]);
}

static void a_table_is_granted_and_with_the_connection_it_goes(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[0];
	uint64_t size = g->regions[0].size;

	(void)state;
	expect_granted(w, 0, 0);
	expect_granted(w, 0, size - 1);
	assert_null(granted(w, 0, size));
	assert_ptr_not_equal(granted(w, 0, 0), granted(w, 1, 0));
	assert_int_equal(((uintptr_t)granted(w, 0, 0) ^ g->regions[0].guest) % (1 << 30), 0);
	vfe_close(g);
	rounds(w, 5);
	assert_null(granted(w, 0, 0));
	assert_non_null(granted(w, 1, 0));
	assert_int_equal(tables(w, 0)->table_count, 1);
	assert_int_equal(w->host.unplugs, 1);
	world_destroy(w);
}

/* Memory is plugged in and out beside memory that rings run in. */
static void regions_come_and_go_beside_a_running_ring(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[0];

	(void)state;
	for (unsigned run = 0; run < RUNS; run++) {
		uint64_t at = 0x40000000 + run * 0x10000;

		assert_int_equal(vfe_share(g, at, 0x10000), 0);
		if (run % 2)
			assert_int_equal(vfe_set_mem_table(g), 0);
		else
			assert_int_equal(vfe_mem_reg(g, VHOST_USER_ADD_MEM_REG, g->region_count - 1), 0);
		assert_int_equal(talk(w, 0, 3), 3);
		expect_granted(w, g->region_count - 1, 0xffff);
		expect_granted(w, 0, PAGE);
		if (run % 2 == 0) {
			g->region_count--;
			assert_int_equal(vfe_mem_reg(g, VHOST_USER_REM_MEM_REG, g->region_count), 0);
			assert_null(granted(w, 0, at));
			munmap(g->regions[g->region_count].bytes, g->regions[g->region_count].size);
			close(g->regions[g->region_count].fd);
		}
	}
	/* A smaller table takes the rest back; what both have is never away. */
	for (unsigned i = 2; i < g->region_count; i++) {
		munmap(g->regions[i].bytes, g->regions[i].size);
		close(g->regions[i].fd);
	}
	g->region_count = 2;
	assert_int_equal(vfe_set_mem_table(g), 0);
	expect_granted(w, 1, 0);
	assert_null(granted(w, 0, 0x40000000 + 3 * 0x10000));
	assert_int_equal(talk(w, 0, 3), 3);
	assert_int_equal(w->host.guard.fault_count, 0);
	world_destroy(w);
}

static void memory_that_is_not_of_whole_pages_is_refused(void **state)
{
	static const uint64_t odd[][2] = { { 0x40000800, 0x1000 }, { 0x40000000, 0x1800 },
					   { 0x40000001, 0xfff } };
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[0];
	const char *text = "";

	(void)state;
	for (unsigned i = 0; i < array_len(odd); i++) {
		struct vfe_region *r = &g->regions[g->region_count];

		assert_int_equal(vfe_share(g, 0x40000000, 0x10000), 0);
		r->guest = odd[i][0];
		r->size = odd[i][1];
		assert_int_equal(vfe_mem_reg(g, VHOST_USER_ADD_MEM_REG, --g->region_count), 1);
		munmap(r->bytes, 0x10000);
		close(r->fd);
	}
	rounds(w, 2);
	assert_int_equal(test_host_count(&w->host, "refused", &text), array_len(odd));
	assert_non_null(strstr(text, "not of whole pages"));
	assert_int_equal(talk(w, 0, 3), 3);
	world_destroy(w);
}

static void memory_beyond_the_addresses_of_functions_is_refused(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[0];
	struct vfe_region *r = &g->regions[1];
	const char *text = "";

	(void)state;
	assert_int_equal(vfe_share(g, 0x40000000, 0x10000), 0);
	r->guest = UINT64_C(1) << 48;
	assert_int_equal(vfe_mem_reg(g, VHOST_USER_ADD_MEM_REG, 1), 1);
	assert_int_equal(test_host_count(&w->host, "refused", &text), 1);
	assert_non_null(strstr(text, "beyond the addresses"));
	r->guest = (UINT64_C(1) << 48) - 0x10000;
	assert_int_equal(vfe_mem_reg(g, VHOST_USER_ADD_MEM_REG, 1), 0);
	expect_granted(w, 1, 0xffff);
	assert_int_equal(talk(w, 0, 3), 3);
	world_destroy(w);
}

static void an_access_outside_is_blocked_and_its_front_goes_on(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[0];

	(void)state;
	assert_int_equal(vfe_transmit_at(g, 0, OUTSIDE, 100), 0);
	rounds(w, 3);
	assert_int_equal(w->host.guard.fault_count, 1);
	assert_ptr_equal(w->host.guard.whose[0], &w->host.guard.functions[0]);
	assert_int_equal(w->host.guard.faults[0].address, OUTSIDE);
	assert_int_equal(w->host.guard.faults[0].reason, SPEC_VTD_READ_DENIED);
	assert_int_equal(vfe_used(g, 1), 1);
	assert_int_equal(talk(w, 0, 10), 10);
	assert_int_equal(talk(w, 1, 10), 10);
	assert_int_equal(test_host_count(&w->host, "stopped", NULL), 0);
	world_destroy(w);
}

static uint64_t status_of(struct vfe *g)
{
	uint64_t status = 0;

	assert_int_equal(vfe_get_u64(g, VHOST_USER_GET_STATUS, &status), 0);
	return status;
}

static void a_front_in_quarantine_stays_stopped_until_it_is_released(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[0];
	struct attachment *a = w->a[0];
	const char *text = "";

	(void)state;
	assert_int_equal(talk(w, 0, 3), 3);
	a->ops->quarantine(a, "because");
	assert_string_equal(w->host.fronts[0]->stopped, "because");
	assert_int_equal(test_host_count(&w->host, "stopped", &text), 1);
	assert_string_equal(text, "because");
	assert_int_equal(status_of(g) & 64, 64);
	assert_int_equal(w->host.watches, 2);
	/* Its driver resets it, and starts again: all that is kept, and nothing is taken. */
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_STATUS, 0), 0);
	assert_int_equal(status_of(g) & 64, 64);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_FEATURES, g->features), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vfe_ring_restart(g, i, vfe_used(g, i)), 0);
	assert_int_equal(talk(w, 0, 1), 0);
	assert_string_equal(w->host.fronts[0]->stopped, "because");
	assert_int_equal(test_host_count(&w->host, "refused", NULL), 0);
	a->ops->release(a);
	assert_string_equal(w->host.fronts[0]->stopped, "");
	assert_int_equal(status_of(g) & 64, 0);
	assert_int_equal(w->host.watches, 4);
	rounds(w, 3);
	assert_int_equal(vfe_used(g, 1), 4); /* the one that waited */
	assert_int_equal(talk(w, 1, 3), 3);
	world_destroy(w);
}

static void the_next_guest_is_not_in_quarantine(void **state)
{
	struct world *w = world_start(PROTOCOL);

	(void)state;
	w->a[0]->ops->quarantine(w->a[0], "because");
	vfe_close(&w->guest[0]);
	rounds(w, 5);
	assert_int_equal(w->host.unplugs, 1);
	vfe_init(&w->guest[0]);
	w->guest[0].pump = pump;
	w->guest[0].pump_arg = w;
	assert_int_equal(vfe_connect(&w->guest[0], w->path[0]), 0);
	assert_int_equal(vfe_start(&w->guest[0], PROTOCOL | VERSION_1, 1, RING), 0);
	assert_int_equal(talk(w, 0, 3), 3);
	world_destroy(w);
}

/* Behind an IOMMU. */

static void translated(struct world *w, struct vfe *g)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	g->backend_fd = pair[0];
	assert_int_equal(vfe_do(g, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1), 0);
	close(pair[1]);
	for (unsigned i = 0; i < 2; i++)
		assert_true(vfe_ring_stop(g, i) >= 0);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_FEATURES, g->features | ACCESS_PLATFORM), 0);
	g->features |= ACCESS_PLATFORM;
	(void)w;
}

static int iotlb(struct vfe *g, uint8_t type, uint64_t iova, uint64_t size, uint64_t offset,
		 uint8_t access)
{
	uint8_t payload[VHOST_USER_IOTLB_BYTES] = { 0 };

	put_le64(payload + VHOST_USER_IOTLB_IOVA, iova);
	put_le64(payload + VHOST_USER_IOTLB_SIZE, size);
	put_le64(payload + VHOST_USER_IOTLB_USER, (uintptr_t)g->regions[0].bytes + offset);
	payload[VHOST_USER_IOTLB_PERM] = access;
	payload[VHOST_USER_IOTLB_TYPE] = type;
	return vfe_do(g, VHOST_USER_IOTLB_MSG, payload, sizeof payload, NULL, 0);
}

static void behind_an_iommu_a_front_reaches_what_that_has_said_and_nothing_else(void **state)
{
	enum { UPDATE = VHOST_USER_IOTLB_UPDATE, INVALIDATE = VHOST_USER_IOTLB_INVALIDATE };
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[0];
	uint8_t *first = granted(w, 0, 0);

	(void)state;
	translated(w, g);
	assert_null(granted(w, 0, 0));
	assert_int_equal(iotlb(g, UPDATE, 0x7000, 3 * PAGE, PAGE, 3), 0);
	assert_ptr_equal(granted(w, 0, 0x7005), first + PAGE + 5);
	assert_ptr_equal(granted(w, 0, 0x9fff), first + 4 * PAGE - 1);
	assert_null(granted(w, 0, 0xa000));
	assert_null(granted(w, 0, 0x6fff));
	/* Said anew, taken back in part, and as a page without rights. */
	assert_int_equal(iotlb(g, UPDATE, 0x8000, PAGE, 9 * PAGE, 1), 0);
	assert_ptr_equal(granted(w, 0, 0x8000), first + 9 * PAGE);
	assert_int_equal(iotlb(g, INVALIDATE, 0x7800, 1, 0, 0), 0);
	assert_null(granted(w, 0, 0x7000));
	assert_int_equal(iotlb(g, UPDATE, 0x9000, PAGE, 0, 0), 0);
	assert_null(granted(w, 0, 0x9000));
	assert_non_null(granted(w, 0, 0x8000));
	assert_int_equal(iotlb(g, INVALIDATE, 0, UINT64_MAX, 0, 3), 0);
	assert_null(granted(w, 0, 0x8000));
	assert_int_equal(iotlb(g, UPDATE, 0x8100, PAGE, 0x100, 3), 1); /* no whole pages */
	assert_int_equal(iotlb(g, UPDATE, UINT64_C(1) << 48, PAGE, 0, 3), 1);
	assert_int_equal(iotlb(g, UPDATE, 0x8000, g->regions[0].size + PAGE, 0, 3), 1);
	/* A table that changes takes all of it back: it was about the memory that was there. */
	assert_int_equal(iotlb(g, UPDATE, 0x8000, PAGE, 0, 3), 0);
	assert_int_equal(vfe_set_mem_table(g), 0);
	assert_null(granted(w, 0, 0x8000));
	/* Without the feature the guest's own addresses count again. */
	g->features &= ~ACCESS_PLATFORM;
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_FEATURES, g->features), 0);
	expect_granted(w, 0, 0);
	world_destroy(w);
}

static void a_guest_that_maps_everywhere_is_asked_again_and_spends_no_more_than_its_own(void **state)
{
	enum { UPDATE = VHOST_USER_IOTLB_UPDATE };
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[0];
	uint64_t most = 0;

	(void)state;
	translated(w, g);
	for (uint64_t i = 0; i < 5000; i++) {
		assert_int_equal(iotlb(g, UPDATE, i << 30, PAGE, 0, 3), 0);
		assert_non_null(granted(w, 0, i << 30)); /* the newest is there in any case */
		most = max_u64(most, w->host.guard.functions[0].tables);
	}
	assert_in_range(most, 4000, 4096);
	assert_null(granted(w, 0, 0));
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_is_granted_and_with_the_connection_it_goes),
		cmocka_unit_test(regions_come_and_go_beside_a_running_ring),
		cmocka_unit_test(memory_that_is_not_of_whole_pages_is_refused),
		cmocka_unit_test(memory_beyond_the_addresses_of_functions_is_refused),
		cmocka_unit_test(an_access_outside_is_blocked_and_its_front_goes_on),
		cmocka_unit_test(a_front_in_quarantine_stays_stopped_until_it_is_released),
		cmocka_unit_test(the_next_guest_is_not_in_quarantine),
		cmocka_unit_test(behind_an_iommu_a_front_reaches_what_that_has_said_and_nothing_else),
		cmocka_unit_test(a_guest_that_maps_everywhere_is_asked_again_and_spends_no_more_than_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
