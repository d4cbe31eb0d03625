/* manage/request.c -- takes requests apart: percent-encoding, and the arguments of an action. */
#include "manage/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool manage_decode(const char *from, size_t size, char *to, size_t room)
{
	size_t used = 0;

	for (size_t i = 0; i < size; i++) {
		char c = from[i];

		if (c == '%') {
			int high = i + 2 < size ? hex_digit(from[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(from[i + 2]) : -1;

			if (low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == 0 || used + 1 >= room)
			return false;
		to[used++] = c;
	}
	to[used] = 0;
	return true;
}

static int set_value(const struct manage_argument *argument, const json_t *json,
		     struct manage_value *value, struct refusal *why)
{
	value->there = true;
	if (argument->type == TREE_BOOLEAN && json_is_boolean(json)) {
		value->boolean = json_is_true(json);
		return 0;
	}
	if (argument->type == TREE_TEXT && json_is_string(json) &&
	    json_string_length(json) < sizeof value->text &&
	    strlen(json_string_value(json)) == json_string_length(json)) {
		memcpy(value->text, json_string_value(json), json_string_length(json) + 1);
		return 0;
	}
	refuse(why, argument->name, "the value of '%s' must be a %s", argument->name,
	       tree_type_word[argument->type]);
	return -EINVAL;
}

static int refuse_unknown(const struct manage_argument *arguments, const char *key,
			  struct refusal *why)
{
	char known[128] = "";

	for (const struct manage_argument *a = arguments; a->name; a++) {
		size_t used = strlen(known);

		snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", a->name);
	}
	refuse(why, key, "there is no argument '%.64s'; %s%s", key,
	       known[0] ? "there is: " : "none is taken", known);
	return -EINVAL;
}

static int read_members(const struct manage_argument *arguments, json_t *object,
			struct manage_value *values, struct refusal *why)
{
	const char *key;
	json_t *json;

	json_object_foreach(object, key, json) {
		unsigned i = 0;
		int err;

		while (arguments[i].name && strcmp(arguments[i].name, key) != 0)
			i++;
		if (!arguments[i].name)
			return refuse_unknown(arguments, key, why);
		err = set_value(&arguments[i], json, &values[i], why);
		if (err)
			return err;
	}
	return 0;
}

int manage_arguments(const struct manage_argument *arguments, const char *body, size_t size,
		     struct manage_value values[MANAGE_ARGUMENTS_MAX], struct refusal *why)
{
	json_error_t error;
	json_t *object = NULL;
	int err = 0;

	memset(values, 0, sizeof *values * MANAGE_ARGUMENTS_MAX);
	if (size) {
		object = json_loadb(body, size, JSON_REJECT_DUPLICATES, &error);
		if (!json_is_object(object)) {
			refuse(why, "", "the body must be a JSON object%s%s", object ? "" : ": ",
			       object ? "" : error.text);
			json_decref(object);
			return -EINVAL;
		}
		err = read_members(arguments, object, values, why);
		json_decref(object);
	}
	for (unsigned i = 0; !err && arguments[i].name; i++)
		if (arguments[i].need == MANAGE_REQUIRED && !values[i].there) {
			refuse(why, arguments[i].name, "'%s' is missing: %s", arguments[i].name,
			       arguments[i].text);
			err = -EINVAL;
		}
	return err;
}
