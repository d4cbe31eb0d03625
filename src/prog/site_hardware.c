#include "prog/site_hardware.h"
#include "prog/site_hardware_parts.h"
#include "prog/site_move.h"

#include "os/clock.h"
#include "os/log.h"
#include "os/uevent.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_MS = 2000 };

/* -- news -- */

void hardware_keep_note(struct site_hardware *hw, const struct hardware_note *note)
{
	if (hw->note_count == HARDWARE_NOTES_MAX)
		return;
	hw->notes[hw->note_count++] = *note;
}

static void name_vf(const struct hardware_card *card, int vf, char *text, size_t size)
{
	if (vf == PCI_CARD_PF)
		snprintf(text, size, "card %.*s", SITE_NAME_MAX, card->name);
	else
		snprintf(text, size, "function %.*s/vf%d", SITE_NAME_MAX, card->name, vf + 1);
}

/* In whatever thread has the card. */
static void on_tell(void *owner, int vf, const char *kind, const char *text)
{
	struct hardware_card *card = owner;
	struct hardware_note note;

	name_vf(card, vf, note.object, sizeof note.object);
	snprintf(note.kind, sizeof note.kind, "%s", kind);
	snprintf(note.text, sizeof note.text, "%s", text);
	hardware_keep_note(card->hw, &note);
}

void hardware_tell_of_io(struct site_hardware *hw, const struct hardware_seat *seat,
			 const char *kind, const char *format, ...)
{
	struct hardware_note note;
	va_list args;

	snprintf(note.object, sizeof note.object, "system %.96s", seat->owner);
	snprintf(note.kind, sizeof note.kind, "%s", kind);
	va_start(args, format);
	vsnprintf(note.text, sizeof note.text, format, args);
	va_end(args);
	hardware_keep_note(hw, &note);
}

static void publish_notes(struct site_hardware *hw)
{
	for (unsigned i = 0; i < hw->note_count; i++) {
		events_add(&hw->run->events, hw->notes[i].kind, hw->notes[i].object, "%s",
			   hw->notes[i].text);
		events_publish(&hw->run->events);
	}
	hw->note_count = 0;
}

/* -- cards -- */

/* A card of an earlier site file is given back: nobody else would. */
static void forget(struct site_hardware *hw, const char *address)
{
	struct hardware_card stranger = { .hw = hw };
	struct pci_record *record = malloc(sizeof *record);
	char path[PCI_RECORD_PATH_MAX];
	struct refusal why;
	struct pci_card *card;

	must(record != NULL);
	pci_record_path(hw->run->lock_dir, address, path);
	if (pci_record_load(path, record, &why) == 0 &&
	    strcmp(record->site, hw->run->site->name) == 0) {
		const struct pci_card_conf conf = {
			.site = hw->run->site->name,
			.card = record->card,
			.address = address,
			.vfs = record->vfs && record->vfs <= SITE_VFS_MAX ? record->vfs
									  : SITE_VFS_MAX,
			.dir = hw->run->lock_dir,
			.sysfs = "/sys",
			.hand = &pci_hand_kernel,
			.tell = on_tell,
			.owner = &stranger,
		};

		stranger.name = record->card;
		if (pci_card_open(&card, &conf, &why) == 0)
			pci_card_close(card, PCI_CARD_RELEASE);
	}
	free(record);
}

static bool is_of_site(const struct site *site, const char *address)
{
	struct site_card_place place;

	for (unsigned i = 0; site_card_at(site, i, &place); i++)
		if (place.card->address && strcmp(place.card->address, address) == 0)
			return true;
	return false;
}

static void forget_strangers(struct site_hardware *hw)
{
	static const char prefix[] = "pci-";
	DIR *dir = opendir(hw->run->lock_dir);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		const char *address = entry->d_name + sizeof prefix - 1;

		if (strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0 &&
		    pci_bus_is_address(address) && !is_of_site(hw->run->site, address))
			forget(hw, address);
	}
	if (dir)
		closedir(dir);
}

static int make(struct site_run *run, struct refusal *why)
{
	struct site_hardware *hw = calloc(1, sizeof *hw);

	if (hw) {
		hw->run = run;
		hw->uevents = -1;
		hw->cards = calloc(run->card_count, sizeof *hw->cards);
		hw->seats = calloc(placement_count(run->site) + 1, sizeof *hw->seats);
	}
	if (!hw || !hw->cards || !hw->seats) {
		free(hw ? hw->cards : NULL);
		free(hw ? hw->seats : NULL);
		free(hw);
		refuse(why, "", "no memory for real cards");
		return -ENOMEM;
	}
	run->hardware = hw;
	return 0;
}

static int refuse_card(const struct hardware_card *card, int err, struct refusal *why,
		       const struct refusal *below)
{
	refuse(why, "", "card '%s': %s", card->name, below->text);
	return err;
}

int site_hardware_open(struct run_card *run_card, struct refusal *why)
{
	const struct site_card *asked = run_card->place.card;
	struct site_run *run = run_card->run;
	struct pci_card_conf conf = {
		.site = run->site->name,
		.card = asked->name,
		.address = asked->address,
		.vfs = asked->vfs,
		.dir = run->lock_dir,
		.sysfs = "/sys",
		.hand = &pci_hand_kernel,
		.tell = on_tell,
	};
	int err = run->hardware ? 0 : make(run, why);
	struct refusal below = { 0 };
	struct hardware_card *card;

	if (err)
		return err;
	run_card->line_up = true; /* its line is its own business */
	card = &run->hardware->cards[run_card->index];
	*card = (struct hardware_card){ .hw = run->hardware,
					.name = asked->name,
					.index = run_card->index };
	run_card->hardware = card;
	card->view = calloc(asked->vfs, sizeof *card->view);
	if (!card->view) {
		refuse(why, "", "no memory for card '%s'", asked->name);
		return -ENOMEM;
	}
	conf.owner = card;
	err = pci_card_open(&card->pci, &conf, &below);
	if (!err)
		err = pci_card_begin(card->pci, &below);
	card->was_alive = true; /* the failover machine is told when it is not */
	return !err || err == -ENODEV ? 0 : refuse_card(card, err, why, &below);
}

static void make_seats(struct site_hardware *hw)
{
	for (unsigned i = 0; i < hw->run->io_count; i++) {
		struct run_io *io = &hw->run->ios[i];
		struct hardware_seat *seat = &hw->seats[hw->seat_count];

		if (!site_hardware_is(io))
			continue;
		*seat = (struct hardware_seat){ .hw = hw, .io = io };
		snprintf(seat->owner, sizeof seat->owner, "%s/%s", io->system->name, io->io->name);
		io->seat = seat;
		hw->seat_count++;
	}
}

/* Copies what the hardware's owner saw to where the control thread tells it from. */
static void publish(struct site_hardware *hw)
{
	for (unsigned i = 0; i < hw->run->card_count; i++) {
		struct hardware_card *card = &hw->cards[i];

		if (!card->pci)
			continue;
		card->pf = *pci_card_pf(card->pci);
		for (unsigned vf = 0; vf < pci_card_vfs(card->pci); vf++)
			card->view[vf] = *pci_card_function(card->pci, vf);
	}
	for (unsigned i = 0; i < hw->seat_count; i++) {
		struct hardware_seat *seat = &hw->seats[i];

		hw->run->places[seat->io - hw->run->ios].member[0] = seat->at;
		seat->stopped = seat->why;
		seat->io->bound = seat->given ? 0 : -1;
	}
	publish_notes(hw);
}

static int fill_seats(struct site_hardware *hw, struct refusal *why)
{
	for (unsigned i = 0; i < hw->seat_count; i++) {
		struct hardware_seat *seat = &hw->seats[i];
		int err = hardware_seat_fill(seat, why);

		if (err == -ENODEV || err == -ENOLINK) {
			seat->why = *why;
			hardware_tell_of_io(hw, seat, "unplugged", "%s", why->text);
			*why = (struct refusal){ 0 };
		} else if (err) {
			return err;
		}
	}
	return 0;
}

int site_hardware_assign(struct site_run *run, struct refusal *why)
{
	struct site_hardware *hw = run->hardware;
	bool *found;
	int err = 0;

	if (!hw)
		return 0;
	forget_strangers(hw);
	make_seats(hw);
	found = calloc(hw->seat_count + 1, sizeof *found);
	must(found != NULL);
	for (unsigned i = 0; i < hw->seat_count; i++)
		/* first, so that no other takes it */
		found[i] = hardware_seat_find_former(&hw->seats[i]);
	for (unsigned i = 0; !err && i < hw->seat_count; i++)
		if (!found[i])
			err = hardware_seat_find_place(&hw->seats[i], why);
	free(found);
	if (!err)
		err = fill_seats(hw, why);
	for (unsigned i = 0; !err && i < run->card_count; i++)
		if (hw->cards[i].pci)
			pci_card_sweep(hw->cards[i].pci);
	publish(hw);
	return err;
}

/* -- looking after it -- */

/* A card that is back has no VFs, and at first no driver that could make them. */
static void begin_again(struct hardware_card *card)
{
	struct refusal why = { 0 };

	card->begins--;
	if (pci_card_begin(card->pci, &why) != 0) {
		if (card->begins == 0)
			on_tell(card, PCI_CARD_PF, "failed", why.text);
		return;
	}
	card->begins = 0;
	for (unsigned i = 0; i < card->hw->seat_count; i++)
		card->hw->seats[i].dead_looks = HARDWARE_DEAD_LOOKS;
}

static void look_after(struct hardware_card *card, const struct pci_users *users)
{
	bool was_alive = pci_card_is_alive(card->pci);

	pci_card_look(card->pci, users);
	if (!pci_card_is_alive(card->pci))
		return;
	if (!was_alive)
		card->begins = HARDWARE_BEGINS_MAX;
	if (card->begins)
		begin_again(card);
}

/* In a thread of libuv's pool: until it ends, the cards and seats are its own. */
static void on_work(uv_work_t *work)
{
	struct site_hardware *hw = work->data;

	pci_hand_kernel.users(pci_hand_kernel.owner, &hw->users);
	for (unsigned i = 0; i < hw->run->card_count; i++)
		if (hw->cards[i].pci)
			look_after(&hw->cards[i], &hw->users);
	for (unsigned i = 0; i < hw->seat_count; i++)
		hardware_seat_mend(&hw->seats[i]);
}

/* What the failover machine knows as a card's heart. */
static void tell_hearts(struct site_hardware *hw)
{
	for (unsigned i = 0; i < hw->run->card_count; i++) {
		struct hardware_card *card = &hw->cards[i];
		bool alive = card->pci && pci_card_is_alive(card->pci);

		if (!card->pci || alive == card->was_alive)
			continue;
		card->was_alive = alive;
		site_move_tell(&hw->run->cards[i],
			       alive ? FAILOVER_HEART_CAME : FAILOVER_HEART_LOST, clock_now_ns());
	}
}

static void ask_for_look(struct site_hardware *hw);

static void on_worked(uv_work_t *work, int status)
{
	struct site_hardware *hw = work->data;

	(void)status;
	hw->working = false;
	if (hw->ending)
		return;
	publish(hw);
	tell_hearts(hw);
	if (hw->asked)
		ask_for_look(hw);
}

static void ask_for_look(struct site_hardware *hw)
{
	hw->asked = hw->working;
	if (hw->working)
		return;
	hw->work.data = hw;
	hw->working = uv_queue_work(hw->run->loop, &hw->work, on_work, on_worked) == 0;
}

static void on_timer(uv_timer_t *timer)
{
	ask_for_look(timer->data);
}

static void on_uevent(uv_poll_t *poll, int status, int events)
{
	struct site_hardware *hw = poll->data;

	(void)events;
	if (status < 0) /* news was lost: the loop looks at it no more */
		must(uv_poll_start(poll, UV_READABLE, on_uevent) == 0);
	if (uevent_drain(hw->uevents))
		ask_for_look(hw);
}

static void watch_kernel(struct site_hardware *hw)
{
	hw->uevents = uevent_open();
	if (hw->uevents < 0) {
		log_warning("prog",
			    "the kernel tells no news of devices here: cards are looked at every "
			    "%d ms alone",
			    LOOK_MS);
		return;
	}
	hw->poll = malloc(sizeof *hw->poll);
	must(hw->poll != NULL);
	must(uv_poll_init(hw->run->loop, hw->poll, hw->uevents) == 0);
	hw->poll->data = hw;
	must(uv_poll_start(hw->poll, UV_READABLE, on_uevent) == 0);
}

void site_hardware_start(struct site_run *run)
{
	struct site_hardware *hw = run->hardware;

	if (!hw)
		return;
	tell_hearts(hw);
	watch_kernel(hw);
	hw->timer = malloc(sizeof *hw->timer);
	must(hw->timer != NULL);
	must(uv_timer_init(run->loop, hw->timer) == 0);
	hw->timer->data = hw;
	must(uv_timer_start(hw->timer, on_timer, LOOK_MS, LOOK_MS) == 0);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void end_watching(struct site_hardware *hw)
{
	hw->ending = true;
	if (hw->timer)
		uv_close((uv_handle_t *)hw->timer, on_closed);
	if (hw->poll)
		uv_close((uv_handle_t *)hw->poll, on_closed);
	if (hw->working)
		uv_cancel((uv_req_t *)&hw->work);
	while (hw->working)
		uv_run(hw->run->loop, UV_RUN_ONCE);
	if (hw->uevents >= 0)
		close(hw->uevents);
}

void site_hardware_destroy(struct site_run *run)
{
	struct site_hardware *hw = run->hardware;

	if (!hw)
		return;
	end_watching(hw);
	for (unsigned i = 0; i < run->card_count; i++) {
		const struct site_card *asked = run->cards[i].place.card;

		pci_card_close(hw->cards[i].pci, asked->at_stop == SITE_AT_STOP_KEEP
							 ? PCI_CARD_KEEP
							 : PCI_CARD_RELEASE);
		free(hw->cards[i].view);
		run->cards[i].hardware = NULL;
	}
	publish_notes(hw);
	free(hw->cards);
	free(hw->seats);
	free(hw);
	run->hardware = NULL;
}
