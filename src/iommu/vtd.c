#include "iommu/vtd_reader.h"

#include <string.h>

enum {
	READERS_MAX = 4096,
	SETS_MAX = 1 << 20,
	SETS_DEFAULT = 1024,
	WIDTH_MIN = 30,
	WIDTH_MAX = 57
};

static bool has(uint64_t word, int field)
{
	return field_is_set(word, field);
}

static const char *check_cap(uint64_t cap)
{
	uint64_t width = field_get(cap, SPEC_VTD_CAP_MGAW) + 1;

	if (field_get(cap, SPEC_VTD_CAP_ND) == 7)
		return "CAP.ND is 7, which is reserved";
	if (cap & UINT64_C(1) << 3)
		return "CAP bit 3 asks for advanced fault logging, which there is not";
	if (field_get(cap, SPEC_VTD_CAP_SAGAW) & ~UINT64_C(0xe))
		return "CAP.SAGAW has bits beside 3, 4 and 5 levels (1, 2 and 3)";
	if (width < WIDTH_MIN || width > WIDTH_MAX)
		return "CAP.MGAW is not 29 to 56, a width of 30 to 57 bits";
	if (field_get(cap, SPEC_VTD_CAP_SSLPS) & ~UINT64_C(3))
		return "CAP.SSLPS has pages beside 2 MiB and 1 GiB";
	if (has(cap, SPEC_VTD_CAP_ECMDS))
		return "CAP.ECMDS asks for enhanced commands, which there are not";
	return NULL;
}

static const char *check_ecap(const struct vtd_config *config)
{
	uint64_t ecap = config->ecap;

	if (has(ecap, SPEC_VTD_ECAP_IR) && !has(ecap, SPEC_VTD_ECAP_QI))
		return "ECAP.IR needs QI";
	if (has(ecap, SPEC_VTD_ECAP_EIM) && !has(ecap, SPEC_VTD_ECAP_IR))
		return "ECAP.EIM needs IR";
	if (has(ecap, SPEC_VTD_ECAP_SMTS) && !has(ecap, SPEC_VTD_ECAP_QI))
		return "ECAP.SMTS needs QI";
	if (has(ecap, SPEC_VTD_ECAP_DT) &&
	    (!has(ecap, SPEC_VTD_ECAP_QI) || !config->invalidate_device))
		return "ECAP.DT needs QI and the call-back invalidate_device";
	if (has(ecap, SPEC_VTD_ECAP_PRS) &&
	    (!has(ecap, SPEC_VTD_ECAP_DT) || !has(ecap, SPEC_VTD_ECAP_SMTS) ||
	     !config->page_response))
		return "ECAP.PRS needs DT, SMTS and the call-back page_response";
	if (has(ecap, SPEC_VTD_ECAP_VCS) || has(ecap, SPEC_VTD_ECAP_PMS))
		return "ECAP.VCS and PMS ask for registers that there are not";
	return NULL;
}

const char *vtd_config_check(const struct vtd_config *config)
{
	const char *wrong;

	if (!config->memory.read || !config->memory.write || !config->memory.replace)
		return "memory needs its three functions";
	if (config->version > 0xff || config->version >> 4 == 0)
		return "the version is not 10h to ffh";
	if ((wrong = check_cap(config->cap)) || (wrong = check_ecap(config)))
		return wrong;
	if (!vtd_registers_fit(config))
		return "CAP.FRO and NFR, or ECAP.IRO, put registers over others or past 4 KiB";
	if (config->host_width && (config->host_width < WIDTH_MIN || config->host_width > 52))
		return "host_width is not 30 to 52";
	if (config->readers > READERS_MAX)
		return "more than 4096 readers";
	if (config->iotlb_sets &&
	    (!is_power_of_two(config->iotlb_sets) || config->iotlb_sets > SETS_MAX))
		return "iotlb_sets is not a power of two up to 1048576";
	return NULL;
}

static uint32_t sets_of(const struct vtd_config *config)
{
	return config->iotlb_sets ? config->iotlb_sets : SETS_DEFAULT;
}

static size_t readers_size(const struct vtd_config *config)
{
	return (config->readers * sizeof(struct vtd_reader *) + 63) / 64 * 64;
}

size_t vtd_size(const struct vtd_config *config)
{
	return sizeof(struct vtd) + readers_size(config) +
	       tlb_size(sets_of(config), config->readers);
}

struct vtd *vtd_init(void *memory, const struct vtd_config *config)
{
	struct vtd *vtd = memory;

	must((uintptr_t)memory % 64 == 0);
	must(!vtd_config_check(config));
	memset(vtd, 0, sizeof *vtd);
	vtd->config = *config;
	vtd->readers = (void *)(vtd + 1);
	memset(vtd->readers, 0, readers_size(config));
	vtd->tlb = tlb_init((uint8_t *)(vtd + 1) + readers_size(config), sets_of(config),
			    config->readers);
	vtd_registers_init(vtd);
	return vtd;
}

uint64_t vtd_poll(struct vtd *vtd, uint64_t now_ns)
{
	uint64_t next;

	vtd_fault_collect(vtd);
	vtd_command_poll(vtd);
	vtd_device_tlb_poll(vtd, now_ns);
	vtd_queue_run(vtd);
	next = vtd_device_tlb_poll(vtd, now_ns); /* dates what was sent */
	if (vtd_command_is_pending(vtd) || vtd_queue_is_busy(vtd))
		return now_ns;
	return next;
}
