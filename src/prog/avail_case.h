/* prog/avail_case.h -- a model that was read from a file of any kind, or made of a site, with the
 * memory that it lives in.
 *
 * Threads: one.  Memory: allocated; all of it goes with avail_case_close. */
#ifndef PROG_AVAIL_CASE_H
#define PROG_AVAIL_CASE_H

#include "fabric/availability.h"
#include "store/avail_findings.h"

enum avail_source { AVAIL_FROM_SITE, AVAIL_FROM_MODEL, AVAIL_FROM_OPENPSA };

struct avail_case {
	enum avail_source source;
	struct avail_memory memory;
	struct avail_model model;
	struct site *site;	   /* AVAIL_FROM_SITE */
	bool owns_site;		   /* it was read from a file */
	char *out[SITE_CARDS_MAX]; /* names of cards that are out */
	unsigned out_count;
	enum site_groups_as groups_as; /* AVAIL_FROM_SITE: to be set before avail_case_rebuild */
	struct placement *places;
	struct site_model_notes notes;
};

/* Reads a file: what it is, is told from its content (XML; YAML with chassis; other YAML).
 *
 * limit   of the memory for everything that is computed, bytes
 * report  receives what is wrong with the file
 *
 * 0, or a negative errno after reporting. */
int avail_case_open(struct avail_case **out, const char *path, size_t limit,
		    avail_report_fn *report, void *arg);

/* The model of a checked site that the caller keeps, and does not change meanwhile.
 *
 * card_failed   one a card of the site: it is out; NULL: none is
 *
 * 0, or a negative errno with 'why'. */
int avail_case_of_site(struct avail_case **out, struct site *site, size_t limit,
		       const bool *card_failed, struct refusal *why);

/* A case of a copy of another's site, with the same cards out; it has no model before
 * avail_case_rebuild.
 *
 * 0, or -ENOMEM. */
int avail_case_of_copy(struct avail_case **out, const struct avail_case *c);

/* Supposes that a card is out and stays out.  0, -ENOMEM, or -EINVAL with 'why'. */
int avail_case_put_out(struct avail_case *c, const char *card, struct refusal *why);

/* Makes the model of its site anew, after the site or 'out' was changed.  0, or a negative errno
 * with 'why': then the case is good for closing only. */
int avail_case_rebuild(struct avail_case *c, struct refusal *why);

void avail_case_close(struct avail_case *c); /* NULL is nothing */

/* The top of this name, else the gate; NULL: a site's "any system down", else the only one.
 *
 * 0; -ENOMEM, or -EINVAL with 'why', which lists what there is. */
int avail_case_top(struct avail_case *c, const char *name, struct avail_top *top,
		   struct refusal *why);

#endif
