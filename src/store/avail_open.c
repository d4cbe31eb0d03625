#include "store/avail_open.h"

#include "store/avail_file.h"
#include "store/file_bytes.h"
#include "store/openpsa.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

/* Whether the document is a mapping with this key; what is no YAML has none. */
static bool has_key(const char *bytes, size_t size, const char *key)
{
	bool found = false, end = false, is_key = true;
	yaml_parser_t parser;
	yaml_event_t event;
	unsigned depth = 0;

	must(yaml_parser_initialize(&parser));
	yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, size);
	while (!found && !end && yaml_parser_parse(&parser, &event)) {
		bool opens = event.type == YAML_MAPPING_START_EVENT ||
			     event.type == YAML_SEQUENCE_START_EVENT;

		if (event.type == YAML_SCALAR_EVENT && depth == 1 && is_key)
			found = strcmp((const char *)event.data.scalar.value, key) == 0;
		depth -= event.type == YAML_MAPPING_END_EVENT ||
			 event.type == YAML_SEQUENCE_END_EVENT;
		/* at depth 1 keys and values take turns; whatever begins there is a value */
		if (depth == 1 &&
		    (event.type == YAML_SCALAR_EVENT || event.type == YAML_ALIAS_EVENT ||
		     event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT))
			is_key = !is_key;
		end = event.type == YAML_DOCUMENT_END_EVENT ||
		      event.type == YAML_STREAM_END_EVENT ||
		      (depth == 0 && event.type == YAML_SEQUENCE_START_EVENT);
		depth += opens;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return found;
}

/* XML begins with '<', perhaps behind a byte order mark and blanks, or is in UTF-16. */
static bool is_xml(const char *bytes, size_t size)
{
	if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		bytes += 3;
		size -= 3;
	}
	if (size >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0))
		return size >= 4 && (bytes[2] == '<' || bytes[3] == '<');
	while (size > 0 && strchr(" \t\r\n", *bytes) && *bytes) {
		bytes++;
		size--;
	}
	return size > 0 && *bytes == '<';
}

enum avail_file_kind avail_file_kind_of(const char *bytes, size_t size)
{
	if (is_xml(bytes, size))
		return AVAIL_FILE_OPENPSA;
	if (size <= AVAIL_FILE_SIZE_MAX && has_key(bytes, size, "chassis"))
		return AVAIL_FILE_SITE;
	return AVAIL_FILE_YAML;
}

static int read_file(const char *path, struct file_bytes *file, struct avail_findings *findings)
{
	int err = file_bytes_read(path, OPENPSA_SIZE_MAX, file);

	if (err)
		avail_find(findings, path, 0, "", "cannot be read: %s", file_bytes_error(err));
	return err;
}

int avail_file_kind(const char *path, enum avail_file_kind *kind, avail_report_fn *report,
		    void *arg)
{
	struct avail_findings findings = { .report = report, .arg = arg };
	struct file_bytes file;
	int err = read_file(path, &file, &findings);

	if (err)
		return err;
	*kind = avail_file_kind_of(file.bytes, file.size);
	file_bytes_free(&file);
	return 0;
}

static int open_bytes(const char *name, const char *bytes, size_t size,
		      enum openpsa_includes includes, struct avail_memory *memory,
		      struct avail_model *model, struct avail_findings *findings)
{
	enum avail_file_kind kind = avail_file_kind_of(bytes, size);
	const char *slash = strrchr(name, '/');
	int err;

	if (kind == AVAIL_FILE_SITE)
		return -ENOTSUP;
	err = avail_model_init(model, memory, slash ? slash + 1 : name);
	if (err)
		avail_find(findings, name, 0, "", "out of memory");
	else if (kind == AVAIL_FILE_OPENPSA)
		err = openpsa_read(name, bytes, size, includes, model, findings);
	else
		err = avail_file_read(name, bytes, size, model, findings);
	if (err)
		avail_model_fini(model);
	return err;
}

int avail_open(const char *path, struct avail_memory *memory, struct avail_model *model,
	       avail_report_fn *report, void *arg)
{
	struct avail_findings findings = { .report = report, .arg = arg };
	struct file_bytes file;
	int err = read_file(path, &file, &findings);

	if (err)
		return err;
	err = open_bytes(path, file.bytes, file.size, OPENPSA_WITH_FILES, memory, model, &findings);
	file_bytes_free(&file);
	return err;
}

int avail_open_bytes(const char *name, const char *bytes, size_t size, struct avail_memory *memory,
		     struct avail_model *model, avail_report_fn *report, void *arg)
{
	struct avail_findings findings = { .report = report, .arg = arg };

	return open_bytes(name, bytes, size, OPENPSA_ALONE, memory, model, &findings);
}
