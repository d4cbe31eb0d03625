#include "fabric/reliability.h"

const char *const site_fru_word[SITE_FRU_KIND_COUNT] = {
#define X(name, word, mtbf_h, mttr_h) [SITE_FRU_##name] = word,
	SITE_FRUS(X)
#undef X
};

static const struct {
	double mtbf_h, mttr_h;
} presumptions[SITE_FRU_KIND_COUNT] = {
#define X(name, word, mtbf_h, mttr_h) [SITE_FRU_##name] = { mtbf_h, mttr_h },
	SITE_FRUS(X)
#undef X
};

enum site_fru_kind site_unit_fru(enum site_unit_kind kind)
{
	static const enum site_fru_kind frus[] = {
		[SITE_UNIT_POWER_SUPPLY] = SITE_FRU_POWER_SUPPLY,
		[SITE_UNIT_FAN_TRAY] = SITE_FRU_FAN_TRAY,
		[SITE_UNIT_SHELF_MANAGER] = SITE_FRU_SHELF_MANAGER,
		[SITE_UNIT_POWER_FEED] = SITE_FRU_POWER_FEED,
		[SITE_UNIT_OTHER] = SITE_FRU_OTHER,
	};

	must((unsigned)kind < array_len(frus));
	return frus[kind];
}

struct site_reliability site_reliability_of(enum site_fru_kind kind,
					    const struct site_reliability *said, unsigned *presumed)
{
	struct site_reliability all = *said;
	bool incomplete = false;

	if (all.mtbf_h == 0 && presumptions[kind].mtbf_h > 0) {
		all.mtbf_h = presumptions[kind].mtbf_h;
		incomplete = true;
	}
	if (all.mttr_h == 0 && all.mtbf_h > 0) {
		all.mttr_h = presumptions[kind].mttr_h;
		incomplete = true;
	}
	if (all.software_mtbf_h > 0 && all.restart_h == 0) {
		all.restart_h = SITE_RESTART_H;
		incomplete = true;
	}
	if (presumed)
		*presumed += incomplete;
	return all;
}
