/* tests/vfio_sample/vfio_sample.h -- the smallest PCI function that uses all that a function can: registers, a
 * page that the guest maps, doorbells, DMA by memory and by messages, MSI-X, INTx, work under way, and state.
 *
 * Threads: one.  Memory: the caller's; the mapped page comes from vfio_user_pages(). */
#ifndef TESTS_VFIO_SAMPLE_H
#define TESTS_VFIO_SAMPLE_H

#include "attach/vfio_user.h"
#include "iommu/dma.h"

enum {
	SAMPLE_BAR0 = 0x4000,
	SAMPLE_PAGE_AT = 0x1000, /* of BAR 0: mapped */
	SAMPLE_PAGE = 0x1000,
	SAMPLE_DOORBELLS_AT = 0x2000,
	SAMPLE_DOORBELLS = 4,
	SAMPLE_BAR4 = 0x2000,
	SAMPLE_TABLE_AT = 0,
	SAMPLE_PBA_AT = 0x1000,
	SAMPLE_VECTORS = 8,
	SAMPLE_VENDOR = 0x1af4,
	SAMPLE_DEVICE = 0x10f3,

	/* Registers of BAR 0, 32 bits each but for the address. */
	SAMPLE_ID = 0x00,      /* reads SAMPLE_MAGIC */
	SAMPLE_SCRATCH = 0x04,
	SAMPLE_RINGS = 0x08,   /* how often a doorbell was rung */
	SAMPLE_VECTOR = 0x0c,  /* a write raises that vector */
	SAMPLE_ADDRESS = 0x10, /* 64 bits: of the guest */
	SAMPLE_SIZE = 0x18,    /* bytes, up to SAMPLE_BUFFER */
	SAMPLE_COMMAND = 0x1c, /* a write begins what enum sample_command says */
	SAMPLE_RESULT = 0x20,  /* 0, or an errno; SAMPLE_UNDER_WAY meanwhile */
	SAMPLE_SUM = 0x24,     /* of the bytes in the buffer */
	SAMPLE_BUSY = 0x28,    /* that many requests are said to be under way */
	SAMPLE_LEVEL = 0x2c,   /* not 0: it has a reason to interrupt by INTx */
	SAMPLE_REGISTERS = 0x30,

	SAMPLE_MAGIC = 0x4d50534d,
	SAMPLE_UNDER_WAY = 0x7fffffff,
	SAMPLE_BUFFER = 1 << 22,
};

enum sample_command {
	SAMPLE_FILL = 1,      /* the buffer: byte n is n * 7 + scratch */
	SAMPLE_FETCH = 2,     /* guest memory into the buffer */
	SAMPLE_STORE = 3,     /* and back */
	SAMPLE_ASK_FETCH = 4, /* the same by messages */
	SAMPLE_ASK_STORE = 5,
};

struct sample {
	struct pci_function function;
	struct pcie_kind kind;
	struct vfio_user *server; /* vfio_user_function_host() */
	struct vfio_user_copy copy;
	struct dma dma;
	struct counter blocked;
	int fd;
	uint8_t *page;
	uint8_t *buffer;
	uint32_t registers[SAMPLE_REGISTERS / 4];
	unsigned resets, quiesces, resumes;
	enum pci_reset last_reset;
};

/* 0 or -errno. */
int sample_init(struct sample *sample);
void sample_fini(struct sample *sample);

/* What the function's server needs to know, but for path, host and loop. */
struct vfio_user_conf sample_conf(struct sample *sample);

#endif
