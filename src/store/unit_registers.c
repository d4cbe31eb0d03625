#include "store/unit_registers.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct unit_register {
	uint32_t offset;
	uint64_t value;
};

struct unit_registers {
	char name[128];
	unsigned count;
	struct unit_register list[]; /* sorted by offset */
};

/* "0x" and hexadecimal digits, or decimal digits, and nothing else. */
static bool parse_number(const char *text, uint64_t *value)
{
	bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = text + (hexadecimal ? 2 : 0);
	char *end;

	if (digits[strspn(digits, hexadecimal ? "0123456789abcdefABCDEF" : "0123456789")] ||
	    !*digits)
		return false;
	if (!hexadecimal && digits[0] == '0' && digits[1])
		return false; /* "020": which of the two? */
	errno = 0;
	*value = strtoull(digits, &end, hexadecimal ? 16 : 10);
	return errno == 0;
}

static bool parse_value(const json_t *json, uint64_t *value)
{
	if (json_is_integer(json) && json_integer_value(json) >= 0) {
		*value = (uint64_t)json_integer_value(json);
		return true;
	}
	return json_is_string(json) && parse_number(json_string_value(json), value);
}

/* One row of the file; false when it is refused. */
static bool parse_row(const char *name, const char *key, const json_t *json,
		      struct unit_register *row, struct refusal *why)
{
	uint64_t offset;

	if (!parse_number(key, &offset) || offset % 4 || offset > UNIT_REGISTERS_OFFSET_MAX) {
		refuse(why, name,
		       "\"%.40s\" is not the offset of a register: \"0x020\", a multiple of 4, "
		       "at most 0x%x",
		       key, UNIT_REGISTERS_OFFSET_MAX);
		return false;
	}
	row->offset = (uint32_t)offset;
	if (parse_value(json, &row->value))
		return true;
	refuse(why, name,
	       "the value of \"%.40s\" is not a number of 64 bits: "
	       "\"0x000000000557a000\", or a decimal number without a sign",
	       key);
	return false;
}

static int compare(const void *a, const void *b)
{
	const struct unit_register *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* "0x20" and "0x020" are two keys for JSON and one register. */
static bool check_twice(const char *name, const struct unit_registers *registers,
			struct refusal *why)
{
	for (unsigned i = 1; i < registers->count; i++) {
		if (registers->list[i].offset != registers->list[i - 1].offset)
			continue;
		refuse(why, name, "the register at 0x%03x is given twice",
		       registers->list[i].offset);
		return false;
	}
	return true;
}

static int from_json(const char *name, json_t *json, struct unit_registers **registers,
		     struct refusal *why)
{
	struct unit_registers *made;
	const char *key;
	json_t *value;

	if (!json_is_object(json)) {
		refuse(why, name,
		       "not an object of offsets and values: {\"0x020\": "
		       "\"0x000000000557a000\", ...}");
		return -EINVAL;
	}
	made = calloc(1, sizeof *made + json_object_size(json) * sizeof made->list[0]);
	if (!made)
		return -ENOMEM;
	snprintf(made->name, sizeof made->name, "%s", name);
	json_object_foreach(json, key, value)
	{
		if (!parse_row(name, key, value, &made->list[made->count++], why)) {
			free(made);
			return -EINVAL;
		}
	}
	qsort(made->list, made->count, sizeof made->list[0], compare);
	if (!check_twice(name, made, why)) {
		free(made);
		return -EINVAL;
	}
	*registers = made;
	return 0;
}

int unit_registers_load_bytes(const char *name, const void *bytes, size_t size,
			      struct unit_registers **registers, struct refusal *why)
{
	json_error_t error;
	json_t *json = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &error);
	int err;

	*registers = NULL;
	if (!json) {
		refuse(why, name, "line %d: %s%s", error.line, error.text,
		       strstr(error.text, "too big") ? " (write it as a string, \"0x...\")" : "");
		return -EINVAL;
	}
	err = from_json(name, json, registers, why);
	json_decref(json);
	return err;
}

/* The file's bytes, at most the limit and one more. */
static int read_file(int fd, char *bytes, size_t *size)
{
	for (*size = 0; *size <= UNIT_REGISTERS_FILE_MAX;) {
		ssize_t n = read(fd, bytes + *size, UNIT_REGISTERS_FILE_MAX + 1 - *size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		*size += (size_t)n;
	}
	return 0;
}

int unit_registers_load(const char *path, struct unit_registers **registers, struct refusal *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = fd < 0 ? -errno : 0;
	char *bytes = malloc(UNIT_REGISTERS_FILE_MAX + 1);
	size_t size = 0;

	*registers = NULL;
	if (!bytes)
		err = -ENOMEM;
	if (!err)
		err = read_file(fd, bytes, &size);
	if (err) {
		refuse(why, path, "%s", strerror(-err));
	} else if (size > UNIT_REGISTERS_FILE_MAX) {
		refuse(why, path, "more than %d bytes: this is no file of registers",
		       UNIT_REGISTERS_FILE_MAX);
		err = -EINVAL;
	} else {
		err = unit_registers_load_bytes(path, bytes, size, registers, why);
	}
	free(bytes);
	if (fd >= 0)
		close(fd);
	return err;
}

void unit_registers_free(struct unit_registers *registers)
{
	free(registers);
}

static const struct unit_register *find(const struct unit_registers *registers, uint32_t offset)
{
	const struct unit_register key = { .offset = offset };

	return bsearch(&key, registers->list, registers->count, sizeof key, compare);
}

bool unit_registers_has(const struct unit_registers *registers, uint32_t offset)
{
	return find(registers, offset) != NULL;
}

int unit_registers_get(const struct unit_registers *registers, uint32_t offset, unsigned bits,
		       const char *name, uint64_t *value, struct refusal *why)
{
	const struct unit_register *low = find(registers, offset);
	const struct unit_register *high = bits == 64 ? find(registers, offset + 4) : NULL;

	if (!low) {
		refuse(why, registers->name, "%s (0x%03x) is needed and not there%s", name, offset,
		       high ? ", only its upper half" : "");
		return -ENOENT;
	}
	if ((bits == 32 || high) &&
	    (low->value > UINT32_MAX || (high && high->value > UINT32_MAX))) {
		refuse(why, registers->name,
		       bits == 32 ? "%s (0x%03x) has 32 bits, not more"
				  : "%s (0x%03x) is given in two halves, of which "
				    "one has more than 32 bits",
		       name, offset);
		return -EINVAL;
	}
	*value = low->value | (high ? high->value << 32 : 0);
	return 0;
}
