/* attach/vfio_user_import_internal.h -- what the files of an imported function share: vfio_user_import.c (coming
 * and going), vfio_user_import_link.c (bytes, questions, answers), vfio_user_import_greet.c (what it is).
 *
 * Threads and memory: as attach/vfio_user_import.h has it. */
#ifndef ATTACH_VFIO_USER_IMPORT_INTERNAL_H
#define ATTACH_VFIO_USER_IMPORT_INTERNAL_H

#include "attach/handle.h"
#include "attach/vfio_user_import.h"

#include <sys/un.h>

enum {
	VFIMPORT_QUESTIONS_MAX = 4096,
	VFIMPORT_DMAS_MAX = 16, /* accesses in progress */
	VFIMPORT_READ_BYTES = 64 * 1024,
	VFIMPORT_BUFFER = VFIO_USER_HEADER_SIZE + VFIO_USER_PAYLOAD_MAX,
};

struct vfimport_ask {
	struct vfimport_ask *next;
	uint16_t command, id;
	uint32_t size, least;
	bool sent;
	unsigned fd_count;
	int fds[VFIO_USER_FDS_MAX]; /* ours */
	void (*done)(void *owner, int err, const uint8_t *payload, uint32_t size);
	void *owner;
	uint8_t payload[];
};

struct vfio_user_import {
	struct vfio_user_import_conf conf;
	struct sockaddr_un where;
	enum vfio_user_import_state state; /* what is told; COUNT: nothing yet */
	bool there;                        /* greeted, and not gone since */
	bool renewing;
	struct refusal why;
	struct vfio_user_import_user user;
	bool used;
	struct vfio_user_import_facts facts, heard; /* of a function that was accepted; of this connection */
	bool known;                                 /* facts are there */
	struct vfio_user_import_counts counts;
	uv_timer_t *timer;                          /* the next dial, or the end of patience */
	uv_timer_t *pulse;                          /* looks whether an idle function is alive */
	unsigned retry_ms;
	bool lasts;                                 /* this connection has, for a pulse */
	bool flaps;                                 /* the last one did not */

	/* Of the connection. */
	int fd; /* -1: none */
	uv_poll_t *poll;
	unsigned step; /* of the greeting */
	uint8_t *in, *out;
	uint32_t in_first, in_end, out_first, out_end;
	unsigned fd_count;
	int fds[2 * VFIO_USER_FDS_MAX];
	struct vfimport_ask *first;
	struct vfimport_ask **end;
	unsigned ask_count;
	bool wants_room; /* the first of them has descriptors, and the socket no room */
	uint16_t next_id;
	struct vfio_user_import_dma *dmas; /* that ended and are not answered */
	unsigned dma_count;                /* all of them */
	struct vfio_user_import_dma *open[VFIMPORT_DMAS_MAX]; /* in progress */
};

/* vfio_user_import.c: the connection has ended, and why. */
void vfimport_lost(struct vfio_user_import *import, enum vfio_user_import_state state, int err,
		   const char *format, ...) printf_like(4, 5);
/* The greeting went well: the function is there. */
void vfimport_arrived(struct vfio_user_import *import);
/* An answer is waited for from now on, or none is. */
enum vfimport_clock { VFIMPORT_IDLE, VFIMPORT_WAITS };
void vfimport_patience(struct vfio_user_import *import, enum vfimport_clock clock);

/* vfio_user_import_link.c */
int vfimport_link_open(struct vfio_user_import *import, int fd);
/* Answers all questions with 'err'. */
void vfimport_link_close(struct vfio_user_import *import, int err);
int vfimport_ask(struct vfio_user_import *import, const struct vfio_user_import_question *question);

/* vfio_user_import_greet.c */
int vfimport_greet(struct vfio_user_import *import);
void vfimport_forget(struct vfio_user_import_facts *facts);

#endif
