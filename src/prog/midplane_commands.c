/* prog/midplane_commands.c -- the one list of commands, and the help that is made of it. */
#include "prog/midplane.h"

#include <string.h>

#define LIST(noun, plural) \
	{ noun, "list", NULL, 0, 0, midplane_list, "list the " plural }
#define SHOW(noun, phrase) \
	{ noun, "show", "NAME", 0, 0, midplane_show, "everything about " phrase }
#define BIT(option) OPTION_BIT(OPTION_##option)
#define IMAGE (BIT(MEMORY) | BIT(REGISTERS))
#define UNIT (IMAGE | BIT(QUIRKS) | BIT(FORMAT) | BIT(HOST_WIDTH))

const struct command midplane_commands[] = {
	{ "site", "check", "SITE.yaml", 0, 0, midplane_site_check,
	  "check a site file without starting anything" },
	LIST("site", "site that the daemon runs"),
	{ "site", "show", "[NAME]", 0, 0, midplane_site_show, "everything about the site" },
	LIST("chassis", "chassis"),
	SHOW("chassis", "a chassis"),
	LIST("carrier", "carriers"),
	SHOW("carrier", "a carrier"),
	LIST("card", "cards"),
	SHOW("card", "a card"),
	{ "card", "fdb", "NAME", 0, 0, midplane_card_fdb, "addresses that a card knows" },
	{ "card", "pull", "NAME", 0, 0, midplane_card_pull,
	  "pull a card: its interfaces move to their standby" },
	{ "card", "insert", "NAME", BIT(SWITCH_BACK) | BIT(NO_SWITCH_BACK), 0,
	  midplane_card_insert, "bring back a pulled card, or a disk card without its medium" },
	{ "card", "hang", "NAME", BIT(OFF), 0, midplane_card_hang,
	  "a drill: make its line driver hang, as a dying card does" },
	LIST("function", "virtual functions"),
	SHOW("function", "a virtual function (nic0/vf3)"),
	{ "function", "release", "NAME", 0, 0, midplane_function_release,
	  "end the quarantine of the interface that uses it" },
	LIST("host", "hosts"),
	SHOW("host", "a host"),
	{ "host", "lspci", "NAME", BIT(DUMP), 0, midplane_host_lspci,
	  "the PCI Express tree that a host sees" },
	LIST("pool", "pools"),
	SHOW("pool", "a pool"),
	LIST("system", "systems"),
	SHOW("system", "a system and its interfaces"),
	{ "system", "switch", "NAME", BIT(IO) | BIT(CARD), BIT(IO) | BIT(CARD),
	  midplane_system_switch, "move one interface to another card of its group" },
	{ "system", "force", "NAME", BIT(IO) | BIT(CARD) | BIT(GIVE_UP), BIT(IO) | BIT(CARD),
	  midplane_system_force, "let a mirrored disk go on without the card that has its latest writes" },
	LIST("group", "redundancy groups"),
	SHOW("group", "a redundancy group"),
	{ "event", "list", NULL, BIT(FOLLOW) | BIT(AFTER), 0, midplane_event_list,
	  "what happened, and how long traffic was away" },
	SHOW("event", "an event, by its number"),
	{ "avail", "solve", "FILE",
	  BIT(TOP) | BIT(CUT_SETS) | BIT(BY) | BIT(CUT_OFF) | BIT(PRIME) | BIT(APPROXIMATE) |
		  BIT(MISSION) | BIT(WHAT_IF) | BIT(IMPROVE) | BIT(REPORT) | BIT(DOT) | BIT(CURVE) |
		  BIT(DRAWS) | BIT(SIMULATE) | BIT(SEED) | BIT(THREADS) | BIT(ONLY) |
		  BIT(NODES) | BIT(MEMORY_LIMIT) | BIT(SECONDS),
	  0, midplane_avail_solve, "the availability that a site file, model or fault tree has" },
	{ "avail", "list", NULL, 0, 0, midplane_list, "list how available systems are, by design and now" },
	SHOW("avail", "a system's availability (or the site's: site)"),
	LIST("fault", "accesses that were blocked"),
	SHOW("fault", "a blocked access, by its number"),
	LIST("worker", "data threads"),
	SHOW("worker", "a data thread"),
	{ "conform", "", "TARGET", BIT(DESTRUCTIVE) | BIT(JUNIT), 0, midplane_conform,
	  "judge a PCI function by the standard: a card (nic0) or function (nic0/vf3) of the site, a "
	  "PCI address of this machine, or a vfio-user socket" },
	{ "hardware", "list", NULL, BIT(SYSFS), 0, midplane_hardware_list,
	  "the PCI functions of this machine, and who has each" },
	{ "hardware", "show", "ADDRESS", BIT(SYSFS), 0, midplane_hardware_show,
	  "all of one of them, and how a guest takes it" },
	{ "hardware", "vfs", "ADDRESS COUNT", BIT(SYSFS), 0, midplane_hardware_vfs,
	  "give a card so many virtual functions" },
	{ "hardware", "queues", "ADDRESS COUNT", BIT(SYSFS) | BIT(INTERRUPTS), 0,
	  midplane_hardware_queues,
	  "give a virtual function of an NVMe card so many queue pairs, and bring it online; 0: offline" },
	{ "hardware", "bind", "ADDRESS [DRIVER]", BIT(SYSFS), 0, midplane_hardware_bind,
	  "hand a function to a driver (vfio-pci)" },
	{ "hardware", "release", "ADDRESS", BIT(SYSFS), 0, midplane_hardware_release,
	  "let the kernel choose a function's driver again" },
	{ "hardware", "set", "ADDRESS", BIT(SYSFS) | BIT(MAC) | BIT(VLAN) | BIT(RATE) |
	  BIT(SPOOF_CHECK) | BIT(TRUST), 0,
	  midplane_hardware_set, "tell a virtual function's address, VLAN, rate and rights to its card" },
	{ "pci", "show", "SOCKET", BIT(DUMP), 0, midplane_pci_show,
	  "all of a function that a process serves by vfio-user" },
	{ "pci", "read", "SOCKET REGION OFFSET [SIZE]", 0, 0, midplane_pci_read,
	  "bytes of a region of such a function" },
	{ "pci", "write", "SOCKET REGION OFFSET VALUE", 0, 0, midplane_pci_write,
	  "write a register of such a function" },
	{ "iommu", "walk", NULL, UNIT | BIT(SOURCE) | BIT(IOVA) | BIT(ACCESS) |
	  BIT(PASID) | BIT(BATCH), IMAGE, midplane_iommu_walk,
	  "explain where a DMA leads, level by level, by a memory image" },
	{ "iommu", "remap", NULL, UNIT | BIT(SOURCE) | BIT(ADDRESS) | BIT(DATA) |
	  BIT(BATCH), IMAGE, midplane_iommu_remap,
	  "explain what becomes of an interrupt message" },
	{ "iommu", "dump", "[SYSTEM]", UNIT, 0, midplane_iommu_dump_any,
	  "list domains and what they map: of the running site, or of a memory image" },
	{ "iommu", "check", NULL, UNIT, IMAGE, midplane_iommu_check,
	  "report what the tables of a memory image have that the specification forbids" },
};
const unsigned midplane_command_count = array_len(midplane_commands);

static const struct {
	char letter;
	const char *word, *value, *text;
} options[OPTION_COUNT] = {
#define X(name, letter, word, value, text) { letter, word, value, text },
	MIDPLANE_OPTIONS(X)
#undef X
};

static void add_option(char *text, size_t size, const struct command *command, unsigned option)
{
	bool needed = command->required & OPTION_BIT(option);
	size_t used = strlen(text);

	snprintf(text + used, size - used, " %s--%s%s%s%s", needed ? "" : "[", options[option].word,
		 options[option].value ? " " : "",
		 options[option].value ? options[option].value : "", needed ? "" : "]");
}

/* "card insert NAME [--switch-back] [--no-switch-back]" */
static void describe(const struct command *command, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s%s%s", command->noun, *command->verb ? " " : "", command->verb,
		 command->name ? " " : "", command->name ? command->name : "");
	for (unsigned i = 0; i < OPTION_COUNT; i++)
		if (command->options & OPTION_BIT(i))
			add_option(text, size, command, i);
}

static void print_command(FILE *out, const struct command *command)
{
	char text[320];

	describe(command, text, sizeof text);
	if (strlen(text) <= 34)
		fprintf(out, "  %-34s  %s\n", text, command->help);
	else
		fprintf(out, "  %s\n  %34s  %s\n", text, "", command->help);
}

static void print_options(FILE *out, uint64_t mask)
{
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		char word[40], letter[8] = "    ";

		if (!(mask & OPTION_BIT(i)))
			continue;
		if (options[i].letter)
			snprintf(letter, sizeof letter, "-%c, ", options[i].letter);
		snprintf(word, sizeof word, "%s--%s%s%s", letter, options[i].word,
			 options[i].value ? " " : "", options[i].value ? options[i].value : "");
		fprintf(out, "  %-23s %s\n", word, options[i].text);
	}
}

void midplane_help(FILE *out)
{
	fputs("Usage: midplane [OPTIONS] NOUN VERB [NAME] [OPTIONS]\n"
	      "Looks at a running site, and tells its daemon, midplaned, what to do.\n\n"
	      "Commands:\n", out);
	for (unsigned i = 0; i < midplane_command_count; i++)
		print_command(out, &midplane_commands[i]);
	fputs("\nOptions of every command, before or after it:\n", out);
	print_options(out, OPTIONS_OF_ALL);
	fputs("\nExit codes: 0 done; 1 refused, or findings; 2 usage; 3 no daemon answers;\n"
	      "4 no such object.  'midplane NOUN VERB --help' says more; see midplane(1).\n",
	      out);
}

/* Nouns that are none of the tree's. */
static const struct {
	const char *noun, *sentence;
} other_nouns[] = {
	{ "hardware", "A hardware function is a PCI function of this machine" },
	{ "pci", "A pci function is one that a process serves on a unix socket, by vfio-user" },
	{ "iommu", "An iommu is a unit that decides where DMA and interrupts of functions lead" },
};

static void print_noun(FILE *out, const char *noun)
{
	for (unsigned i = 0; i < array_len(other_nouns); i++) {
		if (strcmp(noun, other_nouns[i].noun) == 0) {
			fprintf(out, "%s.\n", other_nouns[i].sentence);
			return;
		}
	}
	fprintf(out, "A %s is %s.\n", noun, tree_noun_text[tree_noun_find(noun)]);
}

void midplane_help_noun(FILE *out, const char *noun)
{
	fprintf(out, "Usage: midplane %s VERB [NAME] [OPTIONS]\n", noun);
	print_noun(out, noun);
	fputs("\nCommands:\n", out);
	for (unsigned i = 0; i < midplane_command_count; i++)
		if (strcmp(midplane_commands[i].noun, noun) == 0)
			print_command(out, &midplane_commands[i]);
}

void midplane_help_command(FILE *out, const struct command *command)
{
	char text[320];

	describe(command, text, sizeof text);
	fprintf(out, "Usage: midplane [OPTIONS] %s\n%s.\n\nOptions:\n", text, command->help);
	print_options(out, command->options | OPTIONS_OF_ALL);
}
