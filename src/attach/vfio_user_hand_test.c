/* A connected client goes from one server to another and notices nothing but a pause; and what comes in a damaged
 * parcel is refused. */
#include "attach/vfio_user_internal.h"
#include "attach/vfio_user_side_test.h"

static struct sample next_sample;
static struct vfio_user *next_server;
static char next_path[64];

/* The other process, as it were: a second server with a function of the same kind. */
static int two(void **state)
{
	struct vfio_user_conf conf;

	fresh(state);
	assert_int_equal(sample_init(&next_sample), 0);
	snprintf(next_path, sizeof next_path, "/tmp/mp-vfnext-%d.sock", (int)getpid());
	conf = sample_conf(&next_sample);
	conf.path = next_path;
	conf.loop = &loop;
	conf.host.event = hear;
	assert_int_equal(vfio_user_create(&next_server, &conf, NULL), 0);
	return 0;
}

static int end_two(void **state)
{
	if (client >= 0)
		close(client);
	client = -1;
	turn(3);
	vfio_user_destroy(next_server);
	turn(2);
	sample_fini(&next_sample);
	return stop(state);
}

static void hold_still(struct vfio_user *vf)
{
	for (unsigned i = 0; i < 10000; i++) {
		if (vfio_user_hold_still(vf))
			return;
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(100);
	}
	fail_msg("it does not hold still");
}

static void give(struct parcel *parcel)
{
	struct refusal why = { .path = "" };

	*parcel = (struct parcel){ .bytes = NULL };
	hold_still(server);
	assert_int_equal(vfio_user_give(server, parcel, &why), 0);
	assert_false(vfio_user_has_client(server));
	hold_still(next_server);
}

static void hand(void)
{
	struct parcel parcel;
	struct refusal why = { .path = "" };

	give(&parcel);
	if (vfio_user_take(next_server, &parcel, &why))
		fail_msg("%s", why.text);
	parcel_drop(&parcel);
	vfio_user_go_on(next_server);
	vfio_user_go_on(server);
}

static void line_to(int fd)
{
	uint8_t payload[VFIO_USER_SET_SIZE];

	put_le32(payload, sizeof payload);
	put_le32(payload + VFIO_USER_SET_FLAGS, VFIO_USER_SET_DATA_EVENTFD | VFIO_USER_SET_TRIGGER);
	put_le32(payload + VFIO_USER_SET_INDEX, VFIO_USER_IRQ_INTX);
	put_le32(payload + VFIO_USER_SET_START, 0);
	put_le32(payload + VFIO_USER_SET_COUNT, 1);
	assert_int_equal(ask_with(VFIO_USER_DEVICE_SET_IRQS, payload, sizeof payload, &fd, 1), 0);
}

static void unmask_line(void)
{
	uint8_t payload[VFIO_USER_SET_SIZE];

	put_le32(payload, sizeof payload);
	put_le32(payload + VFIO_USER_SET_FLAGS, VFIO_USER_SET_DATA_NONE | VFIO_USER_SET_UNMASK);
	put_le32(payload + VFIO_USER_SET_INDEX, VFIO_USER_IRQ_INTX);
	put_le32(payload + VFIO_USER_SET_START, 0);
	put_le32(payload + VFIO_USER_SET_COUNT, 1);
	assert_int_equal(ask(VFIO_USER_DEVICE_SET_IRQS, payload, sizeof payload), 0);
}

static void irqs_to(const int *fds, unsigned start, unsigned count)
{
	uint8_t payload[VFIO_USER_SET_SIZE];

	put_le32(payload, sizeof payload);
	put_le32(payload + VFIO_USER_SET_FLAGS, VFIO_USER_SET_DATA_EVENTFD | VFIO_USER_SET_TRIGGER);
	put_le32(payload + VFIO_USER_SET_INDEX, VFIO_USER_IRQ_MSIX);
	put_le32(payload + VFIO_USER_SET_START, start);
	put_le32(payload + VFIO_USER_SET_COUNT, count);
	assert_int_equal(ask_with(VFIO_USER_DEVICE_SET_IRQS, payload, sizeof payload, fds, count), 0);
}

static void mask(unsigned vector, uint32_t action)
{
	uint8_t payload[VFIO_USER_SET_SIZE];

	put_le32(payload, sizeof payload);
	put_le32(payload + VFIO_USER_SET_FLAGS, VFIO_USER_SET_DATA_NONE | action);
	put_le32(payload + VFIO_USER_SET_INDEX, VFIO_USER_IRQ_MSIX);
	put_le32(payload + VFIO_USER_SET_START, vector);
	put_le32(payload + VFIO_USER_SET_COUNT, 1);
	assert_int_equal(ask(VFIO_USER_DEVICE_SET_IRQS, payload, sizeof payload), 0);
}

static uint64_t rung(int fd)
{
	uint64_t value = 0;

	return read(fd, &value, sizeof value) == sizeof value ? value : 0;
}

static int map_page(uint8_t **page)
{
	uint8_t payload[VFIO_USER_REGION_SIZE] = { 0 };

	put_le32(payload, 4096);
	assert_int_equal(ask(VFIO_USER_DEVICE_GET_REGION_INFO, payload, sizeof payload), 0);
	assert_int_equal(got_fd_count, 1);
	*page = mmap(NULL, SAMPLE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, got_fds[0],
		     (off_t)get_le64(got_bytes + VFIO_USER_REGION_OFFSET) + SAMPLE_PAGE_AT);
	assert_true(*page != MAP_FAILED);
	return got_fds[0];
}

static void registers_and_terms_go_along(void **state)
{
	(void)state;
	negotiate();
	master();
	write32(0, SAMPLE_SCRATCH, 0x1234);
	hand();
	assert_false(vfio_user_has_client(server));
	assert_true(vfio_user_has_client(next_server));
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC);
	assert_int_equal(read32(0, SAMPLE_SCRATCH), 0x1234);
	assert_int_equal(read32(PCI_REGION_CONFIG, SPEC_PCI_COMMAND) & SPEC_PCI_COMMAND_MASTER,
			 SPEC_PCI_COMMAND_MASTER);
	assert_int_equal(version(NULL), EINVAL); /* it was agreed already */
	assert_int_equal(sample.registers[SAMPLE_SCRATCH / 4], 0);
}

static void memory_that_was_lent_is_reached(void **state)
{
	(void)state;
	negotiate();
	master();
	assert_int_equal(dma_map(IOVA, 4 * PAGE, 0, 3, memory_fd), 0);
	assert_int_equal(dma_map(IOVA + 8 * PAGE, 2 * PAGE, 8 * PAGE, 1, memory_fd), 0);
	assert_int_equal(dma_map(0x10000, PAGE, 0, 3, -1), 0); /* by messages */
	hand();
	write32(0, SAMPLE_SCRATCH, 5);
	write32(0, SAMPLE_COMMAND, SAMPLE_FILL);
	assert_int_equal(transfer(SAMPLE_STORE, IOVA + 7, 2 * PAGE), 0);
	for (unsigned i = 0; i < 2 * PAGE; i++)
		assert_int_equal(memory[7 + i], (uint8_t)(i * 7 + 5));
	assert_int_equal(transfer(SAMPLE_FETCH, IOVA + 8 * PAGE, PAGE), 0);
	assert_int_equal(transfer(SAMPLE_STORE, IOVA + 8 * PAGE, PAGE), EFAULT); /* it may be read only */
	assert_int_equal(transfer(SAMPLE_FETCH, IOVA + 4 * PAGE, 1), EFAULT);
	assert_int_equal(sample.dma.region_count, 0);
	assert_int_equal(dma_unmap(IOVA, 4 * PAGE, 0), 0);
	assert_int_equal(transfer(SAMPLE_FETCH, IOVA, 1), EFAULT);
}

static void interrupts_arrive_and_masks_stay(void **state)
{
	int fds[2] = { eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };

	(void)state;
	negotiate();
	master();
	irqs_to(fds, 2, 2);
	mask(3, VFIO_USER_SET_MASK);
	write32(0, SAMPLE_VECTOR, 3); /* pending */
	hand();
	assert_int_equal(rung(fds[0]), 1); /* what may have been on its way comes once more */
	write32(0, SAMPLE_VECTOR, 2);
	assert_int_equal(rung(fds[0]), 1);
	assert_int_equal(rung(fds[1]), 0);
	mask(3, VFIO_USER_SET_UNMASK);
	assert_int_equal(rung(fds[1]), 1);
	assert_int_equal(next_server->vectors[0], -1);
	close(fds[0]);
	close(fds[1]);
}

static void a_line_goes_along_with_its_mask(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	(void)state;
	negotiate();
	line_to(fd);
	write32(0, SAMPLE_LEVEL, 1);
	assert_int_equal(rung(fd), 1);
	hand();
	assert_int_equal(rung(fd), 0); /* the client has not answered yet */
	unmask_line();
	assert_int_equal(rung(fd), 1);
	write32(0, SAMPLE_LEVEL, 0);
	unmask_line();
	assert_int_equal(rung(fd), 0);
	close(fd);
}

static void a_line_that_nobody_masks_is_heard_from_the_next_process(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	(void)state;
	negotiate();
	line_to(fd);
	hand();
	assert_int_equal(rung(fd), 0);
	write32(0, SAMPLE_LEVEL, 1);
	assert_int_equal(rung(fd), 1);
	assert_int_equal(server->line, -1);
	close(fd);
}

static void what_is_written_to_a_mapped_page_meanwhile_is_there(void **state)
{
	struct parcel parcel;
	uint8_t *page;
	int fd;

	(void)state;
	negotiate();
	fd = map_page(&page);
	page[5] = 1;
	give(&parcel);
	page[5] = 2;
	assert_int_equal(sample.page[SAMPLE_PAGE_AT + 5], 0); /* not its any more */
	assert_int_equal(vfio_user_take(next_server, &parcel, NULL), 0);
	parcel_drop(&parcel);
	assert_int_equal(next_sample.page[SAMPLE_PAGE_AT + 5], 2);
	vfio_user_go_on(next_server);
	page[6] = 3;
	assert_int_equal(next_sample.page[SAMPLE_PAGE_AT + 6], 3);
	next_sample.page[SAMPLE_PAGE_AT + 7] = 4;
	assert_int_equal(page[7], 4);
	munmap(page, SAMPLE_PAGE);
	close(fd);
}

static void doorbells_that_are_rung_meanwhile_count(void **state)
{
	uint8_t payload[VFIO_USER_IO_FDS_SIZE] = { 0 };
	struct parcel parcel;
	uint64_t one = 1;
	int fds[FDS_MAX];
	unsigned count;

	(void)state;
	negotiate();
	put_le32(payload, 4096);
	assert_int_equal(ask(VFIO_USER_DEVICE_GET_REGION_IO_FDS, payload, sizeof payload), 0);
	count = got_fd_count;
	assert_int_equal(count, SAMPLE_DOORBELLS);
	memcpy(fds, got_fds, sizeof fds);
	give(&parcel);
	assert_int_equal(write(fds[1], &one, sizeof one), sizeof one);
	assert_int_equal(vfio_user_take(next_server, &parcel, NULL), 0);
	parcel_drop(&parcel);
	vfio_user_go_on(next_server);
	turn(3);
	assert_int_equal(read32(0, SAMPLE_RINGS), 1);
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
}

static void a_message_that_is_cut_in_two_is_whole(void **state)
{
	uint8_t bytes[VFIO_USER_HEADER_SIZE + VFIO_USER_ACCESS_SIZE] = { 0 };
	struct vfio_user_header header = { .id = 77, .command = VFIO_USER_REGION_READ,
					   .payload = VFIO_USER_ACCESS_SIZE };

	(void)state;
	negotiate();
	vfio_user_header_write(&header, bytes);
	put_le32(bytes + VFIO_USER_HEADER_SIZE + 12, 4);
	send_raw(bytes, 21, NULL, 0);
	turn(3);
	hand();
	send_raw(bytes + 21, sizeof bytes - 21, NULL, 0);
	assert_true(hear_message());
	assert_int_equal(got.id, 77);
	assert_int_equal(get_le32(got_bytes + VFIO_USER_ACCESS_SIZE), SAMPLE_MAGIC);
}

static void what_is_asked_meanwhile_waits(void **state)
{
	uint8_t payload[VFIO_USER_ACCESS_SIZE] = { 0 };
	struct parcel parcel;

	(void)state;
	negotiate();
	write32(0, SAMPLE_SCRATCH, 9);
	give(&parcel);
	payload[0] = SAMPLE_SCRATCH;
	put_le32(payload + 12, 4);
	say(VFIO_USER_REGION_READ, payload, sizeof payload, NULL, 0);
	turn(5);
	assert_int_equal(recv(client, payload, 1, MSG_DONTWAIT), -1);
	assert_int_equal(vfio_user_take(next_server, &parcel, NULL), 0);
	parcel_drop(&parcel);
	turn(5);
	assert_int_equal(recv(client, payload, 1, MSG_DONTWAIT), -1);
	vfio_user_go_on(next_server);
	assert_true(hear_message());
	assert_int_equal(get_le32(got_bytes + VFIO_USER_ACCESS_SIZE), 9);
}

static void what_is_under_way_ends_first(void **state)
{
	(void)state;
	negotiate();
	write32(0, SAMPLE_BUSY, 30);
	assert_false(vfio_user_hold_still(server) && sample.registers[SAMPLE_BUSY / 4]);
	hand();
	assert_int_equal(sample.registers[SAMPLE_BUSY / 4], 0);
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC);
}

static void a_client_comes_back_to_the_server_that_gave_it(void **state)
{
	struct parcel parcel;

	(void)state;
	negotiate();
	write32(0, SAMPLE_SCRATCH, 11);
	give(&parcel);
	assert_int_equal(vfio_user_take(server, &parcel, NULL), 0);
	parcel_drop(&parcel);
	vfio_user_go_on(server);
	vfio_user_go_on(next_server);
	assert_int_equal(read32(0, SAMPLE_SCRATCH), 11);
}

static void a_server_that_went_on_without_a_client_takes_the_next(void **state)
{
	int first;

	(void)state;
	negotiate();
	hand();
	first = client;
	client = dial(); /* the old place: the old server listens again */
	turn(3);
	negotiate();
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC);
	assert_true(vfio_user_has_client(server) && vfio_user_has_client(next_server));
	close(first);
	turn(5);
	assert_false(vfio_user_has_client(next_server));
}

static void a_client_that_migrates_or_lends_too_many_files_stays(void **state)
{
	uint8_t payload[VFIO_USER_FEATURE_SIZE + VFIO_USER_MIG_STATE_SIZE] = { 0 };
	struct parcel parcel = { .bytes = NULL };
	struct refusal why = { .path = "" };

	(void)state;
	negotiate();
	put_le32(payload, sizeof payload);
	put_le32(payload + VFIO_USER_FEATURE_FLAGS, VFIO_USER_FEATURE_SET | VFIO_USER_FEATURE_MIG_STATE);
	put_le32(payload + VFIO_USER_FEATURE_SIZE, VFIO_USER_STATE_STOP);
	assert_int_equal(ask(VFIO_USER_DEVICE_FEATURE, payload, sizeof payload), 0);
	hold_still(server);
	assert_int_equal(vfio_user_give(server, &parcel, &why), -EBUSY);
	assert_non_null(strstr(why.text, "migrating"));
	vfio_user_go_on(server);
	put_le32(payload + VFIO_USER_FEATURE_SIZE, VFIO_USER_STATE_RUNNING);
	assert_int_equal(ask(VFIO_USER_DEVICE_FEATURE, payload, sizeof payload), 0);
	for (unsigned i = 0; i <= VFUSER_FILES_KEPT; i++) {
		int fd = memfd_create("one of many", MFD_CLOEXEC);

		assert_int_equal(ftruncate(fd, PAGE), 0);
		assert_int_equal(dma_map(IOVA + (uint64_t)i * PAGE, PAGE, 0, 3, fd), 0);
		close(fd);
	}
	hold_still(server);
	assert_int_equal(vfio_user_give(server, &parcel, &why), -EFBIG);
	vfio_user_go_on(server);
	assert_int_equal(dma_unmap(IOVA + (uint64_t)VFUSER_FILES_KEPT * PAGE, PAGE, 0), 0);
	hand();
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC);
}

/* Every byte of the parcel in turn is another, its end is cut, a descriptor is another: it is refused, or taken for
 * what it says; nothing stays open, and the sound one is taken afterwards. */
static void a_damaged_parcel_is_refused_and_leaves_nothing(void **state)
{
	struct parcel parcel;
	unsigned before, refused = 0;
	int fds[1] = { eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };

	(void)state;
	negotiate();
	assert_int_equal(dma_map(IOVA, 4 * PAGE, 0, 3, memory_fd), 0);
	irqs_to(fds, 0, 1);
	give(&parcel);
	before = open_fds();
	for (size_t i = 0; i < parcel.size; i += i < 400 ? 1 : 97) {
		uint8_t was = parcel.bytes[i];
		int err;

		parcel.bytes[i] ^= 0x81;
		err = vfio_user_take(next_server, &parcel, NULL);
		parcel.bytes[i] = was;
		refused += err != 0;
		if (!err) {
			struct parcel back = { .bytes = NULL };

			if (vfio_user_give(next_server, &back, NULL))
				fail_msg("byte %zu: taken and not given", i);
			parcel_drop(&back);
		}
		assert_false(vfio_user_has_client(next_server));
		assert_int_equal(next_sample.dma.region_count, 0);
	}
	assert_true(refused > 50);
	for (size_t size = 0; size < parcel.size; size += 61) {
		struct parcel cut = parcel;

		cut.size = size;
		assert_int_equal(vfio_user_take(next_server, &cut, NULL), -EINVAL);
	}
	for (unsigned i = 0; i < parcel.fd_count; i++) {
		struct parcel less = parcel;
		int was = parcel.fds[i];

		less.fd_count = i;
		assert_int_equal(vfio_user_take(next_server, &less, NULL), -EINVAL);
		parcel.fds[i] = STDERR_FILENO;
		assert_true(vfio_user_take(next_server, &parcel, NULL) < 0);
		parcel.fds[i] = was;
	}
	assert_int_equal(open_fds(), before + 1); /* its own pages, from those that were taken */
	assert_int_equal(vfio_user_take(next_server, &parcel, NULL), 0);
	parcel_drop(&parcel);
	vfio_user_go_on(next_server);
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(registers_and_terms_go_along, two, end_two),
		cmocka_unit_test_setup_teardown(memory_that_was_lent_is_reached, two, end_two),
		cmocka_unit_test_setup_teardown(interrupts_arrive_and_masks_stay, two, end_two),
		cmocka_unit_test_setup_teardown(a_line_goes_along_with_its_mask, two, end_two),
		cmocka_unit_test_setup_teardown(a_line_that_nobody_masks_is_heard_from_the_next_process, two, end_two),
		cmocka_unit_test_setup_teardown(what_is_written_to_a_mapped_page_meanwhile_is_there, two, end_two),
		cmocka_unit_test_setup_teardown(doorbells_that_are_rung_meanwhile_count, two, end_two),
		cmocka_unit_test_setup_teardown(a_message_that_is_cut_in_two_is_whole, two, end_two),
		cmocka_unit_test_setup_teardown(what_is_asked_meanwhile_waits, two, end_two),
		cmocka_unit_test_setup_teardown(what_is_under_way_ends_first, two, end_two),
		cmocka_unit_test_setup_teardown(a_client_comes_back_to_the_server_that_gave_it, two, end_two),
		cmocka_unit_test_setup_teardown(a_server_that_went_on_without_a_client_takes_the_next, two, end_two),
		cmocka_unit_test_setup_teardown(a_client_that_migrates_or_lends_too_many_files_stays, two, end_two),
		cmocka_unit_test_setup_teardown(a_damaged_parcel_is_refused_and_leaves_nothing, two, end_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
