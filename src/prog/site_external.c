#include "prog/site_external.h"
#include "prog/site_guard.h"
#include "prog/site_move.h"

#include "attach/vfio_user_import.h"
#include "base/bytes.h"
#include "os/clock.h"
#include "spec/pcie.h"
#include "tree/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct run_external {
	unsigned count;
	bool told; /* something is known of them */
	struct vfio_user_import *imports[SITE_EXTERNAL_VFS_MAX];
};

static unsigned count_there(const struct run_external *external)
{
	unsigned there = 0;

	for (unsigned i = 0; i < external->count; i++)
		there += external->imports[i] &&
			 vfio_user_import_state(external->imports[i]) == VFIO_USER_IMPORT_PRESENT;
	return there;
}

static bool is_lost(const struct run_card *card)
{
	return card->run->failover.card[card->index].heart_lost;
}

/* The card's availability follows its functions. */
static void settle(struct run_card *card)
{
	bool there = count_there(card->external) > 0;

	if (there == is_lost(card))
		site_move_tell(card, there ? FAILOVER_HEART_CAME : FAILOVER_HEART_LOST, clock_now_ns());
}

static void on_changed(void *owner, struct vfio_user_import *import, const char *text)
{
	static const char *const kinds[VFIO_USER_IMPORT_STATE_COUNT] = {
		[VFIO_USER_IMPORT_ABSENT] = "device-absent",
		[VFIO_USER_IMPORT_DEAD] = "device-dead",
		[VFIO_USER_IMPORT_REFUSED] = "device-refused",
		[VFIO_USER_IMPORT_PRESENT] = "device-present",
	};
	enum vfio_user_import_state state = vfio_user_import_state(import);
	struct run_card *card = owner;
	char object[104];
	unsigned vf = 0;

	while (vf < card->external->count && card->external->imports[vf] != import)
		vf++;
	snprintf(object, sizeof object, "function %s/vf%u", card->place.card->name, vf + 1);
	if (kinds[state]) {
		events_add(&card->run->events, kinds[state], object, "%s",
			   text[0] ? text : vfio_user_import_path(import));
		events_publish(&card->run->events);
	}
	if (state != VFIO_USER_IMPORT_PULLED)
		settle(card);
}

int site_external_open(struct run_card *card, struct refusal *why)
{
	const struct site_card *asked = card->place.card;
	struct run_external *external = calloc(1, sizeof *external);
	int err = external ? 0 : -ENOMEM;

	card->external = external;
	card->line_up = true; /* it has no line that could lose its link */
	for (unsigned i = 0; !err && i < asked->functions_count && i < SITE_EXTERNAL_VFS_MAX; i++) {
		const struct site_external_function *function = &asked->functions[i];
		const struct vfio_user_import_conf conf = {
			.path = function->socket, .patience_ms = function->patience_ms,
			.trust = function->guard ? VFIO_USER_IMPORT_GUARDED : VFIO_USER_IMPORT_TRUSTED,
			.loop = card->run->loop, .changed = on_changed, .owner = card,
		};

		err = vfio_user_import_create(&external->imports[i], &conf, why);
		external->count = i + 1;
	}
	if (err && !why->text[0])
		refuse(why, "", "no memory for the functions of card '%s'", asked->name);
	return err;
}

void site_external_close(struct run_card *card)
{
	for (unsigned i = 0; card->external && i < card->external->count; i++)
		vfio_user_import_destroy(card->external->imports[i]);
	free(card->external);
	card->external = NULL;
}

static struct vfio_user_import *import_of(const struct run_card *card, unsigned vf)
{
	must(vf >= 1 && vf <= card->external->count);
	return card->external->imports[vf - 1];
}

int site_external_attach(struct run_io *io, const struct attach_host *host, struct refusal *why)
{
	const struct placement_function *f = &io->place->member[0];
	struct attach_conf conf = {
		.domain = site_guard_domain(io), .io = io->io, .system = io->system->name, .mac = io->mac,
		.import = import_of(&io->run->cards[f->card], f->vf),
	};
	int err = attach_external.create(&io->attachment, host, &conf, why);

	if (err)
		return err;
	io->external = io->attachment->ops->external(io->attachment);
	io->bound = 0;
	site_guard_move(io, 0);
	return 0;
}

void site_external_end(struct run_io *io)
{
	site_guard_move(io, -1);
	io->bound = -1;
	io->attachment->ops->destroy(io->attachment);
	io->external = NULL;
}

void site_external_detach(struct run_card *card, bool detach)
{
	bool pulled = failover_card_state(&card->run->failover, card->index) == FAILOVER_CARD_PULLED;

	card->detached = detach;
	for (unsigned i = 0; i < card->external->count; i++) {
		if (pulled)
			vfio_user_import_pull(card->external->imports[i]);
		else
			vfio_user_import_insert(card->external->imports[i]);
	}
}

const char *site_external_state(struct run_card *card, const char *state)
{
	const struct run_external *external = card->external;
	unsigned there = count_there(external);

	if (failover_card_state(&card->run->failover, card->index) == FAILOVER_CARD_PULLED)
		return state;
	for (unsigned i = 0; !there && i < external->count; i++) /* the best of them says it */
		if (vfio_user_import_state(external->imports[i]) != VFIO_USER_IMPORT_ABSENT)
			return vfio_user_import_state_text[vfio_user_import_state(external->imports[i])];
	return !there ? "absent" : there < external->count ? "degraded" : state;
}

bool site_external_import(void *owner, unsigned card, unsigned vf, struct hierarchy_import *import)
{
	const struct site_run *run = owner;
	const struct vfio_user_import *from = import_of(&run->cards[card], vf);
	const struct vfio_user_import_facts *facts = vfio_user_import_facts(from);

	if (!facts || vfio_user_import_state(from) != VFIO_USER_IMPORT_PRESENT)
		return false;
	import->config = facts->config;
	for (unsigned bar = 0; bar < PCIE_BARS_MAX; bar++)
		import->bar_bytes[bar] = facts->regions[bar].size;
	return true;
}

/* -- conformance -- */

struct specimen {
	struct conform_target target;
	const struct vfio_user_import_facts *facts;
};

static int read_config(struct conform_target *target, unsigned function, unsigned offset, unsigned size,
		       uint32_t *value)
{
	const struct specimen *s = container_of(target, struct specimen, target);
	uint8_t bytes[4] = { 0 };

	*value = UINT32_MAX;
	if (function || offset + size > VFIO_USER_IMPORT_CONFIG_SIZE)
		return 0;
	memcpy(bytes, s->facts->config + offset, size);
	*value = get_le32(bytes);
	return 0;
}

/* Nothing is written: a gentle run only reads. */
static int write_config(struct conform_target *target, unsigned function, unsigned offset, unsigned size,
			uint32_t value)
{
	(void)target, (void)function, (void)offset, (void)size, (void)value;
	return -EROFS;
}

static void pause_none(struct conform_target *target, uint64_t ns)
{
	(void)target, (void)ns;
}

static uint64_t now(struct conform_target *target)
{
	(void)target;
	return clock_now_ns();
}

static const struct conform_target_ops specimen_ops = {
	.read = read_config, .write = write_config, .pause = pause_none, .now_ns = now,
};

int site_external_conform(struct run_card *card, unsigned vf, enum conform_care care,
			  struct conform_report *report, struct refusal *why)
{
	struct specimen s = { .target = { .ops = &specimen_ops, .keeps_bars = true } };

	if (vf == 0) {
		refuse(why, "", "card '%s' has functions of other processes, and none of its own; name one, such "
		       "as %s/vf1", card->place.card->name, card->place.card->name);
		return -EINVAL;
	}
	s.facts = vfio_user_import_facts(import_of(card, vf));
	if (!s.facts || vfio_user_import_state(import_of(card, vf)) != VFIO_USER_IMPORT_PRESENT) {
		refuse(why, "", "function '%s/vf%u' is not there: %s", card->place.card->name, vf,
		       vfio_user_import_why(import_of(card, vf)));
		return -ENODEV;
	}
	if (care == CONFORM_DESTRUCTIVE) {
		refuse(why, "", "function '%s/vf%u' is another process's and cannot be copied; run 'midplane conform "
		       "--destructive SOCKET' with the socket of its system, when no guest is there",
		       card->place.card->name, vf);
		return -ENOTSUP;
	}
	for (unsigned bar = 0; bar < SPEC_PCI_BARS; bar++)
		s.target.bar_bytes[bar] = s.facts->regions[bar].size;
	conform_run(report, &s.target, care);
	return 0;
}

/* -- telling -- */

void site_external_describe_card(struct run_card *card, struct tree_out *out)
{
	tree_put_integer(out, "vfs_there", count_there(card->external));
}

static void put_identity(const struct vfio_user_import_facts *facts, struct tree_out *out)
{
	const uint8_t *config = facts->config;
	uint64_t bytes = 0;
	char text[24];

	snprintf(text, sizeof text, "%04x:%04x", get_le16(config), get_le16(config + 2));
	tree_put_text(out, "device_id", text);
	snprintf(text, sizeof text, "%02x%02x%02x", config[11], config[10], config[9]);
	tree_put_text(out, "device_class", text);
	for (unsigned bar = 0; bar < SPEC_PCI_BARS; bar++)
		bytes += facts->regions[bar].size;
	tree_put_integer(out, "bar_bytes", bytes);
	tree_put_integer(out, "vectors", facts->irqs[VFIO_USER_IRQ_MSIX].count);
}

const char *site_external_loss(const struct run_card *card, unsigned vf)
{
	enum vfio_user_import_state state = vfio_user_import_state(import_of(card, vf));

	return state == VFIO_USER_IMPORT_PRESENT ? NULL : vfio_user_import_state_text[state];
}

void site_external_describe_function(struct run_card *card, unsigned vf, struct tree_out *out)
{
	const struct vfio_user_import *import = import_of(card, vf);
	const struct vfio_user_import_facts *facts = vfio_user_import_facts(import);
	const struct vfio_user_import_counts *counts = vfio_user_import_counts(import);

	tree_put_text(out, "device", vfio_user_import_state_text[vfio_user_import_state(import)]);
	tree_put_text(out, "device_why", vfio_user_import_why(import));
	tree_put_text(out, "device_socket", vfio_user_import_path(import));
	tree_put_boolean(out, "guard", vfio_user_import_trust(import) == VFIO_USER_IMPORT_GUARDED);
	if (facts)
		put_identity(facts, out);
	tree_put_integer(out, "messages", counts->messages);
	tree_put_integer(out, "dma_reads", counts->dma_reads);
	tree_put_integer(out, "dma_writes", counts->dma_writes);
	tree_put_integer(out, "dma_refused", counts->dma_refused);
	tree_put_integer(out, "device_connections", counts->connections);
}
