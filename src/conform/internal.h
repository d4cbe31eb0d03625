/* conform/internal.h -- what the files of assertions share: the function that is judged, how its
 * registers are looked at, and how a verdict is said.
 *
 * An assertion is a row with a function; each file has a table of them for one subject, and run.c
 * lists the tables. */
#ifndef CONFORM_INTERNAL_H
#define CONFORM_INTERNAL_H

#include "base/compiler.h"
#include "conform/conform.h"

enum {
	CONFORM_CAPS_MAX = 48, /* capabilities that fit below 0x100 */
	CONFORM_EXTS_MAX = 64,
	CONFORM_CONFIG_SIZE = 4096,
	CONFORM_VF_ENABLE_MS = 1000, /* 9.3.3.3.1: VFs answer after that */
};

enum conform_role { CONFORM_ENDPOINT, CONFORM_VF, CONFORM_PORT };

/* A capability as it was found. */
struct conform_cap {
	uint16_t id, at;
	uint8_t version; /* extended ones */
};

/* The function that is judged. */
struct subject {
	struct conform_target *target;
	unsigned function;
	enum conform_role role;
	bool destructive;
	int error; /* of the way there */
	struct conform_cap caps[CONFORM_CAPS_MAX], exts[CONFORM_EXTS_MAX];
	unsigned cap_count, ext_count;
	bool caps_end, exts_end;	       /* the chain came to its end */
	char caps_broken[96], exts_broken[96]; /* or why it did not */
	/* Where a pointer was found that is no multiple of 4; 0: nowhere. */
	uint16_t caps_crooked, exts_crooked;
	uint64_t aperture[6]; /* of a VF: bytes of its share of each VF BAR; 0: not known */
	/* Where they are; 0: not there. */
	uint16_t pm, msi, msix, express;
	uint16_t aer, serial, acs, ari, ats, sriov;
};

struct judgement {
	enum conform_verdict verdict;
	char seen[CONFORM_SEEN_MAX];
};

struct check {
	struct conform_assertion assertion;
	void (*judge)(struct subject *, struct judgement *);
};

struct checks {
	const struct check *rows;
	unsigned count;
};

extern const struct checks conform_header, conform_intx, conform_bars, conform_chains, conform_express,
	conform_controls, conform_power, conform_msi, conform_msix, conform_errors, conform_injected,
	conform_isolation, conform_reset, conform_sriov, conform_vfs;

/* subject.c */

/* Finds out what the function is and where its capabilities are. */
void subject_look(struct subject *s, struct conform_target *target, unsigned function,
		  enum conform_care care);
/* Bytes that a capability takes, as far as it is known here. */
unsigned cap_size(struct subject *s, const struct conform_cap *cap);
unsigned ext_size(const struct conform_cap *ext);
/* The first extended capability with that ID that ends within configuration space, or 0: one that
 * does not is extcaps.apart's, and its registers are nobody's. */
uint16_t subject_ext(const struct subject *s, uint16_t id);

uint32_t get(struct subject *s, unsigned offset, unsigned size);
void put(struct subject *s, unsigned offset, unsigned size, uint32_t value);
/* The same of another function of the target. */
uint32_t get_of(struct subject *s, unsigned function, unsigned offset, unsigned size);
void put_of(struct subject *s, unsigned function, unsigned offset, unsigned size, uint32_t value);
/* Turns the bits of 'mask' around, looks, and gives the register back what it held: the bits that
 * changed.  Not for bits that are cleared by writing ones. */
uint32_t flip(struct subject *s, unsigned offset, unsigned size, uint32_t mask);
void pause_ms(struct subject *s, unsigned ms);

/* Verdicts.  The first failure of an assertion counts; pass() after fail() is nothing. */
void pass(struct judgement *j, const char *format, ...) printf_like(2, 3);
void fail(struct judgement *j, const char *format, ...) printf_like(2, 3);
void not_applicable(struct judgement *j, const char *format, ...) printf_like(2, 3);

/* Passes when the bits of 'mask' read 0. */
void reads_zero(struct subject *s, struct judgement *j, const char *name, unsigned offset,
		unsigned size, uint32_t mask);
/* Passes when they keep what they are when they are written.  Without leave to write it says
 * nothing: an assertion that is of nothing else is destructive. */
void is_read_only(struct subject *s, struct judgement *j, const char *name, unsigned offset,
		  unsigned size, uint32_t mask);

/* bars.c: size in bytes of a BAR of the subject as writing ones tells; 0: none.  Or as the target
 * told. */
uint64_t bar_size(struct subject *s, unsigned bar);

/* sriov.c: the same of each of its VFs, by the VF BARs of a PF. */
uint64_t vf_bar_size(struct subject *s, unsigned bar);
/* A register of the SR-IOV capability; whether VFs are enabled; whether a VF answers. */
uint32_t sriov_get(struct subject *s, unsigned offset, unsigned size);
void sriov_put(struct subject *s, unsigned offset, unsigned size, uint32_t value);
bool sriov_enabled(struct subject *s);
bool sriov_vf_answers(struct subject *s, unsigned vf);
/* Enables 'count' VFs; whether all of them answer within the time that they have.  Disables all. */
bool sriov_enable(struct subject *s, unsigned count);
void sriov_disable(struct subject *s);
/* Whether 'count' VFs can be enabled, and reached; else the assertion is not applicable. */
bool sriov_can_enable(struct subject *s, struct judgement *j, unsigned count);
bool sriov_can_reach(struct subject *s, struct judgement *j, unsigned count);

/* reset.c: whether the function can be reset alone; else the assertion is not applicable. */
bool can_flr(struct subject *s, struct judgement *j);
/* Initiates a function-level reset and waits until the function answers; false when it does not
 * within 100 ms. */
bool flr(struct subject *s, unsigned function, uint64_t *took_ns);

#define CHECKS(name, rows) const struct checks name = { rows, array_len(rows) }

#endif
