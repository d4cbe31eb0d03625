/* prog/avail_change.h -- "what if": one change of a model or of a site, said in words.
 *
 * Of a site:
 *   add card NAME to CARRIER [group GROUP]     a card like the group's first; it stands by in the group
 *   move card NAME to CARRIER
 *   replace CARD by CARD in GROUP              members of a redundancy group
 *   pull card NAME                             it is out and stays out
 *   add path NAME from CHASSIS to CHASSIS      one more way between two chassis
 *   drop path NAME
 *   KIND NAME WHAT VALUE                       KIND: chassis, carrier, card, host, switch, path, system,
 *                                              unit (NAME: CHASSIS/UNIT); WHAT: mtbf, mttr, software_mtbf,
 *                                              restart; of a unit also count, needed
 *   group NAME WHAT VALUE                      WHAT: coverage, switch_over, recovery
 * Of any model:
 *   event NAME mtbf|mttr|probability VALUE     NAME as the cut sets show it
 *   event NAME fails | event NAME never fails
 *
 * Threads: one.  Memory: of the case. */
#ifndef PROG_AVAIL_CHANGE_H
#define PROG_AVAIL_CHANGE_H

#include "prog/avail_case.h"

/* Changes the case, which afterwards answers as if it had been so from the start.
 *
 * 0; -EINVAL with 'why': not understood, or there is no such thing; -ENOMEM.  After a failure the case is
 * good for avail_case_close only. */
int avail_change_apply(struct avail_case *c, const char *text, struct refusal *why);

#endif
