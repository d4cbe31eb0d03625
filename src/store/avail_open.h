/* store/avail_open.h -- a file with an availability model, of whatever kind: a document in the
 * Open-PSA Model Exchange Format (store/openpsa.h), or a model written by hand in YAML
 * (store/avail_file.h).
 *
 * What it is not: it does not open a site, which is no model yet (fabric/availability.h makes one
 * of it).
 *
 * Threads: any.  Memory: the model's. */
#ifndef STORE_AVAIL_OPEN_H
#define STORE_AVAIL_OPEN_H

#include "avail/model.h"
#include "store/avail_findings.h"

enum avail_file_kind {
	AVAIL_FILE_OPENPSA,
	AVAIL_FILE_YAML,
	AVAIL_FILE_SITE, /* YAML with the key "chassis" */
};

/* What a file is by its first bytes and its keys; what is neither XML nor a site counts as a model
 * in YAML. */
enum avail_file_kind avail_file_kind_of(const char *bytes, size_t size);

/* The same for a file; 0, or a negative errno with a finding when it cannot be read. */
int avail_file_kind(const char *path, enum avail_file_kind *kind, avail_report_fn *report,
		    void *arg);

/* Opens a file and makes a checked model of it, with at least one top or none at all (avail/top.h
 * finds the one that is asked for).
 *
 * memory   of the model
 * model    receives it; to be ended with avail_model_fini when the result is 0, and only then
 * report   may be NULL
 *
 * 0, possibly with warnings reported; -EINVAL when the file was refused, with findings; -ENOTSUP
 * when it is a site, without a finding; -ENOMEM, or another negative errno when it could not be
 * read, with a finding. */
int avail_open(const char *path, struct avail_memory *memory, struct avail_model *model,
	       avail_report_fn *report, void *arg);

/* The same for bytes in memory, which include no files; 'name' stands for the file in findings. */
int avail_open_bytes(const char *name, const char *bytes, size_t size, struct avail_memory *memory,
		     struct avail_model *model, avail_report_fn *report, void *arg);

#endif
