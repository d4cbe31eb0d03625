/* media/any_medium.h -- what every medium of this folder begins with: its close beside its operations. */
#ifndef MEDIA_ANY_MEDIUM_H
#define MEDIA_ANY_MEDIUM_H

#include "media/media.h"

#include "base/thread.h"

#include <stdatomic.h>

struct any_medium {
	struct medium medium;
	/* For people; written anew by the worker when the medium dies, so any thread may read it. */
	const char *_Atomic how;
	_Atomic bool dead;
	const char *note; /* medium_note(); NULL: none */
	void (*close)(struct any_medium *);
	bool (*is_idle)(const struct any_medium *);
	/* What a code of any_medium_failed() means, for people; NULL: it has no errors. */
	void (*say_error)(uint32_t code, char *text, size_t size);
	struct counter errors;     /* the worker's */
	_Atomic uint64_t last_error; /* its enum block_op in the upper half, its code, never 0, in the lower; 0: none */
};

/* The worker: a command has failed. */
void any_medium_failed(struct any_medium *any, enum block_op op, uint32_t code);

#endif
