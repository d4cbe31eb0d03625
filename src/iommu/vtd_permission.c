/* The host permission table, which says what translated requests may reach (sections 4.2.4, 9.12).
 */
#include "iommu/vtd_internal.h"

static const char *const names[] = { NULL, "HPTL1E", "HPTL2E", "HPTL3E", "HPTL4E" };

/* Where each level looks in the address: its index, and which of its permissions (level 4 has
 * none). */
static const struct {
	uint8_t index_low, permission_low, permission_bits;
} shifts[] = { { 0, 0, 0 }, { 17, 12, 5 }, { 25, 21, 4 }, { 33, 30, 3 }, { 41, 0, 0 } };

struct permission {
	struct vtd_walk *walk;
	unsigned level;
	struct iommu_step step;
};

static enum spec_vtd_reason refused(const struct permission *permission,
				    enum spec_vtd_reason reason)
{
	vtd_tell(permission->walk, &permission->step, "%s", vtd_reason_text(reason));
	return reason;
}

static bool is_reserved(const struct permission *permission)
{
	const uint64_t fields = UINT64_C(0xcccccccccccccccc); /* bits 3:2 of each PPi */
	const uint64_t *words = permission->step.words;
	const struct vtd_walk *walk = permission->walk;
	uint64_t pointer = field_mask(SPEC_VTD_HPT_1_RESERVED) |
			   (vtd_beyond_host(walk) & field_mask(SPEC_VTD_HPT_1_ADDRESS));

	switch (permission->level) {
	case 4:
		return words[0] || (words[1] & pointer);
	case 3:
		return field_is_set(words[0], SPEC_VTD_HPT_L3_0_RESERVED) || (words[0] & fields) ||
		       (words[0] && !field_is_set(walk->tables->ecap, SPEC_VTD_ECAP_HPT1GPS)) ||
		       (words[1] & pointer);
	case 2:
		return (words[0] & fields) || (words[1] & pointer);
	default:
		return (words[0] & fields) || (words[1] & fields);
	}
}

/* PPi of this level for the request's address; 0: none. */
static unsigned permission_of(const struct permission *permission)
{
	unsigned level = permission->level, mask, bit;

	if (level == 4)
		return 0;
	mask = (1u << shifts[level].permission_bits) - 1;
	bit = 4 * ((unsigned)(permission->walk->request->address >> shifts[level].permission_low) &
		   mask);
	return permission->step.words[bit / 64] >> bit % 64 & 0xf;
}

/* HPT.4 to HPT.6 */
static enum spec_vtd_reason check_rights(const struct vtd_walk *walk, unsigned rights)
{
	bool flushes =
		walk->request->zero_length && field_is_set(walk->tables->cap, SPEC_VTD_CAP_ZLR);

	if ((walk->access & IOMMU_WRITE) && !(rights & SPEC_VTD_HPT_PP_W))
		return SPEC_VTD_HPT_WRITE_DENIED;
	if (flushes)
		return rights ? SPEC_VTD_NO_FAULT : SPEC_VTD_HPT_NOT_PRESENT;
	if (!(rights & SPEC_VTD_HPT_PP_R) && ((walk->access & IOMMU_READ) || !rights))
		return SPEC_VTD_HPT_READ_DENIED;
	return SPEC_VTD_NO_FAULT;
}

static enum spec_vtd_reason found(const struct permission *permission, unsigned rights,
				  struct vtd_leaf *leaf)
{
	enum spec_vtd_reason reason = check_rights(permission->walk, rights);

	if (reason)
		return refused(permission, reason);
	leaf->rights = (uint8_t)((rights & SPEC_VTD_HPT_PP_R ? IOMMU_READ : 0) |
				 (rights & SPEC_VTD_HPT_PP_W ? IOMMU_WRITE : 0));
	leaf->page_shift = shifts[permission->level].permission_low;
	vtd_tell(permission->walk, &permission->step, "host page of 2^%u bytes:%s%s",
		 leaf->page_shift, rights & SPEC_VTD_HPT_PP_R ? " read" : "",
		 rights & SPEC_VTD_HPT_PP_W ? " write" : "");
	return SPEC_VTD_NO_FAULT;
}

static enum spec_vtd_reason look(struct permission *permission)
{
	if (!vtd_read_words(permission->walk, permission->step.address, 2, permission->step.words))
		return permission->level == 4 ? SPEC_VTD_HPT_TOP_ACCESS : SPEC_VTD_HPT_ACCESS;
	permission->step.word_count = 2;
	return is_reserved(permission) ? SPEC_VTD_HPT_RESERVED : SPEC_VTD_NO_FAULT;
}

enum spec_vtd_reason vtd_host_permission(struct vtd_walk *walk, const struct vtd_stages *stages,
					 struct vtd_leaf *leaf)
{
	struct permission permission = { .walk = walk, .level = 4 };
	uint64_t table = stages->permission_table, address = walk->request->address;
	enum spec_vtd_reason reason;
	unsigned rights;

	/* SPT.9: the top table has 256 entries for each doubling of 2^49 bytes. */
	if (address >> (49 + stages->permission_size))
		return SPEC_VTD_PASID_HPTSZ;
	for (;; permission.level--) {
		uint64_t index = address >> shifts[permission.level].index_low;

		permission.step.table = names[permission.level];
		permission.step.index = (unsigned)(permission.level == 4 ? index : index & 255);
		permission.step.word_count = 0;
		permission.step.address =
			table + permission.step.index * (uint64_t)SPEC_VTD_HPT_SIZE;
		reason = look(&permission);
		if (reason)
			return refused(&permission, reason);
		rights = permission_of(&permission);
		if (rights || permission.level == 1 ||
		    !field_is_set(permission.step.words[1], SPEC_VTD_HPT_1_AV))
			return found(&permission, rights, leaf);
		table = permission.step.words[1] & field_mask(SPEC_VTD_HPT_1_ADDRESS);
		vtd_tell(walk, &permission.step, "table at 0x%llx", (unsigned long long)table);
	}
}
