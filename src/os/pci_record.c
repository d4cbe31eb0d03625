#include "os/pci_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_ = 512, WORDS_MAX = 8, VFS_MAX = 65535 };

static const char first_line[] = "midplane pci record 1";

struct line {
	char text[LINE_MAX_];
	char *word[WORDS_MAX];
	unsigned count;
};

/* Splits at single spaces; false when there are too many words, or an empty one. */
static bool split(struct line *line)
{
	char *at = line->text;

	line->count = 0;
	for (;;) {
		if (line->count == WORDS_MAX || *at == ' ' || *at == '\0')
			return false;
		line->word[line->count++] = at;
		at += strcspn(at, " ");
		if (*at == '\0')
			return true;
		*at++ = '\0';
	}
}

static bool read_count(const char *word, unsigned most, unsigned *value)
{
	char *end;
	unsigned long number;

	if (word[0] < '0' || word[0] > '9' || strlen(word) > 9)
		return false;
	number = strtoul(word, &end, 10);
	*value = (unsigned)number;
	return !*end && number <= most;
}

/* A word that names something; "-" is the empty one. */
static bool read_word(const char *word, char *text, size_t size)
{
	size_t length = strlen(word);

	if (length >= size)
		return false;
	for (size_t i = 0; i < length; i++)
		if (word[i] <= ' ' || word[i] > '~')
			return false;
	memcpy(text, strcmp(word, "-") == 0 ? "" : word, strcmp(word, "-") == 0 ? 1 : length + 1);
	return true;
}

/* A driver's name becomes part of a path. */
static bool read_driver(const char *word, char text[PCI_BUS_WORD_MAX])
{
	return !strchr(word, '/') && word[0] != '.' && read_word(word, text, PCI_BUS_WORD_MAX);
}

static bool read_address(const char *word, char text[PCI_BUS_ADDRESS_MAX])
{
	return pci_bus_is_address(word) && read_word(word, text, PCI_BUS_ADDRESS_MAX);
}

static bool read_function(const struct line *line, struct pci_record *r)
{
	struct pci_record_function *f = &r->function[r->function_count];

	if (r->function_count == PCI_RECORD_FUNCTIONS_MAX || line->count != 7 ||
	    !read_count(line->word[1], PCI_RECORD_FUNCTIONS_MAX - 1, &f->vf) ||
	    pci_record_find(r, f->vf) || !read_address(line->word[2], f->address) ||
	    !read_driver(line->word[3], f->driver) || !read_driver(line->word[4], f->override) ||
	    !read_count(line->word[5], VF_LINK_MAC | VF_LINK_VLAN | VF_LINK_RATE, &f->set) ||
	    !read_word(line->word[6], f->owner, sizeof f->owner))
		return false;
	r->function_count++;
	return true;
}

static bool read_vfs(const struct line *line, struct pci_record *r)
{
	r->made = line->count == 3 && strcmp(line->word[2], "made") == 0;
	return line->count == 3 && (r->made || strcmp(line->word[2], "found") == 0) &&
	       read_count(line->word[1], VFS_MAX, &r->vfs);
}

static bool read_autoprobe(const struct line *line, struct pci_record *r)
{
	unsigned value = 0;
	bool none = line->count == 2 && strcmp(line->word[1], "-") == 0;

	if (line->count != 2 || (!none && !read_count(line->word[1], 1, &value)))
		return false;
	r->autoprobe = none ? -1 : (int)value;
	return true;
}

/* The lines before the functions come in this order. */
static bool read_line(struct line *line, unsigned number, struct pci_record *r)
{
	static const char *const keys[] = { "site", "card", "pf", "vfs", "autoprobe" };

	if (number == 1)
		return strcmp(line->text, first_line) == 0;
	if (!split(line) || strcmp(line->word[0], number - 2 < array_len(keys) ? keys[number - 2]
									       : "function") != 0)
		return false;
	switch (number) {
	case 2:
		return line->count == 2 && read_word(line->word[1], r->site, sizeof r->site);
	case 3:
		return line->count == 2 && read_word(line->word[1], r->card, sizeof r->card);
	case 4:
		return line->count == 2 && read_address(line->word[1], r->pf);
	case 5:
		return read_vfs(line, r);
	case 6:
		return read_autoprobe(line, r);
	default:
		return read_function(line, r);
	}
}

int pci_record_parse(const char *text, size_t size, struct pci_record *r, struct refusal *why)
{
	unsigned number = 0;
	struct line line;

	memset(r, 0, sizeof *r);
	for (size_t at = 0; at < size;) {
		const char *end = memchr(text + at, '\n', size - at);
		size_t length = end ? (size_t)(end - (text + at)) : LINE_MAX_;

		number++;
		if (length < LINE_MAX_) {
			memcpy(line.text, text + at, length);
			line.text[length] = '\0';
		}
		if (length >= LINE_MAX_ || strlen(line.text) != length ||
		    !read_line(&line, number, r)) {
			refuse(why, "", "line %u is not what a record of PCI functions has there",
			       number);
			return -EINVAL;
		}
		at += length + 1;
	}
	if (number >= 6)
		return 0;
	refuse(why, "", "it ends after %u lines", number);
	return -EINVAL;
}

static const char *or_dash(const char *text)
{
	return text[0] ? text : "-";
}

size_t pci_record_print(const struct pci_record *r, char text[PCI_RECORD_TEXT_MAX])
{
	size_t at = (size_t)snprintf(
		text, PCI_RECORD_TEXT_MAX, "%s\nsite %s\ncard %s\npf %s\nvfs %u %s\n", first_line,
		or_dash(r->site), or_dash(r->card), r->pf, r->vfs, r->made ? "made" : "found");

	at += (size_t)snprintf(text + at, PCI_RECORD_TEXT_MAX - at,
			       r->autoprobe < 0 ? "autoprobe -\n" : "autoprobe %d\n", r->autoprobe);
	for (unsigned i = 0; i < r->function_count; i++) {
		const struct pci_record_function *f = &r->function[i];

		at += (size_t)snprintf(text + at, PCI_RECORD_TEXT_MAX - at,
				       "function %u %s %s %s %u %s\n", f->vf, f->address,
				       or_dash(f->driver), or_dash(f->override), f->set,
				       or_dash(f->owner));
		must(at < PCI_RECORD_TEXT_MAX);
	}
	return at;
}

void pci_record_path(const char *dir, const char *pf, char path[PCI_RECORD_PATH_MAX])
{
	must((size_t)snprintf(path, PCI_RECORD_PATH_MAX, "%s/pci-%s", dir, pf) <
	     PCI_RECORD_PATH_MAX);
}

int pci_record_load(const char *path, struct pci_record *r, struct refusal *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err;
	char *text = malloc(PCI_RECORD_TEXT_MAX);
	struct refusal below = { 0 };
	ssize_t got = -1;

	err = fd < 0 ? -errno : text ? 0 : -ENOMEM;
	if (!err) {
		got = read(fd, text, PCI_RECORD_TEXT_MAX);
		err = got < 0 ? -errno : pci_record_parse(text, (size_t)got, r, &below);
	}
	if (fd >= 0)
		close(fd);
	free(text);
	if (err == -EINVAL)
		refuse(why, "",
		       "%s: %s: move it away, look at the card with 'midplane hardware list', and "
		       "release what is bound",
		       path, below.text);
	else if (err && err != -ENOENT)
		refuse(why, "", "cannot read %s: %s", path, strerror(-err));
	return err;
}

/* Writes a new file; a crash in between leaves it behind, and nobody reads it. */
static int write_new(const char *path, const struct pci_record *r)
{
	char *text = malloc(PCI_RECORD_TEXT_MAX);
	int fd, err = 0;
	size_t size;

	if (!text)
		return -ENOMEM;
	size = pci_record_print(r, text);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		err = -errno;
	else if (write(fd, text, size) != (ssize_t)size)
		err = -ENOSPC;
	if (fd >= 0)
		close(fd);
	free(text);
	return err;
}

int pci_record_save(const struct pci_hand *hand, const char *path, const struct pci_record *r,
		    struct refusal *why)
{
	char new_path[PCI_RECORD_PATH_MAX + 8];
	int err;

	snprintf(new_path, sizeof new_path, "%s.new", path);
	err = hand->remember(hand->owner);
	if (!err)
		err = write_new(new_path, r);
	if (!err)
		err = hand->remember(hand->owner);
	if (!err)
		err = rename(new_path, path) ? -errno : 0;
	if (err)
		refuse(why, "", "cannot write %s, where what is done is kept: %s", path,
		       strerror(-err));
	return err;
}

void pci_record_remove(const struct pci_hand *hand, const char *path)
{
	char new_path[PCI_RECORD_PATH_MAX + 8];

	snprintf(new_path, sizeof new_path, "%s.new", path);
	if (hand->remember(hand->owner) != 0)
		return;
	unlink(new_path);
	unlink(path);
}

struct pci_record_function *pci_record_find(struct pci_record *r, unsigned vf)
{
	for (unsigned i = 0; i < r->function_count; i++)
		if (r->function[i].vf == vf)
			return &r->function[i];
	return NULL;
}

void pci_record_drop(struct pci_record *r, unsigned vf)
{
	struct pci_record_function *f = pci_record_find(r, vf);

	if (f)
		*f = r->function[--r->function_count];
}
