/* tests/guests/vfio_igb.c -- a driver of Intel 82576 virtual functions in user space, which can
 * only send.
 *
 *   vfio_igb 0000:01:10.0 COUNT [PAUSE_MS]
 *
 * Takes the function through VFIO as a guest's VMM does, asks its physical function by the mailbox
 * to be reset, which tells the function's address, and sends COUNT frames from it to everybody,
 * each with its number, and with a pause after each.  Prints "mac=.. sent=N" when the hardware says
 * that all are out.  Registers are those of the 82576's data sheet, sections 7.8.2.9.1 (mailbox)
 * and 8.26 (virtual functions).
 */
#include "base/bytes.h"
#include "os/vfio_function.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	CTRL = 0x0000,
	CTRL_RESET = 1 << 26,
	MAILBOX = 0x0c40,
	MAILBOX_REQUEST = 1 << 0,
	MAILBOX_ACK = 1 << 1,
	MAILBOX_OURS = 1 << 2,
	MAILBOX_STATUS = 1 << 4,
	MAILBOX_RESETTING = 1 << 6,
	MAILBOX_MEMORY = 0x0800,
	MESSAGE_RESET = 1,
	RING_LOW = 0x3800,
	RING_HIGH = 0x3804,
	RING_BYTES = 0x3808,
	RING_HEAD = 0x3810,
	RING_TAIL = 0x3818,
	RING_CONTROL = 0x3828,
	RING_ENABLE = 1 << 25,
	DESCRIPTORS = 64,
	DESCRIPTOR_BYTES = 16,
	FRAME_BYTES = 64,
	FRAMES_AT = 4096,
	MEMORY_BYTES = 8192,
	PATIENCE_MS = 5000,
};
static const uint32_t message_yes = UINT32_C(1) << 31;
/* Type, and flags: extended, report, checksum, end of frame. */
static const uint32_t advanced_data = 0x3 << 20 | 1 << 29 | 1 << 27 | 1 << 25 | 1 << 24;

static uint8_t *registers;

static uint32_t get(unsigned at)
{
	return *(volatile uint32_t *)(registers + at);
}

static void put(unsigned at, uint32_t value)
{
	*(volatile uint32_t *)(registers + at) = value;
}

static int give_up(const char *what)
{
	fprintf(stderr, "vfio_igb: %s\n", what);
	return 1;
}

/* Waits until bits 'mask' of a register are 'value'. */
static bool wait_for(unsigned at, uint32_t mask, uint32_t value)
{
	for (unsigned ms = 0; ms < PATIENCE_MS; ms++) {
		if ((get(at) & mask) == value)
			return true;
		usleep(1000);
	}
	return false;
}

/* The answer of the physical function to the message that a function begins with. */
static const char *ask_for_reset(uint8_t mac[6])
{
	uint32_t words[2];

	put(CTRL, CTRL_RESET);
	usleep(10000);
	if (!wait_for(MAILBOX, MAILBOX_RESETTING, 0))
		return "its physical function stays in reset";
	put(MAILBOX, MAILBOX_OURS);
	if (!(get(MAILBOX) & MAILBOX_OURS))
		return "its mailbox is taken";
	put(MAILBOX_MEMORY, MESSAGE_RESET);
	put(MAILBOX, MAILBOX_REQUEST);
	for (unsigned ms = 0;; ms++) {
		if (get(MAILBOX_MEMORY) == (message_yes | MESSAGE_RESET))
			break;
		if (ms == PATIENCE_MS)
			return "its physical function does not answer";
		usleep(1000);
	}
	words[0] = get(MAILBOX_MEMORY + 4);
	words[1] = get(MAILBOX_MEMORY + 8);
	put(MAILBOX, MAILBOX_ACK);
	memcpy(mac, words, 6);
	return NULL;
}

static void lay_frame(uint8_t *frame, const uint8_t mac[6], unsigned number)
{
	memset(frame, 0, FRAME_BYTES);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, mac, 6);
	put_be16(frame + 12, 0x88b5); /* for experiments */
	put_be32(frame + 14, number);
}

static const char *send_frames(uint8_t *memory, uint64_t iova, const uint8_t mac[6], unsigned count,
			       unsigned pause_ms)
{
	put(RING_LOW, (uint32_t)iova);
	put(RING_HIGH, (uint32_t)(iova >> 32));
	put(RING_BYTES, DESCRIPTORS * DESCRIPTOR_BYTES);
	put(RING_CONTROL, RING_ENABLE);
	if (!wait_for(RING_CONTROL, RING_ENABLE, RING_ENABLE))
		return "its ring is not enabled";
	put(RING_HEAD, 0);
	put(RING_TAIL, 0);
	for (unsigned i = 0; i < count; i++) {
		uint8_t *descriptor = memory + i % DESCRIPTORS * DESCRIPTOR_BYTES;

		lay_frame(memory + FRAMES_AT, mac, i);
		put_le64(descriptor, iova + FRAMES_AT);
		put_le32(descriptor + 8, advanced_data | FRAME_BYTES);
		put_le32(descriptor + 12, FRAME_BYTES << 14);
		put(RING_TAIL, (i + 1) % DESCRIPTORS);
		if (!wait_for(RING_HEAD, 0xffff, (i + 1) % DESCRIPTORS))
			return "a frame is not sent";
		usleep(pause_ms * 1000);
	}
	return NULL;
}

static const char *drive(struct vfio_function *function, unsigned count, unsigned pause_ms)
{
	uint8_t *memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t command[2] = { 6, 0 }, mac[6]; /* memory space, bus master */
	struct refusal why = { 0 };
	const char *wrong;
	uint64_t iova;

	if (memory == MAP_FAILED ||
	    vfio_function_write(function, VFIO_FUNCTION_CONFIG, 4, 2, command) ||
	    vfio_function_map(function, 0, &why) ||
	    vfio_function_map_dma(function, memory, MEMORY_BYTES, &iova, &why))
		return "registers or memory cannot be mapped";
	registers = vfio_function_at(function, 0, 0, 0x4000);
	if (!registers)
		return "its registers are not where they should be";
	wrong = ask_for_reset(mac);
	if (!wrong)
		wrong = send_frames(memory, iova, mac, count, pause_ms);
	if (!wrong)
		printf("mac=%02x:%02x:%02x:%02x:%02x:%02x sent=%u\n", mac[0], mac[1], mac[2],
		       mac[3], mac[4], mac[5], count);
	return wrong;
}

int main(int argc, char **argv)
{
	struct vfio_function_conf conf = { .address = argc > 2 ? argv[1] : "" };
	struct vfio_function *function;
	struct refusal why = { 0 };
	const char *wrong;

	if (argc < 3 || argc > 4)
		return 2;
	if (vfio_function_open(&function, &conf, &why) != 0)
		return give_up(why.text);
	wrong = drive(function, (unsigned)strtoul(argv[2], NULL, 10),
		      argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0);
	vfio_function_close(function);
	return wrong ? give_up(wrong) : 0;
}
