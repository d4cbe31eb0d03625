#include "card/mirror_set.h"

static struct mirror_set *set_of(struct polled *polled)
{
	return container_of(polled, struct mirror_set, polled);
}

static unsigned set_poll(struct worker *worker, struct polled *polled, uint64_t now_ns)
{
	struct mirror_set *set = set_of(polled);
	unsigned work = 0;

	for (unsigned i = 0; i < set->count; i++) {
		struct polled *p = mirror_polled(set->mirrors[i]);

		work += p->ops->poll(worker, p, now_ns);
	}
	return work;
}

static uint64_t set_deadline_ns(struct worker *worker, struct polled *polled)
{
	struct mirror_set *set = set_of(polled);
	uint64_t deadline_ns = UINT64_MAX;

	for (unsigned i = 0; i < set->count; i++) {
		struct polled *p = mirror_polled(set->mirrors[i]);

		deadline_ns = min_u64(deadline_ns, p->ops->deadline_ns(worker, p));
	}
	return deadline_ns;
}

static bool set_arm(struct worker *worker, struct polled *polled)
{
	struct mirror_set *set = set_of(polled);
	bool work = false;

	for (unsigned i = 0; i < set->count; i++) {
		struct polled *p = mirror_polled(set->mirrors[i]);

		work |= p->ops->arm(worker, p);
	}
	return work;
}

static void set_disarm(struct worker *worker, struct polled *polled)
{
	struct mirror_set *set = set_of(polled);

	for (unsigned i = 0; i < set->count; i++) {
		struct polled *p = mirror_polled(set->mirrors[i]);

		p->ops->disarm(worker, p);
	}
}

static bool set_needs_poll(struct worker *worker, struct polled *polled)
{
	struct mirror_set *set = set_of(polled);
	bool needs = false;

	for (unsigned i = 0; i < set->count; i++) {
		struct polled *p = mirror_polled(set->mirrors[i]);

		needs |= p->ops->needs_poll(worker, p);
	}
	return needs;
}

static const struct polled_ops mirror_set_ops = {
	.poll = set_poll,
	.deadline_ns = set_deadline_ns,
	.arm = set_arm,
	.disarm = set_disarm,
	.needs_poll = set_needs_poll,
};

void mirror_set_init(struct mirror_set *set, struct mirror **mirrors)
{
	*set = (struct mirror_set){ .polled.ops = &mirror_set_ops, .mirrors = mirrors };
}

void mirror_set_add(struct mirror_set *set, struct mirror *mirror)
{
	set->mirrors[set->count++] = mirror;
}
