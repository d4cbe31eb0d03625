#include "tests/vfio_sample/vfio_sample.h"

#include "base/bytes.h"
#include "pcie/caps.h"
#include "pcie/extcaps.h"
#include "pcie/header.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct sample *sample_of(const struct pci_function *f)
{
	return container_of(f, struct sample, function);
}

static uint32_t *reg(struct sample *s, unsigned offset)
{
	return &s->registers[offset / 4];
}

static uint64_t address_of(struct sample *s)
{
	return *reg(s, SAMPLE_ADDRESS) | (uint64_t)*reg(s, SAMPLE_ADDRESS + 4) << 32;
}

/* Between the buffer and guest memory, piece by piece. */
static int move(struct sample *s, enum dma_access access)
{
	uint32_t size = *reg(s, SAMPLE_SIZE), at = 0, got;
	uint8_t *host;

	while (at < size) {
		if (!pci_function_masters(&s->function) ||
		    dma_reach(&s->dma, address_of(s) + at, size - at, access, &host, &got) != DMA_OK)
			return EFAULT;
		if (access == DMA_READ)
			memcpy(s->buffer + at, host, got);
		else
			memcpy(host, s->buffer + at, got);
		if (access == DMA_WRITE)
			dma_wrote(&s->dma, host, got);
		at += got;
	}
	return 0;
}

static void asked(struct vfio_user_copy *copy, int result)
{
	struct sample *s = copy->owner;

	*reg(s, SAMPLE_RESULT) = (uint32_t)-result;
	pci_function_interrupt(&s->function, 0);
}

static void ask(struct sample *s, enum vfio_user_direction direction)
{
	int err;

	if (*reg(s, SAMPLE_RESULT) == SAMPLE_UNDER_WAY || !s->server)
		return;
	s->copy = (struct vfio_user_copy){ .direction = direction, .address = address_of(s),
					   .size = *reg(s, SAMPLE_SIZE), .bytes = s->buffer,
					   .done = asked, .owner = s };
	err = vfio_user_copy(s->server, &s->copy);
	*reg(s, SAMPLE_RESULT) = err ? (uint32_t)-err : SAMPLE_UNDER_WAY;
}

static void command(struct sample *s, uint32_t what)
{
	switch (what) {
	case SAMPLE_FILL:
		for (uint32_t i = 0; i < SAMPLE_BUFFER; i++)
			s->buffer[i] = (uint8_t)(i * 7 + *reg(s, SAMPLE_SCRATCH));
		break;
	case SAMPLE_FETCH:
		*reg(s, SAMPLE_RESULT) = (uint32_t)move(s, DMA_READ);
		break;
	case SAMPLE_STORE:
		*reg(s, SAMPLE_RESULT) = (uint32_t)move(s, DMA_WRITE);
		break;
	case SAMPLE_ASK_FETCH:
		ask(s, VFIO_USER_FROM_CLIENT);
		break;
	case SAMPLE_ASK_STORE:
		ask(s, VFIO_USER_TO_CLIENT);
		break;
	}
}

static uint32_t sum(const struct sample *s)
{
	uint32_t total = 0;

	for (uint32_t i = 0; i < s->registers[SAMPLE_SIZE / 4]; i++)
		total += s->buffer[i];
	return total;
}

static void sample_read(struct pci_function *f, unsigned region, uint64_t offset, uint32_t size, uint8_t *to)
{
	struct sample *s = sample_of(f);

	if (region != 0)
		return;
	for (uint32_t i = 0; i < size; i++) {
		uint64_t at = offset + i;
		uint32_t value;

		if (at >= SAMPLE_REGISTERS)
			return;
		value = at / 4 == SAMPLE_SUM / 4 ? sum(s) : s->registers[at / 4];
		to[i] = (uint8_t)(value >> at % 4 * 8);
	}
}

static void wrote(struct sample *s, unsigned offset, uint32_t value)
{
	switch (offset) {
	case SAMPLE_VECTOR:
		pci_function_interrupt(&s->function, value);
		break;
	case SAMPLE_LEVEL:
		*reg(s, SAMPLE_LEVEL) = value;
		pci_function_intx(&s->function);
		break;
	case SAMPLE_SIZE:
		*reg(s, SAMPLE_SIZE) = min_u32(value, SAMPLE_BUFFER);
		break;
	case SAMPLE_COMMAND:
		command(s, value);
		break;
	case SAMPLE_SCRATCH:
	case SAMPLE_ADDRESS:
	case SAMPLE_ADDRESS + 4:
	case SAMPLE_BUSY:
		*reg(s, offset) = value;
		break;
	}
}

static void sample_write(struct pci_function *f, unsigned region, uint64_t offset, uint32_t size,
			 const uint8_t *from)
{
	struct sample *s = sample_of(f);

	if (region != 0 || offset % 4)
		return;
	for (uint32_t i = 0; i + 4 <= size; i += 4) {
		uint64_t at = offset + i;

		if (at < SAMPLE_REGISTERS)
			wrote(s, (unsigned)at, get_le32(from + i));
		else if (at >= SAMPLE_DOORBELLS_AT && at < SAMPLE_DOORBELLS_AT + 4 * SAMPLE_DOORBELLS)
			pci_function_ring(f, (unsigned)(at - SAMPLE_DOORBELLS_AT) / 4);
	}
}

static void sample_rung(struct pci_function *f, unsigned doorbell)
{
	(void)doorbell;
	++*reg(sample_of(f), SAMPLE_RINGS);
}

static void sample_reset(struct pci_function *f, enum pci_reset kind)
{
	struct sample *s = sample_of(f);

	memset(s->registers, 0, sizeof s->registers);
	*reg(s, SAMPLE_ID) = SAMPLE_MAGIC;
	if (s->page)
		memset(s->page + SAMPLE_PAGE_AT, 0, SAMPLE_PAGE);
	s->resets++;
	s->last_reset = kind;
}

static bool sample_wants_intx(struct pci_function *f)
{
	return *reg(sample_of(f), SAMPLE_LEVEL) != 0;
}

static void sample_quiesce(struct pci_function *f)
{
	sample_of(f)->quiesces++;
}

/* Each look finishes one request. */
static unsigned sample_busy(const struct pci_function *f)
{
	uint32_t *busy = reg(sample_of(f), SAMPLE_BUSY);

	return *busy ? (*busy)-- : 0;
}

static void sample_resume(struct pci_function *f)
{
	sample_of(f)->resumes++;
}

static size_t sample_save(const struct pci_function *f, uint8_t *to, size_t room)
{
	const struct sample *s = sample_of(f);

	for (unsigned i = 0; room >= SAMPLE_REGISTERS && i < array_len(s->registers); i++)
		put_le32(to + 4 * i, s->registers[i]);
	return SAMPLE_REGISTERS;
}

static int sample_load(struct pci_function *f, const uint8_t *from, size_t size)
{
	struct sample *s = sample_of(f);

	if (size != SAMPLE_REGISTERS || get_le32(from) != SAMPLE_MAGIC ||
	    get_le32(from + SAMPLE_SIZE) > SAMPLE_BUFFER)
		return -EINVAL;
	for (unsigned i = 0; i < array_len(s->registers); i++)
		s->registers[i] = get_le32(from + 4 * i);
	return 0;
}

static const struct pci_function_ops ops = {
	.name = "sample", .read = sample_read, .write = sample_write, .reset = sample_reset,
	.rung = sample_rung, .quiesce = sample_quiesce, .busy = sample_busy, .resume = sample_resume,
	.save = sample_save, .load = sample_load, .wants_intx = sample_wants_intx,
};

static void build_kind(struct pcie_kind *kind)
{
	static const struct pcie_identity identity = {
		.vendor = SAMPLE_VENDOR, .device = SAMPLE_DEVICE, .subsystem_vendor = SAMPLE_VENDOR,
		.subsystem = 0x4d50, .class_code = 0xff0000, .revision = 1,
		.interrupt_pin = 1,
	};
	static const struct pcie_bars bars = { .size = { SAMPLE_BAR0, 0, SAMPLE_BAR4 } };
	static const struct pcie_msix_shape msix = {
		.vectors = SAMPLE_VECTORS, .bar = 4, .table_offset = SAMPLE_TABLE_AT,
		.pba_offset = SAMPLE_PBA_AT,
	};
	static const struct pcie_link_shape link = { .speed = 4, .width = 4 };

	pcie_kind_init(kind, PCIE_ROLE_ENDPOINT);
	pcie_header_lay_type0(kind, &identity, &bars);
	pcie_caps_add_pm(kind);
	pcie_caps_add_msix(kind, &msix);
	pcie_caps_add_express(kind, &link);
	pcie_extcaps_add_aer(kind);
	pcie_extcaps_add_serial(kind);
}

int sample_init(struct sample *s)
{
	struct pci_function_conf conf = {
		.ops = &ops, .kind = &s->kind, .serial = 0x4d50000000000001, .vectors = SAMPLE_VECTORS,
		.table_region = 4, .pba_region = 4, .table_first = SAMPLE_TABLE_AT,
		.pba_first = SAMPLE_PBA_AT, .dma = &s->dma,
		.doorbells = { .region = 0, .count = SAMPLE_DOORBELLS, .first = SAMPLE_DOORBELLS_AT,
			       .stride = 4, .size = 4 },
		.host = vfio_user_function_host(&s->server),
	};
	int err;

	memset(s, 0, sizeof *s);
	err = vfio_user_pages(SAMPLE_PAGE_AT + SAMPLE_PAGE, &s->fd, &s->page);
	if (err)
		return err;
	s->buffer = calloc(1, SAMPLE_BUFFER);
	if (!s->buffer)
		return -ENOMEM;
	build_kind(&s->kind);
	dma_init(&s->dma, NULL, &s->blocked);
	conf.regions[0] = (struct pci_region){ SAMPLE_BAR0, SAMPLE_PAGE_AT, SAMPLE_PAGE,
					       s->page + SAMPLE_PAGE_AT };
	conf.regions[4] = (struct pci_region){ .size = SAMPLE_BAR4 };
	err = pci_function_init(&s->function, &conf);
	*reg(s, SAMPLE_ID) = SAMPLE_MAGIC;
	return err;
}

void sample_fini(struct sample *s)
{
	munmap(s->page, SAMPLE_PAGE_AT + SAMPLE_PAGE);
	close(s->fd);
	free(s->buffer);
}

struct vfio_user_conf sample_conf(struct sample *s)
{
	struct vfio_user_conf conf = { .function = &s->function };

	for (unsigned i = 0; i < array_len(conf.pages); i++)
		conf.pages[i].fd = i == 0 ? s->fd : -1;
	return conf;
}
