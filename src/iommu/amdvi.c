#include "iommu/amdvi_unit.h"

enum { READERS_MAX = 4096 };

const char *amdvi_config_check(const struct amdvi_config *config)
{
	uint64_t features = config->features;

	if (!config->memory.read || !config->memory.write || !config->memory.replace)
		return "memory needs its three functions";
	if (field_is_set(features, SPEC_AMDVI_EFR_GT_SUP))
		return "GTSup asks for guest page tables, which are not walked";
	if (field_is_set(features, SPEC_AMDVI_EFR_HE_SUP) ||
	    field_is_set(features, SPEC_AMDVI_EFR_PC_SUP))
		return "HESup and PCSup ask for registers that there are not";
	if (field_get(features, SPEC_AMDVI_EFR_HATS) == 3)
		return "HATS is 3, which is reserved";
	if (field_is_set(features, SPEC_AMDVI_EFR_PPR_SUP) &&
	    (!config->page_response || !config->invalidate_device))
		return "PPRSup needs the call-backs page_response and invalidate_device";
	if (config->readers > READERS_MAX)
		return "more than 4096 readers";
	return NULL;
}

static size_t readers_size(const struct amdvi_config *config)
{
	return (config->readers * sizeof(struct amdvi_reader *) + 63) / 64 * 64;
}

size_t amdvi_size(const struct amdvi_config *config)
{
	return sizeof(struct amdvi) + readers_size(config) + tlb_size(1, config->readers);
}

struct amdvi *amdvi_init(void *memory, const struct amdvi_config *config)
{
	struct amdvi *amdvi = memory;

	must((uintptr_t)memory % 64 == 0);
	must(!amdvi_config_check(config));
	memset(amdvi, 0, sizeof *amdvi);
	amdvi->config = *config;
	amdvi->readers = (void *)(amdvi + 1);
	memset(amdvi->readers, 0, readers_size(config));
	/* Pages are shared by no two readers: what a page allows depends on the device, too. */
	amdvi->tlb = tlb_init((uint8_t *)(amdvi + 1) + readers_size(config), 1, config->readers);
	amdvi_registers_init(amdvi);
	return amdvi;
}

uint64_t amdvi_poll(struct amdvi *amdvi, uint64_t now_ns)
{
	uint64_t next;

	amdvi_collect(amdvi);
	amdvi_device_tlb_poll(amdvi, now_ns);
	amdvi_commands_run(amdvi);
	next = amdvi_device_tlb_poll(amdvi, now_ns); /* dates what was sent */
	return amdvi_commands_busy(amdvi) ? now_ns : next;
}
