/* card/disk_internal.h -- the inside of a disk card, for the files of card/disk_* only.
 *
 * disk_submit.c takes commands from fronts.  disk_issue.c hands them to the medium, in the order of
 * the arbitration and in parts.  disk_finish.c takes the parts back.  disk_table.c has the jobs.
 * disk_round.c goes round.  disk_card.c is what the control thread does. */
#ifndef CARD_DISK_INTERNAL_H
#define CARD_DISK_INTERNAL_H

#include "card/arbiter.h"
#include "card/disk_card.h"
#include "card/disk_record.h"

enum {
	DISK_WINDOW = 64,      /* requests handed down, and taken back, at once */
	DISK_PICKS = 32,       /* commands picked at once */
	DISK_HOLD_PATIENCE = 2000, /* look-ins for which the control thread waits for a medium */
	DISK_ZERO_MAX = 1 << 30,   /* bytes of one request of a job that fills with zeroes */
};

/* A command in the card uses the words that block.h leaves to it. */
enum disk_word {
	WORD_HANDED, /* bytes handed to the medium so far */
	WORD_PARTS,  /* parts that the medium has */
	WORD_PHASE,  /* enum disk_phase */
	WORD_BOUNCE, /* 1 + number of its bounce buffer; 0: none */
};

enum disk_phase {
	PHASE_STAGED,    /* waits for its turn */
	PHASE_CANCELLED, /* the same, and the front has taken it back */
	PHASE_BEGUN,     /* reads, and compares */
	PHASE_WRITES,    /* the second half of a compare-and-write */
};

/* Requests in a row, linked by 'next'. */
struct disk_list {
	struct block_request *first, *last;
};

/* A part of a command, as the medium sees it. */
struct disk_io {
	struct block_request request; /* first */
	struct block_request *parent; /* NULL: of a job */
	bool keeps; /* that of a record */
	struct block_seg *segs;       /* BLOCK_SEGS_MAX of its own */
	struct disk_io *next_free;
};

struct disk_back {
	struct block_back back; /* first */
	struct disk_card *card;
	const struct disk_namespace *ns; /* NULL: this row is free */
	uint16_t function;
	unsigned in_flight;
};

struct disk_function {
	bool bound;
	struct block_front *front;
	uint16_t depth;
	unsigned in_flight;
	uint64_t ready_ns; /* beyond its rate until then */
	struct esw_meter meter;
	struct disk_counters counters;
};

/* As in card/internal.h: the worker alone goes from CLOSED to OPEN to BACK, whoever has the hold
 * from BACK to CLOSED.  While OPEN the rest is the worker's. */
enum disk_window_state { DISK_CLOSED, DISK_OPEN, DISK_BACK };

struct disk_window {
	_Atomic uint32_t state;
	unsigned out_count, taken, in_count;
	struct block_request *out[DISK_WINDOW], *in[DISK_WINDOW];
};

/* What is under way with the table. */
enum disk_job_step { STEP_NONE, STEP_READ, STEP_ZERO, STEP_FORGET, STEP_SAVE };

/* What is under way with a record. */
enum disk_keep_step { KEEP_NONE, KEEP_READ, KEEP_WRITE };

struct disk_keep_job {
	enum disk_job state;
	enum disk_keep_step step;
	bool busy; /* the medium has the request */
	uint32_t id; /* of the namespace */
	unsigned copy; /* that is written */
	uint8_t uuid[DISK_ID_SIZE];
	struct block_seg seg;
};

struct disk_table_job {
	enum disk_job state;
	enum disk_job_step step;
	enum disk_table table;
	bool busy;              /* the medium has the job's request */
	unsigned copy;          /* STEP_READ: which one */
	uint32_t added;         /* namespace that goes again when the job fails; 0: none */
	uint64_t zeroed;        /* STEP_ZERO: bytes of it */
	int read_result[DISK_COPIES];
	uint8_t uuid[DISK_ID_SIZE];
	struct block_seg seg;
	struct refusal why;
};

struct disk_card {
	struct polled polled; /* first */
	struct hold own_hold, *hold;
	_Atomic bool in;
	struct medium *medium;
	uint16_t function_count, depth;
	uint64_t now_ns, deadline_ns;
	uint64_t touched; /* bit n: function n + 1 has something to tell its guest */
	struct disk_function functions[DISK_FUNCTIONS_MAX + 1]; /* 0 is not used */
	struct disk_back backs[DISK_BACKS_MAX];
	struct block_request **staged; /* (function_count + 1) * ARB_RING, by queue and slot */
	struct arbiter arb;
	struct esw_meter no_meter;
	struct disk_list issuing;  /* begun, and not handed down completely */
	struct disk_list waiting;  /* for an overlapping command, or for a bounce buffer */
	struct disk_list finished; /* their done() is due */
	bool look_again;           /* something ended that one of 'waiting' may have waited for */
	unsigned fences;           /* compare-and-writes that were begun or wait */
	struct disk_io *ios, *free_ios;
	_Atomic uint32_t at_medium;
	struct disk_io *backlog[DISK_DEPTH_MAX]; /* the medium had no room for these */
	unsigned backlog_count;
	uint8_t *bounces; /* DISK_BOUNCES * DISK_BOUNCE_SIZE */
	bool bounce_used[DISK_BOUNCES];
	struct disk_table_job job;
	struct disk_keep_job keep;
	uint8_t *record_bytes; /* DISK_RECORD_BOTH */
	uint8_t *table_bytes; /* DISK_COPIES * DISK_COPY_SIZE */
	struct disk_layout layout, read_layout[DISK_COPIES];
	struct disk_window window;
};

static inline struct disk_back *disk_back_of(const struct block_request *request)
{
	return request->back_owner;
}

static inline bool disk_list_is_empty(const struct disk_list *list)
{
	return list->first == NULL;
}

static inline void disk_list_put(struct disk_list *list, struct block_request *request)
{
	request->next = NULL;
	if (list->first)
		list->last->next = request;
	else
		list->first = request;
	list->last = request;
}

static inline struct block_request *disk_list_take(struct disk_list *list)
{
	struct block_request *request = list->first;

	if (request)
		list->first = request->next;
	return request;
}

static inline uint8_t *disk_bounce(struct disk_card *card, const struct block_request *request)
{
	return card->bounces + (request->back_word[WORD_BOUNCE] - 1) * DISK_BOUNCE_SIZE;
}

/* Whether it changes what the medium holds. */
static inline bool disk_op_modifies(enum block_op op)
{
	return op == BLOCK_WRITE || op == BLOCK_DISCARD || op == BLOCK_WRITE_ZEROES ||
	       op == BLOCK_COMPARE_WRITE;
}

/* disk_submit.c */
extern const struct block_back_ops disk_back_ops;
/* The command has its result; done() is called later in this round, or in the next. */
void disk_finish_later(struct disk_card *card, struct block_request *request,
		       enum block_result result);
/* Calls done() of all that is finished.  Returns how many. */
unsigned disk_complete(struct worker *worker, struct disk_card *card);

/* disk_issue.c: fills the window with parts of commands. */
void disk_issue(struct disk_card *card);
/* A free part, or NULL. */
struct disk_io *disk_io_take(struct disk_card *card);
void disk_io_give(struct disk_card *card, struct disk_io *io);
/* Everything that waits in the card finishes with BLOCK_GONE. */
void disk_drain(struct disk_card *card);

/* disk_finish.c: a part came back from the medium. */
void disk_io_ended(struct disk_card *card, struct disk_io *io);

/* disk_table.c: puts the job's next request into the window, when it has one. */
void disk_job_go_on(struct disk_card *card);
void disk_job_ended(struct disk_card *card, struct disk_io *io);
/* The card was pulled: a job that waits for its turn fails. */
void disk_job_gone(struct disk_card *card);
static inline bool disk_job_has_work(const struct disk_card *card)
{
	return card->job.step != STEP_NONE && !card->job.busy;
}

/* disk_keep.c: the same for records. */
void disk_keep_go_on(struct disk_card *card);
void disk_keep_ended(struct disk_card *card, struct disk_io *io);
void disk_keep_gone(struct disk_card *card);
static inline bool disk_keep_has_work(const struct disk_card *card)
{
	return card->keep.step != KEEP_NONE && !card->keep.busy;
}

/* disk_round.c */
extern const struct polled_ops disk_polled_ops;
bool disk_window_is(struct disk_card *card, enum disk_window_state state);
/* Takes in what a window that is BACK has brought.  Needs the hold. */
void disk_settle(struct disk_card *card);

#endif
