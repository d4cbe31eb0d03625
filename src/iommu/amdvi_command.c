#include "iommu/amdvi_unit.h"

#include "base/bytes.h"

/* The command buffer (section 2.4): commands are carried out in order.  COMPLETION_WAIT is fetched,
 * and nothing behind it, until all before it is complete. */

enum step {
	DONE,
	HOLD, /* not now: the command stays at the head */
	ILLEGAL,
};

/* As field_mask(), for tables. */
#define BITS(field) (UINT64_MAX >> (63 - ((field) >> 8)) & UINT64_MAX << ((field)&0xff))

/* Which bits of a command have a meaning beside the opcode; the others are reserved, and make it
 * illegal. */
struct command {
	uint8_t need; /* 1 + bit of the feature register; 0: always there */
	uint64_t word0, word1;
	enum step (*step)(struct amdvi *amdvi, const uint64_t words[2]);
};

#define NEED(field) (((field)&0xff) + 1)

static void end(struct amdvi *amdvi, unsigned what)
{
	tlb_end_every(amdvi->tlb, what);
	amdvi->commands.marked = true;
}

static void end_interrupts(struct amdvi *amdvi, uint16_t source)
{
	tlb_mark(amdvi->tlb, &amdvi->interrupt_marks[source % READER_INTERRUPT_MARKS]);
	amdvi->commands.marked = true;
}

static bool settled(struct amdvi *amdvi)
{
	struct amdvi_commands *commands = &amdvi->commands;

	if (commands->marked) {
		commands->generation = tlb_publish(amdvi->tlb);
		commands->marked = false;
	}
	return tlb_passed(amdvi->tlb, commands->generation);
}

void amdvi_end_all(struct amdvi *amdvi)
{
	end(amdvi, TLB_EVERYTHING);
	for (unsigned i = 0; i < READER_INTERRUPT_MARKS; i++)
		tlb_mark(amdvi->tlb, &amdvi->interrupt_marks[i]);
	settled(amdvi);
}

static uint16_t device_of(uint64_t word)
{
	return (uint16_t)field_get(word, SPEC_AMDVI_COMMAND_0_DEVICE);
}

/* What readers have of one device is known by the domain that it had, not by the device: all ends.
 */
static enum step devtab_entry(struct amdvi *amdvi, const uint64_t words[2])
{
	uint16_t device = device_of(words[0]);

	end(amdvi, TLB_PAGES);
	end_interrupts(amdvi, device);
	atomic_store_explicit(&amdvi->told[device], 0, memory_order_relaxed);
	device_tlb_forgive(&amdvi->device_tlb, device, 0xffff);
	return DONE;
}

static enum step iommu_pages(struct amdvi *amdvi, const uint64_t words[2])
{
	uint16_t domain = (uint16_t)field_get(words[0], SPEC_AMDVI_PAGES_0_DOMAIN);

	tlb_end(amdvi->tlb, TLB_PAGES, domain);
	amdvi->commands.marked = true;
	return DONE;
}

static uint32_t pasid_of(const uint64_t words[2])
{
	if (!field_is_set(words[1], SPEC_AMDVI_PAGES_1_GN))
		return IOMMU_NO_PASID;
	return (uint32_t)(field_get(words[0], SPEC_AMDVI_IOTLB_0_PASID_LOW) |
			  field_get(words[0], SPEC_AMDVI_IOTLB_0_PASID_MIDDLE) << 8 |
			  field_get(words[0], SPEC_AMDVI_IOTLB_0_PASID_HIGH) << 16);
}

static uint64_t command_address(const struct amdvi *amdvi)
{
	return (amdvi_register(amdvi, SPEC_AMDVI_COMMAND_BUFFER) &
		field_mask(SPEC_AMDVI_BUFFER_BASE)) +
	       amdvi_register(amdvi, SPEC_AMDVI_COMMAND_HEAD);
}

static enum step iotlb_pages(struct amdvi *amdvi, const uint64_t words[2])
{
	unsigned most = (unsigned)field_get(words[0], SPEC_AMDVI_IOTLB_0_MAX_PENDING);
	struct iommu_device_invalidation invalidation = { .source = device_of(words[0]),
							  .pasid = pasid_of(words) };

	if (!amdvi->config.invalidate_device)
		return DONE; /* no device with a cache of its own */
	/* The device asks again at once: what it then finds must not be the old translation. */
	if (!settled(amdvi) || !device_tlb_has_room(&amdvi->device_tlb, invalidation.source, most))
		return HOLD;
	device_tlb_range(&invalidation, words[1], field_is_set(words[1], SPEC_AMDVI_PAGES_1_S));
	device_tlb_send(&amdvi->device_tlb, &invalidation);
	amdvi->commands.sent[invalidation.itag] = command_address(amdvi);
	amdvi->commands.device_used = true;
	amdvi->config.invalidate_device(amdvi->config.context, &invalidation);
	return DONE;
}

static enum step interrupt_table(struct amdvi *amdvi, const uint64_t words[2])
{
	end_interrupts(amdvi, device_of(words[0]));
	return DONE;
}

/* A hint; the unit walks when it is asked. */
static enum step prefetch_pages(struct amdvi *amdvi, const uint64_t words[2])
{
	(void)amdvi, (void)words;
	return DONE;
}

static enum step complete_ppr(struct amdvi *amdvi, const uint64_t words[2])
{
	bool pasid = field_is_set(words[1], SPEC_AMDVI_PPR_1_GN);

	amdvi->config.page_response(amdvi->config.context, device_of(words[0]),
				    pasid ? (uint32_t)field_get(words[0], SPEC_AMDVI_PPR_0_PASID)
					  : IOMMU_NO_PASID,
				    (uint16_t)field_get(words[1], SPEC_AMDVI_PPR_1_TAG),
				    (uint8_t)field_get(words[1], SPEC_AMDVI_PPR_1_STATUS));
	return DONE;
}

static enum step everything(struct amdvi *amdvi, const uint64_t words[2])
{
	(void)words;
	amdvi_end_all(amdvi);
	for (unsigned i = 0; i < DEVICE_TLB_SOURCES; i++)
		atomic_store_explicit(&amdvi->told[i], 0, memory_order_relaxed);
	device_tlb_forgive(&amdvi->device_tlb, 0, 0);
	return DONE;
}

static enum step completion_wait(struct amdvi *amdvi, const uint64_t words[2])
{
	amdvi->commands.waiting = true;
	amdvi->commands.wait[0] = words[0];
	amdvi->commands.wait[1] = words[1];
	return DONE;
}

/* clang-format off */
static const struct command commands[] = {
	[SPEC_AMDVI_COMPLETION_WAIT] = { 0,
		BITS(SPEC_AMDVI_WAIT_0_S) | BITS(SPEC_AMDVI_WAIT_0_I) | BITS(SPEC_AMDVI_WAIT_0_F) |
		BITS(SPEC_AMDVI_WAIT_0_ADDRESS), UINT64_MAX, completion_wait },
	[SPEC_AMDVI_INVALIDATE_DEVTAB_ENTRY] = { 0,
		BITS(SPEC_AMDVI_COMMAND_0_DEVICE), 0, devtab_entry },
	[SPEC_AMDVI_INVALIDATE_IOMMU_PAGES] = { 0,
		BITS(SPEC_AMDVI_PAGES_0_PASID) | BITS(SPEC_AMDVI_PAGES_0_DOMAIN),
		BITS(SPEC_AMDVI_PAGES_1_S) | BITS(SPEC_AMDVI_PAGES_1_PDE) | BITS(SPEC_AMDVI_PAGES_1_GN) |
		BITS(SPEC_AMDVI_PAGES_1_ADDRESS), iommu_pages },
	[SPEC_AMDVI_INVALIDATE_IOTLB_PAGES] = { 0,
		BITS(SPEC_AMDVI_COMMAND_0_DEVICE) | BITS(SPEC_AMDVI_IOTLB_0_PASID_MIDDLE) |
		BITS(SPEC_AMDVI_IOTLB_0_MAX_PENDING) | BITS(SPEC_AMDVI_IOTLB_0_QUEUE) |
		BITS(SPEC_AMDVI_IOTLB_0_PASID_LOW) | BITS(SPEC_AMDVI_IOTLB_0_PASID_HIGH),
		BITS(SPEC_AMDVI_PAGES_1_S) | BITS(SPEC_AMDVI_PAGES_1_GN) | BITS(SPEC_AMDVI_IOTLB_1_TYPE) |
		BITS(SPEC_AMDVI_PAGES_1_ADDRESS), iotlb_pages },
	[SPEC_AMDVI_INVALIDATE_INTERRUPT_TABLE] = { 0,
		BITS(SPEC_AMDVI_COMMAND_0_DEVICE), 0, interrupt_table },
	[SPEC_AMDVI_PREFETCH_IOMMU_PAGES] = { NEED(SPEC_AMDVI_EFR_PREF_SUP),
		UINT64_MAX, UINT64_MAX, prefetch_pages },
	[SPEC_AMDVI_COMPLETE_PPR_REQUEST] = { NEED(SPEC_AMDVI_EFR_PPR_SUP),
		BITS(SPEC_AMDVI_COMMAND_0_DEVICE) | BITS(SPEC_AMDVI_PPR_0_PASID),
		BITS(SPEC_AMDVI_PPR_1_GN) | BITS(SPEC_AMDVI_PPR_1_TAG) | BITS(SPEC_AMDVI_PPR_1_STATUS),
		complete_ppr },
	[SPEC_AMDVI_INVALIDATE_IOMMU_ALL] = { NEED(SPEC_AMDVI_EFR_IA_SUP), 0, 0, everything },
};
/* clang-format on */

static const struct command *command_of(const struct amdvi *amdvi, const uint64_t words[2])
{
	uint64_t code = field_get(words[0], SPEC_AMDVI_COMMAND_OPCODE);
	const struct command *c = code < array_len(commands) ? &commands[code] : NULL;

	if (!c || !c->step || (c->need && !(amdvi->config.features >> (c->need - 1) & 1)))
		return NULL;
	if (words[0] & ~(c->word0 | field_mask(SPEC_AMDVI_COMMAND_OPCODE)) || words[1] & ~c->word1)
		return NULL;
	return c;
}

/* Commands that are wrong or cannot be read stop the buffer until software starts it anew
 * (2.4, 2.5.6, 2.5.7). */
static void halt(struct amdvi *amdvi, unsigned event, unsigned type)
{
	amdvi_status_set(amdvi, SPEC_AMDVI_STATUS_CMD_BUF_RUN, 0);
	amdvi_log_event(
		amdvi,
		field_make(SPEC_AMDVI_EVENT_0_CODE, event) |
			field_make(SPEC_AMDVI_EVENT_0_FLAGS, type << SPEC_AMDVI_FLAG_TYPE_SHIFT),
		command_address(amdvi));
}

static bool fetch(struct amdvi *amdvi, uint64_t words[2])
{
	const struct iommu_memory *memory = &amdvi->config.memory;
	uint64_t size = amdvi_buffer_size(amdvi, SPEC_AMDVI_COMMAND_BUFFER);
	uint64_t head = amdvi_register(amdvi, SPEC_AMDVI_COMMAND_HEAD);
	uint64_t tail = amdvi_register(amdvi, SPEC_AMDVI_COMMAND_TAIL);
	uint8_t bytes[SPEC_AMDVI_COMMAND_SIZE];

	if (head == tail)
		return false;
	if (head >= size || tail >= size ||
	    !memory->read(memory->context, command_address(amdvi), bytes, sizeof bytes)) {
		halt(amdvi, SPEC_AMDVI_COMMAND_HARDWARE_ERROR, SPEC_AMDVI_TYPE_MASTER_ABORT);
		return false;
	}
	words[0] = get_le64(bytes);
	words[1] = get_le64(bytes + 8);
	return true;
}

/* One command; false: no more now. */
static bool step(struct amdvi *amdvi)
{
	uint64_t head = amdvi_register(amdvi, SPEC_AMDVI_COMMAND_HEAD), words[2];
	const struct command *c;

	if (!fetch(amdvi, words))
		return false;
	c = command_of(amdvi, words);
	switch (c ? c->step(amdvi, words) : ILLEGAL) {
	case DONE:
		head = (head + SPEC_AMDVI_COMMAND_SIZE) %
		       amdvi_buffer_size(amdvi, SPEC_AMDVI_COMMAND_BUFFER);
		amdvi_register_set(amdvi, SPEC_AMDVI_COMMAND_HEAD, head);
		return true;
	case ILLEGAL:
		halt(amdvi, SPEC_AMDVI_ILLEGAL_COMMAND_ERROR, 0);
		break;
	case HOLD:
		break;
	}
	return false;
}

/* With readers, with devices, and then with readers again, for an access with an address that a
 * device had translated may have been under way. */
static bool wait_is_over(struct amdvi *amdvi)
{
	struct amdvi_commands *c = &amdvi->commands;

	if (!settled(amdvi) || !device_tlb_is_idle(&amdvi->device_tlb))
		return false;
	c->marked |= c->device_used;
	c->device_used = false;
	return settled(amdvi);
}

static void wait_complete(struct amdvi *amdvi)
{
	const uint64_t *words = amdvi->commands.wait;
	const struct iommu_memory *memory = &amdvi->config.memory;
	uint8_t data[8];

	amdvi->commands.waiting = false;
	if (field_is_set(words[0], SPEC_AMDVI_WAIT_0_S)) {
		put_le64(data, words[1]);
		memory->write(memory->context, words[0] & field_mask(SPEC_AMDVI_WAIT_0_ADDRESS),
			      data, sizeof data);
	}
	if (field_is_set(words[0], SPEC_AMDVI_WAIT_0_I))
		amdvi_signal(amdvi, SPEC_AMDVI_STATUS_COM_WAIT_INT,
			     SPEC_AMDVI_CONTROL_COM_WAIT_INT_EN);
}

static bool may_run(const struct amdvi *amdvi)
{
	return amdvi_control(amdvi, SPEC_AMDVI_CONTROL_IOMMU_EN) &&
	       amdvi_status(amdvi, SPEC_AMDVI_STATUS_CMD_BUF_RUN);
}

void amdvi_commands_run(struct amdvi *amdvi)
{
	if (amdvi->commands.running_now)
		return;
	amdvi->commands.running_now = true;
	for (unsigned n = 0; n < AMDVI_COMMANDS_PER_RUN && may_run(amdvi); n++) {
		if (amdvi->commands.waiting) {
			if (!wait_is_over(amdvi))
				break;
			wait_complete(amdvi);
		} else if (!step(amdvi)) {
			break;
		}
	}
	amdvi->commands.running_now = false;
	settled(amdvi);
}

bool amdvi_commands_busy(const struct amdvi *amdvi)
{
	const struct amdvi_commands *c = &amdvi->commands;

	if (!may_run(amdvi))
		return false;
	if (c->waiting)
		return c->marked || !tlb_passed(amdvi->tlb, c->generation) ||
		       device_tlb_is_idle(&amdvi->device_tlb);
	return amdvi_register(amdvi, SPEC_AMDVI_COMMAND_HEAD) !=
	       amdvi_register(amdvi, SPEC_AMDVI_COMMAND_TAIL);
}

void amdvi_device_tlb_done(struct amdvi *amdvi, uint16_t source, uint32_t itags, unsigned count)
{
	/* One that nobody waits for has no event of its own. */
	device_tlb_done(&amdvi->device_tlb, source, itags, count);
	amdvi_commands_run(amdvi);
}

/* CONTROL.InvTimeOut: none, 1 ms, 10 ms, 100 ms, 1 s, 10 s, 100 s. */
static uint64_t patience(const struct amdvi *amdvi)
{
	uint64_t code = field_get(amdvi_register(amdvi, SPEC_AMDVI_CONTROL),
				  SPEC_AMDVI_CONTROL_INV_TIME_OUT);
	uint64_t ns = 1000000;

	if (amdvi->config.device_tlb_timeout_ns)
		return amdvi->config.device_tlb_timeout_ns;
	if (code == 0 || code == 7)
		return UINT64_MAX / 2;
	for (; code > 1; code--)
		ns *= 10;
	return ns;
}

uint64_t amdvi_device_tlb_poll(struct amdvi *amdvi, uint64_t now_ns)
{
	struct iommu_device_invalidation expired;
	uint64_t next;

	/* The wait goes on: software learns from the event that its invalidation failed (2.5.8). */
	while (device_tlb_expire(&amdvi->device_tlb, now_ns, patience(amdvi), &expired, &next))
		amdvi_log_event(amdvi,
				field_make(SPEC_AMDVI_EVENT_0_CODE, SPEC_AMDVI_IOTLB_INV_TIMEOUT) |
					expired.source,
				amdvi->commands.sent[expired.itag]);
	return next;
}
