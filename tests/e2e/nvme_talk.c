/* tests/e2e/nvme_talk.c -- an NVMe driver behind a vfio-user socket that sends the commands it is told: one connection,
 * so that a host identifier and its registrations stay.
 *
 * nvme_talk SOCKET csts    says what the register holds before any driver, and ends
 * nvme_talk SOCKET, and then lines on standard input; a line is answered by one:
 *   admin|io OPCODE NSID DW10 DW11 DW12 DW13 DW14 DW15 [in SIZE | out HEX]    numbers as C has them; 8192 bytes at most
 *         "STATUS DW0 [HEX]": status code and type in hexadecimal, dword 0, what came in
 *   csts       "csts VALUE", the register
 *   event MS   "event DW0", or "none" when none comes in that time
 * It ends with its input, shutting the controller down. */
#include "patient_client.h"

#include "base/bytes.h"
#include "dev/nvme_driver.h"
#include "spec/pcie.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { MEMORY = 4 << 20, DATA_AT = 2 << 20, DATA_MAX = 8192, WAIT_S = 120, CONFIG_REGION = 7, LINE = 20000 };
#define IOVA UINT64_C(0x100000)

static struct {
	struct vfio_user_client *client;
	struct nvme_driver driver;
	uint8_t *memory;
	time_t until;
	bool done;
	uint16_t status;
	uint32_t dw0;
} t;

static _Noreturn void fail(const char *what, long long value)
{
	fprintf(stderr, "nvme_talk: %s (%lld)\n", what, value);
	exit(1);
}

static int read_register(void *owner, uint32_t offset, unsigned size, uint64_t *value)
{
	return vfio_user_client_get(owner, 0, offset, size, value);
}

static int write_register(void *owner, uint32_t offset, unsigned size, uint64_t value)
{
	return vfio_user_client_put(owner, 0, offset, size, value);
}

static bool wait_a_little(void *owner)
{
	(void)owner;
	sched_yield();
	return time(NULL) < t.until;
}

static void dial(const char *path)
{
	struct vfio_user_client_window window = { .address = IOVA, .size = MEMORY, .flags = 3 };
	uint8_t command[2] = { 6, 0 }; /* memory space, bus master */
	struct refusal why = { 0 };
	int err = patient_client_open(&t.client, path, &why);

	if (err)
		fail(why.text[0] ? why.text : "cannot connect", err);
	window.fd = memfd_create("guest", MFD_CLOEXEC);
	if (window.fd < 0 || ftruncate(window.fd, MEMORY) < 0)
		fail("no memory", errno);
	t.memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, window.fd, 0);
	if (t.memory == MAP_FAILED)
		fail("no memory", errno);
	err = vfio_user_client_map(t.client, &window);
	if (!err)
		err = vfio_user_client_write(t.client, CONFIG_REGION, SPEC_PCI_COMMAND, 2, command);
	if (err)
		fail("the function cannot be given memory", err);
}

static void open_driver(void)
{
	const struct nvme_driver_conf conf = {
		.device = { read_register, write_register, vfio_user_client_region(t.client, 0)->mapped,
			    wait_a_little, t.client },
		.memory = { t.memory, IOVA, DATA_AT }, .queues = 1, .depth = 8,
	};
	int err;

	t.until = time(NULL) + WAIT_S;
	err = nvme_driver_open(&t.driver, &conf);
	if (err)
		fail("the driver does not come up", err);
}

static void on_done(void *owner, uint32_t tag, uint16_t status, uint32_t dw0)
{
	(void)owner, (void)tag;
	t.done = true;
	t.status = status;
	t.dw0 = dw0;
}

static int run_io(uint8_t *sqe)
{
	int n = 0;

	t.done = false;
	if (!nvme_driver_post(&t.driver, 0, sqe, 0))
		return -EAGAIN;
	n = nvme_driver_ring(&t.driver, 0);
	while (n >= 0 && !t.done) {
		n = nvme_driver_poll(&t.driver, 0, 1, on_done, NULL);
		if (n == 0 && !wait_a_little(NULL))
			return -ETIMEDOUT;
	}
	return n < 0 ? n : t.status;
}

static unsigned take_hex(const char *text)
{
	unsigned n = 0, byte;

	while (n < DATA_MAX && sscanf(text + 2 * n, "%2x", &byte) == 1)
		t.memory[DATA_AT + n++] = (uint8_t)byte;
	return n;
}

static void command(char *line)
{
	uint8_t sqe[NVME_SQE_SIZE] = { 0 };
	char *word = strtok(line, " \n"), *data, *value;
	bool admin = strcmp(word, "admin") == 0;
	unsigned long in = 0;
	int status;

	memset(t.memory + DATA_AT, 0, DATA_MAX);
	sqe[NVME_SQE_OPC] = (uint8_t)strtoul(strtok(NULL, " \n"), NULL, 0);
	put_le32(sqe + NVME_SQE_NSID, (uint32_t)strtoul(strtok(NULL, " \n"), NULL, 0));
	for (unsigned i = 0; i < 6; i++)
		put_le32(sqe + NVME_SQE_CDW10 + 4 * i, (uint32_t)strtoul(strtok(NULL, " \n"), NULL, 0));
	data = strtok(NULL, " \n");
	value = data ? strtok(NULL, " \n") : NULL;
	if (value && strcmp(data, "in") == 0)
		in = strtoul(value, NULL, 0);
	else if (value)
		take_hex(value);
	if (in > DATA_MAX)
		fail("too much data", (long long)in);
	put_le64(sqe + NVME_SQE_DPTR, IOVA + DATA_AT);
	put_le64(sqe + NVME_SQE_DPTR + 8, IOVA + DATA_AT + NVME_PAGE_SIZE);
	t.until = time(NULL) + WAIT_S;
	status = admin ? nvme_driver_admin(&t.driver, sqe, &t.dw0) : run_io(sqe);
	if (status < 0)
		fail("a command does not end", status);
	printf("0x%x 0x%x ", status & NVME_STATUS_CODE_MASK, t.dw0);
	for (unsigned long i = 0; i < in; i++)
		printf("%02x", t.memory[DATA_AT + i]);
	printf("\n");
}

static void await_event(unsigned long ms)
{
	struct timespec nap = { .tv_nsec = 1000000 };
	uint32_t dw0 = 0;
	int err = 0;

	for (unsigned long i = 0; i <= ms && err == 0; i++) {
		err = nvme_driver_event(&t.driver, &dw0);
		if (err == 0)
			(void)nanosleep(&nap, NULL);
	}
	if (err < 0)
		fail("no event can be asked for", err);
	if (err)
		printf("event 0x%x\n", dw0);
	else
		printf("none\n");
}

static void show_csts(void)
{
	uint64_t value = 0;
	int err = read_register(t.client, NVME_REG_CSTS, 4, &value);

	if (err)
		fail("CSTS cannot be read", err);
	printf("csts 0x%llx\n", (unsigned long long)value);
}

int main(int argc, char **argv)
{
	static char line[LINE];

	if (argc != 2 && (argc != 3 || strcmp(argv[2], "csts") != 0)) {
		fprintf(stderr, "Usage: nvme_talk SOCKET [csts]\n");
		return 2;
	}
	dial(argv[1]);
	if (argc == 3) {
		show_csts();
		vfio_user_client_close(t.client);
		return 0;
	}
	open_driver();
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		if (strncmp(line, "event ", 6) == 0)
			await_event(strtoul(line + 6, NULL, 0));
		else if (strcmp(line, "csts\n") == 0)
			show_csts();
		else
			command(line);
		fflush(stdout);
	}
	t.until = time(NULL) + WAIT_S;
	if (nvme_driver_close(&t.driver) != 0)
		fail("the driver does not shut down", 0);
	vfio_user_client_close(t.client);
	return 0;
}
