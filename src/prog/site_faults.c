#include "prog/site_faults.h"
#include "prog/site_describe.h"
#include "prog/site_guard.h"

#include "os/clock.h"
#include "pcie/dump.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void name_of(const struct run_io *io, char text[SITE_FUNCTION_NAME_MAX])
{
	const struct placement_function *f = &io->place->member[io->bound < 0 ? 0 : io->bound];

	site_describe_function_name(&io->run->cards[f->card], f->vf, text);
}

static struct fault fault_of(const struct guard_fault *blocked, uint64_t count)
{
	uint64_t now_ns = clock_wall_ns();

	return (struct fault){
		.first_ns = now_ns, .last_ns = now_ns, .count = count, .address = blocked->address,
		.source = blocked->source, .reason = blocked->reason, .access = blocked->access,
		.interrupt = blocked->interrupt,
	};
}

void site_faults_note(struct run_io *io, const struct guard_fault *blocked, uint64_t more)
{
	uint64_t now_ns = clock_now_ns(), window_ns = io->run->site->quarantine_window_s *
						      UINT64_C(1000000000);
	struct fault fault = fault_of(blocked, 1 + more);
	struct run_faults *f = &io->faults;

	fault.io = (unsigned)(io - io->run->ios);
	name_of(io, fault.function);
	faults_add(&io->run->faults, &fault);
	f->total += fault.count;
	if (!f->untold)
		f->first = fault;
	f->last = fault;
	f->untold += fault.count;
	if (now_ns - f->since_ns > window_ns) {
		f->since_ns = now_ns;
		f->in_window = 0;
	}
	f->in_window += fault.count;
}

void site_faults_note_stranger(struct site_run *run, const struct guard_fault *blocked)
{
	struct fault fault = fault_of(blocked, 1);

	fault.io = FAULT_OF_NOBODY;
	faults_add(&run->faults, &fault);
}

enum { WHAT_SIZE = 48 };

/* "write at 0x1000" */
static void describe(const struct fault *fault, char text[WHAT_SIZE])
{
	if (fault->interrupt)
		snprintf(text, WHAT_SIZE, "interrupt %" PRIu64, fault->address);
	else
		snprintf(text, WHAT_SIZE, "%s at 0x%" PRIx64, fault_access_text(fault),
			 fault->address);
}

static void object_of(const struct run_io *io, char text[104])
{
	snprintf(text, 104, "system %s/%s", io->system->name, io->io->name);
}

static void tell(struct run_io *io)
{
	struct run_faults *f = &io->faults;
	char object[104], what[WHAT_SIZE], rid[PCIE_RID_TEXT_SIZE], more[40] = "";

	object_of(io, object);
	if (!site_run_may_tell(io, object))
		return;
	describe(&f->first, what);
	pcie_rid_text(f->first.source, rid);
	if (f->untold > 1)
		snprintf(more, sizeof more, "; and %" PRIu64 " more", f->untold - 1);
	f->untold = 0;
	events_add(&io->run->events, "fault", object, "%s (%s) was blocked: %s: %s%s",
		   f->first.function, rid, what, vtd_reason_text(f->first.reason), more);
	events_publish(&io->run->events);
}

static void quarantine(struct run_io *io)
{
	const struct site *site = io->run->site;
	char why[160], what[WHAT_SIZE], object[104];

	if (!attach_ready(site_run_front(io)))
		return; /* its worker does nothing for it; the next fault asks again */
	describe(&io->faults.last, what);
	snprintf(why, sizeof why, "quarantined: %" PRIu64 " blocked accesses within %u s, the last: %s",
		 io->faults.in_window, site->quarantine_window_s, what);
	io->quarantined = true;
	site_guard_bar(io);
	io->attachment->ops->quarantine(io->attachment, why);
	object_of(io, object);
	events_add(&io->run->events, "quarantined", object,
		   "%" PRIu64 " blocked accesses within %u s; 'midplane function release %s', or another "
		   "guest, ends it", io->faults.in_window, site->quarantine_window_s,
		   io->faults.last.function);
	events_publish(&io->run->events);
}

void site_faults_settle(struct site_run *run)
{
	for (unsigned i = 0; i < run->io_count; i++) {
		struct run_io *io = &run->ios[i];

		if (io->faults.untold)
			tell(io);
		if (run->site->quarantine_faults && !io->quarantined &&
		    io->faults.in_window >= run->site->quarantine_faults)
			quarantine(io);
	}
}

void site_faults_bar(struct run_io *io, const char *why)
{
	io->quarantined = true;
	site_guard_bar(io);
	io->attachment->ops->quarantine(io->attachment, why);
}

static void end(struct run_io *io)
{
	io->quarantined = false;
	io->faults.in_window = 0;
	site_guard_let_in(io);
}

int site_faults_release(struct run_io *io, struct refusal *why)
{
	char object[104];

	if (!io->quarantined) {
		refuse(why, "", "interface '%s/%s' is not in quarantine", io->system->name,
		       io->io->name);
		return -EALREADY;
	}
	if (!attach_ready(site_run_front(io))) {
		refuse(why, "", "the worker of interface '%s/%s' keeps it and does not come back",
		       io->system->name, io->io->name);
		return -EBUSY;
	}
	end(io);
	io->attachment->ops->release(io->attachment);
	object_of(io, object);
	events_add(&io->run->events, "released", object, "let out of quarantine by the operator");
	events_publish(&io->run->events);
	return 0;
}

void site_faults_forgive(struct run_io *io)
{
	if (io->quarantined)
		end(io);
	io->faults.in_window = 0;
}
