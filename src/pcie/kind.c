#include "pcie/kind.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"
#include "spec/pcie_sriov.h"
#include "spec/pcie_virtio.h"

#include <string.h>

static const struct {
	uint16_t id;
	uint8_t version, size;
} facts[PCIE_CAP_COUNT] = {
#define X(name, id, version, size) [PCIE_CAP_##name] = { id, version, size },
	PCIE_CAPS(X)
#undef X
};

void pcie_kind_init(struct pcie_kind *kind, enum pcie_role role)
{
	memset(kind, 0, sizeof *kind);
	kind->role = role;
	kind->free = SPEC_PCI_HEADER_SIZE;
	kind->ext_free = SPEC_EXT_FIRST;
}

/* The pointer to a capability is laid with that capability; the last one's stays 0. */
static uint16_t add_low(struct pcie_kind *kind, enum pcie_cap cap)
{
	uint16_t at = kind->free;
	unsigned pointer = kind->tail ? kind->tail + 1u : SPEC_PCI_CAP_POINTER;
	const struct cfg_field header = { 0, 7, 0, CFG_RO, facts[cap].id, "Capability ID" };
	const struct cfg_field link = { 0, 7, 0, CFG_RO, at, "Next Capability Pointer" };

	cfg_lay(&kind->map, at, &header, 1);
	cfg_lay(&kind->map, pointer, &link, 1);
	kind->tail = at;
	kind->free = (uint16_t)((at + facts[cap].size + 3u) & ~3u);
	must(kind->free <= SPEC_EXT_FIRST);
	return at;
}

static uint16_t add_extended(struct pcie_kind *kind, enum pcie_cap cap)
{
	uint16_t at = kind->ext_free;
	const struct cfg_field header[] = {
		{ 0, 15, 0, CFG_RO, facts[cap].id, "PCI Express Extended Capability ID" },
		{ 0, 19, 16, CFG_RO, facts[cap].version, "Capability Version" },
	};
	const struct cfg_field link = { 0, 31, 20, CFG_RO, at, "Next Capability Offset" };

	cfg_lay(&kind->map, at, header, array_len(header));
	if (kind->ext_tail)
		cfg_lay(&kind->map, kind->ext_tail, &link, 1);
	kind->ext_tail = at;
	kind->ext_free = (uint16_t)((at + facts[cap].size + 15u) & ~15u);
	must(kind->ext_free <= CFG_SIZE);
	return at;
}

void pcie_kind_add(struct pcie_kind *kind, enum pcie_cap cap, const struct cfg_field *fields,
		   size_t count)
{
	must(cap > PCIE_HEADER);
	must(cap < PCIE_CAP_COUNT);
	must(kind->at[cap] == 0);
	kind->at[cap] = facts[cap].version ? add_extended(kind, cap) : add_low(kind, cap);
	for (size_t i = 0; i < count; i++)
		must(fields[i].offset < facts[cap].size);
	cfg_lay(&kind->map, kind->at[cap], fields, count);
}

bool pcie_kind_has(const struct pcie_kind *kind, enum pcie_cap cap)
{
	must(cap < PCIE_CAP_COUNT);
	return cap == PCIE_HEADER || kind->at[cap] != 0;
}

unsigned pcie_kind_at(const struct pcie_kind *kind, enum pcie_cap cap, unsigned offset)
{
	must(pcie_kind_has(kind, cap));
	return kind->at[cap] + offset;
}
