#include "iommu/amdvi_unit.h"

#include "base/bytes.h"
#include "spec/vtd_queue.h"

/* Event log (2.5) and page request log (2.6): rings in memory, which stop when they overflow. */
struct log {
	uint32_t base, head, tail; /* registers */
	int run, overflow, signal; /* of STATUS */
	int enable;		   /* interrupt, of CONTROL */
};

static const struct log events = {
	SPEC_AMDVI_EVENT_LOG,
	SPEC_AMDVI_EVENT_HEAD,
	SPEC_AMDVI_EVENT_TAIL,
	SPEC_AMDVI_STATUS_EVENT_LOG_RUN,
	SPEC_AMDVI_STATUS_EVENT_OVERFLOW,
	SPEC_AMDVI_STATUS_EVENT_LOG_INT,
	SPEC_AMDVI_CONTROL_EVENT_INT_EN,
};

static const struct log page_requests = {
	SPEC_AMDVI_PPR_LOG,
	SPEC_AMDVI_PPR_HEAD,
	SPEC_AMDVI_PPR_TAIL,
	SPEC_AMDVI_STATUS_PPR_LOG_RUN,
	SPEC_AMDVI_STATUS_PPR_OVERFLOW,
	SPEC_AMDVI_STATUS_PPR_INT,
	SPEC_AMDVI_CONTROL_PPR_INT_EN,
};

static void overflow(struct amdvi *amdvi, const struct log *log)
{
	amdvi_status_set(amdvi, log->run, 0);
	amdvi_signal(amdvi, log->overflow, log->enable);
}

/* False: the log is off, full, or not in memory. */
static bool put(struct amdvi *amdvi, const struct log *log, uint64_t word0, uint64_t word1)
{
	uint64_t size = amdvi_buffer_size(amdvi, log->base);
	uint64_t base = amdvi_register(amdvi, log->base) & field_mask(SPEC_AMDVI_BUFFER_BASE);
	uint64_t tail = amdvi_register(amdvi, log->tail);
	uint64_t next = (tail + SPEC_AMDVI_EVENT_SIZE) % size;
	const struct iommu_memory *memory = &amdvi->config.memory;
	uint8_t bytes[SPEC_AMDVI_EVENT_SIZE];

	if (!amdvi_status(amdvi, log->run))
		return false;
	if (next == amdvi_register(amdvi, log->head) || tail >= size) {
		overflow(amdvi, log);
		return false;
	}
	put_le64(bytes, word0);
	put_le64(bytes + 8, word1);
	if (!memory->write(memory->context, base + tail, bytes, sizeof bytes))
		return false;
	amdvi_register_set(amdvi, log->tail, next);
	amdvi_signal(amdvi, log->signal, log->enable);
	return true;
}

void amdvi_log_event(struct amdvi *amdvi, uint64_t word0, uint64_t word1)
{
	if (amdvi_control(amdvi, SPEC_AMDVI_CONTROL_IOMMU_EN))
		put(amdvi, &events, word0, word1);
}

static void record(struct amdvi *amdvi, const struct iommu_fault *fault)
{
	unsigned code = fault->reason >> 12;
	uint64_t word0 = (uint64_t)fault->reason << 48 | fault->source;

	if (code == SPEC_AMDVI_IO_PAGE_FAULT || code == SPEC_AMDVI_PAGE_TAB_HARDWARE_ERROR)
		word0 |= field_make(SPEC_AMDVI_EVENT_0_DOMAIN, fault->domain);
	if (fault->pasid != IOMMU_NO_PASID && fault->reason & SPEC_AMDVI_FLAG_GN)
		word0 = field_put(word0, SPEC_AMDVI_EVENT_0_DOMAIN, fault->pasid) |
			field_make(SPEC_AMDVI_EVENT_0_PASID_HIGH, fault->pasid >> 16);
	amdvi_log_event(amdvi, word0, fault->address);
}

void amdvi_collect(struct amdvi *amdvi)
{
	struct iommu_fault fault;

	for (uint32_t i = 0; i < amdvi->config.readers; i++) {
		if (!amdvi->readers[i])
			continue;
		/* As many as there were room for: a reader that goes on faulting holds nobody up.
		 */
		for (unsigned n = 0; n < READER_FAULTS && amdvi_reader_take_fault(amdvi, i, &fault);
		     n++)
			record(amdvi, &fault);
		if (amdvi_reader_lost_faults(amdvi, i) &&
		    amdvi_status(amdvi, SPEC_AMDVI_STATUS_EVENT_LOG_RUN))
			overflow(amdvi, &events);
	}
}

static void respond(struct amdvi *amdvi, const struct iommu_page_request *request, uint8_t code)
{
	/* Only the last request of a group has a response, and a stop marker has none. */
	if (request->last && request->access)
		amdvi->config.page_response(amdvi->config.context, request->source, request->pasid,
					    request->group, code);
}

/* Whether the device table entry lets the function ask. */
static bool may_ask(const struct amdvi *amdvi, const struct iommu_page_request *request)
{
	const struct amdvi_tables tables = amdvi_tables_of(&amdvi->config, &amdvi->mode);
	struct amdvi_walk walk = { .tables = &tables, .source = request->source };

	return amdvi_device_entry(&walk) == 0 && field_is_set(walk.dte[0], SPEC_AMDVI_DTE_0_V) &&
	       amdvi_check_entry(&walk) == 0 && field_is_set(walk.dte[0], SPEC_AMDVI_DTE_0_PPR);
}

static uint64_t encode(const struct iommu_page_request *request)
{
	bool pasid = request->pasid != IOMMU_NO_PASID;
	uint32_t value = pasid ? request->pasid : 0;

	return field_make(SPEC_AMDVI_PPRLOG_0_CODE, SPEC_AMDVI_PAGE_SERVICE_REQUEST) |
	       field_make(SPEC_AMDVI_PPRLOG_0_DEVICE, request->source) |
	       field_make(SPEC_AMDVI_PPRLOG_0_PASID_LOW, value) |
	       field_make(SPEC_AMDVI_PPRLOG_0_PASID_HIGH, value >> 16) |
	       field_make(SPEC_AMDVI_PPRLOG_0_TAG, request->group) |
	       field_make(SPEC_AMDVI_PPRLOG_0_LAST, request->last) |
	       field_make(SPEC_AMDVI_PPRLOG_0_READ, (request->access & IOMMU_READ) != 0) |
	       field_make(SPEC_AMDVI_PPRLOG_0_WRITE, (request->access & IOMMU_WRITE) != 0) |
	       field_make(SPEC_AMDVI_PPRLOG_0_EXECUTE, (request->access & IOMMU_EXECUTE) != 0) |
	       field_make(SPEC_AMDVI_PPRLOG_0_USER, !request->privileged) |
	       field_make(SPEC_AMDVI_PPRLOG_0_GN, pasid);
}

bool amdvi_page_request(struct amdvi *amdvi, const struct iommu_page_request *request)
{
	if (!field_is_set(amdvi->config.features, SPEC_AMDVI_EFR_PPR_SUP))
		return false;
	if (!amdvi_control(amdvi, SPEC_AMDVI_CONTROL_PPR_EN) ||
	    !amdvi_control(amdvi, SPEC_AMDVI_CONTROL_IOMMU_EN) || !may_ask(amdvi, request)) {
		amdvi_log_event(
			amdvi,
			field_make(SPEC_AMDVI_EVENT_0_CODE, SPEC_AMDVI_INVALID_PPR_REQUEST) |
				request->source,
			request->address & ~UINT64_C(0xfff));
		respond(amdvi, request, SPEC_PRG_INVALID_REQUEST);
		return false;
	}
	if (!put(amdvi, &page_requests, encode(request), request->address & ~UINT64_C(0xfff))) {
		/* The device finds the page absent once more and asks again, when there may be
		 * room. */
		respond(amdvi, request, SPEC_PRG_SUCCESS);
		return false;
	}
	return true;
}
