#include "iommu/vtd_quirks.h"

/* Each departure once, with what it departs from.  docs/iommu-walk.md shows this table. */
static const struct vtd_quirk_row rows[] = {
	{ VTD_QUIRK_TTM_ONE_BIT, "ttm-one-bit",
	  "of the translation table mode only bit 10 counts, and only with ECAP.SMTS: 10b and 11b "
	  "are no errors" },
	{ VTD_QUIRK_LEGACY_REASONS, "legacy-reasons",
	  "scalable mode reports reasons 1h to Ch of legacy mode; an interrupt address as result "
	  "is 87h when "
	  "ECAP.SMTS is set and Eh otherwise, in either mode" },
	{ VTD_QUIRK_ROOT_HALVES, "root-halves",
	  "reserved bits count in both halves of a scalable-mode root entry, present or not" },
	{ VTD_QUIRK_POINTER_ALWAYS_CHECKED, "pointer-always-checked",
	  "a pass-through context entry's page table pointer must fit the host address width" },
	{ VTD_QUIRK_RESERVED_ALWAYS_TOLD, "reserved-always-told",
	  "reasons Bh and 58h are reported although fault processing is disabled" },
	{ VTD_QUIRK_CONTEXT_BITS_IGNORED, "context-bits-ignored",
	  "DTE, PASIDE, PRE, RID_PASID and RID_PRIV of a scalable-mode context entry are never "
	  "reserved nor "
	  "compared with each other" },
	{ VTD_QUIRK_RID_PASID_ALWAYS, "rid-pasid-always", "RID_PASID is used without ECAP.RPS" },
	{ VTD_QUIRK_ONE_PASID_REASON, "one-pasid-reason",
	  "whatever is wrong with a PASID directory or table entry is reason 58h; reserved bits "
	  "are not looked at, "
	  "nor is the size of the directory" },
	{ VTD_QUIRK_PASID_SECOND_ONLY, "pasid-second-only",
	  "translation types 1 and 3 walk the second-stage pointer, need no capability, and every "
	  "type needs a "
	  "supported address width" },
	{ VTD_QUIRK_RIGHTS_FIRST, "rights-first",
	  "a right that an entry lacks is reported at that entry, before its reserved bits count" },
	{ VTD_QUIRK_SNOOP_IGNORED, "snoop-ignored",
	  "with ECAP.SMTS the snoop bit of a leaf is accepted without ECAP.SC" },
	{ VTD_QUIRK_ONES_UNREADABLE, "ones-unreadable",
	  "a paging entry with all bits set counts as unreadable memory" },
	{ VTD_QUIRK_INTERRUPT_PAGE, "interrupt-page",
	  "a page that touches FEE00000h to FEEFFFFFh faults as a whole" },
	{ VTD_QUIRK_PASS_THROUGH_UNCHECKED, "pass-through-unchecked",
	  "pass-through checks no address and answers in pages of 4 KiB" },
	{ VTD_QUIRK_IR_COMPATIBILITY, "ir-compatibility",
	  "interrupts in compatibility format pass although GSTS.CFIS is clear or x2APIC mode is "
	  "on" },
	{ VTD_QUIRK_IR_INDEX_WRAPS, "ir-index-wraps",
	  "handle plus sub-handle wraps at 65536, and the table's address is cut off at the host "
	  "address width" },
	{ VTD_QUIRK_IR_RESERVED_FIRST, "ir-reserved-first",
	  "reserved bits of an interrupt entry count before the source is verified; those of the "
	  "destination in xAPIC mode never do" },
	{ VTD_QUIRK_IR_DATA_LATE, "ir-data-late",
	  "reserved bits of the data count after the interrupt entry has been found good" },
	{ VTD_QUIRK_IR_BUS_REVERSED, "ir-bus-reversed",
	  "SVT 10b takes the last bus from SID[15:8] and the first from SID[7:0]" },
	{ VTD_QUIRK_IR_NEVER_POSTED, "ir-never-posted",
	  "the mode bit of an interrupt entry is ignored" },
	{ VTD_QUIRK_IR_EIME_ALWAYS, "ir-eime-always", "x2APIC mode can be on without ECAP.EIM" },
	{ VTD_QUIRK_IR_LOW_BITS, "ir-low-bits",
	  "address bits 1:0 of the message are kept in what the processor gets" },
};

uint32_t vtd_quirks_of(enum vtd_quirks implementation)
{
	/* QEMU 7.2's intel-iommu has them all; another implementation would be a second column. */
	return implementation == VTD_QUIRKS_QEMU72 ? (1u << array_len(rows)) - 1 : 0;
}

bool vtd_quirks_row(unsigned n, struct vtd_quirk_row *row)
{
	if (n >= array_len(rows))
		return false;
	*row = rows[n];
	return true;
}
