/* prog/site_conform.h -- judges a card's functions by the standard (conform/), as reports of the
 * management interface.
 *
 * What is judged is a device of the same kind with the same number of VFs, freshly powered on, so
 * that no guest is disturbed. */
#ifndef PROG_SITE_CONFORM_H
#define PROG_SITE_CONFORM_H

#include "base/refusal.h"
#include "conform/conform.h"
#include "prog/site_run.h"

/* Writes the report as JSON.
 *
 * name  in the tree: of a card ("nic0", its PF) or a virtual function ("nic0/vf3")
 * text  receives the report; the caller frees it
 *
 * 0; -ENOENT, -ENOMEM with 'why'. */
int site_conform(struct site_run *run, const char *name, enum conform_care care, char **text,
		 struct refusal *why);

#endif
