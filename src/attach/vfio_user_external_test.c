/* Imported functions: what a client sees of them, what they reach, and processes that are not what they should be. */
#include "attach/vfio_user_external_side_test.h"

static void test_a_client_sees_the_function_as_it_is(void **state)
{
	uint32_t flags;

	(void)state;
	assert_int_equal(vfio_user_client_flags(client), VFIO_USER_INFO_RESET | VFIO_USER_INFO_PCI);
	assert_int_equal(vfio_user_client_region(client, 0)->size, SAMPLE_BAR0);
	assert_int_equal(vfio_user_client_region(client, 1)->size, 0);
	assert_int_equal(vfio_user_client_region(client, CONFIG)->size, 4096);
	assert_int_equal(vfio_user_client_irqs(client, VFIO_USER_IRQ_MSIX, &flags), SAMPLE_VECTORS);
	assert_int_equal(flags, VFIO_USER_IRQ_EVENTFD | VFIO_USER_IRQ_MASKABLE);
	assert_int_equal(read32(CONFIG, 0), SAMPLE_DEVICE << 16 | SAMPLE_VENDOR);
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC);
	write32(0, SAMPLE_SCRATCH, 77);
	assert_int_equal(read32(0, SAMPLE_SCRATCH), 77);
}

static void test_mapped_pieces_are_passed_on(void **state)
{
	const struct vfio_user_client_region *bar = vfio_user_client_region(client, 0);

	(void)state;
	assert_int_equal(bar->mapped_first, SAMPLE_PAGE_AT);
	assert_int_equal(bar->mapped_size, SAMPLE_PAGE);
	put_le32(bar->mapped + 4, 99);
	assert_int_equal(read32(0, SAMPLE_PAGE_AT + 4), 99);
}

static void test_accesses_beyond_a_region_are_refused_here(void **state)
{
	uint64_t before = device.server ? 1 : 0;
	uint8_t bytes[8] = { 0 };
	struct vfio_user_facts facts;

	(void)state;
	assert_int_equal(before, 1);
	assert_int_equal(vfio_user_client_read(client, 0, SAMPLE_BAR0 - 4, 8, bytes), -EINVAL);
	assert_int_equal(vfio_user_client_read(client, 1, 0, 4, bytes), -EINVAL);
	assert_int_equal(vfio_user_client_read(client, 77, 0, 4, bytes), -EINVAL);
	assert_int_equal(vfio_user_client_write(client, 0, UINT64_MAX - 3, 8, bytes), -EINVAL);
	assert_int_equal(vfio_user_client_write(client, CONFIG, 4094, 4, bytes), -EINVAL);
	assert_int_equal(vfio_user_client_act(client, 99, VFIO_USER_SET_MASK), -EINVAL);
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC);
	vfio_user_facts(device.server, &facts);
	assert_int_equal(facts.refused, 0); /* none of them got there */
}

static void test_a_guarded_function_reaches_what_is_granted_and_nothing_else(void **state)
{
	(void)state;
	master();
	assert_int_equal(vfio_user_client_map(client, window(3)), 0);
	memory[5] = 7;
	assert_int_equal(command(SAMPLE_FETCH, IOVA, PAGE), EFAULT); /* it has no memory of the guest */
	assert_int_equal(command(SAMPLE_ASK_FETCH, IOVA, PAGE), 0);
	assert_int_equal(read32(0, SAMPLE_SUM), 7);
	write32(0, SAMPLE_SCRATCH, 1);
	(void)command(SAMPLE_FILL, 0, 0);
	assert_int_equal(command(SAMPLE_ASK_STORE, IOVA + PAGE, 3 * PAGE), 0);
	for (unsigned i = 0; i < 3 * PAGE; i++)
		assert_int_equal(memory[PAGE + i], (uint8_t)(i * 7 + 1));
	assert_int_equal(memory[4 * PAGE], 0);
	assert_int_equal(faults(), 0);
}

static uint8_t question[VFIO_USER_HEADER_SIZE + VFIO_USER_DMA_SIZE + 64];

/* A question that its own bookkeeping would not let it ask. */
static void ask_beyond(uint64_t address, uint64_t size, uint16_t what)
{
	struct vfio_user_header header = { .id = 0x9999, .command = what,
					   .payload = VFIO_USER_DMA_SIZE +
						      (what == VFIO_USER_DMA_WRITE ? (uint32_t)size : 0) };

	memset(question, 0xee, sizeof question);
	vfio_user_header_write(&header, question);
	put_le64(question + VFIO_USER_HEADER_SIZE, address);
	put_le64(question + VFIO_USER_HEADER_SIZE + 8, size);
}

static void test_a_vector_signals_the_clients_descriptor(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t n = 0;

	(void)state;
	master();
	assert_int_equal(vfio_user_client_signal(client, 2, fd), 0);
	assert_int_equal(vfio_user_client_act(client, 2, VFIO_USER_SET_MASK), 0);
	write32(0, SAMPLE_VECTOR, 2);
	assert_int_equal(read(fd, &n, sizeof n), -1);
	assert_int_equal(vfio_user_client_act(client, 2, VFIO_USER_SET_UNMASK), 0);
	assert_int_equal(read(fd, &n, sizeof n), sizeof n);
	assert_int_equal(vfio_user_client_act(client, 2, VFIO_USER_SET_TRIGGER), 0);
	assert_int_equal(read(fd, &n, sizeof n), sizeof n);
	assert_int_equal(vfio_user_client_signal(client, 2, -1), 0);
	write32(0, SAMPLE_VECTOR, 2);
	assert_int_equal(read(fd, &n, sizeof n), -1);
	close(fd);
}

static void test_a_trusted_function_is_given_the_memory_itself(void **state)
{
	(void)state;
	master();
	assert_int_equal(vfio_user_client_map(client, window(3)), 0);
	assert_int_equal(vfio_user_client_map(client, window(3)), -EEXIST);
	memory[9] = 5;
	assert_int_equal(command(SAMPLE_FETCH, IOVA, PAGE), 0);
	assert_int_equal(read32(0, SAMPLE_SUM), 5);
	assert_int_equal(vfio_user_client_unmap(client, IOVA + PAGE, PAGE), -EINVAL);
	assert_int_equal(vfio_user_client_unmap(client, IOVA, MEMORY), 0);
	assert_int_equal(command(SAMPLE_FETCH, IOVA, PAGE), EFAULT);
}

/* The function polls queues in memory, which only a trusted one is given. */
static void test_a_function_that_needs_descriptors_is_refused_when_it_is_guarded(void **state)
{
	struct vfio_user_limits limits = { .fds = 1, .transfer = 4096, .maps = 1, .pages = 4096,
					   .needs_fds = true };
	uint8_t payload[VFIO_USER_VERSION_DATA + VFIO_USER_TEXT_MAX];
	uint32_t size = vfio_user_version_write(&limits, payload, sizeof payload);

	(void)state;
	assert_int_equal(vfio_user_version_read(&limits, payload, size, NULL), 0);
	assert_true(limits.needs_fds);
	vfio_user_client_close(client);
	client = NULL;
	goes();
	reach = VFIO_USER_NEEDS_FDS;
	start_device(NO_PAGES);
	reach = VFIO_USER_REACHES_ALL;
	wait_for(VFIO_USER_IMPORT_REFUSED);
	assert_non_null(strstr(side.text, "polls queues"));
	assert_non_null(strstr(side.text, "guard: false"));
}

static void test_a_function_that_needs_descriptors_is_imported_when_it_is_trusted(void **state)
{
	(void)state;
	reach = VFIO_USER_NEEDS_FDS;
	assert_int_equal(begin(VFIO_USER_IMPORT_TRUSTED, NO_PAGES), 0);
	reach = VFIO_USER_REACHES_ALL;
	assert_int_equal(side.state, VFIO_USER_IMPORT_PRESENT);
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC);
}

static void test_memory_that_is_lent_by_messages_is_reached_through_both(void **state)
{
	static uint8_t ours[2 << 20];
	struct vfio_user_client_window lent = { .address = 0, .size = sizeof ours, .flags = 3, .fd = -1,
						.bytes = ours };
	uint32_t sum = 0;

	(void)state;
	master();
	assert_int_equal(vfio_user_client_map(client, &lent), 0);
	for (unsigned i = 0; i < sizeof ours; i++)
		sum += ours[i] = (uint8_t)(i * 3);
	assert_int_equal(command(SAMPLE_ASK_FETCH, 0, sizeof ours), 0);
	assert_int_equal(read32(0, SAMPLE_SUM), sum);
	(void)command(SAMPLE_FILL, 0, sizeof ours);
	assert_int_equal(command(SAMPLE_ASK_STORE, 0, sizeof ours), 0);
	for (unsigned i = 0; i < sizeof ours; i++)
		assert_int_equal(ours[i], (uint8_t)(i * 7));
	assert_int_equal(vfio_user_client_unmap(client, 0, sizeof ours), 0);
	assert_int_equal(command(SAMPLE_ASK_FETCH, 0, 8), EFAULT);
}

static void test_a_function_that_is_no_bus_master_reaches_nothing(void **state)
{
	(void)state;
	assert_int_equal(vfio_user_client_map(client, window(3)), 0);
	assert_int_equal(command(SAMPLE_ASK_FETCH, IOVA, PAGE), EPERM);
	master();
	assert_int_equal(command(SAMPLE_ASK_FETCH, IOVA, PAGE), 0);
	write32(CONFIG, SPEC_PCI_COMMAND, 0);
	assert_int_equal(command(SAMPLE_ASK_FETCH, IOVA, PAGE), EPERM);
}

static void test_a_state_is_saved_and_loaded_and_a_reset_reaches_it(void **state)
{
	uint8_t *saved;
	size_t size;

	(void)state;
	write32(0, SAMPLE_SCRATCH, 321);
	assert_int_equal(vfio_user_client_save(client, &saved, &size), 0);
	assert_true(size > 4096);
	assert_int_equal(vfio_user_client_run(client), 0);
	write32(CONFIG, SPEC_PCI_BAR0, 0xfe000000);
	assert_int_equal(vfio_user_client_reset(client), 0);
	assert_int_equal(read32(0, SAMPLE_SCRATCH), 0);
	assert_int_equal(read32(CONFIG, SPEC_PCI_BAR0) & ~0xfu, 0);
	assert_int_equal(vfio_user_client_load(client, saved, size), 0);
	assert_int_equal(read32(0, SAMPLE_SCRATCH), 321);
	assert_int_equal(vfio_user_client_load(client, saved, size - 1), -EINVAL);
	free(saved);
}

static void test_bars_are_the_clients_own(void **state)
{
	unsigned flr = pcie_kind_at(&device.sample.kind, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL);
	uint8_t bytes[64];

	(void)state;
	write32(CONFIG, SPEC_PCI_BAR0, UINT32_MAX);
	write32(CONFIG, SPEC_PCI_BAR0 + 4, UINT32_MAX);
	assert_int_equal(read32(CONFIG, SPEC_PCI_BAR0) & ~0xfu, (uint32_t)-SAMPLE_BAR0);
	assert_int_equal(read32(CONFIG, SPEC_PCI_BAR0 + 4), UINT32_MAX);
	assert_int_equal(cfg_read(&device.sample.function.space, SPEC_PCI_BAR0, 4) & ~0xfu, 0);
	/* All of the header at once: what is not the client's goes to the function. */
	memset(bytes, 0, sizeof bytes);
	put_le32(bytes + SPEC_PCI_COMMAND, SPEC_PCI_COMMAND_MEMORY);
	put_le32(bytes + SPEC_PCI_BAR0, 0xfe000000);
	bytes[SPEC_PCI_INTERRUPT_LINE] = 11;
	assert_int_equal(vfio_user_client_write(client, CONFIG, 0, sizeof bytes, bytes), 0);
	assert_int_equal(read32(CONFIG, SPEC_PCI_BAR0) & ~0xfu, 0xfe000000);
	assert_int_equal(read32(CONFIG, SPEC_PCI_INTERRUPT_LINE) & 0xff, 11);
	assert_int_equal(cfg_read(&device.sample.function.space, SPEC_PCI_COMMAND, 2),
			 SPEC_PCI_COMMAND_MEMORY);
	put_le16(bytes, SPEC_EXPRESS_INITIATE_FLR);
	assert_int_equal(vfio_user_client_write(client, CONFIG, flr, 2, bytes), 0);
	assert_int_equal(device.sample.resets, 1);
	assert_int_equal(read32(CONFIG, SPEC_PCI_BAR0) & ~0xfu, 0);
}

static void test_what_one_client_granted_the_next_has_not(void **state)
{
	struct vfio_user_facts facts = { .windows = 1 };

	(void)state;
	master();
	assert_int_equal(vfio_user_client_map(client, window(3)), 0);
	assert_int_equal(command(SAMPLE_ASK_FETCH, IOVA, PAGE), 0);
	vfio_user_client_close(client);
	open_client();
	vfio_user_facts(device.server, &facts);
	assert_int_equal(facts.windows, 0);
	assert_int_equal(facts.connections, 2);
	master();
	assert_int_equal(command(SAMPLE_ASK_FETCH, IOVA, PAGE), EFAULT);
}

static void test_accesses_end_while_the_function_is_away_and_it_returns_as_it_was(void **state)
{
	struct vfio_user_client_window other = { .address = 0, .size = PAGE, .flags = 3, .fd = memory_fd,
						 .offset = PAGE };
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t n;

	(void)state;
	master();
	assert_int_equal(vfio_user_client_map(client, window(3)), 0);
	assert_int_equal(vfio_user_client_signal(client, 3, fd), 0);
	goes();
	assert_int_equal(read32(0, SAMPLE_ID), UINT32_MAX);
	assert_int_equal(read32(CONFIG, 0), UINT32_MAX);
	write32(0, SAMPLE_SCRATCH, 1);
	assert_int_equal(vfio_user_client_map(client, &other), 0); /* for later */
	assert_int_equal(vfio_user_client_save(client, &(uint8_t *){ NULL }, &(size_t){ 0 }), -ENODEV);
	comes(NO_PAGES);
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC);
	assert_int_equal(read32(0, SAMPLE_SCRATCH), 0);
	master();
	memory[PAGE] = 4;
	assert_int_equal(command(SAMPLE_ASK_FETCH, 0, PAGE), 0);
	assert_int_equal(read32(0, SAMPLE_SUM), 4);
	assert_int_equal(command(SAMPLE_ASK_FETCH, IOVA, PAGE), 0);
	write32(0, SAMPLE_VECTOR, 3);
	assert_int_equal(read(fd, &n, sizeof n), sizeof n);
	close(fd);
}

static void test_a_client_with_mapped_pieces_connects_again_when_it_returns(void **state)
{
	struct refusal why = { 0 };
	uint8_t bytes[4];

	(void)state;
	assert_int_equal(vfio_user_client_map(client, window(3)), 0);
	goes();
	assert_int_equal(read32(0, SAMPLE_ID), UINT32_MAX);
	comes(PAGES);
	while (vfio_user_client_read(client, 0, 0, 4, bytes) == 0)
		nap();
	assert_int_equal(vfio_user_client_resume(client, &why), 0);
	put_le32(vfio_user_client_region(client, 0)->mapped + 8, 42);
	assert_int_equal(read32(0, SAMPLE_PAGE_AT + 8), 42);
}

static void quarantine(void)
{
	attach_external.quarantine(side.attachment, "a test says so");
}

static void release(void)
{
	attach_external.release(side.attachment);
}

static void test_a_quarantined_function_is_cut_off_until_it_is_released(void **state)
{
	struct vfio_user_facts facts = { .windows = 1 };

	(void)state;
	master();
	assert_int_equal(vfio_user_client_map(client, window(3)), 0);
	call(quarantine);
	assert_int_equal(read32(0, SAMPLE_ID), UINT32_MAX);
	/* The function gives them back when it comes to it. */
	for (unsigned i = 0; facts.windows && i < PATIENCE_MS; i++, nap())
		vfio_user_facts(device.server, &facts);
	assert_int_equal(facts.windows, 0);
	call(release);
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC);
	master();
	assert_int_equal(command(SAMPLE_ASK_FETCH, IOVA, PAGE), 0);
}

/* Processes that are not what they should be. */

static void be_impatient(void)
{
	side.import->conf.patience_ms = IMPATIENCE_MS;
}

static void be_patient(void)
{
	side.import->conf.patience_ms = 10 * PATIENCE_MS;
}

static int listen_at(const char *where)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", where);
	unlink(where);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* What a client's access takes, and one of the daemon's own. */
static int64_t access_ms(void)
{
	struct timespec before, after;

	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(read32(0, SAMPLE_ID), UINT32_MAX);
	call(drain_guard);
	clock_gettime(CLOCK_MONOTONIC, &after);
	return (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
}

static void test_a_process_that_never_answers_is_dead_and_nobody_waits_for_it(void **state)
{
	bool quick = false;
	int fd;

	(void)state;
	goes();
	call(be_impatient);
	fd = listen_at(device_path);
	wait_for(VFIO_USER_IMPORT_DEAD);
	/* Who waits for it does so each time; a machine is late now and then. */
	for (unsigned i = 0; i < 50 && !quick; i++)
		quick = access_ms() < IMPATIENCE_MS;
	assert_true(quick);
	close(fd);
	unlink(device_path);
	wait_for(VFIO_USER_IMPORT_ABSENT);
	call(be_patient);
	comes(NO_PAGES);
}

static void test_a_process_that_ends_with_a_question_unread_is_dialled_again_without_patience(void **state)
{
	uint8_t byte;
	int fd, one;

	(void)state;
	goes();
	fd = listen_at(device_path);
	one = accept(fd, NULL, NULL);
	assert_int_equal(recv(one, &byte, 1, MSG_PEEK), 1);
	close(fd);
	close(one);
	unlink(device_path);
	comes(NO_PAGES);
}

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Answers what is asked with bytes of which many are wrong, and asks for memory in between. */
static void babble(int fd, uint64_t *seed)
{
	static uint8_t bytes[VFIO_USER_HEADER_SIZE + 8192];
	struct vfio_user_header header;
	uint8_t head[VFIO_USER_HEADER_SIZE];

	while (recv(fd, head, sizeof head, MSG_WAITALL) == sizeof head) {
		uint32_t size;

		(void)vfio_user_header_read(&header, head, NULL);
		if (header.payload > 8192 ||
		    (header.payload && recv(fd, bytes, header.payload, MSG_WAITALL) <= 0))
			return;
		if (rand_u64(seed) % 4 == 0) {
			ask_beyond(rand_u64(seed), rand_u64(seed) % 64 + 1,
				   rand_u64(seed) % 2 ? VFIO_USER_DMA_READ : VFIO_USER_DMA_WRITE);
			(void)!send(fd, question, VFIO_USER_HEADER_SIZE + VFIO_USER_DMA_SIZE, MSG_NOSIGNAL);
		}
		size = (uint32_t)rand_u64(seed) % 400;
		for (uint32_t i = 0; i < size; i++)
			bytes[VFIO_USER_HEADER_SIZE + i] = rand_u64(seed) % 3 ? (uint8_t)rand_u64(seed) : 0;
		if (header.command == VFIO_USER_VERSION && rand_u64(seed) % 8)
			size = 4, memcpy(bytes + VFIO_USER_HEADER_SIZE, "\0\0\1\0", 4);
		if (header.command == VFIO_USER_DEVICE_GET_INFO && rand_u64(seed) % 8)
			size = 16, memcpy(bytes + VFIO_USER_HEADER_SIZE, "\20\0\0\0\3\0\0\0\11\0\0\0\5\0\0\0", 16);
		header.flags = rand_u64(seed) % 20 ? VFIO_USER_TYPE_REPLY : (uint32_t)rand_u64(seed);
		header.payload = size;
		vfio_user_header_write(&header, bytes);
		if (send(fd, bytes, VFIO_USER_HEADER_SIZE + size, MSG_NOSIGNAL) < 0)
			return;
	}
}

static void test_a_process_that_says_anything_does_no_harm(void **state)
{
	uint64_t seed = check_seed();
	unsigned before;
	int fd;

	(void)state;
	goes();
	before = open_fds();
	call(be_impatient);
	fd = listen_at(device_path);
	for (unsigned i = 0; i < 5; i++) {
		int one = accept(fd, NULL, NULL);

		babble(one, &seed);
		close(one);
	}
	close(fd);
	unlink(device_path);
	wait_for(VFIO_USER_IMPORT_ABSENT);
	assert_int_equal(read32(0, SAMPLE_ID), UINT32_MAX);
	for (unsigned i = 0; i < PATIENCE_MS && open_fds() > before; i++)
		nap();
	assert_true(open_fds() <= before);
	call(be_patient);
	comes(NO_PAGES);
}

/* Questions on a connection of our own, as a function that has taken leave of its bookkeeping asks them. */
static int32_t ask_through(int fd, uint64_t address, uint64_t size, uint16_t what)
{
	uint8_t reply[VFIO_USER_HEADER_SIZE + VFIO_USER_DMA_SIZE + 64];
	struct vfio_user_header header;

	ask_beyond(address, size, what);
	assert_true(send(fd, question, VFIO_USER_HEADER_SIZE + get_le32(question + 4) - VFIO_USER_HEADER_SIZE,
			 MSG_NOSIGNAL) > 0);
	assert_int_equal(recv(fd, reply, VFIO_USER_HEADER_SIZE, MSG_WAITALL), VFIO_USER_HEADER_SIZE);
	assert_int_equal(vfio_user_header_read(&header, reply, NULL), 0);
	if (header.payload)
		assert_int_equal(recv(fd, reply, header.payload, MSG_WAITALL), header.payload);
	assert_int_equal(header.id, 0x9999);
	assert_true(vfio_user_is_reply(&header));
	return header.flags & VFIO_USER_FLAG_ERROR ? (int32_t)header.error : 0;
}

/* The least that a function must say: answers the greeting, then the client's commands, with zeros and ones. */
static void answer_one(int fd)
{
	static uint8_t bytes[VFIO_USER_HEADER_SIZE + 8192];
	uint8_t *payload = bytes + VFIO_USER_HEADER_SIZE;
	struct vfio_user_header header;
	uint32_t index, count;

	assert_int_equal(recv(fd, bytes, VFIO_USER_HEADER_SIZE, MSG_WAITALL), VFIO_USER_HEADER_SIZE);
	assert_int_equal(vfio_user_header_read(&header, bytes, NULL), 0);
	memset(payload, 0, 8192);
	if (header.payload)
		assert_int_equal(recv(fd, payload, header.payload, MSG_WAITALL), header.payload);
	index = get_le32(payload + VFIO_USER_REGION_INDEX);
	count = get_le32(payload + VFIO_USER_ACCESS_COUNT);
	header.flags = VFIO_USER_TYPE_REPLY;
	switch (header.command) {
	case VFIO_USER_VERSION:
		header.payload = 4;
		break;
	case VFIO_USER_DEVICE_GET_INFO:
		memcpy(payload, "\20\0\0\0\3\0\0\0\11\0\0\0\5\0\0\0", 16);
		break;
	case VFIO_USER_DEVICE_GET_REGION_INFO:
		put_le64(payload + VFIO_USER_REGION_BYTES, index == 0 ? PAGE : index == CONFIG ? 256 : 0);
		break;
	case VFIO_USER_REGION_READ:
		if (get_le32(payload + VFIO_USER_ACCESS_REGION) == CONFIG)
			for (uint32_t i = 0; i < count; i++)
				payload[VFIO_USER_ACCESS_SIZE + i] =
					get_le64(payload) + i == SPEC_PCI_COMMAND ? SPEC_PCI_COMMAND_MASTER : 0;
		header.payload = VFIO_USER_ACCESS_SIZE + count;
		break;
	default:
		break;
	}
	vfio_user_header_write(&header, bytes);
	assert_true(send(fd, bytes, VFIO_USER_HEADER_SIZE + header.payload, MSG_NOSIGNAL) > 0);
}

static void *open_late(void *arg)
{
	(void)arg;
	open_client();
	assert_int_equal(vfio_user_client_map(client, window(VFIO_USER_MAP_READ)), 0);
	return NULL;
}

static void answer_until_mapped(int fd)
{
	uint8_t head[VFIO_USER_HEADER_SIZE] = { 0 };

	do {
		assert_int_equal(recv(fd, head, sizeof head, MSG_PEEK | MSG_WAITALL), sizeof head);
		answer_one(fd);
	} while (get_le16(head + VFIO_USER_HEADER_COMMAND) != VFIO_USER_DMA_MAP);
}

static void test_every_byte_beyond_what_is_granted_is_a_fault_of_the_function(void **state)
{
	pthread_t other;
	int fd, one;

	(void)state;
	vfio_user_client_close(client);
	client = NULL;
	goes();
	fd = listen_at(device_path);
	one = accept(fd, NULL, NULL);
	for (unsigned i = 0; i < 17; i++)
		answer_one(one);
	wait_for(VFIO_USER_IMPORT_PRESENT);
	assert_int_equal(ask_through(one, IOVA, 64, VFIO_USER_DMA_READ), EFAULT); /* there is no guest */
	assert_int_equal(pthread_create(&other, NULL, open_late, NULL), 0);
	answer_until_mapped(one);
	pthread_join(other, NULL);
	assert_int_equal(ask_through(one, IOVA, 64, VFIO_USER_DMA_READ), 0);
	assert_int_equal(ask_through(one, IOVA + MEMORY - 64, 64, VFIO_USER_DMA_READ), 0);
	assert_int_equal(ask_through(one, IOVA, 64, VFIO_USER_DMA_WRITE), EFAULT); /* it was lent for reading */
	assert_int_equal(ask_through(one, IOVA + MEMORY - 63, 64, VFIO_USER_DMA_READ), EFAULT);
	assert_int_equal(ask_through(one, IOVA - 1, 64, VFIO_USER_DMA_READ), EFAULT);
	assert_int_equal(ask_through(one, UINT64_MAX - 8, 64, VFIO_USER_DMA_READ), EFAULT);
	assert_int_equal(ask_through(one, IOVA, 0, VFIO_USER_DMA_READ), EINVAL);
	assert_int_equal(ask_through(one, IOVA, UINT64_MAX, VFIO_USER_DMA_READ), EINVAL);
	assert_int_equal(ask_through(one, IOVA, 64, VFIO_USER_DMA_MAP), ENOTSUP);
	assert_true(memory[0] == 0 && memory[MEMORY - 1] == 0);
	assert_true(faults() >= 3);
	close(one);
	close(fd);
	unlink(device_path);
	wait_for(VFIO_USER_IMPORT_ABSENT);
	comes(NO_PAGES);
}

int main(void)
{
#define T(name, begin) cmocka_unit_test_setup_teardown(name, begin, finish)
	const struct CMUnitTest tests[] = {
		T(test_a_client_sees_the_function_as_it_is, guarded),
		T(test_mapped_pieces_are_passed_on, guarded_with_pages),
		T(test_accesses_beyond_a_region_are_refused_here, guarded),
		T(test_a_guarded_function_reaches_what_is_granted_and_nothing_else, guarded),
		T(test_every_byte_beyond_what_is_granted_is_a_fault_of_the_function, guarded),
		T(test_a_trusted_function_is_given_the_memory_itself, trusted),
		T(test_a_function_that_needs_descriptors_is_refused_when_it_is_guarded, guarded),
		T(test_a_function_that_needs_descriptors_is_imported_when_it_is_trusted, NULL),
		T(test_memory_that_is_lent_by_messages_is_reached_through_both, guarded),
		T(test_a_function_that_is_no_bus_master_reaches_nothing, guarded),
		T(test_a_vector_signals_the_clients_descriptor, guarded),
		T(test_a_state_is_saved_and_loaded_and_a_reset_reaches_it, guarded),
		T(test_bars_are_the_clients_own, guarded),
		T(test_what_one_client_granted_the_next_has_not, guarded),
		T(test_accesses_end_while_the_function_is_away_and_it_returns_as_it_was, guarded),
		T(test_a_client_with_mapped_pieces_connects_again_when_it_returns, guarded_with_pages),
		T(test_a_quarantined_function_is_cut_off_until_it_is_released, guarded),
		T(test_a_process_that_never_answers_is_dead_and_nobody_waits_for_it, guarded),
		T(test_a_process_that_ends_with_a_question_unread_is_dialled_again_without_patience, guarded),
		T(test_a_process_that_says_anything_does_no_harm, guarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
