/* Get Log Page (5.16). */
#include "dev/nvme_internal.h"

static void put_supported(uint8_t *to)
{
	static const uint8_t pages[] = {
		NVME_LOG_SUPPORTED, NVME_LOG_ERROR,	   NVME_LOG_SMART,
		NVME_LOG_FIRMWARE,  NVME_LOG_CHANGED,	   NVME_LOG_EFFECTS,
		NVME_LOG_FEATURES,  NVME_LOG_RESERVATION, NVME_LOG_SANITIZE,
	};

	for (unsigned i = 0; i < array_len(pages); i++)
		put_le32(to + 4 * pages[i], 1); /* LSUPP */
}

/* Newest first. */
static void put_errors(const struct nvme *nvme, uint8_t *to)
{
	uint64_t n = min_u64(nvme->error_total, NVME_ERRORS);

	for (uint64_t i = 0; i < n; i++, to += NVME_ERROR_SIZE) {
		const struct nvme_error *error =
			&nvme->errors[(nvme->error_total - 1 - i) % NVME_ERRORS];

		put_le64(to + NVME_ERROR_COUNT, error->count);
		put_le16(to + NVME_ERROR_SQID, error->sqid);
		put_le16(to + NVME_ERROR_CID, error->cid);
		put_le16(to + NVME_ERROR_STATUS, error->status);
		put_le16(to + NVME_ERROR_LOCATION, error->location);
		put_le64(to + NVME_ERROR_LBA, error->lba);
		put_le32(to + NVME_ERROR_NSID, error->nsid);
	}
}

/* Data units are thousands of 512 bytes, rounded up. */
static uint64_t units(const struct counter *bytes)
{
	return (counter_get(bytes) + 511999) / 512000;
}

static void put_smart(const struct nvme *nvme, uint8_t *to)
{
	const struct block_front *front = &nvme->front;

	put_le16(to + NVME_SMART_TEMPERATURE, 303); /* kelvin */
	to[NVME_SMART_SPARE] = 100;
	to[NVME_SMART_SPARE_THRESHOLD] = 10;
	put_le64(to + NVME_SMART_UNITS_READ, units(&front->read_bytes));
	put_le64(to + NVME_SMART_UNITS_WRITTEN, units(&front->written_bytes));
	put_le64(to + NVME_SMART_READS, counter_get(&front->reads));
	put_le64(to + NVME_SMART_WRITES, counter_get(&front->writes));
	put_le64(to + NVME_SMART_POWER_CYCLES, nvme->power_cycles);
	put_le64(to + NVME_SMART_UNSAFE_SHUTDOWNS, nvme->unsafe_shutdowns);
	put_le64(to + NVME_SMART_MEDIA_ERRORS, nvme->media_errors);
	put_le64(to + NVME_SMART_ERROR_ENTRIES, nvme->error_total);
}

static void put_changed(const struct nvme *nvme, uint8_t *to)
{
	for (uint64_t left = nvme->changed; left; left &= left - 1, to += 4)
		put_le32(to, lowest_bit(left) + 1);
}

static void put_firmware(const struct nvme *nvme, uint8_t *to)
{
	to[NVME_FIRMWARE_AFI] = 1;
	for (unsigned i = 0; i < NVME_IDC_FR_SIZE; i++) /* filled with blanks */
		to[NVME_FIRMWARE_FRS1 + i] = ' ';
	for (unsigned i = 0; nvme->subsystem->firmware[i]; i++)
		to[NVME_FIRMWARE_FRS1 + i] = (uint8_t)nvme->subsystem->firmware[i];
}

static void put_note(const struct nvme *nvme, uint8_t *to)
{
	const struct nvme_note *note = &nvme->notes[0];

	if (nvme->note_count == 0)
		return; /* type 0: empty */
	put_le64(to + NVME_RESERVE_LOG_COUNT, note->count);
	to[NVME_RESERVE_LOG_TYPE] = note->type;
	to[NVME_RESERVE_LOG_AVAILABLE] = (uint8_t)(nvme->note_count - 1);
	put_le32(to + NVME_RESERVE_LOG_NSID, note->nsid);
}

static void put_sanitize(const struct nvme *nvme, uint8_t *to)
{
	const struct nvme_subsystem *subsystem = nvme->subsystem;

	put_le16(to + NVME_SANITIZE_SPROG, nvme_sanitize_progress(subsystem));
	put_le16(to + NVME_SANITIZE_SSTAT, nvme_sanitize_status(subsystem));
	put_le32(to + NVME_SANITIZE_SCDW10, subsystem->sanitize_cdw10);
	for (unsigned i = 0; i < 6; i++)
		put_le32(to + NVME_SANITIZE_ESTIMATES + 4 * i, UINT32_MAX);
}

/* Builds the page; returns its size, 0: there is no such page. */
static uint32_t build(struct nvme *nvme, unsigned lid, uint8_t *to)
{
	switch (lid) {
	case NVME_LOG_SUPPORTED:
		put_supported(to);
		return 1024;
	case NVME_LOG_ERROR:
		put_errors(nvme, to);
		return NVME_ERRORS * NVME_ERROR_SIZE;
	case NVME_LOG_SMART:
		put_smart(nvme, to);
		return NVME_SMART_SIZE;
	case NVME_LOG_FIRMWARE:
		put_firmware(nvme, to);
		return NVME_FIRMWARE_SIZE;
	case NVME_LOG_CHANGED:
		put_changed(nvme, to);
		return 4 * NVME_ID_LIST_MAX;
	case NVME_LOG_EFFECTS:
		nvme_admin_effects(to, nvme);
		nvme_io_effects(to + NVME_EFFECTS_IO);
		return NVME_EFFECTS_SIZE;
	case NVME_LOG_FEATURES:
		nvme_features_log(to);
		return 1024;
	case NVME_LOG_RESERVATION:
		put_note(nvme, to);
		return NVME_RESERVE_LOG_SIZE;
	case NVME_LOG_SANITIZE:
		put_sanitize(nvme, to);
		return NVME_SANITIZE_LOG_SIZE;
	default:
		return 0;
	}
}

/* The host has read the page: events of its kind may be told again. */
static void was_read(struct nvme *nvme, unsigned lid)
{
	switch (lid) {
	case NVME_LOG_ERROR:
		nvme_event_unmask(nvme, NVME_EVENT_ERROR);
		break;
	case NVME_LOG_SMART:
		nvme_event_unmask(nvme, NVME_EVENT_SMART);
		break;
	case NVME_LOG_CHANGED:
		nvme->changed = 0;
		nvme_event_unmask(nvme, NVME_EVENT_NOTICE);
		break;
	case NVME_LOG_RESERVATION:
		if (nvme->note_count) {
			nvme->note_count--;
			memmove(&nvme->notes[0], &nvme->notes[1],
				nvme->note_count * sizeof nvme->notes[0]);
		}
		nvme_event_unmask(nvme, NVME_EVENT_IO_SET);
		if (nvme->note_count)
			nvme_event_post(nvme, NVME_EVENT_IO_SET, NVME_IO_SET_RESERVATION,
					NVME_LOG_RESERVATION);
		break;
	case NVME_LOG_SANITIZE:
		nvme_event_unmask(nvme, NVME_EVENT_IO_SET);
		break;
	default:
		break;
	}
}

enum nvme_outcome nvme_admin_get_log(struct nvme *nvme, struct nvme_command *cmd)
{
	unsigned lid = sqe_field(cmd, NVME_SQE_CDW10, NVME_LOG_LID);
	uint64_t size = ((uint64_t)sqe_field(cmd, NVME_SQE_CDW11, NVME_LOG_NUMDU) << 16 |
			 sqe_field(cmd, NVME_SQE_CDW10, NVME_LOG_NUMDL)) *
				4 + 4;
	uint64_t offset = sqe64(cmd, NVME_SQE_CDW12);
	uint32_t nsid = sqe32(cmd, NVME_SQE_NSID), whole;
	enum nvme_outcome outcome;

	memset(nvme->scratch, 0, sizeof nvme->scratch);
	whole = build(nvme, lid, nvme->scratch);
	if (!whole)
		return nvme_refuse(cmd, NVME_INVALID_LOG_PAGE);
	if (offset % 4 || offset > whole || size > (uint64_t)NVME_PAGE_SIZE << nvme->mdts ||
	    sqe_field(cmd, NVME_SQE_CDW14, NVME_LOG_OT))
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	if (lid == NVME_LOG_SMART && nsid && nsid != (uint32_t)NVME_NSID_ALL)
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	outcome = nvme_data_reach(nvme, cmd, size, DMA_WRITE);
	if (outcome != NVME_UNDER_WAY)
		return outcome;
	nvme_data_give_some(nvme, cmd, nvme->scratch + offset,
			    (uint32_t)min_u64(size, whole - offset), (uint32_t)size);
	if (!sqe_field(cmd, NVME_SQE_CDW10, NVME_LOG_RAE))
		was_read(nvme, lid);
	return nvme_succeed(cmd);
}
