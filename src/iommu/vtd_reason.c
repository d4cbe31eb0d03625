#include "iommu/vtd_internal.h"

enum { NOT_QUALIFIED, QUALIFIED };

/* Table 30 (section 7.1.3) and table 15 (section 5.1.4.1), one row a reason: whether fault
 * processing disable suppresses it, how a translation request that meets it is completed, how a
 * translated one. */
static const struct {
	const char *text;
	uint8_t qualified;
	uint8_t translation; /* enum vtd_translation_answer */
	uint8_t translated;  /* enum iommu_completion */
} reasons[SPEC_VTD_REASONS] = {
	[SPEC_VTD_NO_FAULT] = { "no fault", NOT_QUALIFIED, VTD_ANSWER_NONE, IOMMU_SUCCESS },

#define ROW(reason, qualified, translation, translated, text) \
	[SPEC_VTD_##reason] = { text, qualified, VTD_ANSWER_##translation, translated }
#define UR IOMMU_UNSUPPORTED_REQUEST
#define CA IOMMU_COMPLETER_ABORT

	ROW(ROOT_NOT_PRESENT, NOT_QUALIFIED, UR, UR, "the root entry is not present"),
	ROW(CONTEXT_NOT_PRESENT, QUALIFIED, UR, UR, "the context entry is not present"),
	ROW(CONTEXT_INVALID, QUALIFIED, CA, UR,
	    "the context entry is programmed wrongly: address width, translation type, or a page "
	    "table pointer to "
	    "where no memory is"),
	ROW(ADDRESS_BEYOND_WIDTH, QUALIFIED, EMPTY, UR,
	    "the address is beyond the width of the tables or of the host"),
	ROW(WRITE_DENIED, QUALIFIED, EFFECTIVE, UR, "the page tables do not allow to write"),
	ROW(READ_DENIED, QUALIFIED, EFFECTIVE, UR, "the page tables do not allow to read"),
	ROW(PAGING_ACCESS, QUALIFIED, CA, UR, "a paging entry could not be read from memory"),
	ROW(ROOT_ACCESS, NOT_QUALIFIED, CA, UR, "the root entry could not be read from memory"),
	ROW(CONTEXT_ACCESS, NOT_QUALIFIED, CA, UR,
	    "the context entry could not be read from memory"),
	ROW(ROOT_RESERVED, NOT_QUALIFIED, CA, UR, "reserved bits of the root entry are set"),
	ROW(CONTEXT_RESERVED, QUALIFIED, CA, UR, "reserved bits of the context entry are set"),
	ROW(PAGING_RESERVED, QUALIFIED, CA, UR, "reserved bits of a paging entry are set"),
	ROW(CONTEXT_BLOCKED, QUALIFIED, UR, UR,
	    "the context entry's translation type blocks translation requests and translated "
	    "requests"),
	ROW(INTERRUPT_RANGE, QUALIFIED, CA, UR,
	    "the resulting address is in the interrupt range FEExxxxxh"),

	ROW(IR_REQUEST_RESERVED, NOT_QUALIFIED, NONE, UR,
	    "reserved bits of the interrupt request are set"),
	ROW(IR_INDEX, NOT_QUALIFIED, NONE, UR,
	    "the interrupt index is beyond the interrupt remapping table"),
	ROW(IR_NOT_PRESENT, QUALIFIED, NONE, UR, "the interrupt remapping entry is not present"),
	ROW(IR_ACCESS, NOT_QUALIFIED, NONE, UR,
	    "the interrupt remapping entry could not be read from memory"),
	ROW(IR_RESERVED, QUALIFIED, NONE, UR,
	    "reserved bits of the interrupt remapping entry are set"),
	ROW(IR_COMPATIBILITY_BLOCKED, NOT_QUALIFIED, NONE, UR,
	    "interrupts in compatibility format are blocked"),
	ROW(IR_SOURCE, QUALIFIED, NONE, UR,
	    "the requester is not the source that the interrupt entry allows"),
	ROW(IR_PID_ACCESS, QUALIFIED, NONE, UR,
	    "the posted interrupt descriptor could not be accessed"),
	ROW(IR_PID_RESERVED, QUALIFIED, NONE, UR,
	    "reserved bits of the posted interrupt descriptor are set"),
	ROW(IR_NO_INTERRUPT, NOT_QUALIFIED, NONE, UR,
	    "the request to the interrupt range is no valid interrupt"),
	ROW(IR_EIME_REQUIRED, NOT_QUALIFIED, NONE, UR,
	    "the unit works in x2APIC mode only, and that is off"),
	ROW(IR_REQUIRED, NOT_QUALIFIED, NONE, UR,
	    "the unit takes no interrupts while interrupt remapping is off"),

	ROW(RTA_INVALID, NOT_QUALIFIED, CA, UR,
	    "the root table address register is programmed wrongly"),
	ROW(RTA_LEGACY_PASID, NOT_QUALIFIED, UR, UR, "a request with PASID in legacy mode"),
	ROW(RTA_LEGACY_PAGE_REQUEST, NOT_QUALIFIED, NONE, UR, "a page request in legacy mode"),
	ROW(RTA_ABORT, NOT_QUALIFIED, UR, UR, "the unit is in abort-DMA mode"),
	ROW(RTA_EXECUTE, NOT_QUALIFIED, UR, UR, "the request asks to execute"),

	ROW(SMROOT_ACCESS, NOT_QUALIFIED, CA, UR,
	    "the scalable-mode root entry could not be read from memory"),
	ROW(SMROOT_NOT_PRESENT, NOT_QUALIFIED, UR, UR,
	    "this half of the scalable-mode root entry is not present"),
	ROW(SMROOT_RESERVED, NOT_QUALIFIED, CA, UR,
	    "reserved bits of the scalable-mode root entry are set"),
	ROW(SMCONTEXT_ACCESS, NOT_QUALIFIED, CA, UR,
	    "the scalable-mode context entry could not be read from memory"),
	ROW(SMCONTEXT_NOT_PRESENT, QUALIFIED, UR, UR,
	    "the scalable-mode context entry is not present"),
	ROW(SMCONTEXT_RESERVED, QUALIFIED, CA, UR,
	    "reserved bits of the scalable-mode context entry are set"),
	ROW(SMCONTEXT_INVALID, QUALIFIED, CA, UR,
	    "the scalable-mode context entry contradicts itself: PRE without DTE, EPTR without "
	    "PASIDE, or RID_PASID "
	    "beyond the directory"),
	ROW(SMCONTEXT_DTE, QUALIFIED, UR, UR,
	    "the scalable-mode context entry blocks translation requests and translated requests "
	    "(DTE)"),
	ROW(SMCONTEXT_PASIDE, QUALIFIED, UR, UR,
	    "the scalable-mode context entry blocks requests with PASID (PASIDE)"),
	ROW(SMCONTEXT_PDTS, QUALIFIED, UR, UR, "the PASID is beyond the PASID directory"),
	ROW(SMCONTEXT_PRE, QUALIFIED, NONE, UR,
	    "the scalable-mode context entry blocks page requests (PRE)"),
	ROW(SMCONTEXT_RID_PASID, QUALIFIED, UR, UR,
	    "the request's PASID is the one that stands for requests without"),
	ROW(SMCONTEXT_EPTR, QUALIFIED, NONE, UR,
	    "the scalable-mode context entry blocks translated requests with PASID (EPTR)"),
	ROW(PASIDDIR_ACCESS, NOT_QUALIFIED, CA, CA,
	    "the PASID directory entry could not be read from memory"),
	ROW(PASIDDIR_NOT_PRESENT, QUALIFIED, EMPTY, UR, "the PASID directory entry is not present"),
	ROW(PASIDDIR_RESERVED, QUALIFIED, CA, CA,
	    "reserved bits of the PASID directory entry are set"),
	ROW(PASID_ACCESS, NOT_QUALIFIED, CA, CA,
	    "the PASID table entry could not be read from memory"),
	ROW(PASID_NOT_PRESENT, QUALIFIED, EMPTY, UR, "the PASID table entry is not present"),
	ROW(PASID_RESERVED, QUALIFIED, CA, CA, "reserved bits of the PASID table entry are set"),
	ROW(PASID_INVALID, QUALIFIED, CA, CA,
	    "the PASID table entry is programmed wrongly: address width, translation type, paging "
	    "mode, or "
	    "first-stage pointer"),
	ROW(PASID_EXECUTE, QUALIFIED, EMPTY, UR,
	    "the request asks to execute, which the unit or the PASID table entry does not allow"),
	ROW(PASID_SRE, QUALIFIED, EMPTY, UR,
	    "the PASID table entry allows no requests with supervisor privilege (SRE)"),
	ROW(PASID_HPTSZ, QUALIFIED, NONE, UR,
	    "the translated request is beyond the host permission table"),

	ROW(FS_ACCESS, QUALIFIED, EMPTY, UR,
	    "a first-stage paging entry could not be read from memory"),
	ROW(FS_NOT_PRESENT, QUALIFIED, EMPTY, UR, "a first-stage paging entry is not present"),
	ROW(FS_RESERVED, QUALIFIED, EMPTY, UR,
	    "reserved bits of a first-stage paging entry are set"),
	ROW(FS_TOP_ACCESS, QUALIFIED, EMPTY, UR,
	    "the first-stage pointer leads to where no memory is"),
	ROW(FS_BEYOND_WIDTH, QUALIFIED, EMPTY, UR,
	    "a first-stage paging entry's address is beyond the width of the second stage"),
	ROW(FS_TOP_READ_DENIED, QUALIFIED, EMPTY, UR,
	    "the second stage does not allow to read the top first-stage entry"),
	ROW(FS_READ_DENIED, QUALIFIED, EMPTY, UR,
	    "the second stage does not allow to read a first-stage entry"),
	ROW(FS_UPDATE_DENIED, QUALIFIED, EMPTY, UR,
	    "the second stage does not allow to set accessed or dirty bits in a first-stage entry"),
	ROW(SS_ACCESS, QUALIFIED, CA, UR,
	    "a second-stage paging entry could not be read from memory"),
	ROW(SS_NOT_PRESENT, QUALIFIED, EMPTY, UR,
	    "the second-stage paging entries allow neither to read nor to write"),
	ROW(SS_RESERVED, QUALIFIED, CA, UR, "reserved bits of a second-stage paging entry are set"),
	ROW(SS_TOP_ACCESS, QUALIFIED, CA, UR,
	    "the second-stage pointer leads to where no memory is"),
	ROW(SS_UPDATE_NOT_SNOOPED, QUALIFIED, CA, UR,
	    "accessed or dirty bits must be set in a second-stage entry that is not snooped"),
	ROW(SS_UPDATE_FAILED, QUALIFIED, CA, UR,
	    "accessed or dirty bits could not be set in a second-stage entry"),
	ROW(NOT_CANONICAL, QUALIFIED, EMPTY, UR, "the address is not canonical"),
	ROW(PRIVILEGE, QUALIFIED, EMPTY, UR,
	    "a first-stage entry is for supervisor privilege only"),
	ROW(EXECUTE_DENIED, QUALIFIED, EMPTY, UR, "the page tables do not allow to execute"),
	ROW(SM_BEYOND_HOST_WIDTH, QUALIFIED, EMPTY, UR,
	    "the address is beyond the host address width"),
	ROW(SM_BEYOND_WIDTH, QUALIFIED, EMPTY, UR,
	    "the address is beyond the width of the second stage"),
	ROW(SM_WRITE_DENIED, QUALIFIED, EFFECTIVE, UR, "the page tables do not allow to write"),
	ROW(SM_READ_DENIED, QUALIFIED, EFFECTIVE, UR, "the page tables do not allow to read"),
	ROW(SM_INTERRUPT_RANGE, QUALIFIED, CA, UR,
	    "the resulting address is in the interrupt range FEExxxxxh"),
	ROW(SM_PASID_SIZE, QUALIFIED, UR, UR, "the PASID has more bits than the unit supports"),
	ROW(FS_UPDATE_NOT_SNOOPED, QUALIFIED, EMPTY, UR,
	    "accessed or dirty bits must be set in a first-stage entry that is not snooped"),
	ROW(FS_UPDATE_FAILED, QUALIFIED, EMPTY_AND_FAULT, UR,
	    "accessed or dirty bits could not be set in a first-stage entry"),
	ROW(HPT_ACCESS, QUALIFIED, NONE, CA,
	    "a host permission entry could not be read from memory"),
	ROW(HPT_RESERVED, QUALIFIED, NONE, CA, "reserved bits of a host permission entry are set"),
	ROW(HPT_TOP_ACCESS, QUALIFIED, NONE, CA,
	    "the host permission table pointer leads to where no memory is"),
	ROW(HPT_NOT_PRESENT, QUALIFIED, NONE, UR,
	    "the host permission table has no permission for the page"),
	ROW(HPT_WRITE_DENIED, QUALIFIED, NONE, UR,
	    "the host permission table does not allow to write"),
	ROW(HPT_READ_DENIED, QUALIFIED, NONE, UR,
	    "the host permission table does not allow to read"),
};

const char *vtd_reason_text(unsigned reason)
{
	if (reason < array_len(reasons) && reasons[reason].text)
		return reasons[reason].text;
	return "a reason code that the specification does not define";
}

bool vtd_reason_is_qualified(const struct vtd_walk *walk, enum spec_vtd_reason reason)
{
	if ((walk->quirks & VTD_QUIRK_RESERVED_ALWAYS_TOLD) &&
	    (reason == SPEC_VTD_CONTEXT_RESERVED || reason == SPEC_VTD_PASID_ACCESS))
		return false;
	return reasons[reason].qualified == QUALIFIED;
}

enum vtd_translation_answer vtd_reason_translation(enum spec_vtd_reason reason)
{
	return (enum vtd_translation_answer)reasons[reason].translation;
}

enum iommu_completion vtd_reason_completion(const struct iommu_request *request,
					    enum spec_vtd_reason reason)
{
	if (request->type == IOMMU_TRANSLATED)
		return (enum iommu_completion)reasons[reason].translated;
	if (request->type == IOMMU_TRANSLATION_REQUEST)
		return reasons[reason].translation == VTD_ANSWER_CA ? CA : UR;
	return UR;
}
