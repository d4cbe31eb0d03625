/* dev/nvme_internal.h -- an NVM Express controller inside: what its files share. */
#ifndef DEV_NVME_INTERNAL_H
#define DEV_NVME_INTERNAL_H

#include "dev/guest_word.h"
#include "dev/nvme.h"

enum {
	NVME_COMMANDS = 512, /* of one controller under way */
	NVME_ADMIN_RESERVE = 32, /* of these, kept for the admin queue */
	NVME_SEGS_SMALL = 4, /* pieces that fit into the command itself */
	NVME_LONG_LISTS = 64, /* commands with more pieces at a time; others wait */
	NVME_BURST = 64, /* commands taken from one queue in a round */
	NVME_UNSENT_MAX = 64, /* commands that a card refused for now: no more are fetched then */
	NVME_FUSED_MAX = 128 << 10, /* bytes that are compared and written as one */
	NVME_SINK_SIZE = 1 << 16, /* where bit buckets lead */
	NVME_SGL_DESCRIPTORS_MAX = 4096, /* of one command, empty ones included */
	NVME_EVENTS_MAX = 16, /* asynchronous events that wait */
	NVME_AERS_MAX = 8,
	NVME_ABORTS_MAX = 4,
	NVME_ERRORS = 64, /* entries of the error log */
	NVME_REGISTRANTS = 32, /* hosts registered with one namespace */
	NVME_NOTES = 16, /* reservation notifications that wait */
	NVME_FEATURES = 32,
	NVME_PATTERN_SIZE = 4096, /* what overwriting repeats */
	NVME_PATTERN_SEGS = 256, /* times in one request */
};

enum nvme_outcome {
	NVME_ENDED, /* cmd->status says how */
	NVME_UNDER_WAY, /* it completes later */
	NVME_LATER, /* nothing was done: a translation or a resource is missing; try again */
};

enum nvme_command_state {
	NVME_CMD_FREE,
	NVME_CMD_FRESH, /* fetched, being looked at */
	NVME_CMD_UNSENT, /* the card's queue was full */
	NVME_CMD_SENT, /* the card has its request */
	NVME_CMD_PARKED, /* waits for something else: an event, another command, a task */
	NVME_CMD_ENDED, /* waits for room in its completion queue */
};

struct nvme_command;
/* What a command of several requests does when one has ended: sets up the next and returns true, or
 * sets cmd->status and returns false. */
typedef bool nvme_next_fn(struct nvme *nvme, struct nvme_command *cmd);

/* Room for a command in many pieces, or for what it keeps of its data. */
struct nvme_long {
	struct nvme_long *next;
	union {
		struct block_seg segs[BLOCK_SEGS_MAX];
		uint8_t bytes[BLOCK_SEGS_MAX * sizeof(struct block_seg)];
	};
};

struct nvme_command {
	struct nvme_command *next; /* of the list of its state */
	struct nvme *nvme;
	enum nvme_command_state state;
	bool orphan; /* its queue is gone: ends without a completion */
	uint16_t abort_status; /* enum nvme_status, if it is taken back; 0: nobody wants that */
	uint16_t sqid, cid;
	uint16_t status; /* enum nvme_status, MORE and DNR */
	uint32_t dw0;
	struct nvme_command *waiter; /* an Abort or a fused partner that ends after it */
	nvme_next_fn *more;
	uint64_t at, left; /* bytes of the namespace, for 'more' */
	unsigned part, parts;
	struct nvme_long *list;
	unsigned seg_count;
	struct block_seg *segs;
	struct block_back *back;
	struct block_request request;
	struct block_seg small[NVME_SEGS_SMALL];
	uint8_t sqe[NVME_SQE_SIZE];
};

/* A piece of guest memory that is used for long: a queue, a page of shadow doorbells. */
struct nvme_window {
	uint8_t *flat; /* NULL: in several pieces, or not looked at since 'epoch' */
	uint64_t base;
	uint32_t size; /* bytes; 0: there is none */
	uint32_t epoch;
	bool seen;
};

struct nvme_sq {
	struct nvme_window window;
	uint32_t head, count; /* entries */
	uint32_t tail; /* as last seen */
	uint16_t cq;
	bool live, deleting;
	unsigned outstanding;
	struct nvme_command *deleter;
};

struct nvme_cq {
	struct nvme_window window;
	uint32_t tail, head, count;
	uint16_t phase;
	uint16_t vector, users; /* users: submission queues */
	bool live, interrupts;
	uint32_t fresh; /* entries since the last interrupt */
	uint64_t first_ns; /* when the first of those was posted */
	struct nvme_command *waiting, **waiting_end;
};

struct nvme_event {
	uint8_t type, info, log;
};

struct nvme_error {
	uint64_t count, lba;
	uint32_t nsid;
	uint16_t sqid, cid, status, location;
};

struct nvme_note {
	uint64_t count;
	uint32_t nsid;
	uint8_t type;
};

enum nvme_phase {
	NVME_DISABLED,
	NVME_ENABLED,
	NVME_DISABLING, /* EN was cleared: RDY goes when nothing is in flight */
	NVME_STOPPING, /* CC.SHN: ends what is in flight, flushes */
	NVME_STOPPED,
	NVME_FAILED, /* CSTS.CFS */
};

/* Values of features and what becomes of them; nvme_feature.c has the table. */
struct nvme_features {
	uint32_t value[NVME_FEATURES]; /* those of one dword, by table row */
	uint16_t vector_no_coalescing[16]; /* bit: of 256 vectors */
	uint8_t host_id[16];
	bool host_id_long;
	uint64_t timestamp_ms, timestamp_at_ns;
	uint8_t timestamp_origin;
	uint8_t behavior[NVME_HOST_BEHAVIOR_SIZE];
};

struct nvme {
	struct block_front front;
	/* Looked at in each round. */
	uint8_t *doorbells;
	struct dma *dma;
	uint64_t now_ns;
	enum nvme_phase phase;
	bool master, quiet, online, halted;
	bool shadow; /* shadow doorbells are in use */
	bool polling; /* inside poll() */
	bool cancelled; /* cards were asked to give back what is in flight */
	bool starting; /* EN was set while requests were still in flight */
	uint64_t live; /* bit n: submission queue n is there */
	uint64_t unflushed; /* bit n: completion queue n has entries nobody was told of */
	uint64_t crowded; /* bit n: completion queue n has commands that wait for room */
	struct nvme_command *free;
	unsigned free_count;
	struct nvme_command *unsent, **unsent_end;
	unsigned unsent_count;
	unsigned turn; /* queue that is looked at first */
	struct worker *worker; /* of this round */
	struct nvme_sq sq[NVME_QUEUES_MAX + 1];
	struct nvme_cq cq[NVME_QUEUES_MAX + 1];
	struct nvme_window shadow_doorbells, shadow_events;

	struct nvme_subsystem *subsystem;
	struct nvme_host host;
	enum nvme_role role;
	uint16_t id, vf_number, queues, vectors;
	uint16_t queues_now, vectors_now; /* with flexible resources: those it has */
	uint16_t queues_assigned, vectors_assigned; /* of a secondary: from its next reset on */
	uint8_t mdts;
	/* Registers. */
	uint32_t cc, csts, aqa, intms;
	uint64_t asq, acq, vectors_pended;
	unsigned background; /* requests in flight of tasks, which use no guest memory */
	unsigned flushes; /* of a shutdown, in flight */
	uint64_t shut; /* bit n: namespace n+1 was flushed */

	struct nvme_features features;
	unsigned aborts;
	struct nvme_command *aers[NVME_AERS_MAX];
	unsigned aer_count;
	struct nvme_event events[NVME_EVENTS_MAX];
	unsigned event_count;
	uint8_t events_masked; /* bit n: type n, until its log page is read */
	struct nvme_error errors[NVME_ERRORS]; /* newest at (error_total - 1) % NVME_ERRORS */
	uint64_t error_total;
	struct nvme_note notes[NVME_NOTES];
	unsigned note_count;
	uint64_t note_total;
	uint64_t changed; /* bit n: namespace n+1 changed since the log page was read */
	uint8_t reserve_mask[BLOCK_NAMESPACES_MAX];
	struct block_back *known[BLOCK_NAMESPACES_MAX]; /* as namespaces_changed saw them last */
	uint64_t known_size[BLOCK_NAMESPACES_MAX];
	uint64_t media_errors, power_cycles, unsafe_shutdowns, started_ns;

	struct block_request flush_request[BLOCK_NAMESPACES_MAX]; /* of a shutdown */
	struct nvme_long *lists;
	cache_aligned uint8_t scratch[8192]; /* what an admin command answers or was given */
	struct nvme_long long_list[NVME_LONG_LISTS];
	struct nvme_command commands[NVME_COMMANDS];
};

struct nvme_registrant {
	uint64_t key;
	uint8_t host[16];
	uint16_t controller;
	bool here, host_long;
};

struct nvme_reservation {
	uint32_t generation;
	uint8_t type; /* 0: none */
	bool persists; /* through a loss of power */
	uint8_t holder; /* index; not for the types that all registrants hold */
	struct nvme_registrant registrants[NVME_REGISTRANTS];
};

enum nvme_task_kind {
	NVME_TASK_FORMAT,
	NVME_TASK_ERASE, /* of a sanitize, and those that follow */
	NVME_TASK_KEEP, /* the same, and no space is given back */
	NVME_TASK_OVERWRITE,
};

/* A long change to a namespace: a format, a sanitize. */
struct nvme_task {
	bool running;
	struct nvme *nvme; /* whose back it uses */
	struct block_back *back;
	struct nvme_command *command; /* to be completed at the end; NULL: none */
	uint64_t at; /* bytes done */
	enum nvme_task_kind kind;
	bool flushing, sent, drained;
	unsigned pass, passes; /* of overwriting; others have one */
	struct block_seg seg;
	struct block_request request;
};

/* A sanitize; its values are kept on media. */
enum nvme_sanitize_state {
	NVME_SANITIZE_IS_NEVER,
	NVME_SANITIZE_IS_RUNNING,
	NVME_SANITIZE_IS_DONE,
	NVME_SANITIZE_HAS_FAILED,
	NVME_SANITIZE_WAS_LEFT, /* it failed, and the host left that behind */
	NVME_SANITIZE_STATES
};

struct nvme_space {
	bool there, shared, told; /* told: by nvme_subsystem_set_namespace() */
	uint64_t size;
	uint32_t block_size;
	uint8_t id[16];
	bool read_only;
	uint16_t blocked; /* status of I/O commands for now: formatting, sanitizing; 0: none */
	struct nvme_reservation reservation;
	struct nvme_task task;
};

struct nvme_subsystem {
	struct nvme *controllers[NVME_CONTROLLERS_MAX];
	unsigned controller_count;
	char serial[NVME_IDC_SN_SIZE + 1], model[NVME_IDC_MN_SIZE + 1], firmware[NVME_IDC_FR_SIZE + 1];
	char nqn[224];
	uint16_t vendor, subsystem_vendor;
	uint64_t capacity, unallocated;
	void (*wish_begin)(void *owner, const struct nvme_wish *wish);
	void *owner;
	struct nvme_wish wish;
	struct nvme_command *wisher;
	bool wishing;
	struct nvme_space spaces[BLOCK_NAMESPACES_MAX];
	/* Virtualization: what the primary controller keeps for itself of the flexible resources. */
	uint16_t primary_vq, primary_vi;
	/* sanitize: as it is; sanitize_kept: as it is to be kept, and will be then. */
	enum nvme_sanitize_state sanitize, sanitize_kept;
	enum nvme_status sanitize_result;
	uint32_t sanitize_cdw10, sanitize_pattern;
	bool sanitizing; /* it runs, or waits for being kept */
	void (*keep)(void *owner);
	void *keep_owner;
	bool keeping, keep_again;
	struct nvme_command *keeper; /* ends when it is kept; NULL: none, or its controller was reset */
	unsigned tasks; /* that run */
	unsigned sanitize_left;
	cache_aligned uint8_t sink[NVME_SINK_SIZE];
	struct block_seg pattern_segs[2][NVME_PATTERN_SEGS]; /* of the pattern, and of its inverse */
	uint8_t pattern[2][NVME_PATTERN_SIZE];
};

/* Doorbells are memory: the worker looks at those of a controller that is enabled. */
static inline void nvme_set_phase(struct nvme *nvme, enum nvme_phase phase)
{
	nvme->phase = phase;
	nvme->front.polled = phase == NVME_ENABLED;
}

static inline struct nvme *nvme_of(struct block_front *front)
{
	return container_of(front, struct nvme, front);
}

static inline uint32_t sqe32(const struct nvme_command *cmd, unsigned offset)
{
	return get_le32(cmd->sqe + offset);
}

static inline uint64_t sqe64(const struct nvme_command *cmd, unsigned offset)
{
	return get_le64(cmd->sqe + offset);
}

static inline unsigned sqe_field(const struct nvme_command *cmd, unsigned offset, int field)
{
	return (unsigned)field_get(sqe32(cmd, offset), field);
}

/* Ends a command with the guest's mistake: retrying it as it is would not help. */
static inline enum nvme_outcome nvme_refuse(struct nvme_command *cmd, enum nvme_status status)
{
	cmd->status = (uint16_t)(status | NVME_STATUS_DNR);
	return NVME_ENDED;
}

static inline enum nvme_outcome nvme_succeed(struct nvme_command *cmd)
{
	cmd->status = NVME_SUCCESS;
	return NVME_ENDED;
}

/* The namespace behind an NSID that this controller has attached; NULL: none. */
static inline struct block_back *nvme_back(const struct nvme *nvme, uint32_t nsid)
{
	return nsid - 1 < BLOCK_NAMESPACES_MAX ? nvme->front.namespaces[nsid - 1] : NULL;
}

static inline struct nvme_space *nvme_space(struct nvme *nvme, uint32_t nsid)
{
	must(nsid - 1 < BLOCK_NAMESPACES_MAX);
	return &nvme->subsystem->spaces[nsid - 1];
}

/* nvme_window.c */
void nvme_window_open(struct nvme_window *window, uint64_t base, uint32_t size);
/* The bytes offset .. offset + size, which cross no page. */
enum dma_outcome nvme_window_look(struct nvme *nvme, struct nvme_window *window, uint32_t offset,
				  uint32_t size, enum dma_access access, uint8_t **host);

static inline enum dma_outcome nvme_window_at(struct nvme *nvme, struct nvme_window *window,
					      uint32_t offset, uint32_t size,
					      enum dma_access access, uint8_t **host)
{
	if (likely(window->flat && window->epoch == dma_epoch(nvme->dma))) {
		*host = window->flat + offset;
		return DMA_OK;
	}
	return nvme_window_look(nvme, window, offset, size, access, host);
}

/* nvme_data.c: describes the guest memory of a command's data in cmd->segs.  NVME_UNDER_WAY: done;
 * NVME_ENDED: refused, cmd->status set; NVME_LATER. */
enum nvme_outcome nvme_data_reach(struct nvme *nvme, struct nvme_command *cmd, uint64_t size,
				  enum dma_access access);
/* Makes room for pieces beyond NVME_SEGS_SMALL, or for bytes; false: try again later. */
bool nvme_data_list(struct nvme *nvme, struct nvme_command *cmd);
/* Adds a piece of host memory; outcomes as above. */
enum nvme_outcome nvme_data_add(struct nvme *nvme, struct nvme_command *cmd, uint8_t *bytes,
				uint32_t size);
/* Adds 'size' bytes of guest memory at 'addr'. */
enum nvme_outcome nvme_data_add_guest(struct nvme *nvme, struct nvme_command *cmd, uint64_t addr,
				      uint64_t size, enum dma_access access);
/* Copies from and to cmd->segs; size: at most what they hold. */
void nvme_data_take(struct nvme_command *cmd, uint8_t *to, uint32_t size);
void nvme_data_give(struct nvme *nvme, struct nvme_command *cmd, const uint8_t *from,
		    uint32_t size);
/* The same with 'have' bytes, and zeroes up to 'size'. */
void nvme_data_give_some(struct nvme *nvme, struct nvme_command *cmd, const uint8_t *from,
			 uint32_t have, uint32_t size);
/* Notes for live migration that the segments were written. */
void nvme_data_wrote(struct nvme *nvme, struct nvme_command *cmd);
/* An address that the guest has not granted: counted, and the command's status. */
enum nvme_outcome nvme_data_blocked(struct nvme *nvme, struct nvme_command *cmd);
/* nvme_sgl.c */
enum nvme_outcome nvme_sgl_reach(struct nvme *nvme, struct nvme_command *cmd, uint64_t size,
				 enum dma_access access);

/* nvme_queue.c */
void nvme_queues_reset(struct nvme *nvme);
void nvme_sq_open(struct nvme *nvme, unsigned id, uint64_t base, uint32_t count, unsigned cq);
void nvme_cq_open(struct nvme *nvme, unsigned id, uint64_t base, uint32_t count);
unsigned nvme_sq_fetch(struct nvme *nvme, unsigned id);
/* Posts what waited for room; clears its bit in nvme->crowded when nothing waits any more. */
void nvme_cq_drain(struct nvme *nvme, unsigned id);
/* Posts a command's completion, or lets it wait for room; the command is free then. */
void nvme_cq_post(struct nvme *nvme, struct nvme_command *cmd);
void nvme_cqs_flush(struct nvme *nvme);
/* Whether a completion queue that interrupts has entries that the guest has not taken, and INTMS does not mask
 * it: the level of the pin. */
bool nvme_wants_pin(struct nvme *nvme);
/* Shadow doorbells: asks the guest to ring, or not to. */
bool nvme_queues_arm(struct nvme *nvme);
void nvme_doorbell_written(struct nvme *nvme, uint32_t offset, uint32_t value);
/* nvme_queue_admin.c */
void nvme_sq_close(struct nvme *nvme, unsigned id);
enum nvme_outcome nvme_admin_create_cq(struct nvme *nvme, struct nvme_command *cmd);
enum nvme_outcome nvme_admin_create_sq(struct nvme *nvme, struct nvme_command *cmd);
enum nvme_outcome nvme_admin_delete_cq(struct nvme *nvme, struct nvme_command *cmd);
enum nvme_outcome nvme_admin_delete_sq(struct nvme *nvme, struct nvme_command *cmd);
enum nvme_outcome nvme_admin_doorbell_buffer(struct nvme *nvme, struct nvme_command *cmd);

/* nvme_command.c */
void nvme_commands_init(struct nvme *nvme);
struct nvme_command *nvme_command_take(struct nvme *nvme);
void nvme_command_free(struct nvme *nvme, struct nvme_command *cmd);
/* Gives cmd->request, filled, to cmd->back; now or when the card has room. */
enum nvme_outcome nvme_command_send(struct nvme *nvme, struct nvme_command *cmd);
void nvme_commands_resend(struct nvme *nvme);
/* Ends it: cmd->status is set. */
void nvme_command_end(struct nvme *nvme, struct nvme_command *cmd);
/* Forgets all commands; those that cards have end without a completion. */
void nvme_commands_orphan(struct nvme *nvme);
/* Takes back what cards have not begun. */
void nvme_commands_cancel(struct nvme *nvme, int sqid_or_all);
enum nvme_outcome nvme_admin_abort(struct nvme *nvme, struct nvme_command *cmd);
/* Status of a block_result for a command. */
uint16_t nvme_command_status(const struct nvme_command *cmd, enum block_result result);

/* nvme_regs.c */
void nvme_fail(struct nvme *nvme, const char *format, ...) printf_like(2, 3);
/* Brings disabling and shutting down forward. */
void nvme_step(struct nvme *nvme);
void nvme_controller_reset(struct nvme *nvme);

/* nvme_admin.c, nvme_io.c */
enum nvme_outcome nvme_admin(struct nvme *nvme, struct nvme_command *cmd);
enum nvme_outcome nvme_io(struct nvme *nvme, struct nvme_command *cmd);
enum nvme_outcome nvme_io_fused(struct nvme *nvme, struct nvme_command *first,
				struct nvme_command *second);
/* Effects of each opcode, for the log page. */
void nvme_admin_effects(uint8_t *log, const struct nvme *nvme);
void nvme_io_effects(uint8_t *log);

/* nvme_identify.c, nvme_identify_list.c */
enum nvme_outcome nvme_admin_identify(struct nvme *nvme, struct nvme_command *cmd);
void nvme_identify_controller(struct nvme *nvme, uint8_t *to);
void nvme_identify_namespace(struct nvme *nvme, const struct nvme_space *space, uint8_t *to);
/* Answers with nvme->scratch. */
enum nvme_outcome nvme_answer(struct nvme *nvme, struct nvme_command *cmd, uint32_t size);

/* nvme_feature.c */
void nvme_features_reset(struct nvme *nvme);
uint32_t nvme_feature(const struct nvme *nvme, uint8_t fid);
enum nvme_outcome nvme_admin_get_features(struct nvme *nvme, struct nvme_command *cmd);
enum nvme_outcome nvme_admin_set_features(struct nvme *nvme, struct nvme_command *cmd);
void nvme_features_log(uint8_t *log);
uint64_t nvme_timestamp_age_ms(const struct nvme *nvme);

/* nvme_log.c, nvme_event.c */
enum nvme_outcome nvme_admin_get_log(struct nvme *nvme, struct nvme_command *cmd);
enum nvme_outcome nvme_admin_async_event(struct nvme *nvme, struct nvme_command *cmd);
void nvme_event_post(struct nvme *nvme, uint8_t type, uint8_t info, uint8_t log);
void nvme_event_unmask(struct nvme *nvme, uint8_t type);
void nvme_error_log(struct nvme *nvme, struct nvme_command *cmd);
/* Tells a host that namespaces (bit n: n+1) have changed, if it wants that. */
void nvme_namespace_event(struct nvme *nvme, uint64_t changed);
void nvme_note_post(struct nvme *nvme, uint32_t nsid, uint8_t type);
void nvme_namespaces_changed(struct ctl *ctl, struct block_front *front);

/* nvme_manage.c, nvme_format.c */
enum nvme_outcome nvme_admin_manage_namespace(struct nvme *nvme, struct nvme_command *cmd);
enum nvme_outcome nvme_admin_attach_namespace(struct nvme *nvme, struct nvme_command *cmd);
enum nvme_outcome nvme_admin_format(struct nvme *nvme, struct nvme_command *cmd);
enum nvme_outcome nvme_admin_sanitize(struct nvme *nvme, struct nvme_command *cmd);
void nvme_tasks_step(struct nvme *nvme);
uint16_t nvme_sanitize_progress(const struct nvme_subsystem *subsystem);
/* Block sizes that namespaces can be made with, as Identify lists them. */
enum { NVME_FORMATS = 2 };
unsigned nvme_format_shift(unsigned format);

/* passes: times that the namespace is gone over */
void nvme_task_start(struct nvme *nvme, unsigned i, enum nvme_task_kind kind, unsigned passes,
		     struct nvme_command *cmd_or_null);
/* Whether a task waits for its turn. */
bool nvme_tasks_wait(const struct nvme *nvme);
/* nvme_sanitize.c: its task on one namespace has ended. */
void nvme_sanitize_ended(struct nvme_subsystem *subsystem, enum nvme_status result);
/* The data of a task's next request, which is made smaller where it has to be. */
void nvme_sanitize_pattern(struct nvme_subsystem *subsystem, struct nvme_task *task,
			   struct block_request *request);
/* What was kept says so. */
void nvme_sanitize_recall(struct nvme_subsystem *subsystem, enum nvme_sanitize_state state,
			  uint32_t cdw10, uint32_t pattern);
/* Its last step is kept, or could not be. */
void nvme_sanitize_kept(struct nvme_subsystem *subsystem, enum nvme_kept kept);
/* SSTAT of the log page. */
uint16_t nvme_sanitize_status(const struct nvme_subsystem *subsystem);

/* nvme_keep.c: the command succeeds when what there is now is kept.  Not while subsystem->keeping. */
enum nvme_outcome nvme_keep(struct nvme_subsystem *subsystem, struct nvme_command *cmd);
/* The same without a command, and at any time. */
void nvme_keep_soon(struct nvme_subsystem *subsystem);
void nvme_keep_forget(struct nvme *nvme);

/* nvme_reserve.c */
enum nvme_outcome nvme_reserve(struct nvme *nvme, struct nvme_command *cmd, uint32_t nsid);
/* A controller level reset: a host without identifier is no longer registered. */
void nvme_reserve_forget(struct nvme *nvme);
enum nvme_reserve_need { NVME_RESERVE_READS, NVME_RESERVE_WRITES };
/* Whether this controller is registered with any namespace. */
bool nvme_reserve_is_registered(const struct nvme *nvme);
/* Whether the reservation on a namespace lets this controller's host do that; 8.19. */
bool nvme_reserve_allows(struct nvme *nvme, const struct nvme_reservation *reservation,
			 enum nvme_reserve_need need);

/* nvme_virtual.c */
enum nvme_outcome nvme_admin_virtualization(struct nvme *nvme, struct nvme_command *cmd);
void nvme_identify_primary(struct nvme *nvme, uint8_t *to);
void nvme_identify_secondary(struct nvme *nvme, unsigned from, uint8_t *to);
void nvme_virtual_init(struct nvme *nvme);
void nvme_virtual_reset(struct nvme *nvme);

#endif
