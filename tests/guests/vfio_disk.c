/* tests/guests/vfio_disk.c -- a virtual function of an NVMe card, to verified data, through the kernel's
 * IOMMU and VFIO: a static program for a guest that has little else.
 *
 *   vfio_disk keep PF QUEUES INTERRUPTS          the physical function /dev/nvme0 keeps so many of the flexible ones
 *   vfio_disk verify VF SEED                     random reads and writes of all kinds at depths 1 to 128, against a
 *                                                plain model, in the second half of the disk
 *   vfio_disk fill VF SEED MIB | check VF SEED MIB   a pattern from the disk's start on
 *   vfio_disk interrupt VF                       an MSI-X vector of the controller reaches an eventfd
 *
 * Says what it did, in key=value; 0 when all was right. */
#include "base/bytes.h"
#include "dev/nvme_driver.h"
#include "media/nvme_medium.h"
#include "os/vfio_function.h"
#include "spec/nvme.h"
#include "spec/nvme_admin.h"
#include "spec/pcie.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
	DEPTH_MAX = 128,
	BLOCKS_MAX = 32,
	BLOCK = 512,
	OPERATIONS = 400, /* at each depth */
	PIECE = 128 << 10,
	WAIT_S = 60,
};

static struct medium *medium;
static uint64_t seed;

static _Noreturn void give_up(const char *what, const char *why)
{
	printf("vfio_disk: %s: %s\n", what, why);
	exit(1);
}

static uint64_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec;
}

static void allocate(int fd, uint32_t type, uint32_t count)
{
	uint8_t page[NVME_IDENTIFY_SIZE];
	struct nvme_passthru_cmd command = {
		.opcode = NVME_ADMIN_IDENTIFY, .addr = (uintptr_t)page,
		.data_len = sizeof page, .cdw10 = NVME_CNS_PRIMARY,
	};

	if (ioctl(fd, NVME_IOCTL_ADMIN_CMD, &command) != 0)
		give_up("keep", "no primary controller capabilities");
	command = (struct nvme_passthru_cmd){
		.opcode = NVME_ADMIN_VIRTUALIZATION,
		.cdw10 = NVME_VIRT_PRIMARY_ALLOCATION | type << 8 |
			 (uint32_t)get_le16(page + NVME_PRIMARY_CNTLID) << 16,
		.cdw11 = count,
	};
	if (ioctl(fd, NVME_IOCTL_ADMIN_CMD, &command) != 0)
		give_up("keep", "the physical function is refused its share");
}

/* Makes the physical function keep so much, as cards do that come so from their maker. */
static void keep(const char *pf, const char *queues, const char *interrupts)
{
	char path[80];
	int fd = open("/dev/nvme0", O_RDWR);

	if (fd < 0)
		give_up(pf, "no /dev/nvme0");
	allocate(fd, NVME_VIRT_RT_VQ, (uint32_t)atoi(queues));
	allocate(fd, NVME_VIRT_RT_VI, (uint32_t)atoi(interrupts));
	close(fd);
	snprintf(path, sizeof path, "/sys/bus/pci/devices/%.16s/reset", pf);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "1", 1) != 1)
		give_up(pf, "cannot be reset");
	close(fd);
	printf("kept=%s queues=%s interrupts=%s\n", pf, queues, interrupts);
}

static void open_disk(const char *address)
{
	const struct medium_conf conf = { .kind = MEDIUM_VFIO, .path = address };
	struct refusal why = { 0 };

	if (vfio_medium_open(&medium, &conf, &why) != 0)
		give_up(address, why.text);
	printf("how=%s bytes=%llu block=%u cache=%d\n", medium_how(medium), (unsigned long long)medium->size,
	       medium->block_size, medium->volatile_cache);
	if (medium->block_size != BLOCK)
		give_up(address, "its blocks are not of 512 bytes");
}

/* -- one after the other -- */

static void run(enum block_op op, uint32_t flags, uint64_t first, uint64_t size, uint8_t *bytes)
{
	struct block_seg seg = { bytes, (uint32_t)size };
	struct block_request request = { .op = op, .flags = flags, .first = first, .size = size,
					 .segs = &seg, .seg_count = bytes != NULL };
	struct block_request *list = &request, *ended = NULL;
	uint64_t until_s = now_s() + WAIT_S;

	if (medium->ops->submit(NULL, medium, &list, 1) != 1)
		give_up("submit", "refused");
	while (!medium->ops->reap(NULL, medium, &ended, 1))
		if (now_s() > until_s)
			give_up("reap", "a request does not end");
	if (ended->result != BLOCK_DONE)
		give_up("a request failed", medium_how(medium));
}

static void make_pattern(uint8_t *bytes, uint64_t at)
{
	for (unsigned i = 0; i < PIECE; i += 8) {
		uint64_t state = seed + at + i;

		put_le64(bytes + i, rand_u64(&state));
	}
}

static void fill_or_check(const char *mib, bool fill)
{
	static uint8_t bytes[PIECE], pattern[PIECE];
	uint64_t size = (uint64_t)atoi(mib) << 20;

	for (uint64_t at = 0; at < size; at += PIECE) {
		make_pattern(pattern, at);
		if (fill)
			run(BLOCK_WRITE, at % (4 * PIECE) ? 0 : BLOCK_FUA, at, PIECE, pattern);
		else
			run(BLOCK_READ, 0, at, PIECE, bytes);
		if (!fill && memcmp(bytes, pattern, PIECE) != 0)
			give_up("check", "the disk holds something else");
	}
	run(BLOCK_FLUSH, 0, 0, 0, NULL);
	printf("%s=%llu\n", fill ? "filled" : "checked", (unsigned long long)size);
}

/* -- many at once -- */

static struct {
	uint64_t base, blocks;
	uint8_t *model;
	bool *locked;
	struct operation {
		bool busy;
		struct block_request request;
		struct block_seg segs[2];
		uint8_t bytes[BLOCKS_MAX * BLOCK];
	} operations[DEPTH_MAX];
	unsigned long ended, reads, writes, others;
} v;

static void lay(struct operation *o)
{
	static const enum block_op ops[] = { BLOCK_READ, BLOCK_READ, BLOCK_READ, BLOCK_WRITE, BLOCK_WRITE,
					     BLOCK_WRITE, BLOCK_FLUSH, BLOCK_WRITE_ZEROES };
	struct block_request *r = &o->request;
	uint64_t lba, count = 1 + rand_u64(&seed) % BLOCKS_MAX, cut;

	*r = (struct block_request){ .op = ops[rand_u64(&seed) % array_len(ops)], .owner = o };
	lba = rand_u64(&seed) % (v.blocks - count);
	if (r->op != BLOCK_FLUSH) {
		for (uint64_t i = 0; i < count; i++)
			if (v.locked[lba + i])
				return;
		memset(v.locked + lba, 1, count);
		r->first = v.base + lba * BLOCK;
		r->size = count * BLOCK;
		r->flags = rand_u64(&seed) % 8 || r->op == BLOCK_READ ? 0 : BLOCK_FUA;
	}
	if (r->op == BLOCK_WRITE) {
		for (uint64_t i = 0; i < r->size; i += 8)
			put_le64(o->bytes + i, rand_u64(&seed));
		memcpy(v.model + lba * BLOCK, o->bytes, r->size);
	} else if (r->op == BLOCK_WRITE_ZEROES) {
		memset(v.model + lba * BLOCK, 0, r->size);
	}
	cut = rand_u64(&seed) % (count * BLOCK);
	o->segs[0] = (struct block_seg){ o->bytes, (uint32_t)cut };
	o->segs[1] = (struct block_seg){ o->bytes + cut, (uint32_t)(count * BLOCK - cut) };
	r->segs = o->segs;
	r->seg_count = r->op == BLOCK_READ || r->op == BLOCK_WRITE ? 2 : 0;
	o->busy = true;
}

static void end(struct block_request *r)
{
	struct operation *o = r->owner;

	if (r->result != BLOCK_DONE)
		give_up("a request failed", medium_how(medium));
	if (r->op == BLOCK_READ && memcmp(o->bytes, v.model + (r->first - v.base), r->size) != 0)
		give_up("verify", "what was read is not what was written");
	if (r->op != BLOCK_FLUSH)
		memset(v.locked + (r->first - v.base) / BLOCK, 0, r->size / BLOCK);
	v.reads += r->op == BLOCK_READ;
	v.writes += r->op == BLOCK_WRITE;
	v.others += r->op != BLOCK_READ && r->op != BLOCK_WRITE;
	v.ended++;
	o->busy = false;
}

static unsigned busy(unsigned depth)
{
	unsigned n = 0;

	for (unsigned i = 0; i < depth; i++)
		n += v.operations[i].busy;
	return n;
}

static void verify_at(unsigned depth)
{
	uint64_t until_s = now_s() + WAIT_S;

	v.ended = 0;
	while (v.ended < OPERATIONS || busy(depth)) {
		struct block_request *list[DEPTH_MAX];
		unsigned n = 0;

		for (unsigned i = 0; i < depth && v.ended < OPERATIONS; i++) {
			struct operation *o = &v.operations[i];

			if (o->busy)
				continue;
			lay(o);
			if (o->busy)
				list[n++] = &o->request;
		}
		if (n && medium->ops->submit(NULL, medium, list, n) != n)
			give_up("submit", "not all are taken");
		n = medium->ops->reap(NULL, medium, list, DEPTH_MAX);
		for (unsigned i = 0; i < n; i++)
			end(list[i]);
		if (now_s() > until_s)
			give_up("verify", "requests do not end");
	}
}

static void verify(void)
{
	v.base = medium->size / 2;
	v.blocks = medium->size / 2 / BLOCK;
	v.model = calloc(v.blocks, BLOCK);
	v.locked = calloc(v.blocks, 1);
	if (!v.model || !v.locked)
		give_up("verify", "no memory");
	for (uint64_t at = 0; at < medium->size / 2; at += 1 << 20)
		run(BLOCK_WRITE_ZEROES, 0, v.base + at, 1 << 20, NULL);
	for (unsigned depth = 1; depth <= DEPTH_MAX; depth *= 2)
		verify_at(depth);
	printf("depths=1..%d reads=%lu writes=%lu others=%lu\n", DEPTH_MAX, v.reads, v.writes, v.others);
}

/* -- interrupts: the driver's own, without a medium -- */

static struct vfio_function *function;

static int read_register(void *owner, uint32_t offset, unsigned size, uint64_t *value)
{
	uint8_t bytes[8] = { 0 };
	int err = vfio_function_read(owner, 0, offset, size, bytes);

	*value = get_le64(bytes);
	return err;
}

static int write_register(void *owner, uint32_t offset, unsigned size, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	return vfio_function_write(owner, 0, offset, size, bytes);
}

static bool wait_for_controller(void *owner)
{
	static unsigned waits;

	(void)owner;
	usleep(500);
	return waits++ < 20000;
}

static void interrupt(const char *address)
{
	const struct vfio_function_conf conf = { .address = address };
	static struct nvme_driver driver;
	struct nvme_driver_conf drive = {
		.device = { read_register, write_register, NULL, wait_for_controller, NULL },
		.queues = 1, .depth = 4,
	};
	struct pollfd wake = { .fd = eventfd(0, EFD_NONBLOCK), .events = POLLIN };
	uint8_t command[2] = { SPEC_PCI_COMMAND_MEMORY | SPEC_PCI_COMMAND_MASTER, 0 };
	struct refusal why = { 0 };
	uint64_t signals = 0;

	if (vfio_function_open(&function, &conf, &why) != 0)
		give_up(address, why.text);
	drive.device.owner = function;
	drive.memory.size = (nvme_driver_bytes(1, 4) + 4095) / 4096 * 4096;
	drive.memory.host = mmap(NULL, drive.memory.size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vfio_function_map_dma(function, drive.memory.host, drive.memory.size, &drive.memory.iova, &why) != 0)
		give_up(address, why.text);
	if (vfio_function_write(function, VFIO_FUNCTION_CONFIG, SPEC_PCI_COMMAND, 2, command) != 0 ||
	    vfio_function_signal(function, &wake.fd, 1) != 0)
		give_up(address, "no interrupts");
	if (nvme_driver_open(&driver, &drive) != 0)
		give_up(address, "the controller does not come up by registers alone");
	if (poll(&wake, 1, 5000) != 1 || read(wake.fd, &signals, 8) != 8)
		give_up(address, "no interrupt came");
	printf("vectors=%u signals=%llu reset=%d unmapped=%d\n", vfio_function_vectors(function),
	       (unsigned long long)signals, vfio_function_reset(function),
	       vfio_function_unmap_dma(function, drive.memory.iova));
	vfio_function_close(function);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 5 && strcmp(what, "keep") == 0) {
		keep(argv[2], argv[3], argv[4]);
	} else if (argc == 3 && strcmp(what, "interrupt") == 0) {
		interrupt(argv[2]);
	} else if (argc > 3) {
		seed = strtoull(argv[3], NULL, 0);
		open_disk(argv[2]);
		if (strcmp(what, "verify") == 0)
			verify();
		else
			fill_or_check(argv[argc - 1], strcmp(what, "fill") == 0);
		medium_close(medium);
	} else {
		give_up("usage", "see the head of its source");
	}
	return 0;
}
