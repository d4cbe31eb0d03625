/* fuzz/virtio_pci_fuzz.c -- a hostile guest at the registers of a virtio PCI function: the input is
 * a row of accesses to its BARs and configuration space, with rounds of the device in between, and
 * the memory that its rings lie in.  The function survives, touches only what was granted, and its
 * state can be saved and loaded at any moment.
 *
 * Input: steps of 12 bytes {what, size code, offset le16, value le64} up to one whose 'what' is 255,
 * then the memory. */
#include "base/bytes.h"
#include "dev/virtio_net.h"
#include "dev/virtio_pci.h"
#include "pcie/kinds.h"
#include "sim/plain_domain.h"

#include <stdlib.h>
#include <string.h>

enum { MEMORY = 1 << 14, STEP = 12, STEPS_MAX = 512, BASE = 0x10000, END = 255 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct virtio_net *net;
	struct virtio_pci pci;
	struct plain_domain domain;
	struct pcie_kinds kinds;
	uint8_t state[65536];
};

static void on_interrupt(void *owner, unsigned vector)
{
	(void)owner;
	must(vector < PCIE_KINDS_NIC_VECTORS || vector == PCI_VECTOR_INTX);
}

static void nothing(void *owner)
{
	(void)owner;
}

static void round_trip(struct nic_front *front)
{
	static struct frame frames[FRAME_BURST];
	struct frame *list[FRAME_BURST];
	unsigned n = front->ops->peek(NULL, front, frames, FRAME_BURST);

	for (unsigned i = 0; i < n; i++) {
		list[i] = &frames[i];
		frames[i].todo = 0;
		frames[i].gso = FRAME_GSO_NONE;
	}
	front->ops->give(NULL, front, list, n);
	front->ops->taken(NULL, front, front->stopped[0] ? 0 : n);
	front->ops->flush(NULL, front);
	front->ops->arm(NULL, front);
	front->ops->disarm(NULL, front);
}

static void save_and_load(struct world *w)
{
	struct pci_function *function = &w->pci.function;
	size_t size;

	function->ops->quiesce(function);
	size = pci_function_save(function, w->state, sizeof w->state);
	must(size <= sizeof w->state);
	(void)pci_function_load(function, w->state, size);
	function->ops->resume(function);
}

static void step(struct world *w, const uint8_t *data)
{
	static const unsigned regions[] = { PCIE_KINDS_VIRTIO_BAR, PCIE_KINDS_VIRTIO_BAR,
					    PCI_REGION_CONFIG, PCIE_KINDS_MSIX_BAR };
	struct pci_function *function = &w->pci.function;
	uint32_t size = 1u << data[1] % 4;
	uint16_t offset = get_le16(data + 2);
	unsigned region = regions[data[0] >> 4 & 3];
	uint8_t bytes[8];

	memcpy(bytes, data + 4, sizeof bytes);
	switch (data[0] & 7) {
	case 0:
		(void)pci_function_read(function, region, offset, size, bytes);
		break;
	case 1:
		pci_function_reset(function, data[1] % 3);
		break;
	case 2:
		round_trip(virtio_net_front(w->net));
		break;
	case 3:
		save_and_load(w);
		break;
	case 4:
		pci_function_ring(function, offset);
		virtio_pci_look(&w->pci);
		break;
	default:
		(void)pci_function_write(function, region, offset, size, bytes);
	}
}

static int open_world(struct world *w, uint8_t *memory)
{
	struct virtio_net_conf conf = { .mac = UINT64_C(0x020000000001), .pairs_max = 2 };
	struct virtio_pci_conf pci = { .kind = &w->kinds.nic_lent,
				       .vectors = PCIE_KINDS_NIC_VECTORS,
				       .host = { on_interrupt, nothing, w } };

	pcie_kinds_build(&w->kinds);
	plain_domain_init(&w->domain);
	plain_domain_grant(&w->domain, &(struct dma_region){ .base = BASE, .size = MEMORY,
							     .user_base = BASE, .host = memory });
	conf.host = virtio_pci_host(&w->pci);
	conf.host.misses = nothing;
	conf.domain = &w->domain.domain;
	if (virtio_net_init(w->net, &conf) != 0)
		return -1;
	pci.device = virtio_net_device(w->net);
	pci.dma = virtio_net_dma(w->net);
	return virtio_pci_init(&w->pci, &pci);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t *memory;
	static struct world *w;
	unsigned steps = 0;

	if (!w) {
		w = calloc(1, sizeof *w);
		must(w != NULL);
		w->net = aligned_alloc(64, (virtio_net_size() + 63) / 64 * 64);
		memory = aligned_alloc(4096, MEMORY);
		must(w->net && memory);
	}
	while (steps < STEPS_MAX && (steps + 1u) * STEP <= size && data[steps * STEP] != END)
		steps++;
	memset(memory, 0, MEMORY);
	if (size > (steps + 1u) * STEP)
		memcpy(memory, data + (steps + 1u) * STEP,
		       min_u64(MEMORY, size - (steps + 1u) * STEP));
	must(open_world(w, memory) == 0);
	for (unsigned i = 0; i < steps; i++)
		step(w, data + i * STEP);
	return 0;
}
