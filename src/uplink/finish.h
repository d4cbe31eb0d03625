/* uplink/finish.h -- the transport checksum that a neighbour on the same host left half-done.
 *
 * A virtual interface hands frames over with only the sum of the pseudo-header in the checksum
 * field, for the next card to finish (Linux: CHECKSUM_PARTIAL), and the packet socket behind
 * our port drops the note about it.  Such a field is recognised by its value: it equals that sum.
 * A correct frame looks so once in 65536, and finishing it computes the same checksum again.
 *
 * Pure; any thread. */
#ifndef UPLINK_FINISH_H
#define UPLINK_FINISH_H

#include "base/base.h"

/* Finishes TCP or UDP over IPv4 or IPv6 (no extension headers), with up to two VLAN tags, in
 * place.  Fragments and all else stay as they are.  True when it wrote a checksum. */
bool finish_checksum(uint8_t *bytes, uint32_t size);

#endif
