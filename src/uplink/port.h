/* uplink/port.h -- one DPDK port: probed, configured with one queue each way, started, closed.
 *
 * Inside uplink/ only.  Threads: control. */
#ifndef UPLINK_PORT_H
#define UPLINK_PORT_H

#include "uplink/device.h"
#include "uplink/uplink.h"
#include "uplink/wire_frames.h"

struct rte_mempool;

struct port {
	struct device device;
	uint16_t id;
	bool probed, started;
	bool tells_link; /* a change of its link raises an interrupt */
	int wake_fd;     /* readable when frames arrive; -1 */
	int packet_fd;   /* its packet socket; -1 */
	uint32_t room;   /* bytes of a frame that a buffer holds */
	struct rte_mempool *buffers;
	struct wire_frames wire; /* of a packet socket */
};

/* Opens what conf->device says.  -errno with 'why'; nothing is left open then. */
int port_open(struct port *port, const struct uplink_conf *conf, struct refusal *why);
void port_close(struct port *port);

#endif
