#include "attach/vfio_user_side_test.h"

static void test_a_version_without_text_is_answered_with_text_that_ends_in_nul(void **state)
{
	struct vfio_user_limits limits;

	(void)state;
	assert_int_equal(version(NULL), 0);
	assert_int_equal(get_le16(got_bytes), 0);
	assert_int_equal(get_le16(got_bytes + 2), 1);
	assert_int_equal(got_bytes[got.payload - 1], 0);
	assert_int_equal(strlen((char *)got_bytes + 4) + 5, got.payload);
	assert_int_equal(vfio_user_version_read(&limits, got_bytes, got.payload, NULL), 0);
	assert_int_equal(limits.transfer, 1 << 20);
	assert_false(limits.write_multi);
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC);
}

static void test_nothing_is_served_before_the_version_and_no_second_one(void **state)
{
	uint8_t v2[4] = { 1, 0, 1, 0 };

	(void)state;
	assert_int_equal(region_read(0, 0, 4), EINVAL);
	assert_int_equal(ask(VFIO_USER_VERSION, v2, 4), EINVAL); /* major 1 */
	assert_int_equal(version("[1]"), EINVAL);
	assert_int_equal(version("{\"capabilities\":{\"max_msg_fds\":0}}"), EINVAL);
	assert_int_equal(version("{\"capabilities\":{\"migration\":{\"pgsize\":4096}},\"x\":1}"), 0);
	assert_int_equal(version(NULL), EINVAL);
	assert_string_equal(last_event, "refused");
}

static void test_the_function_describes_itself_as_vfio_does(void **state)
{
	uint8_t payload[4064] = { 0 };

	(void)state;
	negotiate();
	put_le32(payload, 16);
	assert_int_equal(ask(VFIO_USER_DEVICE_GET_INFO, payload, 16), 0);
	assert_int_equal(got.payload, 16);
	assert_int_equal(get_le32(got_bytes + VFIO_USER_INFO_FLAGS), 3);
	assert_int_equal(get_le32(got_bytes + VFIO_USER_INFO_REGIONS), 9);
	assert_int_equal(get_le32(got_bytes + VFIO_USER_INFO_IRQS), 5);
	for (unsigned i = 0; i < 9; i++) { /* with room behind it, as clients send it */
		put_le32(payload, sizeof payload);
		put_le32(payload + VFIO_USER_REGION_INDEX, i);
		assert_int_equal(ask(VFIO_USER_DEVICE_GET_REGION_INFO, payload, sizeof payload), 0);
		assert_int_equal(get_le64(got_bytes + VFIO_USER_REGION_BYTES),
				 i == 0 ? SAMPLE_BAR0 : i == 4 ? SAMPLE_BAR4 : i == 7 ? 4096 : 0);
		assert_int_equal(got_fd_count, i == 0);
		if (i == 0)
			close(got_fds[0]);
	}
	put_le32(payload + VFIO_USER_REGION_INDEX, 9);
	assert_int_equal(ask(VFIO_USER_DEVICE_GET_REGION_INFO, payload, 32), EINVAL);
	for (unsigned i = 0; i < 5; i++) {
		put_le32(payload + VFIO_USER_IRQ_INDEX, i);
		assert_int_equal(ask(VFIO_USER_DEVICE_GET_IRQ_INFO, payload, 16), 0);
		assert_int_equal(get_le32(got_bytes + VFIO_USER_IRQ_COUNT), i == 2 ? SAMPLE_VECTORS : i == 0);
		assert_int_equal(get_le32(got_bytes + VFIO_USER_IRQ_FLAGS),
				 i == 2 ? VFIO_USER_IRQ_EVENTFD | VFIO_USER_IRQ_MASKABLE
				 : i == 0 ? VFIO_USER_IRQ_EVENTFD | VFIO_USER_IRQ_MASKABLE |
						   VFIO_USER_IRQ_AUTOMASKED
					  : 0);
	}
	put_le32(payload + VFIO_USER_IRQ_INDEX, 5);
	assert_int_equal(ask(VFIO_USER_DEVICE_GET_IRQ_INFO, payload, 16), EINVAL);
	put_le32(payload, 8);
	assert_int_equal(ask(VFIO_USER_DEVICE_GET_INFO, payload, 16), EINVAL);
}

static void test_a_region_has_one_sparse_area_and_one_descriptor_that_can_be_mapped(void **state)
{
	uint8_t payload[256] = { 0 };
	const uint8_t *cap;
	uint64_t offset;
	uint8_t *page;

	(void)state;
	negotiate();
	put_le32(payload, 32); /* too little room: the needed size, and no capability */
	assert_int_equal(ask(VFIO_USER_DEVICE_GET_REGION_INFO, payload, 32), 0);
	assert_int_equal(get_le32(got_bytes), 64);
	assert_int_equal(got.payload, 32);
	assert_int_equal(get_le32(got_bytes + VFIO_USER_REGION_CAPS), 32); /* where they would be */
	put_le32(payload, 64);
	assert_int_equal(ask(VFIO_USER_DEVICE_GET_REGION_INFO, payload, 64), 0);
	assert_int_equal(got.payload, 64);
	assert_int_equal(got_fd_count, 1);
	assert_int_equal(get_le32(got_bytes + VFIO_USER_REGION_FLAGS), 0xf);
	cap = got_bytes + get_le32(got_bytes + VFIO_USER_REGION_CAPS);
	assert_int_equal(get_le16(cap), VFIO_USER_CAP_SPARSE_MMAP);
	assert_int_equal(get_le16(cap + 2), 1);
	assert_int_equal(get_le32(cap + VFIO_USER_SPARSE_AREAS), 1);
	assert_int_equal(get_le64(cap + 16), SAMPLE_PAGE_AT);
	assert_int_equal(get_le64(cap + 24), SAMPLE_PAGE);
	offset = get_le64(got_bytes + VFIO_USER_REGION_OFFSET) + get_le64(cap + 16);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, got_fds[0], (off_t)offset);
	assert_true(page != MAP_FAILED);
	put_le32(page + 8, 4711);
	assert_int_equal(read32(0, SAMPLE_PAGE_AT + 8), 4711);
	assert_int_equal(ftruncate(got_fds[0], 0), -1); /* it cannot be taken from under us */
	munmap(page, PAGE);
	close(got_fds[0]);
}

static void test_regions_are_read_and_written_and_never_beyond_their_end(void **state)
{
	uint8_t data[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	(void)state;
	negotiate();
	write32(0, SAMPLE_SCRATCH, 0xcafe);
	assert_int_equal(read32(0, SAMPLE_SCRATCH), 0xcafe);
	assert_int_equal(region_write(0, SAMPLE_ADDRESS, 8, data), 0);
	assert_int_equal(got.payload, VFIO_USER_ACCESS_SIZE);
	assert_int_equal(read32(0, SAMPLE_ADDRESS + 4), 0x08070605);
	assert_int_equal(region_read(0, 0, SAMPLE_BAR0), 0);
	assert_int_equal(got.payload, VFIO_USER_ACCESS_SIZE + SAMPLE_BAR0);
	assert_int_equal(region_read(0, 0, 0), 0);
	assert_int_equal(region_read(0, 1, SAMPLE_BAR0), EINVAL);
	assert_int_equal(region_read(0, UINT64_MAX, 4), EINVAL);
	assert_int_equal(region_read(1, 0, 4), EINVAL);
	assert_int_equal(region_read(99, 0, 4), EINVAL);
	assert_int_equal(region_read(0, 0, UINT32_MAX), EINVAL);
	assert_int_equal(region_write(7, 4096, 1, data), EINVAL);
	put_le32(data, 12);
	/* A count that the message does not bring. */
	assert_int_equal(ask(VFIO_USER_REGION_WRITE, (uint8_t[16]){ [12] = 64 }, 16), EINVAL);
}

static void test_several_writes_in_one_message_are_all_made_or_none(void **state)
{
	uint8_t payload[VFIO_USER_MULTI_FIRST + 2 * VFIO_USER_MULTI_SIZE] = { 2 };
	uint8_t *second = payload + VFIO_USER_MULTI_FIRST + VFIO_USER_MULTI_SIZE;

	(void)state;
	negotiate();
	put_le64(payload + VFIO_USER_MULTI_FIRST, SAMPLE_SCRATCH);
	put_le32(payload + VFIO_USER_MULTI_FIRST + 12, 4);
	put_le32(payload + VFIO_USER_MULTI_FIRST + 16, 77);
	put_le64(second, SAMPLE_BUSY);
	put_le32(second + 12, 4);
	assert_int_equal(ask(VFIO_USER_REGION_WRITE_MULTI, payload, sizeof payload), 0);
	assert_int_equal(get_le64(got_bytes), 2);
	assert_int_equal(read32(0, SAMPLE_SCRATCH), 77);
	put_le32(payload + VFIO_USER_MULTI_FIRST + 16, 78);
	put_le32(second + 12, 9);
	assert_int_equal(ask(VFIO_USER_REGION_WRITE_MULTI, payload, sizeof payload), EINVAL);
	put_le32(second + 12, 4);
	put_le64(payload, 3);
	assert_int_equal(ask(VFIO_USER_REGION_WRITE_MULTI, payload, sizeof payload), EINVAL);
	put_le64(payload, UINT64_MAX);
	assert_int_equal(ask(VFIO_USER_REGION_WRITE_MULTI, payload, sizeof payload), EINVAL);
	assert_int_equal(read32(0, SAMPLE_SCRATCH), 77);
}

static void test_a_window_is_reached_at_high_addresses_and_ends_when_it_is_unmapped(void **state)
{
	(void)state;
	negotiate();
	master();
	for (unsigned i = 0; i < MEMORY; i++)
		memory[i] = (uint8_t)i;
	assert_int_equal(dma_map(IOVA, MEMORY, 0, 3, memory_fd), 0);
	assert_int_equal(transfer(SAMPLE_FETCH, IOVA + PAGE, PAGE), 0);
	assert_int_equal(read32(0, SAMPLE_SUM), 16 * 255 * 128);
	assert_int_equal(transfer(SAMPLE_FETCH, IOVA + MEMORY - 8, 9), EFAULT);
	assert_int_equal(transfer(SAMPLE_FETCH, IOVA - 1, 1), EFAULT);
	assert_int_equal(dma_unmap(IOVA, MEMORY, 0), 0);
	assert_int_equal(got.payload, VFIO_USER_UNMAP_SIZE);
	assert_int_equal(transfer(SAMPLE_FETCH, IOVA + PAGE, PAGE), EFAULT);
	assert_int_equal(dma_unmap(IOVA, MEMORY, 0), 0); /* as good as unmapped */
	assert_true(counter_get(&sample.blocked) > 0);
}

static void test_access_to_a_window_is_as_it_was_granted(void **state)
{
	(void)state;
	negotiate();
	master();
	assert_int_equal(dma_map(0, PAGE, 0, 1, memory_fd), 0);
	assert_int_equal(dma_map(PAGE, PAGE, PAGE, 2, memory_fd), 0);
	assert_int_equal(transfer(SAMPLE_FETCH, 0, 8), 0);
	assert_int_equal(transfer(SAMPLE_STORE, 0, 8), EFAULT);
	assert_int_equal(transfer(SAMPLE_STORE, PAGE, 8), 0);
	assert_int_equal(transfer(SAMPLE_FETCH, PAGE, 8), EFAULT);
}

static void test_windows_that_cannot_be_are_refused(void **state)
{
	(void)state;
	negotiate();
	assert_int_equal(dma_map(0, 0, 0, 3, memory_fd), EINVAL);
	assert_int_equal(dma_map(0, PAGE + 1, 0, 3, memory_fd), EINVAL);
	assert_int_equal(dma_map(1, PAGE, 0, 3, memory_fd), EINVAL);
	assert_int_equal(dma_map(UINT64_MAX - PAGE + 1, 2 * PAGE, 0, 3, memory_fd), EINVAL);
	assert_int_equal(dma_map(0, PAGE, 0, 0, memory_fd), EINVAL);
	assert_int_equal(dma_map(0, PAGE, 0, 7, memory_fd), EINVAL);
	assert_int_equal(dma_map(0, PAGE, MEMORY, 3, memory_fd), EINVAL);
	assert_int_equal(dma_map(0, PAGE, UINT64_MAX - PAGE + 1, 3, memory_fd), EINVAL);
	assert_int_equal(dma_map(0, 4 * PAGE, 0, 3, memory_fd), 0);
	assert_int_equal(dma_map(0, 4 * PAGE, 0, 3, memory_fd), EEXIST);
	assert_int_equal(dma_map(3 * PAGE, 2 * PAGE, 0, 3, memory_fd), EEXIST);
	assert_int_equal(dma_map(PAGE, PAGE, 0, 3, memory_fd), EEXIST);
	assert_int_equal(dma_unmap(0, PAGE, 0), EINVAL);
	assert_int_equal(dma_unmap(PAGE, 8 * PAGE, 0), EINVAL);
	assert_int_equal(dma_unmap(0, 0, 0), EINVAL);
	assert_int_equal(dma_unmap(0, UINT64_MAX, 1), EINVAL);
	assert_int_equal(sample.dma.region_count, 1);
}

static void test_an_unmap_ends_all_windows_that_lie_in_it_and_unmap_all_all(void **state)
{
	(void)state;
	negotiate();
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(dma_map(i * 2 * PAGE, PAGE, i * PAGE, 3, memory_fd), 0);
	assert_int_equal(dma_unmap(PAGE, 4 * PAGE, 0), 0);
	assert_int_equal(sample.dma.region_count, 6);
	assert_int_equal(dma_unmap(0, PAGE, 2), EINVAL);
	assert_int_equal(dma_unmap(0, 0, 2), 0);
	assert_int_equal(sample.dma.region_count, 0);
	assert_int_equal(dma_unmap(0, 0, 2), 0);
}

static void test_a_descriptor_that_comes_with_an_unmap_is_closed(void **state)
{
	uint8_t payload[VFIO_USER_UNMAP_SIZE] = { 24 };
	unsigned before;

	(void)state;
	negotiate();
	before = open_fds();
	put_le64(payload + VFIO_USER_UNMAP_BYTES, PAGE);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(dma_map(0, PAGE, 0, 3, memory_fd), 0);
		assert_int_equal(ask_with(VFIO_USER_DMA_UNMAP, payload, sizeof payload, &memory_fd, 1), 0);
	}
	assert_int_equal(ask_with(VFIO_USER_DEVICE_RESET, NULL, 0, &memory_fd, 1), EINVAL);
	assert_int_equal(open_fds(), before);
}

/* The client serves one DMA message of the server's. */
static void serve_dma(uint8_t *bytes, uint64_t base)
{
	uint64_t address, count;
	uint32_t size = VFIO_USER_DMA_SIZE;

	assert_true(hear_message());
	assert_int_equal(got.flags & VFIO_USER_TYPE_MASK, VFIO_USER_TYPE_COMMAND);
	address = get_le64(got_bytes);
	count = get_le64(got_bytes + 8);
	memcpy(outgoing + VFIO_USER_HEADER_SIZE, got_bytes, 16);
	if (got.command == VFIO_USER_DMA_READ) {
		memcpy(outgoing + VFIO_USER_HEADER_SIZE + 16, bytes + (address - base), count);
		size += (uint32_t)count;
	} else {
		assert_int_equal(got.command, VFIO_USER_DMA_WRITE);
		memcpy(bytes + (address - base), got_bytes + 16, count);
	}
	got.flags = VFIO_USER_TYPE_REPLY;
	got.payload = size;
	vfio_user_header_write(&got, outgoing);
	for (uint32_t sent = 0; sent < VFIO_USER_HEADER_SIZE + size;) {
		ssize_t n = send(client, outgoing + sent, VFIO_USER_HEADER_SIZE + size - sent, MSG_NOSIGNAL);

		if (n > 0)
			sent += (uint32_t)n;
		turn(1);
	}
}

static void test_the_servers_questions_and_the_clients_may_cross(void **state)
{
	static uint8_t theirs[3 << 20];
	uint8_t fetch[VFIO_USER_ACCESS_SIZE + 4] = { 0 };
	uint32_t sum = 0;

	(void)state;
	negotiate();
	master();
	assert_int_equal(dma_map(IOVA, sizeof theirs, 0, 3, -1), 0);
	assert_int_equal(transfer(SAMPLE_FETCH, IOVA, 8), EFAULT); /* there is no memory of ours */
	for (unsigned i = 0; i < sizeof theirs; i++)
		sum += theirs[i] = (uint8_t)(i * 13);
	write32(0, SAMPLE_ADDRESS + 4, (uint32_t)(IOVA >> 32));
	write32(0, SAMPLE_SIZE, sizeof theirs);
	put_le64(fetch, SAMPLE_COMMAND);
	put_le32(fetch + 12, 4);
	put_le32(fetch + 16, SAMPLE_ASK_FETCH);
	assert_int_equal(ask(VFIO_USER_REGION_WRITE, fetch, sizeof fetch), 0);
	serve_dma(theirs, IOVA); /* 1 MiB each */
	serve_dma(theirs, IOVA);
	put_le32(fetch + 16, 0);
	say(VFIO_USER_REGION_WRITE, fetch, sizeof fetch, NULL, 0); /* one of ours in between */
	serve_dma(theirs, IOVA);
	assert_true(hear_message());
	assert_int_equal(got.command, VFIO_USER_REGION_WRITE);
	assert_int_equal(read32(0, SAMPLE_RESULT), 0);
	assert_int_equal(read32(0, SAMPLE_SUM), sum);
	memset(theirs, 0, sizeof theirs);
	put_le32(fetch + 16, SAMPLE_ASK_STORE);
	assert_int_equal(ask(VFIO_USER_REGION_WRITE, fetch, sizeof fetch), 0);
	for (unsigned i = 0; i < 3; i++)
		serve_dma(theirs, IOVA);
	assert_int_equal(read32(0, SAMPLE_RESULT), 0);
	for (unsigned i = 0; i < sizeof theirs; i++)
		sum -= theirs[i];
	assert_int_equal(sum, 0);
}

static void test_a_question_ends_with_its_window_and_with_the_client(void **state)
{
	struct vfio_user_header reply = { .command = VFIO_USER_DMA_READ, .flags = VFIO_USER_TYPE_REPLY };
	uint8_t fetch[VFIO_USER_ACCESS_SIZE + 4] = { SAMPLE_COMMAND };

	(void)state;
	negotiate();
	assert_int_equal(dma_map(0, PAGE, 0, 1, -1), 0);
	assert_int_equal(transfer(SAMPLE_ASK_STORE, 0, PAGE), EFAULT); /* not for writing */
	assert_int_equal(transfer(SAMPLE_ASK_FETCH, PAGE, 1), EFAULT);
	put_le32(fetch + 12, 4);
	put_le32(fetch + 16, SAMPLE_ASK_FETCH);
	write32(0, SAMPLE_ADDRESS, 0);
	write32(0, SAMPLE_SIZE, PAGE);
	assert_int_equal(ask(VFIO_USER_REGION_WRITE, fetch, sizeof fetch), 0);
	assert_true(hear_message());
	assert_int_equal(got.command, VFIO_USER_DMA_READ);
	reply.id = got.id;
	reply.flags |= VFIO_USER_FLAG_ERROR;
	reply.error = EIO;
	vfio_user_header_write(&reply, outgoing);
	send_raw(outgoing, VFIO_USER_HEADER_SIZE, NULL, 0);
	send_raw(outgoing, VFIO_USER_HEADER_SIZE, NULL, 0); /* a reply that nobody asked for */
	assert_int_equal(read32(0, SAMPLE_RESULT), EIO);
	assert_int_equal(ask(VFIO_USER_REGION_WRITE, fetch, sizeof fetch), 0);
	close(client);
	turn(4);
	assert_int_equal(sample.resets, 1);
	client = dial();
	negotiate();
	assert_int_equal(read32(0, SAMPLE_RESULT), 0);
}

/* Interrupts. */

static int set_irqs(uint32_t flags, uint32_t index, uint32_t start, uint32_t count, const int *fds,
		    unsigned fd_count)
{
	uint8_t payload[VFIO_USER_SET_SIZE + 4] = { sizeof payload };

	put_le32(payload + 4, flags);
	put_le32(payload + 8, index);
	put_le32(payload + 12, start);
	put_le32(payload + 16, count);
	memset(payload + 20, 1, 4);
	return ask_with(VFIO_USER_DEVICE_SET_IRQS, payload, sizeof payload, fds, fd_count);
}

static uint64_t count_of(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof n) == sizeof n ? n : 0;
}

enum {
	NONE = VFIO_USER_SET_DATA_NONE,
	BOOL = VFIO_USER_SET_DATA_BOOL,
	EVENTFD = VFIO_USER_SET_DATA_EVENTFD,
	TRIGGER = VFIO_USER_SET_TRIGGER,
	MASK = VFIO_USER_SET_MASK,
	UNMASK = VFIO_USER_SET_UNMASK,
	MSIX = VFIO_USER_IRQ_MSIX,
	INTX = VFIO_USER_IRQ_INTX,
};

static void test_vectors_signal_their_eventfds_and_are_masked_by_messages(void **state)
{
	int fds[2] = { eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK) };

	(void)state;
	negotiate();
	master();
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, MSIX, 3, 2, fds, 2), 0);
	write32(0, SAMPLE_VECTOR, 4);
	write32(0, SAMPLE_VECTOR, 5); /* goes nowhere */
	assert_int_equal(count_of(fds[0]), 0);
	assert_int_equal(count_of(fds[1]), 1);
	assert_int_equal(set_irqs(NONE | MASK, MSIX, 3, 2, NULL, 0), 0);
	write32(0, SAMPLE_VECTOR, 4);
	assert_int_equal(count_of(fds[1]), 0);
	assert_int_equal(read32(4, SAMPLE_PBA_AT), 1 << 4);
	assert_int_equal(set_irqs(BOOL | UNMASK, MSIX, 3, 2, NULL, 0), 0);
	assert_int_equal(count_of(fds[1]), 1);
	assert_int_equal(set_irqs(NONE | TRIGGER, MSIX, 3, 2, NULL, 0), 0);
	assert_int_equal(count_of(fds[0]), 1);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, MSIX, 4, 1, NULL, 0), 0); /* taken away */
	write32(0, SAMPLE_VECTOR, 4);
	assert_int_equal(count_of(fds[1]), 1); /* the trigger's alone */
	assert_int_equal(set_irqs(NONE | TRIGGER, MSIX, 0, 0, NULL, 0), 0);
	write32(0, SAMPLE_VECTOR, 3);
	assert_int_equal(count_of(fds[0]), 0);
	close(fds[0]);
	close(fds[1]);
}

static void test_intx_masks_itself_and_comes_again_while_its_reason_is_there(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	(void)state;
	negotiate();
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, INTX, 0, 1, &fd, 1), 0);
	assert_int_equal(count_of(fd), 0);
	write32(0, SAMPLE_LEVEL, 1);
	write32(0, SAMPLE_LEVEL, 2);
	assert_int_equal(count_of(fd), 1); /* it masked itself */
	assert_int_equal(set_irqs(NONE | UNMASK, INTX, 0, 1, NULL, 0), 0);
	assert_int_equal(count_of(fd), 1); /* nobody has acknowledged it */
	write32(0, SAMPLE_LEVEL, 0);
	assert_int_equal(set_irqs(BOOL | UNMASK, INTX, 0, 1, NULL, 0), 0);
	assert_int_equal(count_of(fd), 0);
	assert_int_equal(set_irqs(NONE | MASK, INTX, 0, 1, NULL, 0), 0);
	write32(0, SAMPLE_LEVEL, 1);
	assert_int_equal(count_of(fd), 0);
	assert_int_equal(set_irqs(NONE | UNMASK, INTX, 0, 1, NULL, 0), 0);
	assert_int_equal(count_of(fd), 1);
	assert_int_equal(set_irqs(NONE | TRIGGER, INTX, 0, 1, NULL, 0), 0); /* a test of the way */
	assert_int_equal(count_of(fd), 1);
	assert_int_equal(set_irqs(NONE | TRIGGER, INTX, 0, 0, NULL, 0), 0); /* taken away */
	write32(0, SAMPLE_LEVEL, 1);
	assert_int_equal(count_of(fd), 0);
	close(fd);
}

static void test_who_takes_intx_late_is_told_at_once(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK), other = eventfd(0, EFD_NONBLOCK);

	(void)state;
	negotiate();
	write32(0, SAMPLE_LEVEL, 1);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, INTX, 0, 1, &fd, 1), 0);
	assert_int_equal(count_of(fd), 1);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, INTX, 0, 1, &other, 1), 0);
	assert_int_equal(count_of(fd), 0);
	assert_int_equal(count_of(other), 1);
	close(fd);
	close(other);
}

static void test_intx_is_off_while_messages_are_taken(void **state)
{
	int line = eventfd(0, EFD_NONBLOCK), vector = eventfd(0, EFD_NONBLOCK);

	(void)state;
	negotiate();
	master();
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, INTX, 0, 1, &line, 1), 0);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, MSIX, 0, 1, &vector, 1), 0);
	write32(0, SAMPLE_LEVEL, 1);
	assert_int_equal(count_of(line), 0);
	write32(0, SAMPLE_VECTOR, 0);
	assert_int_equal(count_of(vector), 1);
	assert_int_equal(set_irqs(NONE | TRIGGER, MSIX, 0, 0, NULL, 0), 0);
	assert_int_equal(count_of(line), 1); /* its reason was there all the time */
	close(line);
	close(vector);
}

static void test_interrupts_that_cannot_be_set_so_are_refused_and_leak_nothing(void **state)
{
	int fds[2] = { eventfd(0, 0), eventfd(0, 0) }, wrong = memory_fd;
	unsigned before;

	(void)state;
	negotiate();
	before = open_fds();
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, MSIX, 7, 2, fds, 2), EINVAL);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, MSIX, UINT32_MAX, 2, fds, 2), EINVAL);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, MSIX, 0, UINT32_MAX, NULL, 0), EINVAL);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, MSIX, 0, 3, fds, 2), EINVAL);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, MSIX, 0, 1, &wrong, 1), EINVAL);
	assert_int_equal(set_irqs(EVENTFD | MASK, MSIX, 0, 2, fds, 2), ENOTSUP);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, INTX, 0, 2, fds, 2), EINVAL);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, INTX, 1, 1, fds, 1), EINVAL);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, INTX, 0, 1, &wrong, 1), EINVAL);
	assert_int_equal(set_irqs(EVENTFD | UNMASK, INTX, 0, 1, fds, 1), ENOTSUP);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, VFIO_USER_IRQ_MSI, 0, 1, fds, 1), EINVAL);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, 9, 0, 1, fds, 1), EINVAL);
	assert_int_equal(set_irqs(EVENTFD | NONE | TRIGGER, MSIX, 0, 1, fds, 1), EINVAL);
	assert_int_equal(set_irqs(NONE, MSIX, 0, 1, NULL, 0), EINVAL);
	assert_int_equal(set_irqs(BOOL | MASK, MSIX, 0, 5, NULL, 0), EINVAL); /* four bytes come */
	assert_int_equal(open_fds(), before);
	close(fds[0]);
	close(fds[1]);
}

static void test_an_eventfd_that_blocks_is_not_waited_for(void **state)
{
	int fd = eventfd(0, 0); /* blocking, and full */
	uint64_t full = UINT64_MAX - 1;

	(void)state;
	negotiate();
	master();
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, MSIX, 0, 1, &fd, 1), 0);
	assert_int_equal(write(fd, &full, sizeof full), sizeof full);
	write32(0, SAMPLE_VECTOR, 0);
	write32(0, SAMPLE_VECTOR, 0);
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC);
	close(fd);
}

static void test_doorbells_can_be_rung_by_descriptors(void **state)
{
	uint8_t payload[VFIO_USER_IO_FDS_SIZE] = { VFIO_USER_IO_FDS_SIZE };
	uint64_t one = 1;

	(void)state;
	negotiate();
	assert_int_equal(ask(VFIO_USER_DEVICE_GET_REGION_IO_FDS, payload, sizeof payload), 0);
	assert_int_equal(get_le32(got_bytes), 16 + 4 * 40);
	assert_int_equal(got.payload, 16);
	assert_int_equal(got_fd_count, 0);
	put_le32(payload, 4096);
	assert_int_equal(ask(VFIO_USER_DEVICE_GET_REGION_IO_FDS, payload, sizeof payload), 0);
	assert_int_equal(got.payload, 16 + 4 * 40);
	assert_int_equal(get_le32(got_bytes + 12), SAMPLE_DOORBELLS);
	assert_int_equal(got_fd_count, SAMPLE_DOORBELLS);
	assert_int_equal(get_le64(got_bytes + 16 + 40), SAMPLE_DOORBELLS_AT + 4);
	assert_int_equal(get_le32(got_bytes + 16 + 40 + VFIO_USER_SUB_FD_INDEX), 1);
	assert_int_equal(write(got_fds[2], &one, sizeof one), sizeof one);
	for (unsigned i = 0; i < got_fd_count; i++)
		close(got_fds[i]);
	turn(2);
	assert_int_equal(read32(0, SAMPLE_RINGS), 1);
	put_le32(payload + VFIO_USER_IO_FDS_INDEX, 4); /* a region without */
	assert_int_equal(ask(VFIO_USER_DEVICE_GET_REGION_IO_FDS, payload, sizeof payload), 0);
	assert_int_equal(get_le32(got_bytes + 12), 0);
	put_le32(payload + VFIO_USER_IO_FDS_INDEX, 9);
	assert_int_equal(ask(VFIO_USER_DEVICE_GET_REGION_IO_FDS, payload, sizeof payload), EINVAL);
}

static int watched[SAMPLE_DOORBELLS];
static unsigned watched_count;

static void watch(void *owner, int fd)
{
	(void)owner;
	assert_true(watched_count < SAMPLE_DOORBELLS);
	watched[watched_count++] = fd;
}

static void unwatch(void *owner, int fd)
{
	(void)owner;
	assert_true(watched_count > 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC); /* it is open yet */
	for (unsigned i = 0; i < watched_count; i++)
		if (watched[i] == fd)
			watched[i] = watched[watched_count - 1];
	watched_count--;
}

static void test_doorbells_that_a_worker_watches_are_counted_when_it_is_looked(void **state)
{
	uint8_t payload[VFIO_USER_IO_FDS_SIZE] = { 0 };
	struct pollfd ready = { .events = POLLIN };
	uint64_t one = 1;

	(void)state;
	vfio_user_destroy(server);
	close(client);
	side_host = (struct vfio_user_host){ .watch = watch, .unwatch = unwatch };
	start_server();
	client = dial();
	negotiate();
	put_le32(payload, 4096);
	assert_int_equal(ask(VFIO_USER_DEVICE_GET_REGION_IO_FDS, payload, sizeof payload), 0);
	assert_int_equal(watched_count, SAMPLE_DOORBELLS);
	assert_int_equal(write(got_fds[1], &one, sizeof one), sizeof one);
	for (unsigned i = 0; i < got_fd_count; i++)
		close(got_fds[i]);
	ready.fd = watched[1];
	assert_int_equal(poll(&ready, 1, 0), 1); /* so it wakes whoever has it in an epoll */
	turn(3);
	assert_int_equal(read32(0, SAMPLE_RINGS), 0);
	vfio_user_look(server);
	assert_int_equal(read32(0, SAMPLE_RINGS), 1);
	vfio_user_look(server);
	assert_int_equal(read32(0, SAMPLE_RINGS), 1);
	close(client);
	client = -1;
	turn(4);
	assert_int_equal(watched_count, 0);
	side_host = (struct vfio_user_host){ 0 };
}

static void test_a_reset_resets_the_function_and_keeps_windows_and_descriptors(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	(void)state;
	negotiate();
	assert_int_equal(dma_map(0, PAGE, 0, 3, memory_fd), 0);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, MSIX, 1, 1, &fd, 1), 0);
	write32(0, SAMPLE_SCRATCH, 5);
	assert_int_equal(ask(VFIO_USER_DEVICE_RESET, NULL, 0), 0);
	assert_int_equal(sample.resets, 1);
	assert_int_equal(sample.last_reset, PCI_RESET_FUNCTION);
	assert_int_equal(read32(0, SAMPLE_SCRATCH), 0);
	master();
	assert_int_equal(transfer(SAMPLE_FETCH, 0, 8), 0);
	write32(0, SAMPLE_VECTOR, 1);
	assert_int_equal(count_of(fd), 1);
	close(fd);
}

static void test_an_unmap_waits_for_what_is_under_way(void **state)
{
	uint8_t unmap[VFIO_USER_UNMAP_SIZE] = { 24 };

	(void)state;
	negotiate();
	assert_int_equal(dma_map(0, PAGE, 0, 3, memory_fd), 0);
	sample.registers[SAMPLE_BUSY / 4] = 100000; /* does not end in an instant */
	put_le64(unmap + VFIO_USER_UNMAP_BYTES, PAGE);
	say(VFIO_USER_DMA_UNMAP, unmap, sizeof unmap, NULL, 0);
	say(VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0); /* waits behind it */
	turn(3);
	assert_int_equal(sample.dma.region_count, 1);
	assert_true(sample.quiesces > 0);
	assert_int_equal(sample.resumes, 0);
	sample.registers[SAMPLE_BUSY / 4] = 0;
	assert_true(hear_message());
	assert_int_equal(got.command, VFIO_USER_DMA_UNMAP);
	assert_int_equal(got.flags & VFIO_USER_FLAG_ERROR, 0);
	assert_int_equal(sample.dma.region_count, 0);
	assert_true(hear_message());
	assert_int_equal(got.command, VFIO_USER_DEVICE_RESET);
	assert_int_equal(sample.resumes, sample.quiesces);
}

static void test_a_client_that_goes_gives_everything_back_once_the_function_is_quiet(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	unsigned before = open_fds();

	(void)state;
	negotiate();
	assert_int_equal(dma_map(0, PAGE, 0, 3, memory_fd), 0);
	assert_int_equal(set_irqs(EVENTFD | TRIGGER, MSIX, 1, 1, &fd, 1), 0);
	sample.registers[SAMPLE_BUSY / 4] = 1 << 30;
	close(client);
	turn(4);
	assert_string_equal(last_event, "disconnected");
	assert_int_equal(sample.dma.region_count, 1);
	sample.registers[SAMPLE_BUSY / 4] = 0;
	for (unsigned i = 0; i < 100 && sample.dma.region_count; i++) {
		usleep(1000);
		turn(1);
	}
	assert_int_equal(sample.dma.region_count, 0);
	assert_int_equal(sample.last_reset, PCI_RESET_LOST);
	turn(3);
	assert_int_equal(open_fds(), before - 2); /* both ends of the connection are closed */
	client = dial();
	negotiate();
	assert_int_equal(read32(0, SAMPLE_ID), SAMPLE_MAGIC);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fresh, stop)
		T(test_a_version_without_text_is_answered_with_text_that_ends_in_nul),
		T(test_nothing_is_served_before_the_version_and_no_second_one),
		T(test_the_function_describes_itself_as_vfio_does),
		T(test_a_region_has_one_sparse_area_and_one_descriptor_that_can_be_mapped),
		T(test_regions_are_read_and_written_and_never_beyond_their_end),
		T(test_several_writes_in_one_message_are_all_made_or_none),
		T(test_a_window_is_reached_at_high_addresses_and_ends_when_it_is_unmapped),
		T(test_access_to_a_window_is_as_it_was_granted),
		T(test_windows_that_cannot_be_are_refused),
		T(test_an_unmap_ends_all_windows_that_lie_in_it_and_unmap_all_all),
		T(test_a_descriptor_that_comes_with_an_unmap_is_closed),
		T(test_the_servers_questions_and_the_clients_may_cross),
		T(test_a_question_ends_with_its_window_and_with_the_client),
		T(test_vectors_signal_their_eventfds_and_are_masked_by_messages),
		T(test_intx_masks_itself_and_comes_again_while_its_reason_is_there),
		T(test_who_takes_intx_late_is_told_at_once),
		T(test_intx_is_off_while_messages_are_taken),
		T(test_interrupts_that_cannot_be_set_so_are_refused_and_leak_nothing),
		T(test_an_eventfd_that_blocks_is_not_waited_for),
		T(test_doorbells_can_be_rung_by_descriptors),
		T(test_doorbells_that_a_worker_watches_are_counted_when_it_is_looked),
		T(test_a_reset_resets_the_function_and_keeps_windows_and_descriptors),
		T(test_an_unmap_waits_for_what_is_under_way),
		T(test_a_client_that_goes_gives_everything_back_once_the_function_is_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
