#include "sim/fake_front.h"

#include <string.h>

static struct fake_front *fake_of(struct nic_front *front)
{
	return container_of(front, struct fake_front, front);
}

/* Cuts what is behind the head into pieces. */
static void cut(struct fake_front *fake, struct frame *f, uint32_t piece)
{
	uint32_t left = f->body_size;

	if (!piece || left <= piece)
		return;
	f->body_size = piece;
	f->more = &fake->pieces[fake->pieces_used];
	for (uint32_t at = piece; at < left; at += piece) {
		must(fake->pieces_used < FAKE_FRONT_PIECES && f->more_count < FRAME_SEGS_MAX);
		fake->pieces[fake->pieces_used++] =
			(struct frame_seg){ f->body + at, min_u32(piece, left - at) };
		f->more_count++;
	}
}

static unsigned peek(struct worker *worker, struct nic_front *front, struct frame *frames,
		     unsigned max)
{
	struct fake_front *fake = fake_of(front);
	unsigned n = fake->endless ? max : min_u32(fake->script_count, max);

	(void)worker;
	fake->pieces_used = 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned at = fake->script_head + (fake->endless ? 0 : i);
		const struct fake_frame *s = &fake->script[at % FAKE_FRONT_SCRIPT];

		frame_over(&frames[i], s->bytes, s->size);
		frames[i].todo = s->todo;
		frames[i].gso = s->gso;
		frames[i].ecn = s->ecn;
		frames[i].gso_size = s->gso_size;
		frames[i].csum_start = s->csum_start;
		frames[i].csum_offset = s->csum_offset;
		cut(fake, &frames[i], s->piece);
	}
	return n;
}

static void taken(struct worker *worker, struct nic_front *front, unsigned n)
{
	struct fake_front *fake = fake_of(front);

	(void)worker;
	fake->flush_due |= n > 0;
	fake->bursts += n > 0;
	for (unsigned i = 0; i < n; i++) {
		fake->sent++;
		fake->sent_bytes += fake->script[fake->script_head].size;
		if (fake->endless)
			continue;
		must(fake->script_count > 0);
		fake->script_head = (fake->script_head + 1) % FAKE_FRONT_SCRIPT;
		fake->script_count--;
	}
}

static void record(struct fake_front *fake, const struct frame *f)
{
	struct fake_delivery *d = &fake->log[fake->log_count];

	if (fake->log_count == FAKE_FRONT_LOG || f->size > FAKE_FRONT_BYTES - fake->bytes_used)
		return;
	frame_copy(f, 0, f->size, fake->bytes + fake->bytes_used);
	*d = (struct fake_delivery){
		.bytes = fake->bytes + fake->bytes_used,
		.size = f->size,
		.todo = f->todo,
		.gso = f->gso,
		.gso_size = f->gso_size,
		.csum_start = f->csum_start,
		.csum_offset = f->csum_offset,
	};
	fake->bytes_used += f->size;
	fake->log_count++;
}

static unsigned give(struct worker *worker, struct nic_front *front, struct frame *const *frames,
		     unsigned n)
{
	struct fake_front *fake = fake_of(front);
	unsigned given = min_u32(n, fake->room);

	(void)worker;
	must(n > 0 && n <= FRAME_BURST);
	for (unsigned i = 0; i < given; i++) {
		record(fake, frames[i]);
		fake->given_bytes += frames[i]->size;
	}
	if (fake->room != UINT32_MAX)
		fake->room -= given;
	fake->given += given;
	fake->refused += n - given;
	fake->flush_due |= given > 0;
	return given;
}

static void flush(struct worker *worker, struct nic_front *front)
{
	struct fake_front *fake = fake_of(front);

	(void)worker;
	fake->flushes++;
	fake->flush_due = false;
}

static bool arm(struct worker *worker, struct nic_front *front)
{
	struct fake_front *fake = fake_of(front);

	(void)worker;
	fake->arms++;
	return fake->endless || fake->script_count > 0;
}

static void disarm(struct worker *worker, struct nic_front *front)
{
	(void)worker;
	fake_of(front)->disarms++;
}

static void set_link(struct ctl *ctl, struct nic_front *front, bool up)
{
	(void)ctl;
	(void)front;
	(void)up;
}

static const struct nic_front_ops fake_ops = {
	.name = "fake",
	.peek = peek,
	.taken = taken,
	.give = give,
	.flush = flush,
	.arm = arm,
	.disarm = disarm,
	.set_link = set_link,
};

void fake_front_init(struct fake_front *fake, uint64_t mac)
{
	memset(fake, 0, sizeof *fake);
	fake->front.ops = &fake_ops;
	fake->front.mac = mac;
	fake->front.ready = true;
	fake->room = UINT32_MAX;
}

void fake_front_send(struct fake_front *fake, const struct fake_frame *frame)
{
	must(fake->script_count < FAKE_FRONT_SCRIPT);
	fake->script[(fake->script_head + fake->script_count++) % FAKE_FRONT_SCRIPT] = *frame;
}

void fake_front_send_bytes(struct fake_front *fake, const uint8_t *bytes, uint32_t size)
{
	fake_front_send(fake, &(struct fake_frame){ .bytes = bytes, .size = size });
}

void fake_front_forget(struct fake_front *fake)
{
	fake->log_count = 0;
	fake->bytes_used = 0;
}
