#include "store/avail_file.h"

#include "store/avail_build.h"

#include <errno.h>

static void find(void *arg, unsigned line, const char *text)
{
	const struct avail_said *said = arg;

	avail_find(said->findings, said->file, line, "", "%s", text);
}

int avail_file_read(const char *name, const char *bytes, size_t size, struct avail_model *model,
		    struct avail_findings *findings)
{
	yaml_document_t document;
	struct avail_said said = {
		.file = name, .document = &document, .findings = findings, .memory = model->memory
	};

	if (size > AVAIL_FILE_SIZE_MAX) {
		avail_find(findings, name, 0, "", "is larger than %d MiB",
			   AVAIL_FILE_SIZE_MAX >> 20);
		return -EINVAL;
	}
	if (!yaml_document_read(&document, "model", bytes, size, find, &said))
		return -EINVAL;
	avail_said_read(&said);
	if (!said.full && findings->found == 0)
		avail_file_build(&said, model);
	avail_said_fini(&said);
	yaml_document_delete(&document);
	if (said.full) {
		avail_find(findings, name, 0, "", "out of memory");
		return -ENOMEM;
	}
	return findings->found ? -EINVAL : 0;
}
