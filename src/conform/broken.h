/* conform/broken.h -- for tests: functions of our own as a target, and the same with one defect.
 *
 * A defect is a row: bits that read wrong, bits that can be written though they must not, bits that
 * cannot though they must, or a trick for what a mask cannot say.  Each row names the
 * assertion that has to find it. */
#ifndef CONFORM_BROKEN_H
#define CONFORM_BROKEN_H

#include "conform/target.h"
#include "pcie/device.h"
#include "pcie/kinds.h"

enum { BROKEN_VFS = 4, BROKEN_BAR_BYTES = 0x4000 };

enum trick {
	TRICK_NONE,
	TRICK_SILENT,	    /* answers nothing */
	TRICK_ZEROES_CLEAR, /* a status that has an error loses it by any write */
	TRICK_FLR_IGNORED,
	TRICK_FLR_DEAD, /* never answers again */
	TRICK_FLR_SLOW, /* answers after 200 ms */
	TRICK_FLR_KEEPS_BARS,
	TRICK_FLR_LOSES_STICKY,
	TRICK_FLR_LOSES_PAYLOAD,
	TRICK_FLR_KEEPS_VFS,
	TRICK_FLR_RESETS_ALL_VFS,
	TRICK_SLEEP_LOSES,	/* Command is lost in D3hot */
	TRICK_ENTRIES_UNMASKED, /* after a reset */
	TRICK_ENTRIES_PENDING,
	TRICK_ENTRIES_FIXED,
	TRICK_VFS_SILENT,
	TRICK_VFS_STAY,
	TRICK_ERRORS_UNLOGGED,
	TRICK_ERRORS_STAY, /* Uncorrectable Error Status cannot be cleared */
	TRICK_ERRORS_DEFAULTS,	  /* one severity is another than it should be */
	TRICK_ERRORS_LOG_MASKED,  /* masked ones are logged, too */
	TRICK_ERRORS_ALL_FATAL,
	TRICK_ERRORS_SPREAD,	  /* a VF's show in the PF */
	TRICK_FLR_SLEEPS_ON,	  /* D3hot stays */
	TRICK_FLR_KEEPS_CONTROLS, /* Device Control and ATS Control */
	TRICK_FLR_CHANGES_IDENTITY,
	TRICK_FLR_KEEPS_NUM_VFS,
	TRICK_VFS_TOO_MANY, /* one more than NumVFs answers */
	TRICK_VFS_REMEMBER, /* what VF1 was told before VF Enable was cleared */
	TRICK_INTX_NO_STATUS,
	TRICK_INTX_STATUS_STAYS, /* over a reset */
	TRICK_INTX_NEVER_DISABLED,
	TRICK_INTX_WITH_MSIX,
	TRICK_INTX_ONCE, /* unmasking it does nothing */
	TRICK_INTX_NO_LINE,
	TRICK_MESSAGES_UNMASKED, /* whatever masks them */
	TRICK_MESSAGES_LOST,	 /* while they are masked */
	TRICK_MESSAGES_PEND_ON,	 /* when they have come */
	TRICK_MESSAGES_ANYWAY,	 /* without Bus Master Enable */
};

/* What it is a defect of: the PF of a NIC card and its VFs, a root port, or a function that is lent
 * to a guest, which has INTx. */
enum specimen { SPECIMEN_CARD, SPECIMEN_PORT, SPECIMEN_LENT, SPECIMEN_COUNT };

struct defect {
	const char *assertion;
	unsigned function;   /* whose; 1 means every VF */
	enum pcie_cap cap;   /* offsets count from it */
	unsigned offset;     /* of a 32-bit word */
	uint32_t set, clear; /* bits that read 1, read 0 */
	uint32_t writable;   /* bits that keep what is written */
	uint32_t stuck;	     /* bits that no write changes */
	enum trick trick;
	enum specimen on;
	unsigned found_on; /* the function that the assertion fails of, when it is another; 0: it is not */
};

/* All defects; returns how many. */
unsigned broken_defects(const struct defect **list);

struct broken {
	struct conform_target target;
	struct pcie_kinds kinds;
	struct pcie_device device;
	struct cfg spaces[1 + BROKEN_VFS];
	const struct defect *defect;		       /* NULL: none */
	uint32_t kept;				       /* of the defect's writable bits */
	uint8_t bar[1 + BROKEN_VFS][BROKEN_BAR_BYTES]; /* with the MSI-X structures */
	unsigned writes;			       /* that came */
	bool dead;
	uint64_t now_ns, silent_until_ns;
	struct cfg ghost; /* of a VF that has gone */
	/* INTx: the function has a reason; it came, and is masked until somebody lets it. */
	bool intx_reason, intx_came, intx_masked;
	bool message_came; /* of vector 0 of function 0 */
};

/* Powers a specimen on, with that defect or NULL. */
void broken_init(struct broken *b, enum specimen specimen, const struct defect *defect);

#endif
