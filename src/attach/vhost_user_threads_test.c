/* A worker moves frames while the control thread changes what may be reached. */
#include "attach/guests_test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

enum { PLUGGED = 0x40000000, PLUGGED_SIZE = 0x10000, FRAME = 64, BURST = 8, STALE = 0xee };
enum { SLOT = 2048, HEADER = VFE_NET_HEADER_SIZE, STEPS = 200, PATIENCE = 20000 };

struct threaded {
	struct world *w;
	pthread_t worker;
	atomic_bool stop, pause, paused;
	atomic_uint rounds;
};

static void *work(void *arg)
{
	struct threaded *t = arg;

	while (!atomic_load(&t->stop)) {
		bool paused = atomic_load(&t->pause);

		atomic_store(&t->paused, paused);
		if (!paused) {
			test_host_move(&t->w->host);
			atomic_fetch_add(&t->rounds, 1);
		}
		sched_yield();
	}
	return NULL;
}

static void threaded_start(struct threaded *t)
{
	memset(t, 0, sizeof *t);
	t->w = world_start(PROTOCOL);
	t->w->host.threaded = true;
	assert_int_equal(pthread_create(&t->worker, NULL, work, t), 0);
}

static void threaded_end(struct threaded *t)
{
	atomic_store(&t->stop, true);
	pthread_join(t->worker, NULL);
	t->w->host.threaded = false;
	assert_int_equal(test_host_count(&t->w->host, "stopped", NULL), 0);
	world_destroy(t->w);
}

/* Returns when the worker makes no round any more. */
static void pause_worker(struct threaded *t)
{
	atomic_store(&t->pause, true);
	while (!atomic_load(&t->paused))
		sched_yield();
}

static void resume_worker(struct threaded *t)
{
	atomic_store(&t->pause, false);
	while (atomic_load(&t->paused))
		sched_yield();
}

/* Lets the worker make 'n' rounds at least, beside those of the loop. */
static void let_work(struct threaded *t, unsigned n)
{
	unsigned aim = atomic_load(&t->rounds) + n;

	while ((int)(atomic_load(&t->rounds) - aim) < 0) {
		pump(t->w);
		sched_yield();
	}
}

/* Frames that have come to guest 1; each is whole, and of what its driver wrote before it sent it. */
static unsigned take_frames(struct world *w)
{
	uint8_t got[2048];
	unsigned taken = 0;
	uint32_t size;

	while ((size = vfe_receive(&w->guest[1], 0, got, sizeof got)) != 0) {
		assert_int_equal(size, FRAME);
		assert_int_not_equal(got[0], STALE);
		for (uint32_t i = 1; i < size; i++)
			assert_int_equal(got[i], got[0]);
		taken++;
	}
	return taken;
}

/* Guest 0 plugs memory in and sends from there. */
static void send_from_plugged(struct world *w, uint8_t number)
{
	struct vfe *g = &w->guest[0];
	uint8_t *bytes;

	assert_int_equal(vfe_share(g, PLUGGED, PLUGGED_SIZE), 0);
	bytes = g->regions[1].bytes;
	for (unsigned i = 0; i < BURST; i++) {
		memset(bytes + i * SLOT, 0, HEADER);
		memset(bytes + i * SLOT + HEADER, number, FRAME);
	}
	assert_int_equal(vfe_mem_reg(g, VHOST_USER_ADD_MEM_REG, 1), 0);
	for (unsigned i = 0; i < BURST; i++)
		assert_int_equal(vfe_transmit_at(g, 0, PLUGGED + i * SLOT, HEADER + FRAME), 0);
}

/* As soon as that is acknowledged, the bytes are its own again. */
static void unplug_memory(struct world *w)
{
	struct vfe_region *r = &w->guest[0].regions[1];

	assert_int_equal(vfe_mem_reg(&w->guest[0], VHOST_USER_REM_MEM_REG, 1), 0);
	memset(r->bytes, STALE, PLUGGED_SIZE);
	munmap(r->bytes, r->size);
	close(r->fd);
	w->guest[0].region_count = 1;
}

static unsigned let_finish(struct threaded *t, unsigned sent)
{
	unsigned received = take_frames(t->w);

	for (unsigned i = 0; vfe_used(&t->w->guest[0], 1) != (uint16_t)sent; i++) {
		assert_true(i < PATIENCE);
		let_work(t, 1);
		received += take_frames(t->w);
	}
	return received;
}

/* Of four turns one is surely too late for its frames, one surely not, and two are a race. */
static void memory_that_was_taken_back_is_not_read_any_more(void **state)
{
	static struct threaded t;
	unsigned received = 0, sent = 0, blocked;
	struct world *w;

	(void)state;
	threaded_start(&t);
	w = t.w;
	for (unsigned step = 0; step < STEPS; step++) {
		if (step % 4 == 0)
			pause_worker(&t);
		send_from_plugged(w, (uint8_t)(step % 200 + 1));
		sent += BURST;
		if (step % 4 == 1)
			received += let_finish(&t, sent);
		if (step % 4 == 3)
			let_work(&t, 1);
		unplug_memory(w);
		if (step % 4 == 0)
			resume_worker(&t);
		received += let_finish(&t, sent);
	}
	let_work(&t, 3);
	received += take_frames(w);
	blocked = w->host.guard.fault_count + (unsigned)w->host.guard.more;
	assert_int_equal(received + blocked, sent);
	assert_true(received >= STEPS / 4 * BURST);
	assert_true(blocked >= STEPS / 4 * BURST);
	threaded_end(&t);
}

/* The whole table is said anew, with and without a second region, beside the memory that rings run in. */
static void frames_go_on_while_the_table_changes(void **state)
{
	static struct threaded t;
	uint8_t frame[FRAME];
	unsigned received = 0, sent = 0;
	struct world *w;
	struct vfe *g;

	(void)state;
	threaded_start(&t);
	w = t.w;
	g = &w->guest[0];
	assert_int_equal(vfe_share(g, PLUGGED, PLUGGED_SIZE), 0);
	for (unsigned step = 0; step < STEPS; step++) {
		memset(frame, (int)(step % 200 + 1), sizeof frame);
		sent += vfe_transmit(g, 0, frame, FRAME) == 0;
		g->region_count = 1 + step % 2;
		assert_int_equal(vfe_set_mem_table(g), 0);
		let_work(&t, step % 3);
		received += take_frames(w);
	}
	for (unsigned i = 0; received < sent && i < PATIENCE; i++) {
		let_work(&t, 1);
		received += take_frames(w);
	}
	assert_int_equal(received, sent);
	assert_true(sent > STEPS / 2);
	assert_int_equal(w->host.guard.fault_count, 0);
	g->region_count = 2; /* for the end */
	threaded_end(&t);
}

/* As the daemon brings a function into quarantine, and lets it out. */
static void bar(struct world *w)
{
	attach_hold(&w->host.fronts[0]->any);
	guard_function_bar(&w->host.guard.functions[0]);
	attach_release(&w->host.fronts[0]->any);
	w->a[0]->ops->quarantine(w->a[0], "because");
}

static void let_in(struct world *w, uint16_t source)
{
	attach_hold(&w->host.fronts[0]->any);
	guard_function_let_in(&w->host.guard.functions[0]);
	assert_int_equal(guard_function_bind(&w->host.guard.functions[0], source, 0), 0);
	attach_release(&w->host.fronts[0]->any);
	w->a[0]->ops->release(w->a[0]);
}

static void nothing_arrives_from_a_front_in_quarantine_and_all_of_it_afterwards(void **state)
{
	static struct threaded t;
	uint8_t frame[FRAME];
	unsigned received = 0, sent = 0;
	uint16_t source;
	struct world *w;

	(void)state;
	threaded_start(&t);
	w = t.w;
	source = (uint16_t)w->host.guard.functions[0].source;
	memset(frame, 7, sizeof frame);
	for (unsigned step = 0; step < STEPS; step++) {
		sent += vfe_transmit(&w->guest[0], 0, frame, FRAME) == 0;
		bar(w);
		received += take_frames(w);
		sent += vfe_transmit(&w->guest[0], 0, frame, FRAME) == 0;
		let_work(&t, 2);
		assert_int_equal(take_frames(w), 0);
		let_in(w, source);
		for (unsigned i = 0; received < sent && i < PATIENCE; i++) {
			let_work(&t, 1);
			received += take_frames(w);
		}
		assert_int_equal(received, sent);
	}
	assert_int_equal(w->host.guard.fault_count, 0);
	w->host.events = 0; /* "stopped", as often as it was */
	threaded_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_that_was_taken_back_is_not_read_any_more),
		cmocka_unit_test(frames_go_on_while_the_table_changes),
		cmocka_unit_test(nothing_arrives_from_a_front_in_quarantine_and_all_of_it_afterwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
