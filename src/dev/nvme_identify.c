/* Identify (5.17): what each structure holds. */
#include "dev/nvme_internal.h"

/* Text fields are filled with blanks, not ended by 0; 1.5.2 */
static void put_text(uint8_t *to, unsigned size, const char *text)
{
	memset(to, ' ', size);
	for (unsigned i = 0; i < size && text[i]; i++)
		to[i] = (uint8_t)text[i];
}

/* Whether any volatile cache is there; write caches are shown even while no namespace is. */
static bool has_cache(const struct nvme *nvme)
{
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++)
		if (nvme->front.namespaces[i] && nvme->front.namespaces[i]->volatile_cache)
			return true;
	return false;
}

static void put_features(struct nvme *nvme, uint8_t *to)
{
	const struct nvme_subsystem *subsystem = nvme->subsystem;
	bool wishes = subsystem->wish_begin != NULL;

	put_le16(to + NVME_IDC_OACS,
		 (uint16_t)(NVME_OACS_FORMAT | NVME_OACS_DOORBELL_BUFFER |
			    (wishes ? NVME_OACS_NAMESPACES : 0) |
			    (nvme->role == NVME_PRIMARY ? NVME_OACS_VIRTUALIZATION : 0)));
	to[NVME_IDC_ACL] = NVME_ABORTS_MAX - 1;
	to[NVME_IDC_AERL] = NVME_AERS_MAX - 1;
	to[NVME_IDC_FRMW] = NVME_FRMW_READ_ONLY | 1 << 1; /* one slot */
	to[NVME_IDC_LPA] = NVME_LPA_EFFECTS | NVME_LPA_EXTENDED | NVME_LPA_SUPPORTED;
	to[NVME_IDC_ELPE] = NVME_ERRORS - 1;
	put_le16(to + NVME_IDC_WCTEMP, 343); /* kelvin: 70 and 80 degrees Celsius */
	put_le16(to + NVME_IDC_CCTEMP, 353);
	put_le64(to + NVME_IDC_TNVMCAP, subsystem->capacity);
	put_le64(to + NVME_IDC_UNVMCAP, subsystem->unallocated);
	put_le32(to + NVME_IDC_SANICAP, NVME_SANICAP_BLOCK_ERASE | NVME_SANICAP_OVERWRITE |
				NVME_SANICAP_NODMMAS_NONE);
	put_le16(to + NVME_IDC_ONCS,
		 NVME_ONCS_COMPARE | NVME_ONCS_DATASET | NVME_ONCS_WRITE_ZEROES |
			 NVME_ONCS_RESERVATIONS | NVME_ONCS_TIMESTAMP | NVME_ONCS_VERIFY);
	put_le16(to + NVME_IDC_FUSES, NVME_FUSES_COMPARE_WRITE);
	to[NVME_IDC_VWC] = (uint8_t)(NVME_VWC_FLUSH_ALL | (has_cache(nvme) ? NVME_VWC_PRESENT : 0));
	/* In logical blocks of any namespace, so of the largest; less one. */
	put_le16(to + NVME_IDC_ACWU, NVME_FUSED_MAX / 4096 - 1);
	put_le32(to + NVME_IDC_SGLS, NVME_SGLS_BYTES | NVME_SGLS_BIT_BUCKET | NVME_SGLS_LONGER);
}

void nvme_identify_controller(struct nvme *nvme, uint8_t *to)
{
	const struct nvme_subsystem *subsystem = nvme->subsystem;

	put_le16(to + NVME_IDC_VID, subsystem->vendor);
	put_le16(to + NVME_IDC_SSVID, subsystem->subsystem_vendor);
	put_text(to + NVME_IDC_SN, NVME_IDC_SN_SIZE, subsystem->serial);
	put_text(to + NVME_IDC_MN, NVME_IDC_MN_SIZE, subsystem->model);
	put_text(to + NVME_IDC_FR, NVME_IDC_FR_SIZE, subsystem->firmware);
	to[NVME_IDC_RAB] = 6; /* 2^6 commands: NVME_BURST */
	to[NVME_IDC_CMIC] = (uint8_t)((subsystem->controller_count > 1 ? NVME_CMIC_CONTROLLERS : 0) |
				      (nvme->role == NVME_SECONDARY ? NVME_CMIC_VF : 0));
	to[NVME_IDC_MDTS] = nvme->mdts;
	put_le16(to + NVME_IDC_CNTLID, nvme->id);
	put_le32(to + NVME_IDC_VER, NVME_VERSION);
	put_le32(to + NVME_IDC_RTD3R, 1000000); /* microseconds */
	put_le32(to + NVME_IDC_RTD3E, 10000000);
	put_le32(to + NVME_IDC_OAES, NVME_EVENTS_NAMESPACE);
	put_le32(to + NVME_IDC_CTRATT, NVME_CTRATT_HOSTID128);
	to[NVME_IDC_CNTRLTYPE] = NVME_CTRLTYPE_IO;
	put_features(nvme, to);
	to[NVME_IDC_SQES] = NVME_SQES << 4 | NVME_SQES;
	to[NVME_IDC_CQES] = NVME_CQES << 4 | NVME_CQES;
	put_le32(to + NVME_IDC_NN, BLOCK_NAMESPACES_MAX);
	put_le32(to + NVME_IDC_MNAN, BLOCK_NAMESPACES_MAX);
	memcpy(to + NVME_IDC_SUBNQN, subsystem->nqn, sizeof subsystem->nqn);
	put_le16(to + NVME_IDC_PSD0, 2500); /* 25 W, in 0.01 W */
}

/* Which granularity of writes is best: the physical block, in logical ones, less one. */
static uint16_t preferred(const struct block_back *back)
{
	return (uint16_t)(max_u64(back->physical_block_size, back->block_size) / back->block_size -
			  1);
}

static void put_formats(uint8_t *to)
{
	to[NVME_IDN_NLBAF] = NVME_FORMATS - 1;
	for (unsigned i = 0; i < NVME_FORMATS; i++)
		put_le32(to + NVME_IDN_LBAF0 + 4 * i,
			 (uint32_t)field_make(NVME_LBAF_LBADS, nvme_format_shift(i)));
}

static uint8_t rescap(const struct nvme_subsystem *subsystem)
{
	return NVME_RESCAP_ALL | (subsystem->keep ? NVME_RESCAP_PTPL : 0);
}

static void put_space(const struct nvme_subsystem *subsystem, const struct nvme_space *space, uint8_t *to)
{
	unsigned shift = lowest_bit(space->block_size);
	uint64_t blocks = space->size >> shift;

	put_le64(to + NVME_IDN_NSZE, blocks);
	put_le64(to + NVME_IDN_NCAP, blocks);
	put_le64(to + NVME_IDN_NUSE, blocks);
	to[NVME_IDN_NMIC] = space->shared ? NVME_NMIC_SHARED : 0;
	to[NVME_IDN_RESCAP] = rescap(subsystem);
	to[NVME_IDN_DLFEAT] = NVME_DLFEAT_WRITE_ZEROES;
	put_le64(to + NVME_IDN_NVMCAP, space->size);
	to[NVME_IDN_NSATTR] = space->read_only ? NVME_NSATTR_WRITE_PROTECTED : 0;
	memcpy(to + NVME_IDN_NGUID, space->id, sizeof space->id);
	put_formats(to);
	to[NVME_IDN_FLBAS] = shift != nvme_format_shift(0);
}

void nvme_identify_namespace(struct nvme *nvme, const struct nvme_space *space, uint8_t *to)
{
	uint32_t nsid = (uint32_t)(space - nvme->subsystem->spaces) + 1;
	const struct block_back *back = nvme_back(nvme, nsid);

	put_space(nvme->subsystem, space, to);
	if (!back)
		return;
	to[NVME_IDN_NSFEAT] = NVME_NSFEAT_OPTPERF;
	put_le16(to + NVME_IDN_NPWG, preferred(back));
	put_le16(to + NVME_IDN_NPWA, preferred(back));
	put_le16(to + NVME_IDN_NPDG,
		 (uint16_t)(max_u64(back->discard_granularity, back->block_size) /
				    back->block_size -
			    1));
	put_le16(to + NVME_IDN_NPDA, preferred(back));
}

/* Namespace identification descriptors: the NGUID, and the command set, which is NVM. */
static void put_descriptors(const struct nvme_space *space, uint8_t *to)
{
	to[NVME_NID_TYPE] = NVME_NIDT_NGUID;
	to[NVME_NID_LENGTH] = sizeof space->id;
	memcpy(to + NVME_NID_VALUE, space->id, sizeof space->id);
	to += NVME_NID_VALUE + sizeof space->id;
	to[NVME_NID_TYPE] = NVME_NIDT_CSI;
	to[NVME_NID_LENGTH] = 1;
}

static void put_independent(const struct nvme_subsystem *subsystem, const struct nvme_space *space,
			    uint8_t *to)
{
	to[NVME_IDI_NMIC] = space->shared ? NVME_NMIC_SHARED : 0;
	to[NVME_IDI_RESCAP] = rescap(subsystem);
	to[NVME_IDI_NSATTR] = space->read_only ? NVME_NSATTR_WRITE_PROTECTED : 0;
	to[NVME_IDI_NSTAT] = NVME_NSTAT_READY;
}

enum list { ATTACHED, ALLOCATED };

static void put_list(const struct nvme *nvme, enum list which, uint32_t after, uint8_t *to)
{
	for (uint32_t nsid = 1; nsid <= BLOCK_NAMESPACES_MAX; nsid++) {
		bool there = which == ATTACHED ? nvme->front.namespaces[nsid - 1] != NULL :
						 nvme->subsystem->spaces[nsid - 1].there;

		if (!there || nsid <= after)
			continue;
		put_le32(to, nsid);
		to += 4;
	}
}

/* Controllers from ID 'from' on: all, or those that have a namespace attached. */
static void put_controllers(const struct nvme *nvme, uint32_t nsid_or_0, unsigned from, uint8_t *to)
{
	unsigned n = 0;

	for (unsigned id = from; id < NVME_CONTROLLERS_MAX; id++) {
		const struct nvme *other = nvme->subsystem->controllers[id];

		if (other && (nsid_or_0 == 0 || nvme_back(other, nsid_or_0)))
			put_le16(to + 2 * ++n, (uint16_t)id);
	}
	put_le16(to, (uint16_t)n);
}

/* Structures of one namespace.  An NSID that no namespace can have is invalid; one that is not
 * attached (or, for those of allocated namespaces, not allocated) reads zeroes: 5.17.2.1. */
static enum nvme_status put_namespace(struct nvme *nvme, unsigned cns, uint32_t nsid, uint8_t *to)
{
	bool allocated = cns == NVME_CNS_ALLOCATED || cns == NVME_CNS_ATTACHED_CONTROLLERS;
	const struct nvme_space *space;

	if (nsid == (uint32_t)NVME_NSID_ALL && cns == NVME_CNS_NAMESPACE) {
		/* What all namespaces have in common. */
		put_formats(to);
		to[NVME_IDN_RESCAP] = rescap(nvme->subsystem);
		return NVME_SUCCESS;
	}
	if (nsid - 1 >= BLOCK_NAMESPACES_MAX)
		return NVME_INVALID_NAMESPACE;
	space = nvme_space(nvme, nsid);
	if (cns == NVME_CNS_DESCRIPTORS && !nvme_back(nvme, nsid))
		return NVME_INVALID_FIELD;
	if (allocated ? !space->there : !nvme_back(nvme, nsid))
		return NVME_SUCCESS;
	if (cns == NVME_CNS_DESCRIPTORS)
		put_descriptors(space, to);
	else if (cns == NVME_CNS_INDEPENDENT)
		put_independent(nvme->subsystem, space, to);
	else if (cns != NVME_CNS_SET_NAMESPACE) /* of the NVM set: no metadata, so zeroes */
		nvme_identify_namespace(nvme, space, to);
	return NVME_SUCCESS;
}

/* Lists start after an NSID, and the two highest are none; 5.17.2.2. */
static enum nvme_status put_namespaces(const struct nvme *nvme, enum list which, uint32_t after,
				       uint8_t *to)
{
	if (after >= (uint32_t)NVME_NSID_ALL - 1)
		return NVME_INVALID_NAMESPACE;
	put_list(nvme, which, after, to);
	return NVME_SUCCESS;
}

static enum nvme_status fill(struct nvme *nvme, const struct nvme_command *cmd, unsigned cns,
			     uint8_t *to)
{
	uint32_t nsid = sqe32(cmd, NVME_SQE_NSID);
	unsigned controller = sqe32(cmd, NVME_SQE_CDW10) >> 16;
	unsigned set = sqe32(cmd, NVME_SQE_CDW11) >> 24;

	if (set && (cns == NVME_CNS_SET_NAMESPACE || cns == NVME_CNS_SET_CONTROLLER ||
		    cns == NVME_CNS_SET_ACTIVE_LIST))
		return NVME_INVALID_FIELD; /* the NVM command set is 0 */
	switch (cns) {
	case NVME_CNS_NAMESPACE:
	case NVME_CNS_DESCRIPTORS:
	case NVME_CNS_SET_NAMESPACE:
	case NVME_CNS_INDEPENDENT:
	case NVME_CNS_ALLOCATED:
		return put_namespace(nvme, cns, nsid, to);
	case NVME_CNS_CONTROLLER:
		nvme_identify_controller(nvme, to);
		return NVME_SUCCESS;
	case NVME_CNS_ACTIVE_LIST:
	case NVME_CNS_SET_ACTIVE_LIST:
		return put_namespaces(nvme, ATTACHED, nsid, to);
	case NVME_CNS_ALLOCATED_LIST:
		return put_namespaces(nvme, ALLOCATED, nsid, to);
	case NVME_CNS_SET_CONTROLLER: /* no limits besides MDTS: zeroes */
		return NVME_SUCCESS;
	case NVME_CNS_ATTACHED_CONTROLLERS:
		if (nsid - 1 >= BLOCK_NAMESPACES_MAX)
			return NVME_INVALID_NAMESPACE;
		put_controllers(nvme, nsid, controller, to);
		return NVME_SUCCESS;
	case NVME_CNS_CONTROLLERS:
		put_controllers(nvme, 0, controller, to);
		return NVME_SUCCESS;
	case NVME_CNS_PRIMARY:
	case NVME_CNS_SECONDARY:
		if (nvme->role != NVME_PRIMARY)
			return NVME_INVALID_FIELD;
		if (cns == NVME_CNS_PRIMARY)
			nvme_identify_primary(nvme, to);
		else
			nvme_identify_secondary(nvme, controller, to);
		return NVME_SUCCESS;
	case NVME_CNS_COMMAND_SETS:
		put_le64(to, 1); /* one combination: NVM */
		return NVME_SUCCESS;
	default:
		return NVME_INVALID_FIELD;
	}
}

enum nvme_outcome nvme_admin_identify(struct nvme *nvme, struct nvme_command *cmd)
{
	unsigned cns = sqe32(cmd, NVME_SQE_CDW10) & 0xff;
	enum nvme_status status;

	memset(nvme->scratch, 0, NVME_IDENTIFY_SIZE);
	status = fill(nvme, cmd, cns, nvme->scratch);
	if (status)
		return nvme_refuse(cmd, status);
	return nvme_answer(nvme, cmd, NVME_IDENTIFY_SIZE);
}
