/* Get and Set Features (5.15, 5.27).  None can be saved: a reset brings defaults back. */
#include "dev/nvme_internal.h"

enum feature_flag {
	CHANGEABLE = 1 << 0,
	SPECIAL = 1 << 1, /* more than a value of 32 bits: has a function of its own */
	BY_NAMESPACE = 1 << 2,
};

/* X-list of features that are one dword: name, bits a host may set, default, flags. */
static const struct feature {
	uint8_t fid, flags;
	uint32_t settable, value;
} table[] = {
	{ NVME_FEATURE_ARBITRATION, CHANGEABLE, 0xffffff07, 7 },
	{ NVME_FEATURE_POWER, CHANGEABLE, 0, 0 }, /* one power state */
	{ NVME_FEATURE_TEMPERATURE, CHANGEABLE, 0x003fffff, 343 },
	{ NVME_FEATURE_ERROR_RECOVERY, CHANGEABLE, 0x0000ffff, 0 },
	{ NVME_FEATURE_WRITE_CACHE, CHANGEABLE, 1, 1 },
	{ NVME_FEATURE_QUEUES, CHANGEABLE | SPECIAL, 0, 0 },
	{ NVME_FEATURE_COALESCING, CHANGEABLE, 0xffff, 0 },
	{ NVME_FEATURE_VECTOR, CHANGEABLE | SPECIAL, 0, 0 },
	{ NVME_FEATURE_ATOMICITY, CHANGEABLE, 1, 0 },
	{ NVME_FEATURE_EVENTS, CHANGEABLE, 0xff | NVME_EVENTS_NAMESPACE, 0 },
	{ NVME_FEATURE_TIMESTAMP, CHANGEABLE | SPECIAL, 0, 0 },
	{ NVME_FEATURE_HOST_BEHAVIOR, CHANGEABLE | SPECIAL, 0, 0 },
	{ NVME_FEATURE_HOST_ID, CHANGEABLE | SPECIAL, 0, 0 },
	{ NVME_FEATURE_RESERVE_MASK, CHANGEABLE | BY_NAMESPACE, 0x0e, 0 },
	{ NVME_FEATURE_RESERVE_PERSIST, BY_NAMESPACE, 1, 0 }, /* changeable where it is kept */
};
_Static_assert(array_len(table) <= NVME_FEATURES, "a value for each feature");

static const struct feature *find(unsigned fid)
{
	for (unsigned i = 0; i < array_len(table); i++)
		if (table[i].fid == fid)
			return &table[i];
	return NULL;
}

static bool is_changeable(const struct nvme *nvme, const struct feature *feature)
{
	return feature->flags & CHANGEABLE ||
	       (feature->fid == NVME_FEATURE_RESERVE_PERSIST && nvme->subsystem->keep);
}

void nvme_features_reset(struct nvme *nvme)
{
	struct nvme_features *features = &nvme->features;

	for (unsigned i = 0; i < array_len(table); i++)
		features->value[i] = table[i].value;
	memset(features->vector_no_coalescing, 0, sizeof features->vector_no_coalescing);
	memset(features->host_id, 0, sizeof features->host_id);
	memset(features->behavior, 0, sizeof features->behavior);
	memset(nvme->reserve_mask, 0, sizeof nvme->reserve_mask);
	features->host_id_long = false;
}

uint32_t nvme_feature(const struct nvme *nvme, uint8_t fid)
{
	const struct feature *feature = find(fid);

	must(feature != NULL);
	return nvme->features.value[feature - table];
}

void nvme_features_log(uint8_t *log)
{
	for (unsigned i = 0; i < array_len(table); i++)
		put_le32(log + 4 * table[i].fid,
			 1u | (table[i].flags & BY_NAMESPACE ? 1u << 20 : 1u << 21));
}

/* What we were made with counts from the first time that anybody told us. */
uint64_t nvme_timestamp_age_ms(const struct nvme *nvme)
{
	const struct nvme_features *features = &nvme->features;

	return features->timestamp_at_ns ? (nvme->now_ns - features->timestamp_at_ns) / 1000000 : 0;
}

/* Milliseconds since 1970 now, as far as anybody has said; 5.27.1.10. */
static uint64_t timestamp(const struct nvme *nvme)
{
	const struct nvme_features *features = &nvme->features;
	uint64_t past = nvme_timestamp_age_ms(nvme);

	return ((features->timestamp_ms + past) & ((UINT64_C(1) << 48) - 1)) |
	       field_make(NVME_TIMESTAMP_ORIGIN, features->timestamp_origin);
}

static enum nvme_outcome get_special(struct nvme *nvme, struct nvme_command *cmd, unsigned fid)
{
	const struct nvme_features *features = &nvme->features;
	uint32_t vector = sqe32(cmd, NVME_SQE_CDW11) & 0xffff;
	uint8_t *to = nvme->scratch;

	switch (fid) {
	case NVME_FEATURE_QUEUES:
		cmd->dw0 = (nvme->queues_now - 1u) << 16 | (nvme->queues_now - 1u);
		return nvme_succeed(cmd);
	case NVME_FEATURE_VECTOR:
		if (vector >= nvme->vectors_now)
			return nvme_refuse(cmd, NVME_INVALID_FIELD);
		cmd->dw0 = vector;
		if (features->vector_no_coalescing[vector / 16] >> vector % 16 & 1)
			cmd->dw0 |= (uint32_t)field_mask(NVME_VECTOR_CD);
		return nvme_succeed(cmd);
	case NVME_FEATURE_TIMESTAMP:
		put_le64(to, timestamp(nvme));
		return nvme_answer(nvme, cmd, NVME_TIMESTAMP_SIZE);
	case NVME_FEATURE_HOST_BEHAVIOR:
		memcpy(to, features->behavior, NVME_HOST_BEHAVIOR_SIZE);
		return nvme_answer(nvme, cmd, NVME_HOST_BEHAVIOR_SIZE);
	default:
		must(fid == NVME_FEATURE_HOST_ID);
		memcpy(to, features->host_id, sizeof features->host_id);
		return nvme_answer(nvme, cmd, sqe32(cmd, NVME_SQE_CDW11) & 1 ? 16 : 8);
	}
}

/* Features of namespaces are for one that is attached, or, to set, for all of them. */
static enum nvme_status check_nsid(const struct nvme *nvme, const struct nvme_command *cmd,
				   const struct feature *feature)
{
	uint32_t nsid = sqe32(cmd, NVME_SQE_NSID);

	if (feature->flags & BY_NAMESPACE) {
		if (nsid != (uint32_t)NVME_NSID_ALL && nsid - 1 >= BLOCK_NAMESPACES_MAX)
			return NVME_INVALID_NAMESPACE;
		if (nsid != (uint32_t)NVME_NSID_ALL && !nvme_back(nvme, nsid))
			return NVME_INVALID_FIELD;
		return NVME_SUCCESS;
	}
	if (nsid != 0 && nsid != (uint32_t)NVME_NSID_ALL)
		return nsid - 1 < BLOCK_NAMESPACES_MAX ? NVME_FEATURE_NOT_OF_NAMESPACE :
							 NVME_INVALID_NAMESPACE;
	return NVME_SUCCESS;
}

enum nvme_outcome nvme_admin_get_features(struct nvme *nvme, struct nvme_command *cmd)
{
	unsigned fid = sqe_field(cmd, NVME_SQE_CDW10, NVME_FEATURE_FID);
	unsigned select = sqe_field(cmd, NVME_SQE_CDW10, NVME_FEATURE_SEL);
	uint32_t nsid = sqe32(cmd, NVME_SQE_NSID);
	const struct feature *feature = find(fid);
	enum nvme_status status;

	if (!feature || select > NVME_SEL_SUPPORTED)
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	if (select == NVME_SEL_SUPPORTED) {
		cmd->dw0 = (is_changeable(nvme, feature) ? NVME_FEATURE_CHANGEABLE : 0) |
			   (feature->flags & BY_NAMESPACE ? NVME_FEATURE_PER_NAMESPACE : 0);
		return nvme_succeed(cmd);
	}
	if (feature->flags & BY_NAMESPACE) {
		status = check_nsid(nvme, cmd, feature);
		if (!status && nsid == (uint32_t)NVME_NSID_ALL)
			status = NVME_INVALID_NAMESPACE;
		if (status)
			return nvme_refuse(cmd, status);
	}
	if (feature->flags & SPECIAL)
		return get_special(nvme, cmd, fid);
	/* What is not saved is the default. */
	cmd->dw0 = select == NVME_SEL_CURRENT ? nvme->features.value[feature - table] :
						feature->value;
	if (select == NVME_SEL_CURRENT && fid == NVME_FEATURE_RESERVE_MASK)
		cmd->dw0 = nvme->reserve_mask[nsid - 1];
	if (select == NVME_SEL_CURRENT && fid == NVME_FEATURE_RESERVE_PERSIST)
		cmd->dw0 = nvme_space(nvme, nsid)->reservation.persists;
	return nvme_succeed(cmd);
}

/* 5.27.1.25: of 16 bytes where CTRATT has it, or of 8.  Not while this host is registered. */
static enum nvme_outcome set_host_id(struct nvme *nvme, struct nvme_command *cmd)
{
	bool is_long = sqe32(cmd, NVME_SQE_CDW11) & 1;
	enum nvme_outcome outcome = nvme_data_reach(nvme, cmd, is_long ? 16 : 8, DMA_READ);
	uint8_t id[16] = { 0 };

	if (outcome != NVME_UNDER_WAY)
		return outcome;
	nvme_data_take(cmd, id, is_long ? 16 : 8);
	if (nvme_reserve_is_registered(nvme))
		return nvme_refuse(cmd, NVME_SEQUENCE_ERROR);
	memcpy(nvme->features.host_id, id, sizeof id);
	nvme->features.host_id_long = is_long;
	return nvme_succeed(cmd);
}

static enum nvme_outcome set_timestamp(struct nvme *nvme, struct nvme_command *cmd)
{
	enum nvme_outcome outcome = nvme_data_reach(nvme, cmd, NVME_TIMESTAMP_SIZE, DMA_READ);
	uint8_t bytes[NVME_TIMESTAMP_SIZE];

	if (outcome != NVME_UNDER_WAY)
		return outcome;
	nvme_data_take(cmd, bytes, sizeof bytes);
	nvme->features.timestamp_ms = get_le64(bytes) & ((UINT64_C(1) << 48) - 1);
	nvme->features.timestamp_at_ns = nvme->now_ns;
	nvme->features.timestamp_origin = 1;
	return nvme_succeed(cmd);
}

static enum nvme_outcome set_behavior(struct nvme *nvme, struct nvme_command *cmd)
{
	enum nvme_outcome outcome = nvme_data_reach(nvme, cmd, NVME_HOST_BEHAVIOR_SIZE, DMA_READ);

	if (outcome != NVME_UNDER_WAY)
		return outcome;
	nvme_data_take(cmd, nvme->scratch, NVME_HOST_BEHAVIOR_SIZE);
	if (nvme->scratch[0] > 1) /* ACRE, the only one there is: nothing of ours is delayed */
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	memset(nvme->features.behavior, 0, NVME_HOST_BEHAVIOR_SIZE);
	nvme->features.behavior[0] = nvme->scratch[0];
	return nvme_succeed(cmd);
}

static enum nvme_outcome set_vector(struct nvme *nvme, struct nvme_command *cmd)
{
	uint32_t value = sqe32(cmd, NVME_SQE_CDW11), vector = value & 0xffff;
	uint16_t *word;

	if (vector >= nvme->vectors_now)
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	word = &nvme->features.vector_no_coalescing[vector / 16];
	*word = (uint16_t)(*word & ~(1u << vector % 16));
	if (field_is_set(value, NVME_VECTOR_CD))
		*word = (uint16_t)(*word | 1u << vector % 16);
	return nvme_succeed(cmd);
}

/* 5.27.1.5: only before I/O queues exist; all that there are, are always granted. */
static enum nvme_outcome set_queues(struct nvme *nvme, struct nvme_command *cmd)
{
	uint32_t value = sqe32(cmd, NVME_SQE_CDW11);

	if ((value & 0xffff) == 0xffff || value >> 16 == 0xffff)
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	for (unsigned id = 1; id <= NVME_QUEUES_MAX; id++)
		if (nvme->cq[id].live)
			return nvme_refuse(cmd, NVME_SEQUENCE_ERROR);
	return get_special(nvme, cmd, NVME_FEATURE_QUEUES);
}

static enum nvme_outcome set_special(struct nvme *nvme, struct nvme_command *cmd, unsigned fid)
{
	switch (fid) {
	case NVME_FEATURE_QUEUES:
		return set_queues(nvme, cmd);
	case NVME_FEATURE_VECTOR:
		return set_vector(nvme, cmd);
	case NVME_FEATURE_TIMESTAMP:
		return set_timestamp(nvme, cmd);
	case NVME_FEATURE_HOST_BEHAVIOR:
		return set_behavior(nvme, cmd);
	default:
		must(fid == NVME_FEATURE_HOST_ID);
		return set_host_id(nvme, cmd);
	}
}

static void set_masks(struct nvme *nvme, uint32_t nsid, uint32_t value)
{
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++)
		if (nsid == (uint32_t)NVME_NSID_ALL || nsid - 1 == i)
			nvme->reserve_mask[i] = (uint8_t)value;
}

/* 5.27.1.27: of those that this controller has attached. */
static enum nvme_outcome set_persistence(struct nvme *nvme, struct nvme_command *cmd, bool persists)
{
	uint32_t nsid = sqe32(cmd, NVME_SQE_NSID);

	if (nvme->subsystem->keeping)
		return NVME_LATER;
	for (uint32_t i = 1; i <= BLOCK_NAMESPACES_MAX; i++)
		if ((nsid == (uint32_t)NVME_NSID_ALL || nsid == i) && nvme_back(nvme, i))
			nvme_space(nvme, i)->reservation.persists = persists;
	return nvme_keep(nvme->subsystem, cmd);
}

enum nvme_outcome nvme_admin_set_features(struct nvme *nvme, struct nvme_command *cmd)
{
	unsigned fid = sqe_field(cmd, NVME_SQE_CDW10, NVME_FEATURE_FID);
	uint32_t value = sqe32(cmd, NVME_SQE_CDW11);
	const struct feature *feature = find(fid);
	enum nvme_status status;

	if (!feature)
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	if (sqe_field(cmd, NVME_SQE_CDW10, NVME_FEATURE_SV))
		return nvme_refuse(cmd, NVME_FEATURE_NOT_SAVEABLE);
	if (!is_changeable(nvme, feature))
		return nvme_refuse(cmd, NVME_FEATURE_NOT_CHANGEABLE);
	status = check_nsid(nvme, cmd, feature);
	if (status)
		return nvme_refuse(cmd, status);
	if (feature->flags & SPECIAL)
		return set_special(nvme, cmd, fid);
	if (fid == NVME_FEATURE_POWER && value & 0x1f)
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	if (fid == NVME_FEATURE_RESERVE_PERSIST)
		return set_persistence(nvme, cmd, value & 1);
	if (fid == NVME_FEATURE_RESERVE_MASK)
		set_masks(nvme, sqe32(cmd, NVME_SQE_NSID), value & feature->settable);
	else
		nvme->features.value[feature - table] = value & feature->settable;
	return nvme_succeed(cmd);
}
