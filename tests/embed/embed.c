/* tests/embed/embed.c -- a small machine emulator around the remapping unit: how to use src/iommu/
 * as a library. It links nothing else of midplane.
 *
 * There is memory, a VT-d unit in it, and one device, 01:00.0.  The guest's driver, which an
 * emulator would not have in its own program, maps a page for the device, takes it back, and routes
 * an interrupt. */
#include "base/bytes.h"
#include "iommu/unit.h"
#include "iommu/vtd.h"
#include "spec/vtd.h"
#include "spec/vtd_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 1 << 20, DEVICE = 0x0100, DOMAIN_ID = 1 };
enum {
	ROOT = 0x1000,
	CONTEXT = 0x2000,
	TABLE = 0x3000,
	QUEUE = 0x7000,
	STATUS = 0x8000,
	IRT = 0x9000,
	BUFFER = 0xa000
};

static _Alignas(4096) uint8_t memory[MEMORY];
static unsigned failures;

/* 1. The machine: how the unit reaches memory, and what it does with the unit's own interrupts. */
static bool memory_read(void *context, uint64_t address, void *bytes, uint32_t size)
{
	(void)context;
	return address <= MEMORY - size && memcpy(bytes, memory + address, size);
}

static bool memory_write(void *context, uint64_t address, const void *bytes, uint32_t size)
{
	(void)context;
	return address <= MEMORY - size && memcpy(memory + address, bytes, size);
}

static bool memory_replace(void *context, uint64_t address, uint64_t old, uint64_t now)
{
	(void)context;
	if (address > MEMORY - 8 || get_le64(memory + address) != old)
		return false; /* an emulator with several threads would compare and exchange */
	put_le64(memory + address, now);
	return true;
}

static void on_interrupt(void *context, uint64_t address, uint32_t data)
{
	(void)context;
	printf("the unit interrupts: %08llx = %x\n", (unsigned long long)address, data);
}

static struct iommu_unit plug_unit(void)
{
	const struct vtd_config config = {
		.cap = field_make(SPEC_VTD_CAP_ND, 6) | field_make(SPEC_VTD_CAP_SAGAW, 4) |
		       field_make(SPEC_VTD_CAP_MGAW, 47) | field_make(SPEC_VTD_CAP_FRO, 0x22) |
		       field_make(SPEC_VTD_CAP_SSLPS, 3) | field_mask(SPEC_VTD_CAP_PSI),
		.ecap = field_mask(SPEC_VTD_ECAP_QI) | field_mask(SPEC_VTD_ECAP_IR) |
			field_make(SPEC_VTD_ECAP_IRO, 0xf),
		.version = 0x10,
		.memory = { .read = memory_read, .write = memory_write, .replace = memory_replace },
		.interrupt = on_interrupt,
		.readers = 1,
	};
	const char *wrong = vtd_config_check(&config);

	if (wrong) {
		fprintf(stderr, "the unit cannot be: %s\n", wrong);
		exit(1);
	}
	return iommu_unit_vtd(
		vtd_init(aligned_alloc(64, (vtd_size(&config) + 63) / 64 * 64), &config));
}

/* 2. A device's DMA: ask, and go where the answer says.  A burst of them would share one enter and
 * leave. */
static bool device_writes(const struct iommu_unit *u, void *reader, uint64_t address,
			  const char *text)
{
	const struct iommu_request request = {
		.source = DEVICE, .access = IOMMU_WRITE, .pasid = IOMMU_NO_PASID, .address = address
	};
	struct iommu_answer answer;

	u->ops->enter(reader);
	u->ops->translate(reader, &request, &answer);
	if (answer.outcome == IOMMU_OK)
		memory_write(NULL, answer.address, text, (uint32_t)strlen(text) + 1);
	u->ops->leave(reader);
	printf("the device writes to %llx: %s\n", (unsigned long long)address,
	       answer.outcome == IOMMU_OK ? "done" : u->ops->reason_text(answer.reason));
	return answer.outcome == IOMMU_OK;
}

static uint32_t device_interrupts(const struct iommu_unit *u, void *reader, uint64_t address)
{
	const struct iommu_message message = { .source = DEVICE, .address = address };
	struct iommu_remapped remapped;

	u->ops->enter(reader);
	u->ops->interrupt(reader, &message, &remapped);
	u->ops->leave(reader);
	return remapped.outcome == IOMMU_OK ? remapped.data & 0xff : 0;
}

/* 3. The guest, as its accesses to the register page arrive. */
static void command(const struct iommu_unit *u, int field)
{
	uint64_t status = u->ops->read(u->unit, SPEC_VTD_GSTS, 4) & 0x96ffffff;

	u->ops->write(u->unit, SPEC_VTD_GCMD, 4, status | field_mask(field));
}

static void guest_starts(const struct iommu_unit *u)
{
	put_le64(memory + ROOT + (DEVICE >> 8) * 16, CONTEXT | 1);
	put_le64(memory + CONTEXT + 8, field_make(SPEC_VTD_CONTEXT_1_AW, 2) | DOMAIN_ID << 8);
	put_le64(memory + CONTEXT, TABLE | 1);
	for (unsigned level = 0; level < 3; level++) /* address 0 by four levels */
		put_le64(memory + TABLE + level * 0x1000, (TABLE + (level + 1) * 0x1000) | 3);
	put_le64(memory + TABLE + 0x3000, BUFFER | 3);
	put_le64(memory + IRT, 1 | 0x51 << 16);
	u->ops->write(u->unit, SPEC_VTD_FECTL, 4, 0);
	u->ops->write(u->unit, SPEC_VTD_FEADDR, 4, 0xfee00000);
	u->ops->write(u->unit, SPEC_VTD_RTADDR, 8, ROOT);
	command(u, SPEC_VTD_GCMD_SRTP);
	u->ops->write(u->unit, SPEC_VTD_IRTA, 8, IRT);
	command(u, SPEC_VTD_GCMD_SIRTP);
	u->ops->write(u->unit, SPEC_VTD_IQA, 8, QUEUE);
	command(u, SPEC_VTD_GCMD_QIE);
	command(u, SPEC_VTD_GCMD_IRE);
	command(u, SPEC_VTD_GCMD_TE);
}

static void guest_unmaps(const struct iommu_unit *u)
{
	put_le64(memory + TABLE + 0x3000, 0);
	put_le64(memory + QUEUE, SPEC_VTD_QI_IOTLB | 3 << 4 | DOMAIN_ID << 16);
	put_le64(memory + QUEUE + 16, SPEC_VTD_QI_WAIT | 1 << 5 | UINT64_C(1) << 32);
	put_le64(memory + QUEUE + 24, STATUS);
	u->ops->write(u->unit, SPEC_VTD_IQT, 8, 32);
}

static void check(bool good, const char *what)
{
	failures += !good;
	printf("%s: %s\n", good ? "ok" : "NOT OK", what);
}

int main(void)
{
	struct iommu_unit u = plug_unit();
	void *reader = aligned_alloc(64, (u.ops->reader_size() + 63) / 64 * 64);

	u.ops->reader_init(reader, u.unit, 0);
	guest_starts(&u);
	check(device_writes(&u, reader, 0x123, "hello") &&
		      !strcmp((char *)memory + BUFFER + 0x123, "hello"),
	      "what is mapped is reached");
	check(device_interrupts(&u, reader, 0xfee00010) == 0x51,
	      "an interrupt goes where its entry says");
	guest_unmaps(&u);
	u.ops->poll(u.unit, 0); /* an emulator calls this when poll() or a wake has asked for it */
	check(get_le32(memory + STATUS) == 1, "the invalidation is complete");
	check(!device_writes(&u, reader, 0x123, "again"), "what was taken back is not reached");
	check(u.ops->read(u.unit, SPEC_VTD_FSTS, 4) & field_mask(SPEC_VTD_FSTS_PPF),
	      "the fault is on record");
	u.ops->reader_fini(reader);
	free(reader);
	free(u.unit);
	return failures != 0;
}
