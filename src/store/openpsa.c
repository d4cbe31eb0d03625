#include "store/openpsa_reader.h"

#include "avail/top.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Whether the pass found nothing wrong, so that the next one may begin. */
static bool well(const struct openpsa *reader)
{
	return !reader->full && reader->findings->found == 0;
}

/* The line where a part of the model was said; 0: nowhere. */
static struct openpsa_place place_of(const struct openpsa *reader, const struct avail_where *where)
{
	const struct openpsa_places *places;

	switch (where->part) {
	case AVAIL_PART_EXPRESSION:
		places = &reader->expressions;
		break;
	case AVAIL_PART_GATE:
		places = &reader->gates;
		break;
	case AVAIL_PART_EVENT:
		places = &reader->events;
		break;
	case AVAIL_PART_CCF:
		places = &reader->ccfs;
		break;
	case AVAIL_PART_TOP:
		places = &reader->tops;
		break;
	default:
		return (struct openpsa_place){ 0, 0 };
	}
	if (where->index >= places->room)
		return (struct openpsa_place){ 0, 0 };
	return places->at[where->index];
}

/* What no element shows by itself: cycles, and values that are out of their range. */
static void check(struct openpsa *reader)
{
	struct avail_where where;
	struct refusal why = { .path = "" };
	struct openpsa_place place;
	int err = avail_model_check_where(reader->model, &why, &where);

	if (err == -ENOMEM)
		openpsa_no_room(reader);
	if (err != -EINVAL)
		return;
	place = place_of(reader, &where);
	avail_find_refusal(reader->findings, reader->files[place.file].name, place.line, &why);
}

static void add_tops(struct openpsa *reader)
{
	if (reader->model->top_count == 0 && avail_top_add_roots(reader->model) != 0)
		openpsa_no_room(reader);
}

static void read_all(struct openpsa *reader)
{
	openpsa_declare(reader, xmlDocGetRootElement(reader->files[0].document));
	if (well(reader))
		openpsa_declare_members(reader);
	if (well(reader))
		openpsa_define(reader);
	if (well(reader))
		check(reader);
	if (well(reader))
		openpsa_walk_trees(reader);
	if (well(reader))
		add_tops(reader);
	if (well(reader))
		check(reader);
}

static void fini(struct openpsa *reader)
{
	struct avail_memory *memory = reader->memory;

	for (uint32_t i = 0; i < reader->file_count; i++)
		xmlFreeDoc(reader->files[i].document);
	avail_give(memory, reader->files, reader->file_room, sizeof *reader->files);
	avail_give(memory, reader->containers, reader->container_room, sizeof *reader->containers);
	avail_give(memory, reader->things, reader->thing_room, sizeof *reader->things);
	avail_give(memory, reader->terms, reader->term_room, sizeof *reader->terms);
	avail_give(memory, reader->numbers, reader->number_room, sizeof *reader->numbers);
	avail_give(memory, reader->gates.at, reader->gates.room, sizeof *reader->gates.at);
	avail_give(memory, reader->events.at, reader->events.room, sizeof *reader->events.at);
	avail_give(memory, reader->expressions.at, reader->expressions.room,
		   sizeof *reader->expressions.at);
	avail_give(memory, reader->ccfs.at, reader->ccfs.room, sizeof *reader->ccfs.at);
	avail_give(memory, reader->tops.at, reader->tops.room, sizeof *reader->tops.at);
	name_table_fini(&reader->names);
}

/* The document itself is file 0, and the model is container 0. */
static bool begin(struct openpsa *reader, const char *name, xmlDoc *document)
{
	struct stat what = { 0 };

	if (!openpsa_make_room(reader, &reader->files, &reader->file_room, 1,
			       sizeof *reader->files) ||
	    !openpsa_make_room(reader, &reader->containers, &reader->container_room, 1,
			       sizeof *reader->containers) ||
	    !openpsa_make_room(reader, &reader->terms, &reader->term_room, 1,
			       sizeof *reader->terms) ||
	    !openpsa_make_room(reader, &reader->numbers, &reader->number_room, 1,
			       sizeof *reader->numbers)) {
		xmlFreeDoc(document);
		return false;
	}
	if (reader->includes == OPENPSA_WITH_FILES && stat(name, &what) != 0)
		what = (struct stat){ 0 };
	reader->files[0] = (struct openpsa_file){
		.name = name, .document = document, .device = what.st_dev, .inode = what.st_ino
	};
	reader->file_count = 1;
	reader->containers[0] = (struct openpsa_container){ .path = "" };
	reader->container_count = 1;
	return true;
}

int openpsa_read(const char *name, const char *bytes, size_t size, enum openpsa_includes includes,
		 struct avail_model *model, struct avail_findings *findings)
{
	struct openpsa reader = { .model = model,
				  .memory = model->memory,
				  .findings = findings,
				  .includes = includes,
				  .subject = "",
				  .mission_time = AVAIL_NONE };
	xmlDoc *document;

	if (size > OPENPSA_SIZE_MAX) {
		avail_find(findings, name, 0, "", "is larger than %d MiB", OPENPSA_SIZE_MAX >> 20);
		return -EINVAL;
	}
	reader.size_left = OPENPSA_SIZE_MAX - size;
	document = openpsa_xml_parse(findings, name, bytes, size);
	if (!document)
		return -EINVAL;
	name_table_init(&reader.names, reader.memory);
	if (begin(&reader, name, document))
		read_all(&reader);
	fini(&reader);
	if (reader.full) {
		avail_find(findings, name, 0, "", "out of memory");
		return -ENOMEM;
	}
	return findings->found ? -EINVAL : 0;
}
