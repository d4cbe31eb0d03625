#include "uplink/driver_fd.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/filter.h>
#include <linux/if_packet.h>

/* Calls 'look' with every open descriptor below DRIVER_FD_LIMIT until it says true; that one. */
static int each_fd(bool (*look)(void *arg, int fd), void *arg)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int found = -1;

	if (!dir)
		return -1;
	while (found < 0 && (entry = readdir(dir))) {
		char *end;
		long fd = strtol(entry->d_name, &end, 10);

		if (end == entry->d_name || *end || fd < 0 || fd >= DRIVER_FD_LIMIT)
			continue;
		if (fd == dirfd(dir)) /* ours for now, and soon somebody else's number */
			continue;
		if (look(arg, (int)fd))
			found = (int)fd;
	}
	closedir(dir);
	return found;
}

static bool note_one(void *arg, int fd)
{
	struct driver_fd_set *set = arg;

	set->bits[fd / 64] |= UINT64_C(1) << (fd % 64);
	return false;
}

void driver_fd_note(struct driver_fd_set *before)
{
	memset(before, 0, sizeof(*before));
	(void)each_fd(note_one, before);
}

static bool is_domain(int fd, int domain)
{
	int is = -1;
	socklen_t size = sizeof(is);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &is, &size) == 0 && is == domain;
}

/* The driver has another packet socket, for its questions; only the one with the ring is set
 * to version 2. */
static bool has_ring(int fd)
{
	int version = -1;
	socklen_t size = sizeof(version);

	return getsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, &size) == 0 &&
	       version == TPACKET_V2;
}

struct search {
	const struct driver_fd_set *before;
	enum driver_fd_kind kind;
};

static bool is_wanted(void *arg, int fd)
{
	const struct search *search = arg;

	if (search->before->bits[fd / 64] >> (fd % 64) & 1)
		return false;
	if (search->kind == DRIVER_FD_XDP)
		return is_domain(fd, AF_XDP);
	return is_domain(fd, AF_PACKET) && has_ring(fd);
}

int driver_fd_find(const struct driver_fd_set *before, enum driver_fd_kind kind)
{
	struct search search = { before, kind };

	return each_fd(is_wanted, &search);
}

/* PACKET_IGNORE_OUTGOING would say it shorter, but the driver's socket is in a fanout group, where
 * that option of a member counts for nothing. */
int driver_fd_ignore_outgoing(int packet_fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0x40000),
	};
	struct sock_fprog program = { .len = array_len(code), .filter = code };

	return setsockopt(packet_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ?
		       -errno :
		       0;
}

uint64_t driver_fd_dropped(int packet_fd)
{
	struct tpacket_stats stats = { 0 };
	socklen_t size = sizeof(stats);

	if (getsockopt(packet_fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) < 0)
		return 0;
	return stats.tp_drops;
}
