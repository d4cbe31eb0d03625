#include "sim/fake_line.h"

#include "base/bytes.h"

#include <string.h>

static struct fake_line *fake_of(struct line *line)
{
	return container_of(line, struct fake_line, line);
}

static unsigned take(struct worker *worker, struct line *line, struct line_buf **bufs, unsigned n)
{
	struct fake_line *fake = fake_of(line);

	(void)worker;
	n = min_u32(n, fake->empty_count);
	for (unsigned i = 0; i < n; i++) {
		bufs[i] = fake->empty[--fake->empty_count];
		bufs[i]->size = 0;
	}
	return n;
}

static void put_back(struct fake_line *fake, struct line_buf *buf)
{
	must(fake->empty_count < FAKE_LINE_BUFS);
	fake->empty[fake->empty_count++] = buf;
}

static void record(struct fake_line *fake, const struct line_buf *buf)
{
	unsigned source = get_be16(buf->bytes + 10) % array_len(fake->sent_of);
	struct fake_line_sent *log = &fake->log[fake->log_count];

	fake->sent++;
	fake->sent_bytes += buf->size;
	fake->sent_of[source] += buf->size;
	fake->frames_of[source]++;
	if (!fake->keep || fake->log_count == FAKE_LINE_LOG)
		return;
	log->size = buf->size;
	memcpy(log->bytes, buf->bytes, min_u32(buf->size, FAKE_LINE_LOG_BYTES));
	fake->log_count++;
}

static unsigned send(struct worker *worker, struct line *line, struct line_buf **bufs, unsigned n)
{
	struct fake_line *fake = fake_of(line);
	unsigned i;

	(void)worker;
	if (fake->during_send)
		fake->during_send(fake->owner);
	for (i = 0; i < n && fake->capacity >= bufs[i]->size; i++) {
		if (fake->capacity != UINT32_MAX)
			fake->capacity -= bufs[i]->size;
		record(fake, bufs[i]);
		put_back(fake, bufs[i]);
	}
	fake->refused += n - i;
	return i;
}

static unsigned receive(struct worker *worker, struct line *line, struct line_buf **bufs,
			unsigned n)
{
	struct fake_line *fake = fake_of(line);

	(void)worker;
	n = min_u32(n, fake->arrived_count);
	for (unsigned i = 0; i < n; i++) {
		bufs[i] = fake->arrived[fake->arrived_head];
		fake->arrived_head = (fake->arrived_head + 1) % FAKE_LINE_BUFS;
	}
	fake->arrived_count -= n;
	fake->received += n;
	return n;
}

static void give(struct worker *worker, struct line *line, struct line_buf **bufs, unsigned n)
{
	(void)worker;
	for (unsigned i = 0; i < n; i++)
		put_back(fake_of(line), bufs[i]);
}

static bool arm(struct worker *worker, struct line *line)
{
	(void)worker;
	return fake_of(line)->arrived_count > 0;
}

static const struct line_ops fake_ops = {
	.take = take,
	.send = send,
	.receive = receive,
	.give = give,
	.arm = arm,
};

void fake_line_init(struct fake_line *fake, unsigned count)
{
	must(count <= FAKE_LINE_BUFS);
	memset(fake, 0, offsetof(struct fake_line, memory));
	fake->line = (struct line){ .ops = &fake_ops, .mtu = 1500, .wakes = true };
	fake->capacity = UINT32_MAX;
	for (unsigned i = 0; i < count; i++) {
		fake->bufs[i] = (struct line_buf){ fake->memory[i], 0, FAKE_LINE_ROOM };
		put_back(fake, &fake->bufs[i]);
	}
}

bool fake_line_arrive(struct fake_line *fake, const uint8_t *bytes, uint32_t size)
{
	struct line_buf *buf;

	must(size <= FAKE_LINE_ROOM);
	if (!fake->empty_count || fake->arrived_count == FAKE_LINE_BUFS)
		return false;
	buf = fake->empty[--fake->empty_count];
	memcpy(buf->bytes, bytes, size);
	buf->size = size;
	fake->arrived[(fake->arrived_head + fake->arrived_count++) % FAKE_LINE_BUFS] = buf;
	return true;
}

void fake_line_forget(struct fake_line *fake)
{
	fake->log_count = 0;
}
