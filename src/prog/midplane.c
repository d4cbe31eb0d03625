/* prog/midplane.c -- reads the command line, finds the command, runs it. */
#include "prog/midplane.h"

#include <stdarg.h>
#include <string.h>

static const struct {
	char letter;
	const char *word;
	bool takes_value;
} options[OPTION_COUNT] = {
#define X(name, letter, word, value, text) { letter, word, (value) != NULL },
	MIDPLANE_OPTIONS(X)
#undef X
};

enum { WORDS_MAX = 2 + OPERANDS_MAX };

struct words {
	unsigned count;
	const char *word[WORDS_MAX]; /* noun, verb, operands */
};

const char *midplane_option_word(enum midplane_option option)
{
	return options[option].word;
}

void midplane_complain(const struct call *call, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("midplane: ", stderr);
	if (call->command)
		fprintf(stderr, "%s%s%s: ", call->command->noun, *call->command->verb ? " " : "",
			call->command->verb);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* The option that an argument names; *value points behind '=' or the letter, or is NULL. */
static int find_option(const char *argument, const char **value)
{
	*value = NULL;
	for (int i = 0; i < OPTION_COUNT; i++) {
		size_t size = strlen(options[i].word);

		if (options[i].letter && argument[1] == options[i].letter) {
			*value = argument[2] ? argument + 2 : NULL;
			return i;
		}
		if (argument[1] == '-' && strncmp(argument + 2, options[i].word, size) == 0 &&
		    (argument[2 + size] == 0 || argument[2 + size] == '=')) {
			*value = argument[2 + size] ? argument + 3 + size : NULL;
			return i;
		}
	}
	return -1;
}

/* --what-if may be there several times. */
static enum midplane_exit add_change(struct call *call, const char *value)
{
	size_t used = strlen(call->changes);
	int size = snprintf(call->changes + used, sizeof call->changes - used, "%s%s",
			    used ? ";" : "", value);

	if ((size_t)size < sizeof call->changes - used)
		return MIDPLANE_OK;
	midplane_complain(call, "--what-if: all changes together have at most %zu characters",
			  sizeof call->changes - 1);
	return MIDPLANE_USAGE;
}

/* Reads the option at *at, and its value. */
static enum midplane_exit read_option(struct call *call, char **argv, int argc, int *at)
{
	const char *value;
	int option = find_option(argv[*at], &value);

	if (option < 0) {
		midplane_complain(call, "there is no option '%s'; see midplane --help", argv[*at]);
		return MIDPLANE_USAGE;
	}
	if (options[option].takes_value && !value && *at + 1 < argc)
		value = argv[++*at];
	if (options[option].takes_value != (value != NULL)) {
		midplane_complain(call, "option --%s %s", options[option].word,
				  value ? "takes no value" : "wants a value");
		return MIDPLANE_USAGE;
	}
	call->option[option] = value ? value : "";
	return option == OPTION_WHAT_IF ? add_change(call, value) : MIDPLANE_OK;
}

static enum midplane_exit read_line(struct call *call, struct words *words, char **argv, int argc)
{
	bool only_words = false;

	for (int i = 1; i < argc; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
		} else if (!only_words && argv[i][0] == '-' && argv[i][1]) {
			enum midplane_exit code = read_option(call, argv, argc, &i);

			if (code)
				return code;
		} else if (words->count == WORDS_MAX) {
			midplane_complain(call, "'%s' is one word too many; see midplane --help",
					  argv[i]);
			return MIDPLANE_USAGE;
		} else {
			words->word[words->count++] = argv[i];
		}
	}
	return MIDPLANE_OK;
}

static bool is_noun(const char *word)
{
	for (unsigned i = 0; i < midplane_command_count; i++)
		if (strcmp(midplane_commands[i].noun, word) == 0)
			return true;
	return false;
}

static const struct command *find_command(const char *noun, const char *verb)
{
	for (unsigned i = 0; i < midplane_command_count; i++)
		if (strcmp(midplane_commands[i].noun, noun) == 0 &&
		    strcmp(midplane_commands[i].verb, verb) == 0)
			return &midplane_commands[i];
	return NULL;
}

static void complain_verb(const struct call *call, const char *noun, const char *verb)
{
	char known[128] = "";

	for (unsigned i = 0; i < midplane_command_count; i++) {
		size_t used = strlen(known);

		if (strcmp(midplane_commands[i].noun, noun) == 0)
			snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
				 midplane_commands[i].verb);
	}
	if (verb)
		midplane_complain(call, "%s: there is no '%s'; there is: %s", noun, verb, known);
	else
		midplane_complain(call, "%s: say what to do: %s", noun, known);
}

/* A plural is a noun, too, and by itself its list: 'midplane faults'. */
static void take_plural(struct words *words, bool help)
{
	for (unsigned i = 0; words->count && i < TREE_NOUN_COUNT; i++) {
		if (strcmp(tree_noun_plural[i], words->word[0]) != 0)
			continue;
		words->word[0] = tree_noun_word[i];
		if (words->count == 1 && !help)
			words->word[words->count++] = "list";
	}
}

/* A noun that is a command by itself gets its empty verb.  False: there is no room for that. */
static bool take_verbless(struct words *words)
{
	if (!words->count || !find_command(words->word[0], ""))
		return true;
	if (words->count == WORDS_MAX)
		return false;
	for (unsigned i = words->count++; i > 1; i--)
		words->word[i] = words->word[i - 1];
	words->word[1] = "";
	return true;
}

/* Finds the command; *code says how it ended when there is none to run. */
static bool choose(struct call *call, const struct words *words, enum midplane_exit *code)
{
	bool help = call->option[OPTION_HELP];

	*code = help ? MIDPLANE_OK : MIDPLANE_USAGE;
	if (words->count == 0) {
		midplane_help(help ? stdout : stderr);
		return false;
	}
	if (!is_noun(words->word[0])) {
		*code = MIDPLANE_USAGE;
		midplane_complain(call, "there is no noun '%s'; see midplane --help",
				  words->word[0]);
		return false;
	}
	if (words->count > 1)
		call->command = find_command(words->word[0], words->word[1]);
	if (!call->command && (words->count > 1 || !help)) {
		*code = MIDPLANE_USAGE;
		complain_verb(call, words->word[0], words->count > 1 ? words->word[1] : NULL);
		return false;
	}
	if (help && call->command)
		midplane_help_command(stdout, call->command);
	else if (help)
		midplane_help_noun(stdout, words->word[0]);
	return !help;
}

/* What an operand's placeholder means. */
static const char *operand(const char *name)
{
	return strstr(name, "NAME")            ? "name"
	       : strcmp(name, "SITE.yaml") == 0 ? "site file"
						: name;
}

/* Holds the operands against their placeholders, word by word. */
static enum midplane_exit check_operands(const struct call *call)
{
	const char *at = call->command->name ? call->command->name : "";

	for (unsigned i = 0; i < OPERANDS_MAX; i++) {
		const char *given = i ? call->more[i - 1] : call->name;
		size_t size = strcspn(at, " ");
		char name[32];

		if (given && !size) {
			midplane_complain(call, "'%s' is one word too many", given);
			return MIDPLANE_USAGE;
		}
		snprintf(name, sizeof name, "%.*s", (int)size, at);
		if (size && (given ? !*given : name[0] != '[')) {
			midplane_complain(call, "wants a %s", operand(name));
			return MIDPLANE_USAGE;
		}
		at += size + (at[size] == ' ');
	}
	return MIDPLANE_OK;
}

static enum midplane_exit check_options(const struct call *call)
{
	const struct command *command = call->command;

	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		if (call->option[i] && !((command->options | OPTIONS_OF_ALL) & OPTION_BIT(i))) {
			midplane_complain(call, "does not take --%s", options[i].word);
			return MIDPLANE_USAGE;
		}
		if (!call->option[i] && command->required & OPTION_BIT(i)) {
			midplane_complain(call, "wants --%s", options[i].word);
			return MIDPLANE_USAGE;
		}
	}
	if (call->option[OPTION_SWITCH_BACK] && call->option[OPTION_NO_SWITCH_BACK]) {
		midplane_complain(call, "--switch-back and --no-switch-back exclude each other");
		return MIDPLANE_USAGE;
	}
	return check_operands(call);
}

static enum midplane_exit check_output(struct call *call)
{
	const char *output = call->option[OPTION_OUTPUT];

	call->json = output && strcmp(output, "json") == 0;
	if (!output || call->json || strcmp(output, "table") == 0)
		return MIDPLANE_OK;
	midplane_complain(call, "--output: '%s' is neither table nor json", output);
	return MIDPLANE_USAGE;
}

static enum midplane_exit run(struct call *call, int argc, char **argv)
{
	struct words words = { 0 };
	enum midplane_exit code = read_line(call, &words, argv, argc);

	if (code)
		return code;
	if (call->option[OPTION_VERSION]) {
		puts("midplane " MIDPLANE_VERSION);
		return MIDPLANE_OK;
	}
	take_plural(&words, call->option[OPTION_HELP]);
	if (!take_verbless(&words)) {
		midplane_complain(call, "'%s' is one word too many; see midplane --help",
				  words.word[WORDS_MAX - 1]);
		return MIDPLANE_USAGE;
	}
	if (!choose(call, &words, &code))
		return code;
	call->name = words.count > 2 ? words.word[2] : NULL;
	for (unsigned i = 3; i < words.count; i++)
		call->more[i - 3] = words.word[i];
	code = check_options(call);
	if (!code)
		code = check_output(call);
	return code ? code : call->command->run(call);
}

int main(int argc, char **argv)
{
	struct call call = { 0 };
	enum midplane_exit code = run(&call, argc, argv);

	if (fflush(stdout) != 0 || ferror(stdout)) {
		midplane_complain(&call, "cannot write the output");
		return MIDPLANE_REFUSED;
	}
	return (int)code;
}
