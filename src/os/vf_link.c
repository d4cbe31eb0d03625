#include "os/vf_link.h"
#include "base/bytes.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_MAX = 512, ADDRESS_BYTES = 6 };

struct message {
	union {
		struct nlmsghdr header;
		uint8_t bytes[MESSAGE_MAX];
	};
};

static void *end_of(struct message *m)
{
	return m->bytes + NLMSG_ALIGN(m->header.nlmsg_len);
}

/* Adds an attribute; room has been reckoned for all that this file adds. */
static struct rtattr *add(struct message *m, unsigned short type, const void *data, size_t size)
{
	struct rtattr *attribute = end_of(m);

	must(NLMSG_ALIGN(m->header.nlmsg_len) + RTA_SPACE(size) <= MESSAGE_MAX);
	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(attribute), data, size);
	m->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(m->header.nlmsg_len) + RTA_SPACE(size));
	return attribute;
}

static void close_nest(struct message *m, struct rtattr *nest)
{
	nest->rta_len = (unsigned short)((uint8_t *)end_of(m) - (uint8_t *)nest);
}

static void lay(struct message *m, unsigned index, unsigned vf, const struct vf_link *link)
{
	struct ifinfomsg *info = NLMSG_DATA(&m->header);
	struct ifla_vf_mac mac = { .vf = vf };
	struct ifla_vf_vlan vlan = { .vf = vf, .vlan = link->vlan };
	struct ifla_vf_rate rate = { .vf = vf, .max_tx_rate = link->rate_mbps };
	struct rtattr *list, *one;

	memset(m, 0, sizeof *m);
	m->header.nlmsg_len = NLMSG_LENGTH(sizeof *info);
	m->header.nlmsg_type = RTM_SETLINK;
	m->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)index;
	put_be48(mac.mac, link->mac);
	list = add(m, IFLA_VFINFO_LIST, NULL, 0);
	one = add(m, IFLA_VF_INFO, NULL, 0);
	if (link->set & VF_LINK_MAC)
		add(m, IFLA_VF_MAC, &mac, sizeof mac);
	if (link->set & VF_LINK_VLAN)
		add(m, IFLA_VF_VLAN, &vlan, sizeof vlan);
	if (link->set & VF_LINK_RATE)
		add(m, IFLA_VF_RATE, &rate, sizeof rate);
	close_nest(m, one);
	close_nest(m, list);
}

/* Sends the request and takes the kernel's answer: 0 or -errno. */
static int ask(int fd, struct message *m)
{
	const struct nlmsgerr *error;
	ssize_t got;

	if (send(fd, m->bytes, m->header.nlmsg_len, 0) < 0)
		return -errno;
	got = recv(fd, m->bytes, sizeof m->bytes, 0);
	if (got < 0)
		return -errno;
	if (got < (ssize_t)NLMSG_LENGTH(sizeof *error) || m->header.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	error = NLMSG_DATA(&m->header);
	return error->error;
}

int vf_link_set(const char *interface, unsigned vf, const struct vf_link *link, struct refusal *why)
{
	unsigned index = if_nametoindex(interface);
	struct message message;
	int fd, err;

	if (index == 0) {
		refuse(why, "", "there is no interface %.32s", interface);
		return -ENODEV;
	}
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	lay(&message, index, vf, link);
	err = ask(fd, &message);
	close(fd);
	if (err)
		refuse(why, "",
		       "the driver of %.32s does not take that for virtual function %u: %s%s",
		       interface, vf, strerror(-err), err == -EPERM ? "; be root" : "");
	return err;
}
