/* sim/vtd_driver.h -- the system software's side of a VT-d unit, slow and plain: memory with tables
 * in it, register writes, and an invalidation queue, as a driver would have them.  For tests.
 *
 * Threads: memory may be reached by any (aligned words are atomic); the rest by one.
 * Memory: a malloc of 'size' bytes and the unit's; vtd_driver_stop() gives them back. */
#ifndef SIM_VTD_DRIVER_H
#define SIM_VTD_DRIVER_H

#include "iommu/vtd.h"
#include "spec/vtd.h"
#include "spec/vtd_queue.h"

#include <stdatomic.h>

enum { VTD_DRIVER_LOG = 64, VTD_DRIVER_QUEUE_PAGES_SHIFT = 1 };

/* A unit with everything that there is. */
#define VTD_DRIVER_CAP                                                            \
	(field_make(SPEC_VTD_CAP_ND, 6) | field_mask(SPEC_VTD_CAP_PLMR) |         \
	 field_mask(SPEC_VTD_CAP_PHMR) | field_make(SPEC_VTD_CAP_SAGAW, 0xe) |    \
	 field_make(SPEC_VTD_CAP_MGAW, 56) | field_mask(SPEC_VTD_CAP_ZLR) |       \
	 field_make(SPEC_VTD_CAP_FRO, 0x22) | field_make(SPEC_VTD_CAP_SSLPS, 3) | \
	 field_mask(SPEC_VTD_CAP_PSI) | field_make(SPEC_VTD_CAP_NFR, 7) |         \
	 field_make(SPEC_VTD_CAP_MAMV, 18) | field_mask(SPEC_VTD_CAP_DWD) |       \
	 field_mask(SPEC_VTD_CAP_DRD) | field_mask(SPEC_VTD_CAP_FS1GP) |          \
	 field_mask(SPEC_VTD_CAP_PI) | field_mask(SPEC_VTD_CAP_FS5LP))
#define VTD_DRIVER_ECAP                                                       \
	(field_mask(SPEC_VTD_ECAP_C) | field_mask(SPEC_VTD_ECAP_QI) |         \
	 field_mask(SPEC_VTD_ECAP_DT) | field_mask(SPEC_VTD_ECAP_IR) |        \
	 field_mask(SPEC_VTD_ECAP_EIM) | field_mask(SPEC_VTD_ECAP_PT) |       \
	 field_mask(SPEC_VTD_ECAP_SC) | field_make(SPEC_VTD_ECAP_IRO, 0xf) |  \
	 field_make(SPEC_VTD_ECAP_MHMV, 15) | field_mask(SPEC_VTD_ECAP_MTS) | \
	 field_mask(SPEC_VTD_ECAP_NEST) | field_mask(SPEC_VTD_ECAP_PRS) |     \
	 field_mask(SPEC_VTD_ECAP_SRS) | field_make(SPEC_VTD_ECAP_PSS, 19) |  \
	 field_mask(SPEC_VTD_ECAP_PASID) | field_mask(SPEC_VTD_ECAP_PDS) |    \
	 field_mask(SPEC_VTD_ECAP_SMTS) | field_mask(SPEC_VTD_ECAP_SSADS) |   \
	 field_mask(SPEC_VTD_ECAP_SSTS) | field_mask(SPEC_VTD_ECAP_FSTS) |    \
	 field_mask(SPEC_VTD_ECAP_SMPWCS) | field_mask(SPEC_VTD_ECAP_RPS) |   \
	 field_mask(SPEC_VTD_ECAP_RPRIVS))

struct vtd_driver_message {
	uint64_t address;
	uint32_t data;
};

struct vtd_driver_response {
	uint16_t source, group;
	uint32_t pasid;
	uint8_t code;
};

struct vtd_driver {
	uint8_t *memory;
	uint64_t size;
	uint64_t next_page; /* pages below are in use */
	struct vtd_config config;
	void *unit_memory, *reader_memory;
	struct vtd *vtd;
	struct vtd_reader *reader; /* number 0 */
	uint64_t root, queue, status;
	uint32_t waits; /* wait descriptors so far */
	uint64_t now_ns;
	void (*pause)(void); /* called before memory is read; NULL: nobody */
	/* What the unit did; the counts go on past the logs. */
	unsigned interrupt_count, invalidation_count, response_count;
	_Atomic unsigned wake_count; /* readers call that */
	struct vtd_driver_message interrupts[VTD_DRIVER_LOG];
	struct iommu_device_invalidation invalidations[VTD_DRIVER_LOG];
	struct vtd_driver_response responses[VTD_DRIVER_LOG];
};

/* Memory and a unit in it, all off.  config: cap, ecap, quirks, trust, readers and the like;
 * version 0, no readers, and a cap of 0 (with its ecap) stand for what tests mostly want. */
void vtd_driver_start(struct vtd_driver *driver, uint64_t size, const struct vtd_config *config);
void vtd_driver_stop(struct vtd_driver *driver);

/* A fresh page of zeros. */
uint64_t vtd_driver_page(struct vtd_driver *driver);
uint64_t vtd_driver_get(const struct vtd_driver *driver, uint64_t address);
void vtd_driver_put(struct vtd_driver *driver, uint64_t address, uint64_t word);

/* Registers. */
uint64_t vtd_driver_read(struct vtd_driver *driver, uint32_t offset);
void vtd_driver_write(struct vtd_driver *driver, uint32_t offset, uint64_t value);
/* Sets and clears bits of GCMD as section 11.4.4.1 asks for; true when GSTS says so. */
bool vtd_driver_command(struct vtd_driver *driver, int field, bool on);

/* Root table, queue, and translation on. */
void vtd_driver_enable(struct vtd_driver *driver, unsigned table_mode);

/* The legacy context entry of a function; translation type as in its TT field. */
void vtd_driver_context(struct vtd_driver *driver, uint16_t source, uint64_t low, uint64_t high);
static inline uint64_t vtd_driver_context_high(uint16_t domain, unsigned levels)
{
	return field_make(SPEC_VTD_CONTEXT_1_AW, levels - 2) |
	       field_make(SPEC_VTD_CONTEXT_1_DID, domain);
}
/* The scalable-mode context entry; makes a PASID directory of 128 entries when there is none. */
void vtd_driver_scalable_context(struct vtd_driver *driver, uint16_t source, uint64_t low,
				 uint64_t high);
/* Where a function's PASID entry is. */
uint64_t vtd_driver_pasid_entry(struct vtd_driver *driver, uint16_t source, uint32_t pasid);

/* Second-stage tables of 'levels' below 'root': one page of 2^shift bytes; rights 0 ends it. */
struct vtd_driver_mapping {
	uint64_t iova, target;
	unsigned shift;
	uint8_t rights;
};
void vtd_driver_map(struct vtd_driver *driver, uint64_t root, unsigned levels,
		    const struct vtd_driver_mapping *mapping);
/* Where the entry of a level for 'iova' is, with tables made down to it. */
uint64_t vtd_driver_entry(struct vtd_driver *driver, uint64_t root, unsigned levels, uint64_t iova,
			  unsigned level);

/* Puts a descriptor into the queue and moves the tail. */
void vtd_driver_submit(struct vtd_driver *driver, uint64_t word0, uint64_t word1);
/* Puts a wait descriptor there; true when its status has been written. */
bool vtd_driver_wait(struct vtd_driver *driver);
bool vtd_driver_waited(const struct vtd_driver *driver);

/* IOTLB invalidations with a wait. */
bool vtd_driver_flush(struct vtd_driver *driver);
bool vtd_driver_flush_domain(struct vtd_driver *driver, uint16_t domain);
bool vtd_driver_flush_pages(struct vtd_driver *driver, uint16_t domain, uint64_t iova,
			    unsigned mask);

/* One request of reader 0, entered for it alone. */
struct iommu_answer vtd_driver_ask(struct vtd_driver *driver, uint16_t source, uint64_t iova,
				   uint8_t access);
struct iommu_answer vtd_driver_request(struct vtd_driver *driver,
				       const struct iommu_request *request);

#endif
