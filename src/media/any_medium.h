/* media/any_medium.h -- what every medium of this folder begins with: its close beside its operations. */
#ifndef MEDIA_ANY_MEDIUM_H
#define MEDIA_ANY_MEDIUM_H

#include "media/media.h"

#include <stdatomic.h>

struct any_medium {
	struct medium medium;
	/* For people; written anew by the worker when the medium dies, so any thread may read it. */
	const char *_Atomic how;
	_Atomic bool dead;
	const char *note; /* medium_note(); NULL: none */
	void (*close)(struct any_medium *);
	bool (*is_idle)(const struct any_medium *);
};

#endif
