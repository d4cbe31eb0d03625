/* iommu/vtd_internal.h -- what the files of the VT-d walk share: one walk's state, and the result
 * of each of its parts.  Only for files of this folder.
 *
 * A part answers with a reason: SPEC_VTD_NO_FAULT, or why the request is refused.
 *
 * Threads: any; all state is in the arguments.  Memory: none kept. */
#ifndef IOMMU_VTD_INTERNAL_H
#define IOMMU_VTD_INTERNAL_H

#include "iommu/vtd_quirks.h"
#include "iommu/vtd_walk.h"
#include "spec/vtd.h"

/* One walk. */
struct vtd_walk {
	const struct vtd_tables *tables;
	const struct iommu_request *request;
	const struct iommu_trace *trace;
	uint32_t quirks;     /* enum vtd_quirk, ored */
	unsigned host_width; /* HAW */
	uint8_t access;      /* enum iommu_access, ored: what the request counts as */
	bool silent;         /* an entry was met whose fault processing disable bit is set */
	bool privileged;     /* the request asks for supervisor rights */
	uint8_t decided_shift; /* what was met so far decides for 2^this bytes of addresses */
};

/* Where translation goes on after the context entry and the PASID entry. */
struct vtd_stages {
	enum { VTD_PASS_THROUGH, VTD_FIRST_STAGE, VTD_SECOND_STAGE, VTD_NESTED } type;
	uint16_t domain;
	uint32_t pasid; /* scalable mode: the request's, or what stands for none */
	bool scalable;  /* faults have the codes of scalable mode */
	bool snoop;     /* PGSNP: the whole address space is snooped */
	bool coherent;  /* paging structures are snooped: accessed and dirty bits can be set */
	uint64_t second_table; /* host physical */
	unsigned second_levels;
	bool second_dirty;    /* SSADE: accessed and dirty bits in second-stage entries */
	uint64_t first_table; /* nested: guest physical */
	unsigned first_levels;
	bool write_protect;         /* WPE */
	bool no_execute;            /* NXE of revision 3 */
	bool supervisor_no_execute; /* SMEP of revision 3 */
	bool permitted_only; /* HPTE: translated requests are checked in the host permission table
			      */
	uint64_t permission_table;
	unsigned permission_size; /* HPTSZ */
	bool extended_accessed;   /* EAFE */
};

/* What the page tables say of one address. */
struct vtd_leaf {
	uint64_t address;   /* host physical, offset included */
	uint8_t rights;     /* enum iommu_access, ored */
	uint8_t page_shift; /* of the smallest page on the way; then of what the answer holds for */
	uint8_t table_shift; /* as it was on the way; 0: no page tables */
	bool snoop, transient;
};

void vtd_walk_init(struct vtd_walk *walk, const struct vtd_tables *tables,
		   const struct iommu_request *request, const struct iommu_trace *trace);

static inline bool vtd_is_traced(const struct vtd_walk *walk)
{
	return walk->trace && walk->trace->step;
}

/* What is met now decides for no more than 2^shift bytes of addresses. */
static inline void vtd_decided(struct vtd_walk *walk, unsigned shift)
{
	walk->decided_shift = (uint8_t)min_u32(walk->decided_shift, shift);
}

/* Bits above the host address width, which are reserved in pointers of 63:12. */
uint64_t vtd_beyond_host(const struct vtd_walk *walk);
/* The same for pointers of 51:12. */
uint64_t vtd_beyond_host_51(const struct vtd_walk *walk);

/* Whether CAP.SAGAW has page tables of this value of an AW field. */
bool vtd_width_is_supported(const struct vtd_walk *walk, uint64_t aw);
/* Bits of an address that second-stage tables of so many levels translate: no more than MGAW. */
unsigned vtd_second_width(const struct vtd_walk *walk, unsigned levels);

/* Bits of a domain identifier that the unit does not have (CAP.ND). */
uint64_t vtd_beyond_domains(const struct vtd_walk *walk);

/* Reads 'count' little-endian words.  False: no memory there. */
bool vtd_read_words(const struct vtd_walk *walk, uint64_t address, unsigned count, uint64_t *words);

/* Tells the trace of one entry.  The meaning is formatted as by printf. */
void vtd_tell(const struct vtd_walk *walk, const struct iommu_step *step, const char *format, ...)
	printf_like(3, 4);

/* Finds root and context entry of the requester, and in scalable mode its PASID entry: what
 * requests of this type meet before any page table.  Legacy: section 3.4.2; scalable: 3.4.3. */
enum spec_vtd_reason vtd_legacy_context(struct vtd_walk *walk, struct vtd_stages *stages);
enum spec_vtd_reason vtd_scalable_context(struct vtd_walk *walk, struct vtd_stages *stages);
/* The same for the PASID entry alone: 'directory' has 2^(directory_bits) entries. */
enum spec_vtd_reason vtd_pasid_entry(struct vtd_walk *walk, uint64_t directory, uint32_t pasid,
				     struct vtd_stages *stages);

/* Who asks the second stage: the request itself, or the first stage for one of its entries. */
struct vtd_second_use {
	uint64_t address;
	uint8_t wanted;   /* enum iommu_access, ored: accessed and dirty bits follow this */
	bool early_check; /* quirk: refuse at the first entry that lacks the right */
	bool for_table;   /* the first stage's own access to one of its entries */
};

/* Walks second-stage tables (section 3.7).  Leaf.rights are all that the tables allow; whether they
 * suffice is for the caller to say, with vtd_check_rights(). */
enum spec_vtd_reason vtd_second_stage(struct vtd_walk *walk, const struct vtd_stages *stages,
				      const struct vtd_second_use *use, struct vtd_leaf *leaf);
/* Walks first-stage tables, through the second stage when nested (sections 3.6, 3.8). */
enum spec_vtd_reason vtd_first_stage(struct vtd_walk *walk, const struct vtd_stages *stages,
				     struct vtd_leaf *leaf);

/* Whether the host permission table allows a translated request (section 4.2.4). */
enum spec_vtd_reason vtd_host_permission(struct vtd_walk *walk, const struct vtd_stages *stages,
					 struct vtd_leaf *leaf);

/* Whether 'rights' allow what is wanted; nothing wanted: any right will do. */
bool vtd_rights_suffice(const struct vtd_walk *walk, uint8_t wanted, uint8_t rights);
/* The same for the request, with the reason if not. */
enum spec_vtd_reason vtd_check_rights(const struct vtd_walk *walk, const struct vtd_stages *stages,
				      uint8_t rights);

/* What table 30 says of one reason. */
enum vtd_translation_answer {
	VTD_ANSWER_NONE, /* the condition cannot meet translation requests */
	VTD_ANSWER_UR,
	VTD_ANSWER_CA,
	VTD_ANSWER_EMPTY,     /* success without rights */
	VTD_ANSWER_EFFECTIVE, /* success with what rights there are */
	VTD_ANSWER_EMPTY_AND_FAULT,
};
bool vtd_reason_is_qualified(const struct vtd_walk *walk, enum spec_vtd_reason reason);
enum vtd_translation_answer vtd_reason_translation(enum spec_vtd_reason reason);
/* Completion status of a refused request that is no translation request. */
enum iommu_completion vtd_reason_completion(const struct iommu_request *request,
					    enum spec_vtd_reason reason);

#endif
