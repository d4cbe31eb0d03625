/* A driver that knows registers only: what virtio's PCI transport does with each of them, and that
 * frames pass through rings that were set up so. */
#include "dev/side_test.h"
#include "dev/virtio_pci.h"

#include <errno.h>

#include "pcie/kinds.h"
#include "spec/pcie.h"
#include "spec/pcie_virtio.h"

enum {
	BAR = PCIE_KINDS_VIRTIO_BAR,
	READY = SPEC_VIRTIO_STATUS_ACKNOWLEDGE | SPEC_VIRTIO_STATUS_DRIVER |
		SPEC_VIRTIO_STATUS_FEATURES_OK,
	RUNNING = READY | SPEC_VIRTIO_STATUS_DRIVER_OK,
};

/* A front behind registers, with a guest. */
struct card {
	struct side side;
	struct virtio_pci pci;
	unsigned raised[PCIE_KINDS_NIC_VECTORS], wakes, lines;
};

static struct pcie_kinds kinds;
static struct card one, two;

static void on_raise(void *owner, unsigned vector)
{
	struct card *c = owner;

	if (vector == PCI_VECTOR_INTX)
		c->lines++;
	else
		c->raised[vector]++;
}

static void on_wake(void *owner)
{
	((struct card *)owner)->wakes++;
}

static uint64_t reg(struct card *c, uint64_t offset, uint32_t size)
{
	uint8_t bytes[8] = { 0 };

	assert_int_equal(pci_function_read(&c->pci.function, BAR, offset, size, bytes), 0);
	return get_le64(bytes);
}

static void set(struct card *c, uint64_t offset, uint32_t size, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	assert_int_equal(pci_function_write(&c->pci.function, BAR, offset, size, bytes), 0);
}

static uint32_t config(struct card *c, unsigned offset, uint32_t size)
{
	uint8_t bytes[4] = { 0 };

	assert_int_equal(
		pci_function_read(&c->pci.function, PCI_REGION_CONFIG, offset, size, bytes), 0);
	return get_le32(bytes);
}

static void set_config(struct card *c, unsigned offset, uint32_t size, uint32_t value)
{
	uint8_t bytes[4];

	put_le32(bytes, value);
	assert_int_equal(
		pci_function_write(&c->pci.function, PCI_REGION_CONFIG, offset, size, bytes), 0);
}

static unsigned cap_at(enum pcie_cap cap, unsigned offset)
{
	return pcie_kind_at(&kinds.nic_lent, cap, offset);
}

/* Bus master, MSI-X on, all vectors unmasked. */
static void set_up_function(struct card *c)
{
	uint8_t unmasked[4] = { 0 };

	set_config(c, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MEMORY | SPEC_PCI_COMMAND_MASTER);
	set_config(c, cap_at(PCIE_CAP_MSIX, SPEC_MSIX_CONTROL), 2, SPEC_MSIX_ENABLE);
	for (unsigned n = 0; n < PCIE_KINDS_NIC_VECTORS; n++)
		assert_int_equal(pci_function_write(&c->pci.function, PCIE_KINDS_MSIX_BAR,
						    PCIE_KINDS_TABLE_AT + n * 16 + 12, 4, unmasked),
				 0);
}

static void make(struct card *c, uint16_t pairs)
{
	struct virtio_net_conf conf = { .mac = MAC, .pairs_max = pairs, .mtu = 1500 };
	struct virtio_pci_conf pci = { .kind = &kinds.nic_lent,
				       .vectors = PCIE_KINDS_NIC_VECTORS,
				       .host = { on_raise, on_wake, c } };

	memset(c, 0, sizeof *c);
	side_init(&c->side, pairs);
	conf.host = virtio_pci_host(&c->pci);
	conf.host.misses = on_misses;
	conf.domain = &c->side.grants->domain;
	assert_int_equal(virtio_net_init(c->side.net, &conf), 0);
	pci.device = virtio_net_device(c->side.net);
	pci.dma = virtio_net_dma(c->side.net);
	assert_int_equal(virtio_pci_init(&c->pci, &pci), 0);
	set_up_function(c);
}

static void close_card(struct card *c)
{
	side_close(&c->side);
}

/* Lays the guest's rings in its memory, and leaves the device as after a reset. */
static void lay_guest(struct card *c, uint64_t features)
{
	side_start(&c->side, (struct guest_net_conf){ .features = features, .ring_size = 64 });
	virtio_net_reset(c->side.net);
}

static void choose_features(struct card *c, uint64_t features)
{
	set(c, SPEC_VIRTIO_COMMON_STATUS, 1, 0);
	set(c, SPEC_VIRTIO_COMMON_STATUS, 1, SPEC_VIRTIO_STATUS_ACKNOWLEDGE);
	set(c, SPEC_VIRTIO_COMMON_STATUS, 1,
	    SPEC_VIRTIO_STATUS_ACKNOWLEDGE | SPEC_VIRTIO_STATUS_DRIVER);
	for (unsigned i = 0; i < 2; i++) {
		set(c, SPEC_VIRTIO_COMMON_DRIVER_SELECT, 4, i);
		set(c, SPEC_VIRTIO_COMMON_DRIVER_FEATURE, 4, features >> i * 32 & UINT32_MAX);
	}
	set(c, SPEC_VIRTIO_COMMON_STATUS, 1, READY);
}

static void set_up_queue(struct card *c, unsigned queue, const struct guest_ring *ring)
{
	struct virtio_ring_conf conf = guest_ring_conf(ring);

	set(c, SPEC_VIRTIO_COMMON_QUEUE_SELECT, 2, queue);
	set(c, SPEC_VIRTIO_COMMON_QUEUE_SIZE, 2, conf.size);
	set(c, SPEC_VIRTIO_COMMON_QUEUE_VECTOR, 2, queue + 1);
	set(c, SPEC_VIRTIO_COMMON_QUEUE_DESC, 4, conf.desc & UINT32_MAX);
	set(c, SPEC_VIRTIO_COMMON_QUEUE_DESC + 4, 4, conf.desc >> 32);
	set(c, SPEC_VIRTIO_COMMON_QUEUE_DRIVER, 8, conf.driver);
	set(c, SPEC_VIRTIO_COMMON_QUEUE_DEVICE, 8, conf.device);
	set(c, SPEC_VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
}

/* As a driver does it: 3.1.1. */
static void bring_up(struct card *c, uint64_t features)
{
	lay_guest(c, features);
	choose_features(c, features);
	assert_int_equal(reg(c, SPEC_VIRTIO_COMMON_STATUS, 1), READY);
	set(c, SPEC_VIRTIO_COMMON_CONFIG_VECTOR, 2, 0);
	set_up_queue(c, 0, &c->side.guest->rx[0]);
	set_up_queue(c, 1, &c->side.guest->tx[0]);
	set(c, SPEC_VIRTIO_COMMON_STATUS, 1, RUNNING);
}

static void pass_one(struct card *from, struct card *to, uint64_t *seed)
{
	uint8_t sent[200], got[2048], header[VIRTIO_NET_HDR_SIZE];

	fill(sent, sizeof sent, seed);
	guest_net_post(to->side.guest, 0, 16, 1, GUEST_DIRECT);
	assert_true(guest_net_send(from->side.guest, 0,
				   &(struct guest_send){ .frame = sent, .size = sizeof sent }));
	guest_net_kick(from->side.guest, 0);
	set(from, PCIE_KINDS_NOTIFY_AT + PCIE_KINDS_NOTIFY_STRIDE, 2, 1);
	assert_int_equal(switch_once(&from->side, &to->side), 1);
	assert_int_equal(guest_net_receive(to->side.guest, 0, header, got, sizeof got),
			 sizeof sent);
	assert_memory_equal(sent, got, sizeof sent);
}

static void frames_pass_through_rings_set_up_by_registers(void **state)
{
	static const uint64_t features[] = { BASIC, BASIC | PACKED, BASIC | MRG | EVENT,
					     BASIC | PACKED | EVENT | INDIRECT };
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned i = 0; i < array_len(features); i++) {
		make(&one, 1);
		make(&two, 1);
		bring_up(&one, features[i]);
		bring_up(&two, features[i]);
		for (unsigned n = 0; n < 200; n++) {
			pass_one(&one, &two, &seed);
			guest_net_reclaim(one.side.guest, 0);
		}
		assert_true(two.raised[1] > 0); /* its receive queue */
		assert_true(one.wakes > 0);
		assert_int_equal(counter_get(&one.side.front->kicks), 200);
		assert_false(one.side.front->polled);
		assert_true(two.side.front->polled); /* it has never rung */
		close_card(&one);
		close_card(&two);
	}
}

static void features_that_were_not_offered_are_not_ok(void **state)
{
	(void)state;
	make(&one, 1);
	choose_features(&one, BASIC | BIT(VIRTIO_NET_F_MQ)); /* one pair */
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_STATUS, 1) & SPEC_VIRTIO_STATUS_FEATURES_OK,
			 0);
	choose_features(&one, BASIC);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_STATUS, 1), READY);
	/* and once they are, they do not change */
	set(&one, SPEC_VIRTIO_COMMON_DRIVER_SELECT, 4, 0);
	set(&one, SPEC_VIRTIO_COMMON_DRIVER_FEATURE, 4, 0);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_DRIVER_FEATURE, 4), BASIC & UINT32_MAX);
	close_card(&one);
}

static void features_come_in_halves(void **state)
{
	uint64_t features;

	(void)state;
	make(&one, 1);
	set(&one, SPEC_VIRTIO_COMMON_DEVICE_SELECT, 4, 0);
	features = reg(&one, SPEC_VIRTIO_COMMON_DEVICE_FEATURE, 4);
	set(&one, SPEC_VIRTIO_COMMON_DEVICE_SELECT, 4, 1);
	features |= reg(&one, SPEC_VIRTIO_COMMON_DEVICE_FEATURE, 4) << 32;
	assert_int_equal(features, virtio_net_features(one.side.net));
	set(&one, SPEC_VIRTIO_COMMON_DEVICE_SELECT, 4, 2);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_DEVICE_FEATURE, 4), 0);
	close_card(&one);
}

static void a_queue_that_is_not_there_has_size_0(void **state)
{
	(void)state;
	make(&one, 2);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_NUM_QUEUES, 2), 5);
	set(&one, SPEC_VIRTIO_COMMON_QUEUE_SELECT, 2, 4);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_QUEUE_SIZE, 2), 256);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_QUEUE_NOTIFY, 2), 4);
	set(&one, SPEC_VIRTIO_COMMON_QUEUE_SELECT, 2, 5);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_QUEUE_SIZE, 2), 0);
	set(&one, SPEC_VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_QUEUE_ENABLE, 2), 0);
	close_card(&one);
}

static void a_vector_that_is_not_there_reads_back_as_none(void **state)
{
	(void)state;
	make(&one, 1);
	set(&one, SPEC_VIRTIO_COMMON_CONFIG_VECTOR, 2, PCIE_KINDS_NIC_VECTORS - 1);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_CONFIG_VECTOR, 2),
			 PCIE_KINDS_NIC_VECTORS - 1);
	set(&one, SPEC_VIRTIO_COMMON_CONFIG_VECTOR, 2, PCIE_KINDS_NIC_VECTORS);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_CONFIG_VECTOR, 2), SPEC_VIRTIO_NO_VECTOR);
	close_card(&one);
}

static void a_size_that_no_ring_has_is_not_taken(void **state)
{
	static const uint16_t bad[] = { 0, 3, 257, 512, 0x8000 };

	(void)state;
	make(&one, 1);
	for (unsigned i = 0; i < array_len(bad); i++) {
		set(&one, SPEC_VIRTIO_COMMON_QUEUE_SIZE, 2, bad[i]);
		assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_QUEUE_SIZE, 2), 256);
	}
	set(&one, SPEC_VIRTIO_COMMON_QUEUE_SIZE, 2, 128);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_QUEUE_SIZE, 2), 128);
	close_card(&one);
}

static void accesses_of_another_width_change_nothing(void **state)
{
	(void)state;
	make(&one, 1);
	set(&one, SPEC_VIRTIO_COMMON_STATUS, 2, 1);
	set(&one, SPEC_VIRTIO_COMMON_STATUS, 4, 1);
	set(&one, SPEC_VIRTIO_COMMON_QUEUE_DESC + 2, 4, UINT32_MAX);
	set(&one, SPEC_VIRTIO_COMMON_QUEUE_DESC, 1, 0xff);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_STATUS, 1), 0);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_QUEUE_DESC, 8), 0);
	/* and behind the last field nothing is read */
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_BYTES, 8), 0);
	assert_int_equal(reg(&one, PCIE_KINDS_NOTIFY_AT, 4), 0);
	close_card(&one);
}

static void the_interrupt_status_is_cleared_by_reading(void **state)
{
	(void)state;
	make(&one, 1);
	bring_up(&one, BASIC);
	one.side.front->ops->set_link(NULL, one.side.front, false);
	assert_int_equal(one.raised[0], 1);
	assert_int_equal(reg(&one, PCIE_KINDS_ISR_AT, 1), SPEC_VIRTIO_ISR_CONFIG);
	assert_int_equal(reg(&one, PCIE_KINDS_ISR_AT, 1), 0);
	assert_int_equal(reg(&one, PCIE_KINDS_DEVICE_AT + VIRTIO_NET_CONFIG_STATUS, 2), 0);
	close_card(&one);
}

static bool is_pending(struct card *c)
{
	return config(c, SPEC_PCI_STATUS, 2) & SPEC_PCI_STATUS_INTERRUPT;
}

static void without_msix_the_interrupt_status_asks_by_the_line(void **state)
{
	(void)state;
	make(&one, 1);
	set_config(&one, cap_at(PCIE_CAP_MSIX, SPEC_MSIX_CONTROL), 2, 0);
	bring_up(&one, BASIC);
	set(&one, SPEC_VIRTIO_COMMON_CONFIG_VECTOR, 2, SPEC_VIRTIO_NO_VECTOR);
	assert_int_equal(one.lines, 0);
	assert_false(is_pending(&one));
	one.side.front->ops->set_link(NULL, one.side.front, false);
	assert_int_equal(one.lines, 1);
	assert_int_equal(one.raised[0], 0);
	assert_true(is_pending(&one));
	pci_function_intx_mask(&one.pci.function, PCI_UNMASKED);
	assert_int_equal(one.lines, 2); /* the status has not been read */
	assert_int_equal(reg(&one, PCIE_KINDS_ISR_AT, 1), SPEC_VIRTIO_ISR_CONFIG);
	assert_false(is_pending(&one));
	pci_function_intx_mask(&one.pci.function, PCI_UNMASKED);
	assert_int_equal(one.lines, 2);
	close_card(&one);
}

static void the_generation_moves_with_the_configuration(void **state)
{
	uint64_t before;

	(void)state;
	make(&one, 1);
	bring_up(&one, BASIC);
	before = reg(&one, SPEC_VIRTIO_COMMON_GENERATION, 1);
	one.side.front->ops->set_link(NULL, one.side.front, false);
	assert_int_not_equal(reg(&one, SPEC_VIRTIO_COMMON_GENERATION, 1), before);
	close_card(&one);
}

static void the_window_in_configuration_space_reaches_the_same_registers(void **state)
{
	unsigned base;

	(void)state;
	make(&one, 2);
	base = cap_at(PCIE_CAP_VIRTIO_PCI, 0);
	assert_int_equal(config(&one, base + SPEC_VIRTIO_CAP_TYPE, 1), SPEC_VIRTIO_CAP_PCI_ACCESS);
	set_config(&one, base + SPEC_VIRTIO_CAP_BAR, 1, BAR);
	set_config(&one, base + SPEC_VIRTIO_CAP_OFFSET, 4, SPEC_VIRTIO_COMMON_NUM_QUEUES);
	set_config(&one, base + SPEC_VIRTIO_CAP_SIZE, 4, 2);
	assert_int_equal(config(&one, base + SPEC_VIRTIO_CAP_PCI_DATA, 4), 5);
	set_config(&one, base + SPEC_VIRTIO_CAP_OFFSET, 4, SPEC_VIRTIO_COMMON_STATUS);
	set_config(&one, base + SPEC_VIRTIO_CAP_SIZE, 4, 1);
	set_config(&one, base + SPEC_VIRTIO_CAP_PCI_DATA, 4, SPEC_VIRTIO_STATUS_ACKNOWLEDGE);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_STATUS, 1), SPEC_VIRTIO_STATUS_ACKNOWLEDGE);
	/* beyond the BAR, or of an odd size, it leads nowhere */
	set_config(&one, base + SPEC_VIRTIO_CAP_OFFSET, 4, UINT32_MAX);
	set_config(&one, base + SPEC_VIRTIO_CAP_PCI_DATA, 4, 0);
	set_config(&one, base + SPEC_VIRTIO_CAP_OFFSET, 4, SPEC_VIRTIO_COMMON_STATUS);
	set_config(&one, base + SPEC_VIRTIO_CAP_SIZE, 4, 3);
	set_config(&one, base + SPEC_VIRTIO_CAP_PCI_DATA, 4, 0);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_STATUS, 1), SPEC_VIRTIO_STATUS_ACKNOWLEDGE);
	close_card(&one);
}

static void a_ring_that_is_impossible_asks_for_a_reset(void **state)
{
	(void)state;
	make(&one, 1);
	lay_guest(&one, BASIC);
	choose_features(&one, BASIC);
	set_up_queue(&one, 0, &one.side.guest->rx[0]);
	set(&one, SPEC_VIRTIO_COMMON_QUEUE_ENABLE, 2, 0);
	set(&one, SPEC_VIRTIO_COMMON_QUEUE_DESC, 8, 0x123); /* not aligned */
	set(&one, SPEC_VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
	set(&one, SPEC_VIRTIO_COMMON_STATUS, 1, RUNNING);
	assert_true(reg(&one, SPEC_VIRTIO_COMMON_STATUS, 1) & SPEC_VIRTIO_STATUS_NEEDS_RESET);
	set(&one, SPEC_VIRTIO_COMMON_STATUS, 1, 0);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_STATUS, 1), 0);
	close_card(&one);
}

static void a_front_that_stopped_is_told_once(void **state)
{
	(void)state;
	make(&one, 1);
	bring_up(&one, BASIC);
	snprintf(one.side.front->stopped, sizeof one.side.front->stopped, "a rule was broken");
	virtio_pci_look(&one.pci);
	virtio_pci_look(&one.pci);
	assert_int_equal(one.raised[0], 1);
	assert_true(reg(&one, SPEC_VIRTIO_COMMON_STATUS, 1) & SPEC_VIRTIO_STATUS_NEEDS_RESET);
	close_card(&one);
}

static void no_ring_is_read_unless_the_function_is_bus_master(void **state)
{
	(void)state;
	make(&one, 1);
	set_config(&one, SPEC_PCI_COMMAND, 2, 0);
	bring_up(&one, BASIC);
	assert_false(virtio_net_ring_runs(one.side.net, 0));
	set_config(&one, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MASTER);
	assert_true(virtio_net_ring_runs(one.side.net, 0));
	set_config(&one, SPEC_PCI_COMMAND, 2, 0);
	assert_false(virtio_net_ring_runs(one.side.net, 0));
	close_card(&one);
}

static void a_function_level_reset_resets_the_device(void **state)
{
	(void)state;
	make(&one, 1);
	bring_up(&one, BASIC);
	pci_function_reset(&one.pci.function, PCI_RESET_FUNCTION);
	assert_int_equal(reg(&one, SPEC_VIRTIO_COMMON_STATUS, 1), 0);
	assert_false(virtio_net_ring_runs(one.side.net, 0));
	assert_false(one.side.front->ready);
	close_card(&one);
}

static void state_moves_to_another_function_and_frames_go_on(void **state)
{
	static const uint64_t features[] = { BASIC, BASIC | PACKED };
	uint64_t seed = check_seed();
	static uint8_t saved[65536];

	(void)state;
	for (unsigned i = 0; i < array_len(features); i++) {
		struct side taken;
		size_t size;

		make(&one, 1);
		make(&two, 1);
		bring_up(&one, features[i]);
		bring_up(&two, features[i]);
		for (unsigned n = 0; n < 75; n++) { /* not a multiple of the ring */
			pass_one(&one, &two, &seed);
			guest_net_reclaim(one.side.guest, 0);
		}
		virtio_net_front(one.side.net)->filter.vlan[7] = 0x1234;
		virtio_net_front(one.side.net)->filter.nobcast = 1;
		one.pci.function.ops->quiesce(&one.pci.function);
		assert_int_equal(one.pci.function.ops->busy(&one.pci.function), 0);
		size = pci_function_save(&one.pci.function, saved, sizeof saved);
		assert_true(size <= sizeof saved);

		/* the guest's memory and driver stay, the function is a new one */
		taken = one.side;
		make(&one, 1);
		free(one.side.guest);
		one.side.guest = taken.guest;
		one.side.memory = taken.memory;
		one.side.guest->net = one.side.net;
		plain_domain_grant(one.side.grants, &one.side.guest->region);
		assert_int_equal(pci_function_load(&one.pci.function, saved, size), 0);
		assert_int_equal(virtio_net_front(one.side.net)->filter.vlan[7], 0x1234);
		assert_int_equal(virtio_net_front(one.side.net)->filter.nobcast, 1);
		virtio_net_front(one.side.net)->filter.nobcast = 0;
		one.pci.function.ops->resume(&one.pci.function);
		for (unsigned n = 0; n < 75; n++) {
			pass_one(&one, &two, &seed);
			guest_net_reclaim(one.side.guest, 0);
		}
		free(taken.net);
		free(taken.grants);
		close_card(&one);
		close_card(&two);
	}
}

static void what_is_no_state_changes_nothing(void **state)
{
	static uint8_t saved[65536];
	uint64_t seed = check_seed();
	size_t size;

	(void)state;
	make(&one, 1);
	bring_up(&one, BASIC);
	size = one.pci.function.ops->save(&one.pci.function, saved, sizeof saved);
	for (unsigned n = 0; n < 2000; n++) {
		uint8_t bad[4096];
		size_t cut = n % 3 ? size : rand_u64(&seed) % size;

		assert_true(size <= sizeof bad);
		memcpy(bad, saved, size);
		bad[rand_u64(&seed) % (n % 2 ? 40 : size)] ^= (uint8_t)(1 + rand_u64(&seed) % 255);
		(void)one.pci.function.ops->load(&one.pci.function, bad, cut);
	}
	assert_int_equal(one.pci.function.ops->load(&one.pci.function, saved, size - 1), -EINVAL);
	assert_int_equal(one.pci.function.ops->load(&one.pci.function, saved, size), 0);
	close_card(&one);
}

/* Any access at any place: nothing but registers change, and the device survives. */
static void random_accesses_are_harmless(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	make(&one, 2);
	lay_guest(&one, BASIC);
	for (unsigned n = 0; n < 200000; n++) {
		uint8_t bytes[8];
		uint32_t size = 1u << rand_u64(&seed) % 4;
		uint64_t offset = rand_u64(&seed) % (rand_u64(&seed) % 4 ? 0x40 : 0x4000);
		unsigned region = rand_u64(&seed) % 8 ? BAR : PCI_REGION_CONFIG;

		put_le64(bytes, rand_u64(&seed) >> rand_u64(&seed) % 64);
		if (region == PCI_REGION_CONFIG)
			offset %= 4096;
		if (rand_u64(&seed) % 2)
			(void)pci_function_read(&one.pci.function, region, offset, size, bytes);
		else
			(void)pci_function_write(&one.pci.function, region, offset, size, bytes);
		if (n % 64 == 0) {
			struct frame frames[FRAME_BURST];

			one.side.front->ops->peek(NULL, one.side.front, frames, FRAME_BURST);
			one.side.front->ops->flush(NULL, one.side.front);
		}
	}
	close_card(&one);
}

static void a_quiet_function_stays_quiet_when_its_driver_resets_it(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	make(&one, 1);
	make(&two, 1);
	bring_up(&two, BASIC);
	one.pci.function.ops->quiesce(&one.pci.function);
	bring_up(&one, BASIC); /* begins with a reset */
	assert_false(one.pci.device->ops->ring_runs(one.pci.device, 0));
	one.pci.function.ops->resume(&one.pci.function);
	assert_true(one.pci.device->ops->ring_runs(one.pci.device, 0));
	pass_one(&one, &two, &seed);
	close_card(&one);
	close_card(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_pass_through_rings_set_up_by_registers),
		cmocka_unit_test(a_quiet_function_stays_quiet_when_its_driver_resets_it),
		cmocka_unit_test(features_that_were_not_offered_are_not_ok),
		cmocka_unit_test(features_come_in_halves),
		cmocka_unit_test(a_queue_that_is_not_there_has_size_0),
		cmocka_unit_test(a_vector_that_is_not_there_reads_back_as_none),
		cmocka_unit_test(a_size_that_no_ring_has_is_not_taken),
		cmocka_unit_test(accesses_of_another_width_change_nothing),
		cmocka_unit_test(the_interrupt_status_is_cleared_by_reading),
		cmocka_unit_test(without_msix_the_interrupt_status_asks_by_the_line),
		cmocka_unit_test(the_generation_moves_with_the_configuration),
		cmocka_unit_test(the_window_in_configuration_space_reaches_the_same_registers),
		cmocka_unit_test(a_ring_that_is_impossible_asks_for_a_reset),
		cmocka_unit_test(a_front_that_stopped_is_told_once),
		cmocka_unit_test(no_ring_is_read_unless_the_function_is_bus_master),
		cmocka_unit_test(a_function_level_reset_resets_the_device),
		cmocka_unit_test(state_moves_to_another_function_and_frames_go_on),
		cmocka_unit_test(what_is_no_state_changes_nothing),
		cmocka_unit_test(random_accesses_are_harmless),
	};

	pcie_kinds_build(&kinds);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
