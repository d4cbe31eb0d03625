#include "os/vf_link.h"
#include "base/bytes.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
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
	struct ifla_vf_spoofchk spoof = { .vf = vf, .setting = link->spoof_check };
	struct ifla_vf_trust trust = { .vf = vf, .setting = link->trust };
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
	if (link->set & VF_LINK_SPOOF_CHECK)
		add(m, IFLA_VF_SPOOFCHK, &spoof, sizeof spoof);
	if (link->set & VF_LINK_TRUST)
		add(m, IFLA_VF_TRUST, &trust, sizeof trust);
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

/* An interface's flags, or -errno. */
static int get_flags(int fd, const char *interface, struct ifreq *request)
{
	*request = (struct ifreq){ .ifr_flags = 0 };
	snprintf(request->ifr_name, sizeof request->ifr_name, "%s", interface);
	return ioctl(fd, SIOCGIFFLAGS, request) ? -errno
						: request->ifr_flags & (IFF_UP | IFF_RUNNING);
}

/* Drivers say EINVAL for whatever they do not like of a rate; this finds out what it is. */
static int why_no_rate(int fd, const char *interface, unsigned vf, const struct vf_link *link,
		       struct refusal *why)
{
	struct ifreq request;
	int flags = get_flags(fd, interface, &request);

	if (flags >= 0 && !(flags & IFF_UP)) {
		refuse(why, "",
		       "%.32s is down, and takes no rate for virtual function %u: ip link set "
		       "%.32s up",
		       interface, vf, interface);
		return -ENETDOWN;
	}
	if (flags >= 0 && !(flags & IFF_RUNNING)) {
		refuse(why, "",
		       "%.32s has no link, and takes no rate for virtual function %u: is its cable "
		       "plugged?",
		       interface, vf);
		return -ENOLINK;
	}
	refuse(why, "",
	       "the driver of %.32s takes no %u Mbit/s for virtual function %u: more than its line "
	       "has?",
	       interface, link->rate_mbps, vf);
	return -EINVAL;
}

static const char *remedy(int err)
{
	return err == -EPERM ? "; be root" : err == -EOPNOTSUPP ? "; it has no such setting" : "";
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
	if (err == -EINVAL && link->set == VF_LINK_RATE)
		err = why_no_rate(fd, interface, vf, link, why);
	else if (err)
		refuse(why, "",
		       "the driver of %.32s does not take that for virtual function %u: %s%s",
		       interface, vf, strerror(-err), remedy(err));
	close(fd);
	return err;
}

int vf_link_raise(const char *interface, struct refusal *why)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;
	struct ifreq request;

	err = fd < 0 ? -errno : get_flags(fd, interface, &request);
	if (err >= 0 && !(err & IFF_UP)) {
		request.ifr_flags |= IFF_UP;
		err = ioctl(fd, SIOCSIFFLAGS, &request) ? -errno : 0;
	}
	if (err < 0)
		refuse(why, "", "cannot bring %.32s up, without which its functions are idle: %s%s",
		       interface, strerror(-err), remedy(err));
	if (fd >= 0)
		close(fd);
	return err < 0 ? err : 0;
}
