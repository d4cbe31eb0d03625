/* DPDK before ours: its headers spell __attribute__((always_inline)), a word of base/compiler.h */
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "uplink/port.h"

#include "os/log.h"
#include "uplink/driver_fd.h"
#include "uplink/link_watch.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	DESCRIPTORS = 512,
	BUFFER_CACHE = 128,
	FRAME_OVERHEAD = 22, /* Ethernet header and two VLAN tags */
	NAMES_MAX = 160,
	PAGE_BYTES = 4096,
	PORT_BYTES = 1 << 20, /* what a driver keeps for its queues */
	LINE_BUF_BYTES = RTE_ALIGN(sizeof(struct line_buf), RTE_MBUF_PRIV_ALIGN),
};

_Static_assert((int)UPLINK_PORTS_MAX <= RTE_MAX_ETHPORTS, "DPDK has room for all line ports");

static int interface_mtu(const char *interface)
{
	struct ifreq request = { .ifr_mtu = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	err = ioctl(fd, SIOCGIFMTU, &request) < 0 ? -errno : 0;
	(void)close(fd);
	return err < 0 ? err : request.ifr_mtu;
}

/* An XDP socket gets the frames of one queue; the kernel keeps those of the others.  And it takes no
 * buffer that crosses from one page to another elsewhere. */
static int check_xdp(const struct uplink_conf *conf, const struct device *device,
		     struct refusal *why)
{
	unsigned queues = 1;

	if (!(device->traits & DEVICE_XDP_SOCKET))
		return 0;
	if (!strstr(device->args, ",start_queue="))
		queues = wire_frames_queues(device->interface);
	if (queues > 1) {
		refuse(why, "", "card '%s', line port '%s': interface '%s' spreads frames over %u "
		       "queues and the card reads one: 'ethtool -L %s combined 1' (a veth: 'rx 1 tx "
		       "1'), or start_queue= for frames that you steer to one yourself", conf->name,
		       conf->device, device->interface, queues, device->interface);
		return -EINVAL;
	}
	if (!rte_eal_has_hugepages()) {
		refuse(why, "", "card '%s', line port '%s': an XDP socket needs hugepages, since "
		       "frames cross ordinary pages: 'sysctl vm.nr_hugepages=256', or net_af_packet",
		       conf->name, conf->device);
		return -ENOMEM;
	}
	return 0;
}

/* The usual mistakes, before the driver stumbles over them without words. */
static int check_interface(const struct uplink_conf *conf, const struct device *device,
			   struct refusal *why)
{
	bool exists = device->interface[0] && if_nametoindex(device->interface) != 0;
	char names[NAMES_MAX];
	int mtu;

	if ((device->traits & DEVICE_MAKES_INTERFACE) && exists) {
		refuse(why, "", "card '%s', line port '%s': interface '%s' exists already; the "
		       "driver makes its own: choose another name or remove that one", conf->name,
		       conf->device, device->interface);
		return -EEXIST;
	}
	if (!(device->traits & DEVICE_NEEDS_INTERFACE))
		return 0;
	if (!exists) {
		refuse(why, "", "card '%s', line port '%s': interface '%s' does not exist; the "
		       "interfaces are: %s", conf->name, conf->device, device->interface,
		       link_watch_names(names, sizeof(names)));
		return -ENODEV;
	}
	mtu = interface_mtu(device->interface);
	if (mtu >= 0 && mtu < conf->mtu) {
		refuse(why, "", "card '%s', line port '%s': interface '%s' carries %d bytes and the "
		       "card %u: 'ip link set %s mtu %u', or a smaller mtu", conf->name, conf->device,
		       device->interface, mtu, conf->mtu, device->interface, conf->mtu);
		return -EMSGSIZE;
	}
	return check_xdp(conf, device, why);
}

static int check_rights(const struct uplink_conf *conf, const struct device *device,
			struct refusal *why)
{
	const char *path = "/dev/net/tun";
	int fd;

	if (device->traits & DEVICE_MAKES_INTERFACE) {
		if (geteuid() == 0 && access(path, R_OK | W_OK) == 0)
			return 0;
		if (access(path, R_OK | W_OK) < 0) {
			refuse(why, "", "card '%s', line port '%s': %s cannot be opened: %s",
			       conf->name, conf->device, path, strerror(errno));
			return -errno;
		}
		return 0;
	}
	if (!(device->traits & (DEVICE_PACKET_SOCKET | DEVICE_XDP_SOCKET)))
		return 0;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		int err = -errno;

		refuse(why, "", "card '%s', line port '%s': no packet socket: %s; it needs "
		       "CAP_NET_RAW: run as root, or 'setcap cap_net_raw,cap_net_admin+ep' on the "
		       "program", conf->name, conf->device, strerror(-err));
		return err;
	}
	(void)close(fd);
	return 0;
}

static int failed(const struct uplink_conf *conf, int err, const char *what, struct refusal *why)
{
	refuse(why, "", "card '%s', line port '%s': %s: %s; MIDPLANE_LOG=debug shows what the "
	       "driver says", conf->name, conf->device, what, strerror(-err));
	return err;
}

static int probe(struct port *port, const struct uplink_conf *conf, struct refusal *why)
{
	bool pci = port->device.traits & DEVICE_PCI; /* there since the start, when allowed */
	int err = 0;

	if (!pci && rte_eth_dev_get_port_by_name(port->device.name, &port->id) == 0) {
		refuse(why, "", "card '%s', line port '%s': '%s' is in use already: give each line "
		       "port its own number", conf->name, conf->device, port->device.name);
		return -EBUSY;
	}
	if (!pci)
		err = rte_dev_probe(port->device.args);
	if (err < 0)
		return failed(conf, err, "the driver refuses it", why);
	if (rte_eth_dev_get_port_by_name(port->device.name, &port->id) != 0)
		return failed(conf, -ENODEV, "no such network device (is it bound to vfio-pci?)",
			      why);
	port->probed = true;
	return 0;
}

/* What make_buffers asks for, which uplink_memory_bytes foretells. */
static unsigned buffer_count(const struct uplink_conf *conf, unsigned descriptors, unsigned threads)
{
	return conf->buffers + 2u * descriptors + threads * (BUFFER_CACHE + BUFFER_CACHE / 2) +
	       4 * FRAME_BURST;
}

static uint32_t buffer_room(const struct device *device, uint16_t mtu)
{
	uint32_t least = mtu + (uint32_t)FRAME_OVERHEAD;

	return device->ring_frame_bytes < least ? least : device->ring_frame_bytes;
}

/* Ordinary pages are the worse case: a buffer that is smaller than one does not cross into the next,
 * and a larger one begins with a page. */
static uint64_t buffer_bytes(uint32_t room)
{
	uint32_t size = rte_mempool_calc_obj_size(sizeof(struct rte_mbuf) + LINE_BUF_BYTES +
						  RTE_PKTMBUF_HEADROOM + room, 0, NULL);

	return size > PAGE_BYTES ? RTE_ALIGN(size, PAGE_BYTES) : PAGE_BYTES / (PAGE_BYTES / size);
}

uint64_t uplink_memory_bytes(const struct uplink_conf *conf, unsigned workers)
{
	unsigned count = buffer_count(conf, DESCRIPTORS, workers + 1);
	struct device device;
	struct refusal why;

	if (device_parse(conf->device, conf->mtu, &device, &why) < 0)
		return 0; /* refused later, with its reason */
	return count * buffer_bytes(buffer_room(&device, conf->mtu)) +
	       2 * sizeof(void *) * (uint64_t)count + /* the ring of free ones: a power of two */
	       RTE_MAX_LCORE * sizeof(struct rte_mempool_cache) + PORT_BYTES;
}

static int make_buffers(struct port *port, const struct uplink_conf *conf, uint16_t descriptors,
			struct refusal *why)
{
	unsigned count = buffer_count(conf, descriptors, rte_lcore_count());
	uint32_t room = buffer_room(&port->device, conf->mtu);
	char name[RTE_MEMPOOL_NAMESIZE];

	port->room = room;
	(void)snprintf(name, sizeof(name), "line_%u", port->id);
	port->buffers = rte_pktmbuf_pool_create(name, count, BUFFER_CACHE,
						LINE_BUF_BYTES,
						(uint16_t)(RTE_PKTMBUF_HEADROOM + room),
						SOCKET_ID_ANY);
	if (port->buffers)
		return 0;
	refuse(why, "", "card '%s', line port '%s': no memory for %u buffers of %u bytes: %s; start "
	       "with more by --memory", conf->name, conf->device, count, room, strerror(rte_errno));
	return -ENOMEM;
}

static int configure(struct port *port, const struct uplink_conf *conf,
		     struct rte_eth_dev_info *info)
{
	struct rte_eth_conf eth = { .rxmode = { .mtu = conf->mtu } };
	int err;

	if ((info->dev_flags && (*info->dev_flags & RTE_ETH_DEV_INTR_LSC)) &&
	    !port->device.interface[0])
		eth.intr_conf.lsc = 1;
	if (info->max_mtu && info->max_mtu < conf->mtu)
		return -EMSGSIZE;
	eth.txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	port->tells_link = eth.intr_conf.lsc;
	/* a driver whose receive queue can wake a sleeper says so by accepting this */
	eth.intr_conf.rxq = 1;
	err = rte_eth_dev_configure(port->id, 1, 1, &eth);
	if (err == 0)
		return 0;
	eth.intr_conf.rxq = 0;
	return rte_eth_dev_configure(port->id, 1, 1, &eth);
}

static int set_up_queues(struct port *port, uint16_t rx, uint16_t tx)
{
	int err = rte_eth_rx_queue_setup(port->id, 0, rx, (unsigned)SOCKET_ID_ANY, NULL, port->buffers);

	return err < 0 ? err : rte_eth_tx_queue_setup(port->id, 0, tx, (unsigned)SOCKET_ID_ANY, NULL);
}

static void find_descriptors(struct port *port, const struct driver_fd_set *before)
{
	uint32_t traits = port->device.traits;

	if (traits & DEVICE_PACKET_SOCKET) {
		port->packet_fd = driver_fd_find(before, DRIVER_FD_PACKET);
		port->wake_fd = port->packet_fd;
	} else if (traits & DEVICE_XDP_SOCKET) {
		port->wake_fd = driver_fd_find(before, DRIVER_FD_XDP);
	} else {
		port->wake_fd = rte_eth_dev_rx_intr_ctl_q_get_fd(port->id, 0);
	}
}

static int start(struct port *port, const struct uplink_conf *conf, struct refusal *why)
{
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;
	struct rte_eth_dev_info info;
	int err = rte_eth_dev_info_get(port->id, &info);

	if (err < 0)
		return failed(conf, err, "the driver says nothing about it", why);
	err = configure(port, conf, &info);
	if (err < 0)
		return failed(conf, err, "it cannot be configured", why);
	err = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx, &tx);
	if (err < 0)
		return failed(conf, err, "it has no queues of a usable size", why);
	err = make_buffers(port, conf, rx > tx ? rx : tx, why);
	if (err < 0)
		return err;
	err = set_up_queues(port, rx, tx);
	if (err < 0)
		return failed(conf, err, "its queues cannot be set up", why);
	if (port->device.traits & DEVICE_MAKES_INTERFACE)
		(void)rte_eth_dev_set_mtu(port->id, conf->mtu);
	err = rte_eth_dev_start(port->id);
	if (err < 0)
		return failed(conf, err, "it does not start", why);
	port->started = true;
	/* a switch takes frames for everybody */
	err = rte_eth_promiscuous_enable(port->id);
	if (err < 0 && !(port->device.traits & DEVICE_SILENT))
		log_warning("uplink", "a line port cannot be made promiscuous, so frames for learned "
			    "addresses may not arrive card=%s device=%s error='%s'", conf->name,
			    conf->device, strerror(-err));
	return 0;
}

/* What a packet socket shows beyond the frames of the wire. */
static void ask_for_wire_frames(struct port *port)
{
	const char *interface = port->device.interface;
	int err;

	if (!(port->device.traits & DEVICE_PACKET_SOCKET))
		return;
	err = wire_frames_ask(&port->wire, interface);
	if (err < 0)
		log_warning("uplink", "the kernel may hand over frames longer than the wire's, which "
			    "are dropped: 'ethtool -K %s gro off', and for a veth 'tso off gso off' on "
			    "its other end error='%s'", interface, strerror(-err));
	if (port->packet_fd < 0 || driver_fd_ignore_outgoing(port->packet_fd) < 0)
		log_warning("uplink", "what this host sends on the interface itself will look as if "
			    "it came from the line interface=%s", interface);
}

int port_open(struct port *port, const struct uplink_conf *conf, struct refusal *why)
{
	struct driver_fd_set *before;
	int err;

	memset(port, 0, sizeof(*port));
	port->wake_fd = port->packet_fd = -1;
	err = device_parse(conf->device, conf->mtu, &port->device, why);
	if (err == 0)
		err = check_rights(conf, &port->device, why);
	if (err == 0)
		err = check_interface(conf, &port->device, why);
	if (err < 0)
		return err;
	before = malloc(sizeof(*before));
	if (!before)
		return -ENOMEM;
	driver_fd_note(before);
	err = probe(port, conf, why);
	if (err == 0)
		err = start(port, conf, why);
	if (err == 0) {
		find_descriptors(port, before);
		ask_for_wire_frames(port);
	} else {
		port_close(port);
	}
	free(before);
	return err;
}

void port_close(struct port *port)
{
	struct rte_eth_dev_info info;

	wire_frames_put_back(&port->wire);
	if (port->probed && rte_eth_dev_info_get(port->id, &info) == 0) {
		(void)rte_eth_promiscuous_disable(port->id);
		if (port->started)
			(void)rte_eth_dev_stop(port->id);
		(void)rte_eth_dev_close(port->id);
		(void)rte_dev_remove(info.device); /* the interface that it made goes with it */
	}
	rte_mempool_free(port->buffers); /* NULL is nothing */
	port->buffers = NULL;
	port->probed = port->started = false;
	port->wake_fd = port->packet_fd = -1;
}
