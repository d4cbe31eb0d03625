/* prog/avail_picture.h -- a model as pictures: the tree for Graphviz, and a self-contained page of HTML with the
 * figures, what costs most and the reliability block picture.
 *
 * Threads: one.  Memory: none kept. */
#ifndef PROG_AVAIL_PICTURE_H
#define PROG_AVAIL_PICTURE_H

#include "avail/model.h"

#include <jansson.h>
#include <stdio.h>

struct avail_picture {
	const struct avail_model *model;
	struct avail_top top;
	const json_t *answer; /* of avail_answer() for that top */
};

typedef int avail_write_fn(FILE *out, const struct avail_picture *picture);

/* Each writes the whole file.  0, or a negative errno. */
avail_write_fn avail_dot_write, avail_html_write;

#endif
