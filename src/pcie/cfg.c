#include "pcie/cfg.h"

#include <string.h>

static const struct {
	bool rw, rw1c, trigger, lock, sticky, kept;
} attr_rules[] = {
	[CFG_RO] = { 0 },
	[CFG_RW] = { .rw = true },
	[CFG_RW1C] = { .rw1c = true },
	[CFG_HWINIT] = { .sticky = true },
	[CFG_ROS] = { .sticky = true },
	[CFG_RWS] = { .rw = true, .sticky = true },
	[CFG_RW1CS] = { .rw1c = true, .sticky = true },
	[CFG_RW_KEPT] = { .rw = true, .kept = true },
	[CFG_RW_LOCK] = { .rw = true, .lock = true },
	[CFG_TRIGGER] = { .trigger = true },
};

static void lay_field(struct cfg_map *map, unsigned at, const struct cfg_field *f)
{
	must(at < CFG_SIZE);
	must(f->attr < array_len(attr_rules));

	unsigned shift = at % 4 * 8;
	uint32_t mask = bits32(shift + f->hi, shift + f->lo);
	struct cfg_rules *r = &map->rules[at / 4];

	must((r->laid & mask) == 0);
	must((f->reset & ~(mask >> (shift + f->lo))) == 0);
	r->laid |= mask;
	r->reset |= f->reset << (shift + f->lo);
	r->rw |= attr_rules[f->attr].rw ? mask : 0;
	r->rw1c |= attr_rules[f->attr].rw1c ? mask : 0;
	r->trigger |= attr_rules[f->attr].trigger ? mask : 0;
	r->lock |= attr_rules[f->attr].lock ? mask : 0;
	r->sticky |= attr_rules[f->attr].sticky ? mask : 0;
	r->kept |= attr_rules[f->attr].kept ? mask : 0;
}

void cfg_lay(struct cfg_map *map, unsigned base, const struct cfg_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		lay_field(map, base + fields[i].offset, &fields[i]);
}

void cfg_power_on(struct cfg *cfg, const struct cfg_map *map)
{
	cfg->map = map;
	cfg->locked = false;
	for (unsigned w = 0; w < CFG_WORDS; w++)
		cfg->word[w] = map->rules[w].reset;
}

void cfg_reset(struct cfg *cfg, enum cfg_reset_kind kind)
{
	cfg->locked = false;
	for (unsigned w = 0; w < CFG_WORDS; w++) {
		const struct cfg_rules *r = &cfg->map->rules[w];
		uint32_t spared = r->sticky | (kind == CFG_RESET_FUNCTION ? r->kept : 0);

		cfg->word[w] = (cfg->word[w] & spared) | (r->reset & ~spared);
	}
}

bool cfg_is_access(unsigned offset, unsigned size)
{
	return (size == 1 || size == 2 || size == 4) && offset % size == 0 && offset < CFG_SIZE;
}

uint32_t cfg_read(const struct cfg *cfg, unsigned offset, unsigned size)
{
	must(cfg_is_access(offset, size));
	return (cfg->word[offset / 4] >> (offset % 4 * 8)) & bits32(size * 8 - 1, 0);
}

uint32_t cfg_write(struct cfg *cfg, unsigned offset, unsigned size, uint32_t value)
{
	must(cfg_is_access(offset, size));

	const struct cfg_rules *r = &cfg->map->rules[offset / 4];
	uint32_t *word = &cfg->word[offset / 4], old = *word;
	uint32_t lanes = bits32(size * 8 - 1, 0) << (offset % 4 * 8);
	uint32_t in = (value << (offset % 4 * 8)) & lanes;
	uint32_t rw = r->rw & lanes & ~(cfg->locked ? r->lock : 0);

	*word = ((old & ~rw) | (in & rw)) & ~(in & r->rw1c);
	return (old ^ *word) | (in & r->trigger);
}

void cfg_set(struct cfg *cfg, unsigned offset, unsigned size, uint32_t mask, uint32_t value)
{
	must(cfg_is_access(offset, size));
	must((mask & ~bits32(size * 8 - 1, 0)) == 0);

	uint32_t *word = &cfg->word[offset / 4];
	unsigned shift = offset % 4 * 8;

	must(((mask << shift) & ~cfg->map->rules[offset / 4].laid) == 0);
	*word = (*word & ~(mask << shift)) | ((value & mask) << shift);
}
