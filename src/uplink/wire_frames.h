/* uplink/wire_frames.h -- asks the kernel to hand us frames as they are on the wire.
 *
 * A packet socket sits above two economies of the kernel that make frames longer than any wire
 * carries: receive coalescing (GRO, LRO) on the interface itself, and, on a veth pair, segmentation
 * that the far end leaves to a card that is not there (TSO).  The first two are switched off.  For
 * the last, an XDP program that passes everything is attached to our end: the kernel then gives the
 * far end, in whatever namespace, no more segmentation offload.
 *
 * All is put back on close; the program goes with its descriptor even when the process dies.
 * What cannot be switched for want of rights stays as it is: longer frames are refused and counted.
 *
 * Threads: control.  Memory: the caller's. */
#ifndef UPLINK_WIRE_FRAMES_H
#define UPLINK_WIRE_FRAMES_H

#include "base/base.h"

struct wire_frames {
	char interface[16];
	bool gro_was_on, lro_was_on;
	int xdp_fd; /* the attachment; -1 */
};

/* 0, or the -errno of the first step that failed; the others are done all the same. */
int wire_frames_ask(struct wire_frames *wire, const char *interface);
void wire_frames_put_back(struct wire_frames *wire);

/* Receive queues of the interface; 1 when it does not tell. */
unsigned wire_frames_queues(const char *interface);

#endif
