#include "uplink/wire_frames.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>

/* One ethtool question or order on the interface. */
static int ethtool(const char *interface, void *command)
{
	struct ifreq request = { .ifr_data = command };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	err = ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
	(void)close(fd);
	return err;
}

static int set_value(const char *interface, uint32_t command, uint32_t value)
{
	struct ethtool_value order = { .cmd = command, .data = value };

	return ethtool(interface, &order);
}

static uint32_t get_value(const char *interface, uint32_t command)
{
	struct ethtool_value question = { .cmd = command };

	return ethtool(interface, &question) < 0 ? 0 : question.data;
}

static bool is_veth(const char *interface)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };

	return ethtool(interface, &info) == 0 && strcmp(info.driver, "veth") == 0;
}

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	long fd = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return fd < 0 ? -errno : (int)fd;
}

/* "return XDP_PASS", attached as long as the descriptor that comes back is open. */
static int attach_pass(const char *interface)
{
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr load, link;
	int program, fd;

	memset(&load, 0, sizeof(load));
	load.prog_type = BPF_PROG_TYPE_XDP;
	load.insns = (uintptr_t)code;
	load.insn_cnt = array_len(code);
	load.license = (uintptr_t)"Apache-2.0";
	program = bpf(BPF_PROG_LOAD, &load);
	if (program < 0)
		return program;
	memset(&link, 0, sizeof(link));
	link.link_create.prog_fd = (uint32_t)program;
	link.link_create.target_ifindex = if_nametoindex(interface);
	link.link_create.attach_type = BPF_XDP;
	fd = bpf(BPF_LINK_CREATE, &link);
	(void)close(program);
	return fd;
}

int wire_frames_ask(struct wire_frames *wire, const char *interface)
{
	int err = 0, step;

	memset(wire, 0, sizeof(*wire));
	(void)snprintf(wire->interface, sizeof(wire->interface), "%s", interface);
	wire->xdp_fd = -1;
	wire->gro_was_on = get_value(interface, ETHTOOL_GGRO);
	wire->lro_was_on = get_value(interface, ETHTOOL_GFLAGS) & ETH_FLAG_LRO;
	if (is_veth(interface)) {
		wire->xdp_fd = attach_pass(interface);
		err = wire->xdp_fd < 0 ? wire->xdp_fd : 0;
	}
	/* after the program, which turns it on for a veth */
	step = set_value(interface, ETHTOOL_SGRO, 0);
	if (step < 0 && wire->gro_was_on && err == 0)
		err = step;
	if (wire->lro_was_on) {
		step = set_value(interface, ETHTOOL_SFLAGS,
				 get_value(interface, ETHTOOL_GFLAGS) & ~(uint32_t)ETH_FLAG_LRO);
		if (step < 0 && err == 0)
			err = step;
	}
	return err;
}

void wire_frames_put_back(struct wire_frames *wire)
{
	if (!wire->interface[0])
		return;
	if (wire->xdp_fd >= 0)
		(void)close(wire->xdp_fd);
	/* an interface that is gone meanwhile has nothing to put back */
	if (wire->gro_was_on)
		(void)set_value(wire->interface, ETHTOOL_SGRO, 1);
	if (wire->lro_was_on)
		(void)set_value(wire->interface, ETHTOOL_SFLAGS,
				get_value(wire->interface, ETHTOOL_GFLAGS) | ETH_FLAG_LRO);
	wire->interface[0] = '\0';
	wire->xdp_fd = -1;
}

unsigned wire_frames_queues(const char *interface)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };

	if (ethtool(interface, &channels) < 0)
		return 1;
	return channels.rx_count + channels.combined_count;
}
