/* conform/target.h -- a PCI function that is to be judged, wherever it lives: how its registers are
 * reached, and what else can be done to it.
 *
 * Function 0 is the one that was asked for.  When it is a physical function whose VFs can be
 * reached too, functions 1..n are its VF1..VFn; asking for one that does not exist reads all ones,
 * as a bus does.
 *
 * Threads: the caller's.  Memory: the implementer's. */
#ifndef CONFORM_TARGET_H
#define CONFORM_TARGET_H

#include "base/base.h"

struct conform_target;

enum conform_intx { CONFORM_INTX_REASON, CONFORM_INTX_NO_REASON };

struct conform_target_ops {
	/* A configuration access of 1, 2 or 4 bytes, aligned.  0, or -errno: the way there is
	 * broken, which ends the run; a function that answers nothing reads all ones. */
	int (*read)(struct conform_target *, unsigned function, unsigned offset, unsigned size,
		    uint32_t *value);
	int (*write)(struct conform_target *, unsigned function, unsigned offset, unsigned size,
		     uint32_t value);
	/* Four bytes of the memory that BAR 'bar' of a function stands for.  NULL: cannot be
	 * reached.  -errno: nor can this one. */
	int (*bar_read)(struct conform_target *, unsigned function, unsigned bar, uint64_t offset,
			uint32_t *value);
	int (*bar_write)(struct conform_target *, unsigned function, unsigned bar, uint64_t offset,
			 uint32_t value);
	/* Makes the function meet an uncorrectable error: bit 'bit' of its AER status, with that
	 * header.  NULL: nobody can. */
	int (*inject)(struct conform_target *, unsigned function, unsigned bit,
		      const uint32_t header[4]);
	/* Gives the function a reason to interrupt, or takes it away, as its own registers would.  NULL:
	 * nobody can. */
	int (*intx)(struct conform_target *, unsigned function, enum conform_intx reason);
	/* Whether an INTx has come since it was unmasked last: 1 or 0, or -errno. */
	int (*intx_came)(struct conform_target *, unsigned function);
	/* Where an INTx masks itself when it comes: lets the next one come.  NULL: it is a line. */
	int (*intx_unmask)(struct conform_target *, unsigned function);
	/* Makes the function send the message of an MSI-X vector; whether that has come since this was asked
	 * last: 1 or 0, or -errno.  NULL: nobody can. */
	int (*message)(struct conform_target *, unsigned function, unsigned vector);
	int (*message_came)(struct conform_target *, unsigned function, unsigned vector);
	/* Waits, and the time that passes. */
	void (*pause)(struct conform_target *, uint64_t ns);
	uint64_t (*now_ns)(struct conform_target *);
};

struct conform_target {
	const struct conform_target_ops *ops;
	uint64_t bar_bytes[6]; /* of function 0, where the way there tells; 0: it does not, and BARs
				* are sized by writing ones */
	bool reaches_vfs;
	/* The way there answers for these itself, so what the function would do is not seen: a
	 * kernel or a VMM that keeps BARs, or enables VFs by other means. */
	bool keeps_bars, keeps_vf_enable;
	bool fresh; /* it has just been powered on, so what it holds are defaults */
	/* The function's number in its device, and how many lines of INTx are offered for it; where the
	 * way there tells. */
	bool tells_number, tells_lines;
	uint8_t number, lines;
};

#endif
